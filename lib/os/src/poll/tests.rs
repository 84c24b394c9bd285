//! One set of tests for both back ends.

macro_rules! behaves {
    ($module:ident, $backend:ident) => {
        mod $module {
            use std::os::fd::AsFd;
            use std::time::Duration;

            use crate::clock::monotonic;
            use crate::poll::$backend::{Events, Poller};
            use crate::poll::{Event, Interest, Waker};
            use crate::socket::Socket;

            const NOW: Option<Duration> = Some(Duration::ZERO);

            fn wait(poller: &Poller, timeout: Option<Duration>) -> Vec<Event> {
                let mut events = Events::with_capacity(8);
                poller.wait(&mut events, timeout).unwrap();
                assert_eq!(events.len(), events.iter().count());
                assert_eq!(events.is_empty(), events.len() == 0);
                let mut list: Vec<Event> = events.iter().collect();
                list.sort_by_key(|event| event.key);
                list
            }

            #[test]
            fn readiness_stays_until_the_data_is_read() {
                let poller = Poller::new().unwrap();
                let (a, b) = Socket::pair().unwrap();
                poller.add(&a, 7, Interest::READ).unwrap();
                assert!(wait(&poller, NOW).is_empty());
                b.write(b"x").unwrap();
                let ready = Event { key: 7, readable: true, writable: false, error: false };
                assert_eq!(wait(&poller, None), [ready]);
                assert_eq!(wait(&poller, NOW), [ready]);
                a.read(&mut [0; 8]).unwrap();
                assert!(wait(&poller, NOW).is_empty());
            }

            #[test]
            fn interest_and_key_change() {
                let poller = Poller::new().unwrap();
                let (a, b) = Socket::pair().unwrap();
                b.write(b"x").unwrap();
                poller.add(&a, 1, Interest::NONE).unwrap();
                assert!(wait(&poller, NOW).is_empty());
                poller.modify(&a, 2, Interest::WRITE).unwrap();
                let ready = Event { key: 2, readable: false, writable: true, error: false };
                assert_eq!(wait(&poller, NOW), [ready]);
                poller.modify(&a, 3, Interest::BOTH).unwrap();
                let ready = Event { key: 3, readable: true, writable: true, error: false };
                assert_eq!(wait(&poller, NOW), [ready]);
                poller.delete(&a).unwrap();
                assert!(wait(&poller, NOW).is_empty());
            }

            #[test]
            fn a_hang_up_is_told_as_an_error_in_both_directions() {
                let poller = Poller::new().unwrap();
                let (a, b) = Socket::pair().unwrap();
                poller.add(&a, 1, Interest::NONE).unwrap();
                drop(b);
                let ready = Event { key: 1, readable: true, writable: true, error: true };
                assert_eq!(wait(&poller, None), [ready]);
            }

            #[test]
            fn an_end_of_stream_is_readable() {
                let poller = Poller::new().unwrap();
                let (a, b) = Socket::pair().unwrap();
                poller.add(&a, 1, Interest::READ).unwrap();
                b.shutdown(crate::socket::Shutdown::Write).unwrap();
                let list = wait(&poller, None);
                assert!(list.len() == 1 && list[0].readable && !list[0].error);
                assert_eq!(a.read(&mut [0; 8]).unwrap(), 0);
            }

            #[test]
            fn more_events_than_room_come_with_the_next_wait() {
                let poller = Poller::new().unwrap();
                let pairs: Vec<_> = (0..3).map(|_| Socket::pair().unwrap()).collect();
                for (key, (a, _)) in pairs.iter().enumerate() {
                    poller.add(a, key as u64, Interest::WRITE).unwrap();
                }
                let mut events = Events::with_capacity(2);
                let mut seen = [false; 3];
                for _ in 0..3 {
                    poller.wait(&mut events, NOW).unwrap();
                    assert_eq!(events.len(), 2);
                    events.iter().for_each(|event| seen[event.key as usize] = true);
                }
                assert_eq!(seen, [true; 3]);
            }

            #[test]
            fn a_timeout_is_not_early_and_finer_than_a_millisecond() {
                let poller = Poller::new().unwrap();
                let mut best = u64::MAX;
                for _ in 0..20 {
                    let start = monotonic();
                    assert!(wait(&poller, Some(Duration::from_micros(300))).is_empty());
                    let took = monotonic() - start;
                    assert!(took >= 300_000, "early: {took} ns");
                    best = best.min(took);
                }
                assert!(best < 950_000, "rounded up: {best} ns");
            }

            #[test]
            fn a_waker_wakes_from_another_thread_and_many_wakes_are_one() {
                let poller = Poller::new().unwrap();
                let waker = Waker::new().unwrap();
                poller.add(&waker, 99, Interest::READ).unwrap();
                std::thread::scope(|scope| {
                    scope.spawn(|| (0..100).for_each(|_| waker.wake().unwrap()));
                    assert_eq!(wait(&poller, None)[0].key, 99);
                });
                waker.drain().unwrap();
                assert!(wait(&poller, NOW).is_empty());
                waker.drain().unwrap();
            }

            #[test]
            fn a_waker_that_is_full_wakes_all_the_same_and_is_empty_after_one_drain() {
                let poller = Poller::new().unwrap();
                let waker = Waker::new().unwrap();
                poller.add(&waker, 7, Interest::READ).unwrap();
                // As many wakes as it can count: the next finds it full.
                rustix::io::write(&waker, &(u64::MAX - 1).to_ne_bytes()).unwrap();
                assert!(rustix::io::write(&waker, &1u64.to_ne_bytes()).is_err());
                waker.wake().unwrap();
                assert_eq!(wait(&poller, NOW)[0].key, 7);
                waker.drain().unwrap();
                assert!(wait(&poller, NOW).is_empty());
                waker.wake().unwrap();
                assert_eq!(wait(&poller, NOW)[0].key, 7);
            }

            #[test]
            fn keys_keep_all_their_bits() {
                let poller = Poller::new().unwrap();
                let (a, _b) = Socket::pair().unwrap();
                let key = 0xfedc_ba98_7654_3210;
                poller.add(a.as_fd(), key, Interest::WRITE).unwrap();
                assert_eq!(wait(&poller, None)[0].key, key);
            }
        }
    };
}

#[cfg(target_os = "linux")]
behaves!(on_epoll, epoll);
behaves!(on_polling, portable);

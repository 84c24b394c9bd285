//! The queue under the model checker: nothing lost, nothing twice, first-in first-out for each
//! producer, and what a sender wrote before is seen by the run that follows.
#![cfg(loom)]
#![expect(unsafe_code, reason = "cells show the model checker what is published")]

use dunlin_sync::prim::{Arc, AtomicU32, Ordering, UnsafeCell, thread};
use dunlin_sync::{EventNode, Inbox, Item};

type Shared = Arc<Inbox<(u8, u8)>>;

/// Runs the events and messages of one batch.
fn drain(inbox: &Inbox<(u8, u8)>, seen: &mut Vec<(u8, u8)>) {
    seen.extend(inbox.take_all().map(|entry| match entry.item {
        Item::Message(message) => message,
        Item::Event(id) => (u8::MAX, id as u8),
    }));
}

fn assert_in_order(seen: &[(u8, u8)], producer: u8, count: u8) {
    let of: Vec<_> = seen.iter().filter(|item| item.0 == producer).map(|item| item.1).collect();
    assert_eq!(of, (0..count).collect::<Vec<_>>());
}

#[test]
fn two_producers_and_a_consumer() {
    loom::model(|| {
        let inbox = Shared::default();
        let producers: Vec<_> = [(0, 2), (1, 1)]
            .into_iter()
            .map(|(producer, count)| {
                let inbox = inbox.clone();
                thread::spawn(move || {
                    for number in 0..count {
                        inbox.push((producer, number), ());
                    }
                })
            })
            .collect();
        let mut seen = Vec::new();
        drain(&inbox, &mut seen);
        for producer in producers {
            producer.join().unwrap();
        }
        drain(&inbox, &mut seen);
        assert_in_order(&seen, 0, 2);
        assert_in_order(&seen, 1, 1);
        assert_eq!(seen.len(), 3);
    });
}

#[test]
fn exactly_one_of_two_producers_finds_it_empty() {
    loom::model(|| {
        let inbox = Shared::default();
        let other = inbox.clone();
        let producer = thread::spawn(move || other.push((0, 0), ()));
        let here = inbox.push((1, 0), ());
        assert!(here ^ producer.join().unwrap());
    });
}

#[test]
fn what_is_left_in_a_dropped_inbox_is_freed() {
    loom::model(|| {
        let inbox = Arc::new(Inbox::<Arc<u8>>::new());
        let (value, event) = (Arc::new(1), EventNode::new(1));
        let (other, sent, scheduled) = (inbox.clone(), value.clone(), event.clone());
        let producer = thread::spawn(move || {
            other.push(sent, ());
            other.schedule(&scheduled, ());
        });
        drop(inbox);
        producer.join().unwrap();
        assert_eq!((Arc::strong_count(&value), Arc::strong_count(&event)), (1, 1));
    });
}

/// Two schedule, each after adding to a sum; the last run must see both.
#[test]
fn every_scheduling_is_followed_by_a_run_that_sees_what_came_before() {
    loom::model(|| {
        let inbox = Shared::default();
        let event = EventNode::new(3);
        let written: [_; 2] = std::array::from_fn(|_| Arc::new(AtomicU32::new(0)));
        let others: Vec<_> = written
            .iter()
            .map(|flag| {
                let (inbox, event, flag) = (inbox.clone(), event.clone(), flag.clone());
                thread::spawn(move || {
                    flag.store(1, Ordering::Relaxed);
                    inbox.schedule(&event, ());
                })
            })
            .collect();
        let (mut runs, mut seen) = (0, 0);
        let mut run = || {
            for _ in inbox.take_all() {
                runs += 1;
                seen = written.iter().map(|flag| flag.load(Ordering::Relaxed)).sum();
            }
        };
        run();
        for other in others {
            other.join().unwrap();
        }
        run();
        // Joining has shown us all writes; what matters is what the runs had seen by themselves.
        assert!((1..=2).contains(&runs), "{runs} runs");
        assert_eq!(seen, 2, "the last run follows both");
    });
}

/// As above with the consumer in a thread of its own, which nothing but the queue synchronises.
#[test]
fn a_coalesced_scheduling_publishes_too() {
    loom::model(|| {
        let inbox = Shared::default();
        let event = EventNode::new(3);
        let cell = Arc::new(UnsafeCell::new(0_u32));
        inbox.schedule(&event, ());
        let (there, scheduled, written) = (inbox.clone(), event.clone(), cell.clone());
        let sender = thread::spawn(move || {
            // SAFETY: the consumer reads only once the second message is there, or in the event's
            // second run; the checker verifies that this is so.
            written.with_mut(|value| unsafe { *value = 1 });
            there.schedule(&scheduled, ()).must_notify()
        });
        let mut runs = 0;
        for _ in inbox.take_all() {
            runs += 1;
        }
        let relinked = !inbox.is_empty();
        for _ in inbox.take_all() {
            runs += 1;
            // SAFETY: this run can only come from the sender's scheduling.
            assert_eq!(cell.with(|value| unsafe { *value }), 1);
        }
        let pushed = sender.join().unwrap();
        runs += inbox.take_all().count();
        assert_eq!(runs, 1 + usize::from(pushed));
        assert!(pushed || !relinked);
    });
}

#[test]
fn cancelling_races_with_scheduling_and_draining() {
    loom::model(|| {
        let inbox = Shared::default();
        let event = EventNode::new(3);
        let (there, scheduled) = (inbox.clone(), event.clone());
        let sender = thread::spawn(move || {
            there.schedule(&scheduled, ());
            there.push((0, 0), ());
            there.schedule(&scheduled, ());
            there.push((0, 1), ());
        });
        let mut seen = Vec::new();
        drain(&inbox, &mut seen);
        let cancelled = event.cancel();
        drain(&inbox, &mut seen);
        sender.join().unwrap();
        drain(&inbox, &mut seen);
        assert_in_order(&seen, 0, 2);
        let runs = seen.len() - 2;
        assert!(runs + usize::from(cancelled) >= 1, "neither ran nor cancelled");
        assert!(runs + usize::from(cancelled) <= 2);
        assert_eq!(Arc::strong_count(&event), 1, "no list holds it");
    });
}

/// The consumer takes a scheduling over before it has arrived: it must see what the scheduler did.
#[test]
fn who_cancels_sees_what_the_scheduler_did() {
    loom::model(|| {
        let inbox = Shared::default();
        let event = EventNode::new(3);
        let cell = Arc::new(UnsafeCell::new(0_u32));
        let (there, scheduled, written) = (inbox.clone(), event.clone(), cell.clone());
        let sender = thread::spawn(move || {
            // SAFETY: the consumer reads only once it has found the event scheduled; the checker
            // verifies that this is so.
            written.with_mut(|value| unsafe { *value = 1 });
            there.schedule(&scheduled, ());
        });
        let taken_over = event.is_pending() && event.cancel();
        if taken_over {
            // SAFETY: what was cancelled can only have come from the sender's scheduling.
            assert_eq!(cell.with(|value| unsafe { *value }), 1);
        }
        sender.join().unwrap();
        assert_eq!(inbox.take_all().count(), usize::from(!taken_over));
        assert_eq!(Arc::strong_count(&event), 1, "no list holds it");
    });
}

#[test]
fn a_retired_event_does_not_run_after() {
    loom::model(|| {
        let inbox = Shared::default();
        let event = EventNode::new(3);
        let (there, scheduled) = (inbox.clone(), event.clone());
        let sender = thread::spawn(move || {
            there.schedule(&scheduled, ());
            there.schedule(&scheduled, ());
        });
        let mut seen = Vec::new();
        drain(&inbox, &mut seen);
        event.retire();
        let before = seen.len();
        drain(&inbox, &mut seen);
        sender.join().unwrap();
        drain(&inbox, &mut seen);
        assert_eq!(seen.len(), before);
        assert_eq!(Arc::strong_count(&event), 1);
    });
}

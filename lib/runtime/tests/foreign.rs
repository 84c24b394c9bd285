//! Threads that are no workers: they send, schedule, cancel, start and stop loops.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]
#![allow(clippy::disallowed_methods, reason = "foreign threads may do as they like")]

mod common;

use std::{
    sync::{
        Arc, Barrier,
        atomic::{AtomicU64, Ordering},
        mpsc::{Sender, channel},
    },
    thread,
    time::Duration,
};

use common::{eventually, next, runtime};
use dunlin_runtime::{Address, Class, Context, EventHandle, EventId, Loop, Scheduling};

/// Sums what it is sent, and counts runs of its event.
struct Sum {
    sum: Arc<AtomicU64>,
    runs: Arc<AtomicU64>,
    event: EventId,
}

enum Word {
    Add(u64),
    Handle(Sender<EventHandle>),
}

impl Loop for Sum {
    type Message = Word;

    fn start(&mut self, cx: &mut Context<'_>) {
        self.event = cx.event(Class::Routing);
    }

    fn message(&mut self, cx: &mut Context<'_>, word: Word) {
        match word {
            Word::Add(number) => drop(self.sum.fetch_add(number, Ordering::Relaxed)),
            Word::Handle(sender) => sender.send(cx.event_handle(self.event)).unwrap(),
        }
    }

    fn event(&mut self, _: &mut Context<'_>, _: EventId) {
        self.runs.fetch_add(1, Ordering::Relaxed);
    }
}

fn sum(runtime: &dunlin_runtime::Runtime) -> (Address<Word>, Arc<AtomicU64>, Arc<AtomicU64>) {
    let (sum, runs) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let state = Sum { sum: Arc::clone(&sum), runs: Arc::clone(&runs), event: EventId::NONE };
    (runtime.spawn("sum", Class::Control, state), sum, runs)
}

#[test]
fn threads_of_others_send_to_a_loop_whose_worker_sleeps() {
    let runtime = runtime(2);
    let (address, sum, _) = sum(&runtime);
    let threads: Vec<_> = (0..8)
        .map(|thread| {
            let address = address.clone();
            thread::spawn(move || {
                for number in 0..200 {
                    address.send(Class::ALL[thread % 4], Word::Add(number)).unwrap();
                    if number % 20 == 0 {
                        // Long enough for all workers to sleep.
                        thread::sleep(Duration::from_millis(2));
                    }
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    eventually("all has come", || sum.load(Ordering::Relaxed) == 8 * 19_900);
}

#[test]
fn threads_of_others_schedule_events_and_hear_when_the_loop_has_stopped() {
    let runtime = runtime(1);
    let (address, _, runs) = sum(&runtime);
    let (sender, handles) = channel();
    address.send(Class::Control, Word::Handle(sender)).unwrap();
    let handle = next(&handles);
    let (round, stopped) = (Arc::new(Barrier::new(5)), Arc::new(Barrier::new(5)));
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let (handle, address) = (handle.clone(), address.clone());
            let (round, stopped) = (Arc::clone(&round), Arc::clone(&stopped));
            thread::spawn(move || {
                let mut scheduled = 0;
                for _ in 0..1000 {
                    match handle.schedule() {
                        Scheduling::Scheduled => scheduled += 1,
                        Scheduling::AlreadyPending => {}
                        other => unreachable!("{other:?}"),
                    }
                }
                round.wait();
                stopped.wait();
                assert_eq!(handle.schedule(), Scheduling::Stopped);
                assert!(address.send(Class::Control, Word::Add(1)).is_err());
                scheduled
            })
        })
        .collect();
    round.wait();
    address.stop();
    eventually("stopped", || address.is_stopped());
    let runs = runs.load(Ordering::Relaxed);
    stopped.wait();
    let scheduled: u64 = threads.into_iter().map(|thread| thread.join().unwrap()).sum();
    // The last one may have been under way.
    assert!((1..=scheduled).contains(&runs), "{runs} runs of {scheduled} scheduled");
}

#[test]
fn threads_of_others_start_and_stop_loops_while_the_runtime_ends() {
    for _ in 0..20 {
        let runtime = runtime(2);
        let handle = runtime.handle();
        let others: Vec<_> = (0..4)
            .map(|_| {
                let handle = handle.clone();
                thread::spawn(move || {
                    let mut addresses = vec![];
                    for _ in 0..50 {
                        let none = Arc::<AtomicU64>::default();
                        let state =
                            Sum { sum: Arc::clone(&none), runs: none, event: EventId::NONE };
                        let address = handle.spawn("sum", Class::Control, state);
                        let _ = address.send(Class::Control, Word::Add(1));
                        if addresses.len() % 2 == 0 {
                            address.stop();
                        }
                        addresses.push(address);
                    }
                    addresses
                })
            })
            .collect();
        drop(runtime);
        for other in others {
            for address in other.join().unwrap() {
                eventually("stopped", || address.is_stopped());
            }
        }
    }
}

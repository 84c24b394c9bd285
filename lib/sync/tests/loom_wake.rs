//! The wake word, and the whole path from a send to a handler, under the model checker. A lost wake-up
//! is a worker that waits for ever, which the checker reports as a deadlock.
#![cfg(loom)]

use dunlin_sync::prim::{Arc, AtomicU32, Ordering, thread};
use dunlin_sync::{Begin, Class, Classes, Inbox, Item, Placement, StateWord, WakeWord};
use loom::sync::Notify;

/// A worker with an inbox; `poller` stands for its eventfd.
struct Worker<T> {
    inbox: Inbox<T>,
    wake: WakeWord,
    poller: Notify,
    /// System calls made; relaxed, only counted.
    calls: AtomicU32,
}

impl<T> Worker<T> {
    fn new() -> Self {
        let (inbox, wake) = (Inbox::new(), WakeWord::new());
        Self { inbox, wake, poller: Notify::new(), calls: AtomicU32::new(0) }
    }

    fn give(&self, value: T) {
        self.inbox.push(value, ());
        if self.wake.wake() {
            self.calls.fetch_add(1, Ordering::Relaxed);
            self.poller.notify();
        }
    }

    /// Turns until `handle` has said `wanted` times that it did something.
    fn turn_until(&self, wanted: u32, mut handle: impl FnMut(T) -> u32) {
        let mut handled = 0;
        loop {
            self.wake.begin_turn();
            for entry in self.inbox.take_all() {
                if let Item::Message(value) = entry.item {
                    handled += handle(value);
                }
            }
            if handled >= wanted {
                return;
            }
            if self.wake.prepare_sleep() {
                self.poller.wait();
            }
        }
    }
}

#[test]
fn no_wake_up_is_lost() {
    loom::model(|| {
        let worker = Arc::new(Worker::new());
        let senders: Vec<_> = (0..2)
            .map(|_| {
                let worker = worker.clone();
                thread::spawn(move || worker.give(1))
            })
            .collect();
        worker.turn_until(2, |value| value);
        for sender in senders {
            sender.join().unwrap();
        }
        assert!(worker.calls.load(Ordering::Relaxed) <= 2);
    });
}

#[test]
fn one_sender_that_sends_twice() {
    loom::model(|| {
        let worker = Arc::new(Worker::new());
        let other = worker.clone();
        let sender = thread::spawn(move || {
            other.give(1);
            other.give(1);
        });
        worker.turn_until(2, |value| value);
        sender.join().unwrap();
    });
}

#[test]
fn a_worker_that_is_awake_costs_no_system_call() {
    loom::model(|| {
        let worker = Arc::new(Worker::new());
        let other = worker.clone();
        let sender = thread::spawn(move || {
            other.give(1);
            other.give(1);
        });
        sender.join().unwrap();
        worker.turn_until(2, |value| value);
        assert_eq!(worker.calls.load(Ordering::Relaxed), 0);
    });
}

/// The whole path: message, state word, run-queue entry, wake word.
#[test]
fn a_message_wakes_the_loop_and_its_worker() {
    loom::model(|| {
        let worker = Arc::new(Worker::<(Class, Placement)>::new());
        let looped = Arc::new((StateWord::new(0), Inbox::<u32>::new()));
        let (there, sent) = (worker.clone(), looped.clone());
        let sender = thread::spawn(move || {
            for class in [Class::Routing, Class::Control] {
                sent.1.push(1, ());
                if let Some(at) = sent.0.notify(class).placement() {
                    there.give((class, at));
                }
            }
        });
        worker.turn_until(2, |entry| {
            let mut handled = 0;
            let mut next = Some(entry.0);
            while let Some(class) = next.take() {
                if let Begin::Run(_) = looped.0.begin_run(class, entry.1) {
                    handled += looped.1.take_all().count() as u32;
                    next = looped.0.end_run(Classes::NONE);
                }
            }
            handled
        });
        sender.join().unwrap();
    });
}

//! The door under the model checker: what is put down is seen to by exactly one.
#![cfg(loom)]

use dunlin_sync::prim::{Arc, AtomicBool, Ordering, thread};
use dunlin_sync::{Door, Inbox, Item};

/// A worker's inbox, and whether it takes what is in it.
struct Worker {
    inbox: Inbox<u32>,
    door: Door,
    /// The runtime ends; told by whoever closes the door, before.
    stopping: AtomicBool,
}

impl Worker {
    fn new() -> Arc<Self> {
        let (inbox, door) = (Inbox::new(), Door::new());
        Arc::new(Self { inbox, door, stopping: AtomicBool::new(false) })
    }

    fn take(&self) -> u32 {
        let sum = |entry| if let Item::Message(one) = entry { one } else { 0 };
        self.inbox.take_all().map(|entry| sum(entry.item)).sum()
    }

    /// Tells it something; what the caller has to see to itself.
    fn post(&self, command: u32) -> u32 {
        self.inbox.push(command, ());
        if self.door.is_open_after_all() {
            return 0;
        }
        assert!(self.stopping.load(Ordering::Relaxed), "who finds it closed knows why");
        self.take()
    }
}

#[test]
fn what_is_posted_while_a_worker_ends_is_seen_to_once() {
    loom::model(|| {
        let worker = Worker::new();
        let posters = [1, 10].map(|command| {
            let worker = worker.clone();
            thread::spawn(move || worker.post(command))
        });
        worker.stopping.store(true, Ordering::Relaxed);
        worker.door.close();
        let last_look = worker.take();
        let posted: u32 = posters.into_iter().map(|poster| poster.join().unwrap()).sum();
        assert_eq!(last_look + posted, 11);
        assert!(worker.door.is_closed());
    });
}

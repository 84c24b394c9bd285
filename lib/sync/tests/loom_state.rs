//! The state word under the model checker: no notification lost, no class forgotten, no two runs at a
//! time, and exactly one who schedules.
#![cfg(loom)]
#![expect(unsafe_code, reason = "cells show the model checker what is published")]

use dunlin_sync::prim::{Arc, AtomicU32, Ordering, UnsafeCell, thread};
use dunlin_sync::{Begin, Class, Classes, Inbox, Placement, StateWord};

type Entry = (Class, Placement);

/// A loop that counts its messages, and the one run queue of its worker.
struct Looped {
    state: StateWord,
    inbox: Inbox<Class>,
    /// The loop's own: two runs at a time, or a run that does not see the last, are found out.
    handled: UnsafeCell<u32>,
    entries: Inbox<Entry>,
}

impl Looped {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            state: StateWord::new(0),
            inbox: Inbox::new(),
            handled: UnsafeCell::new(0),
            entries: Inbox::new(),
        })
    }

    fn send(&self, class: Class) {
        self.inbox.push(class, ());
        if let Some(placement) = self.state.notify(class).placement() {
            self.entries.push((class, placement), ());
        }
    }

    /// What a worker does with one entry.
    fn serve(&self, entry: Entry) {
        let begin = self.state.begin_run(entry.0, entry.1);
        if let Begin::Run(pending) = begin {
            assert!(!pending.is_empty());
            self.run();
        }
    }

    fn run(&self) {
        let here = self.state.placement();
        let count = self.inbox.take_all().count() as u32;
        // SAFETY: only the one run at a time touches it, which is what is checked.
        self.handled.with_mut(|handled| unsafe { *handled += count });
        if let Some(class) = self.state.end_run(Classes::NONE) {
            self.entries.push((class, here), ());
        }
    }

    fn serve_all(&self) {
        loop {
            let mut batch = self.entries.take_all().peekable();
            if batch.peek().is_none() {
                return;
            }
            batch.for_each(|entry| match entry.item {
                dunlin_sync::Item::Message(entry) => self.serve(entry),
                dunlin_sync::Item::Event(_) => unreachable!(),
            });
        }
    }

    fn handled(&self) -> u32 {
        // SAFETY: every thread that runs the loop has been joined.
        self.handled.with(|handled| unsafe { *handled })
    }
}

#[test]
fn every_message_is_handled_whoever_schedules() {
    loom::model(|| {
        let looped = Looped::new();
        let senders: Vec<_> = [Class::Routing, Class::Control]
            .into_iter()
            .map(|class| {
                let looped = looped.clone();
                thread::spawn(move || looped.send(class))
            })
            .collect();
        looped.serve_all();
        for sender in senders {
            sender.join().unwrap();
        }
        looped.serve_all();
        assert_eq!(looped.handled(), 2);
        assert!(looped.state.pending().is_empty());
    });
}

/// The sender writes only after the first run may have begun.
#[test]
fn a_message_sent_while_the_loop_runs_is_handled() {
    loom::model(|| {
        let looped = Looped::new();
        looped.send(Class::Routing);
        let other = looped.clone();
        let sender = thread::spawn(move || {
            other.send(Class::Routing);
            other.send(Class::Routing);
        });
        looped.serve_all();
        sender.join().unwrap();
        looped.serve_all();
        assert_eq!(looped.handled(), 3);
    });
}

#[test]
fn a_higher_class_gets_its_own_entry() {
    loom::model(|| {
        let looped = Looped::new();
        let other = looped.clone();
        let sender = thread::spawn(move || other.send(Class::Liveness));
        looped.send(Class::Bulk);
        sender.join().unwrap();
        // Nothing has run, so whoever came second found the other's entry, or none.
        let entries = looped.entries.take_all().map(|entry| match entry.item {
            dunlin_sync::Item::Message((class, _)) => class,
            dunlin_sync::Item::Event(_) => unreachable!(),
        });
        assert!(entries.collect::<Vec<_>>().contains(&Class::Liveness));
    });
}

/// As a thread group's pick-up list would: two workers have entries of one loop, while a third thread
/// sends.
#[test]
fn two_workers_never_run_a_loop_at_a_time() {
    loom::model(|| {
        let looped = Looped::new();
        let at = looped.state.placement();
        for class in [Class::Bulk, Class::Liveness] {
            looped.inbox.push(class, ());
            assert_eq!(looped.state.notify(class).placement(), Some(at));
        }
        let (other, sender) = (looped.clone(), looped.clone());
        let worker = thread::spawn(move || other.serve((Class::Bulk, at)));
        let sender = thread::spawn(move || sender.send(Class::Liveness));
        looped.serve((Class::Liveness, at));
        worker.join().unwrap();
        sender.join().unwrap();
        looped.serve_all();
        assert_eq!(looped.handled(), 3);
    });
}

/// Worker 0 gives the loop to worker 1 while a sender sends. Entries for worker 0 are never looked at
/// again (it may have gone), so all depends on what `finish_move` says.
#[test]
fn a_move_takes_what_is_pending_along() {
    loom::model(|| {
        let looped = Looped::new();
        let arrived = Arc::new(Inbox::<Entry>::new());
        let (other, entries) = (looped.clone(), arrived.clone());
        let sender = thread::spawn(move || {
            for class in [Class::Routing, Class::Control] {
                other.inbox.push(class, ());
                match other.state.notify(class).placement() {
                    Some(placement) if placement.worker == 1 => {
                        entries.push((class, placement), ());
                    }
                    _ => {}
                }
            }
        });
        assert!(looped.state.begin_move());
        let moved = looped.state.finish_move(1);
        if let Some(class) = moved.requeue {
            arrived.push((class, moved.placement), ());
        }
        sender.join().unwrap();
        let pending = looped.state.pending();
        assert_eq!(pending, Classes::of(Class::Routing).with(Class::Control));
        let classes = arrived.take_all().map(|entry| match entry.item {
            dunlin_sync::Item::Message((class, at)) => (class, at),
            dunlin_sync::Item::Event(_) => unreachable!(),
        });
        let entries: Vec<_> = classes.collect();
        assert!(entries.contains(&(Class::Control, moved.placement)), "{entries:?}");
    });
}

/// The old worker serves its entries while the new one already runs the loop.
#[test]
fn entries_from_before_a_move_do_nothing() {
    loom::model(|| {
        let looped = Looped::new();
        let before = looped.state.placement();
        looped.inbox.push(Class::Routing, ());
        assert_eq!(looped.state.notify(Class::Routing).placement(), Some(before));
        assert!(looped.state.begin_move());
        let (other, ran) = (looped.clone(), Arc::new(AtomicU32::new(0)));
        let count = ran.clone();
        let receiver = thread::spawn(move || {
            let moved = other.state.finish_move(1);
            let class = moved.requeue.unwrap();
            if let Begin::Run(_) = other.state.begin_run(class, moved.placement) {
                count.fetch_add(1, Ordering::Relaxed);
                other.run();
            }
        });
        // An entry that comes too early only finds the loop moving, a late one is stale.
        let begin = looped.state.begin_run(Class::Routing, before);
        assert!(matches!(begin, Begin::Nothing | Begin::Stale), "{begin:?}");
        receiver.join().unwrap();
        assert_eq!((looped.handled(), ran.load(Ordering::Relaxed)), (1, 1));
    });
}

#[test]
fn nothing_runs_a_closed_loop() {
    loom::model(|| {
        let looped = Looped::new();
        let other = looped.clone();
        let sender = thread::spawn(move || other.send(Class::Control));
        let at = looped.state.placement();
        if let Begin::Run(_) = looped.state.enter(at) {
            assert!(looped.state.close());
            assert_eq!(looped.state.end_run(Classes::ALL), None);
        }
        sender.join().unwrap();
        looped.serve_all();
        assert!(looped.state.is_closed());
        assert_eq!(looped.handled(), 0);
    });
}

//! The pair under the model checker: wishes that meet, and the loop that looks at them.
#![cfg(loom)]

use dunlin_sync::prim::{Arc, AtomicU32, Ordering, thread};
use dunlin_sync::{Begin, Class, Classes, PairWord, Placement, StateWord};

#[test]
fn a_group_and_a_pin_wished_at_once_are_both_there() {
    loom::model(|| {
        let wish = Arc::new(PairWord::new(0, 0));
        let other = wish.clone();
        let pins = thread::spawn(move || assert!(other.set_second(7)));
        assert!(wish.set_first(3));
        pins.join().unwrap();
        assert_eq!(wish.get(), (3, 7));
    });
}

/// A loop, and the group that its worker found in its last turn.
struct Looped {
    wish: PairWord,
    state: StateWord,
    seen: AtomicU32,
}

impl Looped {
    fn new(group: u16) -> Arc<Self> {
        let (wish, state) = (PairWord::new(group, 0), StateWord::new(0));
        Arc::new(Self { wish, state, seen: AtomicU32::new(group.into()) })
    }

    /// Wishes; who changes nothing tells nobody. What it asks for runs here and now.
    fn wish(&self, group: u16) {
        if self.wish.set_first(group) {
            self.ask();
        }
    }

    fn ask(&self) {
        if let Some(at) = self.state.notify(Class::Control).placement() {
            self.turn(at);
        }
    }

    fn turn(&self, at: Placement) {
        let mut next = Some(Class::Control);
        while let Some(class) = next.take() {
            if let Begin::Run(_) = self.state.begin_run(class, at) {
                self.seen.store(self.wish.get().0.into(), Ordering::Relaxed);
                next = self.state.end_run(Classes::NONE);
            }
        }
    }
}

#[test]
fn whoever_changes_it_last_says_so() {
    loom::model(|| {
        let looped = Looped::new(1);
        let other = looped.clone();
        let thread = thread::spawn(move || other.wish(2));
        looped.wish(1);
        thread.join().unwrap();
        assert_eq!(looped.seen.load(Ordering::Relaxed), looped.wish.get().0.into());
    });
}

#[test]
fn a_wish_that_overwrites_another_is_seen_by_the_turn_it_asks_for() {
    loom::model(|| {
        let looped = Looped::new(0);
        let other = looped.clone();
        let wisher = thread::spawn(move || {
            other.wish(1);
            other.wish(2);
        });
        // A turn for something else, which may be the one.
        looped.ask();
        wisher.join().unwrap();
        assert_eq!(looped.seen.load(Ordering::Relaxed), 2);
    });
}

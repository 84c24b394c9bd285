//! The word of credit under the model checker. A lost wake-up is a sender that waits for ever, which
//! the checker reports as a deadlock.
#![cfg(loom)]

use dunlin_sync::CreditWord;
use dunlin_sync::prim::{Arc, AtomicU32, Ordering, thread};
use loom::sync::Notify;

struct Gate {
    credit: CreditWord,
    wake: Notify,
    /// Wake-ups; relaxed, only counted.
    wakes: AtomicU32,
    /// Wake-ups not yet slept through.
    pending: AtomicU32,
}

impl Gate {
    fn new(limit: u64, low: u64) -> Arc<Self> {
        let credit = CreditWord::new(limit, low);
        let (wakes, pending) = (AtomicU32::new(0), AtomicU32::new(0));
        Arc::new(Self { credit, wake: Notify::new(), wakes, pending })
    }

    fn wake_if(&self, wanted: bool) {
        if wanted {
            self.wakes.fetch_add(1, Ordering::Relaxed);
            self.pending.fetch_add(1, Ordering::AcqRel);
            self.wake.notify();
        }
    }

    /// Until woken; the checker's waits end for nothing, too, which events do not.
    fn sleep(&self) {
        while self.pending.swap(0, Ordering::AcqRel) == 0 {
            self.wake.wait();
        }
    }
}

/// A sender that waits is woken, once for each time it waits, and never when it does not.
fn sends_while_others_give_back(limit: u64, low: u64, parts: [u64; 2]) {
    loom::model(move || {
        let gate = Gate::new(limit, low);
        gate.credit.take(parts.iter().sum());
        let givers = parts.map(|part| {
            let gate = gate.clone();
            thread::spawn(move || gate.wake_if(gate.credit.give_back(part)))
        });
        let mut waits = 0;
        while gate.credit.wait_if_full() {
            waits += 1;
            gate.sleep();
        }
        for giver in givers {
            giver.join().unwrap();
        }
        assert_eq!(gate.wakes.load(Ordering::Relaxed), waits);
        assert!(!gate.credit.is_waiting());
        assert_eq!(gate.credit.used(), 0);
    });
}

#[test]
fn the_last_to_give_back_wakes() {
    sends_while_others_give_back(2, 0, [1, 1]);
}

#[test]
fn whoever_gets_to_low_water_wakes() {
    sends_while_others_give_back(3, 1, [2, 1]);
}

#[test]
fn a_sender_that_goes_on_waits_again_without_loss() {
    loom::model(|| {
        let gate = Gate::new(1, 0);
        gate.credit.take(1);
        let other = gate.clone();
        let giver = thread::spawn(move || {
            other.wake_if(other.credit.give_back(1));
            // The second part is there once it was sent; until then there is nothing to give.
            if other.credit.used() > 0 {
                other.wake_if(other.credit.give_back(1));
            }
        });
        let mut waits = 0;
        while gate.credit.wait_if_full() {
            waits += 1;
            gate.sleep();
        }
        gate.credit.take(1);
        giver.join().unwrap();
        if gate.credit.used() > 0 {
            gate.credit.give_back(1);
        }
        assert_eq!(gate.wakes.load(Ordering::Relaxed), waits);
    });
}

#[test]
fn a_larger_limit_reaches_a_sender_that_begins_to_wait() {
    loom::model(|| {
        let gate = Gate::new(1, 0);
        gate.credit.take(1);
        let other = gate.clone();
        let owner = thread::spawn(move || other.wake_if(other.credit.set_limit(4, 2)));
        let mut waits = 0;
        while gate.credit.wait_if_full() {
            waits += 1;
            gate.sleep();
        }
        owner.join().unwrap();
        assert_eq!(gate.wakes.load(Ordering::Relaxed), waits);
    });
}

#[test]
fn a_larger_limit_and_a_gift_at_once() {
    loom::model(|| {
        let gate = Gate::new(2, 0);
        gate.credit.take(3);
        assert!(gate.credit.wait_if_full());
        let (one, two) = (gate.clone(), gate.clone());
        let owner = thread::spawn(move || one.wake_if(one.credit.set_limit(4, 2)));
        let giver = thread::spawn(move || two.wake_if(two.credit.give_back(1)));
        gate.sleep();
        owner.join().unwrap();
        giver.join().unwrap();
        assert_eq!(gate.wakes.load(Ordering::Relaxed), 1);
        assert!(!gate.credit.is_waiting());
    });
}

#[test]
fn strict_takers_never_exceed_the_limit() {
    loom::model(|| {
        let gate = Gate::new(3, 1);
        let takers = [2, 2].map(|amount| {
            let gate = gate.clone();
            thread::spawn(move || {
                let taken = gate.credit.try_take(amount);
                assert!(gate.credit.used() <= 3);
                if taken {
                    gate.credit.give_back(amount);
                }
                taken
            })
        });
        let taken = takers.map(|taker| taker.join().unwrap());
        assert!(taken[0] || taken[1]);
        assert_eq!(gate.credit.used(), 0);
    });
}

//! The countdown under the model checker: one is the last, and it sees what all did.
#![cfg(loom)]
#![expect(unsafe_code, reason = "cells show the model checker what is published")]

use dunlin_sync::Countdown;
use dunlin_sync::prim::{Arc, UnsafeCell, thread};

const PARTIES: usize = 3;

#[test]
fn the_last_of_several_slices_sees_what_the_others_did() {
    loom::model(|| {
        let countdown = Arc::new(Countdown::new(PARTIES));
        let cells: Arc<Vec<_>> = Arc::new((0..PARTIES).map(|_| UnsafeCell::new(0)).collect());
        let over = countdown.clone();
        let arrive = move |party: usize| {
            // SAFETY: each party writes its own cell, before it arrives.
            cells[party].with_mut(|cell| unsafe { *cell = 1 });
            let last = countdown.arrive();
            if last {
                // SAFETY: all have arrived; the checker verifies that their writes are seen.
                let sum: u32 = cells.iter().map(|cell| cell.with(|cell| unsafe { *cell })).sum();
                assert_eq!(sum, PARTIES as u32);
            }
            u32::from(last)
        };
        let others = [1, 2].map(|party| {
            let arrive = arrive.clone();
            thread::spawn(move || arrive(party))
        });
        let here = arrive(0);
        let there: u32 = others.into_iter().map(|other| other.join().unwrap()).sum();
        assert_eq!(here + there, 1, "one is the last");
        assert!(over.is_over());
    });
}

//! The owned cell under the model checker: one owner at a time, and each sees what the last one did.
#![cfg(loom)]
#![expect(unsafe_code, reason = "cells show the model checker what is published")]

use dunlin_sync::OwnedCell;
use dunlin_sync::prim::{Arc, UnsafeCell, thread};

type Shared = Arc<OwnedCell<UnsafeCell<u32>>>;

/// Adds one if it gets in; whether it did.
fn add(cell: &Shared) -> bool {
    let inside = cell.enter();
    // SAFETY: whoever is inside is alone; the checker verifies that this is so.
    inside.map(|count| count.with_mut(|count| unsafe { *count += 1 })).is_some()
}

/// Adds one if the cell can be had, and gives it up again; whether it did.
fn borrow(cell: &Shared) -> bool {
    let mine = cell.claim();
    if mine {
        assert!(add(cell), "nobody else is in what is mine");
        assert!(cell.release());
    }
    mine
}

#[test]
fn one_owner_at_a_time_and_none_waits() {
    loom::model(|| {
        let cell = Shared::new(OwnedCell::new(UnsafeCell::new(0)));
        let others: Vec<_> = (0..2)
            .map(|_| {
                let cell = cell.clone();
                thread::spawn(move || u32::from(borrow(&cell)))
            })
            .collect();
        let here = u32::from(borrow(&cell));
        let there: u32 = others.into_iter().map(|other| other.join().unwrap()).sum();
        assert!(cell.claim());
        let inside = cell.enter().unwrap();
        // SAFETY: as above.
        assert_eq!(inside.with(|count| unsafe { *count }), here + there);
        assert!(here + there >= 1);
    });
}

#[test]
fn who_has_not_claimed_it_stays_outside() {
    loom::model(|| {
        let cell = Shared::new(OwnedCell::new(UnsafeCell::new(0)));
        assert!(cell.claim());
        let other = {
            let cell = cell.clone();
            thread::spawn(move || add(&cell) || cell.release())
        };
        assert!(add(&cell));
        assert!(!other.join().unwrap());
    });
}

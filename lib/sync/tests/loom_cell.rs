//! The exclusive cell under the model checker: one at a time, and each sees what the last one did.
#![cfg(loom)]
#![expect(unsafe_code, reason = "cells show the model checker what is published")]

use dunlin_sync::ExclusiveCell;
use dunlin_sync::prim::{Arc, UnsafeCell, thread};

type Shared = Arc<ExclusiveCell<UnsafeCell<u32>>>;

/// Adds one if it gets in; whether it did.
fn add(cell: &Shared) -> bool {
    let inside = cell.enter();
    // SAFETY: whoever is inside is alone; the checker verifies that this is so.
    inside.map(|count| count.with_mut(|count| unsafe { *count += 1 })).is_some()
}

#[test]
fn one_at_a_time_and_none_waits() {
    loom::model(|| {
        let cell = Shared::new(ExclusiveCell::new(UnsafeCell::new(0)));
        let others: Vec<_> = (0..2)
            .map(|_| {
                let cell = cell.clone();
                thread::spawn(move || u32::from(add(&cell)))
            })
            .collect();
        let here = u32::from(add(&cell));
        let there: u32 = others.into_iter().map(|other| other.join().unwrap()).sum();
        let inside = cell.enter().unwrap();
        // SAFETY: as above.
        assert_eq!(inside.with(|count| unsafe { *count }), here + there);
        assert!(here + there >= 1);
    });
}

//! Faults that the sanitizers must find, or they have found nothing in the tests: `planted race`, `planted freed`.
#![expect(unsafe_code, reason = "a fault of the kind that safe code cannot have")]

use std::cell::UnsafeCell;
use std::sync::Arc;
use std::thread;

struct Unguarded(UnsafeCell<u64>);

// SAFETY: there is none; that is the fault.
unsafe impl Sync for Unguarded {}

impl Unguarded {
    fn add(&self) {
        // SAFETY: none, as two threads are here at a time.
        unsafe { *self.0.get() += 1 };
    }
}

fn race() {
    let shared = Arc::new(Unguarded(UnsafeCell::new(0)));
    let other = Arc::clone(&shared);
    let thread = thread::spawn(move || (0..10_000).for_each(|_| other.add()));
    (0..10_000).for_each(|_| shared.add());
    let _ = thread.join();
}

fn freed() -> u8 {
    let kept = Box::into_raw(Box::new([7_u8; 64]));
    // SAFETY: made by `into_raw` just before.
    drop(unsafe { Box::from_raw(kept) });
    // SAFETY: none, as it has been freed; volatile, so that it is read all the same.
    unsafe { kept.cast::<u8>().read_volatile() }
}

fn main() {
    match std::env::args().nth(1).as_deref() {
        Some("race") => race(),
        Some("freed") => drop(freed()),
        _ => eprintln!("usage: planted race|freed"),
    }
}

//! A cell that one user at a time may enter, and that says so when asked by a second.
#![expect(unsafe_code, reason = "hands out a reference that an atomic flag makes exclusive")]

use core::fmt;
use core::marker::PhantomData;
use core::ops::{Deref, DerefMut};

use crate::mutant;
use crate::prim::{AtomicBool, Ordering, UnsafeCell};

/// Holds a `T` for whoever enters first; others are refused, never made to wait. It is not a lock:
/// it checks an exclusion that something else (a [`StateWord`](crate::StateWord)) brings about, and
/// turns a mistake there into a refusal instead of a data race.
pub struct ExclusiveCell<T> {
    /// Somebody is inside. Written by whoever enters (compare-and-swap from false, Acquire: receives
    /// all the one before did to the value) and leaves (store, Release: publishes it). Who is refused
    /// writes nothing, so the one inside is the only writer and may leave by a plain store.
    entered: AtomicBool,
    value: UnsafeCell<T>,
}

impl<T> ExclusiveCell<T> {
    /// A cell nobody is in.
    pub fn new(value: T) -> Self {
        Self { entered: AtomicBool::new(false), value: UnsafeCell::new(value) }
    }

    /// Enters; none if somebody is inside.
    #[inline]
    pub fn enter(&self) -> Option<Entered<'_, T>> {
        let free = if mutant!("mutant-enter-check") {
            let free = !self.entered.load(Ordering::Acquire);
            self.entered.store(true, Ordering::Relaxed);
            free
        } else {
            let (success, failure) = (Ordering::Acquire, Ordering::Relaxed);
            self.entered.compare_exchange(false, true, success, failure).is_ok()
        };
        free.then(|| Entered { cell: self, here: PhantomData })
    }
}

// SAFETY: a shared cell gives access to the value to one thread at a time, which may take it out:
// that is sending it.
unsafe impl<T: Send> Sync for ExclusiveCell<T> {}
// SAFETY: it owns the value.
unsafe impl<T: Send> Send for ExclusiveCell<T> {}

impl<T> fmt::Debug for ExclusiveCell<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExclusiveCell").finish_non_exhaustive()
    }
}

/// Being inside an [`ExclusiveCell`]; leaves when dropped, also on unwinding.
#[derive(Debug)]
pub struct Entered<'a, T> {
    cell: &'a ExclusiveCell<T>,
    /// Stays on its thread: sharing the guard would share the value.
    here: PhantomData<*mut T>,
}

impl<T> Deref for Entered<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: `entered` was clear and is set by this guard, so nobody else has a reference.
        self.cell.value.with(|value| unsafe { &*value })
    }
}

impl<T> DerefMut for Entered<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as above, and this guard is borrowed exclusively.
        self.cell.value.with_mut(|value| unsafe { &mut *value })
    }
}

impl<T> Drop for Entered<'_, T> {
    #[inline]
    fn drop(&mut self) {
        let publish =
            if mutant!("mutant-relaxed-leave") { Ordering::Relaxed } else { Ordering::Release };
        self.cell.entered.store(false, publish);
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn one_at_a_time() {
        let cell = ExclusiveCell::new(1);
        let mut inside = cell.enter().unwrap();
        assert!(cell.enter().is_none());
        *inside += 1;
        drop(inside);
        assert_eq!(*cell.enter().unwrap(), 2);
    }

    #[test]
    fn threads_that_get_in_see_what_was_done() {
        let cell = ExclusiveCell::new((0u64, 0u64));
        let entries = crate::prim::AtomicU64::new(0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..10_000 {
                        if let Some(mut inside) = cell.enter() {
                            inside.0 += 1;
                            inside.1 += 1;
                            entries.fetch_add(1, Ordering::Relaxed);
                        }
                    }
                });
            }
        });
        let inside = cell.enter().unwrap();
        assert_eq!(inside.0, inside.1);
        assert_eq!(inside.0, entries.load(Ordering::Relaxed));
    }
}

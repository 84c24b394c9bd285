//! A cell that belongs to one thread at a time, which enters it without a locked instruction.
#![expect(unsafe_code, reason = "hands out a reference that belonging to a thread makes exclusive")]

use core::fmt;
use core::marker::PhantomData;
use core::ops::{Deref, DerefMut};

use crate::mutant;
use crate::prim::{AtomicU64, Ordering, UnsafeCell, thread_number};

/// Holds a `T` for the thread that has claimed it, until that gives it up. Others are refused, never made
/// to wait. It is not a lock: it checks an exclusion that something else (a
/// [`StateWord`](crate::StateWord)) brings about, and turns a mistake there into a refusal instead of a
/// data race.
///
/// As an [`ExclusiveCell`](crate::ExclusiveCell), but for what one thread enters often and changes hands
/// seldom: to enter costs two loads and a store.
pub struct OwnedCell<T> {
    /// The number of the thread it belongs to; zero if to none. Written by whoever claims it
    /// (compare-and-swap from zero, Acquire: receives all the one before did to the value) and by the owner
    /// that gives it up (store, Release: publishes that). Only a thread itself writes its number, so who
    /// reads its own has claimed the cell and not given it up, and needs no ordering.
    owner: AtomicU64,
    /// Somebody is inside. Only the owner touches it.
    entered: UnsafeCell<bool>,
    value: UnsafeCell<T>,
}

impl<T> OwnedCell<T> {
    /// A cell that belongs to nobody.
    pub fn new(value: T) -> Self {
        Self {
            owner: AtomicU64::new(NOBODY),
            entered: UnsafeCell::new(false),
            value: UnsafeCell::new(value),
        }
    }

    /// Makes it the calling thread's own; false if it belongs to another.
    pub fn claim(&self) -> bool {
        let me = thread_number();
        let receive =
            if mutant!("mutant-relaxed-claim") { Ordering::Relaxed } else { Ordering::Acquire };
        if mutant!("mutant-split-claim") {
            let free = self.owner.load(Ordering::Acquire) == NOBODY;
            self.owner.store(me, Ordering::Relaxed);
            return free;
        }
        match self.owner.compare_exchange(NOBODY, me, receive, Ordering::Relaxed) {
            Ok(_) => true,
            Err(owner) => owner == me,
        }
    }

    /// Gives it up, for another thread to claim; false if it is not the calling thread's, or that is
    /// inside.
    pub fn release(&self) -> bool {
        let may = self.is_mine() && !self.is_entered();
        if may {
            let publish = if mutant!("mutant-relaxed-release") {
                Ordering::Relaxed
            } else {
                Ordering::Release
            };
            self.owner.store(NOBODY, publish);
        }
        may
    }

    /// Enters; none if it is not the calling thread's, or that is inside already.
    #[inline]
    pub fn enter(&self) -> Option<Inside<'_, T>> {
        let may = self.is_mine() && !self.is_entered();
        may.then(|| {
            self.set_entered(true);
            Inside { cell: self, here: PhantomData }
        })
    }

    /// The value, for who has the cell to itself.
    pub fn get_mut(&mut self) -> &mut T {
        // SAFETY: `&mut self` is the only way to the value while this lives.
        self.value.with_mut(|value| unsafe { &mut *value })
    }

    #[inline]
    fn is_mine(&self) -> bool {
        mutant!("mutant-anyone-enters") || self.owner.load(Ordering::Relaxed) == thread_number()
    }

    /// Only for the owner.
    #[inline]
    fn is_entered(&self) -> bool {
        // SAFETY: the caller owns the cell, so no other thread touches this; and no reference is kept.
        self.entered.with(|entered| unsafe { *entered })
    }

    /// Only for the owner.
    #[inline]
    fn set_entered(&self, inside: bool) {
        // SAFETY: as above.
        self.entered.with_mut(|entered| unsafe { *entered = inside });
    }
}

// SAFETY: a shared cell gives access to the value to one thread at a time, which may take it out:
// that is sending it.
unsafe impl<T: Send> Sync for OwnedCell<T> {}
// SAFETY: it owns the value.
unsafe impl<T: Send> Send for OwnedCell<T> {}

impl<T> fmt::Debug for OwnedCell<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OwnedCell").finish_non_exhaustive()
    }
}

/// Being inside an [`OwnedCell`]; leaves when dropped, also on unwinding.
#[derive(Debug)]
pub struct Inside<'a, T> {
    cell: &'a OwnedCell<T>,
    /// Stays on its thread: sharing the guard would share the value.
    here: PhantomData<*mut T>,
}

impl<T> Deref for Inside<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: the cell is this thread's, which gives it up only once this guard is gone, and lets
        // nobody else in meanwhile.
        self.cell.value.with(|value| unsafe { &*value })
    }
}

impl<T> DerefMut for Inside<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as above, and this guard is borrowed exclusively.
        self.cell.value.with_mut(|value| unsafe { &mut *value })
    }
}

impl<T> Drop for Inside<'_, T> {
    #[inline]
    fn drop(&mut self) {
        self.cell.set_entered(false);
    }
}

/// No thread has this number.
const NOBODY: u64 = 0;

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn one_thread_once_at_a_time() {
        let cell = OwnedCell::new(1);
        assert!(cell.enter().is_none() && !cell.release(), "it is nobody's");
        assert!(cell.claim() && cell.claim());
        let mut inside = cell.enter().unwrap();
        assert!(cell.enter().is_none() && !cell.release(), "inside");
        *inside += 1;
        drop(inside);
        std::thread::scope(|scope| {
            scope.spawn(|| assert!(!cell.claim() && cell.enter().is_none() && !cell.release()));
        });
        assert_eq!(*cell.enter().unwrap(), 2);
        assert!(cell.release());
        std::thread::scope(|scope| {
            scope.spawn(|| assert!(cell.claim() && cell.enter().is_some_and(|value| *value == 2)));
        });
        assert!(!cell.claim(), "whoever ends with it keeps it");
    }

    #[test]
    fn threads_that_get_it_see_what_was_done() {
        let cell = OwnedCell::new((0u64, 0u64));
        let entries = AtomicU64::new(0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..10_000 {
                        if cell.claim() {
                            let mut inside = cell.enter().unwrap();
                            inside.0 += 1;
                            inside.1 += 1;
                            drop(inside);
                            entries.fetch_add(1, Ordering::Relaxed);
                            assert!(cell.release());
                        }
                    }
                });
            }
        });
        assert!(cell.claim());
        let inside = cell.enter().unwrap();
        assert_eq!(inside.0, inside.1);
        assert_eq!(inside.0, entries.load(Ordering::Relaxed));
    }
}

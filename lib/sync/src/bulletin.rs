//! A few words that one thread writes and others read whole or not at all.
//!
//! For what a worker says of itself to those who only watch: the handler that runs, the worst that it
//! has seen. Writing is a few plain stores and waits for nobody; a reader who meets a change under way
//! gets nothing, and looks again when it likes.
//!
//! The version is odd while the words are shown. A writer takes them down (the version becomes even),
//! stores each word with release, and shows them with the next odd version. A reader who sees a word of
//! a later showing has therefore seen that the earlier one was taken down.

use core::fmt;

use crate::mutant;
use crate::prim::{AtomicU64, Ordering};

/// `N` words, written by one thread at a time. (Two writers would make the words worthless, not
/// unsound.)
pub struct Bulletin<const N: usize> {
    /// How often the words were shown and taken down. Written by the writer: even before the words
    /// (relaxed: their release keeps the order), odd after them (Release: publishes them). Read first
    /// (Acquire: receives the words) and last (relaxed: the words' acquire keeps the order).
    version: AtomicU64,
    /// Written by the writer (Release: publishes that the showing before was taken down), read by anyone
    /// (Acquire).
    words: [AtomicU64; N],
}

/// Words as they were shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shown<const N: usize> {
    /// Tells this showing from all others of the same bulletin.
    pub version: u64,
    /// The words.
    pub words: [u64; N],
}

impl<const N: usize> Bulletin<N> {
    /// One that shows nothing.
    pub fn new() -> Self {
        Self { version: AtomicU64::new(0), words: core::array::from_fn(|_| AtomicU64::new(0)) }
    }

    /// The writer shows these words instead of any before.
    #[inline]
    pub fn show(&self, words: [u64; N]) {
        let mut version = self.version.load(Ordering::Relaxed);
        if version & 1 == 1 {
            version += 1;
            if !mutant!("mutant-bulletin-stays") {
                self.version.store(version, Ordering::Relaxed);
            }
        }
        let publish =
            if mutant!("mutant-relaxed-bulletin") { Ordering::Relaxed } else { Ordering::Release };
        if mutant!("mutant-early-bulletin") {
            self.version.store(version + 1, Ordering::Release);
        }
        for (place, word) in self.words.iter().zip(words) {
            place.store(word, publish);
        }
        self.version.store(version + 1, Ordering::Release);
    }

    /// The writer takes the words down, if any are shown.
    #[inline]
    pub fn take_down(&self) {
        let version = self.version.load(Ordering::Relaxed);
        if version & 1 == 1 {
            self.version.store(version + 1, Ordering::Relaxed);
        }
    }

    /// What is shown; nothing if there is none, or if that changes just now.
    pub fn read(&self) -> Option<Shown<N>> {
        let version = self.version.load(Ordering::Acquire);
        if version & 1 == 0 {
            return None;
        }
        let words = core::array::from_fn(|at| self.words[at].load(Ordering::Acquire));
        let same = self.version.load(Ordering::Relaxed) == version;
        (same || mutant!("mutant-bulletin-unchecked")).then_some(Shown { version, words })
    }

    /// The version: unchanged between two readings if nothing was shown or taken down. Odd while
    /// something is shown.
    #[inline]
    pub fn version(&self) -> u64 {
        self.version.load(Ordering::Relaxed)
    }
}

impl<const N: usize> Default for Bulletin<N> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const N: usize> fmt::Debug for Bulletin<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Bulletin").field(&self.read()).finish()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_is_read_until_it_is_taken_down() {
        let bulletin = Bulletin::new();
        assert_eq!(bulletin.read(), None);
        bulletin.show([1, 2]);
        let first = bulletin.read().unwrap();
        assert_eq!(first.words, [1, 2]);
        bulletin.show([1, 2]);
        let second = bulletin.read().unwrap();
        assert_ne!(first.version, second.version, "the same words, shown again");
        bulletin.take_down();
        assert_eq!(bulletin.read(), None);
        bulletin.take_down();
        bulletin.show([3, 4]);
        assert_eq!(bulletin.read().map(|shown| shown.words), Some([3, 4]));
    }
}

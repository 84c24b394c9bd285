//! Two halves of a word, each changed without disturbing the other.

use core::fmt;

use crate::mutant;
use crate::prim::{AtomicU32, Ordering};

/// Two small numbers that many may change, each by itself, and that are read together.
///
/// Nothing is published by it: whoever changes it and wants that to be noticed says so to whoever reads it, which
/// publishes the change.
pub struct PairWord {
    /// The first in the low half, the second in the high one. Relaxed.
    word: AtomicU32,
}

impl PairWord {
    /// A pair of these.
    pub fn new(first: u16, second: u16) -> Self {
        Self { word: AtomicU32::new(pack((first, second))) }
    }

    /// Both, as they were at one moment.
    #[inline]
    pub fn get(&self) -> (u16, u16) {
        unpack(self.word.load(Ordering::Relaxed))
    }

    /// True if that is something else than before.
    pub fn set_first(&self, first: u16) -> bool {
        self.change(|(_, second)| (first, second))
    }

    /// True if that is something else than before.
    pub fn set_second(&self, second: u16) -> bool {
        self.change(|(first, _)| (first, second))
    }

    fn change(&self, next: impl Fn((u16, u16)) -> (u16, u16)) -> bool {
        let mut old = self.word.load(Ordering::Relaxed);
        let first = old;
        loop {
            let new = pack(next(unpack(old)));
            if mutant!("mutant-pair-overwrites") {
                self.word.store(new, Ordering::Relaxed);
                return old != new;
            }
            let order = Ordering::Relaxed;
            match self.word.compare_exchange_weak(old, new, order, order) {
                Ok(_) if mutant!("mutant-pair-silent") => return first != new,
                Ok(_) => return old != new,
                Err(newer) => old = newer,
            }
        }
    }
}

impl fmt::Debug for PairWord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PairWord").field(&self.get()).finish()
    }
}

const fn pack((first, second): (u16, u16)) -> u32 {
    (second as u32) << 16 | first as u32
}

const fn unpack(word: u32) -> (u16, u16) {
    (word as u16, (word >> 16) as u16)
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_half_is_changed_and_the_other_is_not() {
        let pair = PairWord::new(1, u16::MAX);
        assert!(pair.set_second(7) && !pair.set_second(7));
        assert!(pair.set_first(u16::MAX) && !pair.set_first(u16::MAX));
        assert_eq!(pair.get(), (u16::MAX, 7));
    }
}

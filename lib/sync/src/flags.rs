//! Flags of something that moves about, for those that it is with.

use core::fmt;

use crate::mutant;
use crate::prim::{AtomicU32, Ordering};

/// Flags that their owner sets for whoever has the thing, which changes hands meanwhile. Who sets them looks
/// afterwards who has it, and tells them; who takes it says so first, and looks at the flags afterwards. So one of
/// the two sees the other, and no flag is missed. The same goes for who forgets what it was told, and looks again.
pub struct FlagWord {
    /// Changed by the owner, looked at by whoever takes the thing; both by read-modify-writes (`AcqRel`), so that
    /// one of two sees the other. Read for its own sake by a load (Relaxed: publishes nothing).
    word: AtomicU32,
}

impl FlagWord {
    /// These.
    pub fn new(flags: u32) -> Self {
        Self { word: AtomicU32::new(flags) }
    }

    /// The flags, for who does not mind to see a change a moment later.
    #[inline]
    pub fn get(&self) -> u32 {
        self.word.load(Ordering::Relaxed)
    }

    /// Changes them. The caller then looks who has the thing.
    pub fn set(&self, flags: u32) {
        if mutant!("mutant-flags-overwrite") {
            return self.word.store(flags, Ordering::Release);
        }
        let order =
            if mutant!("mutant-relaxed-flags") { Ordering::Relaxed } else { Ordering::AcqRel };
        self.word.swap(flags, order);
    }

    /// The flags, for who has just said that it has the thing, or has just forgotten what it was told: whoever
    /// sets others from now on sees that.
    #[must_use]
    pub fn look(&self) -> u32 {
        if mutant!("mutant-flags-glance") {
            return self.word.load(Ordering::Acquire);
        }
        self.word.fetch_or(0, Ordering::AcqRel)
    }
}

impl fmt::Debug for FlagWord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FlagWord({:#b})", self.get())
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn flags_are_replaced_and_looking_changes_none() {
        let flags = FlagWord::new(1);
        assert_eq!((flags.get(), flags.look()), (1, 1));
        flags.set(6);
        assert_eq!((flags.look(), flags.get()), (6, 6));
    }
}

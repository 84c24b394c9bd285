//! How far somebody has got, and who wants to be told when it is far enough.

use core::fmt;

use crate::mutant;
use crate::prim::{AtomicU64, Ordering};

/// Told by one thread, watched by another, who asks to hear when so much is done.
///
/// Of what is asked for, exactly one side learns that it has come: the one who asks, at once, or the one who gets
/// there, later. Whoever asks again takes the earlier question back.
pub struct ProgressWord {
    /// Added to by whoever makes progress, read by whoever watches (`AcqRel`, pairs with `wanted`).
    done: AtomicU64,
    /// Say so when this much is done. Set by whoever watches, cleared by whoever gets there; [`NOBODY`] waits.
    wanted: AtomicU64,
}

/// What is wanted if nobody waits.
const NOBODY: u64 = u64::MAX;

/// What came of asking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// It is done, and the other side does not say so.
    Done,
    /// The other side has said so just now.
    Told,
    /// The other side says so when it is.
    Waits {
        /// Something was asked for already.
        again: bool,
    },
}

impl ProgressWord {
    /// Nothing is done, and nobody waits.
    pub fn new() -> Self {
        Self { done: AtomicU64::new(0), wanted: AtomicU64::new(NOBODY) }
    }

    /// So much more is done. Whether the one who watches waits to hear that.
    #[inline]
    #[must_use = "say so if true"]
    pub fn advance(&self, more: u64) -> bool {
        if mutant!("mutant-progress-looks-early") {
            let wanted = self.wanted.load(Ordering::Acquire);
            return self.done.fetch_add(more, Ordering::AcqRel) + more >= wanted
                && self.tell(wanted);
        }
        let order =
            if mutant!("mutant-relaxed-progress") { Ordering::Relaxed } else { Ordering::AcqRel };
        let done = self.done.fetch_add(more, order) + more;
        let wanted = self.wanted.load(Ordering::Acquire);
        done >= wanted && self.tell(wanted)
    }

    /// Whether what was wanted still is: then it is told, once.
    #[inline]
    fn tell(&self, wanted: u64) -> bool {
        if mutant!("mutant-progress-tells-twice") {
            self.wanted.store(NOBODY, Ordering::Release);
            return true;
        }
        let (success, failure) = (Ordering::AcqRel, Ordering::Relaxed);
        self.wanted.compare_exchange(wanted, NOBODY, success, failure).is_ok()
    }

    /// How much is done.
    #[inline]
    pub fn done(&self) -> u64 {
        self.done.load(Ordering::Acquire)
    }

    /// Asks to be told when this much is done.
    pub fn ask(&self, wanted: u64) -> Asked {
        let again = self.wanted.swap(wanted, Ordering::AcqRel) != NOBODY;
        // A read-modify-write of the word that the other changes first: either it sees the other's progress, or
        // the other sees what is wanted.
        let done = if mutant!("mutant-progress-glances") {
            self.done.load(Ordering::Acquire)
        } else {
            self.done.fetch_add(0, Ordering::AcqRel)
        };
        if done < wanted {
            return Asked::Waits { again };
        }
        let untold = self.wanted.swap(NOBODY, Ordering::AcqRel) != NOBODY;
        if untold || mutant!("mutant-progress-hears-twice") { Asked::Done } else { Asked::Told }
    }

    /// Whether somebody waits to be told.
    pub fn is_wanted(&self) -> bool {
        self.wanted.load(Ordering::Relaxed) != NOBODY
    }
}

impl Default for ProgressWord {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for ProgressWord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (done, is_wanted) = (self.done(), self.is_wanted());
        f.debug_struct("ProgressWord").field("done", &done).field("is_wanted", &is_wanted).finish()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_is_told_once() {
        let progress = ProgressWord::new();
        assert!(!progress.advance(30), "nobody waits");
        assert_eq!(progress.ask(30), Asked::Done);
        assert_eq!(progress.ask(100), Asked::Waits { again: false });
        assert_eq!(progress.ask(90), Asked::Waits { again: true });
        assert!(!progress.advance(59) && progress.is_wanted());
        assert!(progress.advance(1) && !progress.is_wanted());
        assert!(!progress.advance(10));
        assert_eq!(progress.done(), 100);
    }
}

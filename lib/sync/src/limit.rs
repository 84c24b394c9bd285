//! A limit that many count against, that may be replaced meanwhile, and that is struck once.

use core::fmt;

use crate::mutant;
use crate::prim::{AtomicU64, Ordering};

/// How many there may be, what to do beyond (a number below four), and whether that has happened. All in one word,
/// so that whoever strikes strikes the limit that it has seen, and not one that has just taken its place.
pub struct LimitWord {
    /// From the top: how many ([`NO_LIMIT`]: any number), struck (1 bit), what to do (2 bits). Replaced by
    /// whoever sets the limit, changed by whoever exceeds it, read by anyone; relaxed, as it publishes nothing,
    /// and one that is counted just before or after doesn't matter.
    word: AtomicU64,
}

/// More than there can be.
pub const NO_LIMIT: u64 = u64::MAX >> BITS;

const BITS: u32 = 3;
const STRUCK: u64 = 1 << 2;

/// Whether there is room for one more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// There is.
    Within,
    /// There is not.
    Beyond {
        /// What to do.
        action: u8,
        /// Nobody has been told so of this limit: the caller acts.
        first: bool,
    },
}

impl LimitWord {
    /// So many, and what to do beyond. Not struck.
    pub fn new(max: u64, action: u8) -> Self {
        Self { word: AtomicU64::new(pack(max, action)) }
    }

    /// Puts another limit in its place. That is not struck.
    pub fn renew(&self, max: u64, action: u8) {
        // A read-modify-write as a strike is, so that there is no doubt which came first.
        self.word.swap(pack(max, action), Ordering::Relaxed);
    }

    /// How many there may be, and what to do beyond, as they were set together.
    #[inline]
    pub fn get(&self) -> (u64, u8) {
        unpack(self.word.load(Ordering::Relaxed))
    }

    /// Whether it is struck.
    pub fn is_struck(&self) -> bool {
        self.word.load(Ordering::Relaxed) & STRUCK != 0
    }

    /// Counts one more in `gauge`. One that is beyond the limit is counted too: the caller takes it off again if
    /// it is turned away.
    #[inline]
    pub fn count(&self, gauge: &AtomicU64) -> Admission {
        if mutant!("mutant-split-count") {
            let before = gauge.load(Ordering::Relaxed);
            gauge.store(before + 1, Ordering::Relaxed);
            return self.judge(before);
        }
        self.judge(gauge.fetch_add(1, Ordering::Relaxed))
    }

    /// Strikes it if there are more than there may be. Whether the caller is the first to.
    pub fn strike_above(&self, count: u64) -> bool {
        count > 0 && matches!(self.judge(count - 1), Admission::Beyond { first: true, .. })
    }

    /// Whether one more may come to so many. Read anew if it is replaced meanwhile.
    #[inline]
    fn judge(&self, before: u64) -> Admission {
        let mut word = self.word.load(Ordering::Relaxed);
        loop {
            let (max, action) = unpack(word);
            if before < max {
                return Admission::Within;
            }
            if word & STRUCK != 0 {
                return Admission::Beyond { action, first: false };
            }
            match self.strike(word) {
                Ok(()) => return Admission::Beyond { action, first: true },
                Err(newer) => word = newer,
            }
        }
    }

    fn strike(&self, word: u64) -> Result<(), u64> {
        let order = Ordering::Relaxed;
        if mutant!("mutant-limit-strikes-another") {
            self.word.fetch_or(STRUCK, order);
            return Ok(());
        }
        if mutant!("mutant-limit-restores") {
            self.word.store(word | STRUCK, order);
            return Ok(());
        }
        self.word.compare_exchange(word, word | STRUCK, order, order).map(|_| ())
    }
}

impl fmt::Debug for LimitWord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ((max, action), struck) = (self.get(), self.is_struck());
        f.debug_struct("LimitWord")
            .field("max", &max)
            .field("action", &action)
            .field("struck", &struck)
            .finish()
    }
}

fn pack(max: u64, action: u8) -> u64 {
    max.min(NO_LIMIT) << BITS | u64::from(action & 3)
}

const fn unpack(word: u64) -> (u64, u8) {
    (word >> BITS, word as u8 & 3)
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn it_is_struck_once_until_it_is_renewed() {
        let (limit, gauge) = (LimitWord::new(1, 3), AtomicU64::new(0));
        assert_eq!(limit.count(&gauge), Admission::Within);
        assert_eq!(limit.count(&gauge), Admission::Beyond { action: 3, first: true });
        assert_eq!(limit.count(&gauge), Admission::Beyond { action: 3, first: false });
        assert!(limit.is_struck() && !limit.strike_above(9));
        limit.renew(3, 0);
        assert_eq!((limit.get(), limit.is_struck()), ((3, 0), false));
        assert!(!limit.strike_above(3) && limit.strike_above(4) && !limit.strike_above(5));
    }

    #[test]
    fn extremes_stay_what_they_are() {
        for (max, action) in [(0, 0), (NO_LIMIT, 3), (1 << 60, 2)] {
            assert_eq!(LimitWord::new(max, action).get(), (max, action));
        }
        assert_eq!(LimitWord::new(u64::MAX, 1).get(), (NO_LIMIT, 1));
        assert!(!LimitWord::new(NO_LIMIT, 1).strike_above(u64::MAX >> 4));
    }
}

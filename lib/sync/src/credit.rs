//! A word of credit: how much is under way of what one side may have sent, and whether that side
//! waits for it to become less.
//!
//! ```text
//! the sender                                    whoever has worked something off
//! word.take(amount); send it                    if word.give_back(amount) { wake the sender }
//! if word.wait_if_full() { go away }
//! ```
//!
//! The amount and the mark of who waits are one word, so each step is one read-modify-write and no
//! wake-up can fall between two. High and low water are apart: who waits is woken when the amount has
//! fallen to `low`, not at the first byte below `limit`, so a sender does not wake for crumbs.

use core::fmt;

use crate::mutant;
use crate::prim::{AtomicU64, Ordering};

/// The word; one for each sender.
pub struct CreditWord {
    /// The amount under way, times two, plus 1 if the sender waits. Written by the sender (adds,
    /// marks) and by anyone who gives back (subtracts, takes the mark away); only
    /// read-modify-writes, AcqRel: whoever gives back sees the mark of a sender that did not see the
    /// gift, and the other way round.
    word: AtomicU64,
    /// Full from this amount on. Written by the owner before a read-modify-write of `word`, which
    /// publishes it; read after one that has received it.
    limit: AtomicU64,
    /// A sender that waits is woken at this amount. As `limit`.
    low: AtomicU64,
}

const WAITS: u64 = 1;

impl CreditWord {
    /// Full from `limit` on; a sender that waits is woken at `low` (at most `limit`) or below.
    pub fn new(limit: u64, low: u64) -> Self {
        Self {
            word: AtomicU64::new(0),
            limit: AtomicU64::new(limit),
            low: AtomicU64::new(low.min(limit)),
        }
    }

    /// Notes that `amount` is under way, full or not: the sender has it in its hands already.
    #[inline]
    pub fn take(&self, amount: u64) {
        self.word.fetch_add(amount << 1, Ordering::Relaxed);
    }

    /// Notes that `amount` is under way, unless the limit would be exceeded.
    pub fn try_take(&self, amount: u64) -> bool {
        let limit = self.limit.load(Ordering::Relaxed);
        let fits = |word: u64| {
            let used = (word >> 1).checked_add(amount)?;
            (used <= limit).then(|| word + (amount << 1))
        };
        self.word.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits).is_ok()
    }

    /// Notes that `amount`, taken before, is no longer under way; true if the caller is the one to
    /// wake the sender.
    #[inline]
    pub fn give_back(&self, amount: u64) -> bool {
        if mutant!("mutant-credit-stale-mark") {
            let before = self.word.load(Ordering::Acquire);
            let after = self.word.fetch_sub(amount << 1, Ordering::AcqRel) - (amount << 1);
            return before & WAITS != 0 && self.release((after & !WAITS) | WAITS);
        }
        let after = self.word.fetch_sub(amount << 1, Ordering::AcqRel) - (amount << 1);
        self.release(after)
    }

    /// Whether the sender has to go away and wait; if so, it is woken. Only the sender asks.
    #[inline]
    pub fn wait_if_full(&self) -> bool {
        self.is_full() && self.wait()
    }

    fn wait(&self) -> bool {
        let before = self.word.fetch_or(WAITS, Ordering::AcqRel);
        if mutant!("mutant-credit-no-second-look") {
            return true;
        }
        // All may have been given back before the mark was there to be seen.
        if before >> 1 > self.low.load(Ordering::Relaxed) {
            return true;
        }
        let cleared = self.word.fetch_and(!WAITS, Ordering::AcqRel) & WAITS != 0;
        // If not, somebody has taken the mark away, and wakes the sender.
        !cleared && !mutant!("mutant-credit-wake-for-nothing")
    }

    /// Sets new marks; true if the caller is the one to wake the sender. Only one owner does this.
    pub fn set_limit(&self, limit: u64, low: u64) -> bool {
        self.limit.store(limit, Ordering::Relaxed);
        self.low.store(low.min(limit), Ordering::Relaxed);
        if mutant!("mutant-credit-silent-limit") {
            return self.release(self.word.load(Ordering::Acquire));
        }
        // Changes nothing, but whoever changes the word from here on sees the new marks.
        let word = self.word.fetch_add(0, Ordering::AcqRel);
        self.release(word)
    }

    /// Whether it is full, at a glance.
    #[inline]
    pub fn is_full(&self) -> bool {
        self.used() >= self.limit.load(Ordering::Relaxed)
    }

    /// What is under way.
    #[inline]
    pub fn used(&self) -> u64 {
        self.word.load(Ordering::Relaxed) >> 1
    }

    /// Whether the sender waits.
    pub fn is_waiting(&self) -> bool {
        self.word.load(Ordering::Relaxed) & WAITS != 0
    }

    /// From how much on it is full.
    pub fn limit(&self) -> u64 {
        self.limit.load(Ordering::Relaxed)
    }

    /// Takes the mark of a sender that waits away, if the amount is low; true if that was done here.
    #[inline]
    fn release(&self, word: u64) -> bool {
        word & WAITS != 0
            && word >> 1 <= self.low.load(Ordering::Relaxed)
            && self.word.fetch_and(!WAITS, Ordering::AcqRel) & WAITS != 0
    }
}

impl fmt::Debug for CreditWord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CreditWord")
            .field("used", &self.used())
            .field("limit", &self.limit())
            .field("waiting", &self.is_waiting())
            .finish()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn who_waits_is_woken_once_and_at_low_water() {
        let credit = CreditWord::new(100, 40);
        credit.take(99);
        assert!(!credit.wait_if_full());
        credit.take(30);
        assert!(credit.wait_if_full() && credit.is_waiting());
        assert!(!credit.give_back(80), "49 are more than 40");
        assert!(credit.give_back(9));
        assert!(!credit.is_waiting() && !credit.give_back(1));
        assert_eq!(credit.used(), 39);
    }

    #[test]
    fn a_strict_taker_stays_within_the_limit() {
        let credit = CreditWord::new(100, 50);
        assert!(credit.try_take(60) && !credit.try_take(41) && credit.try_take(40));
        assert!(!credit.try_take(u64::MAX) && !credit.try_take(1));
        assert_eq!(credit.used(), 100);
    }

    #[test]
    fn a_larger_limit_wakes_who_waits() {
        let credit = CreditWord::new(10, 5);
        credit.take(10);
        assert!(credit.wait_if_full());
        assert!(!credit.set_limit(20, 9));
        assert!(credit.set_limit(20, 10));
        assert!(!credit.wait_if_full());
        credit.set_limit(0, 7);
        assert!(credit.wait_if_full());
        assert!(credit.give_back(10), "low water is never above the limit");
    }

    #[test]
    fn nothing_under_way_is_never_full_enough_to_wait() {
        let credit = CreditWord::new(0, 0);
        assert!(credit.is_full() && !credit.wait_if_full());
    }
}

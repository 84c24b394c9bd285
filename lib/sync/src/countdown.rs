//! How many have still to come, and who is the last.

use core::fmt;

use crate::mutant;
use crate::prim::{AtomicU32, Ordering};

/// Counted down by parties that each arrive once. The last one sees all that the others did before.
pub struct Countdown {
    /// Parties that have not arrived. Written by each party once (`AcqRel`: publishes what it did, receives
    /// what those before it did), read by anyone (Acquire).
    remaining: AtomicU32,
}

impl Countdown {
    /// For so many parties.
    pub fn new(parties: usize) -> Self {
        Self { remaining: AtomicU32::new(u32::try_from(parties).unwrap_or(u32::MAX)) }
    }

    /// One has arrived. Whether it was the last.
    #[inline]
    pub fn arrive(&self) -> bool {
        if mutant!("mutant-split-countdown") {
            let before = self.remaining.load(Ordering::Acquire);
            self.remaining.store(before.wrapping_sub(1), Ordering::Release);
            return before == 1;
        }
        if mutant!("mutant-countdown-hides") {
            return self.remaining.fetch_sub(1, Ordering::Acquire) == 1;
        }
        let blind = mutant!("mutant-countdown-blind");
        let order = if blind { Ordering::Release } else { Ordering::AcqRel };
        self.remaining.fetch_sub(1, order) == 1
    }

    /// Whether all have arrived.
    pub fn is_over(&self) -> bool {
        self.remaining() == 0
    }

    /// How many have not.
    pub fn remaining(&self) -> u32 {
        self.remaining.load(Ordering::Acquire)
    }
}

impl fmt::Debug for Countdown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Countdown").field(&self.remaining()).finish()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn the_last_one_is_told() {
        let countdown = Countdown::new(3);
        assert!(!countdown.arrive() && !countdown.arrive() && !countdown.is_over());
        assert!(countdown.arrive() && countdown.is_over());
    }
}

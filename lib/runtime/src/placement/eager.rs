//! How soon waiting loops go to a worker that sleeps: at once the first time, later and later if that
//! goes on.

use core::time::Duration;

use crate::time::Time;

/// How long a worker must have been busy without a pause before it spreads loops.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Eagerness {
    patience: Duration,
    /// When it was last changed.
    since: Time,
}

impl Eagerness {
    pub(crate) fn new(now: Time) -> Self {
        Self { patience: LEAST, since: now }
    }

    /// Whether a worker busy since `rested` may spread.
    pub(crate) fn allows(&mut self, now: Time, rested: Time) -> bool {
        while self.patience > LEAST && now.since(self.since) >= FORGETS {
            self.patience = (self.patience / 2).max(LEAST);
            self.since += FORGETS;
        }
        now.since(rested) >= self.patience
    }

    /// Loops have been spread. A load that calls for it again and again is one that varies, and loops
    /// tossed to and fro cost more than they gain.
    pub(crate) fn note(&mut self, now: Time) {
        self.patience = (self.patience * 2).min(MOST);
        self.since = now;
    }

    /// Loops have been gathered here, so a pile here is no wonder.
    pub(crate) fn reset(&mut self, now: Time) {
        *self = Self::new(now);
    }
}

/// A worker looks around this often anyway.
const LEAST: Duration = Duration::from_millis(1);
/// Longer than this is a lack of balance, and seen to as such.
const MOST: Duration = Duration::from_millis(1000);
/// Half of the patience is forgotten in this time.
const FORGETS: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Time {
        Time::from_nanos(millis * 1_000_000)
    }

    #[test]
    fn a_load_that_varies_spreads_less_than_twice_a_second_in_the_end() {
        let mut eager = Eagerness::new(at(0));
        let mut spreads = Vec::new();
        // Busy without a pause, and always a reason.
        let mut rested = at(0);
        for now in 0..20_000 {
            if eager.allows(at(now), rested) {
                spreads.push(now);
                eager.note(at(now));
                rested = at(now);
            }
        }
        assert_eq!(spreads[..4], [1, 3, 7, 15], "quick at first");
        let late = spreads.iter().filter(|&&at| at >= 10_000).count();
        assert!(late <= 15, "{late} in ten seconds");
    }

    #[test]
    fn what_was_long_ago_is_forgotten() {
        let mut eager = Eagerness::new(at(0));
        (0..20).for_each(|_| eager.note(at(0)));
        assert!(!eager.allows(at(500), at(0)));
        assert!(eager.allows(at(30_000), at(29_999)));
        (0..20).for_each(|_| eager.note(at(30_000)));
        eager.reset(at(30_001));
        assert!(eager.allows(at(30_003), at(30_002)));
    }
}

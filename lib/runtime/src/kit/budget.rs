//! How much a handler may do: who loops is given a [`Budget`] and asks it.
//!
//! A [`Context`] is one, so every handler has it. What loops in this library (walks, queues) cannot be
//! called without. A handler that goes on for a millisecond and more after its budget has said that it
//! is spent is counted as an overrun, for each loop and site
//! ([`LoopStats::overruns`](crate::LoopStats::overruns)).

use core::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use dunlin_trace::Site;

use crate::{context::Context, loop_cell::Counters};

/// A handler that ends this long after its time was up has overrun.
pub const OVERRUN: Duration = Duration::from_millis(1);

/// What says when to stop for now.
pub trait Budget {
    /// Whether to stop after what is in hand.
    fn is_spent(&mut self) -> bool;

    /// How much time is left; zero if it is spent. A budget that is not one of time says
    /// [`Duration::MAX`] as long as it is not spent.
    fn remaining(&mut self) -> Duration;
}

impl Budget for Context<'_> {
    fn is_spent(&mut self) -> bool {
        self.over_budget()
    }

    fn remaining(&mut self) -> Duration {
        Context::remaining(self)
    }
}

/// A budget of so many pieces: each question uses one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pieces(pub u32);

impl Budget for Pieces {
    fn is_spent(&mut self) -> bool {
        self.0 = self.0.saturating_sub(1);
        self.0 == 0
    }

    fn remaining(&mut self) -> Duration {
        if self.0 == 0 { Duration::ZERO } else { Duration::MAX }
    }
}

/// Sites of handlers are numbered from 1 to this.
const SITES: usize = 8;

/// How often the handlers of a loop have overrun, by site. Written by its worker, read by anyone,
/// relaxed.
#[derive(Debug, Default)]
pub(crate) struct Overruns([AtomicU64; SITES]);

impl Overruns {
    /// A handler ended so long after its time was up.
    #[inline]
    pub(crate) fn note(&self, site: Site, over: Duration) {
        if over >= OVERRUN
            && let Some(counter) = usize::from(site.0).checked_sub(1).and_then(|at| self.0.get(at))
        {
            Counters::add(counter, 1);
        }
    }

    pub(crate) fn stats(&self) -> Vec<(Site, u64)> {
        let counts = self.0.iter().map(|counter| counter.load(Ordering::Relaxed));
        (1..).map(Site).zip(counts).filter(|(_, count)| *count > 0).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overruns_are_counted_by_site() {
        let overruns = Overruns::default();
        overruns.note(Site::MESSAGE, OVERRUN - Duration::from_nanos(1));
        overruns.note(Site::JOB, OVERRUN);
        overruns.note(Site::JOB, Duration::from_secs(1));
        overruns.note(Site::OVERRUN, Duration::from_secs(1));
        assert_eq!(overruns.stats(), [(Site::JOB, 2)]);
    }

    #[test]
    fn pieces_are_counted_out() {
        let mut budget = Pieces(2);
        assert_eq!(budget.remaining(), Duration::MAX);
        assert!(!budget.is_spent() && budget.is_spent() && budget.is_spent());
        assert_eq!(budget.remaining(), Duration::ZERO);
    }
}

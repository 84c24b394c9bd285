//! Where the time of a virtual worker went.
//!
//! A handler runs in a moment and its worker is busy with it until later, so what is counted is ahead of
//! the clock; a picture that is taken meanwhile has to leave out what has not passed yet.

use core::time::Duration;

use crate::time::Time;

/// The times of one worker, since it began or since they were cleared.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spent {
    since: Time,
    /// When its last handler ends, or has ended.
    runs_until: Time,
    /// From when on it sleeps, unless it is woken.
    sleeps_from: Time,
    /// How long it has slept before that.
    slept: Duration,
}

impl Spent {
    pub(super) fn new(now: Time) -> Self {
        Self { since: now, runs_until: now, sleeps_from: now, slept: Duration::ZERO }
    }

    /// A handler runs until then, and the worker sleeps from then on if nothing comes.
    pub(super) fn runs_until(&mut self, end: Time) {
        (self.runs_until, self.sleeps_from) = (end, end);
    }

    /// It is awake until then, in no handler.
    pub(super) fn sleeps_from(&mut self, end: Time) {
        self.sleeps_from = end;
    }

    /// It does something now: if it has slept, then until now.
    pub(super) fn wakes(&mut self, now: Time) {
        self.slept += now.since(self.sleeps_from);
        self.sleeps_from = self.sleeps_from.max(now);
    }

    /// Time in handlers, awake in none, and asleep, until now, if handlers took `busy` in all.
    pub(super) fn until(&self, now: Time, busy: Duration) -> (Duration, Duration, Duration) {
        let busy = busy.saturating_sub(self.runs_until.since(now));
        let idle = self.slept + now.since(self.sleeps_from);
        (busy, now.since(self.since).saturating_sub(busy + idle), idle)
    }

    /// Begins anew; what the running handler will still take.
    pub(super) fn clear(&mut self, now: Time) -> Duration {
        self.since = now;
        self.slept = Duration::ZERO;
        self.sleeps_from = self.sleeps_from.max(now);
        self.runs_until.since(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(nanos: u64) -> Time {
        Time::from_nanos(nanos)
    }

    fn spans(spans: [u64; 3]) -> (Duration, Duration, Duration) {
        let [busy, overhead, idle] = spans.map(Duration::from_nanos);
        (busy, overhead, idle)
    }

    #[test]
    fn each_moment_is_counted_once() {
        let mut spent = Spent::new(at(100));
        assert_eq!(spent.until(at(150), Duration::ZERO), spans([0, 0, 50]));
        spent.wakes(at(160));
        spent.runs_until(at(190));
        let busy = Duration::from_nanos(30);
        assert_eq!(spent.until(at(170), busy), spans([10, 0, 60]), "twenty are to come");
        // Held up behind the handler.
        spent.wakes(at(180));
        spent.sleeps_from(at(250));
        assert_eq!(spent.until(at(185), busy), spans([25, 0, 60]));
        assert_eq!(spent.until(at(200), busy), spans([30, 10, 60]));
        assert_eq!(spent.until(at(300), busy), spans([30, 60, 110]));
        assert_eq!(spent.clear(at(300)), Duration::ZERO);
        assert_eq!(spent.until(at(310), Duration::ZERO), spans([0, 0, 10]));
    }

    #[test]
    fn what_is_cleared_in_a_handler_leaves_its_rest() {
        let mut spent = Spent::new(at(0));
        spent.runs_until(at(100));
        let rest = spent.clear(at(40));
        assert_eq!(rest, Duration::from_nanos(60));
        assert_eq!(spent.until(at(40), rest), spans([0, 0, 0]));
        assert_eq!(spent.until(at(90), rest), spans([50, 0, 0]));
        assert_eq!(spent.until(at(120), rest), spans([60, 0, 20]));
    }
}

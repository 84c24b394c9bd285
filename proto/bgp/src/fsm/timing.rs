//! Waiting after errors, and jitter.

use core::time::Duration;

use dunlin_runtime::Time;

/// How long to wait after an error: longer each time errors follow each other.
#[derive(Clone, Debug, Default)]
pub(super) struct Backoff {
    wait: Duration,
    last: Option<Time>,
}

impl Backoff {
    /// An error happened: the time to wait before the next attempt.
    pub(super) fn error(
        &mut self,
        now: Time,
        (least, most): (Duration, Duration),
        forget: Duration,
    ) -> Duration {
        if self.last.is_some_and(|last| now.since(last) >= forget) {
            self.wait = Duration::ZERO;
        }
        self.last = Some(now);
        self.wait = if self.wait.is_zero() { least } else { (self.wait * 2).min(most) };
        self.wait
    }

    /// The operator starts anew.
    pub(super) fn forget(&mut self) {
        *self = Self::default();
    }
}

/// `span` less up to a quarter of it (RFC 4271 section 10).
pub(super) fn jittered(span: Duration, random: u64) -> Duration {
    let quarter = u64::try_from((span / 4).as_nanos()).unwrap_or(u64::MAX);
    let less = (u128::from(random) * u128::from(quarter)) >> 64;
    span.saturating_sub(Duration::from_nanos(u64::try_from(less).unwrap_or(0)))
}

/// The last moment up to `moment` at which the KEEPALIVEs of all sessions with such a `period` may go, too, so that
/// a worker wakes up once for many: at most a sixteenth of the period and an eighth of a second earlier.
pub(super) fn together(moment: Time, period: Duration) -> Time {
    let most = (period / 16).min(Duration::from_millis(125));
    let Some(power) = u64::try_from(most.as_nanos()).unwrap_or(u64::MAX).checked_ilog2() else {
        return moment;
    };
    Time::from_nanos(moment.as_nanos() >> power << power)
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: Duration = Duration::from_secs(1);

    #[test]
    fn the_wait_doubles_up_to_its_bound_and_is_forgotten() {
        let mut backoff = Backoff::default();
        let mut now = Time::ZERO;
        let mut waits = Vec::new();
        for _ in 0..5 {
            waits.push(backoff.error(now, (60 * S, 300 * S), 300 * S).as_secs());
            now += 61 * S;
        }
        assert_eq!(waits, [60, 120, 240, 300, 300]);
        assert_eq!(backoff.error(now + 300 * S, (60 * S, 300 * S), 300 * S), 60 * S);
    }

    #[test]
    fn jitter_takes_a_quarter_at_most() {
        assert_eq!(jittered(4 * S, 0), 4 * S);
        assert!(jittered(4 * S, u64::MAX) - 3 * S < Duration::from_micros(1));
    }

    #[test]
    fn keepalives_of_many_sessions_go_together_and_none_later_or_much_earlier() {
        let sessions = 500u64;
        let due = |i: u64| Time::from_nanos(7_000_000_000 + i * 6_000_011); // within 3 s
        for period in [S, 3 * S, 60 * S] {
            let most = (period / 16).min(Duration::from_millis(125));
            let mut moments: Vec<_> = (0..sessions).map(|i| together(due(i), period)).collect();
            for (i, moment) in (0..).zip(&moments) {
                assert!(*moment <= due(i) && due(i).since(*moment) < most, "{period:?}, {i}");
            }
            moments.dedup();
            let slots = (3 * S).as_nanos() / (most / 2).as_nanos() + 1;
            assert!(moments.len() as u128 <= slots, "{period:?}: {}", moments.len());
        }
        let moment = Time::from_nanos(12_345);
        assert_eq!(together(moment, Duration::ZERO), moment);
    }
}

//! When there is little to do.
//!
//! A message to a loop on a worker that sleeps costs a system call, a switch to another thread and a
//! wait for the processor, each more than most handlers. So loops that have little to do share a
//! worker; and since a pile is noticed within a millisecond, nothing is lost when it comes.

use core::time::Duration;

use crate::time::Time;

/// What a worker remembers to see whether there is little to do.
#[derive(Debug)]
pub(crate) struct Calm {
    /// When the window began.
    since: Time,
    /// How long all workers together had been busy by then.
    busy: u64,
    /// Windows in a row in which they were not.
    windows: u32,
}

impl Calm {
    pub(crate) fn new(now: Time) -> Self {
        Self { since: now, busy: u64::MAX, windows: 0 }
    }

    /// Whether a window has ended.
    pub(crate) fn is_due(&self, now: Time) -> bool {
        now.since(self.since) >= WINDOW
    }

    /// Takes a look at the end of a window; true if it has been calm for long enough.
    pub(crate) fn look(&mut self, now: Time, busy: u64) -> bool {
        let window = now.since(self.since);
        let used = Duration::from_nanos(busy.saturating_sub(self.busy));
        let calm = self.busy != u64::MAX && used.as_secs_f32() < window.as_secs_f32() * LITTLE;
        let windows = if calm { self.windows.saturating_add(1) } else { 0 };
        *self = Self { since: now, busy, windows };
        windows >= CALM_WINDOWS
    }
}

/// How often a worker asks whether there is little to do.
const WINDOW: Duration = Duration::from_millis(200);
/// For how many windows there must be little.
const CALM_WINDOWS: u32 = 2;
/// All workers together are busy for less than this share of the time of one.
const LITTLE: f32 = 0.25;

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Time {
        Time::from_nanos(millis * 1_000_000)
    }

    #[test]
    fn calm_takes_two_windows_in_a_row() {
        let mut calm = Calm::new(at(0));
        assert!(!calm.is_due(at(199)) && calm.is_due(at(200)));
        assert!(!calm.look(at(200), 0), "nothing to compare with");
        assert!(!calm.look(at(400), 1_000_000));
        assert!(calm.look(at(600), 2_000_000));
        assert!(!calm.look(at(800), 102_000_000), "busy for half of the window");
        assert!(!calm.look(at(1000), 102_000_000));
        assert!(calm.look(at(1200), 102_000_000));
    }
}

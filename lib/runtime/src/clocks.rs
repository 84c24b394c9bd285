//! Jumps of the wall clock and suspends of the system, which no timer notices: timers follow the
//! monotonic clock, which does neither.

use core::{
    fmt,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};
use std::sync::{Arc, Weak};

use dunlin_os::clock;
use dunlin_sync::{ExclusiveCell, Inbox, Item};

use crate::{
    ask::{Ask, ask},
    loop_cell::Runnable,
    place::Place,
    time::Time,
};

/// The clocks of the system, read together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockReading {
    /// Nanoseconds of the monotonic clock, which stands still while the system is suspended.
    pub monotonic: u64,
    /// Nanoseconds since the system started, suspended or not.
    pub boot: u64,
    /// Nanoseconds since 1970-01-01 00:00 UTC by the wall clock.
    pub wall: u64,
}

/// Where the clocks are read: the system's ([`SystemClocks`]), or a test's.
pub trait ClockSource: Send + Sync + 'static {
    /// Reads the clocks together; none if something came between, then the next look will do.
    fn read(&self) -> Option<ClockReading>;
}

/// The clocks of the system.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClocks;

impl ClockSource for SystemClocks {
    fn read(&self) -> Option<ClockReading> {
        let clock::Together { monotonic, boot, wall } = clock::together()?;
        Some(ClockReading { monotonic, boot, wall })
    }
}

/// What happened to the clocks between two looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockJump {
    /// Nanoseconds the wall clock was set forward, or back if negative; 0 if it was not set. Time
    /// that passed while the system was suspended is not counted.
    pub wall: i64,
    /// How long the system was suspended.
    pub suspended: Duration,
}

impl ClockJump {
    /// What lies between two readings, if it is more than clocks that are adjusted little by little
    /// account for.
    fn between(earlier: ClockReading, later: ClockReading) -> Option<Self> {
        let passed = later.monotonic.saturating_sub(earlier.monotonic);
        let since_boot = later.boot.saturating_sub(earlier.boot);
        let suspended = since_boot.saturating_sub(passed);
        let suspended = if suspended >= LEAST_SUSPEND { suspended } else { 0 };
        let by_wall = i128::from(later.wall) - i128::from(earlier.wall);
        let wall = by_wall - i128::from(since_boot);
        let allowed = i128::from(LEAST_JUMP + since_boot / SLEW);
        let wall = if wall.abs() > allowed { wall } else { 0 };
        let wall = i64::try_from(wall).unwrap_or(if wall < 0 { i64::MIN } else { i64::MAX });
        let jump = Self { wall, suspended: Duration::from_nanos(suspended) };
        (jump.wall != 0 || suspended != 0).then_some(jump)
    }
}

impl fmt::Display for ClockJump {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = |nanos: u64| Duration::from_nanos(nanos).as_secs_f64();
        if !self.suspended.is_zero() {
            write!(f, "the system was suspended for {:.3} s", self.suspended.as_secs_f64())?;
        }
        if self.wall != 0 {
            let and = if self.suspended.is_zero() { "" } else { " and " };
            let way = if self.wall > 0 { "forward" } else { "back" };
            let by = seconds(self.wall.unsigned_abs());
            write!(f, "{and}the wall clock was set {way} by {by:.3} s")?;
        }
        Ok(())
    }
}

/// Looks at the clocks now and then, for all workers of a runtime.
pub(crate) struct ClockWatch {
    /// When to look again. Written by the worker that looks, read by all; relaxed, as it publishes
    /// nothing, and one look too many does no harm.
    next: AtomicU64,
    /// Loops that want to be told, on their way to `inner`.
    joining: Inbox<Weak<dyn Runnable>>,
    inner: ExclusiveCell<Inner>,
}

/// What the worker that looks has to itself.
struct Inner {
    last: Option<ClockReading>,
    listeners: Vec<Weak<dyn Runnable>>,
}

impl ClockWatch {
    pub(crate) fn new() -> Self {
        Self {
            next: AtomicU64::new(0),
            joining: Inbox::new(),
            inner: ExclusiveCell::new(Inner { last: None, listeners: Vec::new() }),
        }
    }

    /// Has a loop told from now on.
    pub(crate) fn join(&self, cell: &Arc<dyn Runnable>) {
        self.joining.push(Arc::downgrade(cell), ());
    }

    /// Whether the last look is so long ago that it is time for another.
    #[inline]
    pub(crate) fn is_due(&self, now: Time) -> bool {
        now.as_nanos() >= self.next.load(Ordering::Relaxed)
    }

    /// Looks; tells those who want to know, and returns it, if something has happened. Nothing if
    /// another worker is at it.
    #[cold]
    pub(crate) fn look(&self, now: Time, source: &dyn ClockSource) -> Option<ClockJump> {
        let mut inner = self.inner.enter()?;
        self.next.store((now + INTERVAL).as_nanos(), Ordering::Relaxed);
        let joining = self.joining.take_all().filter_map(|entry| match entry.item {
            Item::Message(cell) => Some(cell),
            Item::Event(_) => None,
        });
        inner.listeners.extend(joining);
        let reading = source.read()?;
        let jump = ClockJump::between(inner.last.replace(reading)?, reading)?;
        inner.listeners.retain(|listener| {
            let Some(cell) = listener.upgrade() else { return false };
            let lives = !cell.header().state().is_closed();
            if lives {
                ask(&cell, Ask::Clock(jump), Place::here());
            }
            lives
        });
        Some(jump)
    }
}

/// How often the clocks are looked at, by workers that are awake.
const INTERVAL: Duration = Duration::from_millis(100);
/// A wall clock that is off by no more, in nanoseconds, has not been set.
const LEAST_JUMP: u64 = 50_000_000;
/// Clocks are adjusted by less than one part in so many.
const SLEW: u64 = 1000;
/// A suspend shorter than this, in nanoseconds, is none.
const LEAST_SUSPEND: u64 = 10_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn at(monotonic: u64, boot: u64, wall: u64) -> ClockReading {
        ClockReading { monotonic, boot, wall }
    }

    fn text(earlier: ClockReading, later: ClockReading) -> String {
        ClockJump::between(earlier, later).map(|jump| jump.to_string()).unwrap_or_default()
    }

    #[test]
    fn jumps_and_suspends_are_told_apart_and_adjustments_are_neither() {
        let start = at(SECOND, 2 * SECOND, 1000 * SECOND);
        let hour = 3600 * SECOND;
        assert_eq!(text(start, at(2 * SECOND, 3 * SECOND, 1001 * SECOND)), "");
        assert_eq!(text(start, at(SECOND + hour, 2 * SECOND + hour, 1001 * SECOND + hour)), "");
        assert_eq!(
            text(start, at(2 * SECOND, 3 * SECOND, 1001 * SECOND + hour)),
            "the wall clock was set forward by 3600.000 s"
        );
        assert_eq!(
            text(start, at(2 * SECOND, 3 * SECOND, 901 * SECOND)),
            "the wall clock was set back by 100.000 s"
        );
        assert_eq!(
            text(start, at(2 * SECOND, 3 * SECOND + hour, 1001 * SECOND + hour)),
            "the system was suspended for 3600.000 s"
        );
        assert_eq!(
            text(start, at(2 * SECOND, 3 * SECOND + hour, 1001 * SECOND)),
            "the system was suspended for 3600.000 s and the wall clock was set back by 3600.000 s"
        );
        let extreme = ClockJump::between(at(0, 0, u64::MAX), at(0, 0, 0)).unwrap();
        assert_eq!(extreme.wall, i64::MIN);
    }
}

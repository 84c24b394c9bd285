//! What is reported of handlers that ran for too long or too late.

use core::{
    fmt,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use dunlin_sync::Class;

use super::{
    handlers::{Culprit, Who},
    meter::CLASSES,
};
use crate::{
    options::Watch,
    time::{Time, nanos},
};

/// The limits in force, shared by all workers of a runtime. Written by whoever changes them, read at
/// every boundary; relaxed, as it does not matter which handler is the first that they hold for.
#[derive(Debug)]
pub(crate) struct Limits {
    overrun: [AtomicU64; CLASSES],
    late: [AtomicU64; CLASSES],
    stall: AtomicU64,
    abort: AtomicU64,
}

impl Limits {
    pub(crate) fn new(watch: &Watch) -> Self {
        let limits = Self {
            overrun: Default::default(),
            late: Default::default(),
            stall: AtomicU64::new(0),
            abort: AtomicU64::new(0),
        };
        limits.set(watch);
        limits
    }

    pub(crate) fn set(&self, watch: &Watch) {
        let put = |place: &AtomicU64, limit: Option<Duration>| {
            place.store(limit.map_or(u64::MAX, nanos), Ordering::Relaxed);
        };
        self.overrun.iter().zip(watch.overrun).for_each(|(place, limit)| put(place, limit));
        self.late.iter().zip(watch.late).for_each(|(place, limit)| put(place, limit));
        put(&self.stall, watch.stall);
        put(&self.abort, watch.abort);
    }

    /// From how long on a handler of `class` is reported, in nanoseconds.
    #[inline]
    pub(crate) fn overrun(&self, class: Class) -> u64 {
        self.overrun[class.index()].load(Ordering::Relaxed)
    }

    /// From how late on a handler of `class` is reported, in nanoseconds.
    #[inline]
    pub(crate) fn late(&self, class: Class) -> u64 {
        self.late[class.index()].load(Ordering::Relaxed)
    }

    /// From how long on a worker that should do something and does not is reported, in nanoseconds.
    pub(crate) fn stall(&self) -> u64 {
        self.stall.load(Ordering::Relaxed)
    }

    /// After how long in one handler the process is given up, in nanoseconds.
    pub(crate) fn abort(&self) -> u64 {
        self.abort.load(Ordering::Relaxed)
    }
}

/// Something to report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Finding {
    /// A handler has run for too long; perhaps it was reported while it did.
    Overrun { who: Who, took: Duration, reported: bool },
    /// A handler has run too late.
    Late { who: Who, late: Duration, culprit: Culprit },
}

impl Finding {
    /// Kinds there are.
    pub(crate) const KINDS: usize = 2;

    /// The handler it is about.
    pub(crate) fn who(&self) -> Who {
        match self {
            Self::Overrun { who, .. } | Self::Late { who, .. } => *who,
        }
    }

    /// Findings are held back by kind, see [`Throttle`].
    pub(crate) fn kind(&self) -> usize {
        match self {
            Self::Overrun { .. } => 0,
            Self::Late { .. } => 1,
        }
    }

    /// What there is to say; `name` knows the names of loops.
    pub(crate) fn text(&self, name: &dyn Fn(Who) -> String) -> String {
        match self {
            Self::Overrun { who, took, reported } => {
                let ended = if *reported { ", reported while it ran," } else { "" };
                format!("{}{ended} took {}", name(*who), millis(*took))
            }
            Self::Late { who, late, culprit } => {
                let whom = match culprit {
                    Culprit::Handler(who, held) => {
                        format!("{} held the worker for {}", name(*who), millis(*held))
                    }
                    Culprit::Several => "many handlers were before it".to_owned(),
                    Culprit::System => "the system let the worker sleep for too long".to_owned(),
                    Culprit::Elsewhere(here) => {
                        format!("until {} before it was on another worker", millis(*here))
                    }
                };
                format!("{} ran {} late: {whom}", name(*who), millis(*late))
            }
        }
    }
}

/// A span as it is reported.
pub(crate) fn millis(span: Duration) -> Millis {
    Millis(span)
}

/// Shows milliseconds with a tenth.
pub(crate) struct Millis(Duration);

impl fmt::Display for Millis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let micros = self.0.as_micros();
        write!(f, "{}.{} ms", micros / 1000, micros % 1000 / 100)
    }
}

/// Lets one report of a kind through every ten seconds, and counts the others.
#[derive(Debug)]
pub(crate) struct Throttle<const KINDS: usize> {
    kinds: [(Option<Time>, u64); KINDS],
}

impl<const KINDS: usize> Throttle<KINDS> {
    pub(crate) const fn new() -> Self {
        Self { kinds: [(None, 0); KINDS] }
    }

    /// Whether a report may be made now, and how many were held back since the last one.
    pub(crate) fn admit(&mut self, kind: usize, now: Time) -> Option<u64> {
        let (last, held) = self.kinds.get_mut(kind)?;
        if last.is_some_and(|last| now.since(last) < INTERVAL) {
            *held += 1;
            return None;
        }
        *last = Some(now);
        Some(core::mem::take(held))
    }
}

/// A report and how many like it were held back.
pub(crate) fn with_held_back(text: String, held: u64) -> String {
    if held == 0 {
        text
    } else {
        format!("{text} (and {held} more like this since the last report)")
    }
}

/// Reports of one kind are this far apart at least.
pub(super) const INTERVAL: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_report_in_ten_seconds_and_the_others_counted() {
        let mut throttle = Throttle::<2>::new();
        let at = |millis: u64| Time::from_nanos(millis * 1_000_000);
        assert_eq!(throttle.admit(0, at(5)), Some(0));
        assert_eq!(throttle.admit(0, at(6)), None);
        assert_eq!(throttle.admit(1, at(6)), Some(0));
        assert_eq!(throttle.admit(0, at(10_004)), None);
        assert_eq!(throttle.admit(0, at(10_005)), Some(2));
        assert_eq!(throttle.admit(0, at(30_000)), Some(0));
        assert_eq!(throttle.admit(2, at(0)), None, "no such kind");
    }
}

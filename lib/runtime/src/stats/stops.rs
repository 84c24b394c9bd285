//! What was dropped as loops stopped: counted, and said.

use core::{
    fmt,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
};
use std::sync::Arc;

use dunlin_sync::Snapshot;

use super::{findings::INTERVAL, with_held_back};
use crate::{
    dispatch::Dispatch,
    ending::{Dropped, StopOutcome, StopReport},
    loop_cell::Header,
    options::{LogLevel, LogRecord},
    time::Time,
};

/// Loops that have stopped, all together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StopStats {
    /// How many have.
    pub loops: u64,
    /// Those that were cut short: something that was to be drained was dropped.
    pub cut_short: u64,
    /// Those whose handlers panicked.
    pub panicked: u64,
    /// Handlers that drained.
    pub drained: u64,
    /// What was dropped, messages that came too late included.
    pub dropped: Dropped,
}

impl StopStats {
    fn since(&self, before: &Self) -> Self {
        let mut dropped = self.dropped;
        dropped.take_away(&before.dropped);
        Self {
            loops: self.loops.saturating_sub(before.loops),
            cut_short: self.cut_short.saturating_sub(before.cut_short),
            panicked: self.panicked.saturating_sub(before.panicked),
            drained: self.drained.saturating_sub(before.drained),
            dropped,
        }
    }
}

/// As in `stopped 12 loops, 1 of them cut short; dropped 3 events (bulk)`.
impl fmt::Display for StopStats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = if self.loops == 1 { "" } else { "s" };
        write!(f, "stopped {} loop{plural}", self.loops)?;
        if self.cut_short > 0 {
            write!(f, ", {} of them cut short", self.cut_short)?;
        }
        write!(f, "; dropped {}", self.dropped)
    }
}

/// The sums of a runtime, and when one was last spoken of. Written where loops end, which is seldom, and
/// read by anyone; relaxed, as nothing hangs on them.
#[derive(Debug)]
pub(crate) struct StopBook {
    loops: AtomicU64,
    cut_short: AtomicU64,
    panicked: AtomicU64,
    drained: AtomicU64,
    /// Five kinds by class, and jobs.
    dropped: [[AtomicU64; 4]; 5],
    jobs: AtomicU64,
    /// The sums when they were last cleared.
    cleared: Snapshot<StopStats>,
    /// The sums when the runtime was told to stop.
    at_shutdown: Snapshot<StopStats>,
    /// All loops stop: what is to be said of that is said at the end.
    is_ending: AtomicBool,
    /// When a line was last written, in nanoseconds, and what has been held back since.
    said: AtomicU64,
    held: AtomicU64,
}

impl StopBook {
    pub(crate) fn new() -> Self {
        Self {
            loops: AtomicU64::new(0),
            cut_short: AtomicU64::new(0),
            panicked: AtomicU64::new(0),
            drained: AtomicU64::new(0),
            dropped: Default::default(),
            jobs: AtomicU64::new(0),
            cleared: Snapshot::new(StopStats::default()),
            at_shutdown: Snapshot::new(StopStats::default()),
            is_ending: AtomicBool::new(false),
            said: AtomicU64::new(0),
            held: AtomicU64::new(0),
        }
    }

    /// Counts what was dropped.
    pub(crate) fn note(&self, dropped: &Dropped) {
        for (sums, (_, more)) in self.dropped.iter().zip(dropped.by_class()) {
            for (sum, more) in sums.iter().zip(more).filter(|one| one.1 > 0) {
                sum.fetch_add(more, Ordering::Relaxed);
            }
        }
        self.jobs.fetch_add(dropped.jobs, Ordering::Relaxed);
    }

    fn note_end(&self, report: &StopReport) {
        self.loops.fetch_add(1, Ordering::Relaxed);
        self.drained.fetch_add(report.drained, Ordering::Relaxed);
        match report.outcome {
            StopOutcome::CutShort => _ = self.cut_short.fetch_add(1, Ordering::Relaxed),
            StopOutcome::Panicked => _ = self.panicked.fetch_add(1, Ordering::Relaxed),
            StopOutcome::Stopped | StopOutcome::AlreadyStopped => {}
        }
    }

    /// The sums since they were last cleared.
    pub(crate) fn stats(&self) -> StopStats {
        self.all().since(&self.cleared.load())
    }

    pub(crate) fn clear(&self) {
        self.cleared.store(Arc::new(self.all()));
    }

    fn all(&self) -> StopStats {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let by_class = |at: usize| self.dropped[at].each_ref().map(read);
        StopStats {
            loops: read(&self.loops),
            cut_short: read(&self.cut_short),
            panicked: read(&self.panicked),
            drained: read(&self.drained),
            dropped: Dropped {
                messages: by_class(0),
                events: by_class(1),
                works: by_class(2),
                timers: by_class(3),
                ready: by_class(4),
                jobs: read(&self.jobs),
            },
        }
    }

    /// All loops are going to stop.
    pub(crate) fn begin_end(&self) {
        if !self.is_ending.swap(true, Ordering::Relaxed) {
            self.at_shutdown.store(Arc::new(self.all()));
        }
    }

    /// Whether a line may be written now, and how many were not since the last one.
    fn admit(&self, now: Time) -> Option<u64> {
        let last = Time::from_nanos(self.said.load(Ordering::Relaxed));
        if last != Time::ZERO && now.since(last) < INTERVAL {
            self.held.fetch_add(1, Ordering::Relaxed);
            return None;
        }
        self.said.store(now.as_nanos(), Ordering::Relaxed);
        Some(self.held.swap(0, Ordering::Relaxed))
    }
}

/// A loop has stopped: counts it, and says so if something that somebody had asked for was dropped.
pub(crate) fn note_stop(header: &Header, report: &StopReport, now: Time) {
    let dispatch = header.dispatch();
    let book = dispatch.stops();
    book.note(&report.dropped);
    book.note_end(report);
    let is_loss = report.dropped.asked() > 0 && !book.is_ending.load(Ordering::Relaxed);
    if let Some(held) = is_loss.then(|| book.admit(now)).flatten() {
        let (level, how) = match report.outcome {
            StopOutcome::CutShort => (LogLevel::Warning, "stopped before it was drained"),
            _ => (LogLevel::Info, "stopped"),
        };
        let text = with_held_back(format!("{how}; dropped {}", report.dropped), held);
        let (loop_id, loop_name) = (Some(header.id()), Some(header.shared_name()));
        dispatch.log(&LogRecord { level, loop_id, loop_name, text });
    }
}

/// All loops have stopped: one line says what that cost, if it did.
pub(crate) fn note_end(dispatch: &dyn Dispatch) {
    let book = dispatch.stops();
    let stats = book.all().since(&book.at_shutdown.load());
    if stats.dropped.asked() > 0 {
        let level = if stats.cut_short > 0 { LogLevel::Warning } else { LogLevel::Info };
        let text = format!("the runtime has {stats}");
        dispatch.log(&LogRecord { level, loop_id: None, loop_name: None, text });
    }
}

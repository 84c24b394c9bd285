//! How far each member of a group has read the log, and what the group has still to write into it: what the
//! two loops tell each other, and what people see of it in `show flow`.

use core::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;

use dunlin_runtime::Time;
use dunlin_runtime::kit::flow::{Flow, FlowStats};
use dunlin_sync::{Asked, ProgressWord};

/// The stage of what waits to be encoded, behind the slices; see [`crate::import::SESSION`].
const ENCODING: u8 = 3;

/// The stage of what has been encoded and not been written to a neighbour.
const WRITING: u8 = 4;

/// How much of what was appended a member has written or passed over, in bytes.
#[derive(Debug)]
pub struct Progress {
    /// Bytes consumed, as the session tells and the egress loop asks: what it asks for, the session tells with
    /// [`EgressMessage::Drained`](super::EgressMessage::Drained).
    consumed: ProgressWord,
    shown: Shown,
}

/// What only people look at. Written by the egress loop, read by anyone, relaxed.
#[derive(Debug)]
struct Shown {
    name: Arc<str>,
    /// Bytes given to the member.
    appended: AtomicU64,
    /// Bytes in flight below which encoding goes on; 0 before the group has the member.
    window: AtomicU64,
    /// Networks that a member off the log has to be told again; `u64::MAX` if it follows.
    behind: AtomicU64,
    /// When the group last began to wait for the member, in nanoseconds, and how often it did.
    since: AtomicU64,
    waits: AtomicU64,
}

impl Default for Progress {
    fn default() -> Self {
        Self::new("log")
    }
}

impl Progress {
    /// Of a new member; `name` is what people see.
    pub fn new(name: &str) -> Self {
        Self {
            consumed: ProgressWord::new(),
            shown: Shown {
                name: name.into(),
                appended: AtomicU64::new(0),
                window: AtomicU64::new(0),
                behind: AtomicU64::new(u64::MAX),
                since: AtomicU64::new(0),
                waits: AtomicU64::new(0),
            },
        }
    }

    /// The session has consumed `bytes` more; returns whether the egress loop waits to hear.
    #[must_use = "send Drained if true"]
    pub fn advance(&self, bytes: u64) -> bool {
        self.consumed.advance(bytes)
    }

    /// Bytes consumed.
    pub fn consumed(&self) -> u64 {
        self.consumed.done()
    }

    /// Asks to be told at `consumed`; returns whether that is so already (then nothing is asked).
    pub(super) fn ask(&self, consumed: u64, now: Time) -> bool {
        let asked = self.consumed.ask(consumed);
        if asked == (Asked::Waits { again: false }) {
            self.shown.since.store(now.as_nanos(), Ordering::Relaxed);
            self.shown.waits.fetch_add(1, Ordering::Relaxed);
        }
        asked == Asked::Done
    }

    /// The member is in a group that goes on encoding below this.
    pub(super) fn enter(&self, window: u64) {
        self.shown.window.store(window, Ordering::Relaxed);
    }

    /// Shows what has been given to the member and, if it is off the log, what it has to be told again.
    pub(super) fn show(&self, appended: u64, behind: Option<usize>) {
        let behind = behind.map_or(u64::MAX, |behind| behind as u64);
        self.shown.appended.store(appended, Ordering::Relaxed);
        self.shown.behind.store(behind, Ordering::Relaxed);
    }
}

/// Bytes that the group has encoded for the member and the session has not written.
impl Flow for Progress {
    fn stats(&self) -> FlowStats {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let shown = &self.shown;
        let waits = self.consumed.is_wanted();
        let used = read(&shown.appended).saturating_sub(self.consumed());
        let window = Some(read(&shown.window)).filter(|window| *window > 0);
        FlowStats {
            waiting: waits.then(|| Time::from_nanos(read(&shown.since))),
            blocked: read(&shown.waits),
            behind: Some(read(&shown.behind)).filter(|behind| *behind != u64::MAX),
            ..FlowStats::bytes(Arc::clone(&shown.name), WRITING, used, window)
        }
    }
}

/// Networks that wait in a group to be encoded. Written by the egress loop, read by anyone, relaxed.
#[derive(Debug)]
pub(super) struct Backlog {
    name: Arc<str>,
    waiting: AtomicU64,
    /// Since when no member can take bytes, in nanoseconds; 0 if one can.
    since: AtomicU64,
    stops: AtomicU64,
}

impl Backlog {
    pub(super) fn new() -> Arc<Self> {
        let (waiting, since, stops) = Default::default();
        Arc::new(Self { name: "networks to encode".into(), waiting, since, stops })
    }

    /// Shows how many wait.
    pub(super) fn show(&self, waiting: usize) {
        self.waiting.store(waiting as u64, Ordering::Relaxed);
    }

    /// Shows whether they wait for members.
    pub(super) fn stop(&self, stops: bool, now: Time) {
        let before = self.since.load(Ordering::Relaxed);
        if stops && before == 0 {
            self.since.store(now.as_nanos().max(1), Ordering::Relaxed);
            self.stops.fetch_add(1, Ordering::Relaxed);
        } else if !stops && before != 0 {
            self.since.store(0, Ordering::Relaxed);
        }
    }
}

impl Flow for Backlog {
    fn stats(&self) -> FlowStats {
        let since = self.since.load(Ordering::Relaxed);
        let waiting = self.waiting.load(Ordering::Relaxed);
        FlowStats {
            unit: "networks",
            waiting: (since != 0).then(|| Time::from_nanos(since)),
            blocked: self.stops.load(Ordering::Relaxed),
            ..FlowStats::bytes(Arc::clone(&self.name), ENCODING, waiting, None)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_shows_what_is_in_flight_and_since_when_it_is_waited_for() {
        let progress = Progress::new("ipv4 to the neighbour");
        progress.enter(100);
        progress.show(150, None);
        let _ = progress.advance(30);
        let stats = progress.stats();
        assert_eq!((stats.used, stats.limit, stats.waiting), (120, Some(100), None));
        assert!(!progress.ask(100, Time::from_nanos(7)));
        assert!(!progress.ask(100, Time::from_nanos(9)), "it waits already");
        let stats = progress.stats();
        assert_eq!((stats.waiting, stats.blocked), (Some(Time::from_nanos(7)), 1));
        assert!(progress.advance(80), "it is waited for");
        assert_eq!(progress.stats().waiting, None);
        progress.show(150, Some(12));
        assert_eq!(progress.stats().behind, Some(12));
        assert!(progress.ask(100, Time::from_nanos(11)), "it has consumed more");
        assert_eq!((progress.stats().waiting, progress.stats().blocked), (None, 1));
    }

    #[test]
    fn a_backlog_shows_its_stops() {
        let backlog = Backlog::new();
        backlog.show(5);
        for (stops, at, waiting, count) in
            [(false, 1, None, 0), (true, 2, Some(2), 1), (true, 3, Some(2), 1), (false, 4, None, 1)]
        {
            backlog.stop(stops, Time::from_nanos(at));
            let stats = backlog.stats();
            assert_eq!((stats.used, stats.unit, stats.limit), (5, "networks", None));
            assert_eq!(stats.waiting, waiting.map(Time::from_nanos));
            assert_eq!(stats.blocked, count);
        }
    }
}

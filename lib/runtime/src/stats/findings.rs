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
    ids::LoopId,
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

/// Lets reports through: about one loop and class one of a kind every ten seconds, and of a kind a few, whatever they are
/// about. Counts the others. It remembers no more than it has let through.
#[derive(Debug)]
pub(crate) struct Throttle<const KINDS: usize> {
    kinds: [OfKind; KINDS],
    subjects: Vec<Subject>,
}

/// What a report is about: a loop and a class, or something of a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum About {
    Handler(LoopId, Class),
    Worker(usize),
}

impl About {
    pub(crate) fn handler(who: Who) -> Self {
        Self::Handler(who.loop_id, who.class)
    }
}

/// Reports of one kind, whatever they are about.
#[derive(Clone, Copy, Debug, Default)]
struct OfKind {
    /// When the first of those was made that count together.
    first: Option<Time>,
    made: u32,
    /// Those left out since the last that was made, but for what a [`Subject`] counts.
    left_out: u64,
}

/// What has been reported lately.
#[derive(Debug)]
struct Subject {
    kind: usize,
    about: About,
    last: Time,
    /// Reports about it that were held back since.
    held: u64,
}

/// Reports held back since the last one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct HeldBack {
    /// About the same.
    same: u64,
    /// Of the kind, about others.
    others: u64,
}

impl<const KINDS: usize> Throttle<KINDS> {
    pub(crate) const fn new() -> Self {
        let none = OfKind { first: None, made: 0, left_out: 0 };
        Self { kinds: [none; KINDS], subjects: Vec::new() }
    }

    /// Whether a report may be made now, and which were held back before.
    pub(crate) fn admit(&mut self, kind: usize, about: About, now: Time) -> Option<HeldBack> {
        self.kinds.get(kind)?;
        self.forget((kind, about), now);
        let known = self.subjects.iter_mut().find(|one| (one.kind, one.about) == (kind, about));
        let of_kind = &mut self.kinds[kind];
        if of_kind.first.is_none_or(|first| now.since(first) >= INTERVAL) {
            (of_kind.first, of_kind.made) = (Some(now), 0);
        }
        match known {
            Some(subject) if now.since(subject.last) < INTERVAL || of_kind.made >= MOST => {
                subject.held += 1;
                return None;
            }
            None if of_kind.made >= MOST => {
                of_kind.left_out += 1;
                return None;
            }
            _ => of_kind.made += 1,
        }
        let others = core::mem::take(&mut of_kind.left_out);
        let Some(subject) = known else {
            self.subjects.push(Subject { kind, about, last: now, held: 0 });
            return Some(HeldBack { same: 0, others });
        };
        subject.last = now;
        Some(HeldBack { same: core::mem::take(&mut subject.held), others })
    }

    /// Forgets what has not been reported for long, but not this. What was held back is said with the next of its kind.
    fn forget(&mut self, but: (usize, About), now: Time) {
        let kinds = &mut self.kinds;
        self.subjects.retain(|one| {
            let stays = now.since(one.last) < INTERVAL || (one.kind, one.about) == but;
            if !stays && let Some(of_kind) = kinds.get_mut(one.kind) {
                of_kind.left_out += one.held;
            }
            stays
        });
    }
}

impl HeldBack {
    /// A report with these behind it.
    pub(crate) fn after(self, text: String) -> String {
        let text = with_held_back(text, self.same);
        match self.others {
            0 => text,
            others => format!("{text} (and {others} of this kind about others were left out)"),
        }
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

/// Reports of one kind in such a span, whatever they are about.
const MOST: u32 = 5;
/// Reports of one kind about the same are this far apart at least.
pub(super) const INTERVAL: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Time {
        Time::from_nanos(millis * 1_000_000)
    }

    const ONE: About = About::Handler(LoopId(1), Class::Bulk);

    #[test]
    fn one_report_in_ten_seconds_and_the_others_counted() {
        let mut throttle = Throttle::<2>::new();
        let same = |same| Some(HeldBack { same, others: 0 });
        assert_eq!(throttle.admit(0, ONE, at(5)), same(0));
        assert_eq!(throttle.admit(0, ONE, at(6)), None);
        assert_eq!(throttle.admit(1, ONE, at(6)), same(0));
        assert_eq!(throttle.admit(0, ONE, at(10_004)), None);
        assert_eq!(throttle.admit(0, ONE, at(10_005)), same(2));
        assert_eq!(throttle.admit(0, ONE, at(30_000)), same(0));
        assert_eq!(throttle.admit(2, ONE, at(0)), None, "no such kind");
    }

    #[test]
    fn each_loop_and_class_has_its_own_and_a_kind_has_its_most() {
        let mut throttle = Throttle::<2>::new();
        for class in [Class::Liveness, Class::Control] {
            for number in 1..=2 {
                let about = About::Handler(LoopId(number), class);
                assert_eq!(throttle.admit(0, about, at(1)), Some(HeldBack::default()));
            }
        }
        assert_eq!(throttle.admit(0, About::Worker(1), at(1)), Some(HeldBack::default()));
        // That was the last of the five; the other kind has five of its own.
        for number in 10..20 {
            assert_eq!(throttle.admit(0, About::Worker(number), at(2)), None);
        }
        assert_eq!(throttle.admit(0, About::Worker(1), at(3)), None);
        assert_eq!(throttle.admit(1, ONE, at(3)), Some(HeldBack::default()));
        // What was left out is said later, with the next of the kind; of what has been forgotten, too.
        let others = Some(HeldBack { same: 0, others: 11 });
        assert_eq!(throttle.admit(0, ONE, at(20_000)), others);
        assert_eq!(throttle.admit(0, ONE, at(20_001)), None);
        let same = Some(HeldBack { same: 1, others: 0 });
        assert_eq!(throttle.admit(0, ONE, at(30_000)), same);
        assert!(throttle.subjects.len() <= 2, "{:?}", throttle.subjects);
    }

    #[test]
    fn what_was_held_back_is_said_in_words() {
        let text = |same, others| HeldBack { same, others }.after("slow".to_owned());
        assert_eq!(text(0, 0), "slow");
        assert_eq!(text(2, 0), "slow (and 2 more like this since the last report)");
        assert_eq!(text(0, 3), "slow (and 3 of this kind about others were left out)");
    }
}

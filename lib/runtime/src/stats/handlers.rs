//! What a worker measures of handlers, by kind of loop, class and kind of handler.

use core::{fmt, panic::Location, sync::atomic::Ordering, time::Duration};
use std::sync::Arc;

use dunlin_sync::{Bulletin, Class, Snapshot};
use dunlin_trace::class_name;

use super::histogram::{Buckets, Histogram};
use crate::{driver::Done, ids::LoopId, place::PlaceId, time::Time};

/// The kind of a handler.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Handler {
    /// A message.
    Message,
    /// An event.
    Event,
    /// A timer.
    Timer,
    /// Readiness of a socket.
    Ready,
    /// A piece of a long job.
    Work,
    /// A loop's first.
    Start,
    /// A loop's last.
    Stop,
    /// A job for idle time.
    Job,
}

impl Handler {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Message,
        Self::Event,
        Self::Timer,
        Self::Ready,
        Self::Work,
        Self::Start,
        Self::Stop,
        Self::Job,
    ];

    /// The word for it, as in the flight recorder.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Message => "message",
            Self::Event => "event",
            Self::Timer => "timer",
            Self::Ready => "ready",
            Self::Work => "work",
            Self::Start => "start",
            Self::Stop => "stop",
            Self::Job => "job",
        }
    }

    /// Its place in [`Handler::ALL`].
    #[inline]
    pub const fn index(self) -> usize {
        self as usize
    }
}

impl fmt::Display for Handler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// One handler of one loop: who did something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Who {
    /// The loop.
    pub loop_id: LoopId,
    /// The kind of its handler.
    pub handler: Handler,
    /// The handler's class.
    pub class: Class,
    /// Which timer, event, socket or job.
    pub argument: u32,
    /// Where in the program it was asked for: [`RuntimeHandle::place`](crate::RuntimeHandle::place) knows.
    pub place: PlaceId,
}

impl Who {
    #[inline]
    pub(crate) fn of(done: &Done, place: PlaceId) -> Self {
        Self {
            loop_id: done.loop_id,
            handler: done.handler(),
            class: done.class(),
            argument: done.argument(),
            place,
        }
    }

    /// In words, given the name of its loop and the place where it was asked for, as far as they are known.
    pub fn describe(&self, name: Option<&str>, place: Option<&Location<'_>>) -> String {
        let (argument, class) = (self.argument, class_name(self.class.index() as u8));
        let what = match self.handler {
            Handler::Message => "a message".to_owned(),
            Handler::Event => format!("event {argument}"),
            Handler::Timer => format!("timer {argument}"),
            Handler::Ready => format!("socket {argument}"),
            Handler::Work => format!("work {argument}"),
            Handler::Job => format!("job {argument}"),
            Handler::Start => "the start".to_owned(),
            Handler::Stop => "the end".to_owned(),
        };
        let whose = match name {
            Some(name) => name.to_owned(),
            None => format!("loop {}", self.loop_id),
        };
        let asked = match place {
            Some(place) => format!(", asked at {}:{}", place.file(), place.line()),
            None => String::new(),
        };
        format!("{what} of {whose} ({class}{asked})")
    }

    /// As two words; the second is never 0, and its highest quarter but one is free.
    #[inline]
    pub(crate) fn pack(self) -> [u64; 2] {
        let kind = (self.handler as u64) << 8 | self.class.index() as u64;
        let kind = u64::from(self.place.0) << 40 | kind;
        [u64::from(self.loop_id.number()) << 32 | u64::from(self.argument), kind << 8 | 1]
    }

    pub(crate) fn unpack([names, kinds]: [u64; 2]) -> Option<Self> {
        let class = *Class::ALL.get((kinds >> 8) as usize & 0xff)?;
        let handler = *Handler::ALL.get((kinds >> 16) as usize & 0xff)?;
        (kinds & 1 == 1).then_some(Self {
            loop_id: LoopId((names >> 32) as u32),
            handler,
            class,
            argument: names as u32,
            place: PlaceId((kinds >> 48) as u16),
        })
    }
}

/// Why something waited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Culprit {
    /// This handler held the worker most of the time, for so long.
    Handler(Who, Duration),
    /// Several handlers did, none of them most of the time.
    Several,
    /// The worker slept longer than it asked for, or was not given a processor.
    System,
    /// The loop was with another worker most of the time, where no handler is known to have kept it
    /// waiting; it came to the one that ran it so long before.
    Elsewhere(Duration),
}

/// The worst of its kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Worst {
    /// How long it was.
    pub span: Duration,
    /// When it ended.
    pub at: Time,
    /// The handler that ran, or that waited.
    pub who: Who,
    /// Of a wait: whom it waited for.
    pub culprit: Option<Culprit>,
}

/// Handlers of one kind of loop, class and kind of handler; and, in [`Stats::sites`](crate::Stats::sites), of one worker and
/// asked for at one place.
#[derive(Clone, Debug)]
pub struct HandlerStats {
    /// Index of the worker that has measured it; none if it is the sum of all.
    pub worker: Option<usize>,
    /// Where they were asked for: [`RuntimeHandle::place`](crate::RuntimeHandle::place) knows. Unknown in sums, of what
    /// nobody asked for, and of what a worker has met after a thousand others.
    pub place: PlaceId,
    /// The kind of loop: the name of its type.
    pub kind: &'static str,
    /// Class of the handlers.
    pub class: Class,
    /// Their kind.
    pub handler: Handler,
    /// How long they ran.
    pub run: Histogram,
    /// The longest.
    pub longest: Option<Worst>,
    /// How long they waited to be run: after they were asked for; timers: after they were due.
    pub wait: Histogram,
    /// The longest wait.
    pub latest: Option<Worst>,
}

impl HandlerStats {
    /// Adds what another worker has measured of the same handlers.
    pub fn merge(&mut self, other: &Self) {
        self.run.merge(&other.run);
        self.wait.merge(&other.wait);
        self.longest = worse(self.longest, other.longest);
        self.latest = worse(self.latest, other.latest);
    }
}

/// The worse of two.
pub(super) fn worse(one: Option<Worst>, other: Option<Worst>) -> Option<Worst> {
    [one, other].into_iter().flatten().max_by_key(|worst| worst.span)
}

/// All that a worker measures, as other threads see it.
pub(crate) type Measures = Snapshot<Vec<Measured>>;

/// What is measured of handlers of one kind of loop, class and kind.
#[derive(Clone)]
pub(crate) struct Measured {
    pub(super) kind: &'static str,
    pub(super) class: Class,
    pub(super) handler: Handler,
    pub(super) place: PlaceId,
    pub(super) cell: Arc<Cell>,
}

impl Measured {
    /// What has been measured; nothing if there was nothing since it was cleared.
    pub(crate) fn read(&self, worker: usize) -> Option<HandlerStats> {
        let Self { kind, class, handler, place, ref cell } = *self;
        let (run, wait) = (cell.run.read(), cell.wait.read());
        let (longest, latest) = (cell.longest.read(), cell.latest.read());
        let worker = Some(worker);
        let stats =
            HandlerStats { worker, place, kind, class, handler, run, longest, wait, latest };
        (stats.run.count() > 0).then_some(stats)
    }
}

/// Histograms of run time and wait, and the worst of each.
pub(crate) struct Cell {
    pub(super) run: Buckets,
    pub(super) wait: Buckets,
    pub(super) longest: Peak,
    pub(super) latest: Peak,
}

impl Cell {
    pub(super) fn new() -> Arc<Self> {
        let buckets = Buckets::new;
        Arc::new(Self {
            run: buckets(),
            wait: buckets(),
            longest: Peak::default(),
            latest: Peak::default(),
        })
    }

    /// Counts one handler.
    #[inline]
    pub(super) fn add(&self, handler: &Done, now: Time) {
        self.run.add(handler.took(now));
        if handler.knows_since {
            self.wait.add(handler.waited());
        }
    }

    pub(super) fn clear(&self) {
        self.run.clear();
        self.wait.clear();
        self.longest.clear();
        self.latest.clear();
    }
}

/// The worst span so far, when it was, and who is to blame.
#[derive(Debug, Default)]
pub(crate) struct Peak {
    /// What a span must exceed. Written and read by the worker only (relaxed).
    span: core::sync::atomic::AtomicU64,
    /// The span, when it ended, who, what the culprit is, who that was and for how long.
    note: Bulletin<7>,
}

impl Peak {
    #[inline]
    pub(super) fn is_exceeded_by(&self, span: u64) -> bool {
        span > self.span.load(Ordering::Relaxed)
    }

    #[cold]
    pub(super) fn raise(&self, span: u64, at: Time, who: Who, culprit: Option<Culprit>) {
        self.span.store(span, Ordering::Relaxed);
        let [names, kinds] = who.pack();
        let (tag, names2, kinds2, held) = match culprit {
            None => (0, 0, 0, 0),
            Some(Culprit::Several) => (1, 0, 0, 0),
            Some(Culprit::System) => (2, 0, 0, 0),
            Some(Culprit::Elsewhere(here)) => (4, 0, 0, crate::time::nanos(here)),
            Some(Culprit::Handler(who, held)) => {
                let [names, kinds] = who.pack();
                (3, names, kinds, crate::time::nanos(held))
            }
        };
        // The tag fits where the first handler's words are free.
        self.note.show([span, at.as_nanos(), names, kinds | tag << 32, names2, kinds2, held]);
    }

    fn clear(&self) {
        self.span.store(0, Ordering::Relaxed);
        self.note.take_down();
    }

    pub(super) fn read(&self) -> Option<Worst> {
        let [span, at, names, kinds, names2, kinds2, held] = self.note.read()?.words;
        let culprit = match kinds >> 32 & 0xffff {
            1 => Some(Culprit::Several),
            2 => Some(Culprit::System),
            3 => Who::unpack([names2, kinds2])
                .map(|who| Culprit::Handler(who, Duration::from_nanos(held))),
            4 => Some(Culprit::Elsewhere(Duration::from_nanos(held))),
            _ => None,
        };
        Some(Worst {
            span: Duration::from_nanos(span),
            at: Time::from_nanos(at),
            who: Who::unpack([names, kinds])?,
            culprit,
        })
    }
}

/// The last part of a type's name, without what is in angle brackets.
pub(crate) fn short_name(name: &'static str) -> &'static str {
    let name = name.split('<').next().unwrap_or(name);
    name.rsplit("::").next().unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use dunlin_trace::Site;

    use super::*;

    #[test]
    fn handlers_are_those_of_the_recorder() {
        for handler in Handler::ALL {
            let site = Site(Site::MESSAGE.0 + handler.index() as u16);
            assert_eq!(site.name(), Some(handler.name()));
        }
    }

    #[test]
    fn the_worst_comes_back_as_it_was_noted() {
        let peak = Peak::default();
        assert_eq!(peak.read(), None);
        let who = |loop_id, handler, class, argument| Who {
            loop_id: LoopId(loop_id),
            handler,
            class,
            argument,
            place: PlaceId(argument as u16),
        };
        let one = who(u32::MAX, Handler::Job, Class::Bulk, u32::MAX);
        let other = who(7, Handler::Message, Class::Liveness, 0);
        let held = Duration::from_millis(3);
        let culprits = [None, Some(Culprit::Several), Some(Culprit::System)];
        let more = [Culprit::Handler(other, held), Culprit::Elsewhere(held)];
        for culprit in culprits.into_iter().chain(more.map(Some)) {
            for who in [one, other] {
                peak.raise(5, Time::from_nanos(9), who, culprit);
                let span = Duration::from_nanos(5);
                assert_eq!(
                    peak.read(),
                    Some(Worst { span, at: Time::from_nanos(9), who, culprit })
                );
            }
        }
        assert!(peak.is_exceeded_by(6) && !peak.is_exceeded_by(5));
        peak.clear();
        assert_eq!(peak.read(), None);
        assert!(peak.is_exceeded_by(1));
    }

    #[test]
    fn a_kind_is_the_last_part_of_the_name() {
        assert_eq!(short_name("dunlin_rib::slice::Slice"), "Slice");
        assert_eq!(short_name("a::Boxed<b::Inner<c::D>>"), "Boxed");
        assert_eq!(short_name("u8"), "u8");
    }
}

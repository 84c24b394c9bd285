//! What is measured of each loop, in little memory: loops are many, and most do little.
//!
//! The buckets are those of all histograms. Eight of them, which are a power of two and one line of the processor's
//! cache, are made when the first span falls into one of them: a loop that has done little has five or so of 96.

use core::{fmt, time::Duration};

use super::{
    handlers::{Culprit, Handler, Who, Worst},
    histogram::{BUCKETS, Histogram, STEPS, bucket},
    timings::{Profile, Timings},
};
use crate::{
    driver::Done,
    time::{Time, nanos},
};

/// Histograms of run time, waiting and lateness of one loop, and the worst of each. Touched by its worker only.
pub(crate) struct LoopTimings {
    /// Where the counts of each eight buckets are; [`NOWHERE`] if there are none.
    places: [[u8; BUCKETS / STEP]; KINDS],
    counts: Vec<[u64; STEP]>,
    /// All waits together, and all lateness; run time is counted elsewhere.
    sums: [u64; KINDS],
    /// What a span must exceed to be the worst.
    most: [u64; KINDS],
    worst: [Option<Worst>; KINDS],
}

impl LoopTimings {
    pub(crate) fn new() -> Self {
        Self {
            places: [[NOWHERE; BUCKETS / STEP]; KINDS],
            counts: Vec::new(),
            sums: [0; KINDS],
            most: [0; KINDS],
            worst: [None; KINDS],
        }
    }

    /// Counts a handler; false, and nothing has been done, if it is [of note](Self::note) here: the worst so far, or
    /// the first in some buckets.
    #[inline]
    pub(super) fn add(&mut self, handler: &Done, took: u64, waited: u64) -> bool {
        let kind = waiting(handler);
        let (run, wait) = (bucket(took), bucket(waited));
        let run_at = usize::from(self.places[RUN][run / STEP]);
        // Of what is not known when it was asked for, it is not known how long it waited.
        let wait_at =
            if handler.knows_since { usize::from(self.places[kind][wait / STEP]) } else { run_at };
        let there = self.counts.len();
        if took > self.most[RUN] || waited > self.most[kind] || run_at >= there || wait_at >= there
        {
            return false;
        }
        self.counts[run_at][run % STEP] += 1;
        if handler.knows_since {
            self.counts[wait_at][wait % STEP] += 1;
            self.sums[kind] += waited;
        }
        true
    }

    /// Counts a handler that is of note. `who` and `culprit` are asked if it is the worst.
    #[cold]
    pub(super) fn note(
        &mut self,
        handler: &Done,
        now: Time,
        who: impl Fn() -> Who,
        culprit: impl FnOnce() -> Culprit,
    ) {
        let (took, waited, kind) = (handler.took(now), handler.waited(), waiting(handler));
        self.make(RUN, bucket(took));
        if handler.knows_since {
            self.make(kind, bucket(waited));
        }
        if took > self.most[RUN] {
            self.raise(RUN, Worst { span: span(took), at: now, who: who(), culprit: None });
        }
        if waited > self.most[kind] {
            let (at, culprit) = (handler.began, Some(culprit()));
            self.raise(kind, Worst { span: span(waited), at, who: who(), culprit });
        }
        let counted = self.add(handler, took, waited);
        debug_assert!(counted, "there is a place for it");
    }

    /// Makes the counts that this bucket is among.
    fn make(&mut self, kind: usize, bucket: usize) {
        let place = &mut self.places[kind][bucket / STEP];
        if *place == NOWHERE {
            *place = self.counts.len() as u8;
            // Exactly so many: there will hardly be more.
            self.counts.reserve_exact(1);
            self.counts.push([0; STEP]);
        }
    }

    fn raise(&mut self, kind: usize, worst: Worst) {
        self.most[kind] = nanos(worst.span);
        self.worst[kind] = Some(worst);
    }

    /// The longest handler.
    pub(crate) fn longest(&self) -> Duration {
        span(self.most[RUN])
    }

    /// The longest that a handler has waited, or was late.
    pub(crate) fn latest(&self) -> Duration {
        span(self.most[WAIT].max(self.most[LATE]))
    }

    /// All of it. The run time of all handlers together is known elsewhere.
    pub(crate) fn read(&self, run: Duration) -> Timings {
        let profile = |kind: usize, sum: u64| {
            let mut counts = Vec::new();
            for (at, &place) in self.places[kind].iter().enumerate() {
                let eight = self.counts.get(usize::from(place)).into_iter().flatten();
                let counted = eight.enumerate().filter(|(_, count)| **count != 0);
                counts.extend(counted.map(|(step, &count)| ((at * STEP + step) as u16, count)));
            }
            Profile { spans: Histogram::new(counts, sum), worst: self.worst[kind] }
        };
        Timings {
            run: profile(RUN, nanos(run)),
            wait: profile(WAIT, self.sums[WAIT]),
            late: profile(LATE, self.sums[LATE]),
        }
    }
}

impl fmt::Debug for LoopTimings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (longest, latest) = (self.longest(), self.latest());
        let mut shown = f.debug_struct("LoopTimings");
        shown.field("longest", &longest).field("latest", &latest).finish_non_exhaustive()
    }
}

/// Kinds of spans.
const RUN: usize = 0;
const WAIT: usize = 1;
const LATE: usize = 2;
const KINDS: usize = 3;
/// Buckets that are made together.
const STEP: usize = STEPS as usize;
/// No place.
const NOWHERE: u8 = u8::MAX;

const _: () = assert!(KINDS * BUCKETS / STEP < NOWHERE as usize);

/// What the time is called that a handler has waited.
#[inline]
fn waiting(handler: &Done) -> usize {
    if handler.handler() == Handler::Timer { LATE } else { WAIT }
}

fn span(nanos: u64) -> Duration {
    Duration::from_nanos(nanos)
}

#[cfg(test)]
mod tests {
    use dunlin_sync::Class;

    use super::*;
    use crate::{
        ids::{Key, LoopId},
        place::PlaceId,
        step::{Kind, Reason, Step},
    };

    fn who() -> Who {
        Who {
            loop_id: LoopId(3),
            handler: Handler::Event,
            class: Class::Bulk,
            argument: 0,
            place: PlaceId::UNKNOWN,
        }
    }

    /// A handler that was asked for at `since`, or nobody knows when if that is zero, and what is said of it.
    fn count(timings: &mut LoopTimings, kind: Kind, [since, began, ended]: [u64; 3]) -> bool {
        let step = Step::of(kind, Class::Bulk, Key::NONE);
        let reason = Reason { since: Time::from_nanos(since), ..Reason::NONE };
        let handler = Done::new(step, reason, LoopId(3), Time::from_nanos(began));
        let now = Time::from_nanos(ended);
        let counted = timings.add(&handler, handler.took(now), handler.waited());
        if !counted {
            timings.note(&handler, now, who, || Culprit::Several);
        }
        counted
    }

    #[test]
    fn it_counts_as_a_whole_histogram_does() {
        let mut timings = LoopTimings::new();
        let mut expected = Timings::default();
        let mut sum = 0;
        for i in 0..20_000u64 {
            let took = (i * i * 7919) % (1 << (i % 40));
            let waited = (i * 104_729) % (1 << (i % 33));
            let kind = if i % 3 == 0 { Kind::Timer } else { Kind::Event };
            let since = if i % 7 == 0 { 0 } else { 1 << 50 };
            let began = (1 << 50) + waited;
            count(&mut timings, kind, [since, began, began + took]);
            expected.run.spans.add(span(took));
            sum += took;
            let waits = if i % 3 == 0 { &mut expected.late } else { &mut expected.wait };
            if since != 0 {
                waits.spans.add(span(waited));
            }
        }
        let read = timings.read(span(sum));
        assert_eq!(read.run.spans, expected.run.spans);
        assert_eq!(read.wait.spans, expected.wait.spans);
        assert_eq!(read.late.spans, expected.late.spans);
    }

    #[test]
    fn the_worst_of_each_is_kept_with_its_time() {
        let mut timings = LoopTimings::new();
        count(&mut timings, Kind::Event, [100, 130, 137]);
        count(&mut timings, Kind::Event, [200, 220, 229]);
        count(&mut timings, Kind::Timer, [300, 350, 351]);
        // Later, and no worse.
        count(&mut timings, Kind::Timer, [400, 450, 459]);
        let read = timings.read(Duration::ZERO);
        let worst = |profile: Profile| {
            let Worst { span, at, culprit, .. } = profile.worst.unwrap();
            (span.as_nanos(), at.as_nanos(), culprit.is_some())
        };
        assert_eq!(worst(read.run), (9, 229, false));
        assert_eq!(worst(read.wait), (30, 130, true));
        assert_eq!(worst(read.late), (50, 350, true));
        assert_eq!((timings.longest(), timings.latest()), (span(9), span(50)));
    }

    #[test]
    fn only_what_is_new_is_of_note() {
        let mut timings = LoopTimings::new();
        assert!(!count(&mut timings, Kind::Event, [100, 200, 300]));
        assert!(count(&mut timings, Kind::Event, [100, 200, 300]), "no longer than the first");
        assert!(!count(&mut timings, Kind::Event, [100, 200, 301]), "the longest");
        assert!(!count(&mut timings, Kind::Timer, [100, 200, 300]), "the first timer");
        assert!(
            !count(&mut timings, Kind::Event, [100, 110, 200]),
            "the first that waited so long"
        );
        assert!(count(&mut timings, Kind::Event, [0, 110, 200]), "how long, nobody knows");
        let read = timings.read(Duration::ZERO);
        assert_eq!((read.run.spans.count(), read.wait.spans.count()), (6, 4));
        assert_eq!(read.late.spans.count(), 1);
    }

    #[test]
    fn a_loop_that_has_done_little_needs_little() {
        let mut timings = LoopTimings::new();
        for took in [900, 1100, 700, 4000] {
            count(&mut timings, Kind::Event, [1000, 3000, 3000 + took]);
        }
        assert_eq!(timings.counts.len(), timings.counts.capacity());
        let bytes = size_of::<LoopTimings>() + size_of_val(&timings.counts[..]);
        println!("{} and {bytes} bytes", size_of::<LoopTimings>());
        assert!(bytes <= 800, "{bytes}");
    }
}

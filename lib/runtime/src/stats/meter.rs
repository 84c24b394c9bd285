//! What a worker measures at the boundaries of handlers, for the real worker and the simulated one.

use core::{sync::atomic::AtomicU64, time::Duration};
use std::sync::Arc;

use dunlin_sync::{Bulletin, Class};
use dunlin_trace::RecordId;

use super::{
    blame::{Blame, Held},
    cells::{Cells, Key},
    findings::{Finding, Limits},
    handlers::{Cell, Culprit, Measured, Measures, Who},
    loop_timings::LoopTimings,
};
use crate::{
    driver::Done,
    ids::LoopId,
    loop_cell::Counters,
    place::PlaceId,
    time::{Time, nanos},
};

/// What others see of a worker's measurements.
pub(crate) struct Gauge {
    /// Histograms.
    pub(crate) measures: Measures,
    /// The handler that runs: names, kinds, when it began, its cause.
    pub(crate) running: Bulletin<4>,
    /// Handlers that ran longer than they may, by class. Written by the worker, read by anyone.
    pub(crate) overruns: [AtomicU64; CLASSES],
    /// Handlers that ran later than they may, by class.
    pub(crate) lates: [AtomicU64; CLASSES],
    /// The version of `running` of the last handler that the watcher has reported. Written by the
    /// watcher, read by the worker, so that one of them reports; relaxed, as two reports do no harm.
    pub(crate) reported: AtomicU64,
}

/// Classes there are.
pub(crate) const CLASSES: usize = Class::ALL.len();

impl Gauge {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            measures: Measures::new(Vec::new()),
            running: Bulletin::new(),
            overruns: Default::default(),
            lates: Default::default(),
            reported: AtomicU64::new(0),
        })
    }
}

/// A handler under way, as the watcher reads it from [`Gauge::running`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Running {
    pub(crate) who: Who,
    pub(crate) began: Time,
    /// The flight record of who asked for it.
    pub(crate) cause: RecordId,
    /// Tells it from all other handlers of this worker.
    pub(crate) version: u64,
}

impl Running {
    pub(crate) fn read(gauge: &Gauge) -> Option<Self> {
        let shown = gauge.running.read()?;
        let [names, kinds, began, cause] = shown.words;
        Some(Self {
            who: Who::unpack([names, kinds])?,
            began: Time::from_nanos(began),
            cause: RecordId::from_bits(cause),
            version: shown.version,
        })
    }
}

/// The measuring end, owned by the worker.
pub(crate) struct Meter {
    gauge: Arc<Gauge>,
    limits: Arc<Limits>,
    /// The kinds of loops met so far: the names of their types.
    kinds: Vec<&'static str>,
    cells: Cells,
    /// The loop whose turn it is, and its kind's place among them.
    current: (LoopId, usize),
    /// Where the handler that runs was asked for.
    place: PlaceId,
    blame: Blame,
    /// Handlers that have called the one that runs.
    calls: Vec<[u64; 4]>,
    /// What is to be reported when the turn is over.
    pub(crate) findings: Vec<Finding>,
}

impl Meter {
    pub(crate) fn new(gauge: Arc<Gauge>, limits: Arc<Limits>) -> Self {
        Self {
            gauge,
            limits,
            kinds: Vec::new(),
            cells: Cells::new(),
            current: (LoopId(0), 0),
            place: PlaceId::UNKNOWN,
            blame: Blame::new(),
            calls: Vec::new(),
            findings: Vec::new(),
        }
    }

    /// What others see.
    pub(crate) fn gauge(&self) -> &Gauge {
        &self.gauge
    }

    /// A loop of this kind has its turn.
    #[inline]
    pub(crate) fn enter(&mut self, loop_id: LoopId, kind: &'static str) {
        if self.current.0 != loop_id {
            self.current = (loop_id, self.number_of(kind));
        }
    }

    fn number_of(&mut self, kind: &'static str) -> usize {
        let found = self.kinds.iter().position(|name| *name == kind);
        found.unwrap_or_else(|| {
            self.kinds.push(kind);
            self.kinds.len() - 1
        })
    }

    /// A handler begins.
    #[inline(always)] // into its few callers, at every handler
    pub(crate) fn begin(&mut self, handler: &Done, place: PlaceId) {
        let [names, kinds] = Who::of(handler, place).pack();
        let (began, cause) = (handler.began.as_nanos(), handler.cause.to_bits());
        self.gauge.running.show([names, kinds, began, cause]);
        self.place = place;
    }

    /// A handler begins that the one that runs has called.
    pub(crate) fn begin_call(&mut self, handler: &Done, place: PlaceId) {
        self.calls.extend(self.gauge.running.read().map(|shown| shown.words));
        self.begin(handler, place);
    }

    /// A call within a handler is over: the handler goes on. Its time is the handler's.
    pub(crate) fn end_call(&mut self) {
        if let Some(caller) = self.calls.pop() {
            self.gauge.running.show(caller);
            let [names, kinds, ..] = caller;
            self.place = Who::unpack([names, kinds]).map_or(PlaceId::UNKNOWN, |who| who.place);
        }
    }

    /// It has ended, of the loop whose timings these are; false if that is [of note](Self::end_of_note), and
    /// nothing has been done about it.
    #[inline(always)] // as `begin`
    pub(crate) fn end(&mut self, handler: &Done, now: Time, timings: &mut LoopTimings) -> bool {
        let (took, waited) = (handler.took(now), handler.waited());
        let Some(cell) = self.cell(handler) else { return false };
        if cell.longest.is_exceeded_by(took)
            || cell.latest.is_exceeded_by(waited)
            || waited >= self.limits.late(handler.class())
            || took >= LONG
            || !timings.add(handler, took, waited)
        {
            return false;
        }
        cell.add(handler, now);
        self.gauge.running.take_down();
        true
    }

    /// The end of a handler that is the first of its kind here, or the worst so far, or took or waited long.
    #[cold]
    #[inline(never)]
    pub(crate) fn end_of_note(&mut self, handler: &Done, now: Time, timings: &mut LoopTimings) {
        let (took, waited) = (handler.took(now), handler.waited());
        timings.note(handler, now, || self.who(handler), || self.culprit(handler));
        let (who, culprit) = (self.who(handler), self.culprit(handler));
        if let Some(cell) = self.cell_of_note(handler) {
            cell.add(handler, now);
            if cell.longest.is_exceeded_by(took) {
                cell.longest.raise(took, now, who, None);
            }
            if cell.latest.is_exceeded_by(waited) {
                cell.latest.raise(waited, handler.began, who, Some(culprit));
            }
        }
        if waited >= self.limits.late(handler.class()) {
            self.late(handler, waited);
        }
        if took >= LONG {
            self.long(handler, now);
        }
        self.gauge.running.take_down();
    }

    #[inline]
    fn key(&self, handler: &Done) -> Key {
        Key::new(self.current.1, handler.class(), handler.handler(), self.place)
    }

    #[inline]
    fn cell(&self, handler: &Done) -> Option<&Cell> {
        self.cells.find(self.key(handler))
    }

    /// Where a handler of note is measured.
    fn cell_of_note(&mut self, handler: &Done) -> Option<&Cell> {
        let own = self.key(handler);
        if self.cells.find(own).is_none() && self.cells.has_room() {
            self.make_cell(handler, own, self.place);
        }
        if self.cells.find(own).is_some() {
            return self.cells.find(own);
        }
        let shared = own.anywhere();
        if self.cells.find(shared).is_none() {
            self.make_cell(handler, shared, PlaceId::UNKNOWN);
        }
        self.cells.find(shared)
    }

    /// The handler panicked: its time is not measured.
    #[cold]
    pub(crate) fn abandon(&mut self) {
        self.calls.clear();
        self.gauge.running.take_down();
    }

    /// The worker has slept, until now.
    pub(crate) fn woke(&mut self, now: Time) {
        self.blame.woke(now);
    }

    /// The turn of a loop begins that came from another worker then: [`Time::ZERO`] if from none.
    #[inline]
    pub(crate) fn turn(&mut self, here_since: Time) {
        self.blame.turn(here_since);
    }

    /// A loop goes to another worker: who held it up here, if somebody may have.
    pub(crate) fn leaves(&self, loop_id: LoopId, now: Time) -> Option<Held> {
        self.blame.leaves(loop_id, now)
    }

    /// A loop comes from another worker, where this held it up.
    pub(crate) fn comes(&mut self, loop_id: LoopId, held: Option<Held>) {
        if let Some(held) = held {
            self.blame.comes(loop_id, held);
        }
    }

    /// Forgets what has been measured.
    pub(crate) fn clear(&mut self) {
        self.cells.each().for_each(Cell::clear);
        for counter in self.gauge.overruns.iter().chain(&self.gauge.lates) {
            counter.store(0, core::sync::atomic::Ordering::Relaxed);
        }
    }

    /// Who has just run, and still is shown as running.
    #[cold]
    fn who(&self, handler: &Done) -> Who {
        let shown = Running::read(&self.gauge);
        Who::of(handler, shown.map_or(PlaceId::UNKNOWN, |running| running.who.place))
    }

    /// Who has kept it waiting.
    #[cold]
    fn culprit(&self, handler: &Done) -> Culprit {
        self.blame.culprit(handler.loop_id, handler.since, handler.began)
    }

    fn make_cell(&mut self, handler: &Done, key: Key, place: PlaceId) {
        let Some(&kind) = self.kinds.get(self.current.1) else { return };
        let (class, handler, cell) = (handler.class(), handler.handler(), Cell::new());
        self.cells.add(key, Arc::clone(&cell));
        let mut all = self.gauge.measures.load_full().to_vec();
        all.push(Measured { kind, class, handler, place, cell });
        self.gauge.measures.store(Arc::new(all));
    }

    #[cold]
    fn long(&mut self, handler: &Done, now: Time) {
        let who = self.who(handler);
        self.blame.held(Held { began: handler.began, ended: now, who });
        let took = now.since(handler.began);
        if nanos(took) >= self.limits.overrun(handler.class()) {
            Counters::add(&self.gauge.overruns[handler.class().index()], 1);
            let version = self.gauge.running.version();
            let reported = self.gauge.reported.load(core::sync::atomic::Ordering::Relaxed);
            self.findings.push(Finding::Overrun { who, took, reported: reported == version });
        }
    }

    #[cold]
    fn late(&mut self, handler: &Done, waited: u64) {
        Counters::add(&self.gauge.lates[handler.class().index()], 1);
        let culprit = self.culprit(handler);
        let late = Duration::from_nanos(waited);
        self.findings.push(Finding::Late { who: self.who(handler), late, culprit });
    }
}

/// A handler that holds its worker this long, in nanoseconds, is remembered.
const LONG: u64 = 50_000;

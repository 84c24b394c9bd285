//! Who runs next, and when: virtual workers on one virtual clock.

use core::time::Duration;
use std::{collections::BTreeMap, sync::Arc};

use dunlin_mem::Arena;
use dunlin_sync::{Class, Classes, Item};

use super::{
    SimOptions,
    balance::Fares,
    dispatch::{Injected, SimDispatch},
    engine::Engine,
    net::SimNet,
    spent::Spent,
};
use crate::{
    dispatch::{Dispatch, RunEntry, look_at_clocks},
    ending::Stop,
    groups::{GroupId, Groups},
    handle::RuntimeHandle,
    kit::idle::Idle,
    loop_cell::{Counters, Runnable, begin, notify_dyn},
    loop_core::Deadlines,
    moves::MoveLog,
    options::{LogRecord, first_groups},
    placement::{Auto, Gauge},
    stats::{Finding, Throttle, WorkerStats},
    time::{Time, nanos},
    worker::{POLL_INTERVAL, budget::Turns, deadlines::DeadlineHeap, queue::RunQueue},
};

/// The simulated pool.
pub(super) struct Scheduler {
    pub(super) dispatch: Arc<SimDispatch>,
    pub(super) engine: Engine,
    arena: Arena,
    pub(super) options: SimOptions,
    pub(super) now: Time,
    /// By index; one that has ended stays until its index is used again.
    pub(super) workers: Vec<Worker>,
    pub(super) groups: Groups,
    pub(super) moves: MoveLog,
    /// Groups whose number of workers follows the load.
    pub(super) autos: BTreeMap<GroupId, Auto>,
    /// All loops; a slot is not used again.
    pub(super) loops: Vec<Option<Resident>>,
    pub(super) stopping: bool,
    /// How loops are stopped, once they are.
    pub(super) how: Stop,
}

/// A virtual worker.
pub(super) struct Worker {
    /// When what it is doing ends.
    free_at: Time,
    pub(super) spent: Spent,
    /// It runs nothing any more.
    pub(super) ended: bool,
    pub(super) turns: Turns,
    pub(super) fares: Fares,
    pub(super) queue: RunQueue<RunEntry>,
    pub(super) turn: Option<Turn>,
    polled: Time,
    pub(super) liveness: DeadlineHeap,
    rest: DeadlineHeap,
    idle: Idle,
    pub(super) counts: WorkerStats,
    pub(super) reports: Throttle<{ Finding::KINDS }>,
}

/// A turn under way: handlers of other workers may come between its handlers.
pub(super) struct Turn {
    pub(super) entry: RunEntry,
    /// What was pending when it began.
    pending: Classes,
    /// What is left, as far as is known.
    pub(super) left: Classes,
    /// The class in whose queue it stood.
    from: Class,
    until: Time,
    /// What has been deferred goes before the worker looks at its poller.
    owes: bool,
}

pub(super) struct Resident {
    pub(super) cell: Arc<dyn Runnable>,
    pub(super) worker: usize,
    pub(super) arrived: Time,
    /// When it came from another worker; zero for one that was always where it is.
    pub(super) here_since: Time,
    pub(super) gauge: Gauge,
}

/// What happens next.
enum Next {
    Segment,
    Worker(usize),
    /// A look at how many workers there should be.
    Number,
}

impl Scheduler {
    pub(super) fn new(options: SimOptions) -> Self {
        let groups = first_groups(&options.groups, options.workers);
        let dispatch = SimDispatch::new(&groups, &options);
        let (limits, places) = (Arc::clone(&dispatch.limits), Arc::clone(&dispatch.places));
        let engine = Engine::new(&options, limits, places);
        let now = engine.now;
        let mut new = Self {
            dispatch,
            engine,
            arena: Arena::new(1 << 20),
            options,
            now,
            workers: Vec::new(),
            groups,
            moves: MoveLog::default(),
            autos: BTreeMap::new(),
            loops: Vec::new(),
            stopping: false,
            how: Stop::NOW,
        };
        new.start_group(new.groups.default());
        new
    }

    pub(super) fn handle(&self) -> RuntimeHandle {
        RuntimeHandle::new(Arc::clone(&self.dispatch) as Arc<dyn Dispatch>, GroupId::DEFAULT)
    }

    pub(super) fn now(&self) -> Time {
        self.now
    }

    pub(super) fn net(&mut self) -> &mut SimNet {
        &mut self.engine.net
    }

    pub(super) fn trace_hash(&self) -> u64 {
        self.engine.hash.0
    }

    pub(super) fn handlers(&self) -> u64 {
        self.engine.handlers
    }

    pub(super) fn block(&mut self, index: usize, span: Duration) {
        let now = self.now;
        if let Some(worker) = self.workers.get_mut(index) {
            worker.spent.wakes(now);
            worker.free_at = worker.free_at.max(now) + span;
            worker.spent.sleeps_from(worker.free_at);
        }
    }

    /// See [`super::SimRuntime::step`].
    pub(super) fn step(&mut self, limit: Time) -> bool {
        self.settle();
        match self.choose() {
            Some((when, next)) if when <= limit => {
                self.now = self.now.max(when);
                match next {
                    Next::Segment => {
                        self.engine.net.deliver(self.now, &mut self.engine.chance);
                    }
                    Next::Worker(index) => self.act(index),
                    Next::Number => {}
                }
                self.consider_number();
                self.settle();
                true
            }
            _ => {
                self.now = self.now.max(limit);
                false
            }
        }
    }

    /// The earliest thing that can happen; among equals, chance decides.
    fn choose(&mut self) -> Option<(Time, Next)> {
        let arrival = self.engine.net.next_arrival().map(|when| (when, Next::Segment));
        let mut best = arrival.map(|(when, next)| (when.max(self.now), next));
        for index in 0..self.workers.len() {
            let Some(when) = self.when(index) else { continue };
            let when = when.max(self.now);
            let better = match &best {
                Some((earliest, _)) if when == *earliest => self.engine.chance.per_mille(500),
                Some((earliest, _)) => when < *earliest,
                None => true,
            };
            if better {
                best = Some((when, Next::Worker(index)));
            }
        }
        if let Some(when) = self.number_due()
            && best.as_ref().is_none_or(|(earliest, _)| when < *earliest)
        {
            best = Some((when.max(self.now), Next::Number));
        }
        best
    }

    /// When a worker can do something next.
    fn when(&self, index: usize) -> Option<Time> {
        let worker = self.workers.get(index).filter(|worker| !worker.ended)?;
        let busy = worker.turn.is_some() || !worker.queue.is_empty();
        if busy || !worker.idle.is_empty() || self.engine.net.is_hot(index) {
            return Some(worker.free_at);
        }
        let due = worker.liveness.first().min(worker.rest.first());
        (due != Time::NEVER).then(|| due.max(worker.free_at))
    }

    /// One step of one worker: looks around, then runs one handler.
    fn act(&mut self, index: usize) {
        if self.oversleeps(index) {
            return;
        }
        self.engine.worker = index;
        self.engine.now = self.now;
        self.engine.consumed = Duration::ZERO;
        self.workers[index].spent.wakes(self.now);
        if self.workers[index].free_at < self.now {
            self.workers[index].fares.rest(self.now);
        }
        let busy = self.look(index);
        self.fire(index);
        self.settle();
        if busy {
            self.consider_busy(index);
        }
        self.interrupt(index);
        self.grant_job(index);
        let now = self.now;
        if self.workers[index].turn.is_none() && !self.begin_turn(index) {
            // Nothing after all; time goes on so that a mistake cannot stop the clock.
            self.workers[index].free_at = now + IDLE_STEP;
            self.workers[index].spent.sleeps_from(now + IDLE_STEP);
            return;
        }
        self.run_handler(index);
        if self.workers[index].turn.is_none() && self.workers[index].queue.is_empty() {
            self.consider_idle(index);
        }
        if self.engine.chance.per_mille(self.options.moves) {
            self.move_any();
        }
    }

    /// Whether a worker that was asleep has to wait for a processor first.
    fn oversleeps(&mut self, index: usize) -> bool {
        let slept = self.workers[index].free_at < self.now;
        let late = slept && self.engine.chance.per_mille(self.options.late_wakes);
        if late {
            self.workers[index].free_at =
                self.now + self.engine.chance.span(&self.options.wake_delay);
        }
        late
    }

    /// Hands out readiness, as often as a real worker does; true if the worker took the time while it
    /// was busy.
    fn look(&mut self, index: usize) -> bool {
        let worker = &self.workers[index];
        let idle = worker.turn.is_none() && worker.queue.is_empty();
        let owes = worker.turn.as_ref().is_some_and(|turn| turn.owes);
        if owes || !idle && self.now.since(worker.polled) < POLL_INTERVAL {
            return false;
        }
        self.workers[index].polled = self.now;
        if idle {
            self.engine.meter().woke(self.now);
        }
        look_at_clocks(&*self.dispatch, self.now, &self.engine.clocks());
        for (watch, ready) in self.engine.net.poll(index) {
            let resident = self.loops.get(watch.slot as usize).and_then(Option::as_ref);
            if let Some(resident) = resident
                && let Some(class) = resident.cell.mark_ready(watch.id, ready, &mut self.engine)
            {
                notify_dyn(&resident.cell, class);
            }
        }
        !idle
    }

    /// Schedules loops whose timers are due.
    fn fire(&mut self, index: usize) {
        let now = self.now;
        while let Some(slot) = self.workers[index].liveness.pop_due(now) {
            self.notify(slot, Class::Liveness);
        }
        while let Some(slot) = self.workers[index].rest.pop_due(now) {
            self.notify(slot, Class::Control);
        }
    }

    pub(super) fn notify(&self, slot: u32, class: Class) {
        if let Some(resident) = self.loops.get(slot as usize).and_then(Option::as_ref) {
            notify_dyn(&resident.cell, class);
        }
    }

    /// Has one step of a job run, if the worker has nothing else to do or owes it.
    fn grant_job(&mut self, index: usize) {
        let worker = &mut self.workers[index];
        let is_idle = worker.turn.is_none() && worker.queue.is_empty();
        if !is_idle && !worker.idle.is_due(self.now) {
            return;
        }
        let Some(slot) = worker.idle.next(self.now) else { return };
        let resident = self.loops.get(slot as usize).and_then(Option::as_ref);
        let Some(resident) = resident.filter(|resident| resident.cell.grant_job()) else {
            return worker.idle.set(slot, None, self.now);
        };
        worker.counts.floor += u64::from(!is_idle);
        notify_dyn(&resident.cell, if is_idle { Class::Bulk } else { Class::Control });
        self.settle();
    }

    /// Ends a turn early if a loop has something for liveness.
    fn interrupt(&mut self, index: usize) {
        if self.workers[index].queue.has_liveness()
            && let Some(turn) = self.workers[index].turn.take()
            && let Some(class) = turn.entry.cell.header().state().end_run(turn.left)
        {
            let entry = RunEntry { class, ..turn.entry };
            self.end_turn(index, entry, turn.until);
        }
    }

    fn begin_turn(&mut self, index: usize) -> bool {
        let worker = &mut self.workers[index];
        loop {
            let (shuffle, chance) = (self.options.shuffle, &mut self.engine.chance);
            let entry = match shuffle {
                true => worker.queue.pop_any(|count| chance.below(count)),
                false => worker.queue.pop(),
            };
            let Some(entry) = entry else { return false };
            let Some(pending) = begin(&entry) else { continue };
            let class = pending.highest().unwrap_or(entry.class);
            let number = entry.cell.header().id().number();
            let budget = worker.turns.begin(class, number, worker.queue.len());
            let until = self.now + Duration::from_nanos(budget);
            worker.counts.turns += 1;
            let from = entry.class;
            let turn = Turn { entry, pending, left: pending, from, until, owes: false };
            worker.turn = Some(turn);
            return true;
        }
    }

    /// Puts a loop back whose turn ended that might have lasted until `until`: in front if it was cut
    /// short.
    fn end_turn(&mut self, index: usize, entry: RunEntry, until: Time) {
        let worker = &mut self.workers[index];
        let (class, number) = (entry.class, entry.cell.header().id().number());
        if worker.turns.end(class, number, self.now, until) {
            worker.queue.push_front(class, entry);
        } else {
            worker.queue.push(class, entry);
        }
    }

    /// Runs the next handler of the worker's turn, and ends the turn if it is time.
    fn run_handler(&mut self, index: usize) {
        let Some(turn) = self.workers[index].turn.take() else { return };
        let slot = turn.entry.cell.header().slot();
        let resident = self.loops.get(slot as usize).and_then(Option::as_ref);
        let here_since = resident.map_or(Time::ZERO, |resident| resident.here_since);
        self.engine.meter().turn(here_since);
        let others = self.workers[index].liveness.first_but(slot);
        self.engine.turn_until = turn.until.min(others);
        self.engine.urgent = self.workers[index].queue.has_liveness();
        self.engine.others = self.workers[index].queue.classes();
        self.engine.turn_class = turn.from;
        let before = self.engine.handlers;
        let (cell, engine) = (&turn.entry.cell, &mut self.engine);
        let pending = turn.pending.union(turn.left);
        let ended = cell.run(cell, pending, engine, &mut self.arena);
        let took = self.engine.consumed;
        let jobs = core::mem::take(&mut self.engine.jobs);
        self.count(index, cell, took);
        self.workers[index].spent.runs_until(self.now + took);
        self.workers[index].queue.charge(turn.from, nanos(took));
        self.workers[index].free_at = self.now + took;
        self.engine.net.reap(self.now, &mut self.engine.chance);
        if ended.stopped {
            self.bury(slot);
            return;
        }
        self.note_deadlines(index, slot, ended.deadlines);
        let now = self.now + took;
        if jobs > Duration::ZERO {
            self.workers[index].counts.jobs += jobs;
            self.workers[index].idle.spent(now, jobs);
        }
        let due = ended.deadlines.liveness.min(ended.deadlines.rest) <= now;
        // A loop that ran nothing gives way, whatever it has left.
        let ran = self.engine.handlers != before;
        let goes_on = now < turn.until && (due || !ended.left.is_empty());
        if ran && (ended.owes || goes_on) {
            self.workers[index].turn = Some(Turn { left: ended.left, owes: ended.owes, ..turn });
        } else if let Some(class) = turn.entry.cell.header().state().end_run(ended.left) {
            let entry = RunEntry { class, ..turn.entry };
            self.workers[index].queue.push(class, entry);
        }
        self.send_home(slot);
    }

    fn count(&mut self, index: usize, cell: &Arc<dyn Runnable>, took: Duration) {
        let counters = &cell.header().counters;
        Counters::add(&counters.run, nanos(took));
        Counters::add(&counters.turns, 1);
        let counts = &mut self.workers[index].counts;
        counts.busy += took;
        counts.longest = counts.longest.max(took);
        let waiting = self.workers[index].queue.len();
        self.workers[index].fares.count(waiting);
        self.report_findings(index);
    }

    pub(super) fn note_deadlines(&mut self, index: usize, slot: u32, deadlines: Deadlines) {
        self.workers[index].liveness.set(slot, deadlines.liveness);
        self.workers[index].rest.set(slot, deadlines.rest);
        self.workers[index].idle.set(slot, deadlines.job, self.now);
    }

    /// Sees to what handlers, and the test, have sent and closed.
    fn settle(&mut self) {
        self.engine.net.reap(self.now, &mut self.engine.chance);
        while !self.dispatch.inbox.is_empty() {
            for entry in self.dispatch.inbox.take_all() {
                let Item::Message(injected) = entry.item else { continue };
                match injected {
                    Injected::Run(entry) => {
                        let worker = usize::from(entry.at.worker);
                        if let Some(worker) = self.workers.get_mut(worker) {
                            worker.queue.push(entry.class, entry);
                        }
                    }
                    Injected::Admit(cell) => self.admit(cell),
                    Injected::Resize(group, threads) => self.resize(group, threads),
                    Injected::SetGroups(groups) => self.set_groups(groups),
                    Injected::Report(survey, reply) => {
                        let log = |record: &LogRecord| self.dispatch.log(record);
                        reply.call(self.survey(&survey), &log);
                    }
                    Injected::ClearStats => self.clear_stats(),
                    Injected::Shutdown(how) => self.shut_down(how),
                }
            }
        }
    }
}

impl Drop for Scheduler {
    fn drop(&mut self) {
        self.settle();
        // Nobody has asked the loops to stop: nothing is to be said.
        self.dispatch.stops.begin_end();
        self.stopping = false;
        for slot in 0..self.loops.len() as u32 {
            self.bury(slot);
        }
        // What loops have sent each other as they were dropped holds them, and they hold this queue.
        while !self.dispatch.inbox.is_empty() {
            drop(self.dispatch.inbox.take_all());
        }
    }
}

impl Worker {
    /// Whether it has ended what it did.
    pub(super) fn is_free(&self, now: Time) -> bool {
        self.free_at <= now
    }

    pub(super) fn new(index: usize, now: Time, turns: Turns) -> Self {
        Self {
            free_at: now,
            spent: Spent::new(now),
            ended: false,
            turns,
            fares: Fares::new(now),
            queue: RunQueue::new(),
            turn: None,
            polled: now,
            liveness: DeadlineHeap::default(),
            rest: DeadlineHeap::default(),
            idle: Idle::new(),
            counts: WorkerStats { index, ..WorkerStats::default() },
            reports: Throttle::new(),
        }
    }
}

/// What looking around for nothing takes.
const IDLE_STEP: Duration = Duration::from_nanos(100);

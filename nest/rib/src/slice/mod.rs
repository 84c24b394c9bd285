//! A slice: one loop that owns its part of every table.
//!
//! Batches are messages and go first; one that takes long is cut (`turns.rs`). Sweeps, re-evaluations and other long jobs are work in
//! pieces of `jobs::PIECE` records, so a fresh update waits for one piece at most. Who reads gets a
//! piece in turn with batches (`reads.rs`).

mod assess;
mod attrs;
mod best;
#[cfg(test)]
mod check;
mod chores;
mod decide;
mod exports;
mod feed;
mod hops;
mod import;
mod import_again;
mod jobs;
mod lists;
mod message;
mod pipes;
mod policy;
mod read;
mod reads;
mod recheck;
mod sources;
pub(crate) mod store;
mod table;
mod tables;
mod traced;
mod turns;
mod verdicts;
mod warm;

#[cfg(test)]
mod tests;

use core::ops::Range;
use std::sync::Arc;

use dunlin_filter::Scratch;
use dunlin_runtime::kit::queue::{QueueOptions, WorkQueue};
use dunlin_runtime::{Address, Class, Context, Loop, Progress, Time, TimerId, WorkId};
use dunlin_sync::Snapshot;
use dunlin_sync::snapshot::Cache;

pub use message::{
    FilterCounting, Pipe, PipeTrace, SliceMessage, SliceStatistics, TableStatistics,
};
pub use policy::import_input;
pub(crate) use read::TICK;

use crate::counters::OwnRoutes;
use crate::export::ExportPolicy;
use crate::import::{ImportBatch, Slices};
use crate::nexthop::{NextHopKey, NextHopState};
use crate::resolver::{ResolverMessage, WatchReport};
use crate::validation::Validated;
use crate::{ExporterId, SliceId, SourceId, TableId};
use exports::Trailer;
use jobs::{Job, Task};
use reads::Reads;
use sources::{MOST_SOURCES, Sources};
use table::Env;
use tables::{AnyTable, find, finish, with_table};
use turns::Turns;

const SECOND: u64 = 1_000_000_000;

/// See the module.
#[derive(Debug)]
pub struct Slice {
    id: SliceId,
    slices: Option<Slices>,
    resolver: Option<Address<ResolverMessage>>,
    tables: Vec<Option<AnyTable>>,
    sources: Sources,
    scratch: Scratch,
    /// What ROA and ASPA tables say.
    validated: Cache<Validated>,
    /// Says how many errors of filters were left out.
    errors: TimerId,
    jobs: WorkQueue<Job>,
    /// Jobs of this turn, on their way there.
    new_jobs: Vec<Job>,
    reads: Reads,
    turns: Turns,
    /// Time of the present turn, in [`read::TICK`]s.
    now: u32,
    asks: Vec<NextHopKey>,
    forgets: Vec<NextHopKey>,
    reports: Vec<WatchReport>,
}

impl Slice {
    /// Slice number `id`, with no tables.
    pub fn new(id: SliceId) -> Self {
        Self::with_room(id, MOST_SOURCES)
    }

    /// As [`new`](Self::new), for a number of sources of routes: fewer than 65,535, the most that
    /// there can be.
    pub fn with_room(id: SliceId, sources: usize) -> Self {
        Self {
            id,
            slices: None,
            resolver: None,
            tables: Vec::new(),
            sources: Sources::with_room(sources),
            scratch: Scratch::default(),
            validated: Snapshot::new(Validated::default()).cache(),
            errors: TimerId::NONE,
            jobs: WorkQueue::default(),
            new_jobs: Vec::new(),
            reads: Reads::default(),
            turns: Turns::default(),
            now: 0,
            asks: Vec::new(),
            forgets: Vec::new(),
            reports: Vec::new(),
        }
    }

    /// Splits the slice into its tables and what they need while they work.
    fn parts(&mut self) -> (&mut Vec<Option<AnyTable>>, Env<'_>) {
        let env = Env {
            slice: self.id,
            sources: &mut self.sources,
            scratch: &mut self.scratch,
            validated: self.validated.load(),
            now: self.now,
            asks: &mut self.asks,
            forgets: &mut self.forgets,
            reports: &mut self.reports,
        };
        (&mut self.tables, env)
    }

    fn begin_turn(&mut self, now: Time) {
        self.now = u32::try_from(now.as_nanos() / TICK).unwrap_or(u32::MAX);
        self.scratch.at_second(now.as_nanos() / SECOND);
    }

    /// Does what a message says. What the resolver must hear waits for the end of the turn.
    fn handle(&mut self, message: SliceMessage) {
        if message.changes_filters() {
            self.turns.pace.slow_down();
        }
        match message {
            SliceMessage::Start { slices, resolver, validated } => {
                self.validated = validated.cache();
                self.slices = Some(slices);
                self.resolver = Some(resolver);
            }
            SliceMessage::Import(batch) => {
                self.import(&batch, 0..batch.ops.len());
                self.reads.earn(batch.ops.len());
                drop(batch);
                self.read_earned();
            }
            SliceMessage::SourceDown { source, done } => self.source_down(source, done),
            SliceMessage::Program { source, filter, preference, done } => {
                if self.sources.set_program(source, filter, preference) {
                    self.add_job(Task::Import(Vec::new()), done);
                } else if let Some(done) = done {
                    done.arrive();
                }
            }
            SliceMessage::Filter { source, filter, preference } => {
                self.sources.set_filter(source, filter, preference);
            }
            SliceMessage::Barrier(barrier) => {
                barrier.arrive();
            }
            SliceMessage::TableAdd { id, net_type } => self.add_table(id, net_type),
            SliceMessage::TableTrace { id, trace } => {
                if let Some(table) = find(&mut self.tables, id) {
                    with_table!(table, t => t.trace = Some(trace));
                }
            }
            SliceMessage::TableRemove(id) => self.remove_table(id),
            SliceMessage::ExporterAdd(exporter) => self.add_exporter(*exporter),
            SliceMessage::ExporterRemove(id) => self.remove_exporter(id),
            SliceMessage::ExporterPolicy { id, policy } => self.set_policy(id, &policy),
            SliceMessage::ExporterResync { id, begins } => {
                for table in self.tables.iter_mut().flatten() {
                    with_table!(table, t => t.exports.count_resync(id, begins));
                }
            }
            SliceMessage::OwnRoutes { exporter, source, reply } => {
                reply(self.own_routes(exporter, source));
            }
            SliceMessage::Feed(request) => {
                let (tables, mut env) = self.parts();
                for table in tables.iter_mut().flatten() {
                    with_table!(table, t => t.feed(&request, &mut env));
                }
            }
            SliceMessage::Query(request) => {
                let (tables, mut env) = self.parts();
                for table in tables.iter_mut().flatten() {
                    with_table!(table, t => t.query(&request, &mut env));
                }
            }
            SliceMessage::PipeAdd(pipe) => self.add_pipe(*pipe),
            SliceMessage::PipePolicy { id, policy } => {
                for table in self.tables.iter_mut().flatten() {
                    with_table!(table, t => t.pipes.set_policy(id, &policy));
                }
            }
            SliceMessage::PipeRemove(id) => self.remove_pipe(id),
            SliceMessage::Recheck { recheck, done } => {
                self.add_job(Task::Recheck(recheck, Vec::new()), Some(done));
            }
            SliceMessage::Partial { protocol, nets } => {
                self.add_job(Task::Partial(protocol, nets, Vec::new()), None);
            }
            SliceMessage::Resolved(answers) => self.resolved(&answers),
            SliceMessage::Watch { table, address } => self.watch(table, address),
            SliceMessage::Unwatch { table, address } => {
                if let Some(table) = find(&mut self.tables, table) {
                    with_table!(table, t => t.watches.remove(&address));
                }
            }
            SliceMessage::Walk(request) => self.reads.add_walk(request),
            SliceMessage::FilterCounters(FilterCounting::Switch(on)) => self.scratch.count(on),
            SliceMessage::FilterCounters(FilterCounting::Read(reply)) => {
                reply(self.scratch.counters().cloned());
            }
            SliceMessage::Assess(request) => self.reads.add_assessment(request),
            SliceMessage::Statistics(reply) => reply(self.statistics()),
        }
        self.sources.flush();
    }

    /// Imports some operations of a batch.
    fn import(&mut self, batch: &ImportBatch, some: Range<usize>) {
        let id = batch.source.table;
        // What the last operations lead to ends the batch's part of the burst.
        let burst = batch.burst.filter(|_| some.end == batch.ops.len());
        let trailer = Trailer { burst, ..Trailer::default() };
        // A dead source's batch is dropped, but its part of the burst is waited for no longer.
        let source = if batch.source.is_alive() { self.source_of(batch) } else { None };
        let (tables, mut env) = self.parts();
        if let Some((source, table)) = source.zip(find(tables, id)) {
            with_table!(table, t => t.import_own(source, batch, some, &mut env));
        }
        finish(tables, id, &trailer, &mut env);
    }

    /// The index of a batch's source. Without room for it its routes are counted as rejected.
    fn source_of(&mut self, batch: &ImportBatch) -> Option<u16> {
        match self.sources.index_of(&batch.source) {
            Ok(index) => (!self.sources.is_dead(index)).then_some(index),
            Err(why) => {
                batch.source.counters.add(&batch.ops.rejected());
                batch.source.refuse(why);
                None
            }
        }
    }

    fn own_routes(&self, exporter: ExporterId, source: SourceId) -> OwnRoutes {
        let Some(index) = self.sources.find(source) else { return OwnRoutes::default() };
        self.tables.iter().flatten().fold(
            OwnRoutes::default(),
            |sum, table| with_table!(table, t => sum.plus(&t.exports.own_routes(exporter, index))),
        )
    }

    fn set_policy(&mut self, id: ExporterId, policy: &Arc<dyn ExportPolicy>) {
        let mut concerned = None;
        for table in self.tables.iter_mut().flatten() {
            with_table!(table, t => {
                if t.exports.set_policy(id, Arc::clone(policy)) {
                    concerned = Some(t.id);
                }
            });
        }
        if let Some(table) = concerned {
            self.add_job(Task::Decide(table), None);
        }
    }

    fn resolved(&mut self, answers: &[(NextHopKey, NextHopState)]) {
        let mut first = false;
        let (tables, mut env) = self.parts();
        for index in 0..tables.len() {
            let id = TableId(u16::try_from(index).unwrap_or(u16::MAX));
            let Some(table) = find(tables, id) else { continue };
            with_table!(table, t => {
                for (key, state) in answers {
                    first |= t.resolved(key, state);
                }
            });
            finish(tables, id, &Trailer::default(), &mut env);
        }
        // Filters that read next hops have seen none of the new one. There are few such filters.
        if first && self.sources.mark_readers_of_next_hops() {
            self.add_job(Task::Import(Vec::new()), None);
        }
    }

    /// Sends what the turn has for the resolver, queues new jobs.
    fn end_turn(&mut self, cx: &mut Context<'_>) {
        if let Some(resolver) = &self.resolver {
            let slice = self.id;
            let asks = core::mem::take(&mut self.asks);
            let forgets = core::mem::take(&mut self.forgets);
            // A resolver that has stopped means that the daemon is going down.
            if !asks.is_empty() || !forgets.is_empty() {
                let message = ResolverMessage::Wanted { slice, asks, forgets };
                let _ = resolver.send(Class::Routing, message);
            }
            for report in self.reports.drain(..) {
                let _ = resolver.send(Class::Routing, ResolverMessage::Watched(report));
            }
        }
        for job in self.new_jobs.drain(..) {
            self.jobs.push(cx, job);
        }
        if self.scratch.leaves_out_errors() {
            let next = cx.now().as_nanos() / SECOND + 1;
            let _ = cx.arm(self.errors, Time::from_nanos(next * SECOND));
        }
    }
}

impl Loop for Slice {
    type Message = SliceMessage;

    fn is_essential(&self) -> bool {
        true
    }

    fn start(&mut self, cx: &mut Context<'_>) {
        self.jobs = WorkQueue::new(cx, "sweeps and more", Class::Bulk, QueueOptions::default());
        self.reads = Reads::new(cx);
        self.turns = Turns::new(cx);
        self.errors = cx.timer(Class::Bulk);
    }

    fn timer(&mut self, cx: &mut Context<'_>, _: TimerId) {
        self.begin_turn(cx.now());
        self.end_turn(cx);
    }

    fn message(&mut self, cx: &mut Context<'_>, message: SliceMessage) {
        self.begin_turn(cx.now());
        self.take(cx, message);
        self.reads.wake(cx);
        self.end_turn(cx);
    }

    fn work(&mut self, cx: &mut Context<'_>, work: WorkId) -> Progress {
        self.begin_turn(cx.now());
        let progress = if self.turns.is_for(work) {
            self.carry_on(cx)
        } else if self.turns.is_busy() && !(self.turns.pace.is_slow() && self.reads.is_for(work)) {
            // Jobs wait for a batch that has been begun; who reads has what it earns.
            Progress::More
        } else if self.reads.is_for(work) {
            self.read_piece()
        } else {
            WorkQueue::run(self, cx, |slice| &mut slice.jobs)
        };
        self.sources.flush();
        self.end_turn(cx);
        progress
    }
}

//! A slice: one loop that owns its part of every table.
//!
//! Batches are messages and go first. Sweeps, re-evaluations and other long jobs are work in
//! pieces of [`jobs::PIECE`] records, so a fresh update waits for one piece at most.

mod attrs;
mod best;
mod decide;
mod exports;
mod feed;
mod hops;
mod import;
mod import_again;
mod jobs;
mod message;
mod pipes;
mod policy;
mod read;
mod sources;
pub(crate) mod store;
mod table;

use std::collections::VecDeque;
use std::sync::Arc;

use crate::shim::Scratch;
use dunlin_net::{NetType, Prefix4, Prefix6};
use dunlin_runtime::{Address, Class, Context, Loop, Progress, WorkId};

pub use message::{Pipe, SliceMessage, SliceStatistics, TableStatistics};

use crate::export::{Exporter, ExporterKind};
use crate::import::{ImportBatch, Ops, Slices};
use crate::nexthop::NextHopKey;
use crate::resolver::{ResolverMessage, WatchReport};
use crate::walk::{WalkReply, WalkRequest};
use crate::{Barrier, ExporterId, PipeId, SliceId, SourceId, TableId};
use exports::Trailer;
use jobs::{Job, Task};
use sources::Sources;
use table::{Env, Table};

/// A table of any net type.
#[derive(Debug)]
enum AnyTable {
    V4(Table<Prefix4>),
    V6(Table<Prefix6>),
}

/// Runs the same code on whichever table it is.
macro_rules! with_table {
    ($any:expr, $table:ident => $body:expr) => {
        match $any {
            AnyTable::V4($table) => $body,
            AnyTable::V6($table) => $body,
        }
    };
}

/// See the module.
#[derive(Debug)]
pub struct Slice {
    id: SliceId,
    slices: Option<Slices>,
    resolver: Option<Address<ResolverMessage>>,
    tables: Vec<Option<AnyTable>>,
    sources: Sources,
    scratch: Scratch,
    jobs: VecDeque<Job>,
    work: WorkId,
    asks: Vec<NextHopKey>,
    forgets: Vec<NextHopKey>,
    reports: Vec<WatchReport>,
}

impl Slice {
    /// Slice number `id`, with no tables.
    pub fn new(id: SliceId) -> Self {
        Self {
            id,
            slices: None,
            resolver: None,
            tables: Vec::new(),
            sources: Sources::default(),
            scratch: Scratch::new(),
            jobs: VecDeque::new(),
            work: WorkId::NONE,
            asks: Vec::new(),
            forgets: Vec::new(),
            reports: Vec::new(),
        }
    }

    /// Splits the slice into its tables and what they need while they work.
    fn parts(&mut self, cx: &Context<'_>) -> (&mut Vec<Option<AnyTable>>, Env<'_>) {
        let env = Env {
            slice: self.id,
            sources: &mut self.sources,
            scratch: &mut self.scratch,
            now: u32::try_from(cx.now().as_nanos() / read::TICK).unwrap_or(u32::MAX),
            asks: &mut self.asks,
            forgets: &mut self.forgets,
            reports: &mut self.reports,
        };
        (&mut self.tables, env)
    }

    fn import(&mut self, batch: &ImportBatch, cx: &Context<'_>) {
        if !batch.source.is_alive() {
            return self.skip_burst(batch, cx);
        }
        let Some(source) = self.sources.index_of(&batch.source) else {
            return self.skip_burst(batch, cx);
        };
        let id = batch.source.table;
        let trailer = Trailer { burst: batch.burst, ..Trailer::default() };
        let (tables, mut env) = self.parts(cx);
        match (find(tables, id), &batch.ops) {
            (Some(AnyTable::V4(table)), Ops::V4(ops)) => {
                table.import(source, &batch.attrs, ops, &mut env);
            }
            (Some(AnyTable::V6(table)), Ops::V6(ops)) => {
                table.import(source, &batch.attrs, ops, &mut env);
            }
            _ => return,
        }
        finish(tables, id, &trailer, &mut env);
    }

    /// Tells exporters that a dropped batch's part of its burst is not coming.
    fn skip_burst(&mut self, batch: &ImportBatch, cx: &Context<'_>) {
        let trailer = Trailer { burst: batch.burst, ..Trailer::default() };
        let (tables, mut env) = self.parts(cx);
        finish(tables, batch.source.table, &trailer, &mut env);
    }

    fn source_down(&mut self, id: SourceId, done: Option<Arc<Barrier>>) {
        match self.sources.find(id) {
            Some(index) => {
                self.sources.at_mut(index).dead = true;
                self.add_job(Task::Sweep(Vec::new()), done);
            }
            None => {
                if let Some(done) = done {
                    done.arrive();
                }
            }
        }
    }

    /// Queues a job; sweeps and re-evaluations that have not begun are joined into one.
    fn add_job(&mut self, task: Task, done: Option<Arc<Barrier>>) {
        let joins = |job: &&mut Job| {
            job.table == 0
                && job.cursor == 1
                && matches!(
                    (&job.task, &task),
                    (Task::Sweep(a), Task::Sweep(_)) | (Task::Import(a), Task::Import(_))
                        if a.is_empty()
                )
        };
        if let Some(job) = self.jobs.iter_mut().find(joins) {
            job.done.extend(done);
            return;
        }
        self.jobs.push_back(Job::new(task, done));
    }

    /// Does a piece of the first job; the next job is first then.
    fn piece(&mut self, cx: &Context<'_>) {
        let Some(mut job) = self.jobs.pop_front() else { return };
        self.begin(&mut job);
        let skip = |tables: &[Option<AnyTable>], at: usize| {
            tables.get(at).is_some_and(|table| {
                table.is_none() || !job.task.concerns(TableId(u16::try_from(at).unwrap_or(0)))
            })
        };
        while skip(&self.tables, job.table) {
            job.table += 1;
        }
        if job.table >= self.tables.len() {
            self.end(&job);
            return;
        }
        let id = TableId(u16::try_from(job.table).unwrap_or(u16::MAX));
        let (tables, mut env) = self.parts(cx);
        let next = find(tables, id)
            .and_then(|table| with_table!(table, t => t.piece(&job.task, job.cursor, &mut env)));
        finish(tables, id, &Trailer::default(), &mut env);
        match next {
            Some(cursor) => job.cursor = cursor,
            None => (job.table, job.cursor) = (job.table + 1, 1),
        }
        self.jobs.push_back(job);
    }

    /// Names the sources of a job that begins.
    fn begin(&mut self, job: &mut Job) {
        if job.table != 0 || job.cursor != 1 {
            return;
        }
        match &mut job.task {
            Task::Sweep(list) if list.is_empty() => *list = self.sources.indices(|l| l.dead),
            Task::Import(list) if list.is_empty() => {
                *list = self.sources.indices(|l| l.stale_filter);
                for &index in list.iter() {
                    self.sources.at_mut(index).stale_filter = false;
                }
            }
            _ => {}
        }
    }

    fn end(&mut self, job: &Job) {
        match &job.task {
            Task::Sweep(list) => {
                for &index in list {
                    self.sources.remove(index);
                }
            }
            Task::Unpipe(table, pipe) => {
                if let Some(table) = find(&mut self.tables, *table) {
                    with_table!(table, t => t.pipes.remove_inward(*pipe));
                }
            }
            _ => {}
        }
        for done in &job.done {
            done.arrive();
        }
    }

    fn add_table(&mut self, id: TableId, net_type: NetType) {
        let table = match net_type {
            NetType::Ip4 => AnyTable::V4(Table::new(id)),
            NetType::Ip6 => AnyTable::V6(Table::new(id)),
            _ => return,
        };
        let index = usize::from(id.0);
        if self.tables.len() <= index {
            self.tables.resize_with(index + 1, || None);
        }
        self.tables[index] = Some(table);
    }

    fn add_exporter(&mut self, exporter: Exporter) {
        let id = exporter.table;
        let Some(table) = find(&mut self.tables, id) else { return };
        match exporter.kind {
            ExporterKind::Group => with_table!(table, t => t.exports.add_group(exporter)),
            ExporterKind::Follow => {
                with_table!(table, t => t.exports.followers.push(exports::Slot::new(exporter)));
                self.add_job(Task::Follow(id), None);
            }
        }
    }

    fn remove_exporter(&mut self, id: ExporterId) {
        for table in self.tables.iter_mut().flatten() {
            with_table!(table, t => t.exports.remove(id));
        }
    }

    fn set_program(&mut self, source: SourceId, change: impl FnOnce(&mut sources::Local)) {
        if let Some(index) = self.sources.find(source) {
            let local = self.sources.at_mut(index);
            change(local);
            local.stale_filter = true;
        }
    }

    fn add_pipe(&mut self, pipe: Pipe) {
        let (from, to) = (pipe.from, pipe.to);
        if let Some(table) = find(&mut self.tables, to) {
            with_table!(table, t => t.pipes.add_inward(pipe.clone()));
        }
        if let Some(table) = find(&mut self.tables, from) {
            with_table!(table, t => t.pipes.add_out(pipe));
            self.add_job(Task::Repipe(from), None);
        }
    }

    fn remove_pipe(&mut self, id: PipeId) {
        let mut sweeps = Vec::new();
        for (index, table) in self.tables.iter_mut().enumerate() {
            let Some(table) = table else { continue };
            with_table!(table, t => {
                t.pipes.remove_out(id);
                if let Some(via) = t.pipes.inward_index(id) {
                    sweeps.push(Task::Unpipe(TableId(u16::try_from(index).unwrap_or(0)), via));
                }
            });
        }
        for sweep in sweeps {
            self.add_job(sweep, None);
        }
    }

    fn walk(&mut self, request: WalkRequest, cx: &Context<'_>) {
        let (tables, env) = self.parts(cx);
        let reply = match find(tables, request.table) {
            Some(table) => with_table!(table, t => {
                t.walk(request.walk, request.max_nets, request.filtered, &env)
            }),
            None => WalkReply::default(),
        };
        (request.reply)(reply);
    }

    fn watch(&mut self, id: TableId, address: std::net::IpAddr, cx: &Context<'_>) {
        let (tables, mut env) = self.parts(cx);
        if let Some(table) = find(tables, id) {
            with_table!(table, t => {
                t.watches.insert(address, ());
                t.report(address, &mut env);
            });
        }
    }

    fn statistics(&self) -> SliceStatistics {
        let mut statistics = SliceStatistics::default();
        for table in self.tables.iter().flatten() {
            with_table!(table, t => {
                let (own, attributes) = t.memory();
                statistics.table_bytes += own;
                statistics.attribute_bytes += attributes;
                statistics.tables.push(TableStatistics {
                    id: t.id.0,
                    networks: t.nets.len(),
                    routes: t.routes.len(),
                    attribute_sets: t.sets.len(),
                });
            });
        }
        statistics
    }

    /// Sends what the turn has for the resolver, publishes counters, keeps jobs going.
    fn end_turn(&mut self, cx: &mut Context<'_>) {
        self.sources.flush();
        if let Some(resolver) = &self.resolver {
            let slice = self.id;
            let asks = core::mem::take(&mut self.asks);
            let forgets = core::mem::take(&mut self.forgets);
            if !asks.is_empty() || !forgets.is_empty() {
                let message = ResolverMessage::Wanted { slice, asks, forgets };
                let _ = resolver.send(Class::Routing, message);
            }
            for report in self.reports.drain(..) {
                let _ = resolver.send(Class::Routing, ResolverMessage::Watched(report));
            }
        }
        if !self.jobs.is_empty() {
            cx.queue(self.work);
        }
    }
}

fn find(tables: &mut [Option<AnyTable>], id: TableId) -> Option<&mut AnyTable> {
    tables.get_mut(usize::from(id.0))?.as_mut()
}

/// Decides what a table's changes mean, sends deltas, and carries on through pipes.
fn finish(tables: &mut [Option<AnyTable>], id: TableId, trailer: &Trailer, env: &mut Env<'_>) {
    let mut waiting = vec![id];
    let mut trailer = *trailer;
    while let Some(id) = waiting.pop() {
        let Some(table) = find(tables, id) else { continue };
        with_table!(table, t => {
            t.decide_all(env);
            t.exports.send(env, &trailer, None);
        });
        trailer = Trailer::default();
        match table {
            AnyTable::V4(table) if !table.piped.is_empty() => {
                for op in table.run_pipes(env) {
                    let target = target_of(tables, &op.pipe);
                    if let Some(AnyTable::V4(other)) = target.and_then(|id| find(tables, id)) {
                        other.apply_piped(&op, env);
                        waiting.extend(target.filter(|id| !waiting.contains(id)));
                    }
                }
            }
            AnyTable::V6(table) if !table.piped.is_empty() => {
                for op in table.run_pipes(env) {
                    let target = target_of(tables, &op.pipe);
                    if let Some(AnyTable::V6(other)) = target.and_then(|id| find(tables, id)) {
                        other.apply_piped(&op, env);
                        waiting.extend(target.filter(|id| !waiting.contains(id)));
                    }
                }
            }
            _ => {}
        }
    }
}

/// The table that a pipe puts into.
fn target_of(tables: &[Option<AnyTable>], pipe: &PipeId) -> Option<TableId> {
    let has = |table: &&AnyTable| with_table!(table, t => t.pipes.inward_index(*pipe).is_some());
    let table = tables.iter().flatten().find(has)?;
    Some(with_table!(table, t => t.id))
}

impl Loop for Slice {
    type Message = SliceMessage;

    fn start(&mut self, cx: &mut Context<'_>) {
        self.work = cx.work(Class::Bulk);
    }

    fn message(&mut self, cx: &mut Context<'_>, message: SliceMessage) {
        match message {
            SliceMessage::Start { slices, resolver } => {
                self.slices = Some(slices);
                self.resolver = Some(resolver);
            }
            SliceMessage::Import(batch) => self.import(&batch, cx),
            SliceMessage::SourceDown { source, done } => self.source_down(source, done),
            SliceMessage::Program { source, filter, preference, done } => {
                self.set_program(source, |local| {
                    local.filter = filter;
                    local.preference = preference;
                });
                self.add_job(Task::Import(Vec::new()), done);
            }
            SliceMessage::Barrier(barrier) => {
                barrier.arrive();
            }
            SliceMessage::TableAdd { id, net_type } => self.add_table(id, net_type),
            SliceMessage::TableRemove(id) => {
                if let Some(table) = self.tables.get_mut(usize::from(id.0)) {
                    *table = None;
                }
            }
            SliceMessage::ExporterAdd(exporter) => self.add_exporter(*exporter),
            SliceMessage::ExporterRemove(id) => self.remove_exporter(id),
            SliceMessage::ExporterPolicy { id, policy } => {
                let mut concerned = None;
                for table in self.tables.iter_mut().flatten() {
                    with_table!(table, t => {
                        if t.exports.set_policy(id, Arc::clone(&policy)) {
                            concerned = Some(t.id);
                        }
                    });
                }
                if let Some(table) = concerned {
                    self.add_job(Task::Decide(table), None);
                }
            }
            SliceMessage::Feed(request) => {
                let (tables, mut env) = self.parts(cx);
                for table in tables.iter_mut().flatten() {
                    with_table!(table, t => t.feed(&request, &mut env));
                }
            }
            SliceMessage::Query(request) => {
                let (tables, mut env) = self.parts(cx);
                for table in tables.iter_mut().flatten() {
                    with_table!(table, t => t.query(&request, &mut env));
                }
            }
            SliceMessage::PipeAdd(pipe) => self.add_pipe(*pipe),
            SliceMessage::PipeRemove(id) => self.remove_pipe(id),
            SliceMessage::Resolved(answers) => self.resolved(&answers, cx),
            SliceMessage::Watch { table, address } => self.watch(table, address, cx),
            SliceMessage::Unwatch { table, address } => {
                if let Some(table) = find(&mut self.tables, table) {
                    with_table!(table, t => t.watches.remove(&address));
                }
            }
            SliceMessage::Walk(request) => self.walk(*request, cx),
            SliceMessage::Statistics(reply) => reply(self.statistics()),
        }
        self.end_turn(cx);
    }

    fn work(&mut self, cx: &mut Context<'_>, _work: WorkId) -> Progress {
        while !self.jobs.is_empty() {
            self.piece(cx);
            if cx.over_budget() {
                break;
            }
        }
        self.end_turn(cx);
        Progress::Done
    }
}

impl Slice {
    fn resolved(
        &mut self,
        answers: &[(NextHopKey, crate::nexthop::NextHopState)],
        cx: &Context<'_>,
    ) {
        let (tables, mut env) = self.parts(cx);
        for index in 0..tables.len() {
            let id = TableId(u16::try_from(index).unwrap_or(u16::MAX));
            let Some(table) = find(tables, id) else { continue };
            with_table!(table, t => {
                for (key, state) in answers {
                    t.resolved(key, state);
                }
            });
            finish(tables, id, &Trailer::default(), &mut env);
        }
    }
}

//! Statistics from all workers, put together by the last one to answer.

use core::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use std::sync::Arc;

use dunlin_os::task::Task;
use dunlin_sync::{Gathered, Gathering};

use super::{Table, WorkerShared};
use crate::{
    groups::GroupId,
    options::{self, LogRecord, LogSink},
    stats::{
        GroupStats, HandlerStats, Page, Part, Running, Stats, StatsReply, StopStats, Survey,
        WorkerStats, picture,
    },
    time::Time,
    worker::engine::FineClock,
};

/// One collection under way.
pub(crate) struct Collector {
    survey: Survey,
    /// What the workers say, and whom to tell.
    parts: Gathering<Part, StatsReply>,
    groups: Vec<GroupStats>,
    stops: StopStats,
    log: Arc<dyn LogSink>,
}

impl Collector {
    /// For the workers of this table.
    pub(crate) fn new(
        table: &Table,
        survey: Survey,
        stops: StopStats,
        log: Arc<dyn LogSink>,
        reply: StatsReply,
    ) -> Self {
        let parts = Gathering::new(table.all().count(), reply);
        Self { survey, parts, groups: GroupStats::all(&table.groups), stops, log }
    }

    /// What is asked for.
    pub(crate) fn survey(&self) -> &Survey {
        &self.survey
    }

    /// A worker's answer.
    pub(crate) fn answer(&self, part: Part) {
        self.hand_over(self.parts.answer(part), None);
    }

    /// A worker ended before it could answer.
    pub(crate) fn skip(&self) {
        self.hand_over(self.parts.skip(), None);
    }

    /// Whether all workers have answered, or ended.
    pub(crate) fn is_done(&self) -> bool {
        self.parts.is_over()
    }

    /// Hands over what there is, if that has not been done; of those workers of `table` that have not answered,
    /// what others see of them.
    pub(crate) fn finish(&self, table: &Table) {
        self.hand_over(self.parts.close(), Some(table));
    }

    fn hand_over(&self, gathered: Option<Gathered<Part, StatsReply>>, table: Option<&Table>) {
        let Some((reply, parts)) = gathered.map(Gathered::split) else { return };
        let mut parts: Vec<_> = parts.collect();
        for shared in table.into_iter().flat_map(Table::all) {
            if !parts.iter().any(|part| part.worker.index == usize::from(shared.index)) {
                let group = table.and_then(|table| table.groups.of_worker(shared.index));
                parts.push(self.seen_from_outside(shared, group));
            }
        }
        let picture = picture(&self.survey, parts, self.groups.clone(), table.is_none());
        let log = |record: &LogRecord| options::log(&*self.log, record);
        reply.call(Stats { stops: self.stops, ..picture }, &log);
    }

    /// What is known of a worker that does not answer.
    fn seen_from_outside(&self, shared: &WorkerShared, group: Option<GroupId>) -> Part {
        let running = Running::read(&shared.gauge);
        let running = running.map(|running| (running.who, running.began));
        Part {
            worker: WorkerStats { running, ..worker_stats(shared, group) },
            page: Page::default(),
            handlers: if self.survey.handlers { handler_stats(shared) } else { Vec::new() },
            moves: Vec::new(),
            now: FineClock::new().now(),
        }
    }
}

/// What a worker has measured of handlers.
pub(crate) fn handler_stats(shared: &WorkerShared) -> Vec<HandlerStats> {
    let index = shared.index.into();
    let measures = shared.gauge.measures.load();
    measures.iter().filter_map(|measured| measured.read(index)).collect()
}

/// What a worker's counters say, since they were last cleared.
pub(crate) fn worker_stats(shared: &WorkerShared, group: Option<GroupId>) -> WorkerStats {
    let (now, before) = (counted(shared), **shared.cleared.load());
    let less = |one: [u64; 4], other: [u64; 4]| {
        core::array::from_fn(|at| one[at].saturating_sub(other[at]))
    };
    WorkerStats {
        group,
        busy: now.busy.saturating_sub(before.busy),
        overhead: now.overhead.saturating_sub(before.overhead),
        idle: now.idle.saturating_sub(before.idle),
        turns: now.turns.saturating_sub(before.turns),
        handlers: less(now.handlers, before.handlers),
        messages: now.messages.saturating_sub(before.messages),
        sleeps: now.sleeps.saturating_sub(before.sleeps),
        polls: now.polls.saturating_sub(before.polls),
        jobs: now.jobs.saturating_sub(before.jobs),
        floor: now.floor.saturating_sub(before.floor),
        moved_in: now.moved_in.saturating_sub(before.moved_in),
        moved_out: now.moved_out.saturating_sub(before.moved_out),
        run_queue: now
            .run_queue
            .map(|now| now.saturating_sub(before.run_queue.unwrap_or_default())),
        ..now
    }
}

/// What a worker's counters say since it started.
pub(crate) fn counted(shared: &WorkerShared) -> WorkerStats {
    let (counters, gauge) = (&shared.counters, &shared.gauge);
    let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    let nanos = |counter| Duration::from_nanos(read(counter));
    let (busy, idle) = (nanos(&counters.busy), nanos(&counters.idle));
    let woke = Time::from_nanos(read(&counters.woke));
    let total = nanos(&counters.seen).saturating_sub(nanos(&counters.started));
    WorkerStats {
        index: shared.index.into(),
        group: None,
        busy,
        overhead: total.saturating_sub(busy + idle),
        idle,
        loops: shared.loops.load(Ordering::Relaxed),
        turns: read(&counters.turns),
        handlers: core::array::from_fn(|class| read(&counters.handlers[class])),
        messages: read(&counters.messages),
        sleeps: read(&counters.sleeps),
        polls: read(&counters.polls),
        jobs: nanos(&counters.jobs),
        floor: read(&counters.floor),
        longest: nanos(&counters.longest),
        liveness_late: nanos(&counters.liveness_late),
        woke: (woke != Time::ZERO).then(|| FineClock::new().now().since(woke)),
        longest_gap: nanos(&counters.longest_gap),
        run_queue: Task::new(shared.thread.load(Ordering::Relaxed))
            .times()
            .ok()
            .map(|of| of.waited),
        oldest: None,
        moved_in: read(&counters.moved_in),
        moved_out: read(&counters.moved_out),
        waiting: None,
        running: None,
        hindered: shared.hindered.get(),
        overruns: core::array::from_fn(|class| read(&gauge.overruns[class])),
        lates: core::array::from_fn(|class| read(&gauge.lates[class])),
    }
}

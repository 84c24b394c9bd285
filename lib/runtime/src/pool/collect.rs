//! Statistics from all workers, put together by the last one to answer.

use core::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use dunlin_sync::{ExclusiveCell, Inbox, Item};

use super::shared::WorkerShared;
use crate::stats::{LoopStats, Stats, StatsReply, WorkerStats};

/// One collection under way.
pub(crate) struct Collector {
    parts: Inbox<Part>,
    /// Workers that have not answered. Each decrements it after it has pushed its part (AcqRel), so the
    /// last one sees all parts.
    waiting: AtomicUsize,
    reply: ExclusiveCell<Option<StatsReply>>,
}

struct Part {
    worker: WorkerStats,
    loops: Vec<LoopStats>,
}

impl Collector {
    pub(crate) fn new(workers: usize, reply: StatsReply) -> Self {
        Self {
            parts: Inbox::new(),
            waiting: AtomicUsize::new(workers),
            reply: ExclusiveCell::new(Some(reply)),
        }
    }

    /// A worker's answer.
    pub(crate) fn answer(&self, worker: WorkerStats, loops: Vec<LoopStats>) {
        self.parts.push(Part { worker, loops }, ());
        self.count_down();
    }

    /// A worker ended before it could answer.
    pub(crate) fn skip(&self) {
        self.count_down();
    }

    fn count_down(&self) {
        if self.waiting.fetch_sub(1, Ordering::AcqRel) != 1 {
            return;
        }
        let mut stats = Stats { complete: true, ..Stats::default() };
        for entry in self.parts.take_all() {
            if let Item::Message(part) = entry.item {
                stats.workers.push(part.worker);
                stats.loops.extend(part.loops);
            }
        }
        stats.workers.sort_by_key(|worker| worker.index);
        stats.loops.sort_by_key(|one| one.id);
        if let Some(reply) = self.reply.enter().and_then(|mut reply| reply.take()) {
            (reply.0)(stats);
        }
    }
}

/// What a worker's counters say.
pub(crate) fn worker_stats(shared: &WorkerShared) -> WorkerStats {
    let counters = &shared.counters;
    let read = |counter: &core::sync::atomic::AtomicU64| counter.load(Ordering::Relaxed);
    let nanos = |counter| Duration::from_nanos(read(counter));
    let (busy, idle) = (nanos(&counters.busy), nanos(&counters.idle));
    let total = nanos(&counters.seen).saturating_sub(nanos(&counters.started));
    WorkerStats {
        index: shared.index.into(),
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
        moved_in: read(&counters.moved_in),
        moved_out: read(&counters.moved_out),
    }
}

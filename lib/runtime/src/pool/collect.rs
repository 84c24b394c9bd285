//! Statistics from all workers, put together by the last one to answer.

use core::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use dunlin_sync::{ExclusiveCell, Inbox, Item};

use super::{Table, WorkerShared};
use crate::{
    groups::GroupId,
    moves::{MoveLog, MoveRecord},
    stats::{GroupStats, LoopStats, Stats, StatsReply, WorkerStats},
    time::Time,
};

/// One collection under way.
pub(crate) struct Collector {
    parts: Inbox<Part>,
    /// Workers that have not answered. Each decrements it after it has pushed its part (AcqRel), so the
    /// last one sees all parts.
    waiting: AtomicUsize,
    groups: Vec<GroupStats>,
    reply: ExclusiveCell<Option<StatsReply>>,
}

/// What one worker knows.
pub(crate) struct Part {
    pub(crate) worker: WorkerStats,
    pub(crate) loops: Vec<LoopStats>,
    pub(crate) moves: Vec<MoveRecord>,
    pub(crate) now: Time,
}

impl Collector {
    /// For the workers of this table.
    pub(crate) fn new(table: &Table, reply: StatsReply) -> Self {
        Self {
            parts: Inbox::new(),
            waiting: AtomicUsize::new(table.all().count()),
            groups: GroupStats::all(&table.groups),
            reply: ExclusiveCell::new(Some(reply)),
        }
    }

    /// A worker's answer.
    pub(crate) fn answer(&self, part: Part) {
        self.parts.push(part, ());
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
        let mut stats = Stats { complete: true, groups: self.groups.clone(), ..Stats::default() };
        for entry in self.parts.take_all() {
            if let Item::Message(part) = entry.item {
                stats.workers.push(part.worker);
                stats.loops.extend(part.loops);
                stats.moves.extend(part.moves);
                stats.now = stats.now.max(part.now);
            }
        }
        stats.workers.sort_by_key(|worker| worker.index);
        stats.loops.sort_by_key(|one| one.id);
        stats.moves = MoveLog::merged(stats.moves);
        if let Some(reply) = self.reply.enter().and_then(|mut reply| reply.take()) {
            (reply.0)(stats);
        }
    }
}

/// What a worker's counters say.
pub(crate) fn worker_stats(shared: &WorkerShared, group: Option<GroupId>) -> WorkerStats {
    let counters = &shared.counters;
    let read = |counter: &core::sync::atomic::AtomicU64| counter.load(Ordering::Relaxed);
    let nanos = |counter| Duration::from_nanos(read(counter));
    let (busy, idle) = (nanos(&counters.busy), nanos(&counters.idle));
    let total = nanos(&counters.seen).saturating_sub(nanos(&counters.started));
    WorkerStats {
        index: shared.index.into(),
        group,
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

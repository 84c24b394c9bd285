//! What the runtime knows of itself.

use core::{fmt, time::Duration};
use std::sync::Arc;

use dunlin_sync::Class;
use dunlin_trace::Site;

use crate::{
    groups::{GroupId, GroupOptions, Groups},
    ids::LoopId,
    kit::{client::ClientStats, credit::FlowStats, jobs::JobStats, queue::QueueStats},
    moves::MoveRecord,
    time::Time,
};

/// A picture of the runtime. Counters count from the start of the worker or loop.
#[derive(Clone, Debug, Default)]
pub struct Stats {
    /// One for each worker, by index.
    pub workers: Vec<WorkerStats>,
    /// One for each loop, by number.
    pub loops: Vec<LoopStats>,
    /// The thread groups, by number.
    pub groups: Vec<GroupStats>,
    /// The last moves of loops between workers, the oldest first.
    pub moves: Vec<MoveRecord>,
    /// When the picture was taken.
    pub now: Time,
    /// False if some worker did not answer in time.
    pub complete: bool,
}

/// One thread group.
#[derive(Clone, Debug)]
pub struct GroupStats {
    /// Its number.
    pub id: GroupId,
    /// What it was asked to be: its name, how many workers it should have, its times.
    pub options: Arc<GroupOptions>,
    /// Whether it is the default group.
    pub is_default: bool,
    /// Workers it has. None before its first loop.
    pub workers: usize,
}

impl GroupStats {
    pub(crate) fn all(groups: &Groups) -> Vec<Self> {
        let stats = groups.each().map(|(id, group)| Self {
            id,
            options: Arc::clone(&group.options),
            is_default: id == groups.default(),
            workers: group.active.len(),
        });
        stats.collect()
    }
}

/// One worker.
#[derive(Clone, Copy, Debug, Default)]
pub struct WorkerStats {
    /// The worker's index.
    pub index: usize,
    /// The group it runs loops of; none while it is ending.
    pub group: Option<GroupId>,
    /// Time spent in handlers.
    pub busy: Duration,
    /// Time spent choosing, polling and accounting.
    pub overhead: Duration,
    /// Time spent asleep.
    pub idle: Duration,
    /// Loops it has.
    pub loops: usize,
    /// Turns run.
    pub turns: u64,
    /// Handlers run, by class.
    pub handlers: [u64; 4],
    /// Messages taken from other loops, those among the handlers.
    pub messages: u64,
    /// Waits in the poller that could sleep.
    pub sleeps: u64,
    /// Looks at the poller that could not.
    pub polls: u64,
    /// Time spent in jobs for idle time, a part of `busy`.
    pub jobs: Duration,
    /// Steps of jobs run because the floor was due while other work waited.
    pub floor: u64,
    /// The longest handler.
    pub longest: Duration,
    /// The most a liveness timer was late.
    pub liveness_late: Duration,
    /// Loops that came from other workers.
    pub moved_in: u64,
    /// Loops that went to other workers.
    pub moved_out: u64,
}

/// One loop.
#[derive(Clone, Debug)]
pub struct LoopStats {
    /// The loop.
    pub id: LoopId,
    /// Its name.
    pub name: Arc<str>,
    /// The class of its sockets.
    pub class: Class,
    /// Index of the worker it is on.
    pub worker: usize,
    /// The group it is in.
    pub group: GroupId,
    /// The worker it is pinned to, if to one.
    pub pinned: Option<usize>,
    /// Time spent in its handlers.
    pub run: Duration,
    /// Its longest handler.
    pub longest: Duration,
    /// Turns it had.
    pub turns: u64,
    /// Handlers run, by class.
    pub handlers: [u64; 4],
    /// Timers it has.
    pub timers: usize,
    /// Sockets it has.
    pub sockets: usize,
    /// Its jobs for idle time.
    pub jobs: Vec<JobStats>,
    /// The credit it sends by.
    pub flows: Vec<FlowStats>,
    /// Its work queues.
    pub queues: Vec<QueueStats>,
    /// Its clients that connect again.
    pub clients: Vec<ClientStats>,
    /// Handlers that went on for long after their time was up, by site; see
    /// [`kit::budget`](crate::kit::budget).
    pub overruns: Vec<(Site, u64)>,
}

/// Receives a picture of the runtime once it is complete.
pub struct StatsReply(pub(crate) Box<dyn FnOnce(Stats) + Send>);

impl StatsReply {
    /// Calls `receive` on some worker; let it send the result on to a loop.
    pub fn new(receive: impl FnOnce(Stats) + Send + 'static) -> Self {
        Self(Box::new(receive))
    }
}

impl fmt::Debug for StatsReply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StatsReply").finish_non_exhaustive()
    }
}

//! What the runtime knows of itself.

mod blame;
mod cells;
mod findings;
mod handlers;
mod hindrance;
mod histogram;
mod loop_timings;
mod meter;
mod stops;
mod survey;
mod timings;

use core::{fmt, sync::atomic::Ordering, time::Duration};
use std::{net::SocketAddr, sync::Arc};

use dunlin_sync::Class;
use dunlin_trace::Site;

pub(crate) use blame::Held;
pub(crate) use findings::{About, Finding, Limits, Throttle, millis, with_held_back};
pub(crate) use handlers::short_name;
pub use handlers::{Culprit, Handler, HandlerStats, Who, Worst};
pub(crate) use hindrance::HinderedWord;
pub use hindrance::{Hindered, Hindrance};
pub use histogram::Histogram;
pub(crate) use loop_timings::LoopTimings;
pub(crate) use meter::{Gauge, Meter, Running};
pub use stops::StopStats;
pub(crate) use stops::{StopBook, note_end, note_stop};
pub use survey::{Loops, Survey, Wanted};
pub(crate) use survey::{Page, Part, picture};
pub use timings::{Profile, Timings, WorkerTimings};

use crate::{
    groups::{GroupId, GroupOptions, Groups},
    ids::LoopId,
    kit::{client::ClientStats, flow::FlowStats, jobs::JobStats, queue::QueueStats},
    loop_cell::Header,
    moves::MoveRecord,
    options::{LogLevel, LogRecord},
    panic::contain,
    time::Time,
    timer::TimerInfo,
};

/// A picture of the runtime. Counters count from the start of the worker or loop, or from the last
/// [`crate::RuntimeHandle::clear_stats`].
#[derive(Clone, Debug, Default)]
pub struct Stats {
    /// One for each worker, by index.
    pub workers: Vec<WorkerStats>,
    /// Those asked for, by number.
    pub loops: Vec<LoopStats>,
    /// Handlers by kind of loop, class and kind, of all workers together, if asked for.
    pub handlers: Vec<HandlerStats>,
    /// The same of each worker and each place in the program that asked for them, if handlers are asked for.
    pub sites: Vec<HandlerStats>,
    /// The same of each worker, by class, in the order of [`Stats::workers`]; if handlers are asked for.
    pub timings: Vec<WorkerTimings>,
    /// The thread groups, by number.
    pub groups: Vec<GroupStats>,
    /// The last moves of loops between workers, the oldest first.
    pub moves: Vec<MoveRecord>,
    /// Loops that have stopped, and what was dropped with them.
    pub stops: StopStats,
    /// When the picture was taken.
    pub now: Time,
    /// False if some worker did not answer in time.
    pub complete: bool,
    /// There are more loops, behind this one: where the next [`Loops::Page`] begins.
    pub next: Option<LoopId>,
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
    /// How long ago it last came out of a sleep; none if it has not slept yet, or in a simulation.
    pub woke: Option<Duration>,
    /// The longest that it went without looking at its poller while it was awake: for so long nothing
    /// from outside could reach it.
    pub longest_gap: Duration,
    /// How long its thread has been kept waiting for a processor by the kernel, counted when it gets
    /// one; none if the kernel does not tell, and in a simulation.
    pub run_queue: Option<Duration>,
    /// The age of what waits longest to be handled by one of its loops; only if the worker answered, and
    /// of what came from a handler, a timer or a socket. None if nothing waits.
    pub oldest: Option<Duration>,
    /// Loops that came from other workers.
    pub moved_in: u64,
    /// Loops that went to other workers.
    pub moved_out: u64,
    /// Loops that wait for a turn now, by class; only if the worker answered.
    pub waiting: Option<[usize; 4]>,
    /// The handler that runs, and since when; only if the worker did not answer.
    pub running: Option<(Who, Time)>,
    /// What keeps it from getting on, as long as that lasts, by the watcher's last look: from [`crate::Watch::overrun`]
    /// in one handler on, or [`crate::Watch::stall`] of having something to do and doing nothing. Only if the worker
    /// did not answer; never in a simulation.
    pub hindered: Option<Hindered>,
    /// Handlers that ran for longer than [`crate::Watch::overrun`], by class.
    pub overruns: [u64; 4],
    /// Handlers that began later than [`crate::Watch::late`], by class.
    pub lates: [u64; 4],
}

/// One loop.
#[derive(Clone, Debug)]
pub struct LoopStats {
    /// The loop.
    pub id: LoopId,
    /// Its name.
    pub name: Arc<str>,
    /// Its kind: the name of its type.
    pub kind: &'static str,
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
    /// The longest that a handler has waited, or a timer was late.
    pub latest: Duration,
    /// Turns it had.
    pub turns: u64,
    /// Handlers run, by class.
    pub handlers: [u64; 4],
    /// Handlers by kind, in the order of [`Handler::ALL`]; the last stands for all that come after.
    pub sites: [SiteStats; 6],
    /// Timers it has.
    pub timers: usize,
    /// Sockets it has.
    pub sockets: usize,
    /// Its jobs for idle time.
    pub jobs: Vec<JobStats>,
    /// What is under way from it, or to it, as far as it shows that: the credit it sends by first of all.
    pub flows: Vec<FlowStats>,
    /// Its work queues.
    pub queues: Vec<QueueStats>,
    /// Its clients that connect again.
    pub clients: Vec<ClientStats>,
    /// Handlers that went on for long after their time was up, by site; see
    /// [`kit::budget`](crate::kit::budget).
    pub overruns: Vec<(Site, u64)>,
    /// What waits for it.
    pub waiting: Waiting,
    /// What it owns, if asked for.
    pub details: Option<Box<LoopDetails>>,
}

/// Handlers of one kind of one loop.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SiteStats {
    /// How many have run.
    pub count: u64,
    /// Their time together.
    pub run: Duration,
}

/// What waits for a loop to be handled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Waiting {
    /// Messages and events of other loops in liveness and control.
    pub urgent: usize,
    /// Those in routing and bulk.
    pub rest: usize,
    /// There are more than these, that have not been counted.
    pub more: bool,
    /// Its own events, by class.
    pub events: [usize; 4],
    /// Sockets with readiness, by class.
    pub ready: [usize; 4],
    /// Pieces of long work, by class.
    pub works: [usize; 4],
}

/// What a loop owns.
#[derive(Clone, Debug, Default)]
pub struct LoopDetails {
    /// Its timers.
    pub timers: Vec<TimerInfo>,
    /// Its events.
    pub events: Vec<TaskStats>,
    /// Its long work.
    pub works: Vec<TaskStats>,
    /// Its sockets.
    pub sockets: Vec<SocketStats>,
    /// How long its handlers took and waited.
    pub timings: Timings,
}

/// One event or long work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TaskStats {
    /// Its number in the loop.
    pub number: u32,
    /// Its class.
    pub class: Class,
    /// Whether it is to run.
    pub pending: bool,
    /// Since when, if that is known.
    pub since: Option<Time>,
}

/// One socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SocketStats {
    /// Its number in the loop.
    pub number: u32,
    /// Class of its readiness.
    pub class: Class,
    /// Whether it is another descriptor than a socket.
    pub is_file: bool,
    /// The descriptor; none in a simulation.
    pub descriptor: Option<i32>,
    /// Its own address, if it has one.
    pub local: Option<SocketAddr>,
    /// The address at the other end, if there is one.
    pub peer: Option<SocketAddr>,
    /// Whether the loop waits for it to be readable and writable.
    pub interest: crate::Interest,
    /// Whether readiness waits to be handled.
    pub ready: bool,
    /// Bytes that have arrived and not been read, if that can be told.
    pub unread: Option<usize>,
}

impl LoopStats {
    /// What is known without entering the loop.
    pub(crate) fn new(header: &Header) -> Self {
        let counters = &header.counters;
        let nanos = |counter: &core::sync::atomic::AtomicU64| {
            Duration::from_nanos(counter.load(Ordering::Relaxed))
        };
        let sites = core::array::from_fn(|at| {
            let site = &counters.sites[at];
            let count = site.count.load(Ordering::Relaxed);
            SiteStats { count, run: nanos(&site.run) }
        });
        Self {
            id: header.id(),
            name: header.shared_name(),
            kind: header.kind(),
            class: header.class(),
            worker: header.state().placement().worker.into(),
            group: header.wish.get().group,
            pinned: header.wish.get().pin.map(usize::from),
            run: sites.iter().map(|site: &SiteStats| site.run).sum(),
            longest: Duration::ZERO,
            latest: Duration::ZERO,
            turns: counters.turns.load(Ordering::Relaxed),
            handlers: core::array::from_fn(|at| counters.handlers[at].load(Ordering::Relaxed)),
            sites,
            timers: 0,
            sockets: 0,
            jobs: Vec::new(),
            flows: Vec::new(),
            queues: Vec::new(),
            clients: Vec::new(),
            overruns: counters.overruns.stats(),
            waiting: Waiting::default(),
            details: None,
        }
    }
}

/// Receives a picture of the runtime once it is complete.
pub struct StatsReply(pub(crate) Box<dyn FnOnce(Stats) + Send>);

impl StatsReply {
    /// Calls `receive` on some worker; let it send the result on to a loop.
    pub fn new(receive: impl FnOnce(Stats) + Send + 'static) -> Self {
        Self(Box::new(receive))
    }

    /// Hands it over. Who asked for it is not known: if it panics that is said, and no loop stops.
    pub(crate) fn call(self, stats: Stats, log: &dyn Fn(&LogRecord)) {
        if let Err(panic) = contain("", || (self.0)(stats)) {
            let text = format!("what was to receive statistics panicked: {panic}");
            log(&LogRecord { level: LogLevel::Error, loop_id: None, loop_name: None, text });
        }
    }
}

impl fmt::Debug for StatsReply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StatsReply").finish_non_exhaustive()
    }
}

/// Whether this build measures handlers on threads; a simulation always does.
pub(crate) const MEASURES: bool = !cfg!(feature = "without-statistics");

/// The kind of a loop.
pub(crate) fn kind_of<L: ?Sized>() -> &'static str {
    short_name(core::any::type_name::<L>())
}

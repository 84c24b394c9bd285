//! What other threads see of a worker.

use core::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::{io, sync::Arc};

use dunlin_os::poll::Waker;
use dunlin_sync::{CachePadded, Class, Door, Inbox, Snapshot, WakeWord};

use crate::{
    dispatch::RunEntry,
    ending::Stop,
    groups::{GroupId, Groups, Threads},
    loop_cell::Runnable,
    moves::{MoveLog, MoveReason},
    pool::collect::{Collector, counted},
    stats::{Gauge, Held, HinderedWord, WorkerStats},
    time::Time,
};

/// A worker as other threads see it.
pub(crate) struct WorkerShared {
    pub(crate) index: u16,
    pub(crate) inbox: Inbox<Injected>,
    pub(crate) wake: CachePadded<WakeWord>,
    pub(crate) waker: Waker,
    /// The urgent word: classes of the entries in the inbox that do not wait for the end of a
    /// turn. Set by senders before they wake, cleared by the worker before it takes the inbox;
    /// relaxed, as it only makes the worker look sooner.
    pub(crate) urgent: AtomicU32,
    /// Whether the worker takes commands. Closed by it before its last look at the inbox.
    door: Door,
    /// Loops the worker has or is about to get.
    pub(crate) loops: AtomicUsize,
    pub(crate) counters: WorkerCounters,
    /// The kernel's number of its thread, 0 before it runs. Written by the worker, read by the watcher;
    /// relaxed.
    pub(crate) thread: AtomicU32,
    /// What the counters said when they were last cleared; published by the worker.
    pub(crate) cleared: Snapshot<WorkerStats>,
    /// What the worker measures.
    pub(crate) gauge: Arc<Gauge>,
    /// What holds it up.
    pub(crate) hindered: HinderedWord,
}

/// One waiting loop in [`WorkerCounters::waiting`].
pub(crate) const WAITING_UNIT: u64 = 1024;

/// Bit of [`Class::Liveness`] in the urgent word.
pub(crate) const LIVENESS_BIT: u32 = 1;

/// What a worker has done. Written by the worker, read by anyone, relaxed.
#[derive(Debug, Default)]
pub(crate) struct WorkerCounters {
    pub(crate) started: AtomicU64,
    pub(crate) seen: AtomicU64,
    pub(crate) busy: AtomicU64,
    pub(crate) idle: AtomicU64,
    pub(crate) turns: AtomicU64,
    pub(crate) handlers: [AtomicU64; 4],
    pub(crate) messages: AtomicU64,
    pub(crate) sleeps: AtomicU64,
    pub(crate) polls: AtomicU64,
    pub(crate) longest: AtomicU64,
    /// When it last came out of a sleep.
    pub(crate) woke: AtomicU64,
    /// The longest between two looks at the poller, without the sleeps.
    pub(crate) longest_gap: AtomicU64,
    pub(crate) jobs: AtomicU64,
    pub(crate) floor: AtomicU64,
    pub(crate) liveness_late: AtomicU64,
    /// Loops waiting for a turn, a sliding average times [`WAITING_UNIT`].
    pub(crate) waiting: AtomicU64,
    /// The share of the time it has been busy lately, in thousandths.
    pub(crate) load: AtomicU64,
    pub(crate) moved_in: AtomicU64,
    pub(crate) moved_out: AtomicU64,
}

/// What comes to a worker from elsewhere.
pub(crate) enum Injected {
    /// A loop to be run.
    Run(RunEntry),
    /// Anything else.
    Command(Command),
}

/// Where a loop on its way was before, and why it is there no more.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arrival {
    pub(crate) from: u16,
    pub(crate) why: MoveReason,
    /// When it left.
    pub(crate) left: Time,
    /// Who held it up there.
    pub(crate) held: Option<Held>,
}

/// What a worker may be told.
pub(crate) enum Command {
    /// A loop is yours from now on; `from` says where it was, if it is not new.
    Adopt { cell: Arc<dyn Runnable>, from: Option<Box<Arrival>> },
    /// Give your part of your loops to these new workers, out of `of` workers in all.
    Share { to: Vec<u16>, of: usize },
    /// Give all your loops away and end.
    Retire,
    /// A worker has ended (to worker 0).
    Retired { index: u16, moves: MoveLog },
    /// Change the number of workers of a group (to worker 0).
    Resize { group: GroupId, threads: Threads },
    /// Replace the groups (to worker 0).
    SetGroups { groups: Groups },
    /// The groups have changed: give away what is not yours any more.
    Regroup,
    /// A worker of this group has much to do: see whether there should be more (to worker 0).
    Count { group: GroupId },
    /// Tell what you know.
    Report(Arc<Collector>),
    /// Forget what you have measured.
    ClearStats,
    /// Stop all loops in this way and end (to worker 0, which tells the others).
    Shutdown { how: Stop },
}

impl WorkerShared {
    pub(crate) fn new(index: u16) -> io::Result<Arc<Self>> {
        Ok(Arc::new(Self {
            index,
            inbox: Inbox::new(),
            wake: CachePadded::new(WakeWord::new()),
            waker: Waker::new()?,
            urgent: AtomicU32::new(0),
            door: Door::new(),
            loops: AtomicUsize::new(0),
            counters: WorkerCounters::default(),
            thread: AtomicU32::new(0),
            cleared: Snapshot::new(WorkerStats::default()),
            gauge: Gauge::new(),
            hindered: HinderedWord::default(),
        }))
    }

    /// Gives the worker a loop to run. An entry that reaches a worker that has ended is stale.
    #[inline]
    pub(crate) fn inject(&self, entry: RunEntry) {
        let class = entry.class;
        self.inbox.push(Injected::Run(entry), ());
        if class == Class::Liveness {
            self.urgent.fetch_or(LIVENESS_BIT, Ordering::Relaxed);
        }
        self.wake();
    }

    /// Tells the worker something. False if the worker has ended: the caller then sees to all that
    /// is in the inbox.
    #[must_use]
    pub(crate) fn post(&self, command: Command) -> bool {
        self.inbox.push(Injected::Command(command), ());
        let open = self.door.is_open_after_all();
        if open {
            self.wake();
        }
        open
    }

    /// Loops waiting for a turn, on average.
    pub(crate) fn waiting(&self) -> f32 {
        self.counters.waiting.load(Ordering::Relaxed) as f32 / WAITING_UNIT as f32
    }

    /// Publishes the share of the time it has been busy lately.
    pub(crate) fn set_load(&self, share: f32) {
        self.counters.load.store((share * 1000.0) as u64, Ordering::Relaxed);
    }

    /// The worker's last step but one: whatever is posted from now on is seen to by the poster.
    pub(crate) fn close(&self) {
        self.door.close();
    }

    /// Whether the worker has ended as it should.
    pub(crate) fn is_closed(&self) -> bool {
        self.door.is_closed()
    }

    /// What has been counted so far counts no more. Only on the worker itself.
    pub(crate) fn clear_counters(&self) {
        self.counters.longest.store(0, Ordering::Relaxed);
        self.counters.longest_gap.store(0, Ordering::Relaxed);
        self.counters.liveness_late.store(0, Ordering::Relaxed);
        self.cleared.store(Arc::new(counted(self)));
    }

    #[inline]
    fn wake(&self) {
        if self.wake.wake() {
            // A waker that fails is one whose worker is awake or gone.
            let _ = self.waker.wake();
        }
    }
}

//! Whole topologies of loops in one process, on a virtual clock, replayable from a seed.
//!
//! [`SimRuntime`] runs the same loops as [`crate::Runtime`]: virtual workers with the same run
//! queues, budgets and moves, an in-memory network ([`SimNet`]), and one random generator that
//! decides everything that is up to chance. Two runs with the same seed and the same calls have
//! the same [`SimRuntime::trace_hash`].

mod balance;
mod crew;
mod dispatch;
mod engine;
mod faults;
mod moves;
mod net;
mod recording;
mod sched;
mod spent;
mod stats;
mod stream;
mod wire;

use core::{fmt, marker::PhantomData, ops::RangeInclusive, time::Duration};
use std::sync::Arc;

use dunlin_sync::Class;
use dunlin_trace::Recorder;

pub use net::SimNet;
pub(crate) use net::SimSocket;
pub use recording::sim_recorder;

use crate::{
    address::Address,
    ending::Stop,
    groups::{GroupId, GroupOptions, Threads},
    handle::RuntimeHandle,
    options::{Budgets, LogRecord, LogSink},
    runloop::Loop,
    stats::{Stats, Survey},
    time::Time,
};

/// How a simulation behaves.
#[derive(Clone)]
pub struct SimOptions {
    /// Decides all that is up to chance.
    pub seed: u64,
    /// Virtual workers of the default group at the start, unless `groups` says otherwise.
    pub workers: usize,
    /// The thread groups, the first of them the default. None means the built-in ones.
    pub groups: Vec<GroupOptions>,
    /// How long each turn may last.
    pub budgets: Budgets,
    /// Virtual time a handler takes, besides what it consumes by itself.
    pub handler_cost: RangeInclusive<Duration>,
    /// Whether loops of one class run in an order of chance rather than in that of scheduling.
    pub shuffle: bool,
    /// Whether loops go from worker to worker by load, as on real workers.
    pub balance: bool,
    /// How often, in 1000 handlers, a loop moves to another worker for no reason.
    pub moves: u32,
    /// How often, in 1000 times that a worker is woken from sleep, the system lets it wait.
    pub late_wakes: u32,
    /// For how long it waits then.
    pub wake_delay: RangeInclusive<Duration>,
    /// How long a segment is under way.
    pub latency: RangeInclusive<Duration>,
    /// How many of 1000 segments are lost, each time they are sent: they come later, as does what
    /// was sent after them.
    pub loss: u32,
    /// How many of 1000 attempts to connect or to accept find no descriptor (`EMFILE`).
    pub shortage: u32,
    /// Bytes a connection holds in each direction: sent and not yet read.
    pub buffer: usize,
    /// How often, in 1000 writes, only a part is taken although there is room.
    pub partial_writes: u32,
    /// How often, in 1000 reads, only a part is given although there is more.
    pub partial_reads: u32,
    /// Where flight records go, of [`sim_recorder`]. Without one nothing is recorded.
    pub recorder: Option<Recorder>,
    /// Where reports go.
    pub log: Option<Arc<dyn LogSink>>,
}

impl SimOptions {
    /// Two workers, a millisecond of latency, a bit of everything that may happen on a sound machine
    /// with a sound network.
    pub fn new(seed: u64) -> Self {
        let micros = Duration::from_micros;
        Self {
            seed,
            workers: 2,
            groups: Vec::new(),
            budgets: Budgets::default(),
            handler_cost: Duration::from_nanos(200)..=micros(20),
            shuffle: true,
            balance: true,
            moves: 2,
            late_wakes: 0,
            wake_delay: micros(50)..=micros(5000),
            latency: micros(200)..=micros(1500),
            loss: 0,
            shortage: 0,
            buffer: 128 * 1024,
            partial_writes: 100,
            partial_reads: 100,
            recorder: None,
            log: None,
        }
    }
}

impl fmt::Debug for SimOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimOptions")
            .field("seed", &self.seed)
            .field("workers", &self.workers)
            .field("latency", &self.latency)
            .finish_non_exhaustive()
    }
}

/// A runtime on a virtual clock. Nothing happens but in [`step`](Self::step) and the `run_`
/// methods, all on the calling thread. One that is dropped by a panic, as by a test that fails, prints
/// its seed and its trace. It stays on the thread that made it, to which its loops belong.
pub struct SimRuntime {
    sched: sched::Scheduler,
    here: PhantomData<*const ()>,
}

impl SimRuntime {
    /// A simulation with [`SimOptions::new`].
    pub fn new(seed: u64) -> Self {
        Self::with_options(SimOptions::new(seed))
    }

    /// A simulation.
    pub fn with_options(options: SimOptions) -> Self {
        Self { sched: sched::Scheduler::new(options), here: PhantomData }
    }

    /// A handle for loops.
    pub fn handle(&self) -> RuntimeHandle {
        self.sched.handle()
    }

    /// See [`RuntimeHandle::spawn`].
    #[track_caller]
    pub fn spawn<L: Loop>(&self, name: &str, class: Class, state: L) -> Address<L::Message> {
        self.handle().spawn(name, class, state)
    }

    /// See [`RuntimeHandle::spawn_with`].
    #[track_caller]
    pub fn spawn_with<L: Loop>(
        &self,
        name: &str,
        class: Class,
        make: impl FnOnce(Address<L::Message>) -> L,
    ) -> Address<L::Message> {
        self.handle().spawn_with(name, class, make)
    }

    /// The virtual time.
    pub fn now(&self) -> Time {
        self.sched.now()
    }

    /// Does the next thing that happens, if it happens no later than `limit`. Otherwise it is
    /// `limit` now, and false is returned.
    pub fn step(&mut self, limit: Time) -> bool {
        self.sched.step(limit)
    }

    /// Lets everything happen until `when`.
    pub fn run_until(&mut self, when: Time) {
        while self.step(when) {}
    }

    /// Lets everything happen for `span`.
    pub fn run_for(&mut self, span: Duration) {
        self.run_until(self.now() + span);
    }

    /// Lets things happen until `done` says so, asked after each; false if that is not within
    /// `span`.
    pub fn run_until_done(&mut self, span: Duration, mut done: impl FnMut() -> bool) -> bool {
        let limit = self.now() + span;
        while !done() {
            if !self.step(limit) {
                return done();
            }
        }
        true
    }

    /// The network: partitions, resets, loss, latency, descriptors.
    pub fn net(&mut self) -> &mut SimNet {
        self.sched.net()
    }

    /// Changes the number of virtual workers of the default group now; loops move with their timers
    /// and sockets.
    pub fn resize(&mut self, workers: usize) {
        self.sched.resize(GroupId::DEFAULT, Threads::Fixed(workers));
    }

    /// Keeps a virtual worker from running anything for `span`, as a handler that hogs it would.
    pub fn block_worker(&mut self, index: usize, span: Duration) {
        self.sched.block(index, span);
    }

    /// Sets the wall clock forward by so many nanoseconds, or back if negative.
    pub fn set_wall(&mut self, by: i64) {
        self.sched.engine.wall_set = self.sched.engine.wall_set.saturating_add(by);
    }

    /// Suspends the system for `span` and resumes it: the monotonic clock stands still, all others go
    /// on.
    pub fn suspend(&mut self, span: Duration) {
        let suspended = &mut self.sched.engine.suspended;
        *suspended = suspended.saturating_add(crate::time::nanos(span));
    }

    /// Stops every loop; run on to see it happen.
    pub fn shutdown(&mut self) {
        self.shutdown_with(Stop::NOW);
    }

    /// See [`RuntimeHandle::shutdown_with`]; run on to see it happen.
    pub fn shutdown_with(&mut self, how: Stop) {
        self.handle().shutdown_with(how);
    }

    /// What has happened so far, in one number: handlers, when and where they ran, and every byte
    /// written and read.
    pub fn trace_hash(&self) -> u64 {
        self.sched.trace_hash()
    }

    /// Handlers run so far.
    pub fn handlers(&self) -> u64 {
        self.sched.handlers()
    }

    /// A picture of the runtime.
    pub fn stats(&self) -> Stats {
        self.sched.survey(&Survey::default())
    }

    /// As [`stats`](Self::stats), with what is asked for.
    pub fn survey(&self, survey: &Survey) -> Stats {
        self.sched.survey(survey)
    }
}

impl Drop for SimRuntime {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!(
                "simulation: seed {} failed at {:?}, trace {:#018x}, {} handlers",
                self.sched.options.seed,
                self.now(),
                self.trace_hash(),
                self.handlers()
            );
        }
    }
}

impl fmt::Debug for SimRuntime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimRuntime")
            .field("now", &self.now())
            .field("handlers", &self.handlers())
            .finish_non_exhaustive()
    }
}

/// Reports to whoever listens.
fn report(sink: Option<&Arc<dyn LogSink>>, record: &LogRecord) {
    if let Some(sink) = sink {
        sink.log(record);
    }
}

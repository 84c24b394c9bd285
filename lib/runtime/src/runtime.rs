//! The real runtime: a pool of threads.

use core::time::Duration;
use std::{
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, mpsc},
    thread::JoinHandle,
};

use dunlin_os::thread;
use dunlin_sync::Class;
use dunlin_trace::worker_number;

use crate::{
    address::Address,
    dispatch::Dispatch,
    ending::Stop,
    groups::GroupId,
    handle::RuntimeHandle,
    options::RuntimeOptions,
    pool::{Pool, WorkerShared, local, worker_stats},
    runloop::Loop,
    stats::{GroupStats, Stats, StatsReply, Survey},
    watch::WatchThread,
    worker::Worker,
};

/// A running pool of workers. Dropping it stops every loop and waits for the workers.
#[derive(Debug)]
pub struct Runtime {
    handle: RuntimeHandle,
    pool: PoolRef,
    first: Option<JoinHandle<()>>,
    watch: WatchThread,
}

struct PoolRef(Arc<Pool>);

impl core::fmt::Debug for PoolRef {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Pool")
    }
}

impl Runtime {
    /// Starts the workers.
    pub fn new(options: RuntimeOptions) -> io::Result<Self> {
        // The rate of the clock is measured once, before the first worker needs it.
        dunlin_os::clock::scale();
        let pool = Pool::new(options)?;
        let table = pool.table();
        let shared = table.find(0).ok_or_else(|| io::Error::other("no first worker"))?;
        let first = Some(start_thread(&pool, shared)?);
        let handle = RuntimeHandle::new(Arc::clone(&pool) as _, GroupId::DEFAULT);
        let default = table.groups.find(table.groups.default());
        if let Some(group) = default {
            handle.resize_group(GroupId::DEFAULT, group.options.threads);
        }
        let watch = WatchThread::start(&pool)?;
        Ok(Self { handle, pool: PoolRef(pool), first, watch })
    }

    /// A handle for loops and other threads.
    pub fn handle(&self) -> RuntimeHandle {
        self.handle.clone()
    }

    /// See [`RuntimeHandle::spawn`].
    #[track_caller]
    pub fn spawn<L: Loop>(&self, name: &str, class: Class, state: L) -> Address<L::Message> {
        self.handle.spawn(name, class, state)
    }

    /// See [`RuntimeHandle::spawn_with`].
    #[track_caller]
    pub fn spawn_with<L: Loop>(
        &self,
        name: &str,
        class: Class,
        make: impl FnOnce(Address<L::Message>) -> L,
    ) -> Address<L::Message> {
        self.handle.spawn_with(name, class, make)
    }

    /// See [`RuntimeHandle::resize`].
    pub fn resize(&self, threads: usize) {
        self.handle.resize(threads);
    }

    /// A picture of the runtime, for threads that are not workers: waits for the workers, but not
    /// for ever; then, and on a worker, what the counters say without the loops.
    pub fn stats(&self) -> Stats {
        self.survey(Survey::default())
    }

    /// As [`stats`](Self::stats), with what is asked for.
    pub fn survey(&self, survey: Survey) -> Stats {
        if !local::is_worker_of(self.pool.0.mark()) {
            let (sender, receiver) = mpsc::channel();
            let reply = StatsReply::new(move |stats| {
                // Nobody listens any more if it took too long.
                let _ = sender.send(stats);
            });
            self.handle.survey(survey, reply);
            if let Ok(stats) = receiver.recv_timeout(PATIENCE) {
                return stats;
            }
        }
        let table = self.pool.0.table();
        let stats =
            |worker: &Arc<WorkerShared>| worker_stats(worker, table.groups.of_worker(worker.index));
        let workers = table.all().map(stats).collect();
        let stops = self.pool.0.stops().stats();
        Stats { workers, groups: GroupStats::all(&table.groups), stops, ..Stats::default() }
    }

    /// Waits until the runtime has been shut down by way of a handle.
    pub fn join(mut self) {
        self.wait();
    }

    /// Stops every loop and waits for the workers.
    pub fn shutdown(self) {
        self.shutdown_with(Stop::NOW);
    }

    /// See [`RuntimeHandle::shutdown_with`]; waits for the workers.
    pub fn shutdown_with(mut self, how: Stop) {
        self.handle.shutdown_with(how);
        self.wait();
    }

    fn wait(&mut self) {
        if let Some(first) = self.first.take() {
            // A worker that panicked has said so.
            let _ = first.join();
        }
        self.watch.end(&self.pool.0);
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        if self.first.is_some() {
            self.handle.shutdown();
            self.wait();
        }
    }
}

/// Starts the thread of a worker.
pub(crate) fn start_thread(
    pool: &Arc<Pool>,
    shared: &Arc<WorkerShared>,
) -> io::Result<JoinHandle<()>> {
    let name = format!("worker-{}", worker_number(shared.index));
    let engine = Worker::prepare(pool, shared)?;
    let (pool, index) = (Arc::clone(pool), shared.index);
    thread::spawn(&name, None, move || {
        let worker = Worker::new(Arc::clone(&pool), engine);
        if catch_unwind(AssertUnwindSafe(|| worker.run())).is_err() {
            // Its loops are lost, and nobody knows in what state.
            let number = worker_number(index);
            pool.fatal(format!("worker {number} panicked outside of handlers"));
        }
    })
}

/// How long to wait for statistics.
const PATIENCE: Duration = Duration::from_secs(1);

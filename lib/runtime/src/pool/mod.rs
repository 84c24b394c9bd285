//! The pool: who the workers are, and how what is for them gets there.

mod collect;
pub(crate) mod local;
mod shared;

use core::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::{io, sync::Arc};

use dunlin_sync::{Item, Snapshot};

pub(crate) use collect::{Collector, worker_stats};
pub(crate) use shared::{Command, Injected, LIVENESS_BIT, WAITING_UNIT, WorkerShared};

use crate::{
    dispatch::{Dispatch, RunEntry},
    ids::LoopId,
    loop_cell::Runnable,
    options::{LogLevel, LogRecord, RuntimeOptions},
    placement,
    stats::StatsReply,
};

/// What all threads of a runtime share.
pub(crate) struct Pool {
    pub(crate) options: RuntimeOptions,
    /// The workers. Published by worker 0 (by the founder, before there is one).
    table: Snapshot<Table>,
    /// Workers there are to be, as last asked for.
    asked: AtomicUsize,
    next_loop: AtomicU32,
    /// Worker 0 has been told to shut down, or cannot be told anything any more.
    pub(crate) stopping: AtomicBool,
}

/// The workers at one time.
#[derive(Clone, Default)]
pub(crate) struct Table {
    /// By index. A worker stays here until it has ended.
    pub(crate) slots: Vec<Option<Arc<WorkerShared>>>,
    /// Indices of those that loops are placed on.
    pub(crate) active: Vec<u16>,
}

impl Table {
    pub(crate) fn find(&self, index: u16) -> Option<&Arc<WorkerShared>> {
        self.slots.get(usize::from(index))?.as_ref()
    }

    pub(crate) fn active(&self) -> impl Iterator<Item = &Arc<WorkerShared>> {
        self.active.iter().filter_map(|&index| self.find(index))
    }

    /// All workers, those that are ending too.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Arc<WorkerShared>> {
        self.slots.iter().flatten()
    }

    pub(crate) fn insert(&mut self, worker: Arc<WorkerShared>) {
        let index = usize::from(worker.index);
        if index >= self.slots.len() {
            self.slots.resize(index + 1, None);
        }
        self.active.push(worker.index);
        self.slots[index] = Some(worker);
    }

    /// The first index no worker has.
    pub(crate) fn vacant(&self) -> Option<u16> {
        let hole = self.slots.iter().position(Option::is_none).unwrap_or(self.slots.len());
        u16::try_from(hole).ok()
    }
}

impl Pool {
    /// A pool with one worker, that nobody runs yet.
    pub(crate) fn new(options: RuntimeOptions) -> io::Result<Arc<Self>> {
        let mut table = Table::default();
        table.insert(WorkerShared::new(0)?);
        Ok(Arc::new(Self {
            options,
            table: Snapshot::new(table),
            asked: AtomicUsize::new(1),
            next_loop: AtomicU32::new(1),
            stopping: AtomicBool::new(false),
        }))
    }

    /// Tells this pool from others in the process.
    pub(crate) fn mark(&self) -> usize {
        core::ptr::from_ref(self).addr()
    }

    pub(crate) fn table(&self) -> Arc<Table> {
        self.table.load_full()
    }

    pub(crate) fn publish(&self, table: Table) {
        self.table.store(Arc::new(table));
    }

    /// Tells worker 0 something.
    pub(crate) fn tell_first(&self, command: Command) {
        if let Some(first) = self.table().find(0) {
            self.tell(first, command);
        }
    }

    /// Tells a worker something; if it has ended, sees to what it left.
    pub(crate) fn tell(&self, worker: &Arc<WorkerShared>, command: Command) {
        if !worker.post(command) {
            self.clear_up(worker);
        }
    }

    /// Sees to what is in the inbox of a worker that has ended. Entries are stale, as all the
    /// loops have moved.
    pub(crate) fn clear_up(&self, worker: &Arc<WorkerShared>) {
        for entry in worker.inbox.take_all() {
            let Item::Message(Injected::Command(command)) = entry.item else { continue };
            match command {
                Command::Adopt { cell, from } => {
                    worker.loops.fetch_sub(1, Ordering::Relaxed);
                    self.send_to_best(cell, from, Some(worker.index));
                }
                Command::Report(collector) => collector.skip(),
                Command::Share { .. }
                | Command::Retire
                | Command::Retired { .. }
                | Command::Resize { .. }
                | Command::Shutdown => {}
            }
        }
    }

    /// Gives a loop on its way to the least loaded worker, but not to `but`.
    pub(crate) fn send_to_best(
        &self,
        cell: Arc<dyn Runnable>,
        from: Option<u16>,
        but: Option<u16>,
    ) {
        let table = self.table();
        let others = || table.active().filter(|worker| Some(worker.index) != but);
        let loads = others().map(|worker| worker.loops.load(Ordering::Relaxed));
        let best = placement::least(loads).and_then(|at| others().nth(at));
        match best.or_else(|| table.find(0).filter(|_| but != Some(0))) {
            Some(worker) => self.send_to(worker, cell, from),
            None => {
                // The runtime has ended: nobody will run it.
                cell.header().state().close();
                cell.sweep();
            }
        }
    }

    /// Gives a loop on its way to this worker.
    pub(crate) fn send_to(
        &self,
        worker: &Arc<WorkerShared>,
        cell: Arc<dyn Runnable>,
        from: Option<u16>,
    ) {
        worker.loops.fetch_add(1, Ordering::Relaxed);
        self.tell(worker, Command::Adopt { cell, from });
    }

    pub(crate) fn warn(&self, text: String) {
        self.log(&LogRecord { level: LogLevel::Warning, loop_id: None, loop_name: None, text });
    }
}

impl Dispatch for Pool {
    fn enqueue(&self, entry: RunEntry) {
        if let Err(entry) = local::push(self.mark(), entry) {
            // A worker that is not there (any more) has given its loops away, and this one's entry
            // has been replaced.
            if let Some(worker) = self.table.load().find(entry.at.worker) {
                worker.inject(entry);
            }
        }
    }

    fn next_id(&self) -> LoopId {
        LoopId(self.next_loop.fetch_add(1, Ordering::Relaxed))
    }

    fn admit(&self, cell: Arc<dyn Runnable>) {
        if let Some(recorder) = &self.options.recorder {
            recorder.name_loop(cell.header().id().number(), cell.header().name());
        }
        self.send_to_best(cell, None, None);
    }

    fn resize(&self, threads: usize) {
        let threads = threads.clamp(1, self.options.max_threads.max(1));
        self.asked.store(threads, Ordering::Relaxed);
        self.tell_first(Command::Resize { threads });
    }

    fn threads(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }

    fn collect(&self, reply: StatsReply) {
        let table = self.table();
        let collector = Arc::new(Collector::new(table.all().count(), reply));
        for worker in table.all() {
            self.tell(worker, Command::Report(Arc::clone(&collector)));
        }
    }

    fn shutdown(&self) {
        self.tell_first(Command::Shutdown);
    }

    fn log(&self, record: &LogRecord) {
        self.options.log.log(record);
    }
}

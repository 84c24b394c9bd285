//! The pool: who the workers are, and how what is for them gets there.

mod collect;
pub(crate) mod local;
mod shared;
mod table;

use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::{io, sync::Arc};

use dunlin_sync::{Class, Item, Placement, Snapshot};

pub(crate) use collect::{Collector, handler_stats, worker_stats};
pub(crate) use shared::{Arrival, Command, Injected, LIVENESS_BIT, WAITING_UNIT, WorkerShared};
pub(crate) use table::Table;

use crate::{
    clocks::ClockWatch,
    dispatch::{Dispatch, RunEntry, Ticket},
    ending::Stop,
    groups::{GroupId, GroupOptions, Groups, Names, Threads},
    ids::LoopId,
    loop_cell::{Header, Runnable},
    options::{self, LogLevel, LogRecord, RuntimeOptions, Watch, first_groups},
    place::Places,
    stats::{Limits, StatsReply, StopBook, Survey},
    watch::WatchPost,
};

/// What all threads of a runtime share.
pub(crate) struct Pool {
    pub(crate) options: RuntimeOptions,
    /// The workers. Published by worker 0 (by the founder, before there is one).
    table: Snapshot<Table>,
    /// Names of groups.
    names: Names,
    next_loop: AtomicU32,
    clock_watch: ClockWatch,
    pub(crate) places: Arc<Places>,
    /// When handlers and workers are reported.
    pub(crate) limits: Arc<Limits>,
    /// What the watcher is told.
    pub(crate) watch_post: WatchPost,
    /// What was dropped as loops stopped.
    stops: StopBook,
    /// Worker 0 has been told to shut down, or cannot be told anything any more.
    pub(crate) stopping: AtomicBool,
}

impl Pool {
    /// A pool with one worker, that nobody runs yet.
    pub(crate) fn new(options: RuntimeOptions) -> io::Result<Arc<Self>> {
        let mut table = Table::new(first_groups(&options.groups, options.threads));
        let default = table.groups.default();
        table.insert(WorkerShared::new(0)?, default);
        let limits = Arc::new(Limits::new(&options.watch));
        Ok(Arc::new(Self {
            limits,
            watch_post: WatchPost::new(),
            stops: StopBook::new(),
            places: Places::new(options.recorder.clone()),
            options,
            names: Names::new(table.groups.each().map(|(_, group)| &group.options.name)),
            table: Snapshot::new(table),
            next_loop: AtomicU32::new(1),
            clock_watch: ClockWatch::new(),
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
                    self.place(cell, from, Some(worker.index));
                }
                Command::Report(collector) => collector.skip(),
                Command::Share { .. }
                | Command::Retire
                | Command::Retired { .. }
                | Command::Resize { .. }
                | Command::SetGroups { .. }
                | Command::Regroup
                | Command::ClearStats
                | Command::Count { .. }
                | Command::Shutdown { .. } => {}
            }
        }
    }

    /// Gives a loop on its way to the best worker for it, but not to `but`.
    pub(crate) fn place(
        &self,
        cell: Arc<dyn Runnable>,
        from: Option<Box<Arrival>>,
        but: Option<u16>,
    ) {
        let table = self.table();
        let chosen = if self.stopping.load(Ordering::Relaxed) {
            // Others may have ended. Whoever saw one closed sees this, too, or it would be passed
            // from one to the other for ever.
            table.find(0).filter(|_| but != Some(0))
        } else {
            table.choose(cell.header().wish.get(), but)
        };
        match chosen {
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
        from: Option<Box<Arrival>>,
    ) {
        worker.loops.fetch_add(1, Ordering::Relaxed);
        self.tell(worker, Command::Adopt { cell, from });
    }

    pub(crate) fn warn(&self, text: String) {
        self.log(&LogRecord { level: LogLevel::Warning, loop_id: None, loop_name: None, text });
    }

    /// Says that nothing can go on.
    pub(crate) fn fatal(&self, text: String) {
        self.log(&LogRecord { level: LogLevel::Fatal, loop_id: None, loop_name: None, text });
    }
}

impl Dispatch for Pool {
    fn enqueue(&self, entry: RunEntry) {
        // A worker that is not there (any more) has given its loops away, and this one's entry
        // has been replaced.
        if let Some(worker) = self.table.load().find(entry.at.worker) {
            worker.inject(entry);
        }
    }

    #[inline]
    fn enqueue_here(&self, header: &Header, class: Class, at: Placement) -> bool {
        local::is_worker(self.mark(), at.worker) && {
            local::push(Ticket::new(header, class, at));
            true
        }
    }

    fn next_id(&self) -> LoopId {
        LoopId(self.next_loop.fetch_add(1, Ordering::Relaxed))
    }

    fn admit(&self, cell: Arc<dyn Runnable>) {
        self.watch_post.came(cell.header().id(), cell.header().shared_name());
        if let Some(recorder) = &self.options.recorder {
            recorder.name_loop(cell.header().id().number(), cell.header().name());
        }
        self.place(cell, None, None);
    }

    fn resize(&self, group: GroupId, threads: Threads) {
        self.tell_first(Command::Resize { group, threads });
    }

    fn threads(&self) -> usize {
        let table = self.table.load();
        table.groups.active(table.groups.default()).len()
    }

    fn group(&self, name: &str) -> GroupId {
        self.names.id(name)
    }

    fn set_groups(&self, groups: Vec<GroupOptions>, default: &str) {
        let groups = groups.into_iter().map(|options| (self.names.id(&options.name), options));
        let groups = Groups::new(groups.collect(), self.names.id(default));
        self.tell_first(Command::SetGroups { groups });
    }

    fn collect(&self, survey: Survey, reply: StatsReply) {
        let table = self.table();
        let log = Arc::clone(&self.options.log);
        let collector = Collector::new(&table, survey, self.stops.stats(), log, reply);
        let collector = Arc::new(collector);
        self.watch_post.survey(Arc::clone(&collector));
        for worker in table.all() {
            self.tell(worker, Command::Report(Arc::clone(&collector)));
        }
    }

    fn clear_stats(&self) {
        let table = self.table();
        for worker in table.all() {
            self.tell(worker, Command::ClearStats);
        }
        self.stops.clear();
    }

    fn watch(&self, watch: &Watch) {
        self.limits.set(watch);
    }

    fn shutdown(&self, how: Stop) {
        self.tell_first(Command::Shutdown { how });
    }

    fn stops(&self) -> &StopBook {
        &self.stops
    }

    fn places(&self) -> &Places {
        &self.places
    }

    fn clock_watch(&self) -> &ClockWatch {
        &self.clock_watch
    }

    fn log(&self, record: &LogRecord) {
        options::log(&*self.options.log, record);
    }
}

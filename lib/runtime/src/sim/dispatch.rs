//! The side of a simulation that loops and handles hold.

use core::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::Arc;

use dunlin_sync::{Class, Inbox, Placement};

use super::SimOptions;
use crate::{
    clocks::ClockWatch,
    dispatch::{Dispatch, RunEntry},
    ending::Stop,
    groups::{GroupId, GroupOptions, Groups, Names, Threads},
    ids::LoopId,
    loop_cell::{Header, Runnable},
    options::{LogRecord, LogSink, Watch},
    place::Places,
    stats::{Limits, StatsReply, StopBook, Survey},
};

/// Collects what is for the scheduler, which looks here after every handler.
pub(super) struct SimDispatch {
    pub(super) inbox: Inbox<Injected>,
    next_loop: AtomicU32,
    clock_watch: ClockWatch,
    pub(super) places: Arc<Places>,
    /// Workers of the default group.
    pub(super) threads: AtomicUsize,
    names: Names,
    log: Option<Arc<dyn LogSink>>,
    /// When handlers are reported.
    pub(super) limits: Arc<Limits>,
    /// What was dropped as loops stopped.
    pub(super) stops: StopBook,
}

/// What is for the scheduler.
pub(super) enum Injected {
    Run(RunEntry),
    Admit(Arc<dyn Runnable>),
    Resize(GroupId, Threads),
    SetGroups(Groups),
    Report(Survey, StatsReply),
    ClearStats,
    Shutdown(Stop),
}

impl SimDispatch {
    pub(super) fn new(groups: &Groups, options: &SimOptions) -> Arc<Self> {
        Arc::new(Self {
            inbox: Inbox::new(),
            next_loop: AtomicU32::new(1),
            clock_watch: ClockWatch::new(),
            places: Places::new(options.recorder.clone()),
            threads: AtomicUsize::new(1),
            names: Names::new(groups.each().map(|(_, group)| &group.options.name)),
            log: options.log.clone(),
            limits: Arc::new(Limits::new(&Watch::default())),
            stops: StopBook::new(),
        })
    }
}

impl Dispatch for SimDispatch {
    fn enqueue(&self, entry: RunEntry) {
        self.inbox.push(Injected::Run(entry), ());
    }

    /// All entries go the same way, so that the scheduler has them in one order.
    fn enqueue_here(&self, _: &Header, _: Class, _: Placement) -> bool {
        false
    }

    fn next_id(&self) -> LoopId {
        LoopId(self.next_loop.fetch_add(1, Ordering::Relaxed))
    }

    fn admit(&self, cell: Arc<dyn Runnable>) {
        self.inbox.push(Injected::Admit(cell), ());
    }

    fn resize(&self, group: GroupId, threads: Threads) {
        self.inbox.push(Injected::Resize(group, threads), ());
    }

    fn threads(&self) -> usize {
        self.threads.load(Ordering::Relaxed)
    }

    fn group(&self, name: &str) -> GroupId {
        self.names.id(name)
    }

    fn set_groups(&self, groups: Vec<GroupOptions>, default: &str) {
        let groups = groups.into_iter().map(|options| (self.names.id(&options.name), options));
        let groups = Groups::new(groups.collect(), self.names.id(default));
        self.inbox.push(Injected::SetGroups(groups), ());
    }

    fn collect(&self, survey: Survey, reply: StatsReply) {
        self.inbox.push(Injected::Report(survey, reply), ());
    }

    fn clear_stats(&self) {
        self.inbox.push(Injected::ClearStats, ());
    }

    fn watch(&self, watch: &Watch) {
        self.limits.set(watch);
    }

    fn shutdown(&self, how: Stop) {
        self.inbox.push(Injected::Shutdown(how), ());
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
        super::report(self.log.as_ref(), record);
    }
}

//! What loops and handles need from the runtime they live in, real or simulated.

use std::sync::Arc;

use dunlin_sync::{Class, Placement};

use crate::{
    clocks::{ClockSource, ClockWatch},
    ending::Stop,
    groups::{GroupId, GroupOptions, Threads},
    ids::LoopId,
    loop_cell::{Header, Runnable},
    options::{LogLevel, LogRecord, Watch},
    place::Places,
    stats::{StatsReply, StopBook, Survey},
    time::Time,
};

/// One loop in one run queue.
pub(crate) struct RunEntry {
    pub(crate) cell: Arc<dyn Runnable>,
    pub(crate) class: Class,
    pub(crate) at: Placement,
}

/// The same within a worker, which owns the loop: needs no counting of owners.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ticket {
    /// The loop's place in its worker's tables. By the time the ticket is looked at another may have it,
    /// which the number shows.
    pub(crate) slot: u32,
    pub(crate) loop_id: LoopId,
    pub(crate) class: Class,
    pub(crate) at: Placement,
}

impl Ticket {
    /// For a loop of the calling worker.
    #[inline]
    pub(crate) fn new(header: &Header, class: Class, at: Placement) -> Self {
        Self { slot: header.slot(), loop_id: header.id(), class, at }
    }
}

/// The shared side of a runtime. Nothing here blocks.
pub(crate) trait Dispatch: Send + Sync + 'static {
    /// Puts an entry into the run queue of the worker it names and sees to it that the worker
    /// looks there.
    fn enqueue(&self, entry: RunEntry);
    /// The same if the calling thread is that worker; if not, nothing happens, and it is false.
    fn enqueue_here(&self, header: &Header, class: Class, at: Placement) -> bool;
    /// A number for a new loop.
    fn next_id(&self) -> LoopId;
    /// Gives a loop that is moving (a new one is) to a worker, chosen by load.
    fn admit(&self, cell: Arc<dyn Runnable>);
    /// Asks for this many workers of a group.
    fn resize(&self, group: GroupId, threads: Threads);
    /// Workers of the default group.
    fn threads(&self) -> usize;
    /// The name's number, the same whenever it is asked.
    fn group(&self, name: &str) -> GroupId;
    /// Replaces the groups.
    fn set_groups(&self, groups: Vec<GroupOptions>, default: &str);
    /// Has what is asked for collected and handed to `reply`, on whichever worker is last.
    fn collect(&self, survey: Survey, reply: StatsReply);
    /// Has every worker forget what it has measured.
    fn clear_stats(&self);
    /// Changes what is reported.
    fn watch(&self, watch: &Watch);
    /// Stops every loop in this way, then the workers.
    fn shutdown(&self, how: Stop);
    /// What was dropped as loops stopped.
    fn stops(&self) -> &StopBook;
    /// Where in the program something was asked for.
    fn places(&self) -> &Places;
    /// What looks at the clocks.
    fn clock_watch(&self) -> &ClockWatch;
    /// Reports something.
    fn log(&self, record: &LogRecord);
}

/// Reports something about a loop.
pub(crate) fn report(level: LogLevel, cell: &Arc<dyn Runnable>, text: String) {
    report_of(level, cell.header(), text);
}

/// As [`report`].
pub(crate) fn report_of(level: LogLevel, header: &Header, text: String) {
    header.dispatch().log(&LogRecord {
        level,
        loop_id: Some(header.id()),
        loop_name: Some(header.shared_name()),
        text,
    });
}

/// Looks at the clocks if it is time to, and reports what happened to them.
#[inline]
pub(crate) fn look_at_clocks(dispatch: &dyn Dispatch, now: Time, source: &dyn ClockSource) {
    let watch = dispatch.clock_watch();
    if watch.is_due(now)
        && let Some(jump) = watch.look(now, source)
    {
        let (level, text) = (LogLevel::Warning, jump.to_string());
        dispatch.log(&LogRecord { level, loop_id: None, loop_name: None, text });
    }
}

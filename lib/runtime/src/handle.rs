//! A runtime as seen from its loops and from other threads.

use core::{fmt, panic::Location};
use std::{
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::Arc,
};

use dunlin_sync::Class;

use crate::{
    address::Address,
    dispatch::Dispatch,
    ending::Stop,
    groups::{GroupId, GroupOptions, Threads},
    loop_cell::LoopCell,
    options::Watch,
    place::{PlaceId, PlaceInfo},
    runloop::Loop,
    stats::{StatsReply, Survey, kind_of},
};

/// A handle to a runtime, real or simulated. Cheap to clone; nothing here blocks.
#[derive(Clone)]
pub struct RuntimeHandle {
    dispatch: Arc<dyn Dispatch>,
    /// Of loops it spawns.
    group: GroupId,
}

impl RuntimeHandle {
    pub(crate) fn new(dispatch: Arc<dyn Dispatch>, group: GroupId) -> Self {
        Self { dispatch, group }
    }

    /// The same runtime, but loops spawned by this handle are in `group`. A handle from
    /// [`Context::runtime`](crate::Context::runtime) spawns into the group of its loop, one from
    /// [`Runtime::handle`](crate::Runtime::handle) into the default group.
    #[must_use]
    pub fn in_group(&self, group: GroupId) -> Self {
        Self::new(Arc::clone(&self.dispatch), group)
    }

    /// Starts a loop on the least loaded worker of its group. `class` is that of its sockets' readiness.
    #[track_caller]
    pub fn spawn<L: Loop>(&self, name: &str, class: Class, state: L) -> Address<L::Message> {
        self.spawn_with(name, class, |_| state)
    }

    /// Starts a loop made by `make`, which gets the new loop's own address.
    #[track_caller]
    pub fn spawn_with<L: Loop>(
        &self,
        name: &str,
        class: Class,
        make: impl FnOnce(Address<L::Message>) -> L,
    ) -> Address<L::Message> {
        let dispatch = Arc::clone(&self.dispatch);
        let cell = LoopCell::new(name, kind_of::<L>(), class, self.group, dispatch);
        let address = Address::new(Arc::clone(&cell));
        let made =
            catch_unwind(AssertUnwindSafe(|| make(address.clone()))).unwrap_or_else(|panic| {
                // Whoever has got the address must not wait for a loop that never comes to be.
                cell.abandon();
                resume_unwind(panic)
            });
        cell.fill(Box::new(made));
        self.dispatch.admit(cell);
        address
    }

    /// Asks for this many workers in the default group (at least one, at most the runtime's limit).
    /// Loops are moved with their timers and sockets; when that is done no longer matters to
    /// anybody.
    pub fn resize(&self, threads: usize) {
        self.resize_group(GroupId::DEFAULT, Threads::Fixed(threads));
    }

    /// As [`resize`](Self::resize), for any group, or for a number that follows the load. Nothing
    /// if there is no such group.
    pub fn resize_group(&self, group: GroupId, threads: Threads) {
        self.dispatch.resize(group, threads);
    }

    /// How many workers the default group has; the last number asked for may be another for a while.
    pub fn threads(&self) -> usize {
        self.dispatch.threads()
    }

    /// The group of this name, which may come to exist later, or never.
    pub fn group(&self, name: &str) -> GroupId {
        self.dispatch.group(name)
    }

    /// Replaces the thread groups; one that keeps its name keeps its workers and loops, which follow
    /// the new options. Loops of a group that is not there any more go to the default group, and
    /// back when it comes again. `default` names one of `groups`; if it does not, the first is it.
    /// Nothing if `groups` is empty.
    pub fn set_groups(&self, groups: Vec<GroupOptions>, default: &str) {
        self.dispatch.set_groups(groups, default);
    }

    /// Has statistics collected from all workers and given to `reply`.
    pub fn collect_stats(&self, reply: StatsReply) {
        self.survey(Survey::default(), reply);
    }

    /// Has what `survey` asks for collected from all workers and given to `reply`. A worker that does
    /// not answer within half a second is left out ([`crate::Stats::complete`]).
    pub fn survey(&self, survey: Survey, reply: StatsReply) {
        self.dispatch.collect(survey, reply);
    }

    /// Forgets what has been measured so far: histograms, maxima, counts. What placement goes by and
    /// what belongs to the loops themselves stays.
    pub fn clear_stats(&self) {
        self.dispatch.clear_stats();
    }

    /// Changes what is reported from now on.
    pub fn watch(&self, watch: &Watch) {
        self.dispatch.watch(watch);
    }

    /// The places in the program where something was asked for so far, by file and line: each call that sends,
    /// schedules, arms or starts something and what came of it, once it has run.
    pub fn places(&self) -> Vec<PlaceInfo> {
        self.dispatch.places().list()
    }

    /// The place of this number.
    pub fn place(&self, place: PlaceId) -> Option<&'static Location<'static>> {
        self.dispatch.places().find(place)
    }

    /// Stops every loop, then the workers. One line in the log says what was dropped, if anything was
    /// that somebody had asked for.
    pub fn shutdown(&self) {
        self.shutdown_with(Stop::NOW);
    }

    /// As [`shutdown`](Self::shutdown), but what waits in some classes is run before. Each loop stops by
    /// itself: what one sends another while it drains may come too late, and is given back or dropped.
    pub fn shutdown_with(&self, how: Stop) {
        self.dispatch.shutdown(how);
    }
}

impl fmt::Debug for RuntimeHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RuntimeHandle").field("threads", &self.threads()).finish_non_exhaustive()
    }
}

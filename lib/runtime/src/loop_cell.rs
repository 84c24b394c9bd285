//! A loop as workers and senders share it.

use core::{
    any::Any,
    sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering},
};
use std::sync::Arc;

use dunlin_mem::Arena;
use dunlin_sync::{
    Action, Begin, Class, Classes, EventNode, Inbox, Inside, OwnedCell, Scheduled, StateWord,
};
use dunlin_trace::RecordId;

use crate::{
    ask::Ask,
    body::{Body, Ended},
    cause::{self, Stamp},
    dispatch::{Dispatch, RunEntry, report_of},
    drain::{FOLLOWS_CANCEL, count_out},
    driver::{Done, Driver},
    ending::{self, Dropped, StopOutcome, StopReport},
    groups::GroupId,
    handle::RuntimeHandle,
    ids::{LoopId, SocketId},
    kit::budget::Overruns,
    loop_core::{Deadlines, NOWHERE},
    options::LogLevel,
    panic::{Panic, Panics},
    place::Place,
    runloop::{Loop, Ready},
    sockets::Marked,
    stats::{LoopStats, LoopTimings, note_stop},
    time::Time,
    wish::WishCell,
};

/// The part of a loop that does not depend on the type of its messages.
pub(crate) struct Header {
    state: StateWord,
    /// Somebody has asked the loop to stop. Written by anyone before they notify; read by the worker
    /// that runs the loop. Relaxed: the notification publishes it.
    stop_asked: AtomicBool,
    /// The loop's place in its worker's tables. Written by the worker that takes it in, before the
    /// move is finished, which publishes it; read by the same.
    slot: AtomicU32,
    /// What others ask of the loop itself. Empty but for moments; looked at when a turn begins.
    asks: Inbox<Ask, Stamp>,
    id: LoopId,
    class: Class,
    name: Arc<str>,
    /// The name of the loop's type.
    kind: &'static str,
    dispatch: Arc<dyn Dispatch>,
    /// Where it is to run.
    pub(crate) wish: WishCell,
    pub(crate) counters: Counters,
}

impl Header {
    #[inline]
    pub(crate) fn id(&self) -> LoopId {
        self.id
    }

    pub(crate) fn class(&self) -> Class {
        self.class
    }

    #[inline]
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The kind of loop: the name of its type.
    pub(crate) fn kind(&self) -> &'static str {
        self.kind
    }

    /// Tells it from all other loops of the process.
    #[inline]
    pub(crate) fn address(&self) -> usize {
        core::ptr::from_ref(self).addr()
    }

    pub(crate) fn shared_name(&self) -> Arc<str> {
        Arc::clone(&self.name)
    }

    #[inline]
    pub(crate) fn state(&self) -> &StateWord {
        &self.state
    }

    #[inline]
    pub(crate) fn dispatch(&self) -> &Arc<dyn Dispatch> {
        &self.dispatch
    }

    pub(crate) fn runtime(&self) -> RuntimeHandle {
        RuntimeHandle::new(Arc::clone(&self.dispatch), self.wish.get().group)
    }

    #[inline]
    pub(crate) fn asks(&self) -> &Inbox<Ask, Stamp> {
        &self.asks
    }

    /// Whether a worker may send the loop away for its own reasons: it is not pinned, and liveness does
    /// not wait, which would wait for a handler there after it waited for one here.
    pub(crate) fn may_leave(&self) -> bool {
        self.wish.get().pin.is_none() && !self.state.pending().contains(Class::Liveness)
    }

    #[inline]
    pub(crate) fn slot(&self) -> u32 {
        self.slot.load(Ordering::Relaxed)
    }

    pub(crate) fn set_slot(&self, slot: u32) {
        self.slot.store(slot, Ordering::Relaxed);
    }

    pub(crate) fn ask_to_stop(&self) {
        self.stop_asked.store(true, Ordering::Relaxed);
    }

    #[inline]
    pub(crate) fn is_asked_to_stop(&self) -> bool {
        self.stop_asked.load(Ordering::Relaxed)
    }

    /// Says what panicked, if something did, of what is the loop's own and no handler.
    fn report(&self, panics: &Panics) {
        if let Some(text) = panics.text() {
            report_of(LogLevel::Error, self, text);
        }
    }
}

/// What a loop has used. Written by the worker that runs it, read by anyone; relaxed, as nothing
/// hangs on them.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    /// Time in turns, for placement.
    pub(crate) run: AtomicU64,
    pub(crate) turns: AtomicU64,
    pub(crate) handlers: [AtomicU64; 4],
    pub(crate) overruns: Overruns,
    /// By [`Handler`](crate::stats::Handler); start, stop and idle jobs are counted together, as loops are many.
    pub(crate) sites: [SiteCounters; SITES],
}

/// Handlers of one kind of one loop.
#[derive(Debug, Default)]
pub(crate) struct SiteCounters {
    pub(crate) count: AtomicU64,
    pub(crate) run: AtomicU64,
}

/// Kinds of handlers that are counted for each loop.
pub(crate) const SITES: usize = 6;

impl Counters {
    /// Adds to a counter that only this thread writes just now.
    #[inline]
    pub(crate) fn add(counter: &AtomicU64, amount: u64) {
        counter.store(counter.load(Ordering::Relaxed).wrapping_add(amount), Ordering::Relaxed);
    }

    #[inline]
    pub(crate) fn raise(counter: &AtomicU64, value: u64) {
        if value > counter.load(Ordering::Relaxed) {
            counter.store(value, Ordering::Relaxed);
        }
    }

    /// A handler has run, and ended now.
    #[inline]
    pub(crate) fn ran(&self, handler: &Done, now: Time) {
        let site = &self.sites[handler.handler().index().min(SITES - 1)];
        let took = handler.took(now);
        Self::add(&self.handlers[handler.class().index()], 1);
        Self::add(&site.count, 1);
        Self::add(&site.run, took);
    }

    /// Forgets all but what placement goes by. Only where the loop runs.
    pub(crate) fn clear(&self) {
        let sites = self.sites.iter().flat_map(|site| [&site.count, &site.run]);
        for counter in sites.chain(&self.handlers).chain([&self.turns]) {
            counter.store(0, Ordering::Relaxed);
        }
    }
}

/// A loop: its shared header, its inboxes, and the body that one worker at a time enters.
pub(crate) struct LoopCell<M> {
    header: Header,
    /// Liveness and control.
    high: Inbox<M, Stamp>,
    /// Routing and bulk.
    low: Inbox<M, Stamp>,
    /// Belongs to the thread of the worker that has the loop, from `attach` to `detach`.
    body: OwnedCell<Body<M>>,
}

impl<M: Send + 'static> LoopCell<M> {
    /// A loop without state yet, on its way to a worker.
    #[track_caller]
    pub(crate) fn new(
        name: &str,
        kind: &'static str,
        class: Class,
        group: GroupId,
        dispatch: Arc<dyn Dispatch>,
    ) -> Arc<Self> {
        let state = StateWord::new(0);
        let moving = state.begin_move();
        debug_assert!(moving, "a new loop is at rest");
        let (id, asked) = (dispatch.next_id(), (cause::running().record, Place::here()));
        Arc::new(Self {
            header: Header {
                state,
                stop_asked: AtomicBool::new(false),
                slot: AtomicU32::new(NOWHERE),
                asks: Inbox::new(),
                id,
                class,
                name: name.into(),
                kind,
                dispatch,
                wish: WishCell::new(group),
                counters: Counters::default(),
            },
            high: Inbox::new(),
            low: Inbox::new(),
            body: OwnedCell::new(Body::new(id, class, asked)),
        })
    }

    /// Gives a new loop its state.
    pub(crate) fn fill(&self, state: Box<dyn Loop<Message = M>>) {
        self.body.claim();
        if let Some(mut body) = self.body.enter() {
            body.state = Some(state);
        }
        self.body.release();
    }

    /// A new loop gets none.
    #[cold]
    pub(crate) fn abandon(&self) {
        self.header.state.close();
        self.drop_late();
    }

    #[inline]
    pub(crate) fn inbox(&self, class: Class) -> &Inbox<M, Stamp> {
        match class {
            Class::Liveness | Class::Control => &self.high,
            Class::Routing | Class::Bulk => &self.low,
        }
    }

    /// The same of what has come after the end, by the thread that has sent it, which is not to blame for what
    /// panics there.
    #[cold]
    fn drop_late(&self) {
        let (mut dropped, mut panics) = (Dropped::default(), Panics::default());
        self.drop_messages(&mut dropped, &mut panics);
        self.header.dispatch.stops().note(&dropped);
        self.header.report(&panics);
    }
}

impl<M> LoopCell<M> {
    /// Drops what has come and nobody will look at.
    fn drop_messages(&self, dropped: &mut Dropped, panics: &mut Panics) {
        count_out(self.high.take_all(), dropped, panics);
        count_out(self.low.take_all(), dropped, panics);
        for ask in self.header.asks.take_all() {
            panics.contain(FOLLOWS_CANCEL, || drop(ask));
        }
    }
}

/// A loop that no worker ever had, or whose worker is gone: what it holds is dropped wherever that is.
impl<M> Drop for LoopCell<M> {
    fn drop(&mut self) {
        let (mut dropped, mut panics) = (Dropped::default(), Panics::default());
        if let Some(state) = self.body.get_mut().state.take() {
            panics.drop("the state", state);
        }
        self.drop_messages(&mut dropped, &mut panics);
        self.header.report(&panics);
    }
}

/// What a worker does with a loop, whatever its messages are.
pub(crate) trait Runnable: Send + Sync + 'static {
    fn header(&self) -> &Header;
    fn into_any(self: Arc<Self>) -> Arc<dyn Any + Send + Sync>;
    /// Puts an event into the inbox of its class.
    fn schedule(&self, node: &Arc<EventNode<Stamp>>, class: Class, stamp: Stamp) -> Scheduled;
    /// Runs handlers until there is nothing to do or the driver says to stop. Only between
    /// `begin_run` and `end_run`.
    fn run(
        &self,
        own: &Arc<dyn Runnable>,
        pending: Classes,
        driver: &mut dyn Driver,
        arena: &mut Arena,
    ) -> Ended;
    /// Makes the running worker the loop's own: its sockets are watched there.
    fn attach(&self, slot: u32, driver: &mut dyn Driver) -> Deadlines;
    /// The reverse: nothing of the loop is left with the worker.
    fn detach(&self, driver: &mut dyn Driver);
    /// Notes a socket's readiness; the class to notify, if there is something to serve.
    fn mark_ready(&self, socket: SocketId, ready: Ready, driver: &mut dyn Driver) -> Option<Class>;
    /// Grants a job one step; false if none waits. If true, notify the loop.
    fn grant_job(&self) -> bool;
    /// Something of the loop's that is no handler has panicked: no handler of it runs any more. If it has
    /// not been asked to stop, do so. Only on its worker.
    fn panicked(&self, own: &Arc<dyn Runnable>, panic: &Panic, who: &str);
    /// Drops the loop's state after it has been closed.
    fn bury(&self, driver: &mut dyn Driver);
    /// Drops messages nobody will look at.
    fn sweep(&self);
    /// What is known of the loop, with all that it owns if `details` are wanted. Only on its worker.
    fn stats(&self, details: Option<&dyn Driver>) -> LoopStats;
    /// Forgets what has been measured of it. Only on its worker.
    fn clear_stats(&self);
    /// Since when the first waits of what waits to be handled, as far as that is known: not of what came
    /// from no handler. Only on its worker.
    fn oldest(&self, now: Time) -> Option<Time>;
}

impl<M: Send + 'static> Runnable for LoopCell<M> {
    fn header(&self) -> &Header {
        &self.header
    }

    fn into_any(self: Arc<Self>) -> Arc<dyn Any + Send + Sync> {
        self
    }

    fn schedule(&self, node: &Arc<EventNode<Stamp>>, class: Class, stamp: Stamp) -> Scheduled {
        self.inbox(class).schedule(node, stamp)
    }

    fn run(
        &self,
        own: &Arc<dyn Runnable>,
        pending: Classes,
        driver: &mut dyn Driver,
        arena: &mut Arena,
    ) -> Ended {
        let Some(mut body) = self.enter() else { return Ended::NOTHING };
        body.run([&self.high, &self.low], own, pending, driver, arena)
    }

    fn attach(&self, slot: u32, driver: &mut dyn Driver) -> Deadlines {
        self.body.claim();
        self.enter().map_or(Deadlines::NEVER, |mut body| body.attach(slot, driver))
    }

    fn detach(&self, driver: &mut dyn Driver) {
        if let Some(mut body) = self.enter() {
            body.detach(driver);
        }
        self.body.release();
    }

    fn mark_ready(&self, socket: SocketId, ready: Ready, driver: &mut dyn Driver) -> Option<Class> {
        let sockets = &mut self.enter()?.core.sockets;
        match sockets.mark(socket, ready, driver.turn_time()) {
            Marked::Nothing => None,
            Marked::Serve(class) => Some(class),
            Marked::Suspend(key) => {
                if let Ok(endpoint) = sockets.endpoint(socket) {
                    driver.suspend(key, endpoint);
                }
                None
            }
        }
    }

    fn grant_job(&self) -> bool {
        self.enter().is_some_and(|mut body| body.core.jobs.grant())
    }

    fn panicked(&self, own: &Arc<dyn Runnable>, panic: &Panic, who: &str) {
        if let Some(mut body) = self.enter() {
            body.panicked(panic, who, own);
        }
    }

    fn bury(&self, driver: &mut dyn Driver) {
        let (mut report, mut completions) = (StopReport::default(), Vec::new());
        let mut panics = Panics::default();
        if let Some(mut body) = self.enter() {
            body.detach(driver);
            let nobody = (RecordId::NONE, Place::NOWHERE);
            let empty = Body::new(self.header.id, self.header.class, nobody);
            let old = core::mem::replace(&mut *body, empty);
            drop(body);
            (report, completions) = old.bury(self.header.asks.take_all(), &mut panics);
        }
        self.drop_messages(&mut report.dropped, &mut panics);
        if panics.of_owner() {
            report.outcome = StopOutcome::Panicked;
        }
        note_stop(&self.header, &report, driver.turn_time());
        ending::tell(completions, report, &mut panics);
        self.header.report(&panics);
    }

    fn sweep(&self) {
        self.drop_late();
    }

    fn stats(&self, details: Option<&dyn Driver>) -> LoopStats {
        let mut stats = LoopStats::new(&self.header);
        if let Some(mut body) = self.enter() {
            body.describe([&self.high, &self.low], &mut stats, details);
        }
        stats
    }

    fn clear_stats(&self) {
        self.header.counters.clear();
        if let Some(mut body) = self.enter() {
            body.core.timings = LoopTimings::new();
        }
    }

    fn oldest(&self, now: Time) -> Option<Time> {
        self.enter()?.oldest([&self.high, &self.low], now)
    }
}

impl<M> LoopCell<M> {
    /// The state word lets one worker at a time have the loop, so the cell is that worker's.
    fn enter(&self) -> Option<Inside<'_, Body<M>>> {
        let entered = self.body.enter();
        debug_assert!(entered.is_some(), "two workers met in one loop");
        entered
    }
}

/// As [`notify`], for what the sender has put into an inbox.
#[inline]
pub(crate) fn sent<M: Send + 'static>(cell: &Arc<LoopCell<M>>, class: Class) {
    if !cause::sends_itself(cell.header.address(), class) {
        notify(cell, class);
    }
}

/// As [`sent`], whatever the type of the loop's messages.
#[inline]
pub(crate) fn sent_dyn(cell: &Arc<dyn Runnable>, class: Class) {
    if !cause::sends_itself(cell.header().address(), class) {
        notify_dyn(cell, class);
    }
}

/// Notes that something of `class` is there for the loop, and has it scheduled if need be.
#[inline]
pub(crate) fn notify<M: Send + 'static>(cell: &Arc<LoopCell<M>>, class: Class) {
    match cell.header.state.notify(class) {
        Action::Nothing => {}
        Action::Schedule(at) | Action::Raise(at) => {
            if !cell.header.dispatch.enqueue_here(&cell.header, class, at) {
                let entry = RunEntry { cell: Arc::clone(cell) as _, class, at };
                cell.header.dispatch.enqueue(entry);
            }
        }
        Action::Closed => cell.drop_late(),
    }
}

/// As [`notify`], whatever the type of the loop's messages.
pub(crate) fn notify_dyn(cell: &Arc<dyn Runnable>, class: Class) {
    match cell.header().state().notify(class) {
        Action::Nothing => {}
        Action::Schedule(at) | Action::Raise(at) => {
            let header = cell.header();
            if !header.dispatch().enqueue_here(header, class, at) {
                let entry = RunEntry { cell: Arc::clone(cell), class, at };
                header.dispatch().enqueue(entry);
            }
        }
        Action::Closed => cell.sweep(),
    }
}

/// Whether the run may begin, and with what pending.
#[inline]
pub(crate) fn begin(entry: &RunEntry) -> Option<Classes> {
    match entry.cell.header().state().begin_run(entry.class, entry.at) {
        Begin::Run(classes) => Some(classes),
        Begin::Nothing | Begin::Stale | Begin::Closed => None,
    }
}

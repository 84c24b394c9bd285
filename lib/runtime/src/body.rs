//! The inside of a loop: its state and the choice of what it does next.

use std::sync::Arc;

use dunlin_mem::Arena;
use dunlin_sync::{Batch, Class, Classes, Inbox, Item, Peeked};
use dunlin_trace::RecordId;

use crate::{
    ask::Ask,
    cause::{self, Origin, Stamp},
    context::Context,
    dispatch::report,
    driver::{Done, Driver, Pace, Then},
    ids::{EventId, JobId, Key, LoopId, SocketId, TimerId, WorkId},
    kit::{client::ClientCounters, queue::QueueCounters},
    lanes::{self, Lane, Lanes},
    loop_cell::Runnable,
    loop_core::{Deadlines, LoopCore},
    options::LogLevel,
    panic::{Panic, contain},
    place::Place,
    runloop::{Loop, Progress, Ready},
    sockets::Served,
    stats::{LoopDetails, LoopStats, MEASURES, Waiting},
    step::{Kind, Reason, Step},
    time::Time,
    timer::Expired,
};

/// What the worker that runs a loop has to itself.
pub(crate) struct Body<M> {
    /// None before the loop is made and after it has stopped.
    pub(crate) state: Option<Box<dyn Loop<Message = M>>>,
    pub(crate) core: LoopCore,
    /// What has been taken from the inboxes and not been handled: goes first.
    pub(crate) high: Batch<M, Stamp>,
    pub(crate) low: Batch<M, Stamp>,
    /// What others ask of the loop, and what is being seen to.
    pub(crate) asks: Batch<Ask, Stamp>,
    pub(crate) ask: Option<Ask>,
    /// Why the handler runs that runs.
    pub(crate) reason: Reason,
    lanes: Lanes,
    /// Handlers of high messages and liveness timers in a row.
    urgent_streak: u32,
    /// See [`Driver::gives_way_from`].
    way_from: usize,
    /// The batch is over but for what has been deferred, of which so much has run.
    pub(crate) draining: Option<u32>,
    /// No handler runs: a message is dropped that is not to be handled.
    pub(crate) drops: bool,
}

/// How a run ended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ended {
    /// Classes in which something is left.
    pub(crate) left: Classes,
    pub(crate) deadlines: Deadlines,
    /// What has been deferred could not be finished: the loop comes next.
    pub(crate) owes: bool,
    /// The loop is done for: close and bury it.
    pub(crate) stopped: bool,
}

impl Ended {
    pub(crate) const NOTHING: Self =
        Self { left: Classes::NONE, deadlines: Deadlines::NEVER, owes: false, stopped: false };
}

impl<M: Send + 'static> Body<M> {
    /// The inside of a loop that the handler with this flight record has made, and where it did.
    pub(crate) fn new(id: LoopId, class: Class, (cause, place): (RecordId, Place)) -> Self {
        Self {
            state: None,
            core: LoopCore::new(id, class),
            high: Batch::empty(),
            low: Batch::empty(),
            asks: Batch::empty(),
            ask: None,
            reason: Reason { cause, place, ..Reason::NONE },
            lanes: Lanes::default(),
            urgent_streak: 0,
            way_from: NO_CLASS,
            draining: None,
            drops: false,
        }
    }

    /// Runs handlers until there is nothing to do or the driver says to stop.
    pub(crate) fn run(
        &mut self,
        inboxes: [&Inbox<M, Stamp>; 2],
        own: &Arc<dyn Runnable>,
        pending: Classes,
        driver: &mut dyn Driver,
        arena: &mut Arena,
    ) -> Ended {
        let mut last = Step::new(Kind::Start, Class::Control);
        cause::begin_turn(own.header().address());
        let outcome = contain("nameless", || {
            self.run_handlers(inboxes, own, pending, driver, arena, &mut last)
        });
        cause::leave();
        outcome.unwrap_or_else(|panic| {
            arena.reset();
            driver.panicked(own);
            let (handler, who) = match last.site().name().unwrap_or(panic.handler) {
                _ if self.drops => ("message", "a message that was dropped".to_owned()),
                handler => (handler, format!("a {handler} handler")),
            };
            self.panicked(&Panic { handler, ..panic }, &who, own);
            Ended { stopped: true, ..Ended::NOTHING }
        })
    }

    /// Tells of a panic in something of the loop's: the log, and whoever owns it. No handler of it runs any more.
    #[cold]
    pub(crate) fn panicked(&mut self, panic: &Panic, who: &str, own: &Arc<dyn Runnable>) {
        self.core.panicked = true;
        let state = self.state.as_mut();
        // It is the loop's own code, too.
        let is_essential =
            |state: &Box<_>| contain("", || Loop::is_essential(&**state)) == Ok(true);
        let essential = state.as_ref().is_some_and(|state| is_essential(state));
        let level = if essential { LogLevel::Fatal } else { LogLevel::Error };
        report(level, own, format!("{who} panicked, the loop is stopped: {panic}"));
        if let Some(state) = state {
            // The loop is in no state to be trusted; one more panic changes nothing.
            let _ = contain("", || state.panicked(panic));
        }
    }

    fn run_handlers(
        &mut self,
        inboxes: [&Inbox<M, Stamp>; 2],
        own: &Arc<dyn Runnable>,
        pending: Classes,
        driver: &mut dyn Driver,
        arena: &mut Arena,
        last: &mut Step,
    ) -> Ended {
        let header = own.header();
        if self.core.panicked {
            return Ended { stopped: true, ..Ended::NOTHING };
        }
        if header.is_asked_to_stop() {
            self.core.stop_now();
        }
        if !header.asks().is_empty() {
            self.asks.refill(header.asks());
        }
        self.way_from = driver.gives_way_from();
        driver.enter(header.id(), header.kind());
        let mut now = driver.turn_time();
        loop {
            let Some(step) = self.next_step(inboxes, now) else {
                return self.ended(inboxes, pending, false);
            };
            let done = Done::new(step, self.reason, header.id(), now);
            *last = step;
            cause::enter(Origin { began: now, record: driver.begin(&done) });
            self.handle(step, own, driver, arena, now);
            arena.reset();
            let pace = driver.boundary(&done, &mut self.core.timings);
            if MEASURES {
                header.counters.ran(&done, pace.now);
            }
            if pace.then == Then::Continue && !step.is_special() {
                now = pace.now;
                continue;
            }
            if step.is(Kind::Job) {
                self.core.jobs.account(pace.now.since(done.began));
            }
            if pace.then != Then::Continue {
                let now = pace.now;
                let over = now.since(driver.turn_until()).min(now.since(done.began));
                header.counters.overruns.note(done.site(), over);
            }
            if step.is(Kind::Stop) {
                return self.ended(inboxes, pending, true);
            }
            let Some(at) = self.goes_on(pace) else { return self.ended(inboxes, pending, false) };
            now = at;
        }
    }

    /// Whether another handler follows in this turn, and when that begins. A loop that stops goes on
    /// to its last handler; one whose turn is over finishes what it deferred.
    #[inline]
    fn goes_on(&mut self, pace: Pace) -> Option<Time> {
        let Pace { now, then } = pace;
        let (is_over, at) = match then {
            Then::Continue => return Some(now),
            Then::Interrupt => return self.ends_now().then_some(now),
            Then::Yield => (true, Some(now)),
            Then::Pause => (false, None),
            Then::PauseAndYield => (true, None),
        };
        let ends_now = self.ends_now();
        if !ends_now {
            self.draining = match self.draining {
                Some(_) if !self.core.events.has_deferred() => None,
                None if is_over && self.core.events.has_deferred() => Some(0),
                unchanged => unchanged,
            };
        }
        at.filter(|_| ends_now || self.draining.is_some())
    }

    #[inline]
    fn handle(
        &mut self,
        step: Step,
        own: &Arc<dyn Runnable>,
        driver: &mut dyn Driver,
        arena: &Arena,
        now: Time,
    ) {
        let Some(state) = self.state.as_mut() else { return };
        let key = step.key(self.core.id);
        self.core.running = step;
        let cx = &mut Context { core: &mut self.core, driver, cell: own, arena, now };
        match step.kind() {
            Kind::High => self.high.take_message().into_iter().for_each(|m| state.message(cx, m)),
            Kind::Low => self.low.take_message().into_iter().for_each(|m| state.message(cx, m)),
            Kind::Timer => {
                if step.drifts() {
                    cx.core.timers.drift(TimerId(key), now, cx.driver.random());
                }
                state.timer(cx, TimerId(key));
            }
            Kind::Event | Kind::Call => state.event(cx, EventId(key)),
            Kind::Ready => state.ready(cx, SocketId(key), step.ready()),
            Kind::Work => {
                if state.work(cx, WorkId(key)) == Progress::More {
                    self.core.works.repeat(key);
                }
            }
            Kind::Job => {
                if cx.core.jobs.begin(key) {
                    let progress = state.job(cx, JobId(key));
                    self.core.jobs.end(key, progress);
                }
            }
            Kind::Start => {
                cx.core.started = true;
                state.start(cx);
            }
            Kind::Ask => match self.ask.take() {
                Some(Ask::Cancel(ask)) => ask.perform(cx.core, own),
                Some(Ask::Clock(jump)) => state.clock_jumped(cx, &jump),
                Some(Ask::Stop(ask)) => ask.perform(cx.core, own, now),
                None => {}
            },
            Kind::Stop => state.stop(cx),
        }
    }

    /// What comes next: what is urgent, then round about through the lanes.
    #[inline]
    fn next_step(&mut self, [high, low]: [&Inbox<M, Stamp>; 2], now: Time) -> Option<Step> {
        if !self.core.started {
            // The reason is who made the loop.
            let start = Step::new(Kind::Start, Class::Control);
            return Some(if self.core.stopping { self.last() } else { start });
        }
        if !self.asks.is_empty()
            && let Some(step) = self.next_ask()
        {
            return Some(step);
        }
        if self.core.stopping {
            return self.next_of_ending(high, low, now);
        }
        let others_first = self.urgent_streak >= LONGEST_STREAK;
        if !others_first && let Some(step) = self.next_urgent(high, now) {
            self.urgent_streak += 1;
            return Some(step);
        }
        self.urgent_streak = 0;
        let step = self.next_rest(low, now);
        if step.is_none() && others_first { self.next_urgent(high, now) } else { step }
    }

    #[cold]
    fn next_ask(&mut self) -> Option<Step> {
        let entry = self.asks.next()?;
        let Item::Message(ask) = entry.item else { return None };
        if let Ask::Stop(_) = ask {
            self.core.stopped_at = entry.stamp.place;
        }
        self.ask = Some(ask);
        self.reason = entry.stamp.into();
        Some(Step::new(Kind::Ask, Class::Control))
    }

    #[cold]
    pub(crate) fn last(&mut self) -> Step {
        self.reason = Reason { place: self.core.stopped_at, ..Reason::NONE };
        Step::new(Kind::Stop, Class::Control)
    }

    /// What is not urgent: the lanes, then what has been deferred; only that if the turn is over.
    #[inline(always)] // into its only caller, at every handler
    fn next_rest(&mut self, low: &Inbox<M, Stamp>, now: Time) -> Option<Step> {
        let is_draining = self.draining.is_some();
        let step = if is_draining { None } else { self.next_in_lanes(low, now) };
        if step.is_none() && (is_draining || self.core.events.has_deferred()) {
            let deferred = self.next_deferred();
            if deferred.is_none() {
                self.draining = None;
            }
            return deferred;
        }
        step
    }

    /// None if too much has run in a row, too.
    #[cold]
    pub(crate) fn next_deferred(&mut self) -> Option<Step> {
        let ran = self.draining.get_or_insert(0);
        *ran += 1;
        if *ran > LONGEST_DRAIN {
            return None;
        }
        let (key, class) = self.core.events.pop_deferred()?;
        self.reason = self.core.events.stamp(key).into();
        Some(Step::of(Kind::Event, class, key))
    }

    #[inline]
    fn next_urgent(&mut self, high: &Inbox<M, Stamp>, now: Time) -> Option<Step> {
        // Nearly always there is nothing, and to see that costs no call.
        let is_none =
            self.core.timers.next_liveness() > now && self.high.is_empty() && high.is_empty();
        if is_none { None } else { self.find_urgent(high, now) }
    }

    #[inline(never)]
    fn find_urgent(&mut self, high: &Inbox<M, Stamp>, now: Time) -> Option<Step> {
        if let Some(expired) = self.core.timers.expire_liveness(now) {
            return Some(self.expired(&expired));
        }
        if self.high.is_empty() && high.is_empty() {
            return None;
        }
        self.high.refill(high);
        let (peeked, stamp) = self.high.peek()?;
        Some(self.found(Kind::High, peeked, stamp))
    }

    #[inline(always)] // as `next_rest`
    fn next_in_lanes(&mut self, low: &Inbox<M, Stamp>, now: Time) -> Option<Step> {
        loop {
            let lane = match self.lanes.current() {
                Some(lane) => lane,
                None => {
                    let waiting = self.waiting(low, now);
                    let first = self.lanes.begin_round(waiting)?;
                    let granted = waiting & Lane::JOB.bit() != 0;
                    if !granted && self.gives_way(first.class()) {
                        // Nothing is left of what the turn was for.
                        self.lanes.end_round();
                        return None;
                    }
                    first
                }
            };
            if self.lanes.needs_share() {
                let share = self.share_of(lane, low, now);
                self.lanes.set_share(share);
            }
            if self.lanes.spend(lane)
                && let Some(step) = self.take(lane, low, now)
            {
                return Some(step);
            }
            self.lanes.leave(lane);
        }
    }

    /// Lanes with something in them.
    #[inline]
    fn waiting(&self, low: &Inbox<M, Stamp>, now: Time) -> u16 {
        let mut waiting = lanes::spread(self.core.events.waiting(), lanes::EVENTS)
            | lanes::spread(self.core.sockets.waiting(), lanes::SOCKETS)
            | lanes::spread(self.core.works.waiting(), lanes::WORKS);
        if self.core.timers.next_rest() <= now {
            waiting |= Lane::TIMERS.bit();
        }
        if !self.low.is_empty() || !low.is_empty() {
            waiting |= Lane::LOW.bit();
        }
        if self.core.jobs.is_granted() {
            waiting |= Lane::JOB.bit();
        }
        waiting
    }

    /// Whether something of this class has to wait, as it is not what the loop got its turn for and
    /// other loops have more urgent things.
    #[inline]
    fn gives_way(&self, class: Class) -> bool {
        class.index() >= self.way_from
    }

    /// How many handlers a lane may have this round: what stands in it now, so that what is
    /// scheduled meanwhile does not keep the others waiting; of a million things a few, of bulk ones
    /// fewer if something else waits.
    #[inline]
    fn share_of(&mut self, lane: Lane, low: &Inbox<M, Stamp>, now: Time) -> usize {
        let others = || self.waiting(low, now) & !lanes::all_of(Class::Bulk) != 0;
        let most = match lane.class() {
            Class::Bulk if self.gives_way(Class::Bulk) || others() => BULK_AT_ONCE,
            _ => MOST_AT_ONCE,
        };
        match lane.kind() {
            lanes::EVENTS => self.core.events.len(lane.class()).min(most),
            lanes::SOCKETS => self.core.sockets.len(lane.class()).min(most),
            lanes::WORKS => 1,
            _ if lane == Lane::TIMERS => MOST_AT_ONCE,
            _ if lane == Lane::JOB => 1,
            _ => {
                self.low.refill(low);
                self.low.remaining().min(MOST_AT_ONCE)
            }
        }
    }

    #[inline]
    fn take(&mut self, lane: Lane, low: &Inbox<M, Stamp>, now: Time) -> Option<Step> {
        let class = lane.class();
        match lane.kind() {
            lanes::EVENTS => {
                let key = self.core.events.pop(class, &mut self.reason)?;
                Some(Step::of(Kind::Event, class, key))
            }
            lanes::SOCKETS => {
                let served = self.core.sockets.pop(class)?;
                let Served { since, place, .. } = served;
                self.reason = Reason { since, place, ..Reason::NONE };
                Some(Step::of(Kind::Ready, class, served.id.0).for_ready(served.ready))
            }
            lanes::WORKS => {
                let key = self.core.works.pop(class, &mut self.reason)?;
                Some(Step::of(Kind::Work, class, key))
            }
            _ if lane == Lane::TIMERS => {
                let expired = self.core.timers.expire_rest(now)?;
                Some(self.expired(&expired))
            }
            _ if lane == Lane::JOB => {
                let key = self.core.jobs.take()?;
                let place = self.core.jobs.place(key);
                self.reason = Reason { place, ..Reason::NONE };
                Some(Step::of(Kind::Job, Class::Bulk, key))
            }
            _ => {
                self.low.refill(low);
                let (peeked, stamp) = self.low.peek()?;
                Some(self.found(Kind::Low, peeked, stamp))
            }
        }
    }

    #[inline]
    fn expired(&mut self, expired: &Expired) -> Step {
        let Expired { due, cause, place, .. } = *expired;
        self.reason = Reason { since: due, cause, place };
        Step::of(Kind::Timer, expired.class, expired.timer.0).drifting(expired.drifts)
    }

    /// What is first in a batch.
    #[inline]
    pub(crate) fn found(&mut self, kind: Kind, peeked: Peeked, stamp: Stamp) -> Step {
        self.reason = stamp.into();
        match peeked {
            Peeked::Message => Step::new(kind, stamp.class()),
            Peeked::Event(index) => {
                let (key, class) =
                    self.core.events.arrived(index).unwrap_or((Key::NONE, Class::Bulk));
                Step::of(Kind::Event, class, key)
            }
        }
    }

    /// What is left is all that was there when the run began and has not been handled, taken from
    /// the inboxes or not: the run has cleared what said so.
    fn ended(&self, [high, low]: [&Inbox<M, Stamp>; 2], pending: Classes, stopped: bool) -> Ended {
        let waiting = self.waiting(low, Time::ZERO);
        let mut left = Class::ALL
            .into_iter()
            .filter(|&class| waiting & lanes::all_of(class) != 0)
            .fold(Classes::NONE, Classes::with);
        if !self.high.is_empty() || !high.is_empty() {
            let liveness = pending.union(cause::sent_itself()).contains(Class::Liveness);
            left = left.with(if liveness { Class::Liveness } else { Class::Control });
        }
        if self.core.drains() {
            left = self.left_of_ending(left);
        }
        let has_deferred = self.core.events.has_deferred();
        let owes = self.draining.is_some() && has_deferred;
        if self.ends_now() || owes || !self.asks.is_empty() {
            left = left.with(Class::Control);
        } else if has_deferred {
            left = left.with(Class::Bulk);
        }
        Ended { left, deadlines: self.core.deadlines(), owes, stopped }
    }

    /// See [`Runnable::attach`].
    pub(crate) fn attach(&mut self, slot: u32, driver: &mut dyn Driver) -> Deadlines {
        self.core.slot = slot;
        let mut lost = Vec::new();
        for (id, endpoint, registration, interest) in self.core.sockets.each() {
            match driver.register(slot, id, endpoint, interest) {
                Ok(key) => *registration = key,
                Err(_) => lost.push(id),
            }
        }
        for id in lost {
            let ready = Ready { readable: true, writable: true, error: true };
            self.core.sockets.mark(id, ready, Time::ZERO);
        }
        self.core.deadlines()
    }

    /// See [`Runnable::detach`].
    pub(crate) fn detach(&mut self, driver: &mut dyn Driver) {
        for (_, endpoint, registration, _) in self.core.sockets.each() {
            driver.deregister(*registration, endpoint);
        }
        self.core.slot = crate::loop_core::NOWHERE;
    }

    /// See [`Runnable::oldest`].
    pub(crate) fn oldest(&mut self, inboxes: [&Inbox<M, Stamp>; 2], now: Time) -> Option<Time> {
        let batches = [&mut self.high, &mut self.low].into_iter().zip(inboxes);
        let sent = batches.filter_map(|(batch, inbox)| {
            // To be looked at they must have been taken; the run to come is no other for it.
            batch.refill(inbox);
            batch.first_stamp().map(|stamp| stamp.sent).filter(|&sent| sent != Time::ZERO)
        });
        let core = &self.core;
        let due = core.timers.next_liveness().min(core.timers.next_rest());
        let own = [core.events.oldest(), core.works.oldest(), core.sockets.oldest()];
        sent.chain(own.into_iter().flatten()).chain(Some(due).filter(|&due| due <= now)).min()
    }

    /// See [`Runnable::stats`].
    pub(crate) fn describe(
        &mut self,
        [high, low]: [&Inbox<M, Stamp>; 2],
        stats: &mut LoopStats,
        details: Option<&dyn Driver>,
    ) {
        // To be counted they must have been taken; the run to come is no other for it.
        self.high.refill(high);
        self.low.refill(low);
        let core = &self.core;
        stats.longest = core.timings.longest();
        stats.latest = core.timings.latest();
        stats.timers = core.timers.len();
        stats.sockets = core.sockets.count();
        stats.jobs = core.jobs.stats();
        stats.flows = core.flows.each(|flow| flow.stats());
        stats.queues = core.queues.each(QueueCounters::stats);
        stats.clients = core.clients.each(ClientCounters::stats);
        stats.waiting = Waiting {
            urgent: self.high.remaining(),
            rest: self.low.remaining(),
            more: !high.is_empty() || !low.is_empty(),
            events: core.events.pending(),
            ready: Class::ALL.map(|class| core.sockets.len(class)),
            works: core.works.pending(),
        };
        stats.details = details.map(|driver| {
            Box::new(LoopDetails {
                timers: core.timers.list().collect(),
                events: core.events.describe().collect(),
                works: core.works.describe().collect(),
                sockets: core.sockets.describe(driver).collect(),
                timings: core.timings.read(stats.run),
            })
        });
    }
}

/// Urgent handlers in a row before something else gets a turn.
const LONGEST_STREAK: u32 = 64;
/// What is deferred may defer more; that so much has run in a row, then others get a turn.
const LONGEST_DRAIN: u32 = 256;
/// Handlers of a lane before others get a turn.
const MOST_AT_ONCE: usize = 64;
/// Behind the last class.
const NO_CLASS: usize = Class::ALL.len();
/// The same of a bulk lane while something more urgent waits: its floor within the loop.
const BULK_AT_ONCE: usize = 8;

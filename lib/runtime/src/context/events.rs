//! Events and long jobs of a loop.

use std::sync::Arc;

use dunlin_sync::Class;

use crate::{
    address::EventHandle,
    ask::Canceller,
    cause::{self, Origin},
    context::Context,
    driver::Done,
    ids::{EventId, Thing, WorkId},
    outcome::{Cancel, Scheduling},
    place::Place,
    runloop::Loop,
    step::{Kind, Step},
};

/// Events and long jobs.
impl Context<'_> {
    /// A new event.
    pub fn event(&mut self, class: Class) -> EventId {
        let key = self.core.events.create(class);
        self.made(Thing::Event(key));
        EventId(key)
    }

    /// Has the event run once, soon; nothing if it is to run already.
    #[inline]
    #[track_caller]
    pub fn schedule(&mut self, event: EventId) -> Scheduling {
        self.core.events.schedule(event.0, Place::here())
    }

    /// Has the event run at the end of this turn: after what the loop has to do now, and before its
    /// worker runs another loop or waits. What is deferred runs first come first served and may
    /// defer more, which belongs to the same turn. Only what is of the liveness class comes between.
    ///
    /// For effects that are to follow a batch of handlers, once: writing what many messages have
    /// produced, or what a liveness handler is too urgent to do itself. A loop that defers without
    /// end gives way to others after 256 in a row.
    #[track_caller]
    pub fn defer(&mut self, event: EventId) -> Scheduling {
        self.core.events.defer(event.0, Place::here())
    }

    /// Takes a scheduled or deferred event back, whoever scheduled it.
    pub fn unschedule(&mut self, event: EventId) -> Cancel {
        match self.core.events.unschedule(event.0) {
            true => Cancel::Cancelled,
            false => self.not_pending(Thing::Event(event.0)),
        }
    }

    /// Runs an event's handler before this returns, instead of when it is scheduled for: a plain call
    /// of `state`'s [`Loop::event`] that is recorded as a handler of its own (`call`), caused by the
    /// one that runs. False if there is no such event.
    #[track_caller]
    pub fn run_now<L: Loop>(&mut self, state: &mut L, event: EventId) -> bool {
        let Some(class) = self.core.events.class(event.0) else { return false };
        self.core.events.unschedule(event.0);
        let (outer, before) = (cause::running(), self.now);
        let began = self.driver.tick();
        let call = Done {
            step: Step::of(Kind::Call, class, event.0),
            loop_id: self.loop_id(),
            knows_since: false,
            began,
            since: began,
            place: Place::here(),
            cause: outer.record,
        };
        let caller = core::mem::replace(&mut self.core.running, call.step);
        self.core.callers.push(caller);
        cause::enter(Origin { began, record: self.driver.begin_call(&call) });
        self.now = began;
        state.event(self, event);
        self.driver.end_call(outer.record);
        cause::enter(outer);
        self.now = before;
        self.core.callers.pop();
        self.core.running = caller;
        true
    }

    /// A handle other loops schedule the event by.
    pub fn event_handle(&mut self, event: EventId) -> EventHandle {
        EventHandle::new(Arc::clone(self.cell), event, self.core.events.share(event.0))
    }

    /// Gives an event up; it does not run, and handles to it do nothing from then on.
    pub fn remove_event(&mut self, event: EventId) {
        self.core.events.remove(event.0);
    }

    /// A new long job.
    pub fn work(&mut self, class: Class) -> WorkId {
        let key = self.core.works.create(class);
        self.made(Thing::Work(key));
        WorkId(key)
    }

    /// Has the job run piece by piece until it is done; nothing if it is queued already.
    #[track_caller]
    pub fn queue(&mut self, work: WorkId) -> Scheduling {
        self.core.works.schedule(work.0, Place::here())
    }

    /// Takes a queued job back. One that takes itself back in the midst of a piece and then says
    /// [`Progress::More`](crate::Progress::More) goes on all the same.
    pub fn unqueue(&mut self, work: WorkId) -> Cancel {
        match self.core.works.unschedule(work.0) {
            true => Cancel::Cancelled,
            false => self.not_pending(Thing::Work(work.0)),
        }
    }

    /// What cancels a job of this loop from elsewhere, between two of its pieces.
    pub fn work_canceller(&self, work: WorkId) -> Canceller {
        Canceller::new(Arc::clone(self.cell), Thing::Work(work.0))
    }

    /// Gives a job up.
    pub fn remove_work(&mut self, work: WorkId) {
        self.core.works.remove(work.0);
    }

    /// What cancelling says of something that was not to come.
    pub(super) fn not_pending(&self, thing: Thing) -> Cancel {
        if self.core.is_running(thing) { Cancel::Running } else { Cancel::NotPending }
    }
}

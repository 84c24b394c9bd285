//! Events and long jobs of a loop.

use std::sync::Arc;

use dunlin_sync::Class;

use crate::{
    address::EventHandle,
    context::Context,
    ids::{EventId, WorkId},
};

/// Events and long jobs.
impl Context<'_> {
    /// A new event.
    pub fn event(&mut self, class: Class) -> EventId {
        EventId(self.core.events.create(class))
    }

    /// Has the event run once, soon; nothing if it is to run already.
    #[inline]
    pub fn schedule(&mut self, event: EventId) {
        self.core.events.schedule(event.0);
    }

    /// Takes a scheduled event back; true if it was scheduled by this loop and has not run.
    pub fn unschedule(&mut self, event: EventId) -> bool {
        self.core.events.unschedule(event.0)
    }

    /// A handle other loops schedule the event by.
    pub fn event_handle(&mut self, event: EventId) -> EventHandle {
        EventHandle::new(Arc::clone(self.cell), self.core.events.share(event.0))
    }

    /// Gives an event up; handles to it do nothing from then on.
    pub fn remove_event(&mut self, event: EventId) {
        self.core.events.remove(event.0);
    }

    /// A new long job.
    pub fn work(&mut self, class: Class) -> WorkId {
        WorkId(self.core.works.create(class))
    }

    /// Has the job run piece by piece until it is done; nothing if it is queued already.
    pub fn queue(&mut self, work: WorkId) {
        self.core.works.schedule(work.0);
    }

    /// Takes a queued job back; true if it was queued.
    pub fn unqueue(&mut self, work: WorkId) -> bool {
        self.core.works.unschedule(work.0)
    }

    /// Gives a job up.
    pub fn remove_work(&mut self, work: WorkId) {
        self.core.works.remove(work.0);
    }
}

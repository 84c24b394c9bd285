//! How loops are reached from elsewhere.

use core::fmt;
use std::sync::Arc;

use dunlin_sync::{Class, EventNode, Scheduled};

use crate::{
    ask::Canceller,
    cause::{self, Stamp},
    ending::{self, Stop, StopReport},
    groups::GroupId,
    ids::{EventId, LoopId, Thing},
    loop_cell::{self, LoopCell, Runnable},
    outcome::{Cancellation, Scheduling},
    place::Place,
};

/// Where to send messages to a loop, from any thread. Cheap to clone; sending takes no lock and,
/// unless the loop's worker sleeps, no system call. What a thread that is no worker sends is
/// recorded without a cause.
pub struct Address<M> {
    cell: Arc<LoopCell<M>>,
}

impl<M: Send + 'static> Address<M> {
    pub(crate) fn new(cell: Arc<LoopCell<M>>) -> Self {
        Self { cell }
    }

    pub(crate) fn from_cell(cell: Arc<dyn Runnable>) -> Option<Self> {
        cell.into_any().downcast::<LoopCell<M>>().ok().map(Self::new)
    }

    /// Sends a message. A loop that has stopped gives it back; one that stops while the message is
    /// under way drops it.
    #[track_caller]
    pub fn send(&self, class: Class, message: M) -> Result<(), Stopped<M>> {
        self.send_from(Place::here(), class, message)
    }

    /// As [`send`](Self::send), on behalf of who asked for it at `place`.
    #[inline]
    pub(crate) fn send_from(
        &self,
        place: Place,
        class: Class,
        message: M,
    ) -> Result<(), Stopped<M>> {
        let header = self.cell.header();
        if header.state().is_closed() {
            return Err(Stopped(message));
        }
        self.cell.inbox(class).push(message, cause::current(class, place));
        loop_cell::sent(&self.cell, class);
        Ok(())
    }

    /// The loop's number.
    pub fn loop_id(&self) -> LoopId {
        self.cell.header().id()
    }

    /// The loop's name.
    pub fn name(&self) -> &str {
        self.cell.header().name()
    }

    /// Asks the loop to stop: the handler that runs ends, what it has deferred is run, then its
    /// `stop` handler; what waits is dropped, counted, and told by nobody but the statistics and, if it was
    /// asked for, the log.
    pub fn stop(&self) {
        self.cell.header().ask_to_stop();
        loop_cell::notify(&self.cell, Class::Control);
    }

    /// Asks the loop to stop as `options` say: what waits in their classes is run before. Of several
    /// such wishes the first says what is drained, and the earliest deadline holds.
    #[track_caller]
    pub fn stop_with(&self, options: Stop) {
        ending::stop(&(Arc::clone(&self.cell) as _), options, None);
    }

    /// As [`stop_with`](Self::stop_with), and calls `completion` once with what came of it: on the worker of the
    /// loop when all it owned is gone, or right here if it has stopped before. It must be short and had
    /// best send a message, as [`stop_to`](Self::stop_to) does.
    #[track_caller]
    pub fn stop_then(&self, options: Stop, completion: impl FnOnce(StopReport) + Send + 'static) {
        ending::stop(&(Arc::clone(&self.cell) as _), options, Some(Box::new(completion)));
    }

    /// As [`stop_then`](Self::stop_then); what came of it goes to `answer_to` as a message made by `make`.
    #[track_caller]
    pub fn stop_to<N: Send + 'static>(
        &self,
        options: Stop,
        answer_to: &Address<N>,
        class: Class,
        make: impl FnOnce(StopReport) -> N + Send + 'static,
    ) {
        let (answer_to, place) = (answer_to.clone(), Place::here());
        self.stop_then(options, move |report| {
            // Nobody to be told if that loop has stopped.
            let _ = answer_to.send_from(place, class, make(report));
        });
    }

    /// Puts the loop into another thread group: it moves there soon, with its timers and sockets.
    /// Costs nothing if that is its group already.
    pub fn set_group(&self, group: GroupId) {
        if self.cell.header().wish.set_group(group) {
            loop_cell::notify(&self.cell, Class::Control);
        }
    }

    /// The loop's thread group.
    pub fn group(&self) -> GroupId {
        self.cell.header().wish.get().group
    }

    /// Keeps the loop with the worker of this index, as long as its group has that worker; none
    /// lets it move again.
    pub fn pin(&self, worker: Option<usize>) {
        let worker = worker.and_then(|index| u16::try_from(index).ok());
        if self.cell.header().wish.set_pin(worker) {
            loop_cell::notify(&self.cell, Class::Control);
        }
    }

    /// The worker the loop is pinned to, if to one.
    pub fn pinned(&self) -> Option<usize> {
        self.cell.header().wish.get().pin.map(usize::from)
    }

    /// Whether the loop has stopped.
    pub fn is_stopped(&self) -> bool {
        self.cell.header().state().is_closed()
    }
}

impl<M> Clone for Address<M> {
    fn clone(&self) -> Self {
        Self { cell: Arc::clone(&self.cell) }
    }
}

impl<M: Send + 'static> fmt::Debug for Address<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({} {})", self.loop_id(), self.name())
    }
}

/// The loop has stopped; here is the message back.
pub struct Stopped<M>(pub M);

impl<M> fmt::Debug for Stopped<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Stopped")
    }
}

impl<M> fmt::Display for Stopped<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the loop has stopped")
    }
}

impl<M> core::error::Error for Stopped<M> {}

/// Schedules one event of a loop from anywhere. Allocates nothing, and scheduling one that is
/// pending does nothing.
#[derive(Clone)]
pub struct EventHandle {
    cell: Arc<dyn Runnable>,
    name: EventId,
    /// None for an event that was gone when the handle was made.
    event: Option<(Arc<EventNode<Stamp>>, Class)>,
}

impl EventHandle {
    pub(crate) fn new(
        cell: Arc<dyn Runnable>,
        name: EventId,
        event: Option<(Arc<EventNode<Stamp>>, Class)>,
    ) -> Self {
        Self { cell, name, event }
    }

    /// Has the event run once, soon, seeing all that the caller did before.
    /// [`Scheduling::AlreadyPending`] is about handles: what the event's own loop has scheduled, this
    /// cannot see. Either way one run follows.
    #[track_caller]
    pub fn schedule(&self) -> Scheduling {
        let place = Place::here();
        let Some((node, class)) = &self.event else { return Scheduling::Gone };
        if self.cell.header().state().is_closed() {
            return Scheduling::Stopped;
        }
        match self.cell.schedule(node, *class, cause::current(*class, place)) {
            Scheduled::Pushed { .. } => loop_cell::sent_dyn(&self.cell, *class),
            Scheduled::Revived => {}
            Scheduled::Pending => return Scheduling::AlreadyPending,
            Scheduled::Retired => return Scheduling::Gone,
        }
        Scheduling::Scheduled
    }

    /// Whether it is scheduled by a handle and has not begun to run.
    pub fn is_pending(&self) -> bool {
        self.event.as_ref().is_some_and(|(node, _)| node.is_pending())
    }

    /// Has the event cancelled, whoever scheduled it; see [`Canceller`].
    #[track_caller]
    pub fn cancel_with(&self, completion: impl FnOnce(Cancellation) + Send + 'static) {
        self.canceller().cancel_with(completion);
    }

    /// What cancels the event from anywhere.
    pub fn canceller(&self) -> Canceller {
        Canceller::new(Arc::clone(&self.cell), Thing::Event(self.name.0))
    }

    /// The loop whose event this is.
    pub fn loop_id(&self) -> LoopId {
        self.cell.header().id()
    }
}

impl fmt::Debug for EventHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventHandle").field("loop", &self.loop_id()).finish_non_exhaustive()
    }
}

//! What others ask of a loop itself, done between two of its handlers.

use core::fmt;
use std::sync::Arc;

use dunlin_sync::Class;

use crate::{
    address::Address,
    cause,
    clocks::ClockJump,
    dispatch::report,
    drain::FOLLOWS_CANCEL,
    ending::StopAsk,
    ids::{LoopId, Thing},
    loop_cell::{Runnable, notify_dyn},
    loop_core::LoopCore,
    options::LogLevel,
    outcome::Cancellation,
    panic::contain,
    place::Place,
};

/// Something asked of a loop.
pub(crate) enum Ask {
    /// Cancel something of yours.
    Cancel(CancelAsk),
    /// Hear what happened to the clocks.
    Clock(ClockJump),
    /// Stop.
    Stop(StopAsk),
}

/// A wish to have something cancelled. Whatever becomes of it, the completion is called once.
pub(crate) struct CancelAsk {
    thing: Thing,
    /// None once it has been called.
    completion: Option<Completion>,
}

type Completion = Box<dyn FnOnce(Cancellation) + Send>;

impl CancelAsk {
    /// Does it and says so. A completion that panics is its author's fault and not this loop's.
    pub(crate) fn perform(mut self, core: &mut LoopCore, cell: &Arc<dyn Runnable>) {
        let outcome = core.cancel(self.thing);
        let Some(completion) = self.completion.take() else { return };
        if let Err(panic) = contain(FOLLOWS_CANCEL, || completion(outcome)) {
            report(LogLevel::Error, cell, format!("{FOLLOWS_CANCEL} panicked: {panic}"));
        }
    }
}

impl Drop for CancelAsk {
    fn drop(&mut self) {
        if let Some(completion) = self.completion.take() {
            completion(Cancellation::Stopped);
        }
    }
}

/// Asks something of a loop; dropped if the loop has stopped.
pub(crate) fn ask(cell: &Arc<dyn Runnable>, ask: Ask, place: Place) {
    let header = cell.header();
    if header.state().is_closed() {
        return;
    }
    header.asks().push(ask, cause::current(Class::Control, place));
    // If it has closed meanwhile, this clears up.
    notify_dyn(cell, Class::Control);
}

/// Cancels a timer, event or job of a loop from elsewhere. Cheap to clone.
///
/// Cancelling never waits: the answer comes when the loop is between two of its handlers, which may
/// be after the one that runs now. When it has come the handler is not running, and it does not run
/// again unless it is armed or scheduled after. Two loops may cancel things of each other at the
/// same time. The wish overtakes messages sent before it.
#[derive(Clone)]
pub struct Canceller {
    cell: Arc<dyn Runnable>,
    thing: Thing,
}

impl Canceller {
    pub(crate) fn new(cell: Arc<dyn Runnable>, thing: Thing) -> Self {
        Self { cell, thing }
    }

    /// Asks for it to be cancelled. `completion` is called once, on the worker of the loop it belongs
    /// to, or right here if that has stopped; it must be short and had best send a message, as
    /// [`cancel_to`](Self::cancel_to) does. What is scheduled before it is called is cancelled too.
    #[track_caller]
    pub fn cancel_with(&self, completion: impl FnOnce(Cancellation) + Send + 'static) {
        let completion = Some(Box::new(completion) as Completion);
        let cancel = Ask::Cancel(CancelAsk { thing: self.thing, completion });
        ask(&self.cell, cancel, Place::here());
    }

    /// Asks for it to be cancelled. What came of it goes to `answer_to` as a message made by `make`.
    #[track_caller]
    pub fn cancel_to<M: Send + 'static>(
        &self,
        answer_to: &Address<M>,
        class: Class,
        make: impl FnOnce(Cancellation) -> M + Send + 'static,
    ) {
        let (answer_to, place) = (answer_to.clone(), Place::here());
        self.cancel_with(move |outcome| {
            // Nobody to be told if that loop has stopped.
            let _ = answer_to.send_from(place, class, make(outcome));
        });
    }

    /// The loop whose thing this is.
    pub fn loop_id(&self) -> LoopId {
        self.cell.header().id()
    }
}

impl fmt::Debug for Canceller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Canceller")
            .field("loop", &self.loop_id())
            .field("thing", &self.thing)
            .finish_non_exhaustive()
    }
}

//! A runtime as seen from its loops and from other threads.

use core::fmt;
use std::sync::Arc;

use dunlin_sync::Class;

use crate::{
    address::Address, dispatch::Dispatch, loop_cell::LoopCell, runloop::Loop, stats::StatsReply,
};

/// A handle to a runtime, real or simulated. Cheap to clone; nothing here blocks.
#[derive(Clone)]
pub struct RuntimeHandle {
    dispatch: Arc<dyn Dispatch>,
}

impl RuntimeHandle {
    pub(crate) fn new(dispatch: Arc<dyn Dispatch>) -> Self {
        Self { dispatch }
    }

    /// Starts a loop on the least loaded worker. `class` is that of its sockets' readiness.
    pub fn spawn<L: Loop>(&self, name: &str, class: Class, state: L) -> Address<L::Message> {
        self.spawn_with(name, class, |_| state)
    }

    /// Starts a loop made by `make`, which gets the new loop's own address.
    pub fn spawn_with<L: Loop>(
        &self,
        name: &str,
        class: Class,
        make: impl FnOnce(Address<L::Message>) -> L,
    ) -> Address<L::Message> {
        let cell = LoopCell::new(name, class, Arc::clone(&self.dispatch));
        let address = Address::new(Arc::clone(&cell));
        cell.fill(Box::new(make(address.clone())));
        self.dispatch.admit(cell);
        address
    }

    /// Asks for this many workers (at least one, at most the runtime's limit). Loops are moved
    /// with their timers and sockets; when that is done no longer matters to anybody.
    pub fn resize(&self, threads: usize) {
        self.dispatch.resize(threads);
    }

    /// How many workers there are, or were last asked for.
    pub fn threads(&self) -> usize {
        self.dispatch.threads()
    }

    /// Has statistics collected from all workers and given to `reply`.
    pub fn collect_stats(&self, reply: StatsReply) {
        self.dispatch.collect(reply);
    }

    /// Stops every loop, then the workers.
    pub fn shutdown(&self) {
        self.dispatch.shutdown();
    }
}

impl fmt::Debug for RuntimeHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RuntimeHandle").field("threads", &self.threads()).finish_non_exhaustive()
    }
}

//! A handler's way to the world.

mod events;
mod jobs;
mod scopes;
mod sockets;
mod timers;

use core::time::Duration;
use std::sync::Arc;

use dunlin_mem::Arena;
use dunlin_sync::Class;

pub use sockets::OwnedSocket;

use crate::{
    address::Address, driver::Driver, ending::Stop, handle::RuntimeHandle, ids::LoopId,
    loop_cell::Runnable, loop_core::LoopCore, place::Place, runloop::Loop, time::Time,
};

/// What a handler is given to reach time, timers, sockets, other loops and scratch memory.
///
/// The same type serves real and simulated workers, so a loop cannot tell which runs it.
pub struct Context<'a> {
    pub(crate) core: &'a mut LoopCore,
    pub(crate) driver: &'a mut dyn Driver,
    pub(crate) cell: &'a Arc<dyn Runnable>,
    pub(crate) arena: &'a Arena,
    pub(crate) now: Time,
}

impl core::fmt::Debug for Context<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Context").field("loop", &self.loop_id()).finish_non_exhaustive()
    }
}

/// Time, chance, identity.
impl<'a> Context<'a> {
    /// When this handler began. Costs nothing.
    #[inline]
    pub fn now(&self) -> Time {
        self.now
    }

    /// The time right now; a clock read.
    pub fn clock(&mut self) -> Time {
        self.driver.clock()
    }

    /// Wall-clock time since 1970-01-01 00:00 UTC, for display only.
    pub fn wall(&mut self) -> Duration {
        self.driver.wall()
    }

    /// Has this loop told, by [`Loop::clock_jumped`], when the wall clock is set or the system was
    /// suspended. It is noticed by the next worker that looks at its poller, which looks at the clocks
    /// at most every 100 ms; the log is told as well.
    pub fn watch_clock(&mut self) {
        if !core::mem::replace(&mut self.core.watches_clock, true) {
            self.cell.header().dispatch().clock_watch().join(self.cell);
        }
    }

    /// Sixty-four random bits, not for secrets.
    pub fn random(&mut self) -> u64 {
        self.driver.random()
    }

    /// This loop's number.
    #[inline]
    pub fn loop_id(&self) -> LoopId {
        self.cell.header().id()
    }

    /// This loop's name.
    pub fn name(&self) -> &str {
        self.cell.header().name()
    }

    /// The index of the worker this handler runs on.
    #[inline]
    pub fn worker(&self) -> usize {
        self.driver.worker()
    }

    /// This loop's own address; none if `M` is not this loop's message type.
    pub fn own<M: Send + 'static>(&self) -> Option<Address<M>> {
        Address::from_cell(Arc::clone(self.cell))
    }

    /// The runtime this loop lives in.
    pub fn runtime(&self) -> RuntimeHandle {
        self.cell.header().runtime()
    }

    /// Starts another loop. `class` is that of its sockets' readiness.
    #[track_caller]
    pub fn spawn<L: Loop>(&mut self, name: &str, class: Class, state: L) -> Address<L::Message> {
        self.runtime().spawn(name, class, state)
    }

    /// Starts another loop made by `make`, which gets the new loop's own address.
    #[track_caller]
    pub fn spawn_with<L: Loop>(
        &mut self,
        name: &str,
        class: Class,
        make: impl FnOnce(Address<L::Message>) -> L,
    ) -> Address<L::Message> {
        self.runtime().spawn_with(name, class, make)
    }

    /// Stops this loop after the current handler: [`Loop::stop`] runs, then all it owns goes.
    #[track_caller]
    pub fn stop_self(&mut self) {
        self.core.stopped_at = Place::here();
        self.core.stop_now();
    }

    /// Stops this loop as `options` say: what is to be drained is run first.
    #[track_caller]
    pub fn stop_self_with(&mut self, options: Stop) {
        self.core.stopped_at = Place::here();
        let _ = self.core.stop_with(options, self.now);
    }

    /// Whether this loop is to stop: what runs now is being drained, or is the last handler.
    pub fn is_stopping(&self) -> bool {
        self.core.stopping
    }

    /// Whether the running handler has used up its share or something more urgent waits. Long
    /// handlers and [`Loop::work`] ask this every few microseconds of work and return if so.
    pub fn over_budget(&mut self) -> bool {
        self.driver.over_budget()
    }

    /// How much of its share the running handler has left; zero if [`Context::over_budget`] is true.
    /// For those who have to say beforehand how much they are going to do.
    pub fn remaining(&mut self) -> Duration {
        self.driver.remaining()
    }

    /// Scratch memory of the worker, gone after this handler.
    pub fn arena(&self) -> &'a Arena {
        self.arena
    }

    /// Takes the worker's read buffer (256 KiB long, stale in content). Give it back with
    /// [`Context::put_read_buffer`] before returning; if you don't, the worker makes a new one.
    pub fn take_read_buffer(&mut self) -> Vec<u8> {
        self.driver.take_buffer()
    }

    /// Gives the worker's read buffer back.
    pub fn put_read_buffer(&mut self, buffer: Vec<u8>) {
        self.driver.put_buffer(buffer);
    }

    /// In simulation, lets `span` of virtual time pass inside this handler. Nothing otherwise.
    pub fn sim_consume(&mut self, span: Duration) {
        self.driver.consume(span);
    }
}

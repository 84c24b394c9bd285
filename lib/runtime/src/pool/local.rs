//! What a worker's own handlers schedule on that worker: needs no atomics and no wake-up.

use core::cell::{Cell, RefCell};

use dunlin_sync::Class;

use super::LIVENESS_BIT;
use crate::{dispatch::Ticket, worker::queue::RunQueue};

thread_local! {
    /// Which pool and worker this thread is; 0 for none.
    static HERE: Cell<(usize, u16)> = const { Cell::new((0, 0)) };
    /// Classes in `ENTRIES`, as bits.
    static URGENT: Cell<u32> = const { Cell::new(0) };
    static ENTRIES: RefCell<Vec<Ticket>> = const { RefCell::new(Vec::new()) };
}

/// This thread is worker `index` of `pool` from now on.
pub(crate) fn enter(pool: usize, index: u16) {
    HERE.set((pool, index));
}

/// This thread is a worker no more.
pub(crate) fn leave() {
    HERE.set((0, 0));
    URGENT.set(0);
    drop(ENTRIES.take());
}

/// Whether this thread is a worker of `pool`.
pub(crate) fn is_worker_of(pool: usize) -> bool {
    HERE.get().0 == pool
}

/// Whether this thread is worker `index` of `pool`.
#[inline]
pub(crate) fn is_worker(pool: usize, index: u16) -> bool {
    HERE.get() == (pool, index)
}

/// Takes a ticket for this thread's own worker.
#[inline]
pub(crate) fn push(ticket: Ticket) {
    if ticket.class == Class::Liveness {
        URGENT.set(LIVENESS_BIT);
    }
    ENTRIES.with_borrow_mut(|entries| entries.push(ticket));
}

/// Urgent classes waiting here.
#[inline]
pub(crate) fn urgent() -> u32 {
    URGENT.get()
}

/// Moves what waits here to the worker's run queues.
pub(crate) fn drain(queue: &mut RunQueue<Ticket>) {
    URGENT.set(0);
    ENTRIES.with_borrow_mut(|entries| {
        for ticket in entries.drain(..) {
            queue.push(ticket.class, ticket);
        }
    });
}

//! What an [`Inbox`](super::Inbox) links: nodes of messages, and event nodes, which exist beforehand.
#![expect(unsafe_code, reason = "vouches for event nodes being shared between threads")]

use core::fmt;
use core::ptr;

use crate::mutant;
use crate::prim::{Arc, AtomicU32, Ordering, UnsafeCell};

/// An event registered beforehand: schedule it with [`Inbox::schedule`](super::Inbox::schedule).
///
/// Shared by the loop that owns it and by whoever may schedule it; a list that has it linked holds a
/// count too. It is in one list at most, so it is meant for one inbox. Scheduling it into another
/// while it is linked is harmless, and does nothing.
#[repr(C)]
pub struct EventNode<S = ()> {
    /// First, so that a pointer to it is one to the node.
    header: Header<S>,
    /// What `Batch` returns for it.
    id: u32,
    /// `LINKED`, `LIVE` and `RETIRED`. Written by schedulers (set `LINKED` and `LIVE`, AcqRel: receives
    /// the link from the consumer that cleared `LINKED`, publishes the caller's writes to the run
    /// that follows), the consumer (clear both, AcqRel: gives the link back, receives the writes of
    /// all who found it pending) and the owner (cancel: clear `LIVE`; retire: also set `RETIRED`;
    /// AcqRel). `LINKED` belongs to whoever set it until the consumer clears it.
    state: AtomicU32,
}

/// The node is in a list, or its scheduler is about to link it.
const LINKED: u32 = 1;
/// It is to run when drained; without this a linked node is a tombstone.
const LIVE: u32 = 2;
/// It shall never run again.
const RETIRED: u32 = 4;

impl<S: Copy + Default> EventNode<S> {
    /// An idle event that its consumer knows as `id`.
    pub fn new(id: u32) -> Arc<Self> {
        Arc::new(Self { header: Header::new(Kind::Event), id, state: AtomicU32::new(0) })
    }
}

impl<S> EventNode<S> {
    /// What its consumer knows it as.
    pub const fn id(&self) -> u32 {
        self.id
    }

    /// Whether it is scheduled and has not started to run; another thread may change that any time.
    pub fn is_pending(&self) -> bool {
        self.state.load(Ordering::Relaxed) & (LIVE | RETIRED) == LIVE
    }

    /// Cancels; true if it was pending, and then that scheduling will not run. False: it is idle,
    /// or has been handed out to run. The consumer's own thread, which knows whether the handler runs,
    /// gets an exact answer from this; and if true, it sees all that the schedulers did before, so it may
    /// run the handler now instead.
    pub fn cancel(&self) -> bool {
        let gone = if mutant!("mutant-cancel-unlinks") { LIVE | LINKED } else { LIVE };
        let order =
            if mutant!("mutant-relaxed-cancel") { Ordering::Relaxed } else { Ordering::AcqRel };
        self.state.fetch_and(!gone, order) & (LIVE | RETIRED) == LIVE
    }

    /// Cancels for good: scheduling does nothing from now on. Returns as [`cancel`](Self::cancel). For
    /// an owner that goes away, or gives the number to another event, while others hold the node.
    pub fn retire(&self) -> bool {
        self.state.fetch_or(RETIRED, Ordering::AcqRel) & (LIVE | RETIRED) == LIVE
    }

    /// A scheduler's step.
    pub(super) fn arm(&self) -> Armed {
        let before = self.state.fetch_or(LINKED | LIVE, Ordering::AcqRel);
        if before & RETIRED != 0 {
            // The bits stay set, which is of no consequence: nothing looks at them any more.
            Armed::Retired
        } else if before & LINKED == 0 {
            Armed::Idle
        } else if before & LIVE == 0 {
            Armed::Tombstone
        } else {
            Armed::Pending
        }
    }

    /// The consumer's step, after its last use of the link: whether the event is to run.
    pub(super) fn disarm(&self) -> bool {
        let order =
            if mutant!("mutant-relaxed-clear") { Ordering::Relaxed } else { Ordering::AcqRel };
        let before = if mutant!("mutant-split-clear") {
            let before = self.state.load(Ordering::Acquire);
            self.state.store(before & RETIRED, Ordering::Release);
            before
        } else {
            self.state.fetch_and(!(LINKED | LIVE), order)
        };
        before & (LIVE | RETIRED) == LIVE
    }
}

impl<S> fmt::Debug for EventNode<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventNode").field("id", &self.id).finish_non_exhaustive()
    }
}

// SAFETY: the link is only accessed by the node's one owner (the text of `queue` says who); the rest is
// immutable or atomic. Stamps move between threads.
unsafe impl<S: Send> Send for EventNode<S> {}
// SAFETY: as above.
unsafe impl<S: Send> Sync for EventNode<S> {}

/// What a scheduler found.
pub(super) enum Armed {
    Idle,
    Pending,
    Tombstone,
    Retired,
}

/// The part of a node the list works with.
pub(super) struct Header<S> {
    pub(super) link: UnsafeCell<Link<S>>,
    pub(super) kind: Kind,
}

#[derive(Clone, Copy)]
pub(super) struct Link<S> {
    /// The node pushed before; in a `Batch`, the one pushed after.
    pub(super) next: *mut Header<S>,
    pub(super) stamp: S,
}

/// What a header is the start of.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A `Node<T, S>` from a `Box`.
    Message,
    /// An `EventNode<S>` from an `Arc`.
    Event,
}

/// A message.
#[repr(C)]
pub(super) struct Node<T, S> {
    /// First, so that a pointer to it is one to the node.
    pub(super) header: Header<S>,
    pub(super) value: T,
}

impl<S: Default> Header<S> {
    pub(super) fn new(kind: Kind) -> Self {
        Self { link: UnsafeCell::new(Link { next: ptr::null_mut(), stamp: S::default() }), kind }
    }
}

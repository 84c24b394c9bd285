//! The event queue: an intrusive, atomic, single-linked list with many producers, taken whole.
//!
//! Two things travel in it, in one order: *messages* (a typed value in a node made for it) and
//! *events* (a node registered beforehand, so scheduling allocates nothing and scheduling one that
//! is pending does nothing). To push is one compare-and-swap; to take everything is one swap; the
//! taken list is reversed once and is then first-in, first-out for each producer.
//!
//! Ownership of a node is never shared: its pusher has it until the compare-and-swap publishes it,
//! the list has it while linked, and the [`Batch`] has it from the swap on. That is why there is no
//! ABA problem (nobody but the taker of everything removes nodes) and why taking twice at a time is
//! safe, if pointless.
//!
//! Deliberately absent: taking one item, removing from the middle (a cancelled event stays linked
//! as a tombstone until it is drained), a length, and any waiting. Whom to wake is the business of
//! [`StateWord`](crate::StateWord) and [`WakeWord`](crate::WakeWord).
#![expect(unsafe_code, reason = "an intrusive list links nodes by raw pointers")]

use core::fmt;
use core::marker::PhantomData;
use core::mem::replace;
use core::ptr;

use self::node::{Armed, Header, Kind, Link, Node};
use crate::mutant;
use crate::prim::{Arc, AtomicPtr, Ordering};

pub use self::node::EventNode;

mod node;

/// The receiving end of a loop or worker: messages `T` and events, each with a stamp `S`.
///
/// The stamp is what its pusher wants the consumer to know about the sending itself (when, from
/// which handler); a coalesced event keeps the stamp of the first scheduling. Not cache-padded: a
/// sender touches the inbox and then the state word, so they are best kept in one line.
pub struct Inbox<T, S = ()> {
    /// Top of the list, newest first. Written by producers (compare-and-swap, Release: publishes the
    /// node's link, stamp and value) and by the consumer (swap to null, Acquire: receives what all
    /// the linked nodes' producers published, as each push continues the release sequence). No
    /// other access has an ordering to keep.
    head: AtomicPtr<Header<S>>,
    /// Owns messages.
    owns: PhantomData<Node<T, S>>,
}

/// A list taken from an [`Inbox`], first-in first-out. Owned, so that it can be kept over turns
/// when a budget ends before it does. Dropping it drops the messages and unschedules the events.
pub struct Batch<T, S = ()> {
    first: *mut Header<S>,
    remaining: usize,
    owns: PhantomData<Node<T, S>>,
}

/// One item out of a [`Batch`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry<T, S = ()> {
    /// The message or the event.
    pub item: Item<T>,
    /// The stamp given at the push.
    pub stamp: S,
}

/// A message, or the number of a pre-registered event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Item<T> {
    /// The value pushed.
    Message(T),
    /// The event's number, as given to [`EventNode::new`].
    Event(u32),
}

/// What [`Batch::peek`] found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Peeked {
    /// A message, which [`Batch::take_message`] takes.
    Message,
    /// The number of a pre-registered event, which has been taken.
    Event(u32),
}

/// What [`Inbox::schedule`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheduled {
    /// The event was linked; `was_empty` as for [`Inbox::push`]. The consumer must be notified.
    Pushed {
        /// Whether the inbox was empty before.
        was_empty: bool,
    },
    /// It was pending: it will run once, and that run sees everything the caller did before.
    Pending,
    /// It had been cancelled but is still linked: it is pending again, in its old place.
    Revived,
    /// It was retired: nothing happened, and never will.
    Retired,
}

impl Scheduled {
    /// Whether the consumer must be notified by the caller.
    pub const fn must_notify(self) -> bool {
        matches!(self, Self::Pushed { .. })
    }
}

impl<T, S: Copy + Default> Inbox<T, S> {
    /// An empty inbox.
    pub fn new() -> Self {
        Self { head: AtomicPtr::new(ptr::null_mut()), owns: PhantomData }
    }

    /// Adds a message; true if the inbox was empty.
    ///
    /// If it was not, whoever made it non-empty notifies the consumer or has already done so, so a
    /// sender of the *same class* need not.
    pub fn push(&self, value: T, stamp: S) -> bool {
        // Memory first, so that what is known goes straight into it.
        let node = Box::<Node<T, S>>::new_uninit();
        let node = Box::write(node, Node { header: Header::new(Kind::Message), value });
        // SAFETY: the node is new, nobody else knows it; ownership goes to the list.
        unsafe { self.link(Box::into_raw(node).cast(), stamp) }
    }

    /// Schedules an event: links it, or does nothing if it is pending.
    pub fn schedule(&self, event: &Arc<EventNode<S>>, stamp: S) -> Scheduled {
        match event.arm() {
            Armed::Idle => {
                let node = Arc::into_raw(Arc::clone(event));
                // SAFETY: `arm` changed `LINKED` from clear to set, so no list holds the node and
                // no other caller may link it; the count taken above goes to the list.
                let was_empty = unsafe { self.link(node.cast_mut().cast(), stamp) };
                Scheduled::Pushed { was_empty }
            }
            Armed::Pending => Scheduled::Pending,
            Armed::Tombstone => Scheduled::Revived,
            Armed::Retired => Scheduled::Retired,
        }
    }

    /// Takes everything pushed so far.
    ///
    /// Whatever says "this inbox has something" must be cleared before, not after: see
    /// [`StateWord::begin_run`](crate::StateWord::begin_run).
    pub fn take_all(&self) -> Batch<T, S> {
        let order =
            if mutant!("mutant-relaxed-take") { Ordering::Relaxed } else { Ordering::Acquire };
        let newest = if mutant!("mutant-split-take") {
            let newest = self.head.load(Ordering::Acquire);
            self.head.store(ptr::null_mut(), Ordering::Relaxed);
            newest
        } else {
            self.head.swap(ptr::null_mut(), order)
        };
        // SAFETY: the swap made this thread the only owner of the list from `newest` on.
        unsafe { Batch::reversed(newest) }
    }

    /// Whether nothing is linked; a hint, as a producer may push at any time.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.head.load(Ordering::Relaxed).is_null()
    }

    /// Pushes a node; true if the list was empty.
    ///
    /// # Safety
    ///
    /// `node` is valid, in no list, and the caller is the only one to touch its link; it is a
    /// `Node<T, S>` of `Box` or an `EventNode<S>` of `Arc`, as its kind says, and the list takes it.
    unsafe fn link(&self, node: *mut Header<S>, stamp: S) -> bool {
        let publish =
            if mutant!("mutant-relaxed-push") { Ordering::Relaxed } else { Ordering::Release };
        // SAFETY: valid by the contract; shared, as the link is in a cell.
        let header = unsafe { &*node };
        let mut next = self.head.load(Ordering::Relaxed);
        loop {
            // SAFETY: not published yet, so nobody else accesses the link.
            header.link.with_mut(|link| unsafe { *link = Link { next, stamp } });
            match self.head.compare_exchange_weak(next, node, publish, Ordering::Relaxed) {
                Ok(_) => return next.is_null(),
                Err(newer) => next = newer,
            }
        }
    }
}

impl<T, S> Drop for Inbox<T, S> {
    fn drop(&mut self) {
        let newest = self.head.swap(ptr::null_mut(), Ordering::Acquire);
        // SAFETY: the swap (and `&mut self`) made this thread the list's only owner. The order of
        // dropping does not matter, so it is not reversed.
        drop(Batch::<T, S> { first: newest, remaining: 0, owns: PhantomData });
    }
}

impl<T, S: Copy + Default> Default for Inbox<T, S> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T, S> fmt::Debug for Inbox<T, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inbox").finish_non_exhaustive()
    }
}

// SAFETY: nodes move from the pushing to the taking thread, so `T` and `S` must be `Send`; a shared
// inbox hands out no reference to a `T`. Every node has one owner at a time (see the module text).
unsafe impl<T: Send, S: Send> Send for Inbox<T, S> {}
// SAFETY: as above.
unsafe impl<T: Send, S: Send> Sync for Inbox<T, S> {}

impl<T, S> Batch<T, S> {
    /// A batch of nothing.
    #[inline]
    pub const fn empty() -> Self {
        Self { first: ptr::null_mut(), remaining: 0, owns: PhantomData }
    }

    /// Whether no node is left. (Nodes left may all be tombstones.)
    #[inline]
    pub const fn is_empty(&self) -> bool {
        self.first.is_null()
    }

    /// How many nodes are left, tombstones included.
    #[inline]
    pub const fn remaining(&self) -> usize {
        self.remaining
    }

    /// Turns a newest-first list into a batch.
    ///
    /// # Safety
    ///
    /// The caller owns every node of the list, as after the swap in [`Inbox::take_all`].
    unsafe fn reversed(newest: *mut Header<S>) -> Self {
        let mut batch = Self::empty();
        let mut node = newest;
        while !node.is_null() {
            // SAFETY: nodes of an owned list are valid; shared, as the link is in a cell.
            let header = unsafe { &*node };
            // SAFETY: owned, so nobody else accesses the link.
            let turn = |link: *mut Link<S>| unsafe { replace(&mut (*link).next, batch.first) };
            let next = header.link.with_mut(turn);
            batch.first = node;
            batch.remaining += 1;
            node = next;
        }
        batch
    }

    /// Unlinks the first node, which the caller then owns; null if there is none.
    #[inline]
    fn unlink(&mut self) -> *mut Header<S> {
        let node = self.first;
        if !node.is_null() {
            // SAFETY: nodes of an owned list are valid; shared, as the link is in a cell.
            let header = unsafe { &*node };
            // SAFETY: owned, so nobody writes the link.
            self.first = header.link.with(|link| unsafe { (*link).next });
            self.remaining = self.remaining.saturating_sub(1);
        }
        node
    }

    /// Turns an unlinked node into its item; none if it is a tombstone.
    ///
    /// # Safety
    ///
    /// The caller owns `node`, which came out of an inbox of these types, and gives it up.
    unsafe fn open(node: *mut Header<S>) -> Option<Item<T>> {
        // SAFETY: valid by the contract; the reference ends here.
        let kind = unsafe { (*node).kind };
        match kind {
            Kind::Message => {
                // SAFETY: this kind is only in nodes that `Inbox::push` made with `Box::into_raw`.
                let node = unsafe { Box::from_raw(node.cast::<Node<T, S>>()) };
                Some(Item::Message(node.value))
            }
            Kind::Event => {
                // SAFETY: this kind is only in event nodes; `Inbox::schedule` gave the list a count.
                let event = unsafe { Arc::from_raw(node.cast::<EventNode<S>>().cast_const()) };
                event.disarm().then_some(Item::Event(event.id()))
            }
        }
    }
}

impl<T, S: Copy + Default> Batch<T, S> {
    /// Takes the inbox's content once this batch is used up, so that what is left over goes first;
    /// false if there is nothing in either.
    #[inline]
    pub fn refill(&mut self, inbox: &Inbox<T, S>) -> bool {
        if self.is_empty() {
            *self = inbox.take_all();
        }
        !self.is_empty()
    }
}

impl<T, S: Copy> Batch<T, S> {
    /// The stamp of the first node, perhaps a tombstone; it stays where it is.
    pub fn first_stamp(&self) -> Option<S> {
        // SAFETY: nodes of an owned list are valid; shared, as the link is in a cell.
        let header = unsafe { self.first.as_ref() }?;
        // SAFETY: owned, so nobody writes the link.
        Some(header.link.with(|link| unsafe { (*link).stamp }))
    }

    /// What comes next, and its stamp. A message is left where it is until
    /// [`take_message`](Self::take_message), so that it need not be moved about. A live event is taken: it
    /// is unscheduled *before* this returns, so that scheduling it from its own handler, or from anywhere
    /// while that runs, makes it run again.
    #[inline]
    pub fn peek(&mut self) -> Option<(Peeked, S)> {
        loop {
            let node = self.first;
            if node.is_null() {
                return None;
            }
            // SAFETY: nodes of an owned list are valid; shared, as the link is in a cell.
            let header = unsafe { &*node };
            // SAFETY: owned, so nobody writes the link.
            let stamp = header.link.with(|link| unsafe { (*link).stamp });
            if header.kind == Kind::Message {
                return Some((Peeked::Message, stamp));
            }
            let node = self.unlink();
            // SAFETY: owned since the unlink, and not used after this.
            if let Some(Item::Event(id)) = unsafe { Self::open(node) } {
                return Some((Peeked::Event(id), stamp));
            }
        }
    }

    /// Takes the message that [`peek`](Self::peek) has found; none if it has found none.
    #[inline]
    pub fn take_message(&mut self) -> Option<T> {
        // SAFETY: nodes of an owned list are valid, and the kind never changes.
        if self.first.is_null() || unsafe { (*self.first).kind } != Kind::Message {
            return None;
        }
        let node = self.unlink();
        // SAFETY: owned since the unlink, and not used after this.
        match unsafe { Self::open(node) } {
            Some(Item::Message(message)) => Some(message),
            _ => None,
        }
    }
}

impl<T, S: Copy> Iterator for Batch<T, S> {
    type Item = Entry<T, S>;

    /// The next message or live event; see [`peek`](Batch::peek).
    fn next(&mut self) -> Option<Self::Item> {
        let (peeked, stamp) = self.peek()?;
        let item = match peeked {
            Peeked::Event(id) => Item::Event(id),
            Peeked::Message => Item::Message(self.take_message()?),
        };
        Some(Entry { item, stamp })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (0, Some(self.remaining))
    }
}

impl<T, S> Drop for Batch<T, S> {
    fn drop(&mut self) {
        loop {
            let node = self.unlink();
            if node.is_null() {
                return;
            }
            // SAFETY: owned since the unlink, and not used after this.
            drop(unsafe { Self::open(node) });
        }
    }
}

impl<T, S> Default for Batch<T, S> {
    fn default() -> Self {
        Self::empty()
    }
}

impl<T, S> fmt::Debug for Batch<T, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Batch").field("remaining", &self.remaining).finish_non_exhaustive()
    }
}

// SAFETY: a batch owns its nodes; see `Inbox`. Other threads only touch the state of its events,
// which is atomic.
unsafe impl<T: Send, S: Send> Send for Batch<T, S> {}
// SAFETY: through a shared batch nothing but its length can be seen.
unsafe impl<T: Send, S: Send> Sync for Batch<T, S> {}

#[cfg(all(test, not(loom)))]
mod tests;

//! Credit: the one way in which a stage that is full stops the one before it.
//!
//! Who sends owns a [`Credit`] and takes of it for what it sends; the bytes are given back when the
//! [`Held`] that goes with them is dropped, wherever that is. A sender that finds it full asks
//! [`wait_if_full`](Credit::wait_if_full), stops its own input (a socket's interest, a queue) and gets
//! an event when enough has been given back. Nothing is polled meanwhile, and each sender has credit of
//! its own, so a slow one stops nobody else.
//!
//! # Why nothing waits in a circle
//!
//! Stages are numbered, and a loop may only wait for credit of a stage behind its own:
//! `wait_if_full` has the numbers in its types, and a wrong pair does not compile. So who waits for whom
//! is ordered, and a last stage, which waits for nobody, always goes on. Where data does flow back to an
//! earlier stage, that way cannot wait: it takes without asking, drops, or keeps only the latest.
//!
//! ```compile_fail
//! # use dunlin_runtime::{Time, kit::credit::{Credit, Stage}};
//! const PARSE: Stage<1> = Stage;
//! // Credit for what goes into stage 1, waited for by stage 2.
//! fn feed_back(credit: &Credit<1>, table: Stage<2>) -> bool {
//!     credit.wait_if_full(table, Time::ZERO)
//! }
//! # let credit = Credit::<1>::new("back", 10, None);
//! # feed_back(&credit, Stage);
//! ```

use core::{
    fmt,
    sync::atomic::{AtomicU64, Ordering},
};
use std::sync::Arc;

use dunlin_sync::CreditWord;

use super::flow::{Flow, FlowStats};
use crate::{address::EventHandle, ids::EventId, time::Time};

/// A stage of processing, by its number; data flows from low numbers to high ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stage<const NUMBER: u8>;

/// Credit for what one sender has under way to stage `INTO`. Amounts are bytes, or whatever its users
/// agree on.
pub struct Credit<const INTO: u8> {
    word: CreditWord,
    wake: Option<EventHandle>,
    name: Arc<str>,
    /// Times the sender had to wait. Written by it, read by anyone, relaxed.
    blocked: AtomicU64,
    /// When it last began to, in nanoseconds. Likewise.
    since: AtomicU64,
}

impl<const INTO: u8> Credit<INTO> {
    /// Full from `limit` on; a sender that waits has `wake` scheduled when half or less is under way.
    /// Without an event it has to ask again by itself.
    pub fn new(name: &str, limit: usize, wake: Option<EventHandle>) -> Arc<Self> {
        Self::with_low_water(name, limit, limit / 2, wake)
    }

    /// As [`new`](Self::new), with a low water mark, at most `limit`, at which the sender is woken.
    pub fn with_low_water(
        name: &str,
        limit: usize,
        low: usize,
        wake: Option<EventHandle>,
    ) -> Arc<Self> {
        Arc::new(Self {
            word: CreditWord::new(limit as u64, low as u64),
            wake,
            name: name.into(),
            blocked: AtomicU64::new(0),
            since: AtomicU64::new(0),
        })
    }

    /// Takes credit for `amount` that the sender has in its hands already, full or not. Who asks
    /// [`wait_if_full`](Self::wait_if_full) before it gets more exceeds the limit by one handful at
    /// most.
    #[inline]
    pub fn take(self: &Arc<Self>, amount: usize) -> Held<INTO> {
        self.word.take(amount as u64);
        Held { credit: Some(Arc::clone(self)), amount }
    }

    /// Takes credit for `amount` if that stays within the limit.
    pub fn try_take(self: &Arc<Self>, amount: usize) -> Option<Held<INTO>> {
        let taken = self.word.try_take(amount as u64);
        taken.then(|| Held { credit: Some(Arc::clone(self)), amount })
    }

    /// Whether the sender, a loop of stage `FROM`, has to stop; if so, its event follows once enough
    /// has been given back. Only the sender asks, at `now`.
    #[inline]
    pub fn wait_if_full<const FROM: u8>(&self, from: Stage<FROM>, now: Time) -> bool {
        let _ = from;
        const { assert!(FROM < INTO, "a stage waits for later ones only") };
        if !self.word.is_full() {
            return false;
        }
        self.since.store(now.as_nanos(), Ordering::Relaxed);
        let waits = self.word.wait_if_full();
        if waits {
            let blocked = self.blocked.load(Ordering::Relaxed);
            self.blocked.store(blocked + 1, Ordering::Relaxed);
        }
        waits
    }

    /// Gives more credit, or less. What is under way stays so.
    pub fn set_limit(&self, limit: usize, low: usize) {
        let wakes = self.word.set_limit(limit as u64, low as u64);
        self.wake_if(wakes);
    }

    /// What is under way.
    pub fn used(&self) -> usize {
        usize::try_from(self.word.used()).unwrap_or(usize::MAX)
    }

    /// Full from here on.
    pub fn limit(&self) -> usize {
        usize::try_from(self.word.limit()).unwrap_or(usize::MAX)
    }

    #[inline]
    fn give_back(&self, amount: usize) {
        let wakes = self.word.give_back(amount as u64);
        self.wake_if(wakes);
    }

    fn wake_if(&self, wanted: bool) {
        if wanted && let Some(wake) = &self.wake {
            // A sender that has stopped needs no waking.
            wake.schedule();
        }
    }
}

impl<const INTO: u8> fmt::Debug for Credit<INTO> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credit").field("name", &self.name).field("word", &self.word).finish()
    }
}

/// Credit that something under way holds; dropping it gives it back.
pub struct Held<const INTO: u8> {
    credit: Option<Arc<Credit<INTO>>>,
    amount: usize,
}

impl<const INTO: u8> Held<INTO> {
    /// Holds nothing.
    pub const fn none() -> Self {
        Self { credit: None, amount: 0 }
    }

    /// How much is held.
    pub const fn amount(&self) -> usize {
        self.amount
    }

    /// Splits off up to `amount`, for a part that goes its own way.
    pub fn split(&mut self, amount: usize) -> Self {
        let amount = amount.min(self.amount);
        self.amount -= amount;
        Self { credit: self.credit.clone(), amount }
    }
}

impl<const INTO: u8> Drop for Held<INTO> {
    #[inline]
    fn drop(&mut self) {
        if let Some(credit) = &self.credit {
            credit.give_back(self.amount);
        }
    }
}

impl<const INTO: u8> fmt::Debug for Held<INTO> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Held({} of stage {INTO})", self.amount)
    }
}

impl<const INTO: u8> Flow for Credit<INTO> {
    fn stats(&self) -> FlowStats {
        let since = Time::from_nanos(self.since.load(Ordering::Relaxed));
        let (name, limit) = (Arc::clone(&self.name), Some(self.word.limit()));
        FlowStats {
            waiting: self.word.is_waiting().then_some(since),
            blocked: self.blocked.load(Ordering::Relaxed),
            ..FlowStats::bytes(name, INTO, self.word.used(), limit)
        }
    }
}

/// Credit.
impl crate::Context<'_> {
    /// Credit for what this loop sends to stage `INTO`: see [`Credit::new`]. `event`, one of this
    /// loop's, follows a wait. It is shown among the loop's flows as long as it lives.
    pub fn credit<const INTO: u8>(
        &mut self,
        name: &str,
        limit: usize,
        event: EventId,
    ) -> Arc<Credit<INTO>> {
        let credit = Credit::new(name, limit, Some(self.event_handle(event)));
        self.show_flow(&credit);
        credit
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FROM: Stage<1> = Stage;

    #[test]
    fn what_is_dropped_is_given_back_whole_or_in_parts() {
        let credit = Credit::<2>::new("test", 100, None);
        let mut held = credit.take(70);
        let part = held.split(30);
        assert!(credit.try_take(31).is_none());
        let rest = credit.try_take(30);
        assert!(credit.wait_if_full(FROM, Time::from_nanos(7)));
        let stats = Flow::stats(&*credit);
        assert_eq!((stats.used, stats.limit, stats.stage, stats.blocked), (100, Some(100), 2, 1));
        assert_eq!(stats.waiting, Some(Time::from_nanos(7)));
        drop(part);
        assert!(Flow::stats(&*credit).waiting.is_some(), "70 are more than half");
        drop(held);
        assert_eq!((credit.used(), Flow::stats(&*credit).waiting), (30, None));
        drop(rest);
        drop(Held::<2>::none());
        assert_eq!(credit.used(), 0);
    }
}

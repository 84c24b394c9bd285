//! Parts that several threads contribute, put together by the last of them, or by whoever will not wait.

use core::fmt;

use crate::cell::ExclusiveCell;
use crate::countdown::Countdown;
use crate::mutant;
use crate::queue::{Batch, Inbox, Item};

/// Collects a `T` of each of several parties, for a receiver `R` who gets them once.
///
/// Each party answers or is skipped. The last one is given the receiver and finds all parts. Anybody may close it
/// sooner: whoever comes first is given the receiver with what is there, and what comes later is dropped.
pub struct Gathering<T, R> {
    parts: Inbox<T>,
    /// Each party arrives after it has put its part in, so the last one sees all parts.
    parties: Countdown,
    /// Whom the parts are for, until somebody takes it.
    receiver: ExclusiveCell<Option<R>>,
}

impl<T, R> Gathering<T, R> {
    /// From so many parties.
    pub fn new(parties: usize, receiver: R) -> Self {
        Self {
            parts: Inbox::new(),
            parties: Countdown::new(parties),
            receiver: ExclusiveCell::new(Some(receiver)),
        }
    }

    /// A party's part. If all have answered, and nobody was faster: the receiver and all parts.
    pub fn answer(&self, part: T) -> Option<Gathered<T, R>> {
        if mutant!("mutant-gathering-late") {
            let last = self.parties.arrive();
            self.parts.push(part, ());
            return last.then(|| self.close()).flatten();
        }
        self.parts.push(part, ());
        self.skip()
    }

    /// A party that has no part. As [`answer`](Self::answer).
    pub fn skip(&self) -> Option<Gathered<T, R>> {
        self.parties.arrive().then(|| self.close()).flatten()
    }

    /// The receiver and the parts that are there, if nobody was faster.
    pub fn close(&self) -> Option<Gathered<T, R>> {
        if mutant!("mutant-gathering-spills") {
            let parts = self.parts.take_all();
            return Some(Gathered { receiver: self.take_receiver()?, parts });
        }
        Some(Gathered { receiver: self.take_receiver()?, parts: self.parts.take_all() })
    }

    /// Whether all parties have come.
    pub fn is_over(&self) -> bool {
        self.parties.is_over()
    }

    /// Whoever is refused meets somebody who takes it at this moment.
    fn take_receiver(&self) -> Option<R> {
        self.receiver.enter()?.take()
    }
}

impl<T, R> fmt::Debug for Gathering<T, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gathering").field("parties", &self.parties).finish_non_exhaustive()
    }
}

/// What a [`Gathering`] has come to.
pub struct Gathered<T, R> {
    /// Whom it is for.
    pub receiver: R,
    parts: Batch<T>,
}

impl<T, R> Gathered<T, R> {
    /// The receiver, and the parts in the order in which they came.
    pub fn split(self) -> (R, impl Iterator<Item = T>) {
        let parts = self.parts.filter_map(|entry| match entry.item {
            Item::Message(part) => Some(part),
            Item::Event(_) => None,
        });
        (self.receiver, parts)
    }
}

impl<T, R> fmt::Debug for Gathered<T, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gathered").finish_non_exhaustive()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn the_last_answer_gets_all_and_later_ones_nothing() {
        let gathering = Gathering::new(3, "receiver");
        assert!(gathering.answer(1).is_none() && gathering.skip().is_none());
        let (receiver, parts) = gathering.answer(2).unwrap().split();
        assert_eq!((receiver, parts.collect::<Vec<_>>()), ("receiver", vec![1, 2]));
        assert!(gathering.is_over() && gathering.close().is_none());
    }

    #[test]
    fn who_closes_it_sooner_gets_what_is_there() {
        let gathering = Gathering::new(2, ());
        assert!(gathering.answer(1).is_none());
        let (_, parts) = gathering.close().unwrap().split();
        assert_eq!(parts.collect::<Vec<_>>(), [1]);
        assert!(!gathering.is_over());
        assert!(gathering.answer(2).is_none() && gathering.is_over());
    }
}

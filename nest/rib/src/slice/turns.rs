//! How much goes into one handler of a slice, however long filters take.
//!
//! Whoever shares the worker waits for all of a handler, and a filter may take any time for a route. So as many operations of
//! a batch go into one handler as are known to take little time, and so many records of a job; the rest of a batch follows
//! as work, a piece a round. What the slice is told meanwhile waits behind it: all is done in the order in which it was
//! told, as if the batch had held the slice throughout. But who reads gets its turn between pieces.

use core::time::Duration;
use std::collections::VecDeque;

use dunlin_runtime::{Class, Context, Progress, WorkId};

use super::{Slice, SliceMessage};
use crate::import::ImportBatch;

/// What took longer is made smaller.
const LONG: Duration = Duration::from_millis(20);
/// What took less may be doubled.
const SHORT: Duration = Duration::from_millis(5);
/// How much at first, and when filters have changed.
const FIRST: u32 = 64;
const LEAST: u32 = 4;
const MOST: u32 = 1 << 20;

/// How much may go into one handler, by what that took before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pace(u32);

impl Default for Pace {
    fn default() -> Self {
        Self(FIRST)
    }
}

impl Pace {
    /// Operations or records.
    pub(crate) fn most(self) -> u32 {
        self.0
    }

    /// Whether so little is done at a time that nobody can live on a part of it.
    pub(crate) fn is_slow(self) -> bool {
        self.0 < FIRST
    }

    /// Filters have changed: what comes may take any time.
    pub(crate) fn slow_down(&mut self) {
        self.0 = self.0.min(FIRST);
    }

    /// So much took so long.
    pub(crate) fn note(&mut self, done: u32, took: Duration) {
        if took > LONG {
            // In proportion: the next one is to take half of what is long.
            let parts = u32::try_from(2 * took.as_nanos() / LONG.as_nanos()).unwrap_or(u32::MAX);
            self.0 = (done / parts).clamp(LEAST, MOST);
        } else if took < SHORT && done >= self.0 {
            self.0 = (self.0 * 2).min(MOST);
        }
    }
}

/// What is left of a batch.
#[derive(Debug)]
struct Rest {
    batch: Box<ImportBatch>,
    /// The operation that is next.
    from: usize,
}

/// What a slice is in the middle of.
#[derive(Debug)]
pub(super) struct Turns {
    pub(super) pace: Pace,
    rest: Option<Rest>,
    /// What it was told meanwhile.
    waiting: VecDeque<SliceMessage>,
    work: WorkId,
}

impl Default for Turns {
    fn default() -> Self {
        Self { pace: Pace::default(), rest: None, waiting: VecDeque::new(), work: WorkId::NONE }
    }
}

impl Turns {
    pub(super) fn new(cx: &mut Context<'_>) -> Self {
        Self { work: cx.work(Class::Routing), ..Self::default() }
    }

    /// Whether something has been begun that all else waits for.
    #[inline]
    pub(super) fn is_busy(&self) -> bool {
        self.rest.is_some() || !self.waiting.is_empty()
    }

    /// Whether a piece of work is what is left of a batch.
    pub(super) fn is_for(&self, work: WorkId) -> bool {
        self.work == work
    }
}

impl Slice {
    /// Does what a message says, or puts it behind what is under way.
    pub(super) fn take(&mut self, cx: &mut Context<'_>, message: SliceMessage) {
        if self.turns.is_busy() && !message.only_reads() {
            self.turns.waiting.push_back(message);
            return;
        }
        self.set_about(cx, message);
        if self.turns.is_busy() {
            let _ = cx.queue(self.turns.work);
        }
    }

    fn set_about(&mut self, cx: &mut Context<'_>, message: SliceMessage) {
        match message {
            SliceMessage::Import(batch) => self.import_piece(cx, batch, 0),
            other => self.handle(other),
        }
    }

    /// Imports as much of a batch as may go into one handler.
    fn import_piece(&mut self, cx: &mut Context<'_>, batch: Box<ImportBatch>, from: usize) {
        let begun = cx.clock();
        let all = batch.ops.len();
        let to = all.min(from.saturating_add(self.turns.pace.most() as usize));
        self.import(&batch, from..to);
        self.sources.flush();
        let done = u32::try_from(to - from).unwrap_or(u32::MAX);
        self.turns.pace.note(done, cx.clock().since(begun));
        // The last piece gives the batch's credit back.
        self.turns.rest = (to < all).then_some(Rest { batch, from: to });
        self.reads.earn(to - from);
        self.read_earned();
    }

    /// Goes on with what is under way, as work.
    pub(super) fn carry_on(&mut self, cx: &mut Context<'_>) -> Progress {
        if let Some(Rest { batch, from }) = self.turns.rest.take() {
            self.import_piece(cx, batch, from);
        } else {
            // No more than an inbox gives in a round, and one large batch: who reads may be told between them.
            let mut left = FIRST;
            while let Some(message) = self.turns.waiting.pop_front() {
                left = left.saturating_sub(message.operations());
                self.set_about(cx, message);
                if left == 0 || cx.over_budget() {
                    break;
                }
            }
        }
        if self.turns.is_busy() {
            return Progress::More;
        }
        self.reads.wake(cx);
        Progress::Done
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_takes_long_is_made_smaller_at_once_and_what_does_not_grows_by_and_by() {
        let mut pace = Pace::default();
        let first = pace.most();
        pace.note(first, Duration::from_millis(1));
        assert_eq!(pace.most(), 2 * first);
        // Less than it might have been says nothing of more.
        pace.note(first, Duration::from_millis(1));
        assert_eq!(pace.most(), 2 * first);
        pace.note(2 * first, Duration::from_millis(10));
        assert_eq!(pace.most(), 2 * first);
        for _ in 0..30 {
            pace.note(pace.most(), Duration::ZERO);
        }
        assert_eq!(pace.most(), MOST);
        // 5 ms each: two of them take half of what is long.
        pace.note(1000, Duration::from_secs(5));
        assert_eq!(pace.most(), LEAST);
        pace = Pace(MOST);
        pace.note(1000, Duration::from_millis(100));
        assert_eq!(pace.most(), 100);
        pace = Pace(MOST);
        pace.slow_down();
        assert_eq!(pace.most(), first);
    }
}

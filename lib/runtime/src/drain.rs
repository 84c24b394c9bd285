//! What a loop does between the wish that it stop and its last handler, and what is dropped after that.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use dunlin_sync::{Batch, Class, Classes, Inbox, Item, Peeked};

use crate::{
    ask::Ask,
    body::Body,
    cause::Stamp,
    ending::{Completion, Dropped, Ending, StopOutcome, StopReport},
    loop_core::LoopCore,
    panic::Panics,
    step::{Kind, Step},
    time::Time,
};

impl<M: Send + 'static> Body<M> {
    /// Whether nothing but what has been deferred comes before the last handler.
    #[inline]
    pub(crate) fn ends_now(&self) -> bool {
        self.core.stopping && !self.core.drains()
    }

    /// What a loop that stops does next; none if its turn is over and it is to come again.
    #[cold]
    pub(crate) fn next_of_ending(
        &mut self,
        high: &Inbox<M, Stamp>,
        low: &Inbox<M, Stamp>,
        now: Time,
    ) -> Option<Step> {
        self.look_at_deadline(now);
        if self.core.drains() {
            let is_over = self.draining.is_some();
            let step = if is_over { None } else { self.next_to_drain([high, low]) };
            if step.is_some() || is_over || self.core.events.has_deferred() {
                let step = step.or_else(|| self.next_deferred());
                match (&step, &mut self.core.ending) {
                    (Some(_), Some(ending)) => ending.drained += 1,
                    _ => self.draining = None,
                }
                return step;
            }
        }
        Some(self.next_deferred().unwrap_or_else(|| self.last()))
    }

    fn look_at_deadline(&mut self, now: Time) {
        if let Some(ending) = self.core.ending.as_mut().filter(|ending| now >= ending.until) {
            ending.is_late = true;
        }
    }

    /// One of what is to be drained: round about, so that what asks for ever more keeps nothing else
    /// from its turn.
    fn next_to_drain(&mut self, inboxes: [&Inbox<M, Stamp>; 2]) -> Option<Step> {
        let mut ending = self.core.ending.take()?;
        let mut found = None;
        // The destructor of a message that is passed over may panic: the loop panics with it, and those who wait
        // for its end hear of that.
        let looked = catch_unwind(AssertUnwindSafe(|| {
            for _ in 0..PLACES {
                let place = ending.next;
                ending.next = (place + 1) % PLACES;
                found = self.drain_place(place, inboxes, &mut ending);
                if found.is_some() {
                    break;
                }
            }
        }));
        self.core.ending = Some(ending);
        if let Err(panic) = looked {
            resume_unwind(panic);
        }
        found
    }

    fn drain_place(
        &mut self,
        place: usize,
        inboxes: [&Inbox<M, Stamp>; 2],
        ending: &mut Ending,
    ) -> Option<Step> {
        let class = Class::ALL[place % Class::ALL.len()];
        let is_drained = ending.drain.contains(class);
        match place / Class::ALL.len() {
            0 if is_drained => {
                let key = self.core.events.pop(class, &mut self.reason)?;
                Some(Step::of(Kind::Event, class, key))
            }
            1 if is_drained => {
                let key = self.core.works.pop(class, &mut self.reason)?;
                Some(Step::of(Kind::Work, class, key))
            }
            2 => self.drain_inbox(place % 2, inboxes[place % 2], ending),
            _ => None,
        }
    }

    /// The next from an inbox; what is before it and not to be drained is dropped.
    fn drain_inbox(
        &mut self,
        which: usize,
        inbox: &Inbox<M, Stamp>,
        ending: &mut Ending,
    ) -> Option<Step> {
        loop {
            let batch = if which == 0 { &mut self.high } else { &mut self.low };
            let Some((peeked, stamp)) = batch.peek() else {
                if core::mem::replace(&mut ending.refilled[which], true) {
                    return None;
                }
                batch.refill(inbox);
                continue;
            };
            if ending.drain.contains(stamp.class()) {
                let kind = if which == 0 { Kind::High } else { Kind::Low };
                return Some(self.found(kind, peeked, stamp));
            }
            match peeked {
                Peeked::Message => {
                    ending.dropped.messages[stamp.class().index()] += 1;
                    let message = batch.take_message();
                    self.drops = true;
                    drop(message);
                    self.drops = false;
                }
                Peeked::Event(index) => {
                    if let Some((_, class)) = self.core.events.arrived(index) {
                        ending.dropped.events[class.index()] += 1;
                    }
                }
            }
        }
    }

    /// Of the classes in which something is left those that the loop comes again for.
    #[cold]
    pub(crate) fn left_of_ending(&self, left: Classes) -> Classes {
        let drain = self.core.ending.as_ref().map_or(Classes::NONE, |ending| ending.drain);
        let found = left.iter().find(|&class| drain.contains(class));
        // Messages of two classes share an inbox, so what is left may be of the other one.
        let class = found.or(drain.highest()).filter(|_| !left.is_empty());
        Classes::of(class.unwrap_or(Class::Control))
    }

    /// Drops the loop's state; what was dropped with it, and who wants to hear that: who has asked for
    /// the end, by `asks` too, which have come since.
    pub(crate) fn bury(
        mut self,
        asks: Batch<Ask, Stamp>,
        panics: &mut Panics,
    ) -> (StopReport, Vec<Completion>) {
        let mut ending = *self.core.ending.take().unwrap_or_default();
        let asks = self.asks.chain(asks).filter_map(|entry| match entry.item {
            Item::Message(ask) => Some(ask),
            Item::Event(_) => None,
        });
        for ask in self.ask.take().into_iter().chain(asks) {
            match ask {
                Ask::Stop(ask) => ending.completions.extend(ask.into_completion()),
                ask => panics.contain(FOLLOWS_CANCEL, || drop(ask)),
            }
        }
        let mut dropped = ending.dropped;
        dropped.add(&unfinished(&mut self.core));
        let (state, core, high, low) = (self.state, self.core, self.high, self.low);
        panics.drop("the state", state);
        count_out(high, &mut dropped, panics);
        count_out(low, &mut dropped, panics);
        let panicked = core.panicked;
        drop(core);
        let outcome = if panicked {
            StopOutcome::Panicked
        } else if ending.is_late && dropped.asked_in(ending.drain) > 0 {
            StopOutcome::CutShort
        } else {
            StopOutcome::Stopped
        };
        (StopReport { outcome, drained: ending.drained, dropped }, ending.completions)
    }
}

/// What a loop would still have done, but for what is in its inboxes.
fn unfinished(core: &mut LoopCore) -> Dropped {
    let mut dropped = Dropped {
        events: core.events.retire(),
        works: core.works.retire(),
        ready: Class::ALL.map(|class| core.sockets.len(class) as u64),
        jobs: core.jobs.stats().iter().filter(|job| job.waiting).count() as u64,
        ..Dropped::default()
    };
    for timer in core.timers.list().filter(|timer| timer.expires.is_some()) {
        dropped.timers[timer.class.index()] += 1;
    }
    dropped
}

/// Drops what is in a batch and counts it, each by itself, as any may panic. Events are not: they have been retired, and
/// counted, before.
pub(crate) fn count_out<M>(batch: Batch<M, Stamp>, dropped: &mut Dropped, panics: &mut Panics) {
    for entry in batch {
        if let Item::Message(message) = entry.item {
            dropped.messages[entry.stamp.class().index()] += 1;
            panics.drop("a message", message);
        }
    }
}

/// What may panic when a wish to cancel is dropped: it tells that the loop has stopped.
pub(crate) const FOLLOWS_CANCEL: &str = "what was to follow a cancellation";

/// Where something may wait: events and work of four classes, two inboxes.
const PLACES: usize = 10;

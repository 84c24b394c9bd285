//! How a loop is asked to stop, what becomes of what waits for it then, and who hears of it.

use core::{fmt, time::Duration};
use std::sync::Arc;

use dunlin_sync::{Class, Classes};

use crate::{
    ask::{Ask, ask},
    loop_cell::{Runnable, notify_dyn},
    loop_core::LoopCore,
    panic::Panics,
    place::Place,
    time::Time,
};

/// How to stop a loop.
///
/// What is drained is run as always: messages, events of other loops and its own, long work. Of
/// messages that is what waits when the loop hears of the stop, and at most what has come until it
/// got through that; work and events go on until they ask for no more, or for too long. Timers,
/// readiness of sockets and jobs for idle time are never drained: they are what brings a loop more to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stop {
    /// The classes in which what waits is run before [`Loop::stop`](crate::Loop::stop). What waits in others is
    /// dropped.
    pub drain: Classes,
    /// How long that may take from when the loop hears of it, which is when its next turn begins. What
    /// is left then is dropped.
    pub deadline: Duration,
}

impl Stop {
    /// At once: all that waits is dropped. It cuts short a stop that is under way.
    pub const NOW: Self = Self { drain: Classes::NONE, deadline: Duration::ZERO };

    /// Drains `class` and all that are more urgent.
    pub fn after(class: Class, deadline: Duration) -> Self {
        let drain = Class::ALL.into_iter().filter(|one| *one <= class);
        Self { drain: drain.fold(Classes::NONE, Classes::with), deadline }
    }
}

impl Default for Stop {
    fn default() -> Self {
        Self::NOW
    }
}

/// What was waiting for a loop and never ran, as it stopped; by class, in the order of [`Class::ALL`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dropped {
    /// Messages of other loops.
    pub messages: [u64; 4],
    /// Events, whoever scheduled them.
    pub events: [u64; 4],
    /// Long work that was queued.
    pub works: [u64; 4],
    /// Timers that were armed.
    pub timers: [u64; 4],
    /// Sockets whose readiness had not been handled.
    pub ready: [u64; 4],
    /// Jobs that waited for idle time.
    pub jobs: u64,
}

impl Dropped {
    /// What somebody had asked to be run: messages, events and long work. Of a loop at rest nothing
    /// of that is left, while it may well have timers.
    pub fn asked(&self) -> u64 {
        self.asked_in(Classes::ALL)
    }

    /// The same, of some classes.
    pub(crate) fn asked_in(&self, classes: Classes) -> u64 {
        let of = |class: Class| {
            let at = class.index();
            self.messages[at] + self.events[at] + self.works[at]
        };
        classes.iter().map(of).sum()
    }

    /// Adds what another loop dropped.
    pub fn add(&mut self, other: &Self) {
        self.combine(other, |one, other| one + other);
    }

    /// The reverse.
    pub(crate) fn take_away(&mut self, other: &Self) {
        self.combine(other, u64::saturating_sub);
    }

    fn combine(&mut self, other: &Self, how: impl Fn(u64, u64) -> u64) {
        self.jobs = how(self.jobs, other.jobs);
        for (ones, (_, others)) in self.by_class_mut().into_iter().zip(other.by_class()) {
            for (one, other) in ones.iter_mut().zip(others) {
                *one = how(*one, other);
            }
        }
    }

    /// What is counted by class, with its names for one and for several.
    pub(crate) fn by_class(&self) -> [([&'static str; 2], [u64; 4]); 5] {
        [
            (["message", "messages"], self.messages),
            (["event", "events"], self.events),
            (["long work", "long works"], self.works),
            (["timer", "timers"], self.timers),
            (["ready socket", "ready sockets"], self.ready),
        ]
    }

    fn by_class_mut(&mut self) -> [&mut [u64; 4]; 5] {
        let Self { messages, events, works, timers, ready, jobs: _ } = self;
        [messages, events, works, timers, ready]
    }
}

/// As in `3 messages (1 control, 2 bulk), 1 timer (liveness)`.
impl fmt::Display for Dropped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut before = "";
        for (names, counts) in self.by_class() {
            let sum: u64 = counts.iter().sum();
            if sum == 0 {
                continue;
            }
            write!(f, "{before}{sum} {} ", names[usize::from(sum != 1)])?;
            let mut separator = "(";
            for (class, count) in Class::ALL.into_iter().zip(counts).filter(|one| one.1 != 0) {
                write!(f, "{separator}")?;
                if count != sum {
                    write!(f, "{count} ")?;
                }
                write!(f, "{}", class_name(class))?;
                separator = ", ";
            }
            f.write_str(")")?;
            before = ", ";
        }
        match self.jobs {
            0 if before.is_empty() => f.write_str("nothing"),
            0 => Ok(()),
            1 => write!(f, "{before}1 job for idle time"),
            jobs => write!(f, "{before}{jobs} jobs for idle time"),
        }
    }
}

fn class_name(class: Class) -> &'static str {
    match class {
        Class::Liveness => "liveness",
        Class::Control => "control",
        Class::Routing => "routing",
        Class::Bulk => "bulk",
    }
}

/// How a loop came to its end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StopOutcome {
    /// It stopped as it was asked to: all that was to be drained has run.
    #[default]
    Stopped,
    /// It was cut short, by its deadline or by a stop without delay: of what was to be drained some was
    /// dropped.
    CutShort,
    /// A handler panicked, or the destructor of its state or of a message.
    Panicked,
    /// It had stopped before: what it dropped then is only in the sum
    /// ([`StopStats`](crate::StopStats)).
    AlreadyStopped,
}

/// What came of stopping a loop. When this is told the loop is not running and never will, and what it
/// owned is gone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StopReport {
    /// How it ended.
    pub outcome: StopOutcome,
    /// Handlers that ran between the stop and the last handler.
    pub drained: u64,
    /// What did not run. A message that was sent at that very moment, and not given back to its sender
    /// either, is only in the sum ([`StopStats`](crate::StopStats)).
    pub dropped: Dropped,
}

/// Hears of the end of a loop.
pub(crate) type Completion = Box<dyn FnOnce(StopReport) + Send>;

/// A wish to have a loop stopped. Whatever becomes of it, the completion is called once.
pub(crate) struct StopAsk {
    options: Stop,
    /// None if nobody wants to hear, or has heard.
    completion: Option<Completion>,
}

impl StopAsk {
    /// Has the loop stop.
    pub(crate) fn perform(mut self, core: &mut LoopCore, cell: &Arc<dyn Runnable>, now: Time) {
        let completion = self.completion.take();
        let options = if cell.header().is_asked_to_stop() { Stop::NOW } else { self.options };
        core.stop_with(options, now).completions.extend(completion);
    }
}

impl StopAsk {
    /// The loop has come to its end before this could be done: who wants to hear of it.
    pub(crate) fn into_completion(mut self) -> Option<Completion> {
        self.completion.take()
    }
}

impl Drop for StopAsk {
    fn drop(&mut self) {
        if let Some(completion) = self.completion.take() {
            let outcome = StopOutcome::AlreadyStopped;
            completion(StopReport { outcome, ..StopReport::default() });
        }
    }
}

/// Asks a loop to stop.
#[track_caller]
pub(crate) fn stop(cell: &Arc<dyn Runnable>, options: Stop, completion: Option<Completion>) {
    if options == Stop::NOW && completion.is_none() {
        cell.header().ask_to_stop();
        return notify_dyn(cell, Class::Control);
    }
    ask(cell, Ask::Stop(StopAsk { options, completion }), Place::here());
}

/// A stop under way.
#[derive(Default)]
pub(crate) struct Ending {
    /// Classes in which what waits is still run.
    pub(crate) drain: Classes,
    /// Until then.
    pub(crate) until: Time,
    /// It was later than that.
    pub(crate) is_late: bool,
    /// What has come to each inbox since is taken once.
    pub(crate) refilled: [bool; 2],
    /// Where to look next for something to run.
    pub(crate) next: usize,
    /// Handlers run since.
    pub(crate) drained: u64,
    /// What has been passed over.
    pub(crate) dropped: Dropped,
    pub(crate) completions: Vec<Completion>,
}

impl fmt::Debug for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ending")
            .field("drain", &self.drain)
            .field("until", &self.until)
            .finish_non_exhaustive()
    }
}

impl LoopCore {
    /// Has the loop stop. Of several wishes the one that takes the shortest counts.
    pub(crate) fn stop_with(&mut self, options: Stop, now: Time) -> &mut Ending {
        let until = now + options.deadline;
        let is_first = !core::mem::replace(&mut self.stopping, true);
        let ending = self.ending.get_or_insert_default();
        if is_first {
            (ending.drain, ending.until) = (options.drain, until);
        } else {
            ending.until = ending.until.min(until);
        }
        ending
    }

    /// Has the loop stop without delay.
    pub(crate) fn stop_now(&mut self) {
        self.stopping = true;
        if let Some(ending) = &mut self.ending {
            ending.until = Time::ZERO;
        }
    }

    /// Whether the loop stops, but not yet.
    #[inline]
    pub(crate) fn drains(&self) -> bool {
        self.ending.as_ref().is_some_and(|ending| !ending.is_late && !ending.drain.is_empty())
    }
}

/// Tells those who want to hear. One that panics is its author's fault and nobody else's.
pub(crate) fn tell(completions: Vec<Completion>, report: StopReport, panics: &mut Panics) {
    for completion in completions {
        panics.contain("what was to follow its end", || completion(report));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_dropped_is_told_in_words() {
        let mut dropped = Dropped::default();
        assert_eq!(dropped.to_string(), "nothing");
        dropped.messages = [0, 1, 0, 2];
        dropped.timers = [1, 0, 0, 0];
        dropped.jobs = 2;
        let text = "3 messages (1 control, 2 bulk), 1 timer (liveness), 2 jobs for idle time";
        assert_eq!(dropped.to_string(), text);
        let mut twice = dropped;
        twice.add(&dropped);
        assert_eq!((twice.messages, twice.jobs, twice.asked()), ([0, 2, 0, 4], 4, 6));
    }

    #[test]
    fn after_a_class_all_that_are_more_urgent_are_drained_too() {
        let stop = Stop::after(Class::Routing, Duration::from_secs(1));
        let drained: Vec<_> = stop.drain.iter().collect();
        assert_eq!(drained, [Class::Liveness, Class::Control, Class::Routing]);
        assert_eq!(Stop::default(), Stop::NOW);
    }
}

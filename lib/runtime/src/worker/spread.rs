//! Work goes to idle workers at once when it piles up, and comes together on one when there is little.
//!
//! A message to a loop on a worker that sleeps costs a system call, a switch to another thread and a
//! wait for the processor, each more than most handlers. So loops that have little to do share a
//! worker; and since a pile is noticed within a millisecond, nothing is lost when it comes.

use core::{sync::atomic::Ordering, time::Duration};
use std::sync::Arc;

use super::{POLL_INTERVAL, Stage, Worker};
use crate::{moves::MoveReason, pool::WorkerShared, time::Time};

/// What a worker remembers to see whether there is little to do.
#[derive(Debug)]
pub(super) struct Calm {
    /// When the window began.
    since: Time,
    /// How long all workers together had been busy by then.
    busy: u64,
    /// Windows in a row in which they were not.
    windows: u32,
}

impl Calm {
    pub(super) fn new(now: Time) -> Self {
        Self { since: now, busy: u64::MAX, windows: 0 }
    }

    /// Takes a look at the end of a window; true if it has been calm for long enough.
    fn look(&mut self, now: Time, busy: u64) -> bool {
        let window = now.since(self.since);
        let used = Duration::from_nanos(busy.saturating_sub(self.busy));
        let calm = self.busy != u64::MAX && used.as_secs_f32() < window.as_secs_f32() * LITTLE;
        let windows = if calm { self.windows.saturating_add(1) } else { 0 };
        *self = Self { since: now, busy, windows };
        windows >= CALM_WINDOWS
    }
}

impl Worker {
    /// After a while without a pause: gives waiting loops to workers that sleep, so that each has the
    /// same number.
    pub(super) fn consider_spread(&mut self) {
        if self.stage != Stage::Working || self.queue.is_empty() {
            return;
        }
        let Some(group) = self.home.group else { return };
        let table = self.pool.table();
        let sleeps = |worker: &&Arc<WorkerShared>| worker.wake.is_asleep();
        let idle: Vec<_> = table.active(group).filter(sleeps).collect();
        if idle.is_empty() {
            return;
        }
        // The one that had the last turn counts, too.
        let count = (self.queue.len() + 1) * idle.len() / (idle.len() + 1);
        let waiting = self.queue.iter().map(|entry| entry.cell.header().slot());
        let mut slots: Vec<u32> = waiting.filter(|&slot| self.may_leave(slot)).collect();
        // Those at the end have longest to wait.
        slots.reverse();
        for (at, slot) in slots.into_iter().take(count).enumerate() {
            self.give(slot, idle.get(at % idle.len()).copied(), MoveReason::Spread);
        }
    }

    /// Whether a loop has been here for a while and is not to stay.
    fn may_leave(&self, slot: u32) -> bool {
        let resident = self.loops.get(slot as usize).and_then(Option::as_ref);
        resident.is_some_and(|resident| {
            let pinned = resident.cell.header().wish.get().pin.is_some();
            !pinned && self.engine.now.since(resident.arrived) >= STAY
        })
    }

    /// Before a sleep: if all workers together have little to do, gives loops to the first of them.
    pub(super) fn consider_gathering(&mut self) {
        let now = self.engine.now;
        if now.since(self.calm.since) < CALM_WINDOW || self.stage != Stage::Working {
            return;
        }
        let Some(group) = self.home.group else { return };
        let table = self.pool.table();
        let busy =
            table.active(group).map(|worker| worker.counters.busy.load(Ordering::Relaxed)).sum();
        if !self.calm.look(now, busy) {
            return;
        }
        let first = table.active(group).min_by_key(|worker| worker.index);
        let Some(first) = first.filter(|first| first.index != self.index()) else { return };
        let slots: Vec<u32> =
            (0..self.loops.len() as u32).filter(|&slot| self.may_leave(slot)).collect();
        for slot in slots.into_iter().take(MOST_AT_ONCE) {
            self.give(slot, Some(first), MoveReason::Gathered);
        }
    }
}

/// How often a worker asks whether there is little to do.
const CALM_WINDOW: Duration = Duration::from_millis(200);
/// For how many windows there must be little.
const CALM_WINDOWS: u32 = 2;
/// All workers together are busy for less than this share of the time of one.
const LITTLE: f32 = 0.25;
/// Loops given away at once: each costs both workers a few microseconds.
const MOST_AT_ONCE: usize = 256;
/// A loop stays this long where it came to: a pipeline tossed to and fro costs a quarter more.
const STAY: Duration = Duration::from_millis(100);

const _: () = assert!(STAY.as_nanos() > POLL_INTERVAL.as_nanos());

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Time {
        Time::from_nanos(millis * 1_000_000)
    }

    #[test]
    fn calm_takes_two_windows_in_a_row() {
        let mut calm = Calm::new(at(0));
        assert!(!calm.look(at(200), 0), "nothing to compare with");
        assert!(!calm.look(at(400), 1_000_000));
        assert!(calm.look(at(600), 2_000_000));
        assert!(!calm.look(at(800), 102_000_000), "busy for half of the window");
        assert!(!calm.look(at(1000), 102_000_000));
        assert!(calm.look(at(1200), 102_000_000));
    }
}

//! Work goes to idle workers at once when it piles up, and comes together on one when there is little.

use core::{sync::atomic::Ordering, time::Duration};
use std::sync::Arc;

use super::{POLL_INTERVAL, Stage, Worker, turn::resident_of};
use crate::{moves::MoveReason, pool::WorkerShared};

impl Worker {
    /// After a while without a pause: gives waiting loops to workers that sleep, so that each has the
    /// same number.
    pub(super) fn consider_spread(&mut self) {
        let now = self.engine.now;
        if self.stage != Stage::Working
            || self.queue.is_empty()
            || !self.eager.allows(now, self.rested)
        {
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
        let waiting = self.queue.iter().filter(|ticket| resident_of(&self.loops, ticket).is_some());
        let slots = waiting.map(|ticket| ticket.slot);
        let mut slots: Vec<u32> = slots.filter(|&slot| self.may_leave(slot)).collect();
        // Those at the end have longest to wait.
        slots.reverse();
        if count > 0 && !slots.is_empty() {
            self.eager.note(now);
        }
        for (at, slot) in slots.into_iter().take(count).enumerate() {
            self.give(slot, idle.get(at % idle.len()).copied(), MoveReason::Spread);
        }
    }

    /// Whether a loop has been here for a while and is not to stay.
    fn may_leave(&self, slot: u32) -> bool {
        let resident = self.loops.get(slot as usize).and_then(Option::as_ref);
        resident.is_some_and(|resident| {
            resident.cell.header().may_leave()
                && !self.liveness.is_due(slot, self.engine.now)
                && self.engine.now.since(resident.arrived) >= STAY
        })
    }

    /// Before a sleep: if all workers together have little to do, gives loops to the first of them.
    pub(super) fn consider_gathering(&mut self) {
        let now = self.engine.now;
        if !self.calm.is_due(now) || self.stage != Stage::Working {
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
        for slot in slots.into_iter().take(GATHERED_AT_ONCE) {
            self.give(slot, Some(first), MoveReason::Gathered);
        }
    }
}

/// Loops given away at once: each costs both workers a few microseconds.
pub(crate) const GATHERED_AT_ONCE: usize = 256;
/// A loop stays this long where it came to: a pipeline tossed to and fro costs a quarter more.
pub(crate) const STAY: Duration = Duration::from_millis(100);

const _: () = assert!(STAY.as_nanos() > POLL_INTERVAL.as_nanos());

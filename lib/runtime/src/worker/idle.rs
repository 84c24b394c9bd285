//! What a worker does with idle time, and what it owes to jobs if it has none.

use core::time::Duration;

use dunlin_sync::Class;

use super::Worker;
use crate::{
    loop_cell::{Counters, notify_dyn},
    pool::local,
};

impl Worker {
    /// Nothing to run: has one step of a job run, if one waits and the sockets are quiet, too. True
    /// if there is something to run now.
    pub(super) fn use_idle_time(&mut self) -> bool {
        if self.idle.is_empty() {
            return false;
        }
        if self.engine.tick().since(self.polled) >= LOOK_INTERVAL {
            self.look(Some(Duration::ZERO));
            local::drain(&mut self.queue);
            if !self.queue.is_empty() || !self.engine.shared.inbox.is_empty() {
                return true;
            }
        }
        self.grant_job(Class::Bulk)
    }

    /// Busy for so long that a job has to get its step all the same.
    pub(super) fn pay_floor(&mut self) {
        if self.idle.is_due(self.engine.now) && !self.queue.is_empty() {
            // Not behind all bulk work, which may be what keeps the worker busy.
            if self.grant_job(Class::Control) {
                Counters::add(&self.engine.shared.counters.floor, 1);
            }
        }
    }

    /// Lets the loop whose turn it is run one step, as soon as `class` is served.
    fn grant_job(&mut self, class: Class) -> bool {
        let Some(slot) = self.idle.next(self.engine.now) else { return false };
        let resident = self.loops.get(slot as usize).and_then(Option::as_ref);
        let Some(resident) = resident.filter(|resident| resident.cell.grant_job()) else {
            // Cannot be, as each turn says what is left; asked again it would be for ever.
            self.idle.set(slot, None, self.engine.now);
            return true;
        };
        notify_dyn(&resident.cell, class);
        local::drain(&mut self.queue);
        true
    }

    /// Notes what a turn spent on jobs.
    pub(super) fn count_jobs(&mut self) {
        let took = self.engine.tally.jobs;
        if took > 0 {
            Counters::add(&self.engine.shared.counters.jobs, took);
            self.idle.spent(self.engine.now, Duration::from_nanos(took));
        }
    }
}

/// An idle worker looks at its sockets this often between the steps of jobs.
const LOOK_INTERVAL: Duration = Duration::from_micros(50);

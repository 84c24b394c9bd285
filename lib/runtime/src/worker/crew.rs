//! Workers that come and go. All but [`Worker::retire`] and [`Worker::end`] is worker 0's business.

use core::{sync::atomic::Ordering, time::Duration};
use std::sync::Arc;

use dunlin_trace::{Site, worker_number};

use super::{Stage, Worker};
use crate::{
    dispatch::Dispatch,
    ending::{self, Stop},
    groups::{GroupId, Groups, Threads},
    moves::{MoveLog, MoveReason},
    pool::{Command, Table, WorkerShared, local},
    runtime::start_thread,
    stats::note_end,
};

impl Worker {
    /// Changes what a group should have, and its workers if it has any.
    pub(super) fn resize(&mut self, group: GroupId, threads: Threads) {
        if self.stage != Stage::Working {
            return;
        }
        let mut table = (*self.pool.table()).clone();
        let group = if group == GroupId::DEFAULT { table.groups.default() } else { group };
        table.groups.set_threads(group, threads);
        self.pool.publish(table);
        self.fill(group);
        self.note_autos();
    }

    /// Replaces the groups.
    pub(super) fn set_groups(&mut self, groups: Groups) {
        if self.stage != Stage::Working || groups.each().next().is_none() {
            return;
        }
        let mut table = (*self.pool.table()).clone();
        let left = table.groups.replace(groups, 0);
        let left: Vec<_> = left.iter().filter_map(|&at| table.find(at).cloned()).collect();
        let ids: Vec<_> = table.groups.each().map(|(id, _)| id).collect();
        self.pool.publish(table);
        for worker in left {
            self.pool.tell(&worker, Command::Retire);
        }
        for id in ids {
            self.fill(id);
        }
        self.note_autos();
        for worker in self.pool.table().all() {
            self.pool.tell(worker, Command::Regroup);
        }
    }

    /// Brings a group that has workers, or must have some, to the number it should have.
    fn fill(&mut self, group: GroupId) {
        let table = self.pool.table();
        let Some(found) = table.groups.find(group) else { return };
        let active = found.active.len();
        if active == 0 && group != table.groups.default() {
            return;
        }
        let wanted = found.options.threads.clamp(active, self.pool.options.max_threads);
        self.fit(group, wanted);
    }

    /// Brings a group to this number of workers.
    pub(super) fn fit(&mut self, group: GroupId, wanted: usize) {
        let active = self.pool.table().groups.active(group).len();
        if wanted > active {
            self.grow(group, wanted - active);
        } else if wanted < active {
            self.shrink(group, active - wanted);
        }
        if wanted != active {
            self.engine.note(Site::RESIZE, 0, wanted as u32);
        }
    }

    /// Starts the workers of a group that gets its first loop.
    pub(super) fn start_group(&mut self, group: GroupId) {
        if self.engine.now < self.no_start_until {
            return;
        }
        let table = self.pool.table();
        let Some(found) = table.groups.find(group) else { return };
        let wanted = found.options.threads.clamp(0, self.pool.options.max_threads);
        self.grow(group, wanted);
        self.note_autos();
        if self.pool.table().groups.active(group).is_empty() {
            self.no_start_until = self.engine.now + START_AGAIN;
        }
        self.engine.note(Site::RESIZE, 0, wanted as u32);
    }

    fn grow(&mut self, group: GroupId, by: usize) {
        let mut table = (*self.pool.table()).clone();
        let old: Vec<_> = table.active(group).cloned().collect();
        let mut new = Vec::new();
        for _ in 0..by {
            let Some(index) = self.vacant(&table) else { break };
            match WorkerShared::new(index) {
                Ok(shared) => {
                    table.insert(shared, group);
                    new.push(index);
                }
                Err(error) => {
                    self.pool
                        .warn(format!("worker {} cannot be made: {error}", worker_number(index)));
                    break;
                }
            }
        }
        // A worker looks for its group when it begins.
        self.pool.publish(table.clone());
        let all = new.len();
        new.retain(|&index| self.start(&table, index));
        if new.len() < all {
            self.drop_unstarted(&mut table);
        }
        let of = table.groups.active(group).len();
        for worker in old {
            self.pool.tell(&worker, Command::Share { to: new.clone(), of });
        }
    }

    /// An index for a new worker, if there may be one more.
    fn vacant(&self, table: &Table) -> Option<u16> {
        // Those that are ending do not count.
        let active: usize = table.groups.each().map(|(_, group)| group.active.len()).sum();
        if active >= self.pool.options.max_threads.max(1) {
            self.pool.warn(format!("there are {active} workers, the most"));
            return None;
        }
        table.vacant()
    }

    /// Starts the thread of a worker in the table; false if that fails.
    fn start(&mut self, table: &Table, index: u16) -> bool {
        let Some(shared) = table.find(index) else { return false };
        match start_thread(&self.pool, shared) {
            Ok(thread) => {
                self.threads.insert(index, thread);
                true
            }
            Err(error) => {
                self.pool
                    .warn(format!("worker {} cannot be started: {error}", worker_number(index)));
                false
            }
        }
    }

    /// Takes workers without a thread out of the table; what they were sent meanwhile goes elsewhere.
    fn drop_unstarted(&mut self, table: &mut Table) {
        let here = self.index();
        let mut unstarted = Vec::new();
        for place in &mut table.slots {
            let index = place.as_ref().map_or(here, |worker| worker.index);
            if index != here && !self.threads.contains_key(&index) {
                unstarted.extend(place.take());
                table.groups.retire(index);
            }
        }
        self.pool.publish(table.clone());
        for worker in unstarted {
            worker.close();
            self.pool.clear_up(&worker);
        }
    }

    fn shrink(&mut self, group: GroupId, by: usize) {
        let mut table = (*self.pool.table()).clone();
        let Some(found) = table.groups.find_mut(group) else { return };
        let keep = found.active.len().saturating_sub(by).max(1);
        let leaving = found.active.split_off(keep);
        let leaving: Vec<_> = leaving.iter().filter_map(|&at| table.find(at).cloned()).collect();
        self.pool.publish(table);
        for worker in leaving {
            self.pool.tell(&worker, Command::Retire);
        }
    }

    /// Gives everything away.
    pub(super) fn retire(&mut self) {
        if self.stage == Stage::Working && self.index() != 0 {
            self.stage = Stage::Retiring;
            for slot in 0..self.loops.len() as u32 {
                self.give(slot, None, MoveReason::Retired);
            }
        }
    }

    /// A worker has ended.
    pub(super) fn forget(&mut self, index: u16, moves: &MoveLog) {
        moves.iter().for_each(|record| self.arrivals.note(record.clone()));
        let mut table = (*self.pool.table()).clone();
        if let Some(place) = table.slots.get_mut(usize::from(index)) {
            *place = None;
        }
        table.groups.retire(index);
        self.pool.publish(table);
        let thread = self.threads.remove(&index);
        if self.stage == Stage::Stopping
            && let Some(thread) = thread
        {
            // It is at its very end; and at a shutdown nobody waits for this thread but its owner.
            let _ = thread.join();
        }
    }

    /// Stops all loops, here and (from worker 0) elsewhere. Asked again, it may do that sooner.
    pub(super) fn shut_down(&mut self, how: Stop) {
        if self.stage == Stage::Stopping && how != Stop::NOW {
            return;
        }
        if self.index() == 0 {
            self.pool.stops().begin_end();
            self.pool.stopping.store(true, Ordering::Relaxed);
            for worker in self.pool.table().all().filter(|worker| worker.index != 0) {
                self.pool.tell(worker, Command::Shutdown { how });
            }
        }
        if self.stage == Stage::Retiring {
            return;
        }
        (self.stage, self.how) = (Stage::Stopping, how);
        for resident in self.loops.iter().flatten() {
            ending::stop(&resident.cell, how, None);
        }
    }

    /// Whether there is no more for this worker to do, ever.
    pub(super) fn is_finished(&self) -> bool {
        // Loops that it gave to workers that had ended are in its own inbox. What others of the pool sent it was
        // there before it heard that they had ended.
        self.stage != Stage::Working
            && self.resident_count() == 0
            && self.threads.is_empty()
            && self.engine.shared.inbox.is_empty()
    }

    /// The end: what comes too late is seen to by its sender.
    pub(super) fn end(mut self) {
        self.engine.shared.close();
        self.pool.clear_up(&self.engine.shared);
        local::drain(&mut self.queue);
        local::leave();
        let pool = Arc::clone(&self.pool);
        let (index, moves) = (self.index(), core::mem::take(&mut self.arrivals));
        drop(self);
        if index == 0 {
            note_end(&*pool);
        } else {
            pool.tell_first(Command::Retired { index, moves });
        }
    }
}

/// After a group could not be started, its loops stay with worker 0 for so long.
const START_AGAIN: Duration = Duration::from_secs(10);

//! Virtual workers that come and go.

use core::sync::atomic::Ordering;

use super::sched::{Scheduler, Worker};
use crate::{
    groups::{GroupId, GroupOptions, Groups, Threads},
    worker::budget::Turns,
};

impl Scheduler {
    /// See [`super::SimRuntime::resize`].
    pub(super) fn resize(&mut self, group: GroupId, threads: Threads) {
        let group = if group == GroupId::DEFAULT { self.groups.default() } else { group };
        self.groups.set_threads(group, threads);
        self.fill(group);
        self.note_autos();
    }

    /// Replaces the groups.
    pub(super) fn set_groups(&mut self, groups: Groups) {
        if groups.each().next().is_none() {
            return;
        }
        let left = self.groups.replace(groups, 0);
        for worker in left {
            self.end(worker);
        }
        let ids: Vec<_> = self.groups.each().map(|(id, _)| id).collect();
        for id in ids {
            self.fill(id);
            for worker in self.groups.active(id).to_vec() {
                self.workers[usize::from(worker)].turns = self.turns(id);
            }
        }
        self.note_autos();
        for slot in 0..self.loops.len() as u32 {
            self.send_home(slot);
        }
    }

    /// Brings a group that has workers, or must have some, to the number it should have.
    fn fill(&mut self, group: GroupId) {
        let Some(found) = self.groups.find(group) else { return };
        let active = found.active.len();
        if active == 0 && group != self.groups.default() {
            return;
        }
        let wanted = found.options.threads.clamp(active, usize::MAX);
        self.fit(group, wanted);
    }

    /// Brings a group to this number of workers.
    pub(super) fn fit(&mut self, group: GroupId, wanted: usize) {
        let active = self.groups.active(group).len();
        if wanted > active {
            self.grow(group, wanted - active);
        } else if wanted < active {
            self.shrink(group, wanted);
        }
        let threads = self.groups.active(self.groups.default()).len();
        self.dispatch.threads.store(threads, Ordering::Relaxed);
    }

    /// Makes the workers of a group that gets its first loop.
    pub(super) fn start_group(&mut self, group: GroupId) {
        let threads = self.groups.find(group).map(|found| found.options.threads);
        if let Some(threads) = threads {
            self.grow(group, threads.clamp(0, usize::MAX));
        }
        self.note_autos();
        let threads = self.groups.active(self.groups.default()).len();
        self.dispatch.threads.store(threads, Ordering::Relaxed);
    }

    fn turns(&self, group: GroupId) -> Turns {
        let options = self.groups.find(group).map(|found| (*found.options).clone());
        let options = options.unwrap_or_else(|| GroupOptions::new(GroupOptions::WORKER));
        Turns::new(&self.options.budgets, &options)
    }

    fn grow(&mut self, group: GroupId, by: usize) {
        let old = self.groups.active(group).to_vec();
        let turns = self.turns(group);
        let mut new = Vec::new();
        for _ in 0..by {
            let vacant = self.workers.iter().position(|worker| worker.ended);
            let index = vacant.unwrap_or(self.workers.len());
            let worker = Worker::new(index, self.now, turns.clone());
            match self.workers.get_mut(index) {
                Some(place) => *place = worker,
                None => self.workers.push(worker),
            }
            new.push(index as u16);
        }
        if let Some(found) = self.groups.find_mut(group) {
            found.active.extend(&new);
        }
        self.share(&old, &new);
    }

    fn shrink(&mut self, group: GroupId, keep: usize) {
        let Some(found) = self.groups.find_mut(group) else { return };
        for worker in found.active.split_off(keep) {
            self.end(worker);
        }
    }

    /// Ends a worker that is active nowhere any more.
    fn end(&mut self, worker: u16) {
        let index = usize::from(worker);
        self.vacate(index);
        let turns = self.workers[index].turns.clone();
        let mut ended = Worker::new(index, self.now, turns);
        ended.ended = true;
        self.workers[index] = ended;
    }
}

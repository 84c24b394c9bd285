//! Who the workers are, at one time.

use core::sync::atomic::Ordering;
use std::sync::Arc;

use super::WorkerShared;
use crate::{
    groups::{GroupId, Groups},
    placement,
    wish::Wish,
};

/// The workers at one time. Worker 0 makes new versions and publishes them.
#[derive(Clone)]
pub(crate) struct Table {
    /// By index. A worker stays here until it has ended.
    pub(crate) slots: Vec<Option<Arc<WorkerShared>>>,
    pub(crate) groups: Groups,
}

impl Table {
    pub(crate) fn new(groups: Groups) -> Self {
        Self { slots: Vec::new(), groups }
    }

    pub(crate) fn find(&self, index: u16) -> Option<&Arc<WorkerShared>> {
        self.slots.get(usize::from(index))?.as_ref()
    }

    /// The workers that loops of a group are placed on.
    pub(crate) fn active(&self, group: GroupId) -> impl Iterator<Item = &Arc<WorkerShared>> {
        self.groups.active(group).iter().filter_map(|&index| self.find(index))
    }

    /// All workers, those that are ending too.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Arc<WorkerShared>> {
        self.slots.iter().flatten()
    }

    /// Adds a worker to a group.
    pub(crate) fn insert(&mut self, worker: Arc<WorkerShared>, group: GroupId) {
        let index = usize::from(worker.index);
        if index >= self.slots.len() {
            self.slots.resize(index + 1, None);
        }
        if let Some(group) = self.groups.find_mut(group) {
            group.active.push(worker.index);
        }
        self.slots[index] = Some(worker);
    }

    /// The first index no worker has.
    pub(crate) fn vacant(&self) -> Option<u16> {
        let hole = self.slots.iter().position(Option::is_none).unwrap_or(self.slots.len());
        u16::try_from(hole).ok()
    }

    /// The worker for a loop that wants this: the one it is pinned to, or the least loaded of its
    /// group, but not `but`. Worker 0 where there is none: it starts those that are missing.
    pub(crate) fn choose(&self, wish: Wish, but: Option<u16>) -> Option<&Arc<WorkerShared>> {
        let group = self.groups.resolve(wish.group);
        let others = || self.active(group).filter(|worker| Some(worker.index) != but);
        if let Some(pinned) = others().find(|worker| Some(worker.index) == wish.pin) {
            return Some(pinned);
        }
        let workers = others().map(|worker| {
            let load = worker.counters.load.load(Ordering::Relaxed);
            (load, worker.loops.load(Ordering::Relaxed))
        });
        let best = placement::least(workers).and_then(|at| others().nth(at));
        best.or_else(|| self.find(0).filter(|_| but != Some(0)))
    }
}

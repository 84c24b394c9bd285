//! Which loops belong on this worker, and what becomes of those that do not.

use core::time::Duration;
use std::sync::Arc;

use super::{Stage, Worker, budget::Turns};
use crate::{
    groups::{GroupId, GroupOptions},
    loop_cell::Runnable,
    moves::MoveReason,
    options::Budgets,
    pool::{Table, WorkerShared},
    wish::Wish,
};

/// What a worker knows of its group without asking.
#[derive(Clone, Debug)]
pub(super) struct Home {
    index: u16,
    /// None: it is ending.
    pub(super) group: Option<GroupId>,
    is_default: bool,
    options: Option<Arc<GroupOptions>>,
}

impl Home {
    pub(super) fn new(table: &Table, index: u16) -> Self {
        let group = table.groups.of_worker(index);
        Self {
            index,
            group,
            is_default: group == Some(table.groups.default()),
            options: group
                .and_then(|group| table.groups.find(group))
                .map(|group| Arc::clone(&group.options)),
        }
    }

    /// Whether a loop that wants this is at home here. Quick to say yes.
    #[inline]
    pub(super) fn suits(&self, wish: Wish) -> bool {
        let group =
            Some(wish.group) == self.group || (wish.group == GroupId::DEFAULT && self.is_default);
        group && wish.pin.is_none_or(|pin| pin == self.index)
    }

    /// The turns of this worker; of one that is ending, as if nothing had been said.
    pub(super) fn turns(&self, budgets: &Budgets) -> Turns {
        match &self.options {
            Some(options) => Turns::new(budgets, options),
            None => Turns::new(budgets, &GroupOptions::new(GroupOptions::WORKER)),
        }
    }

    /// How long the worker may sleep at a time.
    pub(super) fn wakeup_time(&self) -> Duration {
        self.options.as_ref().map_or(Duration::MAX, |options| options.wakeup_time)
    }
}

impl Worker {
    /// A worker that this loop should rather be with; none if it is well off here.
    pub(super) fn better_for(
        &mut self,
        cell: &Arc<dyn Runnable>,
    ) -> Option<(Arc<WorkerShared>, MoveReason)> {
        let wish = cell.header().wish.get();
        if self.home.suits(wish) || self.stage != Stage::Working {
            return None;
        }
        let mut table = self.pool.table();
        // Whoever sent it here may have known a newer table.
        self.home = Home::new(&table, self.index());
        let group = table.groups.resolve(wish.group);
        if self.index() == 0 && table.groups.active(group).is_empty() {
            self.start_group(group);
            table = self.pool.table();
        }
        let here = self.home.group == Some(group);
        if here && wish.pin.is_none_or(|pin| !table.groups.active(group).contains(&pin)) {
            return None;
        }
        let why = if here { MoveReason::Pinned } else { MoveReason::Group };
        let best = table.choose(wish, None).filter(|worker| worker.index != self.index())?;
        Some((Arc::clone(best), why))
    }

    /// The groups have changed.
    pub(super) fn regroup(&mut self) {
        self.home = Home::new(&self.pool.table(), self.index());
        self.turns = self.home.turns(&self.pool.options.budgets);
        for slot in 0..self.loops.len() as u32 {
            self.send_home(slot);
        }
    }

    /// Gives a loop away if it belongs elsewhere.
    pub(super) fn send_home(&mut self, slot: u32) {
        let Some(resident) = self.loops.get(slot as usize).and_then(Option::as_ref) else { return };
        if self.home.suits(resident.cell.header().wish.get()) {
            return;
        }
        let cell = Arc::clone(&resident.cell);
        if let Some((worker, why)) = self.better_for(&cell) {
            self.give(slot, Some(&worker), why);
        }
    }
}

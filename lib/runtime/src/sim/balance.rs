//! The virtual workers' share of the work, by the same rules as the real ones'.

use core::{sync::atomic::Ordering, time::Duration};

use super::sched::{Scheduler, Worker};
use crate::{
    groups::{GroupId, Threads},
    moves::MoveReason,
    placement::{self, Auto, Balance, Calm, Eagerness, Load, Row},
    time::{Time, nanos},
    worker::{GATHERED_AT_ONCE, SETTLED, STAY},
};

/// What a worker remembers to see how it fares beside the others.
pub(super) struct Fares {
    balance: Balance,
    calm: Calm,
    eager: Eagerness,
    /// When it last had nothing to do.
    rested: Time,
    /// Loops that wait for a turn, on average.
    waiting: f32,
    /// The share of the time it has been busy lately, in thousandths.
    pub(super) load: u64,
}

impl Fares {
    pub(super) fn new(now: Time) -> Self {
        Self {
            balance: Balance::new(now),
            calm: Calm::new(now),
            eager: Eagerness::new(now),
            rested: now,
            waiting: 0.0,
            load: 0,
        }
    }

    /// Notes how many loops wait after a turn.
    pub(super) fn count(&mut self, waiting: usize) {
        self.waiting += (waiting as f32 - self.waiting) / 64.0;
    }

    pub(super) fn rest(&mut self, now: Time) {
        if now.since(self.rested) >= Duration::from_millis(100) {
            self.load = 0;
        }
        self.rested = now;
        self.waiting = 0.0;
    }

    pub(super) fn gathered_here(&mut self, now: Time) {
        self.eager.reset(now);
    }
}

impl Scheduler {
    /// A busy worker has looked around.
    pub(super) fn consider_busy(&mut self, index: usize) {
        if self.options.balance && !self.stopping {
            self.consider_spread(index);
            self.consider_balance(index);
        }
    }

    fn others_active(&self, index: usize) -> Vec<u16> {
        let group = self.groups.of_worker(index as u16);
        group.map_or(Vec::new(), |group| self.groups.active(group).to_vec())
    }

    fn consider_spread(&mut self, index: usize) {
        let now = self.now;
        let worker = &mut self.workers[index];
        let rested = worker.fares.rested;
        if worker.queue.is_empty() || !worker.fares.eager.allows(now, rested) {
            return;
        }
        let sleeps = |worker: &&u16| self.is_asleep(usize::from(**worker));
        let idle: Vec<u16> = self.others_active(index).iter().filter(sleeps).copied().collect();
        let count = (self.workers[index].queue.len() + 1) * idle.len() / (idle.len() + 1);
        let waiting = self.workers[index].queue.iter().map(|entry| entry.cell.header().slot());
        let mut slots: Vec<u32> = waiting.filter(|&slot| self.may_leave(slot)).collect();
        slots.reverse();
        slots.truncate(count);
        if !slots.is_empty() {
            self.workers[index].fares.eager.note(now);
        }
        for (at, slot) in slots.into_iter().enumerate() {
            self.move_to(slot, idle[at % idle.len()].into(), MoveReason::Spread);
        }
    }

    fn is_asleep(&self, index: usize) -> bool {
        let worker = &self.workers[index];
        worker.turn.is_none() && worker.queue.is_empty() && worker.is_free(self.now)
    }

    fn may_leave(&self, slot: u32) -> bool {
        let resident = self.loops.get(slot as usize).and_then(Option::as_ref);
        resident.is_some_and(|resident| {
            let liveness = &self.workers[resident.worker].liveness;
            resident.cell.header().may_leave()
                && !liveness.is_due(slot, self.now)
                && self.now.since(resident.arrived) >= STAY
        })
    }

    fn consider_balance(&mut self, index: usize) {
        let now = self.now;
        let Some(window) = self.workers[index].fares.balance.due(now) else { return };
        let row = |worker: u16| {
            let Worker { counts, fares, .. } = &self.workers[usize::from(worker)];
            Row { worker, busy: nanos(counts.busy), waiting: fares.waiting }
        };
        let rows: Vec<_> = self.others_active(index).into_iter().map(row).collect();
        let fares = &mut self.workers[index].fares;
        let (view, share) = fares.balance.look(now, index as u16, rows.into_iter());
        fares.load = (share * 1000.0) as u64;
        let mut loads = Vec::new();
        for (resident, slot) in self.loops.iter_mut().zip(0..) {
            let Some(resident) = resident.as_mut().filter(|one| one.worker == index) else {
                continue;
            };
            let header = resident.cell.header();
            let used =
                resident.gauge.look(header.counters.run.load(Ordering::Relaxed), nanos(window));
            let settled = now.since(resident.arrived) >= SETTLED;
            if settled && header.may_leave() {
                loads.push(Load { slot, used });
            }
        }
        let gifts = view.map_or(Vec::new(), |view| placement::relief(view, loads));
        if !gifts.is_empty() {
            self.workers[index].fares.balance.forget();
        }
        for (slot, to) in gifts {
            self.move_to(slot, to.into(), MoveReason::Relief);
        }
    }

    /// A worker has nothing to do.
    pub(super) fn consider_idle(&mut self, index: usize) {
        if self.options.balance && !self.stopping {
            self.consider_balance(index);
            self.consider_gathering(index);
        }
    }

    /// If all workers have little to do, gives this one's loops to the first.
    fn consider_gathering(&mut self, index: usize) {
        let now = self.now;
        if !self.workers[index].fares.calm.is_due(now) {
            return;
        }
        let active = self.others_active(index);
        let busy =
            active.iter().map(|&one| nanos(self.workers[usize::from(one)].counts.busy)).sum();
        if !self.workers[index].fares.calm.look(now, busy) {
            return;
        }
        let first = active.into_iter().map(usize::from).min().unwrap_or(index);
        let here = |slot: &u32| {
            let resident = self.loops[*slot as usize].as_ref();
            resident.is_some_and(|resident| resident.worker == index) && self.may_leave(*slot)
        };
        let slots: Vec<u32> = (0..self.loops.len() as u32).filter(here).collect();
        if first != index {
            for slot in slots.into_iter().take(GATHERED_AT_ONCE) {
                self.move_to(slot, first, MoveReason::Gathered);
            }
        }
    }

    /// Sees to the groups whose number of workers follows the load, when it is time.
    pub(super) fn consider_number(&mut self) {
        let due = |auto: &Auto| auto.is_due(self.now);
        let due = self.autos.iter().filter(|(_, auto)| due(auto)).map(|(&group, _)| group);
        for group in due.collect::<Vec<_>>() {
            self.consider_group(group);
        }
    }

    fn consider_group(&mut self, group: GroupId) {
        let Some((least, most)) = self.bounds(group) else { return };
        let active = self.groups.active(group).to_vec();
        let workers = || active.iter().map(|&worker| &self.workers[usize::from(worker)]);
        let busy = workers().map(|worker| nanos(worker.counts.busy)).sum();
        let waiting = workers().map(|worker| worker.fares.waiting).sum();
        let Some(auto) = self.autos.get_mut(&group) else { return };
        let wanted = auto.look(self.now, active.len(), busy, waiting, (least, most));
        if !active.is_empty() && wanted != active.len() {
            self.fit(group, wanted);
        }
    }

    fn bounds(&self, group: GroupId) -> Option<(usize, usize)> {
        match self.groups.find(group)?.options.threads {
            Threads::Auto { min, max } => Some((min, max)),
            Threads::Fixed(_) => None,
        }
    }

    /// The groups have changed: notes those whose number follows the load.
    pub(super) fn note_autos(&mut self) {
        let groups: Vec<_> = self.groups.each().map(|(id, _)| id).collect();
        let followed: Vec<_> =
            groups.into_iter().filter(|&group| self.bounds(group).is_some()).collect();
        self.autos.retain(|group, _| followed.contains(group));
        for group in followed {
            self.autos.entry(group).or_insert_with(|| Auto::new(self.now));
        }
    }

    /// When some group has to be looked at again.
    pub(super) fn number_due(&self) -> Option<Time> {
        let due = self.autos.iter().filter_map(|(&group, auto)| {
            let (least, _) = self.bounds(group)?;
            let more = self.groups.active(group).len() > least.max(1);
            (more || auto.is_alert()).then(|| auto.due())
        });
        due.min()
    }
}

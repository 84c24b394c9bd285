//! Loops that come and go, and workers too.

use core::{sync::atomic::Ordering, time::Duration};
use std::{collections::HashMap, sync::Arc};

use dunlin_sync::Class;
use dunlin_trace::Site;

use super::{Resident, Stage, Worker};
use crate::{
    loop_cell::{Counters, Runnable, notify_dyn},
    placement::{self, Fared, Load},
    pool::{Command, WAITING_UNIT, WorkerShared, local},
    runtime::start_thread,
    time::Time,
};

/// What a worker remembers to see whether it has more than its part.
#[derive(Debug)]
pub(super) struct Balance {
    /// When the window began.
    since: Time,
    /// What each worker had been busy by then.
    busy: HashMap<u16, u64>,
}

impl Balance {
    pub(super) fn new(now: Time) -> Self {
        Self { since: now, busy: HashMap::new() }
    }
}

/// Loops.
impl Worker {
    /// Takes a loop in.
    pub(super) fn adopt(&mut self, cell: Arc<dyn Runnable>, from: Option<u16>) {
        if self.stage == Stage::Retiring {
            self.engine.shared.loops.fetch_sub(1, Ordering::Relaxed);
            self.pool.send_to_best(cell, from, Some(self.index()));
            return;
        }
        if self.stage == Stage::Stopping {
            cell.header().ask_to_stop();
        }
        let slot = self.free.pop().unwrap_or(self.loops.len() as u32);
        cell.header().set_slot(slot);
        let deadlines = cell.attach(slot, &mut self.engine);
        self.liveness.set(slot, deadlines.liveness);
        self.rest.set(slot, deadlines.rest);
        self.idle.set(slot, deadlines.job, self.engine.now);
        let moved = cell.header().state().finish_move(self.index());
        if let Some(class) = moved.requeue {
            let cell = Arc::clone(&cell);
            let entry = crate::dispatch::RunEntry { cell, class, at: moved.placement };
            self.queue.push(class, entry);
        }
        // A new loop is to be started; one that has moved may have lost a socket on the way.
        notify_dyn(&cell, Class::Control);
        let site = if from.is_some() { Site::ARRIVE } else { Site::SPAWN };
        let number = cell.header().id().number();
        self.engine.note(site, number, from.unwrap_or(self.index()).into());
        if from.is_some() {
            Counters::add(&self.engine.shared.counters.moved_in, 1);
        }
        let seen = cell.header().counters.run.load(Ordering::Relaxed);
        let resident = Some(Resident { cell, seen, arrived: self.engine.now });
        match self.loops.get_mut(slot as usize) {
            Some(place) => *place = resident,
            None => self.loops.push(resident),
        }
    }

    /// Takes a loop out of the worker's tables.
    pub(super) fn remove(&mut self, slot: u32) -> Option<Resident> {
        let resident = self.loops.get_mut(slot as usize)?.take()?;
        self.free.push(slot);
        self.liveness.set(slot, Time::NEVER);
        self.rest.set(slot, Time::NEVER);
        self.idle.set(slot, None, self.engine.now);
        self.engine.shared.loops.fetch_sub(1, Ordering::Relaxed);
        Some(resident)
    }

    /// Sends a loop to another worker, the least loaded one if none is named.
    pub(super) fn give(&mut self, slot: u32, to: Option<&Arc<WorkerShared>>) {
        let resident = self.loops.get(slot as usize).and_then(Option::as_ref);
        if !resident.is_some_and(|resident| resident.cell.header().state().begin_move()) {
            return;
        }
        let Some(resident) = self.remove(slot) else { return };
        resident.cell.detach(&mut self.engine);
        let number = resident.cell.header().id().number();
        let goal = to.map_or(u16::MAX, |worker| worker.index);
        self.engine.note(Site::LEAVE, number, goal.into());
        Counters::add(&self.engine.shared.counters.moved_out, 1);
        let here = Some(self.index());
        match to {
            Some(worker) => self.pool.send_to(worker, resident.cell, here),
            None => self.pool.send_to_best(resident.cell, here, here),
        }
    }

    /// Gives new workers their part.
    pub(super) fn share(&mut self, to: &[u16], of: usize) {
        let table = self.pool.table();
        let loads = self.loads(true);
        for (slot, receiver) in placement::share(loads, to.len(), of) {
            if let Some(worker) = to.get(receiver).and_then(|&index| table.find(index)) {
                self.give(slot, Some(worker));
            }
        }
    }

    /// Now and then: hands a loop to a worker that has much less to do.
    pub(super) fn consider_balance(&mut self) {
        let now = self.engine.now;
        let window = now.since(self.balance.since);
        if window < BALANCE_WINDOW {
            return;
        }
        let table = self.pool.table();
        let busy = |worker: &Arc<WorkerShared>| worker.counters.busy.load(Ordering::Relaxed);
        let since = |worker: &Arc<WorkerShared>| {
            let before = *self.balance.busy.get(&worker.index)?;
            let waiting = worker.counters.waiting.load(Ordering::Relaxed);
            Some(Fared {
                busy: Duration::from_nanos(busy(worker).saturating_sub(before)),
                waiting: waiting as f32 / WAITING_UNIT as f32,
            })
        };
        let mine = since(&self.engine.shared);
        let others = table.active().filter(|worker| worker.index != self.index());
        let idlest = others.filter_map(|worker| Some((since(worker)?, worker)));
        let idlest = idlest.min_by(|(one, _), (other, _)| {
            // Of those without a moment to spare, the one with the fewest loops at it.
            let order = |fared: &Fared| fared.busy.as_secs_f32() + fared.waiting;
            order(one).total_cmp(&order(other))
        });
        let choice = match (mine, idlest) {
            (Some(mine), Some((theirs, worker))) => {
                let loads = self.loads(false);
                placement::relief(window, mine, theirs, &loads).map(|slot| (slot, worker))
            }
            _ => None,
        };
        let next = table.active().map(|worker| (worker.index, busy(worker))).collect();
        self.balance = Balance { since: now, busy: next };
        self.loads(true);
        if let Some((slot, worker)) = choice {
            self.give(slot, Some(worker));
        }
    }

    /// What each loop has used since the last look; those that came just now are left out unless
    /// `all` are wanted, which also begins the next window.
    fn loads(&mut self, all: bool) -> Vec<Load> {
        let now = self.engine.now;
        let mut loads = Vec::with_capacity(self.loops.len());
        for (slot, resident) in self.loops.iter_mut().enumerate() {
            let Some(resident) = resident else { continue };
            let run = resident.cell.header().counters.run.load(Ordering::Relaxed);
            let used = Duration::from_nanos(run.saturating_sub(resident.seen));
            if all {
                resident.seen = run;
            }
            if all || now.since(resident.arrived) >= SETTLED {
                loads.push(Load { slot: slot as u32, used });
            }
        }
        loads
    }
}

/// Workers. All but [`Worker::retire`] and [`Worker::end`] is worker 0's business.
impl Worker {
    /// Changes the number of workers.
    pub(super) fn resize(&mut self, threads: usize) {
        if self.stage != Stage::Working {
            return;
        }
        let table = self.pool.table();
        let active = table.active.len();
        if threads > active {
            self.grow(threads - active);
        } else if threads < active {
            self.shrink(active - threads);
        }
        self.engine.note(Site::RESIZE, 0, threads as u32);
    }

    fn grow(&mut self, by: usize) {
        let mut table = (*self.pool.table()).clone();
        let old: Vec<_> = table.active().cloned().collect();
        let mut new = Vec::new();
        for _ in 0..by {
            let Some(index) = table.vacant() else { break };
            let started = WorkerShared::new(index)
                .and_then(|shared| Ok((start_thread(&self.pool, &shared)?, shared)));
            match started {
                Ok((thread, shared)) => {
                    table.insert(shared);
                    self.threads.insert(index, thread);
                    new.push(index);
                }
                Err(error) => {
                    self.pool.warn(format!("worker {index} cannot be started: {error}"));
                    break;
                }
            }
        }
        let of = table.active.len();
        self.pool.publish(table);
        for worker in old {
            self.pool.tell(&worker, Command::Share { to: new.clone(), of });
        }
    }

    fn shrink(&mut self, by: usize) {
        let mut table = (*self.pool.table()).clone();
        let keep = table.active.len().saturating_sub(by).max(1);
        let leaving = table.active.split_off(keep);
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
                self.give(slot, None);
            }
        }
    }

    /// A worker has ended.
    pub(super) fn forget(&mut self, index: u16) {
        let mut table = (*self.pool.table()).clone();
        if let Some(place) = table.slots.get_mut(usize::from(index)) {
            *place = None;
        }
        table.active.retain(|&active| active != index);
        self.pool.publish(table);
        let thread = self.threads.remove(&index);
        if self.stage == Stage::Stopping
            && let Some(thread) = thread
        {
            // It is at its very end; and at a shutdown nobody waits for this thread but its owner.
            let _ = thread.join();
        }
    }

    /// Stops all loops, here and (from worker 0) elsewhere.
    pub(super) fn shut_down(&mut self) {
        if self.stage == Stage::Stopping {
            return;
        }
        if self.index() == 0 {
            self.pool.stopping.store(true, Ordering::Relaxed);
            for worker in self.pool.table().all().filter(|worker| worker.index != 0) {
                self.pool.tell(worker, Command::Shutdown);
            }
        }
        if self.stage == Stage::Retiring {
            return;
        }
        self.stage = Stage::Stopping;
        for resident in self.loops.iter().flatten() {
            resident.cell.header().ask_to_stop();
            notify_dyn(&resident.cell, Class::Control);
        }
    }

    /// Whether there is no more for this worker to do, ever.
    pub(super) fn is_finished(&self) -> bool {
        self.stage != Stage::Working && self.resident_count() == 0 && self.threads.is_empty()
    }

    /// The end: what comes too late is seen to by its sender.
    pub(super) fn end(mut self) {
        self.engine.shared.close();
        self.pool.clear_up(&self.engine.shared);
        local::drain(&mut self.queue);
        local::leave();
        let pool = Arc::clone(&self.pool);
        let index = self.index();
        drop(self);
        if index != 0 {
            pool.tell_first(Command::Retired { index });
        }
    }
}

/// How often a busy worker compares itself with the others.
const BALANCE_WINDOW: Duration = Duration::from_secs(1);
/// A loop is not moved again so soon after it came.
const SETTLED: Duration = Duration::from_secs(3);

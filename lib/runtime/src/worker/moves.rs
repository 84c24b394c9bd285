//! Loops that come and go.

use core::{sync::atomic::Ordering, time::Duration};
use std::{collections::HashMap, sync::Arc};

use dunlin_sync::Class;
use dunlin_trace::Site;

use super::{Resident, Stage, Worker};
use crate::{
    loop_cell::{Counters, Runnable, notify_dyn},
    moves::{MoveReason, MoveRecord},
    placement::{self, Fared, Load},
    pool::{Arrival, WAITING_UNIT, WorkerShared},
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

impl Worker {
    /// Takes a loop in.
    pub(super) fn adopt(&mut self, cell: Arc<dyn Runnable>, from: Option<Arrival>) {
        if self.stage == Stage::Retiring {
            self.engine.shared.loops.fetch_sub(1, Ordering::Relaxed);
            self.pool.place(cell, from, Some(self.index()));
            return;
        }
        if let Some((worker, _)) = self.better_for(&cell) {
            self.engine.shared.loops.fetch_sub(1, Ordering::Relaxed);
            self.pool.send_to(&worker, cell, from);
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
        self.note_arrival(&cell, from);
        let seen = cell.header().counters.run.load(Ordering::Relaxed);
        let resident = Some(Resident { cell, seen, arrived: self.engine.now });
        match self.loops.get_mut(slot as usize) {
            Some(place) => *place = resident,
            None => self.loops.push(resident),
        }
    }

    fn note_arrival(&mut self, cell: &Arc<dyn Runnable>, from: Option<Arrival>) {
        let header = cell.header();
        let number = header.id().number();
        let Some(Arrival { from, why }) = from else {
            return self.engine.note(Site::SPAWN, number, self.index().into());
        };
        self.engine.note(Site::ARRIVE, number, why.argument(from));
        Counters::add(&self.engine.shared.counters.moved_in, 1);
        self.arrivals.note(MoveRecord {
            at: self.engine.now,
            loop_id: header.id(),
            name: header.shared_name(),
            from: from.into(),
            to: self.index().into(),
            why,
        });
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

    /// Sends a loop to another worker, the best one for it if none is named.
    pub(super) fn give(&mut self, slot: u32, to: Option<&Arc<WorkerShared>>, why: MoveReason) {
        let resident = self.loops.get(slot as usize).and_then(Option::as_ref);
        if !resident.is_some_and(|resident| resident.cell.header().state().begin_move()) {
            return;
        }
        let Some(resident) = self.remove(slot) else { return };
        resident.cell.detach(&mut self.engine);
        let number = resident.cell.header().id().number();
        let goal = to.map_or(u16::MAX, |worker| worker.index);
        self.engine.note(Site::LEAVE, number, why.argument(goal));
        Counters::add(&self.engine.shared.counters.moved_out, 1);
        let here = Some(Arrival { from: self.index(), why });
        match to {
            Some(worker) => self.pool.send_to(worker, resident.cell, here),
            None => self.pool.place(resident.cell, here, Some(self.index())),
        }
    }

    /// Gives new workers their part.
    pub(super) fn share(&mut self, to: &[u16], of: usize) {
        let table = self.pool.table();
        let loads = self.loads(true);
        for (slot, receiver) in placement::share(loads, to.len(), of) {
            if let Some(worker) = to.get(receiver).and_then(|&index| table.find(index)) {
                self.give(slot, Some(worker), MoveReason::Grown);
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
        let Some(group) = self.home.group else { return };
        let others = table.active(group).filter(|worker| worker.index != self.index());
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
        let next = table.active(group).map(|worker| (worker.index, busy(worker))).collect();
        self.balance = Balance { since: now, busy: next };
        self.loads(true);
        if let Some((slot, worker)) = choice {
            self.give(slot, Some(worker), MoveReason::Relief);
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
            let pinned = resident.cell.header().wish.get().pin.is_some();
            if !pinned && (all || now.since(resident.arrived) >= SETTLED) {
                loads.push(Load { slot: slot as u32, used });
            }
        }
        loads
    }
}

/// How often a busy worker compares itself with the others.
const BALANCE_WINDOW: Duration = Duration::from_secs(1);
/// A loop is not moved again so soon after it came.
const SETTLED: Duration = Duration::from_secs(3);

//! Loops that come and go.

use core::{sync::atomic::Ordering, time::Duration};
use std::sync::Arc;

use dunlin_sync::Class;
use dunlin_trace::Site;

use super::{Resident, Stage, Worker};
use crate::{
    dispatch::Ticket,
    ending,
    loop_cell::{Counters, Runnable, notify_dyn},
    moves::{MoveReason, MoveRecord},
    placement::{self, Gauge, Load, Row},
    pool::{Arrival, WorkerShared},
    time::{Time, nanos},
};

impl Worker {
    /// Takes a loop in.
    pub(super) fn adopt(&mut self, cell: Arc<dyn Runnable>, from: Option<Box<Arrival>>) {
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
            ending::stop(&cell, self.how, None);
        }
        let slot = self.free.pop().unwrap_or(self.loops.len() as u32);
        cell.header().set_slot(slot);
        let deadlines = cell.attach(slot, &mut self.engine);
        self.liveness.set(slot, deadlines.liveness);
        self.rest.set(slot, deadlines.rest);
        self.idle.set(slot, deadlines.job, self.engine.now);
        let moved = cell.header().state().finish_move(self.index());
        if let Some(class) = moved.requeue {
            self.queue.push(class, Ticket::new(cell.header(), class, moved.placement));
        }
        // A new loop is to be started; one that has moved may have lost a socket on the way.
        notify_dyn(&cell, Class::Control);
        let here_since = self.note_arrival(&cell, from.as_deref());
        let gauge = Gauge::new(cell.header().counters.run.load(Ordering::Relaxed));
        let loop_id = cell.header().id();
        let arrived = self.engine.now;
        let resident = Some(Resident { cell, loop_id, gauge, arrived, here_since });
        match self.loops.get_mut(slot as usize) {
            Some(place) => *place = resident,
            None => self.loops.push(resident),
        }
    }

    /// Notes that a loop has come; since when it is with no other worker.
    fn note_arrival(&mut self, cell: &Arc<dyn Runnable>, from: Option<&Arrival>) -> Time {
        let header = cell.header();
        let number = header.id().number();
        let Some(&Arrival { from, why, left, held }) = from else {
            self.engine.note(Site::SPAWN, number, self.index().into());
            return Time::ZERO;
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
        if why == MoveReason::Gathered {
            self.eager.reset(self.engine.now);
        }
        self.engine.meter.comes(header.id(), held);
        left
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

    /// Sends a loop to another worker, the best one for it if none is named. One that is to stop stays: by
    /// the time it arrived there might be nobody to run its last handler.
    pub(super) fn give(&mut self, slot: u32, to: Option<&Arc<WorkerShared>>, why: MoveReason) {
        if self.stage == Stage::Stopping {
            return;
        }
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
        let (left, loop_id) = (self.engine.now, resident.loop_id);
        let held = self.engine.meter.leaves(loop_id, left);
        let here = Some(Box::new(Arrival { from: self.index(), why, left, held }));
        match to {
            Some(worker) => self.pool.send_to(worker, resident.cell, here),
            None => self.pool.place(resident.cell, here, Some(self.index())),
        }
    }

    /// Gives new workers their part.
    pub(super) fn share(&mut self, to: &[u16], of: usize) {
        let table = self.pool.table();
        let loads = self.loads(Duration::ZERO);
        for (slot, receiver) in placement::share(loads, to.len(), of) {
            if let Some(worker) = to.get(receiver).and_then(|&index| table.find(index)) {
                self.give(slot, Some(worker), MoveReason::Grown);
            }
        }
    }

    /// Now and then: hands loops to workers that have much less to do.
    pub(super) fn consider_balance(&mut self) {
        let now = self.engine.now;
        let Some(window) = self.balance.due(now).filter(|_| self.stage == Stage::Working) else {
            return;
        };
        let Some(group) = self.home.group else { return };
        let table = self.pool.table();
        let row = |worker: &Arc<WorkerShared>| Row {
            worker: worker.index,
            busy: worker.counters.busy.load(Ordering::Relaxed),
            waiting: worker.waiting(),
        };
        let (view, share) = self.balance.look(now, self.index(), table.active(group).map(row));
        self.engine.shared.set_load(share);
        self.report_load(share);
        self.measure(window);
        let Some(view) = view else { return };
        let gifts = placement::relief(view, self.loads(SETTLED));
        if !gifts.is_empty() {
            self.balance.forget();
        }
        for (slot, to) in gifts {
            if let Some(worker) = table.find(to) {
                self.give(slot, Some(worker), MoveReason::Relief);
            }
        }
    }

    /// Notes what each loop has used in a window.
    fn measure(&mut self, window: Duration) {
        for resident in self.loops.iter_mut().flatten() {
            let run = resident.cell.header().counters.run.load(Ordering::Relaxed);
            resident.gauge.look(run, nanos(window));
        }
    }

    /// What the loops that may leave have used lately, without those that came less than `since`
    /// ago.
    fn loads(&self, since: Duration) -> Vec<Load> {
        let now = self.engine.now;
        let loops = self.loops.iter().zip(0..);
        let loads = loops.filter_map(|(resident, slot)| {
            let resident = resident.as_ref()?;
            let waits = self.liveness.is_due(slot, now);
            let may_leave = resident.cell.header().may_leave() && !waits;
            let load = Load { slot, used: resident.gauge.share() };
            (may_leave && now.since(resident.arrived) >= since).then_some(load)
        });
        loads.collect()
    }
}

/// A loop is not moved again so soon after it came.
pub(crate) const SETTLED: Duration = Duration::from_secs(3);

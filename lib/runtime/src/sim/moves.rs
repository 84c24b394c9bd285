//! Loops that come, move and go.

use core::sync::atomic::Ordering;
use std::sync::Arc;

use dunlin_sync::{Class, Classes};
use dunlin_trace::Site;

use super::sched::{Resident, Scheduler};
use crate::{
    dispatch::RunEntry,
    ending::{self, Stop},
    loop_cell::Runnable,
    loop_core::Deadlines,
    moves::{MoveReason, MoveRecord},
    placement::{self, Gauge, Load},
    stats::note_end,
    time::Time,
    wish::Wish,
};

impl Scheduler {
    pub(super) fn admit(&mut self, cell: Arc<dyn Runnable>) {
        if self.stopping {
            ending::stop(&cell, self.how, None);
        }
        let slot = self.loops.len() as u32;
        cell.header().set_slot(slot);
        let worker = self.place(cell.header().wish.get());
        let number = cell.header().id().number();
        self.engine.recording.name(number, cell.header().name());
        self.engine.recording.note(worker, self.now, Site::SPAWN, number, worker as u32);
        let (arrived, gauge) = (self.now, Gauge::default());
        let here_since = Time::ZERO;
        self.loops.push(Some(Resident { cell, worker, arrived, here_since, gauge }));
        self.take_in(slot, worker);
        self.notify(slot, Class::Control);
    }

    /// The worker for a loop that wants this; its group is started if it has no workers.
    fn place(&mut self, wish: Wish) -> usize {
        let group = self.groups.resolve(wish.group);
        if self.groups.active(group).is_empty() {
            self.start_group(group);
        }
        let active = self.groups.active(group);
        if let Some(pinned) = wish.pin.filter(|pin| active.contains(pin)) {
            return pinned.into();
        }
        let loads = active.iter().map(|&index| {
            let index = usize::from(index);
            (self.workers[index].fares.load, self.count_of(index))
        });
        placement::least(loads).and_then(|at| active.get(at)).map_or(0, |&index| index.into())
    }

    /// Moves a loop if it belongs elsewhere.
    pub(super) fn send_home(&mut self, slot: u32) {
        let Some(resident) = self.loops.get(slot as usize).and_then(Option::as_ref) else { return };
        let (wish, here) = (resident.cell.header().wish.get(), resident.worker as u16);
        let group = self.groups.resolve(wish.group);
        let at_home = self.groups.of_worker(here) == Some(group);
        let pinned = wish.pin.filter(|pin| self.groups.active(group).contains(pin));
        if at_home && pinned.is_none_or(|pin| pin == here) {
            return;
        }
        let to = self.place(wish);
        self.move_to(slot, to, if at_home { MoveReason::Pinned } else { MoveReason::Group });
    }

    pub(super) fn count_of(&self, worker: usize) -> usize {
        self.loops.iter().flatten().filter(|resident| resident.worker == worker).count()
    }

    /// Finishes a move to `worker`.
    fn take_in(&mut self, slot: u32, worker: usize) {
        let Some(resident) = self.loops.get_mut(slot as usize).and_then(Option::as_mut) else {
            return;
        };
        resident.worker = worker;
        resident.arrived = self.now;
        let cell = Arc::clone(&resident.cell);
        let before = core::mem::replace(&mut self.engine.worker, worker);
        let deadlines = cell.attach(slot, &mut self.engine);
        self.engine.worker = before;
        self.note_deadlines(worker, slot, deadlines);
        let moved = cell.header().state().finish_move(worker as u16);
        if let Some(class) = moved.requeue {
            let entry = RunEntry { cell, class, at: moved.placement };
            self.workers[worker].queue.push(class, entry);
        }
    }

    /// Moves a loop, unless it is in the middle of a turn.
    pub(super) fn move_to(&mut self, slot: u32, to: usize, why: MoveReason) {
        let Some(resident) = self.loops.get(slot as usize).and_then(Option::as_ref) else { return };
        let (cell, from) = (Arc::clone(&resident.cell), resident.worker);
        if from == to || !cell.header().state().begin_move() {
            return;
        }
        cell.detach(&mut self.engine);
        let number = cell.header().id().number();
        let recording = &mut self.engine.recording;
        recording.note(from, self.now, Site::LEAVE, number, why.argument(to as u16));
        recording.note(to, self.now, Site::ARRIVE, number, why.argument(from as u16));
        self.note_deadlines(from, slot, Deadlines::NEVER);
        if why == MoveReason::Gathered {
            self.workers[to].fares.gathered_here(self.now);
        }
        self.workers[from].counts.moved_out += 1;
        self.workers[to].counts.moved_in += 1;
        let (loop_id, name) = (cell.header().id(), cell.header().shared_name());
        let held = self.engine.meter_of(from).leaves(loop_id, self.now);
        self.engine.meter_of(to).comes(loop_id, held);
        self.moves.note(MoveRecord { at: self.now, loop_id, name, from, to, why });
        self.take_in(slot, to);
        if let Some(resident) = self.loops.get_mut(slot as usize).and_then(Option::as_mut) {
            resident.here_since = self.now;
        }
    }

    /// Moves some loop to some worker of its group.
    pub(super) fn move_any(&mut self) {
        let slot = self.engine.chance.below(self.loops.len());
        let Some(resident) = self.loops.get(slot).and_then(Option::as_ref) else { return };
        let wish = resident.cell.header().wish.get();
        let active = self.groups.active(self.groups.resolve(wish.group));
        let to = self.engine.chance.below(active.len());
        let waits = self.workers[resident.worker].liveness.is_due(slot as u32, self.now);
        let may_leave = resident.cell.header().may_leave() && !waits;
        if let (Some(&to), true) = (active.get(to), may_leave) {
            self.move_to(slot as u32, to.into(), MoveReason::Chance);
        }
    }

    pub(super) fn bury(&mut self, slot: u32) {
        let Some(resident) = self.loops.get_mut(slot as usize).and_then(Option::take) else {
            return;
        };
        self.note_deadlines(resident.worker, slot, Deadlines::NEVER);
        resident.cell.header().state().close();
        resident.cell.bury(&mut self.engine);
        // Closed: nothing is left to be scheduled.
        let _ = resident.cell.header().state().end_run(Classes::NONE);
        if self.stopping && self.loops.iter().all(Option::is_none) {
            note_end(&*self.dispatch);
        }
    }

    /// Gives the workers that a group just got their part of what its `old` ones have.
    pub(super) fn share(&mut self, old: &[u16], new: &[u16]) {
        for &from in old {
            let loads = self.loops.iter().enumerate().filter_map(|(slot, resident)| {
                let resident = resident.as_ref().filter(|one| one.worker == usize::from(from))?;
                let header = resident.cell.header();
                let run = header.counters.run.load(Ordering::Relaxed);
                let load = Load { slot: slot as u32, used: run as f32 };
                header.wish.get().pin.is_none().then_some(load)
            });
            for (slot, to) in placement::share(loads.collect(), new.len(), old.len() + new.len()) {
                self.move_to(slot, new[to].into(), MoveReason::Grown);
            }
        }
    }

    /// Takes every loop off a worker that goes.
    pub(super) fn vacate(&mut self, index: usize) {
        if let Some(turn) = self.workers[index].turn.take() {
            // The move makes the entry anew.
            let _ = turn.entry.cell.header().state().end_run(turn.left);
        }
        for slot in 0..self.loops.len() as u32 {
            let resident = self.loops[slot as usize].as_ref().filter(|one| one.worker == index);
            if let Some(wish) = resident.map(|resident| resident.cell.header().wish.get()) {
                let to = self.place(wish);
                self.move_to(slot, to, MoveReason::Retired);
            }
        }
    }

    pub(super) fn shut_down(&mut self, how: Stop) {
        if self.stopping && how != Stop::NOW {
            return;
        }
        self.dispatch.stops.begin_end();
        (self.stopping, self.how) = (true, how);
        for resident in self.loops.iter().flatten() {
            ending::stop(&resident.cell, how, None);
        }
    }
}

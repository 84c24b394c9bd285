//! Loops and virtual workers that come, move and go.

use core::{sync::atomic::Ordering, time::Duration};
use std::sync::Arc;

use dunlin_sync::{Class, Classes};

use super::sched::{Resident, Scheduler, Worker};
use crate::{
    dispatch::RunEntry,
    loop_cell::{Runnable, notify_dyn},
    loop_core::Deadlines,
    placement::{self, Load},
    stats::{Stats, WorkerStats},
};

impl Scheduler {
    pub(super) fn admit(&mut self, cell: Arc<dyn Runnable>) {
        if self.stopping {
            cell.header().ask_to_stop();
        }
        let slot = self.loops.len() as u32;
        cell.header().set_slot(slot);
        let loads = (0..self.workers.len()).map(|index| self.count_of(index));
        let worker = placement::least(loads).unwrap_or(0);
        self.loops.push(Some(Resident { cell, worker }));
        self.take_in(slot, worker);
        self.notify(slot, Class::Control);
    }

    pub(super) fn count_of(&self, worker: usize) -> usize {
        self.loops.iter().flatten().filter(|resident| resident.worker == worker).count()
    }

    /// Finishes a move to `worker`.
    pub(super) fn take_in(&mut self, slot: u32, worker: usize) {
        let Some(resident) = self.loops.get_mut(slot as usize).and_then(Option::as_mut) else {
            return;
        };
        resident.worker = worker;
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
    pub(super) fn move_to(&mut self, slot: u32, to: usize) {
        let Some(resident) = self.loops.get(slot as usize).and_then(Option::as_ref) else { return };
        let (cell, from) = (Arc::clone(&resident.cell), resident.worker);
        if from == to || !cell.header().state().begin_move() {
            return;
        }
        cell.detach(&mut self.engine);
        self.note_deadlines(from, slot, Deadlines::NEVER);
        self.workers[from].counts.moved_out += 1;
        self.workers[to].counts.moved_in += 1;
        self.take_in(slot, to);
    }

    /// Moves some loop to some worker.
    pub(super) fn move_any(&mut self) {
        let slot = self.engine.chance.below(self.loops.len()) as u32;
        let to = self.engine.chance.below(self.workers.len());
        self.move_to(slot, to);
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
    }

    /// See [`super::SimRuntime::resize`].
    pub(super) fn resize(&mut self, workers: usize) {
        let (workers, before) = (workers.max(1), self.workers.len());
        for index in before..workers {
            self.workers.push(Worker::new(index, self.now));
        }
        if workers > before {
            self.share(before, workers);
        }
        if workers < before {
            for index in workers..before {
                self.vacate(index, workers);
            }
            self.workers.truncate(workers);
        }
    }

    /// Gives the new ones of `workers` their part.
    fn share(&mut self, before: usize, workers: usize) {
        for from in 0..before {
            let loads = self.loops.iter().enumerate().filter_map(|(slot, resident)| {
                let resident = resident.as_ref().filter(|resident| resident.worker == from)?;
                let run = resident.cell.header().counters.run.load(Ordering::Relaxed);
                Some(Load { slot: slot as u32, used: Duration::from_nanos(run) })
            });
            for (slot, to) in placement::share(loads.collect(), workers - before, workers) {
                self.move_to(slot, before + to);
            }
        }
    }

    /// Takes every loop off a worker that goes.
    fn vacate(&mut self, index: usize, remaining: usize) {
        if let Some(turn) = self.workers[index].turn.take() {
            // The move makes the entry anew.
            let _ = turn.entry.cell.header().state().end_run(turn.left);
        }
        for slot in 0..self.loops.len() as u32 {
            let here = self.loops[slot as usize].as_ref().is_some_and(|one| one.worker == index);
            if here {
                let loads = (0..remaining).map(|worker| self.count_of(worker));
                let to = placement::least(loads).unwrap_or(0);
                self.move_to(slot, to);
            }
        }
    }

    pub(super) fn shut_down(&mut self) {
        self.stopping = true;
        for resident in self.loops.iter().flatten() {
            resident.cell.header().ask_to_stop();
            notify_dyn(&resident.cell, Class::Control);
        }
    }

    pub(super) fn stats(&self) -> Stats {
        let workers = self.workers.iter().enumerate();
        let workers = workers.map(|(index, worker)| WorkerStats {
            loops: self.count_of(index),
            liveness_late: self.engine.liveness_late,
            ..worker.counts
        });
        let loops = self.loops.iter().flatten().map(|resident| resident.cell.stats());
        Stats { workers: workers.collect(), loops: loops.collect(), complete: true }
    }
}

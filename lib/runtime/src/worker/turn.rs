//! One turn of one loop.

use core::sync::atomic::Ordering;
use std::panic::{AssertUnwindSafe, catch_unwind};

use dunlin_sync::Class;

use super::{POLL_INTERVAL, Worker};
use crate::{
    body::Ended,
    dispatch::RunEntry,
    loop_cell::{Counters, begin, notify_dyn},
    pool::WAITING_UNIT,
    time::Time,
};

impl Worker {
    /// Schedules the loops whose timers are due.
    pub(super) fn fire_deadlines(&mut self) {
        // Read when the last handler ended or the poller was looked at.
        let now = self.engine.now;
        if self.liveness.first().min(self.rest.first()) > now {
            return;
        }
        while let Some(slot) = self.liveness.pop_due(now) {
            self.fire(slot, Class::Liveness);
        }
        while let Some(slot) = self.rest.pop_due(now) {
            self.fire(slot, Class::Control);
        }
        crate::pool::local::drain(&mut self.queue);
    }

    fn fire(&mut self, slot: u32, class: Class) {
        if let Some(resident) = self.loops.get(slot as usize).and_then(Option::as_ref) {
            notify_dyn(&resident.cell, class);
        }
    }

    /// Gives a loop its turn, if there still is a reason.
    pub(super) fn turn(&mut self, entry: RunEntry) {
        let Some(pending) = begin(&entry) else { return };
        let slot = entry.cell.header().slot();
        let began = self.engine.now;
        let class = pending.highest().unwrap_or(entry.class);
        let number = entry.cell.header().id().number();
        let budget = self.turns.begin(class, number, self.queue.len());
        // What is run before liveness, so that it does not starve, gets one handler.
        let passes = self.queue.has_liveness() && entry.class != Class::Liveness;
        let liveness_at = if passes { began } else { self.liveness.first_but(slot) };
        self.engine.set_rank(entry.class, self.queue.classes());
        self.engine.begin_turn(budget, self.polled + POLL_INTERVAL, liveness_at);
        let ended = entry.cell.run(&entry.cell, pending, &mut self.engine, &mut self.arena);
        self.count(&entry, began);
        if ended.stopped {
            self.bury(slot);
            return;
        }
        self.note_deadlines(slot, &ended);
        if let Some(class) = entry.cell.header().state().end_run(ended.left) {
            let entry = RunEntry { class, ..entry };
            let goes_on = self.turns.end(class, number, self.engine.now, self.engine.budget_until);
            if goes_on || ended.owes {
                self.queue.push_front(class, entry);
            } else {
                self.queue.push(class, entry);
            }
        }
        self.send_home(slot);
    }

    fn note_deadlines(&mut self, slot: u32, ended: &Ended) {
        self.liveness.set(slot, ended.deadlines.liveness);
        self.rest.set(slot, ended.deadlines.rest);
        self.idle.set(slot, ended.deadlines.job, self.engine.now);
    }

    fn count(&mut self, entry: &RunEntry, began: Time) {
        let took = self.engine.now.nanos_since(began);
        self.queue.charge(entry.class, took);
        let of_loop = &entry.cell.header().counters;
        Counters::add(&of_loop.run, took);
        Counters::add(&of_loop.turns, 1);
        let of_worker = &self.engine.shared.counters;
        Counters::add(&of_worker.busy, took);
        Counters::add(&of_worker.turns, 1);
        let waiting = &of_worker.waiting;
        let before = waiting.load(Ordering::Relaxed);
        let now = self.queue.len() as u64 * WAITING_UNIT;
        waiting.store(before - before / 64 + now / 64, Ordering::Relaxed);
        if !self.engine.meter.findings.is_empty() {
            self.report_findings();
        }
        self.count_jobs();
        self.engine.publish();
    }

    /// The loop in this slot has run for the last time.
    fn bury(&mut self, slot: u32) {
        let Some(resident) = self.remove(slot) else { return };
        let header = resident.cell.header();
        self.pool.watch_post.went(header.id());
        header.state().close();
        // Dropping what the loop owns runs its code; a panic there ends there.
        let buried = catch_unwind(AssertUnwindSafe(|| resident.cell.bury(&mut self.engine)));
        if buried.is_err() {
            self.pool.warn(format!("loop {} panicked while being dropped", header.name()));
        }
        // Closed: nothing is left to be scheduled.
        let _ = header.state().end_run(dunlin_sync::Classes::NONE);
        if let Some(recorder) = &self.pool.options.recorder {
            recorder.end_loop(header.id().number());
        }
    }
}

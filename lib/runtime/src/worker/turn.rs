//! One turn of one loop.

use core::sync::atomic::Ordering;

use dunlin_sync::{Begin, Class};

use super::{POLL_INTERVAL, Resident, Worker};
use crate::{
    body::Ended,
    dispatch::Ticket,
    loop_cell::{Counters, notify_dyn},
    pool::WAITING_UNIT,
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
    pub(super) fn turn(&mut self, ticket: Ticket) {
        let Ticket { slot, loop_id, .. } = ticket;
        let Some(resident) = resident_of(&self.loops, &ticket) else { return };
        let (cell, header) = (&resident.cell, resident.cell.header());
        let Begin::Run(pending) = header.state().begin_run(ticket.class, ticket.at) else { return };
        let began = self.engine.now;
        self.engine.meter.turn(resident.here_since);
        let class = pending.highest().unwrap_or(ticket.class);
        let number = loop_id.number();
        let budget = self.turns.begin(class, number, self.queue.len());
        // What is run before liveness, so that it does not starve, gets one handler.
        let passes = self.queue.has_liveness() && ticket.class != Class::Liveness;
        let liveness_at = if passes { began } else { self.liveness.first_but(slot) };
        self.engine.set_rank(ticket.class, self.queue.classes());
        self.engine.begin_turn(budget, self.polled + POLL_INTERVAL, liveness_at);
        let ended = cell.run(cell, pending, &mut self.engine, &mut self.arena);
        let took = self.engine.now.nanos_since(began);
        Counters::add(&header.counters.run, took);
        Counters::add(&header.counters.turns, 1);
        if ended.stopped {
            self.count(ticket.class, took);
            self.bury(slot);
            return;
        }
        let next = header.state().end_run(ended.left);
        self.count(ticket.class, took);
        self.note_deadlines(slot, &ended);
        if let Some(class) = next {
            let ticket = Ticket { class, ..ticket };
            let goes_on = self.turns.end(class, number, self.engine.now, self.engine.budget_until);
            if goes_on || ended.owes {
                self.queue.push_front(class, ticket);
            } else {
                self.queue.push(class, ticket);
            }
        }
        self.send_home(slot);
    }

    fn note_deadlines(&mut self, slot: u32, ended: &Ended) {
        self.liveness.set(slot, ended.deadlines.liveness);
        self.rest.set(slot, ended.deadlines.rest);
        self.idle.set(slot, ended.deadlines.job, self.engine.now);
    }

    /// A turn of this class took so long.
    fn count(&mut self, class: Class, took: u64) {
        self.queue.charge(class, took);
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
        resident.cell.bury(&mut self.engine);
        // Closed: nothing is left to be scheduled.
        let _ = header.state().end_run(dunlin_sync::Classes::NONE);
        if let Some(recorder) = &self.pool.options.recorder {
            recorder.end_loop(header.id().number());
        }
    }
}

/// The loop that a ticket is for, if it is still here.
#[inline]
pub(super) fn resident_of<'a>(
    loops: &'a [Option<Resident>],
    ticket: &Ticket,
) -> Option<&'a Resident> {
    let resident = loops.get(ticket.slot as usize)?.as_ref()?;
    (resident.loop_id == ticket.loop_id).then_some(resident)
}

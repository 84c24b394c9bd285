//! What a simulation tells of itself: the same figures as a real runtime, on virtual time.

use core::{sync::atomic::Ordering, time::Duration};

use super::sched::{Scheduler, Worker};
use crate::{
    dispatch::Dispatch,
    moves::MoveLog,
    options::{LogLevel, LogRecord},
    stats::{About, GroupStats, Part, Stats, Survey, Who, WorkerStats, picture},
};

impl Scheduler {
    pub(super) fn survey(&self, survey: &Survey) -> Stats {
        let workers = self.workers.iter().enumerate().filter(|(_, worker)| !worker.ended);
        let parts = workers.map(|(index, _)| self.part(survey, index)).collect();
        let groups = GroupStats::all(&self.groups);
        let moves = MoveLog::merged(self.moves.iter().cloned().collect());
        let stops = self.dispatch.stops.stats();
        Stats { moves, stops, ..picture(survey, parts, groups, true) }
    }

    fn part(&self, survey: &Survey, index: usize) -> Part {
        let here = self.loops.iter().flatten().filter(|resident| resident.worker == index);
        let cells = here.map(|resident| (resident.cell.header().id(), &resident.cell));
        let meter = self.engine.meters.get(index).filter(|_| survey.handlers);
        let measures = meter.map(|meter| meter.gauge().measures.load_full());
        let all = measures.iter().flat_map(|all| all.iter());
        let handlers = all.filter_map(|measured| measured.read(index));
        Part {
            worker: self.worker_stats(index),
            page: survey.loops.pick(cells, &self.engine),
            handlers: handlers.collect(),
            moves: Vec::new(),
            now: self.now,
        }
    }

    fn worker_stats(&self, index: usize) -> WorkerStats {
        let worker = &self.workers[index];
        let (busy, overhead, idle) = worker.spent.until(self.now, worker.counts.busy);
        let mut stats = WorkerStats {
            busy,
            overhead,
            idle,
            group: self.groups.of_worker(index as u16),
            loops: self.count_of(index),
            liveness_late: self.engine.liveness_late,
            waiting: Some(worker.queue.lengths()),
            oldest: self.oldest(worker),
            ..worker.counts
        };
        if let Some(meter) = self.engine.meters.get(index) {
            let read = |counters: &[core::sync::atomic::AtomicU64; 4]| {
                counters.each_ref().map(|counter| counter.load(Ordering::Relaxed))
            };
            stats.overruns = read(&meter.gauge().overruns);
            stats.lates = read(&meter.gauge().lates);
        }
        stats
    }

    /// The age of what waits longest for one of a worker's loops.
    fn oldest(&self, worker: &Worker) -> Option<Duration> {
        let turn = worker.turn.as_ref().map(|turn| &turn.entry);
        let waiting = worker.queue.iter().chain(turn).map(|entry| &entry.cell);
        let oldest = waiting.filter_map(|cell| cell.oldest(self.now)).min();
        oldest.map(|oldest| self.now.since(oldest))
    }

    pub(super) fn clear_stats(&mut self) {
        self.engine.liveness_late = Duration::ZERO;
        self.dispatch.stops.clear();
        for meter in &mut self.engine.meters {
            meter.clear();
        }
        for worker in &mut self.workers {
            let index = worker.counts.index;
            // What is still to come of the running handler belongs to the time after this.
            let busy = worker.spent.clear(self.now);
            worker.counts = WorkerStats { index, busy, ..WorkerStats::default() };
        }
        for resident in self.loops.iter().flatten() {
            resident.cell.clear_stats();
        }
    }

    /// Reports what the meter has found in the handler that is over.
    pub(super) fn report_findings(&mut self, index: usize) {
        let Some(meter) = self.engine.meters.get_mut(index) else { return };
        for finding in core::mem::take(&mut meter.findings) {
            let reports = &mut self.workers[index].reports;
            let about = About::handler(finding.who());
            let Some(held) = reports.admit(finding.kind(), about, self.now) else { continue };
            let text = finding.text(&|who| self.name_of(who));
            self.dispatch.log(&LogRecord {
                level: LogLevel::Warning,
                loop_id: Some(finding.who().loop_id),
                loop_name: None,
                text: held.after(text),
            });
        }
    }

    fn name_of(&self, who: Who) -> String {
        let mut cells = self.loops.iter().flatten().map(|resident| &resident.cell);
        let cell = cells.find(|cell| cell.header().id() == who.loop_id);
        let place = self.dispatch.places.find(who.place);
        who.describe(cell.map(|cell| cell.header().name()), place)
    }
}

//! `show threads`, `threads N`

use core::time::Duration;

use dunlin_runtime::{Context, Stats, StatsReply};

use super::output::Output;
use super::session::{Desk, Payload, Step, Task};

/// Changes the number of workers at once.
pub(super) fn resize(cx: &mut Context<'_>, output: &mut Output, count: u32) {
    cx.runtime().resize(count as usize);
    output.last(0, "");
}

/// Shows the workers, and with `all` the loops.
pub(super) struct ShowThreads {
    all: bool,
    asked: bool,
}

impl ShowThreads {
    pub(super) fn new(all: bool) -> Self {
        Self { all, asked: false }
    }
}

impl Task for ShowThreads {
    fn step(
        &mut self,
        cx: &mut Context<'_>,
        desk: &mut Desk,
        output: &mut Output,
        answer: Option<Payload>,
    ) -> Step {
        if !self.asked {
            self.asked = true;
            let reply = desk.reply(Payload::Runtime);
            cx.runtime().collect_stats(StatsReply::new(move |stats| reply.send(stats)));
        }
        let Some(Payload::Runtime(stats)) = answer else { return Step::Waiting };
        lines(&stats, self.all, output);
        Step::Done
    }
}

fn lines(stats: &Stats, all: bool, output: &mut Output) {
    output.row(1027, "Thread ID       Working         Overhead        Last Pickup/Drop");
    let seconds = |span: Duration| format!("{:>8.3} s", span.as_secs_f64());
    for worker in &stats.workers {
        let (busy, overhead) = (seconds(worker.busy), seconds(worker.overhead));
        let longest = seconds(worker.longest);
        let number = worker.index + 1;
        output.row(1027, &format!("{number:04x}            {busy:<16}{overhead:<16}{longest}"));
    }
    if all {
        loops(stats, output);
    }
    output.row(1027, "All loops in group worker are assigned.");
    output.last(0, "");
}

fn loops(stats: &Stats, output: &mut Output) {
    for worker in &stats.workers {
        output.row(
            1027,
            &format!(
                "Worker {:04x}: {} loops, {} turns, {} sleeps, {} messages, liveness late {:?}, \
                 longest handler {:?}, moved in {} out {}",
                worker.index + 1,
                worker.loops,
                worker.turns,
                worker.sleeps,
                worker.messages,
                worker.liveness_late,
                worker.longest,
                worker.moved_in,
                worker.moved_out
            ),
        );
    }
    output.row(1027, "Loop   Worker  Class     Working      Longest      Name");
    for l in &stats.loops {
        let class = format!("{:?}", l.class).to_lowercase();
        let run = format!("{:.3} s", l.run.as_secs_f64());
        let longest = format!("{:?}", l.longest);
        let worker = l.worker + 1;
        output.row(
            1027,
            &format!("{:<6} {worker:04x}    {:<9} {run:<12} {longest:<12} {}", l.id, class, l.name),
        );
    }
}

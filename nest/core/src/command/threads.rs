//! `show threads`, `threads …`

use core::time::Duration;

use dunlin_runtime::{Context, GroupId, MoveRecord, Stats, StatsReply, Threads};

use super::output::Output;
use super::session::{Desk, Payload, Step, Task};

/// Changes the number of workers of a group at once.
pub(super) fn resize(
    cx: &mut Context<'_>,
    output: &mut Output,
    group: Option<&str>,
    threads: Threads,
) {
    let runtime = cx.runtime();
    let group = group.map_or(GroupId::DEFAULT, |name| runtime.group(name));
    runtime.resize_group(group, threads);
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
        let alive = worker.busy + worker.overhead + worker.idle;
        let moved = seconds(last_move(stats, worker.index).unwrap_or(alive));
        let number = worker.index + 1;
        output.row(1027, &format!("{number:04x}            {busy:<16}{overhead:<16}{moved}"));
    }
    if all {
        groups(stats, output);
        workers(stats, output);
        loops(stats, output);
        moves(stats, output);
    }
    for group in &stats.groups {
        output.row(1027, &format!("All loops in group {} are assigned.", group.options.name));
    }
    output.last(0, "");
}

/// How long ago a loop came to a worker or left it.
fn last_move(stats: &Stats, worker: usize) -> Option<Duration> {
    let of_worker = |record: &&MoveRecord| record.from == worker || record.to == worker;
    stats.moves.iter().rfind(of_worker).map(|record| stats.now.since(record.at))
}

fn groups(stats: &Stats, output: &mut Output) {
    for group in &stats.groups {
        let options = &group.options;
        let default = if group.is_default { " (default)" } else { "" };
        output.row(
            1027,
            &format!(
                "Group {}{default}: {} workers of {}, max latency {:?}, min time {:?}, max time \
                 {:?}, wakeup time {:?}",
                options.name,
                group.workers,
                options.threads,
                options.max_latency,
                options.min_time,
                options.max_time,
                options.wakeup_time,
            ),
        );
    }
}

fn group_name(stats: &Stats, id: Option<GroupId>) -> &str {
    let found = stats.groups.iter().find(|group| match id {
        Some(GroupId::DEFAULT) => group.is_default,
        id => Some(group.id) == id,
    });
    found.map_or("-", |group| &group.options.name)
}

fn moves(stats: &Stats, output: &mut Output) {
    if stats.moves.is_empty() {
        return;
    }
    output.row(1027, "Moved          From   To     Why        Loop   Name");
    for record in &stats.moves {
        let ago = format!("{:.3} s ago", stats.now.since(record.at).as_secs_f64());
        let (from, to, why) = (record.from + 1, record.to + 1, record.why);
        let loop_id = record.loop_id.number();
        output.row(
            1027,
            &format!("{ago:<14} {from:04x}   {to:04x}   {why:<10} {loop_id:<6} {}", record.name),
        );
    }
}

fn workers(stats: &Stats, output: &mut Output) {
    for worker in &stats.workers {
        output.row(
            1027,
            &format!(
                "Worker {:04x}: group {}, idle {:.3} s, {} loops, {} turns, {} sleeps, {} messages, liveness late {:?}, \
                 longest handler {:?}, moved in {} out {}",
                worker.index + 1,
                group_name(stats, worker.group),
                worker.idle.as_secs_f64(),
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
}

fn loops(stats: &Stats, output: &mut Output) {
    output.row(1027, "Loop   Worker  Class     Working      Longest      Name");
    for l in &stats.loops {
        let class = format!("{:?}", l.class).to_lowercase();
        let run = format!("{:.3} s", l.run.as_secs_f64());
        let longest = format!("{:?}", l.longest);
        let worker = l.worker + 1;
        let pinned = if l.pinned.is_some() { " (pinned)" } else { "" };
        output.row(
            1027,
            &format!(
                "{:<6} {worker:04x}    {:<9} {run:<12} {longest:<12} {}{pinned}",
                l.id, class, l.name
            ),
        );
    }
}

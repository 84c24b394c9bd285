//! `show threads`, `threads …`

use core::time::Duration;

use dunlin_runtime::{
    Class, Context, GroupId, Loops, MoveRecord, Stats, StopStats, Survey, Threads, Timings,
    WorkerStats, WorkerTimings,
};

use super::output::Output;
use super::runtime::{
    Cell, Column, Json, Listed, Names, ShowLoops, View, Which, class, column, timings, write_head,
    write_members, write_object, write_row,
};
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

/// Shows the workers, and with `all` more of each, and the loops.
pub(super) struct ShowThreads {
    all: bool,
    json: bool,
    asked: bool,
    /// The workers, while the names of loops that come up are asked for.
    stats: Option<Stats>,
    names: Names,
    /// The loops, once the workers have been shown.
    loops: Option<ShowLoops>,
}

impl ShowThreads {
    pub(super) fn new(all: bool, json: bool) -> Self {
        Self { all, json, asked: false, stats: None, names: Names::default(), loops: None }
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
        if let Some(loops) = &mut self.loops {
            return loops.step(cx, desk, output, answer);
        }
        if !core::mem::replace(&mut self.asked, true) {
            desk.survey(cx, Survey { loops: Loops::None, handlers: self.all });
        }
        let Some(Payload::Runtime(stats)) = answer else { return Step::Waiting };
        let is_first = self.stats.is_none();
        if is_first {
            let worst =
                stats.timings.iter().flat_map(by_class).flat_map(|(_, one)| timings::worst(&one));
            self.names = Names::of(worst.filter_map(|(_, _, worst)| worst));
        }
        if let Some(survey) = self.names.learn(&stats, is_first) {
            desk.survey(cx, survey);
            self.stats.get_or_insert(*stats);
            return Step::Waiting;
        }
        let (names, runtime) = (&self.names, cx.runtime());
        let stats = &*self.stats.get_or_insert(*stats);
        let view = View { desk, stats, names, runtime: &runtime };
        if self.json {
            json(&view, self.all, output);
        } else {
            lines(&view, self.all, output);
        }
        if self.all && !self.json {
            let mut loops = ShowLoops::new(Listed::Loops, Which::All, false);
            let step = loops.step(cx, desk, output, None);
            self.loops = Some(loops);
            return step;
        }
        output.last(0, "");
        Step::Done
    }
}

fn lines(view: &View<'_>, all: bool, output: &mut Output) {
    let stats = view.stats;
    output.row(1027, "Thread ID       Working         Overhead        Last Pickup/Drop");
    let seconds = |span: Duration| format!("{:>8.3} s", span.as_secs_f64());
    for worker in &stats.workers {
        let (busy, overhead) = (seconds(worker.busy), seconds(worker.overhead));
        let alive = worker.busy + worker.overhead + worker.idle;
        let moved = seconds(last_move(stats, worker.index).unwrap_or(alive));
        let number = worker.index + 1;
        output.row(1027, &format!("{number:04x}            {busy:<16}{overhead:<16}{moved}"));
    }
    for worker in stats.workers.iter().filter(|_| !stats.complete) {
        if worker.waiting.is_none() {
            output.row(1027, &super::runtime::silence(worker, stats));
        }
    }
    if all {
        groups(stats, output);
        workers(stats, output);
        worker_timings(view, output);
        moves(stats, output);
        output.row(1027, &format!("So far {}.", stats.stops));
    }
    for group in &stats.groups {
        output.row(1027, &format!("All loops in group {} are assigned.", group.options.name));
    }
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

/// All that is known of a worker.
const COLUMNS: &[Column] = &[
    column("Thread", "thread", 6),
    column("Group", "group", 8),
    column("", "answered", 0),
    column("Busy", "busy_ns", -9),
    column("Overhead", "overhead_ns", -9),
    column("Idle", "idle_ns", -9),
    column("Loops", "loops", -6),
    column("Turns", "turns", -9),
    column("Handlers", "handlers", -9),
    column("Messages", "messages", -9),
    column("Sleeps", "sleeps", -8),
    column("Looks", "polls", -8),
    column("Waiting", "loops_waiting", -7),
    column("Oldest", "oldest_ns", -9),
    column("Woke", "woke_ns", -9),
    column("Gap", "longest_gap_ns", -9),
    column("CPU wait", "run_queue_ns", -9),
    column("Longest", "longest_ns", -9),
    column("Late", "liveness_late_ns", -9),
    column("Overruns", "overruns", -8),
    column("Lates", "lates", -6),
    column("In", "moved_in", -5),
    column("Out", "moved_out", -5),
    column("Held by", "hindered_by", 8),
    column("For", "hindered_for_ns", -9),
];

fn cells(worker: &WorkerStats, stats: &Stats) -> Vec<Cell> {
    let sum = |counts: [u64; 4]| Cell::count(counts.iter().sum::<u64>());
    let waiting = worker.waiting.map(|waiting| waiting.iter().sum::<usize>());
    vec![
        Cell::text(format!("{:04x}", worker.index + 1)),
        Cell::text(group_name(stats, worker.group)),
        Cell::Flag(worker.waiting.is_some()),
        Cell::Span(worker.busy),
        Cell::Span(worker.overhead),
        Cell::Span(worker.idle),
        Cell::count(worker.loops),
        Cell::count(worker.turns),
        sum(worker.handlers),
        Cell::count(worker.messages),
        Cell::count(worker.sleeps),
        Cell::count(worker.polls),
        waiting.map_or(Cell::None, Cell::count),
        Cell::span(waiting.map(|_| worker.oldest.unwrap_or_default())),
        Cell::span(worker.woke),
        Cell::Span(worker.longest_gap),
        Cell::span(worker.run_queue),
        Cell::Span(worker.longest),
        Cell::Span(worker.liveness_late),
        sum(worker.overruns),
        sum(worker.lates),
        Cell::count(worker.moved_in),
        Cell::count(worker.moved_out),
        worker.hindered.map_or(Cell::None, |hindered| Cell::text(hindered.by.name())),
        Cell::span(worker.hindered.map(|hindered| stats.now.since(hindered.since))),
    ]
}

fn workers(stats: &Stats, output: &mut Output) {
    write_head(COLUMNS, output);
    for worker in &stats.workers {
        write_row(COLUMNS, &cells(worker, stats), None, output);
    }
}

/// All classes together, by no name, and each class in which handlers have run.
fn by_class(worker: &WorkerTimings) -> Vec<(Option<Class>, Timings)> {
    let classes = Class::ALL.into_iter().zip(&worker.classes);
    let ran = classes.filter(|(_, timings)| timings.run.spans.count() > 0);
    let each = ran.map(|(class, timings)| (Some(class), timings.clone()));
    core::iter::once((None, worker.all())).chain(each).collect()
}

fn worker_timings(view: &View<'_>, output: &mut Output) {
    let columns: Vec<_> = TIMINGS.into_iter().chain(timings::COLUMNS).collect();
    write_head(&columns, output);
    for worker in &view.stats.timings {
        for (of, timings) in by_class(worker) {
            let mut row = vec![
                Cell::text(format!("{:04x}", worker.index + 1)),
                of.map_or_else(|| Cell::text("all"), class),
            ];
            row.extend(timings::cells(&timings));
            write_row(&columns, &row, None, output);
            // The worst of all is the worst of some class, which is in JSON.
            if of.is_none() {
                timings::lines(view, &timings, output);
            }
        }
    }
}

const TIMINGS: [Column; 2] = [column("Thread", "thread", 6), column("Class", "class", 8)];

fn json_timings(view: &View<'_>, index: usize, json: &mut Json, output: &mut Output) {
    json.key(output, "timings");
    json.array(output);
    for worker in view.stats.timings.iter().filter(|worker| worker.index == index) {
        for (of, timings) in by_class(worker) {
            let class = of.map_or_else(|| Cell::text("all"), class);
            json.object(output);
            write_members(&TIMINGS[1..], &[class], json, output);
            timings::json(view, &timings, json, output);
            json.end_object();
        }
    }
    json.end_array();
}

fn json(view: &View<'_>, all: bool, output: &mut Output) {
    let (json, stats) = (&mut Json::default(), view.stats);
    json.object(output);
    json.key(output, "threads");
    json.array(output);
    for worker in &stats.workers {
        json.object(output);
        write_members(COLUMNS, &cells(worker, stats), json, output);
        for (key, counts) in
            [("overruns_by_class", worker.overruns), ("lates_by_class", worker.lates)]
        {
            json.key(output, key);
            json.array(output);
            counts.iter().for_each(|count| json.bare(output, count));
            json.end_array();
        }
        json.key(output, "running");
        match worker.running {
            Some((who, since)) => {
                json.object(output);
                json.key(output, "loop");
                json.bare(output, who.loop_id.number());
                json.key(output, "handler");
                json.string(output, who.handler.name());
                json.key(output, "for_ns");
                json.bare(output, stats.now.since(since).as_nanos());
                json.end_object();
            }
            None => json.bare(output, "null"),
        }
        if all {
            json_timings(view, worker.index, json, output);
        }
        json.end_object();
    }
    json.end_array();
    json.key(output, "stops");
    stops(&stats.stops, json, output);
    if all {
        json_groups(stats, json, output);
        json_moves(stats, json, output);
    }
    json.end_object();
    json.finish(output);
}

fn json_groups(stats: &Stats, json: &mut Json, output: &mut Output) {
    json.key(output, "groups");
    json.array(output);
    for group in &stats.groups {
        let options = &group.options;
        // As many at most; they follow the load if they may be fewer.
        let (least, most) = match options.threads {
            Threads::Fixed(count) => (count, count),
            Threads::Auto { min, max } => (min, max),
        };
        let members = [
            ("group", Cell::text(&*options.name)),
            ("default", Cell::Flag(group.is_default)),
            ("workers", Cell::count(group.workers)),
            ("least_workers", Cell::count(least)),
            ("most_workers", Cell::count(most)),
            ("max_latency_ns", Cell::Span(options.max_latency)),
            ("min_time_ns", Cell::Span(options.min_time)),
            ("max_time_ns", Cell::Span(options.max_time)),
            ("wakeup_time_ns", Cell::Span(options.wakeup_time)),
        ];
        write_object(&members, json, output);
    }
    json.end_array();
}

fn json_moves(stats: &Stats, json: &mut Json, output: &mut Output) {
    json.key(output, "moves");
    json.array(output);
    for record in &stats.moves {
        let members = [
            ("ago_ns", Cell::Span(stats.now.since(record.at))),
            ("from", Cell::text(format!("{:04x}", record.from + 1))),
            ("to", Cell::text(format!("{:04x}", record.to + 1))),
            ("why", Cell::text(record.why.to_string())),
            ("loop", Cell::count(record.loop_id.number())),
            ("name", Cell::text(&*record.name)),
        ];
        write_object(&members, json, output);
    }
    json.end_array();
}

/// Loops that have stopped, and what was dropped with them: lists are by class.
fn stops(stops: &StopStats, json: &mut Json, output: &mut Output) {
    json.object(output);
    for (key, count) in [
        ("loops", stops.loops),
        ("cut_short", stops.cut_short),
        ("panicked", stops.panicked),
        ("drained", stops.drained),
        ("dropped_jobs", stops.dropped.jobs),
    ] {
        json.key(output, key);
        json.bare(output, count);
    }
    for (key, counts) in [
        ("dropped_messages", stops.dropped.messages),
        ("dropped_events", stops.dropped.events),
        ("dropped_works", stops.dropped.works),
        ("dropped_timers", stops.dropped.timers),
        ("dropped_ready", stops.dropped.ready),
    ] {
        json.key(output, key);
        json.array(output);
        for count in counts {
            json.bare(output, count);
        }
        json.end_array();
    }
    json.end_object();
}

#[cfg(test)]
mod tests {
    use dunlin_runtime::{Hindered, Hindrance, Time};

    use super::*;

    /// Workers that answer and that do not, and what keeps these from it.
    fn picture() -> Stats {
        let seconds = |count: u64| Time::from_nanos(count * 1_000_000_000);
        let hindered = [
            None,
            Some((Hindrance::Busy, 7)),
            Some((Hindrance::Starved, 8)),
            Some((Hindrance::Blocked, 6)),
            Some((Hindrance::Stopped, 5)),
            Some((Hindrance::Dead, 3)),
        ];
        let workers = hindered.iter().enumerate().map(|(index, hindered)| {
            let hindered = hindered.map(|(by, since)| Hindered { by, since: seconds(since) });
            let waiting = hindered.is_none().then_some([0; 4]);
            WorkerStats { index, hindered, waiting, ..WorkerStats::default() }
        });
        Stats { workers: workers.collect(), now: seconds(10), ..Stats::default() }
    }

    #[test]
    fn what_holds_a_worker_up_is_shown() {
        let (stats, mut output) = (picture(), Output::default());
        workers(&stats, &mut output);
        let text = String::from_utf8(output.piece(usize::MAX - 1).to_vec()).unwrap();
        let shown: Vec<_> = text.lines().map(|line| line.split_at(line.len() - 18).1).collect();
        let expected = [
            "Held by        For",
            "-                -",
            "busy         3.0 s",
            "starved      2.0 s",
            "blocked      4.0 s",
            "stopped      5.0 s",
            "dead         7.0 s",
        ];
        assert_eq!(shown, expected, "{text}");
    }

    #[test]
    fn what_holds_a_worker_up_is_in_json() {
        let (stats, mut output) = (picture(), Output::default());
        let mut json = Json::default();
        for worker in &stats.workers {
            json.object(&mut output);
            write_members(COLUMNS, &cells(worker, &stats), &mut json, &mut output);
            json.end_object();
        }
        json.finish(&mut output);
        let text = String::from_utf8(output.piece(usize::MAX - 1).to_vec()).unwrap();
        for part in [
            r#""answered":true,"#,
            r#""hindered_by":null,"hindered_for_ns":null}"#,
            r#""hindered_by":"busy","hindered_for_ns":3000000000}"#,
            r#""hindered_by":"dead","hindered_for_ns":7000000000}"#,
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
    }

    #[test]
    fn people_are_told_why_a_worker_does_not_answer() {
        let stats = picture();
        let text = |index: usize| super::super::runtime::silence(&stats.workers[index], &stats);
        assert_eq!(
            text(3),
            "Thread 0004 does not answer: it has had something to do for 4.0 s and does nothing, \
             blocked in the kernel"
        );
        assert_eq!(text(5), "Thread 0006 does not answer: its thread has ended");
        assert_eq!(text(0), "Thread 0001 does not answer");
    }
}

//! What is listed of a loop.

use core::time::Duration;

use dunlin_runtime::kit::client::ClientState;
use dunlin_runtime::{Class, LoopStats, Rhythm, Time};

use super::Listed;
use super::table::{Cell, Column, column};

/// The rows of one loop.
#[derive(Debug, Default)]
pub(super) struct Rows(pub(super) Vec<Vec<Cell>>);

/// The key of the array in JSON.
pub(super) const fn key(listed: Listed) -> &'static str {
    match listed {
        Listed::Loops => "loops",
        Listed::Timers => "timers",
        Listed::Queues => "queues",
        Listed::Jobs => "jobs",
        Listed::Sockets => "sockets",
        Listed::Flow => "flow",
        Listed::Clients => "clients",
    }
}

pub(super) const fn columns(listed: Listed) -> &'static [Column] {
    match listed {
        Listed::Loops => LOOPS,
        Listed::Timers => TIMERS,
        Listed::Queues => QUEUES,
        Listed::Jobs => JOBS,
        Listed::Sockets => SOCKETS,
        Listed::Flow => FLOW,
        Listed::Clients => CLIENTS,
    }
}

pub(super) fn rows(listed: Listed, one: &LoopStats, now: Time, rows: &mut Rows) {
    match listed {
        Listed::Loops => rows.0.push(loop_row(one)),
        Listed::Timers => timer_rows(one, now, rows),
        Listed::Queues => queue_rows(one, rows),
        Listed::Jobs => job_rows(one, rows),
        Listed::Sockets => socket_rows(one, rows),
        Listed::Flow => flow_rows(one, now, rows),
        Listed::Clients => client_rows(one, now, rows),
    }
}

/// What every row begins with.
fn begin(one: &LoopStats) -> Vec<Cell> {
    vec![Cell::count(one.id.number()), Cell::text(&*one.name)]
}

/// The word for a class.
pub(in super::super) fn class(class: Class) -> Cell {
    Cell::text(format!("{class:?}").to_lowercase())
}

const LOOP: Column = column("Loop", "loop", 6);
const NAME: Column = column("Name", "name", 16);
const CLASS: Column = column("Class", "class", 8);

const LOOPS: &[Column] = &[
    LOOP,
    NAME,
    column("Kind", "kind", 12),
    column("Thread", "thread", 6),
    column("", "pinned", 0),
    CLASS,
    column("Turns", "turns", -9),
    column("Handlers", "handlers", -10),
    column("Run", "run_ns", -9),
    column("Longest", "longest_ns", -9),
    column("Waited", "longest_wait_ns", -9),
    column("Timers", "timers", -6),
    column("Sockets", "sockets", -7),
    column("Waiting", "waiting", -7),
];

pub(super) fn loop_row(one: &LoopStats) -> Vec<Cell> {
    let mut row = begin(one);
    row.extend([
        Cell::text(one.kind),
        Cell::text(format!("{:04x}", one.worker + 1)),
        Cell::Flag(one.pinned.is_some()),
        class(one.class),
        Cell::count(one.turns),
        Cell::count(one.handlers.iter().sum::<u64>()),
        Cell::Span(one.run),
        Cell::Span(one.longest),
        Cell::Span(one.latest),
        Cell::count(one.timers),
        Cell::count(one.sockets),
        Cell::count(waiting(one)),
    ]);
    row
}

/// All that waits for a loop.
fn waiting(one: &LoopStats) -> usize {
    let waiting = &one.waiting;
    let own = waiting.events.iter().chain(&waiting.ready).chain(&waiting.works);
    let jobs = one.jobs.iter().filter(|job| job.waiting).count();
    let queued: u64 = one.queues.iter().map(|queue| queue.items).sum();
    waiting.urgent + waiting.rest + own.sum::<usize>() + jobs + queued as usize
}

const TIMERS: &[Column] = &[
    LOOP,
    NAME,
    column("Timer", "timer", -5),
    CLASS,
    column("Expires in", "expires_in_ns", -10),
    column("Late by", "late_by_ns", -8),
    column("Last", "last_expired_ago_ns", -9),
    column("Period", "period_ns", -9),
    column("Kind", "kind", 8),
    column("", "slack_ns", 0),
];

fn timer_rows(one: &LoopStats, now: Time, rows: &mut Rows) {
    for timer in one.details.iter().flat_map(|details| &details.timers) {
        let (kind, period) = match timer.rhythm {
            Rhythm::Once => ("once", None),
            Rhythm::Anchored { period } => ("anchored", Some(period)),
            Rhythm::Drifting { interval, .. } => ("drifting", Some(interval)),
        };
        let late = timer.expires.map(|at| now.since(at)).filter(|late| *late > Duration::ZERO);
        let mut row = begin(one);
        row.extend([
            Cell::count(timer.timer.number()),
            class(timer.class),
            Cell::span(timer.expires.map(|at| at.since(now))),
            Cell::span(late),
            Cell::span(timer.expired.map(|at| now.since(at))),
            Cell::span(period),
            Cell::text(kind),
            Cell::Span(timer.slack),
        ]);
        rows.0.push(row);
    }
}

const QUEUES: &[Column] = &[
    LOOP,
    NAME,
    column("Thread", "thread", 6),
    column("Queue", "queue", 16),
    column("Waiting", "waiting", -8),
    column("", "more", 0),
    column("Later", "later", -6),
    column("State", "state", 8),
    column("Runs", "runs", -8),
    column("Yields", "yields", -7),
    column("Items", "items_run", -9),
    column("Best", "best", -5),
    column("Errors", "errors", -7),
    column("Retries", "retries", -7),
];

/// What every loop has, if something waits there; and its work queues.
fn queue_rows(one: &LoopStats, rows: &mut Rows) {
    let sum = |counts: [usize; 4]| counts.iter().sum::<usize>();
    let waiting = &one.waiting;
    let jobs = one.jobs.iter().filter(|job| job.waiting).count();
    let thread = || Cell::text(format!("{:04x}", one.worker + 1));
    for (name, count) in [
        ("urgent messages", waiting.urgent),
        ("messages", waiting.rest),
        ("events", sum(waiting.events)),
        ("sockets", sum(waiting.ready)),
        ("work", sum(waiting.works)),
        ("jobs", jobs),
    ] {
        if count > 0 {
            let mut row = begin(one);
            let more = waiting.more && name.ends_with("messages");
            row.extend([thread(), Cell::text(name), Cell::count(count), Cell::Flag(more)]);
            row.resize(QUEUES.len(), Cell::None);
            rows.0.push(row);
        }
    }
    for queue in &one.queues {
        let state = match (queue.is_blocked, queue.is_plugged) {
            (true, _) => "blocked",
            (false, true) => "plugged",
            (false, false) => "open",
        };
        let mut row = begin(one);
        row.extend([
            thread(),
            Cell::text(&*queue.name),
            Cell::count(queue.items),
            Cell::Flag(false),
            Cell::count(queue.later),
            Cell::text(state),
            Cell::count(queue.runs),
            Cell::count(queue.yields),
            Cell::count(queue.items_run),
            Cell::count(queue.best),
            Cell::count(queue.errors),
            Cell::count(queue.retries),
        ]);
        rows.0.push(row);
    }
}

const JOBS: &[Column] = &[
    LOOP,
    NAME,
    column("Job", "job", 16),
    column("Class", "class", 8),
    column("Prio", "priority", -4),
    column("Waits", "waiting", 5),
    column("Steps", "steps", -9),
    column("Done", "completions", -7),
    column("Time", "time_ns", -9),
    column("Longest", "longest_ns", -9),
];

/// Jobs for idle time, and long work in a class, which has no name and no figures of its own.
fn job_rows(one: &LoopStats, rows: &mut Rows) {
    for job in &one.jobs {
        let mut row = begin(one);
        row.extend([
            Cell::text(&*job.name),
            Cell::text("idle"),
            Cell::count(job.priority.level()),
            Cell::Flag(job.waiting),
            Cell::count(job.steps),
            Cell::count(job.completions),
            Cell::Span(job.time),
            Cell::Span(job.longest),
        ]);
        rows.0.push(row);
    }
    for work in one.details.iter().flat_map(|details| &details.works) {
        let mut row = begin(one);
        row.extend([
            Cell::text(format!("work {}", work.number)),
            class(work.class),
            Cell::None,
            Cell::Flag(work.pending),
            Cell::None,
            Cell::None,
            Cell::None,
            Cell::None,
        ]);
        rows.0.push(row);
    }
}

const SOCKETS: &[Column] = &[
    LOOP,
    NAME,
    column("Socket", "socket", -6),
    CLASS,
    column("FD", "descriptor", -5),
    column("Waits for", "interest", 10),
    column("Ready", "ready", 5),
    column("Unread", "unread_bytes", -8),
    column("Local address", "local", 24),
    column("Remote address", "remote", 24),
];

fn socket_rows(one: &LoopStats, rows: &mut Rows) {
    for socket in one.details.iter().flat_map(|details| &details.sockets) {
        let interest = match (socket.interest.read, socket.interest.write) {
            (true, true) => "read write",
            (true, false) => "read",
            (false, true) => "write",
            (false, false) => "nothing",
        };
        let address = |address: Option<std::net::SocketAddr>| {
            address.map_or(Cell::None, |address| Cell::text(address.to_string()))
        };
        let mut row = begin(one);
        row.extend([
            Cell::count(socket.number),
            class(socket.class),
            socket.descriptor.map_or(Cell::None, Cell::count),
            Cell::text(interest),
            Cell::Flag(socket.ready),
            socket.unread.map_or(Cell::None, Cell::count),
            address(socket.local),
            address(socket.peer),
        ]);
        rows.0.push(row);
    }
}

const FLOW: &[Column] = &[
    LOOP,
    NAME,
    column("Flow", "credit", 22),
    column("Stage", "into_stage", -5),
    column("Under way", "used", -10),
    column("Limit", "limit", -10),
    column("Unit", "unit", 8),
    column("Stopped for", "stopped_ns", -11),
    column("Stops", "stops", -7),
    column("Behind", "behind", -7),
];

fn flow_rows(one: &LoopStats, now: Time, rows: &mut Rows) {
    for flow in &one.flows {
        let mut row = begin(one);
        row.extend([
            Cell::text(&*flow.name),
            Cell::count(flow.stage),
            Cell::count(flow.used),
            flow.limit.map_or(Cell::None, Cell::count),
            Cell::text(flow.unit),
            Cell::span(flow.waiting.map(|since| now.since(since))),
            Cell::count(flow.blocked),
            flow.behind.map_or(Cell::None, Cell::count),
        ]);
        rows.0.push(row);
    }
}

const CLIENTS: &[Column] = &[
    LOOP,
    NAME,
    column("Client", "client", 16),
    column("State", "state", 10),
    column("For", "since_ns", -9),
    column("Again in", "again_in_ns", -9),
    column("Attempts", "attempts", -8),
    column("Connections", "connections", -11),
    column("Failures", "failures", -8),
    column("In a row", "failures_in_a_row", -8),
];

fn client_rows(one: &LoopStats, now: Time, rows: &mut Rows) {
    for client in &one.clients {
        let state = match client.state {
            ClientState::Idle => "idle",
            ClientState::Connecting => "connecting",
            ClientState::Syncing => "syncing",
            ClientState::Up => "up",
            ClientState::Waiting => "waiting",
        };
        let since = Some(client.since).filter(|since| *since != Time::ZERO);
        let mut row = begin(one);
        row.extend([
            Cell::text(&*client.name),
            Cell::text(state),
            Cell::span(since.map(|since| now.since(since))),
            Cell::span(client.next.map(|next| next.since(now))),
            Cell::count(client.attempts),
            Cell::count(client.connections),
            Cell::count(client.failed),
            Cell::count(client.failures),
        ]);
        rows.0.push(row);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_words_and_none_is_there_twice() {
        use Listed::{Clients, Flow, Jobs, Loops, Queues, Sockets, Timers};
        for listed in [Loops, Timers, Queues, Jobs, Sockets, Flow, Clients] {
            let mut keys: Vec<_> = columns(listed).iter().map(|column| column.key).collect();
            let word = |key: &&str| key.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
            assert!(keys.iter().all(word), "{keys:?}");
            let count = keys.len();
            keys.sort_unstable();
            keys.dedup();
            assert_eq!(keys.len(), count);
        }
    }
}

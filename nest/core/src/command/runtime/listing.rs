//! Listings of loops, page by page.

use dunlin_runtime::{Context, LoopId, Loops, Stats, Survey, WorkerStats};

use super::super::output::Output;
use super::super::session::{Desk, ENOUGH, Payload, Step, Task};
use super::json::Json;
use super::loops::{self, Rows};
use super::table::{Column, span, write_head, write_row};
use super::{Listed, Which};

/// Lists something of every loop that is wanted.
pub(in super::super) struct ShowLoops {
    listed: Listed,
    which: Which,
    json: Option<Json>,
    after: Option<LoopId>,
    asked: bool,
    begun: bool,
    silent: Silent,
}

impl ShowLoops {
    pub(in super::super) fn new(listed: Listed, which: Which, json: bool) -> Self {
        Self {
            listed,
            which,
            json: json.then(Json::default),
            after: None,
            asked: false,
            begun: false,
            silent: Silent::default(),
        }
    }

    fn ask(&mut self, cx: &mut Context<'_>, desk: &Desk) {
        self.asked = true;
        let loops = Loops::Page {
            after: self.after,
            most: PAGE,
            wanted: self.which.wanted(),
            details: matches!(self.listed, Listed::Timers | Listed::Sockets | Listed::Jobs),
        };
        desk.survey(cx, Survey { loops, handlers: false });
    }

    fn begin(&mut self, output: &mut Output) {
        begin(self.json.as_mut(), self.listed, loops::columns(self.listed), output);
    }

    fn page(&mut self, stats: &Stats, output: &mut Output) {
        for one in &stats.loops {
            let mut rows = Rows::default();
            loops::rows(self.listed, one, stats.now, &mut rows);
            for cells in rows.0 {
                write_row(loops::columns(self.listed), &cells, self.json.as_mut(), output);
            }
        }
        self.silent.say(stats, self.json.is_some(), output);
    }
}

/// Begins a listing for programs, or for people one with these columns.
pub(super) fn begin(
    json: Option<&mut Json>,
    listed: Listed,
    columns: &[Column],
    output: &mut Output,
) {
    match json {
        Some(json) => {
            json.object(output);
            json.key(output, loops::key(listed));
            json.array(output);
        }
        None => write_head(columns, output),
    }
}

/// Ends a listing and the answer.
pub(super) fn end(json: Option<&mut Json>, silent: &Silent, output: &mut Output) {
    if let Some(json) = json {
        json.end_array();
        silent.write(json, output);
        json.end_object();
        json.finish(output);
    }
    output.last(0, "");
}

/// Workers that did not answer to some question.
#[derive(Debug, Default)]
pub(super) struct Silent(Vec<usize>);

impl Silent {
    /// Those that did not answer to this question, and did to all before.
    pub(super) fn note<'s>(&mut self, stats: &'s Stats) -> Vec<&'s WorkerStats> {
        let silent = stats.workers.iter().filter(|one| !stats.complete && one.waiting.is_none());
        let new: Vec<_> = silent.filter(|one| !self.0.contains(&one.index)).collect();
        self.0.extend(new.iter().map(|one| one.index));
        new
    }

    /// Tells people of those that did not answer to this question; programs are told at the end.
    pub(super) fn say(&mut self, stats: &Stats, for_programs: bool, output: &mut Output) {
        for worker in self.note(stats) {
            if !for_programs {
                output.row(1027, &silence(worker, stats));
            }
        }
    }

    /// Writes their numbers, for programs.
    pub(super) fn write(&self, json: &mut Json, output: &mut Output) {
        json.key(output, "silent_workers");
        json.array(output);
        for worker in &self.0 {
            json.bare(output, worker + 1);
        }
        json.end_array();
    }
}

/// What to say of a worker that did not answer.
pub(in super::super) fn silence(worker: &WorkerStats, stats: &Stats) -> String {
    let number = worker.index + 1;
    match worker.running {
        Some((who, since)) => format!(
            "Thread {number:04x} does not answer: loop {} has been in one handler ({}) for {}",
            who.loop_id,
            who.handler,
            span(stats.now.since(since))
        ),
        None => format!("Thread {number:04x} does not answer"),
    }
}

impl Task for ShowLoops {
    fn step(
        &mut self,
        cx: &mut Context<'_>,
        desk: &mut Desk,
        output: &mut Output,
        answer: Option<Payload>,
    ) -> Step {
        if !core::mem::replace(&mut self.begun, true) {
            self.begin(output);
        }
        if let Some(Payload::Runtime(stats)) = answer {
            self.asked = false;
            self.page(&stats, output);
            self.after = stats.next;
            if self.after.is_none() {
                end(self.json.as_mut(), &self.silent, output);
                return Step::Done;
            }
        }
        if !self.asked && output.len() < ENOUGH {
            self.ask(cx, desk);
        }
        Step::Waiting
    }
}

/// Loops in one question: what a worker describes without a pause.
const PAGE: usize = 64;

//! Listings of loops, page by page.

use dunlin_runtime::{Context, Hindered, Hindrance, LoopId, Loops, Stats, Survey, WorkerStats};

use super::super::output::Output;
use super::super::session::{Desk, ENOUGH, Payload, Step, Task};
use super::json::Json;
use super::loops::{self, Rows};
use super::table::{Column, span, write_head, write_row};
use super::{Listed, Which};

/// What a listing shows of a page of loops.
pub(in super::super) trait Page: Send {
    /// Which listing it is.
    fn listed(&self) -> Listed;

    /// Its columns, for people.
    fn columns(&self) -> Vec<Column>;

    /// Whether timers, events, jobs, sockets and timings of loops are wanted, too.
    fn has_details(&self) -> bool;

    /// An answer: a page, or what had to be asked for to show one. The page, once it has been shown.
    fn show(
        &mut self,
        stats: Stats,
        cx: &Context<'_>,
        desk: &Desk,
        json: Option<&mut Json>,
        output: &mut Output,
    ) -> Option<Stats>;
}

/// Lists something of every loop that is wanted.
pub(in super::super) struct Paged<P> {
    page: P,
    which: Which,
    json: Option<Json>,
    after: Option<LoopId>,
    asked: bool,
    begun: bool,
    silent: Silent,
}

impl<P: Page> Paged<P> {
    pub(super) fn over(page: P, which: Which, json: bool) -> Self {
        Self {
            page,
            which,
            json: json.then(Json::default),
            after: None,
            asked: false,
            begun: false,
            silent: Silent::default(),
        }
    }

    fn ask(&mut self, cx: &Context<'_>, desk: &Desk) {
        self.asked = true;
        let (after, wanted) = (self.after, self.which.wanted());
        let loops = Loops::Page { after, most: PAGE, wanted, details: self.page.has_details() };
        desk.survey(cx, Survey { loops, handlers: false });
    }
}

/// What each loop has: timers, sockets ...
pub(in super::super) struct LoopRows(Listed);

/// Lists that.
pub(in super::super) type ShowLoops = Paged<LoopRows>;

impl ShowLoops {
    pub(in super::super) fn new(listed: Listed, which: Which, json: bool) -> Self {
        Self::over(LoopRows(listed), which, json)
    }
}

impl Page for LoopRows {
    fn listed(&self) -> Listed {
        self.0
    }

    fn columns(&self) -> Vec<Column> {
        loops::columns(self.0).to_vec()
    }

    fn has_details(&self) -> bool {
        matches!(self.0, Listed::Timers | Listed::Sockets | Listed::Jobs)
    }

    fn show(
        &mut self,
        stats: Stats,
        _: &Context<'_>,
        _: &Desk,
        mut json: Option<&mut Json>,
        output: &mut Output,
    ) -> Option<Stats> {
        for one in &stats.loops {
            let mut rows = Rows::default();
            loops::rows(self.0, one, stats.now, &mut rows);
            for cells in rows.0 {
                write_row(loops::columns(self.0), &cells, json.as_deref_mut(), output);
            }
        }
        Some(stats)
    }
}

/// Begins a listing for programs, or for people one with these columns.
fn begin(json: Option<&mut Json>, listed: Listed, columns: &[Column], output: &mut Output) {
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
fn end(json: Option<&mut Json>, silent: &Silent, output: &mut Output) {
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
    let mut text = format!("Thread {number:04x} does not answer");
    let parts = match (worker.running, worker.hindered) {
        (Some((who, since)), hindered) => {
            let span = span(stats.now.since(since));
            let (id, handler) = (who.loop_id, who.handler);
            let handler = format!("loop {id} has been in one handler ({handler}) for {span}");
            [Some(handler), hindered.map(|hindered| hindered.by.to_string())]
        }
        (None, Some(Hindered { by: Hindrance::Dead, .. })) => {
            [Some(Hindrance::Dead.to_string()), None]
        }
        (None, Some(Hindered { by, since })) => {
            let span = span(stats.now.since(since));
            let idle = format!("it has had something to do for {span} and does nothing");
            [Some(idle), Some(by.to_string())]
        }
        (None, None) => [None, None],
    };
    for (part, between) in parts.iter().zip([": ", ", "]) {
        let part = part.as_ref().into_iter();
        part.for_each(|part| text.extend([between, part]));
    }
    text
}

impl<P: Page> Task for Paged<P> {
    fn step(
        &mut self,
        cx: &mut Context<'_>,
        desk: &mut Desk,
        output: &mut Output,
        answer: Option<Payload>,
    ) -> Step {
        if !core::mem::replace(&mut self.begun, true) {
            begin(self.json.as_mut(), self.page.listed(), &self.page.columns(), output);
        }
        if let Some(Payload::Runtime(stats)) = answer
            && let Some(shown) = self.page.show(*stats, cx, desk, self.json.as_mut(), output)
        {
            self.asked = false;
            self.silent.say(&shown, self.json.is_some(), output);
            self.after = shown.next;
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

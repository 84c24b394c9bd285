//! `show events`: handlers by kind of loop, kind and class, as histograms.

use dunlin_runtime::{Context, HandlerStats, Loops, Stats, Survey, Worst};

use super::super::output::Output;
use super::super::session::{Desk, Payload, Step, Task};
use super::json::Json;
use super::listing::Silent;
use super::loops::class;
use super::table::{Cell, Column, column, write_head, write_members, write_row};
use super::timings::quantiles;
use super::worst::{Names, View};

/// Shows what handlers took and how long they waited; with `all` and in JSON also the worst of each.
pub(in super::super) struct ShowEvents {
    all: bool,
    json: bool,
    asked: bool,
    stats: Option<Stats>,
    names: Names,
}

impl ShowEvents {
    pub(in super::super) fn new(all: bool, json: bool) -> Self {
        Self { all, json, asked: false, stats: None, names: Names::default() }
    }
}

impl Task for ShowEvents {
    fn step(
        &mut self,
        cx: &mut Context<'_>,
        desk: &mut Desk,
        output: &mut Output,
        answer: Option<Payload>,
    ) -> Step {
        if !core::mem::replace(&mut self.asked, true) {
            desk.survey(cx, Survey { loops: Loops::None, handlers: true });
        }
        let Some(Payload::Runtime(stats)) = answer else { return Step::Waiting };
        let is_first = self.stats.is_none();
        if is_first {
            let all = stats.handlers.iter().chain(&stats.sites);
            self.names = Names::of(all.flat_map(worst).flatten());
        }
        // Then the names of the loops that come up.
        if let Some(survey) = self.names.learn(&stats, is_first) {
            desk.survey(cx, survey);
            self.stats.get_or_insert(*stats);
            return Step::Waiting;
        }
        let figures = &*self.stats.get_or_insert(*stats);
        let (names, runtime) = (&self.names, cx.runtime());
        let view = View { desk, stats: figures, names, runtime: &runtime };
        if self.json {
            json(&view, output)
        } else {
            table(&view, self.all, output)
        }
        output.last(0, "");
        Step::Done
    }
}

/// The longest run and the longest wait.
fn worst(one: &HandlerStats) -> [Option<Worst>; 2] {
    [one.longest, one.latest]
}

const COLUMNS: &[Column] = &[
    column("Kind", "kind", 16),
    column("Handler", "handler", 8),
    column("Class", "class", 8),
    column("Count", "count", -9),
    column("Run", "run_ns", -9),
    column("p50", "run_p50_ns", -9),
    column("p99", "run_p99_ns", -9),
    column("p99.9", "run_p999_ns", -9),
    column("Max", "run_max_ns", -9),
    column("Wait p50", "wait_p50_ns", -9),
    column("p99", "wait_p99_ns", -9),
    column("p99.9", "wait_p999_ns", -9),
    column("Max", "wait_max_ns", -9),
    column("", "wait_count", 0),
];

fn row(one: &HandlerStats) -> Vec<Cell> {
    let [p50, p99, p999, _] = quantiles(&one.run, one.longest);
    let mut row = vec![
        Cell::text(one.kind),
        Cell::text(one.handler.name()),
        class(one.class),
        Cell::count(one.run.count()),
        Cell::Span(one.run.sum()),
        p50,
        p99,
        p999,
        // None if it took no time that can be measured.
        Cell::span(one.longest.map(|worst| worst.span)),
    ];
    row.extend(quantiles(&one.wait, one.latest));
    row.push(Cell::count(one.wait.count()));
    row
}

fn table(view: &View<'_>, all: bool, output: &mut Output) {
    write_head(COLUMNS, output);
    for one in &view.stats.handlers {
        write_row(COLUMNS, &row(one), None, output);
        if all {
            view.line("longest", one.longest, output);
            view.line("latest", one.latest, output);
        }
    }
    if all {
        sites(view, output);
    }
    Silent::default().say(view.stats, false, output);
}

/// The same of each worker and each place in the program that asked for them.
fn sites(view: &View<'_>, output: &mut Output) {
    let columns: Vec<_> = SITE.iter().chain(COLUMNS).chain(ASKED).copied().collect();
    write_head(&columns, output);
    for one in &view.stats.sites {
        write_row(&columns, &site_row(view, one), None, output);
        view.line("longest", one.longest, output);
        view.line("latest", one.latest, output);
    }
}

const SITE: &[Column] = &[column("Thread", "thread", 6)];
const ASKED: &[Column] = &[column("Asked at", "asked_at", 8)];

fn site_row(view: &View<'_>, one: &HandlerStats) -> Vec<Cell> {
    let thread = one.worker.map(|worker| Cell::text(format!("{:04x}", worker + 1)));
    let place = view.runtime.place(one.place);
    let asked = place.map(|place| Cell::text(format!("{}:{}", place.file(), place.line())));
    let (thread, asked) = (thread.unwrap_or(Cell::None), asked.unwrap_or(Cell::None));
    [thread].into_iter().chain(row(one)).chain([asked]).collect()
}

fn json(view: &View<'_>, output: &mut Output) {
    let json = &mut Json::default();
    json.object(output);
    json.key(output, "events");
    json.array(output);
    for one in &view.stats.handlers {
        json.object(output);
        write_members(COLUMNS, &row(one), json, output);
        view.json("longest", one.longest, json, output);
        view.json("latest", one.latest, json, output);
        json.end_object();
    }
    json.end_array();
    json.key(output, "sites");
    json.array(output);
    let columns: Vec<_> = SITE.iter().chain(COLUMNS).chain(ASKED).copied().collect();
    for one in &view.stats.sites {
        json.object(output);
        write_members(&columns, &site_row(view, one), json, output);
        view.json("longest", one.longest, json, output);
        view.json("latest", one.latest, json, output);
        json.end_object();
    }
    json.end_array();
    let mut silent = Silent::default();
    silent.note(view.stats);
    silent.write(json, output);
    json.end_object();
    json.finish(output);
}

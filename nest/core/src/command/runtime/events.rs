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
            self.names = Names::of(stats.handlers.iter().flat_map(worst).flatten());
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
    Silent::default().say(view.stats, false, output);
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
    let mut silent = Silent::default();
    silent.note(view.stats);
    silent.write(json, output);
    json.end_object();
    json.finish(output);
}

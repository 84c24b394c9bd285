//! `show events`: handlers by kind of loop, kind and class, as histograms.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use dunlin_runtime::{
    Context, Culprit, HandlerStats, LoopId, Loops, RuntimeHandle, Stats, Survey, Who, Worst,
};

use super::super::output::Output;
use super::super::session::{Desk, Payload, Step, Task};
use super::json::Json;
use super::loops::class;
use super::table::{Cell, Column, column, span, write_head, write_members, write_row};
use crate::timeformat::WallTime;

/// Shows what handlers took and how long they waited; with `all` and in JSON also the worst of each.
pub(in super::super) struct ShowEvents {
    all: bool,
    json: bool,
    asked: bool,
    stats: Option<Stats>,
    names: Names,
}

/// Names of loops, as far as they have been told.
type Names = HashMap<LoopId, Arc<str>>;

impl ShowEvents {
    pub(in super::super) fn new(all: bool, json: bool) -> Self {
        Self { all, json, asked: false, stats: None, names: Names::new() }
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
        let Some(figures) = &self.stats else {
            // Then the names of the loops that come up.
            desk.survey(cx, Survey { loops: named(&stats, None), handlers: false });
            self.stats = Some(*stats);
            return Step::Waiting;
        };
        self.names.extend(stats.loops.iter().map(|one| (one.id, Arc::clone(&one.name))));
        if stats.next.is_some() {
            desk.survey(cx, Survey { loops: named(figures, stats.next), handlers: false });
            return Step::Waiting;
        }
        let (names, runtime) = (&self.names, cx.runtime());
        let view = View { desk, stats: figures, names, runtime: &runtime };
        if self.json {
            view.json(output)
        } else {
            view.table(self.all, output)
        }
        output.last(0, "");
        Step::Done
    }
}

/// The loops that come up as the worst, behind one of them.
fn named(stats: &Stats, after: Option<LoopId>) -> Loops {
    let worst = stats.handlers.iter().flat_map(|one| [one.longest, one.latest]).flatten();
    let who = worst.flat_map(|worst| match worst.culprit {
        Some(Culprit::Handler(culprit, _)) => [Some(worst.who), Some(culprit)],
        _ => [Some(worst.who), None],
    });
    let ids: BTreeSet<LoopId> = who.flatten().map(|who| who.loop_id).collect();
    let most = ids.len().max(1);
    let wanted = Some(Arc::new(move |_: &str, id: LoopId| ids.contains(&id)) as _);
    Loops::Page { after, most, wanted, details: false }
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
    // The maximum is exact, and a bucket reaches beyond it.
    let most = |worst: Option<Worst>| worst.map(|worst| worst.span);
    let (longest, latest) = (most(one.longest), most(one.latest));
    let run = |share| Cell::Span(one.run.per_mille(share).min(longest.unwrap_or_default()));
    let waited = one.wait.count() > 0;
    let wait = |share| {
        let span = one.wait.per_mille(share).min(latest.unwrap_or_default());
        Cell::span(waited.then_some(span))
    };
    vec![
        Cell::text(one.kind),
        Cell::text(one.handler.name()),
        class(one.class),
        Cell::count(one.run.count()),
        Cell::Span(one.run.sum()),
        run(500),
        run(990),
        run(999),
        Cell::span(longest),
        wait(500),
        wait(990),
        wait(999),
        Cell::span(waited.then_some(latest.unwrap_or_default())),
        Cell::count(one.wait.count()),
    ]
}

struct View<'v> {
    desk: &'v Desk,
    stats: &'v Stats,
    names: &'v Names,
    runtime: &'v RuntimeHandle,
}

impl View<'_> {
    fn table(&self, all: bool, output: &mut Output) {
        write_head(COLUMNS, output);
        for one in &self.stats.handlers {
            write_row(COLUMNS, &row(one), None, output);
            for (what, worst) in [("longest", one.longest), ("latest", one.latest)] {
                if let Some(worst) = worst.filter(|worst| all && !worst.span.is_zero()) {
                    output.row(1027, &self.worst(what, worst));
                }
            }
        }
        for worker in self.stats.workers.iter().filter(|_| !self.stats.complete) {
            if worker.waiting.is_none() {
                output.row(1027, &super::listing::silence(worker, self.stats));
            }
        }
    }

    fn worst(&self, what: &str, worst: Worst) -> String {
        let at = self.desk.time(self.wall(worst), |formats| &formats.base);
        let (who, took) = (self.name(worst.who), span(worst.span));
        let why = match worst.culprit {
            None => String::new(),
            Some(Culprit::Several) => "; many handlers were before it".to_owned(),
            Some(Culprit::System) => "; the system let the worker sleep for too long".to_owned(),
            Some(Culprit::Elsewhere(here)) => {
                format!("; until {} before it was on another worker", span(here))
            }
            Some(Culprit::Handler(culprit, held)) => {
                let culprit = self.name(culprit);
                format!("; {culprit} held the worker for {}", span(held))
            }
        };
        format!("\t{what}: {took} at {at}, {who}{why}")
    }

    /// When it was, on the wall clock of today.
    fn wall(&self, worst: Worst) -> WallTime {
        let now = self.desk.shared().host.now();
        WallTime(now.0.saturating_sub(self.stats.now.since(worst.at)))
    }

    fn name(&self, who: Who) -> String {
        let name = self.names.get(&who.loop_id).map(AsRef::as_ref);
        who.describe(name, self.runtime.place(who.place))
    }

    fn json(&self, output: &mut Output) {
        let json = &mut Json::default();
        json.object(output);
        json.key(output, "events");
        json.array(output);
        for one in &self.stats.handlers {
            json.object(output);
            write_members(COLUMNS, &row(one), json, output);
            self.json_worst("longest", one.longest, json, output);
            self.json_worst("latest", one.latest, json, output);
            json.end_object();
        }
        json.end_array();
        json.key(output, "silent_workers");
        json.array(output);
        for worker in self.stats.workers.iter().filter(|_| !self.stats.complete) {
            if worker.waiting.is_none() {
                json.bare(output, worker.index + 1);
            }
        }
        json.end_array();
        json.end_object();
        json.finish(output);
    }

    fn json_worst(&self, key: &str, worst: Option<Worst>, json: &mut Json, output: &mut Output) {
        json.key(output, key);
        let Some(worst) = worst else { return json.bare(output, "null") };
        let at = self.wall(worst).0;
        json.object(output);
        json.key(output, "span_ns");
        json.bare(output, worst.span.as_nanos());
        json.key(output, "at");
        json.bare(output, format_args!("{}.{:06}", at.as_secs(), at.subsec_micros()));
        self.json_who("", worst.who, json, output);
        let (kind, culprit) = match worst.culprit {
            None => (None, None),
            Some(Culprit::Several) => (Some("several"), None),
            Some(Culprit::System) => (Some("system"), None),
            Some(Culprit::Elsewhere(_)) => (Some("elsewhere"), None),
            Some(Culprit::Handler(who, held)) => (Some("handler"), Some((who, held))),
        };
        json.key(output, "culprit");
        match kind {
            Some(kind) => json.string(output, kind),
            None => json.bare(output, "null"),
        }
        if let Some((who, held)) = culprit {
            self.json_who("culprit_", who, json, output);
            json.key(output, "culprit_held_ns");
            json.bare(output, held.as_nanos());
        }
        json.end_object();
    }

    fn json_who(&self, prefix: &str, who: Who, json: &mut Json, output: &mut Output) {
        json.key(output, &format!("{prefix}loop"));
        json.bare(output, who.loop_id.number());
        json.key(output, &format!("{prefix}name"));
        match self.names.get(&who.loop_id) {
            Some(name) => json.string(output, name),
            None => json.bare(output, "null"),
        }
        json.key(output, &format!("{prefix}handler"));
        json.string(output, who.handler.name());
        json.key(output, &format!("{prefix}argument"));
        json.bare(output, who.argument);
        json.key(output, &format!("{prefix}asked_at"));
        match self.runtime.place(who.place) {
            Some(place) => json.string(output, &format!("{}:{}", place.file(), place.line())),
            None => json.bare(output, "null"),
        }
    }
}

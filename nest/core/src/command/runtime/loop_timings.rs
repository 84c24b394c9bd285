//! `show loops all`: how long the handlers of each loop took and waited, and the worst with who was to blame.

use dunlin_runtime::{Context, LoopId, LoopStats, Loops, Stats, Survey, Timings};

use super::super::output::Output;
use super::super::session::{Desk, ENOUGH, Payload, Step, Task};
use super::json::Json;
use super::listing::{self, Silent};
use super::loops::class;
use super::table::{Cell, Column, column, write_members, write_row};
use super::timings;
use super::worst::{Names, View};
use super::{Listed, Which, loops};

/// Lists loops page by page: the loops, then the names of those that kept them waiting.
pub(in super::super) struct ShowLoopTimings {
    which: Which,
    json: Option<Json>,
    /// The page under way, while names are asked for.
    page: Option<Stats>,
    names: Names,
    after: Option<LoopId>,
    asked: bool,
    begun: bool,
    silent: Silent,
}

impl ShowLoopTimings {
    pub(in super::super) fn new(which: Which, json: bool) -> Self {
        Self {
            which,
            json: json.then(Json::default),
            page: None,
            names: Names::default(),
            after: None,
            asked: false,
            begun: false,
            silent: Silent::default(),
        }
    }

    fn ask(&mut self, cx: &Context<'_>, desk: &Desk) {
        self.asked = true;
        let (after, wanted) = (self.after, self.which.wanted());
        let loops = Loops::Page { after, most: PAGE, wanted, details: true };
        desk.survey(cx, Survey { loops, handlers: false });
    }

    fn begin(&mut self, output: &mut Output) {
        listing::begin(self.json.as_mut(), Listed::Loops, &columns(), output);
    }

    /// An answer: a page, or names for one. True once a page has been shown.
    fn take(&mut self, stats: Stats, cx: &Context<'_>, desk: &Desk, output: &mut Output) -> bool {
        let is_first = self.page.is_none();
        if is_first {
            let worst = stats.loops.iter().filter_map(timings_of).flat_map(timings::worst);
            self.names = Names::of(worst.filter_map(|(_, _, worst)| worst));
        }
        if let Some(survey) = self.names.learn(&stats, is_first) {
            desk.survey(cx, survey);
            self.page.get_or_insert(stats);
            return false;
        }
        let page = self.page.take().unwrap_or(stats);
        let view = View { desk, stats: &page, names: &self.names, runtime: &cx.runtime() };
        for one in &page.loops {
            match &mut self.json {
                Some(json) => write_json(&view, one, json, output),
                None => write_lines(&view, one, output),
            }
        }
        self.silent.say(&page, self.json.is_some(), output);
        self.after = page.next;
        true
    }
}

impl Task for ShowLoopTimings {
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
        if let Some(Payload::Runtime(stats)) = answer
            && self.take(*stats, cx, desk, output)
        {
            self.asked = false;
            if self.after.is_none() {
                listing::end(self.json.as_mut(), &self.silent, output);
                return Step::Done;
            }
        }
        if !self.asked && output.len() < ENOUGH {
            self.ask(cx, desk);
        }
        Step::Waiting
    }
}

/// Who it is, in lines for people.
const WHO: [Column; 5] = [
    column("Loop", "loop", 6),
    column("Name", "name", 16),
    column("Kind", "kind", 12),
    column("Thread", "thread", 6),
    column("Class", "class", 8),
];

fn columns() -> Vec<Column> {
    WHO.into_iter().chain(timings::COLUMNS).collect()
}

fn timings_of(one: &LoopStats) -> Option<&Timings> {
    one.details.as_ref().map(|details| &details.timings)
}

fn write_lines(view: &View<'_>, one: &LoopStats, output: &mut Output) {
    let Some(timings) = timings_of(one) else { return };
    let mut row = vec![
        Cell::count(one.id.number()),
        Cell::text(&*one.name),
        Cell::text(one.kind),
        Cell::text(format!("{:04x}", one.worker + 1)),
        class(one.class),
    ];
    row.extend(timings::cells(timings));
    write_row(&columns(), &row, None, output);
    timings::lines(view, timings, output);
}

fn write_json(view: &View<'_>, one: &LoopStats, json: &mut Json, output: &mut Output) {
    let Some(timings) = timings_of(one) else { return };
    json.object(output);
    write_members(loops::columns(Listed::Loops), &loops::loop_row(one), json, output);
    json.key(output, "timings");
    json.object(output);
    timings::json(view, timings, json, output);
    json.end_object();
    json.end_object();
}

/// Loops in one question, as in other listings.
const PAGE: usize = 64;

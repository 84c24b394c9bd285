//! `show loops all`: how long the handlers of each loop took and waited, and the worst with who was to blame.

use dunlin_runtime::{Context, LoopStats, Stats, Timings};

use super::super::output::Output;
use super::super::session::Desk;
use super::json::Json;
use super::listing::{Page, Paged};
use super::loops::class;
use super::table::{Cell, Column, column, write_members, write_row};
use super::timings;
use super::worst::{Names, View};
use super::{Listed, Which, loops};

/// A page of loops, and the names of those that kept them waiting.
#[derive(Default)]
pub(in super::super) struct LoopTimings {
    /// The page under way, while names are asked for.
    page: Option<Stats>,
    names: Names,
}

/// Lists loops with their timings.
pub(in super::super) type ShowLoopTimings = Paged<LoopTimings>;

impl ShowLoopTimings {
    pub(in super::super) fn new(which: Which, json: bool) -> Self {
        Self::over(LoopTimings::default(), which, json)
    }
}

impl Page for LoopTimings {
    fn listed(&self) -> Listed {
        Listed::Loops
    }

    fn columns(&self) -> Vec<Column> {
        columns()
    }

    fn has_details(&self) -> bool {
        true
    }

    fn show(
        &mut self,
        stats: Stats,
        cx: &Context<'_>,
        desk: &Desk,
        mut json: Option<&mut Json>,
        output: &mut Output,
    ) -> Option<Stats> {
        let is_first = self.page.is_none();
        if is_first {
            let worst = stats.loops.iter().filter_map(timings_of).flat_map(timings::worst);
            self.names = Names::of(worst.filter_map(|(_, _, worst)| worst));
        }
        if let Some(survey) = self.names.learn(&stats, is_first) {
            desk.survey(cx, survey);
            self.page.get_or_insert(stats);
            return None;
        }
        let page = self.page.take().unwrap_or(stats);
        let view = View { desk, stats: &page, names: &self.names, runtime: &cx.runtime() };
        for one in &page.loops {
            match json.as_deref_mut() {
                Some(json) => write_json(&view, one, json, output),
                None => write_lines(&view, one, output),
            }
        }
        Some(page)
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

//! `filter counters on|off` and `show filter ... counters`.
//!
//! Slices run the filters of all channels, and each counts by itself; here the counts are put together.

use std::sync::Arc;

use dunlin_conf::{SourceMap, Span};
use dunlin_filter::{Counted, CountedLine, Counters, Counts, Function, Program, one_line};
use dunlin_rib::slice::{FilterCounting, SliceMessage};
use dunlin_runtime::{Class, Context};

use super::output::Output;
use super::query::FilterQuery;
use super::runtime::{Cell, Column, Json, column, write_head, write_members, write_row};
use super::session::{Desk, Payload, Step, Task};
use crate::config::{Config, Meaning};
use crate::protocol::{ChannelConfig, Direction};

/// Has all slices begin to count, or stop and forget.
pub(super) fn switch(desk: &Desk, output: &mut Output, on: bool) {
    let slices = &desk.shared().rib.slices;
    slices.send_all(Class::Control, || SliceMessage::FilterCounters(FilterCounting::Switch(on)));
    // Clients do not show what has the code 0.
    output.row(CODE, if on { "Counting from now on" } else { "Counters dropped" });
    output.last(0, "");
}

/// `show filter ... counters`: asks all slices, then shows the sum.
pub(super) struct ShowCounters {
    query: FilterQuery,
    json: bool,
    asked: bool,
    answers: usize,
    /// None while no slice has said that it counts.
    sum: Option<Counters>,
}

impl ShowCounters {
    pub(super) fn new(query: FilterQuery, json: bool) -> Self {
        Self { query, json, asked: false, answers: 0, sum: None }
    }

    fn show(&self, desk: &Desk, output: &mut Output) {
        let Some(sum) = &self.sum else {
            return output.last(8005, "Nothing is counted: filter counters on begins");
        };
        let config = desk.shared().published().config.clone();
        let parts = match parts(&config, &self.query) {
            Ok(parts) => parts,
            Err(error) => return output.last(9001, &error),
        };
        let with_lines = !matches!(self.query, FilterQuery::All);
        let text = Text { sources: &config.sources, hidden: desk.parts.restricted };
        let shown: Vec<Shown<'_>> = parts.iter().map(|part| part.shown(sum)).collect();
        match (self.json, with_lines) {
            (true, _) => in_json(output, &text, &shown, with_lines),
            (false, true) => in_lines(output, &text, &shown),
            (false, false) => {
                write_head(TOTALS, output);
                shown.iter().for_each(|shown| write_row(TOTALS, &shown.cells(), None, output));
            }
        }
        output.last(0, "");
    }
}

impl Task for ShowCounters {
    fn step(
        &mut self,
        _cx: &mut Context<'_>,
        desk: &mut Desk,
        output: &mut Output,
        answer: Option<Payload>,
    ) -> Step {
        let slices = &desk.shared().rib.slices;
        if !core::mem::replace(&mut self.asked, true) {
            // Past what waits to be imported, and behind what switched them on.
            slices.send_all(Class::Control, || {
                let reply = desk.reply(Payload::FilterCounters);
                let reply = Box::new(move |counters| reply.send(counters));
                SliceMessage::FilterCounters(FilterCounting::Read(reply))
            });
        }
        if let Some(Payload::FilterCounters(counters)) = answer {
            self.answers += 1;
            if let Some(counters) = counters {
                self.sum.get_or_insert_default().add(&counters);
            }
        }
        if self.answers < slices.count() {
            return Step::Waiting;
        }
        self.show(desk, output);
        Step::Done
    }
}

/// What is shown as a whole.
enum Part {
    Filter(String, Arc<Program>),
    Function(Arc<Function>),
}

/// A part with its figures.
struct Shown<'p> {
    kind: &'static str,
    name: &'p str,
    counted: Counted,
}

impl Part {
    fn shown(&self, counters: &Counters) -> Shown<'_> {
        match self {
            Self::Filter(name, program) => {
                Shown { kind: "filter", name, counted: counters.of_program(program) }
            }
            Self::Function(function) => Shown {
                kind: "function",
                name: function.name(),
                counted: counters.of_function(function),
            },
        }
    }
}

impl Shown<'_> {
    fn cells(&self) -> Vec<Cell> {
        let Counts { runs, accepted, rejected, failed } = self.counted.total;
        // What becomes of the route is for the filter to say that has called the function.
        let of_filter = |count| if self.kind == "filter" { Cell::Count(count) } else { Cell::None };
        vec![
            Cell::text(self.kind),
            Cell::text(self.name),
            Cell::Count(runs),
            of_filter(accepted),
            of_filter(rejected),
            of_filter(failed),
        ]
    }
}

/// The filters or functions that are asked for, and the functions that they call.
fn parts(config: &Config, query: &FilterQuery) -> Result<Vec<Part>, String> {
    match query {
        FilterQuery::All => Ok(all(config)),
        FilterQuery::Named(name) => match config.symbols.lookup(name).map(|symbol| &symbol.value) {
            Some(Meaning::Filter(program)) => Ok(filter(name.to_string(), program)),
            Some(Meaning::Function(function)) => Ok(vec![Part::Function(Arc::clone(function))]),
            _ => Err(format!("{name} is no filter and no function")),
        },
        FilterQuery::Of(way) => {
            let protocol = config.protocol(&way.protocol);
            let channels = protocol.map(|protocol| &*protocol.channels).unwrap_or_default();
            let wanted = |kind| way.channel.is_none_or(|channel| channel == kind);
            let parts: Vec<Part> = channels
                .iter()
                .filter(|channel| wanted(channel.kind))
                .filter_map(|channel| {
                    let program = channel.filter(way.direction).program()?;
                    Some(filter(name_of(&way.protocol, channel, way.direction), program))
                })
                .flatten()
                .collect();
            if parts.is_empty() {
                return Err(format!("{} has no filter there", way.protocol));
            }
            Ok(parts)
        }
    }
}

/// A filter and what it calls.
fn filter(name: String, program: &Arc<Program>) -> Vec<Part> {
    let functions = program.functions().into_iter().map(Part::Function);
    core::iter::once(Part::Filter(name, Arc::clone(program))).chain(functions).collect()
}

/// The filter of a channel, by its own name or by whose it is.
fn name_of(protocol: &str, channel: &ChannelConfig, direction: Direction) -> String {
    let word = if direction == Direction::In { "import" } else { "export" };
    match channel.filter(direction).program().and_then(|program| program.name()) {
        Some(name) => name.to_string(),
        None => format!("{protocol}.{} {word}", channel.kind),
    }
}

/// All that have a name, then those of channels that have none.
fn all(config: &Config) -> Vec<Part> {
    let named = config.symbols.iter().filter_map(|symbol| match &symbol.value {
        Meaning::Filter(program) => {
            Some(Part::Filter(symbol.name.to_string(), Arc::clone(program)))
        }
        Meaning::Function(function) => Some(Part::Function(Arc::clone(function))),
        _ => None,
    });
    let channels = config.protocols.iter().flat_map(|protocol| {
        protocol.channels.iter().map(move |channel| (&protocol.name, channel))
    });
    let unnamed = channels.flat_map(|(protocol, channel)| {
        [Direction::In, Direction::Out].into_iter().filter_map(move |direction| {
            let program = channel.filter(direction).program()?;
            let name = program.name().is_none().then(|| name_of(protocol, channel, direction))?;
            Some(Part::Filter(name, Arc::clone(program)))
        })
    });
    named.chain(unnamed).collect()
}

const TOTALS: &[Column] = &[
    column("Kind", "kind", 8),
    column("Name", "name", 20),
    column("Runs", "runs", -9),
    column("Accepted", "accepted", -9),
    column("Rejected", "rejected", -9),
    column("Failed", "failed", -7),
];

const LINES: &[Column] = &[
    column("Runs", "runs", -9),
    column("Accepted", "accepted", -9),
    column("Rejected", "rejected", -9),
    column("Failed", "failed", -7),
    column("Line", "line", 20),
    column("Text", "text", 0),
];

fn in_lines(output: &mut Output, text: &Text<'_>, shown: &[Shown<'_>]) {
    for (index, shown) in shown.iter().enumerate() {
        if index > 0 {
            output.row(CODE, "");
        }
        let Counts { runs, accepted, rejected, failed } = shown.counted.total;
        let (kind, name) = (shown.kind, shown.name);
        let plural = if runs == 1 { "" } else { "s" };
        let head = match kind {
            "filter" => format!(
                "Filter {name}: {runs} run{plural}, {accepted} accepted, {rejected} rejected, \
                 {failed} failed"
            ),
            _ => format!("Function {name}: {runs} run{plural}"),
        };
        output.row(CODE, &head);
        write_head(LINES, output);
        for line in &shown.counted.lines {
            write_row(LINES, &cells(text, line), None, output);
        }
    }
}

fn in_json(output: &mut Output, text: &Text<'_>, shown: &[Shown<'_>], with_lines: bool) {
    let json = &mut Json::default();
    json.object(output);
    json.key(output, "filters");
    json.array(output);
    for shown in shown {
        json.object(output);
        write_members(TOTALS, &shown.cells(), json, output);
        if with_lines {
            json.key(output, "lines");
            json.array(output);
            for line in &shown.counted.lines {
                write_row(LINES, &cells(text, line), Some(json), output);
            }
            json.end_array();
        }
        json.end_object();
    }
    json.end_array();
    json.end_object();
    json.finish(output);
}

/// The text that lines are of.
struct Text<'s> {
    sources: &'s SourceMap,
    /// Whoever may only look gets none of it: a password can stand in the same line.
    hidden: bool,
}

fn cells(text: &Text<'_>, line: &CountedLine) -> Vec<Cell> {
    let Counts { runs, accepted, rejected, failed } = line.counts;
    let Text { sources, hidden } = text;
    vec![
        Cell::Count(runs),
        Cell::Count(accepted),
        Cell::Count(rejected),
        Cell::Count(failed),
        Cell::text(format!("{}:{}", sources.name(line.place), line.line)),
        if *hidden { Cell::None } else { Cell::text(one_line(whole_line(sources, line.place))) },
    ]
}

/// The line of text that a span begins in.
fn whole_line(sources: &SourceMap, span: Span) -> &str {
    let text = sources.file(span.file).map_or("", |file| file.text().as_str());
    let (before, after) = text.split_at_checked(span.start as usize).unwrap_or_default();
    let start = before.rfind('\n').map_or(0, |at| at + 1);
    let end = after.find('\n').map_or(text.len(), |at| before.len() + at);
    text.get(start..end).unwrap_or_default()
}

/// The code of the rows.
const CODE: u16 = 1027;

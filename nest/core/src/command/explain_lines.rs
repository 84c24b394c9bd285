//! The answer of `show route ... explain`, for people and for programs.

use dunlin_conf::SourceMap;
use dunlin_filter::{ChannelFilter, Explanation, Verdict, place};
use dunlin_net::Network;

use super::output::Output;
use super::runtime::Json;
use crate::protocol::Direction;

/// What was decided over a route.
#[derive(Debug)]
pub(super) struct Decision<'a> {
    pub(super) table: &'a str,
    pub(super) net: Network,
    /// The protocol that it came from.
    pub(super) from: &'a str,
    /// The protocol that it would be exported to.
    pub(super) to: Option<&'a str>,
    pub(super) direction: Direction,
    pub(super) judgement: Judgement,
}

/// By what it was decided.
#[derive(Debug)]
pub(super) enum Judgement {
    /// It came through a pipe into the table.
    Piped,
    /// By a protocol's rules, before the filter: it is not exported.
    Rules(&'static str),
    Filter {
        filter: ChannelFilter,
        /// The filter is in the configuration in force, so the places are of its text.
        known: bool,
        explanation: Explanation,
        /// What else has to be said.
        note: Option<&'static str>,
    },
}

/// Writes decisions.
#[derive(Debug)]
pub(super) struct Teller {
    json: Option<Json>,
    begun: bool,
    /// The table whose heading was written last.
    table: Option<String>,
}

/// The code of rows with routes.
const ROUTE: u16 = 1007;
/// The code of rows with steps.
const STEP: u16 = 1008;

impl Teller {
    pub(super) fn new(json: bool) -> Self {
        Self { json: json.then(Json::default), begun: false, table: None }
    }

    pub(super) fn tell(
        &mut self,
        output: &mut Output,
        sources: &SourceMap,
        decision: &Decision<'_>,
    ) {
        let begun = core::mem::replace(&mut self.begun, true);
        if let Some(json) = &mut self.json {
            if !begun {
                head(json, output);
            }
            return object(json, output, sources, decision);
        }
        if self.table.as_deref() != Some(decision.table) {
            if self.table.is_some() {
                output.row(ROUTE, "");
            }
            output.row(ROUTE, &format!("Table {}:", decision.table));
            self.table = Some(decision.table.to_owned());
        }
        lines(output, sources, decision);
    }

    /// Ends the rows.
    pub(super) fn end(&mut self, output: &mut Output) {
        let Some(json) = &mut self.json else { return };
        if !self.begun {
            head(json, output);
        }
        json.end_array();
        json.end_object();
        json.finish(output);
    }
}

fn lines(output: &mut Output, sources: &SourceMap, decision: &Decision<'_>) {
    let Decision { net, from, .. } = decision;
    let to = decision.to.map(|to| format!(" to {to}")).unwrap_or_default();
    let said = sentence(sources, &decision.judgement);
    output.row(ROUTE, &format!("{net} from {from}{to}: {said}"));
    let Judgement::Filter { known, explanation, note, .. } = &decision.judgement else { return };
    if *known {
        steps(output, sources, explanation);
    }
    if let Some(note) = note {
        output.row(STEP, &format!("\tNote: {note}"));
    }
}

/// What was decided and by what.
fn sentence(sources: &SourceMap, judgement: &Judgement) -> String {
    let (filter, known, explanation) = match judgement {
        Judgement::Piped => return "came into this table through a pipe".to_owned(),
        Judgement::Rules(why) => return format!("refused before the filter, {why}"),
        Judgement::Filter { filter, known, explanation, .. } => (filter, *known, explanation),
    };
    let verdict = match &explanation.verdict {
        Verdict::Accept(None) => "accepted",
        Verdict::Accept(Some(_)) => "accepted with changes",
        Verdict::Reject => "rejected",
        Verdict::Error(_) => "rejected because it fails",
    };
    let by = match filter {
        ChannelFilter::Accept => "by \"all\"".to_owned(),
        ChannelFilter::Reject => "by \"none\"".to_owned(),
        ChannelFilter::Program(program) => match program.name() {
            Some(name) => format!("by filter {name}"),
            None => "by the filter".to_owned(),
        },
    };
    let at = match explanation.decided {
        _ if !known => " of a former configuration".to_owned(),
        Some(span) => format!(" at {}", place(sources, span)),
        None => String::new(),
    };
    format!("{verdict} {by}{at}")
}

fn steps(output: &mut Output, sources: &SourceMap, explanation: &Explanation) {
    let places = explanation.steps.iter().map(|step| place(sources, step.place));
    let places: Vec<String> = places.collect();
    let width = places.iter().map(String::len).max().unwrap_or_default();
    for (index, (step, place)) in explanation.steps.iter().zip(places).enumerate() {
        if index + 1 == explanation.steps.len() && explanation.left_off > 0 {
            output.row(STEP, &format!("\t... {} more steps", explanation.left_off));
        }
        let indent = "  ".repeat(step.depth);
        output.row(STEP, &format!("\t{place:<width$}  {indent}{}", step.line(sources)));
    }
}

fn head(json: &mut Json, output: &mut Output) {
    json.object(output);
    json.key(output, "decisions");
    json.array(output);
}

fn object(json: &mut Json, output: &mut Output, sources: &SourceMap, decision: &Decision<'_>) {
    json.object(output);
    let mut text = |key: &str, value: Option<&str>| member(json, output, key, value);
    text("table", Some(decision.table));
    text("network", Some(&decision.net.to_string()));
    text("from", Some(decision.from));
    text("to", decision.to);
    text("direction", Some(if decision.direction == Direction::In { "import" } else { "export" }));
    match &decision.judgement {
        Judgement::Piped => text("verdict", Some("piped")),
        Judgement::Rules(why) => {
            text("verdict", Some("refused"));
            text("reason", Some(why));
        }
        Judgement::Filter { filter, known, explanation, note } => {
            let (verdict, reason) = match &explanation.verdict {
                Verdict::Accept(_) => ("accepted", None),
                Verdict::Reject => ("rejected", None),
                Verdict::Error(error) => ("failed", Some(error.message.clone())),
            };
            text("verdict", Some(verdict));
            text("reason", reason.as_deref());
            text("filter", Some(&filter.to_string()));
            let decided = explanation.decided.filter(|_| *known);
            text("place", decided.map(|span| place(sources, span)).as_deref());
            text("note", *note);
            json.key(output, "changed");
            json.bare(output, matches!(explanation.verdict, Verdict::Accept(Some(_))));
            if *known {
                array(json, output, sources, explanation);
            }
        }
    }
    json.end_object();
}

fn member(json: &mut Json, output: &mut Output, key: &str, value: Option<&str>) {
    json.key(output, key);
    match value {
        Some(value) => json.string(output, value),
        None => json.bare(output, "null"),
    }
}

fn array(json: &mut Json, output: &mut Output, sources: &SourceMap, explanation: &Explanation) {
    json.key(output, "steps");
    json.array(output);
    for step in &explanation.steps {
        json.object(output);
        member(json, output, "what", Some(step.what.name()));
        json.key(output, "depth");
        json.bare(output, step.depth);
        member(json, output, "place", Some(&place(sources, step.place)));
        member(json, output, "text", Some(&step.text(sources)));
        member(json, output, "value", step.value.as_deref());
        json.key(output, "read");
        json.object(output);
        for read in &step.read {
            member(json, output, &read.text(sources), Some(&read.value));
        }
        json.end_object();
        json.end_object();
    }
    json.end_array();
    json.key(output, "left_off");
    json.bare(output, explanation.left_off);
}

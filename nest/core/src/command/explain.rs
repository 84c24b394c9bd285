//! `show route ... explain`: runs filters over routes again, watched, and tells what decided.
//!
//! Import filters see routes as they were received, which slices keep whether they were accepted or not;
//! export filters see the best route. Both run here, in the client's loop, as they are in the
//! configuration in force, whose text is shown.

use std::sync::Arc;

use dunlin_filter::{ChannelFilter, Explanation, RouteInput, Scratch, Verdict};
use dunlin_rib::export::{Deciding, ExportPolicy, RouteView};
use dunlin_rib::slice::import_input;
use dunlin_rib::validation::Validated;
use dunlin_rib::walk::{NetRows, RouteRow, Shown};
use dunlin_runtime::Context;

use super::explain_lines::{Decision, Judgement, Teller};
use super::output::Output;
use super::query::{Explain, RouteQuery, Way};
use super::route_tables::{channel_tables, choose};
use super::session::{Desk, ENOUGH, Payload, Step, Task};
use super::walk::Walker;
use crate::config::Config;
use crate::manager::{Policies, Request, unknown};
use crate::protocol::{Direction, TableEntry};

/// Networks in one piece: each can be many lines.
const PIECE: u32 = 4;

/// The command, until it is done.
pub(super) struct ExplainRoute {
    query: RouteQuery,
    way: Option<Way>,
    /// Whom `way` names.
    found: Option<Policies>,
    begun: bool,
    tables: Vec<Table>,
    at: usize,
    told: u64,
    scratch: Scratch,
    /// What ROA and ASPA tables say, for filters: the same for all routes.
    validated: Arc<Validated>,
    teller: Teller,
}

/// A table to read.
struct Table {
    entry: TableEntry,
    walker: Walker,
    filters: Filters,
}

/// Which filters are asked about the routes of a table.
#[derive(Clone)]
enum Filters {
    /// Those by which the routes came in.
    Import,
    /// What a protocol takes out of the table; only the best route of a network, or all.
    Policy(Arc<dyn ExportPolicy>, bool),
}

impl ExplainRoute {
    pub(super) fn new(query: RouteQuery, explain: Explain) -> Self {
        let Explain { way, json } = explain;
        Self {
            query,
            way,
            found: None,
            begun: false,
            tables: Vec::new(),
            at: 0,
            told: 0,
            scratch: Scratch::default(),
            validated: Arc::default(),
            teller: Teller::new(json),
        }
    }

    /// Asks who has to be known, or chooses tables at once.
    fn begin(&mut self, desk: &Desk) -> Result<(), String> {
        self.validated = desk.shared().rib.validated.load_full();
        match &self.way {
            Some(way) => {
                let name = way.protocol.clone();
                desk.ask(Request::Policies(name, desk.reply(Payload::Policies)));
                Ok(())
            }
            None => self.choose(desk, &[], |_| Some(Filters::Import)),
        }
    }

    fn found(&mut self, desk: &Desk, found: Option<Policies>) -> Result<(), String> {
        let Some(way) = self.way.clone() else { return Ok(()) };
        let Some(found) = found else { return Err(unknown(&way.protocol)) };
        let wanted = |kind| way.channel.is_none_or(|channel| channel == kind);
        let tables = channel_tables(&found.config, way.channel);
        if way.direction == Direction::In && found.inward.is_empty() {
            return self.choose(desk, &tables, |name| {
                tables.iter().any(|table| **table == *name).then_some(Filters::Import)
            });
        }
        let is_pipe = !found.inward.is_empty();
        let policies: Vec<(Arc<str>, Arc<dyn ExportPolicy>)> = match way.direction {
            Direction::In => found.inward.clone(),
            Direction::Out => {
                let of = found.channels.iter().filter(|(kind, _)| wanted(*kind));
                of.filter_map(|(kind, policy)| {
                    Some((found.config.channel(*kind)?.table.clone(), Arc::clone(policy)))
                })
                .collect()
            }
        };
        self.found = Some(found);
        if policies.is_empty() {
            return Err(format!("{} exports nothing now", way.protocol));
        }
        let implied: Vec<Arc<str>> = policies.iter().map(|(table, _)| table.clone()).collect();
        self.choose(desk, &implied, |name| {
            let (_, policy) = policies.iter().find(|(table, _)| **table == *name)?;
            Some(Filters::Policy(Arc::clone(policy), !is_pipe))
        })
    }

    /// Reads the tables that are named, or implied, as far as there is a filter to ask.
    fn choose(
        &mut self,
        desk: &Desk,
        implied: &[Arc<str>],
        filters: impl Fn(&str) -> Option<Filters>,
    ) -> Result<(), String> {
        for entry in choose(&desk.shared().published(), &self.query, implied)? {
            let Some(filters) = filters(&entry.name) else { continue };
            let shown = match filters {
                Filters::Import => Shown::Received,
                Filters::Policy(..) => Shown::Accepted,
            };
            let walker = Walker::new(entry.id, self.query.what, shown).in_pieces_of(PIECE);
            self.tables.push(Table { entry, walker, filters });
        }
        if self.tables.is_empty() { Err("No valid tables".to_owned()) } else { Ok(()) }
    }

    fn walk(&mut self, desk: &Desk, output: &mut Output, answer: Option<Payload>) -> Step {
        if let Some(Payload::Walk(reply)) = answer {
            let slices = desk.shared().rib.slices.count();
            if let Some(table) = self.tables.get_mut(self.at) {
                let nets = table.walker.take(slices, reply);
                let config = desk.shared().published().config.clone();
                nets.iter().for_each(|net| self.net(output, &config, net));
            }
        }
        loop {
            let Some(table) = self.tables.get_mut(self.at) else { return self.end(output) };
            if output.len() >= ENOUGH {
                return Step::Waiting;
            }
            if table.walker.ask(desk) {
                return Step::Waiting;
            }
            self.at += 1;
        }
    }

    fn net(&mut self, output: &mut Output, config: &Config, net: &NetRows) {
        let Some(table) = self.tables.get(self.at) else { return };
        let (filters, name) = (table.filters.clone(), table.entry.name.clone());
        for row in &net.rows {
            let judgement = match &filters {
                Filters::Import if self.is_of_another(row) => continue,
                Filters::Import => self.import(config, net, row),
                Filters::Policy(policy, _) => self.policy(config, net, row, &**policy),
            };
            let (direction, to) = match &self.way {
                Some(Way { direction: Direction::Out, protocol, .. }) => {
                    (Direction::Out, Some(&**protocol))
                }
                _ => (Direction::In, None),
            };
            let from = &*row.source.protocol;
            let decision = Decision { table: &name, net: net.net, from, to, direction, judgement };
            self.teller.tell(output, &config.sources, &decision);
            self.told += 1;
            if matches!(filters, Filters::Policy(_, true)) {
                break;
            }
        }
    }

    /// Whether only routes of another protocol are wanted.
    fn is_of_another(&self, row: &RouteRow) -> bool {
        let piped = row.pipe.is_some();
        self.way.as_ref().is_some_and(|way| piped || row.source.protocol != way.protocol)
    }

    fn import(&mut self, config: &Config, net: &NetRows, row: &RouteRow) -> Judgement {
        let Some(received) = row.received.as_ref().filter(|_| row.pipe.is_none()) else {
            return Judgement::Piped;
        };
        let validated = Arc::clone(&self.validated);
        let input = import_input(&row.source, net.net, &row.attrs, received.hop, &*validated);
        let filter = &received.filter;
        let (explanation, known) = self.explain(config, &row.source.protocol, filter, &input);
        let accepts = matches!(explanation.verdict, Verdict::Accept(_));
        let note = match (accepts, row.rejected) {
            (true, true) => Some(
                "the table has it as rejected: a limit was exceeded, or the filter has changed",
            ),
            (false, false) => Some(
                "the table has it as accepted: the filter has changed, or where the next hop leads",
            ),
            _ => None,
        };
        Judgement::Filter { filter: filter.clone(), known, explanation, note }
    }

    fn policy(
        &mut self,
        config: &Config,
        net: &NetRows,
        row: &RouteRow,
        policy: &dyn ExportPolicy,
    ) -> Judgement {
        let Some(way) = self.way.clone() else { return Judgement::Piped };
        if self.found.as_ref().is_some_and(|found| found.brought(row)) {
            return Judgement::Rules("it came from there");
        }
        let validated = Arc::clone(&self.validated);
        let view = RouteView {
            net: net.net,
            attrs: &row.attrs,
            source: &row.source,
            next_hop: &row.next_hop,
            changed: row.changed,
            validation: &*validated,
        };
        match policy.deciding(view) {
            Deciding::Rules(why) => Judgement::Rules(why),
            Deciding::Filter(filter, input) => {
                let (explanation, known) = self.explain(config, &way.protocol, filter, &input);
                Judgement::Filter { filter: filter.clone(), known, explanation, note: None }
            }
        }
    }

    /// What a filter says, and whether its places are in the text of the configuration in force.
    fn explain(
        &mut self,
        config: &Config,
        protocol: &str,
        filter: &ChannelFilter,
        input: &RouteInput<'_>,
    ) -> (Explanation, bool) {
        let known = match filter {
            ChannelFilter::Accept | ChannelFilter::Reject => Some(filter),
            ChannelFilter::Program(_) => config.same_filter(protocol, filter),
        };
        let filter = known.unwrap_or(filter);
        (dunlin_filter::explain(filter, &mut self.scratch, input), known.is_some())
    }

    fn end(&mut self, output: &mut Output) -> Step {
        self.teller.end(output);
        let lookup = self.query.what.is_lookup() && self.told == 0;
        match &self.way {
            Some(way) if lookup && way.direction == Direction::In => output.last(
                8001,
                &format!(
                    "No such route of {} is kept: none came, or it was refused before the filter, \
                     or a limit did not let it in",
                    way.protocol
                ),
            ),
            _ if lookup => output.last(8001, "Network not found"),
            _ => output.last(0, ""),
        }
        Step::Done
    }
}

impl Task for ExplainRoute {
    fn step(
        &mut self,
        _cx: &mut Context<'_>,
        desk: &mut Desk,
        output: &mut Output,
        mut answer: Option<Payload>,
    ) -> Step {
        let ready = if core::mem::replace(&mut self.begun, true) {
            match answer.take() {
                Some(Payload::Policies(found)) => self.found(desk, found),
                other => {
                    answer = other;
                    Ok(())
                }
            }
        } else {
            self.begin(desk)
        };
        if let Err(error) = ready {
            output.last(9001, &error);
            return Step::Done;
        }
        if self.tables.is_empty() {
            // The protocol has not been found yet.
            return Step::Waiting;
        }
        self.walk(desk, output, answer)
    }
}

//! `show route`: a walk over the slices, one piece at a time.

use std::sync::Arc;

use dunlin_attr::Attrs;
use dunlin_attr::display::Style;
use dunlin_filter::Scratch;
use dunlin_rib::export::{ExportPolicy, ExportVerdict, RouteView};
use dunlin_rib::validation::Validated;
use dunlin_rib::walk::{NetRows, RouteRow, Shown, WalkCounts};
use dunlin_runtime::{Context, Time};

use super::output::Output;
use super::query::{ExportKind, RouteQuery, Stats};
use super::route_lines::{Look, route};
use super::route_tables::{self, channel_tables};
use super::session::{Desk, ENOUGH, Payload, Step, Task};
use super::walk::Walker;
use crate::manager::{Policies, Request, Row, Selection, unknown};
use crate::protocol::TableEntry;
use crate::timeformat::{TimeFormat, WallTime};

/// `show route`, until it is done.
pub(super) struct ShowRoute {
    query: RouteQuery,
    /// Whom the routes go to, if that is asked.
    exporter: Option<Policies>,
    stage: Stage,
    tables: Vec<Table>,
    at: usize,
    look: Look,
    /// What ROA and ASPA tables say, for filters: the same for the whole listing.
    validated: Arc<Validated>,
    scratch: Scratch,
    clock: Clock,
    total: Counts,
    shown_tables: usize,
}

enum Stage {
    /// Nothing has been asked.
    Begin,
    /// Waits for the protocol that the routes go to or come from.
    Protocol,
    /// Reads tables.
    Walk,
}

/// A table to read.
struct Table {
    entry: TableEntry,
    walker: Walker,
    policy: Option<Arc<dyn ExportPolicy>>,
    /// It was named, so its heading is shown even if it is empty.
    explicit: bool,
    headed: bool,
    counts: Counts,
}

#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    shown: u64,
    routes: u64,
    networks: u64,
}

impl Counts {
    /// What the slices have counted, of all routes or only of each network's first.
    fn of(counted: &WalkCounts, primary: bool) -> Self {
        let (shown, routes) = match primary {
            true => (counted.primary, counted.networks),
            false => (counted.matching, counted.routes),
        };
        Self { shown, routes, networks: counted.networks }
    }

    fn add(&mut self, other: Self) {
        self.shown += other.shown;
        self.routes += other.routes;
        self.networks += other.networks;
    }
}

/// Turns the times of routes into text.
struct Clock {
    format: TimeFormat,
    wall: WallTime,
    now: Time,
    zone: i32,
}

impl Clock {
    fn show(&self, changed: Time) -> String {
        let age = self.now.since(changed);
        self.format.show(WallTime(self.wall.0.saturating_sub(age)), self.wall, self.zone)
    }
}

impl ShowRoute {
    pub(super) fn new(query: RouteQuery) -> Self {
        let clock = Clock {
            format: TimeFormat::iso_long(0),
            wall: WallTime::default(),
            now: Time::ZERO,
            zone: 0,
        };
        let look = Look { details: query.details, style: Style::V3 };
        Self {
            query,
            exporter: None,
            stage: Stage::Begin,
            tables: Vec::new(),
            at: 0,
            look,
            validated: Arc::default(),
            scratch: Scratch::default(),
            clock,
            total: Counts::default(),
            shown_tables: 0,
        }
    }

    fn begin(&mut self, cx: &Context<'_>, desk: &Desk) -> Result<(), String> {
        let shared = desk.shared();
        self.validated = shared.rib.validated.load_full();
        let wall = shared.host.now();
        let format = desk.format(|formats| &formats.route);
        self.clock = Clock { format, wall, now: cx.now(), zone: shared.host.zone(wall) };
        if desk.parts.v2_attributes {
            self.look.style = Style::V2;
        }
        if let Some(export) = &self.query.export {
            let name = export.protocol.clone();
            desk.ask(Request::Policies(name, desk.reply(Payload::Policies)));
            self.stage = Stage::Protocol;
        } else if let Some(name) = &self.query.protocol {
            let selection = Selection::Name(name.clone());
            desk.ask(Request::Rows(selection, desk.reply(Payload::Rows)));
            self.stage = Stage::Protocol;
        } else {
            self.choose_tables(desk, &[])?;
        }
        Ok(())
    }

    fn exporter(&mut self, desk: &Desk, found: Option<Policies>) -> Result<(), String> {
        let Some(export) = self.query.export.clone() else { return Ok(()) };
        let Some(found) = found else { return Err(unknown(&export.protocol)) };
        let tables = channel_tables(&found.config, export.channel);
        self.choose_tables(desk, &tables)?;
        for table in &mut self.tables {
            table.policy = found
                .channels
                .iter()
                .find(|(kind, _)| {
                    found.config.channel(*kind).is_some_and(|c| c.table == table.entry.name)
                })
                .map(|(_, policy)| Arc::clone(policy));
        }
        // Without a running channel nothing is exported to it.
        self.tables.retain(|table| table.policy.is_some());
        self.exporter = Some(found);
        Ok(())
    }

    fn origin(&mut self, desk: &Desk, rows: &[Row]) -> Result<(), String> {
        let Some(row) = rows.first() else {
            return Err(unknown(self.query.protocol.as_deref().unwrap_or_default()));
        };
        let tables: Vec<Arc<str>> =
            row.config.channels.iter().map(|channel| channel.table.clone()).collect();
        self.choose_tables(desk, &tables)
    }

    /// Tables named; else those of the protocol; else the default table of each type.
    fn choose_tables(&mut self, desk: &Desk, implied: &[Arc<str>]) -> Result<(), String> {
        let shown = if self.query.filtered { Shown::Rejected } else { Shown::Accepted };
        let explicit = self.query.tables_are_named();
        for entry in route_tables::choose(&desk.shared().published(), &self.query, implied)? {
            let mut walker = Walker::new(entry.id, self.query.what, shown);
            if self.query.only_counts() {
                walker = walker.counting(self.query.protocol.clone());
            }
            self.tables.push(Table {
                entry,
                walker,
                policy: None,
                explicit,
                headed: false,
                counts: Counts::default(),
            });
        }
        self.stage = Stage::Walk;
        Ok(())
    }

    fn walk(&mut self, desk: &Desk, output: &mut Output, answer: Option<Payload>) -> Step {
        if let Some(Payload::Walk(reply)) = answer {
            let slices = desk.shared().rib.slices.count();
            if let Some(table) = self.tables.get_mut(self.at) {
                let nets = table.walker.take(slices, reply);
                nets.iter().for_each(|net| self.net(output, net));
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
            self.table_end(output);
            self.at += 1;
        }
    }

    fn net(&mut self, output: &mut Output, net: &NetRows) {
        let mut first = true;
        let mut counted = false;
        for row in &net.rows {
            if let Some(table) = self.tables.get_mut(self.at) {
                table.counts.routes += 1;
                table.counts.networks += u64::from(!counted);
                counted = true;
            }
            if let Some(attrs) = self.visible(net, row) {
                self.show(output, net, row, &attrs, first);
                first = false;
            }
            if self.only_first() {
                break;
            }
        }
    }

    /// Whether only the best route of a network is looked at.
    fn only_first(&self) -> bool {
        let best = |to: &Policies| !to.config.kind.exports_all_routes();
        self.query.primary || self.exporter.as_ref().is_some_and(best)
    }

    fn show(
        &mut self,
        output: &mut Output,
        net: &NetRows,
        row: &RouteRow,
        attrs: &Attrs,
        first: bool,
    ) {
        self.head(output);
        if let Some(table) = self.tables.get_mut(self.at) {
            table.counts.shown += 1;
        }
        if self.query.stats != Stats::Only {
            let time = self.clock.show(row.changed);
            route(output, self.look, (net.net, first), row, attrs, &time);
        }
    }

    /// The attributes to show, if the route is to be shown at all.
    fn visible(&mut self, net: &NetRows, row: &RouteRow) -> Option<Arc<Attrs>> {
        if self.query.protocol.as_ref().is_some_and(|name| *name != row.source.protocol) {
            return None;
        }
        let attrs = self.exported(net, row)?;
        match &self.query.filter {
            Some(filter) => {
                let (scratch, validated) = (&mut self.scratch, &*self.validated);
                super::route_filter::apply(filter, scratch, net.net, row, &attrs, validated)
            }
            None => Some(attrs),
        }
    }

    fn exported(&mut self, net: &NetRows, row: &RouteRow) -> Option<Arc<Attrs>> {
        let Some(export) = &self.query.export else { return Some(Arc::clone(&row.attrs)) };
        if self.exporter.as_ref().is_some_and(|exporter| exporter.brought(row)) {
            // A route is never sent back to where it came from.
            return None;
        }
        let policy = self.tables.get(self.at)?.policy.clone()?;
        let view = RouteView {
            net: net.net,
            attrs: &row.attrs,
            source: &row.source,
            next_hop: &row.next_hop,
            changed: row.changed,
            validation: &*self.validated,
        };
        let verdict = policy.evaluate(&mut self.scratch, view);
        match (export.kind, verdict) {
            (ExportKind::Export | ExportKind::Exported, ExportVerdict::AsIs) => {
                Some(Arc::clone(&row.attrs))
            }
            (ExportKind::Export | ExportKind::Exported, ExportVerdict::Changed(attrs)) => {
                Some(attrs)
            }
            (ExportKind::NoExport, ExportVerdict::Filtered)
            | (ExportKind::PreExport, ExportVerdict::Filtered | ExportVerdict::AsIs)
            | (ExportKind::PreExport, ExportVerdict::Changed(_)) => Some(Arc::clone(&row.attrs)),
            _ => None,
        }
    }

    /// The heading of the present table, once, with an empty line in front if it is not the first.
    fn head(&mut self, output: &mut Output) {
        let Some(table) = self.tables.get_mut(self.at) else { return };
        if table.headed || self.query.stats == Stats::Only {
            return;
        }
        table.headed = true;
        if self.shown_tables > 0 {
            output.row(1007, "");
        }
        self.shown_tables += 1;
        output.row(1007, &format!("Table {}:", table.entry.name));
    }

    fn table_end(&mut self, output: &mut Output) {
        let primary = self.only_first();
        if let Some(table) = self.tables.get_mut(self.at)
            && let Some(counted) = table.walker.counted()
        {
            table.counts = Counts::of(&counted, primary);
        }
        let explicit = self.tables.get(self.at).is_some_and(|table| table.explicit);
        if explicit && !self.query.what.is_lookup() {
            self.head(output);
        }
        let Some(table) = self.tables.get(self.at) else { return };
        let (counts, name) = (table.counts, &table.entry.name);
        self.total.add(counts);
        if self.query.stats != Stats::Off {
            output.row(1007, &format!("{} in table {name}", counted(counts)));
        }
    }

    fn end(&self, output: &mut Output) -> Step {
        if self.query.stats != Stats::Off && self.tables.len() > 1 {
            let tables = self.tables.len();
            output.last(14, &format!("Total: {} in {tables} tables", counted(self.total)));
        } else if self.query.what.is_lookup() && self.total.routes == 0 {
            output.last(8001, "Network not found");
        } else {
            output.last(0, "");
        }
        Step::Done
    }
}

fn counted(counts: Counts) -> String {
    let Counts { shown, routes, networks } = counts;
    format!("{shown} of {routes} routes for {networks} networks")
}

impl Task for ShowRoute {
    fn step(
        &mut self,
        cx: &mut Context<'_>,
        desk: &mut Desk,
        output: &mut Output,
        mut answer: Option<Payload>,
    ) -> Step {
        let ready = match (&self.stage, answer.take()) {
            (Stage::Begin, _) => self.begin(cx, desk),
            (Stage::Protocol, Some(Payload::Policies(found))) => self.exporter(desk, found),
            (Stage::Protocol, Some(Payload::Rows(rows))) => self.origin(desk, &rows),
            (Stage::Protocol, _) => return Step::Waiting,
            (Stage::Walk, other) => {
                answer = other;
                Ok(())
            }
        };
        if let Err(error) = ready {
            output.last(9001, &error);
            return Step::Done;
        }
        match self.stage {
            Stage::Walk => self.walk(desk, output, answer),
            Stage::Begin | Stage::Protocol => Step::Waiting,
        }
    }
}

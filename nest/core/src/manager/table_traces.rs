//! What is traced of tables.

use std::sync::Arc;

use dunlin_rib::TableId;
use dunlin_rib::trace::RouteTrace;

use crate::config::{DebugFlags, Globals};
use crate::log::Log;
use crate::protocol::{TableEntry, table_trace};

/// The tables that there are, with the flags of the configuration in force.
#[derive(Debug, Default)]
pub(super) struct TableTraces {
    list: Vec<Traced>,
}

#[derive(Debug)]
struct Traced {
    table: TableEntry,
    trace: Arc<RouteTrace>,
    /// As last configured.
    flags: DebugFlags,
    /// It has not been said that it is there.
    new: bool,
}

impl TableTraces {
    /// A table that is new, untraced until it is configured.
    pub(super) fn add(&mut self, log: &Log, table: &TableEntry) -> Arc<RouteTrace> {
        let trace = table_trace(log, &table.name, DebugFlags::OFF);
        let (table, flags) = (table.clone(), DebugFlags::OFF);
        self.list.push(Traced { table, trace: Arc::clone(&trace), flags, new: true });
        trace
    }

    /// Takes the flags of a configuration. A table that is leaving keeps its own.
    pub(super) fn configure(&mut self, globals: &Globals) {
        for traced in &mut self.list {
            let table = &traced.table;
            let same = |config: &&crate::config::TableConfig| {
                config.name == table.name && config.net_type == table.net_type
            };
            if let Some(config) = globals.tables.iter().find(same) {
                traced.flags = globals.table_flags(config);
                traced.trace.set_flags(traced.flags.of_routes());
            }
            if core::mem::take(&mut traced.new) {
                traced.say("added");
            }
        }
    }

    /// A table has gone.
    pub(super) fn remove(&mut self, id: TableId) {
        if let Some(at) = self.list.iter().position(|traced| traced.table.id == id) {
            self.list.swap_remove(at).say("removed");
        }
    }
}

impl Traced {
    fn say(&self, what: &str) {
        if self.flags.has(DebugFlags::STATES) {
            self.trace.line(format_args!("{what}"));
        }
    }
}

//! Which tables a command about routes reads.

use std::sync::Arc;

use super::query::{RouteQuery, Wanted};
use crate::config::Config;
use crate::manager::Published;
use crate::protocol::{ChannelKind, InstanceConfig, TableEntry, Tables};

/// Tables named; else those that something else implies; else the default table of each type. At
/// least one.
///
/// # Errors
/// What a client is told if there is none that fits.
pub(super) fn choose(
    published: &Published,
    query: &RouteQuery,
    implied: &[Arc<str>],
) -> Result<Vec<TableEntry>, String> {
    let (known, explicit) = (&*published.tables, query.tables_are_named());
    let names: Vec<Arc<str>> = if query.all_tables {
        known.iter().map(|table| table.name.clone()).collect()
    } else if explicit {
        query.tables.clone()
    } else if implied.is_empty() {
        default_tables(&published.config)
    } else {
        implied.to_vec()
    };
    let mut chosen = Vec::new();
    for name in names {
        chosen.extend(fitting(query.what, known, &name, explicit)?);
    }
    if chosen.is_empty() { Err("No valid tables".to_owned()) } else { Ok(chosen) }
}

/// The table, if networks of the wanted kind can be in it.
fn fitting(
    what: Wanted,
    known: &Tables,
    name: &str,
    explicit: bool,
) -> Result<Option<TableEntry>, String> {
    let Some(entry) = known.named(name) else { return Ok(None) };
    match what.net_type() {
        Some(wanted) if wanted != entry.net_type && explicit => {
            Err(format!("Incompatible type of prefix/ip in table {name}"))
        }
        Some(wanted) if wanted != entry.net_type => Ok(None),
        _ => Ok(Some(entry.clone())),
    }
}

/// The tables of a protocol's channels, or of one of them.
pub(super) fn channel_tables(
    config: &InstanceConfig,
    channel: Option<ChannelKind>,
) -> Vec<Arc<str>> {
    config
        .channels
        .iter()
        .filter(|known| channel.is_none_or(|kind| kind == known.kind))
        .map(|channel| channel.table.clone())
        .collect()
}

/// The first table of each type.
fn default_tables(config: &Config) -> Vec<Arc<str>> {
    let mut types = Vec::new();
    let mut names = Vec::new();
    for table in &config.globals.tables {
        if !types.contains(&table.net_type) {
            types.push(table.net_type);
            names.push(table.name.clone());
        }
    }
    names
}

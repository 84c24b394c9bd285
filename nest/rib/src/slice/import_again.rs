//! Evaluating a changed import filter over the routes that were kept.

use std::sync::Arc;

use super::attrs::NIL;
use super::pipes::NO_PIPE;
use super::table::{Env, Table};
use crate::import::TableKey;

/// Runs the import filter over one route again, if it is of one of these sources.
pub(crate) fn again<K: TableKey>(
    table: &mut Table<K>,
    at: u32,
    sources: &[u16],
    env: &mut Env<'_>,
) {
    let route = table.routes[at];
    if route.net == NIL || route.via != NO_PIPE || !sources.contains(&route.source) {
        return;
    }
    let received = with_preference(table, route.received, route.source, env);
    let key = table.nets[route.net].key;
    let accepted = table.accept(route.source, received, Some(key), env);
    let before = env.sources.at(route.source).delta;
    table.replace(at, received, accepted, env);
    // Not an update from the neighbour: BIRD's columns count what was received.
    let filter_runs = env.sources.at(route.source).delta.filter_runs;
    env.sources.at_mut(route.source).delta = crate::counters::ImportDelta { filter_runs, ..before };
    table.release(accepted, env);
    table.release(received, env);
}

/// The received set with the channel's present preference; takes a reference.
fn with_preference<K: TableKey>(
    table: &mut Table<K>,
    received: u32,
    source: u16,
    env: &mut Env<'_>,
) -> u32 {
    let local = env.sources.at(source);
    let set = table.sets.set(received);
    if set.preference() == local.preference {
        table.sets.hold(received);
        return received;
    }
    let mut builder = set.edit();
    builder.set_preference(local.preference);
    let changed: Arc<_> = builder.finish();
    let resolve = local.source.resolve;
    table.intern(&changed, resolve, env)
}

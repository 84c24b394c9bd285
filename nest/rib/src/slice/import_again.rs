//! Evaluating a changed import filter over the routes that were kept.

use dunlin_filter::PrefixSet;

use super::attrs::NIL;
use super::import::reads_net;
use super::pipes::NO_PIPE;
use super::table::{Env, Table};
use crate::counters::ImportDelta;
use crate::import::TableKey;

/// The last verdict: routes of one set mostly come together. Its sets are held.
#[derive(Debug, Default)]
pub(crate) struct Memo {
    source: u16,
    /// The set as it was kept; [`NIL`] if nothing is remembered.
    kept: u32,
    /// The same with the channel's present preference.
    received: u32,
    accepted: u32,
}

impl<K: TableKey> Table<K> {
    /// As [`again`](Self::again); notes what becomes of the route if its source may be traced.
    pub(crate) fn import_again(
        &mut self,
        at: u32,
        sources: &[u16],
        traced: bool,
        memo: &mut Memo,
        env: &mut Env<'_>,
    ) {
        let before = if traced { self.before_again(at, env) } else { None };
        self.again(at, sources, memo, env);
        if let Some(before) = before {
            self.note_again(at, &before, env);
        }
    }

    /// Runs the import filters of sources over the routes of a network again, if it is one of these; how many routes it
    /// has.
    pub(crate) fn import_part(
        &mut self,
        net: u32,
        nets: &PrefixSet,
        sources: &[u16],
        traced: bool,
        memo: &mut Memo,
        env: &mut Env<'_>,
    ) -> u32 {
        let record = self.nets[net];
        let chosen = |prefix| nets.contains(prefix);
        if record.first == NIL || !record.key.network().plain().is_some_and(chosen) {
            return 0;
        }
        let (mut at, mut count) = (record.first, 0);
        while at != NIL {
            let next = self.routes[at].next;
            self.import_again(at, sources, traced, memo, env);
            (at, count) = (next, count + 1);
        }
        count
    }

    /// Runs the import filter over one route again, if it is of one of these sources.
    fn again(&mut self, at: u32, sources: &[u16], memo: &mut Memo, env: &mut Env<'_>) {
        let route = self.routes[at];
        if route.net == NIL
            || route.via != NO_PIPE
            || !sources.contains(&route.source)
            || env.sources.is_dead(route.source)
        {
            return;
        }
        let any_net = !reads_net(&env.sources.at(route.source).filter);
        if !(any_net && memo.kept == route.received && memo.source == route.source) {
            self.forget_memo(memo, env);
            let received = self.with_preference(route.received, route.source, env);
            let key = self.nets[route.net].key;
            let accepted = self.accept(route.source, received, key, env);
            self.sets.hold(route.received);
            *memo = Memo { source: route.source, kept: route.received, received, accepted };
        }
        let before = env.sources.at(route.source).delta;
        self.replace(at, memo.received, memo.accepted, env);
        // Not an update from the neighbour: BIRD's columns count what was received.
        let delta = &mut env.sources.at_mut(route.source).delta;
        let updates_limited = delta.updates_limited;
        *delta = ImportDelta { updates_limited, ..before };
    }

    /// Gives the sets of a memo back.
    pub(crate) fn forget_memo(&mut self, memo: &mut Memo, env: &mut Env<'_>) {
        let Memo { kept, received, accepted, .. } = core::mem::take(memo);
        self.release(kept, env);
        self.release(received, env);
        self.release(accepted, env);
    }

    /// The received set with the channel's present preference; takes a reference.
    fn with_preference(&mut self, received: u32, source: u16, env: &mut Env<'_>) -> u32 {
        let local = env.sources.at(source);
        let set = self.sets.set(received);
        if set.preference() == local.preference {
            self.sets.hold(received);
            return received;
        }
        let mut builder = set.edit();
        builder.set_preference(local.preference);
        let changed = builder.finish();
        let resolve = local.source.resolve;
        self.intern(&changed, resolve, env)
    }
}

//! Applying a batch: import filter, limits, and the routes themselves.

use core::ops::Range;
use std::sync::Arc;

use dunlin_attr::Attrs;
use dunlin_filter::ChannelFilter;

use super::attrs::NIL;
use super::pipes::NO_PIPE;
use super::policy::{ImportResult, import_verdict};
use super::table::{Env, Place, Route, RouteId, Table};
use super::traced::is_traced;
use super::verdicts::{Key, Known};
use super::warm;
use crate::import::{ImportBatch, NONE, Op, TableKey};

/// What a batch's attribute set has come to.
#[derive(Clone, Copy, Default)]
struct Prepared {
    received: u32,
    /// The filter's verdict, if it holds for every network.
    accepted: Option<u32>,
}

impl<K: TableKey> Table<K> {
    /// Applies some of a batch of a living source, if it is of the table's type.
    pub(crate) fn import_own(
        &mut self,
        source: u16,
        batch: &ImportBatch,
        some: Range<usize>,
        env: &mut Env<'_>,
    ) {
        let Some(ops) = K::own_ops(&batch.ops).and_then(|ops| ops.get(some)) else { return };
        match is_traced(&batch.source) {
            false => self.import(source, &batch.attrs, ops, env),
            true => self.import_traced(source, &batch.attrs, ops, env),
        }
    }

    pub(super) fn import(
        &mut self,
        source: u16,
        attrs: &[Arc<Attrs>],
        ops: &[Op<K>],
        env: &mut Env<'_>,
    ) {
        let mut prepared: Vec<Option<Prepared>> = vec![None; attrs.len()];
        for piece in ops.chunks(warm::PIECE) {
            let (hashes, nets) = self.warm(piece, attrs);
            for ((op, hash), net) in piece.iter().zip(hashes).zip(nets) {
                let place = Place { hash, net };
                self.apply(source, attrs, &mut prepared, op, place, env);
            }
        }
        for known in prepared.into_iter().flatten() {
            self.release(known.received, env);
            self.release(known.accepted.unwrap_or(NIL), env);
        }
    }

    fn apply(
        &mut self,
        source: u16,
        attrs: &[Arc<Attrs>],
        prepared: &mut [Option<Prepared>],
        op: &Op<K>,
        place: Place,
        env: &mut Env<'_>,
    ) {
        let id = RouteId { source, path_id: op.path_id, via: NO_PIPE };
        if op.attrs == NONE {
            return self.withdraw(op.key, place, id, env);
        }
        let index = op.attrs as usize;
        let (Some(set), Some(slot)) = (attrs.get(index), prepared.get(index)) else { return };
        let known = match *slot {
            Some(known) => known,
            None => {
                let before = index.checked_sub(1).and_then(|before| prepared[before]);
                let known = self.prepare(source, set, before.unwrap_or_default(), op.key, env);
                *prepared[index].insert(known)
            }
        };
        let net = self.net(op.key, place);
        match known.accepted {
            Some(accepted) => self.announce(net, id, known.received, accepted, env),
            None => {
                let accepted = self.accept(source, known.received, op.key, env);
                self.announce(net, id, known.received, accepted, env);
                self.release(accepted, env);
            }
        }
    }

    /// Interns a set and runs the filter, unless the set is that of the one before.
    fn prepare(
        &mut self,
        source: u16,
        set: &Arc<Attrs>,
        before: Prepared,
        first: K,
        env: &mut Env<'_>,
    ) -> Prepared {
        let local = env.sources.at(source);
        let resolve = local.source.resolve;
        let any_net = !reads_net(&local.filter);
        let received = self.intern(set, resolve, env);
        if let Some(accepted) = before.accepted.filter(|_| before.received == received) {
            self.sets.hold(accepted);
            return before;
        }
        let accepted = any_net.then(|| self.accept(source, received, first, env));
        Prepared { received, accepted }
    }

    /// Runs the import filter of a source over a set, unless its verdict is known; returns a held set,
    /// [`NIL`] if rejected.
    pub(crate) fn accept(&mut self, source: u16, received: u32, key: K, env: &mut Env<'_>) -> u32 {
        let local = env.sources.at(source);
        let program = match &local.filter {
            ChannelFilter::Accept => {
                self.sets.hold(received);
                return received;
            }
            ChannelFilter::Reject => return NIL,
            ChannelFilter::Program(program) => program,
        };
        let asked = Key { filter: local.number, source: local.number, set: received };
        if let Some(Known { set, .. }) = self.verdicts.get(&self.sets, asked) {
            env.sources.at_mut(source).delta.filter_reused += 1;
            self.sets.hold(set);
            return set;
        }
        let (set, hop) = (self.sets.set(received), self.hop_of(received));
        let (net, own, tables) = (key.network(), &local.source, &**env.validated);
        let verdict = import_verdict(program, own, env.scratch, net, set, hop, tables);
        let resolve = local.source.resolve;
        env.sources.at_mut(source).delta.filter_runs += 1;
        let accepted = match verdict.result {
            ImportResult::Reject => NIL,
            ImportResult::Accept(None) => {
                self.sets.hold(received);
                received
            }
            ImportResult::Accept(Some(changed)) => self.intern(&changed, resolve, env),
        };
        if verdict.is_lasting {
            self.verdicts.put(&self.sets, asked, Known { kind: 0, set: accepted });
        }
        accepted
    }

    /// Adds a route to a network or replaces it. Takes references of its own.
    pub(crate) fn announce(
        &mut self,
        net: u32,
        id: RouteId,
        received: u32,
        accepted: u32,
        env: &mut Env<'_>,
    ) {
        let local = env.sources.at_mut(id.source);
        local.delta.updates_received += 1;
        if let Some(old) = self.find_route(net, id) {
            self.replace(old, received, accepted, env);
            return;
        }
        if !local.admit_received() {
            self.drop_net_if_empty(net);
            return;
        }
        let mut accepted = accepted;
        if accepted != NIL && !local.admit_accepted() {
            if !local.source.keep_filtered {
                local.dismiss_received();
                self.drop_net_if_empty(net);
                return;
            }
            // What the import limit blocks is handled like what the filter rejects.
            accepted = NIL;
        } else {
            count_update(id.source, accepted, env);
        }
        self.touch(net);
        self.sets.hold(received);
        self.sets.hold(accepted);
        let handle = self.insert_route(Route {
            net,
            received,
            accepted,
            path_id: id.path_id,
            changed: env.now,
            source: id.source,
            via: id.via,
            ..Route::default()
        });
        self.note_piped(handle, accepted);
    }

    /// Gives a route new sets; counts it as ignored if they are what it has.
    pub(crate) fn replace(&mut self, handle: u32, received: u32, accepted: u32, env: &mut Env<'_>) {
        let old = self.routes[handle];
        let local = env.sources.at_mut(old.source);
        if old.received == received && old.accepted == accepted {
            local.delta.updates_ignored += 1;
            return;
        }
        let mut accepted = accepted;
        match (old.accepted == NIL, accepted == NIL) {
            // Beyond the limit the route is kept as if it were rejected; the limit has counted it.
            (true, false) if !local.admit_accepted() => accepted = NIL,
            (false, true) => {
                local.dismiss_accepted();
                count_update(old.source, accepted, env);
            }
            _ => count_update(old.source, accepted, env),
        }
        self.sets.hold(received);
        self.sets.hold(accepted);
        if old.accepted != accepted {
            self.touch(old.net);
            self.unlink_set(handle);
            self.routes[handle].accepted = accepted;
            self.link_set(handle, accepted);
        }
        let route = &mut self.routes[handle];
        (route.received, route.changed) = (received, env.now);
        self.release(old.received, env);
        self.release(old.accepted, env);
        if old.accepted != accepted {
            self.note_piped(handle, accepted);
        }
    }

    /// Removes a route.
    fn withdraw(&mut self, key: K, place: Place, id: RouteId, env: &mut Env<'_>) {
        let found = self.find_placed(key, place).and_then(|net| self.find_route(net, id));
        let delta = &mut env.sources.at_mut(id.source).delta;
        delta.withdraws_received += 1;
        let Some(handle) = found else {
            delta.withdraws_ignored += 1;
            return;
        };
        delta.withdraws_accepted += 1;
        self.touch(self.routes[handle].net);
        self.note_piped(handle, NIL);
        self.remove_route(handle, env);
    }
}

/// Whether a filter's verdict depends on the network.
pub(crate) fn reads_net(filter: &ChannelFilter) -> bool {
    match filter {
        ChannelFilter::Accept | ChannelFilter::Reject => false,
        // What a filter prints is wanted for each route.
        ChannelFilter::Program(program) => program.reads_prefix() || program.prints(),
    }
}

fn count_update(source: u16, accepted: u32, env: &mut Env<'_>) {
    let delta = &mut env.sources.at_mut(source).delta;
    if accepted == NIL {
        delta.updates_filtered += 1;
    } else {
        delta.updates_accepted += 1;
    }
}

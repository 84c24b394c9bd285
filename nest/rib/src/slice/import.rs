//! Applying a batch: import filter, limits, and the routes themselves.

use std::sync::Arc;

use crate::shim::ChannelFilter;
use dunlin_attr::Attrs;
use dunlin_net::NetKey;

use super::attrs::NIL;
use super::pipes::NO_PIPE;
use super::policy::{ImportVerdict, import_verdict};
use super::table::{Env, Route, RouteId, Table};
use crate::import::{NONE, Op, TableKey};
use crate::limits::{Limit, LimitKind};

/// What a batch's attribute set has come to.
#[derive(Clone, Copy)]
struct Prepared {
    received: u32,
    /// The filter's verdict, if it holds for every network.
    accepted: Option<u32>,
}

impl<K: TableKey> Table<K> {
    /// Applies a batch of a living source.
    pub(crate) fn import(
        &mut self,
        source: u16,
        attrs: &[Arc<Attrs>],
        ops: &[Op<K>],
        env: &mut Env<'_>,
    ) {
        let mut prepared: Vec<Option<Prepared>> = vec![None; attrs.len()];
        for op in ops {
            let id = RouteId { source, path_id: op.path_id, via: NO_PIPE };
            if op.attrs == NONE {
                self.withdraw(op.key, id, env);
                continue;
            }
            let index = op.attrs as usize;
            let (Some(set), Some(slot)) = (attrs.get(index), prepared.get_mut(index)) else {
                continue;
            };
            let known = match *slot {
                Some(known) => known,
                None => *slot.insert(self.prepare(source, set, env)),
            };
            let accepted = match known.accepted {
                Some(accepted) => {
                    self.sets.hold(accepted);
                    accepted
                }
                None => self.accept(source, known.received, Some(op.key), env),
            };
            self.announce(op.key, id, known.received, accepted, env);
            self.release(accepted, env);
        }
        for known in prepared.into_iter().flatten() {
            self.release(known.received, env);
            self.release(known.accepted.unwrap_or(NIL), env);
        }
    }

    fn prepare(&mut self, source: u16, set: &Arc<Attrs>, env: &mut Env<'_>) -> Prepared {
        let local = env.sources.at(source);
        let resolve = local.source.resolve;
        let any_net = match &local.filter {
            ChannelFilter::Accept | ChannelFilter::Reject => true,
            ChannelFilter::Program(program) => !program.reads_prefix(),
        };
        let received = self.intern(set, resolve, env);
        let accepted = any_net.then(|| self.accept(source, received, None, env));
        Prepared { received, accepted }
    }

    /// Runs the import filter of a source over a set; returns a held set, [`NIL`] if rejected.
    pub(crate) fn accept(
        &mut self,
        source: u16,
        received: u32,
        key: Option<K>,
        env: &mut Env<'_>,
    ) -> u32 {
        let local = env.sources.at(source);
        match &local.filter {
            ChannelFilter::Accept => {
                self.sets.hold(received);
                return received;
            }
            ChannelFilter::Reject => return NIL,
            ChannelFilter::Program(_) => {}
        }
        let hop = self.hop_of(received);
        let net = key.map(NetKey::prefix);
        let verdict = import_verdict(local, env.scratch, net, self.sets.set(received), hop);
        let resolve = local.source.resolve;
        env.sources.at_mut(source).delta.filter_runs += 1;
        match verdict {
            ImportVerdict::Reject => NIL,
            ImportVerdict::Accept(None) => {
                self.sets.hold(received);
                received
            }
            ImportVerdict::Accept(Some(changed)) => self.intern(&changed, resolve, env),
        }
    }

    /// Adds or replaces a route. Takes references of its own.
    pub(crate) fn announce(
        &mut self,
        key: K,
        id: RouteId,
        received: u32,
        accepted: u32,
        env: &mut Env<'_>,
    ) {
        let net = self.net(key);
        let delta = &mut env.sources.at_mut(id.source).delta;
        delta.updates_received += 1;
        match self.find_route(net, id) {
            Some(old) => self.replace(old, received, accepted, env),
            None => {
                if !self.within_limits(id.source, accepted, env) {
                    self.drop_net_if_empty(net);
                    return;
                }
                count_update(id.source, accepted, env);
                self.touch(net);
                self.sets.hold(received);
                self.sets.hold(accepted);
                let route = Route {
                    net,
                    received,
                    accepted,
                    path_id: id.path_id,
                    changed: env.now,
                    source: id.source,
                    via: id.via,
                    ..Route::default()
                };
                let handle = self.insert_route(route);
                self.count_route(&route, 1, env);
                self.note_piped(handle, accepted);
            }
        }
    }

    /// Gives a route new sets; counts it as ignored if they are what it has.
    pub(crate) fn replace(&mut self, handle: u32, received: u32, accepted: u32, env: &mut Env<'_>) {
        let old = self.routes[handle];
        if old.received == received && old.accepted == accepted {
            env.sources.at_mut(old.source).delta.updates_ignored += 1;
            return;
        }
        let newly_accepted = old.accepted == NIL && accepted != NIL;
        if newly_accepted && !self.within_import_limit(old.source, env) {
            return;
        }
        count_update(old.source, accepted, env);
        self.touch(old.net);
        self.unlink_set(handle);
        self.sets.hold(received);
        self.sets.hold(accepted);
        let route = &mut self.routes[handle];
        (route.received, route.accepted, route.changed) = (received, accepted, env.now);
        self.link_set(handle, accepted);
        self.release(old.received, env);
        self.release(old.accepted, env);
        let shift = i64::from(accepted != NIL) - i64::from(old.accepted != NIL);
        env.sources.at_mut(old.source).accepted += shift;
        self.note_piped(handle, accepted);
    }

    /// Removes a route.
    pub(crate) fn withdraw(&mut self, key: K, id: RouteId, env: &mut Env<'_>) {
        let found = self.find_net(key).and_then(|net| self.find_route(net, id));
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

    fn within_limits(&self, source: u16, accepted: u32, env: &mut Env<'_>) -> bool {
        let local = env.sources.at(source);
        let shared = &local.source;
        let Some(limit) = &shared.limits.receive else {
            return accepted == NIL || self.within_import_limit(source, env);
        };
        // Counted per slice in `received` and over all slices in the gauge.
        let counted = shared.gauges.received.load(core::sync::atomic::Ordering::Relaxed);
        let total = counted.saturating_add_signed(local.received);
        if total >= limit.max && strike(local, limit, LimitKind::Receive) {
            env.sources.at_mut(source).delta.updates_receive_limited += 1;
            return false;
        }
        accepted == NIL || self.within_import_limit(source, env)
    }

    fn within_import_limit(&self, source: u16, env: &mut Env<'_>) -> bool {
        let local = env.sources.at(source);
        let Some(limit) = &local.source.limits.import else { return true };
        let counted = local.source.gauges.accepted.load(core::sync::atomic::Ordering::Relaxed);
        let total = counted.saturating_add_signed(local.accepted);
        if total >= limit.max && strike(local, limit, LimitKind::Import) {
            env.sources.at_mut(source).delta.updates_limited += 1;
            return false;
        }
        true
    }
}

/// Reports a limit once; returns whether the route must be dropped.
fn strike(local: &super::sources::Local, limit: &Limit, kind: LimitKind) -> bool {
    if limit.strike() {
        local.source.events.limit_hit(local.source.id, kind);
    }
    limit.drops()
}

fn count_update(source: u16, accepted: u32, env: &mut Env<'_>) {
    let delta = &mut env.sources.at_mut(source).delta;
    if accepted == NIL {
        delta.updates_filtered += 1;
    } else {
        delta.updates_accepted += 1;
    }
}

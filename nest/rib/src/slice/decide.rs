//! Choosing best routes, and telling those who follow.

use core::cmp::Ordering;

use super::attrs::NIL;
use super::best::{Candidate, compare};
use super::table::{BEST, DIRTY, Dirty, Env, Table};
use crate::import::TableKey;
use crate::nexthop::NextHopState;

/// A best route: its accepted set and its source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Best {
    pub(crate) set: u32,
    pub(crate) source: u16,
}

impl<K: TableKey> Table<K> {
    /// Decides all networks that were touched, and queues what exporters must hear.
    pub(crate) fn decide_all(&mut self, env: &mut Env<'_>) {
        let mut dirty = core::mem::take(&mut self.dirty);
        for before in dirty.drain(..) {
            self.decide(before, env);
        }
        self.clear_row(env);
        self.exports.count_turn();
        // Kept for the next turn, unless this one was unusually large.
        if dirty.capacity() <= 1 << 16 {
            self.dirty = dirty;
        }
    }

    fn decide(&mut self, before: Dirty, env: &mut Env<'_>) {
        let net = before.net;
        self.nets[net].out &= !DIRTY;
        let old = (before.set != NIL).then_some(Best { set: before.set, source: before.source });
        let new = self.choose(net, env);
        if old.map(|best| best.source) != new.map(|best| best.source) {
            if let Some(best) = old {
                env.sources.at_mut(best.source).preferred -= 1;
            }
            if let Some(best) = new {
                env.sources.at_mut(best.source).preferred += 1;
            }
        }
        if old != new {
            self.tell_followers(net, new, env);
            self.report_watches(net, env);
        }
        self.export_change(net, old, new, env);
        self.release(before.set, env);
        self.drop_net_if_empty(net);
    }

    /// Finds the best route and puts it first.
    fn choose(&mut self, net: u32, env: &Env<'_>) -> Option<Best> {
        let mut best = NIL;
        let mut at = self.nets[net].first;
        while at != NIL {
            let next = self.routes[at].next;
            self.routes[at].flags &= !BEST;
            if self.is_candidate(at, env) && (best == NIL || self.better(at, best, env)) {
                best = at;
            }
            at = next;
        }
        if best == NIL {
            return None;
        }
        self.move_to_front(best);
        let route = &mut self.routes[best];
        route.flags |= BEST;
        Some(Best { set: route.accepted, source: route.source })
    }

    fn is_candidate(&self, route: u32, env: &Env<'_>) -> bool {
        let route = &self.routes[route];
        route.accepted != NIL
            && !env.sources.is_dead(route.source)
            && !matches!(self.hop_of(route.accepted), Some(NextHopState::Pending))
    }

    fn better(&self, route: u32, than: u32, env: &Env<'_>) -> bool {
        compare(self.candidate(route, env), self.candidate(than, env)) == Ordering::Greater
    }

    fn candidate<'a>(&'a self, route: u32, env: &'a Env<'_>) -> Candidate<'a> {
        let route = &self.routes[route];
        Candidate {
            attrs: self.sets.set(route.accepted),
            source: &env.sources.at(route.source).source,
            hop: self.hop_of(route.accepted),
        }
    }
}

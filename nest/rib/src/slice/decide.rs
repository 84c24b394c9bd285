//! Choosing best routes, and telling those who follow.

use core::cmp::Ordering;

use smallvec::SmallVec;

use super::attrs::NIL;
use super::best::{Candidate, compare, suppresses};
use super::table::{BEST, DIRTY, Dirty, Env, Table};
use crate::import::TableKey;
use crate::nexthop::NextHopState;

/// A best route: its accepted set and its source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Best {
    pub(crate) set: u32,
    pub(crate) source: u16,
}

/// What a decision came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) old: Option<Best>,
    pub(crate) new: Option<Best>,
    /// It is another route, or it has another import set: a feed may have passed it by.
    pub(crate) moved: bool,
    /// Exporters must hear of it even if the route is the same.
    pub(crate) forced: bool,
}

impl Change {
    /// Whether the best route is another one, or one of which exporters must hear again.
    pub(crate) fn is_news(&self) -> bool {
        self.old != self.new || self.forced
    }
}

impl<K: TableKey> Table<K> {
    /// Decides all networks that were touched, and queues what exporters must hear.
    pub(crate) fn decide_all(&mut self, env: &mut Env<'_>) {
        let mut dirty = core::mem::take(&mut self.dirty);
        let traced = !dirty.is_empty() && self.is_traced();
        for before in dirty.drain(..) {
            self.decide(before, traced, env);
        }
        if !self.seen.is_empty() {
            self.say_seen();
        }
        self.best_left = false;
        self.exports.end_recheck();
        self.clear_row(env);
        self.exports.count_turn();
        self.report_watches(env);
        // Kept for the next turn, unless this one was unusually large.
        if dirty.capacity() <= 1 << 16 {
            self.dirty = dirty;
        }
    }

    fn decide(&mut self, before: Dirty, traced: bool, env: &mut Env<'_>) {
        let net = before.net;
        self.nets[net].out &= !DIRTY;
        let old = (before.set != NIL).then_some(Best { set: before.set, source: before.source });
        let new = self.choose(net, env);
        self.count_preferred(net, &before, env);
        let change = Change {
            old,
            new,
            moved: self.best_left || old != new || self.best(net) != Some(before.route),
            forced: before.forced && old.is_some(),
        };
        if old != new || change.forced {
            self.tell_followers(net, new, None, env);
            if !self.watches.is_empty() {
                self.watched_changes.push(self.nets[net].key);
            }
        }
        let former = if traced { Some(self.former(net, change, env)) } else { None };
        self.export_change(net, change, env);
        if let Some(former) = former {
            self.note_change(net, change, former, env);
        }
        self.release(before.set, env);
        self.drop_net_if_empty(net);
    }

    /// Counts the best route for its source, or for the pipe that it came through.
    fn count_preferred(&mut self, net: u32, before: &Dirty, env: &mut Env<'_>) {
        let old = (before.set != NIL).then_some((before.source, before.via));
        let new = self.best(net).map(|at| (self.routes[at].source, self.routes[at].via));
        if old == new {
            return;
        }
        if let Some((source, via)) = old {
            self.prefer(source, via, -1, env);
        }
        if let Some((source, via)) = new {
            self.prefer(source, via, 1, env);
        }
    }

    fn prefer(&self, source: u16, via: u16, by: i64, env: &mut Env<'_>) {
        match self.pipes.inward(via) {
            Some(pipe) => crate::counters::ImportGauges::shift(&pipe.gauges.preferred, by),
            None => env.sources.at_mut(source).preferred += by,
        }
    }

    /// Finds the best route and puts it first.
    fn choose(&mut self, net: u32, env: &Env<'_>) -> Option<Best> {
        let mut best = NIL;
        let mut at = self.nets[net].first;
        let mut by_neighbour = false;
        while at != NIL {
            let route = &mut self.routes[at];
            route.flags &= !BEST;
            let (next, source) = (route.next, route.source);
            if self.is_candidate(at, env) {
                if best == NIL || self.better(at, best, env) {
                    best = at;
                }
                by_neighbour |= env.sources.at(source).source.order.deterministic_med;
            }
            at = next;
        }
        if by_neighbour {
            best = self.best_of_neighbours(net, env);
        }
        if best == NIL {
            return None;
        }
        self.move_to_front(best);
        let route = &mut self.routes[best];
        route.flags |= BEST;
        Some(Best { set: route.accepted, source: route.source })
    }

    /// As `choose` does, but only those are compared that are the best from their neighbour AS.
    fn best_of_neighbours(&self, net: u32, env: &Env<'_>) -> u32 {
        let mut candidates: SmallVec<[u32; 8]> = SmallVec::new();
        let mut at = self.nets[net].first;
        while at != NIL {
            if self.is_candidate(at, env) {
                candidates.push(at);
            }
            at = self.routes[at].next;
        }
        let mut best = NIL;
        for &route in &candidates {
            let own = self.candidate(route, env);
            let beaten = |other: &u32| suppresses(self.candidate(*other, env), own);
            if !candidates.iter().any(beaten) && (best == NIL || self.better(route, best, env)) {
                best = route;
            }
        }
        best
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

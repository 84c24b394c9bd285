//! The way through a batch whose routes are traced: each operation for itself, with what was there before.
//! Nothing of it is run for those who are not traced.

use std::sync::Arc;

use dunlin_attr::{Attrs, Dest};
use dunlin_net::Network;

use super::attrs::NIL;
use super::decide::{Best, Change};
use super::message::PipeTrace;
use super::pipes::{NO_PIPE, PipedOp};
use super::policy::{hop_for_filters, import_input};
use super::read::time_of;
use super::table::{BEST, Env, RouteId, Table};
use crate::import::{NONE, Op, TableKey};
use crate::trace::{FILTERS, ROUTES, RouteTrace, flags_of};
use crate::{Source, counters::ImportDelta};

/// What became of a route that came in. Said when its network has been decided.
#[derive(Debug)]
pub(crate) struct Seen<K> {
    trace: Arc<RouteTrace>,
    /// As BIRD draws it: into a table, or out of one.
    way: char,
    key: K,
    id: RouteId,
    became: Became,
    dest: Dest,
    /// It was the best route before.
    was_best: bool,
    /// Where the filter decided, if it rejected the route.
    place: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Became {
    Added,
    Updated,
    Ignored,
    Removed,
    Filtered,
    Limited,
    IgnoredWithdrawal,
}

impl Became {
    fn flag(self) -> u32 {
        match self {
            Self::Filtered | Self::Limited => FILTERS,
            _ => ROUTES,
        }
    }

    fn text(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Updated => "updated",
            Self::Ignored => "ignored",
            Self::Removed => "removed",
            Self::Filtered => "filtered out",
            Self::Limited => "blocked by limit",
            Self::IgnoredWithdrawal => "ignored withdrawal of",
        }
    }
}

/// A route as it was before something happened to it.
#[derive(Clone, Copy)]
struct Before {
    accepted: u32,
    was_best: bool,
    dest: Dest,
    counted: ImportDelta,
}

/// A route that is evaluated again.
pub(super) struct Again<K> {
    key: K,
    id: RouteId,
    before: Before,
    /// As it came.
    set: Arc<Attrs>,
}

/// A route that comes through a pipe.
pub(super) struct Piped {
    id: RouteId,
    pipe: PipeTrace,
    before: Before,
}

impl<K: TableKey> Table<K> {
    /// Applies a batch of a living source that is traced.
    pub(crate) fn import_traced(
        &mut self,
        source: u16,
        attrs: &[Arc<Attrs>],
        ops: &[Op<K>],
        env: &mut Env<'_>,
    ) {
        for op in ops {
            let id = RouteId { source, path_id: op.path_id, via: NO_PIPE };
            let before = self.before(op.key, id, env);
            let set = attrs.get(op.attrs as usize).filter(|_| op.attrs != NONE);
            let one = Op { attrs: if set.is_some() { 0 } else { NONE }, ..*op };
            self.import(source, set.map(core::slice::from_ref).unwrap_or_default(), &[one], env);
            self.note_op(op.key, id, before, set, env);
        }
    }

    /// The state of a route before something happens to it, and of what has been counted.
    fn before(&self, key: K, id: RouteId, env: &Env<'_>) -> Before {
        let counted = env.sources.at(id.source).delta;
        let found = self.find_net(key).and_then(|net| self.find_route(net, id));
        let Some(at) = found else {
            return Before { accepted: NIL, was_best: false, dest: Dest::Unicast, counted };
        };
        let route = &self.routes[at];
        Before {
            accepted: route.accepted,
            was_best: route.flags & BEST != 0,
            dest: self.sets.set(route.received).dest(),
            counted,
        }
    }

    /// Notes what became of a route; `set`: as it came, none if it was withdrawn.
    fn note_op(
        &mut self,
        key: K,
        id: RouteId,
        before: Before,
        set: Option<&Arc<Attrs>>,
        env: &mut Env<'_>,
    ) {
        let local = env.sources.at(id.source);
        let Some(trace) = local.source.trace.clone() else { return };
        let counted = local.delta.since(&before.counted);
        let found = self.find_net(key).and_then(|net| self.find_route(net, id));
        let is_accepted = found.is_some_and(|at| self.routes[at].accepted != NIL);
        let was_accepted = before.accepted != NIL;
        let note = |became, dest, place| {
            let was_best = before.was_best;
            Seen { trace: Arc::clone(&trace), way: '>', key, id, became, dest, was_best, place }
        };
        let Some(set) = set else {
            let became = match was_accepted {
                true => Became::Removed,
                false => Became::IgnoredWithdrawal,
            };
            return self.seen.push(note(became, before.dest, None));
        };
        if was_accepted && !is_accepted {
            self.seen.push(note(Became::Removed, before.dest, None));
        }
        let is_limited = counted.updates_limited + counted.updates_receive_limited > 0;
        let became = match (was_accepted, is_accepted) {
            _ if counted.updates_ignored > 0 => Became::Ignored,
            _ if is_limited => Became::Limited,
            (_, false) => Became::Filtered,
            (true, true) => Became::Updated,
            (false, true) => Became::Added,
        };
        let wanted = became == Became::Filtered && trace.flags() & FILTERS != 0;
        let place = wanted.then(|| self.decided_at(&trace, id.source, key, set, found, env));
        self.seen.push(note(became, set.dest(), place.flatten()));
    }

    /// Where the import filter has rejected a route.
    fn decided_at(
        &self,
        trace: &RouteTrace,
        source: u16,
        key: K,
        set: &Arc<Attrs>,
        route: Option<u32>,
        env: &mut Env<'_>,
    ) -> Option<String> {
        let local = env.sources.at(source);
        let hop = route.and_then(|at| self.hop_of(self.routes[at].received));
        let hop = hop_for_filters(hop);
        let input = import_input(&local.source, key.network(), set, hop, &**env.validated);
        trace.decided(&local.filter, env.scratch, &input)
    }

    /// The state of a route before its filter is asked [`again`](Self::again).
    #[cold]
    pub(super) fn before_again(&self, at: u32, env: &Env<'_>) -> Option<Again<K>> {
        let route = self.routes[at];
        if route.net == NIL || route.via != NO_PIPE {
            return None;
        }
        let id = RouteId { source: route.source, path_id: route.path_id, via: route.via };
        let key = self.nets[route.net].key;
        let set = Arc::clone(self.sets.set(route.received));
        Some(Again { key, id, before: self.before(key, id, env), set })
    }

    /// Notes what became of it.
    #[cold]
    pub(super) fn note_again(&mut self, at: u32, again: &Again<K>, env: &mut Env<'_>) {
        if self.routes[at].accepted != again.before.accepted {
            self.note_op(again.key, again.id, again.before, Some(&again.set), env);
        }
    }

    /// The state of a route before what came through a pipe, if that is traced.
    #[cold]
    pub(super) fn before_piped(&self, op: &PipedOp<K>, env: &Env<'_>) -> Option<Piped> {
        let via = self.pipes.inward_index(op.pipe)?;
        let pipe = self.pipes.inward(via)?.trace.clone()?;
        let id = RouteId { source: op.source, path_id: op.path_id, via };
        Some(Piped { id, pipe, before: self.before(op.key, id, env) })
    }

    /// Notes what became of it.
    #[cold]
    pub(super) fn note_piped_op(&mut self, op: &PipedOp<K>, piped: &Piped, env: &Env<'_>) {
        let &Piped { id, ref pipe, before } = piped;
        let after = self.before(op.key, id, env).accepted;
        let was_there = before.accepted != NIL;
        let became = match (&op.set, was_there, after != NIL) {
            (None, false, _) if op.update => Became::Filtered,
            (None, false, _) => return,
            (_, true, false) => Became::Removed,
            (_, false, false) => Became::Limited,
            (_, false, true) => Became::Added,
            (_, true, true) if before.accepted == after => Became::Ignored,
            (_, true, true) => Became::Updated,
        };
        let seen = |became| Seen {
            trace: Arc::clone(&pipe.trace),
            way: if pipe.exports { '<' } else { '>' },
            key: op.key,
            id,
            became,
            dest: op.dest.unwrap_or(before.dest),
            was_best: before.was_best,
            place: None,
        };
        self.seen.push(seen(became));
        if became == Became::Removed && op.update && op.set.is_none() {
            self.seen.push(seen(Became::Filtered));
        }
    }

    /// A route of a dead source is about to be removed.
    pub(super) fn note_swept(&mut self, at: u32, sources: &[u16], env: &Env<'_>) {
        let route = self.routes[at];
        if route.net == NIL || route.accepted == NIL || !sources.contains(&route.source) {
            return;
        }
        let local = env.sources.at(route.source);
        if let Some(trace) = local.source.trace.clone().filter(|_| route.via == NO_PIPE) {
            let id = RouteId { source: route.source, path_id: route.path_id, via: route.via };
            self.seen.push(Seen {
                trace,
                way: '>',
                key: self.nets[route.net].key,
                id,
                became: Became::Removed,
                dest: self.sets.set(route.received).dest(),
                was_best: route.flags & BEST != 0,
                place: None,
            });
        }
    }

    /// Says what became of routes, now that their networks have been decided.
    #[cold]
    pub(super) fn say_seen(&mut self) {
        for seen in core::mem::take(&mut self.seen) {
            if seen.trace.flags() & seen.became.flag() == 0 {
                continue;
            }
            let is_best = match seen.became {
                Became::Removed => seen.was_best,
                _ => self.is_best(seen.key, seen.id),
            };
            let best = if is_best { " [best]" } else { "" };
            let net = Net(seen.key.network(), seen.id.path_id);
            let (way, text, dest) = (seen.way, seen.became.text(), seen.dest);
            match seen.place {
                Some(place) => {
                    seen.trace.line(format_args!("{way} {text} {net} {dest} at {place}"))
                }
                None => seen.trace.line(format_args!("{way} {text}{best} {net} {dest}")),
            }
        }
    }

    fn is_best(&self, key: K, id: RouteId) -> bool {
        let found = self.find_net(key).and_then(|net| self.find_route(net, id));
        found.is_some_and(|at| self.routes[at].flags & BEST != 0)
    }

    /// Says that a network has another best route.
    #[cold]
    pub(super) fn say_best(&self, net: u32, change: Change, env: &Env<'_>) {
        let Some(trace) = &self.trace else { return };
        if trace.flags() & ROUTES == 0 || change.old == change.new {
            return;
        }
        let net = self.nets[net].key.network();
        match change.new {
            Some(Best { set, source }) => {
                let dest = self.sets.set(set).dest();
                let from = &env.sources.at(source).source.protocol;
                trace.line(format_args!("best {net} {dest} from {from}"));
            }
            None => trace.line(format_args!("no route {net}")),
        }
    }

    /// When the best route of a network changed.
    pub(super) fn best_changed(&self, net: u32) -> dunlin_runtime::Time {
        time_of(self.best(net).map_or(0, |route| self.routes[route].changed))
    }
}

/// A network and, if there is one, the path identifier.
struct Net(Network, u32);

impl core::fmt::Display for Net {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self.1 {
            0 => write!(f, "{}", self.0),
            id => write!(f, "{} (path {id})", self.0),
        }
    }
}

/// Whether anything of a source's routes is traced.
pub(super) fn is_traced(source: &Source) -> bool {
    flags_of(source.trace.as_ref()) != 0
}

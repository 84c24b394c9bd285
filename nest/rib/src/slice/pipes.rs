//! Pipes: routes of one table put into another of the same slice.

use std::sync::Arc;

use dunlin_attr::{Attrs, Dest};

use super::attrs::NIL;
use super::message::Pipe;
use super::read::time_of;
use super::table::{Env, GENERATION_SHIFT, Place, Route, RouteId, Table};
use crate::PipeId;
use crate::counters::ImportDelta;
use crate::export::{ExportPolicy, ExportVerdict, RouteView};
use crate::import::TableKey;
use crate::trace::flags_of;

/// [`Route::via`] of a route that came through no pipe.
pub(crate) const NO_PIPE: u16 = u16::MAX;

/// A route of a table changed; what it is now.
#[derive(Clone, Debug)]
pub(crate) struct PipedChange<K> {
    key: K,
    source: u16,
    path_id: u32,
    via: u16,
    generation: u8,
    /// Accepted set, none if the route went or was rejected.
    set: Option<Arc<Attrs>>,
    /// The route is the same: a ROA or ASPA table has changed, which some pipes depend on.
    recheck: bool,
}

/// A change on its way into the other table.
#[derive(Debug)]
pub(crate) struct PipedOp<K> {
    pub(crate) pipe: PipeId,
    pub(super) key: K,
    pub(super) source: u16,
    pub(super) path_id: u32,
    generation: u8,
    /// None if the route went, or was refused by the pipe's filter.
    pub(super) set: Option<Arc<Attrs>>,
    /// The route is there; if it has no set the pipe's filter refused it.
    pub(super) update: bool,
    /// What was done with packets before the pipe's filter, if the route is there and the pipe is traced.
    pub(super) dest: Option<Dest>,
    /// The pipe is traced.
    traced: bool,
}

/// The pipes of a table: those that take from it, and those that put into it.
#[derive(Default)]
pub(crate) struct Pipes {
    out: Vec<Pipe>,
    inward: Vec<Option<Inward>>,
    /// The ROA or ASPA table because of which routes are judged again.
    rechecked: Option<Arc<str>>,
}

/// A pipe that puts into a table.
struct Inward {
    pipe: Pipe,
    /// It has been removed, and its routes are being removed.
    closing: bool,
    /// What the present turn has counted.
    delta: ImportDelta,
}

impl Inward {
    fn is(&self, id: PipeId) -> bool {
        self.pipe.id == id && !self.closing
    }
}

impl core::fmt::Debug for Pipes {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Pipes {{ out: {}, in: {} }}", self.out.len(), self.inward.len())
    }
}

impl Pipes {
    /// Whether any pipe takes from the table.
    #[inline]
    pub(crate) fn any_out(&self) -> bool {
        !self.out.is_empty()
    }

    /// Whether what passes some pipe out of the table depends on a ROA or ASPA table.
    pub(crate) fn rechecks(&self, table: &str) -> bool {
        self.out.iter().any(|pipe| pipe.policy.rechecks(table))
    }

    /// Routes are judged again because of this table, by the pipes that depend on it.
    pub(crate) fn begin_recheck(&mut self, table: &Arc<str>) {
        self.rechecked = Some(Arc::clone(table));
    }

    /// Adds or replaces a pipe that takes from the table.
    pub(crate) fn add_out(&mut self, pipe: Pipe) {
        match self.out.iter_mut().find(|other| other.id == pipe.id) {
            Some(other) => *other = pipe,
            None => self.out.push(pipe),
        }
    }

    /// Gives a pipe another policy, if it takes from the table.
    pub(crate) fn set_policy(&mut self, id: PipeId, policy: &Arc<dyn ExportPolicy>) {
        for pipe in self.out.iter_mut().filter(|pipe| pipe.id == id) {
            pipe.policy = Arc::clone(policy);
        }
    }

    /// Adds or replaces a pipe that puts into the table.
    pub(crate) fn add_inward(&mut self, pipe: Pipe) {
        let place = self.inward_index(pipe.id).map(usize::from);
        let inward = Some(Inward { pipe, closing: false, delta: ImportDelta::default() });
        match place.or_else(|| self.inward.iter().position(Option::is_none)) {
            Some(place) => self.inward[place] = inward,
            None => self.inward.push(inward),
        }
    }

    pub(crate) fn remove_out(&mut self, id: PipeId) {
        self.out.retain(|pipe| pipe.id != id);
    }

    /// A pipe puts nothing more into the table; returns the `via` of the routes that it did.
    pub(crate) fn close_inward(&mut self, id: PipeId) -> Option<u16> {
        let via = self.inward_index(id)?;
        if let Some(Some(inward)) = self.inward.get_mut(usize::from(via)) {
            inward.closing = true;
        }
        Some(via)
    }

    /// The last route that came through a closed pipe has gone.
    pub(crate) fn remove_inward(&mut self, index: u16) {
        if let Some(place) = self.inward.get_mut(usize::from(index)) {
            *place = None;
        }
    }

    /// The pipe that routes with this `via` came through.
    pub(crate) fn inward(&self, via: u16) -> Option<&Pipe> {
        self.inward.get(usize::from(via))?.as_ref().map(|inward| &inward.pipe)
    }

    /// Counts a change that a pipe has brought or tried to bring.
    fn count(&mut self, via: u16, count: impl FnOnce(&mut ImportDelta)) {
        if let Some(Some(inward)) = self.inward.get_mut(usize::from(via)) {
            count(&mut inward.delta);
        }
    }

    /// Counts a route that was there and has been withdrawn or swept.
    pub(crate) fn count_withdrawn(&mut self, via: u16) {
        self.count(via, |delta| {
            delta.withdraws_received += 1;
            delta.withdraws_accepted += 1;
        });
    }

    /// Adds what this turn has counted to the pipes' counters.
    pub(crate) fn flush(&mut self) {
        for inward in self.inward.iter_mut().flatten() {
            inward.pipe.counters.add(&core::mem::take(&mut inward.delta));
        }
    }

    /// Counts a route more in this table; false if the pipe's limit forbids it.
    fn admit(&self, via: u16) -> bool {
        let Some(pipe) = self.inward(via) else { return true };
        pipe.limit.admits(&pipe.gauges.accepted, || (pipe.exceeded)())
    }

    pub(crate) fn inward_index(&self, id: PipeId) -> Option<u16> {
        let same = |other: &Option<Inward>| other.as_ref().is_some_and(|other| other.is(id));
        u16::try_from(self.inward.iter().position(same)?).ok()
    }
}

impl<K: TableKey> Table<K> {
    /// Remembers for the pipes that a route has now this accepted set.
    #[inline]
    pub(crate) fn note_piped(&mut self, handle: u32, accepted: u32) {
        if !self.pipes.any_out() {
            return;
        }
        let route = self.routes[handle];
        self.piped.push(PipedChange {
            key: self.nets[route.net].key,
            source: route.source,
            path_id: route.path_id,
            via: route.via,
            generation: (route.flags >> GENERATION_SHIFT) as u8,
            set: (accepted != NIL).then(|| Arc::clone(self.sets.set(accepted))),
            recheck: false,
        });
    }

    /// As [`note_piped`](Self::note_piped), of a route that is the same as before.
    pub(crate) fn note_rechecked(&mut self, handle: u32, env: &Env<'_>) {
        let noted = self.piped.len();
        self.repipe(handle, env);
        self.piped.iter_mut().skip(noted).for_each(|change| change.recheck = true);
    }

    /// Runs the waiting changes through all pipes of this table.
    pub(crate) fn run_pipes(&mut self, env: &mut Env<'_>) -> Vec<PipedOp<K>> {
        let mut ops = Vec::new();
        let changes = core::mem::take(&mut self.piped);
        let rechecked = self.pipes.rechecked.take();
        for pipe in &self.pipes.out {
            let depends = rechecked.as_ref().is_some_and(|table| pipe.policy.rechecks(table));
            let mut counted = ImportDelta::default();
            let traced = flags_of(pipe.trace.as_ref().map(|pipe| &pipe.trace)) != 0;
            for change in changes.iter().filter(|change| depends || !change.recheck) {
                let came = self.pipes.inward(change.via);
                let back = came.is_some_and(|came| came.instance == pipe.instance);
                if back || change.generation >= pipe.max_generation {
                    count_refused(change, &mut counted);
                    continue;
                }
                let set = change.set.as_ref().and_then(|set| through(pipe, set, change, env));
                let update = change.set.is_some();
                counted.updates_received += u64::from(update);
                counted.updates_filtered += u64::from(update && set.is_none());
                ops.push(PipedOp {
                    pipe: pipe.id,
                    key: change.key,
                    source: change.source,
                    path_id: change.path_id,
                    generation: change.generation + 1,
                    set,
                    update,
                    dest: change.set.as_ref().filter(|_| traced).map(|set| set.dest()),
                    traced,
                });
            }
            pipe.counters.add(&counted);
        }
        ops
    }

    /// Puts a change that came through a pipe into this table.
    pub(crate) fn apply_from_pipe(&mut self, op: &PipedOp<K>, env: &mut Env<'_>) {
        let before = if op.traced { self.before_piped(op, env) } else { None };
        self.apply_piped(op, env);
        if let Some(before) = before {
            self.note_piped_op(op, &before, env);
        }
    }

    fn apply_piped(&mut self, op: &PipedOp<K>, env: &mut Env<'_>) {
        let Some(via) = self.pipes.inward_index(op.pipe) else { return };
        let id = RouteId { source: op.source, path_id: op.path_id, via };
        // A dead source's routes may be swept here already: none may come after.
        let dead = env.sources.is_dead(op.source);
        let Some(set) = op.set.as_ref().filter(|_| !dead) else {
            let removed = self.remove_piped(op.key, id, env);
            self.pipes.count(via, |delta| delta.updates_ignored += u64::from(op.set.is_some()));
            match (op.update, removed) {
                (false, true) => self.pipes.count_withdrawn(via),
                // What had been swept has been counted then.
                (false, false) if !dead => self.pipes.count(via, |delta| {
                    delta.withdraws_received += 1;
                    delta.withdraws_ignored += 1;
                }),
                _ => {}
            }
            return;
        };
        let resolve = env.sources.at(op.source).source.resolve;
        let handle = self.intern(set, resolve, env);
        let net = self.net(op.key, Place::of(op.key));
        match self.find_route(net, id) {
            Some(old) if self.routes[old].accepted == handle => {
                self.pipes.count(via, |delta| delta.updates_ignored += 1);
            }
            Some(old) => {
                self.pipes.count(via, |delta| delta.updates_accepted += 1);
                self.replace_piped(old, handle, op.generation, env);
            }
            None if self.pipes.admit(via) => {
                self.pipes.count(via, |delta| delta.updates_accepted += 1);
                self.touch(net);
                self.insert_piped(net, id, handle, op.generation, env);
            }
            None => {
                self.pipes.count(via, |delta| delta.updates_limited += 1);
                self.drop_net_if_empty(net);
            }
        }
        self.release(handle, env);
    }

    fn insert_piped(&mut self, net: u32, id: RouteId, set: u32, generation: u8, env: &mut Env<'_>) {
        self.sets.hold(set);
        self.sets.hold(set);
        let route = Route {
            net,
            received: set,
            accepted: set,
            path_id: id.path_id,
            changed: env.now,
            source: id.source,
            flags: u16::from(generation) << GENERATION_SHIFT,
            via: id.via,
            ..Route::default()
        };
        let handle = self.insert_route(route);
        self.note_piped(handle, set);
    }

    /// Gives a route that is there other attributes.
    fn replace_piped(&mut self, handle: u32, set: u32, generation: u8, env: &mut Env<'_>) {
        let old = self.routes[handle];
        self.touch(old.net);
        self.sets.hold(set);
        self.sets.hold(set);
        self.unlink_set(handle);
        let route = &mut self.routes[handle];
        (route.received, route.accepted, route.changed) = (set, set, env.now);
        let others = route.flags & ((1 << GENERATION_SHIFT) - 1);
        route.flags = others | u16::from(generation) << GENERATION_SHIFT;
        self.link_set(handle, set);
        self.release(old.received, env);
        self.release(old.accepted, env);
        self.note_piped(handle, set);
    }

    /// Whether the route was there.
    fn remove_piped(&mut self, key: K, id: RouteId, env: &mut Env<'_>) -> bool {
        let found = self.find_net(key).and_then(|net| self.find_route(net, id));
        let Some(handle) = found else { return false };
        self.touch(self.routes[handle].net);
        self.note_piped(handle, NIL);
        self.remove_route(handle, env);
        true
    }
}

/// A change that came through the pipe itself, or through too many.
fn count_refused<K>(change: &PipedChange<K>, counted: &mut ImportDelta) {
    if change.set.is_some() {
        counted.updates_received += 1;
        counted.updates_rejected += 1;
    } else {
        counted.withdraws_received += 1;
        counted.withdraws_rejected += 1;
    }
}

/// The set with which a route leaves a pipe; none if the pipe's filter rejects it.
fn through<K: TableKey>(
    pipe: &Pipe,
    set: &Arc<Attrs>,
    change: &PipedChange<K>,
    env: &mut Env<'_>,
) -> Option<Arc<Attrs>> {
    let source = Arc::clone(&env.sources.at(change.source).source);
    let next_hop = super::hops::own_state(set);
    let net = change.key.network();
    // A pipe is asked when something changes.
    let changed = time_of(env.now);
    let view = RouteView {
        net,
        attrs: set,
        source: &source,
        next_hop: &next_hop,
        changed,
        validation: &**env.validated,
    };
    match pipe.policy.evaluate(env.scratch, view) {
        ExportVerdict::Refused | ExportVerdict::Filtered => None,
        ExportVerdict::AsIs => Some(Arc::clone(set)),
        ExportVerdict::Changed(changed) => Some(changed),
    }
}

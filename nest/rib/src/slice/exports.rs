//! Adj-RIB-Out of a table and the deltas that follow from a change of best route.
//!
//! [`Net::out`](super::table::Net) says what the export groups hold for a network:
//!
//! * zero: nobody holds anything;
//! * [`OUT_BEST`]: every group holds the best route as it is, all but its source;
//! * else a list of [`Held`] records: a route and the set of groups that hold it.
//!
//! A group that joined and has not been fed counts under `OUT_BEST` as if it held the route. The
//! worst that comes of it is a withdrawal too many before its feed gets there.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use dunlin_net::hash::Map;
use smallvec::SmallVec;

use super::decide::Best;
use super::store::Store;
use super::table::{DIRTY, Env, Table};
use crate::ExporterId;
use crate::counters::ExportDelta;
use crate::export::{
    Delta, DeltaBatch, ExportPolicy, ExportVerdict, Exporter, ExporterKind, FeedReply, OutRoute,
    RouteView, To,
};
use crate::import::{Burst, NONE, TableKey};
use crate::limits::LimitKind;

/// See the module.
pub(crate) const OUT_BEST: u32 = DIRTY - 1;

/// A route that some groups hold.
#[derive(Clone, Copy, Debug, Default)]
struct Held {
    set: u32,
    /// Handle of an interned set of groups.
    groups: u32,
    next: u32,
    source: u16,
}

/// What a policy said of a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Refused,
    Filtered,
    AsIs,
    /// A held set.
    Changed(u32),
}

/// The verdicts of all groups on one route.
#[derive(Debug, Default)]
struct Row {
    route: Option<Best>,
    verdicts: Vec<Verdict>,
    /// They do not depend on the network.
    reusable: bool,
    all_as_is: bool,
    all_none: bool,
}

/// An exporter with the deltas that wait for the end of the turn.
#[derive(Debug)]
pub(crate) struct Slot<K> {
    pub(crate) exporter: Exporter,
    /// First group with an equal policy; its verdict serves this one.
    same_as: usize,
    routes: Vec<OutRoute>,
    deltas: Vec<Delta<K>>,
    /// Last entry of `routes`, by handle.
    last: Option<Best>,
    delta: ExportDelta,
    exported: i64,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Exports<K> {
    pub(crate) groups: Vec<Option<Slot<K>>>,
    pub(crate) followers: Vec<Slot<K>>,
    held: Store<Held>,
    group_sets: GroupSets,
    row: Row,
    old: Vec<Option<Best>>,
    new: Vec<Option<Best>>,
    evaluations: u64,
    remembered: u64,
    limited: bool,
}

/// Interned sets of group indices.
#[derive(Debug, Default)]
struct GroupSets {
    by_bits: Map<Box<[u64]>, u32>,
    list: Vec<Box<[u64]>>,
}

impl GroupSets {
    fn intern(&mut self, bits: &[u64]) -> u32 {
        if let Some(&handle) = self.by_bits.get(bits) {
            return handle;
        }
        let handle = u32::try_from(self.list.len()).unwrap_or(u32::MAX);
        self.list.push(bits.into());
        self.by_bits.insert(bits.into(), handle);
        handle
    }

    fn contains(&self, handle: u32, group: usize) -> bool {
        let word = self.list.get(handle as usize).and_then(|bits| bits.get(group / 64));
        word.is_some_and(|word| word & (1 << (group % 64)) != 0)
    }
}

impl<K: TableKey> Slot<K> {
    pub(crate) fn new(exporter: Exporter) -> Self {
        Self {
            exporter,
            same_as: 0,
            routes: Vec::new(),
            deltas: Vec::new(),
            last: None,
            delta: ExportDelta::default(),
            exported: 0,
        }
    }

    fn withdraw(&mut self, key: K, to: To) {
        self.deltas.push(Delta { key, path_id: 0, route: NONE, to });
    }

    /// Announces `best`; `route` must be there unless it is what was announced last.
    fn announce(&mut self, key: K, best: Best, to: To, route: Option<OutRoute>) {
        if self.last != Some(best) {
            let Some(route) = route else { return };
            self.last = Some(best);
            self.routes.push(route);
        }
        let route = u32::try_from(self.routes.len()).unwrap_or(NONE).wrapping_sub(1);
        self.deltas.push(Delta { key, path_id: 0, route, to });
    }

    fn send(&mut self, env: &Env<'_>, trailer: &Trailer) {
        let wanted = trailer.feed.is_some() || trailer.query.is_some();
        let burst = trailer.burst.filter(|_| self.exporter.kind == ExporterKind::Group);
        if self.deltas.is_empty() && burst.is_none() && !wanted {
            return;
        }
        self.last = None;
        self.exporter.sink.deliver(Box::new(DeltaBatch {
            slice: env.slice,
            exporter: self.exporter.id,
            burst,
            routes: core::mem::take(&mut self.routes),
            deltas: K::deltas(core::mem::take(&mut self.deltas)),
            feed: trailer.feed,
            query: trailer.query,
            barrier: None,
        }));
    }

    fn count(&mut self) {
        self.exporter.counters.add(&core::mem::take(&mut self.delta));
        let exported = core::mem::take(&mut self.exported);
        crate::counters::ImportGauges::shift(&self.exporter.counters.exported, exported);
    }

    /// Whether a network more would be beyond the export limit and must not be sent.
    fn over_limit(&mut self) -> bool {
        let Some(limit) = &self.exporter.limit else { return false };
        let counted = self.exporter.counters.exported.load(Ordering::Relaxed);
        if counted.saturating_add_signed(self.exported) < limit.limit.max {
            return false;
        }
        if limit.limit.strike() {
            limit.events.limit_hit(limit.source, LimitKind::Export);
        }
        if limit.limit.drops() {
            self.delta.updates_limited += 1;
        }
        limit.limit.drops()
    }
}

/// What goes with the deltas of a turn.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Trailer {
    pub(crate) burst: Option<Burst>,
    pub(crate) feed: Option<FeedReply>,
    pub(crate) query: Option<u32>,
}

impl<K: TableKey> Exports<K> {
    pub(crate) fn new() -> Self {
        Self {
            groups: Vec::new(),
            followers: Vec::new(),
            held: Store::new(),
            group_sets: GroupSets::default(),
            row: Row::default(),
            old: Vec::new(),
            new: Vec::new(),
            evaluations: 0,
            remembered: 0,
            limited: false,
        }
    }

    /// Whether anybody listens.
    pub(crate) fn is_empty(&self) -> bool {
        self.groups.is_empty() && self.followers.is_empty()
    }

    pub(crate) fn add_group(&mut self, exporter: Exporter) {
        let slot = Some(Slot::new(exporter));
        match self.groups.iter().position(Option::is_none) {
            Some(place) => self.groups[place] = slot,
            None => self.groups.push(slot),
        }
        self.groups_changed();
    }

    pub(crate) fn remove(&mut self, id: ExporterId) {
        self.followers.retain(|slot| slot.exporter.id != id);
        for place in &mut self.groups {
            if place.as_ref().is_some_and(|slot| slot.exporter.id == id) {
                *place = None;
            }
        }
        while self.groups.last().is_some_and(Option::is_none) {
            self.groups.pop();
        }
        self.groups_changed();
    }

    /// Gives a group a new policy; returns whether it is here.
    pub(crate) fn set_policy(&mut self, id: ExporterId, policy: Arc<dyn ExportPolicy>) -> bool {
        let Some(index) = self.find_group(id) else { return false };
        if let Some(slot) = &mut self.groups[index] {
            slot.exporter.policy = policy;
        }
        self.groups_changed();
        true
    }

    pub(crate) fn find_group(&self, id: ExporterId) -> Option<usize> {
        let is = |slot: &Option<Slot<K>>| slot.as_ref().is_some_and(|slot| slot.exporter.id == id);
        self.groups.iter().position(is)
    }

    fn groups_changed(&mut self) {
        let mut first: Map<u64, usize> = Map::default();
        self.limited = false;
        for (index, slot) in self.groups.iter_mut().enumerate() {
            if let Some(slot) = slot {
                slot.same_as = *first.entry(slot.exporter.policy.key()).or_insert(index);
                self.limited |= slot.exporter.limit.is_some();
            }
        }
        // The remembered row was for other groups. Its references go with the next row.
        self.row.reusable = false;
    }

    /// Publishes the counters of a turn.
    pub(crate) fn count_turn(&mut self) {
        for slot in self.groups.iter_mut().flatten() {
            slot.count();
            let sharing = &slot.exporter.sharing;
            if self.evaluations + self.remembered > 0 {
                sharing.evaluations.fetch_add(self.evaluations, Ordering::Relaxed);
                sharing.remembered.fetch_add(self.remembered, Ordering::Relaxed);
                // Evaluations are shared by all groups: they count for the first.
                (self.evaluations, self.remembered) = (0, 0);
            }
        }
    }

    /// Sends everything that waits; `trailer` goes to `only`, or to all groups.
    pub(crate) fn send(&mut self, env: &Env<'_>, trailer: &Trailer, only: Option<usize>) {
        for (index, slot) in self.groups.iter_mut().enumerate() {
            let Some(slot) = slot else { continue };
            let mine = only.is_none_or(|only| only == index);
            slot.send(env, if mine { trailer } else { &NO_TRAILER });
        }
        for slot in &mut self.followers {
            slot.send(env, &NO_TRAILER);
        }
    }

    pub(crate) fn memory(&self) -> usize {
        self.held.memory()
    }
}

const NO_TRAILER: Trailer = Trailer { burst: None, feed: None, query: None };

impl<K: TableKey> Table<K> {
    /// Tells followers of a network's new best route.
    pub(crate) fn tell_followers(&mut self, net: u32, best: Option<Best>, env: &Env<'_>) {
        if self.exports.followers.is_empty() {
            return;
        }
        let key = self.nets[net].key;
        let route = best.map(|best| (best, self.out_route(best.set, best.source, env)));
        for slot in &mut self.exports.followers {
            match &route {
                Some((best, route)) => slot.announce(key, *best, To::All, Some(route.clone())),
                None => slot.withdraw(key, To::All),
            }
        }
    }

    fn out_route(&self, set: u32, source: u16, env: &Env<'_>) -> OutRoute {
        OutRoute {
            attrs: Arc::clone(self.sets.set(set)),
            source: Arc::clone(&env.sources.at(source).source),
            next_hop: self.hop_state(set),
        }
    }

    /// Finds what groups must hear of a network whose best route was `old` and is `new`.
    pub(crate) fn export_change(
        &mut self,
        net: u32,
        old: Option<Best>,
        new: Option<Best>,
        env: &mut Env<'_>,
    ) {
        let out = self.nets[net].out & !DIRTY;
        if self.exports.groups.is_empty() && out == 0 {
            return;
        }
        self.load_row(net, new, env);
        let row = &self.exports.row;
        if row.all_none && out == 0 {
            return;
        }
        let uniform = row.all_as_is && !self.exports.limited;
        match (new, out) {
            (Some(best), 0 | OUT_BEST) if uniform => {
                self.export_best(net, old.filter(|_| out == OUT_BEST), best, env);
            }
            _ => self.export_each(net, old, new, env),
        }
    }

    /// The common case: everybody gets the best route as it is.
    fn export_best(&mut self, net: u32, old: Option<Best>, best: Best, env: &mut Env<'_>) {
        if old == Some(best) {
            return;
        }
        let moved = old.is_some_and(|old| old.source != best.source);
        let to = if moved { To::AllWithdrawSource } else { To::All };
        let key = self.nets[net].key;
        let route = self.fresh_route(best, env);
        let exported = i64::from(old.is_none());
        for slot in self.exports.groups.iter_mut().flatten() {
            slot.delta.updates_received += 1;
            slot.delta.updates_accepted += 1;
            slot.exported += exported;
            slot.announce(key, best, to, route.clone());
        }
        self.nets[net].out = (self.nets[net].out & DIRTY) | OUT_BEST;
    }

    /// The values behind a route, unless every group has them at hand already.
    fn fresh_route(&self, best: Best, env: &Env<'_>) -> Option<OutRoute> {
        let known = self.exports.groups.iter().flatten().all(|slot| slot.last == Some(best));
        (!known).then(|| self.out_route(best.set, best.source, env))
    }

    /// The general case: each group for itself.
    fn export_each(&mut self, net: u32, old: Option<Best>, new: Option<Best>, env: &mut Env<'_>) {
        self.load_old(net, old);
        let key = self.nets[net].key;
        let mut results = core::mem::take(&mut self.exports.new);
        results.clear();
        for index in 0..self.exports.groups.len() {
            let result = self.result_of(index, new);
            results.push(self.export_to(index, key, result, new.is_some(), env));
        }
        self.store_out(net, new, &results, env);
        self.exports.new = results;
    }

    fn result_of(&self, group: usize, best: Option<Best>) -> Option<Best> {
        let best = best?;
        match self.exports.row.verdicts.get(group) {
            Some(Verdict::AsIs) => Some(best),
            Some(Verdict::Changed(set)) => Some(Best { set: *set, source: best.source }),
            _ => None,
        }
    }

    /// Queues what one group must hear; returns what it holds from now on.
    fn export_to(
        &mut self,
        group: usize,
        key: K,
        result: Option<Best>,
        announced: bool,
        env: &Env<'_>,
    ) -> Option<Best> {
        let old = self.exports.old.get(group).copied().flatten();
        let refused = self.exports.row.verdicts.get(group) == Some(&Verdict::Refused);
        let route = result.filter(|result| {
            let slot = self.exports.groups[group].as_ref();
            Some(*result) != old && slot.is_some_and(|slot| slot.last != Some(*result))
        });
        let route = route.map(|best| self.out_route(best.set, best.source, env));
        let slot = self.exports.groups[group].as_mut()?;
        if announced {
            slot.delta.updates_received += 1;
        } else {
            slot.delta.withdraws_received += 1;
        }
        if announced && result.is_none() {
            *if refused {
                &mut slot.delta.updates_rejected
            } else {
                &mut slot.delta.updates_filtered
            } += 1;
        }
        let result = result.filter(|_| old.is_some() || !slot.over_limit());
        match result {
            Some(best) if old == Some(best) => {}
            Some(best) => {
                slot.delta.updates_accepted += 1;
                slot.exported += i64::from(old.is_none());
                let moved = old.is_some_and(|old| old.source != best.source);
                let to = if moved { To::AllWithdrawSource } else { To::All };
                slot.announce(key, best, to, route);
            }
            None if old.is_some() => {
                slot.delta.withdraws_accepted += 1;
                slot.exported -= 1;
                slot.withdraw(key, To::All);
            }
            None => {}
        }
        result
    }

    /// Reads Adj-RIB-Out into one entry per group.
    fn load_old(&mut self, net: u32, best: Option<Best>) {
        let exports = &mut self.exports;
        let count = exports.groups.len();
        exports.old.clear();
        let out = self.nets[net].out & !DIRTY;
        if out == OUT_BEST {
            exports.old.resize(count, best);
            return;
        }
        exports.old.resize(count, None);
        let mut at = out;
        while at != 0 {
            let held = exports.held[at];
            let best = Best { set: held.set, source: held.source };
            for (group, old) in exports.old.iter_mut().enumerate() {
                if exports.group_sets.contains(held.groups, group) {
                    *old = Some(best);
                }
            }
            at = held.next;
        }
    }

    /// Writes Adj-RIB-Out from one entry per group.
    fn store_out(
        &mut self,
        net: u32,
        best: Option<Best>,
        results: &[Option<Best>],
        env: &mut Env<'_>,
    ) {
        let flag = self.nets[net].out & DIRTY;
        let out = self.nets[net].out & !DIRTY;
        let present = |index: &usize| self.exports.groups[*index].is_some();
        let live: Vec<usize> = (0..results.len()).filter(present).collect();
        let new = if live.iter().all(|&index| results[index].is_none()) {
            0
        } else if best.is_some() && live.iter().all(|&index| results[index] == best) {
            OUT_BEST
        } else {
            self.store_list(results)
        };
        if out != OUT_BEST {
            self.free_list(out, env);
        }
        self.nets[net].out = new | flag;
    }

    fn store_list(&mut self, results: &[Option<Best>]) -> u32 {
        let mut head = 0;
        let words = results.len().div_ceil(64);
        for (index, result) in results.iter().enumerate() {
            let Some(best) = result else { continue };
            if results[..index].contains(result) {
                continue;
            }
            let mut bits: SmallVec<[u64; 4]> = smallvec::smallvec![0; words];
            for (group, other) in results.iter().enumerate() {
                if other == result {
                    bits[group / 64] |= 1 << (group % 64);
                }
            }
            let groups = self.exports.group_sets.intern(&bits);
            self.sets.hold(best.set);
            head = self.exports.held.insert(Held {
                set: best.set,
                source: best.source,
                groups,
                next: head,
            });
        }
        head
    }

    fn free_list(&mut self, mut at: u32, env: &mut Env<'_>) {
        while at != 0 {
            let held = self.exports.held.remove(at);
            self.release(held.set, env);
            at = held.next;
        }
    }

    /// Gets the verdicts of all groups on a route, from the last time if that serves.
    fn load_row(&mut self, net: u32, best: Option<Best>, env: &mut Env<'_>) {
        let count = self.exports.groups.iter().flatten().count() as u64;
        if self.exports.row.reusable && self.exports.row.route == best && best.is_some() {
            self.exports.remembered += count;
            return;
        }
        self.clear_row(env);
        let Some(best) = best else {
            self.exports.row.all_none = true;
            self.exports.row.all_as_is = false;
            return;
        };
        self.sets.hold(best.set);
        let mut verdicts = core::mem::take(&mut self.exports.row.verdicts);
        let mut reusable = true;
        for index in 0..self.exports.groups.len() {
            let Some(slot) = &self.exports.groups[index] else {
                verdicts.push(Verdict::Refused);
                continue;
            };
            reusable &= slot.exporter.policy.ignores_net();
            let verdict = if slot.same_as < index {
                self.exports.remembered += 1;
                verdicts[slot.same_as]
            } else {
                self.exports.evaluations += 1;
                self.evaluate(index, net, best, env)
            };
            if let Verdict::Changed(set) = verdict
                && slot_shares(&self.exports.groups, index)
            {
                self.sets.hold(set);
            }
            verdicts.push(verdict);
        }
        let groups = &self.exports.groups;
        let live = || verdicts.iter().zip(groups).filter(|(_, slot)| slot.is_some());
        let all_as_is = live().all(|(verdict, _)| *verdict == Verdict::AsIs);
        let all_none =
            live().all(|(verdict, _)| matches!(verdict, Verdict::Refused | Verdict::Filtered));
        self.exports.row = Row { route: Some(best), verdicts, reusable, all_as_is, all_none };
    }

    /// Forgets the remembered verdicts.
    pub(crate) fn clear_row(&mut self, env: &mut Env<'_>) {
        if let Some(best) = self.exports.row.route.take() {
            self.release(best.set, env);
        }
        let mut verdicts = core::mem::take(&mut self.exports.row.verdicts);
        for verdict in verdicts.drain(..) {
            if let Verdict::Changed(set) = verdict {
                self.release(set, env);
            }
        }
        self.exports.row.verdicts = verdicts;
        self.exports.row.reusable = false;
    }

    fn evaluate(&mut self, group: usize, net: u32, best: Best, env: &mut Env<'_>) -> Verdict {
        let Some(slot) = &self.exports.groups[group] else { return Verdict::Refused };
        let source = &env.sources.at(best.source).source;
        let next_hop = self.hop_state(best.set);
        let view = RouteView {
            net: self.nets[net].key.prefix(),
            attrs: self.sets.set(best.set),
            source,
            next_hop: &next_hop,
        };
        match slot.exporter.policy.evaluate(env.scratch, view) {
            ExportVerdict::Refused => Verdict::Refused,
            ExportVerdict::Filtered => Verdict::Filtered,
            ExportVerdict::AsIs => Verdict::AsIs,
            // What is sent needs no resolution of its own.
            ExportVerdict::Changed(set) => {
                Verdict::Changed(self.intern(&set, crate::Resolve::Never, env))
            }
        }
    }

    /// Says to those who wait under a token what one group holds for a network.
    pub(crate) fn tell_token(
        &mut self,
        net: u32,
        group: usize,
        token: u32,
        withdraw_absent: bool,
        env: &mut Env<'_>,
    ) {
        let best = self.best(net).map(|route| {
            let route = &self.routes[route];
            Best { set: route.accepted, source: route.source }
        });
        self.settle_out(net, group, best, env);
        let key = self.nets[net].key;
        let result = self.held_by(net, group, best);
        let needed = result.filter(|result| {
            self.exports.groups[group].as_ref().is_some_and(|slot| slot.last != Some(*result))
        });
        let route = needed.map(|best| self.out_route(best.set, best.source, env));
        let Some(slot) = &mut self.exports.groups[group] else { return };
        match result {
            Some(best) => {
                slot.announce(key, best, To::Token(token), route);
            }
            None if withdraw_absent => slot.withdraw(key, To::Token(token)),
            None => {}
        }
    }

    /// As [`tell_token`](Self::tell_token), of a network that is not there.
    pub(crate) fn tell_absent(&mut self, group: usize, key: K, token: u32) {
        if let Some(slot) = &mut self.exports.groups[group] {
            slot.withdraw(key, To::Token(token));
        }
    }

    /// Brings Adj-RIB-Out of a network up to date for a group that may not have been fed.
    fn settle_out(&mut self, net: u32, group: usize, best: Option<Best>, env: &mut Env<'_>) {
        self.load_row(net, best, env);
        let result = self.result_of(group, best);
        if self.held_by(net, group, best) == result {
            return;
        }
        self.load_old(net, best);
        let mut results = core::mem::take(&mut self.exports.old);
        let limited = self.exports.groups[group].as_mut().is_some_and(|slot| {
            let first = results.get(group).copied().flatten().is_none();
            first && result.is_some() && slot.over_limit()
        });
        if let Some(place) = results.get_mut(group) {
            let result = result.filter(|_| !limited);
            if let Some(slot) = &mut self.exports.groups[group] {
                slot.exported += i64::from(result.is_some()) - i64::from(place.is_some());
                slot.delta.updates_accepted += u64::from(result.is_some());
            }
            *place = result;
        }
        self.store_out(net, best, &results, env);
        self.exports.old = results;
    }

    fn held_by(&self, net: u32, group: usize, best: Option<Best>) -> Option<Best> {
        let mut at = self.nets[net].out & !DIRTY;
        if at == OUT_BEST {
            return best;
        }
        while at != 0 {
            let held = self.exports.held[at];
            if self.exports.group_sets.contains(held.groups, group) {
                return Some(Best { set: held.set, source: held.source });
            }
            at = held.next;
        }
        None
    }
}

/// Whether a group's verdict is another's.
fn slot_shares<K>(groups: &[Option<Slot<K>>], index: usize) -> bool {
    groups[index].as_ref().is_some_and(|slot| slot.same_as < index)
}

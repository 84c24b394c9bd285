//! Who gets a table's changes, and the deltas that wait for the end of a turn.
//!
//! * [`held`]: Adj-RIB-Out, what the export groups hold for each network;
//! * [`row`]: the verdicts of all groups on one route, each distinct policy asked once;
//! * [`family`]: policies that differ only in constants, asked at once;
//! * [`change`]: what a change of best route means to groups and followers;
//! * [`tally`]: figures of each source's routes, for the sessions that they come from;
//! * [`traced`]: what export groups hear that are traced;
//! * [`told`]: feeds and queries, what one group holds for a network.

mod change;
mod family;
mod held;
mod row;
mod tally;
mod told;
mod traced;

use std::sync::Arc;
use std::sync::atomic::Ordering;

use dunlin_net::hash::Map;

use super::decide::Best;
use super::table::Env;
use super::verdicts::{Numbers, Verdicts};
use crate::ExporterId;
use crate::counters::{ExportDelta, ImportGauges, OwnRoutes};
use crate::export::{
    BANDS, Delta, DeltaBatch, ExportPolicy, Exporter, ExporterKind, FeedReply, OutRoute, To,
};
use crate::import::{Burst, NONE, TableKey};
use crate::limits::LimitKind;
use crate::trace::Told;
use family::Families;
use held::AdjOut;
use row::Row;
use tally::Tally;

/// An exporter with the deltas that wait for the end of the turn.
#[derive(Debug)]
pub(crate) struct Slot<K> {
    pub(crate) exporter: Exporter,
    /// Generation of groups that begins with this one, see [`held`].
    added: u32,
    /// First group with an equal policy; its verdict serves this one.
    same_as: usize,
    /// The policy's answers, asked once.
    ignores_net: bool,
    is_remembered: bool,
    /// Another one for each policy.
    number: u32,
    /// Some bands have been fed and some have not: a route that moves between bands is told even if
    /// the group holds it already.
    feeding: bool,
    /// All bands have been fed once: members count on hearing of every change.
    fed: bool,
    /// Members that may hold what this group does not.
    resyncs: u32,
    /// In this turn: routes that are the same are not judged again.
    keeps: bool,
    routes: Vec<OutRoute>,
    deltas: Vec<Delta<K>>,
    /// How many the last batch had.
    last_len: usize,
    /// Last entry of `routes`, by handle.
    last: Option<Best>,
    delta: ExportDelta,
    exported: i64,
    /// Times that the policy was asked in this turn.
    evaluations: u64,
    tally: Tally,
    /// What became of networks, if the group is traced.
    told: Vec<Told>,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Exports<K> {
    pub(crate) groups: Vec<Option<Slot<K>>>,
    pub(crate) followers: Vec<Slot<K>>,
    adj_out: AdjOut,
    row: Row,
    /// Groups that are there.
    live: u64,
    /// Generation of the group that was added last.
    generation: u32,
    /// The highest generation of a group that is still there.
    newest: u32,
    /// In this turn routes are judged again, for some groups.
    rechecking: bool,
    /// Some group has an export limit.
    limited: bool,
    /// Some group has a member that may hold what the group does not.
    resyncing: bool,
    /// Scratch: what each group held and holds.
    old: Vec<Option<Best>>,
    new: Vec<Option<Best>>,
    /// What became of the routes of the feed that is being answered.
    fed: ExportDelta,
    remembered: u64,
    families: Families,
    /// Of policies that are remembered, from one turn to the next.
    verdicts: Verdicts,
    numbers: Numbers,
}

impl<K: TableKey> Slot<K> {
    pub(crate) fn new(exporter: Exporter) -> Self {
        Self {
            added: 0,
            same_as: 0,
            ignores_net: exporter.policy.ignores_net(),
            is_remembered: exporter.policy.is_remembered(),
            number: 0,
            feeding: false,
            fed: false,
            resyncs: 0,
            keeps: false,
            exporter,
            routes: Vec::new(),
            deltas: Vec::new(),
            last_len: 0,
            last: None,
            delta: ExportDelta::default(),
            exported: 0,
            evaluations: 0,
            tally: Tally::default(),
            told: Vec::new(),
        }
    }

    fn withdraw(&mut self, key: K, to: To) {
        self.reserve();
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
        self.reserve();
        self.deltas.push(Delta { key, path_id: 0, route, to });
    }

    /// Makes room for as many deltas as last time: turns are alike.
    #[inline]
    fn reserve(&mut self) {
        if self.deltas.capacity() == 0 {
            self.deltas.reserve(self.last_len.clamp(4, 8192));
        }
    }

    fn send(&mut self, env: &Env<'_>, trailer: &Trailer) {
        let wanted = trailer.feed.is_some() || trailer.query.is_some();
        let burst = trailer.burst.filter(|_| self.exporter.kind == ExporterKind::Group);
        if self.deltas.is_empty() && burst.is_none() && !wanted && self.told.is_empty() {
            return;
        }
        self.last = None;
        self.last_len = self.deltas.len();
        self.exporter.sink.deliver(Box::new(DeltaBatch {
            slice: env.slice,
            exporter: self.exporter.id,
            burst,
            again: trailer.again,
            routes: core::mem::take(&mut self.routes),
            deltas: K::deltas(core::mem::take(&mut self.deltas)),
            feed: trailer.feed,
            query: trailer.query,
            told: core::mem::take(&mut self.told),
        }));
    }

    fn count(&mut self) {
        self.exporter.counters.add(&core::mem::take(&mut self.delta));
        let exported = core::mem::take(&mut self.exported);
        ImportGauges::shift(&self.exporter.counters.exported, exported);
    }

    /// Counts a network more; false if it is beyond the export limit and must not be sent.
    fn admit(&mut self) -> bool {
        let Some(limit) = &self.exporter.limit else {
            self.exported += 1;
            return true;
        };
        let hit = || limit.events.limit_hit(limit.source, LimitKind::Export);
        let admitted = limit.limit.admits(&self.exporter.counters.exported, hit);
        self.delta.updates_limited += u64::from(!admitted);
        admitted
    }

    /// Counts a network less.
    fn dismiss(&mut self) {
        if self.exporter.limit.is_some() {
            self.exporter.counters.exported.fetch_sub(1, Ordering::Relaxed);
        } else {
            self.exported -= 1;
        }
    }
}

/// What goes with the deltas of a turn.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Trailer {
    pub(crate) burst: Option<Burst>,
    /// The turn evaluated again what was there already.
    pub(crate) again: bool,
    pub(crate) feed: Option<FeedReply>,
    pub(crate) query: Option<u32>,
}

impl<K: TableKey> Exports<K> {
    pub(crate) fn new() -> Self {
        Self {
            groups: Vec::new(),
            followers: Vec::new(),
            adj_out: AdjOut::new(),
            row: Row::default(),
            live: 0,
            generation: 0,
            newest: 0,
            rechecking: false,
            limited: false,
            resyncing: false,
            old: Vec::new(),
            new: Vec::new(),
            fed: ExportDelta::default(),
            remembered: 0,
            families: Families::default(),
            verdicts: Verdicts::default(),
            numbers: Numbers::default(),
        }
    }

    pub(crate) fn add_group(&mut self, exporter: Exporter) {
        self.generation = held::next_generation(self.generation);
        let number = self.numbers.next();
        let slot = Some(Slot { added: self.generation, number, ..Slot::new(exporter) });
        // Adj-RIB-Out may still name a group that has gone: its index is not free yet.
        let free = |&index: &usize| self.groups[index].is_none() && !self.adj_out.names(index);
        match (0..self.groups.len()).find(free) {
            Some(place) => self.groups[place] = slot,
            None => self.groups.push(slot),
        }
        self.groups_changed();
    }

    /// Removes an exporter; returns whether it was a group of this table.
    pub(crate) fn remove(&mut self, id: ExporterId) -> bool {
        self.followers.retain(|slot| slot.exporter.id != id);
        let Some(index) = self.find_group(id) else { return false };
        self.groups[index] = None;
        self.groups_changed();
        true
    }

    /// Gives a group a new policy; returns whether it is here.
    pub(crate) fn set_policy(&mut self, id: ExporterId, policy: Arc<dyn ExportPolicy>) -> bool {
        let Some(index) = self.find_group(id) else { return false };
        let number = self.numbers.next();
        if let Some(slot) = &mut self.groups[index] {
            slot.number = number;
            slot.ignores_net = policy.ignores_net();
            slot.is_remembered = policy.is_remembered();
            slot.exporter.policy = policy;
        }
        self.groups_changed();
        true
    }

    /// Whether what some group is told depends on a ROA or ASPA table.
    pub(crate) fn rechecks(&self, table: &str) -> bool {
        self.groups.iter().flatten().any(|slot| slot.exporter.policy.rechecks(table))
    }

    /// Routes are judged again in this turn because a ROA or ASPA table has changed: for the groups that
    /// want that.
    pub(crate) fn begin_recheck(&mut self, table: &str) {
        self.rechecking = true;
        for slot in self.groups.iter_mut().flatten() {
            slot.keeps = !slot.exporter.policy.rechecks(table);
        }
    }

    /// The turn ends.
    pub(crate) fn end_recheck(&mut self) {
        if core::mem::take(&mut self.rechecking) {
            self.groups.iter_mut().flatten().for_each(|slot| slot.keeps = false);
        }
    }

    pub(crate) fn find_group(&self, id: ExporterId) -> Option<usize> {
        let is = |slot: &Option<Slot<K>>| slot.as_ref().is_some_and(|slot| slot.exporter.id == id);
        self.groups.iter().position(is)
    }

    /// Whether some group has been fed in part.
    pub(crate) fn is_feeding(&self) -> bool {
        self.groups.iter().flatten().any(|slot| slot.feeding)
    }

    /// A group's feed goes on, or has covered all bands.
    pub(crate) fn set_feeding(&mut self, group: usize, feeding: bool) {
        if let Some(Some(slot)) = self.groups.get_mut(group) {
            slot.feeding = feeding;
            slot.fed |= !feeding;
        }
    }

    /// A member that may hold other routes has come, or is up to date.
    pub(crate) fn count_resync(&mut self, id: ExporterId, begins: bool) {
        if let Some(index) = self.find_group(id)
            && let Some(slot) = &mut self.groups[index]
        {
            slot.resyncs = slot.resyncs.saturating_add_signed(if begins { 1 } else { -1 });
        }
        self.resyncing = self.groups.iter().flatten().any(|slot| slot.resyncs > 0);
    }

    fn groups_changed(&mut self) {
        self.resyncing = self.groups.iter().flatten().any(|slot| slot.resyncs > 0);
        let mut first: Map<u64, usize> = Map::default();
        (self.limited, self.live, self.newest) = (false, 0, 0);
        for (index, slot) in self.groups.iter_mut().enumerate() {
            if let Some(slot) = slot {
                slot.same_as = *first.entry(slot.exporter.policy.key()).or_insert(index);
                self.limited |= slot.exporter.limit.is_some();
                self.live += 1;
                self.newest = self.newest.max(slot.added);
            }
        }
        self.families.forget();
        // A row is emptied at the end of every turn, so none is remembered for other groups.
        debug_assert!(self.row.is_empty(), "groups change between turns");
    }

    /// Publishes the counters of a turn.
    pub(crate) fn count_turn(&mut self) {
        for slot in self.groups.iter_mut().flatten() {
            slot.count();
            let sharing = &slot.exporter.sharing;
            let evaluations = core::mem::take(&mut slot.evaluations);
            if evaluations + self.remembered > 0 {
                sharing.evaluations.fetch_add(evaluations, Ordering::Relaxed);
                // What is used again is used by all groups: it counts for the first.
                sharing.remembered.fetch_add(self.remembered, Ordering::Relaxed);
                self.remembered = 0;
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

    /// A new follower has been told of every best route.
    pub(crate) fn end_follow(&mut self, id: ExporterId, env: &Env<'_>) {
        let figures = ExportDelta::default();
        let feed = Some(FeedReply { token: 0, band: 0, next: BANDS, figures });
        let trailer = Trailer { feed, ..NO_TRAILER };
        for slot in self.followers.iter_mut().filter(|slot| slot.exporter.id == id) {
            slot.send(env, &trailer);
        }
    }

    pub(crate) fn memory(&self) -> usize {
        let tallies = self.groups.iter().flatten().map(|slot| slot.tally.memory());
        self.adj_out.memory() + self.verdicts.memory() + tallies.sum::<usize>()
    }

    /// A group's figures of one source's routes.
    pub(crate) fn own_routes(&self, group: ExporterId, source: u16) -> OwnRoutes {
        let slot = self.find_group(group).and_then(|index| self.groups[index].as_ref());
        slot.map(|slot| slot.tally.read(source)).unwrap_or_default()
    }

    /// The index of a source is free.
    pub(crate) fn forget_source(&mut self, source: u16) {
        for slot in self.groups.iter_mut().flatten() {
            slot.tally.forget(source);
        }
    }

    /// The figures of the feed that has been answered.
    pub(crate) fn take_fed(&mut self) -> ExportDelta {
        core::mem::take(&mut self.fed)
    }
}

const NO_TRAILER: Trailer = Trailer { burst: None, again: false, feed: None, query: None };

//! One slice's part of one table: networks, their routes, and the lists that bind them.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use dunlin_attr::Attrs;
use dunlin_filter::Scratch;

use super::attrs::{AttrTable, NIL};
use super::decide::Best;
use super::exports::Exports;
use super::feed::Cursor;
use super::hops::{self, Hops};
use super::pipes::{PipedChange, Pipes};
use super::sources::Sources;
use super::store::Store;
use super::traced::Seen;
use super::verdicts::Verdicts;
use crate::import::TableKey;
use crate::index::Index;
use crate::nexthop::{NextHopKey, NextHopState};
use crate::resolver::WatchReport;
use crate::trace::RouteTrace;
use crate::validation::Validated;
use crate::{Resolve, SliceId, TableId};

/// Set in [`Net::out`] while the network waits for its decision.
pub(crate) const DIRTY: u32 = 1 << 31;

/// A network.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Net<K> {
    pub(crate) key: K,
    /// Its first route; the best one if that is flagged [`BEST`].
    pub(crate) first: u32,
    /// Adj-RIB-Out, see [`super::exports`], and [`DIRTY`].
    pub(crate) out: u32,
}

/// The route is its network's best.
pub(crate) const BEST: u16 = 1;
/// Bits of [`Route::flags`] that count the pipes a route has passed.
pub(crate) const GENERATION_SHIFT: u32 = 8;

/// A route. Identified inside its network by source, path id and pipe.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Route {
    pub(crate) net: u32,
    /// Next route of the network.
    pub(crate) next: u32,
    /// Neighbours in the list of routes with the same accepted set.
    pub(crate) set_next: u32,
    pub(crate) set_previous: u32,
    /// Attribute set before the import filter.
    pub(crate) received: u32,
    /// Attribute set after it; [`NIL`] if rejected.
    pub(crate) accepted: u32,
    pub(crate) path_id: u32,
    /// When it changed last, in hundredths of a second of the runtime's clock.
    pub(crate) changed: u32,
    pub(crate) source: u16,
    pub(crate) flags: u16,
    /// The pipe that it came through, [`super::pipes::NO_PIPE`] if none.
    pub(crate) via: u16,
}

/// A network that changed in this turn and what its best route was before.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Dirty {
    pub(crate) net: u32,
    /// The former best route; maybe another one now.
    pub(crate) route: u32,
    /// Accepted set of the former best route, held; [`NIL`] if there was none.
    pub(crate) set: u32,
    pub(crate) source: u16,
    /// The pipe that it came through.
    pub(crate) via: u16,
    /// Exporters must hear of it even if the best route is the same: its next hop leads elsewhere.
    pub(crate) forced: bool,
}

/// What a table needs from its slice while it works.
pub(crate) struct Env<'a> {
    pub(crate) slice: SliceId,
    pub(crate) sources: &'a mut Sources,
    pub(crate) scratch: &'a mut Scratch,
    /// What ROA and ASPA tables say now.
    pub(crate) validated: &'a Arc<Validated>,
    /// Hundredths of a second.
    pub(crate) now: u32,
    /// Next hops that the resolver must be asked about.
    pub(crate) asks: &'a mut Vec<NextHopKey>,
    /// Next hops that no set of this table needs any more.
    pub(crate) forgets: &'a mut Vec<NextHopKey>,
    /// Answers for the resolver's watches.
    pub(crate) reports: &'a mut Vec<WatchReport>,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Table<K: TableKey> {
    pub(crate) id: TableId,
    pub(crate) index: Index,
    pub(crate) nets: Store<Net<K>>,
    pub(crate) routes: Store<Route>,
    pub(crate) sets: AttrTable,
    pub(crate) hops: Hops,
    pub(crate) exports: Exports<K>,
    /// Of import filters.
    pub(crate) verdicts: Verdicts,
    pub(crate) dirty: Vec<Dirty>,
    /// Feeds that stopped inside a band.
    pub(crate) cursors: Vec<Cursor>,
    /// A best route was removed in this turn, so another may have taken its handle; or it left its set while
    /// feeds stand somewhere, and may have come back where they have been.
    pub(crate) best_left: bool,
    pub(crate) pipes: Pipes,
    /// Route changes that pipes have not taken yet.
    pub(crate) piped: Vec<PipedChange<K>>,
    /// Addresses whose longest match the resolver wants to know.
    pub(crate) watches: BTreeSet<IpAddr>,
    /// Networks inside which watched addresses may have a new longest match.
    pub(crate) watched_changes: Vec<K>,
    /// What is traced of the table.
    pub(crate) trace: Option<Arc<RouteTrace>>,
    /// What has become of routes that are traced, until it is said.
    pub(crate) seen: Vec<Seen<K>>,
}

/// Where a network is looked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    /// Hash of its key.
    pub(crate) hash: u64,
    /// Where it was a moment ago, [`NIL`] if it was not there.
    pub(crate) net: u32,
}

impl Place {
    /// Where a network is looked for that nobody has looked for yet.
    pub(crate) fn of<K: TableKey>(key: K) -> Self {
        Self { hash: key.hash(), net: NIL }
    }
}

/// What names a route inside its network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RouteId {
    pub(crate) source: u16,
    pub(crate) path_id: u32,
    pub(crate) via: u16,
}

impl<K: TableKey> Table<K> {
    pub(crate) fn new(id: TableId) -> Self {
        Self {
            id,
            index: Index::new(),
            nets: Store::new(),
            routes: Store::new(),
            sets: AttrTable::new(),
            hops: Hops::new(),
            exports: Exports::new(),
            verdicts: Verdicts::default(),
            dirty: Vec::new(),
            cursors: Vec::new(),
            best_left: false,
            pipes: Pipes::default(),
            piped: Vec::new(),
            watches: BTreeSet::new(),
            watched_changes: Vec::new(),
            trace: None,
            seen: Vec::new(),
        }
    }

    /// The network with a key.
    #[inline]
    pub(crate) fn find_net(&self, key: K) -> Option<u32> {
        self.find_placed(key, Place::of(key))
    }

    /// As [`find_net`](Self::find_net), with where it was last.
    #[inline]
    pub(crate) fn find_placed(&self, key: K, place: Place) -> Option<u32> {
        if place.net != NIL {
            let net = &self.nets[place.net];
            // Records of networks that have gone are empty.
            if net.key == key && (net.first != NIL || net.out != 0) {
                return Some(place.net);
            }
        }
        let net = self.index.find(place.hash, |net| self.nets[net].key == key);
        (net != NIL).then_some(net)
    }

    /// The network with a key, made if need be.
    #[inline]
    pub(crate) fn net(&mut self, key: K, place: Place) -> u32 {
        if let Some(known) = self.find_placed(key, place) {
            return known;
        }
        let net = self.nets.insert(Net { key, first: NIL, out: 0 });
        self.index.insert(place.hash, net);
        net
    }

    /// Forgets a network without routes that nobody has been told of.
    pub(crate) fn drop_net_if_empty(&mut self, net: u32) {
        let record = self.nets[net];
        if record.first != NIL || record.out != 0 {
            return;
        }
        self.index.remove(record.key.hash(), net);
        self.nets.remove(net);
    }

    /// The route of a network with an identity.
    #[inline]
    pub(crate) fn find_route(&self, net: u32, id: RouteId) -> Option<u32> {
        let mut at = self.nets[net].first;
        while at != NIL {
            let route = &self.routes[at];
            if route.source == id.source && route.path_id == id.path_id && route.via == id.via {
                return Some(at);
            }
            at = route.next;
        }
        None
    }

    /// Notes that a network is about to change. Must come before the change.
    #[inline]
    pub(crate) fn touch(&mut self, net: u32) {
        let record = &mut self.nets[net];
        if record.out & DIRTY != 0 {
            return;
        }
        record.out |= DIRTY;
        let first = record.first;
        let mut before = Dirty { net, ..Dirty::default() };
        if first != NIL && self.routes[first].flags & BEST != 0 {
            let route = &self.routes[first];
            before.route = first;
            (before.set, before.source, before.via) = (route.accepted, route.source, route.via);
            self.sets.hold(before.set);
        }
        self.dirty.push(before);
    }

    /// As [`touch`](Self::touch), of a network with routes over this hop, which leads elsewhere. Exporters
    /// hear of the best route only.
    fn touch_rerouted(&mut self, net: u32, hop: u32) {
        let known = self.dirty.len();
        self.touch(net);
        // If it is dirty already, it is by this very change: nothing else happens in its turn.
        if let Some(dirty) = self.dirty.get_mut(known) {
            dirty.forced = dirty.set != NIL && self.sets.entry(dirty.set).hop == hop;
        }
    }

    /// The handle of a set for a source with a way of resolving; takes a reference.
    pub(crate) fn intern(&mut self, set: &Arc<Attrs>, resolve: Resolve, env: &mut Env<'_>) -> u32 {
        let hop = match hops::wanted(set, resolve) {
            None => NIL,
            Some(key) => {
                let (hop, new) = self.hops.intern(key);
                if new {
                    env.asks.push(key);
                }
                hop
            }
        };
        let interned = self.sets.intern(set, hop);
        if interned.new && hop != NIL {
            let head = &mut self.hops.entry_mut(hop).first_set;
            self.sets.link_hop(interned.handle, head);
        }
        interned.handle
    }

    /// Gives a reference back.
    #[inline]
    pub(crate) fn release(&mut self, set: u32, env: &mut Env<'_>) {
        let Some(gone) = self.sets.release(set) else { return };
        if gone.hop != NIL {
            let head = &mut self.hops.entry_mut(gone.hop).first_set;
            self.sets.unlink_hop(&gone, head);
            if let Some(key) = self.hops.forget_if_unused(gone.hop) {
                env.forgets.push(key);
            }
        }
    }

    /// Where a set's next hop leads; none if it needs no resolution.
    #[inline]
    pub(crate) fn hop_of(&self, set: u32) -> Option<&NextHopState> {
        let hop = self.sets.entry(set).hop;
        (hop != NIL).then(|| &self.hops.entry(hop).state)
    }

    /// As [`hop_of`](Self::hop_of), with what the set says itself.
    pub(crate) fn hop_state(&self, set: u32) -> NextHopState {
        match self.hop_of(set) {
            Some(state) => state.clone(),
            None => hops::own_state(self.sets.set(set)),
        }
    }

    /// The best route of a network as last decided.
    #[inline]
    pub(crate) fn best(&self, net: u32) -> Option<u32> {
        let first = self.nets[net].first;
        (first != NIL && self.routes[first].flags & BEST != 0).then_some(first)
    }

    /// As [`best`](Self::best), by set and source.
    pub(crate) fn best_pair(&self, net: u32) -> Option<Best> {
        let route = &self.routes[self.best(net)?];
        Some(Best { set: route.accepted, source: route.source })
    }

    /// The answer to a next hop has come: all routes that use it are decided again. Returns whether
    /// it is the first, so that import filters that read it have read nothing.
    pub(crate) fn resolved(&mut self, key: &NextHopKey, state: &NextHopState) -> bool {
        let Some(hop) = self.hops.find(key) else { return false };
        let first = self.hops.entry(hop).state == NextHopState::Pending;
        if self.hops.entry(hop).state == *state {
            return false;
        }
        let mut set = self.hops.entry(hop).first_set;
        while set != NIL {
            let mut route = self.sets.entry(set).first_route;
            while route != NIL {
                self.touch_rerouted(self.routes[route].net, hop);
                route = self.routes[route].set_next;
            }
            set = self.sets.next_of_hop(set);
        }
        self.hops.entry_mut(hop).state = state.clone();
        first
    }

    /// Bytes held: networks and routes, then attribute handles.
    pub(crate) fn memory(&self) -> (usize, usize) {
        let own = self.nets.memory()
            + self.routes.memory()
            + self.index.memory()
            + self.exports.memory()
            + self.verdicts.memory()
            + self.dirty.capacity() * size_of::<Dirty>();
        (own, self.sets.memory() + self.hops.memory())
    }
}

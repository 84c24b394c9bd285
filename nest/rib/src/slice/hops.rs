//! A table's next hops: what sets wait for, and what the resolver said.

use std::sync::{Arc, OnceLock};

use dunlin_attr::{Dest, NextHop};
use dunlin_net::hash::Map;

use super::attrs::NIL;
use super::store::Store;
use crate::Resolve;
use crate::nexthop::{NextHopKey, NextHopState, ResolvedHop};

/// No hops: what most sets that need no resolution lead to. Set once, by whoever needs it first.
static NOWHERE: OnceLock<Arc<ResolvedHop>> = OnceLock::new();

/// One next hop.
#[derive(Debug, Default)]
pub(crate) struct HopEntry {
    key: Option<NextHopKey>,
    /// What is known.
    pub(crate) state: NextHopState,
    /// First of the attribute sets that use it.
    pub(crate) first_set: u32,
}

/// See the module. Hop zero is "needs no resolution".
#[derive(Debug)]
pub(crate) struct Hops {
    by_key: Map<NextHopKey, u32>,
    entries: Store<HopEntry>,
}

impl Hops {
    pub(crate) fn new() -> Self {
        Self { by_key: Map::default(), entries: Store::new() }
    }

    /// The hop for a key, and whether it is new and must be asked for.
    pub(crate) fn intern(&mut self, key: NextHopKey) -> (u32, bool) {
        if let Some(&hop) = self.by_key.get(&key) {
            return (hop, false);
        }
        let hop = self.entries.insert(HopEntry { key: Some(key), ..HopEntry::default() });
        self.by_key.insert(key, hop);
        (hop, true)
    }

    pub(crate) fn find(&self, key: &NextHopKey) -> Option<u32> {
        self.by_key.get(key).copied()
    }

    #[inline]
    pub(crate) fn entry(&self, hop: u32) -> &HopEntry {
        &self.entries[hop]
    }

    pub(crate) fn entry_mut(&mut self, hop: u32) -> &mut HopEntry {
        &mut self.entries[hop]
    }

    /// Forgets a hop that no set uses; returns its key so that the resolver can be told.
    pub(crate) fn forget_if_unused(&mut self, hop: u32) -> Option<NextHopKey> {
        if hop == NIL || self.entries[hop].first_set != NIL {
            return None;
        }
        let key = self.entries.remove(hop).key?;
        self.by_key.remove(&key);
        Some(key)
    }

    /// All keys.
    pub(crate) fn keys(&self) -> impl Iterator<Item = NextHopKey> {
        self.by_key.keys().copied()
    }

    /// How many.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.by_key.len()
    }

    pub(crate) fn memory(&self) -> usize {
        self.entries.memory() + self.by_key.capacity() * size_of::<(NextHopKey, u32)>()
    }
}

/// What must be asked of the resolver for a set of a source, if anything.
pub(crate) fn wanted(attrs: &dunlin_attr::Attrs, resolve: Resolve) -> Option<NextHopKey> {
    match attrs.next_hop() {
        NextHop::Bgp if resolve != Resolve::Never => {
            let address = attrs.bgp()?.next_hop_global()?;
            Some(NextHopKey { address, resolve })
        }
        NextHop::Recursive(address) => match resolve {
            Resolve::Recursive { .. } => Some(NextHopKey { address: *address, resolve }),
            _ => None,
        },
        _ => None,
    }
}

/// What a set says of its hops by itself, without the resolver.
pub(crate) fn own_state(attrs: &dunlin_attr::Attrs) -> NextHopState {
    if matches!(attrs.next_hop(), NextHop::Bgp | NextHop::None) && attrs.dest() == Dest::Unicast {
        return NextHopState::Reachable(Arc::clone(NOWHERE.get_or_init(Arc::default)));
    }
    let hops = match attrs.next_hop() {
        NextHop::Hops(hops) => hops.clone(),
        NextHop::Recursive(_) => return NextHopState::Unreachable,
        _ => Box::default(),
    };
    NextHopState::Reachable(Arc::new(ResolvedHop {
        hops,
        igp_metric: 0,
        dest: attrs.dest(),
        through: None,
    }))
}

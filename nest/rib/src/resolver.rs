//! The resolver: which next hops can be reached, and through what.
//!
//! One loop answers all slices. Direct next hops are looked up in the connected networks that the
//! device protocol publishes. For recursive ones it asks every slice to watch the address in the
//! IGP table: a slice answers its longest match, again whenever that changes, and the longest over
//! all slices counts. So nothing here grows with the table.

use std::net::IpAddr;
use std::sync::Arc;

use dunlin_attr::{Dest, Hop, Iface};
use dunlin_net::Prefix;
use dunlin_net::hash::Map;
use dunlin_runtime::{Class, Context, Loop};

use crate::import::Slices;
use crate::nexthop::{NextHopKey, NextHopState, ResolvedHop};
use crate::slice::SliceMessage;
use crate::{Resolve, SliceId, TableId};

/// A network that an interface is on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connected {
    /// The network.
    pub prefix: Prefix,
    /// Our address in it.
    pub local: IpAddr,
    /// The interface.
    pub interface: Iface,
}

/// The best match of a watched address in one slice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WatchMatch {
    /// The network.
    pub prefix: Prefix,
    /// Metric of the route.
    pub metric: u32,
    /// What it does with packets.
    pub dest: Dest,
    /// Where its own next hop leads.
    pub state: NextHopState,
}

/// A slice's answer to a watch.
#[derive(Clone, Debug)]
pub struct WatchReport {
    /// The slice.
    pub slice: SliceId,
    /// The table.
    pub table: TableId,
    /// The address.
    pub address: IpAddr,
    /// The longest match there, if any.
    pub found: Option<WatchMatch>,
}

/// What the resolver is told.
#[derive(Debug)]
pub enum ResolverMessage {
    /// Where the slices are; the first message of all.
    Start(Slices),
    /// A slice wants answers, and no longer wants others.
    Wanted {
        /// The slice.
        slice: SliceId,
        /// New keys.
        asks: Vec<NextHopKey>,
        /// Keys that it forgot.
        forgets: Vec<NextHopKey>,
    },
    /// The connected networks have changed.
    Connected(Arc<[Connected]>),
    /// A slice answers a watch.
    Watched(WatchReport),
}

#[derive(Debug, Default)]
struct Entry {
    /// How many tables of each slice want it.
    wanted_by: Vec<u16>,
    /// The longest match of each slice, for recursive keys; none until it has answered.
    matches: Vec<Option<Option<WatchMatch>>>,
    state: NextHopState,
}

/// See the module.
#[derive(Debug, Default)]
pub struct Resolver {
    slices: Option<Slices>,
    connected: Option<Arc<[Connected]>>,
    entries: Map<NextHopKey, Entry>,
}

impl Resolver {
    /// A resolver that knows nothing yet; it answers direct keys once it has heard of the
    /// connected networks.
    pub fn new() -> Self {
        Self::default()
    }

    fn want(&mut self, slice: SliceId, key: NextHopKey) {
        let Some(slices) = self.slices.clone() else { return };
        let count = slices.count();
        let entry = self.entries.entry(key).or_insert_with(|| Entry {
            wanted_by: vec![0; count],
            matches: vec![None; count],
            state: NextHopState::Pending,
        });
        let first = entry.wanted_by.iter().all(|&wanted| wanted == 0);
        if let Some(wanted) = entry.wanted_by.get_mut(usize::from(slice.0)) {
            *wanted += 1;
        }
        if first {
            if let Resolve::Recursive { table } = key.resolve {
                slices.send_all(Class::Routing, || SliceMessage::Watch {
                    table,
                    address: key.address,
                });
            }
            self.settle(key);
            return;
        }
        if let Some(entry) = self.entries.get(&key)
            && entry.state != NextHopState::Pending
        {
            let answer = vec![(key, entry.state.clone())];
            let to = slices.at(u32::from(slice.0));
            let _ = to.send(Class::Routing, SliceMessage::Resolved(answer));
        }
    }

    fn forget(&mut self, slice: SliceId, key: NextHopKey) {
        let Some(entry) = self.entries.get_mut(&key) else { return };
        if let Some(wanted) = entry.wanted_by.get_mut(usize::from(slice.0)) {
            *wanted = wanted.saturating_sub(1);
        }
        if entry.wanted_by.iter().any(|&wanted| wanted > 0) {
            return;
        }
        self.entries.remove(&key);
        let other = |k: &NextHopKey| k.address == key.address && k.resolve == key.resolve;
        if let (Resolve::Recursive { table }, Some(slices)) = (key.resolve, &self.slices)
            && !self.entries.keys().any(other)
        {
            slices
                .send_all(Class::Routing, || SliceMessage::Unwatch { table, address: key.address });
        }
    }

    fn watched(&mut self, report: &WatchReport) {
        let key = NextHopKey {
            address: report.address,
            resolve: Resolve::Recursive { table: report.table },
        };
        let Some(entry) = self.entries.get_mut(&key) else { return };
        if let Some(place) = entry.matches.get_mut(usize::from(report.slice.0)) {
            *place = Some(report.found.clone());
        }
        self.settle(key);
    }

    /// Works an answer out and tells those who want it if it is new.
    fn settle(&mut self, key: NextHopKey) {
        let Some(entry) = self.entries.get(&key) else { return };
        let state = match key.resolve {
            Resolve::Never => NextHopState::Unreachable,
            Resolve::Direct { interface } => self.direct(key.address, interface),
            Resolve::Recursive { table } => self.recursive(key.address, table, &entry.matches),
        };
        let Some(entry) = self.entries.get_mut(&key) else { return };
        if entry.state == state {
            return;
        }
        entry.state = state.clone();
        let Some(slices) = &self.slices else { return };
        for (slice, _) in entry.wanted_by.iter().enumerate().filter(|(_, wanted)| **wanted > 0) {
            let answer = SliceMessage::Resolved(vec![(key, state.clone())]);
            let _ = slices.at(u32::try_from(slice).unwrap_or(0)).send(Class::Routing, answer);
        }
    }

    fn direct(&self, address: IpAddr, interface: Option<u32>) -> NextHopState {
        let Some(connected) = &self.connected else { return NextHopState::Pending };
        let on = |network: &&Connected| {
            interface.is_none_or(|index| index == network.interface.index)
                && network.prefix.contains_addr(address)
        };
        let found = connected.iter().filter(on).max_by_key(|network| network.prefix.len());
        found.map_or(NextHopState::Unreachable, |network| {
            NextHopState::Reachable(Arc::new(ResolvedHop {
                hops: Box::new([Hop::via(address).on(network.interface)]),
                igp_metric: 0,
                dest: Dest::Unicast,
                through: None,
            }))
        })
    }

    fn recursive(
        &self,
        address: IpAddr,
        table: TableId,
        matches: &[Option<Option<WatchMatch>>],
    ) -> NextHopState {
        // A connected network resolves an address also if no route for it is in the table.
        if let direct @ NextHopState::Reachable(_) = self.direct(address, None) {
            return direct;
        }
        if matches.iter().any(Option::is_none) {
            return NextHopState::Pending;
        }
        let found = matches.iter().flatten().flatten();
        let Some(best) = found.max_by_key(|found| found.prefix.len()) else {
            return NextHopState::Unreachable;
        };
        let NextHopState::Reachable(own) = &best.state else {
            return best.state.clone();
        };
        // A device route: the next hop itself is the gateway there.
        let hops =
            own.hops.iter().map(|hop| Hop { gateway: hop.gateway.or(Some(address)), ..*hop });
        NextHopState::Reachable(Arc::new(ResolvedHop {
            hops: hops.collect(),
            igp_metric: best.metric,
            dest: best.dest,
            through: Some(table),
        }))
    }
}

impl Loop for Resolver {
    type Message = ResolverMessage;

    fn is_essential(&self) -> bool {
        true
    }

    fn message(&mut self, _cx: &mut Context<'_>, message: ResolverMessage) {
        match message {
            ResolverMessage::Start(slices) => self.slices = Some(slices),
            ResolverMessage::Wanted { slice, asks, forgets } => {
                for key in asks {
                    self.want(slice, key);
                }
                for key in forgets {
                    self.forget(slice, key);
                }
            }
            ResolverMessage::Connected(connected) => {
                self.connected = Some(connected);
                let keys: Vec<NextHopKey> = self.entries.keys().copied().collect();
                for key in keys {
                    self.settle(key);
                }
            }
            ResolverMessage::Watched(report) => self.watched(&report),
        }
    }
}

//! The whole crate on a simulated runtime: slices, resolver, registry, groups, sessions.

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use dunlin_filter::ChannelFilter;
use dunlin_net::{NetType, Prefix4};
use dunlin_runtime::sim::{SimOptions, SimRuntime};
use dunlin_runtime::{Address, Class};
use dunlin_sync::Snapshot;

use super::encoder::{OWN_HOP, UNSENDABLE, next_hop_member};
use super::session::{Seen, Session, SessionMessage};
use crate::import::{ImportBuilder, ImportCredit, Slices};
use crate::registry::{GroupFigures, Registry, RegistryMessage};
use crate::resolver::{Resolver, ResolverMessage};
use crate::slice::{Slice, SliceMessage, SliceStatistics};
use crate::testing::{
    Events, Kind, Look, Model, ModelRoute, Rng, address, attrs, bgp_source, fix_hashes,
};
use crate::trace::{FILTERS, ROUTES, RouteTrace, TraceSink};
use crate::validation::Validated;
use crate::{SliceId, Source, SourceId, TableId};

pub(super) const TABLE: TableId = TableId(0);

/// A session with its import side.
pub(super) struct Peer {
    pub(super) source: Arc<Source>,
    pub(super) builder: ImportBuilder<Prefix4>,
    pub(super) session: Address<SessionMessage>,
    pub(super) seen: Arc<Mutex<Seen>>,
    pub(super) kind: Kind,
    pub(super) address: std::net::IpAddr,
    /// Networks that have not changed since it joined.
    untouched: BTreeSet<Prefix4>,
}

pub(crate) struct World {
    pub(super) sim: SimRuntime,
    pub(crate) slices: Slices,
    pub(super) registry: Address<RegistryMessage>,
    pub(super) resolver: Address<ResolverMessage>,
    /// What ROA and ASPA tables say: nothing, unless a test has somebody say it.
    pub(super) validated: Snapshot<Validated>,
    pub(super) peers: Vec<Peer>,
    pub(super) model: Model,
    pub(super) events: Arc<Events>,
    pub(super) rng: Rng,
    /// Leaves of members beyond this lag.
    pub(super) next_id: u32,
    /// What is traced of the exports to the next peer.
    pub(super) next_trace: Option<Arc<RouteTrace>>,
    /// Where lines of all peers to come go, if they are to be traced.
    pub(super) lines: Option<Arc<dyn TraceSink>>,
    /// What is traced of those that there are.
    pub(super) traces: Vec<Arc<RouteTrace>>,
}

impl World {
    pub(crate) fn new(slices: usize, seed: u64, max_lag: u64) -> Self {
        Self::with_options(slices, SimOptions::new(seed), max_lag)
    }

    pub(super) fn with_options(slices: usize, options: SimOptions, max_lag: u64) -> Self {
        fix_hashes();
        let seed = options.seed;
        let sim = SimRuntime::with_options(options);
        let list = (0..slices).map(|n| {
            sim.spawn(&format!("slice {n}"), Class::Routing, Slice::new(SliceId(n as u16)))
        });
        let slices = Slices::new(list.collect());
        let resolver = sim.spawn("resolver", Class::Routing, Resolver::new());
        resolver.send(Class::Routing, ResolverMessage::Start(slices.clone())).unwrap();
        let registry = sim.spawn("registry", Class::Routing, Registry::with_max_lag(max_lag));
        registry.send(Class::Routing, RegistryMessage::Start(slices.clone())).unwrap();
        let validated = Snapshot::new(Validated::default());
        slices.send_all(Class::Routing, || SliceMessage::Start {
            slices: slices.clone(),
            resolver: resolver.clone(),
            validated: validated.clone(),
        });
        slices.send_all(Class::Routing, || SliceMessage::TableAdd {
            id: TABLE,
            net_type: NetType::Ip4,
        });
        Self {
            sim,
            slices,
            registry,
            resolver,
            validated,
            peers: Vec::new(),
            model: Model::default(),
            events: Arc::default(),
            rng: Rng::new(seed),
            next_id: 1,
            next_trace: None,
            lines: None,
            traces: Vec::new(),
        }
    }

    pub(super) fn add_peer(&mut self, kind: Kind) -> usize {
        let id = self.next_id;
        let own = if id.is_multiple_of(5) { next_hop_member() } else { address(1000 + id) };
        self.add_peer_with(kind, own, None, |_| ())
    }

    pub(super) fn add_peer_with(
        &mut self,
        kind: Kind,
        address: std::net::IpAddr,
        credit: Option<Arc<ImportCredit>>,
        change: impl FnOnce(&mut Source),
    ) -> usize {
        let id = self.next_id;
        self.next_id += 1;
        let mut source = bgp_source(id, id, TABLE.0, &self.events);
        source.import = ChannelFilter::Accept;
        change(&mut source);
        if let Some(lines) = &self.lines {
            let name = format!("peer {id}").into();
            let trace = Arc::new(RouteTrace::new(name, ROUTES | FILTERS, Arc::clone(lines)));
            source.trace = Some(Arc::clone(&trace));
            self.next_trace = Some(Arc::clone(&trace));
            self.traces.push(trace);
        }
        let source = Arc::new(source);
        let seen: Arc<Mutex<Seen>> = Arc::default();
        let rib = (self.registry.clone(), self.slices.clone());
        let mut session = Session::new(source.id, address, 1, rib, Arc::clone(&seen));
        session.trace = self.next_trace.take();
        let session = self.sim.spawn(&format!("peer {id}"), Class::Routing, session);
        session.send(Class::Routing, SessionMessage::Join(kind, None)).unwrap();
        let builder = ImportBuilder::new(self.slices.clone(), Arc::clone(&source), credit);
        let untouched = self.model.nets.keys().copied().collect();
        self.peers.push(Peer { source, builder, session, seen, kind, address, untouched });
        self.peers.len() - 1
    }

    pub(super) fn tell(&self, peer: usize, message: SessionMessage) {
        self.peers[peer].session.send(Class::Routing, message).unwrap();
    }

    fn touch(&mut self, net: Prefix4) {
        for peer in &mut self.peers {
            peer.untouched.remove(&net);
        }
    }

    pub(super) fn announce(&mut self, peer: usize, net: Prefix4, path_id: u32, look: Look) {
        self.touch(net);
        let peer = &mut self.peers[peer];
        peer.builder.announce(net, path_id, &attrs(look));
        let router_id = peer.source.peer.as_ref().unwrap().router_id;
        let route = ModelRoute { source: peer.source.id, router_id, path_id, look };
        self.model.announce(net, route);
    }

    pub(super) fn withdraw(&mut self, peer: usize, net: Prefix4, path_id: u32) {
        self.touch(net);
        let peer = &mut self.peers[peer];
        peer.builder.withdraw(net, path_id);
        self.model.withdraw(net, peer.source.id, path_id);
    }

    pub(super) fn flush(&mut self, peer: usize) {
        self.peers[peer].builder.flush();
    }

    pub(super) fn kill(&mut self, peer: usize) {
        let peer = self.peers.remove(peer);
        let id = peer.source.id;
        self.touch_all_of(id);
        peer.session.send(Class::Routing, SessionMessage::Die).unwrap();
        peer.source.kill();
        self.slices
            .send_all(Class::Routing, || SliceMessage::SourceDown { source: id, done: None });
        self.model.kill(id);
    }

    fn touch_all_of(&mut self, id: SourceId) {
        let of = |routes: &Vec<ModelRoute>| routes.iter().any(|route| route.source == id);
        let nets: Vec<Prefix4> =
            self.model.nets.iter().filter(|(_, routes)| of(routes)).map(|(net, _)| *net).collect();
        nets.into_iter().for_each(|net| self.touch(net));
    }

    pub(super) fn set_filter(&mut self, peer: usize, filter: &ChannelFilter) {
        let source = self.peers[peer].source.id;
        self.touch_all_of(source);
        if *filter == ChannelFilter::Accept {
            self.model.rejected.remove(&source);
        } else {
            self.model.rejected.insert(source);
        }
        self.slices.send_all(Class::Routing, || SliceMessage::Program {
            source,
            filter: filter.clone(),
            preference: 100,
            done: None,
        });
    }

    pub(super) fn set_kind(&mut self, peer: usize, kind: Kind) {
        self.peers[peer].kind = kind;
        // What it sees changes for all networks.
        self.peers[peer].untouched.clear();
        self.tell(peer, SessionMessage::Join(kind, None));
    }

    pub(super) fn run(&mut self, millis: u64) {
        self.sim.run_for(Duration::from_millis(millis));
    }

    /// Everybody reads as fast as it can, until nothing more happens.
    pub(super) fn settle(&mut self) {
        for peer in 0..self.peers.len() {
            self.tell(peer, SessionMessage::Rate(usize::MAX));
        }
        self.run(5_000);
    }

    /// What a peer must see.
    pub(super) fn wanted(&self, peer: usize) -> BTreeMap<Prefix4, Look> {
        let peer = &self.peers[peer];
        let mut view = self.model.view(peer.kind, peer.source.id);
        view.retain(|_, look| {
            let own_hop = look.hops == OWN_HOP && peer.address == next_hop_member();
            look.local_pref != UNSENDABLE && !own_hop
        });
        view
    }

    /// Everybody has what the model says.
    pub(super) fn check(&mut self) {
        for at in 0..self.peers.len() {
            let wanted = self.wanted(at);
            let peer = &self.peers[at];
            let seen = peer.seen.lock().unwrap();
            if seen.view != wanted {
                let extra: Vec<_> =
                    seen.view.iter().filter(|(net, look)| wanted.get(net) != Some(look)).collect();
                let missing: Vec<_> =
                    wanted.iter().filter(|(net, look)| seen.view.get(net) != Some(look)).collect();
                panic!(
                    "{:?} {:?}: has {extra:?}, wants {missing:?}; {} moves, {} detached, {} fed",
                    peer.source.id, peer.kind, seen.moves, seen.detached, seen.fed
                );
            }
            assert!(seen.ends_of_rib >= 1 && seen.fed >= seen.ends_of_rib, "{seen:?}");
            assert_eq!(seen.memberships, 1);
            let at_end = seen.at_end_of_rib.as_ref().unwrap();
            for net in &peer.untouched {
                assert_eq!(at_end.get(net), wanted.get(net), "{net} at End-of-RIB");
            }
        }
    }

    pub(super) fn groups(&mut self) -> Vec<GroupFigures> {
        let list: Arc<Mutex<Vec<GroupFigures>>> = Arc::default();
        let reply = Arc::clone(&list);
        let message = RegistryMessage::List(Box::new(move |groups| {
            *reply.lock().unwrap() = groups;
        }));
        self.registry.send(Class::Routing, message).unwrap();
        self.run(10);
        list.lock().unwrap().clone()
    }

    pub(super) fn statistics(&mut self) -> Vec<SliceStatistics> {
        let list: Arc<Mutex<Vec<SliceStatistics>>> = Arc::default();
        for slice in self.slices.iter() {
            let reply = Arc::clone(&list);
            let message =
                SliceMessage::Statistics(Box::new(move |one| reply.lock().unwrap().push(one)));
            slice.send(Class::Routing, message).unwrap();
        }
        self.run(10);
        list.lock().unwrap().clone()
    }

    /// Everybody goes; nothing is left.
    pub(super) fn empty(&mut self) {
        while !self.peers.is_empty() {
            self.kill(0);
        }
        self.run(2_000);
        assert!(self.groups().is_empty());
        for slice in self.statistics() {
            for table in slice.tables {
                let left = (table.networks, table.routes, table.attribute_sets);
                assert_eq!(left, (0, 0, 0));
            }
        }
    }
}

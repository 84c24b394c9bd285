//! Next hops: pending, reachable, unreachable, and through other tables.

use std::net::IpAddr;
use std::sync::Arc;

use dunlin_attr::{
    AttrId, AttrsBuilder, BgpNextHop, Dest, Hop, Iface, IfaceName, NextHop, Rts, Value,
};
use dunlin_net::{NetType, Prefix, Prefix4};
use dunlin_runtime::Class;

use super::support::Follower;
use super::world::{TABLE, World};
use crate::import::ImportBuilder;
use crate::nexthop::NextHopState;
use crate::resolver::{Connected, ResolverMessage};
use crate::slice::SliceMessage;
use crate::source::SourceSpec;
use crate::testing::{Kind, Look, address, look_of, net};
use crate::{Resolve, Source, SourceId, TableId};

const NEAR: Look = Look { local_pref: 100, hops: 1, med: 0 };
const FAR: Look = Look { local_pref: 50, hops: 1, med: 0 };
const IGP: TableId = TableId(1);

fn iface() -> Iface {
    Iface { index: 3, name: IfaceName::new("eth3").unwrap() }
}

fn connect(world: &mut World, prefixes: &[&str]) {
    let list = prefixes.iter().map(|text| Connected {
        prefix: text.parse().unwrap(),
        local: "10.0.0.254".parse().unwrap(),
        interface: iface(),
    });
    let message = ResolverMessage::Connected(list.collect::<Vec<_>>().into());
    world.resolver.send(Class::Routing, message).unwrap();
    world.run(50);
}

fn best(follower: &Follower, net: Prefix4) -> Option<(Look, NextHopState)> {
    let best = follower.best.lock().unwrap();
    best.get(&Prefix::V4(net)).map(|route| (look_of(&route.attrs), route.next_hop.clone()))
}

fn gateway(state: &NextHopState) -> Option<IpAddr> {
    match state {
        NextHopState::Reachable(hop) => hop.hops.first()?.gateway,
        _ => None,
    }
}

#[test]
fn a_direct_next_hop_is_pending_then_reachable_then_not() {
    let mut world = World::new(4, 1, 4_000_000);
    let direct = Resolve::Direct { interface: None };
    let one = world.add_peer_with(Kind::AcceptAll, address(1), None, |s| s.resolve = direct);
    let two = world.add_peer(Kind::AcceptAll);
    let follower = world.follow(TABLE);
    world.announce(one, net(1), 0, NEAR);
    world.flush(one);
    world.run(50);
    assert_eq!(follower.complete.load(core::sync::atomic::Ordering::Relaxed), 4);
    assert_eq!(best(&follower, net(1)), None, "pending routes wait");
    assert!(world.peers[two].seen.lock().unwrap().view.is_empty());

    connect(&mut world, &["10.0.0.0/24"]);
    let (look, state) = best(&follower, net(1)).unwrap();
    assert_eq!(look, NEAR);
    assert_eq!(gateway(&state), Some(address(77)));
    world.settle();
    assert_eq!(world.peers[two].seen.lock().unwrap().view.get(&net(1)), Some(&NEAR));

    // Unreachable loses against a worse route that needs no resolution.
    world.announce(two, net(1), 0, FAR);
    world.flush(two);
    world.run(50);
    assert_eq!(best(&follower, net(1)).unwrap().0, NEAR);
    connect(&mut world, &["10.9.0.0/24"]);
    assert_eq!(best(&follower, net(1)).unwrap().0, FAR);
    connect(&mut world, &["10.0.0.0/24"]);
    assert_eq!(best(&follower, net(1)).unwrap().0, NEAR);
    // Alone it stays the best, and everybody hears that it leads nowhere.
    world.withdraw(two, net(1), 0);
    world.flush(two);
    connect(&mut world, &[]);
    assert_eq!(best(&follower, net(1)), Some((NEAR, NextHopState::Unreachable)));
    world.settle();
    world.check();
    world.empty();
}

#[test]
fn the_next_hop_of_a_route_that_is_not_the_best_concerns_nobody() {
    let mut world = World::new(4, 5, 4_000_000);
    connect(&mut world, &["10.0.0.0/24"]);
    let direct = |interface| move |s: &mut Source| s.resolve = Resolve::Direct { interface };
    let one = world.add_peer_with(Kind::AcceptAll, address(1), None, direct(None));
    let two = world.add_peer_with(Kind::AcceptAll, address(2), None, direct(Some(3)));
    let three = world.add_peer(Kind::AcceptAll);
    let follower = world.follow(TABLE);
    world.announce(one, net(1), 0, NEAR);
    world.flush(one);
    world.settle();
    let told = follower.deltas.load(core::sync::atomic::Ordering::Relaxed);
    let messages = |world: &World| world.peers[three].seen.lock().unwrap().messages;
    let sent = messages(&world);
    // Its next hop is another one, since it is looked for on an interface.
    world.announce(two, net(1), 0, FAR);
    world.flush(two);
    world.settle();
    assert_eq!(follower.deltas.load(core::sync::atomic::Ordering::Relaxed), told);
    assert_eq!(messages(&world), sent, "nothing has changed for neighbours");
    // The best one's own change is told.
    connect(&mut world, &[]);
    assert!(follower.deltas.load(core::sync::atomic::Ordering::Relaxed) > told);
    world.settle();
    world.check();
}

/// A static route in the IGP table.
struct Igp {
    builder: ImportBuilder<Prefix4>,
}

impl Igp {
    fn new(world: &mut World) -> Self {
        let table = SliceMessage::TableAdd { id: IGP, net_type: NetType::Ip4 };
        let SliceMessage::TableAdd { id, net_type } = table else { panic!("made so") };
        world.slices.send_all(Class::Routing, || SliceMessage::TableAdd { id, net_type });
        let mut source = Source::new(SourceSpec {
            id: SourceId(5000),
            table: IGP,
            protocol: "igp".into(),
            kind: Rts::Static,
            events: Arc::clone(&world.events) as Arc<_>,
        });
        source.import = dunlin_filter::ChannelFilter::Accept;
        Self { builder: ImportBuilder::new(world.slices.clone(), Arc::new(source), None) }
    }

    fn set(&mut self, world: &mut World, net: &str, via: Option<(&str, u32)>) {
        let net: Prefix4 = net.parse().unwrap();
        match via {
            Some((gateway, metric)) => {
                let mut attrs = AttrsBuilder::new(Rts::Static);
                let hop = Hop::via(gateway.parse().unwrap()).on(iface());
                attrs.set_next_hop(NextHop::Hops(Box::new([hop])));
                attrs.set_extra(AttrId::IgpMetric, Value::Int(metric));
                self.builder.announce(net, 0, &attrs.finish());
            }
            None => self.builder.withdraw(net, 0),
        }
        self.builder.flush();
        world.run(100);
    }
}

#[test]
fn a_recursive_next_hop_follows_the_longest_match_of_all_slices() {
    let mut world = World::new(4, 2, 4_000_000);
    let mut igp = Igp::new(&mut world);
    connect(&mut world, &[]);
    let through = Resolve::Recursive { table: IGP };
    let one = world.add_peer_with(Kind::AcceptAll, address(1), None, |s| s.resolve = through);
    let follower = world.follow(TABLE);
    world.announce(one, net(1), 0, NEAR);
    world.flush(one);
    world.run(100);
    assert_eq!(best(&follower, net(1)), Some((NEAR, NextHopState::Unreachable)));

    // The next hop is 10.0.0.77.
    igp.set(&mut world, "0.0.0.0/0", Some(("192.0.2.1", 7)));
    let state = best(&follower, net(1)).unwrap().1;
    assert_eq!((gateway(&state), state.igp_metric()), (Some("192.0.2.1".parse().unwrap()), 7));
    // Another slice has a longer one.
    igp.set(&mut world, "10.0.0.0/16", Some(("192.0.2.2", 9)));
    let state = best(&follower, net(1)).unwrap().1;
    assert_eq!((gateway(&state), state.igp_metric()), (Some("192.0.2.2".parse().unwrap()), 9));
    // Only its own route changes: nothing else may be told.
    let told = follower.deltas.load(core::sync::atomic::Ordering::Relaxed);
    igp.set(&mut world, "10.1.0.0/16", Some(("192.0.2.3", 9)));
    assert_eq!(follower.deltas.load(core::sync::atomic::Ordering::Relaxed), told);
    igp.set(&mut world, "10.0.0.0/16", None);
    assert_eq!(gateway(&best(&follower, net(1)).unwrap().1), Some("192.0.2.1".parse().unwrap()));
    igp.set(&mut world, "0.0.0.0/0", None);
    assert_eq!(best(&follower, net(1)).unwrap().1, NextHopState::Unreachable);
}

#[test]
fn several_changes_in_one_batch_are_reported_once_all_are_decided() {
    // A longer match that goes in the same batch in which a shorter one comes was looked at while
    // it was still flagged as best, without attributes.
    let mut world = World::new(1, 3, 4_000_000);
    let mut igp = Igp::new(&mut world);
    connect(&mut world, &[]);
    let through = Resolve::Recursive { table: IGP };
    let one = world.add_peer_with(Kind::AcceptAll, address(1), None, |s| s.resolve = through);
    let follower = world.follow(TABLE);
    world.announce(one, net(1), 0, NEAR);
    world.flush(one);
    igp.set(&mut world, "10.0.0.0/16", Some(("192.0.2.2", 9)));
    igp.set(&mut world, "10.0.0.0/8", Some(("192.0.2.1", 9)));
    let slices = world.slices.clone();
    slices.send_all(Class::Routing, || SliceMessage::Program {
        source: SourceId(5000),
        filter: dunlin_filter::ChannelFilter::Reject,
        preference: 0,
        done: None,
    });
    world.run(100);
    assert_eq!(best(&follower, net(1)).unwrap().1, NextHopState::Unreachable);
}

#[test]
fn a_recursive_route_resolves_no_other() {
    let mut world = World::new(2, 4, 4_000_000);
    let mut igp = Igp::new(&mut world);
    connect(&mut world, &[]);
    igp.set(&mut world, "192.0.2.0/24", Some(("198.51.100.1", 1)));
    // Into the IGP table itself, with a next hop that is resolved through it.
    let through = Resolve::Recursive { table: IGP };
    let bgp = world.add_peer_with(Kind::AcceptAll, address(1), None, |source| {
        source.table = IGP;
        source.resolve = through;
    });
    let one = world.add_peer_with(Kind::AcceptAll, address(2), None, |s| s.resolve = through);
    let follower = world.follow(TABLE);
    let mut attrs = AttrsBuilder::new(Rts::Bgp);
    attrs.set_next_hop(NextHop::Bgp);
    attrs.set_bgp_next_hop(Some(BgpNextHop::new("192.0.2.9".parse().unwrap())));
    let over: Prefix4 = "10.0.0.0/24".parse().unwrap();
    world.peers[bgp].builder.announce(over, 0, &attrs.finish());
    world.flush(bgp);
    world.announce(one, net(1), 0, NEAR);
    world.flush(one);
    world.run(100);
    assert_eq!(best(&follower, net(1)).unwrap().1, NextHopState::Unreachable);
}

#[test]
fn blackholes_and_nearer_next_hops_count() {
    let mut world = World::new(2, 5, 4_000_000);
    let mut igp = Igp::new(&mut world);
    connect(&mut world, &[]);
    igp.set(&mut world, "10.0.0.0/24", Some(("192.0.2.1", 30)));
    let through = Resolve::Recursive { table: IGP };
    let one = world.add_peer_with(Kind::AcceptAll, address(1), None, |s| s.resolve = through);
    let two = world.add_peer_with(Kind::AcceptAll, address(2), None, |s| s.resolve = through);
    let follower = world.follow(TABLE);
    let with_hop = |hop: &str| {
        let mut attrs = AttrsBuilder::new(Rts::Bgp);
        attrs.set_next_hop(NextHop::Bgp);
        attrs.set_bgp_next_hop(Some(BgpNextHop::new(hop.parse().unwrap())));
        attrs.finish()
    };
    world.peers[one].builder.announce(net(1), 0, &with_hop("10.0.0.1"));
    world.flush(one);
    world.peers[two].builder.announce(net(1), 0, &with_hop("10.7.0.1"));
    world.flush(two);
    igp.set(&mut world, "10.7.0.0/24", Some(("192.0.2.7", 20)));
    assert_eq!(gateway(&best(&follower, net(1)).unwrap().1), Some("192.0.2.7".parse().unwrap()));
    igp.set(&mut world, "10.7.0.0/24", Some(("192.0.2.7", 40)));
    assert_eq!(gateway(&best(&follower, net(1)).unwrap().1), Some("192.0.2.1".parse().unwrap()));
    let mut attrs = AttrsBuilder::new(Rts::Static);
    attrs.set_dest(Dest::Blackhole);
    igp.builder.announce("10.0.0.0/24".parse().unwrap(), 0, &attrs.finish());
    igp.builder.flush();
    world.run(100);
    let NextHopState::Reachable(hop) = best(&follower, net(1)).unwrap().1 else {
        panic!("a blackhole leads somewhere");
    };
    assert_eq!((hop.dest, hop.igp_metric), (Dest::Blackhole, 0));
}

//! Import filters in slices: run once for as many routes as they may be, again when they change.

use core::sync::atomic::Ordering;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex};

use dunlin_attr::Iface;
use dunlin_filter::{Counters, Counts, Interfaces};
use dunlin_runtime::Class;

use super::assess::assess;
use super::world::{TABLE, World};
use crate::Resolve;
use crate::assess::Ask;
use crate::resolver::{Connected, ResolverMessage};
use crate::slice::{FilterCounting, SliceMessage};
use crate::testing::{Kind, Look, address, filter, look_of, net};
use crate::validation::Validated;
use crate::walk::{Shown, Walk};

const NETS: usize = 60;
const SETS: usize = 6;
const SLICES: usize = 4;

fn look(n: usize) -> Look {
    Look { local_pref: 100 + (n * SETS / NETS) as u32, hops: 1, med: 0 }
}

/// A peer with a filter that announces everything.
fn announced(text: &str) -> World {
    let mut world = World::new(SLICES, 1, 4_000_000);
    let peer = world.add_peer_with(Kind::RejectAll, address(9), None, |source| {
        source.import = filter(text);
    });
    (0..NETS).for_each(|n| world.announce(peer, net(n), 0, look(n)));
    world.flush(peer);
    world.run(50);
    world
}

fn program(world: &mut World, text: &str, preference: u32) {
    let source = world.peers[0].source.id;
    let filter = filter(text);
    world.slices.send_all(Class::Routing, || SliceMessage::Program {
        source,
        filter: filter.clone(),
        preference,
        done: None,
    });
    world.run(100);
}

fn accepted(world: &mut World) -> Vec<(usize, Look)> {
    let found = world.walk(TABLE, &Walk::All { cursor: 0 }, Shown::Accepted);
    let place = |net: &crate::walk::NetRows| {
        (0..NETS).find(|&n| dunlin_net::Network::V4(super::super::testing::net(n)) == net.net)
    };
    found.iter().map(|net| (place(net).unwrap(), look_of(&net.rows[0].attrs))).collect()
}

fn runs(world: &World) -> u64 {
    world.peers[0].source.counters.read().filter_runs
}

#[test]
fn a_filter_that_reads_no_network_runs_once_per_set_and_slice() {
    let mut world = announced("where bgp_local_pref >= 103");
    assert!(runs(&world) <= (SETS * SLICES) as u64, "{} runs", runs(&world));
    let nets: Vec<usize> = accepted(&mut world).into_iter().map(|(n, _)| n).collect();
    assert_eq!(nets, (NETS / 2..NETS).collect::<Vec<_>>());
    let counters = world.peers[0].source.counters.read();
    assert_eq!((counters.updates_accepted, counters.updates_filtered), (30, 30));
}

#[test]
fn a_filter_that_reads_networks_runs_for_each() {
    let mut world =
        announced("filter { if net ~ [ 0.0.0.0/11+ ] then reject; bgp_med = 7; accept; }");
    assert_eq!(runs(&world), NETS as u64);
    for (n, look) in accepted(&mut world) {
        assert!(n >= 32 && look.med == 7, "{n} {look:?}");
    }
}

fn announce_more(world: &mut World, first: usize) {
    for n in 0..NETS {
        world.announce(0, net(first + n), 0, look(n));
        world.flush(0);
        world.run(1);
    }
    world.run(50);
}

#[test]
fn verdicts_are_remembered_until_the_filter_changes() {
    let mut world = announced("where bgp_local_pref >= 103");
    let before = runs(&world);
    announce_more(&mut world, 1024);
    let counters = world.peers[0].source.counters.read();
    // Apart from sets that have come to another slice than before.
    assert!(runs(&world) - before < (SETS * SLICES) as u64, "{counters:?}");
    let batches = NETS as u64;
    assert_eq!(counters.filter_reused + runs(&world) - before, batches);
    assert_eq!((counters.updates_accepted, counters.updates_filtered), (60, 60));
    program(&mut world, "where bgp_local_pref < 103", 100);
    let before = world.peers[0].source.counters.read();
    announce_more(&mut world, 2048);
    let after = world.peers[0].source.counters.read();
    assert_eq!(after.updates_accepted - before.updates_accepted, 30);
    assert_eq!(after.updates_filtered - before.updates_filtered, 30);
}

#[test]
fn a_run_that_did_not_look_at_the_network_serves_all() {
    let text =
        "filter { if bgp_local_pref < 103 then reject; if net.len > 28 then reject; accept; }";
    let world = announced(text);
    let counters = world.peers[0].source.counters.read();
    assert_eq!((counters.updates_accepted, counters.updates_filtered), (30, 30));
    // The accepted half runs for each network, the other half for each set and slice.
    assert_eq!(counters.filter_runs + counters.filter_reused, NETS as u64);
    let most = (NETS / 2 + SETS / 2 * SLICES) as u64;
    assert!(counters.filter_runs >= 30 && counters.filter_runs <= most, "{counters:?}");
    assert!(counters.filter_reused > 0, "{counters:?}");
}

#[test]
fn a_changed_filter_is_applied_to_what_was_kept() {
    let mut world = announced("where bgp_local_pref >= 103");
    let before = runs(&world);
    program(&mut world, "filter { bgp_med = 9; accept; }", 100);
    let found = accepted(&mut world);
    assert_eq!(found.len(), NETS);
    // Neighbouring routes of one set share a run.
    assert!(runs(&world) - before <= (SETS * SLICES) as u64);
    assert!(found.iter().all(|(n, seen)| *seen == Look { med: 9, ..look(*n) }));
    // The columns count what came from the neighbour.
    assert_eq!(world.peers[0].source.counters.read().updates_received, NETS as u64);
    program(&mut world, "all", 200);
    let found = world.walk(TABLE, &Walk::All { cursor: 0 }, Shown::Accepted);
    assert!(found.iter().all(|net| net.rows[0].attrs.preference() == 200));
    program(&mut world, "none", 200);
    assert!(accepted(&mut world).is_empty());
}

#[test]
fn a_filter_that_came_before_the_first_route_is_the_one() {
    let mut world = World::new(SLICES, 1, 4_000_000);
    let peer = world.add_peer_with(Kind::RejectAll, address(9), None, |_| ());
    program(&mut world, "none", 100);
    (0..NETS).for_each(|n| world.announce(peer, net(n), 0, look(n)));
    world.flush(peer);
    world.run(50);
    assert!(accepted(&mut world).is_empty());
}

#[test]
fn a_failing_filter_rejects_and_says_so() {
    let mut world = announced("where bgp_local_pref / bgp_med = 3");
    assert!(accepted(&mut world).is_empty());
    assert!(world.events.errors.load(Ordering::Relaxed) >= SETS);
}

/// Ten lines in a second from each slice, and one that says how many more there were.
#[test]
fn errors_of_filters_are_left_out_where_there_are_too_many_and_counted() {
    let mut world = World::new(1, 1, 4_000_000);
    let peer = world.add_peer_with(Kind::RejectAll, address(9), None, |source| {
        source.import = filter("where net.maxlen = 3");
    });
    (0..NETS).for_each(|n| world.announce(peer, net(n), 0, look(n)));
    world.flush(peer);
    world.run(50);
    let lines = |world: &World| world.events.errors.load(Ordering::Relaxed);
    assert_eq!(lines(&world), 10);
    world.run(1000);
    assert_eq!(lines(&world), 11, "{} are counted", NETS - 10);
    world.run(3000);
    assert_eq!(lines(&world), 11);
    assert!(accepted(&mut world).is_empty());
}

#[test]
fn what_a_filter_prints_is_printed_for_each_route() {
    let mut world = announced("filter { print bgp_local_pref; accept; }");
    assert_eq!(accepted(&mut world).len(), NETS);
    assert_eq!(world.events.prints.load(Ordering::Relaxed), NETS);
}

#[test]
fn a_filter_that_reads_next_hops_runs_again_when_they_are_known() {
    let mut world = World::new(SLICES, 1, 4_000_000);
    let peer = world.add_peer_with(Kind::RejectAll, address(9), None, |source| {
        source.import = filter("where ifindex = 3");
        source.resolve = Resolve::Direct { interface: None };
    });
    (0..NETS).for_each(|n| world.announce(peer, net(n), 0, look(n)));
    world.flush(peer);
    world.run(50);
    assert!(accepted(&mut world).is_empty());
    let connected = Connected {
        prefix: "10.0.0.0/24".parse().unwrap(),
        local: "10.0.0.254".parse().unwrap(),
        interface: eth3(),
    };
    let message = ResolverMessage::Connected(vec![connected].into());
    world.resolver.send(Class::Routing, message).unwrap();
    world.run(100);
    assert_eq!(accepted(&mut world).len(), NETS);
}

/// What a machine with one interface is.
#[derive(Debug)]
struct Eth3;

impl Interfaces for Eth3 {
    fn of_neighbour(&self, address: IpAddr) -> Option<Iface> {
        (address == Ipv4Addr::new(192, 0, 2, 9)).then(eth3)
    }

    fn by_name(&self, name: &str) -> Option<Iface> {
        (name == "eth3").then(eth3)
    }
}

fn eth3() -> Iface {
    Iface { index: 3, name: dunlin_attr::IfaceName::new("eth3").unwrap() }
}

#[test]
fn gateways_and_interfaces_that_filters_set_have_to_be_there() {
    for (statement, fits) in [
        ("gw = 192.0.2.9;", true),
        ("gw = 203.0.113.1;", false),
        ("ifname = \"eth3\";", true),
        ("ifname = \"eth4\";", false),
    ] {
        let mut world = World::new(SLICES, 1, 4_000_000);
        world.validated.store(Arc::new(Validated::default().on(Arc::new(Eth3))));
        let text = format!("filter {{ {statement} accept; }}");
        let peer = world.add_peer_with(Kind::RejectAll, address(9), None, |source| {
            source.import = filter(&text);
        });
        world.announce(peer, net(0), 0, look(0));
        world.flush(peer);
        world.run(50);
        let errors = world.events.errors.load(Ordering::Relaxed);
        let found = world.walk(TABLE, &Walk::All { cursor: 0 }, Shown::Accepted);
        let hop = found.first().and_then(|net| net.rows[0].attrs.next_hop().hops().first()?.iface);
        let expected = if fits { (0, 1, Some(eth3())) } else { (1, 0, None) };
        assert_eq!((errors, found.len(), hop), expected, "{statement}");
    }
}

#[test]
fn a_filter_for_later_routes_leaves_those_that_are_there() {
    let mut world = announced("filter { accept; }");
    let source = world.peers[0].source.id;
    let rejects = filter("filter { reject; }");
    world.slices.send_all(Class::Routing, || SliceMessage::Filter {
        source,
        filter: rejects.clone(),
        preference: 100,
    });
    world.run(100);
    assert_eq!(accepted(&mut world).len(), NETS, "nothing was looked at again");
    // What is announced now meets the new filter, whether it is new or not.
    world.announce(0, net(0), 0, Look { local_pref: 7, hops: 1, med: 0 });
    world.announce(0, net(NETS), 0, look(0));
    world.flush(0);
    world.run(100);
    let left = accepted(&mut world);
    assert_eq!(left.len(), NETS - 1);
    assert!(left.iter().all(|(n, _)| *n != 0), "{left:?}");
    // A later filter runs over all of them.
    program(&mut world, "filter { accept; }", 100);
    assert_eq!(world.walk(TABLE, &Walk::All { cursor: 0 }, Shown::Accepted).len(), NETS + 1);
}

#[test]
fn what_was_received_is_there_with_the_filter_that_decides() {
    let text = "filter { if bgp_local_pref = 100 then reject; bgp_med = 7; accept; }";
    let mut world = announced(text);
    assert_eq!(accepted(&mut world).len(), NETS - NETS / SETS);
    let found = world.walk(TABLE, &Walk::All { cursor: 0 }, Shown::Received);
    assert_eq!(found.len(), NETS);
    for (n, net) in found.iter().enumerate() {
        let row = &net.rows[0];
        assert_eq!(look_of(&row.attrs), look(n));
        assert_eq!(row.rejected, look(n).local_pref == 100);
        let received = row.received.as_ref().unwrap();
        assert_eq!(received.filter, filter(text));
        assert!(row.pipe.is_none() && !received.hop.unreachable);
    }
    let found = world.walk(TABLE, &Walk::All { cursor: 0 }, Shown::Accepted);
    assert!(found.iter().all(|net| net.rows[0].received.is_none()));
}

fn counters(world: &mut World) -> Vec<Counters> {
    let answers: Arc<Mutex<Vec<Counters>>> = Arc::default();
    world.slices.send_all(Class::Bulk, || {
        let answers = Arc::clone(&answers);
        let reply = Box::new(move |counters| answers.lock().unwrap().extend(counters));
        SliceMessage::FilterCounters(FilterCounting::Read(reply))
    });
    world.run(10);
    let answers = answers.lock().unwrap();
    answers.clone()
}

fn count(world: &mut World, on: bool) {
    world
        .slices
        .send_all(Class::Control, || SliceMessage::FilterCounters(FilterCounting::Switch(on)));
    world.run(10);
}

#[test]
fn slices_count_what_filters_do_when_asked_to() {
    let text =
        "filter { if net.len = 99 then reject; if bgp_local_pref = 100 then reject; accept; }";
    let mut world = announced(text);
    assert!(counters(&mut world).is_empty());
    count(&mut world, true);
    program(&mut world, text, 101);
    let filter = filter(text);
    let total = |world: &mut World| {
        let answers = counters(world);
        assert_eq!(answers.len(), SLICES);
        let mut sum = Counters::default();
        answers.iter().for_each(|counters| sum.add(counters));
        sum.of_program(filter.program().unwrap()).total
    };
    let rejected = (NETS / SETS) as u64;
    let wanted =
        Counts { runs: NETS as u64, accepted: NETS as u64 - rejected, rejected, failed: 0 };
    assert_eq!(total(&mut world), wanted);
    // What is only tried is not counted.
    let protocol = Arc::clone(&world.peers[0].source.protocol);
    let ask = Ask::Import { protocol, filter: filter.clone(), preference: 101 };
    assert_eq!(assess(&mut world, TABLE, &[ask]).0[0].all.routes, NETS as u64);
    assert_eq!(total(&mut world), wanted);
    count(&mut world, false);
    assert!(counters(&mut world).is_empty());
}

//! What a session's figures say: as if the group were its own.

use std::sync::{Arc, Mutex};

use super::session::SessionMessage;
use super::world::World;
use crate::counters::OwnRoutes;
use crate::figures::ask_own_routes;
use crate::testing::{Kind, Look, net};

const LOOK: Look = Look { local_pref: 100, hops: 1, med: 0 };
const BETTER: Look = Look { local_pref: 200, hops: 1, med: 0 };

/// Received, rejected, filtered, accepted; withdrawals received and accepted; exported.
type Row = [u64; 7];

/// A session's figures.
fn figures(world: &mut World, peer: usize) -> Row {
    let source = world.peers[peer].source.id;
    let seen = Arc::clone(&world.peers[peer].seen);
    let exporter = seen.lock().unwrap().figures.exporter().unwrap();
    let own: Arc<Mutex<OwnRoutes>> = Arc::default();
    let reply = Arc::clone(&own);
    ask_own_routes(&world.slices, exporter, source, move |part| {
        let mut own = reply.lock().unwrap();
        *own = own.plus(&part);
    });
    world.run(10);
    let all = seen.lock().unwrap().figures.total(&own.lock().unwrap());
    [
        all.updates_received,
        all.updates_rejected,
        all.updates_filtered,
        all.updates_accepted,
        all.withdraws_received,
        all.withdraws_accepted,
        all.exported,
    ]
}

fn announce(world: &mut World, peer: usize, nets: std::ops::Range<usize>, look: Look) {
    nets.for_each(|n| world.announce(peer, net(n), 0, look));
    world.flush(peer);
    world.settle();
}

fn withdraw(world: &mut World, peer: usize, nets: std::ops::Range<usize>) {
    nets.for_each(|n| world.withdraw(peer, net(n), 0));
    world.flush(peer);
    world.settle();
}

#[test]
fn a_session_s_figures_are_its_own_though_the_group_is_shared() {
    let mut world = World::new(4, 1, 4_000_000);
    let (a, b) = (world.add_peer(Kind::AcceptAll), world.add_peer(Kind::AcceptAll));
    world.settle();
    announce(&mut world, a, 0..30, LOOK);
    assert_eq!(figures(&mut world, a), [30, 30, 0, 0, 0, 0, 0], "all are a's own");
    assert_eq!(figures(&mut world, b), [30, 0, 0, 30, 0, 0, 30]);
    // Nothing changes for anybody.
    announce(&mut world, a, 0..30, LOOK);
    assert_eq!(figures(&mut world, b), [30, 0, 0, 30, 0, 0, 30]);
    // A worse route of b's is not the best, so nobody hears of it.
    announce(&mut world, b, 0..10, Look { hops: 3, ..LOOK });
    assert_eq!(figures(&mut world, b), [30, 0, 0, 30, 0, 0, 30]);
    // A better one replaces what b was told by a withdrawal.
    announce(&mut world, b, 0..10, BETTER);
    assert_eq!(figures(&mut world, a), [40, 30, 0, 10, 0, 0, 10]);
    assert_eq!(figures(&mut world, b), [40, 10, 0, 30, 0, 10, 20]);
    withdraw(&mut world, b, 0..10);
    assert_eq!(figures(&mut world, a), [50, 40, 0, 10, 0, 10, 0]);
    assert_eq!(figures(&mut world, b), [50, 10, 0, 40, 0, 10, 30]);
    withdraw(&mut world, a, 0..5);
    assert_eq!(figures(&mut world, a)[4..], [5, 10, 0], "nothing to withdraw from a");
    assert_eq!(figures(&mut world, b)[4..], [5, 15, 25]);
    world.check();
}

#[test]
fn what_a_feed_brings_counts_for_those_who_are_fed() {
    let mut world = World::new(4, 2, 4_000_000);
    let a = world.add_peer(Kind::RejectNets(0));
    world.settle();
    announce(&mut world, a, 0..30, LOOK);
    // A third is rejected by the filter; the rest is a's own.
    assert_eq!(figures(&mut world, a), [30, 20, 10, 0, 0, 0, 0]);
    let b = world.add_peer(Kind::RejectNets(0));
    world.settle();
    assert_eq!(figures(&mut world, b), [30, 0, 10, 20, 0, 0, 20]);
    assert_eq!(figures(&mut world, a), [30, 20, 10, 0, 0, 0, 0], "a was not fed");
    let c = world.add_peer(Kind::RefuseHops(1));
    world.settle();
    assert_eq!(figures(&mut world, c), [30, 30, 0, 0, 0, 0, 0], "refused before the filter");
    withdraw(&mut world, a, 0..30);
    assert_eq!(figures(&mut world, b), [30, 0, 10, 20, 30, 20, 0]);
    assert_eq!(figures(&mut world, c), [30, 30, 0, 0, 30, 0, 0]);
    assert_eq!(figures(&mut world, a), [30, 20, 10, 0, 30, 0, 0]);
    // A refresh is a feed for one.
    announce(&mut world, a, 0..3, LOOK);
    world.tell(b, SessionMessage::Refresh);
    world.settle();
    assert_eq!(figures(&mut world, b), [36, 0, 12, 24, 30, 20, 2]);
    world.tell(a, SessionMessage::Refresh);
    world.settle();
    assert_eq!(figures(&mut world, a), [36, 24, 12, 0, 30, 0, 0], "own routes are not fed");
    world.check();
}

#[test]
fn own_routes_stay_apart_when_a_session_moves_to_another_group() {
    let mut world = World::new(4, 3, 4_000_000);
    let (a, b) = (world.add_peer(Kind::AcceptAll), world.add_peer(Kind::RejectNets(0)));
    world.settle();
    announce(&mut world, a, 0..30, LOOK);
    assert_eq!(figures(&mut world, a), [30, 30, 0, 0, 0, 0, 0]);
    assert_eq!(figures(&mut world, b), [30, 0, 10, 20, 0, 0, 20]);
    // Into b's group, which has told b of a's routes long before; a is fed.
    world.set_kind(a, Kind::RejectNets(0));
    world.settle();
    assert_eq!(figures(&mut world, a), [60, 50, 10, 0, 0, 0, 0]);
    assert_eq!(figures(&mut world, b), [30, 0, 10, 20, 0, 0, 20]);
    withdraw(&mut world, a, 0..30);
    assert_eq!(figures(&mut world, a), [60, 50, 10, 0, 30, 0, 0]);
    assert_eq!(figures(&mut world, b), [30, 0, 10, 20, 30, 20, 0]);
    announce(&mut world, b, 0..30, LOOK);
    assert_eq!(figures(&mut world, a), [90, 50, 20, 20, 30, 0, 20]);
    // And back, to a group of its own.
    world.set_kind(a, Kind::AcceptAll);
    world.settle();
    assert_eq!(figures(&mut world, a), [120, 50, 20, 50, 30, 0, 30]);
    world.check();
}

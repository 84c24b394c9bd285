//! A member that stops reading while it is fed holds back nobody.

use super::session::SessionMessage;
use super::world::World;
use crate::testing::{Kind, Look, net};

const NETS: usize = 5000;

/// A table of many small sets, so that a feed goes in small steps.
fn loaded(seed: u64) -> World {
    let mut world = World::new(4, seed, 64_000);
    let feeder = world.add_peer(Kind::RejectAll);
    for n in 0..NETS {
        let look = Look { local_pref: 100 + (n / 10) as u32, hops: 1, med: 0 };
        world.announce(feeder, net(n), 0, look);
    }
    world.flush(feeder);
    world.settle();
    world
}

fn stalled(world: &mut World) -> usize {
    let peer = world.add_peer(Kind::AcceptAll);
    world.tell(peer, SessionMessage::Rate(0));
    peer
}

fn is_fed(world: &World, peer: usize) -> bool {
    let seen = world.peers[peer].seen.lock().unwrap();
    seen.ends_of_rib == 1 && seen.view.len() == NETS
}

/// Runs until a peer has been fed; after how many milliseconds.
fn fed_after(world: &mut World, peer: usize) -> u64 {
    for millis in (0..5000).step_by(5) {
        if is_fed(world, peer) {
            return millis;
        }
        world.run(5);
    }
    u64::MAX
}

/// What reads again is brought up to date.
fn read_again(world: &mut World, peers: &[usize]) {
    for &peer in peers {
        world.tell(peer, SessionMessage::Rate(usize::MAX));
    }
    world.settle();
    world.check();
}

#[test]
fn who_joins_beside_one_that_does_not_read_is_fed_at_once() {
    let mut world = loaded(1);
    let alone = world.add_peer(Kind::SetMed(7));
    let usual = fed_after(&mut world, alone);
    let slow = stalled(&mut world);
    let quick = world.add_peer(Kind::AcceptAll);
    let beside = fed_after(&mut world, quick);
    assert!(beside <= usual + 150, "fed after {beside} ms, alone after {usual} ms");
    read_again(&mut world, &[slow]);
}

#[test]
fn who_joins_after_one_that_does_not_read_is_fed_at_once() {
    let mut world = loaded(2);
    let slow = stalled(&mut world);
    world.run(500);
    assert!(!is_fed(&world, slow));
    let late = world.add_peer(Kind::AcceptAll);
    let after = fed_after(&mut world, late);
    assert!(after <= 200, "fed after {after} ms");
    read_again(&mut world, &[slow]);
}

#[test]
fn who_reads_slowly_holds_up_a_feed_for_a_second_at_most() {
    let mut world = loaded(3);
    let slow = world.add_peer(Kind::AcceptAll);
    world.tell(slow, SessionMessage::Rate(5));
    let quick = world.add_peer(Kind::AcceptAll);
    let beside = fed_after(&mut world, quick);
    assert!(beside <= 1500, "fed after {beside} ms");
    let late = world.add_peer(Kind::AcceptAll);
    let after = fed_after(&mut world, late);
    assert!(after <= 1500, "fed after {after} ms");
    read_again(&mut world, &[slow]);
}

//! A member that stops reading while it is fed holds back nobody.

use dunlin_runtime::kit::flow::FlowStats;

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

/// The flows of a kind that members or groups show now.
fn flows(world: &World, name: &str) -> Vec<FlowStats> {
    let loops = world.sim.stats().loops;
    loops.into_iter().flat_map(|one| one.flows).filter(|flow| &*flow.name == name).collect()
}

#[test]
fn windows_and_backlogs_are_shown() {
    let mut world = World::new(2, 4, 64_000);
    let (feeder, slow) = (world.add_peer(Kind::RejectAll), world.add_peer(Kind::AcceptAll));
    world.settle();
    let window = flows(&world, "log").pop().unwrap();
    assert_eq!((window.used, window.limit, window.waiting), (0, Some(16_000), None));
    assert_eq!((window.unit, window.blocked, window.behind), ("bytes", 0, None));
    world.tell(slow, SessionMessage::Rate(0));
    let mut stopped = false;
    for n in 0..NETS {
        let look = Look { local_pref: 100 + n as u32, hops: 1, med: 0 };
        world.announce(feeder, net(n), 0, look);
        if n % 100 == 0 {
            world.flush(feeder);
            world.run(1);
            let (window, backlog) = (flows(&world, "log"), flows(&world, "networks to encode"));
            // With a full window encoding stops; what comes now waits, and so does the group.
            if let (Some(window), Some(backlog)) = (
                window.iter().find(|window| window.used >= 16_000),
                backlog.iter().find(|backlog| backlog.used > 0 && backlog.waiting.is_some()),
            ) {
                assert!(window.waiting.is_some() && window.blocked > 0, "{window:?}");
                assert!(backlog.blocked > 0 && backlog.limit.is_none(), "{backlog:?}");
                stopped = true;
            }
        }
    }
    world.flush(feeder);
    assert!(stopped, "{:?}", flows(&world, "networks to encode"));
    read_again(&mut world, &[slow]);
    for flow in flows(&world, "log").iter().chain(&flows(&world, "networks to encode")) {
        assert_eq!((flow.used, flow.waiting, flow.behind), (0, None, None), "{flow:?}");
    }
}

#[test]
fn who_is_left_behind_shows_how_far() {
    let mut world = World::new(2, 5, 8_000);
    let (feeder, slow) = (world.add_peer(Kind::RejectAll), world.add_peer(Kind::AcceptAll));
    let quick = world.add_peer(Kind::AcceptAll);
    world.settle();
    world.tell(slow, SessionMessage::Rate(0));
    for n in 0..NETS {
        let look = Look { local_pref: 100 + n as u32, hops: 1, med: 0 };
        world.announce(feeder, net(n), 0, look);
    }
    world.flush(feeder);
    world.run(2000);
    assert_eq!(world.peers[quick].seen.lock().unwrap().view.len(), NETS);
    let behind: Vec<u64> = flows(&world, "log").iter().filter_map(|flow| flow.behind).collect();
    // It has been asked for as many of them as go in one question, and does not read the answer.
    assert!(behind.len() == 1 && behind[0] > 0, "{behind:?}");
    read_again(&mut world, &[slow]);
    assert!(flows(&world, "log").iter().all(|flow| flow.behind.is_none() && flow.used == 0));
}

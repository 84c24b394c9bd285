//! Work is done once for many.

use core::sync::atomic::Ordering;

use super::world::World;
use crate::testing::{Kind, Look, net};

const MEMBERS: usize = 50;
const NETS: usize = 200;
const SETS: usize = 20;
const SLICES: usize = 4;

fn announce_all(world: &mut World, feeder: usize) {
    for n in 0..NETS {
        let look = Look { local_pref: 100 + (n * SETS / NETS) as u32, hops: 1, med: 0 };
        world.announce(feeder, net(n), 0, look);
    }
    world.flush(feeder);
}

struct Shared {
    evaluations: u64,
    updates: u64,
    bytes: u64,
    delivered: u64,
    feeds: u64,
}

fn shared(world: &mut World) -> Shared {
    let groups = world.groups();
    assert_eq!(groups.len(), 1, "one policy, one group");
    let sharing = &groups[0].sharing;
    let load = |count: &core::sync::atomic::AtomicU64| count.load(Ordering::Relaxed);
    Shared {
        evaluations: load(&sharing.evaluations),
        updates: load(&sharing.updates_encoded),
        bytes: load(&sharing.bytes_encoded),
        delivered: load(&sharing.bytes_delivered),
        feeds: load(&sharing.feeds),
    }
}

#[test]
fn fifty_members_cost_one_evaluation_and_one_encoding_per_set() {
    let mut world = World::new(SLICES, 1, 4_000_000);
    let feeder = world.add_peer(Kind::SetMed(9));
    (0..MEMBERS).for_each(|_| {
        world.add_peer(Kind::SetMed(9));
    });
    world.settle();
    let before = shared(&mut world);
    announce_all(&mut world, feeder);
    world.settle();
    world.check();
    let after = shared(&mut world);
    // A set has some networks in each slice.
    assert!(after.evaluations - before.evaluations <= (SETS * SLICES) as u64);
    // The slices' parts of a read burst leave together.
    assert_eq!(after.updates - before.updates, SETS as u64);
    let bytes = after.bytes - before.bytes;
    assert_eq!(after.delivered - before.delivered, bytes * (MEMBERS as u64 + 1));
}

#[test]
fn those_who_join_together_are_fed_together() {
    let mut world = World::new(SLICES, 2, 4_000_000);
    let feeder = world.add_peer(Kind::AcceptAll);
    world.settle();
    announce_all(&mut world, feeder);
    world.settle();
    let before = shared(&mut world);
    (0..MEMBERS).for_each(|_| {
        world.add_peer(Kind::AcceptAll);
    });
    world.settle();
    world.check();
    let after = shared(&mut world);
    // The first begins a feed alone; all others wait for the next one.
    assert!(after.feeds - before.feeds <= 2, "{} feeds", after.feeds - before.feeds);
    // A step of a feed brings whole bands of all slices.
    assert!(after.updates - before.updates <= 2 * SETS as u64);
}

#[test]
fn an_unread_log_costs_nothing_but_what_changed() {
    let mut world = World::new(SLICES, 3, 4_000_000);
    let feeder = world.add_peer(Kind::AcceptAll);
    let reader = world.add_peer(Kind::AcceptAll);
    world.settle();
    world.tell(reader, super::session::SessionMessage::Rate(0));
    world.tell(feeder, super::session::SessionMessage::Rate(0));
    let before = shared(&mut world);
    // Far more than a window's worth of changes of few networks.
    for round in 0..3000 {
        for n in 0..20 {
            let look = Look { local_pref: 100 + round, hops: 1, med: 0 };
            world.announce(feeder, net(n), 0, look);
        }
        world.flush(feeder);
        if round % 100 == 0 {
            world.run(1);
        }
    }
    world.run(100);
    let encoded = shared(&mut world).bytes - before.bytes;
    let limit = crate::egress::WINDOW + 200_000;
    assert!(encoded <= limit, "{encoded} bytes for nobody");
    world.settle();
    world.check();
}

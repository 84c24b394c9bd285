//! Work is done once for many.

use core::sync::atomic::{AtomicU64, Ordering};

use dunlin_net::NetKey;

use super::world::World;
use crate::export::SharingCounters;
use crate::registry::GroupFigures;
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

/// The same to members who have a group each, besides the feeder's: what that cost.
fn announce_to_groups(world: &mut World, feeder: usize) -> Shared {
    let before = world.groups();
    assert_eq!(before.len(), MEMBERS + 1);
    let before = all_shared(&before);
    announce_all(world, feeder);
    world.settle();
    world.check();
    all_shared(&world.groups()).since(&before)
}

#[derive(Debug)]
struct Shared {
    evaluations: u64,
    remembered: u64,
    updates: u64,
    bytes: u64,
    delivered: u64,
    feeds: u64,
}

impl Shared {
    /// What was done since.
    fn since(&self, before: &Self) -> Self {
        Self {
            evaluations: self.evaluations - before.evaluations,
            remembered: self.remembered - before.remembered,
            updates: self.updates - before.updates,
            bytes: self.bytes - before.bytes,
            delivered: self.delivered - before.delivered,
            feeds: self.feeds - before.feeds,
        }
    }
}

fn shared(world: &mut World) -> Shared {
    let groups = world.groups();
    assert_eq!(groups.len(), 1, "one policy, one group");
    all_shared(&groups)
}

/// Over all groups.
fn all_shared(groups: &[GroupFigures]) -> Shared {
    let sum = |count: fn(&SharingCounters) -> &AtomicU64| {
        groups.iter().map(|group| count(&group.sharing).load(Ordering::Relaxed)).sum()
    };
    Shared {
        evaluations: sum(|sharing| &sharing.evaluations),
        remembered: sum(|sharing| &sharing.remembered),
        updates: sum(|sharing| &sharing.updates_encoded),
        bytes: sum(|sharing| &sharing.bytes_encoded),
        delivered: sum(|sharing| &sharing.bytes_delivered),
        feeds: sum(|sharing| &sharing.feeds),
    }
}

/// Parts of all attribute sets: a set has some networks in some of the slices, and each slice
/// evaluates for itself.
fn parts() -> usize {
    let part = |n: usize| (n * SETS / NETS, net(n).slice(SLICES as u32 - 1));
    (0..NETS).map(part).collect::<std::collections::BTreeSet<_>>().len()
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
    let did = after.since(&before);
    eprintln!("{} members of one policy, {NETS} routes of {SETS} sets: {did:?}", MEMBERS + 1);
    // A set has some networks in each slice.
    assert_eq!(did.evaluations, parts() as u64);
    assert_eq!(did.remembered, (NETS - parts()) as u64);
    // The slices' parts of a read burst leave together.
    assert_eq!(did.updates, SETS as u64);
    assert_eq!(did.bytes, (NETS * super::encoder::LEN) as u64);
    assert_eq!(did.delivered, did.bytes * (MEMBERS as u64 + 1));
}

/// Policies that make different routes of one have to be asked each. What they share is the import
/// side: one table, one route in it, one set. Each is asked once per set and slice, and what it
/// makes of a set is encoded once for all who have just this policy.
#[test]
fn fifty_policies_that_differ_in_constants_cost_fifty_evaluations_per_set() {
    let mut world = World::new(SLICES, 1, 4_000_000);
    let feeder = world.add_peer(Kind::RejectAll);
    for n in 0..MEMBERS {
        // Two members of each policy.
        world.add_peer(Kind::SetMed(n as u32 + 1));
        world.add_peer(Kind::SetMed(n as u32 + 1));
    }
    world.settle();
    let did = announce_to_groups(&mut world, feeder);
    eprintln!(
        "twice {MEMBERS} policies that differ in constants, {NETS} routes of {SETS} sets: {did:?}"
    );
    let policies = MEMBERS as u64 + 1;
    assert_eq!(did.evaluations, policies * parts() as u64);
    assert_eq!(did.remembered, policies * (NETS - parts()) as u64);
    assert_eq!(did.updates, (MEMBERS * SETS) as u64);
    assert_eq!(did.delivered, did.bytes * 2);
    // The table has each route once, and one set for each result.
    let tables = world.statistics();
    let tables = || tables.iter().flat_map(|slice| &slice.tables);
    assert_eq!(tables().map(|table| table.routes).sum::<usize>(), NETS);
    assert_eq!(
        tables().map(|table| table.attribute_sets).sum::<usize>(),
        parts() * (MEMBERS + 1),
        "as received, and as each policy has made it"
    );
}

/// Filters that are equal but for constants are asked at once, and again only for those to whom the constants
/// made a difference.
#[test]
fn fifty_filters_that_differ_in_constants_cost_an_evaluation_for_each_answer() {
    let mut world = World::new(SLICES, 1, 4_000_000);
    let feeder = world.add_peer(Kind::RejectMed(1_000));
    for n in 0..MEMBERS {
        world.add_peer(Kind::RejectMed(n as u32 + 1));
    }
    world.settle();
    let did = announce_to_groups(&mut world, feeder);
    eprintln!("{MEMBERS} filters that differ in constants, nobody named: {did:?}");
    let members = MEMBERS + 1;
    assert_eq!(did.evaluations, parts() as u64);
    assert_eq!(did.remembered, (members * NETS - parts()) as u64);
    // Somebody named by each set: two answers.
    let before = all_shared(&world.groups());
    for n in 0..NETS {
        let set = (n * SETS / NETS) as u32;
        world.announce(feeder, net(n), 0, Look { local_pref: 100 + set, hops: 1, med: set + 1 });
    }
    world.flush(feeder);
    world.settle();
    world.check();
    let did = all_shared(&world.groups()).since(&before);
    eprintln!("{MEMBERS} filters that differ in constants, one named: {did:?}");
    assert!(did.evaluations <= 2 * parts() as u64 && did.evaluations > parts() as u64, "{did:?}");
    assert_eq!(did.evaluations + did.remembered, (members * NETS) as u64);
}

#[test]
fn verdicts_are_remembered_from_one_turn_to_the_next() {
    let mut world = World::new(SLICES, 1, 4_000_000);
    let feeder = world.add_peer(Kind::RejectMed(3));
    world.add_peer(Kind::RejectMed(3));
    world.settle();
    let before = shared(&mut world);
    announce_all(&mut world, feeder);
    world.settle();
    let did = shared(&mut world).since(&before);
    assert_eq!(did.evaluations, parts() as u64);
    // The same routes of other networks.
    let before = shared(&mut world);
    for n in 0..NETS {
        let look = Look { local_pref: 100 + (n * SETS / NETS) as u32, hops: 1, med: 0 };
        world.announce(feeder, net(n + 4096), 0, look);
        world.flush(feeder);
        world.run(1);
    }
    world.settle();
    world.check();
    let did = shared(&mut world).since(&before);
    // Apart from sets that have come to another slice than before.
    assert!(did.evaluations < parts() as u64 / 2, "{did:?}");
    assert_eq!(did.evaluations + did.remembered, NETS as u64);
    // Another policy knows nothing of it.
    let other = world.add_peer(Kind::RejectMed(4));
    world.settle();
    world.set_kind(other, Kind::RejectMed(0));
    world.settle();
    world.check();
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

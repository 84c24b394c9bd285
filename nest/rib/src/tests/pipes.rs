//! Pipes: both ways, without loops, with filters that change.

use core::sync::atomic::{AtomicUsize, Ordering};
use std::collections::BTreeSet;
use std::sync::Arc;

use dunlin_net::{NetType, Network};
use dunlin_runtime::Class;

use super::world::{TABLE, World};
use crate::counters::{ImportCounters, ImportDelta, ImportGauges};
use crate::limits::{Limit, LimitAction};
use crate::slice::{Pipe, SliceMessage};
use crate::testing::{Kind, Look, TestPolicy, address, net};
use crate::walk::{Shown, Walk};
use crate::{PipeId, TableId};

pub(super) const OTHER: TableId = TableId(1);
const LOOK: Look = Look { local_pref: 100, hops: 1, med: 0 };

pub(super) fn add_table(world: &mut World, id: TableId) {
    let net_type = NetType::Ip4;
    world.slices.send_all(Class::Routing, || SliceMessage::TableAdd { id, net_type });
}

/// A pipe as a test sees it.
#[derive(Clone, Default)]
struct Seen {
    gauges: Arc<ImportGauges>,
    counters: Arc<ImportCounters>,
    limit: Arc<Limit>,
    /// How often the limit was said to be exceeded.
    exceeded: Arc<AtomicUsize>,
}

impl Seen {
    /// Routes that are there.
    fn routes(&self) -> u64 {
        self.gauges.accepted.load(Ordering::Relaxed)
    }
}

pub(super) fn add_pipe(
    world: &mut World,
    id: u32,
    from: TableId,
    to: TableId,
    kind: Kind,
) -> Arc<ImportGauges> {
    let seen = Seen::default();
    put_pipe(world, id, (from, to), kind, &seen);
    seen.gauges
}

fn put_pipe(world: &mut World, id: u32, (from, to): (TableId, TableId), kind: Kind, seen: &Seen) {
    let exceeded = Arc::clone(&seen.exceeded);
    let exceeded: Arc<dyn Fn() + Send + Sync> = Arc::new(move || {
        exceeded.fetch_add(1, Ordering::Relaxed);
    });
    world.slices.send_all(Class::Routing, || {
        SliceMessage::PipeAdd(Box::new(Pipe {
            id: PipeId(id),
            instance: id / 2,
            from,
            to,
            policy: TestPolicy::shared(kind),
            counters: Arc::clone(&seen.counters),
            gauges: Arc::clone(&seen.gauges),
            max_generation: 16,
            limit: Arc::clone(&seen.limit),
            exceeded: Arc::clone(&exceeded),
            trace: None,
        }))
    });
    world.run(20);
}

fn nets(world: &mut World, table: TableId) -> BTreeSet<Network> {
    let found = world.walk(table, &Walk::All { cursor: 0 }, Shown::Accepted);
    assert!(found.iter().all(|net| net.rows.len() == 1), "no route comes back: {found:?}");
    found.iter().map(|net| net.net).collect()
}

fn set(range: impl Iterator<Item = usize>) -> BTreeSet<Network> {
    range.map(|n| Network::V4(net(n))).collect()
}

fn two_peers(world: &mut World) -> (usize, usize) {
    let here = world.add_peer(Kind::AcceptAll);
    let there = world.add_peer_with(Kind::AcceptAll, address(8), None, |s| s.table = OTHER);
    (here, there)
}

#[test]
fn both_directions_carry_all_routes_and_none_comes_back() {
    let mut world = World::new(4, 1, 4_000_000);
    add_table(&mut world, OTHER);
    let (here, there) = two_peers(&mut world);
    (0..20).for_each(|n| world.announce(here, net(n), 0, LOOK));
    world.flush(here);
    world.run(20);
    // Routes that are there already, and those that come later.
    let forth = add_pipe(&mut world, 10, TABLE, OTHER, Kind::AcceptAll);
    let back = add_pipe(&mut world, 11, OTHER, TABLE, Kind::AcceptAll);
    (20..40).for_each(|n| world.announce(there, net(n), 0, LOOK));
    world.flush(there);
    (40..45).for_each(|n| world.announce(here, net(n), 0, LOOK));
    world.flush(here);
    world.run(20);
    assert_eq!(nets(&mut world, OTHER), set(0..45));
    assert_eq!(nets(&mut world, TABLE), set(0..45));
    let accepted = |gauges: &ImportGauges| {
        let load = |gauge: &core::sync::atomic::AtomicU64| gauge.load(Ordering::Relaxed);
        (load(&gauges.accepted), load(&gauges.preferred))
    };
    assert_eq!((accepted(&forth), accepted(&back)), ((25, 25), (20, 20)));
    // Withdrawals follow, and so do deaths.
    (0..10).for_each(|n| world.withdraw(here, net(n), 0));
    world.flush(here);
    world.run(20);
    assert_eq!(nets(&mut world, OTHER), set(10..45));
    world.kill(here);
    world.run(50);
    assert_eq!(nets(&mut world, OTHER), set(20..40));
    assert_eq!(nets(&mut world, TABLE), set(20..40));
    world.empty();
    assert_eq!((accepted(&forth), accepted(&back)), ((0, 0), (0, 0)));
}

#[test]
fn a_changed_filter_is_applied_to_what_is_there() {
    let mut world = World::new(2, 2, 4_000_000);
    add_table(&mut world, OTHER);
    let (here, _) = two_peers(&mut world);
    (0..30).for_each(|n| world.announce(here, net(n), 0, LOOK));
    world.flush(here);
    add_pipe(&mut world, 10, TABLE, OTHER, Kind::RejectNets(0));
    assert_eq!(nets(&mut world, OTHER), set((0..30).filter(|n| n % 3 != 0)));
    add_pipe(&mut world, 10, TABLE, OTHER, Kind::RejectNets(1));
    assert_eq!(nets(&mut world, OTHER), set((0..30).filter(|n| n % 3 != 1)));
    add_pipe(&mut world, 10, TABLE, OTHER, Kind::SetMed(5));
    let found = world.walk(OTHER, &Walk::All { cursor: 0 }, Shown::Accepted);
    assert_eq!(found.len(), 30);
    assert!(found.iter().all(|net| net.rows[0].attrs.med() == Some(5)));
}

#[test]
fn a_pipe_that_goes_takes_its_routes_along_and_may_come_back_at_once() {
    let mut world = World::new(2, 3, 4_000_000);
    add_table(&mut world, OTHER);
    let (here, there) = two_peers(&mut world);
    (0..3000).for_each(|n| world.announce(here, net(n), 0, LOOK));
    world.flush(here);
    world.announce(there, net(5000), 0, LOOK);
    world.flush(there);
    add_pipe(&mut world, 10, TABLE, OTHER, Kind::AcceptAll);
    world.run(50);
    world.slices.send_all(Class::Routing, || SliceMessage::PipeRemove(PipeId(10)));
    // While its routes are being removed: one goes, and the pipe is there again.
    world.withdraw(here, net(0), 0);
    world.flush(here);
    add_pipe(&mut world, 10, TABLE, OTHER, Kind::AcceptAll);
    world.run(200);
    assert_eq!(nets(&mut world, OTHER), set((1..3000).chain([5000])));
    world.slices.send_all(Class::Routing, || SliceMessage::PipeRemove(PipeId(10)));
    world.run(200);
    assert_eq!(nets(&mut world, OTHER), set([5000].into_iter()));
}

#[test]
fn a_ring_of_pipes_ends() {
    let mut world = World::new(2, 4, 4_000_000);
    let tables: Vec<TableId> = (0..4).map(TableId).collect();
    tables[1..].iter().for_each(|id| add_table(&mut world, *id));
    let here = world.add_peer(Kind::AcceptAll);
    for at in 0..4 {
        let (from, to) = (tables[at], tables[(at + 1) % 4]);
        add_pipe(&mut world, 10 + 2 * at as u32, from, to, Kind::AcceptAll);
    }
    world.announce(here, net(1), 0, LOOK);
    world.flush(here);
    world.run(50);
    let rows = world.walk(tables[3], &Walk::All { cursor: 0 }, Shown::Accepted);
    assert_eq!(rows.len(), 1);
    world.withdraw(here, net(1), 0);
    world.flush(here);
    world.run(50);
    for table in tables {
        assert!(world.walk(table, &Walk::All { cursor: 0 }, Shown::Accepted).is_empty());
    }
}

#[test]
fn a_limit_holds_over_all_slices_and_can_be_raised() {
    for (action, kept) in [(LimitAction::Block, 25), (LimitAction::Warn, 100)] {
        let mut world = World::new(4, 5, 4_000_000);
        add_table(&mut world, OTHER);
        let (here, _) = two_peers(&mut world);
        let pipe = Seen { limit: Arc::new(Limit::new(25, action)), ..Seen::default() };
        let way = (TABLE, OTHER);
        put_pipe(&mut world, 10, way, Kind::AcceptAll, &pipe);
        (0..100).for_each(|n| world.announce(here, net(n), 0, LOOK));
        world.flush(here);
        world.run(20);
        assert_eq!((pipe.routes(), nets(&mut world, OTHER).len() as u64), (kept, kept));
        assert_eq!(pipe.exceeded.load(Ordering::Relaxed), 1);
        let counted = pipe.counters.read();
        assert_eq!((counted.updates_limited, counted.updates_accepted), (100 - kept, kept));
        // What has passed may change, whatever the limit.
        let other = Look { local_pref: 7, ..LOOK };
        (0..100).for_each(|n| world.announce(here, net(n), 0, other));
        world.flush(here);
        world.run(20);
        assert_eq!(pipe.routes(), kept);
        // A wider one lets in what the narrow one kept out, when the routes are looked at again.
        pipe.limit.renew(Some((60, action)));
        put_pipe(&mut world, 10, way, Kind::AcceptAll, &pipe);
        assert_eq!(pipe.routes(), kept.max(60));
        pipe.limit.renew(None);
        put_pipe(&mut world, 10, way, Kind::AcceptAll, &pipe);
        assert_eq!((pipe.routes(), nets(&mut world, OTHER)), (100, set(0..100)));
        (0..100).for_each(|n| world.withdraw(here, net(n), 0));
        world.flush(here);
        world.run(20);
        assert_eq!(pipe.routes(), 0);
    }
}

#[test]
fn every_change_is_counted_once() {
    let mut world = World::new(4, 6, 4_000_000);
    add_table(&mut world, OTHER);
    let (here, there) = two_peers(&mut world);
    let (forth, back) = (Seen::default(), Seen::default());
    put_pipe(&mut world, 10, (TABLE, OTHER), Kind::RejectNets(0), &forth);
    put_pipe(&mut world, 11, (OTHER, TABLE), Kind::AcceptAll, &back);
    let announce = |world: &mut World, look| {
        (0..30).for_each(|n| world.announce(here, net(n), 0, look));
        world.flush(here);
        world.run(20);
    };
    announce(&mut world, LOOK);
    let mut wanted = ImportDelta {
        updates_received: 30,
        updates_filtered: 10,
        updates_accepted: 20,
        ..ImportDelta::default()
    };
    assert_eq!(forth.counters.read(), wanted);
    // All that has passed comes to the other direction, which refuses it.
    let mut returned =
        ImportDelta { updates_received: 20, updates_rejected: 20, ..ImportDelta::default() };
    assert_eq!(back.counters.read(), returned);
    // Other attributes.
    announce(&mut world, Look { local_pref: 7, ..LOOK });
    (wanted.updates_received, wanted.updates_filtered, wanted.updates_accepted) = (60, 20, 40);
    (returned.updates_received, returned.updates_rejected) = (40, 40);
    assert_eq!((forth.counters.read(), back.counters.read()), (wanted, returned));
    // All routes again, which changes nothing.
    put_pipe(&mut world, 10, (TABLE, OTHER), Kind::RejectNets(0), &forth);
    (wanted.updates_received, wanted.updates_filtered, wanted.updates_ignored) = (90, 30, 20);
    assert_eq!((forth.counters.read(), back.counters.read()), (wanted, returned));
    // Withdrawals: five of what has passed, five of what has not.
    (0..10).filter(|n| n % 3 != 0).take(5).for_each(|n| world.withdraw(here, net(n), 0));
    (10..30).filter(|n| n % 3 == 0).take(5).for_each(|n| world.withdraw(here, net(n), 0));
    world.flush(here);
    world.run(20);
    (wanted.withdraws_received, wanted.withdraws_ignored, wanted.withdraws_accepted) = (10, 5, 5);
    (returned.withdraws_received, returned.withdraws_rejected) = (5, 5);
    assert_eq!((forth.counters.read(), back.counters.read()), (wanted, returned));
    assert_eq!((forth.routes(), back.routes()), (15, 0));
    // The session goes: whoever removes its routes first, each is counted.
    world.kill(here);
    world.run(50);
    assert_eq!(forth.counters.read().withdraws_accepted, 20);
    let counted = forth.counters.read();
    let sum = counted.withdraws_ignored + counted.withdraws_accepted + counted.withdraws_rejected;
    assert_eq!(counted.withdraws_received, sum, "{counted:?}");
    let _ = there;
}

#[test]
fn a_policy_for_later_changes_leaves_what_has_passed() {
    let mut world = World::new(4, 1, 4_000_000);
    add_table(&mut world, OTHER);
    let (here, _) = two_peers(&mut world);
    add_pipe(&mut world, 10, TABLE, OTHER, Kind::AcceptAll);
    (0..20).for_each(|n| world.announce(here, net(n), 0, LOOK));
    world.flush(here);
    world.run(20);
    world.slices.send_all(Class::Routing, || SliceMessage::PipePolicy {
        id: PipeId(10),
        policy: TestPolicy::shared(Kind::RejectAll),
    });
    world.run(20);
    assert_eq!(nets(&mut world, OTHER), set(0..20), "nothing was looked at again");
    // Changed, new, withdrawn.
    (0..5).for_each(|n| world.announce(here, net(n), 0, Look { local_pref: 7, ..LOOK }));
    (20..25).for_each(|n| world.announce(here, net(n), 0, LOOK));
    (5..8).for_each(|n| world.withdraw(here, net(n), 0));
    world.flush(here);
    world.run(20);
    assert_eq!(nets(&mut world, OTHER), set(8..20));
}

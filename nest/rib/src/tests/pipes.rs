//! Pipes: both ways, without loops, with filters that change.

use std::collections::BTreeSet;
use std::sync::Arc;

use dunlin_net::{NetType, Prefix};
use dunlin_runtime::Class;

use super::world::{TABLE, World};
use crate::counters::ImportGauges;
use crate::slice::{Pipe, SliceMessage};
use crate::testing::{Kind, Look, TestPolicy, address, net};
use crate::walk::Walk;
use crate::{PipeId, TableId};

const OTHER: TableId = TableId(1);
const LOOK: Look = Look { local_pref: 100, hops: 1, med: 0 };

fn add_table(world: &mut World, id: TableId) {
    let net_type = NetType::Ip4;
    world.slices.send_all(Class::Routing, || SliceMessage::TableAdd { id, net_type });
}

fn add_pipe(
    world: &mut World,
    id: u32,
    from: TableId,
    to: TableId,
    kind: Kind,
) -> Arc<ImportGauges> {
    let gauges: Arc<ImportGauges> = Arc::default();
    world.slices.send_all(Class::Routing, || {
        SliceMessage::PipeAdd(Box::new(Pipe {
            id: PipeId(id),
            instance: id / 2,
            from,
            to,
            policy: TestPolicy::shared(kind),
            counters: Arc::default(),
            gauges: Arc::clone(&gauges),
            max_generation: 16,
        }))
    });
    world.run(20);
    gauges
}

fn nets(world: &mut World, table: TableId) -> BTreeSet<Prefix> {
    let found = world.walk(table, Walk::All { cursor: 0 }, false);
    assert!(found.iter().all(|net| net.rows.len() == 1), "no route comes back: {found:?}");
    found.iter().map(|net| net.net).collect()
}

fn set(range: impl Iterator<Item = usize>) -> BTreeSet<Prefix> {
    range.map(|n| Prefix::V4(net(n))).collect()
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
        let load = |gauge: &core::sync::atomic::AtomicU64| {
            gauge.load(core::sync::atomic::Ordering::Relaxed)
        };
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
    let found = world.walk(OTHER, Walk::All { cursor: 0 }, false);
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
    let rows = world.walk(tables[3], Walk::All { cursor: 0 }, false);
    assert_eq!(rows.len(), 1);
    world.withdraw(here, net(1), 0);
    world.flush(here);
    world.run(50);
    for table in tables {
        assert!(world.walk(table, Walk::All { cursor: 0 }, false).is_empty());
    }
}

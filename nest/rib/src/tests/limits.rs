//! Limits hold over all slices, exactly.

use std::sync::Arc;

use super::session::SessionMessage;
use super::world::World;
use crate::Source;
use crate::export::ExportLimit;
use crate::limits::{Limit, LimitAction};
use crate::source::ChannelEvents;
use crate::testing::{Kind, Look, address, net};

const MAX: u64 = 25;
const NETS: usize = 100;

fn peer_with(world: &mut World, change: impl FnOnce(&mut Source)) -> usize {
    world.add_peer_with(Kind::RejectAll, address(900), None, change)
}

fn announce_all(world: &mut World, peer: usize) {
    for n in 0..NETS {
        let look = Look { local_pref: 100 + (n % 7) as u32, hops: 1, med: 0 };
        world.announce(peer, net(n), 0, look);
        if n % 10 == 0 {
            world.flush(peer);
        }
    }
    world.flush(peer);
    world.settle();
}

fn gauges(world: &World, peer: usize) -> (u64, u64) {
    let gauges = &world.peers[peer].source.gauges;
    let load =
        |gauge: &core::sync::atomic::AtomicU64| gauge.load(core::sync::atomic::Ordering::Relaxed);
    (load(&gauges.received), load(&gauges.accepted))
}

#[test]
fn the_receive_limit_blocks_or_warns_once() {
    for (action, kept) in [(LimitAction::Block, MAX), (LimitAction::Warn, NETS as u64)] {
        let mut world = World::new(4, 1, 4_000_000);
        let peer = peer_with(&mut world, |source| {
            source.limits.receive = Limit::new(MAX, action);
        });
        announce_all(&mut world, peer);
        assert_eq!(gauges(&world, peer), (kept, kept));
        assert_eq!(world.events.limits(), (1, 0, 0));
        let counters = world.peers[peer].source.counters.read();
        assert_eq!(counters.updates_receive_limited, NETS as u64 - kept);
        assert_eq!(counters.updates_received, NETS as u64);
        // What is kept may change; what is withdrawn makes room.
        (0..NETS).for_each(|n| world.withdraw(peer, net(n), 0));
        world.flush(peer);
        world.settle();
        assert_eq!(gauges(&world, peer), (0, 0));
        world.announce(peer, net(0), 0, Look { local_pref: 100, hops: 1, med: 0 });
        world.flush(peer);
        world.settle();
        assert_eq!(gauges(&world, peer), (1, 1));
    }
}

#[test]
fn the_import_limit_counts_accepted_routes() {
    for (action, kept) in [(LimitAction::Block, MAX), (LimitAction::Warn, NETS as u64)] {
        let mut world = World::new(4, 2, 4_000_000);
        let peer = peer_with(&mut world, |source| {
            source.limits.import = Limit::new(MAX, action);
        });
        announce_all(&mut world, peer);
        assert_eq!(gauges(&world, peer).1, kept);
        assert_eq!(world.events.limits(), (0, 1, 0));
        assert_eq!(world.peers[peer].source.counters.read().updates_limited, NETS as u64 - kept);
    }
}

#[test]
fn what_the_import_limit_blocks_is_kept_where_rejected_routes_are() {
    for keep_filtered in [false, true] {
        let mut world = World::new(4, 6, 4_000_000);
        let peer = peer_with(&mut world, |source| {
            source.limits.import = Limit::new(MAX, LimitAction::Block);
            source.keep_filtered = keep_filtered;
        });
        announce_all(&mut world, peer);
        let kept = if keep_filtered { NETS as u64 } else { MAX };
        assert_eq!(gauges(&world, peer), (kept, MAX));
        let counters = world.peers[peer].source.counters.read();
        let counted = (counters.updates_limited, counters.updates_accepted);
        assert_eq!(counted, (NETS as u64 - MAX, MAX));
        assert_eq!(counters.updates_filtered, 0);
        // With another limit they come in when they are looked at again.
        world.peers[peer].source.limits.import.renew(Some((50, LimitAction::Block)));
        world.set_filter(peer, &dunlin_filter::ChannelFilter::Accept);
        world.settle();
        assert_eq!(gauges(&world, peer).1, if keep_filtered { 50 } else { MAX });
    }
}

#[test]
fn rejected_routes_do_not_count_as_imported() {
    let mut world = World::new(4, 3, 4_000_000);
    let peer = peer_with(&mut world, |source| {
        source.limits.import = Limit::new(MAX, LimitAction::Block);
        source.import = dunlin_filter::ChannelFilter::Reject;
    });
    announce_all(&mut world, peer);
    assert_eq!(gauges(&world, peer), (NETS as u64, 0));
    assert_eq!(world.events.limits(), (0, 0, 0));
    // All of them are evaluated again, as many as may be are taken.
    world.set_filter(peer, &dunlin_filter::ChannelFilter::Accept);
    world.settle();
    assert_eq!(gauges(&world, peer), (NETS as u64, MAX));
    assert_eq!(world.events.limits(), (0, 1, 0));
}

#[test]
fn a_limit_changes_while_the_session_goes_on() {
    let mut world = World::new(4, 5, 4_000_000);
    let peer = peer_with(&mut world, |_| ());
    announce_all(&mut world, peer);
    let all = NETS as u64;
    assert_eq!(gauges(&world, peer), (all, all));
    let limits = |world: &World, limit| {
        world.peers[peer].source.limits.receive.renew(limit);
        world.peers[peer].source.limits.import.renew(limit);
    };
    limits(&world, Some((MAX, LimitAction::Block)));
    (0..NETS).for_each(|n| world.withdraw(peer, net(n), 0));
    world.flush(peer);
    world.settle();
    assert_eq!(gauges(&world, peer), (0, 0), "counted without a limit, withdrawn with one");
    announce_all(&mut world, peer);
    assert_eq!(gauges(&world, peer), (MAX, MAX));
    assert_eq!(world.events.limits(), (1, 0, 0));
    limits(&world, None);
    announce_all(&mut world, peer);
    assert_eq!(gauges(&world, peer), (all, all));
    assert_eq!(world.events.limits(), (1, 0, 0));
}

#[test]
fn the_export_limit_blocks_or_warns_once() {
    for (action, kept) in [(LimitAction::Block, MAX), (LimitAction::Warn, NETS as u64)] {
        for first in [true, false] {
            let mut world = World::new(4, 4, 4_000_000);
            let feeder = peer_with(&mut world, |_| ());
            let events = Arc::clone(&world.events) as Arc<dyn ChannelEvents>;
            if !first {
                announce_all(&mut world, feeder);
            }
            let reader = peer_with(&mut world, |_| ());
            let limit = ExportLimit {
                limit: Arc::new(Limit::new(MAX, action)),
                source: world.peers[reader].source.id,
                events,
            };
            world.peers[reader].kind = Kind::AcceptAll;
            world.tell(reader, SessionMessage::Join(Kind::AcceptAll, Some(limit)));
            world.settle();
            if first {
                announce_all(&mut world, feeder);
            }
            let seen = world.peers[reader].seen.lock().unwrap().view.len() as u64;
            assert_eq!(seen, kept, "{action:?}, joined first: {first}");
            assert_eq!(world.events.limits(), (0, 0, 1));
            let exports = world.peers[reader].seen.lock().unwrap().exports.clone().unwrap();
            assert_eq!(exports.read().exported, kept);
            for n in 0..NETS {
                world.withdraw(feeder, net(n), 0);
            }
            world.flush(feeder);
            world.settle();
            assert_eq!(exports.read().exported, 0);
        }
    }
}

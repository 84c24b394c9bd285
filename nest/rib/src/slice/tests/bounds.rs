//! What happens when there is no room for a source.

use std::sync::atomic::Ordering;

use super::world::World;
use crate::SliceId;
use crate::slice::Slice;
use crate::slice::sources::MOST_SOURCES;
use crate::testing::{Look, net};

const LOOK: Look = Look { local_pref: 100, hops: 1, med: 0 };

fn refused(world: &World) -> usize {
    world.events.refused.load(Ordering::Relaxed)
}

fn routes(world: &World) -> usize {
    let slices = world.slices.iter().flat_map(|slice| slice.statistics().tables);
    slices.map(|table| table.routes).sum()
}

#[test]
fn a_source_beyond_the_last_index_is_refused_and_told_once() {
    let mut world = World::new(1, 1);
    for n in 0..MOST_SOURCES {
        let source = world.add_source();
        world.batch(&source, &[(net(n), 0, Some(LOOK))]);
    }
    assert_eq!((routes(&world), refused(&world)), (MOST_SOURCES, 0));
    let late = world.add_source();
    world.batch(&late, &[(net(1), 0, Some(LOOK)), (net(2), 0, Some(LOOK))]);
    world.batch(&late, &[(net(2), 0, None)]);
    assert_eq!((routes(&world), refused(&world)), (MOST_SOURCES, 1));
    let counters = late.counters.read();
    assert_eq!((counters.updates_received, counters.updates_rejected), (2, 2));
    assert_eq!((counters.withdraws_received, counters.withdraws_rejected), (1, 1));
}

#[test]
fn who_leaves_makes_room() {
    let mut world = World::new(2, 1);
    world.slices = (0..2).map(|n| Slice::with_room(SliceId(n), 3)).collect();
    world.tell_all(|| crate::slice::SliceMessage::TableAdd {
        id: super::world::TABLE,
        net_type: dunlin_net::NetType::Ip4,
    });
    let nets: Vec<_> = (0..20).map(|n| (net(n), 0, Some(LOOK))).collect();
    for round in 0..10 {
        let sources: Vec<_> = (0..3).map(|_| world.add_source()).collect();
        sources.iter().for_each(|source| world.batch(source, &nets));
        assert_eq!(refused(&world), round);
        let late = world.add_source();
        world.batch(&late, &nets);
        // Both slices refuse; it is told once.
        assert_eq!(refused(&world), round + 1);
        world.kill(sources[0].id);
        // Its routes are still there, so its place is.
        let next = world.add_source();
        world.settle();
        world.batch(&next, &nets);
        assert_eq!(refused(&world), round + 1, "the place of the one that left");
        assert_eq!(routes(&world), 60);
        for id in [sources[1].id, sources[2].id, late.id, next.id] {
            world.kill(id);
        }
        world.settle();
        world.check_tables();
    }
    world.check_empty();
}

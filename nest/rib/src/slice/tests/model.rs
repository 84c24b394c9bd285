//! Random histories against the model.

use super::world::World;
use crate::testing::{Kind, Look, for_seeds, net};
use crate::{Source, SourceId};
use std::sync::Arc;

const NETS: usize = 40;

const KINDS: [Kind; 11] = [
    Kind::AcceptAll,
    Kind::RejectAll,
    Kind::RejectSources(1),
    Kind::SetMed(7),
    Kind::Flatten,
    Kind::RejectNets(2),
    Kind::RefuseHops(2),
    Kind::RejectMed(0),
    Kind::RejectMed(1),
    Kind::RejectNetsWithoutMed,
    Kind::SetMed(0),
];

fn some_look(world: &mut World) -> Look {
    Look {
        local_pref: 100 + world.rng.below(3) as u32,
        hops: 1 + world.rng.below(3) as u8,
        med: world.rng.below(2) as u32,
    }
}

fn some_source(world: &mut World) -> Option<Arc<Source>> {
    if world.sources.is_empty() {
        return None;
    }
    let at = world.rng.below(world.sources.len());
    Some(Arc::clone(&world.sources[at]))
}

fn some_batch(world: &mut World) {
    let Some(source) = some_source(world) else { return };
    let count = 1 + world.rng.below(12);
    let mut ops = Vec::new();
    let mut look = some_look(world);
    for _ in 0..count {
        let net = net(world.rng.below(NETS));
        let path_id = if world.rng.one_in(4) { 1 } else { 0 };
        if world.rng.one_in(3) {
            look = some_look(world);
        }
        let withdraw = world.rng.one_in(3);
        ops.push((net, path_id, (!withdraw).then_some(look)));
    }
    world.batch(&source, &ops);
}

/// A member that is a source as often as not.
fn some_member(world: &mut World) -> SourceId {
    match some_source(world) {
        Some(source) if world.rng.one_in(2) => source.id,
        _ => SourceId(1_000_000),
    }
}

fn step(world: &mut World) {
    match world.rng.below(20) {
        0 if world.sources.len() < 6 => {
            world.add_source();
        }
        1 if world.sources.len() > 2 && world.rng.one_in(3) => {
            let source = some_source(world).unwrap().id;
            // Nothing is sent to a session that has gone.
            world.drain();
            for group in &mut world.groups {
                group.members.retain(|member| member.source != source);
            }
            world.kill(source);
        }
        2 if world.groups.len() < 4 => {
            let kind = KINDS[world.rng.below(KINDS.len())];
            world.add_group(kind, None);
        }
        3 if !world.groups.is_empty() && world.rng.one_in(3) => {
            let at = world.rng.below(world.groups.len());
            world.remove_group(at);
        }
        4 | 5 if !world.groups.is_empty() => {
            let at = world.rng.below(world.groups.len());
            let member = some_member(world);
            world.join(at, member);
        }
        6 if !world.groups.is_empty() && world.rng.one_in(3) => {
            let at = world.rng.below(world.groups.len());
            let kind = KINDS[world.rng.below(KINDS.len())];
            world.set_policy(at, kind);
        }
        7 | 8 => world.work_some(),
        9..=12 => world.feed_some(),
        _ => some_batch(world),
    }
}

fn history(slices: usize, seed: u64) {
    let mut world = World::new(slices, seed);
    for _ in 0..3 {
        world.add_source();
    }
    for round in 0..12 {
        for _ in 0..30 {
            step(&mut world);
            world.check_tables();
        }
        if round % 3 == 2 {
            settled(&mut world);
        }
    }
    settled(&mut world);
    empty(&mut world);
}

fn settled(world: &mut World) {
    world.settle();
    for at in 0..world.groups.len() {
        // Groups that nobody has joined hold nothing: exported counts are checked for fed ones.
        if world.groups[at].members.is_empty() {
            world.join(at, SourceId(2_000_000));
        }
    }
    world.settle();
    world.check();
}

fn empty(world: &mut World) {
    while let Some(source) = world.sources.first().map(|source| source.id) {
        for group in &mut world.groups {
            group.members.retain(|member| member.source != source);
        }
        world.kill(source);
    }
    world.settle();
    for group in &world.groups {
        for member in &group.members {
            assert!(member.view.is_empty(), "ghosts: {:?}", member.view);
        }
        assert_eq!(group.counters.read().exported, 0);
    }
    while !world.groups.is_empty() {
        world.remove_group(0);
    }
    world.settle();
    world.check_empty();
    assert_eq!(world.known_sources(), 0);
}

#[test]
fn members_of_one_slice_end_with_what_the_model_says() {
    for_seeds(150, |seed| history(1, seed));
}

#[test]
fn members_of_two_slices_end_with_what_the_model_says() {
    for_seeds(100, |seed| history(2, seed));
}

#[test]
fn members_of_four_slices_end_with_what_the_model_says() {
    for_seeds(100, |seed| history(4, seed));
}

#[test]
fn a_route_that_leaves_its_set_and_comes_back_is_not_passed_by() {
    crate::testing::fix_hashes();
    let mut world = World::new(1, 1);
    let source = world.add_source();
    let (one, other) =
        (Look { local_pref: 100, hops: 1, med: 0 }, Look { local_pref: 90, hops: 2, med: 1 });
    world.add_group(Kind::AcceptAll, None);
    world.batch(&source, &[(net(1), 0, Some(one))]);
    world.join(0, SourceId(1_000_000));
    // Whichever band it is in: once a feed stands right before it.
    while world.feed_band(0) {
        world.batch(&source, &[(net(1), 0, Some(other)), (net(1), 0, Some(one))]);
    }
    world.settle();
    world.check();
}

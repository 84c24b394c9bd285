//! A session that comes up is fed while routes change.

use dunlin_runtime::Time;
use dunlin_sim_tests::nets;
use dunlin_sim_tests::seeds::each_seed;
use dunlin_sim_tests::speaker::Pace;
use dunlin_sim_tests::world::{SpeakerOptions, World};

use crate::{MS, S};

/// Who is there from the beginning.
const WATCHER: usize = 1;
/// The networks that the feeder has.
const COUNT: usize = 1200;

/// One daemon, a feeder with a table in sets of a few networks, a watcher, and who comes later.
fn fed_world(name: &'static str, seed: u64, joiners: usize) -> (World, Vec<usize>) {
    let mut world = World::with_options(name, seed, |options| {
        options.buffer = options.buffer.min(32 << 10);
    });
    world.noise.blocks = 0;
    let daemon = world.plan_daemon(|spec| {
        spec.slices = 1 << (seed % 5);
        // The window of a member is a quarter of this: the feed takes a while.
        spec.max_lag = 64 << 10;
    });
    let clocks = SpeakerOptions { clocks: true, ..SpeakerOptions::default() };
    let feeder = world.plan_speaker(daemon, clocks);
    let watcher = world.plan_speaker(daemon, SpeakerOptions::default());
    let joiner = SpeakerOptions { absent: true, ..clocks };
    let joiners = (0..joiners).map(|_| world.plan_speaker(daemon, joiner)).collect();
    world.start();
    let sets: Vec<_> = (0..COUNT).step_by(3).map(|at| nets::both(at..at + 3)).collect();
    world.announce_sets(feeder, &sets, 1);
    world
        .until("the table is there", 60 * S, |world| world.seen(watcher).routes.len() == 2 * COUNT);
    (world, joiners)
}

/// New versions of some networks of the feeder; with `withdrawals`, some go instead.
fn change(world: &mut World, from: usize, to: usize, withdrawals: bool) {
    for _ in 0..world.chance.within(1..=3) {
        let first = world.chance.within(from..=to - 8);
        let changed = nets::both(first..first + world.chance.within(1..=8));
        if withdrawals && world.chance.per_mille(150) {
            world.withdraw(0, &changed);
        } else {
            world.announce(0, &changed, 1);
        }
    }
}

/// How many versions made after `begun` a joiner heard of before its feed had ended.
fn fresh_before_the_end(world: &World, joiner: usize, begun: Time) -> usize {
    let feeder = world.seen(0).sent.clone();
    let seen = world.seen(joiner);
    let end = seen.ends_of_rib.iter().flatten().max();
    let early = |version: &u32| seen.versions.get(version).is_some_and(|at| Some(at) < end);
    feeder.iter().filter(|(version, at)| **at > begun && early(version)).count()
}

#[test]
fn a_fresh_update_overtakes_a_running_feed() {
    each_seed("overtake", 20, |seed| {
        let (mut world, joiners) = fed_world("overtake", seed, 1);
        let joiner = joiners[0];
        world.set_up(joiner, true);
        let bytes = world.chance.within(500..=4000);
        world.pace(joiner, Pace::Slow(bytes, 10 * MS));
        world.until("the feed runs", 60 * S, |world| world.seen(joiner).updates > 3);
        let begun = world.now();
        while !world.seen(joiner).is_fed() {
            change(&mut world, 0, COUNT, true);
            let pause = world.chance.millis(5..=60);
            world.run(pause);
            assert!(world.now().since(begun) < 120 * S, "never fed");
        }
        let overtaken = fresh_before_the_end(&world, joiner, begun);
        let short = world.now().since(begun) < S / 2;
        assert!(overtaken > 0 || short, "the feed was never overtaken");
        world.pace(joiner, Pace::Full);
        let trace = world.converge(60 * S);
        world.check_never_lost(0..3);
        trace
    });
}

/// Of the networks below this number none ever goes, so all must be there at End-of-RIB, as new as
/// the watcher had them when the session began or newer.
const KEPT: usize = COUNT / 2;

#[test]
fn end_of_rib_comes_after_the_last_route_of_all_slices() {
    each_seed("end of rib", 200, |seed| {
        let (mut world, joiners) = fed_world("end of rib", seed, 4);
        world.noise.blocks = 30;
        // Half of those change all the time, too.
        let turmoil = |world: &mut World| {
            change(world, KEPT / 2, KEPT, false);
            change(world, KEPT, COUNT, true);
        };
        let mut at_begin = Vec::new();
        for joiner in &joiners {
            at_begin.push(world.seen(WATCHER).routes.clone());
            world.set_up(*joiner, true);
            if world.chance.per_mille(500) {
                let bytes = world.chance.within(2000..=20_000);
                world.pace(*joiner, Pace::Slow(bytes, 10 * MS));
            }
            for _ in 0..world.chance.within(0..=10) {
                turmoil(&mut world);
                let pause = world.chance.millis(1..=100);
                world.run(pause);
            }
        }
        world.until("all fed", 120 * S, |world| {
            turmoil(world);
            joiners.iter().all(|joiner| world.seen(*joiner).is_fed())
        });
        for (joiner, begin) in joiners.iter().zip(at_begin) {
            let seen = world.seen(*joiner);
            for net in nets::both(0..KEPT) {
                let (had, has) = (begin.get(&net), seen.at_end_of_rib.get(&net));
                let versions = (had.and_then(|path| path.last()), has.and_then(|path| path.last()));
                assert!(
                    versions.1.is_some() && versions.0 <= versions.1,
                    "{net} at End-of-RIB of {joiner}: {has:?}, {had:?} at the beginning"
                );
            }
        }
        for joiner in joiners {
            world.pace(joiner, Pace::Full);
        }
        let trace = world.converge(60 * S);
        world.check_never_lost(0..6);
        trace
    });
}

//! Import filters change while routes do.

use dunlin_runtime::Time;
use dunlin_sim_tests::model::Policy;
use dunlin_sim_tests::nets;
use dunlin_sim_tests::seeds::each_seed;
use dunlin_sim_tests::speaker::Pace;
use dunlin_sim_tests::world::{SpeakerOptions, World};

use crate::{MS, S};

/// The networks that the feeder has. Of one family, as each family has a log of its own.
const COUNT: usize = 5000;
/// Those from here on change meanwhile.
const CHANGING: usize = COUNT / 2;
/// The AS that the new filter puts in front of paths.
const MARK: u32 = 64_000;

/// How many of the routes that don't change the watcher has by the old filter.
fn unmarked(world: &World, watcher: usize) -> usize {
    let seen = world.seen(watcher);
    let kept = (0..CHANGING).map(nets::v4).filter_map(|net| seen.routes.get(&net));
    kept.filter(|path| path.get(1) != Some(&MARK)).count()
}

/// The watcher reads slowly, and nobody else is in its group, so what is evaluated again waits.
fn slow_world(seed: u64) -> (World, [usize; 2]) {
    let mut world = World::with_options("reload", seed, |options| {
        options.buffer = options.buffer.clamp(4 << 10, 8 << 10);
    });
    world.noise.blocks = 0;
    let daemon = world.plan_daemon(|spec| {
        spec.slices = 1 << (seed % 5);
        // The window of a member is a quarter of this, and a chunk of the log comes on top of it: who
        // left the log would not see the order.
        spec.max_lag = 192 << 10;
    });
    let clocks = SpeakerOptions { clocks: true, ..SpeakerOptions::default() };
    let feeder = world.plan_speaker(daemon, clocks);
    let watcher = world.plan_speaker(daemon, SpeakerOptions { policy: Policy::Long, ..clocks });
    world.start();
    let sets: Vec<_> = (0..COUNT).map(|at| vec![nets::v4(at)]).collect();
    world.announce_sets(feeder, &sets, 1);
    world.converge(60 * S);
    (world, [feeder, watcher])
}

/// How many versions made from `begun` on the watcher heard of before `end`.
fn fresh_before(world: &World, [feeder, watcher]: [usize; 2], begun: Time, end: Time) -> usize {
    let sent = world.seen(feeder).sent.clone();
    let seen = world.seen(watcher);
    let early = |version: &u32| seen.versions.get(version).is_some_and(|at| *at < end);
    sent.iter().filter(|(version, at)| **at >= begun && early(version)).count()
}

fn reload(seed: u64) -> u64 {
    let (mut world, [feeder, watcher]) = slow_world(seed);
    let bytes = world.chance.within(1000..=3000);
    world.pace(watcher, Pace::Slow(bytes, 10 * MS));
    world.set_mark(MARK);
    let all = unmarked(&world, watcher);
    world.until("routes by the new filter", 60 * S, |world| unmarked(world, watcher) < all);
    let begun = world.now();
    let mut end = begun;
    while unmarked(&world, watcher) > 0 {
        end = world.now();
        // Of these the watcher gets all.
        let first = world.chance.within(CHANGING / 5..=COUNT / 5 - 1) * 5 + 1;
        world.announce(feeder, &[nets::v4(first), nets::v4(first + 1)], 1);
        let pause = world.chance.millis(5..=60);
        world.run(pause);
        assert!(world.now().since(begun) < 120 * S, "never evaluated again");
    }
    let overtaken = fresh_before(&world, [feeder, watcher], begun, end);
    assert!(overtaken > 0, "the fresh updates waited");
    world.pace(watcher, Pace::Full);
    let trace = world.converge(60 * S);
    world.check_never_lost([feeder, watcher]);
    trace
}

#[test]
fn fresh_updates_overtake_what_is_evaluated_again() {
    each_seed("reload", 20, reload);
}

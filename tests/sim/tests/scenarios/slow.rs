//! A neighbour that stops reading.

use core::sync::atomic::{AtomicU64, Ordering};
use core::time::Duration;

use dunlin_runtime::Time;
use dunlin_sim_tests::nets;
use dunlin_sim_tests::seeds::each_seed;
use dunlin_sim_tests::speaker::Pace;
use dunlin_sim_tests::world::{SpeakerOptions, World};

use crate::{MS, S};

const COUNT: usize = 1000;

/// The longest time from a feeder's sending a version to a reader's hearing of it.
fn worst_delay(world: &World, feeder: usize, reader: usize) -> Duration {
    let (sent, heard) = (world.seen(feeder), world.seen(reader));
    let delay = |(version, at): (&u32, &Time)| Some(heard.versions.get(version)?.since(*at));
    sent.sent.iter().filter_map(delay).max().unwrap_or_default()
}

fn change(world: &mut World, feeder: usize) {
    let first = world.chance.within(0..=COUNT - 60);
    let nets = nets::both(first..first + world.chance.within(1..=60));
    if world.chance.per_mille(100) {
        world.withdraw(feeder, &nets);
    } else {
        let sets: Vec<_> = nets.into_iter().map(|net| vec![net]).collect();
        world.announce_sets(feeder, &sets, 1);
    }
    let pause = world.chance.millis(10..=80);
    world.run(pause);
}

/// How often members have left the logs of a daemon, and come back to them.
fn left_log(world: &mut World, daemon: usize) -> (u64, u64) {
    let groups = world.groups(daemon);
    let count = |count: &AtomicU64| count.load(Ordering::Relaxed);
    groups.iter().fold((0, 0), |(left, back), group| {
        let sharing = &group.sharing;
        (left + count(&sharing.members_left_log), back + count(&sharing.members_back))
    })
}

/// The slow one comes, stops reading in the middle of its feed while routes change, and reads
/// again when another one is being fed.
fn slow(seed: u64) -> u64 {
    let mut world = World::with_options("slow", seed, |options| {
        options.buffer = options.buffer.min(16 << 10);
        // Delays count here, and what is lost comes late.
        options.loss = 0;
    });
    world.noise.blocks = 0;
    let daemon = world.plan_daemon(|spec| {
        spec.slices = 1 << (seed % 4);
        // Not much more than a chunk of the log: one that reads must not leave.
        spec.max_lag = 96 << 10;
    });
    let clocks = SpeakerOptions { clocks: true, ..SpeakerOptions::default() };
    let feeder = world.plan_speaker(daemon, clocks);
    let others = [0; 3].map(|_| world.plan_speaker(daemon, clocks));
    let late = SpeakerOptions { absent: true, ..clocks };
    let [slow, joiner] = [0; 2].map(|_| world.plan_speaker(daemon, late));
    world.start();
    let sets: Vec<_> = (0..COUNT).step_by(2).map(|at| nets::both(at..at + 2)).collect();
    world.announce_sets(feeder, &sets, 1);
    world.converge(60 * S);
    // From here on delays count.
    for at in others.into_iter().chain([feeder]) {
        let mut seen = world.seen(at);
        seen.versions.clear();
        seen.sent.clear();
    }

    world.set_up(slow, true);
    let bytes = world.chance.within(200..=4000);
    world.pace(slow, Pace::Slow(bytes, 10 * MS));
    let begun = if seed.is_multiple_of(3) { usize::MAX } else { world.chance.within(1..=200) };
    world.until("the feed of the slow one", 120 * S, |world| {
        let seen = world.seen(slow);
        seen.is_fed() || seen.updates >= begun
    });
    world.pace(slow, Pace::Stopped);
    let stopped = world.now();
    let span = world.chance.millis(3000..=12_000);
    while world.now().since(stopped) < span || left_log(&mut world, daemon).0 == 0 {
        change(&mut world, feeder);
        // Later the session would end, as nothing can be sent.
        assert!(world.now().since(stopped) < 16 * S, "nobody left the log");
    }

    world.set_up(joiner, true);
    world.pace(slow, Pace::Slow(bytes * 4, 10 * MS));
    for _ in 0..world.chance.within(1..=60) {
        change(&mut world, feeder);
    }
    world.pace(slow, Pace::Full);
    for other in others {
        let worst = worst_delay(&world, feeder, other);
        assert!(worst < 250 * MS, "{other} was delayed by {worst:?}");
    }
    let trace = world.converge(60 * S);
    let (left, back) = left_log(&mut world, daemon);
    assert_eq!(left, back, "somebody who left the log has not come back");
    world.check_never_lost(0..6);
    trace
}

#[test]
fn a_slow_neighbor_leaves_the_log_and_catches_up() {
    each_seed("slow", 20, slow);
}

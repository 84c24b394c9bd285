//! Routing work is blocked by hogs; sessions live on.

use core::time::Duration;

use dunlin_runtime::Class;
use dunlin_sim_tests::nets;
use dunlin_sim_tests::seeds::each_seed;
use dunlin_sim_tests::world::{SpeakerOptions, World};

use crate::{MS, S};

/// The hold time, in seconds.
const HOLD: u16 = 3;

/// For three hold times every worker has many handlers of 50 ms in all classes but liveness, and one
/// after the other is kept from everything for a while.
fn hog(seed: u64) -> u64 {
    let mut world = World::new("hog", seed);
    world.noise.blocks = 0;
    let one = world.plan_daemon(|_| ());
    let two = world.plan_daemon(|_| ());
    let options = SpeakerOptions { hold: HOLD, ..SpeakerOptions::default() };
    let speakers = [one, one, one, two, two].map(|daemon| world.plan_speaker(daemon, options));
    world.start();
    for (at, speaker) in speakers.into_iter().enumerate() {
        world.announce(speaker, &nets::both(at * 100..at * 100 + 120), 1 + 2 * (at % 2));
    }
    world.converge(60 * S);
    let span = 3 * u32::from(HOLD) * S;
    world.plant_hogs(30, Class::Control, 50 * MS, span);
    world.plant_hogs(60, Class::Routing, 50 * MS, span);
    world.plant_hogs(20, Class::Bulk, 50 * MS, span);
    let begun = world.now();
    while world.now().since(begun) < span {
        let worker = world.chance.within(0..=5);
        let block = world.chance.millis(100..=1000);
        world.sim.block_worker(worker, block);
        let first = world.chance.within(0..=80);
        world.announce(speakers[0], &nets::both(first..first + 20), 1);
        world.run(Duration::from_millis(1500));
    }
    world.check_never_lost(speakers);
    let trace = world.converge(60 * S);
    world.check_never_lost(speakers);
    for speaker in speakers {
        let gap = world.seen(speaker).worst_gap;
        assert!(gap < u32::from(HOLD) * S, "nothing heard for {gap:?}");
    }
    trace
}

#[test]
fn sessions_live_while_routing_work_is_blocked() {
    each_seed("hog", 20, hog);
}

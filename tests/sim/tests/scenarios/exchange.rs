//! Two Dunlins exchange routes.

use dunlin_sim_tests::nets;
use dunlin_sim_tests::seeds::each_seed;
use dunlin_sim_tests::world::{SpeakerOptions, World};

use crate::S;

/// Static routes and speakers at both; the session between the two is reset once.
fn exchange(seed: u64) -> u64 {
    let mut world = World::new("exchange", seed);
    let one = world.plan_daemon(|spec| spec.statics = nets::both(0..20));
    let two = world.plan_daemon(|spec| {
        spec.statics = nets::both(20..40);
        spec.slices = 1 << (seed % 4);
    });
    let options = SpeakerOptions { listens: seed.is_multiple_of(2), ..SpeakerOptions::default() };
    let speakers = [one, one, two, two].map(|daemon| world.plan_speaker(daemon, options));
    world.start();
    for (at, speaker) in speakers.into_iter().enumerate() {
        world.announce(speaker, &nets::both(100 + at * 10..130 + at * 10), 1 + 2 * (at % 2));
    }
    world.converge(60 * S);
    let (near, far) = (world.daemon_address(one), world.daemon_address(two));
    world.sim.net().reset(near, far);
    world.withdraw(speakers[0], &nets::both(100..110));
    world.run(S);
    world.converge(60 * S);
    world.check_never_lost(speakers);
    world.sim.trace_hash()
}

#[test]
fn two_dunlins_exchange_routes_and_a_seed_replays_the_run() {
    each_seed("exchange", 20, |seed| {
        let first = exchange(seed);
        assert_eq!(first, exchange(seed), "DUNLIN_SIM_SEED={seed} gives two traces");
        first
    });
}

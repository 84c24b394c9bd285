//! Three Dunlins, each with a session with each.

use dunlin_sim_tests::nets;
use dunlin_sim_tests::seeds::each_seed;
use dunlin_sim_tests::world::{SpeakerOptions, World};

use crate::{MS, S};

/// Static routes of each, some of two of them, and a speaker at each; sessions between them break and
/// come back, one by one and two at a time.
fn three(seed: u64) -> u64 {
    let mut world = World::new("three", seed);
    let daemons = [0, 1, 2].map(|at| {
        world.plan_daemon(|spec| {
            spec.slices = 1 << ((seed as usize + at) % 4);
            spec.statics = nets::both(20 * at..20 * at + 15);
            spec.statics.extend(nets::both(60 + 10 * (at % 2)..70 + 10 * (at % 2)));
        })
    });
    let speakers = daemons.map(|daemon| world.plan_speaker(daemon, SpeakerOptions::default()));
    world.start();
    for (at, speaker) in speakers.into_iter().enumerate() {
        world.announce(speaker, &nets::both(100 + 20 * at..140 + 20 * at), 1 + 6 * at);
    }
    world.converge(60 * S);
    for round in 0..3 {
        let alone = world.chance.within(0..=2);
        let (left, right) = ((alone + 1) % 3, (alone + 2) % 3);
        // What the two ends have of each other goes by the third, or is gone.
        world.part(alone, left);
        if round == 1 {
            world.part(alone, right);
        }
        let wait = world.chance.millis(1..=12_000);
        world.run(wait);
        world.withdraw(speakers[left], &nets::both(100 + 20 * left..105 + 20 * left));
        world.announce(
            speakers[alone],
            &nets::both(200 + 10 * round..215 + 10 * round),
            1 + 2 * alone,
        );
        if world.chance.per_mille(700) {
            world.converge(90 * S);
        }
        world.join(alone, left);
        if round == 1 {
            world.run(700 * MS);
            world.join(alone, right);
        }
        world.converge(90 * S);
    }
    world.check_never_lost(speakers);
    world.sim.trace_hash()
}

#[test]
fn three_dunlins_agree_after_partitions_have_healed() {
    each_seed("three", 15, three);
}

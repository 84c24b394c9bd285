//! A hold time passes while reading is paused for credit.

use core::time::Duration;

use dunlin_sim_tests::nets;
use dunlin_sim_tests::seeds::each_seed;
use dunlin_sim_tests::speaker::SpeakerMessage;
use dunlin_sim_tests::world::{SpeakerOptions, World};

use crate::{MS, S};

/// Networks of both families, each with a set of its own: more than the credit of a session and
/// the buffers of a connection hold.
const COUNT: usize = 12_000;
/// The hold time, in seconds.
const HOLD: u16 = 3;

/// Changes the number of workers until the only slice has one without any session or neighbour.
fn isolate_slice(world: &mut World) -> usize {
    for _ in 0..100 {
        let workers = world.chance.within(8..=32);
        world.sim.resize(workers);
        let stats = world.sim.stats();
        let slice = stats.loops.iter().find(|one| &*one.name == "dunlin0 slice0").unwrap().worker;
        let lives = |name: &str| name.starts_with("speaker") || name.starts_with("neighbor");
        if !stats.loops.iter().any(|one| one.worker == slice && lives(&one.name)) {
            return slice;
        }
    }
    panic!("always with a session");
}

/// Keeps the slice from running for `span` while workers come and go.
fn block_slice(world: &mut World, span: Duration) {
    let piece = 250 * MS;
    let until = world.now() + span;
    while world.now() < until {
        let worker = isolate_slice(world);
        world.sim.block_worker(worker, piece);
        world.sim.run_for(piece);
    }
}

fn pause(seed: u64) -> u64 {
    let mut world = World::with_options("pause", seed, |options| {
        // The slice stays where it is but for changes of the number of workers.
        options.moves = 0;
        options.buffer = options.buffer.min(64 << 10);
    });
    (world.noise.resizes, world.noise.blocks) = (0, 0);
    let daemon = world.plan_daemon(|spec| spec.slices = 1);
    let options = SpeakerOptions { hold: HOLD, ..SpeakerOptions::default() };
    let feeder = world.plan_speaker(daemon, options);
    let watcher = world.plan_speaker(daemon, options);
    world.start();
    world.until_fed(60 * S);
    let sets: Vec<_> = nets::both(0..COUNT).into_iter().map(|net| vec![net]).collect();
    world.announce_sets(feeder, &sets, 1);
    block_slice(&mut world, 4 * u32::from(HOLD) * S);
    let stall = world.seen(feeder).worst_stall;
    assert!(stall > (u32::from(HOLD) - 1) * S / 2, "reading was hardly paused: {stall:?}");
    assert!(world.seen(feeder).unsent > 0, "all was read");
    world.check_never_lost([feeder, watcher]);

    // From here on anything goes.
    (world.noise.resizes, world.noise.blocks) = (100, 5);
    let trace = world.converge(60 * S);
    world.check_never_lost([feeder, watcher]);

    // Who falls silent is still noticed.
    let begun = world.now();
    world.tell(watcher, SpeakerMessage::Silent(true));
    world.until("the silent one is dropped", 3 * u32::from(HOLD) * S, |world| {
        !world.seen(watcher).losses.is_empty()
    });
    // Its last KEEPALIVE may have been a second ago.
    assert!(world.now().since(begun) + S > u32::from(HOLD) * S, "dropped too early");
    trace
}

#[test]
fn a_pause_for_credit_outlasts_the_hold_time() {
    each_seed("pause", 20, pause);
}

//! A session goes down while its routes are under way.

use dunlin_runtime::Class;
use dunlin_sim_tests::nets;
use dunlin_sim_tests::seeds::each_seed;
use dunlin_sim_tests::speaker::SpeakerMessage;
use dunlin_sim_tests::world::{SpeakerOptions, World};

use crate::{MS, S};

const COUNT: usize = 1500;

/// A feeder is cut off in the middle of its table, behind hogs, and comes back or doesn't.
fn loss(seed: u64) -> u64 {
    let mut world = World::new("loss", seed);
    let daemon = world.plan_daemon(|spec| spec.slices = 1 << (seed % 4));
    let feeder = world.plan_speaker(daemon, SpeakerOptions::default());
    let rival = world.plan_speaker(daemon, SpeakerOptions::default());
    let watchers = [0; 2].map(|_| world.plan_speaker(daemon, SpeakerOptions::default()));
    world.start();
    world.announce(rival, &nets::both(0..200), 3);
    world.until_fed(60 * S);
    world.converge(60 * S);
    for round in 0..3 {
        let sets: Vec<_> = (0..COUNT).step_by(5).map(|at| nets::both(at..at + 5)).collect();
        world.announce_sets(feeder, &sets, 1);
        let hogs = world.chance.within(0..=20);
        world.plant_hogs(hogs, Class::Routing, 5 * MS, S);
        let wait = world.chance.millis(1..=300);
        world.run(wait);
        cut(&mut world, daemon, feeder, (seed as usize + round) % 4);
    }
    if seed.is_multiple_of(2) {
        world.set_up(feeder, false);
    } else {
        world.withdraw(feeder, &nets::both(100..COUNT));
    }
    let trace = world.converge(90 * S);
    world.check_never_lost(watchers);
    world.check_never_lost([rival]);
    trace
}

/// The ways in which a session can end.
fn cut(world: &mut World, daemon: usize, feeder: usize, how: usize) {
    let (near, far) = (world.daemon_address(daemon), world.address(feeder));
    let sessions = world.seen(feeder).sessions;
    match how {
        0 => world.sim.net().reset(near, far),
        1 => world.tell(feeder, SpeakerMessage::Drop),
        2 => {
            world.set_up(feeder, false);
            let wait = world.chance.millis(1..=500);
            world.run(wait);
            world.set_up(feeder, true);
        }
        _ => {
            world.sim.net().partition(near, far);
            world.run(15 * S);
            world.sim.net().heal(near, far);
        }
    }
    if world.chance.per_mille(500) {
        world.until("the feeder is back", 60 * S, |world| world.seen(feeder).sessions > sessions);
    }
}

#[test]
fn no_ghosts_after_a_session_went_down_behind_full_batches() {
    each_seed("loss", 20, loss);
}

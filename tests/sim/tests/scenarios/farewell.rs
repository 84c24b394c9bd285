//! A session ends while the neighbour has much to read still.

use dunlin_core::manager::{Action, ManagerMessage, Request, Selection};
use dunlin_core::protocol::Reply;
use dunlin_runtime::Class;
use dunlin_sim_tests::nets;
use dunlin_sim_tests::seeds::each_seed;
use dunlin_sim_tests::speaker::Pace;
use dunlin_sim_tests::world::{SpeakerOptions, World};

use crate::{MS, S};

const COUNT: usize = 1000;

/// The reader stops in the middle of its feed with its socket full; the session is restarted by command; it reads
/// again in time, or too late.
fn farewell(seed: u64) -> u64 {
    let mut world = World::with_options("farewell", seed, |options| {
        options.buffer = options.buffer.min(4 << 10);
        // How long a segment is on its way is not what this is about.
        options.loss = 0;
    });
    world.noise.blocks = 0;
    let daemon = world.plan_daemon(|spec| spec.slices = 1 << (seed % 4));
    let feeder = world.plan_speaker(daemon, SpeakerOptions::default());
    let reader =
        world.plan_speaker(daemon, SpeakerOptions { absent: true, ..SpeakerOptions::default() });
    world.start();
    let sets: Vec<_> = (0..COUNT).step_by(2).map(|at| nets::both(at..at + 2)).collect();
    world.announce_sets(feeder, &sets, 1);
    world.converge(60 * S);

    world.set_up(reader, true);
    world.pace(reader, Pace::Slow(200, 10 * MS));
    let begun = world.chance.within(1..=100);
    world.until("the feed", 60 * S, |world| world.seen(reader).updates >= begun);
    world.pace(reader, Pace::Stopped);
    world.run(500 * MS);
    assert!(!world.seen(reader).is_fed(), "nothing is left to be told");
    let request = Request::Control {
        action: Action::Restart,
        selection: Selection::Name(format!("speaker{reader}").into()),
        message: None,
        reply: Reply::new(|_| ()),
    };
    let message = ManagerMessage::Request(Box::new(request));
    world.daemons[daemon].manager.send(Class::Control, message).unwrap();
    // Its second begins when the request comes to it.
    let late = seed.is_multiple_of(4);
    let wait = if late { world.chance.millis(1500..=3000) } else { world.chance.millis(1..=500) };
    world.run(wait);
    world.pace(reader, Pace::Full);
    world.until("the end of the session", 20 * S, |world| !world.seen(reader).losses.is_empty());
    let why = world.seen(reader).losses[0].why.clone();
    assert_eq!(why.starts_with("NOTIFICATION"), !late, "{why} after {wait:?}");
    assert!(late || why.contains("code: 6, subcode: 4"), "{why}");
    let trace = world.converge(60 * S);
    world.check_never_lost([feeder]);
    trace
}

#[test]
fn a_neighbor_that_is_behind_is_told_why_its_session_ends() {
    each_seed("farewell", 20, farewell);
}

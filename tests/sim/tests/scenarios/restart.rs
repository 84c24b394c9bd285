//! Very many sessions restart at once.

use std::sync::{Arc, Mutex};

use dunlin_core::manager::{Action, ManagerMessage, Request, Selection};
use dunlin_core::protocol::Reply;
use dunlin_runtime::Class;
use dunlin_sim_tests::nets;
use dunlin_sim_tests::seeds::each_seed;
use dunlin_sim_tests::speaker::SpeakerMessage;
use dunlin_sim_tests::world::{SpeakerOptions, World};

use crate::{MS, S};

const SESSIONS: usize = 200;

/// All sessions but those of two bystanders, who must not notice.
fn restart_all(world: &mut World, daemon: usize, how: u64) {
    let others = 2..SESSIONS + 2;
    let near = world.daemon_address(daemon);
    match how {
        0 => {
            for at in others {
                let far = world.address(at);
                world.sim.net().reset(near, far);
            }
        }
        1 => others.for_each(|at| world.tell(at, SpeakerMessage::Drop)),
        _ => {
            let done = Arc::new(Mutex::new(0));
            for at in others {
                let done = Arc::clone(&done);
                let reply = Reply::new(move |_| *done.lock().unwrap() += 1);
                let request = Request::Control {
                    action: Action::Restart,
                    selection: Selection::Name(format!("speaker{at}").into()),
                    message: None,
                    reply,
                };
                let message = ManagerMessage::Request(Box::new(request));
                world.daemons[daemon].manager.send(Class::Control, message).unwrap();
            }
            world.until("all told to restart", 20 * S, |_| *done.lock().unwrap() == SESSIONS);
        }
    }
}

fn restart(seed: u64) -> u64 {
    let mut world = World::new("restart", seed);
    let daemon = world.plan_daemon(|spec| spec.slices = 1 << (seed % 4));
    let bystander = SpeakerOptions { hold: 3, ..SpeakerOptions::default() };
    let bystanders = [0; 2].map(|_| world.plan_speaker(daemon, bystander));
    let options = SpeakerOptions { transparent: seed.is_multiple_of(2), ..bystander };
    let options = SpeakerOptions { hold: 9, ..options };
    let sessions = [0; SESSIONS].map(|_| world.plan_speaker(daemon, options));
    world.start();
    world.announce(bystanders[0], &nets::both(0..5), 1);
    for (at, speaker) in sessions.into_iter().enumerate() {
        world.announce(speaker, &nets::both(10 + at..11 + at), 1);
        // Half of the networks are known by a second, longer path.
        world.announce(speaker, &nets::both(11 + at..12 + at), 3 + 2 * (at % 2));
    }
    world.converge(90 * S);
    if seed.is_multiple_of(2) {
        // Leaving the export group takes as long as coming back to it, and sweeping longer.
        world.plant_hogs(60, Class::Routing, 20 * MS, 3 * S);
    }
    let before: Vec<usize> = sessions.iter().map(|at| world.seen(*at).sessions).collect();
    restart_all(&mut world, daemon, seed % 3);
    world.until("all have been down", 60 * S, |world| {
        let again = |(at, before): (&usize, &usize)| world.seen(*at).sessions > *before;
        sessions.iter().zip(&before).all(again)
    });
    let trace = world.converge(90 * S);
    world.check_never_lost(bystanders);
    trace
}

#[test]
fn two_hundred_sessions_restart_at_once() {
    each_seed("restart", 20, restart);
}

//! Full slices stop sessions, and start them again.

use core::sync::atomic::Ordering;
use std::sync::Arc;

use dunlin_runtime::Class;

use super::support::Counting;
use super::world::World;
use crate::import::CreditGate;
use crate::testing::{Kind, Look, address, net};

#[test]
fn a_full_gate_pauses_and_wakes_once_below_half() {
    let mut world = World::new(4, 1, 4_000_000);
    let counting = Counting::default();
    let (runs, handle) = (Arc::clone(&counting.runs), Arc::clone(&counting.handle));
    let _address = world.sim.spawn("counting", Class::Routing, counting);
    world.run(1);
    let gate = CreditGate::new(10_000, handle.lock().unwrap().clone());
    let gate_of_peer = Some(Arc::clone(&gate));
    let peer = world.add_peer_with(Kind::AcceptAll, address(900), gate_of_peer, |_| ());
    world.settle();
    let mut pauses = 0;
    for round in 0..200 {
        for n in 0..50 {
            let look = Look { local_pref: round, hops: 1, med: 0 };
            world.announce(peer, net(n), 0, look);
        }
        world.flush(peer);
        if gate.pause_if_full() {
            pauses += 1;
            let woken = runs.load(Ordering::Relaxed);
            assert!(gate.outstanding() > 5_000);
            let runs = Arc::clone(&runs);
            let woke = move || runs.load(Ordering::Relaxed) > woken;
            assert!(world.sim.run_until_done(core::time::Duration::from_secs(1), woke));
            assert!(gate.outstanding() <= 5_000);
        }
    }
    world.settle();
    assert_eq!(gate.outstanding(), 0);
    assert!(pauses > 5);
    assert_eq!(runs.load(Ordering::Relaxed), pauses);
    world.check();
}

#[test]
fn a_gate_that_was_emptied_meanwhile_does_not_pause() {
    let gate = CreditGate::new(0, None);
    assert!(!gate.pause_if_full());
}

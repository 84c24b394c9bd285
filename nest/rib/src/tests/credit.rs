//! Full slices stop sessions, and start them again.

use core::sync::atomic::Ordering;
use std::sync::Arc;

use dunlin_runtime::{Class, Time};

use super::support::Counting;
use super::world::World;
use crate::import::{ImportCredit, SESSION};
use crate::testing::{Kind, Look, address, net};

#[test]
fn full_credit_pauses_and_wakes_once_below_half() {
    let mut world = World::new(4, 1, 4_000_000);
    let counting = Counting::default();
    let (runs, handle) = (Arc::clone(&counting.runs), Arc::clone(&counting.handle));
    let _address = world.sim.spawn("counting", Class::Routing, counting);
    world.run(1);
    let credit = ImportCredit::new("test", 10_000, handle.lock().unwrap().clone());
    let credit_of_peer = Some(Arc::clone(&credit));
    let peer = world.add_peer_with(Kind::AcceptAll, address(900), credit_of_peer, |_| ());
    world.settle();
    let mut pauses = 0;
    for round in 0..200 {
        for n in 0..50 {
            let look = Look { local_pref: round, hops: 1, med: 0 };
            world.announce(peer, net(n), 0, look);
        }
        world.flush(peer);
        if credit.wait_if_full(SESSION, Time::ZERO) {
            pauses += 1;
            let woken = runs.load(Ordering::Relaxed);
            assert!(credit.used() > 5_000);
            let runs = Arc::clone(&runs);
            let woke = move || runs.load(Ordering::Relaxed) > woken;
            assert!(world.sim.run_until_done(core::time::Duration::from_secs(1), woke));
            assert!(credit.used() <= 5_000);
        }
    }
    world.settle();
    assert_eq!(credit.used(), 0);
    assert!(pauses > 5);
    assert_eq!(runs.load(Ordering::Relaxed), pauses);
    world.check();
}

#[test]
fn credit_given_back_meanwhile_does_not_pause() {
    let credit = ImportCredit::new("test", 0, None);
    assert!(!credit.wait_if_full(SESSION, Time::ZERO));
}

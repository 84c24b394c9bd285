//! Random histories of the whole crate against the model.

use core::fmt;
use core::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;

use dunlin_filter::ChannelFilter;

use super::encoder::{OWN_HOP, UNSENDABLE};
use super::session::SessionMessage;
use super::world::World;
use crate::testing::{Kind, Look, for_seeds, net};
use crate::trace::{FILTERS, ROUTES, TraceSink};

const NETS: usize = 60;

const KINDS: [Kind; 10] = [
    Kind::AcceptAll,
    Kind::RejectAll,
    Kind::RejectSources(1),
    Kind::SetMed(7),
    Kind::Flatten,
    Kind::RejectNets(2),
    Kind::RefuseHops(2),
    Kind::RejectMed(0),
    Kind::RejectMed(1),
    Kind::RejectNetsWithoutMed,
];

fn some_look(world: &mut World) -> Look {
    let local_pref =
        if world.rng.one_in(15) { UNSENDABLE } else { 100 + world.rng.below(3) as u32 };
    let hops = if world.rng.one_in(10) { OWN_HOP } else { 1 + world.rng.below(3) as u8 };
    Look { local_pref, hops, med: world.rng.below(2) as u32 }
}

fn some_peer(world: &mut World) -> usize {
    world.rng.below(world.peers.len())
}

fn some_kind(world: &mut World) -> Kind {
    KINDS[world.rng.below(KINDS.len())]
}

fn some_batch(world: &mut World) {
    let peer = some_peer(world);
    let mut look = some_look(world);
    for _ in 0..1 + world.rng.below(40) {
        let net = net(world.rng.below(NETS));
        let path_id = u32::from(world.rng.one_in(5));
        if world.rng.one_in(5) {
            look = some_look(world);
        }
        if world.rng.one_in(3) {
            world.withdraw(peer, net, path_id);
        } else {
            world.announce(peer, net, path_id, look);
        }
        if world.rng.one_in(30) {
            world.flush(peer);
        }
    }
    world.flush(peer);
}

fn step(world: &mut World) {
    match world.rng.below(24) {
        0 if world.peers.len() < 8 => {
            let kind = some_kind(world);
            world.add_peer(kind);
        }
        1 if world.peers.len() > 3 && world.rng.one_in(2) => {
            let peer = some_peer(world);
            world.kill(peer);
        }
        2 | 3 => {
            let peer = some_peer(world);
            let kind = some_kind(world);
            world.set_kind(peer, kind);
        }
        4 | 5 => {
            // Rates that end inside messages, and none at all.
            let rate = [0, 7, 100, 3000, usize::MAX][world.rng.below(5)];
            let peer = some_peer(world);
            world.tell(peer, SessionMessage::Rate(rate));
        }
        6 => {
            let peer = some_peer(world);
            world.tell(peer, SessionMessage::Refresh);
        }
        7 => {
            let peer = some_peer(world);
            let accept = world.rng.one_in(2);
            let filter = if accept { ChannelFilter::Accept } else { ChannelFilter::Reject };
            world.set_filter(peer, &filter);
        }
        8..=12 => {
            let millis = world.rng.below(5) as u64;
            world.run(millis);
        }
        _ => some_batch(world),
    }
}

fn history(slices: usize, seed: u64, max_lag: u64) {
    run(World::new(slices, seed, max_lag));
}

fn run(mut world: World) {
    for _ in 0..4 {
        let kind = some_kind(&mut world);
        world.add_peer(kind);
    }
    for _ in 0..3 {
        for _ in 0..120 {
            step(&mut world);
            some_flags(&mut world);
        }
        world.settle();
        world.check();
    }
    world.empty();
}

#[test]
fn everybody_ends_with_what_the_model_says_with_one_slice() {
    for_seeds(40, |seed| history(1, seed, 2000));
}

#[test]
fn everybody_ends_with_what_the_model_says_with_two_slices() {
    for_seeds(40, |seed| history(2, 1000 + seed, 1000));
}

#[test]
fn everybody_ends_with_what_the_model_says_with_four_slices() {
    for_seeds(40, |seed| history(4, 2000 + seed, 4_000_000));
}

/// Where tracing is, flags that change now and then.
fn some_flags(world: &mut World) {
    if !world.traces.is_empty() && world.rng.one_in(8) {
        let flags = [0, ROUTES, FILTERS, ROUTES | FILTERS][world.rng.below(4)];
        let at = world.rng.below(world.traces.len());
        world.traces[at].set_flags(flags);
    }
}

/// Counts lines.
#[derive(Default)]
struct Lines(AtomicUsize);

impl TraceSink for Lines {
    fn line(&self, name: &str, text: fmt::Arguments<'_>) {
        assert!(!format!("{name} {text}").is_empty());
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// Routes that are traced go another way, and must come to the same.
#[test]
fn everybody_ends_with_what_the_model_says_if_routes_are_traced() {
    for_seeds(20, |seed| {
        let lines = Arc::new(Lines::default());
        let mut world = World::new(1 << (seed % 3), 3000 + seed, 1_000_000);
        world.lines = Some(Arc::clone(&lines) as Arc<dyn TraceSink>);
        run(world);
        assert!(lines.0.load(Ordering::Relaxed) > 100, "routes were traced");
    });
}

/// Histories in which something was wrong once, with hashes as the tests fix them.
#[test]
fn histories_that_went_wrong_once() {
    for (slices, seed, max_lag) in [
        // A member off the log kept a route of its own that it was owed a withdrawal of.
        (2, 1102, 1000),
        // A request reached a group that had let its last member go.
        (4, 2238, 4_000_000),
    ] {
        history(slices, seed, max_lag);
    }
}

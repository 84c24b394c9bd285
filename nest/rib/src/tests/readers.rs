//! Readers and imports share a slice: neither waits for the end of the other.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use dunlin_runtime::Class;

use super::world::{TABLE, World};
use crate::import::Slices;
use crate::slice::SliceMessage;
use crate::testing::{Kind, Look, attrs, net};
use crate::walk::{Shown, Walk, WalkCounts, WalkReply, WalkRequest};

const LOOK: Look = Look { local_pref: 100, hops: 2, med: 0 };
/// Networks that there are.
const NETS: usize = 3000;
/// Networks in a piece of a listing.
const PIECE: usize = 64;

/// A slice with routes of two peers.
fn world() -> World {
    let mut world = World::new(1, 1, 4_000_000);
    for _ in 0..2 {
        let peer = world.add_peer(Kind::AcceptAll);
        (0..NETS).for_each(|n| world.announce(peer, net(n), 0, LOOK));
        world.flush(peer);
    }
    world.settle();
    world
}

/// So many batches of so many operations from the first peer, all sent at once.
fn flood(world: &mut World, batches: usize, operations: usize) {
    let builder = &mut world.peers[0].builder;
    for batch in 0..batches {
        let attrs = attrs(Look { med: 1 + batch as u32 % 7, ..LOOK });
        for n in 0..operations {
            builder.announce(net((batch * operations + n) % NETS), 0, &attrs);
        }
        builder.flush();
    }
}

/// Operations of the first peer that have been done.
fn done(world: &World) -> u64 {
    world.peers[0].source.counters.read().updates_received - NETS as u64
}

/// Reads a table piece by piece, each asked for when the last has come.
struct Reader {
    slices: Slices,
    /// Begins again at the end.
    endless: bool,
    pieces: AtomicU64,
    nets: AtomicU64,
    ended: AtomicBool,
}

impl Reader {
    fn start(world: &World, endless: bool) -> Arc<Self> {
        let reader = Arc::new(Self {
            slices: world.slices.clone(),
            endless,
            pieces: AtomicU64::new(0),
            nets: AtomicU64::new(0),
            ended: AtomicBool::new(false),
        });
        reader.ask(0);
        reader
    }

    fn ask(self: &Arc<Self>, cursor: u32) {
        let own = Arc::clone(self);
        let walk = Walk::All { cursor };
        request(&self.slices, walk, Box::new(move |reply| own.take(&reply)));
    }

    fn take(self: &Arc<Self>, reply: &WalkReply) {
        self.pieces.fetch_add(1, Ordering::Relaxed);
        self.nets.fetch_add(reply.nets.len() as u64, Ordering::Relaxed);
        match reply.next {
            Some(next) => self.ask(next),
            None if self.endless => self.ask(0),
            None => self.ended.store(true, Ordering::Relaxed),
        }
    }

    fn pieces(&self) -> u64 {
        self.pieces.load(Ordering::Relaxed)
    }
}

fn request(slices: &Slices, walk: Walk, reply: Box<dyn FnOnce(WalkReply) + Send>) {
    let request =
        WalkRequest { table: TABLE, walk, max_nets: PIECE as u32, shown: Shown::Accepted, reply };
    slices.at(0).send(Class::Control, SliceMessage::Walk(Box::new(request))).unwrap();
}

/// Runs until something is so; the operations that were done then.
fn run_until(world: &mut World, is_so: impl Fn(&World) -> bool) -> u64 {
    while !is_so(world) {
        world.sim.run_for(core::time::Duration::from_micros(1));
    }
    done(world)
}

#[test]
fn a_walk_ends_although_imports_never_cease() {
    const BATCHES: usize = 20_000;
    let mut world = world();
    flood(&mut world, BATCHES, 1);
    let reader = Reader::start(&world, false);
    let done = run_until(&mut world, |_| reader.ended.load(Ordering::Relaxed));
    assert_eq!(reader.nets.load(Ordering::Relaxed), NETS as u64);
    assert_eq!(reader.pieces(), NETS.div_ceil(PIECE) as u64);
    // A piece each round of the loop: 64 batches.
    assert!(done < reader.pieces() * 70, "{done} batches for {} pieces", reader.pieces());
}

#[test]
fn large_batches_earn_readers_their_part_of_the_time() {
    const OPERATIONS: usize = 1000;
    let mut world = world();
    flood(&mut world, 500, OPERATIONS);
    let reader = Reader::start(&world, false);
    let done = run_until(&mut world, |_| reader.ended.load(Ordering::Relaxed));
    // The client's way is one more message each time: a piece a batch.
    let batches = done / OPERATIONS as u64;
    assert!(batches <= reader.pieces() + 2, "{batches} batches for {} pieces", reader.pieces());
}

#[test]
fn routes_are_counted_within_a_few_batches() {
    const OPERATIONS: usize = 1000;
    let mut world = world();
    flood(&mut world, 500, OPERATIONS);
    let counted: Arc<std::sync::Mutex<Option<WalkCounts>>> = Arc::default();
    let place = Arc::clone(&counted);
    let walk = Walk::Count { inside: None, protocol: None };
    let reply = move |reply: WalkReply| *place.lock().unwrap() = Some(reply.counts);
    request(&world.slices, walk, Box::new(reply));
    let done = run_until(&mut world, |_| counted.lock().unwrap().is_some());
    let all = 2 * NETS as u64;
    let nets = NETS as u64;
    let expected = WalkCounts { matching: all, primary: nets, routes: all, networks: nets };
    assert_eq!(*counted.lock().unwrap(), Some(expected));
    assert!(done <= 4 * OPERATIONS as u64, "{done} operations");
}

#[test]
fn imports_go_on_although_walks_never_cease() {
    for operations in [1, 100] {
        let batches = 2000;
        let mut world = world();
        flood(&mut world, batches, operations);
        let readers: Vec<_> = (0..8).map(|_| Reader::start(&world, true)).collect();
        let all = (batches * operations) as u64;
        run_until(&mut world, |world| done(world) == all);
        let pieces: u64 = readers.iter().map(|reader| reader.pieces()).sum();
        // A piece of so many networks, of two routes each, is what 42 operations cost; a quarter as
        // much is allowed, and a piece a round.
        let cost = pieces * 42;
        let bound = all / 4 + batches as u64 / 64 * 42 + 512;
        assert!(
            cost <= bound + bound / 8,
            "{pieces} pieces, {all} operations of {batches} batches"
        );
        assert!(pieces > all / 4 / 42 / 2, "{pieces} pieces, {all} operations");
    }
}

#[test]
fn who_reads_while_nothing_is_imported_gets_all_there_is() {
    let mut world = world();
    let reader = Reader::start(&world, false);
    world.run(5);
    assert!(reader.ended.load(Ordering::Relaxed));
}

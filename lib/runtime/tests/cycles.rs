//! Eight workers, one, eight again, thirty times, with questions asked meanwhile. One test to a process:
//! it counts threads, descriptors and memory.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and waits"
)]

mod common;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use common::{descriptors, eventually, is_sanitized, status};
use dunlin_os::heap::Counting;
use dunlin_runtime::{
    Address, Class, Context, Duration, EventId, GroupId, GroupOptions, Loop, Runtime,
    RuntimeOptions, StatsReply, Threads, TimerId,
};

/// Resident memory is too coarse for what a round may leave behind.
#[global_allocator]
static HEAP: Counting = Counting::new();

/// Has a timer, an event that comes again, and answers.
struct Busy {
    timer: TimerId,
    event: EventId,
    done: Arc<AtomicU64>,
}

impl Loop for Busy {
    type Message = ();

    fn start(&mut self, cx: &mut Context<'_>) {
        self.timer = cx.timer(Class::Routing);
        cx.arm_every(self.timer, Duration::from_millis(1));
        self.event = cx.event(Class::Bulk);
    }

    fn message(&mut self, _: &mut Context<'_>, (): ()) {
        self.done.fetch_add(1, Ordering::Relaxed);
    }

    fn timer(&mut self, cx: &mut Context<'_>, _: TimerId) {
        cx.schedule(self.event);
    }

    fn event(&mut self, _: &mut Context<'_>, _: EventId) {
        core::hint::black_box((0..1000).sum::<u64>());
    }
}

fn group(name: &str, threads: usize) -> GroupOptions {
    GroupOptions { threads: Threads::Fixed(threads), ..GroupOptions::new(name) }
}

/// A runtime with loops that have something to do.
struct World {
    runtime: Runtime,
    express: GroupId,
    loops: Vec<Address<()>>,
    done: Arc<AtomicU64>,
    sent: u64,
    answers: Arc<AtomicU64>,
    asked: u64,
    /// Threads and descriptors at rest.
    base: (usize, usize),
}

impl World {
    fn new() -> Self {
        let groups = vec![group("worker", 1), group("express", 1)];
        let runtime = Runtime::new(RuntimeOptions { groups, ..RuntimeOptions::default() }).unwrap();
        let handle = runtime.handle();
        let express = handle.group("express");
        let done = Arc::new(AtomicU64::new(0));
        let spawn = |at: usize| {
            let busy = Busy { timer: TimerId::NONE, event: EventId::NONE, done: Arc::clone(&done) };
            let home = if at.is_multiple_of(4) { handle.in_group(express) } else { handle.clone() };
            home.spawn("busy", Class::Routing, busy)
        };
        let loops = (0..64).map(spawn).collect();
        let mut new = Self {
            runtime,
            express,
            loops,
            done: Arc::clone(&done),
            sent: 0,
            answers: Arc::default(),
            asked: 0,
            base: (0, 0),
        };
        eventually("one worker each", || new.workers() == 2);
        new.base = (status("Threads:"), descriptors());
        new
    }

    fn workers(&self) -> usize {
        self.runtime.stats().workers.len()
    }

    fn resize(&self, threads: usize, express: usize) {
        let handle = self.runtime.handle();
        handle.resize(threads);
        handle.resize_group(self.express, Threads::Fixed(express));
    }

    /// Eight workers, then one.
    fn round(&mut self, round: usize) {
        for threads in [8, 1] {
            self.resize(threads, 1 + threads / 4);
            for at in 0..self.loops.len() {
                self.loops[at].send(Class::Routing, ()).unwrap();
                self.sent += 1;
                if round.is_multiple_of(3) {
                    self.ask();
                }
            }
            if round.is_multiple_of(2) {
                eventually("resized", || self.workers() == threads + 1 + threads / 4);
            } else {
                // Another before this one is done.
                self.runtime.handle().resize(3);
            }
        }
    }

    /// Asked while workers come and go: each is answered, without those that have gone, and without one that
    /// is there only if the system did not run it for about half a second.
    fn ask(&mut self) {
        let (answers, begun) = (Arc::clone(&self.answers), Instant::now());
        self.asked += 1;
        self.runtime.handle().collect_stats(StatsReply::new(move |stats| {
            assert!(stats.complete || begun.elapsed() > Duration::from_millis(450));
            answers.fetch_add(1, Ordering::Relaxed);
        }));
    }

    /// As in the beginning: nothing is under way. The bytes in use then.
    fn rest(&self) -> usize {
        self.resize(1, 1);
        eventually("as in the beginning", || self.workers() == 2);
        eventually("all messages", || self.done.load(Ordering::Relaxed) == self.sent);
        eventually("all answers", || self.answers.load(Ordering::Relaxed) == self.asked);
        eventually("threads as before", || status("Threads:") == self.base.0);
        eventually("descriptors as before", || descriptors() == self.base.1);
        HEAP.used()
    }

    /// By how many bytes a round what is in use grows, if each leaves `leak` behind till all are over.
    fn growth(&mut self, rounds: usize, leak: usize) -> f64 {
        let mut left = Vec::with_capacity(rounds);
        let at_rest = |round| {
            self.round(round);
            left.push(vec![0u8; leak]);
            self.rest()
        };
        slope(&(0..rounds).map(at_rest).collect::<Vec<_>>())
    }
}

/// The median of the slopes between any two points: what is taken once, or for a while, does not count.
fn slope(points: &[usize]) -> f64 {
    let pairs = |first: usize| (first + 1..points.len()).map(move |second| (first, second));
    let slope = |(first, second): (usize, usize)| {
        (points[second] as f64 - points[first] as f64) / (second - first) as f64
    };
    let mut slopes: Vec<f64> = (0..points.len()).flat_map(pairs).map(slope).collect();
    slopes.sort_by(f64::total_cmp);
    slopes[slopes.len() / 2]
}

/// Bytes a round that may be chance.
const CHANCE: f64 = 5_000.0;
/// What a round leaves behind where that is to be found.
const PLANTED: usize = 50_000;

#[test]
fn eight_one_eight_thirty_times_leaves_nothing_behind() {
    let mut world = World::new();
    for round in 0..30 {
        world.round(round);
    }
    world.rest();
    let stats = world.runtime.stats();
    assert_eq!(stats.loops.len(), 64);
    assert_eq!(stats.moves.len(), 64, "the last moves are known, also of workers that have gone");
    // The first rounds have taken what is kept; from now on every byte counts.
    let rounds = if is_sanitized() { 10 } else { 30 };
    let grown = world.growth(rounds, 0);
    assert!(grown.abs() < CHANCE, "{grown} bytes a round");
    let planted = world.growth(rounds, PLANTED);
    assert!(planted > PLANTED as f64 - CHANCE, "{planted} bytes a round are not seen");
    ends(world);
}

/// Asked while it ends.
fn ends(world: World) {
    let World { runtime, loops, base, .. } = world;
    let handle = runtime.handle();
    for round in 0..20 {
        handle.resize(1 + round * 3 % 8);
    }
    handle.shutdown();
    handle.resize(5);
    handle.set_groups(vec![group("other", 3)], "other");
    runtime.shutdown();
    assert!(loops.iter().all(Address::is_stopped));
    eventually("all threads have ended", || status("Threads:") < base.0);
    handle.resize(4);
    handle.resize_group(handle.group("express"), Threads::Auto { min: 1, max: 3 });
}

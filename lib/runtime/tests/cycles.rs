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
use dunlin_runtime::{
    Class, Context, Duration, EventId, GroupOptions, Loop, Runtime, RuntimeOptions, StatsReply,
    Threads, TimerId,
};

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

#[test]
fn eight_one_eight_thirty_times_leaves_nothing_behind() {
    let group = |name: &str, threads| GroupOptions {
        threads: Threads::Fixed(threads),
        ..GroupOptions::new(name)
    };
    let groups = vec![group("worker", 1), group("express", 1)];
    let runtime = Runtime::new(RuntimeOptions { groups, ..RuntimeOptions::default() }).unwrap();
    let handle = runtime.handle();
    let express = handle.group("express");
    let done = Arc::new(AtomicU64::new(0));
    let spawn = |at: usize| {
        let busy = Busy { timer: TimerId::NONE, event: EventId::NONE, done: Arc::clone(&done) };
        let handle = if at.is_multiple_of(4) { handle.in_group(express) } else { handle.clone() };
        handle.spawn("busy", Class::Routing, busy)
    };
    let loops: Vec<_> = (0..64).map(spawn).collect();
    let workers = || runtime.stats().workers.len();
    eventually("one worker each", || workers() == 2);
    let base = (status("Threads:"), descriptors());
    let (answers, mut asked, mut sent) = (Arc::new(AtomicU64::new(0)), 0, 0);
    let mut memory = Vec::new();
    for round in 0..30 {
        for threads in [8, 1] {
            handle.resize(threads);
            handle.resize_group(express, Threads::Fixed(1 + threads / 4));
            for one in &loops {
                one.send(Class::Routing, ()).unwrap();
                sent += 1;
                // Asked while workers come and go: each is answered, without those that have gone, and
                // without one that is there only if the system did not run it for about half a second.
                if round % 3 == 0 {
                    let (answers, begun) = (Arc::clone(&answers), Instant::now());
                    asked += 1;
                    handle.collect_stats(StatsReply::new(move |stats| {
                        assert!(stats.complete || begun.elapsed() > Duration::from_millis(450));
                        answers.fetch_add(1, Ordering::Relaxed);
                    }));
                }
            }
            if round % 2 == 0 {
                eventually("resized", || workers() == threads + 1 + threads / 4);
            } else {
                // Another before this one is done.
                handle.resize(3);
            }
        }
        if round >= 9 && round % 5 == 4 {
            memory.push(status("VmRSS:"));
        }
    }
    handle.resize(1);
    handle.resize_group(express, Threads::Fixed(1));
    eventually("as in the beginning", || workers() == 2);
    eventually("all messages", || done.load(Ordering::Relaxed) == sent);
    eventually("all answers", || answers.load(Ordering::Relaxed) == asked);
    let stats = runtime.stats();
    assert_eq!(stats.loops.len(), 64);
    assert_eq!(stats.moves.len(), 64, "the last moves are known, also of workers that have gone");
    eventually("threads as before", || status("Threads:") == base.0);
    eventually("descriptors as before", || descriptors() == base.1);
    // The allocator may take more for a thread at any time; what leaks does so in every five rounds.
    let grown = memory.windows(2).map(|two| two[1].saturating_sub(two[0])).min();
    assert!(is_sanitized() || grown < Some(1024), "memory as before: {memory:?} KiB");
    // Asked while it ends.
    for round in 0..20 {
        handle.resize(1 + round * 3 % 8);
    }
    handle.shutdown();
    handle.resize(5);
    handle.set_groups(vec![group("other", 3)], "other");
    runtime.shutdown();
    assert!(loops.iter().all(|one| one.is_stopped()));
    eventually("all threads have ended", || status("Threads:") < base.0);
    handle.resize(4);
    handle.resize_group(express, Threads::Auto { min: 1, max: 3 });
}

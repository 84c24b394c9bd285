//! The number of workers changes: nothing may be left behind.

use std::{
    thread,
    time::{Duration, Instant},
};

use dunlin_runtime::{Class, Context, Loop, Runtime};

use crate::{
    group::{Bar, Group, Out, contender, figure},
    load::runtime,
    system::{descriptors, memory, threads},
};

const MEMORY: &str = "memory more than after the first";
const AGAIN: &str = "... after thirty times more";
const DESCRIPTORS: &str = "descriptors more";
const THREADS: &str = "threads more";
const TIME: &str = "time of a change, with 100 loops";

pub const RESIZE: Group = Group {
    name: "resize",
    about: "8 workers, 1, 8, thirty times, with 100 loops that have a timer each (tokio cannot)",
    figures: &[
        figure(MEMORY, "KiB", &[Bar::AtMost(0.0)]),
        figure(AGAIN, "KiB", &[Bar::AtMost(0.0)]),
        figure(DESCRIPTORS, "", &[Bar::AtMost(0.0)]),
        figure(THREADS, "", &[Bar::AtMost(0.0)]),
        figure(TIME, "ms", &[]),
    ],
    contenders: &[
        contender("dunlin", |out| dunlin(out, false)),
        contender("dunlin recorded", |out| dunlin(out, true)),
    ],
};

const LOOPS: usize = 100;
const TIMES: u32 = 30;
/// Threads besides workers: the main one and the watcher.
const OTHERS: usize = 2;

struct Timed;

impl Loop for Timed {
    type Message = ();

    fn start(&mut self, cx: &mut Context<'_>) {
        let timer = cx.timer(Class::Routing);
        cx.arm_every(timer, Duration::from_millis(5));
    }

    fn message(&mut self, _: &mut Context<'_>, (): ()) {}
}

fn dunlin(out: &mut Out, recorded: bool) {
    let runtime = runtime(8, recorded);
    (0..LOOPS).for_each(|_| drop(runtime.spawn("timed", Class::Routing, Timed)));
    // The first times touch what is kept: stacks, rings, the allocator's arenas.
    (0..3).for_each(|_| _ = there_and_back(&runtime));
    let look = || (memory(), lasting_descriptors(), threads());
    let before = look();
    let took: Duration = (0..TIMES).map(|_| there_and_back(&runtime)).sum();
    let after = look();
    (0..TIMES).for_each(|_| _ = there_and_back(&runtime));
    out.say(AGAIN, (memory() as f64 - after.0 as f64) / 1024.0);
    let more = |after: usize, before: usize| after as f64 - before as f64;
    out.say(MEMORY, more(after.0, before.0) / 1024.0);
    out.say(DESCRIPTORS, more(after.1, before.1));
    out.say(THREADS, more(after.2, before.2));
    out.say(TIME, took.as_secs_f64() * 1000.0 / f64::from(2 * TIMES));
}

/// Open descriptors, without files of `/proc` that the watcher has open for a moment when it looks at busy workers: the
/// least of some looks.
fn lasting_descriptors() -> usize {
    let look = |_| {
        thread::sleep(Duration::from_millis(1));
        descriptors()
    };
    (0..10).map(look).min().unwrap_or(0)
}

fn there_and_back(runtime: &Runtime) -> Duration {
    let start = Instant::now();
    for workers in [1, 8] {
        runtime.resize(workers);
        // Worker 0 is started by another way, so threads tell when one has really gone.
        while runtime.stats().workers.len() != workers || threads() != workers + OTHERS {
            assert!(start.elapsed() < Duration::from_secs(30), "the workers do not change");
            thread::yield_now();
        }
    }
    start.elapsed()
}

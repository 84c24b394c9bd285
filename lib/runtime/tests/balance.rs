//! Loops spread by what they use. One test to a process: it needs the processors.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and waits"
)]

mod common;

use std::sync::mpsc::Sender;

use common::{burn, eventually, next, runtime, told};
use dunlin_runtime::{Class, Context, Duration, EventId, Loop};

/// Keeps its worker busy from the first message on.
struct Busy {
    event: EventId,
    worker: Sender<usize>,
}

impl Loop for Busy {
    type Message = ();

    fn start(&mut self, cx: &mut Context<'_>) {
        self.event = cx.event(Class::Bulk);
        self.worker.send(cx.worker()).unwrap();
    }

    fn message(&mut self, cx: &mut Context<'_>, (): ()) {
        cx.schedule(self.event);
    }

    fn event(&mut self, cx: &mut Context<'_>, event: EventId) {
        burn(Duration::from_micros(200));
        cx.schedule(event);
    }
}

#[test]
fn an_overloaded_worker_hands_loops_over_and_then_leaves_them_alone() {
    let runtime = runtime(2);
    eventually("two workers", || runtime.stats().workers.len() == 2);
    let mut heavy = Vec::new();
    for _ in 0..8 {
        let (worker, started) = told();
        let busy = runtime.spawn("busy", Class::Bulk, Busy { event: EventId::NONE, worker });
        if next(&started) == 0 {
            heavy.push(busy);
        }
    }
    assert_eq!(heavy.len(), 4, "new loops are spread");
    for busy in &heavy {
        busy.send(Class::Control, ()).unwrap();
    }
    let moves = || runtime.stats().workers.iter().map(|worker| worker.moved_out).sum::<u64>();
    let on_second = || {
        let loops = runtime.stats().loops;
        let heavy = |id| heavy.iter().any(|busy| busy.loop_id() == id);
        loops.iter().filter(|one| one.worker == 1 && heavy(one.id)).count()
    };
    // Each worker gets two: both have no time left, but no more loops wait here than there.
    eventually("heavy loops are handed over", || on_second() == 2);
    let before = moves();
    std::thread::sleep(Duration::from_secs(3));
    println!("{before} moves at first, {} in all", moves());
    assert!(moves() - before <= 1, "settled");
}

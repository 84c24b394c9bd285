//! What an idle loop costs. One test to a process: it measures memory.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod common;

use common::{eventually, next, runtime, status, told};
use dunlin_runtime::{
    Class, Context, Duration, EventId, Loop, Loops, Runtime, StatsReply, Survey, TimerId,
    WorkerStats,
};

/// About what a session has.
struct Idle {
    hold: TimerId,
    keepalive: TimerId,
    event: EventId,
}

impl Loop for Idle {
    type Message = [u8; 64];

    fn start(&mut self, cx: &mut Context<'_>) {
        self.hold = cx.timer(Class::Liveness);
        cx.arm_after(self.hold, Duration::from_secs(240));
        self.keepalive = cx.timer(Class::Liveness);
        cx.arm_every(self.keepalive, Duration::from_secs(80));
        self.event = cx.event(Class::Routing);
        cx.schedule(self.event);
    }

    fn message(&mut self, _: &mut Context<'_>, _: [u8; 64]) {}
}

#[test]
fn ten_thousand_idle_loops_are_cheap() {
    const LOOPS: usize = 10_000;
    let runtime = runtime(2);
    eventually("started", || workers(&runtime).len() == 2);
    let before = status("VmRSS:");
    let none = (TimerId::NONE, EventId::NONE);
    let addresses: Vec<_> = (0..LOOPS)
        .map(|_| {
            let idle = Idle { hold: none.0, keepalive: none.0, event: none.1 };
            runtime.spawn("idle", Class::Routing, idle)
        })
        .collect();
    for address in &addresses {
        address.send(Class::Routing, [0; 64]).unwrap();
    }
    // Not asked of the loops: a picture of so many takes more memory than some of them.
    eventually("all have run", || {
        let workers = workers(&runtime);
        let ran: u64 = workers.iter().map(|worker| worker.handlers[2]).sum();
        workers.iter().map(|worker| worker.loops).sum::<usize>() == LOOPS && ran == 2 * LOOPS as u64
    });
    let used = (status("VmRSS:") - before) * 1024 / LOOPS;
    println!("{used} bytes an idle loop");
    assert!(used <= 4096);
    assert!(runtime.stats().loops.iter().all(|one| one.handlers[2] == 2));
    drop(runtime);
}

fn workers(runtime: &Runtime) -> Vec<WorkerStats> {
    let (sender, receiver) = told();
    let reply = StatsReply::new(move |stats| sender.send(stats.workers).unwrap());
    runtime.handle().survey(Survey { loops: Loops::None, handlers: false }, reply);
    next(&receiver)
}

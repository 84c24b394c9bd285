//! What an idle loop costs. One test to a process: it measures memory.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod common;

use common::{eventually, runtime, status};
use dunlin_runtime::{Class, Context, Duration, EventId, Loop, TimerId};

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
    eventually("started", || runtime.stats().workers.len() == 2);
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
    eventually("all have run", || {
        let stats = runtime.stats();
        stats.loops.len() == LOOPS && stats.loops.iter().all(|one| one.handlers[2] == 2)
    });
    let used = (status("VmRSS:") - before) * 1024 / LOOPS;
    println!("{used} bytes an idle loop");
    assert!(used <= 4096);
    drop(runtime);
}

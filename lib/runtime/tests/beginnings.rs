//! The beginning of a loop: nobody waits for it, and nothing sent meanwhile is lost.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod common;

use std::sync::mpsc::{Sender, channel};

use common::{
    next,
    script::{On, Script},
};
use dunlin_runtime::{Class, Context, Duration, Loop, RuntimeHandle, sim::SimRuntime};

/// Messages sent at once.
const MESSAGES: u64 = 1000;

/// Notes all that happens, and tells it with the last message.
fn noting(told: Sender<Vec<On>>) -> impl Loop<Message = u64> {
    let mut all = Vec::new();
    Script(move |_: &mut Context<'_>, on| {
        all.push(on);
        if on == On::Message(MESSAGES - 1) {
            told.send(core::mem::take(&mut all)).unwrap();
        }
    })
}

/// Sends to a loop while it is being made, and right after.
fn begin(runtime: &RuntimeHandle, told: Sender<Vec<On>>) {
    let address = runtime.spawn_with("begins", Class::Control, |own| {
        own.send(Class::Routing, 0).unwrap();
        noting(told)
    });
    for number in 1..MESSAGES {
        address.send(Class::Routing, number).unwrap();
    }
}

#[test]
fn what_is_sent_before_the_first_turn_comes_after_start() {
    let expected: Vec<On> =
        core::iter::once(On::Start).chain((0..MESSAGES).map(On::Message)).collect();
    let (told, heard) = channel();
    let runtime = common::runtime(2);
    for _ in 0..20 {
        begin(&runtime.handle(), told.clone());
    }
    for _ in 0..20 {
        assert_eq!(next(&heard), expected, "on a worker");
    }
    drop(runtime);
    for seed in 0..10 {
        let (told, heard) = channel();
        let mut sim = SimRuntime::new(seed);
        begin(&sim.handle(), told);
        sim.run_for(Duration::from_secs(10));
        assert_eq!(heard.try_recv().as_ref(), Ok(&expected), "seed {seed}");
    }
}

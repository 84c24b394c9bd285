//! What a handler has left of its time, and handlers that do not ask.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod common;

use std::sync::mpsc::Sender;

use common::{burn, eventually, next, runtime, told};
use dunlin_runtime::{
    Class, Context, Duration, Loop, Progress, TimerId, WorkId,
    kit::budget::{Budget, OVERRUN},
    sim::{SimOptions, SimRuntime},
};
use dunlin_trace::Site;

/// Works until its budget is spent, with what it had left each time it asked.
struct Asks {
    real: bool,
    told: Sender<Vec<Duration>>,
}

/// Generic over budgets, as what loops is to be.
fn work(budget: &mut impl Budget, mut piece: impl FnMut()) -> Vec<Duration> {
    let mut left = Vec::new();
    loop {
        left.push(budget.remaining());
        if budget.is_spent() || left.len() > 1_000_000 {
            return left;
        }
        piece();
    }
}

impl Loop for Asks {
    type Message = ();

    fn message(&mut self, cx: &mut Context<'_>, (): ()) {
        let real = self.real;
        let left = work(cx, || {
            if real {
                burn(Duration::from_micros(20));
            }
        });
        self.told.send(left).unwrap();
    }
}

fn check(left: &[Duration]) {
    assert!(left.len() > 2, "{left:?}");
    assert!(left.windows(2).all(|two| two[1] <= two[0]), "it becomes less: {left:?}");
    assert!(left[0] > Duration::from_micros(100) && left[0] < Duration::from_millis(500));
}

#[test]
fn what_is_left_becomes_less() {
    let mut sim = SimRuntime::new(31);
    let (told, heard) = told();
    let asks = sim.spawn("asks", Class::Routing, Asks { real: false, told: told.clone() });
    asks.send(Class::Routing, ()).unwrap();
    sim.run_for(Duration::from_secs(1));
    check(&heard.try_recv().unwrap());
    let runtime = runtime(1);
    let asks = runtime.spawn("asks", Class::Routing, Asks { real: true, told });
    // A worker that the system did not run meanwhile has nothing left at once.
    let mut asked = (0..100).map(|_| {
        asks.send(Class::Routing, ()).unwrap();
        next(&heard)
    });
    check(&asked.find(|left| left.len() > 2).unwrap_or_default());
}

/// Overstays in a message, in a timer and in its work.
struct Hog {
    real: bool,
}

impl Hog {
    fn hog(&self, cx: &mut Context<'_>) {
        // Until long after the budget has said so.
        while !cx.over_budget() {}
        let long = 3 * OVERRUN;
        if self.real {
            burn(long);
        }
        cx.sim_consume(long);
    }
}

impl Loop for Hog {
    type Message = ();

    fn start(&mut self, cx: &mut Context<'_>) {
        let (timer, work) = (cx.timer(Class::Control), cx.work(Class::Bulk));
        cx.arm_after(timer, Duration::from_millis(20));
        cx.queue(work);
    }

    fn message(&mut self, cx: &mut Context<'_>, (): ()) {
        self.hog(cx);
    }

    fn timer(&mut self, cx: &mut Context<'_>, _: TimerId) {
        self.hog(cx);
    }

    fn work(&mut self, cx: &mut Context<'_>, _: WorkId) -> Progress {
        self.hog(cx);
        Progress::Done
    }
}

/// Does the same, and stops when told.
struct Decent;

impl Loop for Decent {
    type Message = ();

    fn message(&mut self, cx: &mut Context<'_>, (): ()) {
        while !cx.over_budget() {}
    }
}

#[test]
fn overruns_are_counted_by_site() {
    let expected = [(Site::MESSAGE, 2), (Site::TIMER, 1), (Site::WORK, 1)];
    let mut sim =
        SimRuntime::with_options(SimOptions { workers: 1, moves: 0, ..SimOptions::new(32) });
    let hog = sim.spawn("hog", Class::Routing, Hog { real: false });
    let decent = sim.spawn("decent", Class::Routing, Decent);
    for _ in 0..2 {
        hog.send(Class::Routing, ()).unwrap();
        decent.send(Class::Routing, ()).unwrap();
    }
    sim.run_for(Duration::from_secs(1));
    let stats = sim.stats();
    assert_eq!(stats.loops[0].overruns, expected);
    assert_eq!(stats.loops[1].overruns, []);

    let runtime = runtime(1);
    let hog = runtime.spawn("hog", Class::Routing, Hog { real: true });
    hog.send(Class::Routing, ()).unwrap();
    hog.send(Class::Routing, ()).unwrap();
    // Whatever else takes the processor away in the middle of a handler is counted, too.
    eventually("all are counted", || {
        let stats = runtime.stats();
        let found = |site, least| {
            stats.loops[0].overruns.iter().any(|(other, count)| *other == site && *count >= least)
        };
        expected.into_iter().all(|(site, least)| found(site, least))
    });
}

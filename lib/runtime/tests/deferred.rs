//! What is deferred runs at the end of the turn, before anything else but liveness; and calls of
//! handlers by handlers.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod common;

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
    mpsc::{Receiver, Sender, channel},
};

use common::{eventually, next};
use dunlin_runtime::{
    Address, Cancel, Class, Context, Duration, EventId, Loop, Runtime, RuntimeOptions, Scheduling,
    TimerId,
    sim::{SimOptions, SimRuntime},
};
use dunlin_trace::{Options, Recorder, Site};

/// Always has something to do, and counts its handlers.
struct Other(Arc<AtomicU64>);

impl Loop for Other {
    type Message = ();

    fn start(&mut self, cx: &mut Context<'_>) {
        let event = cx.event(Class::Control);
        cx.schedule(event);
    }

    fn message(&mut self, _: &mut Context<'_>, (): ()) {}

    fn event(&mut self, cx: &mut Context<'_>, event: EventId) {
        self.0.fetch_add(1, Ordering::Relaxed);
        cx.schedule(event);
    }
}

/// Runs a loop beside a busy one on one worker, real and simulated, until it tells something.
fn beside_another<T: PartialEq + std::fmt::Debug + Send + 'static, L: Loop>(
    make: impl Fn(Sender<T>, Arc<AtomicU64>) -> L,
) -> Vec<T> {
    let first = |heard: &Receiver<T>| heard.try_recv().expect("told in the simulation");
    let (told, heard) = channel();
    let count = Arc::new(AtomicU64::new(0));
    let runtime = common::runtime(1);
    runtime.spawn("other", Class::Control, Other(Arc::clone(&count)));
    runtime.spawn("defers", Class::Bulk, make(told, count));
    let mut all = vec![next(&heard)];
    drop(runtime);
    for seed in 0..10 {
        let (told, heard) = channel();
        let count = Arc::new(AtomicU64::new(0));
        let mut sim = SimRuntime::with_options(SimOptions { workers: 1, ..SimOptions::new(seed) });
        sim.spawn("other", Class::Control, Other(Arc::clone(&count)));
        sim.spawn("defers", Class::Bulk, make(told, count));
        sim.run_for(Duration::from_secs(2));
        all.push(first(&heard));
    }
    all
}

/// Each message defers the first of three events in a chain.
struct Chain {
    other: Arc<AtomicU64>,
    events: [EventId; 3],
    timer: TimerId,
    /// How much the other loop had done when the last message came.
    then: u64,
    messages: u64,
    ends: u64,
    told: Sender<(u64, bool)>,
}

const MESSAGES: u64 = 50;

impl Loop for Chain {
    type Message = ();

    fn start(&mut self, cx: &mut Context<'_>) {
        self.events = [(); 3].map(|()| cx.event(Class::Bulk));
        let own = cx.own::<()>().unwrap();
        for _ in 0..MESSAGES {
            own.send(Class::Bulk, ()).unwrap();
        }
        self.timer = cx.timer(Class::Liveness);
    }

    fn message(&mut self, cx: &mut Context<'_>, (): ()) {
        self.messages += 1;
        self.then = self.other.load(Ordering::Relaxed);
        cx.defer(self.events[0]);
        assert_eq!(cx.defer(self.events[0]), Scheduling::AlreadyPending);
    }

    fn timer(&mut self, cx: &mut Context<'_>, _: TimerId) {
        // Too urgent to do it here.
        self.then = self.other.load(Ordering::Relaxed);
        cx.defer(self.events[0]);
    }

    fn event(&mut self, cx: &mut Context<'_>, event: EventId) {
        let now = self.other.load(Ordering::Relaxed);
        assert_eq!(now, self.then, "another loop came between");
        match self.events.iter().position(|one| *one == event).unwrap() {
            place @ (0 | 1) => {
                cx.defer(self.events[place + 1]);
            }
            _ => {
                self.ends += 1;
                if self.messages == MESSAGES {
                    self.messages += 1;
                    cx.arm_after(self.timer, Duration::from_millis(3));
                } else if self.messages > MESSAGES {
                    self.told.send((self.ends, true)).unwrap();
                }
            }
        }
    }
}

#[test]
fn what_is_deferred_runs_to_completion_before_another_loop() {
    let outcomes = beside_another(|told, other| {
        let events = [EventId::NONE; 3];
        let timer = TimerId::NONE;
        Chain { other, events, timer, then: 0, messages: 0, ends: 0, told }
    });
    for (ends, _) in outcomes {
        // Once for a batch of messages, and once for the timer.
        assert!((2..=MESSAGES / 2).contains(&ends), "{ends} runs");
    }
}

/// Defers without end, and after a while stops.
struct Endless {
    other: Arc<AtomicU64>,
    ran: u64,
    told: Sender<u64>,
}

impl Loop for Endless {
    type Message = ();

    fn start(&mut self, cx: &mut Context<'_>) {
        let event = cx.event(Class::Bulk);
        cx.defer(event);
        assert_eq!(cx.unschedule(event), Cancel::Cancelled);
        cx.defer(event);
    }

    fn message(&mut self, _: &mut Context<'_>, (): ()) {}

    fn event(&mut self, cx: &mut Context<'_>, event: EventId) {
        self.ran += 1;
        cx.defer(event);
        if self.other.load(Ordering::Relaxed) > 20 && self.ran > 2000 {
            cx.stop_self();
        }
    }

    fn stop(&mut self, _: &mut Context<'_>) {
        self.told.send(self.ran).unwrap();
    }
}

#[test]
fn who_defers_without_end_keeps_nobody_out_and_can_be_stopped() {
    for ran in beside_another(|told, other| Endless { other, ran: 0, told }) {
        assert!(ran > 2000);
    }
}

/// Defers and stops in one handler.
struct LastWords {
    told: Sender<Vec<&'static str>>,
    said: Vec<&'static str>,
}

impl Loop for LastWords {
    type Message = ();

    fn start(&mut self, cx: &mut Context<'_>) {
        let event = cx.event(Class::Bulk);
        cx.defer(event);
        cx.stop_self();
    }

    fn message(&mut self, _: &mut Context<'_>, (): ()) {}

    fn event(&mut self, _: &mut Context<'_>, _: EventId) {
        self.said.push("deferred");
    }

    fn stop(&mut self, _: &mut Context<'_>) {
        self.said.push("stopped");
        self.told.send(self.said.clone()).unwrap();
    }
}

#[test]
fn what_was_deferred_runs_before_the_loop_stops() {
    for said in beside_another(|told, _| LastWords { told, said: vec![] }) {
        assert_eq!(said, ["deferred", "stopped"]);
    }
}

/// Takes a while for each deferred run, of which there are many.
struct Slow {
    left: u32,
    done: Sender<()>,
}

impl Loop for Slow {
    type Message = ();

    fn start(&mut self, cx: &mut Context<'_>) {
        let event = cx.event(Class::Bulk);
        cx.defer(event);
    }

    fn message(&mut self, _: &mut Context<'_>, (): ()) {}

    fn event(&mut self, cx: &mut Context<'_>, event: EventId) {
        common::burn(Duration::from_millis(1));
        self.left -= 1;
        if self.left > 0 {
            cx.defer(event);
        } else {
            self.done.send(()).unwrap();
        }
    }
}

/// Counts expiries of its liveness timer.
struct Live(Arc<AtomicU64>);

impl Loop for Live {
    type Message = ();

    fn start(&mut self, cx: &mut Context<'_>) {
        let timer = cx.timer(Class::Liveness);
        cx.arm_every(timer, Duration::from_millis(5));
    }

    fn message(&mut self, _: &mut Context<'_>, (): ()) {}

    fn timer(&mut self, _: &mut Context<'_>, _: TimerId) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn liveness_comes_between_what_is_deferred() {
    let runtime = common::runtime(1);
    let count = Arc::new(AtomicU64::new(0));
    runtime.spawn("live", Class::Liveness, Live(Arc::clone(&count)));
    let (done, dones) = channel();
    runtime.spawn("slow", Class::Bulk, Slow { left: 200, done });
    next(&dones);
    // 200 ms in one turn, and a timer every 5 ms.
    assert!(count.load(Ordering::Relaxed) >= 10);
}

/// Calls its own event's handler from a message.
struct Calls {
    event: EventId,
    inner: EventId,
    ran: Vec<&'static str>,
    second: Address<()>,
    told: Sender<Vec<&'static str>>,
}

impl Loop for Calls {
    type Message = ();

    fn start(&mut self, cx: &mut Context<'_>) {
        (self.event, self.inner) = (cx.event(Class::Routing), cx.event(Class::Routing));
    }

    fn message(&mut self, cx: &mut Context<'_>, (): ()) {
        let began = cx.now();
        cx.schedule(self.event);
        let (event, inner) = (self.event, self.inner);
        assert!(cx.run_now(self, event));
        assert_eq!(cx.now(), began);
        assert_eq!(cx.unschedule(event), Cancel::NotPending, "it has run, and runs no more");
        assert_eq!(self.ran, ["outer", "inner", "outer ends"]);
        cx.remove_event(inner);
        assert!(!cx.run_now(self, inner));
        cx.schedule(event);
    }

    fn event(&mut self, cx: &mut Context<'_>, event: EventId) {
        let inner = self.inner;
        if event == inner {
            self.ran.push("inner");
            assert_eq!(cx.unschedule(event), Cancel::Running);
            assert_eq!(cx.unschedule(self.event), Cancel::Running, "it called this one");
            self.second.send(Class::Routing, ()).unwrap();
            return;
        }
        if self.ran.is_empty() {
            self.ran.push("outer");
            assert!(cx.run_now(self, inner));
            assert_eq!(cx.unschedule(event), Cancel::Running);
            self.ran.push("outer ends");
        } else {
            self.ran.push("again");
            self.told.send(self.ran.clone()).unwrap();
        }
    }
}

struct Sink;

impl Loop for Sink {
    type Message = ();
    fn message(&mut self, _: &mut Context<'_>, (): ()) {}
}

#[test]
fn a_handler_called_by_another_is_recorded_with_its_cause() {
    let recorder = Recorder::new(&Options::default()).unwrap();
    let options = RuntimeOptions { recorder: Some(recorder.clone()), ..RuntimeOptions::default() };
    let runtime = Runtime::new(options).unwrap();
    let (told, heard) = channel();
    let second = runtime.spawn("second", Class::Routing, Sink);
    let (event, inner) = (EventId::NONE, EventId::NONE);
    let calls = Calls { event, inner, ran: vec![], second: second.clone(), told };
    let calls = runtime.spawn("calls", Class::Routing, calls);
    calls.send(Class::Routing, ()).unwrap();
    assert_eq!(next(&heard), ["outer", "inner", "outer ends", "again"]);
    eventually("the second has heard", || {
        runtime
            .stats()
            .loops
            .iter()
            .any(|one| one.name.as_ref() == "second" && one.handlers[2] == 1)
    });
    let trace = recorder.snapshot();
    let of = |address: &Address<()>, site| {
        let records = trace.records().into_iter();
        let number = address.loop_id().number();
        records.filter(|one| one.loop_id == number && one.site == site).collect::<Vec<_>>()
    };
    let (message, called) = (of(&calls, Site::MESSAGE), of(&calls, Site::CALL));
    let name = |one: &dunlin_trace::Record| Some((one.ring, one.index));
    assert_eq!((message.len(), called.len()), (1, 2));
    assert_eq!(called[0].cause, name(&message[0]));
    assert_eq!(called[1].cause, name(&called[0]));
    assert_eq!(of(&second, Site::MESSAGE)[0].cause, name(&called[1]), "the innermost sent it");
    let took = |one: &dunlin_trace::Record| one.duration.unwrap();
    assert!(took(&message[0]) >= took(&called[0]) && took(&called[0]) >= took(&called[1]));
}

#[test]
fn a_call_works_in_the_simulation_too() {
    let (told, heard) = channel();
    let mut sim = SimRuntime::new(1);
    let second = sim.spawn("second", Class::Routing, Sink);
    let calls = Calls { event: EventId::NONE, inner: EventId::NONE, ran: vec![], second, told };
    sim.spawn("calls", Class::Routing, calls).send(Class::Routing, ()).unwrap();
    sim.run_for(Duration::from_secs(1));
    assert_eq!(heard.try_recv().unwrap(), ["outer", "inner", "outer ends", "again"]);
}

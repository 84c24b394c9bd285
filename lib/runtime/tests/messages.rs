//! Messages, events and work between and within loops.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod common;

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
    mpsc::Sender,
};

use common::{eventually, next, runtime, told};
use dunlin_runtime::{
    Address, Class, Context, Duration, EventHandle, EventId, Loop, Progress, Runtime,
    RuntimeOptions, Scheduling, WorkId,
};
use dunlin_trace::{Options, Recorder, Site};

struct Ping {
    peer: Option<Address<Ball>>,
    left: u32,
    done: Sender<u32>,
}

enum Ball {
    Peer(Address<Self>),
    Hit(u32),
}

impl Loop for Ping {
    type Message = Ball;

    fn message(&mut self, _: &mut Context<'_>, message: Ball) {
        match message {
            Ball::Peer(peer) => self.peer = Some(peer),
            Ball::Hit(count) if count == self.left => self.done.send(count).unwrap(),
            Ball::Hit(count) => {
                self.peer.as_ref().unwrap().send(Class::Control, Ball::Hit(count + 1)).unwrap();
            }
        }
    }
}

#[test]
fn two_loops_on_two_workers_play_ping_pong() {
    let runtime = runtime(2);
    let (done, dones) = told();
    let player = |name| {
        let done = done.clone();
        runtime.spawn(name, Class::Control, Ping { peer: None, left: 20_000, done })
    };
    let (a, b) = (player("a"), player("b"));
    a.send(Class::Control, Ball::Peer(b.clone())).unwrap();
    b.send(Class::Control, Ball::Peer(a.clone())).unwrap();
    a.send(Class::Control, Ball::Hit(0)).unwrap();
    assert_eq!(next(&dones), 20_000);
}

/// Sends itself a message of each class, then uses up its turn; and schedules its own event by a handle.
struct Talker {
    handle: Option<EventHandle>,
    done: Sender<&'static str>,
}

impl Loop for Talker {
    type Message = &'static str;

    fn start(&mut self, cx: &mut Context<'_>) {
        let event = cx.event(Class::Bulk);
        self.handle = Some(cx.event_handle(event));
    }

    fn message(&mut self, cx: &mut Context<'_>, word: &'static str) {
        if word == "begin" {
            let own = cx.own::<&'static str>().unwrap();
            own.send(Class::Bulk, "bulk").unwrap();
            own.send(Class::Routing, "routing").unwrap();
            own.send(Class::Control, "control").unwrap();
            own.send(Class::Liveness, "liveness").unwrap();
            assert_eq!(self.handle.as_ref().unwrap().schedule(), Scheduling::Scheduled);
            while !cx.over_budget() {
                core::hint::spin_loop();
            }
        }
        self.done.send(word).unwrap();
    }

    fn event(&mut self, _: &mut Context<'_>, _: EventId) {
        self.done.send("event").unwrap();
    }
}

#[test]
fn what_a_loop_sends_itself_outlasts_its_turn() {
    let (runtime, (done, dones)) = (runtime(1), told());
    let address = runtime.spawn("talker", Class::Bulk, Talker { handle: None, done });
    for _ in 0..10 {
        address.send(Class::Bulk, "begin").unwrap();
        let words: Vec<_> = (0..6).map(|_| next(&dones)).collect();
        assert_eq!(words, ["begin", "control", "liveness", "bulk", "routing", "event"]);
    }
}

struct Order {
    seen: Vec<u64>,
    expect: usize,
    done: Sender<Vec<u64>>,
}

impl Loop for Order {
    type Message = u64;

    fn message(&mut self, _: &mut Context<'_>, message: u64) {
        self.seen.push(message);
        if self.seen.len() == self.expect {
            self.done.send(core::mem::take(&mut self.seen)).unwrap();
        }
    }
}

#[test]
fn messages_of_each_sender_stay_in_order() {
    let runtime = runtime(2);
    let (done, dones) = told();
    let order =
        runtime.spawn("order", Class::Routing, Order { seen: Vec::new(), expect: 40_000, done });
    std::thread::scope(|scope| {
        for sender in 0..4u64 {
            let order = order.clone();
            scope.spawn(move || {
                for count in 0..10_000 {
                    order.send(Class::Routing, sender << 32 | count).unwrap();
                }
            });
        }
    });
    let seen = next(&dones);
    for sender in 0..4 {
        let of_one = seen.iter().filter(|message| **message >> 32 == sender);
        assert!(of_one.map(|message| message & 0xffff_ffff).eq(0..10_000));
    }
}

struct Events {
    again: EventId,
    count: usize,
    job: WorkId,
    pieces: usize,
    told: Sender<String>,
}

impl Loop for Events {
    type Message = Sender<EventHandle>;

    fn start(&mut self, cx: &mut Context<'_>) {
        self.again = cx.event(Class::Routing);
        cx.schedule(self.again);
        cx.schedule(self.again);
        self.job = cx.work(Class::Bulk);
        cx.queue(self.job);
        cx.queue(self.job);
    }

    fn message(&mut self, cx: &mut Context<'_>, reply: Sender<EventHandle>) {
        reply.send(cx.event_handle(self.again)).unwrap();
    }

    fn event(&mut self, _: &mut Context<'_>, event: EventId) {
        assert_eq!(event, self.again);
        self.count += 1;
        self.told.send(format!("event {}", self.count)).unwrap();
    }

    fn work(&mut self, _: &mut Context<'_>, work: WorkId) -> Progress {
        assert_eq!(work, self.job);
        self.pieces += 1;
        if self.pieces < 5 {
            return Progress::More;
        }
        self.told.send(format!("work {}", self.pieces)).unwrap();
        Progress::Done
    }
}

#[test]
fn events_are_idempotent_and_jobs_run_piece_by_piece() {
    let runtime = runtime(1);
    let (told, heard) = told();
    let events = Events { again: EventId::NONE, count: 0, job: WorkId::NONE, pieces: 0, told };
    let address = runtime.spawn("events", Class::Routing, events);
    assert_eq!(next(&heard), "event 1");
    assert_eq!(next(&heard), "work 5");
    let (reply, handle) = std::sync::mpsc::channel();
    address.send(Class::Control, reply).unwrap();
    let handle = next(&handle);
    assert_eq!(handle.schedule(), Scheduling::Scheduled);
    assert_eq!(next(&heard), "event 2");
    assert_eq!(handle.schedule(), Scheduling::Scheduled);
    assert_eq!(next(&heard), "event 3");
    address.stop();
    eventually("stopped", || address.is_stopped());
    assert_eq!(handle.schedule(), Scheduling::Stopped);
}

struct Stops {
    told: Sender<&'static str>,
    _held: Arc<()>,
}

impl Loop for Stops {
    type Message = (&'static str, Arc<()>);

    fn message(&mut self, cx: &mut Context<'_>, message: Self::Message) {
        match message.0 {
            "stop" => cx.stop_self(),
            "panic" => panic!("as told"),
            other => self.told.send(other).unwrap(),
        }
    }

    fn stop(&mut self, _: &mut Context<'_>) {
        self.told.send("stopped").unwrap();
    }
}

#[test]
fn a_stopped_loop_gives_messages_back_and_lets_go_of_everything() {
    let runtime = runtime(2);
    for how in ["stop", "address", "panic"] {
        let (told, heard) = told();
        let held = Arc::new(());
        let state = Stops { told, _held: Arc::clone(&held) };
        let address = runtime.spawn("stops", Class::Control, state);
        address.send(Class::Control, ("hello", Arc::clone(&held))).unwrap();
        assert_eq!(next(&heard), "hello");
        match how {
            "address" => address.stop(),
            how => address.send(Class::Control, (how, Arc::clone(&held))).unwrap(),
        }
        // Under way or too late, none of these is handled.
        for _ in 0..100 {
            let _ = address.send(Class::Bulk, ("never", Arc::clone(&held)));
        }
        eventually("stopped", || address.is_stopped());
        let stopped = address.send(Class::Control, ("late", Arc::clone(&held)));
        assert_eq!(stopped.unwrap_err().0.0, "late");
        if how != "panic" {
            assert!(heard.iter().any(|word| word == "stopped"));
        }
        drop(address);
        eventually("dropped", || Arc::strong_count(&held) == 1);
    }
}

#[test]
fn a_panic_is_reported_and_others_live_on() {
    let (told, heard) = told();
    let (log, logged) = common::told();
    let options = RuntimeOptions {
        watch: dunlin_runtime::Watch::OFF,
        log: Arc::new(move |record: &dunlin_runtime::LogRecord| {
            log.send(format!("{}: {}", record.loop_name.as_deref().unwrap(), record.text)).unwrap();
        }),
        ..RuntimeOptions::default()
    };
    let runtime = Runtime::new(options).unwrap();
    let spawn = |name| {
        let state = Stops { told: told.clone(), _held: Arc::new(()) };
        runtime.spawn(name, Class::Control, state)
    };
    let (bad, good) = (spawn("bad"), spawn("good"));
    bad.send(Class::Control, ("panic", Arc::new(()))).unwrap();
    let expected = "bad: a message handler panicked, the loop is stopped: as told";
    assert_eq!(next(&logged), expected);
    good.send(Class::Control, ("fine", Arc::new(()))).unwrap();
    assert_eq!(next(&heard), "fine");
}

struct Counts(Arc<AtomicUsize>);

impl Loop for Counts {
    type Message = ();

    fn start(&mut self, cx: &mut Context<'_>) {
        let this = Arc::clone(&self.0);
        this.fetch_add(1, Ordering::Relaxed);
        if this.load(Ordering::Relaxed) < 100 {
            cx.spawn("child", Class::Control, Self(this));
        }
    }

    fn message(&mut self, _: &mut Context<'_>, (): ()) {}

    fn stop(&mut self, _: &mut Context<'_>) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[test]
fn shutdown_stops_every_loop_once() {
    let count = Arc::new(AtomicUsize::new(0));
    let runtime = runtime(3);
    runtime.spawn("first", Class::Control, Counts(Arc::clone(&count)));
    eventually("all started", || count.load(Ordering::Relaxed) == 100);
    runtime.shutdown();
    assert_eq!(count.load(Ordering::Relaxed), 0);
    assert_eq!(Arc::strong_count(&count), 1);
}

struct Long {
    told: Sender<Duration>,
}

impl Loop for Long {
    type Message = ();

    fn message(&mut self, cx: &mut Context<'_>, (): ()) {
        let start = cx.now();
        while !cx.over_budget() {}
        let took = cx.clock() - start;
        self.told.send(took).unwrap();
    }
}

#[test]
fn a_long_handler_is_told_when_its_share_is_used_up() {
    let runtime = runtime(1);
    let (told, heard) = told();
    let long = runtime.spawn("long", Class::Routing, Long { told });
    long.send(Class::Routing, ()).unwrap();
    assert!(next(&heard) < Duration::from_millis(20));
}

/// Takes longer to start than a turn may last.
struct SlowStart {
    told: Sender<u64>,
}

impl Loop for SlowStart {
    type Message = u64;

    fn start(&mut self, _: &mut Context<'_>) {
        common::burn(Duration::from_millis(2));
    }

    fn message(&mut self, _: &mut Context<'_>, message: u64) {
        self.told.send(message).unwrap();
    }
}

#[test]
fn what_came_before_a_turn_that_ended_early_is_not_forgotten() {
    let runtime = runtime(1);
    let (told, heard) = told();
    for number in 0..50 {
        let class = Class::ALL[number as usize % 4];
        let slow = runtime.spawn("slow", class, SlowStart { told: told.clone() });
        slow.send(class, number).unwrap();
    }
    let mut numbers: Vec<_> = (0..50).map(|_| next(&heard)).collect();
    numbers.sort_unstable();
    assert!(numbers.into_iter().eq(0..50));
}

#[test]
fn no_wake_up_is_lost() {
    let runtime = runtime(1);
    let (told, heard) = told();
    let quick = runtime.spawn("quick", Class::Control, Quick { told });
    for number in 0..20_000 {
        // From no pause at all to long enough for the worker to sleep.
        for _ in 0..number % 100 * 20 {
            core::hint::spin_loop();
        }
        quick.send(Class::ALL[number as usize % 4], number).unwrap();
        assert_eq!(next(&heard), number);
    }
}

struct Quick {
    told: Sender<u64>,
}

impl Loop for Quick {
    type Message = u64;

    fn message(&mut self, _: &mut Context<'_>, message: u64) {
        self.told.send(message).unwrap();
    }
}

struct Slow {
    next: Option<Address<()>>,
}

impl Loop for Slow {
    type Message = ();

    fn message(&mut self, _: &mut Context<'_>, (): ()) {
        common::burn(Duration::from_millis(120));
        if let Some(next) = &self.next {
            next.send(Class::Routing, ()).unwrap();
        }
    }
}

#[test]
fn a_handler_that_takes_too_long_is_reported_and_recorded_with_its_cause() {
    let (log, logged) = told();
    let recorder = Recorder::new(&Options::default()).unwrap();
    let options = RuntimeOptions {
        recorder: Some(recorder.clone()),
        log: Arc::new(move |record: &dunlin_runtime::LogRecord| {
            log.send(record.text.clone()).unwrap();
        }),
        ..RuntimeOptions::default()
    };
    let runtime = Runtime::new(options).unwrap();
    let second = runtime.spawn("second", Class::Routing, Slow { next: None });
    let next = Some(second.clone());
    let first = runtime.spawn("first", Class::Routing, Slow { next });
    first.send(Class::Routing, ()).unwrap();
    // The watcher may say so before, while it runs.
    eventually("it is said", || {
        let text = common::next(&logged);
        common::without_places(&text).starts_with("a message of first (routing)")
            && text.contains(" took 1")
    });
    eventually("both have run", || runtime.stats().loops.iter().all(|one| one.handlers[2] == 1));
    let trace = recorder.snapshot();
    let of = |address: &Address<()>| {
        let number = address.loop_id().number();
        let mut records = trace.records().into_iter();
        records.find(|one| one.loop_id == number && one.site == Site::MESSAGE).unwrap()
    };
    let (cause, effect) = (of(&first), of(&second));
    assert!(cause.duration.unwrap() >= 119_000_000, "{cause:?}");
    assert_eq!(effect.cause, Some((cause.ring, cause.index)));
    assert!(effect.delay >= 119_000_000, "waited for the one that sent it: {effect:?}");
    assert_eq!(trace.loop_name(first.loop_id().number()).as_deref(), Some("first"));
}

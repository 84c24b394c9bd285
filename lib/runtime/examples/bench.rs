//! What an event, a message and a wake-up cost.
//!
//! `cargo run --profile bench-quick -p dunlin-runtime --example bench`
#![allow(clippy::disallowed_methods, reason = "measures from outside, too")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a failed measurement is no measurement"
)]

use std::{
    sync::mpsc::{Sender, channel},
    time::Instant,
};

use dunlin_runtime::{
    Address, Class, Context, Duration, EventId, Loop, Runtime, RuntimeOptions, Time, TimerId,
};
use dunlin_trace::{Options, Recorder};

fn main() {
    for recorded in [false, true] {
        let recorder = recorded.then(|| Recorder::new(&Options::default()).unwrap());
        println!("{} recorder", if recorded { "with" } else { "without" });
        let runtime = |threads| {
            let recorder = recorder.clone();
            Runtime::new(RuntimeOptions { threads, recorder, ..RuntimeOptions::default() }).unwrap()
        };
        report("same-loop event, schedule and run", same_loop(&runtime(1)));
        report("same-loop timer, arm and expire", timers(&runtime(1)));
        report("message to another loop of the same worker", same_worker(&runtime(1)));
        report("message to another worker, awake, one way", one_way(&runtime(2), true));
        report("... that may sleep meanwhile", one_way(&runtime(2), false));
        report("... in bursts of 64, awake, each", burst(&runtime(2), true));
        report("... in bursts of 64, that may sleep, each", burst(&runtime(2), false));
        report("... flood of 1000000, each", flood(&runtime(2)));
        report("wake of a sleeping loop by another thread, median", wake(&runtime(1)));
    }
}

fn report(what: &str, nanos: f64) {
    println!("  {what:<56} {nanos:>9.1} ns");
}

fn per(span: Duration, count: u64) -> f64 {
    span.as_nanos() as f64 / count as f64
}

/// An event that schedules itself.
struct Again {
    event: EventId,
    left: u64,
    start: Time,
    done: Sender<Duration>,
}

const EVENTS: u64 = 5_000_000;

impl Loop for Again {
    type Message = ();

    fn start(&mut self, cx: &mut Context<'_>) {
        self.event = cx.event(Class::Routing);
        self.start = cx.now();
        cx.schedule(self.event);
    }

    fn message(&mut self, _: &mut Context<'_>, (): ()) {}

    fn event(&mut self, cx: &mut Context<'_>, event: EventId) {
        self.left -= 1;
        if self.left > 0 {
            cx.schedule(event);
        } else {
            self.done.send(cx.now() - self.start).unwrap();
        }
    }
}

fn same_loop(runtime: &Runtime) -> f64 {
    let (done, dones) = channel();
    let again = Again { event: EventId::NONE, left: EVENTS, start: Time::ZERO, done };
    runtime.spawn("again", Class::Routing, again);
    per(dones.recv().unwrap(), EVENTS)
}

/// A timer that arms itself.
struct Timer {
    left: u64,
    start: Time,
    done: Sender<Duration>,
}

impl Loop for Timer {
    type Message = ();

    fn start(&mut self, cx: &mut Context<'_>) {
        let timer = cx.timer(Class::Routing);
        self.start = cx.now();
        cx.arm(timer, self.start);
    }

    fn message(&mut self, _: &mut Context<'_>, (): ()) {}

    fn timer(&mut self, cx: &mut Context<'_>, timer: TimerId) {
        self.left -= 1;
        if self.left > 0 {
            cx.arm(timer, cx.now());
        } else {
            self.done.send(cx.now() - self.start).unwrap();
        }
    }
}

fn timers(runtime: &Runtime) -> f64 {
    let (done, dones) = channel();
    runtime.spawn("timer", Class::Routing, Timer { left: EVENTS, start: Time::ZERO, done });
    per(dones.recv().unwrap(), EVENTS)
}

/// Passes bursts of messages to and fro; a burst is answered when it is complete.
struct Player {
    peer: Option<Address<Word>>,
    class: Class,
    burst: u64,
    seen: u64,
    rounds: u64,
    last: Option<Instant>,
    /// How long each round took: others use this machine too, so only the median tells.
    took: Vec<Duration>,
    done: Sender<Duration>,
}

enum Word {
    Peer(Address<Self>),
    Ball,
}

impl Loop for Player {
    type Message = Word;

    fn message(&mut self, _: &mut Context<'_>, word: Word) {
        match word {
            Word::Peer(peer) => self.peer = Some(peer),
            Word::Ball => {
                self.seen += 1;
                if !self.seen.is_multiple_of(self.burst) {
                    return;
                }
                let now = Instant::now();
                let last = self.last.replace(now);
                self.took.extend(last.map(|last| now - last));
                if self.seen == self.burst * self.rounds {
                    self.took.sort();
                    // The other player may have been first.
                    let _ = self.done.send(self.took[self.took.len() / 2]);
                }
                for _ in 0..self.burst {
                    let _ = self.peer.as_ref().unwrap().send(self.class, Word::Ball);
                }
            }
        }
    }
}

/// Bursts to and fro between two loops. With `awake`, both workers always have something of less
/// importance to do.
fn play(runtime: &Runtime, burst: u64, rounds: u64, awake: bool) -> f64 {
    let (done, dones) = channel();
    let class = if awake { Class::Liveness } else { Class::Routing };
    let player = || {
        let done = done.clone();
        let player =
            Player { peer: None, class, burst, seen: 0, rounds, last: None, took: vec![], done };
        runtime.spawn("player", Class::Routing, player)
    };
    let (a, b) = (player(), player());
    a.send(Class::Control, Word::Peer(b.clone())).unwrap();
    b.send(Class::Control, Word::Peer(a.clone())).unwrap();
    let fillers: Vec<_> = (0..if awake { 2 } else { 0 })
        .map(|_| runtime.spawn("filler", Class::Bulk, Filler))
        .collect();
    std::thread::sleep(Duration::from_millis(20));
    for _ in 0..burst {
        a.send(class, Word::Ball).unwrap();
    }
    let span = dones.recv().unwrap();
    a.stop();
    b.stop();
    fillers.iter().for_each(Address::stop);
    // A round is a burst each way.
    per(span, 2 * burst)
}

/// Keeps its worker awake.
struct Filler;

impl Loop for Filler {
    type Message = ();

    fn start(&mut self, cx: &mut Context<'_>) {
        let event = cx.event(Class::Bulk);
        cx.schedule(event);
    }

    fn message(&mut self, _: &mut Context<'_>, (): ()) {}

    fn event(&mut self, cx: &mut Context<'_>, event: EventId) {
        cx.schedule(event);
    }
}

fn same_worker(runtime: &Runtime) -> f64 {
    play(runtime, 1, 500_000, false)
}

fn one_way(runtime: &Runtime, awake: bool) -> f64 {
    play(runtime, 1, 200_000, awake)
}

fn burst(runtime: &Runtime, awake: bool) -> f64 {
    play(runtime, 64, 20_000, awake)
}

/// Counts what comes.
struct Sink {
    left: u64,
    start: Option<Instant>,
    done: Sender<Duration>,
}

impl Loop for Sink {
    type Message = u64;

    fn message(&mut self, _: &mut Context<'_>, _: u64) {
        let start = *self.start.get_or_insert_with(Instant::now);
        self.left -= 1;
        if self.left == 0 {
            self.done.send(start.elapsed()).unwrap();
        }
    }
}

/// Sends in pieces, so that it yields as a loop should.
struct Source {
    left: u64,
    sink: Address<u64>,
}

impl Loop for Source {
    type Message = ();

    fn start(&mut self, cx: &mut Context<'_>) {
        let event = cx.event(Class::Routing);
        cx.schedule(event);
    }

    fn message(&mut self, _: &mut Context<'_>, (): ()) {}

    fn event(&mut self, cx: &mut Context<'_>, event: EventId) {
        for _ in 0..64 {
            self.left -= 1;
            self.sink.send(Class::Routing, self.left).unwrap();
        }
        if self.left > 0 {
            cx.schedule(event);
        }
    }
}

fn flood(runtime: &Runtime) -> f64 {
    const COUNT: u64 = 64 * 15_625;
    let (done, dones) = channel();
    let sink = Sink { left: COUNT, start: None, done };
    let sink = runtime.spawn("sink", Class::Routing, sink);
    runtime.spawn("source", Class::Routing, Source { left: COUNT, sink });
    per(dones.recv().unwrap(), COUNT)
}

/// Says how long each message was under way.
struct Sleeper {
    told: Sender<Duration>,
}

impl Loop for Sleeper {
    type Message = Instant;

    fn message(&mut self, _: &mut Context<'_>, sent: Instant) {
        self.told.send(sent.elapsed()).unwrap();
    }
}

fn wake(runtime: &Runtime) -> f64 {
    let (told, heard) = channel();
    let sleeper = runtime.spawn("sleeper", Class::Control, Sleeper { told });
    let mut delays: Vec<_> = (0..2000)
        .map(|_| {
            std::thread::sleep(Duration::from_micros(200));
            sleeper.send(Class::Control, Instant::now()).unwrap();
            heard.recv().unwrap()
        })
        .collect();
    delays.sort();
    delays[delays.len() / 2].as_nanos() as f64
}

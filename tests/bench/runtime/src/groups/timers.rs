//! Very many timers.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc::{Sender, channel},
    },
    task::{Context as TaskContext, Wake, Waker},
    time::{Duration, Instant},
};

use dunlin_runtime::{Class, Context, Loop, Time, TimerId};
use tokio::time::Sleep;

use crate::{
    group::{Bar, Group, Out, contender, figure},
    load::{per, runtime, tokio, wait},
    system::burn,
};

const INSERT: &str = "make and arm";
const MOVE: &str = "arm again, elsewhere";
const CANCEL: &str = "cancel (every second)";
const FIRE: &str = "fire, all due";
const SAME: &str = "arm again, of 10,000, a keepalive's way";

pub const TIMERS: Group = Group {
    name: "timers",
    about: "1,000,000 timers of one loop, at random within ten minutes; tokio: sleeps of one thread",
    figures: &[
        figure(INSERT, "ns", BARS),
        figure(MOVE, "ns", BARS),
        figure(CANCEL, "ns", BARS),
        // The same work is a handler each; the wakers of "tokio" only count.
        figure(FIRE, "ns", &[Bar::Times(1.0, "tokio, a task each")]),
        figure(SAME, "ns", BARS),
    ],
    contenders: &[
        contender("dunlin", |out| dunlin(out, false)),
        contender("dunlin recorded", |out| dunlin(out, true)),
        contender("tokio", by_tokio),
        contender("tokio, a task each", by_tokio_tasks),
    ],
};

const BARS: &[Bar] = &[Bar::Times(1.0, "tokio")];

const COUNT: usize = 1_000_000;
const FEW: usize = 10_000;
const SPAN: u64 = 600_000_000_000;

/// The same for all contenders.
struct Dice(u64);

impl Dice {
    /// A span of up to ten minutes.
    fn span(&mut self) -> Duration {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        Duration::from_nanos(60_000_000_000 + (self.0 >> 20) % SPAN)
    }
}

/// When all are to fire: they must be armed by then.
const SOON: Duration = Duration::from_millis(1500);

struct Many {
    timers: Vec<TimerId>,
    left: usize,
    fired: Instant,
    done: Sender<Vec<(&'static str, f64)>>,
    said: Vec<(&'static str, f64)>,
}

impl Loop for Many {
    type Message = ();

    fn start(&mut self, cx: &mut Context<'_>) {
        let (now, dice) = (cx.now(), &mut Dice(1));
        self.few(cx, now, dice);
        let class = Class::Control;
        self.said.push((
            INSERT,
            each(COUNT, || {
                for _ in 0..COUNT {
                    let timer = cx.timer(class);
                    cx.arm(timer, now + dice.span());
                    self.timers.push(timer);
                }
            }),
        ));
        self.said.push((
            MOVE,
            each(COUNT, || {
                self.timers.iter().for_each(|&timer| _ = cx.arm(timer, now + dice.span()));
            }),
        ));
        self.said.push((
            CANCEL,
            each(COUNT / 2, || {
                self.timers
                    .iter()
                    .step_by(2)
                    .for_each(|&timer| assert!(cx.disarm(timer).is_cancelled()));
            }),
        ));
        let soon = cx.clock();
        for &timer in &self.timers {
            cx.arm(timer, soon + Duration::from_nanos(dice.span().as_nanos() as u64 % 100_000_000));
        }
        let until = soon + Duration::from_millis(100);
        burn(until.since(cx.clock()));
        self.left = COUNT;
        self.fired = Instant::now();
    }

    fn message(&mut self, _: &mut Context<'_>, (): ()) {}

    fn timer(&mut self, _: &mut Context<'_>, _: TimerId) {
        self.left -= 1;
        if self.left == 0 {
            self.said.push((FIRE, per(self.fired.elapsed(), COUNT as u64)));
            self.done.send(std::mem::take(&mut self.said)).unwrap();
        }
    }
}

impl Many {
    fn few(&mut self, cx: &mut Context<'_>, now: Time, dice: &mut Dice) {
        let few: Vec<_> = (0..FEW).map(|_| cx.timer(Class::Control)).collect();
        few.iter().for_each(|&timer| _ = cx.arm(timer, now + dice.span()));
        let hold = Duration::from_secs(240);
        self.said.push((
            SAME,
            each(FEW * 10, || {
                for round in 0..10 {
                    few.iter().for_each(|&timer| {
                        cx.arm(timer, now + hold + Duration::from_millis(round));
                    });
                }
            }),
        ));
        few.iter().for_each(|&timer| cx.remove_timer(timer));
    }
}

/// Nanoseconds each of `count` takes.
fn each(count: usize, work: impl FnOnce()) -> f64 {
    let start = Instant::now();
    work();
    per(start.elapsed(), count as u64)
}

fn dunlin(out: &mut Out, recorded: bool) {
    let runtime = runtime(1, recorded);
    let (done, dones) = channel();
    let timers = Vec::with_capacity(COUNT);
    let many = Many { timers, left: 0, fired: Instant::now(), done, said: Vec::new() };
    runtime.spawn("many", Class::Routing, many);
    wait(&dones).into_iter().for_each(|(figure, value)| out.say(figure, value));
}

/// Only counts: the least a task can do.
struct Counter(AtomicU64);

impl Wake for Counter {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// Sleeps whose waker counts: nobody is scheduled.
fn by_tokio(out: &mut Out) {
    let counter = Arc::new(Counter(AtomicU64::new(0)));
    let waker = Waker::from(Arc::clone(&counter));
    tokio().block_on(async {
        let (now, dice, cx) =
            (tokio::time::Instant::now(), &mut Dice(1), &mut TaskContext::from_waker(&waker));
        tokio_few(out, dice, cx);
        let mut sleeps: Vec<Pin<Box<Sleep>>> = Vec::with_capacity(COUNT);
        out.say(
            INSERT,
            each(COUNT, || {
                for _ in 0..COUNT {
                    let mut sleep = Box::pin(tokio::time::sleep_until(now + dice.span()));
                    assert!(sleep.as_mut().poll(cx).is_pending());
                    sleeps.push(sleep);
                }
            }),
        );
        out.say(
            MOVE,
            each(COUNT, || {
                for sleep in &mut sleeps {
                    sleep.as_mut().reset(now + dice.span());
                    assert!(sleep.as_mut().poll(cx).is_pending());
                }
            }),
        );
        let mut second = Vec::with_capacity(COUNT / 2);
        let mut kept = Vec::with_capacity(COUNT / 2);
        for (at, sleep) in sleeps.into_iter().enumerate() {
            if at % 2 == 0 { second.push(sleep) } else { kept.push(sleep) }
        }
        out.say(CANCEL, each(COUNT / 2, || drop(second)));
        kept.extend((0..COUNT / 2).map(|_| Box::pin(tokio::time::sleep_until(now))));
        let soon = tokio::time::Instant::now() + SOON;
        for sleep in &mut kept {
            let span = Duration::from_nanos(dice.span().as_nanos() as u64 % 100_000_000);
            sleep.as_mut().reset(soon + span);
            assert!(sleep.as_mut().poll(cx).is_pending());
        }
        burn((soon + Duration::from_millis(101)) - tokio::time::Instant::now());
        let start = Instant::now();
        while counter.0.load(Ordering::Relaxed) < COUNT as u64 {
            tokio::task::yield_now().await;
        }
        out.say(FIRE, per(start.elapsed(), COUNT as u64));
    });
}

fn tokio_few(out: &mut Out, dice: &mut Dice, cx: &mut TaskContext<'_>) {
    let now = tokio::time::Instant::now();
    let mut few: Vec<_> =
        (0..FEW).map(|_| Box::pin(tokio::time::sleep_until(now + dice.span()))).collect();
    few.iter_mut().for_each(|sleep| assert!(sleep.as_mut().poll(cx).is_pending()));
    let hold = Duration::from_secs(240);
    out.say(
        SAME,
        each(FEW * 10, || {
            for round in 0..10 {
                for sleep in &mut few {
                    sleep.as_mut().reset(now + hold + Duration::from_millis(round));
                    assert!(sleep.as_mut().poll(cx).is_pending());
                }
            }
        }),
    );
}

/// A handler runs for each.
fn by_tokio_tasks(out: &mut Out) {
    let count = Arc::new(AtomicU64::new(0));
    tokio().block_on(async move {
        let (dice, soon) = (&mut Dice(1), tokio::time::Instant::now() + SOON * 2);
        for _ in 0..COUNT {
            let span = Duration::from_nanos(dice.span().as_nanos() as u64 % 100_000_000);
            let count = Arc::clone(&count);
            tokio::spawn(async move {
                tokio::time::sleep_until(soon + span).await;
                count.fetch_add(1, Ordering::Relaxed);
            });
        }
        tokio::time::sleep(SOON).await;
        burn((soon + Duration::from_millis(101)) - tokio::time::Instant::now());
        let start = Instant::now();
        while count.load(Ordering::Relaxed) < COUNT as u64 {
            tokio::task::yield_now().await;
        }
        out.say(FIRE, per(start.elapsed(), COUNT as u64));
    });
}

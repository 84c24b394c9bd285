//! A timer of importance behind much work of none.

use std::{
    sync::{
        LazyLock,
        atomic::{AtomicU64, Ordering},
        mpsc::{Sender, channel},
    },
    time::{Duration, Instant},
};

use dunlin_runtime::{Class, Context, EventId, Loop, Time, TimerId};

use crate::{
    group::{Bar, Group, Out, contender, figure},
    load::{percentile, runtime, tokio, wait},
    system::burn,
};

const WORST: &str = "worst";
const MEDIAN: &str = "median";
/// What stands between the moment and the timer's handler: unlike the time, it does not depend on
/// who else has the processor.
const BETWEEN: &str = "events that began in between, worst";

pub const LATE: Group = Group {
    name: "late",
    about: "how late a 10 ms liveness timer is behind 1000 bulk events of 1 ms",
    figures: &[
        figure(WORST, "ms", &[Bar::AtMost(2.0), Bar::Times(1.0, "tokio")]),
        figure(MEDIAN, "ms", &[Bar::AtMost(2.0)]),
        figure(BETWEEN, "events", &[Bar::AtMost(1.0)]),
    ],
    contenders: &[
        contender("dunlin, 1000 loops", |out| dunlin(out, 1000, 1, false)),
        contender("dunlin, 1 loop, 1000 events", |out| dunlin(out, 1, 1000, false)),
        contender("dunlin, the timer's loop", |out| dunlin(out, 0, 1000, true)),
        contender("tokio", by_tokio),
    ],
};

const EVENTS: usize = 1000;
const WORK: Duration = Duration::from_millis(1);
const PERIOD: Duration = Duration::from_millis(10);

/// When the timer is due, in nanoseconds since the start; and events that began after that.
static DUE: AtomicU64 = AtomicU64::new(u64::MAX);
static BETWEEN_NOW: AtomicU64 = AtomicU64::new(0);
static START: LazyLock<Instant> = LazyLock::new(Instant::now);

fn due_after(span: Duration) {
    DUE.store((START.elapsed() + span).as_nanos() as u64, Ordering::Relaxed);
}

fn work() {
    if START.elapsed().as_nanos() as u64 > DUE.load(Ordering::Relaxed) {
        BETWEEN_NOW.fetch_add(1, Ordering::Relaxed);
    }
    burn(WORK);
}

/// What the timer's handler found: how late it was, and how many events had begun before it.
type Found = (Duration, u64);

/// Has the events, or the timer, or both.
struct Busy {
    events: usize,
    told: Option<Sender<Found>>,
    due: Time,
}

impl Loop for Busy {
    type Message = ();

    fn start(&mut self, cx: &mut Context<'_>) {
        if self.told.is_some() {
            let timer = cx.timer(Class::Liveness);
            due_after(PERIOD);
            self.due = cx.clock() + PERIOD;
            cx.arm(timer, self.due);
        }
    }

    fn message(&mut self, cx: &mut Context<'_>, (): ()) {
        for _ in 0..self.events {
            let event = cx.event(Class::Bulk);
            cx.schedule(event);
        }
    }

    fn event(&mut self, _: &mut Context<'_>, _: EventId) {
        work();
    }

    fn timer(&mut self, cx: &mut Context<'_>, timer: TimerId) {
        let late = cx.clock() - self.due;
        if let Some(told) = &self.told {
            let _ = told.send((late, BETWEEN_NOW.swap(0, Ordering::Relaxed)));
        }
        due_after(PERIOD);
        self.due = cx.clock() + PERIOD;
        cx.arm(timer, self.due);
    }
}

fn dunlin(out: &mut Out, loops: usize, events: usize, own: bool) {
    let runtime = runtime(1, true);
    let (told, heard) = channel();
    let busy = |events, told| Busy { events, told, due: Time::ZERO };
    let timed =
        runtime.spawn("timer", Class::Control, busy(if own { events } else { 0 }, Some(told)));
    let others: Vec<_> =
        (0..loops).map(|_| runtime.spawn("bulk", Class::Bulk, busy(events, None))).collect();
    others.iter().chain([&timed]).for_each(|address| address.send(Class::Bulk, ()).unwrap());
    collect(out, || wait(&heard));
}

/// The first second, which is what the work takes.
fn collect(out: &mut Out, mut next: impl FnMut() -> Found) {
    let start = Instant::now();
    let (mut spans, mut between) = (Vec::new(), 0);
    while start.elapsed() < WORK * EVENTS as u32 * 9 / 10 {
        let (late, began) = next();
        spans.push(late);
        between = between.max(began);
    }
    out.say(BETWEEN, between as f64);
    out.say(WORST, spans.iter().max().unwrap().as_secs_f64() * 1000.0);
    out.say(MEDIAN, percentile(&mut spans, 50).as_secs_f64() * 1000.0);
}

fn by_tokio(out: &mut Out) {
    let (told, heard) = channel();
    std::thread::spawn(move || {
        tokio().block_on(async move {
            let timer = async move {
                loop {
                    due_after(PERIOD);
                    let due = tokio::time::Instant::now() + PERIOD;
                    tokio::time::sleep_until(due).await;
                    let _ = told.send((due.elapsed(), BETWEEN_NOW.swap(0, Ordering::Relaxed)));
                }
            };
            let timer = tokio::spawn(timer);
            for _ in 0..EVENTS {
                tokio::spawn(async { work() });
            }
            timer.await.unwrap();
        });
    });
    collect(out, || wait(&heard));
}

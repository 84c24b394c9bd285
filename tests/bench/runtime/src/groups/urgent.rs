//! Something urgent for a loop that stands far back in the queue of what is not.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc::{Sender, channel},
    },
    thread,
    time::{Duration, Instant},
};

use dunlin_runtime::{Class, Context, EventId, Loop};

use crate::{
    group::{Bar, Group, Out, contender, figure},
    load::{runtime, tokio, wait},
    system::burn,
};

const POSITION: &str = "bulk handlers that ran before it";
const TIME: &str = "time";

pub const URGENT: Group = Group {
    name: "urgent",
    about: "a liveness message to the last of 1000 loops that are queued as bulk, 20 us of work each (worst of 20)",
    figures: &[
        figure(POSITION, "handlers", &[Bar::AtMost(1.0)]),
        figure(TIME, "us", &[Bar::Times(1.0, "tokio")]),
    ],
    contenders: &[contender("dunlin", dunlin), contender("tokio", by_tokio)],
};

const LOOPS: usize = 1000;
const WORK: Duration = Duration::from_micros(20);
const TIMES: usize = 20;

/// Bulk handlers that have begun.
static RAN: AtomicU64 = AtomicU64::new(0);

struct Bulk(Sender<(u64, Duration)>);

/// When it was sent, and how many had begun by then.
type Urgent = (Instant, u64);

impl Loop for Bulk {
    type Message = Urgent;

    fn start(&mut self, cx: &mut Context<'_>) {
        let event = cx.event(Class::Bulk);
        cx.schedule(event);
    }

    fn message(&mut self, _: &mut Context<'_>, (sent, ran): Urgent) {
        self.0.send((RAN.load(Ordering::Relaxed) - ran, sent.elapsed())).unwrap();
    }

    fn event(&mut self, cx: &mut Context<'_>, event: EventId) {
        RAN.fetch_add(1, Ordering::Relaxed);
        burn(WORK);
        cx.schedule(event);
    }
}

fn dunlin(out: &mut Out) {
    let runtime = runtime(1, true);
    let (told, heard) = channel();
    let loops: Vec<_> =
        (0..LOOPS).map(|_| runtime.spawn("bulk", Class::Bulk, Bulk(told.clone()))).collect();
    thread::sleep(LOOPS as u32 * WORK * 2);
    let answers = (0..TIMES).map(|at| {
        let target = &loops[at * 7 % LOOPS];
        target.send(Class::Liveness, (Instant::now(), RAN.load(Ordering::Relaxed))).unwrap();
        let answer = wait(&heard);
        thread::sleep(Duration::from_millis(3));
        answer
    });
    say(out, answers);
}

fn by_tokio(out: &mut Out) {
    let (told, heard) = channel();
    let (sender, mut receiver) = tokio::sync::mpsc::unbounded_channel::<Urgent>();
    let told: Arc<Sender<_>> = Arc::new(told);
    thread::spawn(move || {
        tokio().block_on(async move {
            for _ in 0..LOOPS {
                tokio::spawn(std::future::poll_fn(|cx| {
                    RAN.fetch_add(1, Ordering::Relaxed);
                    burn(WORK);
                    cx.waker().wake_by_ref();
                    std::task::Poll::<()>::Pending
                }));
            }
            let task = async move {
                while let Some((sent, ran)) = receiver.recv().await {
                    told.send((RAN.load(Ordering::Relaxed) - ran, sent.elapsed())).unwrap();
                }
            };
            tokio::spawn(task).await.unwrap();
        });
    });
    thread::sleep(LOOPS as u32 * WORK * 2);
    let answers = (0..TIMES).map(|_| {
        sender.send((Instant::now(), RAN.load(Ordering::Relaxed))).unwrap();
        let answer = wait(&heard);
        thread::sleep(Duration::from_millis(3));
        answer
    });
    say(out, answers);
}

fn say(out: &mut Out, answers: impl Iterator<Item = (u64, Duration)>) {
    let (positions, times): (Vec<_>, Vec<_>) = answers.unzip();
    out.say(POSITION, positions.into_iter().max().unwrap() as f64);
    out.say(TIME, times.into_iter().max().unwrap().as_nanos() as f64 / 1000.0);
}

//! What a loop with nothing to do costs.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use dunlin_runtime::{Class, Context, EventId, Loop, TimerId};

use crate::{
    group::{Bar, Group, Out, contender, figure},
    load::{runtime, tokio},
    system::{memory, process_time},
};

const BYTES: &str = "memory of each";
const START: &str = "time to start each";
const BUSY: &str = "processor time of all in a second";

pub const IDLE: Group = Group {
    name: "idle",
    about: "10,000 idle loops with two timers far away and an inbox; tokio: tasks with two sleeps and a channel",
    figures: &[
        figure(BYTES, "bytes", &[Bar::AtMost(4096.0), Bar::Times(1.0, "tokio")]),
        figure(START, "ns", &[]),
        figure(BUSY, "ms", &[Bar::AtMost(5.0)]),
    ],
    contenders: &[contender("dunlin", dunlin), contender("tokio", by_tokio)],
};

const COUNT: usize = 10_000;
const HOLD: Duration = Duration::from_secs(240);
const KEEPALIVE: Duration = Duration::from_secs(80);

struct Idle {
    timers: [TimerId; 2],
    event: EventId,
    started: Arc<AtomicUsize>,
}

impl Loop for Idle {
    type Message = [u8; 64];

    fn start(&mut self, cx: &mut Context<'_>) {
        self.timers = [cx.timer(Class::Liveness), cx.timer(Class::Liveness)];
        cx.arm_after(self.timers[0], HOLD);
        cx.arm_every(self.timers[1], KEEPALIVE);
        self.event = cx.event(Class::Routing);
    }

    fn message(&mut self, _: &mut Context<'_>, _: [u8; 64]) {
        self.started.fetch_add(1, Ordering::Relaxed);
    }
}

fn dunlin(out: &mut Out) {
    let runtime = runtime(1, false);
    let started = Arc::new(AtomicUsize::new(0));
    measure(out, &started, || {
        let loops: Vec<_> = (0..COUNT)
            .map(|_| {
                let started = Arc::clone(&started);
                let idle = Idle { timers: [TimerId::NONE; 2], event: EventId::NONE, started };
                runtime.spawn("idle", Class::Routing, idle)
            })
            .collect();
        loops.iter().for_each(|address| address.send(Class::Routing, [0; 64]).unwrap());
        loops
    });
}

fn by_tokio(out: &mut Out) {
    let runtime = tokio();
    let handle = runtime.handle().clone();
    thread::spawn(move || runtime.block_on(std::future::pending::<()>()));
    let started = Arc::new(AtomicUsize::new(0));
    measure(out, &started, || {
        let senders: Vec<_> = (0..COUNT)
            .map(|_| {
                let (sender, receiver) = tokio::sync::mpsc::unbounded_channel::<[u8; 64]>();
                handle.spawn(idle_task(receiver, Arc::clone(&started)));
                sender
            })
            .collect();
        senders.iter().for_each(|sender| sender.send([0; 64]).unwrap());
        senders
    });
}

async fn idle_task(
    mut receiver: tokio::sync::mpsc::UnboundedReceiver<[u8; 64]>,
    started: Arc<AtomicUsize>,
) {
    let hold = std::pin::pin!(tokio::time::sleep(HOLD));
    let keepalive = std::pin::pin!(tokio::time::sleep(KEEPALIVE));
    let receive = async {
        while receiver.recv().await.is_some() {
            started.fetch_add(1, Ordering::Relaxed);
        }
    };
    let receive = std::pin::pin!(receive);
    let mut all = (hold, keepalive, receive);
    std::future::poll_fn(|cx| {
        let ends = [all.0.as_mut().poll(cx), all.1.as_mut().poll(cx), all.2.as_mut().poll(cx)];
        if ends.iter().any(std::task::Poll::is_ready) {
            return std::task::Poll::Ready(());
        }
        std::task::Poll::Pending
    })
    .await;
}

fn measure<T>(out: &mut Out, started: &AtomicUsize, start: impl FnOnce() -> Vec<T>) {
    thread::sleep(Duration::from_millis(50));
    let (before, begun) = (memory(), Instant::now());
    let all = start();
    while started.load(Ordering::Relaxed) < COUNT {
        thread::yield_now();
    }
    let took = begun.elapsed();
    let used = memory() - before;
    thread::sleep(Duration::from_millis(500));
    let busy = process_time();
    thread::sleep(Duration::from_secs(1));
    let busy = process_time() - busy;
    out.say(BYTES, used as f64 / all.len() as f64);
    out.say(START, took.as_nanos() as f64 / all.len() as f64);
    out.say(BUSY, busy.as_secs_f64() * 1000.0);
}

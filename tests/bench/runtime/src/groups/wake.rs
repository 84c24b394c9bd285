//! Waking who sleeps.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc::{Sender, channel},
    },
    thread,
    time::{Duration, Instant},
};

use dunlin_runtime::{Class, Context, Loop};

use crate::{
    group::{Bar, Group, Out, contender, figure},
    load::{percentile, runtime, tokio, wait},
};

const MEDIAN: &str = "median";
const TAIL: &str = "99 of 100";

pub const WAKE: Group = Group {
    name: "wake",
    about: "from sending to handling, where the receiver has slept for half a millisecond",
    figures: &[
        figure(MEDIAN, "us", &[Bar::Times(2.0, "eventfd + epoll"), Bar::Times(1.0, "tokio")]),
        figure(TAIL, "us", &[]),
    ],
    contenders: &[
        contender("dunlin", |out| dunlin(out, false)),
        contender("dunlin recorded", |out| dunlin(out, true)),
        contender("tokio", by_tokio),
        contender("crossbeam", crossbeam),
        contender("eventfd + epoll", eventfd),
    ],
};

const TIMES: usize = 2000;
const SLEEP: Duration = Duration::from_micros(500);

/// Sends `TIMES` times; what the receiver says of each.
fn measure(
    out: &mut Out,
    mut send: impl FnMut(Instant),
    heard: &std::sync::mpsc::Receiver<Duration>,
) {
    let mut spans: Vec<_> = (0..TIMES)
        .map(|_| {
            thread::sleep(SLEEP);
            send(Instant::now());
            wait(heard)
        })
        .collect();
    out.say(MEDIAN, percentile(&mut spans, 50).as_nanos() as f64 / 1000.0);
    out.say(TAIL, percentile(&mut spans, 99).as_nanos() as f64 / 1000.0);
}

/// Says how long each message was under way.
struct Sleeper(Sender<Duration>);

impl Loop for Sleeper {
    type Message = Instant;

    fn message(&mut self, _: &mut Context<'_>, sent: Instant) {
        self.0.send(sent.elapsed()).unwrap();
    }
}

fn dunlin(out: &mut Out, recorded: bool) {
    let (told, heard) = channel();
    let sleeper = runtime(1, recorded);
    let sleeper = Arc::new(sleeper);
    let address = sleeper.spawn("sleeper", Class::Control, Sleeper(told));
    measure(out, |now| address.send(Class::Control, now).unwrap(), &heard);
}

fn by_tokio(out: &mut Out) {
    let (told, heard) = channel();
    let (sender, mut receiver) = tokio::sync::mpsc::unbounded_channel::<Instant>();
    thread::spawn(move || {
        tokio().block_on(async move {
            let task = async move {
                while let Some(sent) = receiver.recv().await {
                    told.send(sent.elapsed()).unwrap();
                }
            };
            tokio::spawn(task).await.unwrap();
        });
    });
    measure(out, |now| sender.send(now).unwrap(), &heard);
}

fn crossbeam(out: &mut Out) {
    let (told, heard) = channel();
    let (sender, receiver) = crossbeam_channel::unbounded::<Instant>();
    thread::spawn(move || receiver.iter().for_each(|sent| told.send(sent.elapsed()).unwrap()));
    measure(out, |now| sender.send(now).unwrap(), &heard);
}

/// The least that waking a thread in its poller takes.
fn eventfd(out: &mut Out) {
    let (told, heard) = channel();
    let epoch = Instant::now();
    let sent = Arc::new(AtomicU64::new(0));
    // SAFETY: a call without pointers.
    let eventfd = unsafe { libc::eventfd(0, libc::EFD_NONBLOCK | libc::EFD_CLOEXEC) };
    assert!(eventfd >= 0);
    let seen = Arc::clone(&sent);
    thread::spawn(move || {
        // SAFETY: a call without pointers.
        let epoll = unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) };
        let mut event = libc::epoll_event { events: libc::EPOLLIN as u32, u64: 1 };
        // SAFETY: `event` is valid for a read.
        assert_eq!(unsafe { libc::epoll_ctl(epoll, libc::EPOLL_CTL_ADD, eventfd, &mut event) }, 0);
        loop {
            // SAFETY: `event` is valid for one event.
            let count = unsafe { libc::epoll_wait(epoll, &mut event, 1, -1) };
            if count != 1 {
                continue;
            }
            let mut value = 0u64;
            // SAFETY: `value` is valid for a write of eight bytes.
            unsafe { libc::read(eventfd, (&raw mut value).cast(), 8) };
            let sent = epoch + Duration::from_nanos(seen.load(Ordering::Acquire));
            told.send(sent.elapsed()).unwrap();
        }
    });
    let send = |now: Instant| {
        sent.store((now - epoch).as_nanos() as u64, Ordering::Release);
        let one = 1u64;
        // SAFETY: `one` is valid for a read of eight bytes.
        assert_eq!(unsafe { libc::write(eventfd, (&raw const one).cast(), 8) }, 8);
    };
    measure(out, send, &heard);
}

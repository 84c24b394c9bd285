//! Messages to a loop on another worker that is awake.

use std::{
    sync::{
        atomic::{AtomicU64, Ordering},
        mpsc::{Sender, channel},
    },
    thread,
    time::{Duration, Instant},
};

use dunlin_runtime::{Address, Class, Context, EventId, Loop, Runtime};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::{
    group::{Bar, Figure, Group, Out, contender, figure},
    load::{Filler, per, percentile, runtime, tokio, wait},
};

const FIGURE: &str = "each";

pub const ONE_WAY: Group = Group {
    name: "one-way",
    about: "one message to an awake loop of another worker (half of there and back, median of rounds)",
    figures: &[
        figure(FIGURE, "ns", &[Bar::AtMost(500.0), Bar::Times(1.0, "tokio")]),
        figure(SHARE, "%", &[]),
    ],
    contenders: &[
        contender("dunlin", |out| play(out, 1, ROUNDS, false)),
        contender("dunlin recorded", |out| play(out, 1, ROUNDS, true)),
        contender("tokio", |out| tokio_play(out, 1, ROUNDS)),
        contender("crossbeam, spinning", |out| crossbeam_play(out, 1, ROUNDS)),
        contender("one atomic word", atomic_play),
    ],
};

pub const BURST: Group = Group {
    name: "burst",
    about: "64 messages at once to an awake loop of another worker, which answers with 64",
    figures: BURST_FIGURES,
    contenders: &[
        contender("dunlin", |out| play(out, 64, BURSTS, false)),
        contender("dunlin recorded", |out| play(out, 64, BURSTS, true)),
        contender("tokio", |out| tokio_play(out, 64, BURSTS)),
        contender("crossbeam, spinning", |out| crossbeam_play(out, 64, BURSTS)),
    ],
};

const BURST_FIGURES: &[Figure] = &[
    figure(FIGURE, "ns", &[Bar::AtMost(150.0), Bar::Times(1.0, "tokio")]),
    figure(SHARE, "%", &[]),
];

/// Rounds that crossed from one worker to another: the others do not count.
const SHARE: &str = "rounds that crossed";

const ROUNDS: u64 = 100_000;
const BURSTS: u64 = 10_000;

/// Passes bursts to and fro; a burst is answered when it is complete.
struct Player {
    peer: Option<Address<Word>>,
    burst: u64,
    seen: u64,
    rounds: u64,
    last: Instant,
    took: Vec<Duration>,
    done: Sender<Vec<Duration>>,
}

enum Word {
    Peer(Address<Self>),
    /// With the worker it comes from.
    Ball(usize),
}

impl Loop for Player {
    type Message = Word;

    fn message(&mut self, cx: &mut Context<'_>, word: Word) {
        let from = match word {
            Word::Peer(peer) => return self.peer = Some(peer),
            Word::Ball(from) => from,
        };
        self.seen += 1;
        if !self.seen.is_multiple_of(self.burst) {
            return;
        }
        let now = Instant::now();
        if from != cx.worker() {
            self.took.push(now - self.last);
        }
        self.last = now;
        if self.seen == self.burst * self.rounds {
            let _ = self.done.send(std::mem::take(&mut self.took));
            return;
        }
        for _ in 0..self.burst {
            let _ = self.peer.as_ref().unwrap().send(Class::Liveness, Word::Ball(cx.worker()));
        }
    }
}

/// Both workers always have something of less importance to do, so they are awake.
fn play(out: &mut Out, burst: u64, rounds: u64, recorded: bool) {
    let runtime = runtime(2, recorded);
    let (done, dones) = channel();
    let player = || {
        let (last, done) = (Instant::now(), done.clone());
        let player = Player { peer: None, burst, seen: 0, rounds, last, took: vec![], done };
        runtime.spawn("player", Class::Routing, player)
    };
    let (a, b) = (player(), player());
    a.send(Class::Control, Word::Peer(b.clone())).unwrap();
    b.send(Class::Control, Word::Peer(a.clone())).unwrap();
    (0..2).for_each(|_| drop(runtime.spawn("filler", Class::Bulk, Filler)));
    thread::sleep(Duration::from_millis(20));
    for _ in 0..burst {
        a.send(Class::Liveness, Word::Ball(usize::MAX)).unwrap();
    }
    let mut took = wait(&dones);
    out.say(SHARE, took.len() as f64 * 100.0 / rounds as f64);
    if !took.is_empty() {
        out.say(FIGURE, per(percentile(&mut took, 50), 2 * burst));
    }
}

/// Two threads, each with a runtime of its own that a task keeps awake: on one runtime tokio would
/// put both players onto one thread.
fn tokio_play(out: &mut Out, burst: u64, rounds: u64) {
    let (to_a, at_a) = unbounded_channel();
    let (to_b, at_b) = unbounded_channel();
    thread::spawn(move || tokio_player(burst, u64::MAX, at_b, to_a));
    (0..burst).for_each(|_| to_b.send(()).unwrap());
    let mut took = tokio_player(burst, rounds, at_a, to_b);
    out.say(FIGURE, per(percentile(&mut took, 50), 2 * burst));
}

fn tokio_player(
    burst: u64,
    rounds: u64,
    mut balls: UnboundedReceiver<()>,
    peer: UnboundedSender<()>,
) -> Vec<Duration> {
    tokio().block_on(async move {
        tokio::spawn(std::future::poll_fn(|cx| {
            cx.waker().wake_by_ref();
            std::task::Poll::<()>::Pending
        }));
        let task = async move {
            let (mut took, mut last) = (Vec::new(), Instant::now());
            for _ in 0..rounds {
                for _ in 0..burst {
                    if balls.recv().await.is_none() {
                        return took;
                    }
                }
                let now = Instant::now();
                took.push(now - last);
                last = now;
                (0..burst).for_each(|_| _ = peer.send(()));
            }
            took
        };
        tokio::spawn(task).await.unwrap()
    })
}

/// Queues alone, and threads that do nothing else than look at them.
fn crossbeam_play(out: &mut Out, burst: u64, rounds: u64) {
    let (to_a, at_a) = crossbeam_channel::unbounded();
    let (to_b, at_b) = crossbeam_channel::unbounded();
    let next = |from: &crossbeam_channel::Receiver<u8>| {
        while from.try_recv().is_err() {
            std::hint::spin_loop();
        }
    };
    thread::spawn(move || {
        loop {
            (0..burst).for_each(|_| next(&at_b));
            (0..burst).for_each(|_| _ = to_a.send(1));
        }
    });
    let mut took: Vec<_> = (0..rounds)
        .map(|_| {
            let start = Instant::now();
            (0..burst).for_each(|_| to_b.send(1).unwrap());
            (0..burst).for_each(|_| next(&at_a));
            start.elapsed()
        })
        .collect();
    out.say(FIGURE, per(percentile(&mut took, 50), 2 * burst));
}

/// The machine's own limit: a word that two processors pass to and fro.
fn atomic_play(out: &mut Out) {
    static WORD: AtomicU64 = AtomicU64::new(0);
    thread::spawn(|| {
        for at in (1..).step_by(2) {
            while WORD.load(Ordering::Acquire) != at {
                std::hint::spin_loop();
            }
            WORD.store(at + 1, Ordering::Release);
        }
    });
    let mut took: Vec<_> = (0..ROUNDS)
        .map(|round| {
            let start = Instant::now();
            WORD.store(2 * round + 1, Ordering::Release);
            while WORD.load(Ordering::Acquire) != 2 * round + 2 {
                std::hint::spin_loop();
            }
            start.elapsed()
        })
        .collect();
    out.say(FIGURE, per(percentile(&mut took, 50), 2));
}

pub const FLOOD: Group = Group {
    name: "flood",
    about: "1,000,000 messages to one loop of another worker, in pieces of 64",
    figures: &[figure(FIGURE, "ns", &[Bar::Times(1.0, "tokio")])],
    contenders: &[
        contender("dunlin", |out| flood(out, false)),
        contender("dunlin recorded", |out| flood(out, true)),
        contender("tokio", tokio_flood),
        contender("crossbeam, spinning", crossbeam_flood),
    ],
};

const COUNT: u64 = 64 * 15_625;

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

fn flood(out: &mut Out, recorded: bool) {
    let runtime: Runtime = runtime(2, recorded);
    let (done, dones) = channel();
    let sink = runtime.spawn("sink", Class::Routing, Sink { left: COUNT, start: None, done });
    runtime.spawn("source", Class::Routing, Source { left: COUNT, sink });
    out.say(FIGURE, per(wait(&dones), COUNT));
}

fn tokio_flood(out: &mut Out) {
    let (to, mut at) = unbounded_channel();
    thread::spawn(move || {
        tokio().block_on(async move {
            let source = async move {
                for left in 0..COUNT {
                    to.send(left).unwrap();
                    if left % 64 == 63 {
                        tokio::task::yield_now().await;
                    }
                }
            };
            tokio::spawn(source).await.unwrap();
        });
    });
    let span = tokio().block_on(async move {
        let sink = async move {
            at.recv().await.unwrap();
            let start = Instant::now();
            while at.recv().await.is_some() {}
            start.elapsed()
        };
        tokio::spawn(sink).await.unwrap()
    });
    out.say(FIGURE, per(span, COUNT));
}

fn crossbeam_flood(out: &mut Out) {
    let (to, at) = crossbeam_channel::unbounded();
    thread::spawn(move || (0..COUNT).for_each(|left| to.send(left).unwrap()));
    at.recv().unwrap();
    let start = Instant::now();
    loop {
        match at.try_recv() {
            Ok(_) => {}
            Err(crossbeam_channel::TryRecvError::Empty) => std::hint::spin_loop(),
            Err(crossbeam_channel::TryRecvError::Disconnected) => break,
        }
    }
    out.say(FIGURE, per(start.elapsed(), COUNT));
}

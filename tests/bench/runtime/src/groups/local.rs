//! What a loop does for itself, and for another on its worker.

use std::{
    future::poll_fn,
    sync::mpsc::{Sender, channel},
    task::Poll,
};

use dunlin_runtime::{Address, Class, Context, EventId, Loop};

use crate::{
    group::{BARE, Bar, Figure, Group, Out, TIMED, UNMEASURED, contender, figure},
    load::{Laps, runtime, tokio, wait},
};

// Short laps: what interrupts one of them does not show in the median.
const EACH: u64 = 2_000;
const LAPS: usize = 1001;

const FIGURE: &str = "each";

pub const EVENT: Group = Group {
    name: "event",
    about: "a loop schedules its own event, which runs; tokio: a task wakes itself and is polled",
    figures: &[figure(FIGURE, "ns", BARS)],
    contenders: &[
        contender("dunlin", |out| event(out, false)),
        contender("dunlin recorded", |out| event(out, true)),
        contender(UNMEASURED, |out| event(out, false)),
        contender(BARE, |out| event(out, false)),
        contender("tokio", tokio_self_wake),
        contender(TIMED, tokio_self_wake),
    ],
};

const BARS: &[Bar] = &[
    Bar::Only("dunlin", 50.0),
    Bar::Only("dunlin recorded", 80.0),
    Bar::Times(1.0, "tokio"),
    Bar::Times(1.0, TIMED),
    STATISTICS,
    BOTH,
];

/// What the statistics cost, and with the recorder.
const STATISTICS: Bar = Bar::More("dunlin", 30.0, UNMEASURED);
const BOTH: Bar = Bar::More("dunlin recorded", 30.0, BARE);

/// An event that schedules itself.
struct Again {
    laps: Laps,
    done: Sender<f64>,
}

impl Loop for Again {
    type Message = ();

    fn start(&mut self, cx: &mut Context<'_>) {
        let event = cx.event(Class::Routing);
        cx.schedule(event);
    }

    fn message(&mut self, _: &mut Context<'_>, (): ()) {}

    fn event(&mut self, cx: &mut Context<'_>, event: EventId) {
        if self.laps.step() < LAPS {
            cx.schedule(event);
        } else {
            self.done.send(self.laps.median()).unwrap();
        }
    }
}

fn event(out: &mut Out, recorded: bool) {
    let runtime = runtime(1, recorded);
    let (done, dones) = channel();
    runtime.spawn("again", Class::Routing, Again { laps: Laps::new(EACH), done });
    out.say(FIGURE, wait(&dones));
}

fn tokio_self_wake(out: &mut Out) {
    let mut laps = Laps::new(EACH);
    let median = tokio().block_on(async move {
        let task = poll_fn(move |cx| {
            if laps.step() < LAPS {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            Poll::Ready(laps.median())
        });
        tokio::spawn(task).await.unwrap()
    });
    out.say(FIGURE, median);
}

pub const MESSAGE: Group = Group {
    name: "message",
    about: "a loop sends itself a message, which is handled; tokio: a task that sends into its own channel and receives",
    figures: FIGURES,
    contenders: &[
        contender("dunlin", |out| message(out, false)),
        contender("dunlin recorded", |out| message(out, true)),
        contender(UNMEASURED, |out| message(out, false)),
        contender(BARE, |out| message(out, false)),
        contender("tokio", tokio_own_channel),
        contender(TIMED, tokio_own_channel),
        contender("crossbeam", crossbeam),
    ],
};

const FIGURES: &[Figure] =
    &[figure(FIGURE, "ns", &[Bar::Times(1.0, "tokio"), Bar::Times(1.0, TIMED), STATISTICS, BOTH])];

/// Sends to itself.
struct Own {
    laps: Laps,
    done: Sender<f64>,
    own: Address<u64>,
}

impl Loop for Own {
    type Message = u64;

    fn message(&mut self, _: &mut Context<'_>, word: u64) {
        if self.laps.step() < LAPS {
            self.own.send(Class::Routing, word).unwrap();
        } else {
            self.done.send(self.laps.median()).unwrap();
        }
    }
}

fn message(out: &mut Out, recorded: bool) {
    let runtime = runtime(1, recorded);
    let (done, dones) = channel();
    let make = |own| Own { laps: Laps::new(EACH), done, own };
    let address = runtime.spawn_with("own", Class::Routing, make);
    address.send(Class::Routing, 1).unwrap();
    out.say(FIGURE, wait(&dones));
}

fn tokio_own_channel(out: &mut Out) {
    let mut laps = Laps::new(EACH);
    let (sender, mut receiver) = tokio::sync::mpsc::unbounded_channel();
    let task = async move {
        sender.send(1u64).unwrap();
        while let Some(word) = receiver.recv().await {
            if laps.step() == LAPS {
                break;
            }
            sender.send(word).unwrap();
        }
        laps.median()
    };
    out.say(FIGURE, tokio().block_on(async { tokio::spawn(task).await.unwrap() }));
}

/// A queue alone: nobody is scheduled.
fn crossbeam(out: &mut Out) {
    let mut laps = Laps::new(EACH);
    let (sender, receiver) = crossbeam_channel::unbounded();
    while laps.step() < LAPS {
        sender.send(1u64).unwrap();
        assert_eq!(receiver.try_recv(), Ok(1));
    }
    out.say(FIGURE, laps.median());
}

pub const NEIGHBOUR: Group = Group {
    name: "neighbour",
    about: "a message to another loop of the same worker, to and fro; tokio: two tasks of one thread",
    figures: FIGURES,
    contenders: &[
        contender("dunlin", |out| neighbour(out, false)),
        contender("dunlin recorded", |out| neighbour(out, true)),
        contender(UNMEASURED, |out| neighbour(out, false)),
        contender(BARE, |out| neighbour(out, false)),
        contender("tokio", tokio_neighbour),
        contender(TIMED, tokio_neighbour),
    ],
};

/// Answers each message.
struct Player {
    peer: Option<Address<Ball>>,
    laps: Laps,
    done: Sender<f64>,
}

enum Ball {
    Peer(Address<Self>),
    Ball,
}

impl Loop for Player {
    type Message = Ball;

    fn message(&mut self, _: &mut Context<'_>, ball: Ball) {
        match ball {
            Ball::Peer(peer) => self.peer = Some(peer),
            Ball::Ball => {
                if self.laps.step() == LAPS {
                    let _ = self.done.send(self.laps.median());
                    return;
                }
                self.peer.as_ref().unwrap().send(Class::Routing, Ball::Ball).unwrap();
            }
        }
    }
}

fn neighbour(out: &mut Out, recorded: bool) {
    let runtime = runtime(1, recorded);
    let (done, dones) = channel();
    let player = || {
        let player = Player { peer: None, laps: Laps::new(EACH), done: done.clone() };
        runtime.spawn("player", Class::Routing, player)
    };
    let (a, b) = (player(), player());
    a.send(Class::Routing, Ball::Peer(b.clone())).unwrap();
    b.send(Class::Routing, Ball::Peer(a.clone())).unwrap();
    a.send(Class::Routing, Ball::Ball).unwrap();
    // A lap's step is a message there and one back.
    out.say(FIGURE, wait(&dones) / 2.0);
}

fn tokio_neighbour(out: &mut Out) {
    let (to_a, mut at_a) = tokio::sync::mpsc::unbounded_channel();
    let (to_b, mut at_b) = tokio::sync::mpsc::unbounded_channel();
    let median = tokio().block_on(async move {
        tokio::spawn(async move {
            while let Some(ball) = at_b.recv().await {
                if to_a.send(ball).is_err() {
                    break;
                }
            }
        });
        let task = async move {
            let mut laps = Laps::new(EACH);
            to_b.send(1u64).unwrap();
            while let Some(ball) = at_a.recv().await {
                if laps.step() == LAPS {
                    break;
                }
                to_b.send(ball).unwrap();
            }
            laps.median()
        };
        tokio::spawn(task).await.unwrap()
    });
    out.say(FIGURE, median / 2.0);
}

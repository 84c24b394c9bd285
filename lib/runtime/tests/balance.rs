//! Loops spread by what they use. One test to a process: it needs the processors.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and waits"
)]

mod common;

use std::sync::mpsc::Sender;

use common::{burn, eventually, next, runtime, told};
use dunlin_runtime::{Address, Class, Context, Duration, EventId, Loop, Time};

/// Keeps its worker busy from the first message on.
struct Busy {
    event: EventId,
    worker: Sender<usize>,
}

impl Loop for Busy {
    type Message = ();

    fn start(&mut self, cx: &mut Context<'_>) {
        self.event = cx.event(Class::Bulk);
        self.worker.send(cx.worker()).unwrap();
    }

    fn message(&mut self, cx: &mut Context<'_>, (): ()) {
        cx.schedule(self.event);
    }

    fn event(&mut self, cx: &mut Context<'_>, event: EventId) {
        burn(Duration::from_micros(200));
        cx.schedule(event);
    }
}

#[test]
fn an_overloaded_worker_hands_loops_over_and_then_leaves_them_alone() {
    let runtime = runtime(2);
    eventually("two workers", || runtime.stats().workers.len() == 2);
    let mut heavy = Vec::new();
    for _ in 0..8 {
        let (worker, started) = told();
        let busy = runtime.spawn("busy", Class::Bulk, Busy { event: EventId::NONE, worker });
        if next(&started) == 0 {
            heavy.push(busy);
        }
    }
    assert_eq!(heavy.len(), 4, "new loops are spread");
    for busy in &heavy {
        busy.send(Class::Control, ()).unwrap();
    }
    let moves = || runtime.stats().workers.iter().map(|worker| worker.moved_out).sum::<u64>();
    let on_second = || {
        let loops = runtime.stats().loops;
        let heavy = |id| heavy.iter().any(|busy| busy.loop_id() == id);
        loops.iter().filter(|one| one.worker == 1 && heavy(one.id)).count()
    };
    // Each worker gets two: both have no time left, but no more loops wait here than there.
    eventually("heavy loops are handed over", || on_second() == 2);
    let before = moves();
    std::thread::sleep(Duration::from_secs(3));
    println!("{before} moves at first, {} in all", moves());
    assert!(moves() - before <= 1, "settled");
}

/// Answers until the number is used up; on request, keeps busy for a while.
struct Chatty {
    other: Option<Address<Chat>>,
    busy_until: Time,
    event: EventId,
}

#[derive(Debug)]
enum Chat {
    Other(Address<Self>),
    Count(u32),
    Work(Duration),
}

impl Loop for Chatty {
    type Message = Chat;

    fn start(&mut self, cx: &mut Context<'_>) {
        self.event = cx.event(Class::Routing);
    }

    fn message(&mut self, cx: &mut Context<'_>, message: Chat) {
        match message {
            Chat::Other(other) => self.other = Some(other),
            Chat::Count(0) => {}
            Chat::Count(left) => {
                let other = self.other.as_ref().unwrap();
                other.send(Class::Routing, Chat::Count(left - 1)).unwrap();
            }
            Chat::Work(span) => {
                self.busy_until = cx.now() + span;
                cx.schedule(self.event);
            }
        }
    }

    fn event(&mut self, cx: &mut Context<'_>, event: EventId) {
        burn(Duration::from_micros(100));
        if cx.now() < self.busy_until {
            cx.schedule(event);
        }
    }
}

#[test]
fn loops_with_little_to_do_come_together_and_part_when_there_is_much() {
    let runtime = runtime(2);
    eventually("two workers", || runtime.stats().workers.len() == 2);
    let make = || Chatty { other: None, busy_until: Time::ZERO, event: EventId::NONE };
    let chats: Vec<_> = (0..6).map(|_| runtime.spawn("chat", Class::Routing, make())).collect();
    for (one, other) in chats.iter().zip(chats.iter().cycle().skip(1)) {
        one.send(Class::Routing, Chat::Other(other.clone())).unwrap();
    }
    let on = |worker| runtime.stats().loops.iter().filter(|one| one.worker == worker).count();
    assert_eq!(on(1), 3, "new loops are spread");
    eventually("little to do: together", || {
        chats[0].send(Class::Routing, Chat::Count(20)).unwrap();
        on(0) == 6
    });
    let used = || runtime.stats().workers[1].busy;
    let before = used();
    for chat in &chats {
        chat.send(Class::Routing, Chat::Work(Duration::from_millis(300))).unwrap();
    }
    // Six that would keep a worker busy for 300 ms each: the second takes its part while they do.
    eventually("much to do: apart", || used() - before > Duration::from_millis(100));
    eventually("and together again", || {
        chats[0].send(Class::Routing, Chat::Count(20)).unwrap();
        on(0) == 6
    });
}

//! What a handler costs, counted: memory asked for, and looks at the poller, which are the worker's system calls.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and looks from outside"
)]

mod common;

use std::{sync::mpsc::Sender, time::Instant};

use common::{next, told};
use dunlin_os::heap::Counting;
use dunlin_runtime::{
    Address, Class, Context, Duration, EventHandle, EventId, Loop, Progress, Runtime,
    RuntimeOptions, TimerId, Watch, WorkId,
};

#[global_allocator]
static HEAP: Counting = Counting::new();

/// What is done again and again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Event,
    Deferred,
    Timer,
    Work,
    /// Two loops that schedule events of each other.
    Handle,
    /// Two loops that send each other messages.
    Message,
}

/// Counts at the beginning and at the end.
struct Told {
    taken: usize,
    looks: u64,
    spent: Duration,
}

struct Runner {
    way: Way,
    left: u64,
    event: EventId,
    timer: TimerId,
    work: WorkId,
    other: Option<Other>,
    ended: Sender<()>,
}

enum Say {
    Other(Other),
    Run(u64),
    Again,
}

enum Other {
    Handle(EventHandle),
    Address(Address<Say>),
}

impl Runner {
    fn next(&mut self, cx: &mut Context<'_>) {
        if self.left == 0 {
            return self.ended.send(()).unwrap();
        }
        self.left -= 1;
        match (self.way, &self.other) {
            (Way::Event, _) => _ = cx.schedule(self.event),
            (Way::Deferred, _) => _ = cx.defer(self.event),
            (Way::Timer, _) => _ = cx.arm(self.timer, cx.now()),
            (Way::Work, _) => _ = cx.queue(self.work),
            (_, Some(Other::Handle(handle))) => _ = handle.schedule(),
            (_, Some(Other::Address(address))) => address.send(Class::Routing, Say::Again).unwrap(),
            (_, None) => panic!("no other"),
        }
    }
}

impl Loop for Runner {
    type Message = Say;

    fn start(&mut self, cx: &mut Context<'_>) {
        self.event = cx.event(Class::Routing);
        self.timer = cx.timer(Class::Routing);
        self.work = cx.work(Class::Routing);
        if matches!(self.way, Way::Handle | Way::Message) {
            let (handle, own) = (cx.event_handle(self.event), cx.own().unwrap());
            let partner = Partner { way: self.way, first: handle, own, event: EventId::NONE };
            cx.spawn("partner", Class::Routing, partner);
        }
    }

    fn message(&mut self, cx: &mut Context<'_>, say: Say) {
        match say {
            Say::Other(other) => {
                self.other = Some(other);
                self.ended.send(()).unwrap();
            }
            Say::Run(count) => {
                self.left = count;
                self.next(cx);
            }
            Say::Again => self.next(cx),
        }
    }

    fn event(&mut self, cx: &mut Context<'_>, _: EventId) {
        self.next(cx);
    }

    fn timer(&mut self, cx: &mut Context<'_>, _: TimerId) {
        self.next(cx);
    }

    fn work(&mut self, cx: &mut Context<'_>, _: WorkId) -> Progress {
        self.next(cx);
        Progress::Done
    }
}

/// Answers as it is asked.
struct Partner {
    way: Way,
    first: EventHandle,
    own: Address<Say>,
    event: EventId,
}

impl Loop for Partner {
    type Message = Say;

    fn start(&mut self, cx: &mut Context<'_>) {
        self.event = cx.event(Class::Routing);
        let other = match self.way {
            Way::Message => Other::Address(cx.own().unwrap()),
            _ => Other::Handle(cx.event_handle(self.event)),
        };
        self.own.send(Class::Control, Say::Other(other)).unwrap();
    }

    fn message(&mut self, _: &mut Context<'_>, _: Say) {
        self.own.send(Class::Routing, Say::Again).unwrap();
    }

    fn event(&mut self, _: &mut Context<'_>, _: EventId) {
        self.first.schedule();
    }
}

/// What so many took, once all that is made once has been made.
fn run(way: Way, count: u64) -> Told {
    let options = RuntimeOptions { watch: Watch::OFF, ..RuntimeOptions::default() };
    let runtime = Runtime::new(options).unwrap();
    let (ended, end) = told();
    let (event, timer, work, other) = (EventId::NONE, TimerId::NONE, WorkId::NONE, None);
    let runner = Runner { way, left: 0, event, timer, work, other, ended };
    let runner = runtime.spawn("runner", Class::Routing, runner);
    if matches!(way, Way::Handle | Way::Message) {
        next(&end);
    }
    let looks = || {
        let worker = runtime.stats().workers[0];
        worker.polls + worker.sleeps
    };
    let mut told = Told { taken: 0, looks: 0, spent: Duration::ZERO };
    // The first have all that is made once made.
    for count in [5000, count] {
        let (before, began) = (looks(), Instant::now());
        let taken = HEAP.taken();
        runner.send(Class::Control, Say::Run(count)).unwrap();
        next(&end);
        told =
            Told { taken: HEAP.taken() - taken, looks: looks() - before, spent: began.elapsed() };
    }
    told
}

const COUNT: u64 = 100_000;

/// For the message that has it run and the channel that ends it, and for what the runtime's other thread does.
const AROUND: usize = 100;

#[test]
fn a_handler_takes_no_memory_and_makes_no_system_call() {
    for way in [Way::Event, Way::Deferred, Way::Timer, Way::Work, Way::Handle, Way::Message] {
        let told = run(way, COUNT);
        // A message has its own piece of memory, one each way.
        let expected = if way == Way::Message { 2 * COUNT as usize } else { 0 };
        assert!(told.taken >= expected, "{way:?}: {} pieces", told.taken);
        assert!(told.taken <= expected + AROUND, "{way:?}: {} pieces of memory", told.taken);
        // A busy worker looks at its sockets every millisecond, whatever it does meanwhile.
        let most = told.spent.as_millis() as u64 + 20;
        assert!(told.looks <= most, "{way:?}: {} looks in {:?}", told.looks, told.spent);
        assert!(told.looks < COUNT / 10, "{way:?}: {} looks", told.looks);
    }
}

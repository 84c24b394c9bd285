//! Broadcasts with a barrier, on real workers and in the simulation.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod common;

use std::sync::mpsc::{Receiver, Sender};

use common::{eventually, next, runtime, told};
use dunlin_runtime::{
    Address, Class, Context, Duration, EventId, Loop, TimerId,
    kit::fan_out::{Answer, FanOut, Fate, Notice, Overdue, Report, SubscriberId},
    sim::SimRuntime,
};

/// What is told, of which a lifecycle has a few kinds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lifecycle {
    Reconfigure(u32),
    Shutdown,
}

enum Ask {
    Subscribe(&'static str, u8, Address<Told>),
    Unsubscribe(&'static str),
    Broadcast(Lifecycle),
    Supersede(Lifecycle),
}

/// Owns the fan-out.
struct Hub {
    overdue: Overdue,
    fan_out: Option<FanOut<Lifecycle>>,
    ids: Vec<(&'static str, SubscriberId)>,
    told: Sender<Heard>,
}

#[derive(Debug)]
enum Heard {
    /// A receiver was told of a generation.
    Told(&'static str, u64, Lifecycle),
    Report(Report),
}

impl Hub {
    fn poll(&mut self, cx: &mut Context<'_>) {
        for report in self.fan_out.as_mut().unwrap().poll(cx) {
            self.told.send(Heard::Report(report)).unwrap();
        }
    }
}

impl Loop for Hub {
    type Message = Ask;

    fn start(&mut self, cx: &mut Context<'_>) {
        let limit = Duration::from_millis(100);
        self.fan_out = Some(FanOut::new(cx, Class::Control, limit, self.overdue));
    }

    fn message(&mut self, cx: &mut Context<'_>, ask: Ask) {
        let fan_out = self.fan_out.as_mut().unwrap();
        match ask {
            Ask::Subscribe(name, priority, address) => {
                let id = fan_out.subscribe(name, priority, move |notice| {
                    // To a loop that has gone: the answer is dropped, which is one.
                    let _ = address.send(Class::Control, Told::Notice(notice));
                });
                self.ids.push((name, id));
            }
            Ask::Unsubscribe(name) => {
                let id = self.ids.iter().find(|(other, _)| *other == name).unwrap().1;
                assert!(fan_out.unsubscribe(cx, id));
                assert!(!fan_out.unsubscribe(cx, id));
            }
            Ask::Broadcast(what) => _ = fan_out.broadcast(cx, what),
            Ask::Supersede(what) => _ = fan_out.supersede(cx, what),
        }
    }

    fn event(&mut self, cx: &mut Context<'_>, event: EventId) {
        assert!(self.fan_out.as_ref().unwrap().has_event(event));
        self.poll(cx);
    }

    fn timer(&mut self, cx: &mut Context<'_>, timer: TimerId) {
        assert!(self.fan_out.as_ref().unwrap().has_timer(timer));
        self.poll(cx);
    }
}

enum Told {
    Notice(Notice<Lifecycle>),
    /// Answer what is owed.
    Answer,
    /// Answer the first thing that is owed.
    AnswerFirst,
}

/// Answers after a while, or when told if that is none.
struct Subscriber {
    name: &'static str,
    after: Option<Duration>,
    owed: Vec<Answer>,
    timer: TimerId,
    told: Sender<Heard>,
}

impl Loop for Subscriber {
    type Message = Told;

    fn start(&mut self, cx: &mut Context<'_>) {
        self.timer = cx.timer(Class::Control);
    }

    fn message(&mut self, cx: &mut Context<'_>, told: Told) {
        match told {
            Told::Notice(notice) => {
                self.told.send(Heard::Told(self.name, notice.generation, notice.what)).unwrap();
                self.owed.push(notice.answer);
                if let Some(after) = self.after {
                    cx.arm_after(self.timer, after);
                }
            }
            Told::Answer => self.owed.drain(..).for_each(Answer::done),
            Told::AnswerFirst => self.owed.remove(0).done(),
        }
    }

    fn timer(&mut self, _: &mut Context<'_>, _: TimerId) {
        self.owed.drain(..).for_each(Answer::done);
    }
}

struct World {
    sim: SimRuntime,
    hub: Address<Ask>,
    told: Sender<Heard>,
    heard: Receiver<Heard>,
    /// What was told last.
    last: core::cell::Cell<Option<Lifecycle>>,
}

impl World {
    fn new(overdue: Overdue) -> Self {
        let sim = SimRuntime::new(51);
        let (told, heard) = told();
        let hub = Hub { overdue, fan_out: None, ids: Vec::new(), told: told.clone() };
        let hub = sim.spawn("hub", Class::Control, hub);
        Self { sim, hub, told, heard, last: core::cell::Cell::new(None) }
    }

    fn receiver(&mut self, name: &'static str, priority: u8, after: Option<u64>) -> Address<Told> {
        let after = after.map(Duration::from_millis);
        let (owed, told) = (Vec::new(), self.told.clone());
        let receiver = Subscriber { name, after, owed, timer: TimerId::NONE, told };
        let receiver = self.sim.spawn(name, Class::Control, receiver);
        self.ask(Ask::Subscribe(name, priority, receiver.clone()));
        receiver
    }

    fn ask(&mut self, ask: Ask) {
        self.hub.send(Class::Control, ask).unwrap();
        self.run(1);
    }

    fn run(&mut self, millis: u64) {
        self.sim.run_for(Duration::from_millis(millis));
    }

    /// Who was told what, and the reports.
    fn seen(&self) -> (Vec<(&'static str, u64)>, Vec<Report>) {
        let (mut told, mut reports) = (Vec::new(), Vec::new());
        for heard in self.heard.try_iter() {
            match heard {
                Heard::Told(name, generation, what) => {
                    told.push((name, generation));
                    self.last.set(Some(what));
                }
                Heard::Report(report) => reports.push(report),
            }
        }
        (told, reports)
    }
}

/// Names, fates and times in milliseconds of a report that all is over.
fn finished(report: &Report) -> (u64, Vec<(&str, Fate, u128)>) {
    let Report::Finished { generation, receivers, .. } = report else { panic!("{report:?}") };
    let each = receivers.iter().map(|one| (&*one.name, one.fate, one.took.as_millis()));
    (*generation, each.collect())
}

const RECONFIGURE: Ask = Ask::Broadcast(Lifecycle::Reconfigure(1));

#[test]
fn the_next_priority_is_told_when_all_of_the_former_have_answered() {
    let mut world = World::new(Overdue::Wait);
    world.receiver("last", 200, Some(5));
    world.receiver("first", 0, Some(30));
    world.receiver("also first", 0, Some(10));
    world.receiver("middle", 7, Some(0));
    world.ask(RECONFIGURE);
    world.run(8);
    let mut told = world.seen().0;
    told.sort_unstable();
    assert_eq!(told, [("also first", 1), ("first", 1)]);
    world.run(15);
    assert_eq!(world.seen(), (Vec::new(), Vec::new()), "one has answered, the other has not");
    world.run(100);
    let (told, reports) = world.seen();
    assert_eq!(told, [("middle", 1), ("last", 1)]);
    let expected = [("also first", 10), ("first", 30), ("middle", 0), ("last", 5)];
    let (generation, receivers) = finished(&reports[0]);
    let receivers: Vec<_> = receivers.iter().map(|(name, _, took)| (*name, *took)).collect();
    assert_eq!((generation, &receivers[..], reports.len()), (1, &expected[..], 1));
    let Report::Finished { took, is_superseded: false, .. } = reports[0] else { panic!() };
    assert!(took.as_millis() >= 35 && took.as_millis() < 40, "{took:?}");
}

#[test]
fn who_does_not_answer_is_named_and_waited_for() {
    let mut world = World::new(Overdue::Wait);
    let slow = world.receiver("slow", 1, None);
    world.receiver("quick", 1, Some(1));
    world.receiver("later", 2, Some(1));
    world.ask(RECONFIGURE);
    world.run(350);
    let (told, reports) = world.seen();
    assert_eq!(told.len(), 2);
    assert_eq!(reports.len(), 3, "again and again: {reports:?}");
    for (report, tenths) in reports.iter().zip(1..) {
        let Report::Overdue { generation: 1, names, waited } = report else { panic!() };
        assert_eq!((names.len(), &*names[0]), (1, "slow"));
        assert_eq!(waited.as_millis(), 100 * tenths);
    }
    slow.send(Class::Control, Told::Answer).unwrap();
    world.run(10);
    let (told, reports) = world.seen();
    assert_eq!(told, [("later", 1)]);
    assert_eq!(finished(&reports[0]).1.len(), 3);
}

#[test]
fn or_left_behind_and_its_late_answer_counts_no_more() {
    let mut world = World::new(Overdue::GoOn);
    let slow = world.receiver("slow", 1, None);
    world.receiver("later", 2, None);
    world.ask(RECONFIGURE);
    world.run(110);
    let (told, reports) = world.seen();
    assert_eq!(told, [("slow", 1), ("later", 1)]);
    assert!(matches!(&reports[..], [Report::Overdue { .. }]));
    world.ask(Ask::Broadcast(Lifecycle::Shutdown));
    world.run(100);
    let (told, reports) = world.seen();
    assert_eq!(told, [("slow", 2)]);
    let fates = [("slow", Fate::Overdue), ("later", Fate::Overdue)];
    let (_, receivers) = finished(&reports[1]);
    assert!(receivers.iter().map(|one| (one.0, one.1)).eq(fates));
    // It answers the first generation in the time of the second.
    slow.send(Class::Control, Told::AnswerFirst).unwrap();
    world.run(10);
    assert_eq!(world.seen().0, []);
    slow.send(Class::Control, Told::Answer).unwrap();
    world.run(10);
    assert_eq!(world.seen().0, [("later", 2)]);
}

#[test]
fn who_dies_or_goes_holds_up_nobody() {
    let mut world = World::new(Overdue::Wait);
    let dead = world.receiver("dead", 1, None);
    let dying = world.receiver("dying", 2, None);
    world.receiver("going", 3, None);
    world.receiver("staying", 4, Some(1));
    dead.stop();
    world.run(1);
    world.ask(RECONFIGURE);
    assert_eq!(world.seen().0, [("dying", 1)]);
    dying.stop();
    world.run(2);
    assert_eq!(world.seen().0, [("going", 1)]);
    world.ask(Ask::Unsubscribe("going"));
    world.run(5);
    let (told, reports) = world.seen();
    assert_eq!(told, [("staying", 1)]);
    let fates = [
        ("dead", Fate::Gone),
        ("dying", Fate::Gone),
        ("going", Fate::Gone),
        ("staying", Fate::Done),
    ];
    assert!(finished(&reports[0]).1.iter().map(|one| (one.0, one.1)).eq(fates));
}

#[test]
fn who_comes_in_between_is_told_if_its_turn_is_to_come() {
    let mut world = World::new(Overdue::Wait);
    let first = world.receiver("first", 5, None);
    world.ask(RECONFIGURE);
    world.receiver("too late", 4, Some(0));
    world.receiver("too late as well", 5, Some(0));
    world.receiver("in time", 6, Some(0));
    first.send(Class::Control, Told::Answer).unwrap();
    world.run(5);
    let (told, reports) = world.seen();
    assert_eq!(told, [("first", 1), ("in time", 1)]);
    assert_eq!(finished(&reports[0]).1.len(), 2);
}

#[test]
fn a_second_broadcast_waits_or_takes_the_place_of_the_first() {
    let mut world = World::new(Overdue::Wait);
    world.receiver("a", 1, Some(10));
    world.receiver("b", 2, Some(10));
    world.ask(RECONFIGURE);
    world.ask(Ask::Broadcast(Lifecycle::Reconfigure(2)));
    world.run(60);
    let (told, reports) = world.seen();
    assert_eq!(told, [("a", 1), ("b", 1), ("a", 2), ("b", 2)]);
    assert_eq!((finished(&reports[0]).0, finished(&reports[1]).0), (1, 2));
    // Shutdown in the middle of a change, with another waiting.
    world.ask(RECONFIGURE);
    world.ask(RECONFIGURE);
    world.ask(Ask::Supersede(Lifecycle::Shutdown));
    world.run(60);
    let (told, reports) = world.seen();
    assert_eq!(told, [("a", 3), ("a", 5), ("b", 5)]);
    assert_eq!(world.last.get(), Some(Lifecycle::Shutdown));
    let superseded = |report: &Report| match report {
        Report::Finished { is_superseded, .. } => *is_superseded,
        Report::Overdue { .. } => panic!(),
    };
    assert_eq!(reports.iter().map(superseded).collect::<Vec<_>>(), [true, true, false]);
    assert_eq!(finished(&reports[0]).1[0].1, Fate::Superseded);
    assert_eq!((finished(&reports[1]).0, finished(&reports[2]).0), (4, 5));
}

#[test]
fn nobody_to_be_told_is_no_reason_to_wait() {
    let mut world = World::new(Overdue::Wait);
    world.ask(RECONFIGURE);
    world.run(1);
    assert_eq!(finished(&world.seen().1[0]), (1, Vec::new()));
}

#[test]
fn on_real_workers_too() {
    let runtime = runtime(3);
    let (told, heard) = told();
    let hub = Hub { overdue: Overdue::Wait, fan_out: None, ids: Vec::new(), told: told.clone() };
    let hub = runtime.spawn("hub", Class::Control, hub);
    let mut addresses = Vec::new();
    for priority in 0..30 {
        let (after, owed) = (Some(Duration::from_micros(100)), Vec::new());
        let timer = TimerId::NONE;
        let receiver = Subscriber { name: "receiver", after, owed, timer, told: told.clone() };
        let receiver = runtime.spawn("receiver", Class::Control, receiver);
        let ask = Ask::Subscribe("receiver", priority / 3, receiver.clone());
        hub.send(Class::Control, ask).unwrap();
        addresses.push(receiver);
    }
    for generation in 1..=20 {
        hub.send(Class::Control, RECONFIGURE).unwrap();
        // Some stop in the middle of it.
        if generation > 10 {
            addresses.pop().unwrap().stop();
        }
    }
    let mut over = 0;
    while over < 20 {
        let Heard::Report(Report::Finished { generation, receivers, .. }) = next(&heard) else {
            continue;
        };
        over += 1;
        assert_eq!(generation, over);
        assert_eq!(receivers.len(), 30);
        assert!(receivers.is_sorted_by_key(|one| one.priority), "the barrier holds");
    }
    eventually("those that stopped are gone", || runtime.stats().loops.len() == 21);
}

//! How long handlers took, waited and were late: by worker and class, and by loop.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod common;

use common::{eventually, next, runtime, told};
use dunlin_runtime::{
    Address, Class, Context, Culprit, Duration, EventId, Handler, Loop, LoopStats, Loops, Stats,
    StatsReply, Survey, TimerId, Timings,
    sim::{SimOptions, SimRuntime},
};

fn millis(count: u64) -> Duration {
    Duration::from_millis(count)
}

/// A simulation of two workers in which every handler takes a microsecond and what it is told to.
fn quiet() -> SimRuntime {
    let micro = Duration::from_micros(1);
    SimRuntime::with_options(SimOptions {
        workers: 2,
        handler_cost: micro..=micro,
        shuffle: false,
        moves: 0,
        ..SimOptions::new(1)
    })
}

/// Works in an event, or lets its timer expire, as it is told.
struct Actor {
    class: Class,
    event: EventId,
    timer: TimerId,
    span: Duration,
}

#[derive(Clone, Copy, Debug)]
enum Do {
    Work(Duration),
    Arm(Duration),
}

impl Loop for Actor {
    type Message = Do;

    fn start(&mut self, cx: &mut Context<'_>) {
        self.event = cx.event(self.class);
        self.timer = cx.timer(self.class);
    }

    fn message(&mut self, cx: &mut Context<'_>, what: Do) {
        match what {
            Do::Work(span) => {
                self.span = span;
                cx.schedule(self.event);
            }
            Do::Arm(after) => drop(cx.arm_after(self.timer, after)),
        }
    }

    fn event(&mut self, cx: &mut Context<'_>, _: EventId) {
        cx.sim_consume(self.span);
    }

    fn timer(&mut self, _: &mut Context<'_>, _: TimerId) {}
}

fn actor(class: Class) -> Actor {
    Actor { class, event: EventId::NONE, timer: TimerId::NONE, span: Duration::ZERO }
}

/// An actor that stays on this worker.
fn pinned(sim: &mut SimRuntime, name: &str, class: Class, worker: usize) -> Address<Do> {
    let address = sim.spawn(name, class, actor(class));
    address.pin(Some(worker));
    sim.run_for(millis(1));
    address
}

fn everything() -> Survey {
    let loops = Loops::Page { after: None, most: 1000, wanted: None, details: true };
    Survey { loops, handlers: true }
}

fn of<'s>(stats: &'s Stats, who: &Address<Do>) -> &'s Timings {
    let is = |one: &&LoopStats| one.id == who.loop_id();
    &stats.loops.iter().find(is).unwrap().details.as_ref().unwrap().timings
}

/// All workers together and all loops together, which must be the same as all kinds together; of those `loops` only if
/// none has ended.
fn compare(stats: &Stats) -> Timings {
    let (mut workers, mut loops, mut kinds) =
        (Timings::default(), Timings::default(), Timings::default());
    stats.timings.iter().for_each(|worker| workers.merge(&worker.all()));
    for one in &stats.loops {
        loops.merge(&one.details.as_ref().unwrap().timings);
    }
    for one in &stats.handlers {
        let waited = if one.handler == Handler::Timer { &mut kinds.late } else { &mut kinds.wait };
        waited.spans.merge(&one.wait);
        kinds.run.spans.merge(&one.run);
    }
    let spans = |all: &Timings| [&all.run, &all.wait, &all.late].map(|one| one.spans.clone());
    assert_eq!(spans(&workers), spans(&kinds));
    assert_eq!(spans(&workers), spans(&loops));
    let worst = |all: &Timings| {
        [&all.run, &all.wait, &all.late].map(|one| one.worst.map(|worst| worst.span))
    };
    assert_eq!(worst(&workers), worst(&loops));
    workers
}

#[test]
fn a_loop_knows_its_percentiles_its_worst_and_who_was_to_blame() {
    let mut sim = quiet();
    let hog = pinned(&mut sim, "the hog", Class::Bulk, 0);
    let punctual = pinned(&mut sim, "the punctual", Class::Liveness, 0);
    let waits = pinned(&mut sim, "the waiting", Class::Bulk, 0);
    for _ in 0..199 {
        punctual.send(Class::Control, Do::Arm(millis(1))).unwrap();
        sim.run_for(millis(2));
    }
    punctual.send(Class::Control, Do::Arm(millis(10))).unwrap();
    sim.run_for(millis(9));
    hog.send(Class::Control, Do::Work(millis(300))).unwrap();
    sim.run_for(millis(500));
    let began = sim.now();
    waits.send(Class::Control, Do::Work(millis(7))).unwrap();
    sim.run_for(millis(50));
    let stats = sim.survey(&everything());

    let late = &of(&stats, &punctual).late;
    assert_eq!(late.spans.count(), 200);
    assert!(late.spans.per_mille(500) < millis(1), "{late:?}");
    assert!(late.spans.per_mille(995) < millis(1), "{late:?}");
    assert!(late.spans.per_mille(999) >= millis(299), "{late:?}");
    let worst = late.worst.unwrap();
    assert!(worst.span > millis(298) && worst.span < millis(301), "{worst:?}");
    assert_eq!((worst.who.loop_id, worst.who.handler), (punctual.loop_id(), Handler::Timer));
    assert!(worst.at < began && began.since(worst.at) < millis(201), "{worst:?}");
    let Some(Culprit::Handler(who, held)) = worst.culprit else { panic!("{worst:?}") };
    assert_eq!((who.loop_id, who.handler, who.class), (hog.loop_id(), Handler::Event, Class::Bulk));
    assert!(held >= millis(300));

    // Its own handlers were short, and nothing else of it has waited for long.
    assert!(of(&stats, &punctual).run.worst.unwrap().span < millis(1));
    assert!(of(&stats, &punctual).wait.worst.is_none_or(|worst| worst.span < millis(1)));
    let hog = of(&stats, &hog);
    assert_eq!(hog.run.spans.count(), 3);
    assert!(hog.run.worst.unwrap().span >= millis(300));
    assert_eq!(hog.late.spans.count(), 0);
    let waits = of(&stats, &waits);
    assert_eq!(waits.wait.spans.count(), 1, "an event; nobody knows of the message from outside");
    let longest = waits.run.worst.unwrap();
    assert!(longest.span >= millis(7) && longest.span < millis(8), "{longest:?}");
    assert!(longest.at > began && longest.culprit.is_none());
    compare(&stats);
}

#[test]
fn each_worker_tells_of_its_own_handlers_class_by_class() {
    let mut sim = quiet();
    let hog = pinned(&mut sim, "the hog", Class::Bulk, 1);
    let late = pinned(&mut sim, "the late", Class::Routing, 1);
    let punctual = pinned(&mut sim, "the punctual", Class::Liveness, 0);
    sim.handle().clear_stats();
    sim.run_for(millis(1));
    for (address, after) in [(&late, 10), (&punctual, 10)] {
        address.send(Class::Control, Do::Arm(millis(after))).unwrap();
    }
    sim.run_for(millis(9));
    hog.send(Class::Control, Do::Work(millis(120))).unwrap();
    sim.run_for(millis(500));
    let stats = sim.survey(&everything());
    let [first, second] = &stats.timings[..] else { panic!("{:?}", stats.timings) };
    assert_eq!((first.index, second.index), (0, 1));
    let class = |worker: &dunlin_runtime::WorkerTimings, class: Class| {
        worker.classes[class.index()].clone()
    };
    let counts =
        |one: Timings| [one.run.spans.count(), one.wait.spans.count(), one.late.spans.count()];
    assert_eq!(counts(class(first, Class::Liveness)), [1, 0, 1]);
    assert_eq!(counts(class(first, Class::Control)), [1, 0, 0]);
    assert_eq!(counts(class(first, Class::Routing)), [0; 3]);
    assert_eq!(counts(class(first, Class::Bulk)), [0; 3]);
    assert_eq!(counts(class(second, Class::Liveness)), [0; 3]);
    assert_eq!(counts(class(second, Class::Control)), [2, 0, 0]);
    assert_eq!(counts(class(second, Class::Routing)), [1, 0, 1]);
    assert_eq!(counts(class(second, Class::Bulk)), [1, 1, 0]);
    assert_eq!(counts(second.all()), [4, 1, 1]);
    assert!(first.all().late.worst.is_none_or(|worst| worst.span < millis(1)));
    let worst = second.all().late.worst.unwrap();
    assert!(worst.span > millis(115), "{worst:?}");
    let Some(Culprit::Handler(who, _)) = worst.culprit else { panic!("{worst:?}") };
    assert_eq!(who.loop_id, hog.loop_id());
    assert!(class(second, Class::Bulk).run.worst.unwrap().span >= millis(120));
}

#[test]
fn what_is_measured_of_a_loop_goes_with_it_and_what_of_a_worker_does_not() {
    let mut sim = quiet();
    let moves = pinned(&mut sim, "the moving", Class::Routing, 0);
    moves.send(Class::Control, Do::Work(millis(20))).unwrap();
    sim.run_for(millis(100));
    moves.pin(Some(1));
    sim.run_for(millis(10));
    moves.send(Class::Control, Do::Work(millis(30))).unwrap();
    sim.run_for(millis(100));
    let stats = sim.survey(&everything());
    assert_eq!(stats.loops[0].worker, 1);
    let longest = |timings: &Timings| timings.run.worst.unwrap().span;
    assert!(longest(of(&stats, &moves)) >= millis(30));
    assert_eq!(of(&stats, &moves).run.spans.count(), 5);
    let [first, second] = &stats.timings[..] else { panic!("{:?}", stats.timings) };
    assert_eq!((first.all().run.spans.count(), second.all().run.spans.count()), (3, 2));
    assert!(longest(&first.all()) < millis(21) && longest(&second.all()) >= millis(30));
}

#[test]
fn clearing_clears_both() {
    let mut sim = quiet();
    let one = pinned(&mut sim, "one", Class::Bulk, 0);
    one.send(Class::Control, Do::Work(millis(20))).unwrap();
    one.send(Class::Control, Do::Arm(millis(5))).unwrap();
    sim.run_for(millis(100));
    assert_eq!(compare(&sim.survey(&everything())).run.spans.count(), 5);
    sim.handle().clear_stats();
    sim.run_for(millis(1));
    let stats = sim.survey(&everything());
    assert_eq!(compare(&stats), Timings::default());
    assert_eq!((stats.loops[0].longest, stats.loops[0].latest), (Duration::ZERO, Duration::ZERO));
    one.send(Class::Control, Do::Work(millis(2))).unwrap();
    sim.run_for(millis(100));
    let all = compare(&sim.survey(&everything()));
    assert_eq!((all.run.spans.count(), all.wait.spans.count()), (2, 1));
    assert!(all.run.worst.unwrap().span < millis(3));
}

#[test]
fn who_does_not_ask_gets_none() {
    let mut sim = quiet();
    pinned(&mut sim, "one", Class::Bulk, 0);
    let stats = sim.stats();
    assert!(stats.timings.is_empty() && stats.loops[0].details.is_none());
}

/// A network of loops that ask each other for work of all lengths, with chance in it: sums agree whoever makes them.
#[test]
fn workers_loops_and_kinds_agree() {
    for seed in 0..20 {
        let mut sim = SimRuntime::with_options(SimOptions { workers: 3, ..SimOptions::new(seed) });
        let all: Vec<_> = (0..12)
            .map(|number| {
                let class = Class::ALL[number % 4];
                sim.spawn(&format!("loop{number}"), class, actor(class))
            })
            .collect();
        for round in 0..300u64 {
            let to = &all[(round * 7 + seed) as usize % all.len()];
            let class = Class::ALL[(round / 3) as usize % 4];
            to.send(class, Do::Work(Duration::from_nanos(1 << (round % 24)))).unwrap();
            to.send(class, Do::Arm(Duration::from_micros(round * 13))).unwrap();
            sim.run_for(millis(2));
        }
        sim.run_for(millis(1000));
        let stats = sim.survey(&everything());
        let all = compare(&stats);
        let handlers: u64 = stats.loops.iter().flat_map(|one| one.handlers).sum();
        assert_eq!(all.run.spans.count(), handlers);
        assert!(all.wait.spans.count() > 100 && all.late.spans.count() > 100);
    }
}

/// The same on threads.
#[test]
fn threads_agree_with_their_loops() {
    let runtime = runtime(2);
    eventually("started", || runtime.stats().workers.len() == 2);
    let all: Vec<_> = (0..8)
        .map(|number| runtime.spawn("one", Class::ALL[number % 4], actor(Class::ALL[number % 4])))
        .collect();
    for round in 0..200u64 {
        let to = &all[round as usize % all.len()];
        to.send(Class::Routing, Do::Work(Duration::ZERO)).unwrap();
        to.send(Class::Routing, Do::Arm(Duration::from_micros(round))).unwrap();
    }
    let ask = || {
        let (sender, receiver) = told();
        let reply = StatsReply::new(move |stats| sender.send(stats).unwrap());
        runtime.handle().survey(everything(), reply);
        next(&receiver)
    };
    // A timer that is armed again before it expired is one, and an event scheduled again, too.
    eventually("all has run", || {
        let stats = ask();
        let idle = |one: &LoopStats| {
            let timers = &one.details.as_ref().unwrap().timers;
            one.handlers[2] >= 50 && timers.iter().all(|timer| timer.expires.is_none())
        };
        stats.complete && stats.loops.len() == 8 && stats.loops.iter().all(idle)
    });
    let stats = ask();
    let sums = compare(&stats);
    assert!(sums.late.spans.count() >= 8 && sums.wait.spans.count() >= 8, "{sums:?}");
    assert!(stats.loops.iter().all(|one| one.longest > Duration::ZERO));
}

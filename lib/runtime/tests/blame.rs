//! Who is blamed for a wait, if the loop that waited changed workers meanwhile.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod common;

use std::sync::{
    Arc,
    mpsc::{Receiver, Sender},
};

use common::{burn, eventually, next, told, without_places};
use dunlin_runtime::{
    Address, Class, Context, Culprit, Duration, EventId, Handler, LogRecord, LogSink, Loop, Loops,
    MoveReason, Runtime, RuntimeOptions, StatsReply, Survey, TimerId, Watch, Worst,
    sim::{SimOptions, SimRuntime},
};

fn millis(count: u64) -> Duration {
    Duration::from_millis(count)
}

/// Everything that is late is reported.
fn watch() -> Watch {
    Watch { late: [Some(millis(50)); 4], ..Watch::OFF }
}

fn sink() -> (Arc<dyn LogSink>, Receiver<String>) {
    let (log, logged) = told();
    (Arc::new(move |record: &LogRecord| drop(log.send(record.text.clone()))), logged)
}

/// A simulation of two workers in which nothing is up to chance.
fn quiet() -> (SimRuntime, Receiver<String>) {
    let (log, logged) = sink();
    let micro = Duration::from_micros(1);
    let options = SimOptions {
        workers: 2,
        handler_cost: micro..=micro,
        shuffle: false,
        moves: 0,
        log: Some(log),
        ..SimOptions::new(1)
    };
    let sim = SimRuntime::with_options(options);
    sim.handle().watch(&watch());
    (sim, logged)
}

enum Do {
    /// Take so long in an event.
    Work(Duration),
    /// Have a timer after this.
    Arm(Duration),
    /// Say so.
    Tell(Sender<()>),
    /// Have another do it.
    Pass(Address<Self>, Class, Box<Self>),
}

/// One of them waits, another keeps it waiting.
struct Actor {
    class: Class,
    event: EventId,
    timer: TimerId,
    span: Duration,
    /// Where there are threads: told when the event begins.
    begun: Option<Sender<()>>,
}

impl Actor {
    fn new(class: Class, begun: Option<Sender<()>>) -> Self {
        let (event, timer, span) = (EventId::NONE, TimerId::NONE, Duration::ZERO);
        Self { class, event, timer, span, begun }
    }
}

impl Loop for Actor {
    type Message = Do;

    fn start(&mut self, cx: &mut Context<'_>) {
        self.event = cx.event(self.class);
        self.timer = cx.timer(self.class);
    }

    fn message(&mut self, cx: &mut Context<'_>, message: Do) {
        match message {
            Do::Work(span) => {
                self.span = span;
                cx.schedule(self.event);
            }
            Do::Arm(after) => drop(cx.arm_after(self.timer, after)),
            Do::Tell(tell) => tell.send(()).unwrap(),
            Do::Pass(to, class, what) => {
                to.send(class, *what).unwrap_or_else(|_| panic!("gone"));
            }
        }
    }

    fn event(&mut self, cx: &mut Context<'_>, _: EventId) {
        match &self.begun {
            Some(begun) => {
                begun.send(()).unwrap();
                burn(self.span);
            }
            None => cx.sim_consume(self.span),
        }
    }

    fn timer(&mut self, _: &mut Context<'_>, _: TimerId) {}
}

/// Puts a new loop on the second worker of a simulation.
fn on_second(sim: &mut SimRuntime, name: &str, class: Class) -> Address<Do> {
    let actor = sim.spawn(name, class, Actor::new(class, None));
    actor.pin(Some(1));
    sim.run_for(millis(1));
    actor
}

/// The longest wait of a timer in a class, in a simulation.
fn latest_timer(sim: &SimRuntime, class: Class) -> Worst {
    let handlers = sim.survey(&Survey { loops: Loops::None, handlers: true }).handlers;
    let of = |handler, of| handler == Handler::Timer && of == class;
    handlers.iter().find(|one| of(one.handler, one.class)).unwrap().latest.unwrap()
}

#[test]
fn in_a_simulation_a_handler_of_the_worker_before_is_named() {
    for class in Class::ALL {
        let (mut sim, logged) = quiet();
        let hog = on_second(&mut sim, "the hog", Class::Bulk);
        let waits = on_second(&mut sim, "the late", class);
        waits.send(Class::Control, Do::Arm(millis(20))).unwrap();
        sim.run_for(millis(1));
        hog.send(Class::Control, Do::Work(millis(367))).unwrap();
        sim.run_for(millis(200));
        // The hog is not done, and will not be for a while.
        sim.resize(1);
        sim.run_for(millis(500));
        let latest = latest_timer(&sim, class);
        assert!(latest.span > millis(150) && latest.span < millis(200), "{class:?}: {latest:?}");
        assert_eq!(latest.who.loop_id, waits.loop_id());
        let Some(Culprit::Handler(who, held)) = latest.culprit else { panic!("{latest:?}") };
        assert_eq!((who.loop_id, who.handler), (hog.loop_id(), Handler::Event));
        assert!(held >= millis(367));
        let said = without_places(&next(&logged));
        assert!(said.starts_with("timer 0 of the late "), "{said}");
        assert!(said.ends_with(" late: event 0 of the hog (bulk) held the worker for 367.0 ms"));
    }
}

#[test]
fn in_a_simulation_a_worker_before_that_nobody_held_is_said() {
    for class in Class::ALL {
        let (mut sim, logged) = quiet();
        let waits = on_second(&mut sim, "the late", class);
        waits.send(Class::Control, Do::Arm(millis(20))).unwrap();
        sim.run_for(millis(5));
        // The worker that it is with is not run; the one that it goes to is not to blame for that.
        sim.block_worker(1, millis(400));
        sim.run_for(millis(200));
        sim.resize(1);
        sim.run_for(millis(500));
        let latest = latest_timer(&sim, class);
        assert!(latest.span > millis(150), "{class:?}: {latest:?}");
        let Some(Culprit::Elsewhere(here)) = latest.culprit else { panic!("{latest:?}") };
        assert!(here < millis(1), "{here:?}");
        let said = next(&logged);
        assert!(said.ends_with(" late: until 0.0 ms before it was on another worker"), "{said}");
    }
}

/// What a loop says of a message that came while it kept its worker, and that it took on another.
fn moved_while_a_message_waited() -> (Worst, String) {
    let (log, logged) = sink();
    let options = RuntimeOptions { threads: 2, log, watch: watch(), ..RuntimeOptions::default() };
    let runtime = Runtime::new(options).unwrap();
    eventually("two workers", || runtime.stats().workers.len() == 2);
    let (begun, begins) = told();
    let slow = runtime.spawn("the slow", Class::Bulk, Actor::new(Class::Bulk, Some(begun)));
    let asker = runtime.spawn("the asker", Class::Bulk, Actor::new(Class::Bulk, None));
    slow.pin(Some(1));
    asker.pin(Some(0));
    eventually("each on its own", || {
        let at = |id| runtime.stats().loops.iter().find(|one| one.id == id).map(|one| one.worker);
        at(slow.loop_id()) == Some(1) && at(asker.loop_id()) == Some(0)
    });
    slow.send(Class::Control, Do::Work(millis(300))).unwrap();
    next(&begins);
    let (tell, heard) = told();
    asker
        .send(Class::Control, Do::Pass(slow.clone(), Class::Control, Box::new(Do::Tell(tell))))
        .unwrap();
    slow.pin(Some(0));
    next(&heard);
    eventually("it has moved", || {
        let moves = runtime.stats().moves;
        let last = moves.iter().rfind(|record| record.loop_id == slow.loop_id());
        last.is_some_and(|last| (last.why, last.to) == (MoveReason::Pinned, 0))
    });
    let (sender, receiver) = told();
    let survey = Survey { loops: Loops::None, handlers: true };
    runtime.handle().survey(survey, StatsReply::new(move |stats| sender.send(stats).unwrap()));
    let handlers = next(&receiver).handlers;
    let mut found = handlers.iter().filter(|one| one.handler == Handler::Message);
    let latest =
        found.find_map(|one| one.latest.filter(|worst| worst.who.loop_id == slow.loop_id()));
    let mut texts = std::iter::from_fn(|| Some(next(&logged)));
    let said = texts.find(|text| text.starts_with("a message of the slow ")).unwrap();
    (latest.unwrap(), without_places(&said))
}

#[test]
fn a_handler_of_the_worker_before_is_named() {
    let mut seen = Vec::new();
    for _ in 0..10 {
        let (latest, said) = moved_while_a_message_waited();
        // On a machine with much to do the new worker may have been run later than this one took.
        let Some(Culprit::Handler(who, held)) = latest.culprit else {
            seen.push((latest, said));
            continue;
        };
        assert_eq!((who.loop_id, who.handler), (latest.who.loop_id, Handler::Event));
        assert!(held >= millis(300), "{latest:?}");
        assert!(said.contains(" late: event 0 of the slow (bulk) held the worker for "), "{said}");
        return;
    }
    panic!("{seen:?}");
}

/// Not who is to blame, but that somebody waits: seen while it does.
#[test]
fn the_age_of_what_waits_longest_is_told() {
    for class in Class::ALL {
        let (mut sim, _logged) = quiet();
        let hog = on_second(&mut sim, "the hog", Class::Bulk);
        let waits = on_second(&mut sim, "the late", Class::Bulk);
        let asker = sim.spawn("the asker", Class::Bulk, Actor::new(Class::Bulk, None));
        asker.pin(Some(0));
        sim.run_for(millis(1));
        let oldest = |sim: &SimRuntime| [0, 1].map(|at| sim.stats().workers[at].oldest);
        assert_eq!(oldest(&sim), [None, None]);
        hog.send(Class::Control, Do::Work(millis(300))).unwrap();
        sim.run_for(millis(10));
        let (tell, heard) = told();
        let message = Box::new(Do::Tell(tell));
        asker.send(Class::Control, Do::Pass(waits.clone(), class, message)).unwrap();
        sim.run_for(millis(100));
        let [none, Some(age)] = oldest(&sim) else { panic!("{:?}", oldest(&sim)) };
        assert!(none.is_none() && age > millis(99) && age <= millis(100), "{class:?}: {age:?}");
        sim.run_for(millis(500));
        next(&heard);
        assert_eq!(oldest(&sim), [None, None]);
    }
}

//! What the flight recorder says of who asked for what.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod common;

use std::sync::mpsc::Sender;

use common::{eventually, next, told};
use dunlin_runtime::sim::{SimOptions, SimRuntime, sim_recorder};
use dunlin_runtime::{
    Address, Class, Context, Duration, EventId, Loop, Progress, Runtime, RuntimeOptions, TimerId,
    WorkId,
};
use dunlin_trace::{Options, Origin, Record, Recorder, Site, Snapshot};

fn recorded(threads: usize) -> (Runtime, Recorder) {
    let recorder = Recorder::new(&Options::default()).unwrap();
    let recorded = Some(recorder.clone());
    let options = RuntimeOptions { threads, recorder: recorded, ..RuntimeOptions::default() };
    (Runtime::new(options).unwrap(), recorder)
}

/// All records of a loop's handlers.
fn handlers(snapshot: &Snapshot, loop_id: u32) -> Vec<Record> {
    let own = |record: &Record| record.loop_id == loop_id && record.site.is_handler();
    snapshot.records().into_iter().filter(own).collect()
}

/// Asks everything of itself that a loop can ask.
struct Asking {
    things: Option<(EventId, EventId, WorkId, TimerId)>,
    left: u32,
    done: Sender<Site>,
}

struct Child;

impl Loop for Child {
    type Message = ();

    fn message(&mut self, _: &mut Context<'_>, (): ()) {}
}

impl Loop for Asking {
    type Message = Sender<u32>;

    fn start(&mut self, cx: &mut Context<'_>) {
        let (event, deferred) = (cx.event(Class::Routing), cx.event(Class::Routing));
        self.things = Some((event, deferred, cx.work(Class::Bulk), cx.timer(Class::Control)));
    }

    fn message(&mut self, cx: &mut Context<'_>, child: Sender<u32>) {
        let (event, deferred, work, timer) = self.things.unwrap();
        cx.schedule(event);
        cx.defer(deferred);
        cx.queue(work);
        cx.arm_after(timer, Duration::from_millis(1));
        child.send(cx.spawn("child", Class::Bulk, Child).loop_id().number()).unwrap();
    }

    fn event(&mut self, _: &mut Context<'_>, _: EventId) {
        self.done.send(Site::EVENT).unwrap();
    }

    fn work(&mut self, _: &mut Context<'_>, _: WorkId) -> Progress {
        self.done.send(Site::WORK).unwrap();
        self.left -= 1;
        if self.left == 0 { Progress::Done } else { Progress::More }
    }

    fn timer(&mut self, _: &mut Context<'_>, _: TimerId) {
        self.done.send(Site::TIMER).unwrap();
    }
}

#[test]
fn what_a_loop_asks_of_itself_names_the_handler_that_asked() {
    let (runtime, recorder) = recorded(1);
    let ((done, told_done), (child, told_child)) = (told(), told());
    let asking = Asking { things: None, left: 3, done };
    let asking = runtime.spawn("asking", Class::Routing, asking);
    asking.send(Class::Routing, child).unwrap();
    let child: u32 = next(&told_child);
    // Two events, three pieces of work, one timer.
    let mut sites: Vec<u16> = (0..6).map(|_| next(&told_done).0).collect();
    sites.sort_unstable();
    assert_eq!(sites, [2, 2, 3, 5, 5, 5]);
    let ended = || handlers(&recorder.snapshot(), child).iter().all(|one| one.duration.is_some());
    eventually("the child has started", || {
        !handlers(&recorder.snapshot(), child).is_empty() && ended()
    });
    check_asked(&recorder.snapshot(), asking.loop_id().number(), child);
}

/// Everything but the message was asked for by the message.
fn check_asked(snapshot: &Snapshot, asking: u32, child: u32) {
    let own = handlers(snapshot, asking);
    let message = own.iter().find(|record| record.site == Site::MESSAGE).unwrap();
    let asked =
        own.iter().filter(|record| matches!(record.site, Site::EVENT | Site::WORK | Site::TIMER));
    let child = handlers(snapshot, child);
    assert!(asked.clone().count() == 6 && child.len() == 1, "{own:?} {child:?}");
    for record in asked.chain(&child) {
        // A piece of work is asked for by the one before it.
        let (chain, _) = snapshot.chain(record);
        let others = chain.iter().take_while(|link| *link != message);
        assert!(chain.contains(message), "{record:?}");
        assert!(others.clone().all(|link| link.site == Site::WORK), "{record:?}");
        assert!(others.count() == 0 || record.site == Site::WORK, "{record:?}");
    }
}

#[test]
fn the_simulation_records_the_same() {
    for seed in 0..20 {
        let recorder = sim_recorder().unwrap();
        let recorded = Some(recorder.clone());
        let options = SimOptions { recorder: recorded, moves: 300, ..SimOptions::new(seed) };
        let mut sim = SimRuntime::with_options(options);
        let ((done, _done), (child, told_child)) = (told(), told());
        let asking = Asking { things: None, left: 3, done };
        let asking = sim.spawn("asking", Class::Routing, asking);
        asking.send(Class::Routing, child).unwrap();
        sim.run_for(Duration::from_secs(1));
        let snapshot = recorder.snapshot();
        check_asked(&snapshot, asking.loop_id().number(), next(&told_child));
        assert_eq!(snapshot.loop_name(asking.loop_id().number()).as_deref(), Some("asking"));
        assert!(snapshot.records().iter().all(|record| record.duration.is_some()));
    }
}

/// Hands on what it gets.
struct Link {
    next: Option<Address<Sender<()>>>,
}

impl Loop for Link {
    type Message = Sender<()>;

    fn message(&mut self, _: &mut Context<'_>, end: Sender<()>) {
        match &self.next {
            Some(next) => next.send(Class::Routing, end).unwrap(),
            None => end.send(()).unwrap(),
        }
    }
}

#[test]
fn a_chain_is_whole_though_its_loops_move() {
    const LINKS: usize = 40;
    let (runtime, recorder) = recorded(4);
    let mut first: Option<Address<Sender<()>>> = None;
    let mut last = 0;
    for number in 0..LINKS {
        let link = Link { next: first.take() };
        first = Some(runtime.spawn(&format!("link{number}"), Class::Routing, link));
        if number == 0 {
            last = first.as_ref().unwrap().loop_id().number();
        }
    }
    let first = first.unwrap();
    let arrived = |snapshot: &Snapshot| {
        snapshot.records().iter().filter(|record| record.site == Site::ARRIVE).count()
    };
    for threads in [1, 3, 1, 4, 2].into_iter().cycle().take(20) {
        runtime.resize(threads);
        let (end, ended) = told();
        first.send(Class::Routing, end).unwrap();
        next(&ended);
        let snapshot = recorder.snapshot();
        let of_last = handlers(&snapshot, last);
        let message = of_last.iter().rfind(|record| record.site == Site::MESSAGE).unwrap();
        let (chain, origin) = snapshot.chain(message);
        assert_eq!((chain.len(), origin), (LINKS - 1, Origin::Outside), "{chain:?}");
        let loops: std::collections::BTreeSet<u32> = chain.iter().map(|one| one.loop_id).collect();
        assert_eq!(loops.len(), LINKS - 1, "each another loop");
    }
    eventually("loops have moved", || arrived(&recorder.snapshot()) >= LINKS);
}

//! Every call that schedules is known by file and line, in the records and in the catalogue.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod common;

use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, SocketAddr},
    sync::mpsc::Sender,
};

use common::{eventually, next, told};
use dunlin_runtime::{
    Address, Class, ConnectOptions, Context, Duration, EventHandle, EventId, JobId, ListenOptions,
    Loop, PlaceInfo, Progress, Ready, Runtime, RuntimeOptions, SocketId, TimerId, WorkId,
    kit::jobs::JobPriority,
    sim::{SimOptions, SimRuntime, sim_recorder},
};
use dunlin_trace::{Options, Recorder, Site, Snapshot};

/// What the lines that ask for something are marked with, and what comes of them.
const MARKS: [(&str, Site); 20] = [
    ("sends", Site::MESSAGE),
    ("schedules", Site::EVENT),
    ("defers", Site::EVENT),
    ("raises", Site::EVENT),
    ("calls", Site::CALL),
    ("arms", Site::TIMER),
    ("arms after", Site::TIMER),
    ("arms every", Site::TIMER),
    ("arms drifting", Site::TIMER),
    ("restarts", Site::TIMER),
    ("sets", Site::TIMER),
    ("queues", Site::WORK),
    ("starts", Site::JOB),
    ("cancels", Site::ASK),
    ("is answered", Site::MESSAGE),
    ("listens", Site::READY),
    ("connects", Site::READY),
    ("accepts", Site::READY),
    ("spawns", Site::START),
    ("stops", Site::STOP),
];

/// The line of this file with a mark.
fn line_of(mark: &str) -> u32 {
    let marked = format!("// It {mark}.");
    let mut lines = include_str!("places.rs").lines().zip(1..);
    lines.find(|(line, _)| line.ends_with(&marked)).expect(mark).1
}

/// Asks for everything once.
struct Asking {
    timers: Vec<TimerId>,
    listener: SocketId,
    client: SocketId,
    done: Sender<()>,
}

impl Asking {
    fn new(done: Sender<()>) -> Self {
        let (listener, client) = (SocketId::default(), SocketId::default());
        Self { timers: Vec::new(), listener, client, done }
    }

    fn ask_for_timers(&mut self, cx: &mut Context<'_>) {
        let soon = Duration::from_millis(2);
        let later = Duration::from_millis(4);
        self.timers = (0..6).map(|_| cx.timer(Class::Control)).collect();
        cx.arm(self.timers[0], cx.now() + soon); // It arms.
        cx.arm_after(self.timers[1], soon); // It arms after.
        cx.arm_every(self.timers[2], later); // It arms every.
        cx.arm_drifting(self.timers[3], later, soon); // It arms drifting.
        cx.arm_after(self.timers[4], soon);
        let _ = cx.restart(self.timers[4]); // It restarts.
        cx.arm_every(self.timers[5], soon);
        let _ = cx.set_interval(self.timers[5], later); // It sets.
    }

    fn ask_for_sockets(&mut self, cx: &mut Context<'_>) {
        let local = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        self.listener = cx.listen(local, &ListenOptions::default()).unwrap(); // It listens.
        let peer = cx.local_addr(self.listener).unwrap();
        self.client = cx.connect(peer, &ConnectOptions::default()).unwrap(); // It connects.
    }
}

/// What is sent: cancel this and answer.
enum Wish {
    Everything,
    Answer,
}

struct Child;

impl Loop for Child {
    type Message = ();

    fn message(&mut self, _: &mut Context<'_>, (): ()) {}
}

/// Raises the other's event.
struct Raiser(EventHandle);

impl Loop for Raiser {
    type Message = ();

    fn start(&mut self, cx: &mut Context<'_>) {
        self.0.schedule(); // It raises.
        cx.stop_self(); // It stops.
    }

    fn message(&mut self, _: &mut Context<'_>, (): ()) {}
}

impl Loop for Asking {
    type Message = Wish;

    fn start(&mut self, cx: &mut Context<'_>) {
        self.ask_for_timers(cx);
        self.ask_for_sockets(cx);
        let event = cx.event(Class::Routing);
        let deferred = cx.event(Class::Routing);
        cx.defer(deferred); // It defers.
        cx.run_now(self, event); // It calls.
        cx.schedule(event); // It schedules.
        let work = cx.work(Class::Bulk);
        cx.queue(work); // It queues.
        let job = cx.job("job", JobPriority::FIRST);
        cx.start_job(job); // It starts.
        cx.spawn("child", Class::Bulk, Child); // It spawns.
        let raised = cx.event(Class::Control);
        let raised = cx.event_handle(raised);
        cx.spawn("raiser", Class::Control, Raiser(raised));
    }

    fn message(&mut self, cx: &mut Context<'_>, wish: Wish) {
        if let Wish::Everything = wish {
            let own: Address<Wish> = cx.own().unwrap();
            let canceller = cx.work_canceller(WorkId::default());
            canceller.cancel_with(|_| {}); // It cancels.
            let canceller = cx.timer_canceller(TimerId::default());
            canceller.cancel_to(&own, Class::Control, |_| Wish::Answer); // It is answered.
        }
        let _ = self.done.send(());
    }

    fn event(&mut self, _: &mut Context<'_>, _: EventId) {}

    fn timer(&mut self, _: &mut Context<'_>, _: TimerId) {}

    fn work(&mut self, _: &mut Context<'_>, _: WorkId) -> Progress {
        Progress::Done
    }

    fn job(&mut self, _: &mut Context<'_>, _: JobId) -> Progress {
        Progress::Done
    }

    fn ready(&mut self, cx: &mut Context<'_>, socket: SocketId, _: Ready) {
        if socket == self.listener {
            cx.accept(socket).unwrap(); // It accepts.
            cx.close(socket);
            return;
        }
        if socket == self.client {
            let _ = cx.write(socket, b"x");
        }
        cx.close(socket);
    }
}

/// By the line of this file: what the records say that came of it.
fn asked(snapshot: &Snapshot) -> BTreeMap<u32, Site> {
    let mut asked = BTreeMap::new();
    for record in snapshot.records() {
        let Some(place) = snapshot.place(&record) else { continue };
        if let Some(line) = place.strip_prefix("lib/runtime/tests/places.rs:") {
            asked.insert(line.parse().unwrap(), record.site);
        }
    }
    asked
}

/// Nothing but notes and what the runtime does for itself is without a place.
fn check_records(snapshot: &Snapshot) {
    let handlers = snapshot.records().into_iter().filter(|record| record.site.is_handler());
    let nowhere: Vec<_> = handlers.filter(|record| record.place == 0).collect();
    let by_shutdown = |site| site == Site::STOP;
    assert!(nowhere.iter().all(|record| by_shutdown(record.site)), "{nowhere:?}");
}

fn check_catalogue(places: &[PlaceInfo]) {
    let is_here = |info: &&PlaceInfo| info.location.file() == "lib/runtime/tests/places.rs";
    let here: BTreeMap<u32, Site> =
        places.iter().filter(is_here).map(|info| (info.location.line(), info.site)).collect();
    for (mark, site) in MARKS {
        // What comes first of a wish with an answer is the wish.
        let site = if mark == "is answered" { Site::ASK } else { site };
        assert_eq!(here.get(&line_of(mark)), Some(&site), "{mark}");
    }
    let names = |info: &PlaceInfo| (info.location.file(), info.location.line());
    assert!(places.is_sorted_by_key(names), "{places:?}");
}

/// The marks that have been seen.
fn is_complete(asked: &BTreeMap<u32, Site>) -> bool {
    MARKS.iter().all(|(mark, site)| asked.get(&line_of(mark)) == Some(site))
}

#[test]
fn every_call_that_schedules_is_known_by_file_and_line() {
    let recorder = Recorder::new(&Options::default()).unwrap();
    let options = RuntimeOptions { recorder: Some(recorder.clone()), ..RuntimeOptions::default() };
    let runtime = Runtime::new(options).unwrap();
    let (done, told_done) = told();
    let asking = runtime.spawn("asking", Class::Routing, Asking::new(done));
    begin(&asking);
    next(&told_done);
    eventually("all have run", || is_complete(&asked(&recorder.snapshot())));
    check_records(&recorder.snapshot());
    check_catalogue(&runtime.handle().places());
}

#[test]
fn so_it_is_in_the_simulation() {
    for seed in 0..5 {
        let recorder = sim_recorder().unwrap();
        let options = SimOptions { recorder: Some(recorder.clone()), ..SimOptions::new(seed) };
        let mut sim = SimRuntime::with_options(options);
        let (done, _told_done) = told();
        let asking = sim.spawn("asking", Class::Routing, Asking::new(done));
        begin(&asking);
        sim.run_for(Duration::from_secs(1));
        let asked = asked(&recorder.snapshot());
        for (mark, site) in MARKS {
            assert_eq!(asked.get(&line_of(mark)), Some(&site), "{mark}, seed {seed}");
        }
        check_records(&recorder.snapshot());
    }
}

fn begin(asking: &Address<Wish>) {
    asking.send(Class::Routing, Wish::Everything).unwrap(); // It sends.
}

/// Asks for pieces, and arms a timer that comes again and again.
struct Repeating {
    left: u32,
}

impl Loop for Repeating {
    type Message = ();

    fn start(&mut self, cx: &mut Context<'_>) {
        let (work, job) = (cx.work(Class::Bulk), cx.job("job", JobPriority::LAST));
        let timer = cx.timer(Class::Liveness);
        let _ = (cx.queue(work), cx.start_job(job), cx.arm_every(timer, Duration::from_millis(1)));
    }

    fn message(&mut self, _: &mut Context<'_>, (): ()) {}

    fn timer(&mut self, _: &mut Context<'_>, _: TimerId) {}

    fn work(&mut self, _: &mut Context<'_>, _: WorkId) -> Progress {
        self.left -= 1;
        if self.left == 0 { Progress::Done } else { Progress::More }
    }

    fn job(&mut self, _: &mut Context<'_>, _: JobId) -> Progress {
        Progress::Done
    }
}

/// What goes on by itself is still asked for where it was in the beginning.
#[test]
fn what_goes_on_by_itself_keeps_its_place() {
    let recorder = sim_recorder().unwrap();
    let options = SimOptions { recorder: Some(recorder.clone()), ..SimOptions::new(1) };
    let mut sim = SimRuntime::with_options(options);
    sim.spawn("repeating", Class::Bulk, Repeating { left: 10 });
    sim.run_for(Duration::from_millis(50));
    let snapshot = recorder.snapshot();
    let mut count = BTreeMap::new();
    let line = line_of_queue();
    for record in snapshot.records() {
        if matches!(record.site, Site::WORK | Site::JOB | Site::TIMER) {
            let place = snapshot.place(&record);
            assert_eq!(place, Some(format!("lib/runtime/tests/places.rs:{line}")), "{record:?}");
            *count.entry(record.site.0).or_insert(0) += 1;
        }
    }
    assert_eq!(count[&Site::WORK.0], 10);
    assert!(count[&Site::TIMER.0] > 20 && count[&Site::JOB.0] == 1, "{count:?}");
}

fn line_of_queue() -> u32 {
    let mut lines = include_str!("places.rs").lines().zip(1..);
    lines.find(|(line, _)| line.contains("let _ = (cx.queue(work)")).unwrap().1
}

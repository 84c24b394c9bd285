//! What becomes of what waits for a loop when it stops: run first or dropped, by class, within a time;
//! and counted, told and logged. The same on workers and in the simulator.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]
#![allow(clippy::disallowed_types, reason = "tests collect what loops do")]

mod common;

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, AtomicU64, Ordering},
    mpsc::{Receiver, Sender, channel},
};

use common::{eventually, next, told};
use dunlin_runtime::{
    Address, Class, Classes, Context, Dropped, Duration, EventId, JobId, LogLevel, LogRecord, Loop,
    Progress, Runtime, RuntimeHandle, RuntimeOptions, Stop, StopOutcome, StopReport, StopStats,
    TimerId, Watch, WorkId,
    kit::jobs::JobPriority,
    sim::{SimOptions, SimRuntime},
};

enum Do {
    /// Ask for everything there is, then for the end.
    Fill(Stop, Sender<StopReport>),
    /// As `Fill`, but ask without end.
    Spin(Stop, Sender<StopReport>),
    /// Be counted.
    Count(Class, u32),
    Panic,
}

/// What it has done, in order.
type Notes = Arc<Mutex<Vec<String>>>;

#[derive(Default)]
struct Filler {
    notes: Notes,
    events: Vec<EventId>,
    works: Vec<WorkId>,
    timers: Vec<TimerId>,
    jobs: Vec<JobId>,
    again: EventId,
    spins: Arc<AtomicBool>,
}

impl Filler {
    fn note(&self, text: String) {
        self.notes.lock().unwrap().push(text);
    }

    /// All of this waits once the handler is over: nothing of it has run.
    fn fill(&self, cx: &mut Context<'_>) {
        let own = cx.own::<Do>().unwrap();
        for (class, count) in [(Class::Control, 2), (Class::Routing, 3), (Class::Bulk, 4)] {
            for number in 0..count {
                own.send(class, Do::Count(class, number)).unwrap();
            }
        }
        for &event in &self.events {
            cx.schedule(event);
        }
        // Both ways, and still one event.
        cx.event_handle(self.events[0]).schedule();
        for &work in &self.works {
            cx.queue(work);
        }
        for &timer in &self.timers {
            cx.arm_after(timer, Duration::from_secs(3600));
        }
        for &job in &self.jobs {
            cx.start_job(job);
        }
    }
}

impl Loop for Filler {
    type Message = Do;

    fn start(&mut self, cx: &mut Context<'_>) {
        self.events = [Class::Control, Class::Bulk].map(|class| cx.event(class)).into();
        self.works = [Class::Routing, Class::Bulk].map(|class| cx.work(class)).into();
        self.timers = [Class::Liveness, Class::Control].map(|class| cx.timer(class)).into();
        self.jobs = vec![cx.job("job", JobPriority::new(3))];
        // Idle, hence nothing to be dropped.
        let _ = (cx.event(Class::Routing), cx.work(Class::Routing), cx.timer(Class::Control));
        self.again = cx.event(Class::Routing);
    }

    fn message(&mut self, cx: &mut Context<'_>, message: Do) {
        match message {
            Do::Fill(stop, told) => {
                self.fill(cx);
                // By itself, as the wish of others is heard when the next turn begins.
                cx.stop_self_with(stop);
                let own = cx.own::<Do>().unwrap();
                own.stop_then(stop, move |report| told.send(report).unwrap());
            }
            Do::Spin(stop, told) => {
                cx.schedule(self.again);
                cx.stop_self_with(stop);
                let own = cx.own::<Do>().unwrap();
                own.stop_then(stop, move |report| told.send(report).unwrap());
            }
            Do::Count(class, number) => self.note(format!("{class:?} {number}")),
            Do::Panic => panic!("as told"),
        }
    }

    fn event(&mut self, cx: &mut Context<'_>, event: EventId) {
        if event == self.again {
            self.spins.store(true, Ordering::Relaxed);
            cx.schedule(event);
            return;
        }
        self.note(format!("event {}", event.number()));
    }

    fn work(&mut self, cx: &mut Context<'_>, work: WorkId) -> Progress {
        assert!(cx.is_stopping());
        self.note(format!("work {}", work.number()));
        let done =
            self.notes.lock().unwrap().iter().filter(|note| note.starts_with("work")).count();
        if done < 3 { Progress::More } else { Progress::Done }
    }

    fn timer(&mut self, _: &mut Context<'_>, timer: TimerId) {
        panic!("{timer:?} is not drained");
    }

    fn stop(&mut self, _: &mut Context<'_>) {
        self.note("stop".to_owned());
    }
}

/// Everything that [`Filler::fill`] asks for.
const ALL: Dropped = Dropped {
    messages: [0, 2, 3, 4],
    events: [0, 1, 0, 1],
    works: [0, 0, 1, 1],
    timers: [1, 1, 0, 0],
    ready: [0; 4],
    jobs: 1,
};

/// What a runtime has logged.
type Log = Receiver<(LogLevel, String)>;

fn log() -> (Arc<dyn dunlin_runtime::LogSink>, Log) {
    let (sender, log) = channel();
    let sink = move |record: &LogRecord| {
        let name = record.loop_name.as_deref().unwrap_or("-");
        // A test that is over does not listen.
        let _ = sender.send((record.level, format!("{name}: {}", record.text)));
    };
    (Arc::new(sink), log)
}

/// A runtime of either kind.
enum Any {
    Real(Runtime),
    Simulated(Box<SimRuntime>),
}

impl Any {
    fn both() -> [(Self, Log); 2] {
        let (sink, real) = log();
        let options = RuntimeOptions { log: sink, watch: Watch::OFF, ..RuntimeOptions::default() };
        let runtime = Runtime::new(options).unwrap();
        let (sink, simulated) = log();
        let options = SimOptions { log: Some(sink), ..SimOptions::new(5) };
        let sim = SimRuntime::with_options(options);
        [(Self::Real(runtime), real), (Self::Simulated(Box::new(sim)), simulated)]
    }

    /// Keeps a real worker from what is sent until that is set; a simulated one is not asked before.
    fn hold(&self) -> Arc<AtomicBool> {
        let gate = Arc::new(AtomicBool::new(false));
        if let Self::Real(runtime) = self {
            let (sender, told) = told();
            runtime.spawn("gate", Class::Control, Gate { told: sender, gate: Arc::clone(&gate) });
            next(&told);
        }
        gate
    }

    fn handle(&self) -> RuntimeHandle {
        match self {
            Self::Real(runtime) => runtime.handle(),
            Self::Simulated(sim) => sim.handle(),
        }
    }

    fn next<T>(&mut self, receiver: &Receiver<T>) -> T {
        if let Self::Simulated(sim) = self {
            sim.run_for(Duration::from_secs(1));
        }
        next(receiver)
    }

    fn stops(&self) -> StopStats {
        match self {
            Self::Real(runtime) => runtime.stats().stops,
            Self::Simulated(sim) => sim.stats().stops,
        }
    }

    /// Has a loop stop while everything waits for it; what came of it, and what it did.
    fn fill(&mut self, name: &str, stop: Stop) -> (StopReport, Vec<String>) {
        let (sender, told) = told();
        let filler = Filler::default();
        let notes = Arc::clone(&filler.notes);
        let filler = self.handle().spawn(name, Class::Routing, filler);
        filler.send(Class::Control, Do::Fill(stop, sender)).unwrap();
        let report = self.next(&told);
        assert!(filler.is_stopped());
        let notes = core::mem::take(&mut *notes.lock().unwrap());
        (report, notes)
    }
}

#[test]
fn what_is_dropped_is_counted_told_and_logged() {
    for (mut any, log) in Any::both() {
        let (report, notes) = any.fill("filler", Stop::NOW);
        let outcome = StopOutcome::Stopped;
        assert_eq!(report, StopReport { outcome, drained: 0, dropped: ALL });
        assert_eq!(notes, ["stop"]);
        let text = "filler: stopped; dropped 9 messages (2 control, 3 routing, 4 bulk), 2 events (1 \
                    control, 1 bulk), 2 long works (1 routing, 1 bulk), 2 timers (1 liveness, 1 \
                    control), 1 job for idle time";
        assert_eq!(next(&log), (LogLevel::Info, text.to_owned()));
        let expected = StopStats { loops: 1, dropped: ALL, ..StopStats::default() };
        assert_eq!(any.stops(), expected);
        // Nobody is told twice in ten seconds, but the sums go on.
        any.fill("another", Stop::NOW);
        assert_eq!((any.stops().loops, any.stops().dropped.jobs), (2, 2));
        assert_eq!(log.try_iter().count(), 0);
        any.handle().clear_stats();
        if let Any::Simulated(sim) = &mut any {
            sim.run_for(Duration::from_secs(1));
        }
        assert_eq!(any.stops(), StopStats::default());
    }
}

#[test]
fn what_is_to_be_drained_runs_first_and_the_rest_is_dropped() {
    for (mut any, _) in Any::both() {
        let stop = Stop::after(Class::Routing, Duration::from_secs(3600));
        let (report, mut notes) = any.fill("filler", stop);
        let dropped =
            Dropped { messages: [0, 0, 0, 4], events: [0, 0, 0, 1], works: [0, 0, 0, 1], ..ALL };
        // Five messages, one event, a work in three pieces.
        assert_eq!(report, StopReport { outcome: StopOutcome::Stopped, drained: 9, dropped });
        assert_eq!(notes.pop().unwrap(), "stop");
        let messages = notes.iter().filter(|note| note.contains("ing"));
        assert!(messages.eq(["Routing 0", "Routing 1", "Routing 2"]), "{notes:?}");
        notes.sort_unstable();
        let all = "Control 0,Control 1,Routing 0,Routing 1,Routing 2,event 0,work 0,work 0,work 0";
        assert_eq!(notes.join(","), all);
    }
}

#[test]
fn any_classes_can_be_drained_by_themselves() {
    for class in [Class::Control, Class::Routing, Class::Bulk] {
        for (mut any, _) in Any::both() {
            let drain = Classes::of(class);
            let (report, notes) = any.fill("filler", Stop { drain, deadline: Duration::MAX });
            let mut dropped = ALL;
            for counts in [&mut dropped.messages, &mut dropped.events, &mut dropped.works] {
                counts[class.index()] = 0;
            }
            assert_eq!((report.outcome, report.dropped), (StopOutcome::Stopped, dropped));
            let of_others = |note: &&String| !note.starts_with(&format!("{class:?}"));
            let messages = notes.iter().filter(|note| note.starts_with(char::is_uppercase));
            assert_eq!(messages.filter(of_others).count(), 0, "{notes:?}");
        }
    }
}

#[test]
fn a_deadline_ends_what_asks_for_ever_more() {
    for (mut any, log) in Any::both() {
        let (sender, told) = told();
        let filler = any.handle().spawn("spinner", Class::Routing, Filler::default());
        let stop = Stop::after(Class::Bulk, Duration::from_millis(20));
        filler.send(Class::Control, Do::Spin(stop, sender)).unwrap();
        let report = any.next(&told);
        assert_eq!(report.outcome, StopOutcome::CutShort);
        assert_eq!(report.dropped, Dropped { events: [0, 0, 1, 0], ..Dropped::default() });
        assert!(report.drained > 10, "{report:?}");
        let text = "spinner: stopped before it was drained; dropped 1 event (routing)";
        assert_eq!(next(&log), (LogLevel::Warning, text.to_owned()));
        assert_eq!(any.stops().cut_short, 1);
    }
}

#[test]
fn a_stop_at_once_cuts_a_patient_one_short() {
    for (mut any, _) in Any::both() {
        let (sender, told) = told();
        let filler = Filler::default();
        let spins = Arc::clone(&filler.spins);
        let filler = any.handle().spawn("spinner", Class::Routing, filler);
        let stop = Stop::after(Class::Bulk, Duration::MAX);
        filler.send(Class::Control, Do::Spin(stop, sender)).unwrap();
        if let Any::Simulated(sim) = &mut any {
            sim.run_for(Duration::from_millis(100));
        }
        eventually("it spins", || spins.load(Ordering::Relaxed));
        filler.stop();
        assert_eq!(any.next(&told).outcome, StopOutcome::CutShort);
    }
}

#[test]
fn whoever_asks_hears_of_a_panic_and_of_an_end_before() {
    for (mut any, log) in Any::both() {
        let (sender, told) = told();
        let filler = any.handle().spawn("filler", Class::Routing, Filler::default());
        let gate = any.hold();
        filler.send(Class::Control, Do::Panic).unwrap();
        filler.send(Class::Control, Do::Count(Class::Control, 0)).unwrap();
        let again = sender.clone();
        let stop = Stop::after(Class::Bulk, Duration::from_secs(10));
        filler.stop_then(stop, move |report| again.send(report).unwrap());
        gate.store(true, Ordering::Relaxed);
        let first = any.next(&told);
        // The wish overtakes the message; or it comes when the loop has ended.
        assert!(matches!(first.outcome, StopOutcome::Panicked | StopOutcome::AlreadyStopped));
        assert!(next(&log).1.contains("panicked"));
        filler.stop_then(stop, move |report| sender.send(report).unwrap());
        let outcome = StopOutcome::AlreadyStopped;
        assert_eq!(next(&told), StopReport { outcome, ..StopReport::default() });
        assert_eq!(any.stops().panicked, 1);
        assert_eq!(any.stops().dropped.messages, [0, 1, 0, 0]);
    }
}

#[test]
fn a_shutdown_drains_all_loops_and_one_line_tells_what_it_cost() {
    for (any, log) in Any::both() {
        let gate = any.hold();
        let notes: Vec<_> = (0..20).map(|number| spawn_full(&any.handle(), number)).collect();
        any.handle().shutdown_with(Stop::after(Class::Routing, Duration::from_secs(3600)));
        gate.store(true, Ordering::Relaxed);
        match any {
            Any::Real(runtime) => runtime.join(),
            Any::Simulated(mut sim) => {
                sim.run_for(Duration::from_secs(10));
                assert!(sim.stats().loops.is_empty());
            }
        }
        for notes in notes {
            assert_eq!(notes.lock().unwrap().join(","), "Routing 0,Routing 1,stop");
        }
        let (level, text) = log.try_iter().last().unwrap();
        assert_eq!(level, LogLevel::Info);
        assert!(text.starts_with("-: the runtime has stopped 2"), "{text}");
        assert!(text.ends_with(" loops; dropped 20 messages (bulk)"), "{text}");
        assert_eq!(log.try_iter().count(), 0);
    }
}

/// Keeps its worker until the gate is opened.
struct Gate {
    told: Sender<()>,
    gate: Arc<AtomicBool>,
}

impl Loop for Gate {
    type Message = ();

    fn start(&mut self, _: &mut Context<'_>) {
        self.told.send(()).unwrap();
        while !self.gate.load(Ordering::Relaxed) {
            core::hint::spin_loop();
        }
    }

    fn message(&mut self, _: &mut Context<'_>, (): ()) {}
}

/// A loop that finds three messages when it begins, of which the last is bulk.
fn spawn_full(runtime: &RuntimeHandle, number: usize) -> Notes {
    let (filler, name) = (Filler::default(), format!("filler {number}"));
    let notes = Arc::clone(&filler.notes);
    let filler = runtime.spawn(&name, Class::Routing, Held(filler));
    for number in 0..2 {
        filler.send(Class::Routing, Do::Count(Class::Routing, number)).unwrap();
    }
    filler.send(Class::Bulk, Do::Count(Class::Bulk, 0)).unwrap();
    notes
}

/// A loop that is told to end before anything else.
struct Held(Filler);

impl Loop for Held {
    type Message = Do;

    fn message(&mut self, cx: &mut Context<'_>, message: Do) {
        assert!(cx.is_stopping(), "nothing runs before");
        self.0.message(cx, message);
    }

    fn stop(&mut self, cx: &mut Context<'_>) {
        self.0.stop(cx);
    }
}

/// Takes messages until it is stopped, and counts.
struct Sink {
    handled: Arc<AtomicU64>,
}

impl Loop for Sink {
    type Message = Class;

    fn message(&mut self, _: &mut Context<'_>, _: Class) {
        self.handled.fetch_add(1, Ordering::Relaxed);
    }
}

/// How to stop, whatever comes.
fn some_stop(number: u64) -> Stop {
    match number % 4 {
        0 => Stop::NOW,
        1 => Stop::after(Class::Bulk, Duration::from_secs(10)),
        2 => Stop { drain: Classes::of(Class::Bulk), deadline: Duration::from_micros(50) },
        _ => Stop::after(Class::Control, Duration::from_micros(200)),
    }
}

#[test]
fn every_message_is_handled_given_back_or_counted_as_dropped() {
    let runtime = common::runtime(2);
    let (handled, sent) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    for round in 0..200 {
        let sink = Sink { handled: Arc::clone(&handled) };
        let sink = runtime.spawn("sink", Class::Routing, sink);
        let flood = |sink: Address<Class>, sent: Arc<AtomicU64>| {
            for number in 0..5_000usize {
                let class = Class::ALL[number % 4];
                if sink.send(class, class).is_err() {
                    return;
                }
                sent.fetch_add(1, Ordering::Relaxed);
            }
        };
        std::thread::scope(|scope| {
            for _ in 0..2 {
                let (sink, sent) = (sink.clone(), Arc::clone(&sent));
                scope.spawn(move || flood(sink, sent));
            }
            sink.stop_with(some_stop(round));
        });
    }
    let stopped = || runtime.stats().stops.loops == 200;
    eventually("all have stopped", stopped);
    let dropped: u64 = runtime.stats().stops.dropped.messages.iter().sum();
    let (handled, sent) = (handled.load(Ordering::Relaxed), sent.load(Ordering::Relaxed));
    assert_eq!(handled + dropped, sent, "{handled} handled, {dropped} dropped");
    assert!(dropped > 0 && handled > 0);
}

/// Sends to a loop that is stopped meanwhile.
struct Flood {
    to: Address<Class>,
    sent: Arc<AtomicU64>,
    left: u64,
    stop_at: u64,
}

impl Loop for Flood {
    type Message = ();

    fn start(&mut self, cx: &mut Context<'_>) {
        let work = cx.work(Class::Routing);
        cx.queue(work);
    }

    fn message(&mut self, _: &mut Context<'_>, (): ()) {}

    fn work(&mut self, _: &mut Context<'_>, _: WorkId) -> Progress {
        for _ in 0..7 {
            self.left -= 1;
            if self.left == self.stop_at {
                self.to.stop_with(some_stop(self.stop_at));
            }
            let class = Class::ALL[self.left as usize % 4];
            if self.left == 0 || self.to.send(class, class).is_err() {
                return Progress::Done;
            }
            self.sent.fetch_add(1, Ordering::Relaxed);
        }
        Progress::More
    }
}

#[test]
fn every_message_is_accounted_for_in_simulations_too() {
    let (mut all_dropped, mut all_handled) = (0, 0);
    for seed in 0..200 {
        let mut sim = SimRuntime::with_options(SimOptions { workers: 3, ..SimOptions::new(seed) });
        let (handled, sent) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
        let sink = Sink { handled: Arc::clone(&handled) };
        let to = sim.spawn("sink", Class::Routing, sink);
        for number in 0..3 {
            let (to, sent) = (to.clone(), Arc::clone(&sent));
            let stop_at = 50 + (seed * 7 + number) % 200;
            sim.spawn("flood", Class::Routing, Flood { to, sent, left: 300, stop_at });
        }
        sim.run_for(Duration::from_secs(60));
        assert!(to.is_stopped());
        let dropped: u64 = sim.stats().stops.dropped.messages.iter().sum();
        let (handled, sent) = (handled.load(Ordering::Relaxed), sent.load(Ordering::Relaxed));
        assert_eq!(handled + dropped, sent, "seed {seed}: {handled} handled, {dropped} dropped");
        (all_dropped, all_handled) = (all_dropped + dropped, all_handled + handled);
    }
    assert!(all_dropped > 0 && all_handled > 0);
}

#[test]
fn liveness_of_others_does_not_wait_for_a_loop_that_drains() {
    let mut sim = SimRuntime::with_options(SimOptions { workers: 1, ..SimOptions::new(1) });
    let handled = Arc::new(AtomicU64::new(0));
    let sink = sim.spawn("sink", Class::Routing, Sink { handled: Arc::clone(&handled) });
    let ticks = Arc::new(AtomicU64::new(0));
    sim.spawn("ticker", Class::Control, Ticker { ticks: Arc::clone(&ticks) });
    for _ in 0..50_000 {
        sink.send(Class::Bulk, Class::Bulk).unwrap();
    }
    sink.stop_with(Stop::after(Class::Bulk, Duration::MAX));
    let done = sim.run_until_done(Duration::from_secs(60), || sink.is_stopped());
    assert!(done && handled.load(Ordering::Relaxed) == 50_000);
    assert!(ticks.load(Ordering::Relaxed) > 20);
    let late = sim.stats().workers[0].liveness_late;
    assert!(late < Duration::from_millis(1), "{late:?}");
}

/// A liveness timer every millisecond.
struct Ticker {
    ticks: Arc<AtomicU64>,
}

impl Loop for Ticker {
    type Message = ();

    fn start(&mut self, cx: &mut Context<'_>) {
        let timer = cx.timer(Class::Liveness);
        cx.arm_every(timer, Duration::from_millis(1));
    }

    fn message(&mut self, _: &mut Context<'_>, (): ()) {}

    fn timer(&mut self, _: &mut Context<'_>, _: TimerId) {
        self.ticks.fetch_add(1, Ordering::Relaxed);
    }
}

//! Whatever of a loop panics, wherever that is: the loop stops and is reported, its worker and the other loops go on.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a failure is what a test is for"
)]

mod common;

use std::{
    net::SocketAddr,
    panic::{AssertUnwindSafe, catch_unwind, panic_any},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc::{Receiver, Sender},
    },
};

use common::{eventually, next, told};
use dunlin_runtime::{
    Address, Class, ClockJump, ClockReading, ClockSource, ConnectOptions, Context, Duration,
    EventId, JobId, ListenOptions, LogLevel, LogRecord, Loop, LoopId, Panic, Progress, Ready,
    Runtime, RuntimeHandle, RuntimeOptions, SocketId, StatsReply, Stop, StopOutcome, Survey,
    SystemClocks, TimerId, Watch, WorkId,
    kit::{
        client::{Client, ClientOptions, Happened, Target},
        flow::{Flow, FlowStats},
        jobs::JobPriority,
        queue::{Process, QueueOptions, Verdict, WorkQueue},
    },
    sim::{SimOptions, SimRuntime},
};

/// Where the victim panics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    Start,
    Message,
    Liveness,
    Timer,
    Event,
    Deferred,
    Call,
    Work,
    Item,
    Job,
    JobNow,
    Scope,
    Spawn,
    Ready,
    Client,
    Clock,
    Stop,
    LastWords,
    /// Not the handler but what tells whether the loop is essential.
    Essential,
    /// The handler, with something whose destructor panics again.
    Payload,
    /// What the loop shows of what is under way in it.
    Shown,
    /// The destructor of its state, after a handler.
    State,
    /// The destructors of two messages that wait when it stops.
    Messages,
    /// The destructor of one that is passed over while others are drained.
    Drained,
}

impl At {
    /// All, with what the report calls it.
    const ALL: [(Self, &str); 24] = [
        (Self::Start, "a start handler"),
        (Self::Message, "a message handler"),
        (Self::Liveness, "a message handler"),
        (Self::Timer, "a timer handler"),
        (Self::Event, "a event handler"),
        (Self::Deferred, "a event handler"),
        (Self::Call, "a message handler"),
        (Self::Work, "a work handler"),
        (Self::Item, "a work handler"),
        (Self::Job, "a job handler"),
        (Self::JobNow, "a message handler"),
        (Self::Scope, "a message handler"),
        (Self::Spawn, "a message handler"),
        (Self::Ready, "a ready handler"),
        (Self::Client, "a ready handler"),
        (Self::Clock, "a ask handler"),
        (Self::Stop, "a stop handler"),
        (Self::LastWords, "a message handler"),
        (Self::Essential, "a message handler"),
        (Self::Payload, "a message handler"),
        (Self::Shown, "what it shows of its flows"),
        (Self::State, "the state"),
        (Self::Messages, "a message"),
        (Self::Drained, "a message that was dropped"),
    ];
}

enum Word {
    Go,
    /// Panics when it is dropped, if so.
    Heavy(bool),
}

impl Drop for Word {
    fn drop(&mut self) {
        if let Self::Heavy(true) = self {
            panic!("dropped");
        }
    }
}

/// Panics when it is dropped, with another of its kind.
struct Again(u8);

impl Drop for Again {
    fn drop(&mut self) {
        if self.0 > 0 {
            panic_any(Self(self.0 - 1));
        }
    }
}

struct Shown;

impl Flow for Shown {
    fn stats(&self) -> FlowStats {
        panic!("not to be seen");
    }
}

/// Panics where it is told to.
struct Victim {
    at: At,
    home: SocketAddr,
    queue: Option<WorkQueue<()>>,
    client: Option<Client>,
    shown: Option<Arc<Shown>>,
    told: Sender<String>,
}

impl Victim {
    fn panics(&self, at: At) {
        assert_ne!(self.at, at, "here");
    }

    fn listen(&self, cx: &mut Context<'_>) -> SocketAddr {
        let listener = cx.listen(self.home, &ListenOptions::default()).unwrap();
        cx.local_addr(listener).unwrap()
    }

    fn go(&mut self, cx: &mut Context<'_>) {
        match self.at {
            At::Timer => {
                let timer = cx.timer(Class::Control);
                cx.arm(timer, cx.now());
            }
            At::Event => {
                let event = cx.event(Class::Bulk);
                cx.schedule(event);
            }
            At::Deferred => {
                let event = cx.event(Class::Bulk);
                cx.defer(event);
            }
            At::Call => {
                let event = cx.event(Class::Bulk);
                cx.run_now(self, event);
            }
            At::Work => {
                let work = cx.work(Class::Bulk);
                cx.queue(work);
            }
            At::Item => {
                let mut queue = WorkQueue::new(cx, "q", Class::Routing, QueueOptions::default());
                queue.push(cx, ());
                self.queue = Some(queue);
            }
            At::Job => {
                let job = cx.job("job", JobPriority::REFRESH);
                cx.start_job(job);
            }
            At::JobNow => {
                let job = cx.job("job", JobPriority::REFRESH);
                cx.run_job_now(self, job);
            }
            At::Scope => {
                let scope = cx.scope();
                cx.in_scope(scope, |_| panic!("here"));
            }
            At::Spawn => {
                cx.spawn_with::<Self>("child", Class::Control, |_| panic!("here"));
            }
            At::Ready => {
                let address = self.listen(cx);
                cx.connect(address, &ConnectOptions::default()).unwrap();
            }
            At::Client => {
                let target = Target::Tcp(self.listen(cx), ConnectOptions::default());
                let mut client = Client::new(cx, "client", target, ClientOptions::default());
                let _ = client.start(cx);
                self.client = Some(client);
            }
            At::Stop | At::State => cx.stop_self(),
            At::Messages | At::Drained => {
                let own = cx.own::<Word>().unwrap();
                for heavy in [true, false, true] {
                    own.send(Class::Bulk, Word::Heavy(heavy)).unwrap();
                }
                let classes = Stop::after(Class::Control, Duration::from_secs(9));
                cx.stop_self_with(if self.at == At::Messages { Stop::NOW } else { classes });
            }
            At::Payload => panic_any(Again(3)),
            At::Message | At::Liveness | At::LastWords | At::Essential => panic!("here"),
            At::Start | At::Clock | At::Shown => {}
        }
    }
}

impl Loop for Victim {
    type Message = Word;

    fn start(&mut self, cx: &mut Context<'_>) {
        self.panics(At::Start);
        cx.watch_clock();
        if self.at == At::Shown {
            let shown = Arc::new(Shown);
            cx.show_flow(&shown);
            self.shown = Some(shown);
        }
    }

    fn message(&mut self, cx: &mut Context<'_>, word: Word) {
        if let Word::Go = word {
            self.go(cx);
        }
    }

    fn timer(&mut self, cx: &mut Context<'_>, timer: TimerId) {
        self.panics(At::Timer);
        if let Some(client) = &mut self.client {
            let _ = client.timer(cx, timer);
        }
        if let Some(queue) = &mut self.queue {
            queue.timer(cx, timer);
        }
    }

    fn event(&mut self, _: &mut Context<'_>, _: EventId) {
        panic!("here");
    }

    fn ready(&mut self, cx: &mut Context<'_>, socket: SocketId, ready: Ready) {
        self.panics(At::Ready);
        let client = self.client.as_mut().unwrap();
        if let Happened::Connected(_) = client.ready(cx, socket, ready) {
            panic!("here");
        }
    }

    fn work(&mut self, cx: &mut Context<'_>, _: WorkId) -> Progress {
        self.panics(At::Work);
        WorkQueue::run(self, cx, |own| own.queue.as_mut().unwrap())
    }

    fn job(&mut self, _: &mut Context<'_>, _: JobId) -> Progress {
        panic!("here");
    }

    fn clock_jumped(&mut self, _: &mut Context<'_>, _: &ClockJump) {
        self.panics(At::Clock);
    }

    fn stop(&mut self, _: &mut Context<'_>) {
        self.panics(At::Stop);
    }

    fn is_essential(&self) -> bool {
        self.panics(At::Essential);
        false
    }

    fn panicked(&mut self, panic: &Panic) {
        self.told.send(panic.handler.to_owned()).unwrap();
        self.panics(At::LastWords);
    }
}

impl Process<()> for Victim {
    fn process(&mut self, _: &mut Context<'_>, (): &mut ()) -> Verdict {
        panic!("here");
    }
}

impl Drop for Victim {
    fn drop(&mut self) {
        self.panics(At::State);
    }
}

/// Another loop of the same worker: ticks, and answers.
struct Neighbour {
    ticks: Arc<AtomicU64>,
    told: Sender<u32>,
}

impl Loop for Neighbour {
    type Message = u32;

    fn start(&mut self, cx: &mut Context<'_>) {
        let timer = cx.timer(Class::Liveness);
        cx.arm_every(timer, Duration::from_millis(1));
    }

    fn message(&mut self, _: &mut Context<'_>, number: u32) {
        self.told.send(number).unwrap();
    }

    fn timer(&mut self, _: &mut Context<'_>, _: TimerId) {
        self.ticks.fetch_add(1, Ordering::Relaxed);
    }
}

/// The system's clocks, but for the wall clock, which somebody sets.
struct Clocks(Arc<AtomicU64>);

impl ClockSource for Clocks {
    fn read(&self) -> Option<ClockReading> {
        let reading = SystemClocks.read()?;
        Some(ClockReading { wall: reading.wall + self.0.load(Ordering::Relaxed), ..reading })
    }
}

/// A runtime with a neighbour, on threads or simulated.
struct World {
    sim: Option<SimRuntime>,
    real: Option<Runtime>,
    logged: Receiver<LogRecord>,
    ticks: Arc<AtomicU64>,
    neighbour: Address<u32>,
    answers: Receiver<u32>,
}

impl World {
    fn new(is_simulated: bool, clock: &Arc<AtomicU64>) -> Self {
        let (log, logged) = told();
        let log = Arc::new(move |record: &LogRecord| drop(log.send(record.clone())));
        let (mut sim, mut real) = (None, None);
        if is_simulated {
            let options = SimOptions { workers: 1, log: Some(log), ..SimOptions::new(7) };
            sim = Some(SimRuntime::with_options(options));
        } else {
            let clocks = Arc::new(Clocks(Arc::clone(clock)));
            let options =
                RuntimeOptions { log, clocks, watch: Watch::OFF, ..RuntimeOptions::default() };
            real = Some(Runtime::new(options).unwrap());
        }
        let handle = sim.as_ref().map(SimRuntime::handle);
        let handle = handle.or(real.as_ref().map(Runtime::handle)).unwrap();
        let (told, answers) = told();
        let ticks = Arc::new(AtomicU64::new(0));
        let neighbour = Neighbour { ticks: Arc::clone(&ticks), told };
        let neighbour = handle.spawn("neighbour", Class::Control, neighbour);
        Self { sim, real, logged, ticks, neighbour, answers }
    }

    fn handle(&self) -> RuntimeHandle {
        let sim = self.sim.as_ref().map(SimRuntime::handle);
        sim.or(self.real.as_ref().map(Runtime::handle)).unwrap()
    }

    fn victim(&self, at: At) -> (Address<Word>, Receiver<String>) {
        let home = if self.sim.is_some() { "10.0.0.1:7" } else { "127.0.0.1:0" };
        let (told, heard) = told();
        let (home, queue, client, shown) = (home.parse().unwrap(), None, None, None);
        let victim = Victim { at, home, queue, client, shown, told };
        (self.handle().spawn("victim", Class::Control, victim), heard)
    }

    /// Loops that have panicked.
    fn stops(&self) -> u64 {
        let sim = self.sim.as_ref().map(SimRuntime::stats);
        sim.or(self.real.as_ref().map(Runtime::stats)).unwrap().stops.panicked
    }

    /// Lets things happen until this is so.
    fn until(&mut self, what: &str, mut is_so: impl FnMut() -> bool) {
        match &mut self.sim {
            Some(sim) => assert!(sim.run_until_done(Duration::from_secs(5), is_so), "{what}"),
            None => eventually(what, &mut is_so),
        }
    }

    /// The next report of an error.
    fn error(&mut self) -> LogRecord {
        if let Some(sim) = &mut self.sim {
            sim.run_for(Duration::from_millis(300));
        }
        loop {
            let record = next(&self.logged);
            if record.level >= LogLevel::Error {
                return record;
            }
        }
    }

    /// The neighbour ticks on and answers, so its worker lives.
    fn lives(&mut self, what: &str) {
        self.neighbour.send(Class::Control, 5).unwrap();
        if let Some(sim) = &mut self.sim {
            sim.run_for(Duration::from_millis(10));
        }
        assert_eq!(next(&self.answers), 5, "{what}");
        let (before, ticks) = (self.ticks.load(Ordering::Relaxed), Arc::clone(&self.ticks));
        self.until(what, || ticks.load(Ordering::Relaxed) > before + 2);
        let more: Vec<_> =
            self.logged.try_iter().filter(|one| one.level >= LogLevel::Error).collect();
        assert!(more.is_empty(), "{what}: {more:?}");
    }
}

/// One victim: it is stopped and reported, and nothing else is.
fn perishes(world: &mut World, clock: &AtomicU64, at: At, who: &str) {
    let what = format!("{at:?}, simulated: {}", world.sim.is_some());
    let before = world.stops();
    let (victim, heard) = world.victim(at);
    // One that starts no more gives it back.
    let class = if at == At::Liveness { Class::Liveness } else { Class::Control };
    let _ = victim.send(class, Word::Go);
    match (at, &mut world.sim) {
        (At::Clock, Some(sim)) => {
            sim.run_for(Duration::from_millis(300));
            sim.set_wall(3_600_000_000_000);
        }
        (At::Clock, None) => {
            std::thread::park_timeout(Duration::from_millis(250));
            clock.fetch_add(3_600_000_000_000, Ordering::Relaxed);
        }
        (At::Shown, Some(sim)) => {
            sim.run_for(Duration::from_millis(1));
            world.stops();
        }
        (At::Shown, None) => {
            while !victim.is_stopped() {
                world.stops();
            }
        }
        _ => {}
    }
    let record = world.error();
    assert_eq!(record.loop_name.as_deref(), Some("victim"), "{what}");
    assert_eq!(record.level, LogLevel::Error, "{what}");
    assert!(record.text.starts_with(&format!("{who} panicked")), "{what}: {}", record.text);
    match at {
        At::Messages => assert!(record.text.ends_with("(and 1 more)"), "{}", record.text),
        At::Drained => {
            let next = world.error().text;
            assert!(next.starts_with("a message panicked as the loop went: dropped"), "{next}");
        }
        _ => {}
    }
    world.until(&what, || victim.is_stopped());
    if !matches!(at, At::State | At::Messages) {
        let handler = next(&heard);
        assert!(who.contains(&handler) || handler == "flow", "{what}: {handler}");
    }
    world.lives(&what);
    assert_eq!(world.stops(), before + 1, "{what}");
}

#[test]
fn a_panic_anywhere_in_a_loop_stops_and_reports_that_loop_alone() {
    let clock = Arc::new(AtomicU64::new(0));
    for is_simulated in [true, false] {
        let mut world = World::new(is_simulated, &clock);
        for (at, who) in At::ALL {
            perishes(&mut world, &clock, at, who);
        }
    }
}

/// Does nothing, or what it is sent.
struct Quiet;

impl Loop for Quiet {
    type Message = Box<dyn FnOnce(&mut Context<'_>) + Send>;

    fn message(&mut self, cx: &mut Context<'_>, message: Self::Message) {
        message(cx);
    }
}

/// A loop that is there, and has run.
fn quiet(world: &mut World) -> Address<<Quiet as Loop>::Message> {
    let quiet = world.handle().spawn("quiet", Class::Control, Quiet);
    let (told, heard) = told();
    quiet.send(Class::Control, Box::new(move |_| told.send(()).unwrap())).unwrap();
    world.until("it runs", || heard.try_recv().is_ok());
    quiet
}

#[test]
fn what_follows_a_cancellation_may_panic_and_stops_nobody() {
    for is_simulated in [true, false] {
        let mut world = World::new(is_simulated, &Arc::default());
        let quiet = quiet(&mut world);
        let (told, heard) = told();
        let make: <Quiet as Loop>::Message = Box::new(move |cx| {
            let timer = cx.timer(Class::Control);
            told.send(cx.timer_canceller(timer)).unwrap();
        });
        quiet.send(Class::Control, make).unwrap();
        world.until("made", || !quiet.is_stopped());
        if let Some(sim) = &mut world.sim {
            sim.run_for(Duration::from_millis(10));
        }
        let canceller = next(&heard);
        canceller.cancel_with(|_| panic!("after"));
        let record = world.error();
        assert!(record.text.starts_with("what was to follow a cancellation panicked: after"));
        // Two that come too late: dropped as the loop goes, one by one; and who waits for its end hears of it.
        let (told, ended) = told_of_end();
        let canceller = canceller.clone();
        let end: <Quiet as Loop>::Message = Box::new(move |cx| {
            cx.stop_self();
            canceller.cancel_with(|_| panic!("first"));
            canceller.cancel_with(|_| panic!("second"));
            let own = cx.own::<<Quiet as Loop>::Message>().unwrap();
            own.stop_then(Stop::NOW, |_| panic!("third"));
            own.stop_then(Stop::NOW, move |report| told.send(report.outcome).unwrap());
            panic!("here");
        });
        quiet.send(Class::Control, end).unwrap();
        let text = world.error().text;
        assert!(text.starts_with("a message handler panicked"), "{text}");
        let text = world.error().text;
        let starts = "what was to follow a cancellation panicked as the loop went: first";
        assert!(text.starts_with(starts) && text.ends_with("(and 2 more)"), "{text}");
        assert_eq!(next(&ended), StopOutcome::Panicked);
        world.lives("after the end");
    }
}

fn told_of_end() -> (Sender<StopOutcome>, Receiver<StopOutcome>) {
    told()
}

/// Panics when it is dropped.
struct Heavy;

impl Drop for Heavy {
    fn drop(&mut self) {
        panic!("too heavy");
    }
}

#[test]
fn a_state_whose_destructor_panics_is_reported_and_told() {
    for is_simulated in [true, false] {
        let mut world = World::new(is_simulated, &Arc::default());
        let (victim, _heard) = world.victim(At::State);
        let (told, ended) = told_of_end();
        victim.stop_then(Stop::default(), move |report| told.send(report.outcome).unwrap());
        assert!(world.error().text.starts_with("the state panicked as the loop went: "));
        assert_eq!(next(&ended), StopOutcome::Panicked);
        world.lives("after that");
    }
}

/// Which loops are wanted.
fn which(_: &str, _: LoopId) -> bool {
    panic!("which?")
}

#[test]
fn what_asks_for_statistics_may_panic_and_stops_nobody() {
    for is_simulated in [true, false] {
        let mut world = World::new(is_simulated, &Arc::default());
        world.handle().collect_stats(StatsReply::new(|_| panic_any(Heavy)));
        let text = world.error().text;
        assert!(text.starts_with("what was to receive statistics panicked: no reason"), "{text}");
        let wanted = Some(Arc::new(which) as dunlin_runtime::Wanted);
        let loops = dunlin_runtime::Loops::Page { after: None, most: 5, wanted, details: true };
        let (told, heard) = told();
        let reply = StatsReply::new(move |stats| told.send(stats.loops.len()).unwrap());
        world.handle().survey(Survey { loops, handlers: true }, reply);
        if let Some(sim) = &mut world.sim {
            sim.run_for(Duration::from_millis(10));
        }
        assert_eq!(next(&heard), 0);
        world.lives("after both");
    }
}

#[test]
fn a_loop_that_is_never_made_is_stopped_for_those_who_have_its_address() {
    for is_simulated in [true, false] {
        let mut world = World::new(is_simulated, &Arc::default());
        let (told, heard) = told();
        let (handle, ended) = (world.handle(), Arc::new(AtomicU64::new(0)));
        let count = Arc::clone(&ended);
        let made = catch_unwind(AssertUnwindSafe(move || {
            handle.spawn_with::<Quiet>("unborn", Class::Control, |own| {
                own.stop_then(Stop::NOW, move |_| {
                    count.fetch_add(1, Ordering::Relaxed);
                });
                let heavy = Heavy;
                own.send(Class::Bulk, Box::new(move |_| drop(heavy))).unwrap();
                told.send(own).unwrap();
                panic!("it cannot be made");
            })
        }));
        assert!(made.is_err());
        let text = world.error().text;
        assert!(text.starts_with("a message panicked as the loop went: too heavy"), "{text}");
        let address = next(&heard);
        assert!(address.is_stopped() && address.send(Class::Control, Box::new(|_| {})).is_err());
        assert_eq!(ended.load(Ordering::Relaxed), 1);
        world.lives("after that");
    }
}

#[test]
fn a_log_that_panics_loses_what_it_was_told_and_stops_no_worker() {
    let (told, heard) = told();
    let log = move |record: &LogRecord| {
        if record.level == LogLevel::Error {
            panic!("no room in the log");
        }
        told.send(record.clone()).unwrap();
    };
    let options = RuntimeOptions { log: Arc::new(log), ..RuntimeOptions::default() };
    let runtime = Runtime::new(options).unwrap();
    let quiet = runtime.spawn("quiet", Class::Control, Quiet);
    quiet.send(Class::Control, Box::new(|_| panic!("here"))).unwrap();
    eventually("stopped", || quiet.is_stopped());
    let (answer, answers) = common::told();
    let other = runtime.spawn("other", Class::Control, Quiet);
    other.send(Class::Control, Box::new(move |_| answer.send(9).unwrap())).unwrap();
    assert_eq!(next(&answers), 9);
    runtime.shutdown();
    assert!(heard.try_iter().all(|record| record.level < LogLevel::Fatal));
}

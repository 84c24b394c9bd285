//! Cancelling what belongs to another loop: never waits, always answers, exactly.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod common;

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering},
    mpsc::{Receiver, Sender, channel},
};

use common::{eventually, next, runtime, told};
use dunlin_runtime::{
    Address, Cancellation, Canceller, Class, Context, Duration, EventHandle, EventId, Loop,
    Progress, Runtime, RuntimeOptions, Scheduling, TimerId, WorkId,
    sim::{SimOptions, SimRuntime},
};

/// What the owner of the things shares with the tests.
struct Handles {
    event: EventHandle,
    doomed: EventHandle,
    timer: Canceller,
    work: Canceller,
}

enum Do {
    Handles(Sender<Handles>),
    /// Occupies its worker until the flag is set; says so when it begins and when it ends.
    Busy(Arc<AtomicBool>, Sender<()>),
    Arm(Sender<()>),
    Queue(Sender<()>),
    Remove,
}

struct Owner {
    event: EventId,
    doomed: EventId,
    timer: TimerId,
    work: WorkId,
    ran: Arc<AtomicU64>,
}

impl Owner {
    fn spawn(runtime: &Runtime) -> (Address<Do>, Handles, Arc<AtomicU64>) {
        let ran = Arc::new(AtomicU64::new(0));
        let owner = Self {
            event: EventId::NONE,
            doomed: EventId::NONE,
            timer: TimerId::NONE,
            work: WorkId::NONE,
            ran: Arc::clone(&ran),
        };
        let owner = runtime.spawn("owner", Class::Control, owner);
        let (sender, handles) = channel();
        owner.send(Class::Control, Do::Handles(sender)).unwrap();
        (owner, next(&handles), ran)
    }
}

impl Loop for Owner {
    type Message = Do;

    fn start(&mut self, cx: &mut Context<'_>) {
        (self.event, self.doomed) = (cx.event(Class::Routing), cx.event(Class::Routing));
        (self.timer, self.work) = (cx.timer(Class::Control), cx.work(Class::Bulk));
    }

    fn message(&mut self, cx: &mut Context<'_>, message: Do) {
        match message {
            Do::Handles(sender) => {
                let handles = Handles {
                    event: cx.event_handle(self.event),
                    doomed: cx.event_handle(self.doomed),
                    timer: cx.timer_canceller(self.timer),
                    work: cx.work_canceller(self.work),
                };
                sender.send(handles).unwrap();
            }
            Do::Busy(until, done) => {
                done.send(()).unwrap();
                while !until.load(Ordering::Relaxed) {
                    core::hint::spin_loop();
                }
                done.send(()).unwrap();
            }
            Do::Arm(done) => {
                cx.arm_after(self.timer, Duration::from_secs(1000));
                done.send(()).unwrap();
            }
            Do::Queue(done) => {
                cx.queue(self.work);
                done.send(()).unwrap();
            }
            Do::Remove => cx.remove_event(self.doomed),
        }
    }

    fn event(&mut self, _: &mut Context<'_>, _: EventId) {
        self.ran.fetch_add(1, Ordering::Relaxed);
    }

    /// A job that has no end.
    fn work(&mut self, _: &mut Context<'_>, _: WorkId) -> Progress {
        Progress::More
    }
}

fn cancel(canceller: &Canceller) -> Receiver<Cancellation> {
    let (told, heard) = told();
    canceller.cancel_with(move |outcome| told.send(outcome).unwrap());
    heard
}

/// Had cancelling waited, this would never end: the owner goes on only afterwards.
#[test]
fn cancelling_something_of_a_busy_loop_returns_at_once() {
    let runtime = runtime(2);
    let (owner, handles, ran) = Owner::spawn(&runtime);
    let (until, (told, done)) = (Arc::new(AtomicBool::new(false)), told());
    owner.send(Class::Control, Do::Busy(Arc::clone(&until), told)).unwrap();
    next(&done);
    assert_eq!(handles.event.schedule(), Scheduling::Scheduled);
    assert_eq!(handles.event.schedule(), Scheduling::AlreadyPending);
    let heard = cancel(&handles.event.canceller());
    common::burn(Duration::from_millis(120));
    assert!(heard.try_recv().is_err(), "its handler may run, for all we know");
    until.store(true, Ordering::Relaxed);
    assert_eq!(next(&heard), Cancellation::Cancelled);
    next(&done);
    assert_eq!(next(&cancel(&handles.event.canceller())), Cancellation::AlreadyRan);
    assert_eq!(ran.load(Ordering::Relaxed), 0);
}

#[test]
fn what_came_of_it_is_told_exactly() {
    let runtime = runtime(1);
    let (owner, handles, ran) = Owner::spawn(&runtime);
    let (event, timer, work) = (handles.event.canceller(), handles.timer, handles.work);
    for nothing_to_cancel in [&event, &timer, &work] {
        assert_eq!(next(&cancel(nothing_to_cancel)), Cancellation::AlreadyRan);
    }
    let (told, done) = told();
    owner.send(Class::Control, Do::Arm(told.clone())).unwrap();
    next(&done);
    assert_eq!(next(&cancel(&timer)), Cancellation::Cancelled);
    owner.send(Class::Control, Do::Queue(told)).unwrap();
    next(&done);
    assert_eq!(next(&cancel(&work)), Cancellation::Cancelled, "between two pieces");
    assert_eq!(handles.event.schedule(), Scheduling::Scheduled);
    eventually("it has run", || ran.load(Ordering::Relaxed) == 1);
    owner.send(Class::Control, Do::Remove).unwrap();
    eventually("removed", || handles.doomed.schedule() == Scheduling::Gone);
    assert_eq!(next(&cancel(&handles.doomed.canceller())), Cancellation::Gone);
    owner.stop();
    eventually("stopped", || owner.is_stopped());
    for stopped in [&event, &timer, &work] {
        assert_eq!(next(&cancel(stopped)), Cancellation::Stopped);
    }
    assert_eq!(handles.event.schedule(), Scheduling::Stopped);
}

#[test]
fn who_asks_a_loop_that_stops_before_it_gets_there_is_told() {
    let runtime = runtime(1);
    let (owner, handles, _) = Owner::spawn(&runtime);
    let (until, (told, done)) = (Arc::new(AtomicBool::new(false)), told());
    owner.send(Class::Control, Do::Busy(Arc::clone(&until), told)).unwrap();
    next(&done);
    let first = cancel(&handles.timer);
    owner.stop();
    let heard: Vec<_> = (0..100).map(|_| cancel(&handles.timer)).collect();
    until.store(true, Ordering::Relaxed);
    next(&done);
    next(&first);
    for heard in heard {
        let outcome = next(&heard);
        assert!([Cancellation::AlreadyRan, Cancellation::Stopped].contains(&outcome));
    }
    // Dropped with the runtime, under way.
    drop(runtime);
    assert_eq!(next(&cancel(&handles.timer)), Cancellation::Stopped);
}

#[test]
fn a_completion_that_panics_harms_only_itself() {
    let (log, logged) = told();
    let options = RuntimeOptions {
        // Others may keep the processor from this test.
        watch: dunlin_runtime::Watch::OFF,
        log: Arc::new(move |record: &dunlin_runtime::LogRecord| {
            log.send(record.text.clone()).unwrap();
        }),
        ..RuntimeOptions::default()
    };
    let runtime = Runtime::new(options).unwrap();
    let (owner, handles, _) = Owner::spawn(&runtime);
    handles.timer.cancel_with(|_| panic!("as told"));
    assert_eq!(next(&cancel(&handles.timer)), Cancellation::AlreadyRan);
    assert!(next(&logged).contains("cancellation panicked"));
    assert!(!owner.is_stopped());
}

/// Cancels the other's event, over and over, from its handlers.
struct Rival {
    event: EventId,
    other: Option<EventHandle>,
    rounds: u32,
    done: Sender<()>,
}

enum Between {
    Handle(Sender<EventHandle>),
    Rival(EventHandle),
    Answer(Cancellation),
}

impl Rival {
    fn round(&mut self, cx: &mut Context<'_>) {
        let own = cx.own::<Between>().unwrap();
        let other = self.other.as_ref().unwrap();
        assert!(other.schedule().will_run());
        other.canceller().cancel_to(&own, Class::Control, Between::Answer);
    }
}

impl Loop for Rival {
    type Message = Between;

    fn start(&mut self, cx: &mut Context<'_>) {
        self.event = cx.event(Class::Control);
    }

    fn message(&mut self, cx: &mut Context<'_>, message: Between) {
        match message {
            Between::Handle(sender) => sender.send(cx.event_handle(self.event)).unwrap(),
            Between::Rival(other) => {
                self.other = Some(other);
                self.round(cx);
            }
            Between::Answer(outcome) => {
                assert!([Cancellation::Cancelled, Cancellation::AlreadyRan].contains(&outcome));
                self.rounds -= 1;
                match self.rounds {
                    0 => self.done.send(()).unwrap(),
                    _ => self.round(cx),
                }
            }
        }
    }

    fn event(&mut self, _: &mut Context<'_>, _: EventId) {}
}

#[test]
fn two_loops_that_cancel_each_other_both_get_their_answers() {
    let runtime = runtime(2);
    let (done, dones) = told();
    let handle = |address: &Address<Between>| {
        let (sender, handle) = channel();
        address.send(Class::Control, Between::Handle(sender)).unwrap();
        next(&handle)
    };
    let spawn = |name| {
        let done = done.clone();
        let rival = Rival { event: EventId::NONE, other: None, rounds: 3_000, done };
        runtime.spawn(name, Class::Control, rival)
    };
    let (a, b) = (spawn("a"), spawn("b"));
    a.send(Class::Control, Between::Rival(handle(&b))).unwrap();
    b.send(Class::Control, Between::Rival(handle(&a))).unwrap();
    next(&dones);
    next(&dones);
}

/// Schedules an event of another loop, and has it cancelled; after the answer it must not run.
struct Checker {
    target: Option<EventHandle>,
    /// Handlers of the target begun and ended.
    begun: Arc<AtomicU32>,
    ended: Arc<AtomicU32>,
    /// What `begun` was when the answer came, to be compared after a while.
    then: u32,
    timer: TimerId,
    rounds: u32,
    outcomes: [u32; 2],
    done: Sender<[u32; 2]>,
}

enum Check {
    Target(EventHandle),
    Answer(Cancellation),
}

impl Checker {
    fn round(&mut self, cx: &mut Context<'_>) {
        let own = cx.own::<Check>().unwrap();
        let target = self.target.as_ref().unwrap();
        for _ in 0..cx.random() % 3 {
            let _ = target.schedule();
        }
        if cx.random().is_multiple_of(2) {
            let span = Duration::from_micros(cx.random() % 50);
            cx.sim_consume(span);
        }
        target.canceller().cancel_to(&own, Class::Control, Check::Answer);
    }
}

impl Loop for Checker {
    type Message = Check;

    fn start(&mut self, cx: &mut Context<'_>) {
        self.timer = cx.timer(Class::Control);
    }

    fn message(&mut self, cx: &mut Context<'_>, message: Check) {
        match message {
            Check::Target(target) => {
                self.target = Some(target);
                self.round(cx);
            }
            Check::Answer(outcome) => {
                self.outcomes[usize::from(outcome == Cancellation::AlreadyRan)] += 1;
                let (begun, ended) = (&self.begun, &self.ended);
                self.then = begun.load(Ordering::Acquire);
                assert_eq!(ended.load(Ordering::Acquire), self.then, "it does not run now");
                let span = Duration::from_micros(cx.random() % 200);
                cx.arm_after(self.timer, span);
            }
        }
    }

    fn timer(&mut self, cx: &mut Context<'_>, _: TimerId) {
        assert_eq!(self.begun.load(Ordering::Acquire), self.then, "it did not run since");
        self.rounds -= 1;
        match self.rounds {
            0 => self.done.send(self.outcomes).unwrap(),
            _ => self.round(cx),
        }
    }
}

/// Its event takes a while, and it has other things to do.
struct Target {
    event: EventId,
    other: EventId,
    begun: Arc<AtomicU32>,
    ended: Arc<AtomicU32>,
}

impl Loop for Target {
    type Message = Address<Check>;

    fn start(&mut self, cx: &mut Context<'_>) {
        (self.event, self.other) = (cx.event(Class::Routing), cx.event(Class::Bulk));
        cx.schedule(self.other);
    }

    fn message(&mut self, cx: &mut Context<'_>, checker: Address<Check>) {
        let handle = cx.event_handle(self.event);
        checker.send(Class::Control, Check::Target(handle)).unwrap();
    }

    fn event(&mut self, cx: &mut Context<'_>, event: EventId) {
        if event == self.other {
            cx.sim_consume(Duration::from_micros(10));
            cx.schedule(event);
            return;
        }
        self.begun.fetch_add(1, Ordering::AcqRel);
        cx.sim_consume(Duration::from_micros(20));
        for _ in 0..50 {
            core::hint::spin_loop();
        }
        self.ended.fetch_add(1, Ordering::AcqRel);
    }
}

fn checked(
    spawn_target: impl FnOnce(Target) -> Address<Address<Check>>,
    spawn_checker: impl FnOnce(Checker) -> Address<Check>,
    rounds: u32,
) -> Receiver<[u32; 2]> {
    let (begun, ended) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
    let (done, dones) = channel();
    let checker = Checker {
        target: None,
        begun: Arc::clone(&begun),
        ended: Arc::clone(&ended),
        then: 0,
        timer: TimerId::NONE,
        rounds,
        outcomes: [0; 2],
        done,
    };
    let checker = spawn_checker(checker);
    let target = Target { event: EventId::NONE, other: EventId::NONE, begun, ended };
    spawn_target(target).send(Class::Control, checker).unwrap();
    dones
}

#[test]
fn after_the_answer_it_neither_runs_nor_will() {
    let runtime = runtime(2);
    let dones = checked(
        |target| runtime.spawn("target", Class::Control, target),
        |checker| runtime.spawn("checker", Class::Control, checker),
        1_000,
    );
    let outcomes = next(&dones);
    println!("cancelled, already ran: {outcomes:?}");
}

#[test]
fn the_same_in_simulations_where_loops_move_and_workers_come_and_go() {
    let mut sums = [0; 2];
    for seed in 0..30 {
        let options = SimOptions { workers: 3, moves: 50, ..SimOptions::new(seed) };
        let mut sim = SimRuntime::with_options(options);
        let dones = checked(
            |target| sim.spawn("target", Class::Control, target),
            |checker| sim.spawn("checker", Class::Control, checker),
            200,
        );
        sim.run_for(Duration::from_millis(2));
        sim.resize(1);
        sim.run_for(Duration::from_millis(2));
        sim.resize(4);
        sim.run_for(Duration::from_secs(2));
        let outcomes = dones.try_recv().unwrap_or_else(|_| panic!("seed {seed}"));
        sums = [sums[0] + outcomes[0], sums[1] + outcomes[1]];
    }
    println!("cancelled, already ran: {sums:?}");
    assert!(sums.iter().all(|sum| *sum > 300), "{sums:?}");
}

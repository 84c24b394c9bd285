//! Jobs for idle time, on real workers and in the simulation.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod common;

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
    mpsc::Sender,
};

use common::{burn, eventually, next, runtime, told};
use dunlin_runtime::{
    Address, Cancel, Class, Context, Duration, EventId, JobId, Loop, Progress, Scheduling, TimerId,
    kit::jobs::{FLOOR, JobPriority},
    sim::{SimOptions, SimRuntime},
};

/// Has some jobs, of these priorities, and tells of each step.
struct Steps {
    name: &'static str,
    jobs: Vec<(u8, u32)>,
    ids: Vec<JobId>,
    told: Sender<(&'static str, u8)>,
}

impl Steps {
    fn new(name: &'static str, jobs: &[(u8, u32)], told: &Sender<(&'static str, u8)>) -> Self {
        Self { name, jobs: jobs.to_vec(), ids: Vec::new(), told: told.clone() }
    }
}

impl Loop for Steps {
    type Message = ();

    fn start(&mut self, cx: &mut Context<'_>) {
        for (priority, _) in &self.jobs {
            let job = cx.job(self.name, JobPriority::new(*priority));
            self.ids.push(job);
        }
    }

    fn message(&mut self, cx: &mut Context<'_>, (): ()) {
        for job in &self.ids {
            assert_eq!(cx.start_job(*job), Scheduling::Scheduled);
            assert_eq!(cx.start_job(*job), Scheduling::AlreadyPending);
        }
    }

    fn job(&mut self, _: &mut Context<'_>, job: JobId) -> Progress {
        let at = self.ids.iter().position(|id| *id == job).unwrap();
        let (priority, left) = &mut self.jobs[at];
        self.told.send((self.name, *priority)).unwrap();
        *left -= 1;
        if *left == 0 { Progress::Done } else { Progress::More }
    }
}

fn sim_of_one_worker() -> SimRuntime {
    SimRuntime::with_options(SimOptions { workers: 1, moves: 0, ..SimOptions::new(5) })
}

#[test]
fn priorities_in_order_and_turns_within_one() {
    let mut sim = sim_of_one_worker();
    let (told, steps) = told();
    let loops = [
        sim.spawn("a", Class::Routing, Steps::new("a", &[(7, 2), (3, 2), (3, 2)], &told)),
        sim.spawn("b", Class::Routing, Steps::new("b", &[(3, 3), (0, 2)], &told)),
    ];
    sim.run_for(Duration::from_millis(1));
    for one in &loops {
        one.send(Class::Control, ()).unwrap();
    }
    sim.run_for(Duration::from_millis(10));
    let seen: Vec<_> = steps.try_iter().collect();
    assert_eq!(seen[0..2], [("b", 0), ("b", 0)]);
    // The loops take turns until one has no more.
    let threes = &seen[2..8];
    assert!(threes.windows(2).all(|two| two[0].0 != two[1].0), "{threes:?}");
    assert_eq!(seen[8..], [("a", 3), ("a", 7), ("a", 7)]);
}

/// Has two jobs of one priority and notes whose step it was.
struct Two {
    jobs: Vec<JobId>,
    told: Sender<usize>,
}

impl Loop for Two {
    type Message = ();

    fn start(&mut self, cx: &mut Context<'_>) {
        self.jobs = (0..3).map(|_| cx.job("one of three", JobPriority::REFRESH)).collect();
        for job in &self.jobs {
            cx.start_job(*job);
        }
    }

    fn message(&mut self, _: &mut Context<'_>, (): ()) {}

    fn job(&mut self, _: &mut Context<'_>, job: JobId) -> Progress {
        self.told.send(self.jobs.iter().position(|id| *id == job).unwrap()).unwrap();
        Progress::More
    }
}

#[test]
fn the_jobs_of_one_loop_take_turns() {
    let mut sim = sim_of_one_worker();
    let (told, steps) = told();
    let _two = sim.spawn("two", Class::Routing, Two { jobs: Vec::new(), told });
    sim.run_for(Duration::from_millis(1));
    let seen: Vec<usize> = steps.try_iter().collect();
    assert!(seen.len() > 30 && seen.iter().enumerate().all(|(at, which)| at % 3 == *which));
}

/// Keeps its worker busy for ever: an event that schedules itself.
struct Busy {
    span: Duration,
    event: EventId,
    runs: Arc<AtomicU64>,
}

impl Loop for Busy {
    type Message = ();

    fn start(&mut self, cx: &mut Context<'_>) {
        self.event = cx.event(Class::Routing);
        cx.schedule(self.event);
    }

    fn message(&mut self, _: &mut Context<'_>, (): ()) {}

    fn event(&mut self, cx: &mut Context<'_>, event: EventId) {
        self.runs.fetch_add(1, Ordering::Relaxed);
        cx.sim_consume(self.span);
        cx.schedule(event);
    }
}

/// A job without end, with steps of this length.
struct Endless {
    span: Duration,
    real: bool,
    steps: Arc<AtomicU64>,
}

impl Loop for Endless {
    type Message = ();

    fn start(&mut self, cx: &mut Context<'_>) {
        let job = cx.job("endless", JobPriority::LAST);
        cx.start_job(job);
    }

    fn message(&mut self, _: &mut Context<'_>, (): ()) {}

    fn job(&mut self, cx: &mut Context<'_>, _: JobId) -> Progress {
        self.steps.fetch_add(1, Ordering::Relaxed);
        if self.real {
            burn(self.span);
        }
        cx.sim_consume(self.span);
        Progress::More
    }
}

#[test]
fn a_busy_worker_pays_the_floor_and_no_more() {
    let mut sim = sim_of_one_worker();
    let (runs, steps) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let busy = Busy { span: Duration::from_micros(20), event: EventId::NONE, runs };
    let busy = sim.spawn("busy", Class::Routing, busy);
    let endless =
        Endless { span: Duration::from_micros(100), real: false, steps: Arc::clone(&steps) };
    let _endless = sim.spawn("endless", Class::Routing, endless);
    sim.run_for(Duration::from_secs(2));
    let stats = sim.stats();
    let worker = stats.workers[0];
    let share = worker.jobs.as_secs_f64() / worker.busy.as_secs_f64();
    assert!(share > 0.9 / f64::from(FLOOR) && share < 1.1 / f64::from(FLOOR), "{share}");
    assert_eq!(worker.floor, steps.load(Ordering::Relaxed));
    let job = &stats.loops.iter().find(|one| &*one.name == "endless").unwrap().jobs[0];
    assert_eq!((&*job.name, job.priority, job.waiting), ("endless", JobPriority::LAST, true));
    assert_eq!((job.steps, job.time), (steps.load(Ordering::Relaxed), worker.jobs));
    // Left alone with it, the worker does nothing else.
    busy.stop();
    sim.run_for(Duration::from_secs(1));
    assert!(steps.load(Ordering::Relaxed) > 8_000);
    assert_eq!(sim.stats().workers[0].floor, worker.floor);
}

#[test]
fn a_busy_loop_does_not_keep_its_own_jobs_from_the_floor() {
    struct Both(Busy, Endless);
    impl Loop for Both {
        type Message = ();
        fn start(&mut self, cx: &mut Context<'_>) {
            self.0.start(cx);
            self.1.start(cx);
        }
        fn message(&mut self, _: &mut Context<'_>, (): ()) {}
        fn event(&mut self, cx: &mut Context<'_>, event: EventId) {
            self.0.event(cx, event);
        }
        fn job(&mut self, cx: &mut Context<'_>, job: JobId) -> Progress {
            self.1.job(cx, job)
        }
    }
    let mut sim = sim_of_one_worker();
    let (runs, steps) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let busy = Busy { span: Duration::from_micros(20), event: EventId::NONE, runs };
    let endless =
        Endless { span: Duration::from_micros(100), real: false, steps: Arc::clone(&steps) };
    let _both = sim.spawn("both", Class::Routing, Both(busy, endless));
    sim.run_for(Duration::from_secs(1));
    let steps = steps.load(Ordering::Relaxed);
    assert!((80..=110).contains(&steps), "{steps}");
}

/// A liveness timer, every millisecond.
struct Alive {
    timer: TimerId,
    beats: Arc<AtomicU64>,
}

impl Loop for Alive {
    type Message = ();

    fn start(&mut self, cx: &mut Context<'_>) {
        self.timer = cx.timer(Class::Liveness);
        cx.arm_every(self.timer, Duration::from_millis(1));
    }

    fn message(&mut self, _: &mut Context<'_>, (): ()) {}

    fn timer(&mut self, _: &mut Context<'_>, _: TimerId) {
        self.beats.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn liveness_waits_for_one_step_at_most() {
    let mut sim = sim_of_one_worker();
    let (beats, steps) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let alive = Alive { timer: TimerId::NONE, beats: Arc::clone(&beats) };
    let _alive = sim.spawn("alive", Class::Control, alive);
    for _ in 0..20 {
        let span = Duration::from_micros(300);
        let endless = Endless { span, real: false, steps: Arc::clone(&steps) };
        sim.spawn("endless", Class::Routing, endless);
    }
    sim.run_for(Duration::from_secs(1));
    let late = sim.stats().workers[0].liveness_late;
    assert!(late < Duration::from_micros(350), "{late:?}");
    assert!(beats.load(Ordering::Relaxed) > 990);
    assert!(steps.load(Ordering::Relaxed) > 3000, "{steps:?}");
}

#[test]
fn the_same_seed_runs_the_same_jobs() {
    let run = |seed| {
        let mut sim = SimRuntime::with_options(SimOptions { moves: 50, ..SimOptions::new(seed) });
        let steps = Arc::new(AtomicU64::new(0));
        for _ in 0..5 {
            let span = Duration::from_micros(7);
            let endless = Endless { span, real: false, steps: Arc::clone(&steps) };
            sim.spawn("endless", Class::Routing, endless);
        }
        sim.run_for(Duration::from_millis(20));
        (sim.trace_hash(), steps.load(Ordering::Relaxed))
    };
    assert_eq!(run(3), run(3));
    assert_ne!(run(3).0, run(4).0);
    assert!(run(3).1 > 1000, "moves lose no job");
}

/// Tries what can be done to a job, from in and outside of its steps.
struct Tried {
    job: JobId,
    steps: u32,
    told: Sender<String>,
}

impl Loop for Tried {
    type Message = &'static str;

    fn start(&mut self, cx: &mut Context<'_>) {
        self.job = cx.job("tried", JobPriority::CALCULATION);
    }

    fn message(&mut self, cx: &mut Context<'_>, what: &'static str) {
        let job = self.job;
        let said = match what {
            "start" => format!("{:?}", cx.start_job(job)),
            "cancel" => format!("{:?}", cx.cancel_job(job)),
            "now" => format!("{:?}", cx.run_job_now(self, job)),
            "start and cancel" => {
                format!("{:?} {:?}", cx.start_job(job), cx.cancel_job(job))
            }
            _ => format!("{}", cx.remove_job(job)),
        };
        self.told.send(format!("{what}: {said}, {} steps", self.steps)).unwrap();
    }

    fn job(&mut self, cx: &mut Context<'_>, job: JobId) -> Progress {
        self.steps += 1;
        self.told.send(format!("step {}", self.steps)).unwrap();
        // A step within a step: no.
        assert_eq!(cx.run_job_now(self, job), None);
        if self.steps == 3 {
            assert_eq!(cx.cancel_job(job), Cancel::Running);
        }
        if self.steps < 5 { Progress::More } else { Progress::Done }
    }
}

fn try_all(address: &Address<&'static str>, mut told: impl FnMut() -> String) {
    let tries: [(_, &[_]); 9] = [
        ("cancel", &["cancel: NotPending, 0 steps"]),
        ("start and cancel", &["start and cancel: Scheduled Cancelled, 0 steps"]),
        // It goes on by itself, until its third step cancels it.
        ("now", &["step 1", "now: Some(More), 1 steps", "step 2", "step 3"]),
        ("cancel", &["cancel: NotPending, 3 steps"]),
        ("now", &["step 4", "now: Some(More), 4 steps", "step 5"]),
        ("start", &["start: Scheduled, 5 steps", "step 6"]),
        ("remove", &["remove: false, 6 steps"]),
        ("start", &["start: Gone, 6 steps"]),
        ("now", &["now: None, 6 steps"]),
    ];
    for (what, expected) in tries {
        address.send(Class::Control, what).unwrap();
        for expected in expected {
            assert_eq!(told(), *expected);
        }
    }
}

#[test]
fn start_cancel_and_run_now_in_simulation() {
    let mut sim = sim_of_one_worker();
    let (told, said) = told();
    let tried = sim.spawn("tried", Class::Control, Tried { job: JobId::NONE, steps: 0, told });
    try_all(&tried, || {
        sim.run_for(Duration::from_millis(1));
        said.try_recv().expect("told by now")
    });
}

#[test]
fn start_cancel_and_run_now_on_a_worker() {
    let runtime = runtime(1);
    let (told, said) = told();
    let tried = runtime.spawn("tried", Class::Control, Tried { job: JobId::NONE, steps: 0, told });
    try_all(&tried, || next(&said));
}

/// A job of so many steps.
struct Long {
    left: u32,
    told: Sender<u32>,
}

impl Loop for Long {
    type Message = ();

    fn start(&mut self, cx: &mut Context<'_>) {
        let job = cx.job("long", JobPriority::REFRESH);
        cx.start_job(job);
    }

    fn message(&mut self, _: &mut Context<'_>, (): ()) {}

    fn job(&mut self, _: &mut Context<'_>, _: JobId) -> Progress {
        self.left -= 1;
        if self.left > 0 {
            return Progress::More;
        }
        self.told.send(0).unwrap();
        Progress::Done
    }
}

#[test]
fn jobs_move_with_their_loops() {
    let runtime = runtime(1);
    let (told, done) = told();
    for _ in 0..20 {
        let told = told.clone();
        runtime.spawn("long", Class::Routing, Long { left: 2000, told });
    }
    for threads in [3, 1, 2, 4, 1] {
        runtime.handle().resize(threads);
        eventually("resized", || runtime.stats().workers.len() == threads);
    }
    for _ in 0..20 {
        next(&done);
    }
    let stats = runtime.stats();
    assert!(stats.loops.iter().all(|one| one.jobs[0].steps == 2000 && !one.jobs[0].waiting));
    assert!(stats.loops.iter().all(|one| one.jobs[0].completions == 1));
}

#[test]
fn a_real_busy_worker_pays_the_floor_and_liveness_goes_on() {
    struct Hog(EventId);
    impl Loop for Hog {
        type Message = ();
        fn start(&mut self, cx: &mut Context<'_>) {
            self.0 = cx.event(Class::Routing);
            cx.schedule(self.0);
        }
        fn message(&mut self, _: &mut Context<'_>, (): ()) {}
        fn event(&mut self, cx: &mut Context<'_>, event: EventId) {
            burn(Duration::from_micros(50));
            cx.schedule(event);
        }
    }
    let runtime = runtime(1);
    let (beats, steps) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    runtime.spawn("hog", Class::Routing, Hog(EventId::NONE));
    let alive = Alive { timer: TimerId::NONE, beats: Arc::clone(&beats) };
    runtime.spawn("alive", Class::Control, alive);
    let span = Duration::from_micros(100);
    let endless = Endless { span, real: true, steps: Arc::clone(&steps) };
    runtime.spawn("endless", Class::Routing, endless);
    eventually("the floor is paid", || steps.load(Ordering::Relaxed) >= 20);
    eventually("liveness goes on", || beats.load(Ordering::Relaxed) >= 100);
    let stats = runtime.stats();
    assert!(stats.workers[0].floor >= 20);
    // Preemption by other processes counts as time of whatever ran: a generous bound.
    assert!(stats.workers[0].jobs.as_secs_f64() < 0.2 * stats.workers[0].busy.as_secs_f64());
}

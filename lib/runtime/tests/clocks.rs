//! Jumps of the wall clock and suspends: noticed, told, and without effect on timers.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod common;

use std::sync::{
    Arc,
    atomic::{AtomicI64, AtomicU64, Ordering},
    mpsc::{Sender, channel},
};

use common::{next, told};
use dunlin_runtime::{
    Class, ClockJump, ClockReading, ClockSource, Context, Duration, Loop, Runtime, RuntimeOptions,
    SystemClocks, TimerId,
    sim::{SimOptions, SimRuntime},
};

/// The system's clocks, tampered with.
#[derive(Default)]
struct Tampered {
    wall: AtomicI64,
    suspended: AtomicU64,
}

impl ClockSource for Tampered {
    fn read(&self) -> Option<ClockReading> {
        let real = SystemClocks.read()?;
        let suspended = self.suspended.load(Ordering::Relaxed);
        let wall = real.wall.wrapping_add_signed(self.wall.load(Ordering::Relaxed)) + suspended;
        Some(ClockReading { boot: real.boot + suspended, wall, ..real })
    }
}

/// Tells of jumps, and keeps its worker from sleeping for long.
struct Listener {
    listens: bool,
    ticks: u64,
    told: Sender<Heard>,
}

#[derive(Debug, PartialEq)]
enum Heard {
    Started,
    Jump(ClockJump),
}

impl Loop for Listener {
    type Message = ();

    fn start(&mut self, cx: &mut Context<'_>) {
        if self.listens {
            cx.watch_clock();
            cx.watch_clock();
        }
        let timer = cx.timer(Class::Control);
        cx.arm_every(timer, Duration::from_millis(20));
    }

    fn message(&mut self, _: &mut Context<'_>, (): ()) {}

    fn timer(&mut self, _: &mut Context<'_>, _: TimerId) {
        self.ticks += 1;
        // By now the clocks have been looked at.
        if self.ticks == 20 {
            self.told.send(Heard::Started).unwrap();
        }
    }

    fn clock_jumped(&mut self, _: &mut Context<'_>, jump: &ClockJump) {
        self.told.send(Heard::Jump(*jump)).unwrap();
    }
}

fn is_about(nanos: i64, expected: i64) -> bool {
    (nanos - expected).abs() < 60_000_000
}

const HOUR: i64 = 3_600_000_000_000;

#[test]
fn a_jump_is_logged_once_and_told_to_those_who_asked() {
    let clocks = Arc::new(Tampered::default());
    let (log, logged) = told();
    let options = RuntimeOptions {
        threads: 2,
        clocks: Arc::clone(&clocks) as _,
        log: Arc::new(move |record: &dunlin_runtime::LogRecord| {
            log.send(record.text.clone()).unwrap();
        }),
        ..RuntimeOptions::default()
    };
    let runtime = Runtime::new(options).unwrap();
    let ((told, heard), (other, silent)) = (channel(), channel());
    runtime.spawn("hears", Class::Control, Listener { listens: true, ticks: 0, told });
    runtime.spawn("deaf", Class::Control, Listener { listens: false, ticks: 0, told: other });
    assert_eq!(next(&heard), Heard::Started);
    assert_eq!(next(&silent), Heard::Started);
    let next_jump = || match next(&heard) {
        Heard::Jump(jump) => jump,
        Heard::Started => unreachable!("it starts once"),
    };

    clocks.wall.store(HOUR, Ordering::Relaxed);
    let jump = next_jump();
    assert!(is_about(jump.wall, HOUR) && jump.suspended.is_zero(), "{jump:?}");
    assert!(next(&logged).starts_with("the wall clock was set forward by 3"));

    clocks.wall.store(-HOUR, Ordering::Relaxed);
    let jump = next_jump();
    assert!(is_about(jump.wall, -2 * HOUR), "{jump:?}");
    assert!(next(&logged).starts_with("the wall clock was set back by 7"));

    clocks.suspended.store(30_000_000_000, Ordering::Relaxed);
    let jump = next_jump();
    assert!(is_about(jump.suspended.as_nanos() as i64, 30_000_000_000), "{jump:?}");
    assert_eq!(jump.wall, 0, "the wall clock went on as it should");
    assert!(next(&logged).starts_with("the system was suspended for 30"));

    runtime.shutdown();
    assert!(logged.try_recv().is_err() && heard.try_recv().is_err(), "each is told once");
    assert!(silent.try_recv().is_err());
}

#[test]
fn clocks_that_run_as_they_should_are_no_news() {
    let (log, logged) = told();
    let options = RuntimeOptions {
        log: Arc::new(move |record: &dunlin_runtime::LogRecord| {
            log.send(record.text.clone()).unwrap();
        }),
        ..RuntimeOptions::default()
    };
    let runtime = Runtime::new(options).unwrap();
    let (told, heard) = channel();
    runtime.spawn("hears", Class::Control, Listener { listens: true, ticks: 0, told });
    assert_eq!(next(&heard), Heard::Started);
    runtime.shutdown();
    assert!(logged.try_recv().is_err() && heard.try_recv().is_err());
}

/// Whatever class a loop's own work is of.
#[test]
fn a_jump_is_told_to_loops_of_every_class() {
    let mut sim = SimRuntime::new(5);
    let all = Class::ALL.map(|class| {
        let (told, heard) = channel();
        sim.spawn("hears", class, Listener { listens: true, ticks: 0, told });
        heard
    });
    sim.run_for(Duration::from_millis(150));
    sim.set_wall(HOUR);
    sim.run_for(Duration::from_millis(150));
    for heard in all {
        let jump = ClockJump { wall: HOUR, suspended: Duration::ZERO };
        assert_eq!(heard.try_iter().collect::<Vec<_>>(), [Heard::Jump(jump)]);
    }
}

#[test]
fn the_same_in_a_simulation_and_timers_do_not_care() {
    for seed in 0..10 {
        let (log, logged) = channel();
        let log: Arc<dyn dunlin_runtime::LogSink> =
            Arc::new(move |record: &dunlin_runtime::LogRecord| {
                log.send(record.text.clone()).unwrap();
            });
        let options = SimOptions { log: Some(log), ..SimOptions::new(seed) };
        let mut sim = SimRuntime::with_options(options);
        let (told, heard) = channel();
        sim.spawn("hears", Class::Control, Listener { listens: true, ticks: 0, told });
        sim.run_for(Duration::from_millis(150));
        sim.set_wall(-5 * HOUR);
        sim.run_for(Duration::from_millis(150));
        sim.suspend(Duration::from_secs(60));
        sim.run_for(Duration::from_millis(150));
        let jump = |wall, suspended| {
            Heard::Jump(ClockJump { wall, suspended: Duration::from_secs(suspended) })
        };
        let heard: Vec<_> = heard.try_iter().collect();
        // The 20th tick, at 400 ms, comes neither sooner nor later for it.
        assert_eq!(heard, [jump(-5 * HOUR, 0), jump(0, 60), Heard::Started], "seed {seed}");
        assert_eq!(
            logged.try_iter().collect::<Vec<_>>(),
            ["the wall clock was set back by 18000.000 s", "the system was suspended for 60.000 s"]
        );
    }
}

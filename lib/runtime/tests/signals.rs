//! A process that is stopped and continued: its waits are interrupted, its clock jumps.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and waits"
)]

mod common;

use std::{
    io::{BufRead, BufReader},
    process::{Command, Stdio},
    sync::mpsc::Sender,
};

use common::{next, runtime, told};
use dunlin_runtime::{Class, Context, Duration, Loop, Time, TimerId};

const CHILD: &str = "DUNLIN_STOPPED_CHILD";
const PERIOD: Duration = Duration::from_millis(10);

/// Counts ticks that do not drift; says when it has seen enough of them after a jump.
struct Clock {
    timer: TimerId,
    begun: Time,
    last: Time,
    jumps: u32,
    after: u32,
    done: Sender<()>,
}

impl Loop for Clock {
    type Message = ();

    fn start(&mut self, cx: &mut Context<'_>) {
        self.timer = cx.timer(Class::Control);
        (self.begun, self.last) = (cx.now(), cx.now());
        cx.arm_every(self.timer, PERIOD);
    }

    fn message(&mut self, _: &mut Context<'_>, (): ()) {}

    fn timer(&mut self, cx: &mut Context<'_>, _: TimerId) {
        let since = cx.now().since(self.last);
        let early = cx.now().since(self.begun).as_nanos() < PERIOD.as_nanos();
        assert!(!early, "never before it is due");
        if since > PERIOD * 10 {
            // Ticks missed while the process was stopped are one.
            self.jumps += 1;
            println!("jump {}", self.jumps);
            self.after = 0;
        }
        self.last = cx.now();
        self.after += 1;
        if self.jumps >= 3 && self.after == 20 {
            self.done.send(()).unwrap();
        }
    }
}

#[test]
fn a_process_that_was_stopped_goes_on() {
    if std::env::var_os(CHILD).is_some() {
        let runtime = runtime(3);
        let (done, finished) = told();
        let (timer, last) = (TimerId::NONE, Time::ZERO);
        let clock = Clock { timer, begun: last, last, jumps: 0, after: 0, done };
        runtime.spawn("clock", Class::Control, clock);
        println!("\nrunning");
        next(&finished);
        println!("done");
        return runtime.shutdown();
    }
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "a_process_that_was_stopped_goes_on", "--nocapture"])
        .env(CHILD, "1")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    assert!(lines.any(|line| line == "running"));
    let signal = |name: &str| {
        Command::new("kill").args([name, &child.id().to_string()]).status().unwrap();
    };
    for jump in 1..=3 {
        // Waits are interrupted by each, whether it lasts or not.
        for _ in 0..10 {
            signal("-STOP");
            signal("-CONT");
        }
        signal("-STOP");
        std::thread::sleep(PERIOD * 30);
        signal("-CONT");
        let jump = format!("jump {jump}");
        assert!(lines.any(|line| line == jump), "the clock went on while it stood");
    }
    assert!(lines.any(|line| line == "done"), "timers go on as before");
    assert!(child.wait().unwrap().success());
}

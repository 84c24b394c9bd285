//! A worker that the system gives no processor: the watcher says so, and does not blame the handler.
//! Processes that calculate share the worker's only processor with it, as on a machine that has too much to
//! do.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test fails by panicking; and it watches from outside"
)]

mod common;

use std::{
    fs,
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, Sender},
    },
};

use common::{is_idle_class, next, skipped::skip, told};
use dunlin_runtime::{
    Address, Class, Context, Duration, EventId, LogLevel, LogRecord, Loop, Runtime, RuntimeOptions,
    Watch,
};

enum Do {
    /// Say which thread this is.
    Thread(Sender<u32>),
    /// Calculate until told to end, in an event of this class.
    Calculate(Class, Arc<AtomicBool>),
    /// Nothing, but say so.
    Nothing(Sender<()>),
}

#[derive(Default)]
struct Hog {
    /// By class.
    events: Vec<EventId>,
    end: Arc<AtomicBool>,
}

impl Loop for Hog {
    type Message = Do;

    fn start(&mut self, cx: &mut Context<'_>) {
        self.events = Class::ALL.map(|class| cx.event(class)).to_vec();
    }

    fn event(&mut self, _: &mut Context<'_>, _: EventId) {
        while !self.end.load(Ordering::Relaxed) {
            core::hint::spin_loop();
        }
    }

    fn message(&mut self, cx: &mut Context<'_>, message: Do) {
        match message {
            Do::Thread(told) => told.send(dunlin_os::thread::id()).unwrap(),
            Do::Calculate(class, end) => {
                self.end = end;
                cx.schedule(self.events[class.index()]);
            }
            // The test may have given up.
            Do::Nothing(told) => drop(told.send(())),
        }
    }
}

/// Processes that do nothing but calculate, all on one processor; killed when dropped.
struct Crowd(Vec<Child>);

impl Crowd {
    fn on(processor: u32, count: usize) -> Self {
        let calculate = || {
            Command::new("taskset")
                .args(["-c", &processor.to_string(), "sh", "-c", "while :; do :; done"])
                .stdin(Stdio::null())
                .spawn()
                .expect("taskset is there")
        };
        Self((0..count).map(|_| calculate()).collect())
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        for child in &mut self.0 {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }
}

/// Whether a command says that it succeeded.
fn run(program: &str, arguments: &[&str]) -> bool {
    let mut command = Command::new(program);
    let command = command.args(arguments).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().expect("util-linux is there").success()
}

/// The last processor that this process may use.
fn processor() -> u32 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("Cpus_allowed_list:")).unwrap();
    let last = line.rsplit([',', '-', '\t', ' ']).next().unwrap();
    last.parse().unwrap()
}

/// A runtime whose only worker has to be on this processor.
struct World {
    runtime: Runtime,
    logged: Receiver<LogRecord>,
    hog: Address<Do>,
    /// The worker's thread.
    thread: u32,
}

impl World {
    fn on(processor: u32) -> Self {
        let (log, logged) = told();
        let log = Arc::new(move |record: &LogRecord| drop(log.send(record.clone())));
        let mut watch = Watch::OFF;
        watch.overrun = [Some(Duration::from_millis(60)); 4];
        watch.stall = Some(Duration::from_millis(60));
        let options = RuntimeOptions { watch, log, ..RuntimeOptions::default() };
        let runtime = Runtime::new(options).unwrap();
        let hog = runtime.spawn("the hog", Class::Bulk, Hog::default());
        let (sender, thread) = told();
        hog.send(Class::Control, Do::Thread(sender)).unwrap();
        let thread = next(&thread);
        assert!(run("taskset", &["-c", "-p", &processor.to_string(), &thread.to_string()]));
        Self { runtime, logged, hog, thread }
    }

    /// The next report that has this in it.
    fn report(&self, part: &str) -> LogRecord {
        loop {
            let record = next(&self.logged);
            if record.text.contains(part) {
                return record;
            }
        }
    }
}

const STARVED: &str = "starved: the system runs other threads";

/// What is said of a handler of a class that calculates in a crowd of so many.
fn held_in(crowd: usize, class: Class) -> LogRecord {
    let processor = processor();
    let world = World::on(processor);
    let _crowd = Crowd::on(processor, crowd);
    let end = Arc::new(AtomicBool::new(false));
    world.hog.send(Class::Control, Do::Calculate(class, Arc::clone(&end))).unwrap();
    let record = world.report(" has been running ");
    end.store(true, Ordering::Relaxed);
    let text = common::without_places(&record.text);
    let who =
        format!("event {} of the hog ({}) ", class.index(), format!("{class:?}").to_lowercase());
    assert!(text.starts_with(&who), "{text}");
    record
}

/// With eight others the handler gets a ninth of the processor.
#[test]
fn a_handler_that_gets_no_processor_is_called_starved_in_every_class() {
    for class in Class::ALL {
        let mut seen = Vec::new();
        loop {
            let record = held_in(8, class);
            if record.text.ends_with(STARVED) {
                assert_eq!(record.level, LogLevel::Warning);
                break;
            }
            // The others may have begun only just now.
            seen.push(record.text);
            assert!(seen.len() < 5, "{seen:?}");
        }
    }
}

/// What is said of a worker that has something to do and lower priority than a crowd.
fn stalled_in(crowd: usize) -> LogRecord {
    let processor = processor();
    let world = World::on(processor);
    let thread = world.thread.to_string();
    assert!(run("chrt", &["--idle", "--pid", "0", &thread]), "giving way is always allowed");
    assert!(is_idle_class(&format!("/proc/self/task/{thread}/stat")));
    let crowd = Crowd::on(processor, crowd);
    let (sender, done) = told();
    let record = loop {
        // Until one comes too late; each time it does not, it has been handled.
        world.hog.send(Class::Control, Do::Nothing(sender.clone())).unwrap();
        let stalled = |record: &LogRecord| record.text.contains(" has had something to do ");
        let mut found = None;
        while found.is_none() && done.try_recv().is_err() {
            let reported = world.logged.recv_timeout(Duration::from_millis(20)).ok();
            found = reported.filter(stalled);
        }
        if let Some(record) = found {
            break record;
        }
    };
    drop(crowd);
    drop(world.runtime);
    record
}

#[test]
fn a_worker_that_gets_no_processor_at_all_is_called_starved() {
    if is_idle_class("/proc/self/stat") {
        let name = "a_worker_that_gets_no_processor_at_all_is_called_starved";
        return skip(name, "this process has the lowest priority itself, there is nothing below");
    }
    let mut seen = Vec::new();
    for _ in 0..5 {
        let record = stalled_in(4);
        if record.text.ends_with(&format!(" and does nothing: {STARVED}")) {
            return;
        }
        seen.push(record.text);
    }
    panic!("{seen:?}");
}

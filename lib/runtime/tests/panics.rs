//! What becomes of a loop whose handler panics, and who hears of it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a failure is what a test is for"
)]

mod common;

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender};

use common::{eventually, next, told};
use dunlin_runtime::{
    Class, ClockReading, ClockSource, Context, LogLevel, LogRecord, Loop, Panic, Runtime,
    RuntimeOptions, TimerId, keep_panic_place,
};

/// Panics when told to, and says what it is told about that.
struct Fragile {
    essential: bool,
    timer: TimerId,
    told: Sender<String>,
    _guard: Guard,
}

/// Tells when it goes.
struct Guard(Sender<String>);

impl Drop for Guard {
    fn drop(&mut self) {
        let _ = self.0.send("dropped".to_owned());
    }
}

impl Loop for Fragile {
    type Message = &'static str;

    fn is_essential(&self) -> bool {
        self.essential
    }

    fn start(&mut self, cx: &mut Context<'_>) {
        self.timer = cx.timer(Class::Control);
    }

    fn message(&mut self, cx: &mut Context<'_>, message: &'static str) {
        match message {
            "timer" => {
                cx.arm(self.timer, cx.now());
            }
            message => panic!("as {message}"),
        }
    }

    fn timer(&mut self, _: &mut Context<'_>, _: TimerId) {
        panic!("in time");
    }

    fn panicked(&mut self, panic: &Panic) {
        self.told.send(panic.message.clone()).unwrap();
        assert!(panic.message != "as twice", "once more");
    }
}

fn start() -> (Runtime, Receiver<LogRecord>) {
    let earlier = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        keep_panic_place(info);
        earlier(info);
    }));
    let (log, logged) = told();
    let options = RuntimeOptions {
        // Others may keep the processor from this test.
        watch: dunlin_runtime::Watch::OFF,
        log: Arc::new(move |record: &LogRecord| drop(log.send(record.clone()))),
        ..RuntimeOptions::default()
    };
    (Runtime::new(options).unwrap(), logged)
}

fn fragile(essential: bool, told: &Sender<String>) -> Fragile {
    let (told, guard) = (told.clone(), Guard(told.clone()));
    Fragile { essential, timer: TimerId::NONE, told, _guard: guard }
}

#[test]
fn the_report_names_loop_handler_message_and_place() {
    let (runtime, logged) = start();
    let (told, heard) = told();
    let first = runtime.spawn("first", Class::Control, fragile(false, &told));
    first.send(Class::Control, "told").unwrap();
    let record = next(&logged);
    assert_eq!((record.level, record.loop_name.as_deref()), (LogLevel::Error, Some("first")));
    let (text, line) = record.text.rsplit_once("panics.rs:").unwrap();
    assert!(
        text.starts_with("a message handler panicked, the loop is stopped: as told, at "),
        "{text}"
    );
    assert!(line.split(':').all(|number| number.parse::<u32>().is_ok()), "{line}");
    assert_eq!((next(&heard).as_str(), next(&heard).as_str()), ("as told", "dropped"));
    eventually("stopped", || first.is_stopped());
    let second = runtime.spawn("second", Class::Control, fragile(false, &told));
    second.send(Class::Control, "timer").unwrap();
    let text = next(&logged).text;
    assert!(text.starts_with("a timer handler panicked, the loop is stopped: in time, at "));
    assert_eq!(next(&heard), "in time");
}

#[test]
fn an_essential_loop_is_a_fatal_loss() {
    let (runtime, logged) = start();
    let (told, _heard) = told();
    let address = runtime.spawn("heart", Class::Control, fragile(true, &told));
    address.send(Class::Control, "told").unwrap();
    let record = next(&logged);
    assert_eq!((record.level, record.loop_name.as_deref()), (LogLevel::Fatal, Some("heart")));
    assert!(record.text.contains("as told"), "{}", record.text);
    eventually("stopped", || address.is_stopped());
}

#[test]
fn a_second_panic_while_the_first_is_told_is_contained() {
    let (runtime, logged) = start();
    let (told, heard) = told();
    let address = runtime.spawn("twice", Class::Control, fragile(false, &told));
    address.send(Class::Control, "twice").unwrap();
    assert!(next(&logged).text.contains("as twice"));
    assert_eq!((next(&heard).as_str(), next(&heard).as_str()), ("as twice", "dropped"));
    let other = runtime.spawn("other", Class::Control, fragile(false, &told));
    other.send(Class::Control, "told").unwrap();
    assert!(next(&logged).text.contains("as told"));
}

#[test]
fn a_worker_that_panics_outside_of_handlers_is_fatal() {
    let (fatal, said) = told();
    let log = move |record: &LogRecord| {
        if record.level == LogLevel::Fatal {
            fatal.send(record.text.clone()).unwrap();
        }
    };
    let (log, clocks) = (Arc::new(log), Arc::new(Broken));
    let runtime =
        Runtime::new(RuntimeOptions { log, clocks, ..RuntimeOptions::default() }).unwrap();
    let (told, _heard) = told();
    runtime.spawn("first", Class::Control, fragile(false, &told));
    assert_eq!(next(&said), "worker 1 panicked outside of handlers");
    // Nobody is left to stop its loops.
    core::mem::forget(runtime);
}

/// Clocks are the runtime's own, not a loop's.
struct Broken;

impl ClockSource for Broken {
    fn read(&self) -> Option<ClockReading> {
        panic!("it has stopped");
    }
}

//! A worker, or the whole process, is stopped from outside: the watcher says so, in every class, and gives
//! up nothing for it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and waits"
)]

mod common;

use std::{
    io::{BufRead, BufReader, Write},
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, Sender},
    },
};

use common::{next, skipped::skip, told, without_places};
use dunlin_runtime::{
    Class, Context, Duration, EventId, LogRecord, Loop, Runtime, RuntimeOptions, Watch,
};

const CHILD: &str = "DUNLIN_HELD_CHILD";
const STOPPED: &str = ", stopped from outside";
const TIMEOUT: &str = "the watchdog's timeout";

/// Calculates in an event until it is told to end.
struct Hog {
    class: Class,
    event: EventId,
    end: Arc<AtomicBool>,
    /// Told the number of the worker's thread.
    begun: Sender<u32>,
}

impl Loop for Hog {
    type Message = ();

    fn start(&mut self, cx: &mut Context<'_>) {
        self.event = cx.event(self.class);
        cx.schedule(self.event);
    }

    fn message(&mut self, _: &mut Context<'_>, (): ()) {}

    fn event(&mut self, _: &mut Context<'_>, _: EventId) {
        self.begun.send(dunlin_os::thread::id()).unwrap();
        while !self.end.load(Ordering::Relaxed) {
            core::hint::spin_loop();
        }
    }
}

/// A runtime with a handler of this class that runs until the end.
struct World {
    runtime: Runtime,
    logged: Receiver<String>,
    end: Arc<AtomicBool>,
    thread: u32,
}

impl World {
    fn new(class: Class, watch: Watch) -> Self {
        let (log, logged) = told();
        let log = Arc::new(move |record: &LogRecord| drop(log.send(record.text.clone())));
        let options = RuntimeOptions { watch, log, ..RuntimeOptions::default() };
        let runtime = Runtime::new(options).unwrap();
        let (begun, begins) = told();
        let end = Arc::new(AtomicBool::new(false));
        let hog = Hog { class, event: EventId::NONE, end: Arc::clone(&end), begun };
        runtime.spawn("the hog", class, hog);
        let thread = next(&begins);
        Self { runtime, logged, end, thread }
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.end.store(true, Ordering::Relaxed);
    }
}

fn strict() -> Watch {
    let mut watch = Watch::OFF;
    watch.overrun = [Some(Duration::from_millis(100)); 4];
    watch
}

/// Stops a thread as a debugger does, until its input ends.
const TRACER: &str = "
import ctypes, os, sys
ANY = 0x40000000
c = ctypes.CDLL(None, use_errno=True)
c.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
c.ptrace.restype = ctypes.c_long
seize, interrupt, thread = 0x4206, 0x4207, int(sys.argv[1])
if c.ptrace(seize, thread, None, None) or c.ptrace(interrupt, thread, None, None):
    print('refused', ctypes.get_errno(), flush=True)
else:
    os.waitpid(thread, ANY)
    print('stopped', flush=True)
sys.stdin.read()
";

struct Tracer(Child);

impl Tracer {
    /// None if the system does not let it.
    fn stop(thread: u32) -> Option<Self> {
        let mut child = Command::new("python3")
            .args(["-c", TRACER, &thread.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("python3 is there");
        let line = BufReader::new(child.stdout.take().unwrap()).lines().next().unwrap().unwrap();
        let tracer = Self(child);
        (line == "stopped").then_some(tracer)
    }
}

impl Drop for Tracer {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        self.0.wait().unwrap();
    }
}

#[test]
fn a_worker_that_a_debugger_stops_is_told_from_others_in_every_class() {
    for class in Class::ALL {
        let world = World::new(class, Watch::OFF);
        let Some(tracer) = Tracer::stop(world.thread) else {
            let name = "a_worker_that_a_debugger_stops_is_told_from_others_in_every_class";
            return skip(name, "this process must not be traced");
        };
        world.runtime.handle().watch(&strict());
        let text = next(&world.logged);
        drop(tracer);
        let name = format!("{class:?}").to_lowercase();
        let begin = format!("event 0 of the hog ({name}) has been running on worker 1 for ");
        let text = without_places(&text);
        assert!(text.starts_with(&begin) && text.ends_with(STOPPED), "{text}");
    }
}

/// In a process of its own, which another one stops each time it says where it is.
fn be_stopped() {
    for class in Class::ALL {
        loop {
            // Longer than a handler may take is it stopped only.
            let watch = Watch { abort: Some(Duration::from_secs(2)), ..strict() };
            let world = World::new(class, watch);
            println!("\nin {class:?}");
            let text = next(&world.logged);
            assert!(!text.contains(TIMEOUT), "{text}");
            println!("said: {text}");
            std::io::stdout().flush().unwrap();
            // The signal came too late if not.
            if text.ends_with(STOPPED) {
                // The next look after that.
                let after = world.logged.recv_timeout(Duration::from_millis(100));
                assert!(after.is_err(), "{after:?}");
                break;
            }
        }
    }
    println!("done");
}

#[test]
fn a_process_that_is_stopped_says_so_in_every_class_and_gives_up_nothing() {
    if std::env::var_os(CHILD).is_some() {
        return be_stopped();
    }
    let name = "a_process_that_is_stopped_says_so_in_every_class_and_gives_up_nothing";
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture"])
        .env(CHILD, "1")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let process = child.id().to_string();
    let signal = |name: &str| {
        Command::new("kill").args([name, &process]).status().unwrap();
    };
    let lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let (mut said, mut is_done) = (Vec::new(), false);
    for line in lines {
        if line.starts_with("in ") {
            assert!(said.len() < 60, "{said:?}");
            signal("-STOP");
            // Longer than any handler may take.
            std::thread::sleep(Duration::from_millis(2500));
            signal("-CONT");
        }
        said.extend(line.starts_with("said: ").then(|| line.clone()));
        is_done |= line == "done";
    }
    assert!(child.wait().unwrap().success() && is_done, "{said:?}");
    for class in Class::ALL {
        let name = format!("said: event 0 of the hog ({}", format!("{class:?}").to_lowercase());
        let is_said = |text: &String| text.starts_with(&name) && text.ends_with(STOPPED);
        assert!(said.iter().any(is_said), "{class:?}: {said:?}");
    }
}

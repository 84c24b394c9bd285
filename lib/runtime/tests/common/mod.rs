//! What the tests share.
#![allow(dead_code, reason = "each test file uses a part")]
#![allow(clippy::disallowed_methods, reason = "tests watch workers from outside")]

pub(crate) mod script;
#[path = "../../../../tests/skipped.rs"]
pub(crate) mod skipped;

use std::{
    sync::mpsc::{Receiver, Sender, channel},
    time::{Duration, Instant},
};

use dunlin_runtime::{Runtime, RuntimeOptions};

/// A runtime with this many workers.
pub(crate) fn runtime(threads: usize) -> Runtime {
    Runtime::new(RuntimeOptions { threads, ..RuntimeOptions::default() }).unwrap()
}

/// A channel for what loops tell the test.
pub(crate) fn told<T>() -> (Sender<T>, Receiver<T>) {
    channel()
}

/// The next thing told, soon.
pub(crate) fn next<T>(receiver: &Receiver<T>) -> T {
    receiver.recv_timeout(Duration::from_secs(20)).expect("told in time")
}

/// Waits for something to become true.
pub(crate) fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < Duration::from_secs(20), "{what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// A report without the places where its handlers were asked for, of which there must be one each.
pub(crate) fn without_places(text: &str) -> String {
    let mut parts = text.split(", asked at lib/runtime/tests/");
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (place, rest) = part.split_once(')').expect(text);
        let line = place.split_once(".rs:").map(|(_, line)| line.parse::<u32>());
        assert!(matches!(line, Some(Ok(_))), "{text}");
        out.push(')');
        out.push_str(rest);
    }
    assert_ne!(out, text);
    out
}

/// Descriptors this process has open.
pub(crate) fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

/// A line of `/proc/self/status` as a number.
pub(crate) fn status(key: &str) -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with(key)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// Whether a thread, by its file `stat`, runs only when nobody else wants to.
pub(crate) fn is_idle_class(stat: &str) -> bool {
    let text = std::fs::read_to_string(stat).unwrap();
    let (_, fields) = text.rsplit_once(") ").unwrap();
    // The third field of the file is the first here, the policy is the forty-first.
    let policy: u32 = fields.split(' ').nth(41 - 3).unwrap().parse().unwrap();
    policy == SCHED_IDLE
}

/// The kernel's number of that policy.
const SCHED_IDLE: u32 = 5;

/// Whether a sanitizer watches (`tests/sanitizers`): memory it takes is not the runtime's.
pub(crate) fn is_sanitized() -> bool {
    std::env::var_os("DUNLIN_SANITIZED").is_some()
}

/// Keeps the processor busy.
pub(crate) fn burn(span: Duration) {
    let start = Instant::now();
    while start.elapsed() < span {
        core::hint::spin_loop();
    }
}

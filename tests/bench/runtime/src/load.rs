//! What contenders have in common: runtimes, ways to wait for them, and averages.

use std::{
    sync::mpsc::{Receiver, RecvTimeoutError},
    time::{Duration, Instant},
};

use dunlin_runtime::{Class, Context, EventId, Loop, Runtime, RuntimeOptions};
use dunlin_trace::{Options, Recorder};

/// With or without the flight recorder; statistics are always on.
pub fn runtime(threads: usize, recorded: bool) -> Runtime {
    let recorder = recorded.then(|| Recorder::new(&Options::default()).unwrap());
    let options = RuntimeOptions { threads, recorder, ..RuntimeOptions::default() };
    let runtime = Runtime::new(options).unwrap();
    let deadline = Instant::now() + Duration::from_secs(5);
    while runtime.stats().workers.len() != threads && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(1));
    }
    runtime
}

/// A tokio runtime of one thread: the caller's. In the program that is built for it, one that measures how
/// long each poll takes.
pub fn tokio() -> tokio::runtime::Runtime {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    #[cfg(tokio_unstable)]
    builder.enable_metrics_poll_time_histogram();
    builder.enable_all().build().unwrap()
}

/// What a measurement gives; fails after a time nothing here needs.
pub fn wait<T>(done: &Receiver<T>) -> T {
    match done.recv_timeout(Duration::from_secs(120)) {
        Ok(value) => value,
        Err(RecvTimeoutError::Timeout) => panic!("took too long"),
        Err(RecvTimeoutError::Disconnected) => panic!("a loop is gone"),
    }
}

/// Nanoseconds each, if `count` took so long.
pub fn per(span: Duration, count: u64) -> f64 {
    span.as_nanos() as f64 / count as f64
}

/// The span that so many of a hundred are not longer than.
pub fn percentile(spans: &mut [Duration], percent: usize) -> Duration {
    spans.sort_unstable();
    spans[(spans.len() * percent / 100).min(spans.len() - 1)]
}

/// Times pieces of work: others use this machine too, so the median piece tells more than the sum.
pub struct Laps {
    each: u64,
    left: u64,
    begun: Instant,
    spans: Vec<Duration>,
}

impl Laps {
    /// Laps of `each` steps.
    pub fn new(each: u64) -> Self {
        Self { each, left: each, begun: Instant::now(), spans: Vec::new() }
    }

    /// A step is done; the number of laps.
    #[inline]
    pub fn step(&mut self) -> usize {
        self.left -= 1;
        if self.left == 0 {
            let now = Instant::now();
            self.spans.push(now - self.begun);
            self.begun = now;
            self.left = self.each;
        }
        self.spans.len()
    }

    /// Nanoseconds a step takes in the median lap; the first lap does not count.
    pub fn median(&mut self) -> f64 {
        let each = self.each;
        per(percentile(&mut self.spans[1..], 50), each)
    }
}

/// Keeps its worker awake with work of least importance.
pub struct Filler;

impl Loop for Filler {
    type Message = ();

    fn start(&mut self, cx: &mut Context<'_>) {
        let event = cx.event(Class::Bulk);
        cx.schedule(event);
    }

    fn message(&mut self, _: &mut Context<'_>, (): ()) {}

    fn event(&mut self, cx: &mut Context<'_>, event: EventId) {
        cx.schedule(event);
    }
}

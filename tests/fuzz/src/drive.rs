//! Runs a target.

use core::sync::atomic::{AtomicU64, Ordering};
use core::time::Duration;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use crate::chance::{Chance, variable};

/// A case that takes longer has hung.
const PATIENCE: Duration = Duration::from_secs(20);

/// How many cases, of which seed.
struct Plan {
    seed: u64,
    only: Option<u64>,
    until: Option<Instant>,
    cases: u64,
}

impl Plan {
    fn new(cases: u64) -> Self {
        let span = variable("FUZZ_SECONDS").map(Duration::from_secs);
        let now = || SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |time| time.as_secs());
        let seed = variable("FUZZ_SEED").filter(|seed| *seed != 0);
        let seed = seed.unwrap_or_else(|| if span.is_some() { now() } else { 1 });
        let until = span.map(|span| Instant::now() + span);
        Self { seed, only: variable("FUZZ_CASE"), until, cases }
    }

    fn goes_on(&self, case: u64) -> bool {
        match (self.only, self.until) {
            (Some(only), _) => case <= only,
            (None, Some(until)) => Instant::now() < until,
            (None, None) => case < self.cases,
        }
    }
}

/// Runs a target `usual` times, or as the environment says. `make` makes the input, `feed` must not
/// panic, whatever it is.
///
/// # Panics
/// If it does, or if nothing comes of a case for long.
pub fn run<I: core::fmt::Debug>(
    name: &str,
    usual: u64,
    make: impl Fn(&mut Chance) -> I,
    feed: impl Fn(&I),
) {
    let plan = Plan::new(usual);
    let begin = Instant::now();
    let case = Arc::new(AtomicU64::new(0));
    let (alive, gone) = channel::<()>();
    let watched = Arc::clone(&case);
    let (title, seed) = (name.to_owned(), plan.seed);
    let watch = std::thread::spawn(move || watch(&title, seed, &watched, &gone));
    let mut at = plan.only.unwrap_or(0);
    while plan.goes_on(at) {
        case.store(at, Ordering::Relaxed);
        let input = make(&mut Chance::new(plan.seed.wrapping_mul(0x1000_0000_01b3) ^ at));
        let fed = catch_unwind(AssertUnwindSafe(|| feed(&input)));
        assert!(fed.is_ok(), "{name}: FUZZ_SEED={seed} FUZZ_CASE={at} fails with {input:?}");
        at += 1;
    }
    drop(alive);
    watch.join().expect("the watcher ends");
    println!("{name}: {at} cases in {:?}, FUZZ_SEED={seed}", begin.elapsed());
}

/// Ends the process if one case takes very long.
fn watch(name: &str, seed: u64, case: &AtomicU64, gone: &Receiver<()>) {
    let mut before = u64::MAX;
    while let Err(RecvTimeoutError::Timeout) = gone.recv_timeout(PATIENCE) {
        let now = case.load(Ordering::Relaxed);
        if now == before {
            eprintln!("{name}: FUZZ_SEED={seed} FUZZ_CASE={now} hangs");
            std::process::abort();
        }
        before = now;
    }
}

//! What a record of the flight recorder costs.
//!
//! `cargo run --profile bench-quick -p dunlin-trace --example cost`
//!
//! Three figures, each the best of five rounds: a record by itself, a record that is begun and ended,
//! and a reading of the clock, which whoever records pays besides.

#![allow(clippy::unwrap_used, reason = "a failed measurement is no measurement")]

use std::hint::black_box;

use dunlin_os::{clock, map};
use dunlin_trace::{Entry, Options, RecordId, Recorder, Ring, Site};

/// Records, and readings of the clock, in a round.
const COUNT: u64 = 10_000_000;
const ROUNDS: usize = 5;

fn main() {
    // With a file, as in the daemon.
    let path = map::directory().join(format!("dunlin-trace-cost-{}", std::process::id()));
    let recorder = Recorder::new(&Options { path: Some(path), ..Options::default() }).unwrap();
    let mut ring = recorder.ring(0).unwrap();
    let mut best = [u64::MAX; 3];
    for _ in 0..ROUNDS {
        best.iter_mut().zip(round(&mut ring)).for_each(|(best, span)| *best = span.min(*best));
    }
    recorder.remove_file().unwrap();
    let [record, begin_and_end, ticks] = best.map(|total| total as f64 / COUNT as f64);
    println!("record {record:.1} ns, begin and end {begin_and_end:.1} ns, ticks {ticks:.1} ns");
}

/// Nanoseconds that a round of each kind took.
fn round(ring: &mut Ring) -> [u64; 3] {
    let start = clock::monotonic();
    (0..COUNT).for_each(|at| _ = ring.record(&entry(at)));
    let recorded = clock::monotonic();
    for at in 0..COUNT {
        let id = ring.begin(&entry(at));
        ring.end(id, at + 100);
    }
    let ended = clock::monotonic();
    for _ in 0..COUNT {
        black_box(clock::ticks());
    }
    [recorded - start, ended - recorded, clock::monotonic() - ended]
}

fn entry(at: u64) -> Entry {
    Entry {
        at,
        since: at,
        site: Site::MESSAGE,
        class: 2,
        loop_id: 1,
        cause: RecordId::NONE,
        argument: 0,
        place: 1,
    }
}

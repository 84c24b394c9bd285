//! Published versions under real threads: readers never wait, and what nobody reads any more is gone.
#![cfg(not(loom))]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use dunlin_sync::Snapshot;

/// A version that counts those alive.
struct Version {
    number: u64,
    /// The same number, written apart: a torn version would show.
    again: u64,
    alive: Arc<AtomicU64>,
}

impl Version {
    fn new(number: u64, alive: &Arc<AtomicU64>) -> Arc<Self> {
        alive.fetch_add(1, Ordering::Relaxed);
        Arc::new(Self { number, again: number, alive: Arc::clone(alive) })
    }
}

impl Drop for Version {
    fn drop(&mut self) {
        self.alive.fetch_sub(1, Ordering::Relaxed);
    }
}

#[test]
fn a_million_versions_leave_one_and_readers_see_them_in_order() {
    // Fewer when a sanitizer watches (`tests/sanitizers`).
    let is_sanitized = std::env::var_os("DUNLIN_SANITIZED").is_some();
    let versions = if is_sanitized { 50_000 } else { 1_000_000 };
    let alive = Arc::new(AtomicU64::new(0));
    let place = Snapshot::from_arc(Version::new(0, &alive));
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        for reader in 0..3 {
            let (place, done, alive) = (place.clone(), &done, &alive);
            scope.spawn(move || {
                let (mut last, mut cache) = (0, place.cache());
                while !done.load(Ordering::Relaxed) {
                    let version =
                        if reader == 0 { Arc::clone(cache.load()) } else { place.load_full() };
                    assert!(version.number >= last && version.number == version.again);
                    last = version.number;
                    assert!(alive.load(Ordering::Relaxed) < 100, "they pile up");
                }
            });
        }
        for number in 1..=versions {
            place.store(Version::new(number, &alive));
        }
        done.store(true, Ordering::Relaxed);
    });
    assert_eq!(place.load().number, versions);
    assert_eq!(alive.load(Ordering::Relaxed), 1);
}

#[test]
fn who_keeps_a_version_keeps_that_one_only() {
    let alive = Arc::new(AtomicU64::new(0));
    let place = Snapshot::from_arc(Version::new(0, &alive));
    let (kept, loaded) = (place.load_full(), place.load());
    for number in 1..10_000 {
        place.store(Version::new(number, &alive));
        assert!(alive.load(Ordering::Relaxed) <= 3);
    }
    assert_eq!((kept.number, loaded.number, place.load().number), (0, 0, 9999));
    drop((kept, loaded));
    assert_eq!(alive.load(Ordering::Relaxed), 1);
}

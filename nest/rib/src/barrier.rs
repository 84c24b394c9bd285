//! A countdown over all slices: "everything queued before this has been processed by everybody".

use core::fmt;

use dunlin_sync::Countdown;

/// Runs its action once, when the last of its parties arrives.
pub struct Barrier {
    /// The last to arrive sees what the others wrote before.
    remaining: Countdown,
    action: Box<dyn Fn() + Send + Sync>,
}

impl Barrier {
    /// A barrier for `parties` arrivals; `action` runs on the worker of the last one.
    pub fn new(parties: usize, action: impl Fn() + Send + Sync + 'static) -> Self {
        Self { remaining: Countdown::new(parties), action: Box::new(action) }
    }

    /// One party has arrived. Returns whether it was the last.
    pub fn arrive(&self) -> bool {
        let last = self.remaining.arrive();
        if last {
            (self.action)();
        }
        last
    }
}

impl fmt::Debug for Barrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Barrier").field("remaining", &self.remaining).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::Barrier;
    use core::sync::atomic::{AtomicU32, Ordering};
    use std::sync::Arc;

    #[test]
    fn the_action_runs_once_with_the_last_arrival() {
        let runs = Arc::new(AtomicU32::new(0));
        let counted = Arc::clone(&runs);
        let barrier = Barrier::new(3, move || {
            counted.fetch_add(1, Ordering::Relaxed);
        });
        assert!(!barrier.arrive());
        assert!(!barrier.arrive());
        assert_eq!(runs.load(Ordering::Relaxed), 0);
        assert!(barrier.arrive());
        assert_eq!(runs.load(Ordering::Relaxed), 1);
    }
}

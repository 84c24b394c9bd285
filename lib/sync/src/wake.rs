//! A worker's wake word: whether the one system call that wakes a poller is needed.
//!
//! The worker:
//!
//! ```text
//! loop {
//!     wake.begin_turn();                     // before looking at anything
//!     take and run what there is; if there is more, continue
//!     if wake.prepare_sleep() { poller.wait(timeout) } else { poller.look() }
//! }
//! ```
//!
//! Whoever gives it something: publish it in the worker's inbox, then
//! `if wake.wake() { poller.notify() }`.
//!
//! A waker never waits and is never waited for: if it is preempted between `wake` and the system call,
//! the worker may meanwhile wake for another reason and do the work, and the call that comes late is
//! a spurious readiness.

use core::fmt;

use crate::mutant;
use crate::prim::{AtomicU32, Ordering};

/// The word; one per worker. Worth a cache line of its own ([`CachePadded`](crate::CachePadded)).
pub struct WakeWord {
    /// `AWAKE`, `SLEEPING` or `NOTIFIED`. Written by the worker (to `AWAKE` when a turn begins, from
    /// `AWAKE` to `SLEEPING` before it sleeps; AcqRel: receives what wakers published) and by any waker
    /// (to `NOTIFIED`; AcqRel: publishes what it put into the worker's inbox, and finds out whether the
    /// worker sleeps). Only read-modify-writes: each sees the newest value, so that of a waker and a
    /// worker about to sleep, one always sees the other.
    word: AtomicU32,
}

/// The worker is running and will look at its inbox again, or begins its turn now.
const AWAKE: u32 = 0;
/// The worker found nothing and is in its poller, or on the way there.
const SLEEPING: u32 = 1;
/// Somebody published something since the turn began.
const NOTIFIED: u32 = 2;

impl WakeWord {
    /// The word of a worker that is awake.
    pub fn new() -> Self {
        Self { word: AtomicU32::new(AWAKE) }
    }

    /// The worker acknowledges all notifications; call it *before* looking at the inbox. True if
    /// there was one since the last turn began.
    #[inline]
    pub fn begin_turn(&self) -> bool {
        // Nothing to acknowledge as far as can be seen. Who has notified and is not seen here is seen
        // by `prepare_sleep`, which writes.
        if self.word.load(Ordering::Relaxed) == AWAKE {
            return false;
        }
        self.word.swap(AWAKE, Ordering::AcqRel) == NOTIFIED
    }

    /// The worker found nothing to do: true if it may sleep now, and any later waker makes the system
    /// call; false if it was notified meanwhile and must look again.
    #[inline]
    pub fn prepare_sleep(&self) -> bool {
        if mutant!("mutant-sleep-check") {
            self.word.store(SLEEPING, Ordering::Release);
            return true;
        }
        if mutant!("mutant-late-acknowledge") {
            self.word.swap(AWAKE, Ordering::AcqRel);
        }
        let (success, failure) = (Ordering::AcqRel, Ordering::Acquire);
        self.word.compare_exchange(AWAKE, SLEEPING, success, failure).is_ok()
    }

    /// Says that something was published for the worker; true if it sleeps, and the caller is the one
    /// to wake it by a system call.
    #[inline]
    pub fn wake(&self) -> bool {
        if mutant!("mutant-wake-without-write") && self.word.load(Ordering::Acquire) != SLEEPING {
            return false;
        }
        self.word.swap(NOTIFIED, Ordering::AcqRel) == SLEEPING
    }

    /// Whether the worker sleeps, or is about to: a glance for those who have work to share.
    #[inline]
    pub fn is_asleep(&self) -> bool {
        self.word.load(Ordering::Relaxed) == SLEEPING
    }

    /// Whether somebody published something since the turn began: the "urgent word" a worker can look
    /// at between two handlers, for the price of a load.
    #[inline]
    pub fn is_notified(&self) -> bool {
        self.word.load(Ordering::Relaxed) == NOTIFIED
    }
}

impl Default for WakeWord {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for WakeWord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self.word.load(Ordering::Relaxed) {
            AWAKE => "Awake",
            SLEEPING => "Sleeping",
            _ => "Notified",
        };
        write!(f, "WakeWord({name})")
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn only_the_first_waker_of_a_sleeper_makes_the_system_call() {
        let wake = WakeWord::new();
        assert!(!wake.wake(), "it is awake");
        assert!(!wake.prepare_sleep(), "it was notified");
        assert!(wake.begin_turn());
        assert!(wake.prepare_sleep());
        assert!(wake.wake());
        assert!(!wake.wake());
        assert!(wake.is_notified());
        assert!(wake.begin_turn());
        assert!(!wake.begin_turn());
    }

    #[test]
    fn waking_for_another_reason_leaves_nothing_behind() {
        let wake = WakeWord::new();
        assert!(wake.prepare_sleep());
        assert!(!wake.begin_turn());
        assert!(!wake.wake(), "it is awake again");
    }
}

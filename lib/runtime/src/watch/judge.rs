//! What holds a worker up, judged by what the kernel says of its thread.

use core::time::Duration;

use dunlin_os::task::{TaskState, TaskTimes};

use crate::stats::{Hindrance, Running};

/// What is found at a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// A handler has been running for longer than its class may.
    Held { running: Running, span: Duration, by: Hindrance },
    /// There is something to do and nothing happens, though no handler runs.
    Stalled { span: Duration, by: Hindrance },
    /// The thread has ended, and not because it was told to.
    Gone,
    /// A handler has been running for so long that the process is given up.
    GivenUp { running: Running, span: Duration },
}

impl Verdict {
    /// Kinds there are.
    pub(crate) const KINDS: usize = 8;

    /// Reports are held back by kind.
    pub(crate) fn kind(self) -> usize {
        match self {
            Self::Held { by: Hindrance::Busy | Hindrance::Unknown | Hindrance::Dead, .. } => 0,
            Self::Held { by: Hindrance::Starved, .. } => 1,
            Self::Held { by: Hindrance::Blocked, .. } => 2,
            Self::Held { by: Hindrance::Stopped, .. } => 3,
            Self::Stalled { .. } => 4,
            Self::Gone => 5,
            Self::GivenUp { .. } => 6,
        }
    }
}

/// What a thread is about that within `span` came from `before` to `after` and is in this state now.
pub(crate) fn judge(
    span: Duration,
    before: TaskTimes,
    after: TaskTimes,
    state: TaskState,
) -> Hindrance {
    let ran = after.ran.saturating_sub(before.ran);
    let mut waited = after.waited.saturating_sub(before.waited);
    let rest = span.saturating_sub(ran + waited);
    let mut slept = Duration::ZERO;
    // The kernel counts waiting when it is over: what is left is what it does at the moment.
    match state {
        TaskState::Stopped => return Hindrance::Stopped,
        TaskState::Runnable => waited += rest,
        TaskState::Sleeping | TaskState::Ended => slept = rest,
    }
    if ran >= waited && ran >= slept {
        Hindrance::Busy
    } else if waited >= slept {
        Hindrance::Starved
    } else {
        Hindrance::Blocked
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times(ran: u64, waited: u64) -> TaskTimes {
        TaskTimes { ran: Duration::from_millis(ran), waited: Duration::from_millis(waited) }
    }

    fn judged(ran: u64, waited: u64, state: TaskState) -> Hindrance {
        judge(Duration::from_millis(100), times(1000, 500), times(1000 + ran, 500 + waited), state)
    }

    #[test]
    fn most_of_the_time_decides() {
        use TaskState::{Runnable, Sleeping, Stopped};
        assert_eq!(judged(100, 0, Runnable), Hindrance::Busy);
        assert_eq!(judged(60, 40, Runnable), Hindrance::Busy);
        assert_eq!(judged(10, 90, Runnable), Hindrance::Starved, "it has waited");
        assert_eq!(
            judged(10, 0, Runnable),
            Hindrance::Starved,
            "it waits, which is not counted yet"
        );
        assert_eq!(judged(10, 0, Sleeping), Hindrance::Blocked);
        assert_eq!(judged(10, 80, Sleeping), Hindrance::Starved, "it has begun to sleep just now");
        assert_eq!(judged(90, 0, Sleeping), Hindrance::Busy, "so has this");
        assert_eq!(judged(0, 0, Stopped), Hindrance::Stopped);
    }
}

//! What holds a worker up, judged by what the kernel says of its thread.

use core::{fmt, time::Duration};

use dunlin_os::task::{TaskState, TaskTimes};

use crate::stats::Running;

/// What a thread that does not get on is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Held {
    /// It calculates.
    Busy,
    /// It wants to run, but the system gives the processor to others.
    Starved,
    /// It waits in the kernel: a system call that blocks, or a page that has to be read.
    Blocked,
    /// A debugger or a signal has stopped it.
    Stopped,
    /// The kernel does not tell.
    Unknown,
}

impl fmt::Display for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Busy => "busy",
            Self::Starved => "starved: the system runs other threads",
            Self::Blocked => "blocked in the kernel",
            Self::Stopped => "stopped from outside",
            Self::Unknown => "for reasons the kernel does not tell",
        })
    }
}

/// What is found at a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// A handler has been running for longer than its class may.
    Held { running: Running, span: Duration, by: Held },
    /// There is something to do and nothing happens, though no handler runs.
    Stalled { span: Duration, by: Held },
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
            Self::Held { by: Held::Busy | Held::Unknown, .. } => 0,
            Self::Held { by: Held::Starved, .. } => 1,
            Self::Held { by: Held::Blocked, .. } => 2,
            Self::Held { by: Held::Stopped, .. } => 3,
            Self::Stalled { .. } => 4,
            Self::Gone => 5,
            Self::GivenUp { .. } => 6,
        }
    }
}

/// What a thread is about that within `span` came from `before` to `after` and is in this state now.
pub(crate) fn judge(span: Duration, before: TaskTimes, after: TaskTimes, state: TaskState) -> Held {
    let ran = after.ran.saturating_sub(before.ran);
    let mut waited = after.waited.saturating_sub(before.waited);
    let rest = span.saturating_sub(ran + waited);
    let mut slept = Duration::ZERO;
    // The kernel counts waiting when it is over: what is left is what it does at the moment.
    match state {
        TaskState::Stopped => return Held::Stopped,
        TaskState::Runnable => waited += rest,
        TaskState::Sleeping | TaskState::Ended => slept = rest,
    }
    if ran >= waited && ran >= slept {
        Held::Busy
    } else if waited >= slept {
        Held::Starved
    } else {
        Held::Blocked
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times(ran: u64, waited: u64) -> TaskTimes {
        TaskTimes { ran: Duration::from_millis(ran), waited: Duration::from_millis(waited) }
    }

    fn judged(ran: u64, waited: u64, state: TaskState) -> Held {
        judge(Duration::from_millis(100), times(1000, 500), times(1000 + ran, 500 + waited), state)
    }

    #[test]
    fn most_of_the_time_decides() {
        use TaskState::{Runnable, Sleeping, Stopped};
        assert_eq!(judged(100, 0, Runnable), Held::Busy);
        assert_eq!(judged(60, 40, Runnable), Held::Busy);
        assert_eq!(judged(10, 90, Runnable), Held::Starved, "it has waited");
        assert_eq!(judged(10, 0, Runnable), Held::Starved, "it waits, which is not counted yet");
        assert_eq!(judged(10, 0, Sleeping), Held::Blocked);
        assert_eq!(judged(10, 80, Sleeping), Held::Starved, "it has begun to sleep just now");
        assert_eq!(judged(90, 0, Sleeping), Held::Busy, "so has this");
        assert_eq!(judged(0, 0, Stopped), Held::Stopped);
    }
}

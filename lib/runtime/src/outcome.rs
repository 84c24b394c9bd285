//! What came of asking for something.

use crate::time::Time;

/// What arming a timer has done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Armed {
    /// It was idle and is armed now.
    Armed,
    /// It was armed for this moment and has been moved.
    Moved {
        /// When it would have expired.
        from: Time,
    },
    /// Nothing: this name names no timer of this loop.
    NoSuchTimer,
}

/// What scheduling an event or queueing a job has done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheduling {
    /// It was idle and is to run now.
    Scheduled,
    /// Nothing: it is to run anyway, and will see what the caller did before.
    AlreadyPending,
    /// Nothing: it has been given up, or this name names none of this loop.
    Gone,
    /// Nothing: its loop has stopped. Only handles say this.
    Stopped,
}

impl Scheduling {
    /// Whether a run follows.
    pub const fn will_run(self) -> bool {
        matches!(self, Self::Scheduled | Self::AlreadyPending)
    }
}

/// What taking back something of the own loop has done. What has been taken back does not run, even
/// if it was due or next, until it is armed or scheduled again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cancel {
    /// It was armed or pending, and is not any more.
    Cancelled,
    /// Nothing was to come, but its handler is running: this very handler, or one that called it.
    Running,
    /// Nothing was to come: it was idle, or has been given up.
    NotPending,
}

impl Cancel {
    /// Whether something has been taken back.
    pub const fn is_cancelled(self) -> bool {
        matches!(self, Self::Cancelled)
    }
}

/// What came of cancelling something of another loop. In each case its handler is not running when
/// this is told, and does not run until it is armed or scheduled again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cancellation {
    /// It was armed or pending, and is not any more.
    Cancelled,
    /// It was idle: it has run, or nobody had asked it to.
    AlreadyRan,
    /// It has been given up.
    Gone,
    /// Its loop has stopped.
    Stopped,
}

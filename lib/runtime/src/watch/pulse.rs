//! Whether the whole process has been stopped: the watcher, too, has slept for longer than it wanted.

use core::time::Duration;

use dunlin_os::{
    task::{Task, TaskMeter, TaskTimes},
    thread,
};

use crate::time::Time;

/// From one look of the watcher to the next.
#[derive(Debug)]
pub(super) struct Pulse {
    /// When the last look began, and what the watcher's thread had had by then, if the kernel tells.
    last: (Time, Option<TaskTimes>),
    /// For how long it wanted to sleep after that.
    pause: Duration,
    /// Of the watcher's thread, if the kernel tells; asked at each look, many times a second for ever.
    meter: Option<TaskMeter>,
}

impl Pulse {
    /// Of a thread that is about to start.
    pub(super) fn new(now: Time) -> Self {
        Self { last: (now, Some(TaskTimes::default())), pause: Duration::ZERO, meter: None }
    }

    /// This is the thread.
    pub(super) fn begins(&mut self) {
        self.meter = Task::new(thread::id()).meter().ok();
    }

    /// The look is over, and the watcher sleeps for so long, or until somebody wakes it.
    pub(super) fn rests(&mut self, pause: Duration) {
        self.pause = pause;
    }

    /// The next look begins: how long the process has been stopped meanwhile, by a signal, a debugger or a
    /// suspended machine. It is the time that the watcher neither wanted to sleep nor ran nor waited for a
    /// processor. Nothing if the kernel does not tell: it may have been as on any machine with much to do.
    pub(super) fn goes_on(&mut self, now: Time) -> Duration {
        let times = self.meter.as_ref().and_then(|meter| meter.times().ok());
        let (since, before) = core::mem::replace(&mut self.last, (now, times));
        let over = now.since(since).saturating_sub(self.pause);
        match (before, times) {
            (Some(before), Some(after)) => stood(over, before, after),
            _ => Duration::ZERO,
        }
    }
}

/// What of a sleep that was so much too long is neither the thread's own nor the scheduler's.
fn stood(over: Duration, before: TaskTimes, after: TaskTimes) -> Duration {
    let ran = after.ran.saturating_sub(before.ran);
    let waited = after.waited.saturating_sub(before.waited);
    let stood = over.saturating_sub(ran + waited);
    if stood < LEAST { Duration::ZERO } else { stood }
}

/// A sleep that is longer by less than this is no sign.
const LEAST: Duration = Duration::from_millis(20);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_that_waited_for_a_processor_was_not_stopped() {
        let times = |ran, waited| TaskTimes {
            ran: Duration::from_millis(ran),
            waited: Duration::from_millis(waited),
        };
        let stood = |over, ran: u64, waited: u64| {
            stood(Duration::from_millis(over), times(5, 7), times(5 + ran, 7 + waited))
        };
        assert_eq!(stood(500, 0, 0), Duration::from_millis(500));
        assert_eq!(stood(500, 1, 490), Duration::ZERO);
        assert_eq!(stood(500, 0, 100), Duration::from_millis(400));
        assert_eq!(stood(15, 0, 0), Duration::ZERO);
    }
}

//! One worker, as the watcher sees it.

use core::{sync::atomic::Ordering, time::Duration};
use std::sync::{Arc, Weak};

use dunlin_os::task::{Task, TaskState, TaskTimes};

use super::judge::{Verdict, judge};
use crate::{
    pool::WorkerShared,
    stats::{Hindered, Hindrance, Limits, Running},
    time::{Time, nanos},
};

pub(super) struct Watched {
    /// Which worker it is about. Not owned: a worker that has gone takes its descriptors along at once, not when the
    /// watcher looks again.
    worker: Weak<WorkerShared>,
    /// What it was about at the look before.
    mark: Mark,
    /// When that was first seen, and what its thread had had by then.
    since: (Time, Option<TaskTimes>),
    /// How long the whole process has been stopped meanwhile.
    stood: Duration,
    /// What has been reported already.
    reported: Reported,
    is_busy: bool,
    /// What holds it up.
    hindered: Option<Hindered>,
}

/// Unchanged as long as a worker does not get on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Mark {
    /// Version of the bulletin of handlers.
    handler: u64,
    turns: u64,
    polls: u64,
    /// There is something for it to do: it does not sleep, or should not.
    wanted: bool,
}

/// What has been reported of the present [`Mark`].
#[derive(Clone, Copy, Debug, Default)]
struct Reported {
    held: bool,
    given_up: bool,
    gone: bool,
}

impl Watched {
    pub(super) fn new(shared: &Arc<WorkerShared>) -> Self {
        Self {
            worker: Arc::downgrade(shared),
            mark: Mark::default(),
            since: (Time::ZERO, None),
            stood: Duration::ZERO,
            reported: Reported::default(),
            is_busy: false,
            hindered: None,
        }
    }

    /// Whether this is about that worker, not about one with its index that was before.
    pub(super) fn is_of(&self, shared: &Arc<WorkerShared>) -> bool {
        core::ptr::eq(self.worker.as_ptr(), Arc::as_ptr(shared))
    }

    /// Whether it should be looked at again soon.
    pub(super) fn is_busy(&self) -> bool {
        self.is_busy
    }

    /// Takes a look, and shows what holds the worker up; what there is to report. Since the look before the process has been stopped for as
    /// long as `stood`. The kernel is asked only if something is under way.
    pub(super) fn look(
        &mut self,
        shared: &WorkerShared,
        now: Time,
        stood: Duration,
        limits: &Limits,
    ) -> Option<Verdict> {
        let before = self.hindered.take();
        let verdict = self.find(shared, now, stood, limits);
        if self.hindered != before {
            shared.hindered.set(self.hindered);
        }
        verdict
    }

    fn find(
        &mut self,
        shared: &WorkerShared,
        now: Time,
        stood: Duration,
        limits: &Limits,
    ) -> Option<Verdict> {
        let running = Running::read(&shared.gauge);
        let is_new = self.note(shared, running);
        let before = if is_new { Duration::ZERO } else { self.stood };
        self.stood = before + stood;
        self.is_busy = running.is_some() || self.mark.wanted;
        let id = shared.thread.load(Ordering::Relaxed);
        if !self.is_busy || id == 0 {
            return None;
        }
        let task = Task::new(id);
        let times = task.times().ok();
        if times.is_none() && task.state() == TaskState::Ended && !shared.is_closed() {
            self.is_busy = false;
            let since = if self.since.0 == Time::ZERO { now } else { self.since.0 };
            self.hindered = Some(Hindered { by: Hindrance::Dead, since });
            return (!core::mem::replace(&mut self.reported.gone, true)).then_some(Verdict::Gone);
        }
        if is_new {
            self.since = (now, times);
        }
        match running {
            Some(running) => {
                let verdict = self.overrun(running, now, task, limits);
                if let Some(Verdict::Held { .. }) = verdict {
                    shared.gauge.reported.store(running.version, Ordering::Relaxed);
                }
                verdict
            }
            None => self.stall(now, task, limits),
        }
    }

    /// Notes what it is about; true if that is something else than at the look before.
    fn note(&mut self, shared: &WorkerShared, running: Option<Running>) -> bool {
        let counters = &shared.counters;
        let mark = Mark {
            handler: shared.gauge.running.version(),
            turns: counters.turns.load(Ordering::Relaxed),
            polls: counters.polls.load(Ordering::Relaxed),
            wanted: running.is_none() && !(shared.wake.is_asleep() && shared.inbox.is_empty()),
        };
        let is_new = mark != self.mark;
        if is_new {
            self.mark = mark;
            self.reported = Reported { gone: self.reported.gone, ..Reported::default() };
        }
        is_new
    }

    fn overrun(
        &mut self,
        running: Running,
        now: Time,
        task: Task,
        limits: &Limits,
    ) -> Option<Verdict> {
        let span = now.since(running.began);
        if nanos(span.saturating_sub(self.stood)) >= limits.abort() && !self.reported.given_up {
            self.reported.given_up = true;
            return Some(Verdict::GivenUp { running, span });
        }
        if nanos(span) < limits.overrun(running.who.class) {
            return None;
        }
        let by = self.held_by(now, span, task)?;
        self.hindered = Some(Hindered { by, since: running.began });
        let is_new = !core::mem::replace(&mut self.reported.held, true);
        is_new.then_some(Verdict::Held { running, span, by })
    }

    fn stall(&mut self, now: Time, task: Task, limits: &Limits) -> Option<Verdict> {
        let span = now.since(self.since.0);
        if nanos(span) < limits.stall() {
            return None;
        }
        let by = self.held_by(now, span, task)?;
        self.hindered = Some(Hindered { by, since: self.since.0 });
        let is_new = !core::mem::replace(&mut self.reported.held, true);
        is_new.then_some(Verdict::Stalled { span, by })
    }

    /// What its thread is about since it was first seen at what it has been at for `whole`; nothing if that
    /// cannot be told yet.
    fn held_by(&self, now: Time, whole: Duration, task: Task) -> Option<Hindrance> {
        let (since, before) = self.since;
        if self.stood.min(whole) > whole / 2 {
            return Some(Hindrance::Stopped);
        }
        let span = now.since(since);
        if span < LEAST {
            return None;
        }
        match (before, task.times()) {
            (Some(before), Ok(after)) => Some(judge(span, before, after, task.state())),
            _ => Some(Hindrance::Unknown),
        }
    }
}

/// The kernel brings its figures up to date every four milliseconds, or ten.
const LEAST: Duration = Duration::from_millis(8);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_watched_may_go() {
        let worker = WorkerShared::new(0).unwrap();
        let watched = Watched::new(&worker);
        assert!(watched.is_of(&worker));
        assert!(!watched.is_of(&WorkerShared::new(0).unwrap()), "one with its index");
        assert!(Arc::into_inner(worker).is_some(), "the watcher keeps it, and its descriptors");
    }
}

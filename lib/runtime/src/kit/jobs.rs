//! Jobs for idle time: background work in eight priorities, one step at a time, which a worker runs
//! when it has nothing better to do.
//!
//! A worker picks the best priority among its loops; within it the loops take turns, and within a
//! loop its jobs of that priority. So a loop with many jobs keeps no other loop from its own. A worker
//! that never has nothing to do gives jobs their floor all the same: see [`FLOOR`].

use core::{fmt, time::Duration};
use std::{collections::VecDeque, sync::Arc};

use crate::{
    ids::{JobId, Key, LoopId},
    outcome::{Cancel, Scheduling},
    place::Place,
    runloop::Progress,
};

/// A worker that is busy all the time, and has jobs waiting, gives them one part in this many of its
/// time: after a step that took `t` the next comes `t * (FLOOR - 1)` later, but no sooner than
/// [`FLOOR_LEAST`] and no later than [`FLOOR_MOST`].
pub const FLOOR: u32 = 100;
/// The least time between two steps run for the floor's sake, and what the first waits for.
pub const FLOOR_LEAST: Duration = Duration::from_millis(2);
/// The most time between two steps run for the floor's sake.
pub const FLOOR_MOST: Duration = Duration::from_secs(1);

/// One of eight priorities of jobs; the first is the best.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JobPriority(u8);

impl JobPriority {
    /// The best, 0.
    pub const FIRST: Self = Self(0);
    /// Calculations whose result others wait for, 2.
    pub const CALCULATION: Self = Self(2);
    /// Bringing something up to date that nobody waits for, 5.
    pub const REFRESH: Self = Self(5);
    /// The last, 7: tidying up.
    pub const LAST: Self = Self(7);

    /// Priority `level`; what is above 7 counts as 7.
    pub const fn new(level: u8) -> Self {
        if level < 8 { Self(level) } else { Self::LAST }
    }

    /// 0 to 7.
    pub const fn level(self) -> u8 {
        self.0
    }
}

impl fmt::Display for JobPriority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What a job has done; times are those of its steps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobStats {
    /// The job.
    pub id: JobId,
    /// Its name.
    pub name: Arc<str>,
    /// Its priority.
    pub priority: JobPriority,
    /// It waits for its next step.
    pub waiting: bool,
    /// Steps run, those by `run_job_now` among them.
    pub steps: u64,
    /// Times it was done.
    pub completions: u64,
    /// What all steps took.
    pub time: Duration,
    /// What the longest took.
    pub longest: Duration,
}

/// The jobs of one loop.
#[derive(Debug)]
pub(crate) struct Jobs {
    /// Whose jobs these are.
    owner: LoopId,
    slots: Vec<Slot>,
    /// Waiting for a step, first come first served.
    waiting: VecDeque<u32>,
    /// The worker has granted one step.
    granted: bool,
    running: Option<Key>,
    /// Whose step ran last, until what it took is known.
    ran: Option<Key>,
}

#[derive(Debug)]
struct Slot {
    generation: u32,
    /// None if the slot is free.
    job: Option<Job>,
}

#[derive(Debug)]
struct Job {
    name: Arc<str>,
    priority: JobPriority,
    waiting: bool,
    /// Where it was started.
    place: Place,
    /// Cancelled in its own step.
    cancelled: bool,
    steps: u64,
    completions: u64,
    time: Duration,
    longest: Duration,
}

impl Jobs {
    pub(crate) fn new(owner: LoopId) -> Self {
        let (slots, waiting) = (Vec::new(), VecDeque::new());
        Self { owner, slots, waiting, granted: false, running: None, ran: None }
    }

    pub(crate) fn create(&mut self, name: &str, priority: JobPriority) -> Key {
        let job = Job {
            name: name.into(),
            priority,
            waiting: false,
            place: Place::NOWHERE,
            cancelled: false,
            steps: 0,
            completions: 0,
            time: Duration::ZERO,
            longest: Duration::ZERO,
        };
        let free = self.slots.iter().position(|slot| slot.job.is_none());
        let index = free.unwrap_or(self.slots.len());
        match self.slots.get_mut(index) {
            Some(slot) => slot.job = Some(job),
            None => self.slots.push(Slot { generation: 0, job: Some(job) }),
        }
        let generation = self.slots.get(index).map_or(0, |slot| slot.generation);
        Key::new(self.owner, u32::try_from(index).unwrap_or(u32::MAX), generation)
    }

    pub(crate) fn exists(&self, key: Key) -> bool {
        self.get(key).is_some()
    }

    /// True if it was waiting.
    pub(crate) fn remove(&mut self, key: Key) -> bool {
        let was_waiting = self.cancel(key) == Cancel::Cancelled;
        if self.get(key).is_some()
            && let Some(slot) = self.slots.get_mut(key.index() as usize)
        {
            *slot = Slot { generation: slot.generation.wrapping_add(1), job: None };
        }
        was_waiting
    }

    /// Has the job wait for a step.
    pub(crate) fn start(&mut self, key: Key, place: Place) -> Scheduling {
        let Some(job) = self.get_mut(key) else { return Scheduling::Gone };
        job.cancelled = false;
        if core::mem::replace(&mut job.waiting, true) {
            return Scheduling::AlreadyPending;
        }
        job.place = place;
        self.waiting.push_back(key.index());
        Scheduling::Scheduled
    }

    /// Says where a job is started, or a step of it run.
    pub(crate) fn set_place(&mut self, key: Key, place: Place) {
        if let Some(job) = self.get_mut(key) {
            job.place = place;
        }
    }

    /// Where a job was started.
    pub(crate) fn place(&self, key: Key) -> Place {
        self.get(key).map_or(Place::NOWHERE, |job| job.place)
    }

    pub(crate) fn cancel(&mut self, key: Key) -> Cancel {
        let running = self.running == Some(key);
        let Some(job) = self.get_mut(key) else { return Cancel::NotPending };
        let was_waiting = job.waiting;
        job.cancelled = running;
        self.pass(key);
        match (running, was_waiting) {
            (true, _) => Cancel::Running,
            (false, true) => Cancel::Cancelled,
            (false, false) => Cancel::NotPending,
        }
    }

    /// Takes the job out of those that wait: its step comes another way.
    pub(crate) fn pass(&mut self, key: Key) {
        let was_waiting = self.get_mut(key).is_some_and(|job| core::mem::take(&mut job.waiting));
        if was_waiting {
            self.waiting.retain(|&index| index != key.index());
        }
    }

    /// The best priority in which one waits.
    #[inline]
    pub(crate) fn best(&self) -> Option<JobPriority> {
        if self.waiting.is_empty() {
            return None;
        }
        self.waiting.iter().filter_map(|&index| self.priority_at(index)).min()
    }

    /// The worker has time for one step; false if none waits.
    pub(crate) fn grant(&mut self) -> bool {
        self.granted = !self.waiting.is_empty();
        self.granted
    }

    /// One may run.
    #[inline]
    pub(crate) fn is_granted(&self) -> bool {
        self.granted
    }

    /// Takes the job whose step is to run.
    pub(crate) fn take(&mut self) -> Option<Key> {
        if !core::mem::take(&mut self.granted) {
            return None;
        }
        let best = self.best()?;
        let at = self.waiting.iter().position(|&index| self.priority_at(index) == Some(best))?;
        let index = self.waiting.remove(at)?;
        let slot = self.slots.get_mut(index as usize)?;
        slot.job.as_mut()?.waiting = false;
        Some(Key::new(self.owner, index, slot.generation))
    }

    /// A step begins; false if the job is gone, or runs already.
    pub(crate) fn begin(&mut self, key: Key) -> bool {
        let free = self.running.is_none() && self.get(key).is_some();
        if free {
            self.running = Some(key);
        }
        free
    }

    /// The step has returned. What it took is said by [`account`](Self::account).
    pub(crate) fn end(&mut self, key: Key, progress: Progress) {
        self.running = None;
        self.ran = Some(key);
        let Some(job) = self.get_mut(key) else { return };
        job.steps += 1;
        let cancelled = core::mem::take(&mut job.cancelled);
        match progress {
            Progress::More if !cancelled => {
                let place = job.place;
                self.start(key, place);
            }
            Progress::More => {}
            Progress::Done => job.completions += 1,
        }
    }

    /// What the last step took.
    pub(crate) fn account(&mut self, took: Duration) {
        let Some(job) = self.ran.take().and_then(|key| self.get_mut(key)) else { return };
        job.time += took;
        job.longest = job.longest.max(took);
    }

    pub(crate) fn stats(&self) -> Vec<JobStats> {
        let each = self.slots.iter().zip(0..);
        each.filter_map(|(slot, index)| {
            let job = slot.job.as_ref()?;
            Some(JobStats {
                id: JobId(Key::new(self.owner, index, slot.generation)),
                name: Arc::clone(&job.name),
                priority: job.priority,
                waiting: job.waiting,
                steps: job.steps,
                completions: job.completions,
                time: job.time,
                longest: job.longest,
            })
        })
        .collect()
    }

    fn priority_at(&self, index: u32) -> Option<JobPriority> {
        Some(self.slots.get(index as usize)?.job.as_ref()?.priority)
    }

    fn get(&self, key: Key) -> Option<&Job> {
        let slot = self.slots.get(key.index() as usize)?;
        let known = slot.generation == key.generation() && key.owner == self.owner;
        slot.job.as_ref().filter(|_| known)
    }

    fn get_mut(&mut self, key: Key) -> Option<&mut Job> {
        let slot = self.slots.get_mut(key.index() as usize)?;
        let known = slot.generation == key.generation() && key.owner == self.owner;
        slot.job.as_mut().filter(|_| known)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(jobs: &mut Jobs, progress: Progress) -> Option<Key> {
        jobs.grant();
        let key = jobs.take()?;
        assert!(jobs.begin(key));
        jobs.end(key, progress);
        jobs.account(Duration::from_micros(3));
        Some(key)
    }

    #[test]
    fn best_first_and_in_turns() {
        let mut jobs = Jobs::new(LoopId(1));
        let late = jobs.create("late", JobPriority::LAST);
        let a = jobs.create("a", JobPriority::new(3));
        let b = jobs.create("b", JobPriority::new(3));
        for job in [late, a, b] {
            assert_eq!(jobs.start(job, Place::NOWHERE), Scheduling::Scheduled);
        }
        assert_eq!(jobs.start(b, Place::NOWHERE), Scheduling::AlreadyPending);
        assert_eq!(jobs.best(), Some(JobPriority::new(3)));
        assert_eq!(jobs.take(), None, "nothing is granted");
        assert_eq!(step(&mut jobs, Progress::More), Some(a));
        assert_eq!(step(&mut jobs, Progress::More), Some(b));
        assert_eq!(step(&mut jobs, Progress::Done), Some(a));
        assert_eq!(step(&mut jobs, Progress::Done), Some(b));
        assert_eq!(step(&mut jobs, Progress::Done), Some(late));
        assert_eq!(step(&mut jobs, Progress::Done), None);
        let stats = jobs.stats();
        assert_eq!((stats[1].steps, stats[1].completions), (2, 1));
        assert_eq!(stats[1].time, Duration::from_micros(6));
    }

    #[test]
    fn to_cancel_says_what_was_cancelled() {
        let mut jobs = Jobs::new(LoopId(1));
        let job = jobs.create("job", JobPriority::FIRST);
        assert_eq!(jobs.cancel(job), Cancel::NotPending);
        jobs.start(job, Place::NOWHERE);
        assert_eq!(jobs.cancel(job), Cancel::Cancelled);
        assert_eq!(step(&mut jobs, Progress::Done), None);
        jobs.start(job, Place::NOWHERE);
        jobs.grant();
        let key = jobs.take().unwrap();
        assert!(jobs.begin(key));
        assert!(!jobs.begin(key), "it runs already");
        assert_eq!(jobs.cancel(job), Cancel::Running);
        jobs.end(key, Progress::More);
        assert_eq!(jobs.best(), None);
        assert_eq!(jobs.cancel(job), Cancel::NotPending);
    }

    #[test]
    fn a_job_that_is_gone_names_nothing() {
        let mut jobs = Jobs::new(LoopId(1));
        let old = jobs.create("old", JobPriority::FIRST);
        jobs.start(old, Place::NOWHERE);
        assert!(jobs.remove(old));
        let new = jobs.create("new", JobPriority::FIRST);
        assert_eq!(jobs.start(old, Place::NOWHERE), Scheduling::Gone);
        assert_eq!(jobs.cancel(old), Cancel::NotPending);
        assert!(!jobs.remove(old));
        assert!(jobs.start(new, Place::NOWHERE).will_run());
        assert_eq!(step(&mut jobs, Progress::Done), Some(new));
    }
}

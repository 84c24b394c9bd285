//! Which loop of a worker gets the next step of a job, and when a busy worker owes one.

use core::time::Duration;
use std::collections::BTreeSet;

use super::jobs::{FLOOR, FLOOR_LEAST, FLOOR_MOST, JobPriority};
use crate::time::Time;

/// A worker's loops that have jobs waiting, at most once each: best priority first, and within it
/// the one whose turn was longest ago.
#[derive(Debug)]
pub(crate) struct Idle {
    order: BTreeSet<(JobPriority, u64, u32)>,
    /// By slot: the entry in `order`.
    places: Vec<Option<(JobPriority, u64)>>,
    /// Turns given out.
    turn: u64,
    /// When a busy worker has to run a step; never while none waits.
    due: Time,
}

impl Idle {
    pub(crate) fn new() -> Self {
        Self { order: BTreeSet::new(), places: Vec::new(), turn: 0, due: Time::NEVER }
    }

    /// No job waits.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    /// A busy worker has to run a step now.
    #[inline]
    pub(crate) fn is_due(&self, now: Time) -> bool {
        self.due <= now
    }

    /// Notes the best priority in which a loop has a job waiting. It keeps its place if it has one
    /// in that priority.
    #[inline]
    pub(crate) fn set(&mut self, slot: u32, best: Option<JobPriority>, now: Time) {
        let place = self.places.get(slot as usize).copied().flatten();
        if place.map(|place| place.0) != best {
            self.change(slot, best, now);
        }
    }

    fn change(&mut self, slot: u32, best: Option<JobPriority>, now: Time) {
        let index = slot as usize;
        if index >= self.places.len() {
            self.places.resize(index + 1, None);
        }
        if let Some((priority, turn)) = self.places[index].take() {
            self.order.remove(&(priority, turn, slot));
        }
        if let Some(priority) = best {
            self.turn += 1;
            self.order.insert((priority, self.turn, slot));
            self.places[index] = Some((priority, self.turn));
        }
        if self.order.is_empty() {
            self.due = Time::NEVER;
        } else if self.due == Time::NEVER {
            self.due = now + FLOOR_LEAST;
        }
    }

    /// The loop whose turn it is; it goes behind the others of its priority.
    pub(crate) fn next(&mut self, now: Time) -> Option<u32> {
        let (priority, _, slot) = self.order.pop_first()?;
        self.turn += 1;
        self.order.insert((priority, self.turn, slot));
        self.places[slot as usize] = Some((priority, self.turn));
        // Until the step has run and said what it took.
        self.due = now + FLOOR_LEAST;
        Some(slot)
    }

    /// Steps have run for so long.
    pub(crate) fn spent(&mut self, now: Time, took: Duration) {
        if !self.order.is_empty() {
            self.due = now + (took * (FLOOR - 1)).clamp(FLOOR_LEAST, FLOOR_MOST);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: Option<JobPriority> = Some(JobPriority::new(1));
    const TWO: Option<JobPriority> = Some(JobPriority::new(2));

    #[test]
    fn the_best_priority_first_and_in_turns() {
        let (mut idle, now) = (Idle::new(), Time::from_nanos(1));
        idle.set(5, TWO, now);
        idle.set(3, ONE, now);
        idle.set(4, ONE, now);
        let mut seen = Vec::new();
        for _ in 0..5 {
            seen.extend(idle.next(now));
            idle.set(3, ONE, now);
        }
        assert_eq!(seen, [3, 4, 3, 4, 3]);
        idle.set(3, None, now);
        idle.set(4, TWO, now);
        assert_eq!((idle.next(now), idle.next(now), idle.next(now)), (Some(5), Some(4), Some(5)));
        idle.set(4, None, now);
        idle.set(5, None, now);
        assert!(idle.is_empty());
        assert_eq!(idle.next(now), None);
        assert!(!idle.is_due(now + FLOOR_MOST));
    }

    #[test]
    fn the_floor_is_a_share_of_the_time() {
        let (mut idle, mut now) = (Idle::new(), Time::from_nanos(1));
        idle.set(0, ONE, now);
        assert!(!idle.is_due(now));
        now += FLOOR_LEAST;
        assert!(idle.is_due(now));
        idle.next(now);
        idle.spent(now, Duration::from_millis(1));
        assert!(!idle.is_due(now + Duration::from_micros(98_999)));
        assert!(idle.is_due(now + Duration::from_millis(99)));
        idle.spent(now, Duration::from_secs(60));
        assert!(idle.is_due(now + FLOOR_MOST));
    }
}

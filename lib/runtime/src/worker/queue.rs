//! A worker's run queues, one for each class.

use std::collections::VecDeque;

use dunlin_sync::{Class, Classes};

/// First the most urgent class. But while one that waits is passed over it is owed a part of the time
/// the others take, and once that makes a turn it gets one: no class starves, whichever others flood.
/// Liveness gives way only if it has kept the others waiting for long itself.
#[derive(Debug)]
pub(crate) struct RunQueue<T> {
    queues: [VecDeque<T>; 4],
    /// Nanoseconds each class is owed; less than none after a turn longer than that.
    owed: [i64; 4],
    /// The last entry taken was not of the most urgent class.
    granted: bool,
    /// Nanoseconds that liveness has taken since it last had nothing to do.
    streak: u64,
}

/// The part of other classes' time that a class is owed while it waits, in thousandths.
pub(crate) const FLOORS: [u64; 4] = [0, 100, 100, 30];
/// A class owed so many nanoseconds gets a turn; it never is owed, or owes, more than twice that.
pub(crate) const FLOOR_TURN: i64 = 500_000;
/// So much liveness without a pause, in nanoseconds, is a flood.
const LIVENESS_FLOOD: u64 = 5_000_000;
/// Of one turn of liveness no more counts: that it took longer was rather the system's doing, which
/// gave the processor to others, and liveness is late already.
const LIVENESS_TURN: u64 = 1_000_000;

impl<T> RunQueue<T> {
    pub(crate) fn new() -> Self {
        Self {
            queues: core::array::from_fn(|_| VecDeque::new()),
            owed: [0; 4],
            granted: false,
            streak: 0,
        }
    }

    #[inline]
    pub(crate) fn push(&mut self, class: Class, entry: T) {
        self.queues[class.index()].push_back(entry);
    }

    /// For a turn that was cut short: it goes on before others of its class.
    #[inline]
    pub(crate) fn push_front(&mut self, class: Class, entry: T) {
        self.queues[class.index()].push_front(entry);
    }

    #[inline]
    pub(crate) fn pop(&mut self) -> Option<T> {
        let chosen = self.choose()?;
        self.queues[chosen].pop_front()
    }

    /// As [`pop`](Self::pop), but which of its class is up to `pick`, given how many there are.
    pub(crate) fn pop_any(&mut self, pick: impl FnOnce(usize) -> usize) -> Option<T> {
        let chosen = self.choose()?;
        let queue = &mut self.queues[chosen];
        queue.remove(pick(queue.len()))
    }

    /// The class whose turn it is.
    #[inline]
    fn choose(&mut self) -> Option<usize> {
        let first = self.queues.iter().position(|queue| !queue.is_empty());
        self.granted = false;
        if first != Some(Class::Liveness.index()) {
            self.streak = 0;
        } else if self.streak < LIVENESS_FLOOD {
            return first;
        }
        let first = first?;
        let owed =
            |class: &usize| self.owed[*class] >= FLOOR_TURN && !self.queues[*class].is_empty();
        let grant = (first + 1..4).filter(owed).max_by_key(|&class| self.owed[class]);
        self.granted = grant.is_some();
        grant.or(Some(first))
    }

    /// The turn of the entry taken last, of `class`, took so many nanoseconds.
    #[inline]
    pub(crate) fn charge(&mut self, class: Class, took: u64) {
        if class == Class::Liveness {
            self.streak = self.streak.saturating_add(took.min(LIVENESS_TURN));
        }
        let most = 2 * FLOOR_TURN;
        for (at, owed) in self.owed.iter_mut().enumerate() {
            *owed = if at == class.index() {
                let least = if self.granted { -most } else { 0 };
                owed.saturating_sub_unsigned(took).max(least.min(*owed))
            } else if self.queues[at].is_empty() {
                0
            } else {
                owed.saturating_add_unsigned(took.saturating_mul(FLOORS[at]) / 1000).min(most)
            };
        }
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.queues.iter().all(VecDeque::is_empty)
    }

    /// The classes that have entries.
    #[inline]
    pub(crate) fn classes(&self) -> Classes {
        let waiting = Class::ALL.into_iter().filter(|class| !self.queues[class.index()].is_empty());
        waiting.fold(Classes::NONE, Classes::with)
    }

    /// All entries, the most urgent class first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.queues.iter().flatten()
    }

    /// Entries of each class.
    pub(crate) fn lengths(&self) -> [usize; 4] {
        self.queues.each_ref().map(VecDeque::len)
    }

    /// Entries in all.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.queues.iter().map(VecDeque::len).sum()
    }

    #[inline]
    pub(crate) fn has_liveness(&self) -> bool {
        !self.queues[0].is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Turns of each class out of many while all of these always have something to do; a turn of
    /// each takes so many nanoseconds.
    fn time_of_each(busy: &[Class], turn: [u64; 4]) -> [u64; 4] {
        let mut queue = RunQueue::new();
        busy.iter().for_each(|&class| queue.push(class, class));
        let mut time = [0; 4];
        for _ in 0..1_000_000 {
            let class = queue.pop().unwrap();
            queue.push(class, class);
            time[class.index()] += turn[class.index()];
            queue.charge(class, turn[class.index()]);
        }
        let all: u64 = time.iter().sum();
        time.map(|one| one * 1000 / all)
    }

    #[test]
    fn urgent_first() {
        let mut queue = RunQueue::new();
        for class in [Class::Bulk, Class::Routing, Class::Control, Class::Liveness] {
            queue.push(class, class);
        }
        let order: Vec<_> = core::iter::from_fn(|| queue.pop()).collect();
        assert_eq!(order, Class::ALL);
        assert!(queue.is_empty());
    }

    #[test]
    fn every_class_gets_its_floor_whatever_floods() {
        for turn in
            [[500_000, 1_000_000, 1_000_000, 500_000], [1000; 4], [50_000, 1000, 300, 500_000]]
        {
            let time = time_of_each(&Class::ALL, turn);
            for (time, floor) in time.into_iter().zip(FLOORS) {
                // A flood of liveness costs the others a part of their floors.
                assert!(time >= floor / 2, "{time} of {floor}, {turn:?}");
            }
            assert!(time[0] > 750, "{time:?}");
            let time = time_of_each(&[Class::Control, Class::Routing, Class::Bulk], turn);
            assert!(time[2] >= 80 && time[3] >= 25, "{time:?} {turn:?}");
            assert!(time[1] > 830, "{time:?} {turn:?}");
            let time = time_of_each(&[Class::Routing, Class::Bulk], turn);
            assert!((25..=40).contains(&time[3]), "{time:?} {turn:?}");
        }
    }

    #[test]
    fn one_turn_of_liveness_is_no_flood_however_long() {
        let mut queue = RunQueue::new();
        queue.push(Class::Bulk, Class::Bulk);
        queue.charge(Class::Routing, u64::MAX);
        for _ in 0..5 {
            queue.push(Class::Liveness, Class::Liveness);
            assert_eq!(queue.pop(), Some(Class::Liveness));
            queue.charge(Class::Liveness, 20_000_000);
        }
        queue.push(Class::Liveness, Class::Liveness);
        assert_eq!(queue.pop(), Some(Class::Bulk), "but five are");
    }

    #[test]
    fn a_class_is_owed_nothing_for_when_it_had_nothing_to_do() {
        let mut queue = RunQueue::new();
        queue.push(Class::Routing, 1);
        (0..1000).for_each(|_| queue.charge(Class::Routing, 1_000_000));
        queue.push(Class::Bulk, 2);
        assert_eq!(queue.pop(), Some(1));
    }

    #[test]
    fn a_turn_without_end_owes_two_turns_at_most() {
        let mut queue = RunQueue::new();
        queue.push(Class::Bulk, 2);
        queue.charge(Class::Routing, u64::MAX);
        queue.push(Class::Routing, 1);
        assert_eq!(queue.pop(), Some(2));
        queue.push(Class::Bulk, 2);
        queue.charge(Class::Bulk, 1_000_000);
        assert_eq!(queue.pop(), Some(1));
    }
}

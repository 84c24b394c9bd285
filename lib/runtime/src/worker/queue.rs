//! A worker's run queues, one for each class.

use std::collections::VecDeque;

use dunlin_sync::Class;

/// First the most urgent class; but one that has been passed over often enough gets a turn, so no
/// class starves.
#[derive(Debug)]
pub(crate) struct RunQueue<T> {
    queues: [VecDeque<T>; 4],
    /// How often each class has been passed over since its last turn.
    passed: [u32; 4],
}

/// How often a class is passed over at most.
const PATIENCE: [u32; 4] = [1, 16, 16, 32];

impl<T> RunQueue<T> {
    pub(crate) fn new() -> Self {
        Self { queues: core::array::from_fn(|_| VecDeque::new()), passed: [0; 4] }
    }

    #[inline]
    pub(crate) fn push(&mut self, class: Class, entry: T) {
        self.queues[class.index()].push_back(entry);
    }

    /// For a turn that was interrupted: it goes on before others of its class.
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
        let first = self.queues.iter().position(|queue| !queue.is_empty())?;
        let mut chosen = first;
        for (class, patience) in PATIENCE.into_iter().enumerate().skip(first + 1) {
            if self.queues[class].is_empty() {
                continue;
            }
            self.passed[class] += 1;
            if self.passed[class] > patience && first != Class::Liveness.index() {
                chosen = class;
                break;
            }
        }
        self.passed[chosen] = 0;
        Some(chosen)
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.queues.iter().all(VecDeque::is_empty)
    }

    /// All entries, the most urgent class first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.queues.iter().flatten()
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

    #[test]
    fn urgent_first_and_nobody_starves() {
        let mut queue = RunQueue::new();
        queue.push(Class::Bulk, "bulk");
        let mut turns = 0;
        loop {
            queue.push(Class::Routing, "routing");
            turns += 1;
            if queue.pop() == Some("bulk") {
                break;
            }
            assert!(turns < 100);
        }
        assert_eq!(turns, 33);
        queue.push(Class::Control, "control");
        queue.push(Class::Liveness, "liveness");
        assert_eq!(queue.pop(), Some("liveness"));
        assert_eq!(queue.pop(), Some("control"));
        assert_eq!(queue.pop(), Some("routing"));
        assert!(queue.is_empty());
    }
}

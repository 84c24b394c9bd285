//! Walks over an ordered collection that changes between the steps: each element that is there from
//! the beginning to the end is visited exactly once, in order.
//!
//! A [`Walk`] keeps nothing but the position it has come to, no reference and no count, so whatever
//! happens to the collection meanwhile it stays right:
//!
//! - Its position only ever grows, so nothing is visited twice.
//! - It goes to the smallest position beyond its own that there is, so nothing is passed over: an
//!   element that stays has a position beyond the walk's until it is visited.
//! - What is inserted beyond the walk is visited, what is inserted behind it is not; what is removed
//!   before its turn is not.
//!
//! All it asks of the collection is that an element keeps its position for life, and that positions are
//! ordered. An element removed and put back is a new one.

use core::ops::Bound;
use std::collections::{BTreeMap, BTreeSet};

use super::budget::Budget;
use crate::runloop::Progress;

/// A collection whose elements have positions in an order.
pub trait Ordered {
    /// Where an element is.
    type Position: Clone + Ord;

    /// The smallest position from `from` on that has an element.
    fn next_from(&self, from: Bound<&Self::Position>) -> Option<Self::Position>;
}

impl<K: Clone + Ord, V> Ordered for BTreeMap<K, V> {
    type Position = K;

    fn next_from(&self, from: Bound<&K>) -> Option<K> {
        self.range((from, Bound::Unbounded)).next().map(|(key, _)| key.clone())
    }
}

impl<K: Clone + Ord> Ordered for BTreeSet<K> {
    type Position = K;

    fn next_from(&self, from: Bound<&K>) -> Option<K> {
        self.range((from, Bound::Unbounded)).next().cloned()
    }
}

/// The indices below `end`: for records in a store, where the visitor knows the unused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Below(pub u32);

impl Ordered for Below {
    type Position = u32;

    #[inline]
    fn next_from(&self, from: Bound<&u32>) -> Option<u32> {
        let next = match from {
            Bound::Unbounded => 0,
            Bound::Included(at) => *at,
            Bound::Excluded(at) => at.checked_add(1)?,
        };
        (next < self.0).then_some(next)
    }
}

/// How far a walk has come. See the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Walk<P> {
    from: Bound<P>,
}

impl<P> Default for Walk<P> {
    fn default() -> Self {
        Self::new()
    }
}

impl<P> Walk<P> {
    /// From the very beginning.
    pub const fn new() -> Self {
        Self { from: Bound::Unbounded }
    }

    /// From this position on.
    pub const fn starting_at(position: P) -> Self {
        Self { from: Bound::Included(position) }
    }

    /// The last position visited; before the first, none.
    pub const fn last(&self) -> Option<&P> {
        match &self.from {
            Bound::Excluded(last) => Some(last),
            Bound::Included(_) | Bound::Unbounded => None,
        }
    }
}

impl<P: Clone + Ord> Walk<P> {
    /// Goes to the next element; none at the end. What is added beyond the end later can still be
    /// gone to.
    #[inline]
    pub fn advance<C: Ordered<Position = P>>(&mut self, collection: &C) -> Option<P> {
        let next = collection.next_from(self.from.as_ref())?;
        self.from = Bound::Excluded(next.clone());
        Some(next)
    }

    /// Visits elements until the end ([`Progress::Done`]) or until the budget is spent, but one at
    /// least. The visitor may change the collection as it likes.
    pub fn run<C, B>(
        &mut self,
        collection: &mut C,
        budget: &mut B,
        mut visit: impl FnMut(&mut C, &P, &mut B),
    ) -> Progress
    where
        C: Ordered<Position = P>,
        B: Budget,
    {
        while let Some(position) = self.advance(collection) {
            visit(collection, &position, budget);
            if budget.is_spent() {
                return Progress::More;
            }
        }
        Progress::Done
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kit::budget::Pieces;
    use crate::worker::engine::split_mix;

    /// Random insertions and removals, between the steps and by the visitor, against a model that
    /// knows which elements were there all the time.
    #[test]
    fn who_stays_is_visited_once_and_in_order() {
        for seed in 0..2000 {
            let mut state = seed;
            let mut below = |bound: u64| split_mix(&mut state) % bound;
            let size = below(60);
            // Each value is an element's identity: one that is put back is another.
            let mut identity = 0..;
            let mut fresh = || identity.next().unwrap();
            let mut map: BTreeMap<u64, u64> = (0..size).map(|_| (below(100), fresh())).collect();
            let mut staying: BTreeSet<u64> = map.values().copied().collect();
            let (mut seen, mut last) = (Vec::new(), None);
            let mut walk = Walk::new();
            loop {
                let mut change = |map: &mut BTreeMap<u64, u64>| {
                    for _ in 0..below(4) {
                        let key = below(100);
                        let gone = match below(2) {
                            0 => map.remove(&key),
                            _ => map.insert(key, fresh()),
                        };
                        gone.inspect(|gone| _ = staying.remove(gone));
                    }
                };
                let progress =
                    walk.run(&mut map, &mut Pieces(1 + (seed % 5) as u32), |map, key, _| {
                        assert!(last < Some(*key), "in order, so never twice");
                        last = Some(*key);
                        seen.push(map[key]);
                        change(map);
                    });
                if progress == Progress::Done {
                    break;
                }
                change(&mut map);
            }
            let visited: BTreeSet<u64> = seen.iter().copied().collect();
            assert_eq!(visited.len(), seen.len(), "no element twice");
            assert!(staying.is_subset(&visited), "seed {seed}: {staying:?} but {visited:?}");
        }
    }

    #[test]
    fn a_walk_over_a_store_follows_its_end() {
        let mut walk = Walk::starting_at(1);
        assert_eq!(walk.last(), None);
        assert_eq!((walk.advance(&Below(3)), walk.advance(&Below(3))), (Some(1), Some(2)));
        assert_eq!(walk.advance(&Below(3)), None);
        assert_eq!((walk.advance(&Below(4)), walk.last()), (Some(3), Some(&3)));
        assert_eq!(walk.advance(&Below(1)), None, "a store that was emptied");
        assert_eq!(Walk::starting_at(u32::MAX).advance(&Below(u32::MAX)), None);
    }

    #[test]
    fn a_spent_budget_still_gets_one_element() {
        let mut set: BTreeSet<u32> = (0..3).collect();
        let mut walk = Walk::default();
        for turn in 0..3 {
            let mut seen = Vec::new();
            let progress = walk.run(&mut set, &mut Pieces(0), |_, at, _| seen.push(*at));
            assert_eq!((seen, progress), (vec![turn], Progress::More));
        }
        assert_eq!(walk.run(&mut set, &mut Pieces(0), |_, _, _| ()), Progress::Done);
    }
}

//! An ordered list in chunks that are shared between versions: what changes is copied, the rest is not.
//!
//! A chunk is as large as what it holds and is never written once it may have been seen, so a copy of
//! the list is one counted pointer for each chunk and costs no reader anything.

use core::fmt::Debug;
use std::sync::Arc;

/// Entries in a chunk at most.
const MOST: usize = 256;

/// Two neighbours that have no more together become one.
const FEW: usize = MOST / 2;

/// Something that has its place by a key.
pub(super) trait Keyed: Clone + Debug {
    type Key: Copy + Ord + Debug;

    fn key(&self) -> Self::Key;
}

/// See the module.
#[derive(Clone, Debug)]
pub(super) struct Sorted<E: Keyed> {
    chunks: Vec<Chunk<E>>,
    len: usize,
}

/// Never empty.
#[derive(Clone, Debug)]
struct Chunk<E: Keyed> {
    /// The first one's key: it is looked at more often than the entries.
    first: E::Key,
    entries: Arc<[E]>,
}

impl<E: Keyed> Chunk<E> {
    fn new(entries: Arc<[E]>) -> Option<Self> {
        let first = entries.first()?.key();
        Some(Self { first, entries })
    }
}

/// Where an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    chunk: usize,
    index: usize,
}

impl<E: Keyed> Default for Sorted<E> {
    fn default() -> Self {
        Self { chunks: Vec::new(), len: 0 }
    }
}

impl<E: Keyed> Sorted<E> {
    /// How many.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Bytes held, if nobody else holds them.
    pub(super) fn memory(&self) -> usize {
        // Each chunk has two counters before its entries.
        let counters = 2 * size_of::<usize>();
        let chunks = self.chunks.iter().map(|chunk| counters + size_of_val(&*chunk.entries));
        self.chunks.capacity() * size_of::<Chunk<E>>() + chunks.sum::<usize>()
    }

    /// All of them, in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = &E> {
        self.chunks.iter().flat_map(|chunk| chunk.entries.iter())
    }

    /// The entry at a place.
    pub(super) fn get(&self, place: Place) -> Option<&E> {
        self.chunks.get(place.chunk)?.entries.get(place.index)
    }

    /// The place before one.
    pub(super) fn before(&self, place: Place) -> Option<Place> {
        if let Some(index) = place.index.checked_sub(1) {
            return Some(Place { index, ..place });
        }
        let chunk = place.chunk.checked_sub(1)?;
        Some(Place { chunk, index: self.chunks.get(chunk)?.entries.len() - 1 })
    }

    /// The last entry whose key `is_before` holds for, which it does for a beginning of the list.
    pub(super) fn last_where(&self, is_before: impl Fn(&E::Key) -> bool) -> Option<Place> {
        let chunk = self.chunks.partition_point(|chunk| is_before(&chunk.first)).checked_sub(1)?;
        let entries = &self.chunks.get(chunk)?.entries;
        let index = entries.partition_point(|entry| is_before(&entry.key())).checked_sub(1)?;
        Some(Place { chunk, index })
    }

    /// The entry with a key.
    pub(super) fn find(&self, key: E::Key) -> Option<&E> {
        let found = self.get(self.last_where(|other| *other <= key)?)?;
        (found.key() == key).then_some(found)
    }

    /// Puts an entry in; returns the one of the same key that it replaces.
    pub(super) fn insert(&mut self, entry: E) -> Option<E> {
        let key = entry.key();
        let Some(place) = self.last_where(|other| *other <= key) else {
            self.grow(Place { chunk: 0, index: 0 }, entry);
            return None;
        };
        let same = self.get(place).filter(|old| old.key() == key).cloned();
        if same.is_some() {
            if let Some(slot) =
                Arc::make_mut(&mut self.chunks[place.chunk].entries).get_mut(place.index)
            {
                *slot = entry;
            }
        } else {
            self.grow(Place { index: place.index + 1, ..place }, entry);
        }
        same
    }

    /// Makes room at a place.
    fn grow(&mut self, at: Place, entry: E) {
        self.len += 1;
        let Some(chunk) = self.chunks.get(at.chunk) else {
            self.chunks.extend(Chunk::new(Arc::new([entry])));
            return;
        };
        let (before, behind) = chunk.entries.split_at(at.index);
        let all = before.iter().cloned().chain([entry]).chain(behind.iter().cloned());
        if chunk.entries.len() < MOST {
            let grown = Chunk::new(all.collect());
            self.chunks.splice(at.chunk..=at.chunk, grown);
            return;
        }
        // What comes in order leaves full chunks behind.
        let left = if behind.is_empty() { before.len() } else { MOST / 2 };
        let halves = [all.clone().take(left).collect(), all.skip(left).collect()];
        let halves: Vec<Chunk<E>> = halves.into_iter().filter_map(Chunk::new).collect();
        self.chunks.splice(at.chunk..=at.chunk, halves);
    }

    /// Takes an entry out.
    pub(super) fn remove(&mut self, key: E::Key) -> Option<E> {
        let place = self.last_where(|other| *other <= key)?;
        let found = self.get(place).filter(|entry| entry.key() == key)?.clone();
        self.len -= 1;
        let entries = &self.chunks[place.chunk].entries;
        let left = entries[..place.index].iter().chain(&entries[place.index + 1..]);
        let next = self.chunks.get(place.chunk + 1);
        let joined = next.filter(|next| next.entries.len() + entries.len() - 1 <= FEW);
        let end = place.chunk + 1 + usize::from(joined.is_some());
        let more = joined.map_or(&[][..], |next| &next.entries);
        let rest = Chunk::new(left.chain(more).cloned().collect());
        self.chunks.splice(place.chunk..end, rest);
        Some(found)
    }

    /// Changes entries from the first whose key `is_before` does not hold for, as long as `goes_on`:
    /// those for which `change` has another value.
    pub(super) fn change(
        &mut self,
        is_before: impl Fn(&E::Key) -> bool,
        goes_on: impl Fn(&E::Key) -> bool,
        change: impl Fn(&E) -> Option<E>,
    ) {
        let start = self.chunks.partition_point(|chunk| is_before(&chunk.first)).saturating_sub(1);
        for chunk in self.chunks.iter_mut().skip(start) {
            if !is_before(&chunk.first) && !goes_on(&chunk.first) {
                return;
            }
            let wanted = |entry: &E| {
                let key = entry.key();
                (!is_before(&key) && goes_on(&key)).then(|| change(entry)).flatten()
            };
            if chunk.entries.iter().any(|entry| wanted(entry).is_some()) {
                for entry in Arc::make_mut(&mut chunk.entries) {
                    *entry = wanted(entry).unwrap_or_else(|| entry.clone());
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Keyed, MOST, Sorted};
    use crate::testing::{Rng, for_seeds};
    use std::collections::BTreeMap;

    #[derive(Clone, Debug, PartialEq)]
    struct Entry(u32, u32);

    impl Keyed for Entry {
        type Key = u32;

        fn key(&self) -> u32 {
            self.0
        }
    }

    fn check(list: &Sorted<Entry>, model: &BTreeMap<u32, u32>) {
        assert!(
            list.iter().map(|entry| (entry.0, entry.1)).eq(model.iter().map(|(k, v)| (*k, *v)))
        );
        assert_eq!(list.len(), model.len());
        for chunk in &list.chunks {
            assert!((1..=MOST).contains(&chunk.entries.len()));
            assert_eq!(chunk.first, chunk.entries[0].0);
        }
    }

    #[test]
    fn it_is_the_ordered_map_and_older_versions_stay() {
        for_seeds(10, |seed| {
            let mut rng = Rng::new(seed);
            let (mut list, mut model): (Sorted<Entry>, BTreeMap<u32, u32>) = Default::default();
            let mut kept = Vec::new();
            for step in 0..6000 {
                let key = rng.below(2000) as u32;
                // Grows, then shrinks.
                if rng.one_in(if step < 3000 { 4 } else { 2 }) || (step > 5000 && key > 100) {
                    assert_eq!(list.remove(key).map(|entry| entry.1), model.remove(&key));
                } else {
                    let old = list.insert(Entry(key, step)).map(|entry| entry.1);
                    assert_eq!(old, model.insert(key, step));
                }
                if step % 1000 == 0 {
                    kept.push((list.clone(), model.clone()));
                }
            }
            kept.push((list, model));
            kept.iter().for_each(|(list, model)| check(list, model));
        });
    }

    #[test]
    fn the_last_before_a_key_and_the_one_before_that() {
        let mut list = Sorted::default();
        (0..1000).for_each(|n| _ = list.insert(Entry(2 * n, n)));
        for key in [0, 1, 511, 512, 513, 1998, 5000] {
            let last = list.last_where(|other| *other <= key).unwrap();
            assert_eq!(list.get(last).unwrap().0, key.min(1999) / 2 * 2);
            let before = list.before(last).and_then(|place| list.get(place)).map(|entry| entry.0);
            assert_eq!(before, (key.min(1999) / 2 * 2).checked_sub(2));
        }
        assert!(Sorted::<Entry>::default().last_where(|_| true).is_none());
        assert!(list.last_where(|_| false).is_none());
    }

    #[test]
    fn a_range_is_changed_and_nothing_else() {
        let mut list = Sorted::default();
        (0..1000).for_each(|n| _ = list.insert(Entry(n, 0)));
        let before = list.clone();
        list.change(
            |key| *key < 300,
            |key| *key < 600,
            |entry| (entry.0 % 2 == 0).then_some(Entry(entry.0, 1)),
        );
        for entry in list.iter() {
            assert_eq!(entry.1 == 1, (300..600).contains(&entry.0) && entry.0 % 2 == 0);
        }
        assert!(before.iter().all(|entry| entry.1 == 0));
        let shared = list.chunks.iter().zip(&before.chunks);
        let shared =
            shared.filter(|(one, other)| std::sync::Arc::ptr_eq(&one.entries, &other.entries));
        assert!(shared.count() >= 1);
    }

    #[test]
    fn what_comes_in_order_fills_its_chunks() {
        let mut list = Sorted::default();
        (0..10 * MOST as u32).for_each(|n| _ = list.insert(Entry(n, 0)));
        assert_eq!(list.chunks.len(), 10);
    }
}

//! An index of records by hash: open addressing in the order of hashes.
//!
//! A slot is one word: 32 bits of hash and a handle. The home of a hash is its place when all hashes
//! are spread over the slots in ascending order, and records are kept in that order, so growing is
//! one pass over old and new memory, without a look at the records; a general hash map would fetch
//! the key of each. The number of slots need not be a power of two: it grows by half, which keeps a
//! large table two thirds full on average.

/// A handle of zero marks a free slot.
const FREE: u64 = 0;

/// Slots that the first record makes.
const FIRST: usize = 16;

/// Slots that an index keeps when it is empty.
const KEPT: usize = 1024;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Index {
    slots: Vec<u64>,
    len: usize,
}

impl Index {
    /// No records, no memory.
    pub(crate) const fn new() -> Self {
        Self { slots: Vec::new(), len: 0 }
    }

    /// How many records.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// The handle that was put in under this hash and that `is` says yes to; zero if there is none.
    #[inline]
    pub(crate) fn find(&self, hash: u64, mut is: impl FnMut(u32) -> bool) -> u32 {
        if self.len == 0 {
            return 0;
        }
        let tag = tag(hash);
        let mut at = self.home(tag);
        loop {
            let slot = self.slots[at];
            if slot == FREE {
                return 0;
            }
            if (slot >> 32) as u32 == tag && is(slot as u32) {
                return slot as u32;
            }
            at = self.after(at);
        }
    }

    /// Fetches what [`find`](Self::find) will look at. The result means nothing.
    #[inline]
    pub(crate) fn touch(&self, hash: u64) -> u64 {
        if self.slots.is_empty() { 0 } else { self.slots[self.home(tag(hash))] }
    }

    /// Puts a handle in that is not there.
    pub(crate) fn insert(&mut self, hash: u64, handle: u32) {
        if self.len + self.len / 3 >= self.slots.len() {
            self.grow();
        }
        self.len += 1;
        self.put(u64::from(tag(hash)) << 32 | u64::from(handle));
    }

    /// Takes a handle out that was put in under this hash; returns whether it was there.
    pub(crate) fn remove(&mut self, hash: u64, handle: u32) -> bool {
        if self.len == 0 {
            return false;
        }
        let wanted = u64::from(tag(hash)) << 32 | u64::from(handle);
        let mut at = self.home(tag(hash));
        while self.slots[at] != wanted {
            if self.slots[at] == FREE {
                return false;
            }
            at = self.after(at);
        }
        self.close(at);
        self.len -= 1;
        if self.len == 0 && self.slots.len() > KEPT {
            // Everything has gone: give the memory back.
            self.slots = Vec::new();
        }
        true
    }

    /// Takes all records out, of which there are `len`. Keeps memory that so many records need.
    pub(crate) fn clear(&mut self, len: usize) {
        if self.slots.len() > KEPT && self.slots.len() / 4 > len {
            self.slots = Vec::new();
        }
        self.slots.fill(FREE);
        self.len = 0;
    }

    /// Bytes held.
    pub(crate) fn memory(&self) -> usize {
        self.slots.capacity() * size_of::<u64>()
    }

    #[inline]
    fn home(&self, tag: u32) -> usize {
        // Below the number of slots, since the tag is below 2^32.
        ((u64::from(tag) * self.slots.len() as u64) >> 32) as usize
    }

    #[inline]
    fn after(&self, at: usize) -> usize {
        if at + 1 == self.slots.len() { 0 } else { at + 1 }
    }

    /// Steps from a slot's home to where it is.
    fn distance(&self, slot: u64, at: usize) -> usize {
        let home = self.home((slot >> 32) as u32);
        if at >= home { at - home } else { at + self.slots.len() - home }
    }

    /// Puts a slot where it belongs: those with lower hashes stay before it.
    fn put(&mut self, mut slot: u64) {
        let mut at = self.home((slot >> 32) as u32);
        let mut steps = 0;
        loop {
            let other = self.slots[at];
            if other == FREE {
                self.slots[at] = slot;
                return;
            }
            let others = self.distance(other, at);
            if others < steps || (others == steps && other > slot) {
                self.slots[at] = slot;
                (slot, steps) = (other, others);
            }
            at = self.after(at);
            steps += 1;
        }
    }

    /// Frees a slot; those behind it that are not at home move up.
    fn close(&mut self, mut at: usize) {
        loop {
            let next = self.after(at);
            let slot = self.slots[next];
            if slot == FREE || self.distance(slot, next) == 0 {
                self.slots[at] = FREE;
                return;
            }
            self.slots[at] = slot;
            at = next;
        }
    }

    fn grow(&mut self) {
        let size = (self.slots.len() + self.slots.len() / 2).max(FIRST);
        let wrapped = self.wrapped();
        let old = core::mem::replace(&mut self.slots, vec![FREE; size]);
        let (wrapped, ordered) = old.split_at(wrapped);
        // In the order of hashes each goes home, or right behind the one before it.
        let mut next = 0;
        let mut rest = ordered.iter().copied().filter(|&slot| slot != FREE);
        for slot in rest.by_ref() {
            let at = self.home((slot >> 32) as u32).max(next);
            if at == size {
                self.put(slot);
                break;
            }
            self.slots[at] = slot;
            next = at + 1;
        }
        rest.chain(wrapped.iter().copied()).for_each(|slot| self.put(slot));
    }

    /// How many slots at the start are of the highest hashes and found no room at the end.
    fn wrapped(&self) -> usize {
        let early =
            |&(at, &slot): &(usize, &u64)| slot != FREE && self.home((slot >> 32) as u32) > at;
        self.slots.iter().enumerate().take_while(early).count()
    }
}

/// The bits of a hash that decide. The others choose slices and bands.
#[inline]
fn tag(hash: u64) -> u32 {
    (hash ^ (hash >> 32)) as u32
}

#[cfg(test)]
mod tests {
    use super::Index;
    use crate::testing::{Rng, for_seeds};
    use std::collections::HashMap;

    #[test]
    fn what_is_put_in_is_found_until_it_is_taken_out() {
        for_seeds(30, |seed| {
            let mut rng = Rng::new(seed);
            let mut index = Index::new();
            let mut model: HashMap<u32, u64> = HashMap::new();
            // Many equal hashes, and some at the very end, so that chains wrap around.
            let hashes = 1 + rng.below(300) as u64;
            let hash_of = |n: u64| match n % 4 {
                0 => n << 32 | 0xffff_ffff,
                _ => n.wrapping_mul(0x9e37_79b9_7f4a_7c15),
            };
            for handle in 1..2000 {
                let hash = hash_of(rng.next() % hashes);
                index.insert(hash, handle);
                model.insert(handle, hash);
                if rng.one_in(2) {
                    let gone = 1 + rng.below(handle as usize) as u32;
                    let hash = model.remove(&gone);
                    assert_eq!(index.remove(hash.unwrap_or(7), gone), hash.is_some());
                }
                assert_eq!(index.len(), model.len());
            }
            for (&handle, &hash) in &model {
                assert_eq!(index.find(hash, |at| at == handle), handle);
            }
            for (handle, hash) in model {
                assert!(index.remove(hash, handle));
                assert_eq!(index.find(hash, |at| at == handle), 0);
            }
            assert_eq!(index.len(), 0);
            assert!(index.memory() <= super::KEPT * 8);
        });
    }

    #[test]
    fn an_empty_index_finds_nothing() {
        let mut index = Index::new();
        assert_eq!(index.find(1, |_| true), 0);
        assert!(!index.remove(1, 1));
        assert_eq!(index.touch(1), 0);
    }
}

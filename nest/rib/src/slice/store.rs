//! Records with 32-bit handles, in chunks that never move.
//!
//! A record that is free holds its `Default`; there is no tag beside it, for which these records have
//! no room: a network costs 16 bytes and a route 40. Handle zero is never given out: it stands for "none".
//!
//! A chunk without a record goes back to the allocator, but for a few of them. Its handles stay free as they are, and read as
//! `Default` as before; the first that is used again brings the chunk back.

use core::ops::{Index, IndexMut};

const CHUNK_BITS: u32 = 10;
const CHUNK: usize = 1 << CHUNK_BITS;

/// Chunks without a record that are kept, so that a few records that come and go do not bring chunks along.
const SPARE: usize = 8;

/// See the module.
#[derive(Debug)]
pub(crate) struct Store<T> {
    /// All but the last are full, or given back and empty. The first grows by itself, for the many stores that stay small.
    chunks: Vec<Vec<T>>,
    /// Records in each chunk.
    live: Vec<u16>,
    /// Full chunks without a record.
    spare: usize,
    free: Vec<u32>,
    next: u32,
}

impl<T: Default> Store<T> {
    pub(crate) const fn new() -> Self {
        Self { chunks: Vec::new(), live: Vec::new(), spare: 0, free: Vec::new(), next: 1 }
    }

    /// Puts a record in and names it.
    #[inline]
    pub(crate) fn insert(&mut self, value: T) -> u32 {
        let Some(handle) = self.free.pop() else { return self.push(value) };
        let chunk = (handle >> CHUNK_BITS) as usize;
        if self.live[chunk] == 0 {
            self.begin(chunk);
        }
        self.live[chunk] += 1;
        self[handle] = value;
        handle
    }

    fn push(&mut self, value: T) -> u32 {
        let handle = self.next;
        let number = (handle >> CHUNK_BITS) as usize;
        if number >= self.chunks.len() {
            self.chunks.push(if number == 0 { Vec::new() } else { Vec::with_capacity(CHUNK) });
            self.live.push(0);
        }
        let chunk = &mut self.chunks[number];
        if handle == 1 && chunk.is_empty() {
            chunk.push(T::default());
        }
        chunk.push(value);
        self.live[number] += 1;
        self.next += 1;
        handle
    }

    /// Takes a record out.
    #[inline]
    pub(crate) fn remove(&mut self, handle: u32) -> T {
        let value = core::mem::take(&mut self[handle]);
        self.free.push(handle);
        let chunk = (handle >> CHUNK_BITS) as usize;
        self.live[chunk] -= 1;
        if self.live[chunk] == 0 {
            self.end_of(chunk);
        }
        value
    }

    /// A chunk without a record gets one.
    #[cold]
    fn begin(&mut self, chunk: usize) {
        if self.chunks[chunk].is_empty() {
            self.chunks[chunk].resize_with(CHUNK, T::default);
        } else if self.counts(chunk) {
            self.spare -= 1;
        }
    }

    /// A chunk has lost its last record.
    #[cold]
    fn end_of(&mut self, chunk: usize) {
        if self.free.len() + 1 == self.next as usize {
            return self.clear();
        }
        if !self.counts(chunk) {
            return;
        }
        if self.spare < SPARE {
            self.spare += 1;
        } else {
            self.chunks[chunk] = Vec::new();
        }
    }

    /// Whether a chunk may be given back: not the first, and not the last while it is filled. That stays so as long as
    /// the chunk has no record, because its free handles are used before there is another one.
    fn counts(&self, chunk: usize) -> bool {
        chunk > 0 && self.chunks[chunk].len() == CHUNK
    }

    /// Takes all records out. Gives the memory back, but for the first chunk.
    pub(crate) fn clear(&mut self) {
        self.chunks.truncate(1);
        for chunk in &mut self.chunks {
            chunk.truncate(1);
        }
        self.live.truncate(1);
        self.live.fill(0);
        self.spare = 0;
        if self.free.capacity() > CHUNK {
            self.free = Vec::new();
        }
        self.free.clear();
        self.next = 1;
    }

    /// One past the highest handle ever given out since the store was empty.
    pub(crate) fn end(&self) -> u32 {
        self.next
    }

    /// Records that are in.
    pub(crate) fn len(&self) -> usize {
        self.next as usize - 1 - self.free.len()
    }

    /// Bytes held.
    pub(crate) fn memory(&self) -> usize {
        let records: usize = self.chunks.iter().map(Vec::capacity).sum();
        records * size_of::<T>() + self.free.capacity() * 4
    }
}

impl<T> Index<u32> for Store<T> {
    type Output = T;

    #[inline]
    fn index(&self, handle: u32) -> &T {
        let chunk = &self.chunks[(handle >> CHUNK_BITS) as usize];
        match chunk.get(handle as usize & (CHUNK - 1)) {
            Some(record) => record,
            // Of a chunk that was given back: as free as the record that is never used.
            None => &self.chunks[0][0],
        }
    }
}

impl<T> IndexMut<u32> for Store<T> {
    #[inline]
    fn index_mut(&mut self, handle: u32) -> &mut T {
        &mut self.chunks[(handle >> CHUNK_BITS) as usize][handle as usize & (CHUNK - 1)]
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::Store;
    use crate::testing::{Rng, for_seeds};

    #[test]
    fn handles_are_reused_and_never_zero() {
        let mut store = Store::new();
        let first = store.insert(7_u32);
        assert_ne!(first, 0);
        let second = store.insert(8);
        assert_eq!((store[first], store[second], store.len()), (7, 8, 2));
        assert_eq!(store.remove(first), 7);
        assert_eq!(store[first], 0);
        assert_eq!(store.insert(9), first);
    }

    #[test]
    fn an_emptied_store_gives_its_memory_back() {
        let mut store = Store::new();
        let handles: Vec<u32> = (0..5000).map(|n| store.insert(n)).collect();
        assert!(store.memory() > 0);
        for handle in handles {
            store.remove(handle);
        }
        assert_eq!((store.len(), store.end()), (0, 1));
        assert!(store.memory() <= 1024 * 4);
    }

    #[test]
    fn what_few_records_do_not_need_goes_back() {
        for_seeds(5, |seed| {
            let mut rng = Rng::new(seed);
            let mut store = Store::new();
            let mut handles: Vec<u32> = (0..100_000_u32).map(|n| store.insert(n)).collect();
            let full = store.memory();
            while handles.len() > 3 {
                store.remove(handles.swap_remove(rng.below(handles.len())));
            }
            // What is left: the chunks of three records, those that are spare, the first and the last, and the free list.
            let chunks = 3 + super::SPARE + 2;
            assert!(store.memory() - store.free.capacity() * 4 <= chunks * 1024 * 4, "{full}");
            let sum: u64 = (1..store.end()).map(|at| u64::from(store[at])).sum();
            assert_eq!(sum, handles.iter().map(|handle| u64::from(store[*handle])).sum::<u64>());
            assert_eq!(store.len(), 3);
        });
    }

    #[test]
    fn a_store_is_as_good_as_a_map_while_it_grows_and_shrinks() {
        for_seeds(10, |seed| {
            let mut rng = Rng::new(seed);
            let mut store = Store::new();
            let mut model: HashMap<u32, u32> = HashMap::new();
            let mut handles: Vec<u32> = Vec::new();
            for value in 1..60_000 {
                // It grows for a while, then shrinks for a while.
                if handles.is_empty()
                    || rng.below(100) < if value / 15_000 % 2 == 0 { 90 } else { 10 }
                {
                    let handle = store.insert(value);
                    assert!(
                        handle != 0 && model.insert(handle, value).is_none(),
                        "{handle} is in use"
                    );
                    handles.push(handle);
                } else {
                    let handle = handles.swap_remove(rng.below(handles.len()));
                    assert_eq!(Some(store.remove(handle)), model.remove(&handle));
                    assert_eq!(
                        store[handle.min(store.end() - 1)],
                        *model.get(&handle.min(store.end() - 1)).unwrap_or(&0)
                    );
                }
                assert_eq!(store.len(), model.len());
            }
            for at in 1..store.end() {
                assert_eq!(store[at], *model.get(&at).unwrap_or(&0));
            }
        });
    }

    #[test]
    fn a_record_that_comes_and_goes_brings_no_chunk_along() {
        let mut store = Store::new();
        let handles: Vec<u32> = (1..20_000).map(|n| store.insert(n)).collect();
        for handle in &handles[1..] {
            store.remove(*handle);
        }
        let before: Vec<*const u32> = store.chunks.iter().map(|chunk| chunk.as_ptr()).collect();
        let first = store.insert(7);
        for n in 0..1000 {
            store.remove(first);
            assert_eq!(store.insert(n), first);
        }
        store.remove(first);
        let kept =
            |store: &Store<u32>| store.chunks.iter().filter(|chunk| !chunk.is_empty()).count();
        assert!(kept(&store) <= super::SPARE + 3 && before.len() == store.chunks.len());
    }
}

//! Records with 32-bit handles, in chunks that never move.
//!
//! A record that is free holds its `Default`; there is no tag beside it, for which these records have
//! no room: a network costs 16 bytes and a route 40. Handle zero is never given out: it stands for "none".

use core::ops::{Index, IndexMut};

const CHUNK_BITS: u32 = 10;
const CHUNK: usize = 1 << CHUNK_BITS;

/// See the module.
#[derive(Debug)]
pub(crate) struct Store<T> {
    /// All but the last are full. The first grows by itself, for the many stores that stay small.
    chunks: Vec<Vec<T>>,
    free: Vec<u32>,
    next: u32,
}

impl<T: Default> Store<T> {
    pub(crate) const fn new() -> Self {
        Self { chunks: Vec::new(), free: Vec::new(), next: 1 }
    }

    /// Puts a record in and names it.
    #[inline]
    pub(crate) fn insert(&mut self, value: T) -> u32 {
        let Some(handle) = self.free.pop() else { return self.push(value) };
        self[handle] = value;
        handle
    }

    fn push(&mut self, value: T) -> u32 {
        let handle = self.next;
        let chunk = (handle >> CHUNK_BITS) as usize;
        if chunk >= self.chunks.len() {
            self.chunks.push(if chunk == 0 { Vec::new() } else { Vec::with_capacity(CHUNK) });
        }
        let chunk = &mut self.chunks[chunk];
        if handle == 1 && chunk.is_empty() {
            chunk.push(T::default());
        }
        chunk.push(value);
        self.next += 1;
        handle
    }

    /// Takes a record out.
    #[inline]
    pub(crate) fn remove(&mut self, handle: u32) -> T {
        let value = core::mem::take(&mut self[handle]);
        self.free.push(handle);
        if self.free.len() + 1 == self.next as usize {
            self.clear();
        }
        value
    }

    /// Takes all records out. Gives the memory back, but for the first chunk.
    pub(crate) fn clear(&mut self) {
        self.chunks.truncate(1);
        for chunk in &mut self.chunks {
            chunk.truncate(1);
        }
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
        &self.chunks[(handle >> CHUNK_BITS) as usize][handle as usize & (CHUNK - 1)]
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
    use super::Store;

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
}

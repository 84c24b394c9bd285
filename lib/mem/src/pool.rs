//! A free list of buffers of one size.

/// Buffers of one capacity, kept for reuse up to a number.
#[derive(Debug)]
pub struct BufferPool {
    free: Vec<Vec<u8>>,
    capacity: usize,
    keep: usize,
    made: u64,
}

impl BufferPool {
    /// Buffers of `capacity` bytes, of which up to `keep` are kept while unused.
    pub fn new(capacity: usize, keep: usize) -> Self {
        Self { free: Vec::new(), capacity, keep, made: 0 }
    }

    /// An empty buffer with the pool's capacity.
    pub fn take(&mut self) -> Vec<u8> {
        self.free.pop().unwrap_or_else(|| {
            self.made += 1;
            Vec::with_capacity(self.capacity)
        })
    }

    /// Gives a buffer back. One that grew much, shrank or came from elsewhere, or one too many, is freed.
    pub fn put(&mut self, mut buffer: Vec<u8>) {
        // The allocator may give a little more than it was asked for.
        let fits = (self.capacity..=self.capacity.saturating_mul(2)).contains(&buffer.capacity());
        if fits && self.free.len() < self.keep {
            buffer.clear();
            self.free.push(buffer);
        }
    }

    /// Bytes a buffer holds.
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// Buffers at hand.
    pub fn available(&self) -> usize {
        self.free.len()
    }

    /// Buffers made so far by the global allocator.
    pub fn made(&self) -> u64 {
        self.made
    }

    /// Frees the buffers at hand.
    pub fn trim(&mut self) {
        self.free = Vec::new();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_comes_back_empty() {
        let mut pool = BufferPool::new(4096, 1);
        let mut buffer = pool.take();
        buffer.extend_from_slice(b"data");
        let address = buffer.as_ptr();
        pool.put(buffer);
        let buffer = pool.take();
        assert_eq!((buffer.as_ptr(), buffer.len(), pool.made()), (address, 0, 1));
    }

    #[test]
    fn what_is_too_much_or_of_another_size_is_not_kept() {
        let mut pool = BufferPool::new(64, 1);
        let (first, second) = (pool.take(), pool.take());
        pool.put(first);
        pool.put(second);
        assert_eq!(pool.available(), 1);
        pool.trim();
        let mut grown = pool.take();
        grown.resize(1000, 0);
        pool.put(grown);
        assert_eq!(pool.available(), 0);
    }
}

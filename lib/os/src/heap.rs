//! How much memory is in use: for tests that look for leaks.
//!
//! What the system says of a process is coarse, as allocators take more than is asked for and keep what is given
//! back. This one counts, to the byte, what was asked for and not given back. It costs an atomic addition each time,
//! so no program uses it.

#![expect(unsafe_code, reason = "an allocator")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

/// The system's allocator, and a count. To be the `#[global_allocator]` of a test.
#[derive(Debug, Default)]
pub struct Counting {
    /// Bytes. Written by every thread, read by the test: relaxed, as it publishes nothing.
    used: AtomicUsize,
    /// Times that memory was asked for. As above.
    taken: AtomicUsize,
}

impl Counting {
    /// Nothing is in use.
    pub const fn new() -> Self {
        Self { used: AtomicUsize::new(0), taken: AtomicUsize::new(0) }
    }

    /// Bytes in use.
    pub fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    /// How often memory was asked for, or for more of it.
    pub fn taken(&self) -> usize {
        self.taken.load(Ordering::Relaxed)
    }

    fn count(&self, at: *mut u8, layout: Layout) -> *mut u8 {
        self.taken.fetch_add(1, Ordering::Relaxed);
        if !at.is_null() {
            self.used.fetch_add(layout.size(), Ordering::Relaxed);
        }
        at
    }
}

// SAFETY: all is left to the system's allocator; the count touches no memory of the callers.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as our caller promises.
        self.count(unsafe { System.alloc(layout) }, layout)
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as our caller promises.
        self.count(unsafe { System.alloc_zeroed(layout) }, layout)
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        self.used.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: as our caller promises.
        unsafe { System.dealloc(at, layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        self.taken.fetch_add(1, Ordering::Relaxed);
        // SAFETY: as our caller promises.
        let moved = unsafe { System.realloc(at, layout, size) };
        if !moved.is_null() {
            // Wraps around as the count does, if it is less than before.
            self.used.fetch_add(size.wrapping_sub(layout.size()), Ordering::Relaxed);
        }
        moved
    }
}

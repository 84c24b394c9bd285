//! Atomics, cells, counted pointers and threads: those of `std`, or under `--cfg loom` those of the
//! model checker. Lock-free code takes them from here only, so that what is checked is what runs.

#[cfg(loom)]
pub use self::modelled::*;
#[cfg(not(loom))]
pub use self::native::*;

#[cfg(not(loom))]
mod native {
    pub use std::sync::Arc;
    pub use std::sync::atomic::{
        AtomicBool, AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, Ordering,
    };
    pub use std::{hint, thread};

    /// The calling thread's number: no other thread of the process has it, ever. Not zero.
    #[inline]
    pub fn thread_number() -> u64 {
        thread_local! {
            static NUMBER: core::cell::Cell<u64> = const { core::cell::Cell::new(0) };
        }
        match NUMBER.get() {
            0 => {
                static LAST: AtomicU64 = AtomicU64::new(0);
                // Relaxed: each gets another number, and nothing hangs on the order.
                NUMBER.set(LAST.fetch_add(1, Ordering::Relaxed) + 1);
                NUMBER.get()
            }
            number => number,
        }
    }

    /// `core::cell::UnsafeCell` with the closure interface of the model checker's.
    #[derive(Debug, Default)]
    #[repr(transparent)]
    pub struct UnsafeCell<T>(core::cell::UnsafeCell<T>);

    impl<T> UnsafeCell<T> {
        /// A cell holding `value`.
        pub const fn new(value: T) -> Self {
            Self(core::cell::UnsafeCell::new(value))
        }

        /// Lends a pointer for reading. Dereferencing it needs the absence of any writer.
        #[inline(always)]
        pub fn with<R>(&self, read: impl FnOnce(*const T) -> R) -> R {
            read(self.0.get())
        }

        /// Lends a pointer for writing. Dereferencing it needs the absence of any other access.
        #[inline(always)]
        pub fn with_mut<R>(&self, write: impl FnOnce(*mut T) -> R) -> R {
            write(self.0.get())
        }
    }
}

#[cfg(loom)]
mod modelled {
    pub use loom::cell::UnsafeCell;
    pub use loom::sync::Arc;
    pub use loom::sync::atomic::{
        AtomicBool, AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, Ordering,
    };
    pub use loom::{hint, thread};

    /// The calling thread's number: no other thread of the model has it. Not zero.
    pub fn thread_number() -> u64 {
        use core::hash::{Hash, Hasher};
        let mut hasher = std::hash::DefaultHasher::new();
        thread::current().id().hash(&mut hasher);
        hasher.finish() | 1
    }
}

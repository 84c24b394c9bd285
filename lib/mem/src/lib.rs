//! Memory that a loop or worker owns: slabs with 32-bit handles, a bump arena, a pool of buffers.
//!
//! None of these is shared between threads; each has one owner and needs no lock. They keep the global
//! allocator out of the hot paths and their growth visible: a [`Slab`] grows by a chunk and never
//! copies, an [`Arena`] counts its resets and gives back what one large turn took, a [`BufferPool`]
//! keeps a bounded number of buffers.
//!
//! Deliberately absent: shared slabs, handles with generations (put one into `T` where a stale handle
//! is possible), and iteration over a slab (its owner knows what is in it).

pub mod arena;
pub mod pool;
pub mod slab;

pub use arena::{Arena, ArenaStatistics};
pub use bumpalo;
pub use pool::BufferPool;
pub use slab::{Handle, Slab};

//! Memory that a loop or worker owns: slabs with 32-bit handles, a bump arena.
//!
//! Neither is shared between threads; each has one owner and needs no lock. They keep the global
//! allocator out of the hot paths and their growth visible: a [`Slab`] grows by a chunk and never
//! copies, an [`Arena`] counts its resets and gives back what one large turn took.
//!
//! Deliberately absent: shared slabs, handles with generations (put one into `T` where a stale handle
//! is possible), and iteration over a slab (its owner knows what is in it).

pub mod arena;
pub mod slab;

pub use arena::{Arena, ArenaStatistics};
pub use bumpalo;
pub use slab::{Handle, Slab};

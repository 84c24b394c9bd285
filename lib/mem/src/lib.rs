//! Memory that a loop or worker owns: a bump arena.
//!
//! It is not shared between threads; it has one owner and needs no lock. It keeps the global allocator
//! out of the hot paths and its growth visible: an [`Arena`] counts its resets and gives back what one
//! large turn took.

pub mod arena;

pub use arena::{Arena, ArenaStatistics};

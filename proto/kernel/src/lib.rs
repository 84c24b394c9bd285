//! The kernel protocol: routes to and from the kernel's tables.
//!
//! Its grammar is complete and checked; the protocol itself is not built yet. A section that is not
//! `disabled` is an error of the configuration that says so, never a protocol that does nothing.

pub mod config;

mod kind;

pub use kind::Kernel;

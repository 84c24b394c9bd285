//! The direct protocol: routes for connected networks.
//!
//! Its grammar is complete and checked; the protocol itself is not built yet. Reading a section
//! that is not `disabled` warns of it, and starting it is an error that names it: it is never a
//! protocol that does nothing.

pub mod config;

mod kind;

pub use kind::Direct;

//! The pipe protocol: routes of one table put into another, both ways, each through a filter.
//!
//! * [`config`]: `protocol pipe { … }`. * [`policy`]: what passes. * [`show`]: `show protocols all`.
//!
//! A pipe has no loop. Routes never leave their slice: an instance only tells the slices what passes
//! in which direction. Routes keep protocol, attributes and preference, and all of a network's routes
//! pass, not only the best one. What came through a pipe does not go back through it, and a route
//! passes at most `max generation` pipes.

pub mod config;
pub mod policy;
pub mod show;

mod kind;

pub use kind::PipeProtocol;

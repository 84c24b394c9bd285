//! The operating system as Dunlin needs it: readiness, sockets and their options, clocks, mapped pages,
//! signals and the crash hook.
//!
//! Everything here is non-blocking except [`poll::Poller`]'s `wait`. This is the only crate that reads a
//! clock or draws randomness, so that a simulation can replace both. No type here knows of loops or routing.
//!
//! Deliberately absent: buffered streams, name resolution, timers (the runtime has its own), netlink
//! messages.

pub mod build_id;
pub mod clock;
pub mod crash;
pub mod heap;
pub mod map;
pub mod netlink;
pub mod place;
pub mod poll;
pub mod process;
pub mod random;
pub mod signal;
pub mod socket;
pub mod task;
pub mod thread;

//! How to write with this crate, from an echo server to a routing protocol. Nothing but text.
//!
//! 1. [`first`]: a loop, a message, a timer, and how to test them.
//! 2. [`echo`]: sockets; a loop for each connection.
//! 3. [`distance_vector`]: neighbours that come and go, hold timers, a protocol of 150 lines.
//! 4. [`guarantees`]: what may be relied upon, and what may not.
//! 5. [`ending`]: shutting down in order, and panics.

pub mod distance_vector;
pub mod echo;
pub mod ending;
pub mod first;
pub mod guarantees;

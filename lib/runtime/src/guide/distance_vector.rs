//! A distance-vector protocol: neighbours that come and go, in 150 lines.
//!
//! It is `examples/distance_vector.rs`: `cargo run -p dunlin-runtime --example distance_vector`.
//!
#![doc = "```no_run"]
#![doc = include_str!("../../examples/distance_vector.rs")]
#![doc = "```"]
//!
//! - One loop is one router: it has a listener, a connection for each neighbour, a hold timer for each
//!   connection and one timer for its own signs of life. Where sessions do much work of their own, give each
//!   a loop, as the echo server does, and send messages to the one that decides.
//! - The timers are of the liveness class. They are late by the handler that runs, not by what waits.
//! - Bytes come as the network likes: `ready` keeps what is not complete for the next time, `flush` keeps
//!   what there was no room for. The simulator splits reads and writes on purpose.
//! - A write that fails is left to be found by reading. So a neighbour is lost in one place.
//! - Whatever is lost goes the same way, as the hold timer of who hangs up expires at once: forget what it
//!   said, choose again, tell the others if that changed anything.
//!
//! `tests/guide.rs` runs it on real sockets, and in the simulator with a partition that is healed, which
//! takes a few lines:
//!
//! ```no_run
//! # use std::net::IpAddr;
//! # use dunlin_runtime::{Duration, sim::SimRuntime};
//! # let host = |number: u8| IpAddr::from([10, 0, 0, number]);
//! let mut sim = SimRuntime::new(7);
//! // ... spawn the nodes ...
//! sim.run_for(Duration::from_secs(5));
//! sim.net().partition(host(1), host(2));
//! sim.run_for(Duration::from_secs(10));
//! // ... ask them how far they are from each other now ...
//! sim.net().heal(host(1), host(2));
//! ```

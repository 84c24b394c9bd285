//! Whole Dunlins in one simulation: manager, slices, resolver, registry, BGP, on virtual time and
//! an in-memory network, with scripted neighbours around them.
//!
//! * [`world`]: the simulation with all that is in it, and what goes wrong meanwhile.
//! * [`daemon`]: a Dunlin without an operating system.
//! * [`speaker`]: a neighbour that does as the test says and writes down what it is told.
//! * [`model`]: what everybody must know in the end, worked out independently.
//! * [`hog`]: loops that keep workers busy.
//! * [`seeds`]: a scenario once for each seed; [`chance`] that follows from one.
//!
//! Every run follows from its seed. A run that fails prints the seed and the hash of its trace;
//! `DUNLIN_SIM_SEED=N` runs that one again, `DUNLIN_SIM_SEEDS=N` runs more.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "support of tests, which fail by panicking"
)]
#![allow(
    clippy::disallowed_types,
    reason = "the test looks at what loops have written down; all run on its own thread"
)]

#[path = "../../chance.rs"]
pub mod chance;
pub mod daemon;
pub mod hog;
pub mod model;
pub mod nets;
pub mod seeds;
pub mod speaker;
pub mod world;

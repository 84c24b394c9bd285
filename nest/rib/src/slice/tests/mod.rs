//! Slices as their loops drive them, without a runtime.
#![expect(
    clippy::disallowed_types,
    reason = "the test looks into what loops were told; nothing here runs on a worker of the daemon"
)]

mod bounds;
mod model;
mod world;

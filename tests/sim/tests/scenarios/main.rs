//! Scenarios, each over many seeds. See [`dunlin_sim_tests`] for how to run one again.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_types,
    reason = "a test: what goes wrong ends it, and it looks on from outside of all loops"
)]

mod chaos;
mod exchange;
mod farewell;
mod feed;
mod hog;
mod loss;
mod pause;
mod reload;
mod restart;
mod shortage;
mod slow;
mod three;
mod undo;

use core::time::Duration;

/// A second.
const S: Duration = Duration::from_secs(1);
/// A millisecond.
const MS: Duration = Duration::from_millis(1);

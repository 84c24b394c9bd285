//! Scenarios, each over many seeds. See [`dunlin_sim_tests`] for how to run one again.

mod chaos;
mod exchange;
mod feed;
mod hog;
mod loss;
mod pause;
mod restart;
mod slow;

use core::time::Duration;

/// A second.
const S: Duration = Duration::from_secs(1);
/// A millisecond.
const MS: Duration = Duration::from_millis(1);

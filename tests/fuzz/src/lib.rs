//! Broken input for whatever reads bytes or text: codecs, configuration, filters, commands.
//!
//! * [`targets`]: what is fed, and what must hold for any input; good input to begin with.
//! * [`mutate`]: makes broken input of good.
//! * [`drive`]: so many cases, or so many seconds of them; says which case failed.
//!
//! Cases follow from `FUZZ_SEED` and their number, so a case that failed is run again alone with
//! `FUZZ_SEED=N FUZZ_CASE=M`. `FUZZ_SECONDS` runs each target that long, with a seed of the time of day
//! unless there is one.
//!
//! Deliberately absent: guidance by coverage. The good input names every construct instead.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "support of tests, which fail by panicking"
)]
#![allow(clippy::disallowed_methods, reason = "it runs for so many seconds of real time")]

#[path = "../../chance.rs"]
pub mod chance;
pub mod drive;
pub mod mutate;
pub mod targets;

//! The crate as a whole, on a simulated runtime.

mod encoder;
mod history;
mod session;
mod world;

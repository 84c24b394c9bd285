//! The crate as a whole, on a simulated runtime.

mod credit;
mod encoder;
mod history;
mod hops;
mod limits;
mod pipes;
mod session;
mod sharing;
mod support;
mod walks;
mod world;

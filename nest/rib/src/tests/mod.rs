//! The crate as a whole, on a simulated runtime.
#![expect(
    clippy::disallowed_types,
    reason = "the test looks into what loops were told; nothing here runs on a worker of the daemon"
)]

mod assess;
mod credit;
pub(crate) mod encoder;
mod figures;
mod filters;
mod history;
mod hops;
mod ipv6;
mod limits;
mod pipes;
mod readers;
mod session;
mod sharing;
mod stalls;
mod support;
mod traces;
mod validation;
mod walks;
pub(crate) mod world;

//! The Border Gateway Protocol, version 4 (RFC 4271 and its successors).
//!
//! * [`wire`]: bytes to values and back. Knows no clock, no socket, no table.
//! * [`fsm`]: the session state machine: inputs and the time go in, actions come out.
//!
//! Nothing in `wire` or `fsm` reads a clock, draws a random number or does input or output, so a
//! whole session replays from its inputs.

pub mod config;
pub mod fsm;
mod glue;
pub mod wire;

pub use glue::Bgp;

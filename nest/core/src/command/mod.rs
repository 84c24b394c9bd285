//! The command line of the control socket.
//!
//! A [`Session`] is one client: it takes lines, runs one command at a time, and puts replies into
//! its [`Output`] in BIRD's wire form. It is a state machine without a socket: whoever owns it
//! hands it lines and answers, and says when the output has room. Commands that produce much
//! (`show route`) ask for the next piece only while there is room, so nothing piles up.

mod configure;
mod control;
mod explain;
mod explain_lines;
mod export;
mod filter_counters;
mod impact;
mod impact_lines;
mod instances;
mod interfaces;
mod memory;
mod output;
mod parse;
mod protocols;
mod query;
mod route;
mod route_filter;
mod route_lines;
mod route_tables;
mod runtime;
mod session;
mod status;
mod symbols;
mod threads;
mod trace;
mod walk;

use crate::config::Config;

pub use output::{Line, Output};
pub use session::{Answer, Answers, Session, SessionParts};

/// The version of BIRD whose output this is.
pub const COMPATIBLE: &str = "3.3.2";

/// Whether a line is a command over the names of a configuration.
///
/// # Errors
/// What a client is told if it is none.
pub fn check(line: &str, config: &Config) -> Result<(), String> {
    parse::parse(line, config, None).map(drop)
}

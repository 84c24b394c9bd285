//! The session state machine (RFC 4271 section 8), as values.
//!
//! [`Fsm`] is told what happens and what time it is, and answers with [`Action`]s; it reads no
//! clock, draws no random number and touches no socket. It knows up to two connections at once,
//! the one we opened and the one the neighbour opened, and which of them survives (RFC 4271 6.8).
//! Whoever drives it asks for [`Fsm::deadline`] and calls [`Fsm::expired`] then; a deadline that
//! has moved on in the meantime does no harm.

mod connection;
mod error;
mod negotiate;
mod session;
mod settings;
mod timing;

#[cfg(test)]
mod tests;

pub use connection::Side;
pub use error::{LastError, Misc};
pub use negotiate::{Agreed, Required};
pub use session::{Action, Fsm, Message, State, Waiting};
pub use settings::{CeaseMask, Neighbor, Settings, Timers};

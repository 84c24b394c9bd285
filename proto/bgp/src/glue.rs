//! Where BGP meets the daemon: loops, tables, commands.
//!
//! * [`service`]: the protocol type, and what its instances share.
//! * [`listener`]: one loop that accepts connections and finds the session that they are for.
//! * [`session`]: one loop a session: sockets, state machine, channels.
//! * [`policy`], [`encoder`]: what a session exports and how; sessions with equal ones share the
//!   work.

pub(crate) mod encoder;
pub(crate) mod instance;
pub(crate) mod listener;
pub(crate) mod policy;
pub(crate) mod service;
pub(crate) mod session;
pub(crate) mod show;

pub use service::Bgp;

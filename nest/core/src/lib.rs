//! What all protocols share: their lifecycle, configuration and reconfiguration, the interfaces
//! of the machine, and the commands of the control socket.
//!
//! * [`protocol`]: the traits a protocol implements and what it is given.
//! * [`config`]: the statements of a configuration file that belong to no protocol, and the driver
//!   that hands sections to protocols.
//! * [`manager`]: the loop that owns configuration and protocol instances.
//! * [`command`]: the command tree; replies in BIRD's wire form.
//! * [`interfaces`], [`log`], [`timeformat`]: what their names say.
//!
//! # Putting a daemon together
//!
//! 1. Read the configuration: [`config::load`] or [`config::parse_text`], with the array of
//!    [`protocol::ProtocolKind`]s the daemon has.
//! 2. Start the runtime; spawn the slices, the resolver and the registry of `dunlin_rib` and send
//!    each its `Start`; put them into a [`protocol::Rib`].
//! 3. Make a [`manager::Shared`] of configuration, tables, [`manager::Host`] and [`log::Log`].
//! 4. Spawn the manager with `spawn_with`: its address goes into [`manager::Manager::new`] and into
//!    the [`command::SessionParts`] of the control sockets. Its [`manager::System`] is told when
//!    all instances have been started and when the daemon has to end.
//! 5. Signals are [`manager::ManagerMessage::Signal`]s.
//! 6. A control socket's client is a loop with a [`command::Session`]; its message type is
//!    [`command::Answer`], and [`command::SessionParts::answers`] sends to it. It calls
//!    `line` while not `is_busy`, `answer` for each message, and `resume` when a busy session's
//!    output has fallen below 64 KiB again after it was above.
//!
//! Everything here meets the operating system through traits ([`interfaces::InterfaceSource`],
//! [`log::LogTarget`], [`manager::Host`]) that `sysdep` implements.

pub mod command;
pub mod config;
pub mod interfaces;
pub mod log;
pub mod manager;
pub mod protocol;
pub mod timeformat;

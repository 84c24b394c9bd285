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
//! Everything here meets the operating system through traits ([`interfaces::InterfaceSource`],
//! [`log::LogTarget`], [`manager::Host`]) that `sysdep` implements.

pub mod command;
pub mod config;
pub mod interfaces;
pub mod log;
pub mod manager;
pub mod protocol;
pub mod timeformat;

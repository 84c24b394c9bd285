//! The device protocol: has the interfaces of the machine watched, and tells the manager of them.
//!
//! * [`config`]: `protocol device { … }`. * [`watcher`]: the loop that passes pictures on.
//!
//! How interfaces are learnt is the business of the [`InterfaceSource`] that the daemon is put
//! together with. Deliberately absent: routes; those of connected networks are `direct`'s.
//!
//! [`InterfaceSource`]: dunlin_core::interfaces::InterfaceSource

pub mod config;
pub mod watcher;

mod kind;

pub use kind::Device;

//! Bytes to values and back. Sans-I/O, and no bytes whatsoever make it panic.
//!
//! Received UPDATEs are judged by RFC 7606: each ends as a set of routes, as routes to be treated
//! as withdrawn, or as the NOTIFICATION that ends the session.
#![deny(clippy::indexing_slicing)]
#![cfg_attr(test, expect(clippy::indexing_slicing, reason = "tests may fail by panic"))]

pub mod attribute;
pub mod capability;
pub mod decode;
pub mod encode;
pub mod family;
pub mod frame;
pub mod fuzz;
pub mod next_hop;
pub mod nlri;
pub mod notification;
pub mod open;
pub mod path;
pub mod problem;
pub mod refresh;

pub use family::{Carried, Family, FamilySet};
pub use frame::{Frame, Framed};
pub use notification::{Cease, Notification};
pub use open::Open;
pub use refresh::RouteRefresh;

/// Bytes of a message header.
pub const HEADER_LENGTH: usize = 19;
/// The longest message (RFC 4271).
pub const MAX_LENGTH: usize = 4096;
/// The longest message where extended messages are agreed upon (RFC 8654).
pub const MAX_LENGTH_EXTENDED: usize = 65535;
/// What a four-octet AS number is to a speaker of two octets (RFC 6793).
pub const AS_TRANS: u16 = 23456;

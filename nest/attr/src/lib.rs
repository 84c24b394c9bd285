//! Route attributes: what a route says besides its net.
//!
//! [`Attrs`] is an immutable set, shared by a counted pointer and equal by content. The BGP part is
//! kept as canonical wire bytes (TLVs sorted by type, four-octet AS numbers), so a route that no
//! filter changed is encoded again by copying; what best-route selection compares is kept beside
//! them in plain fields. [`AttrsBuilder`] makes new sets, [`AttrCache`] finds equal ones again.
//!
//! A set does not name the protocol, peer or channel that a route came from: routes of many peers
//! may share one.

pub mod display;

mod attrs;
mod bgp;
mod builder;
mod cache;
mod extra;
mod kinds;
mod next_hop;
mod summary;

pub use attrs::{Attrs, Canonical};
pub use bgp::{Aggregator, BgpNextHop, BgpView, CanonicalError, Tlv, Tlvs, flag, kind};
pub use builder::{AttrsBuilder, ValueTooLong};
pub use cache::AttrCache;
pub use extra::{AttrId, Foreign, Value};
pub use kinds::{Dest, Origin, Rts};
pub use next_hop::{Hop, Iface, IfaceName, NextHop};
pub use summary::Present;

//! Addresses, prefixes, tries and prefix sets, AS paths, communities, and the wire reader and writer.
//!
//! Nothing here knows of tables, protocols or loops. Everything is a plain value: no locks, no
//! clocks, no global state but the hash seed. Views over wire bytes ([`as_path::AsPath`],
//! [`community::List`]) never panic, whatever the bytes are; they were validated where they came in
//! and stop at the first malformed element otherwise.
//!
//! Deliberately absent: integer and community sets of the filter language (they belong to the
//! filter crate, which passes predicates to the list operations here), and AFI/SAFI numbers
//! (they belong to BGP).

pub mod as_path;
pub mod community;
pub mod hash;
mod key;
mod network;
pub mod prefix;
pub mod trie;
pub mod wire;

pub use key::{NetKey, NetType};
pub use network::{Aspa, Network, Roa, Roa4, Roa6, RoaAddress};
pub use prefix::{ParsePrefixError, Prefix, Prefix4, Prefix6};

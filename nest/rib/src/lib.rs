//! Routing tables: import in batches, best-route selection, shared export.
//!
//! The tables are cut into slices by a seeded hash of a prefix's leading bits. A slice is one loop
//! and owns its part of *every* table, so nothing here takes a lock:
//!
//! * sessions send a [`mod@slice`] whole batches of announcements ([`import`]);
//! * a slice selects best routes, evaluates each distinct export policy once and sends typed deltas
//!   ([`export`]);
//! * one [`egress`] loop per export group merges the deltas of all slices by attribute set, encodes
//!   them once into a bounded log and lets every member of the group write from it;
//! * the [`resolver`] loop answers which next hops can be reached;
//! * the [`validation::validator`] loop publishes what ROA and ASPA tables say, for filters.
//!
//! # Invariants
//!
//! * Slices never wait for anybody: not for the resolver, not for egress. So no cycle can close.
//! * All that a slice says about one prefix travels in one stream, in order, to each exporter.
//! * A batch of a dead [`Source`] is dropped; a source is never revived, a session that comes back
//!   brings a new one.
//!
//! Deliberately absent: protocols, sockets, text. This crate knows values and loops only.

pub mod assess;
pub mod barrier;
pub mod chunk;
pub mod counters;
pub mod egress;
pub mod encode;
pub mod export;
pub mod figures;
pub mod ids;
pub mod import;
mod index;
pub mod limits;
pub mod nexthop;
pub mod registry;
pub mod resolver;
pub mod slice;
pub mod source;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
pub mod trace;
pub mod validation;
pub mod walk;

pub use barrier::Barrier;
pub use ids::{ExporterId, MemberId, PipeId, SliceId, SourceId, TableId};
pub use source::{Order, Peer, Resolve, Source};

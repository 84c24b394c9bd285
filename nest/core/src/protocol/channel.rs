//! Channels as configured: which table, which filters, which limits.

use core::fmt;
use std::sync::Arc;

use dunlin_filter::ChannelFilter;
use dunlin_net::NetType;
pub use dunlin_rib::limits::LimitAction;

/// The kind of a channel, which is also its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ChannelKind {
    /// `ipv4`
    Ipv4,
    /// `ipv6`
    Ipv6,
}

impl ChannelKind {
    /// The word in the configuration and in `show protocols all`.
    pub const fn keyword(self) -> &'static str {
        match self {
            Self::Ipv4 => "ipv4",
            Self::Ipv6 => "ipv6",
        }
    }

    /// What its table holds.
    pub const fn net_type(self) -> NetType {
        match self {
            Self::Ipv4 => NetType::Ip4,
            Self::Ipv6 => NetType::Ip6,
        }
    }

    /// The table used if none is named.
    pub const fn default_table(self) -> &'static str {
        match self {
            Self::Ipv4 => "master4",
            Self::Ipv6 => "master6",
        }
    }
}

impl fmt::Display for ChannelKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.keyword())
    }
}

/// How many channels a protocol needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needed {
    /// It has none.
    None,
    /// Exactly one.
    One,
    /// Any number.
    Any,
}

/// Which channels a protocol may have, and what they are when nothing is said.
#[derive(Clone, Debug)]
pub struct ChannelRules {
    /// The kinds allowed.
    pub kinds: &'static [ChannelKind],
    /// How many it needs.
    pub needed: Needed,
    /// Preference of its routes.
    pub preference: u32,
    /// Default import filter.
    pub import: ChannelFilter,
    /// Default export filter.
    pub export: ChannelFilter,
}

/// A limit of a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// Routes allowed.
    pub count: u32,
    /// What happens beyond.
    pub action: LimitAction,
}

/// Which way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// From the protocol into the table.
    In,
    /// From the table to the protocol.
    Out,
}

/// A channel as configured, defaults filled in.
#[derive(Clone, Debug)]
pub struct ChannelConfig {
    /// Its kind.
    pub kind: ChannelKind,
    /// Name of its table.
    pub table: Arc<str>,
    /// Import filter.
    pub import: ChannelFilter,
    /// Export filter.
    pub export: ChannelFilter,
    /// The configuration says something about import (external BGP has no default).
    pub import_given: bool,
    /// The configuration says something about export.
    pub export_given: bool,
    /// Preference of imported routes.
    pub preference: u32,
    /// Rejected routes stay in the table, hidden.
    pub keep_filtered: bool,
    /// Limit of routes received.
    pub receive_limit: Option<Limit>,
    /// Limit of routes accepted.
    pub import_limit: Option<Limit>,
    /// Limit of routes exported.
    pub export_limit: Option<Limit>,
    /// Trace flags.
    pub debug: crate::config::DebugFlags,
}

impl PartialEq for ChannelConfig {
    /// Filters are compared as BIRD does: by name and structure.
    fn eq(&self, other: &Self) -> bool {
        self.kind == other.kind
            && self.table == other.table
            && self.import.same(&other.import)
            && self.export.same(&other.export)
            && self.preference == other.preference
            && self.keep_filtered == other.keep_filtered
            && self.receive_limit == other.receive_limit
            && self.import_limit == other.import_limit
            && self.export_limit == other.export_limit
            && self.debug == other.debug
    }
}

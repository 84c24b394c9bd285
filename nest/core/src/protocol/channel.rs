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
#[derive(Clone, Copy, Debug)]
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

/// A filter and the name it is shown by.
#[derive(Clone, Debug)]
pub struct NamedFilter {
    /// What runs.
    pub filter: ChannelFilter,
    /// Its name; nothing for a filter written inline and for the built-in ones.
    pub name: Option<Arc<str>>,
}

impl NamedFilter {
    /// One of the built-in filters.
    pub const fn built_in(filter: ChannelFilter) -> Self {
        Self { filter, name: None }
    }
}

impl PartialEq for NamedFilter {
    /// Filters are the same when they have the same name and the same structure.
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name && self.filter == other.filter
    }
}

impl fmt::Display for NamedFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.filter, &self.name) {
            (ChannelFilter::Accept, _) => f.write_str("ACCEPT"),
            (ChannelFilter::Reject, _) => f.write_str("REJECT"),
            (_, Some(name)) => f.write_str(name),
            (_, None) => f.write_str("(unnamed)"),
        }
    }
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
#[derive(Clone, Debug, PartialEq)]
pub struct ChannelConfig {
    /// Its kind.
    pub kind: ChannelKind,
    /// Name of its table.
    pub table: Arc<str>,
    /// Import filter.
    pub import: NamedFilter,
    /// Export filter.
    pub export: NamedFilter,
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

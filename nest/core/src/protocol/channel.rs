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
    /// `roa4`
    Roa4,
    /// `roa6`
    Roa6,
    /// `aspa`
    Aspa,
}

impl ChannelKind {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Ipv4, Self::Ipv6, Self::Roa4, Self::Roa6, Self::Aspa];

    /// Those whose tables are always there, with the names of these.
    pub const DEFAULT_TABLES: [(Self, &str); 2] =
        [(Self::Ipv4, "master4"), (Self::Ipv6, "master6")];

    /// The word in the configuration and in `show protocols all`.
    pub const fn keyword(self) -> &'static str {
        match self {
            Self::Ipv4 => "ipv4",
            Self::Ipv6 => "ipv6",
            Self::Roa4 => "roa4",
            Self::Roa6 => "roa6",
            Self::Aspa => "aspa",
        }
    }

    /// What its table holds.
    pub const fn net_type(self) -> NetType {
        match self {
            Self::Ipv4 => NetType::Ip4,
            Self::Ipv6 => NetType::Ip6,
            Self::Roa4 => NetType::Roa4,
            Self::Roa6 => NetType::Roa6,
            Self::Aspa => NetType::Aspa,
        }
    }

    /// The kind whose tables hold this, if there is one.
    pub fn of(net_type: NetType) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.net_type() == net_type)
    }
}

impl fmt::Display for ChannelKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.keyword())
    }
}

/// A channel type that is read and checked, and that nothing carries routes through yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct OtherChannel {
    /// The words in the configuration, with spaces between.
    pub words: &'static str,
    /// What its table holds.
    pub net_type: NetType,
}

/// Defines a constant for each of them.
macro_rules! other_channels {
    ($($name:ident $words:literal $net_type:ident;)*) => {
        impl OtherChannel {
            $(
                #[doc = concat!("`", $words, "`")]
                pub const $name: Self = Self { words: $words, net_type: NetType::$net_type };
            )*
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name),*];
        }
    };
}

other_channels! {
    IPV6_SADR "ipv6 sadr" Ip6Sadr;
    IPV4_MULTICAST "ipv4 multicast" Ip4;
    IPV6_MULTICAST "ipv6 multicast" Ip6;
    IPV4_MPLS "ipv4 mpls" Ip4;
    IPV6_MPLS "ipv6 mpls" Ip6;
    VPN4_MPLS "vpn4 mpls" Vpn4;
    VPN6_MPLS "vpn6 mpls" Vpn6;
    VPN4_MULTICAST "vpn4 multicast" Vpn4;
    VPN6_MULTICAST "vpn6 multicast" Vpn6;
    VPN4 "vpn4" Vpn4;
    VPN6 "vpn6" Vpn6;
    FLOW4 "flow4" Flow4;
    FLOW6 "flow6" Flow6;
    ETH "eth" Eth;
    EVPN "evpn" Evpn;
    MPLS "mpls" Mpls;
    NEIGHBORS "neighbors" Neighbor;
}

impl fmt::Display for OtherChannel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.words)
    }
}

/// A channel of such a type, as configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OtherChannelConfig {
    /// Its type.
    pub channel: OtherChannel,
    /// Name of its table.
    pub table: Arc<str>,
    /// The configuration says something about import.
    pub import_given: bool,
    /// The configuration says something about export.
    pub export_given: bool,
}

/// How many channels a protocol needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needed {
    /// It has none.
    None,
    /// Exactly one, besides one of MPLS labels.
    One,
    /// At least one.
    Some,
    /// Any number.
    Any,
}

/// Which channels a protocol may have, and what they are when nothing is said.
#[derive(Clone, Debug)]
pub struct ChannelRules {
    /// The kinds allowed.
    pub kinds: &'static [ChannelKind],
    /// The types allowed of those that carry nothing yet.
    pub others: &'static [OtherChannel],
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
    /// Filters run again when ROA or ASPA tables change that they ask.
    pub rpki_reload: bool,
    /// Limit of routes received.
    pub receive_limit: Option<Limit>,
    /// Limit of routes accepted.
    pub import_limit: Option<Limit>,
    /// Limit of routes exported.
    pub export_limit: Option<Limit>,
    /// Trace flags.
    pub debug: crate::config::DebugFlags,
}

impl ChannelConfig {
    /// The filter of a direction.
    pub fn filter(&self, direction: Direction) -> &ChannelFilter {
        match direction {
            Direction::In => &self.import,
            Direction::Out => &self.export,
        }
    }
}

//! What a `protocol bgp` section says.

use core::net::IpAddr;
use std::sync::Arc;

use dunlin_core::protocol::{ChannelKind, Differences, InstanceConfig, ProtocolConfig};
use dunlin_net::Prefix;

use crate::fsm::{CeaseMask, Neighbor, Timers};
use crate::wire::capability::Role;

mod channel;
mod check;
mod differ;
mod fit;
mod section;
mod statement;
mod unbuilt;

pub(crate) use differ::changed_limits;
pub use section::BgpSection;

/// The port of BGP.
pub const PORT: u16 = 179;

/// Whom a session is with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Remote {
    /// The neighbour with this address.
    Address(IpAddr),
    /// Whoever connects from this range; each gets a session of its own.
    Range(Prefix),
}

/// For routes from which neighbours an option holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Scope {
    /// None.
    #[default]
    Off,
    /// Those in our AS.
    Internal,
    /// Those in other ASes.
    External,
    /// All.
    All,
}

impl Scope {
    /// Whether it holds for a route that came from inside (or not).
    pub const fn holds(self, internal: bool) -> bool {
        match self {
            Self::Off => false,
            Self::Internal => internal,
            Self::External => !internal,
            Self::All => true,
        }
    }
}

/// How received next hops are resolved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gateway {
    /// They are on a connected network.
    Direct,
    /// Through the IGP table.
    Recursive,
}

/// BGP's own part of a channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChannelOptions {
    /// Which channel.
    pub kind: ChannelKind,
    /// We announce ourselves as the next hop.
    pub next_hop_self: Scope,
    /// We leave the next hop as it is.
    pub next_hop_keep: Scope,
    /// What "ourselves" is.
    pub next_hop_address: Option<IpAddr>,
    /// How received next hops are resolved.
    pub gateway: Gateway,
    /// The table that they are resolved through.
    pub igp_table: Arc<str>,
    /// The neighbour must carry the family.
    pub mandatory: bool,
}

/// Capabilities that may be switched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Announced {
    /// Any at all.
    pub any: bool,
    /// Route refresh.
    pub route_refresh: bool,
    /// Four-octet AS numbers.
    pub as4: bool,
    /// Extended messages.
    pub extended_message: bool,
    /// Host name.
    pub hostname: bool,
}

/// Capabilities that the neighbour must have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Requirements {
    /// Route refresh.
    pub route_refresh: bool,
    /// Enhanced route refresh.
    pub enhanced_refresh: bool,
    /// Four-octet AS numbers.
    pub as4: bool,
    /// Extended messages.
    pub extended_message: bool,
    /// Host name.
    pub hostname: bool,
    /// Graceful restart.
    pub graceful_restart: bool,
    /// Long-lived graceful restart.
    pub long_lived: bool,
    /// A role.
    pub role: bool,
}

/// A checked section.
#[derive(Clone, Debug, PartialEq)]
pub struct BgpConfig {
    /// Our AS.
    pub local_as: u32,
    /// Our address.
    pub source: Option<IpAddr>,
    /// Our port.
    pub port: u16,
    /// Whom the session is with.
    pub remote: Remote,
    /// The neighbour's port.
    pub remote_port: u16,
    /// The neighbour's AS.
    pub neighbor: Neighbor,
    /// The interface that a link-local neighbour is on.
    pub interface: Option<Arc<str>>,
    /// Hops to a neighbour that isn't on a connected network.
    pub multihop: Option<u8>,
    /// No address needs to match.
    pub onlink: bool,
    /// Never connect.
    pub passive: bool,
    /// TCP MD5 key.
    pub password: Option<Arc<str>>,
    /// Time to live is checked.
    pub ttl_security: bool,
    /// A listening socket of its own for our address.
    pub strict_bind: bool,
    /// Bind to addresses that the machine doesn't have.
    pub free_bind: bool,
    /// The session ends with the link.
    pub check_link: bool,
    /// Stem of the names of sessions out of a range.
    pub dynamic_name: Arc<str>,
    /// Digits behind it.
    pub dynamic_digits: usize,
    /// The neighbour is our client as a route reflector.
    pub rr_client: bool,
    /// Our cluster, if not the router id.
    pub cluster_id: Option<u32>,
    /// The neighbour is our client as a route server.
    pub rs_client: bool,
    /// How often our own AS may be in a received path.
    pub allow_local_as: u32,
    /// LOCAL_PREF goes to and comes from other ASes.
    pub allow_local_pref: bool,
    /// MED goes to other ASes.
    pub allow_med: bool,
    /// Paths with sets are taken.
    pub allow_as_sets: bool,
    /// Paths must begin with the neighbour's AS.
    pub enforce_first_as: bool,
    /// Our role.
    pub role: Option<Role>,
    /// Well-known communities are honoured.
    pub interpret_communities: bool,
    /// LOCAL_PREF of routes that have none.
    pub default_local_pref: u32,
    /// MED of routes that have none.
    pub default_med: u32,
    /// Path lengths are compared.
    pub path_metric: bool,
    /// MEDs are compared between neighbour ASes.
    pub med_metric: bool,
    /// IGP metrics are compared.
    pub igp_metric: bool,
    /// The older route is preferred.
    pub prefer_older: bool,
    /// Capabilities that we announce.
    pub announced: Announced,
    /// Capabilities that the neighbour must have.
    pub required: Requirements,
    /// Durations.
    pub timers: Timers,
    /// Stay down after an error.
    pub disable_after_error: bool,
    /// Stay down after these Ceases.
    pub disable_after_cease: CeaseMask,
    /// BGP's own part of the channels.
    pub channels: Vec<ChannelOptions>,
}

impl BgpConfig {
    /// Whether the neighbour is in our AS.
    pub fn is_internal(&self) -> bool {
        match self.neighbor {
            Neighbor::As(asn) => asn == self.local_as,
            Neighbor::Internal => true,
            Neighbor::External => false,
        }
    }

    /// The cluster that the neighbour is in, if it is our client.
    pub fn cluster(&self, router_id: u32) -> Option<u32> {
        self.rr_client.then(|| self.cluster_id.unwrap_or(router_id))
    }

    /// The least time to live that packets of the neighbour have, if it is checked (RFC 5082).
    pub fn min_ttl(&self) -> Option<u8> {
        self.ttl_security.then(|| u8::MAX - self.multihop.unwrap_or(1).saturating_sub(1))
    }

    /// BGP's own part of a channel.
    pub fn channel(&self, kind: ChannelKind) -> Option<&ChannelOptions> {
        self.channels.iter().find(|options| options.kind == kind)
    }

    /// The neighbour's address; that of the network for a range.
    pub fn remote_address(&self) -> IpAddr {
        match &self.remote {
            Remote::Address(address) => *address,
            Remote::Range(prefix) => prefix.addr(),
        }
    }
}

impl ProtocolConfig for BgpConfig {
    fn same(&self, other: &dyn ProtocolConfig) -> bool {
        other.downcast::<Self>().is_some_and(|other| self == other)
    }

    fn has_places(&self) -> bool {
        false
    }

    fn differences(&self, old: &InstanceConfig, new: &InstanceConfig, found: &mut Differences) {
        let Some(after) = new.specific::<Self>() else { return };
        differ::differences(self, after, found);
        differ::channel_differences((old, self), (new, after), found);
    }
}

#[cfg(test)]
mod tests;

//! Networks that are no plain prefixes. In the language they are of type `prefix` too.

use std::{cmp::Ordering, fmt, net::IpAddr};

use dunlin_conf::lexer::Rd;
use dunlin_net::{Network, Prefix};

/// Numbers of `NET_IP4` and `NET_IP6`.
const PLAIN: (u32, u32) = (1, 2);

/// A network with more to it than a prefix, or with none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Net {
    /// `RD PREFIX`
    Vpn(Rd, Prefix),
    /// `PREFIX max LENGTH as ASN`
    Roa {
        /// What may be announced.
        prefix: Prefix,
        /// The longest length that may be.
        max_len: u8,
        /// By whom.
        asn: u32,
    },
    /// `PREFIX from PREFIX`, both of IPv6.
    Sadr {
        /// Where packets go.
        destination: Prefix,
        /// Where they come from.
        source: Prefix,
    },
    /// `mpls LABEL`
    Mpls(u32),
    /// `aspa ASN`
    Aspa(u32),
    /// `eth MAC [vlan N]`
    Eth([u8; 6], Option<u16>),
    /// `neighbor IP % INDEX`
    Neighbor(IpAddr, u32),
}

/// The number of a plain prefix's type.
#[must_use]
pub(crate) fn plain_type(prefix: Prefix) -> u32 {
    if prefix.is_v4() { PLAIN.0 } else { PLAIN.1 }
}

impl Net {
    /// A network of a table, unless it is a plain prefix.
    #[must_use]
    pub(crate) fn of(network: Network) -> Option<Self> {
        Some(match network {
            Network::V4(_) | Network::V6(_) => return None,
            Network::Roa4(roa) => {
                Self::Roa { prefix: roa.prefix(), max_len: roa.max_len(), asn: roa.asn() }
            }
            Network::Roa6(roa) => {
                Self::Roa { prefix: roa.prefix(), max_len: roa.max_len(), asn: roa.asn() }
            }
            Network::Aspa(aspa) => Self::Aspa(aspa.0),
        })
    }

    /// The number of its type: `NET_ROA4` and so on.
    #[must_use]
    pub fn net_type(&self) -> u32 {
        match self {
            Self::Vpn(_, prefix) => 2 + plain_type(*prefix),
            Self::Roa { prefix, .. } => 4 + plain_type(*prefix),
            Self::Sadr { .. } => 9,
            Self::Mpls(_) => 10,
            Self::Aspa(_) => 11,
            Self::Eth(..) => 13,
            Self::Neighbor(..) => 14,
        }
    }

    /// The prefix in it, if it has one.
    #[must_use]
    pub fn prefix(&self) -> Option<Prefix> {
        match self {
            Self::Vpn(_, prefix) | Self::Roa { prefix, .. } => Some(*prefix),
            Self::Sadr { destination, .. } => Some(*destination),
            Self::Neighbor(address, _) => Some(Prefix::host(*address)),
            Self::Mpls(_) | Self::Aspa(_) | Self::Eth(..) => None,
        }
    }

    /// The prefix that prefix sets look at: of the types that have one and no second.
    #[must_use]
    pub(crate) fn in_sets(&self) -> Option<Prefix> {
        if let Self::Sadr { .. } = self { None } else { self.prefix() }
    }

    /// How many bits its key has.
    #[must_use]
    pub(crate) fn len(&self) -> u32 {
        match (self.prefix(), self) {
            (Some(prefix), _) => u32::from(prefix.len()),
            (None, Self::Mpls(_)) => 20,
            (None, Self::Eth(..)) => 48,
            (None, _) => 32,
        }
    }

    /// Whether the other one is of this type and inside of it.
    #[must_use]
    pub(crate) fn contains(&self, inner: &Self) -> bool {
        self.net_type() == inner.net_type()
            && match (self.prefix(), inner.prefix()) {
                (Some(outer), Some(inner)) => outer.contains(inner),
                _ => self == inner,
            }
    }
}

impl PartialOrd for Net {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// By type first.
impl Ord for Net {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Vpn(rd, prefix), Self::Vpn(other_rd, other_prefix))
                if prefix.is_v4() == other_prefix.is_v4() =>
            {
                (rd.0, prefix).cmp(&(other_rd.0, other_prefix))
            }
            (
                Self::Roa { prefix, max_len, asn },
                Self::Roa { prefix: p, max_len: most, asn: origin },
            ) if prefix.is_v4() == p.is_v4() => (prefix, max_len, asn).cmp(&(p, most, origin)),
            (Self::Sadr { destination, source }, Self::Sadr { destination: d, source: s }) => {
                (destination, source).cmp(&(d, s))
            }
            (Self::Mpls(one), Self::Mpls(other)) | (Self::Aspa(one), Self::Aspa(other)) => {
                one.cmp(other)
            }
            (Self::Eth(mac, vlan), Self::Eth(m, v)) => (mac, vlan).cmp(&(m, v)),
            (Self::Neighbor(ip, index), Self::Neighbor(i, x)) => (ip, index).cmp(&(i, x)),
            _ => self.net_type().cmp(&other.net_type()),
        }
    }
}

impl fmt::Display for Net {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Vpn(rd, prefix) => write!(f, "{rd} {prefix}"),
            Self::Roa { prefix, max_len, asn } => write!(f, "{prefix}-{max_len} AS{asn}"),
            Self::Sadr { destination, source } => write!(f, "{destination} from {source}"),
            Self::Mpls(number) | Self::Aspa(number) => write!(f, "{number}"),
            Self::Eth(mac, vlan) => {
                write!(f, "{}", crate::Value::Mac(*mac))?;
                vlan.map_or(Ok(()), |vlan| write!(f, " vlan {vlan}"))
            }
            Self::Neighbor(address, index) => write!(f, "{address}%{index}"),
        }
    }
}

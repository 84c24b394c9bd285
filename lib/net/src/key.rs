//! Keys of tables, and which slice owns them.

use core::fmt;
use core::hash::Hash;

use crate::hash::{hash_u64, hash_u128};
use crate::network::Network;
use crate::prefix::{Prefix, Prefix4, Prefix6};

/// What tables are keyed by. Sealed: the net types are this crate's.
pub trait NetKey:
    Copy + Eq + Ord + Hash + fmt::Debug + fmt::Display + Send + Sync + sealed::Sealed + 'static
{
    /// The net type of tables with this key.
    const NET_TYPE: NetType;

    /// The address part as a prefix; a key without an address makes one up.
    fn prefix(self) -> Prefix;

    /// The key as a network of any type.
    fn network(self) -> Network;

    /// The key of a network, if it is of this type.
    fn from_network(network: Network) -> Option<Self>;

    /// The seeded hash of the whole key.
    fn hash(self) -> u64;

    /// The slice that owns this key, when there are `mask + 1` slices: a seeded hash of the leading
    /// 16 bits (IPv4) or 28 bits (IPv6) of the address. Route distinguishers, path ids and net types
    /// do not enter, so related nets of all tables meet in one slice.
    fn slice(self, mask: u32) -> u32;
}

/// Leading address bits that choose the slice.
const SLICE_BITS_4: u32 = 16;
const SLICE_BITS_6: u32 = 28;

impl NetKey for Prefix4 {
    const NET_TYPE: NetType = NetType::Ip4;

    #[inline]
    fn prefix(self) -> Prefix {
        Prefix::V4(self)
    }

    #[inline]
    fn network(self) -> Network {
        Network::V4(self)
    }

    #[inline]
    fn from_network(network: Network) -> Option<Self> {
        if let Network::V4(prefix) = network { Some(prefix) } else { None }
    }

    #[inline]
    fn hash(self) -> u64 {
        hash_u64(u64::from(self.bits()) << 8 | u64::from(self.len()))
    }

    #[inline]
    fn slice(self, mask: u32) -> u32 {
        fold(hash_u64(u64::from(self.bits() >> (32 - SLICE_BITS_4)))) & mask
    }
}

impl NetKey for Prefix6 {
    const NET_TYPE: NetType = NetType::Ip6;

    #[inline]
    fn prefix(self) -> Prefix {
        Prefix::V6(self)
    }

    #[inline]
    fn network(self) -> Network {
        Network::V6(self)
    }

    #[inline]
    fn from_network(network: Network) -> Option<Self> {
        if let Network::V6(prefix) = network { Some(prefix) } else { None }
    }

    #[inline]
    fn hash(self) -> u64 {
        // Two different nets meet only if both are longer than /120: a chain of nine at worst.
        hash_u128(self.bits() ^ u128::from(self.len()))
    }

    #[inline]
    fn slice(self, mask: u32) -> u32 {
        fold(hash_u128(self.bits() >> (128 - SLICE_BITS_6))) & mask
    }
}

/// What a table or a channel carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NetType {
    /// `ipv4`
    Ip4,
    /// `ipv6`
    Ip6,
    /// `vpn4`
    Vpn4,
    /// `vpn6`
    Vpn6,
    /// `roa4`
    Roa4,
    /// `roa6`
    Roa6,
    /// `flow4`
    Flow4,
    /// `flow6`
    Flow6,
    /// `ipv6 sadr`
    Ip6Sadr,
    /// `mpls`
    Mpls,
    /// `aspa`
    Aspa,
    /// `evpn`
    Evpn,
    /// `eth`
    Eth,
    /// `neighbors`
    Neighbor,
}

impl NetType {
    /// The word of the configuration (`ipv6 sadr` is two).
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ip4 => "ipv4",
            Self::Ip6 => "ipv6",
            Self::Vpn4 => "vpn4",
            Self::Vpn6 => "vpn6",
            Self::Roa4 => "roa4",
            Self::Roa6 => "roa6",
            Self::Flow4 => "flow4",
            Self::Flow6 => "flow6",
            Self::Ip6Sadr => "ipv6 sadr",
            Self::Mpls => "mpls",
            Self::Aspa => "aspa",
            Self::Evpn => "evpn",
            Self::Eth => "eth",
            Self::Neighbor => "neighbors",
        }
    }
}

impl fmt::Display for NetType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The slice number must not share bits with the table index (low bits) or the map tag (top bits).
#[inline]
pub(crate) const fn fold(hash: u64) -> u32 {
    (hash >> 24) as u32
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for crate::Prefix4 {}
    impl Sealed for crate::Prefix6 {}
    impl<A: crate::RoaAddress> Sealed for crate::Roa<A> {}
    impl Sealed for crate::Aspa {}
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prefix(text: &str) -> Prefix {
        text.parse().unwrap()
    }

    #[test]
    fn slices_depend_on_the_leading_bits_only_and_spread() {
        let slice = |text| prefix(text).slice(15);
        assert_eq!(slice("10.1.0.0/16"), slice("10.1.255.0/24"));
        assert_eq!(slice("2001:db8::/32"), slice("2001:dbf::/32"));
        let mut used = [0u32; 16];
        for network in 0..4096u32 {
            let key = Prefix4::new(network << 16, 16).unwrap();
            used[key.slice(15) as usize] += 1;
        }
        assert!(used.iter().all(|count| (128..512).contains(count)), "{used:?}");
    }
}

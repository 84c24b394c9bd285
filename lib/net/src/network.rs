//! The networks that tables hold: plain prefixes, and what the RPKI says of origins and providers.

use core::fmt;
use core::net::Ipv4Addr;

use crate::hash::{hash_u64, hash_u128};
use crate::key::{NetKey, NetType};
use crate::prefix::{Prefix, Prefix4, Prefix6, mask4, mask6};

/// The address inside a [`Roa`]. Sealed: IPv4 as a number, IPv6 as octets, so that keys pack.
pub trait RoaAddress:
    Copy + Eq + Ord + core::hash::Hash + fmt::Debug + Default + Send + Sync + sealed::Sealed + 'static
{
    /// The net type of tables of these.
    const NET_TYPE: NetType;

    /// Its leading bits.
    fn masked(self, len: u8) -> Self;

    /// The prefix of its leading bits.
    fn prefix(self, len: u8) -> Prefix;

    /// The address of a prefix, if it is of this family.
    fn of(prefix: Prefix) -> Option<Self>;

    /// The key as a network.
    fn network(roa: Roa<Self>) -> Network;

    /// The network as a key, if it is one of these.
    fn key(network: Network) -> Option<Roa<Self>>;
}

impl RoaAddress for u32 {
    const NET_TYPE: NetType = NetType::Roa4;

    #[inline]
    fn masked(self, len: u8) -> Self {
        self & mask4(len)
    }

    #[inline]
    fn prefix(self, len: u8) -> Prefix {
        Prefix::V4(Prefix4::new(self, len).unwrap_or_default())
    }

    #[inline]
    fn of(prefix: Prefix) -> Option<Self> {
        if let Prefix::V4(prefix) = prefix { Some(prefix.bits()) } else { None }
    }

    fn network(roa: Roa<Self>) -> Network {
        Network::Roa4(roa)
    }

    fn key(network: Network) -> Option<Roa<Self>> {
        if let Network::Roa4(roa) = network { Some(roa) } else { None }
    }
}

impl RoaAddress for [u8; 16] {
    const NET_TYPE: NetType = NetType::Roa6;

    #[inline]
    fn masked(self, len: u8) -> Self {
        (u128::from_be_bytes(self) & mask6(len)).to_be_bytes()
    }

    #[inline]
    fn prefix(self, len: u8) -> Prefix {
        Prefix::V6(Prefix6::new(u128::from_be_bytes(self), len).unwrap_or_default())
    }

    #[inline]
    fn of(prefix: Prefix) -> Option<Self> {
        if let Prefix::V6(prefix) = prefix { Some(*prefix.octets()) } else { None }
    }

    fn network(roa: Roa<Self>) -> Network {
        Network::Roa6(roa)
    }

    fn key(network: Network) -> Option<Roa<Self>> {
        if let Network::Roa6(roa) = network { Some(roa) } else { None }
    }
}

/// A route origin authorization (RFC 6482): this AS may announce this prefix, and what is inside of it
/// up to a length. In the order of prefixes, shorter ones first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Roa<A> {
    addr: A,
    len: u8,
    max_len: u8,
    asn: u32,
}

/// Of an IPv4 prefix.
pub type Roa4 = Roa<u32>;
/// Of an IPv6 prefix.
pub type Roa6 = Roa<[u8; 16]>;

impl<A: RoaAddress> Roa<A> {
    /// `PREFIX max MAX_LEN as ASN`; none if the prefix is of the other family or longer than it may be,
    /// or if nothing is as long as it may be.
    pub fn new(prefix: Prefix, max_len: u8, asn: u32) -> Option<Self> {
        let fits = (prefix.len()..=prefix.max_len()).contains(&max_len);
        let addr = A::of(prefix).filter(|_| fits)?;
        Some(Self { addr, len: prefix.len(), max_len, asn })
    }

    /// The prefix.
    #[inline]
    pub fn prefix(self) -> Prefix {
        self.addr.prefix(self.len)
    }

    /// The address of the prefix.
    #[inline]
    pub const fn addr(self) -> A {
        self.addr
    }

    /// The length of the prefix.
    #[expect(clippy::len_without_is_empty, reason = "a prefix length is not a count of elements")]
    #[inline]
    pub const fn len(self) -> u8 {
        self.len
    }

    /// The longest length that may be announced.
    #[inline]
    pub const fn max_len(self) -> u8 {
        self.max_len
    }

    /// The AS.
    #[inline]
    pub const fn asn(self) -> u32 {
        self.asn
    }
}

impl<A: RoaAddress> fmt::Display for Roa<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{} AS{}", self.prefix(), self.max_len, self.asn)
    }
}

impl<A: RoaAddress> NetKey for Roa<A> {
    const NET_TYPE: NetType = A::NET_TYPE;

    #[inline]
    fn prefix(self) -> Prefix {
        Self::prefix(self)
    }

    #[inline]
    fn network(self) -> Network {
        A::network(self)
    }

    #[inline]
    fn from_network(network: Network) -> Option<Self> {
        A::key(network)
    }

    #[inline]
    fn hash(self) -> u64 {
        let rest = u64::from(self.asn) << 8 | u64::from(self.max_len);
        self.prefix().hash() ^ hash_u64(rest)
    }

    #[inline]
    fn slice(self, mask: u32) -> u32 {
        self.prefix().slice(mask)
    }
}

/// The AS whose providers are listed: what an ASPA table is keyed by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Aspa(pub u32);

impl fmt::Display for Aspa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl NetKey for Aspa {
    const NET_TYPE: NetType = NetType::Aspa;

    /// The number as if it were an address: there is none.
    #[inline]
    fn prefix(self) -> Prefix {
        Prefix::V4(Prefix4::host(Ipv4Addr::from_bits(self.0)))
    }

    #[inline]
    fn network(self) -> Network {
        Network::Aspa(self)
    }

    #[inline]
    fn from_network(network: Network) -> Option<Self> {
        if let Network::Aspa(aspa) = network { Some(aspa) } else { None }
    }

    #[inline]
    fn hash(self) -> u64 {
        hash_u64(u64::from(self.0))
    }

    #[inline]
    fn slice(self, mask: u32) -> u32 {
        // All bits enter: numbers of ASes are given out one after the other.
        crate::key::fold(hash_u128(u128::from(self.0))) & mask
    }
}

/// What a table has routes for, of any net type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Network {
    /// `ipv4`
    V4(Prefix4),
    /// `ipv6`
    V6(Prefix6),
    /// `roa4`
    Roa4(Roa4),
    /// `roa6`
    Roa6(Roa6),
    /// `aspa`
    Aspa(Aspa),
}

impl Network {
    /// The network, if it is a prefix and nothing else.
    #[inline]
    pub const fn plain(self) -> Option<Prefix> {
        match self {
            Self::V4(prefix) => Some(Prefix::V4(prefix)),
            Self::V6(prefix) => Some(Prefix::V6(prefix)),
            Self::Roa4(_) | Self::Roa6(_) | Self::Aspa(_) => None,
        }
    }

    /// The prefix in it, if it has one.
    #[inline]
    pub fn prefix(self) -> Option<Prefix> {
        match self {
            Self::Roa4(roa) => Some(roa.prefix()),
            Self::Roa6(roa) => Some(roa.prefix()),
            Self::Aspa(_) => None,
            Self::V4(_) | Self::V6(_) => self.plain(),
        }
    }

    /// What tables of it are of.
    #[inline]
    pub const fn net_type(self) -> NetType {
        match self {
            Self::V4(_) => NetType::Ip4,
            Self::V6(_) => NetType::Ip6,
            Self::Roa4(_) => NetType::Roa4,
            Self::Roa6(_) => NetType::Roa6,
            Self::Aspa(_) => NetType::Aspa,
        }
    }

    /// The slice that owns it, when there are `mask + 1` slices (a power of two).
    pub fn slice(self, mask: u32) -> u32 {
        match self {
            Self::V4(prefix) => prefix.slice(mask),
            Self::V6(prefix) => prefix.slice(mask),
            Self::Roa4(roa) => roa.slice(mask),
            Self::Roa6(roa) => roa.slice(mask),
            Self::Aspa(aspa) => aspa.slice(mask),
        }
    }
}

impl From<Prefix> for Network {
    #[inline]
    fn from(prefix: Prefix) -> Self {
        match prefix {
            Prefix::V4(prefix) => Self::V4(prefix),
            Prefix::V6(prefix) => Self::V6(prefix),
        }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::V4(prefix) => prefix.fmt(f),
            Self::V6(prefix) => prefix.fmt(f),
            Self::Roa4(roa) => roa.fmt(f),
            Self::Roa6(roa) => roa.fmt(f),
            Self::Aspa(aspa) => aspa.fmt(f),
        }
    }
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for u32 {}
    impl Sealed for [u8; 16] {}
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prefix(text: &str) -> Prefix {
        text.parse().unwrap()
    }

    #[test]
    fn keys_are_small_and_shown_as_written() {
        assert_eq!((size_of::<Roa4>(), size_of::<Roa6>(), size_of::<Network>()), (12, 24, 28));
        let roa = Roa4::new(prefix("192.0.0.0/16"), 24, 65001).unwrap();
        assert_eq!(roa.to_string(), "192.0.0.0/16-24 AS65001");
        let network = roa.network();
        assert_eq!(network.to_string(), roa.to_string());
        assert_eq!((network.plain(), network.prefix()), (None, Some(prefix("192.0.0.0/16"))));
        assert_eq!(Aspa(65001).network().to_string(), "65001");
        assert_eq!(Network::from(prefix("::/0")).net_type(), NetType::Ip6);
    }

    #[test]
    fn a_length_that_cannot_be_is_none() {
        assert_eq!(Roa4::new(prefix("10.0.0.0/8"), 7, 1), None);
        assert_eq!(Roa4::new(prefix("10.0.0.0/8"), 33, 1), None);
        assert_eq!(Roa4::new(prefix("::/0"), 8, 1), None);
        assert!(Roa6::new(prefix("::/0"), 128, 1).is_some());
    }

    #[test]
    fn roas_are_where_their_prefix_is_and_every_part_counts() {
        let of = |text: &str, max, asn| Roa4::new(prefix(text), max, asn).unwrap();
        let all = [
            of("10.1.0.0/16", 16, 1),
            of("10.1.0.0/16", 17, 1),
            of("10.1.0.0/16", 17, 2),
            of("10.1.0.0/17", 17, 2),
        ];
        for (place, one) in all.iter().enumerate() {
            assert_eq!(one.slice(15), prefix("10.1.0.0/16").slice(15));
            assert_eq!(Roa4::from_network(one.network()), Some(*one));
            for other in &all[place + 1..] {
                assert!(one < other && NetKey::hash(*one) != NetKey::hash(*other));
            }
        }
        let used: std::collections::BTreeSet<u32> =
            (0..256).map(|asn| Aspa(asn).slice(15)).collect();
        assert_eq!(used.len(), 16);
    }
}

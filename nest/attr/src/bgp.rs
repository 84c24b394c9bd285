//! The BGP part of a set: canonical TLVs and views over them.
#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use dunlin_net::as_path::AsPath;
use dunlin_net::community::{ClusterList, Communities, ExtCommunities, LargeCommunities};
use dunlin_net::wire::Reader;

use crate::kinds::Origin;

/// Type numbers of path attributes.
#[expect(missing_docs, reason = "the names are those of the RFCs")]
pub mod kind {
    pub const ORIGIN: u8 = 1;
    pub const AS_PATH: u8 = 2;
    pub const NEXT_HOP: u8 = 3;
    pub const MULTI_EXIT_DISC: u8 = 4;
    pub const LOCAL_PREF: u8 = 5;
    pub const ATOMIC_AGGREGATE: u8 = 6;
    pub const AGGREGATOR: u8 = 7;
    pub const COMMUNITIES: u8 = 8;
    pub const ORIGINATOR_ID: u8 = 9;
    pub const CLUSTER_LIST: u8 = 10;
    pub const MP_REACH_NLRI: u8 = 14;
    pub const MP_UNREACH_NLRI: u8 = 15;
    pub const EXT_COMMUNITIES: u8 = 16;
    pub const AS4_PATH: u8 = 17;
    pub const AS4_AGGREGATOR: u8 = 18;
    pub const PMSI_TUNNEL: u8 = 22;
    pub const AIGP: u8 = 26;
    pub const LARGE_COMMUNITIES: u8 = 32;
    pub const ONLY_TO_CUSTOMER: u8 = 35;
}

/// Attribute flags (RFC 4271 section 4.3).
#[expect(missing_docs, reason = "the names are those of the RFC")]
pub mod flag {
    pub const OPTIONAL: u8 = 0x80;
    pub const TRANSITIVE: u8 = 0x40;
    pub const PARTIAL: u8 = 0x20;
    pub const EXTENDED_LENGTH: u8 = 0x10;
}

/// The flags that an attribute of a known type is made with; unknown types are optional transitive.
pub(crate) const fn default_flags(kind: u8) -> u8 {
    match kind {
        kind::ORIGIN
        | kind::AS_PATH
        | kind::NEXT_HOP
        | kind::LOCAL_PREF
        | kind::ATOMIC_AGGREGATE => flag::TRANSITIVE,
        kind::MULTI_EXIT_DISC | kind::ORIGINATOR_ID | kind::CLUSTER_LIST | kind::AIGP => {
            flag::OPTIONAL
        }
        _ => flag::OPTIONAL | flag::TRANSITIVE,
    }
}

/// One path attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tlv<'a> {
    /// Its flags, as received; the extended-length bit says how the length is written here.
    pub flags: u8,
    /// Its type.
    pub kind: u8,
    /// Its value.
    pub value: &'a [u8],
}

/// The path attributes in wire bytes. Stops at the first that is truncated.
#[derive(Clone, Debug)]
pub struct Tlvs<'a> {
    reader: Reader<'a>,
}

impl<'a> Tlvs<'a> {
    /// Starts at the first attribute.
    #[inline]
    pub const fn new(wire: &'a [u8]) -> Self {
        Self { reader: Reader::new(wire) }
    }

    /// The bytes from the next attribute on, or from the one that is truncated.
    pub const fn remaining(&self) -> &'a [u8] {
        self.reader.remaining()
    }
}

impl<'a> Iterator for Tlvs<'a> {
    type Item = Tlv<'a>;

    #[inline]
    fn next(&mut self) -> Option<Tlv<'a>> {
        let mut reader = self.reader;
        let [flags, kind] = reader.array().ok()?;
        let len = if flags & flag::EXTENDED_LENGTH != 0 {
            usize::from(reader.u16().ok()?)
        } else {
            usize::from(reader.u8().ok()?)
        };
        let value = reader.take(len).ok()?;
        self.reader = reader;
        Some(Tlv { flags, kind, value })
    }
}

/// Why bytes are not a canonical attribute list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CanonicalError {
    /// The last attribute is longer than what is left.
    Truncated,
    /// Types are not strictly ascending, at this type.
    Order(u8),
    /// NEXT_HOP, MP_REACH_NLRI, MP_UNREACH_NLRI, AS4_PATH, AS4_AGGREGATOR: never part of a set.
    Foreign(u8),
}

impl fmt::Display for CanonicalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truncated => f.write_str("truncated path attribute"),
            Self::Order(kind) => write!(f, "path attribute {kind} is out of order"),
            Self::Foreign(kind) => write!(f, "path attribute {kind} is not stored with a route"),
        }
    }
}

impl core::error::Error for CanonicalError {}

/// The next hop of a BGP route: NEXT_HOP, or the one of MP_REACH_NLRI.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BgpNextHop {
    /// The (global) address.
    pub global: IpAddr,
    /// The link-local address beside an IPv6 one.
    pub link_local: Option<Ipv6Addr>,
}

impl BgpNextHop {
    /// Without a link-local address.
    pub const fn new(global: IpAddr) -> Self {
        Self { global, link_local: None }
    }

    /// From 4, 16 or 32 bytes.
    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(bytes);
        let v6 = |reader: &mut Reader<'_>| reader.u128().ok().map(Ipv6Addr::from_bits);
        match bytes.len() {
            4 => reader.u32().ok().map(|bits| Self::new(Ipv4Addr::from_bits(bits).into())),
            16 => v6(&mut reader).map(|addr| Self::new(addr.into())),
            32 => {
                let global = v6(&mut reader)?;
                Some(Self { global: global.into(), link_local: v6(&mut reader) })
            }
            _ => None,
        }
    }

    /// Into 4, 16 or 32 bytes; a link-local address beside an IPv4 one is dropped.
    pub(crate) fn pack(self) -> NextHopBytes {
        let mut packed = NextHopBytes::default();
        match (self.global, self.link_local) {
            (IpAddr::V4(addr), _) => packed.push(&addr.octets()),
            (IpAddr::V6(addr), link_local) => {
                packed.push(&addr.octets());
                if let Some(link_local) = link_local {
                    packed.push(&link_local.octets());
                }
            }
        }
        packed
    }
}

/// A packed next hop; empty for none.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct NextHopBytes {
    bytes: [u8; 32],
    len: u8,
}

impl NextHopBytes {
    pub(crate) const EMPTY: Self = Self { bytes: [0; 32], len: 0 };

    pub(crate) fn of(next_hop: Option<BgpNextHop>) -> Self {
        next_hop.map_or_else(Self::default, BgpNextHop::pack)
    }

    pub(crate) fn as_slice(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.len)).unwrap_or_default()
    }

    fn push(&mut self, octets: &[u8]) {
        let from = usize::from(self.len);
        let to = from.saturating_add(octets.len());
        if let Some(place) = self.bytes.get_mut(from..to) {
            place.copy_from_slice(octets);
            self.len = to as u8;
        }
    }
}

/// AGGREGATOR.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Aggregator {
    /// The AS that aggregated.
    pub asn: u32,
    /// Its router.
    pub router: Ipv4Addr,
}

/// A view of the BGP part of a set or of a builder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BgpView<'a> {
    wire: &'a [u8],
    next_hop: &'a [u8],
}

impl<'a> BgpView<'a> {
    pub(crate) const fn new(wire: &'a [u8], next_hop: &'a [u8]) -> Self {
        Self { wire, next_hop }
    }

    /// The path attributes but for the next hop: sorted by type, four-octet AS numbers.
    #[inline]
    pub const fn wire(self) -> &'a [u8] {
        self.wire
    }

    /// The path attributes one by one.
    #[inline]
    pub const fn tlvs(self) -> Tlvs<'a> {
        Tlvs::new(self.wire)
    }

    /// Flags and value of a path attribute.
    pub fn raw(self, kind: u8) -> Option<(u8, &'a [u8])> {
        self.tlvs()
            .take_while(|tlv| tlv.kind <= kind)
            .find(|tlv| tlv.kind == kind)
            .map(|tlv| (tlv.flags, tlv.value))
    }

    fn value(self, kind: u8) -> Option<&'a [u8]> {
        self.raw(kind).map(|(_, value)| value)
    }

    fn word(self, kind: u8) -> Option<u32> {
        self.value(kind)?.try_into().ok().map(u32::from_be_bytes)
    }

    /// The next hop.
    pub fn next_hop(self) -> Option<BgpNextHop> {
        BgpNextHop::read(self.next_hop)
    }

    /// The (global) next-hop address.
    pub fn next_hop_global(self) -> Option<IpAddr> {
        self.next_hop().map(|next_hop| next_hop.global)
    }

    /// The link-local next-hop address.
    pub fn next_hop_link_local(self) -> Option<Ipv6Addr> {
        self.next_hop()?.link_local
    }

    /// ORIGIN.
    pub fn origin(self) -> Option<Origin> {
        Origin::from_wire(*self.value(kind::ORIGIN)?.first()?)
    }

    /// AS_PATH; empty if there is none.
    pub fn as_path(self) -> AsPath<'a> {
        AsPath(self.value(kind::AS_PATH).unwrap_or_default())
    }

    /// MULTI_EXIT_DISC.
    pub fn med(self) -> Option<u32> {
        self.word(kind::MULTI_EXIT_DISC)
    }

    /// LOCAL_PREF.
    pub fn local_pref(self) -> Option<u32> {
        self.word(kind::LOCAL_PREF)
    }

    /// ATOMIC_AGGREGATE.
    pub fn atomic_aggregate(self) -> bool {
        self.value(kind::ATOMIC_AGGREGATE).is_some()
    }

    /// AGGREGATOR.
    pub fn aggregator(self) -> Option<Aggregator> {
        let mut reader = Reader::new(self.value(kind::AGGREGATOR)?);
        let asn = reader.u32().ok()?;
        let router = Ipv4Addr::from_bits(reader.u32().ok()?);
        Some(Aggregator { asn, router })
    }

    /// COMMUNITIES; empty if there are none.
    pub fn communities(self) -> Communities<'a> {
        Communities::new(self.value(kind::COMMUNITIES).unwrap_or_default())
    }

    /// EXTENDED COMMUNITIES; empty if there are none.
    pub fn ext_communities(self) -> ExtCommunities<'a> {
        ExtCommunities::new(self.value(kind::EXT_COMMUNITIES).unwrap_or_default())
    }

    /// LARGE_COMMUNITY; empty if there are none.
    pub fn large_communities(self) -> LargeCommunities<'a> {
        LargeCommunities::new(self.value(kind::LARGE_COMMUNITIES).unwrap_or_default())
    }

    /// ORIGINATOR_ID.
    pub fn originator_id(self) -> Option<u32> {
        self.word(kind::ORIGINATOR_ID)
    }

    /// CLUSTER_LIST; empty if there is none.
    pub fn cluster_list(self) -> ClusterList<'a> {
        ClusterList::new(self.value(kind::CLUSTER_LIST).unwrap_or_default())
    }

    /// ONLY_TO_CUSTOMER (RFC 9234).
    pub fn only_to_customer(self) -> Option<u32> {
        self.word(kind::ONLY_TO_CUSTOMER)
    }

    /// The metric in AIGP's first TLV of type 1 (RFC 7311 section 3).
    pub fn aigp(self) -> Option<u64> {
        let mut reader = Reader::new(self.value(kind::AIGP)?);
        loop {
            let kind = reader.u8().ok()?;
            let len = usize::from(reader.u16().ok()?).checked_sub(3)?;
            let value = reader.take(len).ok()?;
            if kind == 1 {
                return Reader::new(value).u64().ok();
            }
        }
    }
}

/// Carried in the next hop or in NLRI, or folded into the four-octet forms: not in a set.
pub(crate) const fn is_foreign(kind: u8) -> bool {
    matches!(
        kind,
        kind::NEXT_HOP
            | kind::MP_REACH_NLRI
            | kind::MP_UNREACH_NLRI
            | kind::AS4_PATH
            | kind::AS4_AGGREGATOR
    )
}

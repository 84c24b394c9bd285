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

/// Which attributes a set has: one bit each, so that a look costs no walk over the wire bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Present(u16);

impl Present {
    /// ORIGIN.
    pub const ORIGIN: Self = Self(1);
    /// AS_PATH.
    pub const AS_PATH: Self = Self(1 << 1);
    /// MULTI_EXIT_DISC.
    pub const MED: Self = Self(1 << 2);
    /// LOCAL_PREF.
    pub const LOCAL_PREF: Self = Self(1 << 3);
    /// COMMUNITIES.
    pub const COMMUNITIES: Self = Self(1 << 4);
    /// A community of the well-known range 65535:x (NO_EXPORT, LLGR_STALE …).
    pub const WELL_KNOWN: Self = Self(1 << 5);
    /// EXTENDED COMMUNITIES.
    pub const EXT_COMMUNITIES: Self = Self(1 << 6);
    /// LARGE_COMMUNITY.
    pub const LARGE_COMMUNITIES: Self = Self(1 << 7);
    /// ORIGINATOR_ID.
    pub const ORIGINATOR_ID: Self = Self(1 << 8);
    /// CLUSTER_LIST.
    pub const CLUSTER_LIST: Self = Self(1 << 9);
    /// AIGP.
    pub const AIGP: Self = Self(1 << 10);
    /// ONLY_TO_CUSTOMER.
    pub const ONLY_TO_CUSTOMER: Self = Self(1 << 11);
    /// An attribute of a type without a bit of its own.
    pub const OTHER: Self = Self(1 << 12);
    /// A confederation segment in the AS path.
    pub const CONFED: Self = Self(1 << 13);
    /// An AS_SET or AS_CONFED_SET in the AS path.
    pub const AS_SET: Self = Self(1 << 14);

    /// All bits of the other are set.
    #[inline]
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Any bit of the other is set.
    #[inline]
    pub const fn any(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// The bits of both.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// What best-route selection compares, read from the wire bytes once.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Summary {
    pub(crate) local_pref: u32,
    pub(crate) med: u32,
    pub(crate) neighbour_as: u32,
    pub(crate) path_hops: u16,
    pub(crate) origin: u8,
    pub(crate) present: Present,
}

impl Summary {
    /// Scans well-formed bytes; what does not fit its type counts as absent.
    pub(crate) fn scan(wire: &[u8]) -> Self {
        let mut summary = Self::default();
        for tlv in Tlvs::new(wire) {
            summary.take(tlv);
        }
        summary
    }

    /// Scans and checks.
    pub(crate) fn check(wire: &[u8]) -> Result<Self, CanonicalError> {
        let mut summary = Self::default();
        let mut tlvs = Tlvs::new(wire);
        let mut before = 0u8;
        for tlv in tlvs.by_ref() {
            if tlv.kind <= before {
                return Err(CanonicalError::Order(tlv.kind));
            }
            before = tlv.kind;
            summary.take(tlv);
            if is_foreign(tlv.kind) {
                return Err(CanonicalError::Foreign(tlv.kind));
            }
        }
        // A truncated attribute stops the walk before it.
        if tlvs.remaining().is_empty() { Ok(summary) } else { Err(CanonicalError::Truncated) }
    }

    fn take(&mut self, tlv: Tlv<'_>) {
        let word = || <[u8; 4]>::try_from(tlv.value).ok().map(u32::from_be_bytes);
        let bit = match tlv.kind {
            kind::ORIGIN => {
                self.origin = tlv.value.first().copied().unwrap_or_default();
                Present::ORIGIN
            }
            kind::AS_PATH => {
                self.take_path(AsPath(tlv.value));
                Present::AS_PATH
            }
            kind::MULTI_EXIT_DISC => {
                let Some(med) = word() else { return };
                self.med = med;
                Present::MED
            }
            kind::LOCAL_PREF => {
                let Some(local_pref) = word() else { return };
                self.local_pref = local_pref;
                Present::LOCAL_PREF
            }
            kind::COMMUNITIES => {
                if Communities::new(tlv.value).any(|community| community.asn() == u16::MAX) {
                    self.present = self.present.with(Present::WELL_KNOWN);
                }
                Present::COMMUNITIES
            }
            kind::EXT_COMMUNITIES => Present::EXT_COMMUNITIES,
            kind::LARGE_COMMUNITIES => Present::LARGE_COMMUNITIES,
            kind::ORIGINATOR_ID => Present::ORIGINATOR_ID,
            kind::CLUSTER_LIST => Present::CLUSTER_LIST,
            kind::AIGP => Present::AIGP,
            kind::ONLY_TO_CUSTOMER => Present::ONLY_TO_CUSTOMER,
            _ => Present::OTHER,
        };
        self.present = self.present.with(bit);
    }

    fn take_path(&mut self, path: AsPath<'_>) {
        self.path_hops = u16::try_from(path.hops()).unwrap_or(u16::MAX);
        self.neighbour_as = path.neighbour().unwrap_or_default();
        for segment in path.segments() {
            if segment.kind.is_confed() {
                self.present = self.present.with(Present::CONFED);
            }
            if segment.kind.is_set() {
                self.present = self.present.with(Present::AS_SET);
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

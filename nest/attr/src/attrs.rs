//! The attribute set.

use core::fmt;
use core::hash::{Hash, Hasher};
use std::sync::Arc;

use dunlin_net::hash::hasher;

use crate::bgp::{BgpNextHop, BgpView, CanonicalError, NextHopBytes};
use crate::builder::AttrsBuilder;
use crate::extra::{AttrId, Value};
use crate::kinds::{Dest, Origin, Rts};
use crate::next_hop::NextHop;
use crate::summary::{Present, Summary};

/// An immutable attribute set. Equal by content, compared by hash first.
///
/// A set from BGP is two allocations: this header, and one block with the next hop and the wire
/// bytes. What few sets have (stated hops, attributes outside BGP) is in a third.
pub struct Attrs {
    hash: u64,
    /// The packed BGP next hop, then the canonical TLVs.
    bytes: Box<[u8]>,
    rest: Option<Box<Rest>>,
    head: Head,
    summary: Summary,
}

/// Plain parts that are content, unlike the [`Summary`], which follows from the wire bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) preference: u32,
    pub(crate) source: Rts,
    pub(crate) dest: Dest,
    pub(crate) next_hop_len: u8,
    /// The next hop is [`NextHop::Bgp`]; else it is in [`Rest`], if any.
    pub(crate) resolve_bgp: bool,
}

/// What few sets have.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub(crate) struct Rest {
    pub(crate) next_hop: NextHop,
    /// Sorted by id.
    pub(crate) extra: Box<[(AttrId, Value)]>,
}

/// What a BGP session knows of a received route, for [`Attrs::from_canonical`].
#[derive(Clone, Copy, Debug)]
pub struct Canonical<'a> {
    /// Path attributes strictly ascending by type, without NEXT_HOP, MP_REACH_NLRI,
    /// MP_UNREACH_NLRI, AS4_PATH and AS4_AGGREGATOR, with four-octet AS numbers.
    pub wire: &'a [u8],
    /// From NEXT_HOP or MP_REACH_NLRI.
    pub next_hop: BgpNextHop,
    /// The channel's preference.
    pub preference: u32,
}

impl Canonical<'_> {
    const fn head(&self, next_hop_len: usize) -> Head {
        Head {
            preference: self.preference,
            source: Rts::Bgp,
            dest: Dest::Unicast,
            next_hop_len: next_hop_len as u8,
            resolve_bgp: true,
        }
    }

    /// The content hash that the set will have.
    pub(crate) fn hash(&self, next_hop: &NextHopBytes) -> u64 {
        content_hash(next_hop.as_slice(), self.wire, &self.head(next_hop.as_slice().len()), None)
    }

    /// The set has this content.
    pub(crate) fn is(&self, next_hop: &NextHopBytes, attrs: &Attrs) -> bool {
        attrs.rest.is_none()
            && attrs.head == self.head(next_hop.as_slice().len())
            && attrs.next_hop_bytes() == next_hop.as_slice()
            && attrs.wire() == self.wire
    }
}

impl Attrs {
    /// A set as a BGP session receives it: one scan, two allocations.
    pub fn from_canonical(canonical: &Canonical<'_>) -> Result<Arc<Self>, CanonicalError> {
        let next_hop = canonical.next_hop.pack();
        Self::from_hashed(canonical, &next_hop, canonical.hash(&next_hop))
    }

    pub(crate) fn from_hashed(
        canonical: &Canonical<'_>,
        next_hop: &NextHopBytes,
        hash: u64,
    ) -> Result<Arc<Self>, CanonicalError> {
        let summary = Summary::check(canonical.wire)?;
        let head = canonical.head(next_hop.as_slice().len());
        let bytes = join(next_hop.as_slice(), canonical.wire);
        Ok(Arc::new(Self { hash, bytes, rest: None, head, summary }))
    }

    /// From parts that a builder keeps in order.
    pub(crate) fn assemble(
        next_hop: &NextHopBytes,
        wire: &[u8],
        head: Head,
        rest: Option<Box<Rest>>,
    ) -> Arc<Self> {
        let hash = content_hash(next_hop.as_slice(), wire, &head, rest.as_deref());
        let (bytes, summary) = (join(next_hop.as_slice(), wire), Summary::scan(wire));
        Arc::new(Self { hash, bytes, rest, head, summary })
    }

    /// A builder that starts with this set.
    pub fn edit(&self) -> AttrsBuilder {
        AttrsBuilder::from(self)
    }

    /// The hash of the whole content, seeded once per process.
    #[inline]
    pub const fn hash(&self) -> u64 {
        self.hash
    }

    /// Both have the same content.
    pub fn same_content(&self, other: &Self) -> bool {
        core::ptr::eq(self, other)
            || (self.hash == other.hash
                && self.head == other.head
                && self.bytes == other.bytes
                && self.rest == other.rest)
    }

    /// The preference: the first thing that routes are compared by.
    #[inline]
    pub const fn preference(&self) -> u32 {
        self.head.preference
    }

    /// Where the route came from.
    #[inline]
    pub const fn source(&self) -> Rts {
        self.head.source
    }

    /// What is done with packets.
    #[inline]
    pub const fn dest(&self) -> Dest {
        self.head.dest
    }

    /// Where packets go.
    pub fn next_hop(&self) -> &NextHop {
        match &self.rest {
            _ if self.head.resolve_bgp => &NextHop::Bgp,
            Some(rest) => &rest.next_hop,
            None => &NextHop::None,
        }
    }

    /// The BGP part; `None` if there is neither a path attribute nor a BGP next hop.
    pub fn bgp(&self) -> Option<BgpView<'_>> {
        if self.bytes.is_empty() { None } else { Some(self.bgp_view()) }
    }

    /// The BGP part, empty if there is none.
    pub fn bgp_view(&self) -> BgpView<'_> {
        BgpView::new(self.wire(), self.next_hop_bytes())
    }

    /// The BGP next hop as 4, 16 or 32 bytes; empty if there is none.
    #[inline]
    pub fn next_hop_bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.head.next_hop_len)).unwrap_or_default()
    }

    /// The canonical path attributes.
    #[inline]
    pub fn wire(&self) -> &[u8] {
        self.bytes.get(usize::from(self.head.next_hop_len)..).unwrap_or_default()
    }

    /// Attributes outside BGP, sorted by id.
    pub fn extra(&self) -> &[(AttrId, Value)] {
        self.rest.as_ref().map_or(&[], |rest| &rest.extra)
    }

    /// One attribute outside BGP.
    pub fn extra_value(&self, id: &AttrId) -> Option<&Value> {
        let extra = self.extra();
        let at = extra.binary_search_by(|(other, _)| other.cmp(id)).ok()?;
        extra.get(at).map(|(_, value)| value)
    }

    /// Which path attributes there are.
    #[inline]
    pub const fn present(&self) -> Present {
        self.summary.present
    }

    /// LOCAL_PREF.
    #[inline]
    pub const fn local_pref(&self) -> Option<u32> {
        if self.present().has(Present::LOCAL_PREF) { Some(self.summary.local_pref) } else { None }
    }

    /// MULTI_EXIT_DISC.
    #[inline]
    pub const fn med(&self) -> Option<u32> {
        if self.present().has(Present::MED) { Some(self.summary.med) } else { None }
    }

    /// The AS path's length as routes are compared by it.
    #[inline]
    pub const fn path_hops(&self) -> u16 {
        self.summary.path_hops
    }

    /// ORIGIN.
    #[inline]
    pub const fn origin(&self) -> Option<Origin> {
        if self.present().has(Present::ORIGIN) {
            Origin::from_wire(self.summary.origin)
        } else {
            None
        }
    }

    /// The neighbouring AS, 0 if there is none: MED is comparable within it.
    #[inline]
    pub const fn neighbour_as(&self) -> u32 {
        self.summary.neighbour_as
    }

    /// Bytes that the set takes, with the counts of its pointer, without the allocator's overhead.
    pub fn memory(&self) -> usize {
        let rest = self.rest.as_ref().map_or(0, |rest| {
            size_of::<Rest>()
                + size_of_val(rest.next_hop.hops())
                + size_of_val::<[(AttrId, Value)]>(&rest.extra)
        });
        size_of::<Self>() + 2 * size_of::<usize>() + self.bytes.len() + rest
    }

    pub(crate) const fn head(&self) -> Head {
        self.head
    }
}

impl PartialEq for Attrs {
    fn eq(&self, other: &Self) -> bool {
        self.same_content(other)
    }
}

impl Eq for Attrs {}

impl Hash for Attrs {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.hash);
    }
}

impl fmt::Debug for Attrs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attrs")
            .field("head", &self.head)
            .field("next_hop", &self.next_hop())
            .field("bgp", &self.bgp())
            .field("extra", &self.extra())
            .finish_non_exhaustive()
    }
}

fn join(next_hop: &[u8], wire: &[u8]) -> Box<[u8]> {
    let mut bytes = Vec::with_capacity(next_hop.len() + wire.len());
    bytes.extend_from_slice(next_hop);
    bytes.extend_from_slice(wire);
    bytes.into_boxed_slice()
}

fn content_hash(next_hop: &[u8], wire: &[u8], head: &Head, rest: Option<&Rest>) -> u64 {
    let mut hasher = hasher();
    hasher.write(next_hop);
    hasher.write(wire);
    // What is rare is last, so that equal routes of two channels differ in one word only.
    hasher.write_u32(head.preference);
    hasher.write_u8(head.source as u8);
    hasher.write_u8(head.dest as u8);
    hasher.write_u8(head.next_hop_len);
    hasher.write_u8(u8::from(head.resolve_bgp));
    if let Some(rest) = rest {
        rest.hash(&mut hasher);
    }
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bgp::kind;

    const WIRE: [u8; 39] = [
        0x40, 1, 1, 0, // ORIGIN IGP
        0x40, 2, 10, 2, 2, 0, 0, 0xfd, 0xea, 0, 0, 0xfd, 0xf2, // AS_PATH 65002 65010
        0x80, 4, 4, 0, 0, 0, 55, // MED 55
        0x40, 5, 4, 0, 0, 0, 100, // LOCAL_PREF 100
        0xc0, 8, 5, 0xff, 0xff, 0xff, 1, 9, // COMMUNITIES (65535,65281) and a torn one
    ];

    fn canonical(wire: &[u8]) -> Canonical<'_> {
        let next_hop = BgpNextHop::new("10.0.0.1".parse().unwrap());
        Canonical { wire, next_hop, preference: 100 }
    }

    #[test]
    fn the_header_says_what_routes_are_compared_by() {
        let attrs = Attrs::from_canonical(&canonical(&WIRE)).unwrap();
        assert_eq!(attrs.local_pref(), Some(100));
        assert_eq!(attrs.med(), Some(55));
        assert_eq!(attrs.path_hops(), 2);
        assert_eq!(attrs.neighbour_as(), 65002);
        assert_eq!(attrs.origin(), Some(Origin::Igp));
        assert_eq!(attrs.source(), Rts::Bgp);
        assert_eq!(*attrs.next_hop(), NextHop::Bgp);
        assert!(attrs.present().has(Present::WELL_KNOWN.with(Present::COMMUNITIES)));
        assert!(!attrs.present().any(Present::CLUSTER_LIST.with(Present::OTHER)));
        let bgp = attrs.bgp().unwrap();
        assert_eq!(bgp.wire(), WIRE);
        assert_eq!(bgp.next_hop_global(), Some("10.0.0.1".parse().unwrap()));
        assert_eq!(bgp.as_path().to_string(), "65002 65010");
        assert_eq!(bgp.raw(kind::MULTI_EXIT_DISC), Some((0x80, &[0, 0, 0, 55][..])));
        assert_eq!(bgp.raw(kind::CLUSTER_LIST), None);
    }

    #[test]
    fn malformed_lists_are_refused() {
        let error = |wire: &[u8]| Attrs::from_canonical(&canonical(wire)).err();
        assert_eq!(error(&WIRE[..38]), Some(CanonicalError::Truncated));
        assert_eq!(error(&[0x40, 2, 0, 0x40, 1, 1, 0]), Some(CanonicalError::Order(1)));
        assert_eq!(error(&[0x40, 2, 0, 0x40, 2, 0]), Some(CanonicalError::Order(2)));
        // Type 0 is reserved, not forbidden: an attribute that nobody knows.
        assert_eq!(error(&[0xe0, 0, 0, 0x40, 1, 1, 0]), None);
        assert_eq!(error(&[0xe0, 0, 0, 0xe0, 0, 0]), Some(CanonicalError::Order(0)));
        assert_eq!(error(&[0x40, 3, 4, 1, 2, 3, 4]), Some(CanonicalError::Foreign(3)));
        assert_eq!(error(&[]), None);
    }

    #[test]
    fn a_typical_set_is_small() {
        assert!(size_of::<Attrs>() <= 72, "{}", size_of::<Attrs>());
        // Origin, path of five, MED, local preference, aggregator, four communities, two extended
        // communities, two large communities.
        let mut builder = AttrsBuilder::new(Rts::Bgp);
        builder.set_raw(kind::ORIGIN, None, &[0]).unwrap();
        builder.set_raw(kind::AS_PATH, None, &[2; 22]).unwrap();
        builder.set_raw(kind::MULTI_EXIT_DISC, None, &[0; 4]).unwrap();
        builder.set_raw(kind::LOCAL_PREF, None, &[0; 4]).unwrap();
        builder.set_raw(kind::AGGREGATOR, None, &[0; 8]).unwrap();
        builder.set_raw(kind::COMMUNITIES, None, &[0; 16]).unwrap();
        builder.set_raw(kind::EXT_COMMUNITIES, None, &[0; 16]).unwrap();
        builder.set_raw(kind::LARGE_COMMUNITIES, None, &[0; 24]).unwrap();
        builder.set_bgp_next_hop(Some(BgpNextHop::new("10.0.0.1".parse().unwrap())));
        let attrs = builder.finish();
        assert!(attrs.memory() <= 220, "{}", attrs.memory());
    }

    #[test]
    fn equal_content_is_equal_however_it_was_made() {
        let one = Attrs::from_canonical(&canonical(&WIRE)).unwrap();
        let two = one.edit().finish();
        assert!(!Arc::ptr_eq(&one, &two));
        assert_eq!(one, two);
        assert_eq!(Attrs::hash(&one), Attrs::hash(&two));
        let mut other = one.edit();
        other.set_preference(200);
        assert_ne!(one, other.finish());
    }
}

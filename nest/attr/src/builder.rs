//! Making and changing attribute sets.

use core::fmt;
use std::sync::Arc;

use dunlin_net::as_path::AsPath;
use dunlin_net::community::{ClusterList, Communities, ExtCommunities, LargeCommunities};

use crate::attrs::{Attrs, Canonical, Head, Rest};
use crate::bgp::{
    Aggregator, BgpNextHop, BgpView, CanonicalError, NextHopBytes, Tlvs, default_flags, flag,
    is_foreign, kind,
};
use crate::extra::{AttrId, Value};
use crate::kinds::{Dest, Origin, Rts};
use crate::next_hop::NextHop;

/// A path attribute's value is longer than its 16-bit length can say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ValueTooLong;

impl fmt::Display for ValueTooLong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("path attribute is longer than 65535 bytes")
    }
}

impl core::error::Error for ValueTooLong {}

/// A set under construction. It can be used again after [`AttrsBuilder::finish`] and keeps its
/// buffers, so a filter's scratch builder allocates only for the sets that it makes.
#[derive(Clone, Debug)]
pub struct AttrsBuilder {
    wire: Vec<u8>,
    bgp_next_hop: NextHopBytes,
    head: Head,
    next_hop: NextHop,
    extra: Vec<(AttrId, Value)>,
}

impl AttrsBuilder {
    /// An empty set from this source: unicast, no next hop, preference 0.
    pub const fn new(source: Rts) -> Self {
        Self {
            wire: Vec::new(),
            bgp_next_hop: NextHopBytes::EMPTY,
            head: Head {
                preference: 0,
                source,
                dest: Dest::Unicast,
                next_hop_len: 0,
                resolve_bgp: false,
            },
            next_hop: NextHop::None,
            extra: Vec::new(),
        }
    }

    /// The set of a received BGP route, see [`Attrs::from_canonical`].
    pub fn from_canonical(canonical: &Canonical<'_>) -> Result<Arc<Attrs>, CanonicalError> {
        Attrs::from_canonical(canonical)
    }

    /// Starts again with another set, in the same buffers.
    pub fn reset(&mut self, attrs: &Attrs) {
        self.wire.clear();
        self.wire.extend_from_slice(attrs.wire());
        self.bgp_next_hop = NextHopBytes::of(attrs.bgp_view().next_hop());
        self.head = attrs.head();
        self.next_hop.clone_from(attrs.next_hop());
        self.extra.clear();
        self.extra.extend_from_slice(attrs.extra());
    }

    /// The finished set.
    pub fn finish(&self) -> Arc<Attrs> {
        let next_hop_len = self.bgp_next_hop.as_slice().len() as u8;
        let resolve_bgp = self.next_hop == NextHop::Bgp;
        let head = Head { next_hop_len, resolve_bgp, ..self.head };
        Attrs::assemble(&self.bgp_next_hop, &self.wire, head, self.rest())
    }

    /// The finished set would have the content of `attrs`. Cheaper than finishing it.
    pub fn is(&self, attrs: &Attrs) -> bool {
        self.wire == attrs.wire()
            && self.bgp_next_hop.as_slice() == attrs.next_hop_bytes()
            && self.head.preference == attrs.preference()
            && self.head.source == attrs.source()
            && self.head.dest == attrs.dest()
            && self.next_hop == *attrs.next_hop()
            && self.extra == attrs.extra()
    }

    fn rest(&self) -> Option<Box<Rest>> {
        let plain = matches!(self.next_hop, NextHop::None | NextHop::Bgp);
        if plain && self.extra.is_empty() {
            return None;
        }
        let next_hop = if plain { NextHop::None } else { self.next_hop.clone() };
        Some(Box::new(Rest { next_hop, extra: self.extra.as_slice().into() }))
    }
}

/// What is there now.
impl AttrsBuilder {
    /// The BGP part.
    pub fn bgp(&self) -> BgpView<'_> {
        BgpView::new(&self.wire, self.bgp_next_hop.as_slice())
    }

    /// The preference.
    pub const fn preference(&self) -> u32 {
        self.head.preference
    }

    /// Where the route came from.
    pub const fn source(&self) -> Rts {
        self.head.source
    }

    /// What is done with packets.
    pub const fn dest(&self) -> Dest {
        self.head.dest
    }

    /// Where packets go.
    pub const fn next_hop(&self) -> &NextHop {
        &self.next_hop
    }

    /// One attribute outside BGP.
    pub fn extra_value(&self, id: &AttrId) -> Option<&Value> {
        let at = self.find_extra(id).ok()?;
        self.extra.get(at).map(|(_, value)| value)
    }

    fn find_extra(&self, id: &AttrId) -> Result<usize, usize> {
        self.extra.binary_search_by(|(other, _)| other.cmp(id))
    }
}

/// Changes outside BGP.
impl AttrsBuilder {
    /// Sets the preference.
    pub const fn set_preference(&mut self, preference: u32) {
        self.head.preference = preference;
    }

    /// Sets where the route came from.
    pub const fn set_source(&mut self, source: Rts) {
        self.head.source = source;
    }

    /// Sets what is done with packets; a destination other than unicast drops the next hop.
    pub fn set_dest(&mut self, dest: Dest) {
        self.head.dest = dest;
        if dest != Dest::Unicast {
            self.next_hop = NextHop::None;
        }
    }

    /// Sets where packets go, and the destination to unicast unless there is no next hop.
    pub fn set_next_hop(&mut self, next_hop: NextHop) {
        if next_hop != NextHop::None {
            self.head.dest = Dest::Unicast;
        }
        self.next_hop = next_hop;
    }

    /// Sets an attribute outside BGP.
    pub fn set_extra(&mut self, id: AttrId, value: Value) {
        match self.find_extra(&id) {
            Ok(at) => self.extra[at].1 = value,
            Err(at) => self.extra.insert(at, (id, value)),
        }
    }

    /// Removes an attribute outside BGP; whether it was there.
    pub fn unset_extra(&mut self, id: &AttrId) -> bool {
        self.find_extra(id).map(|at| self.extra.remove(at)).is_ok()
    }
}

/// Changes of the BGP part.
impl AttrsBuilder {
    /// Sets the BGP next hop; where packets go is not touched.
    pub fn set_bgp_next_hop(&mut self, next_hop: Option<BgpNextHop>) {
        self.bgp_next_hop = NextHopBytes::of(next_hop);
    }

    /// Sets ORIGIN.
    pub fn set_origin(&mut self, origin: Origin) {
        self.set_fixed(kind::ORIGIN, &[origin as u8]);
    }

    /// Sets AS_PATH.
    pub fn set_as_path(&mut self, path: AsPath<'_>) -> Result<(), ValueTooLong> {
        self.set_raw(kind::AS_PATH, None, path.wire())
    }

    /// Sets or removes MULTI_EXIT_DISC.
    pub fn set_med(&mut self, med: Option<u32>) {
        self.set_word(kind::MULTI_EXIT_DISC, med);
    }

    /// Sets or removes LOCAL_PREF.
    pub fn set_local_pref(&mut self, local_pref: Option<u32>) {
        self.set_word(kind::LOCAL_PREF, local_pref);
    }

    /// Sets or removes ATOMIC_AGGREGATE.
    pub fn set_atomic_aggregate(&mut self, present: bool) {
        if present {
            self.set_fixed(kind::ATOMIC_AGGREGATE, &[]);
        } else {
            self.unset(kind::ATOMIC_AGGREGATE);
        }
    }

    /// Sets or removes AGGREGATOR.
    pub fn set_aggregator(&mut self, aggregator: Option<Aggregator>) {
        match aggregator {
            Some(Aggregator { asn, router }) => {
                let mut value = [0; 8];
                value[..4].copy_from_slice(&asn.to_be_bytes());
                value[4..].copy_from_slice(&router.octets());
                self.set_fixed(kind::AGGREGATOR, &value);
            }
            None => {
                self.unset(kind::AGGREGATOR);
            }
        }
    }

    /// Sets COMMUNITIES; an empty list removes it.
    pub fn set_communities(&mut self, list: Communities<'_>) -> Result<(), ValueTooLong> {
        self.set_list(kind::COMMUNITIES, list.wire())
    }

    /// Sets EXTENDED COMMUNITIES; an empty list removes it.
    pub fn set_ext_communities(&mut self, list: ExtCommunities<'_>) -> Result<(), ValueTooLong> {
        self.set_list(kind::EXT_COMMUNITIES, list.wire())
    }

    /// Sets LARGE_COMMUNITY; an empty list removes it.
    pub fn set_large_communities(
        &mut self,
        list: LargeCommunities<'_>,
    ) -> Result<(), ValueTooLong> {
        self.set_list(kind::LARGE_COMMUNITIES, list.wire())
    }

    /// Sets or removes ORIGINATOR_ID.
    pub fn set_originator_id(&mut self, id: Option<u32>) {
        self.set_word(kind::ORIGINATOR_ID, id);
    }

    /// Sets CLUSTER_LIST; an empty list removes it.
    pub fn set_cluster_list(&mut self, list: ClusterList<'_>) -> Result<(), ValueTooLong> {
        self.set_list(kind::CLUSTER_LIST, list.wire())
    }

    /// Sets or removes ONLY_TO_CUSTOMER.
    pub fn set_only_to_customer(&mut self, asn: Option<u32>) {
        self.set_word(kind::ONLY_TO_CUSTOMER, asn);
    }

    /// Sets any path attribute from its value. Without flags it keeps those that it has, or gets the
    /// ones of its type (optional transitive, if the type is unknown). Types that are no part of a
    /// set (NEXT_HOP, MP_REACH_NLRI, MP_UNREACH_NLRI, AS4_PATH, AS4_AGGREGATOR, 0) are left alone.
    pub fn set_raw(
        &mut self,
        kind: u8,
        flags: Option<u8>,
        value: &[u8],
    ) -> Result<(), ValueTooLong> {
        let len = u16::try_from(value.len()).map_err(|_| ValueTooLong)?;
        if is_foreign(kind) || kind == 0 {
            return Ok(());
        }
        let place = self.place(kind);
        let flags = flags.or(place.flags).unwrap_or(default_flags(kind)) & !flag::EXTENDED_LENGTH;
        let (header, header_len) = match u8::try_from(len) {
            Ok(len) => ([flags, kind, len, 0], 3),
            Err(_) => {
                let [high, low] = len.to_be_bytes();
                ([flags | flag::EXTENDED_LENGTH, kind, high, low], 4)
            }
        };
        self.make_room(&place, header_len + value.len());
        let (head, rest) = self.wire[place.from..].split_at_mut(header_len);
        head.copy_from_slice(&header[..header_len]);
        rest[..value.len()].copy_from_slice(value);
        Ok(())
    }

    /// Makes a place that long. What is behind it moves.
    fn make_room(&mut self, place: &Place, wanted: usize) {
        let (behind, end) = (place.to, self.wire.len());
        let moved = place.from + wanted;
        if moved > behind {
            self.wire.resize(end + (moved - behind), 0);
        }
        self.wire.copy_within(behind..end, moved);
        self.wire.truncate(end - behind + moved);
    }

    /// Removes a path attribute, the next hop too; whether it was there.
    pub fn unset(&mut self, kind: u8) -> bool {
        if kind == kind::NEXT_HOP {
            let was = !self.bgp_next_hop.as_slice().is_empty();
            self.bgp_next_hop = NextHopBytes::EMPTY;
            return was;
        }
        let place = self.place(kind);
        self.wire.drain(place.from..place.to);
        place.flags.is_some()
    }

    /// Removes the whole BGP part.
    pub fn clear_bgp(&mut self) {
        self.wire.clear();
        self.bgp_next_hop = NextHopBytes::EMPTY;
    }

    /// Keeps only the path attributes that satisfy the predicate, by flags and type.
    pub fn retain(&mut self, mut keep: impl FnMut(u8, u8) -> bool) {
        let gone: Vec<u8> = (self.bgp().tlvs())
            .filter(|tlv| !keep(tlv.flags, tlv.kind))
            .map(|tlv| tlv.kind)
            .collect();
        for kind in gone {
            self.unset(kind);
        }
    }

    fn set_list(&mut self, kind: u8, value: &[u8]) -> Result<(), ValueTooLong> {
        if value.is_empty() {
            self.unset(kind);
            return Ok(());
        }
        self.set_raw(kind, None, value)
    }

    fn set_word(&mut self, kind: u8, word: Option<u32>) {
        match word {
            Some(word) => self.set_fixed(kind, &word.to_be_bytes()),
            None => {
                self.unset(kind);
            }
        }
    }

    /// A value so short that its length always fits.
    fn set_fixed(&mut self, kind: u8, value: &[u8]) {
        let fits = self.set_raw(kind, None, value);
        debug_assert!(fits.is_ok());
    }

    /// Where an attribute is, or where it would go.
    fn place(&self, kind: u8) -> Place {
        let mut tlvs = Tlvs::new(&self.wire);
        loop {
            let from = self.wire.len() - tlvs.remaining().len();
            match tlvs.next() {
                Some(tlv) if tlv.kind < kind => {}
                Some(tlv) if tlv.kind == kind => {
                    let to = self.wire.len() - tlvs.remaining().len();
                    return Place { from, to, flags: Some(tlv.flags) };
                }
                _ => return Place { from, to: from, flags: None },
            }
        }
    }
}

struct Place {
    from: usize,
    to: usize,
    flags: Option<u8>,
}

impl From<&Attrs> for AttrsBuilder {
    fn from(attrs: &Attrs) -> Self {
        let mut builder = Self::new(attrs.source());
        builder.reset(attrs);
        builder
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use dunlin_net::as_path::AsPathBuf;
    use dunlin_net::community::CommunitiesBuf;
    use proptest::prelude::*;

    use super::*;
    use crate::next_hop::Hop;

    #[test]
    fn golden_bytes() {
        let mut builder = AttrsBuilder::new(Rts::Bgp);
        builder.set_local_pref(Some(100));
        builder.set_as_path(AsPathBuf::from_sequence(&[65001]).view()).unwrap();
        builder.set_origin(Origin::Incomplete);
        let communities: CommunitiesBuf = "(1,2)".parse().unwrap();
        builder.set_communities(communities.view()).unwrap();
        builder.set_atomic_aggregate(true);
        let expected = [
            &[0x40, 1, 1, 2][..],
            &[0x40, 2, 6, 2, 1, 0, 0, 0xfd, 0xe9],
            &[0x40, 5, 4, 0, 0, 0, 100],
            &[0x40, 6, 0],
            &[0xc0, 8, 4, 0, 1, 0, 2],
        ];
        assert_eq!(builder.bgp().wire(), expected.concat());
        builder.set_communities(Communities::default()).unwrap();
        builder.set_atomic_aggregate(false);
        builder.set_local_pref(None);
        assert_eq!(builder.bgp().wire(), expected[..2].concat());
    }

    #[test]
    fn long_values_have_a_long_length_and_flags_stay() {
        let mut builder = AttrsBuilder::new(Rts::Bgp);
        builder.set_raw(200, Some(0xe0), &[7; 300]).unwrap();
        assert_eq!(builder.bgp().wire()[..4], [0xf0, 200, 1, 44]);
        assert_eq!(builder.bgp().raw(200), Some((0xf0, &[7; 300][..])));
        builder.set_raw(200, None, &[1]).unwrap();
        assert_eq!(builder.bgp().wire(), [0xe0, 200, 1, 1]);
        assert_eq!(builder.set_raw(201, None, &vec![0; 65536]), Err(ValueTooLong));
        builder.set_raw(kind::MP_REACH_NLRI, None, &[1]).unwrap();
        assert_eq!(builder.bgp().tlvs().count(), 1);
    }

    #[test]
    fn the_next_hop_is_apart() {
        let mut builder = AttrsBuilder::new(Rts::Bgp);
        let link_local = Some("fe80::1".parse().unwrap());
        let next_hop = BgpNextHop { global: "2001:db8::1".parse().unwrap(), link_local };
        builder.set_bgp_next_hop(Some(next_hop));
        builder.set_next_hop(NextHop::Bgp);
        let attrs = builder.finish();
        assert_eq!(attrs.bgp().unwrap().next_hop(), Some(next_hop));
        assert_eq!(attrs.next_hop_bytes().len(), 32);
        assert!(builder.unset(kind::NEXT_HOP));
        assert!(!builder.unset(kind::NEXT_HOP));
        assert!(builder.finish().bgp().is_none());
    }

    #[test]
    fn routes_without_bgp() {
        let mut builder = AttrsBuilder::new(Rts::Static);
        builder.set_preference(200);
        builder.set_next_hop(NextHop::hop(Hop::via("10.0.0.1".parse().unwrap())));
        builder.set_extra(AttrId::KernelMetric, Value::Int(5));
        builder.set_extra(AttrId::Custom("mine".into()), Value::Bool(true));
        builder.set_extra(AttrId::KernelMetric, Value::Int(6));
        let attrs = builder.finish();
        assert!(attrs.bgp().is_none());
        assert_eq!(attrs.next_hop().hops().len(), 1);
        assert_eq!(attrs.extra_value(&AttrId::KernelMetric), Some(&Value::Int(6)));
        assert_eq!(attrs.extra().len(), 2);
        assert!(builder.is(&attrs));
        builder.set_dest(Dest::Blackhole);
        assert!(!builder.is(&attrs));
        assert_eq!(*builder.finish().next_hop(), NextHop::None);
        assert!(builder.unset_extra(&AttrId::KernelMetric));
        assert!(!builder.unset_extra(&AttrId::KernelMetric));
    }

    proptest! {
        #[test]
        fn edits_agree_with_a_plain_map(
            edits in proptest::collection::vec(
                (1u8..40, proptest::option::of(proptest::collection::vec(any::<u8>(), 0..300))),
                0..30,
            ),
        ) {
            let mut builder = AttrsBuilder::new(Rts::Bgp);
            let mut model: BTreeMap<u8, Vec<u8>> = BTreeMap::new();
            for (kind, value) in edits.into_iter().filter(|(kind, _)| !is_foreign(*kind)) {
                match value {
                    Some(value) => {
                        builder.set_raw(kind, None, &value).unwrap();
                        model.insert(kind, value);
                    }
                    None => prop_assert_eq!(builder.unset(kind), model.remove(&kind).is_some()),
                }
            }
            let tlvs: Vec<_> = builder.bgp().tlvs().map(|tlv| (tlv.kind, tlv.value.to_vec())).collect();
            prop_assert_eq!(&tlvs, &model.into_iter().collect::<Vec<_>>());
            let next_hop = BgpNextHop::new("10.0.0.1".parse().unwrap());
            let canonical = Canonical { wire: builder.bgp().wire(), next_hop, preference: 0 };
            let received = Attrs::from_canonical(&canonical).unwrap();
            builder.set_bgp_next_hop(Some(next_hop));
            builder.set_next_hop(NextHop::Bgp);
            prop_assert_eq!(&*received, &*builder.finish());
            prop_assert!(builder.is(&received));
        }

        #[test]
        fn any_bytes_are_read_without_panic(wire in proptest::collection::vec(any::<u8>(), 0..80)) {
            let next_hop = BgpNextHop::new("10.0.0.1".parse().unwrap());
            let made = Attrs::from_canonical(&Canonical { wire: &wire, next_hop, preference: 0 });
            if let Ok(attrs) = made {
                let bgp = attrs.bgp_view();
                let _ = (bgp.origin(), bgp.med(), bgp.aggregator(), bgp.aigp(), bgp.originator_id());
                let _ = crate::display::lines(&attrs, crate::display::Style::V3, None);
            }
        }
    }
}

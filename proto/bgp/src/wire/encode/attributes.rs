//! The attributes that a route is sent with.

use core::net::IpAddr;

use dunlin_net::as_path::{AsPath, SegmentKind};
use dunlin_net::community::ExtCommunities;

use super::super::AS_TRANS;
use super::super::attribute::{
    Attribute, OPTIONAL_LOCAL, OPTIONAL_TRANSITIVE, WELL_KNOWN, flag, number, put_head, take_first,
    try_put,
};
use super::super::family::Carried;
use super::super::next_hop::NextHop;
use super::super::path;

/// What kind of neighbour the messages are for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum PeerKind {
    /// In our AS.
    Internal,
    /// In another AS.
    External,
    /// In another AS, and served by us as a route server: the path stays as it is (RFC 7947).
    RouteServerClient,
}

/// What the encoding depends on besides the route. Equal rules make equal bytes.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct EncodeRules {
    /// The family of the prefixes.
    pub family: Carried,
    /// What kind of neighbour it is.
    pub peer: PeerKind,
    /// Our AS on the session.
    pub local_as: u32,
    /// AS numbers have four octets.
    pub as4: bool,
    /// The longest message.
    pub max_length: usize,
    /// LOCAL_PREF is sent to other ASes too.
    pub send_local_pref: bool,
    /// Routes are marked as being for customers only, if they aren't yet (RFC 9234).
    pub customers_only: bool,
    /// LOCAL_PREF inside the AS for routes that have none.
    pub default_local_pref: u32,
}

/// The marks of a route reflector (RFC 4456 section 8).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Reflection {
    /// ORIGINATOR_ID if the route has none yet.
    pub originator: u32,
    /// What is put before the CLUSTER_LIST, in this order.
    pub clusters: [Option<u32>; 2],
}

/// What is to be said of one route besides its canonical attributes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Route {
    /// Next hop to announce.
    pub next_hop: NextHop,
    /// The route is passed on from one internal neighbour to another.
    pub reflection: Option<Reflection>,
    /// MULTI_EXIT_DISC is sent, if the route has one. One that the export filter has set
    /// ([`flag::FILTER_SET`]) is sent anyway.
    pub keep_med: bool,
}

/// The attributes leave no room for a prefix.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TooLong;

/// The attributes up to CLUSTER_LIST, by number: those that a speaker changes.
type Head<'a> = [Option<Attribute<'a>>; number::CLUSTER_LIST as usize + 1];

/// Appends all attributes; an error if one of them has got longer than a header can say. `classic`:
/// NEXT_HOP is one of them.
pub(super) fn put_all(
    canonical: &[u8],
    rules: &EncodeRules,
    route: &Route,
    classic: bool,
    out: &mut Vec<u8>,
) -> Result<(), TooLong> {
    let mut rest = canonical;
    let mut head: Head<'_> = [None; 11];
    let mut next = take_first(&mut rest);
    while let Some(attribute) = next {
        let Some(place) = head.get_mut(usize::from(attribute.number)) else { break };
        *place = Some(attribute);
        next = take_first(&mut rest);
    }
    let tail = next.into_iter().chain(core::iter::from_fn(|| take_first(&mut rest)));
    let mut writer = Writer {
        head,
        rules,
        route,
        as4_path: None,
        as4_aggregator: None,
        customers_only: rules.customers_only,
        fits: true,
        out,
    };
    writer.run(classic, tail);
    if writer.fits { Ok(()) } else { Err(TooLong) }
}

struct Writer<'a> {
    head: Head<'a>,
    rules: &'a EncodeRules,
    route: &'a Route,
    /// What a two-octet neighbour must be told besides (RFC 6793 4.2.2).
    as4_path: Option<Vec<u8>>,
    as4_aggregator: Option<[u8; 8]>,
    /// OTC is still to be added, unless the route has it.
    customers_only: bool,
    /// No attribute has had to be left out as too long.
    fits: bool,
    out: &'a mut Vec<u8>,
}

impl<'a> Writer<'a> {
    fn run(&mut self, classic: bool, tail: impl Iterator<Item = Attribute<'a>>) {
        match self.taken(number::ORIGIN) {
            Some(origin) => self.copy(&origin),
            // A route that no BGP speaker made is ours: IGP.
            None => self.put(WELL_KNOWN, number::ORIGIN, &[0]),
        }
        self.as_path();
        if let (true, IpAddr::V4(address)) = (classic, self.route.next_hop.global) {
            self.put(WELL_KNOWN, number::NEXT_HOP, &address.octets());
        }
        self.med();
        self.local_pref();
        if let Some(atomic) = self.taken(number::ATOMIC_AGGREGATE) {
            self.copy(&atomic);
        }
        self.aggregator();
        if let Some(communities) = self.taken(number::COMMUNITY) {
            self.copy(&communities);
        }
        if self.is_internal() {
            self.originator();
            self.cluster_list();
        }
        self.tail(tail);
    }

    fn taken(&self, number: u8) -> Option<Attribute<'a>> {
        self.head.get(usize::from(number)).copied().flatten()
    }

    fn put(&mut self, flags: u8, number: u8, value: &[u8]) {
        self.fits &= try_put(self.out, flags, number, value);
    }

    fn copy(&mut self, attribute: &Attribute<'_>) {
        self.out.extend_from_slice(attribute.whole);
    }

    fn is_internal(&self) -> bool {
        self.rules.peer == PeerKind::Internal
    }

    fn as_path(&mut self) {
        let value = self.taken(number::AS_PATH).map_or(&[][..], |attribute| attribute.value);
        if self.rules.as4 {
            match self.rules.peer {
                PeerKind::External => {
                    self.fits &= put_prepended(self.out, value, self.rules.local_as);
                }
                PeerKind::Internal | PeerKind::RouteServerClient => {
                    self.put(WELL_KNOWN, number::AS_PATH, value);
                }
            }
            return;
        }
        let prepended;
        let mut path = AsPath(value);
        if self.rules.peer == PeerKind::External {
            prepended = path.without_confed().view().prepend(self.rules.local_as);
            path = prepended.view();
        }
        let mut narrow = Vec::with_capacity(path.wire().len());
        path::narrow(path, &mut narrow);
        self.put(WELL_KNOWN, number::AS_PATH, &narrow);
        if path.any(|asn| asn > u32::from(u16::MAX)) {
            let mut whole = Vec::with_capacity(path.wire().len());
            path::put_without_confed(path, &mut whole);
            self.as4_path = Some(whole);
        }
    }

    fn med(&mut self) {
        let Some(med) = self.taken(number::MED) else { return };
        if self.route.keep_med || med.flags & flag::FILTER_SET != 0 {
            self.put(OPTIONAL_LOCAL, number::MED, med.value);
        }
    }

    fn local_pref(&mut self) {
        let preference = self.taken(number::LOCAL_PREF);
        match (self.is_internal(), preference) {
            (true, None) => {
                let preference = self.rules.default_local_pref.to_be_bytes();
                self.put(WELL_KNOWN, number::LOCAL_PREF, &preference);
            }
            (internal, Some(preference)) if internal || self.rules.send_local_pref => {
                self.copy(&preference);
            }
            _ => {}
        }
    }

    fn aggregator(&mut self) {
        let Some(aggregator) = self.taken(number::AGGREGATOR) else { return };
        let whole = <[u8; 8]>::try_from(aggregator.value);
        let Some(whole) = whole.ok().filter(|_| !self.rules.as4) else {
            return self.copy(&aggregator);
        };
        let [a, b, c, d, address @ ..] = whole;
        let asn = u32::from_be_bytes([a, b, c, d]);
        let short = u16::try_from(asn).unwrap_or(AS_TRANS);
        self.fits &= put_head(self.out, aggregator.flags, number::AGGREGATOR, 6);
        self.out.extend_from_slice(&short.to_be_bytes());
        self.out.extend_from_slice(&address);
        self.as4_aggregator = (asn > u32::from(u16::MAX)).then_some(whole);
    }

    fn originator(&mut self) {
        match (self.taken(number::ORIGINATOR_ID), self.route.reflection) {
            (Some(originator), _) => self.copy(&originator),
            (None, Some(reflection)) => {
                let originator = reflection.originator.to_be_bytes();
                self.put(OPTIONAL_LOCAL, number::ORIGINATOR_ID, &originator);
            }
            (None, None) => {}
        }
    }

    fn cluster_list(&mut self) {
        match (self.taken(number::CLUSTER_LIST), self.route.reflection) {
            (Some(list), None) => self.copy(&list),
            (list, Some(reflection)) => {
                let before = list.map_or(&[][..], |list| list.value);
                let added = reflection.clusters.into_iter().flatten();
                let length = before.len() + 4 * added.clone().count();
                self.fits &= put_head(self.out, OPTIONAL_LOCAL, number::CLUSTER_LIST, length);
                added.for_each(|cluster| self.out.extend_from_slice(&cluster.to_be_bytes()));
                self.out.extend_from_slice(before);
            }
            (None, None) => {}
        }
    }

    /// What nobody changes on the way, with the AS4 attributes in their places.
    fn tail(&mut self, tail: impl Iterator<Item = Attribute<'a>>) {
        for attribute in tail {
            if attribute.number > number::AS4_AGGREGATOR {
                self.as4();
            }
            if attribute.number >= number::OTC {
                self.customers_only &= attribute.number != number::OTC;
                self.customers_only();
            }
            match attribute.number {
                _ if self.is_internal() => self.copy(&attribute),
                number::AIGP => {}
                number::EXT_COMMUNITY => self.ext_communities(&attribute),
                _ => self.copy(&attribute),
            }
        }
        self.as4();
        self.customers_only();
    }

    /// Those that may leave the AS (RFC 4360 section 6).
    fn ext_communities(&mut self, attribute: &Attribute<'_>) {
        let all = ExtCommunities::new(attribute.value);
        let leaving = all.iter().filter(|community| community.is_transitive());
        let count = leaving.clone().count();
        if count == all.len() {
            return self.copy(attribute);
        }
        if count > 0 {
            let length = 8 * count;
            self.fits &= put_head(self.out, attribute.flags, number::EXT_COMMUNITY, length);
            leaving.for_each(|community| self.out.extend_from_slice(&community.0.to_be_bytes()));
        }
    }

    fn customers_only(&mut self) {
        if core::mem::take(&mut self.customers_only) {
            let asn = self.rules.local_as.to_be_bytes();
            self.put(OPTIONAL_TRANSITIVE, number::OTC, &asn);
        }
    }

    fn as4(&mut self) {
        if let Some(path) = self.as4_path.take() {
            self.put(OPTIONAL_TRANSITIVE, number::AS4_PATH, &path);
        }
        if let Some(aggregator) = self.as4_aggregator.take() {
            self.put(OPTIONAL_TRANSITIVE, number::AS4_AGGREGATOR, &aggregator);
        }
    }
}

/// Appends AS_PATH with our AS in front and without what is private to a confederation; `false` if
/// that is too long.
fn put_prepended(out: &mut Vec<u8>, path: &[u8], asn: u32) -> bool {
    const SEQUENCE: u8 = SegmentKind::Sequence as u8;
    match path.split_first_chunk::<2>() {
        // The usual case, without a detour: room in the first segment, and no confederation.
        Some((&[SEQUENCE, count @ 0..=254], rest)) if !AsPath(path).has_confed() => {
            let fits = put_head(out, WELL_KNOWN, number::AS_PATH, path.len() + 4);
            out.extend_from_slice(&[SEQUENCE, count + 1]);
            out.extend_from_slice(&asn.to_be_bytes());
            out.extend_from_slice(rest);
            fits
        }
        _ => {
            let path = AsPath(path).without_confed().view().prepend(asn);
            try_put(out, WELL_KNOWN, number::AS_PATH, path.wire())
        }
    }
}

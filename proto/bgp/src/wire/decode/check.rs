//! What each attribute must look like, and its way into the canonical block.

use core::net::{IpAddr, Ipv4Addr};

use dunlin_net::as_path::AsPath;

use super::super::AS_TRANS;
use super::super::attribute::{
    OPTIONAL_LOCAL, OPTIONAL_TRANSITIVE, WELL_KNOWN, class, flag, number, put, put_head,
};
use super::super::capability::Role;
use super::super::next_hop::NextHop;
use super::super::path;
use super::super::problem::Problem;
use super::{DecodeRules, KIND_BITS, Problems, block, canonical_flags};

/// Space that is used again for each UPDATE.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    wide: Vec<u8>,
    merged: Vec<u8>,
}

/// One run over the attributes of an UPDATE.
pub(super) struct Check<'a> {
    pub(super) rules: &'a DecodeRules,
    pub(super) index: &'a block::Index,
    pub(super) bytes: &'a [u8],
    pub(super) out: &'a mut Vec<u8>,
    pub(super) scratch: &'a mut Scratch,
    pub(super) problems: &'a mut Problems,
    pub(super) next_hop: Option<NextHop>,
}

/// What becomes of one attribute.
enum Fate {
    /// It is written as it is.
    Keep,
    /// It is dealt with, or rightly has no place in the block.
    Done,
    /// RFC 7606 "attribute discard".
    Discard(Problem),
    /// RFC 7606 "treat-as-withdraw".
    Withdraw(Problem),
}

impl Check<'_> {
    /// Looks at every attribute in the order of their numbers. `routes`: there are routes that
    /// the attributes are for, so that defaults are filled in.
    pub(super) fn run(&mut self, routes: bool) {
        let defaults: &[u8] = match (routes, self.rules.marks_for_customers()) {
            (false, _) => &[],
            (true, false) => &[number::LOCAL_PREF],
            (true, true) => &[number::LOCAL_PREF, number::OTC],
        };
        for number in self.index.numbers(defaults) {
            let Some((flags, value)) = self.index.find(self.bytes, number) else {
                match number {
                    number::OTC => self.put_customers_only(),
                    _ => self.put_default_local_pref(),
                }
                continue;
            };
            let fate = match class(number) {
                Some(class) if flags & KIND_BITS != class => bad_flags(number),
                Some(class) => self.known(number, class, flags, value),
                None => self.unknown(number, flags, value),
            };
            match fate {
                Fate::Keep => put(self.out, canonical_flags(flags), number, value),
                Fate::Done => {}
                Fate::Discard(problem) => self.problems.discard(problem),
                Fate::Withdraw(problem) => self.problems.withdraw(problem),
            }
            if number == number::LOCAL_PREF && routes && !matches!(fate, Fate::Keep) {
                self.put_default_local_pref();
            }
        }
    }

    fn put_default_local_pref(&mut self) {
        let preference = self.rules.default_local_pref.to_be_bytes();
        put(self.out, WELL_KNOWN, number::LOCAL_PREF, &preference);
    }

    /// Marks a route that only customers may get (RFC 9234 section 5).
    fn put_customers_only(&mut self) {
        let asn = self.rules.neighbor_as.to_be_bytes();
        put(self.out, OPTIONAL_TRANSITIVE, number::OTC, &asn);
    }

    fn known(&mut self, number: u8, class: u8, flags: u8, value: &[u8]) -> Fate {
        let length = value.len();
        match number {
            number::ORIGIN => origin(value),
            number::AS_PATH => self.as_path(value),
            number::NEXT_HOP => self.classic_next_hop(value),
            number::MED | number::OTC if length != 4 => Fate::Withdraw(Problem::Length(number)),
            number::MED => Fate::Keep,
            // RFC 9234 section 6, with RFC 7607: no AS is numbered 0.
            number::OTC if value == [0; 4] => Fate::Withdraw(Problem::Value(number)),
            number::OTC if self.rules.is_leak(value) => Fate::Withdraw(Problem::Leak),
            number::OTC => Fate::Keep,
            number::LOCAL_PREF if self.rules.internal || self.rules.allow_local_pref => {
                internal(number, length == 4)
            }
            number::ORIGINATOR_ID if self.rules.internal => self.originator(value),
            number::CLUSTER_LIST if self.rules.internal => self.cluster_list(value),
            number::LOCAL_PREF | number::ORIGINATOR_ID | number::CLUSTER_LIST => {
                Fate::Discard(Problem::Misplaced(number))
            }
            number::ATOMIC_AGGREGATE if length == 0 => Fate::Keep,
            number::ATOMIC_AGGREGATE => Fate::Discard(Problem::Length(number)),
            number::AGGREGATOR => self.aggregator(flags, value),
            number::COMMUNITY => list(number, length, 4),
            number::EXT_COMMUNITY => list(number, length, 8),
            number::LARGE_COMMUNITY => list(number, length, 12),
            number::IPV6_EXT_COMMUNITY => list(number, length, 20),
            number::AIGP => self.aigp(value),
            number::PMSI_TUNNEL if !is_pmsi(value) => Fate::Withdraw(Problem::Value(number)),
            number::TUNNEL_ENCAPSULATION if !is_tunnel_list(value) => {
                Fate::Withdraw(Problem::Value(number))
            }
            number::PREFIX_SID if !is_prefix_sid(value) => Fate::Discard(Problem::Value(number)),
            // Next hops, MP and AS4 attributes are dealt with elsewhere; what else is local to the
            // neighbour stays with it.
            _ if class == OPTIONAL_TRANSITIVE && !is_as4(number) => Fate::Keep,
            _ => Fate::Done,
        }
    }

    /// Unknown attributes: those that must be understood, those that end here, and those that are
    /// passed on with the Partial bit (RFC 4271 section 5).
    fn unknown(&mut self, number: u8, flags: u8, value: &[u8]) -> Fate {
        match flags & KIND_BITS {
            OPTIONAL_TRANSITIVE => {
                put(self.out, OPTIONAL_TRANSITIVE | flag::PARTIAL, number, value);
                Fate::Done
            }
            OPTIONAL_LOCAL => Fate::Done,
            _ => Fate::Withdraw(Problem::Unrecognized(number)),
        }
    }

    fn classic_next_hop(&mut self, value: &[u8]) -> Fate {
        let Ok(octets) = <[u8; 4]>::try_from(value) else {
            return Fate::Withdraw(Problem::Length(number::NEXT_HOP));
        };
        let next_hop = NextHop::new(IpAddr::V4(Ipv4Addr::from(octets)));
        if !next_hop.is_usable(self.rules.loopback) {
            return Fate::Withdraw(Problem::NextHop);
        }
        self.next_hop = Some(next_hop);
        Fate::Done
    }

    fn as_path(&mut self, value: &[u8]) -> Fate {
        let Scratch { wide, merged } = &mut *self.scratch;
        let mut path = value;
        if !self.rules.as4 {
            wide.clear();
            if let Err(error) = path::widen(value, wide) {
                return Fate::Withdraw(Problem::Path(error));
            }
            path = wide;
            if let Some(as4_path) = as4_path(self.index, self.bytes, self.problems) {
                // Both must be sound before they are put together.
                if let Err(error) = AsPath::new(path) {
                    return Fate::Withdraw(Problem::Path(error));
                }
                merged.clear();
                path::merge(AsPath(path), as4_path, merged);
                path = merged;
            }
        }
        match self.rules.judge_path(path) {
            Some(problem) => Fate::Withdraw(problem),
            // Four-octet numbers take more space than an extended message had to offer.
            None if path.len() > usize::from(u16::MAX) => {
                Fate::Withdraw(Problem::TooLong(number::AS_PATH))
            }
            None => {
                put(self.out, WELL_KNOWN, number::AS_PATH, path);
                Fate::Done
            }
        }
    }

    fn aggregator(&mut self, flags: u8, value: &[u8]) -> Fate {
        let length = if self.rules.as4 { 8 } else { 6 };
        if value.len() != length {
            return Fate::Discard(Problem::Length(number::AGGREGATOR));
        }
        let Some((asn, address)) = value.split_last_chunk::<4>() else { return Fate::Done };
        let asn = asn.iter().fold(0u32, |asn, octet| asn << 8 | u32::from(*octet));
        let mut whole = (asn, *address);
        if !self.rules.as4 && asn == u32::from(AS_TRANS) {
            let as4 = self.index.value(self.bytes, number::AS4_AGGREGATOR);
            whole = as4.and_then(as4_aggregator).unwrap_or(whole);
        }
        if whole.0 == 0 {
            return Fate::Discard(Problem::Value(number::AGGREGATOR));
        }
        let _fits = put_head(self.out, canonical_flags(flags), number::AGGREGATOR, 8);
        self.out.extend_from_slice(&whole.0.to_be_bytes());
        self.out.extend_from_slice(&whole.1);
        Fate::Done
    }

    fn originator(&mut self, value: &[u8]) -> Fate {
        match <[u8; 4]>::try_from(value) {
            Err(_) => Fate::Withdraw(Problem::Length(number::ORIGINATOR_ID)),
            Ok(id) if u32::from_be_bytes(id) == self.rules.router_id => {
                Fate::Withdraw(Problem::OriginatorLoop)
            }
            Ok(_) => Fate::Keep,
        }
    }

    fn cluster_list(&mut self, value: &[u8]) -> Fate {
        let (clusters, rest) = value.as_chunks::<4>();
        if clusters.is_empty() || !rest.is_empty() {
            return Fate::Withdraw(Problem::Length(number::CLUSTER_LIST));
        }
        let ours = self.rules.cluster_id.map(u32::to_be_bytes);
        if ours.is_some_and(|ours| clusters.contains(&ours)) {
            return Fate::Withdraw(Problem::ClusterLoop);
        }
        Fate::Keep
    }

    fn aigp(&mut self, value: &[u8]) -> Fate {
        if !self.rules.aigp {
            return Fate::Discard(Problem::Misplaced(number::AIGP));
        }
        if is_aigp(value) { Fate::Keep } else { Fate::Discard(Problem::Value(number::AIGP)) }
    }
}

impl DecodeRules {
    /// Whether routes without OTC are given one here.
    fn marks_for_customers(&self) -> bool {
        self.role.is_some_and(Role::takes_for_customers)
    }

    /// Whether a route with this OTC should not have come from this neighbour.
    fn is_leak(&self, otc: &[u8]) -> bool {
        match self.role {
            Some(Role::Provider | Role::RouteServer) => true,
            Some(Role::Peer) => otc != self.neighbor_as.to_be_bytes(),
            Some(Role::Customer | Role::RouteServerClient) | None => false,
        }
    }

    /// What is wrong with a four-octet path.
    fn judge_path(&self, path: &[u8]) -> Option<Problem> {
        let facts = match path::examine(path, self.local_as) {
            Ok(facts) => facts,
            Err(error) => return Some(Problem::Path(error)),
        };
        if facts.has_zero {
            Some(Problem::PathZero)
        } else if facts.has_confed && !self.internal {
            Some(Problem::PathConfed)
        } else if facts.has_set && !self.allow_as_sets {
            Some(Problem::PathSet)
        } else if self.first_as.is_some_and(|first| AsPath(path).first() != Some(first)) {
            Some(Problem::FirstAs)
        } else if facts.occurrences > self.allow_local_as {
            Some(Problem::AsLoop)
        } else {
            None
        }
    }
}

/// Flags that contradict the kind. The attributes named here say themselves that they are then
/// left out (RFC 7311 section 4, RFC 8669 section 6, RFC 9552 8.2.2).
fn bad_flags(number: u8) -> Fate {
    match number {
        number::AIGP | number::PREFIX_SID | number::LINK_STATE => {
            Fate::Discard(Problem::Flags(number))
        }
        _ => Fate::Withdraw(Problem::Flags(number)),
    }
}

fn origin(value: &[u8]) -> Fate {
    match value {
        [0..=2] => Fate::Keep,
        [_] => Fate::Withdraw(Problem::Value(number::ORIGIN)),
        _ => Fate::Withdraw(Problem::Length(number::ORIGIN)),
    }
}

fn internal(number: u8, good: bool) -> Fate {
    if good { Fate::Keep } else { Fate::Withdraw(Problem::Length(number)) }
}

fn list(number: u8, length: usize, element: usize) -> Fate {
    if length != 0 && length.is_multiple_of(element) {
        Fate::Keep
    } else {
        Fate::Withdraw(Problem::Length(number))
    }
}

const fn is_as4(number: u8) -> bool {
    matches!(number, number::AS4_PATH | number::AS4_AGGREGATOR)
}

/// The AS4_PATH of an old speaker, if it is there and to be believed (RFC 6793 4.2.3).
fn as4_path<'a>(
    index: &block::Index,
    bytes: &'a [u8],
    problems: &mut Problems,
) -> Option<AsPath<'a>> {
    let value = index.value(bytes, number::AS4_PATH)?;
    // An aggregator that isn't AS_TRANS was set by an old speaker after AS4_PATH was written.
    let aggregator = index.value(bytes, number::AGGREGATOR).and_then(|value| value.first_chunk());
    if aggregator.is_some_and(|asn| *asn != AS_TRANS.to_be_bytes()) {
        return None;
    }
    match AsPath::new(value) {
        Ok(path) => Some(path),
        Err(_) => {
            problems.discard(Problem::Value(number::AS4_PATH));
            None
        }
    }
}

fn as4_aggregator(value: &[u8]) -> Option<(u32, [u8; 4])> {
    let [a, b, c, d, address @ ..] = <[u8; 8]>::try_from(value).ok()?;
    Some((u32::from_be_bytes([a, b, c, d]), address))
}

/// An AIGP attribute with a TLV of type 1, whose length is 11 (RFC 7311 section 3).
fn is_aigp(value: &[u8]) -> bool {
    let (mut rest, mut found) = (value, false);
    while let Some((&[kind, high, low], _)) = rest.split_first_chunk::<3>() {
        let length = usize::from(u16::from_be_bytes([high, low]));
        if length < 3 || (kind == 1 && length != 11) {
            return false;
        }
        let Some(tail) = rest.get(length..) else { return false };
        found |= kind == 1;
        rest = tail;
    }
    found && rest.is_empty()
}

/// Flags, tunnel type, label, and for ingress replication an address (RFC 6514 section 5).
fn is_pmsi(value: &[u8]) -> bool {
    match value.split_first_chunk::<5>() {
        Some((&[_, 6, ..], address)) => matches!(address.len(), 4 | 16),
        Some(_) => true,
        None => false,
    }
}

/// Tunnel TLVs, each of sub-TLVs (RFC 9012 sections 2 and 13).
fn is_tunnel_list(value: &[u8]) -> bool {
    let mut rest = value;
    while let Some((&[_, _, high, low], tail)) = rest.split_first_chunk::<4>() {
        let length = usize::from(u16::from_be_bytes([high, low]));
        let Some((inner, tail)) = tail.split_at_checked(length) else { return false };
        if !is_sub_tlv_list(inner) {
            return false;
        }
        rest = tail;
    }
    rest.is_empty()
}

fn is_sub_tlv_list(value: &[u8]) -> bool {
    let mut rest = value;
    while let Some((&[kind, short], tail)) = rest.split_first_chunk::<2>() {
        // Sub-TLVs from 128 on have a length of two octets.
        let next = if kind < 128 {
            tail.get(usize::from(short)..)
        } else {
            tail.split_first()
                .and_then(|(&low, tail)| tail.get(usize::from(u16::from_be_bytes([short, low]))..))
        };
        let Some(next) = next else { return false };
        rest = next;
    }
    rest.is_empty()
}

/// TLVs, of which a label index has seven octets (RFC 8669 sections 3 and 6).
fn is_prefix_sid(value: &[u8]) -> bool {
    let mut rest = value;
    while let Some((&[kind, high, low], tail)) = rest.split_first_chunk::<3>() {
        let length = usize::from(u16::from_be_bytes([high, low]));
        if kind == 1 && length != 7 {
            return false;
        }
        let Some(tail) = tail.get(length..) else { return false };
        rest = tail;
    }
    rest.is_empty()
}

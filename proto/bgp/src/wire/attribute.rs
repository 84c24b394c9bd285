//! Path attributes: numbers, flags, what each must look like, and the canonical block.
//!
//! A canonical block holds attributes sorted by number, each with the flags that belong to it, a
//! one-octet length where that is enough, and four-octet AS numbers. Next hops, MP attributes and
//! the AS4 attributes are not in it: they depend on how a route was carried, not on the route.

/// Attribute numbers (IANA "BGP Path Attributes").
pub mod number {
    /// ORIGIN.
    pub const ORIGIN: u8 = 1;
    /// AS_PATH.
    pub const AS_PATH: u8 = 2;
    /// NEXT_HOP.
    pub const NEXT_HOP: u8 = 3;
    /// MULTI_EXIT_DISC.
    pub const MED: u8 = 4;
    /// LOCAL_PREF.
    pub const LOCAL_PREF: u8 = 5;
    /// ATOMIC_AGGREGATE.
    pub const ATOMIC_AGGREGATE: u8 = 6;
    /// AGGREGATOR.
    pub const AGGREGATOR: u8 = 7;
    /// COMMUNITIES (RFC 1997).
    pub const COMMUNITY: u8 = 8;
    /// ORIGINATOR_ID (RFC 4456).
    pub const ORIGINATOR_ID: u8 = 9;
    /// CLUSTER_LIST (RFC 4456).
    pub const CLUSTER_LIST: u8 = 10;
    /// MP_REACH_NLRI (RFC 4760).
    pub const MP_REACH: u8 = 14;
    /// MP_UNREACH_NLRI (RFC 4760).
    pub const MP_UNREACH: u8 = 15;
    /// EXTENDED COMMUNITIES (RFC 4360).
    pub const EXT_COMMUNITY: u8 = 16;
    /// AS4_PATH (RFC 6793).
    pub const AS4_PATH: u8 = 17;
    /// AS4_AGGREGATOR (RFC 6793).
    pub const AS4_AGGREGATOR: u8 = 18;
    /// PMSI_TUNNEL (RFC 6514).
    pub const PMSI_TUNNEL: u8 = 22;
    /// Tunnel Encapsulation (RFC 9012).
    pub const TUNNEL_ENCAPSULATION: u8 = 23;
    /// IPv6 Address Specific Extended Communities (RFC 5701).
    pub const IPV6_EXT_COMMUNITY: u8 = 25;
    /// AIGP (RFC 7311).
    pub const AIGP: u8 = 26;
    /// BGP-LS (RFC 9552).
    pub const LINK_STATE: u8 = 29;
    /// LARGE_COMMUNITY (RFC 8092).
    pub const LARGE_COMMUNITY: u8 = 32;
    /// Only to Customer (RFC 9234).
    pub const OTC: u8 = 35;
    /// Prefix-SID (RFC 8669).
    pub const PREFIX_SID: u8 = 40;
}

/// Attribute flags.
pub mod flag {
    /// Optional.
    pub const OPTIONAL: u8 = 0x80;
    /// Transitive.
    pub const TRANSITIVE: u8 = 0x40;
    /// Partial.
    pub const PARTIAL: u8 = 0x20;
    /// The length has two octets.
    pub const EXTENDED: u8 = 0x10;
    /// Ours alone, never on the wire: the export filter has set this. On AS_PATH, which every BGP
    /// route has, it says so of the next hop.
    pub const FILTER_SET: u8 = 0x01;
}

/// The flags that well-known attributes have.
pub const WELL_KNOWN: u8 = flag::TRANSITIVE;
/// The flags that optional transitive attributes have.
pub const OPTIONAL_TRANSITIVE: u8 = flag::OPTIONAL | flag::TRANSITIVE;
/// The flags that optional non-transitive attributes have.
pub const OPTIONAL_LOCAL: u8 = flag::OPTIONAL;

/// The Optional and Transitive bits that a known attribute must have; `None` for an unknown one.
pub(super) const fn class(attribute: u8) -> Option<u8> {
    use self::number as n;
    Some(match attribute {
        n::ORIGIN | n::AS_PATH | n::NEXT_HOP | n::LOCAL_PREF | n::ATOMIC_AGGREGATE => WELL_KNOWN,
        n::MED
        | n::ORIGINATOR_ID
        | n::CLUSTER_LIST
        | n::MP_REACH
        | n::MP_UNREACH
        | n::AIGP
        | n::LINK_STATE => OPTIONAL_LOCAL,
        n::AGGREGATOR
        | n::COMMUNITY
        | n::EXT_COMMUNITY
        | n::AS4_PATH
        | n::AS4_AGGREGATOR
        | n::PMSI_TUNNEL
        | n::TUNNEL_ENCAPSULATION
        | n::IPV6_EXT_COMMUNITY
        | n::LARGE_COMMUNITY
        | n::OTC
        | n::PREFIX_SID => OPTIONAL_TRANSITIVE,
        _ => return None,
    })
}

/// One attribute of a block.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Attribute<'a> {
    /// Flags as they stand in the block.
    pub flags: u8,
    /// Number.
    pub number: u8,
    /// Value.
    pub value: &'a [u8],
    /// The attribute with its header.
    pub whole: &'a [u8],
}

/// Takes the first attribute off a block; `None` at the end or where the block is cut off.
#[inline]
pub fn take_first<'a>(block: &mut &'a [u8]) -> Option<Attribute<'a>> {
    let all = *block;
    let (&[flags, number, length], rest) = all.split_first_chunk::<3>()?;
    let (length, rest) = if flags & flag::EXTENDED == 0 {
        (usize::from(length), rest)
    } else {
        let (&low, rest) = rest.split_first()?;
        (usize::from(u16::from_be_bytes([length, low])), rest)
    };
    let (value, rest) = rest.split_at_checked(length)?;
    *block = rest;
    let whole = all.get(..all.len() - rest.len())?;
    Some(Attribute { flags, number, value, whole })
}

/// The attributes of a well-formed block.
pub fn attributes(mut block: &[u8]) -> impl Iterator<Item = Attribute<'_>> {
    core::iter::from_fn(move || take_first(&mut block))
}

/// Appends an attribute whose value has come in a message, and so fits; `flags` without the length
/// bit, which follows from the value. A longer one is left out.
#[inline]
pub fn put(out: &mut Vec<u8>, flags: u8, number: u8, value: &[u8]) {
    let _ = try_put(out, flags, number, value);
}

/// As [`put`]; `false`, and nothing is appended, if the value is longer than the 65535 bytes that a
/// header can say.
#[inline]
#[must_use]
pub fn try_put(out: &mut Vec<u8>, flags: u8, number: u8, value: &[u8]) -> bool {
    let fits = put_head(out, flags, number, value.len());
    if fits {
        out.extend_from_slice(value);
    }
    fits
}

/// Appends the header of an attribute of `length` bytes; `false` if no header can say that.
#[inline]
#[must_use]
pub fn put_head(out: &mut Vec<u8>, flags: u8, number: u8, length: usize) -> bool {
    if let Ok(length) = u8::try_from(length) {
        out.extend_from_slice(&[flags & !flag::EXTENDED, number, length]);
        true
    } else if let Ok(length) = u16::try_from(length) {
        let [high, low] = length.to_be_bytes();
        out.extend_from_slice(&[flags | flag::EXTENDED, number, high, low]);
        true
    } else {
        false
    }
}

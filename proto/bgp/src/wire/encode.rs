//! UPDATE: from routes to bytes.
//!
//! The attributes of a route are written once into a *block*; the block then goes into as many
//! messages as its prefixes need. IPv4 prefixes with an IPv4 next hop use the classic fields,
//! everything else MP_REACH and MP_UNREACH, as the first attribute (RFC 7606 5.1).

use core::net::IpAddr;

use dunlin_net::{Prefix, Prefix4, Prefix6};

use super::attribute::{flag, number, take_first};
use super::family::{Carried, Family};
use super::frame::{Framed, Type, next, put_header};
use super::next_hop::NextHop;
use super::nlri::{Encode, Nlri};
use super::{HEADER_LENGTH, MAX_LENGTH_EXTENDED};

mod attributes;

pub use attributes::{EncodeRules, PeerKind, Reflection, Route, TooLong};

/// Header, length of the withdrawn routes, length of the attributes.
const FIXED: usize = HEADER_LENGTH + 4;
/// Flags, number and two octets of length.
const MP_HEADER: usize = 4;
/// AFI, SAFI.
const MP_FAMILY: usize = 3;
/// The octets of the longest prefix.
const LONGEST_PREFIX: usize = 17;

/// A block: the length of its MP part (0 for classic NLRI), that part, and the attributes.
struct Block<'a> {
    mp: &'a [u8],
    attributes: &'a [u8],
}

impl<'a> Block<'a> {
    fn read(block: &'a [u8]) -> Self {
        let parts = block
            .split_first()
            .and_then(|(&length, rest)| rest.split_at_checked(usize::from(length)));
        let (mp, attributes) = parts.unwrap_or((&[], &[]));
        Self { mp, attributes }
    }

    /// The octets of a message that aren't NLRI.
    fn overhead(&self) -> usize {
        let mp = if self.mp.is_empty() { 0 } else { MP_HEADER + self.mp.len() };
        FIXED + mp + self.attributes.len()
    }
}

/// What comes before the NLRI in MP_REACH, with its length before it.
fn put_mp(out: &mut Vec<u8>, family: Family, next_hop: NextHop) {
    let mut space = [0; 32];
    let next_hop = next_hop.bytes(&mut space);
    // At most 3 + 1 + 32 + 1.
    let length = u8::try_from(MP_FAMILY + 2 + next_hop.len()).unwrap_or(0);
    out.push(length);
    put_family(out, family);
    out.push(u8::try_from(next_hop.len()).unwrap_or(0));
    out.extend_from_slice(next_hop);
    out.push(0);
}

fn put_family(out: &mut Vec<u8>, family: Family) {
    out.extend_from_slice(&family.afi.to_be_bytes());
    out.push(family.safi);
}

/// Writes the block of a route's attributes, in place of what `block` holds.
pub fn encode_block(
    canonical: &[u8],
    rules: &EncodeRules,
    route: &Route,
    block: &mut Vec<u8>,
) -> Result<(), TooLong> {
    block.clear();
    let classic = match (rules.family, route.next_hop.global) {
        (Carried::Ipv4, IpAddr::V4(_)) => {
            block.push(0);
            true
        }
        _ => {
            put_mp(block, rules.family.family(), route.next_hop);
            false
        }
    };
    attributes::put_all(canonical, rules, route, classic, block)?;
    let overhead = Block::read(block).overhead();
    if overhead + LONGEST_PREFIX > rules.max_length { Err(TooLong) } else { Ok(()) }
}

/// Appends UPDATEs that announce `prefixes` with the attributes of `block`, none longer than
/// `max_length`. Returns how many.
pub fn announce<K: Encode>(
    block: &[u8],
    prefixes: impl IntoIterator<Item = K>,
    max_length: usize,
    out: &mut Vec<u8>,
) -> u32 {
    let block = Block::read(block);
    let room = max_length.saturating_sub(block.overhead());
    if block.mp.is_empty() {
        pack(prefixes, room, out, begin_classic(&block), |out, start, _| finish(out, start))
    } else {
        pack(prefixes, room, out, begin_mp(&block), |out, start, nlri| {
            let length = nlri + block.mp.len();
            let attributes = MP_HEADER + length + block.attributes.len();
            set_u16(out, start + FIXED - 2, attributes);
            set_u16(out, start + FIXED + 2, length);
            out.extend_from_slice(block.attributes);
            finish(out, start);
        })
    }
}

fn begin_classic<'a>(block: &'a Block<'a>) -> impl Fn(&mut Vec<u8>) + 'a {
    move |out| {
        put_header(out, 0, Type::Update);
        out.extend_from_slice(&[0, 0]);
        let length = u16::try_from(block.attributes.len()).unwrap_or(u16::MAX);
        out.extend_from_slice(&length.to_be_bytes());
        out.extend_from_slice(block.attributes);
    }
}

fn begin_mp<'a>(block: &'a Block<'a>) -> impl Fn(&mut Vec<u8>) + 'a {
    move |out| {
        put_header(out, 0, Type::Update);
        out.extend_from_slice(&[0; 4]);
        out.extend_from_slice(&[flag::OPTIONAL | flag::EXTENDED, number::MP_REACH, 0, 0]);
        out.extend_from_slice(block.mp);
    }
}

/// Appends UPDATEs that withdraw `prefixes`. Returns how many.
pub fn withdraw<K: Encode>(
    prefixes: impl IntoIterator<Item = K>,
    max_length: usize,
    out: &mut Vec<u8>,
) -> u32 {
    match K::FAMILY {
        Carried::Ipv4 => pack(
            prefixes,
            max_length.saturating_sub(FIXED),
            out,
            |out| {
                put_header(out, 0, Type::Update);
                out.extend_from_slice(&[0, 0]);
            },
            |out, start, nlri| {
                set_u16(out, start + HEADER_LENGTH, nlri);
                out.extend_from_slice(&[0, 0]);
                finish(out, start);
            },
        ),
        Carried::Ipv6 => pack(
            prefixes,
            max_length.saturating_sub(FIXED + MP_HEADER + MP_FAMILY),
            out,
            |out| {
                put_header(out, 0, Type::Update);
                out.extend_from_slice(&[0; 4]);
                out.extend_from_slice(&[flag::OPTIONAL | flag::EXTENDED, number::MP_UNREACH, 0, 0]);
                put_family(out, K::FAMILY.family());
            },
            |out, start, nlri| {
                set_u16(out, start + FIXED - 2, MP_HEADER + MP_FAMILY + nlri);
                set_u16(out, start + FIXED + 2, MP_FAMILY + nlri);
                finish(out, start);
            },
        ),
    }
}

/// Appends the End-of-RIB marker of a family (RFC 4724 section 2).
pub fn end_of_rib(family: Carried, out: &mut Vec<u8>) {
    let start = out.len();
    put_header(out, 0, Type::Update);
    match family {
        Carried::Ipv4 => out.extend_from_slice(&[0; 4]),
        Carried::Ipv6 => {
            out.extend_from_slice(&[0, 0, 0, 6, flag::OPTIONAL, number::MP_UNREACH, 3]);
            put_family(out, family.family());
        }
    }
    finish(out, start);
}

/// Fills messages with at most `room` octets of prefixes each. `begin` writes what comes before
/// the prefixes; `end` gets where the message starts and how many octets of prefixes it has.
fn pack<K: Encode>(
    prefixes: impl IntoIterator<Item = K>,
    room: usize,
    out: &mut Vec<u8>,
    begin: impl Fn(&mut Vec<u8>),
    end: impl Fn(&mut Vec<u8>, usize, usize),
) -> u32 {
    let mut messages = 0;
    // Where the open message and its prefixes start.
    let mut open: Option<(usize, usize)> = None;
    for prefix in prefixes {
        let before = out.len();
        if let Some((start, nlri)) = open {
            prefix.put(out);
            if out.len() - nlri <= room {
                continue;
            }
            out.truncate(before);
            end(out, start, before - nlri);
        }
        let start = out.len();
        begin(out);
        open = Some((start, out.len()));
        prefix.put(out);
        messages += 1;
    }
    if let Some((start, nlri)) = open {
        let length = out.len() - nlri;
        end(out, start, length);
    }
    messages
}

/// Writes the length of the message that starts at `start` and ends here.
fn finish(out: &mut [u8], start: usize) {
    let length = out.len() - start;
    debug_assert!(length <= MAX_LENGTH_EXTENDED, "a message of {length} octets");
    set_u16(out, start + 16, length);
}

fn set_u16(out: &mut [u8], at: usize, value: usize) {
    let value = u16::try_from(value).unwrap_or(u16::MAX);
    if let Some(place) = out.get_mut(at..).and_then(|tail| tail.first_chunk_mut::<2>()) {
        *place = value.to_be_bytes();
    }
}

/// Calls `each` for every prefix that a run of our own UPDATEs announces or withdraws.
pub fn prefixes_of(mut messages: &[u8], each: &mut dyn FnMut(Prefix)) {
    while let Framed::Message(frame) = next(messages, true) {
        messages = messages.get(frame.length()..).unwrap_or(&[]);
        if frame.kind == Type::Update {
            let _ = prefixes_of_update(frame.body, each);
        }
    }
}

fn prefixes_of_update(body: &[u8], each: &mut dyn FnMut(Prefix)) -> Option<()> {
    let (length, rest) = body.split_first_chunk::<2>()?;
    let (withdrawn, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
    let (length, rest) = rest.split_first_chunk::<2>()?;
    let (mut block, announced) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
    for bytes in [withdrawn, announced] {
        tell(Nlri::new(bytes, Carried::Ipv4)?, each);
    }
    while let Some(attribute) = take_first(&mut block) {
        let nlri = match attribute.number {
            number::MP_UNREACH => attribute.value.get(MP_FAMILY..)?,
            number::MP_REACH => {
                let next_hop = usize::from(*attribute.value.get(MP_FAMILY)?);
                attribute.value.get(MP_FAMILY + next_hop + 2..)?
            }
            _ => continue,
        };
        let (afi, _) = attribute.value.split_first_chunk::<2>()?;
        let family = Family::new(u16::from_be_bytes(*afi), 1).carried()?;
        tell(Nlri::new(nlri, family)?, each);
    }
    Some(())
}

fn tell(nlri: Nlri<'_>, each: &mut dyn FnMut(Prefix)) {
    nlri.ipv4().map(Prefix4::into).for_each(&mut *each);
    nlri.ipv6().map(Prefix6::into).for_each(&mut *each);
}

#[cfg(test)]
mod tests;

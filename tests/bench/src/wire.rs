//! The part of BGP-4 on the wire that the harness needs: OPEN, KEEPALIVE,
//! UPDATE (IPv4 in the classic fields, IPv6 in MP_REACH/MP_UNREACH), 4-byte AS.

use std::net::{Ipv4Addr, Ipv6Addr};

pub const OPEN: u8 = 1;
pub const UPDATE: u8 = 2;
pub const NOTIFICATION: u8 = 3;
pub const KEEPALIVE: u8 = 4;
pub const ROUTE_REFRESH: u8 = 5;
pub const HEADER: usize = 19;
pub const MAX_MSG: usize = 4096;

/// A prefix of either family; IPv4 lives in the top 32 bits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Net {
    pub bits: u128,
    pub len: u8,
    pub v6: bool,
}

impl Net {
    pub fn v4(addr: u32, len: u8) -> Net {
        Net { bits: (addr as u128) << 96, len, v6: false }
    }

    pub fn v6(bits: u128, len: u8) -> Net {
        Net { bits, len, v6: true }
    }

    fn put(&self, out: &mut Vec<u8>) {
        out.push(self.len);
        out.extend_from_slice(&self.bits.to_be_bytes()[..(self.len as usize).div_ceil(8)]);
    }
}

/// Path attributes as a feeder announces them; `path` starts with its own AS.
#[derive(Clone, Debug, Default)]
pub struct Attrs {
    pub origin: u8,
    pub path: Vec<u32>,
    pub med: Option<u32>,
    pub atomic: bool,
    pub comms: Vec<u32>,
    pub large: Vec<[u32; 3]>,
}

/// Starts a message and returns the offset of its header.
fn begin(out: &mut Vec<u8>, kind: u8) -> usize {
    let at = out.len();
    out.extend_from_slice(&[0xff; 16]);
    out.extend_from_slice(&[0, 0, kind]);
    at
}

fn finish(out: &mut [u8], at: usize) {
    let len = (out.len() - at) as u16;
    assert!(len as usize <= MAX_MSG);
    out[at + 16..at + 18].copy_from_slice(&len.to_be_bytes());
}

pub fn keepalive() -> Vec<u8> {
    let mut out = Vec::new();
    let at = begin(&mut out, KEEPALIVE);
    finish(&mut out, at);
    out
}

pub fn open(asn: u32, hold: u16, id: Ipv4Addr, v6: bool) -> Vec<u8> {
    let mut caps = vec![1, 4, 0, 1, 0, 1, 2, 0];
    if v6 {
        caps.extend_from_slice(&[1, 4, 0, 2, 0, 1]);
    }
    caps.extend_from_slice(&[65, 4]);
    caps.extend_from_slice(&asn.to_be_bytes());
    let mut out = Vec::new();
    let at = begin(&mut out, OPEN);
    out.push(4);
    out.extend_from_slice(&u16::try_from(asn).unwrap_or(23456).to_be_bytes());
    out.extend_from_slice(&hold.to_be_bytes());
    out.extend_from_slice(&id.octets());
    out.extend_from_slice(&[caps.len() as u8 + 2, 2, caps.len() as u8]);
    out.extend_from_slice(&caps);
    finish(&mut out, at);
    out
}

fn attr(out: &mut Vec<u8>, flags: u8, kind: u8, body: &[u8]) {
    if body.len() > 255 {
        out.extend_from_slice(&[flags | 0x10, kind]);
        out.extend_from_slice(&(body.len() as u16).to_be_bytes());
    } else {
        out.extend_from_slice(&[flags, kind, body.len() as u8]);
    }
    out.extend_from_slice(body);
}

/// Appends the UPDATEs that announce `nets` (one family) with one attribute set.
pub fn announce(out: &mut Vec<u8>, a: &Attrs, nh4: Ipv4Addr, nh6: Ipv6Addr, nets: &[Net]) {
    let Some(first) = nets.first() else { return };
    let mut head = Vec::new();
    attr(&mut head, 0x40, 1, &[a.origin]);
    let mut path = vec![2, a.path.len() as u8];
    path.extend(a.path.iter().flat_map(|n| n.to_be_bytes()));
    attr(&mut head, 0x40, 2, &path);
    if !first.v6 {
        attr(&mut head, 0x40, 3, &nh4.octets());
    }
    if let Some(med) = a.med {
        attr(&mut head, 0x80, 4, &med.to_be_bytes());
    }
    if a.atomic {
        attr(&mut head, 0x40, 6, &[]);
    }
    if !a.comms.is_empty() {
        let b: Vec<u8> = a.comms.iter().flat_map(|c| c.to_be_bytes()).collect();
        attr(&mut head, 0xc0, 8, &b);
    }
    let mut tail = Vec::new();
    if !a.large.is_empty() {
        let b: Vec<u8> = a.large.iter().flatten().flat_map(|c| c.to_be_bytes()).collect();
        attr(&mut tail, 0xc0, 32, &b);
    }
    let room = MAX_MSG - HEADER - 4 - 32 - head.len() - tail.len();
    for chunk in nets.chunks(room / if first.v6 { 17 } else { 5 }) {
        let at = begin(out, UPDATE);
        out.extend_from_slice(&[0, 0]);
        let attrs_at = out.len();
        out.extend_from_slice(&[0, 0]);
        out.extend_from_slice(&head);
        if first.v6 {
            let mut mp = vec![0, 2, 1, 16];
            mp.extend_from_slice(&nh6.octets());
            mp.push(0);
            chunk.iter().for_each(|n| n.put(&mut mp));
            attr(out, 0x80, 14, &mp);
        }
        out.extend_from_slice(&tail);
        let len = (out.len() - attrs_at - 2) as u16;
        out[attrs_at..attrs_at + 2].copy_from_slice(&len.to_be_bytes());
        if !first.v6 {
            chunk.iter().for_each(|n| n.put(out));
        }
        finish(out, at);
    }
}

/// Appends the UPDATEs that withdraw `nets` (one family).
pub fn withdraw(out: &mut Vec<u8>, nets: &[Net]) {
    let Some(first) = nets.first() else { return };
    for chunk in nets.chunks(if first.v6 { 230 } else { 800 }) {
        let at = begin(out, UPDATE);
        let mut body = Vec::new();
        chunk.iter().for_each(|n| n.put(&mut body));
        if first.v6 {
            let mut mp = vec![0, 2, 1];
            mp.extend_from_slice(&body);
            let mut attrs = Vec::new();
            attr(&mut attrs, 0x80, 15, &mp);
            out.extend_from_slice(&[0, 0]);
            out.extend_from_slice(&(attrs.len() as u16).to_be_bytes());
            out.extend_from_slice(&attrs);
        } else {
            out.extend_from_slice(&(body.len() as u16).to_be_bytes());
            out.extend_from_slice(&body);
            out.extend_from_slice(&[0, 0]);
        }
        finish(out, at);
    }
}

pub fn end_of_rib(out: &mut Vec<u8>, v6: bool) {
    let at = begin(out, UPDATE);
    if v6 {
        out.extend_from_slice(&[0, 0, 0, 6, 0x80, 15, 3, 0, 2, 1]);
    } else {
        out.extend_from_slice(&[0, 0, 0, 0]);
    }
    finish(out, at);
}

/// What a receiver looks at in one UPDATE.
#[derive(Default)]
pub struct Update<'a> {
    pub path_len: u8,
    /// Value v of a community MARK_AS:v, the trace a policy leaves.
    pub marker: u8,
    /// Value of a community TRICKLE_AS:seq.
    pub seq: Option<u16>,
    pub announced4: &'a [u8],
    pub withdrawn4: &'a [u8],
    pub announced6: &'a [u8],
    pub withdrawn6: &'a [u8],
    /// All attributes, as they came.
    pub attrs: &'a [u8],
    pub eor: bool,
}

pub const MARK_AS: u16 = 65000;
pub const TRICKLE_AS: u16 = 64000;

fn be16(b: &[u8]) -> usize {
    u16::from_be_bytes([b[0], b[1]]) as usize
}

/// Parses the body of an UPDATE; None when it is malformed.
pub fn parse_update(b: &[u8]) -> Option<Update<'_>> {
    let mut u = Update::default();
    let wlen = be16(b.get(..2)?);
    u.withdrawn4 = b.get(2..2 + wlen)?;
    let alen = be16(b.get(2 + wlen..4 + wlen)?);
    let mut a = b.get(4 + wlen..4 + wlen + alen)?;
    u.announced4 = b.get(4 + wlen + alen..)?;
    u.attrs = a;
    u.eor = wlen == 0 && alen == 0 && u.announced4.is_empty();
    while !a.is_empty() {
        let (kind, body) = next_attribute(&mut a)?;
        match kind {
            2 => {
                let mut p = body;
                while p.len() >= 2 {
                    let n = p[1] as usize;
                    u.path_len += if p[0] == 2 { n as u8 } else { 1 };
                    p = p.get(2 + 4 * n..)?;
                }
            }
            8 => {
                for c in body.chunks_exact(4) {
                    match be16(c) as u16 {
                        MARK_AS => u.marker = c[3],
                        TRICKLE_AS => u.seq = Some(be16(&c[2..]) as u16),
                        _ => {}
                    }
                }
            }
            14 if body.starts_with(&[0, 2, 1]) => {
                u.announced6 = body.get(5 + *body.get(3)? as usize..)?;
            }
            15 if body.starts_with(&[0, 2, 1]) => {
                u.withdrawn6 = &body[3..];
                u.eor = body.len() == 3;
            }
            _ => {}
        }
    }
    Some(u)
}

/// Takes a path attribute off: its type and value. None when it is malformed.
fn next_attribute<'a>(attributes: &mut &'a [u8]) -> Option<(u8, &'a [u8])> {
    let a = *attributes;
    let (flags, kind) = (*a.first()?, *a.get(1)?);
    let (len, skip) =
        if flags & 0x10 != 0 { (be16(a.get(2..4)?), 4) } else { (*a.get(2)? as usize, 3) };
    let body = a.get(skip..skip + len)?;
    *attributes = &a[skip + len..];
    Some((kind, body))
}

/// A number for what attributes say: neither their order nor that of communities matters, nor their flags.
pub fn digest(mut a: &[u8]) -> Option<u64> {
    let mut sum = 0u64;
    while !a.is_empty() {
        let (kind, body) = next_attribute(&mut a)?;
        let of = |part: &[u8]| hash(kind as u64, part);
        let items = match kind {
            8 => 4,
            16 => 8,
            32 => 12,
            _ => body.len().max(1),
        };
        sum = body.chunks(items).map(of).fold(sum.wrapping_add(of(&[])), u64::wrapping_add);
    }
    Some(sum)
}

/// FNV-1a, mixed at the end so that sums of it mean something.
fn hash(seed: u64, bytes: &[u8]) -> u64 {
    let step = |h: u64, b: &u8| (h ^ *b as u64).wrapping_mul(0x0000_0100_0000_01b3);
    let h = bytes.iter().fold(seed ^ 0xcbf2_9ce4_8422_2325, step);
    (h ^ h >> 32).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// Walks an NLRI field.
pub fn each_net(mut b: &[u8], v6: bool, mut f: impl FnMut(Net)) -> Option<()> {
    while let Some(&len) = b.first() {
        let n = (len as usize).div_ceil(8);
        let body = b.get(1..1 + n)?;
        let mut bits = [0u8; 16];
        bits.get_mut(..n)?.copy_from_slice(body);
        f(Net { bits: u128::from_be_bytes(bits), len, v6 });
        b = &b[1 + n..];
    }
    Some(())
}

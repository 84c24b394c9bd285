//! Route tables: a seeded, DFZ-like universe of prefixes in groups that share
//! one attribute set, or the same read from an MRT TABLE_DUMP_V2 file.

use crate::wire::{self, Attrs, Net};
use anyhow::{Context, Result, bail};
use std::collections::{HashMap, HashSet};
use std::net::{Ipv4Addr, Ipv6Addr};
use std::ops::Range;

/// SplitMix64: small, seedable and the same everywhere.
pub struct Rng(u64);

impl Rng {
    pub fn new(seed: u64) -> Rng {
        Rng(seed)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Uniform in [0, n).
    pub fn below(&mut self, n: u64) -> u64 {
        ((self.next() as u128 * n as u128) >> 64) as u64
    }

    /// Picks a value by weight.
    fn pick<T: Copy>(&mut self, table: &[(u32, T)]) -> T {
        let total: u32 = table.iter().map(|t| t.0).sum();
        let mut x = self.below(total as u64) as u32;
        for &(w, v) in table {
            if x < w {
                return v;
            }
            x -= w;
        }
        unreachable!()
    }
}

/// IPv4 prefix lengths in the DFZ, in tenths of a percent (2025 reports).
const LEN4: [(u32, u8); 14] = [
    (600, 24),
    (100, 23),
    (108, 22),
    (52, 21),
    (45, 20),
    (27, 19),
    (15, 18),
    (9, 17),
    (14, 16),
    (3, 15),
    (2, 14),
    (1, 13),
    (1, 12),
    (1, 11),
];
const LEN6: [(u32, u8); 8] =
    [(480, 48), (110, 44), (80, 40), (60, 36), (110, 32), (40, 46), (40, 47), (30, 29)];

/// Prefixes with dense ids; groups are id ranges that share attributes.
pub struct Universe {
    pub nets: Vec<Net>,
    pub groups: Vec<Range<u32>>,
    /// Attributes per group when they come from a file; else they are drawn.
    attrs: Vec<Attrs>,
    seed: u64,
    /// Without ATOMIC_AGGREGATE, on which one daemon resets the session.
    pub plain: bool,
    /// What a scenario changes of the attributes that were drawn for a group.
    pub dress: Option<fn(&mut Attrs, &mut Rng)>,
}

impl Universe {
    /// Draws parts of so many prefixes each, IPv4 or IPv6; no group spans two.
    pub fn generate(seed: u64, parts: &[(usize, bool)]) -> Universe {
        let mut u = Universe {
            nets: vec![],
            groups: vec![],
            attrs: vec![],
            seed,
            plain: false,
            dress: None,
        };
        let mut rng = Rng::new(seed);
        let mut seen = HashSet::with_capacity(parts.iter().map(|p| p.0).sum());
        for &(n, v6) in parts {
            u.extend(&mut rng, &mut seen, n, v6);
        }
        u
    }

    fn extend(&mut self, rng: &mut Rng, seen: &mut HashSet<Net>, n: usize, v6: bool) {
        let end = self.nets.len() + n;
        while self.nets.len() < end {
            let size = match rng.below(10) {
                0..4 => 1 + rng.below(2),
                4..7 => 3 + rng.below(4),
                7..9 => 7 + rng.below(9),
                _ => 16 + rng.below(45),
            };
            let start = self.nets.len();
            // Half of a group's prefixes are neighbours, as allocations are.
            let mut last: Option<Net> = None;
            while self.nets.len() < (start + size as usize).min(end) {
                let net = match last {
                    Some(p) if rng.below(2) == 0 => {
                        Net { bits: p.bits.wrapping_add(1 << (128 - p.len as u32)), ..p }
                    }
                    _ if v6 => {
                        let len = rng.pick(&LEN6);
                        let top = (0x2000u128 << 112) | ((rng.next() as u128) << 64 >> 3);
                        Net::v6(top & mask(len), len)
                    }
                    _ => {
                        let len = rng.pick(&LEN4);
                        Net::v4(rng.next() as u32 & (mask(len) >> 96) as u32, len)
                    }
                };
                last = Some(net);
                if public(&net) && seen.insert(net) {
                    self.nets.push(net);
                } else {
                    last = None;
                }
            }
            self.groups.push(start as u32..self.nets.len() as u32);
        }
    }

    /// Reads the first path of each prefix in an uncompressed MRT table dump.
    pub fn from_mrt(file: &str, limit: usize) -> Result<Universe> {
        let data = std::fs::read(file).with_context(|| format!("cannot read {file}"))?;
        let mut by_attrs: HashMap<Vec<u8>, Vec<Net>> = HashMap::new();
        let (mut at, mut count) = (0, 0);
        while let Some(h) = data.get(at..at + 12) {
            let len = u32::from_be_bytes(h[8..12].try_into()?) as usize;
            let kind = (h[4..6].try_into().map(u16::from_be_bytes)?, h[7]);
            let body = data.get(at + 12..at + 12 + len).context("truncated MRT record")?;
            at += 12 + len;
            if kind.0 != 13 || !(kind.1 == 2 || kind.1 == 4) || count >= limit {
                continue;
            }
            let bytes = (body[4] as usize).div_ceil(8);
            let mut net = None;
            wire::each_net(&body[4..5 + bytes], kind.1 == 4, |n| net = Some(n));
            let e = &body[5 + bytes..];
            let alen = u16::from_be_bytes(e[8..10].try_into()?) as usize;
            if let Some(net) = net {
                // The family keeps IPv4 and IPv6 groups apart.
                let mut key = e[10..10 + alen].to_vec();
                key.push(kind.1);
                by_attrs.entry(key).or_default().push(net);
                count += 1;
            }
        }
        if by_attrs.is_empty() {
            bail!("{file}: no TABLE_DUMP_V2 unicast routes");
        }
        let mut u = Universe::generate(1, &[]);
        let mut sets: Vec<_> = by_attrs.into_iter().collect();
        sets.sort();
        for (raw, nets) in sets {
            let start = u.nets.len() as u32;
            u.nets.extend(nets);
            u.groups.push(start..u.nets.len() as u32);
            u.attrs.push(mrt_attrs(&raw[..raw.len() - 1]));
        }
        Ok(u)
    }

    /// The attributes that `feeder` (with AS `asn`) gives to a group. The
    /// origin AS belongs to the group; the rest differs between feeders.
    pub fn attrs(&self, feeder: usize, asn: u32, group: usize) -> Attrs {
        if let Some(a) = self.attrs.get(group) {
            let mut a = a.clone();
            a.path.insert(0, asn);
            return a;
        }
        let origin_as = any_as(&mut Rng::new(self.seed ^ (group as u64) << 20));
        let mut rng = Rng::new(self.seed ^ (group as u64) << 20 ^ ((feeder as u64 + 1) << 48));
        let len = rng.pick(&[(8, 2), (30, 3), (34, 4), (18, 5), (10, 6)]);
        let mut path = vec![asn];
        while path.len() < len - 1 {
            let again = path.len() > 1 && rng.below(12) == 0;
            path.push(if again { path[path.len() - 1] } else { any_as(&mut rng) });
        }
        path.push(origin_as);
        let comms = rng.pick(&[(20, 0u64), (30, 3), (30, 6), (15, 9), (5, 12)]);
        let large = rng.pick(&[(85, 0u64), (10, 1), (5, 3)]);
        let mut a = Attrs {
            origin: rng.pick(&[(90, 0), (1, 1), (9, 2)]),
            path,
            med: (rng.below(10) < 3).then(|| rng.below(500) as u32),
            atomic: rng.below(50) == 0 && !self.plain,
            comms: (0..comms)
                .map(|_| ((1000 + rng.below(59000)) << 16 | rng.below(65536)) as u32)
                .collect(),
            large: (0..large)
                .map(|_| [any_as(&mut rng), rng.below(1000) as u32, rng.below(65536) as u32])
                .collect(),
        };
        if let Some(dress) = self.dress {
            dress(&mut a, &mut rng);
        }
        a.comms.sort();
        a.comms.dedup();
        a.large.sort();
        a
    }

    pub fn group_nets(&self, g: usize) -> &[Net] {
        let r = &self.groups[g];
        &self.nets[r.start as usize..r.end as usize]
    }

    /// All UPDATEs, then the End-of-RIBs, that announce `groups` from a feeder.
    pub fn encode(&self, who: &Source, groups: &[usize]) -> Vec<u8> {
        let mut out = Vec::new();
        for &g in groups {
            let a = self.attrs(who.feeder, who.asn, g);
            wire::announce(&mut out, &a, who.nh4, who.nh6, self.group_nets(g));
        }
        wire::end_of_rib(&mut out, false);
        if who.v6 {
            wire::end_of_rib(&mut out, true);
        }
        out
    }

    /// As `encode`, but no two prefixes share a set: each has a community of its own.
    pub fn encode_each(&self, who: &Source, groups: &[usize]) -> Vec<u8> {
        let mut out = Vec::new();
        for &g in groups {
            let a = self.attrs(who.feeder, who.asn, g);
            for (id, net) in self.groups[g].clone().zip(self.group_nets(g)) {
                let mut own = a.clone();
                own.comms.push((OWN_AS << 16) + id);
                own.comms.sort();
                wire::announce(&mut out, &own, who.nh4, who.nh6, &[*net]);
            }
        }
        wire::end_of_rib(&mut out, false);
        out
    }

    pub fn encode_withdraw(&self, groups: &[usize]) -> Vec<u8> {
        let (v6, v4): (Vec<Net>, Vec<Net>) =
            groups.iter().flat_map(|&g| self.group_nets(g)).partition(|n| n.v6);
        let mut out = Vec::new();
        wire::withdraw(&mut out, &v4);
        wire::withdraw(&mut out, &v6);
        out
    }
}

/// First half of the communities that tell prefixes apart; 64 of them are enough for four million.
const OWN_AS: u32 = 62_000;

/// Who announces: the identity that goes into the attributes.
pub struct Source {
    pub feeder: usize,
    pub asn: u32,
    pub nh4: Ipv4Addr,
    pub nh6: Ipv6Addr,
    pub v6: bool,
}

fn mask(len: u8) -> u128 {
    u128::MAX << (128 - len as u32)
}

fn public(n: &Net) -> bool {
    if n.v6 {
        return n.bits >> 125 == 1 && n.bits >> 96 != 0x2001_0db8 && n.bits >> 112 != 0x2002;
    }
    let a = (n.bits >> 96) as u32;
    let top = a >> 24;
    (1..224).contains(&top)
        && top != 10
        && top != 127
        && a >> 22 != 0x6440_0000 >> 22
        && a >> 16 != 0xa9fe
        && a >> 20 != 0xac1
        && a >> 16 != 0xc0a8
        && a >> 8 != 0xc0_0002
}

/// A public AS number, every fifth of four bytes; never one of the harness.
pub fn any_as(rng: &mut Rng) -> u32 {
    if rng.below(5) == 0 {
        131_072 + rng.below(270_000) as u32
    } else {
        match 1000 + rng.below(62_000) as u32 {
            23456 => 23457,
            n => n,
        }
    }
}

/// Keeps of a dump's attributes what `Attrs` can say.
fn mrt_attrs(mut raw: &[u8]) -> Attrs {
    let mut a = Attrs::default();
    while raw.len() >= 3 {
        let (len, skip) = if raw[0] & 0x10 != 0 && raw.len() >= 4 {
            (u16::from_be_bytes([raw[2], raw[3]]) as usize, 4)
        } else {
            (raw[2] as usize, 3)
        };
        let Some(body) = raw.get(skip..skip + len) else {
            break;
        };
        let words: Vec<u32> =
            body.chunks_exact(4).map(|w| u32::from_be_bytes(w.try_into().unwrap())).collect();
        match raw[1] {
            1 => a.origin = body.first().copied().unwrap_or(0),
            2 => {
                let mut p = body;
                while p.len() >= 2 && p.len() >= 2 + 4 * p[1] as usize {
                    let n = p[1] as usize;
                    let seg = p[2..2 + 4 * n].chunks_exact(4);
                    a.path.extend(seg.map(|w| u32::from_be_bytes(w.try_into().unwrap())));
                    p = &p[2 + 4 * n..];
                }
                a.path.truncate(25);
            }
            4 => a.med = words.first().copied(),
            6 => a.atomic = true,
            8 => a.comms = words.into_iter().filter(|c| c >> 16 < 60000).collect(),
            32 => a.large = words.chunks_exact(3).map(|w| [w[0], w[1], w[2]]).collect(),
            _ => {}
        }
        raw = &raw[skip + len..];
    }
    a
}

/// Prefix to id. IPv4 in open addressing, as receivers look up every prefix.
pub struct Index {
    slots: Vec<(u64, u32)>,
    shift: u32,
    six: HashMap<(u128, u8), u32>,
}

impl Index {
    pub fn new(nets: &[Net]) -> Index {
        let size = (nets.len() * 2 + 16).next_power_of_two();
        let shift = 64 - size.trailing_zeros();
        let mut ix = Index { slots: vec![(0, 0); size], shift, six: HashMap::new() };
        for (id, n) in nets.iter().enumerate() {
            if n.v6 {
                ix.six.insert((n.bits, n.len), id as u32);
            } else {
                let key = Index::key(n);
                let at = ix.probe(key);
                ix.slots[at] = (key, id as u32);
            }
        }
        ix
    }

    fn key(n: &Net) -> u64 {
        ((n.bits >> 96) as u64) << 8 | n.len as u64 | 1 << 48
    }

    fn probe(&self, key: u64) -> usize {
        let mut at = (key.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> self.shift) as usize;
        while self.slots[at].0 != 0 && self.slots[at].0 != key {
            at = (at + 1) & (self.slots.len() - 1);
        }
        at
    }

    pub fn get(&self, n: &Net) -> Option<u32> {
        if n.v6 {
            return self.six.get(&(n.bits, n.len)).copied();
        }
        let slot = self.slots[self.probe(Index::key(n))];
        (slot.0 != 0).then_some(slot.1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source() -> Source {
        let nh6 = "fd99::1:0".parse().unwrap();
        Source { feeder: 0, asn: 64520, nh4: Ipv4Addr::new(10, 99, 128, 1), nh6, v6: true }
    }

    /// Splits a stream of messages into the bodies of its UPDATEs.
    fn updates(stream: &[u8]) -> Vec<&[u8]> {
        let (mut at, mut out) = (0, Vec::new());
        while at < stream.len() {
            let len = u16::from_be_bytes([stream[at + 16], stream[at + 17]]) as usize;
            assert_eq!(stream[at + 18], wire::UPDATE);
            out.push(&stream[at + wire::HEADER..at + len]);
            at += len;
        }
        out
    }

    #[test]
    fn what_is_encoded_is_parsed_back() {
        let u = Universe::generate(7, &[(3000, false), (500, true)]);
        let groups: Vec<usize> = (0..u.groups.len()).collect();
        let stream = u.encode(&source(), &groups);
        let index = Index::new(&u.nets);
        let mut seen = vec![0; u.nets.len()];
        let mut eors = 0;
        for body in updates(&stream) {
            let up = wire::parse_update(body).unwrap();
            eors += up.eor as u32;
            for (nlri, v6) in [(up.announced4, false), (up.announced6, true)] {
                wire::each_net(nlri, v6, |n| {
                    assert!((2..=6).contains(&up.path_len));
                    seen[index.get(&n).unwrap() as usize] += 1;
                })
                .unwrap();
            }
        }
        assert!(seen.iter().all(|&n| n == 1));
        assert_eq!(eors, 2);

        let gone = u.encode_withdraw(&groups);
        let mut n = 0;
        for body in updates(&gone) {
            let up = wire::parse_update(body).unwrap();
            wire::each_net(up.withdrawn4, false, |_| n += 1).unwrap();
            wire::each_net(up.withdrawn6, true, |_| n += 1).unwrap();
        }
        assert_eq!(n, u.nets.len());
    }

    #[test]
    fn a_table_dump_is_read() {
        // ORIGIN, AS_PATH 65001 65002, NEXT_HOP; two prefixes with the same.
        let attrs = [
            0x40, 1, 1, 0, 0x40, 2, 10, 2, 2, 0, 0, 0xfd, 0xe9, 0, 0, 0xfd, 0xea, 0x40, 3, 4, 1, 2,
            3, 4,
        ];
        let mut dump = Vec::new();
        for third in [2, 3] {
            let mut body = vec![0, 0, 0, 0, 24, 20, 1, third, 0, 1, 0, 0, 0, 0, 0, 0];
            body.extend([0, attrs.len() as u8]);
            body.extend(attrs);
            dump.extend([0, 0, 0, 0, 0, 13, 0, 2, 0, 0, 0, body.len() as u8]);
            dump.extend(body);
        }
        let file = std::env::temp_dir().join(format!("bgpload-test-{}.mrt", std::process::id()));
        std::fs::write(&file, dump).unwrap();
        let u = Universe::from_mrt(file.to_str().unwrap(), 10).unwrap();
        std::fs::remove_file(file).unwrap();
        assert_eq!(u.nets, [Net::v4(0x1401_0200, 24), Net::v4(0x1401_0300, 24)]);
        assert_eq!(u.groups, std::slice::from_ref(&(0..2)));
        assert_eq!(u.attrs(0, 64520, 0).path, [64520, 65001, 65002]);
    }

    #[test]
    fn a_seed_gives_one_table() {
        let a = Universe::generate(1, &[(5000, false)]).encode(&source(), &[0, 1, 2, 3]);
        let b = Universe::generate(1, &[(5000, false)]).encode(&source(), &[0, 1, 2, 3]);
        assert_eq!(a, b);
    }

    #[test]
    fn the_table_looks_like_the_dfz() {
        let u = Universe::generate(1, &[(50_000, false)]);
        let longest = u.nets.iter().filter(|n| n.len == 24).count();
        assert!((25_000..40_000).contains(&longest), "{longest} of /24");
        let per_group = u.nets.len() as f64 / u.groups.len() as f64;
        assert!((5.0..10.0).contains(&per_group), "{per_group} a group");
        let unique: HashSet<Net> = u.nets.iter().copied().collect();
        assert_eq!(unique.len(), u.nets.len());
    }
}

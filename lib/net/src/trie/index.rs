//! A prefix set that is complete, laid out for asking.
//!
//! Which lengths a set accepts changes along the line of addresses only where one of its prefixes
//! begins or ends. So between two such places one word says what is accepted of nets that begin
//! there: a question is a search for the place, in a part that the leading bits of the address lead to.

use super::{Bits, PrefixSet};
use crate::prefix::Prefix;

/// The most leading bits that lead to a part: 65,536 parts.
const MAX_BITS: u8 = 16;

/// See the module. It answers as the set does that it was made of.
#[derive(Clone, Debug)]
pub struct PrefixIndex {
    v4: Line<u32>,
    v6: Line<u128>,
}

impl PrefixIndex {
    /// The index of a set.
    pub fn of(set: &PrefixSet) -> Self {
        let (v4, v6) = set.ranges();
        Self { v4: Line::new(v4), v6: Line::new(v6) }
    }

    /// Some pattern takes the prefix.
    #[inline]
    pub fn contains(&self, prefix: Prefix) -> bool {
        match prefix {
            Prefix::V4(prefix) => self.v4.contains(prefix.bits(), prefix.len()),
            Prefix::V6(prefix) => self.v6.contains(prefix.bits(), prefix.len()),
        }
    }

    /// Bytes in use.
    pub fn memory(&self) -> usize {
        self.v4.memory() + self.v6.memory()
    }
}

/// The nets of these lengths that are in the net of a length at an address: bit `len - 1` from the
/// top for each length.
pub(super) type Accepted<B> = (B, u8, B);

/// What is accepted of one family, first whether the net of length 0 is.
pub(super) type Family<B> = (bool, Vec<Accepted<B>>);

/// The addresses of one family.
#[derive(Clone, Debug)]
struct Line<B> {
    /// Where what is accepted changes, ascending. The first is zero.
    starts: Box<[B]>,
    /// What is accepted from there on.
    lengths: Box<[B]>,
    /// All starts but the first agree in this many bits.
    skip: u8,
    /// So many bits after those lead to a part.
    bits: u8,
    /// Of each part the place of the start that holds its first address; then the last place.
    parts: Box<[u32]>,
    /// The net of length 0 is accepted.
    zero: bool,
}

impl<B: Bits> Line<B> {
    fn new((zero, mut accepted): Family<B>) -> Self {
        // Outer nets first.
        accepted.sort_unstable_by_key(|(addr, len, _)| (*addr, *len));
        let (mut starts, mut lengths) = (vec![B::default()], vec![B::default()]);
        let mut tell = |start: B, accepted: B| match (starts.last(), lengths.last_mut()) {
            (Some(last), Some(known)) if *last == start => *known = accepted,
            (_, Some(known)) if *known == accepted => {}
            _ => {
                starts.push(start);
                lengths.push(accepted);
            }
        };
        // The nets that are open, with their last addresses and what they accept all together.
        let mut open: Vec<(B, B)> = Vec::new();
        let top = |open: &[(B, B)]| open.last().map_or(B::default(), |(_, accepted)| *accepted);
        for (addr, len, own) in accepted {
            while let Some((last, _)) = open.pop_if(|(last, _)| *last < addr) {
                if let Some(next) = last.after() {
                    tell(next, top(&open));
                }
            }
            let all = top(&open).or(own);
            open.push((addr.or(B::mask(len).not()), all));
            tell(addr, all);
        }
        while let Some((last, _)) = open.pop() {
            if let Some(next) = last.after() {
                tell(next, top(&open));
            }
        }
        Self::indexed(zero, starts, lengths)
    }

    fn indexed(zero: bool, starts: Vec<B>, lengths: Vec<B>) -> Self {
        let (skip, bits, parts) = match (starts.get(1), starts.last()) {
            (Some(low), Some(high)) => {
                let skip = low.common(*high).min(B::MAX - 1);
                let wanted = starts.len().ilog2() as u8;
                let bits = wanted.clamp(1, MAX_BITS).min(B::MAX - skip);
                (skip, bits, parts(&starts, skip, bits))
            }
            _ => (0, 1, Vec::new()),
        };
        Self {
            starts: starts.into(),
            lengths: lengths.into(),
            skip,
            bits,
            parts: parts.into(),
            zero,
        }
    }

    #[inline]
    fn contains(&self, addr: B, len: u8) -> bool {
        let Some(bit) = len.checked_sub(1) else { return self.zero };
        let lengths = self.lengths.get(self.place(addr));
        lengths.is_some_and(|lengths| lengths.bit(bit) == 1)
    }

    /// The last start that is not behind an address.
    #[inline]
    fn place(&self, addr: B) -> usize {
        let Some(second) = self.starts.get(1).filter(|second| **second <= addr) else { return 0 };
        if !addr.agrees(*second, self.skip) {
            return self.starts.len() - 1;
        }
        let part = addr.part(self.skip, self.bits);
        let (Some(low), Some(high)) = (self.parts.get(part), self.parts.get(part + 1)) else {
            return 0;
        };
        let (low, high) = (*low as usize, *high as usize);
        let inside = self.starts.get(low + 1..=high).unwrap_or(&[]);
        low + inside.partition_point(|start| *start <= addr)
    }

    fn memory(&self) -> usize {
        (self.starts.len() + self.lengths.len()) * size_of::<B>() + self.parts.len() * 4
    }
}

/// Of each part the place of the start that holds its first address; then the last place.
fn parts<B: Bits>(starts: &[B], skip: u8, bits: u8) -> Vec<u32> {
    let mut parts = Vec::with_capacity((1 << bits) + 1);
    let mut place = 0;
    for part in 0..1_usize << bits {
        // Those of earlier parts, and one that begins just where this part does.
        while let Some(next) = starts.get(place + 1) {
            let of = next.part(skip, bits);
            let begins = of == part && next.and(B::mask(skip + bits)) == *next;
            if of > part || of == part && !begins {
                break;
            }
            place += 1;
        }
        parts.push(place as u32);
    }
    parts.push((starts.len() - 1) as u32);
    parts
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn any_prefix() -> impl Strategy<Value = Prefix> {
        let v4 = prop_oneof![
            (any::<u32>(), 0_u8..=32),
            // Few bits, so that prefixes meet.
            (0_u32..64, 0_u8..=6).prop_map(|(addr, len)| (addr << 26, len)),
            (0_u32..64, 24_u8..=32).prop_map(|(addr, len)| (0x0a01_0000 | addr << 3, len)),
        ];
        let v6 = prop_oneof![
            (any::<u128>(), 0_u8..=128),
            (0_u128..16, 124_u8..=128),
            (0_u128..64, 20_u8..=48).prop_map(|(addr, len)| (0x2001_0db8 << 96 | addr << 80, len)),
        ];
        prop_oneof![
            v4.prop_map(|(addr, len)| u32::prefix(addr & u32::mask(len), len)),
            v6.prop_map(|(addr, len)| u128::prefix(addr & u128::mask(len), len)),
        ]
    }

    /// Nets at, above, below and beside one.
    fn near(prefix: Prefix) -> Vec<Prefix> {
        match prefix {
            Prefix::V4(prefix) => around(prefix.bits(), prefix.len()),
            Prefix::V6(prefix) => around(prefix.bits(), prefix.len()),
        }
    }

    fn around<B: Bits>(addr: B, len: u8) -> Vec<Prefix> {
        let last = addr.or(B::mask(len).not());
        let mut starts = vec![addr, last, B::default(), B::default().not()];
        starts.extend(last.after());
        let lens = [0, len.saturating_sub(1), len, len + 1, len + 2, B::MAX];
        let lens = lens.into_iter().filter(|len| *len <= B::MAX);
        lens.flat_map(|len| starts.iter().map(move |addr| addr.and(B::mask(len)).prefix(len)))
            .collect()
    }

    proptest! {
        #[test]
        fn it_answers_as_the_set_does(
            patterns in proptest::collection::vec((any_prefix(), any::<u8>(), any::<u8>(), 0..4), 0..40),
            asked in proptest::collection::vec(any_prefix(), 0..10),
        ) {
            let mut set = PrefixSet::new();
            let mut all = asked;
            for (prefix, a, b, form) in patterns {
                let most = prefix.max_len() + 1;
                match form {
                    0 => set.add_exact(prefix),
                    1 => set.add_longer(prefix),
                    2 => set.add_shorter(prefix),
                    _ => set.add(prefix, (a % most).min(b % most), (a % most).max(b % most)),
                }
                all.push(prefix);
            }
            let index = PrefixIndex::of(&set);
            for net in all.into_iter().flat_map(near) {
                prop_assert_eq!(index.contains(net), set.contains(net), "{} in {}", net, set);
            }
        }
    }

    #[test]
    fn an_empty_set_has_nothing() {
        let index = PrefixIndex::of(&PrefixSet::new());
        assert!(!index.contains(u32::prefix(0, 0)) && !index.contains(u128::prefix(1, 128)));
    }
}

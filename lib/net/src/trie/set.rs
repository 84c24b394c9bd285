//! Prefix sets with the filter language's patterns.
//!
//! A pattern `P/n{l,h}` takes net N/m if the first min(m, n) bits agree and l <= m <= h. So the
//! accepted nets lie on the path from the root to P (m <= n), or anywhere below P (m > n). A node
//! has one bit per length: bits up to its own length are about the nets on the path between its
//! parent and itself, the others about everything below it.

use core::fmt;
use core::hash::{Hash, Hasher};

use super::index::{Accepted, Family};
use super::{Bits, NONE};
use crate::prefix::Prefix;

/// A set of prefix patterns. Equality and hash are by content: the order of adding does not matter.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct PrefixSet {
    v4: Tree<u32>,
    v6: Tree<u128>,
}

impl PrefixSet {
    /// The empty set.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the pattern `prefix{low,high}`; nothing if no length satisfies it.
    pub fn add(&mut self, prefix: Prefix, low: u8, high: u8) {
        match prefix {
            Prefix::V4(prefix) => self.v4.add(prefix.bits(), prefix.len(), low, high),
            Prefix::V6(prefix) => self.v6.add(prefix.bits(), prefix.len(), low, high),
        }
    }

    /// Adds exactly this prefix: the pattern `P`.
    pub fn add_exact(&mut self, prefix: Prefix) {
        self.add(prefix, prefix.len(), prefix.len());
    }

    /// Adds this prefix and all inside it: the pattern `P+`.
    pub fn add_longer(&mut self, prefix: Prefix) {
        self.add(prefix, prefix.len(), prefix.max_len());
    }

    /// Adds this prefix and all that it is inside of: the pattern `P-`.
    pub fn add_shorter(&mut self, prefix: Prefix) {
        self.add(prefix, 0, prefix.len());
    }

    /// Some pattern takes the prefix.
    #[inline]
    pub fn contains(&self, prefix: Prefix) -> bool {
        match prefix {
            Prefix::V4(prefix) => self.v4.contains(prefix.bits(), prefix.len()),
            Prefix::V6(prefix) => self.v6.contains(prefix.bits(), prefix.len()),
        }
    }

    /// No pattern.
    pub fn is_empty(&self) -> bool {
        self.v4.is_empty() && self.v6.is_empty()
    }

    /// There are IPv4 patterns.
    pub fn has_v4(&self) -> bool {
        !self.v4.is_empty()
    }

    /// There are IPv6 patterns.
    pub fn has_v6(&self) -> bool {
        !self.v6.is_empty()
    }

    /// What the set consists of, by address, shorter before longer, IPv4 before IPv6. The same for
    /// equal sets.
    pub fn iter(&self) -> impl Iterator<Item = SetNode> + '_ {
        self.v4.iter().chain(self.v6.iter())
    }

    /// The same set without the slack of growing; call it when all patterns are in.
    pub fn shrink(&mut self) {
        self.v4.nodes.shrink_to_fit();
        self.v6.nodes.shrink_to_fit();
    }

    /// What is accepted where, by family.
    pub(super) fn ranges(&self) -> (Family<u32>, Family<u128>) {
        ((self.v4.zero, self.v4.ranges()), (self.v6.zero, self.v6.ranges()))
    }

    /// Bytes in use.
    pub fn memory(&self) -> usize {
        self.v4.nodes.capacity() * size_of::<Node<u32>>()
            + self.v6.nodes.capacity() * size_of::<Node<u128>>()
    }
}

/// One node of a set: the nets whose length is accepted, on the way to `prefix` (lengths up to its
/// own, beyond those of the node above) and below it (longer ones).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SetNode {
    /// Where the node is.
    pub prefix: Prefix,
    /// The net of length 0 is accepted. Only in a node for `0.0.0.0/0` or `::/0`.
    pub zero: bool,
    /// Bit `len - 1` from the top: the length is accepted. IPv4 uses the upper 32 bits.
    lengths: u128,
}

impl SetNode {
    /// The length is accepted.
    pub fn accepts(&self, len: u8) -> bool {
        match len.checked_sub(1) {
            Some(shift) => self.lengths.checked_shl(u32::from(shift)).unwrap_or(0) >> 127 == 1,
            None => self.zero,
        }
    }

    /// The accepted lengths in order.
    pub fn lengths(&self) -> impl Iterator<Item = u8> + '_ {
        (0..=self.prefix.max_len()).filter(|len| self.accepts(*len))
    }
}

/// `[10.0.0.0/8{0.1.255.0}, 192.168.0.0/16{0.1.0.0}]`: the accepted lengths as an address.
impl fmt::Display for PrefixSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[")?;
        let mut comma = "";
        for node in self.iter() {
            if node.zero {
                write!(f, "{comma}{}", node.prefix)?;
                comma = ", ";
            }
            if node.lengths != 0 {
                write!(f, "{comma}{}{{", node.prefix)?;
                match node.prefix {
                    Prefix::V4(_) => {
                        write!(f, "{}", u32::prefix((node.lengths >> 96) as u32, 32).addr())?;
                    }
                    Prefix::V6(_) => write!(f, "{}", u128::prefix(node.lengths, 128).addr())?,
                }
                f.write_str("}")?;
                comma = ", ";
            }
        }
        f.write_str("]")
    }
}

/// One family's trie. The node at index 0 is the root with length 0; no nodes if the set is empty.
#[derive(Clone, Debug)]
struct Tree<B> {
    nodes: Vec<Node<B>>,
    /// The net of length 0 is accepted (there is no bit for it in the root).
    zero: bool,
}

#[derive(Clone, Copy, Debug)]
struct Node<B> {
    addr: B,
    /// Bit `m - 1` from the top: length m is accepted.
    lengths: B,
    children: [u32; 2],
    len: u8,
}

impl<B> Default for Tree<B> {
    fn default() -> Self {
        Self { nodes: Vec::new(), zero: false }
    }
}

impl<B: Bits> Tree<B> {
    fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    #[inline]
    fn contains(&self, addr: B, len: u8) -> bool {
        if len == 0 {
            return self.zero;
        }
        let mut next = 0;
        while let Some(node) = self.nodes.get(next as usize) {
            let common = addr.common(node.addr);
            if len <= node.len {
                // On the path to the node, or beside it.
                return common >= len && node.lengths.bit(len - 1) == 1;
            }
            if common < node.len {
                return false;
            }
            if node.lengths.bit(len - 1) == 1 {
                return true;
            }
            next = node.children[addr.bit(node.len)];
        }
        false
    }

    fn add(&mut self, addr: B, len: u8, low: u8, high: u8) {
        let high = high.min(B::MAX);
        if low > high {
            return;
        }
        if self.nodes.is_empty() {
            self.nodes.push(Node {
                addr: B::default(),
                lengths: B::default(),
                children: [NONE; 2],
                len: 0,
            });
        }
        self.zero |= low == 0;
        // Bits of the prefix beyond the longest accepted length mean nothing.
        let len = len.min(high);
        let addr = addr.and(B::mask(len));
        // Length m is bit m - 1, so the lengths low..=high are the bits low-1..high.
        let lengths = B::mask(high).and(B::mask(low.saturating_sub(1)).not());
        let node = self.make(addr, len, lengths);
        // What is accepted at and below the node itself.
        let own = lengths.and(B::mask(self.parent_len(addr, len)).not());
        self.nodes[node].lengths = self.nodes[node].lengths.or(own);
    }

    /// The node for a prefix, made if need be. Nodes above it accept, of the given lengths, those on
    /// their own stretch of the path.
    fn make(&mut self, addr: B, len: u8, lengths: B) -> usize {
        let (mut above, mut at) = (NONE as usize, 0usize);
        loop {
            let node = self.nodes[at];
            let common = addr.common(node.addr).min(len).min(node.len);
            if common < node.len {
                return self.insert_between(above, at, addr, len, common, lengths);
            }
            if node.len == len {
                return at;
            }
            self.accept_stretch(above, at, lengths);
            let side = addr.bit(node.len);
            let child = node.children[side];
            if child == NONE {
                let leaf = self.push(addr, len);
                self.nodes[at].children[side] = leaf;
                return leaf as usize;
            }
            (above, at) = (at, child as usize);
        }
    }

    /// Puts a node at `common` bits between `above` and `at`: the wanted one if the new prefix ends
    /// there, else a fork with the wanted one as its other child.
    fn insert_between(
        &mut self,
        above: usize,
        at: usize,
        addr: B,
        len: u8,
        common: u8,
        lengths: B,
    ) -> usize {
        let old = self.nodes[at];
        let fork = self.push(addr.and(B::mask(common)), common);
        // The stretch of the path that the fork takes over.
        self.nodes[fork as usize].lengths = old.lengths.and(B::mask(common));
        self.nodes[at].lengths = old.lengths.and(B::mask(common).not());
        self.nodes[fork as usize].children[old.addr.bit(common)] = at as u32;
        // The root has length 0 and can't be split, so there is a node above.
        let side = old.addr.bit(self.nodes[above].len);
        self.nodes[above].children[side] = fork;
        if common == len {
            return fork as usize;
        }
        self.accept_stretch(above, fork as usize, lengths);
        let leaf = self.push(addr, len);
        self.nodes[fork as usize].children[addr.bit(common)] = leaf;
        leaf as usize
    }

    /// Accepts those of the lengths that lie after the node above, up to this node.
    fn accept_stretch(&mut self, above: usize, at: usize, lengths: B) {
        let from = self.nodes.get(above).map_or(0, |node| node.len);
        let node = &mut self.nodes[at];
        let stretch = B::mask(node.len).and(B::mask(from).not());
        node.lengths = node.lengths.or(lengths.and(stretch));
    }

    /// The length of the node above the node for a prefix that is in the trie.
    fn parent_len(&self, addr: B, len: u8) -> u8 {
        let (mut parent, mut next) = (0, 0);
        while let Some(node) = self.nodes.get(next as usize).filter(|node| node.len < len) {
            parent = node.len;
            next = node.children[addr.bit(node.len)];
        }
        parent
    }

    fn push(&mut self, addr: B, len: u8) -> u32 {
        let index = self.nodes.len() as u32;
        self.nodes.push(Node { addr, lengths: B::default(), children: [NONE; 2], len });
        index
    }

    /// Nodes that accept something, in order.
    fn iter(&self) -> impl Iterator<Item = SetNode> + '_ {
        self.walk()
            .map(|node| SetNode {
                prefix: node.addr.prefix(node.len),
                zero: node.len == 0 && self.zero,
                lengths: widen(node.lengths),
            })
            .filter(|node| node.zero || node.lengths != 0)
    }

    /// What nodes accept: the nets on the path to each, and those below it.
    fn ranges(&self) -> Vec<Accepted<B>> {
        let mut ranges = Vec::new();
        let mut stack: Vec<(u32, u8)> =
            if self.nodes.is_empty() { Vec::new() } else { vec![(0, 0)] };
        while let Some((at, above)) = stack.pop() {
            let Some(node) = self.nodes.get(at as usize) else { continue };
            for len in above + 1..=node.len {
                if node.lengths.bit(len - 1) == 1 {
                    let only = B::mask(len).and(B::mask(len - 1).not());
                    ranges.push((node.addr.and(B::mask(len)), len, only));
                }
            }
            let below = node.lengths.and(B::mask(node.len).not());
            if below != B::default() {
                ranges.push((node.addr, node.len, below));
            }
            stack.extend(node.children.iter().map(|child| (*child, node.len)));
        }
        ranges
    }

    fn walk(&self) -> Walk<'_, B> {
        Walk { tree: self, stack: if self.nodes.is_empty() { Vec::new() } else { vec![0] } }
    }
}

/// The lengths with the first at the top of 128 bits.
fn widen<B: Bits>(lengths: B) -> u128 {
    match lengths.prefix(B::MAX) {
        Prefix::V4(prefix) => u128::from(prefix.bits()) << 96,
        Prefix::V6(prefix) => prefix.bits(),
    }
}

struct Walk<'a, B> {
    tree: &'a Tree<B>,
    stack: Vec<u32>,
}

impl<'a, B: Bits> Iterator for Walk<'a, B> {
    type Item = &'a Node<B>;

    fn next(&mut self) -> Option<&'a Node<B>> {
        let node = self.tree.nodes.get(self.stack.pop()? as usize)?;
        self.stack.extend(node.children.iter().rev().filter(|child| **child != NONE));
        Some(node)
    }
}

impl<B: Bits> PartialEq for Tree<B> {
    fn eq(&self, other: &Self) -> bool {
        let content = |node: &Node<B>| (node.addr, node.len, node.lengths);
        self.zero == other.zero
            && self.nodes.len() == other.nodes.len()
            && self.walk().map(content).eq(other.walk().map(content))
    }
}

impl<B: Bits> Eq for Tree<B> {}

impl<B: Bits> Hash for Tree<B> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.zero, self.nodes.len()).hash(state);
        for node in self.walk() {
            (node.addr, node.len, node.lengths).hash(state);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::hash::BuildHasher;

    fn prefix(text: &str) -> Prefix {
        text.parse().unwrap()
    }

    fn set(patterns: &[(&str, u8, u8)]) -> PrefixSet {
        let mut set = PrefixSet::new();
        for (text, low, high) in patterns {
            set.add(prefix(text), *low, *high);
        }
        set
    }

    #[test]
    fn the_four_pattern_forms() {
        let mut set = PrefixSet::new();
        set.add_exact(prefix("192.0.2.0/24"));
        set.add_longer(prefix("10.0.0.0/8"));
        set.add_shorter(prefix("172.16.0.0/12"));
        set.add(prefix("198.51.0.0/16"), 20, 24);
        for (text, expected) in [
            ("192.0.2.0/24", true),
            ("192.0.2.0/25", false),
            ("192.0.0.0/16", false),
            ("10.0.0.0/8", true),
            ("10.9.8.7/32", true),
            ("10.0.0.0/7", false),
            ("172.16.0.0/12", true),
            ("172.0.0.0/8", true),
            ("0.0.0.0/0", true),
            ("172.16.0.0/13", false),
            ("172.24.0.0/13", false),
            ("198.51.16.0/20", true),
            ("198.51.16.0/24", true),
            ("198.51.0.0/16", false),
            ("198.51.16.0/25", false),
            ("::/0", false),
        ] {
            assert_eq!(set.contains(prefix(text)), expected, "{text}");
        }
        assert!(set.has_v4() && !set.has_v6());
    }

    #[test]
    fn shown_as_one_bit_per_length() {
        assert_eq!(set(&[("10.0.0.0/8", 16, 24)]).to_string(), "[10.0.0.0/8{0.1.255.0}]");
        assert_eq!(set(&[("10.0.0.0/8", 8, 8)]).to_string(), "[10.0.0.0/8{1.0.0.0}]");
        assert_eq!(set(&[("0.0.0.0/0", 0, 0)]).to_string(), "[0.0.0.0/0]");
        assert_eq!(set(&[]).to_string(), "[]");
        assert_eq!(
            set(&[("2001:db8::/32", 48, 48), ("10.0.0.0/8", 8, 9)]).to_string(),
            "[10.0.0.0/8{1.128.0.0}, 2001:db8::/32{0:0:1::}]"
        );
        let set = set(&[("10.0.0.0/8", 16, 18)]);
        assert_eq!(set.iter().next().unwrap().lengths().collect::<Vec<_>>(), [16, 17, 18]);
    }

    #[test]
    fn impossible_patterns_add_nothing() {
        assert!(set(&[("10.0.0.0/8", 9, 8)]).is_empty());
        assert!(set(&[("10.0.0.0/8", 33, 200)]).is_empty());
        assert!(!set(&[("10.0.0.0/8", 0, 200)]).is_empty());
    }

    #[test]
    fn nodes_are_small() {
        assert_eq!(size_of::<Node<u32>>(), 20);
        assert!(size_of::<Node<u128>>() <= 48);
    }

    type Pattern = (Prefix, u8, u8);

    fn pattern() -> impl Strategy<Value = Pattern> {
        let v4 = (0u32..32, 0u8..=5).prop_map(|(addr, len)| u32::prefix(addr << 27, len));
        let v6 = (0u128..16, 124u8..=128).prop_map(|(addr, len)| u128::prefix(addr, len));
        (prop_oneof![3 => v4, 1 => v6], 0u8..7, 0u8..7).prop_map(|(prefix, low, high)| {
            let base = if prefix.is_v4() { 0 } else { 122 };
            (prefix, base + low.min(high), base + low.max(high))
        })
    }

    fn accepts((prefix, low, high): Pattern, net: Prefix) -> bool {
        let bits = prefix.len().min(net.len());
        prefix.is_v4() == net.is_v4()
            && (low..=high).contains(&net.len())
            && Prefix::new(prefix.addr(), bits) == Prefix::new(net.addr(), bits)
    }

    proptest! {
        #[test]
        fn agrees_with_the_definition(patterns in proptest::collection::vec(pattern(), 0..12)) {
            let mut set = PrefixSet::new();
            for (prefix, low, high) in &patterns {
                set.add(*prefix, *low, *high);
            }
            let v4 = (0u32..128).flat_map(|addr| (0..=7).map(move |len| u32::prefix(addr << 25, len)));
            let v6 = (0u128..16).flat_map(|addr| (120..=128).map(move |len| u128::prefix(addr, len)));
            for net in v4.chain(v6) {
                let expected = patterns.iter().any(|pattern| accepts(*pattern, net));
                prop_assert_eq!(set.contains(net), expected, "{} in {}", net, set);
            }
        }

        #[test]
        fn the_order_of_adding_does_not_matter(mut patterns in proptest::collection::vec(pattern(), 0..12)) {
            use core::hash::BuildHasher as _;
            let build = |patterns: &[Pattern]| {
                let mut set = PrefixSet::new();
                for (prefix, low, high) in patterns {
                    set.add(*prefix, *low, *high);
                }
                set
            };
            let forward = build(&patterns);
            patterns.reverse();
            let backward = build(&patterns);
            prop_assert_eq!(forward.to_string(), backward.to_string());
            prop_assert_eq!(BuildHasher.hash_one(&forward), BuildHasher.hash_one(&backward));
            prop_assert_eq!(forward, backward);
        }
    }
}

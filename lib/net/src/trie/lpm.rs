//! Longest-prefix match with a value per prefix.

use core::fmt;
use core::net::IpAddr;

use super::{Bits, NONE};
use crate::prefix::Prefix;

/// A map from prefixes to values that finds the longest prefix of an address.
#[derive(Clone)]
pub struct Lpm<V> {
    v4: Tree<u32, V>,
    v6: Tree<u128, V>,
}

impl<V> Default for Lpm<V> {
    fn default() -> Self {
        Self { v4: Tree::new(), v6: Tree::new() }
    }
}

impl<V> Lpm<V> {
    /// The empty map.
    pub fn new() -> Self {
        Self::default()
    }

    /// The number of prefixes.
    pub fn len(&self) -> usize {
        self.v4.count + self.v6.count
    }

    /// No prefixes.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Sets the value of a prefix; the value that it had.
    pub fn insert(&mut self, prefix: Prefix, value: V) -> Option<V> {
        match prefix {
            Prefix::V4(prefix) => self.v4.insert(prefix.bits(), prefix.len(), value),
            Prefix::V6(prefix) => self.v6.insert(prefix.bits(), prefix.len(), value),
        }
    }

    /// Removes a prefix; the value that it had.
    pub fn remove(&mut self, prefix: Prefix) -> Option<V> {
        match prefix {
            Prefix::V4(prefix) => self.v4.remove(prefix.bits(), prefix.len()),
            Prefix::V6(prefix) => self.v6.remove(prefix.bits(), prefix.len()),
        }
    }

    /// The value of exactly this prefix.
    pub fn exact(&self, prefix: Prefix) -> Option<&V> {
        match prefix {
            Prefix::V4(prefix) => self.v4.exact(prefix.bits(), prefix.len()),
            Prefix::V6(prefix) => self.v6.exact(prefix.bits(), prefix.len()),
        }
    }

    /// The value of exactly this prefix, to change.
    pub fn exact_mut(&mut self, prefix: Prefix) -> Option<&mut V> {
        match prefix {
            Prefix::V4(prefix) => self.v4.exact_mut(prefix.bits(), prefix.len()),
            Prefix::V6(prefix) => self.v6.exact_mut(prefix.bits(), prefix.len()),
        }
    }

    /// The longest prefix that holds the address.
    pub fn lookup(&self, addr: IpAddr) -> Option<(Prefix, &V)> {
        self.longest(Prefix::host(addr))
    }

    /// The longest prefix that is `prefix` or holds it.
    pub fn longest(&self, prefix: Prefix) -> Option<(Prefix, &V)> {
        self.longest_where(prefix, |_| true)
    }

    /// The longest prefix that is `prefix` or holds it, and whose value satisfies the predicate.
    pub fn longest_where(
        &self,
        prefix: Prefix,
        predicate: impl FnMut(&V) -> bool,
    ) -> Option<(Prefix, &V)> {
        match prefix {
            Prefix::V4(prefix) => self.v4.longest(prefix.bits(), prefix.len(), predicate),
            Prefix::V6(prefix) => self.v6.longest(prefix.bits(), prefix.len(), predicate),
        }
    }

    /// All prefixes that are `prefix` or hold it, shortest first.
    pub fn covering(&self, prefix: Prefix) -> impl Iterator<Item = (Prefix, &V)> + '_ {
        let (v4, v6) = match prefix {
            Prefix::V4(prefix) => (Some(self.v4.path(prefix.bits(), prefix.len())), None),
            Prefix::V6(prefix) => (None, Some(self.v6.path(prefix.bits(), prefix.len()))),
        };
        v4.into_iter().flatten().chain(v6.into_iter().flatten())
    }

    /// All prefixes that are `prefix` or inside it, by address, shorter before longer.
    pub fn covered(&self, prefix: Prefix) -> impl Iterator<Item = (Prefix, &V)> + '_ {
        let (v4, v6) = match prefix {
            Prefix::V4(prefix) => (Some(self.v4.walk_in(prefix.bits(), prefix.len())), None),
            Prefix::V6(prefix) => (None, Some(self.v6.walk_in(prefix.bits(), prefix.len()))),
        };
        v4.into_iter().flatten().chain(v6.into_iter().flatten())
    }

    /// Everything, IPv4 first, by address, shorter before longer.
    pub fn iter(&self) -> impl Iterator<Item = (Prefix, &V)> + '_ {
        self.v4.walk_in(0, 0).chain(self.v6.walk_in(0, 0))
    }

    /// Removes everything and gives the memory back.
    pub fn clear(&mut self) {
        *self = Self::new();
    }
}

impl<V: fmt::Debug> fmt::Debug for Lpm<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

impl<V> FromIterator<(Prefix, V)> for Lpm<V> {
    fn from_iter<I: IntoIterator<Item = (Prefix, V)>>(entries: I) -> Self {
        let mut map = Self::new();
        for (prefix, value) in entries {
            map.insert(prefix, value);
        }
        map
    }
}

/// One family. A node without a value has two children.
#[derive(Clone)]
struct Tree<B, V> {
    nodes: Vec<Node<B, V>>,
    /// Index of the first node.
    root: u32,
    /// Head of the list of unused nodes, linked by `children[0]`.
    free: u32,
    count: usize,
}

#[derive(Clone)]
struct Node<B, V> {
    addr: B,
    children: [u32; 2],
    len: u8,
    value: Option<V>,
}

/// Where the index of a node is kept.
#[derive(Clone, Copy)]
enum Link {
    Root,
    Child(u32, usize),
}

impl<B, V> Tree<B, V> {
    const fn new() -> Self {
        Self { nodes: Vec::new(), root: NONE, free: NONE, count: 0 }
    }
}

impl<B: Bits, V> Tree<B, V> {
    fn insert(&mut self, addr: B, len: u8, value: V) -> Option<V> {
        let at = self.make(addr, len);
        let before = self.nodes[at as usize].value.replace(value);
        self.count += usize::from(before.is_none());
        before
    }

    /// The node for a prefix, made if need be.
    fn make(&mut self, addr: B, len: u8) -> u32 {
        let mut link = Link::Root;
        loop {
            let at = self.follow(link);
            let Some(node) = self.nodes.get(at as usize) else {
                let leaf = self.alloc(addr, len);
                self.set(link, leaf);
                return leaf;
            };
            let (old, old_len) = (node.addr, node.len);
            let common = addr.common(old).min(len).min(old_len);
            if common < old_len {
                let fork = self.alloc(addr.and(B::mask(common)), common);
                self.set(Link::Child(fork, old.bit(common)), at);
                self.set(link, fork);
                if common == len {
                    return fork;
                }
                link = Link::Child(fork, addr.bit(common));
                continue;
            }
            if old_len == len {
                return at;
            }
            link = Link::Child(at, addr.bit(old_len));
        }
    }

    fn remove(&mut self, addr: B, len: u8) -> Option<V> {
        let (mut parent_link, mut link) = (Link::Root, Link::Root);
        let at = loop {
            let at = self.follow(link);
            let node = self.nodes.get(at as usize)?;
            if node.len > len || !addr.agrees(node.addr, node.len) {
                return None;
            }
            if node.len == len {
                break at;
            }
            (parent_link, link) = (link, Link::Child(at, addr.bit(node.len)));
        };
        let value = self.nodes[at as usize].value.take()?;
        self.count -= 1;
        self.prune(link);
        self.prune(parent_link);
        Some(value)
    }

    /// Takes out a node that has no value and fewer than two children.
    fn prune(&mut self, link: Link) {
        let at = self.follow(link);
        let Some(node) = self.nodes.get(at as usize).filter(|node| node.value.is_none()) else {
            return;
        };
        let ([child, NONE] | [NONE, child]) = node.children else { return };
        self.set(link, child);
        self.nodes[at as usize].children = [self.free, NONE];
        self.free = at;
    }

    #[inline]
    fn find(&self, addr: B, len: u8) -> u32 {
        let mut at = self.root;
        while let Some(node) = self.nodes.get(at as usize) {
            if node.len >= len {
                let found = node.len == len && node.addr == addr;
                return if found { at } else { NONE };
            }
            at = node.children[addr.bit(node.len)];
        }
        NONE
    }

    fn exact(&self, addr: B, len: u8) -> Option<&V> {
        self.nodes.get(self.find(addr, len) as usize)?.value.as_ref()
    }

    fn exact_mut(&mut self, addr: B, len: u8) -> Option<&mut V> {
        let at = self.find(addr, len);
        self.nodes.get_mut(at as usize)?.value.as_mut()
    }

    fn longest(
        &self,
        addr: B,
        len: u8,
        mut predicate: impl FnMut(&V) -> bool,
    ) -> Option<(Prefix, &V)> {
        self.path(addr, len).filter(|(_, value)| predicate(value)).last()
    }

    /// The valued nodes that are the prefix or hold it, from the root down.
    fn path(&self, addr: B, len: u8) -> impl Iterator<Item = (Prefix, &V)> + '_ {
        let mut next = self.root;
        core::iter::from_fn(move || {
            loop {
                let node = self.nodes.get(next as usize)?;
                if node.len > len || !addr.agrees(node.addr, node.len) {
                    return None;
                }
                next = if node.len == len { NONE } else { node.children[addr.bit(node.len)] };
                if let Some(value) = &node.value {
                    return Some((node.addr.prefix(node.len), value));
                }
            }
        })
    }

    /// The valued nodes that are the prefix or inside it, in order.
    fn walk_in(&self, addr: B, len: u8) -> impl Iterator<Item = (Prefix, &V)> + '_ {
        let mut top = self.root;
        while let Some(node) = self.nodes.get(top as usize).filter(|node| node.len < len) {
            top = node.children[addr.bit(node.len)];
        }
        let inside = |node: &&Node<B, V>| addr.agrees(node.addr, len);
        let top = self.nodes.get(top as usize).filter(inside).map(|_| top);
        let mut stack = Vec::from_iter(top);
        core::iter::from_fn(move || {
            loop {
                let node = self.nodes.get(stack.pop()? as usize)?;
                stack.extend(node.children.iter().rev().filter(|child| **child != NONE));
                if let Some(value) = &node.value {
                    return Some((node.addr.prefix(node.len), value));
                }
            }
        })
    }

    fn follow(&self, link: Link) -> u32 {
        match link {
            Link::Root => self.root,
            Link::Child(at, side) => self.nodes[at as usize].children[side],
        }
    }

    fn set(&mut self, link: Link, to: u32) {
        match link {
            Link::Root => self.root = to,
            Link::Child(at, side) => self.nodes[at as usize].children[side] = to,
        }
    }

    fn alloc(&mut self, addr: B, len: u8) -> u32 {
        let node = Node { addr, children: [NONE; 2], len, value: None };
        match self.nodes.get_mut(self.free as usize) {
            Some(place) => {
                let at = core::mem::replace(&mut self.free, place.children[0]);
                *place = node;
                at
            }
            None => {
                self.nodes.push(node);
                (self.nodes.len() - 1) as u32
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn prefix(text: &str) -> Prefix {
        text.parse().unwrap()
    }

    #[test]
    fn the_longest_prefix_wins() {
        let mut map = Lpm::new();
        for text in ["0.0.0.0/0", "10.0.0.0/8", "10.1.0.0/16", "10.1.2.0/24", "::/0"] {
            assert_eq!(map.insert(prefix(text), text), None);
        }
        let find = |map: &Lpm<&'static str>, addr: &str| {
            map.lookup(addr.parse().unwrap()).map(|(_, v)| *v)
        };
        assert_eq!(find(&map, "10.1.2.3"), Some("10.1.2.0/24"));
        assert_eq!(find(&map, "10.1.3.3"), Some("10.1.0.0/16"));
        assert_eq!(find(&map, "10.2.3.3"), Some("10.0.0.0/8"));
        assert_eq!(find(&map, "11.2.3.3"), Some("0.0.0.0/0"));
        assert_eq!(find(&map, "2001:db8::1"), Some("::/0"));
        assert_eq!(map.remove(prefix("10.1.0.0/16")), Some("10.1.0.0/16"));
        assert_eq!(map.remove(prefix("10.1.0.0/16")), None);
        assert_eq!(find(&map, "10.1.3.3"), Some("10.0.0.0/8"));
        assert_eq!(map.len(), 4);
    }

    #[test]
    fn removed_nodes_are_used_again() {
        let mut map = Lpm::new();
        for round in 0..50u32 {
            for net in 0..100u32 {
                map.insert(u32::prefix(net << 12, 24), round);
            }
            for net in 0..100u32 {
                assert_eq!(map.remove(u32::prefix(net << 12, 24)), Some(round));
            }
            assert!(map.is_empty());
        }
        assert_eq!(map.v4.root, NONE);
        assert!(map.v4.nodes.len() < 200, "{}", map.v4.nodes.len());
    }

    fn any_prefix() -> impl Strategy<Value = Prefix> {
        // Few bits, so that prefixes meet.
        let v4 = (0u32..64, 0u8..=6).prop_map(|(addr, len)| u32::prefix(addr << 26, len));
        let v6 = (0u128..16, 124u8..=128).prop_map(|(addr, len)| u128::prefix(addr, len));
        prop_oneof![3 => v4, 1 => v6]
    }

    proptest! {
        #[test]
        fn agrees_with_a_plain_map(
            edits in proptest::collection::vec((any_prefix(), any::<bool>()), 0..80),
            asked in any_prefix(),
        ) {
            let (mut map, mut model) = (Lpm::new(), BTreeMap::new());
            for (number, (prefix, insert)) in edits.into_iter().enumerate() {
                if insert {
                    prop_assert_eq!(map.insert(prefix, number), model.insert(prefix, number));
                } else {
                    prop_assert_eq!(map.remove(prefix), model.remove(&prefix));
                }
            }
            let pairs = |pairs: Vec<(Prefix, &usize)>| pairs.into_iter().map(|(p, v)| (p, *v)).collect::<Vec<_>>();
            let expect = |keep: &dyn Fn(Prefix) -> bool| {
                model.iter().filter(|(prefix, _)| keep(**prefix)).map(|(p, v)| (*p, *v)).collect::<Vec<_>>()
            };
            prop_assert_eq!(map.len(), model.len());
            prop_assert_eq!(pairs(map.iter().collect()), expect(&|_| true));
            prop_assert_eq!(pairs(map.covered(asked).collect()), expect(&|prefix| asked.contains(prefix)));
            prop_assert_eq!(pairs(map.covering(asked).collect()), expect(&|prefix| prefix.contains(asked)));
            prop_assert_eq!(
                map.longest(asked).map(|(p, v)| (p, *v)),
                expect(&|prefix| prefix.contains(asked)).last().copied()
            );
            prop_assert_eq!(map.exact(asked), model.get(&asked));
        }
    }
}

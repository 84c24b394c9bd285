//! Prefix sets as values: with their hash, so that programs that share a large one compare fast, and
//! with an index if they are not small.

use std::{
    fmt,
    hash::{Hash, Hasher},
};

use dunlin_net::{Prefix, trie};

use crate::fingerprint::Fingerprint;

/// A finished prefix set.
#[derive(Debug, Clone, Default)]
pub struct PrefixSet {
    set: trie::PrefixSet,
    hash: u64,
    /// Answers faster than the set itself, if that has more than a few nodes.
    index: Option<trie::PrefixIndex>,
}

/// Bytes of a set from which on it gets an index: about a dozen prefixes (`tests/bench/sets`).
const MIN_INDEXED: usize = 400;

impl PrefixSet {
    /// Takes a set that is complete.
    #[must_use]
    pub fn new(mut set: trie::PrefixSet) -> Self {
        set.shrink();
        let hash = Fingerprint::of(&set);
        let index = (set.memory() >= MIN_INDEXED).then(|| trie::PrefixIndex::of(&set));
        Self { set, hash, index }
    }

    /// The set of one prefix, and of nothing inside of it.
    #[must_use]
    pub fn exactly(prefix: Prefix) -> Self {
        let mut set = trie::PrefixSet::new();
        set.add_exact(prefix);
        Self::new(set)
    }

    /// The same set with an index or without, to compare what they cost.
    #[must_use]
    pub fn with_index(mut self, with: bool) -> Self {
        self.index = with.then(|| trie::PrefixIndex::of(&self.set));
        self
    }

    /// Bytes in use.
    #[must_use]
    pub fn memory(&self) -> usize {
        self.set.memory() + self.index.as_ref().map_or(0, trie::PrefixIndex::memory)
    }

    /// Whether some pattern takes the prefix.
    #[inline]
    #[must_use]
    pub fn contains(&self, prefix: Prefix) -> bool {
        match &self.index {
            Some(index) => index.contains(prefix),
            None => self.set.contains(prefix),
        }
    }

    /// Whether there is no pattern.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.set.is_empty()
    }
}

impl PartialEq for PrefixSet {
    fn eq(&self, other: &Self) -> bool {
        self.is_empty() && other.is_empty() || self.hash == other.hash && self.set == other.set
    }
}

impl Eq for PrefixSet {}

impl Hash for PrefixSet {
    fn hash<H: Hasher>(&self, state: &mut H) {
        if !self.is_empty() {
            state.write_u64(self.hash);
        }
    }
}

impl fmt::Display for PrefixSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.set.fmt(f)
    }
}

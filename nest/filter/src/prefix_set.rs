//! Prefix sets as values: with their hash, so that programs that share a large one compare fast.

use std::{
    fmt,
    hash::{Hash, Hasher},
};

use dunlin_net::{Prefix, trie};

use crate::fingerprint::Fingerprint;

/// A finished prefix set.
#[derive(Debug, Clone, Default, Eq)]
pub struct PrefixSet {
    set: trie::PrefixSet,
    hash: u64,
}

impl PrefixSet {
    /// Takes a set that is complete.
    #[must_use]
    pub fn new(mut set: trie::PrefixSet) -> Self {
        set.shrink();
        let hash = Fingerprint::of(&set);
        Self { set, hash }
    }

    /// Whether some pattern takes the prefix.
    #[inline]
    #[must_use]
    pub fn contains(&self, prefix: Prefix) -> bool {
        self.set.contains(prefix)
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

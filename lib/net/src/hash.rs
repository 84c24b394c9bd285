//! The one hash function of the daemon: foldhash with a seed chosen once per process.
//!
//! Peers choose most keys, so the seed is random by default; a simulation fixes it with [`seed`]
//! before anything is hashed, and then every hash (and so every slice number and map order) repeats.

use core::hash::Hasher;
use std::sync::OnceLock;

use foldhash::SharedSeed;
use foldhash::fast::FoldHasher;

/// A hash map with the process-wide seed.
pub type Map<K, V> = hashbrown::HashMap<K, V, BuildHasher>;

/// The values of a [`Map`], taken out of it.
pub type IntoValues<K, V> = hashbrown::hash_map::IntoValues<K, V>;
/// A hash set with the process-wide seed.
pub type Set<K> = hashbrown::HashSet<K, BuildHasher>;

/// Builds hashers with the process-wide seed. Zero-sized.
#[derive(Clone, Copy, Debug, Default)]
pub struct BuildHasher;

impl core::hash::BuildHasher for BuildHasher {
    type Hasher = FoldHasher<'static>;

    #[inline]
    fn build_hasher(&self) -> FoldHasher<'static> {
        hasher()
    }
}

/// Fixes the seed; `false` if it was already in use (fixed before, or something was hashed).
pub fn seed(seed: u64) -> bool {
    SEEDS.set(Seeds::new(seed)).is_ok()
}

/// The hash of a byte string.
#[inline]
pub fn hash_bytes(bytes: &[u8]) -> u64 {
    let mut hasher = hasher();
    hasher.write(bytes);
    hasher.finish()
}

/// The hash of one word.
#[inline]
pub fn hash_u64(word: u64) -> u64 {
    let mut hasher = hasher();
    hasher.write_u64(word);
    hasher.finish()
}

/// The hash of two words.
#[inline]
pub fn hash_u128(word: u128) -> u64 {
    let mut hasher = hasher();
    hasher.write_u128(word);
    hasher.finish()
}

/// A hasher with the process-wide seed.
#[inline]
pub fn hasher() -> FoldHasher<'static> {
    let seeds = SEEDS.get_or_init(Seeds::random);
    FoldHasher::with_seed(seeds.hasher, &seeds.shared)
}

static SEEDS: OnceLock<Seeds> = OnceLock::new();

struct Seeds {
    hasher: u64,
    shared: SharedSeed,
}

impl Seeds {
    fn new(seed: u64) -> Self {
        // The two parts need different bits; any odd constant spreads one seed over both.
        Self {
            hasher: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15),
            shared: SharedSeed::from_u64(seed),
        }
    }

    fn random() -> Self {
        use core::hash::BuildHasher as _;
        // The standard library takes its keys from the operating system.
        Self::new(std::hash::RandomState::new().build_hasher().finish())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_input_gives_equal_hash_and_the_seed_is_fixed_once_used() {
        assert_eq!(hash_bytes(b"dunlin"), hash_bytes(b"dunlin"));
        assert_ne!(hash_bytes(b"dunlin"), hash_bytes(b"dunlim"));
        assert_ne!(hash_u64(1), hash_u64(2));
        assert!(!seed(7));
    }
}

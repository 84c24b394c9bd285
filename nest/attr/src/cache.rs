//! Finding equal sets again.

use core::fmt;
use std::sync::Arc;

use crate::attrs::{Attrs, Canonical};
use crate::bgp::CanonicalError;

/// A small cache of sets by content hash, for one owner: a session that sees the same attributes in
/// many UPDATEs gets the same set each time, without building it again. A set may be in either place
/// of a pair; a new one displaces the older of the two, so the size is fixed.
pub struct AttrCache {
    places: Box<[Option<Arc<Attrs>>]>,
    hits: u64,
    misses: u64,
}

impl AttrCache {
    /// A cache of at least this many places (rounded up to a power of two).
    pub fn new(places: usize) -> Self {
        let places = vec![None; places.next_power_of_two().max(2)].into_boxed_slice();
        Self { places, hits: 0, misses: 0 }
    }

    /// The set of a received route: the cached one without any allocation, else a new one.
    pub fn from_canonical(
        &mut self,
        canonical: &Canonical<'_>,
    ) -> Result<Arc<Attrs>, CanonicalError> {
        let next_hop = canonical.next_hop.pack();
        let hash = canonical.hash(&next_hop);
        if let Some(cached) = self.find(hash, |cached| canonical.is(&next_hop, cached)) {
            return Ok(cached);
        }
        let made = Attrs::from_hashed(canonical, &next_hop, hash)?;
        self.keep(&made);
        Ok(made)
    }

    /// The cached set with the content of this one, else this one.
    pub fn intern(&mut self, attrs: Arc<Attrs>) -> Arc<Attrs> {
        if let Some(cached) = self.find(attrs.hash(), |cached| cached.same_content(&attrs)) {
            return cached;
        }
        self.keep(&attrs);
        attrs
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.places.fill(None);
    }

    /// How often a set was found, and how often not.
    pub const fn statistics(&self) -> (u64, u64) {
        (self.hits, self.misses)
    }

    fn find(&mut self, hash: u64, is: impl Fn(&Attrs) -> bool) -> Option<Arc<Attrs>> {
        let cached = self
            .pair(hash)
            .iter()
            .flatten()
            .find(|cached| cached.hash() == hash && is(cached))
            .map(Arc::clone);
        self.hits += u64::from(cached.is_some());
        cached
    }

    fn keep(&mut self, attrs: &Arc<Attrs>) {
        self.misses += 1;
        let pair = self.pair(attrs.hash());
        pair.rotate_right(1);
        if let Some(place) = pair.first_mut() {
            *place = Some(Arc::clone(attrs));
        }
    }

    /// By the high half of the hash: slices and maps use the low bits.
    fn pair(&mut self, hash: u64) -> &mut [Option<Arc<Attrs>>] {
        let at = (hash >> 32) as usize & (self.places.len() - 2);
        self.places.get_mut(at..at + 2).unwrap_or_default()
    }
}

impl fmt::Debug for AttrCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AttrCache")
            .field("places", &self.places.len())
            .field("hits", &self.hits)
            .field("misses", &self.misses)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bgp::BgpNextHop;

    fn canonical(wire: &[u8], preference: u32) -> Canonical<'_> {
        let next_hop = BgpNextHop::new("2001:db8::1".parse().unwrap());
        Canonical { wire, next_hop, preference }
    }

    #[test]
    fn equal_content_is_one_set() {
        let mut cache = AttrCache::new(60);
        let wire = [0x40, 1, 1, 0];
        let one = cache.from_canonical(&canonical(&wire, 100)).unwrap();
        let two = cache.from_canonical(&canonical(&wire, 100)).unwrap();
        let three = cache.intern(one.edit().finish());
        assert!(Arc::ptr_eq(&one, &two) && Arc::ptr_eq(&one, &three));
        let other = cache.from_canonical(&canonical(&wire, 101)).unwrap();
        assert_ne!(one, other);
        assert_eq!(cache.statistics(), (2, 2));
        cache.clear();
        let again = cache.from_canonical(&canonical(&wire, 100)).unwrap();
        assert!(!Arc::ptr_eq(&one, &again) && one == again);
    }

    #[test]
    fn two_sets_of_one_pair_are_both_found() {
        let mut cache = AttrCache::new(2);
        let wires = [[0x40, 1, 1, 0], [0x40, 1, 1, 1]];
        for wire in wires.iter().chain(&wires).chain(&wires) {
            cache.from_canonical(&canonical(wire, 100)).unwrap();
        }
        assert_eq!(cache.statistics(), (4, 2));
    }

    #[test]
    fn malformed_bytes_are_not_kept() {
        let mut cache = AttrCache::new(1);
        assert!(cache.from_canonical(&canonical(&[0x40, 1, 2, 0], 100)).is_err());
        assert_eq!(cache.statistics(), (0, 0));
    }
}

//! Finding equal sets again.

use core::fmt;
use std::sync::Arc;

use crate::attrs::{Attrs, Canonical};
use crate::bgp::CanonicalError;

/// A small direct-mapped cache of sets by content hash, for one owner: a session that sees the same
/// attributes in many UPDATEs gets the same set each time, without building it again. A newer set
/// displaces an older one in its place, so the size is fixed.
pub struct AttrCache {
    places: Box<[Option<Arc<Attrs>>]>,
    hits: u64,
    misses: u64,
}

impl AttrCache {
    /// A cache of at least this many places (rounded up to a power of two).
    pub fn new(places: usize) -> Self {
        let places = vec![None; places.next_power_of_two()].into_boxed_slice();
        Self { places, hits: 0, misses: 0 }
    }

    /// The set of a received route: the cached one without any allocation, else a new one.
    pub fn from_canonical(
        &mut self,
        canonical: &Canonical<'_>,
    ) -> Result<Arc<Attrs>, CanonicalError> {
        let next_hop = canonical.next_hop.pack();
        let hash = canonical.hash(&next_hop);
        let at = self.place(hash);
        if let Some(cached) = &self.places[at]
            && cached.hash() == hash
            && canonical.is(&next_hop, cached)
        {
            self.hits += 1;
            return Ok(Arc::clone(cached));
        }
        let made = Attrs::from_hashed(canonical, &next_hop, hash)?;
        self.misses += 1;
        self.places[at] = Some(Arc::clone(&made));
        Ok(made)
    }

    /// The cached set with the content of this one, else this one.
    pub fn intern(&mut self, attrs: Arc<Attrs>) -> Arc<Attrs> {
        let at = self.place(attrs.hash());
        if let Some(cached) = &self.places[at]
            && cached.same_content(&attrs)
        {
            self.hits += 1;
            return Arc::clone(cached);
        }
        self.misses += 1;
        self.places[at] = Some(Arc::clone(&attrs));
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

    /// The high half: slices and maps use the low bits.
    const fn place(&self, hash: u64) -> usize {
        (hash >> 32) as usize & (self.places.len() - 1)
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
    fn malformed_bytes_are_not_kept() {
        let mut cache = AttrCache::new(1);
        assert!(cache.from_canonical(&canonical(&[0x40, 1, 2, 0], 100)).is_err());
        assert_eq!(cache.statistics(), (0, 0));
    }
}

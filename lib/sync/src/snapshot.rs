//! Published snapshots: one writer now and then, many readers, no lock. A thin wrapper on `arc-swap`.
//!
//! For few and coarse things (the configuration, ROA tables, a group's parameters), never one per
//! route. Load once per unit of work and use that value throughout; a loop that reads often keeps a
//! [`Cache`] and refreshes it at the start of a turn. Never keep a [`Loaded`] in a structure.

use core::fmt;
use core::ops::Deref;
use std::sync::Arc;

use arc_swap::ArcSwap;

/// A shared place holding the current version of a `T`. Cloning makes another handle to the place.
pub struct Snapshot<T> {
    place: Arc<ArcSwap<T>>,
}

impl<T> Snapshot<T> {
    /// A place holding `value`.
    pub fn new(value: T) -> Self {
        Self::from_arc(Arc::new(value))
    }

    /// A place holding `value`.
    pub fn from_arc(value: Arc<T>) -> Self {
        Self { place: Arc::new(ArcSwap::new(value)) }
    }

    /// The current version, for the length of one unit of work.
    pub fn load(&self) -> Loaded<T> {
        Loaded(self.place.load())
    }

    /// The current version, to keep.
    pub fn load_full(&self) -> Arc<T> {
        self.place.load_full()
    }

    /// Publishes another version: readers that load from now on see it and all that was written
    /// before.
    pub fn store(&self, value: Arc<T>) {
        self.place.store(value);
    }

    /// Publishes another version, and returns the one it replaces.
    pub fn swap(&self, value: Arc<T>) -> Arc<T> {
        self.place.swap(value)
    }

    /// Publishes what `next` makes of the current version; called again if another writer was faster.
    /// For places that several threads write.
    pub fn update(&self, mut next: impl FnMut(&T) -> T) {
        self.place.rcu(|value| next(value));
    }

    /// A reader's own copy, an order of magnitude cheaper to read again.
    pub fn cache(&self) -> Cache<T> {
        Cache(arc_swap::Cache::new(Arc::clone(&self.place)))
    }
}

impl<T> Clone for Snapshot<T> {
    fn clone(&self) -> Self {
        Self { place: Arc::clone(&self.place) }
    }
}

impl<T: fmt::Debug> fmt::Debug for Snapshot<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Snapshot").field(&**self.load()).finish()
    }
}

/// A version in use.
#[derive(Debug)]
pub struct Loaded<T>(arc_swap::Guard<Arc<T>>);

impl<T> Deref for Loaded<T> {
    type Target = Arc<T>;

    fn deref(&self) -> &Arc<T> {
        &self.0
    }
}

/// A reader's own copy of a [`Snapshot`]. It keeps its version alive: refresh it, or drop it, before
/// being idle for long.
pub struct Cache<T>(arc_swap::Cache<Arc<ArcSwap<T>>, Arc<T>>);

impl<T> Cache<T> {
    /// The current version.
    pub fn load(&mut self) -> &Arc<T> {
        self.0.load()
    }
}

impl<T> Clone for Cache<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> fmt::Debug for Cache<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cache").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cache_follows_what_is_published() {
        let snapshot = Snapshot::new(1);
        let mut cache = snapshot.cache();
        assert_eq!(**cache.load(), 1);
        let old = snapshot.clone().swap(Arc::new(2));
        assert_eq!((*old, **snapshot.load(), **cache.load()), (1, 2, 2));
    }

    #[test]
    fn an_old_version_goes_when_its_last_reader_does() {
        let first = Arc::new(String::from("first"));
        let snapshot = Snapshot::from_arc(Arc::clone(&first));
        let loaded = snapshot.load_full();
        snapshot.store(Arc::new(String::from("second")));
        assert_eq!(*loaded, "first");
        drop(loaded);
        assert_eq!(Arc::strong_count(&first), 1);
    }
}

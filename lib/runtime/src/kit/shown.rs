//! What a loop uses of this library, for those who look at the runtime.

use core::fmt;
use std::sync::{Arc, Weak};

/// Things of one kind that a loop uses, without keeping them alive.
pub(crate) struct Shown<T: ?Sized>(Vec<Weak<T>>);

impl<T: ?Sized> Shown<T> {
    pub(crate) fn add(&mut self, thing: Weak<T>) {
        self.0.retain(|thing| thing.strong_count() > 0);
        self.0.push(thing);
    }

    pub(crate) fn each<S>(&self, stats: impl Fn(&T) -> S) -> Vec<S> {
        self.0.iter().filter_map(Weak::upgrade).map(|thing: Arc<T>| stats(&thing)).collect()
    }
}

impl<T: ?Sized> Default for Shown<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T: ?Sized> fmt::Debug for Shown<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Shown({})", self.0.len())
    }
}

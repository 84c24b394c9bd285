//! Masks and sets made during a run. They own memory, so they cannot be in the arena.

use std::cell::OnceCell;

/// The most values that one run may make.
const MAX_KEPT: usize = 256;

/// Keeps values in place until the run is over.
#[derive(Debug)]
pub(super) struct Kept<T>(OnceCell<Box<Link<T>>>);

#[derive(Debug)]
struct Link<T> {
    value: T,
    next: Kept<T>,
}

impl<T> Default for Kept<T> {
    fn default() -> Self {
        Self(OnceCell::new())
    }
}

impl<T> Kept<T> {
    /// Keeps a value; none if there are too many.
    pub(super) fn keep(&self, value: T) -> Option<&T> {
        let mut place = self;
        for _ in 0..MAX_KEPT {
            match place.0.get() {
                Some(link) => place = &link.next,
                None => {
                    let link = Box::new(Link { value, next: Self::default() });
                    return Some(&place.0.get_or_init(|| link).value);
                }
            }
        }
        None
    }
}

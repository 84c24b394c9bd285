//! Masks made during a run. They own memory, so they cannot be in the arena.

use std::cell::OnceCell;

use dunlin_net::as_path::Mask;

/// The most masks that one run may make.
const MAX_MASKS: usize = 256;

/// Keeps masks in place until the run is over.
#[derive(Debug, Default)]
pub(super) struct Masks(OnceCell<Box<Link>>);

#[derive(Debug)]
struct Link {
    mask: Mask,
    next: Masks,
}

impl Masks {
    /// Keeps a mask; none if there are too many.
    pub(super) fn keep(&self, mask: Mask) -> Option<&Mask> {
        let mut place = self;
        for _ in 0..MAX_MASKS {
            match place.0.get() {
                Some(link) => place = &link.next,
                None => {
                    let link = Box::new(Link { mask, next: Self::default() });
                    return Some(&place.0.get_or_init(|| link).mask);
                }
            }
        }
        None
    }
}

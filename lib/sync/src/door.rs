//! Whether somebody still takes what is put down for them.

use core::fmt;

use crate::mutant;
use crate::prim::{AtomicBool, Ordering};

/// Beside an inbox whose owner may go for good. Whoever puts something in looks at the door afterwards; the owner
/// closes it before its last look. So what is put in is seen by the owner, or by whoever put it in and found the
/// door closed, who then also sees all that the owner did before it closed it.
pub struct Door {
    /// Changed by the owner, once, read by anyone; both by read-modify-writes (`AcqRel`), so that one of two sees
    /// the other. Read for its own sake by a load (Acquire).
    closed: AtomicBool,
}

impl Door {
    /// An open one.
    pub fn new() -> Self {
        Self { closed: AtomicBool::new(false) }
    }

    /// Whether the owner is sure to see what was put in before. If not, the caller sees to it.
    #[inline]
    #[must_use = "what was put in behind a closed door is the caller's"]
    pub fn is_open_after_all(&self) -> bool {
        if mutant!("mutant-door-glances") {
            return !self.closed.load(Ordering::Acquire);
        }
        let order =
            if mutant!("mutant-relaxed-door") { Ordering::Relaxed } else { Ordering::AcqRel };
        !self.closed.fetch_or(false, order)
    }

    /// From now on whatever is put in is seen to by whoever does so. The owner looks once more afterwards.
    pub fn close(&self) {
        if mutant!("mutant-door-slams") {
            return self.closed.store(true, Ordering::Release);
        }
        self.closed.swap(true, Ordering::AcqRel);
    }

    /// Whether it has been closed.
    pub fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }
}

impl Default for Door {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Door {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_closed() { "Door(closed)" } else { "Door(open)" })
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn it_is_closed_for_good() {
        let door = Door::new();
        assert!(door.is_open_after_all() && !door.is_closed());
        door.close();
        assert!(!door.is_open_after_all() && door.is_closed());
    }
}

//! A bump arena for one turn's or handler's scratch.

use bumpalo::Bump;

/// A bump arena, emptied as a whole, that doesn't keep what one unusual turn made it grow to.
///
/// An arena that is emptied keeps its newest, hence largest, chunk for ever; so one that passed
/// `cap` is replaced instead. Nothing in it is dropped: for plain data, slices and strings.
#[derive(Debug)]
pub struct Arena {
    bump: Bump,
    cap: usize,
    statistics: ArenaStatistics,
}

/// What an [`Arena`] has seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ArenaStatistics {
    /// Times it was emptied, having held something.
    pub resets: u64,
    /// Times it was replaced, having grown beyond its cap.
    pub replacements: u64,
    /// The most bytes it held in chunks when emptied.
    pub high_water: usize,
}

impl Arena {
    /// An arena that may keep up to `cap` bytes over a reset. Allocates nothing yet.
    pub fn new(cap: usize) -> Self {
        Self { bump: Bump::new(), cap, statistics: ArenaStatistics::default() }
    }

    /// The arena to allocate from: `alloc`, `alloc_slice_copy`, `alloc_str`, ...
    #[inline]
    pub fn bump(&self) -> &Bump {
        &self.bump
    }

    /// Empties it; the borrow checker sees to it that nothing allocated is still in use.
    #[inline]
    pub fn reset(&mut self) {
        let held = self.bump.allocated_bytes();
        if held == 0 {
            return;
        }
        self.statistics.resets += 1;
        self.statistics.high_water = self.statistics.high_water.max(held);
        if held > self.cap {
            self.statistics.replacements += 1;
            self.bump = Bump::new();
        } else {
            self.bump.reset();
        }
    }

    /// Bytes held in chunks, used or not.
    pub fn held(&self) -> usize {
        self.bump.allocated_bytes()
    }

    /// What it has seen so far.
    pub fn statistics(&self) -> ArenaStatistics {
        self.statistics
    }
}

impl core::ops::Deref for Arena {
    type Target = Bump;

    #[inline]
    fn deref(&self) -> &Bump {
        &self.bump
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_arena_keeps_its_memory() {
        let mut arena = Arena::new(64 * 1024);
        let text = arena.alloc_str("scratch");
        assert_eq!(text, "scratch");
        let held = arena.held();
        assert!(held > 0);
        arena.reset();
        assert_eq!(arena.held(), held);
        assert_eq!(
            arena.statistics(),
            ArenaStatistics { resets: 1, replacements: 0, high_water: held }
        );
    }

    #[test]
    fn an_arena_beyond_its_cap_is_replaced() {
        let mut arena = Arena::new(64 * 1024);
        arena.alloc_slice_fill_copy(1 << 20, 0_u8);
        arena.reset();
        assert_eq!(arena.held(), 0);
        assert_eq!(arena.statistics().replacements, 1);
        assert!(arena.statistics().high_water >= 1 << 20);
    }

    #[test]
    fn an_unused_arena_costs_no_memory() {
        let mut arena = Arena::new(0);
        arena.reset();
        assert_eq!((arena.held(), arena.statistics().replacements), (0, 0));
    }
}

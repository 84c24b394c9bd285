//! What a group holds and was told of each source's routes.
//!
//! Groups are shared, but a session is not told of its own routes. So that its figures can be told
//! from the group's, a group counts by source.

use crate::counters::OwnRoutes;
use crate::slice::decide::Best;

/// Of one source.
#[derive(Clone, Copy, Debug, Default)]
struct Own {
    held: u32,
    updates: u32,
    replacing: u32,
    withdraws: u32,
}

/// By the slice's index of the source.
#[derive(Debug, Default)]
pub(super) struct Tally {
    list: Vec<Own>,
}

impl Tally {
    #[inline]
    fn of(&mut self, source: u16) -> &mut Own {
        let index = usize::from(source);
        if self.list.len() <= index {
            self.list.resize(index + 1, Own::default());
        }
        &mut self.list[index]
    }

    /// All members hear of a route, in the place of another one if there was one.
    #[inline]
    pub(super) fn announced(&mut self, old: Option<Best>, new: Best) {
        let moved = old.filter(|old| old.source != new.source);
        let own = self.of(new.source);
        own.updates = own.updates.wrapping_add(1);
        own.replacing = own.replacing.wrapping_add(u32::from(moved.is_some()));
        self.holds(old, Some(new));
    }

    /// All members hear that there is no route any more.
    pub(super) fn withdrawn(&mut self, old: Best) {
        let own = self.of(old.source);
        own.withdraws = own.withdraws.wrapping_add(1);
        self.holds(Some(old), None);
    }

    /// The group holds something else of a network.
    #[inline]
    pub(super) fn holds(&mut self, old: Option<Best>, new: Option<Best>) {
        let (old, new) = (old.map(|best| best.source), new.map(|best| best.source));
        if old == new {
            return;
        }
        if let Some(source) = new {
            self.of(source).held += 1;
        }
        if let Some(source) = old {
            let own = self.of(source);
            own.held = own.held.saturating_sub(1);
        }
    }

    pub(super) fn read(&self, source: u16) -> OwnRoutes {
        let own = self.list.get(usize::from(source)).copied().unwrap_or_default();
        OwnRoutes {
            held: own.held.into(),
            updates: own.updates.into(),
            replacing: own.replacing.into(),
            withdraws: own.withdraws.into(),
        }
    }

    /// The index is free for another source.
    pub(super) fn forget(&mut self, source: u16) {
        if let Some(own) = self.list.get_mut(usize::from(source)) {
            *own = Own::default();
        }
    }

    pub(super) fn memory(&self) -> usize {
        self.list.capacity() * size_of::<Own>()
    }
}

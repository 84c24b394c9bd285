//! The order in which armed timers expire.

use super::{Slot, UNARMED};
use crate::time::Time;

/// A heap of slot numbers; each slot knows its position. An entry has the key in it and four
/// children: of very many timers, the memory that a look touches is what costs.
#[derive(Debug, Default)]
pub(super) struct Heap {
    order: Vec<Entry>,
}

/// A slot, and a copy of what decides when its turn comes.
#[derive(Clone, Copy, Debug)]
struct Entry {
    when: Time,
    arming: u64,
    index: u32,
}

impl Entry {
    #[inline]
    fn of(slots: &[Slot], index: u32) -> Self {
        let slot = slots.get(index as usize);
        let (when, arming) = slot.map_or((Time::NEVER, 0), |slot| (slot.when, slot.arming));
        Self { when, arming, index }
    }

    #[inline]
    fn is_before(&self, other: &Self) -> bool {
        (self.when, self.arming) < (other.when, other.arming)
    }
}

impl Heap {
    /// When the first expires.
    #[inline]
    pub(super) fn first(&self) -> Time {
        self.order.first().map_or(Time::NEVER, |first| first.when)
    }

    /// The slot of the first.
    pub(super) fn first_index(&self) -> Option<u32> {
        self.order.first().map(|first| first.index)
    }

    pub(super) fn put(&mut self, slots: &mut [Slot], index: u32) {
        let entry = Entry::of(slots, index);
        self.order.push(entry);
        self.rise(slots, self.order.len() - 1, entry);
    }

    pub(super) fn take(&mut self, slots: &mut [Slot], position: u32) {
        let position = position as usize;
        if position >= self.order.len() {
            return;
        }
        let taken = self.order.swap_remove(position);
        if let Some(slot) = slots.get_mut(taken.index as usize) {
            slot.position = UNARMED;
        }
        if let Some(&moved) = self.order.get(position) {
            self.restore(slots, position, moved);
        }
    }

    /// Restores the order after the slot at `position` has changed.
    pub(super) fn settle(&mut self, slots: &mut [Slot], position: usize) {
        if let Some(entry) = self.order.get(position) {
            let entry = Entry::of(slots, entry.index);
            self.restore(slots, position, entry);
        }
    }

    fn restore(&mut self, slots: &mut [Slot], position: usize, entry: Entry) {
        if self.rise(slots, position, entry) == position {
            self.sink(slots, position, entry);
        }
    }

    /// Moves the hole at `position` up to where `entry` belongs, if that is above; where it is now.
    fn rise(&mut self, slots: &mut [Slot], mut position: usize, entry: Entry) -> usize {
        while position > 0 {
            let parent = (position - 1) / CHILDREN;
            if !entry.is_before(&self.order[parent]) {
                break;
            }
            self.place(slots, position, self.order[parent]);
            position = parent;
        }
        self.place(slots, position, entry);
        position
    }

    /// As [`rise`](Self::rise), downwards.
    fn sink(&mut self, slots: &mut [Slot], mut position: usize, entry: Entry) {
        loop {
            let first = CHILDREN * position + 1;
            let last = (first + CHILDREN).min(self.order.len());
            let Some(children) = self.order.get(first..last) else { break };
            let mut least = 0;
            for at in 1..children.len() {
                if children[at].is_before(&children[least]) {
                    least = at;
                }
            }
            let Some(&child) = children.get(least) else { break };
            if !child.is_before(&entry) {
                break;
            }
            self.place(slots, position, child);
            position = first + least;
        }
        self.place(slots, position, entry);
    }

    #[inline]
    fn place(&mut self, slots: &mut [Slot], position: usize, entry: Entry) {
        self.order[position] = entry;
        if let Some(slot) = slots.get_mut(entry.index as usize) {
            slot.position = position as u32;
        }
    }
}

const CHILDREN: usize = 4;

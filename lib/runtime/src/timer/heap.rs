//! The order in which armed timers expire.

use super::{Slot, UNARMED};
use crate::time::Time;

/// A binary heap of slot numbers; each slot knows its position.
#[derive(Debug, Default)]
pub(super) struct Heap {
    pub(super) order: Vec<u32>,
}

impl Heap {
    pub(super) fn first(&self, slots: &[Slot]) -> Time {
        let first = self.order.first().and_then(|&index| slots.get(index as usize));
        first.map_or(Time::NEVER, |slot| slot.when)
    }

    pub(super) fn put(&mut self, slots: &mut [Slot], index: u32) {
        self.order.push(index);
        self.rise(slots, self.order.len() - 1);
    }

    pub(super) fn take(&mut self, slots: &mut [Slot], position: u32) {
        let position = position as usize;
        if position >= self.order.len() {
            return;
        }
        let index = self.order.swap_remove(position);
        if let Some(slot) = slots.get_mut(index as usize) {
            slot.position = UNARMED;
        }
        if position < self.order.len() {
            self.settle(slots, position);
        }
    }

    /// Restores the order after the entry at `position` has changed.
    pub(super) fn settle(&mut self, slots: &mut [Slot], position: usize) {
        let position = self.rise(slots, position);
        self.sink(slots, position);
    }

    fn rise(&mut self, slots: &mut [Slot], mut position: usize) -> usize {
        while position > 0 {
            let parent = (position - 1) / 2;
            if self.key(slots, parent) <= self.key(slots, position) {
                break;
            }
            self.order.swap(position, parent);
            self.place(slots, position);
            position = parent;
        }
        self.place(slots, position);
        position
    }

    fn sink(&mut self, slots: &mut [Slot], mut position: usize) {
        loop {
            let left = 2 * position + 1;
            if left >= self.order.len() {
                break;
            }
            let right = left + 1;
            let swap = right < self.order.len() && self.key(slots, right) < self.key(slots, left);
            let child = if swap { right } else { left };
            if self.key(slots, position) <= self.key(slots, child) {
                break;
            }
            self.order.swap(position, child);
            self.place(slots, position);
            position = child;
        }
        self.place(slots, position);
    }

    fn key(&self, slots: &[Slot], position: usize) -> (Time, u64) {
        let slot = self.order.get(position).and_then(|&index| slots.get(index as usize));
        slot.map_or((Time::NEVER, u64::MAX), |slot| (slot.when, slot.arming))
    }

    fn place(&self, slots: &mut [Slot], position: usize) {
        if let Some(&index) = self.order.get(position)
            && let Some(slot) = slots.get_mut(index as usize)
        {
            slot.position = position as u32;
        }
    }
}

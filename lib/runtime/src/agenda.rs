//! Things a loop has to do that it registered beforehand: its events, and its long jobs.

use std::{collections::VecDeque, sync::Arc};

use dunlin_sync::{Class, Classes, EventNode};

use crate::{
    cause::Stamp,
    ids::{Key, LoopId},
};

/// Registered things and, for each class, those that are to run, first come first served.
/// Scheduling one that is to run already does nothing.
#[derive(Debug)]
pub(crate) struct Agenda {
    /// Whose things these are.
    owner: LoopId,
    slots: Vec<Slot>,
    free: Vec<u32>,
    /// Slots to run. One whose slot is not live (any more) is a tombstone.
    queues: [VecDeque<u32>; 4],
    waiting: Classes,
}

#[derive(Debug)]
struct Slot {
    generation: u32,
    class: Class,
    /// Stands in its queue, perhaps as a tombstone.
    linked: bool,
    /// Is to run.
    live: bool,
    /// How other loops schedule it, once one has asked.
    node: Option<Arc<EventNode<Stamp>>>,
}

impl Agenda {
    pub(crate) fn new(owner: LoopId) -> Self {
        let queues = core::array::from_fn(|_| VecDeque::new());
        Self { owner, slots: Vec::new(), free: Vec::new(), queues, waiting: Classes::NONE }
    }

    pub(crate) fn create(&mut self, class: Class) -> Key {
        let slot = |generation| Slot { generation, class, linked: false, live: false, node: None };
        // A slot that still has a tombstone standing is not reused until that is gone.
        let reusable = self
            .free
            .iter()
            .position(|&index| self.slots.get(index as usize).is_some_and(|slot| !slot.linked));
        if let Some(position) = reusable {
            let index = self.free.swap_remove(position);
            if let Some(old) = self.slots.get_mut(index as usize) {
                *old = slot(old.generation);
                return Key { owner: self.owner, index, generation: old.generation };
            }
        }
        let index = u32::try_from(self.slots.len()).unwrap_or(u32::MAX);
        self.slots.push(slot(0));
        Key { owner: self.owner, index, generation: 0 }
    }

    pub(crate) fn remove(&mut self, key: Key) {
        self.unschedule(key);
        let Some(slot) = self.slot_mut(key) else { return };
        slot.generation = slot.generation.wrapping_add(1);
        if let Some(node) = slot.node.take() {
            node.retire();
        }
        self.free.push(key.index);
    }

    #[inline]
    pub(crate) fn schedule(&mut self, key: Key) {
        let owner = self.owner;
        let Some(slot) = self.slots.get_mut(key.index as usize) else { return };
        if slot.generation != key.generation || key.owner != owner {
            return;
        }
        slot.live = true;
        if !slot.linked {
            slot.linked = true;
            let class = slot.class;
            self.queues[class.index()].push_back(key.index);
            self.waiting = self.waiting.with(class);
        }
    }

    /// Takes back what was scheduled, here or through a handle; true if it was to run.
    pub(crate) fn unschedule(&mut self, key: Key) -> bool {
        let Some(slot) = self.slot_mut(key) else { return false };
        let remote = slot.node.as_ref().is_some_and(|node| node.cancel());
        core::mem::take(&mut slot.live) || remote
    }

    /// The node other loops schedule it by; none if there is no such thing (any more).
    pub(crate) fn share(&mut self, key: Key) -> Option<(Arc<EventNode<Stamp>>, Class)> {
        let slot = self.slot_mut(key)?;
        let node = slot.node.get_or_insert_with(|| EventNode::new(key.index));
        Some((Arc::clone(node), slot.class))
    }

    /// One that another loop scheduled has come: it runs now, so a pending local scheduling has
    /// no more to do.
    pub(crate) fn arrived(&mut self, index: u32) -> Option<(Key, Class)> {
        let slot = self.slots.get_mut(index as usize)?;
        slot.live = false;
        Some((Key { owner: self.owner, index, generation: slot.generation }, slot.class))
    }

    /// Takes the next to run of `class`.
    #[inline]
    pub(crate) fn pop(&mut self, class: Class) -> Option<Key> {
        let queue = &mut self.queues[class.index()];
        let mut found = None;
        while found.is_none()
            && let Some(index) = queue.pop_front()
        {
            let Some(slot) = self.slots.get_mut(index as usize) else { continue };
            slot.linked = false;
            let live = core::mem::take(&mut slot.live);
            found = live.then_some(Key { owner: self.owner, index, generation: slot.generation });
        }
        if queue.is_empty() {
            self.waiting = self.waiting.without(class);
        }
        found
    }

    /// How many stand in the queue of `class`, tombstones included.
    #[inline]
    pub(crate) fn len(&self, class: Class) -> usize {
        self.queues[class.index()].len()
    }

    /// Classes in which something may be to run.
    #[inline]
    pub(crate) fn waiting(&self) -> Classes {
        self.waiting
    }

    /// Retires all handles: the loop goes.
    pub(crate) fn retire(&mut self) {
        for node in self.slots.iter_mut().filter_map(|slot| slot.node.take()) {
            node.retire();
        }
    }

    fn slot_mut(&mut self, key: Key) -> Option<&mut Slot> {
        let slot = self.slots.get_mut(key.index as usize)?;
        (slot.generation == key.generation && key.owner == self.owner).then_some(slot)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scheduling_is_idempotent_and_in_order() {
        let mut agenda = Agenda::new(LoopId(1));
        let a = agenda.create(Class::Routing);
        let b = agenda.create(Class::Routing);
        agenda.schedule(b);
        agenda.schedule(a);
        agenda.schedule(b);
        assert_eq!(agenda.pop(Class::Routing), Some(b));
        agenda.schedule(b);
        assert_eq!(agenda.pop(Class::Routing), Some(a));
        assert_eq!(agenda.pop(Class::Routing), Some(b));
        assert_eq!(agenda.pop(Class::Routing), None);
        assert!(agenda.waiting().is_empty());
    }

    #[test]
    fn what_is_taken_back_does_not_run() {
        let mut agenda = Agenda::new(LoopId(1));
        let a = agenda.create(Class::Bulk);
        agenda.schedule(a);
        assert!(agenda.unschedule(a));
        assert!(!agenda.unschedule(a));
        assert_eq!(agenda.pop(Class::Bulk), None);
        agenda.schedule(a);
        agenda.unschedule(a);
        agenda.schedule(a);
        assert_eq!(agenda.pop(Class::Bulk), Some(a));
        assert_eq!(agenda.pop(Class::Bulk), None);
    }

    #[test]
    fn a_removed_name_names_nothing() {
        let mut agenda = Agenda::new(LoopId(1));
        let old = agenda.create(Class::Bulk);
        agenda.schedule(old);
        agenda.remove(old);
        let new = agenda.create(Class::Bulk);
        agenda.schedule(old);
        assert_eq!(agenda.pop(Class::Bulk), None);
        agenda.schedule(new);
        assert_eq!(agenda.pop(Class::Bulk), Some(new));
    }
}

//! Things a loop has to do that it registered beforehand: its events, and its long jobs.

use std::{collections::VecDeque, sync::Arc};

use dunlin_sync::{Class, Classes, EventNode};

use crate::{
    cause::{self, Stamp},
    ids::{Key, LoopId},
    outcome::Scheduling,
    place::Place,
    stats::TaskStats,
    step::Reason,
    time::Time,
};

/// Registered things and, for each class, those that are to run, first come first served; and those
/// that are to run at the end of the turn. One that is to run in several ways runs once: the first
/// run sees what all who asked for it did before.
#[derive(Debug)]
pub(crate) struct Agenda {
    /// Whose things these are.
    owner: LoopId,
    slots: Vec<Slot>,
    /// Slots without a thing that stand in no queue.
    free: Vec<u32>,
    /// Slots to run. One whose slot is not live (any more) is a tombstone.
    queues: [VecDeque<u32>; 4],
    waiting: Classes,
    /// Slots to run at the end of the turn. One whose slot is not deferred (any more) is a tombstone.
    deferred: VecDeque<u32>,
}

#[derive(Debug)]
struct Slot {
    generation: u32,
    class: Class,
    /// There is a thing here.
    exists: bool,
    /// Stands in its queue, perhaps as a tombstone.
    linked: bool,
    /// Is to run.
    live: bool,
    /// Stands among the deferred, perhaps as a tombstone.
    linked_deferred: bool,
    /// Is to run at the end of the turn.
    is_deferred: bool,
    /// Who in this loop scheduled it first, and when, if it is to run or has just been taken.
    stamp: Stamp,
    /// How other loops schedule it, once one has asked.
    node: Option<Arc<EventNode<Stamp>>>,
}

impl Slot {
    fn new(generation: u32, class: Class) -> Self {
        Self {
            generation,
            class,
            exists: true,
            linked: false,
            live: false,
            linked_deferred: false,
            is_deferred: false,
            stamp: Stamp::default(),
            node: None,
        }
    }

    /// Is to run, in whichever way.
    #[inline]
    fn is_pending(&self) -> bool {
        self.live || self.is_deferred || self.node.as_ref().is_some_and(|node| node.is_pending())
    }

    /// It runs now, or not at all: nobody's wish is left. Takes over what schedulers in other loops
    /// have published. True if it was to run.
    #[inline]
    fn settle(&mut self) -> bool {
        let remote = self.node.as_ref().is_some_and(|node| node.is_pending() && node.cancel());
        core::mem::take(&mut self.live) | core::mem::take(&mut self.is_deferred) | remote
    }

    fn is_free(&self) -> bool {
        !self.exists && !self.linked && !self.linked_deferred
    }
}

impl Agenda {
    pub(crate) fn new(owner: LoopId) -> Self {
        Self {
            owner,
            slots: Vec::new(),
            free: Vec::new(),
            queues: core::array::from_fn(|_| VecDeque::new()),
            waiting: Classes::NONE,
            deferred: VecDeque::new(),
        }
    }

    pub(crate) fn create(&mut self, class: Class) -> Key {
        if let Some(index) = self.free.pop()
            && let Some(old) = self.slots.get_mut(index as usize)
        {
            *old = Slot::new(old.generation, class);
            return Key::new(self.owner, index, old.generation);
        }
        let index = u32::try_from(self.slots.len()).unwrap_or(u32::MAX);
        // Loops are many, and most have one or two.
        if self.slots.len() < 3 {
            self.slots.reserve_exact(1);
        }
        self.slots.push(Slot::new(0, class));
        Key::new(self.owner, index, 0)
    }

    pub(crate) fn remove(&mut self, key: Key) {
        let Some(slot) = self.slot_mut(key) else { return };
        slot.settle();
        slot.generation = slot.generation.wrapping_add(1);
        slot.exists = false;
        if let Some(node) = slot.node.take() {
            node.retire();
        }
        // One that still stands in a queue is free once that comes to it.
        if slot.is_free() {
            self.free.push(key.index());
        }
    }

    #[inline]
    pub(crate) fn schedule(&mut self, key: Key, place: Place) -> Scheduling {
        let Some(slot) = self.slot_mut(key) else { return Scheduling::Gone };
        let was_pending = slot.is_pending();
        // Even if another loop has scheduled it: that may not have reached us for a while.
        if !core::mem::replace(&mut slot.live, true) && !slot.is_deferred {
            slot.stamp = cause::current(slot.class, place);
        }
        if !slot.linked {
            slot.linked = true;
            let class = slot.class;
            self.queues[class.index()].push_back(key.index());
            self.waiting = self.waiting.with(class);
        }
        if was_pending { Scheduling::AlreadyPending } else { Scheduling::Scheduled }
    }

    /// Has it run once more, on behalf of who asked for the run before.
    pub(crate) fn repeat(&mut self, key: Key) {
        let place = self.stamp(key).place;
        self.schedule(key, place);
    }

    /// Has it run at the end of the turn.
    pub(crate) fn defer(&mut self, key: Key, place: Place) -> Scheduling {
        let Some(slot) = self.slot_mut(key) else { return Scheduling::Gone };
        if core::mem::replace(&mut slot.is_deferred, true) {
            return Scheduling::AlreadyPending;
        }
        if !slot.live {
            slot.stamp = cause::current(slot.class, place);
        }
        if !core::mem::replace(&mut slot.linked_deferred, true) {
            self.deferred.push_back(key.index());
        }
        Scheduling::Scheduled
    }

    /// Takes back what was scheduled, here or through a handle; true if it was to run.
    pub(crate) fn unschedule(&mut self, key: Key) -> bool {
        self.slot_mut(key).is_some_and(Slot::settle)
    }

    /// The node other loops schedule it by; none if there is no such thing (any more).
    pub(crate) fn share(&mut self, key: Key) -> Option<(Arc<EventNode<Stamp>>, Class)> {
        let slot = self.slot_mut(key)?;
        let node = slot.node.get_or_insert_with(|| EventNode::new(key.index()));
        Some((Arc::clone(node), slot.class))
    }

    /// The class of a thing that exists.
    pub(crate) fn class(&self, key: Key) -> Option<Class> {
        let slot = self.slots.get(key.index() as usize)?;
        let known = slot.generation == key.generation() && key.owner == self.owner;
        known.then_some(slot.class)
    }

    /// One that another loop scheduled has come: it runs now.
    pub(crate) fn arrived(&mut self, index: u32) -> Option<(Key, Class)> {
        let slot = self.slots.get_mut(index as usize)?;
        slot.settle();
        let key = Key::new(self.owner, index, slot.generation);
        Some((key, slot.class))
    }

    /// Takes the next to run of `class`, and says why it is to.
    #[inline]
    pub(crate) fn pop(&mut self, class: Class, why: &mut Reason) -> Option<Key> {
        let queue = &mut self.queues[class.index()];
        while let Some(index) = queue.pop_front() {
            if queue.is_empty() {
                self.waiting = self.waiting.without(class);
            }
            let Some(slot) = self.slots.get_mut(index as usize) else { continue };
            slot.linked = false;
            if slot.live {
                slot.settle();
                *why = slot.stamp.into();
                return Some(Key::new(self.owner, index, slot.generation));
            } else if slot.is_free() {
                self.free.push(index);
            }
        }
        None
    }

    /// Takes the next to run at the end of the turn.
    pub(crate) fn pop_deferred(&mut self) -> Option<(Key, Class)> {
        while let Some(index) = self.deferred.pop_front() {
            let Some(slot) = self.slots.get_mut(index as usize) else { continue };
            slot.linked_deferred = false;
            if slot.is_deferred {
                slot.settle();
                let key = Key::new(self.owner, index, slot.generation);
                return Some((key, slot.class));
            } else if slot.is_free() {
                self.free.push(index);
            }
        }
        None
    }

    /// Whether something may be to run at the end of the turn.
    #[inline]
    pub(crate) fn has_deferred(&self) -> bool {
        !self.deferred.is_empty()
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

    /// Who scheduled what has just been taken, and when.
    #[inline]
    pub(crate) fn stamp(&self, key: Key) -> Stamp {
        self.slots.get(key.index() as usize).map_or_else(Stamp::default, |slot| slot.stamp)
    }

    /// Since when the first waits, of those of which that is known.
    pub(crate) fn oldest(&self) -> Option<Time> {
        let queues = self.queues.iter().chain([&self.deferred]);
        let waits = |slot: &&Slot| slot.live || slot.is_deferred;
        let first = |queue: &VecDeque<u32>| {
            let mut slots = queue.iter().filter_map(|&index| self.slots.get(index as usize));
            slots.find(waits).map(|slot| slot.stamp.sent)
        };
        queues.filter_map(first).filter(|&sent| sent != Time::ZERO).min()
    }

    /// All that exist.
    pub(crate) fn describe(&self) -> impl Iterator<Item = TaskStats> {
        let existing = (0u32..).zip(&self.slots).filter(|(_, slot)| slot.exists);
        existing.map(|(number, slot)| {
            let here = slot.live || slot.is_deferred;
            let since = Some(slot.stamp.sent).filter(|&at| here && at != Time::ZERO);
            TaskStats { number, class: slot.class, pending: slot.is_pending(), since }
        })
    }

    /// How many are to run, of each class; those of other loops are in the inbox.
    pub(crate) fn pending(&self) -> [usize; 4] {
        let mut pending = [0; 4];
        for slot in self.slots.iter().filter(|slot| slot.live || slot.is_deferred) {
            pending[slot.class.index()] += 1;
        }
        pending
    }

    /// Retires all handles: the loop goes. How many were to run, of each class.
    pub(crate) fn retire(&mut self) -> [u64; 4] {
        let mut pending = [0; 4];
        for slot in self.slots.iter_mut().filter(|slot| slot.exists) {
            let remote = slot.node.take().is_some_and(|node| node.retire());
            pending[slot.class.index()] += u64::from(remote || slot.live || slot.is_deferred);
        }
        pending
    }

    #[inline]
    fn slot_mut(&mut self, key: Key) -> Option<&mut Slot> {
        let slot = self.slots.get_mut(key.index() as usize)?;
        (slot.generation == key.generation() && key.owner == self.owner).then_some(slot)
    }
}

#[cfg(test)]
mod tests {
    use dunlin_sync::Inbox;

    use super::*;

    fn pop(agenda: &mut Agenda, class: Class) -> Option<Key> {
        let mut why = Reason::NONE;
        agenda.pop(class, &mut why)
    }

    #[test]
    fn scheduling_is_idempotent_and_in_order() {
        let mut agenda = Agenda::new(LoopId(1));
        let a = agenda.create(Class::Routing);
        let b = agenda.create(Class::Routing);
        agenda.schedule(b, Place::here());
        agenda.schedule(a, Place::here());
        agenda.schedule(b, Place::here());
        assert_eq!(pop(&mut agenda, Class::Routing), Some(b));
        agenda.schedule(b, Place::here());
        assert_eq!(pop(&mut agenda, Class::Routing), Some(a));
        assert_eq!(pop(&mut agenda, Class::Routing), Some(b));
        assert_eq!(pop(&mut agenda, Class::Routing), None);
        assert!(agenda.waiting().is_empty());
    }

    #[test]
    fn what_is_taken_back_does_not_run() {
        let mut agenda = Agenda::new(LoopId(1));
        let a = agenda.create(Class::Bulk);
        agenda.schedule(a, Place::here());
        assert!(agenda.unschedule(a));
        assert!(!agenda.unschedule(a));
        assert_eq!(pop(&mut agenda, Class::Bulk), None);
        agenda.schedule(a, Place::here());
        agenda.unschedule(a);
        agenda.schedule(a, Place::here());
        assert_eq!(pop(&mut agenda, Class::Bulk), Some(a));
        assert_eq!(pop(&mut agenda, Class::Bulk), None);
    }

    #[test]
    fn a_removed_name_names_nothing() {
        let mut agenda = Agenda::new(LoopId(1));
        let old = agenda.create(Class::Bulk);
        agenda.schedule(old, Place::here());
        agenda.remove(old);
        let new = agenda.create(Class::Bulk);
        agenda.schedule(old, Place::here());
        assert_eq!(pop(&mut agenda, Class::Bulk), None);
        agenda.schedule(new, Place::here());
        assert_eq!(pop(&mut agenda, Class::Bulk), Some(new));
    }

    #[test]
    fn what_is_pending_in_several_ways_runs_once() {
        let mut agenda = Agenda::new(LoopId(1));
        let inbox = Inbox::<(), Stamp>::new();
        let a = agenda.create(Class::Routing);
        let (node, _) = agenda.share(a).unwrap();
        let all = |agenda: &mut Agenda| {
            assert_eq!(agenda.schedule(a, Place::here()), Scheduling::Scheduled);
            assert_eq!(agenda.schedule(a, Place::here()), Scheduling::AlreadyPending);
            agenda.defer(a, Place::here());
            inbox.schedule(&node, Stamp::default());
        };
        all(&mut agenda);
        assert_eq!(pop(&mut agenda, Class::Routing), Some(a));
        assert_eq!((agenda.pop_deferred(), inbox.take_all().count()), (None, 0));
        all(&mut agenda);
        assert_eq!(agenda.pop_deferred(), Some((a, Class::Routing)));
        assert_eq!((pop(&mut agenda, Class::Routing), inbox.take_all().count()), (None, 0));
        all(&mut agenda);
        assert_eq!(inbox.take_all().count(), 1);
        assert_eq!(agenda.arrived(0), Some((a, Class::Routing)));
        assert_eq!((pop(&mut agenda, Class::Routing), agenda.pop_deferred()), (None, None));
        inbox.schedule(&node, Stamp::default());
        assert_eq!(agenda.schedule(a, Place::here()), Scheduling::AlreadyPending);
        assert!(agenda.unschedule(a));
        assert_eq!((pop(&mut agenda, Class::Routing), inbox.take_all().count()), (None, 0));
    }

    #[test]
    fn slots_are_used_again_once_no_queue_has_them() {
        let mut agenda = Agenda::new(LoopId(1));
        for _ in 0..100 {
            let key = agenda.create(Class::Control);
            agenda.schedule(key, Place::here());
            agenda.defer(key, Place::here());
            agenda.remove(key);
            assert_eq!(pop(&mut agenda, Class::Control), None);
            assert_eq!(agenda.pop_deferred(), None);
        }
        assert_eq!((agenda.slots.len(), agenda.free.len()), (1, 1));
    }
}

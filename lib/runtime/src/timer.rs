//! The timers of one loop: two heaps, one for liveness and one for the rest, so that the worker
//! can ask for either's next deadline.

use core::time::Duration;

use dunlin_sync::Class;

use crate::{
    ids::{Key, LoopId, TimerId},
    time::Time,
};

/// All timers of a loop. Arming, moving and disarming are O(log n); nothing expires early.
#[derive(Debug)]
pub(crate) struct Timers {
    /// Whose timers these are.
    owner: LoopId,
    slots: Vec<Slot>,
    free: Vec<u32>,
    liveness: Heap,
    rest: Heap,
    /// Counts armings: timers due at the same moment expire in the order armed.
    armings: u64,
}

#[derive(Debug)]
struct Slot {
    generation: u32,
    class: Class,
    /// Where in its heap, or [`UNARMED`].
    position: u32,
    when: Time,
    arming: u64,
    period: Option<Duration>,
}

/// A timer that has expired.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Expired {
    pub(crate) timer: TimerId,
    pub(crate) class: Class,
    pub(crate) due: Time,
}

impl Timers {
    pub(crate) fn new(owner: LoopId) -> Self {
        let (liveness, rest) = (Heap::default(), Heap::default());
        Self { owner, slots: Vec::new(), free: Vec::new(), liveness, rest, armings: 0 }
    }

    pub(crate) fn create(&mut self, class: Class) -> TimerId {
        let slot = |generation| Slot {
            generation,
            class,
            position: UNARMED,
            when: Time::NEVER,
            arming: 0,
            period: None,
        };
        if let Some(index) = self.free.pop()
            && let Some(old) = self.slots.get_mut(index as usize)
        {
            *old = slot(old.generation);
            return TimerId(Key { owner: self.owner, index, generation: old.generation });
        }
        let index = u32::try_from(self.slots.len()).unwrap_or(u32::MAX);
        self.slots.push(slot(0));
        TimerId(Key { owner: self.owner, index, generation: 0 })
    }

    pub(crate) fn remove(&mut self, timer: TimerId) {
        self.disarm(timer);
        if let Some(slot) = self.slot_mut(timer) {
            slot.generation = slot.generation.wrapping_add(1);
            self.free.push(timer.0.index);
        }
    }

    pub(crate) fn arm(&mut self, timer: TimerId, when: Time) {
        self.set(timer, when, None);
    }

    pub(crate) fn arm_every(&mut self, timer: TimerId, now: Time, period: Duration) {
        let period = period.max(SHORTEST_PERIOD);
        self.set(timer, now + period, Some(period));
    }

    pub(crate) fn disarm(&mut self, timer: TimerId) -> bool {
        let Some(slot) = self.slot_mut(timer) else { return false };
        slot.period = None;
        let (class, position) = (slot.class, slot.position);
        if position == UNARMED {
            return false;
        }
        let (heap, slots) = self.heap(class);
        heap.take(slots, position);
        true
    }

    pub(crate) fn expires(&self, timer: TimerId) -> Option<Time> {
        let slot = self.slots.get(timer.0.index as usize)?;
        let known = slot.generation == timer.0.generation && timer.0.owner == self.owner;
        (known && slot.position != UNARMED).then_some(slot.when)
    }

    /// When the first liveness timer expires.
    pub(crate) fn next_liveness(&self) -> Time {
        self.liveness.first(&self.slots)
    }

    /// When the first of all other timers expires.
    pub(crate) fn next_rest(&self) -> Time {
        self.rest.first(&self.slots)
    }

    /// Takes the first liveness timer that is due.
    pub(crate) fn expire_liveness(&mut self, now: Time) -> Option<Expired> {
        if self.next_liveness() > now { None } else { self.expire(Class::Liveness, now) }
    }

    /// Takes the first other timer that is due.
    pub(crate) fn expire_rest(&mut self, now: Time) -> Option<Expired> {
        if self.next_rest() > now { None } else { self.expire(Class::Control, now) }
    }

    /// Timers that exist.
    pub(crate) fn len(&self) -> usize {
        self.slots.len().saturating_sub(self.free.len())
    }

    fn expire(&mut self, of: Class, now: Time) -> Option<Expired> {
        let owner = self.owner;
        let (heap, slots) = self.heap(of);
        let index = *heap.order.first()?;
        heap.take(slots, 0);
        let slot = slots.get_mut(index as usize)?;
        let timer = TimerId(Key { owner, index, generation: slot.generation });
        let expired = Expired { timer, class: slot.class, due: slot.when };
        if let Some(period) = slot.period {
            let when = next_on_grid(slot.when, period, now);
            self.set(timer, when, Some(period));
        }
        Some(expired)
    }

    fn set(&mut self, timer: TimerId, when: Time, period: Option<Duration>) {
        self.armings += 1;
        let arming = self.armings;
        let Some(slot) = self.slot_mut(timer) else { return };
        slot.when = when;
        slot.arming = arming;
        slot.period = period;
        let (class, position) = (slot.class, slot.position);
        let (heap, slots) = self.heap(class);
        if position == UNARMED {
            heap.put(slots, timer.0.index);
        } else {
            heap.settle(slots, position as usize);
        }
    }

    fn slot_mut(&mut self, timer: TimerId) -> Option<&mut Slot> {
        let slot = self.slots.get_mut(timer.0.index as usize)?;
        let known = slot.generation == timer.0.generation && timer.0.owner == self.owner;
        known.then_some(slot)
    }

    fn heap(&mut self, class: Class) -> (&mut Heap, &mut [Slot]) {
        let heap = match class {
            Class::Liveness => &mut self.liveness,
            Class::Control | Class::Routing | Class::Bulk => &mut self.rest,
        };
        (heap, &mut self.slots)
    }
}

/// The first moment after `now` that is a whole number of periods after `when`.
fn next_on_grid(when: Time, period: Duration, now: Time) -> Time {
    let period = crate::time::nanos(period).max(1);
    let missed = now.as_nanos().saturating_sub(when.as_nanos()) / period;
    let span = period.saturating_mul(missed.saturating_add(1));
    Time::from_nanos(when.as_nanos().saturating_add(span))
}

/// A binary heap of slot numbers; each slot knows its position.
#[derive(Debug, Default)]
struct Heap {
    order: Vec<u32>,
}

impl Heap {
    fn first(&self, slots: &[Slot]) -> Time {
        let first = self.order.first().and_then(|&index| slots.get(index as usize));
        first.map_or(Time::NEVER, |slot| slot.when)
    }

    fn put(&mut self, slots: &mut [Slot], index: u32) {
        self.order.push(index);
        self.rise(slots, self.order.len() - 1);
    }

    fn take(&mut self, slots: &mut [Slot], position: u32) {
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
    fn settle(&mut self, slots: &mut [Slot], position: usize) {
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

const UNARMED: u32 = u32::MAX;
const SHORTEST_PERIOD: Duration = Duration::from_micros(1);

#[cfg(test)]
mod tests {
    use super::*;

    fn at(nanos: u64) -> Time {
        Time::from_nanos(nanos)
    }

    fn drain(timers: &mut Timers, now: Time) -> Vec<TimerId> {
        core::iter::from_fn(|| timers.expire_rest(now)).map(|e| e.timer).collect()
    }

    #[test]
    fn order_is_by_moment_then_by_arming() {
        let mut timers = Timers::new(LoopId(1));
        let ids: Vec<_> = (0..4).map(|_| timers.create(Class::Control)).collect();
        timers.arm(ids[0], at(30));
        timers.arm(ids[1], at(10));
        timers.arm(ids[2], at(20));
        timers.arm(ids[3], at(10));
        assert_eq!(drain(&mut timers, at(9)), []);
        assert_eq!(drain(&mut timers, at(20)), [ids[1], ids[3], ids[2]]);
        assert_eq!(timers.next_rest(), at(30));
    }

    #[test]
    fn move_and_disarm() {
        let mut timers = Timers::new(LoopId(1));
        let timer = timers.create(Class::Liveness);
        timers.arm(timer, at(10));
        timers.arm(timer, at(50));
        assert_eq!(timers.expire_liveness(at(49)), None);
        assert_eq!(timers.expires(timer), Some(at(50)));
        timers.arm(timer, at(5));
        assert!(timers.disarm(timer));
        assert!(!timers.disarm(timer));
        assert_eq!(timers.expire_liveness(at(1000)), None);
    }

    #[test]
    fn periods_do_not_drift_and_missed_ones_collapse() {
        let mut timers = Timers::new(LoopId(1));
        let timer = timers.create(Class::Routing);
        timers.arm_every(timer, at(0), Duration::from_micros(10));
        assert_eq!(drain(&mut timers, at(10_500)), [timer]);
        assert_eq!(timers.expires(timer), Some(at(20_000)));
        assert_eq!(drain(&mut timers, at(45_000)), [timer]);
        assert_eq!(timers.expires(timer), Some(at(50_000)));
    }

    #[test]
    fn a_removed_timers_name_names_nothing() {
        let mut timers = Timers::new(LoopId(1));
        let old = timers.create(Class::Routing);
        timers.arm(old, at(1));
        timers.remove(old);
        let new = timers.create(Class::Routing);
        assert_ne!(old, new);
        timers.arm(old, at(1));
        assert_eq!(timers.next_rest(), Time::NEVER);
        assert_eq!(timers.len(), 1);
    }

    #[test]
    fn random_operations_keep_the_heap() {
        let mut timers = Timers::new(LoopId(1));
        let ids: Vec<_> = (0..64).map(|_| timers.create(Class::Bulk)).collect();
        let mut model = vec![None; 64];
        let mut seed = 1u64;
        let mut next = || {
            seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            seed >> 33
        };
        for _ in 0..20_000 {
            let which = (next() % 64) as usize;
            match next() % 4 {
                0 => assert_eq!(timers.disarm(ids[which]), model[which].take().is_some()),
                1 => {
                    let now = at(next() % 1000);
                    let got = timers.expire_rest(now).map(|e| e.due);
                    let due = model.iter().flatten().min().copied().filter(|due| *due <= now);
                    assert_eq!(got, due);
                    for (slot, id) in model.iter_mut().zip(&ids) {
                        *slot = timers.expires(*id);
                    }
                }
                _ => {
                    let when = at(next() % 1000);
                    timers.arm(ids[which], when);
                    model[which] = Some(when);
                }
            }
            assert_eq!(
                timers.next_rest(),
                model.iter().flatten().min().copied().unwrap_or(Time::NEVER)
            );
        }
    }
}

//! When each loop of a worker next needs it for a timer.

use crate::time::Time;

/// A heap of moments, at most one for each slot, that can be moved and taken out.
#[derive(Debug, Default)]
pub(crate) struct DeadlineHeap {
    order: Vec<(Time, u32)>,
    /// Position of each slot in `order`, or [`ABSENT`].
    positions: Vec<u32>,
}

impl DeadlineHeap {
    /// The earliest moment.
    #[inline]
    pub(crate) fn first(&self) -> Time {
        self.order.first().map_or(Time::NEVER, |first| first.0)
    }

    /// The earliest moment of any slot but this.
    #[inline]
    pub(crate) fn first_but(&self, slot: u32) -> Time {
        match self.order.first() {
            Some(first) if first.1 != slot => first.0,
            Some(_) => {
                let child = |at: usize| self.order.get(at).map_or(Time::NEVER, |entry| entry.0);
                child(1).min(child(2))
            }
            None => Time::NEVER,
        }
    }

    /// Whether a slot's moment has come.
    pub(crate) fn is_due(&self, slot: u32, now: Time) -> bool {
        let position = self.positions.get(slot as usize);
        let entry = position.and_then(|&position| self.order.get(position as usize));
        entry.is_some_and(|entry| entry.0 <= now)
    }

    /// Sets a slot's moment; [`Time::NEVER`] takes it out.
    #[inline]
    pub(crate) fn set(&mut self, slot: u32, when: Time) {
        let index = slot as usize;
        if index >= self.positions.len() {
            if when == Time::NEVER {
                return;
            }
            self.positions.resize(index + 1, ABSENT);
        }
        let position = self.positions[index] as usize;
        match (self.order.get_mut(position), when) {
            (None, Time::NEVER) => {}
            (None, _) => {
                self.order.push((when, slot));
                self.rise(self.order.len() - 1);
            }
            (Some(_), Time::NEVER) => self.take(position),
            (Some(entry), _) if entry.0 == when => {}
            (Some(entry), _) => {
                entry.0 = when;
                let position = self.rise(position);
                self.sink(position);
            }
        }
    }

    /// Takes the first slot whose moment has come.
    pub(crate) fn pop_due(&mut self, now: Time) -> Option<u32> {
        let &(when, slot) = self.order.first()?;
        if when > now {
            return None;
        }
        self.take(0);
        Some(slot)
    }

    fn take(&mut self, position: usize) {
        let (_, slot) = self.order.swap_remove(position);
        self.positions[slot as usize] = ABSENT;
        if position < self.order.len() {
            let position = self.rise(position);
            self.sink(position);
        }
    }

    fn rise(&mut self, mut position: usize) -> usize {
        while position > 0 {
            let parent = (position - 1) / 2;
            if self.order[parent].0 <= self.order[position].0 {
                break;
            }
            self.order.swap(position, parent);
            self.note(position);
            position = parent;
        }
        self.note(position);
        position
    }

    fn sink(&mut self, mut position: usize) {
        loop {
            let (left, right) = (2 * position + 1, 2 * position + 2);
            if left >= self.order.len() {
                break;
            }
            let takes_right = right < self.order.len() && self.order[right].0 < self.order[left].0;
            let child = if takes_right { right } else { left };
            if self.order[position].0 <= self.order[child].0 {
                break;
            }
            self.order.swap(position, child);
            self.note(position);
            position = child;
        }
        self.note(position);
    }

    fn note(&mut self, position: usize) {
        self.positions[self.order[position].1 as usize] = position as u32;
    }
}

const ABSENT: u32 = u32::MAX;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_a_model() {
        let mut heap = DeadlineHeap::default();
        let mut model = [None; 32];
        let mut seed = 7u64;
        let mut next = |below: u64| {
            seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (seed >> 33) % below
        };
        for _ in 0..50_000 {
            let slot = next(32) as usize;
            match next(4) {
                0 => {
                    heap.set(slot as u32, Time::NEVER);
                    model[slot] = None;
                }
                1 => {
                    let now = Time::from_nanos(next(500));
                    let due = model.iter().flatten().min().copied().filter(|due| *due <= now);
                    let popped = heap.pop_due(now);
                    assert_eq!(popped.and_then(|slot| model[slot as usize].take()), due);
                }
                _ => {
                    let when = Time::from_nanos(next(1000));
                    heap.set(slot as u32, when);
                    model[slot] = Some(when);
                }
            }
            let first = model.iter().flatten().min().copied().unwrap_or(Time::NEVER);
            assert_eq!(heap.first(), first);
            let now = Time::from_nanos(next(1000));
            assert_eq!(heap.is_due(slot as u32, now), model[slot].is_some_and(|due| due <= now));
            let others = model.iter().enumerate().filter(|(at, _)| *at != slot);
            let first = others.filter_map(|(_, when)| *when).min().unwrap_or(Time::NEVER);
            assert_eq!(heap.first_but(slot as u32), first);
        }
    }
}

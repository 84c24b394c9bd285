//! The timers of one loop: two heaps, one for liveness and one for the rest, so that the worker
//! can ask for either's next deadline.

mod heap;
#[cfg(test)]
mod tests;

use core::time::Duration;

use dunlin_sync::Class;
use dunlin_trace::RecordId;

use self::heap::Heap;
use crate::{
    cause,
    ids::{Key, LoopId, TimerId},
    outcome::Armed,
    place::Place,
    time::{Time, nanos},
};

/// How often a timer expires once armed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rhythm {
    /// Once.
    Once,
    /// At every whole number of periods after it was armed. Expiries do not drift; those missed
    /// collapse into one.
    Anchored {
        /// From one expiry to the next.
        period: Duration,
    },
    /// An interval after each time it actually expired, so one that is late delays those that follow.
    Drifting {
        /// From one expiry to the next, on average.
        interval: Duration,
        /// How much more or less it is each time, by chance, all values alike; half the interval at
        /// most.
        jitter: Duration,
    },
}

/// One timer, armed or idle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimerInfo {
    /// Its name.
    pub timer: TimerId,
    /// Its class.
    pub class: Class,
    /// How it was last armed.
    pub rhythm: Rhythm,
    /// When it expires next; none if it is idle.
    pub expires: Option<Time>,
    /// When it expired last.
    pub expired: Option<Time>,
    /// How much later than due it may expire, so that several expire together.
    pub slack: Duration,
}

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
    /// Where in its heap, or [`UNARMED`].
    position: u32,
    /// When it expires: `due`, put off by its slack.
    when: Time,
    arming: u64,
    class: Class,
    /// There is a timer here.
    exists: bool,
    due: Time,
    /// When the span that ends at `due` began.
    began: Time,
    rhythm: Rhythm,
    /// Nanoseconds.
    slack: u64,
    /// When it expired last; zero if it has not.
    expired: Time,
    /// Flight record of the handler that armed it, and where it did.
    cause: RecordId,
    place: Place,
}

/// A timer that has expired.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Expired {
    pub(crate) timer: TimerId,
    pub(crate) class: Class,
    pub(crate) due: Time,
    /// It goes on from when it expired: see [`Timers::drift`].
    pub(crate) drifts: bool,
    /// Flight record of the handler that armed it; a periodic one was armed but once.
    pub(crate) cause: RecordId,
    /// Where that was.
    pub(crate) place: Place,
}

/// Making, arming, disarming.
impl Timers {
    pub(crate) fn new(owner: LoopId) -> Self {
        let (liveness, rest) = (Heap::default(), Heap::default());
        Self { owner, slots: Vec::new(), free: Vec::new(), liveness, rest, armings: 0 }
    }

    pub(crate) fn create(&mut self, class: Class) -> TimerId {
        if let Some(index) = self.free.pop()
            && let Some(old) = self.slots.get_mut(index as usize)
        {
            *old = Slot::new(old.generation, class);
            return TimerId(Key::new(self.owner, index, old.generation));
        }
        let index = u32::try_from(self.slots.len()).unwrap_or(u32::MAX);
        // Loops are many, and most have one or two.
        if self.slots.len() < 3 {
            self.slots.reserve_exact(1);
        }
        self.slots.push(Slot::new(0, class));
        TimerId(Key::new(self.owner, index, 0))
    }

    pub(crate) fn remove(&mut self, timer: TimerId) {
        self.disarm(timer);
        if let Some(slot) = self.slot_mut(timer) {
            slot.generation = slot.generation.wrapping_add(1);
            slot.exists = false;
            self.free.push(timer.0.index());
        }
    }

    #[track_caller]
    pub(crate) fn arm(&mut self, timer: TimerId, now: Time, when: Time) -> Armed {
        let span = Span { began: now, due: when, rhythm: Rhythm::Once };
        self.set_by(timer, span, Place::here())
    }

    #[track_caller]
    pub(crate) fn arm_every(&mut self, timer: TimerId, now: Time, period: Duration) -> Armed {
        let period = period.max(SHORTEST_PERIOD);
        self.set_by(timer, Span::new(now, Rhythm::Anchored { period }, 0), Place::here())
    }

    /// `random` decides the jitter of the first expiry.
    #[track_caller]
    pub(crate) fn arm_drifting(
        &mut self,
        timer: TimerId,
        now: Time,
        interval: Duration,
        jitter: Duration,
        random: u64,
    ) -> Armed {
        let interval = interval.max(SHORTEST_PERIOD);
        let jitter = jitter.min(interval / 2);
        let span = Span::new(now, Rhythm::Drifting { interval, jitter }, random);
        self.set_by(timer, span, Place::here())
    }

    /// Arms a timer as it was armed last, from now on; none if it never was.
    #[track_caller]
    pub(crate) fn restart(&mut self, timer: TimerId, now: Time, random: u64) -> Option<Armed> {
        let Some(slot) = self.slot(timer) else { return Some(Armed::NoSuchTimer) };
        if slot.arming == 0 {
            return None;
        }
        let span = match slot.rhythm {
            Rhythm::Once => Span { began: now, due: now + (slot.due - slot.began), ..slot.span() },
            rhythm => Span::new(now, rhythm, random),
        };
        Some(self.set_by(timer, span, Place::here()))
    }

    /// Changes the interval of a periodic timer; what runs now ends an interval after it began. None
    /// if it is not periodic, or idle.
    #[track_caller]
    pub(crate) fn set_interval(
        &mut self,
        timer: TimerId,
        interval: Duration,
        random: u64,
    ) -> Option<Armed> {
        let Some(slot) = self.slot(timer) else { return Some(Armed::NoSuchTimer) };
        let interval = interval.max(SHORTEST_PERIOD);
        let rhythm = match slot.rhythm {
            Rhythm::Once => return None,
            Rhythm::Anchored { .. } => Rhythm::Anchored { period: interval },
            Rhythm::Drifting { jitter, .. } => {
                Rhythm::Drifting { interval, jitter: jitter.min(interval / 2) }
            }
        };
        let (began, armed) = (slot.began, slot.position != UNARMED);
        let place = Place::here();
        armed.then(|| self.set_by(timer, Span::new(began, rhythm, random), place))
    }

    /// Lets a timer expire up to so much late, from its next arming on; false if there is none.
    pub(crate) fn set_slack(&mut self, timer: TimerId, slack: Duration) -> bool {
        let Some(slot) = self.slot_mut(timer) else { return false };
        slot.slack = nanos(slack);
        true
    }

    pub(crate) fn disarm(&mut self, timer: TimerId) -> bool {
        let Some(slot) = self.slot_mut(timer) else { return false };
        let (class, position) = (slot.class, slot.position);
        if position == UNARMED {
            return false;
        }
        let (heap, slots) = self.heap(class);
        heap.take(slots, position);
        true
    }

    /// As [`set`](Self::set), on behalf of the handler that runs, at `place`.
    fn set_by(&mut self, timer: TimerId, span: Span, place: Place) -> Armed {
        if let Some(slot) = self.slot_mut(timer) {
            slot.cause = cause::running().record;
            slot.place = place;
        }
        self.set(timer, span)
    }

    fn set(&mut self, timer: TimerId, span: Span) -> Armed {
        let arming = self.armings + 1;
        let Some(slot) = self.slot_mut(timer) else { return Armed::NoSuchTimer };
        let from = slot.when;
        slot.when = put_off(span.due, slot.slack);
        slot.arming = arming;
        (slot.began, slot.due, slot.rhythm) = (span.began, span.due, span.rhythm);
        let (class, position) = (slot.class, slot.position);
        self.armings = arming;
        let (heap, slots) = self.heap(class);
        if position == UNARMED {
            heap.put(slots, timer.0.index());
            Armed::Armed
        } else {
            heap.settle(slots, position as usize);
            Armed::Moved { from }
        }
    }
}

/// Expiring.
impl Timers {
    /// When the first liveness timer expires.
    #[inline]
    pub(crate) fn next_liveness(&self) -> Time {
        self.liveness.first()
    }

    /// When the first of all other timers expires.
    #[inline]
    pub(crate) fn next_rest(&self) -> Time {
        self.rest.first()
    }

    /// Takes the first liveness timer that is due.
    #[inline]
    pub(crate) fn expire_liveness(&mut self, now: Time) -> Option<Expired> {
        if self.next_liveness() > now { None } else { self.expire(Class::Liveness, now) }
    }

    /// Takes the first other timer that is due.
    #[inline]
    pub(crate) fn expire_rest(&mut self, now: Time) -> Option<Expired> {
        if self.next_rest() > now { None } else { self.expire(Class::Control, now) }
    }

    fn expire(&mut self, of: Class, now: Time) -> Option<Expired> {
        let owner = self.owner;
        let (heap, slots) = self.heap(of);
        let index = heap.first_index()?;
        heap.take(slots, 0);
        let slot = slots.get_mut(index as usize)?;
        slot.expired = now;
        let timer = TimerId(Key::new(owner, index, slot.generation));
        let drifts = matches!(slot.rhythm, Rhythm::Drifting { .. });
        let (cause, place) = (slot.cause, slot.place);
        let expired = Expired { timer, class: slot.class, due: slot.when, drifts, cause, place };
        if let Rhythm::Anchored { period } = slot.rhythm {
            let due = next_on_grid(slot.due, period, now);
            let span = Span { began: due - period, due, rhythm: slot.rhythm };
            self.set(timer, span);
        }
        Some(expired)
    }

    /// Arms a drifting timer again, which has expired at `now`.
    pub(crate) fn drift(&mut self, timer: TimerId, now: Time, random: u64) {
        if let Some(slot) = self.slot(timer) {
            let rhythm = slot.rhythm;
            self.set(timer, Span::new(now, rhythm, random));
        }
    }
}

/// Asking.
impl Timers {
    pub(crate) fn expires(&self, timer: TimerId) -> Option<Time> {
        let slot = self.slot(timer)?;
        (slot.position != UNARMED).then_some(slot.when)
    }

    pub(crate) fn exists(&self, timer: TimerId) -> bool {
        self.slot(timer).is_some()
    }

    /// Timers that exist.
    pub(crate) fn len(&self) -> usize {
        self.slots.len().saturating_sub(self.free.len())
    }

    /// All timers, idle ones too.
    pub(crate) fn list(&self) -> impl Iterator<Item = TimerInfo> {
        let existing = self.slots.iter().enumerate().filter(|(_, slot)| slot.exists);
        existing.map(|(index, slot)| TimerInfo {
            timer: TimerId(Key::new(self.owner, index as u32, slot.generation)),
            class: slot.class,
            rhythm: slot.rhythm,
            expires: (slot.position != UNARMED).then_some(slot.when),
            expired: (slot.expired != Time::ZERO).then_some(slot.expired),
            slack: Duration::from_nanos(slot.slack),
        })
    }

    fn slot(&self, timer: TimerId) -> Option<&Slot> {
        let slot = self.slots.get(timer.0.index() as usize)?;
        let known = slot.generation == timer.0.generation() && timer.0.owner == self.owner;
        known.then_some(slot)
    }

    fn slot_mut(&mut self, timer: TimerId) -> Option<&mut Slot> {
        let slot = self.slots.get_mut(timer.0.index() as usize)?;
        let known = slot.generation == timer.0.generation() && timer.0.owner == self.owner;
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

impl Slot {
    fn new(generation: u32, class: Class) -> Self {
        Self {
            generation,
            position: UNARMED,
            when: Time::NEVER,
            arming: 0,
            class,
            exists: true,
            due: Time::NEVER,
            began: Time::ZERO,
            rhythm: Rhythm::Once,
            slack: 0,
            expired: Time::ZERO,
            cause: RecordId::NONE,
            place: Place::NOWHERE,
        }
    }

    fn span(&self) -> Span {
        Span { began: self.began, due: self.due, rhythm: self.rhythm }
    }
}

/// What a timer waits for.
#[derive(Clone, Copy, Debug)]
struct Span {
    began: Time,
    due: Time,
    rhythm: Rhythm,
}

impl Span {
    /// A span of a periodic timer.
    fn new(began: Time, rhythm: Rhythm, random: u64) -> Self {
        let length = match rhythm {
            Rhythm::Once => Duration::ZERO,
            Rhythm::Anchored { period } => period,
            Rhythm::Drifting { interval, jitter } => jittered(interval, jitter, random),
        };
        Self { began, due: began + length, rhythm }
    }
}

/// The first moment after `now` that is a whole number of periods after `when`.
fn next_on_grid(when: Time, period: Duration, now: Time) -> Time {
    let period = nanos(period).max(1);
    let missed = now.as_nanos().saturating_sub(when.as_nanos()) / period;
    let span = period.saturating_mul(missed.saturating_add(1));
    Time::from_nanos(when.as_nanos().saturating_add(span))
}

/// The interval, more or less by up to `jitter`, which is at most half of it.
fn jittered(interval: Duration, jitter: Duration, random: u64) -> Duration {
    let most = u128::from(nanos(jitter)) * 2 + 1;
    let more = ((u128::from(random) * most) >> 64) as u64;
    interval.saturating_sub(jitter).saturating_add(Duration::from_nanos(more))
}

/// A moment no earlier than `due` and later by less than `slack`, and the same for all that are due
/// about then: timers of all loops meet on a grid as wide as the greatest power of two that fits.
fn put_off(due: Time, slack: u64) -> Time {
    let Some(width) = slack.checked_ilog2().map(|bits| 1u64 << bits) else { return due };
    due.as_nanos().checked_next_multiple_of(width).map_or(due, Time::from_nanos)
}

const UNARMED: u32 = u32::MAX;
const SHORTEST_PERIOD: Duration = Duration::from_micros(1);

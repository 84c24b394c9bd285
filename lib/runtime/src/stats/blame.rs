//! Who is to blame if a handler ran late.

use core::time::Duration;

use super::handlers::{Culprit, Who};
use crate::{ids::LoopId, time::Time};

/// A handler that held its worker for long.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Held {
    pub(super) began: Time,
    pub(super) ended: Time,
    pub(super) who: Who,
}

impl Held {
    fn span(&self) -> Duration {
        self.ended.since(self.began)
    }

    fn overlap(&self, from: Time, until: Time) -> Duration {
        self.ended.min(until).since(self.began.max(from))
    }
}

/// What a worker remembers, to say why somebody had to wait.
#[derive(Debug)]
pub(super) struct Blame {
    /// The last handlers that held the worker for long.
    long: Recent<Held>,
    /// Who held the workers that loops came from lately: not this one, and not the other loops here.
    before: Recent<(LoopId, Held)>,
    /// When the worker last came out of a sleep.
    woke: Time,
    /// Since when the loop whose turn it is is not with another worker.
    here_since: Time,
}

impl Blame {
    pub(super) fn new() -> Self {
        let (long, before) = (Recent::default(), Recent::default());
        Self { long, before, woke: Time::ZERO, here_since: Time::ZERO }
    }

    /// The turn of a loop begins that came from another worker then: [`Time::ZERO`] if from none.
    #[inline]
    pub(super) fn turn(&mut self, here_since: Time) {
        self.here_since = here_since;
    }

    /// A handler held the worker for long.
    #[cold]
    pub(super) fn held(&mut self, held: Held) {
        self.long.add(held);
    }

    /// The worker has slept, until now.
    pub(super) fn woke(&mut self, now: Time) {
        self.woke = now;
    }

    /// A loop goes to another worker: who held it up here, if somebody may have. Of what waited that
    /// can be more than half of the time only for who ended less than his own time ago.
    #[cold]
    pub(super) fn leaves(&self, loop_id: LoopId, now: Time) -> Option<Held> {
        let of_it = self.before.each().filter(|(whose, _)| *whose == loop_id).map(|(_, held)| held);
        let all = self.long.each().chain(of_it);
        all.filter(|held| now.since(held.ended) < held.span())
            .max_by_key(|held| held.span())
            .copied()
    }

    /// A loop comes from another worker, where this held it up.
    #[cold]
    pub(super) fn comes(&mut self, loop_id: LoopId, held: Held) {
        self.before.add((loop_id, held));
    }

    /// Why a handler of the loop whose turn it is waited from `from` until `until`.
    #[cold]
    pub(super) fn culprit(&self, loop_id: LoopId, from: Time, until: Time) -> Culprit {
        let most = until.since(from) / 2;
        let here = from.max(self.here_since);
        let own = self.long.each().map(|held| (held, held.overlap(here, until)));
        let elsewhere = self.before.each().filter(|(whose, _)| *whose == loop_id && from < here);
        let elsewhere = elsewhere.map(|(_, held)| (held, held.overlap(from, until)));
        match own.chain(elsewhere).max_by_key(|(_, overlap)| *overlap) {
            Some((held, overlap)) if overlap > most => Culprit::Handler(held.who, held.span()),
            _ if self.woke.min(until).since(here) > most => Culprit::System,
            _ if here.min(until).since(from) > most => Culprit::Elsewhere(until.since(here)),
            _ => Culprit::Several,
        }
    }
}

/// The last few.
#[derive(Debug)]
struct Recent<T> {
    kept: [Option<T>; 16],
    next: usize,
}

impl<T> Default for Recent<T> {
    fn default() -> Self {
        Self { kept: [const { None }; 16], next: 0 }
    }
}

impl<T> Recent<T> {
    fn add(&mut self, one: T) {
        self.kept[self.next % self.kept.len()] = Some(one);
        self.next += 1;
    }

    fn each(&self) -> impl Iterator<Item = &T> {
        self.kept.iter().flatten()
    }
}

#[cfg(test)]
mod tests {
    use dunlin_sync::Class;

    use super::*;
    use crate::{place::PlaceId, stats::Handler};

    /// The loop that waits.
    const WAITS: LoopId = LoopId(7);

    fn at(nanos: u64) -> Time {
        Time::from_nanos(nanos)
    }

    fn held(began: u64, ended: u64, loop_id: u32) -> Held {
        let who = Who {
            loop_id: LoopId(loop_id),
            handler: Handler::Work,
            class: Class::Bulk,
            argument: 0,
            place: PlaceId::UNKNOWN,
        };
        Held { began: at(began), ended: at(ended), who }
    }

    fn blamed(blame: &Blame, from: u64, until: u64) -> (u32, u64) {
        match blame.culprit(WAITS, at(from), at(until)) {
            Culprit::Handler(who, span) => (who.loop_id.number(), span.as_nanos() as u64),
            _ => (0, 0),
        }
    }

    #[test]
    fn who_held_the_worker_most_of_the_time_is_to_blame() {
        let mut blame = Blame::new();
        assert_eq!(blame.culprit(WAITS, at(0), at(100)), Culprit::Several);
        blame.woke(at(90));
        assert_eq!(blame.culprit(WAITS, at(0), at(100)), Culprit::System);
        blame.woke(at(0));
        for number in 0..20 {
            blame.held(held(0, 40, 100 + number));
        }
        blame.held(held(30, 100, 1));
        assert_eq!(blamed(&blame, 20, 100), (1, 70));
        assert_eq!(blame.culprit(WAITS, at(0), at(1000)), Culprit::Several);
        blame.woke(at(990));
        assert_eq!(blame.culprit(WAITS, at(60), at(1000)), Culprit::System, "woken late");
    }

    /// A loop waits from 0 to 120 and came at 100, from a worker that a handler held from 10 to 95.
    #[test]
    fn who_held_the_worker_before_is_to_blame_for_the_wait_there() {
        let mut there = Blame::new();
        there.held(held(10, 95, 1));
        let carried = there.leaves(WAITS, at(100));
        let mut here = Blame::new();
        // This worker slept meanwhile, and something ran: neither held up who was not here.
        here.held(held(0, 80, 2));
        here.woke(at(99));
        here.comes(WAITS, carried.unwrap());
        here.turn(at(100));
        assert_eq!(blamed(&here, 0, 120), (1, 85));
        assert_eq!(blamed(&here, 101, 120), (0, 0), "asked for here");
        let other = here.culprit(LoopId(8), at(0), at(120));
        assert_eq!(other, Culprit::Elsewhere(Duration::from_nanos(20)), "another that came, too");
        // Only what waited here is this worker's.
        here.held(held(100, 300, 3));
        assert_eq!(blamed(&here, 0, 300), (3, 200));
        here.turn(Time::ZERO);
        assert_eq!(blamed(&here, 0, 120), (2, 80), "one that was always here");
    }

    #[test]
    fn of_a_worker_that_nobody_held_no_handler_is_to_blame() {
        let mut there = Blame::new();
        there.held(held(10, 50, 1));
        assert!(there.leaves(WAITS, at(91)).is_none(), "long ago");
        let mut here = Blame::new();
        here.turn(at(91));
        here.woke(at(90));
        let culprit = here.culprit(WAITS, at(20), at(99));
        assert_eq!(culprit, Culprit::Elsewhere(Duration::from_nanos(8)));
        // The way here counts as time here: this worker slept.
        here.turn(at(20));
        assert_eq!(here.culprit(WAITS, at(0), at(99)), Culprit::System);
    }

    #[test]
    fn a_loop_that_moves_on_takes_along_what_it_brought() {
        let mut second = Blame::new();
        second.comes(WAITS, held(10, 95, 1));
        second.held(held(100, 120, 2));
        let carried =
            |blame: &Blame, whose| blame.leaves(whose, at(130)).unwrap().span().as_nanos();
        assert_eq!(carried(&second, WAITS), 85);
        assert_eq!(carried(&second, LoopId(8)), 20);
    }
}

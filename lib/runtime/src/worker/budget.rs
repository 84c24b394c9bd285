//! How long a turn may last, and what is left of one that was cut short.

use dunlin_sync::Class;

use crate::{
    groups::GroupOptions,
    options::Budgets,
    time::{Time, nanos},
};

/// The turns of one group's workers.
#[derive(Clone, Debug)]
pub(crate) struct Turns {
    /// In the order of [`Class::ALL`], nanoseconds, when few loops wait.
    full: [u64; 4],
    /// Up to so many are few.
    few: usize,
    budgets: Budgets,
    options: GroupOptions,
    /// For each class the loop whose turn was cut short, and what it has left.
    left: [Option<Left>; 4],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Left {
    loop_number: u32,
    nanos: u64,
}

impl Turns {
    pub(crate) fn new(budgets: &Budgets, options: &GroupOptions) -> Self {
        let longest = nanos(options.turn(1)).max(1);
        let few = nanos(options.max_latency / 2) / longest;
        Self {
            full: Class::ALL.map(|class| share(budgets, class, longest)),
            few: usize::try_from(few).unwrap_or(usize::MAX),
            budgets: *budgets,
            options: options.clone(),
            left: [None; 4],
        }
    }

    /// How long the turn of a loop may last, in nanoseconds, while `waiting` others wait for theirs:
    /// a whole turn, or what was left of the last.
    #[inline]
    pub(crate) fn begin(&mut self, class: Class, loop_number: u32, waiting: usize) -> u64 {
        if let Some(left) = self.left[class.index()].take()
            && left.loop_number == loop_number
        {
            return left.nanos;
        }
        if waiting <= self.few { self.full[class.index()] } else { self.shorter(class, waiting) }
    }

    #[cold]
    fn shorter(&self, class: Class, waiting: usize) -> u64 {
        share(&self.budgets, class, nanos(self.options.turn(waiting)))
    }

    /// A turn ended that might have lasted until `until`. True if it was cut short: the loop, if it
    /// still has something to do, goes on before others of the class, with what it has left.
    #[inline]
    pub(crate) fn end(&mut self, class: Class, loop_number: u32, now: Time, until: Time) -> bool {
        let nanos = until.nanos_since(now);
        if nanos < SCRAP {
            return false;
        }
        self.left[class.index()] = Some(Left { loop_number, nanos });
        true
    }
}

/// A class's part of a turn of so many nanoseconds.
fn share(budgets: &Budgets, class: Class, turn: u64) -> u64 {
    let of_millisecond = u128::from(nanos(budgets.turn[class.index()]));
    let part = of_millisecond * u128::from(turn) / 1_000_000;
    u64::try_from(part).unwrap_or(u64::MAX)
}

/// So little is not worth another turn, in nanoseconds.
const SCRAP: u64 = 1000;

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use super::*;

    fn turns(change: impl FnOnce(&mut GroupOptions)) -> Turns {
        let mut options = GroupOptions::new(GroupOptions::WORKER);
        change(&mut options);
        Turns::new(&Budgets::default(), &options)
    }

    #[test]
    fn many_waiting_loops_make_turns_shorter_down_to_a_bound() {
        let mut turns = turns(|_| {});
        let mut turn = |waiting| turns.begin(Class::Routing, 1, waiting);
        assert_eq!([0, 1, 500].map(&mut turn), [1_000_000; 3]);
        assert_eq!(turn(1000), 500_000);
        assert_eq!(turn(5000), 100_000);
        assert_eq!([10_000, 1 << 40, usize::MAX].map(turn), [100_000; 3]);
        assert_eq!(turns.begin(Class::Bulk, 1, 0), 500_000);
    }

    #[test]
    fn extremes_neither_wrap_nor_panic() {
        let mut longest = turns(|options| {
            options.max_time = Duration::MAX;
            options.max_latency = Duration::MAX;
        });
        assert!(longest.begin(Class::Routing, 1, 1) > 1 << 60);
        let mut none = turns(|options| {
            (options.max_time, options.min_time) = (Duration::ZERO, Duration::ZERO);
            options.max_latency = Duration::ZERO;
        });
        assert_eq!(none.begin(Class::Routing, 1, usize::MAX), 0);
        assert!(!none.end(Class::Routing, 1, Time::NEVER, Time::ZERO));
    }

    #[test]
    fn what_is_left_of_a_turn_goes_to_the_same_loop_and_no_further() {
        let mut turns = turns(|_| {});
        let at = |micros: u64| Time::from_nanos(micros * 1000);
        assert!(turns.end(Class::Routing, 7, at(300), at(1000)));
        assert_eq!(turns.begin(Class::Routing, 7, 0), 700_000);
        assert!(!turns.end(Class::Routing, 7, at(1700), at(1700)), "used up");
        assert_eq!(turns.begin(Class::Routing, 7, 0), 1_000_000);
        assert!(turns.end(Class::Routing, 7, at(300), at(1000)));
        assert_eq!(turns.begin(Class::Routing, 8, 0), 1_000_000, "another loop");
        assert_eq!(turns.begin(Class::Routing, 7, 0), 1_000_000, "too late");
    }
}

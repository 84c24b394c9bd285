//! The order in which a loop gets round to what waits: by class, and within a class one lane after
//! the other, each with a share fixed when its turn comes.

use dunlin_sync::{Class, Classes};

/// One queue of a loop: a kind of thing in one class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Lane(u8);

/// Kinds within a class.
pub(crate) const EVENTS: u8 = 0;
pub(crate) const SOCKETS: u8 = 1;
/// Timers in the control class, messages in the routing class, jobs in the bulk class.
const SPECIAL: u8 = 2;
pub(crate) const WORKS: u8 = 3;

impl Lane {
    /// All timers but those of liveness.
    pub(crate) const TIMERS: Self = Self::new(Class::Control, SPECIAL);
    /// Routing and bulk messages.
    pub(crate) const LOW: Self = Self::new(Class::Routing, SPECIAL);

    /// The step of a job that the worker has granted.
    pub(crate) const JOB: Self = Self::new(Class::Bulk, SPECIAL);

    #[inline]
    const fn new(class: Class, kind: u8) -> Self {
        Self(class as u8 * 4 + kind)
    }

    #[inline]
    pub(crate) const fn bit(self) -> u16 {
        1 << self.0
    }

    #[inline]
    pub(crate) const fn kind(self) -> u8 {
        self.0 & 3
    }

    #[inline]
    pub(crate) const fn class(self) -> Class {
        Class::ALL[(self.0 >> 2) as usize & 3]
    }
}

/// Where in a round a loop is; kept from turn to turn, so what was left over goes first.
#[derive(Debug, Default)]
pub(crate) struct Lanes {
    /// Lanes to be visited this round.
    to_visit: u16,
    /// Handlers the current lane may still have; zero if its turn has not come.
    quota: usize,
}

impl Lanes {
    /// The lane whose turn it is.
    #[inline]
    pub(crate) fn current(&self) -> Option<Lane> {
        (self.to_visit != 0).then(|| Lane(self.to_visit.trailing_zeros() as u8))
    }

    /// Begins a round over the lanes in `waiting`; none if there are none.
    #[inline]
    pub(crate) fn begin_round(&mut self, waiting: u16) -> Option<Lane> {
        self.to_visit = waiting;
        self.quota = 0;
        self.current()
    }

    /// The round ends before it has begun.
    pub(crate) fn end_round(&mut self) {
        self.to_visit = 0;
    }

    /// The current lane has no share yet.
    #[inline]
    pub(crate) fn needs_share(&self) -> bool {
        self.quota == 0
    }

    /// Gives the current lane its share.
    #[inline]
    pub(crate) fn set_share(&mut self, share: usize) {
        self.quota = share;
    }

    /// Uses one of the current lane's share; false if there is none. With the last of it the lane's
    /// turn is over.
    #[inline]
    pub(crate) fn spend(&mut self, lane: Lane) -> bool {
        let Some(left) = self.quota.checked_sub(1) else { return false };
        self.quota = left;
        if left == 0 {
            self.leave(lane);
        }
        true
    }

    /// Goes on to the next lane.
    #[inline]
    pub(crate) fn leave(&mut self, lane: Lane) {
        self.to_visit &= !lane.bit();
        self.quota = 0;
    }
}

/// The lanes of one kind in these classes.
#[inline]
pub(crate) fn spread(classes: Classes, kind: u8) -> u16 {
    SPREAD[usize::from(classes.bits()) % SPREAD.len()] << kind
}

/// Each bit's place in a word of lanes.
const SPREAD: [u16; 16] = {
    let mut table = [0; 16];
    let mut bits = 0;
    while bits < table.len() {
        let mut class = 0;
        while class < 4 {
            table[bits] |= ((bits >> class & 1) as u16) << (class * 4);
            class += 1;
        }
        bits += 1;
    }
    table
};

/// All lanes of a class.
#[inline]
pub(crate) const fn all_of(class: Class) -> u16 {
    0b1111 << (class as u8 * 4)
}

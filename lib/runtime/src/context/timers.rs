//! Timers of a loop.

use core::time::Duration;
use std::sync::Arc;

use dunlin_sync::Class;

use crate::{
    ask::Canceller,
    context::Context,
    ids::{Thing, TimerId},
    outcome::{Armed, Cancel},
    time::Time,
    timer::TimerInfo,
};

/// Timers.
impl Context<'_> {
    /// A new timer, disarmed.
    pub fn timer(&mut self, class: Class) -> TimerId {
        let timer = self.core.timers.create(class);
        self.made(Thing::Timer(timer.0));
        timer
    }

    /// Arms a timer to expire once at `when` (at once if that is past), or moves it there.
    #[inline]
    #[track_caller]
    pub fn arm(&mut self, timer: TimerId, when: Time) -> Armed {
        self.core.timers.arm(timer, self.now, when)
    }

    /// Arms a timer to expire once after `span`, or moves it there.
    #[inline]
    #[track_caller]
    pub fn arm_after(&mut self, timer: TimerId, span: Duration) -> Armed {
        self.core.timers.arm(timer, self.now, self.now + span)
    }

    /// Arms a timer to expire every `period` from now on: [`Rhythm::Anchored`](crate::Rhythm). A
    /// period below a microsecond counts as one.
    #[track_caller]
    pub fn arm_every(&mut self, timer: TimerId, period: Duration) -> Armed {
        self.core.timers.arm_every(timer, self.now, period)
    }

    /// Arms a timer to expire `interval` after each time it expired, more or less by up to `jitter`:
    /// [`Rhythm::Drifting`](crate::Rhythm). An interval below a microsecond counts as one, a jitter
    /// above half the interval as that half.
    #[track_caller]
    pub fn arm_drifting(&mut self, timer: TimerId, interval: Duration, jitter: Duration) -> Armed {
        let random = self.driver.random();
        self.core.timers.arm_drifting(timer, self.now, interval, jitter, random)
    }

    /// Arms a timer once more as it was armed last, for as long, counted from now: what a hold timer
    /// does at each sign of life. None if it never was armed.
    #[track_caller]
    pub fn restart(&mut self, timer: TimerId) -> Option<Armed> {
        let random = self.driver.random();
        self.core.timers.restart(timer, self.now, random)
    }

    /// Changes the interval of an armed periodic timer. The span that runs now began when it began
    /// and lasts a new interval, so the timer may be due at once. None if it is idle or not periodic.
    #[track_caller]
    pub fn set_interval(&mut self, timer: TimerId, interval: Duration) -> Option<Armed> {
        let random = self.driver.random();
        self.core.timers.set_interval(timer, interval, random)
    }

    /// Lets a timer expire late by less than `slack`, so that it expires together with others, of
    /// this loop and of others, and the worker wakes once for all. Holds from the next arming on;
    /// false if there is no such timer. Zero, as a new timer has, is for those that are to be exact.
    pub fn slack(&mut self, timer: TimerId, slack: Duration) -> bool {
        self.core.timers.set_slack(timer, slack)
    }

    /// Disarms a timer. It will not expire, even if already due.
    #[inline]
    pub fn disarm(&mut self, timer: TimerId) -> Cancel {
        match self.core.timers.disarm(timer) {
            true => Cancel::Cancelled,
            false => self.not_pending(Thing::Timer(timer.0)),
        }
    }

    /// What disarms a timer of this loop from elsewhere.
    pub fn timer_canceller(&self, timer: TimerId) -> Canceller {
        Canceller::new(Arc::clone(self.cell), Thing::Timer(timer.0))
    }

    /// When an armed timer expires.
    pub fn expires(&self, timer: TimerId) -> Option<Time> {
        self.core.timers.expires(timer)
    }

    /// All timers of this loop, armed and idle.
    pub fn timers(&self) -> impl Iterator<Item = TimerInfo> {
        self.core.timers.list()
    }

    /// Gives a timer up.
    pub fn remove_timer(&mut self, timer: TimerId) {
        self.core.timers.remove(timer);
    }
}

//! Timers of a loop.

use core::time::Duration;

use dunlin_sync::Class;

use crate::{context::Context, ids::TimerId, time::Time};

/// Timers.
impl Context<'_> {
    /// A new timer, disarmed.
    pub fn timer(&mut self, class: Class) -> TimerId {
        self.core.timers.create(class)
    }

    /// Arms a timer to expire once at `when` (at once if that is past), or moves it there.
    pub fn arm(&mut self, timer: TimerId, when: Time) {
        self.core.timers.arm(timer, when);
    }

    /// Arms a timer to expire once after `span`.
    pub fn arm_after(&mut self, timer: TimerId, span: Duration) {
        self.core.timers.arm(timer, self.now + span);
    }

    /// Arms a timer to expire every `period` from now on. Expiries do not drift; those missed
    /// collapse into one. A period below a microsecond counts as one.
    pub fn arm_every(&mut self, timer: TimerId, period: Duration) {
        self.core.timers.arm_every(timer, self.now, period);
    }

    /// Disarms a timer; true if it was armed. It will not expire, even if already due.
    pub fn disarm(&mut self, timer: TimerId) -> bool {
        self.core.timers.disarm(timer)
    }

    /// When an armed timer expires.
    pub fn expires(&self, timer: TimerId) -> Option<Time> {
        self.core.timers.expires(timer)
    }

    /// Gives a timer up.
    pub fn remove_timer(&mut self, timer: TimerId) {
        self.core.timers.remove(timer);
    }
}

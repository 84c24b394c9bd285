//! One handler of a loop that is about to run: which, and why.

use dunlin_sync::Class;
use dunlin_trace::{RecordId, Site};

use crate::{
    cause::Stamp,
    ids::{Key, LoopId, Thing},
    place::Place,
    runloop::Ready,
    time::Time,
};

/// One handler to run. Small, so that it travels in registers: what goes with it stays where it is
/// until the handler gets it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Step {
    pub(crate) kind: Kind,
    pub(crate) class: Class,
    /// What a socket is ready for; whether a timer drifts.
    flags: u8,
    /// Which timer, event, socket or job: see [`Key::slot`].
    slot: u64,
}

/// What kind of handler it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Start,
    /// The first message of the batch of liveness and control.
    High,
    /// The first message of the other batch.
    Low,
    Timer,
    Event,
    Ready,
    Work,
    Job,
    Ask,
    Stop,
}

/// Why it runs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reason {
    /// When it was asked for or due; zero if nobody knows.
    pub(crate) since: Time,
    /// Who asked for it.
    pub(crate) cause: RecordId,
    /// Where they did.
    pub(crate) place: Place,
}

impl Reason {
    pub(crate) const NONE: Self =
        Self { since: Time::ZERO, cause: RecordId::NONE, place: Place::NOWHERE };
}

impl From<Stamp> for Reason {
    #[inline]
    fn from(stamp: Stamp) -> Self {
        Self { since: stamp.sent, cause: stamp.record(), place: stamp.place }
    }
}

impl Step {
    /// The handler of nothing that has a name.
    #[inline]
    pub(crate) const fn new(kind: Kind, class: Class) -> Self {
        Self { kind, class, flags: 0, slot: 0 }
    }

    /// The handler of a timer, event, socket or job.
    #[inline]
    pub(crate) const fn of(kind: Kind, class: Class, key: Key) -> Self {
        Self { kind, class, flags: 0, slot: key.slot() }
    }

    /// A timer's that goes on from when it expired, or not.
    #[inline]
    pub(crate) fn drifting(self, drifts: bool) -> Self {
        Self { flags: drifts.into(), ..self }
    }

    #[inline]
    pub(crate) fn drifts(self) -> bool {
        self.flags != 0
    }

    /// A socket's, ready for this.
    #[inline]
    pub(crate) fn for_ready(self, ready: Ready) -> Self {
        let Ready { readable, writable, error } = ready;
        let flags = u8::from(readable) | u8::from(writable) << 1 | u8::from(error) << 2;
        Self { flags, ..self }
    }

    #[inline]
    pub(crate) fn ready(self) -> Ready {
        let is = |bit: u8| self.flags & bit != 0;
        Ready { readable: is(1), writable: is(2), error: is(4) }
    }

    /// The name of what the handler is of, in its loop.
    #[inline]
    pub(crate) fn key(self, owner: LoopId) -> Key {
        Key::of_slot(owner, self.slot)
    }

    /// Which timer, event, socket or job of its loop; zero for other handlers.
    #[inline]
    pub(crate) fn number(self) -> u32 {
        (self.slot >> 32) as u32
    }

    /// Whose handler it is, if that can be cancelled.
    #[inline]
    pub(crate) fn thing(self, owner: LoopId) -> Option<Thing> {
        let key = self.key(owner);
        match self.kind {
            Kind::Timer => Some(Thing::Timer(key)),
            Kind::Event => Some(Thing::Event(key)),
            Kind::Work => Some(Thing::Work(key)),
            Kind::Start
            | Kind::High
            | Kind::Low
            | Kind::Ready
            | Kind::Job
            | Kind::Ask
            | Kind::Stop => None,
        }
    }

    /// As the recorder knows it.
    #[inline]
    pub(crate) const fn site(self) -> Site {
        match self.kind {
            Kind::Start => Site::START,
            Kind::High | Kind::Low => Site::MESSAGE,
            Kind::Timer => Site::TIMER,
            Kind::Event => Site::EVENT,
            Kind::Ready => Site::READY,
            Kind::Work => Site::WORK,
            Kind::Job => Site::JOB,
            Kind::Ask => Site::ASK,
            Kind::Stop => Site::STOP,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_keeps_what_a_socket_is_ready_for() {
        let key = Key::new(LoopId(3), 4, 5);
        for bits in 0..8 {
            let ready =
                Ready { readable: bits & 1 != 0, writable: bits & 2 != 0, error: bits & 4 != 0 };
            let step = Step::of(Kind::Ready, Class::Routing, key).for_ready(ready);
            assert_eq!(step.ready(), ready);
            assert_eq!(step.key(LoopId(3)), key);
        }
    }

    #[test]
    fn a_step_fits_into_two_registers() {
        assert!(size_of::<Option<Step>>() <= 16);
    }
}

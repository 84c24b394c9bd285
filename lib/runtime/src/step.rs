//! One handler of a loop that is about to run: which, and why.

use core::{fmt, num::NonZeroU32};

use dunlin_sync::Class;
use dunlin_trace::{RecordId, Site};

use crate::{
    cause::Stamp,
    ids::{Key, LoopId, Thing},
    place::Place,
    runloop::Ready,
    stats::Handler,
    time::Time,
};

/// One handler to run. Two numbers, so that it travels in registers and is never put together from parts that have
/// just been written: what goes with it stays where it is until the handler gets it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Step {
    /// Which timer, event, socket or job: see [`Key::slot`].
    slot: u64,
    /// From below: a bit that is set, so that it is not zero; the kind from `KIND` on, the class from `CLASS` on, the
    /// kind as the statistics know it from `HANDLER` on, and from `FLAGS` on what a socket is ready for, or whether a
    /// timer drifts.
    what: NonZeroU32,
}

const KIND: u32 = 1;
const CLASS: u32 = 8;
const HANDLER: u32 = 16;
const FLAGS: u32 = 24;

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
    /// An event that a handler calls.
    Call,
    // From here on what `is_special`.
    Job,
    Ask,
    Stop,
}

impl Kind {
    #[inline]
    const fn handler(self) -> Handler {
        match self {
            Self::Start => Handler::Start,
            // A question of another loop about one of ours.
            Self::High | Self::Low | Self::Ask => Handler::Message,
            Self::Timer => Handler::Timer,
            Self::Event | Self::Call => Handler::Event,
            Self::Ready => Handler::Ready,
            Self::Work => Handler::Work,
            Self::Job => Handler::Job,
            Self::Stop => Handler::Stop,
        }
    }
}

/// Why it runs. In the order of a [`Stamp`], for the same reason.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub(crate) struct Reason {
    /// When it was asked for or due; zero if nobody knows.
    pub(crate) since: Time,
    /// Where they did.
    pub(crate) place: Place,
    /// Who asked for it.
    pub(crate) cause: RecordId,
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
        Self::with(kind, class, 0)
    }

    /// The handler of a timer, event, socket or job.
    #[inline]
    pub(crate) const fn of(kind: Kind, class: Class, key: Key) -> Self {
        Self::with(kind, class, key.slot())
    }

    #[inline]
    const fn with(kind: Kind, class: Class, slot: u64) -> Self {
        let what = (kind as u32) << KIND | (class as u32) << CLASS;
        let what = what | (kind.handler() as u32) << HANDLER;
        Self { slot, what: NonZeroU32::MIN.saturating_add(what) }
    }

    #[inline]
    fn with_flags(self, flags: u8) -> Self {
        Self { what: self.what | u32::from(flags) << FLAGS, ..self }
    }

    #[inline]
    fn flags(self) -> u8 {
        (self.what.get() >> FLAGS) as u8
    }

    /// The kind's place in [`Kind`].
    #[inline]
    fn number_of_kind(self) -> u8 {
        self.what.get() as u8 >> KIND
    }

    #[inline]
    pub(crate) fn is(self, kind: Kind) -> bool {
        self.number_of_kind() == kind as u8
    }

    #[inline]
    pub(crate) fn kind(self) -> Kind {
        match self.number_of_kind() {
            0 => Kind::Start,
            1 => Kind::High,
            2 => Kind::Low,
            3 => Kind::Timer,
            4 => Kind::Event,
            5 => Kind::Ready,
            6 => Kind::Work,
            7 => Kind::Call,
            8 => Kind::Job,
            9 => Kind::Ask,
            _ => Kind::Stop,
        }
    }

    #[inline]
    pub(crate) fn class(self) -> Class {
        match self.what.get() >> CLASS & 0b11 {
            0 => Class::Liveness,
            1 => Class::Control,
            2 => Class::Routing,
            _ => Class::Bulk,
        }
    }

    /// Its kind as the statistics know it.
    #[inline]
    pub(crate) fn handler(self) -> Handler {
        match self.what.get() >> HANDLER & 0b111 {
            0 => Handler::Message,
            1 => Handler::Event,
            2 => Handler::Timer,
            3 => Handler::Ready,
            4 => Handler::Work,
            5 => Handler::Start,
            6 => Handler::Stop,
            _ => Handler::Job,
        }
    }

    /// Its kind as the recorder knows it.
    #[inline]
    pub(crate) fn site(self) -> Site {
        match self.kind() {
            Kind::Start => Site::START,
            Kind::High | Kind::Low => Site::MESSAGE,
            Kind::Timer => Site::TIMER,
            Kind::Event => Site::EVENT,
            Kind::Ready => Site::READY,
            Kind::Work => Site::WORK,
            Kind::Call => Site::CALL,
            Kind::Job => Site::JOB,
            Kind::Ask => Site::ASK,
            Kind::Stop => Site::STOP,
        }
    }

    #[inline]
    pub(crate) fn is_message(self) -> bool {
        self.is(Kind::High) || self.is(Kind::Low)
    }

    /// There is more to do after it than after others.
    #[inline]
    pub(crate) fn is_special(self) -> bool {
        self.number_of_kind() >= Kind::Job as u8
    }

    /// A timer's that goes on from when it expired, or not.
    #[inline]
    pub(crate) fn drifting(self, drifts: bool) -> Self {
        self.with_flags(drifts.into())
    }

    #[inline]
    pub(crate) fn drifts(self) -> bool {
        self.flags() != 0
    }

    /// A socket's, ready for this.
    #[inline]
    pub(crate) fn for_ready(self, ready: Ready) -> Self {
        let Ready { readable, writable, error } = ready;
        self.with_flags(u8::from(readable) | u8::from(writable) << 1 | u8::from(error) << 2)
    }

    #[inline]
    pub(crate) fn ready(self) -> Ready {
        let is = |bit: u8| self.flags() & bit != 0;
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
    pub(crate) fn thing(self, owner: LoopId) -> Option<Thing> {
        let key = self.key(owner);
        match self.kind() {
            Kind::Timer => Some(Thing::Timer(key)),
            Kind::Event | Kind::Call => Some(Thing::Event(key)),
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
}

impl fmt::Debug for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Step({:?} {:?} {})", self.kind(), self.class(), self.number())
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
    fn a_step_is_what_it_was_made_as() {
        let known = [
            (Kind::Start, "start", "start"),
            (Kind::High, "message", "message"),
            (Kind::Low, "message", "message"),
            (Kind::Timer, "timer", "timer"),
            (Kind::Event, "event", "event"),
            (Kind::Ready, "ready", "ready"),
            (Kind::Work, "work", "work"),
            (Kind::Call, "call", "event"),
            (Kind::Job, "job", "job"),
            (Kind::Ask, "ask", "message"),
            (Kind::Stop, "stop", "stop"),
        ];
        for ((kind, site, handler), class) in known.into_iter().zip(Class::ALL.into_iter().cycle())
        {
            let step = Step::of(kind, class, Key::new(LoopId(3), u32::MAX, u32::MAX));
            for step in [step, step.drifting(true)] {
                assert_eq!((step.kind(), step.class(), step.number()), (kind, class, u32::MAX));
                assert_eq!((step.site().name(), step.handler().name()), (Some(site), handler));
            }
            let special = [Kind::Job, Kind::Ask, Kind::Stop].contains(&kind);
            assert_eq!((step.is_special(), step.is_message()), (special, site == "message"));
        }
    }

    #[test]
    fn a_step_fits_into_two_registers() {
        assert!(size_of::<Option<Step>>() <= 16);
    }
}

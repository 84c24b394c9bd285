//! What is running on this thread, so that what it sends can say where it came from.

use core::{cell::Cell, fmt};

use dunlin_sync::{Class, Classes};
use dunlin_trace::RecordId;

use crate::{place::Place, time::Time};

/// Goes with a message or event: when the handler that sent it began, its flight record, and where in it
/// that was.
///
/// Three words that are to be written and read one by one, often within nanoseconds: one read for two words just
/// written waits until both writes have reached the cache. In this order the compiler does not join them, as it does
/// not join a number and a pointer.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(C)]
pub(crate) struct Stamp {
    /// Zero if it did not come from a handler.
    pub(crate) sent: Time,
    /// The call that sent it.
    pub(crate) place: Place,
    /// Flight record of the sender's handler and, in the two highest bits, the class it was sent in.
    why: u64,
}

impl Stamp {
    /// Flight record of the sender's handler.
    #[inline]
    pub(crate) fn record(self) -> RecordId {
        RecordId::from_bits(self.why)
    }

    /// The class it was sent in.
    #[inline]
    pub(crate) fn class(self) -> Class {
        match self.why >> CLASS {
            0 => Class::Liveness,
            1 => Class::Control,
            2 => Class::Routing,
            _ => Class::Bulk,
        }
    }
}

impl Default for Stamp {
    #[inline]
    fn default() -> Self {
        NOBODY.stamp(Class::Control, Place::NOWHERE)
    }
}

impl fmt::Debug for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut stamp = f.debug_struct("Stamp");
        stamp.field("sent", &self.sent).field("record", &self.record());
        stamp.field("class", &self.class()).field("place", &self.place).finish()
    }
}

/// A handler that runs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Origin {
    /// When it began; zero for none.
    pub(crate) began: Time,
    /// Its flight record.
    pub(crate) record: RecordId,
}

impl Origin {
    #[inline]
    fn stamp(self, class: Class, place: Place) -> Stamp {
        let why = self.record.to_bits() | (class.index() as u64) << CLASS;
        Stamp { sent: self.began, why, place }
    }
}

/// Where the class is in [`Stamp`].
const CLASS: u32 = 62;

const NOBODY: Origin = Origin { began: Time::ZERO, record: RecordId::NONE };

thread_local! {
    /// The handler that runs, in its parts: they are written and read one by one, which a
    /// processor forwards at once, and a whole of several words it does not.
    static BEGAN: Cell<Time> = const { Cell::new(NOBODY.began) };
    static RECORD: Cell<RecordId> = const { Cell::new(NOBODY.record) };
    /// The address of the loop whose turn it is, and in which classes it has sent itself something.
    static TURN: Cell<(usize, Classes)> = const { Cell::new((0, Classes::NONE)) };
}

/// A loop, known by an address of its own, has its turn on this thread from now on, until [`leave`].
#[inline]
pub(crate) fn begin_turn(of: usize) {
    TURN.set((of, Classes::NONE));
}

/// Whether it is this loop that sends itself something. Then nobody need be told: it looks at its inboxes
/// before its turn ends.
#[inline]
pub(crate) fn sends_itself(of: usize, class: Class) -> bool {
    let (turn, sent) = TURN.get();
    let own = turn == of;
    if own {
        TURN.set((turn, sent.with(class)));
    }
    own
}

/// The classes in which the loop whose turn it is has sent itself something in this turn.
pub(crate) fn sent_itself() -> Classes {
    TURN.get().1
}

/// The stamp for what the running handler sends in `class` from `place`.
#[inline]
pub(crate) fn current(class: Class, place: Place) -> Stamp {
    running().stamp(class, place)
}

/// The handler that runs on this thread.
#[inline]
pub(crate) fn running() -> Origin {
    Origin { began: BEGAN.get(), record: RECORD.get() }
}

/// Says which handler runs on this thread from now on.
#[inline]
pub(crate) fn enter(origin: Origin) {
    BEGAN.set(origin.began);
    RECORD.set(origin.record);
}

/// No loop runs on this thread any more.
#[inline]
pub(crate) fn leave() {
    TURN.set((0, Classes::NONE));
    enter(NOBODY);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_has_all_and_is_no_larger_than_three_words() {
        assert_eq!(size_of::<Stamp>(), 24);
        for class in Class::ALL {
            let record = RecordId::from_bits(0xabc_dead_beef);
            let origin = Origin { began: Time::from_nanos(5), record };
            let place = Place::here();
            let stamp = origin.stamp(class, place);
            assert_eq!((stamp.sent, stamp.record()), (Time::from_nanos(5), record));
            assert_eq!((stamp.class(), stamp.place), (class, place));
            assert!(NOBODY.stamp(class, place).record().is_none());
        }
    }
}

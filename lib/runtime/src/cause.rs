//! What is running on this thread, so that what it sends can say where it came from.

use core::cell::Cell;

use dunlin_sync::{Class, Classes};
use dunlin_trace::RecordId;

use crate::time::Time;

/// Goes with a message or event: when the handler that sent it began, and its flight record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    /// Zero if it did not come from a handler.
    pub(crate) sent: Time,
    /// Flight record of the sender's handler.
    pub(crate) record: RecordId,
    /// The class it was sent in.
    pub(crate) class: Class,
}

impl Default for Stamp {
    #[inline]
    fn default() -> Self {
        NOBODY
    }
}

const NOBODY: Stamp = Stamp { sent: Time::ZERO, record: RecordId::NONE, class: Class::Control };

thread_local! {
    /// The stamp of the handler that runs, in its parts: they are written and read one by one, which a
    /// processor forwards at once, and a whole of several words it does not.
    static BEGAN: Cell<Time> = const { Cell::new(NOBODY.sent) };
    static RECORD: Cell<RecordId> = const { Cell::new(NOBODY.record) };
    static CLASS: Cell<Class> = const { Cell::new(NOBODY.class) };
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

/// The stamp for what the running handler sends in `class`.
#[inline]
pub(crate) fn current(class: Class) -> Stamp {
    Stamp { sent: BEGAN.get(), record: RECORD.get(), class }
}

/// The handler that runs on this thread.
pub(crate) fn running() -> Stamp {
    Stamp { sent: BEGAN.get(), record: RECORD.get(), class: CLASS.get() }
}

/// Says which handler runs on this thread from now on.
#[inline]
pub(crate) fn enter(stamp: Stamp) {
    BEGAN.set(stamp.sent);
    RECORD.set(stamp.record);
    CLASS.set(stamp.class);
}

/// No loop runs on this thread any more.
#[inline]
pub(crate) fn leave() {
    TURN.set((0, Classes::NONE));
    enter(NOBODY);
}

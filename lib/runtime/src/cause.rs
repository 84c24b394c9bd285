//! What is running on this thread, so that what it sends can say where it came from.

use core::cell::Cell;

use dunlin_sync::Class;
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
    static CURRENT: Cell<Stamp> = const { Cell::new(NOBODY) };
}

/// The stamp for what the running handler sends in `class`.
#[inline]
pub(crate) fn current(class: Class) -> Stamp {
    Stamp { class, ..CURRENT.get() }
}

/// The handler that runs on this thread.
pub(crate) fn running() -> Stamp {
    CURRENT.get()
}

/// Says which handler runs on this thread from now on.
#[inline]
pub(crate) fn enter(stamp: Stamp) {
    CURRENT.set(stamp);
}

/// No handler runs on this thread any more.
#[inline]
pub(crate) fn leave() {
    CURRENT.set(NOBODY);
}

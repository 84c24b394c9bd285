//! What threads share: the event queue, a loop's state word, a worker's wake word, credit, progress, limits,
//! flags, bulletins, registers, snapshots, the flight recorder's rings and names.
//!
//! Everything else in Dunlin has one owner. A loop's state belongs to the loop; what crosses
//! threads is an item in an [`Inbox`], a bit in a [`StateWord`], an amount in a [`CreditWord`], a word
//! of a [`Bulletin`], a number in a [`Register`], a record in a [ring], or a published [`Snapshot`]. Only what
//! hangs together with nothing else is an atomic elsewhere: a counter, a hint, a number that must be new.
//!
//! How they fit together, from a sender's side:
//!
//! 1. `inbox.push(value, stamp)` or `inbox.schedule(&event, stamp)`: one compare-and-swap.
//! 2. `state.notify(class)`: says whether the loop must be put in a run queue, and of which worker.
//! 3. If so: an entry into that worker's own [`Inbox`], then `wake.wake()`, which says whether the
//!    worker sleeps, that is, whether the one system call is needed.
//!
//! and from the worker's side:
//!
//! 1. `wake.begin_turn()` *before* it looks at its inbox; then `take_all`.
//! 2. For each entry `state.begin_run(class, placement)`, *then* the loop's inboxes, then
//!    `state.end_run(left)`, which says whether the loop goes back into a run queue.
//! 3. Nothing left: `wake.prepare_sleep()`; only if it agrees, wait in the poller.
//!
//! Each step is one read-modify-write on one word. (A [`Bulletin`] and a [ring], which nobody acts upon, have one
//! writer and need none.) There are no fences, no sequentially consistent
//! accesses and no waiting for another thread's progress: neither side ever waits for the other.
//! Both the model checker and the thread sanitizer understand every ordering used here.
//!
//! Deliberately absent: locks, condition variables, epochs, reference-counted nodes for messages.

pub mod bulletin;
pub mod cell;
pub mod countdown;
pub mod credit;
pub mod door;
pub mod flags;
pub mod gathering;
pub mod limit;
pub mod names;
pub mod owned;
pub mod pair;
pub mod prim;
pub mod progress;
pub mod queue;
pub mod register;
pub mod ring;
pub mod snapshot;
pub mod state;
pub mod wake;
pub mod words;

pub use bulletin::{Bulletin, Shown};
pub use cell::{Entered, ExclusiveCell};
pub use countdown::Countdown;
pub use credit::CreditWord;
pub use crossbeam_utils::CachePadded;
pub use door::Door;
pub use flags::FlagWord;
pub use gathering::{Gathered, Gathering};
pub use limit::{Admission, LimitWord};
pub use owned::{Inside, OwnedCell};
pub use pair::PairWord;
pub use progress::{Asked, ProgressWord};
pub use queue::{Batch, Entry, EventNode, Inbox, Item, Peeked, Scheduled};
pub use register::{Register, Registered};
pub use snapshot::Snapshot;
pub use state::{Action, Begin, Class, Classes, Moved, Placement, StateWord};
pub use wake::WakeWord;

/// Whether a planted fault is active: never, except in the model checker with its feature on.
macro_rules! mutant {
    ($name:literal) => {
        cfg!(all(loom, feature = $name))
    };
}
pub(crate) use mutant;

//! A loop's state word: who runs it, what is pending, in which run queues it stands, and where.
//!
//! One word, only read-modify-writes on it, each wait-free or lock-free: of a sender and a worker that
//! ends a run, one always sees the other, and no one waits.
//!
//! **Run queues.** A worker has one per class. [`notify`](StateWord::notify) tells its caller to put an
//! entry (loop, class, [`Placement`]) into one of them; the word remembers in which classes a *valid*
//! entry stands, at most one in each. A notification of a higher class adds an entry higher; the lower
//! one is left where it is and, when popped, runs what is pending then, or nothing.
//!
//! **Moves.** A loop moves only while it does not run, by its worker's own decision. From `begin_move`
//! on, notifications are only recorded. `finish_move`, called by the receiving worker, changes the
//! generation, which makes all older entries stale wherever they are (even in the inbox of a worker
//! that has gone), and says which entry the receiver must make. So every hand-over names who wakes.
//!
//! **Exclusion.** `begin_run` refuses while the loop runs or moves, so a loop never runs twice at a
//! time even if entries reach several workers.

use core::fmt;

use crate::mutant;
use crate::prim::{AtomicU64, Ordering};

pub use self::class::{Class, Classes};

mod class;

/// Where a loop is, and since which move. An entry in a run queue carries it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Placement {
    /// Index of the worker.
    pub worker: u16,
    /// Counts moves.
    pub generation: u32,
}

/// What the caller of [`StateWord::notify`] must do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "nobody else will schedule the loop"]
pub enum Action {
    /// Nothing: an entry as high stands already, or whoever runs or moves the loop will see to it.
    Nothing,
    /// The loop stood in no run queue: put an entry into that of the worker and class, and wake it.
    Schedule(Placement),
    /// It stands lower: put another entry into the higher run queue, and wake the worker.
    Raise(Placement),
    /// The loop is closed: nobody will look at what was sent.
    Closed,
}

impl Action {
    /// Where to put an entry, if one is needed.
    #[inline]
    pub const fn placement(self) -> Option<Placement> {
        match self {
            Self::Schedule(placement) | Self::Raise(placement) => Some(placement),
            Self::Nothing | Self::Closed => None,
        }
    }
}

/// What [`StateWord::begin_run`] found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "a run that began must end"]
pub enum Begin {
    /// The run has begun, with these classes pending; look at the inboxes now, then `end_run`.
    Run(Classes),
    /// Nothing is pending any more, or the loop runs or moves and will see to it: drop the entry.
    Nothing,
    /// The entry is from before a move, and whoever finished that has replaced it: drop it.
    Stale,
    /// The loop is closed: drop the entry.
    Closed,
}

/// What [`StateWord::finish_move`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "nobody else will schedule the loop"]
pub struct Moved {
    /// The loop's new place.
    pub placement: Placement,
    /// The class in which the caller must put an entry into its own run queue.
    pub requeue: Option<Class>,
}

/// The word; one per loop, shared with all who may send to it.
pub struct StateWord {
    /// Layout: see the constants below. Written by senders (`notify`), the worker that runs the loop
    /// (`begin_run`, `end_run`, `close`) and the two workers of a move; all AcqRel. A sender publishes what
    /// it pushed, to the `begin_run` that clears its bit or to the `end_run` that finds it; a run or move
    /// that ends publishes the loop's state to the next run.
    word: AtomicU64,
}

/// Bits 0 to 3: classes in which something was sent since the run began that looked last.
const PENDING: u64 = 0b1111;
/// Bits 4 to 7: classes in whose run queue a valid entry stands.
const QUEUED_SHIFT: u32 = 4;
const QUEUED: u64 = PENDING << QUEUED_SHIFT;
/// A worker runs the loop.
const RUNNING: u64 = 1 << 8;
/// The loop is on its way to another worker.
const MOVING: u64 = 1 << 9;
/// The loop has stopped for good.
const CLOSED: u64 = 1 << 10;
/// Bits 16 to 31: index of the worker.
const WORKER_SHIFT: u32 = 16;
/// Bits 32 to 63: generation.
const GENERATION_SHIFT: u32 = 32;

impl StateWord {
    /// An idle loop at `worker`, with nothing pending.
    pub fn new(worker: u16) -> Self {
        Self { word: AtomicU64::new(u64::from(worker) << WORKER_SHIFT) }
    }

    /// A sender's step, *after* it pushed: records that something of `class` is pending.
    ///
    /// It writes even if nothing changes: only so the run that clears the bit receives what this
    /// sender pushed.
    #[inline]
    pub fn notify(&self, class: Class) -> Action {
        let bit = u64::from(Classes::of(class).0);
        if mutant!("mutant-notify-without-write") && self.word.load(Ordering::Acquire) & bit != 0 {
            return Action::Nothing;
        }
        let before = self.change(|word| {
            let queue = if needs_entry(word, class) { bit << QUEUED_SHIFT } else { 0 };
            word | bit | queue
        });
        if before & CLOSED != 0 {
            Action::Closed
        } else if !needs_entry(before, class) {
            Action::Nothing
        } else if before & QUEUED == 0 {
            Action::Schedule(placement(before))
        } else {
            Action::Raise(placement(before))
        }
    }

    /// A worker's step for an entry out of its run queue of `class`, *before* it looks at the loop's
    /// inboxes: takes all that is pending.
    #[inline]
    pub fn begin_run(&self, class: Class, at: Placement) -> Begin {
        let entry = u64::from(Classes::of(class).0) << QUEUED_SHIFT;
        let stale = |word| placement(word) != at && !mutant!("mutant-stale-entry");
        let before = self.change(|word| {
            if stale(word) || word & CLOSED != 0 {
                word
            } else if may_run(word) && word & PENDING != 0 {
                begun(word) & !entry
            } else {
                word & !entry
            }
        });
        if before & CLOSED != 0 {
            Begin::Closed
        } else if stale(before) {
            Begin::Stale
        } else if may_run(before) && before & PENDING != 0 {
            Begin::Run(pending(before))
        } else {
            Begin::Nothing
        }
    }

    /// As [`begin_run`](Self::begin_run) without an entry, and even if nothing is pending: for a due
    /// timer or a ready socket that the loop's own worker has in hand.
    #[inline]
    pub fn enter(&self, at: Placement) -> Begin {
        let may = |word| may_run(word) && placement(word) == at && word & CLOSED == 0;
        let before = self.change(|word| if may(word) { begun(word) } else { word });
        if before & CLOSED != 0 {
            Begin::Closed
        } else if placement(before) != at {
            Begin::Stale
        } else if may(before) {
            Begin::Run(pending(before))
        } else {
            Begin::Nothing
        }
    }

    /// The running worker's step when the run ends; `left` is what it took and did not finish. The
    /// class in which the caller must put an entry into its own run queue, if one is needed.
    #[must_use = "nobody else will schedule the loop"]
    #[inline]
    pub fn end_run(&self, left: Classes) -> Option<Class> {
        let ended = |word: u64| {
            let kept = if mutant!("mutant-clear-after-drain") { word & !PENDING } else { word };
            (kept & !RUNNING) | u64::from(left.0)
        };
        let before = self.change(|word| with_entry(ended(word)));
        missing_entry(ended(before))
    }

    /// What became pending since the run began; a hint. For a handler that loops: if there is
    /// something higher than it, let that go first.
    #[inline]
    pub fn pending(&self) -> Classes {
        pending(self.word.load(Ordering::Relaxed))
    }

    /// The owning worker's step before it sends the loop away; false if the loop runs, moves or is
    /// closed. From now on notifications are only recorded.
    #[must_use = "only a move that began may be finished"]
    pub fn begin_move(&self) -> bool {
        let may = |word| may_run(word) && word & CLOSED == 0;
        let before = self.change(|word| if may(word) { word | MOVING } else { word });
        may(before)
    }

    /// The receiving worker's step (or the owner's, which changed its mind). Every entry made before
    /// is stale from now on.
    pub fn finish_move(&self, worker: u16) -> Moved {
        let arrived = |word: u64| {
            let generation = (word >> GENERATION_SHIFT).wrapping_add(1) << GENERATION_SHIFT;
            let flags = word & (PENDING | RUNNING | CLOSED);
            flags | u64::from(worker) << WORKER_SHIFT | generation
        };
        let before = self.change(|word| match mutant!("mutant-move-forgets") {
            true => arrived(word),
            false => with_entry(arrived(word)),
        });
        let now = arrived(before);
        let requeue = if mutant!("mutant-move-forgets") { None } else { missing_entry(now) };
        Moved { placement: placement(now), requeue }
    }

    /// The owner's last step, usually within a run: nothing schedules or runs the loop from now on.
    /// True the first time.
    pub fn close(&self) -> bool {
        self.word.fetch_or(CLOSED, Ordering::AcqRel) & CLOSED == 0
    }

    /// Whether it was closed; a sender may ask before it pushes.
    #[inline]
    pub fn is_closed(&self) -> bool {
        self.word.load(Ordering::Relaxed) & CLOSED != 0
    }

    /// Whether a worker runs it just now; a hint.
    #[inline]
    pub fn is_running(&self) -> bool {
        self.word.load(Ordering::Relaxed) & RUNNING != 0
    }

    /// Where it is; exact only for the worker that has it.
    #[inline]
    pub fn placement(&self) -> Placement {
        placement(self.word.load(Ordering::Relaxed))
    }

    /// Applies `next` atomically; the word before. Always writes, see [`notify`](Self::notify).
    #[inline]
    fn change(&self, next: impl Fn(u64) -> u64) -> u64 {
        let mut before = self.word.load(Ordering::Relaxed);
        loop {
            let (success, failure) = (Ordering::AcqRel, Ordering::Relaxed);
            match self.word.compare_exchange_weak(before, next(before), success, failure) {
                Ok(_) => return before,
                Err(newer) => before = newer,
            }
        }
    }
}

impl fmt::Debug for StateWord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = self.word.load(Ordering::Relaxed);
        f.debug_struct("StateWord")
            .field("placement", &placement(word))
            .field("pending", &pending(word))
            .field("queued", &queued(word))
            .field("running", &(word & RUNNING != 0))
            .field("moving", &(word & MOVING != 0))
            .field("closed", &(word & CLOSED != 0))
            .finish()
    }
}

#[inline]
const fn pending(word: u64) -> Classes {
    Classes((word & PENDING) as u8)
}

const fn queued(word: u64) -> Classes {
    Classes(((word & QUEUED) >> QUEUED_SHIFT) as u8)
}

#[inline]
const fn placement(word: u64) -> Placement {
    Placement {
        worker: (word >> WORKER_SHIFT) as u16,
        generation: (word >> GENERATION_SHIFT) as u32,
    }
}

/// The word once a run has begun.
const fn begun(word: u64) -> u64 {
    (word & !PENDING) | RUNNING
}

/// Whether a run or a move may begin.
const fn may_run(word: u64) -> bool {
    let excluded = if mutant!("mutant-double-run") { MOVING } else { RUNNING | MOVING };
    word & excluded == 0
}

/// Whether something of `class` needs an entry made by the one who brings it.
const fn needs_entry(word: u64, class: Class) -> bool {
    let stands = if mutant!("mutant-lost-raise") {
        !queued(word).is_empty()
    } else {
        queued(word).reaches(class)
    };
    word & (RUNNING | MOVING | CLOSED) == 0 && !stands
}

/// The class of the entry that an idle loop's pending classes call for.
const fn missing_entry(word: u64) -> Option<Class> {
    match pending(word).highest() {
        Some(class) if needs_entry(word, class) => Some(class),
        _ => None,
    }
}

/// The word with that entry noted.
const fn with_entry(word: u64) -> u64 {
    match missing_entry(word) {
        Some(class) => word | (Classes::of(class).0 as u64) << QUEUED_SHIFT,
        None => word,
    }
}

#[cfg(all(test, not(loom)))]
mod tests;

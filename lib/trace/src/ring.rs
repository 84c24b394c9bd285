//! The writing end of a worker's ring.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use dunlin_os::clock;

use crate::layout::{RECORD, RING_HEADER, ring};
use crate::record::{Entry, RUNNING, RecordId, pack, pack_span, with_span};
use crate::recorder::Shared;

/// A worker's ring, owned by its thread. Recording costs a few stores; it never waits and never fails.
/// Dropping it lets another thread go on where this one stopped.
pub struct Ring {
    shared: Option<Arc<Shared>>,
    number: u16,
    /// The ring's first word.
    start: usize,
    mask: usize,
    /// How many records were begun: what the head in memory says, which only we change.
    next: u64,
    /// The tick after which the clocks are compared again.
    sync_due: u64,
    /// Ticks of a second; `u64::MAX` where ticks are no real clock.
    sync_every: u64,
}

impl Ring {
    /// A ring that forgets everything, for those who run without a recorder.
    pub const fn disabled() -> Self {
        Self { shared: None, number: 0, start: 0, mask: 0, next: 0, sync_due: 0, sync_every: 0 }
    }

    /// Takes a ring that nobody owns.
    pub(crate) fn claim(shared: Arc<Shared>, number: u16) -> Option<Self> {
        let geometry = shared.header.geometry;
        if usize::from(number) >= geometry.rings {
            return None;
        }
        let start = geometry.ring(usize::from(number));
        let words = shared.region.words();
        let owner = words.get(start + ring::OWNER)?;
        let thread = u64::from(dunlin_os::thread::id());
        // Acquire: pairs with the release of the owner before us, whose records we go on from.
        owner.compare_exchange(0, thread, Ordering::Acquire, Ordering::Relaxed).ok()?;
        let next = words.get(start + ring::HEAD)?.load(Ordering::Relaxed);
        let sync_every = if shared.real { shared.header.scale.ticks_in(SECOND) } else { u64::MAX };
        let mask = geometry.records - 1;
        let sync_due = if shared.real { 0 } else { u64::MAX };
        Some(Self { shared: Some(shared), number, start, mask, next, sync_due, sync_every })
    }

    /// Says that the calling thread owns it from now on, where another has claimed it. Reports of crashes name the
    /// owner.
    pub fn take_over(&self) {
        let Some(shared) = &self.shared else { return };
        if let Some(owner) = shared.region.words().get(self.start + ring::OWNER) {
            // Nobody else stores it while the ring is claimed; read by reports only.
            owner.store(u64::from(dunlin_os::thread::id()), Ordering::Relaxed);
        }
    }

    /// Whether this ring keeps what is recorded.
    #[inline]
    pub const fn is_enabled(&self) -> bool {
        KEEPS && self.shared.is_some()
    }

    /// The ring's number.
    pub const fn number(&self) -> u16 {
        self.number
    }

    /// Records something that takes no time.
    #[inline]
    pub fn record(&mut self, entry: &Entry) -> RecordId {
        self.push(entry, 0)
    }

    /// Records that something begins; until [`Ring::end`] it shows as running. What it does meanwhile can name
    /// the returned record as its cause.
    #[inline]
    pub fn begin(&mut self, entry: &Entry) -> RecordId {
        self.push(entry, RUNNING)
    }

    /// Completes a record of this ring with the tick at which it ended. Nothing happens if so much was recorded
    /// since that it is gone.
    #[inline]
    pub fn end(&mut self, id: RecordId, at: u64) {
        let Some(shared) = self.shared.as_ref().filter(|_| KEEPS) else { return };
        let distance = (self.next as u32).wrapping_sub(id.index()) as usize;
        if id.ring() != self.number || distance == 0 || distance > self.mask + 1 {
            return;
        }
        if let Some([began, _, spans, _]) =
            slot(shared.region.words(), self.start, self.mask, id.index().into())
        {
            // Only this thread stores these words.
            let span = pack_span(began.load(Ordering::Relaxed), at);
            let word = with_span(spans.load(Ordering::Relaxed), span);
            spans.store(word, Ordering::Release);
        }
    }

    #[inline]
    fn push(&mut self, entry: &Entry, span: u32) -> RecordId {
        let Some(shared) = self.shared.as_ref().filter(|_| KEEPS) else {
            return RecordId::NONE;
        };
        let (words, index) = (shared.region.words(), self.next);
        let Some(slot) = slot(words, self.start, self.mask, index) else { return RecordId::NONE };
        let Some(head) = words.get(self.start + ring::HEAD) else { return RecordId::NONE };
        for (word, value) in slot.iter().zip(pack(entry, span)) {
            // Release: who sees it sees the head stored before it, and so that the old record is gone.
            word.store(value, Ordering::Release);
        }
        self.next = index + 1;
        // Release: publishes the record. Read by whoever takes a snapshot.
        head.store(self.next, Ordering::Release);
        if entry.at >= self.sync_due {
            self.sync(entry.at);
        }
        RecordId::new(self.number, index)
    }

    /// Notes how the clocks stand to each other, once a second, so that the times of a long-lived process are
    /// right to the microsecond.
    #[cold]
    fn sync(&mut self, at: u64) {
        self.sync_due = at.saturating_add(self.sync_every);
        let Some(shared) = &self.shared else { return };
        let at = self.start + ring::SYNC..self.start + ring::SYNC_END;
        let Some([sequence, ticks, monotonic, wall]) = shared.region.words().get(at) else {
            return;
        };
        let number = sequence.load(Ordering::Relaxed);
        let (now, clock) = clock::pair();
        // Release on each: who sees a new value sees the odd number before it.
        sequence.store(number | 1, Ordering::Release);
        ticks.store(now, Ordering::Release);
        monotonic.store(clock, Ordering::Release);
        wall.store(clock::wall().as_nanos() as u64, Ordering::Release);
        sequence.store((number | 1).wrapping_add(1), Ordering::Release);
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        let Some(shared) = &self.shared else { return };
        if let Some(owner) = shared.region.words().get(self.start + ring::OWNER) {
            // Release: pairs with the acquire of the next owner.
            owner.store(0, Ordering::Release);
        }
    }
}

impl fmt::Debug for Ring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { number, next, .. } = self;
        f.debug_struct("Ring").field("number", number).field("next", next).finish_non_exhaustive()
    }
}

/// Whether this build keeps records at all.
const KEEPS: bool = !cfg!(feature = "off");

const SECOND: u64 = 1_000_000_000;

/// The words of the record of this number in a ring.
#[inline]
fn slot(
    words: &[AtomicU64],
    start: usize,
    mask: usize,
    index: u64,
) -> Option<&[AtomicU64; RECORD]> {
    let at = start + RING_HEADER + (index as usize & mask) * RECORD;
    words.get(at..)?.first_chunk()
}

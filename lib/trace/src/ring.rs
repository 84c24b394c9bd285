//! The writing end of a worker's ring.

use std::fmt;
use std::sync::Arc;

use dunlin_os::clock;
use dunlin_sync::ring::RingWriter;

use crate::record::{Entry, RUNNING, RecordId, pack, pack_span, with_span};
use crate::recorder::Shared;

/// A worker's ring, owned by its thread. Recording costs a few stores; it never waits and never fails.
/// Dropping it lets another thread go on where this one stopped.
pub struct Ring {
    shared: Option<Arc<Shared>>,
    number: u16,
    writer: RingWriter,
    /// The tick after which the clocks are compared again.
    sync_due: u64,
    /// Ticks of a second; `u64::MAX` where ticks are no real clock.
    sync_every: u64,
}

impl Ring {
    /// A ring that forgets everything, for those who run without a recorder.
    pub const fn disabled() -> Self {
        Self { shared: None, number: 0, writer: RingWriter::nowhere(), sync_due: 0, sync_every: 0 }
    }

    /// Takes a ring that nobody owns.
    pub(crate) fn claim(shared: Arc<Shared>, number: u16) -> Option<Self> {
        let geometry = shared.header.geometry;
        if usize::from(number) >= geometry.rings {
            return None;
        }
        let place = geometry.ring(usize::from(number));
        let writer = place.claim(shared.region.words(), dunlin_os::thread::id().into())?;
        let sync_every = if shared.real { shared.header.scale.ticks_in(SECOND) } else { u64::MAX };
        let sync_due = if shared.real { 0 } else { u64::MAX };
        Some(Self { shared: Some(shared), number, writer, sync_due, sync_every })
    }

    /// Says that the calling thread owns it from now on, where another has claimed it. Reports of crashes name the
    /// owner.
    pub fn take_over(&self) {
        let Some(shared) = &self.shared else { return };
        self.writer.take_over(shared.region.words(), dunlin_os::thread::id().into());
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
        if id.ring() == self.number {
            self.writer.amend(shared.region.words(), id.index(), |began, spans| {
                with_span(spans, pack_span(began, at))
            });
        }
    }

    #[inline]
    fn push(&mut self, entry: &Entry, span: u32) -> RecordId {
        let Some(shared) = self.shared.as_ref().filter(|_| KEEPS) else {
            return RecordId::NONE;
        };
        let Some(index) = self.writer.push(shared.region.words(), pack(entry, span)) else {
            return RecordId::NONE;
        };
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
        let (now, clock) = clock::pair();
        let wall = clock::wall().as_nanos() as u64;
        self.writer.stamp(shared.region.words(), [now, clock, wall]);
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        let Some(shared) = &self.shared else { return };
        self.writer.release(shared.region.words());
    }
}

impl fmt::Debug for Ring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { number, writer, .. } = self;
        f.debug_struct("Ring")
            .field("number", number)
            .field("writer", writer)
            .finish_non_exhaustive()
    }
}

/// Whether this build keeps records at all.
const KEEPS: bool = !cfg!(feature = "off");

const SECOND: u64 = 1_000_000_000;

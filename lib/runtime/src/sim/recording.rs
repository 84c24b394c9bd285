//! Flight records of a simulation, on its own clock.

use core::fmt;

use dunlin_os::clock::Scale;
use dunlin_trace::{Entry, Options, RecordId, Recorder, Ring, Site};

use crate::{driver::Done, place::PlaceId, time::Time};

/// A recorder whose clock is that of a simulation; see [`SimOptions::recorder`](super::SimOptions).
/// Its records die with the process.
///
/// # Errors
/// If there is no memory.
pub fn sim_recorder() -> std::io::Result<Recorder> {
    Recorder::new(&Options { scale: Some(Scale::IDENTITY), ..Options::default() })
}

/// The rings of the virtual workers, each taken when it is first used.
pub(super) struct Recording {
    recorder: Option<Recorder>,
    rings: Vec<Ring>,
    /// The record of the running handler, and its worker.
    running: (usize, RecordId),
}

impl Recording {
    pub(super) fn new(recorder: Option<Recorder>) -> Self {
        Self { recorder, rings: Vec::new(), running: (0, RecordId::NONE) }
    }

    /// A handler begins.
    pub(super) fn begin(&mut self, worker: usize, handler: &Done, place: PlaceId) -> RecordId {
        let entry = Entry {
            at: handler.began.as_nanos(),
            since: handler.since.as_nanos(),
            site: handler.site(),
            class: handler.class() as u8,
            loop_id: handler.loop_id.number(),
            cause: handler.cause,
            argument: handler.argument(),
            place: place.0,
        };
        let record = self.ring(worker).map_or(RecordId::NONE, |ring| ring.begin(&entry));
        self.running = (worker, record);
        record
    }

    /// The running handler ends; the one that called it, if any, goes on.
    pub(super) fn end(&mut self, now: Time, caller: RecordId) {
        let (worker, record) = self.running;
        self.running.1 = caller;
        if let Some(ring) = self.ring(worker) {
            ring.end(record, now.as_nanos());
        }
    }

    /// Something about a loop that is not a handler.
    pub(super) fn note(
        &mut self,
        worker: usize,
        now: Time,
        site: Site,
        loop_id: u32,
        argument: u32,
    ) {
        let (at, cause) = (now.as_nanos(), RecordId::NONE);
        if let Some(ring) = self.ring(worker) {
            let place = 0;
            ring.record(&Entry { at, since: at, site, class: 1, loop_id, cause, argument, place });
        }
    }

    /// A loop was made.
    pub(super) fn name(&self, loop_id: u32, name: &str) {
        if let Some(recorder) = &self.recorder {
            recorder.name_loop(loop_id, name);
        }
    }

    fn ring(&mut self, worker: usize) -> Option<&mut Ring> {
        let recorder = self.recorder.as_ref()?;
        while self.rings.len() <= worker {
            let number = u16::try_from(self.rings.len()).ok()?;
            self.rings.push(recorder.ring(number).unwrap_or(Ring::disabled()));
        }
        self.rings.get_mut(worker)
    }
}

impl fmt::Debug for Recording {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recording").finish_non_exhaustive()
    }
}

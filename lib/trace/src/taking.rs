//! Copying the rings in pieces, so that whoever does it can do something else in between.

use dunlin_sync::ring::{RECORD, RingCopy};
use dunlin_sync::words::Words;

use crate::layout::Header;
use crate::recorder::Recorder;
use crate::snapshot::{Clock, Part, Snapshot};

/// Words that one step copies at most: a ring of the usual size, about a tenth of a millisecond of work.
pub(crate) const PIECE: usize = 1 << 17;

/// Records of a ring that are copied beyond those that are wanted, as they may have caused them.
const BEFORE: usize = 4096;

/// A snapshot of a running recorder that is being taken. The workers go on meanwhile.
#[derive(Debug)]
pub struct Taking {
    recorder: Recorder,
    copying: Copying,
}

impl Taking {
    pub(crate) fn new(recorder: Recorder, records: usize) -> Self {
        let copying = Copying::new(*recorder.header(), records);
        Self { recorder, copying }
    }

    /// Copies one piece; the snapshot, if it is complete by that. Then there is nothing more to call this for.
    pub fn step(&mut self) -> Option<Snapshot> {
        self.copying.step(self.recorder.words(), true)
    }
}

/// How far the copy of a recorder's words has come.
#[derive(Debug)]
pub(crate) struct Copying {
    header: Header,
    /// Records of a ring that are taken.
    most: usize,
    /// What each ring had when this began: so all of them are shown up to the same moment.
    heads: Vec<u64>,
    /// The words before the rings.
    names: Vec<u64>,
    parts: Vec<Part>,
    /// The ring that is copied, and what there is of it.
    number: usize,
    under_way: Option<RingCopy>,
}

impl Copying {
    pub(crate) fn new(header: Header, records: usize) -> Self {
        let most = records.saturating_mul(4).saturating_add(BEFORE);
        let (heads, names, parts) = (Vec::new(), Vec::new(), Vec::new());
        Self { header, most, heads, names, parts, number: 0, under_way: None }
    }

    /// Copies everything.
    pub(crate) fn whole(mut self, source: &(impl Words + ?Sized), running: bool) -> Snapshot {
        loop {
            if let Some(snapshot) = self.step(source, running) {
                return snapshot;
            }
        }
    }

    /// Copies one piece: of the rings first, as they do not wait.
    pub(crate) fn step(
        &mut self,
        source: &(impl Words + ?Sized),
        running: bool,
    ) -> Option<Snapshot> {
        let geometry = self.header.geometry;
        if self.heads.is_empty() {
            let head = |number| geometry.ring(number).head(source);
            self.heads = (0..geometry.rings).map(head).collect();
        }
        let mut room = PIECE;
        while self.number < geometry.rings && room >= RECORD {
            room -= self.copy_of_ring(source, room);
        }
        if self.number == geometry.rings {
            self.copy_names(source, running, room);
            if self.names.len() == geometry.before_rings() {
                return Some(self.finish(source, running));
            }
        }
        None
    }

    /// Goes on with the ring under way, or with the next; the number of words copied.
    fn copy_of_ring(&mut self, source: &(impl Words + ?Sized), room: usize) -> usize {
        let number = self.number;
        let head = self.heads.get(number).copied().unwrap_or(0);
        if head == 0 {
            self.number += 1;
            return 0;
        }
        let wanted = head.saturating_sub(self.most as u64);
        let ring = self.header.geometry.ring(number);
        let copy = self.under_way.get_or_insert_with(|| RingCopy::new(ring, wanted, head));
        let copied = copy.step(source, room);
        if copied == 0 {
            let whole = self.under_way.take().map(|copy| copy.finish(source));
            let part = |(first, words)| Part { number: number as u16, made: head, first, words };
            self.parts.extend(whole.map(part));
            self.number += 1;
        }
        copied
    }

    /// Copies words before the rings. Names that change meanwhile are copied again.
    fn copy_names(&mut self, source: &(impl Words + ?Sized), running: bool, room: usize) {
        let geometry = self.header.geometry;
        let have = self.names.len();
        let end = geometry.before_rings().min(have + room);
        self.names.resize(end, 0);
        source.read(have, self.names.get_mut(have..).unwrap_or_default());
        let tables = [geometry.sites(), geometry.places(), geometry.loop_names()];
        for table in tables.into_iter().filter(|_| running) {
            table.recheck(source, &mut self.names, have..end);
        }
    }

    fn finish(&mut self, source: &(impl Words + ?Sized), running: bool) -> Snapshot {
        let clock = Clock::read(source, &self.header);
        let (heads, names) = (std::mem::take(&mut self.heads), std::mem::take(&mut self.names));
        Snapshot::new(&self.header, running, clock, heads, std::mem::take(&mut self.parts), names)
    }
}

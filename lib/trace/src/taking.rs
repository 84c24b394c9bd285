//! Copying the rings in pieces, so that whoever does it can do something else in between.

use crate::layout::{Header, RECORD, RING_HEADER, ring};
use crate::recorder::Recorder;
use crate::snapshot::{Clock, Part, Snapshot, first_whole};
use crate::source::Source;

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
    under_way: Option<Part>,
}

impl Copying {
    pub(crate) fn new(header: Header, records: usize) -> Self {
        let most = records.saturating_mul(4).saturating_add(BEFORE);
        let (heads, names, parts) = (Vec::new(), Vec::new(), Vec::new());
        Self { header, most, heads, names, parts, number: 0, under_way: None }
    }

    /// Copies everything.
    pub(crate) fn whole(mut self, source: &(impl Source + ?Sized), running: bool) -> Snapshot {
        loop {
            if let Some(snapshot) = self.step(source, running) {
                return snapshot;
            }
        }
    }

    /// Copies one piece: of the rings first, as they do not wait.
    pub(crate) fn step(
        &mut self,
        source: &(impl Source + ?Sized),
        running: bool,
    ) -> Option<Snapshot> {
        let geometry = self.header.geometry;
        if self.heads.is_empty() {
            let head = |number| source.word(geometry.ring(number) + ring::HEAD);
            self.heads = (0..geometry.rings).map(head).collect();
        }
        let mut room = PIECE;
        while self.number < geometry.rings && room >= RECORD {
            room -= self.copy_of_ring(source, room);
        }
        if self.number == geometry.rings {
            let (have, all) = (self.names.len(), geometry.before_rings());
            let count = (all - have).min(room);
            read_onto(&mut self.names, source, have, count);
            if self.names.len() == all {
                return Some(self.finish(source, running));
            }
        }
        None
    }

    /// Goes on with the ring under way, or with the next; the number of words copied.
    fn copy_of_ring(&mut self, source: &(impl Source + ?Sized), room: usize) -> usize {
        let (number, geometry) = (self.number, self.header.geometry);
        let (capacity, start) = (geometry.records, geometry.ring(number));
        let head = self.heads.get(number).copied().unwrap_or(0);
        if head == 0 {
            self.number += 1;
            return 0;
        }
        let part = self.under_way.get_or_insert_with(|| {
            let wanted = head.saturating_sub(self.most as u64);
            let first = first_whole(head, capacity).max(wanted);
            Part { number: number as u16, made: head, first, words: Vec::new() }
        });
        let next = part.end();
        let slot = next as usize & (capacity - 1);
        // As far as the ring's end, where it goes on at its beginning.
        let count = (head.saturating_sub(next) as usize).min(capacity - slot).min(room / RECORD);
        if count > 0
            && read_onto(
                &mut part.words,
                source,
                start + RING_HEADER + slot * RECORD,
                count * RECORD,
            )
        {
            return count * RECORD;
        }
        // Read after the words: what may have been overwritten by now, even in part, is dropped.
        let now = source.word(start + ring::HEAD).max(head);
        part.drop_before(first_whole(now, capacity));
        self.parts.extend(self.under_way.take());
        self.number += 1;
        0
    }

    fn finish(&mut self, source: &(impl Source + ?Sized), running: bool) -> Snapshot {
        let clock = Clock::read(source, &self.header);
        let (heads, names) = (std::mem::take(&mut self.heads), std::mem::take(&mut self.names));
        Snapshot::new(&self.header, running, clock, heads, std::mem::take(&mut self.parts), names)
    }
}

/// Adds `count` words from `at`: zeros, and false, if they are not there.
fn read_onto(
    words: &mut Vec<u64>,
    source: &(impl Source + ?Sized),
    at: usize,
    count: usize,
) -> bool {
    let have = words.len();
    words.resize(have + count, 0);
    source.read(at, words.get_mut(have..).unwrap_or_default())
}

//! A ring of records that one thread writes and others read meanwhile, in memory that may outlive both.
//!
//! Recording is a few stores; it waits for nobody. A reader copies, and drops what may have been overwritten by then.
//!
//! - A ring has one writer. Its head counts the records begun; the slot after the last record is never read.
//! - Every word of a record is stored with release and loaded with acquire, so who sees a word of record `n`
//!   sees a head of at least `n`, and knows that record `n - capacity` is gone.
//!
//! The memory is given with each call: it may be a mapping, and to a reader a file.

use crate::mutant;
use crate::prim::{AtomicU64, Ordering};
use crate::words::Words;

/// Words of a record.
pub const RECORD: usize = 4;
/// The word of a record that may be stored again.
pub const AMENDED: usize = 2;
/// Words before the records: two cache lines, as neighbours are prefetched in pairs.
pub const RING_HEADER: usize = 16;
/// The word of the header that says how often the stamp was changed, times two, odd meanwhile; 0 if there is
/// none. Behind it is the stamp.
pub const STAMP_AT: usize = 2;
/// Words of a [stamp](RingWriter::stamp).
pub const STAMP: usize = 3;

/// Word offsets in the header.
mod at {
    /// How many records were begun.
    pub(super) const HEAD: usize = 0;
    /// 0 while nobody owns the ring.
    pub(super) const OWNER: usize = 1;
}

/// Where a ring is among words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RingPlace {
    start: usize,
    mask: usize,
}

impl RingPlace {
    /// A ring from word `start` on, for so many records, a power of two.
    #[inline]
    pub const fn new(start: usize, records: usize) -> Self {
        Self { start, mask: records.wrapping_sub(1) }
    }

    /// Its first word.
    #[inline]
    pub const fn start(self) -> usize {
        self.start
    }

    /// The word after its last.
    pub const fn end(self) -> usize {
        self.start + RING_HEADER + self.capacity() * RECORD
    }

    /// Records that it holds, one of which the writer may be busy with.
    #[inline]
    pub const fn capacity(self) -> usize {
        self.mask + 1
    }

    /// The first word of the slot of this record.
    #[inline]
    const fn slot(self, index: u64) -> usize {
        self.start + RING_HEADER + (index as usize & self.mask) * RECORD
    }

    /// Takes the ring for `owner`, if nobody owns it. It goes on where the owner before stopped.
    pub fn claim(self, words: &[AtomicU64], owner: u64) -> Option<RingWriter> {
        let word = words.get(self.start + at::OWNER)?;
        if mutant!("mutant-split-ring-claim") {
            if word.load(Ordering::Acquire) != 0 {
                return None;
            }
            word.store(owner, Ordering::Release);
        } else {
            // Acquire: pairs with the release of the owner before us, whose records we go on from.
            let receive = if mutant!("mutant-relaxed-ring-claim") {
                Ordering::Relaxed
            } else {
                Ordering::Acquire
            };
            word.compare_exchange(0, owner, receive, Ordering::Relaxed).ok()?;
        }
        let next = words.get(self.start + at::HEAD)?.load(Ordering::Relaxed);
        Some(RingWriter { place: self, next })
    }

    /// Who owns it, 0 if nobody does.
    pub fn owner(self, words: &(impl Words + ?Sized)) -> u64 {
        words.word(self.start + at::OWNER)
    }

    /// How many records were begun and can be looked for.
    pub fn head(self, words: &(impl Words + ?Sized)) -> u64 {
        words.word(self.start + at::HEAD)
    }

    /// The oldest record that the writer, which may be busy with record `head`, has not touched again.
    pub const fn first_whole(self, head: u64) -> u64 {
        let busy = if mutant!("mutant-ring-off-by-one") { 0 } else { 1 };
        head.saturating_add(busy).saturating_sub(self.capacity() as u64)
    }

    /// The record of this number, unless it is overwritten, perhaps in part. Async-signal-safe on memory.
    pub fn read(self, words: &(impl Words + ?Sized), index: u64) -> Option<[u64; RECORD]> {
        let before = if mutant!("mutant-ring-looks-first") { self.head(words) } else { 0 };
        let mut record = [0; RECORD];
        let read = words.read(self.slot(index), &mut record);
        // After the words: what may have been overwritten by now is not shown.
        let head = if mutant!("mutant-ring-looks-first") { before } else { self.head(words) };
        (read && (self.first_whole(head)..head).contains(&index)).then_some(record)
    }

    /// The last stamp, if there is one and it is not changed just now.
    pub fn stamp(self, words: &(impl Words + ?Sized)) -> Option<[u64; STAMP]> {
        let mut stamp = [0; 1 + STAMP];
        for _ in 0..LOOKS {
            words.read(self.start + STAMP_AT, &mut stamp).then_some(())?;
            let [number, first, second, third] = stamp;
            if number == 0 {
                return None;
            }
            let same = words.word(self.start + STAMP_AT) == number;
            if number & 1 == 0 && (same || mutant!("mutant-stamp-unchecked")) {
                return Some([first, second, third]);
            }
        }
        None
    }
}

/// How often a reader looks for a stamp that changes.
const LOOKS: usize = if cfg!(loom) { 2 } else { 4 };

/// The writing end of a ring. Its owner gives the same memory each time.
#[derive(Debug)]
pub struct RingWriter {
    place: RingPlace,
    /// How many records were begun: what the head in memory says, which only we change.
    next: u64,
}

impl RingWriter {
    /// Of no ring: for those who never write.
    pub const fn nowhere() -> Self {
        Self { place: RingPlace::new(0, 1), next: 0 }
    }

    /// The number of the next record.
    #[inline]
    pub const fn next(&self) -> u64 {
        self.next
    }

    /// Writes a record; its number. Nothing if the memory is too short.
    #[inline]
    pub fn push(&mut self, words: &[AtomicU64], record: [u64; RECORD]) -> Option<u64> {
        let index = self.next;
        let slot = slot(words, self.place.slot(index))?;
        let head = words.get(self.place.start + at::HEAD)?;
        let publish =
            if mutant!("mutant-relaxed-record") { Ordering::Relaxed } else { Ordering::Release };
        for (word, value) in slot.iter().zip(record) {
            // Release: who sees it sees the head stored before it, and so that the old record is gone.
            word.store(value, publish);
        }
        self.next = index + 1;
        // Release: publishes the record. Read by whoever takes a snapshot.
        let publish =
            if mutant!("mutant-relaxed-head") { Ordering::Relaxed } else { Ordering::Release };
        head.store(self.next, publish);
        Some(index)
    }

    /// Stores the word [`AMENDED`] of a record anew, as `amended` makes it of the first and of that word. Nothing
    /// happens if so much was written since that the record is gone. `low` is the low half of its number.
    #[inline]
    pub fn amend(&self, words: &[AtomicU64], low: u32, amended: impl FnOnce(u64, u64) -> u64) {
        let distance = (self.next as u32).wrapping_sub(low) as usize;
        let gone = distance > self.place.capacity() && !mutant!("mutant-amends-another");
        if distance == 0 || gone {
            return;
        }
        if let Some(slot) = slot(words, self.place.slot(low.into())) {
            // Only this thread stores these words.
            let (first, old) = (&slot[0], &slot[AMENDED]);
            let new = amended(first.load(Ordering::Relaxed), old.load(Ordering::Relaxed));
            // Release: as for every word of a record.
            let publish =
                if mutant!("mutant-relaxed-amend") { Ordering::Relaxed } else { Ordering::Release };
            old.store(new, publish);
        }
    }

    /// Puts another stamp in the place of the last: words that belong together, and to no record.
    pub fn stamp(&self, words: &[AtomicU64], stamp: [u64; STAMP]) {
        let at = self.place.start + STAMP_AT..self.place.start + STAMP_AT + 1 + STAMP;
        let Some((number, places)) = words.get(at).and_then(<[AtomicU64]>::split_first) else {
            return;
        };
        let odd = number.load(Ordering::Relaxed) | 1;
        let publish =
            if mutant!("mutant-relaxed-stamp") { Ordering::Relaxed } else { Ordering::Release };
        if !mutant!("mutant-stamp-stays") {
            number.store(odd, Ordering::Release);
        }
        for (place, word) in places.iter().zip(stamp) {
            // Release on each: who sees a new value sees the odd number before it.
            place.store(word, publish);
        }
        number.store(odd.wrapping_add(1), Ordering::Release);
    }

    /// Names another owner, where the writer has gone to another thread.
    pub fn take_over(&self, words: &[AtomicU64], owner: u64) {
        if let Some(word) = words.get(self.place.start + at::OWNER) {
            // Nobody else stores it while the ring is claimed; read by reports only.
            word.store(owner, Ordering::Relaxed);
        }
    }

    /// Leaves the ring to whoever claims it next.
    pub fn release(&mut self, words: &[AtomicU64]) {
        if let Some(owner) = words.get(self.place.start + at::OWNER) {
            // Release: pairs with the acquire of the next owner.
            let publish = if mutant!("mutant-relaxed-ring-release") {
                Ordering::Relaxed
            } else {
                Ordering::Release
            };
            owner.store(0, publish);
        }
    }
}

#[inline]
fn slot(words: &[AtomicU64], at: usize) -> Option<&[AtomicU64; RECORD]> {
    words.get(at..)?.first_chunk()
}

/// Records on their way out of a ring, piece by piece, while its writer goes on.
#[derive(Debug)]
pub struct RingCopy {
    place: RingPlace,
    /// The number of the first record here.
    first: u64,
    /// The number behind the last record that is copied.
    head: u64,
    words: Vec<u64>,
}

impl RingCopy {
    /// Of the records from number `from` up to `head`, that was read before, as far as they are there.
    pub fn new(place: RingPlace, from: u64, head: u64) -> Self {
        let first = place.first_whole(head).max(from);
        Self { place, first, head, words: Vec::new() }
    }

    /// Copies a piece of `most` words at most; how many. 0: it is complete.
    pub fn step(&mut self, words: &(impl Words + ?Sized), most: usize) -> usize {
        let next = self.first.saturating_add((self.words.len() / RECORD) as u64);
        // As far as the ring's end, where it goes on at its beginning.
        let to_end = self.place.capacity() - (next as usize & self.place.mask);
        let left = self.head.saturating_sub(next).min(to_end as u64) as usize;
        let count = left.min(most / RECORD) * RECORD;
        let have = self.words.len();
        self.words.resize(have + count, 0);
        let room = self.words.get_mut(have..).unwrap_or_default();
        if words.read(self.place.slot(next), room) { count } else { 0 }
    }

    /// The number of the first record that is whole, and the words from there on.
    pub fn finish(mut self, words: &(impl Words + ?Sized)) -> (u64, Vec<u64>) {
        // Read after the words: what may have been overwritten by now, even in part, is dropped.
        let now = if mutant!("mutant-ring-copy-keeps") { 0 } else { self.place.head(words) };
        let whole = self.place.first_whole(now.max(self.head));
        let gone = whole.saturating_sub(self.first).min((self.words.len() / RECORD) as u64);
        self.words.drain(..gone as usize * RECORD);
        (self.first.saturating_add(gone), self.words)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    fn ring(records: usize) -> (RingPlace, Vec<AtomicU64>) {
        let place = RingPlace::new(8, records);
        (place, (0..place.end()).map(|_| AtomicU64::new(0)).collect())
    }

    fn all(place: RingPlace, words: &[AtomicU64], most: usize) -> (u64, Vec<u64>) {
        let mut copy = RingCopy::new(place, 0, place.head(words));
        while copy.step(words, most) > 0 {}
        copy.finish(words)
    }

    #[test]
    fn the_oldest_are_overwritten_and_pieces_make_the_same() {
        let (place, words) = ring(8);
        let mut writer = place.claim(&words, 7).unwrap();
        assert!(place.claim(&words, 8).is_none() && place.owner(words.as_slice()) == 7);
        (0..20).for_each(|at| assert_eq!(writer.push(&words, [at; RECORD]), Some(at)));
        let expected: Vec<u64> = (13..20).flat_map(|at| [at; RECORD]).collect();
        for most in [RECORD, 3 * RECORD + 1, 1 << 20] {
            assert_eq!(all(place, &words, most), (13, expected.clone()));
        }
        assert_eq!(place.read(words.as_slice(), 12), None);
        assert_eq!(place.read(words.as_slice(), 13), Some([13; RECORD]));
        assert_eq!(place.read(words.as_slice(), 20), None);
        writer.release(&words);
        assert_eq!(place.claim(&words, 8).unwrap().next(), 20);
    }

    #[test]
    fn one_word_is_amended_while_the_record_is_there() {
        let (place, words) = ring(4);
        let mut writer = place.claim(&words, 1).unwrap();
        (0..6).for_each(|at| _ = writer.push(&words, [at; RECORD]));
        [1, 4, 6]
            .into_iter()
            .for_each(|low| writer.amend(&words, low, |first, old| 10 * first + old));
        assert_eq!(all(place, &words, 100).1, [3, 3, 3, 3, 4, 4, 44, 4, 5, 5, 5, 5]);
    }

    #[test]
    fn a_stamp_is_the_last_one_and_memory_may_be_too_short() {
        let (place, words) = ring(4);
        let mut writer = place.claim(&words, 1).unwrap();
        assert_eq!(place.stamp(words.as_slice()), None);
        [1, 2].into_iter().for_each(|at| writer.stamp(&words, [at; STAMP]));
        assert_eq!(place.stamp(words.as_slice()), Some([2; STAMP]));
        let short = &words[..8 + RING_HEADER];
        assert_eq!(writer.push(short, [0; RECORD]), None);
        assert_eq!(RingWriter::nowhere().push(&[], [0; RECORD]), None);
    }
}

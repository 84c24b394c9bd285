//! Names by number, in a table of fixed size that any thread may write and a crashed process leaves readable.
//!
//! The first word of an entry is, from the top: number (32 bits), version (16), length of the name (8), state
//! (8). It is claimed by compare-and-swap with a new version before the name's words are stored, and stored again
//! after; all with release, so a reader that sees a word of a newer name sees the claim too, if it looks again.
//!
//! The memory is given with each call: it may be a mapping, and to a reader a copy or a file.

use core::ops::Range;

use crate::mutant;
use crate::prim::{AtomicU64, Ordering};
use crate::words::Words;

/// Words of an entry: one of state, then the name. The model checker has less patience.
pub const ENTRY: usize = if cfg!(loom) { 3 } else { 8 };
/// Bytes of a name that are kept.
pub const NAME: usize = (ENTRY - 1) * 8;
/// How many entries are looked at for a number.
const PROBES: usize = if cfg!(loom) { 2 } else { 8 };

const BUSY: u64 = 1;
const LIVE: u64 = 2;
const ENDED: u64 = 3;

/// Where a table is among words.
#[derive(Debug, Clone, Copy)]
pub struct NameTable {
    start: usize,
    entries: usize,
}

/// A name as it was read.
#[derive(Debug, Clone, Copy)]
pub struct Name {
    bytes: [u8; NAME],
    length: usize,
}

impl Name {
    /// Its bytes: text, unless the memory was damaged.
    pub fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or(&self.bytes)
    }
}

impl NameTable {
    /// A table of so many entries from word `start` on.
    pub const fn new(start: usize, entries: usize) -> Self {
        Self { start, entries }
    }

    /// The word after its last.
    pub const fn end(&self) -> usize {
        self.start + self.entries * ENTRY
    }

    /// Sets the name of `number`. When every place for it is taken by living ones, one of them loses its name.
    pub fn set(&self, words: &[AtomicU64], number: u32, name: &str) {
        // Another thread may claim the chosen entry first; a few tries are enough, and a name may be missing.
        for _ in 0..PROBES {
            let at = self.place(words, number);
            let Some(entry) = words.get(at..at + ENTRY) else { return };
            let Some((state, text)) = entry.split_first() else { return };
            if let Some(claimed) = claim(state, number) {
                return write(state, text, claimed, fit(name, NAME).as_bytes());
            }
        }
    }

    /// Lets the entry of `number` be used for another; until then its name stays readable.
    pub fn end_of(&self, words: &[AtomicU64], number: u32) {
        for at in self.places(number) {
            let Some(state) = words.get(at) else { return };
            let old = state.load(Ordering::Relaxed);
            if old >> 32 == u64::from(number) && old & 0xff == LIVE {
                let ended = old & !0xff | ENDED;
                if mutant!("mutant-name-ends-another") {
                    return state.store(ended, Ordering::Release);
                }
                // If it changed meanwhile it is no longer ours to end.
                let _ = state.compare_exchange(old, ended, Ordering::Release, Ordering::Relaxed);
                return;
            }
        }
    }

    /// The name of `number`. Async-signal-safe on memory.
    pub fn find(&self, source: &(impl Words + ?Sized), number: u32) -> Option<Name> {
        let mut entry = [0; ENTRY];
        for at in self.places(number) {
            let state = source.word(at);
            if !is_known(state) || state >> 32 != u64::from(number) {
                continue;
            }
            if !source.read(at, &mut entry) {
                return None;
            }
            let same = is_same(entry[0], state) && is_same(source.word(at), state);
            if !same && !mutant!("mutant-name-unchecked") {
                continue;
            }
            let mut name = Name { bytes: [0; NAME], length: (state >> 8 & 0xff) as usize };
            for (out, word) in name.bytes.as_chunks_mut::<8>().0.iter_mut().zip(&entry[1..]) {
                *out = word.to_ne_bytes();
            }
            return Some(name);
        }
        None
    }

    /// Gives `each` every number with its name.
    pub fn each(&self, source: &(impl Words + ?Sized), mut each: impl FnMut(u32, &Name)) {
        for entry in 0..self.entries {
            let state = source.word(self.start + entry * ENTRY);
            let number = (state >> 32) as u32;
            if is_known(state)
                && let Some(name) = self.find(source, number)
            {
                each(number, &name);
            }
        }
    }

    /// Copies entries anew that were changed while a copy was made, and empties those that change again. `copy` has
    /// the words from 0 on; those in `range` have just been copied from `source`.
    pub fn recheck(&self, source: &(impl Words + ?Sized), copy: &mut [u64], range: Range<usize>) {
        if mutant!("mutant-name-copy-unchecked") {
            return;
        }
        for entry in 0..self.entries {
            let at = self.start + entry * ENTRY;
            // An entry whose end was copied later than its beginning is looked at when it is complete.
            if !(range.start + 1..=range.end).contains(&(at + ENTRY)) {
                continue;
            }
            if let Some(entry) = copy.get_mut(at..at + ENTRY)
                && is_known(entry[0])
                && !is_same(source.word(at), entry[0])
                && !(source.read(at, entry) && is_same(source.word(at), entry[0]))
            {
                entry[0] = 0;
            }
        }
    }

    /// The entry to write: that of the number, or an empty one, or an ended one, or the first.
    fn place(&self, words: &[AtomicU64], number: u32) -> usize {
        let rank = |at: &usize| {
            let state = words.get(*at).map_or(BUSY, |word| word.load(Ordering::Relaxed));
            match state & 0xff {
                0 => 1,
                _ if state >> 32 == u64::from(number) => 0,
                ENDED => 2,
                LIVE => 3,
                _ => 4,
            }
        };
        self.places(number).min_by_key(rank).unwrap_or(self.start)
    }

    fn places(&self, number: u32) -> impl Iterator<Item = usize> + use<> {
        let Self { start, entries } = *self;
        let first = number.wrapping_mul(0x9e37_79b1) as usize;
        (0..PROBES).map(move |probe| start + (first.wrapping_add(probe) % entries.max(1)) * ENTRY)
    }
}

/// Takes an entry for a number, unless another thread has it; what the state says then.
fn claim(state: &AtomicU64, number: u32) -> Option<u64> {
    let old = state.load(Ordering::Acquire);
    let step = if mutant!("mutant-name-same-version") { 0 } else { 1 };
    let version = (old >> 16 & 0xffff).wrapping_add(step) & 0xffff;
    let claimed = u64::from(number) << 32 | version << 16;
    if old & 0xff == BUSY && !mutant!("mutant-name-intrudes") {
        return None;
    }
    if mutant!("mutant-split-name-claim") {
        state.store(claimed | BUSY, Ordering::Release);
        return Some(claimed);
    }
    // Acquire and release: after the earlier writer's words, before ours.
    let (success, failure) = (Ordering::AcqRel, Ordering::Relaxed);
    state.compare_exchange(old, claimed | BUSY, success, failure).ok()?;
    Some(claimed)
}

fn write(state: &AtomicU64, text: &[AtomicU64], claimed: u64, name: &[u8]) {
    let publish =
        if mutant!("mutant-relaxed-text") { Ordering::Relaxed } else { Ordering::Release };
    for (index, word) in text.iter().enumerate() {
        let mut bytes = [0; 8];
        let rest = name.get(index * 8..).unwrap_or_default();
        let length = rest.len().min(8);
        bytes[..length].copy_from_slice(&rest[..length]);
        word.store(u64::from_ne_bytes(bytes), publish);
    }
    let publish =
        if mutant!("mutant-relaxed-name") { Ordering::Relaxed } else { Ordering::Release };
    state.store(claimed | (name.len() as u64) << 8 | LIVE, publish);
}

/// Whether an entry in this state has a name.
const fn is_known(state: u64) -> bool {
    matches!(state & 0xff, LIVE | ENDED)
}

/// Whether it is the same name, living or not.
const fn is_same(one: u64, other: u64) -> bool {
    (one ^ other) & !0xff == 0
}

/// The first bytes of a text, cut between characters.
pub fn fit(text: &str, room: usize) -> &str {
    let end = (0..=room.min(text.len())).rev().find(|end| text.is_char_boundary(*end));
    text.get(..end.unwrap_or(0)).unwrap_or_default()
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    fn table(entries: usize) -> (NameTable, Vec<AtomicU64>) {
        let table = NameTable::new(0, entries);
        (table, (0..table.end()).map(|_| AtomicU64::new(0)).collect())
    }

    fn find(table: NameTable, words: &(impl Words + ?Sized), number: u32) -> Option<String> {
        let name = table.find(words, number)?;
        Some(String::from_utf8_lossy(name.bytes()).into_owned())
    }

    #[test]
    fn names_are_found_again() {
        let (table, words) = table(64);
        for number in 0..32 {
            table.set(&words, number, &format!("loop {number}"));
        }
        for number in 0..32 {
            assert_eq!(find(table, words.as_slice(), number), Some(format!("loop {number}")));
        }
        assert_eq!(find(table, words.as_slice(), 32), None);
    }

    #[test]
    fn a_new_name_replaces_the_old() {
        let (table, words) = table(16);
        table.set(&words, 5, "a name of some length that will be shorter");
        table.set(&words, 5, "short");
        assert_eq!(find(table, words.as_slice(), 5).unwrap(), "short");
    }

    #[test]
    fn long_names_are_cut_between_characters() {
        let (table, words) = table(16);
        table.set(&words, 1, &"å".repeat(40));
        assert_eq!(find(table, words.as_slice(), 1).unwrap(), "å".repeat(28));
        table.set(&words, 1, &format!("x{}", "å".repeat(40)));
        assert_eq!(find(table, words.as_slice(), 1).unwrap(), format!("x{}", "å".repeat(27)));
    }

    #[test]
    fn ended_names_stay_until_the_place_is_needed() {
        let (table, words) = table(8);
        let words = words.as_slice();
        (0..8).for_each(|number| table.set(words, number, "old"));
        table.end_of(words, 3);
        assert_eq!(find(table, words, 3).unwrap(), "old");
        table.set(words, 100, "new");
        assert_eq!(find(table, words, 3), None);
        assert_eq!(find(table, words, 100).unwrap(), "new");
        assert!((0..8).filter(|n| *n != 3).all(|n| find(table, words, n).is_some()));
    }

    #[test]
    fn a_name_that_changed_while_it_was_copied_is_copied_again() {
        let (table, words) = table(8);
        let words = words.as_slice();
        (0..4).for_each(|number| table.set(words, number, "one name of many words"));
        let mut copy = vec![0; words.len()];
        assert!(words.read(0, &mut copy));
        table.set(words, 2, "another");
        table.end_of(words, 3);
        // In two pieces, the first of which ends within an entry.
        table.recheck(words, &mut copy, 0..13);
        table.recheck(words, &mut copy, 13..words.len());
        let found = [0, 1, 2, 3].map(|number| find(table, copy.as_slice(), number).unwrap());
        let same = "one name of many words";
        assert_eq!(found, [same, same, "another", same]);
    }
}

//! Names by number, in a table of fixed size that any thread may write and a crashed process leaves readable.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::source::Source;

/// Words of an entry: one of state, then the name.
const ENTRY: usize = 8;
/// Bytes of a name that are kept.
pub(crate) const NAME: usize = (ENTRY - 1) * 8;
/// How many entries are looked at for a number.
const PROBES: usize = 8;

const BUSY: u64 = 1;
const LIVE: u64 = 2;
const ENDED: u64 = 3;

/// Where a table is. The first word of an entry is, from the top: number (32 bits), version (16), length of the
/// name (8), state (8). It is claimed by compare-and-swap with a new version before the name's words are
/// stored, and stored again after; all with release, so a reader that sees a word of a newer name sees the
/// claim too.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Table {
    start: usize,
    entries: usize,
}

/// A name as it was read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Name {
    bytes: [u8; NAME],
    length: usize,
}

impl Name {
    pub(crate) fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or(&self.bytes)
    }
}

impl Table {
    pub(crate) const fn new(start: usize, entries: usize) -> Self {
        Self { start, entries }
    }

    pub(crate) const fn end(&self) -> usize {
        self.start + self.entries * ENTRY
    }

    /// Sets the name of `number`. When every place for it is taken by living ones, one of them loses its name.
    pub(crate) fn set(&self, words: &[AtomicU64], number: u32, name: &str) {
        // Another thread may claim the chosen entry first; a few tries are enough, and a name may be missing.
        for _ in 0..PROBES {
            let at = self.place(words, number);
            let Some(entry) = words.get(at..at + ENTRY) else { return };
            let Some((state, text)) = entry.split_first() else { return };
            let old = state.load(Ordering::Acquire);
            let version = (old >> 16 & 0xffff).wrapping_add(1) & 0xffff;
            let claimed = u64::from(number) << 32 | version << 16;
            let busy = old & 0xff == BUSY;
            // Acquire and release: after the earlier writer's words, before ours.
            let (success, failure) = (Ordering::AcqRel, Ordering::Relaxed);
            if busy || state.compare_exchange(old, claimed | BUSY, success, failure).is_err() {
                continue;
            }
            let name = cut(name);
            for (index, word) in text.iter().enumerate() {
                let mut bytes = [0; 8];
                let rest = name.get(index * 8..).unwrap_or_default();
                let length = rest.len().min(8);
                bytes[..length].copy_from_slice(&rest[..length]);
                word.store(u64::from_ne_bytes(bytes), Ordering::Release);
            }
            state.store(claimed | (name.len() as u64) << 8 | LIVE, Ordering::Release);
            return;
        }
    }

    /// Lets the entry of `number` be used for another; until then its name stays readable.
    pub(crate) fn end_of(&self, words: &[AtomicU64], number: u32) {
        for at in self.places(number) {
            let Some(state) = words.get(at) else { return };
            let old = state.load(Ordering::Relaxed);
            if old >> 32 == u64::from(number) && old & 0xff == LIVE {
                let ended = old & !0xff | ENDED;
                // If it changed meanwhile it is no longer ours to end.
                let _ = state.compare_exchange(old, ended, Ordering::Release, Ordering::Relaxed);
                return;
            }
        }
    }

    /// The name of `number`. Async-signal-safe on memory.
    pub(crate) fn find(&self, source: &(impl Source + ?Sized), number: u32) -> Option<Name> {
        let mut entry = [0; ENTRY];
        for at in self.places(number) {
            let state = source.word(at);
            let known = matches!(state & 0xff, LIVE | ENDED);
            if !known || state >> 32 != u64::from(number) {
                continue;
            }
            if !source.read(at, &mut entry) {
                return None;
            }
            let same = |now: u64| (now ^ state) & !0xff == 0;
            if !same(entry[0]) || !same(source.word(at)) {
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
    pub(crate) fn each(&self, source: &(impl Source + ?Sized), mut each: impl FnMut(u32, &Name)) {
        for entry in 0..self.entries {
            let state = source.word(self.start + entry * ENTRY);
            let number = (state >> 32) as u32;
            if matches!(state & 0xff, LIVE | ENDED)
                && let Some(name) = self.find(source, number)
            {
                each(number, &name);
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

/// A name put together where nothing may be allocated.
#[derive(Debug)]
pub(crate) struct Short {
    bytes: [u8; NAME],
    length: usize,
}

impl Short {
    pub(crate) const fn new() -> Self {
        Self { bytes: [0; NAME], length: 0 }
    }

    /// Puts so much of the end of `text` before what is there as there is room for.
    pub(crate) fn put_before(&mut self, text: &str) {
        let room = NAME.saturating_sub(self.length);
        let least = text.len().saturating_sub(room);
        let from = (least..=text.len()).find(|from| text.is_char_boundary(*from));
        let kept = text.get(from.unwrap_or(text.len())..).unwrap_or_default().as_bytes();
        self.bytes.copy_within(..self.length, kept.len());
        self.bytes[..kept.len()].copy_from_slice(kept);
        self.length += kept.len();
    }

    pub(crate) fn text(&self) -> &str {
        let written = self.bytes.get(..self.length).unwrap_or_default();
        std::str::from_utf8(written).unwrap_or_default()
    }
}

impl fmt::Write for Short {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = NAME.saturating_sub(self.length);
        let kept = fit(text, room);
        let end = self.length + kept.len();
        self.bytes[self.length..end].copy_from_slice(kept);
        self.length = end;
        Ok(())
    }
}

/// The bytes of a name that are kept.
fn cut(name: &str) -> &[u8] {
    fit(name, NAME)
}

/// The first bytes of a text, cut between characters.
fn fit(text: &str, room: usize) -> &[u8] {
    let end = (0..=room.min(text.len())).rev().find(|end| text.is_char_boundary(*end));
    text.get(..end.unwrap_or(0)).unwrap_or_default().as_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(entries: usize) -> (Table, Vec<AtomicU64>) {
        let table = Table::new(0, entries);
        (table, (0..table.end()).map(|_| AtomicU64::new(0)).collect())
    }

    fn find(table: Table, words: &[AtomicU64], number: u32) -> Option<String> {
        let name = table.find(words, number)?;
        Some(String::from_utf8(name.bytes().to_vec()).unwrap())
    }

    #[test]
    fn names_are_found_again() {
        let (table, words) = table(64);
        for number in 0..32 {
            table.set(&words, number, &format!("loop {number}"));
        }
        for number in 0..32 {
            assert_eq!(find(table, &words, number), Some(format!("loop {number}")));
        }
        assert_eq!(find(table, &words, 32), None);
    }

    #[test]
    fn a_new_name_replaces_the_old() {
        let (table, words) = table(16);
        table.set(&words, 5, "a name of some length that will be shorter");
        table.set(&words, 5, "short");
        assert_eq!(find(table, &words, 5).unwrap(), "short");
    }

    #[test]
    fn long_names_are_cut_between_characters() {
        let (table, words) = table(16);
        table.set(&words, 1, &"å".repeat(40));
        assert_eq!(find(table, &words, 1).unwrap(), "å".repeat(28));
        table.set(&words, 1, &format!("x{}", "å".repeat(40)));
        assert_eq!(find(table, &words, 1).unwrap(), format!("x{}", "å".repeat(27)));
    }

    #[test]
    fn the_end_of_a_long_path_is_kept() {
        let place = |file: &str| {
            let mut name = Short::new();
            fmt::Write::write_fmt(&mut name, format_args!(":{}", 123)).unwrap();
            name.put_before(file);
            name.text().to_owned()
        };
        assert_eq!(place("nest/core/src/x.rs"), "nest/core/src/x.rs:123");
        let long = format!("{}/å/src/x.rs", "x".repeat(60));
        let kept = place(&long);
        assert!(kept.len() <= NAME && kept.ends_with("xx/å/src/x.rs:123"), "{kept}");
        assert_eq!(place(&"å".repeat(50)), format!("{}:123", "å".repeat(26)));
    }

    #[test]
    fn ended_names_stay_until_the_place_is_needed() {
        let (table, words) = table(8);
        (0..8).for_each(|number| table.set(&words, number, "old"));
        table.end_of(&words, 3);
        assert_eq!(find(table, &words, 3).unwrap(), "old");
        table.set(&words, 100, "new");
        assert_eq!(find(table, &words, 3), None);
        assert_eq!(find(table, &words, 100).unwrap(), "new");
        assert!((0..8).filter(|n| *n != 3).all(|n| find(table, &words, n).is_some()));
    }
}

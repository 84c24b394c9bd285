//! Where a worker finds what it measures of a handler: by kind of loop, class, kind of handler, and the place in the
//! program that asked for it.

use std::sync::Arc;

use dunlin_sync::Class;

use super::handlers::{Cell, Handler};
use crate::place::PlaceId;

/// What is measured together: handlers of one kind of loop, class and kind, asked for at one place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Key(u64);

impl Key {
    /// `of_kind` is the number of the kind of loop.
    #[inline]
    pub(super) fn new(of_kind: usize, class: Class, handler: Handler, place: PlaceId) -> Self {
        let which = of_kind * PER_KIND + class.index() * Handler::ALL.len() + handler.index();
        // The bit tells it from no key.
        Self(1 << 63 | (which as u64) << 16 | u64::from(place.0))
    }

    /// The same wherever it was asked for: for what there is no room for by itself.
    pub(super) fn anywhere(self) -> Self {
        Self(self.0 & !u64::from(u16::MAX))
    }

    /// Where to look first, by the golden ratio.
    #[inline]
    fn hash(self) -> usize {
        (self.0.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as usize
    }
}

/// Cells by key, never more than half full, so that the first look nearly always finds the one. Touched by its worker
/// only; others see the cells.
pub(super) struct Cells {
    /// A power of two.
    entries: Box<[Entry]>,
    len: usize,
}

#[derive(Clone)]
struct Entry {
    key: Key,
    cell: Option<Arc<Cell>>,
}

const EMPTY: Entry = Entry { key: Key(0), cell: None };

impl Cells {
    pub(super) fn new() -> Self {
        Self { entries: vec![EMPTY; FIRST].into(), len: 0 }
    }

    #[inline]
    pub(super) fn find(&self, key: Key) -> Option<&Cell> {
        let mask = self.entries.len() - 1;
        let mut at = key.hash() & mask;
        loop {
            let entry = self.entries.get(at)?;
            if entry.key == key {
                return entry.cell.as_deref();
            }
            entry.cell.as_ref()?;
            at = (at + 1) & mask;
        }
    }

    /// Whether there is room for a place of its own. Without it what comes is measured together, wherever it was
    /// asked for.
    pub(super) fn has_room(&self) -> bool {
        self.len < MOST
    }

    /// Adds one that is not there.
    #[cold]
    pub(super) fn add(&mut self, key: Key, cell: Arc<Cell>) {
        self.len += 1;
        if self.len * 2 > self.entries.len() {
            let twice = vec![EMPTY; self.entries.len() * 2].into();
            for entry in core::mem::replace(&mut self.entries, twice) {
                self.put(entry);
            }
        }
        self.put(Entry { key, cell: Some(cell) });
    }

    fn put(&mut self, entry: Entry) {
        let mask = self.entries.len() - 1;
        let mut at = entry.key.hash() & mask;
        while let Some(place) = self.entries.get_mut(at).filter(|_| entry.cell.is_some()) {
            if place.cell.is_none() {
                *place = entry;
                return;
            }
            at = (at + 1) & mask;
        }
    }

    pub(super) fn each(&self) -> impl Iterator<Item = &Cell> {
        self.entries.iter().filter_map(|entry| entry.cell.as_deref())
    }
}

/// Keys of a kind of loop.
const PER_KIND: usize = Class::ALL.len() * Handler::ALL.len();
/// Entries at the start.
const FIRST: usize = 256;
/// Cells of places of their own that a worker has at most, of 4.5 KB each. The daemon has about 200.
const MOST: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_key_has_its_cell_however_many_there_are() {
        let mut cells = Cells::new();
        let mut all = Vec::new();
        for kind in 0..5 {
            for class in Class::ALL {
                for handler in [Handler::Message, Handler::Job] {
                    all.extend((0..30).map(|place| Key::new(kind, class, handler, PlaceId(place))));
                }
            }
        }
        let made: Vec<_> = all.iter().map(|_| Cell::new()).collect();
        for (at, (key, cell)) in all.iter().zip(&made).enumerate() {
            assert_eq!(cells.has_room(), at < MOST);
            assert!(cells.find(*key).is_none());
            cells.add(*key, Arc::clone(cell));
        }
        for (key, cell) in all.iter().zip(&made) {
            assert!(core::ptr::eq(cells.find(*key).unwrap(), &raw const **cell));
        }
        assert_eq!(cells.each().count(), all.len());
        let anywhere = all[7].anywhere();
        let first = Key::new(0, Class::ALL[0], Handler::Message, PlaceId::UNKNOWN);
        assert_eq!(anywhere, first);
    }
}

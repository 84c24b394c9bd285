//! A table's attribute sets: 32-bit handles for interned sets, with local counts.

use std::sync::Arc;

use super::store::Store;
use crate::index::Index;
use dunlin_attr::Attrs;

/// Nothing: no set, no route, no next hop.
pub(crate) const NIL: u32 = 0;

/// One interned set.
#[derive(Debug, Default)]
pub(crate) struct Entry {
    /// The set; none in a free record.
    pub(crate) set: Option<Arc<Attrs>>,
    /// Routes, Adj-RIB-Out entries and batches that use it.
    refs: u32,
    /// First of the routes whose accepted set this is.
    pub(crate) first_route: u32,
    /// The next hop that it needs resolved.
    pub(crate) hop: u32,
    hop_next: u32,
    hop_previous: u32,
    band_next: u32,
    band_previous: u32,
    /// Tells this set from those that had the handle before; zero in a free record.
    serial: u32,
}

/// A set that may have gone since; or nothing, which is always there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Weak {
    handle: u32,
    serial: u32,
}

/// See the module. Sets are equal if their content and their next hop are.
#[derive(Debug)]
pub(crate) struct AttrTable {
    index: Index,
    entries: Store<Entry>,
    /// First entry of each band of the content hash, for feeds.
    bands: Vec<u32>,
    /// Sets ever made.
    made: u64,
}

/// The band of a content hash.
pub(crate) fn band_of(hash: u64) -> usize {
    (hash >> 56) as usize
}

impl AttrTable {
    pub(crate) fn new() -> Self {
        Self { index: Index::new(), entries: Store::new(), bands: Vec::new(), made: 0 }
    }

    /// The handle of a set with a next hop; makes it if need be. Takes one reference.
    pub(crate) fn intern(&mut self, set: &Arc<Attrs>, hop: u32) -> Interned {
        let entries = &mut self.entries;
        let hash = set.hash() ^ u64::from(hop).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let handle = self.index.find(hash, |handle| {
            let entry = &entries[handle];
            entry.hop == hop && entry.set.as_ref().is_some_and(|other| same(set, other))
        });
        if handle != NIL {
            entries[handle].refs += 1;
            return Interned { handle, new: false };
        }
        self.made += 1;
        let entry = Entry { set: Some(Arc::clone(set)), refs: 1, hop, ..Entry::default() };
        let handle = entries.insert(Entry { serial: serial_of(self.made), ..entry });
        self.index.insert(hash, handle);
        self.link_band(handle, band_of(set.hash()));
        Interned { handle, new: true }
    }

    /// A set that is there, for later.
    pub(crate) fn weak(&self, handle: u32) -> Weak {
        let serial = if handle == NIL { 0 } else { self.entries[handle].serial };
        Weak { handle, serial }
    }

    /// The handle of a set, if it is still there. Unless four billion were made since: see
    /// [`made`](Self::made).
    pub(crate) fn find(&self, weak: Weak) -> Option<u32> {
        let Weak { handle, serial } = weak;
        let is_there = || handle < self.entries.end() && self.entries[handle].serial == serial;
        (handle == NIL || is_there()).then_some(handle)
    }

    /// How many sets were ever made.
    pub(crate) fn made(&self) -> u64 {
        self.made
    }

    /// Fetches what [`intern`](Self::intern) looks at first, of a set that needs no resolution.
    #[inline]
    pub(crate) fn touch(&self, hash: u64) -> u64 {
        self.index.touch(hash)
    }

    /// One more user.
    #[inline]
    pub(crate) fn hold(&mut self, handle: u32) {
        if handle != NIL {
            self.entries[handle].refs += 1;
        }
    }

    /// One user less; returns the next hop to unlink if the set is now gone.
    #[inline]
    pub(crate) fn release(&mut self, handle: u32) -> Option<Entry> {
        if handle == NIL {
            return None;
        }
        let entry = &mut self.entries[handle];
        entry.refs -= 1;
        (entry.refs == 0).then(|| self.drop_entry(handle))
    }

    fn drop_entry(&mut self, handle: u32) -> Entry {
        let hash = hash_of(&self.entries[handle]);
        self.index.remove(hash, handle);
        self.unlink_band(handle);
        self.entries.remove(handle)
    }

    /// The set behind a handle.
    ///
    /// # Panics
    /// If the handle is free: handles are counted, so a held one never is.
    #[inline]
    #[expect(clippy::expect_used, reason = "a counted handle names a live entry")]
    pub(crate) fn set(&self, handle: u32) -> &Arc<Attrs> {
        self.entries[handle].set.as_ref().expect("held attribute handle")
    }

    #[inline]
    pub(crate) fn entry(&self, handle: u32) -> &Entry {
        &self.entries[handle]
    }

    #[inline]
    pub(crate) fn entry_mut(&mut self, handle: u32) -> &mut Entry {
        &mut self.entries[handle]
    }

    /// First entry of a band; go on with [`next_in_band`](Self::next_in_band).
    pub(crate) fn band(&self, band: usize) -> u32 {
        self.bands.get(band).copied().unwrap_or(NIL)
    }

    pub(crate) fn next_in_band(&self, handle: u32) -> u32 {
        self.entries[handle].band_next
    }

    /// Sets in the table.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Bytes held, without the sets themselves, which slices share.
    pub(crate) fn memory(&self) -> usize {
        self.entries.memory() + self.index.memory() + self.bands.capacity() * 4
    }

    /// Panics if the counts are not `refs`, or if lists and index disagree. For tests.
    #[cfg(test)]
    pub(crate) fn check(&self, refs: &std::collections::HashMap<u32, u32>) {
        let mut banded = 0;
        for band in 0..self.bands.len() {
            let (mut at, mut previous) = (self.band(band), NIL);
            while at != NIL {
                let entry = &self.entries[at];
                assert_eq!(band_of(self.set(at).hash()), band);
                assert_eq!(entry.band_previous, previous);
                assert_eq!(Some(&entry.refs), refs.get(&at), "references of {:?}", self.set(at));
                banded += 1;
                (previous, at) = (at, entry.band_next);
            }
        }
        assert_eq!((banded, self.index.len()), (self.entries.len(), banded), "sets in bands");
        assert_eq!(refs.len(), banded, "sets in use");
    }

    /// Sets that have a next hop.
    #[cfg(test)]
    pub(crate) fn with_hops(&self) -> usize {
        (1..self.entries.end()).filter(|&at| self.entries[at].hop != NIL).count()
    }

    fn link_band(&mut self, handle: u32, band: usize) {
        if self.bands.is_empty() {
            self.bands = vec![NIL; usize::from(crate::export::BANDS)];
        }
        let head = core::mem::replace(&mut self.bands[band], handle);
        self.entries[handle].band_next = head;
        if head != NIL {
            self.entries[head].band_previous = handle;
        }
    }

    fn unlink_band(&mut self, handle: u32) {
        let (next, previous) = {
            let entry = &self.entries[handle];
            (entry.band_next, entry.band_previous)
        };
        if next != NIL {
            self.entries[next].band_previous = previous;
        }
        if previous != NIL {
            self.entries[previous].band_next = next;
        } else if let Some(set) = &self.entries[handle].set {
            self.bands[band_of(set.hash())] = next;
        }
    }

    /// Puts an entry at the head of its next hop's list; returns nothing.
    pub(crate) fn link_hop(&mut self, handle: u32, head: &mut u32) {
        let old = core::mem::replace(head, handle);
        self.entries[handle].hop_next = old;
        self.entries[handle].hop_previous = NIL;
        if old != NIL {
            self.entries[old].hop_previous = handle;
        }
    }

    /// Takes a removed entry out of its next hop's list.
    pub(crate) fn unlink_hop(&mut self, gone: &Entry, head: &mut u32) {
        if gone.hop_next != NIL {
            self.entries[gone.hop_next].hop_previous = gone.hop_previous;
        }
        if gone.hop_previous != NIL {
            self.entries[gone.hop_previous].hop_next = gone.hop_next;
        } else {
            *head = gone.hop_next;
        }
    }

    pub(crate) fn next_of_hop(&self, handle: u32) -> u32 {
        self.entries[handle].hop_next
    }
}

/// Result of interning.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Interned {
    /// The handle.
    pub(crate) handle: u32,
    /// The entry was made just now and is in no next hop's list.
    pub(crate) new: bool,
}

/// Never zero, and another one for each of four billion sets.
fn serial_of(made: u64) -> u32 {
    u32::try_from(made % u64::from(u32::MAX)).unwrap_or(0) + 1
}

fn same(a: &Arc<Attrs>, b: &Arc<Attrs>) -> bool {
    Arc::ptr_eq(a, b) || a.same_content(b)
}

fn hash_of(entry: &Entry) -> u64 {
    let hash = entry.set.as_ref().map_or(0, |set| set.hash());
    hash ^ u64::from(entry.hop).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

#[cfg(test)]
mod tests {
    use super::{AttrTable, NIL, band_of};
    use crate::testing::{Look, attrs};

    fn look(med: u32) -> Look {
        Look { local_pref: 100, hops: 1, med }
    }

    #[test]
    fn equal_sets_with_equal_next_hops_are_one() {
        let mut sets = AttrTable::new();
        let one = sets.intern(&attrs(look(1)), NIL);
        let same = sets.intern(&attrs(look(1)), NIL);
        let other_hop = sets.intern(&attrs(look(1)), 7);
        let other = sets.intern(&attrs(look(2)), NIL);
        assert!(one.new && !same.new && other_hop.new && other.new);
        assert_eq!(one.handle, same.handle);
        assert_eq!(sets.len(), 3);
        assert_eq!(sets.entry(other_hop.handle).hop, 7);
    }

    #[test]
    fn the_last_user_frees_a_set() {
        let mut sets = AttrTable::new();
        let one = sets.intern(&attrs(look(1)), NIL).handle;
        sets.hold(one);
        assert!(sets.release(one).is_none());
        assert!(sets.release(one).is_some());
        assert_eq!(sets.len(), 0);
        assert!(sets.intern(&attrs(look(1)), NIL).new);
        sets.hold(NIL);
        assert!(sets.release(NIL).is_none());
    }

    #[test]
    fn bands_hold_all_sets_whatever_goes() {
        let mut sets = AttrTable::new();
        let handles: Vec<u32> =
            (0..2000).map(|med| sets.intern(&attrs(look(med)), NIL).handle).collect();
        for handle in handles.iter().step_by(3) {
            sets.release(*handle);
        }
        let mut found = 0;
        for band in 0..256 {
            let mut at = sets.band(band);
            while at != NIL {
                assert_eq!(band_of(sets.set(at).hash()), band);
                found += 1;
                at = sets.next_in_band(at);
            }
        }
        assert_eq!(found, 2000 - 2000_usize.div_ceil(3));
    }

    #[test]
    fn sets_leave_their_next_hops_list_from_any_place() {
        for gone in 0..3 {
            let mut sets = AttrTable::new();
            let mut head = NIL;
            let handles: Vec<u32> = (0..3)
                .map(|med| {
                    let handle = sets.intern(&attrs(look(med)), 5).handle;
                    sets.link_hop(handle, &mut head);
                    handle
                })
                .collect();
            let entry = sets.release(handles[gone]).unwrap();
            sets.unlink_hop(&entry, &mut head);
            let mut left = Vec::new();
            let mut at = head;
            while at != NIL {
                left.push(at);
                at = sets.next_of_hop(at);
            }
            let mut expected = handles.clone();
            expected.remove(gone);
            expected.reverse();
            assert_eq!(left, expected);
        }
    }
}

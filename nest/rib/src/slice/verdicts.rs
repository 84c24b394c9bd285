//! Verdicts that are remembered from one turn to the next, by filter, source and attribute set.
//!
//! A verdict is worth keeping if the run looked at nothing but the set and its source. A place is
//! found by a hash, and what comes to it takes it: so the memory is bounded and nothing has to be kept
//! in order. It refers to sets without holding them ([`Weak`]): a set that has gone is nobody's verdict.
//! Nothing has to be forgotten at a reconfiguration either: filters and sources go by numbers that
//! change when they do ([`Numbers`]).

use super::attrs::{AttrTable, Weak};

/// Places at first.
const FEW: usize = 256;

/// The most places: 900 KB for a table in a slice.
const MOST: usize = 1 << 15;

/// It grows if, in filling once, at least one verdict in so many was used.
const WORTH: usize = 8;

/// A verdict by its kind, and the set that goes with it, if one does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Known {
    pub(crate) kind: u8,
    pub(crate) set: u32,
}

/// What a verdict was of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Key {
    /// The number of the filter or policy.
    pub(crate) filter: u32,
    /// The number of the source.
    pub(crate) source: u32,
    /// The set that it saw.
    pub(crate) set: u32,
}

#[derive(Clone, Copy, Debug, Default)]
struct Place {
    filter: u32,
    source: u32,
    set: Weak,
    result: Weak,
    kind: u8,
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Verdicts {
    /// None at first, then a power of two.
    places: Box<[Place]>,
    /// Verdicts put in and used since it grew.
    put: usize,
    used: usize,
    /// How many sets the table had made when the oldest verdict here was put in.
    since: u64,
}

impl Verdicts {
    /// The verdict, if it is known and its set is still there.
    pub(crate) fn get(&mut self, sets: &AttrTable, key: Key) -> Option<Known> {
        let place = self.places.get(self.place(key))?;
        let same = place.filter == key.filter
            && place.source == key.source
            && sets.find(place.set) == Some(key.set);
        if !same {
            return None;
        }
        let set = sets.find(place.result)?;
        let known = Known { kind: place.kind, set };
        self.used += 1;
        Some(known)
    }

    /// Remembers a verdict.
    pub(crate) fn put(&mut self, sets: &AttrTable, key: Key, known: Known) {
        self.make_room(sets);
        let at = self.place(key);
        if let Some(place) = self.places.get_mut(at) {
            self.put += 1;
            *place = Place {
                filter: key.filter,
                source: key.source,
                set: sets.weak(key.set),
                result: sets.weak(known.set),
                kind: known.kind,
            };
        }
    }

    fn make_room(&mut self, sets: &AttrTable) {
        let places = self.places.len();
        // Long before the numbers of sets begin anew.
        let old = sets.made() - self.since > u64::from(u32::MAX / 2);
        let full = self.put >= places;
        let larger = full && places < MOST && self.used * WORTH >= self.put;
        if places == 0 || old || larger {
            let places = if places == 0 {
                FEW
            } else if larger {
                places * 2
            } else {
                places
            };
            self.places = vec![Place::default(); places].into();
            self.since = sets.made();
        }
        if full {
            (self.put, self.used) = (0, 0);
        }
    }

    fn place(&self, key: Key) -> usize {
        let mixed = (u64::from(key.set) << 32 | u64::from(key.filter))
            .wrapping_mul(0x9e37_79b9_7f4a_7c15)
            ^ u64::from(key.source).wrapping_mul(0xc2b2_ae3d_27d4_eb4f);
        (mixed >> 40) as usize & self.places.len().wrapping_sub(1)
    }

    /// Bytes held.
    pub(crate) fn memory(&self) -> usize {
        size_of_val(&*self.places)
    }
}

/// Gives filters and sources of a slice numbers that nobody had before.
#[derive(Debug)]
pub(crate) struct Numbers(u32);

impl Default for Numbers {
    fn default() -> Self {
        // Zero is in places that nobody has taken.
        Self(1)
    }
}

impl Numbers {
    /// One more. After four billion changes of filters they begin anew.
    pub(crate) fn next(&mut self) -> u32 {
        let next = self.0;
        self.0 = next.checked_add(1).unwrap_or(1);
        next
    }
}

#[cfg(test)]
mod tests {
    use super::{FEW, Key, Known, MOST, Numbers, Verdicts};
    use crate::slice::attrs::{AttrTable, NIL};
    use crate::testing::{Look, attrs};

    fn set(sets: &mut AttrTable, med: u32) -> u32 {
        sets.intern(&attrs(Look { local_pref: 100, hops: 1, med }), NIL).handle
    }

    fn key(set: u32) -> Key {
        Key { filter: 1, source: 2, set }
    }

    #[test]
    fn a_verdict_is_that_of_its_filter_source_and_set() {
        let (mut sets, mut verdicts) = (AttrTable::new(), Verdicts::default());
        let (one, other) = (set(&mut sets, 1), set(&mut sets, 2));
        assert_eq!(verdicts.get(&sets, key(one)), None);
        let known = Known { kind: 3, set: other };
        verdicts.put(&sets, key(one), known);
        assert_eq!(verdicts.get(&sets, key(one)), Some(known));
        assert_eq!(verdicts.get(&sets, key(other)), None);
        assert_eq!(verdicts.get(&sets, Key { filter: 2, ..key(one) }), None);
        assert_eq!(verdicts.get(&sets, Key { source: 1, ..key(one) }), None);
        verdicts.put(&sets, key(other), Known { kind: 0, set: NIL });
        assert_eq!(verdicts.get(&sets, key(other)), Some(Known { kind: 0, set: NIL }));
    }

    #[test]
    fn a_set_that_has_gone_is_nobodys_verdict_though_its_handle_is_used_again() {
        let (mut sets, mut verdicts) = (AttrTable::new(), Verdicts::default());
        let (stays, seen, result) = (set(&mut sets, 1), set(&mut sets, 2), set(&mut sets, 3));
        verdicts.put(&sets, key(seen), Known { kind: 1, set: stays });
        verdicts.put(&sets, key(stays), Known { kind: 1, set: result });
        sets.release(seen);
        sets.release(result);
        assert_eq!(verdicts.get(&sets, key(stays)), None);
        // The same handles, other sets.
        let again = [set(&mut sets, 4), set(&mut sets, 5)];
        assert!(again.contains(&seen) && again.contains(&result));
        assert_eq!(verdicts.get(&sets, key(seen)), None);
        assert_eq!(verdicts.get(&sets, key(stays)), None);
        for handle in [stays, again[0], again[1]] {
            sets.release(handle);
        }
        // The table is empty, and its handles begin anew.
        assert_eq!(verdicts.get(&sets, key(stays)), None);
    }

    #[test]
    fn memory_grows_only_as_far_as_it_is_of_use() {
        let mut sets = AttrTable::new();
        let handles: Vec<u32> = (0..4 * FEW as u32).map(|med| set(&mut sets, med)).collect();
        let (mut idle, mut busy) = (Verdicts::default(), Verdicts::default());
        for round in 0..200 {
            for handle in &handles {
                idle.put(&sets, Key { filter: round, ..key(*handle) }, Known { kind: 0, set: NIL });
                if busy.get(&sets, key(*handle)).is_none() {
                    busy.put(&sets, key(*handle), Known { kind: 0, set: NIL });
                }
                busy.get(&sets, key(*handle));
            }
        }
        assert_eq!(idle.places.len(), FEW);
        assert!(busy.places.len() >= handles.len(), "{}", busy.places.len());
        assert!(busy.memory() <= MOST * 28);
    }

    #[test]
    fn numbers_are_never_zero() {
        let mut numbers = Numbers(u32::MAX);
        assert_eq!((numbers.next(), numbers.next()), (u32::MAX, 1));
    }
}

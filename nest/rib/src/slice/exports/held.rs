//! Adj-RIB-Out: what the export groups of a table hold for each network.
//!
//! [`Net::out`](crate::slice::table::Net) says it in one word:
//!
//! * zero: nobody holds anything;
//! * [`AS_BEST`] and a generation: every group that was added up to then holds the best route as it
//!   is, the others hold nothing;
//! * else a list of [`Held`] records: a route and the set of groups that hold it.
//!
//! A group's generation is counted up when it is added, so a new group holds nothing until it has
//! been fed, at no cost per network. Each route in a list is of the network's best route: the same
//! source, the same set or what a policy made of it.

use dunlin_net::hash::Map;
use smallvec::SmallVec;

use super::Slot;
use crate::import::TableKey;
use crate::slice::decide::Best;
use crate::slice::store::Store;
use crate::slice::table::{DIRTY, Env, Table};

/// Set in [`Net::out`](crate::slice::table::Net) if the rest is a generation.
const AS_BEST: u32 = 1 << 30;

/// What groups hold for a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Out {
    Nobody,
    /// Groups up to this generation hold the best route.
    AsBest(u32),
    /// First record of a list.
    List(u32),
}

impl Out {
    pub(super) fn unpack(word: u32) -> Self {
        match word & !DIRTY {
            0 => Self::Nobody,
            word if word & AS_BEST != 0 => Self::AsBest(word & !AS_BEST),
            head => Self::List(head),
        }
    }

    pub(super) fn pack(self) -> u32 {
        match self {
            Self::Nobody => 0,
            Self::AsBest(generation) => AS_BEST | generation,
            Self::List(head) => head,
        }
    }
}

/// The generation after one. A table that has seen a billion groups starts to take new ones for
/// fed, which costs superfluous withdrawals.
pub(super) fn next_generation(generation: u32) -> u32 {
    (generation + 1).min(AS_BEST - 1)
}

/// A route that some groups hold.
#[derive(Clone, Copy, Debug, Default)]
struct Held {
    /// Counted.
    set: u32,
    /// Handle of an interned set of groups, counted.
    groups: u32,
    next: u32,
    source: u16,
}

/// The lists of a table.
#[derive(Debug)]
pub(super) struct AdjOut {
    held: Store<Held>,
    group_sets: GroupSets,
}

impl AdjOut {
    pub(super) fn new() -> Self {
        Self { held: Store::new(), group_sets: GroupSets::default() }
    }

    /// Whether a list names this group.
    pub(super) fn names(&self, group: usize) -> bool {
        self.group_sets.list.iter().any(|set| set.refs > 0 && has(&set.bits, group))
    }

    /// Records and sets of groups in use.
    #[cfg(test)]
    pub(super) fn len(&self) -> (usize, usize) {
        (self.held.len(), self.group_sets.by_bits.len())
    }

    pub(super) fn memory(&self) -> usize {
        self.held.memory() + self.group_sets.list.capacity() * size_of::<GroupSet>()
    }
}

/// Interned sets of group indices, counted.
#[derive(Debug, Default)]
struct GroupSets {
    by_bits: Map<Box<[u64]>, u32>,
    list: Vec<GroupSet>,
    free: Vec<u32>,
}

#[derive(Debug, Default)]
struct GroupSet {
    bits: Box<[u64]>,
    refs: u32,
}

impl GroupSets {
    /// The handle of a set; takes a reference.
    fn intern(&mut self, bits: &[u64]) -> u32 {
        if let Some(&handle) = self.by_bits.get(bits) {
            self.list[handle as usize].refs += 1;
            return handle;
        }
        let set = GroupSet { bits: bits.into(), refs: 1 };
        let handle = self.free.pop().unwrap_or_else(|| {
            self.list.push(GroupSet::default());
            // As many sets as lists at most, and those have 30-bit handles.
            u32::try_from(self.list.len() - 1).unwrap_or(u32::MAX)
        });
        self.list[handle as usize] = set;
        self.by_bits.insert(bits.into(), handle);
        handle
    }

    fn release(&mut self, handle: u32) {
        let set = &mut self.list[handle as usize];
        set.refs -= 1;
        if set.refs == 0 {
            self.by_bits.remove(&set.bits);
            set.bits = Box::default();
            self.free.push(handle);
        }
    }

    fn contains(&self, handle: u32, group: usize) -> bool {
        self.list.get(handle as usize).is_some_and(|set| has(&set.bits, group))
    }
}

fn has(bits: &[u64], group: usize) -> bool {
    bits.get(group / 64).is_some_and(|word| word & (1 << (group % 64)) != 0)
}

impl<K: TableKey> Table<K> {
    pub(super) fn out(&self, net: u32) -> Out {
        Out::unpack(self.nets[net].out)
    }

    /// Reads Adj-RIB-Out into `exports.old`, one entry per group. `best` is the best route as last
    /// decided.
    pub(super) fn load_old(&mut self, net: u32, best: Option<Best>) {
        let out = self.out(net);
        let exports = &mut self.exports;
        exports.old.clear();
        exports.old.resize(exports.groups.len(), None);
        match out {
            Out::Nobody => {}
            Out::AsBest(generation) => {
                for (slot, old) in exports.groups.iter().zip(&mut exports.old) {
                    let holds = slot.as_ref().is_some_and(|slot| slot.added <= generation);
                    *old = best.filter(|_| holds);
                }
            }
            Out::List(mut at) => {
                while at != 0 {
                    let held = exports.adj_out.held[at];
                    let best = Best { set: held.set, source: held.source };
                    for (group, old) in exports.old.iter_mut().enumerate() {
                        if exports.groups[group].is_some()
                            && exports.adj_out.group_sets.contains(held.groups, group)
                        {
                            *old = Some(best);
                        }
                    }
                    at = held.next;
                }
            }
        }
    }

    /// What one group holds. `best` is the best route as last decided.
    pub(super) fn held_by(&self, net: u32, group: usize, best: Option<Best>) -> Option<Best> {
        match self.out(net) {
            Out::Nobody => None,
            Out::AsBest(generation) => {
                let slot = self.exports.groups.get(group)?.as_ref()?;
                best.filter(|_| slot.added <= generation)
            }
            Out::List(mut at) => {
                while at != 0 {
                    let held = self.exports.adj_out.held[at];
                    if self.exports.adj_out.group_sets.contains(held.groups, group) {
                        return Some(Best { set: held.set, source: held.source });
                    }
                    at = held.next;
                }
                None
            }
        }
    }

    /// Writes Adj-RIB-Out from one entry per group.
    pub(super) fn store_out(
        &mut self,
        net: u32,
        best: Option<Best>,
        results: &[Option<Best>],
        env: &mut Env<'_>,
    ) {
        let groups = &self.exports.groups;
        let live = || groups.iter().zip(results).filter(|(slot, _)| slot.is_some());
        let new = if live().all(|(_, result)| result.is_none()) {
            Out::Nobody
        } else if best.is_some() && live().all(|(_, result)| *result == best) {
            Out::AsBest(self.exports.generation)
        } else {
            Out::List(self.store_list(results))
        };
        self.set_out(net, new, env);
    }

    /// Replaces what is said of a network.
    pub(super) fn set_out(&mut self, net: u32, new: Out, env: &mut Env<'_>) {
        let old = self.out(net);
        let word = &mut self.nets[net].out;
        *word = (*word & DIRTY) | new.pack();
        if let Out::List(head) = old {
            self.free_list(head, env);
        }
    }

    fn store_list(&mut self, results: &[Option<Best>]) -> u32 {
        let mut head = 0;
        for (index, result) in results.iter().enumerate() {
            let Some(best) = result else { continue };
            if results[..index].contains(result) {
                continue;
            }
            let mut bits: SmallVec<[u64; 4]> = SmallVec::new();
            for (group, other) in results.iter().enumerate().skip(index) {
                if other == result && self.exports.groups[group].is_some() {
                    bits.resize(bits.len().max(group / 64 + 1), 0);
                    bits[group / 64] |= 1 << (group % 64);
                }
            }
            if bits.is_empty() {
                continue;
            }
            let groups = self.exports.adj_out.group_sets.intern(&bits);
            self.sets.hold(best.set);
            let held = Held { set: best.set, source: best.source, groups, next: head };
            head = self.exports.adj_out.held.insert(held);
        }
        head
    }

    fn free_list(&mut self, mut at: u32, env: &mut Env<'_>) {
        while at != 0 {
            let held = self.exports.adj_out.held.remove(at);
            self.exports.adj_out.group_sets.release(held.groups);
            self.release(held.set, env);
            at = held.next;
        }
    }

    /// Forgets what groups hold that have gone.
    pub(crate) fn forget_gone(&mut self, net: u32, env: &mut Env<'_>) {
        let best = self.best_pair(net);
        match self.out(net) {
            Out::Nobody => return,
            Out::AsBest(generation) => {
                let holds = |slot: &Slot<K>| slot.added <= generation;
                if !self.exports.groups.iter().flatten().any(holds) {
                    self.set_out(net, Out::Nobody, env);
                }
            }
            Out::List(_) => {
                self.load_old(net, best);
                let results = core::mem::take(&mut self.exports.old);
                self.store_out(net, best, &results, env);
                self.exports.old = results;
            }
        }
        self.drop_net_if_empty(net);
    }

    /// Whether the counts of attribute sets and of group sets are what the lists say. `counted`
    /// gets one call for each set that a list holds.
    #[cfg(test)]
    pub(crate) fn check_adj_out(&self, mut counted: impl FnMut(u32)) {
        let mut group_refs = vec![0; self.exports.adj_out.group_sets.list.len()];
        let mut records = 0;
        for net in 1..self.nets.end() {
            let Out::List(mut at) = self.out(net) else { continue };
            while at != 0 {
                let held = self.exports.adj_out.held[at];
                counted(held.set);
                group_refs[held.groups as usize] += 1;
                records += 1;
                at = held.next;
            }
        }
        assert_eq!(records, self.exports.adj_out.len().0, "records of Adj-RIB-Out");
        for (set, refs) in self.exports.adj_out.group_sets.list.iter().zip(group_refs) {
            assert_eq!(set.refs, refs, "references of a set of groups");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{AS_BEST, GroupSets, Out, next_generation};
    use crate::slice::table::DIRTY;

    #[test]
    fn words_say_what_they_were_packed_from() {
        for out in [Out::Nobody, Out::AsBest(0), Out::AsBest(AS_BEST - 1), Out::List(7)] {
            assert_eq!(Out::unpack(out.pack()), out);
            assert_eq!(Out::unpack(out.pack() | DIRTY), out);
        }
        assert_eq!(next_generation(AS_BEST - 1), AS_BEST - 1);
    }

    #[test]
    fn sets_of_groups_are_interned_counted_and_reused() {
        let mut sets = GroupSets::default();
        let one = sets.intern(&[0b101]);
        assert_eq!(sets.intern(&[0b101]), one);
        let two = sets.intern(&[0, 1]);
        assert!(sets.contains(one, 2) && !sets.contains(one, 1) && sets.contains(two, 64));
        sets.release(one);
        assert!(sets.contains(one, 0));
        sets.release(one);
        assert!(!sets.contains(one, 0));
        assert_eq!(sets.intern(&[7]), one);
        assert_eq!(sets.by_bits.len(), 2);
    }
}

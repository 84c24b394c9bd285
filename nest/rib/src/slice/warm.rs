//! Fetching what a batch needs from memory, many at a time.
//!
//! A table is far larger than the processor's caches, so each network of a batch is a wait for
//! memory. Waits overlap if nothing depends on them: so a piece of a batch is first looked up, step
//! by step for all of its operations, and then applied.

use core::hint::black_box;
use std::sync::Arc;

use dunlin_attr::Attrs;

use super::attrs::NIL;
use super::table::Table;
use crate::import::{Op, TableKey};

/// Operations looked up together: as many waits as a processor can have under way.
pub(crate) const PIECE: usize = 16;

impl<K: TableKey> Table<K> {
    /// Fetches what up to [`PIECE`] operations need; returns the hashes of their networks, and the
    /// networks that are there.
    pub(crate) fn warm(&self, ops: &[Op<K>], attrs: &[Arc<Attrs>]) -> ([u64; PIECE], [u32; PIECE]) {
        let mut hashes = [0; PIECE];
        let mut seen = 0;
        for (op, hash) in ops.iter().zip(&mut hashes) {
            *hash = op.key.hash();
            seen ^= self.index.touch(*hash);
        }
        seen ^= self.warm_sets(ops, attrs);
        let mut nets = [NIL; PIECE];
        for ((op, hash), net) in ops.iter().zip(hashes).zip(&mut nets) {
            *net = self.index.find(hash, |net| self.nets[net].key == op.key);
        }
        let mut sets = [NIL; PIECE];
        for (&net, set) in nets.iter().zip(&mut sets) {
            if net != NIL && self.nets[net].first != NIL {
                *set = self.routes[self.nets[net].first].accepted;
            }
        }
        for set in sets {
            if set != NIL {
                seen ^= u64::from(self.sets.entry(set).first_route);
            }
        }
        // What was fetched is of no use but for having been fetched.
        black_box(seen);
        (hashes, nets)
    }

    fn warm_sets(&self, ops: &[Op<K>], attrs: &[Arc<Attrs>]) -> u64 {
        let mut hashes = [0; PIECE];
        let mut last = u32::MAX;
        for (op, hash) in ops.iter().zip(&mut hashes) {
            if op.attrs != last
                && let Some(set) = attrs.get(op.attrs as usize)
            {
                *hash = set.hash();
            }
            last = op.attrs;
        }
        let wanted = hashes.into_iter().filter(|&hash| hash != 0);
        wanted.fold(0, |seen, hash| seen ^ self.sets.touch(hash))
    }
}

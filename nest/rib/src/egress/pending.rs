//! What waits to be encoded: the latest state of each network, gathered by attribute set.
//!
//! A network that has been taken stays in the index for a while, marked as sent: taking it out at
//! once would cost as much as putting it in. Once nothing waits, or much has been sent, all of that
//! goes together.

use core::hint::black_box;
use std::sync::Arc;

use dunlin_net::hash::hash_u64;

use crate::SourceId;
use crate::export::{Delta, OutRoute};
use crate::import::EncodedKey;
use crate::index::Index;
use crate::slice::store::Store;

const NIL: u32 = 0;

/// Bucket of a network that has been taken.
const SENT: u32 = u32::MAX;

/// Sent networks that are cheaper to forget one by one than together.
const FEW: usize = 64;

/// Sent networks that are kept if fewer wait.
const SENT_KEPT: usize = 16 * 1024;

/// Networks looked at together.
pub(super) const PIECE: usize = 16;

/// A network that waits.
#[derive(Clone, Copy, Debug, Default)]
struct Entry<K> {
    key: K,
    bucket: u32,
    next: u32,
    previous: u32,
    /// The route's own source must get a withdrawal.
    withdraw_source: bool,
    /// Members that are being fed wait for it, though its bucket is past the fence.
    awaited: bool,
}

/// Networks with the same route, or those that are withdrawn.
#[derive(Debug, Default)]
struct Bucket {
    /// None: withdrawn.
    route: Option<OutRoute>,
    first: u32,
    count: u32,
    /// Neighbours in the order of making.
    next: u32,
    previous: u32,
    /// The read burst that made it. Later bursts may add to it; it does not wait for them.
    burst: u64,
    /// Counts up.
    number: u64,
    /// In the queue of what is no news.
    again: bool,
}

/// Buckets in the order of making.
#[derive(Clone, Copy, Debug, Default)]
struct Queue {
    first: u32,
    last: u32,
    /// The open withdrawal bucket.
    withdrawals: u32,
}

/// What [`Pending::take`] gives.
#[derive(Debug)]
pub(crate) struct Taken<K> {
    /// None: withdraw.
    pub(crate) route: Option<OutRoute>,
    /// Networks for everybody (but the source).
    pub(crate) nets: Vec<K>,
    /// Networks that the source itself must get withdrawn.
    pub(crate) withdraw_source: Vec<K>,
}

impl<K> Default for Taken<K> {
    fn default() -> Self {
        Self { route: None, nets: Vec::new(), withdraw_source: Vec::new() }
    }
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Pending<K> {
    entries: Store<Entry<K>>,
    index: Index,
    /// Whether entries are in the index.
    indexed: bool,
    /// No network is put in twice unless it is asked for in between: the index is made when first
    /// needed.
    lazy: bool,
    /// Entries that are marked as sent.
    sent: usize,
    buckets: Store<Bucket>,
    by_route: Index,
    /// News, then what was evaluated again.
    queues: [Queue; 2],
    /// The queue that is taken from next.
    chosen: usize,
    /// Number of the bucket made last.
    made: u64,
    /// What waits in buckets up to this number must leave before a feed has ended.
    fence: u64,
    /// Networks further on that must leave before that, too.
    awaited: usize,
}

impl<K: EncodedKey> Pending<K> {
    pub(crate) fn new() -> Self {
        Self {
            entries: Store::new(),
            index: Index::new(),
            indexed: true,
            lazy: false,
            sent: 0,
            buckets: Store::new(),
            by_route: Index::new(),
            queues: [Queue::default(); 2],
            chosen: 0,
            made: 0,
            fence: 0,
            awaited: 0,
        }
    }

    /// For networks that come once each, unless one is [forgotten](Self::forget) in between: feeds
    /// and answers to queries.
    pub(crate) fn for_lane() -> Self {
        Self { indexed: false, lazy: true, ..Self::new() }
    }

    /// Networks that wait.
    pub(crate) fn len(&self) -> usize {
        self.entries.len() - self.sent
    }

    /// The networks that wait.
    pub(crate) fn keys(&self) -> impl Iterator<Item = K> {
        let waiting = (1..self.entries.end()).map(|at| &self.entries[at]);
        waiting.filter(|entry| !matches!(entry.bucket, NIL | SENT)).map(|entry| entry.key)
    }

    /// What waits now must leave before [`is_past_fence`](Self::is_past_fence), in whichever state.
    pub(crate) fn set_fence(&mut self) {
        self.fence = self.made;
    }

    /// Whether what waited at the fence has left, and what is [awaited](Self::expect).
    pub(crate) fn is_past_fence(&mut self) -> bool {
        self.awaited == 0 && self.first_made().is_none_or(|first| first > self.fence)
    }

    /// Number of the bucket that was made first.
    fn first_made(&mut self) -> Option<u64> {
        let fronts = [self.front(0), self.front(1)];
        fronts.into_iter().filter(|&at| at != NIL).map(|at| self.buckets[at].number).min()
    }

    /// A network that waits must leave before the fence is passed, wherever it waits.
    pub(crate) fn expect(&mut self, key: K) {
        let at = self.find(key);
        if at != NIL {
            self.set_awaited(at, true);
        }
    }

    fn set_awaited(&mut self, at: u32, awaited: bool) {
        let was = core::mem::replace(&mut self.entries[at].awaited, awaited);
        self.awaited = self.awaited + usize::from(awaited) - usize::from(was);
    }

    /// The bucket of a route; made at the end of its queue if need be.
    pub(crate) fn bucket(&mut self, route: &OutRoute, burst: u64, again: bool) -> u32 {
        let hash = hash_of(route);
        let buckets = &self.buckets;
        let same = |at: u32| {
            let other = &buckets[at];
            other.again == again && other.route.as_ref().is_some_and(|other| equal(other, route))
        };
        let bucket = self.by_route.find(hash, same);
        if bucket != NIL {
            // Slices hear of a next hop one by one; the latest is what counts.
            let known = &mut self.buckets[bucket].route;
            if known.as_ref().is_some_and(|known| known.next_hop != route.next_hop) {
                *known = Some(route.clone());
            }
            return bucket;
        }
        let bucket = self.append(Some(route.clone()), burst, again);
        self.by_route.insert(hash, bucket);
        bucket
    }

    /// The bucket of withdrawals.
    pub(crate) fn withdrawal_bucket(&mut self, burst: u64, again: bool) -> u32 {
        let queue = usize::from(again);
        if self.queues[queue].withdrawals == NIL {
            self.queues[queue].withdrawals = self.append(None, burst, again);
        }
        self.queues[queue].withdrawals
    }

    fn append(&mut self, route: Option<OutRoute>, burst: u64, again: bool) -> u32 {
        let previous = self.queues[usize::from(again)].last;
        self.made += 1;
        let number = self.made;
        let bucket = Bucket { route, burst, previous, number, again, ..Bucket::default() };
        let bucket = self.buckets.insert(bucket);
        let queue = &mut self.queues[usize::from(again)];
        if previous == NIL {
            queue.first = bucket;
        } else {
            self.buckets[previous].next = bucket;
        }
        queue.last = bucket;
        bucket
    }

    /// The latest state of a network is `bucket`'s. What it was before and is unsent is forgotten.
    #[cfg(test)]
    pub(crate) fn put(&mut self, key: K, bucket: u32, withdraw_source: bool) {
        self.put_hashed(key, key.hash(), bucket, withdraw_source);
    }

    /// Fetches what [`put_hashed`](Self::put_hashed) will look at for up to [`PIECE`] deltas, so
    /// that waits for memory overlap; returns the hashes of their keys.
    pub(crate) fn warm(&self, deltas: &[Delta<K>]) -> [u64; PIECE] {
        let mut hashes = [0; PIECE];
        let mut seen = 0;
        for (delta, hash) in deltas.iter().zip(&mut hashes) {
            *hash = delta.key.hash();
            seen ^= self.index.touch(*hash);
        }
        black_box(seen);
        hashes
    }

    /// As `put`, with the key's hash: the latest state of a network is `bucket`'s.
    pub(crate) fn put_hashed(&mut self, key: K, hash: u64, bucket: u32, withdraw_source: bool) {
        if !self.indexed {
            let at = self.entries.insert(Entry { key, ..Entry::default() });
            return self.link(at, bucket, withdraw_source);
        }
        let at = self.index.find(hash, |at| self.entries[at].key == key);
        if at == NIL {
            let at = self.entries.insert(Entry { key, ..Entry::default() });
            self.index.insert(hash, at);
            return self.link(at, bucket, withdraw_source);
        }
        if self.entries[at].bucket == SENT {
            self.sent -= 1;
            return self.link(at, bucket, withdraw_source);
        }
        let flag = withdraw_source || self.must_withdraw_source(at, bucket);
        if self.buckets[self.entries[at].bucket].number <= self.fence {
            // Else it would never be told to those for whom the fence was set.
            self.set_awaited(at, true);
        }
        self.unlink(at);
        self.link(at, bucket, flag);
    }

    /// Whether the source of the new state may still hold what an unsent older state would have
    /// taken from it.
    fn must_withdraw_source(&self, at: u32, bucket: u32) -> bool {
        let entry = &self.entries[at];
        let source = |bucket: u32| self.buckets[bucket].route.as_ref().map(|r| r.source.id);
        match source(entry.bucket) {
            None => true,
            old => entry.withdraw_source && old == source(bucket),
        }
    }

    /// Forgets a network; returns whether it waited.
    pub(crate) fn forget(&mut self, key: K) -> bool {
        self.make_index();
        let at = self.find(key);
        if at == NIL {
            return false;
        }
        self.index.remove(key.hash(), at);
        self.set_awaited(at, false);
        self.unlink(at);
        self.entries.remove(at);
        true
    }

    /// The source of the route that waits for a network may hold another: it gets a withdrawal.
    pub(crate) fn owe_source(&mut self, key: K) {
        let at = self.find(key);
        if at != NIL {
            self.entries[at].withdraw_source = true;
        }
    }

    /// Whether a network waits.
    pub(crate) fn contains(&self, key: K) -> bool {
        self.find(key) != NIL
    }

    fn make_index(&mut self) {
        if self.indexed || self.len() == 0 {
            return;
        }
        self.indexed = true;
        for at in 1..self.entries.end() {
            let entry = &self.entries[at];
            if entry.bucket != NIL {
                self.index.insert(entry.key.hash(), at);
            }
        }
    }

    /// The entry of a network that waits.
    fn find(&self, key: K) -> u32 {
        if self.entries.len() == self.sent {
            return NIL;
        }
        let is = |at| {
            let entry: &Entry<K> = &self.entries[at];
            entry.key == key && entry.bucket != SENT
        };
        self.index.find(key.hash(), is)
    }

    fn link(&mut self, at: u32, bucket: u32, withdraw_source: bool) {
        let record = &mut self.buckets[bucket];
        let head = core::mem::replace(&mut record.first, at);
        record.count += 1;
        if head != NIL {
            self.entries[head].previous = at;
        }
        let entry = &mut self.entries[at];
        (entry.bucket, entry.next, entry.previous) = (bucket, head, NIL);
        entry.withdraw_source = withdraw_source;
    }

    fn unlink(&mut self, at: u32) {
        let Entry { bucket, next, previous, .. } = self.entries[at];
        self.buckets[bucket].count -= 1;
        if next != NIL {
            self.entries[next].previous = previous;
        }
        if previous == NIL {
            self.buckets[bucket].first = next;
        } else {
            self.entries[previous].next = next;
        }
    }

    /// Chooses the bucket that is taken from next: the first of the news, else the first of the
    /// rest, if all of its read burst is there. False if there is none.
    pub(crate) fn choose(&mut self, complete: impl Fn(u64) -> bool) -> bool {
        for queue in 0..self.queues.len() {
            let front = self.front(queue);
            if front != NIL && complete(self.buckets[front].burst) {
                self.chosen = queue;
                return true;
            }
        }
        false
    }

    /// The first bucket of a queue that is not empty.
    fn front(&mut self, queue: usize) -> u32 {
        loop {
            let first = self.queues[queue].first;
            if first == NIL || self.buckets[first].count > 0 {
                return first;
            }
            self.drop_first(queue);
        }
    }

    /// Takes up to `max` networks of the bucket that was [chosen](Self::choose).
    pub(crate) fn take(&mut self, max: usize, taken: &mut Taken<K>) {
        taken.nets.clear();
        taken.withdraw_source.clear();
        let bucket = self.queues[self.chosen].first;
        taken.route = self.buckets[bucket].route.clone();
        let mut at = self.buckets[bucket].first;
        while at != NIL && taken.nets.len() < max {
            let entry = &mut self.entries[at];
            entry.bucket = SENT;
            self.awaited -= usize::from(core::mem::take(&mut entry.awaited));
            taken.nets.push(entry.key);
            if entry.withdraw_source {
                taken.withdraw_source.push(entry.key);
            }
            at = entry.next;
        }
        self.sent += taken.nets.len();
        let record = &mut self.buckets[bucket];
        record.first = at;
        record.count -= u32::try_from(taken.nets.len()).unwrap_or(record.count);
        if at == NIL {
            self.drop_first(self.chosen);
        } else {
            self.entries[at].previous = NIL;
        }
        if self.sent == self.entries.len() && self.sent > FEW {
            self.entries.clear();
            self.index.clear(self.sent);
            self.sent = 0;
            self.indexed = !self.lazy;
        } else if self.sent == self.entries.len() || self.sent > SENT_KEPT.max(self.len()) {
            self.drop_sent();
        }
    }

    /// Forgets what has been sent.
    fn drop_sent(&mut self) {
        let mut from = 1;
        while self.sent > 0 {
            let mut found = [(NIL, 0); PIECE];
            let mut seen = 0;
            for place in &mut found {
                while from < self.entries.end() && self.entries[from].bucket != SENT {
                    from += 1;
                }
                if from == self.entries.end() {
                    break;
                }
                let hash = self.entries[from].key.hash();
                seen ^= self.index.touch(hash);
                *place = (from, hash);
                from += 1;
            }
            black_box(seen);
            for (at, hash) in found.into_iter().filter(|(at, _)| *at != NIL) {
                if self.indexed {
                    self.index.remove(hash, at);
                }
                self.entries.remove(at);
                self.sent -= 1;
            }
        }
    }

    fn drop_first(&mut self, queue: usize) {
        let bucket = self.queues[queue].first;
        if self.queues[queue].withdrawals == bucket {
            self.queues[queue].withdrawals = NIL;
        } else if let Some(route) = &self.buckets[bucket].route {
            self.by_route.remove(hash_of(route), bucket);
        }
        let next = self.buckets[bucket].next;
        self.queues[queue].first = next;
        if next == NIL {
            self.queues[queue].last = NIL;
        } else {
            self.buckets[next].previous = NIL;
        }
        self.buckets.remove(bucket);
    }
}

fn hash_of(route: &OutRoute) -> u64 {
    route.attrs.hash() ^ hash_u64(u64::from(route.source.id.0))
}

fn equal(a: &OutRoute, b: &OutRoute) -> bool {
    let same_source: (SourceId, SourceId) = (a.source.id, b.source.id);
    same_source.0 == same_source.1
        && (Arc::ptr_eq(&a.attrs, &b.attrs) || a.attrs.same_content(&b.attrs))
}

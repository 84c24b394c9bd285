//! Taking deltas in: each waits in its lane, in the bucket of its route.

use core::time::Duration;

use dunlin_net::hash::Map;
use dunlin_runtime::Context;

use super::pending::PIECE;
use super::{Egress, Few, Pending};
use crate::export::{Delta, DeltaBatch, To};
use crate::import::{Burst, EncodedKey, NONE};

/// How long a read burst's missing parts are waited for. They always come, but for slices that
/// heard of this group in between.
const BURST_PATIENCE: Duration = Duration::from_millis(40);

/// Read bursts of which parts are missing.
#[derive(Debug, Default)]
pub(super) struct Bursts {
    missing: Map<u64, u16>,
    /// The highest burst seen.
    seen: u64,
    /// Bursts up to here are waited for no longer.
    given_up: u64,
}

impl Bursts {
    /// Counts a part; returns the burst's id if others are missing, else zero.
    fn note(&mut self, burst: Burst) -> u64 {
        if burst.id <= self.given_up {
            return 0;
        }
        self.seen = self.seen.max(burst.id);
        let missing = self.missing.entry(burst.id).or_insert(burst.parts);
        *missing = missing.saturating_sub(1);
        if *missing > 0 {
            return burst.id;
        }
        self.missing.remove(&burst.id);
        0
    }

    /// Whether parts of a burst are missing.
    pub(super) fn waits(&self, burst: u64) -> bool {
        burst != 0 && self.missing.contains_key(&burst)
    }

    pub(super) fn give_up(&mut self) {
        self.given_up = self.seen;
        self.missing.clear();
    }
}

/// Where a delta waits.
pub(super) struct Place<'a, K> {
    pub(super) pending: &'a mut Pending<K>,
    /// The route's own source must get a withdrawal in any case.
    owed: bool,
    /// Members that are being fed would have been told of the network before their End-of-RIB.
    awaited: bool,
}

impl<K: EncodedKey> Egress<K> {
    pub(super) fn deltas(&mut self, batch: &DeltaBatch, cx: &mut Context<'_>) {
        let burst = batch.burst.map_or(0, |burst| self.bursts.note(burst));
        if burst != 0 && cx.expires(self.patience).is_none() {
            cx.arm_after(self.patience, BURST_PATIENCE);
        }
        if !batch.told.is_empty() {
            self.say(&batch.told);
        }
        if !self.members.is_empty()
            && let Some(deltas) = K::own_deltas(&batch.deltas)
        {
            self.gather(batch, deltas, burst);
        }
        if let Some(reply) = batch.feed {
            self.feed_reply(batch.slice, reply);
        }
        if let Some(token) = batch.query {
            self.query_reply(token);
        }
    }

    fn gather(&mut self, batch: &DeltaBatch, deltas: &[Delta<K>], burst: u64) {
        let mut last = (NONE, 0, 0);
        for piece in deltas.chunks(PIECE) {
            let hashes = self.live.warm(piece);
            for (delta, hash) in piece.iter().zip(hashes) {
                self.gather_one(batch, delta, hash, burst, &mut last);
            }
        }
    }

    /// `last`: route and lane of the delta before, and its bucket.
    fn gather_one(
        &mut self,
        batch: &DeltaBatch,
        delta: &Delta<K>,
        hash: u64,
        burst: u64,
        last: &mut (u32, u32, u32),
    ) {
        let lane = match delta.to {
            To::All | To::AllWithdrawSource => 0,
            To::Token(token) => token,
        };
        let Some(place) = self.lane_for(delta.key, lane) else { return };
        let Place { pending, owed, awaited } = place;
        let bucket = if delta.route == NONE {
            pending.withdrawal_bucket(burst, batch.again)
        } else if (delta.route, lane) == (last.0, last.1) {
            last.2
        } else {
            let Some(route) = batch.routes.get(delta.route as usize) else { return };
            pending.bucket(route, burst, batch.again)
        };
        if delta.route != NONE {
            *last = (delta.route, lane, bucket);
        }
        let owed = owed || delta.to == To::AllWithdrawSource;
        pending.put_hashed(delta.key, hash, bucket, owed);
        if awaited {
            pending.expect(delta.key);
        }
    }

    /// Where a delta waits; none if it is superfluous.
    pub(super) fn lane_for(&mut self, key: K, token: u32) -> Option<Place<'_, K>> {
        let plain = self.feed.as_ref().filter(|feed| !feed.absent).map(|feed| feed.token);
        if token == 0 {
            let feed = self.feed.as_ref().map(|feed| feed.token);
            let (mut owed, mut awaited, mut alone) = (false, false, Few::new());
            for lane in &mut self.lanes {
                let waited = lane.pending.forget(key);
                // Who is in doubt about the network would have been told even that there is
                // nothing for it.
                owed |= waited && plain != Some(lane.token);
                awaited |= waited && feed == Some(lane.token);
                if waited && let [id] = lane.members[..] {
                    alone.push(id);
                }
            }
            for id in alone {
                self.ask_again(id, key);
            }
            return Some(Place { pending: &mut self.live, owed, awaited });
        }
        let at = self.lane(token)?;
        // What waits for everybody is just as new, and goes first; but members off the log do not
        // get it.
        if self.is_private(at) || !self.live.contains(key) {
            let pending = &mut self.lanes[at].pending;
            return Some(Place { pending, owed: false, awaited: false });
        }
        if plain != Some(token) {
            self.live.owe_source(key);
        }
        None
    }

    /// Whether a lane is that of a member off the log.
    pub(super) fn is_private(&self, lane: usize) -> bool {
        let off = |id| self.member(id).is_some_and(|member| member.off.is_some());
        matches!(self.lanes[lane].members[..], [id] if off(id))
    }
}

#[cfg(test)]
mod tests {
    use super::Bursts;
    use crate::import::Burst;

    #[test]
    fn a_burst_is_waited_for_until_all_parts_are_there() {
        let mut bursts = Bursts::default();
        let burst = Burst { id: 7, parts: 3 };
        assert_eq!((bursts.note(burst), bursts.waits(7)), (7, true));
        assert_eq!((bursts.note(burst), bursts.waits(7)), (7, true));
        assert_eq!((bursts.note(burst), bursts.waits(7)), (0, false));
        assert!(!bursts.waits(0));
    }

    #[test]
    fn what_was_given_up_is_not_waited_for_again() {
        let mut bursts = Bursts::default();
        bursts.note(Burst { id: 7, parts: 2 });
        bursts.give_up();
        assert!(!bursts.waits(7));
        assert_eq!(bursts.note(Burst { id: 7, parts: 2 }), 0);
        assert_eq!(bursts.note(Burst { id: 8, parts: 2 }), 8);
    }
}

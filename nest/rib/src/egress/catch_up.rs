//! Members that left the log because they were slow, and how they come back. Also queries for those
//! that follow it and are in doubt about some networks.

use core::sync::atomic::Ordering;
use std::sync::Arc;

use dunlin_net::Prefix;
use dunlin_net::hash::Set;
use dunlin_runtime::{Class, Time};

use super::feed::Waiting;
use super::{Egress, Lane, Pending};
use crate::MemberId;
use crate::chunk::{Chunk, Recipients};
use crate::export::QueryRequest;
use crate::import::EncodedKey;
use crate::slice::SliceMessage;

/// Networks asked for in one query.
const NETS_PER_QUERY: usize = 4096;

/// A member that left the log.
#[derive(Debug, Default)]
pub(super) struct Off {
    /// Networks whose state it may not have.
    pub(super) dirty: Set<Prefix>,
    /// It has dropped its unread part and said what was in it.
    pub(super) detached: bool,
    /// Token of the query under way.
    pub(super) query: Option<u32>,
    /// What the query asks for.
    pub(super) asked: Vec<Prefix>,
    /// It dropped End-of-RIB.
    pub(super) end_of_rib: bool,
}

impl Off {
    /// Networks that it has to be told again, as far as is known.
    pub(super) fn behind(&self) -> usize {
        self.dirty.len() + self.asked.len()
    }
}

impl<K: EncodedKey> Egress<K> {
    /// Members far behind leave the log.
    pub(super) fn drop_laggards(&mut self) {
        let max_lag = self.spec.max_lag;
        let lags = |member: &&super::Member| member.off.is_none() && member.in_flight() > max_lag;
        if self.members.iter().any(|member| lags(&member)) {
            let slow: Vec<MemberId> = self.members.iter().filter(lags).map(|m| m.id).collect();
            for id in slow {
                self.leave_log(id);
            }
        }
    }

    /// A member leaves the log.
    pub(super) fn leave_log(&mut self, id: MemberId) {
        if self.member(id).is_none_or(|member| member.off.is_some()) {
            return;
        }
        // Queries for it in the log go on off the log.
        let mut dirty = Set::default();
        let feed = self.feed.as_ref().map(|feed| feed.token);
        self.lanes.retain(|lane| {
            let own = feed != Some(lane.token) && lane.members == [id];
            if own {
                dirty.extend(lane.asked.iter().copied());
            }
            !own
        });
        let Some(member) = self.member_mut(id) else { return };
        member.off = Some(Off { dirty, ..Off::default() });
        member.show();
        member.spec.sink.detach();
        self.members_off += 1;
        self.spec.sharing.members_left_log.fetch_add(1, Ordering::Relaxed);
        self.leave_feed(id);
    }

    /// A member has dropped its unread part: what was in it is dirty.
    pub(super) fn detached(&mut self, id: MemberId, dropped: &[(Arc<Chunk>, usize)]) {
        let encoder = Arc::clone(&self.spec.encoder);
        let Some(member) = self.member_mut(id) else { return };
        let bytes: usize = dropped.iter().map(|(chunk, from)| chunk.bytes.len() - from).sum();
        let kept = member.appended.saturating_sub(bytes as u64);
        let end_of_rib = member.end_of_rib.take_if(|at| *at > kept).is_some();
        // Nothing is in flight now.
        member.appended = member.spec.progress.consumed();
        let Some(off) = &mut member.off else { return };
        off.detached = true;
        off.end_of_rib |= end_of_rib;
        for (chunk, from) in dropped {
            for range in chunk.ranges(id, *from) {
                let Some(bytes) = chunk.bytes.get(range) else { continue };
                encoder.nets_of(bytes, &mut |net: Prefix| {
                    off.dirty.insert(net);
                });
            }
        }
        self.finish_move(id);
    }

    /// Goes on with every member that is catching up and can take bytes; returns whether one
    /// follows the log again.
    pub(super) fn catch_up(&mut self, now: Time) -> bool {
        if self.members_off == 0 {
            return false;
        }
        let before = self.members_off;
        let ready = |member: &&super::Member| {
            member.moving.is_none() && member.off.as_ref().is_some_and(|off| off.detached)
        };
        let off: Vec<MemberId> = self.members.iter().filter(ready).map(|m| m.id).collect();
        for id in off {
            self.catch_up_one(id, now);
        }
        self.members_off < before
    }

    fn catch_up_one(&mut self, id: MemberId, now: Time) {
        let window = self.spec.window();
        let Some(member) = self.member_mut(id) else { return };
        if member.in_flight() >= window && !member.ask(window / 2, now) {
            return;
        }
        let Some(off) = &mut member.off else { return };
        if let Some(token) = off.query {
            self.encode_query(id, token, now);
            return;
        }
        if off.dirty.is_empty() {
            self.follow_again(id);
            return;
        }
        let nets: Vec<Prefix> = off.dirty.iter().copied().take(NETS_PER_QUERY).collect();
        for net in &nets {
            off.dirty.remove(net);
        }
        let token = self.ask_nets(id, &nets);
        if let Some(off) = self.member_mut(id).and_then(|member| member.off.as_mut()) {
            (off.query, off.asked) = (Some(token), nets);
        }
    }

    /// What a member off the log was about to be told of a network is old, and the fresh update goes out by
    /// the log: perhaps only when the member follows that again, which is after its End-of-RIB.
    pub(super) fn ask_again(&mut self, id: MemberId, key: K) {
        if let Some(off) = self.member_mut(id).and_then(|member| member.off.as_mut())
            && off.end_of_rib
        {
            off.dirty.insert(key.prefix());
        }
    }

    /// A member is up to date: whatever is encoded from now on reaches it by the log.
    fn follow_again(&mut self, id: MemberId) {
        // What is open is the log's, and dirty for the member if it is meant.
        self.deliver();
        let Some(member) = self.member(id) else { return };
        let Some(off) = member.off.as_ref().filter(|off| off.dirty.is_empty()) else { return };
        let chunk = off.end_of_rib.then(|| {
            self.spec.encoder.end_of_rib(self.open.bytes());
            self.open.close_segment(Recipients::Only(Arc::new([id])));
            self.open.seal()
        });
        let Some(member) = self.member_mut(id) else { return };
        member.off = None;
        member.show();
        let refeed = member.refeed.take();
        if let Some(chunk) = chunk.flatten() {
            member.give(&chunk);
            member.end_of_rib = Some(member.appended);
        }
        self.members_off -= 1;
        self.spec.sharing.members_back.fetch_add(1, Ordering::Relaxed);
        if let Some(first) = refeed {
            self.waiting_for_feed.push(Waiting { id, first });
        }
        self.start_feed();
    }

    /// Asks the slices that own these networks for their present state; the answer is in a lane.
    fn ask_nets(&mut self, id: MemberId, nets: &[Prefix]) -> u32 {
        let token = self.new_token();
        let slices = &self.spec.slices;
        let mut parts: Vec<Vec<Prefix>> = vec![Vec::new(); slices.count()];
        for net in nets {
            if let Some(part) = parts.get_mut(net.slice(slices.mask()) as usize) {
                part.push(*net);
            }
        }
        let mut missing = 0;
        for (nets, slice) in parts.into_iter().zip(slices.iter()) {
            if !nets.is_empty() {
                missing += 1;
                let request = QueryRequest { exporter: self.spec.exporter, token, nets };
                // A slice that has stopped means that the daemon is going down.
                let _ = slice.send(Class::Routing, SliceMessage::Query(Box::new(request)));
            }
        }
        let asked = nets.to_vec();
        self.lanes.push(Lane {
            token,
            members: vec![id],
            pending: Pending::for_lane(),
            missing,
            asked,
        });
        token
    }

    /// A slice has answered a query.
    pub(super) fn query_reply(&mut self, token: u32) {
        match self.lane(token) {
            Some(at) => {
                let lane = &mut self.lanes[at];
                lane.missing = lane.missing.saturating_sub(1);
            }
            None => self.move_reply(token),
        }
    }

    /// Encodes a query's answer for its member alone, once all of it is there.
    fn encode_query(&mut self, id: MemberId, token: u32, now: Time) {
        if self.lane(token).is_none_or(|at| self.lanes[at].missing > 0) {
            return;
        }
        // What is open is the log's; this goes to one member past it.
        self.deliver();
        let Some(at) = self.lane(token) else { return };
        let mut off = self.member_mut(id).and_then(|member| member.off.take());
        while self.encode_lane(at, true) {}
        self.lanes.remove(at);
        if let Some(off) = &mut off {
            off.query = None;
            off.asked.clear();
        }
        let chunk = self.open.seal();
        if let Some(chunk) = &chunk {
            self.count_bytes(chunk.bytes.len() as u64, chunk.bytes.len() as u64);
        }
        let Some(member) = self.member_mut(id) else { return };
        member.off = off;
        if let Some(chunk) = chunk {
            member.give(&chunk);
        }
        self.catch_up_one(id, now);
    }

    /// A member that follows the log is in doubt about some networks.
    pub(super) fn recheck(&mut self, id: MemberId, nets: &[Prefix]) {
        let Some(member) = self.member_mut(id) else { return };
        if let Some(off) = &mut member.off {
            off.dirty.extend(nets.iter().copied());
            return;
        }
        for nets in nets.chunks(NETS_PER_QUERY) {
            self.ask_nets(id, nets);
        }
    }

    /// Encodes a bucket of a query's answer for a member that follows the log.
    pub(super) fn query_step(&mut self) -> bool {
        let feed = self.feed.as_ref().map(|feed| feed.token);
        for at in 0..self.lanes.len() {
            let lane = &self.lanes[at];
            if lane.missing > 0 || feed == Some(lane.token) {
                continue;
            }
            let Some(member) = lane.members.first().and_then(|id| self.member(*id)) else {
                continue;
            };
            if member.off.is_some() || member.in_flight() >= self.spec.window() {
                continue;
            }
            if !self.encode_lane(at, true) {
                self.lanes.remove(at);
            }
            return true;
        }
        false
    }
}

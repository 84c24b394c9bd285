//! Members that left the log because they were slow, and how they come back.

use std::sync::Arc;

use dunlin_net::Prefix;
use dunlin_runtime::Class;

use super::{Egress, WINDOW};
use crate::MemberId;
use crate::chunk::Chunk;
use crate::export::QueryRequest;
use crate::import::TableKey;
use crate::slice::SliceMessage;

/// Networks asked for in one query.
const NETS_PER_QUERY: usize = 4096;

impl<K: TableKey> Egress<K> {
    /// A member has dropped its unread part: what was in it is dirty.
    pub(super) fn detached(&mut self, id: MemberId, dropped: &[(Arc<Chunk>, usize)]) {
        let encoder = Arc::clone(&self.spec.encoder);
        let Some(member) = self.member(id) else { return };
        // Nothing is in flight now.
        member.appended = member.spec.progress.consumed();
        let Some(off) = &mut member.off else { return };
        off.detached = true;
        for (chunk, from) in dropped {
            for range in chunk.ranges(id, *from) {
                let Some(bytes) = chunk.bytes.get(range) else { continue };
                encoder.nets_of(bytes, &mut |net: Prefix| {
                    off.dirty.insert(net);
                });
            }
        }
    }

    /// Goes on with every member that is catching up and can take bytes.
    pub(super) fn catch_up(&mut self) {
        let off: Vec<MemberId> = self
            .members
            .iter()
            .filter(|member| member.off.as_ref().is_some_and(|off| off.detached))
            .map(|member| member.id)
            .collect();
        for id in off {
            self.catch_up_one(id);
        }
    }

    fn catch_up_one(&mut self, id: MemberId) {
        let Some(member) = self.member(id) else { return };
        if member.in_flight() >= WINDOW {
            if !member.ask(WINDOW / 2) {
                return;
            }
        }
        let Some(off) = &mut member.off else { return };
        if let Some(token) = off.query {
            self.encode_query(id, token);
            return;
        }
        if off.dirty.is_empty() {
            // Up to date: whatever is encoded from now on reaches it by the log.
            member.off = None;
            return;
        }
        let nets: Vec<Prefix> = off.dirty.iter().copied().take(NETS_PER_QUERY).collect();
        for net in &nets {
            off.dirty.remove(net);
        }
        self.ask_nets(id, &nets);
    }

    /// Asks the slices that own these networks for their present state.
    fn ask_nets(&mut self, id: MemberId, nets: &[Prefix]) {
        let token = self.add_lane(vec![id]);
        let slices = self.spec.slices.clone();
        let mut parts: Vec<Vec<Prefix>> = vec![Vec::new(); slices.count()];
        for net in nets {
            if let Some(part) = parts.get_mut(net.slice(slices.mask()) as usize) {
                part.push(*net);
            }
        }
        let mut asked = 0;
        for (nets, slice) in parts.into_iter().zip(slices.iter()) {
            if !nets.is_empty() {
                asked += 1;
                let request = QueryRequest { exporter: self.spec.exporter, token, nets };
                let _ = slice.send(Class::Routing, SliceMessage::Query(Box::new(request)));
            }
        }
        if let Some(off) = self.member(id).and_then(|member| member.off.as_mut()) {
            off.query = Some(token);
            off.answers_missing = asked;
        }
    }

    /// A slice has answered a query.
    pub(super) fn query_reply(&mut self, token: u32) {
        let is = |member: &&mut super::Member| {
            member.off.as_ref().is_some_and(|off| off.query == Some(token))
        };
        let Some(member) = self.members.iter_mut().find(is) else {
            let feed = self.feed_token();
            self.lanes.retain(|lane| lane.token != token || feed == Some(token));
            return;
        };
        if let Some(off) = &mut member.off {
            off.answers_missing = off.answers_missing.saturating_sub(1);
        }
    }

    /// Encodes a query's answer for its member alone, once all of it is there.
    fn encode_query(&mut self, id: MemberId, token: u32) {
        let missing = self.member(id).and_then(|m| m.off.as_ref()).map(|o| o.answers_missing);
        if missing != Some(0) {
            return;
        }
        // What is open is the log's; this goes to one member past it.
        self.deliver();
        while let Some(at) = self.lanes.iter().position(|lane| lane.token == token) {
            if !self.encode_lane_privately(at, id) {
                self.lanes.remove(at);
            }
        }
        if let Some(chunk) = self.open.seal() {
            let sharing = Arc::clone(&self.spec.sharing);
            let bytes = chunk.bytes.len() as u64;
            sharing.bytes_encoded.fetch_add(bytes, core::sync::atomic::Ordering::Relaxed);
            sharing.bytes_delivered.fetch_add(bytes, core::sync::atomic::Ordering::Relaxed);
            if let Some(member) = self.member(id) {
                member.give(&chunk);
            }
        }
        if let Some(off) = self.member(id).and_then(|member| member.off.as_mut()) {
            off.query = None;
        }
        self.catch_up_one(id);
    }

    /// As [`encode_lane`](Self::encode_lane); what is encoded is not dirty for its own member.
    fn encode_lane_privately(&mut self, at: usize, id: MemberId) -> bool {
        let off = self.member(id).and_then(|member| member.off.take());
        let more = self.encode_lane(at);
        if let Some(member) = self.member(id) {
            member.off = off;
        }
        more
    }
}

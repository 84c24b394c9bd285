//! Turning what waits into bytes, while members can take them.

use core::sync::atomic::Ordering;
use std::net::IpAddr;

use dunlin_runtime::Context;

use super::{Egress, Few, NETS_PER_STEP, Taken};
use crate::MemberId;
use crate::chunk::Recipients;
use crate::export::OutRoute;
use crate::import::EncodedKey;

/// Networks encoded before the budget is looked at.
const NETS_PER_LOOK: usize = 512;

impl<K: EncodedKey> Egress<K> {
    /// Encodes while some member can take bytes.
    pub(super) fn encode(&mut self, cx: &mut Context<'_>) {
        let mut nets = 0;
        while self.step() {
            if self.open.is_full() {
                self.deliver();
            }
            nets += 8 + self.taken.nets.len();
            if nets >= NETS_PER_LOOK {
                nets = 0;
                if cx.over_budget() {
                    cx.queue(self.work);
                    break;
                }
            }
        }
        self.deliver();
        let back = self.catch_up(cx.now());
        if self.ask_for_window(cx) || back {
            cx.queue(self.work);
        }
        self.show();
    }

    /// Shows what waits, and what members off the log wait for.
    fn show(&self) {
        let lanes: usize = self.lanes.iter().map(|lane| lane.pending.len()).sum();
        self.backlog.show(self.live.len() + lanes);
        if self.members_off == 0 {
            return;
        }
        self.members.iter().filter(|member| member.off.is_some()).for_each(|member| member.show());
    }

    /// Encodes one bucket, or goes on with queries and the feed; false if there is nothing to do
    /// now.
    fn step(&mut self) -> bool {
        if self.live_is_ready() && self.has_window() {
            let mut taken = core::mem::take(&mut self.taken);
            self.live.take(NETS_PER_STEP, &mut taken);
            self.encode_live(&taken);
            self.taken = taken;
            return true;
        }
        self.query_step() || self.feed_step()
    }

    fn live_is_ready(&mut self) -> bool {
        self.live.choose(|burst| !self.bursts.waits(burst))
    }

    fn encode_live(&mut self, taken: &Taken<K>) {
        let Some(route) = &taken.route else {
            return self.encode_withdrawal(&taken.nets, Recipients::All);
        };
        let sources = self.by_source.get(&route.source.id).cloned().unwrap_or_default();
        if !sources.is_empty() && !taken.withdraw_source.is_empty() {
            self.encode_withdrawal(&taken.withdraw_source, only(&sources));
        }
        self.block.clear();
        let Ok(block) = self.spec.encoder.attributes(route, &mut self.block) else {
            // Nobody can be told of the route: nobody may keep an older one.
            return self.encode_withdrawal(&taken.nets, Recipients::All);
        };
        let mut own = self.not_told(route, block.not_for);
        own.retain(|id| !sources.contains(id));
        let to = self.all_but(&sources, &own);
        let nets = K::nets(&taken.nets);
        let messages = self.spec.encoder.announce(&self.block, nets, self.open.bytes());
        self.note_encoded(messages, to, &taken.nets);
        if !own.is_empty() {
            // They may hold an older route that is for them.
            self.encode_withdrawal(&taken.nets, only(&own));
        }
    }

    /// Members that a route is not for: those at its next hop, and a session that has come back while
    /// what it brought before is still being forgotten.
    fn not_told(&self, route: &OutRoute, next_hop: Option<IpAddr>) -> Few {
        let peer = route.source.peer.as_ref().filter(|_| !route.source.is_alive());
        let again = peer.map(|peer| peer.address).filter(|address| Some(*address) != next_hop);
        let at = next_hop.into_iter().chain(again);
        at.filter_map(|address| self.by_address.get(&address)).flatten().copied().collect()
    }

    fn all_but(&self, some: &[MemberId], others: &[MemberId]) -> Recipients {
        match (some, others) {
            ([], []) => Recipients::All,
            ([a], []) | ([], [a]) => Recipients::AllBut(*a, *a),
            ([a], [b]) | ([a, b], []) | ([], [a, b]) => Recipients::AllBut(*a, *b),
            _ => {
                let excluded = |id: &MemberId| some.contains(id) || others.contains(id);
                let all = self.members.iter().map(|member| member.id);
                Recipients::Only(all.filter(|id| !excluded(id)).collect())
            }
        }
    }

    /// Encodes a bucket of a lane for the lane's members; false if it is empty. With `absent` those
    /// who may not get a route get a withdrawal instead.
    pub(super) fn encode_lane(&mut self, at: usize, absent: bool) -> bool {
        if !self.lanes[at].pending.choose(|_| true) {
            return false;
        }
        let mut taken = core::mem::take(&mut self.taken);
        self.lanes[at].pending.take(NETS_PER_STEP, &mut taken);
        if let Some(feed) = &mut self.feed
            && feed.token == self.lanes[at].token
        {
            feed.brought += taken.nets.len();
            self.count_own_fed(at, &taken);
        }
        let members = self.lanes[at].members.clone();
        self.encode_for(&taken, members, absent);
        self.taken = taken;
        true
    }

    /// Members of the feed are not told of their own routes.
    fn count_own_fed(&mut self, lane: usize, taken: &Taken<K>) {
        let Some(route) = &taken.route else { return };
        let Some(sources) = self.by_source.get(&route.source.id).cloned() else { return };
        for id in sources {
            if self.lanes[lane].members.contains(&id)
                && let Some(member) = self.member_mut(id)
            {
                member.own_fed += taken.nets.len() as u64;
            }
        }
    }

    fn encode_for(&mut self, taken: &Taken<K>, members: Vec<MemberId>, absent: bool) {
        self.block.clear();
        let route = taken.route.as_ref();
        let block = route.map(|route| self.spec.encoder.attributes(route, &mut self.block));
        let (Some(route), Some(Ok(block))) = (route, block) else {
            return self.encode_withdrawal(&taken.nets, Recipients::Only(members.into()));
        };
        let sources = self.by_source.get(&route.source.id).cloned().unwrap_or_default();
        let own = self.not_told(route, block.not_for);
        let excluded = |id: &MemberId| sources.contains(id) || own.contains(id);
        let (without, with): (Vec<_>, Vec<_>) = members.into_iter().partition(excluded);
        if !with.is_empty() {
            let nets = K::nets(&taken.nets);
            let messages = self.spec.encoder.announce(&self.block, nets, self.open.bytes());
            self.note_encoded(messages, Recipients::Only(with.into()), &taken.nets);
        }
        if absent && !without.is_empty() {
            self.encode_withdrawal(&taken.nets, Recipients::Only(without.into()));
        }
    }

    fn encode_withdrawal(&mut self, nets: &[K], to: Recipients) {
        let messages = self.spec.encoder.withdraw(K::nets(nets), self.open.bytes());
        self.note_encoded(messages, to, nets);
    }

    /// Closes a segment, counts it, and remembers its networks for members that left the log.
    fn note_encoded(&mut self, messages: u32, to: Recipients, nets: &[K]) {
        let sharing = &self.spec.sharing;
        sharing.updates_encoded.fetch_add(u64::from(messages), Ordering::Relaxed);
        let some = self.members_off > 0;
        for member in self.members.iter_mut().filter(|_| some) {
            if let Some(off) = &mut member.off
                && to.includes(member.id)
            {
                off.dirty.extend(nets.iter().map(|key| key.prefix()));
            }
        }
        self.open.close_segment(to);
    }

    /// Seals what is open and gives it to the members that follow the log.
    pub(super) fn deliver(&mut self) {
        if let Some(chunk) = self.open.seal() {
            let bytes = chunk.bytes.len() as u64;
            let following = self.members.iter_mut().filter(|member| member.off.is_none());
            let mut delivered = 0;
            for member in following {
                member.give(&chunk);
                delivered += bytes;
            }
            self.count_bytes(bytes, delivered);
        }
        for (fed, figures) in core::mem::take(&mut self.just_fed) {
            if let Some(member) = self.member_mut(fed.id) {
                if fed.first {
                    member.end_of_rib = Some(member.appended);
                }
                member.spec.sink.fed(&figures);
            }
        }
        self.drop_laggards();
    }

    pub(super) fn count_bytes(&self, encoded: u64, delivered: u64) {
        let sharing = &self.spec.sharing;
        sharing.bytes_encoded.fetch_add(encoded, Ordering::Relaxed);
        sharing.bytes_delivered.fetch_add(delivered, Ordering::Relaxed);
    }

    fn has_window(&self) -> bool {
        self.members
            .iter()
            .any(|member| member.off.is_none() && member.in_flight() < self.spec.window())
    }

    /// With something left to encode and no window: asks to be told when there is some. True if
    /// there is by now.
    fn ask_for_window(&mut self, cx: &mut Context<'_>) -> bool {
        let mut there = self.ask_for_feed(cx);
        for at in 0..self.lanes.len() {
            // The feed's lane asks for itself.
            if self.feed.as_ref().is_none_or(|feed| feed.token != self.lanes[at].token)
                && self.lanes[at].missing == 0
                && let Some(&id) = self.lanes[at].members.first()
                && let Some(member) = self.member(id)
                && member.off.is_none()
            {
                there |= member.ask(self.spec.window() / 2, cx.now());
            }
        }
        let stops = self.live_is_ready() && !self.has_window();
        for member in self.members.iter().filter(|member| stops && member.off.is_none()) {
            there |= member.ask(self.spec.window() / 2, cx.now());
        }
        self.backlog.stop(stops, cx.now());
        there
    }
}

fn only(members: &[MemberId]) -> Recipients {
    let mut members = members.to_vec();
    members.sort_unstable();
    Recipients::Only(members.into())
}

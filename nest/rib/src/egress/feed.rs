//! Feeds: members that have just joined are told of what is there, in bands of attribute sets.

use dunlin_runtime::Class;

use super::{Egress, Lane, Pending, Taken, WINDOW};
use crate::chunk::Recipients;
use crate::export::{BANDS, FeedReply, FeedRequest};
use crate::import::TableKey;
use crate::slice::SliceMessage;
use crate::{MemberId, SliceId};

/// Networks that one step of a feed should bring: enough to pack well, little enough to keep.
const NETS_WANTED: usize = 4096;

/// A feed under way, for all members that waited when it began.
#[derive(Debug)]
pub(crate) struct Feed {
    token: u32,
    withdraw_absent: bool,
    /// The present step asks for bands from here on.
    from: u16,
    /// And to here.
    to: u16,
    /// Slices that have not covered the step.
    missing: usize,
}

impl<K: TableKey> Egress<K> {
    /// The token of the feed under way.
    pub(super) fn feed_token(&self) -> Option<u32> {
        self.feed.as_ref().map(|feed| feed.token)
    }

    /// Begins a feed if members wait and none is under way.
    pub(super) fn start_feed(&mut self) {
        if self.feed.is_some() || self.waiting_for_feed.is_empty() {
            return;
        }
        let mut members = core::mem::take(&mut self.waiting_for_feed);
        members.sort_unstable();
        members.dedup();
        let resync = |member: &super::Member| members.contains(&member.id) && member.spec.resync;
        let withdraw_absent = self.members.iter().any(resync);
        let token = self.add_lane(members);
        self.spec.sharing.feeds.fetch_add(1, core::sync::atomic::Ordering::Relaxed);
        self.feed = Some(Feed { token, withdraw_absent, from: 0, to: 0, missing: 0 });
        self.ask_bands(16);
    }

    pub(super) fn add_lane(&mut self, members: Vec<MemberId>) -> u32 {
        let token = self.next_token;
        self.next_token = self.next_token.checked_add(1).unwrap_or(1);
        self.lanes.push(Lane { token, members, pending: Pending::new(), ready: false });
        token
    }

    /// Asks every slice for the next bands.
    fn ask_bands(&mut self, bands: u16) {
        let Some(feed) = &mut self.feed else { return };
        feed.from = feed.to;
        feed.to = feed.from.saturating_add(bands).min(BANDS);
        feed.missing = self.spec.slices.count();
        let request = FeedRequest {
            exporter: self.spec.exporter,
            token: feed.token,
            band: feed.from,
            bands: feed.to - feed.from,
            withdraw_absent: feed.withdraw_absent,
        };
        self.spec.slices.send_all(Class::Routing, || SliceMessage::Feed(request));
    }

    /// A slice has covered a part of the step.
    pub(super) fn feed_reply(&mut self, slice: SliceId, reply: FeedReply) {
        let Some(feed) = &mut self.feed else { return };
        if feed.token != reply.token {
            return;
        }
        if reply.next < feed.to {
            let request = FeedRequest {
                exporter: self.spec.exporter,
                token: feed.token,
                band: reply.next,
                bands: feed.to - reply.next,
                withdraw_absent: feed.withdraw_absent,
            };
            let to = self.spec.slices.at(u32::from(slice.0));
            let _ = to.send(Class::Routing, SliceMessage::Feed(request));
            return;
        }
        feed.missing -= 1;
        if feed.missing == 0
            && let Some(lane) = self.lanes.iter_mut().find(|lane| lane.token == reply.token)
        {
            lane.ready = true;
        }
    }

    /// Encodes a bucket of the feed, or asks for more bands, or ends it. False if there is nothing
    /// to do now.
    pub(super) fn feed_step(&mut self) -> bool {
        let Some(feed) = &self.feed else { return false };
        let (token, to, span) = (feed.token, feed.to, feed.to - feed.from);
        let Some(at) = self.lanes.iter().position(|lane| lane.token == token) else {
            return false;
        };
        if !self.lanes[at].ready {
            return false;
        }
        if !self.lanes[at].members.iter().any(|member| self.can_take(*member)) {
            return self.lanes[at].members.is_empty() && self.end_feed(at);
        }
        if self.encode_lane(at) {
            return true;
        }
        if to == BANDS {
            return self.end_feed(at);
        }
        self.lanes[at].ready = false;
        // Sized by what the last step brought.
        let bands = match self.last_step {
            n if n < NETS_WANTED / 2 => span.saturating_mul(2),
            n if n > NETS_WANTED * 2 => (span / 2).max(1),
            _ => span,
        };
        self.last_step = 0;
        self.ask_bands(bands);
        true
    }

    fn can_take(&self, id: MemberId) -> bool {
        let found = self.members.iter().find(|member| member.id == id);
        found.is_some_and(|member| member.off.is_none() && member.in_flight() < WINDOW)
    }

    /// Encodes a bucket of a lane for the lane's members; false if it is empty.
    pub(super) fn encode_lane(&mut self, at: usize) -> bool {
        if self.lanes[at].pending.front_burst().is_none() {
            return false;
        }
        let mut taken = core::mem::take(&mut self.taken);
        self.lanes[at].pending.take(super::NETS_PER_STEP, &mut taken);
        self.last_step += taken.nets.len();
        self.encode_for(&taken, self.lanes[at].members.clone());
        self.taken = taken;
        true
    }

    fn encode_for(&mut self, taken: &Taken<K>, mut members: Vec<MemberId>) {
        let nets = K::nets(&taken.nets);
        let encoded = taken.route.as_ref().and_then(|route| {
            let source = self.by_source.get(&route.source.id).copied();
            members.retain(|member| Some(*member) != source);
            self.block.clear();
            self.spec.encoder.attributes(route, &mut self.block).ok()
        });
        let messages = match encoded {
            Some(block) => {
                let own = |id: &MemberId| {
                    let member = self.members.iter().find(|member| member.id == *id);
                    member.is_some_and(|member| Some(member.spec.address) == block.not_for)
                };
                members.retain(|id| !own(id));
                if members.is_empty() {
                    return;
                }
                self.spec.encoder.announce(&self.block, nets, self.open.bytes())
            }
            None if members.is_empty() => return,
            None => self.spec.encoder.withdraw(nets, self.open.bytes()),
        };
        let to = Recipients::Only(members.into());
        self.note_encoded(messages, to, &taken.nets);
    }

    /// Says End-of-RIB to the members that were fed and begins the next feed.
    fn end_feed(&mut self, at: usize) -> bool {
        let lane = self.lanes.remove(at);
        self.feed = None;
        if !lane.members.is_empty() {
            self.spec.encoder.end_of_rib(self.open.bytes());
            let members = lane.members.clone();
            self.open.close_segment(Recipients::Only(lane.members.into()));
            for id in members {
                if let Some(member) = self.member(id) {
                    member.spec.resync = false;
                    member.spec.sink.fed();
                }
            }
        }
        self.start_feed();
        true
    }
}

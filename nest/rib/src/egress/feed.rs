//! Feeds: members that have just joined are told of what is there, in bands of attribute sets.
//!
//! One feed is under way at a time; who joins meanwhile waits for the next one. A feed goes on while
//! one of its members can take bytes and none is far behind. Who holds up others that way, be they in
//! the feed or waiting for the next one, leaves the log: at once if it takes nothing at all, else when
//! the feed has been held up for [`FEED_PATIENCE`]. It is fed again when it is back.

use core::time::Duration;

use dunlin_runtime::{Class, Context};

use super::{Egress, FEED_PATIENCE, Lane, Pending, STALL};
use crate::chunk::Recipients;
use crate::counters::{ExportDelta, OwnRoutes};
use crate::export::{BANDS, FeedReply, FeedRequest};
use crate::import::EncodedKey;
use crate::slice::SliceMessage;
use crate::{MemberId, SliceId};

/// Networks that one step of a feed should bring: enough to pack well, little enough to keep.
const NETS_WANTED: usize = 4096;

/// Bands of the first step.
const FIRST_STEP: u16 = 16;

/// Networks kept unencoded beyond which slices are not asked for more of a band.
const NETS_KEPT: usize = 32 * 1024;

/// A member that is to be fed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Waiting {
    pub(super) id: MemberId,
    /// End-of-RIB follows.
    pub(super) first: bool,
}

/// A feed under way, for all members that waited when it began.
#[derive(Debug)]
pub(super) struct Feed {
    pub(super) token: u32,
    /// The members, as in the lane; who leaves stays here.
    members: Vec<Waiting>,
    /// Some may hold routes of another group.
    pub(super) absent: bool,
    /// The present step asks for bands from here on.
    from: u16,
    /// And to here.
    to: u16,
    /// Slices that have not answered.
    missing: usize,
    /// Slices that stopped inside the step, and where.
    stopped: Vec<(SliceId, u16)>,
    /// Networks that the present step has brought.
    pub(super) brought: usize,
    /// Routes gone through, and what became of them.
    figures: ExportDelta,
    /// How long it has been held up while others could have gone on.
    held_up: Duration,
}

impl<K: EncodedKey> Egress<K> {
    /// Begins a feed if members wait and none is under way.
    pub(super) fn start_feed(&mut self) {
        if self.feed.is_some() {
            return;
        }
        let mut waiting = core::mem::take(&mut self.waiting_for_feed);
        let follows = |waiting: &mut Waiting| {
            self.member(waiting.id).is_some_and(|member| member.off.is_none())
        };
        let mut members: Vec<Waiting> = waiting.extract_if(.., follows).collect();
        self.waiting_for_feed = waiting;
        // Of two wishes of one member, that with End-of-RIB counts.
        members.sort_unstable_by(|a, b| b.cmp(a));
        members.dedup_by_key(|waiting| waiting.id);
        members.reverse();
        if members.is_empty() {
            return;
        }
        let resync = |w: &Waiting| self.member(w.id).is_some_and(|member| member.spec.resync);
        let absent = members.iter().any(resync);
        let ids: Vec<MemberId> = members.iter().map(|waiting| waiting.id).collect();
        let token = self.new_token();
        let pending = Pending::for_lane();
        let lane = ids.clone();
        self.lanes.push(Lane { token, members: lane, pending, missing: 0, asked: Vec::new() });
        self.spec.sharing.feeds.fetch_add(1, core::sync::atomic::Ordering::Relaxed);
        self.feed = Some(Feed {
            token,
            members,
            absent,
            from: 0,
            to: 0,
            missing: 0,
            stopped: Vec::new(),
            brought: 0,
            figures: ExportDelta::default(),
            held_up: Duration::ZERO,
        });
        for id in ids {
            if let Some(member) = self.member_mut(id) {
                member.own_fed = 0;
            }
        }
        self.ask_bands(FIRST_STEP);
    }

    /// Feeds a member again. Who waits for that already waits once: a neighbour may ask as often
    /// as it likes, and needn't read.
    pub(super) fn refresh(&mut self, id: MemberId) {
        let waits = self.waiting_for_feed.iter().any(|waiting| waiting.id == id);
        if !waits && self.member(id).is_some() {
            self.waiting_for_feed.push(Waiting { id, first: false });
            self.start_feed();
        }
    }

    /// Takes a member that leaves the log out of the feed; it is fed again when it is back.
    pub(super) fn leave_feed(&mut self, id: MemberId) {
        let Some(feed) = &mut self.feed else { return };
        let token = feed.token;
        let Some(at) = feed.members.iter().position(|waiting| waiting.id == id) else { return };
        let first = feed.members.remove(at).first;
        if let Some(lane) = self.lanes.iter_mut().find(|lane| lane.token == token) {
            lane.members.retain(|member| *member != id);
        }
        if let Some(member) = self.member_mut(id) {
            member.refeed = Some(first || member.refeed == Some(true));
        }
    }

    /// Asks every slice for the next bands.
    fn ask_bands(&mut self, bands: u16) {
        let Some(feed) = &mut self.feed else { return };
        feed.brought = 0;
        feed.from = feed.to;
        feed.to = feed.from.saturating_add(bands).min(BANDS);
        feed.missing = self.spec.slices.count();
        let request = feed.request(self.spec.exporter, feed.from);
        self.spec.slices.send_all(Class::Routing, || SliceMessage::Feed(request));
    }

    fn ask_slice(&self, slice: SliceId, band: u16) {
        if let Some(feed) = &self.feed {
            let request = feed.request(self.spec.exporter, band);
            let to = self.spec.slices.at(u32::from(slice.0));
            // A slice that has stopped means that the daemon is going down.
            let _ = to.send(Class::Routing, SliceMessage::Feed(request));
        }
    }

    /// A slice has answered.
    pub(super) fn feed_reply(&mut self, slice: SliceId, reply: FeedReply) {
        let kept = self.lane(reply.token).map_or(0, |at| self.lanes[at].pending.len());
        let Some(feed) = self.feed.as_mut().filter(|feed| feed.token == reply.token) else {
            return;
        };
        feed.figures = feed.figures.plus(&reply.figures);
        if reply.next < feed.to {
            if kept < NETS_KEPT {
                return self.ask_slice(slice, reply.next);
            }
            feed.stopped.push((slice, reply.next));
        }
        feed.missing -= 1;
        if feed.missing == 0 {
            // What is live now goes before End-of-RIB.
            self.live.set_fence();
        }
    }

    /// Encodes a bucket of the feed, or asks for more bands, or ends it. False if there is nothing
    /// to do now.
    pub(super) fn feed_step(&mut self) -> bool {
        let Some(feed) = self.feed.as_ref().filter(|feed| feed.missing == 0) else { return false };
        let absent = feed.absent;
        let Some(at) = self.lane(feed.token) else { return false };
        if self.lanes[at].members.is_empty() {
            return self.end_feed(at);
        }
        if !self.feed_may_go_on(at) {
            return false;
        }
        if self.encode_lane(at, absent) {
            return true;
        }
        self.next_bands(at)
    }

    /// The present step has been encoded.
    fn next_bands(&mut self, lane: usize) -> bool {
        let Some(feed) = &mut self.feed else { return false };
        if !feed.stopped.is_empty() {
            let stopped = core::mem::take(&mut feed.stopped);
            feed.missing = stopped.len();
            for (slice, band) in stopped {
                self.ask_slice(slice, band);
            }
            return false;
        }
        if feed.to == BANDS {
            return self.live.is_past_fence() && self.end_feed(lane);
        }
        // Sized by what the last step brought.
        let span = feed.to - feed.from;
        let bands = match feed.brought {
            n if n < NETS_WANTED / 2 => span.saturating_mul(2),
            n if n > NETS_WANTED * 2 => (span / 2).max(1),
            _ => span,
        };
        self.ask_bands(bands);
        false
    }

    /// Says End-of-RIB to the members that were fed and begins the next feed.
    fn end_feed(&mut self, lane: usize) -> bool {
        let lane = self.lanes.remove(lane);
        let Some(feed) = self.feed.take() else { return false };
        let fed = feed.members.iter().filter(|waiting| lane.members.contains(&waiting.id));
        let fed: Vec<Waiting> = fed.copied().collect();
        let first: Vec<MemberId> = fed.iter().filter(|w| w.first).map(|w| w.id).collect();
        if !first.is_empty() {
            self.spec.encoder.end_of_rib(self.open.bytes());
            self.open.close_segment(Recipients::Only(first.into()));
        }
        for waiting in fed {
            let Some(member) = self.member_mut(waiting.id) else { continue };
            let resync = core::mem::take(&mut member.spec.resync);
            let own = OwnRoutes { updates: member.own_fed, ..OwnRoutes::default() };
            self.just_fed.push((waiting, own.seen_from(&feed.figures)));
            if resync {
                self.tell_resync(false);
            }
        }
        self.start_feed();
        true
    }

    /// Some member can take bytes and none is far behind.
    fn feed_may_go_on(&self, lane: usize) -> bool {
        let behind = self.feed_lag();
        let mut some = false;
        for id in &self.lanes[lane].members {
            let in_flight = self.member(*id).map_or(0, super::Member::in_flight);
            if in_flight > behind {
                return false;
            }
            some |= in_flight < self.spec.window();
        }
        some
    }

    /// Bytes in flight to a member for which a feed waits.
    fn feed_lag(&self) -> u64 {
        (self.spec.max_lag / 2).max(self.spec.window())
    }

    /// With more to feed and no window: asks to be told when there is some. True if there is by now.
    pub(super) fn ask_for_feed(&mut self, cx: &mut Context<'_>) -> bool {
        let Some(feed) = self.feed.as_ref().filter(|feed| feed.missing == 0) else { return false };
        let Some(at) = self.lane(feed.token) else { return false };
        if self.feed_may_go_on(at) {
            return false;
        }
        let behind = self.feed_lag();
        let mut there = false;
        for id in &self.lanes[at].members {
            let Some(member) = self.member(*id) else { continue };
            let far = member.in_flight() > behind;
            there |= member.ask(if far { behind } else { self.spec.window() / 2 }, cx.now());
        }
        if cx.expires(self.hurry).is_none() && self.watch_those_who_hold_up(at) {
            cx.arm_after(self.hurry, STALL);
        }
        there
    }

    /// Members of the feed that keep others from going on.
    fn who_holds_up(&self, lane: usize) -> Vec<MemberId> {
        let members = &self.lanes[lane].members;
        let over = |bytes: u64| {
            let over = |id: &&MemberId| self.member(**id).is_some_and(|m| m.in_flight() > bytes);
            members.iter().filter(over).copied().collect::<Vec<_>>()
        };
        // A window is open as long as there is room for a byte.
        let full = over(self.spec.window() - 1);
        if full.len() < members.len() {
            return over(self.feed_lag());
        }
        let follows = |w: &Waiting| self.member(w.id).is_some_and(|member| member.off.is_none());
        if self.waiting_for_feed.iter().any(follows) { full } else { Vec::new() }
    }

    /// Remembers how far they are; whether there are any.
    fn watch_those_who_hold_up(&mut self, lane: usize) -> bool {
        let slow = self.who_holds_up(lane);
        for id in &slow {
            if let Some(member) = self.member_mut(*id) {
                member.watched = member.spec.progress.consumed();
            }
        }
        !slow.is_empty()
    }

    /// The feed has been held up for a moment.
    pub(super) fn drop_those_who_hold_up(&mut self) {
        let Some(at) = self.feed.as_ref().and_then(|feed| self.lane(feed.token)) else { return };
        let slow = self.who_holds_up(at);
        let Some(feed) = self.feed.as_mut().filter(|_| !slow.is_empty()) else { return };
        feed.held_up += STALL;
        let enough = feed.held_up >= FEED_PATIENCE;
        for id in slow {
            let stalls = |member: &super::Member| member.watched == member.spec.progress.consumed();
            if enough || self.member(id).is_some_and(stalls) {
                self.leave_log(id);
            }
        }
    }
}

impl Feed {
    fn request(&self, exporter: crate::ExporterId, band: u16) -> FeedRequest {
        FeedRequest {
            exporter,
            token: self.token,
            band,
            bands: self.to - band,
            withdraw_absent: self.absent,
        }
    }
}

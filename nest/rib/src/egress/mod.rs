//! An export group: members that get the same bytes.
//!
//! Deltas of all slices are gathered by attribute set ([`pending`]), encoded once and appended to a
//! log that members read at their own pace. Encoding is pulled: it goes on while some member has
//! less than [`WINDOW`] bytes in flight. A member that falls [`MAX_LAG`] behind leaves the log and
//! is brought up to date from the slices when it reads again ([`catch_up`]).
//!
//! # Order
//!
//! A network waits at most once for everybody (the *live* lane) and once in each feed or catch-up
//! lane. A live delta replaces what lanes hold of the same network, since it is newer. After
//! encoding everything is first in, first out.

mod catch_up;
mod feed;
mod log;
mod members;
mod pending;
mod reader;

use core::sync::atomic::Ordering;
use core::time::Duration;
use std::sync::Arc;

use dunlin_net::hash::Map;
use dunlin_runtime::{Address, Class, Context, Loop, Progress as Done, TimerId, WorkId};

pub use members::{LogSink, MemberSpec, Progress};
pub use reader::LogReader;

use crate::chunk::{Chunk, Recipients};
use crate::encode::Encoder;
use crate::export::{DeltaBatch, SharingCounters, To};
use crate::import::{Burst, NONE, Slices, TableKey};
use crate::registry::RegistryMessage;
use crate::{ExporterId, MemberId, SourceId};
use feed::Feed;
use log::Open;
use members::{Member, Off};
use pending::{Pending, Taken};

/// Bytes in flight to a member below which encoding goes on.
pub const WINDOW: u64 = 256 * 1024;

/// Bytes in flight to a member beyond which it leaves the log.
pub const MAX_LAG: u64 = 4 * 1024 * 1024;

/// Networks encoded in one go, so that a turn stays short.
const NETS_PER_STEP: usize = 4096;

/// How long a read burst's missing parts are waited for. They always come, but for slices that
/// heard of this group in between.
const BURST_PATIENCE: Duration = Duration::from_millis(5);

/// What a group is told.
#[derive(Debug)]
pub enum EgressMessage {
    /// Deltas of a slice.
    Deltas(Box<DeltaBatch>),
    /// A new member.
    Join(Box<MemberSpec>),
    /// A member has gone.
    Leave(MemberId),
    /// A member has consumed what [`Progress::advance`] was asked to tell.
    Drained(MemberId),
    /// A member dropped its unread part of the log: chunks and from where on in each.
    Detached {
        /// Which.
        member: MemberId,
        /// What was dropped.
        dropped: Vec<(Arc<Chunk>, usize)>,
    },
    /// Feed a member again (route refresh).
    Refresh(MemberId),
}

/// What a group is made of.
#[derive(Clone)]
pub struct GroupSpec {
    /// Its exporter in the slices.
    pub exporter: ExporterId,
    /// All slices.
    pub slices: Slices,
    /// Encodes for all members.
    pub encoder: Arc<dyn Encoder>,
    /// How much is shared.
    pub sharing: Arc<SharingCounters>,
    /// Told when the last member has gone.
    pub registry: Option<Address<RegistryMessage>>,
    /// See [`MAX_LAG`].
    pub max_lag: u64,
}

impl core::fmt::Debug for GroupSpec {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("GroupSpec").field("exporter", &self.exporter).finish_non_exhaustive()
    }
}

/// Networks that wait for some members only.
#[derive(Debug)]
struct Lane<K> {
    token: u32,
    members: Vec<MemberId>,
    pending: Pending<K>,
    /// All slices have answered: it may be encoded.
    ready: bool,
}

/// See the module.
#[derive(Debug)]
pub struct Egress<K: TableKey> {
    spec: GroupSpec,
    live: Pending<K>,
    lanes: Vec<Lane<K>>,
    next_token: u32,
    members: Vec<Member>,
    next_member: u16,
    by_source: Map<SourceId, MemberId>,
    joins: u64,
    feed: Option<Feed>,
    waiting_for_feed: Vec<MemberId>,
    /// Networks that the present step of the feed has brought.
    last_step: usize,
    open: Open,
    block: Vec<u8>,
    taken: Taken<K>,
    /// Parts that are missing of read bursts.
    bursts: Map<u64, u16>,
    patience: TimerId,
    work: WorkId,
}

impl<K: TableKey> Egress<K> {
    /// A group without members.
    pub fn new(spec: GroupSpec) -> Self {
        Self {
            spec,
            live: Pending::new(),
            lanes: Vec::new(),
            next_token: 1,
            members: Vec::new(),
            next_member: 0,
            by_source: Map::default(),
            joins: 0,
            feed: None,
            waiting_for_feed: Vec::new(),
            last_step: 0,
            open: Open::default(),
            block: Vec::new(),
            taken: Taken::default(),
            bursts: Map::default(),
            patience: TimerId::NONE,
            work: WorkId::NONE,
        }
    }

    fn member(&mut self, id: MemberId) -> Option<&mut Member> {
        self.members.iter_mut().find(|member| member.id == id)
    }

    fn join(&mut self, spec: MemberSpec, cx: &Context<'_>) {
        let taken = |id: u16| self.members.iter().any(|member| member.id.0 == id);
        while taken(self.next_member) {
            self.next_member = self.next_member.wrapping_add(1);
        }
        let id = MemberId(self.next_member);
        self.next_member = self.next_member.wrapping_add(1);
        self.joins += 1;
        self.by_source.insert(spec.source, id);
        if let Some(own) = cx.own::<EgressMessage>() {
            spec.sink.joined(id, own);
        }
        self.members.push(Member { id, spec, appended: 0, off: None });
        self.waiting_for_feed.push(id);
        self.start_feed();
    }

    fn leave(&mut self, id: MemberId) {
        self.members.retain(|member| member.id != id);
        self.by_source.retain(|_, member| *member != id);
        self.waiting_for_feed.retain(|member| *member != id);
        for lane in &mut self.lanes {
            lane.members.retain(|member| *member != id);
        }
        if self.members.is_empty() {
            let message =
                RegistryMessage::Empty { exporter: self.spec.exporter, joins: self.joins };
            if let Some(registry) = &self.spec.registry {
                let _ = registry.send(Class::Control, message);
            }
        }
    }

    fn deltas(&mut self, batch: DeltaBatch, cx: &mut Context<'_>) {
        let burst = batch.burst.map_or(0, |burst| self.note_burst(burst, cx));
        if !self.members.is_empty() {
            if let Some(deltas) = K::own_deltas(&batch.deltas) {
                self.gather(&batch, deltas, burst);
            }
        }
        if let Some(reply) = batch.feed {
            self.feed_reply(batch.slice, reply);
        }
        if let Some(token) = batch.query {
            self.query_reply(token);
        }
    }

    /// Counts a part of a burst; returns its id if parts are missing, else zero.
    fn note_burst(&mut self, burst: Burst, cx: &mut Context<'_>) -> u64 {
        let missing = self.bursts.entry(burst.id).or_insert(burst.parts);
        *missing = missing.saturating_sub(1);
        if *missing == 0 {
            self.bursts.remove(&burst.id);
            return 0;
        }
        if cx.expires(self.patience).is_none() {
            cx.arm_after(self.patience, BURST_PATIENCE);
        }
        burst.id
    }

    fn gather(&mut self, batch: &DeltaBatch, deltas: &[crate::export::Delta<K>], burst: u64) {
        let mut last = (NONE, 0, 0);
        for delta in deltas {
            let lane = match delta.to {
                To::All | To::AllWithdrawSource => 0,
                To::Token(token) => token,
            };
            let Some(pending) = self.lane_for(delta.key, lane) else { continue };
            let bucket = if delta.route == NONE {
                pending.withdrawal_bucket(burst)
            } else if (delta.route, lane) == (last.0, last.1) {
                last.2
            } else {
                let Some(route) = batch.routes.get(delta.route as usize) else { continue };
                pending.bucket(route, burst)
            };
            if delta.route != NONE {
                last = (delta.route, lane, bucket);
            }
            pending.put(delta.key, bucket, delta.to == To::AllWithdrawSource);
        }
    }

    /// Where a delta waits; none if it is superfluous.
    fn lane_for(&mut self, key: K, token: u32) -> Option<&mut Pending<K>> {
        if token == 0 {
            for lane in &mut self.lanes {
                lane.pending.forget(key);
            }
            return Some(&mut self.live);
        }
        if self.live.contains(key) && !self.lane_is_off(token) {
            return None;
        }
        let lane = self.lanes.iter_mut().find(|lane| lane.token == token)?;
        Some(&mut lane.pending)
    }

    fn lane_is_off(&self, token: u32) -> bool {
        let query = |member: &Member| member.off.as_ref().is_some_and(|o| o.query == Some(token));
        self.members.iter().any(query)
    }

    /// Encodes while some member can take bytes.
    fn encode(&mut self, cx: &mut Context<'_>) {
        let mut steps = 0_u32;
        while self.has_window() {
            if !self.step() {
                break;
            }
            if self.open.is_full() {
                self.deliver();
            }
            steps += 1;
            if steps % 64 == 0 && cx.over_budget() {
                cx.queue(self.work);
                break;
            }
        }
        self.deliver();
        self.catch_up();
        if self.ask_for_window() {
            cx.queue(self.work);
        }
    }

    /// Encodes one bucket, or goes on with the feed; false if there is nothing to do now.
    fn step(&mut self) -> bool {
        if let Some(burst) = self.live.front_burst()
            && !self.bursts.contains_key(&burst)
        {
            let mut taken = core::mem::take(&mut self.taken);
            self.live.take(NETS_PER_STEP, &mut taken);
            self.encode_live(&taken);
            self.taken = taken;
            return true;
        }
        self.feed_step()
    }

    fn encode_live(&mut self, taken: &Taken<K>) {
        let Some(route) = &taken.route else {
            let messages = self.spec.encoder.withdraw(K::nets(&taken.nets), self.open.bytes());
            self.note_encoded(messages, Recipients::All, &taken.nets);
            return;
        };
        let source = self.by_source.get(&route.source.id).copied();
        if !taken.withdraw_source.is_empty()
            && let Some(source) = source
        {
            let to = Recipients::Only(Arc::new([source]));
            let nets = K::nets(&taken.withdraw_source);
            let messages = self.spec.encoder.withdraw(nets, self.open.bytes());
            self.note_encoded(messages, to, &taken.withdraw_source);
        }
        self.block.clear();
        match self.spec.encoder.attributes(route, &mut self.block) {
            Ok(block) => {
                let own = block.not_for.and_then(|address| {
                    self.members.iter().find(|m| m.spec.address == address).map(|m| m.id)
                });
                let to = match (source, own) {
                    (None, None) => Recipients::All,
                    (Some(a), None) | (None, Some(a)) => Recipients::AllBut(a, a),
                    (Some(a), Some(b)) => Recipients::AllBut(a, b),
                };
                let nets = K::nets(&taken.nets);
                let bytes = self.open.bytes();
                let messages = self.spec.encoder.announce(&self.block, nets, bytes);
                self.note_encoded(messages, to, &taken.nets);
            }
            // Nobody can be told of the route: nobody may keep an older one.
            Err(_) => {
                let nets = K::nets(&taken.nets);
                let messages = self.spec.encoder.withdraw(nets, self.open.bytes());
                self.note_encoded(messages, Recipients::All, &taken.nets);
            }
        }
    }

    /// Closes a segment, counts it, and remembers its networks for members that left the log.
    fn note_encoded(&mut self, messages: u32, to: Recipients, nets: &[K]) {
        let sharing = &self.spec.sharing;
        sharing.updates_encoded.fetch_add(u64::from(messages), Ordering::Relaxed);
        for member in &mut self.members {
            if let Some(off) = &mut member.off
                && to.includes(member.id)
            {
                off.dirty.extend(nets.iter().map(|key| key.prefix()));
            }
        }
        self.open.close_segment(to);
    }

    /// Seals what is open and gives it to the members that follow the log.
    fn deliver(&mut self) {
        let Some(chunk) = self.open.seal() else { return };
        let bytes = chunk.bytes.len() as u64;
        self.spec.sharing.bytes_encoded.fetch_add(bytes, Ordering::Relaxed);
        let following = self.members.iter_mut().filter(|member| member.off.is_none());
        let mut delivered = 0;
        for member in following {
            member.give(&chunk);
            delivered += bytes;
        }
        self.spec.sharing.bytes_delivered.fetch_add(delivered, Ordering::Relaxed);
        self.drop_laggards();
    }

    fn has_window(&self) -> bool {
        let mut following = self.members.iter().filter(|member| member.off.is_none());
        following.any(|member| member.in_flight() < WINDOW)
    }

    /// Members far behind leave the log, unless everybody is.
    fn drop_laggards(&mut self) {
        let max_lag = self.spec.max_lag;
        for member in &mut self.members {
            if member.off.is_none() && member.in_flight() > max_lag {
                member.off = Some(Off::default());
                member.spec.sink.detach();
                self.spec.sharing.members_left_log.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// With something left to encode and no window: asks to be told when there is some. True if
    /// there is by now.
    fn ask_for_window(&self) -> bool {
        let waiting = !self.live.is_empty() || self.feed.is_some();
        if !waiting || self.has_window() {
            return false;
        }
        let mut following = self.members.iter().filter(|member| member.off.is_none());
        following.any(|member| member.ask(WINDOW / 2))
    }
}

impl<K: TableKey> Loop for Egress<K> {
    type Message = EgressMessage;

    fn start(&mut self, cx: &mut Context<'_>) {
        self.patience = cx.timer(Class::Routing);
        self.work = cx.work(Class::Routing);
    }

    fn message(&mut self, cx: &mut Context<'_>, message: EgressMessage) {
        match message {
            EgressMessage::Deltas(batch) => self.deltas(*batch, cx),
            EgressMessage::Join(spec) => self.join(*spec, cx),
            EgressMessage::Leave(member) => self.leave(member),
            EgressMessage::Drained(_) => {}
            EgressMessage::Detached { member, dropped } => self.detached(member, &dropped),
            EgressMessage::Refresh(member) => {
                self.waiting_for_feed.push(member);
                self.start_feed();
            }
        }
        // Encoding follows when everything that came together has been gathered.
        cx.queue(self.work);
    }

    fn timer(&mut self, cx: &mut Context<'_>, _timer: TimerId) {
        self.bursts.clear();
        cx.queue(self.work);
    }

    fn work(&mut self, cx: &mut Context<'_>, _work: WorkId) -> Done {
        self.encode(cx);
        Done::Done
    }
}

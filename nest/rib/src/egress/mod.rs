//! An export group: members that get the same bytes.
//!
//! Deltas of all slices are gathered by attribute set (`pending`), encoded once and appended to a
//! log that members read at their own pace. Encoding is pulled: it goes on while some member has
//! less than [`WINDOW`] bytes in flight. A member that falls [`MAX_LAG`] behind leaves the log and
//! is brought up to date from the slices when it reads again (`catch_up`).
//!
//! # Order
//!
//! A network waits at most once for everybody (the *live* lane) and once in each feed or query lane.
//! A live delta replaces what lanes hold of the same network, since it is newer. After encoding
//! everything is first in, first out.
//!
//! # Moving between groups
//!
//! A session whose policy changes joins its new group with [`MemberSpec::resync`] set, then asks the
//! old one to [`EgressMessage::Move`] it, and writes what comes from the new group only when the old
//! one has said [`LogSink::left`]. The old group tells the new one which networks the session may
//! not have the latest state of; the new group says of every network that it has *or does not have*
//! how it is.

mod catch_up;
mod encode;
mod feed;
mod gather;
mod log;
mod members;
mod moving;
mod pending;
mod progress;
mod reader;
mod traced;

#[cfg(test)]
mod tests;

use core::hash::Hash;
use core::sync::atomic::Ordering;
use core::time::Duration;
use std::net::IpAddr;
use std::sync::Arc;

use dunlin_net::Prefix;
use dunlin_net::hash::Map;
use dunlin_runtime::{Address, Class, Context, Loop, Progress as Done, TimerId, WorkId};
use smallvec::SmallVec;

pub use members::{LogSink, MemberSpec};
pub use progress::Progress;
pub use reader::LogReader;

use crate::chunk::Chunk;
use crate::counters::ExportDelta;
use crate::encode::Encoder;
use crate::export::{DeltaBatch, SharingCounters};
use crate::import::{EncodedKey, Slices};
use crate::limits::TooMany;
use crate::registry::RegistryMessage;
use crate::slice::SliceMessage;
use crate::{ExporterId, MemberId, SourceId};
use catch_up::Off;
use feed::{Feed, Waiting};
use gather::Bursts;
use log::Open;
use members::Member;
use moving::Moving;
use pending::{Pending, Taken};
use progress::Backlog;

/// Bytes in flight to a member below which encoding goes on.
pub const WINDOW: u64 = 256 * 1024;

/// Bytes in flight to a member beyond which it leaves the log.
pub const MAX_LAG: u64 = 4 * 1024 * 1024;

/// Members of a group: as many as there are ids.
pub const MOST_MEMBERS: usize = u16::MAX as usize + 1;

/// Networks encoded in one go, so that a turn stays short.
const NETS_PER_STEP: usize = 4096;

/// How long members may hold up one feed, all in all, while others could go on. Those that read on,
/// if slowly: they are let go, and fed again, later than they would like.
const FEED_PATIENCE: Duration = Duration::from_secs(1);

/// How long a member that holds up a feed may take nothing at all.
const STALL: Duration = Duration::from_millis(50);

/// What a group is told.
#[derive(Debug)]
pub enum EgressMessage {
    /// Deltas of a slice.
    Deltas(Box<DeltaBatch>),
    /// A new member. It answers [`LogSink::joined`] with [`Self::Leave`] if its session is over by
    /// then.
    Join(Box<MemberSpec>),
    /// A member's session is over.
    Leave(MemberId),
    /// A member has joined another group and leaves this one for it.
    Move {
        /// Which.
        member: MemberId,
        /// The other group.
        to: Address<Self>,
        /// What the member is called there.
        as_member: MemberId,
    },
    /// A member has consumed what [`Progress::advance`] was asked to tell.
    Drained(MemberId),
    /// A member dropped its unread part of the log: chunks and from where on in each.
    Detached {
        /// Which.
        member: MemberId,
        /// What was dropped.
        dropped: Vec<(Arc<Chunk>, usize)>,
    },
    /// Feed a member again (route refresh). No End-of-RIB follows, only [`LogSink::fed`].
    Refresh(MemberId),
    /// A member may not have the latest state of these networks.
    Recheck {
        /// Which.
        member: MemberId,
        /// The networks.
        nets: Vec<Prefix>,
    },
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
    /// See [`MOST_MEMBERS`], which is the most that there can be.
    pub max_members: usize,
}

impl GroupSpec {
    /// Bytes in flight to a member below which encoding goes on: [`WINDOW`], unless members must
    /// not lag that far.
    fn window(&self) -> u64 {
        WINDOW.min(self.max_lag / 4).max(1)
    }
}

impl core::fmt::Debug for GroupSpec {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("GroupSpec").field("exporter", &self.exporter).finish_non_exhaustive()
    }
}

/// Members with something in common: mostly one. There are more with parallel sessions, and while a
/// session moves from a group to the same one.
type Few = SmallVec<[MemberId; 2]>;

/// Networks that wait for some members only: the feed's, or the answer to a query.
#[derive(Debug)]
struct Lane<K> {
    token: u32,
    members: Vec<MemberId>,
    pending: Pending<K>,
    /// Slices that have not answered, for queries.
    missing: usize,
    /// What a query asks for.
    asked: Vec<Prefix>,
}

/// See the module.
#[derive(Debug)]
pub struct Egress<K: EncodedKey> {
    spec: GroupSpec,
    live: Pending<K>,
    /// The feed's lane, if a feed is under way, and those of queries.
    lanes: Vec<Lane<K>>,
    next_token: u32,
    /// Ascending by id.
    members: Vec<Member>,
    /// How many of them are off the log.
    members_off: usize,
    next_member: u16,
    by_source: Map<SourceId, Few>,
    by_address: Map<IpAddr, Few>,
    joins: u64,
    feed: Option<Feed>,
    waiting_for_feed: Vec<Waiting>,
    /// Members who must hear that they have been fed once the open chunk is delivered.
    just_fed: Vec<(Waiting, ExportDelta)>,
    open: Open,
    block: Vec<u8>,
    taken: Taken<K>,
    bursts: Bursts,
    /// Ends the wait for parts of bursts.
    patience: TimerId,
    /// Looks at those who hold up the feed.
    hurry: TimerId,
    work: WorkId,
    /// What waits, for those who look.
    backlog: Arc<Backlog>,
}

impl<K: EncodedKey> Egress<K> {
    /// A group without members.
    pub fn new(spec: GroupSpec) -> Self {
        Self {
            spec,
            live: Pending::new(),
            lanes: Vec::new(),
            next_token: 1,
            members: Vec::new(),
            members_off: 0,
            next_member: 0,
            by_source: Map::default(),
            by_address: Map::default(),
            joins: 0,
            feed: None,
            waiting_for_feed: Vec::new(),
            just_fed: Vec::new(),
            open: Open::default(),
            block: Vec::new(),
            taken: Taken::default(),
            bursts: Bursts::default(),
            patience: TimerId::NONE,
            hurry: TimerId::NONE,
            work: WorkId::NONE,
            backlog: Backlog::new(),
        }
    }

    fn place_of(&self, id: MemberId) -> Result<usize, usize> {
        self.members.binary_search_by_key(&id, |member| member.id)
    }

    fn member(&self, id: MemberId) -> Option<&Member> {
        self.members.get(self.place_of(id).ok()?)
    }

    fn member_mut(&mut self, id: MemberId) -> Option<&mut Member> {
        let place = self.place_of(id).ok()?;
        self.members.get_mut(place)
    }

    fn join(&mut self, spec: MemberSpec, cx: &Context<'_>) {
        let sink = Arc::clone(&spec.sink);
        match self.admit(spec) {
            Ok(id) => {
                if let Some(own) = cx.own::<EgressMessage>() {
                    sink.joined(id, own);
                }
            }
            Err(why) => sink.refused(why),
        }
    }

    /// An id that nobody has, and where it belongs.
    fn free_place(&self) -> Result<(MemberId, usize), TooMany> {
        let most = self.spec.max_members.min(MOST_MEMBERS);
        let mut id = MemberId(self.next_member);
        while self.members.len() < most {
            match self.place_of(id) {
                Err(place) => return Ok((id, place)),
                Ok(_) => id = MemberId(id.0.wrapping_add(1)),
            }
        }
        Err(TooMany::Members { most })
    }

    /// Makes a member and has it fed.
    fn admit(&mut self, spec: MemberSpec) -> Result<MemberId, TooMany> {
        // The registry counts those that are refused, too.
        self.joins += 1;
        let (id, place) = self.free_place()?;
        self.next_member = id.0.wrapping_add(1);
        self.by_source.entry(spec.source).or_default().push(id);
        self.by_address.entry(spec.address).or_default().push(id);
        if spec.resync {
            self.tell_resync(true);
        }
        spec.progress.enter(self.spec.window());
        if let Some(trace) = &spec.trace {
            trace.join(&self.spec.sharing);
        }
        let member = Member {
            id,
            spec,
            appended: 0,
            end_of_rib: None,
            off: None,
            refeed: None,
            moving: None,
            watched: u64::MAX,
            own_fed: 0,
        };
        self.members.insert(place, member);
        self.count_members();
        self.waiting_for_feed.push(Waiting { id, first: true });
        self.start_feed();
        Ok(id)
    }

    /// Forgets a member.
    fn leave(&mut self, id: MemberId) {
        if let Ok(place) = self.place_of(id) {
            let member = self.members.remove(place);
            self.count_members();
            self.members_off -= usize::from(member.off.is_some());
            if member.spec.resync {
                self.tell_resync(false);
            }
            forget(&mut self.by_source, &member.spec.source, id);
            forget(&mut self.by_address, &member.spec.address, id);
        }
        self.waiting_for_feed.retain(|waiting| waiting.id != id);
        self.just_fed.retain(|(fed, _)| fed.id != id);
        let feed = self.feed.as_ref().map(|feed| feed.token);
        self.lanes.retain_mut(|lane| {
            lane.members.retain(|member| *member != id);
            !lane.members.is_empty() || feed == Some(lane.token)
        });
        if !self.members.is_empty() {
            return;
        }
        // Deltas are not gathered while nobody is here, so those that wait would go stale.
        self.live = Pending::new();
        if let Some(registry) = &self.spec.registry {
            let (exporter, joins) = (self.spec.exporter, self.joins);
            // Without a registry nobody counts groups.
            let _ = registry.send(Class::Routing, RegistryMessage::Empty { exporter, joins });
        }
    }

    fn count_members(&self) {
        let members = self.members.len() as u64;
        self.spec.sharing.members.store(members, Ordering::Relaxed);
    }

    /// A member that may hold another group's routes has come, or holds this one's.
    fn tell_resync(&self, begins: bool) {
        let exporter = self.spec.exporter;
        self.spec
            .slices
            .send_all(Class::Routing, || SliceMessage::ExporterResync { id: exporter, begins });
    }

    fn new_token(&mut self) -> u32 {
        let token = self.next_token;
        self.next_token = token.checked_add(1).unwrap_or(1);
        token
    }

    fn lane(&self, token: u32) -> Option<usize> {
        self.lanes.iter().position(|lane| lane.token == token)
    }
}

/// Takes a member out of an index.
fn forget<T: Hash + Eq>(index: &mut Map<T, Few>, key: &T, id: MemberId) {
    if let Some(list) = index.get_mut(key) {
        list.retain(|member| *member != id);
        if list.is_empty() {
            index.remove(key);
        }
    }
}

impl<K: EncodedKey> Loop for Egress<K> {
    type Message = EgressMessage;

    fn is_essential(&self) -> bool {
        true
    }

    fn start(&mut self, cx: &mut Context<'_>) {
        self.patience = cx.timer(Class::Routing);
        self.hurry = cx.timer(Class::Routing);
        self.work = cx.work(Class::Routing);
        cx.show_flow(&self.backlog);
    }

    fn message(&mut self, cx: &mut Context<'_>, message: EgressMessage) {
        match message {
            EgressMessage::Deltas(batch) => self.deltas(&batch, cx),
            EgressMessage::Join(spec) => self.join(*spec, cx),
            EgressMessage::Leave(member) => self.leave(member),
            EgressMessage::Move { member, to, as_member } => self.begin_move(member, to, as_member),
            EgressMessage::Drained(_) => {}
            EgressMessage::Detached { member, dropped } => self.detached(member, &dropped),
            EgressMessage::Refresh(member) => self.refresh(member),
            EgressMessage::Recheck { member, nets } => self.recheck(member, &nets),
        }
        // Encoding follows when everything that came together has been gathered.
        cx.queue(self.work);
    }

    fn timer(&mut self, cx: &mut Context<'_>, timer: TimerId) {
        if timer == self.hurry {
            self.drop_those_who_hold_up();
        } else {
            self.bursts.give_up();
        }
        cx.queue(self.work);
    }

    fn work(&mut self, cx: &mut Context<'_>, _work: WorkId) -> Done {
        self.encode(cx);
        Done::Done
    }
}

//! A session that reads its group's log at a pace that the test sets, and decodes it.

use core::time::Duration;
use std::collections::BTreeMap;
use std::io::IoSlice;
use std::sync::{Arc, Mutex};

use dunlin_net::{NetType, Prefix4};
use dunlin_runtime::{Address, Class, Context, Loop, TimerId};

use super::encoder::{LEN, Said, TestEncoder, decode};
use crate::chunk::Chunk;
use crate::counters::{ExportCounters, ExportDelta};
use crate::egress::{EgressMessage, LogReader, LogSink, MemberSpec, Progress};
use crate::export::{ExportLimit, SharingCounters};
use crate::figures::{Found, MemberFigures, ask_own_routes};
use crate::import::Slices;
use crate::limits::TooMany;
use crate::registry::{GroupFigures, GroupFound, JoinSpec, RegistryMessage};
use crate::testing::{Kind, Look, TestPolicy};
use crate::trace::RouteTrace;
use crate::{MemberId, SourceId, TableId};

/// What the test sees of a session.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) view: BTreeMap<Prefix4, Look>,
    /// The view when the first End-of-RIB came.
    pub(super) at_end_of_rib: Option<BTreeMap<Prefix4, Look>>,
    pub(super) ends_of_rib: u32,
    pub(super) fed: u32,
    pub(super) messages: u64,
    /// Withdrawals of what was not there.
    pub(super) idle_withdrawals: u64,
    pub(super) detached: u32,
    pub(super) moves: u32,
    pub(super) sharing: Option<Arc<SharingCounters>>,
    pub(super) exports: Option<Arc<ExportCounters>>,
    pub(super) figures: MemberFigures,
    /// Groups that it is in: none once it has left.
    pub(super) memberships: u32,
}

#[derive(Debug)]
pub(super) enum SessionMessage {
    Join(Kind, Option<ExportLimit>),
    Rate(usize),
    Refresh,
    Die,
    Joined(u32, MemberId, Address<EgressMessage>),
    Append(u32, Arc<Chunk>),
    Detach(u32),
    Fed(ExportDelta),
    Left(u32),
}

struct Sink {
    session: Address<SessionMessage>,
    ticket: u32,
}

impl Sink {
    fn tell(&self, message: SessionMessage) {
        let _ = self.session.send(Class::Routing, message);
    }
}

impl LogSink for Sink {
    fn joined(&self, member: MemberId, egress: Address<EgressMessage>) {
        self.tell(SessionMessage::Joined(self.ticket, member, egress));
    }
    fn refused(&self, why: TooMany) {
        panic!("{why}");
    }
    fn append(&self, chunk: Arc<Chunk>) {
        self.tell(SessionMessage::Append(self.ticket, chunk));
    }
    fn detach(&self) {
        self.tell(SessionMessage::Detach(self.ticket));
    }
    fn fed(&self, figures: &ExportDelta) {
        self.tell(SessionMessage::Fed(*figures));
    }
    fn left(&self) {
        self.tell(SessionMessage::Left(self.ticket));
    }
}

struct ToSeen {
    seen: Arc<Mutex<Seen>>,
    slices: Slices,
    source: SourceId,
}

impl GroupFound for ToSeen {
    fn found(&self, figures: &GroupFigures) {
        let mut seen = self.seen.lock().unwrap();
        seen.sharing = Some(Arc::clone(&figures.sharing));
        seen.exports = Some(Arc::clone(&figures.exports));
        seen.figures.found(Found::new(figures));
        let reply = Arc::clone(&self.seen);
        ask_own_routes(&self.slices, figures.exporter, self.source, move |part| {
            reply.lock().unwrap().figures.before(&part);
        });
    }
}

struct Membership {
    ticket: u32,
    progress: Arc<Progress>,
    reader: Option<(LogReader, Address<EgressMessage>)>,
}

pub(super) struct Session {
    pub(super) source: SourceId,
    pub(super) address: std::net::IpAddr,
    pub(super) table: TableId,
    pub(super) encoder: u64,
    pub(super) trace: Option<Arc<RouteTrace>>,
    pub(super) registry: Address<RegistryMessage>,
    pub(super) slices: Slices,
    pub(super) seen: Arc<Mutex<Seen>>,
    pub(super) rate: usize,
    current: Option<Membership>,
    next: Option<Membership>,
    /// Wishes that wait for a move to end.
    wishes: Vec<(Kind, Option<ExportLimit>)>,
    tickets: u32,
    dead: bool,
    partial: Vec<u8>,
    tick: TimerId,
}

impl Session {
    pub(super) fn new(
        source: SourceId,
        address: std::net::IpAddr,
        encoder: u64,
        (registry, slices): (Address<RegistryMessage>, Slices),
        seen: Arc<Mutex<Seen>>,
    ) -> Self {
        Self {
            source,
            address,
            table: TableId(0),
            encoder,
            trace: None,
            registry,
            slices,
            seen,
            rate: usize::MAX,
            current: None,
            next: None,
            wishes: Vec::new(),
            tickets: 0,
            dead: false,
            partial: Vec::new(),
            tick: TimerId::NONE,
        }
    }

    fn join(&mut self, kind: Kind, limit: Option<ExportLimit>, cx: &mut Context<'_>) {
        if self.dead {
            return;
        }
        if self.next.is_some() || self.current.as_ref().is_some_and(|m| m.reader.is_none()) {
            self.wishes.push((kind, limit));
            return;
        }
        self.tickets += 1;
        let progress: Arc<Progress> = Arc::default();
        cx.show_flow(&progress);
        let own = cx.own::<SessionMessage>().unwrap();
        let sink = Arc::new(Sink { session: own, ticket: self.tickets });
        let membership =
            Membership { ticket: self.tickets, progress: Arc::clone(&progress), reader: None };
        let resync = self.current.is_some();
        self.leave_figures();
        let place = if resync { &mut self.next } else { &mut self.current };
        *place = Some(membership);
        self.seen.lock().unwrap().memberships += 1;
        let spec = JoinSpec {
            table: self.table,
            net_type: NetType::Ip4,
            policy: TestPolicy::shared(kind),
            encoder: Arc::new(TestEncoder(self.encoder)),
            member: MemberSpec {
                sink,
                progress,
                source: self.source,
                address: self.address,
                resync,
                trace: self.trace.clone(),
            },
            limit,
            found: Arc::new(ToSeen {
                seen: Arc::clone(&self.seen),
                slices: self.slices.clone(),
                source: self.source,
            }),
        };
        self.registry.send(Class::Routing, RegistryMessage::Join(Box::new(spec))).unwrap();
    }

    /// What the group that is left has told of our routes is asked while it is there.
    fn leave_figures(&self) {
        let Some(exporter) = self.seen.lock().unwrap().figures.leave() else { return };
        let seen = Arc::clone(&self.seen);
        ask_own_routes(&self.slices, exporter, self.source, move |part| {
            seen.lock().unwrap().figures.after(&part);
        });
    }

    fn by_ticket(&mut self, ticket: u32) -> Option<&mut Membership> {
        [&mut self.current, &mut self.next].into_iter().flatten().find(|m| m.ticket == ticket)
    }

    fn joined(&mut self, ticket: u32, member: MemberId, egress: Address<EgressMessage>) {
        if self.dead {
            egress.send(Class::Routing, EgressMessage::Leave(member)).unwrap();
            self.seen.lock().unwrap().memberships -= 1;
            return;
        }
        let Some(membership) = self.by_ticket(ticket) else { panic!("joined twice") };
        let reader = LogReader::new(member, Arc::clone(&membership.progress));
        membership.reader = Some((reader, egress.clone()));
        if self.next.as_ref().is_some_and(|next| next.ticket == ticket)
            && let Some((reader, old)) = self.current.as_ref().and_then(|m| m.reader.as_ref())
        {
            let (leaving, to) = (reader.member(), egress);
            let request = EgressMessage::Move { member: leaving, to, as_member: member };
            old.send(Class::Routing, request).unwrap();
        }
    }

    fn append(&mut self, ticket: u32, chunk: Arc<Chunk>) {
        let Some(membership) = self.by_ticket(ticket) else { return };
        let Some((reader, egress)) = &mut membership.reader else { panic!("chunk before joined") };
        if reader.push(chunk) {
            let drained = EgressMessage::Drained(reader.member());
            let _ = egress.send(Class::Routing, drained);
        }
    }

    fn detach(&mut self, ticket: u32) {
        self.seen.lock().unwrap().detached += 1;
        let Some(membership) = self.by_ticket(ticket) else { return };
        let Some((reader, egress)) = &mut membership.reader else { return };
        let dropped = reader.detach(|_| LEN);
        let member = reader.member();
        egress.send(Class::Routing, EgressMessage::Detached { member, dropped }).unwrap();
    }

    fn left(&mut self, ticket: u32, cx: &mut Context<'_>) {
        if self.current.as_ref().is_none_or(|m| m.ticket != ticket) {
            return;
        }
        // The rest of a message that has been begun goes out first.
        if let Some((reader, _)) = self.current.as_mut().and_then(|m| m.reader.as_mut()) {
            let mut slices = Vec::new();
            reader.gather(&mut slices, 64);
            let rest: Vec<u8> = slices.iter().flat_map(|slice| slice.to_vec()).collect();
            self.take(&rest);
        }
        {
            let mut seen = self.seen.lock().unwrap();
            seen.memberships -= 1;
            seen.moves += 1;
        }
        self.current = self.next.take();
        if !self.wishes.is_empty() {
            let (kind, limit) = self.wishes.remove(0);
            self.join(kind, limit, cx);
        }
    }

    fn die(&mut self) {
        self.dead = true;
        for membership in [self.current.take(), self.next.take()].into_iter().flatten() {
            if let Some((reader, egress)) = membership.reader {
                let leave = EgressMessage::Leave(reader.member());
                egress.send(Class::Routing, leave).unwrap();
                self.seen.lock().unwrap().memberships -= 1;
            }
        }
    }

    /// Consumes up to the rate, wherever that ends.
    fn consume(&mut self) {
        let mut budget = self.rate;
        while budget > 0 {
            let Some((reader, egress)) = self.current.as_mut().and_then(|m| m.reader.as_mut())
            else {
                return;
            };
            let mut slices: Vec<IoSlice<'_>> = Vec::new();
            reader.gather(&mut slices, 3);
            let mut bytes: Vec<u8> = slices.iter().flat_map(|slice| slice.to_vec()).collect();
            if bytes.is_empty() {
                return;
            }
            bytes.truncate(budget);
            budget -= bytes.len();
            if reader.advance(bytes.len()) {
                let drained = EgressMessage::Drained(reader.member());
                // A group that has let us go may be gone itself.
                let _ = egress.send(Class::Routing, drained);
            }
            self.take(&bytes);
        }
    }

    fn take(&mut self, bytes: &[u8]) {
        self.partial.extend_from_slice(bytes);
        let whole = self.partial.len() / LEN * LEN;
        let mut seen = self.seen.lock().unwrap();
        for message in self.partial.drain(..whole).collect::<Vec<u8>>().chunks(LEN) {
            seen.messages += 1;
            match decode(message) {
                Said::Announce(net, look) => {
                    seen.view.insert(net, look);
                }
                Said::Withdraw(net) => {
                    let idle = seen.view.remove(&net).is_none();
                    seen.idle_withdrawals += u64::from(idle);
                }
                Said::EndOfRib => {
                    seen.ends_of_rib += 1;
                    if seen.at_end_of_rib.is_none() {
                        seen.at_end_of_rib = Some(seen.view.clone());
                    }
                }
            }
        }
    }
}

impl Loop for Session {
    type Message = SessionMessage;

    fn start(&mut self, cx: &mut Context<'_>) {
        self.tick = cx.timer(Class::Routing);
        cx.arm_every(self.tick, Duration::from_millis(1));
    }

    fn message(&mut self, cx: &mut Context<'_>, message: SessionMessage) {
        match message {
            SessionMessage::Join(kind, limit) => self.join(kind, limit, cx),
            SessionMessage::Rate(rate) => self.rate = rate,
            SessionMessage::Refresh => {
                if let Some((reader, egress)) =
                    self.current.as_ref().and_then(|m| m.reader.as_ref())
                {
                    let refresh = EgressMessage::Refresh(reader.member());
                    // As above; who is being let go is fed by the new group.
                    let _ = egress.send(Class::Routing, refresh);
                }
            }
            SessionMessage::Die => self.die(),
            SessionMessage::Joined(ticket, member, egress) => {
                self.joined(ticket, member, egress);
                if self.next.is_none() && !self.wishes.is_empty() {
                    let (kind, limit) = self.wishes.remove(0);
                    self.join(kind, limit, cx);
                }
            }
            SessionMessage::Append(ticket, chunk) => self.append(ticket, chunk),
            SessionMessage::Detach(ticket) => self.detach(ticket),
            SessionMessage::Fed(figures) => {
                let mut seen = self.seen.lock().unwrap();
                seen.fed += 1;
                seen.figures.fed(&figures);
            }
            SessionMessage::Left(ticket) => self.left(ticket, cx),
        }
    }

    fn timer(&mut self, _: &mut Context<'_>, _: TimerId) {
        self.consume();
    }
}

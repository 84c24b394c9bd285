//! The loop of one session: its sockets, its state machine, its channels.
//!
//! * [`link`]: one TCP connection and what is buffered for it.
//! * [`receive`]: bytes to routes: one batch per slice and read burst.
//! * [`send`]: control messages and the logs of export groups to bytes.
//! * [`channel`]: what a session has in the tables while it is established.
//! * [`export`]: its places in export groups.
//! * [`figures`]: what it has exported, with what the slices say of its own routes.
//! * [`limits`]: how many routes a channel may have, and what happens beyond.
//! * [`drive`]: the state machine's actions.
//! * [`parting`]: connections that stay until the neighbour has been told why they end.
//! * [`range`]: sessions with neighbours out of a range.
//! * [`request`]: what the manager asks for.

use std::net::IpAddr;
use std::sync::Arc;

use dunlin_core::interfaces::Interfaces;
use dunlin_core::protocol::{
    Description, Difference, Direction, Environment, InstanceConfig, ProtocolState, Reply,
    StopReason,
};
use dunlin_rib::SourceId;
use dunlin_rib::chunk::Chunk;
use dunlin_rib::counters::{ExportDelta, ImportCounters, OwnRoutes};
use dunlin_rib::figures::Found;
use dunlin_rib::limits::{LimitKind, TooMany};
use dunlin_runtime::{
    Address, Class, Context, EventId, Loop, OwnedSocket, Panic, Ready, SocketId, Time, TimerId,
};

use super::instance::Shared;
use super::listener::{Lease, ListenerMessage, Signed, Waiter, Who};
use crate::config::{BgpConfig, Remote};
use crate::fsm::{Action, Fsm, LastError, Side, State};
use crate::wire::{Carried, Cease};

mod channel;
mod drive;
mod export;
mod figures;
mod limits;
mod link;
mod parting;
mod range;
mod receive;
mod request;
mod send;
pub(super) mod settings;

use channel::{Patience, Up};
pub(crate) use export::Entrance;
use figures::{About, Asking};
use link::Link;
pub(crate) use range::Accepted;
use range::{Claim, Place, PlaceEvent};
pub(crate) use receive::system_text;

/// What a session is told.
pub(crate) enum SessionMessage {
    /// The neighbour connected.
    Incoming(OwnedSocket, IpAddr),
    /// What becomes of a session with a neighbour out of our range.
    Place(IpAddr, PlaceEvent),
    /// A channel is a member of an export group now.
    Joined(Ticket, Entrance),
    /// More of the group's log.
    Append(Ticket, Arc<Chunk>),
    /// The session is too slow for the log.
    Detach(Ticket),
    /// All that was there at the join is in the log.
    Fed(Ticket, ExportDelta),
    /// The group that was to be left is.
    Left(Ticket),
    /// The group, and its figures at the join.
    Found(Ticket, Found),
    /// What a slice says of the own routes of a channel with this source.
    OwnRoutes(SourceId, About, OwnRoutes),
    /// A limit is exceeded.
    Limit(SourceId, LimitKind),
    /// The tables have no room for a channel's routes.
    NoRoom(SourceId, TooMany),
    /// The export group has no room for a channel.
    NoPlace(Ticket, TooMany),
    /// The routes of an earlier incarnation have left all tables.
    Flushed,
    /// End.
    Stop(StopReason),
    /// A configuration that the session can take as it runs, and what differs. With a time, changed
    /// filters are for routes that change later.
    Reconfigure(Arc<InstanceConfig>, Arc<[Difference]>, Option<Time>),
    /// Filter again.
    Reload(Direction),
    /// Ask the neighbour for its routes, or send it ours.
    Refresh(Direction),
    /// Say how things are.
    Describe(Reply<Description>),
    /// The interfaces have changed.
    Interfaces(Arc<Interfaces>),
}

/// Which join a message of an export group is about: those of earlier ones are stale.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ticket {
    pub(crate) family: Carried,
    pub(crate) join: u32,
}

/// What a session needs to begin.
pub(crate) struct SessionSpec {
    pub(crate) environment: Environment,
    pub(crate) config: Arc<InstanceConfig>,
    pub(crate) bgp: Arc<BgpConfig>,
    pub(crate) lease: Arc<Lease>,
    pub(crate) shared: Arc<Shared>,
    /// A connection that is there already, of a neighbour out of a range.
    pub(crate) accepted: Option<Accepted>,
}

/// See the module.
pub(crate) struct Session {
    own: Address<SessionMessage>,
    environment: Environment,
    config: Arc<InstanceConfig>,
    bgp: Arc<BgpConfig>,
    /// The listening socket, until the session says that it is down: its successor may need to open
    /// another one that this one would be in the way of.
    lease: Option<Arc<Lease>>,
    shared: Arc<Shared>,
    accepted: Option<Accepted>,
    fsm: Fsm,
    outgoing: Option<Link>,
    incoming: Option<Link>,
    /// Connections that are ours no more, with something to say still.
    parting: Vec<Link>,
    up: Option<Box<Up>>,
    handles: Option<Handles>,
    /// When the state machine's timer is armed for.
    armed: Option<Time>,
    /// Import counters by family, kept over incarnations.
    counters: [Arc<ImportCounters>; 2],
    /// Source of [`Ticket::join`].
    joins: u32,
    /// Incarnations whose routes are still on their way out.
    flushing: u32,
    stopping: bool,
    /// When a limit last had the session begin anew.
    limit_restart: Option<Time>,
    /// The Cease to send when the manager stops us for what we reported.
    limit_cease: Option<Cease>,
    /// State and error as last reported.
    reported: Option<(ProtocolState, State, bool, Option<LastError>)>,
    /// Something happened that may have changed them.
    changed: bool,
    /// A child that has asked to be removed.
    removing: bool,
    /// Our place, out of a range.
    claim: Option<Claim>,
    /// A connection that the neighbour made while it seems to have one.
    early: Option<OwnedSocket>,
    /// Neighbours out of our range.
    places: Vec<Place>,
    /// How often it is said that connections are dropped.
    refusals: Patience,
    /// Who waits for a description.
    asking: Vec<Asking>,
    /// Number of the last of them.
    asked: u32,
}

/// What the runtime calls the session by.
#[derive(Clone, Copy)]
struct Handles {
    timer: TimerId,
    /// The time of those that part is over.
    parting: TimerId,
    /// There is something to send.
    flush: EventId,
    /// Slices have given credit back.
    credit: EventId,
}

impl Session {
    pub(crate) fn new(spec: SessionSpec, own: Address<SessionMessage>) -> Self {
        let settings = settings::settings(&spec.environment, &spec.config, &spec.bgp);
        Self {
            own,
            fsm: Fsm::new(settings),
            environment: spec.environment,
            config: spec.config,
            bgp: spec.bgp,
            lease: Some(spec.lease),
            shared: spec.shared,
            accepted: spec.accepted,
            outgoing: None,
            incoming: None,
            parting: Vec::new(),
            up: None,
            handles: None,
            armed: None,
            counters: Default::default(),
            joins: 0,
            flushing: 0,
            stopping: false,
            limit_restart: None,
            limit_cease: None,
            reported: None,
            changed: true,
            removing: false,
            claim: None,
            early: None,
            places: Vec::new(),
            refusals: Patience::default(),
            asking: Vec::new(),
            asked: 0,
        }
    }

    /// The address of the neighbour; none for a range.
    fn neighbor(&self) -> Option<IpAddr> {
        match self.bgp.remote {
            Remote::Address(address) => Some(address),
            Remote::Range(_) => None,
        }
    }

    fn is_child(&self) -> bool {
        self.config.parent.is_some()
    }

    fn link(&self, side: Side) -> Option<&Link> {
        match side {
            Side::Outgoing => self.outgoing.as_ref(),
            Side::Incoming => self.incoming.as_ref(),
        }
    }

    fn link_mut(&mut self, side: Side) -> Option<&mut Link> {
        self.link_place(side).as_mut()
    }

    fn link_place(&mut self, side: Side) -> &mut Option<Link> {
        match side {
            Side::Outgoing => &mut self.outgoing,
            Side::Incoming => &mut self.incoming,
        }
    }

    fn side_of(&self, socket: SocketId) -> Option<Side> {
        [Side::Outgoing, Side::Incoming]
            .into_iter()
            .find(|side| self.link(*side).is_some_and(|link| link.socket == socket))
    }

    /// Registers with the listener.
    fn wait_for_connections(&self) {
        let Some(lease) = &self.lease else { return };
        let who = match &self.bgp.remote {
            Remote::Address(address) => Who::Address(*address),
            Remote::Range(prefix) => Who::Range(*prefix),
        };
        let waiter = Waiter {
            key: lease.key().clone(),
            who,
            local: self.bgp.source,
            md5: self.bgp.password.clone(),
            signed: Signed::default(),
            session: self.own.clone(),
        };
        // Without a listener the daemon is going down.
        let _ = lease.listener().send(Class::Control, ListenerMessage::Wait(Box::new(waiter)));
    }

    /// Waits for connections no more, and gives the listening socket back.
    fn stop_waiting(&mut self) {
        if let Some(lease) = self.lease.take() {
            let leave = ListenerMessage::Leave(self.own.clone());
            // Without a listener nobody connects any more.
            let _ = lease.listener().send(Class::Control, leave);
        }
    }

    /// Whether the neighbour can be reached at all, as far as interfaces tell.
    fn neighbor_is_near(&self) -> bool {
        let Some(neighbor) = self.neighbor() else { return false };
        if self.bgp.multihop.is_some() || self.bgp.onlink {
            return true;
        }
        let interfaces = &self.environment.interfaces;
        match &self.bgp.interface {
            Some(name) => interfaces
                .by_name(name)
                .is_some_and(|interface| !self.bgp.check_link || interface.is_up()),
            None => interfaces
                .towards(neighbor)
                .is_some_and(|(interface, _)| !self.bgp.check_link || interface.is_up()),
        }
    }

    /// Begins, if the neighbour is where it should be.
    fn begin(&mut self, cx: &mut Context<'_>) {
        if self.stopping || !self.fsm.is_down() || !self.neighbor_is_near() {
            return;
        }
        let (now, random) = (cx.now(), cx.random());
        self.fsm.start(now, random);
        self.changed = true;
    }

    /// What every handler ends with.
    fn settle(&mut self, cx: &mut Context<'_>) {
        self.arm(cx);
        if core::mem::take(&mut self.changed) {
            self.report();
        }
    }

    fn arm(&mut self, cx: &mut Context<'_>) {
        let Some(handles) = self.handles else { return };
        let Some(deadline) = self.fsm.deadline() else {
            if self.armed.take().is_some() {
                cx.disarm(handles.timer);
            }
            return;
        };
        // A timer that runs too early finds nothing to do and is armed anew: hold times move
        // with every read, timers don't have to.
        if self.armed.is_none_or(|armed| deadline < armed) {
            cx.arm(handles.timer, deadline);
            self.armed = Some(deadline);
        }
    }

    /// Has the state machine do something, and does what it wants.
    fn drive(
        &mut self,
        cx: &mut Context<'_>,
        what: impl FnOnce(&mut Fsm, Time, u64, &mut Vec<Action>),
    ) {
        let mut actions = Vec::new();
        let (now, random) = (cx.now(), cx.random());
        let before = self.fsm.state();
        what(&mut self.fsm, now, random, &mut actions);
        self.changed |= !actions.is_empty() || self.fsm.state() != before;
        for action in actions {
            self.act(cx, action);
        }
    }
}

impl Loop for Session {
    type Message = SessionMessage;

    fn start(&mut self, cx: &mut Context<'_>) {
        self.handles = Some(Handles {
            timer: cx.timer(Class::Liveness),
            parting: cx.timer(Class::Routing),
            flush: cx.event(Class::Routing),
            credit: cx.event(Class::Routing),
        });
        self.wait_for_connections();
        self.begin(cx);
        if let Some(Accepted { socket, claim }) = self.accepted.take() {
            self.claim_place(claim);
            self.incoming_connection(cx, socket);
        }
        self.settle(cx);
    }

    fn message(&mut self, cx: &mut Context<'_>, message: SessionMessage) {
        match message {
            SessionMessage::Incoming(socket, address) => self.incoming(cx, socket, address),
            SessionMessage::Place(neighbor, event) => self.place_event(neighbor, event),
            SessionMessage::Joined(ticket, entrance) => self.joined(cx, ticket, entrance),
            SessionMessage::Append(ticket, chunk) => self.append(cx, ticket, chunk),
            SessionMessage::Detach(ticket) => self.detach(ticket),
            SessionMessage::Fed(ticket, figures) => self.fed(ticket, &figures),
            SessionMessage::Left(ticket) => self.left(cx, ticket),
            SessionMessage::Found(ticket, found) => self.found(ticket, found),
            SessionMessage::OwnRoutes(source, about, own) => {
                self.own_routes(cx, source, about, &own);
            }
            SessionMessage::Limit(source, kind) => self.limit(cx, source, kind),
            SessionMessage::NoRoom(source, why) => self.no_room(cx, source, why),
            SessionMessage::NoPlace(ticket, why) => self.no_place(cx, ticket, why),
            SessionMessage::Flushed => self.flushed(cx),
            SessionMessage::Stop(reason) => self.stop_session(cx, &reason),
            SessionMessage::Reconfigure(config, differences, soft) => {
                self.reconfigure(cx, &config, &differences, soft);
            }
            SessionMessage::Reload(direction) => self.reload(direction),
            SessionMessage::Refresh(direction) => self.refresh(cx, direction),
            SessionMessage::Describe(reply) => self.ask_own_routes(cx, reply),
            SessionMessage::Interfaces(interfaces) => self.interfaces_changed(cx, interfaces),
        }
        self.settle(cx);
    }

    fn timer(&mut self, cx: &mut Context<'_>, timer: TimerId) {
        if self.handles.is_some_and(|handles| handles.parting == timer) {
            self.end_parting(cx);
            return self.settle(cx);
        }
        self.armed = None;
        // A wait that is over may show without anything to do.
        self.changed = true;
        self.drive(cx, |fsm, now, random, actions| fsm.expired(now, random, actions));
        self.settle(cx);
    }

    fn event(&mut self, cx: &mut Context<'_>, event: EventId) {
        if self.handles.is_some_and(|handles| handles.credit == event) {
            self.resume(cx);
        } else {
            self.send_all(cx);
        }
        self.settle(cx);
    }

    fn ready(&mut self, cx: &mut Context<'_>, socket: SocketId, ready: Ready) {
        let Some(side) = self.side_of(socket) else {
            if self.part(cx, socket) {
                self.settle(cx);
            }
            return;
        };
        if self.link(side).is_some_and(|link| link.connecting) {
            self.connection_decided(cx);
        } else {
            if ready.readable || ready.error {
                let brought = self.receive(cx, side);
                self.decide_early(cx, brought);
            }
            if ready.writable {
                self.send(cx, side);
            }
        }
        self.settle(cx);
    }

    fn stop(&mut self, _cx: &mut Context<'_>) {
        self.stop_waiting();
    }

    fn panicked(&mut self, panic: &Panic) {
        self.stop_waiting();
        // Channels take their routes out of the tables when they are dropped.
        self.environment.reporter.panicked(panic);
    }
}

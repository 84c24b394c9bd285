//! What the state machine wants done, and what becomes of the session.

use core::net::{IpAddr, SocketAddr, SocketAddrV6};

use dunlin_core::config::DebugFlags;
use dunlin_core::log::LogClass;
use dunlin_core::protocol::{Automatic, InstanceEvent, ProtocolState, StopCause, StopReason};
use dunlin_rib::SourceId;
use dunlin_rib::limits::TooMany;
use dunlin_runtime::{ConnectOptions, Context, OwnedSocket};

use super::link::Link;
use super::receive::system_text;
use super::{Session, Side, Ticket};
use crate::config::Remote;
use crate::fsm::{Action, LastError, Message, Misc, State};
use crate::wire::frame::{KEEPALIVE, Type};
use crate::wire::{Carried, Cease, Notification};

impl Session {
    pub(super) fn act(&mut self, cx: &mut Context<'_>, action: Action) {
        match action {
            Action::Connect => self.connect(cx),
            Action::Send(side, message) => self.send_message(cx, side, &message),
            Action::Close(side) => self.close(cx, side),
            Action::AskHeard(side) => self.look_for_bytes(cx, side),
            Action::Established(side, agreed) => self.establish(cx, side, *agreed),
            Action::Lost => self.tear_down(),
            Action::Disable => self.ask(Automatic::Disable, self.error_text()),
        }
    }

    fn error_text(&self) -> String {
        self.fsm.last_error().map(ToString::to_string).unwrap_or_default()
    }

    pub(super) fn ask(&self, what: Automatic, why: String) {
        self.environment.reporter.report(InstanceEvent::Automatic(what, why));
    }

    // --- Connections

    fn connect(&mut self, cx: &mut Context<'_>) {
        let Some(neighbor) = self.neighbor() else { return };
        let peer = self.with_scope(SocketAddr::new(neighbor, self.bgp.remote_port));
        let options = self.connect_options(neighbor);
        match cx.connect(peer, &options) {
            Ok(socket) => {
                let trace = format_args!("Connecting to {neighbor}");
                self.environment.log.trace(DebugFlags::EVENTS, trace);
                self.outgoing = Some(Link::connecting(socket));
            }
            Err(error) => self.connect_failed(cx, &system_text(&error)),
        }
    }

    fn connect_options(&self, neighbor: IpAddr) -> ConnectOptions {
        let local = self.source_address(neighbor).map(|source| SocketAddr::new(source, 0));
        ConnectOptions {
            local: local.map(|local| self.with_scope(local)),
            md5: self.bgp.password.as_ref().map(|key| key.as_bytes().to_vec()),
            ttl: Some(self.ttl()),
            min_ttl: self.bgp.min_ttl(),
            device: self.bgp.interface.as_ref().map(|name| name.to_string()),
            free_bind: self.bgp.free_bind,
        }
    }

    /// Time to live of our packets.
    fn ttl(&self) -> u8 {
        if self.bgp.ttl_security { u8::MAX } else { self.bgp.multihop.unwrap_or(1) }
    }

    /// The address to connect from: the configured one, or ours on the neighbour's network.
    fn source_address(&self, neighbor: IpAddr) -> Option<IpAddr> {
        if self.bgp.source.is_some() {
            return self.bgp.source;
        }
        if self.bgp.multihop.is_some() || self.bgp.interface.is_some() {
            return None;
        }
        self.environment.interfaces.towards(neighbor).map(|(_, entry)| entry.address)
    }

    /// A link-local address needs its interface.
    fn with_scope(&self, address: SocketAddr) -> SocketAddr {
        match address {
            SocketAddr::V6(v6) if dunlin_core::interfaces::is_link_local(address.ip()) => {
                let scope = self.interface().unwrap_or(0);
                SocketAddr::V6(SocketAddrV6::new(*v6.ip(), v6.port(), 0, scope))
            }
            _ => address,
        }
    }

    /// The outgoing connection has succeeded or failed.
    pub(super) fn connection_decided(&mut self, cx: &mut Context<'_>) {
        let Some(link) = &mut self.outgoing else { return };
        if let Err(error) = cx.socket_error(link.socket) {
            cx.close(link.socket);
            self.outgoing = None;
            return self.connect_failed(cx, &system_text(&error));
        }
        link.connecting = false;
        link.local = cx.local_addr(link.socket).ok();
        link.update_interest(cx);
        self.drive(cx, |fsm, now, _, actions| fsm.connected(now, actions));
    }

    fn connect_failed(&mut self, cx: &mut Context<'_>, error: &str) {
        self.drive(cx, |fsm, now, random, actions| {
            fsm.connect_failed(now, random, error, actions);
        });
    }

    /// Somebody whom the listener thinks to be our neighbour connected.
    pub(super) fn incoming(&mut self, cx: &mut Context<'_>, socket: OwnedSocket, from: IpAddr) {
        if self.is_child() {
            self.child_connection(cx, socket);
        } else if self.stopping {
            // It is closed; the neighbour tries again.
        } else if matches!(self.bgp.remote, Remote::Range(_)) {
            self.range_connection(cx, socket, from);
        } else {
            self.incoming_connection(cx, socket);
        }
    }

    pub(super) fn incoming_connection(&mut self, cx: &mut Context<'_>, socket: OwnedSocket) {
        if self.incoming.is_some() {
            return;
        }
        let Ok(socket) = cx.adopt(socket) else { return };
        if let Err(error) = cx.set_ttl(socket, Some(self.ttl()), self.bgp.min_ttl()) {
            // Without the check that is asked for there is no session.
            self.environment.log.write(LogClass::Error, format_args!("Cannot set TTL: {error}"));
            return cx.close(socket);
        }
        self.incoming = Some(Link::open(socket, cx.local_addr(socket).ok()));
        let mut wanted = false;
        self.drive(cx, |fsm, now, _, actions| wanted = fsm.accepted(now, actions));
        let verdict = if wanted { "accepted" } else { "rejected" };
        self.environment
            .log
            .trace(DebugFlags::EVENTS, format_args!("Incoming connection {verdict}"));
        if !wanted {
            self.incoming = None;
            cx.close(socket);
        }
    }

    fn send_message(&mut self, cx: &mut Context<'_>, side: Side, message: &Message) {
        if let Message::Notification(notification) = message {
            self.log_notification("Sent", notification);
        }
        let kind = match message {
            Message::Open(_) => Type::Open,
            Message::Keepalive => Type::Keepalive,
            Message::Notification(_) => Type::Notification,
        };
        let trace = format_args!("Sending {}", kind.name());
        self.environment.log.trace(DebugFlags::PACKETS, trace);
        let Some(link) = self.link_mut(side) else { return };
        match message {
            Message::Open(open) => open.encode(&mut link.out),
            Message::Keepalive => link.out.extend_from_slice(&KEEPALIVE),
            Message::Notification(notification) => {
                notification.encode(&mut link.out);
                link.farewell = true;
            }
        }
        self.send(cx, side);
    }

    fn log_notification(&self, what: &str, notification: &Notification) {
        let text = notification.shutdown_text().map(|text| format!(": {text}")).unwrap_or_default();
        let class = if what == "Sent" { LogClass::Info } else { LogClass::Remote };
        self.environment.log.write(class, format_args!("{what}: {notification}{text}"));
    }

    // --- Room, interfaces, end

    /// A slice has no room for one of our sources.
    pub(super) fn no_room(&mut self, cx: &mut Context<'_>, source: SourceId, why: TooMany) {
        let channels = self.up.as_ref().map(|up| &up.channels);
        let ours = channels.into_iter().flatten().find(|channel| channel.source.id == source);
        if let Some(family) = ours.map(|channel| channel.family) {
            self.refused(cx, family, why);
        }
    }

    /// An export group has no room for us.
    pub(super) fn no_place(&mut self, cx: &mut Context<'_>, ticket: Ticket, why: TooMany) {
        let channel = self.up.as_ref().and_then(|up| up.channel(ticket.family));
        if channel.is_some_and(|channel| channel.current.join == ticket.join) {
            self.refused(cx, ticket.family, why);
        }
    }

    /// The tables can't serve one of our channels. Ends the session; it tries again as after any
    /// error, and there may be room then.
    fn refused(&mut self, cx: &mut Context<'_>, family: Carried, why: TooMany) {
        self.environment
            .log
            .write(LogClass::Error, format_args!("Channel {family} refused: {why}"));
        let misc = match why {
            TooMany::Sources { .. } => Misc::TooManySources,
            TooMany::Members { .. } => Misc::TooManyMembers,
        };
        let cease = Notification::cease(Cease::OutOfResources, "");
        self.drive(cx, |fsm, now, _, actions| {
            fsm.fail(now, &cease, LastError::Misc(misc), actions);
        });
    }

    pub(super) fn interfaces_changed(
        &mut self,
        cx: &mut Context<'_>,
        interfaces: std::sync::Arc<dunlin_core::interfaces::Interfaces>,
    ) {
        let was_near = self.neighbor_is_near();
        self.environment.interfaces = interfaces;
        let is_near = self.neighbor_is_near();
        if let Some(neighbor) = self.neighbor().filter(|_| was_near != is_near) {
            let reached = if is_near { "can be reached" } else { "cannot be reached" };
            let text = format_args!("Interfaces changed, neighbor {neighbor} {reached} directly");
            self.environment.log.trace(DebugFlags::INTERFACES, text);
        }
        if is_near {
            return self.begin(cx);
        }
        if self.fsm.is_down() || self.neighbor().is_none() {
            return;
        }
        let cease = Notification::cease(Cease::AdministrativeShutdown, "");
        self.drive(cx, |fsm, _, _, actions| {
            fsm.stop(&cease, actions);
            fsm.note_error(LastError::Misc(Misc::NeighborLost));
        });
    }

    pub(super) fn stop_session(&mut self, cx: &mut Context<'_>, reason: &StopReason) {
        if self.stopping {
            return;
        }
        let message = reason.message.as_deref().unwrap_or("");
        let cease = match reason.cause {
            StopCause::Removed | StopCause::Disabled => Cease::PeerDeconfigured,
            StopCause::Reconfigured => Cease::ConfigurationChange,
            StopCause::CommandDisable | StopCause::Shutdown => Cease::AdministrativeShutdown,
            StopCause::CommandRestart => Cease::AdministrativeReset,
            StopCause::Automatic => self.limit_cease.unwrap_or(Cease::AdministrativeShutdown),
        };
        let cease = Notification::cease(cease, message);
        let limited = self.limit_cease.is_some();
        self.drive(cx, |fsm, _, _, actions| {
            fsm.stop(&cease, actions);
            if limited {
                fsm.note_error(LastError::RouteLimit);
            }
        });
        self.stopping = true;
        self.changed = true;
        self.end_place();
        self.finish_when_done(cx);
    }

    /// The routes of an incarnation have left all tables.
    pub(super) fn flushed(&mut self, cx: &mut Context<'_>) {
        self.flushing = self.flushing.saturating_sub(1);
        self.finish_when_done(cx);
    }

    /// Ends the loop when it is to end, no route of its is left and the neighbour knows.
    pub(super) fn finish_when_done(&mut self, cx: &mut Context<'_>) {
        if self.stopping && self.flushing == 0 && self.parting.is_empty() {
            self.finish(cx);
        }
    }

    fn finish(&mut self, cx: &mut Context<'_>) {
        self.changed = false;
        let error = self.error_text();
        self.environment.reporter.info(error);
        self.stop_waiting();
        self.environment.reporter.state(ProtocolState::Down);
        cx.stop_self();
    }

    // --- Reports

    /// Tells the manager how things are, if that has changed.
    pub(super) fn report(&mut self) {
        let error = self.fsm.last_error().cloned();
        self.log_received(error.as_ref());
        let state = self.fsm.state();
        let protocol = match (self.stopping, state) {
            (true, _) => ProtocolState::Flush,
            (false, State::Established) => ProtocolState::Up,
            (false, _) => ProtocolState::Start,
        };
        let passive = self.fsm.is_passive_wait() || self.neighbor().is_none();
        let now = (protocol, state, passive, error);
        if self.reported.as_ref() == Some(&now) {
            return;
        }
        let name = if passive { "Passive" } else { state.name() };
        let error = now.3.as_ref().map(ToString::to_string).unwrap_or_default();
        let reporter = &self.environment.reporter;
        if self.reported.as_ref().is_none_or(|before| before.0 != protocol) {
            reporter.state(protocol);
        }
        reporter.info(format!("{name:<14}{error}"));
        self.trace_state(name);
        self.reported = Some(now);
        self.remove_child();
    }

    fn trace_state(&self, name: &str) {
        let trace = format_args!("State changed to {name}");
        self.environment.log.trace(DebugFlags::STATES, trace);
    }

    fn log_received(&self, error: Option<&LastError>) {
        let known = self.reported.as_ref().and_then(|before| before.3.as_ref());
        if let (Some(LastError::Received(notification)), true) = (error, error != known) {
            self.log_notification("Received", notification);
        }
    }

    /// A session out of a range ends with its connection.
    pub(super) fn remove_child(&mut self) {
        let idle = self.fsm.state() == State::Idle;
        if self.is_child() && idle && !self.stopping && !self.removing {
            self.removing = true;
            self.end_place();
            self.ask(Automatic::Disable, self.error_text());
        }
    }
}

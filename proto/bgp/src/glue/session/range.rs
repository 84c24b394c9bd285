//! Neighbours out of a range: each gets a session of its own, one at a time.
//!
//! The session of the range keeps a place for each neighbour that has a session or is getting one.
//! A connection that comes too early, because the session before has not left the tables yet, waits
//! in that place and gets the next session as soon as the place is given back.

use core::net::IpAddr;
use std::sync::Arc;

use dunlin_core::log::LogClass;
use dunlin_core::protocol::{Child, InstanceEvent};
use dunlin_runtime::{Address, Class, Context, OwnedSocket, Stopped};

use super::receive::Brought;
use super::{Session, SessionMessage, Side};
use crate::config::{BgpConfig, Remote};
use crate::glue::listener::ListenerMessage;

/// Reads after which a connection that still brings something, though less than there is room for, is not
/// at its end.
const MOST_READS: u32 = 8;

/// The place of a neighbour in its range. Given back when it is dropped, whoever drops it: the
/// session when it is gone, or the manager if it refuses to start one.
pub(crate) struct Claim {
    range: Address<SessionMessage>,
    neighbor: IpAddr,
}

impl Claim {
    fn say(&self, what: PlaceEvent) {
        // A range that is gone takes no connections.
        let _ = self.range.send(Class::Control, SessionMessage::Place(self.neighbor, what));
    }

    /// A connection that the session can't take.
    fn hand_back(&self, socket: OwnedSocket) {
        let message = SessionMessage::Incoming(socket, self.neighbor);
        // As above.
        let _ = self.range.send(Class::Control, message);
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.say(PlaceEvent::Free);
    }
}

/// What a session out of a range begins with.
pub(crate) struct Accepted {
    pub(super) socket: OwnedSocket,
    pub(super) claim: Claim,
}

/// What becomes of a neighbour's session, for its range.
pub(crate) enum PlaceEvent {
    /// It runs, and takes connections.
    Runs(Address<SessionMessage>),
    /// It is on its way out, and takes none.
    Ends,
    /// It is gone, or was never started.
    Free,
}

/// A neighbour that has a session or is getting one.
pub(super) struct Place {
    neighbor: IpAddr,
    /// The session, as long as it takes connections.
    session: Option<Address<SessionMessage>>,
    /// A connection that came too early.
    waiting: Option<OwnedSocket>,
}

// What the session of the range does.
impl Session {
    /// Somebody out of the range connected, or a session could not take a connection any more.
    pub(super) fn range_connection(
        &mut self,
        cx: &Context<'_>,
        socket: OwnedSocket,
        neighbor: IpAddr,
    ) {
        let place = self.places.iter_mut().find(|place| place.neighbor == neighbor);
        let Some(place) = place else { return self.spawn_child(socket, neighbor) };
        let socket = match &place.session {
            None => socket,
            // It has just begun to take connections, or has just ended.
            Some(session) => {
                match session.send(Class::Control, SessionMessage::Incoming(socket, neighbor)) {
                    Err(Stopped(SessionMessage::Incoming(socket, _))) => socket,
                    _ => return,
                }
            }
        };
        if place.waiting.replace(socket).is_some() {
            self.say_dropped(cx, neighbor, "a later one came before its session could begin");
        }
    }

    /// Asks for a session for a neighbour.
    fn spawn_child(&mut self, socket: OwnedSocket, neighbor: IpAddr) {
        self.places.push(Place { neighbor, session: None, waiting: None });
        let bgp = BgpConfig { remote: Remote::Address(neighbor), ..(*self.bgp).clone() };
        let mut config = (*self.config).clone();
        config.name = Arc::clone(&self.bgp.dynamic_name);
        config.specific = Arc::new(bgp);
        let claim = Claim { range: self.own.clone(), neighbor };
        let payload = Box::new(Accepted { socket, claim });
        let child = Child { config, digits: self.bgp.dynamic_digits, payload };
        self.environment.reporter.report(InstanceEvent::Child(Box::new(child)));
    }

    pub(super) fn place_event(&mut self, neighbor: IpAddr, event: PlaceEvent) {
        let Some(at) = self.places.iter().position(|place| place.neighbor == neighbor) else {
            return;
        };
        match (event, self.places.get_mut(at)) {
            (PlaceEvent::Free, _) => {
                let place = self.places.swap_remove(at);
                if let (false, Some(socket)) = (self.stopping, place.waiting) {
                    self.spawn_child(socket, neighbor);
                }
            }
            (PlaceEvent::Ends, Some(place)) => place.session = None,
            (PlaceEvent::Runs(session), Some(place)) => {
                // The session decides: it knows whether its own connection still is one.
                if let Some(socket) = place.waiting.take() {
                    // If it has stopped, the place is free in a moment; the neighbour tries again.
                    let _ =
                        session.send(Class::Control, SessionMessage::Incoming(socket, neighbor));
                }
                place.session = Some(session);
            }
            (_, None) => {}
        }
    }

    fn say_dropped(&mut self, cx: &Context<'_>, neighbor: IpAddr, why: &str) {
        if self.refusals.allow(cx.now()) {
            let text = format_args!("Connection from {neighbor} dropped: {why}");
            self.environment.log.write(LogClass::Info, text);
        }
    }
}

// What the session of such a neighbour does.
impl Session {
    /// Tells the range that the neighbour's connections are taken here.
    pub(super) fn claim_place(&mut self, claim: Claim) {
        claim.say(PlaceEvent::Runs(self.own.clone()));
        self.claim = Some(claim);
    }

    /// Tells the range that they are not any more.
    pub(super) fn end_place(&mut self) {
        let Some(claim) = &self.claim else { return };
        claim.say(PlaceEvent::Ends);
        if let Some(socket) = self.early.take() {
            claim.hand_back(socket);
        }
        if let Some(lease) = &self.lease {
            let leave = ListenerMessage::Leave(self.own.clone());
            // Without a listener nobody connects any more.
            let _ = lease.listener().send(Class::Control, leave);
        }
    }

    /// The neighbour has connected again.
    pub(super) fn child_connection(&mut self, cx: &mut Context<'_>, socket: OwnedSocket) {
        match &self.claim {
            Some(claim) if self.stopping || self.removing => claim.hand_back(socket),
            _ if self.incoming.is_none() => self.incoming_connection(cx, socket),
            _ => {
                if self.early.replace(socket).is_some() {
                    self.say_twice(cx);
                }
                self.look_at_early(cx);
            }
        }
    }

    /// Looks for the end of the connection that is there, if there is another one.
    pub(super) fn look_at_early(&mut self, cx: &mut Context<'_>) {
        if self.early.is_some() && self.may_read() {
            let brought = self.receive(cx, Side::Incoming);
            self.decide_early(cx, brought);
        }
    }

    /// The neighbour has connected though it is connected: perhaps it has closed that connection,
    /// and we have yet to read so far. `brought`: by a read of just now.
    pub(super) fn decide_early(&mut self, cx: &mut Context<'_>, mut brought: Brought) {
        if self.early.is_none() {
            return;
        }
        // What comes behind is the end, or nothing as yet; or it is still being sent, for some reads.
        let mut reads = 0;
        while brought == Brought::All && reads < MOST_READS && self.may_read() {
            brought = self.receive(cx, Side::Incoming);
            reads += 1;
        }
        // If this is the end the place is given back, and the new connection with it.
        self.remove_child();
        let alive = brought == Brought::Nothing || reads == MOST_READS;
        if alive && self.early.take().is_some() {
            self.say_twice(cx);
        }
    }

    /// Not past the credit.
    fn may_read(&self) -> bool {
        self.incoming.as_ref().is_some_and(|link| !link.paused)
    }

    fn say_twice(&mut self, cx: &Context<'_>) {
        if let Some(neighbor) = self.neighbor() {
            self.say_dropped(cx, neighbor, "there is one already");
        }
    }
}

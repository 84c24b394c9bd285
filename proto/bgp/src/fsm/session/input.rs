//! What sockets and messages do to a session.

use core::time::Duration;

use dunlin_runtime::Time;

use super::super::connection::{Connection, Live, Side};
use super::super::error::LastError;
use super::super::negotiate::Agreed;
use super::{Action, Actions, Fsm, Message, Phase, State};
use crate::wire::notification::code;
use crate::wire::{Cease, Notification, Open};

impl Fsm {
    /// The outgoing connection is there.
    pub fn connected(&mut self, now: Time, actions: &mut Actions) {
        if matches!(self.outgoing, Connection::Connect { .. }) {
            self.send_open(Side::Outgoing, now, actions);
        }
    }

    /// The outgoing connection failed; `error` is the system's text.
    pub fn connect_failed(&mut self, now: Time, random: u64, error: &str, actions: &mut Actions) {
        if matches!(self.outgoing, Connection::Connect { .. }) {
            self.last_error = Some(LastError::Socket(error.into()));
            self.outgoing = Connection::Idle;
            self.after_loss(now, random, false, actions);
        }
    }

    /// The neighbour connected. `false`: no connection is wanted now, and it is to be closed.
    #[must_use]
    pub fn accepted(&mut self, now: Time, actions: &mut Actions) -> bool {
        let wanted = self.phase == Phase::Running && self.incoming.state() == State::Idle;
        if wanted {
            self.send_open(Side::Incoming, now, actions);
        }
        wanted
    }

    fn send_open(&mut self, side: Side, now: Time, actions: &mut Actions) {
        let hold = self.settings.timers.startup_hold;
        let hold_at = (!hold.is_zero()).then(|| now + hold);
        *self.connection_mut(side) = Connection::OpenSent { hold_at };
        actions.push(Action::Send(side, Message::Open(Box::new(self.our_open()))));
    }

    /// Bytes arrived at `when`. To be called before they are looked at.
    pub fn heard(&mut self, side: Side, when: Time) {
        if let Some(live) = self.connection_mut(side).live_mut() {
            live.heard = live.heard.max(when);
            live.asked = false;
        }
    }

    /// The system took bytes of ours.
    pub fn sent(&mut self, side: Side, now: Time) {
        if let Some(live) = self.connection_mut(side).live_mut() {
            live.sent = now;
        }
    }

    /// An OPEN came.
    pub fn open(&mut self, side: Side, open: Open, now: Time, random: u64, actions: &mut Actions) {
        match self.connection(side).state() {
            State::OpenSent => {}
            State::Idle | State::Active | State::Connect => return,
            state @ (State::OpenConfirm | State::Established) => {
                return self.unexpected(now, side, state, actions);
            }
        }
        let ours = self.our_open();
        let agreed = match self.settings.agree(&open, &ours.capabilities) {
            Ok(agreed) => agreed,
            Err(error) => return self.protocol_error(now, side, error, actions),
        };
        if !self.survives(side, &agreed, actions) {
            return self.after_loss(now, random, false, actions);
        }
        let live = Live {
            open,
            agreed,
            heard: now,
            sent: now,
            asked: false,
            // The first KEEPALIVE confirms the OPEN; it is sent at once.
            keepalive_at: Some(now),
        };
        *self.connection_mut(side) = Connection::OpenConfirm(Box::new(live));
        self.keepalive(side, now, random, actions);
    }

    /// Decides between two connections (RFC 4271 6.8, RFC 6286). Ends the one that loses; `false`
    /// if that is this one.
    fn survives(&mut self, side: Side, agreed: &Agreed, actions: &mut Actions) -> bool {
        let cease = Notification::cease(Cease::Collision, "");
        let this_wins = match self.connection(side.other()).state() {
            State::Idle | State::Active | State::Connect | State::OpenSent => return true,
            State::OpenConfirm => {
                let ours = (self.settings.router_id, self.settings.local_as);
                let theirs = (agreed.neighbor_id, agreed.neighbor_as);
                // The connection that the higher one opened is kept.
                (ours < theirs) == (side == Side::Incoming)
            }
            State::Established => false,
        };
        let loser = if this_wins { side.other() } else { side };
        self.end_connection(loser, &cease, actions);
        this_wins
    }

    /// A KEEPALIVE came.
    pub fn keepalive_received(&mut self, side: Side, now: Time, actions: &mut Actions) {
        match core::mem::take(self.connection_mut(side)) {
            Connection::OpenConfirm(live) => self.establish(side, live, actions),
            Connection::OpenSent { hold_at } => {
                *self.connection_mut(side) = Connection::OpenSent { hold_at };
                self.unexpected(now, side, State::OpenSent, actions);
            }
            other => *self.connection_mut(side) = other,
        }
    }

    /// An UPDATE or a ROUTE-REFRESH came. `true`: it is to be looked at.
    #[must_use]
    pub fn update_received(&mut self, side: Side, now: Time, actions: &mut Actions) -> bool {
        match self.connection(side).state() {
            State::Established => return true,
            state @ (State::OpenSent | State::OpenConfirm) => {
                self.unexpected(now, side, state, actions);
            }
            State::Idle | State::Active | State::Connect => {}
        }
        false
    }

    fn unexpected(&mut self, now: Time, side: Side, state: State, actions: &mut Actions) {
        let subcode = match state {
            State::OpenSent => 1,
            State::OpenConfirm => 2,
            State::Established => 3,
            State::Idle | State::Active | State::Connect => 0,
        };
        self.protocol_error(now, side, Notification::new(code::FSM, subcode), actions);
    }

    /// Something came that the wire code refuses.
    pub fn malformed(&mut self, side: Side, error: Notification, now: Time, actions: &mut Actions) {
        if self.connection(side).is_open() {
            self.protocol_error(now, side, error, actions);
        }
    }

    /// A NOTIFICATION came.
    pub fn notification(
        &mut self,
        side: Side,
        notification: Notification,
        now: Time,
        random: u64,
        actions: &mut Actions,
    ) {
        let connection = core::mem::take(self.connection_mut(side));
        if !connection.is_open() {
            *self.connection_mut(side) = connection;
            return;
        }
        actions.push(Action::Close(side));
        if self.is_beside(side) {
            return;
        }
        let lost = connection.state() == State::Established;
        let (code, subcode) = (notification.code, notification.subcode);
        self.last_error = Some(LastError::Received(notification));
        if code == code::CEASE {
            self.ceased(subcode, lost, now, random, actions);
        } else if self.falls_back(code, subcode, connection.state()) {
            self.without_capabilities = true;
            self.after_loss(now, random, lost, actions);
        } else {
            self.refused(lost, side, now, actions);
        }
    }

    /// Whether the neighbour only can't read capabilities (RFC 5492 section 3).
    fn falls_back(&self, code: u8, subcode: u8, state: State) -> bool {
        self.settings.capability_fallback
            && !self.without_capabilities
            && (code, subcode) == (code::OPEN, 4)
            && state == State::OpenSent
    }

    fn ceased(&mut self, subcode: u8, lost: bool, now: Time, random: u64, actions: &mut Actions) {
        if self.settings.disable_after_cease.contains(subcode) {
            let cease = Notification::new(code::CEASE, 0);
            self.end_connection(Side::Outgoing, &cease, actions);
            self.end_connection(Side::Incoming, &cease, actions);
            if lost {
                actions.push(Action::Lost);
            }
            return self.disable(actions);
        }
        self.after_loss(now, random, lost, actions);
    }

    fn refused(&mut self, lost: bool, side: Side, now: Time, actions: &mut Actions) {
        let other = self.end_connection(side.other(), &Notification::new(code::CEASE, 0), actions);
        if lost || other {
            actions.push(Action::Lost);
        }
        self.wait_after_error(now, actions);
    }

    /// The connection was closed by the neighbour (`None`) or broke.
    pub fn closed(
        &mut self,
        side: Side,
        error: Option<&str>,
        now: Time,
        random: u64,
        actions: &mut Actions,
    ) {
        let connection = core::mem::take(self.connection_mut(side));
        if !connection.is_open() {
            *self.connection_mut(side) = connection;
            return;
        }
        actions.push(Action::Close(side));
        if self.is_beside(side) {
            return;
        }
        let text = error.unwrap_or("Connection closed");
        self.last_error = Some(LastError::Socket(text.into()));
        let lost = connection.state() == State::Established;
        self.after_loss(now, random, lost, actions);
    }

    /// How long the neighbour has been silent, for logs.
    pub fn silence(&self, side: Side, now: Time) -> Duration {
        self.connection(side).live().map_or(Duration::ZERO, |live| now.since(live.heard))
    }
}

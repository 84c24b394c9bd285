//! From bytes to routes.

use std::io::ErrorKind;

use dunlin_attr::{AttrCache, BgpNextHop, Canonical};
use dunlin_core::config::DebugFlags;
use dunlin_core::interfaces::{Interfaces, is_link_local};
use dunlin_core::log::LogClass;
use dunlin_core::protocol::ProtocolLog;
use dunlin_rib::Resolve;
use dunlin_rib::counters::ImportDelta;
use dunlin_rib::import::SESSION;
use dunlin_runtime::{Context, Time};

use super::channel::{Channel, Up};
use super::link::Link;
use super::{Session, Side};
use crate::fsm::State;
use crate::wire::decode::{Announced, Decoder, Update, Verdict};
use crate::wire::frame::{self, Type};
use crate::wire::next_hop::NextHop;
use crate::wire::problem::Problem;
use crate::wire::refresh::Kind;
use crate::wire::{Frame, Framed, Notification, Open, RouteRefresh};

/// Bytes read in one go. What they hold is parsed and handed to the slices in one handler, so more
/// would only make others wait longer.
const READ: usize = 64 * 1024;
/// Sets that a session remembers; sized for a burst.
const CACHED_SETS: usize = 64;

/// What a read has brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Brought {
    /// Nothing; the connection may be at its end.
    Nothing,
    /// All that had come. Behind it may be the end.
    All,
    /// As much as there was room for.
    Full,
}

impl Session {
    /// Reads once.
    pub(super) fn receive(&mut self, cx: &mut Context<'_>, side: Side) -> Brought {
        let Some(link) = self.link_mut(side) else { return Brought::Nothing };
        let mut buffer = cx.take_read_buffer();
        let partial = core::mem::take(&mut link.partial);
        let socket = link.socket;
        let known = partial.len();
        if buffer.len() < known + READ {
            buffer.resize(known + READ, 0);
        }
        if let Some(head) = buffer.get_mut(..known) {
            head.copy_from_slice(&partial);
        }
        let place = buffer.get_mut(known..known + READ).unwrap_or_default();
        let result = cx.read(socket, place);
        let brought = match result {
            Ok(0) | Err(_) => Brought::Nothing,
            Ok(count) if count < READ => Brought::All,
            Ok(_) => Brought::Full,
        };
        match result {
            Ok(0) => self.lost(cx, side, None),
            Ok(count) => {
                self.fsm.heard(side, cx.now());
                self.burst(cx, side, buffer.get(..known + count).unwrap_or_default());
            }
            Err(error)
                if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) =>
            {
                if let Some(link) = self.link_mut(side) {
                    link.partial = partial;
                }
            }
            Err(error) => self.lost(cx, side, Some(&system_text(&error))),
        }
        cx.put_read_buffer(buffer);
        brought
    }

    fn lost(&mut self, cx: &mut Context<'_>, side: Side, error: Option<&str>) {
        self.drive(cx, |fsm, now, random, actions| fsm.closed(side, error, now, random, actions));
    }

    /// Looks at all messages of one read, then hands what they say to the slices at once.
    fn burst(&mut self, cx: &mut Context<'_>, side: Side, bytes: &[u8]) {
        let mut decoder = None;
        let mut rest = bytes;
        loop {
            if self.link(side).is_none() {
                // The session ended over a message; nobody wants the rest.
                break;
            }
            match frame::next(rest, self.takes_long_messages(side)) {
                Framed::Message(frame) => {
                    rest = rest.get(frame.length()..).unwrap_or_default();
                    self.frame(cx, side, frame, &mut decoder);
                }
                Framed::Partial(_) => {
                    if let Some(link) = self.link_mut(side) {
                        link.partial.extend_from_slice(rest);
                    }
                    break;
                }
                Framed::Error(error) => {
                    self.malformed(cx, side, error);
                    break;
                }
            }
        }
        self.hand_over(cx, side);
    }

    fn takes_long_messages(&self, side: Side) -> bool {
        match &self.up {
            Some(up) if up.side == side => up.agreed.extended_message,
            _ => self.fsm.agreed(side).is_some_and(|(agreed, _)| agreed.extended_message),
        }
    }

    fn malformed(&mut self, cx: &mut Context<'_>, side: Side, error: Notification) {
        self.drive(cx, |fsm, now, _, actions| fsm.malformed(side, error, now, actions));
    }

    fn frame(
        &mut self,
        cx: &mut Context<'_>,
        side: Side,
        frame: Frame<'_>,
        decoder: &mut Option<Decoder>,
    ) {
        let trace = format_args!("Got {}, {} bytes", frame.kind.name(), frame.length());
        self.environment.log.trace(DebugFlags::PACKETS, trace);
        match frame.kind {
            Type::Update => self.update(cx, side, frame.body, decoder),
            Type::Keepalive => self.drive(cx, |fsm, now, _, actions| {
                fsm.keepalive_received(side, now, actions);
            }),
            Type::Open => match Open::decode(frame.body) {
                Ok(open) => self.drive(cx, |fsm, now, random, actions| {
                    fsm.open(side, open, now, random, actions);
                }),
                Err(error) => self.malformed(cx, side, error),
            },
            Type::Notification => {
                // The frame has room for code and subcode.
                let Some(notification) = Notification::decode(frame.body) else { return };
                self.drive(cx, |fsm, now, random, actions| {
                    fsm.notification(side, notification, now, random, actions);
                });
            }
            Type::RouteRefresh => self.route_refresh(cx, side, frame.body),
        }
    }

    fn update(
        &mut self,
        cx: &mut Context<'_>,
        side: Side,
        body: &[u8],
        decoder: &mut Option<Decoder>,
    ) {
        let established = self.up.as_ref().is_some_and(|up| up.side == side);
        if !established {
            let mut wanted = false;
            self.drive(cx, |fsm, now, _, actions| {
                wanted = fsm.update_received(side, now, actions);
            });
            return;
        }
        let Some(up) = &mut self.up else { return };
        let decoder = decoder.get_or_insert_default();
        let around = Around {
            log: &self.environment.log,
            interfaces: &self.environment.interfaces,
            now: cx.now(),
        };
        match decoder.decode(body, &up.rules) {
            Ok(update) => up.take_update(&update, &around),
            Err(error) => self.malformed(cx, side, error),
        }
    }

    /// Gives the slices what this read brought, and stops reading if that was too much.
    fn hand_over(&mut self, cx: &mut Context<'_>, side: Side) {
        let Some(up) = &mut self.up else { return };
        for channel in &mut up.channels {
            channel.builder.flush();
        }
        let full = up.side == side && up.credit.wait_if_full(SESSION, cx.now());
        if let (true, Some(link)) = (full, self.link_mut(side)) {
            link.paused = true;
            link.update_interest(cx);
        }
    }

    /// Slices have worked off enough: goes on reading.
    pub(super) fn resume(&mut self, cx: &mut Context<'_>) {
        for link in [&mut self.outgoing, &mut self.incoming].into_iter().flatten() {
            Link::resume(link, cx);
        }
        self.look_at_early(cx);
    }

    fn route_refresh(&mut self, cx: &mut Context<'_>, side: Side, body: &[u8]) {
        let mut wanted = false;
        self.drive(cx, |fsm, now, _, actions| wanted = fsm.update_received(side, now, actions));
        if !wanted {
            return;
        }
        let refresh = match RouteRefresh::decode(body) {
            Ok(Some(refresh)) => refresh,
            Ok(None) => return,
            Err(error) => return self.malformed(cx, side, error),
        };
        self.environment
            .log
            .trace(DebugFlags::EVENTS, format_args!("Got route refresh for {}", refresh.family));
        let family = refresh.family.carried().filter(|_| refresh.kind == Kind::Request);
        if let Some(family) = family {
            self.send_again(family);
        }
    }

    /// The state machine asks whether a silent neighbour really is: looks into the socket.
    pub(super) fn look_for_bytes(&mut self, cx: &mut Context<'_>, side: Side) {
        let brought = self.receive(cx, side);
        if brought == Brought::Nothing && self.fsm.side_state(side) >= State::OpenConfirm {
            self.drive(cx, |fsm, now, _, actions| fsm.silent(side, None, now, actions));
        }
    }
}

impl Link {
    fn resume(link: &mut Self, cx: &mut Context<'_>) {
        link.paused = false;
        link.update_interest(cx);
    }
}

/// What an UPDATE is looked at with.
struct Around<'a> {
    log: &'a ProtocolLog,
    interfaces: &'a Interfaces,
    now: Time,
}

impl Up {
    /// Puts an UPDATE's routes into the batches.
    fn take_update(&mut self, update: &Update<'_>, around: &Around<'_>) {
        for nlri in update.withdrawn.iter().filter(|nlri| !nlri.is_empty()) {
            if let Some(channel) = self.channel_mut(nlri.family()) {
                channel.builder.withdraw(*nlri);
            }
        }
        let withdraw = match update.verdict {
            Verdict::Ok => false,
            Verdict::AttributeDiscard(problem) => {
                let text = format_args!("Attribute left out: {problem}");
                around.log.trace(DebugFlags::PACKETS, text);
                false
            }
            Verdict::TreatAsWithdraw(problem) => {
                self.complain(problem, around);
                true
            }
        };
        for part in update.announced.iter().filter(|part| !part.nlri.is_empty()) {
            if withdraw || !self.announce(part, update.attributes, around) {
                self.refuse(part);
            }
        }
        if let Some(family) = update.end_of_rib {
            around.log.trace(DebugFlags::EVENTS, format_args!("Got END-OF-RIB for {family}"));
        }
    }

    /// Says what is wrong, though not as often as a neighbour can make mistakes.
    fn complain(&mut self, problem: Problem, around: &Around<'_>) {
        if !problem.is_loop() && self.complaints.allow(around.now) {
            let text = format_args!("Routes treated as withdrawn: {problem}");
            around.log.write(LogClass::Remote, text);
        }
    }

    /// `false`: the routes can't be used.
    fn announce(&mut self, part: &Announced<'_>, wire: &[u8], around: &Around<'_>) -> bool {
        let family = part.nlri.family();
        let Some(next_hop) = part.next_hop else { return false };
        let Some(index) = self.channels.iter().position(|channel| channel.family == family) else {
            return true;
        };
        let Some(channel) = self.channels.get(index) else { return true };
        if !self.hop_is_usable(channel, next_hop, around.interfaces) {
            self.complain(Problem::NextHop, around);
            return false;
        }
        let cache = self.cache.get_or_insert_with(|| AttrCache::new(CACHED_SETS));
        let Some(channel) = self.channels.get_mut(index) else { return true };
        let canonical = Canonical {
            wire,
            next_hop: BgpNextHop { global: next_hop.global, link_local: next_hop.link_local },
            preference: channel.preference,
        };
        let Ok(attrs) = cache.from_canonical(&canonical) else { return false };
        channel.builder.announce(part.nlri, &attrs);
        true
    }

    /// A next hop that is ours would lead back to us. Where next hops are taken to be on a connected
    /// network, they have to be (RFC 4271 6.3).
    fn hop_is_usable(&self, channel: &Channel, hop: NextHop, interfaces: &Interfaces) -> bool {
        if Some(hop.global) == self.local {
            return false;
        }
        let direct = matches!(channel.source.resolve, Resolve::Direct { .. });
        // A link-local address is on the link that the session is on.
        if !direct || hop.global.is_unspecified() || is_link_local(hop.global) {
            return true;
        }
        // The usual next hop is the neighbour itself, which was found when the session began.
        Some(hop.global) == self.neighbor
            || (interfaces.towards(hop.global).is_some() && !interfaces.is_local(hop.global))
    }

    /// Treats announced routes as withdrawn.
    fn refuse(&mut self, part: &Announced<'_>) {
        let Some(channel) = self.channel_mut(part.nlri.family()) else { return };
        channel.builder.withdraw(part.nlri);
        let count = u64::from(part.nlri.len());
        let refused = ImportDelta {
            updates_received: count,
            updates_rejected: count,
            ..ImportDelta::default()
        };
        channel.source.counters.add(&refused);
    }
}

/// The system's text for an error, without the number that Rust puts behind it.
pub(crate) fn system_text(error: &std::io::Error) -> String {
    let text = error.to_string();
    match text.find(" (os error") {
        Some(at) => text.get(..at).unwrap_or_default().to_owned(),
        None => text,
    }
}

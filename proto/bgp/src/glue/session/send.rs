//! Control messages and the logs of export groups, onto the wire.
//!
//! Several streams share a connection: control messages and one log per channel. They may only
//! change places between messages. So whenever the socket takes part of a message, the rest of
//! that message moves to the front of the control buffer, and the logs always stand at a boundary.

use std::io::{ErrorKind, IoSlice};
use std::sync::Arc;

use dunlin_core::config::DebugFlags;
use dunlin_rib::chunk::Chunk;
use dunlin_rib::egress::EgressMessage;
use dunlin_runtime::Context;

use super::channel::Channel;
use super::export::Membership;
use super::receive::system_text;
use super::{Session, Side, Ticket};

/// Pieces handed to the system in one call.
const PIECES: usize = 64;
/// Calls in one handler, so that others get their turn.
const CALLS: usize = 8;

/// How far one call came.
enum Sent {
    /// There is nothing more to send.
    All,
    /// The socket took it; there is more.
    Some,
    /// The socket is full.
    Blocked,
    /// The connection is broken.
    Broken(String),
}

impl Session {
    /// Sends on all connections.
    pub(super) fn send_all(&mut self, cx: &mut Context<'_>) {
        for side in [Side::Outgoing, Side::Incoming] {
            self.send(cx, side);
        }
    }

    /// Sends what there is, as long as the socket and good manners allow.
    pub(super) fn send(&mut self, cx: &mut Context<'_>, side: Side) {
        for _ in 0..CALLS {
            match self.send_once(cx, side) {
                Sent::All => return self.set_blocked(cx, side, false),
                Sent::Some => {}
                Sent::Blocked => return self.set_blocked(cx, side, true),
                Sent::Broken(error) => {
                    return self.drive(cx, |fsm, now, random, actions| {
                        fsm.closed(side, Some(&error), now, random, actions);
                    });
                }
            }
            if cx.over_budget() {
                break;
            }
        }
        if let Some(handles) = self.handles {
            cx.schedule(handles.flush);
        }
    }

    fn set_blocked(&mut self, cx: &mut Context<'_>, side: Side, blocked: bool) {
        if let Some(link) = self.link_mut(side) {
            link.blocked = blocked;
            link.update_interest(cx);
        }
    }

    fn send_once(&mut self, cx: &mut Context<'_>, side: Side) -> Sent {
        let up = self.up.as_deref_mut().filter(|up| up.side == side);
        let link = match side {
            Side::Outgoing => self.outgoing.as_mut(),
            Side::Incoming => self.incoming.as_mut(),
        };
        let Some(link) = link.filter(|link| !link.connecting) else { return Sent::All };
        let up = up.filter(|_| !link.farewell);
        let channels = up.map_or(&mut [][..], |up| &mut up.channels);
        let Some(plan) = Plan::make(&link.out, channels) else { return Sent::All };
        let result = cx.write_vectored(link.socket, &plan.pieces);
        let written = match result {
            Ok(written) => written,
            Err(error)
                if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) =>
            {
                return Sent::Blocked;
            }
            Err(error) => return Sent::Broken(system_text(&error)),
        };
        let wanted = plan.length();
        let outcome = plan.outcome(written);
        let control = written.min(link.out.len());
        link.out.drain(..control);
        link.out.extend_from_slice(&outcome.rest);
        for (channel, taken) in channels.iter_mut().zip(outcome.taken) {
            channel.writing_mut().advance(taken);
        }
        if written > 0 {
            let trace = format_args!("Sent {written} bytes");
            self.environment.log.trace(DebugFlags::PACKETS, trace);
            self.fsm.sent(side, cx.now());
        }
        if written < wanted { Sent::Blocked } else { Sent::Some }
    }

    /// More of a group's log.
    pub(super) fn append(&mut self, cx: &mut Context<'_>, ticket: Ticket, chunk: Arc<Chunk>) {
        let Some(membership) = self.membership(ticket) else { return };
        membership.push(chunk);
        // At the end of the turn, together with what else comes.
        if let Some(handles) = self.handles {
            cx.schedule(handles.flush);
        }
    }

    /// We are too slow for the log: gives back what hasn't been begun.
    pub(super) fn detach(&mut self, ticket: Ticket) {
        if let Some(membership) = self.membership(ticket) {
            membership.detach();
        }
    }

    fn membership(&mut self, ticket: Ticket) -> Option<&mut Membership> {
        self.up.as_deref_mut()?.channel_mut(ticket.family)?.membership(ticket.join)
    }
}

/// What one call offers to the system: control bytes, then some of each channel's log.
struct Plan<'a> {
    pieces: Vec<IoSlice<'a>>,
    control: usize,
    /// Where each channel's pieces end.
    ends: [usize; 2],
}

/// What became of a plan.
#[derive(Default)]
struct Outcome {
    /// The octets that each channel's log is done with.
    taken: [usize; 2],
    /// The rest of a message that the system has the beginning of.
    rest: Vec<u8>,
}

impl<'a> Plan<'a> {
    /// `None` if there is nothing to send.
    fn make(out: &'a [u8], channels: &'a [Channel]) -> Option<Self> {
        let mut pieces = Vec::with_capacity(8);
        if !out.is_empty() {
            pieces.push(IoSlice::new(out));
        }
        let mut ends = [pieces.len(); 2];
        for (index, channel) in channels.iter().enumerate() {
            if let Some(reader) = channel.writing().reader() {
                let most = (pieces.len() + PIECES / 2).min(PIECES);
                reader.gather(&mut pieces, most);
            }
            for end in ends.iter_mut().skip(index) {
                *end = pieces.len();
            }
        }
        (!pieces.is_empty()).then_some(Self { pieces, control: out.len(), ends })
    }

    fn length(&self) -> usize {
        self.pieces.iter().map(|piece| piece.len()).sum()
    }

    /// The system took the first `written` octets.
    fn outcome(&self, written: usize) -> Outcome {
        let mut outcome = Outcome::default();
        let Some(mut left) = written.checked_sub(self.control) else { return outcome };
        let first = usize::from(self.control > 0);
        for (index, piece) in self.pieces.iter().enumerate().skip(first) {
            if left == 0 {
                break;
            }
            let step = left.min(piece.len());
            left -= step;
            let boundary = boundary_after(piece, step);
            outcome.rest.extend_from_slice(piece.get(step..boundary).unwrap_or_default());
            let channel = usize::from(index >= self.ends[0]);
            outcome.taken[channel] += boundary;
        }
        outcome
    }
}

/// The first message boundary at or after `offset` in a run of whole messages.
fn boundary_after(run: &[u8], offset: usize) -> usize {
    if offset == run.len() {
        return offset;
    }
    let mut at = 0;
    while at < offset {
        at += message_length(run.get(at..).unwrap_or_default()).max(1);
    }
    at.min(run.len())
}

/// The length that the message at the start of `bytes` says it has.
fn message_length(bytes: &[u8]) -> usize {
    match bytes.get(16..18) {
        Some(&[high, low]) => usize::from(u16::from_be_bytes([high, low])),
        _ => bytes.len(),
    }
}

impl Membership {
    fn push(&mut self, chunk: Arc<Chunk>) {
        if self.reader_mut().is_some_and(|reader| reader.push(chunk)) {
            self.tell(EgressMessage::Drained);
        }
    }

    fn advance(&mut self, taken: usize) {
        if taken > 0 && self.reader_mut().is_some_and(|reader| reader.advance(taken)) {
            self.tell(EgressMessage::Drained);
        }
    }

    fn detach(&mut self) {
        let dropped = self.reader_mut().map(|reader| reader.detach(message_length));
        if let Some(dropped) = dropped {
            self.tell(|member| EgressMessage::Detached { member, dropped });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(length: usize) -> Vec<u8> {
        let mut bytes = vec![0xff; 16];
        bytes.extend_from_slice(&u16::try_from(length).unwrap().to_be_bytes());
        bytes.resize(length, 7);
        bytes
    }

    #[test]
    fn the_rest_of_a_message_stays_together() {
        let control = message(19);
        let one = [message(30), message(40)].concat();
        let two = message(50);
        let pieces = vec![IoSlice::new(&control), IoSlice::new(&one), IoSlice::new(&two)];
        let plan = Plan { pieces, control: 19, ends: [2, 3] };
        for (written, taken, rest) in [
            (10, [0, 0], 0),
            (19, [0, 0], 0),
            (20, [30, 0], 29),
            (49, [30, 0], 0),
            (60, [70, 0], 29),
            (89, [70, 0], 0),
            (90, [70, 50], 49),
            (139, [70, 50], 0),
        ] {
            let outcome = plan.outcome(written);
            assert_eq!((outcome.taken, outcome.rest.len()), (taken, rest), "{written}");
        }
    }
}

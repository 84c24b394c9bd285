//! What is under way in the simulated network, and what becomes of it.

use core::time::Duration;
use std::io::ErrorKind;

use super::{
    engine::Chance,
    net::{Kind, SimNet, Socket},
    stream::{Segment, Stream},
};
use crate::time::Time;

impl SimNet {
    /// Puts a segment on the wire. Those from one end to the other stay in order.
    pub(super) fn send(
        &mut self,
        now: Time,
        chance: &mut Chance,
        from: u32,
        to: u32,
        segment: Segment,
    ) {
        let mut when = now + self.travel(chance);
        if let Some(stream) = self.stream_mut(from) {
            when = when.max(stream.last_arrival);
            stream.last_arrival = when;
        }
        self.put(when, to, segment);
    }

    fn put(&mut self, when: Time, to: u32, segment: Segment) {
        self.sequence += 1;
        self.wire.insert((when, self.sequence), (to, segment));
    }

    /// How long a segment is under way.
    fn travel(&mut self, chance: &mut Chance) -> Duration {
        chance.span(&self.latency) + self.lateness(chance)
    }

    /// Keeps all that is on its way to a socket behind a partition for a while, in order: it is
    /// sent again and again. A connection that cannot be opened is given up in the end.
    pub(super) fn hold(&mut self, now: Time, to: u32, first: Segment) {
        let again = now + RETRY;
        if let Segment::Open { .. } = first
            && let Some(stream) = self.stream_mut(to)
        {
            stream.tries += 1;
            if stream.tries > MOST_TRIES {
                stream.fail(ErrorKind::TimedOut);
                self.refresh(to);
                return;
            }
        }
        self.put(again, to, first);
        let behind: Vec<_> =
            self.wire.range(..(again, 0)).map(|(key, one)| (*key, one.0)).collect();
        for (key, target) in behind {
            if target == to
                && let Some((_, segment)) = self.wire.remove(&key)
            {
                self.put(again, to, segment);
            }
        }
        // What is sent from now on must not overtake what is held.
        if let Some(sender) = self.sender_to(to).and_then(|sender| self.stream_mut(sender)) {
            sender.last_arrival = sender.last_arrival.max(again);
        }
    }

    /// The end that sends to another. A client does not know it before its connection is open.
    fn sender_to(&self, to: u32) -> Option<u32> {
        let known = self.stream_of(to).and_then(|stream| stream.peer);
        let sends = |id: &u32| self.stream_of(*id).is_some_and(|stream| stream.peer == Some(to));
        known.or_else(|| (0..self.sockets.len() as u32).find(sends))
    }

    pub(super) fn arrive(&mut self, now: Time, chance: &mut Chance, to: u32, segment: Segment) {
        match segment {
            Segment::Open { listener } => self.opened(now, chance, to, listener),
            Segment::Reset(error) => {
                if let Some(stream) = self.stream_mut(to) {
                    stream.fail(error);
                }
            }
            segment => match self.stream_mut(to) {
                Some(stream) => stream.take(segment),
                None => return self.refuse(now, chance, to, &segment),
            },
        }
        self.refresh(to);
    }

    /// A segment has come to an end that has been closed.
    fn refuse(&mut self, now: Time, chance: &mut Chance, gone: u32, segment: &Segment) {
        let sender = match segment {
            Segment::Opened { peer } => Some(*peer),
            Segment::Data(_) => self.sender_to(gone),
            _ => None,
        };
        if let Some(sender) = sender {
            let reset = Segment::Reset(ErrorKind::ConnectionReset);
            self.send(now, chance, gone, sender, reset);
        }
    }

    /// A connection request has come to where it was sent.
    fn opened(&mut self, now: Time, chance: &mut Chance, client: u32, listener: Option<u32>) {
        let Some((local, remote)) = self.stream_mut(client).map(|one| (one.local, one.remote))
        else {
            return;
        };
        let open = listener.is_some_and(|listener| self.socket(listener).is_some());
        let Some(listener) = listener.filter(|_| open) else {
            self.send(now, chance, client, client, Segment::Reset(ErrorKind::ConnectionRefused));
            return;
        };
        let server = self.sockets.len() as u32;
        let kind = Kind::Stream(Stream::open(remote, local, client));
        self.sockets.push(Some(Socket { kind, watch: None }));
        if let Some(Socket { kind: Kind::Listener(waiting, _), .. }) = self.socket_mut(listener) {
            waiting.backlog.push_back(server);
        }
        self.refresh(listener);
        self.send(now, chance, server, client, Segment::Opened { peer: server });
    }

    /// This end has been closed: tells the other.
    pub(super) fn hang_up(&mut self, now: Time, chance: &mut Chance, stream: &Stream) {
        let Some(peer) = stream.peer else { return };
        let segment = if stream.received() > 0 {
            Segment::Reset(ErrorKind::ConnectionReset)
        } else {
            Segment::End
        };
        let when = (now + self.travel(chance)).max(stream.last_arrival);
        self.put(when, peer, segment);
        if let Some(other) = self.stream_mut(peer) {
            other.peer_is_gone = true;
        }
    }
}

/// How long until what a partition has swallowed is sent again.
const RETRY: Duration = Duration::from_millis(200);
/// How often a connection is tried: for a minute.
const MOST_TRIES: u32 = 300;

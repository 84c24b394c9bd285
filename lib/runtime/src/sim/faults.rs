//! What goes wrong in the simulated network.
//!
//! All that travels is a part of a stream, so what is lost is late: it is sent again, and what was
//! sent after it waits for it.

use core::{net::IpAddr, ops::RangeInclusive, time::Duration};
use std::io::ErrorKind;

use super::{
    engine::Chance,
    net::{Kind, SimNet, Socket},
    stream::{Phase, Segment},
};

impl SimNet {
    /// Nothing gets from one host to the other or back until they are healed; connections stay,
    /// and what was sent arrives afterwards.
    pub fn partition(&mut self, one: IpAddr, other: IpAddr) {
        self.cut(one, other);
        self.cut(other, one);
    }

    /// As [`partition`](Self::partition) in one direction.
    pub fn cut(&mut self, from: IpAddr, to: IpAddr) {
        self.cuts.insert((from, to));
    }

    /// Ends what keeps two hosts apart, in both directions.
    pub fn heal(&mut self, one: IpAddr, other: IpAddr) {
        self.cuts.remove(&(one, other));
        self.cuts.remove(&(other, one));
    }

    /// Resets every connection between two hosts; both ends hear of it now.
    pub fn reset(&mut self, one: IpAddr, other: IpAddr) {
        for id in 0..self.sockets.len() as u32 {
            if let Some(stream) = self.stream_mut(id) {
                let ends = (stream.local.ip(), stream.remote.ip());
                if ends == (one, other) || ends == (other, one) {
                    stream.fail(ErrorKind::ConnectionReset);
                    self.refresh(id);
                }
            }
        }
    }

    /// Changes how long segments are under way from now on.
    pub fn set_latency(&mut self, latency: RangeInclusive<Duration>) {
        self.latency = latency;
    }

    /// Loses so many of 1000 segments from now on, each time they are sent; at most 900.
    pub fn set_loss(&mut self, per_mille: u32) {
        self.loss = per_mille;
    }

    /// How often something was sent again because it was lost.
    pub fn retransmissions(&self) -> u64 {
        self.retransmissions
    }

    /// Connections that are open, each counted once.
    pub fn connections(&self) -> usize {
        let open = |socket: &&Socket| matches!(&socket.kind, Kind::Stream(stream) if stream.phase == Phase::Open);
        self.sockets.iter().flatten().filter(open).count().div_ceil(2)
    }

    /// How much later a segment arrives for having been lost, maybe several times.
    pub(super) fn lateness(&mut self, chance: &mut Chance) -> Duration {
        let (mut late, mut timeout) = (Duration::ZERO, FIRST_TIMEOUT);
        while timeout <= LAST_TIMEOUT && chance.per_mille(self.loss.min(MOST_LOSS)) {
            late += timeout;
            timeout *= 2;
            self.retransmissions += 1;
        }
        late
    }

    /// Whether nothing gets through to where this goes. A connection request is kept with the
    /// socket that made it; all else goes to the socket it is for.
    pub(super) fn is_cut(&self, to: u32, segment: &Segment) -> bool {
        if self.cuts.is_empty() {
            return false;
        }
        let Some(stream) = self.stream_of(to) else { return false };
        let (local, remote) = (stream.local.ip(), stream.remote.ip());
        let way =
            if let Segment::Open { .. } = segment { (local, remote) } else { (remote, local) };
        self.cuts.contains(&way)
    }
}

/// How long a sender waits for an answer before it sends again; twice as long each time (RFC 6298,
/// with Linux's least value).
const FIRST_TIMEOUT: Duration = Duration::from_millis(200);
const LAST_TIMEOUT: Duration = Duration::from_secs(30);
/// Whatever is asked for, something gets through.
const MOST_LOSS: u32 = 900;

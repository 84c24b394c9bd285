//! What goes wrong in the simulated network.
//!
//! All that travels is a part of a stream, so what is lost is late: it is sent again, and what was
//! sent after it waits for it. What a host lacks are descriptors: each of its sockets is one.

use core::{net::IpAddr, ops::RangeInclusive, time::Duration};
use std::io::{self, ErrorKind};

use super::{
    engine::Chance,
    net::{Kind, SimNet, Socket},
    stream::{Phase, Segment},
};
use crate::time::Time;

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

    /// A host may have so many sockets from now on; those that it has stay. An attempt to listen, to
    /// connect or to accept beyond that fails with `EMFILE`, and who was to be accepted goes on
    /// waiting. Sockets with a path are of no host and have no limit.
    pub fn limit_descriptors(&mut self, host: IpAddr, most: usize) {
        self.limits.insert(host, most);
    }

    /// A host may have as many sockets as it likes again.
    pub fn unlimit_descriptors(&mut self, host: IpAddr) {
        self.limits.remove(&host);
    }

    /// Lets so many of 1000 attempts to connect or to accept fail with `EMFILE` from now on, at any
    /// host; at most 900.
    pub fn set_shortage(&mut self, per_mille: u32) {
        self.shortage = per_mille;
    }

    /// How often somebody found no descriptor.
    pub fn shortages(&self) -> u64 {
        self.shortages
    }

    /// The sockets of a host. Connections that wait to be accepted are none yet.
    pub fn descriptors(&self, host: IpAddr) -> usize {
        let is_here = |id: &u32| self.local_addr(*id).is_ok_and(|local| local.ip() == host);
        let waiting = |socket: &Socket| match &socket.kind {
            Kind::Listener(listener, _) => listener.backlog.iter().filter(|id| is_here(id)).count(),
            Kind::Stream(_) => 0,
        };
        let waiting: usize = self.sockets.iter().flatten().map(waiting).sum();
        (0..self.sockets.len() as u32).filter(is_here).count() - waiting
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

    /// An error if a host has all the sockets that it may have.
    pub(super) fn need_descriptor(
        &mut self,
        now: Time,
        chance: &mut Chance,
        host: IpAddr,
    ) -> io::Result<()> {
        let Some(&most) = self.limits.get(&host) else { return Ok(()) };
        // What the running handler has closed counts no more.
        self.reap(now, chance);
        if self.descriptors(host) < most { Ok(()) } else { Err(self.no_descriptor()) }
    }

    /// An error as often as there is a shortage.
    pub(super) fn meet_shortage(&mut self, chance: &mut Chance) -> io::Result<()> {
        match chance.per_mille(self.shortage.min(MOST_LOSS)) {
            true => Err(self.no_descriptor()),
            false => Ok(()),
        }
    }

    fn no_descriptor(&mut self) -> io::Error {
        self.shortages += 1;
        io::Error::from_raw_os_error(EMFILE)
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
/// The process has no descriptor left: the same number on all systems.
const EMFILE: i32 = 24;
/// Whatever is asked for, something gets through.
const MOST_LOSS: u32 = 900;

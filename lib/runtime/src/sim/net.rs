//! The network of a simulation: listeners, connections, and what goes wrong between them.

use core::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    ops::RangeInclusive,
    time::Duration,
};
use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    io::{self, ErrorKind, IoSlice},
    path::{Path, PathBuf},
    sync::Arc,
};

use crossbeam_queue::SegQueue;

use super::{
    SimOptions,
    engine::Chance,
    stream::{Listener, Segment, Stream},
};
use crate::{
    ids::SocketId,
    runloop::{Interest, Ready},
    time::Time,
};

/// One end of a connection, or a listener. Dropping it closes it.
#[derive(Debug)]
pub(crate) struct SimSocket {
    id: u32,
    closed: Arc<SegQueue<u32>>,
}

impl SimSocket {
    pub(super) fn id(&self) -> u32 {
        self.id
    }
}

impl Drop for SimSocket {
    fn drop(&mut self) {
        self.closed.push(self.id);
    }
}

/// The network of a simulation. Hosts are told apart by address: loops that are to be different
/// hosts listen at and connect from different addresses.
#[derive(Debug)]
pub struct SimNet {
    /// By number; numbers are not used again.
    pub(super) sockets: Vec<Option<Socket>>,
    /// Sockets whose owner has dropped them.
    closed: Arc<SegQueue<u32>>,
    listeners: BTreeMap<Name, u32>,
    /// What is under way: when it arrives, a running number, what and to which socket.
    pub(super) wire: BTreeMap<(Time, u64), (u32, Segment)>,
    pub(super) sequence: u64,
    /// By worker: sockets with readiness somebody wants to hear of.
    hot: BTreeMap<usize, BTreeSet<u32>>,
    /// From which host to which nothing gets through.
    pub(super) cuts: BTreeSet<(IpAddr, IpAddr)>,
    pub(super) latency: RangeInclusive<Duration>,
    /// How many of 1000 segments are lost on their way, each time they are sent.
    pub(super) loss: u32,
    pub(super) retransmissions: u64,
    /// How many sockets a host may have, if not as many as it likes.
    pub(super) limits: BTreeMap<IpAddr, usize>,
    /// How many of 1000 attempts to connect or to accept find no descriptor.
    pub(super) shortage: u32,
    pub(super) shortages: u64,
    buffer: usize,
    partial_writes: u32,
    partial_reads: u32,
    next_port: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Name {
    Inet(SocketAddr),
    Unix(PathBuf),
}

#[derive(Debug)]
pub(super) struct Socket {
    pub(super) kind: Kind,
    pub(super) watch: Option<Watch>,
}

#[derive(Debug)]
pub(super) enum Kind {
    Listener(Listener, Name),
    Stream(Stream),
}

/// Who is to hear of a socket's readiness.
#[derive(Debug, Clone, Copy)]
pub(super) struct Watch {
    worker: usize,
    pub(super) slot: u32,
    pub(super) id: SocketId,
    interest: Interest,
    /// Out of the poller for a while.
    suspended: bool,
}

/// For the scheduler.
impl SimNet {
    pub(super) fn new(options: &SimOptions) -> Self {
        Self {
            sockets: Vec::new(),
            closed: Arc::new(SegQueue::new()),
            listeners: BTreeMap::new(),
            wire: BTreeMap::new(),
            sequence: 0,
            hot: BTreeMap::new(),
            cuts: BTreeSet::new(),
            latency: options.latency.clone(),
            loss: options.loss,
            retransmissions: 0,
            limits: BTreeMap::new(),
            shortage: options.shortage,
            shortages: 0,
            buffer: options.buffer.max(1),
            partial_writes: options.partial_writes,
            partial_reads: options.partial_reads,
            next_port: 32768,
        }
    }

    /// When the next segment arrives.
    pub(super) fn next_arrival(&self) -> Option<Time> {
        self.wire.keys().next().map(|key| key.0)
    }

    /// Lets the next segment arrive.
    pub(super) fn deliver(&mut self, now: Time, chance: &mut Chance) {
        let Some((_, (to, segment))) = self.wire.pop_first() else { return };
        if self.is_cut(to, &segment) {
            self.hold(now, to, segment);
            return;
        }
        self.arrive(now, chance, to, segment);
    }

    /// Sees to the sockets that have been dropped.
    pub(super) fn reap(&mut self, now: Time, chance: &mut Chance) {
        while let Some(id) = self.closed.pop() {
            self.deregister(id);
            match self.sockets.get_mut(id as usize).and_then(Option::take).map(|one| one.kind) {
                Some(Kind::Stream(stream)) => self.hang_up(now, chance, &stream),
                Some(Kind::Listener(listener, name)) => {
                    self.listeners.remove(&name);
                    for waiting in listener.backlog {
                        self.closed.push(waiting);
                    }
                }
                None => {}
            }
        }
    }

    /// Whether a worker's poller would report something.
    pub(super) fn is_hot(&self, worker: usize) -> bool {
        self.hot.get(&worker).is_some_and(|sockets| !sockets.is_empty())
    }

    /// What a worker's poller reports.
    pub(super) fn poll(&self, worker: usize) -> Vec<(Watch, Ready)> {
        let hot = self.hot.get(&worker).into_iter().flatten();
        hot.filter_map(|&id| Some((self.socket(id)?.watch?, self.reportable(id)?))).collect()
    }
}

/// For the driver.
impl SimNet {
    pub(super) fn listen(
        &mut self,
        now: Time,
        chance: &mut Chance,
        mut local: SocketAddr,
    ) -> io::Result<SimSocket> {
        if local.port() == 0 {
            local.set_port(self.port());
        }
        self.need_descriptor(now, chance, local.ip())?;
        self.add_listener(Name::Inet(local), local)
    }

    pub(super) fn listen_unix(&mut self, path: &Path) -> io::Result<SimSocket> {
        self.add_listener(Name::Unix(path.to_owned()), UNIX)
    }

    pub(super) fn connect(
        &mut self,
        now: Time,
        chance: &mut Chance,
        peer: SocketAddr,
        local: Option<SocketAddr>,
    ) -> io::Result<SimSocket> {
        let mut local = local.unwrap_or(match peer.is_ipv4() {
            true => SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 0),
            false => SocketAddr::new(core::net::Ipv6Addr::LOCALHOST.into(), 0),
        });
        if local.port() == 0 {
            local.set_port(self.port());
        }
        self.need_descriptor(now, chance, local.ip())?;
        self.meet_shortage(chance)?;
        let socket = self.add(Kind::Stream(Stream::connecting(local, peer)));
        let exact = self.listeners.get(&Name::Inet(peer));
        let any = SocketAddr::new(unspecified(peer.ip()), peer.port());
        let listener = exact.or_else(|| self.listeners.get(&Name::Inet(any))).copied();
        self.send(now, chance, socket.id, socket.id, Segment::Open { listener });
        Ok(socket)
    }

    pub(super) fn connect_unix(
        &mut self,
        now: Time,
        chance: &mut Chance,
        path: &Path,
    ) -> io::Result<SimSocket> {
        let Some(&listener) = self.listeners.get(&Name::Unix(path.to_owned())) else {
            return Err(ErrorKind::NotFound.into());
        };
        self.meet_shortage(chance)?;
        let socket = self.add(Kind::Stream(Stream::connecting(UNIX, UNIX)));
        let open = Segment::Open { listener: Some(listener) };
        self.send(now, chance, socket.id, socket.id, open);
        Ok(socket)
    }

    pub(super) fn accept(
        &mut self,
        now: Time,
        chance: &mut Chance,
        listener: u32,
    ) -> io::Result<(SimSocket, SocketAddr)> {
        let first = self.backlog(listener)?.front().copied();
        // As Linux does it, a descriptor comes first, even if nobody waits. Whoever does goes on
        // waiting if there is none.
        self.need_descriptor(now, chance, self.local_addr(first.unwrap_or(listener))?.ip())?;
        self.meet_shortage(chance)?;
        let id = first.ok_or(ErrorKind::WouldBlock)?;
        self.backlog(listener)?.pop_front();
        self.refresh(listener);
        let peer = self.peer_addr(id)?;
        Ok((SimSocket { id, closed: Arc::clone(&self.closed) }, peer))
    }

    pub(super) fn read(
        &mut self,
        now: Time,
        chance: &mut Chance,
        id: u32,
        buffer: &mut [u8],
    ) -> io::Result<usize> {
        let partial = chance.per_mille(self.partial_reads);
        let stream = self.stream_mut(id).ok_or(ErrorKind::NotConnected)?;
        let most = if partial { 1 + chance.below(buffer.len()) } else { buffer.len() };
        let count = stream.read(buffer.get_mut(..most).unwrap_or_default())?;
        let peer = stream.peer;
        if count > 0
            && let Some(peer) = peer
        {
            self.send(now, chance, id, peer, Segment::Credit(count));
        }
        self.refresh(id);
        Ok(count)
    }

    pub(super) fn write(
        &mut self,
        now: Time,
        chance: &mut Chance,
        id: u32,
        buffers: &[IoSlice<'_>],
    ) -> io::Result<usize> {
        let wanted = buffers.iter().map(|buffer| buffer.len()).sum::<usize>();
        let partial = chance.per_mille(self.partial_writes);
        let limit = self.buffer;
        let stream = self.stream_mut(id).ok_or(ErrorKind::NotConnected)?;
        let room = stream.room(limit)?;
        if wanted == 0 {
            return Ok(0);
        }
        let mut count = wanted.min(room);
        if partial {
            count = 1 + chance.below(count);
        }
        let bytes: Vec<u8> =
            buffers.iter().flat_map(|buffer| buffer.iter().copied()).take(count).collect();
        stream.unread += bytes.len();
        let peer = stream.peer;
        if let Some(peer) = peer {
            self.send(now, chance, id, peer, Segment::Data(bytes));
        }
        self.refresh(id);
        Ok(count)
    }

    pub(super) fn take_error(&mut self, id: u32) -> io::Result<()> {
        let stream = self.stream_mut(id).ok_or(ErrorKind::NotConnected)?;
        stream.error.take().map_or(Ok(()), |error| Err(error.into()))
    }

    pub(super) fn unread(&self, id: u32) -> io::Result<usize> {
        Ok(self.stream_of(id).ok_or(ErrorKind::NotConnected)?.received())
    }

    pub(super) fn finish(&mut self, now: Time, chance: &mut Chance, id: u32) -> io::Result<()> {
        let stream = self.stream_mut(id).ok_or(ErrorKind::NotConnected)?;
        stream.finished = true;
        let peer = stream.peer.ok_or(ErrorKind::NotConnected)?;
        self.send(now, chance, id, peer, Segment::End);
        Ok(())
    }

    pub(super) fn local_addr(&self, id: u32) -> io::Result<SocketAddr> {
        match self.socket(id).map(|socket| &socket.kind) {
            Some(Kind::Stream(stream)) => Ok(stream.local),
            Some(Kind::Listener(listener, _)) => Ok(listener.local),
            None => Err(ErrorKind::NotConnected.into()),
        }
    }

    pub(super) fn peer_addr(&self, id: u32) -> io::Result<SocketAddr> {
        match self.socket(id).map(|socket| &socket.kind) {
            Some(Kind::Stream(stream)) => Ok(stream.remote),
            _ => Err(ErrorKind::NotConnected.into()),
        }
    }

    pub(super) fn register(
        &mut self,
        id: u32,
        worker: usize,
        slot: u32,
        name: SocketId,
        interest: Interest,
    ) {
        if let Some(socket) = self.socket_mut(id) {
            socket.watch = Some(Watch { worker, slot, id: name, interest, suspended: false });
        }
        self.refresh(id);
    }

    pub(super) fn set_interest(&mut self, id: u32, interest: Interest) {
        if let Some(watch) = self.socket_mut(id).and_then(|socket| socket.watch.as_mut()) {
            watch.interest = interest;
        }
        self.refresh(id);
    }

    pub(super) fn set_suspended(&mut self, id: u32, suspended: bool) {
        if let Some(watch) = self.socket_mut(id).and_then(|socket| socket.watch.as_mut()) {
            watch.suspended = suspended;
        }
        self.refresh(id);
    }

    pub(super) fn deregister(&mut self, id: u32) {
        if let Some(watch) = self.socket_mut(id).and_then(|socket| socket.watch.take())
            && let Some(hot) = self.hot.get_mut(&watch.worker)
        {
            hot.remove(&id);
        }
    }
}

/// Tables.
impl SimNet {
    fn add_listener(&mut self, name: Name, local: SocketAddr) -> io::Result<SimSocket> {
        if self.listeners.contains_key(&name) {
            return Err(ErrorKind::AddrInUse.into());
        }
        let listener = Listener { local, backlog: Default::default() };
        let socket = self.add(Kind::Listener(listener, name.clone()));
        self.listeners.insert(name, socket.id);
        Ok(socket)
    }

    fn add(&mut self, kind: Kind) -> SimSocket {
        let id = self.sockets.len() as u32;
        self.sockets.push(Some(Socket { kind, watch: None }));
        SimSocket { id, closed: Arc::clone(&self.closed) }
    }

    /// Connections that wait to be accepted.
    fn backlog(&mut self, listener: u32) -> io::Result<&mut VecDeque<u32>> {
        match self.socket_mut(listener).map(|socket| &mut socket.kind) {
            Some(Kind::Listener(listener, _)) => Ok(&mut listener.backlog),
            _ => Err(ErrorKind::InvalidInput.into()),
        }
    }

    fn port(&mut self) -> u16 {
        self.next_port = self.next_port.checked_add(1).unwrap_or(32768);
        self.next_port
    }

    pub(super) fn socket(&self, id: u32) -> Option<&Socket> {
        self.sockets.get(id as usize)?.as_ref()
    }

    pub(super) fn socket_mut(&mut self, id: u32) -> Option<&mut Socket> {
        self.sockets.get_mut(id as usize)?.as_mut()
    }

    pub(super) fn stream_mut(&mut self, id: u32) -> Option<&mut Stream> {
        match &mut self.socket_mut(id)?.kind {
            Kind::Stream(stream) => Some(stream),
            Kind::Listener(..) => None,
        }
    }

    pub(super) fn stream_of(&self, id: u32) -> Option<&Stream> {
        match &self.socket(id)?.kind {
            Kind::Stream(stream) => Some(stream),
            Kind::Listener(..) => None,
        }
    }

    /// What a poller would report of a socket, if anything.
    fn reportable(&self, id: u32) -> Option<Ready> {
        let socket = self.socket(id)?;
        let Watch { interest, suspended, .. } = socket.watch?;
        if suspended {
            return None;
        }
        let mut ready = match &socket.kind {
            Kind::Listener(listener, _) => {
                Ready { readable: !listener.backlog.is_empty(), ..Ready::default() }
            }
            Kind::Stream(stream) => stream.ready(self.buffer),
        };
        ready.readable &= interest.read;
        ready.writable &= interest.write;
        (ready != Ready::default()).then_some(ready)
    }

    /// Keeps `hot` right after something about a socket has changed.
    pub(super) fn refresh(&mut self, id: u32) {
        let Some(worker) = self.socket(id).and_then(|socket| Some(socket.watch?.worker)) else {
            return;
        };
        let is_hot = self.reportable(id).is_some();
        let hot = self.hot.entry(worker).or_default();
        if is_hot {
            hot.insert(id);
        } else {
            hot.remove(&id);
        }
    }
}

fn unspecified(like: IpAddr) -> IpAddr {
    match like {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => core::net::Ipv6Addr::UNSPECIFIED.into(),
    }
}

/// The address of both ends of a connection by way of a path.
const UNIX: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);

//! A handler's way to the world.

use core::{
    any::Any,
    net::{IpAddr, SocketAddr},
    time::Duration,
};
use std::{
    io::{self, IoSlice},
    os::fd::OwnedFd,
    path::Path,
    sync::Arc,
};

use dunlin_mem::Arena;
use dunlin_os::socket::Socket;
use dunlin_sync::Class;

use crate::{
    address::{Address, EventHandle},
    driver::{Driver, Endpoint},
    handle::RuntimeHandle,
    ids::{EventId, LoopId, SocketId, TimerId, WorkId},
    loop_cell::Runnable,
    loop_core::LoopCore,
    options::{ConnectOptions, ListenOptions},
    runloop::{Interest, Loop},
    time::Time,
};

/// What a handler is given to reach time, timers, sockets, other loops and scratch memory.
///
/// The same type serves real and simulated workers, so a loop cannot tell which runs it.
pub struct Context<'a> {
    pub(crate) core: &'a mut LoopCore,
    pub(crate) driver: &'a mut dyn Driver,
    pub(crate) cell: &'a Arc<dyn Runnable>,
    pub(crate) arena: &'a Arena,
    pub(crate) now: Time,
}

impl core::fmt::Debug for Context<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Context").field("loop", &self.loop_id()).finish_non_exhaustive()
    }
}

/// Time, chance, identity.
impl<'a> Context<'a> {
    /// When this handler began. Costs nothing.
    pub fn now(&self) -> Time {
        self.now
    }

    /// The time right now; a clock read.
    pub fn clock(&mut self) -> Time {
        self.driver.clock()
    }

    /// Wall-clock time since 1970-01-01 00:00 UTC, for display only.
    pub fn wall(&mut self) -> Duration {
        self.driver.wall()
    }

    /// Sixty-four random bits, not for secrets.
    pub fn random(&mut self) -> u64 {
        self.driver.random()
    }

    /// This loop's number.
    pub fn loop_id(&self) -> LoopId {
        self.cell.header().id()
    }

    /// This loop's name.
    pub fn name(&self) -> &str {
        self.cell.header().name()
    }

    /// The index of the worker this handler runs on.
    pub fn worker(&self) -> usize {
        self.driver.worker()
    }

    /// This loop's own address; none if `M` is not this loop's message type.
    pub fn own<M: Send + 'static>(&self) -> Option<Address<M>> {
        Address::from_cell(Arc::clone(self.cell))
    }

    /// The runtime this loop lives in.
    pub fn runtime(&self) -> RuntimeHandle {
        self.cell.header().runtime()
    }

    /// Starts another loop. `class` is that of its sockets' readiness.
    pub fn spawn<L: Loop>(&mut self, name: &str, class: Class, state: L) -> Address<L::Message> {
        self.runtime().spawn(name, class, state)
    }

    /// Starts another loop made by `make`, which gets the new loop's own address.
    pub fn spawn_with<L: Loop>(
        &mut self,
        name: &str,
        class: Class,
        make: impl FnOnce(Address<L::Message>) -> L,
    ) -> Address<L::Message> {
        self.runtime().spawn_with(name, class, make)
    }

    /// Stops this loop after the current handler: [`Loop::stop`] runs, then all it owns goes.
    pub fn stop_self(&mut self) {
        self.core.stopping = true;
    }

    /// Whether the running handler has used up its share or something more urgent waits. Long
    /// handlers and [`Loop::work`] ask this every few microseconds of work and return if so.
    pub fn over_budget(&mut self) -> bool {
        self.driver.over_budget()
    }

    /// Scratch memory of the worker, gone after this handler.
    pub fn arena(&self) -> &'a Arena {
        self.arena
    }

    /// Takes the worker's read buffer (256 KiB long, stale in content). Give it back with
    /// [`Context::put_read_buffer`] before returning; if you don't, the worker makes a new one.
    pub fn take_read_buffer(&mut self) -> Vec<u8> {
        self.driver.take_buffer()
    }

    /// Gives the worker's read buffer back.
    pub fn put_read_buffer(&mut self, buffer: Vec<u8>) {
        self.driver.put_buffer(buffer);
    }

    /// In simulation, lets `span` of virtual time pass inside this handler. Nothing otherwise.
    pub fn sim_consume(&mut self, span: Duration) {
        self.driver.consume(span);
    }
}

/// Timers, events, long jobs.
impl Context<'_> {
    /// A new timer, disarmed.
    pub fn timer(&mut self, class: Class) -> TimerId {
        self.core.timers.create(class)
    }

    /// Arms a timer to expire once at `when` (at once if that is past), or moves it there.
    pub fn arm(&mut self, timer: TimerId, when: Time) {
        self.core.timers.arm(timer, when);
    }

    /// Arms a timer to expire once after `span`.
    pub fn arm_after(&mut self, timer: TimerId, span: Duration) {
        self.core.timers.arm(timer, self.now + span);
    }

    /// Arms a timer to expire every `period` from now on. Expiries do not drift; those missed
    /// collapse into one. A period below a microsecond counts as one.
    pub fn arm_every(&mut self, timer: TimerId, period: Duration) {
        self.core.timers.arm_every(timer, self.now, period);
    }

    /// Disarms a timer; true if it was armed. It will not expire, even if already due.
    pub fn disarm(&mut self, timer: TimerId) -> bool {
        self.core.timers.disarm(timer)
    }

    /// When an armed timer expires.
    pub fn expires(&self, timer: TimerId) -> Option<Time> {
        self.core.timers.expires(timer)
    }

    /// Gives a timer up.
    pub fn remove_timer(&mut self, timer: TimerId) {
        self.core.timers.remove(timer);
    }

    /// A new event.
    pub fn event(&mut self, class: Class) -> EventId {
        EventId(self.core.events.create(class))
    }

    /// Has the event run once, soon; nothing if it is to run already.
    #[inline]
    pub fn schedule(&mut self, event: EventId) {
        self.core.events.schedule(event.0);
    }

    /// Takes a scheduled event back; true if it was scheduled by this loop and has not run.
    pub fn unschedule(&mut self, event: EventId) -> bool {
        self.core.events.unschedule(event.0)
    }

    /// A handle other loops schedule the event by.
    pub fn event_handle(&mut self, event: EventId) -> EventHandle {
        EventHandle::new(Arc::clone(self.cell), self.core.events.share(event.0))
    }

    /// Gives an event up; handles to it do nothing from then on.
    pub fn remove_event(&mut self, event: EventId) {
        self.core.events.remove(event.0);
    }

    /// A new long job.
    pub fn work(&mut self, class: Class) -> WorkId {
        WorkId(self.core.works.create(class))
    }

    /// Has the job run piece by piece until it is done; nothing if it is queued already.
    pub fn queue(&mut self, work: WorkId) {
        self.core.works.schedule(work.0);
    }

    /// Takes a queued job back; true if it was queued.
    pub fn unqueue(&mut self, work: WorkId) -> bool {
        self.core.works.unschedule(work.0)
    }

    /// Gives a job up.
    pub fn remove_work(&mut self, work: WorkId) {
        self.core.works.remove(work.0);
    }
}

/// Sockets.
impl Context<'_> {
    /// Listens for TCP connections; readable when one waits. Interest starts as reading.
    pub fn listen(&mut self, local: SocketAddr, options: &ListenOptions) -> io::Result<SocketId> {
        let endpoint = self.driver.listen(local, options)?;
        self.enter(endpoint, Interest::READ)
    }

    /// Listens on a path in the file system, made with these permissions (a stale socket there is
    /// replaced).
    pub fn listen_unix(&mut self, path: &Path, mode: u32) -> io::Result<SocketId> {
        let endpoint = self.driver.listen_unix(path, mode)?;
        self.enter(endpoint, Interest::READ)
    }

    /// Takes a connection; `WouldBlock` if none waits. Interest starts as reading. The address of
    /// a unix peer is unspecified.
    pub fn accept(&mut self, listener: SocketId) -> io::Result<(SocketId, SocketAddr)> {
        let (endpoint, peer) = self.driver.accept(self.core.sockets.endpoint(listener)?)?;
        Ok((self.enter(endpoint, Interest::READ)?, peer.unwrap_or(UNSPECIFIED)))
    }

    /// Starts a TCP connection; writable when it is decided, then ask [`Context::socket_error`].
    /// Interest starts as writing.
    pub fn connect(&mut self, peer: SocketAddr, options: &ConnectOptions) -> io::Result<SocketId> {
        let endpoint = self.driver.connect(peer, options)?;
        self.enter(endpoint, Interest::WRITE)
    }

    /// Connects to a path in the file system. Interest starts as writing.
    pub fn connect_unix(&mut self, path: &Path) -> io::Result<SocketId> {
        let endpoint = self.driver.connect_unix(path)?;
        self.enter(endpoint, Interest::WRITE)
    }

    /// Takes over a socket released by another loop, or any non-blocking descriptor. Interest
    /// starts as reading.
    pub fn adopt(&mut self, socket: OwnedSocket) -> io::Result<SocketId> {
        self.enter(socket.0, Interest::READ)
    }

    /// Gives a socket up without closing it, to hand it to another loop.
    pub fn release(&mut self, socket: SocketId) -> io::Result<OwnedSocket> {
        let (endpoint, key) = self.core.sockets.remove(socket)?;
        self.driver.deregister(key, &endpoint);
        Ok(OwnedSocket(endpoint))
    }

    /// Closes a socket. Readiness already reported for it is dropped.
    pub fn close(&mut self, socket: SocketId) {
        drop(self.release(socket));
    }

    /// Reads what is there; 0 is the end of the stream, `WouldBlock` nothing at the moment.
    pub fn read(&mut self, socket: SocketId, buffer: &mut [u8]) -> io::Result<usize> {
        self.driver.read(self.core.sockets.endpoint(socket)?, buffer)
    }

    /// Writes as much as there is room for; may be less than asked.
    pub fn write_vectored(
        &mut self,
        socket: SocketId,
        buffers: &[IoSlice<'_>],
    ) -> io::Result<usize> {
        self.driver.write(self.core.sockets.endpoint(socket)?, buffers)
    }

    /// Writes as much as there is room for; may be less than asked.
    pub fn write(&mut self, socket: SocketId, bytes: &[u8]) -> io::Result<usize> {
        self.write_vectored(socket, &[IoSlice::new(bytes)])
    }

    /// Says what readiness to report from now on.
    pub fn interest(&mut self, socket: SocketId, interest: Interest) -> io::Result<()> {
        if let Some(key) = self.core.sockets.set_interest(socket, interest)? {
            self.driver.modify(key, self.core.sockets.endpoint(socket)?, interest)?;
        }
        Ok(())
    }

    /// Changes the class in which a socket's readiness is served.
    pub fn socket_class(&mut self, socket: SocketId, class: Class) -> io::Result<()> {
        self.core.sockets.set_class(socket, class)
    }

    /// Takes the socket's pending error: how a connection attempt ended.
    pub fn socket_error(&mut self, socket: SocketId) -> io::Result<()> {
        self.driver.socket_error(self.core.sockets.endpoint(socket)?)
    }

    /// Bytes that have arrived and not been read. A hold timer that expires asks this before it
    /// blames the peer for its own lateness.
    pub fn unread(&self, socket: SocketId) -> io::Result<usize> {
        self.driver.unread(self.core.sockets.endpoint(socket)?)
    }

    /// Sends no more: the peer reads the end of the stream after what has been written.
    pub fn finish_writing(&mut self, socket: SocketId) -> io::Result<()> {
        self.driver.finish_writing(self.core.sockets.endpoint(socket)?)
    }

    /// Sets the time to live of packets sent and the least accepted (GTSM), each if given.
    pub fn set_ttl(
        &mut self,
        socket: SocketId,
        sent: Option<u8>,
        accepted: Option<u8>,
    ) -> io::Result<()> {
        self.driver.set_ttl(self.core.sockets.endpoint(socket)?, sent, accepted)
    }

    /// User and group of the process at the other end of a unix socket.
    pub fn peer_user(&self, socket: SocketId) -> io::Result<(u32, u32)> {
        self.driver.peer_user(self.core.sockets.endpoint(socket)?)
    }

    /// The address at this end.
    pub fn local_addr(&self, socket: SocketId) -> io::Result<SocketAddr> {
        self.driver.local_addr(self.core.sockets.endpoint(socket)?)
    }

    /// The address at the other end.
    pub fn peer_addr(&self, socket: SocketId) -> io::Result<SocketAddr> {
        self.driver.peer_addr(self.core.sockets.endpoint(socket)?)
    }

    /// Sets the TCP MD5 key (RFC 2385) used on a listener with `peer`, or with everybody in the
    /// prefix of this length that `peer` begins; or takes it away.
    pub fn set_md5(
        &mut self,
        socket: SocketId,
        peer: IpAddr,
        prefix: Option<u8>,
        key: Option<&[u8]>,
    ) -> io::Result<()> {
        self.driver.set_md5(self.core.sockets.endpoint(socket)?, peer, prefix, key)
    }

    fn enter(&mut self, endpoint: Endpoint, interest: Interest) -> io::Result<SocketId> {
        let id = self.core.sockets.reserve();
        let key = self.driver.register(self.core.slot, id, &endpoint, interest)?;
        self.core.sockets.insert(id, endpoint, key, interest, self.core.class);
        Ok(id)
    }
}

/// A socket no loop has: what [`Context::release`] gives and [`Context::adopt`] takes. Dropping it
/// closes it.
#[derive(Debug)]
pub struct OwnedSocket(pub(crate) Endpoint);

impl OwnedSocket {
    /// A socket opened elsewhere.
    pub fn from_socket(socket: Socket) -> Self {
        Self(Endpoint::Os(socket))
    }

    /// Any descriptor in non-blocking mode that the system's poller can watch (netlink, signals).
    pub fn from_fd(fd: OwnedFd) -> Self {
        Self(Endpoint::File(fd.into()))
    }
}

const UNSPECIFIED: SocketAddr = SocketAddr::new(IpAddr::V4(core::net::Ipv4Addr::UNSPECIFIED), 0);

const _: fn() = || {
    fn sendable<T: Send + Any>() {}
    sendable::<OwnedSocket>();
};

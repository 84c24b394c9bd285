//! Sockets of a loop.

use core::{
    any::Any,
    net::{IpAddr, SocketAddr},
};
use std::{
    io::{self, IoSlice},
    os::fd::OwnedFd,
    path::Path,
};

use dunlin_os::socket::Socket;
use dunlin_sync::Class;

use crate::{
    context::Context,
    driver::Endpoint,
    ids::{SocketId, Thing},
    options::{ConnectOptions, ListenOptions},
    place::Place,
    runloop::Interest,
    sockets::Change,
};

/// Sockets.
impl Context<'_> {
    /// Listens for TCP connections; readable when one waits. Interest starts as reading.
    #[track_caller]
    pub fn listen(&mut self, local: SocketAddr, options: &ListenOptions) -> io::Result<SocketId> {
        let endpoint = self.driver.listen(local, options)?;
        self.enter(endpoint, Interest::READ)
    }

    /// Listens on a path in the file system, made with these permissions (a stale socket there is
    /// replaced).
    #[track_caller]
    pub fn listen_unix(&mut self, path: &Path, mode: u32) -> io::Result<SocketId> {
        let endpoint = self.driver.listen_unix(path, mode)?;
        self.enter(endpoint, Interest::READ)
    }

    /// Takes a connection; `WouldBlock` if none waits. Interest starts as reading. The address of
    /// a unix peer is unspecified.
    #[track_caller]
    pub fn accept(&mut self, listener: SocketId) -> io::Result<(SocketId, SocketAddr)> {
        let (endpoint, peer) = self.driver.accept(self.core.sockets.endpoint(listener)?)?;
        Ok((self.enter(endpoint, Interest::READ)?, peer.unwrap_or(UNSPECIFIED)))
    }

    /// Starts a TCP connection; writable when it is decided, then ask [`Context::socket_error`].
    /// Interest starts as writing.
    #[track_caller]
    pub fn connect(&mut self, peer: SocketAddr, options: &ConnectOptions) -> io::Result<SocketId> {
        let endpoint = self.driver.connect(peer, options)?;
        self.enter(endpoint, Interest::WRITE)
    }

    /// Connects to a path in the file system. Interest starts as writing.
    #[track_caller]
    pub fn connect_unix(&mut self, path: &Path) -> io::Result<SocketId> {
        let endpoint = self.driver.connect_unix(path)?;
        self.enter(endpoint, Interest::WRITE)
    }

    /// Takes over a socket released by another loop, or any non-blocking descriptor. Interest
    /// starts as reading.
    #[track_caller]
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

    /// Says what readiness to report from now on, each time and as long as it holds.
    #[track_caller]
    pub fn interest(&mut self, socket: SocketId, interest: Interest) -> io::Result<()> {
        self.watch(socket, interest, false)
    }

    /// Says what readiness to report once: after the next report, whatever it was, the socket is
    /// silent until it is armed again, by this or by [`Context::interest`]. Arming it again is free of
    /// system calls unless it stayed ready and unheeded until the worker looked at its poller again.
    #[track_caller]
    pub fn interest_once(&mut self, socket: SocketId, interest: Interest) -> io::Result<()> {
        self.watch(socket, interest, true)
    }

    #[track_caller]
    fn watch(&mut self, socket: SocketId, interest: Interest, once: bool) -> io::Result<()> {
        match self.core.sockets.set_interest(socket, interest, once, Place::here())? {
            Change::None => Ok(()),
            Change::Modify(key) => {
                self.driver.modify(key, self.core.sockets.endpoint(socket)?, interest)
            }
            Change::Resume(key) => {
                self.driver.resume(key, self.core.sockets.endpoint(socket)?, interest)
            }
        }
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

    #[track_caller]
    fn enter(&mut self, endpoint: Endpoint, interest: Interest) -> io::Result<SocketId> {
        if self.core.scopes.is_current_closed() {
            return Err(io::Error::new(io::ErrorKind::NotFound, "the scope has been closed"));
        }
        let id = self.core.sockets.reserve();
        let key = self.driver.register(self.core.slot, id, &endpoint, interest)?;
        let (class, place) = (self.core.class, Place::here());
        self.core.sockets.insert(id, endpoint, key, interest, class, place);
        self.made(Thing::Socket(id.0));
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

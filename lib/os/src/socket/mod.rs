//! Non-blocking stream sockets: TCP and Unix.
//!
//! Nothing here blocks and nothing raises `SIGPIPE`. What would block is [`io::ErrorKind::WouldBlock`]; calls
//! interrupted by a signal are repeated. Dropping a [`Socket`] closes it.

mod open;
mod option;

#[cfg(test)]
mod tests;

use std::io::{self, IoSlice, IoSliceMut};
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::io::Errno;
use rustix::net::{self, RecvFlags, SendAncillaryBuffer, SendFlags, SocketAddrAny, SocketFlags};

pub use self::open::{ConnectOptions, ListenOptions};
pub use self::option::{MAX_MD5_KEY, TcpInfo};

/// An open non-blocking socket, listening or connected, and its descriptor.
#[derive(Debug)]
pub struct Socket {
    fd: OwnedFd,
}

/// Which direction [`Socket::shutdown`] ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shutdown {
    /// Receive no more.
    Read,
    /// Send no more; the peer reads the end of the stream.
    Write,
    /// Both.
    Both,
}

impl Socket {
    /// Takes the next connection of a listening socket. The address is `None` on a Unix socket.
    pub fn accept(&self) -> io::Result<(Self, Option<SocketAddr>)> {
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let (fd, peer) = retry(|| net::acceptfrom_with(&self.fd, flags))?;
        Ok((Self { fd }, peer.and_then(|peer| SocketAddr::try_from(peer).ok())))
    }

    /// Reads what has arrived, at most `buffer`; 0 is the end of the stream.
    pub fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        Ok(retry(|| net::recv(&self.fd, &mut *buffer, RecvFlags::empty()))?.0)
    }

    /// Reads what has arrived into several buffers, in order.
    pub fn read_vectored(&self, buffers: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        retry(|| rustix::io::readv(&self.fd, buffers))
    }

    /// Writes what fits of `bytes`.
    pub fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        retry(|| net::send(&self.fd, bytes, SendFlags::NOSIGNAL))
    }

    /// Writes what fits of several buffers, in order.
    pub fn write_vectored(&self, buffers: &[IoSlice<'_>]) -> io::Result<usize> {
        // The kernel has less to copy and to check than for a list of one.
        if let [bytes] = buffers {
            return self.write(bytes);
        }
        retry(|| {
            let mut control = SendAncillaryBuffer::default();
            net::sendmsg(&self.fd, buffers, &mut control, SendFlags::NOSIGNAL)
        })
    }

    /// Ends one or both directions of a connection.
    pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        let how = match how {
            Shutdown::Read => net::Shutdown::Read,
            Shutdown::Write => net::Shutdown::Write,
            Shutdown::Both => net::Shutdown::Both,
        };
        Ok(net::shutdown(&self.fd, how)?)
    }

    /// The address of this end; an error on a Unix socket.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        inet(net::getsockname(&self.fd)?)
    }

    /// The address of the other end; an error on a Unix socket.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        inet(net::getpeername(&self.fd)?.ok_or(Errno::AFNOSUPPORT)?)
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl From<Socket> for OwnedFd {
    fn from(socket: Socket) -> Self {
        socket.fd
    }
}

/// Repeats a call that a signal interrupted.
fn retry<T>(mut call: impl FnMut() -> rustix::io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(Errno::INTR) => {}
            result => return Ok(result?),
        }
    }
}

fn inet(addr: SocketAddrAny) -> io::Result<SocketAddr> {
    SocketAddr::try_from(addr).map_err(Into::into)
}

//! Opening sockets: listen, connect, and Unix sockets whose owner has died.

use std::fs::{self, Permissions};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::Path;

use rustix::io::Errno;
use rustix::net::sockopt::{
    set_ip_freebind, set_ipv6_freebind, set_ipv6_v6only, set_socket_reuseaddr, set_tcp_nodelay,
};
use rustix::net::{self, AddressFamily, SocketAddrUnix, SocketFlags, SocketType};

use super::Socket;

/// How a TCP socket listens.
#[derive(Debug, Clone, Copy)]
pub struct ListenOptions<'a> {
    /// How many connections the kernel keeps until they are accepted.
    pub backlog: u16,
    /// Only the interface of this name (`SO_BINDTODEVICE`).
    pub device: Option<&'a str>,
    /// Allow an address this machine does not have yet (`IP_FREEBIND`).
    pub freebind: bool,
}

impl Default for ListenOptions<'_> {
    fn default() -> Self {
        Self { backlog: 1024, device: None, freebind: false }
    }
}

/// How a TCP connection is opened.
#[derive(Debug, Clone, Copy, Default)]
pub struct ConnectOptions<'a> {
    /// The address to connect from; with port 0 the kernel chooses the port.
    pub local: Option<SocketAddr>,
    /// Only through the interface of this name (`SO_BINDTODEVICE`).
    pub device: Option<&'a str>,
    /// The TCP MD5 key (RFC 2385) shared with the peer.
    pub md5: Option<&'a [u8]>,
    /// The TTL or hop limit of what is sent.
    pub ttl: Option<u8>,
    /// The least TTL or hop limit accepted from the peer (RFC 5082).
    pub min_ttl: Option<u8>,
    /// Allow a local address this machine does not have yet (`IP_FREEBIND`).
    pub freebind: bool,
}

impl Socket {
    /// Listens for TCP connections. An IPv6 socket takes IPv6 only.
    pub fn listen(addr: SocketAddr, options: &ListenOptions<'_>) -> io::Result<Self> {
        let socket = Self::tcp(addr)?;
        set_socket_reuseaddr(&socket.fd, true)?;
        if addr.is_ipv6() {
            set_ipv6_v6only(&socket.fd, true)?;
        }
        socket.prepare(addr.ip(), options.device, options.freebind)?;
        net::bind(&socket.fd, &addr)?;
        net::listen(&socket.fd, options.backlog.into())?;
        Ok(socket)
    }

    /// Starts a TCP connection. It is made, or has failed, when the socket becomes writable;
    /// [`Socket::take_error`] then tells which.
    pub fn connect(peer: SocketAddr, options: &ConnectOptions<'_>) -> io::Result<Self> {
        let socket = Self::tcp(peer)?;
        set_tcp_nodelay(&socket.fd, true)?;
        socket.prepare(peer.ip(), options.device, options.freebind)?;
        if let Some(ttl) = options.ttl {
            socket.set_ttl(ttl)?;
        }
        if let Some(ttl) = options.min_ttl {
            socket.set_min_ttl(ttl)?;
        }
        if let Some(key) = options.md5 {
            socket.set_md5(peer.ip(), None, key)?;
        }
        if let Some(local) = options.local {
            if local.port() == 0 {
                // The port is chosen at connect, where only the whole four-tuple must be free.
                socket.set_bind_address_no_port()?;
            } else {
                set_socket_reuseaddr(&socket.fd, true)?;
            }
            net::bind(&socket.fd, &local)?;
        }
        match net::connect(&socket.fd, &peer) {
            Ok(()) | Err(Errno::INPROGRESS | Errno::INTR) => Ok(socket),
            Err(error) => Err(error.into()),
        }
    }

    /// Listens on a Unix socket at `path`, readable and writable as `mode` says. A socket there that nobody
    /// listens on any more is replaced; one that is in use is [`io::ErrorKind::AddrInUse`]; any other file is
    /// left alone and is [`io::ErrorKind::AlreadyExists`].
    pub fn listen_unix(path: &Path, mode: u32) -> io::Result<Self> {
        let addr = SocketAddrUnix::new(path)?;
        remove_stale(path, &addr)?;
        let socket = Self { fd: unix()? };
        net::bind(&socket.fd, &addr)?;
        // Before `listen` nobody can connect, so the wider mode that `bind` gave is never usable.
        fs::set_permissions(path, Permissions::from_mode(mode))?;
        net::listen(&socket.fd, ListenOptions::default().backlog.into())?;
        Ok(socket)
    }

    /// Connects to the Unix socket at `path`. It is connected at once or fails; a full backlog is
    /// [`io::ErrorKind::WouldBlock`].
    pub fn connect_unix(path: &Path) -> io::Result<Self> {
        let socket = Self { fd: unix()? };
        super::retry(|| net::connect(&socket.fd, &SocketAddrUnix::new(path)?))?;
        Ok(socket)
    }

    /// Two connected Unix sockets.
    pub fn pair() -> io::Result<(Self, Self)> {
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let (a, b) = net::socketpair(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
        Ok((Self { fd: a }, Self { fd: b }))
    }

    fn tcp(addr: SocketAddr) -> io::Result<Self> {
        let family = if addr.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
        Ok(Self { fd: stream(family)? })
    }

    fn prepare(&self, addr: IpAddr, device: Option<&str>, freebind: bool) -> io::Result<()> {
        if let Some(device) = device {
            self.bind_device(device)?;
        }
        match addr {
            _ if !freebind => Ok(()),
            IpAddr::V4(_) => Ok(set_ip_freebind(&self.fd, true)?),
            IpAddr::V6(_) => Ok(set_ipv6_freebind(&self.fd, true)?),
        }
    }
}

fn stream(family: AddressFamily) -> io::Result<OwnedFd> {
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    Ok(net::socket_with(family, SocketType::STREAM, flags, None)?)
}

fn unix() -> io::Result<OwnedFd> {
    stream(AddressFamily::UNIX)
}

/// Removes the socket a dead process left at `path`.
fn remove_stale(path: &Path, addr: &SocketAddrUnix) -> io::Result<()> {
    let kind = match fs::symlink_metadata(path) {
        Ok(metadata) => metadata.file_type(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    if !kind.is_socket() {
        let message = format!("{} exists and is not a socket", path.display());
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, message));
    }
    match net::connect(&unix()?, addr) {
        Err(Errno::CONNREFUSED) => fs::remove_file(path),
        Err(Errno::NOENT) => Ok(()),
        // Connected, or its backlog is full: somebody listens.
        Ok(()) | Err(Errno::AGAIN) => {
            let message = format!("{} is in use by a running process", path.display());
            Err(io::Error::new(io::ErrorKind::AddrInUse, message))
        }
        Err(error) => Err(error.into()),
    }
}

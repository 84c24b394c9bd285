//! Socket options, among them those that no crate offers: TCP MD5 signatures and the minimum TTL.
#![expect(unsafe_code, reason = "setsockopt and getsockopt of options rustix does not know")]

use std::ffi::{CString, c_int, c_void};
use std::io;
use std::mem::size_of;
use std::net::IpAddr;
use std::os::fd::AsRawFd;
use std::time::Duration;

use rustix::net::sockopt;

use super::Socket;

/// The longest TCP MD5 key the kernel takes.
pub const MAX_MD5_KEY: usize = 80;

/// What the kernel knows of a TCP connection (`TCP_INFO`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TcpInfo {
    /// How long ago data last arrived, to the millisecond or the kernel's tick.
    pub since_data_received: Duration,
    /// Bytes received and acknowledged since the connection was made; 0 before Linux 4.1.
    pub bytes_received: u64,
    /// Bytes sent and acknowledged; 0 before Linux 4.1.
    pub bytes_acked: u64,
    /// The smoothed round-trip time.
    pub round_trip: Duration,
    /// Segments sent again.
    pub retransmits: u32,
}

impl Socket {
    /// The pending error, which this clears: after the first write readiness of a connecting socket, why the
    /// connection failed.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        Ok(sockopt::socket_error(&self.fd)?.err().map(io::Error::from))
    }

    /// Send small segments at once.
    pub fn set_nodelay(&self, on: bool) -> io::Result<()> {
        Ok(sockopt::set_tcp_nodelay(&self.fd, on)?)
    }

    /// The TTL or hop limit of what is sent.
    pub fn set_ttl(&self, ttl: u8) -> io::Result<()> {
        if self.is_ipv6()? {
            Ok(sockopt::set_ipv6_unicast_hops(&self.fd, Some(ttl))?)
        } else {
            Ok(sockopt::set_ip_ttl(&self.fd, ttl.into())?)
        }
    }

    /// The least TTL or hop limit accepted (RFC 5082); 0 accepts all. On a listening socket accepted
    /// connections inherit it.
    pub fn set_min_ttl(&self, ttl: u8) -> io::Result<()> {
        let value = c_int::from(ttl);
        if self.is_ipv6()? {
            self.set(libc::IPPROTO_IPV6, libc::IPV6_MINHOPCOUNT, &value)
        } else {
            self.set(libc::IPPROTO_IP, libc::IP_MINTTL, &value)
        }
    }

    /// Restricts the socket to the interface of this name.
    pub fn bind_device(&self, device: &str) -> io::Result<()> {
        let name = CString::new(device)?;
        self.set_bytes(libc::SOL_SOCKET, libc::SO_BINDTODEVICE, name.as_bytes_with_nul())
    }

    /// Sets the TCP MD5 key (RFC 2385) for a peer, or with a prefix length for every peer in the prefix. An
    /// empty key removes it. On a listening socket accepted connections inherit the key of their peer.
    pub fn set_md5(&self, peer: IpAddr, prefix: Option<u8>, key: &[u8]) -> io::Result<()> {
        let signature = Md5Signature::new(peer, prefix, key)?;
        match prefix {
            None => self.set(libc::IPPROTO_TCP, libc::TCP_MD5SIG, &signature),
            Some(_) => self.set(libc::IPPROTO_TCP, libc::TCP_MD5SIG_EXT, &signature),
        }
    }

    /// Removes the TCP MD5 key of a peer or prefix; that there was none is no error.
    pub fn remove_md5(&self, peer: IpAddr, prefix: Option<u8>) -> io::Result<()> {
        match self.set_md5(peer, prefix, &[]) {
            Err(error) if error.raw_os_error() == Some(libc::ENOENT) => Ok(()),
            result => result,
        }
    }

    /// What the kernel knows of this TCP connection.
    pub fn tcp_info(&self) -> io::Result<TcpInfo> {
        let mut raw = [0u8; TCP_INFO_SIZE];
        let mut length = TCP_INFO_SIZE as libc::socklen_t;
        // SAFETY: `raw` is valid for writes of `length` bytes, and `length` is a valid in-out argument.
        let result = unsafe {
            libc::getsockopt(
                self.fd.as_raw_fd(),
                libc::IPPROTO_TCP,
                libc::TCP_INFO,
                raw.as_mut_ptr().cast::<c_void>(),
                &raw mut length,
            )
        };
        check(result)?;
        Ok(TcpInfo {
            since_data_received: Duration::from_millis(field::<4>(&raw, 52)),
            round_trip: Duration::from_micros(field::<4>(&raw, 68)),
            retransmits: field::<4>(&raw, 100) as u32,
            bytes_acked: field::<8>(&raw, 120),
            bytes_received: field::<8>(&raw, 128),
        })
    }

    /// How many received bytes wait to be read (`SIOCINQ`).
    pub fn pending(&self) -> io::Result<usize> {
        let count = rustix::io::ioctl_fionread(&self.fd)?;
        Ok(usize::try_from(count).unwrap_or(usize::MAX))
    }

    /// The user and group of the process at the other end of a Unix socket.
    pub fn peer_user(&self) -> io::Result<(u32, u32)> {
        let peer = sockopt::socket_peercred(&self.fd)?;
        Ok((peer.uid.as_raw(), peer.gid.as_raw()))
    }

    pub(super) fn set_bind_address_no_port(&self) -> io::Result<()> {
        const IP_BIND_ADDRESS_NO_PORT: c_int = 24;
        self.set::<c_int>(libc::IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &1)
    }

    fn is_ipv6(&self) -> io::Result<bool> {
        Ok(sockopt::socket_domain(&self.fd)? == rustix::net::AddressFamily::INET6)
    }

    /// `T` is the option's C type, without padding.
    fn set<T: Copy>(&self, level: c_int, name: c_int, value: &T) -> io::Result<()> {
        let value: *const T = value;
        self.set_raw(level, name, value.cast(), size_of::<T>())
    }

    fn set_bytes(&self, level: c_int, name: c_int, value: &[u8]) -> io::Result<()> {
        self.set_raw(level, name, value.as_ptr().cast(), value.len())
    }

    fn set_raw(&self, level: c_int, name: c_int, at: *const c_void, size: usize) -> io::Result<()> {
        // SAFETY: both callers pass a live value of `size` bytes, which the kernel only reads.
        let result = unsafe {
            libc::setsockopt(self.fd.as_raw_fd(), level, name, at, size as libc::socklen_t)
        };
        check(result)
    }
}

/// `struct tcp_md5sig` of `linux/tcp.h`.
#[repr(C, align(8))]
#[derive(Clone, Copy)]
struct Md5Signature {
    /// `struct sockaddr_storage`.
    address: [u8; 128],
    flags: u8,
    prefix: u8,
    key_length: u16,
    interface: i32,
    key: [u8; MAX_MD5_KEY],
}

const _: () = assert!(size_of::<Md5Signature>() == 216);

impl Md5Signature {
    const FLAG_PREFIX: u8 = 1;

    fn new(peer: IpAddr, prefix: Option<u8>, key: &[u8]) -> io::Result<Self> {
        let mut signature = Self {
            address: [0; 128],
            flags: if prefix.is_some() { Self::FLAG_PREFIX } else { 0 },
            prefix: prefix.unwrap_or(0),
            key_length: key.len() as u16,
            interface: 0,
            key: [0; MAX_MD5_KEY],
        };
        let too_long = || {
            let message = format!("TCP MD5 key is longer than {MAX_MD5_KEY} bytes");
            io::Error::new(io::ErrorKind::InvalidInput, message)
        };
        signature.key.get_mut(..key.len()).ok_or_else(too_long)?.copy_from_slice(key);
        // sin_family; then sin_port, sin_addr or sin6_port, sin6_flowinfo, sin6_addr.
        let (family, at, address): (c_int, usize, &[u8]) = match &peer {
            IpAddr::V4(peer) => (libc::AF_INET, 4, &peer.octets()),
            IpAddr::V6(peer) => (libc::AF_INET6, 8, &peer.octets()),
        };
        signature.address[..2].copy_from_slice(&(family as u16).to_ne_bytes());
        signature.address[at..at + address.len()].copy_from_slice(address);
        Ok(signature)
    }
}

/// Room for `struct tcp_info` as far as it is read here; the kernel cuts what it writes to this.
const TCP_INFO_SIZE: usize = 136;

/// A field of `struct tcp_info` by its offset, which the kernel's interface fixes.
fn field<const SIZE: usize>(raw: &[u8; TCP_INFO_SIZE], offset: usize) -> u64 {
    let mut value = [0; 8];
    let bytes = raw.get(offset..offset + SIZE).unwrap_or_default();
    if cfg!(target_endian = "little") {
        value[..bytes.len()].copy_from_slice(bytes);
    } else {
        value[8 - bytes.len()..].copy_from_slice(bytes);
    }
    u64::from_ne_bytes(value)
}

fn check(result: c_int) -> io::Result<()> {
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

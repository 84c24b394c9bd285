//! Sockets to the kernel's routing netlink. What is said over them is the business of others.
//!
//! [`open`] gives a plain descriptor: one `read` takes one datagram of messages, one `write` sends one
//! request. When the kernel had to drop notifications because nobody read in time, a read fails once with
//! [`is_overrun`].

use std::io;
use std::os::fd::OwnedFd;

use rustix::io::Errno;
use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, connect, socket_with, sockopt};

/// Groups of notifications of `NETLINK_ROUTE`, to be combined.
pub mod group {
    /// Interfaces.
    pub const LINK: u32 = 0x1;
    /// IPv4 addresses.
    pub const IPV4_ADDRESS: u32 = 0x10;
    /// IPv6 addresses.
    pub const IPV6_ADDRESS: u32 = 0x100;
}

/// Opens a non-blocking `NETLINK_ROUTE` socket that hears these groups and talks to the kernel only.
/// `receive_buffer` is how many bytes may wait there, as far as the system allows.
///
/// # Errors
/// If the system has no such sockets or no descriptors left.
pub fn open(groups: u32, receive_buffer: usize) -> io::Result<OwnedFd> {
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    // No protocol number is that of routing.
    let fd = socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, None)?;
    // Beyond the system's limit only with privileges; the limit itself is taken in silence.
    if sockopt::set_socket_recv_buffer_size_force(&fd, receive_buffer).is_err() {
        sockopt::set_socket_recv_buffer_size(&fd, receive_buffer)?;
    }
    bind(&fd, &SocketAddrNetlink::new(0, groups))?;
    // Number 0 is the kernel: what other processes send is refused from here on.
    connect(&fd, &SocketAddrNetlink::new(0, 0))?;
    Ok(fd)
}

/// Whether a failed read says that notifications were lost: everything has to be asked for again.
pub fn is_overrun(error: &io::Error) -> bool {
    error.raw_os_error() == Some(Errno::NOBUFS.raw_os_error())
}

#[cfg(test)]
mod tests {
    use super::{group, is_overrun, open};
    use std::io;

    #[test]
    fn an_ordinary_user_gets_an_answer() {
        let fd = open(group::LINK, 65536).unwrap();
        // RTM_GETLINK with NLM_F_REQUEST and NLM_F_DUMP, and an empty ifinfomsg.
        let mut request = Vec::new();
        request.extend(32_u32.to_ne_bytes());
        request.extend(18_u16.to_ne_bytes());
        request.extend(0x301_u16.to_ne_bytes());
        request.extend(7_u32.to_ne_bytes());
        request.extend([0; 20]);
        assert_eq!(rustix::io::write(&fd, &request).unwrap(), 32);
        let mut answer = vec![0; 65536];
        let length = rustix::io::read(&fd, &mut *answer).unwrap();
        assert!(length > 16);
        assert_eq!(answer[4..6], 16_u16.to_ne_bytes(), "RTM_NEWLINK");
        assert_eq!(answer[8..12], 7_u32.to_ne_bytes(), "our sequence number");
    }

    #[test]
    fn overruns_are_known() {
        assert!(is_overrun(&io::Error::from_raw_os_error(libc::ENOBUFS)));
        assert!(!is_overrun(&io::Error::from(io::ErrorKind::WouldBlock)));
    }
}

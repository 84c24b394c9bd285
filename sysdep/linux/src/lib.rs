//! Linux: the interfaces of the machine, read by netlink and kept current.
//!
//! * [`netlink`]: the messages, bytes to values and back; nothing else.
//! * [`NetlinkInterfaces`]: the loop that asks, listens and publishes; works as an ordinary user.
//!
//! Deliberately absent: kernel routes, and changing anything in the kernel.

pub mod netlink;

mod machine;
mod watch;

pub use watch::NetlinkInterfaces;

//! Readiness of descriptors, level-triggered, with interest changed explicitly.
//!
//! Two back ends with one interface: [`epoll`] costs one system call a turn on Linux, [`portable`] works
//! wherever the `polling` crate does. [`Poller`] and [`Events`] name the one this system uses.

#[cfg(target_os = "linux")]
pub mod epoll;
pub mod portable;
mod wake;

#[cfg(test)]
mod tests;

#[cfg(target_os = "linux")]
pub use self::epoll::{Events, Poller};
#[cfg(not(target_os = "linux"))]
pub use self::portable::{Events, Poller};
pub use self::wake::Waker;

/// What the owner of a descriptor wants to be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Interest {
    /// Tell when a read would not block.
    pub read: bool,
    /// Tell when a write would not block.
    pub write: bool,
}

impl Interest {
    /// Errors and hang-ups only.
    pub const NONE: Self = Self { read: false, write: false };
    /// Readable only.
    pub const READ: Self = Self { read: true, write: false };
    /// Writable only.
    pub const WRITE: Self = Self { read: false, write: true };
    /// Both directions.
    pub const BOTH: Self = Self { read: true, write: true };
}

/// One descriptor's readiness.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Event {
    /// The key given when the descriptor was added.
    pub key: u64,
    /// A read would not block; it may return data, the end of the stream or an error.
    pub readable: bool,
    /// A write would not block.
    pub writable: bool,
    /// The descriptor has an error or both directions are shut; reported whatever the interest is.
    pub error: bool,
}

//! The poller of every other system, on the `polling` crate; also compiled on Linux so that one set of
//! tests holds both to the same behaviour.
#![expect(
    unsafe_code,
    reason = "adding a descriptor to `polling` asks for a promise about its lifetime"
)]

use std::io;
use std::num::NonZeroUsize;
use std::os::fd::{AsFd, AsRawFd};
use std::time::Duration;

use polling::PollMode;

use super::{Event, Interest};

/// A set of descriptors and the wait for any of them.
#[derive(Debug)]
pub struct Poller {
    inner: polling::Poller,
}

impl Poller {
    /// An empty set.
    pub fn new() -> io::Result<Self> {
        Ok(Self { inner: polling::Poller::new()? })
    }

    /// Watches `fd`; its events carry `key`. A descriptor can be in the set once.
    pub fn add(&self, fd: impl AsFd, key: u64, interest: Interest) -> io::Result<()> {
        let raw = fd.as_fd().as_raw_fd();
        // SAFETY: the descriptor is open now. One closed without `delete` can at worst give readiness under
        // an old key, which callers must tell apart anyway (keys carry a generation); no memory depends on it.
        unsafe { self.inner.add_with_mode(raw, event(key, interest)?, PollMode::Level) }
    }

    /// Changes the key and the interest of `fd`.
    pub fn modify(&self, fd: impl AsFd, key: u64, interest: Interest) -> io::Result<()> {
        self.inner.modify_with_mode(fd.as_fd(), event(key, interest)?, PollMode::Level)
    }

    /// Takes `fd` out of the set. Call it before closing the descriptor.
    pub fn delete(&self, fd: impl AsFd) -> io::Result<()> {
        self.inner.delete(fd.as_fd())
    }

    /// Waits until something is ready or `timeout` has passed (`None`: for ever); replaces what `events` held.
    pub fn wait(&self, events: &mut Events, timeout: Option<Duration>) -> io::Result<()> {
        events.inner.clear();
        self.inner.wait(&mut events.inner, timeout)?;
        Ok(())
    }
}

/// Room for what one wait returns.
#[derive(Debug)]
pub struct Events {
    inner: polling::Events,
}

impl Events {
    /// Room for `capacity` events; more are left for the next wait.
    pub fn with_capacity(capacity: usize) -> Self {
        let capacity = NonZeroUsize::new(capacity).unwrap_or(NonZeroUsize::MIN);
        Self { inner: polling::Events::with_capacity(capacity) }
    }

    /// What the last wait found.
    pub fn iter(&self) -> impl Iterator<Item = Event> + '_ {
        self.inner.iter().map(|event| {
            let error = event.is_interrupt() || event.is_err().unwrap_or(false);
            Event {
                key: event.key as u64,
                readable: error || event.readable,
                writable: error || event.writable,
                error,
            }
        })
    }

    /// How many events the last wait found.
    pub fn len(&self) -> usize {
        self.inner.len()
    }

    /// Whether the last wait found nothing.
    pub fn is_empty(&self) -> bool {
        self.inner.is_empty()
    }
}

/// `usize::MAX` is reserved by `polling`, and a 32-bit system cannot carry a 64-bit key.
fn event(key: u64, interest: Interest) -> io::Result<polling::Event> {
    let key = usize::try_from(key)
        .ok()
        .filter(|key| *key != usize::MAX)
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "poller key out of range"))?;
    Ok(polling::Event::new(key, interest.read, interest.write))
}

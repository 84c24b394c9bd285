//! The poller of Linux: one `epoll_pwait2` a turn, timeouts to the nanosecond.
#![expect(unsafe_code, reason = "the old epoll_wait is reached through libc")]

use std::fmt;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::Errno;

use super::{Event, Interest};

/// A set of descriptors and the wait for any of them.
#[derive(Debug)]
pub struct Poller {
    epoll: OwnedFd,
    /// Written by the waiting thread when the kernel or a container's filter refuses `epoll_pwait2`; read by
    /// the same. Relaxed: it publishes nothing.
    coarse: AtomicBool,
}

impl Poller {
    /// An empty set.
    pub fn new() -> io::Result<Self> {
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        Ok(Self { epoll, coarse: AtomicBool::new(false) })
    }

    /// Watches `fd`; its events carry `key`. A descriptor can be in the set once.
    pub fn add(&self, fd: impl AsFd, key: u64, interest: Interest) -> io::Result<()> {
        Ok(epoll::add(&self.epoll, fd, EventData::new_u64(key), flags(interest))?)
    }

    /// Changes the key and the interest of `fd`.
    pub fn modify(&self, fd: impl AsFd, key: u64, interest: Interest) -> io::Result<()> {
        Ok(epoll::modify(&self.epoll, fd, EventData::new_u64(key), flags(interest))?)
    }

    /// Takes `fd` out of the set. Call it before closing the descriptor.
    pub fn delete(&self, fd: impl AsFd) -> io::Result<()> {
        Ok(epoll::delete(&self.epoll, fd)?)
    }

    /// Waits until something is ready or `timeout` has passed (`None`: for ever); replaces what `events` held.
    /// Returns early, with no events, when a signal interrupts it.
    pub fn wait(&self, events: &mut Events, timeout: Option<Duration>) -> io::Result<()> {
        events.list.clear();
        let timespec = timeout.map(|t| Timespec {
            tv_sec: i64::try_from(t.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: t.subsec_nanos().into(),
        });
        if self.coarse.load(Ordering::Relaxed) {
            return self.wait_coarse(events, timespec.as_ref());
        }
        match epoll::wait(&self.epoll, spare_capacity(&mut events.list), timespec.as_ref()) {
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(Errno::NOSYS | Errno::PERM) => {
                self.coarse.store(true, Ordering::Relaxed);
                self.wait_coarse(events, timespec.as_ref())
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Where `epoll_pwait2` is refused: `ppoll` on the epoll descriptor keeps the fine timeout.
    fn wait_coarse(&self, events: &mut Events, timeout: Option<&Timespec>) -> io::Result<()> {
        let mut set = [PollFd::new(&self.epoll, PollFlags::IN)];
        match rustix::event::poll(&mut set, timeout) {
            Ok(0) | Err(Errno::INTR) => return Ok(()),
            Ok(_) => {}
            Err(error) => return Err(error.into()),
        }
        const BATCH: usize = 64;
        let mut batch = [libc::epoll_event { events: 0, u64: 0 }; BATCH];
        let room = BATCH.min(events.list.capacity()) as libc::c_int;
        // SAFETY: `batch` is valid for writes of `room` events, and the descriptor is an epoll set.
        let count =
            unsafe { libc::epoll_wait(self.epoll.as_raw_fd(), batch.as_mut_ptr(), room, 0) };
        let Ok(count) = usize::try_from(count) else {
            return ignore_interrupt(io::Error::last_os_error());
        };
        events.list.extend(batch.iter().take(count).map(|event| epoll::Event {
            flags: EventFlags::from_bits_retain(event.events),
            data: EventData::new_u64(event.u64),
        }));
        Ok(())
    }
}

fn ignore_interrupt(error: io::Error) -> io::Result<()> {
    if error.kind() == io::ErrorKind::Interrupted { Ok(()) } else { Err(error) }
}

impl AsFd for Poller {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.epoll.as_fd()
    }
}

/// Room for what one wait returns.
pub struct Events {
    list: Vec<epoll::Event>,
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl Events {
    /// Room for `capacity` events; more are left for the next wait.
    pub fn with_capacity(capacity: usize) -> Self {
        Self { list: Vec::with_capacity(capacity.max(1)) }
    }

    /// What the last wait found.
    pub fn iter(&self) -> impl Iterator<Item = Event> + '_ {
        self.list.iter().map(|event| {
            let flags = event.flags;
            let error = flags.intersects(EventFlags::ERR | EventFlags::HUP);
            Event {
                key: event.data.u64(),
                readable: error || flags.intersects(EventFlags::IN | EventFlags::RDHUP),
                writable: error || flags.contains(EventFlags::OUT),
                error,
            }
        })
    }

    /// How many events the last wait found.
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether the last wait found nothing.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }
}

fn flags(interest: Interest) -> EventFlags {
    let mut flags = EventFlags::empty();
    flags.set(EventFlags::IN | EventFlags::RDHUP, interest.read);
    flags.set(EventFlags::OUT, interest.write);
    flags
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::monotonic;
    use crate::poll::Waker;

    #[test]
    fn a_system_without_pwait2_keeps_readiness_and_fine_timeouts() {
        let poller = Poller { coarse: AtomicBool::new(true), ..Poller::new().unwrap() };
        let waker = Waker::new().unwrap();
        poller.add(&waker, 3, Interest::READ).unwrap();
        let mut events = Events::with_capacity(4);
        let mut best = u64::MAX;
        for _ in 0..20 {
            let start = monotonic();
            poller.wait(&mut events, Some(Duration::from_micros(200))).unwrap();
            assert!(events.is_empty());
            best = best.min(monotonic() - start);
        }
        assert!((200_000..950_000).contains(&best), "{best} ns");
        waker.wake().unwrap();
        poller.wait(&mut events, None).unwrap();
        let ready = Event { key: 3, readable: true, writable: false, error: false };
        assert_eq!(events.iter().collect::<Vec<_>>(), [ready]);
    }
}

//! Signals that ask for something, delivered as a readable descriptor.
#![expect(unsafe_code, reason = "installs a signal handler")]

use std::ffi::c_int;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::ptr;
use std::sync::atomic::{AtomicI32, Ordering};

use rustix::pipe::{PipeFlags, pipe_with};

/// A request by signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// `SIGHUP`: read the configuration again.
    Hangup,
    /// `SIGTERM`: stop.
    Terminate,
    /// `SIGINT`: stop, from the terminal.
    Interrupt,
    /// `SIGUSR1`: dump what is known.
    User1,
}

impl Signal {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Hangup, Self::Terminate, Self::Interrupt, Self::User1];

    const fn number(self) -> c_int {
        match self {
            Self::Hangup => libc::SIGHUP,
            Self::Terminate => libc::SIGTERM,
            Self::Interrupt => libc::SIGINT,
            Self::User1 => libc::SIGUSR1,
        }
    }
}

/// Receives signals from now on. They interrupt no call that can be restarted. One per process; dropping it
/// gives the signals their default action back.
#[derive(Debug)]
pub struct Signals {
    read: OwnedFd,
    write: OwnedFd,
    wanted: Vec<Signal>,
}

/// The pipe's write end, -1 while there is none. Written by [`Signals`], read by the handler; release and
/// acquire, so that the pipe is open before its number is seen.
static PIPE: AtomicI32 = AtomicI32::new(-1);

impl Signals {
    /// Starts to receive `wanted`.
    pub fn new(wanted: &[Signal]) -> io::Result<Self> {
        let (read, write) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)?;
        let number = write.as_raw_fd();
        if PIPE.compare_exchange(-1, number, Ordering::Release, Ordering::Relaxed).is_err() {
            let message = "signals are received elsewhere in this process";
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, message));
        }
        let signals = Self { read, write, wanted: wanted.to_vec() };
        signals.wanted.iter().try_for_each(|signal| set_handler(*signal, true))?;
        Ok(signals)
    }

    /// The next signal that has arrived, or `None`. Many arrivals of one signal may come as several.
    pub fn take(&self) -> Option<Signal> {
        let mut byte = [0];
        loop {
            return match rustix::io::read(&self.read, &mut byte) {
                Err(rustix::io::Errno::INTR) => continue,
                Err(_) | Ok(0) => None,
                Ok(_) => Signal::ALL.into_iter().find(|s| s.number() == c_int::from(byte[0])),
            };
        }
    }
}

impl AsFd for Signals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.read.as_fd()
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        for signal in &self.wanted {
            let _ = set_handler(*signal, false);
        }
        debug_assert_eq!(PIPE.load(Ordering::Relaxed), self.write.as_raw_fd());
        PIPE.store(-1, Ordering::Release);
    }
}

extern "C" fn handle(signal: c_int) {
    let pipe = PIPE.load(Ordering::Acquire);
    let byte = signal as u8;
    if pipe >= 0 {
        // SAFETY: the pipe is open while its number is published; a full pipe already wakes the reader. The
        // raw system call of rustix leaves `errno` of the interrupted code alone.
        let pipe = unsafe { BorrowedFd::borrow_raw(pipe) };
        let _ = rustix::io::write(pipe, &[byte]);
    }
}

fn set_handler(signal: Signal, ours: bool) -> io::Result<()> {
    // SAFETY: zero is a valid sigaction: default action, empty mask, no flags.
    let mut action: libc::sigaction = unsafe { MaybeUninit::zeroed().assume_init() };
    if ours {
        let handler: extern "C" fn(c_int) = handle;
        action.sa_sigaction = handler as usize;
        action.sa_flags = libc::SA_RESTART;
    }
    // SAFETY: `action` is complete, and `handle` is async-signal-safe.
    match unsafe { libc::sigaction(signal.number(), &raw const action, ptr::null_mut()) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::poll::{Events, Interest, Poller};

    #[test]
    fn a_signal_makes_the_descriptor_readable() {
        let signals = Signals::new(&[Signal::User1, Signal::Hangup]).unwrap();
        let refused = Signals::new(&[Signal::User1]).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(signals.take(), None);
        let poller = Poller::new().unwrap();
        poller.add(&signals, 5, Interest::READ).unwrap();
        let own = rustix::process::getpid();
        for (sent, expected) in [
            (rustix::process::Signal::HUP, Signal::Hangup),
            (rustix::process::Signal::USR1, Signal::User1),
        ] {
            rustix::process::kill_process(own, sent).unwrap();
            let mut events = Events::with_capacity(1);
            // A wait that the signal interrupts returns without events.
            while events.is_empty() {
                poller.wait(&mut events, Some(Duration::from_secs(5))).unwrap();
            }
            assert_eq!(signals.take(), Some(expected));
            assert_eq!(signals.take(), None);
        }
        drop(signals);
        drop(Signals::new(&[Signal::User1]).unwrap());
    }
}

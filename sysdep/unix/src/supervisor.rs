//! What the main thread waits for: signals, and what the manager says about the daemon as a whole.
//!
//! It is no worker, so it notices a signal even if every worker is stuck.

use core::time::Duration;
use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};

use dunlin_os::poll::{Events, Interest, Poller, Waker};
use dunlin_os::signal::{Signal, Signals};

/// Something that the manager, or the runtime, tells the main thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Milestone {
    /// Everything of the first configuration has been started.
    Started,
    /// The daemon has to end with this code.
    Finished(i32),
    /// A part that nothing works without has failed: the process has to end at once.
    Broken,
}

/// What has happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Happening {
    /// A signal has arrived.
    Signal(Signal),
    /// The manager has something to say.
    Milestone(Milestone),
    /// Nothing, for as long as asked.
    Nothing,
}

/// The manager's way to the main thread.
#[derive(Clone, Debug)]
pub struct Announcer {
    sender: Sender<Milestone>,
    waker: Arc<Waker>,
}

impl Announcer {
    /// Tells the main thread.
    pub fn announce(&self, milestone: Milestone) {
        // The main thread is the last to go.
        let _ = self.sender.send(milestone);
        let _ = self.waker.wake();
    }
}

/// The main thread's end.
#[derive(Debug)]
pub struct Supervisor {
    poller: Poller,
    signals: Signals,
    waker: Arc<Waker>,
    milestones: Receiver<Milestone>,
    pending: VecDeque<Happening>,
}

const SIGNALS: u64 = 1;
const WAKER: u64 = 2;

impl Supervisor {
    /// Receives the process's signals from now on.
    ///
    /// # Errors
    /// If the system refuses, or they are received elsewhere.
    pub fn new() -> io::Result<(Self, Announcer)> {
        let poller = Poller::new()?;
        let signals = Signals::new(&Signal::ALL)?;
        let waker = Arc::new(Waker::new()?);
        poller.add(&signals, SIGNALS, Interest::READ)?;
        poller.add(&*waker, WAKER, Interest::READ)?;
        let (sender, milestones) = mpsc::channel();
        let announcer = Announcer { sender, waker: Arc::clone(&waker) };
        let pending = VecDeque::new();
        Ok((Self { poller, signals, waker, milestones, pending }, announcer))
    }

    /// Waits for the next thing to happen, at most so long.
    ///
    /// # Errors
    /// If the system does not let us wait.
    pub fn next(&mut self, timeout: Option<Duration>) -> io::Result<Happening> {
        if self.pending.is_empty() {
            let mut events = Events::with_capacity(2);
            self.poller.wait(&mut events, timeout)?;
            // Looked at before the signals, so that no end is missed behind many of them.
            self.waker.drain()?;
            self.pending.extend(self.milestones.try_iter().map(Happening::Milestone));
            while let Some(signal) = self.signals.take() {
                self.pending.push_back(Happening::Signal(signal));
            }
        }
        Ok(self.pending.pop_front().unwrap_or(Happening::Nothing))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn milestones_and_signals_arrive() {
        let (mut supervisor, announcer) = Supervisor::new().unwrap();
        let short = Some(Duration::from_millis(1));
        assert_eq!(supervisor.next(short).unwrap(), Happening::Nothing);
        let thread = std::thread::spawn(move || {
            announcer.announce(Milestone::Started);
            announcer.announce(Milestone::Finished(3));
        });
        thread.join().unwrap();
        let long = Some(Duration::from_secs(5));
        let first = supervisor.next(long).unwrap();
        assert_eq!(first, Happening::Milestone(Milestone::Started));
        let second = supervisor.next(long).unwrap();
        assert_eq!(second, Happening::Milestone(Milestone::Finished(3)));
        let own = rustix::process::getpid();
        rustix::process::kill_process(own, rustix::process::Signal::HUP).unwrap();
        let mut happening = Happening::Nothing;
        while happening == Happening::Nothing {
            happening = supervisor.next(long).unwrap();
        }
        assert_eq!(happening, Happening::Signal(Signal::Hangup));
    }
}

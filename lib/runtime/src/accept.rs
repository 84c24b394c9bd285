//! Listening while nothing can be accepted.

use core::time::Duration;
use std::io::{self, ErrorKind};

use dunlin_sync::Class;

use crate::{
    context::Context,
    ids::{SocketId, TimerId},
    runloop::Interest,
};

/// Gives listening sockets of one loop a rest when accepting fails, as it does while the process or
/// the system has no descriptor left (`EMFILE`, `ENFILE`). The connection that waits keeps the socket
/// ready, so trying again at once would do nothing else.
///
/// The loop calls [`start`](Self::start) when it starts, [`worked`](Self::worked) and
/// [`failed`](Self::failed) with what came of each attempt, and [`timer`](Self::timer) from its timer
/// handler.
#[derive(Debug, Default)]
pub struct AcceptPause {
    timer: TimerId,
    resting: Vec<SocketId>,
    /// Nothing was accepted since the last failure.
    failing: bool,
}

impl AcceptPause {
    /// How long a socket rests.
    pub const SPAN: Duration = Duration::from_secs(1);

    /// Makes the timer.
    pub fn start(&mut self, cx: &mut Context<'_>) {
        self.timer = cx.timer(Class::Control);
    }

    /// A connection was accepted.
    pub fn worked(&mut self) {
        self.failing = false;
    }

    /// Accepting failed. True if the failure is worth a word: it is more than that no connection
    /// waits, and the first since something was accepted. The socket rests for [`Self::SPAN`] then.
    pub fn failed(&mut self, cx: &mut Context<'_>, listener: SocketId, error: &io::Error) -> bool {
        // Whoever hung up before we came has taken its connection away.
        let passing = [ErrorKind::WouldBlock, ErrorKind::Interrupted, ErrorKind::ConnectionAborted];
        if passing.contains(&error.kind()) {
            return false;
        }
        // A socket that cannot be told to rest is closed.
        if cx.interest(listener, Interest::NONE).is_ok() {
            self.resting.push(listener);
            if cx.expires(self.timer).is_none() {
                cx.arm_after(self.timer, Self::SPAN);
            }
        }
        !core::mem::replace(&mut self.failing, true)
    }

    /// A timer has expired: if it is ours, sockets are looked at again.
    pub fn timer(&mut self, cx: &mut Context<'_>, timer: TimerId) {
        if timer == self.timer {
            for listener in self.resting.drain(..) {
                // It may have been closed meanwhile.
                let _ = cx.interest(listener, Interest::READ);
            }
        }
    }
}

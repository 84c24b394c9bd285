//! One TCP connection.

use core::net::SocketAddr;

use dunlin_runtime::{Context, Interest, SocketId};

/// A connection, and what is buffered for it. Most of the time both buffers are empty.
pub(super) struct Link {
    pub(super) socket: SocketId,
    /// It isn't decided yet.
    pub(super) connecting: bool,
    pub(super) local: Option<SocketAddr>,
    /// The beginning of a message whose end hasn't come.
    pub(super) partial: Vec<u8>,
    /// Control messages, behind the rest of a message that was begun.
    pub(super) out: Vec<u8>,
    /// Reading waits for credit.
    pub(super) paused: bool,
    /// The socket took less than there was.
    pub(super) blocked: bool,
    /// A NOTIFICATION is in `out`, or was: nothing follows it.
    pub(super) farewell: bool,
    interest: Interest,
}

impl Link {
    /// A connection that is there.
    pub(super) fn open(socket: SocketId, local: Option<SocketAddr>) -> Self {
        Self {
            socket,
            connecting: false,
            local,
            partial: Vec::new(),
            out: Vec::new(),
            paused: false,
            blocked: false,
            farewell: false,
            interest: Interest::READ,
        }
    }

    /// One that isn't decided yet.
    pub(super) fn connecting(socket: SocketId) -> Self {
        Self { connecting: true, interest: Interest::WRITE, ..Self::open(socket, None) }
    }

    /// Tells the runtime what to wait for.
    pub(super) fn update_interest(&mut self, cx: &mut Context<'_>) {
        let interest = if self.connecting {
            Interest::WRITE
        } else {
            Interest { read: !self.paused, write: self.blocked }
        };
        if interest != self.interest && cx.interest(self.socket, interest).is_ok() {
            self.interest = interest;
        }
    }
}

//! The end of a connection, behind the last that the neighbour is told.
//!
//! A NOTIFICATION may find the socket full, with a neighbour that reads, only has much to read. Such a connection
//! parts from its session and stays for a moment, until everything is written or the neighbour has had time enough.

use core::time::Duration;
use std::io::{ErrorKind, IoSlice};

use dunlin_runtime::{Context, SocketId};

use super::link::Link;
use super::{Session, Side};

/// How long a neighbour may take to read what is before its last message. Less than protocols have when
/// the daemon ends (`nest/core/src/manager/phases.rs`).
const PATIENCE: Duration = Duration::from_secs(1);

impl Session {
    /// Closes a connection behind what was sent before, or gives up opening it.
    pub(super) fn close(&mut self, cx: &mut Context<'_>, side: Side) {
        let Some(mut link) = self.link_place(side).take() else { return };
        let Some(handles) = self.handles.filter(|_| link.farewell && !link.out.is_empty()) else {
            return shut(cx, &link);
        };
        (link.paused, link.blocked) = (true, true);
        link.update_interest(cx);
        // With another one under way, as long as that has still: nobody waits longer than once.
        if self.parting.is_empty() {
            cx.arm_after(handles.parting, PATIENCE);
        }
        self.parting.push(link);
    }

    /// Goes on with a connection that parts; false if this is none.
    pub(super) fn part(&mut self, cx: &mut Context<'_>, socket: SocketId) -> bool {
        let Some(at) = self.parting.iter().position(|link| link.socket == socket) else {
            return false;
        };
        let link = &mut self.parting[at];
        match cx.write_vectored(socket, &[IoSlice::new(&link.out)]) {
            Ok(written) => drop(link.out.drain(..written)),
            Err(error)
                if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
            // It is broken: nobody hears us.
            Err(_) => link.out.clear(),
        }
        if link.out.is_empty() {
            let link = self.parting.swap_remove(at);
            shut(cx, &link);
            self.finish_when_done(cx);
        }
        true
    }

    /// Those that part have had time enough.
    pub(super) fn end_parting(&mut self, cx: &mut Context<'_>) {
        for link in core::mem::take(&mut self.parting) {
            shut(cx, &link);
        }
        self.finish_when_done(cx);
    }
}

fn shut(cx: &mut Context<'_>, link: &Link) {
    if !link.connecting {
        // Unread bytes would make the system reset the connection, and the neighbour might
        // never see the NOTIFICATION.
        let mut buffer = cx.take_read_buffer();
        for _ in 0..4 {
            if !matches!(cx.read(link.socket, &mut buffer), Ok(count) if count > 0) {
                break;
            }
        }
        cx.put_read_buffer(buffer);
    }
    cx.close(link.socket);
}

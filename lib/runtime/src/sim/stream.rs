//! One end of a simulated connection.

use core::net::SocketAddr;
use std::{
    collections::VecDeque,
    io::{self, ErrorKind},
};

use crate::{runloop::Ready, time::Time};

/// A listening socket.
#[derive(Debug)]
pub(super) struct Listener {
    pub(super) local: SocketAddr,
    /// Connections not accepted yet.
    pub(super) backlog: VecDeque<u32>,
}

/// One end of a connection.
#[derive(Debug)]
pub(super) struct Stream {
    pub(super) local: SocketAddr,
    pub(super) remote: SocketAddr,
    pub(super) phase: Phase,
    /// The other end, once there is one.
    pub(super) peer: Option<u32>,
    /// What has arrived and not been read.
    received: VecDeque<u8>,
    /// The other end has said that no more comes.
    ended: bool,
    /// No more is sent.
    pub(super) finished: bool,
    /// Bytes sent that the other end has not read yet, as far as is known here.
    pub(super) unread: usize,
    /// Not reported yet.
    pub(super) error: Option<ErrorKind>,
    /// The other end has been closed: what is sent there from now on is answered by a reset.
    pub(super) peer_is_gone: bool,
    /// When the last segment sent from here arrives: later ones do not overtake it.
    pub(super) last_arrival: Time,
    /// How often opening has been tried.
    pub(super) tries: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    Connecting,
    Open,
    Failed,
}

/// What is under way.
#[derive(Debug)]
pub(super) enum Segment {
    /// A connection request; kept with the socket that made it.
    Open {
        listener: Option<u32>,
    },
    /// It has been taken.
    Opened {
        peer: u32,
    },
    Data(Vec<u8>),
    /// This much has been read.
    Credit(usize),
    /// No more comes.
    End,
    Reset(ErrorKind),
}

impl Stream {
    pub(super) fn connecting(local: SocketAddr, remote: SocketAddr) -> Self {
        Self {
            local,
            remote,
            phase: Phase::Connecting,
            peer: None,
            received: VecDeque::new(),
            ended: false,
            finished: false,
            unread: 0,
            error: None,
            peer_is_gone: false,
            last_arrival: Time::ZERO,
            tries: 0,
        }
    }

    pub(super) fn open(local: SocketAddr, remote: SocketAddr, peer: u32) -> Self {
        let phase = Phase::Open;
        Self { phase, peer: Some(peer), ..Self::connecting(local, remote) }
    }

    /// A segment arrives.
    pub(super) fn take(&mut self, segment: Segment) {
        match segment {
            Segment::Opened { peer } => {
                self.peer = Some(peer);
                if self.phase == Phase::Connecting {
                    self.phase = Phase::Open;
                }
            }
            Segment::Data(bytes) => self.received.extend(bytes),
            Segment::Credit(count) => self.unread = self.unread.saturating_sub(count),
            Segment::End => self.ended = true,
            Segment::Open { .. } | Segment::Reset(_) => {}
        }
    }

    pub(super) fn fail(&mut self, error: ErrorKind) {
        if self.phase != Phase::Failed {
            self.phase = Phase::Failed;
            self.error = Some(error);
            self.received.clear();
        }
    }

    /// Bytes not read yet.
    pub(super) fn received(&self) -> usize {
        self.received.len()
    }

    pub(super) fn ready(&self, buffer: usize) -> Ready {
        match self.phase {
            Phase::Connecting => Ready::default(),
            Phase::Open => Ready {
                readable: !self.received.is_empty() || self.ended,
                writable: self.unread < buffer,
                error: false,
            },
            Phase::Failed => Ready { readable: true, writable: true, error: true },
        }
    }

    pub(super) fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.phase {
            Phase::Connecting => return Err(ErrorKind::WouldBlock.into()),
            Phase::Open => {}
            Phase::Failed => return self.error.take().map_or(Ok(0), |error| Err(error.into())),
        }
        if self.received.is_empty() {
            return if self.ended { Ok(0) } else { Err(ErrorKind::WouldBlock.into()) };
        }
        let count = buffer.len().min(self.received.len());
        for (place, byte) in buffer.iter_mut().zip(self.received.drain(..count)) {
            *place = byte;
        }
        Ok(count)
    }

    /// How much can be sent now; an error if nothing ever can, or not at the moment.
    pub(super) fn room(&mut self, buffer: usize) -> io::Result<usize> {
        match self.phase {
            Phase::Connecting => return Err(ErrorKind::WouldBlock.into()),
            Phase::Failed => {
                return Err(self.error.take().unwrap_or(ErrorKind::BrokenPipe).into());
            }
            Phase::Open => {}
        }
        if self.finished {
            return Err(ErrorKind::BrokenPipe.into());
        }
        if self.peer_is_gone && self.ended {
            self.fail(ErrorKind::BrokenPipe);
            return Err(ErrorKind::BrokenPipe.into());
        }
        match buffer.saturating_sub(self.unread) {
            0 => Err(ErrorKind::WouldBlock.into()),
            room => Ok(room),
        }
    }
}

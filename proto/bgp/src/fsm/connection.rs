//! One of the two connections that a session may have.

use core::time::Duration;

use dunlin_runtime::Time;

use super::negotiate::Agreed;
use crate::wire::Open;

/// Which connection.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Side {
    /// The one that we opened.
    Outgoing,
    /// The one that the neighbour opened.
    Incoming,
}

impl Side {
    /// The other one.
    pub const fn other(self) -> Self {
        match self {
            Self::Outgoing => Self::Incoming,
            Self::Incoming => Self::Outgoing,
        }
    }
}

/// The states of RFC 4271 8.2.2, each with what it needs. Incoming connections have no
/// `Active` and no `Connect`.
#[derive(Clone, Debug, Default)]
pub(super) enum Connection {
    /// None.
    #[default]
    Idle,
    /// Waiting to connect.
    Active {
        /// When that is.
        connect_at: Time,
        /// How long it was from the start.
        delay: Duration,
    },
    /// Connecting.
    Connect {
        /// When it takes too long.
        retry_at: Time,
    },
    /// Our OPEN is out.
    OpenSent {
        /// When theirs must be here, with the bytes that make it up.
        hold_at: Option<Time>,
    },
    /// Both OPENs are good.
    OpenConfirm(Box<Live>),
    /// Routes flow.
    Established(Box<Live>),
}

/// A connection on which both OPENs were exchanged.
#[derive(Clone, Debug)]
pub(super) struct Live {
    pub(super) open: Open,
    pub(super) agreed: Agreed,
    /// When bytes last arrived.
    pub(super) heard: Time,
    /// When bytes were last sent.
    pub(super) sent: Time,
    /// The hold time is over, unless the socket says otherwise.
    pub(super) asked: bool,
    pub(super) keepalive_at: Option<Time>,
}

impl Live {
    /// When the hold time is over.
    pub(super) fn hold_at(&self) -> Option<Time> {
        (!self.agreed.hold.is_zero()).then(|| self.heard + self.agreed.hold)
    }

    /// When nothing was sent for too long.
    pub(super) fn send_hold_at(&self) -> Option<Time> {
        (!self.agreed.send_hold.is_zero()).then(|| self.sent + self.agreed.send_hold)
    }
}

impl Connection {
    /// What was agreed upon, if anything was yet.
    pub(super) fn live(&self) -> Option<&Live> {
        match self {
            Self::OpenConfirm(live) | Self::Established(live) => Some(live),
            Self::Idle | Self::Active { .. } | Self::Connect { .. } | Self::OpenSent { .. } => None,
        }
    }

    pub(super) fn live_mut(&mut self) -> Option<&mut Live> {
        match self {
            Self::OpenConfirm(live) | Self::Established(live) => Some(live),
            Self::Idle | Self::Active { .. } | Self::Connect { .. } | Self::OpenSent { .. } => None,
        }
    }

    /// Whether there is a TCP connection over which a NOTIFICATION can go.
    pub(super) fn is_open(&self) -> bool {
        matches!(self, Self::OpenSent { .. } | Self::OpenConfirm(_) | Self::Established(_))
    }

    /// The next moment at which something is due.
    pub(super) fn deadline(&self) -> Option<Time> {
        match self {
            Self::Idle => None,
            Self::Active { connect_at, .. } => Some(*connect_at),
            Self::Connect { retry_at } => Some(*retry_at),
            Self::OpenSent { hold_at } => *hold_at,
            Self::OpenConfirm(live) => earliest([live.hold_at(), live.keepalive_at]),
            Self::Established(live) => {
                earliest([live.hold_at(), live.keepalive_at, live.send_hold_at()])
            }
        }
    }
}

/// The earliest of the moments that there are.
pub(super) fn earliest(moments: impl IntoIterator<Item = Option<Time>>) -> Option<Time> {
    moments.into_iter().flatten().min()
}

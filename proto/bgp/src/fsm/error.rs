//! Why a session went down, in the words that looking glasses know.

use core::fmt;

use crate::wire::Notification;

/// Reasons that are neither the socket's nor the protocol's.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Misc {
    /// The neighbour's address is on no interface any more.
    NeighborLost,
    /// There is no address to be announced as a next hop.
    InvalidNextHop,
    /// The kernel refused the key.
    AuthenticationFailed,
    /// Nothing listens for the neighbour.
    NoListeningSocket,
    /// The interface has no carrier.
    LinkDown,
    /// BFD says so.
    BfdDown,
    /// The neighbour restarts gracefully.
    GracefulRestart,
    /// The tables have no room for another source of routes.
    TooManySources,
    /// The export group has no room for another session.
    TooManyMembers,
}

impl fmt::Display for Misc {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::NeighborLost => "Neighbor lost",
            Self::InvalidNextHop => "Invalid next hop",
            Self::AuthenticationFailed => "Authentication failed",
            Self::NoListeningSocket => "No listening socket",
            Self::LinkDown => "Link down",
            Self::BfdDown => "BFD session down",
            Self::GracefulRestart => "Graceful restart",
            Self::TooManySources => "Too many sources of routes",
            Self::TooManyMembers => "Too many sessions in one export group",
        })
    }
}

/// The last thing that went wrong.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum LastError {
    /// The connection; the text is the system's.
    Socket(Box<str>),
    /// What we told the neighbour.
    Sent(Notification),
    /// What the neighbour told us.
    Received(Notification),
    /// Something else.
    Misc(Misc),
    /// A route limit whose action is to stop or restart the session.
    RouteLimit,
}

impl LastError {
    /// The words of the neighbour's operator that came with it (RFC 9003).
    pub fn message(&self) -> Option<String> {
        match self {
            Self::Sent(notification) | Self::Received(notification) => notification.shutdown_text(),
            Self::Socket(_) | Self::Misc(_) | Self::RouteLimit => None,
        }
    }
}

impl fmt::Display for LastError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Socket(text) => write!(out, "Socket: {text}"),
            Self::Sent(notification) => write!(out, "BGP Error: {notification}"),
            Self::Received(notification) => write!(out, "Received: {notification}"),
            Self::Misc(misc) => write!(out, "Error: {misc}"),
            Self::RouteLimit => out.write_str("Automatic shutdown: Route limit exceeded"),
        }
    }
}

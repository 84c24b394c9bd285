//! Reading tables: resumable walks that never hold anything up, and are held up by nothing for long.
//! Requests are sent in the control class; the slice does a piece of each in turn with imports.

use core::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use dunlin_attr::Attrs;
use dunlin_filter::{ChannelFilter, ResolvedHop};
use dunlin_net::{Network, Prefix};
use dunlin_runtime::Time;

use crate::nexthop::NextHopState;
use crate::{Source, TableId};

/// Which networks.
#[derive(Clone, Debug)]
pub enum Walk {
    /// All, from a position given by the last reply (zero at first).
    All {
        /// Where to go on.
        cursor: u32,
    },
    /// One network.
    Exact(Network),
    /// The longest match of an address in this slice. Ask every slice.
    For(IpAddr),
    /// The longest match of a network in this slice. Ask every slice.
    ForNet(Prefix),
    /// Networks inside a prefix, from a position.
    In {
        /// The covering prefix.
        prefix: Prefix,
        /// Where to go on.
        cursor: u32,
    },
    /// How many routes and networks there are in this slice: one answer, when all have been counted.
    Count {
        /// Only networks inside it.
        inside: Option<Prefix>,
        /// Routes of this protocol are counted on their own.
        protocol: Option<Arc<str>>,
    },
}

/// A request for routes, answered by one reply.
pub struct WalkRequest {
    /// The table.
    pub table: TableId,
    /// Which networks.
    pub walk: Walk,
    /// Networks in the reply at most.
    pub max_nets: u32,
    /// Which of their routes.
    pub shown: Shown,
    /// Gets the answer, on the slice's worker: send a message, return.
    pub reply: Box<dyn FnOnce(WalkReply) + Send>,
}

impl fmt::Debug for WalkRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WalkRequest")
            .field("table", &self.table)
            .field("walk", &self.walk)
            .finish_non_exhaustive()
    }
}

/// Which routes of a network.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Shown {
    /// Those that the import filters have accepted.
    #[default]
    Accepted,
    /// Those that they have rejected, of channels that keep them to be shown.
    Rejected,
    /// All that are there, as they were received: [`RouteRow::received`] says what became of them.
    Received,
}

/// Routes of some networks.
#[derive(Debug, Default)]
pub struct WalkReply {
    /// Networks with at least one route of the wanted kind; each is whole.
    pub nets: Vec<NetRows>,
    /// Where to go on; none at the end.
    pub next: Option<u32>,
    /// The answer to [`Walk::Count`].
    pub counts: WalkCounts,
}

/// How many of the wanted kind there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WalkCounts {
    /// Routes, or those of the named protocol.
    pub matching: u64,
    /// Networks whose first route is one of those.
    pub primary: u64,
    /// Routes, whosesoever.
    pub routes: u64,
    /// Networks with a route.
    pub networks: u64,
}

impl WalkCounts {
    /// Both together.
    #[must_use]
    pub fn plus(&self, other: &Self) -> Self {
        Self {
            matching: self.matching + other.matching,
            primary: self.primary + other.primary,
            routes: self.routes + other.routes,
            networks: self.networks + other.networks,
        }
    }
}

/// One network.
#[derive(Debug)]
pub struct NetRows {
    /// The network.
    pub net: Network,
    /// Its routes, best first.
    pub rows: Vec<RouteRow>,
}

/// One route.
#[derive(Debug, Clone)]
pub struct RouteRow {
    /// Attributes: after the import filter, or before it if rejected, or if asked for what was received.
    pub attrs: Arc<Attrs>,
    /// Where it came from.
    pub source: Arc<Source>,
    /// Path identifier.
    pub path_id: u32,
    /// It is the best route of its network.
    pub best: bool,
    /// It was rejected by the import filter.
    pub rejected: bool,
    /// When it last changed.
    pub changed: Time,
    /// Where its next hop leads.
    pub next_hop: NextHopState,
    /// The protocol instance of the pipe that it came into this table through.
    pub pipe: Option<u32>,
    /// How it came in, if asked for what was received.
    pub received: Option<Box<Received>>,
}

/// How a route came into its table.
#[derive(Debug, Clone)]
pub struct Received {
    /// The import filter of its source, as it is now.
    pub filter: ChannelFilter,
    /// Its next hop, as that filter sees it now.
    pub hop: ResolvedHop,
}

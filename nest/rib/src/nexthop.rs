//! Next hops as slices and the resolver speak of them.

use std::net::IpAddr;
use std::sync::Arc;

use dunlin_attr::{Attrs, Dest, Hop, NextHop};

use crate::{Resolve, TableId};

/// What the resolver is asked: an address and how to look for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct NextHopKey {
    /// The next hop's address.
    pub address: IpAddr,
    /// How it is resolved; never [`Resolve::Never`].
    pub resolve: Resolve,
}

/// What the resolver answers.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum NextHopState {
    /// No answer yet: routes wait.
    #[default]
    Pending,
    /// Nowhere: routes are shown as unreachable and lose against reachable ones.
    Unreachable,
    /// Through these hops.
    Reachable(Arc<ResolvedHop>),
}

impl NextHopState {
    /// Metric inside the IGP, zero where there is none.
    pub fn igp_metric(&self) -> u32 {
        match self {
            Self::Reachable(hop) => hop.igp_metric,
            Self::Pending | Self::Unreachable => 0,
        }
    }

    /// Whether packets have somewhere to go.
    pub fn is_reachable(&self) -> bool {
        match self {
            Self::Reachable(hop) => hop.dest != Dest::Unreachable,
            Self::Pending | Self::Unreachable => false,
        }
    }

    /// What becomes of the packets of a route with these attributes. Nobody knows a way for them as long as
    /// the next hop is not resolved.
    pub fn dest_of(&self, attrs: &Attrs) -> Dest {
        match (attrs.next_hop(), attrs.dest(), self) {
            (NextHop::Bgp | NextHop::Recursive(_), Dest::Unicast, Self::Reachable(hop)) => hop.dest,
            (NextHop::Bgp | NextHop::Recursive(_), Dest::Unicast, _) => Dest::Unreachable,
            (_, dest, _) => dest,
        }
    }

    /// As filters read it.
    pub fn for_filters(&self) -> dunlin_filter::ResolvedHop {
        match self {
            Self::Pending => dunlin_filter::ResolvedHop::default(),
            Self::Unreachable => dunlin_filter::ResolvedHop { unreachable: true, ..<_>::default() },
            Self::Reachable(hop) => {
                let first = hop.hops.first();
                dunlin_filter::ResolvedHop {
                    gateway: first.and_then(|first| first.gateway),
                    interface: first.and_then(|first| first.iface),
                    igp_metric: Some(hop.igp_metric),
                    unreachable: hop.dest == Dest::Unreachable,
                }
            }
        }
    }
}

/// Where packets go.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct ResolvedHop {
    /// The hops, in order; empty for blackholes and the like.
    pub hops: Box<[Hop]>,
    /// Metric inside the IGP, for best-route selection.
    pub igp_metric: u32,
    /// What the resolving route does with packets.
    pub dest: Dest,
    /// The table a recursive hop was resolved through.
    pub through: Option<TableId>,
}

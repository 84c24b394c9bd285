//! `show route … filter F` and `where E`: filters run in the client's loop.

use std::sync::Arc;

use dunlin_attr::Attrs;
use dunlin_filter::{ChannelFilter, ResolvedHop, RouteInput, Scratch, Silent, Validation, Verdict};
use dunlin_net::Network;
use dunlin_rib::nexthop::NextHopState;
use dunlin_rib::walk::RouteRow;

/// The attributes after the filter, if it accepts. A filter that fails rejects, in silence.
pub(super) fn apply(
    filter: &ChannelFilter,
    scratch: &mut Scratch,
    net: Network,
    row: &RouteRow,
    attrs: &Arc<Attrs>,
    validation: &dyn Validation,
) -> Option<Arc<Attrs>> {
    let input = RouteInput {
        net,
        attrs,
        protocol: &row.source.protocol,
        from: row.source.peer.as_ref().map(|peer| peer.address),
        hop: hop(&row.next_hop),
        interfaces: validation.interfaces(),
        validation: Some(validation),
    };
    match dunlin_filter::apply(filter, scratch, &input, &mut Silent) {
        Verdict::Accept(changed) => Some(changed.unwrap_or_else(|| Arc::clone(attrs))),
        Verdict::Reject | Verdict::Error(_) => None,
    }
}

fn hop(state: &NextHopState) -> ResolvedHop {
    match state {
        NextHopState::Pending => ResolvedHop::default(),
        NextHopState::Unreachable => ResolvedHop { unreachable: true, ..ResolvedHop::default() },
        NextHopState::Reachable(hop) => {
            let first = hop.hops.first();
            ResolvedHop {
                gateway: first.and_then(|hop| hop.gateway),
                interface: first.and_then(|hop| hop.iface),
                igp_metric: Some(hop.igp_metric),
                unreachable: hop.dest != dunlin_attr::Dest::Unicast,
            }
        }
    }
}

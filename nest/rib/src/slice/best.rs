//! Which of two routes is better, in BIRD's order.
//!
//! Higher preference first. Routes of one preference but different protocols keep a fixed order.
//! Routes of BGP are compared as RFC 4271 section 9.1.2.2 says, with BIRD's options.

use core::cmp::Ordering;
use std::net::IpAddr;

use dunlin_attr::{Attrs, Rts};

use crate::Source;
use crate::nexthop::NextHopState;

/// A route that may be chosen.
#[derive(Clone, Copy)]
pub(crate) struct Candidate<'a> {
    pub(crate) attrs: &'a Attrs,
    pub(crate) source: &'a Source,
    /// None: the set needs no resolution.
    pub(crate) hop: Option<&'a NextHopState>,
}

impl Candidate<'_> {
    fn reachable(&self) -> bool {
        self.hop.is_none_or(NextHopState::is_reachable)
    }

    fn metric(&self) -> u32 {
        self.hop.map_or(0, NextHopState::igp_metric)
    }
}

/// `Greater` if `a` is better than `b`. `Equal` leaves the older one in place.
pub(crate) fn compare(a: Candidate<'_>, b: Candidate<'_>) -> Ordering {
    let by_preference = a.attrs.preference().cmp(&b.attrs.preference());
    by_preference.then_with(|| {
        let (kind_a, kind_b) = (a.source.kind, b.source.kind);
        if kind_a != kind_b {
            return (kind_a as u8).cmp(&(kind_b as u8));
        }
        if kind_a == Rts::Bgp { compare_bgp(a, b) } else { Ordering::Equal }
    })
}

fn compare_bgp(a: Candidate<'_>, b: Candidate<'_>) -> Ordering {
    let (order_a, order_b) = (&a.source.order, &b.source.order);
    let path_metric = order_a.path_metric || order_b.path_metric;
    let med_everywhere = order_a.med_metric || order_b.med_metric;
    a.reachable()
        .cmp(&b.reachable())
        .then_with(|| local_pref(a).cmp(&local_pref(b)))
        .then_with(|| {
            if path_metric {
                b.attrs.path_hops().cmp(&a.attrs.path_hops())
            } else {
                Ordering::Equal
            }
        })
        .then_with(|| b.attrs.origin().cmp(&a.attrs.origin()))
        .then_with(|| {
            if med_everywhere || a.attrs.neighbour_as() == b.attrs.neighbour_as() {
                med(b).cmp(&med(a))
            } else {
                Ordering::Equal
            }
        })
        .then_with(|| external(a).cmp(&external(b)))
        .then_with(|| {
            if order_a.igp_metric || order_b.igp_metric {
                b.metric().cmp(&a.metric())
            } else {
                Ordering::Equal
            }
        })
        .then_with(|| by_router(a, b))
}

/// The last steps: lowest originator or router id, shortest cluster list, lowest address.
fn by_router(a: Candidate<'_>, b: Candidate<'_>) -> Ordering {
    let older_wins = a.source.order.prefer_older || b.source.order.prefer_older;
    let (id_a, id_b) = (router_id(a), router_id(b));
    if older_wins && id_a != id_b && external(a) && external(b) {
        return Ordering::Equal;
    }
    id_b.cmp(&id_a)
        .then_with(|| cluster_list_len(b).cmp(&cluster_list_len(a)))
        .then_with(|| address(b).cmp(&address(a)))
}

fn local_pref(route: Candidate<'_>) -> u32 {
    route.attrs.local_pref().unwrap_or(route.source.order.default_local_pref)
}

fn med(route: Candidate<'_>) -> u32 {
    route.attrs.med().unwrap_or(route.source.order.default_med)
}

fn external(route: Candidate<'_>) -> bool {
    route.source.peer.as_ref().is_some_and(|peer| !peer.internal)
}

fn router_id(route: Candidate<'_>) -> u32 {
    let from_peer = route.source.peer.as_ref().map_or(0, |peer| peer.router_id);
    route.attrs.bgp().and_then(|bgp| bgp.originator_id()).unwrap_or(from_peer)
}

fn cluster_list_len(route: Candidate<'_>) -> usize {
    route.attrs.bgp().map_or(0, |bgp| bgp.cluster_list().len())
}

fn address(route: Candidate<'_>) -> Option<IpAddr> {
    route.source.peer.as_ref().map(|peer| peer.address)
}

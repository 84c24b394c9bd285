//! Which of two routes is better, in BIRD's order.
//!
//! Higher preference first. Routes of one preference but different protocols keep a fixed order.
//! Routes of BGP are compared as RFC 4271 section 9.1.2.2 says, with BIRD's options. Without
//! `deterministic med` that is no order: of three routes each may lose against another, and which
//! one stays depends on who came first. BIRD does the same.

use core::cmp::Ordering;
use std::net::IpAddr;

use dunlin_attr::{Attrs, Origin, Present, Rts};
use dunlin_net::community::well_known;

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

    /// The metric inside the IGP, if the source's own option has it compared.
    fn metric(&self) -> u32 {
        if self.source.order.igp_metric { self.hop.map_or(0, NextHopState::igp_metric) } else { 0 }
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

/// Whether `b` is out of the question if `a` is better: MEDs are compared first of all among routes
/// of one neighbour AS (`deterministic med`).
pub(crate) fn suppresses(a: Candidate<'_>, b: Candidate<'_>) -> bool {
    let wanted = a.source.order.deterministic_med || b.source.order.deterministic_med;
    wanted
        && a.source.kind == Rts::Bgp
        && b.source.kind == Rts::Bgp
        && a.attrs.preference() == b.attrs.preference()
        && a.attrs.neighbour_as() == b.attrs.neighbour_as()
        && compare_bgp(a, b) == Ordering::Greater
}

fn compare_bgp(a: Candidate<'_>, b: Candidate<'_>) -> Ordering {
    a.reachable()
        .cmp(&b.reachable())
        .then_with(|| stale(b).cmp(&stale(a)))
        .then_with(|| local_pref(a).cmp(&local_pref(b)))
        .then_with(|| aigp(b).cmp(&aigp(a)))
        .then_with(|| by_path(a, b))
        .then_with(|| origin(b).cmp(&origin(a)))
        .then_with(|| by_med(a, b))
        .then_with(|| external(a).cmp(&external(b)))
        .then_with(|| b.metric().cmp(&a.metric()))
        .then_with(|| by_router(a, b))
}

fn by_path(a: Candidate<'_>, b: Candidate<'_>) -> Ordering {
    if a.source.order.path_metric || b.source.order.path_metric {
        b.attrs.path_hops().cmp(&a.attrs.path_hops())
    } else {
        Ordering::Equal
    }
}

fn by_med(a: Candidate<'_>, b: Candidate<'_>) -> Ordering {
    let everywhere = a.source.order.med_metric || b.source.order.med_metric;
    if everywhere || a.attrs.neighbour_as() == b.attrs.neighbour_as() {
        med(b).cmp(&med(a))
    } else {
        Ordering::Equal
    }
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

/// Marked by long-lived graceful restart (RFC 9494).
fn stale(route: Candidate<'_>) -> bool {
    let marks = Present::COMMUNITIES.with(Present::WELL_KNOWN);
    route.attrs.present().has(marks)
        && route.attrs.bgp_view().communities().contains(well_known::LLGR_STALE)
}

/// Accumulated IGP metric with the way to the next hop (RFC 7311); most if there is none.
fn aigp(route: Candidate<'_>) -> u64 {
    if !route.attrs.present().has(Present::AIGP) {
        return u64::MAX;
    }
    let metric = route.attrs.bgp_view().aigp().unwrap_or(u64::MAX);
    metric.saturating_add(route.hop.map_or(0, |hop| u64::from(hop.igp_metric())))
}

fn origin(route: Candidate<'_>) -> Origin {
    route.attrs.origin().unwrap_or(Origin::Incomplete)
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

#[cfg(test)]
mod tests {
    use super::{Candidate, compare, suppresses};
    use crate::Source;
    use crate::nexthop::{NextHopState, ResolvedHop};
    use crate::testing::{Events, address, bgp_source};
    use core::cmp::Ordering;
    use dunlin_attr::{AttrsBuilder, BgpNextHop, Origin, Rts, kind};
    use dunlin_net::as_path::AsPathBuf;
    use std::sync::Arc;

    /// A route that is altered step by step.
    struct Case {
        attrs: AttrsBuilder,
        source: Source,
        hop: Option<NextHopState>,
    }

    fn case() -> Case {
        let mut attrs = AttrsBuilder::new(Rts::Bgp);
        attrs.set_preference(100);
        attrs.set_origin(Origin::Egp);
        attrs.set_as_path(AsPathBuf::from_sequence(&[65001, 65002]).view()).unwrap();
        attrs.set_bgp_next_hop(Some(BgpNextHop::new(address(1))));
        Case { attrs, source: bgp_source(1, 5, 0, &Arc::<Events>::default()), hop: None }
    }

    fn ordering(a: &Case, b: &Case) -> Ordering {
        let (attrs_a, attrs_b) = (a.attrs.finish(), b.attrs.finish());
        let a = Candidate { attrs: &attrs_a, source: &a.source, hop: a.hop.as_ref() };
        let b = Candidate { attrs: &attrs_b, source: &b.source, hop: b.hop.as_ref() };
        let ordering = compare(a, b);
        assert_eq!(compare(b, a), ordering.reverse());
        ordering
    }

    /// The one that `better` makes wins, though it is worse in the next step, which `worse` makes.
    #[track_caller]
    fn wins(better: impl Fn(&mut Case), worse: impl Fn(&mut Case)) {
        let (mut a, b) = (case(), case());
        assert_eq!(ordering(&a, &b), Ordering::Equal);
        better(&mut a);
        assert_eq!(ordering(&a, &b), Ordering::Greater);
        worse(&mut a);
        assert_eq!(ordering(&a, &b), Ordering::Greater, "the next step counts before this one");
    }

    fn reachable(metric: u32) -> Option<NextHopState> {
        let hop = ResolvedHop { igp_metric: metric, ..ResolvedHop::default() };
        Some(NextHopState::Reachable(Arc::new(hop)))
    }

    fn set_path(case: &mut Case, path: &[u32]) {
        case.attrs.set_as_path(AsPathBuf::from_sequence(path).view()).unwrap();
    }

    fn unreachable(case: &mut Case) {
        case.hop = Some(NextHopState::Unreachable);
    }

    fn stale(case: &mut Case) {
        case.attrs.set_raw(kind::COMMUNITIES, None, &[0xff, 0xff, 0, 6]).unwrap();
    }

    /// An AIGP TLV of type 1 and length 11.
    fn aigp(case: &mut Case, metric: u64) {
        let value = [&[1, 0, 11][..], &metric.to_be_bytes()].concat();
        case.attrs.set_raw(kind::AIGP, None, &value).unwrap();
    }

    fn internal(case: &mut Case) {
        case.source.peer.as_mut().unwrap().internal = true;
    }

    #[test]
    fn preference_comes_first_then_the_kind() {
        wins(|case| case.attrs.set_preference(101), unreachable);
        wins(|case| case.source.kind = Rts::Babel, |_| ());
        let (mut a, mut b) = (case(), case());
        (a.source.kind, b.source.kind) = (Rts::Static, Rts::Static);
        a.attrs.set_local_pref(Some(200));
        assert_eq!(ordering(&a, &b), Ordering::Equal);
    }

    #[test]
    fn each_step_decides_before_the_next() {
        let unreachable_loses = || {
            let (a, mut b) = (case(), case());
            unreachable(&mut b);
            (a, b)
        };
        let (mut a, b) = unreachable_loses();
        assert_eq!(ordering(&a, &b), Ordering::Greater);
        stale(&mut a);
        assert_eq!(ordering(&a, &b), Ordering::Greater, "resolvable before fresh");

        let (mut a, mut b) = (case(), case());
        stale(&mut b);
        assert_eq!(ordering(&a, &b), Ordering::Greater);
        a.attrs.set_local_pref(Some(50));
        assert_eq!(ordering(&a, &b), Ordering::Greater, "fresh before local preference");

        let local_pref = |case: &mut Case| case.attrs.set_local_pref(Some(101));
        let long = |case: &mut Case| set_path(case, &[65001, 65002, 65003]);
        wins(local_pref, long);
        wins(|case| aigp(case, 10), long);
        wins(|case| set_path(case, &[65001]), |case| case.attrs.set_origin(Origin::Incomplete));
        wins(|case| case.attrs.set_origin(Origin::Igp), |case| case.attrs.set_med(Some(7)));
    }

    #[test]
    fn each_later_step_decides_before_the_next() {
        let (mut a, mut b) = (case(), case());
        b.attrs.set_med(Some(7));
        assert_eq!(ordering(&a, &b), Ordering::Greater);
        internal(&mut a);
        assert_eq!(ordering(&a, &b), Ordering::Greater, "MED before external");

        let (mut a, mut b) = (case(), case());
        internal(&mut b);
        assert_eq!(ordering(&a, &b), Ordering::Greater);
        a.hop = reachable(10);
        assert_eq!(ordering(&a, &b), Ordering::Greater, "external before metric");

        let (mut a, mut b) = (case(), case());
        b.hop = reachable(10);
        assert_eq!(ordering(&a, &b), Ordering::Greater);
        a.source.peer.as_mut().unwrap().router_id = 6;
        assert_eq!(ordering(&a, &b), Ordering::Greater, "metric before router id");

        let router_id = |case: &mut Case| case.source.peer.as_mut().unwrap().router_id = 4;
        let clusters = |case: &mut Case| {
            case.attrs.set_raw(kind::CLUSTER_LIST, None, &[0, 0, 0, 1]).unwrap();
        };
        wins(router_id, clusters);
        let (mut a, mut b) = (case(), case());
        clusters(&mut b);
        assert_eq!(ordering(&a, &b), Ordering::Greater);
        a.source.peer.as_mut().unwrap().address = address(99);
        assert_eq!(ordering(&a, &b), Ordering::Greater, "cluster list before address");
        wins(|case| case.source.peer.as_mut().unwrap().address = address(1), |_| ());
    }

    #[test]
    fn an_originator_stands_for_the_router_id() {
        let (mut a, b) = (case(), case());
        a.attrs.set_originator_id(Some(3));
        a.source.peer.as_mut().unwrap().router_id = 99;
        assert_eq!(ordering(&a, &b), Ordering::Greater);
    }

    #[test]
    fn what_is_absent_has_a_default() {
        let (mut a, b) = (case(), case());
        a.attrs.set_local_pref(Some(100));
        assert_eq!(ordering(&a, &b), Ordering::Equal);
        a.attrs.set_med(Some(0));
        assert_eq!(ordering(&a, &b), Ordering::Equal);
        let mut none = case();
        none.attrs.unset(kind::ORIGIN);
        assert_eq!(ordering(&none, &b), Ordering::Less, "no origin is as bad as incomplete");
        aigp(&mut a, 10);
        assert_eq!(ordering(&a, &b), Ordering::Greater, "no AIGP is as bad as the most");
        a.hop = reachable(u32::MAX);
        let mut nearer = case();
        aigp(&mut nearer, 11);
        assert_eq!(ordering(&nearer, &a), Ordering::Greater, "with the way to the next hop");
    }

    #[test]
    fn options_switch_steps() {
        let (mut a, mut b) = (case(), case());
        set_path(&mut a, &[65001, 65002, 65003]);
        a.source.order.path_metric = false;
        assert_eq!(ordering(&a, &b), Ordering::Less, "one side is enough");
        b.source.order.path_metric = false;
        assert_eq!(ordering(&a, &b), Ordering::Equal);

        let (mut a, mut b) = (case(), case());
        set_path(&mut a, &[65009, 65002]);
        a.attrs.set_med(Some(7));
        assert_eq!(ordering(&a, &b), Ordering::Equal, "another neighbour AS");
        b.source.order.med_metric = true;
        assert_eq!(ordering(&a, &b), Ordering::Less);

        let (mut a, mut b) = (case(), case());
        (a.hop, b.hop) = (reachable(10), reachable(20));
        assert_eq!(ordering(&a, &b), Ordering::Greater);
        (a.source.order.igp_metric, b.source.order.igp_metric) = (false, false);
        assert_eq!(ordering(&a, &b), Ordering::Equal);

        let (mut a, b) = (case(), case());
        a.source.peer.as_mut().unwrap().router_id = 4;
        a.source.order.prefer_older = true;
        assert_eq!(ordering(&a, &b), Ordering::Equal, "the one that is there stays");
        internal(&mut a);
        assert_eq!(ordering(&a, &b), Ordering::Less, "among external ones only");
    }

    #[test]
    fn suppression_is_within_a_neighbour_as_and_an_option() {
        let (mut a, mut b) = (case(), case());
        b.attrs.set_med(Some(7));
        let says = |a: &Case, b: &Case| {
            let (attrs_a, attrs_b) = (a.attrs.finish(), b.attrs.finish());
            suppresses(
                Candidate { attrs: &attrs_a, source: &a.source, hop: None },
                Candidate { attrs: &attrs_b, source: &b.source, hop: None },
            )
        };
        assert!(!says(&a, &b));
        b.source.order.deterministic_med = true;
        assert!(says(&a, &b) && !says(&b, &a));
        set_path(&mut a, &[65009, 65002]);
        assert!(!says(&a, &b));
    }
}

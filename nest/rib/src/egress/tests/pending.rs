//! What waits to be encoded.

use crate::SourceId;
use crate::egress::pending::{Pending, Taken};
use crate::export::OutRoute;
use crate::nexthop::NextHopState;
use crate::testing::{Events, Look, attrs, bgp_source, net};
use dunlin_net::Prefix4;
use std::sync::Arc;

fn route(source: u32, local_pref: u32) -> OutRoute {
    OutRoute {
        attrs: attrs(Look { local_pref, hops: 1, med: 0 }),
        source: Arc::new(bgp_source(source, source, 0, &Arc::<Events>::default())),
        next_hop: NextHopState::Pending,
    }
}

/// All that waits: who from, which, and which the source itself must get withdrawn.
fn drain(pending: &mut Pending<Prefix4>) -> Vec<(Option<SourceId>, Vec<Prefix4>, Vec<Prefix4>)> {
    let mut taken = Taken::default();
    let mut all = Vec::new();
    while pending.choose(|_| true) {
        pending.take(2, &mut taken);
        let (mut nets, mut own) = (taken.nets.clone(), taken.withdraw_source.clone());
        nets.sort_unstable();
        own.sort_unstable();
        all.push((taken.route.as_ref().map(|route| route.source.id), nets, own));
    }
    all
}

fn put(pending: &mut Pending<Prefix4>, n: usize, route: &OutRoute, withdraw_source: bool) {
    let bucket = pending.bucket(route, 0, false);
    pending.put(net(n), bucket, withdraw_source);
}

fn withdraw(pending: &mut Pending<Prefix4>, n: usize) {
    let bucket = pending.withdrawal_bucket(0, false);
    pending.put(net(n), bucket, false);
}

const ONE: Option<SourceId> = Some(SourceId(1));
const TWO: Option<SourceId> = Some(SourceId(2));

#[test]
fn networks_of_equal_routes_leave_together_first_in_first_out() {
    let mut pending = Pending::new();
    put(&mut pending, 1, &route(1, 100), false);
    put(&mut pending, 2, &route(2, 100), false);
    put(&mut pending, 3, &route(1, 100), false);
    withdraw(&mut pending, 4);
    put(&mut pending, 5, &route(1, 200), false);
    put(&mut pending, 6, &route(1, 100), false);
    let all = drain(&mut pending);
    let nets: Vec<_> = all.iter().map(|(source, nets, _)| (*source, nets.clone())).collect();
    // No more than two at a time, the latest first.
    let expected = [
        (ONE, vec![net(3), net(6)]),
        (ONE, vec![net(1)]),
        (TWO, vec![net(2)]),
        (None, vec![net(4)]),
        (ONE, vec![net(5)]),
    ];
    assert_eq!(nets, expected);
    assert!(pending.keys().next().is_none());
}

#[test]
fn only_the_latest_state_of_a_network_leaves() {
    let mut pending = Pending::new();
    put(&mut pending, 1, &route(1, 100), false);
    put(&mut pending, 1, &route(1, 200), false);
    withdraw(&mut pending, 1);
    assert_eq!(drain(&mut pending), [(None, vec![net(1)], vec![])]);
    put(&mut pending, 1, &route(1, 100), false);
    pending.forget(net(1));
    assert!(!pending.contains(net(1)));
    assert_eq!(drain(&mut pending), []);
}

#[test]
fn a_lane_makes_its_index_when_first_asked() {
    let mut pending = Pending::for_lane();
    (0..100).for_each(|n| put(&mut pending, n, &route(1, 100), false));
    let mut taken = Taken::default();
    pending.choose(|_| true);
    pending.take(10, &mut taken);
    assert_eq!((taken.nets.len(), pending.len()), (10, 90));
    assert!(pending.forget(net(7)) && !pending.forget(net(7)));
    // Sent by then.
    assert!(!pending.forget(net(99)));
    put(&mut pending, 7, &route(1, 200), false);
    put(&mut pending, 8, &route(1, 200), false);
    assert_eq!(pending.len(), 90);
    let all = drain(&mut pending);
    assert_eq!(all.iter().map(|(_, nets, _)| nets.len()).sum::<usize>(), 90);
    assert_eq!(pending.len(), 0);
    put(&mut pending, 1, &route(1, 100), false);
    assert!(pending.forget(net(1)));
    assert_eq!(drain(&mut pending), []);
}

#[test]
fn a_source_is_withdrawn_what_it_may_hold() {
    let both = |pending: &mut Pending<Prefix4>| {
        let all = drain(pending);
        assert_eq!(all.len(), 1);
        (all[0].0, !all[0].2.is_empty())
    };
    let mut pending = Pending::new();
    // It had another's route.
    put(&mut pending, 1, &route(2, 100), true);
    assert_eq!(both(&mut pending), (TWO, true));
    // It had none.
    put(&mut pending, 1, &route(2, 100), false);
    assert_eq!(both(&mut pending), (TWO, false));
    // Its own route replaces the unsent one that would have taken the other's from it.
    put(&mut pending, 1, &route(2, 100), true);
    put(&mut pending, 1, &route(2, 200), false);
    assert_eq!(both(&mut pending), (TWO, true));
    // The unsent withdrawal was meant for it too.
    withdraw(&mut pending, 1);
    put(&mut pending, 1, &route(2, 200), false);
    assert_eq!(both(&mut pending), (TWO, true));
    // Another's unsent route never reached it.
    put(&mut pending, 1, &route(1, 200), false);
    put(&mut pending, 1, &route(2, 200), false);
    assert_eq!(both(&mut pending), (TWO, false));
}

#[test]
fn a_bucket_waits_for_the_burst_that_made_it_only() {
    let mut pending = Pending::new();
    let bucket = pending.bucket(&route(1, 100), 7, false);
    pending.put(net(1), bucket, false);
    assert_eq!(pending.bucket(&route(1, 100), 9, false), bucket);
    assert!(pending.choose(|burst| burst == 7));
    let withdrawals = pending.withdrawal_bucket(8, false);
    pending.put(net(1), withdrawals, false);
    assert!(pending.choose(|burst| burst == 8));
}

#[test]
fn the_fence_is_passed_when_what_waited_there_has_left() {
    let mut pending = Pending::new();
    assert!(pending.is_past_fence());
    let mut taken = Taken::default();
    put(&mut pending, 1, &route(1, 100), false);
    pending.set_fence();
    put(&mut pending, 2, &route(1, 200), false);
    assert!(!pending.is_past_fence());
    pending.choose(|_| true);
    pending.take(9, &mut taken);
    assert_eq!(taken.nets, [net(1)]);
    assert!(pending.is_past_fence(), "2 came later");
}

#[test]
fn what_waited_at_the_fence_is_awaited_in_a_later_state_too() {
    let mut pending = Pending::new();
    let mut taken = Taken::default();
    put(&mut pending, 1, &route(1, 100), false);
    pending.set_fence();
    for local_pref in [200, 300] {
        put(&mut pending, 2, &route(1, local_pref), false);
        put(&mut pending, 1, &route(1, local_pref), false);
        assert!(!pending.is_past_fence());
    }
    withdraw(&mut pending, 1);
    while pending.choose(|_| true) {
        assert!(!pending.is_past_fence());
        pending.take(9, &mut taken);
    }
    assert_eq!((taken.nets.as_slice(), pending.is_past_fence()), (&[net(1)][..], true));
    // It can be asked for, and nobody waits for what is forgotten.
    put(&mut pending, 3, &route(1, 100), false);
    assert!(pending.is_past_fence());
    pending.expect(net(3));
    pending.expect(net(4));
    assert!(!pending.is_past_fence());
    assert!(pending.forget(net(3)) && pending.is_past_fence());
}

#[test]
fn a_bucket_leads_where_the_latest_slice_says() {
    let mut pending = Pending::new();
    put(&mut pending, 1, &route(1, 100), false);
    let later = OutRoute { next_hop: NextHopState::Unreachable, ..route(1, 100) };
    put(&mut pending, 2, &later, false);
    let mut taken = Taken::default();
    pending.take(9, &mut taken);
    assert_eq!(taken.nets.len(), 2);
    assert_eq!(taken.route.map(|route| route.next_hop), Some(NextHopState::Unreachable));
}

#[test]
fn news_goes_before_what_is_evaluated_again() {
    let mut pending = Pending::new();
    let old = pending.bucket(&route(1, 100), 0, true);
    pending.put(net(1), old, false);
    pending.put(net(2), old, false);
    let news = pending.bucket(&route(1, 100), 0, false);
    assert_ne!(old, news);
    pending.put(net(2), news, false);
    let mut order = Vec::new();
    while pending.choose(|_| true) {
        let mut taken = Taken::default();
        pending.take(9, &mut taken);
        order.push(taken.nets);
    }
    assert_eq!(order, [vec![net(2)], vec![net(1)]]);
}

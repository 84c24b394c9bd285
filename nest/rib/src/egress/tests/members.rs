//! Members and the lanes that are for them.

use std::sync::Arc;

use dunlin_net::{Prefix, Prefix4};
use dunlin_runtime::Address;

use crate::chunk::Chunk;
use crate::counters::ExportDelta;
use crate::egress::feed::Waiting;
use crate::egress::{Egress, EgressMessage, GroupSpec, LogSink, MOST_MEMBERS, MemberSpec};
use crate::limits::TooMany;
use crate::testing::{address, net};
use crate::tests::encoder::TestEncoder;
use crate::tests::world::World;
use crate::{ExporterId, MemberId, SourceId};

struct Deaf;

impl LogSink for Deaf {
    fn joined(&self, _: MemberId, _: Address<EgressMessage>) {}
    fn refused(&self, _: TooMany) {}
    fn append(&self, _: Arc<Chunk>) {}
    fn detach(&self) {}
    fn fed(&self, _: &ExportDelta) {}
    fn left(&self) {}
}

/// A group whose slices never answer.
fn group() -> Egress<Prefix4> {
    let world = World::new(2, 1, 4_000_000);
    Egress::new(GroupSpec {
        exporter: ExporterId(1),
        slices: world.slices.clone(),
        encoder: Arc::new(TestEncoder(1)),
        sharing: Arc::default(),
        registry: None,
        max_lag: 1000,
        max_members: MOST_MEMBERS,
    })
}

fn try_join(group: &mut Egress<Prefix4>, source: u32) -> Result<MemberId, TooMany> {
    group.admit(MemberSpec {
        sink: Arc::new(Deaf),
        progress: Arc::default(),
        source: SourceId(source),
        address: address(source),
        resync: false,
        trace: None,
    })
}

fn join(group: &mut Egress<Prefix4>, source: u32) -> MemberId {
    try_join(group, source).unwrap()
}

fn prefixes(count: usize) -> Vec<Prefix> {
    (0..count).map(|n| Prefix::V4(net(n))).collect()
}

#[test]
fn ids_are_not_given_out_twice_at_a_time() {
    let mut group = group();
    group.next_member = u16::MAX;
    let (a, b) = (join(&mut group, 1), join(&mut group, 2));
    assert_eq!((a, b), (MemberId(u16::MAX), MemberId(0)));
    group.next_member = u16::MAX;
    assert_eq!(join(&mut group, 3), MemberId(1));
    assert!(group.members.is_sorted_by_key(|member| member.id));
}

#[test]
fn who_finds_no_id_is_refused_until_somebody_leaves() {
    let mut group = group();
    for n in 0..MOST_MEMBERS as u32 {
        assert_eq!(join(&mut group, n), MemberId(n as u16));
    }
    let refused = Err(TooMany::Members { most: 65536 });
    assert_eq!(try_join(&mut group, 70000), refused);
    group.leave(MemberId(4711));
    assert_eq!(try_join(&mut group, 70000), Ok(MemberId(4711)));
    assert_eq!(try_join(&mut group, 70001), refused);
    assert_eq!(group.joins, 65539, "as the registry counts");
}

#[test]
fn a_source_that_joins_again_is_known_until_its_last_member_leaves() {
    let mut group = group();
    let (old, new) = (join(&mut group, 7), join(&mut group, 7));
    assert_eq!(group.by_source[&SourceId(7)].as_slice(), [old, new]);
    group.leave(old);
    assert_eq!(group.by_source[&SourceId(7)].as_slice(), [new]);
    group.leave(old);
    group.leave(new);
    assert!(group.by_source.is_empty() && group.by_address.is_empty());
}

#[test]
fn lanes_go_with_their_members() {
    let mut group = group();
    let (one, two) = (join(&mut group, 1), join(&mut group, 2));
    let feed = group.feed.as_ref().map(|feed| feed.token);
    assert!(feed.is_some());
    // The first feed is for the first alone.
    assert_eq!(group.waiting_for_feed, [Waiting { id: two, first: true }]);
    group.recheck(one, &prefixes(10));
    group.recheck(two, &prefixes(5000));
    assert_eq!(group.lanes.len(), 4);
    group.leave(two);
    assert_eq!(group.lanes.len(), 2);
    group.leave(one);
    // The feed's lane stays until its answers are there.
    assert_eq!(group.lanes.iter().map(|lane| Some(lane.token)).collect::<Vec<_>>(), [feed]);
    assert!(group.lanes[0].members.is_empty());
}

#[test]
fn who_leaves_the_log_takes_its_doubts_along() {
    let mut group = group();
    let (one, two) = (join(&mut group, 1), join(&mut group, 2));
    group.recheck(one, &prefixes(10));
    group.leave_log(one);
    let off = group.member(one).and_then(|member| member.off.as_ref()).unwrap();
    assert_eq!(off.dirty.len(), 10);
    assert_eq!(group.lanes.len(), 1, "the feed's");
    assert!(group.lanes[0].members.is_empty(), "the feed goes on without it");
    assert_eq!(group.member(one).unwrap().refeed, Some(true));
    // It is asked for once it has dropped its part of the log.
    assert!(!group.catch_up(dunlin_runtime::Time::ZERO));
    group.detached(one, &[]);
    group.catch_up(dunlin_runtime::Time::ZERO);
    assert_eq!(group.lanes.len(), 2);
    group.leave(one);
    assert_eq!((group.lanes.len(), group.members_off), (1, 0));
    assert!(group.member(two).is_some());
}

#[test]
fn what_a_fresh_update_overtakes_off_the_log_is_asked_for_again_if_end_of_rib_follows() {
    for end_of_rib in [false, true] {
        let mut group = group();
        let one = join(&mut group, 1);
        group.recheck(one, &prefixes(1));
        group.leave_log(one);
        group.detached(one, &[]);
        let off = group.member_mut(one).and_then(|member| member.off.as_mut()).unwrap();
        off.end_of_rib = end_of_rib;
        group.catch_up(dunlin_runtime::Time::ZERO);
        let off = group.member(one).and_then(|member| member.off.as_ref()).unwrap();
        let (token, dirty) = (off.query.unwrap(), off.dirty.len());
        assert_eq!(dirty, 0);
        let lane = group.lane_for(net(0), token).unwrap().pending;
        let bucket = lane.withdrawal_bucket(0, false);
        lane.put(net(0), bucket, false);
        // The fresh update, which the member gets when it follows the log again.
        let live = group.lane_for(net(0), 0).unwrap().pending;
        let bucket = live.withdrawal_bucket(0, false);
        live.put(net(0), bucket, false);
        let off = group.member(one).and_then(|member| member.off.as_ref()).unwrap();
        assert_eq!(off.dirty.len(), usize::from(end_of_rib));
    }
}

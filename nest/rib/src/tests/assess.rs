//! Other filters are asked about, then put into force: what was foretold is what happens.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use dunlin_attr::Attrs;
use dunlin_filter::ChannelFilter;
use dunlin_net::{Network, Prefix4};
use dunlin_runtime::Class;

use super::pipes::{OTHER, add_pipe, add_table};
use super::world::{TABLE, World};
use crate::TableId;
use crate::assess::{Answer, Ask, AssessReply, AssessRequest, Changes};
use crate::slice::SliceMessage;
use crate::testing::{Kind, Look, Rng, TestPolicy, filter, for_seeds, net};
use crate::walk::{Shown, Walk};

const FILTERS: &[&str] = &[
    "all",
    "none",
    "where bgp_local_pref > 101",
    "where net.len > 99",
    "filter { if net ~ [ 0.0.0.0/11+ ] then reject; accept; }",
    "filter { bgp_med = 7; accept; }",
    "filter { if net ~ [ 0.16.0.0/12+ ] then bgp_med = 3; print \"printed\"; accept; }",
    "where bgp_local_pref / bgp_med = 3",
    "where preference = 100",
];

const KINDS: &[Kind] = &[
    Kind::AcceptAll,
    Kind::RejectAll,
    Kind::RejectSources(1),
    Kind::SetMed(5),
    Kind::Flatten,
    Kind::RejectNets(2),
    Kind::RefuseHops(1),
];

/// The answers, and how many pieces they came in.
pub(super) fn assess(world: &mut World, table: TableId, asks: &[Ask]) -> (Vec<Answer>, usize) {
    let asks: Arc<[Ask]> = asks.into();
    let mut answers: Vec<Answer> = asks.iter().map(Answer::none).collect();
    let mut pieces = 0;
    for slice in 0..world.slices.count() as u32 {
        let mut cursor = 0;
        loop {
            pieces += 1;
            let place: Arc<Mutex<Option<AssessReply>>> = Arc::default();
            let answer = Arc::clone(&place);
            let request = AssessRequest {
                table,
                cursor,
                asks: Arc::clone(&asks),
                reply: Box::new(move |reply| *answer.lock().unwrap() = Some(reply)),
            };
            let message = SliceMessage::Assess(Box::new(request));
            world.slices.at(slice).send(Class::Control, message).unwrap();
            world.run(10);
            let reply = place.lock().unwrap().take().expect("an answer");
            answers.iter_mut().zip(&reply.answers).for_each(|(all, piece)| all.add(piece));
            let Some(next) = reply.next else { break };
            cursor = next;
        }
    }
    (answers, pieces)
}

fn some_look(rng: &mut Rng) -> Look {
    let local_pref = 100 + rng.below(4) as u32;
    Look { local_pref, hops: 1 + rng.below(2) as u8, med: rng.below(3) as u32 }
}

/// Three peers with some of 60 networks each.
fn some_world(seed: u64) -> World {
    let mut world = World::new(1 << (seed % 3), seed, 4_000_000);
    for _ in 0..3 {
        let kind = KINDS[world.rng.below(KINDS.len())];
        let peer = world.add_peer(kind);
        for n in 0..60 {
            if world.rng.one_in(3) {
                continue;
            }
            let look = some_look(&mut world.rng);
            world.announce(peer, net(n), 0, look);
        }
        world.flush(peer);
    }
    world.settle();
    world
}

/// The routes that a peer has in the table.
fn routes(world: &mut World, peer: usize) -> BTreeMap<Network, Arc<Attrs>> {
    let id = world.peers[peer].source.id;
    let found = world.walk(TABLE, &Walk::All { cursor: 0 }, Shown::Accepted);
    let rows = found.iter().flat_map(|net| net.rows.iter().map(|row| (net.net, row)));
    rows.filter(|(_, row)| row.source.id == id).map(|(net, row)| (net, row.attrs.clone())).collect()
}

/// What has become of some routes, apart from how many were looked at.
fn changes<K: Ord, V: PartialEq>(now: &BTreeMap<K, V>, then: &BTreeMap<K, V>) -> Changes {
    let common = now.iter().filter_map(|(key, value)| Some((value, then.get(key)?)));
    let (same, altered): (Vec<_>, Vec<_>) = common.partition(|(one, other)| one == other);
    let common = (same.len() + altered.len()) as u64;
    Changes {
        routes: 0,
        gained: then.len() as u64 - common,
        lost: now.len() as u64 - common,
        altered: altered.len() as u64,
    }
}

fn without_count(changes: Changes) -> Changes {
    Changes { routes: 0, ..changes }
}

#[test]
fn what_an_import_filter_changes_is_foretold() {
    for_seeds(40, |seed| {
        let mut world = some_world(seed);
        for _ in 0..6 {
            let peer = world.rng.below(3);
            let filter = filter(FILTERS[world.rng.below(FILTERS.len())]);
            let source = Arc::clone(&world.peers[peer].source);
            let ask = Ask::Import {
                protocol: Arc::clone(&source.protocol),
                filter: filter.clone(),
                preference: 100,
            };
            let before = routes(&mut world, peer);
            let prints = world.events.prints.load(core::sync::atomic::Ordering::Relaxed);
            let errors = world.events.errors.load(core::sync::atomic::Ordering::Relaxed);
            let foretold = assess(&mut world, TABLE, &[ask]).0.remove(0).all;
            assert!(routes(&mut world, peer) == before, "nothing has changed yet");
            let (printed, failed) = (&world.events.prints, &world.events.errors);
            assert_eq!(
                printed.load(core::sync::atomic::Ordering::Relaxed),
                prints,
                "nothing is said"
            );
            assert_eq!(
                failed.load(core::sync::atomic::Ordering::Relaxed),
                errors,
                "nothing is said"
            );
            let kept = world.model.nets.values().flatten();
            let kept = kept.filter(|route| route.source == source.id).count() as u64;
            assert_eq!(foretold.routes, kept);
            world.set_filter(peer, &filter);
            world.settle();
            let after = routes(&mut world, peer);
            assert_eq!(without_count(foretold), changes(&before, &after));
        }
    });
}

#[test]
fn another_preference_is_seen_by_the_filter_and_in_the_route() {
    let mut world = some_world(1);
    let protocol = Arc::clone(&world.peers[0].source.protocol);
    let ask = |text: &str, preference| Ask::Import {
        protocol: Arc::clone(&protocol),
        filter: filter(text),
        preference,
    };
    let count = routes(&mut world, 0).len() as u64;
    let asks = [ask("all", 100), ask("all", 200), ask("where preference = 100", 200)];
    // Of several questions about one protocol the first is answered; so they are put one by one.
    let answers = asks.map(|ask| assess(&mut world, TABLE, &[ask]).0.remove(0).all);
    let all = Changes { routes: count, ..Changes::default() };
    assert_eq!(answers[0], all);
    assert_eq!(answers[1], Changes { altered: count, ..all });
    assert_eq!(answers[2], Changes { lost: count, ..all });
}

#[test]
fn what_an_export_policy_changes_is_foretold() {
    for_seeds(40, |seed| {
        let mut world = some_world(seed);
        for _ in 0..6 {
            let peer = world.rng.below(3);
            let now = world.peers[peer].kind;
            let then = KINDS[world.rng.below(KINDS.len())];
            let name = Arc::clone(&world.peers[peer].source.protocol);
            let ask = Ask::Best {
                now: TestPolicy::shared(now),
                then: TestPolicy::shared(then),
                sent_anew: [false; 2],
                to: [Arc::from("nobody"), name].into(),
            };
            let id = world.peers[peer].source.id;
            let view = |world: &World, kind: Kind| -> BTreeMap<Prefix4, Look> {
                world.model.view(kind, id)
            };
            let (before, after) = (view(&world, now), view(&world, then));
            let answer = assess(&mut world, TABLE, &[ask]).0.remove(0);
            assert_eq!(answer.own[0], Changes::default());
            let foretold = answer.all.minus(&answer.own[1]);
            assert_eq!(without_count(foretold), changes(&before, &after));
            world.set_kind(peer, then);
            world.settle();
            world.check();
        }
    });
}

#[test]
fn what_is_sent_in_another_form_counts_as_changed() {
    let mut world = some_world(2);
    let all = TestPolicy::shared(Kind::AcceptAll);
    let ask = |sent_anew| Ask::Best {
        now: Arc::clone(&all),
        then: Arc::clone(&all),
        sent_anew,
        to: [].into(),
    };
    // All of the peers are external.
    let answers = assess(&mut world, TABLE, &[ask([true, false]), ask([false, true])]).0;
    let count = world.model.nets.len() as u64;
    let none = Changes { routes: count, ..Changes::default() };
    assert_eq!(answers[0].all, Changes { altered: count, ..none });
    assert_eq!(answers[1].all, none);
}

#[test]
fn what_passes_a_pipe_is_foretold() {
    let mut world = some_world(3);
    add_table(&mut world, OTHER);
    add_pipe(&mut world, 2, TABLE, OTHER, Kind::AcceptAll);
    add_pipe(&mut world, 3, OTHER, TABLE, Kind::AcceptAll);
    let ask = |then| Ask::Pipe {
        now: TestPolicy::shared(Kind::AcceptAll),
        then: TestPolicy::shared(then),
        instance: 1,
        max_generation: 16,
    };
    let asks = [ask(Kind::RejectAll), ask(Kind::AcceptAll), ask(Kind::SetMed(77))];
    let count = (0..3).map(|peer| routes(&mut world, peer).len() as u64).sum();
    let all = Changes { routes: count, ..Changes::default() };
    let answers = assess(&mut world, TABLE, &asks).0;
    assert_eq!(answers[0].all, Changes { lost: count, ..all });
    assert_eq!(answers[1].all, all);
    assert_eq!(answers[2].all, Changes { altered: count, ..all });
    // What came through does not go back.
    assert_eq!(assess(&mut world, OTHER, &asks).0[0].all, Changes::default());
}

#[test]
fn answers_come_in_pieces_and_a_table_that_is_gone_has_none() {
    let mut world = World::new(2, 1, 4_000_000);
    let peer = world.add_peer(Kind::RejectAll);
    for n in 0..5000 {
        let net = Prefix4::new(0x0a00_0000 + (n << 8), 24).unwrap();
        world.announce(peer, net, 0, Look { local_pref: 100, hops: 1, med: n % 2 });
    }
    world.flush(peer);
    world.settle();
    let protocol = Arc::clone(&world.peers[peer].source.protocol);
    let filter = filter("where bgp_med = 1");
    let ask = Ask::Import { protocol, filter, preference: 100 };
    let (answers, pieces) = assess(&mut world, TABLE, std::slice::from_ref(&ask));
    let expected = Changes { routes: 5000, lost: 2500, ..Changes::default() };
    assert_eq!(answers[0].all, expected);
    // 512 runs make a piece.
    assert!((10..=14).contains(&pieces), "{pieces} pieces");
    let (answers, pieces) = assess(&mut world, TableId(9), &[ask]);
    assert_eq!((answers[0].all, pieces), (Changes::default(), 2));
}

#[test]
fn routes_of_the_dead_are_not_counted() {
    let mut world = some_world(4);
    let protocol = Arc::clone(&world.peers[0].source.protocol);
    world.kill(0);
    let filter = ChannelFilter::Reject;
    let answers = assess(&mut world, TABLE, &[Ask::Import { protocol, filter, preference: 100 }]).0;
    assert_eq!(answers[0].all, Changes::default());
}

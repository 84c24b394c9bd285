//! Reading tables.

use dunlin_filter::ChannelFilter;
use dunlin_net::{Network, Prefix};

use super::world::{TABLE, World};
use crate::testing::{Kind, Look, address, look_of, net};
use crate::walk::{Shown, Walk};

const LOOK: Look = Look { local_pref: 100, hops: 2, med: 0 };
const BETTER: Look = Look { local_pref: 200, hops: 2, med: 0 };

fn world() -> World {
    let mut world = World::new(4, 1, 4_000_000);
    let one = world.add_peer(Kind::AcceptAll);
    let two = world.add_peer_with(Kind::AcceptAll, address(9), None, |source| {
        source.keep_filtered = true;
    });
    for n in 0..50 {
        world.announce(one, net(n), 0, LOOK);
        if n % 2 == 0 {
            world.announce(two, net(n), 0, BETTER);
        }
    }
    world.flush(one);
    world.flush(two);
    world.settle();
    world
}

#[test]
fn a_walk_goes_through_all_networks_with_the_best_first() {
    let mut world = world();
    let found = world.walk(TABLE, &Walk::All { cursor: 0 }, Shown::Accepted);
    assert_eq!(found.len(), 50);
    for (n, found) in found.iter().enumerate() {
        assert_eq!(found.net, Network::V4(net(n)));
        let looks: Vec<Look> = found.rows.iter().map(|row| look_of(&row.attrs)).collect();
        let expected = if n % 2 == 0 { vec![BETTER, LOOK] } else { vec![LOOK] };
        assert_eq!(looks, expected);
        assert!(found.rows[0].best && found.rows.iter().skip(1).all(|row| !row.best));
    }
}

#[test]
fn a_walk_finds_one_network_or_those_inside_a_prefix() {
    let mut world = world();
    let exact = world.walk(TABLE, &Walk::Exact(Network::V4(net(7))), Shown::Accepted);
    assert_eq!(exact.iter().map(|net| net.net).collect::<Vec<_>>(), [Network::V4(net(7))]);
    let absent: Prefix = "0.7.0.0/25".parse().unwrap();
    assert!(world.walk(TABLE, &Walk::Exact(absent.into()), Shown::Accepted).is_empty());
    let prefix: Prefix = "0.16.0.0/12".parse().unwrap();
    let inside = world.walk(TABLE, &Walk::In { prefix, cursor: 0 }, Shown::Accepted);
    assert_eq!(inside.len(), 16);
}

#[test]
fn a_walk_finds_the_longest_match_of_each_slice() {
    let mut world = world();
    let default: dunlin_net::Prefix4 = "0.0.0.0/0".parse().unwrap();
    world.announce(0, default, 0, LOOK);
    world.flush(0);
    world.settle();
    let found = world.walk(TABLE, &Walk::For("0.7.0.9".parse().unwrap()), Shown::Accepted);
    let longest = found.iter().max_by_key(|net| net.net.prefix().map(Prefix::len)).unwrap();
    assert_eq!(longest.net, Network::V4(net(7)));
    let found = world.walk(TABLE, &Walk::For("9.9.9.9".parse().unwrap()), Shown::Accepted);
    assert_eq!(found.len(), 1);
    let inside: Prefix = "0.7.0.128/25".parse().unwrap();
    let found = world.walk(TABLE, &Walk::ForNet(inside), Shown::Accepted);
    assert!(found.iter().any(|found| found.net == Network::V4(net(7))));
}

#[test]
fn rejected_routes_are_shown_where_they_are_kept() {
    let mut world = world();
    world.set_filter(0, &ChannelFilter::Reject);
    world.set_filter(1, &ChannelFilter::Reject);
    world.settle();
    assert!(world.walk(TABLE, &Walk::All { cursor: 0 }, Shown::Accepted).is_empty());
    // Only the second keeps them for show.
    let found = world.walk(TABLE, &Walk::All { cursor: 0 }, Shown::Rejected);
    assert_eq!(found.len(), 25);
    assert!(found.iter().all(|net| net.rows.iter().all(|row| row.rejected && !row.best)));
}

#[test]
fn routes_of_the_dead_are_not_shown() {
    let mut world = world();
    world.kill(1);
    world.run(0);
    for found in world.walk(TABLE, &Walk::All { cursor: 0 }, Shown::Accepted) {
        assert_eq!(found.rows.len(), 1);
    }
}

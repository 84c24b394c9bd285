//! The same paths with longer keys.

use std::sync::Arc;

use dunlin_net::{NetType, Prefix, Prefix6};
use dunlin_runtime::Class;

use super::world::World;
use crate::TableId;
use crate::import::ImportBuilder;
use crate::slice::SliceMessage;
use crate::testing::{Look, attrs, bgp_source};
use crate::walk::{Shown, Walk};

const SIX: TableId = TableId(3);

fn net(n: u128) -> Prefix6 {
    Prefix6::new(0x2001_0db8 << 96 | n << 80, 48).unwrap()
}

#[test]
fn a_table_of_ipv6_has_best_routes_followers_and_walks() {
    let mut world = World::new(4, 1, 4_000_000);
    let add = || SliceMessage::TableAdd { id: SIX, net_type: NetType::Ip6 };
    world.slices.send_all(Class::Routing, add);
    let follower = world.follow(SIX);
    let events = Arc::clone(&world.events);
    let builder = |world: &World, n: u32| {
        let mut source = bgp_source(100 + n, n, SIX.0, &events);
        source.import = dunlin_filter::ChannelFilter::Accept;
        ImportBuilder::<Prefix6>::new(world.slices.clone(), Arc::new(source), None)
    };
    let (mut one, mut two) = (builder(&world, 1), builder(&world, 2));
    for n in 0..300 {
        one.announce(net(n), 0, &attrs(Look { local_pref: 100, hops: 1, med: 0 }));
        if n % 2 == 0 {
            two.announce(net(n), 0, &attrs(Look { local_pref: 200, hops: 1, med: 0 }));
        }
    }
    one.flush();
    two.flush();
    world.run(50);
    let best = follower.best.lock().unwrap().clone();
    assert_eq!(best.len(), 300);
    assert!(best.iter().all(|(net, route)| {
        let n = (0..300).find(|&n| Prefix::V6(self::net(n)) == *net).unwrap();
        route.source.id.0 == if n % 2 == 0 { 102 } else { 101 }
    }));
    let found = world.walk(SIX, &Walk::All { cursor: 0 }, Shown::Accepted);
    assert_eq!(found.iter().map(|net| net.rows.len()).sum::<usize>(), 450);
    let source = two.source();
    source.kill();
    let id = source.id;
    world.slices.send_all(Class::Routing, || SliceMessage::SourceDown { source: id, done: None });
    world.run(50);
    let best = follower.best.lock().unwrap().clone();
    assert!(best.len() == 300 && best.values().all(|route| route.source.id.0 == 101));
    (0..300).for_each(|n| one.withdraw(net(n), 0));
    one.flush();
    world.run(50);
    assert!(follower.best.lock().unwrap().is_empty());
    assert!(world.walk(SIX, &Walk::All { cursor: 0 }, Shown::Accepted).is_empty());
}

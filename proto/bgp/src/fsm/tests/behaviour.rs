use super::super::*;
use super::world::{S, World, cease, last_error, settings};
use crate::wire::capability::Capabilities;
use crate::wire::{Carried, FamilySet};

fn pair(seed: u64) -> World {
    World::new(settings(65001, 65002, 1), settings(65002, 65001, 2), seed)
}

fn with(change: impl FnOnce(&mut Settings, &mut Settings)) -> World {
    let (mut a, mut b) = (settings(65001, 65002, 1), settings(65002, 65001, 2));
    change(&mut a, &mut b);
    World::new(a, b, 7)
}

#[test]
fn two_active_speakers_end_with_one_session_whatever_the_order() {
    for seed in 0..300 {
        let mut world = pair(seed);
        world.start();
        world.run_for(60 * S);
        assert_eq!(world.is_up(), [true, true], "seed {seed}: {:#?}", world.log);
        let sides = [0, 1].map(|node| world.nodes[node].established().unwrap());
        assert_eq!(sides[0], sides[1].other(), "both mean the same connection, seed {seed}");
        assert_eq!(world.logged("Lost"), 0, "seed {seed}: {:#?}", world.log);
    }
}

#[test]
fn of_two_connections_at_once_the_higher_identifier_keeps_its_own() {
    for swap in [false, true] {
        let ids = if swap { [2, 1] } else { [1, 2] };
        let mut world =
            World::new(settings(65001, 65002, ids[0]), settings(65002, 65001, ids[1]), 3);
        // No jitter: both connect in the same instant.
        for node in [0, 1] {
            world.nodes[node].start(world.now, 0);
        }
        world.run_for(20 * S);
        assert_eq!(world.is_up(), [true, true]);
        let expected = if swap { Side::Outgoing } else { Side::Incoming };
        assert_eq!(world.nodes[0].established(), Some(expected));
        assert!(world.logged("subcode: 7") > 0, "{:#?}", world.log);
    }
}

#[test]
fn the_same_seed_gives_the_same_story() {
    let story = |seed| {
        let mut world = pair(seed);
        world.start();
        world.run_for(500 * S);
        world.log
    };
    assert_eq!(story(11), story(11));
    assert_ne!(story(11), story(12));
}

#[test]
fn a_passive_speaker_waits() {
    let mut world = with(|a, _| a.passive = true);
    world.start();
    assert!(world.nodes[0].is_passive_wait());
    world.run_for(20 * S);
    assert_eq!(world.nodes[0].established(), Some(Side::Incoming));
}

#[test]
fn nobody_listens() {
    let mut world = pair(1);
    world.listening = [false, false];
    world.start();
    world.run_for(30 * S);
    assert_eq!(last_error(&world, 0), "Socket: Connection refused");
    let attempts = world.logged("0 Connect");
    assert!((5..=8).contains(&attempts), "every 4 to 5 s: {attempts}");
    world.listening = [true, true];
    world.run_for(30 * S);
    assert_eq!(world.is_up(), [true, true]);
}

#[test]
fn the_hold_time_is_over() {
    let mut world = pair(5);
    world.start();
    world.run_for(60 * S);
    world.partition = true;
    // A KEEPALIVE may have come just now, or be due just now.
    world.run_for(59 * S);
    assert_eq!(world.is_up(), [true, true]);
    world.run_for(32 * S);
    assert_eq!(world.is_up(), [false, false]);
    assert_eq!(last_error(&world, 0), "BGP Error: Hold timer expired");
    assert!(matches!(world.nodes[0].waiting(world.now), Some(Waiting::Error(..))));
    world.partition = false;
    world.run_for(90 * S);
    assert_eq!(world.is_up(), [true, true]);
}

#[test]
fn a_speaker_that_does_not_read_for_a_while_asks_the_socket_first() {
    let mut world = pair(5);
    world.start();
    world.run_for(60 * S);
    world.deaf = [true, false];
    world.run_for(600 * S);
    assert_eq!(world.is_up(), [true, true], "{:#?}", world.log);
    assert!(world.logged("AskHeard") > 2);
    world.partition = true;
    world.run_for(130 * S);
    assert_eq!(world.is_up(), [false, false]);
}

#[test]
fn no_hold_time_no_keepalives() {
    let mut world = with(|a, _| a.timers.hold = core::time::Duration::ZERO);
    world.start();
    world.run_for(20 * S);
    let keepalives = world.logged("Keepalive");
    world.partition = true;
    world.run_for(10_000 * S);
    assert_eq!(world.is_up(), [true, true]);
    assert_eq!(world.logged("Keepalive"), keepalives);
}

#[test]
fn errors_are_followed_by_longer_and_longer_waits() {
    let mut world = with(|a, b| {
        a.neighbor = Neighbor::As(65009);
        b.passive = true;
        a.timers.error_wait = (10 * S, 40 * S);
        b.timers.error_wait = (S, S);
    });
    world.start();
    world.run_for(300 * S);
    assert_eq!(last_error(&world, 0), "BGP Error: Bad peer AS");
    assert_eq!(last_error(&world, 1), "Received: Bad peer AS");
    let waits: Vec<u64> = connects(&world).windows(2).map(|pair| pair[1] - pair[0]).collect();
    // Error wait, then the connect delay of 4 to 5 s.
    assert!(waits.len() >= 5, "{waits:?}");
    for (wait, least) in waits.iter().zip([10, 20, 40, 40]) {
        assert!((least + 3..=least + 6).contains(wait), "{waits:?}");
    }
}

/// The seconds at which node 0 connects.
fn connects(world: &World) -> Vec<u64> {
    let lines = world.log.iter().filter(|line| line.ends_with("0 Connect"));
    lines.map(|line| line.split('.').next().unwrap().parse().unwrap()).collect()
}

#[test]
fn a_stop_tells_the_neighbour_and_stays() {
    let mut world = pair(9);
    world.start();
    world.run_for(60 * S);
    world.with(0, |fsm, _, _, actions| fsm.stop(&cease(2), actions));
    world.run_for(S);
    assert_eq!(last_error(&world, 1), "Received: Administrative shutdown");
    world.run_for(60 * S);
    assert_eq!(world.is_up(), [false, false]);
    assert!(world.nodes[0].is_down());
    assert_eq!(world.logged("Lost"), 2);
    let (now, node) = (world.now, &mut world.nodes[0]);
    node.start(now, 1);
    world.run_for(60 * S);
    assert_eq!(world.is_up(), [true, true]);
}

#[test]
fn what_is_configured_to_disable_disables() {
    let mut world = with(|_, b| b.disable_after_cease = CeaseMask::SWITCH);
    world.start();
    world.run_for(60 * S);
    world.with(0, |fsm, _, _, actions| fsm.stop(&cease(4), actions));
    world.run_for(S);
    assert!(world.nodes[1].is_down());
    assert_eq!(world.logged("Disable"), 1);

    let mut world = with(|a, _| {
        a.neighbor = Neighbor::As(1);
        a.disable_after_error = true;
    });
    world.start();
    world.run_for(60 * S);
    assert!(world.nodes[0].is_down());
}

#[test]
fn what_the_open_must_say() {
    let families = FamilySet::NONE.with(Carried::Ipv6);
    type Change = fn(&mut Settings);
    let cases: [(Change, &str); 6] = [
        (|b| b.router_id = 1, ""),
        (|b| b.required.enhanced_refresh = true, "BGP Error: Required capability missing"),
        (|b| b.timers.min_hold = 100 * S, "BGP Error: Unacceptable hold time"),
        (|b| b.neighbor = Neighbor::Internal, "BGP Error: Bad peer AS"),
        (|b| b.neighbor = Neighbor::External, ""),
        (|b| b.timers.min_keepalive = 31 * S, "BGP Error: Unacceptable hold time"),
    ];
    for (change, expected) in cases {
        let mut world = with(|_, b| change(b));
        world.start();
        world.run_for(30 * S);
        assert_eq!(
            last_error(&world, 1).replace("Received: Connection collision resolution", ""),
            expected
        );
        assert_eq!(world.is_up(), [expected.is_empty(); 2]);
    }
    let mut world = with(|_, b| b.required.families = families);
    world.start();
    world.run_for(30 * S);
    assert!(world.logged("data: [1, 4, 0, 2, 0, 1]") > 0, "{:#?}", world.log);
}

#[test]
fn the_same_identifier_inside_an_as_is_refused() {
    let mut world = World::new(settings(65001, 65001, 1), settings(65001, 65001, 1), 1);
    world.start();
    world.run_for(30 * S);
    assert_eq!(world.is_up(), [false, false]);
    assert!(world.log.iter().any(|line| line.contains("code: 2, subcode: 3")));
}

#[test]
fn a_neighbour_without_capabilities_is_tried_without() {
    let mut world = pair(2);
    world.nodes[1] = Fsm::new(settings(65002, 65001, 2));
    world.start();
    world.run_for(4 * S);
    world.run_for(S);
    let refusal = crate::wire::Notification::new(2, 4);
    // Node 0 has an OPEN out; it is refused before the neighbour's comes.
    let mut fsm = Fsm::new(settings(65001, 65002, 1));
    let mut actions = Vec::new();
    fsm.start(world.now, 0);
    fsm.expired(world.now + 5 * S, 0, &mut actions);
    fsm.connected(world.now + 5 * S, &mut actions);
    fsm.notification(Side::Outgoing, refusal, world.now + 5 * S, 0, &mut actions);
    assert_eq!(fsm.our_open().capabilities, Capabilities::default());
    assert!(matches!(fsm.waiting(world.now + 5 * S), Some(Waiting::Connect(..))));
}

#[test]
fn messages_that_have_no_place_end_the_session() {
    let mut world = pair(4);
    world.start();
    world.run_for(60 * S);
    let side = world.nodes[0].established().unwrap();
    let open = world.nodes[1].our_open();
    world.with(0, |fsm, now, random, actions| fsm.open(side, open, now, random, actions));
    assert_eq!(last_error(&world, 0), "BGP Error: Unexpected message in Established state");
    world.run_for(S);
    assert_eq!(world.is_up(), [false, false]);
}

#[test]
fn a_broken_connection_is_tried_again_without_a_penalty() {
    let mut world = pair(4);
    world.start();
    world.run_for(60 * S);
    for node in [0, 1] {
        let side = world.nodes[node].established().unwrap();
        world.with(node, |fsm, now, random, actions| {
            fsm.closed(side, Some("Connection reset by peer"), now, random, actions);
        });
    }
    assert_eq!(last_error(&world, 0), "Socket: Connection reset by peer");
    world.run_for(6 * S);
    assert_eq!(world.is_up(), [true, true], "{:#?}", world.log);
}

#[test]
fn nothing_sent_for_too_long() {
    let mut world = pair(6);
    world.start();
    world.run_for(60 * S);
    let (side, now) = (world.nodes[0].established().unwrap(), world.now);
    // The system takes nothing any more, though the neighbour is heard.
    let mut fsm = world.nodes[0].clone();
    let (mut actions, mut at) = (Vec::new(), now);
    while at < now + 300 * S && fsm.established().is_some() {
        at += S;
        fsm.heard(side, at);
        fsm.expired(at, 0, &mut actions);
    }
    assert_eq!(fsm.last_error().unwrap().to_string(), "BGP Error: Send hold timer expired");
    assert!((148..=181).contains(&at.since(now).as_secs()), "twice the hold time");
}

#[test]
fn what_goes_wrong_beside_an_established_session_leaves_it_alone() {
    let mut fsm = Fsm::new(settings(65001, 65002, 1));
    let neighbor = Fsm::new(settings(65002, 65001, 2));
    let mut actions = Vec::new();
    let mut now = dunlin_runtime::Time::from_nanos(1_000_000_000);
    fsm.start(now, 0);
    fsm.expired(now + 5 * S, 0, &mut actions);
    fsm.connected(now, &mut actions);
    fsm.open(Side::Outgoing, neighbor.our_open(), now, 0, &mut actions);
    fsm.keepalive_received(Side::Outgoing, now, &mut actions);
    assert_eq!(fsm.established(), Some(Side::Outgoing));
    type Harm = fn(&mut Fsm, dunlin_runtime::Time, &mut Vec<Action>);
    let harms: [Harm; 5] = [
        |fsm, now, actions| fsm.malformed(Side::Incoming, cease(0), now, actions),
        |fsm, now, actions| {
            let refusal = crate::wire::Notification::new(2, 2);
            fsm.notification(Side::Incoming, refusal, now, 0, actions);
        },
        |fsm, now, actions| {
            let stranger = Fsm::new(settings(65009, 65001, 9)).our_open();
            fsm.open(Side::Incoming, stranger, now, 0, actions);
        },
        |fsm, now, actions| fsm.keepalive_received(Side::Incoming, now, actions),
        |fsm, now, actions| {
            // It says nothing until its own hold time is over.
            for second in 0..240 {
                fsm.heard(Side::Outgoing, now + second * S);
                fsm.sent(Side::Outgoing, now + second * S);
                fsm.expired(now + second * S, 0, actions);
            }
            fsm.expired(now + 240 * S, 0, actions);
        },
    ];
    for harm in harms {
        actions.clear();
        assert!(fsm.accepted(now, &mut actions));
        harm(&mut fsm, now, &mut actions);
        assert_eq!(fsm.established(), Some(Side::Outgoing), "{actions:#?}");
        assert_eq!(fsm.side_state(Side::Incoming), State::Idle, "{actions:#?}");
        assert!(!actions.contains(&Action::Lost), "{actions:#?}");
        assert!(fsm.last_error().is_none(), "{actions:#?}");
        now += 300 * S;
        fsm.heard(Side::Outgoing, now);
        fsm.sent(Side::Outgoing, now);
    }
}

#[test]
fn a_neighbor_that_refuses_is_not_asked_without_pause() {
    let mut world = with(|a, b| {
        let none = core::time::Duration::ZERO;
        (a.timers.connect_delay, a.timers.error_wait) = (none, (none, none));
        b.passive = true;
    });
    world.listening = [false, false];
    world.start();
    world.run_for(30 * S);
    let attempts = world.logged("0 Connect");
    assert!((29..=42).contains(&attempts), "one at once, then about one a second: {attempts}");
}

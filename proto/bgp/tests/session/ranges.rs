//! Neighbours out of a range.

use super::prefixes;
use super::support::daemon::{Daemon, nap};
use super::support::speaker::Speaker;

#[test]
fn neighbours_out_of_a_range_get_sessions_of_their_own() {
    let config = "protocol bgp range1 { local 127.0.0.1 port 11796 as 65000; strict bind; \
                  neighbor range 127.0.0.0/8 external; multihop; rs client; \
                  dynamic name \"peer\"; ipv4 { import all; export all; }; }";
    let daemon = Daemon::start(config);
    daemon.wait_state("range1", "start Passive");
    let mut peers: Vec<_> = (2..6u32)
        .map(|i| Speaker::connect(&format!("127.0.0.{i}"), "127.0.0.1:11796", 65000 + i))
        .collect();
    peers.iter_mut().for_each(Speaker::establish);
    for i in 1..5 {
        daemon.wait_state(&format!("peer{i}"), "up Established");
    }
    peers[0].announce(&prefixes(50), [127, 0, 0, 2], &[]);
    for peer in &mut peers[1..] {
        peer.until("routes", |peer| peer.routes.len() == 50);
    }
    peers.remove(0);
    for peer in &mut peers {
        peer.until("withdrawals", |peer| peer.routes.is_empty());
    }
    let gone = || daemon.rows().iter().filter(|row| row.config.parent.is_some()).count() == 3;
    assert!((0..500).any(|_| gone() || {
        nap();
        false
    }));
}

#[test]
#[expect(clippy::disallowed_methods, reason = "real sockets take real time")]
fn a_neighbour_out_of_a_range_may_come_back_at_once() {
    let config = "protocol bgp range1 { local 127.0.0.1 port 11804 as 65000; strict bind; \
                  neighbor range 127.0.0.0/8 external; multihop; rs client; \
                  dynamic name \"peer\"; ipv4 { import all; export all; }; }";
    let daemon = Daemon::start(config);
    daemon.wait_state("range1", "start Passive");
    let mut other = Speaker::connect("127.0.0.3", "127.0.0.1:11804", 65003);
    other.establish();
    let begin = std::time::Instant::now();
    for round in 0..20 {
        let mut peer = Speaker::connect("127.0.0.2", "127.0.0.1:11804", 65002);
        peer.establish();
        // Some end before they are established, some with routes under way.
        if round % 2 == 0 {
            peer.announce(&prefixes(500), [127, 0, 0, 2], &[]);
        }
        if round % 4 == 0 {
            other.until("routes", |other| other.routes.len() == 500);
        }
    }
    let took = begin.elapsed();
    assert!(took.as_secs() < 5, "{took:?} for twenty connections");
    other.until("withdrawals", |other| other.routes.is_empty());
    let children = || daemon.rows().iter().filter(|row| row.config.parent.is_some()).count();
    for _ in 0..500 {
        if children() == 1 {
            break;
        }
        nap();
    }
    assert_eq!(children(), 1, "only the other one is left");
}

#[test]
fn a_second_connection_of_a_neighbour_out_of_a_range_is_refused_and_logged() {
    let config = "protocol bgp range1 { local 127.0.0.1 port 11805 as 65000; strict bind; \
                  neighbor range 127.0.0.0/8 external; multihop; \
                  dynamic name \"peer\"; ipv4 { import all; export none; }; }";
    let daemon = Daemon::start(config);
    daemon.wait_state("range1", "start Passive");
    let mut first = Speaker::connect("127.0.0.2", "127.0.0.1:11805", 65002);
    first.establish();
    daemon.wait_state("peer1", "up Established");
    daemon.log();
    for _ in 0..20 {
        let mut second = Speaker::connect("127.0.0.2", "127.0.0.1:11805", 65002);
        second.until("the end", |second| second.closed);
    }
    first.listen(2);
    assert!(!first.closed && first.notification.is_none());
    let refused = |line: &&String| line.ends_with("dropped: there is one already");
    let said = daemon.log().iter().filter(refused).count();
    assert_eq!(said, 5, "said, but not each time");
}

#[test]
fn a_second_connection_is_refused_though_the_first_is_busy() {
    let config = "protocol bgp range1 { local 127.0.0.1 port 11818 as 65000; strict bind; \
                  neighbor range 127.0.0.0/8 external; multihop; \
                  dynamic name \"peer\"; ipv4 { import all; export none; }; }";
    let daemon = Daemon::start(config);
    daemon.wait_state("range1", "start Passive");
    let mut first = Speaker::connect("127.0.0.2", "127.0.0.1:11818", 65002);
    first.establish();
    daemon.wait_state("peer1", "up Established");
    // Several reads, and a pause for credit.
    let (nets, other) = (prefixes(65_536), [0x80, 4, 4, 0, 0, 0, 9]);
    for round in 0..10 {
        first.announce(&nets, [127, 0, 0, 2], if round % 2 == 0 { &other } else { &[] });
        let mut second = Speaker::connect("127.0.0.2", "127.0.0.1:11818", 65002);
        second.until("the end", |second| second.closed);
    }
    daemon.wait_imported("peer1", 65_536);
    assert!(!first.closed && first.notification.is_none());
    assert!(daemon.log().iter().any(|line| line.ends_with("dropped: there is one already")));
}

//! Sessions over real sockets: a daemon's manager, tables and BGP, and raw neighbours.
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests may fail by panic")]

#[path = "session/limits.rs"]
mod limits;
#[path = "session/ranges.rs"]
mod ranges;
mod support;

use core::net::IpAddr;
use std::net::TcpListener;

use dunlin_bgp::wire::attribute::put;
use dunlin_bgp::wire::{Family, RouteRefresh, refresh};
use dunlin_core::manager::Action;
use dunlin_core::protocol::Direction;
use dunlin_net::{Prefix, Prefix4};
use support::daemon::{Daemon, PANIC};
use support::speaker::Speaker;

const POLICY: &str = "ipv4 { import all; export all; }; ipv6 { import all; export all; };";

fn session(name: &str, port: u16, neighbor: &str, asn: u32, more: &str) -> String {
    format!(
        "protocol bgp {name} {{ local 127.0.0.1 port {port} as 65000; strict bind; \
         neighbor {neighbor} as {asn}; multihop; passive; connect delay time 1; \
         error wait time 1, 1; {more} }}\n"
    )
}

fn prefixes(count: u32) -> Vec<Prefix4> {
    (0..count).map(|i| Prefix4::new(0x0a00_0000 + (i << 8), 24).unwrap()).collect()
}

#[test]
fn routes_go_from_one_neighbour_to_another_and_back_out() {
    let config = session("a", 11790, "127.0.0.2", 65002, POLICY)
        + &session("b", 11790, "127.0.0.3", 65003, POLICY);
    let daemon = Daemon::start(&config);
    let mut a = Speaker::connect("127.0.0.2", "127.0.0.1:11790", 65002);
    let mut b = Speaker::connect("127.0.0.3", "127.0.0.1:11790", 65003);
    a.establish();
    b.establish();
    daemon.wait_state("a", "up Established");
    daemon.wait_state("b", "up Established");

    let nets = prefixes(3000);
    let mut more = Vec::new();
    put(&mut more, 0x80, 4, &[0, 0, 0, 9]);
    put(&mut more, 0xc0, 8, &[0xfd, 0xe9, 0, 7]);
    put(&mut more, 0xc0, 99, &[1, 2, 3]);
    a.announce(&nets, [127, 0, 0, 2], &more);
    b.until("the routes", |b| b.routes.len() == 3000);
    let (attributes, next_hop) = b.routes.values().next().unwrap().clone();
    assert_eq!(next_hop, "127.0.0.1".parse::<IpAddr>().unwrap());
    let mut expected = vec![0x40, 1, 1, 0];
    put(&mut expected, 0x40, 2, &[2, 2, 0, 0, 0xfd, 0xe8, 0, 0, 0xfd, 0xea]);
    put(&mut expected, 0x40, 5, &[0, 0, 0, 100]);
    put(&mut expected, 0xc0, 8, &[0xfd, 0xe9, 0, 7]);
    put(&mut expected, 0xe0, 99, &[1, 2, 3]);
    assert_eq!(attributes, expected, "prepended, without MED");
    assert!(b.updates <= 40, "well packed: {} UPDATEs", b.updates);
    b.until("End-of-RIB", |b| {
        [Family::IPV4, Family::IPV6].iter().all(|f| b.end_of_rib.contains(f))
    });
    a.listen(5);
    assert!(a.routes.is_empty(), "nothing goes back to where it came from");

    a.withdraw(&nets[..1000]);
    b.until("withdrawals", |b| b.routes.len() == 2000);
    let description = daemon.describe("a");
    let channel = &description.channels[0];
    assert_eq!(channel.statistics.unwrap().imported, 2000, "{description:#?}");
    assert!(description.lines.iter().any(|line| line == "    Neighbor ID:      0.0.253.234"));

    drop(a);
    b.until("the end of the session's routes", |b| b.routes.is_empty());
    // What we hadn't read makes the system reset the connection.
    let state = daemon.state("a");
    assert!(state.starts_with("start Passive       Socket: Connection "), "{state}");
}

#[test]
fn a_neighbour_that_comes_late_gets_everything() {
    let config = session("a", 11791, "127.0.0.2", 65002, &format!("rs client; {POLICY}"))
        + &session("b", 11791, "127.0.0.3", 65003, &format!("rs client; {POLICY}"));
    let daemon = Daemon::start(&config);
    let mut a = Speaker::connect("127.0.0.2", "127.0.0.1:11791", 65002);
    a.establish();
    daemon.wait_state("a", "up Established");
    a.announce(&prefixes(5000), [127, 0, 0, 9], &[]);
    a.listen(10);
    let mut b = Speaker::connect("127.0.0.3", "127.0.0.1:11791", 65003);
    b.establish();
    b.until("the feed", |b| b.end_of_rib.contains(&Family::IPV4));
    assert_eq!(b.routes.len(), 5000, "End-of-RIB comes after everything");
    let (attributes, next_hop) = b.routes.values().next().unwrap();
    assert_eq!(*next_hop, "127.0.0.9".parse::<IpAddr>().unwrap(), "a route server keeps it");
    assert_eq!(attributes[4..14], [0x40, 2, 6, 2, 1, 0, 0, 0xfd, 0xea, 0x40]);

    let request = RouteRefresh { family: Family::IPV4, kind: refresh::Kind::Request };
    let mut out = Vec::new();
    request.encode(&mut out);
    b.routes.clear();
    b.send(&out);
    b.until("the refresh", |b| b.routes.len() == 5000);
}

#[test]
fn the_daemon_connects_and_is_told_to_stop() {
    let listener = TcpListener::bind("127.0.0.4:11792").unwrap();
    let config = "protocol bgp out { local 127.0.0.1 port 11793 as 65000; strict bind; \
                  neighbor 127.0.0.4 port 11792 as 65004; multihop; connect delay time 0; \
                  ipv4 { import all; export all; }; }";
    let daemon = Daemon::start(config);
    let mut peer = Speaker::accept(&listener, 65004);
    peer.establish();
    daemon.wait_state("out", "up Established");
    let open = peer.open.clone().unwrap();
    assert_eq!((open.asn(), open.hold_time), (65000, 240));

    daemon.control(Action::Disable, "out", Some("maintenance"));
    peer.until("the end", |peer| peer.closed);
    let notification = peer.notification.clone().unwrap();
    assert_eq!((notification.code, notification.subcode), (6, 2));
    assert_eq!(notification.shutdown_text().as_deref(), Some("maintenance"));
    daemon.wait_state("out", "down BGP Error: Administrative shutdown");
}

#[test]
fn errors_end_one_session_and_spare_the_others() {
    let config = session("a", 11794, "127.0.0.2", 65002, POLICY)
        + &session("b", 11794, "127.0.0.3", 65003, POLICY);
    let daemon = Daemon::start(&config);
    let mut b = Speaker::connect("127.0.0.3", "127.0.0.1:11794", 65003);
    b.establish();
    type Case = (&'static [u8], (u8, u8), &'static str);
    let cases: [Case; 3] = [
        (&[0; 19], (1, 1), "Connection not synchronized"),
        (&[0xff; 19], (1, 2), "Bad message length"),
        (
            &[
                255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 0,
                25, 2, 0, 2, 33, 1, 0, 0,
            ],
            (3, 10),
            "Invalid network field",
        ),
    ];
    for (bytes, code, name) in cases {
        let mut a = Speaker::connect("127.0.0.2", "127.0.0.1:11794", 65002);
        a.establish();
        daemon.wait_state("a", "up Established");
        a.announce(&prefixes(10), [127, 0, 0, 2], &[]);
        b.until("routes", |b| b.routes.len() == 10);
        a.send(bytes);
        a.until("the end", |a| a.closed);
        let notification = a.notification.clone().unwrap();
        assert_eq!((notification.code, notification.subcode), code);
        b.until("withdrawals", |b| b.routes.is_empty());
        daemon.wait_state("a", &format!("start Idle          BGP Error: {name}"));
        daemon.wait_state("a", &format!("start Passive       BGP Error: {name}"));
    }
    assert!(b.notification.is_none() && !b.closed);
}

#[test]
fn a_session_that_panics_leaves_nothing_behind_and_can_be_started_again() {
    let config = session("a", 11812, "127.0.0.2", 65002, POLICY)
        + &session("b", 11812, "127.0.0.3", 65003, POLICY);
    let daemon = Daemon::start(&config);
    let mut b = Speaker::connect("127.0.0.3", "127.0.0.1:11812", 65003);
    b.establish();
    let nets = prefixes(300);
    for again in [Action::Enable, Action::Restart] {
        let mut a = Speaker::connect("127.0.0.2", "127.0.0.1:11812", 65002);
        a.establish();
        daemon.wait_state("a", "up Established");
        a.announce(&nets, [127, 0, 0, 2], &[]);
        b.until("routes", |b| b.routes.len() == 300);
        // A NOTIFICATION with a text (RFC 9003) that the log chokes on.
        let mut last = vec![0xff; 16];
        last.extend([0, (22 + PANIC.len()) as u8, 3, 6, 2, PANIC.len() as u8]);
        last.extend(PANIC.as_bytes());
        a.send(&last);
        b.until("withdrawals", |b| b.routes.is_empty());
        daemon.wait_state("a", "down Error: panicked: as the neighbour says");
        let described = daemon.log().iter().any(|line| line.contains("a: Panicked, and is down"));
        assert!(described);
        assert!(daemon.configure(&config).iter().all(|line| line.code != 5), "it hangs");
        daemon.wait_state("a", "start Passive");
        daemon.control(Action::Disable, "a", None);
        daemon.wait_state("a", "down ");
        daemon.control(again, "a", None);
        daemon.control(Action::Enable, "a", None);
        daemon.wait_state("a", "start Passive");
    }
    assert!(b.notification.is_none() && !b.closed);
}

#[test]
fn a_changed_filter_keeps_the_session() {
    let with = |import: &str, export: &str| {
        session(
            "a",
            11795,
            "127.0.0.2",
            65002,
            &format!("ipv4 {{ import {import}; export none; }};"),
        ) + &session(
            "b",
            11795,
            "127.0.0.3",
            65003,
            &format!("ipv4 {{ import none; export {export}; }};"),
        )
    };
    let daemon = Daemon::start(&with("all", "all"));
    let mut a = Speaker::connect("127.0.0.2", "127.0.0.1:11795", 65002);
    let mut b = Speaker::connect("127.0.0.3", "127.0.0.1:11795", 65003);
    a.establish();
    b.establish();
    daemon.wait_state("a", "up Established");
    a.announce(&prefixes(100), [127, 0, 0, 2], &[]);
    b.until("routes", |b| b.routes.len() == 100);
    daemon.configure(&with("where net ~ [ 10.0.0.0/18+ ]", "all"));
    b.until("fewer routes", |b| b.routes.len() == 64);
    daemon.configure(&with("where net ~ [ 10.0.0.0/18+ ]", "where net ~ [ 10.0.0.0/20+ ]"));
    b.until("still fewer routes", |b| b.routes.len() == 16);
    let changed = "filter { bgp_community.add((65000, 1)); bgp_med = 7; accept; }";
    daemon.configure(&with("all", changed));
    b.until("all of them", |b| b.routes.len() == 100);
    let is_marked = |attributes: &[u8]| {
        attributes.windows(7).any(|w| w == [0xc0, 8, 4, 0xfd, 0xe8, 0, 1])
            && attributes.windows(7).any(|w| w == [0x80, 4, 4, 0, 0, 0, 7])
    };
    b.until("the community", |b| b.routes.values().all(|(attrs, _)| is_marked(attrs)));
    assert!(!a.closed && !b.closed);
    assert_eq!(daemon.state("a"), "up Established");
}

/// MED and next hop of a route as it is announced.
fn med_and_hop((attributes, hop): &(Vec<u8>, IpAddr)) -> (Option<u8>, String) {
    let med = attributes.windows(7).find(|w| w[..6] == [0x80, 4, 4, 0, 0, 0]);
    (med.map(|w| w[6]), hop.to_string())
}

#[test]
fn what_an_export_filter_sets_to_the_value_that_is_there_is_announced() {
    let function = "function f() { bgp_med = bgp_med; bgp_next_hop = bgp_next_hop; }\n";
    let (ours, theirs) = ("127.0.0.1", "127.0.0.2");
    let cases = [
        ("accept;", None, ours),
        // Equal but for constants, so they are asked all at once.
        ("bgp_med = 7; bgp_next_hop = 127.0.0.2; accept;", Some(7), theirs),
        ("bgp_med = 8; bgp_next_hop = 127.0.0.2; accept;", Some(8), theirs),
        ("bgp_med = 7; bgp_next_hop = 127.0.0.77; accept;", Some(7), "127.0.0.77"),
        ("if net.len > 3 then bgp_med = 7; accept;", Some(7), ours),
        ("f(); accept;", Some(7), theirs),
        ("bgp_next_hop = 127.0.0.2; accept;", None, theirs),
        ("bgp_med = 7; unset(bgp_med); accept;", None, ours),
        ("if net.len < 3 then bgp_med = 7; bgp_community.add((1, 2)); accept;", None, ours),
    ];
    let mut text = function.to_owned()
        + &session("a", 11853, theirs, 65002, "ipv4 { import all; export none; };");
    for (index, (filter, ..)) in (3_u32..).zip(&cases) {
        let channel = format!("ipv4 {{ import none; export filter {{ {filter} }}; }};");
        let (name, address) = (format!("r{index}"), format!("127.0.0.{index}"));
        text += &session(&name, 11853, &address, 65000 + index, &channel);
    }
    let daemon = Daemon::start(&text);
    let speaker = |index: u32| {
        let address = format!("127.0.0.{index}");
        let mut speaker = Speaker::connect(&address, "127.0.0.1:11853", 65000 + index);
        speaker.establish();
        speaker
    };
    let mut a = speaker(2);
    let mut receivers: Vec<Speaker> = (3_u32..).zip(&cases).map(|(n, _)| speaker(n)).collect();
    daemon.wait_state("a", "up Established");
    let mut med = Vec::new();
    put(&mut med, 0x80, 4, &[0, 0, 0, 7]);
    // The second time what filters said of the first is known.
    for count in [20, 40] {
        a.announce(&prefixes(count), [127, 0, 0, 2], &med);
        for (receiver, (filter, med, hop)) in receivers.iter_mut().zip(&cases) {
            receiver.until("routes", |receiver| receiver.routes.len() == count as usize);
            for route in receiver.routes.values() {
                assert_eq!(med_and_hop(route), (*med, (*hop).to_owned()), "{filter}");
            }
        }
    }
}

#[test]
fn softly_changed_filters_are_for_what_comes_later() {
    let with = |import: &str, export: &str| {
        let ipv4 =
            |import: &str, export: &str| format!("ipv4 {{ import {import}; export {export}; }};");
        session("a", 11813, "127.0.0.2", 65002, &ipv4(import, "none"))
            + &session("b", 11813, "127.0.0.3", 65003, &ipv4("none", export))
            + &session("c", 11813, "127.0.0.4", 65004, &ipv4("none", "all"))
    };
    let daemon = Daemon::start(&with("all", "all"));
    let speaker = |address: &str, asn: u32| {
        let mut speaker = Speaker::connect(address, "127.0.0.1:11813", asn);
        speaker.establish();
        speaker
    };
    let mut a = speaker("127.0.0.2", 65002);
    let (mut b, mut c) = (speaker("127.0.0.3", 65003), speaker("127.0.0.4", 65004));
    daemon.wait_state("a", "up Established");
    let nets = prefixes(100);
    let mut med = Vec::new();
    put(&mut med, 0x80, 4, &[0, 0, 0, 9]);
    a.announce(&nets[..80], [127, 0, 0, 2], &[]);
    for speaker in [&mut b, &mut c] {
        speaker.until("routes", |speaker| speaker.routes.len() == 80);
    }
    support::daemon::nap();

    // Import: what is there stays, what is announced again or anew meets the filter.
    daemon.configure_as(&with("none", "all"), true);
    a.announce(&nets[80..90], [127, 0, 0, 2], &[]);
    a.announce(&nets[..10], [127, 0, 0, 2], &med);
    for speaker in [&mut b, &mut c] {
        speaker.until("some fewer", |speaker| speaker.routes.len() == 70);
    }
    assert!(daemon.log().iter().any(|line| line.contains("Channel a.ipv4 changed import")));
    daemon.configure_as(&with("all", "all"), true);
    a.announce(&nets[..80], [127, 0, 0, 2], &[]);
    b.until("all again", |b| b.routes.len() == 80);
    support::daemon::nap();

    // Export: of two neighbours in one group only one gets another filter.
    daemon.configure_as(&with("all", "none"), true);
    a.announce(&nets[80..100], [127, 0, 0, 2], &[]);
    a.announce(&nets[..10], [127, 0, 0, 2], &med);
    b.until("what changed is gone", |b| b.routes.len() == 70);
    c.until("the other has all", |c| c.routes.len() == 100);
    b.listen(5);
    assert_eq!(b.routes.len(), 70);
    // A withdrawal reaches whoever holds the route.
    a.withdraw(&nets[10..20]);
    b.until("withdrawals", |b| b.routes.len() == 60);
    c.until("withdrawals", |c| c.routes.len() == 90);
    // And another soft change on top of that.
    daemon.configure_as(&with("all", "where net ~ [ 10.0.0.0/19+ ]"), true);
    let mut other = Vec::new();
    put(&mut other, 0x80, 4, &[0, 0, 0, 10]);
    a.announce(&nets[..32], [127, 0, 0, 2], &other);
    a.announce(&nets[70..80], [127, 0, 0, 2], &other);
    b.until("old and new", |b| b.routes.len() == 32 + 38);
    daemon.control(Action::Reload(Some(Direction::Out)), "b", None);
    b.until("the filter for all", |b| b.routes.len() == 32);
    daemon.configure(&with("all", "all"));
    b.until("everything", |b| b.routes.len() == 100);
    assert!(!a.closed && !b.closed && !c.closed);
}

#[test]
fn what_changes_softly_besides_filters_leaves_groups_as_they_are() {
    let with = |b: &str| {
        session("b", 11814, "127.0.0.3", 65003, &format!("ipv4 {{ import none; {b} }};"))
            + &session("c", 11814, "127.0.0.4", 65004, "ipv4 { import none; export all; };")
    };
    let daemon = Daemon::start(&with("export all;"));
    let mut b = Speaker::connect("127.0.0.3", "127.0.0.1:11814", 65003);
    let mut c = Speaker::connect("127.0.0.4", "127.0.0.1:11814", 65004);
    b.establish();
    c.establish();
    daemon.wait_groups(1);
    for (change, groups) in [
        ("export all; next hop keep;", 2),
        ("export all;", 1),
        ("export all; export limit 5;", 2),
        ("export all;", 1),
        ("export where net.len > 20;", 2),
    ] {
        daemon.configure_as(&with(change), true);
        daemon.wait_groups(groups);
    }
    assert!(!b.closed && !c.closed);
}

#[test]
fn own_routes_stay_out_of_the_figures_in_another_group() {
    let strict = "where net ~ [ 10.0.0.0/20+ ]";
    let with = |export: &str| {
        let ipv4 = |export: &str| format!("ipv4 {{ import all; export {export}; }};");
        session("a", 11819, "127.0.0.2", 65002, &ipv4(export))
            + &session("b", 11819, "127.0.0.3", 65003, &ipv4(strict))
    };
    let daemon = Daemon::start(&with("all"));
    let mut a = Speaker::connect("127.0.0.2", "127.0.0.1:11819", 65002);
    let mut b = Speaker::connect("127.0.0.3", "127.0.0.1:11819", 65003);
    a.establish();
    b.establish();
    daemon.wait_groups(2);
    a.announce(&prefixes(100), [127, 0, 0, 2], &[]);
    b.until("routes", |b| b.routes.len() == 16);
    daemon.configure(&with(strict));
    daemon.wait_groups(1);
    b.announce(&prefixes(101)[100..], [127, 0, 0, 3], &[]);
    daemon.wait_imported("b", 1);
    let figures = |daemon: &Daemon| {
        let export = daemon.describe("a").channels[0].statistics.unwrap().export;
        let filtered = export.updates_filtered;
        [export.updates_received, export.updates_rejected, filtered, export.updates_accepted]
    };
    // Its own routes twice, of which the filter meets the feed's, and b's one that does not pass.
    let wanted = [201, 116, 85, 0];
    for _ in 0..500 {
        if figures(&daemon) == wanted {
            return;
        }
        support::daemon::nap();
    }
    panic!("{:?}, not {wanted:?}", figures(&daemon));
}

/// Three sessions, of which the third finds no room; once another has gone it does.
fn refuse_the_third(port: u16, sources: usize, members: usize, why: &str, logged: &str) {
    let config: String = ["a", "b", "c"]
        .iter()
        .zip(2..)
        .map(|(name, n)| session(name, port, &format!("127.0.0.{n}"), 65000 + n, POLICY))
        .collect();
    let daemon = Daemon::start_with(&config, sources, members);
    let to = format!("127.0.0.1:{port}");
    let connect = |n: u32| {
        let mut peer = Speaker::connect(&format!("127.0.0.{n}"), &to, 65000 + n);
        peer.establish();
        peer
    };
    let (mut a, mut b) = (connect(2), connect(3));
    for (name, peer) in [("a", &mut a), ("b", &mut b)] {
        daemon.wait_state(name, "up Established");
        peer.announce(&prefixes(20), [127, 0, 0, 9], &[]);
    }
    b.until("routes", |b| b.routes.len() == 20);
    let mut c = connect(4);
    c.announce(&prefixes(50), [127, 0, 0, 4], &[]);
    c.until("the end", |c| c.closed);
    let notification = c.notification.clone().unwrap();
    assert_eq!((notification.code, notification.subcode), (6, 8), "out of resources");
    daemon.wait_state("c", &format!("start Idle          Error: {why}"));
    let lines = daemon.log();
    let told = lines.iter().filter(|line| line.contains(logged)).count();
    assert!(told >= 1, "{lines:#?}");
    assert!(!a.closed && !b.closed, "the others stay");
    drop(a);
    b.until("the others' routes only", |b| b.routes.is_empty());
    daemon.wait_state("c", &format!("start Passive       Error: {why}"));
    let mut c = connect(4);
    c.announce(&prefixes(50), [127, 0, 0, 4], &[]);
    b.until("the third's routes", |b| b.routes.len() == 30);
    assert!(!c.closed);
}

#[test]
fn a_source_too_many_is_refused_by_name() {
    let why = "Too many sources of routes";
    let logged = "c: Channel ipv4 refused: too many sources of routes, at most 2";
    refuse_the_third(11806, 2, 65536, why, logged);
}

#[test]
fn a_session_too_many_in_an_export_group_is_refused_by_name() {
    let why = "Too many sessions in one export group";
    let logged = "refused: too many sessions in one export group, at most 2";
    refuse_the_third(11807, 65535, 2, why, logged);
}

#[test]
fn internal_neighbours_are_reflected_to_clients() {
    let internal = |name: &str, neighbor: &str, more: &str| {
        session(
            name,
            11798,
            neighbor,
            65000,
            &format!("{more} ipv4 {{ import all; export all; }};"),
        )
    };
    let config = internal("inner", "127.0.0.2", "rr client;")
        + &internal("plain", "127.0.0.3", "")
        + &internal("other", "127.0.0.4", "");
    let daemon = Daemon::start(&config);
    let mut peers: Vec<_> = (2..5u32)
        .map(|i| Speaker::connect(&format!("127.0.0.{i}"), "127.0.0.1:11798", 65000))
        .collect();
    for (index, peer) in peers.iter_mut().enumerate() {
        let mut out = Vec::new();
        let id = u32::try_from(index).unwrap() + 2;
        support::speaker::my_open(65000, id).encode(&mut out);
        out.extend_from_slice(&dunlin_bgp::wire::frame::KEEPALIVE);
        peer.send(&out);
    }
    for name in ["inner", "plain", "other"] {
        daemon.wait_state(name, "up Established");
    }
    let announce = |peer: &mut Speaker, net: &str| {
        let net = net.parse::<Prefix4>().unwrap();
        let mut attributes = vec![0, 0x40, 1, 1, 0, 0x40, 2, 0];
        put(&mut attributes, 0x40, 3, &[127, 0, 0, 9]);
        put(&mut attributes, 0x40, 5, &[0, 0, 0, 50]);
        let mut out = Vec::new();
        dunlin_bgp::wire::encode::announce(&attributes, [net], 4096, &mut out);
        peer.send(&out);
    };
    announce(&mut peers[0], "10.1.0.0/16");
    announce(&mut peers[1], "10.2.0.0/16");
    let has = |peer: &Speaker, net: &str| peer.routes.contains_key(&net.parse::<Prefix>().unwrap());
    peers[2].until("the client's route", |peer| has(peer, "10.1.0.0/16"));
    peers[0].until("the other's route", |peer| has(peer, "10.2.0.0/16"));
    peers[2].listen(10);
    assert!(!has(&peers[2], "10.2.0.0/16"), "not from one plain neighbour to another");

    // What we have reflected ourselves comes back from another reflector.
    let net = "10.3.0.0/16".parse::<Prefix4>().unwrap();
    let mut attributes = vec![0, 0x40, 1, 1, 0, 0x40, 2, 0];
    put(&mut attributes, 0x40, 3, &[127, 0, 0, 9]);
    put(&mut attributes, 0x40, 5, &[0, 0, 0, 50]);
    put(&mut attributes, 0x80, 9, &[10, 0, 0, 99]);
    put(&mut attributes, 0x80, 10, &[10, 0, 0, 98, 10, 0, 0, 1]);
    let mut out = Vec::new();
    dunlin_bgp::wire::encode::announce(&attributes, [net], 4096, &mut out);
    peers[1].send(&out);
    announce(&mut peers[1], "10.4.0.0/16");
    peers[0].until("the next route", |peer| has(peer, "10.4.0.0/16"));
    assert!(!has(&peers[0], "10.3.0.0/16"), "our own cluster was in its cluster list");
    let (attributes, next_hop) = peers[2].routes.values().next().unwrap();
    assert_eq!(*next_hop, "127.0.0.9".parse::<IpAddr>().unwrap());
    let _ = attributes;
}

/// Whether a connection without a signature gets an answer.
fn answers_unsigned(port: u16) -> bool {
    use std::io::Read;
    let address = std::net::SocketAddr::from(([127, 0, 0, 1], port));
    let limit = core::time::Duration::from_millis(300);
    let Ok(mut stream) = std::net::TcpStream::connect_timeout(&address, limit) else {
        return false;
    };
    stream.set_read_timeout(Some(core::time::Duration::from_secs(5))).unwrap();
    stream.read(&mut [0; 1]).is_ok_and(|count| count > 0)
}

#[test]
fn nobody_out_of_a_range_with_a_password_comes_without_it() {
    let config = "protocol bgp a { local 127.0.0.1 port 11801 as 65000; strict bind; \
                  neighbor range 127.0.0.0/8 external; password \"secret\"; multihop; \
                  ipv4 { import all; export none; }; }";
    let daemon = Daemon::start(config);
    daemon.wait_state("a", "start Passive");
    assert!(!answers_unsigned(11801));
}

use std::net::IpAddr;
use std::sync::Arc;

use dunlin_attr::{Attrs, AttrsBuilder, Dest, Hop, Iface, IfaceName, NextHop, Rts};

use crate::input::{Interfaces, RouteInput, Verdict};
use crate::parse::tests::parse;
use crate::run::{Scratch, apply};

/// One interface, with one neighbour.
#[derive(Debug)]
struct Eth0;

fn eth0() -> Iface {
    Iface { index: 3, name: IfaceName::new("eth0").unwrap() }
}

fn neighbour() -> IpAddr {
    "192.0.2.9".parse().unwrap()
}

impl Interfaces for Eth0 {
    fn of_neighbour(&self, address: IpAddr) -> Option<Iface> {
        (address == neighbour()).then(eth0)
    }

    fn by_name(&self, name: &str) -> Option<Iface> {
        (name == "eth0").then(eth0)
    }
}

fn route(dest: Dest) -> Arc<Attrs> {
    let mut builder = AttrsBuilder::new(Rts::Static);
    match dest {
        Dest::Unicast => builder.set_next_hop(NextHop::hop(Hop {
            weight: 7,
            ..Hop::via("198.51.100.1".parse().unwrap())
        })),
        _ => builder.set_dest(dest),
    }
    builder.finish()
}

/// What comes of these statements, as text, and what they print.
fn run(dest: Dest, body: &str) -> (String, NextHop) {
    let (outcome, filters) = parse(&format!("import filter {{ {body} accept; }};"));
    assert!(outcome.diagnostics.errors().next().is_none(), "{body}");
    let attrs = route(dest);
    let net: dunlin_net::Prefix = "10.1.0.0/16".parse().unwrap();
    let nothing_else = RouteInput::new(net, &attrs, "s");
    let input = RouteInput { interfaces: Some(&Eth0), ..nothing_else };
    let mut printed: Vec<String> = Vec::new();
    let verdict = apply(&filters[0], &mut Scratch::default(), &input, &mut printed);
    match verdict {
        Verdict::Accept(made) => (printed.join("|"), made.unwrap_or(attrs).next_hop().clone()),
        Verdict::Error(error) => (error.message, NextHop::None),
        Verdict::Reject => panic!("{body}"),
    }
}

#[test]
fn what_cannot_be_a_next_hop_is_refused() {
    for (body, message) in [
        ("gw = 203.0.113.1;", "Invalid gw address"),
        ("ifname = \"eth1\";", "Invalid iface name"),
        ("ifname = \"\";", "Invalid iface name"),
        ("weight = 0;", "Setting weight value out of bounds"),
        ("weight = 257;", "Setting weight value out of bounds"),
        (
            "dest = RTD_UNICAST;",
            "Destination can be changed only to blackhole, unreachable or prohibit",
        ),
        ("dest = RTD_PROHIBIT; weight = 5;", "Setting weight needs regular nexthop"),
    ] {
        assert_eq!(run(Dest::Unicast, body).0, message, "{body}");
    }
    assert_eq!(run(Dest::Blackhole, "weight = 5;").0, "Setting weight needs regular nexthop");
}

#[test]
fn a_hop_that_was_set_is_the_one_that_is_read() {
    let show = "print gw, \" \", ifname, \" \", ifindex, \" \", weight, \" \", dest;";
    for (body, shown, hop) in [
        ("", "198.51.100.1 (void) (void) 7 (enum 34)1", None),
        (
            "gw = 192.0.2.9;",
            "192.0.2.9 eth0 3 1 (enum 34)1",
            Some(Hop { iface: Some(eth0()), ..Hop::via(neighbour()) }),
        ),
        ("ifname = \"eth0\";", "(void) eth0 3 1 (enum 34)1", Some(Hop::dev(eth0()))),
        (
            "gw = 192.0.2.9; ifname = \"eth0\";",
            "(void) eth0 3 1 (enum 34)1",
            Some(Hop::dev(eth0())),
        ),
        (
            "weight = 5; ifname = \"eth0\"; weight = 6;",
            "(void) eth0 3 6 (enum 34)1",
            Some(Hop { weight: 6, ..Hop::dev(eth0()) }),
        ),
        ("weight = 5; ifname = \"eth0\";", "(void) eth0 3 1 (enum 34)1", Some(Hop::dev(eth0()))),
    ] {
        let (printed, made) = run(Dest::Unicast, &format!("{body} {show}"));
        assert_eq!(printed, shown, "{body}");
        if let Some(hop) = hop {
            assert_eq!(made, NextHop::hop(hop), "{body}");
        }
    }
    let (printed, made) = run(Dest::Blackhole, &format!("ifname = \"eth0\"; weight = 9; {show}"));
    assert_eq!(printed, "(void) eth0 3 9 (enum 34)1");
    assert_eq!(made, NextHop::hop(Hop { weight: 9, ..Hop::dev(eth0()) }));
    let (printed, made) =
        run(Dest::Unicast, &format!("gw = 192.0.2.9; dest = RTD_BLACKHOLE; {show}"));
    assert_eq!((printed.as_str(), made), ("(void) (void) (void) 1 (enum 34)2", NextHop::None));
}

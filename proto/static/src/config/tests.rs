use std::sync::Arc;

use dunlin_core::config::{Config, Kinds, parse_text};

use super::StaticConfig;
use crate::route::Via;

fn parse(text: &str) -> Result<Config, Vec<String>> {
    let kinds: Kinds = Arc::new([Arc::new(crate::Static)]);
    parse_text("t.conf", text, &kinds).map_err(|rejected| rejected.lines().collect())
}

fn load(section: &str) -> Result<StaticConfig, Vec<String>> {
    let config = parse(&format!("protocol static {{ {section} }}"))?;
    Ok(config.protocols[0].specific::<StaticConfig>().unwrap().clone())
}

/// The lines of `show static`, with hops by an interface in use.
fn shown(section: &str) -> Vec<String> {
    let mut lines = Vec::new();
    for route in load(section).unwrap().routes {
        route.show(|via: &Via| via.interface.is_some(), &mut lines);
    }
    lines
}

#[test]
fn all_destinations() {
    let lines = shown(
        "ipv4; route 10.0.0.0/8 via 192.0.2.1; route 10.1.0.0/16 via \"lo\"; \
         route 10.2.0.0/16 reject; route 10.3.0.0/16 unreachable; route 10.4.0.0/16 drop; \
         route 10.5.0.0/16 blackhole; route 10.6.0.0/16 prohibit; \
         route 10.7.0.0/16 recursive 10.0.0.1;",
    );
    let expected = [
        "10.0.0.0/8",
        "\tvia 192.0.2.1 (dormant)",
        "10.1.0.0/16",
        "\tdev lo",
        "10.2.0.0/16\tunreachable",
        "10.3.0.0/16\tunreachable",
        "10.4.0.0/16\tblackhole",
        "10.5.0.0/16\tblackhole",
        "10.6.0.0/16\tprohibited",
        "10.7.0.0/16\trecursive 10.0.0.1",
    ];
    assert_eq!(lines, expected);
}

#[test]
fn all_options_of_hops() {
    let section = "ipv6; route 2001:db8::/32 via fe80::1%eth0 weight 3 via 2001:db8::1 dev \"eth1\" \
                   onlink weight 256 bfd off via 2001:db8::2 dev eth1 onlink no \
                   via 'fe80::1' onlink;";
    // An address is no name: the last hop is a mistake, and the only one.
    assert_eq!(load(section).unwrap_err().len(), 1);
    let section = section.replace("via 'fe80::1' onlink;", ";");
    let config = load(&section).unwrap();
    let crate::route::Destination::Hops(hops) = &config.routes[0].destination else {
        panic!("{config:?}")
    };
    let seen: Vec<_> = hops.iter().map(|h| (h.interface.as_deref(), h.onlink, h.weight)).collect();
    let expected = [(Some("eth0"), false, 3), (Some("eth1"), true, 256), (Some("eth1"), false, 1)];
    assert_eq!(seen, expected);
}

#[test]
fn the_rest_of_the_section() {
    let text = "ipv4 table t; protocol static s { ipv4; igp table t; check link; \
                route 10.0.0.0/8 blackhole { bgp_local_pref = 50; }; }";
    let config = parse(text).unwrap();
    let config = config.protocols[0].specific::<StaticConfig>().unwrap();
    assert_eq!((config.igp_table.as_deref(), config.check_link), (Some("t"), true));
    assert!(config.routes[0].statements.is_some());
}

#[test]
fn every_mistake_has_its_place() {
    // Each with the text that the mistake is at.
    let cases = [
        ("route 10.0.0.0/8;", "; ipv4", "Unexpected or missing nexthop/type"),
        (
            "route 10.0.0.1/8 drop;",
            "8 drop",
            "Invalid IPv4 prefix 10.0.0.1/8, maybe you wanted 10.0.0.0/8",
        ),
        ("route 10.0.0.0/8 via 10.0.0.1 weight 257;", "257", "Weight must be in range 1-256"),
        ("route 10.0.0.0/8 via 10.0.0.1 bfd;", "bfd", "BFD on a static route is not supported yet"),
        ("route 10.0.0.0/8 mpls 5 drop;", "mpls", "MPLS on a static route is not supported yet"),
        (
            "route 10.0.0.0/8 recursive 10.0.0.1 mpls 3;",
            "mpls",
            "MPLS on a static route is not supported yet",
        ),
        ("route aspa 65001 transit;", "aspa", "A static route of type aspa is not supported yet"),
        ("route 10.0.0.0/8 max 24 as 1;", "max", "A static route of type ROA is not supported yet"),
        (
            "route 10.0.0.0/8 via \"a-name-too-long-for-linux\";",
            "\"a-name",
            "Invalid interface name a-name-too-long-for-linux",
        ),
        (
            "route 10.0.0.0/8 via 10.0.0.1 onlink;",
            "10.0.0.1",
            "Onlink gateway without an interface",
        ),
        ("route 10.0.0.0/8 via 10.0.0.1%lo dev \"lo\";", "\"lo\"", "The interface is given twice"),
        ("route 2001:db8::/32 drop;", "2001", "Incompatible network type"),
    ];
    for (statement, place, message) in cases {
        let text = format!("protocol static {{ {statement} ipv4; }}");
        let column = text.find(place).unwrap() + 1;
        assert_eq!(parse(&text).unwrap_err(), [format!("t.conf:1:{column} {message}")], "{text}");
    }
    assert_eq!(load("ipv4; igp table nowhere; route; foo;").unwrap_err().len(), 3);
}

#[test]
fn exactly_one_channel() {
    assert_eq!(load("").unwrap_err(), ["t.conf:1:1 Channel not specified"]);
    assert_eq!(load("ipv4; ipv6;").unwrap_err(), ["t.conf:1:1 More than one channel specified"]);
}

#[test]
fn templates_hand_routes_on() {
    let text = "template static t { ipv4; route 10.0.0.0/8 drop; } \
                protocol static s from t { route 10.1.0.0/16 drop; }";
    let config = parse(text).unwrap();
    assert_eq!(config.protocols[0].specific::<StaticConfig>().unwrap().routes.len(), 2);
}

#[test]
fn equal_sections_are_the_same() {
    use dunlin_core::protocol::ProtocolConfig;
    let one = load("ipv4; route 10.0.0.0/8 drop { bgp_med = 5; };").unwrap();
    let two = load("ipv4;   route 10.0.0.0/8 drop { bgp_med = 2 + 3; };").unwrap();
    let three = load("ipv4; route 10.0.0.0/8 drop { bgp_med = 6; };").unwrap();
    assert!(one.same(&two) && !one.same(&three));
}

#[test]
fn an_interface_needs_no_onlink() {
    let text = "protocol static { ipv4; route 10.0.0.0/8 via \"lo\" onlink; }";
    let config = parse(text).unwrap();
    let said = config.warnings[0].to_string();
    assert!(said.starts_with("t.conf:1:46: onlink: accepted, has no effect: "), "{said}");
    assert_eq!(shown("ipv4; route 10.0.0.0/8 via \"lo\" onlink;")[1], "\tdev lo");
}

#[test]
fn what_nothing_is_exported_by_has_no_effect() {
    let warnings = |channel: &str| -> Vec<String> {
        let config = parse(&format!("protocol static {{ ipv4 {{ {channel} }}; }}")).unwrap();
        config.warnings.iter().map(ToString::to_string).collect()
    };
    let said = |option: &str| {
        format!(
            "t.conf:1:26: {option}: accepted, has no effect: static takes no routes from its table"
        )
    };
    assert_eq!(warnings("export all;"), [said("export")]);
    assert_eq!(warnings("export where net.len = 8;"), [said("export")]);
    assert_eq!(warnings("export limit 5 action warn;"), [said("export limit")]);
    assert!(warnings("export none; export limit off; import all; import limit 5;").is_empty());
}

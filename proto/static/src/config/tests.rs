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
        (
            "route 10.0.0.0/8 via 10.0.0.1%lo onlink bfd;",
            "bfd",
            "BFD cannot be used with an onlink next hop",
        ),
        ("route 10.0.0.0/8 mpls 1048576 drop;", "1048576", "MPLS label must be in range 0-1048575"),
        ("route 10.0.0.0/8 max 7 as 1;", "7 as", "Invalid max prefix length 7"),
        ("route aspa 65001 transit;", "aspa", "Incompatible network type"),
        ("route 10.0.0.0/8 max 24 as 1;", "10.0", "Incompatible network type"),
        (
            "route 2001:db8::/32 max 48 as 1 from ::/0;",
            "from",
            "Unexpected or missing nexthop/type",
        ),
        ("route eth 00:11:22:33:44:55 vlan 4096;", "4096", "VLAN must be in range 1-4095"),
        ("route flow4 { dst 2001:db8::/32; };", "2001", "IPv4 prefix expected"),
        ("route flow4 { proto 256; };", "256", "Value must be in range 0-255"),
        ("route flow4 { tcp flags 0x03/0x01; };", "0x03", "Value 0x3 outside bitmask 0x1"),
        ("route flow4 { port 1; port 2; };", "port 2", "Component already present"),
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
        (
            "route 10.0.0.0/8 via 10.0.0.1 mpls 1/2/3/4/5/6/7/8/9;",
            "1/2",
            "Too many labels in stack",
        ),
    ];
    for (statement, place, message) in cases {
        let text = format!("protocol static {{ {statement} ipv4; }}");
        let column = text.find(place).unwrap() + 1;
        assert_eq!(parse(&text).unwrap_err(), [format!("t.conf:1:{column} {message}")], "{text}");
    }
    let text = "roa4 table r; protocol static { ipv4; igp table r; }";
    assert_eq!(parse(text).unwrap_err(), ["t.conf:1:49 Incompatible IGP table type"]);
    assert_eq!(load("ipv4; igp table nowhere; route; foo;").unwrap_err().len(), 3);
}

#[test]
fn exactly_one_channel() {
    assert_eq!(load("").unwrap_err(), ["t.conf:1:20 Channel not specified"]);
    assert_eq!(load("ipv4; ipv6;").unwrap_err(), ["t.conf:1:31 More than one channel specified"]);
}

#[test]
fn origins_and_providers() {
    let tables = "roa4 table r4; roa6 table r6; aspa table a;";
    for (channel, route, net, shown) in [
        ("roa4", "10.0.0.0/8 max 24 as 65001", "10.0.0.0/8-24 AS65001", ""),
        ("roa6", "2001:db8::/32 max 48 as 1 { preference = 5; }", "2001:db8::/32-48 AS1", ""),
        ("aspa", "aspa 65001 providers 65002, 65003", "65001", "65002, 65003"),
        ("aspa", "aspa 65001 provider 65002", "65001", "65002"),
        ("aspa", "aspa 65001 transit", "65001", "0"),
    ] {
        let text = format!("{tables}\nprotocol static p {{ {channel}; route {route}; }}");
        let config = parse(&text).unwrap_or_else(|lines| panic!("{route}: {lines:?}"));
        assert!(config.warnings.is_empty() && config.protocols[0].unbuilt.is_none());
        let config = config.protocols[0].specific::<StaticConfig>().unwrap();
        let mut lines = Vec::new();
        config.routes[0].show(|_| true, &mut lines);
        assert_eq!(lines, [format!("{net}\t{shown}")]);
    }
    let missing = parse("protocol static p { roa4; }").unwrap_err();
    assert_eq!(missing, ["t.conf:1:27 Routing table not specified"]);
}

#[test]
fn labels_without_a_domain_are_warned_of() {
    let labels = |block: &str| {
        let text = "mpls table m; mpls domain d;\nprotocol static p { ipv4; mpls";
        let config = parse(&format!("{text} {block}; }}")).unwrap();
        let said = config.warnings.iter().map(|warning| warning.message.clone());
        said.filter(|said| said == "MPLS domain not specified").count()
    };
    assert_eq!((labels(""), labels("{ table m; }"), labels("{ domain d; }")), (1, 1, 0));
}

#[test]
fn routes_of_other_types_are_read() {
    let tables = "flow4 table f4; flow6 table f6; \
                  eth table e; evpn table ev; vpn4 table v4; vpn6 table v6; mpls table m; \
                  ipv6 sadr table s; mpls domain d;";
    for (channel, route) in [
        ("flow4", "flow4 { dst 10.0.0.0/8; proto = 6; dport > 24 && < 30 || 40..50,60; }"),
        ("flow4", "flow4 { tcp flags 0x03/0x0f && !0/0xff; fragment !dont_fragment; }"),
        ("flow6", "flow6 { src ::1:0/112 offset 64; next header 17; label 5; }"),
        (
            "flow4",
            "flow4 { icmp type 1; icmp code true; length 5; dscp 7; sport 9; port 8; } { bgp_med = 5; }",
        ),
        ("eth", "eth 00:11:22:33:44:55 vlan 5"),
        ("evpn", "evpn mac 65000:1 0 00:11:22:33:44:55 *"),
        ("evpn", "evpn imet 65000:1 7 192.0.2.1"),
        ("vpn4", "65000:1 10.0.0.0/8 blackhole"),
        ("vpn6", "65000:1 2001:db8::/32 via \"lo\""),
        ("mpls { domain d; }", "mpls 100 via 192.0.2.1"),
        ("ipv6 sadr", "2001:db8::/32 from 2001:db8:1::/48 unreachable"),
        ("neighbors", "neighbor 192.0.2.1 % 5"),
    ] {
        let config = parse(&format!("{tables}\nprotocol static p {{ {channel}; route {route}; }}"));
        let config = config.unwrap_or_else(|lines| panic!("{route}: {lines:?}"));
        let said: Vec<_> =
            config.warnings.iter().filter(|w| w.line == 2).map(ToString::to_string).collect();
        let channel = channel.split(" {").next().unwrap();
        let expected = format!("t.conf:2:21: channel {channel}: accepted, has no effect yet");
        assert_eq!(said, [expected], "{route}");
        let what = format!("A protocol static with a channel of type {channel}");
        assert_eq!(config.protocols[0].unbuilt.as_deref(), Some(&*what));
    }
}

#[test]
fn labels_and_bfd_are_said_not_to_be_built() {
    let first = |route: &str| {
        let config = parse(&format!("protocol static {{ ipv4; route 10.0.0.0/8 {route}; }}"));
        let config = config.unwrap();
        (config.warnings[0].to_string(), config.protocols[0].unbuilt.as_deref().map(str::to_owned))
    };
    let (said, unbuilt) = first("via 192.0.2.1 bfd");
    assert_eq!((&*said, unbuilt), ("t.conf:1:56: bfd: accepted, has no effect yet", None));
    for route in ["mpls 5 drop", "via 192.0.2.1 mpls 5/6", "recursive 192.0.2.1 mpls 3"] {
        let (said, unbuilt) = first(route);
        assert!(said.ends_with("MPLS on a static route is not supported yet"), "{said}");
        assert_eq!(unbuilt.as_deref(), Some("MPLS on a static route"));
    }
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

#[test]
fn changed_routes_are_counted_and_other_options_named() {
    use dunlin_core::protocol::Effect;
    let found = |old: &str, new: &str| -> Vec<(&str, Effect, Option<String>)> {
        let section = |text: &str| parse(&format!("protocol static s {{ ipv4; {text} }}")).unwrap();
        let (old, new) = (section(old), section(new));
        let list = old.protocols[0].differences(&new.protocols[0]);
        list.into_iter().map(|one| (one.option, one.effect, one.detail)).collect()
    };
    let three = "route 10.0.0.0/8 drop; route 10.0.0.0/8 reject; route 10.1.0.0/16 drop;";
    assert_eq!(found(three, three), []);
    let other = "route 10.1.0.0/16 drop; route 10.0.0.0/8 prohibit; route 10.0.0.0/8 reject;
        route 10.2.0.0/16 drop;";
    let changed = |text: &str| vec![("route", Effect::Live, Some(text.to_owned()))];
    assert_eq!(found(three, other), changed("1 new, 0 gone, 1 changed"));
    assert_eq!(found(other, three), changed("0 new, 1 gone, 1 changed"));
    assert_eq!(found(three, ""), changed("0 new, 3 gone, 0 changed"));
    assert_eq!(found("", "check link;"), [("check link", Effect::Live, None)]);
    assert_eq!(found("", "igp table master4;"), [("igp table", Effect::Restart, None)]);
}

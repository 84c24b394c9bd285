use core::time::Duration;

use dunlin_core::config::{Kinds, parse_text};
use dunlin_core::protocol::{Difference, InstanceConfig};

use super::*;
use crate::Bgp;

fn kinds() -> Kinds {
    let list: [Arc<dyn dunlin_core::protocol::ProtocolKind>; 1] = [Arc::new(Bgp)];
    Arc::new(list)
}

fn load(text: &str) -> Result<Vec<Arc<InstanceConfig>>, Vec<String>> {
    let text = format!("router id 10.0.0.1;\n{text}");
    match parse_text("t.conf", &text, &kinds()) {
        Ok(config) => Ok(config.protocols),
        Err(rejected) => Err(rejected.lines().collect()),
    }
}

/// The section of one external session with `more` in it.
fn one(more: &str) -> Result<(Arc<InstanceConfig>, BgpConfig), Vec<String>> {
    let text = format!(
        "protocol bgp b {{ local as 65001; neighbor 192.0.2.2 as 65002; \
         ipv4 {{ import all; export none; }}; {more} }}"
    );
    let config = load(&text)?.remove(0);
    let bgp = config.specific::<BgpConfig>().cloned().unwrap();
    Ok((config, bgp))
}

fn refused(more: &str) -> String {
    one(more).err().unwrap_or_default().join("\n")
}

fn warnings(more: &str) -> Vec<String> {
    let text = format!(
        "router id 10.0.0.1;\nprotocol bgp b {{ local as 65001; neighbor 192.0.2.2 as 65002; \
         ipv4 {{ import all; export none; }}; {more} }}"
    );
    let config = parse_text("t.conf", &text, &kinds()).unwrap();
    config.warnings.iter().map(ToString::to_string).collect()
}

#[test]
fn what_holds_if_nothing_is_said() {
    let (config, bgp) = one("").unwrap();
    assert_eq!((bgp.local_as, bgp.neighbor), (65001, Neighbor::As(65002)));
    assert_eq!((bgp.port, bgp.remote_port), (179, 179));
    assert_eq!(bgp.timers, Timers::default());
    assert_eq!(bgp.multihop, None);
    assert!(bgp.check_link && bgp.interpret_communities && bgp.path_metric && bgp.igp_metric);
    assert!(!(bgp.passive || bgp.rs_client || bgp.med_metric));
    let channel = bgp.channel(ChannelKind::Ipv4).unwrap();
    assert_eq!(channel.gateway, Gateway::Direct);
    assert_eq!(channel.next_hop_keep, Scope::Off);
    assert_eq!(config.channel(ChannelKind::Ipv4).unwrap().preference, 100);
}

#[test]
fn every_way_to_name_the_two_ends() {
    let text = "protocol bgp b { local 192.0.2.1 port 1790 as 65001; \
                neighbor 192.0.2.2 port 1791 as 65001 internal; ipv4; ipv6; }";
    let bgp = load(text).unwrap()[0].specific::<BgpConfig>().cloned().unwrap();
    assert_eq!(bgp.source, Some("192.0.2.1".parse().unwrap()));
    assert_eq!((bgp.port, bgp.remote_port), (1790, 1791));
    assert!(bgp.is_internal());
    assert_eq!(bgp.multihop, Some(64), "internal sessions are multihop");
    assert_eq!(bgp.channel(ChannelKind::Ipv6).unwrap().gateway, Gateway::Recursive);

    let text = "protocol bgp r { local as 65001; neighbor range 192.0.2.0/24 external; \
                dynamic name \"peer\"; dynamic name digits 3; rs client; \
                ipv4 { import all; export all; }; }";
    let bgp = load(text).unwrap()[0].specific::<BgpConfig>().cloned().unwrap();
    assert_eq!(bgp.remote, Remote::Range("192.0.2.0/24".parse().unwrap()));
    assert_eq!((&*bgp.dynamic_name, bgp.dynamic_digits), ("peer", 3));
    assert_eq!(bgp.channel(ChannelKind::Ipv4).unwrap().next_hop_keep, Scope::All);

    let text = "protocol bgp l { local as 65001; neighbor fe80::1%eth0 as 65002; \
                ipv6 { import all; export all; }; }";
    let bgp = load(text).unwrap()[0].specific::<BgpConfig>().cloned().unwrap();
    assert_eq!(bgp.interface.as_deref(), Some("eth0"));
}

#[test]
fn all_the_options() {
    let (config, bgp) =
        one("hold time 30; keepalive time 10; startup hold time 60; connect delay time 1; \
         connect retry time 7; error wait time 2, 9; error forget time 11; send hold time 90; \
         passive; multihop 3; password \"secret\"; authentication md5; source address 192.0.2.1; \
         rs client on; allow local as; allow bgp_local_pref; allow bgp_med; allow as sets; \
         enforce first as; local role rs_server; interpret communities off; \
         default bgp_local_pref 200; default bgp_med 5; path metric off; med metric; \
         igp metric off; prefer older; enable as4 off; enable route refresh off; \
         enable extended messages; advertise hostname; require roles; disable after error; \
         disable after cease { prefix limit hit, administrative shutdown }; bfd off; \
         graceful restart off; check link off; description \"x\";")
        .unwrap();
    let seconds = Duration::from_secs;
    assert_eq!(bgp.timers.hold, seconds(30));
    assert_eq!(bgp.timers.keepalive, Some(seconds(10)));
    assert_eq!(bgp.timers.error_wait, (seconds(2), seconds(9)));
    assert_eq!(bgp.multihop, Some(3));
    assert_eq!(bgp.password.as_deref(), Some("secret"));
    assert_eq!(bgp.allow_local_as, u32::MAX);
    assert_eq!(bgp.role, Some(Role::RouteServer));
    assert_eq!(bgp.disable_after_cease, CeaseMask(0b110));
    assert!(!bgp.announced.as4 && bgp.announced.extended_message && bgp.announced.hostname);
    assert_eq!((bgp.default_local_pref, bgp.default_med), (200, 5));
    assert_eq!(config.description.as_deref(), Some("x"));
}

#[test]
fn what_has_no_effect_yet_is_said() {
    for (more, message) in [
        (
            "enable enhanced route refresh;",
            "enable enhanced route refresh: accepted, has no effect yet",
        ),
        ("enable enhanced route refresh off;", ""),
        ("password \"x\";", "Missing authentication option, assuming MD5"),
        ("authentication none;", ""),
        ("tx size warning 100;", "tx size warning: accepted, has no effect yet"),
        ("bfd on;", ":116: bfd: accepted, has no effect yet"),
        ("bfd { interval 50 ms; passive; };", "bfd: accepted, has no effect yet"),
        ("deterministic med;", "deterministic med: accepted, has no effect yet"),
        ("deterministic med off;", ""),
        ("graceful restart aware;", "graceful restart: accepted, has no effect yet"),
        ("graceful restart time 60;", "graceful restart time: accepted, has no effect yet"),
        ("mrtdump { messages };", "mrtdump: accepted, has no effect yet"),
        (
            "ipv6 { import all; export all; add paths tx; };",
            "add paths: accepted, has no effect yet",
        ),
        ("ipv6 { import all; export all; add paths off; };", ""),
        (
            "ipv6 { import all; export all; extended next hop; };",
            "extended next hop: accepted, has no effect yet",
        ),
        ("ipv6 { import all; export all; cost 5; };", "cost: accepted, has no effect yet"),
        (
            "ipv4 multicast { import all; export all; };",
            "channel ipv4 multicast: accepted, has no effect yet",
        ),
        ("setkey off;", "setkey: accepted, has no effect: keys are set on the session's own"),
        (
            "ipv6 { import all; export all; missing lladdr self; };",
            "missing lladdr: accepted, has no effect: ",
        ),
        ("ipv6 { import all; export all; export settle time 1 s 2 s; };", "none waits to settle"),
    ] {
        let text = format!(
            "router id 10.0.0.1;\nprotocol bgp b {{ local as 65001; neighbor 192.0.2.2 as 65002; \
             ipv4 {{ import all; export none; export table off; }}; {more} }}"
        );
        let config = parse_text("t.conf", &text, &kinds()).unwrap();
        let said = config.warnings.first().map(ToString::to_string).unwrap_or_default();
        assert!(said.contains(message) && said.is_empty() == message.is_empty(), "{more}: {said}");
    }
}

#[test]
fn without_what_is_vital_a_session_is_not_to_start() {
    for (more, what) in [
        ("vrf \"x\";", "The option `vrf`"),
        ("confederation 7;", "The option `confederation`"),
        (
            "authentication ao; keys { key { id 1; secret \"s\"; algorithm cmac aes128; }; };",
            "The option `authentication ao`",
        ),
        (
            "authentication ao; keys { key { id 1; secret \"s\"; algorithm hmac sha224; }; };",
            "The option `authentication ao`",
        ),
        ("interface range \"e*\"; strict bind;", "The option `interface range`"),
        ("ipv6 { import all; export all; require add paths; };", "The option `require add paths`"),
        ("ipv6 { import all; export in 2001:db8::/32 all; };", "The option `export in`"),
    ] {
        let (config, _) = one(more).unwrap_or_else(|lines| panic!("{more}: {lines:?}"));
        assert_eq!(config.unbuilt.as_deref(), Some(what), "{more}");
    }
    assert_eq!(one("bfd; graceful restart;").unwrap().0.unbuilt, None);
    let text = "flow4 table f; protocol bgp b { local as 1; neighbor 192.0.2.2 internal; flow4; }";
    let only = load(text).unwrap().remove(0);
    assert_eq!(only.unbuilt.as_deref(), Some("A protocol bgp with a channel of type flow4"));
    let text = "vpn4 table v; protocol bgp b { local as 1; neighbor 192.0.2.2 as 2; \
                vpn4 { import all; export all; }; }";
    let only = load(text).unwrap().remove(0);
    assert_eq!(only.unbuilt.as_deref(), Some("A protocol bgp with a channel of type vpn4"));
}

#[test]
fn tables_fit_the_options_that_need_or_exclude_their_order() {
    let section = |table: &str, more: &str, channel: &str| {
        let text = format!(
            "ipv4 table t {table}; flow4 table f; protocol bgp b {{ local as 1; \
             neighbor 192.0.2.2 as 2; {more} ipv4 {{ table t; import all; export all; {channel} }}; \
             flow4 {{ import all; export all; validate; base table t; }}; }}"
        );
        load(&text).map_or_else(|lines| lines.join("\n"), |_| String::new())
    };
    assert_eq!(section("{ trie; sorted; }", "", "secondary;"), "");
    for (table, more, channel, text) in [
        ("{ trie; }", "", "secondary;", "BGP with secondary option requires sorted table"),
        ("{ trie; sorted; }", "multihop;", "", "BGP in recursive mode prohibits sorted table"),
        (
            "{ trie; sorted; }",
            "",
            "gateway recursive;",
            "BGP in recursive mode prohibits sorted table",
        ),
        (
            "{ trie; sorted; }",
            "deterministic med;",
            "",
            "BGP with deterministic MED prohibits sorted table",
        ),
        ("sorted", "", "", "Flowspec validation requires base table (t) with trie"),
    ] {
        let found = section(table, more, channel);
        assert!(found.ends_with(text), "{table} {more} {channel}: {found}");
    }
}

#[test]
fn next_hops_of_each_family_have_a_table() {
    let section = |statements: &str| {
        let text = format!(
            "ipv4 table igp4; roa4 table r; flow4 table f; vpn4 table v; protocol bgp b {{ \
             local as 1; neighbor 192.0.2.2 internal; {statements} }}"
        );
        load(&text).map(|mut list| list.remove(0).specific::<BgpConfig>().cloned().unwrap())
    };
    for order in ["igp table igp4; igp table master6;", "igp table master6; igp table igp4;"] {
        let bgp = section(&format!("ipv4 {{ extended next hop; {order} }};")).unwrap();
        assert_eq!(&*bgp.channel(ChannelKind::Ipv4).unwrap().igp_table, "igp4");
    }
    let bgp = section("ipv4 { igp table master6; extended next hop; };").unwrap();
    assert_eq!(&*bgp.channel(ChannelKind::Ipv4).unwrap().igp_table, "master4");
    assert!(section("vpn4 mpls { table v; extended next hop; igp table master6; };").is_ok());
    for (statements, text) in [
        ("ipv4 { igp table master6; };", "Mismatched IGP table type"),
        ("ipv6 { igp table igp4; };", "Mismatched IGP table type"),
        (
            "ipv4 { extended next hop; igp table master6; extended next hop off; };",
            "Mismatched IGP table type",
        ),
        ("ipv4 { igp table r; };", "Mismatched IGP table type"),
        ("flow4 { table f; igp table igp4; };", "IGP table not allowed here"),
    ] {
        let found = section(statements).unwrap_err().join("\n");
        assert!(found.ends_with(text), "{statements}: {found}");
    }
}

#[test]
fn a_requirement_that_is_disabled_here_is_warned_of() {
    for (more, what) in [
        (
            "enable enhanced route refresh off; require enhanced route refresh;",
            "Enhanced route refresh",
        ),
        ("graceful restart off; require graceful restart;", "Graceful restart"),
        (
            "graceful restart off; require long lived graceful restart;",
            "Long-lived graceful restart",
        ),
        (
            "long lived graceful restart off; require long lived graceful restart;",
            "Long-lived graceful restart",
        ),
        ("capabilities off; require as4;", "AS4 support"),
        ("capabilities off; require graceful restart;", "Graceful restart"),
    ] {
        let (found, text) = (warnings(more), format!("{what} required but disabled"));
        assert!(found.iter().any(|line| line.ends_with(&text)), "{more}: {found:?}");
    }
    let fine = "graceful restart aware; require graceful restart; require as4; require route refresh; \
                require enhanced route refresh; require long lived graceful restart;";
    let found = warnings(fine);
    assert!(!found.iter().any(|line| line.contains("required but")), "{found:?}");
}

#[test]
fn flow_specifications_are_validated_by_a_table_with_a_trie() {
    let section = |table: &str, channel: &str| {
        let text = format!(
            "{table} ipv6 table six {{ trie; }}; ipv4 table bare; flow4 table f; vpn4 table v; \
             protocol bgp b {{ local as 1; neighbor 192.0.2.2 internal; {channel} }}"
        );
        load(&text).map_or_else(|lines| lines.join("\n"), |_| String::new())
    };
    assert_eq!(section("ipv4 table master4 { trie; };", "flow4 { validate; };"), "");
    assert_eq!(section("", "flow4 { validate off; };"), "");
    assert_eq!(section("", "flow4;"), "");
    for (channel, text) in [
        ("flow4 { validate; };", "Flowspec validation requires base table (master4) with trie"),
        (
            "flow4 { validate; base table bare; };",
            "Flowspec validation requires base table (bare) with trie",
        ),
        ("flow4 { base table bare; };", "Flowspec validation requires base table (bare) with trie"),
        ("flow4 { base table six; validate; };", "Mismatched base table type"),
        ("ipv4 { validate; };", "Validate option limited to flowspec channels"),
        ("ipv4 { base table master4; };", "Base table option limited to flowspec channels"),
        ("vpn4 mpls { validate; };", "Validate option limited to flowspec channels"),
    ] {
        let found = section("", channel);
        assert!(found.ends_with(text), "{channel}: {found}");
    }
}

#[test]
fn what_only_direct_sessions_can_have_is_refused_of_internal_ones_too() {
    let section = |session: &str| {
        let text = format!("protocol bgp b {{ local as 1; {session} ipv6; }}");
        load(&text).map_or_else(|lines| lines.join("\n"), |_| String::new())
    };
    for (session, text) in [
        ("neighbor fe80::1%eth0 as 1;", "Multihop BGP cannot be used with link-local addresses"),
        (
            "neighbor 192.0.2.2 as 1; interface \"eth0\";",
            "Multihop BGP cannot be bound to interface",
        ),
        ("neighbor 192.0.2.2 internal onlink;", "Multihop BGP cannot be used with onlink"),
    ] {
        let found = section(session);
        assert!(found.contains(text), "{session}: {found}");
        assert_eq!(section(&format!("{session} direct;")), "", "{session}");
    }
}

#[test]
fn a_template_is_inherited_and_changed() {
    let text = "template bgp t { local as 65001; hold time 9; multihop; \
                ipv4 { import all; export all; next hop self; }; }\n\
                protocol bgp b from t { neighbor 192.0.2.2 as 65002; hold time 30; \
                ipv4 { next hop keep ebgp; export none; }; }";
    let bgp = load(text).unwrap()[0].specific::<BgpConfig>().cloned().unwrap();
    assert_eq!(bgp.timers.hold, Duration::from_secs(30));
    let channel = bgp.channel(ChannelKind::Ipv4).unwrap();
    assert_eq!((channel.next_hop_self, channel.next_hop_keep), (Scope::All, Scope::External));
}

#[test]
fn what_does_not_fit_together_is_refused() {
    for (more, message) in [
        ("neighbor internal;", "Internal BGP cannot have remote AS different"),
        ("rr client;", "Only internal neighbor can be RR client"),
        ("multihop; interface \"eth0\";", "Multihop BGP cannot be bound to interface"),
        ("multihop; check link;", "Multihop BGP cannot depend on link state"),
        ("keepalive time 300;", "Keepalive time must be at most hold time"),
        ("hold time 2;", "Hold time must be in range 3-65535 or zero"),
        ("min hold time 300;", "Min hold time exceeds hold time"),
        ("send hold time 10;", "Send hold time must be at least hold time"),
        ("require roles;", "Local role must be set if roles are required"),
        ("authentication md5;", "Password must be set"),
        (
            "password \"p\"; authentication none;",
            "Password cannot be used without MD5 authentication",
        ),
        ("strict bind;", "Strict bind requires"),
        ("neighbor 192.0.2.3;", "Only one neighbor per BGP instance is allowed"),
        ("neighbor range 192.0.2.0/24;", "Both neighbor address and neighbor range"),
        ("source address 2001:db8::1;", "must be of the same family"),
        ("ipv6 { import all; };", "EBGP requires explicit import and export policy"),
        ("confederation member;", "Confederation ID must be set for member sessions"),
        ("interface range \"e*\";", "Interface range requires strict bind"),
        (
            "interface \"e0\"; interface range \"e*\"; strict bind;",
            "Interface and interface range cannot be configured together",
        ),
        ("multihop; bfd;", "Multihop BGP with BFD requires specified local address"),
        (
            "graceful restart off; long lived graceful restart on;",
            "Long-lived graceful restart requires basic graceful restart",
        ),
        ("authentication ao;", "Authentication keys must be set for TCP-AO"),
        ("authentication ao; keys { };", "Authentication keys must be set for TCP-AO"),
        (
            "authentication ao; keys { key { id 1; secret \"a\"; }; key { id 1; secret \"b\"; }; };",
            "Duplicate key ID",
        ),
        ("authentication ao; keys { key { id 1; }; };", "Missing secret key"),
        ("keys { key { id 256; }; };", "Id must be in range 0-255"),
        (
            "min graceful restart time 9; max graceful restart time 8;",
            "Min graceful restart time exceeds max graceful restart time",
        ),
        ("graceful restart time 4096;", "Graceful restart time must be in range 0-4095"),
        ("long lived stale time 16777216;", "Long lived stale time must be in range 0-16777215"),
        (
            "ipv6 { import all; export all; secondary; };",
            "BGP with secondary option requires sorted table",
        ),
        ("flow4 { import all; };", "Routing table not specified"),
        ("neighbors;", "Channel neighbors requires"),
        ("ipv6 { add paths maybe; };", "syntax error, unexpected CF_SYM_UNDEFINED"),
        ("bfd { interval 5; };", "syntax error, unexpected ';', expecting S or MS or US"),
        ("local as 0;", "AS number must be in range"),
        (
            "authentication ao; password \"p\"; keys { key { id 1; secret \"a\"; }; };",
            "Password cannot be used with TCP-AO authentication",
        ),
        ("authentication ao; keys { key { secret \"a\"; }; };", "Missing key ID"),
        (
            "keys { key { id 1; secret \"a\"; }; };",
            "Authentication keys require TCP-AO authentication",
        ),
        ("keepalive time 80; min keepalive time 81;", "Min keepalive time exceeds keepalive time"),
        (
            "min long lived stale time 9; max long lived stale time 8;",
            "Min long lived stale time exceeds max long lived stale time",
        ),
        (
            "ipv6 { import all; export all; min long lived stale time 9; max long lived stale time 8; };",
            "Min long lived stale time exceeds max long lived stale time",
        ),
        ("multihop; ipv6 { gateway direct; };", "Multihop BGP cannot use direct gateway mode"),
        ("multihop; onlink;", "Multihop BGP cannot be used with onlink"),
        ("dynamic name digits 11;", "Dynamic name digits must be in range 0-10"),
        ("startup hold time 2;", "Startup hold time must be in range 3-65535 or zero"),
    ] {
        let text = refused(more);
        assert!(text.contains(message), "{more}: {text}");
        assert!(text.starts_with("t.conf:2:"), "{text}");
    }
    let errors = load("protocol bgp b { neighbor 192.0.2.2 as 1; ipv4; }").unwrap_err();
    assert!(errors.join("\n").contains("Local AS number must be set"), "{errors:?}");
    let errors = load("protocol bgp b { local as 1; ipv4; }").unwrap_err();
    assert!(errors.join("\n").contains("Neighbor must be configured"), "{errors:?}");
    let errors = load("protocol bgp b { local as 1; neighbor 192.0.2.2; ipv4; }").unwrap_err();
    assert!(errors.join("\n").contains("Remote AS number (or peer type) must be set"));
}

#[test]
fn what_does_not_fit_the_kind_of_neighbour_is_refused() {
    let both = "ipv4 { import all; export all; };";
    for (ends, more, message) in [
        (
            "neighbor 192.0.2.2 as 1 external",
            "",
            "External BGP cannot have remote AS same as local AS",
        ),
        ("neighbor 192.0.2.2 as 1", "rs client;", "Only external neighbor can be RS client"),
        (
            "neighbor 192.0.2.2 as 1",
            "local role peer;",
            "Local role cannot be set on IBGP sessions",
        ),
        (
            "neighbor 192.0.2.2 as 1",
            "enforce first as;",
            "Enforce first AS check is requires EBGP sessions",
        ),
        ("neighbor fe80::1 as 2", "", "Link-local neighbor address requires specified interface"),
        (
            "neighbor fe80::1 as 2",
            "multihop;",
            "Multihop BGP cannot be used with link-local addresses",
        ),
        (
            "neighbor range 192.0.2.0/24 as 2",
            "authentication ao; keys { key { id 1; secret \"a\"; }; };",
            "TCP-AO cannot be used with dynamic BGP",
        ),
        (
            "neighbor range 192.0.2.0/24 as 2",
            "neighbors;",
            "Channel neighbors requires interface range",
        ),
    ] {
        let text = format!("protocol bgp b {{ local as 1; {ends}; {more} {both} }}");
        let said = load(&text).map_or_else(|lines| lines.join("\n"), |_| String::new());
        assert!(said.lines().any(|line| line.ends_with(message)), "{ends}; {more} {said}");
    }
}

#[test]
fn what_is_odd_is_warned_of() {
    for (more, message) in [
        ("keepalive time 121;", "Keepalive time is more than half of hold time"),
        ("enable route refresh off; require route refresh;", "Route refresh required but disabled"),
        ("enable as4 off; require as4;", "AS4 support required but disabled"),
        ("require extended messages;", "Extended messages required but disabled"),
        ("require hostname;", "Hostname required but disabled"),
        ("password \"p\";", "Missing authentication option, assuming MD5"),
        (
            "confederation 7; local role peer;",
            "BGP roles are not recommended to be used within AS confederations",
        ),
    ] {
        let said = warnings(more);
        assert!(said.iter().any(|said| said.ends_with(message)), "{more}: {said:?}");
    }
    assert!(warnings("keepalive time 120;").is_empty());
}

/// What asks for what between two configurations: `option effect`, with the channel in front.
fn differences(old: &InstanceConfig, new: &InstanceConfig) -> Vec<String> {
    let row = |difference: &Difference| {
        let channel = difference.channel.map_or(String::new(), |channel| format!("{channel} "));
        format!("{channel}{}: {:?}", difference.option, difference.effect)
    };
    old.differences(new).iter().map(row).collect()
}

#[test]
fn what_a_new_configuration_asks_of_a_session() {
    let (old, _) = one("").unwrap();
    let changed = |more: &str| differences(&old, &one(more).unwrap().0);
    for (more, wanted) in [
        ("", ""),
        ("hold time 30;", "hold time: Restart"),
        ("passive;", "passive: Restart"),
        ("description \"x\";", "description: Live"),
        ("require as4;", "require: Live"),
        ("check link off;", "check link: Live"),
        ("router id 9.9.9.9;", "router id: Restart"),
        ("ipv6 { import all; export all; };", "ipv6 channel: Restart"),
        (
            "hold time 30; keepalive time 9; med metric; ttl security;",
            "ttl security: Restart, med metric: Restart, hold time: Restart, keepalive time: Restart",
        ),
    ] {
        assert_eq!(changed(more).join(", "), wanted, "{more}");
    }
    let with = |import: &str, more: &str| {
        let text = format!(
            "filter f {{ accept; }} filter g {{ accept; }} filter h {{ if net.len < 25 then accept; }}
             protocol bgp b {{ local as 65001; neighbor 192.0.2.2 as 65002; \
             ipv4 {{ import {import}; export none; {more} }}; }}"
        );
        load(&text).unwrap().remove(0)
    };
    for (before, import, more, wanted) in [
        ("all", "all", "", ""),
        ("all", "none", "", "ipv4 import: Import"),
        ("all", "where net.len < 25", "", "ipv4 import: Import"),
        ("all", "all", "preference 90;", "ipv4 preference: Import"),
        ("all", "all", "next hop self;", "ipv4 next hop self: Export"),
        ("all", "all", "mandatory;", "ipv4 mandatory: Live"),
        ("all", "all", "import limit 10;", "ipv4 import limit: Live"),
        ("all", "all", "export limit 10;", "ipv4 export limit: Export"),
        ("all", "all", "gateway recursive;", "ipv4 gateway: Restart"),
        ("all", "all", "import keep filtered;", "ipv4 import keep filtered: Restart"),
        // What does the same is the same, whatever it is called.
        ("filter f", "filter g", "", "ipv4 import: Live"),
        ("filter f", "all", "", "ipv4 import: Live"),
        ("filter h", "filter { if net.len < 1 + 24 then { accept; } }", "", "ipv4 import: Live"),
    ] {
        let found = differences(&with(before, ""), &with(import, more));
        assert_eq!(found.join(", "), wanted, "{before} {import} {more}");
    }
}

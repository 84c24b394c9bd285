//! Wrong values: what is said of them, and in which column.

use super::load;

/// Line, column and text of the first error.
fn first(text: &str) -> String {
    match load(text) {
        Ok(_) => "accepted".to_owned(),
        Err(rejected) => rejected.lines().next().unwrap().trim_start_matches("t.conf:").to_owned(),
    }
}

#[track_caller]
fn check(head: &str, cases: &[(&str, &str)]) {
    for (body, expected) in cases {
        let text = format!(
            "roa4 table r4; eth table e; evpn table v; mpls table m; ipv6 sadr table sadr6;\n{head} {{\n{body}\n}}"
        );
        assert_eq!(first(&text), *expected, "{head} {{ {body} }}");
    }
}

#[test]
fn rpki() {
    check(
        "protocol rpki r",
        &[
            ("roa4;", "4:1 IP address or hostname of cache server must be set"),
            ("remote \"x\";", "4:1 Channel not specified"),
            ("refresh 86401;", "3:9 Refresh must be in range 1-86400"),
            ("retry keep 7201;", "3:12 Retry must be in range 1-7200"),
            ("expire 599;", "3:8 Expire must be in range 600-172800"),
            (
                "roa4; remote \"x\"; remote \"x\";",
                "3:19 Only one cache server per protocol allowed",
            ),
            ("min version 3;", "3:13 Min version must be in range 0-2"),
            (
                "roa4; remote \"x\"; min version 2; max version 1;",
                "4:1 Min version exceeds max version",
            ),
            ("transport udp;", "3:11 syntax error, unexpected UDP, expecting TCP or SSH"),
            ("roa4; remote \"x\"; transport ssh { };", "4:1 User must be set for SSH transport"),
            (
                "roa4; remote \"x\"; transport tcp { authentication md5; };",
                "4:1 Password must be set for MD5 authentication",
            ),
            ("remote \"x\" port 65536;", "3:17 Port must be in range 1-65535"),
            ("ipv4;", "3:1 Protocol rpki has no ipv4 channel"),
        ],
    );
    check(
        "template rpki t { roa4; remote \"x\"; } protocol rpki r from t",
        &[
            ("port 324;", "accepted"),
            ("remote \"y\";", "3:1 Only one cache server per protocol allowed"),
        ],
    );
}

#[test]
fn bfd() {
    check(
        "protocol bfd",
        &[
            (
                "multihop { interval 100; };",
                "3:24 syntax error, unexpected ';', expecting S or MS or US",
            ),
            ("multihop { multiplier 256; };", "3:23 Multiplier must be in range 1-255"),
            (
                "neighbor 192.0.2.1 multihop on;",
                "3:1 Multihop neighbor requires specified local address",
            ),
            (
                "neighbor 192.0.2.1 dev \"e\" local 192.0.2.2 multihop;",
                "3:1 Neighbor cannot set both interface and multihop",
            ),
            (
                "interface \"e\" { password \"p\" { algorithm keyed md5; }; };",
                "3:17 Password algorithm option not available in BFD protocol",
            ),
            ("accept ipv5;", "3:8 syntax error, unexpected CF_SYM_UNDEFINED, expecting ';'"),
        ],
    );
}

#[test]
fn babel() {
    check(
        "protocol babel",
        &[
            (
                "interface \"e\" { rtt min 1; };",
                "3:26 syntax error, unexpected ';', expecting S or MS or US",
            ),
            (
                "interface \"e\" { hello interval 656; };",
                "3:32 Hello interval must be in range 10 ms-655350 ms",
            ),
            (
                "interface \"e\" { hello interval 1 ms; };",
                "3:32 Hello interval must be in range 10 ms-655350 ms",
            ),
            ("interface \"e\" { limit 17; };", "3:23 Limit must be in range 1-16"),
            ("ipv6; ipv6 sadr { table sadr6; };", "4:1 Both ipv6 and ipv6-sadr channels specified"),
            (
                "interface \"e\" { authentication mac; };",
                "3:1 No passwords specified for authentication",
            ),
            (
                "interface \"e\" { authentication none; password \"p\"; };",
                "3:1 Authentication and password options should be used together",
            ),
            (
                "interface \"e\" { authentication mac; passwords { key \"p\" { algorithm keyed md5; }; }; };",
                "3:49 Only HMAC and Blake2 algorithms are supported",
            ),
            (
                "interface \"e\" { authentication mac; password \"p\" { algorithm blake2s128; }; };",
                "accepted",
            ),
            ("interface \"e\" { next hop ipv4 fe80::1; };", "3:17 Must be an IPv4 address"),
            ("interface \"e\" { next hop ipv6 10.0.0.1; };", "3:17 Must be an IPv6 address"),
            (
                "interface \"e\" { rtt min 5 s; rtt max 1 s; };",
                "3:1 Min RTT must be smaller than max RTT",
            ),
            ("interface \"e\" { password \"p\" { from \"yesterday\"; }; };", "3:37 Invalid date"),
            (
                "interface 10.0.0.0/8;",
                "3:11 syntax error, unexpected IP4, expecting TEXT or CF_SYM_KNOWN or '('",
            ),
        ],
    );
}

/// The length of a key, its algorithm, and the longest that it takes.
#[test]
fn keys_have_a_length_that_their_algorithm_takes() {
    for (algorithm, name, most) in [
        ("blake2s128", "Blake2s-128", 32),
        ("blake2s256", "Blake2s-256", 32),
        ("blake2b256", "Blake2b-256", 64),
        ("blake2b512", "Blake2b-512", 64),
        ("hmac sha256", "", 200),
    ] {
        let section = |key: &str| {
            let password = format!("password {key} {{ algorithm {algorithm}; }};");
            first(&format!("protocol rip {{ ipv4; interface \"x\" {{ {password} }}; }}"))
        };
        let text = |length: usize| format!("\"{}\"", "k".repeat(length));
        let bytes = |length: usize| format!("hex:{}", "a5".repeat(length));
        assert_eq!(
            (section(&text(most)), section(&bytes(most))),
            ("accepted".into(), "accepted".into())
        );
        let (long, wrong) = (most + 1, "exceeds maximum length of");
        let expected = format!("1:38 Key length ({long} B) {wrong} {most} B for {name}");
        let expected = if name.is_empty() { "accepted".to_owned() } else { expected };
        assert_eq!((section(&text(long)), section(&bytes(long))), (expected.clone(), expected));
    }
}

#[test]
fn ospf() {
    check(
        "protocol ospf",
        &[
            ("ipv6; area 0 { };", "4:1 OSPFv2 cannot have an ipv6 channel"),
            ("tick 1;", "4:1 No configured areas in OSPF"),
            ("area 0 { stub; };", "3:1 Backbone area cannot be stub/NSSA"),
            ("area 1 { virtual link 1 { }; };", "4:1 Vlinks cannot be used on single area router"),
            (
                "area 0 { }; area 1 { stub; virtual link 1; };",
                "3:28 Vlinks cannot be used in this area",
            ),
            ("area 0 { interface \"e\" { cost 65536; }; };", "3:31 Cost must be in range 1-65535"),
            (
                "area 0 { interface \"e\" { link lsa suppression; }; };",
                "3:26 Link LSA suppression option requires OSPFv3",
            ),
            (
                "area 0 { interface \"e\" { hello 10; dead 10; }; };",
                "3:10 Dead time must be greater than hello time",
            ),
            ("ecmp limit 256; area 0 { };", "3:12 Limit must be in range 1-255"),
            ("instance id 3; area 0 { };", "3:1 Instance ID requires OSPFv3"),
            ("ipv4 { export all; }; area 1 { stub; };", "4:1 ASBR must be in non-stub area"),
            ("ipv4 { export where net ~ 10.0.0.0/8; }; area 1 { nssa; };", "accepted"),
            ("ipv4 { export none; }; area 1 { stub; };", "accepted"),
            (
                "area 0 { interface \"e\" { dead 1; }; };",
                "3:10 Dead interval must be greater than one",
            ),
            (
                "area 0 { interface \"e\" { wait 1; }; };",
                "3:10 Wait interval must be greater than one",
            ),
            (
                "area 0 { }; area 1 { virtual link 1.2.3.4 { retransmit 1; }; };",
                "3:22 Retransmit int must be greater than one",
            ),
            ("area 0 { }; area 1 { nssa; default nssa; summary; };", "accepted"),
            ("area 0 { }; area 1 { nssa; default nssa off; };", "accepted"),
            (
                "area 0 { }; area 1 { nssa; default nssa; };",
                "3:13 Only NSSA areas with summary propagation can use NSSA default route",
            ),
            (
                "area 0 { }; area 1 { summary; default nssa; };",
                "3:13 Only NSSA areas with summary propagation can use NSSA default route",
            ),
            ("ipv4 { export all; }; area 1 { stub; }; area 2 { stub; };", "accepted"),
        ],
    );
}

#[test]
fn ospf_v3() {
    check(
        "protocol ospf v3",
        &[
            (
                "area 0 { interface \"e\" { authentication simple; }; };",
                "3:26 Plaintext authentication not supported in OSPFv3",
            ),
            ("rfc1583compat; area 0 { };", "3:1 rfc1583compat option requires OSPFv2"),
            ("area 0 { interface \"e\" { ptp netmask; }; };", "3:26 This option requires OSPFv2"),
            (
                "area 0 { interface 10.0.0.0/8 { }; };",
                "3:10 Interface name/mask expected, not IP prefix",
            ),
            (
                "area 0 { interface \"f\", \"e\" 2001:db8::/32; };",
                "3:10 Interface name/mask expected, not IP prefix",
            ),
            ("area 0 { interface -\"f\", \"e\"; };", "accepted"),
            (
                "area 0 { interface \"e\" { ptp address no; }; };",
                "3:26 This option requires OSPFv2",
            ),
            (
                "area 0 { interface \"e\" { passwords { key \"k\" { algorithm keyed sha1; }; }; }; };",
                "3:38 Keyed hash algorithms are not allowed, use HMAC algorithms",
            ),
            (
                "area 0 { interface \"e\" { password \"k\" { algorithm blake2s128; }; }; };",
                "3:26 Keyed hash algorithms are not allowed, use HMAC algorithms",
            ),
            (
                "area 0 { interface \"e\" { password \"k\" { algorithm hmac sha1; }; }; };",
                "accepted",
            ),
            ("ipv4; rfc5838 off; area 0 { };", "4:1 Different channel type"),
            ("ipv6; rfc5838 off; instance id 64; area 0 { interface \"e\"; };", "accepted"),
            (
                "instance id 64; area 0 { interface \"e\"; };",
                "3:26 Instance ID 64 invalid for given channel type",
            ),
            ("ipv4; instance id 95; area 0 { interface \"e\"; };", "accepted"),
            (
                "ipv4; area 0 { interface \"e\" instance 5; };",
                "3:16 Instance ID 5 invalid for given channel type",
            ),
            ("area 0 { interface \"e\" instance 31; };", "accepted"),
            (
                "area 0 { }; area 1 { virtual link 1.2.3.4 instance 32; };",
                "3:22 Instance ID 32 invalid for given channel type",
            ),
        ],
    );
    assert_eq!(first("template ospf o { }"), "1:10 There are no templates of protocol ospf");
    assert_eq!(
        first("template rip t { } protocol babel b from t { ipv4; }"),
        "1:42 Template has a different protocol type"
    );
}

#[test]
fn rip_and_radv() {
    check(
        "protocol rip",
        &[
            ("ipv6;", "4:1 Channel family does not fit the version of RIP"),
            ("infinity 256;", "3:10 Infinity must be in range 2-255"),
            ("interface \"e\" { address ff02::9; };", "3:17 IP address version mismatch"),
            (
                "interface \"e\" { update time 9; timeout time 8; };",
                "3:1 Timeout time must be at least update time",
            ),
        ],
    );
    check(
        "protocol rip ng",
        &[
            ("interface \"e\" { version 2; };", "3:17 This option requires RIPv2"),
            ("interface \"e\" { address 224.0.0.9; };", "3:17 IP address version mismatch"),
            ("interface \"e\" { address ff02::9; };", "accepted"),
            ("interface \"e\" { password \"p\"; };", "3:17 Authentication not supported in RIPng"),
        ],
    );
    check(
        "protocol radv",
        &[
            (
                "interface \"e\" { max ra interval 3; };",
                "3:33 Max ra interval must be in range 4-1800",
            ),
            (
                "interface \"e\" { max ra interval 8; min ra interval 7; };",
                "3:1 Min RA interval must be at most 3/4 * Max RA interval",
            ),
            (
                "interface \"e\" { default lifetime 10; };",
                "3:1 Default lifetime must be either 0 or at least Max RA interval",
            ),
            (
                "interface \"e\" { router discovery; };",
                "3:1 Router discovery requires the neighbors channel",
            ),
            ("trigger 10.0.0.0/8;", "3:1 Trigger prefix must be IPv6"),
            (
                "interface \"e\" { route lifetime 599; };",
                "3:1 Route lifetime must be either 0 or at least Max RA interval",
            ),
            (
                "interface \"e\" { max ra interval 10; prefix linger time 9; };",
                "3:1 Prefix linger time must be either 0 or at least Max RA interval",
            ),
            (
                "interface \"e\" { route linger time 5; };",
                "3:1 Route linger time must be either 0 or at least Max RA interval",
            ),
            ("interface \"e\" { route lifetime 0; route linger time 600; };", "accepted"),
            ("prefix 10.0.0.0/8;", "3:1 Prefix must be IPv6"),
            ("interface \"e\" { prefix 10.0.0.0/8; };", "3:17 Prefix must be IPv6"),
            (
                "prefix 2001:db8::/32 { valid lifetime 5; };",
                "3:1 Preferred lifetime must be at most Valid lifetime",
            ),
            (
                "prefix 2001:db8::/32 { preferred lifetime 86401; };",
                "3:1 Preferred lifetime must be at most Valid lifetime",
            ),
            ("rdnss { lifetime 5; };", "3:1 No nameserver in RDNSS section"),
            ("interface \"e\" { dnssl { }; };", "3:17 No domain in DNSSL section"),
            ("dnssl \"a..b\";", "3:1 Invalid domain name"),
            ("dnssl { domain \"a\"; domain \"b.\"; };", "3:21 Invalid domain name"),
            ("dnssl \"\";", "3:1 Invalid domain name"),
            ("dnssl \"a_b.example\"; rdnss { ns 2001:db8::1; };", "accepted"),
            (
                "interface \"e\" { default preference middle; };",
                "3:36 syntax error, unexpected CF_SYM_UNDEFINED, expecting LOW or MEDIUM or HIGH",
            ),
        ],
    );
}

#[test]
fn mrt_and_bmp() {
    check(
        "protocol mrt",
        &[
            ("filename \"f\"; period 5;", "4:1 Table not specified"),
            ("table master4; period 5;", "4:1 File name not specified"),
            ("table master4; filename \"f\";", "4:1 Period not specified"),
            (
                "period \"60\";",
                "3:8 syntax error, unexpected TEXT, expecting NUM or CF_SYM_KNOWN or '('",
            ),
        ],
    );
    check(
        "protocol bmp",
        &[
            ("system name \"x\";", "4:1 Station address not specified"),
            ("station address ip 192.0.2.1;", "4:1 Station port not specified"),
            ("monitoring table;", "3:12 syntax error, unexpected TABLE, expecting RIB"),
        ],
    );
}

#[test]
fn overlays() {
    check("protocol bridge", &[("eth;", "4:1 Bridge device must be specified")]);
    check(
        "protocol l3vpn",
        &[
            ("rd 65000:1; route target (rt, 1, 2);", "4:1 MPLS channel not specified"),
            ("rd 7;", "3:4 Route distinguisher expected"),
            ("import target 7;", "3:15 Route target expected"),
            ("route target (ro, 1, 2);", "3:14 Route target expected"),
            ("route target (generic, 1, 2);", "3:14 Route target expected"),
            ("export target [(rt, 1, 2), (ro, 1, 2)];", "3:15 Route target expected"),
            ("mpls { table m; label policy vrf; }; rd 1:1; route target (rt, 1, 2);", "accepted"),
            (
                "mpls { table m; }; rd 1:1; route target [(rt, 1, *), (rt, 192.0.2.1, 3)];",
                "accepted",
            ),
            (
                "mpls { table m; }; ipv4;",
                "4:1 For IPv4 L3VPN, both IPv4 and VPNv4 channels must be specified",
            ),
            (
                "mpls { table m; }; ipv6;",
                "4:1 For IPv6 L3VPN, both IPv6 and VPNv6 channels must be specified",
            ),
            ("mpls { table m; };", "4:1 Route distinguisher not specified"),
            ("mpls { table m; }; rd 1:1; export target none;", "4:1 Import target not specified"),
            ("mpls { table m; }; rd 1:1; import target none;", "4:1 Export target not specified"),
        ],
    );
    check(
        "protocol evpn",
        &[
            ("mpls { table m; label policy vrf; };", "3:30 Label policy vrf is limited to L3VPN"),
            ("evpn; rd 1:1;", "4:1 ETH channel not specified"),
            ("vid 4096;", "3:5 Vid must be in range 1-4095"),
            ("eth; evpn;", "4:1 Route distinguisher not specified"),
            ("eth; rd 1:1;", "4:1 EVPN channel not specified"),
        ],
    );
    check(
        "protocol aggregator",
        &[
            ("peer table master4;", "4:1 Source table not specified"),
            ("table master4;", "4:1 Destination table not specified"),
            (
                "table master4; peer table master4; merge by { };",
                "4:1 Aggregation list not specified",
            ),
            (
                "table master4; peer table master4; aggregate on net;",
                "4:1 Merge-by function not specified",
            ),
            (
                "table master4; peer table master6; aggregate on net; merge by { };",
                "4:1 Both tables must have the same type",
            ),
            (
                "table master4; peer table master4; aggregate on bgp_path; merge by { };",
                "4:1 Network must be in the aggregation list",
            ),
            ("aggregate on net, bgp_path.len;", "3:19 Attribute expected"),
        ],
    );
}

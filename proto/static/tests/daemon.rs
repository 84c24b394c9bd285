//! Static routes in a daemon: what is announced, what is dormant, what a change changes.
#![allow(clippy::unwrap_used, reason = "a test stops where something fails")]

#[path = "../../../nest/core/tests/lab/mod.rs"]
mod lab;

use std::sync::Arc;

use lab::{Lab, interface};

fn start(section: &str) -> Lab {
    Lab::start(Arc::new([Arc::new(dunlin_static::Static)]), &config(section))
}

fn config(section: &str) -> String {
    format!("router id 1; ipv4 table inner; protocol static s {{ {section} }}")
}

/// The networks of a table with their destinations, sorted.
fn routes(answer: &str) -> Vec<String> {
    let mut list: Vec<String> = Vec::new();
    for line in answer.lines() {
        let text = line.get(1..).unwrap_or_default().trim_start_matches("007-");
        if text.starts_with("Table") || line.starts_with("0000") {
            continue;
        }
        match text.strip_prefix('\t') {
            Some(hop) => list.last_mut().unwrap().push_str(&format!(", {hop}")),
            None => list.push(
                text.split(" [").next().unwrap().split_whitespace().collect::<Vec<_>>().join(" "),
            ),
        }
    }
    list.sort();
    list
}

#[track_caller]
fn expect(lab: &Lab, command: &str, expected: &[&str]) {
    lab.expect_read(command, routes, expected);
}

#[test]
fn routes_without_interfaces_are_there_at_once() {
    let lab = start(
        "ipv4; route 10.1.0.0/16 blackhole; route 10.2.0.0/16 reject; route 10.3.0.0/16 prohibit;",
    );
    expect(
        &lab,
        "show route",
        &["10.1.0.0/16 blackhole", "10.2.0.0/16 unreachable", "10.3.0.0/16 prohibited"],
    );
    lab.down();
}

#[test]
fn gateways_wake_when_their_network_comes_and_sleep_when_it_goes() {
    let lab = start(
        "ipv4; route 10.1.0.0/16 via 192.0.2.7 via 198.51.100.7 weight 3; \
         route 10.2.0.0/16 via \"eth1\";",
    );
    lab.expect(
        "show static",
        "1009-10.1.0.0/16\n \tvia 192.0.2.7 weight 1 (dormant)\n \
         \tvia 198.51.100.7 weight 3 (dormant)\n \
         10.2.0.0/16\n \tdev eth1 (dormant)\n0000 \n",
    );
    expect(&lab, "show route", &[]);
    let eth0 = interface(1, "eth0", &["192.0.2.1/24"]);
    let eth1 = interface(2, "eth1", &["198.51.100.1/24"]);
    lab.interfaces(vec![eth0.clone()]);
    expect(&lab, "show route", &["10.1.0.0/16 unicast, via 192.0.2.7 on eth0"]);
    lab.interfaces(vec![eth0, eth1.clone()]);
    let both = "10.1.0.0/16 unicast, via 192.0.2.7 on eth0 weight 1, \
                via 198.51.100.7 on eth1 weight 3";
    expect(&lab, "show route", &[both, "10.2.0.0/16 unicast, dev eth1"]);
    lab.interfaces(vec![eth1]);
    let one = "10.1.0.0/16 unicast, via 198.51.100.7 on eth1";
    expect(&lab, "show route", &[one, "10.2.0.0/16 unicast, dev eth1"]);
    lab.interfaces(Vec::new());
    expect(&lab, "show route", &[]);
}

#[test]
fn check_link_wants_a_link() {
    let lab = start("ipv4; check link; route 10.1.0.0/16 via 192.0.2.7;");
    let mut eth0 = interface(1, "eth0", &["192.0.2.1/24"]);
    eth0.flags.link_up = false;
    lab.interfaces(vec![eth0.clone()]);
    lab.until("show interfaces summary", |answer| answer.contains("eth0"));
    expect(&lab, "show route", &[]);
    lab.configure(&config("ipv4; route 10.1.0.0/16 via 192.0.2.7;"));
    expect(&lab, "show route", &["10.1.0.0/16 unicast, via 192.0.2.7 on eth0"]);
    lab.configure(&config("ipv4; check link; route 10.1.0.0/16 via 192.0.2.7;"));
    expect(&lab, "show route", &[]);
    eth0.flags.link_up = true;
    lab.interfaces(vec![eth0]);
    expect(&lab, "show route", &["10.1.0.0/16 unicast, via 192.0.2.7 on eth0"]);
}

#[test]
fn only_routes_that_differ_change() {
    let lab = start(
        "ipv4; route 10.1.0.0/16 blackhole; route 10.2.0.0/16 blackhole; \
         route 10.3.0.0/16 blackhole;",
    );
    lab.until("show route count", |answer| answer.contains("3 of 3"));
    lab.configure(&config(
        "ipv4; route 10.2.0.0/16 prohibit; route 10.4.0.0/16 blackhole; \
         route 10.1.0.0/16 blackhole;",
    ));
    expect(
        &lab,
        "show route",
        &["10.1.0.0/16 blackhole", "10.2.0.0/16 prohibited", "10.4.0.0/16 blackhole"],
    );
    let all = lab.ask("show protocols all s");
    // Three at first, then one changed and one new; one withdrawn.
    assert!(all.contains("Import updates:              5 "), "{all}");
    assert!(all.contains("Import withdraws:            1 "), "{all}");
}

#[test]
fn a_partial_reload_runs_filters_over_some_networks_only() {
    let section = |value: u32| {
        format!(
            "ipv4 {{ import filter {{ bgp_med = {value}; accept; }}; }}; \
             route 10.1.0.0/16 blackhole; route 10.2.0.0/16 blackhole; route 10.2.3.0/24 blackhole;"
        )
    };
    let lab = start(&section(1));
    let meds = |answer: &str| -> Vec<String> {
        let lines = answer.lines().filter_map(|line| line.split_once("bgp_med: "));
        lines.map(|(_, med)| med.to_owned()).collect()
    };
    let all = |net: &str| format!("show route {net} all");
    lab.expect_read(&all("10.2.3.0/24"), meds, &["1"]);
    lab.write(&config(&section(2)));
    assert!(lab.ask("configure soft").ends_with("0003 Reconfigured\n"));
    for net in ["10.1.0.0/16", "10.2.0.0/16", "10.2.3.0/24"] {
        lab.expect_read(&all(net), meds, &["1"]);
    }
    lab.expect("reload filters in s partial [10.2.0.0/16{20,24}]", "0015 s: reloading\n");
    lab.expect_read(&all("10.2.3.0/24"), meds, &["2"]);
    lab.expect_read(&all("10.2.0.0/16"), meds, &["1"]);
    lab.expect("reload s partial 10.1.0.0/16", "0015 s: reloading\n");
    lab.expect_read(&all("10.1.0.0/16"), meds, &["2"]);
    lab.expect_read(&all("10.2.0.0/16"), meds, &["1"]);
}

#[test]
fn several_routes_for_one_network() {
    let lab = start("ipv4; route 10.1.0.0/16 blackhole; route 10.1.0.0/16 prohibit;");
    expect(&lab, "show route", &["10.1.0.0/16 blackhole", "prohibited"]);
    lab.configure(&config("ipv4; route 10.1.0.0/16 prohibit;"));
    expect(&lab, "show route", &["10.1.0.0/16 prohibited"]);
}

#[test]
fn filters_of_channels_can_only_set_hops_that_there_are() {
    let import = |statement: &str| {
        format!(
            "ipv4 {{ import filter {{ if net.len = 24 then {{ {statement} }} accept; }}; }}; \
             route 10.1.0.0/16 blackhole; route 10.2.0.0/24 blackhole;"
        )
    };
    let lab = start(&import("accept;"));
    lab.interfaces(vec![interface(1, "eth0", &["192.0.2.1/24", "fe80::1/64"])]);
    lab.until("show interfaces summary", |answer| answer.contains("eth0"));
    let always = "10.1.0.0/16 blackhole";
    for (statement, expected) in [
        ("gw = 192.0.2.9;", Some("10.2.0.0/24 unicast, via 192.0.2.9 on eth0")),
        ("ifname = \"eth0\";", Some("10.2.0.0/24 unicast, dev eth0")),
        ("ifname = \"eth1\";", None),
        ("gw = 198.51.100.1;", None),
        ("gw = 192.0.2.9;", Some("10.2.0.0/24 unicast, via 192.0.2.9 on eth0")),
        // Ourselves, nobody, everybody, and who may be anywhere.
        ("gw = 192.0.2.1;", None),
        ("accept;", Some("10.2.0.0/24 blackhole")),
        ("gw = 192.0.2.0;", None),
        ("accept;", Some("10.2.0.0/24 blackhole")),
        ("gw = 192.0.2.255;", None),
        ("accept;", Some("10.2.0.0/24 blackhole")),
        ("gw = fe80::9;", None),
    ] {
        lab.configure(&config(&import(statement)));
        let routes: Vec<&str> = [Some(always), expected].into_iter().flatten().collect();
        expect(&lab, "show route", &routes);
    }
}

#[test]
fn statements_change_routes_or_reject_them() {
    let lab = start(
        "ipv4; route 10.1.0.0/16 blackhole { bgp_med = 5; bgp_community.add((1, 2)); }; \
         route 10.2.0.0/16 blackhole { if net.len = 16 then reject; };",
    );
    let answer = lab.until("show route all", |answer| answer.contains("10.1.0.0"));
    assert!(answer.contains("bgp_med: 5") && answer.contains("bgp_community: (1,2)"), "{answer}");
    assert!(!answer.contains("10.2.0.0"), "{answer}");
    lab.configure(&config("ipv4; route 10.1.0.0/16 blackhole { bgp_med = 6; };"));
    let answer = lab.until("show route all", |answer| answer.contains("bgp_med: 6"));
    assert!(answer.contains("bgp_med: 6") && !answer.contains("community"), "{answer}");
}

#[test]
fn recursive_routes_follow_the_igp_table() {
    let lab = start(
        "ipv4 { table inner; }; igp table inner; route 10.1.0.0/16 via 192.0.2.7; \
                     route 10.2.0.0/16 recursive 10.1.2.3;",
    );
    expect(&lab, "show route table inner", &["10.2.0.0/16 unreachable"]);
    lab.interfaces(vec![interface(1, "eth0", &["192.0.2.1/24"])]);
    expect(
        &lab,
        "show route table inner",
        &[
            "10.1.0.0/16 unicast, via 192.0.2.7 on eth0",
            "10.2.0.0/16 unicast, via 192.0.2.7 on eth0",
        ],
    );
}

#[test]
fn import_filters_and_preference_change_in_place() {
    let lab = start("ipv4 { import none; }; route 10.1.0.0/16 blackhole;");
    lab.until("show protocols all s", |answer| answer.contains("Import updates:              1"));
    expect(&lab, "show route", &[]);
    lab.configure(&config("ipv4 { preference 77; }; route 10.1.0.0/16 blackhole;"));
    let answer = lab.until("show route", |answer| answer.contains("(77)"));
    assert!(answer.contains("(77)"), "{answer}");
}

#[test]
fn after_a_soft_change_routes_keep_filter_and_preference() {
    let lab = start("ipv4; route 10.1.0.0/16 blackhole; route 10.2.0.0/16 blackhole;");
    lab.until("show route", |answer| answer.matches("(200)").count() == 2);
    let softly = |section: &str| {
        lab.write(&config(section));
        assert!(lab.ask("configure soft").ends_with("0003 Reconfigured\n"));
    };
    // One stays, one changes, one comes.
    softly(
        "ipv4 { preference 77; import where preference = 77; }; route 10.1.0.0/16 blackhole; \
         route 10.2.0.0/16 prohibit; route 10.3.0.0/16 blackhole;",
    );
    let answer = lab.until("show route", |answer| answer.matches("(77)").count() == 2);
    assert!(answer.contains("10.1.0.0/16          blackhole [s "), "{answer}");
    assert_eq!(
        (answer.matches("(77)").count(), answer.matches("(200)").count()),
        (2, 1),
        "{answer}"
    );
    // A walk over all of them makes nothing else of them.
    lab.interfaces(vec![interface(1, "eth0", &["192.0.2.1/24"])]);
    softly("ipv4 { preference 66; }; route 10.1.0.0/16 blackhole; route 10.3.0.0/16 blackhole;");
    let answer = lab.until("show route", |answer| !answer.contains("10.2.0.0"));
    assert!(
        answer.contains("(200)") && answer.contains("(77)") && !answer.contains("(66)"),
        "{answer}"
    );
    assert_eq!(lab.ask("reload filters in s"), "0015 s: reloading\n");
    let answer = lab.until("show route", |answer| answer.matches("(66)").count() == 2);
    assert_eq!(answer.matches("(66)").count(), 2, "{answer}");
    lab.down();
}

#[test]
fn a_limit_disables() {
    let lab = start(
        "ipv4 { import limit 2 action disable; }; route 10.1.0.0/16 blackhole; \
         route 10.2.0.0/16 blackhole; route 10.3.0.0/16 blackhole;",
    );
    let answer = lab.until("show protocols all s", |answer| answer.contains("down"));
    assert!(answer.contains("Route limit exceeded"), "{answer}");
    expect(&lab, "show route", &[]);
}

#[test]
fn without_room_for_a_source_it_is_refused_by_name() {
    let kinds: dunlin_core::config::Kinds = Arc::new([Arc::new(dunlin_static::Static)]);
    let text = config("ipv4; route 10.1.0.0/16 blackhole; route 10.2.0.0/16 blackhole;");
    let lab = Lab::begin_small(kinds, &text, Arc::new(lab::NoInterfaces), 2, 0);
    let answer = lab.until("show protocols all s", |answer| answer.contains("down"));
    let why = "Message:            Channel refused: too many sources of routes, at most 0";
    assert!(answer.contains(why), "{answer}");
    expect(&lab, "show route", &[]);
}

/// Four routes under a limit.
fn four(limit: &str) -> String {
    format!(
        "ipv4 {{ {limit} }}; route 10.1.0.0/16 blackhole; route 10.2.0.0/16 blackhole; \
         route 10.3.0.0/16 blackhole; route 10.4.0.0/16 blackhole;"
    )
}

#[test]
fn limits_change_without_a_restart() {
    let lab = start(&four("import limit 2 action block;"));
    let counts = |text: &'static str| {
        let answer = lab.until("show route count", |answer| answer.contains(text));
        assert!(answer.contains(text), "{answer}");
    };
    let says = |text: &'static str| {
        let answer = lab.until("show protocols all s", |answer| answer.contains(text));
        assert!(answer.contains(text), "{answer}");
    };
    counts("2 of 2 ");
    says("Import limit:   2 [HIT]\n       Action:       block");
    // A wider one lets in what the narrow one kept out.
    lab.configure(&config(&four("import limit 3 action block;")));
    counts("3 of 3 ");
    says("Import limit:   3 [HIT]");
    lab.configure(&config(&four("import limit 3 action warn;")));
    counts("4 of 4 ");
    lab.configure(&config(&four("")));
    counts("4 of 4 ");
    // One that is exceeded already is hit at once.
    lab.configure(&config(&four("receive limit 3 action warn;")));
    says("Receive limit:  3 [HIT]");
    counts("4 of 4 ");
    lab.configure(&config(&four("import limit 3 action disable;")));
    says("Route limit exceeded");
    counts("0 of 0 ");
    let log: Vec<String> = lab.log.try_iter().collect();
    let hits: Vec<_> = log.iter().filter(|line| line.contains("hits route")).collect();
    let expected = [
        "s: Channel ipv4 hits route import limit (2), action: block",
        "s: Channel ipv4 hits route import limit (3), action: block",
        "s: Channel ipv4 hits route import limit (3), action: warn",
        "s: Channel ipv4 hits route receive limit (3), action: warn",
        "s: Channel ipv4 hits route import limit (3), action: disable",
    ];
    assert_eq!(hits, expected);
    assert!(!log.iter().any(|line| line.starts_with("Restarting")), "{log:?}");
}

#[test]
fn what_a_limit_blocks_is_filtered() {
    let lab = start(&four("import keep filtered; import limit 1 action block;"));
    let shown = lab.until("show protocols all s", |text| text.contains("1 imported, 3 filtered"));
    assert!(shown.contains("1 imported, 3 filtered"), "{shown}");
    let filtered = lab.ask("show route filtered count");
    assert!(filtered.contains("3 of "), "{filtered}");
}

#[test]
fn a_limit_that_restarts_too_often_disables() {
    // The clock of these tests stands still.
    let lab = start(&format!("restart time 1000 ms; {}", four("import limit 3 action restart;")));
    let answer = lab.until("show protocols all s", |answer| answer.contains(" down "));
    assert!(answer.contains("Last autorestart:") && answer.contains("Route limit"), "{answer}");
    let hits = |lab: &Lab| lab.log.try_iter().filter(|line| line.contains("hits route")).count();
    assert_eq!(hits(&lab), 2);
    let lab = start(&format!("restart time 0 ms; {}", four("import limit 3 action restart;")));
    let mut all = 0;
    lab.until("show status", |_| {
        all += hits(&lab);
        all > 5
    });
    assert!(all > 5, "restarted {all} times");
}

#[test]
fn disable_and_enable() {
    let lab = start("ipv4; route 10.1.0.0/16 blackhole;");
    lab.ask("disable s");
    expect(&lab, "show route", &[]);
    lab.until("show protocols s", |answer| answer.contains(" down "));
    lab.ask("enable s");
    expect(&lab, "show route", &["10.1.0.0/16 blackhole"]);
    lab.ask("restart s");
    lab.until("show protocols s", |answer| answer.contains(" up "));
    expect(&lab, "show route", &["10.1.0.0/16 blackhole"]);
}

#[test]
fn many_routes_arrive() {
    let mut section = "ipv4;".to_owned();
    for high in 0..=255 {
        for low in 0..40 {
            section.push_str(&format!("route 10.{high}.{low}.0/24 blackhole;"));
        }
    }
    let lab = start(&section);
    let answer = lab.until("show route count", |answer| answer.contains("10240 of 10240"));
    assert!(answer.contains("10240 of 10240 routes for 10240 networks"), "{answer}");
    lab.configure(&config("ipv4; route 10.0.0.0/24 prohibit;"));
    expect(&lab, "show route", &["10.0.0.0/24 prohibited"]);
}

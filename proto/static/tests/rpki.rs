//! Origins and providers in a daemon: tables of them, filters that ask those, and routes that are judged
//! again when they change.
#![allow(clippy::unwrap_used, reason = "a test stops where something fails")]

#[path = "../../../nest/core/tests/lab/mod.rs"]
mod lab;

use std::sync::Arc;

use lab::Lab;

/// Nothing has to settle for long.
const SETTLES: &str = "{ digest settle time 1 ms 5 ms; }";

fn start(text: &str) -> Lab {
    Lab::start(Arc::new([Arc::new(dunlin_static::Static)]), text)
}

fn config(origins: &str, rest: &str) -> String {
    format!(
        "router id 1; roa4 table r4 {SETTLES}; roa6 table r6 {SETTLES}; aspa table pa {SETTLES};\n\
         protocol static s4 {{ roa4; {origins} }}\n\
         protocol static s6 {{ roa6; route 2001:db8::/32 max 48 as 65000; }}\n\
         protocol static sa {{ aspa; route aspa 65001 providers 65003, 65002; \
         route aspa 65002 transit; }}\n{rest}"
    )
}

const ORIGINS: &str = "route 10.0.0.0/8 max 24 as 65000; route 10.0.0.0/8 max 16 as 65001; \
                       route 10.1.0.0/16 max 16 as 0;";

/// The lines of a listing without times, sorted.
fn routes(answer: &str) -> Vec<String> {
    let lines = answer.lines().filter(|line| line.contains(" ["));
    let mut list: Vec<String> = lines
        .map(|line| {
            let text = line.trim_start_matches("1007-").trim_start();
            let (net, rest) = text.split_once(" [").unwrap();
            let (_, rest) = rest.split_once(']').unwrap();
            format!("{}{rest}", net.split_whitespace().collect::<Vec<_>>().join(" "))
        })
        .collect();
    list.sort();
    list
}

#[track_caller]
fn expect(lab: &Lab, command: &str, expected: &[&str]) {
    lab.expect_read(command, routes, expected);
}

#[test]
fn tables_of_origins_and_providers_are_shown_as_others() {
    let lab = start(&config(ORIGINS, ""));
    let all = [
        "10.0.0.0/8-16 AS65001 * (200)",
        "10.0.0.0/8-24 AS65000 * (200)",
        "10.1.0.0/16-16 AS0 * (200)",
    ];
    expect(&lab, "show route table r4", &all);
    expect(&lab, "show route 10.0.0.0/8 max 24 as 65000", &all[1..2]);
    expect(&lab, "show route table r4 where net.asn = 65001", &all[..1]);
    expect(&lab, "show route table r4 where net ~ [10.1.0.0/16]", &all[2..]);
    expect(&lab, "show route protocol s6", &["2001:db8::/32-48 AS65000 * (200)"]);
    expect(&lab, "show route aspa 65001", &["65001 * (200)"]);
    let count = lab.ask("show route table r4 count");
    assert!(count.contains("3 of 3 routes for 3 networks in table r4"), "{count}");
    let line = lab.ask("show route 10.1.0.0/16 max 16 as 0 table r4");
    assert!(line.contains("10.1.0.0/16-16 AS0    [s4 "), "{line}");
    for (what, table) in [("10.0.0.0/8", "r4"), ("in 10.0.0.0/8", "r4"), ("aspa 1", "r6")] {
        let answer = lab.ask(&format!("show route {what} table {table}"));
        assert_eq!(answer, format!("9001 Incompatible type of prefix/ip in table {table}\n"));
    }
    let providers = lab.ask("show route table pa all");
    assert!(providers.contains("aspa_providers: 65003, 65002\n"), "{providers}");
    assert!(providers.contains("aspa_providers: 0\n"), "{providers}");
    lab.expect(
        "show static s4",
        "1009-10.0.0.0/8-24 AS65000\t\n 10.0.0.0/8-16 AS65001\t\n 10.1.0.0/16-16 AS0\t\n0000 \n",
    );
    let protocol = lab.ask("show protocols all s4");
    assert!(protocol.contains("  Channel roa4\n"), "{protocol}");
    assert!(protocol.contains("3 imported, 0 exported, 3 preferred"), "{protocol}");
    assert!(lab.ask("show symbols r4").contains("r4      \trouting table"));
    lab.down();
}

#[test]
fn checks_are_answered_as_the_tables_are_now() {
    let lab = start(&config(ORIGINS, ""));
    let eval = |expression: &str, number: &str| {
        let answer = lab.until(&format!("eval {expression}"), |answer| answer.contains(number));
        assert!(answer.contains(number), "{expression}: {answer}");
    };
    eval("roa_check(r4, 10.0.0.0/16, 65001)", "(enum 35)1");
    eval("roa_check(r4, 10.0.0.0/24, 65001)", "(enum 35)2");
    eval("roa_check(r4, 10.1.0.0/16, 0)", "(enum 35)2");
    eval("roa_check(r4, 11.0.0.0/8, 65001)", "(enum 35)0");
    eval("roa_check(r6, 2001:db8:1::/48, 65000)", "(enum 35)1");
    eval("roa_check(r6, 10.0.0.0/8, 65000)", "(enum 35)0");
    eval("aspa_check(pa, prepend(prepend(+empty+, 65001), 65002), true)", "(enum 39)1");
    eval("aspa_check(pa, prepend(prepend(+empty+, 65001), 65004), true)", "(enum 39)2");
    eval("aspa_check(pa, prepend(prepend(+empty+, 65004), 65001), true)", "(enum 39)0");
    // A table that goes and comes back is empty in between.
    lab.configure(&config("route 10.0.0.0/8 max 8 as 65001;", ""));
    eval("roa_check(r4, 10.0.0.0/16, 65001)", "(enum 35)2");
    lab.configure(&config("", ""));
    eval("roa_check(r4, 10.0.0.0/16, 65001)", "(enum 35)0");
    lab.down();
}

#[test]
fn routes_are_judged_again_when_origins_change() {
    let rest = "ipv4 table quiet;\n\
        filter known { if roa_check(r4, net, 65000) = ROA_INVALID then reject; accept; }\n\
        protocol static judged { ipv4 { import filter known; }; \
        route 10.1.0.0/16 blackhole; route 10.2.0.0/16 blackhole; route 192.0.2.0/24 blackhole; }\n\
        protocol static still { ipv4 { table quiet; import filter known; rpki reload off; }; \
        route 10.1.0.0/16 blackhole; }";
    let origin = |asn: u32| format!("route 10.0.0.0/8 max 24 as {asn};");
    let all = [
        "10.1.0.0/16 blackhole * (200)",
        "10.2.0.0/16 blackhole * (200)",
        "192.0.2.0/24 blackhole * (200)",
    ];
    let lab = start(&config("", rest));
    expect(&lab, "show route table master4", &all);
    lab.configure(&config(&origin(65001), rest));
    expect(&lab, "show route table master4", &all[2..]);
    // Those stay as they were judged.
    expect(&lab, "show route table quiet", &all[..1]);
    lab.configure(&config(
        "route 10.0.0.0/8 max 24 as 65001; route 10.2.0.0/16 max 16 as 65000;",
        rest,
    ));
    expect(&lab, "show route table master4", &all[1..]);
    lab.configure(&config("", rest));
    expect(&lab, "show route table master4", &all);
    // Asked for, they are judged as others.
    lab.configure(&config(&origin(65001), rest));
    expect(&lab, "show route table master4", &all[2..]);
    assert_eq!(routes(&lab.ask("show route table quiet")), all[..1]);
    lab.ask("reload filters in still");
    expect(&lab, "show route table quiet", &[]);
    lab.configure(&config("", rest));
    expect(&lab, "show route table master4", &all);
    assert_eq!(routes(&lab.ask("show route table quiet")).len(), 0);
    // From now on they too.
    lab.configure(&config("", &rest.replace("reload off", "reload on")));
    lab.configure(&config(&origin(65000), &rest.replace("reload off", "reload on")));
    expect(&lab, "show route table quiet", &all[..1]);
    lab.down();
}

#[test]
fn what_is_judged_again_is_said_if_it_is_traced() {
    let rest = "protocol static judged { debug { routes, filters }; \
                ipv4 { import where roa_check(r4, net, 65000) != ROA_INVALID; }; \
                route 10.1.0.0/16 blackhole; }\n\
                protocol static origins { debug { routes }; roa4; \
                route 192.0.2.0/24 max 24 as 65002; }";
    let lab = start(&config("", rest));
    let said = |begin: &str| {
        let patience = core::time::Duration::from_secs(10);
        let mut lines = core::iter::from_fn(|| lab.log.recv_timeout(patience).ok());
        assert!(lines.any(|line| line.starts_with(begin)), "{begin} was never logged");
    };
    expect(&lab, "show route table r4", &["192.0.2.0/24-24 AS65002 * (200)"]);
    expect(&lab, "show route table master4", &["10.1.0.0/16 blackhole * (200)"]);
    lab.configure(&config("route 10.0.0.0/8 max 24 as 65001;", rest));
    said("judged.ipv4 > removed [best] 10.1.0.0/16 blackhole");
    said("judged.ipv4 > filtered out 10.1.0.0/16 blackhole at ");
    lab.configure(&config("", rest));
    said("judged.ipv4 > added [best] 10.1.0.0/16 blackhole");
    lab.configure(&config("", &rest.replace("as 65002", "as 65003")));
    said("origins.roa4 > added [best] 192.0.2.0/24-24 AS65003 ");
    lab.down();
}

#[test]
fn routes_are_judged_again_when_providers_change() {
    let rest = |customer: u32| {
        format!(
            "protocol static more {{ aspa; route aspa {customer} providers 1; }}\n\
             protocol static judged {{ ipv4 {{ import where \
             aspa_check(pa, prepend(prepend(+empty+, 65010), 65011), true) != ASPA_INVALID; }}; \
             route 10.1.0.0/16 blackhole; }}"
        )
    };
    let lab = start(&config("", &rest(65012)));
    expect(&lab, "show route table master4", &["10.1.0.0/16 blackhole * (200)"]);
    lab.configure(&config("", &rest(65010)));
    expect(&lab, "show route table master4", &[]);
    lab.configure(&config("", &rest(65012)));
    expect(&lab, "show route table master4", &["10.1.0.0/16 blackhole * (200)"]);
    lab.down();
}

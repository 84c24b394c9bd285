use std::{net::IpAddr, sync::Arc};

use dunlin_attr::{Attrs, AttrsBuilder, BgpNextHop, Dest, Hop, NextHop, Origin};
use dunlin_net::as_path::AsPathBuf;

use super::*;
use crate::{
    input::{ResolvedHop, Silent, Validation, Validity},
    parse::tests::parse,
};

/// A route as a peer might have sent it.
fn route() -> Arc<Attrs> {
    let mut builder = AttrsBuilder::new(Rts::Bgp);
    builder.set_preference(100);
    builder.set_origin(Origin::Igp);
    let path: AsPathBuf = "65001 65002 65003".parse().unwrap();
    builder.set_as_path(path.view()).unwrap();
    builder
        .set_communities(
            "(65001,1) (65001,2)".parse::<dunlin_net::community::CommunitiesBuf>().unwrap().view(),
        )
        .unwrap();
    builder
        .set_large_communities(
            "(65001, 1, 2)".parse::<dunlin_net::community::LargeCommunitiesBuf>().unwrap().view(),
        )
        .unwrap();
    builder.set_bgp_next_hop(Some(BgpNextHop { global: ip("192.0.2.1"), link_local: None }));
    builder.set_next_hop(NextHop::Bgp);
    builder.finish()
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// A ROA table and an ASPA table: one origin, and paths of at most two.
#[derive(Debug)]
pub(super) struct Tables;

impl Validation for Tables {
    fn origin(&self, table: &str, prefix: dunlin_net::Prefix, asn: u32) -> Validity {
        assert_eq!(table, "roas4");
        match (prefix.to_string().as_str(), asn) {
            ("10.1.0.0/16", 65003) => Validity::Valid,
            ("10.1.0.0/16", _) => Validity::Invalid,
            _ => Validity::Unknown,
        }
    }

    fn path(&self, table: &str, path: dunlin_net::as_path::AsPath<'_>, upstream: bool) -> Validity {
        assert_eq!(table, "aspas");
        if upstream && path.hops() > 2 { Validity::Invalid } else { Validity::Valid }
    }
}

struct Run {
    verdict: Verdict,
    printed: Vec<String>,
}

/// Runs the last channel filter of a configuration over the route.
fn run_text(text: &str, scratch: &mut Scratch) -> Run {
    let (outcome, mut filters) = parse(text);
    let errors: Vec<String> = outcome.diagnostics.errors().map(ToString::to_string).collect();
    assert!(errors.is_empty(), "{text}: {errors:?}");
    let filter = filters.pop().unwrap();
    let attrs = route();
    let input = RouteInput {
        net: "10.1.0.0/16".parse::<dunlin_net::Prefix>().unwrap().into(),
        attrs: &attrs,
        protocol: "peer1",
        from: Some(ip("192.0.2.9")),
        hop: ResolvedHop {
            gateway: Some(ip("192.0.2.1")),
            igp_metric: Some(7),
            ..Default::default()
        },
        interfaces: None,
        validation: Some(&Tables),
    };
    let mut printed: Vec<String> = Vec::new();
    let verdict = apply(&filter, scratch, &input, &mut printed);
    // Who watches sees what happens to others.
    let explanation = explain(&filter, scratch, &input);
    assert_eq!(kind(&explanation.verdict), kind(&verdict), "{text}");
    if explanation.left_off == 0 && printed.iter().all(|line| line.len() < 200) {
        let told = explanation.steps.iter().filter(|step| step.what == What::Print);
        assert!(told.filter_map(|step| step.value.clone()).eq(printed.iter().cloned()), "{text}");
    }
    Run { verdict, printed }
}

/// A verdict as text. What is bounded in a run may be another bound in code as it was written.
fn kind(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Error(_) => "error".to_owned(),
        other => format!("{other:?}"),
    }
}

fn run_filter(body: &str) -> Run {
    run_text(&format!("import filter {{ {body} }};"), &mut Scratch::default())
}

/// What the filter prints for an expression.
fn shown(expression: &str) -> String {
    run_filter(&format!("print {expression}; accept;")).printed.concat()
}

fn changed(body: &str) -> Arc<Attrs> {
    match run_filter(&format!("{body} accept;")).verdict {
        Verdict::Accept(Some(attrs)) => attrs,
        other => panic!("{body}: {other:?}"),
    }
}

fn error(body: &str) -> String {
    match run_filter(body).verdict {
        Verdict::Error(error) => error.to_string(),
        other => panic!("{body}: {other:?}"),
    }
}

#[test]
fn attributes_read_as_the_route_has_them() {
    for (expression, expected) in [
        ("net", "10.1.0.0/16"),
        ("proto", "peer1"),
        ("from", "192.0.2.9"),
        ("gw", "192.0.2.1"),
        ("igp_metric", "7"),
        ("source = RTS_BGP", "TRUE"),
        ("dest = RTD_UNICAST", "TRUE"),
        ("preference", "100"),
        ("bgp_path", "(path 65001 65002 65003)"),
        ("bgp_path.last", "65003"),
        ("bgp_path ~ [= * 65002 * =]", "TRUE"),
        ("bgp_origin = ORIGIN_IGP", "TRUE"),
        ("bgp_next_hop", "192.0.2.1"),
        ("bgp_community", "(clist (65001,1) (65001,2))"),
        ("bgp_ext_community", "(eclist )"),
        ("bgp_large_community", "(lclist (65001, 1, 2))"),
        ("bgp_med", "(void)"),
        ("defined(bgp_med)", "FALSE"),
        ("defined(bgp_ext_community)", "FALSE"),
        ("(65001,2) ~ bgp_community", "TRUE"),
        ("bgp_large_community ~ [(65001, *, *)]", "TRUE"),
        ("net ~ [10.0.0.0/8{16,24}]", "TRUE"),
        ("weight", "1"),
        ("ifname", "(void)"),
    ] {
        assert_eq!(shown(expression), expected, "{expression}");
    }
}

#[test]
fn sets_of_addresses_become_sets_of_quads() {
    let text = |body: &str| {
        format!(
            "define IDS = [1.2.3.4, 10.0.0.1 .. 10.0.0.9];
             function mine(quad set ids) -> bool {{ return bgp_originator_id ~ ids; }}
             function ids() -> quad set {{ return [1.2.3.4]; }}
             function near(quad set ids) -> bool {{ return 10.0.0.5 ~ ids; }}
             import filter {{ bgp_originator_id = 10.0.0.7; {body} accept; }};"
        )
    };
    for (body, shown) in [
        ("quad set x = IDS; print mine(x);", "TRUE"),
        ("quad set x; x = [1.2.3.4]; print mine(x);", "FALSE"),
        ("print mine(IDS), mine(ids()), near(IDS), near(ids());", "TRUEFALSETRUEFALSE"),
        ("quad set x = []; print mine(x);", "FALSE"),
        ("quad set x = IDS; print x;", "[1.2.3.4, 10.0.0.1..10.0.0.9]"),
    ] {
        let run = run_text(&text(body), &mut Scratch::default());
        assert_eq!(run.printed, [shown], "{body}");
    }
    let (outcome, _) = parse(&text("quad set x = [2001:db8::1];"));
    let errors: Vec<String> = outcome.diagnostics.errors().map(ToString::to_string).collect();
    assert!(errors[0].ends_with("must be of type quad set, got type ip set"), "{errors:?}");
}

#[test]
fn changes_make_a_new_set_and_no_change_makes_none() {
    assert!(matches!(run_filter("accept;").verdict, Verdict::Accept(None)));
    assert!(matches!(run_filter("preference = 100; accept;").verdict, Verdict::Accept(None)));
    assert!(matches!(run_filter("bgp_med = 1; reject;").verdict, Verdict::Reject));
    let attrs = changed("bgp_med = 5; bgp_local_pref = 200; preference = 90;");
    assert_eq!((attrs.med(), attrs.local_pref(), attrs.preference()), (Some(5), Some(200), 90));
    let attrs = changed("bgp_path.prepend(1); bgp_path.prepend(2);");
    assert_eq!(attrs.bgp_view().as_path().to_string(), "2 1 65001 65002 65003");
    let attrs = changed("bgp_community.add((1,1)); bgp_community.delete([(65001,1)]);");
    assert_eq!(attrs.bgp_view().communities().to_string(), "(65001,2) (1,1)");
    let attrs = changed("unset(bgp_community); bgp_ext_community.add((rt, 1, 2));");
    assert_eq!(attrs.bgp_view().communities().len(), 0);
    assert_eq!(attrs.bgp_view().ext_communities().to_string(), "(rt, 1, 2)");
    let attrs = changed("krt_prefsrc = 1.2.3.4; krt_lock_mtu = true; bgp_origin = ORIGIN_EGP;");
    assert_eq!(attrs.extra().len(), 2);
    assert_eq!(attrs.origin(), Some(Origin::Egp));
    let attrs = changed("dest = RTD_BLACKHOLE;");
    assert_eq!((attrs.dest(), attrs.next_hop()), (Dest::Blackhole, &NextHop::None));
    let attrs = changed("gw = 192.0.2.77;");
    assert_eq!(attrs.next_hop(), &NextHop::hop(Hop::via(ip("192.0.2.77"))));
    let attrs = changed("bgp_next_hop = 2001:db8::1; bgp_originator_id = 1.2.3.4;");
    assert_eq!(attrs.bgp_view().next_hop_global(), Some(ip("2001:db8::1")));
    assert_eq!(attrs.bgp_view().originator_id(), Some(0x0102_0304));
}

#[test]
fn what_was_changed_reads_changed() {
    let run = run_filter(
        "bgp_med = 5; bgp_med = bgp_med + 1; print bgp_med; unset(bgp_med); print defined(bgp_med); \
         krt_lock_mtu = true; print krt_lock_mtu; accept;",
    );
    assert_eq!(run.printed, ["6", "FALSE", "TRUE"]);
}

/// Each type that a variable can have, with a value and how it is printed.
#[test]
fn attributes_of_all_types_hold_what_is_put_into_them() {
    for (kind, value, printed) in [
        ("bool", "true", "TRUE"),
        ("int", "7", "7"),
        ("pair", "(1, 2)", "(1,2)"),
        ("quad", "1.2.3.4", "1.2.3.4"),
        ("ip", "2001:db8::1", "2001:db8::1"),
        ("prefix", "10.0.0.0/8", "10.0.0.0/8"),
        ("prefix", "10.0.0.0/8 max 24 as 65001", "10.0.0.0/8-24 AS65001"),
        ("rd", "65000:1", "65000:1"),
        ("mac", "02:00:00:00:00:01", "02:00:00:00:00:01"),
        ("ec", "(rt, 1, 2)", "(rt, 1, 2)"),
        ("lc", "(1, 2, 3)", "(1, 2, 3)"),
        ("enum rts", "RTS_BGP", "(enum 30)0xb"),
        ("string", "\"text\"", "text"),
        ("bytestring", "hex:01:02", "01:02"),
        ("bgpmask", "[= 1 * =]", "[= 1 * =]"),
        ("bgppath", "bgp_path", "(path 65001 65002 65003)"),
        ("clist", "bgp_community", "(clist (65001,1) (65001,2))"),
        ("eclist", "add(--empty--, (rt, 1, 2))", "(eclist (rt, 1, 2))"),
        ("lclist", "bgp_large_community", "(lclist (65001, 1, 2))"),
        ("int set", "[1, 3..5]", "[1, 3..5]"),
        ("quad set", "[1.2.3.4]", "[1.2.3.4]"),
        ("prefix set", "[10.0.0.0/8+]", "[10.0.0.0/8{1.255.255.255}]"),
        ("lc set", "[(1, 2, *)]", "[(1, 2, 0)..(1, 2, 4294967295)]"),
        ("int set", "[]", "[]"),
    ] {
        let text = format!(
            "attribute {kind} mine; import filter {{ print defined(mine); mine = {value}; \
             print mine; {kind} copy = mine; print copy = mine; accept; }};"
        );
        let run = run_text(&text, &mut Scratch::default());
        let shown = if kind == "enum rts" { run.printed[1].clone() } else { printed.to_owned() };
        assert_eq!(run.printed, ["FALSE".to_owned(), shown, "TRUE".to_owned()], "{text}");
        let Verdict::Accept(Some(made)) = run.verdict else { panic!("{text}: {:?}", run.verdict) };
        // What was put there is read in the next run, and is one value however it was made.
        let again = made.extra_value(&dunlin_attr::AttrId::Custom("mine".into())).unwrap();
        let second = run_text(&text, &mut Scratch::default());
        let Verdict::Accept(Some(second)) = second.verdict else { panic!("{text}") };
        assert_eq!(*second, *made, "{text}");
        assert_eq!(extra::write(extra::read(again)).as_ref(), Some(again), "{text}");
    }
}

#[test]
fn statements_do_what_they_say() {
    for (body, expected) in [
        ("int i = 1; if i = 1 then print \"a\"; else print \"b\";", "a"),
        ("int i; if i = 1 then print 1; else if i = 2 then print 2; else print 3;", "3"),
        (
            "for int a in bgp_path do { int x; if !defined(x) then printn a, \" \"; x = 1; }",
            "65001 65002 65003 ",
        ),
        ("for pair p in bgp_community do { if p.data = 1 then printn p; }", "(65001,1)"),
        ("case 5 { 1..4: print 1; 5, 7: print 2; print 3; else: print 4; }", "23"),
        ("case 9 { 1..4: print 1; else: print 4; print 5; }", "45"),
        ("case (1,2) { (1,*): print 1; }", "1"),
        ("case source { RTS_BGP: print 1; RTS_STATIC: print 2; }", "1"),
        ("case 9 { 1: print 1; }", ""),
        ("int x = 65002; print bgp_path ~ [= * x * =], bgp_path ~ [= x * =];", "TRUEFALSE"),
        (
            "int v = 2; bgp_large_community.delete([(65001, 1, v)]); print bgp_large_community;",
            "(lclist )",
        ),
        ("{ int i = 1; { int i = 2; printn i; } printn i; }", "21"),
        ("bgppath p; p = p.prepend(3); print p, p.len;", "(path 3)1"),
    ] {
        let run = run_filter(&format!("{body} accept;"));
        assert!(matches!(run.verdict, Verdict::Accept(_)), "{body}: {:?}", run.verdict);
        assert_eq!(run.printed.concat(), expected, "{body}");
    }
}

#[test]
fn functions_return_recurse_and_decide() {
    let text = "function fact(int n) -> int { if n = 0 then return 1; return n * fact(n - 1); }
        function check(prefix set s) -> bool { if net ~ s then return true; return false; }
        function refuse() { if bgp_path.len > 2 then reject \"too long: \", bgp_path.len; }
        import filter { print fact(5), \" \", check([10.0.0.0/8+]); refuse(); accept; };";
    let run = run_text(text, &mut Scratch::default());
    assert!(matches!(run.verdict, Verdict::Reject));
    assert_eq!(run.printed, ["120 TRUE", "too long: 3"]);
}

#[test]
fn failures_reject_and_name_their_line() {
    for (body, expected) in [
        ("\nint i = 0;\ni = 1 / i; accept;", "filters, line 3: Mother told me not to divide by 0"),
        (
            "if bgp_med > 5 then accept;",
            "filters, line 1: Can't compare values of incompatible types",
        ),
        (
            "int i = bgp_med; accept;",
            "filters, line 1: Argument 1 of VAR_SET must be of type int, got type void",
        ),
        (
            "dest = RTD_UNICAST;",
            "filters, line 1: Destination can be changed only to blackhole, unreachable or prohibit",
        ),
        ("preference = 70000;", "filters, line 1: Setting preference value out of bounds"),
        (
            "int n = 70000; bgp_community.add((n, 1));",
            "filters, line 1: Can't operate with value out of bounds in pair constructor",
        ),
        ("if net.len = 16 then print net.maxlen;", "filters, line 1: ROA expected"),
        ("bgp_med = 1;", "Filter (unnamed) did not return accept nor reject. Make up your mind"),
        ("bt_assert(1 = 2); accept;", "filters, line 1: Assertion failed: 1 = 2: it is 1 and 2"),
    ] {
        assert_eq!(error(body), expected, "{body}");
    }
}

#[test]
fn endless_recursion_ends() {
    let text = "function f(int n) -> int { return f(n + 1); } import where f(1) = 2;";
    match run_text(text, &mut Scratch::default()).verdict {
        Verdict::Error(error) => assert!(error.message.contains("stack overflow")),
        other => panic!("{other:?}"),
    }
}

#[test]
fn scratch_does_not_grow_with_runs() {
    let mut scratch = Scratch::default();
    let text = "import filter { bgp_path.prepend(1); bgp_community.add((1,1)); accept; };";
    run_text(text, &mut scratch);
    let memory = scratch.memory();
    for _ in 0..100 {
        run_text(text, &mut scratch);
    }
    assert_eq!(scratch.memory(), memory);
}

#[test]
fn unknown_types_are_checked_when_they_are_known() {
    let text = "function f(int n) { if n = 1 then accept; } import where f(2);";
    match run_text(text, &mut Scratch::default()).verdict {
        Verdict::Error(error) => {
            assert_eq!(
                error.message,
                "Argument 1 of CONDITION must be of type bool, got type void"
            );
        }
        other => panic!("{other:?}"),
    }
    let mut silent = Silent;
    silent.line("nothing");
}

#[test]
fn checks_ask_the_tables() {
    for (text, expected) in [
        ("roa_check(roas4)", "(enum 35)1"),
        ("roa_check(roas4, net, 5)", "(enum 35)2"),
        ("roa_check(roas4, 11.0.0.0/8, 5)", "(enum 35)0"),
        ("roa_check(roas4, ::/0, 5)", "(enum 35)0"),
        ("roa_check(roas6)", "(enum 35)0"),
        ("roa_check(roas4, (10.1.0.0/16 max 24 as 1), 5)", "(enum 35)2"),
        ("aspa_check_upstream(aspas)", "(enum 39)2"),
        ("aspa_check_downstream(aspas)", "(enum 39)1"),
        ("aspa_check(aspas, prepend(+empty+, 1), true)", "(enum 39)1"),
        ("aspa_check(aspas, +empty+, false)", "(enum 39)2"),
    ] {
        assert_eq!(shown(text), expected, "{text}");
    }
    let wrong = error("if roa_check(plain) = ROA_VALID then accept; reject;");
    assert_eq!(wrong, "filters, line 1: Table type must be either ROA4 or ROA6");
}

#[test]
fn without_tables_a_check_fails_and_rejects() {
    let (_, mut filters) = parse("import where roa_check(roas4) != ROA_INVALID;");
    let attrs = route();
    let input = RouteInput::new("10.1.0.0/16".parse().unwrap(), &attrs, "peer1");
    let verdict = apply(&filters.remove(0), &mut Scratch::default(), &input, &mut Silent);
    let Verdict::Error(error) = verdict else { panic!("{verdict:?}") };
    assert_eq!(error.message, "Table roas4 holds nothing to check by");
}

/// What a run of a filter looked at, and its verdict, for the route of all tests.
fn looked(body: &str) -> (bool, String) {
    let mut scratch = Scratch::default();
    let run = run_text(&format!("import filter {{ {body} }};"), &mut scratch);
    (scratch.seen().is_lasting(), format!("{:?}", run.verdict))
}

#[test]
fn a_verdict_lasts_if_the_run_looked_at_nothing_but_the_attributes() {
    for (lasting, body) in [
        (true, "if bgp_path.len > 2 then reject; if net ~ [10.0.0.0/8+] then accept; reject;"),
        (true, "if proto = \"peer1\" then reject; accept;"),
        (true, "bgp_med = 1; bgp_community.add((1, 2)); accept;"),
        (true, "if bgp_path.len < 2 && net.len = 3 then print net; reject;"),
        (false, "if bgp_path.len > 5 then reject; if net ~ [10.0.0.0/8+] then accept; reject;"),
        (false, "if net.len > 24 then reject; accept;"),
        (false, "if net.type = NET_IP4 then accept; reject;"),
        (false, "prefix p = net; accept;"),
        (false, "if gw = 192.0.2.1 then accept; reject;"),
        (false, "if dest = RTD_UNICAST then accept; reject;"),
        (false, "if igp_metric > 5 then accept; reject;"),
        (false, "dest = RTD_BLACKHOLE; accept;"),
        (false, "if aspa_check(aspas, bgp_path, true) = ASPA_INVALID then reject; accept;"),
        (false, "accept \"with a word\";"),
        (false, "bgp_med = 1 / bgp_med; accept;"),
        (false, "int a = 1;"),
    ] {
        let (found, verdict) = looked(body);
        assert_eq!(found, lasting, "{body}: {verdict}");
    }
    let mut scratch = Scratch::default();
    run_text("import filter { if net.len = 8 then reject; accept; };", &mut scratch);
    assert!(!scratch.seen().is_lasting());
    scratch.look_away();
    assert!(scratch.seen().is_lasting());
}

#[test]
fn a_run_says_that_it_set_med_or_next_hop_even_to_what_is_there() {
    let function = "function f(int n) { bgp_med = n; if n = 1 then bgp_next_hop = bgp_next_hop; }";
    for (expected, body) in [
        ((false, false), "accept;"),
        ((false, false), "bgp_local_pref = 5; bgp_community.add((1, 2)); accept;"),
        ((true, false), "bgp_med = 5; bgp_med = bgp_med; accept;"),
        ((true, false), "int n = 5; case bgp_path.len { 99: reject; else: bgp_med = n; } accept;"),
        ((true, false), "f(3); accept;"),
        ((true, true), "f(1); accept;"),
        ((false, true), "bgp_next_hop = 10.0.0.9; accept;"),
        ((false, false), "f(1); unset(bgp_med); unset(bgp_next_hop); accept;"),
        ((true, false), "unset(bgp_med); bgp_med = 5; accept;"),
        ((false, false), "if bgp_path.len > 99 then bgp_med = 5; accept;"),
        ((false, false), "f(1); reject;"),
    ] {
        let text = format!("{function} import filter {{ {body} }};");
        // The second run is counted, so it is that of the code as it was written.
        let mut scratch = Scratch::default();
        for counts in [false, true] {
            scratch.count(counts);
            let run = run_text(&text, &mut scratch);
            let seen = scratch.seen();
            assert_eq!((seen.sets_med(), seen.sets_next_hop()), expected, "{body}");
            assert!(seen.is_lasting(), "{body}: {:?}", run.verdict);
        }
    }
}

#[test]
fn runaway_functions_end() {
    // Two calls in each make 2^n, however shallow; each takes room for its variables.
    let text = "function f(int n) -> int { if n = 0 then return 0; return f(n - 1) + f(n - 1); }
        import filter { if f(60) = 0 then accept; reject; };";
    let Verdict::Error(found) = run_text(text, &mut Scratch::default()).verdict else { panic!() };
    assert_eq!(found.to_string(), "filters, line 1: Too much memory in one run");
    let text = "function f(int n) -> int { return f(n + 1); }
        import filter { if f(0) = 0 then accept; reject; };";
    let Verdict::Error(found) = run_text(text, &mut Scratch::default()).verdict else { panic!() };
    assert_eq!(found.to_string(), "filters, line 1: Filters execution stack overflow");
}

#[test]
fn loops_in_loops_end() {
    let loops = "for int a@ in bgp_path do ";
    let all: String = (0..16).map(|n| loops.replace('@', &n.to_string())).collect();
    let found = error(&format!("{all} bgp_med = 1; accept;"));
    assert_eq!(found, "filters, line 1: Too many calls and loops in one run");
}

#[test]
fn values_do_not_grow_without_bound() {
    let grow = "s = s ++ s; ".repeat(40);
    let found = error(&format!("string s = proto; {grow} accept;"));
    assert_eq!(found, "filters, line 1: Too much memory in one run");
    let loops: String = (0..12).map(|n| format!("for int a{n} in bgp_path do ")).collect();
    let found = error(&format!("{loops} bgp_path.prepend(1); accept;"));
    assert_eq!(found, "filters, line 1: Too much memory in one run");
    let mut scratch = Scratch::default();
    run_text(&format!("import filter {{ string s = proto; {grow} accept; }};"), &mut scratch);
    assert!(scratch.memory() <= 512 << 10, "{} bytes kept", scratch.memory());
}

#[test]
fn a_long_line_is_printed_in_pieces() {
    let loops: String = (0..10).map(|n| format!("for int a{n} in bgp_path do ")).collect();
    let run = run_filter(&format!("{loops} printn bgp_path; accept;"));
    assert!(matches!(run.verdict, Verdict::Accept(None)), "{:?}", run.verdict);
    assert!(run.printed.len() > 1 && run.printed.iter().all(|line| line.len() < 80_000));
}

#[test]
fn what_was_changed_is_read_as_it_is_now_and_the_rest_as_it_came() {
    let mine = |then: &str, expression: &str| {
        run_filter(&format!("{then} print {expression}; accept;")).printed.concat()
    };
    let path = "bgp_path.prepend(7);";
    let list = "bgp_community.add((1,1));";
    for (then, expression, expected) in [
        (list, "bgp_path.first = 65001 && bgp_path.len = 3 && source = RTS_BGP", "TRUE"),
        (path, "bgp_path.first = 7 && bgp_path.len = 4 && 7 ~ bgp_path", "TRUE"),
        (list, "(1,1) ~ bgp_community && (65001,1) ~ bgp_community", "TRUE"),
        (list, "(65001,1,2) ~ bgp_large_community && !((1,1,1) ~ bgp_large_community)", "TRUE"),
        ("bgp_community.delete([(65001,*)]);", "(65001,1) ~ bgp_community", "FALSE"),
        ("bgp_large_community.empty;", "(65001,1,2) ~ bgp_large_community", "FALSE"),
        ("bgp_ext_community.add((rt,1,2));", "(rt,1,2) ~ bgp_ext_community", "TRUE"),
        ("bgp_med = 5; preference = 9;", "bgp_med = 5 && preference = 9", "TRUE"),
        ("source = RTS_STATIC;", "source = RTS_BGP", "FALSE"),
        ("bgp_origin = ORIGIN_EGP;", "bgp_origin = ORIGIN_EGP && net.type = NET_IP4", "TRUE"),
        (list, "bgp_origin = ORIGIN_EGP || net.type = NET_IP6", "FALSE"),
        // Two changes of one attribute; numbers that share a bit.
        (
            "bgp_community.delete([(9,9)]); bgp_community.add((9,9));",
            "(9,9) ~ bgp_community",
            "TRUE",
        ),
        (
            "bgp_community.add((9,9)); bgp_community.delete([(9,9)]);",
            "(9,9) ~ bgp_community",
            "FALSE",
        ),
    ] {
        assert_eq!(mine(then, expression), expected, "{then} {expression}");
    }
}

#[test]
fn lists_that_nothing_is_deleted_from_make_no_other_route() {
    for body in [
        "bgp_community.delete([(9,*)]); bgp_large_community.delete([(9,9,9)]); accept;",
        "bgp_ext_community.delete([(rt,9,9)]); bgp_community.add((65001,2)); accept;",
        "bgp_community = bgp_community; accept;",
    ] {
        assert!(matches!(run_filter(body).verdict, Verdict::Accept(None)), "{body}");
    }
}

#[test]
fn what_nobody_wants_to_see_is_evaluated_and_fails_as_if_it_were() {
    let (outcome, mut filters) = parse(
        "import filter { print \"seen \", net; if bgp_path.len < 2 then reject \"never\"; accept; };
         import filter { print 1 / (bgp_path.len - 3); accept; };",
    );
    assert!(!outcome.diagnostics.errors().any(|_| true));
    let attrs = route();
    let input = RouteInput::new("10.1.0.0/16".parse().unwrap(), &attrs, "peer1");
    let fails = filters.pop().unwrap();
    let prints = filters.pop().unwrap();
    for filter in [fails, prints] {
        let mut lines: Vec<String> = Vec::new();
        let (mut heard, mut silent) = (Scratch::default(), Scratch::default());
        let one = apply(&filter, &mut heard, &input, &mut lines);
        let other = apply(&filter, &mut silent, &input, &mut Silent);
        assert_eq!(kind(&one), kind(&other));
        assert_eq!(heard.seen(), silent.seen());
        assert!(silent.seen().has(Seen::NET.and(Seen::FAILED)));
    }
}

use std::{cell::Cell, sync::Arc};

use dunlin_attr::Attrs;
use proptest::prelude::*;

use crate::{
    ChannelFilter, Program, RouteInput, Scratch, Verdict, apply,
    code::Node,
    parse::tests::parse,
    random::{Maker, routes},
};

thread_local! {
    static OFF: Cell<bool> = const { Cell::new(false) };
}

pub(crate) fn is_off() -> bool {
    OFF.get()
}

pub(crate) fn program(text: &str) -> Option<Arc<Program>> {
    let (outcome, mut filters) = parse(text);
    if outcome.diagnostics.has_errors() {
        return None;
    }
    match filters.pop()? {
        ChannelFilter::Program(program) => Some(program),
        _ => None,
    }
}

fn unfolded(text: &str) -> Option<Arc<Program>> {
    OFF.set(true);
    let program = program(text);
    OFF.set(false);
    program
}

fn filter(definitions: &str, body: &str) -> Arc<Program> {
    let text = format!("{definitions} import filter {{ {body} }};");
    program(&text).unwrap_or_else(|| panic!("wrong: {text}"))
}

fn calls(program: &Program) -> usize {
    program.code.nodes.iter().filter(|node| matches!(node, Node::Call(..))).count()
}

const LIBRARY: &str = "
define DEBUG = false; define LIMIT = 24; define OWN = 65001;
function long(int most) -> bool { if bgp_path.len > most then return true; return false; }
function small() -> bool { if net.len < LIMIT then return false; else if net.len = 32 then return false; return true; }
function note(string text) { if DEBUG then print text, net; }
function tag(int number; bool wanted) { if wanted then bgp_community.add((OWN, number)); }
function twice(int n) -> int { return n + n; }
function sort(int kind; int n) -> int {
  int result = 0; int asn;
  case kind { 1: for asn in bgp_path do { if asn = n then result = result + 1; }
    2: for asn in bgp_path do { if asn > n then result = result + 2; }
    else: for asn in bgp_path do { if asn < n then result = result + 3; } }
  return result; }
function deep(int n) -> int { if n = 0 then return 0; return deep(n - 1); }
";

fn library() -> String {
    LIBRARY.replace("int asn;\n", "\n").replace("for asn in", "for int asn in")
}

#[test]
fn programs_that_come_to_the_same_are_one() {
    for (one, other) in [
        ("accept;", "if true then accept; reject;"),
        ("accept;", "{ { accept; } } reject;"),
        ("accept;", "int a = 1; if a = 1 then accept; reject;"),
        ("accept;", "int a = 5; accept;"),
        ("reject;", "case 5 { 1..4: accept; 5: reject; else: accept; }"),
        (
            "if net.len > 24 then reject; accept;",
            "int most = LIMIT; if net.len > most then { reject; } else { } accept;",
        ),
        ("if bgp_path.len > 5 then reject; accept;", "if long(2 + 3) then reject; accept;"),
        (
            "if bgp_path.len > 5 then reject; accept;",
            "int a = 2; if long(a + 3) then reject; note(\"x\"); accept;",
        ),
        (
            "if !(net.len < 24) && !(net.len = 32) then accept; reject;",
            "if small() then accept; reject;",
        ),
        ("bgp_community.add((65001, 7)); accept;", "tag(7, true); tag(8, false); accept;"),
        ("bgp_med = 8; accept;", "bgp_med = twice(twice(2)); accept;"),
        (
            "if bgp_med = 1 && bgp_local_pref = 2 then accept; reject;",
            "if true && bgp_med = 1 && !DEBUG && bgp_local_pref = 2 || DEBUG then accept; reject;",
        ),
        (
            "if bgp_path ~ [= * 5 =] then accept; reject;",
            "int a = 5; if bgp_path ~ [= * a =] then accept; reject;",
        ),
        (
            "if (1, 2) ~ bgp_community then accept; reject;",
            "int a = 2; if (a - 1, a) ~ bgp_community then accept; reject;",
        ),
        (
            "if bgp_community ~ [(5, 6)] then accept; reject;",
            "int a = 5; int b = a + 1; if bgp_community ~ [(a, b)] then accept; reject;",
        ),
        ("reject;", "for int asn in +empty+ do accept; reject;"),
        (
            "int a = bgp_med; int b = bgp_local_pref; if a > b then accept; reject;",
            "int never = 1; int a = bgp_med; string s = \"t\"; int b = bgp_local_pref; if a > b then accept; reject; accept;",
        ),
    ] {
        let (first, second) = (filter(&library(), one), filter(&library(), other));
        assert_eq!(first, second, "{one} and {other}");
        assert_eq!(first.fingerprint(), second.fingerprint());
    }
}

#[test]
fn what_can_be_told_apart_stays_apart() {
    for (one, other) in [
        ("accept;", "reject;"),
        ("if bgp_med = 1 then accept; reject;", "if bgp_med = 2 then accept; reject;"),
        ("print \"x\"; accept;", "accept;"),
        // It fails where there is no MED.
        ("accept;", "int a = bgp_med; accept;"),
        ("accept;", "int a = 1 / bgp_med; accept;"),
        (
            "if bgp_med = 1 && false then accept; reject;",
            "if 1 / bgp_med = 1 && false then accept; reject;",
        ),
        ("tag(bgp_med, true); accept;", "tag(5, true); accept;"),
    ] {
        assert_ne!(filter(&library(), one), filter(&library(), other), "{one} {other}");
    }
}

#[test]
fn deletions_in_a_row_are_one_for_each_list() {
    for (one, other) in [
        (
            "bgp_community.delete([(1, 2), (3, 4..5)]); bgp_large_community.delete([(1, 2, 3), (4, *, *)]); \
             bgp_ext_community.delete([(rt, 1, 2), (ro, 3, *)]); accept;",
            "bgp_community.delete([(1, 2)]); bgp_large_community.delete([(1, 2, 3)]); \
             bgp_ext_community.delete([(rt, 1, 2)]); bgp_community.delete([(3, 4..5)]); \
             { bgp_large_community.delete([(4, *, *)]); } bgp_ext_community.delete([(ro, 3, *)]); accept;",
        ),
        (
            "bgp_community.delete([(*, 7), (1..2, 5..6), (8, 9)]); accept;",
            "bgp_community.delete([(*, 7), (1, 5..6)]); bgp_community.delete((8, 9)); bgp_community.delete([(2, 5..6), (*, 7)]); accept;",
        ),
        (
            "bgp_large_community.delete([(1, 2, 3), (1, 2, 4)]); accept;",
            "bgp_large_community.delete((1, 2, 3)); bgp_large_community.delete((1, 2, 4)); accept;",
        ),
    ] {
        assert_eq!(filter("", one), filter("", other), "{one} and {other}");
    }
}

#[test]
fn values_that_nobody_reads_are_not_set() {
    for (one, other) in [
        ("accept;", "int a; int b; a = 1; b = 2; if a = 1 then accept; if b = 2 then reject;"),
        ("accept;", "int set s; s = [1, 2]; if 1 ~ s then accept; reject;"),
        ("accept;", "if old() then accept; reject;"),
        ("accept;", "int a; int b; { a = 2; { b = 2; } } if a = b then accept; reject;"),
        ("bgp_med = 3; accept;", "int a = 1; int b = 2; a = 3; print_not(b); bgp_med = a; accept;"),
        (
            "bool b = net.len > 3; if b then bgp_med = 1; if b then bgp_local_pref = 1; accept;",
            "bool b; b = false; b = net.len > 3; if b then bgp_med = 1; if b then bgp_local_pref = 1; accept;",
        ),
        (
            "for int n in bgp_path do if n = 5 then reject; accept;",
            "for int n in bgp_path do { int m; m = 5; if n = m then reject; } accept;",
        ),
    ] {
        let functions = "function print_not(int n) { if false then print n; }
            function old() -> bool int set s; int n; { s = [1, 2]; n = 1; return n ~ s; }";
        assert_eq!(filter(functions, one), filter(functions, other), "{one} and {other}");
    }
    for (body, sets) in [
        // It is read, or may be.
        ("int a = 1; int b = a + bgp_med; a = b; a = a + 1; if a = b then accept; reject;", 4),
        ("int a; if net.len = 1 then a = 2; if a = 2 then accept; reject;", 2),
        ("int a = 1; for int n in bgp_path do a = n; a = 2; if a = 2 then accept; reject;", 3),
        ("int a = 1; if net.len = 1 then a = 2; a = 3; if a = bgp_med then accept; reject;", 3),
        ("int a = 1; { if net.len = 1 then a = 2; } a = 3; if a = bgp_med then accept; reject;", 3),
        ("int a = 1; { print a; a = 2; } if a = bgp_med then accept; reject;", 2),
        // It may fail, or do something.
        ("int a = bgp_med; a = 2; if a = 2 then accept; reject;", 2),
        ("int a = f(bgp_med); a = 2; if a = 2 then accept; reject;", 2),
    ] {
        let program = filter("function f(int n) -> int { print n; return 1; }", body);
        let stores = |node: &&Node| matches!(node, Node::SetVariable(..));
        let found = program.code.nodes.iter().filter(stores).count();
        assert_eq!(found, sets, "{body} {:#?}", program.code.nodes);
    }
}

fn changes(program: &Program) -> usize {
    program.code.nodes.iter().filter(|node| matches!(node, Node::SetAttribute(..))).count()
}

#[test]
fn what_looks_at_a_list_or_may_fail_is_between_deletions() {
    for body in [
        "bgp_community.delete([(1, 2)]); bgp_community.add((3, 4)); bgp_community.delete([(5, 6)]); ",
        "bgp_community.delete([(1, 2)]); bgp_med = 1; bgp_community.delete([(5, 6)]); ",
        "bgp_community.delete([(1, 2)]); bgp_community.delete([]); bgp_community.delete([(5, 6)]); ",
        "bgp_community.delete([(1, 2)]); bgp_community = bgp_community.filter([(3, *)]); \
         bgp_community.delete([(5, 6)]); ",
        "bgp_path.delete([1]); bgp_path.delete([2]); bgp_path.delete([3]); ",
        "bgp_cluster_list.delete([1.1.1.1]); bgp_cluster_list.delete([2.2.2.2]); bgp_community.delete([(1, 2)]); ",
        // Of another sort.
        "bgp_community.delete([(1, 2)]); bgp_community.delete([1.2.3.4]); bgp_community.delete([(5, 6)]); ",
        // What the run computes.
        "bgp_community.delete([(1, 2)]); bgp_community.delete([(bgp_med, 2)]); bgp_community.delete([(5, 6)]); ",
    ] {
        let program = filter("", &format!("{body} accept;"));
        assert_eq!(changes(&program), 3, "{body} {:#?}", program.code.nodes);
    }
    let program = filter(
        "",
        "bgp_community.delete([(1, 2)]); if bgp_community.len > 1 then reject; bgp_community.delete([(3, 4)]); accept;",
    );
    assert_eq!(changes(&program), 2);
}

#[test]
fn tests_of_tests_and_tests_that_end_alike_are_one() {
    for (one, other) in [
        (
            "if bgp_med = 1 && bgp_local_pref = 2 then reject; accept;",
            "if bgp_med = 1 then { if bgp_local_pref = 2 then reject; } accept;",
        ),
        (
            "if bgp_med = 1 && (bgp_local_pref = 2 || net.len = 3) then { print 1; reject; } accept;",
            "if bgp_med = 1 then if bgp_local_pref = 2 || net.len = 3 then { print 1; reject; } accept;",
        ),
        (
            "if bgp_med = 1 || bgp_med = 2 || bgp_med = 3 then reject; accept;",
            "if bgp_med = 1 then reject; if bgp_med = 2 then { reject; } if bgp_med = 3 then reject; accept;",
        ),
        (
            "if (bgp_med = 1 && (net.len = 2 || net.len = 3)) || (bgp_med = 4 && net.len = 5) then accept; reject;",
            "if both() then accept; reject;",
        ),
    ] {
        let both = "function both() -> bool { if bgp_med = 1 then { if net.len = 2 then return true; \
                    if net.len = 3 then return true; } if bgp_med = 4 then if net.len = 5 then return true; \
                    return false; }";
        assert_eq!(filter(both, one), filter(both, other), "{one} and {other}");
    }
    let ifs = |body: &str| {
        let program = filter("function f() -> bool { bgp_med = 5; return true; }", body);
        program.code.nodes.iter().filter(|node| matches!(node, Node::If(..))).count()
    };
    for body in [
        // Something else is done too, or elsewhere.
        "if bgp_med = 1 then { if net.len = 2 then reject; bgp_med = 3; } accept;",
        "if bgp_med = 1 then { if net.len = 2 then reject; } else bgp_med = 4; accept;",
        "if bgp_med = 1 then { if net.len = 2 then reject; else bgp_med = 4; } accept;",
        "if bgp_med = 1 then reject; if net.len = 2 then accept; bgp_med = 1; accept;",
        "if bgp_med = 1 then reject \"a\"; if net.len = 2 then reject \"a\"; accept;",
        "if bgp_med = 1 then reject; bgp_med = 2; if net.len = 2 then reject; accept;",
        "if bgp_med = 1 then reject; else print 1; if net.len = 2 then reject; accept;",
        // It may be no bool.
        "if f() then { if net.len = 2 then reject; } accept;",
        "if net.len = 2 then reject; if f() then reject; accept;",
    ] {
        assert_eq!(ifs(body), 2, "{body}");
    }
}

#[test]
fn code_that_is_never_run_reads_nothing() {
    let idle = filter(
        &library(),
        "note(\"x\"); if DEBUG && net.len > 5 then reject; bgp_med = 1; accept;",
    );
    assert!(!idle.reads_prefix() && !idle.prints() && !idle.reads_source());
    assert!(filter(&library(), "if net.len > 5 then reject; accept;").reads_prefix());
    assert!(filter(&library(), "if small() then reject; accept;").reads_prefix());
    assert!(filter(&library(), "print 1; accept;").prints());
    assert!(filter("", "int a = 1; if a = 1 then accept; reject;").is_accept_all());
    assert!(filter("", "bool a = true; if a then reject; accept;").is_reject_all());
}

#[test]
fn small_functions_are_put_in_place_and_others_made_for_their_arguments() {
    assert_eq!(calls(&filter(&library(), "if small() then accept; reject;")), 0);
    let (one, other) = (
        "if sort(1, 65001) > 2 then accept; reject;",
        "if sort(2, 65001) > 2 then accept; reject;",
    );
    let (one, other) = (filter(&library(), one), filter(&library(), other));
    assert_eq!((calls(&one), calls(&other)), (1, 1));
    let size = |program: &Program| program.code.functions[0].code.nodes.len();
    let plain = filter(
        &library(),
        "int n = bgp_med; int k = bgp_local_pref; if sort(k, n) > 2 then accept; reject;",
    );
    assert!(size(&one) < size(&plain) && size(&other) < size(&plain));
    assert!(one.code.functions[0].code.switches.is_empty());
    // One for the same arguments, and none for a function that calls itself.
    let both = filter(&library(), "if sort(1, 5) > 2 || sort(1, 5) = 1 then accept; reject;");
    assert_eq!((calls(&both), both.code.functions.len()), (2, 1));
    assert_eq!(calls(&filter(&library(), "if deep(3) = 0 then accept; reject;")), 1);
}

#[test]
fn programs_do_not_grow_without_bound() {
    let mut text =
        "function f0() -> bool { return bgp_med = 1 || bgp_med = 2 || bgp_med = 3; }".to_owned();
    for n in 1..40 {
        let before = n - 1;
        text += &format!("function f{n}() -> bool {{ return f{before}() || f{before}(); }}");
    }
    let program = filter(&text, "if f39() then accept; reject;");
    assert!(program.code.nodes.len() < super::MAX_GROWTH + 100, "{}", program.code.nodes.len());
    let body = "f39() || ".repeat(2000);
    let program = filter(&text, &format!("if {body} f3() then accept; reject;"));
    assert!(program.code.nodes.len() < 2 * super::MAX_GROWTH, "{}", program.code.nodes.len());
}

#[test]
fn what_nests_deep_or_goes_on_long_is_no_trouble() {
    let sum = "bgp_med + ".repeat(20_000);
    let program = filter("", &format!("if bgp_med = 1 then bgp_local_pref = {sum} 1; accept;"));
    assert!(!program.is_accept_all());
    let chain = "if bgp_med = 1 then return false; else ".repeat(20_000);
    let text = format!("function f() -> bool {{ {chain} return true; }}");
    assert_eq!(calls(&filter(&text, "if f() then accept; reject;")), 1);
    let mut text = "function g0(int n) -> int { return n; }".to_owned();
    for n in 1..2000 {
        text += &format!("function g{n}(int n) -> int {{ return g{}(n + 1); }}", n - 1);
    }
    assert_eq!(calls(&filter(&text, "if g1999(1) = 1 then accept; reject;")), 1);
}

/// What can be seen of a run. Where it failed is not compared, only that it did.
fn seen(
    program: &Arc<Program>,
    attrs: &Arc<Attrs>,
    scratch: &mut Scratch,
) -> (String, Vec<String>) {
    let input = RouteInput::new("10.1.0.0/16".parse().unwrap(), attrs, "peer1");
    let mut printed: Vec<String> = Vec::new();
    let filter = ChannelFilter::Program(Arc::clone(program));
    let verdict = match apply(&filter, scratch, &input, &mut printed) {
        Verdict::Accept(None) => "accept".to_owned(),
        Verdict::Accept(Some(new)) => format!("accept {:?}", new.wire()),
        Verdict::Reject => "reject".to_owned(),
        Verdict::Error(_) => "error".to_owned(),
    };
    (verdict, printed)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, ..ProptestConfig::default() })]

    #[test]
    fn folded_programs_do_as_they_are_written(
        bytes in proptest::collection::vec(any::<u8>(), 20..400),
    ) {
        let text = Maker::program(&bytes);
        let (Some(folded), Some(unfolded)) = (program(&text), unfolded(&text)) else {
            return Err(TestCaseError::reject("does not compile"));
        };
        prop_assert!(unfolded.written.is_none());
        let mut scratch = Scratch::default();
        for attrs in routes() {
            let (one, other) = (seen(&folded, &attrs, &mut scratch), seen(&unfolded, &attrs, &mut scratch));
            prop_assert_eq!(one, other, "{}\n{:#?}", text, folded.code);
        }
        // What reads nothing folded may have read unfolded, never the other way round.
        prop_assert!(unfolded.reads_prefix() || !folded.reads_prefix());
        prop_assert!(unfolded.prints() || !folded.prints());
    }
}

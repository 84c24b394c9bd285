use std::sync::Arc;

use dunlin_attr::Attrs;
use dunlin_net::{Aspa, Network, Prefix, Roa4};
use proptest::prelude::*;

use super::super::{
    Scratch, run_in,
    tests::Tables,
    tracer::{Tracer, Untraced, What},
};
use crate::{
    Program, RouteInput, Verdict,
    code::{Code, NodeId},
    flat::{Operation, Test},
    fold::tests::program,
    random::{Maker, routes},
    value::Value,
};

/// Has folded code run as a tree; with values, each by itself.
struct Tree<const VALUES: bool>;

impl<const VALUES: bool> Tracer for Tree<VALUES> {
    const VALUES: bool = VALUES;
    const WRITTEN: bool = false;
    const FLAT: bool = false;

    fn statement(&mut self, _: &Code, _: NodeId) {}
    fn begin(&mut self, _: What, _: &Code, _: NodeId) {}
    fn end(&mut self, _: Option<Value<'_>>) {}
    fn read(&mut self, _: &Code, _: NodeId, _: Value<'_>) {}
    fn enter(&mut self, _: &Code) {}
    fn printed(&mut self, _: &Code, _: NodeId, _: &str) {}
    fn fault(&mut self, _: &Code, _: NodeId, _: &str) {}
}

/// All that can be seen of a run: the verdict with line and message, what it printed, what it looked at.
fn seen<T: Tracer>(
    program: &Program,
    (net, attrs): (Network, &Arc<Attrs>),
    scratch: &mut Scratch,
    tracer: &mut T,
) -> (String, Vec<String>, String) {
    let nothing_else = RouteInput::new("0.0.0.0/0".parse().unwrap(), attrs, "peer1");
    let input = RouteInput { net, validation: Some(&Tables), ..nothing_else };
    let mut printed: Vec<String> = Vec::new();
    let verdict = match run_in(program, None, scratch, &input, &mut printed, tracer) {
        Verdict::Accept(None) => "accept".to_owned(),
        Verdict::Accept(Some(new)) => format!("accept {new:?}"),
        Verdict::Reject => "reject".to_owned(),
        Verdict::Error(error) => format!("error {error}"),
    };
    let seen = format!("{:?}", scratch.seen());
    scratch.reset();
    (verdict, printed, seen)
}

/// What routes are for: prefixes first, then what is more than a prefix.
fn networks() -> [Network; 4] {
    let prefix = |text: &str| text.parse::<Prefix>().unwrap();
    let (v4, v6) = (prefix("10.1.0.0/16"), prefix("2001:db8:1::/48"));
    let roa = Roa4::new(v4, 24, 65003).unwrap();
    [v4.into(), v6.into(), Network::Roa4(roa), Network::Aspa(Aspa(65001))]
}

/// Runs a program in each way over each route. What it says, route by route.
fn in_all_ways(text: &str, program: &Program) -> Vec<String> {
    let mut scratch = Scratch::default();
    let mut said = Vec::new();
    for attrs in routes() {
        for net in networks() {
            let route = (net, &attrs);
            let flat = seen(program, route, &mut scratch, &mut Untraced);
            let values = seen(program, route, &mut scratch, &mut Tree::<true>);
            assert_eq!(flat, values, "{text}\n{net} {attrs:?}");
            let tree = seen(program, route, &mut scratch, &mut Tree::<false>);
            assert_eq!(tree, values, "{text}\n{net} {attrs:?}");
            said.push(flat.0);
        }
    }
    said
}

fn filter(body: &str) -> Arc<Program> {
    let text = format!(
        "function nothing(int a) {{ if a = 1 then return true; }} import filter {{ {body} }};"
    );
    program(&text).unwrap_or_else(|| panic!("wrong: {text}"))
}

fn operations(program: &Program) -> &[Operation] {
    &program.code.flat.as_ref().unwrap().operations
}

#[test]
fn what_is_usual_is_resolved() {
    for condition in [
        "net.type = NET_IP4",
        "net.type != NET_IP4",
        "net ~ [10.0.0.0/8+]",
        "net !~ [10.0.0.0/8+]",
        "net.len > 16",
        "source = RTS_BGP",
        "source != RTS_BGP",
        "bgp_origin = ORIGIN_IGP",
        "bgp_next_hop = 192.0.2.1",
        "bgp_next_hop != 2001:db8::1",
        "(1, 1) ~ bgp_community",
        "(rt, 1, 1) ~ bgp_ext_community",
        "(1, 1, 1) !~ bgp_large_community",
        "bgp_community ~ [(1, *)]",
        "bgp_ext_community ~ [(rt, 1, *)]",
        "bgp_large_community ~ [(2, *, *)]",
        "bgp_path ~ [4]",
        "bgp_path ~ [= 1 * =]",
        "bgp_path.len <= 2",
        "bgp_path.first != 1",
        "bgp_path.last ~ [1, 2]",
        "bgp_med >= 3",
        "bgp_local_pref = 1",
        "preference < 2",
        "defined(bgp_med)",
        "!(net.len < 20)",
    ] {
        let program = filter(&format!("if {condition} then reject; accept;"));
        let tests = operations(&program);
        assert!(
            matches!(tests, [Operation::Test(ask), Operation::Reject, Operation::Accept]
                if !matches!(ask.test, Test::General)),
            "{condition} {tests:?}"
        );
        in_all_ways(condition, &program);
    }
    for statement in [
        "bgp_community.delete([(1, 1)]);",
        "bgp_ext_community.delete([(rt, 1, *)]);",
        "bgp_large_community.add((1, 1, 1));",
        "bgp_community.add((4, 4));",
        "bgp_ext_community.add((rt, 1, 1));",
    ] {
        let program = filter(&format!("{statement} accept;"));
        let changes = operations(&program);
        assert!(
            matches!(changes, [Operation::Delete(..) | Operation::Add(..), Operation::Accept]),
            "{statement} {changes:?}"
        );
        in_all_ways(statement, &program);
    }
}

#[test]
fn what_is_unusual_takes_the_general_way() {
    for (body, of_first) in [
        // No bool, and no value.
        ("bool b; if net.len = 1 then b = true; if b then accept; reject;", "error"),
        ("int i; if net.len = 1 then i = 1; if i > 3 then accept; reject;", "error"),
        ("if nothing(2) then accept; reject;", "error"),
        ("if net.len > 3 && nothing(2) then accept; reject;", "error"),
        ("bool b = !nothing(2); if b then accept; reject;", "error"),
        ("if bgp_med / 0 = 1 then accept; reject;", "error"),
        // What was changed.
        ("unset(bgp_med); if bgp_med > 3 then accept; reject;", "error"),
        ("bgp_med = 4; if bgp_med = 4 then accept; reject;", "accept"),
        ("bgp_next_hop = 192.0.2.7; if bgp_next_hop = 192.0.2.7 then accept; reject;", "accept"),
        ("bgp_origin = ORIGIN_EGP; if bgp_origin = ORIGIN_IGP then accept; reject;", "reject"),
        ("source = RTS_STATIC; if source = RTS_BGP then accept; reject;", "reject"),
        ("bgp_path.prepend(9); if bgp_path.first = 9 then accept; reject;", "accept"),
        ("bgp_path.prepend(9); if bgp_path ~ [= 9 1 3 2 =] then accept; reject;", "accept"),
        ("bgp_community.add((7, 7)); if (7, 7) ~ bgp_community then accept; reject;", "accept"),
        ("bgp_community.empty; if (1, 1) ~ bgp_community then accept; reject;", "reject"),
        ("unset(bgp_community); if bgp_community ~ [(*, *)] then accept; reject;", "reject"),
        // What asks tables.
        ("if roa_check(roas4) = ROA_INVALID then reject; accept;", "reject"),
        ("bool b = roa_check(roas4, net, 65003) != ROA_VALID; if b then reject; accept;", "accept"),
        ("if net.len > 8 && !(roa_check(roas4) = ROA_UNKNOWN) then reject; accept;", "reject"),
        ("if aspa_check(aspas, bgp_path, true) = ASPA_INVALID then reject; accept;", "reject"),
        // What does not nest as deep is no reason to fail.
        (
            "int n = 0; for int a in bgp_path do if a > 1 then n = n + 1; if n = 2 then accept;",
            "accept",
        ),
        (
            "case bgp_path.len { 3: if net.len = 16 || net.len = 48 then accept; else: reject; }",
            "accept",
        ),
    ] {
        let program = filter(body);
        let said = in_all_ways(body, &program);
        assert!(said[0].starts_with(of_first), "{body}: {said:?}");
    }
}

#[test]
fn branches_lead_where_they_should() {
    for a in 0..3 {
        for b in 0..3 {
            let arms = ["bgp_med = 1;", "accept;", ""];
            let body = format!(
                "if net.type = NET_IP4 then {{ if bgp_path.len = 3 then {{ {} }} else {{ {} }} }} \
                 else if source = RTS_BGP then {{ if defined(bgp_med) then {{ {} }} }} \
                 else bgp_local_pref = 5; bgp_community.add((1, 9)); accept;",
                arms[a], arms[b], arms[b]
            );
            in_all_ways(&body, &filter(&body));
        }
    }
    for conditions in ["&& ||", "|| &&", "&& &&", "|| ||"] {
        let [one, two] = conditions.split(' ').collect::<Vec<_>>()[..] else { panic!() };
        for values in 0..8_u8 {
            let test = |bit: u8| ["net.len > 200", "net.len > 2"][usize::from(values >> bit & 1)];
            for (open, close) in [("", ""), ("!(", ")")] {
                let body = format!(
                    "bool b = {open}{} {one} {} {two} {}{close}; if b then accept; reject;",
                    test(0),
                    test(1),
                    test(2)
                );
                in_all_ways(&body, &filter(&body));
            }
        }
    }
}

#[test]
fn what_is_added_counts_as_memory() {
    let text = |strings: usize| {
        let strings = "t = s ++ \"x\";\n".repeat(strings);
        let doubled = "s = s ++ s; ".repeat(13);
        format!(
            "string s = proto; {doubled}\nstring t;\n{strings}bgp_community.add((9, 9));\naccept;"
        )
    };
    let fails = |strings: usize| in_all_ways("", &filter(&text(strings)))[0].starts_with("error");
    let (mut enough, mut too_many) = (1, 1000);
    assert!(!fails(enough) && fails(too_many));
    while enough + 1 < too_many {
        let middle = usize::midpoint(enough, too_many);
        if fails(middle) { too_many = middle } else { enough = middle }
    }
    // The last string that there was room for leaves none for the list.
    let said = in_all_ways("", &filter(&text(too_many)));
    let line = 3 + too_many;
    assert_eq!(said[0], format!("error filters, line {line}: Too much memory in one run"));
}

#[test]
fn code_that_calls_itself_stays_a_tree() {
    let text = "function f(int n) -> int { if n = 0 then return 0; return f(n - 1); }
        import filter { if f(bgp_path.len) = 0 then accept; reject; };";
    let program = program(text).unwrap();
    assert!(program.code.functions.iter().all(|function| function.code.flat.is_none()));
    in_all_ways(text, &program);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn flat_programs_do_as_their_trees(
        bytes in proptest::collection::vec(any::<u8>(), 20..400),
    ) {
        let text = Maker::program(&bytes);
        let Some(program) = program(&text) else {
            return Err(TestCaseError::reject("does not compile"));
        };
        in_all_ways(&text, &program);
    }
}

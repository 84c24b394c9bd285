use std::sync::Arc;

use dunlin_attr::{Attrs, AttrsBuilder, BgpNextHop, NextHop, Origin, Rts};
use dunlin_net::as_path::AsPathBuf;

use super::*;
use crate::{explanation::place, parse::tests::parse};

fn route() -> Arc<Attrs> {
    let mut builder = AttrsBuilder::new(Rts::Bgp);
    builder.set_preference(100);
    builder.set_origin(Origin::Igp);
    let path: AsPathBuf = "65001 65002 65003".parse().unwrap();
    builder.set_as_path(path.view()).unwrap();
    let communities: dunlin_net::community::CommunitiesBuf = "(65001,1) (65001,2)".parse().unwrap();
    builder.set_communities(communities.view()).unwrap();
    let next_hop = BgpNextHop { global: "192.0.2.1".parse().unwrap(), link_local: None };
    builder.set_bgp_next_hop(Some(next_hop));
    builder.set_next_hop(NextHop::Bgp);
    builder.finish()
}

fn input(attrs: &Arc<Attrs>) -> RouteInput<'_> {
    RouteInput::new("10.1.0.0/16".parse().unwrap(), attrs, "peer1")
}

/// The steps of the last channel filter, a line each behind its place, and where it was decided.
fn explained(text: &str) -> Vec<String> {
    let (outcome, mut filters) = parse(text);
    let errors: Vec<String> = outcome.diagnostics.errors().map(ToString::to_string).collect();
    assert!(errors.is_empty(), "{text}: {errors:?}");
    let attrs = route();
    let explanation = explain(&filters.pop().unwrap(), &mut Scratch::default(), &input(&attrs));
    let sources = &outcome.sources;
    let mut lines: Vec<String> = explanation
        .steps
        .iter()
        .map(|step| {
            let indent = "  ".repeat(step.depth);
            format!("{} {indent}{}", place(sources, step.place), step.line(sources))
        })
        .collect();
    let verdict = match explanation.verdict {
        Verdict::Accept(None) => "accepts".to_owned(),
        Verdict::Accept(Some(_)) => "accepts with changes".to_owned(),
        Verdict::Reject => "rejects".to_owned(),
        Verdict::Error(error) => format!("fails, {error}"),
    };
    let decided = explanation.decided.map(|span| place(sources, span));
    lines.push(format!("{verdict} at {}", decided.unwrap_or_default()));
    lines
}

#[test]
fn sets_are_shown_whole() {
    let text = "import where net ~ [ 10.0.0.0/8+,\n 192.0.2.0/24 ] && ! (net ~ []) && bgp_path ~ [ 65001 ];";
    assert_eq!(
        explained(text),
        [
            "f:1:14 net ~ [ 10.0.0.0/8+, 192.0.2.0/24 ] && ! (net ~ []) && bgp_path ~ [ 65001 ] is TRUE",
            "f:1:14   net ~ [ 10.0.0.0/8+, 192.0.2.0/24 ] is TRUE (net = 10.1.0.0/16)",
            "f:2:20   ! (net ~ []) is TRUE (net = 10.1.0.0/16)",
            "f:2:36   bgp_path ~ [ 65001 ] is TRUE (bgp_path = (path 65001 65002 65003))",
            "f:1:14 accept",
            "accepts at f:1:14",
        ]
    );
}

#[test]
fn the_path_to_a_verdict_has_places_and_values() {
    let text = "define BOGONS = [ 192.168.0.0/16+, 10.0.0.0/8{24,32} ];
function is_bogon(prefix p) -> bool
{
  if p.len > 30 then return true;
  return p ~ BOGONS || bgp_path.len > 64;
}
filter peers {
  int shares;
  if is_bogon(net) then reject;
  shares = bgp_path.len * 2;
  if ! (shares = 6) then
    accept;
  else if (bgp_path.last = 65003 ||
           net.len > 24) && source = RTS_BGP then {
    bgp_med = shares + 1; bgp_path.prepend(65001); unset(bgp_origin);
    if proto = \"peer1\" then reject \"no \", net;
  }
  accept;
}
import filter peers;";
    assert_eq!(
        explained(text),
        [
            "f:9:6 is_bogon(net) is FALSE (net = 10.1.0.0/16)",
            "f:4:6   p.len > 30 is FALSE (p = 10.1.0.0/16, p.len = 16)",
            "f:5:3   return p ~ BOGONS || bgp_path.len > 64 is FALSE",
            "f:5:10     p ~ BOGONS is FALSE (p = 10.1.0.0/16)",
            "f:5:24     bgp_path.len > 64 is FALSE \
             (bgp_path = (path 65001 65002 65003), bgp_path.len = 3)",
            "f:10:3 shares = 6 (bgp_path = (path 65001 65002 65003), bgp_path.len = 3)",
            "f:11:6 ! (shares = 6) is FALSE (shares = 6)",
            "f:13:11 (bgp_path.last = 65003 || net.len > 24) && source = RTS_BGP is TRUE",
            "f:13:12   bgp_path.last = 65003 || net.len > 24 is TRUE",
            "f:13:12     bgp_path.last = 65003 is TRUE \
             (bgp_path = (path 65001 65002 65003), bgp_path.last = 65003)",
            "f:14:29   source = RTS_BGP is TRUE (source = RTS_BGP)",
            "f:15:5 bgp_med = 7 (shares = 6)",
            "f:15:27 bgp_path = (path 65001 65001 65002 65003) \
             (bgp_path = (path 65001 65002 65003))",
            "f:15:52 unset(bgp_origin)",
            "f:16:8 proto = \"peer1\" is TRUE (proto = \"peer1\")",
            "f:16:29 print: no 10.1.0.0/16",
            "f:16:29 reject",
            "rejects at f:16:29",
        ]
    );
}

#[test]
fn cases_loops_and_calls_are_steps() {
    let text = "function note(pair c) { print \"seen \", c; }
function twice(int n) -> int { return add(-empty-, (1, 2)).len * n; }
import filter {
  for pair c in bgp_community do {
    note(c);
    case c { (65001, 2..5), (65002, *): bgp_med = twice(21); else: {} }
  }
  case preference { 1..10: reject; }
  accept;
};";
    assert_eq!(
        explained(text),
        [
            "f:4:3 for pair c in bgp_community: (65001,1)",
            "f:5:5 note(c) (c = (65001,1))",
            "f:1:25   print: seen (65001,1)",
            "f:6:5 case c is (65001,1)",
            "f:4:3 for pair c in bgp_community: (65001,2)",
            "f:5:5 note(c) (c = (65001,2))",
            "f:1:25   print: seen (65001,2)",
            "f:6:5 case c is (65001,2)",
            "f:6:14 arm (65001, 2..5), (65002, *)",
            "f:6:41 bgp_med = 21",
            "f:6:51   twice(21) is 21",
            "f:2:32     return add(-empty-, (1, 2)).len * n is 21 (n = 21)",
            "f:8:3 case preference is 100",
            "f:9:3 accept",
            "accepts with changes at f:9:3",
        ]
    );
}

#[test]
fn a_condition_of_a_channel_decides_by_itself() {
    assert_eq!(
        explained("import where net.len < 9 || bgp_path ~ [= * 65003 =];"),
        [
            "f:1:14 net.len < 9 || bgp_path ~ [= * 65003 =] is TRUE",
            "f:1:14   net.len < 9 is FALSE (net = 10.1.0.0/16, net.len = 16)",
            "f:1:29   bgp_path ~ [= * 65003 =] is TRUE (bgp_path = (path 65001 65002 65003))",
            "f:1:14 accept",
            "accepts at f:1:14",
        ]
    );
    assert_eq!(explained("import all;"), ["accepts at "]);
    assert_eq!(explained("import none;"), ["rejects at "]);
}

#[test]
fn failures_and_ends_without_a_verdict_are_told() {
    let divide = "import filter {
  int n = net.len - 16;
  if bgp_path.len / n = 1 then accept;
};";
    assert_eq!(
        explained(divide),
        [
            "f:2:7 n = 0 (net = 10.1.0.0/16, net.len = 16)",
            "f:3:6 bgp_path.len / n = 1 \
             (bgp_path = (path 65001 65002 65003), bgp_path.len = 3, n = 0)",
            "f:3:6   fails: Mother told me not to divide by 0",
            "fails, filters, line 3: Mother told me not to divide by 0 at f:3:6",
        ]
    );
    let message = "Filter f did not return accept nor reject. Make up your mind";
    assert_eq!(
        explained("filter f { if bgp_med = 3 then accept; } import filter f;"),
        [
            "f:1:15 bgp_med = 3 is FALSE (bgp_med = (void))".to_owned(),
            format!("f:1:15 ends: {message}"),
            format!("fails, {message} at "),
        ]
    );
    assert_eq!(
        explained("import filter { error \"net \", net; };")[1..],
        [
            "f:1:17 fails: Filter asked for an error",
            "fails, filters, line 1: Filter asked for an error at f:1:17",
        ]
    );
}

#[test]
fn too_many_steps_are_left_off_but_not_the_last() {
    let text = "import filter {
  for pair a in bgp_community do for pair b in bgp_community do
  for int i in bgp_path do for int j in bgp_path do for int k in bgp_path do
  for int l in bgp_path do for int m in bgp_path do bgp_med = i;
  reject;
};";
    let (_, mut filters) = parse(text);
    let attrs = route();
    let explanation = explain(&filters.pop().unwrap(), &mut Scratch::default(), &input(&attrs));
    assert_eq!(explanation.steps.len(), MAX_STEPS + 1);
    assert_eq!(explanation.steps.last().unwrap().what, What::Reject);
    // Two loops over 2, five over 3, and what the innermost does.
    let loops = 2 + 4 + 4 * (3 + 9 + 27 + 81 + 243) + 4 * 243 + 1;
    assert_eq!(explanation.left_off, loops - MAX_STEPS - 1);
}

#[test]
fn long_values_are_cut() {
    let mut scratch = Scratch::default();
    let (_, mut filters) =
        parse("import filter { if \"x\" ++ format(bgp_path) = \"y\" then accept; };");
    let mut builder = route().edit();
    let path: AsPathBuf = vec!["65001"; 200].join(" ").parse().unwrap();
    builder.set_as_path(path.view()).unwrap();
    let attrs = builder.finish();
    let explanation = explain(&filters.pop().unwrap(), &mut scratch, &input(&attrs));
    let value = &explanation.steps[0].read[0].value;
    assert!(value.starts_with("(path 65001 65001") && value.ends_with("..."), "{value}");
    assert_eq!(value.len(), MAX_VALUE + 3);
}

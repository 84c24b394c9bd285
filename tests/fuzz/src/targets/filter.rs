//! Filters: compiled, and run over routes.

use std::net::IpAddr;
use std::sync::Arc;

use dunlin_attr::{Attrs, AttrsBuilder, BgpNextHop, NextHop, Origin, Rts};
use dunlin_conf::lexer::lex_text;
use dunlin_filter::{
    ChannelFilter, Parser, ResolvedHop, RouteInput, Scratch, Symbols, Verdict, apply, evaluate,
    explain, parse_channel_filter, parse_function_definition,
};
use dunlin_net::as_path::AsPathBuf;
use dunlin_net::community::CommunitiesBuf;

use super::LANGUAGE;

/// Filters, each with another part of the language.
pub const GOOD: &[&str] = &[
    "filter { accept; }",
    "filter { int a = 1; int b = a + 2 * 3 - 4 / 1; if b > a && b != 7 || !(b >= 2) then accept; reject; }",
    "filter { case bgp_path.len { 0: reject; 1..3: accept; else: { bgp_med = 5; accept \"long\"; } } }",
    "filter { for int asn in bgp_path do { if asn = 65002 then reject; } accept; }",
    "filter { bgp_community.add((65001, 9)); bgp_community.delete([(65001, 1..2)]); bgp_community.filter([(65001, *)]); accept; }",
    "filter { bgp_large_community.add((1, 2, 3)); bgp_ext_community.add((rt, 1, 2)); bgp_path.prepend(65009); accept; }",
    "filter { if net ~ [10.0.0.0/8+] || net ~ [2001:db8::/32{40,48}] then { print net, \" \", net.len, \" \", net.ip; accept; } reject; }",
    "filter { if bgp_path ~ [= 65001 * [65003..65009] =] then accept; if bgp_path.first = 65001 then bgp_local_pref = 7; reject; }",
    "filter { if defined(bgp_med) then unset(bgp_med); preference = 200; bgp_origin = ORIGIN_EGP; accept; }",
    "filter { string s = \"x\"; pair p = (1, 2); quad q = 1.2.3.4; ip i = 10.0.0.1; prefix n = net; bool b = s ~ \"x*\"; if b then accept; }",
    "filter { lclist l = ---empty---; l = l.add((1,2,3)); clist c = -empty-; c = add(c, (1,1)); print l, c, l.len, c ~ [(1,1)]; accept; }",
    "filter { print from, proto, source, dest, ifname; if from.mask(24) = 192.0.2.0 then accept; reject; }",
    "where net.len <= 24 && bgp_path.last ~ [65000..65010]",
    "filter { int set s = [1, 2, 5..9]; bgppath p = bgp_path; p = p.delete(s); if p.len = 0 then reject; bgp_path = p; accept; }",
];

/// Words that filters are made of besides.
const WORDS: &[&str] = &[
    "!=",
    "<",
    ">=",
    "!",
    ".",
    "4294967295",
    "10.0.0.0/8",
    "10.0.0.1",
    "(1,2)",
    "(1,2,3)",
    "(rt,1,2)",
    "[= * =]",
    "[=",
    "=]",
    "\"x\"",
    "true",
    "false",
    "defined",
    "int",
    "bool",
    "prefix",
    "pair",
    "quad",
    "ip",
    "ec",
    "lc",
    "string",
    "set",
    "bgppath",
    "bgpmask",
    "clist",
    "eclist",
    "lclist",
    "a",
    "b",
    "s",
    "p",
    "gw",
    "source",
    "preference",
    "bgp_med",
    "bgp_origin",
    "bgp_community",
    "bgp_ext_community",
    "bgp_large_community",
    "bgp_next_hop",
    "bgp_local_pref",
    "+empty+",
    "-empty-",
    "--empty--",
    "---empty---",
    ".len",
    ".first",
    ".last",
    ".empty",
    ".add",
    ".delete",
    ".filter",
    ".prepend",
    ".mask",
    ".is_v4",
    ".type",
    ".asn",
    ".data",
    ".data1",
    ".src",
    ".dst",
    ".min",
    ".max",
    ".reset",
    "format",
    "roa_check",
    "bt_assert",
    "bt_check_assign",
    "max 24 as",
    "from",
    "mpls 7",
    "aspa 7",
    ".maxlen",
    ".rd",
];

/// Words of the language.
pub fn words() -> Vec<&'static str> {
    [LANGUAGE, WORDS].concat()
}

/// A filter of a channel, if the text is one.
fn compile(text: &str) -> Option<ChannelFilter> {
    let mut parser = Parser::new(lex_text("fuzz", text), Symbols::default());
    let filter = parse_channel_filter(&mut parser);
    let bad = parser.finish().diagnostics.has_errors();
    assert!(filter.is_ok() || bad, "refused without a reason");
    filter.ok().filter(|_| !bad)
}

/// Whether the text is a filter.
pub fn compiles(text: &str) -> bool {
    compile(text).is_some()
}

/// A route of a peer, and one without any attribute of BGP.
pub fn routes() -> Vec<Arc<Attrs>> {
    let mut builder = AttrsBuilder::new(Rts::Bgp);
    builder.set_preference(100);
    builder.set_origin(Origin::Igp);
    let path: AsPathBuf = "65001 65002 {65003 65004}".parse().expect("a path");
    builder.set_as_path(path.view()).expect("a short path");
    let list: CommunitiesBuf = "(65001,1) (65001,2)".parse().expect("a list");
    builder.set_communities(list.view()).expect("a short list");
    builder.set_med(Some(5));
    builder.set_bgp_next_hop(Some(BgpNextHop { global: address(), link_local: None }));
    builder.set_next_hop(NextHop::Bgp);
    vec![builder.finish(), AttrsBuilder::new(Rts::Static).finish()]
}

/// An expression with its literals in it, which is folded while it is read, and as a function of them, which
/// is not: both have the same value. Only folding does not stop at the first operand of `&&` that is false, as
/// BIRD's does not.
pub fn feed_both_ways((folded, function, call): &(String, String, String)) {
    let mut parser = Parser::new(lex_text("fuzz", function), Symbols::default());
    parser.advance();
    let good = parse_function_definition(&mut parser).is_ok();
    let outcome = parser.finish();
    assert_ne!(good, outcome.diagnostics.has_errors(), "{:?}", outcome.diagnostics.all());
    if !good {
        return;
    }
    let now = evaluate(folded, Arc::default(), None);
    let later = evaluate(call, Arc::new(outcome.symbols), None);
    match (&now, &later) {
        (Ok(now), Ok(later)) => assert_eq!(now, later, "folded, and run"),
        (Ok(now), Err(later)) => panic!("folded it is {now}, run it fails: {later}"),
        (Err(now), Ok(later)) => {
            let lazy = folded.contains("&&") || folded.contains("||");
            assert!(lazy, "folded it fails: {now}; run it is {later}");
        }
        (Err(_), Err(_)) => {}
    }
}

fn address() -> IpAddr {
    "192.0.2.9".parse().expect("an address")
}

/// Any text: what compiles says the same of a route each time, whoever watches or counts, and compiles to
/// the same program again.
pub fn feed(text: &str, routes: &[Arc<Attrs>]) {
    let _ = evaluate(text, Arc::default(), None);
    let Some(filter) = compile(text) else { return };
    let again = compile(text).expect("compiled once");
    assert_eq!(filter.fingerprint(), again.fingerprint(), "another program");
    let (mut scratch, mut counting) = (Scratch::default(), Scratch::default());
    counting.count(true);
    for attrs in routes {
        for net in ["10.1.0.0/16", "2001:db8:1::/48", "0.0.0.0/0"] {
            let mut answer = |filter: &ChannelFilter| {
                let (scratch, counting) = (&mut scratch, &mut counting);
                let input = RouteInput {
                    net: net.parse::<dunlin_net::Prefix>().expect("a network").into(),
                    attrs,
                    protocol: "peer1",
                    from: Some(address()),
                    hop: ResolvedHop { igp_metric: Some(7), ..ResolvedHop::default() },
                    interfaces: None,
                    validation: None,
                };
                let mut printed: Vec<String> = Vec::new();
                let verdict = apply(filter, scratch, &input, &mut printed);
                let explained = explain(filter, scratch, &input).verdict;
                assert_eq!(kind(&explained, attrs), kind(&verdict, attrs), "another when watched");
                let counted = apply(filter, counting, &input, &mut Vec::new());
                assert_eq!(kind(&counted, attrs), kind(&verdict, attrs), "another when counted");
                (told(&verdict, attrs), printed)
            };
            assert_eq!(answer(&filter), answer(&again), "another verdict");
        }
    }
}

/// The same without why it failed: who watches has the code as it was written run, where other bounds may
/// be met first.
fn kind(verdict: &Verdict, before: &Arc<Attrs>) -> String {
    match verdict {
        Verdict::Error(_) => "error".to_owned(),
        other => told(other, before),
    }
}

/// A verdict as text. What was changed must be as good as what a peer could send.
fn told(verdict: &Verdict, before: &Arc<Attrs>) -> String {
    match verdict {
        Verdict::Accept(None) => "accept".to_owned(),
        Verdict::Accept(Some(attrs)) => {
            assert!(attrs.bgp_view().as_path().validate().is_ok(), "a filter made a bad path");
            format!("accept {:?} {}", attrs.wire(), attrs.same_content(before))
        }
        Verdict::Reject => "reject".to_owned(),
        Verdict::Error(error) => format!("error {error}"),
    }
}

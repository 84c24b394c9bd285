//! What it costs to run the import policies of the benchmark: instructions, for improving the evaluator.
//!
//!     tests/bench/runs
//!
//! or, by hand, the difference between two runs of `policies FILE ROUNDS`. Sixteen routes are asked about in each
//! round, of which the last two are not registered.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a measuring program")]

use std::{fmt::Write, hint::black_box, net::IpAddr, sync::Arc};

use dunlin_attr::{Attrs, AttrsBuilder, BgpNextHop, NextHop, Origin, Rts};
use dunlin_conf::{TokenKind, lexer};
use dunlin_filter::{ChannelFilter, Parser, RouteInput, Scratch, Silent, Symbols, Verdict};
use dunlin_net::{Prefix, Prefix4, as_path::AsPathBuf, community::CommunitiesBuf};

const ORIGINS: u32 = 5000;
const PREFIXES: u32 = 10_000;
const ROUTES: u32 = 16;
const ADDRESS: &str = "10.99.128.1";

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [file, rounds] = &arguments[..] else {
        println!("policies FILE ROUNDS");
        return;
    };
    let rounds: u32 = rounds.parse().unwrap();
    let filter = filter(&text(&std::fs::read_to_string(file).unwrap()));
    let routes: Vec<(Prefix, Arc<Attrs>)> = (0..ROUTES).map(route).collect();
    let mut scratch = Scratch::default();
    let mut accepted = 0;
    for _ in 0..rounds {
        for (net, attrs) in &routes {
            let input = RouteInput::new(*net, attrs, "member");
            let verdict = dunlin_filter::apply(&filter, &mut scratch, &input, &mut Silent);
            accepted += u32::from(matches!(black_box(verdict), Verdict::Accept(_)));
        }
    }
    println!("{file} {rounds} {accepted}");
}

/// The policy with sets of the sizes that the benchmark has.
fn text(policy: &str) -> String {
    let (mut origins, mut prefixes) = (String::new(), String::new());
    for number in 0..ORIGINS {
        write!(origins, "{}{}", if number > 0 { ", " } else { "" }, origin(number)).unwrap();
    }
    for number in 0..PREFIXES {
        let (net, comma) = (network(number), if number > 0 { ", " } else { "" });
        let longest = if number % 10 < 3 { net.len() } else { 24 };
        write!(prefixes, "{comma}{net}{{{},{longest}}}", net.len()).unwrap();
    }
    let policy = policy.replace("@member@", "3333").replace("@address@", ADDRESS);
    let policy = policy.replace("@origins@", &origins).replace("@prefixes@", &prefixes);
    format!("{policy}\nimport filter policy;")
}

fn origin(number: u32) -> u32 {
    if number.is_multiple_of(5) { 131_072 + number * 53 } else { 1000 + number * 12 }
}

/// Different networks, spread over all there are.
fn network(number: u32) -> Prefix4 {
    let len = if number % 10 < 3 { 24 } else { 14 };
    let addr = (1 << 24) + number * ((222 << 24) / PREFIXES);
    Prefix4::new(addr & u32::MAX << (32 - len), len).unwrap()
}

/// The route of this number.
fn route(number: u32) -> (Prefix, Arc<Attrs>) {
    let mut builder = AttrsBuilder::new(Rts::Bgp);
    builder.set_preference(100);
    builder.set_origin(Origin::Igp);
    let last = if number < ROUTES - 2 { origin(number * 300) } else { 399_999 };
    let path: AsPathBuf = format!("3333 {} 47000 {last}", 9000 + number).parse().unwrap();
    builder.set_as_path(path.view()).unwrap();
    if number.is_multiple_of(3) {
        builder.set_med(Some(number));
    }
    let mut communities: CommunitiesBuf = CommunitiesBuf::default();
    for community in 0..number % 4 * 3 {
        communities.add(dunlin_net::community::Community((1000 + community) << 16 | number));
    }
    builder.set_communities(communities.view()).unwrap();
    let global: IpAddr = ADDRESS.parse().unwrap();
    builder.set_bgp_next_hop(Some(BgpNextHop { global, link_local: None }));
    builder.set_next_hop(NextHop::Bgp);
    (Prefix::V4(network(number * 620)), builder.finish())
}

/// The channel filter at the end of a configuration.
fn filter(text: &str) -> ChannelFilter {
    let mut parser = Parser::new(lexer::lex_text("policy", text), Symbols::default());
    loop {
        let parsed = if parser.eat(TokenKind::Semicolon) {
            Ok(())
        } else if parser.eat_word("define") {
            dunlin_filter::parse_define(&mut parser)
        } else if parser.eat_word("function") {
            dunlin_filter::parse_function_definition(&mut parser)
        } else if parser.eat_word("filter") {
            dunlin_filter::parse_filter_definition(&mut parser)
        } else {
            assert!(parser.eat_word("import"), "no policy");
            return dunlin_filter::parse_channel_filter(&mut parser).unwrap();
        };
        assert!(parsed.is_ok(), "the policy is refused");
    }
}

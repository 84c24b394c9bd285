//! Bidirectional forwarding detection (RFC 5880).

use dunlin_core::config::grammar::{PASSWORDS, Part, Rule, Said, Statements, rule, switch};
use dunlin_core::protocol::Phase;

use crate::grammar::{Channels, Check, Grammar, passwords};

const AUTHENTICATION: &[&str] =
    &["none", "simple", "keyed md5", "keyed sha1", "meticulous keyed md5", "meticulous keyed sha1"];

const SESSION: &[Rule] = &[
    rule("interval", &[Part::TIME]),
    rule("min rx interval", &[Part::TIME]),
    rule("min tx interval", &[Part::TIME]),
    rule("idle tx interval", &[Part::TIME]),
    rule("multiplier", &[Part::Number(1, 255)]),
    switch("passive"),
    rule("authentication", &[Part::OneOf(AUTHENTICATION)]),
    PASSWORDS[0],
    PASSWORDS[1],
    PASSWORDS[2],
];

const NEIGHBOR: &[Part] = &[
    Part::IpOnLink,
    Part::Maybe(&[Part::Word("dev"), Part::Interface]),
    Part::Maybe(&[Part::Word("local"), Part::Ip]),
    Part::Maybe(&[Part::Word("multihop"), Part::Switch]),
];

const RULES: &[Rule] = &[
    rule(
        "accept",
        &[
            Part::Maybe(&[Part::OneOf(&["ipv4", "ipv6"])]),
            Part::Maybe(&[Part::OneOf(&["direct", "multihop"])]),
        ],
    ),
    switch("strict bind"),
    switch("zero udp6 checksum rx"),
    rule("interface", &[Part::Names, Part::Maybe(&[Part::Block(SESSION)])]),
    rule("multihop", &[Part::Block(SESSION)]),
    rule("neighbor", NEIGHBOR),
    rule("express thread group", &[Part::Interface]),
];

pub(super) static GRAMMAR: Grammar = Grammar {
    keyword: "bfd",
    type_name: "BFD",
    lacks: "watch over neighbours by BFD",
    phase: Phase::Rest,
    heads: &[],
    templates: true,
    channels: Channels::NONE,
    rules: RULES,
    check,
};

fn check(check: &mut Check<'_>) {
    for neighbor in check.said.all("neighbor") {
        check_neighbor(check, neighbor);
    }
    let sections = check.said.all("interface").chain(check.said.all("multihop"));
    for section in sections {
        check_session(check, section.block());
    }
}

fn check_neighbor(check: &mut Check<'_>, neighbor: &Said) {
    let place = neighbor.place;
    if !neighbor.has_word("multihop") || neighbor.switch() == Some(false) {
        return;
    }
    if !neighbor.has_word("local") {
        check.error_at(place, "Multihop neighbor requires specified local address");
    }
    if neighbor.has_word("dev") {
        check.error_at(place, "Neighbor cannot set both interface and multihop");
    }
}

/// Packets of BFD say by themselves how they are signed.
fn check_session(check: &mut Check<'_>, session: &Statements) {
    let named = passwords(session).into_iter().filter(|said| said.block().has("algorithm"));
    check.forbid_said(named, "Password algorithm option not available in BFD protocol");
}

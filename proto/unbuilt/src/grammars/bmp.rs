//! Monitoring of BGP (RFC 7854).

use dunlin_core::config::grammar::{Part, Rule, rule, switch};
use dunlin_core::protocol::Phase;

use crate::grammar::{Channels, Check, Grammar};

const RULES: &[Rule] = &[
    rule("station address ip", &[Part::Ip, Part::Maybe(&[Part::Word("port"), Part::PORT])]),
    rule("local address", &[Part::Ip]),
    rule("system description", &[Part::Text]),
    rule("system name", &[Part::Text]),
    switch("monitoring rib in pre_policy"),
    switch("monitoring rib in post_policy"),
    rule("tx buffer limit", &[Part::Number(1, u32::MAX)]),
];

pub(super) static GRAMMAR: Grammar = Grammar {
    keyword: "bmp",
    type_name: "BMP",
    lacks: "report its sessions to a monitoring station",
    phase: Phase::Rest,
    heads: &[],
    templates: true,
    channels: Channels::NONE,
    rules: RULES,
    check,
};

fn check(check: &mut Check<'_>) {
    let station = check.said.last("station address ip");
    let port = station.is_some_and(|said| said.has_word("port"));
    check.forbid(station.is_none(), "Station address not specified");
    check.forbid(station.is_some() && !port, "Station port not specified");
}

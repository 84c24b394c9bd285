//! The client of a cache of route origins (RFC 8210).

use dunlin_core::config::grammar::{Part, Rule, rule, switch};
use dunlin_core::protocol::{ChannelKind, Needed, Phase};

use crate::grammar::{Channels, Check, Grammar};

const KEEP: Part = Part::Maybe(&[Part::Word("keep")]);

const TCP: &[Rule] =
    &[rule("authentication", &[Part::OneOf(&["none", "md5"])]), rule("password", &[Part::Text])];

const SSH: &[Rule] = &[
    rule("bird private key", &[Part::Text]),
    rule("remote public key", &[Part::Text]),
    rule("user", &[Part::Text]),
];

const RULES: &[Rule] = &[
    rule(
        "remote",
        &[
            Part::Either(&[&[Part::Ip], &[Part::Text]]),
            Part::Maybe(&[Part::Word("port"), Part::PORT]),
        ],
    ),
    rule("port", &[Part::PORT]),
    rule("local address", &[Part::Ip]),
    rule("refresh", &[KEEP, Part::Number(1, 86400)]),
    rule("retry", &[KEEP, Part::Number(1, 7200)]),
    rule("expire", &[KEEP, Part::Number(600, 172_800)]),
    switch("ignore max length"),
    rule("min version", &[Part::Number(0, 2)]),
    rule("max version", &[Part::Number(0, 2)]),
    rule("transport tcp", &[Part::Maybe(&[Part::Block(TCP)])]),
    rule("transport ssh", &[Part::Block(SSH)]),
];

pub(super) static GRAMMAR: Grammar = Grammar {
    keyword: "rpki",
    type_name: "RPKI",
    lacks: "ask a cache for route origins",
    phase: Phase::Local,
    heads: &[],
    templates: true,
    channels: Channels {
        kinds: &[ChannelKind::Roa4, ChannelKind::Roa6, ChannelKind::Aspa],
        others: &[],
        needed: Needed::Some,
        preference: 100,
        export: false,
    },
    rules: RULES,
    check,
};

fn check(check: &mut Check<'_>) {
    let said = check.said;
    check.need("remote", "IP address or hostname of cache server must be set");
    check.forbid_said(said.all("remote").nth(1), "Only one cache server per protocol allowed");
    let (min, max) = (said.number("min version"), said.number("max version"));
    check.ordered(min, max.or(Some(2)), "Min version exceeds max version");
    if let Some(ssh) = said.last("transport ssh") {
        check.forbid(!ssh.block().has("user"), "User must be set for SSH transport");
    }
    if let Some(tcp) = said.last("transport tcp") {
        let block = tcp.block();
        let md5 = block.last("authentication").is_some_and(|said| said.has_word("md5"));
        check.forbid(md5 && !block.has("password"), "Password must be set for MD5 authentication");
    }
}

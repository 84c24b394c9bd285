//! Router advertisements (RFC 4861).

use dunlin_core::config::grammar::{Part, Rule, rule, switch};
use dunlin_core::protocol::{ChannelKind, Needed, OtherChannel, Phase};

use crate::grammar::{Channels, Check, Grammar};

const SENSITIVE: Part = Part::Maybe(&[Part::Word("sensitive"), Part::Switch]);

const PREFERENCE: Part = Part::OneOf(&["low", "medium", "high"]);

const LIFETIME: Rule = rule("lifetime", &[Part::Maybe(&[Part::Word("mult")]), Part::NUMBER]);

const RDNSS: Rule = rule(
    "rdnss",
    &[Part::Either(&[&[Part::Block(&[rule("ns", &[Part::Ip]), LIFETIME])], &[Part::Ip]])],
);

const DNSSL: Rule = rule(
    "dnssl",
    &[Part::Either(&[&[Part::Block(&[rule("domain", &[Part::Text]), LIFETIME])], &[Part::Text]])],
);

const CUSTOM: Rule =
    rule("custom option type", &[Part::Number(0, 255), Part::Word("value"), Part::Bytes]);

const PREFIX: Rule = rule(
    "prefix",
    &[
        Part::Prefix,
        Part::Maybe(&[Part::Block(&[
            switch("skip"),
            switch("onlink"),
            switch("autonomous"),
            switch("pd preferred"),
            rule("valid lifetime", &[Part::NUMBER, SENSITIVE]),
            rule("preferred lifetime", &[Part::NUMBER, SENSITIVE]),
        ])]),
    ],
);

const INTERFACE: &[Rule] = &[
    rule("max ra interval", &[Part::Number(4, 1800)]),
    rule("min ra interval", &[Part::Number(3, 1350)]),
    rule("min delay", &[Part::Number(1, u32::MAX)]),
    switch("solicited ra unicast"),
    switch("managed"),
    switch("other config"),
    rule("link mtu", &[Part::NUMBER]),
    rule("reachable time", &[Part::Number(0, 3_600_000)]),
    rule("retrans timer", &[Part::NUMBER]),
    rule("current hop limit", &[Part::Number(0, 255)]),
    rule("default lifetime", &[Part::Number(0, 9000), SENSITIVE]),
    rule("default preference", &[PREFERENCE]),
    rule("route lifetime", &[Part::NUMBER, SENSITIVE]),
    rule("route preference", &[PREFERENCE]),
    rule("prefix linger time", &[Part::Number(0, 3600)]),
    rule("route linger time", &[Part::Number(0, 3600)]),
    switch("rdnss local"),
    switch("dnssl local"),
    switch("custom option local"),
    switch("router discovery"),
    PREFIX,
    RDNSS,
    DNSSL,
    CUSTOM,
];

const RULES: &[Rule] = &[
    rule("interface", &[Part::Names, Part::Maybe(&[Part::Block(INTERFACE)])]),
    PREFIX,
    RDNSS,
    DNSSL,
    CUSTOM,
    rule("trigger", &[Part::Prefix]),
    switch("propagate routes"),
];

pub(super) static GRAMMAR: Grammar = Grammar {
    keyword: "radv",
    type_name: "RAdv",
    lacks: "advertise itself as a router",
    phase: Phase::Rest,
    heads: &[],
    templates: true,
    channels: Channels {
        kinds: &[ChannelKind::Ipv6],
        others: &[OtherChannel::NEIGHBORS],
        needed: Needed::Any,
        preference: 0,
        export: false,
    },
    rules: RULES,
    check,
};

fn check(check: &mut Check<'_>) {
    let discovers = check.config.others.iter().any(|o| o.channel == OtherChannel::NEIGHBORS);
    for interface in check.said.all("interface") {
        let block = interface.block();
        let max = block.number("max ra interval").unwrap_or(600);
        if block.number("min ra interval").is_some_and(|min| min > max * 3 / 4) {
            check
                .error_at(interface.place, "Min RA interval must be at most 3/4 * Max RA interval");
        }
        if block.number("default lifetime").is_some_and(|life| life != 0 && life < max) {
            check.error_at(
                interface.place,
                "Default lifetime must be either 0 or at least Max RA interval",
            );
        }
        if block.is_on("router discovery", false) && !discovers {
            check.error_at(interface.place, "Router discovery requires the neighbors channel");
        }
    }
    if let Some(trigger) = check.said.last("trigger") {
        let wrong = trigger.values.iter().any(|given| {
            matches!(given, dunlin_core::config::grammar::Given::Prefix(p) if p.addr().is_ipv4())
        });
        check.forbid_said(Some(trigger).filter(|_| wrong), "Trigger prefix must be IPv6");
    }
}

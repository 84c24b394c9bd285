//! Router advertisements (RFC 4861).

use dunlin_core::config::grammar::{Given, Part, Rule, Said, Statements, rule, switch};
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

/// Zero, or so long that the next advertisement comes in time.
const LIFETIMES: [&str; 4] =
    ["default lifetime", "route lifetime", "prefix linger time", "route linger time"];

fn check(check: &mut Check<'_>) {
    let discovers = check.config.others.iter().any(|o| o.channel == OtherChannel::NEIGHBORS);
    for interface in check.said.all("interface") {
        let block = interface.block();
        let max = block.number("max ra interval").unwrap_or(600);
        if block.number("min ra interval").is_some_and(|min| min > max * 3 / 4) {
            check
                .error_at(interface.place, "Min RA interval must be at most 3/4 * Max RA interval");
        }
        for words in LIFETIMES {
            if block.number(words).is_some_and(|life| life != 0 && life < max) {
                let name = format!("{}{}", words[..1].to_uppercase(), &words[1..]);
                let text = format!("{name} must be either 0 or at least Max RA interval");
                check.error_at(interface.place, &text);
            }
        }
        check_advertised(check, block);
        if block.is_on("router discovery", false) && !discovers {
            check.error_at(interface.place, "Router discovery requires the neighbors channel");
        }
    }
    check_advertised(check, check.said);
    let trigger = check.said.last("trigger").filter(|said| has_ipv4(said));
    check.forbid_said(trigger, "Trigger prefix must be IPv6");
}

/// What an interface has of its own, or all have.
fn check_advertised(check: &mut Check<'_>, block: &Statements) {
    for prefix in block.all("prefix") {
        check.forbid_said(Some(prefix).filter(|said| has_ipv4(said)), "Prefix must be IPv6");
        let times = prefix.block();
        let valid = times.number("valid lifetime").unwrap_or(86_400);
        if times.number("preferred lifetime").unwrap_or(14_400) > valid {
            check.error_at(prefix.place, "Preferred lifetime must be at most Valid lifetime");
        }
    }
    for (words, item, text) in [
        ("rdnss", "ns", "No nameserver in RDNSS section"),
        ("dnssl", "domain", "No domain in DNSSL section"),
    ] {
        let sections = block.all(words).filter(|said| matches!(said.values[..], [Given::Block(_)]));
        check.forbid_said(sections.filter(|said| !said.block().has(item)), text);
    }
    let lists = block.all("dnssl");
    let domains = lists.flat_map(|said| core::iter::once(said).chain(said.block().all("domain")));
    let wrong = domains.filter(|said| said.text().is_some_and(|name| !is_domain(name)));
    check.forbid_said(wrong, "Invalid domain name");
}

fn has_ipv4(said: &Said) -> bool {
    said.values
        .iter()
        .any(|given| matches!(given, Given::Prefix(prefix) if prefix.addr().is_ipv4()))
}

/// Labels of 1 to 63 bytes that fit into a message (RFC 1035, section 3.1), without a dot behind the last.
fn is_domain(name: &str) -> bool {
    name.len() <= 253 && name.split('.').all(|label| (1..=63).contains(&label.len()))
}

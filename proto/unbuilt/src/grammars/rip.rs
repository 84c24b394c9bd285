//! RIP (RFC 2453) and RIPng (RFC 2080).

use dunlin_core::config::grammar::{PASSWORDS, Part, Rule, Said, rule, switch};
use dunlin_core::protocol::{ChannelKind, Needed, OtherChannel, Phase};

use crate::grammar::{Channels, Check, Grammar, passwords};

/// Seconds, as timers have them.
const SECONDS: Part = Part::Number(1, 65535);

const INTERFACE: &[Rule] = &[
    rule("metric", &[Part::Number(1, 255)]),
    rule("mode", &[Part::OneOf(&["multicast", "broadcast"])]),
    switch("passive"),
    rule("address", &[Part::Ip]),
    rule("port", &[Part::PORT]),
    rule("version", &[Part::Number(1, 2)]),
    rule("version only", &[Part::Switch]),
    switch("split horizon"),
    switch("poison reverse"),
    switch("demand circuit"),
    switch("check zero"),
    rule("update time", &[SECONDS]),
    rule("timeout time", &[SECONDS]),
    rule("garbage time", &[SECONDS]),
    rule("retransmit time", &[Part::TIME]),
    rule("ecmp weight", &[Part::Number(1, 256)]),
    rule("ttl security", &[Part::Either(&[&[Part::OneOf(&["tx only"])], &[Part::Switch]])]),
    rule("tx class", &[Part::Number(0, 255)]),
    rule("tx dscp", &[Part::Number(0, 63)]),
    rule("tx priority", &[Part::NUMBER]),
    rule("rx buffer", &[Part::Number(256, 65535)]),
    rule("tx length", &[Part::Number(256, 65535)]),
    switch("check link"),
    switch("bfd"),
    rule("authentication", &[Part::OneOf(&["none", "plaintext", "cryptographic", "md5"])]),
    PASSWORDS[0],
    PASSWORDS[1],
    PASSWORDS[2],
];

const RULES: &[Rule] = &[
    rule("infinity", &[Part::Number(2, 255)]),
    rule("ecmp", &[Part::Switch, Part::Maybe(&[Part::Word("limit"), Part::Number(1, 255)])]),
    rule("interface", &[Part::Names, Part::Maybe(&[Part::Block(INTERFACE)])]),
];

pub(super) static GRAMMAR: Grammar = Grammar {
    keyword: "rip",
    type_name: "RIP",
    lacks: "speak RIP",
    phase: Phase::Rest,
    heads: &["ng"],
    templates: true,
    channels: Channels {
        kinds: &[ChannelKind::Ipv4, ChannelKind::Ipv6],
        others: &[OtherChannel::MPLS],
        needed: Needed::Any,
        preference: 120,
        export: false,
    },
    rules: RULES,
    check,
};

fn check(check: &mut Check<'_>) {
    let is_ng = check.head == Some("ng");
    check.one_channel();
    let other = if is_ng { ChannelKind::Ipv4 } else { ChannelKind::Ipv6 };
    let wrong = check.config.channel(other).is_some();
    check.forbid(wrong, "Channel family does not fit the version of RIP");
    for interface in check.said.all("interface") {
        let block = interface.block();
        if is_ng {
            for words in ["mode", "version", "version only", "check zero", "authentication"] {
                check.forbid_said(block.last(words), "This option requires RIPv2");
            }
            let passwords = passwords(block);
            check.forbid_said(passwords, "Authentication not supported in RIPng");
        }
        let other_family = |said: &&Said| said.ip().is_some_and(|ip| ip.is_ipv6() != is_ng);
        let address = block.last("address").filter(other_family);
        check.forbid_said(address, "IP address version mismatch");
        let (update, timeout) = (block.number("update time"), block.number("timeout time"));
        if let (Some(update), Some(timeout)) = (update, timeout)
            && timeout < update
        {
            check.error_at(interface.place, "Timeout time must be at least update time");
        }
    }
}

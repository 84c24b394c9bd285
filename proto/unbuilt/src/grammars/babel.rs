//! Babel (RFC 8966).

use dunlin_core::config::grammar::{PASSWORDS, Part, Rule, Said, rule, switch};
use dunlin_core::protocol::{ChannelKind, Needed, OtherChannel, Phase};

use crate::grammar::{Channels, Check, Grammar, passwords, signed_by};

/// Intervals fit into 16 bits of centiseconds.
const INTERVAL: Part = Part::Seconds(10, 655_350);

const INTERFACE: &[Rule] = &[
    rule("type", &[Part::OneOf(&["wired", "wireless", "tunnel"])]),
    rule("rxcost", &[Part::Number(1, 65535)]),
    rule("limit", &[Part::Number(1, 16)]),
    rule("hello interval", &[INTERVAL]),
    rule("update interval", &[INTERVAL]),
    rule("port", &[Part::PORT]),
    switch("check link"),
    rule("next hop ipv4", &[Part::Ip]),
    rule("next hop ipv6", &[Part::Ip]),
    rule("next hop prefer", &[Part::OneOf(&["native", "ipv6"])]),
    switch("extended next hop"),
    rule("rtt cost", &[Part::Number(0, 65535)]),
    rule("rtt min", &[Part::TIME]),
    rule("rtt max", &[Part::TIME]),
    rule("rtt decay", &[Part::Number(1, 256)]),
    switch("send timestamps"),
    rule("rx buffer", &[Part::Number(256, 65535)]),
    rule("tx length", &[Part::Number(256, 65535)]),
    rule("tx class", &[Part::Number(0, 255)]),
    rule("tx dscp", &[Part::Number(0, 63)]),
    rule("tx priority", &[Part::NUMBER]),
    rule("authentication", &[Part::OneOf(&["none", "mac permissive", "mac"])]),
    PASSWORDS[0],
    PASSWORDS[1],
    PASSWORDS[2],
];

const RULES: &[Rule] = &[
    switch("randomize router id"),
    rule("interface", &[Part::Names, Part::Maybe(&[Part::Block(INTERFACE)])]),
];

pub(super) static GRAMMAR: Grammar = Grammar {
    keyword: "babel",
    type_name: "Babel",
    lacks: "speak Babel",
    phase: Phase::Rest,
    heads: &[],
    templates: true,
    channels: Channels {
        kinds: &[ChannelKind::Ipv4, ChannelKind::Ipv6],
        others: &[OtherChannel::IPV6_SADR, OtherChannel::MPLS],
        needed: Needed::Any,
        preference: 130,
        export: false,
    },
    rules: RULES,
    check,
};

fn check(check: &mut Check<'_>) {
    let sadr = check.config.others.iter().any(|other| other.channel == OtherChannel::IPV6_SADR);
    let both = sadr && check.config.channel(ChannelKind::Ipv6).is_some();
    check.forbid(both, "Both ipv6 and ipv6-sadr channels specified");
    for interface in check.said.all("interface") {
        let block = interface.block();
        let (min, max) = (block.time("rtt min"), block.time("rtt max"));
        if let (Some(min), Some(max)) = (min, max)
            && min >= max
        {
            check.error_at(interface.place, "Min RTT must be smaller than max RTT");
        }
        let passwords = !passwords(block).is_empty();
        let signed = block.last("authentication").is_some_and(|said| !said.has_word("none"));
        if signed && !passwords {
            check.error_at(interface.place, "No passwords specified for authentication");
        }
        if passwords && !signed {
            let text = "Authentication and password options should be used together";
            check.error_at(interface.place, text);
        }
        let keyed = signed_by(block, &["keyed"]);
        check.forbid_said(keyed, "Only HMAC and Blake2 algorithms are supported");
        let of_family = |said: &&Said, ipv6| said.ip().is_some_and(|ip| ip.is_ipv6() == ipv6);
        let wrong = block.last("next hop ipv4").filter(|said| of_family(said, true));
        check.forbid_said(wrong, "Must be an IPv4 address");
        let wrong = block.last("next hop ipv6").filter(|said| of_family(said, false));
        check.forbid_said(wrong, "Must be an IPv6 address");
    }
}

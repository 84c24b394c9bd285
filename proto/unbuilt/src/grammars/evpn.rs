//! Ethernet virtual private networks (RFC 7432, RFC 8365).

use dunlin_core::config::grammar::{Part, Rule, rule, switch};
use dunlin_core::protocol::{Needed, OtherChannel, Phase};

use super::target;
use crate::grammar::{Channels, Check, Grammar};

/// Identifiers of 24 bits.
const VNI: Part = Part::Number(0, (1 << 24) - 1);

const VID: Part = Part::Number(1, 4095);

const VXLAN: &[Rule] =
    &[rule("tunnel device", &[Part::Text]), rule("router address", &[Part::Ip]), switch("default")];

const VLAN: &[Rule] = &[
    rule("range", &[Part::Number(1, 4095)]),
    rule("vni", &[VNI]),
    rule("vid", &[VID]),
    rule("tag", &[Part::NUMBER]),
];

const RULES: &[Rule] = &[
    target::RULES[0],
    target::RULES[1],
    target::RULES[2],
    target::RULES[3],
    target::RULES[4],
    rule("vni", &[VNI]),
    rule("vid", &[VID]),
    rule("tag", &[Part::NUMBER]),
    rule("encapsulation vxlan", &[Part::Maybe(&[Part::Block(VXLAN)])]),
    rule("vlan", &[VID, Part::Maybe(&[Part::Block(VLAN)])]),
];

pub(super) static GRAMMAR: Grammar = Grammar {
    keyword: "evpn",
    type_name: "EVPN",
    lacks: "translate routes of Ethernet networks",
    phase: Phase::Plumbing,
    heads: &[],
    templates: true,
    channels: Channels {
        kinds: &[],
        others: &[OtherChannel::EVPN, OtherChannel::ETH, OtherChannel::MPLS],
        needed: Needed::Some,
        preference: 120,
        export: true,
    },
    rules: RULES,
    check,
};

fn check(check: &mut Check<'_>) {
    let has = |channel| check.config.others.iter().any(|other| other.channel == channel);
    let (evpn, eth) = (has(OtherChannel::EVPN), has(OtherChannel::ETH));
    check.forbid(!eth, "ETH channel not specified");
    check.forbid(!evpn, "EVPN channel not specified");
    let rd = check.said.has("rd") || check.said.has("route distinguisher");
    check.forbid(!rd, "Route distinguisher not specified");
}

//! Forwarding tables of bridges.

use dunlin_core::config::grammar::{Part, Rule, rule, switch};
use dunlin_core::protocol::{Needed, OtherChannel, Phase};

use crate::grammar::{Channels, Check, Grammar};

const RULES: &[Rule] = &[
    rule("bridge device", &[Part::Text]),
    switch("vlan filtering"),
    rule("scan time", &[Part::TIME]),
];

pub(super) static GRAMMAR: Grammar = Grammar {
    keyword: "bridge",
    type_name: "Bridge",
    lacks: "read or write forwarding tables of bridges",
    phase: Phase::Plumbing,
    heads: &[],
    templates: true,
    channels: Channels {
        kinds: &[],
        others: &[OtherChannel::ETH],
        needed: Needed::One,
        preference: 10,
        export: false,
    },
    rules: RULES,
    check,
};

fn check(check: &mut Check<'_>) {
    check.need("bridge device", "Bridge device must be specified");
}

//! Layer 3 virtual private networks (RFC 4364).

use dunlin_core::config::grammar::Rule;
use dunlin_core::protocol::{ChannelKind, Needed, OtherChannel, Phase};

use super::target;
use crate::grammar::{Channels, Check, Grammar};

const RULES: &[Rule] = &target::RULES;

pub(super) static GRAMMAR: Grammar = Grammar {
    keyword: "l3vpn",
    type_name: "L3VPN",
    lacks: "translate routes of virtual private networks",
    phase: Phase::Plumbing,
    heads: &[],
    templates: true,
    channels: Channels {
        kinds: &[ChannelKind::Ipv4, ChannelKind::Ipv6],
        others: &[OtherChannel::VPN4, OtherChannel::VPN6, OtherChannel::MPLS],
        needed: Needed::Any,
        preference: 120,
        export: true,
    },
    rules: RULES,
    check,
};

fn check(check: &mut Check<'_>) {
    let others = &check.config.others;
    let has = |channel| others.iter().any(|other| other.channel == channel);
    let (vpn4, vpn6, mpls) =
        (has(OtherChannel::VPN4), has(OtherChannel::VPN6), has(OtherChannel::MPLS));
    let ip4 = check.config.channel(ChannelKind::Ipv4).is_some();
    let ip6 = check.config.channel(ChannelKind::Ipv6).is_some();
    check.forbid(!mpls, "MPLS channel not specified");
    check.forbid(ip4 != vpn4, "For IPv4 L3VPN, both IPv4 and VPNv4 channels must be specified");
    check.forbid(ip6 != vpn6, "For IPv6 L3VPN, both IPv6 and VPNv6 channels must be specified");
    let rd = check.said.has("rd") || check.said.has("route distinguisher");
    check.forbid(!rd, "Route distinguisher not specified");
    for way in ["import target", "export target"] {
        let given = check.said.has(way) || check.said.has("route target");
        let text = match way {
            "import target" => "Import target not specified",
            _ => "Export target not specified",
        };
        check.forbid(!given, text);
    }
}

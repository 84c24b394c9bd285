//! OSPF, versions 2 (RFC 2328) and 3 (RFC 5340).

use dunlin_conf::InterfacePattern;
use dunlin_core::config::grammar::{PASSWORDS, Part, Rule, Said, rule, switch};
use dunlin_core::protocol::{
    ChannelConfig, ChannelKind, Needed, OtherChannel, OtherChannelConfig, Phase,
};
use dunlin_filter::ChannelFilter;

use crate::grammar::{Channels, Check, Grammar, signed_by};

const TYPES: &[&str] = &[
    "broadcast",
    "bcast",
    "ptp",
    "pointopoint",
    "nbma",
    "nonbroadcast",
    "ptmp",
    "pointomultipoint",
];

/// Seconds that fit into 16 bits.
const SECONDS: Part = Part::Number(1, 65535);

const NEIGHBOR: &[Rule] = &[rule("", &[Part::Ip, Part::Maybe(&[Part::Word("eligible")])])];

const INTERFACE: &[Rule] = &[
    rule("cost", &[Part::Number(1, 65535)]),
    rule("hello", &[SECONDS]),
    rule("poll", &[SECONDS]),
    rule("retransmit", &[SECONDS]),
    rule("wait", &[Part::Number(1, 65535)]),
    rule("dead", &[SECONDS]),
    rule("dead count", &[Part::Number(2, 255)]),
    rule("transmit delay", &[SECONDS]),
    rule("type", &[Part::OneOf(TYPES)]),
    rule("priority", &[Part::Number(0, 255)]),
    switch("stub"),
    switch("check link"),
    switch("bfd"),
    switch("strict nonbroadcast"),
    switch("real broadcast"),
    switch("ptp netmask"),
    switch("ptp address"),
    switch("link lsa suppression"),
    // In BIRD's guide only.
    switch("secondary"),
    rule("ecmp weight", &[Part::Number(1, 256)]),
    rule("neighbors", &[Part::Block(NEIGHBOR)]),
    rule("authentication", &[Part::OneOf(&["none", "simple", "cryptographic"])]),
    rule(
        "rx buffer",
        &[Part::Either(&[&[Part::OneOf(&["normal", "large"])], &[Part::Number(256, 65535)]])],
    ),
    rule("tx length", &[Part::Number(256, 65535)]),
    rule("ttl security", &[Part::Either(&[&[Part::OneOf(&["tx only"])], &[Part::Switch]])]),
    rule("tx class", &[Part::Number(0, 255)]),
    rule("tx dscp", &[Part::Number(0, 63)]),
    rule("tx priority", &[Part::NUMBER]),
    PASSWORDS[0],
    PASSWORDS[1],
    PASSWORDS[2],
];

const VIRTUAL_LINK: &[Rule] = &[
    rule("hello", &[SECONDS]),
    rule("retransmit", &[SECONDS]),
    rule("wait", &[SECONDS]),
    rule("dead", &[SECONDS]),
    rule("dead count", &[Part::Number(2, 255)]),
    rule("authentication", &[Part::OneOf(&["none", "simple", "cryptographic"])]),
    PASSWORDS[0],
    PASSWORDS[1],
    PASSWORDS[2],
];

const STUBNET: &[Rule] =
    &[switch("hidden"), switch("summary"), rule("cost", &[Part::Number(1, 65535)])];

const NETWORKS: &[Rule] = &[rule("", &[Part::Prefix, Part::Maybe(&[Part::Word("hidden")])])];

const EXTERNAL: &[Rule] = &[rule(
    "",
    &[
        Part::Prefix,
        Part::Maybe(&[Part::Word("hidden")]),
        Part::Maybe(&[Part::Word("tag"), Part::NUMBER]),
    ],
)];

const INSTANCE: Part = Part::Maybe(&[Part::Word("instance"), Part::Number(0, 255)]);

/// Costs of 24 bits.
const COST: Part = Part::Number(1, 16_777_215);

const AREA: &[Rule] = &[
    switch("stub"),
    switch("nssa"),
    switch("summary"),
    switch("default nssa"),
    rule("default cost", &[COST]),
    rule("default cost2", &[COST]),
    rule("stub cost", &[COST]),
    switch("translator"),
    rule("translator stability", &[Part::NUMBER]),
    rule("networks", &[Part::Block(NETWORKS)]),
    rule("external", &[Part::Block(EXTERNAL)]),
    rule("stubnet", &[Part::Prefix, Part::Maybe(&[Part::Block(STUBNET)])]),
    rule("interface", &[Part::Pattern, INSTANCE, Part::Maybe(&[Part::Block(INTERFACE)])]),
    rule("virtual link", &[Part::Id, INSTANCE, Part::Maybe(&[Part::Block(VIRTUAL_LINK)])]),
];

const RULES: &[Rule] = &[
    switch("rfc1583compat"),
    switch("rfc5838"),
    rule("instance id", &[Part::Number(0, 255)]),
    switch("stub router"),
    rule("tick", &[Part::Number(1, u32::MAX)]),
    rule("ecmp", &[Part::Switch, Part::Maybe(&[Part::Word("limit"), Part::Number(1, 255)])]),
    switch("merge external"),
    rule("graceful restart", &[Part::Either(&[&[Part::Word("aware")], &[Part::Switch]])]),
    rule("graceful restart time", &[Part::Number(1, 1800)]),
    switch("vpn pe"),
    rule("area", &[Part::Id, Part::Block(AREA)]),
];

pub(super) static GRAMMAR: Grammar = Grammar {
    keyword: "ospf",
    type_name: "OSPF",
    lacks: "speak OSPF",
    phase: Phase::Rest,
    heads: &["v2", "v3"],
    templates: false,
    channels: Channels {
        kinds: &[ChannelKind::Ipv4, ChannelKind::Ipv6],
        others: &[OtherChannel::IPV4_MULTICAST, OtherChannel::IPV6_MULTICAST, OtherChannel::MPLS],
        needed: Needed::Any,
        preference: 150,
        export: false,
    },
    rules: RULES,
    check,
};

fn check(check: &mut Check<'_>) {
    let is_v3 = check.head == Some("v3");
    check.one_channel();
    let ipv6 = check.config.channel(ChannelKind::Ipv6).is_some();
    let own = |channel: &OtherChannelConfig| channel.channel != OtherChannel::IPV6_MULTICAST;
    let other = check.config.channel(ChannelKind::Ipv4).is_some()
        || check.config.others.iter().filter(|other| other.channel != OtherChannel::MPLS).any(own);
    let only_ipv6 = is_v3 && !check.said.is_on("rfc5838", true);
    check.forbid(only_ipv6 && other, "Different channel type");
    check.forbid(!is_v3 && ipv6, "OSPFv2 cannot have an ipv6 channel");
    check.need("area", "No configured areas in OSPF");
    let (wrong, text): (&[&str], &str) = match is_v3 {
        true => (&["rfc1583compat"], "rfc1583compat option requires OSPFv2"),
        false => (&["rfc5838", "instance id"], "Instance ID requires OSPFv3"),
    };
    for words in wrong {
        check.forbid_said(check.said.last(words), text);
    }
    let areas: Vec<&Said> = check.said.all("area").collect();
    for (n, area) in areas.iter().enumerate() {
        let same = areas[..n].iter().any(|before| before.number() == area.number());
        if same {
            // BIRD 2 takes it; BIRD 3 does not.
            let hint = "what both say of it belongs into one block: that is what BIRD 3 wants";
            check.parser.warning(area.place, "Area already defined").hint(hint);
        }
        check_area(check, area, is_v3);
    }
    let exports = |channel: &ChannelConfig| !matches!(channel.export, ChannelFilter::Reject);
    let alone = areas.iter().all(|area| area.number() == areas[0].number());
    let lone_stub = alone && areas.iter().any(|area| area.block().is_on("stub", false));
    let asbr = lone_stub && check.config.channels.iter().any(exports);
    check.forbid(asbr, "ASBR must be in non-stub area");
    let links = areas.iter().any(|area| area.block().has("virtual link"));
    check.forbid(links && alone, "Vlinks cannot be used on single area router");
}

fn check_area(check: &mut Check<'_>, area: &Said, is_v3: bool) {
    let block = area.block();
    let backbone = area.number() == Some(0);
    let special = block.is_on("stub", false) || block.is_on("nssa", false);
    if backbone && special {
        check.error_at(area.place, "Backbone area cannot be stub/NSSA");
    }
    let summed = block.is_on("nssa", false) && block.is_on("summary", false);
    if block.is_on("default nssa", false) && !summed {
        let text = "Only NSSA areas with summary propagation can use NSSA default route";
        check.error_at(area.place, text);
    }
    let links: Vec<&Said> = block.all("virtual link").collect();
    if backbone || special {
        check.forbid_said(links.iter().copied(), "Vlinks cannot be used in this area");
    }
    for interface in block.all("interface").chain(links) {
        check_timers(check, interface);
        match is_v3 {
            true => check_interface_v3(check, interface),
            false => check.forbid_said(
                interface.block().last("link lsa suppression"),
                "Link LSA suppression option requires OSPFv3",
            ),
        }
    }
}

fn check_timers(check: &mut Check<'_>, interface: &Said) {
    let options = interface.block();
    for (words, name) in
        [("dead", "Dead interval"), ("wait", "Wait interval"), ("retransmit", "Retransmit int")]
    {
        if options.number(words) == Some(1) {
            check.error_at(interface.place, &format!("{name} must be greater than one"));
        }
    }
    let (hello, dead) = (options.number("hello"), options.number("dead"));
    if let (Some(hello), Some(dead)) = (hello, dead)
        && dead <= hello
    {
        check.error_at(interface.place, "Dead time must be greater than hello time");
    }
}

fn check_interface_v3(check: &mut Check<'_>, interface: &Said) {
    let options = interface.block();
    // It speaks by link-local addresses: which others an interface has is nothing to it.
    let by_address = interface.interfaces().is_some_and(InterfacePattern::has_prefixes);
    let by_address = Some(interface).filter(|_| by_address);
    check.forbid_said(by_address, "Interface name/mask expected, not IP prefix");
    let simple = options.last("authentication").filter(|said| said.has_word("simple"));
    check.forbid_said(simple, "Plaintext authentication not supported in OSPFv3");
    for words in ["ptp netmask", "ptp address", "real broadcast"] {
        check.forbid_said(options.last(words), "This option requires OSPFv2");
    }
    let keyed = signed_by(options, &["keyed", "blake2"]);
    check.forbid_said(keyed, "Keyed hash algorithms are not allowed, use HMAC algorithms");
    check_instance(check, interface);
}

/// Each family has instance ids of its own (RFC 5838, section 2.1).
fn check_instance(check: &mut Check<'_>, interface: &Said) {
    if !check.said.is_on("rfc5838", true) {
        return;
    }
    let multicast = [OtherChannel::IPV4_MULTICAST, OtherChannel::IPV6_MULTICAST];
    let is_multicast = check.config.others.iter().any(|other| multicast.contains(&other.channel));
    let ipv4 = check.config.channel(ChannelKind::Ipv4).is_some()
        || check.config.others.iter().any(|other| other.channel == multicast[0]);
    let first = 64 * u32::from(ipv4) + 32 * u32::from(is_multicast);
    // A virtual link has its neighbour's id in front.
    let at = usize::from(interface.words == "virtual link");
    let id = interface.numbers().nth(at).or(check.said.number("instance id")).unwrap_or(first);
    if !(first..first + 32).contains(&id) {
        let text = format!("Instance ID {id} invalid for given channel type");
        check.error_at(interface.place, &text);
    }
}

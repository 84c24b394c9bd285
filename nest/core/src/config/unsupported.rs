//! Things that BIRD has and Dunlin does not: an error that names them if they would change what it
//! does, a warning if there is nothing that they could change; never silence.

use dunlin_conf::{Failed, Span};

use super::ConfigParser;

/// Protocol types of BIRD 3.3.2.
const PROTOCOLS: &[&str] = &[
    "aggregator",
    "babel",
    "bfd",
    "bgp",
    "bmp",
    "bridge",
    "device",
    "direct",
    "evpn",
    "kernel",
    "l3vpn",
    "mrt",
    "ospf",
    "pipe",
    "radv",
    "rip",
    "rpki",
    "static",
    "perf",
];

/// Channel and table types of BIRD 3.3.2 besides `ipv4` and `ipv6`.
const NET_TYPES: &[&str] =
    &["vpn4", "vpn6", "roa4", "roa6", "flow4", "flow6", "eth", "aspa", "evpn", "mpls", "neighbor"];

/// Whether BIRD has such a protocol type.
pub(super) fn is_protocol(word: &str) -> bool {
    PROTOCOLS.contains(&word)
}

/// Whether BIRD has such a table or channel type.
pub(super) fn is_net_type(word: &str) -> bool {
    NET_TYPES.contains(&word)
}

/// Reports that the thing at the cursor is not built yet.
pub fn refuse(parser: &mut ConfigParser, what: &str) -> Failed {
    parser
        .error_here(format!("{what} is not supported yet"))
        .because("Dunlin does not have this so far; take it out, or keep this part on BIRD for now")
}

/// Warns that an option is read and changes nothing. `option`: its words; `place`: where it stands;
/// `reason`: what makes it so, to be read by whoever wrote it.
pub fn no_effect(parser: &mut ConfigParser, place: Span, option: &str, reason: &str) {
    parser.warning(place, format!("{option}: accepted, has no effect: {reason}"));
}

//! The words of the language.
//!
//! Parsers match keywords by their text; this list is only for messages: it tells a keyword from an
//! unknown name, and finds symbols that hide a keyword.

/// Whether BIRD's language has this keyword.
#[must_use]
pub fn is_keyword(name: &str) -> bool {
    KEYWORDS.binary_search(&name).is_ok()
}

/// All keywords.
pub(crate) fn all() -> impl Iterator<Item = &'static str> {
    KEYWORDS.iter().copied()
}

/// Words that start a statement at the top level; at the start of a line they end error recovery.
#[must_use]
pub fn starts_statement(name: &str) -> bool {
    const WORDS: &[&str] = &[
        "attribute",
        "define",
        "eval",
        "filter",
        "function",
        "log",
        "protocol",
        "router",
        "template",
        "timeformat",
    ];
    WORDS.contains(&name)
}

/// All keywords, sorted.
#[rustfmt::skip]
const KEYWORDS: &[&str] = &[
    "accept", "action", "add", "additional", "address", "advertise", "aes128", "after",
    "aggregate", "aggregator", "aigp", "algorithm", "all", "allow", "already", "always", "and",
    "ao", "append", "applied", "apply", "area", "as", "aspa", "aspa_check",
    "aspa_check_downstream", "aspa_check_upstream", "aspa_providers", "attribute", "attributes",
    "authentication", "autonomous", "aware", "backbone", "backup", "base", "bcast", "bfd",
    "bgp", "bgpmask", "bgppath", "bind", "bird", "blackhole", "blake2b256", "blake2b512",
    "blake2s128", "blake2s256", "block", "bmp", "bool", "both", "bridge", "broadcast", "buffer",
    "by", "bytestring", "capabilities", "case", "cease", "channel", "channels", "check",
    "checksum", "circuit", "class", "cli", "clist", "cluster", "cmac", "collision", "commands",
    "community", "confederation", "config", "configure", "confirm", "connect", "cork", "cost",
    "cost2", "count", "cryptographic", "current", "custom", "database", "dead", "deadline",
    "debug", "decay", "default", "define", "defined", "delay", "delete", "demand", "deprecated",
    "description", "dest", "deterministic", "dev", "device", "digest", "digits", "direct",
    "disable", "disabled", "discovery", "distance", "distinguisher", "dnssl", "do", "domain",
    "double", "down", "downstream", "drop", "dropped", "dscp", "dst", "dump", "dynamic", "ebgp",
    "ec", "eclist", "ecmp", "eligible", "else", "empty", "enable", "enabled", "encapsulation",
    "enforce", "enhanced", "enum", "error", "errors", "eth", "eval", "events", "evpn", "exact",
    "exit", "expire", "export", "express", "extended", "external", "fallback", "false",
    "filename", "filter", "filtered", "filtering", "filters", "first", "fixed", "flow4",
    "flow6", "for", "forget", "format", "forwarding", "free", "from", "from_hex", "function",
    "garbage", "gateway", "gc", "generate", "generation", "generic", "global", "graceful",
    "group", "gw", "gw_mpls", "hash", "hello", "helper", "hidden", "high", "hmac", "hold",
    "hop", "hops", "horizon", "host", "hostname", "ibgp", "id", "idle", "if", "ifindex",
    "ifname", "ignore", "igp", "igp_metric", "import", "in", "include", "infinity", "inherited",
    "init", "instance", "int", "interface", "interfaces", "internal", "interval", "ip", "ipv4",
    "ipv6", "is_v4", "iso", "keep", "keepalive", "kernel", "key", "keyed", "keys", "l3vpn",
    "label", "large", "last", "last_nonaggregated", "latency", "lc", "lclist", "learn", "left",
    "len", "length", "level", "lifetime", "limit", "linger", "link", "lived", "lladdr", "llgr",
    "local", "log", "logging", "long", "longer", "lookup", "low", "lsa", "lsadb", "mac",
    "managed", "mandatory", "mask", "max", "maxlen", "mcast", "md5", "med", "medium", "member",
    "members", "merge", "message", "messages", "meticulous", "metric", "min", "missing", "mode",
    "monitoring", "mp", "mpls", "mrt", "mrtdump", "ms", "mtu", "mult", "multicast", "multihop",
    "multiple", "multiplier", "name", "native", "nbma", "neighbor", "neighbors", "net",
    "netlink", "netmask", "networks", "never", "next", "nexthop", "no", "nonbroadcast", "none",
    "normal", "notify", "ns", "nssa", "of", "off", "offset", "on", "onlink", "only", "option",
    "options", "opts", "or", "originate", "ospf", "other", "out", "override", "packet",
    "packets", "pair", "passive", "password", "passwords", "path", "paths", "pd", "pe", "peer",
    "peers", "per", "period", "permissive", "persist", "pid", "pipe", "plaintext",
    "pointomultipoint", "pointopoint", "poison", "policy", "poll", "port", "post_policy",
    "pre_policy", "prefer", "preference", "preferred", "prefix", "prepend", "primary", "print",
    "printn", "prio", "priority", "private", "profile", "prohibit", "propagate", "proto",
    "protocol", "protocols", "provider", "providers", "proxy", "ptmp", "ptp", "public", "quad",
    "quick", "ra", "radv", "randomize", "range", "rcvbuf", "rd", "rdnss", "reachable", "real",
    "receive", "recursive", "recv", "refresh", "reject", "reload", "remote", "remove",
    "require", "reset", "resources", "restart", "restrict", "retrans", "retransmit", "retry",
    "return", "reverse", "rfc1583compat", "rfc5838", "rib", "rip", "ro", "roa4", "roa6",
    "roa_check", "role", "route", "router", "routes", "rpki", "rr", "rs", "rt", "rtt", "rx",
    "rxcost", "s", "sadr", "same", "scan", "scope", "second", "secondary", "secret", "security",
    "select", "self", "send", "sensitive", "set", "setkey", "settle", "sha1", "sha224",
    "sha256", "sha384", "sha512", "short", "show", "simple", "single", "size", "skip",
    "solicited", "sorted", "source", "split", "src", "ssh", "stability", "stacks", "stale",
    "start", "startup", "state", "states", "static", "station", "stats", "status", "stderr",
    "strict", "string", "stub", "stubnet", "suffix", "summary", "suppression", "symbols",
    "syslog", "system", "table", "tables", "tag", "target", "tcp", "template", "test", "then",
    "thread", "threads", "threshold", "tick", "time", "timeformat", "timeout", "timer",
    "timestamps", "to", "topology", "transit", "translator", "transmit", "transport", "trie",
    "trigger", "true", "trusted", "ttl", "tunnel", "tx", "type", "types", "udp", "udp6", "undo",
    "unicast", "unknown", "unreachable", "unset", "update", "updates", "upstream", "us", "use",
    "user", "v2", "v3", "valid", "validate", "value", "version", "via", "vid", "virtual",
    "vlan", "vni", "vpn", "vpn4", "vpn6", "vrf", "vxlan", "wait", "wakeup", "warn", "warning",
    "watchdog", "weight", "where", "wired", "wireless", "worker", "yes", "zero",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keywords_are_sorted() {
        assert!(KEYWORDS.is_sorted());
        assert!(is_keyword("protocol") && !is_keyword("peer_one"));
    }
}

"""A route server's configuration of the size and shape that generators make for a large exchange.

Everything is derived from the number of the member, so the same arguments give the same text. BIRD 2 and 3 read it too.
"""

import random

HEAD = """router id 192.0.2.1;
define rs_as = 65500;
log stderr { error, fatal, bug };
timeformat protocol iso long;
protocol device { }
ipv4 table master4 sorted;
ipv6 table master6 sorted;

# Networks that nobody announces.
function prefix_is_bogon()
prefix set bogons_4;
prefix set bogons_6;
{
\tbogons_4 = [ 0.0.0.0/0, 0.0.0.0/8+, 10.0.0.0/8+, 100.64.0.0/10+, 127.0.0.0/8+, 169.254.0.0/16+, 172.16.0.0/12+, 192.0.2.0/24+, 192.168.0.0/16+, 224.0.0.0/3+ ];
\tbogons_6 = [ ::/0, ::/8+, 2001:db8::/32+, 3ffe::/16+, 5f00::/8+, fc00::/7+, fe80::/10+, ff00::/8+ ];
\tif net.type = NET_IP4 then
\t\tif net ~ bogons_4 then return true;
\tif net.type = NET_IP6 then
\t\tif net ~ bogons_6 then return true;
\treturn false;
}

function prefix_len_is_valid(int shortest; int longest) {
\tif net.len < shortest then return false;
\tif net.len > longest then return false;
\treturn true;
}

function as_path_contains_invalid_asn()
int set invalid;
{
\tinvalid = [ 0, 23456, 64496..64511, 64512..65534, 65535, 65536..65551, 4200000000..4294967295 ];
\treturn bgp_path ~ invalid;
}

function route_can_be_announced_to(int client_as; ip client_ip)
{
\tif (rs_as, 0, client_as) ~ bgp_large_community then return false;
\tif (rs_as, 1, client_as) ~ bgp_large_community then return true;
\treturn !((rs_as, 0, 0) ~ bgp_large_community);
}

function remove_control_communities()
{
\tbgp_large_community.delete([(rs_as, *, *)]);
}

function prepend_path(int times) {
\tcase times {
\t\t1: { bgp_path.prepend(bgp_path.first); }
\t\t2: { bgp_path.prepend(bgp_path.first); bgp_path.prepend(bgp_path.first); }
\t}
}
"""

SET = """
# {name}, of member {number}
define ASNS_{name} = [
{asns}
];

define PREFIXES_{name}_{family} = [
{prefixes}
];
"""

MEMBER = """
# ---------------------------------------------------------
# Member {number}, session {session}

# Origins of {session}
function origin_is_of_{session}() {{
\tif bgp_path.last ~ ASNS_{name} then
\t\treturn true;
\treturn false;
}}

# Prefixes of {session}
function prefix_is_of_{session}() {{
    if net.type = NET_IP{family} then
        if net ~ PREFIXES_{name}_{family} then
            return true;
    return false;
}}

function next_hop_is_of_{session}()
{{
\t# The next hops that {session} may announce
\tif bgp_next_hop = {address} then return true;
\treturn false;
}}

function check_registry_{session}()
bool origin_ok;
bool prefix_ok;
{{
\torigin_ok = origin_is_of_{session}();
\tprefix_ok = prefix_is_of_{session}();

\tif !origin_ok then {{
\t\treject "origin ", bgp_path.last, " is not registered for {session}: ", net;
\t}}
\tif !prefix_ok then {{
\t\treject "prefix is not registered for {session}: ", net;
\t}}
}}

filter receive_from_{session} {{
\tif !(source = RTS_BGP) then
\t\treject "not learnt by BGP: ", net;

\tif !(net.type = NET_IP{family}) then
\t\treject "wrong address family: ", net;

\tremove_control_communities();

\t# The next hop
\tif !next_hop_is_of_{session}() then
\t\treject "next hop ", bgp_next_hop, " is not allowed: ", net;

\t# The length of the path
\tif bgp_path.len > 32 then
\t\treject "path of ", bgp_path.len, " is longer than 32: ", net;

\t# The neighbour is the first in it
\tif bgp_path.first != {asn} then
\t\treject "leftmost AS is ", bgp_path.first, ": ", net;

\tif as_path_contains_invalid_asn() then
\t\treject "path ", bgp_path, " has an invalid AS: ", net;

\t# Networks that nobody announces
\tif prefix_is_bogon() then
\t\treject "prefix is a bogon: ", net;

\t# What is registered
\tcheck_registry_{session}();

\t# The length of the prefix
\tif net.type = NET_IP{family} && !prefix_len_is_valid({shortest}, {longest}) then
\t\treject "prefix length ", net.len, " is not in {shortest}-{longest}: ", net;

\taccept;
}}

filter announce_to_{session}
{{
\t# Communities with which others say where their routes go
\tif !route_can_be_announced_to({asn}, {address}) then
\t\treject "is not to be announced to {session}: ", net;

\tif (rs_as, 101, {asn}) ~ bgp_large_community then prepend_path(1);
\tif (rs_as, 102, {asn}) ~ bgp_large_community then prepend_path(2);

\tremove_control_communities();

\taccept;
}}

protocol bgp {session} {{
\tdescription "Member {number} of the exchange, AS{asn}";

\tlocal as rs_as;
\tneighbor {address} as {asn};
\trs client;

\t# Sessions are opened by the members, whose routers are in one network with
\t# the route server; what they announce goes through the filter above, and
\t# what the filter refuses is kept for the looking glass.
\tpassive on;
\tttl security off;
\tinterpret communities off;

\tipv{family} {{
\t\ttable master{family};
{secondary}\t\timport table on;
\t\timport keep filtered on;
\t\timport filter receive_from_{session};
\t\texport filter announce_to_{session};
\t}};
}}
"""


def prefixes(chance, family, count):
    """The lines of a prefix set."""
    found = set()
    while len(found) < count:
        if family == 4:
            length = chance.choice([24, 24, 24, 24, 23, 22, 22, 21, 20, 19, 16])
            bits = chance.randrange(1 << 24, 223 << 24) >> (32 - length) << (32 - length)
            address = ".".join(str(bits >> shift & 255) for shift in (24, 16, 8, 0))
        else:
            length = chance.choice([48, 48, 48, 32, 32, 44, 40, 36, 29])
            bits = (0x2000 << 112 | chance.getrandbits(125)) >> (128 - length) << (128 - length)
            groups = [f"{bits >> shift & 0xffff:x}" for shift in range(112, 64, -16)]
            address = ":".join(groups) + "::"
        longer = f"{{{length},{24 if family == 4 else 48}}}" if chance.random() < 0.05 and length < 24 else ""
        found.add((bits, f"{address}/{length}{longer}"))
    return [text for _, text in sorted(found)]


def configuration(members, secondary=False):
    """The text for so many members, each with a session for IPv4 and one for IPv6. `secondary` is said by what generators make."""
    chance = random.Random(members)
    parts = [HEAD]
    for number in range(1, members + 1):
        asn = 100000 + 7 * number if number % 3 else 1000 + number
        # Few members have a great many prefixes.
        count = min(1 + int(chance.paretovariate(0.9)) * 8, 2000)
        asns = sorted({asn, *(chance.randrange(1, 400000) for _ in range(count // 8))})
        for family in (4, 6):
            size = count if family == 4 else 1 + count // 4
            names = {
                "name": f"AS{asn}_{family}", "number": number, "family": family, "session": f"AS{asn}_{family}", "asn": asn,
                "address": f"10.{family}.{number >> 8}.{number & 255}" if family == 4 else f"2001:7f8:1::{number:x}",
                "shortest": 8 if family == 4 else 12, "longest": 24 if family == 4 else 48,
                "asns": ",\n".join(f"\t{asn}" for asn in asns),
                "prefixes": ",\n".join(f"\t{text}" for text in prefixes(chance, family, size)),
                "secondary": "\t\tsecondary;\n" if secondary else "",
            }
            parts.append(SET.format(**names) + MEMBER.format(**names))
    return "".join(parts)

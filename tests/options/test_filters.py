"""What filters do, seen by neighbours: one daemon, one feeder, a neighbour for each filter."""

from harness.lab import wait_for
from harness.routes import Route
from harness.runner import require, test
from harness.wire import OPTIONAL, PARTIAL, TRANSITIVE, attribute, attributes, nlri, update
from world import DUT_AS, P, Q, World, settle

# The /16 that the routes are in; what shows that all of them have passed is let through.
INSIDE = ("10.0", "10.1", "172.16", "192.168", "198.51")
MARKS = "[" + ", ".join(f"{net}.254.0/24, {net}.253.0/24" for net in INSIDE) + "]"
ASN = 65110


def fed(feed):
    """What the feeder announces."""
    base = feed.route(communities=("65000:1", "65000:2", "65001:100"), large_communities=("65000:1:2", "65001:7:9"),
                      ext_communities=("rt:65000:5", "ro:65000:6"), med=50)
    return {
        "10.0.0.0/8": base,
        "10.1.0.0/16": base,
        "10.1.2.0/24": base,
        "10.1.2.128/25": base,
        "172.16.0.0/12": feed.route(as_path=f"{feed.asn} 64500 64501 64502"),
        "192.168.5.0/24": feed.route(as_path=f"{feed.asn} 64500 64500 64600", origin="EGP"),
        "198.51.100.0/24": feed.route(as_path=f"{feed.asn} 64999", origin="INCOMPLETE", med=7),
    }


def nets(condition, *expected):
    """Routes for which an expression is true are sent."""
    return f"if net ~ {MARKS} then accept; if {condition} then accept; reject;", expected, None


def sets(statements, prefix="10.1.0.0/16", **attributes):
    """Statements change a route, and it is sent with these attributes."""
    return f"if net ~ {MARKS} then accept; {statements} accept;", None, (prefix, attributes)


TEN = ("10.0.0.0/8", "10.1.0.0/16", "10.1.2.0/24", "10.1.2.128/25")
SELECTIONS = {
    "pattern-exact": nets("net ~ [10.1.0.0/16]", "10.1.0.0/16"),
    "pattern-plus": nets("net ~ [10.1.0.0/16+]", *TEN[1:]),
    "pattern-minus": nets("net ~ [10.1.2.0/24-]", *TEN[:3]),
    "pattern-range": nets("net ~ [10.0.0.0/8{16,24}]", *TEN[1:3]),
    "pattern-list": nets("net ~ [192.168.0.0/16+, 198.51.100.0/24]", "192.168.5.0/24", "198.51.100.0/24"),
    "prefix-in-prefix": nets("net ~ 10.1.0.0/16", *TEN[1:]),
    "named-set": nets("net ~ NETS", "172.16.0.0/12"),
    "net-len": nets("net.len < 13", "10.0.0.0/8", "172.16.0.0/12"),
    "net-ip": nets("net.ip ~ [10.1.2.1..10.1.2.255]", "10.1.2.128/25"),
    "net-type": nets("net.type = NET_IP4 && net.len = 8", "10.0.0.0/8"),
    "path-in": nets("bgp_path ~ [= * 64500 * =]", "172.16.0.0/12", "192.168.5.0/24"),
    "path-one": nets("bgp_path ~ [= ? ? =]", "198.51.100.0/24"),
    "path-range": nets("bgp_path ~ [= * 64600..64999 =]", "192.168.5.0/24", "198.51.100.0/24"),
    "path-set": nets("bgp_path ~ [= * [64502, 64999] =]", "172.16.0.0/12", "198.51.100.0/24"),
    "path-plus": nets("bgp_path ~ [= ? 64500 + 64600 =]", "192.168.5.0/24"),
    "path-expression": nets("bgp_path ~ [= * (64000 + 999) =]", "198.51.100.0/24"),
    "path-len": nets("bgp_path.len > 3", "172.16.0.0/12", "192.168.5.0/24"),
    "path-ends": nets(f"bgp_path.first = {ASN} && bgp_path.last = 64502", "172.16.0.0/12"),
    "path-last-nonaggregated": nets("bgp_path.last_nonaggregated = 64999", "198.51.100.0/24"),
    "as-in-path": nets("64501 ~ bgp_path", "172.16.0.0/12"),
    "path-in-set": nets("bgp_path ~ [64600, 64700..64999]", "192.168.5.0/24", "198.51.100.0/24"),
    "community": nets("(65000, 2) ~ bgp_community", *TEN),
    "community-set": nets("bgp_community ~ [(65001, 50..150), (*, 3)]", *TEN),
    "ext-community": nets("(rt, 65000, 5) ~ bgp_ext_community && bgp_ext_community ~ [(ro, 65000, *)]", *TEN),
    "large-community": nets("(65001, 7, 9) ~ bgp_large_community && bgp_large_community ~ [(65000, 1, *)]", *TEN),
    "origin": nets("bgp_origin = ORIGIN_EGP || bgp_origin = ORIGIN_INCOMPLETE", "192.168.5.0/24", "198.51.100.0/24"),
    "defined": nets("defined(bgp_med) && bgp_med = 7", "198.51.100.0/24"),
    "proto": nets('proto = "x_feeder" && source = RTS_BGP && net.len = 12', "172.16.0.0/12"),
    "proto-pattern": nets('proto ~ "x_fee*" && net.len = 12', "172.16.0.0/12"),
    "from": nets("from = FEEDER && net.len = 12", "172.16.0.0/12"),
    "gateway": nets("gw = FEEDER && dest = RTD_UNICAST && ifname = \"v2\" && net.len = 12", "172.16.0.0/12"),
    "next-hop": nets("bgp_next_hop = FEEDER && net.len = 12", "172.16.0.0/12"),
    "preference": nets("preference = 100 && net.len = 12", "172.16.0.0/12"),
    "not-and-or": nets("(net.len = 8 || net.len = 12) && !(net ~ [10.0.0.0/8+])", "172.16.0.0/12"),
    "arithmetic": nets("net.len * 2 + 1 = 17 && 7 / 2 = 3 && (6 & 3) = 2", "10.0.0.0/8"),
    "function": nets("is_small(net)", "10.0.0.0/8", "172.16.0.0/12"),
    "function-recursion": nets("sum(4) = 10 && net.len = 8", "10.0.0.0/8"),
    # Dividing by zero rejects the /8.
    "runtime-error": nets("net.len / (net.len - 8) = 1", "10.1.2.0/24", "10.1.2.128/25", "192.168.5.0/24",
                          "198.51.100.0/24"),
}

CHANGES = {
    "prepend": sets("bgp_path.prepend(65001); bgp_path.prepend(64496);", as_path=f"{DUT_AS} 64496 65001 {ASN}"),
    "path-delete": sets("bgp_path.delete(64500);", "172.16.0.0/12", as_path=f"{DUT_AS} {ASN} 64501 64502"),
    "path-delete-set": sets("bgp_path.delete([64500..64501]);", "172.16.0.0/12", as_path=f"{DUT_AS} {ASN} 64502"),
    "path-filter": sets("bgp_path.filter([64501, 64502]);", "172.16.0.0/12", as_path=f"{DUT_AS} 64501 64502"),
    "path-empty": sets("bgp_path.empty;", as_path=str(DUT_AS)),
    "med": sets("bgp_med = 42;", med=42),
    "med-computed": sets("bgp_med = bgp_med + net.len;", med=66),
    "med-unset": sets("unset(bgp_med);", med=None),
    "origin-set": sets("bgp_origin = ORIGIN_INCOMPLETE;", origin="INCOMPLETE"),
    "next-hop-set": sets("bgp_next_hop = 10.77.1.250;", next_hop="10.77.1.250"),
    "communities-add": sets("bgp_community.add((65001, 5)); bgp_community.add((65000, 1));",
                            communities=("65000:1", "65000:2", "65001:5", "65001:100")),
    "communities-delete": sets("bgp_community.delete((65000, 1));", communities=("65000:2", "65001:100")),
    "communities-delete-set": sets("bgp_community.delete([(65000, *)]);", communities=("65001:100",)),
    "communities-filter": sets("bgp_community.filter([(65000, *)]);", communities=("65000:1", "65000:2")),
    "communities-empty": sets("bgp_community.empty;", communities=()),
    "communities-assign": sets("bgp_community = add(-empty-, (65001, 77));", communities=("65001:77",)),
    "large-add": sets("bgp_large_community.add((65001, 1, 4294967295));",
                      large_communities=("65000:1:2", "65001:1:4294967295", "65001:7:9")),
    "large-delete": sets("bgp_large_community.delete([(65001, 7, 5..10)]);", large_communities=("65000:1:2",)),
    "large-filter": sets("bgp_large_community.filter([(65001, *, *)]);", large_communities=("65001:7:9",)),
    "ext-add": sets("bgp_ext_community.add((rt, 65001, 9));",
                    ext_communities=("ro:65000:6", "rt:65000:5", "rt:65001:9")),
    "ext-delete": sets("bgp_ext_community.delete([(rt, 65000, *)]);", ext_communities=("ro:65000:6",)),
    "case": sets("case net.len { 8: bgp_med = 1; 16..20: bgp_med = 2; else: bgp_med = 3; }", med=2),
    "case-else": sets("case net.len { 8: bgp_med = 1; 16..20: bgp_med = 2; else: bgp_med = 3; }", "172.16.0.0/12", med=3),
    "case-pairs": sets("for pair c in bgp_community do { case c { (65001, 100): bgp_med = 11; else: {} } }", med=11),
    "for-path": sets("int n = 0; for int a in bgp_path do { n = n + 1; } bgp_med = n;", "172.16.0.0/12", med=4),
    "for-break-free": sets("int n = 0; for pair c in bgp_community do n = n + c.data; bgp_med = n;", med=103),
    "variables": sets("int x = 3; int y; y = x * 7; if y > 20 then bgp_med = y; else bgp_med = 0;", med=21),
    "blocks": sets("if net.len = 16 then { int z = 5; bgp_med = z; } else { bgp_med = 9; }", med=5),
    "function-call": sets("tag(5);", communities=("65000:1", "65000:2", "65001:5", "65001:100")),
    "function-value": sets("bgp_med = twice(21);", med=42),
    "constants": sets("bgp_med = NUMBER; bgp_community.delete(TAGS);", med=99, communities=("65001:100",)),
    "min-max": sets("bgp_med = bgp_community.max.data - bgp_community.min.data;", med=99),
    "ip-mask": sets("if net.ip.mask(8) = 10.0.0.0 then bgp_med = 8;", med=8),
    "local-pref-inside": sets("bgp_local_pref = 321;", local_pref=None),
    "custom": sets("weighed = 7; bgp_med = weighed;", med=7),
    "custom-set": sets("known = [10.1.0.0/16+]; if net ~ known then bgp_med = 9;", med=9),
    "custom-mask": sets("looks = [= * 65110 * =]; if bgp_path ~ looks then bgp_med = 8;", med=8),
    "print": sets('print "sent ", net; bgp_med = 1;', med=1),
}

DEFINITIONS = f"""
define NETS = [ 172.16.0.0/12, 100.64.0.0/10+ ];
define NUMBER = 99;
define TAGS = [ (65000, *) ];
define FEEDER = 10.77.2.10;
attribute int weighed;
attribute prefix set known;
attribute bgpmask looks;
function is_small(prefix p) -> bool {{ return p.len < 13; }}
function sum(int n) -> int {{ if n = 0 then return 0; return n + sum(n - 1); }}
function twice(int n) -> int {{ return n + n; }}
function tag(int n) {{ bgp_community.add((65001, n)); }}
"""


def world_of(cases):
    """A daemon with a session for each case."""
    world = World()
    world.feeder(asn=ASN)
    for number, (name, (body, *_)) in enumerate(cases.items()):
        world.peer(f"f{number}", channel=f"import none; export filter {{ {body} }};")
    return world


def run(cases):
    """Feeds, and looks at what each neighbour gets."""
    with world_of(cases) as world:
        world.start(extra=DEFINITIONS)
        feed = world["feeder"]
        feed.announce(fed(feed))
        settle(feed, *(speaker for speaker in world.peers.values() if speaker is not feed), inside=INSIDE)
        wrong = []
        for number, (name, (body, expected, change)) in enumerate(cases.items()):
            speaker = world[f"f{number}"]
            if expected is not None:
                got = set(speaker.table)
                if got != set(expected):
                    wrong.append(f"{name}: {sorted(got)} pass, should be {sorted(expected)}")
            else:
                prefix, attributes = change
                told = speaker.routes.get(prefix) or Route()
                wrong += [f"{name}: {key} is {getattr(told, key)!r}, should be {value!r}"
                          for key, value in attributes.items() if getattr(told, key) != value]
        require(not wrong, "\n      ".join(wrong))
        if "print" in cases:
            world.wait_log("sent 10.1.0.0/16")
        if "runtime-error" in cases:
            world.wait_log(r"<ERR> .*divide", 5)
        return f"{len(cases)} filters"


@test(timeout=90)
def filters_that_select():
    return run(SELECTIONS)


@test(timeout=90)
def filters_that_change():
    return run(CHANGES)


@test(timeout=60)
def filters_on_import():
    # The same language on the way in, and local preference inside.
    with World() as world:
        inside = world.peer("inside", asn=DUT_AS, channel="import none; export filter { if net.len = 16 then bgp_local_pref = bgp_local_pref + 1; accept; };")
        feed = world.feeder(asn=ASN, channel="import filter { if net.len > 24 then reject \"too long\"; bgp_local_pref = 100 + net.len;"
                            " bgp_community.add((65001, 1)); preference = 120; accept; }; export none;")
        world.start(extra=DEFINITIONS)
        feed.announce(fed(feed))
        inside.wait_routes(6)
        require(inside.routes["10.0.0.0/8"].local_pref == 108, inside.routes["10.0.0.0/8"])
        require(inside.routes["10.1.0.0/16"].local_pref == 117, inside.routes["10.1.0.0/16"])
        require("65001:1" in inside.routes["10.0.0.0/8"].communities, inside.routes["10.0.0.0/8"])
        require("(120)" in world.ask("show route 10.0.0.0/8"), world.ask("show route 10.0.0.0/8"))
        # Another filter in place of the first: the session stays, and only what differs is sent.
        world.parts = [part.replace("+ net.len", "+ 1").replace("> 24", "> 16") for part in world.parts]
        world.dut.configure(world.text(DEFINITIONS))
        wait_for(lambda: "10.1.2.0/24" not in inside.table and inside.routes["10.0.0.0/8"].local_pref == 101, 5,
                 lambda: f"{inside.routes}")
        require(feed.alive and inside.alive, "another filter ended a session")


@test(timeout=40)
def filters_on_ipv6():
    with World() as world:
        body = ("if net.type != NET_IP6 then reject; if net ~ [2001:db8::/32{48,48}] then { bgp_med = net.len; accept; }"
                " if net.ip = fd00:: then reject; bgp_community.add((65001, 6)); accept;")
        six = world.peer("six", families=(6,), channel=f"import none; export filter {{ {body} }};")
        feed = world.feeder(families=(6,))
        world.start()
        hop = world.links["in"][1].local6
        nets6 = ("2001:db8::/32", "2001:db8:1::/48", "fd00::/16")
        feed.announce({net: feed.route(next_hop=hop) for net in nets6})
        told = six.wait_route("2001:db8::/32")
        require(told.communities == ("65001:6",) and told.next_hop == world.here.local6, f"{told}")
        require(six.wait_route("2001:db8:1::/48").med == 48, f"{six.routes}")
        require("fd00::/16" not in six.table, "a rejected route is sent")


@test(timeout=40)
def attributes_of_bgp_by_number():
    # What nobody knows but those who give it a name: it comes, is read, changed and removed, and goes.
    given = "attribute bgp 99 bytestring x_given; attribute bgp 254 bytestring x_own;"
    known, way = OPTIONAL | TRANSITIVE | PARTIAL, 99
    with World() as world:
        channel = lambda body: f"import none; export filter {{ {body} accept; }};"
        peers = {name: world.peer(name, channel=channel(body)) for name, body in {
            "as_it_is": "",
            "by_value": "if x_given != hex:de:ad then reject;",
            "without": "if defined(x_given) then reject;",
            "changed": "x_given = hex:01:02:03;",
            "made": "x_own = hex:be:ef;",
            "removed": "unset(x_given);",
        }.items()}
        feed = world.feeder()
        world.start(extra=given)
        attrs = attributes(feed.route())
        local = attribute(OPTIONAL, 98, b"here")
        with_it = attrs + local + attribute(known, way, b"\xde\xad")
        # Networks of one /16 go out in the order in which they came.
        last = "198.18.3.0/24"
        feed.send(update(with_it, nlri(P)) + update(attrs, nlri(Q)) + update(with_it, nlri(last)))

        def sent(name, prefix, number=way):
            world.peers[name].wait_route(prefix)
            return dict(peers[name].table[prefix]).get(number)

        require(sent("as_it_is", P) == (known, b"\xde\xad"), "what came does not go on")
        require(sent("as_it_is", Q) is None and sent("as_it_is", P, 98) is None, "what did not come, or must not, goes on")
        require(sent("by_value", last) == (known, b"\xde\xad") and Q not in peers["by_value"].table, "it is not read")
        require(sent("without", Q) is None and P not in peers["without"].table, "that it is there does not show")
        for prefix in (P, Q):
            flags, value = sent("changed", prefix)
            require(flags & (OPTIONAL | TRANSITIVE) == OPTIONAL | TRANSITIVE and value == b"\1\2\3", f"{flags:#x} {value!r}")
            require(sent("made", prefix, 254) == (OPTIONAL | TRANSITIVE, b"\xbe\xef"), f"{sent('made', prefix, 254)}")
            require(sent("removed", prefix) is None, "what is removed is sent")
        require("bgp_unknown_0x63: de:ad" in world.ask(f"show route {P} all"), world.ask(f"show route {P} all"))

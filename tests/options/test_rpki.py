"""Origins and providers: what filters are told of them, and routes that are judged again when they change."""

import ipaddress
import random

from harness.dut import Dut
from harness.lab import Lab, wait_for
from harness.runner import require, test
from world import P, Q, World

BIRD = "bird"
SETTLES = "{ digest settle time 10 ms 100 ms; }"
QUESTIONS = 1500


def origins(rng, count):
    """Random ROAs of both families, many inside of one another: (network, maximum length, AS)."""
    found = set()
    while len(found) < count:
        if rng.random() < 0.7:
            length = rng.randint(6, 28)
            bits, longest = rng.choice([0x0A000000, 0x0A010000, 0xC0000000]) | rng.getrandbits(18), 32
        else:
            length = rng.randint(16, 64)
            bits, longest = 0x20010DB8 << 96 | rng.getrandbits(10) << 80 | rng.getrandbits(20) << 60, 128
        bits &= (1 << longest) - (1 << longest - length)
        kind = ipaddress.IPv4Network if longest == 32 else ipaddress.IPv6Network
        found.add((kind((bits, length)), min(longest, length + rng.randint(0, 8)), rng.randint(0, 5)))
    return sorted(found, key=str)


def question(rng, known):
    """A table, a network and an AS: near a ROA."""
    net, most, asn = rng.choice(known)
    longest = net.max_prefixlen
    length = min(longest, max(0, rng.choice([net.prefixlen, most]) + rng.randint(-1, 2)))
    bits = int(net.network_address) | rng.getrandbits(longest - net.prefixlen or 1) >> 1
    net = type(net)((bits & (1 << longest) - (1 << longest - length), length))
    return f"roa_check({'r4' if longest == 32 else 'r6'}, {net}, {rng.choice([asn, rng.randint(0, 5)])})"


@test(timeout=120)
def origins_as_in_bird2():
    rng = random.Random(20261123)
    known = origins(rng, 400)
    section = lambda version, table: f"protocol static s{version} {{ roa{version} {{ table {table}; }}; " + " ".join(
        f"route {net} max {most} as {asn};" for net, most, asn in known if net.version == version) + " }"
    text = f"roa4 table r4; roa6 table r6;\n{section(4, 'r4')}\n{section(6, 'r6')}"
    with Lab("dut", "peer") as lab:
        both = [Dut(lab, "dut").start(text), Dut(lab, "peer", "bird", BIRD).start(text)]
        ours, theirs = both
        shown = lambda dut, table: sorted(line.split(" [")[0].split() for line in
                                          dut.control(f"show route table {table}").splitlines() if " [" in line)
        for table, version in (("r4", 4), ("r6", 6)):
            ours.wait_count(f"table {table}", sum(net.version == version for net, _, _ in known))
            require(shown(ours, table) == shown(theirs, table), f"the tables {table} differ")
        first = next(roa for roa in known if roa[2] and roa[0].version == 4)
        valid = f"eval roa_check(r4, {first[0]}, {first[2]})"
        wait_for(lambda: ours.control(valid) == theirs.control(valid), 5, "what is in the table is not asked")
        answers = set()
        for _ in range(QUESTIONS):
            text = f"eval {question(rng, known)}"
            expected = theirs.control(text)
            require(ours.control(text) == expected, lambda: f"{text}: {ours.control(text)}, BIRD 2: {expected}")
            answers.add(expected.strip()[-1])
        require(len(answers) == 3, f"only {answers} of three answers")


@test(timeout=60)
def rpki_reload():
    with World() as world:
        check = "if roa_check(r4, net, bgp_path.last) = ROA_INVALID then reject; accept;"
        feed = world.feeder(channel=f"import filter {{ {check} }}; export none;")
        world.peer("late", channel="import none; export all;")
        world.peer("asks", channel=f"import none; export filter {{ {check} }};")
        world.peer("still", channel=f"import none; export filter {{ {check} }}; rpki reload off;")
        # What one session brings without a check is checked where it leaves.
        other = world.feeder("other", channel="import all; export none;")
        origin = lambda asn: f"roa4 table r4 {SETTLES};\nprotocol static s_roa {{ roa4; " + (
            f"route 198.18.0.0/16 max 24 as {asn};" if asn else "") + " }"
        world.start(extra=origin(None))
        feed.feed(P)
        other.feed(Q)
        receivers = ("late", "asks", "still")
        for name in receivers:
            world[name].wait_route(P)
            world[name].wait_route(Q)
        sessions = len(feed.heard)
        tables = lambda: {name: {net for net in (P, Q) if net in world[name].table} for name in receivers}
        configure = lambda asn: world.dut.configure(world.text(origin(asn)))
        # Only the AS of one feeder may announce them.
        for asn, left in ((feed.asn, {P}), (other.asn, {Q}), (feed.asn, {P}), (None, {P, Q})):
            configure(asn)
            imported = {P, Q} if asn in (None, feed.asn) else {Q}
            wait_for(lambda: (tables()["late"], tables()["asks"]) == (imported, left & imported), 10,
                     lambda: f"AS {asn}: {tables()}")
            require(Q in tables()["still"], f"AS {asn}: what was sent without reload has been judged again")
        require(all(kind != 5 for _, kind, _ in feed.heard[sessions:]), "a route refresh was asked for")
        world.ask("reload filters out x_still")
        configure(feed.asn)
        wait_for(lambda: tables()["asks"] == {P}, 10, lambda: f"{tables()}")
        require(tables()["still"] == {P, Q}, f"{tables()}")
        world.ask("reload filters out x_still")
        wait_for(lambda: tables()["still"] == {P}, 10, lambda: f"{tables()}")


@test(timeout=60)
def providers():
    with World() as world:
        feed = world.feeder(channel="import where aspa_check_upstream(pa) != ASPA_INVALID; export none;")
        watch = world.peer("watch")
        said = lambda text: f"aspa table pa {SETTLES};\nprotocol static s_aspa {{ aspa; {text} }}"
        world.start(extra=said(""))
        feed.feed(P, as_path=f"{feed.asn} 64500")
        feed.feed(Q)
        watch.wait_route(P)
        world.dut.configure(world.text(said("route aspa 64500 providers 64501, 64502;")))
        wait_for(lambda: P not in watch.table, 10, "a path that goes down and up again is let through")
        require(Q in watch.table, f"{watch.table}")
        world.dut.configure(world.text(said(f"route aspa 64500 providers 64501, {feed.asn};")))
        watch.wait_route(P)
        world.dut.configure(world.text(said("route aspa 64500 transit;")))
        wait_for(lambda: P not in watch.table, 10, "an AS without providers has one")
        shown = world.ask("show route table pa all")
        require("64500" in shown and "aspa_providers: 0" in shown, shown)

"""Fifty route server clients on one network: the counters of `show export` say what is done once for all.

On a busy machine a slice's part of a read may come too late to be packed with the others' (40 ms), so a set
may take an UPDATE for each slice. In the simulation the numbers are exact (`nest/rib/src/tests/sharing.rs`).
"""

import re

from harness.dut import Dut, is_bird2
from harness.lab import Lab, wait_for
from harness.routes import Route, varied
from harness.runner import Skip, require, test
from harness.speaker import Speaker
from harness.wire import IPV4

DUT_AS, CLIENTS, SETS, ROUTES = 65001, 50, 20, 400
# So many that every slice has some.
WARM = 64


class Exchange:
    """A route server, a feeder, and clients with one address each on the same link."""

    def __init__(self):
        self.lab = Lab("dut", "lan")
        self.dut = Dut(self.lab)
        self.here, self.there = self.lab.link("dut", "lan")
        stem = self.there.local.rpartition(".")[0]
        addresses = [f"{stem}.{10 + n}" for n in range(CLIENTS + 1)]
        self.lab.ip("lan", *(f"addr add {address}/24 dev {self.there.device}" for address in addresses))
        self.feed, *self.clients = (
            Speaker(self.lab, "lan", address, self.here.local, 65100 + n, families=(IPV4,))
            for n, address in enumerate(addresses)
        )

    def section(self, speaker, export):
        """A client's part of the configuration."""
        return (
            f"protocol bgp p{speaker.asn} {{ local {self.here.local} as {DUT_AS}; "
            f"neighbor {speaker.local} as {speaker.asn}; passive; rs client; "
            f"ipv4 {{ import all; export {export}; }}; }}"
        )

    def start(self, export):
        """All sessions up; `export(n)` is what the nth client's channel exports."""
        sections = [self.section(self.feed, "none")]
        sections += [self.section(client, export(n)) for n, client in enumerate(self.clients)]
        self.dut.start("\n".join(sections))
        for speaker in (self.feed, *self.clients):
            speaker.connect()
        wait_for(lambda: all(client.ended for client in self.clients), 20, "no End-of-RIB")
        # The first route over a next hop waits until that is resolved, in each slice by itself. What is
        # measured is how it goes from then on.
        self.feed.announce({
            f"198.{n}.0.0/16": Route(as_path=f"{self.feed.asn} 64999", next_hop=self.feed.local) for n in range(WARM)
        })
        for client in self.clients:
            client.wait_routes(WARM)

    def load(self):
        """Twenty sets of twenty routes, announced at once."""
        nets = sorted(varied(ROUTES, 4, "sharing", self.feed.asn, self.feed.local))
        self.feed.announce({
            net: Route(as_path=str(self.feed.asn), next_hop=self.feed.local, med=n * SETS // ROUTES,
                       communities=("64000:1",))
            for n, net in enumerate(nets)
        })
        for client in self.clients:
            client.wait_routes(WARM + ROUTES)
        self.dut.require_running()

    def counters(self):
        """The groups of `show export` as dicts, the total last."""
        names = "members runs reused feeds updates encoded delivered off back".split()
        text = self.dut.control("show export")
        rows = [line.split() for line in text.splitlines()[1:]]
        return [dict(zip(names, map(int, row[-len(names):]))) for row in rows]


def difference(after, before):
    """What was done meanwhile; members are as they are."""
    return {name: after[name] - (before[name] if name != "members" else 0) for name in after}


def slices(dut):
    """How many slices the daemon has: each runs a filter for itself."""
    return int(re.search(r"(\d+) slices", dut.control("show status"))[1])


@test("fifty-members-of-one-policy", timeout=90)
def one_policy():
    if is_bird2():
        raise Skip("BIRD has no such counters")
    exchange = Exchange()
    with exchange.lab:
        exchange.start(lambda n: "filter { bgp_community.add((65001,7)); accept; }")
        before = exchange.counters()
        require(len(before) == 2, f"{len(before) - 1} groups for one policy")
        exchange.load()
        did = difference(exchange.counters()[-1], before[-1])
        require(did["members"] == CLIENTS, f"{did}")
        most = SETS * slices(exchange.dut)
        require(SETS <= did["runs"] <= most, f"{did['runs']} filter runs for {SETS} sets: {did}")
        require(did["runs"] + did["reused"] == ROUTES, f"a verdict for each route: {did}")
        require(SETS <= did["updates"] <= most, f"{did['updates']} UPDATEs encoded for {SETS} sets: {did}")
        require(did["delivered"] == CLIENTS * did["encoded"], f"not everybody got everything: {did}")
        return f"{ROUTES} routes of {SETS} sets: {did}"


@test("fifty-policies-that-differ-in-constants", timeout=90)
def constants():
    if is_bird2():
        raise Skip("BIRD has no such counters")
    exchange = Exchange()
    with exchange.lab:
        exchange.start(lambda n: f"filter {{ if (64999,{n}) ~ bgp_community then reject; accept; }}")
        before = exchange.counters()
        require(len(before) == CLIENTS + 1, f"{len(before) - 1} groups for {CLIENTS} policies")
        exchange.load()
        after = exchange.counters()
        did = difference(after[-1], before[-1])
        each = [difference(a, b) for a, b in zip(after[:-1], before[:-1])]
        most = SETS * slices(exchange.dut)
        # Nobody is named, so all come to the same: one is asked, once for a set in each slice.
        require(SETS <= did["runs"] <= most, f"{did['runs']} runs of {CLIENTS} policies for {SETS} sets: {did}")
        require(did["runs"] + did["reused"] == ROUTES * CLIENTS, f"a verdict for each route and policy: {did}")
        require(all(SETS <= one["updates"] <= most for one in each), f"{each}")
        require(did["delivered"] == did["encoded"], f"each encodes for one: {did}")
        return f"{ROUTES} routes of {SETS} sets: {did}"

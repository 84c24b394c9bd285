"""Whole tables: the daemon's table, and what it passes on, equal BIRD 2's for the same feed."""

import gzip
import time
from dataclasses import replace

from harness import wire
from harness.dut import Dut, binary, is_bird2
from harness.lab import Lab, wait_for
from harness.routes import compare, varied
from harness.runner import require, test
from harness.speaker import Speaker
from material import material

DUT_AS, FEED_AS, WATCH_AS = 65000, 64999, 64998


def configuration():
    """A feeder and a watcher."""
    neighbor = lambda name, address, asn, export: (
        f"protocol bgp {name} {{ local 10.99.0.1 as {DUT_AS}; neighbor {address} as {asn}; passive on;"
        f" ipv4 {{ import all; export {export}; }}; ipv6 {{ import all; export {export}; }}; }}\n"
    )
    return neighbor("feed", "10.99.0.2", FEED_AS, "none") + neighbor("watch", "10.99.0.3", WATCH_AS, "all")


class Outcome:
    """What a daemon made of a feed."""

    def __init__(self, program, stream):
        with Lab("dut", "far") as lab:
            for host, device, addresses in (("dut", "v1", [1]), ("far", "v1", [2, 3])):
                if host == "dut":
                    lab.link("dut", "far")
                for last in addresses:
                    lab.ip(host, f"addr add 10.99.0.{last}/24 dev {device}",
                           f"addr add fd99::{last}/64 dev {device} nodad")
            dut = Dut(lab, program=program)
            dut.control.timeout = 300
            dut.start(configuration(), "10.99.0.1")
            feed = Speaker(lab, "far", "10.99.0.2", "10.99.0.1", FEED_AS, hold=240)
            watch = Speaker(lab, "far", "10.99.0.3", "10.99.0.1", WATCH_AS, hold=240)
            watch.connect()
            feed.connect()
            begin = time.monotonic()
            feed.send(stream)
            self.settle(dut, feed, watch)
            self.seconds = time.monotonic() - begin
            self.routes = dut.control.routes("table all protocol feed")
            self.passed_on = watch.routes
            self.others = {prefix: unknown(key) for prefix, key in watch.table.items()}
            self.rss = dut.rss() / 1024
            dut.require_running()
            require(feed.alive and watch.alive, "a session fell during the feed")

    def settle(self, dut, feed, watch):
        """Until a route sent last has come through and the numbers stay."""
        last = wire.update(wire.attributes(LAST), wire.nlri("192.0.2.99/32"))
        feed.send(last)
        wait_for(lambda: "192.0.2.99/32" in watch.table, 120, "the table does not come through")
        state = [None]

        def quiet():
            before, state[0] = state[0], (len(watch.table), watch.updates, dut.control.count("protocol feed"))
            return state[0] == before

        wait_for(quiet, 120, "the table does not settle", 0.5)


LAST = next(iter(varied(1, 4, "last", FEED_AS, "10.99.0.2").values()))


def unknown(key):
    """Attributes that no Route has, with their flags but for the length's."""
    known = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 14, 15, 16, 32}
    return {kind: (flags & ~wire.EXTENDED, value) for kind, (flags, value) in key if kind not in known}


def withdrawn_by_rfc9774(routes):
    """Prefixes that BIRD 2 keeps but that RFC 9774 and RFC 7607 withdraw: AS_SET or AS 0 in the path."""
    return {p for p, r in routes.items() if "{" in r.as_path or "0" in r.as_path.split()}


def require_absent(prefixes, outcome):
    """None of these is in the table, nor was passed on."""
    for what, routes in (("kept", outcome.routes), ("passed on", outcome.passed_on)):
        there = sorted(prefixes & routes.keys())
        require(not there, lambda: f"{len(there)} prefixes with AS_SET or AS 0 are {what}: {' '.join(there[:20])}")


def without_zero_aggregators(theirs, ours):
    """RFC 7607 discards an AGGREGATOR of AS 0, which BIRD 2 keeps: takes it off where the daemon did."""
    dropped = {p for p, r in theirs.items() if p in ours and (r.aggregator or "").startswith("0 ")
               and ours[p].aggregator is None}
    return {p: replace(r, aggregator=None) if p in dropped else r for p, r in theirs.items()}, dropped


def beside_bird(stream, most):
    """Plays the feed to BIRD 2 and to the daemon and compares both tables and both outputs."""
    bird, dut = Outcome("/usr/sbin/bird", stream), Outcome(binary(), stream)
    lacking = set() if is_bird2() else withdrawn_by_rfc9774(bird.routes)
    require_absent(lacking, dut)
    keep = lambda routes: {p: r for p, r in routes.items() if p not in lacking}
    for name in ("routes", "passed_on"):
        theirs, dropped = without_zero_aggregators(keep(getattr(bird, name)), getattr(dut, name))
        lines = compare(theirs, getattr(dut, name))
        require(not lines, lambda: f"{name.replace('_', ' ')} of {len(theirs)}:\n    " + "\n    ".join(lines))
    lines = [f"{p}: {dut.others.get(p)} should be {o}" for p, o in keep(bird.others).items() if dut.others.get(p) != o]
    require(not lines, lambda: "unknown attributes:\n    " + "\n    ".join(lines[:8]))
    require(len(lacking) <= most, f"{len(lacking)} prefixes lack: {sorted(lacking)[:20]}")
    if lacking:
        print(f"     withdrawn, as their paths have an AS_SET or AS 0: {' '.join(sorted(lacking))}")
    if dropped:
        print(f"     without their AGGREGATOR of AS 0: {' '.join(sorted(dropped))}")
    return (f"{len(dut.routes)} routes equal, {len(lacking)} with AS_SET or AS 0 withdrawn,"
            f" {len(dropped)} AGGREGATORs of AS 0 dropped;"
            f" {dut.seconds:.1f} s and {dut.rss:.0f} MB, BIRD 2 {bird.seconds:.1f} s and {bird.rss:.0f} MB")


@test("made-table-equals-bird", timeout=180)
def made_table():
    routes = varied(60000, 4, "table", FEED_AS, "10.99.0.2") | varied(20000, 6, "table", FEED_AS, "fd99::2")
    return beside_bird(wire.announcements(routes), 0)


@test("real-table-of-2002-equals-bird", timeout=300)
def table_2002():
    return beside_bird(gzip.open(material("data/feeds/ris2002-allpeers.bgp.gz")).read(), 200)


@test("real-table-of-2015-equals-bird", timeout=600)
def table_2015():
    return beside_bird(gzip.open(material("data/feeds/pch2015-as3856-v4.bgp.gz")).read(), 200)

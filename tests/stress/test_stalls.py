"""Somebody stops reading: a peer, a client of the control socket. Nobody else may notice."""

import json
import socket
import time

from crowd import Crowd, Trickle
from harness import wire
from harness.lab import wait_for
from harness.routes import Route, compare, through, through_external, varied
from harness.runner import require, test
from stopwatch import Stopwatch, is_marked


@test("peer-that-stops-reading", timeout=180)
def slow_peer():
    """All but `far` are told the same bytes; `far` has a policy of its own."""
    crowd = Crowd("feed", "tick", "table", "near", "far", "slow", buffers={"slow": 4096}, lan=True)
    crowd.section("far", "import all; export filter { bgp_med = 5; accept; };")
    # It sends only, and would leave the stream of the others.
    crowd.section("tick", "import all; export none;")
    with crowd.lab:
        crowd.start(without=("tick", "near", "far"))
        watch = Stopwatch(crowd, "tick", ["near", "far"])
        _, there, asn = crowd.links["feed"]
        routes = varied(60000, 4, "stall", asn, there.local)
        watch.phase("f")
        routes = change(crowd, routes, range(4))
        time.sleep(2)
        crowd["slow"].pause()
        watch.phase("s")
        # More changes than socket buffers can hold: the last round is what counts.
        routes = change(crowd, routes, range(4, 8))
        require(len(fresh(crowd["slow"], routes)) < len(routes), "the slow peer was never behind")
        # It left the stream: what it misses is counted for it alone.
        wait_for(lambda: is_off(crowd, "slow"), 10, lambda: f"it is still in the stream: {windows(crowd, 'slow')}")
        left, _ = stream(crowd)
        require(left >= 1, f"nobody left the stream: {crowd.dut.control('show export')}")
        require(not is_off(crowd, "table"), "one that reads left the stream")
        time.sleep(2)
        peak = crowd.dut.rss() // 1024
        watch.phase("r")
        crowd["slow"].resume()
        for name in ("table", "slow"):
            caught_up(crowd[name], through_external(routes, 65001, there.local, local_pref=None))
        for name in ("table", "slow"):
            idle = lambda: windows(crowd, name) and not any(row["used"] for row in windows(crowd, name))
            wait_for(lambda: idle() and not is_off(crowd, name), 10, lambda: windows(crowd, name))
        # On a busy machine others may have left it, too.
        wait_for(lambda: len(set(stream(crowd))) == 1, 20, lambda: crowd.dut.control("show export") + crowd.dut.control("show flow"))
        left, back = stream(crowd)
        require(left >= 1, f"nobody left the stream: {crowd.dut.control('show export')}")
        found = watch.stop()
        crowd.require_alive("feed", "table", "slow")
        require_as_prompt(found["f"], found["s"])
        return f"all read: {found['f']}; one stalled: {found['s']}; it catches up: {found['r']}; {peak} MB; left {left} times, back {back}"


def windows(crowd, name):
    """What is under way to a neighbour."""
    flow = json.loads(crowd.dut.control(f"show flow {name} json"))["flow"]
    return [row for row in flow if row["credit"] == "ipv4 to the neighbour"]


def is_off(crowd, name):
    """Whether a neighbour has left the common stream and not come back."""
    return any(row["behind"] is not None for row in windows(crowd, name))


def stream(crowd):
    """How often members of all groups have left the common stream, and come back to it."""
    total = crowd.dut.control("show export").splitlines()[-1].split()
    require(total[0] == "Total", total)
    return int(total[-2]), int(total[-1])


def change(crowd, routes, rounds):
    """Changes all routes some times; returns how they are when `table` has the last round."""
    for number in rounds:
        routes = through(routes, communities=(f"64000:{number}",))
        crowd["feed"].announce(routes)
    wait_for(lambda: len(fresh(crowd["table"], routes)) == len(routes), 60, "the table does not come through", 1)
    return routes


def fresh(speaker, routes):
    """What a peer has of this round."""
    last = next(iter(routes.values())).communities
    return {p for p, r in speaker.routes.items() if r.communities == last}


def caught_up(speaker, expected):
    """The peer ends on the last round of routes, whatever the stopwatch sends besides."""
    own = lambda: {p: r for p, r in speaker.routes.items() if p in expected or not is_marked(p)}
    wait_for(lambda: own() == expected, 60,
             lambda: f"{speaker.local} does not catch up: {'; '.join(compare(expected, own()))}", 1)


def require_as_prompt(usual, stalled):
    """With a peer that does not read updates are as prompt as with one that does, measured in the same
    run under the same load. The margins are what this machine may do to either of the two."""
    for part, margin in ((0.5, 0.002), (0.99, 0.03), (1, 0.15)):
        require(stalled.at(part) <= usual.at(part) + margin,
                f"others are delayed: {stalled}; without the stalled peer {usual}")
    require(not usual.missing and not stalled.missing, f"missing: {usual.missing}, {stalled.missing}")


@test("peer-that-stops-reading-at-its-start", timeout=120)
def slow_joiner():
    """Whoever joins together with a peer that does not read, or later, gets the table as quickly as ever."""
    names = ("feed", "slow", "alone", "beside", "late")
    crowd = Crowd(*names, buffers={"slow": 4096}, lan=True)
    # Told other bytes than the rest.
    crowd.section("alone", "import all; export filter { bgp_med = 5; accept; };")
    with crowd.lab:
        crowd.start(without=names[1:])
        _, there, asn = crowd.links["feed"]
        # More than sockets can hold.
        routes = varied(300000, 4, "start", asn, there.local)
        crowd["feed"].announce(routes)
        crowd.dut.wait_count("", len(routes), timeout=60)
        usual = time_to_join(crowd["alone"], len(routes))
        crowd["slow"].dial()
        crowd["slow"].send(crowd["slow"].open() + wire.message(wire.KEEPALIVE))
        crowd.dut.wait_established("slow")
        beside = time_to_join(crowd["beside"], len(routes))
        time.sleep(2)
        late = time_to_join(crowd["late"], len(routes))
        require(max(beside, late) < usual + 0.5, f"alone {usual:.2f} s, beside {beside:.2f} s, later {late:.2f} s")
        require(not crowd["slow"].table, "the slow peer has read")
        crowd["slow"].start_reading()
        crowd["slow"].wait_routes(len(routes), timeout=60)
        return f"table after {usual:.2f} s, beside the stalled peer after {beside:.2f} s, later {late:.2f} s"


def time_to_join(speaker, count):
    """Seconds from the connection to End-of-RIB with the whole table."""
    begin = time.monotonic()
    speaker.connect()
    wait_for(lambda: wire.IPV4 in speaker.ended, 60, "no End-of-RIB", 0.01)
    speaker.wait_routes(count, timeout=60)
    return time.monotonic() - begin


def client_stalls(prefixes):
    """`show route all` whose client reads nothing, then everything."""
    crowd = Crowd("feed", "trickle", "watch", hold=9)
    # The harness needn't take the table in again.
    crowd.section("watch", "import all; export where net ~ [ 100.64.0.0/10{32,32} ];")
    with crowd.lab:
        crowd.start()
        crowd["feed"].send(plain_table(crowd, prefixes))
        crowd.dut.wait_count("", prefixes, timeout=120)
        before = settled_rss(crowd.dut)
        peak = 0
        stalled, leaving = ask(crowd.dut), ask(crowd.dut)
        trickle = Trickle(crowd, "trickle", ["watch"])
        # Longer than the hold time: keepalives must go both ways meanwhile.
        end = time.monotonic() + 11
        while time.monotonic() < end:
            begin = time.monotonic()
            crowd.dut.control("show status")
            require(time.monotonic() - begin < 2, "another client waits")
            peak = max(peak, crowd.dut.rss())
            time.sleep(0.5)
        leaving.close()
        grown = (peak - before) // 1024
        require(grown < 32, f"the daemon grew by {grown} MB for a client that does not read")
        sent = trickle.stop()
        wait_for(lambda: len(trickle.delays["watch"]) == len(sent), 10, "updates are missing")
        trickle.require_prompt()
        crowd.require_alive()
        shown = drain(stalled)
        require(shown >= prefixes, f"the client that read late got {shown} of {prefixes} routes")
        return f"{shown} routes shown late, grown by {grown} MB; {trickle.summary()}"


def plain_table(crowd, count):
    """UPDATEs with so many networks in sets of a thousand, without a detour by single routes."""
    _, there, asn = crowd.links["feed"]
    made = []
    for start in range(0, count, 1000):
        route = Route(as_path=f"{asn} {64600 + start // 1000 % 300}", next_hop=there.local, med=start // 1000,
                      communities=("64000:1", "64000:2"))
        nets = [bytes((24, 20 + n // 65536, n // 256 % 256, n % 256)) for n in range(start, min(count, start + 1000))]
        block = wire.attributes(route)
        made += [wire.update(block, chunk) for chunk in wire.packed(nets, 4096 - 23 - len(block))]
    return b"".join(made)


def settled_rss(dut):
    """Memory in KiB once what loading the table took has been given back."""
    last, now = 0, dut.rss()
    for _ in range(20):
        time.sleep(0.5)
        last, now = now, dut.rss()
        if abs(now - last) < 512:
            break
    return now


def ask(dut):
    """A client that has asked and does not read."""
    made = socket.socket(socket.AF_UNIX)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    made.connect(str(dut.socket))
    made.sendall(b"show route all\n")
    return made


def drain(client):
    """Reads the whole answer; how many routes it has."""
    client.settimeout(120)
    count, tail = 0, b""
    while not tail.endswith(b"\n0000 \n"):
        data = client.recv(1 << 20)
        require(data, "the connection ended within the answer")
        count += data.count(b"] * (") + (tail[-4:] + data[:4]).count(b"] * (")
        tail = (tail + data)[-64:]
    client.close()
    return count


@test("client-that-stops-reading", timeout=180)
def slow_client():
    return client_stalls(1000000)

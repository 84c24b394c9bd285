"""Somebody stops reading: a peer, a client of the control socket. Nobody else may notice."""

import socket
import time

from crowd import Crowd, Trickle
from harness.lab import wait_for
from harness.routes import require_equal, through, through_external, varied
from harness.runner import require, test


@test("peer-that-stops-reading", timeout=180)
def slow_peer():
    crowd = Crowd("feed", "trickle", "watch", "slow", buffers={"slow": 4096})
    with crowd.lab:
        crowd.start()
        _, there, asn = crowd.links["feed"]
        routes = varied(60000, 4, "stall", asn, there.local)
        crowd["slow"].pause()
        trickle = Trickle(crowd, "trickle", ["watch"])
        # More changes than socket buffers can hold: the last round is what counts.
        for med in range(4):
            routes = through(routes, communities=(f"64000:{med}",))
            crowd["feed"].announce(routes)
        wait_for(lambda: all(p in crowd["watch"].table for p in routes), 60, "the table does not come through")
        require(len(crowd["slow"].table) < len(routes), "the slow peer was never behind")
        time.sleep(2)
        sent = trickle.stop()
        wait_for(lambda: len(trickle.delays["watch"]) == len(sent), 10, "updates are missing")
        trickle.require_prompt()
        crowd.require_alive()
        peak = crowd.dut.rss() // 1024
        crowd["slow"].resume()
        for name in ("watch", "slow"):
            out, _, _ = crowd.links[name]
            expected = through_external(routes, 65001, out.local, local_pref=None)
            caught_up(crowd[name], expected, sent)
        crowd.require_alive()
        return f"{trickle.summary()}; {peak} MB"


def caught_up(speaker, expected, others):
    """The peer ends on the last round of routes."""
    own = lambda: {p: r for p, r in speaker.routes.items() if p not in others}
    wait_for(lambda: len(speaker.table) == len(expected) + len(others) and own() == expected, 60,
             lambda: f"{speaker.local} does not catch up: {len(speaker.table)} routes", 1)
    require_equal(expected, own(), f"what {speaker.local} has")


def client_stalls(prefixes):
    """`show route all` whose client reads nothing, then everything."""
    crowd = Crowd("feed", "trickle", "watch", hold=9)
    with crowd.lab:
        crowd.start()
        _, there, asn = crowd.links["feed"]
        crowd["feed"].announce(varied(prefixes, 4, "client", asn, there.local))
        crowd["watch"].wait_routes(prefixes, timeout=120)
        before = crowd.dut.rss()
        stalled, leaving = ask(crowd.dut), ask(crowd.dut)
        trickle = Trickle(crowd, "trickle", ["watch"])
        # Longer than the hold time: keepalives must go both ways meanwhile.
        end = time.monotonic() + 11
        while time.monotonic() < end:
            begin = time.monotonic()
            crowd.dut.control("show status")
            require(time.monotonic() - begin < 2, "another client waits")
            time.sleep(0.5)
        leaving.close()
        grown = (crowd.dut.rss() - before) // 1024
        require(grown < 32, f"the daemon grew by {grown} MB for a client that does not read")
        sent = trickle.stop()
        wait_for(lambda: len(trickle.delays["watch"]) == len(sent), 10, "updates are missing")
        trickle.require_prompt()
        crowd.require_alive()
        shown = drain(stalled)
        require(shown >= prefixes, f"the client that read late got {shown} of {prefixes} routes")
        return f"{shown} routes shown late, grown by {grown} MB; {trickle.summary()}"


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
    return client_stalls(150000)


@test("client-that-stops-reading-of-a-million", timeout=400, long=True)
def slow_client_million():
    return client_stalls(1000000)

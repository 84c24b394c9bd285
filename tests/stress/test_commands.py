"""Commands that go through a whole table: nobody's sign of life waits for them."""

import json
import threading
import time

from crowd import Crowd
from harness.lab import wait_for
from harness.runner import require, test
from test_stalls import plain_table

PREFIXES = 200000
WATCHERS = [f"w{number}" for number in range(16)]


@test("show-route-and-keepalives", timeout=180)
def show_route_and_keepalives():
    """How late the daemon's keepalives are while clients read `show route all` again and again, beside how
    late they are without, in one run; on one worker, which has both to do."""
    crowd = Crowd("feed", *WATCHERS, hold=9)
    for name in WATCHERS:
        crowd.section(name, "import all; export none;")
    with crowd.lab:
        crowd.start("threads 1;")
        crowd["feed"].send(plain_table(crowd, PREFIXES))
        crowd.dut.wait_count("", PREFIXES, timeout=120)
        usual = Lateness(crowd.dut, 9)
        readers = [Reader(crowd.dut) for _ in range(2)]
        under = Lateness(crowd.dut, 9)
        shown = sum(reader.stop() for reader in readers)
        crowd.require_alive()
        require(shown > PREFIXES, f"only {shown} routes were shown meanwhile")
        # A keepalive every three seconds.
        for found in (usual, under):
            require(found.count >= 2 * len(WATCHERS), f"{found.count} keepalives")
        # The margins are what a machine with much else to do may do to a daemon that is busy; one walk takes longer.
        for part, margin in (("p50", 0.01), ("p99", 0.05), ("max", 0.25)):
            require(under.of[part] <= usual.of[part] + margin, f"keepalives are late: {under}; usually {usual}")
        return f"{shown} routes shown; keepalives late by {under}, without that by {usual}"


class Lateness:
    """How late the daemon's own liveness timers were for so many seconds, as it says itself."""

    def __init__(self, dut, seconds):
        dut.control("clear statistics")
        time.sleep(seconds)
        # The workers clear when they get to it, and show what they have counted since.
        rows = json.loads(dut.control("show events json"))["events"]
        found = [row for row in rows if (row["handler"], row["class"]) == ("timer", "liveness")]
        require(found, f"no liveness timer: {rows}")
        best = max(found, key=lambda row: row["wait_count"])
        self.count = sum(row["wait_count"] for row in found)
        self.of = {part: best[f"wait_{part}_ns"] / 1e9 for part in ("p50", "p99", "max")}

    def __str__(self):
        return ", ".join(f"{part} {late * 1000:.2f} ms" for part, late in self.of.items()) + f" of {self.count}"


class Reader:
    """A client that asks for all routes, reads them, and asks again."""

    def __init__(self, dut):
        self.client = dut.control.dial()
        self.count, self.running = 0, True
        self.thread = threading.Thread(target=self.read, daemon=True)
        self.thread.start()
        wait_for(lambda: self.count, 20, "no route is shown", 0.02)

    def read(self):
        """Until the end of the test."""
        while self.running:
            self.client.sendall(b"show route all\n")
            tail = b""
            while self.running and not tail.endswith(b"\n0000 \n"):
                data = self.client.recv(1 << 18)
                if not data:
                    return
                self.count += data.count(b"] * (")
                tail = (tail + data)[-64:]

    def stop(self):
        """How many routes it has been shown, but for some between two pieces."""
        self.running = False
        self.thread.join(10)
        self.client.close()
        return self.count

"""Raw BGP messages, many malformed, each with the outcome that the RFCs want.

Each difference must stand in doc/message-differences.md with its reason; each message must leave a
daemon that runs, and a session that can come back.
"""

import json
import pathlib
import re
import threading

from harness import wire
from harness.control import ControlError
from harness.dut import ROOT, Dut, is_bird2
from harness.lab import Lab, wait_for
from harness.routes import Route
from harness.runner import require, test
from harness.speaker import Speaker
from material import material

SOURCES = {"e1": ("10.99.0.2", 65001), "i1": ("10.99.0.3", 65000)}
# Families that the speaker says it has; the daemon has only the unicast ones.
FAMILIES = [(1, 1), (2, 1), (1, 2), (2, 2), (1, 128), (2, 128), (1, 133), (2, 133), (25, 70)]
DIFFERENCES = ROOT / "doc/message-differences.md"


class Player:
    """Plays one peer's cases, one after the other, on one session while that lasts."""

    def __init__(self, lab, dut, name):
        address, asn = SOURCES[name]
        self.dut, self.name, self.local = dut, name, address
        self.speaker = Speaker(lab, "far", address, "10.99.0.1", asn, families=FAMILIES)
        self.played = 0

    def play(self, case):
        """What happens with a case: {outcome, notification, routes}."""
        if case["kind"] == "open-optparam":
            return self.play_open(bytes.fromhex(case["hex"]))
        if not self.speaker.alive:
            self.speaker.close()
            self.speaker.connect(timeout=30)
        self.speaker.send(bytes.fromhex(case["hex"]) + wire.message(wire.KEEPALIVE))
        if not self.pass_marker():
            return {"outcome": "reset", "notification": self.told(), "routes": []}
        routes = self.routes()
        if case["expect"] == "discard" and case.get("prefix") not in routes:
            # Another slice of the table may be a little behind the marker's.
            self.pass_marker()
            routes = self.routes()
        self.clear(routes)
        return {"outcome": "kept", "notification": None, "routes": sorted(routes)}

    def play_open(self, parameters):
        """A connection whose OPEN has these optional parameters."""
        if parameters[:1] != b"\2":
            parameters = bytes([2, len(parameters) & 255]) + parameters
        self.speaker.close()
        speaker = self.speaker
        for _ in range(40):
            speaker.dial()
            try:
                speaker.send(wire.open_message(speaker.asn, self.local, parameters=parameters))
                speaker.start_reading()
                wait_for(lambda: speaker.established.is_set() or speaker.closed, 5, "no answer to an OPEN", 0.02)
            except (OSError, AssertionError):
                pass
            if speaker.established.is_set() or speaker.notification:
                break
            speaker.close()
            threading.Event().wait(0.1)
        outcome = "kept" if speaker.established.is_set() and not speaker.notification else "reset"
        told = self.told()
        speaker.close()
        return {"outcome": outcome, "notification": told, "routes": []}

    def told(self):
        """The NOTIFICATION as a list."""
        said = self.speaker.notification
        return [said[0], said[1], said[2].hex()] if said else None

    def pass_marker(self):
        """Sends a good route after the case; False when the session ended instead."""
        self.played += 1
        marker = f"203.0.{self.played // 250}.{self.played % 250}/32"
        path = str(self.speaker.asn) if self.name == "e1" else ""
        pref = None if self.name == "e1" else 100
        route = Route(as_path=path, next_hop=self.local, local_pref=pref)
        try:
            self.speaker.announce({marker: route})
        except OSError:
            pass
        wait_for(lambda: self.speaker.closed or self.shown(marker), 10,
                 f"neither a route after the message nor the session's end ({self.name})", 0.02)
        return not self.speaker.closed

    def shown(self, prefix):
        """Has the daemon this route of the peer's?"""
        try:
            return bool(self.dut.control.entries(f"{prefix} protocol {self.name}"))
        except ControlError:
            return False

    def routes(self):
        """Prefixes of this peer in the daemon's tables, without the markers."""
        entries = self.dut.control.entries(f"table all protocol {self.name}")
        return {prefix for prefix, _ in entries if not prefix.startswith("203.0.")}

    def clear(self, routes):
        """Withdraws what the case left."""
        self.speaker.send(wire.withdrawals(sorted(routes)))
        wait_for(lambda: not self.routes() or self.speaker.closed, 10, "withdrawn routes stay", 0.02)


def verdict(case, result):
    """None when the outcome is the wanted one, else what is different."""
    wanted, outcome = case["expect"], result["outcome"]
    there = case.get("prefix") in result["routes"]
    if wanted in ("withdraw", "discard"):
        if outcome != "kept":
            return f"session reset {result['notification']}, should be {wanted}"
        if there != (wanted == "discard"):
            return f"the route is {'there' if there else 'not there'}, should be {wanted}"
    elif wanted == "session-reset" and outcome != "reset":
        return "session kept, should be reset"
    elif wanted == "accept" and case["kind"] in ("update", "refresh") and outcome != "kept":
        return f"session reset {result['notification']}, should be accepted"
    elif wanted == "SHOULD_PARSE" and outcome != "kept":
        return f"OPEN refused {result['notification']}, should be accepted"
    elif wanted == "SHOULD_ERR" and outcome == "kept":
        return "OPEN accepted, should be refused"
    return None


def play_all(lab, dut, cases):
    """Plays the peers' cases side by side: {id: result}."""
    results = {}

    def run(name):
        player = Player(lab, dut, name)
        for case in cases:
            if case["peer"] == name:
                try:
                    results[case["id"]] = player.play(case)
                except Exception as error:
                    results[case["id"]] = {"outcome": "stuck", "notification": str(error), "routes": []}
                    player.speaker.close()

    threads = [threading.Thread(target=run, args=(name,), daemon=True) for name in SOURCES]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def known_differences():
    """The ids in the table of differences."""
    if not DIFFERENCES.exists():
        return set()
    return set(re.findall(r"^\| *(c\d+) *\|", DIFFERENCES.read_text(), re.M))


@test("raw-messages", timeout=900)
def raw_messages():
    lines = (material("bgp-cases") / "cases.jsonl").read_text().splitlines()
    cases = [json.loads(line) for line in lines]
    text = material("tools/dut-unicast.conf").read_text()
    with Lab("dut", "far") as lab:
        lab.link("dut", "far")
        lab.ip("dut", "addr add 10.99.0.1/24 dev v1")
        lab.ip("far", "addr add 10.99.0.2/24 dev v1", "addr add 10.99.0.3/24 dev v1")
        dut = Dut(lab)
        dut.write = lambda *_: dut.config.write_text(text)
        dut.start(text)
        results = play_all(lab, dut, cases)
        dut.require_running()
        for name in SOURCES:
            Player(lab, dut, name).speaker.connect(timeout=30)
    return judge(cases, results)


def judge(cases, results):
    """Fails on a stuck session and on differences that are not explained."""
    different = {}
    stuck = []
    for case in cases:
        result = results[case["id"]]
        if result["outcome"] == "stuck":
            stuck.append(f"{case['id']} {case['name']}: {result['notification']}")
        elif said := verdict(case, result):
            different[case["id"]] = f"{case['id']} {case['name']} ({case['peer']}): {said}"
    known = known_differences()
    new = [text for key, text in different.items() if key not in known]
    report = pathlib.Path("/tmp/dunlin-message-differences.txt")
    report.write_text("\n".join([*stuck, *different.values(), ""]))
    require(not stuck, lambda: f"{len(stuck)} cases left a session that does not come back:\n    " + "\n    ".join(stuck[:10]))
    gone = sorted(known - different.keys())
    if is_bird2():
        return f"{len(cases)} messages; BIRD 2 differs in {len(different)}, see {report}"
    require(not new, lambda: f"{len(new)} differences not explained in {DIFFERENCES.name}:\n    " + "\n    ".join(new[:20]))
    require(not gone, f"listed in {DIFFERENCES.name} but no longer different: {' '.join(gone)}")
    return f"{len(cases)} messages, {len(different)} differences, all explained"

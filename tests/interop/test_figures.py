"""The table of route changes in `show protocols all`, step by step: by itself, and beside BIRD 2's."""

import re
import shutil
import time

from harness.dut import Dut, binary, is_bird2
from harness.lab import Lab, wait_for
from harness.routes import Route
from harness.runner import Skip, require, test
from harness.speaker import Speaker
from harness.wire import IPV4

NAMES = ("a", "b", "c")
FILTERS = """
filter unmarked { if (64000,1) ~ bgp_community then reject; accept; }
"""
# What passes each session's filters.
CHANNELS = {
    "a": "import all; export all;",
    "b": "import filter unmarked; export all;",
    "c": "import all; export filter unmarked;",
}


class Scene:
    """A daemon and three neighbours on one network; two of them have equal export policies."""

    def __init__(self, program):
        self.lab = Lab("dut", "lan")
        self.dut = Dut(self.lab, program=program)
        self.here, there = self.lab.link("dut", "lan")
        stem = there.local.rpartition(".")[0]
        self.speakers = {}
        sections = [FILTERS]
        for n, name in enumerate(NAMES):
            address = f"{stem}.{10 + n}"
            self.lab.ip("lan", f"addr add {address}/24 dev {there.device}")
            self.speakers[name] = Speaker(self.lab, "lan", address, self.here.local, 65101 + n, families=(IPV4,))
            sections.append(
                f"protocol bgp {name} {{ local {self.here.local} as 65001; neighbor {address} as {65101 + n}; "
                f"passive; ipv4 {{ {CHANNELS[name]} }}; }}"
            )
        self.text = "\n".join(sections)

    def __getitem__(self, name):
        return self.speakers[name]

    def connect(self, name):
        """A session that has been fed: what comes amid the feed may count for both."""
        self[name].connect()
        wait_for(lambda: self[name].ended, 20, f"{name} gets no End-of-RIB", 0.02)

    def route(self, name, length=1, marked=False):
        """A neighbour's route with a path of some length."""
        speaker = self[name]
        path = " ".join([str(speaker.asn)] + ["64999"] * (length - 1))
        return Route(as_path=path, next_hop=speaker.local, communities=("64000:1",) if marked else ())

    def figures(self, before):
        """The figures of all sessions once they have changed and then stay as they are."""
        last, since = None, time.monotonic()
        end = since + 20
        while time.monotonic() < end:
            now = {name: self.read(name) for name in NAMES}
            if now != last:
                last, since = now, time.monotonic()
            if now != before and time.monotonic() - since > 0.7:
                return now
            time.sleep(0.1)
        raise AssertionError(f"the figures do not settle: {last}")

    def read(self, name):
        """{(row, column): number} of one session; dashes are left out."""
        text = self.dut.control(f"show protocols all {name}")
        found = {}
        routes = re.search(r"Routes: +(.*)", text)
        if routes:
            found |= {("routes", word): int(n) for n, word in re.findall(r"(\d+) (\w+)", routes[1])}
        heads = None
        for line in text.splitlines():
            name, _, rest = line.strip().partition(":")
            if name == "Route change stats":
                heads = re.split(r"\s{2,}", rest.strip())
                heads = rest.replace("RX limit", "RX-limit").split()
            elif heads and name in ("Import updates", "Import withdraws", "Export updates", "Export withdraws"):
                cells = zip(heads, rest.split())
                found |= {(name, head): int(cell) for head, cell in cells if cell.isdigit()}
        return found


def steps(scene):
    """Goes through the scenario; yields a name for each step when it has been done."""
    nets = [f"198.18.{n}.0/24" for n in range(30)]
    scene.connect("a")
    scene.connect("b")
    scene["a"].announce({net: scene.route("a", 2, marked=n < 12) for n, net in enumerate(nets)})
    yield "a announces thirty, twelve marked"
    scene["a"].announce({net: scene.route("a", 2, marked=n < 12) for n, net in enumerate(nets)})
    yield "a repeats itself"
    scene["b"].announce({net: scene.route("b", 3) for net in nets[:20]})
    yield "b has worse routes to twenty"
    scene["b"].announce({net: scene.route("b", 1) for net in nets[:10]})
    yield "b has better routes to ten"
    scene["b"].announce({f"198.19.{n}.0/24": scene.route("b", marked=True) for n in range(5)})
    yield "b announces five that its import filter rejects"
    scene.connect("c")
    yield "c comes, and takes no marked routes"
    scene["b"].announce({net: scene.route("b", 4) for net in nets[:10]})
    yield "b's routes to ten are worse again"
    scene["b"].withdraw(nets[:10] + ["198.51.100.0/24"])
    yield "b withdraws ten and one that is not there"
    scene["a"].withdraw(nets[10:15])
    yield "a withdraws two marked and three others, to which b has routes"
    scene["a"].withdraw(nets[25:])
    yield "a withdraws five to which nobody else has routes"


def play(program):
    """The figures after each step."""
    scene = Scene(program)
    with scene.lab:
        scene.dut.start(scene.text)
        played = [(None, None)]
        for step in steps(scene):
            played.append((step, scene.figures(played[-1][1])))
        return played[1:]


# After the last step. The columns are: received, rejected, filtered, ignored, accepted.
EXPECTED = {
    "a": {
        "Import updates": (60, 0, 0, 30, 30),
        "Import withdraws": (10, 0, None, 0, 10),
        "Export updates": (55, 40, 0, 0, 15),
        "Export withdraws": (5, None, None, 0, 10),
    },
    "b": {
        "Import updates": (45, 0, 5, 0, 40),
        "Import withdraws": (11, 0, None, 1, 10),
        "Export updates": (55, 15, 0, 0, 40),
        "Export withdraws": (5, None, None, 0, 20),
    },
}
COLUMNS = ("received", "rejected", "filtered", "ignored", "accepted")


@test("figures-of-route-changes", timeout=90)
def figures():
    played = play(binary())
    last = played[-1][1]
    wrong = []
    for name, rows in EXPECTED.items():
        for row, cells in rows.items():
            for column, expected in zip(COLUMNS, cells):
                got = last[name].get((row, column))
                # BIRD 2 has dashes in some places.
                if expected is not None and got != expected and not (got is None and is_bird2()):
                    wrong.append(f"{name}: {row} {column} is {got}, not {expected}")
    require(not wrong, "\n    ".join(wrong))
    for step, found in played:
        for name in NAMES:
            consistent(step, name, found[name])


def consistent(step, name, found):
    """Every update ends in one column; what is exported was accepted and not withdrawn."""
    for way in ("Import", "Export"):
        row = f"{way} updates"
        if (row, "received") in found:
            rest = sum(n for (r, column), n in found.items() if r == row and column != "received")
            require(found[row, "received"] == rest, f"{step}: {name}: {row} do not add up: {found}")


@test("figures-of-route-changes-as-bird2-has-them", timeout=90)
def beside_bird2():
    bird = shutil.which("bird") or "/usr/sbin/bird"
    if is_bird2():
        raise Skip("it would be compared with itself")
    ours, theirs = play(binary()), play(bird)
    wrong = []
    for (step, mine), (_, other) in zip(ours, theirs):
        for name in NAMES:
            for cell in sorted(mine[name].keys() & other[name].keys()):
                if mine[name][cell] != other[name][cell]:
                    wrong.append(f"{step}: {name}: {' '.join(cell)} is {mine[name][cell]}, "
                                 f"BIRD 2 has {other[name][cell]}")
    compared = sum(len(m[n].keys() & o[n].keys()) for (_, m), (_, o) in zip(ours, theirs) for n in NAMES)
    require(not wrong, "\n    ".join(wrong))
    return f"{compared} figures compared"

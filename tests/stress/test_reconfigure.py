"""`configure` while routes flow: what did not change is not touched, filters change in place."""

from crowd import Crowd
from harness.dut import is_bird2
from harness.lab import wait_for
from harness.routes import varied
from harness.runner import require, test

PEERS = [f"p{n}" for n in range(12)]
FILTERS = "filter marking {{ bgp_community.add((65001,{mark})); accept; }}\nfilter plain {{ accept; }}\n"


def marked(speaker, mark):
    """Routes that carry the mark."""
    return sum(f"65001:{mark}" in r.communities for r in speaker.routes.values())


def crowd_with_marks():
    """p0's routes are marked at import, p1's receive a mark at export."""
    crowd = Crowd(*PEERS)
    # BIRD 2 would ask the peer for its routes again.
    keep = "import table on;" if is_bird2() else ""
    crowd.section("p0", f"import filter marking; export filter plain; {keep}")
    crowd.start(FILTERS.format(mark=1))
    for name in PEERS[:3]:
        crowd[name].announce(routes_of(crowd, name))
    for name in PEERS[3:]:
        crowd[name].wait_routes(900)
    return crowd


def routes_of(crowd, name):
    """300 routes of a peer's that nobody else has."""
    _, there, asn = crowd.links[name]
    made = varied(len(PEERS) * 300, 4, "reconfigure", asn, there.local)
    mine = list(made)[PEERS.index(name) * 300 :][:300]
    return {prefix: made[prefix] for prefix in mine}


@test("configure-changes-one-filter", timeout=90)
def one_filter():
    crowd = crowd_with_marks()
    with crowd.lab:
        require(marked(crowd["p5"], 1) == 300, "the filter does not mark")
        since = {name: crowd.dut.control.since(name) for name in PEERS}
        crowd.dut.configure(crowd.text(FILTERS.format(mark=2)))
        for name in PEERS[3:]:
            wait_for(lambda: marked(crowd[name], 2) == 300, 20, f"{name} does not see the new mark")
            require(marked(crowd[name], 1) == 0, f"{name} still has the old mark")
            require(len(crowd[name].table) == 900, f"{name} has {len(crowd[name].table)} routes")
        crowd.require_alive()
        for name in PEERS:
            require(crowd.dut.control.since(name) == since[name], f"{name} was restarted")


@test("configure-without-change-sends-nothing", timeout=90)
def no_change():
    crowd = crowd_with_marks()
    with crowd.lab:
        before = {name: crowd[name].updates for name in PEERS}
        for _ in range(5):
            crowd.dut.configure(crowd.text(FILTERS.format(mark=1)))
        crowd["p1"].announce({"198.18.3.0/24": crowd.route("p1")})
        wait_for(lambda: all("198.18.3.0/24" in crowd[n].table for n in PEERS[3:]), 10, "routes do not flow")
        crowd.require_alive()
        for name in PEERS[3:]:
            require(crowd[name].updates == before[name] + 1, f"{name} got {crowd[name].updates - before[name]} updates")


@test("configure-adds-and-removes-peers", timeout=90)
def add_and_remove():
    crowd = crowd_with_marks()
    with crowd.lab:
        gone = crowd.sections.pop("p2")
        crowd.dut.configure(crowd.text(FILTERS.format(mark=1)))
        said = crowd["p2"].wait_notification()
        require(said and said[:2] == (6, 3), f"the removed neighbour is told {said}")
        others = [name for name in PEERS if name != "p2"]
        for name in PEERS[3:]:
            crowd[name].wait_routes(600)
        crowd.require_alive(*others)
        crowd.sections["p2"] = gone
        crowd.dut.configure(crowd.text(FILTERS.format(mark=1)))
        crowd["p2"].close()
        crowd["p2"].connect(timeout=30)
        crowd["p2"].announce(routes_of(crowd, "p2"))
        for name in PEERS[3:]:
            crowd[name].wait_routes(900)
        crowd.require_alive()


@test("all-sessions-restart-at-once", timeout=90)
def restart_all():
    crowd = crowd_with_marks()
    with crowd.lab:
        for speaker in crowd.speakers.values():
            speaker.close(reset=True)
        wait_for(lambda: crowd.dut.control.count() == 0, 20, "routes of dead sessions stay")
        for speaker in crowd.speakers.values():
            speaker.connect(timeout=30)
        crowd["p4"].announce(routes_of(crowd, "p4"))
        for name in PEERS:
            crowd[name].wait_routes(0 if name == "p4" else 300)
        crowd.require_alive()

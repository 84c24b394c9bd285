"""With each other daemon: both families, both directions of connection, whole tables compared."""

from dataclasses import replace

from harness.lab import wait_for
from harness.peers.bird import Bird
from harness.peers.frr import Frr
from harness.peers.gobgp import GoBgp
from harness.peers.openbgpd import OpenBgpd
from harness.routes import compare, require_equal, require_sensitive
from harness.runner import require, test
from scene import Scene

COUNT = 10000


def register(adapter):
    """The three tests of one daemon."""

    @test(f"{adapter.name}-external-dut-passive", timeout=150)
    def external():
        return play(Scene(adapter, internal=False, dut_passive=True, count=COUNT))

    @test(f"{adapter.name}-external-dut-active", timeout=150)
    def external_out():
        return play(Scene(adapter, internal=False, dut_passive=False, count=COUNT))

    @test(f"{adapter.name}-internal-dut-active", timeout=150)
    def internal():
        return play(Scene(adapter, internal=True, dut_passive=False, count=COUNT))


for each in (Bird, Frr, GoBgp, OpenBgpd):
    register(each)


def play(scene):
    """The whole piece."""
    with scene.lab:
        scene.start()
        scene.make_routes()
        scene.feed()
        tables_agree(scene)
        live_change_is_seen(scene)
        withdrawals_arrive(scene)
        session_is_killed(scene)
        daemon_restarts_session(scene)
        scene.dut.require_running()
        return f"{scene.count} IPv4 and {scene.count} IPv6 prefixes each way"


def tables_agree(scene, planted=True):
    """Every table is what it should be; a planted change of any attribute would be seen."""
    wait_counts(scene)
    for family in (4, 6):
        expected = scene.at_dut_from_peer(family)
        got = scene.dut.control.routes(f"protocol peer{family}")
        check(expected, got, f"IPv{family} from {scene.peer.name}, in the daemon's table", planted)
        expected = scene.at_peer(family)
        got = scene.peer.received(scene.peer_address(family))
        check(expected, got, f"IPv{family} from the daemon, in {scene.peer.name}'s table", planted)
    expected = scene.at_dut_from_feeder()
    got = scene.dut.control.routes("table all protocol feed")
    check(expected, got, "from the feeder, in the daemon's table", planted)
    check(scene.at_feeder(), scene.fd.routes, "from the daemon, at the feeder", planted)


def check(expected, got, what, planted):
    """Equal, and the comparison can tell."""
    require_equal(expected, got, what)
    if planted:
        require_sensitive(expected, got, what)


def wait_counts(scene):
    """Until all tables have the right number of routes."""
    scene.dut.wait_count("protocol peer4", len(scene.p4))
    scene.dut.wait_count("protocol peer6", len(scene.p6))
    scene.dut.wait_count("table all protocol feed", len(scene.d4) + len(scene.d6))
    for family, routes in ((4, scene.d4), (6, scene.d6)):
        address = scene.peer_address(family)
        wait_for(lambda: scene.peer.count(address) == len(routes), 30,
                 lambda: f"{scene.peer.name} has {scene.peer.count(address)} of {len(routes)} from {address}", 0.3)
    scene.fd.wait_routes(len(scene.p4) + len(scene.p6))


def live_change_is_seen(scene):
    """One attribute of one prefix really changes; the old expectation must fail at that prefix only."""
    prefix = sorted(scene.p4)[7]
    old = scene.at_dut_from_peer(4)
    changed = replace(scene.p4[prefix], communities=scene.p4[prefix].communities + ("64001:1",))
    scene.p4[prefix] = changed
    scene.fp4.announce({prefix: changed})
    wait_for(lambda: "64001:1" in scene.dut.control.routes(f"{prefix} protocol peer4")[prefix].communities,
             10, "the changed community does not arrive")
    lines = compare(old, scene.dut.control.routes("protocol peer4"))
    require(len(lines) == 1 and lines[0].startswith(f"{prefix}: communities"), f"a changed community gave {lines}")


def withdrawals_arrive(scene):
    """Every second prefix goes, in both directions."""
    for name in ("p4", "p6", "d4", "d6"):
        routes = getattr(scene, name)
        gone = sorted(routes)[::2]
        speaker = {"p4": scene.fp4, "p6": scene.fp6}.get(name, scene.fd)
        speaker.withdraw(gone)
        setattr(scene, name, {k: v for k, v in routes.items() if k not in set(gone)})
    tables_agree(scene, planted=False)


def session_is_killed(scene):
    """The peer dies; its routes go, the feeder's session stays; it comes back and so do the routes."""
    own = len(scene.d4) + len(scene.d6)
    scene.peer.kill()
    scene.dut.wait_count("protocol peer4", 0)
    scene.dut.wait_count("protocol peer6", 0)
    scene.fd.wait_routes(0)
    require(scene.fd.alive, "the feeder's session fell with the peer's")
    scene.dut.wait_count("table all protocol feed", own)
    scene.peer.start()
    scene.wait_up(timeout=60)
    scene.connect_feeders()
    scene.fp4.announce(scene.p4)
    scene.fp6.announce(scene.p6)
    tables_agree(scene, planted=False)


def daemon_restarts_session(scene):
    """`restart` of one protocol: only its session falls, and all routes return."""
    scene.dut.control("restart peer4")
    # A peer that saw its session end sends its routes anew.
    wait_for(lambda: not scene.dut.control.established("peer4"), 5, "restart does nothing", 0.01)
    scene.dut.wait_established("peer4", timeout=60)
    require(scene.fd.alive, "the feeder's session fell with a restart of peer4")
    require(scene.dut.control.established("peer6"), "peer6 fell with a restart of peer4")
    tables_agree(scene, planted=False)

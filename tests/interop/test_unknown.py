"""What a route carries that the daemon does not know, and what is asked with ROUTE-REFRESH."""

from bystanders import Bystanders
from harness import wire
from harness.lab import wait_for
from harness.runner import require, test
from harness.wire import OPTIONAL, PARTIAL, TRANSITIVE, attribute

PREFIX = "198.18.9.0/24"


@test("unknown-transitive-is-passed-on", timeout=60)
def transitive():
    with Bystanders() as scene:
        scene.bad.connect()
        value = bytes(range(40))
        attrs = wire.attributes(scene.route()) + attribute(OPTIONAL | TRANSITIVE, 231, value)
        scene.bad.send(wire.update(attrs, wire.nlri(PREFIX)))
        wait_for(lambda: PREFIX in scene.watch.table, 10, "the route does not arrive")
        got = scene.watch.attributes(PREFIX).get(231)
        require(got is not None, "the unknown attribute is gone")
        require(got[1] == value, f"the unknown attribute's value is {got[1].hex()}")
        require(got[0] & (OPTIONAL | TRANSITIVE | PARTIAL) == OPTIONAL | TRANSITIVE | PARTIAL,
                f"the unknown attribute's flags are {got[0]:#x}, Partial should be set")


@test("unknown-non-transitive-is-dropped", timeout=60)
def non_transitive():
    with Bystanders() as scene:
        scene.bad.connect()
        attrs = wire.attributes(scene.route()) + attribute(OPTIONAL, 232, b"\1\2\3")
        scene.bad.send(wire.update(attrs, wire.nlri(PREFIX)))
        wait_for(lambda: PREFIX in scene.watch.table, 10, "the route does not arrive")
        require(232 not in scene.watch.attributes(PREFIX), "a non-transitive unknown attribute is passed on")


@test("unknown-family-is-ignored", timeout=60)
def family():
    with Bystanders() as scene:
        scene.bad.connect()
        stray = wire.mp_reach("2001:db8::1", wire.nlri("2001:db8:5::/48"), (2, 128))
        scene.bad.send(wire.update(stray + wire.attributes(scene.route(), 6)))
        scene.bad.announce({PREFIX: scene.route()})
        wait_for(lambda: PREFIX in scene.watch.table or scene.bad.closed, 10, "nothing happens")
        require(scene.bad.alive, f"a family that is not negotiated ended the session: {scene.bad.notification}")


@test("route-refresh-brings-everything-again", timeout=60)
def refresh():
    with Bystanders() as scene:
        before = dict(scene.watch.table)
        scene.watch.table.clear()
        scene.watch.send(wire.route_refresh(wire.IPV4))
        scene.watch.wait_routes(len(before), timeout=10)
        require(scene.watch.table == before, "the routes differ after a refresh")


@test("end-of-rib-is-sent", timeout=60)
def end_of_rib():
    with Bystanders() as scene:
        wait_for(lambda: scene.watch.ended == {wire.IPV4, wire.IPV6}, 10,
                 lambda: f"End-of-RIB came for {scene.watch.ended}")


@test("no-route-back-to-its-source", timeout=60)
def split_horizon():
    with Bystanders() as scene:
        require(not scene.good.table, f"{len(scene.good.table)} routes were sent back to their source")

"""A raw speaker does what it must not: the right NOTIFICATION, or the route counts as withdrawn
(RFC 7606); every other session goes on, and the offender may come back."""

import struct

from bystanders import BAD_AS, Bystanders
from harness import wire
from harness.dut import is_bird2
from harness.lab import wait_for
from harness.runner import Skip, require, test
from harness.speaker import Speaker
from harness.wire import OPTIONAL, TRANSITIVE, attribute

VICTIM = "198.18.7.0/24"


def opening(name, expected, make, data=None):
    """A test of a bad OPEN: `make` gives the bytes sent on a fresh connection."""

    @test(f"open-{name}", timeout=60)
    def case():
        with Bystanders() as scene:
            scene.bad.dial()
            scene.bad.send(make(scene.bad))
            scene.bad.start_reading()
            said = scene.bad.wait_notification()
            require(said is not None and said[:2] in expected, f"the answer is {said}, should be {expected}")
            require(data is None or said[2] == data, f"its data are {said and said[2].hex()}")
            scene.bad.wait_closed()
            scene.require_return()


def plain_open(speaker, **changes):
    """An OPEN with something changed."""
    values = {"asn": speaker.asn, "router_id": speaker.router_id, "hold": 90, **changes}
    return wire.open_message(**values)


opening("wrong-as", [(2, 2)], lambda s: plain_open(s, asn=64999))
opening("bad-version", [(2, 1)], lambda s: plain_open(s, version=3),
        # BIRD 2 swaps the bytes.
        data=None if is_bird2() else b"\0\4")
opening("zero-identifier", [(2, 3)], lambda s: plain_open(s, router_id="0.0.0.0"))
opening("hold-time-1", [(2, 6)], lambda s: plain_open(s, hold=1))
opening("unknown-parameter", [(2, 4)], lambda s: plain_open(s, parameters=b"\x09\x01\x00"))
opening("short", [(1, 2)], lambda s: wire.message(wire.OPEN, b"\x04" * 5))
opening("update-first", [(5, 1), (5, 0)], lambda s: wire.update())
opening("bad-marker", [(1, 1)], lambda s: b"\xfe" + plain_open(s)[1:])


def breaking(name, expected, make, data=None, bird2=True):
    """A test of a message that ends an established session; `bird2`: BIRD 2 does it right."""

    @test(f"session-{name}", timeout=60)
    def case():
        if not bird2 and is_bird2():
            raise Skip("BIRD 2 takes it")
        with Bystanders() as scene:
            scene.bad.connect()
            scene.bad.announce({VICTIM: scene.route()})
            wait_for(lambda: VICTIM in scene.watch.table, 10, "the route does not arrive")
            scene.bad.send(make(scene))
            said = scene.bad.wait_notification()
            require(said is not None and said[:2] in expected, f"the answer is {said}, should be {expected}")
            require(data is None or said[2] == data, f"its data are {said and said[2].hex()}")
            wait_for(lambda: VICTIM not in scene.watch.table, 10, "the routes of the fallen session stay")
            scene.require_return()


def header(length, kind, body=b""):
    """A message with any length field."""
    return wire.MARKER + struct.pack("!HB", length, kind) + body


def raw_update(scene, attrs, prefixes=(VICTIM,)):
    """An UPDATE of given attributes."""
    return wire.update(attrs, b"".join(map(wire.nlri, prefixes)))


def attrs_of(scene, leave_out=(), **changes):
    """The attributes of a good route, some left out."""
    made = wire.attributes(scene.route(**changes))
    return b"".join(
        attribute(flags, kind, value)
        for kind, (flags, value) in wire.split_attributes(made).items() if kind not in leave_out
    )


breaking("bad-marker", [(1, 1)], lambda s: b"\0" * 16 + struct.pack("!HB", 19, 4))
breaking("length-18", [(1, 2)], lambda s: header(18, 4), data=b"\0\x12")
breaking("keepalive-length-20", [(1, 2)], lambda s: header(20, 4, b"\0"), data=b"\0\x14", bird2=False)
breaking("oversized", [(1, 2)], lambda s: header(4097, 2, bytes(4097 - 19)), data=b"\x10\x01")
breaking("update-length-22", [(1, 2)], lambda s: header(22, 2, bytes(3)), data=b"\0\x16")
breaking("unknown-type", [(1, 3)], lambda s: header(19, 77), data=b"\x4d")
breaking("open-again", [(5, 3), (5, 0)], lambda s: s.bad.open())
breaking("prefix-length-33", [(3, 10)], lambda s: wire.update(attrs_of(s), b"\x21\xc6\x12\x07\x00\x80"))
breaking("two-mp-reach", [(3, 1)], lambda s: wire.update(wire.mp_reach("2001:db8::1", wire.nlri("2001:db8:5::/48")) * 2
                                                         + attrs_of(s, leave_out=(3,))))


def withdrawing(name, make):
    """A test of an UPDATE that only counts as a withdrawal of its prefixes."""

    @test(f"withdraw-{name}", timeout=60)
    def case():
        with Bystanders() as scene:
            other = "198.18.8.0/24"
            scene.bad.connect()
            scene.bad.announce({VICTIM: scene.route(), other: scene.route()})
            wait_for(lambda: {VICTIM, other} <= scene.watch.table.keys(), 10, "the routes do not arrive")
            scene.bad.send(raw_update(scene, make(scene)))
            wait_for(lambda: VICTIM not in scene.watch.table, 10, "the malformed route stays")
            require(other in scene.watch.table, "a good route of the same session is gone")
            scene.bad.announce({VICTIM: scene.route()})
            wait_for(lambda: VICTIM in scene.watch.table, 10, "the route does not come back")
            require(scene.bad.alive, f"the session fell: {scene.bad.notification}")


withdrawing("origin-value", lambda s: attrs_of(s, leave_out=(1,)) + attribute(TRANSITIVE, 1, b"\5"))
withdrawing("origin-length", lambda s: attrs_of(s, leave_out=(1,)) + attribute(TRANSITIVE, 1, b"\0\0"))
withdrawing("origin-missing", lambda s: attrs_of(s, leave_out=(1,)))
withdrawing("as-path-missing", lambda s: attrs_of(s, leave_out=(2,)))
withdrawing("as-path-overrun", lambda s: attrs_of(s, leave_out=(2,)) + attribute(TRANSITIVE, 2, b"\2\5\0\0\xfe\x01"))
withdrawing("as-path-segment-type", lambda s: attrs_of(s, leave_out=(2,)) + attribute(TRANSITIVE, 2, b"\7\1\0\0\xfe\x01"))
withdrawing("next-hop-length", lambda s: attrs_of(s, leave_out=(3,)) + attribute(TRANSITIVE, 3, b"\x0a\0\0"))
withdrawing("med-length", lambda s: attrs_of(s) + attribute(OPTIONAL, 4, b"\0\1"))
withdrawing("community-length", lambda s: attrs_of(s) + attribute(OPTIONAL | TRANSITIVE, 8, b"\0\1\2"))
withdrawing("large-community-length", lambda s: attrs_of(s) + attribute(OPTIONAL | TRANSITIVE, 32, bytes(11)))
withdrawing("attribute-overrun", lambda s: attrs_of(s) + b"\x80\x04\x40\0")


@test("unknown-well-known", timeout=60)
def unknown_well_known():
    with Bystanders() as scene:
        scene.bad.connect()
        scene.bad.announce({VICTIM: scene.route()})
        wait_for(lambda: VICTIM in scene.watch.table, 10, "the route does not arrive")
        scene.bad.send(raw_update(scene, attrs_of(scene) + attribute(TRANSITIVE, 230, b"\1\2")))
        wait_for(lambda: VICTIM not in scene.watch.table, 10, "a route with an unknown well-known attribute stays")
        said = scene.bad.notification
        require(said is None or said[:2] == (3, 2), f"the answer is {said}, should be (3, 2) or none")
        scene.require_return()


@test("hold-timer-expires", timeout=60)
def hold_timer():
    with Bystanders(hold=3) as scene:
        scene.bad.connect()
        scene.bad.keepalives = False
        wait_for(lambda: scene.bad.notification or scene.bad.closed, 9, "a silent peer keeps its session")
        require(scene.bad.notification and scene.bad.notification[0] == 4, f"the answer is {scene.bad.notification}")
        scene.require_return()


@test("as-loop-is-not-used", timeout=60)
def as_loop():
    with Bystanders() as scene:
        scene.bad.connect()
        scene.bad.announce({VICTIM: scene.route(as_path=f"{BAD_AS} 65001 64500"), "198.18.8.0/24": scene.route()})
        wait_for(lambda: "198.18.8.0/24" in scene.watch.table, 10, "the good route does not arrive")
        require(VICTIM not in scene.watch.table, "a route with the own AS in its path is passed on")
        require(scene.bad.alive, "a loop in a path ended the session")


@test("second-connection-collides", timeout=60)
def collision():
    with Bystanders() as scene:
        scene.bad.connect()
        scene.bad.announce({VICTIM: scene.route()})
        wait_for(lambda: VICTIM in scene.watch.table, 10, "the route does not arrive")
        second = Speaker(scene.lab, "bad", scene.bad.local, scene.bad.remote, BAD_AS)
        try:
            second.dial(timeout=2)
            second.start_reading()
            second.send(second.open())
            said = second.wait_notification()
            require(said is None or said[0] == 6, f"the second connection is told {said}")
        except (OSError, AssertionError) as error:
            require("cannot connect" in str(error) or isinstance(error, OSError), str(error))
        require(scene.bad.alive, "the established session fell with a second connection")
        require(VICTIM in scene.watch.table, "its routes went with a second connection")

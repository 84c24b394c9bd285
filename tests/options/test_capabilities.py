"""What is offered to a neighbour, what is asked of it, and roles."""

import struct

from harness import wire
from harness.lab import wait_for
from harness.runner import require, test
from harness.wire import IPV4, capability
from world import DUT_AS, P, Q, World

FAMILY4, FAMILY6 = capability(1, b"\0\1\0\1"), capability(1, b"\0\2\0\1")


def four(asn):
    """The capability of four-octet AS numbers."""
    return capability(65, struct.pack("!I", asn))


@test(timeout=40)
def offered():
    with World() as world:
        offers = {
            "usual": ("", {1, 2, 65}),
            "norefresh": ("enable route refresh off;", {1, 65}),
            "two": ("enable as4 off;", {1, 2}),
            "extended": ("enable extended messages;", {1, 2, 6, 65}),
            "named": ("advertise hostname;", {1, 2, 65, 73}),
            "own": ('advertise hostname; hostname "own-name";', {1, 2, 65, 73}),
            "none": ("capabilities off;", set()),
            "role": ("local role peer;", {1, 2, 9, 65}),
        }
        for name, (options, _) in offers.items():
            world.peer(name, options=options)
        world.start(extra='hostname "crake";')
        for name, (_, codes) in offers.items():
            found = set(world[name].capabilities())
            require(found == codes, f"{name}: capabilities {found}, should be {codes}")
        require(world["named"].capabilities()[73][:6] == b"\x05crake", world["named"].capabilities())
        require(world["own"].capabilities()[73][:9] == b"\x08own-name", world["own"].capabilities())


@test(timeout=40)
def two_octet_neighbor():
    with World() as world:
        old = world.peer("old", options="enable as4 off;")
        feed = world.feeder()
        world.start()
        feed.feed(as_path=f"{feed.asn} 4200000001 64500")
        wait_for(lambda: P in old.table, 10, "nothing arrives")
        attrs = old.attributes(P)
        require(attrs[2][1] == struct.pack("!BB4H", 2, 4, DUT_AS, feed.asn, 23456, 64500), attrs)
        require(attrs[17][1].endswith(struct.pack("!II", 4200000001, 64500)), attrs)


@test(timeout=40)
def extended_messages():
    with World() as world:
        big = world.peer("big", options="enable extended messages;", more=((6, b""),))
        small = world.peer("small")
        feed = world.feeder(options="enable extended messages;", more=((6, b""),))
        world.start()
        many = tuple(f"{n // 250}:{n % 250}" for n in range(1000, 2500))
        feed.feed(P, communities=many)
        feed.feed(Q)
        require(len(big.wait_route().communities) == 1500, "a long route is cut")
        small.wait_route(Q)
        require(P not in small.table, "a message longer than 4096 goes to who cannot read it")
        small.send(wire.MARKER + struct.pack("!HB", 5000, 2) + bytes(4981))
        require(small.wait_notification()[:2] == (1, 2), small.notification)


@test(timeout=60)
def required():
    with World() as world:
        base = FAMILY4
        wanted = {
            "refresh": ("require route refresh;", capability(2)),
            "extended": ("require extended messages; enable extended messages;", capability(6)),
            "restart": ("require graceful restart;", capability(64, b"\0\x78")),
            "as4": ("require as4;", None),
            "enhanced": ("require enhanced route refresh;", capability(70)),
            "llgr": ("require graceful restart; require long lived graceful restart;",
                     capability(64, b"\0\x78") + capability(71)),
            "hostname": ("require hostname; advertise hostname;", capability(73, b"\1x\0")),
            "roles": ("local role provider; require roles;", capability(9, b"\3")),
        }
        for name, (options, _) in wanted.items():
            world.peer(name, options=options)
        must = world.peer("mandatory", families=(4,), channel="import all; export all; mandatory;")
        world.start(None)
        for name, (_, value) in wanted.items():
            speaker = world[name]
            speaker.caps = base
            said = speaker.attempt()
            expected = (2, 11) if name == "roles" else (2, 7)
            require(said and said[:2] == expected, f"{name}: without it the neighbour is told {said}")
            speaker.caps = base + (four(speaker.asn) if value is None else value)
            reconnect(speaker, name)
        must.caps = FAMILY6
        said = must.attempt()
        require(said and said[:2] == (2, 7) and said[2][:4] == b"\1\4\0\1", f"without the family: {said}")
        must.caps = FAMILY4
        reconnect(must, "mandatory")


def reconnect(speaker, what):
    """The session comes, after the wait that errors have."""
    speaker.close()
    try:
        speaker.connect(timeout=10)
    except AssertionError as error:
        raise AssertionError(f"{what}: {error}") from error


@test(timeout=40)
def not_mandatory():
    with World() as world:
        half = world.peer("half", families=(4, 6))
        half.caps = FAMILY4 + four(half.asn)
        feed = world.feeder(families=(4, 6))
        world.start()
        feed.announce({P: feed.route(), "2001:db8::/32": feed.route(next_hop=world.links["in"][1].local6)})
        half.wait_route()
        require(len(half.table) == 1, half.table)


@test(timeout=60)
def roles():
    fits = {"provider": 3, "customer": 0, "rs_server": 2, "rs_client": 1, "peer": 4}
    with World() as world:
        for role in fits:
            world.peer(role, options=f"local role {role};")
        lenient = world.peer("lenient", options="local role customer;")
        world.start("lenient")
        numbers = {"provider": 0, "rs_server": 1, "rs_client": 2, "customer": 3, "peer": 4}
        for role, theirs in fits.items():
            speaker = world[role]
            speaker.more = ((9, bytes([numbers[role] if role != "peer" else 0])),)
            said = speaker.attempt()
            require(said and said[:2] == (2, 11), f"{role}: with a role that does not fit the neighbour is told {said}")
            speaker.more = ((9, bytes([theirs])),)
            reconnect(speaker, role)
            require(speaker.capabilities()[9] == bytes([numbers[role]]), f"{role}: {speaker.capabilities()}")
        require(lenient.alive, "a neighbour without a role is refused though roles are not required")


@test(timeout=40)
def only_to_customer():
    # RFC 9234: routes of providers, peers and route servers go to customers only, and carry a mark.
    with World() as world:
        role = lambda name, ours, theirs, **more: world.peer(name, options=f"local role {ours};",
                                                             more=((9, bytes([theirs])),), **more)
        provider = role("provider", "customer", 0, host="in")
        customer = role("customer", "provider", 3)
        peer = role("peer", "peer", 4)
        plain = world.peer("plain")
        world.start()
        provider.feed(P)
        customer.wait_route(P)
        plain.wait_route(P)
        require(customer.attributes(P)[35][1] == struct.pack("!I", provider.asn), customer.attributes(P))
        customer.feed(Q)
        peer.wait_route(Q)
        require(P not in peer.table, "a provider's route goes to a peer")
        require(peer.attributes(Q)[35][1] == struct.pack("!I", DUT_AS), peer.attributes(Q))
        marked = wire.attributes(customer.route(), 4) + wire.attribute(0xC0, 35, struct.pack("!I", 65000))
        customer.send(wire.update(marked, wire.nlri("198.18.3.0/24")))
        customer.feed("198.18.4.0/24")
        plain.wait_route("198.18.4.0/24")
        require("198.18.3.0/24" not in plain.table, "a customer's leak is taken")


@test(timeout=40)
def route_refresh():
    with World() as world:
        speaker, feed = world.peer("asks"), world.feeder()
        deaf = world.peer("deaf", options="enable route refresh off;")
        world.start()
        feed.feed(P, Q)
        for one in (speaker, deaf):
            one.wait_routes(2)
        speaker.table.clear()
        speaker.send(wire.route_refresh(IPV4))
        speaker.wait_routes(2)
        for one in (speaker, feed):
            require(one.alive, "a refresh ended a session")

"""Whom a session is with, and over what: addresses, ports, hops, keys, links."""

import re
import threading

from harness.lab import wait_for
from harness.runner import require, test
from harness.speaker import Speaker
from world import DUT_AS, Peer, Sniffer, World, quiet


@test(timeout=40)
def ports():
    with World() as world:
        link = world.here
        world.peer("listens", local=f"{link.local} port 1790 as {DUT_AS}", port=1790)
        caller = world.peer("calls", neighbor="{address} port 1791 as {asn}", passive=False, port=1791)
        world.start("listens")
        caller.accept(timeout=10)
        world.wait_up("listens", "calls")
        require("Neighbor port:    1791" in world.show("calls"), world.show("calls"))


@test(timeout=40)
def as_numbers():
    with World() as world:
        one = world.peer("one", local=f"{world.here.local} as 65011", families=(4,))
        big = world.peer("big", local=f"{world.here.local} as 4200000011")
        wrong = world.peer("wrong", neighbor="{address} as 65500")
        inside = world.peer("inside", asn=DUT_AS, neighbor="{address} internal")
        outside = world.peer("outside", neighbor="{address} external")
        inner = world.peer("inner", asn=DUT_AS, neighbor="{address} external")
        feed = world.feeder()
        world.start("one", "big", "inside", "outside", "feeder")
        feed.feed()
        require(one.wait_route().as_path == f"65011 {feed.asn}", one.routes)
        require(big.wait_route().as_path == f"4200000011 {feed.asn}", big.routes)
        require(inside.wait_route().as_path == str(feed.asn), inside.routes)
        outside.wait_route()
        require(one.peer_open[1:3] == (65011).to_bytes(2, "big"), one.peer_open.hex())
        require(big.peer_open[1:3] == (23456).to_bytes(2, "big"), big.peer_open.hex())
        require(big.capabilities()[65] == (4200000011).to_bytes(4, "big"), big.capabilities())
        for name, speaker in (("wrong", wrong), ("inner", inner)):
            said = speaker.attempt()
            require(said and said[:2] == (2, 2), f"{name} is told {said}")
        require(re.search(r"Session: +internal", world.show("inside")), world.show("inside"))


@test(timeout=40)
def ranges():
    with World() as world:
        net = world.here.local.rpartition(".")[0]
        world.add(f'protocol bgp crowd {{ local as {DUT_AS}; neighbor range {net}.32/28 external; rs client;'
                  ' dynamic name "guest"; dynamic name digits 3; ipv4 { import all; export all; }; }')
        world.peer("other")
        for last in (40, 41, 60):
            world.lab.ip("out", f"addr add {net}.{last}/24 dev {world.there.device}")
        make = lambda last: Peer(world.lab, "out", f"{net}.{last}", world.here.local, 65300 + last, families=((1, 1),))
        world.start("other")
        one, two = make(40).connect(), make(41).connect()
        require("Passive" in world.dut.control.protocol("crowd")[1], world.dut.control.protocol("crowd"))
        world.dut.wait_established("guest001", "guest002")
        one.feed()
        require(two.wait_route().as_path == str(one.asn), "options do not reach sessions out of a range")
        stranger = make(60)
        try:
            said = stranger.attempt()
            require(said, "a neighbour outside the range gets a session")
        except OSError:
            pass
        one.close()
        wait_for(lambda: "guest001" not in world.ask("show protocols"), 10, "a session out of a range stays")
        require(two.alive, "one session fell with another")


@test(timeout=40)
def names_out_of_ranges_without_digits():
    with World() as world:
        net = world.here.local.rpartition(".")[0]
        world.add(f"protocol bgp crowd {{ local as {DUT_AS}; neighbor range {net}.0/24 external;"
                  " ipv4 { import all; export all; }; }")
        world.lab.ip("out", f"addr add {net}.40/24 dev {world.there.device}")
        world.start()
        Peer(world.lab, "out", f"{net}.40", world.here.local, 65300, families=((1, 1),)).connect()
        world.dut.wait_established("dynbgp1")


@test(timeout=40)
def hops_on_the_wire():
    with World() as world:
        hops = {"near": ("direct;", 1), "plain": ("", 1), "far": ("multihop 3;", 3), "furthest": ("multihop;", 64),
                "secure": ("ttl security;", 255), "guarded": ("multihop 4; ttl security;", 255)}
        for name, (options, _) in hops.items():
            world.peer(name, options=options, passive=False)
        inside = world.peer("inside", asn=DUT_AS, passive=False)
        close = world.peer("close", asn=DUT_AS, options="direct;", passive=False)
        sniffer = Sniffer(world.lab, "out", world.there.device)
        world.start(None)
        for name, (_, ttl) in hops.items():
            found = sniffer.wait(world[name].local)
            require(found.ttl == ttl, f"{name}: TTL is {found.ttl}, should be {ttl}")
        require(sniffer.wait(inside.local).ttl == 64 and sniffer.wait(close.local).ttl == 1, "TTL of internal sessions")


@test(timeout=40)
def ttl_security():
    with World() as world:
        near = world.peer("near", options="ttl security;", ttl=255)
        spoof = world.peer("spoof", options="ttl security;", ttl=64)
        far = world.peer("far", options="multihop 3; ttl security;", ttl=253)
        further = world.peer("further", options="multihop 3; ttl security;", ttl=252)
        world.start("near", "far")
        for speaker in (spoof, further):
            speaker.begin()
        quiet(2.5, lambda: world.up("spoof") or world.up("further"),
              "a neighbour from too far away gets a session")
        require(near.alive and far.alive, "a neighbour near enough lost its session")


@test(timeout=40)
def multihop_session():
    # The neighbour is a hop away: its address is on no connected network.
    with World() as world:
        address = "192.0.2.7"
        speaker = world.peer("far", neighbor=address + " as {asn}", options="multihop 2;", families=(4,))
        direct = world.peer("direct", neighbor="192.0.2.8 as {asn}", passive=False)
        for one in (address, "192.0.2.8"):
            world.lab.ip("out", f"addr add {one}/32 dev lo")
            world.lab.ip("dut", f"route add {one}/32 via {world.there.local}")
        speaker.local, direct.local = address, "192.0.2.8"
        speaker.ttl = 2
        sniffer = Sniffer(world.lab, "out", world.there.device)
        world.start("far")
        quiet(2, lambda: sniffer.to("192.0.2.8"), "a neighbour on no connected network is called")
        state = world.state("direct")
        require(state[0] == "start", f"a session without its network is {state}")


@test(timeout=40)
def onlink_neighbor():
    with World() as world:
        speaker = world.peer("near", neighbor="192.0.2.7 onlink as {asn}", passive=False,
                             options=f'interface "{world.here.device}";')
        world.lab.ip("out", "addr add 192.0.2.7/32 dev lo")
        world.lab.ip("dut", f"route add 192.0.2.7/32 dev {world.here.device}")
        speaker.local = "192.0.2.7"
        sniffer = Sniffer(world.lab, "out", world.there.device)
        world.start(None)
        sniffer.wait("192.0.2.7")
        require("192.0.2.7%v1 onlink" in world.show("near"), world.show("near"))


@test(timeout=40)
def link_local_neighbor():
    with World() as world:
        addresses = [link_local(world.lab, host, link.device) for host, link in (("dut", world.here), ("out", world.there))]
        (here, _), (there, index) = addresses
        for name, neighbor, more in (("percent", f"{there}%{world.here.device}", ""),
                                     ("option", there, f'interface "{world.here.device}";')):
            world.add(f"protocol bgp {name} {{ local as {DUT_AS}; neighbor {neighbor} as 65301; {more}"
                      f" connect delay time 1; {'disabled;' if name == 'option' else ''}"
                      " ipv6 { import all; export all; }; }")
        world.start()
        speaker = Peer(world.lab, "out", there, here, 65301, router_id="192.0.2.66",
                       families=((2, 1),), scope=index).connect()
        world.dut.wait_established("percent")
        world.ask("disable percent")
        world.ask("enable option")
        speaker.close()
        speaker.connect()
        world.dut.wait_established("option")


def link_local(lab, host, device):
    """A host's link-local address and the index of its interface."""
    text = lab.run(host, "ip", "-6", "addr", "show", "dev", device, "scope", "link").decode()
    return re.search(r"inet6 (fe80[^/]+)/", text)[1], int(re.match(r"(\d+):", text)[1])


@test(timeout=40)
def source_address():
    with World() as world:
        second = world.here.local[:-1] + "200"
        world.lab.ip("dut", f"addr add {second}/24 dev {world.here.device}")
        said = world.peer("said", local=f"as {DUT_AS}", options=f"source address {second};", passive=False)
        own = world.peer("own", local=f"as {DUT_AS}", passive=False)
        sniffer = Sniffer(world.lab, "out", world.there.device)
        world.start(None)
        require(sniffer.wait(said.local).source == second, "the source address is another")
        require(sniffer.wait(own.local).source == world.here.local, "the source address is not the link's")


@test(timeout=40)
def strict_bind():
    with World() as world:
        world.peer("strict", local=f"{world.here.local} port 1790 as {DUT_AS}", options="strict bind;", port=1790)
        world.peer("loose", local=f"{world.here.local} port 1791 as {DUT_AS}", port=1791)
        world.peer("iface", local=f"port 1792 as {DUT_AS}",
                   options=f'strict bind; interface "{world.here.device}";', port=1792)
        world.peer("free", local=f"10.77.1.222 port 1793 as {DUT_AS}", options="strict bind; free bind;", port=1793)
        world.start("strict", "loose", "iface")
        text = world.lab.run("dut", "ss", "-Htln").decode()
        listening = lambda port: re.search(rf"\s(\S+):{port}\s", text)[1]
        require(listening(1790) == world.here.local, text)
        require(listening(1791) in ("0.0.0.0", "*"), text)
        require(listening(1793) == "10.77.1.222", text)
        require(listening(1792).endswith("%" + world.here.device), text)
        # The address comes later.
        world.lab.ip("dut", f"addr add 10.77.1.222/24 dev {world.here.device}")
        world["free"].remote = "10.77.1.222"
        world["free"].connect()


@test(timeout=40)
def passive():
    with World() as world:
        waits = world.peer("waits")
        calls = world.peer("calls", options="passive off;", passive=False)
        sniffer = Sniffer(world.lab, "out", world.there.device)
        world.start(None)
        sniffer.wait(calls.local)
        quiet(2, lambda: sniffer.to(waits.local), "a passive session connects")
        require("Passive" in world.state("waits")[1], world.state("waits"))
        waits.connect()


@test(timeout=60)
def passwords():
    with World() as world:
        right = world.peer("right", options='password "kestrel";', key="kestrel")
        wrong = world.peer("wrong", options='password "kestrel";', key="merlin")
        none = world.peer("none", options='password "kestrel";')
        signed = world.peer("signed", key="merlin")
        off = world.peer("off", options="authentication none;")
        on = world.peer("on", options='password "hobby"; authentication md5;', key="hobby")
        calls = world.peer("calls", options='password "osprey";', passive=False, key="osprey")
        sniffer = Sniffer(world.lab, "out", world.there.device)
        world.start("right", "off", "on")
        calls_in = accept_with_key(calls)
        for speaker in (wrong, none, signed):
            speaker.begin()
        require(sniffer.wait(calls.local).signed, "the daemon's connection carries no signature")
        calls_in()
        quiet(2, lambda: any(s.established.is_set() for s in (wrong, none, signed)),
              "a neighbour without the right key gets a session")
        require(right.alive and off.alive and on.alive, "a neighbour with the right key lost its session")
        # Another key by configuration: the session begins anew and only takes that one.
        world.parts = [part.replace('"hobby"', '"peregrine"') for part in world.parts]
        world.dut.configure(world.text())
        on.wait_closed()
        on.close()
        on.key = "peregrine"
        on.connect()


@test(timeout=40)
def passwords_of_ranges():
    with World() as world:
        net = world.here.local.rpartition(".")[0]
        world.add(f'protocol bgp crowd {{ local as {DUT_AS}; neighbor range {net}.32/28 external; password "kestrel";'
                  " ipv4 { import all; export all; }; }")
        for last in (40, 41, 42):
            world.lab.ip("out", f"addr add {net}.{last}/24 dev {world.there.device}")
        make = lambda last, key: Peer(world.lab, "out", f"{net}.{last}", world.here.local, 65300, families=((1, 1),), key=key)
        world.start()
        right, others = make(40, "kestrel").connect(), (make(41, "merlin").begin(), make(42, None).begin())
        quiet(2, lambda: any(other.established.is_set() for other in others), "a stranger gets a session out of a range")
        require(right.alive, "a neighbour with the right key lost its session")


def accept_with_key(speaker):
    """Waits in a thread for the daemon to connect; the check that it did."""
    thread = threading.Thread(target=lambda: speaker.accept(timeout=10), daemon=True)
    thread.start()

    def check():
        thread.join(12)
        require(speaker.established.is_set(), "the daemon's signed connection leads to no session")

    return check


@test(timeout=40)
def check_link():
    with World() as world:
        checked = world.feeder("checked", options="check link;")
        patient = world.feeder("patient", options="check link off;")
        world.start()
        world.lab.ip("in", f"link set {world.links['in'][1].device} down")
        wait_for(lambda: not world.up("checked"), 5, "a session outlives its link")
        require(world.up("patient"), "a session falls with a link that it should not look at")
        world.lab.ip("in", f"link set {world.links['in'][1].device} up")
        checked.close()
        checked.connect()
        require(patient.socket, "the patient session is gone")


@test(timeout=40)
def disabled_and_description():
    with World() as world:
        world.peer("asleep", options='disabled; description "Sleeps until told";')
        world.peer("awake", options="disabled no;")
        world.start("awake")
        require(world.state("asleep")[0] == "down", world.ask("show protocols"))
        require(re.search("Description: +Sleeps until told", world.show("asleep")), world.show("asleep"))
        world.ask("enable x_asleep")
        world["asleep"].connect()


@test(timeout=40)
def ipv6_transport_carries_both():
    with World() as world:
        here, there = world.links["out"]
        world.add(f"protocol bgp six {{ local {here.local6} as {DUT_AS}; neighbor {there.local6} as 65301; passive;"
                  " ipv4 { import all; export all; }; ipv6 { import all; export all; }; }")
        world.add(f"protocol bgp elsewhere {{ local fd77:1::99 as {DUT_AS}; neighbor fd77:1::98 as 65302; passive;"
                  " ipv6 { import all; export all; }; }")
        feed = world.feeder(families=(4, 6))
        world.start()
        speaker = Speaker(world.lab, "out", there.local6, here.local6, 65301, router_id="192.0.2.66").connect()
        six = world.links["in"][1].local6
        feed.announce({"198.18.1.0/24": feed.route(), "2001:db8:1::/48": feed.route(next_hop=six)})
        speaker.wait_routes(2)
        require(speaker.routes["198.18.1.0/24"].next_hop == here.local, speaker.routes)
        require(speaker.routes["2001:db8:1::/48"].next_hop == here.local6, speaker.routes)

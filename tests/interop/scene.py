"""The scene of the peer tests: a feeder behind the peer, the daemon under test, a feeder behind it.

    feeder p --- peer --- dut --- feeder d

Both feeders are raw speakers; what each announces must arrive, attribute by attribute, two hops on.
External: four autonomous systems. Internal: one, where peer and dut reflect their feeder's routes.
"""

from harness.dut import Dut, bgp
from harness.lab import Lab, wait_for
from harness.peers import Neighbor
from harness.routes import through, through_external, through_reflector, varied
from harness.speaker import Speaker
from harness.wire import IPV4, IPV6

DUT_AS, PEER_AS, FEEDER_P_AS, FEEDER_D_AS = 65001, 65002, 65101, 4200000102
DUT_ID, PEER_ID = "10.77.0.1", "10.77.0.2"


class Scene:
    """Daemons and speakers of one test, and what each should see."""

    def __init__(self, adapter, internal, dut_passive, count):
        self.internal, self.count, self.dut_passive = internal, count, dut_passive
        self.lab = Lab("dut", "peer", "fp", "fd")
        self.dut_link, self.peer_link = self.lab.link("dut", "peer")
        self.behind_peer, self.fp_link = self.lab.link("peer", "fp")
        self.behind_dut, self.fd_link = self.lab.link("dut", "fd")
        asn = lambda external: DUT_AS if internal else external
        self.peer_as, self.fp_as, self.fd_as = asn(PEER_AS), asn(FEEDER_P_AS), asn(FEEDER_D_AS)
        self.dut = Dut(self.lab)
        self.peer = adapter(self.lab, "peer", self.peer_as, PEER_ID, self.neighbors(adapter))
        self.fp4 = Speaker(self.lab, "fp", self.fp_link.local, self.fp_link.remote, self.fp_as, families=(IPV4,))
        self.fp6 = Speaker(self.lab, "fp", self.fp_link.local6, self.fp_link.remote6, self.fp_as,
                           router_id=self.fp_link.local, families=(IPV6,))
        self.fd = Speaker(self.lab, "fd", self.fd_link.local, self.fd_link.remote, self.fd_as)
        if internal:
            self.route_behind()

    def neighbors(self, adapter):
        """The peer's neighbours."""
        made = []
        for family, pick in ((4, lambda l: (l.remote, l.local)), (6, lambda l: (l.remote6, l.local6))):
            far, near = pick(self.peer_link)
            client = self.internal and adapter.reflects_to_clients_only
            made.append(Neighbor(far, near, DUT_AS, (family,), passive=not self.dut_passive,
                                 reflector_client=client))
            far, near = pick(self.behind_peer)
            made.append(Neighbor(far, near, self.fp_as, (family,), passive=True, reflector_client=self.internal))
        return made

    def route_behind(self):
        """Next hops of reflected routes lie behind the reflector; the peer's kernel routes."""
        for one, end, via in ((4, "", self.peer_link.remote), (6, "6", self.peer_link.remote6)):
            net = network(getattr(self.behind_dut, "local" + end), one)
            self.lab.ip("peer", f"-{one} route add {net} via {via}")

    def dut_text(self, feed_filter="import all;"):
        """The configuration of the daemon under test."""
        export = "export where source = RTS_BGP;"
        made = []
        for family in (4, 6):
            made.append(bgp(f"peer{family}", self.dut_link, DUT_AS, self.peer_as, family, (family,),
                            passive=self.dut_passive, channel=f"import all; {export}"))
        options = "rr client; direct;" if self.internal else ""
        made.append(bgp("feed", self.behind_dut, DUT_AS, self.fd_as, passive=True, options=options,
                        channel=f"{feed_filter} {export}"))
        if self.internal:
            for family, end in ((4, ""), (6, "6")):
                net = network(getattr(self.behind_peer, "local" + end), family)
                via = getattr(self.dut_link, "remote" + end)
                made.append(f"protocol static s{family} {{ ipv{family}; route {net} via {via}; }}")
        return "\n".join(made)

    def start(self):
        """Everything up, nothing fed."""
        self.dut.start(self.dut_text(), DUT_ID)
        self.peer.start()
        self.wait_up()
        self.connect_feeders()
        return self

    def wait_up(self, timeout=40):
        """Both sessions between peer and daemon, as both see them."""
        self.dut.wait_established("peer4", "peer6", timeout=timeout)
        for address in (self.peer_link.remote, self.peer_link.remote6):
            wait_for(lambda: self.peer.established(address), 10, f"{self.peer.name} does not see {address} up")

    def connect_feeders(self):
        """The three raw sessions."""
        for speaker in (self.fp4, self.fp6, self.fd):
            if not speaker.alive:
                speaker.close()
                speaker.connect()

    def make_routes(self):
        """What the feeders announce: `p4`, `p6` behind the peer, `d` behind the daemon (both families)."""
        some = lambda family, seed, asn, hop: varied(self.count, family, seed, asn, hop, self.internal)
        self.p4 = some(4, "p", self.fp_as, self.fp_link.local)
        self.p6 = some(6, "p", self.fp_as, self.fp_link.local6)
        d4 = {k: v for k, v in some(4, "d", self.fd_as, self.fd_link.local).items() if k not in self.p4}
        d6 = {k: v for k, v in some(6, "d", self.fd_as, self.fd_link.local6).items() if k not in self.p6}
        self.d4, self.d6 = d4, d6

    def feed(self):
        """Announces everything."""
        self.fp4.announce(self.p4, end_of_rib=True)
        self.fp6.announce(self.p6, end_of_rib=True)
        self.fd.announce({**self.d4, **self.d6}, end_of_rib=True)

    # What should be where.

    def at_dut_from_peer(self, family):
        """In the daemon's table, from the peer."""
        routes = self.p4 if family == 4 else self.p6
        if self.internal:
            routes = through_reflector(routes, self.fp_link.local, PEER_ID)
            return self.peer.passed_on(routes, True)
        hop = self.dut_link.remote if family == 4 else self.dut_link.remote6
        return self.peer.passed_on(through_external(routes, self.peer_as, hop), False)

    def at_dut_from_feeder(self):
        """In the daemon's table, from its own feeder."""
        routes = {**self.d4, **self.d6}
        return routes if self.internal else through(routes, local_pref=100)

    def at_peer(self, family):
        """In the peer's table, from the daemon."""
        routes = self.d4 if family == 4 else self.d6
        if self.internal:
            return self.peer.shown(through_reflector(routes, self.fd_link.local, DUT_ID), True)
        hop = self.peer_link.remote if family == 4 else self.peer_link.remote6
        return self.peer.shown(through_external(routes, DUT_AS, hop), False)

    def at_feeder(self):
        """At the daemon's feeder: what the peer's feeder announced, three hops on."""
        made = {}
        for family, hop in ((4, self.fd_link.remote), (6, self.fd_link.remote6)):
            routes = self.at_dut_from_peer(family)
            if self.internal:
                made |= through(routes, cluster_list=lambda r: (DUT_ID, *r.cluster_list))
            else:
                made |= through_external(routes, DUT_AS, hop, local_pref=None)
        return made

    def peer_address(self, family):
        """The daemon's address as the peer knows it."""
        return self.peer_link.remote if family == 4 else self.peer_link.remote6

    def close(self, keep=False):
        """The end."""
        self.lab.close(keep)


def network(address, family):
    """The link network of an address."""
    return address.rpartition(".")[0] + ".0/24" if family == 4 else address.rpartition("::")[0] + "::/64"

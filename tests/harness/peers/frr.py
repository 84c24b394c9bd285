"""Debian's FRR: bgpd with zebra, for addresses and next hops."""

import json
import shutil
import socket

from ..lab import wait_for
from ..routes import Route, sorted_communities, through
from . import Peer

DIR = "/usr/lib/frr"


class Frr(Peer):
    """FRR, asked through its own socket (which vtysh uses)."""

    name = "frr"

    def start(self):
        config = self.dir / "bgpd.conf"
        config.write_text(self.text())
        (self.dir / "zebra.conf").write_text("")
        self.zebra = self.run("zebra", ["-f", self.dir / "zebra.conf", "-z", self.dir / "zserv.api"])
        wait_for((self.dir / "zserv.api").exists, 15, "zebra does not start")
        self.child = self.run("bgpd", ["-f", config, "-n", "-z", self.dir / "zserv.api", "-S"])
        wait_for(lambda: self.ask("show bgp summary json"), 15, "bgpd does not answer")
        return self

    def run(self, program, more):
        """Starts one of FRR's daemons; it runs as its own user, in a folder of this test's."""
        shutil.chown(self.dir, "frr", "frr")
        words = [f"{DIR}/{program}", "-A", "127.0.0.1", "-P", "0",
                 "-i", self.dir / f"{program}.pid", "--vty_socket", self.dir,
                 "--log", f"file:{self.dir}/{program}.log", *more]
        return self.lab.spawn(self.host, words, cwd=self.dir)

    def kill(self):
        super().kill()
        self.zebra.kill()
        self.zebra.wait(10)
        (self.dir / "zserv.api").unlink(missing_ok=True)

    def text(self):
        """bgpd's configuration."""
        made = [
            "frr defaults traditional", f"router bgp {self.asn}", f" bgp router-id {self.router_id}",
            " no bgp ebgp-requires-policy", " no bgp network import-check", " no bgp default ipv4-unicast",
            # Else the other side keeps the routes of a session that is killed.
            " bgp graceful-restart-disable",
            " bgp cluster-id " + self.router_id,
        ]
        for n in self.neighbors:
            made += [f" neighbor {n.address} remote-as {n.asn}", f" neighbor {n.address} timers connect 1",
                     f" neighbor {n.address} advertisement-interval 0",
                     f" neighbor {n.address} update-source {n.local}"]
            made += [f" neighbor {n.address} passive"] if n.passive else []
        for family in (4, 6):
            made.append(f" address-family ipv{family} unicast")
            for n in self.neighbors:
                if family in n.families:
                    made += [f"  neighbor {n.address} activate",
                             f"  neighbor {n.address} soft-reconfiguration inbound"]
                    if n.reflector_client:
                        made.append(f"  neighbor {n.address} route-reflector-client")
            made.append(" exit-address-family")
        return "\n".join(made) + "\n"

    def ask(self, *commands):
        """The answers to commands, over bgpd's own socket: a NUL ends a command, three and a
        status end an answer."""
        answers = []
        with socket.socket(socket.AF_UNIX) as made:
            made.settimeout(60)
            made.connect(str(self.dir / "bgpd.vty"))
            for command in ("enable", *commands):
                made.sendall(command.encode() + b"\0")
                data = bytearray()
                while len(data) < 4 or data[-4:-1] != b"\0\0\0":
                    chunk = made.recv(1 << 20)
                    if not chunk:
                        raise RuntimeError(f"bgpd closed its socket at {command}")
                    data += chunk
                if data[-1]:
                    raise RuntimeError(f"{command}: {bytes(data[:-4]).decode()}")
                answers.append(bytes(data[:-4]).decode())
        return answers[1:]

    def neighbor(self, address):
        """The neighbour's entry."""
        return json.loads(self.ask(f"show bgp neighbors {address} json")[0]).get(address, {})

    def established(self, address):
        return self.neighbor(address).get("bgpState") == "Established"

    def received(self, address):
        found = {}
        for family in self.family(address):
            table = json.loads(self.ask(f"show bgp ipv{family} unicast json")[0])["routes"]
            # Only the listing of one prefix shows all attributes.
            commands = [f"show bgp ipv{family} unicast {prefix} json" for prefix in table]
            for prefix, answer in zip(table, self.ask(*commands)):
                for path in json.loads(answer).get("paths", []):
                    if path["peer"]["peerId"] == address:
                        found[prefix] = route(path)
        return found

    def family(self, address):
        """The families of a neighbour."""
        return next(n.families for n in self.neighbors if n.address == address)

    def count(self, address):
        families = self.neighbor(address).get("addressFamilyInfo", {})
        return sum(f.get("acceptedPrefixCounter", 0) for f in families.values())

    def passed_on(self, routes, internal):
        # A reflected route without a MED gets one of 0.
        return through(routes, med=lambda r: r.med or 0) if internal else routes

    def shown(self, routes, internal):
        # The default LOCAL_PREF of external routes is not shown.
        return routes if internal else through(routes, local_pref=None)

    def reset(self, address):
        self.ask(f"clear bgp {address}")


def route(path):
    """One path of FRR's JSON."""
    words = lambda key: path.get(key, {}).get("string", "").split()
    hops = [hop for hop in path.get("nexthops", []) if hop.get("scope", "global") == "global"]
    aggregator = None
    if "aggregatorAs" in path:
        aggregator = f"{path['aggregatorAs']} {path['aggregatorId']}"
    cluster = path.get("clusterList", {})
    return Route(
        origin={"IGP": "IGP", "EGP": "EGP", "incomplete": "INCOMPLETE"}[path["origin"]],
        as_path=path.get("aspath", {}).get("string", "").replace("Local", ""),
        next_hop=hops[0]["ip"] if hops else "",
        med=path.get("med", path.get("metric")),
        local_pref=path.get("locPrf", path.get("localPref")),
        communities=sorted_communities(words("community")),
        large_communities=sorted_communities(words("largeCommunity")),
        ext_communities=sorted_communities(ext_words(path.get("extendedCommunity", {}).get("string", ""))),
        aggregator=aggregator,
        atomic=path.get("atomicAggregate", False),
        originator_id=path.get("originatorId"),
        cluster_list=tuple(cluster.get("list", [])),
    )


def ext_words(text):
    """FRR says RT:1:2 and SoO:1:2."""
    return [word.replace("RT:", "rt:").replace("SoO:", "ro:") for word in text.split()]

"""Debian's OpenBGPD."""

import json
import os

from ..lab import wait_for
from ..routes import Route, sorted_communities, through
from . import Peer


class OpenBgpd(Peer):
    """OpenBGPD, asked through bgpctl."""

    name = "openbgpd"

    def start(self):
        # Its unprivileged processes change root there; the service manager would make it.
        os.makedirs("/run/openbgpd", exist_ok=True)
        config = self.dir / "bgpd.conf"
        config.write_text(self.text())
        config.chmod(0o600)
        self.child = self.lab.spawn(self.host, ["bgpd", "-d", "-f", config], log=self.dir / "bgpd.log")
        wait_for(lambda: self.ask("show"), 15, "bgpd does not answer")
        return self

    def kill(self):
        """Its other processes end when the parent's pipes close."""
        super().kill()
        (self.dir / "ctl").unlink(missing_ok=True)

    def text(self):
        """The configuration."""
        made = [f"AS {self.asn}", f"router-id {self.router_id}", "fib-update no", f'socket "{self.dir}/ctl"',
                "nexthop qualify via default"]
        made += [f"listen on {n.local}" for n in self.neighbors]
        for n in self.neighbors:
            word = lambda family: "unicast" if family in n.families else "none"
            made += [f"neighbor {n.address} {{", f"  remote-as {n.asn}", f"  local-address {n.local}",
                     f"  announce IPv4 {word(4)}", f"  announce IPv6 {word(6)}"]
            made += ["  passive"] if n.passive else []
            made += ["  route-reflector " + self.router_id] if n.reflector_client else []
            made.append("}")
        return "\n".join(made + ["allow from any", "allow to any"]) + "\n"

    def ask(self, *words):
        """A bgpctl command with a JSON answer."""
        return json.loads(self.lab.run(self.host, "bgpctl", "-s", self.dir / "ctl", "-j", *words))

    def neighbor(self, address):
        """The neighbour's entry."""
        return self.ask("show", "neighbor", address)["neighbors"][0]

    def established(self, address):
        return self.neighbor(address)["state"] == "Established"

    def received(self, address):
        told = self.ask("show", "rib", "detail", "in", "neighbor", address)
        return {entry["prefix"]: route(entry) for entry in told.get("rib", [])}

    def count(self, address):
        return self.neighbor(address)["stats"]["prefixes"]["received"]

    def shown(self, routes, internal):
        # No MED is shown as 0; a reflector adds its cluster when it receives.
        own = (self.router_id,) if internal else ()
        return through(routes, med=lambda r: r.med or 0, cluster_list=lambda r: own + r.cluster_list)

    def reset(self, address):
        self.lab.run(self.host, "bgpctl", "-s", self.dir / "ctl", "neighbor", address, "clear")


def route(entry):
    """One entry of `show rib detail`."""
    others = {a["type"]: a for a in entry.get("attributes", [])}
    aggregator = others.get("Aggregator")
    return Route(
        origin={"IGP": "IGP", "EGP": "EGP"}.get(entry["origin"], "INCOMPLETE"),
        as_path=entry.get("aspath", ""),
        next_hop=entry["exit_nexthop"],
        med=entry.get("metric"),
        local_pref=entry.get("localpref"),
        communities=sorted_communities(entry.get("communities", [])),
        large_communities=sorted_communities(entry.get("large_communities", [])),
        ext_communities=sorted_communities(
            c.replace("rt ", "rt:").replace("soo ", "ro:") for c in entry.get("extended_communities", [])
        ),
        aggregator=f"{aggregator['AS']} {aggregator['router_id']}" if aggregator else None,
        atomic="Atomic Aggregate" in others,
        originator_id=others.get("Originator Id", {}).get("originator"),
        cluster_list=tuple(others.get("Cluster Id List", {}).get("cluster_list", [])),
    )

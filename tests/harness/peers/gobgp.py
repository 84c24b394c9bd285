"""Debian's GoBGP."""

import json

from ..lab import wait_for
from ..routes import Route, sorted_communities, through
from . import Peer


class GoBgp(Peer):
    """GoBGP, asked through its command-line client."""

    name = "gobgpd"
    # Towards others it leaves out the reflector's attributes.
    reflects_to_clients_only = True

    def start(self):
        config = self.dir / "gobgpd.toml"
        config.write_text(self.text())
        self.child = self.lab.spawn(
            self.host,
            ["gobgpd", "-f", config, "-t", "toml", "--api-hosts", "127.0.0.1:50051", "--pprof-disable"],
            log=self.dir / "gobgpd.log",
        )
        wait_for(lambda: self.ask("neighbor"), 15, "gobgpd does not answer")
        return self

    def text(self):
        """The configuration."""
        made = ["[global.config]", f"as = {self.asn}", f'router-id = "{self.router_id}"', "port = 179"]
        for n in self.neighbors:
            made += [
                "[[neighbors]]", "[neighbors.config]", f'neighbor-address = "{n.address}"', f"peer-as = {n.asn}",
                "[neighbors.transport.config]", f"passive-mode = {str(n.passive).lower()}",
                f'local-address = "{n.local}"',
                "[neighbors.timers.config]", "connect-retry = 1", "idle-hold-time-after-reset = 1",
            ]
            if n.reflector_client:
                made += ["[neighbors.route-reflector.config]", "route-reflector-client = true",
                         f'route-reflector-cluster-id = "{self.router_id}"']
            for family in n.families:
                made += ["[[neighbors.afi-safis]]", "[neighbors.afi-safis.config]",
                         f'afi-safi-name = "ipv{family}-unicast"']
        return "\n".join(made) + "\n"

    def ask(self, *words):
        """A gobgp command with a JSON answer."""
        return json.loads(self.lab.run(self.host, "gobgp", "-j", *words) or "null")

    def neighbor(self, address):
        """The neighbour's entry."""
        return self.ask("neighbor", address)

    def established(self, address):
        told = self.neighbor(address)
        state = told["state"]
        return state.get("session_state", state.get("session-state")) in (6, "established", "ESTABLISHED")

    def received(self, address):
        found = {}
        families = next(n.families for n in self.neighbors if n.address == address)
        for family in families:
            told = self.ask("neighbor", address, "adj-in", "-a", f"ipv{family}")
            # What was withdrawn just now may stand there without a path.
            found |= {prefix: route(paths[0]["attrs"]) for prefix, paths in (told or {}).items() if paths}
        return found

    def count(self, address):
        told = self.neighbor(address)
        families = told.get("afi_safis", told.get("afi-safis", []))
        return sum(f.get("state", {}).get("received", 0) for f in families)

    def shown(self, routes, internal):
        # The default LOCAL_PREF of external routes is not shown.
        return routes if internal else through(routes, local_pref=None)

    def reset(self, address):
        self.lab.run(self.host, "gobgp", "neighbor", address, "reset")


def route(attrs):
    """GoBGP's JSON attributes."""
    by = {a["type"]: a for a in attrs}
    dotted = lambda n: f"{n >> 16}:{n & 0xffff}"
    large = lambda c: f"{c['ASN']}:{c['LocalData1']}:{c['LocalData2']}"
    path = by.get(2, {}).get("as_paths", [])
    aggregator = f"{by[7]['as']} {by[7]['address']}" if 7 in by else None
    return Route(
        origin=["IGP", "EGP", "INCOMPLETE"][by[1]["value"]],
        as_path=" ".join(segment(s) for s in path if s["num"]),
        next_hop=by.get(3, by.get(14, {})).get("nexthop", ""),
        med=by.get(4, {}).get("metric"),
        local_pref=by.get(5, {}).get("value"),
        communities=sorted_communities(map(dotted, by.get(8, {}).get("communities", []))),
        large_communities=sorted_communities(map(large, by.get(32, {}).get("value", []))),
        ext_communities=sorted_communities(map(ext, by.get(16, {}).get("value", []))),
        aggregator=aggregator,
        atomic=6 in by,
        originator_id=by.get(9, {}).get("value"),
        cluster_list=tuple(by.get(10, {}).get("value", [])),
    )


def segment(s):
    """One AS path segment."""
    hops = " ".join(map(str, s["asns"]))
    return {1: "{%s}", 2: "%s"}.get(s["segment_type"], "(%s)") % hops


def ext(c):
    """One extended community."""
    kind = {2: "rt", 3: "ro"}.get(c.get("subtype"), "?")
    return f"{kind}:{c['value']}" if isinstance(c.get("value"), str) else str(c)

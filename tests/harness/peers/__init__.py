"""Adapters for other daemons: each configures, starts and reads one of them.

A neighbour is described by Neighbor; what a daemon has received is given as {prefix: Route}.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Neighbor:
    """A BGP neighbour as the daemon sees it."""

    address: str
    local: str
    asn: int
    families: tuple = (4,)
    passive: bool = True
    reflector_client: bool = False


class Peer:
    """What the adapters share."""

    name = ""
    reflects_to_clients_only = False

    def __init__(self, lab, host, asn, router_id, neighbors):
        self.lab, self.host, self.asn = lab, host, asn
        self.router_id, self.neighbors = router_id, neighbors
        self.dir = lab.dir / f"{self.name}-{host}"
        self.dir.mkdir(exist_ok=True)
        self.child = None

    def start(self):
        """Starts the daemon; returns when it can be asked."""
        raise NotImplementedError

    def kill(self):
        """Ends it as a crash would."""
        self.child.kill()
        self.child.wait(10)

    def established(self, address):
        """Is the session with this neighbour up?"""
        raise NotImplementedError

    def received(self, address):
        """What this neighbour sent: {prefix: Route}."""
        raise NotImplementedError

    def count(self, address):
        """How many routes this neighbour sent."""
        raise NotImplementedError

    def passed_on(self, routes, internal):
        """The routes as this daemon passes them on, where it changes more than it must."""
        return routes

    def shown(self, routes, internal):
        """The routes as this daemon shows them, where that loses or adds something."""
        return routes

    def reset(self, address):
        """Tears the session down by the daemon's own command."""
        raise NotImplementedError

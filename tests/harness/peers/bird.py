"""Debian's BIRD 2."""

from ..dut import Dut
from . import Peer


class Bird(Peer):
    """BIRD, asked through its control socket."""

    name = "bird2"

    def start(self):
        self.dut = Dut(self.lab, self.host, name=f"bird2-{self.host}", program="/usr/sbin/bird")
        self.dut.start(self.text(), self.router_id)
        self.child = self.dut.child
        return self

    def text(self):
        """The configuration."""
        made = [
            "protocol direct { ipv4; ipv6; }",
            # Routes that the test put into the kernel.
            "protocol kernel { ipv4 { import all; }; learn; }",
            "protocol kernel { ipv6 { import all; }; learn; }",
        ]
        for index, n in enumerate(self.neighbors):
            client = "rr client;" if n.reflector_client else ""
            channels = " ".join(f"ipv{f} {{ import all; export where source = RTS_BGP; }};" for f in n.families)
            made.append(
                f"protocol bgp n{index} {{ local {n.local} as {self.asn}; neighbor {n.address} as {n.asn};"
                f" passive {'on' if n.passive else 'off'}; {client} connect retry time 1; connect delay time 1;"
                f" error wait time 1, 2; error forget time 1; {channels} }}"
            )
        return "\n".join(made)

    def protocol(self, address):
        """The protocol's name for a neighbour."""
        return "n%d" % [n.address for n in self.neighbors].index(address)

    def established(self, address):
        return self.dut.control.established(self.protocol(address))

    def received(self, address):
        return self.dut.control.routes(f"protocol {self.protocol(address)}")

    def count(self, address):
        return self.dut.control.count(f"protocol {self.protocol(address)}")

    def reset(self, address):
        self.dut.control(f"restart {self.protocol(address)}")

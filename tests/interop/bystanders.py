"""A daemon with an offender and two bystanders whose sessions nothing may harm."""

from dataclasses import replace

from harness.dut import Dut, bgp
from harness.lab import Lab, wait_for
from harness.routes import Route, varied
from harness.runner import require
from harness.speaker import Speaker

DUT_AS, BAD_AS, GOOD_AS, WATCH_AS = 65001, 65201, 65202, 65203


class Bystanders:
    """`bad` misbehaves, `good` announces, `watch` receives."""

    def __init__(self, options="", hold=90):
        self.lab = Lab("dut", "bad", "good", "watch")
        self.dut = Dut(self.lab)
        ends = {}
        text = []
        for name, asn in (("bad", BAD_AS), ("good", GOOD_AS), ("watch", WATCH_AS)):
            here, there = self.lab.link("dut", name)
            ends[name] = Speaker(self.lab, name, there.local, there.remote, asn, hold=hold if name == "bad" else 90)
            extra = options if name == "bad" else ""
            text.append(bgp(name, here, DUT_AS, asn, passive=True, options=extra))
            if name == "bad":
                self.bad_link = there
        self.bad, self.good, self.watch = ends["bad"], ends["good"], ends["watch"]
        self.text = "\n".join(text)
        self.routes = varied(50, 4, "good", GOOD_AS, self.good.local)

    def __enter__(self):
        self.lab.__enter__()
        self.dut.start(self.text)
        self.good.connect()
        self.watch.connect()
        self.good.announce(self.routes)
        self.watch.wait_routes(len(self.routes))
        return self

    def channel(self, name, text):
        """Another IPv4 channel for one of them, from the next start on."""
        begin = self.text.index(f"protocol bgp {name} ")
        usual = "ipv4 { import all; export all; }"
        self.text = self.text[:begin] + self.text[begin:].replace(usual, f"ipv4 {{ {text} }}", 1)

    def __exit__(self, kind, error, trace):
        try:
            if error is None:
                self.require_unharmed()
        except AssertionError as failure:
            self.lab.__exit__(type(failure), failure, None)
            raise
        self.lab.__exit__(kind, error, trace)

    def require_unharmed(self):
        """Both bystanders' sessions never fell, and a fresh update still crosses."""
        self.dut.require_running()
        for speaker in (self.good, self.watch):
            require(speaker.alive, f"{speaker.local} lost its session: {speaker.notification or speaker.closed}")
        self.good.announce({"198.18.99.0/24": Route(as_path=str(GOOD_AS), next_hop=self.good.local)})
        wait_for(lambda: "198.18.99.0/24" in self.watch.table, 5, "a bystander's fresh update does not arrive")
        for prefix in self.routes:
            require(prefix in self.watch.table, f"{prefix} of a bystander is gone")

    def route(self, **changes):
        """A good route of the offender's."""
        return replace(Route(as_path=str(BAD_AS), next_hop=self.bad_link.local), **changes)

    def require_return(self):
        """The offender behaves again: its session comes back and its routes count."""
        self.bad.close()
        self.bad.connect(timeout=30)
        self.bad.announce({"198.18.1.0/24": self.route()})
        wait_for(lambda: "198.18.1.0/24" in self.watch.table, 10, "the offender's routes do not return")
        self.bad.close()

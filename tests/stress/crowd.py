"""A daemon with any number of raw peers, and the measure of how late updates arrive."""

import threading
import time

from harness.dut import Dut, bgp
from harness.lab import Lab, Link
from harness.routes import Route
from harness.runner import require
from harness.speaker import Speaker

DUT_AS = 65001


class Crowd:
    """Peers by name, each with its own link; their AS numbers count from 65301.

    With `lan` all are on one link, so that those with equal policies are told the same bytes.
    """

    def __init__(self, *names, hold=90, buffers=None, lan=False):
        self.lab = Lab("dut", "lan") if lan else Lab("dut", *names)
        self.dut = Dut(self.lab)
        self.dut.control.timeout = 120
        self.speakers, self.links, self.sections = {}, {}, {}
        shared = self.lab.link("dut", "lan") if lan else None
        for index, name in enumerate(names):
            here, there = self.on_lan(*shared, index) if lan else self.lab.link("dut", name)
            asn = 65301 + index
            self.links[name] = (here, there, asn)
            host = "lan" if lan else name
            self.speakers[name] = Speaker(self.lab, host, there.local, there.remote, asn, hold=hold,
                                          receive_buffer=(buffers or {}).get(name))
            self.section(name)

    def on_lan(self, here, there, index):
        """One more address on the shared link; the two views of it."""
        address = f"{there.local.rpartition('.')[0]}.{10 + index}"
        self.lab.ip("lan", f"addr add {address}/24 dev {there.device}")
        return (Link(here.local, here.local6, address, here.remote6, here.device),
                Link(address, there.local6, there.remote, there.remote6, there.device))

    def section(self, name, channel="import all; export all;", options=""):
        """Sets a peer's part of the configuration."""
        here, _, asn = self.links[name]
        self.sections[name] = bgp(name, here, DUT_AS, asn, passive=True, channel=channel, options=options)

    def text(self, head=""):
        """The whole configuration."""
        return head + "\n" + "\n".join(self.sections.values())

    def start(self, head="", without=()):
        """Daemon and all sessions up, but those."""
        self.dut.start(self.text(head))
        for name, speaker in self.speakers.items():
            if name not in without:
                speaker.connect()
        return self

    def __getitem__(self, name):
        return self.speakers[name]

    def route(self, name, **changes):
        """A plain route of a peer's."""
        _, there, asn = self.links[name]
        return Route(**{"as_path": str(asn), "next_hop": there.local, **changes})

    def require_alive(self, *names):
        """These sessions, or all, never fell."""
        self.dut.require_running()
        for name in names or self.speakers:
            speaker = self.speakers[name]
            require(speaker.alive, f"{name} lost its session: {speaker.notification or speaker.closed}")


class Trickle:
    """A steady stream of single updates from one peer to others; records each one's delay."""

    def __init__(self, crowd, source, watchers, interval=0.02):
        self.crowd, self.source, self.interval = crowd, source, interval
        self.sent, self.delays = {}, {name: {} for name in watchers}
        self.running = threading.Event()
        self.running.set()
        for name in watchers:
            crowd[name].on_update = self.taker(name)
        self.thread = threading.Thread(target=self.send, daemon=True)
        self.thread.start()

    def taker(self, name):
        """Records arrivals at a watcher."""
        delays, sent = self.delays[name], self.sent

        def take(now, announced, _withdrawn):
            for prefix in announced:
                if prefix in sent and prefix not in delays:
                    delays[prefix] = now - sent[prefix]

        return take

    def send(self):
        """One new prefix each interval."""
        number = 0
        while self.running.is_set():
            prefix = f"100.{64 + number // 65536}.{number // 256 % 256}.{number % 256}/32"
            self.sent[prefix] = time.monotonic()
            try:
                self.crowd[self.source].announce({prefix: self.crowd.route(self.source)})
            except OSError:
                return
            number += 1
            time.sleep(self.interval)

    def stop(self):
        """Ends the stream; the prefixes that were sent."""
        self.running.clear()
        self.thread.join(5)
        return dict(self.sent)

    def require_prompt(self, median=0.1, worst=2.0):
        """All arrived in time. The bounds leave room for this harness on a busy machine."""
        for name, delays in self.delays.items():
            missing = len(self.sent) - len(delays)
            require(not missing, f"{missing} of {len(self.sent)} updates never came to {name}")
            late = sorted(delays.values())
            middle, last = late[len(late) // 2], late[-1]
            require(middle < median and last < worst,
                    f"updates to {name} were late: median {middle * 1000:.0f} ms, worst {last * 1000:.0f} ms")

    def summary(self):
        """Median and worst delay over all watchers."""
        late = sorted(delay for delays in self.delays.values() for delay in delays.values())
        return f"median {late[len(late) // 2] * 1000:.1f} ms, worst {late[-1] * 1000:.0f} ms of {len(late)}"

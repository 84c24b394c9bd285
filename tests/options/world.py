"""A daemon with as many raw speakers as a test wants, each with an address of its own.

    speakers on `out` --- dut --- speakers on `in`

Routes fed from `in` reach speakers on `out` over another link, so that next hops are the daemon's.
"""

import re
import socket
import struct
import subprocess
import threading
import time

from harness import wire
from harness.dut import Dut
from harness.lab import Lab, wait_for
from harness.routes import Route
from harness.runner import require
from harness.speaker import Speaker

DUT_AS, DUT_ID = 65001, "10.77.0.1"
TIMERS = "connect retry time 1; connect delay time 1; error wait time 1, 2; error forget time 1;"
TCP_MD5SIG, IP_MINTTL = 14, 21
P, Q = "198.18.1.0/24", "198.18.2.0/24"


class Peer(Speaker):
    """A speaker with some more to turn."""

    def __init__(self, *arguments, key=None, ttl=None, caps=None, scope=0, **options):
        # `key`: TCP MD5; `ttl`: of packets sent; `caps`: all capabilities, as bytes; `scope`: the
        # interface of link-local addresses.
        self.key, self.ttl, self.caps, self.scope = key, ttl, caps, scope
        self.answers = True
        self.heard = []
        super().__init__(*arguments, **options)

    def make_socket(self):
        made = super().make_socket()
        if self.ttl:
            made.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, self.ttl)
        if self.key:
            made.setsockopt(socket.IPPROTO_TCP, TCP_MD5SIG, md5_option(self.remote, self.key))
        return made

    def dial(self, timeout=10):
        if not self.scope:
            return super().dial(timeout)
        made = self.make_socket()
        made.bind((self.local, 0, 0, self.scope))
        made.settimeout(timeout)
        made.connect((self.remote, self.port, 0, self.scope))
        self.adopt(made)
        return self

    def open(self):
        if self.caps is None:
            return super().open()
        parameters = bytes([2, len(self.caps)]) + self.caps if self.caps else b""
        return wire.open_message(self.asn, self.router_id, self.hold, parameters=parameters)

    def take(self, kind, body):
        self.heard.append((time.monotonic(), kind, body))
        if self.answers or kind == wire.NOTIFICATION:
            super().take(kind, body)

    def begin(self):
        """Connects in a thread of its own; the test waits for what comes of it."""
        threading.Thread(target=self.quietly_connect, daemon=True).start()
        return self

    def quietly_connect(self):
        try:
            self.connect()
        except (OSError, AssertionError):
            pass

    def attempt(self):
        """One connection with an OPEN: what the other side says to it, None if it is established."""
        self.close()
        self.dial()
        self.send(self.open())
        self.start_reading()
        wait_for(lambda: self.established.is_set() or self.notification or self.closed, 10,
                 f"{self.local}: no answer to the OPEN", 0.02)
        return None if self.established.is_set() else self.notification or (0, 0, b"")

    def capabilities(self):
        """{code: value} of the other side's OPEN."""
        parameters = self.peer_open[10:]
        found, at = {}, 0
        while at < len(parameters):
            kind, length = parameters[at], parameters[at + 1]
            caps = parameters[at + 2 : at + 2 + length]
            at += 2 + length
            while kind == 2 and caps:
                found[caps[0]] = caps[2 : 2 + caps[1]]
                caps = caps[2 + caps[1] :]
        return found

    def wait_route(self, prefix=P, timeout=10):
        """The Route of a prefix, once it is there."""
        wait_for(lambda: prefix in self.table, timeout, f"{prefix} does not reach {self.local}", 0.02)
        return self.routes[prefix]

    def feed(self, *prefixes, **changes):
        """Announces prefixes with a plain route, changed."""
        self.announce({prefix: self.route(**changes) for prefix in prefixes or (P,)})

    def route(self, **changes):
        """A plain route."""
        path = "" if self.asn == DUT_AS else str(self.asn)
        pref = 100 if self.asn == DUT_AS else None
        return Route(**{"as_path": path, "next_hop": self.local, "local_pref": pref, **changes})


class World:
    """The lab, the configuration as it grows, and the speakers by name.

    Sections are named `x_NAME`: many a good name is a keyword.
    """

    def __init__(self):
        self.lab = Lab("dut", "out", "in")
        self.links = {"out": self.lab.link("dut", "out"), "in": self.lab.link("dut", "in")}
        self.here, self.there = self.links["out"]
        self.dut = Dut(self.lab)
        self.parts, self.peers = [], {}

    def add(self, text):
        """More configuration."""
        self.parts.append(text)

    def peer(self, name, asn=None, host="out", options="", channel="import all; export all;", families=(4,),
             neighbor=None, local=None, passive=True, timers=TIMERS, speaker=None, **turned):
        """A session and the speaker for it."""
        number = 10 + len(self.peers)
        asn = asn or 65100 + number
        here, there = self.links[host]
        address = there.local.rpartition(".")[0] + f".{number}"
        self.lab.ip(host, f"addr add {address}/24 dev {there.device}")
        channels = " ".join(f"ipv{f} {{ {channel} }};" for f in families)
        local = local or f"{here.local} as {DUT_AS}"
        neighbor = (neighbor or "{address} as {asn}").format(address=address, asn=asn)
        self.add(f"protocol bgp x_{name} {{ local {local}; neighbor {neighbor}; {timers} "
                 f"{'passive;' if passive else ''} {options} {channels} }}")
        known = tuple({4: wire.IPV4, 6: wire.IPV6}[f] for f in families)
        made = (speaker or Peer)(self.lab, host, address, here.local, asn, **{"families": known, **turned})
        self.peers[name] = made
        return made

    def feeder(self, name="feeder", **options):
        """A session that announces, on the other link."""
        return self.peer(name, host="in", **options)

    def start(self, *connected, extra="", router_id=DUT_ID):
        """Starts the daemon and connects the speakers; all of them if none is named."""
        self.dut.start(self.text(extra), router_id)
        for name in connected or self.peers:
            if name:
                self.peers[name].connect()
        return self

    def text(self, extra=""):
        """The configuration."""
        return "\n".join([extra, *self.parts])

    def ask(self, command):
        """The answer of the control socket."""
        return self.dut.control(command)

    def show(self, name):
        """`show protocols all` of a session."""
        return self.ask(f"show protocols all x_{name}")

    def state(self, name):
        """Its state and the rest of its line in `show protocols`."""
        return self.dut.control.protocol(f"x_{name}")

    def up(self, name):
        """Is the session established?"""
        return self.dut.control.established(f"x_{name}")

    def wait_up(self, *names):
        """Waits for sessions."""
        self.dut.wait_established(*(f"x_{name}" for name in names))

    def shown(self, arguments=""):
        """`show route ARGUMENTS all` as (prefix, details) pairs."""
        return self.dut.control.entries(arguments)

    def best(self, prefix=P):
        """The protocol whose route is the best."""
        return next((e["proto"].removeprefix("x_") for p, e in self.shown(prefix) if e["best"]), None)

    def wait_best(self, name, prefix=P):
        """Waits until a protocol's route is the best."""
        wait_for(lambda: self.best(prefix) == name, 10, lambda: f"best is {self.best(prefix)}, should be {name}")

    def wait_log(self, pattern, timeout=10):
        """Waits for a line of the log; the match."""
        text = lambda: self.dut.log.read_text(errors="replace")
        return wait_for(lambda: re.search(pattern, text(), re.M), timeout, lambda: f"no {pattern!r} in the log: {self.dut.tail()}")

    def __getitem__(self, name):
        return self.peers[name]

    def __enter__(self):
        self.lab.__enter__()
        return self

    def __exit__(self, kind, error, trace):
        try:
            if error is None and self.dut.child:
                self.dut.require_running()
        except AssertionError as failure:
            self.lab.__exit__(type(failure), failure, None)
            raise
        self.lab.__exit__(kind, error, trace)


class Sniffer:
    """Records TCP packets that begin a connection, as a host sees them."""

    def __init__(self, lab, host, device):
        self.socket = lab.socket(host, socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(3))
        self.socket.bind((device, 3))
        self.seen = []
        lab.on_close(self.socket.close)
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        while True:
            try:
                data, (_, protocol, *_) = self.socket.recvfrom(2048)
            except OSError:
                return
            if protocol == 0x0800 and data[9] == 6:
                self.take(data)

    def take(self, data):
        tcp = data[(data[0] & 15) * 4 :]
        if tcp[13] & 0x12 == 0x02:
            ports = struct.unpack_from("!HH", tcp)
            address = lambda at: socket.inet_ntoa(data[at : at + 4])
            options = tcp[20 : (tcp[12] >> 4) * 4]
            self.seen.append(Syn(time.monotonic(), address(12), address(16), *ports, data[8], b"\x13\x12" in options))

    def to(self, address):
        """What was sent to an address."""
        return [syn for syn in self.seen if syn.target == address]

    def wait(self, address, timeout=8):
        """The first packet to an address."""
        return wait_for(lambda: self.to(address), timeout, f"nobody connects to {address}", 0.02)[0]


class Syn:
    """The first packet of a connection."""

    def __init__(self, when, source, target, source_port, port, ttl, signed):
        self.when, self.source, self.target = when, source, target
        self.source_port, self.port, self.ttl, self.signed = source_port, port, ttl, signed


def md5_option(address, key):
    """`struct tcp_md5sig` for an IPv4 neighbour."""
    where = struct.pack("=HH4s120x", socket.AF_INET, 0, socket.inet_aton(address))
    return where + struct.pack("=BBHi80s", 0, 0, len(key), 0, key.encode())


def settle(feed, *speakers, inside=("198.18",)):
    """All that `feed` announced before, inside these /16, has reached everybody that gets it.

    Networks with the same leading 16 bits stay in order but for what is packed together; the
    second round comes after that. The prefixes that show it; they must pass.
    """
    marks = [[f"{net}.{last}.0/24" for net in inside] for last in (254, 253)]
    for prefixes in marks:
        feed.feed(*prefixes)
        for speaker in speakers:
            for prefix in prefixes:
                speaker.wait_route(prefix)
    feed.withdraw(sum(marks, []))
    for speaker in speakers:
        wait_for(lambda: not set(sum(marks, [])) & set(speaker.table), 10, "a withdrawal does not arrive", 0.02)


def quiet(seconds, condition, message):
    """Something must not happen for some time: the one thing that cannot be polled for."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        require(not condition(), message)
        time.sleep(0.05)


def between(low, value, high, what):
    """A duration lies where it should."""
    require(low <= value <= high, f"{what}: {value:.2f} s, should be {low} to {high}")


def birdc(world, command):
    """What Debian's birdc prints."""
    done = subprocess.run(["/usr/sbin/birdc", "-s", str(world.dut.socket), *command.split()],
                          capture_output=True, text=True, timeout=20)
    return done.stdout

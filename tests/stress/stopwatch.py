"""How late single updates arrive, measured by a process that does nothing else.

The harness parses tables in threads that share one interpreter; what it measures of others meanwhile
is mostly its own delay. This process only looks for marked prefixes in the bytes that arrive.
"""

import json
import os
import select
import struct
import time

from harness import wire

# Marked prefixes are 100.64.0.0/10 and longer by number: nobody else announces any of them.
MARK = b"\x20\x64"


def is_marked(prefix):
    """Is this one of the stopwatch's own?"""
    first, second, *_ = prefix.split(".")
    return prefix.endswith("/32") and first == "100" and 64 <= int(second) < 128


class Stopwatch:
    """Announces a marked prefix each interval from one peer and times it at others."""

    def __init__(self, crowd, source, watchers, interval=0.01):
        self.crowd, self.source, self.watchers, self.interval = crowd, source, watchers, interval
        for name in (source, *watchers):
            crowd[name].dial()
        self.commands, self.orders = os.pipe()
        self.answers, self.answer_to = os.pipe()
        self.child = os.fork()
        if self.child == 0:
            self.run_and_exit()
        os.close(self.commands)
        os.close(self.answer_to)
        # The first phase begins when all sessions are up.
        if os.read(self.answers, 1) != b"+":
            raise AssertionError("the stopwatch's sessions did not come up")

    def phase(self, letter):
        """What is sent from now on belongs to this phase."""
        os.write(self.orders, letter.encode())

    def stop(self):
        """Ends it: {phase: Delays}."""
        os.write(self.orders, b"!")
        text = b""
        while data := os.read(self.answers, 65536):
            text += data
        os.waitpid(self.child, 0)
        return {phase: Delays(**found) for phase, found in json.loads(text).items()}

    # In the child.

    def run_and_exit(self):
        """Runs and never returns."""
        code = 1
        try:
            os.nice(-10)
            os.close(self.orders)
            os.close(self.answers)
            self.run()
            code = 0
        finally:
            os._exit(code)

    def run(self):
        """Sends, receives, answers."""
        self.sent, self.number, self.current = {}, 0, "?"
        self.found = {name: {} for name in self.watchers}
        self.sockets = {self.crowd[name].socket: name for name in self.watchers}
        self.tails = {name: b"" for name in self.watchers}
        for name in (self.source, *self.watchers):
            self.establish(self.crowd[name])
        os.write(self.answer_to, b"+")
        source = self.crowd[self.source].socket
        due = alive = time.monotonic()
        running = True
        while running:
            now = time.monotonic()
            if now >= due:
                due = max(due + self.interval, now)
                self.send(source)
            if now >= alive:
                alive = now + 20
                for each in (source, *self.sockets):
                    each.sendall(wire.message(wire.KEEPALIVE))
            running = self.receive(max(0, due - time.monotonic()))
        end = time.monotonic() + 5
        while time.monotonic() < end and any(len(f) < len(self.sent) for f in self.found.values()):
            self.receive(0.1)
        os.write(self.answer_to, json.dumps(self.summary()).encode())

    def establish(self, speaker):
        """Exchanges OPEN and KEEPALIVE."""
        speaker.socket.sendall(speaker.open())
        data, answered = b"", False
        while wire.message(wire.KEEPALIVE) not in data:
            data += speaker.socket.recv(4096)
            if len(data) >= 19 and not answered:
                speaker.socket.sendall(wire.message(wire.KEEPALIVE))
                answered = True

    def send(self, source):
        """One marked prefix."""
        number = self.number
        self.number += 1
        prefix = f"100.{64 + number // 65536}.{number // 256 % 256}.{number % 256}/32"
        data = wire.announcements({prefix: self.crowd.route(self.source)})
        self.sent[number] = (self.current, time.monotonic())
        source.sendall(data)

    def receive(self, timeout):
        """Takes what is there; false when told to stop."""
        ready, _, _ = select.select([*self.sockets, self.commands], [], [], timeout)
        for each in ready:
            if each == self.commands:
                order = os.read(self.commands, 1).decode()
                if order in ("!", ""):
                    return False
                self.current = order
                continue
            data = each.recv(1 << 20)
            if not data:
                raise ConnectionError("a watched session ended")
            self.look(self.sockets[each], data, time.monotonic())
        return True

    def look(self, name, data, now):
        """Finds the marks in new bytes."""
        data = self.tails[name] + data
        found = self.found[name]
        at = data.find(MARK)
        while at >= 0 and at + 5 <= len(data):
            (address,) = struct.unpack_from("!I", data, at + 1)
            number = address - (100 << 24 | 64 << 16)
            if number in self.sent and number not in found:
                found[number] = now
            at = data.find(MARK, at + 1)
        self.tails[name] = data[-4:]

    def summary(self):
        """Delays and what is missing, by phase."""
        phases = {}
        for number, (phase, when) in self.sent.items():
            kept = phases.setdefault(phase, {"delays": [], "missing": 0})
            for name in self.watchers:
                arrived = self.found[name].get(number)
                if arrived is None:
                    kept["missing"] += 1
                else:
                    kept["delays"].append(arrived - when)
        return phases


class Delays:
    """The delays of one phase, in seconds."""

    def __init__(self, delays, missing):
        self.sorted, self.missing = sorted(delays), missing

    def at(self, part):
        """So many of all are not later: 0.99 for the 99th percentile."""
        return self.sorted[min(len(self.sorted) - 1, int(len(self.sorted) * part))]

    @property
    def worst(self):
        """The last one."""
        return self.sorted[-1]

    def __str__(self):
        shown = ", ".join(f"{name} {value * 1000:.1f}" for name, value in
                          (("median", self.at(0.5)), ("99 %", self.at(0.99)), ("worst", self.worst)))
        return f"{shown} ms of {len(self.sorted)}"

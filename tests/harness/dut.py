"""The daemon under test: Dunlin, or any other that BIRD's configuration starts.

The environment's DUT names the binary; without it, it is the release build.
"""

import itertools
import os
import pathlib
import re
import resource
import signal
import subprocess
import time

from .control import Control
from .lab import wait_for

ROOT = pathlib.Path(__file__).resolve().parents[2]
HEAD = 'log stderr all;\ntimeformat protocol iso long ms;\ntimeformat route iso long ms;\n'


def binary():
    """Where the daemon under test lies."""
    return os.environ.get("DUT", str(ROOT / "target/release/dunlin"))


def version():
    """What it says of itself."""
    done = subprocess.run([binary(), "--version"], capture_output=True, text=True, timeout=10)
    return (done.stdout + done.stderr).strip()


def is_bird2():
    """BIRD 2 stands in for Dunlin where this harness itself is tested."""
    return bool(re.match(r"BIRD version 2", version()))


class Dut:
    """A running daemon in a lab's host."""

    def __init__(self, lab, host="dut", name=None, program=None):
        self.lab, self.host = lab, host
        self.name = name or host
        self.program = program or binary()
        self.config = lab.dir / f"{self.name}.conf"
        self.socket = lab.dir / f"{self.name}.ctl"
        self.log = lab.dir / f"{self.name}.log"
        self.control = Control(self.socket)
        self.child = None

    def start(self, text, router_id="10.77.0.1", wait=True, arguments=()):
        """Writes the configuration and starts the daemon, perhaps with more arguments; returns when it answers."""
        self.write(text, router_id)
        self.child = self.lab.spawn(
            self.host,
            [self.program, "-f", "-c", self.config, "-s", self.socket, "-P", self.lab.dir / f"{self.name}.pid",
             *arguments],
            log=self.log,
        )
        if wait:
            wait_for(self.answers, 15, lambda: f"{self.program} does not answer: {self.tail()}")
        return self

    def write(self, text, router_id="10.77.0.1"):
        """Writes the configuration; with several slices, which a small machine would not have by itself."""
        ours = self.program == binary() and not is_bird2()
        slices = "slices 4;\n" if ours and "slices " not in text else ""
        self.config.write_text(f"{HEAD}{slices}router id {router_id};\nprotocol device {{ }}\n{text}\n")

    def answers(self):
        """Does `show status` work?"""
        if self.child.poll() is not None:
            raise AssertionError(f"{self.program} ended with {self.child.returncode}: {self.tail()}")
        return "up and running" in self.control("show status")

    def configure(self, text, router_id="10.77.0.1"):
        """A new configuration for the running daemon."""
        self.write(text, router_id)
        return self.control("configure")

    def stop(self, number=signal.SIGTERM, timeout=10):
        """Ends the daemon."""
        self.child.send_signal(number)
        self.child.wait(timeout)

    def require_running(self):
        """It has not crashed."""
        if self.child.poll() is not None:
            raise AssertionError(f"{self.program} ended with {self.child.returncode}: {self.tail()}")

    def tail(self, count=6):
        """The last lines of its log."""
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        return " | ".join(text.splitlines()[-count:])

    def wait_established(self, *names, timeout=30):
        """Waits for BGP sessions."""
        for name in names:
            wait_for(lambda: self.control.established(name), timeout,
                     lambda: f"{name} is not up: {self.control.protocol(name)}")

    def wait_count(self, arguments, count, timeout=30):
        """Waits until `show route ARGUMENTS count` says so many."""
        wait_for(lambda: self.control.count(arguments) == count, timeout,
                 lambda: f"{self.control.count(arguments)} of {count} routes ({arguments})")

    # What the process uses.

    @property
    def pid(self):
        """Its process id."""
        return self.child.pid

    def status(self, key):
        """A number of /proc/PID/status."""
        text = pathlib.Path(f"/proc/{self.pid}/status").read_text()
        return int(re.search(rf"^{key}:\s+(\d+)", text, re.M)[1])

    def rss(self):
        """Resident memory in KiB."""
        return self.status("VmRSS")

    def threads(self):
        """Number of threads."""
        return self.status("Threads")

    def processor_time(self):
        """Seconds of processor time that it has used."""
        fields = pathlib.Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def descriptors(self):
        """Number of open file descriptors."""
        return len(self.descriptor_numbers())

    def descriptor_numbers(self):
        """The open file descriptors."""
        return {int(entry.name) for entry in pathlib.Path(f"/proc/{self.pid}/fd").iterdir()}

    def leave_descriptors(self, count):
        """Lowers its limit, as `ulimit -n` does, so that so many are free; None: raises it again."""
        most = resource.prlimit(self.pid, resource.RLIMIT_NOFILE)[1]
        limit = most
        if count is not None:
            used = None
            # Clients that have just gone may not be closed yet.
            while used != (used := self.descriptor_numbers()):
                time.sleep(0.2)
            free = (number for number in itertools.count() if number not in used)
            # The first one that it must not get; what is open beyond stays open.
            limit = next(itertools.islice(free, count, None))
        resource.prlimit(self.pid, resource.RLIMIT_NOFILE, (limit, most))


def bgp(name, link, asn, neighbor_asn, family=4, families=(4, 6), passive=False, options="", channel=""):
    """A `protocol bgp` section over a link."""
    local, remote = (link.local, link.remote) if family == 4 else (link.local6, link.remote6)
    body = channel or "import all; export all;"
    channels = "\n".join(f"  ipv{f} {{ {body} }};" for f in families)
    return (
        f"protocol bgp {name} {{\n  local {local} as {asn};\n  neighbor {remote} as {neighbor_asn};\n"
        f"  connect retry time 1; connect delay time 1; error wait time 1, 2; error forget time 1;\n"
        f"  {'passive on;' if passive else ''} {options}\n{channels}\n}}\n"
    )

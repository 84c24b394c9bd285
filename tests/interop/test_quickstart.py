"""What a new user sees: no options, no root, an example that works, clear errors."""

import os
import pathlib
import re
import shutil
import subprocess

from harness.dut import ROOT, binary, is_bird2
from harness.lab import Lab, wait_for
from harness.routes import Route
from harness.runner import Skip, require, test
from harness.speaker import Speaker


class User:
    """An ordinary user in a host of their own, with copies of the programs."""

    def __init__(self, lab):
        self.lab = lab
        self.home = lab.dir / "home"
        self.home.mkdir()
        client = pathlib.Path(binary()).with_name("dunlinc")
        self.client = client if client.exists() else ROOT / "target/release/dunlinc"
        for program in (binary(), self.client):
            shutil.copy(program, self.home)
        subprocess.run(["chown", "-R", "nobody:nogroup", str(self.home)], check=True)
        self.environment = {"HOME": str(self.home), "PATH": os.environ["PATH"], "XDG_RUNTIME_DIR": str(self.home)}

    def words(self, program, *arguments):
        """A command line as this user."""
        own = self.home / pathlib.Path(program).name
        return ["setpriv", "--reuid", "nobody", "--regid", "nogroup", "--clear-groups", own, *arguments]

    def start(self, *arguments):
        """The daemon, in the background."""
        return self.lab.spawn("dut", self.words(binary(), *arguments), cwd=self.home,
                              log=self.lab.dir / "quick.log", env=self.environment)

    def ask(self, *command):
        """What dunlinc prints."""
        done = subprocess.run(
            ["ip", "netns", "exec", self.lab.prefix + "dut", *map(str, self.words(self.client, *command))],
            cwd=self.home, env=self.environment, capture_output=True, text=True, timeout=20, stdin=subprocess.DEVNULL,
        )
        require(done.returncode == 0, f"dunlinc {' '.join(command)}: exit {done.returncode}, {done.stderr} {done.stdout}")
        return done.stdout

    def log(self):
        """What the daemon printed."""
        return (self.lab.dir / "quick.log").read_text(errors="replace")

    def up(self):
        """Does the client reach the daemon?"""
        try:
            return "up and running" in self.ask("show", "status")
        except AssertionError:
            return False


    def listening(self):
        """Addresses and ports of TCP on which somebody listens in this host."""
        told = self.lab.run("dut", "ss", "-Htln").decode()
        return sorted(line.split()[3] for line in told.splitlines())


def neighbour(user, address, remote, asn):
    """A speaker on the same machine."""
    speaker = Speaker(user.lab, "dut", address, remote, asn, port=1790,
                      router_id=address if "." in address else "127.0.0.66")
    return speaker.connect()


@test("quickstart", timeout=90)
def quickstart():
    if is_bird2():
        raise Skip("BIRD 2 has no embedded configuration")
    with Lab("dut") as lab:
        user = User(lab)
        user.start()
        wait_for(user.up, 15, lambda: f"no answer to dunlinc: {user.log()[-500:]}")
        wait_for(lambda: "dunlinc" in user.log(), 5, lambda: f"it says what to type next: {user.log()[-500:]!r}")
        for command, pattern in (("show protocols", r"^\S+\s+Static\s"), ("show route", r"^192\.0\.2\.0/24 "),
                                 ("show threads", r"\d"), ("help", r"show"), ("show route", r"^2001:db8:")):
            text = user.ask(*command.split())
            require(re.search(pattern, text, re.M), f"{command}: {text[:400]!r}")
        require(user.listening() == ["127.0.0.1:1790", "[::1]:1790"], f"it listens on {user.listening()}")
        one = neighbour(user, "127.0.0.11", "127.0.0.1", 64511)
        two = neighbour(user, "127.0.0.12", "127.0.0.1", 64512)
        six = neighbour(user, "::1", "::1", 64513)
        one.announce({"198.18.0.0/24": Route(as_path="64511", next_hop="127.0.0.11")})
        wait_for(lambda: "198.18.0.0/24" in two.table, 10, "a neighbour's route does not come to another")
        require(two.routes["198.18.0.0/24"].as_path == "64511", "a route server is in the AS path")
        wait_for(lambda: any(":" in prefix for prefix in six.table), 10, "no IPv6 prefix for a neighbour")


@test("second-daemon-is-told-why", timeout=60)
def second():
    if is_bird2():
        raise Skip("BIRD 2 has no embedded configuration")
    with Lab("dut") as lab:
        user = User(lab)
        user.start()
        wait_for(user.up, 15, lambda: f"no answer to dunlinc: {user.log()[-500:]}")
        before = user.log()
        again = user.start("-s", str(user.home / "other.ctl"))
        same = user.start()
        for child, what in ((same, "socket"), (again, "port")):
            require(child.wait(10) != 0, f"a second daemon runs with the {what} in use")
        require(user.up(), "the first daemon was harmed")
        said = lambda: user.log()[len(before):]
        for what in ("127.0.0.1:1790: Address already in use", "dunlin.ctl is in use"):
            wait_for(lambda: what in said(), 5, lambda: f"a clear error: {said()!r}")
        require(not (user.home / "other.ctl").exists(), "a daemon that did not start left its socket")

"""Network namespaces, the processes in them, and their end.

A lab is a set of namespaces joined by veth pairs, point to point, each link with an IPv4 and an
IPv6 network of its own. Names begin with `dt<pid>-`, so that runs do not meet; what a run that
was killed left behind is removed by the next. Processes are ended by their id only.
"""

import atexit
import ctypes
import itertools
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

CLONE_NEWNET = 0x40000000
libc = ctypes.CDLL(None, use_errno=True)
counter = itertools.count(1)
labs = []


class Link:
    """One end's view of a link."""

    def __init__(self, mine, mine6, other, other6, device):
        self.local, self.local6, self.remote, self.remote6 = mine, mine6, other, other6
        self.device = device


class Lab:
    """Namespaces, links and processes of one test."""

    def __init__(self, *hosts):
        self.prefix = f"dt{os.getpid()}-{next(counter)}-"
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix=f"dunlin-lab-{os.getpid()}-"))
        # Daemons that give up their privileges must reach their sockets.
        self.dir.chmod(0o755)
        self.hosts = []
        self.children = []
        self.closers = []
        self.links = 0
        labs.append(self)
        for host in hosts:
            self.add(host)

    def add(self, host):
        """Makes a namespace."""
        name = self.prefix + host
        ip(f"netns add {name}", f"-n {name} link set lo up")
        self.hosts.append(host)
        # Link-local addresses are there at once.
        dad = pathlib.Path("/proc/sys/net/ipv6/conf/default/accept_dad")
        in_namespace(name, lambda: dad.write_text("0"))

    def link(self, a, b):
        """Joins two hosts; the two ends' views."""
        self.links += 1
        n = self.links
        device = f"v{n}"
        ns_a, ns_b = self.prefix + a, self.prefix + b
        one = Link(f"10.77.{n}.1", f"fd77:{n}::1", f"10.77.{n}.2", f"fd77:{n}::2", device)
        two = Link(one.remote, one.remote6, one.local, one.local6, device)
        ip(f"link add {device} netns {ns_a} type veth peer name {device} netns {ns_b}")
        for ns, end in ((ns_a, one), (ns_b, two)):
            ip(
                f"-n {ns} addr add {end.local}/24 dev {device}",
                f"-n {ns} addr add {end.local6}/64 dev {device} nodad",
                f"-n {ns} link set {device} up",
            )
        return one, two

    def ip(self, host, *commands):
        """`ip` commands inside a host."""
        ip(*(f"-n {self.prefix}{host} {command}" for command in commands))

    def spawn(self, host, command, cwd=None, log=None, env=None):
        """Starts a daemon in a host; it ends with the lab."""
        out = open(log or self.dir / f"{host}.out", "ab")
        child = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", "ip", "netns", "exec", self.prefix + host]
            + [str(word) for word in command],
            cwd=cwd or self.dir,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            env=env,
        )
        out.close()
        self.children.append(child)
        return child

    def run(self, host, *command, timeout=60):
        """Runs a command in a host; its output."""
        done = subprocess.run(
            ["ip", "netns", "exec", self.prefix + host, *map(str, command)],
            cwd=self.dir, stdin=subprocess.DEVNULL, capture_output=True, timeout=timeout,
        )
        if done.returncode:
            text = (done.stdout + done.stderr).decode(errors="replace")[-800:]
            raise RuntimeError(f"{' '.join(map(str, command))} failed: {text}")
        return done.stdout

    def socket(self, host, *arguments):
        """A socket that belongs to a host."""
        return in_namespace(self.prefix + host, lambda: socket.socket(*arguments))

    def on_close(self, action):
        """To be called before the processes end."""
        self.closers.append(action)

    def close(self, keep=False):
        """Ends processes, removes namespaces; `keep`: leaves logs and configurations."""
        if self not in labs:
            return
        labs.remove(self)
        for action in reversed(self.closers):
            quietly(action)
        for child in self.children:
            terminate(child, signal.SIGTERM)
        end = time.monotonic() + 2
        for child in self.children:
            quietly(lambda: child.wait(max(0.05, end - time.monotonic())))
            terminate(child, signal.SIGKILL)
            quietly(lambda: child.wait(2))
        for host in self.hosts:
            remove_namespace(self.prefix + host)
        if not keep:
            shutil.rmtree(self.dir, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        self.close(keep=error is not None)
        if error is not None:
            error.lab = self.dir


def quietly(action):
    """Clean-up goes on whatever fails."""
    try:
        action()
    except Exception:
        pass


def terminate(child, number):
    """Signals a process of ours that still runs."""
    if child.poll() is None:
        child.send_signal(number)


def ip(*commands):
    """Runs `ip` once per command."""
    for command in commands:
        done = subprocess.run(["ip", *command.split()], capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"ip {command}: {done.stderr.strip()}")


def in_namespace(name, action):
    """Runs an action in a thread that has entered the namespace."""
    result = []

    def enter():
        try:
            with open(f"/run/netns/{name}") as handle:
                if libc.setns(handle.fileno(), CLONE_NEWNET):
                    raise OSError(ctypes.get_errno(), f"setns {name}")
            result.append((action(), None))
        except BaseException as error:
            result.append((None, error))

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    value, error = result[0]
    if error:
        raise error
    return value


def remove_namespace(name):
    """Ends what still runs in a namespace of ours and removes it."""
    done = subprocess.run(["ip", "netns", "pids", name], capture_output=True, text=True)
    for pid in done.stdout.split():
        quietly(lambda: os.kill(int(pid), signal.SIGKILL))
    subprocess.run(["ip", "netns", "del", name], capture_output=True)


def remove_stale():
    """Removes namespaces of test runs that no longer exist."""
    for entry in pathlib.Path("/run/netns").glob("dt[0-9]*-*-*"):
        owner = entry.name[2:].split("-")[0]
        if owner.isdigit() and not os.path.exists(f"/proc/{owner}"):
            remove_namespace(entry.name)


def close_all():
    """At the end of the run, however it ends."""
    for lab in list(labs):
        lab.close()


atexit.register(close_all)


def wait_for(condition, timeout, what, interval=0.1):
    """Polls until the condition gives something true; its value."""
    end = time.monotonic() + timeout
    last = None
    while True:
        try:
            value = condition()
            if value:
                return value
            last = None
        except (OSError, RuntimeError, ValueError, KeyError) as error:
            last = error
        if time.monotonic() > end:
            tail = f" ({last})" if last else ""
            raise AssertionError(f"not within {timeout} s: {what() if callable(what) else what}{tail}")
        time.sleep(interval)

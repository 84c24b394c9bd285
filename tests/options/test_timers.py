"""Times of a session, by the clock."""

import re
import time

from harness import wire
from harness.lab import wait_for
from harness.routes import varied
from harness.runner import require, test
from world import Sniffer, World, between, quiet


def hold_of(speaker):
    """The hold time that the daemon proposes."""
    return int.from_bytes(speaker.peer_open[3:5], "big")


def keepalives(speaker):
    """When KEEPALIVEs came, but for the one that answers the OPEN."""
    return [when for when, kind, _ in list(speaker.heard) if kind == wire.KEEPALIVE][1:]


@test(timeout=60)
def hold_and_keepalive():
    with World() as world:
        usual = world.peer("usual")
        never = world.peer("never", options="hold time 0;")
        quick = world.peer("quick", options="hold time 30; keepalive time 1;")
        short = world.peer("short", options="hold time 4;", hold=4)
        theirs = world.peer("theirs", options="hold time 60; keepalive time 30;", hold=3)
        world.start()
        require([hold_of(s) for s in (usual, never, quick, short)] == [240, 0, 30, 4], "hold times proposed")
        for speaker, low, high in ((quick, 0.7, 1.15), (short, 0.95, 1.5), (theirs, 1.05, 1.65)):
            wait_for(lambda: len(keepalives(speaker)) >= 3, 8, "no keepalives")
            times = keepalives(speaker)
            for before, after in zip(times, times[1:]):
                between(low, after - before, high, f"keepalives to {speaker.local}")
        require(not keepalives(never), "keepalives though the hold time is zero")
        shown = world.show("theirs")
        require("/3\n" in shown.replace("\r", ""), shown)
        begin = time.monotonic()
        short.keepalives = False
        said = short.wait_notification(8)
        require(said and said[0] == 4, f"the silent neighbour is told {said}")
        between(2.5, time.monotonic() - begin, 4.6, "a silent neighbour is given up after")
        require(usual.alive and never.alive and quick.alive, "another session fell")


@test(timeout=40)
def least_times():
    with World() as world:
        hold = world.peer("hold", options="min hold time 10;", hold=9)
        enough = world.peer("enough", options="min hold time 10;", hold=10)
        keep = world.peer("keep", options="min keepalive time 3;", hold=6)
        slow = world.peer("slow", options="min keepalive time 3;", hold=9)
        world.start("enough", "slow")
        for speaker in (hold, keep):
            said = speaker.attempt()
            require(said and said[:2] == (2, 6), f"{speaker.local} is told {said}")


@test(timeout=40)
def startup_hold():
    with World() as world:
        speaker = world.peer("mute", options="startup hold time 3;")
        other = world.peer("other")
        world.start(None)
        for one in (speaker, other):
            one.answers = False
            one.dial()
            one.start_reading()
        begin = time.monotonic()
        said = speaker.wait_notification(6)
        require(said and said[0] == 4, f"a neighbour without an OPEN is told {said}")
        between(2.4, time.monotonic() - begin, 4, "a neighbour without an OPEN is given up after")
        require(not other.closed, "startup hold time of one session ends another's connection")


@test(timeout=40)
def connect_delay_and_retry():
    with World() as world:
        fast = world.peer("fast", timers="connect delay time 1;", passive=False)
        slow = world.peer("slow", timers="start delay time 4;", passive=False)
        void = world.peer("void", timers="connect delay time 1; connect retry time 3;", passive=False)
        still = world.peer("still", timers="connect delay time 1; connect retry time 60;", passive=False)
        for speaker in (void, still):
            # Nobody answers: packets go to an Ethernet address that nobody has.
            world.lab.ip("dut", f"neigh add {speaker.local} lladdr 02:00:00:00:00:09 dev {world.here.device}")
        sniffer = Sniffer(world.lab, "dut", world.here.device)
        world.start(None)
        begin = time.monotonic()
        one, two = sniffer.wait(fast.local), sniffer.wait(slow.local)
        between(0.2, one.when - begin, 1.5, "connect delay time 1")
        between(2.5, two.when - begin, 4.5, "start delay time 4")
        ports = lambda speaker: list({syn.source_port: syn.when for syn in sniffer.to(speaker.local)}.values())
        first = lambda speaker: {p: min(s.when for s in sniffer.to(speaker.local) if s.source_port == p)
                                 for p in {s.source_port for s in sniffer.to(speaker.local)}}
        wait_for(lambda: len(ports(void)) >= 3, 12, "a connection that nobody answers is not tried again")
        times = sorted(first(void).values())
        between(2.1, times[1] - times[0], 3.5, "connect retry time 3")
        require(len(ports(still)) == 1, "a connection is tried again before its retry time")


@test(timeout=60)
def error_waits():
    with World() as world:
        doubling = world.peer("doubling", timers="error wait time 1, 4; error forget time 300; connect delay time 1;",
                              passive=False)
        forgetful = world.peer("forgetful", timers="error wait time 1, 4; error forget time 1; connect delay time 1;",
                               passive=False)
        world.start(None)
        waits = {}
        for speaker in (doubling, forgetful):
            waits[speaker.local] = provoke(world, speaker, 4 if speaker is doubling else 3)
        require(waits[doubling.local] == [1, 2, 4, 4], f"waits after errors: {waits}")
        require(waits[forgetful.local] == [1, 1, 1], f"waits after errors that are forgotten: {waits}")


def provoke(world, speaker, count):
    """Answers the daemon's connections with nonsense: the waits that it announces."""
    found = []
    name = next(n for n, s in world.peers.items() if s is speaker)
    listener = speaker.make_socket()
    listener.bind((speaker.local, 179))
    listener.listen(4)
    listener.settimeout(10)
    last = None
    with listener:
        for _ in range(count):
            made, _ = listener.accept()
            now = time.monotonic()
            if last:
                # After the wait comes the connect delay, less up to a quarter.
                between(found[-1] + 0.5, now - last, found[-1] + 2, "the next attempt after an error")
            made.sendall(b"\xfe" * 19)
            shown = wait_for(lambda: re.search(r"Error wait: +[\d.]+/(\d+)", world.show(name)), 5,
                             lambda: world.show(name), 0.02)
            last = time.monotonic()
            found.append(int(shown[1]))
            made.close()
    return found


@test(timeout=60)
def send_hold():
    with World() as world:
        stuck = world.peer("stuck", options="hold time 3; send hold time 4;", hold=3, receive_buffer=4096)
        feed = world.feeder()
        world.start()
        stuck.pause()
        begin = time.monotonic()
        feed.announce(varied(40000, 4, "send-hold", feed.asn, feed.local))
        wait_for(lambda: not world.up("stuck"), 20, "a session whose peer reads nothing stays")
        between(3.5, time.monotonic() - begin, 15, "a peer that reads nothing is given up after")
        require("end hold" in world.show("stuck"), world.show("stuck"))


@test(timeout=40)
def disable_after():
    with World() as world:
        error = world.peer("error", options="disable after error;")
        fine = world.peer("fine")
        names = {"shutdown": "administrative shutdown", "reset": "administrative reset",
                 "any": None, "limit": "prefix limit hit, out of resources"}
        for name, causes in names.items():
            world.peer(name, options=f"disable after cease {{ {causes} }};" if causes else "disable after cease;")
        world.start()
        for speaker in (error, fine):
            speaker.send(b"\xfe" * 19)
        for name, subcode in (("shutdown", 2), ("reset", 2), ("any", 5), ("limit", 8)):
            world[name].send(wire.notification(6, subcode))
        state = lambda name: world.state(name)[0]
        for name in ("error", "shutdown", "any", "limit"):
            wait_for(lambda: state(name) == "down", 5, lambda: f"{name} goes on: {world.ask('show protocols')}")
        quiet(0.5, lambda: "down" in (state("fine"), state("reset")), "a session stays down without being told to")
        for name in ("fine", "reset"):
            world[name].close()
            world[name].connect()

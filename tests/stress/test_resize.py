"""The number of workers changes fifty times while a table loads and a trickle flows."""

import random
import threading

from crowd import Crowd, Trickle
from harness import wire
from harness.dut import is_bird2
from harness.lab import wait_for
from harness.routes import require_equal, through_external, varied
from harness.runner import require, test

PREFIXES = 200000


@test("resize-under-load", timeout=240)
def resize():
    crowd = Crowd("feed", "trickle", "watch")
    with crowd.lab:
        crowd.start("" if is_bird2() else "threads 2;")
        here, there, asn = crowd.links["feed"]
        routes = varied(PREFIXES, 4, "resize", asn, there.local)
        stream = wire.announcements(routes)
        # Once without resizing, for the baseline.
        load(crowd, routes, stream, lambda: None)
        baseline = usage(crowd.dut)
        crowd["feed"].withdraw(routes)
        crowd["watch"].wait_routes(0, timeout=60)
        trickle = Trickle(crowd, "trickle", ["watch"])
        load(crowd, routes, stream, lambda: resize_often(crowd))
        sent = trickle.stop()
        wait_for(lambda: len(crowd["watch"].table) == len(routes) + len(sent), 60, "the table is not whole")
        crowd.require_alive()
        trickle.require_prompt()
        out, _, _ = crowd.links["watch"]
        expected = through_external(routes, 65001, out.local, local_pref=None)
        got = {p: r for p, r in crowd["watch"].routes.items() if p not in sent}
        require_equal(expected, got, "the table after fifty resizes")
        crowd["trickle"].withdraw(sent)
        return require_baseline(crowd.dut, baseline) + "; " + trickle.summary()


def load(crowd, routes, stream, meanwhile):
    """Sends the table in pieces while something else happens."""
    loader = threading.Thread(target=lambda: send_in_pieces(crowd["feed"], stream), daemon=True)
    loader.start()
    meanwhile()
    loader.join(120)
    wait_for(lambda: len(crowd["watch"].table) >= len(routes), 120,
             lambda: f"{len(crowd['watch'].table)} of {len(routes)} routes came")


def send_in_pieces(speaker, stream, piece=65536):
    """The load takes a while, so that what happens meanwhile meets it."""
    for at in range(0, len(stream), piece):
        speaker.send(stream[at : at + piece])
        threading.Event().wait(0.03)


def resize_often(crowd):
    """Fifty times another number of workers."""
    rng = random.Random(1)
    numbers = [rng.choice([1, 2, 3, 4, 8]) for _ in range(49)] + [2]
    for number in numbers:
        # BIRD 2 has no workers; there the harness is tested with another command.
        crowd.dut.control("configure" if is_bird2() else f"threads {number}")
        threading.Event().wait(0.05)


def usage(dut):
    """Memory in KiB, threads, file descriptors."""
    return dut.rss(), dut.threads(), dut.descriptors()


def require_baseline(dut, baseline):
    """Back to what it was before, within what an allocator keeps."""
    rss, threads, descriptors = baseline
    state = lambda: usage(dut)
    wait_for(lambda: state()[1:] == (threads, descriptors), 15,
             lambda: f"threads and descriptors are {state()[1:]}, were {(threads, descriptors)}")
    wait_for(lambda: state()[0] <= rss * 1.15 + 8192, 15,
             lambda: f"memory is {state()[0]} KiB, was {rss}")
    return f"memory {rss // 1024} -> {state()[0] // 1024} MB, {threads} threads, {descriptors} descriptors"

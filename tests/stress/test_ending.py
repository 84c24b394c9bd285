"""The daemon is told to end while it has much to say, to neighbours that read and to some that do not."""

import signal
import threading
import time

from crowd import Crowd
from harness.lab import wait_for
from harness.routes import varied
from harness.runner import require, test
from test_stalls import windows

# Seconds, on an idle machine; what a busy one takes for others is added.
LIMIT = 3
COUNT = 200000


class Stolen(threading.Thread):
    """How much later than it should a thread comes to run that has next to nothing to do, in seconds altogether."""

    def __init__(self):
        super().__init__(daemon=True)
        self.seconds, self.ended = 0, threading.Event()
        self.start()

    def run(self):
        begin = time.monotonic()
        while not self.ended.wait(0.01):
            now = time.monotonic()
            late = now - begin - 0.01
            # A little of that is usual.
            self.seconds += late if late > 0.01 else 0
            begin = now


@test("sigterm-with-peers-that-do-not-read", timeout=180)
def ending():
    readers, stalled = ("read1", "read2", "read3"), ("stall1", "stall2", "stall3")
    crowd = Crowd("feed", *readers, *stalled, "late", buffers={name: 4096 for name in (*stalled, "late")}, lan=True)
    with crowd.lab:
        crowd.start(without=("late",))
        for name in stalled:
            crowd[name].pause()
        _, there, asn = crowd.links["feed"]
        routes = varied(COUNT, 4, "ending", asn, there.local)
        crowd["feed"].announce(routes)
        crowd.dut.wait_count("", COUNT, timeout=60)
        for name in readers:
            crowd[name].wait_routes(COUNT, timeout=60)
        for name in stalled:
            require(len(crowd[name].table) < COUNT and crowd.dut.control.established(name), f"{name} has read")
        # One that reads has more before it than a socket holds.
        crowd["late"].connect()
        crowd["late"].pause()
        wait_for(lambda: any(row["used"] > 100000 for row in windows(crowd, "late")), 20, lambda: windows(crowd, "late"))
        stolen, begin = Stolen(), time.monotonic()
        crowd.dut.child.send_signal(signal.SIGTERM)
        # It reads again when there is no room for what it is to be told.
        wait_for(lambda: "late: Sent: " in crowd.dut.log.read_text(), 20, crowd.dut.tail, 0.01)
        crowd["late"].resume()
        crowd.dut.child.wait(20)
        took = time.monotonic() - begin
        stolen.ended.set()
        for name in ("feed", *readers, "late"):
            told = crowd[name].wait_notification()
            require(told and told[:2] == (6, 2), f"{name} is told {told} ({crowd[name].closed}), should be (6, 2)")
        require(crowd.dut.child.returncode == 0, f"exit status {crowd.dut.child.returncode}: {crowd.dut.tail()}")
        require(took < LIMIT + stolen.seconds, f"the end took {took:.2f} s, {stolen.seconds:.2f} s of that stolen")
        require(not crowd.dut.socket.exists(), "the control socket stays")
        return f"{COUNT} routes, {len(stalled)} peers that do not read: the end took {took:.2f} s, {stolen.seconds:.2f} s of that stolen"

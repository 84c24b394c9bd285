"""The daemon has no descriptor left: what it cannot do is said, what it has goes on, and all is made up for."""

import re
import time

from crowd import DUT_AS, Crowd
from harness.dut import bgp, is_bird2
from harness.lab import wait_for
from harness.routes import varied
from harness.runner import Skip, require, test

NONE_LEFT = "Too many open files"


class Shortage:
    """Peers, and a client that came before: `ask` needs no descriptor of the daemon."""

    def __init__(self, *late):
        if is_bird2():
            raise Skip("BIRD 2 ends at an assertion")
        self.crowd = Crowd("feed", "watch", *late)
        self.dut, self.late, self.routes = self.crowd.dut, late, 0

    def __enter__(self):
        self.crowd.lab.__enter__()
        return self

    def __exit__(self, *error):
        return self.crowd.lab.__exit__(*error)

    def start(self, head="", text=""):
        """Everybody but the late ones is there."""
        self.head, self.more = head, text
        self.crowd.start(head + text, without=self.late)
        self.client = self.dut.control.connect()
        self.flow()

    def ask(self, command):
        """The answer to a command, as the client's control connection gives it."""
        return self.dut.control.exchange(*self.client, command)

    def write(self, text=""):
        """Another configuration, not yet read."""
        self.dut.write(self.crowd.text(self.head + self.more + text))

    def flow(self):
        """Routes still get from one peer to the other."""
        _, there, asn = self.crowd.links["feed"]
        self.routes += 10
        self.crowd["feed"].announce(varied(self.routes, 4, "descriptors", asn, there.local))
        self.crowd["watch"].wait_routes(self.routes, timeout=10)
        self.crowd.require_alive("feed", "watch")

    def require_rest(self):
        """Nobody tries without rest: less than a tenth of a processor."""
        before, span = self.dut.processor_time(), 3
        time.sleep(span)
        used = self.dut.processor_time() - before
        require(used < span / 10, f"{used:.2f} s of processor time in {span} s")

    def said(self, pattern):
        """How often the log has a line like this."""
        return len(re.findall(pattern, self.dut.log.read_text(), re.M))


@test("no-descriptor-for-clients-and-neighbours", timeout=120)
def clients_and_neighbours():
    """Neighbours that connect, neighbours that are connected to, and clients wait, and come in afterwards."""
    with Shortage("comes", "called") as scene:
        here, _, asn = scene.crowd.links["called"]
        scene.crowd.sections["called"] = bgp("called", here, DUT_AS, asn)
        scene.start()
        scene.dut.leave_descriptors(0)
        client = scene.dut.control.dial()
        comer = scene.crowd["comes"].dial()
        comer.send(comer.open())
        comer.start_reading()
        wait_for(lambda: scene.said(rf"BGP: cannot accept, .*{NONE_LEFT}"), 10, "nothing is said of neighbours")
        wait_for(lambda: scene.said(rf"Control socket .*: cannot accept, .*{NONE_LEFT}"), 10,
                 "nothing is said of clients")
        wait_for(lambda: any(NONE_LEFT in text for _, text in scene.ask("show protocols all called")), 10,
                 lambda: f"nothing is said of who cannot be called: {scene.ask('show protocols all called')}")
        scene.require_rest()
        scene.flow()
        said = scene.said("cannot accept")
        require(said == 2, f"said {said} times")
        scene.dut.leave_descriptors(None)
        require(client.recv(100).startswith(b"0001 "), "the client that waited is not greeted")
        client.close()
        comer.close()
        comer.connect(timeout=30)
        scene.crowd["called"].accept(timeout=30)
        scene.crowd["called"].wait_routes(scene.routes)
        scene.flow()


@test("no-descriptor-for-the-configuration", timeout=120)
def configuration():
    """A configuration that cannot be read whole is refused, and says why; what runs goes on."""
    with Shortage() as scene:
        folder = scene.crowd.lab.dir / "more"
        folder.mkdir()
        part = folder / "one.conf"
        part.write_text(static("one"))
        scene.start(text=f'ipv4 table aside;\ninclude "{folder}/*.conf";\n')
        require(scene.dut.control.protocol("one")[0] == "up", "the included part does not run")

        def refused(left, what):
            scene.dut.leave_descriptors(left)
            answer = scene.ask("configure")
            require(answer[-1][0] == 8002 and NONE_LEFT in answer[-1][1] and what in answer[-1][1],
                    f"{what}: {answer}")
            scene.require_rest()
            scene.flow()
            scene.dut.leave_descriptors(None)
            require(scene.dut.control.protocol("one")[0] == "up", f"{what}: the included part is gone")

        refused(0, "configuration file")
        # One descriptor reads file after file, one at a time; a directory needs one as well.
        scene.dut.leave_descriptors(1)
        require(scene.ask("configure")[-1][0] in (3, 4), "one descriptor is not enough")
        scene.dut.leave_descriptors(None)
        part.write_text(static("two"))
        require(scene.ask("configure")[-1][0] in (3, 4), "not reconfigured afterwards")
        wait_for(lambda: scene.dut.control.protocol("two")[0] == "up", 10, "the new part does not run")


def static(name):
    """A protocol whose routes nobody is told."""
    return f"protocol static {name} {{ ipv4 {{ table aside; }}; route 192.0.2.0/24 blackhole; }}\n"


@test("no-descriptor-for-the-log", timeout=120)
def log():
    """A log file that cannot be opened again is kept, and opened when that is possible."""
    with Shortage() as scene:
        first, second = scene.crowd.lab.dir / "first.log", scene.crowd.lab.dir / "second.log"
        moved = second.with_suffix(".moved")
        scene.start(head=f'log "{first}" all;\nlog "{second}" all;\ndebug protocols all;\n')
        wait_for(lambda: "Started" in second.read_text(), 10, "the log is not written")
        second.rename(moved)
        # The configuration is read with it, then the first file takes it.
        scene.dut.leave_descriptors(1)
        require(scene.ask("configure")[-1][0] in (3, 4), "not reconfigured")
        problem = rf"Cannot open log file {re.escape(str(second))}: {NONE_LEFT}"
        for path in (first, moved):
            wait_for(lambda: re.search(problem, path.read_text()), 10, lambda: f"{path} does not say it")
        require(not second.exists(), "it was opened")
        scene.require_rest()
        scene.flow()
        scene.dut.leave_descriptors(None)

        def written():
            # Something to write.
            scene.flow()
            return second.exists() and second.read_text()

        wait_for(written, 20, "the file is not begun anew", 1)

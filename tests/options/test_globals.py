"""What stands outside protocols."""

import json
import pathlib
import re
import socket
import subprocess

from harness.control import Control
from harness.dut import Dut, binary
from harness.lab import Lab, wait_for
from harness.runner import require, test
from world import DUT_AS, P, Q, World, quiet

MANUAL = pathlib.Path(__file__).resolve().parents[2] / "doc" / "manual" / "configuration.md"

IDLE = "protocol device { }"


class Bare:
    """A daemon without neighbours, with the configuration as it is given."""

    def __init__(self):
        self.lab = Lab("dut")
        self.dut = Dut(self.lab)

    def start(self, text):
        self.dut.write = lambda text, _=None: self.dut.config.write_text(text + "\n")
        return self.dut.start(text)

    def text(self, name):
        """A file of the test's folder."""
        path = self.lab.dir / name
        return path.read_text(errors="replace") if path.exists() else ""

    def __enter__(self):
        self.lab.__enter__()
        return self

    def __exit__(self, *error):
        self.lab.__exit__(*error)


@test(timeout=40)
def router_ids():
    with World() as world:
        usual = world.peer("usual")
        own = world.peer("own", options="router id 10.1.2.3;")
        world.start(router_id="10.8.8.8")
        for speaker, want in ((usual, "10.8.8.8"), (own, "10.1.2.3")):
            got = socket.inet_ntoa(speaker.peer_open[5:9])
            require(got == want, f"router id in the OPEN is {got}, should be {want}")
        require("Router ID is 10.8.8.8" in world.ask("show status"), world.ask("show status"))
    with World() as world:
        world.peer("one")
        world.lab.ip("dut", "addr add 10.200.0.5/32 dev lo", "link set lo up")
        for text, want in (("router id from \"v1\";", world.here.local), ("router id from 10.200.0.0/16;", "10.200.0.5")):
            world.dut.write = lambda body, _=None, text=text: world.dut.config.write_text(f"{text}\n{IDLE}\n{body}")
            if world.dut.child:
                world.dut.stop()
            world.start(None)
            require(f"Router ID is {want}" in world.ask("show status"), f"{text} {world.ask('show status')}")


@test(timeout=40)
def hostname():
    with Bare() as bare:
        bare.start(f'router id 1.2.3.4; hostname "bittern"; {IDLE}')
        require("Hostname is bittern" in bare.dut.control("show status"), bare.dut.control("show status"))


@test(timeout=40)
def logs():
    # To each place goes what its classes say.
    with World() as world:
        here = world.lab.dir
        world.peer("one", options="debug { states };")
        feed = world.feeder(channel="import filter { print \"seen \", net; accept; }; export none;")
        world.start(extra=f'log "{here}/all.log" all; log "{here}/trace.log" {{ trace }};'
                          f' log "{here}/few.log" {{ info, remote, warning, error, fatal, bug, auth, debug }};')
        feed.feed()
        read = lambda name: (here / name).read_text(errors="replace")
        wait_for(lambda: "seen 198.18.1.0/24" in read("few.log"), 5, "what a filter prints is in no log")
        require("State changed" in read("trace.log") and "State changed" in read("all.log"), read("trace.log"))
        require("State changed" not in read("few.log"), "a class that is not named is logged")
        require(all("<TRACE>" in line for line in read("trace.log").splitlines()), read("trace.log"))
        # Names of moved files are given up with `configure`.
        (here / "all.log").rename(here / "old.log")
        world.dut.configure(world.text(f'log "{here}/all.log" all;'))
        wait_for(lambda: (here / "all.log").exists(), 5, "the log is not opened anew")


@test(timeout=40)
def log_rotation():
    with World() as world:
        here = world.lab.dir
        feed = world.feeder(channel="import filter { print \"a line that fills the log: \", net; accept; }; export none;")
        world.start(extra=f'log "{here}/small.log" 16384 "{here}/small.old" {{ info }};')
        feed.announce({f"198.18.{n}.{m}/32": feed.route() for n in range(4) for m in range(256)})
        wait_for(lambda: (here / "small.old").exists() and (here / "small.log").exists(), 8, "the log does not begin anew")
        require((here / "small.log").stat().st_size <= 20000, "the log is longer than it may be")


@test(timeout=40)
def log_to_stderr_and_syslog():
    with Bare() as bare:
        wrapper = bare.lab.dir / "daemon"
        # A /dev/log of its own, in a mount namespace of its own.
        wrapper.write_text(f"#!/bin/sh\nexec unshare -m sh -c 'mount --bind {bare.lab.dir}/dev /dev && exec \"$@\"' - {binary()} \"$@\"\n")
        wrapper.chmod(0o755)
        (bare.lab.dir / "dev").mkdir()
        for name in ("null", "urandom"):
            subprocess.run(["cp", "-a", f"/dev/{name}", str(bare.lab.dir / "dev")], check=True)
        heard = []
        receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        receiver.bind(str(bare.lab.dir / "dev/log"))
        receiver.settimeout(0.1)
        bare.dut.program = str(wrapper)

        def listen():
            try:
                heard.append(receiver.recv(4096).decode(errors="replace"))
            except TimeoutError:
                pass
            return any("grebe" in line for line in heard)

        bare.start(f'router id 1.2.3.4; log stderr {{ warning, error }}; log syslog name "grebe" all; {IDLE}')
        wait_for(listen, 5, lambda: f"syslog gets nothing: {heard}")
        require(re.match(r"<\d+>", heard[0]), heard[0])
        require("<INFO>" not in bare.text("dut.log"), "stderr gets a class that is not named")


@test(timeout=40)
def time_formats():
    forms = {
        "iso short": r"\d\d:\d\d:\d\d", "iso short ms": r"\d\d:\d\d:\d\d\.\d{3}", "iso short us": r"\d\d:\d\d:\d\d\.\d{6}",
        "iso long": r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", "iso long us": r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6}",
        '"at %H h"': r"at \d\d h", '"%d/%m" 100 "%Y"': r"\d\d/\d\d",
    }
    with Bare() as bare:
        first = True
        for form, pattern in forms.items():
            text = (f"router id 1.2.3.4; log \"{bare.lab.dir}/x.log\" all; timeformat base {form}; timeformat log {form};"
                    f" timeformat protocol {form}; timeformat route {form}; {IDLE} filter f{len(form)} {{ accept; }}"
                    " protocol static s { ipv4; route 192.0.2.0/24 blackhole; }")
            if first:
                bare.start(text)
                first = False
            else:
                bare.dut.configure(text)
            control = bare.dut.control
            require(re.search(rf"Current server time is {pattern}$", control("show status"), re.M), control("show status"))
            require(re.search(rf"^s +Static +\S+ +up +{pattern}", control("show protocols s"), re.M), control("show protocols s"))
            require(re.search(rf"\[s {pattern}\]", control("show route")), control("show route"))
            # The log has a writer of its own.
            last = lambda: (bare.text("x.log").splitlines() or [""])[-1]
            wait_for(lambda: re.match(rf"{pattern} \[?", last()), 5, f"no line of the log in {form}")


@test(timeout=40)
def defines_and_includes():
    with World() as world:
        parts = world.lab.dir / "parts"
        parts.mkdir()
        (parts / "10-consts.conf").write_text('define PASS = [ 198.18.0.0/22+ ];\ndefine MARK = (65001, 7);\n')
        (parts / "20-filter.conf").write_text("filter marked { if net !~ PASS then reject; bgp_community.add(MARK); accept; }\n")
        (parts / "30-broken.txt").write_text("this is not read\n")
        (world.lab.dir / "exact.conf").write_text("define ASN = 65077;\n")
        speaker = world.peer("one", local=f"{world.here.local} as ASN", channel="import none; export filter marked;")
        feed = world.feeder()
        world.start(extra=f'include "{parts}/*.conf"; include "exact.conf";')
        feed.feed(P, "198.18.9.0/24", "198.18.2.0/24")
        speaker.wait_routes(2)
        told = speaker.wait_route()
        require(told.communities == ("65001:7",) and told.as_path == f"65077 {feed.asn}", f"{told}")


@test(timeout=40)
def threads_and_slices():
    with Bare() as bare:
        text = lambda n: f"router id 1.2.3.4; log stderr all; threads {n}\nslices 8\n{IDLE} protocol static s {{ ipv4; route 192.0.2.0/24 blackhole; }}"
        bare.start(text(3))
        count = lambda: len(re.findall(r"^ *\d+ +[\d.]+ s ", bare.dut.control("show threads"), re.M))
        wait_for(lambda: count() == 3, 5, lambda: bare.dut.control("show threads"))
        slices = len(set(re.findall(r"slice[- ]?(\d+)", bare.dut.control("show threads all"))))
        require(slices == 8, f"{slices} slices: {bare.dut.control('show threads all')[:600]}")
        bare.dut.configure(text(5))
        wait_for(lambda: count() == 5, 5, lambda: bare.dut.control("show threads"))
        bare.dut.control("threads 2")
        wait_for(lambda: count() == 2, 5, lambda: bare.dut.control("show threads"))


@test(timeout=40)
def thread_groups_of_tables_and_protocols():
    with Bare() as bare:
        groups = "thread group worker { threads 2; default yes; } thread group slow { threads 1; }"
        text = lambda table, protocol: (f"router id 1.2.3.4; log stderr all; slices 4 {groups}\n{IDLE}\nipv4 table master4 {{ {table} }};\n"
                                        f"protocol static s {{ {protocol} ipv4; route 192.0.2.0/24 blackhole; }}")

        def listed(what):
            return json.loads(bare.dut.control(f"show {what} json"))[what]

        def where():
            group = {thread["thread"]: thread["group"] for thread in listed("threads")}
            loops = listed("loops")
            of = lambda name: {group.get(loop["thread"]) for loop in loops if re.fullmatch(name, loop["name"])}
            return of(r"slice\d+"), of("s"), of("resolver")

        def moves_to(slices, static):
            expected = {slices}, {static}, {"worker"}
            wait_for(lambda: where() == expected, 8, lambda: f"{where()}, not {expected}: {bare.dut.control('show threads all')}")
            require("192.0.2.0/24" in bare.dut.control("show route"), "a route is lost")

        bare.start(text("thread group slow;", ""))
        moves_to("slow", "worker")
        since = bare.dut.control("show protocols s")
        for table, protocol in (("thread group express;", "thread group slow;"), ("", "thread group express;"), ("thread group worker;", "")):
            bare.dut.configure(text(table, protocol))
            group = lambda words: re.sub(r"thread group (\w+);", r"\1", words) or "worker"
            moves_to(group(table), group(protocol))
        require(bare.dut.control("show protocols s") == since, "a change of the group restarts the protocol")


@test(timeout=40)
def debug_flags():
    with World() as world:
        flags = {"states": "State changed", "events": "Connecting to|Got End-of-RIB|Incoming connection",
                 "packets": "Got UPDATE"}
        for flag in flags:
            world.peer(flag, options=f"debug {{ {flag} }};", channel="import where net.len < 24; export all;")
        world.peer("everything", options="debug all;")
        world.peer("nothing", options="debug off;")
        world.start()
        for speaker in world.peers.values():
            speaker.feed()
        for flag, text in flags.items():
            world.wait_log(rf"<TRACE> x_{flag}[:.].*({text})", 4)
        world.wait_log("<TRACE> x_everything")
        require("<TRACE> x_nothing" not in world.dut.log.read_text(), "traces though debug is off")


@test(timeout=40)
def debug_of_routes_and_filters():
    with World() as world:
        routes = world.feeder("routes", options="debug { routes };")
        filters = world.feeder("filters", options="debug { filters };", channel="import where net.len < 24; export none;")
        world.peer("filtering", options="debug { filters };", channel="import all; export where net.len < 24;")
        world.peer("channel", channel="import all; export all; debug { routes };")
        world.start(extra="debug tables { states, routes };")
        world.wait_log("<TRACE> master4: added")
        routes.feed(P)
        # The first route over a next hop waits for the resolver, and is the best afterwards.
        world.wait_log(rf"<TRACE> x_routes\.ipv4 > added( \[best\])? {P} unicast$")
        for line in ["x_channel.ipv4 < added {} unicast",
                     "master4: best {} unicast from x_routes"]:
            world.wait_log(f"<TRACE> {re.escape(line.format(P))}$")
        world.wait_log(rf"<TRACE> x_filtering\.ipv4 < filtered out {P} unicast at \S+:\d+:\d+$")
        filters.feed(Q)
        world.wait_log(rf"<TRACE> x_filters\.ipv4 > filtered out {Q} unicast at \S+:\d+:\d+$")
        routes.withdraw([P])
        for line in ["x_routes.ipv4 > removed [best] {} unicast", "x_channel.ipv4 < removed {} unicast",
                     "master4: no route {}"]:
            world.wait_log(f"<TRACE> {re.escape(line.format(P))}$")
        log = world.dut.log.read_text()
        for odd in ["x_filters.ipv4 > added", "x_filtering.ipv4 < added", "x_routes.ipv4 < "]:
            require(odd not in log, f"{odd} though its flag is off")


@test(timeout=40)
def traces_of_routes_as_in_the_manual():
    text = MANUAL.read_text().split("\n### Tracing\n", 1)[1].split("\n### ", 1)[0]
    lines = re.findall(r"^    (\w.*)$", text, re.M)
    require(len(lines) > 4, "the manual shows no traces")
    with World() as world:
        world.add("protocol static x_static1 { ipv4; route 198.51.100.0/24 blackhole; }")
        feed = world.feeder("peer1", channel="import where net != 10.9.0.0/16; export all;")
        world.peer("peer2", channel="import none; export where net != 10.20.0.0/16;")
        world.start(extra="debug protocols { routes, filters }; debug tables { routes };")
        feed.feed("10.9.0.0/16", "10.20.0.0/16")
        for line in lines:
            named = re.sub(r"(?=(static1|peer[12])\b)", "x_", line)
            text, _, place = named.partition(" at ")
            world.wait_log("<TRACE> " + re.escape(text) + (r" at \S+:\d+:\d+$" if place else "$"))


@test(timeout=40)
def debug_by_command():
    with World() as world:
        feed = world.feeder("feed")
        world.peer("out")
        world.start(extra="debug protocols off;")
        feed.feed(P)
        world.wait_best("feed")
        require("<TRACE>" not in world.dut.log.read_text(), "traces though nobody asked")
        world.ask("debug x_out.ipv4 { routes }")
        world.ask('debug "x_f*" { routes }')
        feed.feed(Q)
        world.wait_log(f"<TRACE> x_feed.ipv4 > added( .best.)? {Q} unicast")
        world.wait_log(f"<TRACE> x_out.ipv4 < added {Q} unicast")
        world.ask("debug all off")
        world.ask("debug x_out.ipv4 off")
        feed.withdraw([Q])
        feed.feed("198.18.3.0/24")
        world.wait_best("feed", "198.18.3.0/24")
        quiet(0.3, lambda: "198.18.3.0/24" in world.dut.log.read_text(), "traces though it was switched off")


@test(timeout=40)
def debug_defaults_and_commands():
    with World() as world:
        world.peer("usual")
        world.peer("quiet", options="debug off;")
        world.start(extra="debug protocols { states }; debug commands 2;")
        world.wait_log("<TRACE> x_usual: State changed")
        require("<TRACE> x_quiet" not in world.dut.log.read_text(), "traces though debug is off")
        world.ask("show status")
        world.wait_log("show status")
    with World() as world:
        world.start(extra="debug commands 0;")
        world.ask("show memory")
        quiet(0.3, lambda: "show memory" in world.dut.log.read_text(), "commands are logged though nobody asked")


@test(timeout=40)
def more_control_sockets():
    with World() as world:
        feed = world.feeder()
        here = world.lab.dir
        world.start(extra=f'cli "{here}/look.ctl" {{ restrict; }}; cli "{here}/old.ctl" {{ v2 attributes; }};')
        feed.feed()
        world.wait_best("feeder")
        look, old = Control(here / "look.ctl"), Control(here / "old.ctl")
        require(P in look("show route"), "a restricted socket shows nothing")
        require(look.lines("disable x_feeder")[-1][0] == 8007, look.lines("disable x_feeder"))
        require("BGP.as_path" in old("show route all"), old("show route all"))
        require("bgp_path" in world.ask("show route all"), world.ask("show route all"))
        world.dut.configure(world.text())
        wait_for(lambda: not (here / "look.ctl").exists(), 5, "a socket that is no longer named stays")

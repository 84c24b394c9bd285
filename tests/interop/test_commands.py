"""The control socket through Debian's own birdc, and what commands do to sessions."""

import re
import signal
import subprocess

from bystanders import DUT_AS, GOOD_AS, WATCH_AS, Bystanders
from harness.dut import binary, is_bird2
from harness.lab import wait_for
from harness.routes import varied
from harness.runner import Skip, require, test
from harness.speaker import Speaker


def birdc(scene, command):
    """What Debian's birdc prints."""
    done = subprocess.run(
        ["/usr/sbin/birdc", "-s", str(scene.dut.socket), *command.split()],
        capture_output=True, text=True, timeout=20,
    )
    require(done.returncode == 0, f"birdc {command}: exit {done.returncode}, {done.stdout} {done.stderr}")
    return done.stdout


def expect(scene, command, pattern):
    """birdc's output matches."""
    text = birdc(scene, command)
    require(re.search(pattern, text, re.M), f"birdc {command}: no {pattern!r} in {text[:600]!r}")


@test("birdc-works", timeout=60)
def client():
    with Bystanders() as scene:
        expect(scene, "show status", r"^BIRD \d.*\nRouter ID is 10\.77\.0\.1$(.|\n)*^Daemon is up and running$")
        expect(scene, "show memory", r"^\s*Total:\s+[\d.]+ +[kM]?B")
        expect(scene, "show protocols", r"^good\s+BGP\s+---\s+up\s+.*Established")
        expect(scene, "show protocols all good", r"^\s+Neighbor AS:\s+65202$")
        expect(scene, "show protocols good", r"^good ")
        expect(scene, "show route count", r"^50 of 50 routes for 50 networks in table master4$")
        expect(scene, "show route", r"^Table master4:$")
        prefix = sorted(scene.routes)[0]
        expect(scene, f"show route {prefix}", rf"^{re.escape(prefix)}\s+unicast \[good .*\] \* \(100\) \[AS\d+[ie?]\]$")
        expect(scene, f"show route for {prefix.split('/')[0]} all", r"\b(BGP\.|bgp_)origin: ")
        expect(scene, "show route protocol good count", r"^50 of 50 ")
        expect(scene, "show route export watch count", r"^50 of 50 ")
        expect(scene, "show route primary where net.len = 24 count", r"^\d+ of 50 ")
        expect(scene, "show route stats", r"^50 of 50 ")
        expect(scene, "show symbols", r"^good\s+protocol$")
        expect(scene, "show interfaces", r"^v1 up ")
        expect(scene, "show interfaces summary", r"^v1 ")
        expect(scene, "eval 1+2*3", r"^7$")
        expect(scene, "configure check", r"^Configuration OK$")
        answer = scene.dut.control.lines("show nonsense")
        require(answer[-1][0] == 9001, f"show nonsense: {answer}")


UNITS = {" ": 1 / 1024, "k": 1, "M": 1024, "G": 1024 * 1024}


def memory(scene):
    """`show memory` as {row: [KiB, ...]}."""
    found = {}
    for line in birdc(scene, "show memory").splitlines():
        if match := re.match(r"([A-Z][A-Za-z ]+):\s", line):
            found[match[1]] = [float(n) * UNITS[unit] for n, unit in re.findall(r"([\d.]+) ([ kMG])B", line)]
    return found


def require_counted(scene, when):
    """Each figure of `show memory` is within 15 % of what the system counts; what there was."""
    def close(what, said, counted):
        require(abs(said - counted) <= 0.15 * counted + 64, f"{when}: {what}: {said:.0f} kB, the system counts {counted} kB")

    shown, status = memory(scene), scene.dut.status
    close("total", sum(shown["Total"]), status("VmRSS"))
    close("all rows", sum(sum(row) for name, row in list(shown.items())[:5]), status("VmRSS"))
    close("resident", shown["Resident"][0], status("VmRSS"))
    close("the program itself", shown["Program itself"][0], status("RssFile") + status("RssShmem"))
    require(shown["Standby memory"][1] == shown["Kept free pages"][0], shown)
    return shown


@test("show-memory-is-what-the-system-counts", timeout=180)
def memory_counts():
    if is_bird2():
        raise Skip("BIRD 2 does not count the program itself")
    with Bystanders() as scene:
        # When nothing has happened for a moment free pages have gone back.
        given_back = lambda: memory(scene)["Kept free pages"][0] < 256
        # To ask more often would be work.
        wait_for(given_back, 20, lambda: f"idle, and it keeps free pages: {memory(scene)}", 1)
        idle = require_counted(scene, "idle")
        routes = varied(200000, 4, "memory", GOOD_AS, scene.good.local)
        scene.good.announce(routes)
        scene.dut.wait_count("", len(routes | scene.routes), timeout=60)
        loaded = require_counted(scene, "loaded")
        require(sum(loaded["Routing tables"]) > sum(idle["Routing tables"]) + 2000, f"routes weigh nothing: {loaded}")
        scene.good.withdraw(set(routes) - set(scene.routes))
        scene.watch.wait_routes(len(scene.routes), timeout=60)
        return f"idle {sum(idle['Total']):.0f} kB, with 200000 routes {sum(loaded['Total']):.0f} kB"


@test("show-route-export-and-noexport", timeout=60)
def noexport():
    scene = Bystanders()
    held = set(sorted(scene.routes)[::2])
    scene.channel("watch", f"import all; export where !(net ~ [ {', '.join(sorted(held))} ]);")
    with scene.lab:
        scene.dut.start(scene.text)
        scene.good.connect()
        scene.watch.connect()
        scene.good.announce(scene.routes)
        scene.watch.wait_routes(len(scene.routes) - len(held))
        shown = lambda arguments: {prefix for prefix, _ in scene.dut.control.entries(arguments)}
        require(shown("export watch") == set(scene.routes) - held, "`export` differs from what the filter lets through")
        require(shown("export watch") == set(scene.watch.table), "`export` differs from what the neighbour has")
        require(shown("noexport watch") == held, "`noexport` differs from what the filter holds back")
        expect(scene, "show route noexport watch count", rf"^{len(held)} of {len(scene.routes)} ")
        expect(scene, "show route noexport watch protocol good count", rf"^{len(held)} of {len(scene.routes)} ")
        one = min(held)
        require(shown(f"noexport watch where net = {one}") == {one}, f"`noexport` and `where` do not show {one}")
        other = min(set(scene.routes) - held)
        require(not shown(f"noexport watch where net = {other}"), f"`noexport` shows {other}, which is exported")


@test("reload", timeout=60)
def reload():
    if is_bird2():
        raise Skip("BIRD 2 has one reload for both")
    scene = Bystanders()
    scene.channel("good", 'import filter { print "looked at ", net; accept; }; export all;')
    with scene:
        looked = lambda: scene.dut.log.read_text(errors="replace").count("looked at ")
        runs = len(scene.routes)
        wait_for(lambda: looked() == runs, 5, lambda: f"the import filter ran {looked()} times, not {runs}")
        control = scene.dut.control

        # Nobody is asked for what we have.
        control("reload in good")
        wait_for(lambda: looked() == 2 * runs, 5, lambda: f"`reload in`: the import filter ran {looked()} times")
        require(not scene.good.refreshes, f"`reload in` asks the neighbour: {scene.good.refreshes}")
        control("reload bgp in good")
        wait_for(lambda: len(scene.good.refreshes) == 2, 5, lambda: f"`reload bgp in`: {scene.good.refreshes}")
        require(sorted(scene.good.refreshes) == [(1, 0, 1), (2, 0, 1)], f"`reload bgp in`: {scene.good.refreshes}")
        require(looked() == 2 * runs, f"`reload bgp in` runs filters itself: {looked()}")
        for command in ("reload out watch", "reload bgp out watch", "reload watch"):
            again, gone = set(), set()
            scene.watch.on_update = lambda _, announced, withdrawn: (again.update(announced), gone.update(withdrawn))
            control(command)
            wait_for(lambda: again == set(scene.routes), 5, lambda: f"{command}: {len(again)} of {runs} routes come again")
            require(not gone, f"{command}: it withdraws {gone}")
        control("reload good")
        wait_for(lambda: looked() == 3 * runs, 5, lambda: f"`reload`: the import filter ran {looked()} times")
        require(len(scene.good.refreshes) == 2 and not scene.watch.refreshes, "somebody was asked who should not be")
        for command, said in (("reload bad", (8, "bad: is not UP")), ("reload in bad", (8, "bad: is not UP")),
                              ("reload bgp in bad", (8006, "bad: not reloading, not up"))):
            answer = control.lines(command)
            require(answer[-1] == said, f"{command}, though it is not up: {answer}")


def cease(name, subcode, act, timeout=60):
    """A test of what a neighbour is told when its session is ended on purpose."""

    @test(f"cease-{name}", timeout=timeout)
    def case():
        with Bystanders() as scene:
            scene.bad.connect()
            act(scene)
            said = scene.bad.wait_notification()
            require(said and said[:2] == (6, subcode),
                    f"the neighbour is told {said} ({scene.bad.closed}), should be (6, {subcode})")


cease("disable", 2, lambda scene: scene.dut.control("disable bad"))
cease("restart", 4, lambda scene: scene.dut.control("restart bad"))
cease("deconfigure", 3, lambda scene: scene.dut.configure(scene.text[scene.text.index("protocol bgp good"):]))


@test("enable-after-disable", timeout=60)
def enable():
    with Bystanders() as scene:
        scene.dut.control("disable bad")
        wait_for(lambda: scene.dut.control.protocol("bad")[0] == "down", 5, "disable does not end in down")
        scene.dut.control("enable bad")
        scene.require_return()


def ending(name, number):
    """A test of a signal that ends the daemon."""

    @test(f"{name}-says-cease-to-all", timeout=60)
    def case():
        if number == signal.SIGINT and is_bird2():
            raise Skip("BIRD 2 just ends")
        scene = Bystanders()
        with scene.lab:
            scene.__enter__()
            scene.dut.stop(number, timeout=8)
            for speaker in (scene.good, scene.watch):
                said = speaker.wait_notification()
                require(said and said[0] == 6, f"{speaker.local} is told {said} ({speaker.closed})")
            require(scene.dut.child.returncode == 0, f"exit status {scene.dut.child.returncode}")
            require(not scene.dut.socket.exists(), "the control socket stays")


ending("sigterm", signal.SIGTERM)
ending("sigint", signal.SIGINT)


@test("sighup-configures", timeout=60)
def hangup():
    with Bystanders() as scene:
        scene.dut.write(scene.text + "filter brand_new { accept; }\n")
        scene.dut.child.send_signal(signal.SIGHUP)
        wait_for(lambda: "brand_new" in scene.dut.control("show symbols"), 5, "SIGHUP does not configure")


@test("bad-configuration-changes-nothing", timeout=60)
def bad_configuration():
    with Bystanders() as scene:
        scene.dut.write(scene.text + "protocol bgp { neighbor is nonsense; }\n")
        answer = scene.dut.control.lines("configure")
        require(answer[-1][0] == 8002, f"configure with an error answers {answer[-1]}")
        require(re.search(r"dut\.conf:\d+:\d+ ", answer[-1][1]), f"no file, line and column in {answer[-1][1]!r}")


@test("parse-only", timeout=30)
def parse_only():
    scene = Bystanders()
    with scene.lab:
        scene.dut.write(scene.text)
        run = lambda: subprocess.run([binary(), "-p", "-c", str(scene.dut.config)], capture_output=True, timeout=10)
        require(run().returncode == 0, f"a good file: {run()}")
        scene.dut.write(scene.text + "nonsense;\n")
        done = run()
        require(done.returncode == 1, f"a bad file: exit status {done.returncode}")
        require(b":" in done.stderr + done.stdout, "no message about a bad file")


@test("policy-suites", timeout=30)
def policy_suites():
    if is_bird2():
        raise Skip("BIRD 2 has no --test")
    scene = Bystanders()
    with scene.lab:
        suite = "function t() {{ int a; a = {value}; bt_assert(a = 5); bt_assert(a > 1); }}\nbt_test_suite(t, \"five\");\n"
        run = lambda: subprocess.run([binary(), "--test", "-c", str(scene.dut.config)], capture_output=True, text=True, timeout=10)
        scene.dut.write(scene.text + suite.format(value=5))
        done = run()
        require((done.returncode, done.stdout) == (0, "ok   five (2 checks)\n1 passed, 0 failed\n"), f"a suite that passes: {done}")
        scene.dut.write(scene.text + suite.format(value=6))
        done = run()
        require(done.returncode == 1 and "a = 5: it is 6 and 5\n0 passed, 1 failed\n" in done.stdout, f"one that fails: {done}")
        require(done.stdout.startswith("FAIL five (2 checks)\n     /"), f"no place: {done}")
        scene.dut.write(scene.text + "nonsense;\n")
        require(run().returncode == 1, "a bad file passes")


@test("dynamic-sessions", timeout=60)
def dynamic():
    scene = Bystanders()
    with scene.lab:
        here, there = scene.lab.link("dut", "watch")
        net = here.local.rpartition(".")[0] + ".0/24"
        text = scene.text + (
            f"protocol bgp many {{ local {here.local} as {DUT_AS}; neighbor range {net} as {WATCH_AS};"
            " passive on; error wait time 1, 2; error forget time 1; dynamic name \"many_\"; ipv4 { import all; export all; }; }\n"
        )
        scene.text = text
        scene.__enter__()
        scene.lab.ip("watch", f"addr add {there.local[:-1]}77/24 dev {there.device}")
        comers = [
            Speaker(scene.lab, "watch", address, here.local, WATCH_AS, families=((1, 1),)).connect()
            for address in (there.local, there.local[:-1] + "77")
        ]
        for comer in comers:
            comer.wait_routes(len(scene.routes))
        comers[0].close()
        wait_for(lambda: scene.dut.control("show protocols \"many_*\"").count("Established") == 1, 10,
                 lambda: scene.dut.control("show protocols"))
        require(comers[1].alive, "one dynamic session fell with another")
        comers[0].connect()
        comers[0].wait_routes(len(scene.routes))
        scene.require_unharmed()

"""What `configure` restarts, reloads and leaves alone, option by option; and what it says of that before."""

import json
import re
import time

import reconfigured
from harness.dut import HEAD
from harness.lab import wait_for
from harness.runner import require, test
from reconfigured import name_of
from world import DUT_AS, P, Q, World, quiet, settle

TABLES = "ipv4 table other4; ipv4 table third4;\nthread group first { threads 1; default yes; };\nthread group second { threads 1; };\n"


def impact(world):
    """{protocol: what is said of it} of `configure check impact json`, and the whole."""
    text = world.ask("configure check impact json")
    found = json.loads(text.replace("\n", ""))
    return {one["name"]: one for one in found["protocols"]}, found


def sections(world, place):
    """The sections of all examples that need no neighbour, as they are before (0) or after (1)."""
    here, net = world.here, world.there.local.rpartition(".")[0]
    parts = []
    for number, (option, texts) in enumerate(reconfigured.ALONE.items()):
        values = {"here": here.local, "address": f"{net}.{100 + number}", "device": here.device, "range": f"{net}.{192 + number % 8 * 8}/29"}
        fill = lambda text: text.format(**values)
        both = fill(texts[2]) if len(texts) > 2 else ""
        both += " " + fill(texts[place])
        neighbor = "" if "neighbor" in both else f"neighbor {values['address']} as 65200;"
        bgp = (f"protocol bgp {name_of(('bgp', option))} {{ local {here.local} as {DUT_AS}; {neighbor} passive;"
               # What an option is by default must not change with another one.
               f" ipv4 {{ import none; export none; gateway recursive; next hop keep off; }}; {both} }}")
        parts.append(bgp)
    for number, (key, texts) in enumerate(reconfigured.ALONE_CHANNEL.items()):
        both = texts[2] if len(texts) > 2 else ""
        parts.append(f"protocol bgp {name_of(key)} {{ local {here.local} as {DUT_AS}; neighbor {net}.{180 + number} as 65200;"
                     f" passive; ipv4 {{ import none; export none; {both} {texts[place]} }}; }}")
    parts += [texts[place].replace("NAME", name_of(key)) for key, texts in reconfigured.SECTIONS.items()]
    device = " ".join(reconfigured.DEVICE.values()) if place else ""
    return [f"protocol device {{ {device} }}", *parts]


class Rows:
    """The examples with a neighbour each, as they are before and after."""

    def __init__(self, world):
        self.world, self.names = world, {}
        self.texts = ([], [])
        for key, texts in reconfigured.UP.items():
            self.add(key, lambda place, texts=texts: {"options": texts[place]})
        for key, texts in reconfigured.UP_CHANNEL.items():
            channel = "import all; export all; {}"
            self.add(key, lambda place, texts=texts: {"channel": channel.format(texts[place])})

    def add(self, key, texts):
        """A session, and how it looks afterwards."""
        world, name = self.world, name_of(key)
        world.peer(name, **texts(0))
        before = world.parts.pop()
        self.names[key] = name
        for place in (0, 1):
            options = {"options": "", "channel": "import all; export all;", **texts(place)}
            first = {"options": "", "channel": "import all; export all;", **texts(0)}
            text = before.replace(f" {first['options']} ipv4", f" {options['options']} ipv4")
            text = text.replace(f"ipv4 {{ {first['channel']} }}", f"ipv4 {{ {options['channel']} }}")
            self.texts[place].append(text)

    def speakers(self):
        """The speakers of these sessions."""
        return [self.world[name] for name in self.names.values()]


def write(world, rows, place):
    """The file of a moment. Thread groups come before protocols, of which the harness writes one."""
    def whole(text, router_id="10.77.0.1"):
        world.dut.config.write_text(f"{HEAD}slices 4;\nrouter id {router_id};\n{text}\n")

    world.parts = [TABLES, *rows.texts[place], *sections(world, place)]
    world.dut.write = whole
    whole(world.text())


def check_row(key, wanted, told):
    """What is foretold of a row's protocol."""
    shown = {"every channel": ("ipv4",), "bgp channel": ("ipv4",)}.get(key[0], (None,))
    option = {"the channel as such": "channel", "another type under the same name": "protocol"}.get(key[1], key[1])
    if key == ("every channel", "the channel as such"):
        shown = ("ipv6",)
    if key[0] == "pipe" and key[1] not in ("table", "peer table") or key == ("pipe", "table"):
        shown = ("ipv4",)
    expected = {(channel, option, effect) for channel in shown for effect in wanted}
    require({(one["channel"], one["option"], one["effect"]) for one in told["options"]} == expected,
            f"{key}: {told['options']}, should be {expected}")
    effect = "restart" if "restart" in wanted else "reload" if wanted & {"import", "export"} else "live"
    if key[1] == "disabled":
        effect = "disable"
    require(told["effect"] == effect, f"{key}: {told['effect']}, should be {effect}")
    ways = {one["direction"] for one in told["routes"]}
    require(ways == wanted & {"import", "export"}, f"{key}: routes are looked at for {ways}")


@test(timeout=120)
def every_option_does_what_the_manual_says():
    wanted = reconfigured.rows()
    require(set(wanted) == set(reconfigured.keys()), f"rows without example, or examples without row: {set(wanted) ^ set(reconfigured.keys())}")
    with World() as world:
        rows = Rows(world)
        write(world, rows, 0)
        world.start()
        since = {name: world.dut.control.since(f"x_{name}") for name in rows.names.values()}
        lines = lambda pattern: set(re.findall(pattern, world.dut.log.read_text(), re.M))
        write(world, rows, 1)
        told, whole = impact(world)
        require(whole["untouched"] == 0 and whole["tables"] == {"new": [], "removed": []}, whole)
        names = {key: name_of(key) for key in wanted} | {key: f"x_{name}" for key, name in rows.names.items()}
        for key, effects in wanted.items():
            if key[0] == "device":
                options = {(one["option"], one["effect"]) for one in told["device1"]["options"]}
                require(options == {(option, "live") for _, option in reconfigured.DEVICE}, told["device1"])
            else:
                check_row(key, effects, told[names[key]])
        # It is asked twice, and nothing has happened.
        require(impact(world)[1] == whole, "another answer to the same question")
        require(not lines("Reconfiguring"), "a question has changed something")
        answer = world.ask("configure")
        require("Reconfigur" in answer, answer)
        wait_for(lambda: lines("Reconfigured$"), 30, lambda: f"not done: {world.ask('configure status')}")
        restarted = lines(r"Restarting protocol (\w+)$")
        expected = {names[key] for key, effects in wanted.items() if "restart" in effects}
        require(restarted == expected, f"restarted or not although it was foretold: {restarted ^ expected}")
        for way in ("import", "export"):
            reloaded = lines(rf"Reloading channel (\w+)\.ipv4 for {way}$")
            expected = {names[key] for key, effects in wanted.items() if way in effects}
            require(reloaded == expected, f"reloaded for {way} or not although it was foretold: {reloaded ^ expected}")
        for key, name in rows.names.items():
            require(world[name].alive, f"{key}: the neighbour lost its session")
            require(world.dut.control.since(f"x_{name}") == since[name], f"{key}: the session began anew")
        quiet(0.5, lambda: not all(speaker.alive for speaker in rows.speakers()), "a neighbour lost its session")
        left = impact(world)[1]["protocols"]
        require(left == [], f"what is in force would still change something: {left}")


@test(timeout=60)
def what_a_neighbour_lacks_costs_the_session():
    with World() as world:
        for name in ("one", "two", "has"):
            world.peer(name)
        world.start()
        text = world.text().replace("bgp x_one {", "bgp x_one { require extended messages;")
        world.dut.write(text.replace("bgp x_has {", "bgp x_has { require as4;"))
        told, _ = impact(world)
        require(told["x_one"]["effect"] == "restart" and told["x_has"]["effect"] == "live", told)
        require([one["option"] for one in told["x_one"]["options"]] == ["require"], told)
        world.ask("configure")
        said = world["one"].wait_notification()
        require(said and said[:2] == (6, 6), f"the neighbour is told {said}")
        require(world["has"].alive and world["two"].alive, "others lost their sessions")
        # From now on it is refused for that, once the wait after the end of the session is over.
        def told():
            try:
                said = world["one"].attempt()
            except OSError:
                return False
            require(said, "the session is up without what is required")
            return said[:2] == (2, 7)

        wait_for(told, 15, "the neighbour is not told why it is refused")


@test(timeout=60)
def a_session_that_restarts_gets_another_socket_on_its_port():
    with World() as world:
        one = world.peer("one", local=f"{world.here.local} port 1790 as {DUT_AS}", port=1790)
        world.start()
        for option in ("strict bind;", "", "strict bind; free bind;"):
            world.dut.configure(world.text().replace("bgp x_one {", f"bgp x_one {{ {option}"))
            one.wait_notification()
            one.close()
            one.connect(timeout=20)
            world.wait_up("one")


@test(timeout=60)
def figures_are_what_then_happens():
    with World() as world:
        more = [f"198.18.{n}.0/24" for n in range(3, 40)]
        filters = lambda low: (f"define LOW = {low};\nfunction small() -> bool {{ return net.len >= LOW; }}\n"
                               "filter marks { if small() then bgp_med = 7; accept; }\nfilter other { accept; }\n")
        world.peer("out", channel="import none; export filter marks;")
        world.peer("twin", channel="import none; export filter marks;")
        world.peer("calm", channel="import none; export filter other;")
        feed = world.feeder(channel="import where net !~ [ 198.18.9.0/24 ]; export none;")
        world.add("protocol static made { ipv4; route 198.19.0.0/24 drop; route 198.19.1.0/24 drop; }")
        world.start(extra=filters(25))
        feed.feed(P, Q, *more)
        settle(feed, world["out"], world["twin"], world["calm"])
        updates = {name: world[name].updates for name in world.peers}
        count = world.dut.control.count()
        # A constant deep in a function, an import filter, static routes.
        text = world.text(filters(24)).replace("net !~ [ 198.18.9.0/24 ]", "net !~ [ 198.18.9.0/24, 198.18.10.0/24, 198.18.11.0/24 ]")
        text = text.replace("198.19.1.0/24 drop", "198.19.2.0/24 drop")
        world.dut.write(text)
        told, whole = impact(world)
        require(set(told) == {"x_out", "x_twin", "x_feeder", "made"}, told.keys())
        for name in ("x_out", "x_twin"):
            require(told[name]["routes"] == [{"channel": "ipv4", "direction": "export", "routes": count, "gained": 0,
                                              "lost": 0, "altered": count}], told[name])
        require(told["x_feeder"]["routes"] == [{"channel": "ipv4", "direction": "import", "routes": 39, "gained": 0,
                                                "lost": 2, "altered": 0}], told["x_feeder"])
        require(told["made"]["options"][0]["detail"] == "1 new, 1 gone, 0 changed", told["made"])
        require(whole["untouched"] == 2, whole)
        said = world.ask("configure check impact")
        require(f"ipv4 import: 2 of 39 routes change: 0 more accepted, 2 fewer, 0 with other attributes" in said, said)
        quiet(0.5, lambda: {name: world[name].updates for name in world.peers} != updates, "a question has changed something")
        world.ask("configure")
        left = count - 2
        for name in ("out", "twin"):
            wait_for(lambda: len(world[name].table) == left and all(r.med == 7 for r in world[name].routes.values()), 10,
                     lambda: f"{name} has {len(world[name].table)} routes")
        # Who is sent by a filter that does the same hears of what went and came only.
        wait_for(lambda: len(world["calm"].table) == left, 10, "a withdrawal does not arrive")
        require(all(r.med != 7 for r in world["calm"].routes.values()), "another session's filter")
        require(all(speaker.alive for speaker in world.peers.values()), "a session was lost")


@test(timeout=60)
def a_timeout_rolls_back_and_a_confirmation_keeps():
    with World() as world:
        out = world.peer("out", channel="import none; export filter { bgp_med = 1; accept; };")
        feed = world.feeder()
        world.start()
        feed.feed(P)
        med = lambda number: wait_for(lambda: out.routes.get(P) and out.routes[P].med == number, 10, f"MED {number} does not arrive")
        med(1)
        first = world.text()
        world.dut.write(first.replace("bgp_med = 1", "bgp_med = 2"))
        begun = time.monotonic()
        require("Undo scheduled in 3 s" in world.ask("configure timeout 3"), "no timeout")
        med(2)
        require(re.search(r"unconfirmed, undo in \d\.\d{3} s", world.ask("configure status")), world.ask("configure status"))
        world.wait_log("Config timeout expired, starting undo")
        require(time.monotonic() - begun > 2.5, "too early")
        med(1)
        require("unconfirmed" not in world.ask("configure status"), world.ask("configure status"))
        world.ask("configure timeout 2")
        require(world.ask("configure confirm") == "Reconfiguration confirmed", "not confirmed")
        med(2)
        quiet(3, lambda: out.routes[P].med != 2, "undone although it was confirmed")
        require("Undo requested" in world.ask("configure undo"), "no way back")
        med(1)
        require(world.ask("configure undo").endswith("Nothing to do"), "twice back")
        require(out.alive and feed.alive, "a session was lost")

"""Options of channels."""

import re

from harness.lab import wait_for
from harness.runner import require, test
from world import DUT_AS, P, Q, World

ROUTES = [f"198.18.{n}.0/24" for n in range(1, 6)]


@test(timeout=40)
def tables():
    with World() as world:
        world.add("ipv4 table red; ipv6 table red6; ipv4 table blue { sorted on; };")
        red = world.peer("red", channel="table red; import all; export all;")
        blue = world.peer("blue", channel="table blue; import all; export all;")
        feed = world.feeder(channel="table red; import all; export all;")
        world.start()
        feed.feed(P)
        blue.feed(Q)
        red.wait_route(P)
        wait_for(lambda: world.dut.control.count("table blue") == 1, 5, "the table blue is empty")
        require(world.dut.control.count("table red") == 1, world.ask("show route table all"))
        require(P not in blue.table and Q not in red.table, "tables are not apart")
        require("Table red:" in world.ask("show route table red"), world.ask("show route table red"))


@test(timeout=40)
def policies():
    with World() as world:
        world.add("filter odd { if net ~ [198.18.1.0/24, 198.18.3.0/24] then accept; reject; }")
        wants = {
            "everything": ("export all;", 5), "nothing": ("export none;", 0),
            "named": ("export filter odd;", 2), "nameless": ("export filter { if net = 198.18.2.0/24 then accept; reject; };", 1),
            "where": ("export where net != 198.18.2.0/24;", 4),
        }
        speakers = {name: world.peer(name, channel="import none; " + text) for name, (text, _) in wants.items()}
        feeds = {
            "odd": (world.feeder("odd", channel="import filter odd; export none;"), 2),
            "some": (world.feeder("some", channel="import where net ~ [198.18.0.0/22+]; export none;"), 3),
            "none": (world.feeder("none", channel="import none; export none;"), 0),
            "full": (world.feeder("full", channel="import all; export none;"), 5),
        }
        world.start()
        for feed, _ in feeds.values():
            feed.feed(*ROUTES)
        for name, (_, count) in wants.items():
            speakers[name].wait_routes(count, 10)
        for name, (_, count) in feeds.items():
            wait_for(lambda: world.dut.control.count(f"protocol x_{name}") == count, 5, f"{name}: {count} should pass")
        require("Input filter:   odd" in world.show("odd"), world.show("odd"))


@test(timeout=40)
def keep_filtered():
    with World() as world:
        odd = "import where net = 198.18.1.0/24; export none;"
        keeps = world.feeder("keeps", channel=odd + " import keep filtered;")
        table = world.feeder("table", channel=odd + " import table;")
        drops = world.feeder("drops", channel=odd)
        world.start()
        for feed in (keeps, table, drops):
            feed.feed(*ROUTES)
        for name, count in (("keeps", 4), ("table", 4), ("drops", 0)):
            wait_for(lambda: world.dut.control.count(f"protocol x_{name}") == 1, 5, "nothing arrives")
            found = world.dut.control.count(f"filtered protocol x_{name}")
            require(found == count, f"{name}: {found} filtered routes are shown, should be {count}")
        require(re.search(r"1 imported, 4 filtered", world.show("keeps")), world.show("keeps"))


@test(timeout=40)
def limits_off_and_without_action():
    with World() as world:
        plain = world.feeder("plain", channel="import all; export none; import limit 3;")
        off = world.feeder("off", channel="import all; export none; import limit off; receive limit off;")
        world.start()
        for feed in (plain, off):
            feed.feed(*ROUTES)
        wait_for(lambda: world.dut.control.count("protocol x_off") == 5, 5, "a limit that is off counts")
        said = plain.wait_notification()
        require(said and said[0] == 6, f"a limit without an action: {said}")
        wait_for(lambda: world.state("plain")[0] == "down", 5, world.ask("show protocols"))


@test(timeout=40)
def gateways():
    with World() as world:
        own = "import all; export none; "
        direct = world.feeder("direct", channel=own + "gateway direct;")
        recursive = world.feeder("recursive", channel=own + "gateway recursive;")
        other = world.feeder("other", channel=own + "gateway recursive; igp table igp4;")
        world.parts.insert(0, "ipv4 table igp4;")
        via = world.links["in"][0].remote
        world.add(f"protocol static s {{ ipv4; route 192.0.2.0/24 via {via}; }}"
                  f"protocol static igp {{ ipv4 {{ table igp4; }}; route 203.0.113.0/24 via {via}; }}")
        world.start()
        for index, feed in enumerate((direct, recursive, other)):
            feed.feed(f"198.18.{index}.0/24", next_hop="192.0.2.1")
            feed.feed(f"198.19.{index}.0/24", next_hop="203.0.113.1")
            feed.feed(f"198.18.10{index}.0/24")
        reach = lambda prefix: [(e["dest"], e["via"]) for p, e in world.shown(prefix)]
        for index, (first, second) in enumerate(((False, False), (True, False), (False, True))):
            wait_for(lambda: reach(f"198.18.10{index}.0/24"), 5, "no route")
            for prefix, good in ((f"198.18.{index}.0/24", first), (f"198.19.{index}.0/24", second)):
                wait_for(lambda: any(dest == "unicast" for dest, _ in reach(prefix)) == good, 5,
                         lambda: f"{prefix}: {reach(prefix)}, should {'' if good else 'not '}be reachable")


@test(timeout=40)
def templates():
    with World() as world:
        world.add(f"template bgp base {{ local as {DUT_AS}; hold time 33; description \"from above\"; rs client;"
                  " ipv4 { import all; export none; }; }"
                  "template bgp heir from base { hold time 44; }")
        address = world.there.local.rpartition(".")[0] + ".10"
        one = world.peer("unused", options="disabled;")
        world.add(f"protocol bgp child from heir {{ neighbor {address} as {one.asn}; passive; ipv4 {{ export all; }}; }}")
        world.parts = [part for part in world.parts if "x_unused" not in part]
        feed = world.feeder()
        world.start()
        feed.feed()
        require(one.wait_route().as_path == str(feed.asn), "rs client is not inherited")
        require(int.from_bytes(one.peer_open[3:5], "big") == 44, "hold time of the nearer template")
        require("from above" in world.ask("show protocols all child"), world.ask("show protocols all child"))

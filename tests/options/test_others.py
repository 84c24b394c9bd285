"""Static, pipe and device."""

import re

from harness.lab import wait_for
from harness.runner import require, test
from world import DUT_AS, P, Q, Sniffer, World


@test(timeout=40)
def static_destinations():
    with World() as world:
        link, device = world.links["in"][0], world.links["in"][0].device
        watch = world.peer("watch")
        world.add(f"""protocol static s {{ ipv4;
            route 198.18.1.0/24 via {link.remote};
            route 198.18.2.0/24 via "{device}";
            route 198.18.3.0/24 via {link.remote} weight 3 via {world.here.remote} weight 2;
            route 198.18.4.0/24 blackhole;
            route 198.18.5.0/24 unreachable;
            route 198.18.6.0/24 prohibit;
            route 198.18.7.0/24 recursive 198.18.1.77;
            route 198.18.8.0/24 via 203.0.113.9;
            route 198.18.9.0/24 via 203.0.113.9%{device} onlink;
            route 198.18.10.0/24 via {link.remote} {{ bgp_community.add((65001, 3)); bgp_med = 12; preference = 150; }};
            route 198.18.11.0/24 reject; route 198.18.12.0/24 drop;
        }}""")
        world.start()
        shown = lambda n: {p: e for p, e in world.shown("protocol s")}.get(f"198.18.{n}.0/24")
        wait_for(lambda: shown(7) and shown(7)["dest"] == "unicast", 5, "the recursive route is not resolved")
        dests = {4: "blackhole", 5: "unreachable", 6: "prohibited", 11: "unreachable", 12: "blackhole"}
        for n, dest in dests.items():
            require(shown(n)["dest"] == dest, f"{n}: {shown(n)}")
        require(shown(1)["via"] == [f"via {link.remote} on {device}"], shown(1))
        require(shown(2)["via"] == [f"dev {device}"], shown(2))
        require(len(shown(3)["via"]) == 2 and "weight 3" in " ".join(shown(3)["via"]), shown(3))
        require(link.remote in shown(7)["via"][0], shown(7))
        require(shown(8) is None, "a route over a gateway on no network is there")
        require("onlink" in shown(9)["via"][0], shown(9))
        told = watch.wait_route("198.18.10.0/24")
        require(told.communities == ("65001:3",) and told.as_path == str(DUT_AS), f"{told}")
        require("(150" in world.ask("show route 198.18.10.0/24"), world.ask("show route 198.18.10.0/24"))
        require("203.0.113.9" in world.ask("show static s"), world.ask("show static s"))


@test(timeout=40)
def static_options():
    with World() as world:
        link = world.links["in"][0]
        world.add("ipv4 table igp4; ipv4 table t_other;")
        world.add(f"protocol static s_igp {{ ipv4 {{ table igp4; }}; route 203.0.113.0/24 via {link.remote}; }}"
                  "protocol static s_deep { igp table igp4; ipv4; route 198.18.1.0/24 recursive 203.0.113.1; }"
                  "protocol static shallow { ipv4; route 198.18.2.0/24 recursive 203.0.113.1; }"
                  f"protocol static checked {{ check link; ipv4; route 198.18.3.0/24 via {link.remote}; }}"
                  f"protocol static patient {{ check link off; ipv4; route 198.18.4.0/24 via {link.remote}; }}"
                  "protocol static s_kept { disabled; ipv4 { preference 7; table t_other; }; route 198.18.5.0/24 blackhole; }"
                  "protocol static six { ipv6 { import where net.len = 48; }; route 2001:db8::/48 blackhole; route 2001:db8::/32 blackhole; }")
        world.start()
        dest = lambda prefix: next((e["dest"] for p, e in world.shown(prefix)), None)
        wait_for(lambda: dest("198.18.1.0/24") == "unicast", 5, "no route through the IGP table")
        require(dest("198.18.2.0/24") == "unreachable", world.ask("show route"))
        require(dest("198.18.3.0/24") == "unicast", world.ask("show route"))
        require(world.dut.control.count("table master6") == 1, world.ask("show route table master6"))
        world.lab.ip("in", f"link set {world.links['in'][1].device} down")
        wait_for(lambda: dest("198.18.3.0/24") is None, 5, "a route outlives its link")
        require(dest("198.18.4.0/24") == "unicast", "a route falls with a link that it should not look at")
        world.ask("enable s_kept")
        wait_for(lambda: "(7" in world.ask("show route table t_other"), 5, world.ask("show route table t_other"))


@test(timeout=40)
def pipes():
    with World() as world:
        world.add("ipv4 table red; ipv4 table blue;")
        world.add("""protocol pipe p { table master4; peer table red; description "to red";
            import where net ~ [198.18.16.0/20+];
            export filter { if net !~ [198.18.0.0/20+] then reject; bgp_community.add((65001, 9)); accept; }; }""")
        feed = world.feeder()
        red = world.peer("red", channel="table red; import all; export all;")
        watch = world.peer("watch")
        world.start()
        feed.feed(P, "198.18.20.0/24")
        told = red.wait_route(P)
        require(told.communities == ("65001:9",), f"{told}")
        require("198.18.20.0/24" not in red.table, "an export filter lets everything through")
        red.feed("198.18.17.0/24", "198.18.3.0/24")
        watch.wait_route("198.18.17.0/24")
        require("198.18.3.0/24" not in watch.table, "an import filter lets everything through")
        require("to red" in world.ask("show protocols all p"), world.ask("show protocols all p"))
        world.ask("disable p")
        wait_for(lambda: P not in red.table and "198.18.17.0/24" not in watch.table, 5, "a pipe that is off leaves routes")
        feed.withdraw([P])


@test(timeout=40)
def pipe_generations():
    with World() as world:
        world.add(" ".join(f"ipv4 table t{n};" for n in range(1, 5)))
        for n in range(4):
            left = f"t{n}" if n else "master4"
            world.add(f"protocol pipe p{n} {{ table {left}; peer table t{n + 1}; max generation 2; }}")
        world.add("protocol static s { ipv4; route 198.18.1.0/24 blackhole; }")
        world.start()
        count = lambda n: world.dut.control.count(f"table t{n}")
        wait_for(lambda: count(2) == 1, 5, world.ask("show route table all"))
        require((count(1), count(3), count(4)) == (1, 0, 0), world.ask("show route table all"))


@test(timeout=40)
def device_options():
    with World() as world:
        device = world.here.device
        second = world.here.local.rpartition(".")[0] + ".201"
        # Another network on the link, so that the address is not a secondary one.
        world.lab.ip("dut", f"addr add {second}/32 dev {device}", f"addr add 10.99.0.1/24 dev {device}")
        world.dut.write = lambda text, _=None: world.dut.config.write_text(
            "log stderr all; router id 10.77.0.1;\n"
            f"protocol device {{ scan time 1; interface \"{device}\" {{ preferred 10.99.0.1; }}; debug {{ interfaces }}; }}\n{text}")
        world.start()
        text = world.ask("show interfaces summary")
        require(re.search(rf"^{device} +up +10\.99\.0\.1/24", text, re.M), text)
        world.lab.ip("dut", "link add d7 type veth peer name d8", "link set d7 up")
        world.wait_log("<TRACE> .*d7")

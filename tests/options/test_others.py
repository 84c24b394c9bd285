"""Static, pipe and device."""

import json
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
        static = world.ask("show static s")
        require("203.0.113.9" in static, static)
        require(f"via {link.remote} weight 3\n" in static and f"via {world.here.remote} weight 2\n" in static, static)
        require(static.count("weight") == 2, static)


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


FIVE = " ".join(f"route 198.18.{n}.0/24 blackhole;" for n in range(1, 6))


def limited(limit, own=""):
    """A static protocol with five routes under a limit, and a pipe of them under none."""
    return (f"ipv4 table t; protocol static five {{ {own} ipv4 {{ {limit} }}; {FIVE} }}"
            "protocol static more { ipv4 { table t; }; route 198.19.1.0/24 blackhole; route 198.19.2.0/24 blackhole; }"
            "protocol pipe p { table master4; peer table t; import none; export where proto = \"five\"; %s }")


@test(timeout=60)
def static_and_pipe_limits():
    with World() as world:
        hits = lambda what: world.dut.log.read_text().count(what)
        count = lambda table: world.dut.control.count(f"table {table} protocol five")
        # A limit of the static protocol, one of the pipe, what is in the two tables, and what was hit.
        steps = [
            ("import limit 4 action block;", "export limit 3 action block;", 4, 3),
            ("import limit 9 action block;", "export limit 3 action block;", 5, 3),
            ("import limit 9 action block;", "export limit 4 action block;", 5, 4),
            ("receive limit 9;", "export limit 4 action warn;", 5, 5),
            ("receive limit 3 action warn;", "import limit 1;", 5, 5),
            ("", "export limit 2 action warn;", 5, 5),
        ]
        begun = False
        for static, pipe, first, second in steps:
            world.parts = [limited(static) % pipe]
            if begun:
                world.dut.configure(world.text())
            else:
                world.start()
                begun = True
            wait_for(lambda: (count("master4"), count("t")) == (first, second), 5,
                     lambda: f"{static} {pipe}: {count('master4'), count('t')}, should be {first, second}")
            for name, limit in (("five", static), ("p", pipe)):
                if limit:
                    words = limit.strip(";").split()
                    line = re.search(rf"{words[0].title()} limit: +(.*)\n.* Action: +(\w+)", world.ask(f"show protocols all {name}"))
                    require(line and line[1].split()[0] == words[2], world.ask(f"show protocols all {name}"))
                    require(line[2] == (words + ["disable"])[4 if len(words) > 3 else -1], line[0])
        require(hits("Restarting protocol") == 0, "a changed limit restarts its protocol")
        for line in ("five: Channel ipv4 hits route import limit (4), action: block",
                     "five: Channel ipv4 hits route receive limit (3), action: warn",
                     "p: Channel main hits route export limit (3), action: block",
                     "p: Channel main hits route export limit (2), action: warn"):
            wait_for(lambda: hits(line) == 1, 5, lambda: f"once in the log, not {hits(line)} times: {line}")
        world.parts = [limited("") % "export limit 1 action disable;"]
        world.dut.configure(world.text())
        wait_for(lambda: world.dut.control.protocol("p")[0] == "down" and count("t") == 0, 5, world.ask("show protocols all"))


@test(timeout=60)
def restart_times():
    with World() as world:
        hits = lambda: world.dut.log.read_text().count("hits route import limit (2), action: restart")
        world.add(limited("import limit 2 action restart;", "restart time 20 s;") % "")
        world.start()
        wait_for(lambda: world.dut.control.protocol("five")[0] == "down", 5, world.ask("show protocols"))
        wait_for(lambda: hits() == 2, 5, lambda: f"restarted {hits() - 1} times, then disabled")
        world.parts = [limited("import limit 2 action restart;", "restart time 1 us;") % ""]
        world.dut.configure(world.text())
        wait_for(lambda: hits() > 6, 10, lambda: f"{hits()} restarts")


@test(timeout=40)
def pipe_figures():
    with World() as world:
        world.add("ipv4 table t; protocol pipe p { table master4; peer table t; export where net != 198.18.2.0/24; }")
        feed = world.feeder()
        world.start()
        feed.feed(P, Q, "198.18.3.0/24")
        rows = lambda: {line.split(":")[0].strip(): line.split()[2:] for line in world.ask("show protocols all p").splitlines()
                        if "updates:" in line or "withdraws:" in line}
        shows = lambda **wanted: wait_for(lambda: all(rows().get(name.replace("_", " ")) == row.split() for name, row in wanted.items()),
                                          5, lambda: f"{rows()}, should be {wanted}")
        shows(Export_updates="3 0 1 0 2", Import_updates="2 2 0 0 0", Export_withdraws="0 0 --- 0 0")
        feed.feed(P, med=7)
        shows(Export_updates="4 0 1 0 3", Import_updates="3 3 0 0 0")
        feed.withdraw([P, Q])
        shows(Export_withdraws="2 0 --- 1 1", Import_withdraws="1 1 --- 0 0")
        require("0 imported, 1 exported" in world.ask("show protocols all p"), world.ask("show protocols all p"))
        feed.close()
        shows(Export_withdraws="3 0 --- 1 2", Export_updates="4 0 1 0 3")


@test(timeout=60)
def the_runtime_shows_itself():
    """Every listing of the runtime, in words and as JSON, with a session that has something in each."""
    with World() as world:
        feed = world.feeder()
        world.start()
        feed.feed(P, Q)
        listed = lambda what: json.loads(world.ask(f"show {what} json"))[what.split()[0]]
        session = lambda what: [row for row in listed(what) if row["name"] == "x_feeder"]
        require(session("loops")[0]["handlers"] > 3, listed("loops"))
        require(session("loops")[0]["sockets"] >= 1, listed("loops"))
        hold = [row for row in session("timers") if row["class"] == "liveness" and row["expires_in_ns"]]
        require(hold and hold[0]["expires_in_ns"] < 300e9, session("timers"))
        peers = [row["remote"] for row in session("sockets")]
        require(any(":" in peer for peer in peers if peer), session("sockets"))
        flow = session("flow")
        require(flow and all(row["used"] <= row["limit"] for row in flow), listed("flow"))
        require({row["credit"] for row in flow} == {"routes to the tables", "ipv4 to the neighbour"}, flow)
        require(any(row["unit"] == "networks" and row["limit"] is None for row in listed("flow")), listed("flow"))
        # A session may find all that it was sent in one look at its socket.
        read = [row for row in listed("events") if row["handler"] == "ready"]
        require(read and all(row["run_p50_ns"] <= row["run_p999_ns"] <= row["run_max_ns"] for row in read), read)
        require(any(row["longest"]["name"] == "x_feeder" for row in read), read)
        own = session("loops all")[0]["timings"]
        require(own["count"] > 3 and own["run_p50_ns"] <= own["run_max_ns"] == own["longest_run"]["span_ns"], own)
        require(own["longest_run"]["name"] == "x_feeder" and own["wait_count"] > 0, own)
        for worker in listed("threads all"):
            by_class = {row["class"]: row for row in worker["timings"]}
            whole = by_class.pop("all")
            for part in ("count", "run_ns", "wait_count", "late_count"):
                require(whole[part] == sum(row[part] for row in by_class.values()), worker)
            require(whole["run_max_ns"] == max([row["run_max_ns"] for row in by_class.values()], default=None), worker)
        for what in ("queues", "jobs", "clients", "threads"):
            require(isinstance(listed(what), list), world.ask(f"show {what}"))
        for what in ("loops", "loops all", "events", "events all", "timers", "queues", "jobs", "sockets", "flow", "clients", "threads all"):
            lines = world.ask(f"show {what}").splitlines()
            require(len(lines) >= (1 if what in ("queues", "jobs", "clients") else 2), lines)
        require("x_feeder" in world.ask("show loops x_feeder"), world.ask("show loops"))
        require(len(listed('loops "x_*"')) == 1, listed('loops "x_*"'))
        before = session("loops")[0]["handlers"]
        world.ask("clear statistics")
        wait_for(lambda: session("loops")[0]["handlers"] < before, 5, "nothing is cleared")
        require(world.up("feeder"), "the session went down")


@test(timeout=40)
def watchdog_and_latency():
    """Limits so low that every handler is reported: once in ten seconds, counted always, in each class.
    The keepalives of a short hold time are of the liveness class, commands are bulk."""
    with World() as world:
        feed = world.feeder(options="hold time 3;", hold=3)
        world.start(extra="watchdog warning 1 us; watchdog timeout off; debug latency limit 1 us; debug latency all;")
        feed.feed(P, Q)
        world.wait_log(r" of \S+ \((liveness|control|routing|bulk), asked at [^)]+:\d+\).* took \d+\.\d ms")
        world.wait_log(r" of \S+ \((liveness|control|routing|bulk)[^)]*\) ran \d+\.\d ms late: ")
        threads = lambda: json.loads(world.ask("show threads json"))["threads"]
        counted = lambda key: [sum(counts) for counts in zip(*(row[f"{key}_by_class"] for row in threads()))]
        # What is bulk waits for what is not.
        busy = lambda: (world.ask("reload all"), world.ask("show route all"), world.ask("reload all"))
        wait_for(lambda: busy() and min(counted("overruns")) > 0 and min(counted("lates")) > 0, 10, threads)
        require(sum(counted("lates")) <= sum(row["lates"] for row in threads()), threads())
        require(world.up("feeder"), "the session went down")

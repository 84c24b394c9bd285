"""Why filters decide as they do, told by the running daemon."""

import json
import pathlib
import re

from harness.lab import wait_for
from harness.runner import require, test
from world import P, Q, World

MANUAL = pathlib.Path(__file__).resolve().parents[2] / "doc" / "manual" / "filters.md"


def example(heading):
    """A section of the manual: its configuration, and its commands with their answers."""
    section = MANUAL.read_text().split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
    config = re.search(r"^```bird\n(.*?)^```$", section, re.M | re.S)
    answers = "".join(re.findall(r"^```\n(\$ .*?)^```$", section, re.M | re.S))
    asked = re.findall(r"^\$ dunlinc (.*)\n((?:(?!\$ ).*\n)*)", answers, re.M)
    require(asked, f"no commands below {heading!r}")
    return config and config[1], asked


@test(timeout=40)
def explain_as_in_the_manual():
    config, asked = example("Why a filter decided as it did")
    _, counted = example("How often lines of filters ran")
    with World() as world:
        path = world.lab.dir / "example.conf"
        path.write_text(config)
        world.start(extra=f'include "{path}";')
        wait_for(lambda: world.dut.control.count("protocol originated") == 1, 5, "no routes")
        for command, answer in asked + counted:
            wait_for(lambda: aligned(world.ask(command)) == aligned(answer), 5,
                     lambda: f"{command} says\n{world.ask(command)}")


def aligned(text):
    """The text without what only lines it up, with the file's name only."""
    text = re.sub(r"[^ \t\n]*/example.conf", "example.conf", text)
    return [line for line in (" ".join(line.split()) for line in text.splitlines()) if line]


@test(timeout=40)
def explain_what_neighbours_sent_and_get():
    with World() as world:
        world.add("filter to_out { if bgp_med > 5 then reject; bgp_med = 3; accept; }")
        feed = world.feeder(channel="import where bgp_path.len < 3; export all;")
        world.peer("watch", channel="import none; export filter to_out;")
        world.start()
        feed.feed(P, med=9)
        feed.feed(Q, as_path=f"{feed.asn} 64500 64501", med=1)
        wait_for(lambda: world.dut.control.count("protocol x_feeder") == 1, 5, "nothing arrives")

        # What is rejected is there, though nothing is said of keeping it.
        wait_for(lambda: "rejected by the filter" in world.ask(f"show route {Q} explain"), 5,
                 lambda: world.ask(f"show route {Q} explain"))
        said = world.ask(f"show route {Q} explain import x_feeder")
        require(re.search(rf"^{Q} from x_feeder: rejected by the filter at .*dut.conf:\d+:\d+$", said, re.M), said)
        path = f"(path {feed.asn} 64500 64501)"
        require(f"bgp_path.len < 3 is FALSE (bgp_path = {path}, bgp_path.len = 3)" in said, said)
        said = world.ask(f"show route {P} explain import x_feeder.ipv4")
        require("bgp_path.len < 3 is TRUE" in said and "accepted by the filter" in said, said)

        # Out to others, and back where it came from.
        said = world.ask(f"show route {P} explain export x_watch")
        require(f"{P} from x_feeder to x_watch: rejected by filter to_out at " in said, said)
        require("bgp_med > 5 is TRUE (bgp_med = 9)" in said, said)
        said = world.ask(f"show route {P} explain export x_feeder")
        require("refused before the filter, it came from there" in said, said)
        feed.feed(P, med=9, communities=("65535:65281",))
        wait_for(lambda: "a well-known community" in world.ask(f"show route {P} explain export x_watch"), 5,
                 lambda: world.ask(f"show route {P} explain export x_watch"))
        said = json.loads(world.ask(f"show route {P} explain export x_watch json"))
        require([d["verdict"] for d in said["decisions"]] == ["refused"], said)
        feed.feed(P, med=4)
        wait_for(lambda: "accepted with changes" in world.ask(f"show route {P} explain export x_watch"), 5,
                 lambda: world.ask(f"show route {P} explain export x_watch"))
        told = json.loads(world.ask(f"show route {P} explain export x_watch json"))["decisions"][0]
        steps = [(step["what"], step["text"], step["value"]) for step in told["steps"]]
        require(steps == [("condition", "bgp_med > 5", "FALSE"), ("set", "bgp_med", "3"), ("accept", "accept", None)], told)
        require((told["from"], told["to"], told["filter"], told["changed"]) == ("x_feeder", "x_watch", "to_out", True), told)

        # What is not there.
        code, said = world.dut.control.lines("show route 198.18.9.0/24 explain import x_feeder")[-1]
        require(code == 8001 and said.startswith("No such route of x_feeder is kept"), said)


@test(timeout=40)
def explain_after_changes():
    channel = "import where bgp_med < {}; export none;"
    with World() as world:
        feed = world.feeder(channel=channel.format(5))
        world.start()
        feed.feed(P, med=7)
        ask = lambda: world.ask(f"show route {P} explain")
        wait_for(lambda: "rejected by the filter" in ask(), 5, ask)
        # A soft change leaves the route as it is, which the answer says.
        text = world.text().replace("bgp_med < 5", "bgp_med < 9")
        world.dut.write(text)
        world.ask("configure soft")
        wait_for(lambda: "bgp_med < 9 is TRUE" in ask(), 5, ask)
        require("accepted by the filter" in ask() and "Note: the table has it as rejected" in ask(), ask())
        world.ask("reload in x_feeder")
        wait_for(lambda: "Note" not in ask(), 5, ask)
        # Lines that move take their places along, though the filter stays as it is.
        before = re.search(r"dut.conf:(\d+)", ask())[1]
        world.dut.configure(f"# One\n# two.\n{text}")
        wait_for(lambda: f"dut.conf:{int(before) + 2}:" in ask(), 5, ask)


@test(timeout=40)
def explain_pipes():
    with World() as world:
        world.add("""ipv4 table t_other;
            protocol static s_here { ipv4; route 198.18.1.0/24 blackhole; }
            protocol static s_there { ipv4 { table t_other; }; route 198.18.2.0/24 blackhole; }
            protocol pipe p { table master4; peer table t_other;
                export where net.len < 20; import filter { preference = 7; accept; }; }""")
        world.start()
        wait_for(lambda: world.dut.control.count("table master4") == 2, 5, "no routes")
        said = world.ask("show route 198.18.1.0/24 explain export p")
        require("198.18.1.0/24 from s_here to p: rejected by the filter" in said and "net.len < 20 is FALSE" in said, said)
        said = world.ask("show route 198.18.2.0/24 explain import p")
        require("Table t_other:" in said and "accepted with changes by the filter" in said, said)
        require("preference = 7" in said, said)
        said = world.ask("show route 198.18.2.0/24 explain")
        require("198.18.2.0/24 from s_there: came into this table through a pipe" in said, said)
        # What a pipe has brought doesn't go back through it, whatever the filter says of it.
        said = world.ask("show route 198.18.2.0/24 explain export p")
        require("198.18.2.0/24 from s_there to p: refused before the filter, it came from there" in said, said)
        for kind in ("export", "noexport"):
            require("198.18.2.0/24" not in world.ask(f"show route table master4 {kind} p"), f"{kind} shows it")


@test(timeout=40)
def filter_counters():
    with World() as world:
        world.add("""function is_long() -> bool { return bgp_path.len > 2; }
            filter to_out { if is_long() then reject; if bgp_med / (bgp_med - 1) = 0 then reject; accept; }""")
        feed = world.feeder(channel="import where net ~ [198.18.0.0/16+]; export all;")
        world.peer("watch", channel="import none; export filter to_out;")
        world.start()
        code, said = world.dut.control.lines("show filter counters")[-1]
        require((code, said) == (8005, "Nothing is counted: filter counters on begins"), said)
        require(world.ask("filter counters on").strip() == "Counting from now on", "no counting")
        listed = lambda what="": json.loads(world.ask(f"show filter {what} counters json"))["filters"]
        require(all(row["runs"] == 0 for row in listed()), listed())
        feed.feed(P, med=9)
        feed.feed(Q, as_path=f"{feed.asn} 64500 64501")
        feed.feed("198.18.3.0/24", med=1)
        feed.feed("203.0.113.0/24")
        runs = lambda: {row["name"]: [row[key] for key in ("runs", "accepted", "rejected", "failed")] for row in listed()}
        # Exports are looked at again when a next hop is found.
        wait_for(lambda: runs()["x_feeder.ipv4 import"] == [4, 3, 1, 0] and all(runs()["to_out"]), 5, runs)
        total, accepted, rejected, failed = runs()["to_out"]
        require(total >= 3 and total == accepted + rejected + failed, runs())
        require(runs()["is_long"] == [total, None, None, None], runs())
        filter, function = listed("to_out")
        require((filter["kind"], function["kind"]) == ("filter", "function"), f"{filter} {function}")
        lines = [[row[key] for key in ("runs", "accepted", "rejected", "failed")] for row in filter["lines"]]
        require(lines == [[total, accepted, rejected, failed]], filter)
        require(filter["lines"][0]["text"].startswith("filter to_out { if is_long() then reject;"), filter)
        require(listed("x_feeder import")[0]["runs"] == 4, listed("x_feeder import"))
        # Moved lines keep their counts; another filter begins with none.
        text = world.text()
        world.dut.configure(f"# One.\n{text}")
        require(runs()["to_out"] == [total, accepted, rejected, failed], runs())
        world.dut.configure(text.replace("bgp_path.len > 2", "bgp_path.len > 7"))
        wait_for(lambda: runs()["to_out"][0] and runs()["is_long"][0] == runs()["to_out"][0], 5, runs)
        require(runs()["to_out"][2] == 0, runs())
        require(world.ask("filter counters off").strip() == "Counters dropped", "still counting")
        require(world.dut.control.lines("show filter counters")[-1][0] == 8005, "still counting")

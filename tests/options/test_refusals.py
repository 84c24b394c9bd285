"""What is not built is refused by name, with its place; what has no effect is said to have none."""

import subprocess

from harness.dut import Dut, binary
from harness.lab import Lab, wait_for
from harness.runner import require, test

BGP = "protocol bgp b {{ local as 65001; neighbor 192.0.2.2 as 65002; ipv4 {{ import all; export all; {channel} }}; {own} }}"

# What is written, and what the message names.
REFUSED = {
    "top": ["protocol device { }", "protocol ospf { }", "protocol rip { }", "protocol babel { }", "protocol bfd { }", "protocol rpki { }",
            "protocol bmp { }", "protocol mrt { }", "protocol radv { }", "protocol l3vpn { }", "protocol perf { }",
            "protocol aggregator { }", "roa4 table r;", "flow4 table f;", "vpn4 table v;", "eth table e;",
            "ipv6 sadr table s;", "mrtdump \"x\";", "graceful restart wait 1;",
            "thread group x { };", "mpls domain d;", "log udp 192.0.2.1 all;", "log fixed \"x\" 1000 all;",
            "debug show route all;"],
    "own": ["bfd on;", "bfd graceful;", "confederation 7;", "graceful restart on;", "long lived graceful restart on;",
            "vrf \"x\";", "mrtdump all;", "interface range \"v*\";", "deterministic med on;", "advertise ipv4 on;",
            "flow4 { import all; };", "vpn4 mpls { import all; };", "mpls { };", "disable rx on;",
            "authentication ao;"],
    "channel": ["add paths on;", "add paths rx;", "extended next hop on;", "aigp on;", "cost 5;", "secondary on;",
                "graceful restart on;", "long lived graceful restart on;", "validate on;", "base table master4;",
                "require add paths on;", "require extended next hop on;", "export in 10.0.0.0/8 all;"],
    "static": ["route 192.0.2.0/24 via 192.0.2.1 bfd;", "route 192.0.2.0/24 via 192.0.2.1 mpls 7;", "mpls { };"],
    "pipe": ["import in 10.0.0.0/8 all;", "receive limit 5;", "import keep filtered;", "preference 5;"],
}
SAID = {
    "top": ["debug tables all", "debug channels { states }", "debug protocols { routes }"],
    "own": ["enable enhanced route refresh;", "tx size warning 9;", "graceful restart aware;"],
    "channel": ["export table on;", "debug all;"],
}
# Options that have nothing to change here: what is written behind the option's words, and a word of the reason.
IDLE = {
    "top": {"filter stacks": ("128 128;", "stacks")},
    "table": {
        "sorted": (";", "order"), "trie": (";", "without a trie"), "gc threshold": ("5;", "nothing to collect"),
        "gc period": ("60 s;", "nothing to collect"), "cork threshold": ("1 2;", "each session"),
        "export settle time": ("1 s 2 s;", "none waits"), "route refresh export settle time": ("1 s 2 s;", "none waits"),
        "min settle time": ("1 s;", "none waits"), "max settle time": ("1 s;", "none waits"),
        "digest settle time": ("1 s 2 s;", "no ROA"),
    },
    "table_word": {"sorted": (";", "order")},
    "own": {"setkey": ("off;", "own socket")},
    "channel": {"rpki reload": ("on;", "ROA"), "export settle time": ("1 s 2 s;", "none waits"),
                "missing lladdr": ("self;", "link-local")},
    "static_channel": {"export": ("all;", "static takes no routes"), "export limit": ("9;", "static takes no routes")},
    "static_hop": {"onlink": (";", "interface itself")},
}
FRAMES = {
    "top": lambda text: text,
    "own": lambda text: BGP.format(channel="", own=text),
    "channel": lambda text: BGP.format(channel=text, own=""),
    "static": lambda text: f"protocol static {{ ipv4; {text} }}",
    "static_channel": lambda text: f"protocol static {{ ipv4 {{ {text} }}; }}",
    "static_hop": lambda text: f"protocol static {{ ipv4; route 192.0.2.0/24 via \"lo\" {text} }}",
    "table_word": lambda text: f"ipv4 table t {text}",
    "table": lambda text: f"ipv4 table t {{ {text} }};",
    "pipe": lambda text: f"ipv4 table t; protocol pipe p {{ table master4; peer table t; {text} }}",
}


def check(lab, frame, text):
    """Exit status and output of `-p` for a configuration with this in its second line."""
    path = lab.dir / "x.conf"
    path.write_text(f"router id 192.0.2.1; protocol device {{ }}\n{FRAMES[frame](text)}\n")
    done = subprocess.run([binary(), "-p", "-c", str(path)], capture_output=True, text=True, timeout=10)
    return done.returncode, done.stdout + done.stderr


@test(timeout=60)
def refused_by_name():
    with Lab() as lab:
        wrong = []
        for frame, texts in REFUSED.items():
            for text in texts:
                status, said = check(lab, frame, text)
                lines = said.strip().splitlines() or [""]
                if status != 1:
                    wrong.append(f"{text} is accepted")
                elif "x.conf:2:" not in lines[0]:
                    wrong.append(f"{text}: no place in {lines[0]!r}")
                elif not named(text, lines[0]):
                    wrong.append(f"{text}: {lines[0]!r}")
        require(not wrong, "\n      ".join(wrong))
        return f"{sum(map(len, REFUSED.values()))} statements"


def named(text, line):
    """Some word of the statement is in the message, or it says that this is not supported."""
    words = [word.strip(";{}\"") for word in text.split()]
    return "not supported" in line or any(len(word) > 2 and word in line for word in words)


@test(timeout=60)
def without_effect_but_said():
    with Lab() as lab:
        wrong = []
        for frame, texts in SAID.items():
            for text in texts:
                status, said = check(lab, frame, text)
                if status != 0 or "x.conf:2:" not in said:
                    wrong.append(f"{text}: exit status {status}, {said!r}")
        require(not wrong, "\n      ".join(wrong))


@test(timeout=60)
def options_with_nothing_to_change():
    with Lab("dut") as lab:
        wrong = []
        for frame, options in IDLE.items():
            for option, (value, reason) in options.items():
                status, said = check(lab, frame, f"{option} {value}")
                lines = [line for line in said.splitlines() if f": {option}: accepted, has no effect: " in line]
                if status or len(lines) != 1 or "x.conf:2:" not in lines[0] or reason not in lines[0]:
                    wrong.append(f"{option} {value}: exit status {status}, {said!r}")
        require(not wrong, "\n      ".join(wrong))
        # The same at the start and when a configuration is read again.
        dut = Dut(lab)
        dut.write = lambda text, _=None: dut.config.write_text(text)
        text = "log stderr all; router id 192.0.2.1; protocol device { }\n"
        dut.start(text + "ipv4 table t { trie; };\n")
        count = lambda option: dut.log.read_text().count(f"{option}: accepted, has no effect: ")
        # A thread of its own writes the log, so a line may come after the answer that it belongs to.
        wait_for(lambda: count("trie") == 1, 5, "the warning at the start")
        dut.configure(text + "ipv4 table t { gc period 9 s; };\n")
        wait_for(lambda: count("gc period") == 1, 5, "the warning of the new configuration")
        require(count("trie") == 1, dut.log.read_text)


@test(timeout=40)
def not_built_protocols_do_not_start():
    # Read for the sake of checking BIRD's files, refused by name where they would run.
    for kind in ("kernel", "direct"):
        with Lab("dut") as lab:
            section = f"protocol {kind} {{ ipv4; }}"
            status, said = check(lab, "top", section)
            require(status == 0 and kind in said, f"-p of {kind}: exit status {status}, {said!r}")
            path = lab.dir / "x.conf"
            command = [binary(), "-f", "-c", str(path), "-s", str(lab.dir / "x.ctl")]
            done = subprocess.run(command, capture_output=True, text=True, timeout=10)
            require(done.returncode and kind in done.stderr, f"{kind}: exit status {done.returncode}, {done.stderr!r}")
            path.write_text(path.read_text().replace("ipv4;", "disabled; ipv4;"))
            dut = Dut(lab)
            dut.write = lambda text, _=None: dut.config.write_text(path.read_text())
            dut.start("")
            require(dut.control.protocol(f"{kind}1")[0] == "down", dut.control("show protocols"))

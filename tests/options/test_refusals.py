"""What is wrong is refused with its place; with what is not built no daemon starts; what has no effect is said to have none."""

import re
import subprocess

from harness.dut import Dut, binary
from harness.lab import Lab, wait_for
from harness.runner import require, test

BGP = "protocol bgp b {{ local as 65001; neighbor 192.0.2.2 as 65002; ipv4 {{ import all; export all; {channel} }}; {own} }}"

# What is written, and what is said of it.
REFUSED = {
    "top": {
        "protocol device { }": "Kernel device protocol already defined",
        "protocol perf { }": "syntax error, unexpected CF_SYM_UNDEFINED",
        "thread group x { };": "Thread groups have to be written before protocols",
        "mrtdump protocols { packets };": "syntax error, unexpected PACKETS, expecting STATES or MESSAGES",
        "log udp 192.0.2.1 port 0 all;": "Port must be in range 1-65535",
        "roa4 tabel x;": "syntax error, unexpected CF_SYM_UNDEFINED, expecting TABLE",
        "protocol ospf { ipv6; area 0 { }; }": "OSPFv2 cannot have an ipv6 channel",
    },
    "own": {
        "advertise ipv4 on;": "syntax error, unexpected IPV4, expecting HOSTNAME",
        "authentication ao;": "Authentication keys must be set for TCP-AO",
        "interface range \"v*\";": "Interface range requires strict bind",
        "graceful restart time 4096;": "Graceful restart time must be in range 0-4095",
    },
    "channel": {
        "secondary on;": "BGP with secondary option requires sorted table",
        "export block x;": "syntax error, unexpected CF_SYM_UNDEFINED, expecting NUM or CF_SYM_KNOWN or '('",
        "validate on;": "Validate option limited to flowspec channels",
        "base table master4;": "Base table option limited to flowspec channels",
        "add paths maybe;": "syntax error, unexpected CF_SYM_UNDEFINED, expecting NUM or CF_SYM_KNOWN or '('",
    },
    "static": {
        "route 192.0.2.0/24 max 24 as 1;": "Incompatible network type",
        "route 192.0.2.0/24 via 192.0.2.1 mpls 1048576;": "MPLS label must be in range 0-1048575",
    },
    "pipe": {
        "receive limit 5;": "Pipe protocol does not support receive limits",
        "import keep filtered;": "Pipe protocol prohibits keeping filtered routes",
    },
}
# Read, checked, and said to do nothing yet; a daemon starts only without them.
SAID = {
    "top": ["mpls table m;", "flow4 table f;", "vpn4 table v;", "eth table e;", "ipv6 sadr table s;", "mrtdump \"x\";",
            "graceful restart wait 1;", "mpls domain d;", "log udp 192.0.2.1 all;", "log fixed \"x\" 1000 all;",
            "debug show route all;"],
    "own": ["enable enhanced route refresh;", "tx size warning 9;", "graceful restart aware;", "bfd on;", "bfd graceful;",
            "graceful restart on;", "long lived graceful restart on;", "mrtdump all;", "deterministic med on;",
            "ipv6 multicast { import all; export all; };", "disable rx on;"],
    "channel": ["export block 5;", "export table on;", "add paths on;", "add paths rx;", "extended next hop on;", "aigp on;",
                "cost 5;", "graceful restart on;", "long lived graceful restart on;"],
    "static": ["route 192.0.2.0/24 via 192.0.2.1 bfd;"],
}
# Read and checked; a protocol does not start with them in any case, because it would not do what is written.
VITAL = {
    "own": ["vrf \"x\";", "confederation 7;", "interface range \"v*\"; strict bind;",
            "authentication ao; keys { key { id 1; secret \"s\"; }; };"],
    "channel": ["require add paths on;", "require extended next hop on;", "export in 10.0.0.0/8 all;"],
    "static": ["route 192.0.2.0/24 via 192.0.2.1 mpls 7;"],
    "pipe": ["import in 10.0.0.0/8 all;"],
}
# Protocols that are not built, with what a section has to have.
UNBUILT = {
    "kernel": "ipv4;", "direct": "ipv4;", "ospf": "area 0 { interface \"*\"; };", "rip": "interface \"*\";",
    "babel": "ipv4; interface \"*\";", "bfd": "interface \"*\";", "radv": "interface \"*\";",
    "bmp": "station address ip 192.0.2.1 port 9;", "mrt": "table master4; filename \"f\"; period 9;",
    "aggregator": "table master4; peer table t; aggregate on net; merge by { accept; };",
    "rpki": "roa4 { table r; }; remote 192.0.2.1;", "bridge": "eth { table e; }; bridge device \"b\";",
    "evpn": "evpn { table ev; }; eth { table e; }; rd 1:1;",
    "l3vpn": "ipv4; vpn4 { table v; }; mpls { table m; }; rd 1:1; route target (rt, 1, 1);",
}
# Tables that they need; those of other types than IPv4 and IPv6 are not built either.
TABLES = "ipv4 table t;"
MORE_TABLES = "roa4 table r; eth table e; evpn table ev; vpn4 table v; mpls table m;"
WITH_MORE_TABLES = {"rpki", "bridge", "evpn", "l3vpn"}
# Options that have nothing to change here: what is written behind the option's words, and a word of the reason.
IDLE = {
    "top": {"filter stacks": ("128 128;", "stacks")},
    "table": {
        "sorted": (";", "order"), "trie": (";", "without a trie"), "gc threshold": ("5;", "nothing to collect"),
        "gc period": ("60 s;", "nothing to collect"), "cork threshold": ("1 2;", "each session"),
        "export settle time": ("1 s 2 s;", "none waits"), "route refresh export settle time": ("1 s 2 s;", "none waits"),
        "min settle time": ("1 s;", "ROA"), "max settle time": ("1 s;", "ROA"),
        "digest settle time": ("1 s 2 s;", "ROA"),
    },
    "table_word": {"sorted": (";", "order")},
    "own": {"setkey": ("off;", "own socket")},
    "channel": {"export settle time": ("1 s 2 s;", "none waits"),
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
def refused_with_a_place_and_a_reason():
    with Lab() as lab:
        wrong = []
        for frame, texts in REFUSED.items():
            for text, expected in texts.items():
                status, said = check(lab, frame, text)
                # Warnings have a colon behind the column.
                first = next((line for line in said.splitlines() if re.search(r"x\.conf:\d+:\d+ ", line)), said)
                if status != 1 or not re.search(rf"x\.conf:2:\d+ {re.escape(expected)}$", first):
                    wrong.append(f"{text}: exit status {status}, {first!r}")
        require(not wrong, "\n      ".join(wrong))
        return f"{sum(map(len, REFUSED.values()))} statements"


@test(timeout=120)
def what_has_no_effect_yet_is_said_and_does_not_start():
    with Lab() as lab:
        wrong = []
        for frame, texts in SAID.items():
            for text in texts:
                status, said = check(lab, frame, text)
                if status != 0 or not re.search(r"x\.conf:2:\d+: .*: accepted, has no effect yet", said):
                    wrong.append(f"-p of {text}: exit status {status}, {said!r}")
                    continue
                words = re.search(r"x\.conf(:2:\d+): (.*): accepted, has no effect yet", said)
                status, said = started(lab)
                if status != 1 or f"x.conf{words[1]} {words[2]} is not supported yet\n" not in said or "--lenient" not in said:
                    wrong.append(f"{text}: exit status {status}, {said!r}")
        require(not wrong, "\n      ".join(wrong))
        return f"{sum(map(len, SAID.values()))} statements"


@test(timeout=60)
def lenient_daemons_run_without_what_is_not_built():
    with Lab("dut") as lab:
        dut = Dut(lab)
        dut.write = lambda text, _=None: dut.config.write_text(text)
        text = "log stderr all; router id 192.0.2.1; protocol device { }\n"
        rest = f"mrtdump \"x\";\n{FRAMES['own']('bfd on; passive on;')}\nprotocol ospf {{ area 0 {{ interface \"*\"; }}; }}\n"
        rest += f"{FRAMES['static'](VITAL['static'][0])}\n"
        dut.start(text + rest, arguments=["--lenient"])
        log = dut.log.read_text
        for said in [":2:1: mrtdump: accepted, has no effect yet", ": bfd: accepted, has no effect yet",
                     ":4:1: Protocol ospf is not supported yet", ": MPLS on a static route is not supported yet"]:
            wait_for(lambda: said in log(), 5, f"the warning {said}")
        for name, what in [("ospf1", "Protocol ospf is not supported yet"), ("static1", "MPLS on a static route is not supported yet")]:
            said = dut.control.protocol(name)
            require(said[0] == "down" and what.lower() in " ".join(said).lower(), said)
        require(dut.control.protocol("b")[0] != "down", dut.control("show protocols"))


@test(timeout=60)
def running_daemons_do_not_take_what_is_not_built():
    with Lab("dut") as lab:
        dut = Dut(lab)
        dut.write = lambda text, _=None: dut.config.write_text(text)
        text = "log stderr all; router id 192.0.2.1; protocol device { }\n"
        dut.start(text)
        dut.config.write_text(text + "mrtdump \"x\"; protocol static { ipv4; }\n")
        for command in ["configure check", "configure"]:
            said = dict(dut.control.lines(command))
            require(":2:1 mrtdump is not supported yet" in said.get(8002, ""), said)
        require("static1" not in str(dut.control("show protocols")), dut.control("show protocols"))


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


def started(lab):
    """Exit status and messages of a daemon with the configuration of the last check."""
    command = [binary(), "-f", "-c", str(lab.dir / "x.conf"), "-s", str(lab.dir / "x.ctl")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=10)
    return done.returncode, done.stderr


@test(timeout=120)
def not_built_protocols_do_not_start():
    # Read for the sake of checking BIRD's files, refused by name where they would run.
    for kind, body in UNBUILT.items():
        with Lab("dut") as lab:
            more = kind in WITH_MORE_TABLES
            section = f"{TABLES} {MORE_TABLES if more else ''} protocol {kind} {{ {body} }}"
            status, said = check(lab, "top", section)
            require(status == 0 and f"Protocol {kind} is not supported yet" in said, f"-p of {kind}: exit status {status}, {said!r}")
            status, said = started(lab)
            require(status == 1 and re.search(rf"x\.conf:2:\d+ Protocol {kind} is not supported yet\n", said), f"{kind}: exit status {status}, {said!r}")
            path = lab.dir / "x.conf"
            path.write_text(path.read_text().replace(body, "disabled; " + body))
            dut = Dut(lab)
            dut.write = lambda text, _=None: dut.config.write_text(path.read_text())
            dut.start("", arguments=["--lenient"] if more else [])
            require(dut.control.protocol(f"{kind}1")[0] == "down", dut.control("show protocols"))
    return f"{len(UNBUILT)} protocols"


@test(timeout=60)
def what_would_break_a_promise_does_not_start():
    with Lab() as lab:
        wrong = []
        for frame, texts in VITAL.items():
            for text in texts:
                status, said = check(lab, frame, text)
                if status != 0 or "x.conf:2:" not in said or "is not supported yet" not in said:
                    wrong.append(f"-p of {text}: exit status {status}, {said!r}")
                    continue
                status, said = started(lab)
                if status == 0 or "is not supported yet" not in said:
                    wrong.append(f"{text}: exit status {status}, {said!r}")
        require(not wrong, "\n      ".join(wrong))
        return f"{sum(map(len, VITAL.values()))} options"

"""An example of each row of the manual's table of what options do when they change.

An example is what stands before and after the change; a third text, if there is one, stands in both.
"""

import pathlib
import re

PAGE = pathlib.Path(__file__).resolve().parents[2] / "doc/manual/reconfiguration.md"
ROW = re.compile(r"^\| (every protocol|every channel|bgp|bgp channel|static|pipe|device) \| `?([^`|]+?)`? \| ([^|]+) \|$", re.M)
EFFECTS = {"live", "import", "export", "restart"}


def rows():
    """{(of what, option): effects} of the page."""
    found = {}
    for of, option, text in ROW.findall(PAGE.read_text()):
        words = re.split(r"[;:,]", text)[0].split()
        found[of, option] = {word for word in words if word in EFFECTS} or {"live"}
    return found


def on(option):
    """A switch that is off before."""
    return "", f"{option};"


# Options of sessions that nobody answers: they restart, or need no neighbour.
ALONE = {
    "router id": ("", "router id 9.9.9.9;"),
    "hostname": ("", 'hostname "other";'),
    "local": ("", "local {here} as 65009;"),
    "local port": ("", "local {here} port 1790 as 65001;"),
    "neighbor": ("neighbor {address} as 65200;", "neighbor {address} as 65999;"),
    "neighbor port": ("neighbor {address} as 65200;", "neighbor {address} port 1791 as 65200;"),
    "interface": ("", 'interface "{device}";'),
    "multihop": ("", "multihop 3;", "check link off;"),
    "onlink": on("onlink"),
    "passive": ("passive;", "passive off;"),
    "password": ("", 'password "secret";'),
    "ttl security": on("ttl security"),
    "strict bind": ("", "strict bind;", "local {here} port 1795 as 65001;"),
    "free bind": on("free bind"),
    "dynamic name": ("", 'dynamic name "guest";', "neighbor range {range} external;"),
    "dynamic name digits": ("", "dynamic name digits 4;", "neighbor range {range} external;"),
    "rr client": ("", "rr client;", "neighbor {address} as 65001; direct;"),
    "rr cluster id": ("", "rr cluster id 1.2.3.4;", "neighbor {address} as 65001; direct; rr client;"),
    "rs client": on("rs client"),
    "allow local as": ("", "allow local as 2;"),
    "allow bgp_local_pref": on("allow bgp_local_pref"),
    "allow bgp_med": on("allow bgp_med"),
    "allow as sets": on("allow as sets"),
    "enforce first as": on("enforce first as"),
    "local role": ("", "local role provider;"),
    "interpret communities": ("", "interpret communities off;"),
    "default bgp_local_pref": ("", "default bgp_local_pref 90;"),
    "default bgp_med": ("", "default bgp_med 90;"),
    "path metric": ("", "path metric off;"),
    "med metric": on("med metric"),
    "igp metric": ("", "igp metric off;"),
    "prefer older": on("prefer older"),
    "capabilities": ("", "capabilities off;"),
    "enable route refresh": ("", "enable route refresh off;"),
    "enable as4": ("", "enable as4 off;"),
    "enable extended messages": on("enable extended messages"),
    "advertise hostname": on("advertise hostname"),
    "hold time": ("hold time 90;", "hold time 30;"),
    "min hold time": ("", "min hold time 5;"),
    "startup hold time": ("", "startup hold time 50;"),
    "keepalive time": ("", "keepalive time 20;"),
    "min keepalive time": ("", "min keepalive time 2;"),
    "send hold time": ("", "send hold time 900;"),
    "connect delay time": ("", "connect delay time 9;"),
    "connect retry time": ("", "connect retry time 9;"),
    "error wait time": ("", "error wait time 9, 99;"),
    "error forget time": ("", "error forget time 9;"),
    "disable after error": on("disable after error"),
    "disable after cease": on("disable after cease"),
}
# Options of channels of such sessions.
ALONE_CHANNEL = {
    ("every channel", "table"): ("", "table other4;", "igp table master4;"),
    ("every channel", "import keep filtered"): on("import keep filtered"),
    ("bgp channel", "next hop address"): ("", "next hop address 10.9.9.9;"),
    ("bgp channel", "gateway"): ("", "gateway recursive;"),
    ("bgp channel", "igp table"): ("", "igp table other4;", "gateway recursive;"),
}
# Options of sessions that are up, and stay so.
UP = {
    ("every protocol", "description"): ("", 'description "x";'),
    ("every protocol", "debug"): ("", "debug { states };"),
    ("every protocol", "restart time"): ("", "restart time 9 s;"),
    ("every protocol", "thread group"): ("", "thread group second;"),
    ("bgp", "check link"): ("", "check link off;"),
    ("bgp", "require"): ("", "require as4;"),
}
UP_CHANNEL = {
    ("every channel", "import"): ("import all;", "import where net.len > 30;"),
    ("every channel", "export"): ("export all;", "export where net.len > 30;"),
    ("every channel", "preference"): ("", "preference 90;"),
    ("every channel", "receive limit"): ("", "receive limit 90;"),
    ("every channel", "import limit"): ("", "import limit 90;"),
    ("every channel", "export limit"): ("export limit 80;", "export limit 90;"),
    ("every channel", "debug"): ("", "debug all;"),
    ("every channel", "rpki reload"): ("", "rpki reload off;"),
    ("bgp channel", "next hop self"): ("", "next hop self;"),
    ("bgp channel", "next hop keep"): ("", "next hop keep;"),
    ("bgp channel", "mandatory"): ("", "mandatory;"),
}
# Everything else, as whole sections; `NAME` is the protocol's.
SECTIONS = {
    ("every protocol", "disabled"): ("protocol static NAME { ipv4; }", "protocol static NAME { disabled; ipv4; }"),
    ("every protocol", "another type under the same name"): (
        "protocol static NAME { ipv4; }", "protocol pipe NAME { table master4; peer table other4; import none; export none; }"),
    ("every channel", "the channel as such"): (
        "protocol bgp NAME { local as 65001; neighbor 10.9.9.9 as 65200; passive; ipv4 { import none; export none; }; }",
        "protocol bgp NAME { local as 65001; neighbor 10.9.9.9 as 65200; passive; ipv4 { import none; export none; };"
        " ipv6 { import none; export none; }; }"),
    ("static", "route"): ("protocol static NAME { ipv4; route 10.1.0.0/16 drop; }",
                          "protocol static NAME { ipv4; route 10.1.0.0/16 unreachable; route 10.2.0.0/16 drop; }"),
    ("static", "check link"): ("protocol static NAME { ipv4; }", "protocol static NAME { ipv4; check link; }"),
    ("static", "igp table"): ("protocol static NAME { ipv4; }", "protocol static NAME { ipv4; igp table other4; }"),
    ("pipe", "table"): ("protocol pipe NAME { table master4; peer table other4; import none; export none; }",
                        "protocol pipe NAME { table third4; peer table other4; import none; export none; }"),
    ("pipe", "peer table"): ("protocol pipe NAME { table master4; peer table other4; import none; export none; }",
                             "protocol pipe NAME { table master4; peer table third4; import none; export none; }"),
} | {
    ("pipe", option): tuple(f"protocol pipe NAME {{ table third4; peer table other4; import none; export none; {text} }}"
                            for text in texts)
    for option, texts in {
        "import": ("", "import where net.len > 30;"),
        "export": ("", "export where net.len > 30;"),
        "import limit": ("", "import limit 9;"),
        "export limit": ("", "export limit 9;"),
        "max generation": ("", "max generation 9;"),
    }.items()
}
# The daemon has one device protocol, so both of its options change at once.
DEVICE = {("device", "scan time"): "scan time 77;", ("device", "interface"): 'interface "lo";'}


def keys():
    """All rows for which there is an example."""
    return [*(("bgp", option) for option in ALONE), *ALONE_CHANNEL, *UP, *UP_CHANNEL, *SECTIONS, *DEVICE]


def name_of(key):
    """A protocol's name for a row."""
    return "r_" + re.sub(r"\W", "_", "_".join(key))

"""BIRD's control protocol, and its `show route all` read into Routes.

Understands the attribute names of BIRD 2 (`BGP.as_path`) and of BIRD 3 (`bgp_path`).
"""

import re
import socket

from .routes import Route, sorted_communities

ROUTE = re.compile(
    r"^(?P<net>\S*)\s+(?P<dest>unicast|blackhole|unreachable|prohibited|recursive)\s+"
    r"\[(?P<proto>\S+) [^\]]*?(?: from (?P<from>\S+))?\](?P<best> [*!])?(?P<info>.*)$"
)
NAMES = {
    "origin": "origin",
    "path": "as_path", "as_path": "as_path",
    "next_hop": "next_hop",
    "med": "med",
    "local_pref": "local_pref",
    "community": "communities",
    "large_community": "large_communities",
    "ext_community": "ext_communities",
    "aggregator": "aggregator",
    "atomic_aggr": "atomic",
    "originator_id": "originator_id",
    "cluster_list": "cluster_list",
}


class ControlError(RuntimeError):
    """The daemon answered with an error code."""


class Control:
    """A client of one control socket; a connection for each command."""

    def __init__(self, path, timeout=60):
        self.path, self.timeout = str(path), timeout

    def dial(self):
        """A connected socket; nothing is read."""
        made = socket.socket(socket.AF_UNIX)
        made.settimeout(self.timeout)
        made.connect(self.path)
        return made

    def connect(self):
        """A connected socket and its reader, past the greeting."""
        made = self.dial()
        reader = made.makefile("r", encoding="utf-8", errors="replace")
        greeting = reader.readline()
        if not greeting.startswith("0001 "):
            raise ControlError(f"greeting is {greeting!r}")
        return made, reader

    def lines(self, command):
        """The answer as (code, text) pairs; continuation lines repeat the code."""
        made, reader = self.connect()
        with made, reader:
            return self.exchange(made, reader, command)

    def exchange(self, made, reader, command):
        """As `lines`, on a connection that `connect` made."""
        made.sendall(command.encode() + b"\n")
        found = []
        code = 0
        for line in reader:
            line = line.rstrip("\n")
            if re.match(r"\d{4}[ -]", line):
                code, text = int(line[:4]), line[5:]
                found.append((code, text))
                if line[4] == " ":
                    return found
            else:
                found.append((code, line[1:]))
        raise ControlError(f"{command}: the connection ended within the answer")

    def __call__(self, command):
        """The answer's text; an error code raises."""
        answer = self.lines(command)
        if answer[-1][0] >= 8000:
            raise ControlError(f"{command}: {answer[-1][0]} {answer[-1][1]}")
        return "\n".join(text for _, text in answer)

    def protocol(self, name):
        """One line of `show protocols` as (state, the rest: since when, and info)."""
        for code, text in self.lines(f"show protocols {name}"):
            words = text.split(None, 4)
            if code == 1002 and words[0] == name:
                return words[3], words[4] if len(words) > 4 else ""
        raise ControlError(f"no protocol {name}")

    def established(self, name):
        """Is this BGP session up?"""
        state, rest = self.protocol(name)
        return state == "up" and "Established" in rest

    def since(self, name):
        """When the protocol's state last changed, as the daemon prints it."""
        return re.match(r"[-0-9]* ?[:0-9.]+", self.protocol(name)[1])[0]

    def count(self, arguments=""):
        """Routes that `show route ARGUMENTS count` counts, over all tables."""
        shown = re.findall(r"^(\d+) of \d+ routes", self(f"show route {arguments} count"), re.M)
        return sum(map(int, shown))

    def routes(self, arguments=""):
        """{prefix: Route} of `show route ARGUMENTS all`; a prefix shown twice is an error."""
        found = {}
        for prefix, entry in self.entries(arguments):
            if prefix in found:
                raise ControlError(f"{prefix} is shown twice")
            found[prefix] = entry["route"]
        return found

    def entries(self, arguments=""):
        """(prefix, details) of every route shown."""
        command = " ".join(f"show route {arguments} all".split())
        answer = self.lines(command)
        if answer[-1][0] >= 8002:
            raise ControlError(f"{command}: {answer[-1][1]}")
        return list(parse_routes(text for _, text in answer))


def parse_routes(lines):
    """(prefix, details) of each route in the text of `show route all`."""
    prefix = None
    entry = None
    last = None
    for line in lines:
        if line.startswith("\t"):
            if entry is None:
                continue
            if line.startswith("\t\t") and last:
                entry["values"][last] += " " + line.strip()
                continue
            last = detail(entry, line[1:])
            continue
        if entry:
            yield prefix, finished(entry)
            entry = None
        match = ROUTE.match(line)
        if match:
            prefix = match["net"] or prefix
            entry = {"values": {}, "dest": match["dest"], "proto": match["proto"],
                     "best": match["best"] == " *", "from": match["from"], "via": []}
            last = None
    if entry:
        yield prefix, finished(entry)


def detail(entry, line):
    """One detail line; the attribute's name where a continuation may follow."""
    if line.startswith(("via ", "dev ")):
        entry["via"].append(line)
        return None
    name, colon, value = line.partition(":")
    name = re.sub(r"^(BGP\.|bgp_)", "", name) if re.match(r"BGP\.|bgp_", name) else "-" + name
    if not colon:
        return None
    entry["values"][name] = value.strip()
    return name


def finished(entry):
    """Turns the collected values into a Route."""
    values = {NAMES[k]: v for k, v in entry["values"].items() if k in NAMES}
    tuples = lambda key: re.findall(r"\(([^)]*)\)", values.get(key, ""))
    joined = lambda key: sorted_communities(re.sub(r",\s*", ":", text) for text in tuples(key))
    number = lambda key: int(values[key]) if key in values else None
    aggregator = None
    if "aggregator" in values:
        address, asn = values["aggregator"].split()
        aggregator = f"{asn.removeprefix('AS')} {address}"
    entry["route"] = Route(
        origin=values.get("origin", "?").upper(),
        as_path=values.get("as_path", ""),
        next_hop=values.get("next_hop", "").split(" ")[0],
        med=number("med"),
        local_pref=number("local_pref"),
        communities=joined("communities"),
        large_communities=joined("large_communities"),
        ext_communities=joined("ext_communities"),
        aggregator=aggregator,
        atomic="atomic" in values,
        originator_id=values.get("originator_id"),
        cluster_list=tuple(values.get("cluster_list", "").split()),
    )
    entry["unknown"] = {k: v for k, v in entry["values"].items() if k not in NAMES and k[0] != "-"}
    return entry

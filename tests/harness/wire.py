"""BGP messages to bytes and back: just enough for a speaker that tests others."""

import functools
import ipaddress
import socket
import struct
from dataclasses import replace

from .routes import Route, sorted_communities

MARKER = b"\xff" * 16
OPEN, UPDATE, NOTIFICATION, KEEPALIVE, ROUTE_REFRESH = 1, 2, 3, 4, 5
IPV4, IPV6 = (1, 1), (2, 1)
ORIGINS = ["IGP", "EGP", "INCOMPLETE"]
OPTIONAL, TRANSITIVE, PARTIAL, EXTENDED = 0x80, 0x40, 0x20, 0x10


def message(kind, body=b""):
    """A whole message."""
    return MARKER + struct.pack("!HB", 19 + len(body), kind) + body


def capability(code, value=b""):
    """One capability."""
    return bytes([code, len(value)]) + value


def capabilities(asn, families, more=()):
    """The usual capabilities: families, route refresh, four-octet AS."""
    made = b"".join(capability(1, struct.pack("!HBB", afi, 0, safi)) for afi, safi in families)
    made += capability(2) + capability(65, struct.pack("!I", asn))
    return made + b"".join(capability(code, value) for code, value in more)


def open_message(asn, router_id, hold=90, families=(IPV4, IPV6), more=(), version=4, parameters=None):
    """An OPEN; `parameters` replaces the optional parameters."""
    if parameters is None:
        caps = capabilities(asn, families, more)
        parameters = bytes([2, len(caps)]) + caps
    short = asn if asn < 65536 else 23456
    body = struct.pack("!BHH", version, short, hold) + socket.inet_aton(router_id)
    return message(OPEN, body + bytes([len(parameters)]) + parameters)


def notification(code, subcode, data=b""):
    """A NOTIFICATION."""
    return message(NOTIFICATION, bytes([code, subcode]) + data)


def attribute(flags, kind, value):
    """One path attribute, with an extended length where it needs one."""
    if len(value) > 255:
        return struct.pack("!BBH", flags | EXTENDED, kind, len(value)) + value
    return struct.pack("!BBB", flags, kind, len(value)) + value


def as_path(text):
    """AS path segments with four-octet numbers, from '65001 65002 {1 2}'."""
    segments = []
    kind = 2
    for token in text.replace("{", " { ").replace("}", " } ").split():
        if token in "{}":
            kind = 1 if token == "{" else 2
            continue
        if not segments or segments[-1][0] != kind or len(segments[-1][1]) == 255:
            segments.append((kind, []))
        segments[-1][1].append(int(token))
    return b"".join(
        struct.pack(f"!BB{len(hops)}I", kind, len(hops), *hops) for kind, hops in segments
    )


def numbers(text, layout):
    """'1:2:3' as bytes."""
    return struct.pack(layout, *map(int, text.split(":")))


def ext_community(text):
    """'rt:65001:7', as two- or four-octet AS specific."""
    kind, asn, value = text.split(":")
    sub = {"rt": 2, "ro": 3}[kind]
    if int(asn) < 65536:
        return struct.pack("!BBHI", 0, sub, int(asn), int(value))
    return struct.pack("!BBIH", 2, sub, int(asn), int(value))


@functools.lru_cache(maxsize=65536)
def attributes(route, family=4):
    """A route's attributes as bytes; NEXT_HOP only for IPv4."""
    well, opt = TRANSITIVE, OPTIONAL | TRANSITIVE
    made = attribute(well, 1, bytes([ORIGINS.index(route.origin)]))
    made += attribute(well, 2, as_path(route.as_path))
    if family == 4:
        made += attribute(well, 3, socket.inet_aton(route.next_hop))
    if route.med is not None:
        made += attribute(OPTIONAL, 4, struct.pack("!I", route.med))
    if route.local_pref is not None:
        made += attribute(well, 5, struct.pack("!I", route.local_pref))
    if route.atomic:
        made += attribute(well, 6, b"")
    if route.aggregator:
        asn, address = route.aggregator.split()
        made += attribute(opt, 7, struct.pack("!I", int(asn)) + socket.inet_aton(address))
    if route.communities:
        made += attribute(opt, 8, b"".join(numbers(c, "!HH") for c in route.communities))
    if route.originator_id:
        made += attribute(OPTIONAL, 9, socket.inet_aton(route.originator_id))
    if route.cluster_list:
        made += attribute(OPTIONAL, 10, b"".join(map(socket.inet_aton, route.cluster_list)))
    if route.ext_communities:
        made += attribute(opt, 16, b"".join(map(ext_community, route.ext_communities)))
    if route.large_communities:
        made += attribute(opt, 32, b"".join(numbers(c, "!III") for c in route.large_communities))
    return made


@functools.lru_cache(maxsize=65536)
def nlri(prefix):
    """A prefix as it stands in a message."""
    address, length = prefix.split("/")
    kind = socket.AF_INET6 if ":" in address else socket.AF_INET
    length = int(length)
    return bytes([length]) + socket.inet_pton(kind, address)[: (length + 7) // 8]


def family_of(prefix):
    """4 or 6."""
    return 6 if ":" in prefix else 4


def update(attrs=b"", announced=b"", withdrawn=b""):
    """An UPDATE from its three parts."""
    body = struct.pack("!H", len(withdrawn)) + withdrawn
    return message(UPDATE, body + struct.pack("!H", len(attrs)) + attrs + announced)


def mp_reach(next_hop, announced, family=IPV6):
    """MP_REACH_NLRI."""
    hop = ipaddress.ip_address(next_hop).packed
    head = struct.pack("!HBB", family[0], family[1], len(hop)) + hop + b"\0"
    return attribute(OPTIONAL, 14, head + announced)


def mp_unreach(withdrawn, family=IPV6):
    """MP_UNREACH_NLRI."""
    return attribute(OPTIONAL, 15, struct.pack("!HB", *family) + withdrawn)


def packed(pieces, room):
    """Joins pieces into chunks of at most `room` bytes."""
    chunk = b""
    for piece in pieces:
        if len(chunk) + len(piece) > room:
            yield chunk
            chunk = b""
        chunk += piece
    if chunk:
        yield chunk


def announcements(routes):
    """{prefix: Route} as UPDATEs that share attributes where they can."""
    groups = {}
    for prefix, route in routes.items():
        groups.setdefault((route, family_of(prefix)), []).append(nlri(prefix))
    made = []
    for (route, family), prefixes in groups.items():
        attrs = attributes(route, family)
        for chunk in packed(prefixes, 4096 - 23 - len(attrs) - 32):
            if family == 4:
                made.append(update(attrs, chunk))
            else:
                made.append(update(mp_reach(route.next_hop, chunk) + attrs))
    return b"".join(made)


def withdrawals(prefixes):
    """Prefixes as UPDATEs that withdraw them."""
    four = [nlri(p) for p in prefixes if family_of(p) == 4]
    six = [nlri(p) for p in prefixes if family_of(p) == 6]
    made = [update(withdrawn=chunk) for chunk in packed(four, 4000)]
    made += [update(mp_unreach(chunk)) for chunk in packed(six, 4000)]
    return b"".join(made)


def end_of_rib(family):
    """End-of-RIB for a family."""
    return update() if family == IPV4 else update(mp_unreach(b"", family))


def route_refresh(family):
    """ROUTE-REFRESH for a family."""
    return message(ROUTE_REFRESH, struct.pack("!HBB", family[0], 0, family[1]))


def split_nlri(data, family):
    """The prefixes of an NLRI field."""
    kind, size = (socket.AF_INET, 4) if family == 4 else (socket.AF_INET6, 16)
    found = []
    at = 0
    while at < len(data):
        length = data[at]
        used = (length + 7) // 8
        raw = bytes(data[at + 1 : at + 1 + used]).ljust(size, b"\0")
        found.append(f"{socket.inet_ntop(kind, raw)}/{length}")
        at += 1 + used
    return found


def split_attributes(data):
    """{type: (flags, value)}; raises ValueError on a type given twice."""
    found = {}
    at = 0
    while at < len(data):
        flags, kind = data[at], data[at + 1]
        if flags & EXTENDED:
            (length,) = struct.unpack_from("!H", data, at + 2)
            at += 4
        else:
            length = data[at + 2]
            at += 3
        if kind in found:
            raise ValueError(f"attribute {kind} twice in one UPDATE")
        found[kind] = (flags, bytes(data[at : at + length]))
        at += length
    return found


def split_update(body):
    """(withdrawn prefixes, announced prefixes, attributes, End-of-RIB family or None)."""
    (length,) = struct.unpack_from("!H", body)
    withdrawn = split_nlri(body[2 : 2 + length], 4)
    at = 2 + length
    (length,) = struct.unpack_from("!H", body, at)
    attrs = split_attributes(body[at + 2 : at + 2 + length])
    announced = split_nlri(body[at + 2 + length :], 4)
    ended = IPV4 if len(body) == 4 else None
    if 15 in attrs:
        value = attrs[15][1]
        if len(value) == 3 and len(attrs) == 1:
            ended = struct.unpack("!HB", value)
        withdrawn += split_nlri(value[3:], 6 if value[1] == 2 else 4)
    if 14 in attrs:
        value = attrs[14][1]
        announced += split_nlri(value[5 + value[3] :], 6 if value[1] == 2 else 4)
    return withdrawn, announced, attrs, ended


def path_text(data):
    """AS path bytes (four-octet) as '65001 {1 2}'."""
    words = []
    at = 0
    while at < len(data):
        kind, count = data[at], data[at + 1]
        hops = " ".join(map(str, struct.unpack_from(f"!{count}I", data, at + 2)))
        words.append({1: "{%s}", 2: "%s", 3: "(%s)", 4: "({%s})"}[kind] % hops)
        at += 2 + 4 * count
    return " ".join(word for word in words if word)


def pieces(data, size):
    """Data cut into equal pieces."""
    return [data[at : at + size] for at in range(0, len(data), size)]


def ext_text(data):
    """An extended community as text."""
    if data[0] == 0 and data[1] in (2, 3):
        return "%s:%d:%d" % ({2: "rt", 3: "ro"}[data[1]], *struct.unpack("!HI", data[2:]))
    if data[0] == 2 and data[1] in (2, 3):
        return "%s:%d:%d" % ({2: "rt", 3: "ro"}[data[1]], *struct.unpack("!IH", data[2:]))
    return data.hex()


def route_of(attrs, family):
    """The Route that a set of received attributes means."""
    value = lambda kind: attrs[kind][1] if kind in attrs else None
    number = lambda kind: struct.unpack("!I", value(kind))[0] if kind in attrs else None
    address = lambda data: str(ipaddress.ip_address(data))
    colon = lambda layout: lambda data: ":".join(map(str, struct.unpack(layout, data)))
    route = Route(
        origin=ORIGINS[value(1)[0]],
        as_path=path_text(value(2) or b""),
        next_hop=address(value(3)) if family == 4 and 3 in attrs else "",
        med=number(4),
        local_pref=number(5),
        atomic=6 in attrs,
        communities=sorted_communities(map(colon("!HH"), pieces(value(8) or b"", 4))),
        originator_id=address(value(9)) if 9 in attrs else None,
        cluster_list=tuple(map(address, pieces(value(10) or b"", 4))),
        ext_communities=sorted_communities(map(ext_text, pieces(value(16) or b"", 8))),
        large_communities=sorted_communities(map(colon("!III"), pieces(value(32) or b"", 12))),
    )
    if 7 in attrs:
        asn, where = struct.unpack("!I4s", value(7))
        route = replace(route, aggregator=f"{asn} {socket.inet_ntoa(where)}")
    if 14 in attrs and not route.next_hop:
        reach = value(14)
        route = replace(route, next_hop=address(reach[4 : 4 + min(16, reach[3])]))
    return route

"""One form of a route for every daemon, and the comparison of what should be with what is."""

import ipaddress
import random
from dataclasses import dataclass, fields, replace


@dataclass(frozen=True)
class Route:
    """A route's BGP attributes. Communities are sorted: their order has no meaning."""

    origin: str = "IGP"
    as_path: str = ""
    next_hop: str = ""
    med: int | None = None
    local_pref: int | None = None
    communities: tuple = ()
    large_communities: tuple = ()
    ext_communities: tuple = ()
    aggregator: str | None = None
    atomic: bool = False
    originator_id: str | None = None
    cluster_list: tuple = ()


ALL_FIELDS = tuple(field.name for field in fields(Route))


def compare(expected, got, ignore=(), limit=8):
    """Differences between two {prefix: Route}, as lines; an empty list when they agree."""
    names = [name for name in ALL_FIELDS if name not in ignore]
    lines = []
    total = 0
    for prefix in sorted(expected.keys() | got.keys()):
        want, have = expected.get(prefix), got.get(prefix)
        if want == have:
            continue
        if want is None or have is None:
            found = [f"{prefix}: {'missing' if have is None else 'not expected'}"]
        else:
            found = [
                f"{prefix}: {name} is {getattr(have, name)!r}, should be {getattr(want, name)!r}"
                for name in names
                if getattr(want, name) != getattr(have, name)
            ]
        total += len(found)
        lines += found[: max(0, limit - len(lines))]
    if total > len(lines):
        lines.append(f"and {total - len(lines)} more differences")
    return lines


def require_equal(expected, got, what, ignore=()):
    """Fails with the first differences."""
    lines = compare(expected, got, ignore)
    if lines:
        head = f"{what}: {len(expected)} routes expected, {len(got)} there"
        raise AssertionError("\n    ".join([head, *lines]))


def require_sensitive(expected, got, what, ignore=()):
    """Plants one change of each attribute in turn; the comparison must name exactly that one."""
    prefix = next(iter(sorted(expected)))
    route = expected[prefix]
    for change in planted_changes(route):
        (name,) = change
        if name in ignore:
            continue
        planted = dict(expected)
        planted[prefix] = replace(route, **change)
        lines = compare(planted, got, ignore)
        if len(lines) != 1 or not lines[0].startswith(f"{prefix}: {name} "):
            raise AssertionError(f"{what}: a planted change of {name} gave {lines}")
    missing = {key: value for key, value in got.items() if key != prefix}
    if compare(expected, missing, ignore) != [f"{prefix}: missing"]:
        raise AssertionError(f"{what}: a planted loss of {prefix} was not seen")


def planted_changes(route):
    """One change for each attribute."""
    yield {"origin": "EGP" if route.origin != "EGP" else "IGP"}
    yield {"as_path": route.as_path + " 64999"}
    yield {"next_hop": "192.0.2.254"}
    yield {"med": (route.med or 0) + 1}
    yield {"local_pref": (route.local_pref or 0) + 1}
    yield {"communities": route.communities + ("65535:1",)}
    yield {"large_communities": route.large_communities[1:] + ("1:2:3",)}
    yield {"ext_communities": route.ext_communities + ("rt:1:1",)}
    yield {"aggregator": "64999 192.0.2.254"}
    yield {"atomic": not route.atomic}
    yield {"originator_id": "192.0.2.254"}
    yield {"cluster_list": route.cluster_list + ("192.0.2.254",)}


def sorted_communities(values):
    """Sorted as numbers, without repetitions."""
    key = lambda text: [int(part) if part.isdigit() else part for part in text.split(":")]
    return tuple(sorted(set(values), key=key))


def varied(count, family, seed, asn, next_hop, internal=False, rich=True):
    """`count` prefixes with attributes as varied as BGP allows: {prefix: Route}.

    Groups of one to eight prefixes share their attributes, as in real tables.
    `internal`: as an internal peer sends them (a LOCAL_PREF, the own AS not in the path).
    `rich`: extended communities and AGGREGATOR too.
    """
    rng = random.Random(f"{seed}/{family}")
    prefixes = iter(distinct_prefixes(count, family, rng))
    routes = {}
    while len(routes) < count:
        route = varied_route(rng, asn, next_hop, internal, rich)
        for _ in range(min(rng.randint(1, 8), count - len(routes))):
            routes[next(prefixes)] = route
    return routes


def varied_route(rng, asn, next_hop, internal, rich):
    """One set of attributes."""
    hops = [] if internal else [asn]
    hops += [random_asn(rng) for _ in range(rng.randint(0 if internal else 1, 6))]
    if rng.random() < 0.1:
        hops += hops[-1:] * rng.randint(1, 4)
    ext = lambda: f"{rng.choice(['rt', 'ro'])}:{rng.randint(1, 64000)}:{rng.randint(0, 2**32 - 1)}"
    large = lambda: ":".join(str(rng.choice([0, 1, 65000, 2**32 - 1, rng.randint(0, 2**32 - 1)])) for _ in range(3))
    community = lambda: f"{rng.randint(1, 64000)}:{rng.randint(0, 65535)}"
    some = lambda make, chance, most: sorted_communities(
        make() for _ in range(rng.randint(1, most) if rng.random() < chance else 0)
    )
    aggregated = rich and rng.random() < 0.15
    return Route(
        origin=rng.choice(["IGP", "IGP", "EGP", "INCOMPLETE"]),
        as_path=" ".join(map(str, hops)),
        next_hop=next_hop,
        med=rng.choice([None, 0, 1, 100, 2**32 - 1, rng.randint(0, 2**32 - 1)]),
        local_pref=rng.choice([0, 50, 100, 200, 2**32 - 1]) if internal else None,
        communities=some(community, 0.6, 12),
        large_communities=some(large, 0.3, 6),
        ext_communities=some(ext, 0.2, 4) if rich else (),
        aggregator=f"{random_asn(rng)} 192.0.2.{rng.randint(1, 254)}" if aggregated else None,
        atomic=aggregated and rng.random() < 0.5,
    )


def random_asn(rng):
    """A public AS number; one in four needs four bytes."""
    return rng.randint(131072, 400000) if rng.random() < 0.25 else rng.randint(1000, 60000)


def distinct_prefixes(count, family, rng):
    """Prefixes of many lengths, some inside each other."""
    seen = set()
    while len(seen) < count:
        if family == 4:
            length = rng.choices([8, 12, 16, 18, 19, 20, 22, 23, 24, 25, 28, 31, 32],
                                 [1, 2, 8, 4, 4, 8, 12, 8, 60, 2, 2, 1, 2])[0]
            address = rng.randint(20 << 24, 126 << 24) >> (32 - length) << (32 - length)
            prefix = f"{ipaddress.IPv4Address(address)}/{length}"
        else:
            length = rng.choices([19, 29, 32, 36, 40, 44, 48, 56, 64, 127, 128],
                                 [1, 8, 15, 5, 6, 8, 50, 3, 2, 1, 1])[0]
            address = (0x2A << 120 | rng.getrandbits(120)) >> (128 - length) << (128 - length)
            prefix = f"{ipaddress.IPv6Address(address)}/{length}"
        if prefix not in seen:
            seen.add(prefix)
            yield prefix


def through(routes, **changes):
    """The routes after a hop that changes some attributes; a callable gets the route."""
    changed = {}
    cache = {}
    for prefix, route in routes.items():
        if route not in cache:
            values = {k: v(route) if callable(v) else v for k, v in changes.items()}
            cache[route] = replace(route, **values)
        changed[prefix] = cache[route]
    return changed


def through_external(routes, asn, next_hop, local_pref=100):
    """As an external neighbour of `asn` shows them: prepended, MED gone, next hop itself."""
    return through(
        routes,
        as_path=lambda r: f"{asn} {r.as_path}".strip(),
        next_hop=next_hop,
        med=None,
        local_pref=local_pref,
    )


def through_reflector(routes, originator, cluster):
    """As a client of the route reflector `cluster` shows them."""
    return through(routes, originator_id=originator, cluster_list=lambda r: (cluster, *r.cluster_list))

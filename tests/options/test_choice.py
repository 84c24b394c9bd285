"""Options that decide between routes."""

from harness.runner import require, test
from world import DUT_AS, P, Q, World


def pair(options, other=None, **more):
    """Two external neighbours with the same options."""
    world = World()
    world.feeder("one", options=options, **more)
    world.feeder("two", options=options if other is None else other, **more)
    return world


@test(timeout=40)
def path_metric():
    for options, best in (("", "two"), ("path metric off;", "one")):
        with pair(options) as world:
            world.start()
            # Origin decides where the path does not.
            world["one"].feed(as_path=f"{world['one'].asn} 64500 64501")
            world["two"].feed(as_path=f"{world['two'].asn} 64500", origin="EGP")
            world["two"].feed(Q)
            world.wait_best("two", Q)
            world.wait_best(best)


@test(timeout=40)
def med_metric():
    for options, best in (("", "one"), ("med metric;", "two"), ("med metric; default bgp_med 4;", "two")):
        with pair(options) as world:
            world.start()
            # Without MED the lower router id decides.
            world["one"].feed(med=None if "default" in options else 5)
            world["two"].feed(med=3)
            world["two"].feed(Q)
            world.wait_best("two", Q)
            world.wait_best(best)


@test(timeout=40)
def default_med():
    for options, best in (("", "one"), ("default bgp_med 10;", "two")):
        with pair(options + " neighbor as 65400;", neighbor="{address} as 65400", asn=65400) as world:
            world.start()
            world["one"].feed(med=None)
            world["two"].feed(med=3)
            world["two"].feed(Q)
            world.wait_best("two", Q)
            world.wait_best(best)


@test(timeout=40)
def prefer_older():
    for options, best in (("", "one"), ("prefer older;", "two")):
        with pair(options) as world:
            world.start()
            world["two"].feed()
            world.wait_best("two")
            world["one"].feed()
            world["one"].feed(Q)
            world.wait_best("one", Q)
            world.wait_best(best)


@test(timeout=40)
def igp_metric():
    # Two next hops, one of them nearer by the metrics of static routes.
    for options, best in (("", "two"), ("igp metric off;", "one")):
        with pair("multihop; " + options, channel="import all; export all; igp table igp4;") as world:
            via = world.links["in"][0].remote
            world.add("ipv4 table igp4;")
            world.parts.reverse()
            world.add(f"protocol static igp {{ ipv4 {{ table igp4; }};"
                      f" route 192.0.2.1/32 via {via} {{ igp_metric = 50; }};"
                      f" route 192.0.2.2/32 via {via} {{ igp_metric = 20; }}; }}")
            world.start()
            world["one"].feed(next_hop="192.0.2.1")
            world["two"].feed(next_hop="192.0.2.2")
            world["two"].feed(Q, next_hop="192.0.2.2")
            world.wait_best("two", Q)
            world.wait_best(best)


@test(timeout=40)
def preference():
    with World() as world:
        world.feeder("one", channel="import all; export all; preference 90;")
        world.feeder("two", channel="import all; export all; preference 170;")
        world.feeder("three", channel="import filter { preference = 200; accept; }; export all;")
        world.start()
        world["one"].feed()
        world.wait_best("one")
        world["two"].feed(as_path=f"{world['two'].asn} 64500 64501")
        world.wait_best("two")
        world["three"].feed(as_path=f"{world['three'].asn} 64500 64501 64502")
        world.wait_best("three")
        shown = world.ask(f"show route {P}")
        require(all(f"({number})" in shown for number in (90, 170, 200)), shown)
        world.parts = [part.replace("preference 170", "preference 250") for part in world.parts]
        world.dut.configure(world.text())
        world.wait_best("two")
        require(all(world[name].alive for name in ("one", "two", "three")), "a preference ended a session")

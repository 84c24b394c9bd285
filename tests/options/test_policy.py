"""What a session's options do to routes on their way in and out."""

from harness.runner import require, test
from world import DUT_AS, DUT_ID, P, Q, World, settle


@test(timeout=40)
def well_known_communities():
    routes = {"198.18.1.0/24": "65535:65281", "198.18.2.0/24": "65535:65282", "198.18.3.0/24": "65535:65283"}
    with World() as world:
        outside = world.peer("outside")
        inside = world.peer("inside", asn=DUT_AS)
        careless = world.peer("careless", options="interpret communities off;")
        feed = world.feeder()
        world.start()
        for prefix, community in routes.items():
            feed.feed(prefix, communities=(community,))
        settle(feed, outside, inside, careless)
        require(not outside.table, f"outside has {set(outside.table)}")
        require(set(inside.table) == {"198.18.1.0/24", "198.18.3.0/24"}, f"inside has {set(inside.table)}")
        require(set(careless.table) == set(routes), f"without interpretation: {set(careless.table)}")


@test(timeout=40)
def own_as_in_paths():
    counts = {"never": ("", 0), "once": ("allow local as 1;", 1), "twice": ("allow local as 2;", 2),
              "always": ("allow local as;", 9)}
    with World() as world:
        watch = world.peer("watch", options="rs client;")
        for name, (options, _) in counts.items():
            world.feeder(name, options=options)
        world.start()
        for index, (name, (_, most)) in enumerate(counts.items()):
            speaker = world[name]
            for loops in range(4):
                path = " ".join([str(speaker.asn), *[str(DUT_AS)] * loops, "64500"])
                speaker.feed(f"198.18.{10 * index + loops}.0/24", as_path=path)
            settle(speaker, watch)
        for index, (name, (_, most)) in enumerate(counts.items()):
            got = [loops for loops in range(4) if f"198.18.{10 * index + loops}.0/24" in watch.table]
            require(got == list(range(min(most, 3) + 1)), f"{name}: paths with {got} own ASes are taken")


@test(timeout=40)
def first_as_and_sets():
    with World() as world:
        watch = world.peer("watch")
        strict = world.feeder("strict", options="enforce first as;")
        lax = world.feeder("lax")
        sets = world.feeder("sets", options="allow as sets;")
        world.start()
        strict.feed("198.18.1.0/24", as_path="64999 64500")
        lax.feed("198.18.2.0/24", as_path="64999 64500")
        lax.feed("198.18.3.0/24", as_path=f"{lax.asn} {{64500 64501}}")
        sets.feed("198.18.4.0/24", as_path=f"{sets.asn} {{64500 64501}}")
        for speaker in (strict, lax, sets):
            settle(speaker, watch)
        got = {prefix[7] for prefix in watch.table}
        require(got == {"2", "4"}, f"{got} are passed on")
        require(watch.routes["198.18.4.0/24"].as_path == f"{DUT_AS} {sets.asn} {{64500 64501}}", watch.routes)
        require(strict.alive, "a wrong first AS ended the session")


@test(timeout=40)
def route_server():
    with World() as world:
        client = world.peer("client", options="rs client;")
        plain = world.peer("plain", options="rs client off;")
        feed = world.feeder(options="rs client;")
        world.start()
        feed.feed(P, med=17, communities=("65000:1",))
        told = client.wait_route()
        require((told.as_path, told.next_hop, told.med) == (str(feed.asn), feed.local, 17), f"a client gets {told}")
        told = plain.wait_route()
        require((told.as_path, told.next_hop, told.med) == (f"{DUT_AS} {feed.asn}", world.here.local, None),
                f"others get {told}")


@test(timeout=40)
def route_reflector():
    with World() as world:
        inside = lambda name, options="", **more: world.peer(name, asn=DUT_AS, options="direct;" + options, **more)
        client = inside("client", "rr client; rr cluster id 10.9.9.9;")
        other = inside("other", "rr client;")
        plain = inside("plain")
        stranger = inside("stranger")
        feed = inside("feed", "rr client; rr cluster id 10.9.9.9;", host="in")
        world.start()
        feed.feed(P, local_pref=150)
        told = client.wait_route()
        require((told.originator_id, told.cluster_list) == (feed.router_id, ("10.9.9.9",)), f"a client gets {told}")
        require(told.next_hop == feed.local and told.local_pref == 150 and told.as_path == "", f"a client gets {told}")
        # Between clusters, both; to others, the one that it comes from.
        require(other.wait_route().cluster_list == (DUT_ID, "10.9.9.9"), f"{other.routes}")
        require(plain.wait_route().cluster_list == ("10.9.9.9",), f"{plain.routes}")
        stranger.feed("198.18.3.0/24")
        client.wait_route("198.18.3.0/24")
        settle(stranger, client, other)
        require("198.18.3.0/24" not in plain.table, "a route goes between two that are no clients")
        feed.feed("198.18.4.0/24", cluster_list=("10.9.9.9",))
        feed.feed("198.18.5.0/24", originator_id=DUT_ID)
        feed.feed("198.18.6.0/24", originator_id="192.0.2.1", cluster_list=("192.0.2.2",))
        told = client.wait_route("198.18.6.0/24")
        require((told.originator_id, told.cluster_list) == ("192.0.2.1", ("10.9.9.9", "192.0.2.2")), f"{told}")
        settle(feed, plain)
        require(not {"198.18.4.0/24", "198.18.5.0/24"} & set(plain.table), "a loop is not cut")


@test(timeout=40)
def next_hops():
    own = "import all; export all; "
    with World() as world:
        here = world.here.local
        out = {}
        # What a route from outside (e) and from inside (i) has as its next hop, at whom.
        cases = {
            "ebgp": (None, "", here, here),
            "ibgp": (DUT_AS, "", "e", "i"),
            "all": (DUT_AS, "next hop self;", here, here),
            "fromout": (DUT_AS, "next hop self ebgp;", here, "i"),
            "fromin": (DUT_AS, "next hop self ibgp;", "e", here),
            "keeps": (None, "next hop keep;", "e", "i"),
            "keepout": (None, "next hop keep ebgp;", "e", here),
            "keepin": (None, "next hop keep ibgp;", here, "i"),
            "named": (None, "next hop address 192.0.2.77;", "192.0.2.77", "192.0.2.77"),
        }
        for name, (asn, channel, _, _) in cases.items():
            out[name] = world.peer(name, asn=asn, options="rr client; direct;" if asn else "", channel=own + channel)
        e, i = world.feeder("e"), world.feeder("i", asn=DUT_AS, options="direct;")
        world.start()
        e.feed(P)
        i.feed(Q)
        hops = {"e": e.local, "i": i.local}
        for name, (_, _, outside, inside) in cases.items():
            got = (out[name].wait_route(P).next_hop, out[name].wait_route(Q).next_hop)
            want = (hops.get(outside, outside), hops.get(inside, inside))
            require(got == want, f"{name}: next hops {got}, should be {want}")


@test(timeout=40)
def local_pref_and_med():
    with World() as world:
        inside = world.peer("inside", asn=DUT_AS)
        plain, trusts = world.peer("plain"), world.peer("trusts", options="allow bgp_local_pref; allow bgp_med;")
        usual = world.feeder("usual")
        higher = world.feeder("higher", options="default bgp_local_pref 250;")
        believed = world.feeder("believed", options="allow bgp_local_pref;")
        world.start()
        for index, speaker in enumerate((usual, higher, believed), 1):
            speaker.feed(f"198.18.{index}.0/24", local_pref=300, med=9)
        got = [inside.wait_route(f"198.18.{n}.0/24").local_pref for n in (1, 2, 3)]
        require(got == [100, 250, 300], f"local preferences inside: {got}")
        for speaker, want in ((plain, (None, None)), (trusts, (300, 9))):
            told = speaker.wait_route("198.18.3.0/24")
            require((told.local_pref, told.med) == want, f"outside: {told}")

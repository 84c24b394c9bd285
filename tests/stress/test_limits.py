"""Each limit with each action, counted over everything that the channel has."""

from crowd import Crowd
from harness.dut import is_bird2
from harness.lab import wait_for
from harness.routes import varied
from harness.runner import require, test

LIMIT, ROUTES = 40, 100


def limit_test(direction, action):
    """A test of one limit and one action."""

    @test(f"{direction}-limit-{action}", timeout=60)
    def case():
        crowd = Crowd("feed", "watch")
        limited = "watch" if direction == "export" else "feed"
        crowd.section(limited, f"import all; export all; {direction} limit {LIMIT} action {action};",
                      options="disable after error off;")
        with crowd.lab:
            crowd.start()
            _, there, asn = crowd.links["feed"]
            routes = varied(ROUTES, 4, "limit", asn, there.local)
            names = sorted(routes)
            crowd["feed"].announce({p: routes[p] for p in names[:LIMIT]})
            crowd["watch"].wait_routes(LIMIT)
            crowd.require_alive()
            crowd["feed"].announce({p: routes[p] for p in names[LIMIT:]})
            check(crowd, limited, direction, action, routes)


def check(crowd, limited, direction, action, routes):
    """What the action must have done once the limit was passed."""
    speaker = crowd[limited]
    if action == "warn":
        crowd["watch"].wait_routes(ROUTES)
        crowd.require_alive()
    elif action == "block":
        blocked(crowd, direction, routes)
    else:
        said = speaker.wait_notification()
        own = {"restart": 4, "disable": 2}
        expected = (6, own[action] if direction == "export" else 1)
        require(said and tuple(said[:2]) == expected, f"the neighbour is told {said}")
        crowd.require_alive("watch" if limited == "feed" else "feed")
    if action == "restart":
        speaker.close()
        speaker.connect(timeout=30)
        if direction != "export":
            speaker.announce({p: routes[p] for p in sorted(routes)[:5]})
            crowd["watch"].wait_routes(5)
    elif action == "disable":
        wait_for(lambda: crowd.dut.control.protocol(limited)[0] == "down", 10, f"{limited} is not down")


def blocked(crowd, direction, routes):
    """Exactly so many are let through; room that becomes free may be used again."""
    watch = crowd["watch"]
    # A fresh good route of the watcher's shows that everything before has been worked off.
    watch.announce({"198.18.0.0/24": crowd.route("watch")})
    wait_for(lambda: "198.18.0.0/24" in crowd["feed"].table, 10, "routes do not flow")
    require(len(watch.table) == LIMIT, f"{len(watch.table)} routes passed a limit of {LIMIT}")
    crowd.require_alive()
    if is_bird2():
        # It lets nothing through until the channel is reloaded.
        return
    crowd["feed"].withdraw(sorted(watch.table)[:10])
    watch.wait_routes(LIMIT - 10)
    fresh = {f"198.18.{n}.0/24": crowd.route("feed") for n in range(1, 6)}
    crowd["feed"].announce(fresh)
    watch.wait_routes(LIMIT - 5)


for each in ("receive", "import", "export"):
    for one in ("warn", "block", "restart", "disable"):
        limit_test(each, one)

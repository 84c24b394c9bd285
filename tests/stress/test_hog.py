"""A filter that takes most of a processor for three hold times: all sessions live on."""

import time

from crowd import Crowd
from harness.lab import wait_for
from harness.runner import require, test

HOLD = 3
WATCHERS = [f"w{number}" for number in range(8)]
# Each run of it goes through a hundred thousand turns; for each network, as it reads that.
SLOW = """
function slow() -> int
{
    bgppath long = bgp_path;
    int turns = net.len;
    %s
    for int a in long do for int b in long do turns = turns + 1;
    return turns;
}
""" % " ".join(f"long = prepend(long, {number});" for number in range(1, 311))
FIRST = 100


@test("sessions-outlive-a-hog", timeout=180)
def sessions_outlive_a_hog():
    """One worker has to import routes through the filter and to keep nine sessions alive, whose hold time is three
    seconds: with nothing said in time either side would end them."""
    crowd = Crowd("feed", *WATCHERS, hold=HOLD)
    crowd.section("feed", "import where slow() > 0; export none;")
    with crowd.lab:
        crowd.start(f"threads 1;\n{SLOW}")
        # How long one run takes here tells how many are three hold times and a half.
        spent = bring(crowd, 0, FIRST)
        require(spent > 0.02, f"no hog: {FIRST} routes took {spent:.3f} s of the processor")
        wanted = int(3.5 * HOLD * FIRST / spent)
        began = time.monotonic()
        used = bring(crowd, FIRST, wanted)
        took = time.monotonic() - began
        require(used > 3 * HOLD, f"the worker was busy for {used:.1f} s only")
        crowd.require_alive()
        for name in ("feed", *WATCHERS):
            require(crowd.dut.control.established(name), f"{name} is not established")
        return f"{wanted} routes took {used:.1f} s of the processor, {took:.1f} s by the clock, with a hold time of {HOLD} s"


def bring(crowd, first, more):
    """Sends so many routes, waits until they are there; the processor time that took."""
    before, route = crowd.dut.processor_time(), crowd.route("feed")
    numbers = range(first, first + more)
    crowd["feed"].announce({f"24.{n // 65536}.{n // 256 % 256}.{n % 256}/32": route for n in numbers})
    count = crowd.dut.control.count
    wait_for(lambda: count() == first + more, 120, lambda: f"{count()} of {first + more} routes", 0.5)
    return crowd.dut.processor_time() - before

#!/usr/bin/env python3
"""Random expressions of the filter language, evaluated by the daemon and by BIRD 2: the same printed value, or an error
of both. What BIRD 2 does not have is left out; what it does otherwise, and why it stays so, is in
doc/filter-differences.md.

As a program it takes a seed and a count: tests/conformance/expressions.py --seed 7 --count 10000
"""

import argparse
import os
import pathlib
import random
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from harness.control import Control
from harness.dut import binary
from harness.lab import wait_for

BIRD = "/usr/sbin/bird"
COUNT, LONG_COUNT = 300, 10_000
DEPTH = 4
BATCH = 200
VALUE = 23

# Both read this: constants, and functions for what only statements can do.
COMMON = """
router id 192.0.2.1;
protocol device { }
define ONE = 1;
define FOUR = 4;
define HOST = 192.0.2.77;
define NETS = [ 10.0.0.0/8+, 192.0.2.0/24{25,30}, 0.0.0.0/0{0,4} ];
define NUMBERS = [ 1, 3..5, 64512..65534 ];
function self_int(int x) { return x; }
function self_quad(quad x) { return x; }
function self_path(bgppath x) { return x; }
function power(int x; int n) { if n = 0 then return 1; return x * power(x, n - 1); }
function branch(int x) {
    case x { 0: return 10; 1..5: return 11; 7, 9: return 12; (FOUR + 4): return 13; 100..70000: return 14; else: return 15; }
}
function branch_pair(pair x) {
    case x { (1,2): return 1; (2,*): return 2; (3..4,7): return 3; (10,10)..(11,13): return 4; else: return 5; }
}
function branch_lc(lc x) {
    case x { (1,2,3): return 1; (2,*,*): return 2; (3,7,*): return 3; else: return 4; }
}
function branch_ec(ec x) {
    case x { (rt,1,2): return 1; (rt,2,*): return 2; (ro,3,5..9): return 3; else: return 4; }
}
function sum(bgppath p) int total; { total = 0; for int i in p do total = total + i; return total; }
function count_below(clist c; int n) int total; {
    total = 0;
    for pair p in c do { if p.data < n then total = total + 1; }
    return total;
}
function last_of(lclist c) lc found; { found = (0,0,0); for lc l in c do found = l; return found; }
function methods_of(bgppath p; int x) { p = prepend(p, x); p = delete(p, 1); p = prepend(p, ONE); return p; }
function edit(clist c; pair p) { c = add(c, p); c = delete(c, (1,2)); return c; }
"""


class Writer:
    """Writes random expressions, each of a type that was asked for."""

    def __init__(self, chance):
        self.chance = chance

    def expression(self):
        """An expression of any type."""
        return self.of(self.chance.choice(TYPES), DEPTH)

    def of(self, kind, depth):
        """An expression of a type, as deep as that at most."""
        ways = getattr(self, kind)(depth)
        return self.chance.choice(ways)()

    def pick(self, *options):
        """One of these."""
        return self.chance.choice(options)

    def bits(self, most):
        """A number, more often an interesting one."""
        edge = [0, 1, 2, 3, 4, 5, 7, 9, 10, 100, 255, 256, 23456, 64512, 65000, 65535, 65536, 4200000000, 2**32 - 1]
        fitting = [n for n in edge if n <= most]
        number = self.chance.choice([self.chance.choice(fitting), self.chance.randint(0, most), self.chance.randint(0, 9)])
        return min(number, most)

    def number(self, most=2**32 - 1):
        """A number as it is written."""
        n = self.bits(most)
        return hex(n) if self.chance.random() < 0.1 else str(n)

    def below(self, kind, depth):
        """A part of a larger expression."""
        if depth <= 0 or self.chance.random() < 0.25:
            return getattr(self, f"plain_{kind}")()
        return self.of(kind, depth - 1)

    # Literals.

    def plain_int(self):
        return self.pick(self.number, lambda: "ONE", lambda: "FOUR")()

    def plain_bool(self):
        return self.pick("true", "false")

    def short(self):
        """A number that is a half of a pair, nearly always."""
        return self.number(65535) if self.chance.random() < 0.98 else "65536"

    def plain_pair(self):
        return f"({self.pick('1', '2', '3', self.short())}, {self.pick('1', '2', '7', self.short())})"

    def plain_lc(self):
        return f"({self.pick('1', '2', '3', self.number())}, {self.pick('2', '7', self.number())}, {self.number()})"

    def plain_ec(self):
        kind = self.pick("rt", "ro", "rt", "ro", f"unknown {hex(self.chance.randint(0, 0xffff) & 0xfcff)}", "generic")
        key = self.pick(self.number(65535), self.number(9), self.number(), self.ip4())
        wide = "." in key or int(key, 0) > 65535
        if kind == "generic":
            key = self.number()
            return f"(generic, {key}, {self.number()})"
        return f"({kind}, {key}, {self.number(65535) if wide else self.number()})"

    def ip4(self):
        return ".".join(str(self.pick(0, 1, 2, 10, 192, 255, self.chance.randint(0, 255))) for _ in range(4))

    def ip6(self):
        groups = [f"{self.pick(0, 0, 0, 1, 0xdb8, 0xffff, self.chance.randint(0, 65535)):x}" for _ in range(6)]
        return self.pick(f"2001:db8:{':'.join(groups)}", f"2001:db8::{groups[0]}:{groups[1]}", f"{groups[0]}::", f"::1:{groups[0]}:{groups[1]}", "::", "::1")

    def plain_ip(self):
        return self.pick(self.ip4, self.ip4, self.ip6, lambda: "HOST")()

    def prefix4(self):
        bits = self.pick(0, 8, 12, 16, 24, 25, 31, 32, self.chance.randint(0, 32))
        address = self.pick(10 << 24, 0xc0000200, 0xac100000, self.chance.getrandbits(32)) | self.pick(0, 0x10000, self.chance.getrandbits(24))
        address &= (0xffffffff << (32 - bits)) & 0xffffffff
        return f"{'.'.join(str(address >> s & 255) for s in (24, 16, 8, 0))}/{bits}", bits

    def prefix6(self):
        bits = self.pick(0, 16, 32, 48, 64, 127, 128, self.chance.randint(0, 128))
        address = (0x20010db8 << 96) | self.pick(0, self.chance.getrandbits(96), self.chance.getrandbits(32) << 64)
        address &= ((1 << 128) - 1) ^ ((1 << (128 - bits)) - 1)
        groups = ":".join(f"{address >> s & 0xffff:x}" for s in range(112, -1, -16))
        return f"{groups}/{bits}", bits

    def plain_prefix(self):
        return self.pick(self.prefix4, self.prefix4, self.prefix6)()[0]

    def plain_net(self):
        """A network that is no plain prefix."""
        text4, bits4 = self.prefix4()
        text6, bits6 = self.prefix6()
        most4, most6 = self.chance.randint(bits4, 32), self.chance.randint(bits6, 128)
        return self.pick(
            f"{text4} max {most4} as {self.number()}", f"{text6} max {most6} as {self.number()}", f"{text4} as {self.number()}",
            f"{self.plain_rd()} {text4}", f"{self.plain_rd()} {text6}", f"{text6} from {self.prefix6()[0]}",
        )

    def plain_rd(self):
        return self.pick(f"{self.bits(65535)}:{self.bits(2**32 - 1)}", f"0:{self.bits(65535)}:{self.bits(2**32 - 1)}",
                         f"2:{self.bits(2**32 - 1)}:{self.bits(65535)}", f"{self.ip4()}:{self.bits(65535)}")

    def plain_quad(self):
        return f"self_quad({self.ip4()})"

    def plain_enum(self):
        return self.pick("RTS_STATIC", "RTS_BGP", "RTS_DEVICE", "RTS_OSPF_EXT2", "RTS_BABEL", "ORIGIN_IGP", "ORIGIN_EGP",
                         "ORIGIN_INCOMPLETE", "RTD_UNICAST", "RTD_BLACKHOLE", "RTD_PROHIBIT", "ROA_VALID", "ROA_UNKNOWN",
                         "ROA_INVALID", "NET_IP4", "NET_IP6", "NET_ROA4", "NET_FLOW6", "NET_IP6_SADR", "NET_VPN4",
                         "SCOPE_HOST", "SCOPE_UNIVERSE")

    def plain_string(self):
        return f'"{"".join(self.chance.choice("aab ._-1") for _ in range(self.chance.randint(0, 5)))}"'

    def plain_path(self):
        path = "+empty+"
        for _ in range(self.chance.randint(0, 4)):
            path = f"prepend({path}, {self.number()})"
        return path

    def listed(self, empty, member):
        text = empty
        for _ in range(self.chance.randint(0, 4)):
            text = f"add({text}, {member()})"
        return text

    def plain_clist(self):
        return self.listed("-empty-", self.plain_pair)

    def plain_eclist(self):
        return self.listed("--empty--", self.plain_ec)

    def plain_lclist(self):
        return self.listed("---empty---", self.plain_lc)

    # Masks and sets.

    def mask(self):
        """A path mask."""
        def item():
            return self.pick(self.number(), self.number(9), "*", "?", f"{self.chance.randint(0, 5)}..{self.chance.randint(5, 99999)}",
                             f"[{self.int_items()}]", "(ONE + 1)")
        return f"[= {' '.join(item() for _ in range(self.chance.randint(0, 4)))} =]"

    def span(self, most):
        """The first and the last number of a range."""
        low = self.bits(most)
        return low, min(most, low + self.pick(0, 1, 5, 1000))

    def apart(self, item):
        """Items of a set that have nothing in common: what BIRD 2 finds in sets that overlap depends on their order.

        `item` gives a text, and for each of its dimensions the first and the last number."""
        kept = []
        for _ in range(self.chance.randint(1, 4)):
            text, box = item()
            overlaps = lambda other: all(a[0] <= b[1] and b[0] <= a[1] for a, b in zip(box, other))
            if not any(overlaps(other) for _, other in kept):
                kept.append((text, box))
        return ", ".join(text for text, _ in kept)

    def int_item(self):
        low, high = self.pick(self.span(2**32 - 1), self.span(9), (self.bits(2**32 - 1),) * 2, (self.bits(9),) * 2)
        text = f"{low}..{high}" if low != high or self.chance.random() < 0.1 else str(low)
        special = {"1": "ONE", "2": "(ONE + 1)", "4": "FOUR"}
        return self.pick(text, special.get(text, text)), ((low, high),)

    def int_items(self):
        return self.apart(self.int_item)

    def part(self, most):
        """A component of a pattern: its text, its first and its last number."""
        low, high = self.pick((self.bits(min(9, most)),) * 2, (self.bits(most),) * 2, self.span(most), (None, None))
        if low is None:
            return "*", (0, most)
        return (str(low) if low == high else f"{low}..{high}"), (low, high)

    def one(self, *fixed):
        return self.chance.choice([(str(n), (n, n)) for n in fixed])

    def pair_item(self):
        first, second = self.pick(self.one(1, 2, 3), self.part(65535)), self.pick(self.one(1, 2, 7), self.part(65535))
        return f"({first[0]}, {second[0]})", (first[1], second[1])

    def lc_item(self):
        most, everything = 2**32 - 1, ("*", (0, 2**32 - 1))
        parts = [self.pick(self.one(1, 2, 3), self.part(most))]
        # Behind a range only `*` may stand.
        for _ in range(2):
            low, high = parts[-1][1]
            parts.append(self.pick(self.one(2, 7), self.part(most)) if low == high and ".." not in parts[-1][0] else everything)
        return f"({', '.join(text for text, _ in parts)})", tuple(box for _, box in parts)

    def ec_item(self):
        kind, key = self.pick("rt", "ro"), self.pick(1, 2, 3, self.bits(65535), 70000)
        value = self.part(65535 if key > 65535 else 2**32 - 1)
        return f"({kind}, {key}, {value[0]})", ((kind, kind), (key, key), value[1])

    def rd_item(self):
        key, low = self.bits(65535), self.bits(1000)
        high = low + self.pick(0, 5)
        return f"{key}:{low}" if low == high else f"{key}:{low}..{key}:{high}", ((key, key), (low, high))

    def ip_item(self):
        a, b = sorted(self.chance.randint(0, 255) for _ in range(2))
        net = self.pick("192.0.2.", "10.9.8.")
        return f"{net}{a}..{net}{b}" if a != b else f"{net}{a}", ((net, net), (a, b))

    def enum_item(self, family):
        name, number = self.chance.choice(family)
        return name, ((number, number),)

    def prefix_item(self, maker, most, shown):
        """A prefix pattern. Of those to be shown, only what BIRD 2 has in one node of its tree."""
        text, bits = maker()
        if shown:
            while bits % 4:
                text, bits = maker()
        if shown:
            return text + self.pick("", f"{{{bits},{self.chance.randint(bits, min(most, bits + 8))}}}" if bits and bits < most else "")
        low = self.chance.randint(0, most)
        return text + self.pick("", "+", "-", f"{{{low},{self.chance.randint(low, most)}}}")

    def prefix_set(self, shown):
        maker, most = self.pick((self.prefix4, 32), (self.prefix6, 128))
        count = 1 if shown else self.chance.randint(1, 4)
        return f"[{', '.join(self.prefix_item(maker, most, shown) for _ in range(count))}]"

    def set_of(self, kind, shown=False):
        """A set of a type."""
        if self.chance.random() < 0.08:
            return "[]"
        if kind == "prefix":
            return self.prefix_set(shown) if shown else self.pick("NETS", self.prefix_set(False), self.prefix_set(False))
        family = self.pick([("RTS_STATIC", 1), ("RTS_BGP", 11), ("RTS_BABEL", 13), ("RTS_OSPF", 7)], [("ROA_VALID", 1), ("ROA_UNKNOWN", 0)],
                           [("NET_IP4", 1), ("NET_ROA6", 6)])
        item = {"int": self.int_item, "pair": self.pair_item, "lc": self.lc_item, "ec": self.ec_item, "rd": self.rd_item,
                "ip": self.ip_item, "enum": lambda: self.enum_item(family)}[kind]
        return f"[{self.apart(item)}]"

    # What each type can be made of.

    def int(self, d):
        a = lambda kind: self.below(kind, d)
        binary = lambda: f"{a('int')} {self.pick('+', '-', '*', '/')} {a('int')}"
        return [
            self.plain_int, binary, binary, lambda: f"({binary()})", lambda: f"{a('path')}.{self.pick('len', 'first', 'last', 'last_nonaggregated')}",
            lambda: f"{a(self.pick('clist', 'eclist', 'lclist'))}.len", lambda: f"{a('prefix')}.len", lambda: f"{a('pair')}.{self.pick('asn', 'data')}",
            lambda: f"{a('lc')}.{self.pick('asn', 'data1', 'data2')}", lambda: f"branch({a('int')})", lambda: f"power({self.number(9)}, {self.number(5)})",
            lambda: f"branch_pair({a('pair')})", lambda: f"branch_lc({a('lc')})", lambda: f"branch_ec({a('ec')})", lambda: f"sum({a('path')})",
            lambda: f"count_below({a('clist')}, {a('int')})", lambda: f"({self.plain_net()}).{self.pick('len', 'maxlen', 'asn')}",
        ]

    def bool(self, d):
        a = lambda kind: self.below(kind, d)
        same = self.pick(*TYPES)
        ordered = self.pick("int", "bool", "pair", "quad", "enum", "ec", "lc", "rd", "ip", "prefix")
        single = self.pick("int", "pair", "ec", "lc", "rd", "ip", "enum", "prefix")
        listed, member = self.pick(("clist", "pair"), ("eclist", "ec"), ("lclist", "lc"))
        tilde = self.pick("~", "!~")
        return [
            self.plain_bool, lambda: f"{self.wrapped(same, d)} {self.pick('=', '!=')} {self.wrapped(same, d)}",
            lambda: f"{self.wrapped(self.pick(*TYPES), d)} {self.pick('=', '!=')} {self.wrapped(self.pick(*TYPES), d)}",
            lambda: f"{self.wrapped(ordered, d)} {self.pick('<', '<=', '>', '>=')} {self.wrapped(ordered, d)}",
            lambda: f"{a(single)} {tilde} {self.set_of(single)}", lambda: f"{a(single)} {tilde} {self.set_of(single)}",
            lambda: f"{a('path')} {tilde} {self.mask()}", lambda: f"{a('path')} {tilde} {self.mask()}", lambda: f"{a('path')} {tilde} {self.set_of('int')}",
            lambda: f"{a('int')} {tilde} {a('path')}", lambda: f"{a(listed)} {tilde} {self.set_of(member)}", lambda: f"{a(member)} {tilde} {a(listed)}",
            lambda: f"{a('prefix')} {tilde} {a('prefix')}", lambda: f"{a('ip')} {tilde} {a('prefix')}",
            lambda: f'{a("string")} {tilde} "{"".join(self.chance.choice("ab*?._") for _ in range(self.chance.randint(0, 4))).replace("*?", "*")}"',
            lambda: f"{self.wrapped('bool', d)} {self.pick('&&', '||')} {self.wrapped('bool', d)}",
            lambda: f"{a('int')} < {a('int')} {self.pick('&&', '||')} {a('int')} = {a('int')} {self.pick('&&', '||')} {self.plain_bool()}",
            lambda: f"! {self.wrapped('bool', d)}", lambda: f"{a('ip')}.is_v4", lambda: f"defined({a(self.pick(*(t for t in TYPES if t not in LISTS)))})",
            lambda: f"{self.set_of('int')} = {self.set_of('int')}", lambda: f"{self.mask()} = {self.mask()}",
        ]

    def wrapped(self, kind, d):
        """An operand, in parentheses if it could be a comparison."""
        text = self.below(kind, d)
        return f"({text})" if kind == "bool" or " " in text and not text.startswith("(") else text

    def pair(self, d):
        return [self.plain_pair, lambda: f"({self.below('int', min(d, 2))}, {self.short()})", lambda: f"({self.short()}, {self.short()})"]

    def lc(self, d):
        return [self.plain_lc, lambda: f"({self.below('int', d)}, {self.below('int', d)}, {self.below('int', d)})", lambda: f"last_of({self.below('lclist', d)})"]

    def ec(self, d):
        return [self.plain_ec, self.plain_ec, lambda: f"({self.pick('rt', 'ro')}, {self.below('int', d)}, {self.number(65535)})"]

    def ip(self, d):
        return [self.plain_ip, lambda: f"{self.below('prefix', d)}.ip", lambda: f"{self.ip4()}.mask({self.chance.randint(0, 32)})",
                lambda: f"{self.ip6()}.mask({self.chance.randint(0, 128)})", lambda: f"({self.plain_net()}).ip"]

    def prefix(self, d):
        return [self.plain_prefix, self.plain_prefix, self.plain_prefix, lambda: f"({self.plain_net()})"]

    def rd(self, d):
        return [self.plain_rd, lambda: f"({self.plain_rd()} {self.plain_prefix()}).rd"]

    def quad(self, d):
        return [self.plain_quad]

    def enum(self, d):
        return [self.plain_enum, lambda: f"{self.below('prefix', d)}.type"]

    def string(self, d):
        return [self.plain_string, lambda: f"format({self.wrapped(self.pick(*TYPES), d)})", lambda: f"format({self.set_of(self.pick('int', 'pair', 'lc', 'ec', 'ip', 'rd', 'enum', 'prefix'), True)})",
                lambda: f"format({self.mask()})"]

    def path(self, d):
        a = lambda kind: self.below(kind, d)
        return [self.plain_path, lambda: f"prepend({a('path')}, {a('int')})", lambda: f"delete({a('path')}, {a('int')})",
                lambda: f"{self.pick('delete', 'filter')}({a('path')}, {self.set_of('int')})",
                lambda: f"self_path({a('path')})", lambda: f"methods_of({a('path')}, {a('int')})"]

    def lists(self, kind, member, empty, d):
        a = lambda kind: self.below(kind, d)
        return [getattr(self, f"plain_{kind}"), lambda: f"add({a(kind)}, {a(member)})", lambda: f"add({a(kind)}, {a(kind)})", lambda: f"delete({a(kind)}, {a(member)})",
                lambda: f"{self.pick('delete', 'filter')}({a(kind)}, {self.set_of(member)})", lambda: f"{self.pick('delete', 'filter')}({a(kind)}, {a(kind)})",
                lambda: empty]

    def clist(self, d):
        return self.lists("clist", "pair", "-empty-", d) + [lambda: f"edit({self.below('clist', d)}, {self.below('pair', d)})", lambda: f"add({self.below('clist', d)}, {self.ip4()})"]

    def eclist(self, d):
        return self.lists("eclist", "ec", "--empty--", d)

    def lclist(self, d):
        return self.lists("lclist", "lc", "---empty---", d)


LISTS = ["path", "clist", "eclist", "lclist"]
TYPES = ["int", "bool", "pair", "lc", "ec", "ip", "prefix", "rd", "quad", "enum", "string", "path", "clist", "eclist", "lclist"]


class Evaluator:
    """A daemon that evaluates."""

    def __init__(self, folder, name, program):
        base = pathlib.Path(folder)
        (base / f"{name}.conf").write_text(COMMON)
        self.output = open(base / f"{name}.out", "w")
        self.child = subprocess.Popen([program, "-f", "-c", base / f"{name}.conf", "-s", base / f"{name}.ctl", "-P", base / f"{name}.pid"],
                                      stdout=self.output, stderr=subprocess.STDOUT)
        self.control = Control(base / f"{name}.ctl")
        wait_for(self.answers, 20, lambda: f"{program} does not answer: {(base / f'{name}.out').read_text()[-800:]}")
        self.socket, self.reader = self.control.connect()

    def answers(self):
        """Is it up?"""
        try:
            return "up and running" in self.control("show status")
        except OSError:
            return False

    def evaluate(self, text):
        """The printed value, or none and the message."""
        found = self.control.exchange(self.socket, self.reader, f"eval {text}")
        code, value = found[-1]
        return (value, "") if code == VALUE else (None, f"{code} {value}")

    def end(self):
        """Ends the daemon."""
        self.child.terminate()
        self.child.wait(10)
        self.output.close()


def compare(seed, count, ours=None, stop_after=20):
    """Evaluates so many expressions with both; what differs, and how many had a value."""
    writer = Writer(random.Random(seed))
    differences, values = [], 0
    with tempfile.TemporaryDirectory(prefix="dunlin-eval-") as folder:
        bird = Evaluator(folder, "bird", BIRD)
        try:
            dut = Evaluator(folder, "dut", ours or binary())
            try:
                for _ in range(count):
                    text = writer.expression()
                    # Both take no longer commands.
                    if len(text) > 1000:
                        continue
                    theirs, found = bird.evaluate(text), dut.evaluate(text)
                    # The value is longer than BIRD 2 can show.
                    if "<line overflow>" in theirs[1]:
                        continue
                    values += theirs[0] is not None
                    if theirs[0] != found[0]:
                        differences.append((text, theirs[0] or theirs[1], found[0] or found[1]))
                        if len(differences) >= stop_after:
                            break
            finally:
                dut.end()
        finally:
            bird.end()
    return differences, values


def main():
    """The command line; a line for each difference."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=LONG_COUNT)
    parser.add_argument("--most", type=int, default=50, help="stop after so many differences")
    options = parser.parse_args()
    begin = time.monotonic()
    differences, values = compare(options.seed, options.count, stop_after=options.most)
    for text, theirs, found in differences:
        print(f"{text}\n    BIRD 2: {theirs}\n    here:   {found}")
    print(f"seed {options.seed}: {options.count} expressions, {values} with a value in BIRD 2, {len(differences)} differ, {time.monotonic() - begin:.1f} s")
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main())

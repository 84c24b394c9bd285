"""Runs tests one after the other, a line each, and says at the end how many passed and failed."""

import argparse
import os
import signal
import sys
import time
import traceback

from . import lab

tests = []


class Skip(Exception):
    """This machine cannot run the test, with the reason."""


class Overdue(BaseException):
    """The test took longer than it may."""


def test(name=None, timeout=120, long=False):
    """Marks a function as a test; `long`: only with --long."""

    def register(function):
        tests.append((name or function.__name__.replace("_", "-"), function, timeout, long))
        return function

    return register


def require(condition, message):
    """A check with a message."""
    if not condition:
        raise AssertionError(message() if callable(message) else message)


def run_one(name, function, timeout):
    """Runs a test; True, False, or the reason why it was skipped."""

    def overdue(*_):
        raise Overdue(f"longer than {timeout} s")

    signal.signal(signal.SIGALRM, overdue)
    signal.alarm(timeout)
    begin = time.monotonic()
    try:
        note = function()
        mark, detail = "ok  ", f"  {note}" if note else ""
        result = True
    except Skip as reason:
        mark, detail, result = "skip", f"  {reason}", str(reason)
    except (Exception, Overdue) as error:
        mark, detail, result = "FAIL", explanation(error), False
    finally:
        signal.alarm(0)
        lab.close_all()
    print(f"{mark} {name} ({time.monotonic() - begin:.1f} s){detail}", flush=True)
    return result


def run_all(chosen):
    """Runs tests one after the other."""
    return [run_one(name, function, timeout) for name, function, timeout, _ in chosen]


def explanation(error):
    """What went wrong and where to look."""
    where = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in where if "/tests/" in frame.filename] or where
    line = f"{os.path.basename(own[-1].filename)}:{own[-1].lineno}"
    if not isinstance(error, (AssertionError, Overdue)):
        line += " " + " < ".join(f"{f.name}:{f.lineno}" for f in reversed(own[-3:]))
    kept = getattr(error, "lab", None)
    logs = f"\n    logs: {kept}" if kept else ""
    return f"\n    {type(error).__name__}: {error}\n    at {line}{logs}"


def main(title):
    """Command line: names or parts of names of the tests to run; exit status 0 if all passed."""
    parser = argparse.ArgumentParser(prog=title)
    parser.add_argument("names", nargs="*", help="run tests whose name contains one of these")
    parser.add_argument("--long", action="store_true", help="run the long tests too")
    parser.add_argument("--list", action="store_true", help="list the tests")
    options = parser.parse_args()
    chosen = [
        entry for entry in tests
        if (options.long or not entry[3] or entry[0] in options.names)
        and (not options.names or any(part in entry[0] for part in options.names))
    ]
    if options.list:
        print("\n".join(entry[0] for entry in chosen))
        return 0
    if os.geteuid() != 0:
        print(f"{title}: needs root, for network namespaces", file=sys.stderr)
        return 1
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    signal.signal(signal.SIGHUP, lambda *_: sys.exit(1))
    lab.remove_stale()
    results = run_all(chosen)
    passed, failed = results.count(True), results.count(False)
    skipped = len(results) - passed - failed
    tail = f", {skipped} skipped" if skipped else ""
    print(f"{passed} passed, {failed} failed{tail}", flush=True)
    return 1 if failed or not passed else 0

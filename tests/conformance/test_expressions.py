"""The filter language: random expressions have the values that they have in BIRD 2."""

from expressions import COUNT, LONG_COUNT, compare
from harness.runner import require, test

SEED = 20261123


def check(seed, count):
    """Compares so many expressions."""
    differences, values = compare(seed, count)
    lines = [f"{text}\n        BIRD 2: {theirs}\n        here:   {found}" for text, theirs, found in differences]
    require(not lines, lambda: f"seed {seed}, {len(lines)} of {count}:\n    " + "\n    ".join(lines))
    require(values > count * 0.8, f"only {values} of {count} have a value")
    return f"{count} expressions equal, {values} with a value"


@test("expressions-equal-bird2", timeout=180)
def some():
    return check(SEED, COUNT)


@test("many-expressions-equal-bird2", timeout=900, long=True)
def many():
    return check(SEED + 1, LONG_COUNT)

"""Real files: what BIRD 3 accepts is accepted, what it refuses is refused at the same line and column."""

import csv
import re
import subprocess

from harness.dut import binary
from harness.runner import require, test
from material import material


def check(path):
    """Exit status of `-p` and the errors, each as line, column and text."""
    done = subprocess.run([binary(), "-p", "-c", str(path)], capture_output=True, text=True, errors="replace", timeout=20)
    errors = re.findall(r"^dunlin: \S+?:(\d+):(\d+) (.*)$", done.stdout + done.stderr, re.MULTILINE)
    return done.returncode, errors


def rows(name):
    """Files of the sets with their verdicts."""
    folder = material("configs")
    with open(folder / "ORACLE.tsv", newline="") as file:
        for row in csv.DictReader(file, delimiter="\t"):
            if row["set"] in name:
                yield folder / "real" / row["file"], row


def differences(found, total, what):
    """Fails with the list, or says how many there were."""
    require(total, "there are no such files")
    listed = "\n      ".join(found)
    require(not found, f"{len(found)} of {total} differ:\n      {listed}")
    return f"{total} files {what}"


@test(timeout=300)
def files_that_bird_accepts_are_accepted():
    found, counts = [], {}
    for path, row in rows("ABC"):
        status, errors = check(path)
        counts[row["set"]] = counts.get(row["set"], 0) + 1
        if status != 0:
            found.append(f"{path.name} ({row['set']}): {':'.join(errors[0]) if errors else f'exit status {status}'}")
    sets = ", ".join(f"{count} of set {name}" for name, count in sorted(counts.items()))
    return differences(found, sum(counts.values()), f"accepted: {sets}")


@test(timeout=300)
def files_that_bird_refuses_are_refused_at_the_same_place():
    found, total, same = [], 0, 0
    for path, row in rows("E"):
        total += 1
        line, column, text = re.match(r"(\d+):(\d+) (.*)", row["msg_3.3.2"]).groups()
        status, errors = check(path)
        first = errors[0] if errors else ("-", "-", "accepted")
        same += first[2] == text
        if status != 1 or first[:2] != (line, column):
            found.append(f"{path.name}: {row['msg_3.3.2']!r}, not {':'.join(first)!r}")
    return differences(found, total, f"refused at the same place, {same} with the same text")

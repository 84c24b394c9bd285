"""Real and generated files: what BIRD 3 accepts is accepted, with its warnings; what it refuses is refused at the same line
and column, with the same text. Where the answers differ is said in doc/configuration-differences.md."""

import csv
import gzip
import re
import subprocess

from harness.dut import binary
from harness.lab import Lab
from harness.runner import require, test
from material import material


def said(path):
    """Exit status of `-p` and what it prints."""
    done = subprocess.run([binary(), "-p", "-c", str(path)], capture_output=True, text=True, errors="replace", timeout=60)
    return done.returncode, done.stdout + done.stderr


def check(path):
    """Exit status of `-p` and the errors, each as line, column and text."""
    status, text = said(path)
    return status, re.findall(r"^dunlin: \S+?:(\d+):(\d+) (.*)$", text, re.MULTILINE)


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
def files_that_bird_refuses_are_refused_at_the_same_place_for_the_same_cause():
    found, total = [], 0
    for path, row in rows("E"):
        total += 1
        expected = re.match(r"(\d+):(\d+) (.*)", row["msg_3.3.2"]).groups()
        status, errors = check(path)
        first = errors[0] if errors else ("-", "-", "accepted")
        if status != 1 or first != expected:
            found.append(f"{path.name}: {row['msg_3.3.2']!r}, not {':'.join(first)!r}")
    return differences(found, total, "refused at the same place, with the same text")


@test(timeout=300)
def the_first_warning_of_bird_is_given_at_the_same_place():
    found, total = [], 0
    for path, row in rows("AB"):
        # What is said of an accepted file is its first warning.
        expected = re.match(r"(\d+:\d+):? (.*)", row["msg_3.3.2"])
        if expected:
            total += 1
            warnings = re.findall(r"^dunlin: \S+?:(\d+:\d+): (.*)$", said(path)[1], re.MULTILINE)
            if expected.groups() not in warnings:
                found.append(f"{path.name}: {row['msg_3.3.2']!r} is not among {len(warnings)} warnings")
    return differences(found, total, "with the same warning")


@test(timeout=300)
def files_with_recorded_answers_are_accepted():
    folder = material("configs")
    names = sorted(path.stem for path in (folder / "golden").iterdir())
    found = [name for name in names if check(folder / "real" / f"{name}.conf")[0] != 0]
    return differences(found, len(names), "accepted")


@test(timeout=600)
def generated_files_are_accepted():
    folder = material("configs")
    found, counts = [], {}
    with Lab() as lab, open(folder / "GENERATED.tsv", newline="") as file:
        for row in csv.DictReader(file, delimiter="\t"):
            path = folder / "generated" / row["file"]
            if path.suffix == ".gz":
                plain = lab.dir / path.stem
                plain.write_bytes(gzip.decompress(path.read_bytes()))
                path = plain
            status, errors = check(path)
            target = f"{row['tool'].split()[0]} for BIRD {row['target'] or 3}"
            counts[target] = counts.get(target, 0) + 1
            if status != 0:
                found.append(f"{path.name}: {':'.join(errors[0]) if errors else f'exit status {status}'}")
            if path.parent == lab.dir:
                path.unlink()
    kinds = ", ".join(f"{count} by {name}" for name, count in sorted(counts.items()))
    return differences(found, sum(counts.values()), f"accepted: {kinds}")

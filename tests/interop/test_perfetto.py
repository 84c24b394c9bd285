"""The flight recorder's records as Perfetto reads them: by its project's own generated messages, from PyPI."""

import collections
import datetime
import json
import pathlib
import re
import shutil
import signal
import subprocess
import sys

from harness.dut import ROOT, Dut, binary, is_bird2
from harness.lab import Lab, wait_for
from harness.runner import Skip, require, test

HERE = pathlib.Path(__file__).resolve().parent
WANTED = HERE / "perfetto.txt"
# What pip says when there is no way to the registry, as against one that answers that it has no such package.
OUT_OF_REACH = re.compile(r"Connection to \S+ timed out|NewConnectionError|ConnectTimeoutError|ReadTimeoutError|NameResolutionError"
                          r"|ProxyError|Network is unreachable|Connection refused|Temporary failure in name resolution")


def reader():
    """A Python that has Perfetto's package: of a virtual environment, which is made once.

    Skips the test where the registry cannot be reached."""
    folder = ROOT / "target" / "perfetto" / "-".join(WANTED.read_text().split())
    python, done = folder / "bin" / "python", folder / "complete"
    if not done.exists():
        shutil.rmtree(folder, ignore_errors=True)
        made = attempt([sys.executable, "-m", "venv", folder])
        require(made is None, lambda: f"no virtual environment with pip can be made (Debian: python3-venv): {made}")
        pip = [python, "-m", "pip", "--disable-pip-version-check", "--timeout", "10", "--retries", "2", "install", "--quiet"]
        failed = attempt([*pip, "-r", WANTED])
        if failed and OUT_OF_REACH.search(failed):
            raise Skip("did not run: Perfetto's own reader comes from a package registry that cannot be reached from here, so "
                       f"nothing is known of what it would read: {failed.splitlines()[0]}")
        require(failed is None, lambda: f"Perfetto's own reader cannot be installed: {failed}")
        done.touch()
    return python


def attempt(command):
    """Runs a command that should succeed: None, or what it said."""
    made = subprocess.run(command, capture_output=True, text=True, timeout=200, stdin=subprocess.DEVNULL)
    if made.returncode == 0:
        return None
    return (made.stderr + made.stdout).strip()[-1500:] or f"status {made.returncode}"


def records(file):
    """What the recorder's own listing says: the heading, and the records by worker and number."""
    done = subprocess.run([binary(), "trace", "--json", file], capture_output=True, text=True, timeout=20, check=True)
    heading, *rows = map(json.loads, done.stdout.splitlines())
    return heading, {(row["worker"], row["record"]): row for row in rows}


def packets(file, python):
    """What Perfetto reads of the same records."""
    trace = file.with_suffix(".pftrace")
    with trace.open("wb") as out:
        subprocess.run([binary(), "trace", "--perfetto", file], stdout=out, timeout=20, check=True)
    done = subprocess.run([python, HERE / "perfetto_reader.py", trace], capture_output=True, text=True, timeout=60)
    require(done.returncode == 0, f"Perfetto's reader fails: {done.stderr.strip()[-800:]}")
    return json.loads(done.stdout)


def tracks(read, heading):
    """The workers by the numbers of their tracks; the process's own is checked."""
    process, *threads = [packet["track_descriptor"] for packet in read if "track_descriptor" in packet]
    require(process["process"] == {"pid": heading["process"], "process_name": "dunlin"}, process)
    for track in threads:
        require(track["parent_uuid"] == process["uuid"] and track["thread"]["pid"] == heading["process"], track)
    names = {track["uuid"]: track["thread"]["thread_name"] for track in threads}
    require(sorted(names.values()) == [f"worker {number}" for number in range(1, heading["workers"] + 1)], names)
    return {uuid: int(name.removeprefix("worker ")) for uuid, name in names.items()}


def annotations(event):
    """The figures beside a slice."""
    of = lambda one: int(one["uint_value"]) if "uint_value" in one else one["string_value"]
    return {one["name"]: of(one) for one in event["debug_annotations"]}


def slices(read, workers):
    """Slices and instants by worker and number: the event, when it began, and how long it took, if it has ended.

    As Perfetto does: in the order of time, and an end is that of the innermost slice of its track."""
    events = [(int(packet["timestamp"]), packet["track_event"]) for packet in read if "track_event" in packet]
    found, open_slices = {}, collections.defaultdict(list)
    for at, event in sorted(events, key=lambda pair: pair[0]):
        worker = workers[event["track_uuid"]]
        if event["type"] == "TYPE_SLICE_END":
            require(open_slices[worker], f"an end without a beginning: {event}")
            key = open_slices[worker].pop()
            found[key][2] = at - found[key][1]
            continue
        key = worker, annotations(event)["record"]
        require(key not in found, f"twice: {event}")
        instant = event["type"] == "TYPE_INSTANT"
        require(instant or event["type"] == "TYPE_SLICE_BEGIN", event)
        found[key] = [event, at, 0 if instant else None]
        if not instant:
            open_slices[worker].append(key)
    return found


def wall(text):
    """Nanoseconds since 1970 of a time in the listing."""
    seconds, fraction = text.split(".")
    moment = datetime.datetime.fromisoformat(seconds).replace(tzinfo=datetime.timezone.utc)
    return int(moment.timestamp()) * 10**9 + int(fraction)


def compare(rows, found):
    """Each record is one slice with all that is known of it."""
    require(rows.keys() == found.keys(), lambda: f"only in one: {sorted(rows.keys() ^ found.keys())[:10]}")
    for key, row in rows.items():
        event, _, took = found[key]
        require(took == row["took_ns"], f"took {took}: {row}")
        require(event["categories"] == [row["class"]], f"{event}: {row}")
        known = [row["site"], row.get("name"), f"[{row['loop']}]" if row["loop"] or "name" in row else None]
        require(event["name"] == " ".join(filter(None, known)), f"{event}: {row}")
        figures = {name: row[name] for name in ("record", "waited_ns", "loop", "argument")}
        if "asked_at" in row:
            figures["asked_at"] = row["asked_at"]
        require(annotations(event) == figures, f"{event}: {row}")
    apart = {wall(row["time"]) - found[key][1] for key, row in rows.items()}
    require(len(apart) == 1, f"the times are not the same: {apart}")


def arrows(rows, found):
    """From each cause that is still there to its effect goes an arrow, and no other; how many."""
    begins, ends = {}, {}
    for key, (event, *_) in found.items():
        begins.update((flow, key) for flow in event.get("flow_ids", []))
        ends.update((flow, key) for flow in event.get("terminating_flow_ids", []))
    require(begins.keys() == ends.keys(), f"arrows with one end: {begins.keys() ^ ends.keys()}")
    drawn = sorted((begins[flow], ends[flow]) for flow in begins)
    causes = {key: row.get("cause") for key, row in rows.items()}
    asked = sorted(((cause["worker"], cause["record"]), key) for key, cause in causes.items() if cause and cause["kept"])
    require(drawn == asked, lambda: f"{set(drawn) ^ set(asked)}")
    return len(drawn)


@test(timeout=300)
def perfetto_reads_what_is_written_for_it():
    """A daemon is killed at work; what `dunlin trace --perfetto` makes of its records is read by Perfetto's messages and
    compared with the recorder's own listing, record by record."""
    if is_bird2():
        raise Skip("BIRD has no flight recorder")
    python = reader()
    with Lab("dut") as lab:
        dut = Dut(lab)
        routes = " ".join(f"route 10.{n}.0.0/16 blackhole;" for n in range(100))
        dut.start(f"threads 2;\nipv4 table other;\nprotocol static s {{ ipv4; {routes} }}\n"
                  "protocol pipe p { table master4; peer table other; import none; export all; }",
                  arguments=("--recorder", lab.dir))
        wait_for(lambda: dut.control.count("table other") == 100, 10, lambda: dut.control("show route count"))
        dut.stop(signal.SIGKILL)
        file = lab.dir / "dunlin.trace"
        heading, rows = records(file)
        read = packets(file, python)
        require(not heading["running"] and len(rows) == heading["records"], heading)
        require(all(packet["trusted_packet_sequence_id"] == 1 for packet in read), read[:2])
        require(read[0]["sequence_flags"] == 1, f"a reader could not begin here: {read[0]}")
        found = slices(read, tracks(read, heading))
        compare(rows, found)
        drawn = arrows(rows, found)
        require(len(rows) > 50 and drawn > 20, f"{len(rows)} records, {drawn} arrows: too few to tell")
        return f"{len(rows)} records, {drawn} arrows"

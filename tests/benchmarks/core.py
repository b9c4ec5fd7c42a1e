"""What the verbs cost, each beside the floor it is built on, measured in the same run.

    python tests/benchmarks/core.py [--quick] [--json FILE] [--floors]

Every number is the median over rounds in which the work and its floor take turns, so that a noisy machine disturbs
both alike; what counts is the ratio. JSON rows: name, value, unit, ratio, bar, met.

With --floors it prints instead where each nanosecond of every verb and kind of field goes; that takes a C compiler.
"""

import argparse
import ctypes
import itertools
import json
import multiprocessing
import statistics
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from multiprocessing.connection import Connection
from pathlib import Path

import depth
import floors
import numpy as np
import scratch
from rounds import interleaved
from schemas import Frame, Ping, Record

import typedshm


@dataclass
class Row:
    """One line of the table; `ratio` is to the floor named in `floor`, and `bar` is the most it may be."""

    name: str
    value: float
    unit: str
    floor: str
    ratio: float
    bar: float
    met: bool


def name() -> str:
    """Return a region name nobody else has."""
    return f"benchmark-{uuid.uuid4().hex[:12]}"


class Empty:
    """The cheapest thing that can be called."""

    def call(self, value: object) -> None:
        """Do nothing."""


def records(rounds: int) -> list[Row]:
    """The verbs on the 80-byte record."""
    raw = bytes(ctypes.sizeof(Record))

    class Plain(ctypes.Structure):
        _fields_ = [(field.name, ctypes.c_uint64) for field in Record.layout.fields]

    empty = Empty()
    value = Record.zero()
    with typedshm.create(name(), Record) as region:
        region.write(value)

        def update() -> None:
            with region.update() as record:
                record.tick = 5
                record.x = 1.0
                record.y = 2.0

        floor = "ctypes from_buffer_copy"
        works: dict[str, Callable[[], object]] = {
            floor: lambda: Plain.from_buffer_copy(raw),
            "empty call": lambda: empty.call(value),
            "read": lambda: region.read(),
            "read_into": lambda: region.read_into(value),
            "write": lambda: region.write(value),
            "update": update,
            "nothing": lambda: None,
        }
        took = interleaved(works, rounds, 0.02)
    # every work pays for its lambda; `update` is a def of its own and pays for its call alike
    took = {key: seconds - took["nothing"] for key, seconds in took.items()}
    base = took[floor]
    rows = [
        Row(label, 1e9 * took[key], "ns", floor, took[key] / base, bar, took[key] / base <= bar)
        for label, key, bar in (
            ("read() a 10-field, 80-byte record into a new object", "read", 2.0),
            ("write() of the record, lock included", "write", 2.0),
            ("update() of three fields", "update", 4.0),
        )
    ]
    above = 1e9 * (took["read_into"] - took["empty call"])
    rows.insert(
        1, Row("read_into(), above an empty method call", above, "ns", "100 ns", above / 100, 1.0, above <= 100)
    )
    return rows


def frames(rounds: int) -> list[Row]:
    """The verbs on a 1080p picture."""
    source = Frame.zero()
    source.image[:] = np.random.default_rng(1).integers(0, 256, source.image.shape, np.uint8)
    target = Frame.zero()
    into, out = target.image, source.image
    turns = itertools.cycle([np.zeros_like(out) for _ in range(3)])
    rows: list[Row] = []
    with typedshm.create(name(), Frame) as region:
        region.write(source)

        def loan() -> None:
            with region.loan() as frame:
                frame.number = 1

        works: dict[str, Callable[[], object]] = {
            "copyto": lambda: np.copyto(into, out),
            # a region's slots take turns, so what write() stores into is never in the cache still
            "copyto in turn": lambda: np.copyto(next(turns), out),
            "read": lambda: region.read(),
            "read_into": lambda: region.read_into(target),
            "write": lambda: region.write(source),
            "loan": loan,
        }
        took = interleaved(works, rounds, 0.03)
        np.testing.assert_array_equal(region.read().image.shape, source.image.shape)
    one, three = "copyto", "copyto in turn"
    for label, key, floor, bar in (
        ("1080p read() into a new object", "read", one, 1.1),
        ("1080p read_into()", "read_into", one, 1.1),
        ("1080p write()", "write", three, 1.1),
        ("1080p write(), against a target that stays in the cache", "write", one, 1.1),
        ("1080p loan() without filling it: nothing is copied", "loan", one, 0.1),
    ):
        ratio = took[key] / took[floor]
        words = "numpy copyto" + (", 3 targets in turn" if floor == three else "")
        rows.append(Row(label, 1e6 * took[key], "µs", words, ratio, bar, ratio <= bar))
    return rows


def sleeper(region: typedshm.Region[Ping], pipe: Connection, orders: Connection) -> None:
    """In the other process: time how long each wake-up took, by region or by pipe, as told."""
    while (order := orders.recv()) is not None:
        how, count, last = order
        taken: list[int] = []
        orders.send("ready")
        done = False
        while not done:
            if how == "region":
                ping = region.wait(timeout=10)
                sent, done = ping.sent, (typedshm.version_of(ping) or 0) >= last
            else:
                sent, done = int.from_bytes(pipe.recv_bytes(), "little"), len(taken) == count - 1
            taken.append(time.monotonic_ns() - sent)
        orders.send(taken)


def wake(rounds: int, count: int = 60) -> list[Row]:
    """How long a sleeping process takes to notice."""
    context = multiprocessing.get_context("spawn")
    taken: dict[str, list[int]] = {"region": [], "pipe": []}
    with typedshm.create(name(), Ping) as region:
        ours, theirs = context.Pipe()
        orders, answers = context.Pipe()
        process = context.Process(target=sleeper, args=(region, theirs, answers))
        process.start()
        ping = Ping.zero()
        for number in range(rounds):
            for how in ("region", "pipe") if number % 2 else ("pipe", "region"):
                orders.send((how, count, region.version + count))
                orders.recv()
                for _ in range(count):
                    time.sleep(0.0005)  # until it sleeps; this is a pace, nothing depends on it
                    if how == "region":
                        ping.sent = time.monotonic_ns()
                        region.write(ping)
                    else:
                        ours.send_bytes(time.monotonic_ns().to_bytes(8, "little"))
                taken[how] += orders.recv()
        orders.send(None)
        process.join()
    ours_p50, pipe_p50 = statistics.median(taken["region"]), statistics.median(taken["pipe"])
    ratio = ours_p50 / pipe_p50
    return [
        Row("wake-up of a waiting process, p50", ours_p50 / 1000, "µs", "multiprocessing.Pipe", ratio, 1.0, ratio <= 1)
    ]


ATTACHING = """
import sys, time
sys.path.insert(0, sys.argv[1])
import typedshm
from schemas import Record
start = time.perf_counter_ns()
first = typedshm.attach(sys.argv[2], Record)
between = time.perf_counter_ns()
second = typedshm.attach(sys.argv[2], Record)
print(between - start, time.perf_counter_ns() - between)
"""


def attach(rounds: int) -> list[Row]:
    """The first and the second opening of a region by a process of its own."""
    taken: list[list[int]] = []
    with typedshm.create(name(), Record) as region:
        for _ in range(rounds):
            command = [sys.executable, "-c", ATTACHING, str(Path(__file__).parent), str(region.name)]
            words = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
            taken.append([int(word) for word in words])
    first, second = (statistics.median(times) for times in zip(*taken, strict=True))
    ratio = second / first
    return [Row("second attach of a process", second / 1000, "µs", "its first attach", ratio, 0.3, ratio <= 0.3)]


def depths(rounds: int) -> list[Row]:
    """What a region of many slots costs beside one of few."""
    with scratch.place():
        found = depth.measure(rounds, 0.02)
    rows: list[Row] = []
    for verb, (_, bar) in depth.VERBS.items():
        many, few = found[verb]
        ratio = statistics.median(ours / theirs for ours, theirs in zip(many, few, strict=True))
        label = f"{verb}, {depth.MANY:,} slots"
        rows.append(Row(label, 1e3 * statistics.median(many), "ns", f"{depth.FEW} slots", ratio, bar, ratio <= bar))
    return rows


def importing(rounds: int) -> list[Row]:
    """What importing typedshm takes beyond numpy, in processes of their own."""
    works = {"nothing": "", "numpy": "import numpy", "both": "import numpy, typedshm"}
    taken: dict[str, list[float]] = {key: [] for key in works}
    for _ in range(rounds):
        for key, code in works.items():
            start = time.perf_counter()
            subprocess.run([sys.executable, "-c", code], check=True)
            taken[key].append(time.perf_counter() - start)
    took = {key: statistics.median(times) for key, times in taken.items()}
    floor, beyond = took["numpy"] - took["nothing"], took["both"] - took["numpy"]
    ratio = beyond / floor
    return [Row("import beyond numpy", 1000 * beyond, "ms", "numpy's own import", ratio, 0.25, ratio <= 0.25)]


def memory() -> list[Row]:
    """What a region takes beyond its versions."""
    rows: list[Row] = []
    for schema, slots in ((Record, 3), (Frame, 3), (Frame, 8)):
        with typedshm.create(name(), schema, slots=slots) as region:
            info = region.info()
        allowed = slots * info.payload_size + 65536 + len(json.dumps(info.layout.describe()))
        rows.append(
            Row(
                f"memory of {slots} slots of {info.payload_size:,} bytes",
                info.size,
                "bytes",
                "slots x payload + 64 KiB + document",
                info.size / allowed,
                1.0,
                info.size <= allowed,
            )
        )
    return rows


def table(rows: list[Row]) -> str:
    """Lay the rows out for a terminal."""
    lines = [f"{'':<58}{'value':>16}  {'ratio':>7}  {'bar':>5}  met  floor"]
    for row in rows:
        value = f"{row.value:,.0f} {row.unit}" if row.value >= 100 else f"{row.value:.1f} {row.unit}"
        met = "yes" if row.met else "NO"
        lines.append(f"{row.name:<58}{value:>16}  {row.ratio:7.3f}  {row.bar:5.2f}  {met:<3}  {row.floor}")
    return "\n".join(lines)


def of_floors(rounds: int, path: str | None) -> int:
    """Print the table of floors, and write it if asked to."""
    try:
        lines = floors.measure(3 * rounds)
    except floors.NoCompiler as error:
        print(error, file=sys.stderr)
        return 1
    print(floors.table(lines))
    save(lines, path)
    return 0


def save(rows: Sequence[Row | floors.Line], path: str | None) -> None:
    """Write rows as JSON, if there is a path."""
    if path:
        with open(path, "w", encoding="utf-8") as file:
            json.dump([asdict(row) for row in rows], file, indent=1)


def main(arguments: list[str] | None = None) -> int:
    """Measure, print, and write the JSON if asked to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", metavar="FILE", help="write the rows there as well")
    parser.add_argument("--quick", action="store_true", help="fewer rounds")
    parser.add_argument(
        "--floors", action="store_true", help="where each nanosecond of every verb and kind of field goes, instead"
    )
    options = parser.parse_args(arguments)
    rounds = 5 if options.quick else 25
    if options.floors:
        return of_floors(rounds, options.json)
    rows = (
        records(rounds) + frames(rounds) + wake(rounds) + attach(rounds) + depths(rounds) + importing(rounds) + memory()
    )
    print(table(rows))
    save(rows, options.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())

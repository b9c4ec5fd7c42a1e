"""What recording costs: the recorder and its Writer beside the raw libraries of MCAP and a plain append, in one run.

    python tests/benchmarks/recording.py [--quick] [--json FILE]

Everybody writes the same values into a file in memory, from the first to the close, and takes turns; what counts is the
median over the rounds of the ratio of a round's rates. The recorder takes them from a lossless region, which another
process writes as fast as it is let; then from regions at a steady pace, which wait for nobody.
"""

import argparse
import functools
import json
import multiprocessing
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import scratch
from schemas import Frame, Record

import typedshm

try:
    import foxglove
    from foxglove.mcap import MCAPWriteOptions
    from mcap.writer import CompressionType
    from mcap.writer import Writer as Mcap

    from typedshm import recording
    from typedshm.recording.encodings import choosing
    from typedshm.recording.writer import Writer
except ImportError as error:
    print(f"recording.py is left out: {error}; pip install 'typedshm[record]' foxglove-sdk")
    sys.exit(0)

BAR = 0.8
"""The least share of a library's own rate."""
BATCH = 256
"""Records that the Writer is given at once; the recorder takes as many as there are."""
PATIENCE = 60
"""Seconds that the other process may take."""


@dataclass
class Row:
    """One line of the table. `ratio` is ours by theirs, of rates the more the better; `bar` the least or most."""

    name: str
    value: float
    unit: str
    beside: str
    theirs: float | None
    ratio: float | None
    bar: float | None
    met: bool | None


@dataclass(frozen=True)
class Load:
    """Values to be written again and again."""

    noun: str
    schema: type[typedshm.Struct]
    count: int
    """How many, in a round."""
    slots: int
    """Of the region from which the recorder takes them."""

    @property
    def size(self) -> int:
        """Bytes of one."""
        return self.schema.layout.size

    @property
    def is_small(self) -> bool:
        """Whether many of them are handed over at once."""
        return self.size < 1 << 16


@functools.cache
def values_of(load: Load) -> "np.ndarray[tuple[int, int], np.dtype[np.uint8]]":
    """Return some values of bytes that differ, made before anything is timed."""
    return np.random.default_rng(1).integers(0, 256, (BATCH if load.is_small else 8, load.size), np.uint8)


@functools.cache
def bytes_of(load: Load) -> list[bytes]:
    """Return the same, as libraries take them."""
    return [value.tobytes() for value in values_of(load)]


# ---- writers: each takes a path and writes all values of a load, from its opening to its close ----


def append(load: Load, path: Path) -> None:
    """Append the bytes as they are."""
    values = bytes_of(load)
    with open(path, "wb") as file:
        for number in range(load.count):
            file.write(values[number % len(values)])


def by_mcap(load: Load, path: Path) -> None:
    """The mcap library, in Python."""
    values = bytes_of(load)
    with open(path, "wb") as file:
        writer = Mcap(file, chunk_size=4 << 20, compression=CompressionType.NONE)
        writer.start()
        schema = writer.register_schema("value", "typedshm", b"{}")
        channel = writer.register_channel("value", "typedshm", schema)
        for number in range(load.count):
            writer.add_message(channel, number, values[number % len(values)], number, number)
        writer.finish()


def by_foxglove(load: Load, path: Path) -> None:
    """foxglove-sdk, in Rust."""
    values = bytes_of(load)
    context = foxglove.Context()
    options = MCAPWriteOptions(compression=None, chunk_size=4 << 20)
    with foxglove.open_mcap(path, context=context, writer_options=options):
        schema = foxglove.Schema(name="value", encoding="typedshm", data=b"{}")
        channel = foxglove.Channel("value", schema=schema, message_encoding="typedshm", context=context)
        for number in range(load.count):
            channel.log(values[number % len(values)], log_time=number)


def by_writer(load: Load, path: Path) -> None:
    """Our own Writer, in batches as the recorder hands them to it."""
    values = values_of(load)
    batch = len(values) if load.is_small else 1
    encoding = choosing.choose(load.schema.layout, "auto", kind="region", name="value")
    numbers = np.arange(batch)
    with closing(Writer(path)) as writer:
        channel = writer.channel("value", encoding, {})
        for first in range(0, load.count, batch):
            at = first % len(values)
            writer.write(channel, numbers + first, numbers + first, values[at : at + batch])


LIBRARIES: dict[str, Callable[[Load, Path], None]] = {
    "foxglove-sdk": by_foxglove,
    "mcap": by_mcap,
    "plain append": append,
}


# ---- the recorder, and the process that writes what it records ----


def write_values(pipe: Connection, load: Load, names: list[str], rate: float | None) -> None:
    """In the other process: write to the regions when told, as often as told, at a rate or as fast as it goes."""
    regions = [typedshm.attach(name, load.schema) for name in names]
    value = load.schema.zero()
    pipe.send("ready")
    while (count := pipe.recv()) is not None:
        start = time.perf_counter()
        for number in range(count):
            if rate is not None:
                time.sleep(max(0.0, start + number / rate - time.perf_counter()))
            for region in regions:
                region.write(value)
        pipe.send("done")


@contextmanager
def written(load: Load, names: list[str], rate: float | None = None) -> Iterator[Connection]:
    """Have a process write to regions: yields the pipe through which it is told how often."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=write_values, args=(theirs, load, names, rate))
    process.start()
    try:
        expect(ours, "ready")
        yield ours
        ours.send(None)
        process.join()
    finally:
        process.kill()
        process.join()


def expect(pipe: Connection, word: str) -> None:
    """Wait for a word of the other process."""
    if not pipe.poll(PATIENCE) or pipe.recv() != word:
        raise TimeoutError(f"the process that writes did not say {word!r}")


@dataclass(frozen=True)
class Recorded:
    """How a round of the recorder went."""

    seconds: float
    cpu: float
    dropped: int
    complete: bool


def record(names: list[str], pipe: Connection, count: int, path: Path, *, lossless: bool) -> Recorded:
    """Record while `count` versions are written to each region."""
    recorder = recording.record(names, path, lossless=lossless, replace=True)
    start, cpu = time.perf_counter(), time.process_time()
    pipe.send(count)
    expect(pipe, "done")
    recorder.close()
    seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
    topics = recorder.status().topics
    # one more where the region had a version before
    complete = all(topic.recorded + topic.dropped in (count, count + 1) for topic in topics)
    return Recorded(seconds, cpu, sum(topic.dropped for topic in topics), complete)


# ---- rows ----


def rates(load: Load, rounds: int, folder: Path) -> list[Row]:
    """The Writer and the recorder beside the libraries, taking turns."""
    path, name = folder / "run.mcap", scratch.name()
    bytes_of(load)
    taken: dict[str, list[float]] = {key: [] for key in (*LIBRARIES, "Writer", "recorder")}
    cpus: dict[str, list[float]] = {key: [] for key in taken}
    with (
        typedshm.create(name, load.schema, slots=load.slots, lossless=True),
        written(load, [name]) as pipe,
    ):
        for _ in range(rounds):
            for key, work in {**LIBRARIES, "Writer": by_writer}.items():
                start, cpu = time.perf_counter(), time.process_time()
                work(load, path)
                taken[key].append(load.count / (time.perf_counter() - start))
                cpus[key].append((time.process_time() - cpu) / load.count)
                path.unlink()
            done = record([name], pipe, load.count, path, lossless=True)
            if done.dropped or not done.complete:
                raise RuntimeError(f"the recorder of a lossless region lost {load.noun}s: {done}")
            taken["recorder"].append(load.count / done.seconds)
            cpus["recorder"].append(done.cpu / load.count)
            path.unlink()
    rows: list[Row] = []
    for key in ("Writer", "recorder"):
        for beside in LIBRARIES:
            ratio = statistics.median(ours / theirs for ours, theirs in zip(taken[key], taken[beside], strict=True))
            bar = BAR if beside == "foxglove-sdk" or beside == "mcap" else None
            value, theirs = statistics.median(taken[key]), statistics.median(taken[beside])
            met = None if bar is None else ratio >= bar
            rows.append(Row(f"{key}, {load.noun}s", value, f"{load.noun}s/s", beside, theirs, ratio, bar, met))
        megabytes = statistics.median(taken[key]) * load.size / 1e6
        rows.append(Row(f"{key}, {load.noun}s, of {load.size:,} bytes", megabytes, "MB/s", "", None, None, None, None))
        cost, theirs = (1e6 * statistics.median(cpus[each]) for each in (key, "foxglove-sdk"))
        label = f"{key}, {load.noun}s: processor time of one"
        rows.append(Row(label, cost, "µs", "foxglove-sdk", theirs, cost / theirs, None, None))
    return rows


def steady(label: str, load: Load, regions: int, rate: float, seconds: float, folder: Path) -> list[Row]:
    """Regions that are written at a pace and wait for nobody: what is lost, and what the recorder takes."""
    names = [scratch.name() for _ in range(regions)]
    opened = [typedshm.create(name, load.schema, slots=load.slots) for name in names]
    path = folder / "steady.mcap"
    try:
        with written(load, names, rate) as pipe:
            done = record(names, pipe, int(rate * seconds), path, lossless=False)
    finally:
        for region in opened:
            region.close()
        path.unlink(missing_ok=True)
    share = done.cpu / done.seconds
    return [
        Row(f"{label}: lost", done.dropped, "versions", "none", 0, None, 0, done.dropped == 0 and done.complete),
        Row(f"{label}: the recorder's processor", 100 * share, "%", "", None, None, None, None),
    ]


def idle(seconds: float, folder: Path) -> Row:
    """A recorder of twenty regions that nobody writes."""
    names = [scratch.name() for _ in range(20)]
    opened = [typedshm.create(name, Record) for name in names]
    try:
        with recording.record(names, folder / "idle.mcap"):
            cpu, start = time.process_time(), time.perf_counter()
            time.sleep(seconds)
            share = (time.process_time() - cpu) / (time.perf_counter() - start)
    finally:
        for region in opened:
            region.close()
    return Row("20 idle regions: the recorder's processor", 100 * share, "%", "2 %", 2, share / 0.02, 1, share <= 0.02)


def table(rows: list[Row]) -> str:
    """Lay the rows out for a terminal."""
    lines = [f"{'':<48}{'value':>20}  {'theirs':>12}  {'ratio':>7}  {'bar':>5}  met  beside"]
    for row in rows:
        value, theirs = _shown(row.value), "" if row.theirs is None else _shown(row.theirs)
        ratio = "" if row.ratio is None else f"{row.ratio:.3f}"
        bar = "" if row.bar is None else f"{row.bar:.2f}"
        met = "" if row.met is None else "yes" if row.met else "NO"
        columns = f"{f'{value} {row.unit}':>20}  {theirs:>12}  {ratio:>7}  {bar:>5}  {met:<3}  {row.beside}"
        lines.append(f"{row.name:<48}{columns}".rstrip())
    return "\n".join(lines)


def _shown(number: float) -> str:
    return f"{number:,.0f}" if number >= 100 or number == int(number) else f"{number:.3g}"


def main(arguments: list[str] | None = None) -> int:
    """Measure, print, and write the JSON if asked to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", metavar="FILE", help="write the rows there as well")
    parser.add_argument("--quick", action="store_true", help="fewer and shorter rounds")
    options = parser.parse_args(arguments)
    rounds, seconds = (3, 2.0) if options.quick else (11, 10.0)
    records = Load("record", Record, 102_400 if options.quick else 512_000, 4096)
    frames = Load("frame", Frame, 48 if options.quick else 120, 8)
    with scratch.place() as folder:
        rows = rates(records, rounds, folder) + rates(frames, rounds, folder)
        rows += steady("20 regions at 1 kHz", Load("record", Record, 0, 256), 20, 1000, seconds, folder)
        rows += steady("1080p at 60 Hz", Load("frame", Frame, 0, 8), 1, 60, seconds, folder)
        rows.append(idle(seconds, folder))
    print(table(rows))
    if options.json:
        Path(options.json).write_text(json.dumps([asdict(row) for row in rows], indent=1), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())

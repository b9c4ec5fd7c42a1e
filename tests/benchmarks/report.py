"""What the READMEs say of speed, in words and tables: all of it in this folder's, a summary on the front page."""

import datetime
import os
import platform
import re
from collections.abc import Callable, Sequence
from pathlib import Path

from measurement import OURS, Death, Measurement
from rows import Row, number

SUMMARISED = (
    "journey: build, write, read elsewhere, look at every field",
    "read a record",
    "write a record",
    "1080p to 3 readers, filled in place, viewed",
    "wake a waiting process",
    "stream records of 80 bytes to one reader, each",
    "attach",
)
"""The rows of the front page."""

BEGIN = "<!-- peers: written by tests/benchmarks/peers.py --publish -->"
END = "<!-- end of peers -->"

COLUMNS = {
    "typedshm": "typedshm",
    "iceoryx2": "iceoryx2",
    "kickmsg": "kickmsg",
    "global_buffer": "global-buffer",
    "pyshmem": "pyshmem",
    "lmdb": "py-lmdb",
    "multiprocessing": "multi&shy;processing",
    "posix_ipc": "posix_ipc",
    "zmq": "pyzmq",
    "momentumx": "momentumx",
    "cloudtoid_interprocess": "cloudtoid-interprocess",
    "redis": "redis",
}
"""Families of peers and the words above their columns."""

WAYS = {
    "typedshm": "typedshm",
    "ctypes": "ctypes",
    "numpy": "numpy",
    "dataclass": "slotted dataclass",
    "msgspec": "msgspec Struct",
}
"""Ways of having a record in a process's own memory, and the words above their columns."""

OBJECTS = ("fields", "objects")
"""The sections in which those stand beside each other."""

Family = Callable[[str], str | None]
"""Says for a peer's label to which family it belongs, or None if it is a limit and no peer."""


def best_of_families(measurement: Measurement, family: Family) -> dict[str, float]:
    """Return the least median of each family, in the measurement's unit."""
    best: dict[str, float] = {}
    for label, cost in measurement.costs.items():
        column = family(label)
        if column is not None:
            best[column] = min(cost.p50, best.get(column, cost.p50))
    return best


def way(label: str) -> str | None:
    """Return the column of :data:`WAYS` that a label has, None for a limit."""
    return label if label in WAYS else None


def split(measurements: Sequence[Measurement]) -> tuple[list[Measurement], list[Measurement]]:
    """Return those in which peers stand beside each other, and those of objects; curves are neither."""
    single = [measurement for measurement in measurements if not measurement.growth]
    return (
        [measurement for measurement in single if measurement.section not in OBJECTS],
        [measurement for measurement in single if measurement.section in OBJECTS],
    )


def insert(readme: Path, text: str) -> None:
    """Put the text between the two marks."""
    before, mark, rest = readme.read_text(encoding="utf-8").partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (mark and end):
        raise SystemExit(f"{readme}: expected the lines {BEGIN!r} and {END!r}, between which the results belong")
    readme.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}", encoding="utf-8")


def markdown(
    measurements: Sequence[Measurement],
    deaths: Sequence[Death],
    rows: Sequence[Row],
    versions: Sequence[str],
    family: Family,
) -> str:
    """All of it."""
    shared, own = split(measurements)
    parts = [
        f"Taken on {today()}, on {machine()}, with {', '.join(versions)}. Medians; everybody takes turns in the same"
        " run, so that what counts is the ratio, the median over the rounds. Readers are processes of their own that"
        " sleep until they are woken (py-lmdb and global-buffer cannot and look again and again).",
        "![What the verbs cost beside the peers](peers.svg)",
        "**Bars.** What typedshm may cost at most, as a share of something else's cost. `memcpy` is `numpy.copyto`,"
        " from four sources to four targets in turn as a ring does, so that neither is in the cache.",
        _bars(measurements, rows),
        "**Side by side.** The best of each family; the smallest number of a row is bold.",
        _side_by_side(shared, family, COLUMNS),
        "**In one process.** What a value costs as a Python object, before it is written and once it is read.",
        "![What fields and whole values cost](objects.svg)",
        _side_by_side(own, way, WAYS),
        f"Torn records, pictures and rows, of those that were looked at meanwhile: {_torn(rows)}.",
        "**Killed.** A writer gets a SIGKILL half-way through a write:",
        _deaths(deaths),
        "How costs grow with fields, bytes, readers and regions: "
        "[growth.svg](growth.svg). All rows, with 99th percentiles: "
        "[peers.json](peers.json).",
    ]
    return "\n\n".join(part for part in parts if part)


def summary(rows: Sequence[Row], family: Family) -> str:
    """Return the front page's part: the picture, some rows beside the fastest peer of each, and every missed bar."""
    peers = [row for row in rows if row.name in SUMMARISED and row.theirs is not None and family(row.peer) is not None]
    fastest: dict[str, Row] = {}
    for row in sorted(peers, key=lambda row: (SUMMARISED.index(row.name), row.theirs)):
        fastest.setdefault(row.name, row)
    lines = [
        [row.name, row.peer, f"{number(row.ours)} {row.unit}", f"{number(row.theirs)} {row.unit}"]
        for row in fastest.values()
    ]
    barred = [row for row in rows if row.bar is not None and row.ratio is not None]
    missed: dict[str, list[str]] = {}
    for row in barred:
        if not row.met:
            missed.setdefault(row.name, []).append(f"{row.ratio:.3f} of {row.peer}, bar {row.bar:.3f}")
    count = len(barred) - sum(len(words) for words in missed.values())
    told = "; ".join(f"{name} ({'; '.join(words)})" for name, words in missed.items())
    parts = [
        "![What the verbs cost beside other libraries](tests/benchmarks/peers.svg)",
        f"Medians, taken on {today()}, on {machine()}. {count} of {len(barred)} bars are met"
        + (f"; missed: {told}." if told else "."),
        _table(["work", "fastest other library", "typedshm", "theirs"], lines, 2),
    ]
    return "\n\n".join(parts)


def today() -> str:
    """Return the date as the READMEs give it."""
    return datetime.datetime.now(datetime.UTC).date().isoformat()


def machine() -> str:
    """Which processor, how many of it, which system."""
    name = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        found = re.search(r"^model name\s*: (.*)$", info.read_text(), re.MULTILINE)
        name = found.group(1) if found else name
    return f"{os.cpu_count()} processors, {name}, {platform.system()} {platform.release().partition('-')[0]}"


def _table(head: Sequence[str], lines: Sequence[Sequence[str]], right: int = 1) -> str:
    """A table whose columns from `right` on are numbers."""
    marks = ["---" if index < right else "--:" for index in range(len(head))]
    return "\n".join(f"| {' | '.join(line)} |" for line in [head, marks, *lines])


def _bars(measurements: Sequence[Measurement], rows: Sequence[Row]) -> str:
    curves = {measurement.name: measurement.growth for measurement in measurements}
    worst: dict[tuple[str, str], Row] = {}
    shown: list[Row] = []
    for row in rows:
        if row.bar is None or row.ratio is None:
            continue
        curve = curves.get(row.name)
        if not curve:
            shown.append(row)
        elif (curve, row.peer) not in worst or row.ratio > (worst[curve, row.peer].ratio or 0):
            worst[curve, row.peer] = row
    lines = [
        [
            f"{row.name}{' (the worst of its curve)' if row in worst.values() else ''}",
            row.peer,
            f"{number(row.ours)} {row.unit}",
            f"{number(row.theirs)} {row.unit}",
            f"{row.ratio:.3f}",
            f"{row.bar:.3f}",
            "yes" if row.met else "**no**",
        ]
        for row in [*shown, *worst.values()]
    ]
    return _table(["work", "beside", "typedshm", "theirs", "ratio", "bar", "met"], lines, 2) if lines else ""


def _side_by_side(measurements: Sequence[Measurement], family: Family, heads: dict[str, str]) -> str:
    lines: list[list[str]] = []
    present: set[str] = set()
    cells: list[tuple[Measurement, dict[str, float]]] = []
    for measurement in measurements:
        best = best_of_families(measurement, family)
        cells.append((measurement, best))
        present |= best.keys()
    columns = [column for column in heads if column in present]
    for measurement, best in cells:
        smallest = min(best.values())
        words = {key: f"**{number(cost)}**" if cost == smallest else number(cost) for key, cost in best.items()}
        lines.append([f"{measurement.name}, {measurement.unit}", *(words.get(column, "") for column in columns)])
    return _table(["", *(heads[column] for column in columns)], lines) if lines else ""


def _torn(rows: Sequence[Row]) -> str:
    torn: dict[str, int] = {OURS: max((row.ours_torn or 0 for row in rows), default=0)}
    for row in rows:
        if row.theirs_torn is not None:
            torn[row.peer] = max(torn.get(row.peer, 0), row.theirs_torn)
    some = [f"{label} {count}" for label, count in torn.items() if count]
    return "; ".join(some) if some else "none, with any of them"


def _deaths(deaths: Sequence[Death]) -> str:
    lines = [
        [
            death.peer,
            death.reads,
            death.next_write + (f", {number(1e6 * death.seconds)} µs" if death.seconds is not None else ""),
            death.then,
        ]
        for death in deaths
    ]
    return _table(["peer", "readers", "the next writer", "readers thereafter"], lines, 4) if lines else ""

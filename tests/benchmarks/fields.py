"""One field of one record in a process's own memory: to get it and to set it, by its kind.

Everybody hands out and takes the same Python values: who keeps bytes or numbers instead converts them by hand. NumPy's
own scalars, which it has instead of numbers, count as the same.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import kinds
import numpy as np
import statements
from kinds import KINDS, LENGTH, Gear, Lights, PlainFull
from measurement import OURS, Measurement, Plan
from statements import Statement

VIEW = "np.ndarray(shape, dtype, buffer, offset)"
COPY_ARRAY, COPY_TUPLE = "dst[:] = src", "dst[:] = tuple"
MAKE_DATETIME, MAKE_DATETIME64 = "datetime(…)", "np.datetime64(…)"

BARS = {
    "number": ({"ctypes": 1.0}, {"ctypes": 0.9}),
    "count": ({"ctypes": 1.0}, {"ctypes": 0.9}),
    "on": ({"ctypes": 1.0}, {"ctypes": 0.9}),
    "moment": ({MAKE_DATETIME: 1.2}, {MAKE_DATETIME: 1.2}),
    "instant": ({MAKE_DATETIME64: 1.2}, {MAKE_DATETIME64: 1.2}),
}
"""For getting and setting a field: at most which share of what."""

BY_HAND = {
    ("ctypes", "gear"): ("Gear(record.gear)", "record.gear = value"),
    ("ctypes", "lights"): ("Lights(record.lights)", "record.lights = value"),
    ("ctypes", "name"): ("record.name.decode()", "record.name = value.encode()"),
    ("ctypes", "raw"): ("bytes(record.raw)", "record.raw[:] = value"),
    ("ctypes", "moment"): ("fromtimestamp(record.moment, UTC)", "record.moment = value.timestamp()"),
    ("ctypes", "instant"): ("datetime64(record.instant, 'ns')", "record.instant = int(value.astype(int64))"),
    ("numpy", "gear"): ("Gear(record['gear'])", "record['gear'] = value"),
    ("numpy", "lights"): ("Lights(record['lights'])", "record['lights'] = value"),
    ("numpy", "name"): ("record['name'].decode()", "record['name'] = value.encode()"),
    ("numpy", "raw"): ("record['raw'].tobytes()", "record['raw'] = value"),
    ("numpy", "moment"): (
        "record['moment'].item().replace(tzinfo=UTC)",
        "record['moment'] = value.replace(tzinfo=None)",
    ),
}
"""Where a value takes more than its name: how to get and to set it."""

CONSTRUCTORS = {
    "moment": (MAKE_DATETIME, "datetime(2026, 11, 29, 12, 30, 0, 250001, UTC)"),
    "instant": (MAKE_DATETIME64, "datetime64(1795955400000000001, 'ns')"),
}
"""What is also measured beside a field: the constructor of its values."""

NAMES: dict[str, Any] = {
    "Gear": Gear,
    "Lights": Lights,
    "UTC": UTC,
    "datetime": datetime,
    "fromtimestamp": datetime.fromtimestamp,
    "datetime64": np.datetime64,
    "int64": np.int64,
    "ndarray": np.ndarray,
    "frombuffer": np.frombuffer,
    "double": np.dtype(np.float64),
    "buffer": bytearray(8 + 8 * LENGTH),
    "offset": PlainFull.array.offset,
}


@dataclass
class Case:
    """Something that is done with a field, and how each does it."""

    name: str
    sides: dict[str, Statement]
    bars: dict[str, float] = field(default_factory=dict)


def measure(plan: Plan) -> list[Measurement]:
    """Every case."""
    return [Measurement("fields", case.name, "ns", statements.costs(case.sides, plan), case.bars) for case in cases()]


def cases() -> Iterator[Case]:
    """Every kind, and the array in each way that it is used; all of them do what they are to do."""
    values = kinds.values()
    ways = kinds.ways()
    taken = {label: way.taken(values) for label, way in ways.items()}
    records = {label: way.full(**taken[label]) for label, way in ways.items()}
    for name, kind in KINDS.items():
        gets: dict[str, Statement] = {}
        sets: dict[str, Statement] = {}
        for label, record in records.items():
            value = taken[label][name] if name == "pose" else values[name]
            names = {**NAMES, "record": record, "value": value}
            gets[label], sets[label] = (Statement(source, names) for source in spelled(label, name))
            check(f"{label}: {kind}", gets[label], sets[label], value)
        if name in CONSTRUCTORS:
            label, source = CONSTRUCTORS[name]
            gets[label] = sets[label] = Statement(source, NAMES)
        get_bars, set_bars = BARS.get(name, ({}, {}))
        yield Case(f"get {kind}", gets, get_bars)
        yield Case(f"set {kind}", sets, set_bars)
    yield from arrays(records, values["array"])


def spelled(label: str, name: str) -> tuple[str, str]:
    """How one gets and sets a field."""
    plain = f"record['{name}']" if label == "numpy" else f"record.{name}"
    return BY_HAND.get((label, name), (plain, f"{plain} = value"))


def check(what: str, get: Statement, put: Statement, value: Any) -> None:
    """Insist on getting what was set."""
    put.execute()
    found = get.evaluate()
    equal = np.array_equal(found, value) if isinstance(found, np.ndarray) else found == value
    if not equal and not isinstance(value, kinds.PlainPose):  # which ctypes compares by identity
        raise AssertionError(f"{what}: expected {value!r}, found {found!r}")


def arrays(records: dict[str, Any], value: Any) -> Iterator[Case]:
    """The array of seven: as a view, from an equal array, from a tuple."""
    views = {label: spelled(label, "array")[0] for label in records}
    views["ctypes"] = f"frombuffer(record, double, {LENGTH}, offset)"
    puts = {label: spelled(label, "array")[1] for label in (OURS, "numpy")}
    for name, sources, given, floor, source, bar in (
        ("get an array of 7, as a view", views, value, VIEW, f"ndarray(({LENGTH},), double, buffer, 8)", 0.5),
        (
            "set an array of 7 from an ndarray",
            puts | {"ctypes": "record.array[:] = value.tolist()"},
            *(value, COPY_ARRAY, "target[:] = value", 0.7),
        ),
        (
            "set an array of 7 from a tuple",
            puts | {"ctypes": "record.array[:] = value"},
            *(tuple(value.tolist()), COPY_TUPLE, "target[:] = value", 0.5),
        ),
    ):
        names = {**NAMES, "value": given, "target": np.zeros_like(value)}
        sides = {label: Statement(of_label, {**names, "record": records[label]}) for label, of_label in sources.items()}
        for label, side in sides.items():
            check(f"{label}: {name}", Statement(views[label], side.names), side, value)
        yield Case(name, sides | {floor: Statement(source, names)}, {floor: bar})

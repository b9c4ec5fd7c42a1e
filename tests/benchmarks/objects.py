"""Whole values as Python objects: to construct one, `==`, asdict, repr, copy and pickle.

One record has a field of each kind but arrays, the other also two arrays. Everybody is given what it takes as it is,
so that ctypes and NumPy have nothing to convert.
"""

import copy
import dataclasses
import pickle
from collections.abc import Callable
from typing import Any

import kinds
import statements
from kinds import ARRAYS, KINDS, MSGSPEC, Way
from measurement import OURS, Measurement, Plan
from statements import Statement

import typedshm

FLAT = f"a record of {len(KINDS)} kinds"
FULL = f"{FLAT} and {len(ARRAYS)} arrays"

COPIES = 5
CONSTRUCT, EQUAL = "construct", "compare"
SOURCES = {
    EQUAL: "one == other",
    "asdict": "asdict(one)",
    "repr": "repr(one)",
    "copy": "copy(one)",
    "pickle and unpickle": "loads(dumps(one))",
}
UNLIKE = {(EQUAL, "ctypes"), ("repr", "ctypes")}
"""What compares by identity and shows no field."""

BARS = {CONSTRUCT: {"ctypes": 3.0}}
FLAT_BARS = BARS | {EQUAL: {"dataclass": 2.0}, "asdict": {"dataclass": 2.0}, "repr": {"dataclass": 2.0}}
"""Without arrays, of which dataclasses know no more than that they are objects."""


def measure(plan: Plan) -> list[Measurement]:
    """Both records."""
    ways = kinds.ways()
    flat = {label: way.flat for label, way in ways.items()}
    full = {label: way.full for label, way in ways.items()}
    return [
        *_of(FLAT, flat, ways, list(KINDS), FLAT_BARS, plan),
        *_of(FULL, full, ways, [*KINDS, *ARRAYS], BARS, plan),
    ]


def _of(
    what: str,
    makers: dict[str, Callable[..., Any]],
    ways: dict[str, Way],
    names: list[str],
    bars: dict[str, dict[str, float]],
    plan: Plan,
) -> list[Measurement]:
    sides: dict[str, dict[str, Statement]] = {verb: {} for verb in (CONSTRUCT, *SOURCES)}
    for label, make in makers.items():
        given, again = ({name: ways[label].taken(kinds.values())[name] for name in names} for _ in range(2))
        arguments = ", ".join(f"{name}={name}" for name in names)
        sides[CONSTRUCT][label] = Statement(f"make({arguments})", {"make": make, **given})
        known = {
            "one": make(**given),
            "other": make(**again),
            "asdict": _asdict(label),
            "copy": copy.copy,
            "loads": pickle.loads,
            "dumps": pickle.dumps,
        }
        for verb, source in SOURCES.items():
            with_arrays = verb == EQUAL and what == FULL and label != OURS  # which fails, or answers with an array
            if (verb, label) not in UNLIKE and not with_arrays and (verb != "asdict" or known["asdict"]):
                sides[verb][label] = Statement(source, known)
    for label, statement in sides[EQUAL].items():
        if not statement.evaluate():
            raise AssertionError(f"{label}: expected two equal values")
    return [
        Measurement("objects", f"{verb} {what}", "ns", statements.costs(of_verb, plan, COPIES), bars.get(verb, {}))
        for verb, of_verb in sides.items()
    ]


def _asdict(label: str) -> Callable[[Any], dict[str, Any]] | None:
    found: dict[str, Callable[[Any], dict[str, Any]]] = {OURS: typedshm.asdict, "dataclass": dataclasses.asdict}
    if MSGSPEC is not None:
        found["msgspec"] = MSGSPEC.structs.asdict
    return found.get(label)

"""Where each nanosecond goes: every verb and kind of field beside what it cannot do without, in the same run.

What it cannot do without are floors, each timed by itself: how Python gets into C and back, an object, one exchange of
a word, one fence, a look at the clock, a copy. `floors.c` has those that are C's; it is compiled when it is needed.
"""

import importlib.util
import os
import shlex
import shutil
import statistics
import subprocess
import sys
import sysconfig
import tempfile
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import fields
import kinds
import numpy as np
import rounds
import statements
from measurement import OURS
from schemas import Record
from statements import Statement

import typedshm

SOURCE = Path(__file__).with_suffix(".c")

CALL, GETSET, OBJECT = "an empty METH_FASTCALL", "an empty C getset", "an object made and freed"
EXCHANGE, FENCE, CLOCK = "one CAS", "one fence", "clock_gettime"
SMALL, LARGE = "memcpy of 80 bytes", "memcpy of 4 KiB"
ATTRIBUTE = "an attribute of a slotted dataclass"
SET = ", set"

LOCKED = {EXCHANGE: 2, FENCE: 2, CLOCK: 1}
"""What every write takes: a lock and its return, a mark before the bytes, a look for sleepers, the time."""


@dataclass
class Line:
    """A floor, or something that is made of some."""

    name: str
    ns: float
    floors: dict[str, int]
    floor_ns: float | None
    rest_ns: float | None


class NoCompiler(Exception):
    """There is nothing to compile C with."""


# ---- the extension ----


def compiler() -> list[str]:
    """Return the command of a C compiler: $CC, the system's, or zig, which comes as a package."""
    if given := shlex.split(os.environ.get("CC", "")):
        if shutil.which(given[0]):
            return given
        raise NoCompiler(f"--floors takes a C compiler, and {given[0]!r} of the variable CC is none that can be found")
    for name in ("cc", "gcc", "clang"):
        if shutil.which(name):
            return [name]
    if importlib.util.find_spec("ziglang"):
        return [sys.executable, "-m", "ziglang", "cc"]
    raise NoCompiler(
        "--floors takes a C compiler, and there is no cc, gcc or clang here; install one, or 'pip install ziglang'"
    )


def compiled(folder: Path) -> ModuleType:
    """Compile and import `floors.c`."""
    if sys.platform == "win32":
        raise NoCompiler("--floors is for POSIX systems: floors.c reads their clock, and is linked as they link")
    include = Path(sysconfig.get_path("include"))
    if not (include / "Python.h").is_file():
        raise NoCompiler(f"--floors takes Python's headers, and there is no {include / 'Python.h'}")
    target = folder / f"floors{sysconfig.get_config_var('EXT_SUFFIX')}"
    options = ["-std=c11", "-O2", "-Wall", "-Wextra", "-Werror", "-fPIC", "-shared", f"-I{include}"]
    options += ["-undefined", "dynamic_lookup"] if sys.platform == "darwin" else []
    done = subprocess.run(
        [*compiler(), *options, "-o", str(target), str(SOURCE)], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise NoCompiler(f"--floors: the compiler refused {SOURCE.name}:\n{done.stderr}")
    spec = importlib.util.spec_from_file_location("floors", target)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


# ---- what is timed ----


@dataclass
class Work:
    """A statement that does the same thing some times, and the floors that one of them stands on."""

    statement: Statement
    floors: dict[str, int]
    times: int = 1


def _floors(c: ModuleType) -> dict[str, Work]:
    record = kinds.ClassPose(1.0, 2.0)
    names = {"empty": c.empty, "value": 1.5, "record": record, "make": object, "c": c}
    python = {
        CALL: "empty.call(value)",
        GETSET: "empty.member",
        GETSET + SET: "empty.member = value",
        OBJECT: "make()",
        ATTRIBUTE: "record.x",
        ATTRIBUTE + SET: "record.x = value",
    }
    in_c = {
        EXCHANGE: "c.exchange()",
        FENCE: "c.fence()",
        CLOCK: "c.look_at_clock()",
        SMALL: "c.copy(80)",
        LARGE: "c.copy(4096)",
    }
    return {key: Work(Statement(source, names), {}) for key, source in python.items()} | {
        key: Work(Statement(source, names), {}, c.TIMES) for key, source in in_c.items()
    }


def _verbs(record: typedshm.Region[Record], array: "typedshm.Region[np.ndarray]") -> dict[str, Work]:
    value = Record.zero()
    record.write(value)
    large = np.zeros(4096, np.uint8)
    array.write(large)
    names = {"region": record, "array": array, "value": value, "large": large, "number": 1.5}
    block = {CALL: 3, OBJECT: 1}
    works = {
        "read()": ("region.read()", {CALL: 1, OBJECT: 1, SMALL: 1}),
        "read_into()": ("region.read_into(value)", {CALL: 1, SMALL: 1}),
        "write()": ("region.write(value)", {CALL: 1, SMALL: 1, **LOCKED}),
        "update() of three fields": (
            "with region.update() as one: one.x = number; one.y = number; one.z = number",
            {**block, GETSET + SET: 3, SMALL: 2, **LOCKED},
        ),
        "loan() of one field": (
            "with region.loan() as one: one.x = number",
            {**block, GETSET + SET: 1, **LOCKED},
        ),
        "borrow() of one field": (
            "with region.borrow() as one: one.x",
            {**block, GETSET: 1, EXCHANGE: 2, FENCE: 1},
        ),
        "read_into() of 4 KiB": ("array.read_into(large)", {CALL: 1, LARGE: 1}),
        "write() of 4 KiB": ("array.write(large)", {CALL: 1, LARGE: 1, **LOCKED}),
    }
    return {name: Work(Statement(source, names), floors) for name, (source, floors) in works.items()}


def _fields() -> Iterator[tuple[str, Work]]:
    for case in fields.cases():
        of = {GETSET + SET: 1} if case.name.startswith("set ") else {GETSET: 1}
        yield case.name, Work(case.sides[OURS], of)


# ---- the table ----


def measure(turns: int) -> list[Line]:
    """Everything takes turns."""
    with (
        tempfile.TemporaryDirectory() as folder,
        typedshm.create(f"benchmark-{uuid.uuid4().hex[:12]}", Record) as record,
        typedshm.create(f"benchmark-{uuid.uuid4().hex[:12]}", typedshm.array(np.uint8, 4096)) as array,
    ):
        works = _floors(compiled(Path(folder))) | _verbs(record, array) | dict(_fields())
        repeated = {name: work.statement.repeated() for name, work in works.items()}
        taken = rounds.turns(repeated, turns, statements.TURN, rounds.processor_time)
    ns = {name: 1e9 * statistics.median(times) / statements.COPIES / works[name].times for name, times in taken.items()}
    return [summed(name, ns, works[name].floors) for name in works]


def summed(name: str, ns: dict[str, float], floors: dict[str, int]) -> Line:
    """Sum up the floors of one, and say how much is left."""
    if not floors:
        return Line(name, ns[name], {}, None, None)
    least = sum(count * ns[floor] for floor, count in floors.items())
    return Line(name, ns[name], floors, least, ns[name] - least)


def table(lines: Sequence[Line]) -> str:
    """Lay them out for a terminal: the floors, then what stands on them."""
    shown = [f"{'floor':<44}{'ns':>10}"]
    shown += [f"{line.name:<44}{line.ns:>10.1f}" for line in lines if line.floor_ns is None]
    shown += ["", f"{'verb or field':<44}{'ns':>10}{'floors':>10}{'rest':>10}{'ratio':>8}  of"]
    for line in lines:
        if line.floor_ns is not None and line.rest_ns is not None:
            parts = ", ".join(f"{count} x {floor}" if count > 1 else floor for floor, count in line.floors.items())
            numbers = f"{line.ns:>10.1f}{line.floor_ns:>10.1f}{line.rest_ns:>10.1f}{line.ns / line.floor_ns:>8.2f}"
            shown.append(f"{line.name:<44}{numbers}  {parts}")
    return "\n".join(shown)

"""What tables cost: beside a region, beside NumPy's arrays in SharedMemory, and beside other blackboards."""

import contextlib
import itertools
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import scratch
import storms
from adapters.base import Boards, create
from measurement import BLACKBOARD, KICKMSG, OURS, Measurement, Plan
from numpy.typing import NDArray
from remote import Remote
from rounds import Cost, per_call, processor_time, turns
from schemas import NAMES, Record

import typedshm
from typedshm import Shape, Struct, f32, u64

REGION = "a region"
EMPTY = "a region of the same schema"
INDEXED, TAKEN = "a[idx]", "np.take(a, idx, out=)"
ROWS, BATCH = 100_000, 256
MANY = 10_000_000
MEMORY = Path("/dev/shm")


class Transition(Struct):
    """One step of an agent, 560 bytes."""

    number: u64
    state: Annotated[NDArray[np.float32], Shape(64)]
    action: Annotated[NDArray[np.float32], Shape(8)]
    reward: f32
    done: f32
    next_state: Annotated[NDArray[np.float32], Shape(64)]


class Number(Struct):
    """Eight bytes."""

    number: u64 = 0


def measure(plan: Plan) -> list[Measurement]:
    """All of it."""
    return [*_single(plan), *_batches(plan), *storms.measure(plan), _attached(plan), *_boards(plan)]


def _costs(plan: Plan, works: dict[str, Callable[[], object]], scale: float = 1e6) -> dict[str, Cost]:
    found = turns(works, plan.rounds, 0.02 if plan.quick else 0.1, processor_time)
    return {label: Cost.of_turns([scale * turn for turn in taken]) for label, taken in found.items()}


def _single(plan: Plan) -> list[Measurement]:
    """One row, beside the same value in a region."""
    value = Record(**dict.fromkeys(NAMES, 3))
    with (
        typedshm.create(scratch.name(), typedshm.rows(Record, 1_000)) as table,
        typedshm.create(scratch.name(), Record) as region,
    ):
        table[:] = value

        def write() -> None:
            table[17] = value

        writes = _costs(plan, {OURS: write, REGION: lambda: region.write(value)})
        reads = _costs(plan, {OURS: lambda: table[17], REGION: region.read})
        assert table[17] == region.read() == value
    return [
        Measurement("tables", "write a row", "µs", writes, {REGION: 1.3}),
        Measurement("tables", "read a row", "µs", reads),
    ]


def _batches(plan: Plan) -> list[Measurement]:
    """Rows at random places, other ones each time."""
    generator = np.random.default_rng(1)
    indices = itertools.cycle([generator.integers(ROWS, size=BATCH) for _ in range(1024)])
    dtype = Transition.layout.dtype
    array: NDArray[np.void] = np.zeros(ROWS, dtype)
    array["number"] = np.arange(ROWS)
    ours, theirs = np.empty(BATCH, dtype), np.empty(BATCH, dtype)
    with typedshm.create(scratch.name(), typedshm.rows(Transition, ROWS)) as table:
        table[:] = array
        works: dict[str, Callable[[], object]] = {
            OURS: lambda: table.read(next(indices)),
            INDEXED: lambda: array[next(indices)],
        }
        new = _costs(plan, works)
        works = {
            OURS: lambda: table.read(next(indices), out=ours),
            TAKEN: lambda: np.take(array, next(indices), out=theirs, mode="clip"),
        }
        filled = _costs(plan, works)
        some = next(indices)
        assert np.array_equal(table.read(some), array[some])
    what = f"read {BATCH} random rows of {dtype.itemsize} bytes"
    return [
        Measurement("tables", what, "µs", new, {INDEXED: 0.5}),
        Measurement("tables", f"{what} into an array", "µs", filled, {TAKEN: 1.5}),
    ]


# ---- to attach ----


class Visitor:
    """In a process that has no share in the memory but for what it does with it."""

    def attach(self, names: list[str], count: int, seconds: float) -> list[list[float]]:
        """Return the microseconds to attach and close, for each, turn by turn."""
        works = [_newcomer(name) for name in names]
        taken: list[list[float]] = [[] for _ in works]
        for number in range(count):
            for index in range(len(works)) if number % 2 else reversed(range(len(works))):
                taken[index].append(1e6 * per_call(works[index], seconds, processor_time))
        return taken

    def close(self) -> None:
        """Leave."""


def _newcomer(name: str) -> Callable[[], object]:
    return lambda: typedshm.attach(name).close()


def _attached(plan: Plan) -> Measurement:
    """A table as large as there is room for, beside a region in which nothing was written yet."""
    row = 128
    room = min(plan.memory, shutil.disk_usage(MEMORY).free // 2 if MEMORY.is_dir() else plan.memory)
    count = min(MANY, room // row)
    if count < MANY:
        print(f"there is no room for {MANY:,} rows, so that the table has {count:,}", flush=True)
    with (
        typedshm.create(scratch.name(), typedshm.rows(Number, count)) as table,
        typedshm.create(scratch.name(), Number) as region,
        Remote(Visitor) as visitor,
    ):
        assert table.info().row_size == row
        visitor.end()
        names = [str(table.name), str(region.name)]
        found = visitor.call("attach", names, plan.rounds, 0.01 if plan.quick else 0.03)
    costs = {label: Cost.of_turns(taken) for label, taken in zip((OURS, EMPTY), found, strict=True)}
    return Measurement("tables", f"attach to a table of {count:,} rows of 8 bytes", "µs", costs, {EMPTY: 2.0})


# ---- by key ----


def _boards(plan: Plan) -> list[Measurement]:
    """A thousand keys, one after the other, so that none is in the caches because it was the last."""
    kinds: list[type[Boards]] = plan.kinds("BOARDS")
    with contextlib.ExitStack() as stack:
        boards: dict[str, Boards] = {}
        for kind in kinds:
            boards[kind.label], _ = create(stack, kind)
        values = {label: board.value(3) for label, board in boards.items()}
        works: dict[str, Callable[[], object]] = {
            label: lambda board=board, value=values[label]: board.write_all(value) for label, board in boards.items()
        }
        writes = _costs(plan, works, 1e6 / Boards.keys)
        reads = _costs(plan, {label: board.read_all for label, board in boards.items()}, 1e6 / Boards.keys)
        for label, board in boards.items():
            record: Any = board.read_all()
            assert record.tick == record.charge == 3, f"{label}: read {record.tick}"
    bars = {BLACKBOARD: 1 / 4, KICKMSG: 0.8}
    return [
        Measurement("tables", f"write a record of {Boards.keys:,} keys", "µs", writes, bars),
        Measurement("tables", f"read a record of {Boards.keys:,} keys", "µs", reads, bars),
    ]

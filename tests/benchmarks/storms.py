"""A table under fire: four processes append, one samples; beside SharedMemory and NumPy, and beside one that appends.

The sampler takes a batch a millisecond, as a fast learner does, and leaves the processors to the writers otherwise.
Beside SharedMemory the clock on the wall counts, since whoever waits for a lock uses no processor. Beside one that
appends alone it is the time of each writer, asleep or not, without that in which it was ready and others had the
processors: there are not as many of them as writers.
"""

import contextlib
import multiprocessing
import time
from collections.abc import Callable
from multiprocessing.shared_memory import SharedMemory
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import scratch
from measurement import OURS, Measurement, Plan
from numpy.typing import NDArray
from remote import Remote
from rounds import Cost

import typedshm
from typedshm import Shape, Struct

PLAIN = "SharedMemory + NumPy"
ALONE = "alone"
WRITERS, ROWS, BATCH, PREPARED = 4, 100_000, 256, 256
PAUSE = 0.001
SHARE = 0.7
"""How much n processors have to write of what n writers would that are alone: each of them may take 1 / 0.7 as long."""


class Row(Struct):
    """560 bytes, all of whose numbers are the same in a whole row."""

    numbers: Annotated[NDArray[np.float32], Shape(140)]


DTYPE = Row.layout.dtype

Sample = Callable[[NDArray[np.int64]], NDArray[np.void]]
"""Reads a batch of rows."""


class Table:
    """A table, in a process that appends."""

    def __init__(self, name: str, writer: int) -> None:
        self.table = typedshm.attach(name, typedshm.rows(Row))
        self.values = [Row(numbers=numbers) for numbers in _numbers(writer)]

    def append(self, seconds: float) -> tuple[float, float]:
        """Append for so long; returns rows per second, on the wall and of its own."""
        return _repeat(self.table.append, self.values, seconds)

    def close(self) -> None:
        """Leave."""
        self.table.close()


class Plain:
    """What people write: an array in SharedMemory, and a number under its lock that says who is to write where."""

    def __init__(self, name: str, position: Any, writer: int) -> None:
        self.memory = SharedMemory(name)
        self.position = position
        self.values = list(np.array([(numbers,) for numbers in _numbers(writer)], DTYPE))

    def append(self, seconds: float) -> tuple[float, float]:
        """Append for so long; returns rows per second, on the wall and of its own."""
        rows: NDArray[np.void] = np.ndarray(ROWS, DTYPE, self.memory.buf)
        position = self.position

        def append(value: Any) -> None:
            with position.get_lock():
                index = position.value % ROWS
                position.value += 1
            rows[index] = value

        return _repeat(append, self.values, seconds)

    def close(self) -> None:
        """Leave."""
        self.memory.close()


def _numbers(writer: int) -> "list[NDArray[np.float32]]":
    return [np.full(140, writer * PREPARED + number, np.float32) for number in range(PREPARED)]


def _ready() -> float:
    """Seconds in which this thread could have run and others did, as far as the system tells."""
    try:
        return int(Path("/proc/thread-self/schedstat").read_text(encoding="ascii").split()[1]) / 1e9
    except (OSError, IndexError):
        return 0.0


def _repeat(append: Any, values: list[Any], seconds: float) -> tuple[float, float]:
    count, start, waited = 0, time.perf_counter(), _ready()
    while (taken := time.perf_counter() - start) < seconds:
        for value in values:
            append(value)
        count += len(values)
    return count / taken, count / max(taken - (_ready() - waited), 1e-9)


def _torn(batch: NDArray[np.void]) -> int:
    numbers = batch["numbers"]
    return int((numbers != numbers[:, :1]).any(axis=1).sum())


def measure(plan: Plan) -> list[Measurement]:
    """Four writers of both, and one of ours, in turn."""
    walls: dict[str, list[float]] = {OURS: [], PLAIN: [], ALONE: []}
    owns: dict[str, list[float]] = {label: [] for label in walls}
    torn = dict.fromkeys(walls, 0)
    with contextlib.ExitStack() as stack:
        table = stack.enter_context(typedshm.create(scratch.name(), typedshm.rows(Row, ROWS)))
        table[:] = Row.zero()
        memory = SharedMemory(scratch.name(), create=True, size=ROWS * DTYPE.itemsize)  # of zeros
        stack.callback(memory.unlink)
        stack.callback(memory.close)
        position = multiprocessing.get_context("spawn").Value("q", 0)
        ours = [stack.enter_context(Remote(Table, str(table.name), number)) for number in range(WRITERS)]
        plain = [stack.enter_context(Remote(Plain, memory.name, position, number)) for number in range(WRITERS)]
        for writer in (*ours, *plain):
            writer.end()

        def sample_plain(indices: NDArray[np.int64]) -> NDArray[np.void]:
            return np.ndarray(ROWS, DTYPE, memory.buf)[indices]

        sides: dict[str, tuple[list[Remote], Sample]] = {
            OURS: (ours, table.read),
            PLAIN: (plain, sample_plain),
            ALONE: (ours[:1], table.read),
        }
        for number in range(plan.rounds):
            for label in list(sides) if number % 2 else reversed(sides):
                wall, own, more = _storm(*sides[label], 0.3 if plan.quick else 1.0)
                walls[label].append(wall)
                owns[label].append(own)
                torn[label] += more
    together = {label: Cost.of_turns(walls[label]) for label in (OURS, PLAIN)}
    for label, cost in together.items():
        cost.torn = torn[label]
    each = {label: Cost.of_turns(owns[label]) for label in (OURS, ALONE)}
    what = f"append a row of {DTYPE.itemsize} bytes"
    return [
        Measurement("tables", f"{what}, {WRITERS} writers and a sampler", "µs", together, {PLAIN: 1 / 2}),
        Measurement("tables", f"{what}, each of {WRITERS} writers", "µs", each, {ALONE: 1 / SHARE}),
    ]


def _storm(writers: list[Remote], sample: Sample, seconds: float) -> tuple[float, float, int]:
    """Let them append, and sample meanwhile.

    Returns the microseconds from row to row of all, those of each for a row, and how many were torn.
    """
    generator = np.random.default_rng(1)
    torn = 0
    for writer in writers:
        writer.begin("append", seconds)
    while not all(writer.answered for writer in writers):
        torn += _torn(sample(generator.integers(ROWS, size=BATCH)))
        time.sleep(PAUSE)
    rates = [writer.end() for writer in writers]
    return 1e6 / sum(wall for wall, _ in rates), 1e6 * len(rates) / sum(own for _, own in rates), torn

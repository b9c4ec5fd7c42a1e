"""A table under fire: four processes append, one samples; beside SharedMemory and NumPy, and beside one that appends.

By the clock on the wall, since whoever waits for a lock uses no processor. The sampler takes a batch a millisecond, as
a fast learner does, and leaves the processors to the writers otherwise.
"""

import contextlib
import multiprocessing
import os
import time
from collections.abc import Callable
from multiprocessing.shared_memory import SharedMemory
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
ONE = "one writer"
WRITERS, ROWS, BATCH, PREPARED = 4, 100_000, 256, 256
PAUSE = 0.001
SHARE = 0.7
"""Of what as many single writers would write as there are processors, how much four have to."""


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

    def append(self, seconds: float) -> float:
        """Append for so long; returns rows per second."""
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

    def append(self, seconds: float) -> float:
        """Append for so long; returns rows per second."""
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


def _repeat(append: Any, values: list[Any], seconds: float) -> float:
    count, start = 0, time.perf_counter()
    while (taken := time.perf_counter() - start) < seconds:
        for value in values:
            append(value)
        count += len(values)
    return count / taken


def _torn(batch: NDArray[np.void]) -> int:
    numbers = batch["numbers"]
    return int((numbers != numbers[:, :1]).any(axis=1).sum())


def measure(plan: Plan) -> list[Measurement]:
    """Four writers of both, and one of ours, in turn."""
    turns: dict[str, list[float]] = {OURS: [], PLAIN: [], ONE: []}
    torn = dict.fromkeys(turns, 0)
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
            ONE: (ours[:1], table.read),
        }
        for number in range(plan.rounds):
            for label in list(sides) if number % 2 else reversed(sides):
                cost, more = _storm(*sides[label], 0.3 if plan.quick else 1.0)
                turns[label].append(cost)
                torn[label] += more
    costs = {label: Cost.of_turns(taken) for label, taken in turns.items()}
    for label, cost in costs.items():
        cost.torn = torn[label]
    processors = min(WRITERS, os.cpu_count() or 1)
    what = f"{WRITERS} processes append, one samples: a row of {DTYPE.itemsize} bytes"
    bars = {PLAIN: 1 / 2, ONE: 1 / (SHARE * processors)}
    return [Measurement("tables", what, "µs", costs, bars)]


def _storm(writers: list[Remote], sample: Sample, seconds: float) -> tuple[float, int]:
    """Let them append, and sample meanwhile; returns the microseconds from row to row, and how many were torn."""
    generator = np.random.default_rng(1)
    torn = 0
    for writer in writers:
        writer.begin("append", seconds)
    while not all(writer.answered for writer in writers):
        torn += _torn(sample(generator.integers(ROWS, size=BATCH)))
        time.sleep(PAUSE)
    return 1e6 / sum(writer.end() for writer in writers), torn

"""What storms have in common: values that prove to be whole, counts that outlive who counted, processes to be killed.

Every value proves that it is whole, and says its version where its writer knew that. What a process counts stands in
memory that it shares with the test, so it outlives the process.
"""

import ctypes
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray

import typedshm
from peers import Child, SharedBytes, until
from typedshm import Shape, Struct
from wire import WORD_OWNER


class Small(Struct):
    """A record: copied under the GIL, and by update() on a copy."""

    words: Annotated[NDArray[np.uint64], Shape(10)]


class Large(Struct):
    """A frame: copied without the GIL, and changed by update() in its slot."""

    words: Annotated[NDArray[np.uint64], Shape(20_000)]


# ---- values --------------------------------------------------------------------------------------------------------

PATTERN = np.arange(20_000, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
BLIND = 1 << 63
"""Marks the number of a value whose writer could not know which version it would become."""


def words_of(value: Struct) -> "NDArray[np.uint64]":
    """All of a value's bytes, in place."""
    return np.frombuffer(value, np.uint64)


def fill(words: "NDArray[np.uint64]", number: int) -> None:
    """Make it the whole value of that number."""
    np.add(PATTERN[: len(words)], np.uint64(number), out=words)


def is_whole(words: "NDArray[np.uint64]") -> bool:
    """True if every word follows from the first, which is the number."""
    return bool((words - PATTERN[: len(words)] == words[0]).all())


def is_true(words: "NDArray[np.uint64]", version: int) -> bool:
    """True if it is whole, and the value of that version."""
    number = int(words[0])
    return is_whole(words) and (number == version or number >= BLIND)


# ---- what is counted -----------------------------------------------------------------------------------------------


def row_of(*names: str) -> Any:
    """A class of rows of counts; the first of each is the presence entry + 1, or 0 while the process gets going."""
    return type("Row", (ctypes.Structure,), {"_fields_": tuple((name, ctypes.c_uint64) for name in ("entry", *names))})


@dataclass(frozen=True)
class Lane:
    """A process and those that take its place when it is killed: which region, and where their counts stand."""

    name: str | Path
    schema: type[Any]
    slots: int
    rows: tuple[str, ...]
    board: SharedBytes
    number: int

    def row(self, number: int | None = None) -> Any:
        """The counts of this lane, or of another."""
        row = row_of(*self.rows)
        return row.from_buffer(self.board, (self.number if number is None else number) * ctypes.sizeof(row))

    def attach(self, *, readonly: bool = False) -> tuple[Any, Any]:
        """The region, and this lane's counts."""
        region = typedshm.attach(self.name, self.schema, readonly=readonly)
        row = self.row()
        row.entry = WORD_OWNER if readonly else region._memory.mutex.entry + 1
        return region, row


# ---- processes -----------------------------------------------------------------------------------------------------


class Crew:
    """Processes that share a region, and one by one are killed and replaced."""

    def __init__(
        self, name: str | Path, schema: type[Any], slots: int, tasks: Sequence[Any], rows: tuple[str, ...]
    ) -> None:
        board = SharedBytes(len(tasks) * ctypes.sizeof(row_of(*rows)))
        self.lanes = [Lane(name, schema, slots, rows, board, number) for number in range(len(tasks))]
        self.rows = [lane.row() for lane in self.lanes]
        self._tasks = tasks
        self._children: dict[int, Child] = {}

    def start(self, number: int) -> None:
        """Start the process of a lane, or its successor."""
        self.rows[number].entry = 0
        function, *more = self._tasks[number]
        self._children[number] = Child(function, self.lanes[number], *more)

    def kill(self, number: int) -> None:
        """Kill it, wherever it is."""
        self._children[number].kill()

    def pid(self, number: int) -> int:
        """The process id of a lane's present process."""
        return self._children[number].pid

    def are_there(self, numbers: set[int]) -> bool:
        """True if they all have the region open."""
        self.complain()
        return all(self.rows[number].entry for number in numbers)

    def until(self, condition: Callable[[], Any]) -> None:
        """Wait until something holds; the error of a process that has failed by itself is raised."""
        until(lambda: self.complain() or condition())

    def complain(self) -> None:
        """Raise the error of a process that has failed by itself."""
        for child in self._children.values():
            if child.status is None and child._pipe.poll():
                child.receive()

    def counts(self, *names: str) -> dict[str, int]:
        """The sums over all lanes."""
        return {name: sum(getattr(row, name) for row in self.rows) for name in names}

    def __enter__(self) -> "Crew":
        for number in range(len(self._tasks)):
            self.start(number)
        return self

    def __exit__(self, *_: object) -> None:
        for child in self._children.values():
            child.kill()

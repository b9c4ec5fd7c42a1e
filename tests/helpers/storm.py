"""What storms have in common: values that prove to be whole, counts that outlive who counted, processes to be killed.

Every value proves that it is whole, and says its version where its writer knew that. What a process counts stands in
memory that it shares with the test, so it outlives the process.
"""

import contextlib
import ctypes
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray

import typedshm
from helpers import marks
from helpers.peers import Child, SharedBytes, until
from helpers.wire import WORD_OWNER, Wire
from typedshm import Shape, Struct, UpTo, resize
from typedshm.testing.inspection import attachment_of


class Small(Struct):
    """A record: copied under the GIL, and by update() on a copy."""

    words: Annotated[NDArray[np.uint64], Shape(10)]


class Large(Struct):
    """A frame: copied without the GIL, and changed by update() in its slot."""

    words: Annotated[NDArray[np.uint64], Shape(20_000)]


class Varying(Struct):
    """A frame of another size in each version, of which only what is used is copied."""

    words: Annotated[NDArray[np.uint64], UpTo(20_000)]


# ---- values --------------------------------------------------------------------------------------------------------

PATTERN = np.arange(20_000, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
BLIND = 1 << 63
"""Marks the number of a value whose writer could not know which version it would become."""


def words_of(value: Struct) -> "NDArray[np.uint64]":
    """All of a value's bytes, in place; if its size varies, those that are used."""
    return value.words if isinstance(value, Varying) else np.frombuffer(value, np.uint64)


def size_of(number: int) -> int:
    """How many words a value whose size varies has with that number."""
    return 1 + number * 7919 % 20_000


def room_for(value: Struct, number: int) -> "NDArray[np.uint64]":
    """The words of a value that is to get that number, as many as it then has."""
    return resize(value, "words", size_of(number)) if isinstance(value, Varying) else words_of(value)


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


def is_true_value(value: Struct, version: int) -> bool:
    """True if all that is used of it is, and has the size of that."""
    words = words_of(value)
    right = not isinstance(value, Varying) or (len(words) > 0 and len(words) == size_of(int(words[0])))
    return right and is_true(words, version)


@contextlib.contextmanager
def storm_region(schema: type[Any], slots: int, where: str, folder: Path) -> Iterator[tuple[Any, Wire, Any]]:
    """A region with its first value, "named" or in a file; its bytes; and a value of its kind."""
    value: Any = schema.zero()
    fill(room_for(value, 1), 1)
    name: str | Path = "storm" if where == "named" else folder / "storm"
    with typedshm.create(name, schema, slots=slots) as region, Wire(name) as wire:
        region.write(value)
        yield region, wire, value


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
        row.entry = WORD_OWNER if readonly else attachment_of(region).lock.entry + 1
        return region, row


# ---- the scheduler ---------------------------------------------------------------------------------------------

EXACT = not marks.WINDOWS and Path("/proc/self/schedstat").exists()  # Wine shows Linux's files too
"""True where the system says how long somebody was ready to run, and stood in a queue for a processor.

A busy machine lets nobody run for a while, and that says nothing about regions. So that is taken off. Elsewhere the
machine's other work is in the figures, and they prove nothing.
"""


class Queue:
    """How long a process or thread stood in that queue."""

    def __init__(self, who: str) -> None:
        self._fd = os.open(f"/proc/{who}/schedstat", os.O_RDONLY) if EXACT else -1

    def __del__(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)

    def seconds(self) -> float:
        """Seconds up to now; 0 if nobody says it."""
        return int(os.pread(self._fd, 100, 0).split()[1]) / 1e9 if EXACT else 0.0


TELLS_SLEEPS = not marks.WINDOWS and Path("/proc/self/status").exists()
"""True where the system says how often a process has gone to sleep, which no other work of the machine changes."""


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

    def queue(self, number: int) -> Queue:
        """The queue of a lane's present process."""
        return Queue(str(self.pid(number)))

    def sleeps(self, number: int) -> int:
        """How often a lane's present process has gone to sleep by itself; 0 if nobody says it."""
        if not TELLS_SLEEPS:
            return 0
        return int(
            Path(f"/proc/{self.pid(number)}/status").read_text().rpartition("\nvoluntary_ctxt_switches:")[2].split()[0]
        )

    def state(self, number: int) -> str:
        """What a lane's present process is doing, as far as the system says it."""
        folder = Path(f"/proc/{self.pid(number)}")
        files = (folder / name for name in ("wchan", "schedstat", "syscall", "stat"))
        return f"{self.pid(number)}: " + " | ".join(file.read_text().strip() for file in files if file.exists())

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

"""Tables for tests of the command line: a replay buffer, and arms whose rows have keys."""

import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray

import typedshm as ts
from typedshm import Struct, Unit, UpTo, Utf8, f32, i32
from typedshm.testing.inspection import attachment_of


class Transition(Struct):
    """A row of a replay buffer."""

    reward: f32
    action: i32


class Box(Struct):
    """An item of a row."""

    x: f32


class Arm(Struct):
    """A row with text and a varying number of items."""

    angle: Annotated[f32, Unit("rad")]
    name: Annotated[str, Utf8(16)]
    boxes: Annotated[NDArray[np.void], UpTo(4, of=Box)]


KEYS = ("left", "right", "gripper")


def transition(n: int) -> Transition:
    """Return a value that tells its number."""
    return Transition(reward=n / 2, action=n)


@contextmanager
def replay(rows: int = 100, held: int = 0, **options: Any) -> "Iterator[ts.Table[Transition]]":
    """Make the table ``replay``, with so many rows appended."""
    with ts.create("replay", ts.rows(Transition, rows), **options) as table:
        for n in range(held):
            table.append(transition(n))
        yield table


@contextmanager
def arms(**options: Any) -> "Iterator[ts.Table[Arm]]":
    """Make the table ``arms``, whose row ``right`` was never written."""
    with ts.create("arms", ts.rows(Arm, keys=KEYS), **options) as table:
        table["left"] = Arm(angle=1.5, name="Jörg", boxes=[Box(x=1), Box(x=2)])
        table["gripper"] = Arm(angle=0.5, name="a\x1b[31mb", boxes=[])
        yield table


@contextmanager
def written(write: "Callable[[int], Any]") -> Iterator[None]:
    """Write in a thread again and again, for whoever only sees what changes after it has come."""
    done = threading.Event()

    def run() -> None:
        n = 0
        while not done.wait(0.002):
            write(n)
            n += 1

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def tear(table: "ts.Table[Any]", number: int) -> None:
    """Leave of a row what a writer leaves that is killed with one version kept."""
    memory = memoryview(attachment_of(table).mapping)
    rows, stride = struct.unpack("<QQ", memory[24:40])
    mark = rows + number * stride + 24
    memory[mark : mark + 8] = (int.from_bytes(memory[mark : mark + 8], "little") + 3).to_bytes(8, "little")

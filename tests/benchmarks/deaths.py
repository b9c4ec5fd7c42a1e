"""What becomes of the others when a writer is killed half-way through a write."""

import contextlib
import time
from typing import Any

import schemas
import scratch
from adapters.base import Records
from measurement import Death, Plan
from remote import Hangs, Remote

PATIENCE = 3.0
"""Seconds after which something hangs."""


class Victim:
    """In a process: writes 1, and begins to write 666."""

    def __init__(self, kind: type[Records], name: str, address: Any) -> None:
        self.peer = kind(name)
        self.peer.attach(address) if address is not None else self.peer.create()

    def write_half(self) -> None:
        """Stay half-way."""
        self.peer.write_half()

    def close(self) -> None:
        """Nobody asks for it."""


class Survivor:
    """In a process: reads before and after, and becomes the next writer."""

    def __init__(self, kind: type[Records], name: str, address: Any) -> None:
        self.peer = kind(name)
        self.peer.attach(address)

    def read(self) -> tuple[int, bool]:
        """Return what the first field says, and if the record is whole."""
        record = self.peer.read()
        return int(record.tick), schemas.is_whole(record)

    def write(self) -> float:
        """Write 2; returns the seconds it took."""
        start = time.perf_counter()
        self.peer.take_over()
        self.peer.write(self.peer.value(2))
        return time.perf_counter() - start

    def close(self) -> None:
        """Leave."""
        self.peer.close()


def measure(plan: Plan) -> list[Death]:
    """Kill a writer of each peer."""
    return [_kill(kind) for kind in plan.kinds("RECORDS") if kind.write_half is not Records.write_half]


def _kill(kind: type[Records]) -> Death:
    with contextlib.ExitStack() as stack:
        peer = kind(scratch.name())
        address = None
        if not kind.creator_writes:
            address = peer.create()
            stack.callback(peer.close)
        victim = stack.enter_context(Remote(Victim, kind, peer.name, address))
        victim.end()
        survivors = [
            stack.enter_context(Remote(Survivor, kind, peer.name, address if address is not None else peer.name))
            for _ in range(2)
        ]
        for survivor in survivors:
            survivor.end()
            if survivor.call("read") != (1, True):
                raise AssertionError(f"{kind.label}: expected record 1 before anybody is killed")
        victim.call("write_half")
        victim.kill()
        reader, writer = survivors
        reads, whole = _read(reader, 1)
        seconds: float | None = None
        try:
            seconds = writer.call("write", patience=PATIENCE)
            next_write = "goes on"
        except Hangs:
            next_write = f"hangs (gave up after {PATIENCE:.0f} s)"
            writer.kill()
        except RuntimeError as error:
            next_write = f"refused: {_short(error)}"
        if whole is None:  # it hangs
            return Death(kind.label, reads, next_write, "-", True, seconds)
        then, later = _read(reader, 2) if seconds is not None else _read(reader, 1)
        return Death(kind.label, reads, next_write, then, whole and later is not False, seconds)


def _read(reader: Remote, expected: int) -> tuple[str, bool | None]:
    """Have it read: words for how that went, and whether what it got was whole; None if it got nothing in time."""
    try:
        number, whole = reader.call("read", patience=PATIENCE)
    except Hangs:
        reader.kill()
        return f"hang (gave up after {PATIENCE:.0f} s)", None
    except RuntimeError as error:
        return f"fail: {_short(error)}", True
    if not whole:
        return "half a record", False
    return ("go on" if number == expected else f"go on, with the old record {number}"), True


def _short(error: Exception) -> str:
    text = str(error).splitlines()[0]
    return text.partition(":")[0].rpartition(".")[2] or text

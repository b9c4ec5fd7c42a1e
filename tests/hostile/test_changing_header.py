"""A region whose bytes another process keeps changing while it is opened and read: nothing is believed twice."""

import contextlib
import ctypes
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import typedshm
import typedshm._native as _native
from helpers import marks
from helpers.peers import Child, SharedBytes, until
from helpers.shared_types import Car, whole
from helpers.wire import Control, Wire, checksum
from trials import Attempt, each_outcome, survive, verbs_of
from typedshm.testing.inspection import attach_apart

ROUNDS = 20 if marks.WINDOWS else 480
AT_OPENING = {"RegionCorrupt", "RegionNotFound", "RegionLost", "LayoutMismatch", "RegionFull"}
IN_USE = AT_OPENING | {
    "fine",
    "TornWrite",
    "Empty",
    "Timeout",
    "RegionRefused",
    "LockLost",
    "Overrun",
    "FieldValueError",
}

# ---- what is done to the bytes, again and again ---------------------------------------------------------------------


def two_truths(wire: Wire) -> Iterator[None]:
    """Two headers, both signed and each true of other bytes: checked by one and used by the other would be fatal."""
    one = bytes(wire.memory[:256])
    header = wire.header
    header.slot_count = 1
    header.slots_offset += header.slot_stride
    header.payload_size -= 8
    header.presence_count = 1
    header.document_size = 16
    wire.sign()
    other = bytes(wire.memory[:256])
    while True:
        wire.memory[:256] = one
        yield
        wire.memory[:256] = other
        yield


def wild_fields(wire: Wire) -> Iterator[None]:
    """One number of the geometry after the other goes to its limits, signed or not."""
    good = bytes(wire.memory[:256])
    while True:
        for field in (
            "region_size",
            "slots_offset",
            "slot_stride",
            "payload_size",
            "slot_count",
            "document_size",
            "state",
        ):
            for value in (0, 1, 2**32 - 1):
                setattr(wire.header, field, value)
                yield
                wire.sign()
                yield
                wire.memory[:256] = good
                yield


def other_document(wire: Wire) -> Iterator[None]:
    """The document comes and goes, its quotes and digits too."""
    start, end = wire.header.document_offset, wire.header.document_offset + wire.header.document_size
    good = bytes(wire.memory[start:end])
    while True:
        for bad in (good.replace(b'"', b"'"), good.replace(b"1", b"9"), bytes(end - start), b"\xff" * (end - start)):
            wire.memory[start:end] = bad
            yield
            wire.memory[start:end] = good
            yield


def wild_lines(wire: Wire) -> Iterator[None]:
    """Head, lock, waiting, presence and the slots' lines say anything."""
    start, end = Control.head_word.offset, Control.presence.offset + Control.presence.size
    good = bytes(wire.memory)
    slots = wire.header.slots_offset
    while True:
        for step in range(1, 255):
            wire.memory[start:end] = bytes([step]) * (end - start)
            yield
            wire.memory[start:end] = good[start:end]
            yield
            wire.memory[slots : slots + 128] = bytes([step]) * 128
            yield
            wire.memory[slots:] = good[slots:]
            yield


FIRES: list[Callable[[Wire], Iterator[None]]] = [two_truths, wild_fields, other_document, wild_lines]


class Fire(ctypes.Structure):
    """How often the bytes were changed, and whether that is to end."""

    _fields_ = (("rounds", ctypes.c_uint64), ("end", ctypes.c_uint64))


def keep_changing(pipe: Any, name: "str | Path", fire: Callable[[Wire], Iterator[None]], board: SharedBytes) -> None:
    """In a child: change the bytes until told to stop."""
    state = Fire.from_buffer(board)
    with Wire(name) as wire:
        changes = fire(wire)
        pipe.send("burning")
        while not state.end:
            next(changes)
            state.rounds += 1
        del changes


# ---- who opens and reads it meanwhile -------------------------------------------------------------------------------


@contextlib.contextmanager
def under_fire(name: "str | Path") -> Iterator[Attempt]:
    """Opens the region in some way, apart or sharing what this process has open, and does everything with it."""

    def attempt(way: tuple[Callable[..., Any], dict[str, Any]]) -> None:
        opening, options = way
        with contextlib.ExitStack() as stack:
            region = stack.enter_context(opening(name, **options))
            used = dict(each_outcome(verbs_of(region)))
        assert set(used.values()) <= IN_USE, used

    yield attempt


OPTIONS: list[dict[str, Any]] = [{"schema": Car}, {"schema": Car, "readonly": True}, {}, {"readonly": True}]
WAYS = [(opening, options) for opening in (attach_apart, typedshm.attach) for options in OPTIONS]


@pytest.mark.parametrize("fire", FIRES, ids=lambda fire: fire.__name__)
@pytest.mark.parametrize("filed", [False, True], ids=["named", "in a file"])
def test_bytes_that_change_while_they_are_looked_at(tmp_path, fire, filed, thorough):
    name = tmp_path / "car" if filed else "car"
    board = SharedBytes(ctypes.sizeof(Fire))
    state = Fire.from_buffer(board)
    outcomes: set[str] = set()
    with typedshm.create(name, Car) as car:
        for n in range(1, 5):
            car.write(whole(n))
        with Wire(name) as wire:
            good = bytes(wire.memory)
            with Child(keep_changing, name, fire, board) as changer:
                changer.expect("burning")

                def is_changed_meanwhile() -> bool:
                    before = state.rounds
                    outcomes.update(survive(under_fire, WAYS * (ROUNDS * (50 if thorough else 1) // len(WAYS)), name))
                    return bool(state.rounds > before)

                try:
                    until(is_changed_meanwhile)  # at the first time, unless the machine lets the child have no turn
                finally:
                    state.end = 1
            wire.memory[:] = good
        assert outcomes <= {"fine", *AT_OPENING}
        assert car.read() == whole(4)
        car.write(whole(5), timeout=1)


def test_the_two_headers_that_take_turns_are_both_believed_when_they_stand_still(tmp_path):
    """Or the test above would prove nothing."""
    path = tmp_path / "car"
    with typedshm.create(path, Car) as car:
        car.write(whole(1))
    with Wire(path) as wire:
        changes = two_truths(wire)
        for _ in range(2):
            next(changes)
            assert wire.header.check == checksum(bytes(wire.header))
            with typedshm.attach(path, Car, readonly=True) if wire.header.slot_count == 3 else contextlib.nullcontext():
                pass
        with pytest.raises(typedshm.RegionCorrupt, match="its payload size does not match"):
            typedshm.attach(path, Car)
        del changes


def test_a_header_that_changes_while_its_region_is_joined_is_refused(monkeypatch):
    read = _native.read_header

    def read_and_change(mapping):
        header = read(mapping)
        wire.header.slot_count += 1
        return header

    with typedshm.create("car", Car) as car, Wire("car") as wire:
        with monkeypatch.context() as patch:
            patch.setattr(_native, "read_header", read_and_change)
            with pytest.raises(typedshm.RegionCorrupt, match="check sum"):
                attach_apart("car", Car)
        wire.header.slot_count -= 1
        assert car.info().readers == (os.getpid(),), "the one that was refused has left"
        with attach_apart("car", Car) as other:
            other.write(whole(1), timeout=0)
        assert car.read() == whole(1)

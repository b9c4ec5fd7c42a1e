"""Random words into every control line while seven processes use the region: nobody crashes, hangs or goes wild."""

import ctypes
import random
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import typedshm
import typedshm._native as _native
from helpers import marks
from helpers.peers import Child, SharedBytes
from helpers.shared_types import Car, whole
from helpers.wire import CONTROL_SIZE, HAS_PINNED, Control, Wire
from trials import each_outcome, limit_memory, verbs_of
from typedshm.testing.inspection import attach_apart

ROUNDS = 10 if marks.WINDOWS else 300
IN_USE = {
    "fine",
    "Empty",
    "FieldValueError",
    "LockLost",
    "MisuseError",
    "Overrun",
    "RegionCorrupt",
    "RegionFull",
    "RegionRefused",
    "Timeout",
    "TornWrite",
}
SEVEN = {
    "two that write": 2,
    "two that read": 2,
    "one that borrows": 1,
    "one that follows": 1,
    "one that comes and goes": 1,
}


def places(wire: Wire) -> list[int]:
    """Where the words are that processes store to: offsets of eight bytes each."""
    lines = [*range(Control.head_word.offset, CONTROL_SIZE, 8)]
    for slot in range(wire.header.slot_count):
        start = wire.header.slots_offset + slot * wire.header.slot_stride
        lines.extend(range(start, start + 128, 8))
    often = [Control.head_word.offset, Control.word.offset, *lines[-16 * wire.header.slot_count :]]
    often.extend(range(Control.presence.offset, Control.presence.offset + 16 * 32, 8))
    return lines + often * 8  # the table of participants is long, and nobody stands in most of it


def word(chance: random.Random, before: int) -> int:
    """Something that might be there, or all but."""
    bit = 1 << chance.randrange(64)
    return chance.choice([0, 1, 2, 3, 5, HAS_PINNED, before ^ bit, before + 1, before - 1, bit, bit - 1, 2**64 - 1])


class Progress(ctypes.Structure):
    """How many words were changed, and whether that is to end."""

    _fields_ = (("words", ctypes.c_uint64), ("end", ctypes.c_uint64))


def scribble(pipe: Any, board: SharedBytes, seed: int) -> None:
    """Change a word at a time until told to stop; then everything is as it was."""
    state, chance = Progress.from_buffer(board), random.Random(seed)
    with Wire("car") as wire:
        good, where = bytes(wire.memory), places(wire)
        pipe.send("scribbling")
        while not state.end:
            place = chance.choice(where)
            before = int.from_bytes(wire.memory[place : place + 8], "little")
            after = word(chance, before) % 2**64
            wire.memory[place : place + 8] = after.to_bytes(8, "little")
            state.words += 1
            if state.words % 64 == 0:  # or soon nothing would be left that could be broken
                wire.memory[Control.head_word.offset :] = good[Control.head_word.offset :]


def doings(deed: str, region: "typedshm.Region[Car]") -> "dict[str, Any]":
    """What one of the seven does again and again, by the names of its verbs."""
    verbs = verbs_of(region)
    if deed == "two that write":
        return {name: verbs[name] for name in ("write", "update", "lock", "info")}
    if deed == "two that read":
        into = Car.zero()
        return {**{name: verbs[name] for name in ("read", "wait", "version")}, "into": lambda: region.read_into(into)}
    if deed == "one that borrows":
        return {"borrow": lambda: borrow(region), "hold": lambda: hold(region)}
    if deed == "one that follows":
        return {
            "newest": lambda: follow(region, every=False),
            "every": lambda: follow(region, every=True),
            "batch": lambda: take_batches(region),
        }
    return {"come and go": lambda: come_and_go(), **verbs}


def borrow(region: "typedshm.Region[Car]") -> None:
    with region.borrow() as first, region.borrow() as second:
        repr((first, second))


def hold(region: "typedshm.Region[Car]") -> None:
    block = region.borrow()
    repr(block.__enter__())  # it ends with its last name


def follow(region: "typedshm.Region[Car]", *, every: bool) -> None:
    for value, _ in zip(region.follow(every=every, timeout=0.01), range(5), strict=False):
        repr(value)


def take_batches(region: "typedshm.Region[Car]") -> None:
    """As a recorder does it: what is taken has the size of values, whatever the numbers beside it say."""
    with region.follow(every=True, start="oldest") as follower:
        for _ in range(3):
            batch = _native.follower_batch(follower, 64, 4096)
            if batch is not None:
                values, versions, times = batch
                assert np.shape(values) == (len(versions), Car.layout.size)
                assert 1 <= len(versions) == len(times) <= 4


def come_and_go() -> None:
    with attach_apart("car", Car) as other:
        for verb in verbs_of(other).values():
            verb()


def use(pipe: Any, deed: str, rounds: int) -> "set[str]":
    """One of the seven: every error is one of typedshm's, and comes in time."""
    limit_memory()
    seen: set[str] = set()
    with typedshm.attach("car", Car) as region:
        pipe.send("there")
        pipe.recv()
        region.timeout = 0.01
        for _ in range(rounds):
            seen.update(outcome for _, outcome in each_outcome(doings(deed, region)))
            pipe.send("alive")
        pipe.send("done")
    return seen


def deeds() -> Iterator[str]:
    for deed, count in SEVEN.items():
        yield from [deed] * count


@pytest.mark.parametrize("seed", range(3))
def test_words_at_random_in_every_control_line_while_seven_processes_use_the_region(seed, thorough):
    board = SharedBytes(ctypes.sizeof(Progress))
    state = Progress.from_buffer(board)
    with typedshm.create("car", Car, slots=4) as car:
        for n in range(1, 6):
            car.write(whole(n))
        users = [(deed, Child(use, deed, ROUNDS * (50 if thorough else 1))) for deed in deeds()]
        for _, user in users:
            user.expect("there")
        with Wire("car") as wire:
            good = bytes(wire.memory)
            scribbler = Child(scribble, board, seed)
            scribbler.expect("scribbling")
            for _, user in users:
                user.send()
            outcomes = {}
            for number, (deed, user) in enumerate(users):
                while user.receive() != "done":
                    pass
                outcomes[f"{deed}, {number}"] = user.join()
            state.end = 1
            scribbler.join()
            assert state.words > 0
            wire.memory[:] = good
        assert set().union(*outcomes.values()) <= IN_USE, outcomes
        assert car.read() == whole(5)
        car.write(whole(6), timeout=1)
        assert car.read() == whole(6)

"""Random words into all that rows are led by while six processes use the table: nobody crashes, hangs or goes wild."""

import contextlib
import ctypes
import random
from collections.abc import Iterator
from typing import Any

import pytest

import typedshm
from helpers import marks
from helpers.peers import Child, SharedBytes
from helpers.shared_types import Car, whole
from helpers.wire import (
    EPOCH_OFFSET,
    TABLE_CONTROL_SIZE,
    TICKETS_OFFSET,
    WORD_ACQUISITION,
    WORD_DIRTY,
    WORD_GENERATION,
    WORD_WAITING,
    Control,
    Row,
    Wire,
)
from trials import each_outcome, limit_memory, table_verbs_of
from typedshm.testing.inspection import attach_apart

ROWS = 70
ROUNDS = 4 if marks.WINDOWS else 60
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
SIX = {"two that write": 2, "one that reads": 1, "one that follows": 1, "one that appends": 1, "one that comes": 1}


@pytest.fixture(params=[1, 2], ids=["one version", "two versions"])
def table(request: pytest.FixtureRequest) -> "Iterator[typedshm.Table[Car]]":
    with typedshm.create("cars", typedshm.rows(Car, ROWS), slots=request.param) as made:
        for row in range(ROWS):
            made.write(row, whole(row))
        yield made


# ---- one word at a time ----------------------------------------------------------------------------------------------

NUMBERS = [0, 1, 2, 3, 4, 7, 1000, 2**32, 2**62, 2**63 - 2, 2**63, 2**64 - 2, 2**64 - 1]


def use(table: "typedshm.Table[Car]") -> None:
    """Do everything with it, also by a handle that may only read."""
    with typedshm.attach("cars", typedshm.rows(Car), readonly=True) as reader:
        for one in (table, reader):
            used = dict(each_outcome(table_verbs_of(one)))
            assert set(used.values()) <= IN_USE, used


@pytest.mark.parametrize("field", ["stamp", "ticket", "mark0", "mark1", "time0", "time1"])
@pytest.mark.parametrize("number", NUMBERS)
def test_a_garbage_word_costs_its_row_at_most(table: "typedshm.Table[Car]", field: str, number: int) -> None:
    slots = table.info().slots
    if slots == 1 and field in ("mark1", "time1"):
        pytest.skip("with one version the value begins there")
    with Wire("cars") as wire:
        setattr(wire.row(3), field, number)
        use(table)
    assert table.read(10) == whole(10)
    table.timeout = 1
    table.write(3, whole(1))
    table.write(3, whole(2))
    with contextlib.suppress(typedshm.TornWrite):  # beside a number at the end of all numbers
        assert table.read(3) == whole(2) or "mark" in field


@pytest.mark.parametrize("offset", [Control.head_word.offset, EPOCH_OFFSET, TICKETS_OFFSET, TICKETS_OFFSET + 8, -1])
@pytest.mark.parametrize("number", NUMBERS)
def test_a_garbage_word_of_all_rows_costs_none_of_them(table: "typedshm.Table[Car]", offset: int, number: int) -> None:
    """News, epoch, tickets and stamps: changes may go unreported, but rows are read and written."""
    with Wire("cars") as wire:
        start = wire.header.stamps_offset if offset < 0 else offset
        wire.memory[start : start + 8] = number.to_bytes(8, "little")
        use(table)
    table.timeout = 1
    table.write(3, whole(1))
    assert table.read(3) == whole(1)
    assert table.read(10) in [whole(number) for number in (10, 5, 0, 1, 2)], "as it was, or what was appended"


GARBAGE = {
    "an entry out of range": 600 | 7 * WORD_ACQUISITION,
    "the last entry": 0xFFF | WORD_WAITING,
    "another generation of mine": 1 | 99 * WORD_GENERATION,
    "mine, which I do not hold": 1 | WORD_GENERATION | 5 * WORD_ACQUISITION,
    "nobody, with all flags": WORD_WAITING | WORD_DIRTY | 2**64 - 2**32,
    "ones": 2**64 - 1,
}


@pytest.mark.parametrize("garbage", GARBAGE)
def test_a_garbage_owner_is_taken_over_at_once(table: "typedshm.Table[Car]", garbage: str) -> None:
    follower = table.follow()
    with Wire("cars") as wire:
        wire.row(3).owner = GARBAGE[garbage]
        assert table.read(3) == whole(3)
        table.write(3, whole(1), timeout=0)
        assert follower.poll().tolist() == [3]
        with table.update(3, timeout=0) as value:
            value.tick = 5
        block = table.update(3, timeout=0)
        block.__enter__().tick = 6
        wire.row(3).owner = GARBAGE[garbage]
        with pytest.raises(typedshm.LockLost):
            block.__exit__(None, None, None)
        table.write(3, whole(2), timeout=0)
        assert table.read(3) == whole(2)
        assert follower.poll().tolist() == [3]


# ---- many words at a time --------------------------------------------------------------------------------------------


class Progress(ctypes.Structure):
    """How many words were changed, and whether that is to end."""

    _fields_ = (("words", ctypes.c_uint64), ("end", ctypes.c_uint64))


def places(wire: Wire) -> list[int]:
    """Where the words are that processes store to: offsets of eight bytes each."""
    header = wire.header
    rows = [header.slots_offset + row * header.slot_stride for row in range(ROWS)]
    words = ctypes.sizeof(Row) - 8 if header.slot_count == 2 else Row.mark1.offset
    places = [start + word for start in (*rows, *rows[:4] * 10) for word in range(0, words, 8)]
    often = [Control.head_word.offset, EPOCH_OFFSET, TICKETS_OFFSET, TICKETS_OFFSET + 8]
    often += [header.stamps_offset, header.stamps_offset + 8]
    often += range(Control.presence.offset, Control.presence.offset + 16 * 32, 8)
    return places + often * 4


def scribble(pipe: Any, board: SharedBytes, seed: int) -> None:
    """Change a word at a time until told to stop."""
    state, chance = Progress.from_buffer(board), random.Random(seed)
    with Wire("cars") as wire:
        good, where = bytes(wire.memory), places(wire)
        pipe.send("scribbling")
        while not state.end:
            place = chance.choice(where)
            before = int.from_bytes(wire.memory[place : place + 8], "little")
            bit = 1 << chance.randrange(64)
            after = chance.choice([0, 1, 2, 3, 5, before ^ bit, before + 1, before - 1, bit, bit - 1, 2**64 - 1])
            wire.memory[place : place + 8] = (after % 2**64).to_bytes(8, "little")
            state.words += 1
            if state.words % 64 == 0:  # or soon nothing would be left that could be broken
                wire.memory[Control.head_word.offset :] = good[Control.head_word.offset :]


def doings(deed: str, table: "typedshm.Table[Car]", follower: Any) -> "dict[str, Any]":
    """What one of the six does again and again, by the names of its verbs."""
    verbs = table_verbs_of(table)
    if deed == "two that write":
        return {name: verbs[name] for name in ("write", "update", "columns", "copy", "lock", "info")}
    if deed == "one that reads":
        return {name: verbs[name] for name in ("read", "read all", "read some", "versions", "wait")}
    if deed == "one that follows":
        return {"poll": follower.poll, "next": lambda: next(follower), "follow": verbs["follow"]}
    if deed == "one that appends":
        return {name: verbs[name] for name in ("append", "filled", "info")}
    return {"come": come, **verbs}


def come() -> None:
    with attach_apart("cars", typedshm.rows(Car)) as other:
        for verb in table_verbs_of(other).values():
            with contextlib.suppress(typedshm.TypedshmError):
                verb()


def use_often(pipe: Any, deed: str, rounds: int) -> "set[str]":
    """One of the six: every error is one of typedshm's, and comes in time."""
    limit_memory()
    seen: set[str] = set()
    with typedshm.attach("cars", typedshm.rows(Car)) as table:
        pipe.send("there")
        pipe.recv()
        follower = table.follow(timeout=0.01)
        for _ in range(rounds):
            seen.update(outcome for _, outcome in each_outcome(doings(deed, table, follower)))
            pipe.send("alive")
        pipe.send("done")
    return seen


def test_words_at_random_while_six_processes_use_the_table(table: "typedshm.Table[Car]", thorough: bool) -> None:
    board = SharedBytes(ctypes.sizeof(Progress))
    state = Progress.from_buffer(board)
    deeds = [deed for deed, count in SIX.items() for _ in range(count)]
    users = [(deed, Child(use_often, deed, ROUNDS * (50 if thorough else 1))) for deed in deeds]
    for _, user in users:
        user.expect("there")
    with Wire("cars") as wire:
        good = bytes(wire.memory)
        scribbler = Child(scribble, board, 1)
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
        assert (
            wire.memory[TABLE_CONTROL_SIZE : wire.header.stamps_offset]
            == good[TABLE_CONTROL_SIZE : wire.header.stamps_offset]
        )
        wire.memory[:] = good
    assert set().union(*outcomes.values()) <= IN_USE, outcomes
    assert table.read(69) == whole(69)
    table.write(3, whole(6), timeout=1)
    assert table.read(3) == whole(6)

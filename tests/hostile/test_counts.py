"""Numbers of used items at random while others use the region: no view leaves its room, and no number is read twice.

All items that ever stand in the regions here are SEVEN, also where none is in use. So whatever a number says, what is
used is sevens as far as there is room, or the field refuses.
"""

import contextlib
import copy
import ctypes
import itertools
import pickle
import random
from collections.abc import Callable, Iterator
from typing import Annotated, Any

import numpy as np
import pytest
from numpy.typing import NDArray

import typedshm
from helpers import marks
from helpers.peers import Child, SharedBytes
from helpers.wire import Wire
from trials import each_outcome, limit_memory
from typedshm import FieldValueError, Struct, UpTo, resize, u64
from typedshm.layout.layout import Layout

SEVEN = 7
ROUNDS = 20 if marks.WINDOWS else 200
BEYOND = (2**31, 2**32 - 1)


class Box(Struct):
    corner: u64
    tags: Annotated[NDArray[np.uint64], UpTo(2)]


class Inner(Struct):
    items: Annotated[NDArray[np.uint64], UpTo(5)]


class Small(Struct):
    """One that update() works on beside the region."""

    words: Annotated[NDArray[np.uint64], UpTo(300)]
    plane: Annotated[NDArray[np.uint64], UpTo(10, 20)]
    boxes: Annotated[NDArray[np.void], UpTo(4, of=Box)]
    inner: Inner


class Large(Struct):
    """One that update() works on in its slot."""

    words: Annotated[NDArray[np.uint64], UpTo(20_000)]
    plane: Annotated[NDArray[np.uint64], UpTo(10, 20)]
    boxes: Annotated[NDArray[np.void], UpTo(4, of=Box)]
    inner: Inner


SCHEMAS: list[type[Any]] = [Small, Large]


def numbers(layout: Layout, base: int = 0) -> Iterator[tuple[int, int]]:
    """Where each number of used items stands in a value, those of items too, and how many there is room for."""
    for field in layout.fields:
        yield from ((base + field.offset + 4 * axis, field.shape[axis]) for axis in range(field.free))
        if field.struct is not None:
            for item in range(field.shape[0] if field.shape else 1):
                yield from numbers(field.struct, base + field.start + item * field.struct.size)


def arrays(value: Any) -> "dict[str, Callable[[], NDArray[np.uint64]]]":
    """What shows items, by a name; each may refuse."""
    return {
        "words": lambda: value.words,
        "plane": lambda: value.plane,
        "corners": lambda: np.asarray(value.boxes)["corner"],
        "tags": lambda: last_tags(value.boxes),  # taken once: it may have fewer items the next time
        "items": lambda: value.inner.items,
    }


def last_tags(boxes: Any) -> "NDArray[np.uint64]":
    """The tags of the last box."""
    tags: NDArray[np.uint64] = boxes[-1].tags if len(boxes) else np.zeros(0, np.uint64)
    return tags


def full(schema: type[Any]) -> Any:
    """A value with sevens everywhere that there is room for items."""
    value = schema.zero()
    fill(value)
    return value


def fill(value: Any) -> None:
    """Set every item there is room for."""
    for name, field in {field.name: field for field in type(value).layout.fields}.items():
        if name not in ("boxes", "inner"):
            resize(value, name, field.shape)[:] = SEVEN
    for box in resize(value, "boxes", 4):
        box.corner = SEVEN
        resize(box, "tags", 2)[:] = SEVEN
    resize(value, "inner.items", 5)[:] = SEVEN


def shrink(value: Any, chance: random.Random) -> None:
    """Use fewer items, or none."""
    rows, columns = value.plane.shape
    resize(value, "plane", (chance.randint(0, rows), columns))
    for name, used in (("words", value.words), ("boxes", value.boxes), ("inner.items", value.inner.items)):
        resize(value, name, chance.randint(0, len(used)))


def look(value: Any) -> None:
    """See that all that is used is sevens; raises FieldValueError where a field refuses."""
    repr(value)
    refusals: list[str] = []  # no exceptions, whose frames would keep what is borrowed
    for name, array in arrays(value).items():
        try:
            found = array()
        except FieldValueError as error:
            refusals.append(str(error))
        else:
            assert found.size <= room(value, name)
            assert (found == SEVEN).all(), (name, found)
    assert all(": expected at most " in refusal for refusal in refusals), refusals
    if refusals:
        raise FieldValueError(refusals[0])


def room(value: Any, name: str) -> int:
    """How many items there is room for."""
    words: int = type(value).layout.fields[0].shape[0]
    return {"words": words, "plane": 200, "corners": 4, "tags": 2, "items": 5}[name]


# ---- who scribbles -------------------------------------------------------------------------------------------------


class Progress(ctypes.Structure):
    """How many numbers were changed, and whether that is to end."""

    _fields_ = (("numbers", ctypes.c_uint64), ("end", ctypes.c_uint64))


def scribble(pipe: Any, board: SharedBytes, schema: type[Any], seed: int) -> None:
    """Change a number at a time, in any slot, until told to stop."""
    state, chance = Progress.from_buffer(board), random.Random(seed)
    with Wire("counts") as wire:
        places = [
            (wire.header.slots_offset + slot * wire.header.slot_stride + 128 + offset, most)
            for slot in range(wire.header.slot_count)
            for offset, most in numbers(schema.layout)
        ]
        pipe.send("scribbling")
        while not state.end:
            place, most = chance.choice(places)
            # mostly what is accepted: a value with one that is not refuses, and nothing else of it is proved
            number = chance.choice([0, 1, most // 2, most, most, most, most + 1, *BEYOND, chance.getrandbits(32)])
            wire.memory[place : place + 4] = number.to_bytes(4, "little")
            state.numbers += 1


# ---- who uses it meanwhile -----------------------------------------------------------------------------------------


def doings(deed: str, region: Any, chance: random.Random) -> "dict[str, Callable[[], Any]]":
    """What a process does again and again, by a name."""
    schema = region.schema

    def read_into() -> None:
        value = schema.zero()  # zeros, which would show what was not copied
        region.read_into(value)
        look(value)

    def borrow() -> None:
        with region.borrow() as value:
            for other in (*(copy.copy(value) for _ in range(20)), pickle.loads(pickle.dumps(value))):
                with contextlib.suppress(FieldValueError):
                    look(other)
            look(value)
            assert isinstance(value == region.read(), bool)

    def every() -> None:
        for value, _ in zip(region.follow(every=True, timeout=0.01), range(5), strict=False):
            look(value)

    def write() -> None:
        value = full(schema)
        shrink(value, chance)
        region.write(value)

    def write_back() -> None:
        region.write(region.read())

    def update() -> None:
        with region.update() as value:
            if schema is Small:
                shrink(value, chance)
            else:  # in the slot, where resize() zeros what it takes for new items if a number has just become smaller
                value.words[:] = SEVEN

    def loan() -> None:
        with region.loan() as value:
            fill(value)
            shrink(value, chance)

    if deed == "read":
        found = {"read": lambda: look(region.read()), "wait": lambda: look(region.wait(timeout=0.01))}
        return {**found, "read_into": read_into, "borrow": borrow, "every": every}
    return {"write": write, "write back": write_back, "update": update, "loan": loan}


def use(pipe: Any, deed: str, schema: type[Any], seed: int, rounds: int) -> "set[tuple[str, str]]":
    """One of those processes: every error is one of typedshm's, and comes in time."""
    limit_memory()
    seen: set[tuple[str, str]] = set()
    with typedshm.attach("counts", schema) as region:
        pipe.send("there")
        pipe.recv()
        region.timeout = 1
        chance = random.Random(seed)
        for number in itertools.count():
            seen.update(each_outcome(doings(deed, region, chance)))
            pipe.send("alive")
            both = {outcome for _, outcome in seen} >= {"fine", "FieldValueError"}
            if number >= rounds and both:
                break
        pipe.send("done")
    return seen


IN_USE = {"fine", "FieldValueError", "Timeout", "Overrun"}


@pytest.mark.parametrize("schema", SCHEMAS)
def test_numbers_at_random_while_processes_read_and_write(schema, thorough):
    board = SharedBytes(ctypes.sizeof(Progress))
    state = Progress.from_buffer(board)
    rounds = ROUNDS * (50 if thorough else 1) // (1 if schema is Small else 4)
    with typedshm.create("counts", schema, slots=5) as region, contextlib.ExitStack() as running:
        for _ in range(5):
            region.write(full(schema))
        deeds = ("read", "read", "write", "write")
        users = [running.enter_context(Child(use, deed, schema, seed, rounds)) for seed, deed in enumerate(deeds)]
        for user in users:
            user.expect("there")
        scribbler = running.enter_context(Child(scribble, board, schema, 1))
        scribbler.expect("scribbling")
        for user in users:
            user.send()
        outcomes = []
        for user in users:
            while user.receive() != "done":
                pass
            outcomes.append(user.join())
        state.end = 1
        scribbler.join()
        assert state.numbers > 0
        strange = {(verb, outcome) for verb, outcome in set().union(*outcomes) if outcome not in IN_USE}
        assert not strange
        region.write(full(schema), timeout=1)
        look(region.read())


# ---- one number at a time ------------------------------------------------------------------------------------------


def payload(wire: Wire, version: int, size: int) -> memoryview:
    """The bytes of a value in its slot."""
    start = wire.header.slots_offset + version % wire.header.slot_count * wire.header.slot_stride + 128
    return wire.memory[start : start + size]


@pytest.mark.parametrize("schema", SCHEMAS)
def test_each_number_out_of_range_is_refused_wherever_it_is_met(schema):
    """By the name of its field, and nothing else of the value is."""
    with typedshm.create("counts", schema) as region, Wire("counts") as wire:
        region.write(full(schema))
        slot = payload(wire, 1, schema.layout.size)
        good = bytes(slot)
        for offset, most in numbers(schema.layout):
            for number in (most + 1, *BEYOND):
                slot[offset : offset + 4] = number.to_bytes(4, "little")
                value = schema.zero()
                region.read_into(value)
                with region.borrow() as borrowed:
                    for found in (region.read(), value, borrowed, copy.copy(borrowed)):
                        refused = [name for name, outcome in each_outcome(arrays(found)) if outcome != "fine"]
                        assert len(refused) <= 2, refused  # the tags are those of a box
                        with pytest.raises(FieldValueError, match=f"expected at most {most} items.*found {number};"):
                            look_at_all(found)
                slot[:] = good
        look_at_all(region.read())
        del slot


def look_at_all(value: Any) -> None:
    """See that everything is sevens."""
    assert all((box.tags == SEVEN).all() for box in value.boxes)
    look(value)


@pytest.mark.parametrize("schema", SCHEMAS)
def test_a_loan_begins_without_items_whatever_the_slot_had(schema):
    with typedshm.create("counts", schema, slots=2) as region, Wire("counts") as wire:
        for _ in range(2):
            region.write(full(schema))
        slot = payload(wire, 3, schema.layout.size)
        for offset, _ in numbers(schema.layout):
            slot[offset : offset + 4] = (2**32 - 1).to_bytes(4, "little")
        with region.loan() as value:
            assert (len(value.words), value.plane.shape, len(value.boxes), len(value.inner.items)) == (0, (0, 0), 0, 0)
            resize(value, "plane", (1, 2))[:] = SEVEN
        value = region.read()
        assert (len(value.words), value.plane.tolist(), len(value.boxes)) == (0, [[SEVEN] * 2], 0)
        del slot


# ---- what is not used is not copied --------------------------------------------------------------------------------

USED = 10
MARK = b"\xaa"


def test_only_what_is_used_is_copied_by_every_verb():
    """What lies behind it in the slot that is written to stays as it was, and reaches no value."""
    for schema, verb in itertools.product(SCHEMAS, ("write", "update", "loan")):
        with typedshm.create("counts", schema, slots=2) as region, Wire("counts") as wire:
            value = full(schema)
            resize(value, "words", USED)
            region.write(value)
            words = schema.layout.fields[0]
            behind = slice(words.start + 8 * USED, words.start + 8 * words.shape[0])
            source, target = (payload(wire, version, schema.layout.size) for version in (1, 2))
            source[behind] = MARK * (behind.stop - behind.start)
            target[behind] = b"\xbb" * (behind.stop - behind.start)
            if verb == "write":
                region.write(value)
            elif verb == "update":
                with region.update() as t:
                    t.inner.items[0] = SEVEN
            else:
                with region.loan() as t:
                    fill_used(t)
            assert set(target[behind]) == {0xBB}, (schema, verb)
            look(region.read())
            into = schema.zero()
            region.read_into(into)
            for found in (region.read(), into):
                assert len(found.words) == USED
                assert set(bytes(found)[behind]) == {0}, (schema, verb)
            del source, target


def fill_used(value: Any) -> None:
    """As many items as the value there has."""
    resize(value, "words", USED)[:] = SEVEN
    resize(value, "inner.items", 5)[:] = SEVEN

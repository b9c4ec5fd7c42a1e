"""A table's header under fire: every field that leads to rows at every boundary, and headers that change meanwhile."""

import contextlib
import ctypes
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import typedshm
from headers import AFTER, alter, boundaries
from helpers import marks
from helpers.peers import Child, SharedBytes
from helpers.shared_types import Car, whole
from helpers.wire import LOSSLESS, TABLE, TABLE_CONTROL_SIZE, Header, Wire
from trials import Attempt, each_outcome, survive, table_verbs_of
from typedshm.testing.inspection import attach_apart

ROWS = 70
"""Of each table here: two stamps' worth, and not all of the second's."""


def make(path: Path, slots: int = 2) -> Path:
    with typedshm.create(path, typedshm.rows(Car, ROWS), slots=slots) as table:
        for row in range(ROWS):
            table.write(row, whole(row))
    return path


@pytest.fixture
def table_file(tmp_path):
    """A file-backed table whose rows hold cars of their numbers."""
    return make(tmp_path / "cars")


# ---- what is wrong with a header, and the words for it ---------------------------------------------------------------

CASES: dict[str, tuple[dict[str, Any], str]] = {
    "no table at all": (
        {"flags": 0},
        "it is a region|has rows|is a region|slot_count|multiple of 128|slots reach|size",
    ),
    "a flag more": ({"flags": TABLE | 4}, "flags has bits"),
    "the flag of a lossless region": ({"flags": TABLE | LOSSLESS}, "flags says that a table is lossless"),
    "no version kept": ({"slot_count": 0}, "slot_count of a table is neither 1 nor 2"),
    "three versions kept": ({"slot_count": 3}, "slot_count of a table is neither 1 nor 2"),
    "no rows": ({"row_count": 0}, "row_count is outside"),
    "rows above the limit": ({"row_count": 2**32 + 1}, "row_count is outside"),
    "one row too many": ({"row_count": ROWS + 1}, "rows reach past the end"),
    "as many rows as wrap around": (
        {"row_count": 2**32, "slot_stride": 2**32, "payload_size": 8},
        "rows reach past the end",
    ),
    "stride unaligned": ({"slot_stride": lambda h: h.slot_stride + 8}, "slot_stride is not a multiple of 64"),
    "rows unaligned": ({"slots_offset": lambda h: h.slots_offset + 64}, "slots_offset is not a multiple of 128"),
    "stride 0": ({"slot_stride": 0}, "slot_stride does not hold a row"),
    "stride of one version": ({"slot_stride": 64}, "slot_stride does not hold a row"),
    "stride that wraps around": ({"slot_stride": 2**64 - 64}, "slot_stride does not hold a row"),
    "payload beyond the stride": ({"payload_size": lambda h: h.slot_stride}, "slot_stride does not hold a row"),
    "payload that wraps around": ({"payload_size": 2**64 - 1}, "payload_size is outside"),
    "stamps unaligned": ({"stamps_offset": lambda h: h.stamps_offset + 64}, "stamps lie outside their place"),
    "stamps over the header": ({"stamps_offset": 0}, "stamps lie outside their place"),
    "stamps over the document": ({"stamps_offset": lambda h: h.stamps_offset - 128}, "stamps lie outside their place"),
    "stamps over the rows": ({"stamps_offset": lambda h: h.slots_offset}, "stamps lie outside their place"),
    "stamps outside": ({"stamps_offset": 2**64 - 128}, "stamps lie outside their place"),
    "document over the epoch": ({"document_offset": TABLE_CONTROL_SIZE - 128}, "document lies outside its place"),
    "rows over the epoch": ({"slots_offset": TABLE_CONTROL_SIZE - 128}, "slots_offset lies inside the header"),
}


@pytest.mark.parametrize("case", CASES)
def test_a_corrupt_header_of_a_table_is_refused(table_file, case):
    changes, words = CASES[case]
    with Wire(table_file) as wire:
        alter(wire, changes)
        wire.sign()
    before = table_file.read_bytes()
    for options in ({}, {"readonly": True}):
        with pytest.raises((typedshm.RegionCorrupt, typedshm.LayoutMismatch), match=words):
            typedshm.attach(table_file, typedshm.rows(Car), **options)
        with pytest.raises((typedshm.RegionCorrupt, typedshm.LayoutMismatch)):
            typedshm.attach(table_file, typedshm.rows(), **options)
    assert table_file.read_bytes() == before, "refused and left as it is"


# ---- every field that leads somewhere --------------------------------------------------------------------------------

WAYS: dict[str, Callable[[Path], Any]] = {
    "writable": lambda path: typedshm.attach(path, typedshm.rows(Car)),
    "readonly": lambda path: typedshm.attach(path, typedshm.rows(Car), readonly=True),
    "without a class": lambda path: typedshm.attach(path, typedshm.rows()),
    "as a region": lambda path: typedshm.attach(path, Car),
}
AT_OPENING = {"RegionCorrupt", "LayoutMismatch", "RegionNotFound"}
IN_USE = {
    "fine",
    "Empty",
    "FieldValueError",
    "MisuseError",
    "Overrun",
    "RegionCorrupt",
    "RegionRefused",
    "Timeout",
    "TornWrite",
}


@contextlib.contextmanager
def altering(path: Path) -> Iterator[Attempt]:
    """Tries (changes, signed, way): the header is refused, or what it leads to lies inside the table."""
    with path.open("ab") as file:
        file.write(bytes(AFTER))
    with Wire(path) as wire:
        good = bytes(wire.memory)

        def attempt(case: tuple[dict[str, Any], bool, str]) -> None:
            changes, signed, way = case
            wire.memory[:] = good
            alter(wire, changes)
            if signed:
                wire.sign()
            bad = bytes(wire.memory)
            with WAYS[way](path) as table:  # or an error, which the test looks at
                if len(table) >= ROWS:
                    used = dict(each_outcome(table_verbs_of(table)))
                    assert set(used.values()) <= IN_USE, used
                else:
                    with contextlib.suppress(typedshm.TypedshmError):
                        table.write(-1, whole(1))
            assert signed or bad[:240] == good[:240], "what nobody has signed was believed"
            start, end = wire.header.stamps_offset, wire.header.region_size
            assert wire.memory[:256] == bad[:256], "the header was overwritten"
            assert wire.memory[TABLE_CONTROL_SIZE:start] == bad[TABLE_CONTROL_SIZE:start], (
                "the document was overwritten"
            )
            assert wire.memory[end:] == bad[end:], "something behind the table was overwritten"

        yield attempt


GEOMETRY = (
    "region_size",
    "slots_offset",
    "slot_stride",
    "payload_size",
    "slot_count",
    "flags",
    "row_count",
    "stamps_offset",
)


def test_every_field_that_leads_to_rows_at_every_boundary(table_file):
    with Wire(table_file) as wire:
        values = boundaries(wire.header, table_file.stat().st_size + AFTER)
    assert set(GEOMETRY) <= {name for name, _ in Header._fields_}
    cases = [
        ({field: value}, signed, way)
        for field in (*GEOMETRY, "flags")
        for value in values[field]
        for signed in (True, False)
        for way in WAYS
    ]
    outcomes = survive(altering, cases[:: 21 if marks.WINDOWS else 1], table_file)
    assert {"fine", "RegionCorrupt"} <= set(outcomes) <= {"fine", *AT_OPENING}


# ---- headers that change ---------------------------------------------------------------------------------------------


class Fire(ctypes.Structure):
    """How often the bytes were changed, and whether that is to end."""

    _fields_ = (("rounds", ctypes.c_uint64), ("end", ctypes.c_uint64))


def keep_changing(pipe: Any, board: SharedBytes) -> None:
    """In a child: one number of the geometry after the other goes to its limits, signed or not."""
    state = Fire.from_buffer(board)
    with Wire("cars") as wire:
        good = bytes(wire.memory[:256])
        pipe.send("burning")
        while not state.end:
            for field in (*GEOMETRY, "state"):
                for value in (0, 1, 2**32 - 1):
                    setattr(wire.header, field, value)
                    wire.sign()
                    wire.memory[:256] = good
                    state.rounds += 1


@contextlib.contextmanager
def under_fire() -> Iterator[Attempt]:
    """Opens the table in some way, apart or sharing what this process has open, and does everything with it."""

    def attempt(way: tuple[Callable[..., Any], Any, dict[str, Any]]) -> None:
        opening, schema, options = way
        with opening("cars", schema, **options) as table:
            used = dict(each_outcome(table_verbs_of(table)))
        assert set(used.values()) <= IN_USE | AT_OPENING, used

    yield attempt


def test_a_header_that_changes_while_it_is_looked_at(thorough):
    board = SharedBytes(ctypes.sizeof(Fire))
    state = Fire.from_buffer(board)
    ways = [
        (opening, schema, options)
        for opening in (attach_apart, typedshm.attach)
        for schema in (typedshm.rows(Car), typedshm.rows())
        for options in ({}, {"readonly": True})
    ]
    rounds = 2 if marks.WINDOWS else 2_000 if thorough else 40
    with typedshm.create("cars", typedshm.rows(Car, ROWS)) as table, Wire("cars") as wire:
        table.write(3, whole(3))
        good = bytes(wire.memory[:256])
        with Child(keep_changing, board) as changer:
            changer.expect("burning")
            try:
                outcomes = survive(under_fire, ways * rounds)
            finally:
                state.end = 1
        wire.memory[:256] = good
        assert set(outcomes) <= {"fine", "RegionLost", "RegionFull", *AT_OPENING}
        table.write(3, whole(4), timeout=1)
        assert table.read(3) == whole(4)

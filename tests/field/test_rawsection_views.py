"""NumPy arrays and Structs over a RawSection, in one call; with it they end, or say why they cannot be."""

import contextlib
import copy
import ctypes
import datetime
import pickle
import secrets
import struct
import sys
from collections.abc import Iterator
from enum import IntEnum
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pytest
from numpy.typing import NDArray

import typedshm
from helpers import marks
from typedshm import RawSection, Shape, Struct, Timestamp, Utf8, f32, f64, u8, u16, u32, version_of

SIZE = 4096  # a page: what Windows rounds up to


class Gear(IntEnum):
    NEUTRAL = 0
    FIRST = 1


class Wheel(Struct):
    speed: f32
    pressure: f32 = 0.0


class Physics(Struct):
    packet: u32
    gear: Annotated[Gear, typedshm.Scalar("i4")]
    model: Annotated[str, Utf8(16)]
    front: Wheel
    heat: Annotated[NDArray[np.float64], Shape(4)]
    wheels: Annotated[NDArray[np.void], Shape(2, of=Wheel)]
    at: Annotated[datetime.datetime, Timestamp()]
    ready: bool


class Packed(Struct, pack=1):
    flag: u8
    value: f64
    count: u16


PHYSICS = Physics(
    packet=7,
    gear=Gear.FIRST,
    model="GT3",
    front=Wheel(speed=1.5),
    heat=[1, 2, 3, 4],
    wheels=np.array([(1, 2), (3, 4)], Wheel.layout.dtype),
    at=datetime.datetime(2024, 1, 1, tzinfo=datetime.UTC),
    ready=True,
)


@pytest.fixture
def name() -> Iterator[str]:
    exact = f"{'Local' + chr(92) if marks.WINDOWS else ''}field_{secrets.token_hex(6)}"
    yield exact
    if not marks.WINDOWS:
        with contextlib.suppress(FileNotFoundError):
            Path("/dev/shm", exact).unlink()


@pytest.fixture
def theirs(name: str) -> Iterator[RawSection]:
    """The section as its maker has it."""
    with RawSection(name, SIZE, create=True) as section:
        yield section


@pytest.fixture(params=[False, True], ids=["read-only", "writable"])
def section(theirs: RawSection, name: str, request: pytest.FixtureRequest) -> Iterator[RawSection]:
    with RawSection(name, writable=request.param) as opened:
        yield opened


# ---- Structs ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("offset", [0, 8, 13, SIZE - Physics.layout.size])
def test_a_struct_shows_what_is_in_the_section(theirs, section, offset):
    theirs.view[offset : offset + Physics.layout.size] = bytes(PHYSICS)
    physics = section.as_struct(Physics, offset)
    assert isinstance(physics, Physics)
    assert physics == PHYSICS
    assert (physics.gear, physics.model, physics.front.speed, list(physics.heat)) == (
        Gear.FIRST,
        "GT3",
        1.5,
        [1, 2, 3, 4],
    )
    assert physics.wheels["pressure"].tolist() == [2, 4]
    assert physics.at == PHYSICS.at
    assert repr(physics) == repr(PHYSICS)
    assert version_of(physics) is None


def test_a_struct_is_live_and_its_copies_are_not(theirs, section):
    physics = section.as_struct(Physics)
    copies = [copy.copy(physics), copy.deepcopy(physics), pickle.loads(pickle.dumps(physics)), physics.front]
    theirs.view[:] = bytes(SIZE)
    theirs.as_struct(Physics).packet = 99
    theirs.as_struct(Physics).front.speed = 2.5
    assert (physics.packet, physics.front.speed, copies[3].speed) == (99, 2.5, 2.5)
    assert [value.packet for value in copies[:3]] == [0, 0, 0]
    copies[0].packet = 5
    assert physics.packet == 99


def test_a_struct_of_a_writable_section_writes_through(theirs, name):
    with RawSection(name, writable=True) as section:
        physics = section.as_struct(Physics, offset=16)
        physics.packet = 3
        physics.front.pressure = 2.25
        physics.heat[1] = 9
        physics.model = "LMP"
        seen = theirs.as_struct(Physics, 16)
        assert (seen.packet, seen.front.pressure, seen.heat[1], seen.model) == (3, 2.25, 9, "LMP")


def test_a_struct_of_a_section_to_read_is_read_only(theirs, name):
    with RawSection(name) as section:
        physics = section.as_struct(Physics)
        for change in (
            lambda: setattr(physics, "packet", 1),
            lambda: setattr(physics, "heat", [0, 0, 0, 0]),
            lambda: setattr(physics.front, "speed", 1),
            lambda: setattr(physics, "front", Wheel(speed=1)),
        ):
            with pytest.raises(typedshm.ReadOnly, match=r"was opened without writable=True.*copy\.copy"):
                change()
        for array in (physics.heat, physics.wheels, np.frombuffer(physics, np.uint8)):
            assert not array.flags.writeable
            with pytest.raises(ValueError, match="read-only"):
                array[0] = array[0]
        assert memoryview(physics).readonly
        with pytest.raises(TypeError, match=r"writ|read-only"):
            ctypes.c_char.from_buffer(section.view)
    assert not any(theirs.view)


def test_a_struct_raises_once_its_section_is_closed_and_its_arrays_stay(theirs, section):
    theirs.view[: Physics.layout.size] = bytes(PHYSICS)
    physics = section.as_struct(Physics)
    front, heat, view = physics.front, physics.heat, section.view
    section.close()
    for look in (lambda: physics.packet, lambda: front.speed, lambda: bytes(physics), lambda: copy.copy(physics)):
        with pytest.raises(typedshm.Closed, match=r"section '.*' is closed"):
            look()
    assert heat.tolist() == [1, 2, 3, 4]
    assert view[0] == 7
    for ask in (lambda: section.as_struct(Physics), lambda: section.array("u1", 1), lambda: section.view):
        with pytest.raises(typedshm.Closed, match="is closed"):
            ask()


def test_a_struct_keeps_a_section_open_that_nobody_else_has(theirs, name):
    theirs.as_struct(Physics).packet = 7
    heat = RawSection(name).as_struct(Physics).heat
    assert heat.tolist() == [0, 0, 0, 0]
    array = RawSection(name).array("u4", 1)
    assert array.tolist() == [7]


@pytest.mark.parametrize("offset", [SIZE - Physics.layout.size + 1, SIZE, 1 << 40])
def test_a_struct_that_does_not_fit_is_refused_with_all_numbers(theirs, section, offset):
    with pytest.raises(
        ValueError,
        match=rf"has 4,096 bytes: expected {offset + Physics.layout.size:,} for Physics "
        rf"\({Physics.layout.size} bytes\) at offset {offset:,}",
    ):
        section.as_struct(Physics, offset)


@pytest.mark.parametrize(
    ("arguments", "kind", "words"),
    [
        ((dict,), TypeError, "struct: expected a Struct class, found <class 'dict'>"),
        ((Struct,), TypeError, "struct: expected a Struct class"),
        ((PHYSICS,), TypeError, "pass its class"),
        ((None,), TypeError, "struct: expected a Struct class, found None"),
        (("Physics",), TypeError, "struct: expected a Struct class, found 'Physics'"),
        ((Physics, -1), ValueError, "offset: expected a byte of the section, from 0"),
        ((Physics, 1.0), TypeError, "offset: expected a byte of the section, found 1.0"),
        ((Physics, True), TypeError, "offset: expected a byte of the section, found True"),
        ((Physics, None), TypeError, "offset: expected a byte of the section, found None"),
    ],
)
def test_what_is_no_struct_or_offset_is_named(theirs, arguments, kind, words):
    with pytest.raises(kind) as failure:
        theirs.as_struct(*arguments)
    assert words in str(failure.value)


def test_a_packed_struct_and_one_of_a_document_are_structs(theirs, section):
    theirs.view[: Packed.layout.size] = struct.pack("<BdH", 1, 2.5, 3)
    packed = section.as_struct(Packed)
    assert (packed.flag, packed.value, packed.count) == (1, 2.5, 3)
    with typedshm.create("wheel", Wheel) as region, typedshm.attach("wheel") as anonymous:
        region.write(Wheel(speed=1))
        described = section.as_struct(type(anonymous.read()), 16)
    theirs.array("f4", 2, 16)[:] = 5, 6
    assert (described.speed, described.pressure) == (5, 6)


# ---- arrays ----------------------------------------------------------------------------------------------------------


def test_an_array_shows_what_is_in_the_section(theirs, section):
    theirs.view[:] = np.arange(SIZE // 4, dtype="<i4").tobytes()
    for array, expected in (
        (section.array("i4", 3), [0, 1, 2]),
        (section.array(np.int32, (2, 2), 8), [[2, 3], [4, 5]]),
        (section.array("i4", [2], offset=4), [1, 2]),
        (section.array("i4", (3,), 4, 16), [1, 5, 9]),
        (section.array("i4", (2, 2), stride=32), [[0, 1], [8, 9]]),
        (section.array("i4", (2, 2), 0, (4, 8)), [[0, 2], [1, 3]]),
        (section.array(("i4", (2,)), 2, stride=16), [[0, 1], [4, 5]]),
        (section.array("i4", (), 12), 3),
        (section.array("i4", np.int64(1), np.int64(8)), [2]),
        (section.array("i4", 0, SIZE), []),
        (section.array("i4", (2, 0)), [[], []]),
        (section.array("i4", 1, SIZE - 4), [SIZE // 4 - 1]),
    ):
        assert array.tolist() == expected
        assert array.flags.writeable is section.writable


def test_an_array_writes_through_where_the_section_is_writable(theirs, section):
    array = section.array("f8", 4, 8)
    if section.writable:
        array[:] = 2.5
        assert theirs.array("f8", 4, 8).tolist() == [2.5] * 4
    else:
        with pytest.raises(ValueError, match="read-only"):
            array[:] = 2.5
        with pytest.raises(ValueError, match="WRITEABLE"):
            array.flags.writeable = True


def test_an_array_of_structs_is_one_call(theirs, section):
    theirs.view[16:32] = struct.pack("<4f", 1, 2, 3, 4)
    wheels = section.array(Wheel, 2, offset=16)
    assert wheels["speed"].tolist() == [1, 3]
    assert wheels.dtype == Wheel.layout.dtype
    spread = section.array(Wheel, 2, offset=16, stride=12)
    assert spread["speed"].tolist() == [1, 4]


def test_an_array_stays_when_its_section_is_closed(theirs, section):
    theirs.view[:4] = b"abcd"
    array = section.array("S4", 1)
    section.close()
    assert array.tolist() == [b"abcd"]


@pytest.mark.parametrize(
    "dtype", ["?", "u1", ">f8", "c16", "M8[us]", "m8[s]", "S8", "U4", "V6", "f4, (2,)i2", np.void(3)]
)
def test_every_dtype_of_plain_bytes_is_one(theirs, section, dtype):
    dtype = dtype.dtype if isinstance(dtype, np.generic) else dtype
    assert section.array(dtype, (2, 3), 1).dtype == np.dtype(dtype)


@pytest.mark.parametrize(
    ("arguments", "kind", "words"),
    [
        (("f8", 513), ValueError, "has 4,096 bytes: expected 4,104 for items float64 in the shape (513,) at offset 0"),
        (("u1", 1, SIZE), ValueError, "expected 4,097"),
        (
            ("u1", 2, 4000, 200),
            ValueError,
            "expected 4,201 for items uint8 in the shape (2,) at offset 4,000 with stride 200",
        ),
        (("u1", (1 << 40, 1 << 40)), ValueError, "has 4,096 bytes"),
        (("u1", -1), ValueError, "shape: expected a whole number for each axis, from 0"),
        (("u1", (2, -3)), ValueError, "shape"),
        (("u1", 1.5), TypeError, "shape: expected a whole number for each axis, found 1.5"),
        (("u1", (2, "3")), TypeError, "shape: expected a whole number for each axis, found '3'"),
        (("u1", True), TypeError, "shape"),
        (("u1", None), TypeError, "shape"),
        (("u1", 1, -1), ValueError, "offset: expected a byte of the section, from 0"),
        (("u1", 1, "0"), TypeError, "offset"),
        (
            ("f8", 2, 0, 4),
            ValueError,
            "stride: expected bytes, not fewer than the 8 of an item of the first axis, from 8",
        ),
        (("f8", (2, 3), 0, 8), ValueError, "not fewer than the 24"),
        (("f8", 2, 0, -8), ValueError, "stride"),
        (("f8", 2, 0, 8.0), TypeError, "stride: expected bytes"),
        (("f8", (2, 3), 0, (8,)), ValueError, "stride: expected one for each of 2 axes, found 1"),
        (
            ("f8", (2, 3), 0, (24, 4)),
            ValueError,
            "stride: expected bytes for each axis, not fewer than the 8 of an item",
        ),
        (("f8", (2, 3), 0, (-24, 8)), ValueError, "stride: expected bytes for each axis"),
        (("f8", (), 0, 8), ValueError, "stride: expected None"),
        (("O", 1), TypeError, "refers to Python objects"),
        ((object, 1), TypeError, "refers to Python objects"),
        (([("a", "f4"), ("b", "O")], 1), TypeError, "refers to Python objects"),
        (("S", 1), TypeError, "at least one byte"),
        ((str, 1), TypeError, "at least one byte"),
        (("what", 1), TypeError, "dtype: expected a NumPy dtype or a Struct class, found 'what'"),
        ((7, 1), TypeError, "dtype: expected a NumPy dtype or a Struct class, found 7"),
        ((Struct, 1), TypeError, "dtype: expected a Struct class"),
    ],
    ids=str,
)
def test_an_array_that_cannot_be_says_which_argument_and_why(theirs, arguments, kind, words):
    with pytest.raises(kind) as failure:
        theirs.array(*arguments)
    assert words in str(failure.value)


@pytest.mark.skipif(not hasattr(np, "dtypes") or not hasattr(np.dtypes, "StringDType"), reason="NumPy 1")
def test_an_array_of_numpys_own_strings_is_refused(theirs):
    with pytest.raises(TypeError, match="dtype: expected items of"):
        theirs.array(np.dtypes.StringDType(), 1)


# ---- the section itself ----------------------------------------------------------------------------------------------


def test_a_section_tells_how_large_it_is(theirs, name):
    small = RawSection(name, 64)
    assert sys.getsizeof(theirs) - sys.getsizeof(small) == SIZE - 64
    assert small.size == small.view.nbytes == 64
    small.close()
    assert sys.getsizeof(small) < SIZE


def test_a_section_says_what_it_is(theirs, name):
    assert repr(theirs) == f"<RawSection {name!r}, {SIZE} bytes>"
    with RawSection(name) as section:
        assert repr(section) == f"<RawSection {name!r}, {SIZE} bytes, read-only>"
        assert not section.writable
    assert repr(section) == f"<RawSection {name!r}, closed>"


@pytest.mark.parametrize("writable", [False, True])
def test_a_pickle_opens_the_section_anew(theirs, name, writable):
    with RawSection(name, 64, writable=writable) as section:
        duplicate: Any = pickle.loads(pickle.dumps(section))
        theirs.view[3] = 4
        assert (duplicate.name, duplicate.size, duplicate.writable, duplicate.view[3]) == (name, 64, writable, 4)
        duplicate.close()
    with pytest.raises(typedshm.Closed, match="cannot be pickled"):
        pickle.dumps(section)

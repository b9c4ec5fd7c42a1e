"""Struct: declaring, reading and setting every kind of field, and behaving as a value."""

from __future__ import annotations

import contextlib
import copy
import ctypes
import gc
import math
import pickle
import struct as stdlib_struct
import sys
import tracemalloc
import weakref
from datetime import UTC, datetime, timedelta, timezone
from enum import IntEnum, IntFlag
from typing import Annotated, Any, ClassVar

import numpy as np
import pytest
from numpy.typing import NDArray

import typedshm._native as _native
from helpers import marks
from helpers.buffers import Buffer
from typedshm.errors import Closed, FieldOverflow, FieldTypeError, FieldValueError, SchemaError
from typedshm.layout.dimensions import Shape
from typedshm.layout.kinds import KINDS
from typedshm.layout.markers import (
    Bytes,
    Scalar,
    Timestamp,
    Unit,
    Utf8,
    Utf16,
    Utf32,
    c64,
    c128,
    f16,
    f32,
    f64,
    i8,
    i16,
    i32,
    i64,
    u8,
    u16,
    u32,
    u64,
)
from typedshm.struct.functions import asdict, replace, version_of
from typedshm.struct.loading import struct_from_layout
from typedshm.struct.struct import Struct, StructMeta, initial
from typedshm.struct.views import leased, overlay


class Gear(IntEnum):
    NEUTRAL = 0
    DRIVE = 1


class Lamps(IntFlag):
    LEFT = 1
    RIGHT = 2


class Pose(Struct):
    x: f64
    y: f64 = 0.0


class Telemetry(Struct):
    """What one car reports."""

    tick: u64
    speed: Annotated[f32, Unit("m/s")] = 0.0
    driver: Annotated[str, Utf8(8)] = ""
    team: Annotated[str, Utf16(4)] = ""
    nation: Annotated[str, Utf32(3)] = ""
    serial: Annotated[bytes, Bytes(4)] = b"\0\0\0\0"
    gear: Annotated[Gear, Scalar("u1")] = Gear.NEUTRAL
    lamps: Annotated[Lamps, Scalar("i1")] = Lamps(0)
    pit: bool = False
    delta: i8 = 0
    half: f16 = 0.0
    phase: c64 = 0j
    at: Annotated[np.datetime64, Timestamp()] = np.datetime64(0, "ns")
    seen: Annotated[datetime, Timestamp()] = datetime(2020, 1, 1, tzinfo=UTC)
    wheels: Annotated[NDArray[np.float32], Shape(4)] = np.zeros(4, "f4")
    pose: Pose = Pose(x=0.0)
    rivals: Annotated[NDArray[np.void], Shape(3, of=Pose)] = np.zeros(3, Pose.layout.dtype)


def made(name: str = "Made", /, *, options: dict[str, Any] | None = None, **annotations: object) -> type[Any]:
    """Declare a struct at run time."""
    return StructMeta(name, (Struct,), {"__annotations__": annotations, "__module__": __name__}, **options or {})


# ---- numbers -----------------------------------------------------------------------------------------------------

INTEGERS = {"i8": i8, "i16": i16, "i32": i32, "i64": i64, "u8": u8, "u16": u16, "u32": u32, "u64": u64}


@pytest.mark.parametrize("order", ["little", "big"])
@pytest.mark.parametrize("kind", INTEGERS)
def test_integers_hold_their_whole_range_and_no_more(kind: str, order: str) -> None:
    cls = made(before=u8, a=INTEGERS[kind], options={"byte_order": order})
    limits = np.iinfo(KINDS[kind].dtype)
    value = cls.zero()
    for number in {limits.min, limits.max, 0, 1, -1 if limits.min else 5, 0x0102030405060708 & limits.max}:
        value.a = number
        assert value.a == number
        assert np.frombuffer(bytes(value), cls.layout.dtype)["a"][0] == number
    for number in (limits.min - 1, limits.max + 1, 2**200, -(2**200)):
        with pytest.raises(FieldOverflow, match=rf"^Made.a: .* does not fit {kind} \({limits.min} … {limits.max}\)"):
            value.a = number
    value.a = np.int16(7)
    value.a = np.array(8)
    value.a = True
    assert value.a == 1
    for wrong in (1.0, "1", None, b"1", np.float32(1), np.array([1, 2]), 1j, [1]):
        with pytest.raises(FieldTypeError, match=r"^Made.a: expected an int, found .*\("):
            value.a = wrong
    assert value.a == 1


def test_what_index_raises_is_not_hidden() -> None:
    class Odd:
        def __index__(self) -> int:
            raise RuntimeError("mine")

    with pytest.raises(RuntimeError, match="mine"):
        Telemetry.zero().tick = Odd()  # type: ignore[assignment]


@pytest.mark.parametrize("order", ["little", "big"])
@pytest.mark.parametrize(("kind", "annotation"), [("f16", f16), ("f32", f32), ("f64", f64)])
def test_floats_round_as_numpy_does_and_never_become_infinite(kind: str, annotation: object, order: str) -> None:
    cls = made(before=u8, a=annotation, options={"byte_order": order})
    dtype = np.dtype(KINDS[kind].dtype)
    value = cls.zero()
    for number in (0.0, -0.0, 1.5, 0.1, -1e-7, 6e-8, 2.9e-8, 5e-324, math.inf, -math.inf, float(np.finfo(dtype).max)):
        value.a = number
        assert value.a == dtype.type(number)
        assert math.copysign(1, value.a) == math.copysign(1, number)
        assert np.frombuffer(bytes(value), cls.layout.dtype)["a"][0] == dtype.type(number)
    value.a = math.nan
    assert math.isnan(value.a)
    for fine in (3, np.float32(3), np.int8(3), np.array(3.0)):
        value.a = fine
        assert value.a == 3.0
    for wrong in ("3", None, b"3", 3j, np.complex128(3), [3.0]):
        with pytest.raises(FieldTypeError, match=r"^Made.a: expected a number, found"):
            value.a = wrong
    for large in (10**400, *([1e300, -1e300] if kind != "f64" else [])):
        with pytest.raises(FieldOverflow, match=f"^Made.a: .* does not fit {kind} \\(largest "):
            value.a = large
    assert value.a == 3.0


def test_the_words_of_a_float_overflow() -> None:
    telemetry = Telemetry.zero()
    with pytest.raises(FieldOverflow, match=r"^Telemetry.speed: 1e\+300 does not fit f32 \(largest 3.4e\+38\)$"):
        telemetry.speed = 1e300
    with pytest.raises(FieldOverflow, match=r"Telemetry.half: 65520.0 does not fit f16"):
        telemetry.half = 65520.0
    telemetry.half = 65519.99
    assert telemetry.half == 65504


@pytest.mark.parametrize("order", ["little", "big"])
def test_complex_numbers(order: str) -> None:
    cls = made(a=c64, b=c128, options={"byte_order": order})
    value = cls(a=1 + 2j, b=-0.1 + 1e300j)
    array = np.frombuffer(bytes(value), cls.layout.dtype)
    assert (value.a, value.b) == (array["a"][0], array["b"][0]) == (1 + 2j, -0.1 + 1e300j)
    for fine in (2, 2.5, np.complex64(2), np.complex128(2), np.float32(2)):
        value.a = fine
        assert value.a == complex(fine)
    with pytest.raises(FieldOverflow, match=r"Made.a: .* does not fit c64"):
        value.a = 1e300j
    with pytest.raises(FieldTypeError, match=r"Made.b: expected a number, found '1'"):
        value.b = "1"


def test_bools_are_one_byte_and_take_only_truth_values() -> None:
    value = Telemetry.zero()
    for fine in (True, np.True_, 1):
        value.pit = False
        value.pit = fine  # type: ignore[assignment]
        assert value.pit is True
    with pytest.raises(FieldOverflow, match=r"Telemetry.pit: 2 does not fit a bool \(0 or 1\)"):
        value.pit = 2  # type: ignore[assignment]
    for wrong in ("yes", None, 1.0, []):
        with pytest.raises(FieldTypeError, match=r"Telemetry.pit: expected a bool, found"):
            value.pit = wrong  # type: ignore[assignment]
    memory = bytearray(bytes(value))
    memory[Telemetry.pit.offset] = 2  # type: ignore[attr-defined]
    assert Telemetry.from_buffer(memory).pit is True  # type: ignore[attr-defined]


# ---- enums -------------------------------------------------------------------------------------------------------


def test_enums_read_as_members() -> None:
    value = Telemetry.zero()
    assert value.gear is Gear.NEUTRAL
    value.gear = Gear.DRIVE
    assert value.gear is Gear.DRIVE
    value.gear = 0  # type: ignore[assignment]
    assert value.gear is Gear.NEUTRAL
    value.lamps = Lamps.LEFT | Lamps.RIGHT
    assert value.lamps == Lamps.LEFT | Lamps.RIGHT
    assert isinstance(value.lamps, Lamps)
    with pytest.raises(FieldValueError, match=r"^Telemetry.gear: 9 is no member of Gear \(NEUTRAL=0, DRIVE=1\)$"):
        value.gear = 9  # type: ignore[assignment]
    with pytest.raises(FieldOverflow, match=r"Telemetry.gear: 300 does not fit u8"):
        value.gear = 300  # type: ignore[assignment]
    with pytest.raises(FieldTypeError, match=r"Telemetry.gear: expected a Gear or its number, found 'DRIVE'"):
        value.gear = "DRIVE"  # type: ignore[assignment]
    assert value.gear is Gear.NEUTRAL


def test_an_unknown_enum_value_in_memory_is_named() -> None:
    memory = bytearray(Telemetry.layout.size)
    memory[Telemetry.gear.offset] = 7  # type: ignore[attr-defined]
    foreign = Telemetry.from_buffer(memory)  # type: ignore[attr-defined]
    with pytest.raises(FieldValueError, match=r"Telemetry.gear: 7 is no member of Gear"):
        _ = foreign.gear
    assert "gear=<unreadable: 7>" in repr(foreign)


# ---- text and bytes ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", ["little", "big"])
@pytest.mark.parametrize(
    ("annotation", "encoding", "full", "long", "found"),
    [
        (Annotated[str, Utf8(8)], "utf-8", "häuser1", "häuser12", "at most 8 bytes in utf-8, found 9"),
        (Annotated[str, Utf16(4)], "utf-16", "a🏁z", "ab🏁z", "at most 4 code units in utf-16, found 5"),
        (Annotated[str, Utf32(3)], "utf-32", "a🏁z", "ab🏁z", "at most 3 code units in utf-32, found 4"),
    ],
)
def test_text_is_padded_and_never_cut(
    annotation: object, encoding: str, full: str, long: str, found: str, order: str
) -> None:
    cls = made(before=u8, a=annotation, options={"byte_order": order})
    value = cls.zero()
    if encoding != "utf-8":
        encoding += "-le" if order == "little" else "-be"
    for text in ("", "a", full, "b", "\ufeff"):
        value.a = text
        assert value.a == text
        stored = text.encode(encoding)
        assert bytes(value)[cls.a.offset :][: cls.a.size] == stored + bytes(cls.a.size - len(stored))
    value.a = "kept"[:3]
    with pytest.raises(FieldValueError, match=f"^Made.a: expected text of {found}: '{long}'"):
        value.a = long
    with pytest.raises(FieldValueError, match=r"^Made.a: expected text without NUL, .* at character 1"):
        value.a = "a\0"
    with pytest.raises(FieldValueError, match=r"^Made.a: .* contains a lone surrogate"):
        value.a = "\ud800"
    for wrong in (b"a", None, 3):
        with pytest.raises(FieldTypeError, match=r"^Made.a: expected text \(str\), found"):
            value.a = wrong
    assert value.a == "kep"


@pytest.mark.parametrize(
    ("annotation", "garbage"),
    [
        (Annotated[str, Utf8(4)], b"\xff\xfe\0\0"),
        (Annotated[str, Utf16(2)], b"\0\xd8\0\0"),
        (Annotated[str, Utf32(1)], b"\xff\xff\xff\x7f"),
    ],
)
def test_text_in_memory_that_does_not_decode_is_named(annotation: object, garbage: bytes) -> None:
    cls = made(a=annotation)
    foreign = cls.from_buffer(bytearray(garbage))
    with pytest.raises(FieldValueError, match=r"^Made.a: expected utf.* text in memory, found b'"):
        _ = foreign.a


def test_raw_bytes_have_exactly_their_length() -> None:
    value = Telemetry.zero()
    for fine in (b"a\0c\0", bytearray(b"abcd"), memoryview(b"abcd"), np.arange(4, dtype="u1")):
        value.serial = fine  # type: ignore[assignment]
        assert value.serial == bytes(fine)
    for wrong in (b"abc", b"abcde"):
        with pytest.raises(FieldValueError, match=f"Telemetry.serial: expected exactly 4 bytes, found {len(wrong)}"):
            value.serial = wrong
    for other in ("abcd", 4, None):
        with pytest.raises(FieldTypeError, match=r"Telemetry.serial: expected 4 bytes, found"):
            value.serial = other  # type: ignore[assignment]


# ---- timestamps --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", ["little", "big"])
def test_timestamps_read_as_declared_and_take_both_types(order: str) -> None:
    cls = made(
        a=Annotated[np.datetime64, Timestamp()], b=Annotated[datetime, Timestamp()], options={"byte_order": order}
    )
    moment = datetime(2024, 2, 29, 12, 30, 15, 123456, tzinfo=timezone(timedelta(hours=5)))
    value = cls(a=moment, b=np.datetime64("1969-12-31T23:59:59.999999999"))
    assert value.a == np.datetime64("2024-02-29T07:30:15.123456", "ns")
    assert value.a.dtype == np.dtype("M8[ns]")
    assert value.b == datetime(1969, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)  # rounded down
    assert value.b.tzinfo is UTC
    assert np.frombuffer(bytes(value), cls.layout.dtype)["a"][0] == value.a


@pytest.mark.parametrize("unit", ["Y", "M", "W", "D", "h", "m", "s", "ms", "us", "ns", "10ms", "ps", "fs", "as"])
@pytest.mark.parametrize("count", [0, 1, 3, -1, -7])
def test_timestamps_take_every_numpy_unit(unit: str, count: int) -> None:
    moment = np.datetime64(count, unit.removeprefix("10")) if unit != "10ms" else np.datetime64(count, (unit[2:], 10))
    value = Telemetry.zero()
    value.at = moment
    assert value.at == moment.astype("M8[ns]")


def test_timestamps_refuse_what_they_cannot_hold() -> None:
    value = Telemetry.zero()
    with pytest.raises(
        FieldValueError, match=r"Telemetry.at: expected an aware datetime, found .* without a time zone"
    ):
        value.at = datetime(2024, 1, 1)  # type: ignore[assignment]
    for far in (datetime(2300, 1, 1, tzinfo=UTC), np.datetime64("1600"), np.datetime64(2**62, "s")):
        with pytest.raises(FieldOverflow, match=r"Telemetry.at: .* does not fit a timestamp"):
            value.at = far  # type: ignore[assignment]
    for wrong in (5, "2024-01-01", None, np.timedelta64(3, "s")):
        with pytest.raises(FieldTypeError, match=r"Telemetry.at: expected an aware datetime or a np.datetime64, found"):
            value.at = wrong  # type: ignore[assignment]
    value.at = np.datetime64("NaT", "ns")
    assert np.isnat(value.at)
    value.seen = np.datetime64("NaT", "ns")  # type: ignore[assignment]
    with pytest.raises(FieldValueError, match=r"Telemetry.seen: .* NaT, which datetime cannot represent"):
        _ = value.seen


# ---- nested structs and arrays -----------------------------------------------------------------------------------


def test_a_nested_struct_shares_memory_and_is_copied_when_set() -> None:
    value = Telemetry(tick=1, pose=Pose(x=1, y=2))
    value.pose.x = 9
    assert value.pose == Pose(x=9, y=2)
    other = Pose(x=5)
    value.pose = other
    other.x = 6
    assert value.pose.x == 5
    value.pose = value.pose
    assert value.pose == Pose(x=5)
    with pytest.raises(FieldTypeError, match=r"Telemetry.pose: expected a Pose, found \(1, 2\) \(tuple\)"):
        value.pose = (1, 2)  # type: ignore[assignment]

    class Longer(Pose):
        z: f64

    with pytest.raises(FieldTypeError, match=r"Telemetry.pose: expected a Pose, found Longer"):
        value.pose = Longer(x=1, z=3)
    pose = value.pose
    del value
    gc.collect()
    assert pose.x == 5


def test_an_array_is_a_view_that_keeps_its_struct_alive() -> None:
    value = Telemetry.zero()
    wheels, rivals = value.wheels, value.rivals
    wheels[1] = 2.5
    rivals["x"] = 7
    rivals[2]["y"] = 8
    assert value.wheels.tolist() == [0, 2.5, 0, 0]
    assert value.rivals.tolist() == [(7, 0), (7, 0), (7, 8)]
    assert wheels.base is value
    del value
    gc.collect()
    assert wheels[1] == 2.5


def test_an_array_takes_its_own_shape_and_dtype_only() -> None:
    value = Telemetry.zero()
    value.wheels = np.arange(4, dtype="f4")
    value.wheels = np.arange(8, dtype="f4")[::2]
    value.wheels = np.arange(4, dtype=">f4")  # the same values, the other byte order
    assert value.wheels.tolist() == [0, 1, 2, 3]
    with pytest.raises(FieldValueError, match=r"^Telemetry.wheels: expected shape \(4,\), found \(3,\)$"):
        value.wheels = np.zeros(3, "f4")
    with pytest.raises(
        FieldTypeError, match=r"Telemetry.wheels: expected an array of float32 with shape \(4,\), found"
    ):
        value.wheels = np.zeros(4)  # type: ignore[assignment]
    for wrong in (None, "abcd", 5, {1: 2}):
        with pytest.raises(FieldTypeError, match=r"Telemetry.wheels: expected an array of float32"):
            value.wheels = wrong  # type: ignore[assignment]
    with pytest.raises(FieldValueError, match=r"use .wheels\[...\] = value"):
        value.wheels = np.float32(5)  # type: ignore[assignment]
    with pytest.raises(FieldTypeError, match=r"Telemetry.rivals: expected an array of Pose structs"):
        value.rivals = np.zeros(3)  # type: ignore[assignment]
    assert value.wheels.tolist() == [0, 1, 2, 3]


def test_lists_are_taken_where_every_item_fits() -> None:
    cls = made(
        i=Annotated[NDArray[np.uint8], Shape(2, 2)],
        f=Annotated[NDArray[np.float16], Shape(2)],
        c=Annotated[NDArray[np.complex64], Shape(2)],
        b=Annotated[NDArray[np.bool_], Shape(2)],
        t=Annotated[NDArray[np.datetime64], Shape(2)],
        s=Annotated[NDArray[np.bytes_], Shape(2), Utf8(3)],
        u=Annotated[NDArray[np.str_], Shape(2), Utf32(3)],
        v=Annotated[NDArray[np.void], Shape(2), Bytes(3)],
        p=Annotated[NDArray[np.void], Shape(2, of=Pose)],
    )
    value = cls.zero()
    value.i = [[1, 2], (3, 255)]
    value.f = [1, 0.5]
    value.c = (1, 2j)
    value.b = [True, np.False_]
    value.t = [datetime(1970, 1, 2, tzinfo=UTC), np.datetime64(1, "s")]
    value.s = ["ab", "äb"]
    value.u = ["abc", "🏁"]
    value.v = [b"abc", b"a\0c"]
    value.p = [Pose(x=1, y=2), Pose(x=3)]
    assert value.i.tolist() == [[1, 2], [3, 255]]
    assert value.f.tolist() == [1, 0.5]
    assert value.c.tolist() == [1, 2j]
    assert value.b.tolist() == [True, False]
    assert value.t.astype(int).tolist() == [86_400 * 10**9, 10**9]
    assert value.s.tolist() == [b"ab", "äb".encode()]
    assert value.u.tolist() == ["abc", "🏁"]
    assert [item.tobytes() for item in value.v] == [b"abc", b"a\0c"]
    assert value.p.tolist() == [(1, 2), (3, 0)]
    before = bytes(value)
    refused: list[tuple[str, Any, type[Exception], str]] = [
        ("i", [[1, 2], [3, 256]], FieldOverflow, "256 does not fit u8"),
        ("i", [[1, 2], [3, 2**70]], FieldOverflow, "does not fit u8"),
        ("i", [[1, 2], [3, -1]], FieldOverflow, "-1 does not fit u8"),
        ("i", [[1, 2], [3, 4.0]], FieldTypeError, "items that are uint8, found float64"),
        ("i", [[1, 2], [3]], FieldValueError, "found lists of different lengths"),
        ("i", [1, 2, 3, 4], FieldValueError, r"expected shape \(2, 2\), found \(4,\)"),
        ("f", [1, 1e6], FieldOverflow, "1000000.0 does not fit f16"),
        ("f", ["1", "2"], FieldTypeError, "items that are float16"),
        ("f", [1j, 2], FieldTypeError, "items that are float16"),
        ("c", [1, 1e300], FieldOverflow, "does not fit c64"),
        ("b", [1, 0], FieldTypeError, "items that are bool"),
        ("t", [1, 2], FieldTypeError, "expected an aware datetime"),
        ("s", ["ab", "äbc"], FieldValueError, "at most 3 bytes"),
        ("u", ["ab", "a\0"], FieldValueError, "without NUL"),
        ("u", ["ab"], FieldValueError, "found 1 items instead of 2 items"),
        ("v", [b"abc", b"ab"], FieldValueError, "exactly 3 bytes, found 2"),
        ("v", [b"abc", "abc"], FieldTypeError, "expected 3 bytes"),
        ("p", [Pose(x=1), (1, 2)], FieldTypeError, "expected a Pose"),
    ]
    for name, wrong, error, words in refused:
        with pytest.raises(error, match=f"^Made.{name}: .*{words}"):
            setattr(value, name, wrong)
    assert bytes(value) == before


def test_big_endian_arrays_are_views_of_their_own_order() -> None:
    cls = made(a=Annotated[NDArray[np.uint16], Shape(2)], options={"byte_order": "big"})
    value = cls(a=[1, 2])
    assert bytes(value) == b"\0\1\0\2"
    value.a += 256
    assert value.a.tolist() == [257, 258]
    value.a = np.array([3, 4], "u2")
    assert bytes(value) == b"\0\3\0\4"


# ---- the class ---------------------------------------------------------------------------------------------------


def test_a_constructor_speaks_as_python_does() -> None:
    with pytest.raises(TypeError, match=r"Telemetry.__init__\(\) missing 1 required keyword-only argument: 'tick'"):
        Telemetry()  # type: ignore[call-arg]
    with pytest.raises(TypeError, match=r"Pose.__init__\(\) got an unexpected keyword argument 'z'"):
        Pose(x=1, z=2)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="positional"):
        Pose(1, 2)  # type: ignore[misc]
    with pytest.raises(FieldTypeError, match=r"Pose.x"):
        Pose(x="1")  # type: ignore[arg-type]


def test_defaults_are_validated_copied_and_inherited() -> None:
    with pytest.raises(FieldOverflow, match=r"Bad.a: 300 does not fit u8"):

        class Bad(Struct):
            a: u8 = 300

    template = np.arange(4, dtype="f4")
    corner = Pose(x=1)

    class Base(Struct):
        a: u8
        wheels: Annotated[NDArray[np.float32], Shape(4)] = template
        pose: Pose = corner

    class Derived(Base):
        b: u8 = 5

    template[:] = 9
    corner.x = 9
    value = Derived(a=1)
    assert (value.a, value.b, value.pose.x, value.wheels.tolist()) == (1, 5, 1, [0, 1, 2, 3])
    value.wheels[0] = 7
    assert Derived(a=1).wheels[0] == 0
    assert isinstance(value, Base)
    assert initial(Derived) == replace(value, a=0, wheels=np.arange(4, dtype="f4"))
    assert Derived.zero().b == 0
    with pytest.raises(TypeError, match="'a'"):
        Derived()  # type: ignore[call-arg]


def test_fields_may_have_the_names_of_helpers() -> None:
    class Named(Struct):
        layout: u8
        zero: u8
        model: u8
        copy: u8
        from_buffer: u8
        from_buffer_copy: u8
        mro: u8
        self: u8 = 3
        pose: Pose = Pose(x=1)

    value = Named(layout=1, zero=2, model=3, copy=4, from_buffer=5, from_buffer_copy=6, mro=7)
    assert list(asdict(value).values()) == [1, 2, 3, 4, 5, 6, 7, 3, {"x": 1, "y": 0}]
    assert Named.layout.size == 24
    assert Named.zero().layout == 0  # type: ignore[operator]
    assert copy.copy(value) == value == replace(value)
    memory = bytearray(bytes(value))
    view = overlay(Named, memory, 0, _native.Lease("ended"))
    assert view.from_buffer == 5
    assert view.pose.x == 1
    for name in ("layout", "zero", "model"):
        with pytest.raises(AttributeError):
            setattr(Named, name, 5)


@pytest.mark.parametrize(
    ("annotations", "words"),
    [
        ({}, "Made: expected at least one field"),
        ({"_a": u8}, "Made._a: names that start with an underscore are reserved"),
        ({"a": int}, "Made.a: plain int has no size"),
        ({"a": Struct}, "Made.a: Struct cannot be stored"),
        ({"a": "Nowhere"}, "Made.a: the annotation cannot be evaluated: name 'Nowhere' is not defined"),
        ({"a": "u8["}, "Made.a: the annotation cannot be evaluated"),
    ],
)
def test_a_class_that_cannot_be_laid_out_is_refused(annotations: dict[str, object], words: str) -> None:
    with pytest.raises(SchemaError, match=words):
        made(**annotations)


def test_subclasses_must_not_redefine_fields() -> None:
    for body in ({"__annotations__": {"x": f32}}, {"x": 5}, {"x": lambda self: 5}):
        with pytest.raises(SchemaError, match=r"Bad.x: Pose has a field of that name"):
            StructMeta("Bad", (Pose,), {"__module__": __name__, **body})
    with pytest.raises(SchemaError, match="Bad: expected one Struct among the bases, found Pose, Made"):
        StructMeta("Bad", (Pose, made(a=u8)), {"__module__": __name__})


def test_methods_properties_and_class_variables_stay() -> None:
    class Point(Pose):
        kind: ClassVar[str] = "point"
        unset: ClassVar[int]

        @property
        def length(self) -> float:
            return math.hypot(self.x, self.y)

        def __init__(self, length: float) -> None:
            self.x = length

    assert Point(3.0).length == 3.0
    assert Point.kind == "point"
    assert not hasattr(Point, "unset")
    assert Point.layout.id == Pose.layout.id
    assert len(Point.layout.fields) == 2


def test_local_names_resolve_in_string_annotations() -> None:
    class Local(Struct):
        a: u8

    class Mode(IntEnum):
        ON = 1

    def inner() -> type[Struct]:
        class Outer(Struct):
            class Inner(Struct):
                b: u8

            local: Local
            inner: Inner
            mode: Annotated[Mode, Scalar("u1")]

        return Outer

    assert inner().layout.size == 3


def test_a_misspelt_field_is_an_error() -> None:
    value = Telemetry.zero()
    with pytest.raises(AttributeError, match="spede"):
        value.spede = 1  # type: ignore[attr-defined]
    with pytest.raises(AttributeError, match="spede"):
        _ = value.spede  # type: ignore[attr-defined]
    with pytest.raises(FieldTypeError, match=r"Telemetry.speed: a field cannot be deleted"):
        del value.speed
    with pytest.raises(AttributeError, match=r"Telemetry.speed is a field"):
        Telemetry.speed = 3  # type: ignore[assignment,misc]


def test_a_field_never_looks_into_a_foreign_object() -> None:
    descriptor: Any = Telemetry.__dict__["wheels"]
    for foreign in (Pose(x=1), bytearray(8), object()):
        with pytest.raises(TypeError, match="does not apply to an object of"):
            descriptor.__get__(foreign)
        with pytest.raises(TypeError, match="does not apply to an object of"):
            descriptor.__set__(foreign, 1)
    with pytest.raises(TypeError, match="not initialised"):
        _native.Field.__new__(_native.Field).__get__(Pose(x=1))
    with pytest.raises(TypeError, match="initialised already"):
        descriptor.__init__(Pose, descriptor.spec, "u64", 10**6, 8, False, None)
    for arguments in (("u64", -1, 8), ("u64", 0, 4), ("utf32", 0, 3), ("no", 0, 1), ("array", 0, 1), ("enum", 0, 1)):
        with pytest.raises(ValueError, match="Field: "):
            _native.Field(Pose, None, *arguments, False, None)
    for size, members in ((3, {0: Gear.NEUTRAL}), (1, [Gear.NEUTRAL])):
        with pytest.raises(ValueError, match="make no sense for codec 'enum'"):
            _native.Field(Pose, None, "enum", 0, size, False, (Gear, members, False))
    outside = _native.Field(Pose, None, "u64", 16, 8, False, None)
    with pytest.raises(SystemError, match="outside"):
        outside.__get__(Pose(x=1))


def test_instances_are_ctypes_structures() -> None:
    value = Pose(x=1.5, y=2.5)
    assert isinstance(value, ctypes.Structure)
    assert ctypes.sizeof(value) == 16
    assert ctypes.cast(ctypes.byref(value), ctypes.POINTER(ctypes.c_double))[1] == 2.5
    ctypes.memset(ctypes.addressof(value), 0, 8)
    assert value.x == 0

    class Holder(ctypes.Structure):
        _fields_ = (("n", ctypes.c_int), ("pose", Pose))

    holder = Holder(n=1)
    holder.pose.x = 3.5
    assert stdlib_struct.unpack_from("d", holder, 8) == (3.5,)


# ---- values ------------------------------------------------------------------------------------------------------


def test_repr_reads_like_the_constructor() -> None:
    assert repr(Pose(x=1.0, y=2.0)) == "Pose(x=1.0, y=2.0)"
    assert eval(repr(Pose(x=0.1))) == Pose(x=0.1)
    large = made(a=Annotated[NDArray[np.uint8], Shape(1080, 1920, 3)])
    assert len(repr(large.zero())) < 500


def test_equality_compares_fields_and_never_padding() -> None:
    cls = made(a=u8, b=u32)
    one, other = cls(a=1, b=2), cls(a=1, b=2)
    memory = bytearray(bytes(other))
    memory[1:4] = b"\xff\xff\xff"
    assert one == cls.from_buffer(memory)
    assert one != cls(a=1, b=3)
    assert one != made(a=u8, b=u32)(a=1, b=2)
    assert one != 5
    assert Telemetry(tick=1) == Telemetry(tick=1) != Telemetry(tick=1, wheels=[0, 0, 0, 1])
    assert Pose(x=math.nan) != Pose(x=math.nan)
    with pytest.raises(TypeError, match="unhashable"):
        hash(one)


def test_asdict_copies() -> None:
    value = Telemetry(tick=1, gear=Gear.DRIVE)
    fields = asdict(value)
    assert fields["pose"] == {"x": 0.0, "y": 0.0}
    assert fields["gear"] is Gear.DRIVE
    fields["wheels"][0] = 5
    assert value.wheels[0] == 0


def test_replace_may_be_called_by_a_method_that_a_class_has_for_copy_replace() -> None:
    class Own(Struct):
        x: f64

        def __replace__(self, **changes: Any) -> Own:
            return replace(self, **changes)

    assert Own(x=1.0).__replace__(x=2.0).x == 2.0


def test_replace_changes_a_copy() -> None:
    value = Telemetry(tick=1)
    assert replace(value, tick=2, driver="Ana") == Telemetry(tick=2, driver="Ana")
    assert value == Telemetry(tick=1)
    with pytest.raises(TypeError, match=r"replace: Telemetry has no field 'tack'"):
        replace(value, tack=2)


def test_versions_stay_with_copies_and_pickles() -> None:
    value = Telemetry(tick=1)
    assert version_of(value) is None
    value._state = _native.Origin(7, 8)  # as the core does when it reads
    for duplicate in (copy.copy(value), copy.deepcopy(value), pickle.loads(pickle.dumps(value))):
        assert duplicate == value
        assert version_of(duplicate) == 7
        duplicate.tick = 9
        assert value.tick == 1
    assert version_of(replace(value, tick=2)) is None


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_pickles_carry_the_bytes(protocol: int) -> None:
    value = Telemetry(tick=1, driver="Ana", wheels=[1, 2, 3, 4])
    assert pickle.loads(pickle.dumps(value, protocol)) == value


# ---- classes made from layouts -----------------------------------------------------------------------------------


def test_a_layout_gives_a_class_that_behaves_alike() -> None:
    cls = struct_from_layout(Telemetry.layout)
    assert cls is struct_from_layout(pickle.loads(pickle.dumps(Telemetry.layout)))
    assert cls.layout == Telemetry.layout
    value = Telemetry(tick=1, driver="Ana", gear=Gear.DRIVE, wheels=[1, 2, 3, 4], lamps=Lamps.LEFT)
    same: Any = cls.from_buffer_copy(value)  # type: ignore[attr-defined]
    assert repr(same).replace("Lamps.LEFT", "") == repr(value).replace("Lamps.LEFT", "")
    assert same.gear.name == "DRIVE"
    assert isinstance(same.lamps, IntFlag)
    assert same.seen == value.seen
    assert type(same.pose) is struct_from_layout(Pose.layout)
    with pytest.raises(TypeError, match="missing"):
        cls()


def test_instances_of_such_classes_carry_their_description() -> None:
    value: Any = struct_from_layout(Telemetry.layout).zero()
    value.tick = 5
    again = pickle.loads(pickle.dumps(value))
    assert again == value
    assert type(again) is type(value)


@marks.mortal_classes
def test_such_classes_are_forgotten_with_their_last_user() -> None:
    layout = made("Forgotten", a=u8).layout
    gone = weakref.ref(struct_from_layout(layout))
    gc.collect()
    assert gone() is None


# ---- leased views ------------------------------------------------------------------------------------------------


def test_a_leased_view_writes_through_until_its_lease_ends() -> None:
    memory = bytearray(8 + Telemetry.layout.size)
    lease = _native.Lease("the block has ended")
    view = overlay(Telemetry, memory, 8, lease)
    assert isinstance(view, Telemetry)
    assert type(view) is leased(Telemetry) is leased(leased(Telemetry))
    assert type(view).__name__ == "Telemetry"
    view.tick = 5
    view.pose.x = 2.5
    view.driver = "Ana"
    view.wheels[2] = 1.5
    snapshot = copy.copy(view)
    assert type(snapshot) is Telemetry
    assert snapshot == view == Telemetry(tick=5, pose=Pose(x=2.5), driver="Ana", wheels=[0, 0, 1.5, 0], seen=view.seen)
    assert repr(view) == repr(snapshot)
    assert asdict(view).keys() == asdict(snapshot).keys()
    assert pickle.loads(pickle.dumps(view)) == snapshot
    assert version_of(view) is None
    other = Telemetry.zero()
    other.pose = view.pose
    assert other.pose.x == 2.5
    pose = view.pose
    assert not lease.ended
    lease.end()
    assert lease.ended
    attempts: list[Any] = [
        lambda: view.tick,
        lambda: setattr(view, "tick", 6),
        lambda: view.driver,
        lambda: view.pose,
        lambda: view.wheels,
        lambda: setattr(view, "wheels", [1, 2, 3, 4]),
        lambda: setattr(view, "pose", Pose(x=1)),
        lambda: setattr(other, "pose", pose),
        lambda: pose.x,
        lambda: setattr(pose, "x", 1),
        lambda: repr(view),
        lambda: view == snapshot,
        lambda: copy.copy(view),
        lambda: asdict(view),
        lambda: pickle.dumps(view),
        lambda: memoryview(view),
        lambda: Buffer.of(view),
    ]
    for attempt in attempts:
        with pytest.raises(Closed, match=r"^the block has ended$"):
            attempt()
    assert memory[8] == 5
    assert snapshot.tick == 5


def test_a_leased_view_keeps_its_buffer_alive() -> None:
    memory = bytearray(Telemetry.layout.size)
    view = overlay(Telemetry, memory, 0, _native.Lease("ended"))
    pose, wheels = view.pose, view.wheels
    del view
    gc.collect()
    with pytest.raises(BufferError):
        memory.clear()
    pose.x, wheels[0] = 1.5, 2.5
    assert Telemetry.from_buffer_copy(memory).pose.x == 1.5  # type: ignore[attr-defined]


def test_views_without_a_lease_show_nothing() -> None:
    class Bare(_native.Leased):  # is no Struct, whatever lies where a Struct has its lease
        __slots__ = tuple(f"slot{n}" for n in range(64))

    bare, view, other = Bare(), leased(Telemetry).zero(), leased(Telemetry).zero()
    for name in Bare.__slots__:
        setattr(bare, name, _native.Lease("ended"))
    other._state = _native.Origin(5, 6)
    for item in (bare, view, other):
        for use in (memoryview, Buffer.of):
            with pytest.raises(BufferError, match="without a lease"):
                use(item)


def test_a_lease_has_words_and_keeps_them_no_longer() -> None:
    for wrong in (5, b"ended", None):
        with pytest.raises(TypeError):
            _native.Lease(wrong)
    words = "".join(["the block", " has ended"])
    before = sys.getrefcount(words)
    lease = _native.Lease(words)
    assert sys.getrefcount(words) == before + 1
    del lease
    assert sys.getrefcount(words) == before


def test_a_python_that_lays_out_slots_otherwise_is_refused() -> None:
    class Elsewhere(ctypes.Structure):
        __slots__ = ("Another", "_state")

    class Nowhere(ctypes.Structure):
        __slots__ = ()

    with pytest.raises(ImportError, match="lays out __slots__"):
        _native.register_struct(Elsewhere, KeyError)
    with pytest.raises(AttributeError):
        _native.register_struct(Nowhere, KeyError)
    assert Pose(x=1.5).x == 1.5


# ---- size and memory ---------------------------------------------------------------------------------------------


def test_a_thousand_fields() -> None:
    cls = made(**{f"f{number}": (u8, f64, Annotated[str, Utf8(7)])[number % 3] for number in range(1000)})
    value = cls(**{f"f{number}": (number % 256, number / 2, str(number))[number % 3] for number in range(1000)})
    assert (value.f999, value.f997, value.f998) == (999 % 256, 997 / 2, "998")
    assert copy.copy(value) == value
    assert len(asdict(value)) == 1000


def test_large_structs_are_not_copied_needlessly() -> None:
    cls = made(image=Annotated[NDArray[np.uint8], Shape(1080, 1920, 3)])
    value = cls.zero()
    image = np.ones((1080, 1920, 3), "u1")
    tracemalloc.start()
    try:
        value.image = image
        value.image[:] += 1
        _ = value.image[5, 5, 2]
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()
    assert copy.copy(value) == value


def test_reading_and_setting_leaks_nothing() -> None:
    value = Telemetry(tick=2**40, driver="Ana")
    lease = _native.Lease("ended")
    view = overlay(Telemetry, bytearray(bytes(value)), 0, lease)

    def once() -> None:
        for target in (value, view):
            for field in Telemetry.layout.fields:
                setattr(target, field.name, getattr(target, field.name))
                with contextlib.suppress(FieldTypeError, FieldValueError, FieldOverflow):
                    setattr(target, field.name, object())
                    raise AssertionError(f"{field.name} took an object()")
        copy.copy(value)

    mortal = [None] if sys.version_info < (3, 12) else []
    watched = [*mortal, Pose, Gear, lease, value, Telemetry.__dict__["wheels"], Gear.NEUTRAL, np.ndarray, "Ana"]
    growth: list[int] = []
    for _ in range(100):
        once()
    gc.collect()
    before = [sys.getrefcount(item) for item in watched]
    for _ in range(5):
        blocks = sys.getallocatedblocks()
        for _ in range(100):
            once()
        gc.collect()
        growth.append(sys.getallocatedblocks() - blocks)
    after = [sys.getrefcount(item) for item in watched]
    assert all(abs(now - then) < 50 for now, then in zip(after, before, strict=True)), (before, after)
    # The interpreter's caches grow in some rounds; a leak grows in every one, by a block or more each time.
    assert min(growth) < 100, growth


@marks.mortal_classes
def test_classes_are_collected() -> None:
    cls = made("Temporary", a=u8, pose=Pose)
    gone = weakref.ref(cls)
    overlay(cls, bytearray(cls.layout.size), 0, _native.Lease("ended")).pose.x = 1
    del cls
    gc.collect()
    assert gone() is None


def test_initial_values_take_the_defaults_of_nested_structs() -> None:
    class Inner(Struct):
        x: f64
        y: f64 = 2.0

    class Outer(Struct):
        inner: Inner
        given: Inner = Inner(x=5.0, y=6.0)
        z: f64

    start = initial(Outer)
    assert (start.inner, start.given, start.z) == (Inner(x=0.0, y=2.0), Inner(x=5.0, y=6.0), 0.0)

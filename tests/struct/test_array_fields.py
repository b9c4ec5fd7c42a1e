"""Fields that are arrays, or np.datetime64: what the core does by itself is what Python would have done."""

import contextlib
import math
import os
import struct as stdlib_struct
import subprocess
import sys
from collections.abc import Callable
from decimal import Decimal
from enum import IntEnum
from fractions import Fraction
from typing import Annotated, Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from numpy.typing import NDArray

import typedshm._native as _native
from helpers.calls import python_called
from helpers.marks import SLOW, fast_fields
from typedshm.errors import Closed, FieldOverflow, FieldTypeError
from typedshm.layout.dimensions import Shape
from typedshm.layout.layout import LayoutField
from typedshm.layout.markers import Timestamp, Utf32, u8
from typedshm.struct import conversion, times
from typedshm.struct.loading import struct_from_layout
from typedshm.struct.struct import Struct, StructMeta
from typedshm.struct.views import overlay

KINDS = ("b1", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8", "c8", "c16")


def made(dtype: str, *shape: int, byte_order: str = "little") -> type[Struct]:
    """A class whose field `a` is an array, between others."""
    annotations = {"before": u8, "a": Annotated[NDArray[np.dtype(dtype).type], Shape(*shape)], "after": u8}
    return StructMeta("Made", (Struct,), {"__annotations__": annotations}, byte_order=byte_order)


def field_of(cls: type[Struct]) -> LayoutField:
    """The layout of the field `a`."""
    return next(field for field in cls.layout.fields if field.name == "a")


def filled(cls: type[Struct]) -> Any:
    """An instance with something in each byte."""
    return cls.from_buffer(bytearray(b"\x5a" * cls.layout.size))


def outcome(work: Callable[[Any], None], value: Any) -> bytes | tuple[type, str]:
    """What a Struct holds after work on it, or the error, which has left it as it was."""
    before = bytes(value)
    try:
        work(value)
    except Exception as error:
        assert bytes(value) == before
        return type(error), str(error)
    return bytes(value)


def set_by_python(value: Any, to: object) -> None:
    """Set the field `a` without the core."""
    field = field_of(type(value))
    view = np.ndarray(field.shape, field.item_dtype, value, field.offset)
    conversion.assign_array(type(value).__dict__["a"], view, to)


def same_either_way(cls: type[Struct], to: object) -> bytes | tuple[type, str]:
    """Set the field `a` by the core and by Python, and return what both led to."""
    by_core = outcome(lambda value: setattr(value, "a", to), filled(cls))
    assert by_core == outcome(lambda value: set_by_python(value, to), filled(cls))
    return by_core


# ---- lists and tuples ----------------------------------------------------------------------------------------------


class Gear(IntEnum):
    NEUTRAL = 0
    DRIVE = 1


class Odd(float):
    """A float that says to be another one."""

    def __float__(self) -> float:
        return 3.0


class Index:
    def __index__(self) -> int:
        return 5


NAN = stdlib_struct.unpack("<d", (0x7FFC << 48).to_bytes(8, "little"))[0]  # whose bits are not those of math.nan
TWICE = 2**54 + 2**30 + 1  # a float32 of it and one of its float64 differ

EDGES = [
    sign * (2**bits + near)
    for bits in (7, 8, 11, 15, 16, 24, 31, 32, 53, 63, 64)
    for near in (-1, 0, 1)
    for sign in (1, -1)
]
EDGES.append(TWICE)
REALS = [
    0.0,
    -0.0,
    1.5,
    65504.0,
    65519.9,
    65520.0,
    2.0**-24,
    2.0**-25,
    3.4028235e38,
    3.5e38,
    1e300,
    math.inf,
    math.nan,
    NAN,
]
SCALARS = [np.dtype(kind).type for kind in KINDS] + [np.longlong, np.ulonglong, np.longdouble]


def _scalar(cls: type[np.generic], number: float) -> object:
    with np.errstate(all="ignore"):
        return np.array(number).astype(cls)[()]


INTEGERS = st.sampled_from(EDGES) | st.integers(-(2**65), 2**65) | st.integers(-3, 3)
FLOATS = st.sampled_from(REALS) | st.floats() | st.floats(width=16)
NUMPY = st.builds(_scalar, st.sampled_from(SCALARS), st.integers(-200, 200) | st.floats(width=32))
ODD = st.sampled_from(
    [
        None,
        "1",
        b"1",
        Gear.DRIVE,
        Odd(1.0),
        Index(),
        Decimal(1),
        Fraction(1, 2),
        object,
        [],
        (1,),
        np.array(1),
        np.array([1.0]),
    ]
)
FAMILIES = (
    st.booleans(),
    INTEGERS,
    st.integers(0, 127),
    FLOATS,
    st.complex_numbers() | FLOATS,
    NUMPY,
    INTEGERS | FLOATS | st.booleans(),
    INTEGERS | FLOATS | NUMPY | st.booleans() | ODD,
)


@st.composite
def nested(draw: st.DrawFn, *shape: int) -> object:
    """Nested lists and tuples that mostly have the shape."""
    family = draw(st.sampled_from(FAMILIES))

    def level(shape: tuple[int, ...]) -> object:
        if not shape:
            return draw(family)
        length = draw(st.sampled_from([shape[0]] * 30 + [0, shape[0] - 1, shape[0] + 1]))
        items = [level(shape[1:]) for _ in range(length)]
        return draw(st.sampled_from([list, tuple]))(items)

    return level(shape)


CLASSES = {
    (kind, shape, order): made(kind, *shape, byte_order=order)
    for kind in KINDS
    for shape in ((3,), (2, 2))
    for order in ("little", "big")
}


@given(st.sampled_from(list(CLASSES)), st.data())
def test_lists_and_tuples_are_taken_and_refused_as_python_does(
    form: tuple[str, tuple[int, ...], str], data: Any
) -> None:
    same_either_way(CLASSES[form], data.draw(nested(*form[1])))


@pytest.mark.parametrize("kind", KINDS)
def test_every_pair_of_items_is_taken_and_refused_as_python_does(kind: str) -> None:
    """What NumPy makes of an item depends on those beside it."""
    cls = made(kind, 2)
    items: list[object] = [True, 0, -1, 1, 200, 2**24 + 1, 2**53 + 1, TWICE, 2**63, 0.5, -0.0, 1e300, NAN, 1j]
    items += [_scalar(scalar, number) for scalar in SCALARS for number in (1, -3)] + [np.float32(0.1), np.float64(0.1)]
    for one in items:
        for other in items:
            same_either_way(cls, [one, other])


@pytest.mark.parametrize("order", ["little", "big"])
def test_numbers_of_each_kind_reach_the_bytes(order: str) -> None:
    for kind in KINDS:
        cls = made(kind, 2, 2, byte_order=order)
        value: Any = cls.zero()
        value.a = [(True, False), (False, True)]
        np.testing.assert_array_equal(value.a, [[1, 0], [0, 1]])
        if kind != "b1":
            value.a = ([0, 1], [2, 3])
            np.testing.assert_array_equal(value.a, [[0, 1], [2, 3]])
        assert (value.before, value.after) == (0, 0)


@fast_fields
@pytest.mark.parametrize(
    ("kind", "items"),
    [
        ("f8", (1.0, 2, True)),
        ("f4", [np.float64(1), np.float32(2), np.int16(3)]),
        ("f2", [1.5, -2.0, math.inf]),
        ("i4", (1, np.int64(-5), False)),
        ("u8", [2**63 - 1, 0, np.uint8(200)]),
        ("b1", (True, False, np.bool_(True))),
        ("c8", (1j, 2.0, 3)),
    ],
)
def test_plain_numbers_take_no_python(kind: str, items: Any) -> None:
    """This also shows that the core knows NumPy's C API on this version of it."""
    value: Any = made(kind, 3).zero()
    assert python_called(lambda: setattr(value, "a", items)) == []


def test_a_refused_item_leaves_the_field_as_it_was() -> None:
    value: Any = made("i2", 3).zero()
    value.a = [1, 2, 3]
    for wrong, error in (([7, 8, 2**15], FieldOverflow), ([7, 8, 9.5], FieldTypeError), ([7, 8, "9"], FieldTypeError)):
        with pytest.raises(error, match=r"Made\.a: "):
            value.a = wrong
        assert value.a.tolist() == [1, 2, 3]


def test_long_lists_are_taken() -> None:
    items = [[float(row * 1000 + column) for column in range(1000)] for row in range(3)]
    value: Any = made("f8", 3, 1000).zero()
    value.a = items
    assert value.a.tolist() == items


def test_an_item_that_changes_its_list_is_left_to_python() -> None:
    cls = made("i4", 3)

    class Nasty:
        def __index__(self) -> int:
            items.clear()
            return 1

    items: list[object] = [1, Nasty(), 3]
    with contextlib.suppress(Exception):
        cls.zero().a = items
    assert len(items) in (0, 3)


# ---- arrays --------------------------------------------------------------------------------------------------------


def _arrays(kind: str) -> dict[str, Any]:
    """Arrays of the shape (2, 3), or nearly."""
    plain = np.arange(6).reshape(2, 3).astype(kind)
    unaligned = np.frombuffer(b"\0" + plain.tobytes(), plain.dtype, offset=1).reshape(2, 3)
    frozen = plain.copy()
    frozen.flags.writeable = False
    return {
        "plain": plain,
        "unaligned": unaligned,
        "read-only": frozen,
        "other order": plain.astype(plain.dtype.newbyteorder()),
        "big-endian": plain.astype(plain.dtype.newbyteorder(">")),
        "columns first": np.asfortranarray(plain),
        "every second": np.repeat(plain, 2, axis=1)[:, ::2],
        "backwards": plain[::-1],
        "the same row": np.broadcast_to(plain[0], (2, 3)),
        "metadata": plain.astype(np.dtype(plain.dtype, metadata={"unit": "m"})),
        "masked": np.ma.masked_array(plain, plain == 1),
        "matrix": plain.view(np.matrix),
        "record array": plain.view(np.recarray),
        "other shape": plain.reshape(3, 2),
        "flat": plain.ravel(),
        "more dimensions": plain.reshape(1, 2, 3),
        "longer": np.zeros((2, 4), kind),
        "empty": np.zeros((0, 3), kind),
        "one number": np.array(1, kind),
        "objects": plain.astype(object),
        "other kind": np.ones((2, 3), "i8" if kind != "i8" else "u8"),
        "texts": plain.astype("U"),
        "memoryview": memoryview(plain),
    }


@pytest.mark.filterwarnings("ignore:the matrix subclass:PendingDeprecationWarning")
@pytest.mark.parametrize("order", ["little", "big"])
@pytest.mark.parametrize("kind", KINDS)
def test_arrays_are_taken_and_refused_as_python_does(kind: str, order: str) -> None:
    cls = made(kind, 2, 3, byte_order=order)
    arrays = _arrays(kind)
    found = {name: same_either_way(cls, array) for name, array in arrays.items()}
    fine = {name for name, result in found.items() if isinstance(result, bytes)}
    assert {"plain", "unaligned", "read-only", "other order", "every second", "columns first", "metadata"} <= fine
    assert not fine & {"masked", "other shape", "flat", "longer", "empty", "one number", "objects", "texts"}
    expected = arrays["plain"].astype(field_of(cls).item_dtype).tobytes()
    assert (
        found["plain"]
        == b"\x5a" + expected.join([b"\x5a" * (field_of(cls).offset - 1), b""]) + found["plain"][field_of(cls).end :]
    )


def test_arrays_of_text_bytes_and_times_are_taken_and_refused_as_python_does() -> None:
    class Others(Struct):
        times: Annotated[NDArray[np.datetime64], Timestamp(), Shape(2)]
        names: Annotated[NDArray[np.str_], Utf32(4), Shape(2)]

    class Item(Struct):
        a: u8
        b: Annotated[NDArray[np.float64], Shape(2)]

    class Path(Struct):
        a: Annotated[NDArray[np.void], Shape(2, of=Item)]

    value: Any = Others.zero()
    value.times = times = np.array(["2020-01-01", "NaT"], "M8[ns]")
    value.names = names = np.array(["Ana", "Bert"])
    np.testing.assert_array_equal(value.times, times)
    np.testing.assert_array_equal(value.names, names)
    with pytest.raises(FieldTypeError, match=r"Others\.times: expected an array of datetime64\[ns\]"):
        value.times = times.astype("M8[us]")
    with pytest.raises(FieldTypeError, match=r"Others\.names: expected an array of <U4"):
        value.names = names.astype("U5")
    holes = np.frombuffer(b"\x11" * (2 * Item.layout.size), Item.layout.dtype)
    kept = same_either_way(Path, holes)
    assert isinstance(kept, bytes)
    assert kept[1] == 0x5A, "the gaps between an item's fields are no values, and stay"


def test_bools_are_stored_as_0_and_1() -> None:
    """Whatever byte stands for True in the array that is set."""
    cls = made("b1", 4)
    odd = np.frombuffer(b"\x02\x00\xff\x01", bool)
    assert same_either_way(cls, odd) == b"\x5a\x01\x00\x01\x01\x5a"
    assert same_either_way(cls, np.repeat(odd, 2)[::2]) == b"\x5a\x01\x00\x01\x01\x5a"


@pytest.mark.parametrize("kind", ["u1", "b1"])
@pytest.mark.parametrize("shift", [-1, 0, 1])
def test_an_array_may_lie_over_the_field_itself(kind: str, shift: int) -> None:
    cls = made(kind, 6)
    value: Any = cls.from_buffer(bytearray([0, 1, 0, 1, 1, 0, 1, 1]))
    before = bytes(value)
    value.a = np.ndarray(6, kind, value, 1 + shift)
    assert bytes(value)[1:7] == before[1 + shift : 7 + shift]


@fast_fields
def test_an_equal_array_takes_no_python() -> None:
    for kind in KINDS:
        value: Any = made(kind, 2, 3).zero()
        array = np.ones((2, 3), kind)
        assert python_called(lambda value=value, array=array: setattr(value, "a", array)) == []
        assert value.a.all()


def test_a_field_is_a_view_of_its_struct() -> None:
    for kind in KINDS:
        for order in ("little", "big"):
            cls = made(kind, 2, 3, byte_order=order)
            field = field_of(cls)
            value = filled(cls)
            expected = np.ndarray(field.shape, field.item_dtype, value, field.offset)
            array = value.a
            assert type(array) is np.ndarray
            assert array.base is value
            assert array.__array_interface__ == expected.__array_interface__
            assert str(array.flags) == str(expected.flags)
            assert array.dtype == field.item_dtype
            array[1, 2] = 1
            assert value.a[1, 2] == 1


def test_a_view_ends_with_its_lease() -> None:
    cls = made("f8", 3)
    lease = _native.Lease("it has ended")
    view: Any = overlay(cls, bytearray(cls.layout.size), 0, lease)
    array = view.a
    array[:] = 1
    assert array.base is view
    view.a = (1.0, 2.0, 3.0)
    assert array.tolist() == [1, 2, 3]
    lease.end()
    with pytest.raises(Closed, match="it has ended"):
        _ = view.a
    for value in ((4.0, 5.0, 6.0), np.zeros(3), np.zeros(4), "text", [1j] * 3):
        with pytest.raises(Closed, match="it has ended"):
            view.a = value
    assert array.tolist() == [1, 2, 3]


@pytest.mark.skipif(sys.version_info < (3, 12), reason="classes have no __buffer__ yet")
def test_a_buffer_that_changes_the_array_that_is_set_breaks_nothing() -> None:
    class Nasty(made("u1", 4096)):  # type: ignore[misc]
        def __buffer__(self, flags: int) -> memoryview:
            array.resize(1, refcheck=False)
            return super().__buffer__(flags)  # type: ignore[no-any-return]

    array = np.ones(4096, "u1")
    value: Any = Nasty.zero()
    with contextlib.suppress(Exception):
        value.a = array
    assert array.shape in ((1,), (4096,))


def test_the_core_refuses_what_is_no_array() -> None:
    cls = made("f8", 3)
    field = field_of(cls)
    fine = (np.ndarray, (3,), np.dtype("f8"), 0, conversion.assign_array)
    _native.Field(cls, field, "array", 0, 24, False, fine)
    wrong: list[tuple[int, tuple[Any, ...]]] = [
        (24, (np.ndarray, [3], np.dtype("f8"), 0, None)),
        (24, (np.ndarray, (), np.dtype("f8"), 0, None)),
        (24, (np.ndarray, (1,) * 65, np.dtype("f8"), 0, None)),
    ]
    if not SLOW:
        wrong += [
            (32, fine),
            (16, fine),
            (24, (np.ndarray, (3,), np.dtype("f4"), 0, None)),
            (24, (np.ndarray, (-3,), np.dtype("f8"), 0, None)),
            (24, (dict, (3,), np.dtype("f8"), 0, None)),
            (24, (3, (3,), np.dtype("f8"), 0, None)),
            (24, (np.ndarray, (3,), "f8", 0, None)),
        ]
    for size, extra in wrong:
        with pytest.raises(ValueError, match="make no sense for codec 'array'"):
            _native.Field(cls, field, "array", 0, size, False, extra)


def test_getting_and_setting_arrays_leaks_nothing() -> None:
    value: Any = made("f4", 2, 3).zero()
    short, numbers, odd = np.ones((2, 3), "f4"), [[1.0, np.float32(2), np.int16(3)]] * 2, [[1.0, 2.0, "three"]] * 2
    watched = [value, value.a.dtype, np.ndarray, np.float32, short, numbers, numbers[0][1], odd[0]]

    def once() -> None:
        value.a = short
        value.a = numbers
        value.a = value.a
        with contextlib.suppress(FieldTypeError):
            value.a = odd

    # what never dies has a number that stands for that, and is not counted the same by every extension
    watched = [item for item in watched if sys.getrefcount(item) < 2**30]
    assert any(item is value for item in watched)
    for _ in range(20):
        once()
    before = [sys.getrefcount(item) for item in watched]
    growth: list[int] = []
    for _ in range(5):
        blocks = sys.getallocatedblocks()
        for _ in range(100):
            once()
        growth.append(sys.getallocatedblocks() - blocks)
    after = [sys.getrefcount(item) for item in watched]
    assert all(abs(now - then) < 50 for now, then in zip(after, before, strict=True)), (before, after)
    assert min(growth) < 50, growth


# ---- np.datetime64 -------------------------------------------------------------------------------------------------


class Moment(Struct):
    a: Annotated[np.datetime64, Timestamp()]


class MomentFromAbroad(Struct, byte_order="big"):
    a: Annotated[np.datetime64, Timestamp()]


def time_set_by_python(value: Any, to: object) -> None:
    """Set the field without the core."""
    ns = times.encode_time(type(value).__dict__["a"], to)
    memoryview(value).cast("B")[:] = ns.to_bytes(8, field_of(type(value)).byte_order, signed=True)


def check_time_either_way(cls: type[Struct], time: object) -> None:
    """Set the field `a` by the core and by Python, which store the same or raise the same."""
    by_core = outcome(lambda value: setattr(value, "a", time), filled(cls))
    assert by_core == outcome(lambda value: time_set_by_python(value, time), filled(cls))


UNITS = ("Y", "M", "W", "D", "h", "m", "s", "ms", "us", "ns", "ps", "fs", "as")
COUNTS = [
    sign * (2**63 // factor + near) for factor in (1, 10**3, 10**6, 10**9) for near in (-1, 0, 1) for sign in (1, -1)
]
COUNTS = [count for count in COUNTS if -(2**63) <= count < 2**63]


@given(
    st.sampled_from([Moment, MomentFromAbroad]),
    st.sampled_from(COUNTS) | st.integers(-(2**63), 2**63 - 1) | st.integers(-(10**6), 10**6),
    st.sampled_from(UNITS),
    st.sampled_from([1, 1, 1, 7, 25]),
)
@example(Moment, -(2**63), "s", 1)
@example(Moment, -(2**63) + 1, "ns", 1)
@example(Moment, 2**63 - 1, "us", 1)
def test_times_of_any_unit_are_taken_and_refused_as_python_does(
    cls: type[Struct], count: int, unit: str, step: int
) -> None:
    try:
        time = np.datetime64(count, (unit, step))
        str(time)
    except (ValueError, OverflowError):  # years beyond what NumPy can count
        return
    check_time_either_way(cls, time)


@pytest.mark.parametrize("cls", [Moment, MomentFromAbroad])
@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_times_at_the_limits_of_their_unit_are_taken_and_refused_as_python_does(cls: type[Struct], unit: Any) -> None:
    for count in COUNTS:
        check_time_either_way(cls, np.datetime64(count, unit))


@given(st.sampled_from([Moment, MomentFromAbroad]), st.integers(-(2**63), 2**63 - 1))
@example(Moment, -(2**63))
def test_a_time_is_read_as_numpy_makes_it(cls: type[Struct], ns: int) -> None:
    data = ns.to_bytes(8, field_of(cls).byte_order, signed=True)
    found, expected = cls.from_buffer(bytearray(data)).a, np.datetime64(ns, "ns")
    assert type(found) is np.datetime64
    assert found.dtype == np.dtype("M8[ns]")
    assert found.tobytes() == expected.tobytes()
    assert str(found) == str(expected)
    assert np.isnat(expected) or (found == expected and hash(found) == hash(expected))


@fast_fields
def test_times_take_no_python() -> None:
    value: Any = Moment.zero()
    units: tuple[Any, ...] = ("ns", "us", "ms", "s")
    for time in [np.datetime64(count, unit) for unit in units for count in (5, -5, "NaT")]:
        assert python_called(lambda time=time: setattr(value, "a", time)) == []
        assert python_called(lambda: value.a) == []


@pytest.mark.parametrize("codec", ["datetime64", "datetime", "signed count", "unsigned count"])
def test_a_time_of_odd_size_or_without_its_functions_is_refused(codec: str) -> None:
    field, functions = field_of(Moment), (times.decode_time, times.encode_time)
    size = 4 if codec == "unsigned count" else 8
    _native.Field(Moment, field, codec, 0, size, False, functions)
    for odd, extra in ((2, functions), (16, functions), (size, None), (size, functions[:1]), (size, [*functions])):
        with pytest.raises(ValueError, match=rf"make no sense for codec '{codec}'"):
            _native.Field(Moment, field, codec, 0, odd, False, extra)


def test_times_and_arrays_of_a_layout_are_the_same() -> None:
    cls = struct_from_layout(Moment.layout)
    value: Any = cls.zero()
    value.a = np.datetime64(5, "s")
    assert value.a == np.datetime64(5 * 10**9, "ns")


# ---- the environments ----------------------------------------------------------------------------------------------

PROGRAM = """
import sys
from typing import Annotated
import numpy as np
from numpy.typing import NDArray
{before}
import typedshm
from typedshm import Shape, Struct, Timestamp

class Both(Struct):
    array: Annotated[NDArray[np.float64], Shape(2, 3)]
    time: Annotated[np.datetime64, Timestamp()]

value, names = Both.zero(), []
sys.setprofile(lambda frame, event, argument: event == "call" and names.append(frame.f_code.co_name))
value.array = np.ones((2, 3))
value.array = [(1.0, 2, True), (4, 5.5, 6)]
value.time = np.datetime64(5, "s")
time = value.time
sys.setprofile(None)
assert value.array.tolist() == [[1, 2, 1], [4, 5.5, 6]] and value.array.base is value, value
assert time == np.datetime64(5, "s") and time.dtype == "M8[ns]", time
print(*sorted(set(names) & {{"assign_array", "encode_time", "decode_time"}}))
"""

UNKNOWN = """
import ctypes
core = sys.modules.get("numpy._core._multiarray_umath") or sys.modules["numpy.core._multiarray_umath"]
version = ctypes.CFUNCTYPE(ctypes.c_uint)(lambda: 0x03000000)
ctypes.pythonapi.PyCapsule_GetPointer.restype = ctypes.c_void_p
ctypes.pythonapi.PyCapsule_GetPointer.argtypes = [ctypes.py_object, ctypes.c_char_p]
table = (ctypes.c_void_p * 300).from_address(ctypes.pythonapi.PyCapsule_GetPointer(core._ARRAY_API, None))
other = (ctypes.c_void_p * 300)(*table)
{change}
ctypes.pythonapi.PyCapsule_New.restype = ctypes.py_object
ctypes.pythonapi.PyCapsule_New.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]
core._ARRAY_API = ctypes.pythonapi.PyCapsule_New(ctypes.addressof(other), None, None)
"""


def _run(before: str = "", **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(before=before)],
        env={**os.environ, "TYPEDSHM_SLOW": "0", **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_the_core_knows_this_numpy() -> None:
    assert _native.register_numpy(np) is not SLOW


BY_PYTHON = "assign_array decode_time encode_time"


def test_the_slow_way_can_be_asked_for() -> None:
    assert _run() == ""
    assert _run(TYPEDSHM_SLOW="1") == BY_PYTHON


@pytest.mark.parametrize(
    "change",
    [
        "other[0] = ctypes.cast(version, ctypes.c_void_p).value",  # a NumPy to come
        "other[2] = other[3]",
        "other[215] = other[216]",
        "other[282] = None",
    ],
)
def test_a_numpy_that_the_core_does_not_know_is_left_to_python(change: str) -> None:
    assert _run(UNKNOWN.format(change=change)) == BY_PYTHON


def test_a_numpy_without_a_c_api_is_left_to_python() -> None:
    missing = "core = sys.modules.get('numpy._core._multiarray_umath') or sys.modules['numpy.core._multiarray_umath']\n"
    assert _run(missing + "del core._ARRAY_API") == BY_PYTHON

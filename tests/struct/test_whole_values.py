"""Whole values: ==, asdict(), copies and repr say what the fields one by one would, whatever bytes memory holds."""

import copy
import enum
import gc
from datetime import datetime
from typing import Annotated, Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import typedshm as ts
import typedshm._native as _native
from helpers import values
from typedshm import Shape, Struct
from typedshm.struct.views import overlay
from typedshm.testing import isolated
from typedshm.testing.strategies import structs

SETTINGS = settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])


class Gear(enum.IntEnum):
    NEUTRAL = 0
    DRIVE = 1


class Lamps(enum.IntFlag, boundary=enum.STRICT):
    LEFT = 1
    RIGHT = 2


class Mood(enum.IntEnum):
    """Has a member for numbers that are none."""

    CALM = 0
    OTHER = 255

    @classmethod
    def _missing_(cls, value: object) -> "Mood":
        return cls.OTHER


class Unlike(enum.IntEnum):
    """Compares in a way of its own."""

    NONE = 0
    SOME = 1
    MORE = 2

    def __eq__(self, other: object) -> bool:
        return bool(self) == bool(other)

    __hash__ = int.__hash__


class Point(Struct):
    x: ts.f64
    label: Annotated[str, ts.Utf8(6)]
    gear: Annotated[Gear, ts.Scalar("i2")]


class Near(Point):
    """Compares in a way of its own."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Near) and (self.x > 0) == (other.x > 0)


class Kinds(Struct):
    """Every kind of field."""

    on: bool
    i1: ts.i8
    u2: ts.u16
    i8: ts.i64
    f2: ts.f16
    f4: ts.f32
    f8: ts.f64
    c8: ts.c64
    c16: ts.c128
    gear: Annotated[Gear, ts.Scalar("u1")]
    lamps: Annotated[Lamps, ts.Scalar("i4")]
    mood: Annotated[Mood, ts.Scalar("u1")]
    unlike: Annotated[Unlike, ts.Scalar("u1")]
    narrow: Annotated[str, ts.Utf8(6)]
    wide: Annotated[str, ts.Utf16(4)]
    widest: Annotated[str, ts.Utf32(3)]
    raw: Annotated[bytes, ts.Bytes(5)]
    at: Annotated[datetime, ts.Timestamp()]
    moment: Annotated[np.datetime64, ts.Timestamp()]
    point: Point
    near: Near
    flags: Annotated[NDArray[np.bool_], Shape(3)]
    counts: Annotated[NDArray[np.int16], Shape(2, 2)]
    halves: Annotated[NDArray[np.float16], Shape(2)]
    singles: Annotated[NDArray[np.float32], Shape(3)]
    doubles: Annotated[NDArray[np.float64], Shape(2, 3)]
    waves: Annotated[NDArray[np.complex64], Shape(2)]
    times: Annotated[NDArray[np.datetime64], ts.Timestamp(), Shape(2)]
    names: Annotated[NDArray[np.bytes_], ts.Utf8(4), Shape(2)]
    runes: Annotated[NDArray[np.str_], ts.Utf32(2), Shape(2)]
    codes: Annotated[NDArray[np.bytes_], ts.Bytes(3), Shape(2)]
    path: Annotated[NDArray[np.void], Shape(2, of=Point)]


class BigEndianKinds(Kinds, byte_order="big"):
    """With the fields of another program behind them."""

    far: ts.f32
    far_time: Annotated[datetime, ts.Timestamp()]
    far_moment: Annotated[np.datetime64, ts.Timestamp()]
    far_text: Annotated[str, ts.Utf16(3)]
    far_waves: Annotated[NDArray[np.complex128], Shape(2)]
    far_times: Annotated[NDArray[np.datetime64], ts.Timestamp(), Shape(2)]
    far_halves: Annotated[NDArray[np.float16], Shape(2)]
    far_gear: Annotated[Gear, ts.Scalar("i2")]


def _fields(cls: Any) -> Any:
    return cls._plan.fields


# ---- bytes of all kinds --------------------------------------------------------------------------------------------

NUMBERS = [np.array(x, code) for x in (-0.0, np.nan, np.inf, 1) for code in ("f2", "f4", "f8")]
TIMES = [np.array(ns, "i8") for ns in (-(2**63), 1_999, 1_001, -1, -999, -1_000)]
ODD = (
    *(b"\0", b"\1", b"\2", b"\xff", b"a\0b\0c", b"a\0d\0c", b"\xffa", b"\xff\0b", b"\xff\0c"),
    *(number.astype(number.dtype.newbyteorder(order)).tobytes() for number in (*NUMBERS, *TIMES) for order in "<>"),
)
"""What fields of some kind read in a way of their own."""


@st.composite
def bytes_of(draw: st.DrawFn, cls: type[Struct], start: bytes) -> bytes:
    """Bytes of a Struct: others than `start` in some of its fields, and between them."""
    data = bytearray(start)
    fields = cls.layout.fields
    for field in draw(st.lists(st.sampled_from(fields), max_size=4)):
        some = draw(st.sampled_from(ODD) | st.binary(min_size=1, max_size=8))
        data[field.offset : field.end] = (some * (field.size // len(some) + 1))[: field.size]
    if draw(st.booleans()):
        data[draw(st.integers(0, len(data) - 1))] ^= 1 << draw(st.integers(0, 7))
    return bytes(data)


def made(cls: type[Struct], data: bytes) -> Any:
    instance: Any = cls.zero()
    memoryview(instance).cast("B")[:] = data
    return instance


@st.composite
def pairs(draw: st.DrawFn, cls: type[Struct]) -> tuple[Any, Any]:
    one = draw(bytes_of(cls, bytes(cls.layout.size)))
    return made(cls, one), made(cls, draw(bytes_of(cls, one)))


def check(one: Any, other: Any) -> None:
    expected = values.equal(one, other)
    assert (one == other) is expected
    assert (other == one) is values.equal(other, one)
    assert (one != other) is not expected


@SETTINGS
@given(pairs(Kinds) | pairs(BigEndianKinds))
def test_structs_are_equal_if_their_fields_are(pair: tuple[Any, Any]) -> None:
    check(*pair)
    check(pair[0], pair[0])
    check(pair[0], copy.copy(pair[0]))


@pytest.mark.parametrize("cls", [Kinds, BigEndianKinds])
@pytest.mark.parametrize("number", range(len(ODD)))
def test_each_kind_compares_as_its_values_do(cls: type[Struct], number: int) -> None:
    some = ODD[number]
    for field in cls.layout.fields:
        for rest in (some, bytes(1), ODD[number - 1], ODD[number - 2]):
            one, other = bytearray(cls.layout.size), bytearray(cls.layout.size)
            one[field.offset : field.end] = (some * field.size)[: field.size]
            other[field.offset : field.end] = (rest * field.size)[: field.size]
            check(made(cls, bytes(one)), made(cls, bytes(other)))


@pytest.mark.parametrize(
    ("name", "text", "broken", "nul"),
    [
        ("narrow", b"a", b"\xff", b"\0"),
        ("wide", b"a\0", b"\0\xd8", b"\0\0"),
        ("widest", b"a\0\0\0", b"\xff\xff\xff\xff", b"\0\0\0\0"),
    ],
)
def test_what_is_behind_the_nul_counts_where_text_does_not_decode(
    name: str, text: bytes, broken: bytes, nul: bytes
) -> None:
    field = next(field for field in Kinds.layout.fields if field.name == name)
    one, other = Kinds.zero(), Kinds.zero()
    for start, equal in ((text, True), (broken, False)):
        for value, rest in ((one, text), (other, nul)):
            data = (start + nul + rest).ljust(field.size, b"\0")
            memoryview(value).cast("B")[field.offset : field.end] = data[: field.size]
        assert (one == other) is values.equal(one, other) is equal
        assert one == copy.copy(one)


@SETTINGS
@given(st.data())
def test_structs_of_any_layout_are_equal_if_their_fields_are(data: st.DataObject) -> None:
    check(*data.draw(pairs(data.draw(structs()))))


@SETTINGS
@given(pair=pairs(Kinds))
def test_views_are_equal_as_their_copies_are(pair: tuple[Any, Any]) -> None:
    one, other = pair
    buffer = bytearray(bytes(one) + bytes(other))
    lease = _native.Lease("ended")
    first, second = (overlay(Kinds, buffer, at, lease) for at in (0, Kinds.layout.size))
    for mine in (one, first):
        check(mine, other)
        check(mine, second)
    assert values.same(ts.asdict(first), values.as_dict(one))
    assert repr(first) == repr(one)
    lease.end()
    with pytest.raises(ts.Closed):
        _ = first == one
    with pytest.raises(ts.Closed):
        _ = one == first
    with pytest.raises(ts.Closed):
        ts.asdict(first)


@SETTINGS
@given(pairs(Kinds) | pairs(BigEndianKinds))
def test_asdict_has_the_values_of_all_fields(pair: tuple[Any, Any]) -> None:
    for value in pair:
        assert values.same(ts.asdict(value), values.as_dict(value))
        duplicate = copy.copy(value)
        assert bytes(duplicate) == bytes(value)
        assert type(duplicate) is type(value)


# ---- classes with ways of their own --------------------------------------------------------------------------------


def test_a_class_with_an_eq_of_its_own_is_asked_alone_and_nested() -> None:
    class Scene(Struct):
        near: Near
        n: ts.u8

    one, other = Near(x=1.0, label="a", gear=Gear.DRIVE), Near(x=2.0, label="b", gear=Gear.NEUTRAL)
    assert one == other
    assert (one != other) is False
    assert Scene(near=one, n=1) == Scene(near=other, n=1)
    assert Scene(near=one, n=1) != Scene(near=other, n=2)
    assert Scene(near=one, n=1) != Scene(near=Near(x=-1.0, label="a", gear=Gear.DRIVE), n=1)


def test_an_eq_that_a_class_gets_later_is_asked_as_well() -> None:
    class Inner(Struct):
        n: ts.u8

    class Outer(Struct):
        inner: Inner

    one, other = Outer(inner=Inner(n=1)), Outer(inner=Inner(n=2))
    assert one != other
    changed: Any = Inner
    changed.__eq__ = lambda self, other: True
    assert one == other


def test_the_eq_of_the_base_can_be_called() -> None:
    class Counted(Struct):
        n: ts.u8
        compared = 0

        def __eq__(self, other: object) -> bool:
            type(self).compared += 1
            return super().__eq__(other)

        __hash__ = None  # type: ignore[assignment]

    assert Counted(n=1) == Counted(n=1)
    assert Counted(n=1) != Counted(n=2)
    assert Counted.compared == 2


def test_structs_of_other_classes_are_never_equal_and_none_has_a_hash() -> None:
    class Alike(Struct):
        x: ts.f64
        label: Annotated[str, ts.Utf8(6)]
        gear: Annotated[Gear, ts.Scalar("i2")]

    class Derived(Point):
        pass

    point = Point(x=1.0, label="a", gear=Gear.DRIVE)
    for other in (Alike(x=1.0, label="a", gear=Gear.DRIVE), Derived(x=1.0, label="a", gear=Gear.DRIVE), 1, None):
        assert point != other
        assert (point == other) is False
        assert point.__eq__(other) is NotImplemented
    with pytest.raises(TypeError, match="unhashable"):
        hash(point)
    with pytest.raises(TypeError, match="not supported between"):
        _ = point < point  # type: ignore[operator]


class Doubled:
    """A mixin with a property of the name of a field."""

    @property
    def n(self) -> object:
        return [bytes(self)[0] % 2]  # type: ignore[call-overload]


def test_what_comes_before_a_field_is_read_instead_of_it() -> None:
    class Inner(Struct):
        n: ts.u8

    class Odd(Doubled, Inner):
        pass

    class Loud(Inner):
        def __getattribute__(self, name: str) -> Any:
            found = super().__getattribute__(name)
            return found % 2 if name == "n" else found

    odd: Any = Odd.zero()
    other: Any = Odd.zero()
    memoryview(odd).cast("B")[0], memoryview(other).cast("B")[0] = 3, 5
    assert ts.asdict(odd) == {"n": [1]}
    assert repr(odd).endswith("Odd(n=[1])")
    assert odd == other != Odd.zero()
    assert ts.asdict(Loud(n=3)) == {"n": 1}
    assert repr(Loud(n=3)).endswith("Loud(n=1)")
    assert Loud(n=1) == Loud(n=3) != Loud(n=2)


def test_an_error_in_a_comparison_comes_through() -> None:
    class Broken(enum.IntEnum):
        ONE = 1

        def __eq__(self, other: object) -> bool:
            if isinstance(other, Broken):
                raise ZeroDivisionError
            return int(self) == other

        __hash__ = int.__hash__

    class Holder(Struct):
        n: ts.u8
        broken: Annotated[Broken, ts.Scalar("u1")]

    one = Holder(n=1, broken=Broken.ONE)
    assert one != Holder(n=2, broken=Broken.ONE)  # the fields before it decide
    with pytest.raises(ZeroDivisionError):
        _ = one == Holder(n=1, broken=Broken.ONE)


# ---- repr ----------------------------------------------------------------------------------------------------------


class Shown(Struct):
    gains: Annotated[NDArray[np.float64], Shape(2)]
    singles: Annotated[NDArray[np.float32], Shape(2, 2)]
    counts: Annotated[NDArray[np.int16], Shape(1, 2, 1)]
    waves: Annotated[NDArray[np.complex64], Shape(1)]
    flags: Annotated[NDArray[np.bool_], Shape(2)]
    names: Annotated[NDArray[np.bytes_], ts.Utf8(4), Shape(2)]
    times: Annotated[NDArray[np.datetime64], ts.Timestamp(), Shape(2)]
    path: Annotated[NDArray[np.void], Shape(2, of=Point)]


def test_small_arrays_are_shown_as_lists() -> None:
    value: Any = Shown.zero()
    value.gains, value.singles, value.names = [1, 0.1], [[0.1, 2], [np.nan, -np.inf]], ["a", "b"]
    value.waves = np.array([0.1 + 1j], np.complex64)
    value.times[1] = np.datetime64("NaT", "ns")
    assert repr(value) == (
        "Shown(gains=[1.0, 0.1], singles=[[0.1, 2.0], [nan, -inf]], counts=[[[0], [0]]], waves=[(0.1+1j)], "
        "flags=[False, False], names=[b'a', b'b'], times=['1970-01-01T00:00:00.000000000', 'NaT'], "
        "path=[Point(x=0.0, label='', gear=<Gear.NEUTRAL: 0>), Point(x=0.0, label='', gear=<Gear.NEUTRAL: 0>)])"
    )


def test_of_large_arrays_the_type_and_both_ends_are_shown() -> None:
    class Large(Struct):
        table: Annotated[NDArray[np.float32], Shape(4, 5)]
        codes: Annotated[NDArray[np.uint16], Shape(17)]
        path: Annotated[NDArray[np.void], Shape(20, of=Point)]

    value = Large.zero()
    value.table[...] = np.arange(20).reshape(4, 5) / 10
    value.path[19].x = 2.5
    point = "Point(x=0.0, label='', gear=<Gear.NEUTRAL: 0>)"
    assert repr(value).endswith(
        "Large(table=<f32[4, 5]: 0.0, 0.1, ..., 1.8, 1.9>, codes=<u16[17]: 0, 0, ..., 0, 0>, "
        f"path=<Point[20]: {point}, {point}, ..., {point}, {point.replace('0.0', '2.5')}>)"
    )


def test_an_array_is_shown_as_the_same_whatever_numpy_is_told_to_print() -> None:
    value = Shown.zero()
    expected = repr(value)
    with np.printoptions(precision=1, threshold=0, formatter={"all": lambda _: "?"}):
        assert repr(value) == expected


# ---- in blocks -----------------------------------------------------------------------------------------------------


def test_values_in_blocks_compare_copy_and_show_like_snapshots() -> None:
    value = made(Kinds, bytes(range(256)) * (Kinds.layout.size // 256) + bytes(Kinds.layout.size % 256))
    with isolated(), ts.create("kinds", Kinds, slots=4) as region:
        region.write(value)
        with region.update() as t:
            views = [t]
            check(t, value)
            assert values.same(ts.asdict(t), values.as_dict(value))
            assert repr(t) == repr(value)
        with region.borrow() as t:
            views.append(t)
            check(t, value)
            assert values.same(ts.asdict(t), values.as_dict(value))
            assert repr(t) == repr(value)
            duplicate = copy.copy(t)
            assert ts.version_of(duplicate) == 2
            point: Any = ts.asdict(t)["point"]
        assert bytes(duplicate) == bytes(value)
        assert point == values.as_dict(value)["point"]
        assert ts.version_of(copy.copy(region.read())) == 2
        for view in views:
            for use in (lambda v: v == value, lambda v: value == v, ts.asdict, copy.copy, repr):
                with pytest.raises(ts.Closed):
                    use(view)


def test_a_large_array_compares_as_a_small_one() -> None:
    class Large(Struct):
        numbers: Annotated[NDArray[np.float64], Shape(100_000)]
        counts: Annotated[NDArray[np.uint8], Shape(100_000)]

    one, other = Large.zero(), Large.zero()
    check(one, other)
    for change in (lambda: other.numbers.__setitem__(99_999, -0.0), lambda: other.counts.__setitem__(99_999, 1)):
        change()
        check(one, other)
    one.numbers[5] = other.numbers[5] = np.nan
    one.counts[99_999] = 1
    check(one, other)


# ---- classes and objects -------------------------------------------------------------------------------------------


def test_a_copy_needs_all_bytes_of_the_class() -> None:
    value: Any = Point.zero()
    value.__class__ = Kinds
    with pytest.raises(ValueError, match="bytes"):
        copy.copy(value)


def test_what_only_has_the_plan_of_a_struct_is_refused() -> None:
    class Fake:
        _plan: Any = vars(Point)["_plan"]

    for use in (_native.fields_of, _native.snapshot_of, lambda value: _native.set_fields(value, {})):
        with pytest.raises(TypeError, match="expected a Struct, found"):
            use(Fake())


def test_a_class_and_its_fields_go_with_the_last_reference() -> None:
    def fields_of(*names: str) -> list[Any]:
        gc.collect()
        return [thing for thing in gc.get_objects() if type(thing) is _native.Fields and thing.names == names]

    def declare() -> None:
        class Inner(Struct):
            gone_inside: ts.u8

        class Outer(Struct):
            gone: Inner

        assert Outer(gone=Inner(gone_inside=1)) == Outer(gone=Inner(gone_inside=1))
        assert len(fields_of("gone")) == len(fields_of("gone_inside")) == 1

    declare()
    assert fields_of("gone") == fields_of("gone_inside") == []


@pytest.mark.parametrize(
    ("member", "words"),
    [
        (("n", 1, False, True, "bytes", 1, None), "not initialised"),
        (("n", _native.Field.__new__(_native.Field), False, True, "bytes", 1, None), "not initialised"),
        (("x", vars(Point)["x"], False, True, "nothing", 1, None), "no comparison"),
        (("x", vars(Point)["x"], False, True, "reals", 3, None), "no comparison"),
        (("x", vars(Point)["x"], False, True, "bytes", 0, None), "no comparison"),
        (("x", vars(Point)["x"], False, True, "values", 1, 5), "do not fit"),
        (("x", vars(Point)["x"], False, True, "values", 1, _fields(Kinds)), "do not fit"),
    ],
)
def test_fields_that_make_no_sense_are_refused(member: Any, words: str) -> None:
    with pytest.raises((TypeError, ValueError), match=words):
        _native.Fields(Point, (member,), None)

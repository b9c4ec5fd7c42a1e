"""Kinds for the memory of other programs: what is refused, in which words, and what is particular about each."""

import dataclasses
import enum
import pickle
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import numpy as np
import pytest
from numpy.typing import NDArray

import typedshm
from typedshm import (
    Ansi,
    Ascii,
    Duration,
    FieldOverflow,
    FieldTypeError,
    FieldValueError,
    Latin1,
    Missing,
    Offset,
    Pad,
    Scalar,
    SchemaError,
    Shape,
    Struct,
    Timestamp,
    Utf8,
    f32,
    i8,
    i32,
    u8,
    u32,
)


class Gear(enum.IntEnum):
    NEUTRAL = 0
    DRIVE = 1


def declared(annotation: Any, **options: Any) -> Any:
    body = {"__annotations__": {"n": u8, "x": annotation}, "__module__": __name__}
    return type(Struct)("Made", (Struct,), body, **options)


floats: Any = NDArray[np.float32]


@pytest.mark.parametrize(
    ("annotation", "words"),
    [
        (i32 | None, r"as in Annotated\[i32 \| None, Missing\(-1\)\]"),
        (Annotated[i32, Missing(-1)], r"write Annotated\[i32 \| None, Missing\(-1\)\]"),
        (Annotated[u8 | None, Missing(-1)], r"expected a number that u8 can hold, found Missing\(-1\)"),
        (Annotated[f32, Missing(1e300)], r"expected a number that f32 can hold"),
        (Annotated[floats, Shape(3), Missing(-1)], r"for single numbers.*np\.where\(a == -1, np\.nan, a\)"),
        (Annotated[str, Utf8(3), Missing(-1)], "is for i8 … u64 and f16 … f64, found utf8"),
        (Gear | int, r'Annotated\[Gear \| int, Scalar\("u1", open=True\)\]'),
        (Annotated[Gear | int, Scalar("u1")], r"has Scalar\('u1', open=True\)"),
        (Annotated[int, Scalar("u1", open=True)], "open=True is for enums of integers, found int of u8"),
        (Annotated[NDArray[np.bool_], Scalar("b4"), Shape(3)], r"NDArray\[np\.uint32\], Shape\(3\)"),
        (Annotated[NDArray[np.datetime64], Timestamp("s", "u4"), Shape(3)], r"no times of 32 bits.*np\.uint32"),
        (Annotated[datetime, Duration("ms")], r"is for np\.timedelta64 and timedelta, found datetime"),
        (Annotated[timedelta, Timestamp("ms")], r"is for np\.datetime64 and datetime, found timedelta"),
        (Annotated[floats, Shape(3, count="m")], "expected a plain integer field of Made as count=.*found 'm'"),
        (Annotated[floats, Shape(300, count="n")], "n is u8 and cannot count to 300, but to 255"),
        (Annotated[NDArray[np.bytes_], Utf8(3, errors="replace"), Shape(3)], "only NumPy decodes; leave out errors="),
        (Annotated[u32, Pad(3), Offset(8)], "expected Pad or Offset, found both"),
    ],
)
def test_an_annotation_that_makes_no_sense_is_refused_with_what_to_write(annotation: Any, words: str) -> None:
    with pytest.raises(SchemaError, match=rf"^Made\.x: .*{words}"):
        declared(annotation)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Ansi(4, "utf-8"), "Unicode has kinds of its own: Utf8, Utf16, Utf32"),
        (lambda: Ansi(4, "cp9999"), "expected a code page such as 'cp1252'"),
        (lambda: Timestamp("ms", "u4"), r"32 bits of ms end in 1970.*Duration\('ms', 'u4'\)"),
        (lambda: Duration("ms", "u8"), r"below 2\*\*63 have the same bits as i8"),  # type: ignore[arg-type]
        (lambda: Missing(float("nan")), "NaN says so by itself"),
        (lambda: declared(u32, size=3), "expected size= to be at least 8 bytes"),
        (lambda: declared(u32, size=10), "expected size= to be a multiple of the alignment 4, found 10"),
        (lambda: declared(u32, align=3), "expected align= to be a power of two up to 64, found 3"),
        (lambda: declared(u32, align=128), "found 128"),
    ],
)
def test_arguments_that_make_no_sense_are_refused(make: Any, words: str) -> None:
    with pytest.raises(SchemaError, match=words):
        make()


class Row(Struct):
    a: Annotated[NDArray[np.float32], Shape(3, count="n")]
    n: u8 = 0
    text: Annotated[str, Ascii(4)] = ""
    page: Annotated[str, Ansi(4, "cp1252")] = ""
    count: Annotated[i8 | None, Missing(-1)] = None
    took: Annotated[timedelta, Duration("ms", "i4")] = timedelta(0)
    at: Annotated[datetime, Timestamp("s", "i4")] = datetime(2026, 11, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("name", "value", "error", "words"),
    [
        ("a", [1, 2, 3, 4], FieldValueError, "expected at most 3 items, found 4"),
        ("a", 5, FieldValueError, "expected shape"),
        ("a", np.zeros((2, 2), np.float32), FieldValueError, r"found \(2, 2\)"),
        ("a", np.zeros(2), FieldTypeError, r"convert it with \.astype\(\)"),
        ("text", "é", FieldValueError, "expected text in ascii, which has no 'é'"),
        ("page", "λ", FieldValueError, "expected text in cp1252, which has no 'λ'"),
        ("page", "abcdé", FieldValueError, "at most 4 bytes in cp1252, found 5"),
        ("count", "x", FieldTypeError, "expected an int or None"),
        ("count", 200, FieldOverflow, "does not fit i8"),
        ("took", 5, FieldTypeError, r"expected a timedelta or a np\.timedelta64"),
        ("took", timedelta(days=100), FieldOverflow, "does not fit duration_ms_i32"),
        ("took", np.timedelta64(1, "M"), FieldValueError, "months, which differ in length"),
        ("at", datetime(2050, 1, 1, tzinfo=UTC), FieldOverflow, "… 2038-01-19T03:14:07"),
        ("at", datetime(2020, 1, 1), FieldValueError, "without a time zone"),
        ("at", np.datetime64("NaT", "s"), FieldValueError, "NaT, which timestamp_s_i32 cannot say"),
    ],
)
def test_a_value_that_does_not_fit_is_refused_and_changes_nothing(
    name: str, value: Any, error: type[Exception], words: str
) -> None:
    row = Row(a=[1, 2])
    before = bytes(memoryview(row))  # type: ignore[arg-type]
    with pytest.raises(error, match=rf"^Row\.{name}: .*{words}"):
        setattr(row, name, value)
    assert bytes(memoryview(row)) == before  # type: ignore[arg-type]


def test_an_array_and_its_count_go_together() -> None:
    row = Row(a=[1, 2])
    assert (row.n, row.a.tolist()) == (2, [1, 2])
    row.a[0] = 7  # it writes through
    row.n = 1
    assert row.a.tolist() == [7]
    row.n = 2
    assert row.a.tolist() == [7, 2]  # items beyond the count keep what they held
    assert Row(a=[1]).n == Row(a=[1], n=1).n == 1, "the array sets it, wherever the count stands"
    assert typedshm.replace(row, a=[]).n == typedshm.replace(row, a=[], n=0).n == 0
    assert Row(**typedshm.asdict(row)) == row
    for contradictory in (lambda: Row(a=[1], n=3), lambda: typedshm.replace(row, a=[1], n=3)):
        with pytest.raises(FieldValueError, match=r"Row\.a: expected 3 items, as n says, found 1; leave n out"):
            contradictory()
    with pytest.raises(FieldOverflow):
        Row(a=[1], n=256)
    with pytest.raises(FieldTypeError):
        Row(a=[1], n=np.array([1, 1]))
    row.a = row.a[1:]
    assert row.a.tolist() == [2]
    with typedshm.create("row", Row) as region:
        region.write(row)
        with region.borrow() as borrowed:
            assert borrowed.a.tolist() == [2]
            assert not borrowed.a.flags.writeable
        with region.update() as changed:
            changed.a = [5, 6]
            changed.a[1] = 8
        assert region.read().a.tolist() == [5, 8]


class Two(Struct):
    n: u8 = 0
    a: Annotated[NDArray[np.float32], Shape(6, count="n")]
    b: Annotated[NDArray[np.float32], Shape(6, count="n")]


def test_arrays_with_one_count_have_as_many_items() -> None:
    two = Two(a=[1, 2], b=[3, 4])
    assert (two.n, two.a.tolist(), two.b.tolist()) == (2, [1, 2], [3, 4])
    assert typedshm.replace(two, a=[5], b=[6]) == Two(n=1, a=[5], b=[6])
    words = r"Two\.b: expected {} items, as many as a, with the same count, found {}"
    for a, b in ([1, 2, 3], [9]), ([1], [2, 3]), ([], [1]):
        with pytest.raises(FieldValueError, match=words.format(len(a), len(b))):
            Two(a=a, b=b)
    with pytest.raises(FieldValueError, match=words.format(1, 2)):
        typedshm.replace(two, a=[1])
    with pytest.raises(FieldValueError, match=r"Two\.a: expected 5 items, as n says, found 3"):
        Two(n=5, a=[1, 2, 3], b=[1, 2, 3, 4, 5])


@dataclasses.dataclass
class Counted:
    a: Annotated[NDArray[np.float32], Shape(6, count="n")]
    n: u8 = 0


@dataclasses.dataclass
class Told:
    n: u8
    a: Annotated[NDArray[np.float32], Shape(6, count="n")]


def test_counts_of_dataclasses_agree_or_are_left_at_their_default() -> None:
    floats = np.array([1, 2], np.float32)
    with typedshm.create("counted", Counted) as region:
        region.write(Counted(floats))
        assert (region.read().n, region.read().a.tolist()) == (2, [1, 2])
        region.write(Counted(floats, 2))
        with pytest.raises(FieldValueError, match=r"a: expected 5 items, as n says, found 2"):
            region.write(Counted(floats, 5))
    with typedshm.create("told", Told) as told:
        told.write(Told(2, floats))
        with pytest.raises(FieldValueError, match=r"a: expected 0 items, as n says, found 2"):
            told.write(Told(0, floats))
        assert told.read().n == 2


def test_defaults_that_a_subclass_adds_are_set_counts_first() -> None:
    class First(Struct):
        x: f32

        def __init__(self, x: float) -> None:
            super().__init__(x=x)

    class Second(First):
        a: Annotated[NDArray[np.float32], Shape(6, count="n")] = (1, 2, 3)  # type: ignore[assignment]
        n: u8 = 0

        def __init__(self, x: float) -> None:
            First.__init__(self, x)

    second = Second(1.0)
    assert (second.n, second.a.tolist()) == (3, [1, 2, 3])


def test_a_count_may_stand_in_a_struct_inside() -> None:
    class Info(Struct):
        pad: u32 = 0
        cars: i32 = 0

    class Race(Struct):
        speeds: Annotated[NDArray[np.float32], Shape(4, count="info.cars")]
        info: Info

    race = Race(speeds=[1, 2], info=Info(pad=1))
    assert (race.info.cars, race.info.pad, race.speeds.tolist()) == (2, 1, [1, 2])
    race.info.cars = -1
    with pytest.raises(FieldValueError, match=r"expected info\.cars to be 0 … 4 items, found -1"):
        _ = race.speeds
    assert pickle.loads(pickle.dumps(race)) == race


def test_text_that_decodes_in_part_is_what_decodes() -> None:
    class Sensor(Struct):
        unit: Annotated[str, Utf8(8, errors="replace")]
        strict: Annotated[str, Utf8(8)] = ""
        old: Annotated[str, Latin1(8)] = ""

    sensor = Sensor.zero()
    for start in (0, 8, 16):
        memoryview(sensor).cast("B")[start : start + 2] = b"\xb0C"  # type: ignore[arg-type]
    assert sensor.unit == "\ufffdC"
    assert sensor.old == "°C"
    with pytest.raises(FieldValueError, match=r"Sensor\.strict: expected utf8 text in memory"):
        _ = sensor.strict
    other = Sensor.zero()
    for start in (0, 8, 16):
        memoryview(other).cast("B")[start : start + 2] = b"\xff\x43" if start == 0 else b"\xb0C"  # type: ignore[arg-type]
    assert sensor == other  # which read alike
    with pytest.raises(FieldValueError):
        sensor.unit = "\ud800"


def test_pad_and_size_place_fields_as_c_does() -> None:
    class Head(Struct, size=64, align=32):
        a: u8
        b: Annotated[u32, Pad(3)]  # uint8_t a; char reserved[3]; uint32_t b;
        c: Annotated[u8, Pad(1)]
        d: Annotated[u32, Pad(1)]

    assert [field.offset for field in Head.layout.fields] == [0, 4, 9, 12]
    assert (Head.layout.size, Head.layout.alignment) == (64, 32)
    assert Head.layout.dtype.itemsize == 64

    class Outer(Struct):
        first: u8
        head: Head

    assert [field.offset for field in Outer.layout.fields] == [0, 32]
    assert Outer.layout.size == 96

    class Derived(Head):
        more: u8

    assert Derived.layout.fields[-1].offset == 64
    assert Derived.layout.size == 96  # align= of the base holds for what contains it; size= is not inherited


def test_times_are_rounded_down_and_reach_as_far_as_their_unit() -> None:
    class Moment(Struct):
        ms: Annotated[np.datetime64, Timestamp("ms")]
        us: Annotated[datetime, Timestamp("us")]
        span: Annotated[timedelta, Duration("s")]

    moment = Moment(
        ms=np.datetime64("1969-12-31T23:59:59.999999", "us"),
        us=datetime(9999, 12, 31, tzinfo=UTC),
        span=timedelta(microseconds=-1),
    )
    assert moment.ms == np.datetime64("1969-12-31T23:59:59.999")
    assert moment.us.year == 9999
    assert moment.span == timedelta(seconds=-1)
    moment.us = np.datetime64("20000-01-01", "us")  # type: ignore[assignment]  # a year that datetime does not have
    with pytest.raises(FieldValueError, match=r"found 20000-01-01T00:00:00\.000000, which datetime cannot represent"):
        _ = moment.us
    assert typedshm.asdict(moment)["us"] == np.datetime64("20000-01-01", "us")
    assert typedshm.asdict(moment, mode="json")["us"] == "20000-01-01T00:00:00.000000Z"
    assert "us=<unreadable: " in repr(moment)

"""Columns: a dict of values for some fields of several rows."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import numpy as np
import pytest
from annotated_types import Ge
from numpy.typing import NDArray
from pydantic import BaseModel, Field, ValidationError, model_validator

import typedshm
from helpers.kinds import Gear
from typedshm import (
    Bytes,
    Duration,
    FieldOverflow,
    FieldTypeError,
    FieldValueError,
    Scalar,
    Shape,
    Struct,
    Timestamp,
    UpTo,
    Utf8,
    Utf16,
    f32,
    f64,
    i32,
    u64,
)


class Sample(Struct):
    number: u64 = 0
    place: Annotated[NDArray[np.float32], Shape(4)]
    reward: f32 = 0.0
    note: Annotated[str, Utf8(8)] = ""


class Level(Struct):
    height: Annotated[f64, Ge(0)] = 1.0
    beside: i32 = 7


class Range(BaseModel):
    low: Annotated[f64, Field(ge=0)] = 0.0
    high: f64 = 1.0
    name: Annotated[str, Utf8(8)] = ""

    @model_validator(mode="after")
    def is_ascending(self) -> "Range":
        assert self.low <= self.high
        return self


class Pair(Struct):
    level: Level
    levels: Annotated[NDArray[np.void], Shape(2, of=Level)]


@pytest.fixture
def samples() -> Any:
    with typedshm.create("samples", typedshm.rows(Sample, 8)) as made:
        made[:] = Sample(place=np.zeros(4, np.float32))
        yield made


@pytest.mark.parametrize("column", [-1.0, [-1.0, 2.0], np.array([2.0, -1.0])], ids=repr)
def test_a_constraint_of_a_struct_holds_for_columns(column: Any) -> None:
    with typedshm.create("levels", typedshm.rows(Level, 2)) as table:
        table[:] = Level()
        with pytest.raises(FieldValueError, match="at least 0"):
            table.write([0, 1], {"height": column})
        assert table.versions(...).tolist() == [1, 1]
        table.write([0, 1], {"beside": [3, 4]})
        assert table[1] == Level(beside=4)


def test_a_constraint_of_a_model_holds_for_columns() -> None:
    with typedshm.create("ranges", typedshm.rows(Range, 3)) as table:
        table[0] = Range(low=2, high=5, name="a")
        for rows, columns in (([0, 1], {"low": [3.0, -1.0]}), (0, {"high": 1.0}), ([1], {"low": np.array([1.5])})):
            with pytest.raises(ValidationError):
                table.write(rows, columns)
        assert table.versions(...).tolist() == [1, 0, 0]
        table.write([0, 1], {"low": [4.0, 0.5]})
        assert (table[0], table[1]) == (Range(low=4, high=5, name="a"), Range(low=0.5))
        with typedshm.attach("ranges", typedshm.rows(Range), check=False) as unchecked:
            unchecked.write([2], {"low": -1.0})
        assert table.versions(2) == 1


def test_one_value_for_all_does_not_tell_how_many_are_appended(samples: Any) -> None:
    place = np.arange(4, dtype=np.float32)
    columns = {"number": [1, 2], "note": "abcde", "place": place, "reward": 0.5}
    assert samples.append_many(columns).tolist() == [0, 1]
    assert samples[1] == Sample(number=2, note="abcde", place=place, reward=0.5)
    assert samples.append_many({"number": 3, "note": "abcde", "place": place, "reward": 0.5}).tolist() == [2]


def test_columns_of_rows_that_an_array_of_two_axes_names(samples: Any) -> None:
    rows = np.array([[0, 1], [2, 3]])
    places = np.arange(16, dtype=np.float32).reshape(2, 2, 4)
    samples.write(rows, {"number": rows, "place": places, "note": np.array([["a", "b"], ["c", "d"]])})
    assert samples.read(rows)["number"].tolist() == rows.tolist()
    assert samples.read(rows)["place"].tolist() == places.tolist()
    assert samples[2].note == "c"


def test_columns_in_brackets(samples: Any) -> None:
    samples[3] = {"number": 5}
    samples[-1] = {"number": 6}
    assert (samples[3].number, samples[7].number, samples.versions(7)) == (5, 6, 2)


@pytest.mark.parametrize(
    "columns",
    [{"number": 2**64}, {"number": [1, 2**64]}, {"reward": 1e300}, {"reward": np.array([1.0, -1e300])}],
    ids=repr,
)
def test_a_number_out_of_range_in_a_column(samples: Any, columns: Any) -> None:
    with pytest.raises(FieldOverflow):
        samples.write([0, 1], columns)
    assert samples.versions([0, 1]).tolist() == [1, 1]
    samples.write([0, 1], {"reward": np.array([np.inf, 0.1])})
    assert samples[0].reward == np.inf


def test_columns_of_structs() -> None:
    levels = np.array([(2, 3), (4, 5)], [("beside", "i4"), ("height", "f8")])
    with typedshm.create("pairs", typedshm.rows(Pair, 2)) as table:
        table.write([0, 1], {"level": levels, "levels": levels})
        table.write([0, 1], {"level": levels[::-1]})
        assert [table[row].level for row in (0, 1)] == [Level(beside=4, height=5), Level(beside=2, height=3)]
        assert table.read([0, 1])["levels"]["beside"].tolist() == [[2, 4], [2, 4]]
        with pytest.raises(FieldTypeError, match=r"Pair\.level"):
            table.write([0, 1], {"level": levels.view([("a", "i4"), ("b", "f8")])})


class Label(Struct):
    name: Annotated[str, Utf8(8)] = ""
    code: Annotated[bytes, Bytes(3)] = b"abc"
    at: Annotated[datetime, Timestamp("us")] = datetime(2026, 1, 1, tzinfo=UTC)
    gear: Annotated[Gear, Scalar("u1")] = Gear.DRIVE
    wide: Annotated[str, Utf16(4)] = "né"


def test_columns_as_they_were_read_are_written() -> None:
    with typedshm.create("labels", typedshm.rows(Label, 3)) as table:
        table[0] = Label(name="né", code=b"a\0\0")
        read = table.read([0])
        assert read.dtype.names is not None
        for name in read.dtype.names:
            table.write([1, 2], {name: read[name].repeat(2, axis=0)})
        table.write([2], {name: read[name] for name in read.dtype.names})
        assert table[1] == table[2] == table[0]
        table.write([1], {"name": np.array([b"longer"])})
        assert table[1].name == "longer"
        with pytest.raises(FieldValueError, match=r"Label\.name"):
            table.write([1], {"name": np.array([b"much longer"])})


class Series:
    """What has names of its own for its items, as a column of pandas."""

    def __init__(self, items: dict[int, Any]) -> None:
        self._items = items

    def __len__(self) -> int:
        return len(self._items)

    def __getitem__(self, label: int) -> Any:
        return self._items[label]

    def __iter__(self) -> Any:
        return iter(self._items.values())


def test_a_column_with_labels_is_taken_in_its_order(samples: Any) -> None:
    for labels in ([2, 1, 0], [5, 6, 7]):
        samples.write([0, 1, 2], {"number": Series(dict(zip(labels, [30, 20, 10], strict=True))), "reward": 0.5})
        assert samples.read([0, 1, 2])["number"].tolist() == [30, 20, 10]
        samples.write([0, 1, 2], {"number": 0})
    samples.write([3, 4], {"note": {1: "a", 2: "b"}.values()})
    assert [samples[row].note for row in (3, 4)] == ["a", "b"]


@pytest.mark.parametrize("column", [{1, 2}, {0: 1, 1: 2}, {1: 0, 2: 0}.keys(), frozenset({1, 2})], ids=str)
def test_a_column_without_an_order_is_refused(samples: Any, column: Any) -> None:
    with pytest.raises(FieldTypeError, match=r"Sample\.number: expected values in the order of the rows"):
        samples.write([0, 1], {"number": column})
    assert samples.versions([0, 1]).tolist() == [1, 1]


class Trace(Struct):
    points: Annotated[NDArray[np.int16], UpTo(4)]
    kept: i32 = 7


@pytest.mark.parametrize(
    ("columns", "error"),
    [
        ({"points": np.full((2, 4), 70_000)}, FieldOverflow),
        ({"points": np.full((2, 4), 1.5)}, FieldTypeError),
        ({"points": np.ma.ones((2, 4), np.int16)}, FieldTypeError),
        ({"points": [["1", "2", "3", "4"]] * 2}, FieldTypeError),
        ({"points": [[1, 2], [3]]}, FieldTypeError),
        ({"points": np.ones((2, 5), np.int16)}, FieldValueError),
        ({"points_used": [1, -1]}, FieldOverflow),
        ({"points_used": np.array([1, 2**32 + 1])}, FieldOverflow),
        ({"points_used": [1, 2**64]}, FieldTypeError),
        ({"points_used": [1.0, 1.9]}, FieldTypeError),
        ({"points_used": [1, 2, 3]}, FieldValueError),
        ({"points_used": [1, 5]}, FieldValueError),
    ],
    ids=range(12),
)
def test_items_of_varying_size_and_how_many_they_are_lose_nothing(columns: Any, error: type[Exception]) -> None:
    with typedshm.create("traces", typedshm.rows(Trace, 2)) as traces:
        traces[:] = Trace(points=np.array([5], np.int16))
        with pytest.raises(error, match=r"Trace\.points"):
            traces.write([0, 1], {"points": np.ones((2, 4), np.int16), "points_used": [1, 2]} | columns)
        assert traces.versions(...).tolist() == [1, 1]
        traces.write([0, 1], {"points": np.array([[1, 2, 3, 4], [5, 6, 7, 8]]), "points_used": [1, 2]})
        assert [traces[row].points.tolist() for row in (0, 1)] == [[1], [5, 6]]
        traces.write([0, 1], {"points": [[9, 8, 7, 6]] * 2, "points_used": 3})
        assert [(traces[row].points.tolist(), traces[row].kept) for row in (0, 1)] == [([9, 8, 7], 7)] * 2


class Mark(Struct):
    number: i32 = 1
    reward: f32 = 1.0
    name: Annotated[str, Utf8(3)] = "abc"
    code: Annotated[bytes, Bytes(3)] = b"abc"
    at: Annotated[datetime, Timestamp()] = datetime(2026, 1, 1, tzinfo=UTC)
    lasts: Annotated[timedelta, Duration("ms")] = timedelta(1)


@pytest.mark.parametrize(
    ("field", "items", "error"),
    [
        ("number", np.array(["1", "2"]), FieldTypeError),
        ("number", np.array([b"1", b"2"]), FieldTypeError),
        ("number", np.array([5, 6], "M8[s]"), FieldTypeError),
        ("reward", np.array(["1.5", "2"]), FieldTypeError),
        ("name", np.array(["abcd", "a"]), (FieldTypeError, FieldValueError)),
        ("name", np.array([b"abcd", b"a"]), FieldValueError),
        ("name", np.array([5, 6]), FieldTypeError),
        ("code", np.array(["xyz", "xyz"]), (FieldTypeError, FieldValueError)),
        ("at", np.array([5, 6]), FieldTypeError),
        ("at", np.array([5.5, 6]), FieldTypeError),
        ("at", np.array(["2026-01-01", "2026-01-02"]), FieldTypeError),
        ("at", np.array([5, 6], "m8[s]"), FieldTypeError),
        ("at", np.array(["3000-01-01", "2026-01-01"], "M8[D]"), FieldOverflow),
        ("lasts", np.array([5, 6], "M8[s]"), FieldTypeError),
        ("lasts", np.array([2**62, 6], "m8[s]"), FieldOverflow),
    ],
    ids=range(15),
)
def test_items_of_another_kind_are_not_read_as_what_they_are_not(
    field: str, items: Any, error: type[Exception] | tuple[type[Exception], ...]
) -> None:
    with typedshm.create("marks", typedshm.rows(Mark, 2)) as marks:
        marks[:] = Mark()
        dtype: Any = marks.read(...).dtype
        whole = np.zeros(2, [(name, items.dtype if name == field else dtype[name]) for name in dtype.names])
        whole[field] = items
        for values in (whole, {field: items}):
            with pytest.raises(error, match=rf"Mark\.{field}"):
                marks.write([0, 1], values)
        assert marks.versions(...).tolist() == [1, 1]


def test_times_of_other_units_are_converted() -> None:
    with typedshm.create("marks", typedshm.rows(Mark, 3)) as marks:
        days = np.array(["2026-11-30", "NaT", "1700-01-01"], "M8[D]")
        marks.write([0, 1, 2], {"at": days, "lasts": np.array([1, 2, 3], "m8[s]")})
        assert marks[0].at == datetime(2026, 11, 30, tzinfo=UTC)
        assert np.isnat(marks.read([1])["at"])
        assert marks.read(...)["lasts"].tolist() == [timedelta(seconds=n) for n in (1, 2, 3)]
        marks.write(..., {"lasts": np.array([1_500_000] * 3, "m8[ns]")})
        assert marks[1].lasts == timedelta(milliseconds=1)

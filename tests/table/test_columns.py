"""Columns: a dict of values for some fields of several rows."""

from datetime import UTC, datetime
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
    FieldOverflow,
    FieldTypeError,
    FieldValueError,
    Scalar,
    Shape,
    Struct,
    Timestamp,
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

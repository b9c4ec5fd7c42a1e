"""Reading rows: one complete version of each, by number, slice, array, mask or key."""

import copy
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import typedshm
from helpers.shared_types import Record, record
from typedshm import Empty, FieldTypeError, FieldValueError, ReadOnly, Table
from typedshm.testing.inspection import attach_apart

Records = Table[Record]


@pytest.fixture
def table() -> Any:
    with typedshm.create("records", typedshm.rows(Record, 100)) as made:
        made.write(range(10), [record(n) for n in range(10)])
        yield made


def test_a_row_comes_back_with_its_version_and_time(table: Records) -> None:
    row = table[3]
    assert row == record(3)
    assert isinstance(row, Record)
    assert typedshm.version_of(row) == 1 == table.versions(3)
    published = typedshm.time_of(row)
    assert published is not None
    assert abs(np.datetime64(published.replace(tzinfo=None), "ns") - table.times(3)) < np.timedelta64(1, "us")


def test_a_row_that_was_read_is_a_read_only_copy(table: Records) -> None:
    row = table[3]
    with pytest.raises(ReadOnly, match=r"with table.update\(row\) as t"):
        row.b = 7
    table[3] = record(4)
    assert row == record(3)
    changed = copy.copy(row)
    changed.b = 7
    assert changed.b == 7
    assert pickle.loads(pickle.dumps(row)) == row
    table[5] = row
    assert table[5] == record(3)


@pytest.mark.parametrize(
    ("which", "numbers"),
    [
        (slice(2, 5), [2, 3, 4]),
        (slice(None, 10, 3), [0, 3, 6, 9]),
        (slice(4, 1, -1), [4, 3, 2]),
        (slice(-100, -97), [0, 1, 2]),
        ([3, 1, 3], [3, 1, 3]),
        ((i for i in (1, 2)), [1, 2]),
        (range(1, 9, 4), [1, 5]),
        ([], []),
        (np.array([7, -98], np.int8), [7, 2]),
        (np.array([7, 2], np.uint64), [7, 2]),
        (np.array([7, 2], ">i4"), [7, 2]),
        (np.arange(20)[::2][:3], [0, 2, 4]),
        (np.arange(100) == 5, [5]),
        ([False] * 6 + [True] + [False] * 93, [6]),
        ([np.int64(3), np.int16(4)], [3, 4]),
    ],
    ids=str,
)
def test_several_rows_are_named_as_in_numpy(table: Records, which: Any, numbers: list[int]) -> None:
    rows = table[which]
    assert type(rows) is np.ndarray
    assert rows.dtype == Record.layout.dtype
    assert rows["a"].tolist() == [table[n].a for n in numbers]
    assert table.layout.dtype.itemsize * len(numbers) == rows.nbytes


def test_rows_keep_the_shape_of_the_array_that_names_them(table: Records) -> None:
    which = np.array([[1, 2, 3], [4, 5, 6]])
    assert table.read(which)["a"].tolist() == which.tolist()
    assert table.versions(which).shape == table.times(which).shape == (2, 3)


def test_numbers_of_numpy_and_below_zero_name_one_row(table: Records) -> None:
    assert table[np.uint8(3)] == table[-97] == table[np.int64(-97)] == table.read(3) == record(3)
    assert table.read(np.array(3)) == record(3)


@pytest.mark.parametrize(
    ("which", "error", "words"),
    [
        (100, IndexError, "table 'records' has rows 0 to 99, found 100"),
        (-101, IndexError, "found -101"),
        (2**70, IndexError, "found 1180"),
        ([100], IndexError, "found 100"),
        ([-101, 3], IndexError, "found -101"),
        (np.array([2**63 + 1], np.uint64), IndexError, "found 9223"),
        (True, TypeError, "a mask has one of them for each row"),
        (np.True_, TypeError, "a mask"),
        (1.0, TypeError, "expected one row|whole numbers"),
        (None, TypeError, "found None"),
        ((1, 2), TypeError, r"table\[\[1, 2\]\]"),
        ([1.5], TypeError, "an array of float64"),
        (np.ones(3, bool), IndexError, r"a mask of shape \(100,\)"),
        (np.ones((100, 1), bool), IndexError, "a mask"),
        ({3, 4}, TypeError, "found .*set"),
        ("left", KeyError, "numbers and no keys"),
        (["left"], KeyError, "no keys"),
        (slice("a", None), TypeError, "in a slice"),
        (slice(0, 1.5), TypeError, "in a slice"),
        ({}, TypeError, r"found \{\}"),
        (object(), TypeError, "found <object"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_what_names_no_row_is_refused_in_words(table: Records, which: Any, error: type[Exception], words: str) -> None:
    for verb in (table.__getitem__, table.read, table.versions, table.times):
        with pytest.raises(error, match=words):
            verb(which)
    with pytest.raises(error):
        table[which] = record(1)


def test_empty_rows_are_told_or_zeros(table: Records) -> None:
    with pytest.raises(Empty, match="nothing in row 50 yet") as told:
        table[50]
    assert told.value.rows.tolist() == [50]
    with pytest.raises(Empty, match="rows 10, 12 yet") as told:
        table.read([3, 10, 4, 12])
    assert told.value.rows.tolist() == [10, 12]
    with pytest.raises(Empty, match=r"rows 10, 11, 12, 13, 14, 15, … 84 more"):
        table.read(...)
    assert table.read([3, 10, 4], missing="zero")["a"].tolist() == [3, 0, 4]
    assert table.read(50, missing="zero") == Record()
    assert table.read(3, missing="zero") == record(3)
    assert table.versions([3, 50]).tolist() == [1, 0]
    assert np.isnat(table.times(50))
    assert np.isnat(table.times([3, 50])).tolist() == [False, True]
    with pytest.raises(ValueError, match='expected "raise" or "zero"'):
        table.read(3, missing="no")  # type: ignore[call-overload]


def _change(row: Any) -> None:
    if isinstance(row, Record):
        row.a = 7
    else:
        row[()] = row


TIMED = np.dtype([("at", "M8[us]"), ("lasts", "m8[s]"), ("n", "i4")])


@pytest.mark.parametrize(
    "schema",
    [Record, TIMED, typedshm.array("M8[ns]", 3), typedshm.array(np.float32, 2)],
    ids=["Struct", "times", "array of times", "array"],
)
def test_zeros_in_place_of_a_row_are_as_read_only_as_the_row(schema: Any) -> None:
    with typedshm.create("rows", typedshm.rows(schema, 2)) as table:
        zero = table.read(0, missing="zero")
        assert (zero if isinstance(zero, Record) else zero.tobytes()) in (
            Record.zero(),
            bytes(table.info().payload_size),
        )
        table[1] = zero
        for row in (zero, table[1]):
            with pytest.raises((ReadOnly, ValueError), match="read-only"):
                _change(row)
        assert table.versions(...).tolist() == [0, 1]


def test_out_is_filled_and_returned(table: Records) -> None:
    out = np.zeros(3, Record.layout.dtype)
    assert table.read([1, 2, 3], out=out) is out
    assert out["a"].tolist() == [1, 2, 3]
    assert table.read([1, 50, 3], out=out, missing="zero")["b"].tolist() == [record(1).b, 0, record(3).b]
    for wrong, error in (
        (np.zeros(4, Record.layout.dtype), FieldValueError),
        (np.zeros(3, np.float64), FieldTypeError),
        (np.zeros(6, Record.layout.dtype)[::2], FieldValueError),
        ([], FieldTypeError),
    ):
        with pytest.raises(error, match="out="):
            table.read([1, 2, 3], out=wrong)
    out.flags.writeable = False
    with pytest.raises(FieldValueError, match="read-only"):
        table.read([1, 2, 3], out=out)
    with pytest.raises(TypeError, match=r"read\(\[row\], out=array\)"):
        table.read(1, out=out)  # type: ignore[call-overload]


def test_a_table_is_no_sequence_of_reads(table: Records, monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(table) == 100
    with pytest.raises(TypeError, match="not iterable"):
        iter(table)  # type: ignore[call-overload]
    with pytest.raises(TypeError):
        reversed(table)  # type: ignore[call-overload]
    with pytest.raises(TypeError, match=r"has no keys .* np\.asarray\(table\)"):
        record(3) in table  # noqa: B015
    with pytest.raises(TypeError, match="cannot be deleted"):
        del table[3]
    table[...] = record(7)
    reads: list[object] = []
    monkeypatch.setattr(typedshm._native, "read_rows", _noted(reads, typedshm._native.read_rows))
    assert np.asarray(table)["a"].tolist() == [7] * 100
    assert len(reads) == 1
    assert np.array(table).shape == (100,)
    with pytest.raises(ValueError, match="without a copy"):
        table.__array__(copy=False)


def _noted(calls: list[object], function: Callable[..., Any]) -> Callable[..., Any]:
    def call(*arguments: Any) -> Any:
        calls.append(arguments)
        return function(*arguments)

    return call


def test_a_row_of_an_array_that_was_read_stays(table: Records) -> None:
    rows = table.read([1, 2])
    table[1] = record(9)
    assert rows["a"].tolist() == [1, 2]


def test_a_handle_that_may_only_read(table: Records) -> None:
    with attach_apart("records", typedshm.rows(Record), readonly=True) as reader:
        assert reader.readonly
        assert reader[3] == record(3)
        assert reader.read([1, 2])["a"].tolist() == [1, 2]
        for write in (
            lambda: reader.__setitem__(3, record(1)),
            lambda: reader.write([3], [record(1)]),
            lambda: reader.append(record(1)),
            lambda: reader.append_many([record(1)]),
            lambda: reader.update(3).__enter__(),
            lambda: reader.lock(3).__enter__(),
        ):
            with pytest.raises(typedshm.RegionRefused, match="readonly=True"):
                write()


def test_a_closed_handle_says_so(table: Records) -> None:
    row, rows = table[3], table.read([1, 2])
    other = typedshm.attach("records", typedshm.rows(Record))
    other.close()
    for verb in (
        lambda: other[3],
        lambda: other.read([1]),
        lambda: other.read([]),
        lambda: other.write([1], [record(1)]),
        lambda: other.__setitem__(1, record(1)),
        lambda: other.update(1).__enter__(),
        lambda: other.lock(1),
        lambda: other.append(record(1)),
        lambda: other.versions([1]),
        lambda: other.wait(1, timeout=0),
        lambda: other.follow(),
        lambda: other.filled,
    ):
        with pytest.raises(typedshm.Closed):
            verb()
    assert other.closed
    assert "closed" in repr(other)
    assert row == record(3)
    assert len(rows) == 2

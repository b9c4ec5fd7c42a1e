"""Appending: tickets that go round, and what may be sampled."""

from typing import Any

import numpy as np
import pytest

import typedshm
from helpers.peers import Child, SharedBytes
from helpers.shared_types import Record, record, torn_records
from helpers.threads import InThread
from typedshm import FieldTypeError, FieldValueError, Table, rows
from typedshm.testing.inspection import attach_apart

Records = Table[Record]


@pytest.fixture
def table() -> Any:
    with typedshm.create("replay", rows(Record, 10)) as made:
        yield made


def test_rows_come_in_turn_and_go_round(table: Records) -> None:
    assert [table.append(record(n)) for n in range(12)] == [*range(10), 0, 1]
    assert table.read(...)["a"].tolist() == [10, 11, *range(2, 10)]
    assert table.filled == 10
    assert table.append_many([record(20), record(21)]).tolist() == [2, 3]
    assert table.append_many(table.read([2, 3])).tolist() == [4, 5]
    assert table.read([4, 5])["a"].tolist() == [20, 21]
    assert table.append_many([]).tolist() == []
    assert table.append_many(record(n) for n in (5,)).tolist() == [6]
    info = table.info()
    assert (info.appended, info.lapped) == (17, 0)


def test_more_than_one_lap_at_once_leaves_the_last(table: Records) -> None:
    assert table.append_many([record(n) for n in range(25)]).tolist() == [n % 10 for n in range(25)]
    assert table.read(...)["a"].tolist() == [20, 21, 22, 23, 24, 15, 16, 17, 18, 19]
    assert table.append(record(25)) == 5
    info = table.info()
    assert (info.appended, info.lapped) == (26, 15)


def test_columns_of_all_fields_are_appended(table: Records) -> None:
    columns = {name: np.arange(3, dtype=np.uint64) + at for at, name in enumerate("abcdefghij")}
    assert table.append_many(columns).tolist() == [0, 1, 2]
    assert table[1].j == 10
    with pytest.raises(FieldTypeError, match="columns for all fields, found none for b, c"):
        table.append_many({"a": [1]})
    with pytest.raises(FieldValueError, match=r"Record\.b: expected 3 values, one for each row, found 2"):
        table.append_many({**columns, "b": [1, 2]})
    with pytest.raises(FieldTypeError):
        table.append_many([1, 2])
    with pytest.raises(FieldTypeError, match=r"append\(value\) takes one"):
        table.append_many(record(1))
    with pytest.raises(FieldTypeError):
        table.append(3)  # type: ignore[arg-type]
    assert table.info().appended == 3


def test_an_overtaken_appender_writes_nothing(table: Records) -> None:
    with attach_apart("replay", rows(Record)) as other:
        lock = other.lock(0)
        lock.__enter__()
        late = InThread(table.append, record(100))  # has the first ticket, and waits for its row
        while table.info().appended < 1:
            pass
        other.append_many([record(n) for n in range(1, 10)])
        other.append(record(10))  # the eleventh ticket, for the same row, which this process has
        lock.__exit__(None, None, None)
        assert late.result() == 0
    assert table[0] == record(10)
    assert table.info().lapped == 1


def test_an_append_that_times_out_leaves_the_row(table: Records) -> None:
    table.append_many([record(n) for n in range(10)])
    with attach_apart("replay", rows(Record)) as other, other.lock(0):
        with pytest.raises(typedshm.Timeout) as told:
            table.append(record(50), timeout=0)
        assert told.value.rows.tolist() == [0]
        assert table.append(record(51), timeout=0) == 1
    assert table.read([0, 1])["a"].tolist() == [0, 51]


def _append(pipe: Any, start: int, count: int) -> None:
    with typedshm.attach("replay", rows(Record)) as table:
        pipe.send("ready")
        pipe.recv()
        for n in range(start, start + count):
            if n % 5:
                table.append(record(n))
            else:
                table.append_many([record(n), record(n)])


def test_appenders_of_several_processes_get_rows_of_their_own() -> None:
    with typedshm.create("replay", rows(Record, 5000)) as table:
        with Child(_append, 1, 500) as one, Child(_append, 1001, 500) as two:
            for child in (one, two):
                child.expect("ready")
            for child in (one, two):
                child.send()
        assert table.filled == table.info().appended == 1200
        values = table.read(slice(0, 1200))["a"]
        wanted = [n for start in (1, 1001) for n in range(start, start + 500) for _ in range(1 if n % 5 else 2)]
        assert sorted(values.tolist()) == sorted(wanted)
        assert torn_records(table.read(slice(0, 1200)).view(np.uint64).reshape(-1, 10)) == 0


def _stall(pipe: Any, memory: SharedBytes) -> None:
    del memory
    table = typedshm.attach("replay", rows(Record))
    table.append(record(1))
    with table.lock(1):
        pipe.send("held")
        pipe.recv()


def test_what_is_filled_never_shrinks_and_passes_holes() -> None:
    with typedshm.create("replay", rows(Record, 3000)) as table:
        assert table.filled == 0
        table.append(record(0))
        with attach_apart("replay", rows(Record)) as other, other.lock(1), pytest.raises(typedshm.Timeout):
            table.append(record(1), timeout=0)  # as if it had been killed: row 1 is a hole
        table.append(record(2))
        assert table.filled == 1
        table.append_many([record(3)] * 1500)
        assert table.filled == 1503
        with pytest.raises(typedshm.Empty) as told:
            table.read(slice(0, 10))
        assert told.value.rows.tolist() == [1]
        assert table.read(slice(0, 10), missing="zero")["a"][1] == 0
        table[2000] = record(1)
        assert table.filled == 1503


def test_what_is_written_without_appending_counts_as_filled(table: Records) -> None:
    table[0:3] = record(1)
    assert table.filled == 3
    table[4] = record(1)
    assert table.filled == 3
    table[3] = record(1)
    assert table.filled == 5

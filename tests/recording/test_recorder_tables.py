"""Tables are recorded as the rows that hold something, and then as those that change."""

import helpers.recording_extra  # noqa: F401

# isort: split

import json
import threading
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import numpy as np
import pytest
from mcap.records import Message
from numpy.typing import NDArray

import typedshm
import typedshm._native as _native
from helpers.marks import warned_when_unlinked
from helpers.mcap_files import contents, in_order
from helpers.recorders import Car, channels, drops, has_recorded, hold, topic
from typedshm import Struct, UpTo, recording, u64
from typedshm.recording.sources import table as tables


class Change(NamedTuple):
    row: int
    version: int
    tick: int
    time: int


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run.mcap"


def changes(path: Path, name: str = "cars") -> list[Change]:
    """What was recorded of a table of Cars, in its own encoding."""
    found = [message for message in contents(path) if message.topic == name]
    heads = [np.frombuffer(message.data[:24], "<u8").tolist() for message in found]
    return [Change(*head, message.time) for head, message in zip(heads, found, strict=True)]


def test_rows_that_hold_something_come_first_and_then_those_that_change(path: Path) -> None:
    with typedshm.create("cars", typedshm.rows(Car, 10)) as table:
        table[3] = Car(tick=30)
        table[5] = Car(tick=50)
        table[5] = Car(tick=51)
        with recording.record("cars", path, encoding="typedshm") as recorder:
            has_recorded(recorder, 2)
            table[7] = Car(tick=70)
            has_recorded(recorder, 3)
            table[3] = Car(tick=31)
            has_recorded(recorder, 4)
        assert topic(recorder).dropped == 0
        times = table.times([3, 7]).astype(np.int64)
    found = changes(path)
    assert [change[:3] for change in found] == [(3, 1, 30), (5, 2, 51), (7, 1, 70), (3, 2, 31)]
    assert [found[3].time, found[2].time] == list(times)


def test_changes_that_were_overwritten_are_counted(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with typedshm.create("cars", typedshm.rows(Car, 4)) as table:
        table[1] = Car(tick=1)
        table[1] = Car(tick=2)
        with recording.record("cars", path, encoding="typedshm") as recorder:
            has_recorded(recorder, 1)
            with hold(monkeypatch):
                for tick in range(10):
                    table[1] = table[2] = Car(tick=tick)
            has_recorded(recorder, 21)
    assert sorted(change[:3] for change in changes(path)) == [(1, 2, 2), (1, 12, 9), (2, 10, 9)]
    assert topic(recorder).dropped == 18
    assert drops(path) == {"cars": 18}


def test_the_newest_versions_of_rows_count_no_others(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with (
        typedshm.create("cars", typedshm.rows(Car, 4)) as table,
        recording.record("cars", path, every=False, encoding="typedshm") as recorder,
        hold(monkeypatch),
    ):
        for tick in range(10):
            table[1] = Car(tick=tick)
    assert [change[:3] for change in changes(path)] == [(1, 10, 9)]
    assert topic(recorder).dropped == 0


def test_rows_that_change_while_others_wait_their_turn_are_pending(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "MOST_VERSIONS", 2)
    with typedshm.create("cars", typedshm.rows(Car, 5)) as table:
        table[...] = Car(tick=1)
        source = tables.OpenedTable(typedshm.attach("cars"), "every")
        taken: list[list[int]] = []
        for row in (0, 1, 0):
            batch = source.poll() or pytest.fail("nothing")
            taken.append(np.asarray(batch.rows).tolist())
            table[row] = Car(tick=2)
        assert source.pending == 2
        while (more := source.poll()) is not None:
            taken.append(np.asarray(more.rows).tolist())
        assert taken == [[0, 1], [2, 3], [4, 0], [1, 0]], "in their turn"
        source.close()


def test_a_table_at_a_rate(path: Path) -> None:
    with (
        typedshm.create("cars", typedshm.rows(Car, 4)) as table,
        recording.record("cars", path, rate=1000, encoding="typedshm") as recorder,
    ):
        for tick in range(1, 6):
            table[1] = Car(tick=tick)
            has_recorded(recorder, tick)
    assert [change.version for change in changes(path)] == [1, 2, 3, 4, 5]


def test_many_rows_that_many_threads_write(path: Path) -> None:
    count, rows = 400, 8000

    def write(first: int) -> None:
        for tick in range(count):
            table[first:rows:4] = Car(tick=tick)

    with (
        typedshm.create("cars", typedshm.rows(Car, rows)) as table,
        recording.record("cars", path, encoding="typedshm") as recorder,
    ):
        threads = [threading.Thread(target=write, args=(first,)) for first in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    found = changes(path)
    assert topic(recorder).recorded + topic(recorder).dropped == count * rows
    assert topic(recorder).recorded == len(found)
    newest: dict[int, int] = {}
    for change in found:
        assert change.version == change.tick + 1, "a value that is not of this version"
        assert newest.get(change.row, 0) < change.version, "a version that comes again, or too late"
        newest[change.row] = change.version
    assert newest == dict.fromkeys(range(rows), count)


def test_a_row_that_is_written_while_it_is_copied_is_copied_again(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read_rows, writes = _native.read_rows, iter([11, 12, 13])

    def overtaken(*args: Any) -> None:
        for tick in writes:
            table[1] = Car(tick=tick)
            break
        read_rows(*args)

    with typedshm.create("cars", typedshm.rows(Car, 4)) as table:
        table[1] = table[2] = Car(tick=10)
        monkeypatch.setattr(_native, "read_rows", overtaken)
        with recording.record("cars", path, encoding="typedshm") as recorder:
            has_recorded(recorder, 5)
    assert [change[:3] for change in changes(path)] == [(2, 1, 10), (1, 4, 13)]
    assert topic(recorder).dropped == 3


def test_rows_stand_in_the_order_of_their_times(path: Path) -> None:
    with typedshm.create("cars", typedshm.rows(Car, 9)) as table:
        for row in (4, 8, 1, 0, 7):
            table[row] = Car(tick=row)
        with recording.record("cars", path, encoding="typedshm"):
            pass
    found = [record for record in in_order(path.read_bytes()) if isinstance(record, Message)]
    assert [record.data[0] for record in found] == [4, 8, 1, 0, 7]


def test_a_channel_tells_the_rows_and_their_keys(path: Path) -> None:
    with typedshm.create("cars", typedshm.rows(Car, keys=["left", "right"])) as table:
        table["right"] = Car(tick=1)
        with recording.record("cars", path):
            pass
    (told,) = channels(path)
    assert (told["kind"], told["rows"], json.loads(told["keys"])) == ("table", "2", ["left", "right"])
    assert json.loads(told["document"])["keys"] == ["left", "right"]


class Boxes(Struct):
    """Rows of varying size."""

    tick: u64
    boxes: Annotated[NDArray[np.uint16], UpTo(50_000)]


def test_rows_of_varying_size_are_recorded_as_what_is_used(path: Path) -> None:
    with typedshm.create("boxes", typedshm.rows(Boxes, 3)) as table:
        for row, count in enumerate((3, 0, 40_000)):
            table[row] = Boxes(tick=row, boxes=np.arange(count, dtype=np.uint16))
        with recording.record("boxes", path):
            pass
    sizes = [len(message.data) for message in contents(path)]
    assert [size - sizes[1] for size in sizes] == [6, 0, 80_000]


def test_rows_that_are_bare_arrays(path: Path) -> None:
    with typedshm.create("rows", typedshm.rows(typedshm.array(np.float32, 3), 4)) as table:
        table[2] = np.array([1, 2, 3], np.float32)
        with recording.record("rows", path, encoding="typedshm"):
            pass
    (message,) = contents(path)
    assert message.data[:16] == np.array([2, 1], "<u8").tobytes()
    assert message.data[16:] == np.array([1, 2, 3], "<f4").tobytes()


def test_a_row_whose_writer_died_keeps_no_other_from_being_recorded(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read_rows = _native.read_rows

    def torn(table: Any, rows: Any, out: Any, zero: bool) -> None:
        numbers = np.frombuffer(rows, np.int64)
        if 2 in numbers:
            error = typedshm.TornWrite("row 2 has no value")
            error.rows = np.array([2])
            raise error
        read_rows(table, rows, out, zero)

    with typedshm.create("cars", typedshm.rows(Car, 5), slots=1) as table:
        for row in range(5):
            table[row] = Car(tick=row)
        with monkeypatch.context() as patch:
            patch.setattr(_native, "read_rows", torn)
            recorder = recording.record("cars", path, encoding="typedshm")
            has_recorded(recorder, 4)
        table[2] = Car(tick=9)
        has_recorded(recorder, 5)
        recorder.close()
    assert [change[:3] for change in changes(path)] == [(0, 1, 0), (1, 1, 1), (3, 1, 3), (4, 1, 4), (2, 2, 9)]


@warned_when_unlinked
def test_a_table_that_replaces_another_is_recorded_in_a_channel_of_its_own(path: Path) -> None:
    with (
        typedshm.create("cars", typedshm.rows(Car, 5)) as table,
        recording.record("cars", path, encoding="typedshm") as recorder,
    ):
        table[0] = Car(tick=1)
        has_recorded(recorder, 1)
        typedshm.unlink("cars")
        with typedshm.create("cars", typedshm.rows(Car, 50)) as other:
            other[40] = Car(tick=2)
            has_recorded(recorder, 2)
    assert [change[:3] for change in changes(path)] == [(0, 1, 1), (40, 1, 2)]
    assert [one["rows"] for one in channels(path)] == ["5", "50"]


def test_a_table_that_is_made_later_is_recorded_from_its_first_change(path: Path) -> None:
    with (
        recording.record("cars", path, wait=True, encoding="typedshm") as recorder,
        typedshm.create("cars", typedshm.rows(Car, 5)) as table,
    ):
        for tick in range(3):
            table[4] = Car(tick=tick)
        has_recorded(recorder, 3)
    found = changes(path)
    assert found[-1][:3] == (4, 3, 2)
    assert topic(recorder).recorded + topic(recorder).dropped == 3


def test_a_table_cannot_be_lossless(path: Path) -> None:
    with (
        typedshm.create("cars", typedshm.rows(Car, 5)),
        pytest.raises(typedshm.RegionRefused, match="lossless: expected regions, found the table 'cars'"),
    ):
        recording.record("cars", path, lossless=True)
    assert not path.exists()

"""recent() and at(): what a region still keeps of what was published."""

import datetime
import threading
import time
from collections.abc import Iterator

import numpy as np
import pytest

import typedshm
from helpers.shared_types import Record, record, record_words, torn_records
from helpers.wire import Wire
from typedshm import UnknownVersion, array


@pytest.fixture(params=[1, 2, 3, 8])
def region(request: pytest.FixtureRequest) -> Iterator[typedshm.Region[Record]]:
    with typedshm.create("log", Record, slots=request.param) as region:
        yield region


def write(region: typedshm.Region[Record], *numbers: int) -> None:
    for n in numbers:
        region.write(record(n))


def test_the_newest_come_oldest_first(region: typedshm.Region[Record]) -> None:
    slots = region.info().slots
    assert len(region.recent(5)) == 0
    write(region, *range(1, 13))
    kept = min(slots, 5)
    rows = region.recent(5)
    assert rows["version"].tolist() == list(range(13 - kept, 13))
    assert rows["value"]["a"].tolist() == list(range(13 - kept, 13))
    assert rows.dtype["value"] == Record.layout.dtype
    assert rows["time"].dtype == np.dtype("M8[ns]")
    assert np.all(np.diff(rows["time"]) >= np.timedelta64(0, "ns"))
    assert typedshm.time_of(region.read()) == rows["time"][-1].astype("M8[us]").item().replace(tzinfo=datetime.UTC)
    assert len(region.recent(0)) == 0
    assert len(region.recent(10**9)) == slots


def test_pinned_slots_leave_no_gap() -> None:
    with typedshm.create("log", Record, slots=5) as region:
        write(region, 1)
        with region.borrow():
            write(region, *range(2, 20))
            versions = region.recent(4)["version"].tolist()
            assert versions == list(range(20 - len(versions), 20))
            assert len(versions) >= 3


def test_what_a_writer_is_at_is_left_out() -> None:
    with typedshm.create("log", Record, slots=4) as region, Wire("log") as wire:
        write(region, 1, 2, 3, 4)
        wire.slot(1).mark = 2 * 5 + 1
        assert region.recent(4)["version"].tolist() == [2, 3, 4]


def test_bare_arrays_have_their_own_shape() -> None:
    with typedshm.create("levels", array(np.float32, 2, 3), slots=4) as region:
        for n in range(3):
            region.write(np.full((2, 3), n, np.float32))
        rows = region.recent(2)
        assert rows["value"].shape == (2, 2, 3)
        assert rows["value"].dtype == np.float32
        assert rows["value"][:, 0, 0].tolist() == [1, 2]


def test_every_row_is_complete_beside_a_writer() -> None:
    with typedshm.create("log", Record, slots=64) as region:
        write(region, 1)
        stop = threading.Event()

        def publish() -> None:
            n = 1
            while not stop.is_set():
                n += 1
                region.write(record(n))

        thread = threading.Thread(target=publish)
        thread.start()
        try:
            for _ in range(300):
                rows = region.recent(64)
                words = np.ascontiguousarray(rows["value"]).view(np.uint64).reshape(-1, 10)
                assert torn_records(words) == 0
                assert words[:, 0].tolist() == rows["version"].tolist()
                assert np.all(np.diff(rows["version"].astype(np.int64)) == 1)
        finally:
            stop.set()
            thread.join()


def test_the_version_of_a_time(region: typedshm.Region[Record]) -> None:
    slots = region.info().slots
    with Wire("log") as wire:
        for n in range(1, 10):
            write(region, n)
            wire.slot(n).time = n * 10**12  # 1,000 seconds each
        for n in range(10 - slots, 10):
            for when in (n * 1000, n * 1000 + 999.5, np.datetime64(n * 1000, "s"), n * 1000.0):
                assert region.at(when) == record(n)
            moment = datetime.datetime.fromtimestamp(n * 1000, datetime.UTC)
            assert region.at(moment) == record(n)
            assert typedshm.version_of(region.at(moment)) == n
        dates = np.datetime64("2300-01-01"), np.datetime64("9999-01-01", "us"), np.datetime64(2**62, "Y")
        for later in (4e9, *dates):  # in 64 bits of nanoseconds or not
            assert region.at(later) == record(9)
        with pytest.raises(UnknownVersion, match="found 1500-01-01"):
            region.at(np.datetime64("1500-01-01"))
        with pytest.raises(UnknownVersion):
            region.at(np.datetime64(-(2**60), "D"))
        with pytest.raises(UnknownVersion, match="older ones are gone"):
            region.at((10 - slots) * 1000 - 1)


def test_clocks_that_were_put_back_hide_nothing() -> None:
    with typedshm.create("log", Record, slots=8) as region, Wire("log") as wire:
        for n, second in enumerate((10, 20, 30, 5, 15), start=1):
            write(region, n)
            wire.slot(n).time = second * 10**9
        assert [region.at(second).a for second in (5, 12, 16, 29, 30)] == [4, 4, 5, 5, 5]
        assert region.at(31) == record(5)


def test_a_time_before_the_first_is_told_from_one_that_is_gone() -> None:
    with typedshm.create("log", Record, slots=8) as region:
        with pytest.raises(UnknownVersion, match="is empty"):
            region.at(time.time())
        write(region, 1, 2)
        with pytest.raises(UnknownVersion, match=r"version 1 of .* nothing was published before"):
            region.at(0)


@pytest.mark.parametrize(
    "when", ["now", None, True, datetime.datetime(2026, 1, 1), np.datetime64("NaT", "ns"), float("nan"), 1e300]
)
def test_what_is_no_time_is_refused(when: object) -> None:
    with (
        typedshm.create("log", Record) as region,
        pytest.raises((TypeError, ValueError), match=r"^when: expected a datetime with a time zone"),
    ):
        region.at(when)  # type: ignore[arg-type]


def test_what_time_of_says_is_found_again() -> None:
    with typedshm.create("log", Record, slots=8) as region:
        write(region, 1, 2, 3)
        value = region.read()
        published = typedshm.time_of(value)
        assert published is not None
        assert region.at(published) == value
        assert np.array_equal(record_words(3), np.frombuffer(bytes(value), np.uint64))

"""publish() and publish_row(): bytes with given numbers and times, and what readers make of numbers left out."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated, Any

import numpy as np
import pytest
from numpy.typing import NDArray

import typedshm
import typedshm._native as _native
from helpers.peers import PATIENCE, Child
from helpers.shared_types import Big, Record, record, record_words
from helpers.threads import InThread
from helpers.wire import Wire
from typedshm import FollowerBehind, MisuseError, PublisherExists, Stale, Struct, Timeout, UnknownVersion, UpTo, u64
from typedshm.struct.extents import compiled_extents
from typedshm.testing.inspection import attach_apart

NUMBERS = [1, 2, 5, 6, 9, 11, 12, 20, 22, 24, 1000]
"""Whatever remainder by the number of slots one has, some later one has the same."""

SECOND = 10**9


class Cloud(Struct):
    points: Annotated[NDArray[np.uint32], UpTo(1000, 3)]
    tick: u64 = 0


class LargeCloud(Struct):
    """Copied without the GIL."""

    tick: u64 = 0
    points: Annotated[NDArray[np.uint64], UpTo(100_000)]


def raw(n: int) -> bytes:
    return bytes(record_words(n))


def publish(region: typedshm.Region[Record], *numbers: int) -> None:
    """Versions whose values, and seconds since 1970, are their numbers."""
    for n in numbers:
        assert _native.publish(region, raw(n), n, n * SECOND) == n


@pytest.fixture(params=[1, 2, 3, 4, 16])
def region(request: pytest.FixtureRequest) -> Iterator[typedshm.Region[Record]]:
    with typedshm.create("replayed", Record, slots=request.param) as region:
        yield region


@pytest.fixture
def roomy() -> Iterator[typedshm.Region[Record]]:
    with typedshm.create("roomy", Record, slots=16) as region:
        publish(region, *NUMBERS)
        yield region


# ---- numbers -------------------------------------------------------------------------------------------------------


def test_readers_find_the_given_number_and_time(region: typedshm.Region[Record]) -> None:
    with attach_apart("replayed", Record, readonly=True) as reader:
        for n in NUMBERS:
            publish(region, n)
            for handle in (region, reader):
                value = handle.read()
                assert (value, handle.version) == (record(n), n)
                assert typedshm.version_of(value) == n
                assert typedshm.time_of(value) == datetime.fromtimestamp(n, UTC)
            with reader.borrow() as borrowed:
                assert (borrowed, typedshm.version_of(borrowed)) == (record(n), n)


def test_a_follower_gets_every_one_and_counts_the_numbers_left_out(region: typedshm.Region[Record]) -> None:
    every, newest = region.follow(every=True), region.follow()
    before = 0
    for n in NUMBERS:
        publish(region, n)
        assert (every.pending, newest.pending) == (n - before, n - before)
        assert (every.poll(), newest.poll()) == (record(n), record(n))
        assert every.version == newest.version == n
        before = n
    assert every.poll() is None
    assert every.dropped == NUMBERS[-1] - len(NUMBERS)


def test_batches_tell_the_numbers(roomy: typedshm.Region[Record]) -> None:
    follower = roomy.follow(every=True, start="oldest")
    values, versions, times = _native.follower_batch(follower, 100, 2**20) or pytest.fail("nothing")
    assert versions.tolist() == NUMBERS
    assert times.tolist() == [n * SECOND for n in NUMBERS]
    assert np.asarray(values).tobytes() == b"".join(map(raw, NUMBERS))


def test_the_next_write_has_the_next_number(region: typedshm.Region[Record]) -> None:
    publish(region, 41)
    region.write(record(1))
    assert region.version == 42
    with region.update() as t:
        t.b = 7
    assert region.version == 43
    assert _native.publish(region, raw(3), 0, 0) == 44
    publish(region, 50)
    with region.loan() as t:
        t.b = 7
    assert region.version == 51


@pytest.mark.parametrize("given", [1, 23, 24])
def test_a_number_that_is_not_above_the_newest_is_refused(region: typedshm.Region[Record], given: int) -> None:
    publish(region, 2, 24)
    with pytest.raises(ValueError, match=f"version: expected a number above 24, .* found {given}$"):
        _native.publish(region, raw(1), given, 0)
    assert (region.read(), region.version) == (record(24), 24), "nothing was touched"
    publish(region, 25)


def test_the_largest_number(region: typedshm.Region[Record]) -> None:
    publish(region, 5)
    assert _native.publish(region, raw(1), 2**63 - 1, 0) == region.version == 2**63 - 1
    assert region.read() == record(1)
    with pytest.raises(ValueError, match="above 9223372036854775807"):
        _native.publish(region, raw(1), 2**63 - 1, 0)


@pytest.mark.parametrize("start", [*range(1, 26), 999, 1000])
def test_who_begins_at_a_number_begins_there_or_behind_it(roomy: typedshm.Region[Record], start: int) -> None:
    follower = roomy.follow(every=True, start=start)
    got = [t.a for t in follower.drain()]
    assert got == [n for n in NUMBERS if n >= start]
    assert follower.dropped == 1000 - start + 1 - len(got), "numbers left out count, as those that are gone do"


@pytest.mark.parametrize("back", range(1, 16))
def test_who_begins_before_the_newest_gets_so_many(roomy: typedshm.Region[Record], back: int) -> None:
    with roomy.follow(every=True, start=-back) as follower:
        assert [t.a for t in follower.drain()] == NUMBERS[-1 - back :] if back < len(NUMBERS) else NUMBERS


def test_who_begins_at_a_number_that_is_gone_is_told_how_many() -> None:
    with typedshm.create("small", Record, slots=4) as region:
        publish(region, *NUMBERS)
        follower = region.follow(every=True, start=3)
        got = [t.a for t in follower.drain()]
        assert got == NUMBERS[-len(got) :]
        assert len(got) + follower.dropped == 1000 - 2


def test_who_begins_at_a_number_left_out_before_the_oldest_gets_all() -> None:
    with typedshm.create("small", Record, slots=16) as region:
        publish(region, 1, 2, 3, *range(10, 170, 10))
        follower = region.follow(every=True, start=5)
        assert [t.a for t in follower.drain()] == list(range(10, 170, 10))
        assert follower.dropped == 160 - 4 - 16


def test_who_waits_waits_for_more_than_the_batch_had(region: typedshm.Region[Record]) -> None:
    publish(region, 5)
    assert _native.follower_batch(region.follow(every=True, start=5), 1, 1) is not None
    with pytest.raises(Timeout):
        region.wait(timeout=0)


def test_looking_back(roomy: typedshm.Region[Record]) -> None:
    rows = roomy.recent(5)
    assert rows["version"].tolist() == rows["value"]["a"].tolist() == NUMBERS[-5:]
    assert rows["time"].astype(np.int64).tolist() == [n * SECOND for n in NUMBERS[-5:]]
    assert [roomy.at(when).a for when in (1, 4.5, 9, 10, 999.9, 1000)] == [1, 2, 9, 9, 24, 1000]
    with pytest.raises(UnknownVersion):
        roomy.at(0.5)


def test_waiters_wake_for_numbers_far_ahead(region: typedshm.Region[Record]) -> None:
    """Also where the half of the head that they sleep on is the same again."""
    publish(region, 1)
    for ahead in (1, 2, 1000, 2**31, 2**32):
        before = region.version
        with attach_apart("replayed", Record) as waiter:
            waiting = InThread(waiter.wait, after=before, timeout=PATIENCE)
            assert _native.publish(region, raw(7), before + ahead, 0) == before + ahead
            assert typedshm.version_of(waiting.result()) == before + ahead


def test_a_pinned_slot_is_passed_over_and_no_number_with_it() -> None:
    with typedshm.create("roomy", Record, slots=4) as region:
        follower = region.follow(every=True)
        publish(region, 1)
        with region.borrow() as t:
            for n in range(2, 60, 3):
                publish(region, n)
                assert (follower.drain()[-1].a, follower.version) == (n, n)
            assert t == record(1)
        assert follower.dropped == 59 - 2 - 19 + 1 - 1


# ---- time ----------------------------------------------------------------------------------------------------------


def test_without_a_time_it_is_now(region: typedshm.Region[Record]) -> None:
    before = datetime.now(UTC)
    _native.publish(region, raw(1), 9, 0)
    published = typedshm.time_of(region.read(max_age=PATIENCE))
    assert published is not None
    assert abs((published - before).total_seconds()) < PATIENCE


def test_an_old_time_makes_it_stale(region: typedshm.Region[Record]) -> None:
    publish(region, 7)
    with pytest.raises(Stale):
        region.read(max_age=PATIENCE)


# ---- what is refused -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [0, 79, 81])
def test_bytes_of_another_size_are_refused(region: typedshm.Region[Record], size: int) -> None:
    with pytest.raises(ValueError, match=f"value: expected 80 bytes, found {size}"):
        _native.publish(region, bytes(size), 1, 0)
    assert region.version == 0


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ((raw(1), -1, 0), OverflowError, "version: "),
        ((raw(1), 2**63, 0), OverflowError, r"version: .*at most 2\^63 - 1"),
        ((raw(1), 2**64, 0), OverflowError, "version: "),
        ((raw(1), True, 0), TypeError, "version: "),
        ((raw(1), 1.0, 0), TypeError, "version: "),
        ((raw(1), 1, -1), OverflowError, "time: "),
        ((raw(1), 1, 2**63), OverflowError, r"time: .*at most 2\^63 - 1"),
        ((raw(1), 1, None), TypeError, "time: "),
        (("text", 1, 0), TypeError, "bytes-like"),
        ((raw(1), 1), TypeError, "takes"),
    ],
)
def test_wrong_arguments_are_refused(region: Any, arguments: Any, error: Any, words: str) -> None:
    with pytest.raises(error, match=words):
        _native.publish(region, *arguments)
    assert region.version == 0


def test_who_may_not_write_may_not_publish(region: typedshm.Region[Record]) -> None:
    with typedshm.attach("replayed", Record, readonly=True) as reader, pytest.raises(typedshm.RegionRefused):
        _native.publish(reader, raw(1), 1, 0)
    with region.update(), pytest.raises(MisuseError):
        _native.publish(region, raw(1), 9, 0)
    region.close()
    with pytest.raises(typedshm.Closed):
        _native.publish(region, raw(1), 9, 0)


def test_a_lock_keeps_others_out_and_its_holder_publishes(region: typedshm.Region[Record]) -> None:
    region.timeout = 0.01
    with region.lock():
        publish(region, 5)
        with pytest.raises(Timeout):
            InThread(publish, region, 6).result()
    publish(region, 6)


def claim(pipe: Any) -> None:
    with typedshm.attach("replayed", Record, exclusive=True, timeout=PATIENCE) as region:
        publish(region, 10, 20)
        pipe.send("claimed")
        pipe.recv()
        publish(region, 30)


def test_an_exclusive_publisher_publishes_alone(region: typedshm.Region[Record]) -> None:
    with Child(claim) as child:
        child.expect("claimed")
        with pytest.raises(PublisherExists):
            _native.publish(region, raw(1), 25, 0)
        child.send()
    assert (region.version, region.read()) == (30, record(30))
    publish(region, 40)


# ---- values of varying size ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("schema", [Cloud, LargeCloud])
def test_what_a_batch_took_of_varying_sizes_is_published_as_it_was(schema: Any) -> None:
    with typedshm.create("one", schema, slots=8) as one, typedshm.create("other", schema, slots=8) as other:
        source, copy = one.follow(every=True), other.follow(every=True)
        for n in (0, 3, 1000, 1):
            points = np.ones((n, 3), np.uint32) if schema is Cloud else np.arange(30 * n, dtype=np.uint64)
            one.write(schema(tick=n, points=points))
        batch = _native.follower_batch(source, 10, 2**30) or pytest.fail("nothing")
        for value, version, time in zip(*batch, strict=True):
            assert _native.publish(other, value, int(version), int(time)) == version
        again = _native.follower_batch(copy, 10, 2**30) or pytest.fail("nothing")
        assert again[0] == batch[0]
        assert again[1].tolist() == batch[1].tolist() == [1, 2, 3, 4]
        assert again[2].tolist() == batch[2].tolist()
        assert other.read() == one.read()


def test_packed_bytes_that_lie_are_refused() -> None:
    extents = compiled_extents(Cloud.layout)
    assert extents is not None
    packed = bytearray(extents.pack(memoryview(Cloud(tick=1, points=np.ones((2, 3), np.uint32)))))
    field = next(field for field in Cloud.layout.fields if field.name == "points")
    more = bytearray(packed)
    more[field.offset : field.offset + 4] = (2**32 - 1).to_bytes(4, "little")
    with typedshm.create("cloud", Cloud) as region:
        wrong = [b"", bytes(3), packed[:-1], packed + b"\0", more]
        for value in wrong:
            with pytest.raises(ValueError, match="value: expected what is used of it"):
                _native.publish(region, value, 0, 0)
        full = extents.pack(memoryview(Cloud(tick=1, points=np.ones((1000, 3), np.uint32))))
        beyond = bytearray(full)
        beyond[field.offset : field.offset + 4] = (1001).to_bytes(4, "little")
        with pytest.raises(ValueError, match="value: field points has more items than there is room for"):
            _native.publish(region, beyond, 0, 0)
        assert region.version == 0
        assert _native.publish(region, packed, 0, 0) == 1
        assert region.read().points.tolist() == [[1, 1, 1]] * 2


def test_a_large_value() -> None:
    with typedshm.create("big", Big, slots=2) as region:
        value = Big.zero()
        np.frombuffer(value, np.uint8)[:] = 3
        for n in (3, 5, 9):
            assert _native.publish(region, memoryview(value).cast("B"), n, n) == n
            assert bytes(memoryview(region.read())).strip(b"\3") == b""


# ---- lossless regions ----------------------------------------------------------------------------------------------


@pytest.fixture
def lossless() -> Iterator[typedshm.Region[Record]]:
    with typedshm.create("kept", Record, slots=8, lossless=True) as region:
        region.timeout = 0
        yield region


@pytest.mark.parametrize(("start", "first"), [("oldest", 1), (2, 2), (3, 5), (10, 11), (-2, 9), ("newest", 12)])
def test_a_lossless_follower_begins_where_nothing_is_missing(
    lossless: typedshm.Region[Record], start: Any, first: int
) -> None:
    """Numbers that were left out are not missing: the slots tell how many were."""
    publish(lossless, *NUMBERS[:7])
    follower = lossless.follow(lossless=True, start=start)
    assert [t.a for t in follower.drain()] == [n for n in NUMBERS[:7] if n >= first]


def test_a_lossless_follower_begins_behind_what_is_gone(lossless: typedshm.Region[Record]) -> None:
    publish(lossless, 1)
    with lossless.borrow() as t:
        publish(lossless, *range(2, 90, 3))
        follower = lossless.follow(lossless=True, start="oldest")
        got = [t.a for t in follower.drain()]
        assert t == record(1)
    assert 1 not in got, "a pin kept it, and others behind it are gone"
    assert got == list(range(2, 90, 3))[-len(got) :]
    assert len(got) == 7


def test_who_publishes_waits_for_followers(lossless: typedshm.Region[Record]) -> None:
    with attach_apart("kept", Record) as reader:
        follower = reader.follow(lossless=True)
        numbers = [3 * n for n in range(1, 30)]
        publish(lossless, *numbers[:8])
        with pytest.raises((FollowerBehind, MisuseError)):
            publish(lossless, numbers[8])
        lossless.timeout = PATIENCE
        publishing = threading.Thread(target=publish, args=(lossless, *numbers[8:]))
        publishing.start()
        got = [next(follower).a for _ in numbers]
        publishing.join()
    assert got == numbers


def test_who_goes_on_by_a_name_misses_no_number(lossless: typedshm.Region[Record]) -> None:
    follower = lossless.follow(lossless=True, name="viewer")
    publish(lossless, 2, 7)
    assert next(follower).a == 2
    follower.close()
    publish(lossless, 9, 30)
    with lossless.follow(lossless=True, name="viewer") as follower:
        assert [t.a for t in follower.drain()] == [7, 9, 30]


def test_a_group_shares_versions_with_numbers_left_out(lossless: typedshm.Region[Record]) -> None:
    one, other = lossless.follow(group="workers"), lossless.follow(group="workers")
    publish(lossless, 2, 7, 9)
    assert [(member.poll() or record(0)).a for member in (one, other, one)] == [2, 7, 9]


# ---- what stands in the bytes --------------------------------------------------------------------------------------


@pytest.mark.parametrize("slots", [1, 2, 3])
def test_the_slot_tells_number_time_and_what_was_left_out(slots: int) -> None:
    with typedshm.create("replayed", Record, slots=slots) as region, Wire("replayed") as wire:
        before = 0
        for n in (1, 4, 5, 12):
            publish(region, n)
            slot = wire.slot(wire.control.head)
            assert (slot.version, slot.time, slot.left_out) == (n, n * SECOND, n - before - 1)
            assert slot.mark == 2 * wire.control.head
            before = n
        assert wire.control.head == (12 if slots == 1 else 4)
        region.write(record(1))
        assert wire.slot(wire.control.head).left_out == 0


# ---- rows of tables ------------------------------------------------------------------------------------------------


@pytest.fixture(params=[1, 2])
def table(request: pytest.FixtureRequest) -> Iterator[typedshm.Table[Record]]:
    with typedshm.create("rows", typedshm.rows(Record, 4), slots=request.param) as table:
        yield table


def versions(table: typedshm.Table[Any]) -> list[int]:
    return list(np.frombuffer(_native.row_versions(table, (0, 1, len(table)), False), np.uint64))


def test_a_row_gets_the_given_number_and_time(table: typedshm.Table[Record]) -> None:
    for n in (1, 2, 7, 100):
        assert _native.publish_row(table, 2, raw(n), n, n * SECOND) == n
        assert table[2] == record(n)
        assert versions(table) == [0, 0, n, 0]
        times = np.frombuffer(_native.row_versions(table, (0, 1, 4), True), np.uint64)
        assert times[2] == n * SECOND
    assert _native.publish_row(table, 2, raw(5), 0, 0) == 101
    table[2] = record(6)
    assert versions(table) == [0, 0, 102, 0]


def test_followers_of_a_table_find_rows_with_given_numbers(table: typedshm.Table[Record]) -> None:
    with typedshm.attach("rows", readonly=True) as reader:
        follower, looks = table.follow(), reader.follow()
        for n in (5, 6, 90):
            _native.publish_row(table, 1, raw(n), n, 0)
            _native.publish_row(table, 3, raw(n), n + 1, 0)
            for changed in (follower, looks):
                assert changed.poll().tolist() == [1, 3]
                assert changed.poll().tolist() == []
            assert versions(table) == [0, n, 0, n + 1]


def test_who_sleeps_on_a_table_is_woken(table: typedshm.Table[Record]) -> None:
    """The word that they sleep on changes, and says that nobody has to be woken any more."""
    with Wire("rows") as wire:
        before = wire.control.head_word & ~1
        wire.control.head_word = before | 1
        _native.publish_row(table, 1, raw(1), 5, 0)
        assert wire.control.head_word == before + 2


@pytest.mark.parametrize("given", [1, 7])
def test_a_rows_number_that_is_not_above_its_newest_is_refused(table: typedshm.Table[Record], given: int) -> None:
    _native.publish_row(table, 0, raw(7), 7, 0)
    with pytest.raises(ValueError, match=f"version: expected a number above 7, .* found {given}$"):
        _native.publish_row(table, 0, raw(1), given, 0)
    assert (table[0], versions(table)) == (record(7), [7, 0, 0, 0])
    assert _native.publish_row(table, 1, raw(1), given, 0) == given, "rows have numbers of their own"


def test_a_row_is_named_by_its_key() -> None:
    with typedshm.create("keyed", typedshm.rows(Record, keys=["left", "right"])) as table:
        assert _native.publish_row(table, "right", raw(3), 9, 0) == 9
        assert table["right"] == record(3)
        with pytest.raises(KeyError):
            _native.publish_row(table, "top", raw(3), 9, 0)


def test_a_row_that_another_has_is_waited_for(table: typedshm.Table[Record]) -> None:
    with typedshm.attach("rows") as other:
        other.timeout = 0.01
        with table.lock(1), pytest.raises(Timeout):
            InThread(_native.publish_row, other, 1, raw(1), 5, 0).result()
        assert _native.publish_row(other, 1, raw(1), 5, 0) == 5


def test_wrong_rows_and_bytes_are_refused(table: typedshm.Table[Record]) -> None:
    with pytest.raises(IndexError):
        _native.publish_row(table, 4, raw(1), 1, 0)
    with pytest.raises(ValueError, match="value: expected 80 bytes, found 3"):
        _native.publish_row(table, 0, b"abc", 1, 0)
    with typedshm.attach("rows", readonly=True) as reader, pytest.raises(typedshm.RegionRefused):
        _native.publish_row(reader, 0, raw(1), 1, 0)
    no_table: Any
    with typedshm.create("region", Record) as no_table, pytest.raises(TypeError):
        _native.publish_row(no_table, 0, raw(1), 1, 0)
    assert versions(table) == [0] * 4

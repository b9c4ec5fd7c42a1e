"""follower_batch(): versions as bytes, many at once, and what the follower knows then."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pytest
from numpy.typing import NDArray

import typedshm
import typedshm._native as _native
from helpers import marks
from helpers.peers import PATIENCE, Child, until
from helpers.shared_types import Big, Record, record, record_words, torn_records
from helpers.wire import Wire
from typedshm import Closed, FieldValueError, MisuseError, RegionLost, RegionReplaced, Struct, TornWrite, UpTo, u64
from typedshm.memory.names import locate
from typedshm.struct.extents import compiled_extents

SLOTS = 16
MUCH = 2**30
SIZE = Record.layout.size


class Cloud(Struct):
    """Sizes vary, and the last field is fixed again."""

    points: Annotated[NDArray[np.uint32], UpTo(1000, 3)]
    names: Annotated[NDArray[np.uint8], UpTo(50)]
    tick: u64 = 0


class LargeCloud(Struct):
    """Copied without the GIL."""

    tick: u64 = 0
    points: Annotated[NDArray[np.uint64], UpTo(100_000)]


@pytest.fixture
def region() -> Iterator[typedshm.Region[Record]]:
    with typedshm.create("stream", Record, slots=SLOTS) as region:
        yield region


def write(region: typedshm.Region[Record], *numbers: int) -> None:
    for n in numbers:
        region.write(record(n))


def take(follower: Any, most: int = 1000, size: int = MUCH) -> Any:
    """A batch of values of one size, whole each: their versions; or None."""
    batch = _native.follower_batch(follower, most, size)
    if batch is None:
        return None
    values, versions, times = batch
    assert isinstance(values, np.ndarray)
    assert (values.dtype, versions.dtype, times.dtype) == (np.uint8, np.uint64, np.int64)
    assert values.shape == (len(versions), SIZE)
    assert torn_records(values.view(np.uint64)) == 0
    assert follower.version == versions[-1]
    return versions.tolist()


# ---- what is taken -------------------------------------------------------------------------------------------------


def test_nothing_is_no_batch(region: typedshm.Region[Record]) -> None:
    assert _native.follower_batch(region.follow(every=True), 1, 1) is None
    write(region, 1)
    assert _native.follower_batch(region.follow(every=True, start="next"), 1, 1) is None


def test_bytes_numbers_and_times_are_those_of_the_versions(region: typedshm.Region[Record]) -> None:
    follower = region.follow(every=True)
    write(region, 7, 8, 9)
    values, versions, times = _native.follower_batch(follower, 10, MUCH) or pytest.fail("nothing")
    assert np.asarray(values).tobytes() == b"".join(record_words(n).tobytes() for n in (7, 8, 9))
    rows = region.recent(3)
    assert versions.tolist() == rows["version"].tolist() == [1, 2, 3]
    assert times.tolist() == rows["time"].astype(np.int64).tolist()
    np.asarray(values)[:] = 0  # they are copies
    assert region.read() == record(9)


def test_no_more_are_taken_than_were_asked_for(region: typedshm.Region[Record]) -> None:
    follower = region.follow(every=True)
    write(region, *range(1, 11))
    assert take(follower, 4) == [1, 2, 3, 4]
    assert take(follower, size=3 * SIZE + SIZE - 1) == [5, 6, 7]
    assert take(follower, size=1) == [8], "one at least, however large"
    assert take(follower) == [9, 10]
    assert take(follower) is None


def test_it_moves_as_steps_do(region: typedshm.Region[Record]) -> None:
    follower = region.follow(every=True)
    write(region, 1, 2, 3, 4)
    assert next(follower).a == 1
    assert take(follower, 2) == [2, 3]
    assert (follower.poll() or record(0)).a == 4
    write(region, 5)
    assert (take(follower), follower.pending, follower.dropped) == ([5], 0, 0)


def test_a_large_batch_changes_for_nobody_who_holds_a_part_of_it() -> None:
    """Memory that nobody holds any more is that of the next batch."""
    with typedshm.create("frames", typedshm.array(np.uint8, 100_000), slots=8) as region:
        follower = region.follow(every=True)
        parts: list[Any] = []
        for number in range(1, 7):
            for each in (number, 10 * number):
                region.write(np.full(100_000, each, np.uint8))
            values, _, _ = _native.follower_batch(follower, 2, MUCH) or pytest.fail("nothing")
            assert np.asarray(values).tolist() == [[number] * 100_000, [10 * number] * 100_000]
            parts.append(np.asarray(values)[1, -1:] if number % 2 else memoryview(np.asarray(values)[1])[-1:])
            del values
        assert [part[0] for part in parts] == [10, 20, 30, 40, 50, 60]
        del parts
        assert len(batches_at(follower, region)) == 1


def batches_at(follower: typedshm.Follower[Any], region: typedshm.Region[Any]) -> set[int]:
    """Take batches that are let go of at once; return where they were."""
    places = set[int]()
    for _ in range(5):
        region.write(np.zeros(100_000, np.uint8))
        values, _, _ = _native.follower_batch(follower, 1, MUCH) or pytest.fail("nothing")
        places.add(np.asarray(values).ctypes.data)
        del values
    return places


def test_of_the_newest_there_is_one(region: typedshm.Region[Record]) -> None:
    follower = region.follow()
    write(region, 1, 2, 3)
    assert (take(follower), follower.dropped) == ([3], 2)
    assert take(follower) is None


@pytest.mark.parametrize("slots", [1, 2, 3, 4, SLOTS])
def test_what_was_overrun_is_counted(slots: int) -> None:
    with typedshm.create("stream", Record, slots=slots) as region:
        follower = region.follow(every=True)
        got: list[int] = []
        for n in range(1, 400):
            write(region, n)
            if n % 41 == 0:
                got += take(follower) or []
        got += take(follower) or []
        assert got == sorted(set(got))
        assert len(got) + follower.dropped == got[-1] == 399
        assert region.dropped == follower.dropped > 0


def test_numbers_that_were_passed_over_for_a_pin_are_none_that_were_missed(region: typedshm.Region[Record]) -> None:
    follower = region.follow(every=True)
    write(region, 1)
    with region.borrow() as pinned:
        for n in range(2, 40):
            write(region, n)
            if n % 7 == 0:
                take(follower)
        assert pinned.a == 1
    assert take(follower)
    assert (follower.version, follower.dropped) == (39, 0)


def test_a_handle_that_may_not_write_takes_batches(region: typedshm.Region[Record]) -> None:
    with typedshm.attach("stream", Record, readonly=True) as reader:
        follower = reader.follow(every=True)
        write(region, *range(1, 31))
        got = take(follower)
        assert got[-1] == 30
        assert len(got) + follower.dropped == 30


@pytest.mark.parametrize("limits", [(0, 1), (1, 0), (-1, 1), (1, -5)])
def test_limits_of_nothing_are_refused(region: typedshm.Region[Record], limits: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="at least one version and one byte"):
        _native.follower_batch(region.follow(every=True), *limits)


def test_what_is_no_follower_or_number_is_refused(region: typedshm.Region[Record]) -> None:
    wrong: list[Any] = [(region, 1, 1), (region.follow(), 1), (region.follow(), "1", 1), (region.follow(), 1, None)]
    for arguments in wrong:
        with pytest.raises(TypeError):
            _native.follower_batch(*arguments)


def test_a_closed_follower_or_region_says_so(region: typedshm.Region[Record]) -> None:
    follower, other = region.follow(every=True), region.follow(every=True)
    follower.close()
    with pytest.raises(Closed, match="follower"):
        _native.follower_batch(follower, 1, 1)
    region.close()
    with pytest.raises(Closed):
        _native.follower_batch(other, 1, 1)


# ---- values of varying size ----------------------------------------------------------------------------------------


def cloud(n: int) -> Cloud:
    points = np.arange(3 * n, dtype=np.uint32).reshape(n, 3)
    return Cloud(tick=n, points=points, names=np.full(n % 51, 7, np.uint8))


def test_of_varying_sizes_just_what_is_used_is_taken() -> None:
    extents = compiled_extents(Cloud.layout)
    assert extents is not None
    with typedshm.create("cloud", Cloud, slots=SLOTS) as region:
        follower = region.follow(every=True)
        sizes = (0, 1, 17, 1000, 3)
        for n in sizes:
            region.write(cloud(n))
        values, versions, _ = _native.follower_batch(follower, 100, MUCH) or pytest.fail("nothing")
        assert isinstance(values, list)
        assert versions.tolist() == [1, 2, 3, 4, 5]
        assert values == [extents.pack(memoryview(cloud(n))) for n in sizes]
        fixed = len(values[0])
        assert [len(value) for value in values] == [fixed + 12 * n + n % 51 for n in sizes]


def test_of_varying_sizes_no_more_bytes_are_taken_than_were_asked_for() -> None:
    with typedshm.create("cloud", LargeCloud, slots=SLOTS) as region:
        follower = region.follow(every=True)
        for n in (10, 20, 50_000, 30):
            region.write(LargeCloud(tick=n, points=np.arange(n, dtype=np.uint64)))
        taken = []
        while (batch := _native.follower_batch(follower, 100, 1000)) is not None:
            taken.append([len(value) for value in batch[0]])
        fixed = taken[0][0] - 80
        assert taken == [[fixed + 8 * n for n in sizes] for sizes in ([10, 20], [50_000], [30])]
        assert follower.dropped == 0


@pytest.mark.parametrize("schema", [Cloud, LargeCloud])
def test_a_number_of_items_beyond_the_room_is_the_fields_to_refuse(schema: Any) -> None:
    """What is taken never leaves the room, and whoever looks at the items finds the number."""
    extents = compiled_extents(schema.layout)
    field = next(field for field in schema.layout.fields if field.name == "points")
    assert extents is not None
    with typedshm.create("cloud", schema, slots=3) as region, Wire("cloud") as wire:
        follower = region.follow(every=True)
        region.write(schema.zero())
        at = wire.header.slots_offset + wire.header.slot_stride + 128 + field.offset
        wire.memory[at : at + 4] = (2**32 - 1).to_bytes(4, "little")
        (value,), _, _ = _native.follower_batch(follower, 1, 1) or pytest.fail("nothing")
        assert len(value) < schema.layout.size + 1
        whole = bytearray(schema.layout.size)
        assert extents.unpack(value, whole)
        with pytest.raises(FieldValueError, match=r"points"):
            _ = schema.from_buffer(whole).points
        region.write(schema.zero())
        assert _native.follower_batch(follower, 1, 1) is not None


# ---- what is torn, and who dies ------------------------------------------------------------------------------------


def test_a_version_that_was_torn_is_told_once(region: typedshm.Region[Record]) -> None:
    with typedshm.create("one", Record, slots=1) as one, Wire("one") as wire:
        follower = one.follow(every=True)
        write(one, 1)
        wire.slot(0).mark = 5
        with pytest.raises(TornWrite):
            take(follower)
        assert take(follower) is None
        write(one, 2)
        assert take(follower) == [2]


def test_slots_whose_marks_are_of_no_version_are_missed(region: typedshm.Region[Record]) -> None:
    follower = region.follow(every=True)
    with Wire("stream") as wire:
        write(region, *range(1, 9))
        wire.slot(3).mark = 2**64 - 1
        wire.slot(4).mark = 2**63
        got = take(follower)
        assert got[:2] == [1, 2]
        rest = take(follower) or []
        assert 3 not in got + rest
        assert 4 not in got + rest
        assert len(got + rest) + follower.dropped == 8


@pytest.mark.parametrize("head", [2**62, 2**63 - 1, 100])
def test_a_head_that_no_slot_has_is_no_version(region: typedshm.Region[Record], head: int) -> None:
    follower = region.follow(every=True)
    region.timeout = 0.01
    with Wire("stream") as wire:
        write(region, 1, 2)
        wire.control.head = head
        assert take(follower) == [1, 2]
        with pytest.raises(typedshm.RegionCorrupt):
            take(follower)
        wire.control.head = 2


def die_in_a_write(pipe: Any, name: str) -> None:
    with typedshm.attach(name, Big, timeout=PATIENCE) as region, region.update() as t:
        np.frombuffer(t, np.uint8)[:] = 7
        pipe.send("half")
        pipe.recv()


@pytest.mark.parametrize("slots", [2, 4])
def test_what_a_killed_writer_left_is_no_version(slots: int) -> None:
    with typedshm.create("big", Big, slots=slots) as region:
        follower = region.follow(every=True)
        region.write(Big.zero())
        with Child(die_in_a_write, "big") as child:
            child.expect("half")
            child.kill()
            values, versions, _ = _native.follower_batch(follower, 10, MUCH) or pytest.fail("nothing")
            assert (versions.tolist(), bytes(np.asarray(values)).strip(b"\0")) == ([1], b"")
            assert _native.follower_batch(follower, 10, MUCH) is None
            region.write(Big.zero())
            assert take_numbers(follower) == [2]
            assert follower.dropped == 0


def take_numbers(follower: Any) -> list[int]:
    batch = _native.follower_batch(follower, 1000, MUCH)
    return [] if batch is None else batch[1].tolist()


def write_all(pipe: Any, count: int) -> None:
    with typedshm.attach("stream", Record, timeout=PATIENCE) as region:
        pipe.send("there")
        pipe.recv()
        for n in range(1, count + 1):
            region.write(record(n))


def test_beside_a_writer_each_is_whole_and_all_are_counted(region: typedshm.Region[Record]) -> None:
    count = 20_000
    follower = region.follow(every=True)
    with Child(write_all, count) as child:
        child.expect("there")
        child.send()
        got = 0
        while follower.version < count:
            versions = take(follower)  # which looks whether they are whole
            if versions is None:
                region.wait(after=follower.version, timeout=PATIENCE, copy=False)
                continue
            assert all(np.diff(versions) > 0)
            got += len(versions)
    assert got + follower.dropped == count


# ---- lossless regions ----------------------------------------------------------------------------------------------


@pytest.fixture
def lossless() -> Iterator[typedshm.Region[Record]]:
    with typedshm.create("kept", Record, slots=4, lossless=True) as region:
        region.timeout = 0
        yield region


def test_a_batch_counts_as_got_with_the_next(lossless: typedshm.Region[Record]) -> None:
    follower = lossless.follow(lossless=True)
    write(lossless, 1, 2, 3, 4)
    assert take(follower) == [1, 2, 3, 4]
    with pytest.raises(MisuseError, match="this thread takes its steps"):
        write(lossless, 5)
    assert take(follower) is None
    write(lossless, 5, 6, 7)
    assert take(follower) == [5, 6, 7]
    follower.done()
    write(lossless, 8, 9, 10, 11)
    assert (take(follower), follower.dropped) == ([8, 9, 10, 11], 0)


def test_who_goes_on_gets_what_was_not_counted_once_more(lossless: typedshm.Region[Record]) -> None:
    follower = lossless.follow(lossless=True, name="recorder")
    write(lossless, 1, 2)
    assert take(follower, 1) == [1]
    assert take(follower) == [2]
    with pytest.raises(KeyError), follower:  # what was handed out last was perhaps not dealt with
        raise KeyError
    assert take(lossless.follow(lossless=True, name="recorder")) == [2]


def test_a_member_of_a_group_has_one_at_a_time(lossless: typedshm.Region[Record]) -> None:
    one, other = lossless.follow(group="recorders"), lossless.follow(group="recorders")
    write(lossless, 1, 2, 3)
    assert [take(member) for member in (one, other, one, one)] == [[1], [2], [3], None]
    write(lossless, 4)
    assert take(one) == [4]


# ---- the region goes -----------------------------------------------------------------------------------------------


def test_a_replaced_region_is_told_or_the_next_is_followed() -> None:
    with (
        typedshm.create("stream", Record, slots=SLOTS) as first,
        typedshm.attach("stream", Record) as plain,
        typedshm.attach("stream", Record) as again,
    ):
        stays, moves = plain.follow(every=True), again.follow(every=True, reattach=True)
        write(first, 1, 2)
        assert take(stays) == take(moves) == [1, 2]
        typedshm.unlink("stream")
        with typedshm.create("stream", Record, slots=SLOTS) as second:
            write(second, 5, 6, 7)
            until(lambda: (moved := take(moves)) is not None and moved == [1, 2, 3])
            assert (moves.reattached, moves.dropped, moves.version) == (1, 0, 3)
            assert take(stays) is None
            with pytest.raises(RegionReplaced):
                _native.look(plain)


def drain(follower: Any) -> None:
    while take(follower, 100):
        pass


@marks.not_on_windows("a file that is mapped cannot be cut short")
def test_a_version_of_which_a_part_is_cut_off_is_not_taken_for_one_of_zeros() -> None:
    """Its mark is there still, and says that it is complete."""
    value = Big.zero()
    np.frombuffer(value, np.uint8)[:] = 7
    with typedshm.create("big", Big, slots=4) as region, Wire("big") as wire:
        follower = region.follow(every=True)
        for _ in range(2):
            region.write(value)
        path = Path(locate("big").address)
        begin = wire.header.slots_offset + 2 * wire.header.slot_stride
        os.truncate(path, (begin + wire.header.slot_stride // 2) // 4096 * 4096)
        values, versions, _ = _native.follower_batch(follower, 10, MUCH) or pytest.fail("nothing")
        assert (versions.tolist(), bytes(np.asarray(values)).strip(b"\7")) == ([1], b"")
        with pytest.raises(RegionLost):
            _native.follower_batch(follower, 10, MUCH)
        assert (follower.version, follower.dropped) == (1, 0)
        path.unlink()


@marks.not_on_windows("a file that is mapped cannot be cut short")
def test_memory_that_is_cut_short_is_told_and_gives_no_zeros() -> None:
    with typedshm.create("stream", Record, slots=4096) as region:
        follower = region.follow(every=True)
        write(region, *range(1, 4000))
        path = Path(locate("stream").address)
        os.truncate(path, os.stat(path).st_size // 4096 // 2 * 4096)
        with pytest.raises(RegionLost):
            drain(follower)
        path.unlink()

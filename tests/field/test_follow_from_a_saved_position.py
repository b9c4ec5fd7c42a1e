"""follow(start=…): a saved position, the next version only, so many before the newest; and what no region ever had."""

import asyncio
import re

import numpy as np
import pytest

import typedshm
from helpers.shared_types import Record, record
from helpers.wire import Wire


@pytest.fixture(params=[1, 2, 5])
def region(request):
    with typedshm.create("log", Record, slots=request.param) as region:
        yield region


def write(region, *numbers):
    for number in numbers:
        region.write(record(number))


def numbers_of(follower):
    """All it yields until it would have to wait."""
    got = []
    try:
        for t in follower:
            got.append(t.a)
    except typedshm.Timeout:
        pass
    return got


# ---- the next version ----------------------------------------------------------------------------------------------


def test_next_yields_only_what_is_published_after_the_call(region):
    write(region, 1, 2)
    follower = region.follow(start="next", every=True, timeout=0)
    assert numbers_of(follower) == []
    write(region, 3)
    assert numbers_of(follower) == [3]
    assert (follower.version, follower.dropped) == (3, 0)


def test_next_in_an_empty_region_is_the_first(region):
    follower = region.follow(start="next", timeout=0)
    write(region, 1)
    assert numbers_of(follower) == [1]


def test_next_counts_what_was_missed_since_the_call(region):
    write(region, 1)
    follower = region.follow(start="next", timeout=0)
    write(region, 2, 3, 4)
    assert (numbers_of(follower), follower.dropped) == ([4], 2)


def test_next_in_a_coroutine(region):
    async def main():
        write(region, 1)
        follower = region.follow(start="next", timeout=0)
        with pytest.raises(typedshm.Timeout):
            await anext(follower)
        write(region, 2)
        assert (await anext(follower)).a == 2

    asyncio.run(main())


# ---- so many before the newest -------------------------------------------------------------------------------------


@pytest.mark.parametrize("before", [1, 2, 3, 4, 100])
def test_a_negative_start_begins_so_many_before_the_newest_or_with_the_oldest(region, before):
    write(region, *range(1, 11))
    kept = region.info().slots
    follower = region.follow(start=-before, every=True, timeout=0)
    assert numbers_of(follower) == list(range(10 - min(before, kept - 1), 11))
    assert follower.dropped == 0, "what was gone before the call was not missed"


def test_a_negative_start_of_a_young_or_empty_region_begins_with_its_first_version(region):
    follower = region.follow(start=-3, every=True, timeout=0)
    write(region, 1)
    assert numbers_of(follower) == [1]
    assert numbers_of(region.follow(start=-3, every=True, timeout=0)) == [1]


def test_without_every_the_newest_comes_first_whatever_lies_before(region):
    write(region, *range(1, 6))
    follower = region.follow(start=-1, timeout=0)
    assert numbers_of(follower) == [5]


@pytest.mark.parametrize("start", ["oldest", -2])
def test_what_is_lost_between_the_call_and_the_first_step_is_missed(start):
    with typedshm.create("log", Record, slots=3) as region:
        write(region, 1, 2, 3, 4, 5)
        follower = region.follow(start=start, every=True, timeout=0)
        write(region, 6, 7)
        assert (numbers_of(follower), follower.dropped) == ([6, 7], 3), "where it will last"


def test_the_oldest_version_is_the_first_of_a_round_whatever_is_pinned():
    with typedshm.create("log", Record, slots=4) as region:
        write(region, 1)
        with region.borrow():
            write(region, 2, 3, 4, 5)
            follower = region.follow(start="oldest", every=True, timeout=0)
            assert numbers_of(follower) == [3, 4, 5]
            assert follower.dropped == 0
            assert numbers_of(region.follow(start=-3, every=True, timeout=0)) == [3, 4, 5]


def test_a_slot_that_a_writer_died_in_is_no_first_version():
    with typedshm.create("log", Record, slots=3) as region, Wire("log") as wire:
        write(region, 1, 2, 3)
        wire.slot(1).mark = 2 * 4 + 1
        for start in ("oldest", -2):
            follower = region.follow(start=start, every=True, timeout=0)
            assert (numbers_of(follower), follower.dropped) == ([2, 3], 0)


# ---- a saved position ----------------------------------------------------------------------------------------------


def test_a_saved_position_goes_on_where_it_stopped():
    with typedshm.create("log", Record, slots=8) as region:
        write(region, 1, 2, 3)
        follower = region.follow(every=True, start="oldest", timeout=0)
        next(follower)
        saved = follower.version + 1
        write(region, 4)
        for start in (saved, np.int64(saved), np.uint64(saved)):
            assert numbers_of(region.follow(every=True, start=start, timeout=0)) == [2, 3, 4]


def test_a_position_behind_the_newest_is_the_next_version(region):
    write(region, 1, 2)
    follower = region.follow(start=3, timeout=0)
    write(region, 3)
    assert (numbers_of(follower), follower.dropped) == ([3], 0)


def test_what_was_missed_since_a_saved_position_is_counted(region):
    write(region, *range(1, 11))
    kept = region.info().slots
    follower = region.follow(every=True, start=1, timeout=0)
    lasting = max(kept - 1, 1)
    assert (len(numbers_of(follower)), follower.dropped) == (lasting, 10 - lasting)


@pytest.mark.parametrize("beyond", [2, 10, 2**63, 2**64, 2**200])
def test_a_position_of_a_region_made_anew_is_refused_at_once(region, beyond):
    write(region, 1, 2)
    with pytest.raises(typedshm.UnknownVersion) as caught:
        region.follow(start=2 + beyond)
    words = str(caught.value)
    assert isinstance(caught.value, ValueError)
    assert f"expected at most 3 as start, found {2 + beyond}"[:60] in words
    assert "region 'log' is at version 2" in words
    assert "'oldest'" in words
    (made,) = re.findall(r"was made at (\S+ \S+) UTC", words)
    assert made == f"{region.info().created:%Y-%m-%d %H:%M:%S}"


def test_a_region_made_anew_and_still_empty_says_so(region):
    with pytest.raises(typedshm.UnknownVersion, match="found 18: region 'log' is empty"):
        region.follow(start=18, every=True)


def test_a_reader_that_starts_again_takes_what_there_is():
    with typedshm.create("log", Record, slots=4) as region:
        write(region, *range(1, 10))
        saved = region.version + 1
    with typedshm.create("log", Record, slots=4) as region:
        write(region, 1, 2)
        try:
            follower = region.follow(start=saved, every=True, timeout=0)
        except typedshm.UnknownVersion:
            follower = region.follow(start="oldest", every=True, timeout=0)
        assert numbers_of(follower) == [1, 2]


# ---- what is no start ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "start",
    [0, "last", "", True, False, None, 1.0, float("nan"), b"next", (1,), np.zeros(2), np.array(["next"]), "x" * 1000],
)
def test_what_is_no_start_is_refused_by_its_name(region, start):
    with pytest.raises(ValueError, match=r"follow: expected .* as start, found ") as caught:
        region.follow(start=start)
    assert len(str(caught.value)) < 250


@pytest.mark.parametrize("start", ["next", "newest", "oldest", -1, 1, 99])
def test_a_closed_region_says_so_first(start):
    with typedshm.create("log", Record) as region:
        pass
    with pytest.raises(typedshm.Closed):
        region.follow(start=start)

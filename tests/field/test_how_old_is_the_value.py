"""time_of(value): when its version was published; read(max_age=): nothing older than that."""

import asyncio
import copy
import pickle
import time
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Annotated

import numpy as np
import pytest
from numpy.typing import NDArray
from pydantic import BaseModel

import typedshm
import typedshm._native as _native
from helpers.peers import Child
from helpers.shared_types import Big, Record, record
from helpers.wire import Wire
from typedshm import Shape, Struct, array, f64, time_of, version_of


class Point(Struct):
    x: f64 = 0.0


class Path(Struct):
    start: Point
    scan: Annotated[NDArray[np.float32], Shape(4)]


@pytest.fixture(params=[1, 2, 3])
def region(request):
    with typedshm.create("clock", Record, slots=request.param) as region:
        yield region


def aged(region, seconds):
    """Write a version that seems to have been published so many seconds ago."""
    region.write(record(region.version + 1))
    with Wire("clock") as wire:
        wire.slot(region.version % region.info().slots).time = time.time_ns() - int(seconds * 1e9)


# ---- time_of() -----------------------------------------------------------------------------------------------------


def test_a_value_tells_when_it_was_published(region):
    coarse = timedelta(milliseconds=100)  # some systems tell Python the time less exactly
    before = datetime.now(UTC) - coarse
    region.write(record(1))
    after = datetime.now(UTC) + coarse
    told = time_of(region.read())
    assert before <= told <= after
    assert told.tzinfo is UTC
    assert told == region.info().published


def test_a_value_keeps_its_time_when_there_are_newer_versions(region):
    times = []
    for n in range(1, 6):
        region.write(record(n))
        times.append((region.read(), region.info().published))
    for value, published in times:
        assert time_of(value) == published


def test_it_is_told_whichever_way_the_value_was_got(region):
    async def main():
        yield await region.next()
        async for t in region.follow():
            yield t
            break

    async def collect():
        return [t async for t in main()]

    region.write(record(1))
    published = region.info().published
    into = Record.zero()
    region.read_into(into)
    with typedshm.attach("clock", Record) as other, typedshm.attach("clock", readonly=True) as readonly:
        values = [
            region.read(),
            into,
            other.wait(timeout=0),
            next(region.follow()),
            next(region.follow(every=True)),
            *asyncio.run(collect()),
            readonly.read(),
        ]
        assert {time_of(value) for value in values} == {published}
        for handle in (region, readonly):
            with handle.borrow() as t:
                assert (time_of(t), version_of(t)) == (published, 1)
                kept = copy.copy(t)
            assert (time_of(t), time_of(kept)) == (published, published)
        for t in region.follow(borrow=True):
            assert time_of(t) == published
            break


def test_read_into_brings_the_new_time(region):
    value = Record.zero()
    assert time_of(value) is None
    times = set()
    for age in (20, 10):
        aged(region, age)
        region.read_into(value)
        assert time_of(value) == region.info().published
        times.add(time_of(value))
    assert len(times) == 2


def test_copies_and_pickles_keep_it(region):
    region.write(record(1))
    value = region.read()
    for duplicate in (copy.copy(value), copy.deepcopy(value), pickle.loads(pickle.dumps(value))):
        assert (time_of(duplicate), version_of(duplicate)) == (time_of(value), 1)
    assert time_of(typedshm.replace(value, a=2)) is None


def test_what_was_not_read_has_no_time(region):
    region.write(record(1))
    with region.update() as t:
        assert time_of(t) is None
    with region.loan() as t:
        assert (time_of(t), version_of(t)) == (None, None)
    for other in (Record.zero(), record(1), None, 7, "value", np.zeros(3), object()):
        assert (time_of(other), version_of(other)) == (None, None)


def test_arrays_and_models_have_no_room_for_it():
    class Reading(BaseModel):
        celsius: f64

    with typedshm.create("clock", Reading) as readings, typedshm.create("levels", array(np.uint8, 4)) as levels:
        readings.write(Reading(celsius=1.0))
        levels.write(np.zeros(4, np.uint8))
        for value in (readings.read(), levels.read()):
            assert (time_of(value), version_of(value)) == (None, None)


def test_a_borrowed_value_keeps_it_also_when_an_array_looks_into_its_bytes():
    with typedshm.create("path", Path) as region:
        region.write(Path(start=Point(x=1.0), scan=np.zeros(4, np.float32)))
        with region.borrow() as t:
            whole = np.ndarray(len(bytes(t)), np.uint8, t)  # which has the value keep the slot
            assert (time_of(t), version_of(t)) == (region.info().published, 1)
            assert time_of(t.start) == time_of(t)
            del whole


def test_large_values_tell_it():
    with typedshm.create("big", Big, slots=3) as region:
        region.write(Big.zero())
        assert time_of(region.read()) == region.info().published


def stamp(pipe, count):
    with typedshm.attach("clock", Record) as region:
        pipe.recv()
        for n in range(1, count + 1):
            region.write(record(n))
            pipe.send(region.info().published) if n % 100 == 0 else None


def test_time_and_version_belong_together_beside_a_writer(region):
    count = 5_000
    with Child(stamp, count) as child:
        child.send()
        seen = {}
        while region.version < count:
            if region.version:
                value = region.read()
                seen[version_of(value)] = time_of(value)
        published = {n: child.receive() for n in range(100, count + 1, 100)}
    for n, when in published.items():
        assert seen.get(n, when) == when
    ordered = [seen[n] for n in sorted(seen)]
    assert ordered == sorted(ordered)


def test_nanoseconds_are_rounded_down_to_microseconds(region):
    region.write(record(1))
    with Wire("clock") as wire:
        wire.slot(1 % region.info().slots).time = 1_000_000_000_000_001_999
    assert time_of(region.read()) == datetime(2001, 9, 9, 1, 46, 40, 1, tzinfo=UTC)


def test_any_time_that_memory_can_hold_is_told(region):
    region.write(record(1))
    for ns, year in ((0, 1970), (2**64 - 1, 2554)):
        with Wire("clock") as wire:
            wire.slot(1 % region.info().slots).time = ns
        assert time_of(region.read()).year == region.info().published.year == year


# ---- max_age= ------------------------------------------------------------------------------------------------------


def borrowed(region, **options):
    with region.borrow(**options) as t:
        return copy.copy(t)


def filled(region, **options):
    value = Record.zero()
    region.read_into(value, **options)
    return value


VERBS = {"read": lambda region, **options: region.read(**options), "borrow": borrowed, "read_into": filled}


@pytest.fixture(params=VERBS)
def get(request):
    return VERBS[request.param]


@pytest.mark.parametrize("max_age", [1000, 1000.5, np.float32(1000), Decimal(1000), Fraction(1000), 1e300, None])
def test_a_version_that_is_young_enough_is_returned(region, get, max_age):
    aged(region, 10)
    assert get(region, max_age=max_age) == record(1)
    assert get(region, max_age=float("inf")) == get(region) == record(1)


def test_an_older_one_is_an_error_that_says_how_old_it_is(region, get):
    aged(region, 3600)
    with pytest.raises(typedshm.Stale) as caught:
        get(region, max_age=0.5)
    assert isinstance(caught.value, TimeoutError)
    words = str(caught.value)
    assert "region 'clock' is stale: expected a version of at most 0.5 s (max_age), found version 1" in words
    assert "published 3600 s ago" in words or "published 3601 s ago" in words
    assert "this process" in words
    region.write(record(2))
    assert get(region, max_age=1000) == record(2)


def test_it_says_that_whoever_wrote_is_gone():
    with typedshm.create("clock", Record, slots=3) as region:
        with Child(write_once) as child:
            child.join()
        with Wire("clock") as wire:
            wire.slot(1).time -= 10**10
        with pytest.raises(typedshm.Stale, match="no living process has written here"):
            region.read(max_age=1)
        with (
            typedshm.attach("clock", readonly=True) as readonly,
            pytest.raises(typedshm.Stale, match="no living process has written here"),
        ):
            readonly.read(max_age=1)


def write_once(pipe):
    with typedshm.attach("clock", Record) as region:
        region.write(record(1))


def test_no_age_at_all_is_too_much_to_ask(region, get):
    aged(region, 0.001)
    with pytest.raises(typedshm.Stale, match="at most 0 s"):
        get(region, max_age=0)


def test_a_version_from_the_future_is_new(region, get):
    """The clock was put back since."""
    aged(region, -3600)
    assert get(region, max_age=0) == record(1)


def test_an_empty_region_is_empty_and_not_stale(region, get):
    with pytest.raises(typedshm.Empty):
        get(region, max_age=1)


def test_a_stale_version_was_not_got(region):
    aged(region, 10)
    for get in VERBS.values():
        with pytest.raises(typedshm.Stale):
            get(region, max_age=1)
    assert region.wait(timeout=0) == record(1)


def test_a_stale_version_is_not_kept_pinned(region):
    aged(region, 10)
    with pytest.raises(typedshm.Stale), region.borrow(max_age=1):
        pass
    assert region.info().pinned == 0


def test_models_and_arrays_have_an_age_as_well():
    with typedshm.create("clock", array(np.uint8, 4), slots=3) as region:
        region.write(np.ones(4, np.uint8))
        into = np.zeros(4, np.uint8)
        region.read_into(into, max_age=100)
        assert into.all()
        with Wire("clock") as wire:
            wire.slot(1).time -= 10**12
        for verb in (region.read, lambda **options: region.read_into(into, **options)):
            with pytest.raises(typedshm.Stale):
                verb(max_age=100)


@pytest.mark.parametrize("wrong", [-1, -0.001, float("nan"), float("-inf")])
def test_what_is_no_age_is_refused(region, get, wrong):
    region.write(record(1))
    with pytest.raises(ValueError, match="max_age: expected at least 0 seconds, or None for any age, found "):
        get(region, max_age=wrong)


@pytest.mark.parametrize("wrong", ["1", timedelta(seconds=1), [1], object(), 1j, b"1"])
def test_what_is_no_number_is_refused(region, get, wrong):
    region.write(record(1))
    with pytest.raises(TypeError, match="max_age: expected at least 0 seconds, or None for any age, found "):
        get(region, max_age=wrong)


def test_it_is_given_by_keyword():
    with typedshm.create("clock", Record) as region:
        region.write(record(1))
        for wrong in (
            lambda: region.read(1),
            lambda: region.borrow(1),
            lambda: region.read_into(Record.zero(), 1),
            lambda: region.read(age=1),
            lambda: region.read_into(max_age=1),
            lambda: region.read_into(),
        ):
            with pytest.raises(TypeError, match=r"(read|borrow|read_into)\(\)"):
                wrong()


def test_the_core_makes_origins_of_two_numbers():
    origin = _native.Origin(3, 2**64 - 1)
    assert (origin.version, origin.time) == (3, 2**64 - 1)
    for wrong in ((), (1,), ("1", 2), (1, 2, 3)):
        with pytest.raises(TypeError):
            _native.Origin(*wrong)

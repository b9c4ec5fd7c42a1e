"""wait_any() and wait_all(): sleeping on several regions, tables and followers at once."""

import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import typedshm
import typedshm._native as _native
from helpers import marks
from helpers.peers import PATIENCE, Child, interrupt, interruptible, until
from helpers.shared_types import V1, Record, record
from helpers.threads import InThread
from typedshm import Closed, Region, RegionReplaced, Timeout, wait_all, wait_any
from typedshm.testing.inspection import attach_apart, waitsets

MANY = 300
"""Sources: more than Linux (128), and Windows (64), let one thread sleep on."""


@pytest.fixture
def regions() -> Iterator[list[Region[Record]]]:
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(typedshm.create(f"region {n}", Record)) for n in range(3)]


@pytest.fixture
def many() -> Iterator[list[Region[Any]]]:
    schema = typedshm.array("u8", 1)
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(typedshm.create(f"number {n}", schema)) for n in range(MANY)]


def sleeps(thread: InThread) -> bool:
    """Whether a thread has begun: it may be asleep, or be about to."""
    return thread.ident is not None


def test_wait_any_returns_those_with_something_this_thread_did_not_get(regions: list[Region[Record]]) -> None:
    first, second, third = regions
    for region in regions:
        region.write(record(1))
    assert wait_any(regions, timeout=0) == regions
    second.read()
    assert wait_any(regions, timeout=0) == [first, third]
    assert wait_any(regions, timeout=0) == [first, third]  # again, until they are read
    first.wait(copy=False)
    third.read()
    with pytest.raises(Timeout, match=r"wait_any timed out after 0 s.*'region 0', 'region 1', 'region 2'"):
        wait_any(regions, timeout=0)
    third.write(record(2))
    assert wait_any(regions) == [third]
    assert InThread(wait_any, regions).result() == regions  # which has got nothing


def test_a_source_that_is_given_twice_is_returned_twice(regions: list[Region[Record]]) -> None:
    regions[0].write(record(1))
    assert wait_any([regions[0], regions[1], regions[0]]) == [regions[0], regions[0]]


def woken_in_turn(handles: list[Any], count: int, woken: list[Any]) -> None:
    """Note which handles have something new, so many of them one after the other, and read them."""
    while len(woken) < count:
        for handle in wait_any(handles, timeout=PATIENCE):
            handle.read()
            woken.append(handle)


@pytest.mark.parametrize("readonly", [False, True])
def test_a_write_wakes_wait_any(regions: list[Region[Record]], readonly: bool) -> None:
    with contextlib.ExitStack() as stack:
        handles = [stack.enter_context(attach_apart(each.name, Record, readonly=readonly)) for each in regions]
        numbers, woken = [2, 0, 1] * 20, list[Any]()
        thread = InThread(woken_in_turn, handles, len(numbers), woken)
        for done, number in enumerate(numbers):
            until(lambda done=done: len(woken) == done)
            regions[number].write(record(done))
        thread.result()
        assert woken == [handles[number] for number in numbers]


def test_wait_all_returns_once_each_has_something(regions: list[Region[Record]]) -> None:
    thread = InThread(wait_all, regions, timeout=PATIENCE)
    for region in regions[::-1]:
        assert thread.is_alive()
        region.write(record(1))
    assert thread.result() == regions
    regions[1].read()
    with pytest.raises(Timeout, match=r"wait_all timed out after 0 s.*each of 3 sources.*in 'region 1'$"):
        wait_all(regions, timeout=0)


@pytest.mark.parametrize("readonly", [False, True])
def test_three_hundred_sources(many: list[Region[Any]], readonly: bool) -> None:
    with contextlib.ExitStack() as stack:
        handles = many
        if readonly:
            handles = [stack.enter_context(attach_apart(each.name, readonly=True)) for each in many]
        numbers, woken = [0, MANY - 1, 150, 0], list[Any]()
        thread = InThread(woken_in_turn, handles, len(numbers), woken)
        for done, number in enumerate(numbers):
            until(lambda done=done: len(woken) == done)
            if not readonly and _native.WORDS_MAX:
                until(lambda: sum(len(each.awaited()) for each in waitsets()) == MANY)
            many[number].write(np.array([number], np.uint64))
        thread.result()
        assert woken == [handles[number] for number in numbers]
        assert not sum(len(each.awaited()) for each in waitsets())
        thread = InThread(wait_all, handles, timeout=PATIENCE)
        for region in many:
            region.write(np.array([1], np.uint64))
        assert thread.result() == handles


def test_followers_have_something_new_until_they_have_yielded_it(regions: list[Region[Record]]) -> None:
    first, second, _ = regions
    follower = first.follow(every=True, start="next")
    for number in (1, 2):
        first.write(record(number))
    for number in (1, 2):
        assert wait_any([follower, second], timeout=0) == [follower]
        assert next(follower).a == number
    with pytest.raises(Timeout):
        wait_any([follower, second], timeout=0)
    thread = InThread(wait_any, [second, follower], timeout=PATIENCE)
    first.write(record(3))
    assert thread.result() == [follower]


def test_lossless_followers_and_members_of_a_group(regions: list[Region[Record]]) -> None:
    with typedshm.create("commands", Record, lossless=True, slots=8) as commands:
        follower = commands.follow(lossless=True)
        member = commands.follow(group="workers")
        commands.write(record(1))
        assert wait_all([follower, member], timeout=0) == [follower, member]
        assert next(member).a == 1
        assert wait_any([regions[0], follower, member], timeout=0) == [follower]
        assert follower.drain()[0].a == 1
        with pytest.raises(Timeout):
            wait_any([regions[0], follower, member], timeout=0)
        thread = InThread(wait_all, [follower, member], timeout=PATIENCE)
        commands.write(record(2))
        assert thread.result() == [follower, member]
        follower.close()
        member.close()


@pytest.mark.parametrize("readonly", [False, True])
def test_tables_and_their_followers(regions: list[Region[Record]], readonly: bool) -> None:
    with (
        typedshm.create("records", typedshm.rows(Record, 100)) as table,
        attach_apart("records", typedshm.rows(Record), readonly=readonly) as other,
    ):
        handle: Any = other
        follower = handle.follow()
        table[7] = record(1)
        assert wait_any([regions[0], follower], timeout=0) == [follower]
        assert wait_any([regions[0], follower], timeout=0) == [follower]
        assert follower.poll().tolist() == [7]
        with pytest.raises(Timeout):
            wait_any([regions[0], follower], timeout=0)
        with pytest.raises(Timeout):  # of a table counts what changes during the call
            wait_any([regions[0], handle], timeout=0)
        thread = InThread(wait_any, [regions[0], handle], timeout=PATIENCE)
        number = 0
        while thread.is_alive():
            number += 1
            table[8] = record(number)
        assert thread.result() == [handle]
        thread = InThread(wait_any, [regions[0], follower], timeout=PATIENCE)
        table[9] = record(1)
        assert thread.result() == [follower]


# ---- ends ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("wait", [wait_any, wait_all])
def test_a_close_ends_the_wait(regions: list[Region[Record]], wait: Callable[..., Any]) -> None:
    thread = InThread(wait, regions, timeout=PATIENCE)
    until(lambda: sleeps(thread))
    regions[1].close()
    with pytest.raises(Closed, match="'region 1'"):
        thread.result()
    with pytest.raises(Closed):
        wait(regions, timeout=0)


def test_a_close_ends_the_wait_for_three_hundred(many: list[Region[Any]]) -> None:
    thread = InThread(wait_any, many, timeout=PATIENCE)
    until(lambda: sleeps(thread))
    many[-1].close()
    with pytest.raises(Closed, match=f"'number {MANY - 1}'"):
        thread.result()


def test_a_replaced_source_ends_the_wait() -> None:
    with typedshm.create("region", V1) as old, typedshm.create("other", V1) as other:
        follower = old.follow(reattach=True, start="next")
        thread = InThread(wait_any, [other, old], timeout=PATIENCE)
        until(lambda: sleeps(thread))
        typedshm.unlink("region")
        with pytest.raises(Timeout):  # a name that leads nowhere ends nothing, also of who would go on
            wait_any([other, old, follower], timeout=0)
        with typedshm.create("region", V1) as new:
            with pytest.raises(RegionReplaced, match="'region'"):
                thread.result()
            follows = InThread(wait_any, [other, follower], timeout=PATIENCE)
            new.write(V1(tick=3))
            assert follows.result() == [follower]
            assert follower.reattached == 1
            assert next(follower).tick == 3


def test_what_is_new_is_returned_before_the_end(regions: list[Region[Record]]) -> None:
    regions[0].write(record(1))
    typedshm.unlink("region 0")
    with typedshm.create("region 0", Record):
        assert wait_any(regions, timeout=0) == [regions[0]]
        regions[0].read()
        with pytest.raises(RegionReplaced):
            wait_any(regions)


@pytest.mark.parametrize("count", [1, MANY])
def test_ctrl_c_ends_the_wait(count: int) -> None:
    process = interruptible(
        f"""
import typedshm
number = typedshm.array("f8", 1)
regions = [typedshm.create(f"number {{n}}", number) for n in range({count})]
with typedshm.create("it waits", number):
    typedshm.wait_any(regions, timeout=60)
"""
    )
    try:
        typedshm.attach("it waits", timeout=PATIENCE).close()
    finally:
        interrupt(process)
        _, complaint = process.communicate(timeout=PATIENCE)
    assert complaint.strip().endswith("KeyboardInterrupt"), complaint


@marks.fork
def test_in_the_child_of_a_fork(regions: list[Region[Record]]) -> None:
    def in_child(pipe: Any) -> int:
        assert wait_any(regions, timeout=PATIENCE) == [regions[2]]
        pipe.send("woken")
        assert wait_all([regions[2], regions[0]], timeout=PATIENCE) == [regions[2], regions[0]]
        tick: int = regions[0].read().a
        for region in regions:
            region.close()
        return tick

    child = Child(in_child)
    regions[2].write(record(1))
    child.expect("woken")
    regions[0].write(record(9))
    assert child.join() == 9


def test_nothing_is_left_behind(many: list[Region[Any]]) -> None:
    linux = sys.platform == "linux"
    descriptors = len(os.listdir("/proc/self/fd")) if linux else 0
    for _ in range(20):
        with pytest.raises(Timeout):
            wait_any(many, timeout=0.001)
    assert not sum(len(each.awaited()) for each in waitsets())
    if linux:
        assert len(os.listdir("/proc/self/fd")) == descriptors


# ---- arguments -----------------------------------------------------------------------------------------------------


def test_what_is_no_source_is_refused_in_words(regions: list[Region[Record]]) -> None:
    for wrong in (regions[0], regions[0].follow(), 5, "camera"):
        with pytest.raises(TypeError, match=r"sources: expected several, as in \[camera, lidar\]"):
            wait_any(wrong, timeout=0)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"sources: expected a Region, a Table, or what follow\(\).*found 'camera'"):
        wait_all([regions[0], "camera"], timeout=0)  # type: ignore[list-item]
    with pytest.raises(ValueError, match="found none"):
        wait_any([])
    with pytest.raises(TypeError, match=r"wait_any\(sources, timeout=3\)"):
        wait_any(regions, 3)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="timeout: expected seconds"):
        wait_any(regions, timeout="soon")  # type: ignore[arg-type]


# ---- wait(copy=False) ----------------------------------------------------------------------------------------------


def test_wait_without_a_copy_returns_the_number_which_counts_as_got(regions: list[Region[Record]]) -> None:
    region = regions[0]
    for number in (1, 2, 3):
        region.write(record(number))
    assert region.wait(copy=False) == 3
    with pytest.raises(Timeout):
        region.wait(copy=False, timeout=0)
    with pytest.raises(Timeout):
        region.wait(timeout=0)
    assert region.wait(after=1, copy=False) == 3
    thread = InThread(region.wait, copy=False, after=3, timeout=PATIENCE)
    region.write(record(4))
    assert thread.result() == 4
    assert region.wait(copy=True) == record(4)
    for wrong in (0, None, "no"):
        with pytest.raises(TypeError, match="copy: expected True or False"):
            region.wait(copy=wrong)  # type: ignore[call-overload]


def test_wait_without_a_copy_makes_nothing_of_the_value() -> None:
    class Broken(typedshm.Struct):
        n: typedshm.u8

    with typedshm.create("broken", Broken, slots=2) as region:
        region.write(Broken(n=1))
        before = region.wait(copy=False)
        assert isinstance(before, int)
        with attach_apart("broken", readonly=True) as other:
            assert other.wait(copy=False, timeout=0) == 1


@pytest.mark.parametrize("wait", [wait_any, wait_all])
def test_waiting_for_a_lossless_follower_asks_for_the_next_version(wait: Callable[..., object]) -> None:
    with typedshm.create("full", Record, slots=2, lossless=True) as region, region.follow(lossless=True) as follower:
        region.write(record(1))
        region.write(record(2))
        writer = InThread(region.write, record(3))  # waits until the two are got
        assert len(follower.drain()) == 2
        wait([follower], timeout=PATIENCE)
        writer.result()
        assert [value.a for value in follower.drain()] == [3]

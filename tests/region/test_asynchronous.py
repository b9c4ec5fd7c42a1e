"""Waiting in coroutines: await region.next() and async for, in asyncio, trio and anyio."""

import asyncio
import contextlib
import gc
import math
import os
import pickle
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

import typedshm
import typedshm._native as _native
from helpers import marks
from helpers.loops import LOOPS, Asyncio, Loop, loop_of
from helpers.peers import PATIENCE, Child, interrupt, interruptible, run_script, until
from helpers.seccomp import FUTEX_WAITV, run_without
from helpers.shared_types import Car, Record, record, whole
from helpers.wire import CONTROL_PAGES, Wire
from typedshm.testing.inspection import attachment_of, waitsets


@pytest.fixture(params=LOOPS)
def loop(request: pytest.FixtureRequest) -> Loop:
    return loop_of(request.param)


def awaited() -> int:
    """How many handles somebody waits for, in this process."""
    return sum(len(each.awaited()) for each in waitsets())


def watched() -> int:
    """How many handles a sleeper still looks at."""
    return sum(len(each) for each in waitsets())


def sleepers() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "typedshm waitset"]


@pytest.fixture(scope="module", autouse=True)
def little_to_collect():
    gc.collect()
    gc.freeze()  # what the packages have made does not have to be looked through after each test
    yield
    gc.unfreeze()


@pytest.fixture(autouse=True)
def nothing_is_left_behind():
    yield
    gc.collect()  # which reports tasks and generators that were dropped
    assert awaited() == 0
    until(lambda: not watched())


# ---- waking up -----------------------------------------------------------------------------------------------------


def test_a_write_wakes_who_awaits_it(loop):
    async def main():
        with typedshm.create("car", Car) as car:
            got = []

            async def wait():
                got.append(await car.next(timeout=PATIENCE))
                got.append(await car.next(timeout=PATIENCE))

            async def write():
                await loop.until(awaited)
                car.write(whole(1))
                await loop.until(lambda: len(got) == 1 and awaited())
                car.write(whole(2))

            await loop.together(wait, write)
            assert got == [whole(1), whole(2)]
            assert [typedshm.version_of(value) for value in got] == [1, 2]

    loop.run(main)


def test_what_is_there_already_takes_no_thread(loop):
    async def main():
        with typedshm.create("car", Car) as car:
            for n in range(1, 4):
                car.write(whole(n))
            assert await car.next() == whole(3)
            car.write(whole(4))
            assert await car.next(timeout=0) == whole(4)
            assert await car.next(after=2) == whole(4)
            assert not sleepers()

    until(lambda: not sleepers())  # an earlier test's
    loop.run(main)


def test_each_task_gets_every_version(loop):
    """Two tasks on one handle do not take versions from one another, nor does what the thread has read."""

    async def main():
        with typedshm.create("car", Car) as car:
            got: dict[int, list[int]] = {0: [], 1: []}

            def follower(number):
                async def follow():
                    for _ in range(3):
                        got[number].append((await car.next(timeout=PATIENCE)).tick)

                return follow

            async def write():
                for n in (1, 2, 3):
                    car.write(whole(n))
                    assert car.read().tick == n
                    await loop.until(lambda n=n: all(len(ticks) == n for ticks in got.values()))

            await loop.together(follower(0), follower(1), write)
            assert got == {0: [1, 2, 3], 1: [1, 2, 3]}

    loop.run(main)


def test_what_one_task_has_got_is_new_to_another(loop):
    async def main():
        with typedshm.create("car", Car) as car:
            car.write(whole(1))
            assert await car.next(timeout=0) == whole(1)

            async def look():
                assert await car.next(timeout=0) == whole(1)

            await loop.together(look, look)

    loop.run(main)


def test_a_handle_is_iterated_over_until_it_is_closed(loop):
    async def main():
        ticks: list[int] = []
        with typedshm.create("car", Car) as car:

            async def follow():
                async for value in car:
                    ticks.append(value.tick)
                assert car.closed
                async for _ in car:
                    raise AssertionError("it is closed")

            async def write():
                for n in (1, 2, 3):
                    car.write(whole(n))
                    await loop.until(lambda n=n: ticks[-1:] == [n] and awaited())
                car.close()

            await loop.together(follow, write)
        assert ticks == [1, 2, 3]

    loop.run(main)


def test_many_tasks_wait_for_one_region(loop):
    async def main():
        got: list[int] = []
        with typedshm.create("record", Record) as region:

            async def wait():
                got.append((await region.next(timeout=PATIENCE)).a)

            async def write():
                await loop.until(awaited)
                assert awaited() == 1
                await loop.until(lambda: len(sleepers()) == 1)  # an earlier test's may be on its way out
                region.write(record(7))

            await loop.together(*[wait] * 2000, write)
        assert got == [7] * 2000

    loop.run(main)


def test_many_regions_are_awaited_in_few_threads():
    loop = Asyncio()
    count = 300

    async def main():
        with contextlib.ExitStack() as stack:
            regions = [stack.enter_context(typedshm.create(f"record {n}", Record)) for n in range(count)]
            got: dict[int, int] = {}

            def waiter(n):
                async def wait():
                    for _ in range(2):
                        got[n] = (await regions[n].next(timeout=PATIENCE)).a

                return wait

            async def write():
                for start in (1000, 2000):
                    await loop.until(lambda: awaited() == count)
                    await loop.until(lambda: 1 <= len(sleepers()) <= 5)  # one thread sleeps for many
                    for n in range(count):
                        regions[n].write(record(start + n))
                    await loop.until(lambda start=start: len(got) == count and min(got.values()) >= start)

            await loop.together(*map(waiter, range(count)), write)
            assert got == {n: 2000 + n for n in range(count)}

    others = set(threading.enumerate()) - set(sleepers())
    loop.run(main)
    until(lambda: set(threading.enumerate()) <= others)  # they leave when nobody waits any more


def test_who_is_never_without_work_leaves_time_to_others(loop):
    async def main():
        with typedshm.create("record", Record) as region:
            region.write(record(0))

            async def follow():
                async for value in region:
                    region.write(value)  # so that there is always a newer one

            await loop.cancel(follow, lambda: region.version > 100)
            assert not sleepers()

    until(lambda: not sleepers())  # an earlier test's
    loop.run(main)


# ---- following -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("borrow", [False, True])
@pytest.mark.parametrize("every", [False, True])
def test_following_accounts_for_what_it_did_not_get(loop, every, borrow):
    async def main():
        with typedshm.create("record", Record, slots=5) as region:
            follower = region.follow(every=every, borrow=borrow, start=1, timeout=PATIENCE)
            got: list[int] = []

            async def follow():
                async for value in follower:
                    assert value.a == follower.version
                    got.append(value.a)

            async def write():
                await loop.until(awaited)
                for n in range(1, 4):
                    region.write(record(n))
                await loop.until(lambda: got[-1:] == [3] and awaited())
                for n in range(4, 13):
                    region.write(record(n))
                await loop.until(lambda: got[-1:] == [12] and awaited())
                region.close()

            await loop.together(follow, write)
            assert got == ([1, 2, 3, *range(9, 13)] if every else [3, 12])
            assert follower.dropped == region.dropped == 12 - len(got)

    loop.run(main)


def test_where_following_starts(loop):
    async def main():
        with typedshm.create("record", Record, slots=3) as region:
            for n in range(1, 6):
                region.write(record(n))
            for start, first in (("newest", 5), ("oldest", 3), (4, 4), (1, 4)):
                follower = region.follow(every=True, start=start)
                assert (await anext(follower)).a == first
            assert follower.dropped == 3

    loop.run(main)


def test_after_a_timeout_following_goes_on(loop):
    async def main():
        with typedshm.create("record", Record) as region:
            follower = region.follow(timeout=0)
            for n in (1, 2):
                with pytest.raises(typedshm.Timeout, match="timed out waiting for a newer version"):
                    await anext(follower)
                region.write(record(n))
                assert await anext(follower) == record(n)
            assert follower.dropped == 0
            assert next(region.follow()) == record(2), "a thread has its own account"

    loop.run(main)


def test_one_task_at_a_time_follows_it(loop):
    async def main():
        with typedshm.create("car", Car) as car:
            follower, got = car.follow(), []

            async def wait():
                got.append(await anext(follower))

            async def wait_too():
                await loop.until(awaited)
                with pytest.raises(typedshm.MisuseError, match="call follow"):
                    await anext(follower)
                car.write(whole(1))

            await loop.together(wait, wait_too)
            assert got == [whole(1)]
            car.write(whole(2))
            assert (await anext(follower), follower.dropped) == (whole(2), 0)

    loop.run(main)


def test_a_borrowed_view_ends_with_the_next_await(loop):
    async def main():
        with typedshm.create("record", Record, slots=4) as region:
            region.write(record(1))
            follower = region.follow(borrow=True)
            view = await anext(follower)
            assert (view.a, region.info().pinned) == (1, 1)
            await loop.cancel(follower.__anext__, awaited)
            assert region.info().pinned == 0
            with pytest.raises(typedshm.Closed):
                _ = view.a
            region.write(record(2))
            assert (await anext(follower)).a == 2
            assert region.info().copies == 0

    loop.run(main)


@pytest.mark.parametrize("borrow", [False, True])
def test_following_a_lost_region_is_an_error(borrow):
    async def main():
        with typedshm.create("car", Car, slots=4) as car:
            car.write(whole(1))
            follower = car.follow(borrow=borrow)
            await anext(follower)
            task = asyncio.ensure_future(follower.__anext__())
            await Asyncio().until(awaited)
            with Wire("car") as wire:
                wire.header.instance += 1
                with pytest.raises(typedshm.RegionLost):
                    await task
                wire.header.instance -= 1

    asyncio.run(main())


# ---- timeouts and cancelling ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("timeout", [0, -1, math.nan, 0.01])
def test_a_timeout_is_an_error(loop, timeout):
    async def main():
        with typedshm.create("car", Car) as car:
            for region_wide in (False, True):
                car.timeout = timeout if region_wide else None
                with pytest.raises(typedshm.Timeout, match="region 'car' timed out waiting for a newer version"):
                    await (car.next() if region_wide else car.next(timeout=timeout))
            with pytest.raises(typedshm.Timeout):
                await anext(car)
            car.write(whole(1))
            with pytest.raises(typedshm.Timeout):
                await car.next(after=1, timeout=timeout)
            assert await car.next() == whole(1)
            with pytest.raises(typedshm.Timeout):
                await car.next()

    loop.run(main)


def test_for_ever_has_more_than_one_name(loop):
    async def main():
        with typedshm.create("car", Car) as car:
            got = []

            def waiter(timeout):
                async def wait():
                    got.append(await car.next(timeout=timeout))

                return wait

            async def write():
                await loop.until(awaited)
                car.write(whole(1))

            await loop.together(waiter(math.inf), waiter(None), waiter(1e9), write)
            assert got == [whole(1)] * 3

    loop.run(main)


@pytest.mark.parametrize(("arguments", "error"), [({"after": "one"}, TypeError), ({"timeout": "1"}, TypeError)])
def test_arguments_are_checked(loop, arguments, error):
    async def main():
        with typedshm.create("car", Car) as car:
            with pytest.raises(error):
                await car.next(**arguments)
            with pytest.raises(OverflowError):
                await car.next(after=-1)

    loop.run(main)


def test_without_a_task_it_says_so():
    with typedshm.create("car", Car) as car, pytest.raises(typedshm.MisuseError, match="a task of asyncio or trio"):
        car.next().send(None)


def test_cancelling_leaves_nothing_behind(loop):
    async def main():
        with typedshm.create("car", Car) as car, typedshm.create("record", Record) as other:
            for _ in range(3):
                await loop.cancel(car.next, awaited)
                assert awaited() == watched() == 0
            # of two that wait the other goes on
            got = []

            async def wait():
                got.append(await other.next(timeout=PATIENCE))

            async def meddle():
                await loop.until(awaited)
                await loop.cancel(car.next, lambda: awaited() == 2)
                await loop.cancel(other.next, lambda: True)
                assert awaited() == 1
                other.write(record(1))

            await loop.together(wait, meddle)
            assert got == [record(1)]
            car.write(whole(1))
            assert await car.next() == whole(1), "what was cancelled took no version"

    loop.run(main)


def test_a_version_that_comes_together_with_a_cancellation_does_no_harm():
    async def main():
        complaints = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
        with typedshm.create("car", Car) as car:
            task = asyncio.create_task(car.next())
            await Asyncio().until(awaited)
            car.write(whole(1))
            until(lambda: not awaited())  # and the loop had no turn: both are still to come to the task
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await Asyncio().until(lambda: not watched())  # the sleeper has called whom it had to call
            await asyncio.sleep(0)
        assert complaints == []

    asyncio.run(main())


def test_wait_for_and_timeout_of_asyncio():
    async def main():
        with typedshm.create("car", Car) as car:
            for _ in range(20):
                with pytest.raises(TimeoutError):
                    await asyncio.wait_for(car.next(), 0.001)
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(0.001):
                        await car.next()
                assert awaited() == 0
            car.write(whole(1))
            assert await asyncio.wait_for(car.next(), PATIENCE) == whole(1)

    asyncio.run(main(), debug=True)


def test_a_loop_that_ends_while_a_task_waits_takes_it_along():
    with typedshm.create("car", Car) as car:

        async def main():
            task = asyncio.create_task(car.next())
            await asyncio.sleep(0)
            assert awaited() == 1
            return task  # which asyncio.run() cancels

        assert asyncio.run(main()).cancelled()
        assert awaited() == 0

        # a loop that is closed without that care: a write reaches nobody, and does no harm
        other = asyncio.new_event_loop()
        task = other.create_task(car.next())
        other.run_until_complete(asyncio.sleep(0))
        assert awaited() == 1
        other.close()
        car.write(whole(1))
        until(lambda: not awaited())
        task._log_destroy_pending = False  # type: ignore[attr-defined]
        task.get_coro().close()  # type: ignore[union-attr]


def test_ctrl_c_ends_an_await():
    process = interruptible(
        """
import asyncio, typedshm
from typedshm.testing.inspection import waitsets
region = typedshm.create("awaited", typedshm.array("f8", 1))
signs = []
def beat():  # else a signal that comes just before the loop goes to sleep goes unheard: asyncio looks when it is woken
    asyncio.get_running_loop().call_later(0.05, beat)
async def main():
    beat()
    asyncio.get_running_loop().call_soon(lambda: signs.append(typedshm.create("it waits", typedshm.array("f8", 1))))
    await region.next(timeout=60)
try:
    asyncio.run(main())
except KeyboardInterrupt:
    assert not any(each.awaited() for each in waitsets())
    region.close()
    raise
"""
    )
    try:
        typedshm.attach("it waits", timeout=PATIENCE).close()
    finally:
        interrupt(process)
        _, complaint = process.communicate(timeout=PATIENCE)
    assert complaint.strip().endswith("KeyboardInterrupt"), complaint


@pytest.mark.parametrize("then", ["", "gc.collect()", "region.close()", "del region, tasks, loop", "sys.exit(3)"])
def test_an_interpreter_ends_while_tasks_wait(then):
    done = run_script(f"""
import asyncio, gc, sys, typedshm
from typedshm.testing.inspection import waitsets
region = typedshm.create("record", typedshm.array("f8", 1))
readonly = typedshm.attach("record", typedshm.array("f8", 1), readonly=True)
loop = asyncio.new_event_loop()
tasks = [loop.create_task(each.next()) for each in (region, readonly) * 50]
for task in tasks:
    task._log_destroy_pending = False
loop.run_until_complete(asyncio.sleep(0.01))
assert sum(len(each.awaited()) for each in waitsets()) == 2
{then or "loop.close()"}
""")
    assert (done.returncode, done.stderr) == (3 * ("exit" in then), "")


# ---- ends ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("readonly", [False, True])
def test_a_close_ends_every_await(loop, readonly):
    async def main():
        with typedshm.create("car", Car), typedshm.attach("car", Car, readonly=readonly) as car:
            ended = []

            async def wait():
                with pytest.raises(typedshm.Closed):
                    await car.next()
                ended.append(True)

            async def close():
                await loop.until(awaited)
                car.close()
                assert watched() == 0

            await loop.together(wait, wait, close)
            assert len(ended) == 2
            with pytest.raises(typedshm.Closed):
                await car.next()

    loop.run(main)


@pytest.mark.parametrize("cancelled", [False, True])
def test_after_a_close_no_sleeper_looks_at_the_memory(cancelled):
    """On Windows a region lives for as long as its memory is mapped anywhere."""

    async def main():
        for _ in range(20):
            car = typedshm.create("car", Car)
            before = sys.getrefcount(attachment_of(car).mapping)
            task = asyncio.create_task(car.next())
            await Asyncio().until(awaited)
            await asyncio.sleep(0.001)  # so that the sleeper has fallen asleep, more often than not
            if cancelled:
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
            car.close()
            left = sys.getrefcount(attachment_of(car).mapping)  # not within the assert, which would hold it too
            assert left == before - (not marks.FREE_THREADED)  # where the handle itself keeps it to its own end
            with pytest.raises(typedshm.RegionNotFound):
                typedshm.attach("car", Car)
            if not cancelled:
                with pytest.raises(typedshm.Closed):
                    await task

    asyncio.run(main())


def test_a_close_in_another_thread_ends_an_await():
    async def main():
        with typedshm.create("car", Car) as car:
            thread = threading.Thread(target=lambda: (until(awaited), car.close()))
            thread.start()
            async for _ in car:
                raise AssertionError("nothing was written")
            thread.join()

    asyncio.run(main())


@pytest.mark.parametrize("readonly", [False, True])
def test_a_region_that_was_overwritten_ends_an_await(readonly):
    async def main():
        with typedshm.create("car", Car) as car, typedshm.attach("car", Car, readonly=readonly) as other:
            task = asyncio.create_task(other.next())
            await Asyncio().until(awaited)
            with Wire("car") as wire:
                wire.header.instance += 1
                with pytest.raises(typedshm.RegionLost, match="holds something else now"):
                    await task
                wire.header.instance -= 1
            car.write(whole(1))

    asyncio.run(main())


@marks.not_on_windows("a file that is mapped cannot be cut short")
@pytest.mark.parametrize("readonly", [False, True])
@pytest.mark.parametrize("left", [0, CONTROL_PAGES])
def test_a_file_that_is_cut_short_ends_an_await(tmp_path: Path, readonly, left):
    path = tmp_path / "big"

    async def main():
        schema = typedshm.array(np.uint8, 100_000)
        with typedshm.create(path, schema) as region, typedshm.attach(path, schema, readonly=readonly) as other:
            region.write(np.zeros(100_000, np.uint8))
            task = asyncio.create_task(other.next(after=1))
            await Asyncio().until(awaited)
            os.truncate(path, left)
            with pytest.raises(typedshm.RegionLost, match="was cut short"):
                await task

    asyncio.run(main())


# ---- the set itself ----


def test_a_set_takes_nobody_who_has_missed_a_version():
    with typedshm.create("record", Record) as region:
        number, calls = _native.newer(region, 0, False), []
        assert number is not None
        region.write(record(1))
        waiters = _native.Waitset()
        assert waiters.add(region, number, lambda: calls.append(1)) == _native.WAITSET_MOVED
        assert (len(waiters), waiters.attend(0.01, 0.01), calls) == (0, False, [])


def test_a_set_calls_once_for_each_version():
    with typedshm.create("record", Record) as region:
        waiters = _native.Waitset()
        calls: list[int] = []

        def wait():
            calls.append(region.version)
            number = _native.newer(region, region.version, False)
            assert number is not None
            assert waiters.add(region, number, wait) == _native.WAITSET_ADDED

        wait()
        for n in range(3):
            assert waiters.attend(0.001, 0.001)
            assert calls == list(range(n + 1)), "there is nothing new"
            region.write(record(n))
            assert waiters.attend(0.001, 0.001)
            assert calls == list(range(n + 2))
        waiters.remove(region, wait)


def test_a_set_notices_that_a_region_is_lost():
    with typedshm.create("record", Record) as region, Wire("record") as wire:
        waiters, calls = _native.Waitset(), []
        number = _native.newer(region, 0, False)
        assert number is not None
        waiters.add(region, number, lambda: calls.append(1))
        wire.header.instance += 1
        waiters.attend(0.001, 0.001)
        wire.header.instance -= 1
        assert calls == [1]


# ---- who writes ----------------------------------------------------------------------------------------------------


def write_many(pipe, count):
    with typedshm.attach("record", Record) as region:
        for n in range(1, count + 1):
            region.write(record(n))
        pipe.recv()


@pytest.mark.parametrize("readonly", [False, True])
def test_another_process_writes(readonly):
    count = 2000

    async def main(region):
        last = 0
        async for value in region:
            assert value == record(value.a)
            assert value.a > last
            last = value.a
            if last == count:
                break

    with (
        typedshm.create("record", Record),
        typedshm.attach("record", Record, readonly=readonly) as region,
        Child(write_many, count) as child,
    ):
        asyncio.run(main(region))
        child.send()


@pytest.mark.parametrize("readonly", [False, True])
def test_a_wake_up_that_never_comes_is_made_up_for(loop, readonly):
    """As when a writer is killed between head and the wake-up."""
    got = []

    async def main(reader, wire):
        async def wait():
            got.append((await reader.next(after=1, timeout=PATIENCE)).a)

        async def write():
            await loop.until(awaited)
            slot = wire.slot(2)
            slot.version, slot.mark = 2, 4
            wire.control.head = 2
            del slot

        await loop.together(wait, write)

    with typedshm.create("record", Record) as region, typedshm.attach("record", Record, readonly=readonly) as reader:
        region.write(record(1))
        with Wire("record") as wire:
            loop.run(lambda: main(reader, wire))
    assert got == [0]


def die_in_a_block(pipe):
    with typedshm.attach("record", Record) as region, region.update() as t:
        t.a = 7
        pipe.send("inside")
        pipe.recv()


def test_a_writer_that_dies_ends_no_await():
    async def main(region, child):
        task = asyncio.create_task(region.next(timeout=PATIENCE))
        await Asyncio().until(awaited)
        child.kill()
        region.write(record(8))
        assert await task == record(8)

    with typedshm.create("record", Record) as region:
        child = Child(die_in_a_block)
        try:
            child.expect("inside")
            asyncio.run(main(region, child))
        finally:
            child.kill()


POLLED = """
import asyncio, numpy, threading, typedshm
from typedshm.testing.inspection import waitsets

async def main(regions):
    tasks = [asyncio.create_task(region.next(timeout=60)) for region in regions]
    await asyncio.sleep(0)
    assert threading.active_count() == 2
    assert [len(each) for each in waitsets()] == [len(regions)]
    for n, region in enumerate(regions):
        region.write(numpy.array([n]))
    print([(await task).item() for task in tasks] == list(range(len(regions))))

regions = [typedshm.create(f"number {n}", typedshm.array("i8", 1)) for n in range(130)]
asyncio.run(main(regions))
for region in regions:
    region.close()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="futex_waitv is Linux's")
@pytest.mark.parametrize("error", ["ENOSYS", "EPERM"])
def test_where_the_kernel_has_no_futex_waitv_it_looks_again_and_again(error):
    done = run_without(FUTEX_WAITV, error, POLLED)
    assert (done.stdout, done.stderr) == ("True\n", "")


# ---- several loops, several processes ------------------------------------------------------------------------------


def test_two_loops_in_two_threads_share_a_handle():
    loop = Asyncio()
    got: dict[str, list[int]] = {"one": [], "two": []}
    with typedshm.create("record", Record) as region:

        async def follow(ticks):
            async for value in region:
                ticks.append(value.a)

        threads = [threading.Thread(target=asyncio.run, args=(follow(ticks),)) for ticks in got.values()]
        for thread in threads:
            thread.start()

        async def write():
            for n in range(1, 50):
                region.write(record(n))
                await loop.until(lambda n=n: all(ticks[-1:] == [n] for ticks in got.values()))
            region.close()

        asyncio.run(write())
        for thread in threads:
            thread.join(PATIENCE)
    assert got == {"one": list(range(1, 50)), "two": list(range(1, 50))}


@marks.fork
def test_the_child_of_a_fork_has_a_sleeper_of_its_own():
    with typedshm.create("record", Record) as region:

        async def wait(pipe):
            task = asyncio.create_task(region.next(timeout=PATIENCE))
            await Asyncio().until(awaited)
            assert len(sleepers()) == 1
            pipe.send("waiting")
            return (await task).a

        def in_child(pipe):
            assert not waitsets()
            value = asyncio.run(wait(pipe))
            region.close()
            return value

        async def main():
            task = asyncio.create_task(region.next(timeout=PATIENCE))
            await Asyncio().until(awaited)
            child = Child(in_child)
            child.expect("waiting")
            region.write(record(3))
            assert await task == record(3)
            return child

        assert asyncio.run(main()).join() == 3


# ---- values --------------------------------------------------------------------------------------------------------


def test_pickled_handles_and_arrays(loop):
    got = []

    async def main(car, lut, other, table):
        async def wait():
            got.append(await other.next(timeout=PATIENCE))
            assert (await table.next()).tolist() == [0, 1, 2, 3, 4]
            got.append(await table.next(timeout=PATIENCE))

        async def write():
            await loop.until(awaited)
            car.write(whole(1))
            await loop.until(lambda: got and awaited())
            lut.write(np.arange(5) * 2)

        await loop.together(wait, write)

    with contextlib.ExitStack() as stack:
        regions = [typedshm.create("car", Car), typedshm.share("lut", np.arange(5))]
        regions += pickle.loads(pickle.dumps(regions))
        for region in regions:
            stack.enter_context(region)
        loop.run(lambda: main(*regions))
    assert got[0] == whole(1)
    assert got[1].tolist() == [0, 2, 4, 6, 8]


def test_importing_typedshm_imports_no_event_loop():
    done = run_script("import sys, typedshm; print({'asyncio', 'trio', 'anyio'} & sys.modules.keys())")
    assert done.stdout == "set()\n", done.stderr

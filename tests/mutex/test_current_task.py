"""The writers' lock is one task's: others of its thread do not walk into it while that one awaits something."""

import asyncio
import contextlib
import gc
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

import pytest

import typedshm
from helpers import marks
from helpers.loops import LOOPS, Loop, loop_of
from helpers.peers import PATIENCE, Child
from helpers.shared_types import Car, Record, record, whole
from helpers.wire import Wire
from typedshm import NamedMutex, Region, current_task

Entering = Callable[[], AbstractContextManager[Any]]

WORDS = "(held|locked) by another task of this thread, which awaits .* before the await"
REFUSED = pytest.raises(typedshm.MisuseError, match=WORDS)


@pytest.fixture(params=LOOPS)
def loop(request: pytest.FixtureRequest) -> Loop:
    return loop_of(request.param)


@pytest.fixture
def region() -> Iterator[Region[Record]]:
    with typedshm.create("record", Record) as region:
        region.write(record(1))
        yield region


@contextlib.contextmanager
def held(mutex: NamedMutex) -> Iterator[None]:
    """Hold a mutex without its own block."""
    assert mutex.acquire(timeout=0)
    try:
        yield
    finally:
        mutex.release()


def while_another_holds(loop: Loop, entering: Entering, look: Callable[[], object]) -> None:
    """One task awaits in a block; look() meanwhile, in another."""

    async def main():
        entered, looked = [], []

        async def hold():
            with entering():
                entered.append(True)
                await loop.until(lambda: looked)

        async def meddle():
            await loop.until(lambda: entered)
            try:
                look()
            finally:
                looked.append(True)

        await loop.together(hold, meddle)

    loop.run(main)


# ---- who is refused ------------------------------------------------------------------------------------------------


def test_another_task_is_refused_the_lock_and_the_verbs_that_write(loop, region):
    def look():
        with REFUSED, region.lock():
            raise AssertionError("it is in")
        with REFUSED, region.lock(timeout=0):
            raise AssertionError("it is in")
        with REFUSED:
            region.write(record(2))
        with REFUSED, region.update() as t:
            t.a = 2
        with REFUSED, region.loan():
            raise AssertionError("it is in")
        with pytest.raises(typedshm.MisuseError, match="region 'record' is locked by another task"):
            region.write(record(2))
        assert (region.read(), region.version) == (record(1), 1), "who only reads is not concerned"

    while_another_holds(loop, region.lock, look)
    with region.lock(timeout=0):
        region.write(record(3))
    with region.update(timeout=0) as t:
        t.a = 4
    assert (region.version, region.read().a, region.info().lock_holder) == (3, 4, None)


@pytest.mark.parametrize("by_verb", [False, True])
def test_another_task_is_refused_a_mutex(loop, by_verb):
    mutex = NamedMutex("guard")

    def look():
        with REFUSED, mutex:
            raise AssertionError("it is in")
        with REFUSED:
            mutex.acquire(timeout=0)

    while_another_holds(loop, (lambda: held(mutex)) if by_verb else (lambda: mutex), look)
    assert (mutex.held, mutex.owner) == (False, None)
    with mutex:
        assert mutex.held
    mutex.close()


@pytest.mark.skipif(not marks.WINDOWS, reason="the system has no mutexes of its own")
def test_another_task_is_refused_a_mutex_of_the_system():
    mutex = NamedMutex("Local\\typedshm test of tasks", exact=True)

    def look():
        with REFUSED, mutex:
            raise AssertionError("it is in")
        with REFUSED:
            mutex.acquire(timeout=0)

    while_another_holds(loop_of("asyncio"), lambda: mutex, look)
    with mutex, mutex:
        assert mutex.acquire(timeout=0)
        mutex.release()
    assert not mutex.held
    mutex.close()


def test_a_callback_that_is_no_task_is_refused(region):
    async def main():
        errors: list[BaseException] = []

        def call():
            try:
                region.write(record(2))
            except typedshm.MisuseError as error:
                errors.append(error)

        with region.lock():
            asyncio.get_running_loop().call_soon(call)
            await asyncio.sleep(0)
            call()  # which as a part of the task is not
        assert len(errors) == 1
        asyncio.get_running_loop().call_soon(call)
        await asyncio.sleep(0)
        assert (len(errors), region.version) == (1, 3)

    asyncio.run(main())


def test_the_one_that_is_refused_can_have_it_later(loop, region):
    async def main():
        entered, refused, done = [], [], []

        async def hold():
            with region.lock():
                entered.append(True)
                await loop.until(lambda: refused or done)
                region.write(record(2))

        async def meddle():
            await loop.until(lambda: entered)
            while True:
                try:
                    with region.lock():
                        region.write(record(3))
                    done.append(True)
                    break
                except typedshm.MisuseError:
                    refused.append(True)
                    await loop.sleep(0.001)

        await loop.together(hold, meddle)
        assert refused
        assert (region.version, region.read()) == (3, record(3))

    loop.run(main)


# ---- who is not ----------------------------------------------------------------------------------------------------


def test_the_task_itself_takes_it_again(loop, region):
    async def main():
        for _ in range(2):
            with region.lock(), region.lock(), region.update() as t:
                await loop.sleep(0)
                t.a = 7
            with region.lock():
                await loop.sleep(0)
                region.write(record(8))
                with region.lock():
                    await loop.sleep(0)
                    region.write(record(9))
                with region.loan() as t:
                    t.a = 10
        assert region.version == 9

    loop.run(main)


def test_a_reader_that_takes_the_lock_is_not_refused(loop):
    """With one slot, a value that seems to be in the making is looked at under the lock."""
    with typedshm.create("record", Record, slots=1) as region, Wire("record") as wire:
        region.write(record(1))
        wire.slot(1).mark = 1

        def look():
            with pytest.raises(typedshm.TornWrite):
                region.read()

        while_another_holds(loop, region.lock, look)
        region.write(record(2))
        assert region.read() == record(2)


def test_a_task_that_has_given_it_back_counts_no_more(region):
    async def main():
        with region.lock():
            region.write(record(2))

    asyncio.run(main())
    with region.update() as t, region.lock():  # a block notes no task
        t.a = 3
    assert region.version == 3


def test_a_lock_around_the_loop_is_for_all_of_its_tasks(loop, region):
    async def main():
        async def write():
            with region.lock():
                await loop.sleep(0)
                region.write(record(2))
            region.write(record(3))

        await loop.together(write, write)

    with region.lock():
        loop.run(main)
    assert region.version == 5


def test_another_thread_waits(region):
    """As before: it gets the lock when the task has left it, or not in time."""

    async def main():
        with region.lock():
            with pytest.raises(typedshm.Timeout):
                await asyncio.to_thread(region.write, record(2), timeout=0.01)
            started = threading.Event()
            thread = asyncio.create_task(asyncio.to_thread(lambda: (started.set(), region.write(record(3)))))
            while not started.is_set():
                await asyncio.sleep(0.001)
            assert region.version == 1
        await asyncio.wait_for(thread, PATIENCE)
        assert region.version == 2

    asyncio.run(main())


# ---- what is left of a task ----------------------------------------------------------------------------------------


def test_nothing_of_the_task_is_kept(loop, region):
    ended: list[Callable[[], object]] = []

    async def main():
        async def hold():
            ended.append(weakref.ref(current_task.running()[0]))
            with region.lock():
                await loop.sleep(0)

        await loop.together(hold)

    loop.run(main)
    gc.collect()
    assert [task() for task in ended] == [None]


def test_a_task_that_is_dropped_lets_go_of_the_lock(region):
    """It awaits what nobody knows any more, and is found by the garbage collector."""

    async def hold():
        with region.lock():
            await asyncio.get_running_loop().create_future()

    async def main():
        asyncio.get_running_loop().set_exception_handler(lambda *_: None)  # it complains
        task = asyncio.create_task(hold())
        await asyncio.sleep(0)
        with REFUSED:
            region.write(record(2))
        del task
        gc.collect()
        region.write(record(3))
        assert region.version == 2

    asyncio.run(main())


@pytest.mark.parametrize("error", [KeyError, asyncio.CancelledError])
def test_a_block_that_raises_gives_it_back(region, error):
    async def hold():
        with region.lock():
            await asyncio.sleep(0)
            raise error

    async def main():
        with pytest.raises(error):
            await asyncio.create_task(hold())
        region.write(record(2))

    asyncio.run(main())


@marks.fork
def test_the_child_of_a_fork_has_nothing_to_do_with_it():
    with typedshm.create("car", Car) as car:

        def in_child(pipe):
            car.write(whole(2), timeout=PATIENCE)
            with car.lock():
                car.write(whole(3))
            return car.version

        async def main():
            with car.lock():
                child = Child(in_child)
                car.write(whole(1))
                await asyncio.sleep(0)
            assert child.join() == 3

        asyncio.run(main())

"""How loops of asyncio and trio are woken: by a descriptor of theirs, which they do not keep beyond their end."""

import asyncio
import gc
import importlib
import os
import select
import sys
import threading
import weakref
from typing import Any

import pytest

import typedshm
from helpers import marks
from helpers.loops import Asyncio
from helpers.peers import PATIENCE, Child, run_script, until
from helpers.shared_types import Record, record
from helpers.threads import InThread
from typedshm import Region
from typedshm.region import loops
from typedshm.testing.inspection import waitsets

pytestmark = marks.not_on_windows("loops wait for sockets there, or for no descriptors at all")


@pytest.fixture
def region() -> Any:
    with typedshm.create("region", Record) as made:
        yield made


def awaited() -> int:
    return sum(len(each.awaited()) for each in waitsets())


def descriptors() -> set[str]:
    """The numbers of this process's open descriptors."""
    return set(os.listdir("/dev/fd"))


def readers_of(loop: Any) -> set[int]:
    """The descriptors that a loop of asyncio waits for."""
    return set(loop._selector.get_map() or ())


async def wake(region: Region[Record]) -> None:
    """Have the running task sleep, and be woken."""
    task = asyncio.ensure_future(region.next(after=region.version, timeout=PATIENCE))
    await Asyncio().until(awaited)
    region.write(record(1))
    await task


def test_all_tasks_of_a_loop_share_one_descriptor(region: Region[Record]) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        before = readers_of(loop)
        tasks = [asyncio.ensure_future(region.next(timeout=PATIENCE)) for _ in range(50)]
        await Asyncio().until(awaited)
        assert len(readers_of(loop) - before) == 1
        region.write(record(1))
        assert {value.a for value in await asyncio.gather(*tasks)} == {1}
        await wake(region)
        assert len(readers_of(loop) - before) == 1

    asyncio.run(main())


def test_no_function_of_python_is_called_in_another_thread(
    region: Region[Record], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise AssertionError("a loop that has a descriptor is woken by it")

    async def main() -> None:
        monkeypatch.setattr(asyncio.get_running_loop(), "call_soon_threadsafe", fail)
        for _ in range(20):
            await wake(region)

    asyncio.run(main())


def test_a_loop_that_takes_no_descriptors_is_called(region: Region[Record], monkeypatch: pytest.MonkeyPatch) -> None:
    """As on Windows, where the default loop raises this very error."""
    calls: list[int] = []

    def refuse(*_: Any) -> None:
        raise NotImplementedError

    async def main() -> None:
        loop = asyncio.get_running_loop()
        soon = loop.call_soon_threadsafe

        def count(*args: Any, **options: Any) -> Any:
            calls.append(1)
            return soon(*args, **options)

        monkeypatch.setattr(loop, "add_reader", refuse)
        monkeypatch.setattr(loop, "call_soon_threadsafe", count)
        for _ in range(5):
            await wake(region)

    asyncio.run(main())
    assert len(calls) == 5


def test_a_task_goes_on_in_the_call_that_wakes_it(region: Region[Record], monkeypatch: pytest.MonkeyPatch) -> None:
    events: list[Any] = []
    hand_out = loops._Reader.hand_out

    def watched(self: Any) -> None:
        events.append("begin")
        hand_out(self)
        events.append("end")

    async def follow() -> None:
        events.append((await region.next(timeout=PATIENCE)).a)

    async def main() -> None:
        tasks = [asyncio.ensure_future(follow()) for _ in range(2)]
        await Asyncio().until(awaited)
        region.write(record(1))
        await asyncio.gather(*tasks)

    monkeypatch.setattr(loops._Reader, "hand_out", watched)
    asyncio.run(main())
    assert events == ["begin", 1, 1, "end"]


def test_a_task_that_ends_the_program_takes_no_wake_up_from_the_others(region: Region[Record]) -> None:
    async def follow(ends: bool) -> int:
        value = await region.next(timeout=PATIENCE)
        if ends:
            sys.exit(3)
        return value.a

    async def begin() -> None:
        tasks.extend(loop.create_task(follow(ends)) for ends in (False, True, False))
        await asyncio.sleep(0)
        await Asyncio().until(awaited)

    tasks: list[asyncio.Task[int]] = []
    loop = asyncio.new_event_loop()
    loop.run_until_complete(begin())
    region.write(record(1))
    with pytest.raises(SystemExit):
        loop.run_until_complete(tasks[1])
    assert [loop.run_until_complete(task) for task in (tasks[0], tasks[2])] == [1, 1]
    loop.close()


def test_a_loop_inside_of_a_task_wakes_in_its_next_round(region: Region[Record]) -> None:
    got: list[int] = []

    async def follow() -> None:
        got.append((await region.next(timeout=PATIENCE)).a)

    async def main() -> None:
        task = asyncio.ensure_future(follow())
        await Asyncio().until(awaited)
        region.write(record(1))
        until(lambda: select.select(readers_of(loop), [], [], 0)[0])
        for reader in loops._readers.of.values():
            found = reader()
            assert found is not None
            found.hand_out()  # as a toolkit's loop does that a task runs
        assert got == []
        await task

    loop = asyncio.new_event_loop()
    loop.run_until_complete(main())
    loop.close()
    assert got == [1]


def test_a_closed_loop_leaves_nothing_behind(region: Region[Record]) -> None:
    asyncio.run(wake(region))
    until(lambda: not awaited())
    gc.collect()
    before = descriptors()
    for _ in range(20):
        loop = asyncio.new_event_loop()
        loop.run_until_complete(wake(region))
        assert len(descriptors()) > len(before)
        kept = loop  # the program's own reference
        loop.close()
        assert descriptors() == before
        assert kept.is_closed()


def test_what_waits_in_a_closed_loop_is_let_go_with_the_next_version(region: Region[Record]) -> None:
    async def follow() -> None:
        async for _ in follower:
            pass

    async def begin() -> None:
        tasks.append(loop.create_task(follow()))
        while not follower._busy or not awaited():
            await asyncio.sleep(0)

    follower, loop, tasks = region.follow(every=True), asyncio.new_event_loop(), list[Any]()
    loop.set_exception_handler(lambda *_: None)  # the task is destroyed while it is pending
    loop.run_until_complete(begin())
    loop.close()
    tasks.clear()
    region.write(record(1))
    until(lambda: not awaited())
    gc.collect()
    assert not follower._busy
    assert next(follower).a == 1


def test_a_loop_is_not_kept(region: Region[Record]) -> None:
    loop = asyncio.new_event_loop()
    loop.run_until_complete(wake(region))
    loop.close()
    gone = weakref.ref(loop)
    del loop
    gc.collect()
    assert gone() is None


def test_loops_in_turn_in_one_thread(region: Region[Record]) -> None:
    one, other = asyncio.new_event_loop(), asyncio.new_event_loop()
    for _ in range(3):
        for loop in (one, other):
            loop.run_until_complete(wake(region))
    for loop in (one, other):
        loop.close()
    asyncio.run(wake(region))
    asyncio.run(wake(region))


def test_loops_in_several_threads(region: Region[Record]) -> None:
    async def follow(ticks: list[int]) -> None:
        async for value in region:
            ticks.append(value.a)

    before, got = descriptors(), [list[int]() for _ in range(5)]
    threads = [InThread(asyncio.run, follow(ticks)) for ticks in got]
    for number in range(1, 100):
        region.write(record(number))
        until(lambda number=number: all(ticks[-1:] == [number] for ticks in got))
    region.close()
    for thread in threads:
        thread.result()
    gc.collect()
    assert len(descriptors()) <= len(before)  # the region's own are closed as well


def test_no_version_is_slept_through(region: Region[Record]) -> None:
    last = 3000

    async def main() -> int:
        seen = 0
        async for value in region.follow(timeout=PATIENCE):
            seen = value.a
            if seen == last:
                break
        return seen

    def write() -> None:
        for number in range(1, last + 1):
            region.write(record(number))

    thread = InThread(write)
    assert asyncio.run(main()) == last
    thread.result()


@marks.fork
def test_a_loop_in_the_child_of_a_fork_has_its_own(region: Region[Record]) -> None:
    def in_child(_: Any) -> bool:
        asyncio.run(wake(region))
        region.close()
        return True

    async def main() -> bool:
        await wake(region)
        task = asyncio.ensure_future(region.next(after=10**6, timeout=PATIENCE))
        await Asyncio().until(awaited)
        asyncio._set_running_loop(None)
        child = Child(in_child)
        asyncio._set_running_loop(task.get_loop())
        done = await asyncio.to_thread(child.join)
        await wake(region)  # the child has taken nothing from this loop
        task.cancel()
        return bool(done)

    assert asyncio.run(main())


def test_without_a_descriptor_left_it_works_the_other_way(
    region: Region[Record], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        raise OSError(24, "too many open files")

    monkeypatch.setattr(loops, "_Reader", fail)
    asyncio.run(wake(region))


def test_uvloop(region: Region[Record]) -> None:
    uvloop = pytest.importorskip("uvloop")
    loop = uvloop.new_event_loop()
    for _ in range(3):
        loop.run_until_complete(wake(region))
    loop.close()


# ---- trio ----------------------------------------------------------------------------------------------------------


async def wake_in_trio(region: Region[Record], count: int = 1) -> None:
    trio = importlib.import_module("trio")
    since = region.version

    async def wait() -> None:
        await region.next(after=since, timeout=PATIENCE)

    async with trio.open_nursery() as nursery:
        for _ in range(count):
            nursery.start_soon(wait)
        while not awaited():
            await trio.sleep(0.001)
        region.write(record(1))


def test_runs_of_trio_one_after_the_other(region: Region[Record]) -> None:
    trio = pytest.importorskip("trio")
    trio.run(wake_in_trio, region)
    before = descriptors()
    for _ in range(5):
        trio.run(wake_in_trio, region, 20)
        gc.collect()
        assert descriptors() <= before | {str(number) for number in range(3)}


def test_tasks_of_trio_share_one_server(region: Region[Record], monkeypatch: pytest.MonkeyPatch) -> None:
    trio = pytest.importorskip("trio")
    made: list[Any] = []
    make = loops._Server

    def note(*args: Any) -> Any:
        made.append(make(*args))
        return made[-1]

    monkeypatch.setattr(loops, "_Server", note)

    async def main() -> None:
        for _ in range(3):
            await wake_in_trio(region, 20)

    trio.run(main)
    (server,) = made
    assert not server.open


# ---- ends ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("then", ["", "loop.close()", "region.close()", "del region, task, loop", "sys.exit(3)"])
def test_an_interpreter_ends_with_a_loop_that_was_woken(then: str) -> None:
    done = run_script(f"""
import asyncio, numpy, sys, warnings, typedshm
region = typedshm.create("record", typedshm.array("f8", 1))
loop = asyncio.new_event_loop()
async def main():
    task = asyncio.ensure_future(region.next(timeout=60))
    await asyncio.sleep(0.01)
    region.write(numpy.ones(1))
    await task
loop.run_until_complete(main())
task = loop.create_task(region.next())
task._log_destroy_pending = False
loop.run_until_complete(asyncio.sleep(0.01))
warnings.simplefilter("ignore", ResourceWarning)  # of the loop that is not closed
{then}
""")
    assert (done.returncode, done.stderr) == (3 * ("exit" in then), "")


def test_threads_of_waitsets_end(region: Region[Record]) -> None:
    asyncio.run(wake(region))
    until(lambda: not any(thread.name == "typedshm waitset" for thread in threading.enumerate()))
    assert sys.is_finalizing() is False

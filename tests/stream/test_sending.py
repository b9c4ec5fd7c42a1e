"""send(): write() for coroutines, which lets the loop run on while it waits for followers, of the same loop as well."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

import typedshm
from helpers.loops import LOOPS, Loop, loop_of
from helpers.peers import PATIENCE
from helpers.shared_types import Record, record
from typedshm import FollowerBehind, MisuseError
from typedshm.testing.inspection import attach_apart

SLOTS = 4


@pytest.fixture(params=LOOPS)
def loop(request: pytest.FixtureRequest) -> Loop:
    return loop_of(request.param)


@pytest.fixture
def region() -> Iterator[typedshm.Region[Record]]:
    with typedshm.create("stream", Record, slots=SLOTS, lossless=True) as region:
        region.timeout = PATIENCE
        yield region


def test_a_task_sends_to_another_of_its_loop(loop: Loop, region: Any) -> None:
    count, got = 5 * SLOTS, []

    async def follow() -> None:
        follower = region.follow(lossless=True, start="oldest", timeout=PATIENCE)
        async for value in follower:
            got.append(value)
            if len(got) == count:
                break
        follower.close()

    async def send() -> None:
        while not region.info().followers:
            await loop.sleep(0)
        for n in range(1, count + 1):
            await region.send(record(n))

    async def main() -> None:
        await loop.together(follow, send)

    loop.run(main)
    assert got == [record(n) for n in range(1, count + 1)]


def test_the_loop_runs_while_send_waits_and_its_time_ends(loop: Loop, region: Any) -> None:
    follower = region.follow(lossless=True)
    for n in range(1, SLOTS + 1):
        region.write(record(n))
    turns = []

    async def count() -> None:
        while not turns or turns[-1] != "over":
            turns.append("turn")
            await loop.sleep(0)

    async def send() -> None:
        with pytest.raises(FollowerBehind, match=r"a follower in this process.*4 versions behind") as caught:
            await region.send(record(9), timeout=0.05)
        assert caught.value.behind == SLOTS
        turns.append("over")

    async def main() -> None:
        await loop.together(count, send)

    loop.run(main)
    assert len(turns) > 3
    assert (region.version, follower.pending) == (SLOTS, SLOTS)


def test_a_send_that_is_cancelled_has_published_nothing(loop: Loop, region: Any) -> None:
    follower = region.follow(lossless=True)
    for n in range(1, SLOTS + 1):
        region.write(record(n))
    begun = []

    async def send() -> None:
        begun.append(True)
        await region.send(record(9))

    async def main() -> None:
        await loop.cancel(send, lambda: begun)

    loop.run(main)
    assert next(follower) == record(1)
    follower.done()
    assert region.version == SLOTS


def test_another_writer_s_lock_is_waited_for_as_well(loop: Loop, region: Any) -> None:
    with attach_apart("stream", Record) as other, other.lock():

        async def main() -> None:
            with pytest.raises(typedshm.Timeout, match="writers' lock"):
                await region.send(record(1), timeout=0.02)

        loop.run(main)
    assert region.version == 0


def test_it_writes_to_any_region_and_takes_what_write_takes(loop: Loop) -> None:
    with typedshm.create("plain", Record) as region:

        async def main() -> None:
            for n in range(1, 10):
                await region.send(record(n))
            with pytest.raises(typedshm.FieldTypeError):
                await region.send(17)  # type: ignore[arg-type]

        loop.run(main)
        assert region.read() == record(9)
        with typedshm.attach("plain", Record, readonly=True) as reader:

            async def refused() -> None:
                with pytest.raises(typedshm.RegionRefused):
                    await reader.send(record(1))

            loop.run(refused)
        region.close()

        async def closed() -> None:
            with pytest.raises(typedshm.Closed):
                await region.send(record(1))

        loop.run(closed)


def test_outside_of_a_task_it_is_refused(region: Any) -> None:
    with pytest.raises(MisuseError, match="expected a task of asyncio or trio"):
        region.send(record(1)).send(None)
    assert region.version == 0
    asyncio.run(region.send(record(1)))
    assert region.version == 1

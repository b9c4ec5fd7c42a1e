"""follow(lossless=True): places, positions, and who holds writers up."""

import copy
import gc
import os
import pickle
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

import typedshm
from helpers.loops import LOOPS, loop_of
from helpers.peers import FORKS, Child, quiet_fork, until
from helpers.shared_types import Record, record
from helpers.wire import FOLLOWER, Wire
from typedshm import RegionFull, RegionRefused, array
from typedshm.testing.inspection import attach_apart

SLOTS = 64


@pytest.fixture
def region() -> Iterator[typedshm.Region[Record]]:
    with typedshm.create("stream", Record, slots=SLOTS, lossless=True) as region:
        region.timeout = 0
        yield region


@pytest.fixture
def wire(region: typedshm.Region[Record]) -> Iterator[Wire]:
    with Wire("stream") as wire:
        yield wire


def write(region: typedshm.Region[Record], *numbers: int) -> None:
    for n in numbers:
        region.write(record(n))


def used(wire: Wire) -> list[int]:
    return [place for place in range(48) if wire.control.followers >> place & 1]


def test_it_begins_with_what_is_published_next(region: typedshm.Region[Record], wire: Wire) -> None:
    write(region, 1, 2, 3)
    follower = region.follow(lossless=True)
    write(region, 4, 5)
    assert [t.a for t in follower.drain()] == [4, 5]
    assert (follower.version, follower.dropped) == (5, 0)
    place = wire.lossless.places[used(wire)[0]]
    assert (place.role, place.name, place.keep) == (FOLLOWER, b"", 0)


@pytest.mark.parametrize(("start", "first"), [("oldest", 1), ("newest", 5), (3, 3), (-2, 3), ("next", 6)])
def test_where_it_starts(region: typedshm.Region[Record], start: Any, first: int) -> None:
    write(region, 1, 2, 3, 4, 5)
    follower = region.follow(lossless=True, start=start)
    write(region, 6)
    assert [t.a for t in follower.drain()] == list(range(first, 7))
    assert follower.dropped == 0


def test_a_number_that_is_gone_is_missed_and_counted(region: typedshm.Region[Record]) -> None:
    write(region, *range(1, 2 * SLOTS + 1))
    follower = region.follow(lossless=True, start=1)
    oldest = SLOTS + 1
    assert (next(follower).a, follower.dropped) == (oldest, oldest - 1)


def test_a_version_counts_as_got_when_the_next_is_asked_for(region: typedshm.Region[Record], wire: Wire) -> None:
    follower = region.follow(lossless=True)
    place = wire.lossless.places[used(wire)[0]]
    write(region, *range(1, 10))
    assert (next(follower).a, place.position) == (1, 0)
    assert (next(follower).a, place.position) == (2, 1)
    follower.done()
    assert place.position == 2
    follower.done()
    assert [t.a for t in follower.drain(most=3)] == [3, 4, 5]
    assert place.position == 2
    assert (follower.poll(), place.position) == (record(6), 5)
    (info,) = region.info().followers
    assert (info.kind, info.name, info.behind, info.process, info.kept_until) == ("follower", "", 4, os.getpid(), None)
    follower.close()
    assert (place.position, place.owner) == (6, 0)


def test_what_is_left_by_an_error_is_not_counted(region: typedshm.Region[Record], wire: Wire) -> None:
    def work() -> None:
        with region.follow(lossless=True, start="oldest") as follower:
            next(follower)
            raise KeyError

    write(region, 1, 2)
    with pytest.raises(KeyError):
        work()
    place = wire.lossless.places[used(wire)[0]]
    assert (place.position, place.owner) == (0, 0)


def test_a_follower_that_was_dropped_leaves_its_place(region: typedshm.Region[Record], wire: Wire) -> None:
    follower = region.follow(lossless=True)
    place = wire.lossless.places[used(wire)[0]]
    assert place.owner
    del follower
    gc.collect()
    assert place.owner == 0


def test_closing_the_handle_leaves_the_places_of_its_followers(region: typedshm.Region[Record], wire: Wire) -> None:
    with typedshm.attach("stream", Record) as other:
        theirs = other.follow(lossless=True)
        ours = region.follow(lossless=True)
        first, second = (wire.lossless.places[place] for place in used(wire))
        other.close()
        assert (first.owner, second.owner != 0) == (0, True)
        assert (theirs.closed, list(theirs), ours.closed) == (True, [], False)


def test_places_of_those_who_are_gone_are_given_to_others(region: typedshm.Region[Record], wire: Wire) -> None:
    for _ in range(100):
        region.follow(lossless=True).close()
    followers = [region.follow(lossless=True) for _ in range(48)]
    with pytest.raises(RegionFull, match=r"all 48 places .* \(this process\); close some") as caught:
        region.follow(lossless=True)
    assert isinstance(caught.value, OSError)
    followers.pop().close()
    region.follow(lossless=True).close()
    assert len(used(wire)) == 48


def test_refusals_name_the_remedy(region: typedshm.Region[Record]) -> None:
    with (
        typedshm.create("plain", Record) as plain,
        pytest.raises(RegionRefused, match=r"create\(\.\.\., lossless=True\)"),
    ):
        plain.follow(lossless=True)
    with (
        typedshm.attach("stream", Record, readonly=True) as reader,
        pytest.raises(RegionRefused, match="without readonly=True"),
    ):
        reader.follow(name="x")
    assert not region.info().followers


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"name": "a", "group": "b"}, "found both"),
        ({"redeliver": True}, "group= beside redeliver=True"),
        ({"keep": 1}, "name= or group= beside keep="),
        ({"name": ""}, "name of 1 to 63 bytes"),
        ({"name": "x" * 64}, "name of 1 to 63 bytes"),
        ({"group": "é" * 32}, "name of 1 to 63 bytes"),
        ({"name": "a\0b"}, "name of 1 to 63 bytes"),
        ({"name": "a", "keep": -1}, "keep: expected seconds"),
    ],
)
def test_what_cannot_be_registered(region: typedshm.Region[Record], options: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words.replace("(", r"\(")):
        region.follow(**options)
    assert not region.info().followers


def test_versions_are_borrowed_in_their_slots() -> None:
    with typedshm.create("levels", array(np.uint8, 16), slots=8, lossless=True) as region:
        follower = region.follow(lossless=True, borrow=True, timeout=0)
        for n in range(4):
            region.write(np.full(16, n, np.uint8))
        for n, level in enumerate(follower):
            assert int(level[0]) == n
            if n == 3:
                break
        assert region.info().copies == 0


def test_a_pinned_version_stays_after_it_was_counted() -> None:
    with typedshm.create("levels", array(np.uint8, 16), slots=5, lossless=True) as region:
        follower = region.follow(lossless=True, borrow=True, timeout=0)
        region.write(np.full(16, 0, np.uint8))
        region.write(np.full(16, 1, np.uint8))
        kept = next(follower)
        assert region.info().pinned == 1
        for n in range(2, 30):
            assert int(next(follower)[0]) == n - 1
            region.write(np.full(16, n, np.uint8))
            assert int(kept[0]) == 0
        assert follower.dropped == 0


def test_numbers_that_were_passed_over_are_not_missed() -> None:
    with typedshm.create("stream", Record, slots=5, lossless=True) as region:
        write(region, 1)
        follower = region.follow(lossless=True, timeout=0)
        with region.borrow():
            for n in range(2, 40):
                write(region, n)
                if n % 2:
                    assert [t.a for t in follower.drain()] == [n - 1, n]
        assert follower.dropped == 0


@pytest.mark.parametrize("loop", LOOPS)
def test_coroutines_follow_too(loop: str) -> None:
    events = loop_of(loop)

    async def main() -> None:
        with typedshm.create("stream", Record, slots=SLOTS, lossless=True) as region:
            follower, got = region.follow(lossless=True, timeout=60), list[int]()

            async def read() -> None:
                async for t in follower:
                    got.append(t.a)

            async def publish() -> None:
                for n in range(1, 21):
                    region.write(record(n))
                    if n % 5 == 0:
                        await events.until(lambda n=n: got[-1:] == [n])  # type: ignore[misc]
                region.close()

            await events.together(read, publish)
            assert got == list(range(1, 21))

    events.run(main)


def follow_and_stay(pipe: Any) -> None:
    with typedshm.attach("stream", Record) as region:
        follower = region.follow(lossless=True, start="oldest")
        pipe.send(next(follower).a)
        pipe.recv()


def test_another_process_and_its_death(region: typedshm.Region[Record], wire: Wire) -> None:
    write(region, 1, 2)
    with Child(follow_and_stay) as child:
        assert child.receive() == 1
        (info,) = region.info().followers
        assert info.process is not None
        assert (info.behind, info.process != os.getpid()) == (2, True)
        child.kill()
    (info,) = region.info().followers
    assert (info.process, len(used(wire))) == (None, 1)


@pytest.mark.skipif(not FORKS, reason="takes os.fork()")
def test_the_child_of_a_fork_has_no_part_in_it(region: typedshm.Region[Record], wire: Wire) -> None:
    follower = region.follow(lossless=True)
    place = wire.lossless.places[used(wire)[0]]
    write(region, 1, 2)
    assert next(follower).a == 1
    owner, position = place.owner, place.position
    reading, writing = os.pipe()
    if not (pid := quiet_fork()):
        words = ""
        for verb in (follower.poll, follower.drain, follower.done, lambda: next(follower)):
            try:
                verb()
            except typedshm.MisuseError as error:
                words += str(error)[-34:]
        follower.close()
        del follower
        gc.collect()
        os.write(writing, words.encode())
        os._exit(0)
    os.waitpid(pid, 0)
    assert os.read(reading, 1000) == b"process; call follow() in this child"[-34:] * 4
    os.close(reading)
    os.close(writing)
    assert (place.owner, place.position) == (owner, position)
    assert next(follower).a == 2


def test_a_place_that_was_taken_away_is_told(region: typedshm.Region[Record], wire: Wire) -> None:
    follower = region.follow(lossless=True)
    write(region, 1)
    wire.lossless.places[used(wire)[0]].owner = 0
    for verb in (follower.poll, follower.done):
        with pytest.raises(typedshm.RegionLost, match="no place for this follower"):
            verb()


def test_it_registers_anew_in_the_next_region_of_the_name() -> None:
    first = typedshm.create("stream", Record, slots=8, lossless=True)
    with attach_apart("stream", Record) as reader:
        follower = reader.follow(name="n", reattach=True, timeout=60)
        first.write(record(1))
        assert next(follower).a == 1
        typedshm.unlink("stream")
        first.close()
        with typedshm.create("stream", Record, slots=8, lossless=True) as second:
            second.write(record(5))
            second.write(record(6))
            assert [next(follower).a for _ in range(2)] == [5, 6]
            (info,) = second.info().followers
            assert (info.name, follower.reattached) == ("n", 1)
            follower.close()


def test_it_does_not_go_on_in_a_region_that_may_miss() -> None:
    first = typedshm.create("stream", Record, slots=8, lossless=True)
    with attach_apart("stream", Record) as reader:
        follower = reader.follow(lossless=True, reattach=True, timeout=60)
        first.write(record(1))
        assert next(follower).a == 1
        typedshm.unlink("stream")
        first.close()
        with typedshm.create("stream", Record) as second:
            second.write(record(2))
            for _ in range(2):
                with pytest.raises(RegionRefused, match=r"create\(\.\.\., lossless=True\)"):
                    next(follower)
            assert (follower.region, follower.version, follower.reattached) == (reader, 1, 0)
            typedshm.unlink("stream")
        with typedshm.create("stream", Record, slots=8, lossless=True) as third:
            third.write(record(3))
            assert (next(follower).a, follower.reattached) == (3, 1)


def test_it_does_not_go_on_by_a_name_that_another_has() -> None:
    first = typedshm.create("stream", Record, slots=8, lossless=True)
    with attach_apart("stream", Record) as reader:
        follower = reader.follow(name="n", reattach=True, timeout=60)
        typedshm.unlink("stream")
        first.close()
        with typedshm.create("stream", Record, slots=8, lossless=True) as second:
            other = second.follow(name="n")
            second.write(record(2))
            for _ in range(2):
                with pytest.raises(typedshm.FollowerExists):
                    next(follower)
            other.close()  # it has not got anything
            assert (next(follower).a, follower.reattached) == (2, 1)


@pytest.mark.parametrize("lossless", [False, True])
def test_it_yields_nothing_after_a_block_of_another_thread_s_that_failed(lossless: bool) -> None:
    with typedshm.create("stream", Record, slots=4, lossless=True) as region:
        follower = region.follow(every=True, lossless=lossless, start="next")
        with ThreadPoolExecutor(1) as pool:
            rest = pool.submit(list, follower)
            until(lambda: follower._busy)
            with pytest.raises(KeyError), follower:
                raise KeyError
            write(region, *range(8))  # which waits for nobody
            assert rest.result(60) == []


@pytest.mark.parametrize("loop", LOOPS)
def test_a_task_gets_nothing_after_a_block_of_another_s_that_failed(loop: str) -> None:
    events = loop_of(loop)

    async def main() -> None:
        with typedshm.create("stream", Record, slots=4, lossless=True) as region:
            follower, got = region.follow(lossless=True), list[int]()

            async def read() -> None:
                async for t in follower:
                    got.append(t.a)

            async def fail() -> None:
                await events.until(lambda: follower._busy)
                with pytest.raises(KeyError), follower:
                    raise KeyError
                write(region, *range(8))

            await events.together(read, fail)
            assert got == []

    events.run(main)


def test_it_cannot_be_copied_or_pickled(region: typedshm.Region[Record]) -> None:
    follower = region.follow(lossless=True)
    for copying in (copy.copy, copy.deepcopy, pickle.dumps):
        with pytest.raises(TypeError, match=r"belongs to its process .* call follow\(\) there"):
            copying(follower)

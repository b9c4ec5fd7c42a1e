"""until_gone=True: what is there is delivered, then the reader is told that nobody is left to publish."""

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import typedshm
from helpers.loops import LOOPS, loop_of
from helpers.peers import PATIENCE, Child
from helpers.shared_types import Record, record
from helpers.threads import InThread
from helpers.wire import WORD_GENERATION, Wire
from typedshm import PublisherGone
from typedshm.memory.attachment import close_all
from typedshm.testing.inspection import attach_apart

GONE = r"^region 'car' has no publisher any more"


def publish(pipe: Any, versions: int, exclusive: bool = False) -> None:
    """Publish some versions, and stay until told to close; then until told to end."""
    close_all()  # what a fork has inherited: this process is to have one handle
    region = typedshm.attach("car", Record, exclusive=exclusive)
    for number in range(1, versions + 1):
        region.write(record(number))
    pipe.send("published")
    pipe.recv()
    region.close()
    pipe.send("closed")
    pipe.recv()


def killed(versions: int, exclusive: bool = False) -> None:
    """Let a process publish, and kill it."""
    with Child(publish, versions, exclusive) as child:
        child.expect("published")
        child.kill()


@pytest.fixture(params=[False, True], ids=["writable", "readonly"])
def region(request: pytest.FixtureRequest) -> Iterator[typedshm.Region[Record]]:
    """A handle that watches; it has never written."""
    with (
        typedshm.create("car", Record, slots=8),
        typedshm.attach("car", Record, readonly=request.param) as region,
    ):
        yield region


# ---- the ways to wait ----------------------------------------------------------------------------------------------

Wait = Callable[..., Any]
"""Returns the next version, or the newest if that is above the last one."""


def by_wait(region: typedshm.Region[Record]) -> Wait:
    seen = region.version
    return lambda **options: region.wait(after=seen, **options)


def by_loop(region: typedshm.Region[Record]) -> Wait:
    return lambda **options: next(region.follow(start="next", **options))


def by_task(name: str) -> Callable[[typedshm.Region[Record]], Wait]:
    def by_next(region: typedshm.Region[Record]) -> Wait:
        loop, seen = loop_of(name), region.version

        async def one(options: Any) -> Any:
            return await region.next(after=seen, **options)

        return lambda **options: loop.run(lambda: one(options))

    return by_next


def by_async_loop(region: typedshm.Region[Record]) -> Wait:
    async def one(options: Any) -> Any:
        return await anext(region.follow(start="next", **options))

    return lambda **options: loop_of("asyncio").run(lambda: one(options))


WAYS = {"wait": by_wait, "for": by_loop, "async for": by_async_loop, **{name: by_task(name) for name in LOOPS}}
of_all_ways = pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)


@of_all_ways
def test_it_waits_while_nobody_has_ever_published(way: Callable[[Any], Wait], region: typedshm.Region[Record]) -> None:
    with pytest.raises(typedshm.Timeout):
        way(region)(until_gone=True, timeout=0.3)


@of_all_ways
def test_a_death_is_told_to_who_waits(way: Callable[[Any], Wait], region: typedshm.Region[Record]) -> None:
    with Child(publish, 3) as child:
        child.expect("published")
        assert region.wait(until_gone=True).a == 3
        wait = way(region)
        with pytest.raises(typedshm.Timeout):
            wait(until_gone=True, timeout=0.2)  # it lives
        waiting = InThread(wait, until_gone=True)
        child.kill()
        with pytest.raises(PublisherGone, match=GONE) as caught:
            waiting.result()
    assert isinstance(caught.value, ConnectionError)


@of_all_ways
def test_without_it_a_death_is_not_told(way: Callable[[Any], Wait], region: typedshm.Region[Record]) -> None:
    killed(3)
    region.wait()
    with pytest.raises(typedshm.Timeout):
        way(region)(timeout=0.3)


@of_all_ways
def test_a_publisher_that_has_closed_is_gone_too(way: Callable[[Any], Wait], region: typedshm.Region[Record]) -> None:
    with Child(publish, 1) as child:
        child.expect("published")
        region.wait()
        child.send()
        child.expect("closed")
        with pytest.raises(PublisherGone, match=GONE):
            way(region)(until_gone=True)
        child.send()


@of_all_ways
def test_an_exclusive_publisher_counts_before_it_has_written(
    way: Callable[[Any], Wait], region: typedshm.Region[Record]
) -> None:
    with Child(publish, 0, True) as child:
        child.expect("published")
        wait = way(region)
        with pytest.raises(typedshm.Timeout):
            wait(until_gone=True, timeout=0.2)
        child.kill()
        with pytest.raises(PublisherGone, match=GONE):
            wait(until_gone=True)


@of_all_ways
def test_who_publishes_next_is_waited_for_again(way: Callable[[Any], Wait], region: typedshm.Region[Record]) -> None:
    killed(1)
    region.wait()
    with pytest.raises(PublisherGone):
        way(region)(until_gone=True)
    with Child(publish, 1) as child:
        child.expect("published")
        with pytest.raises(typedshm.Timeout):
            way(region)(until_gone=True, timeout=0.2)
        child.kill()


# ---- everything is delivered first ---------------------------------------------------------------------------------


def test_a_follower_gets_all_that_was_published_before_it_is_told(region: typedshm.Region[Record]) -> None:
    killed(5)
    follower = region.follow(every=True, start="oldest", until_gone=True)
    seen: list[int] = []
    with pytest.raises(PublisherGone, match=GONE):
        seen.extend(int(t.a) for t in follower)
    assert seen == [1, 2, 3, 4, 5]
    killed(2)
    with pytest.raises(PublisherGone, match=GONE):
        seen.extend(int(t.a) for t in follower)
    assert seen == [1, 2, 3, 4, 5, 1, 2]


@pytest.mark.parametrize("name", LOOPS)
def test_a_follower_in_a_task_gets_all_of_it(name: str, region: typedshm.Region[Record]) -> None:
    killed(5)
    seen: list[int] = []

    async def follow() -> None:
        with contextlib.suppress(PublisherGone):
            async for t in region.follow(every=True, start="oldest", until_gone=True):
                seen.append(int(t.a))

    loop_of(name).run(follow)
    assert seen == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("options", [{"lossless": True}, {"group": "workers"}, {"name": "log"}], ids=str)
@pytest.mark.parametrize("in_task", [False, True])
def test_followers_that_writers_wait_for_are_told_as_well(options: dict[str, Any], in_task: bool) -> None:
    with typedshm.create("car", Record, lossless=True) as region:
        follower, seen = region.follow(until_gone=True, start="next", **options), list[int]()
        killed(5)

        async def follow() -> None:
            async for t in follower:
                seen.append(int(t.a))

        def loop() -> None:
            for t in follower:
                seen.append(int(t.a))  # the loop raises

        with follower, pytest.raises(PublisherGone, match=GONE):
            loop_of("asyncio").run(follow) if in_task else loop()
        assert seen == [1, 2, 3, 4, 5]


def test_a_last_version_that_came_beside_the_question_is_delivered(region: typedshm.Region[Record]) -> None:
    """Who dies just after it has published: the death is seen first, the version is there nevertheless."""
    answers: list[bool] = []

    def gone() -> bool:
        answers.append(True)
        if len(answers) == 2:
            with attach_apart("car", Record) as last:
                last.write(record(7))
        return True

    vars(region)["_publisher_is_gone"] = gone
    assert region.wait(until_gone=True).a == 7
    assert len(answers) == 2
    with pytest.raises(PublisherGone):
        region.wait(until_gone=True)


@pytest.mark.parametrize("way", [by_wait, by_task("asyncio"), by_task("trio")])
def test_one_answer_is_not_believed(way: Callable[[Any], Wait], region: typedshm.Region[Record]) -> None:
    """A hot standby takes over in between."""
    answers = iter([True, False, True, False, False, True, True])
    vars(region)["_publisher_is_gone"] = lambda: next(answers)
    with pytest.raises(PublisherGone):
        way(region)(until_gone=True)
    assert list(answers) == []


def test_nobody_is_asked_while_there_is_news(region: typedshm.Region[Record]) -> None:
    asked: list[int] = []
    vars(region)["_publisher_is_gone"] = lambda: bool(asked.append(1))
    with attach_apart("car", Record) as publisher:
        follower, seen = region.follow(until_gone=True), []
        for number in range(1, 200):
            publisher.write(record(number))
            assert region.wait(until_gone=True).a == number
            seen.append(next(follower).a)

            async def main() -> Any:
                return await region.next(until_gone=True)

            assert loop_of("asyncio").run(main).a == number
    assert (asked, seen) == ([], [*range(1, 200)])


def test_a_standby_that_takes_over_is_followed() -> None:
    """The publisher is killed again and again; who follows gets the next one's versions, and at the end is told.

    A standby that the system runs only after 80 ms and more, as on a busy machine, is too late to go unnoticed; so the
    loop is continued as long as there is one.
    """
    with typedshm.create("car", Record, slots=1024) as region:
        crew = [Child(publish_as_standby, "car") for _ in range(3)]
        seen: list[int] = []
        follower = region.follow(every=True, until_gone=True, timeout=PATIENCE)
        while crew:
            with contextlib.suppress(PublisherGone):
                seen.append(int(next(follower).a))
            publisher = next((child for child in crew if seen and child.pid == seen[-1]), None)
            if publisher is not None:
                publisher.kill()
                crew.remove(publisher)
        with pytest.raises(PublisherGone):
            seen.extend(int(t.a) for t in follower)
        assert len(set(seen)) == 3


def publish_as_standby(pipe: Any, name: str) -> None:
    del pipe
    close_all()
    with typedshm.attach(name, Record, exclusive=True, timeout=None) as region:
        while True:
            region.write(record(os.getpid()))
            time.sleep(0.001)


# ---- who counts ----------------------------------------------------------------------------------------------------


def test_one_that_lives_is_enough(region: typedshm.Region[Record]) -> None:
    with attach_apart("car", Record) as other:
        other.write(record(1))
        killed(1)
        region.read()
        with pytest.raises(typedshm.Timeout):
            region.wait(until_gone=True, timeout=0.3, after=region.version)
    with pytest.raises(PublisherGone):
        region.wait(until_gone=True, after=region.version)


def test_versions_that_nobody_alive_has_written_count(tmp_path: Any) -> None:
    """Of a region in a file, whose processes have all gone long ago."""
    with typedshm.create(tmp_path / "car", Record) as region:
        region.write(record(1))
    with typedshm.attach(tmp_path / "car", Record) as region:
        assert region.wait(until_gone=True).a == 1
        with pytest.raises(PublisherGone):
            region.wait(until_gone=True)


def test_readers_do_not_count(region: typedshm.Region[Record]) -> None:
    killed(1)
    with attach_apart("car", Record), pytest.raises(PublisherGone):
        region.wait(until_gone=True, after=1)


@pytest.mark.parametrize("word", [0xFFF, 2**64 - 1, 513, 3 + 7 * WORD_GENERATION])
def test_words_that_name_nobody_are_as_good_as_a_dead_publisher(word: int) -> None:
    with typedshm.create("car", Record) as region, Wire("car") as wire:
        wire.control.exclusive = word
        with pytest.raises(PublisherGone):
            region.wait(until_gone=True)


def test_a_region_without_a_publisher_still_tells_that_it_was_replaced(region: typedshm.Region[Record]) -> None:
    """The name is looked at, too, and says more."""
    killed(1)
    region.read()
    waiting = InThread(region.wait, after=region.version, timeout=PATIENCE)
    typedshm.unlink("car")
    with typedshm.create("car", Record), pytest.raises(typedshm.RegionReplaced):
        waiting.result()


def test_the_time_may_be_over_first(region: typedshm.Region[Record]) -> None:
    killed(1)
    region.read()
    with pytest.raises(typedshm.Timeout):
        region.wait(until_gone=True, timeout=0.001, after=region.version)


def test_close_ends_it(region: typedshm.Region[Record]) -> None:
    with attach_apart("car", Record) as other:
        other.write(record(1))
        waiting = InThread(region.wait, after=1, until_gone=True)
        region.close()
        with pytest.raises(typedshm.Closed):
            waiting.result()


# ---- beside others -------------------------------------------------------------------------------------------------


def by_wait_any(follower: Any) -> None:
    typedshm.wait_any([follower], timeout=PATIENCE)


def by_wait_all(follower: Any) -> None:
    typedshm.wait_all([follower], timeout=PATIENCE)


def by_notifier(follower: Any) -> None:
    with typedshm.Notifier(follower) as notifier:
        notifier.wait(timeout=PATIENCE)


ONE_OF_SEVERAL = [by_wait_any, by_wait_all, by_notifier]


@pytest.mark.parametrize("wait", ONE_OF_SEVERAL)
def test_a_follower_among_others_delivers_and_then_tells(region: typedshm.Region[Record], wait: Any) -> None:
    killed(1)
    with region.follow(until_gone=True) as follower:
        wait(follower)
        assert next(follower).a == 1
        with pytest.raises(PublisherGone, match=GONE):
            wait(follower)


def test_wait_any_among_others_tells_while_they_have_nothing(region: typedshm.Region[Record]) -> None:
    with typedshm.create("other", Record) as other, Child(publish, 1) as child:
        child.expect("published")
        with region.follow(until_gone=True, start="next") as follower:
            waiting = InThread(typedshm.wait_any, [other, follower], timeout=PATIENCE)
            child.kill()
            with pytest.raises(PublisherGone):
                waiting.result()


def test_a_notifier_goes_on_with_others_after_it_has_said_so_once(region: typedshm.Region[Record]) -> None:
    killed(1)
    with (
        typedshm.create("other", Record) as other,
        region.follow(until_gone=True, start="next") as follower,
        typedshm.Notifier(other, follower) as notifier,
    ):
        with pytest.raises(PublisherGone):
            notifier.wait(timeout=PATIENCE)
        assert notifier.sources == [other]
        with attach_apart("other", Record) as again:
            again.write(record(2))
        assert notifier.wait(timeout=PATIENCE) == [other]


@pytest.mark.parametrize("wait", ONE_OF_SEVERAL)
def test_a_follower_among_others_waits_while_one_lives(region: typedshm.Region[Record], wait: Any) -> None:
    with attach_apart("car", Record) as other:
        other.write(record(1))
        killed(1)
        with region.follow(until_gone=True, start="next") as follower:
            waiting = InThread(wait, follower)
            other.write(record(5))
            waiting.result()
            assert next(follower).a == 5


def test_a_follower_that_does_not_ask_is_not_told(region: typedshm.Region[Record]) -> None:
    killed(1)
    with region.follow(start="next") as follower, pytest.raises(typedshm.Timeout):
        typedshm.wait_any([follower], timeout=0.3)

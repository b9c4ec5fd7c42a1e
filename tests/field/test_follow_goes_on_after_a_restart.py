"""follow(reattach=True): a loop that goes on when its region is made anew, in threads and in coroutines."""

import gc
import os
import threading
from pathlib import Path
from typing import Any

import pytest

import typedshm
from helpers import marks
from helpers.loops import LOOPS, loop_of
from helpers.peers import PATIENCE, until
from helpers.shared_types import V1, V2, Record
from helpers.threads import InThread
from typedshm.testing.inspection import attach_apart


@pytest.fixture(params=["named", "file"])
def name(request: pytest.FixtureRequest, tmp_path: Path) -> str | Path:
    return "region" if request.param == "named" else tmp_path / "region"


def make_anew(name: Any, schema: Any) -> "typedshm.Region[Any]":
    typedshm.unlink(name)
    return typedshm.create(name, schema, slots=8)


@pytest.mark.parametrize("readonly", [False, True])
def test_the_loop_goes_on_with_the_next_region(name: Any, readonly: bool) -> None:
    with typedshm.create(name, V1) as first, attach_apart(name, V1, readonly=readonly) as reader:
        first.write(V1(tick=1))
        follower = reader.follow(reattach=True, timeout=PATIENCE)
        assert next(follower) == V1(tick=1)
        assert (follower.region, follower.reattached, follower.version) == (reader, 0, 1)
        instance = follower.instance
        with make_anew(name, V1) as second:
            second.write(V1(tick=10))
            assert next(follower) == V1(tick=10)
            assert (follower.reattached, follower.version, follower.dropped) == (1, 1, 0)
            assert follower.instance == second.info().instance != instance
            assert follower.region is not reader
            assert follower.region.readonly == readonly  # type: ignore[attr-defined]
            assert not reader.closed
            with make_anew(name, V1) as third:
                before = follower.region
                third.write(V1(tick=20))
                assert next(follower) == V1(tick=20)
                assert before.closed, "the handles between are the follower's own"
                assert follower.reattached == 2


def test_every_version_is_had_of_the_old_region_and_then_of_the_new_one(name: Any) -> None:
    with typedshm.create(name, V1, slots=8) as first, attach_apart(name, V1) as reader:
        follower = reader.follow(every=True, start="oldest", reattach=True, timeout=PATIENCE)
        for n in range(4):
            first.write(V1(tick=n))
        with make_anew(name, V1) as second:
            for n in range(4, 8):
                second.write(V1(tick=n))
            assert [next(follower).tick for _ in range(8)] == list(range(8))
            assert (follower.version, follower.dropped, reader.dropped) == (4, 0, 0)


def test_missed_versions_of_the_new_region_are_counted(name: Any) -> None:
    with typedshm.create(name, V1) as first, attach_apart(name, V1) as reader:
        first.write(V1(tick=1))
        follower = reader.follow(every=True, reattach=True, timeout=PATIENCE)
        next(follower)
        typedshm.unlink(name)
        with typedshm.create(name, V1, slots=2) as second:
            for n in range(5):
                second.write(V1(tick=n))
            value = next(follower)
            assert value.tick == typedshm.version_of(value) - 1
            assert follower.dropped == reader.dropped == value.tick


def test_borrowed_views_go_on_too(name: Any) -> None:
    with typedshm.create(name, V1) as first, attach_apart(name, V1) as reader:
        first.write(V1(tick=1))
        follower = reader.follow(borrow=True, reattach=True, timeout=PATIENCE)
        assert next(follower).tick == 1
        with make_anew(name, V1) as second:
            second.write(V1(tick=2))
            assert next(follower).tick == 2
        del follower
        gc.collect()


def test_a_name_that_leads_nowhere_for_a_time_is_waited_for(name: Any) -> None:
    with typedshm.create(name, V1), attach_apart(name, V1) as reader:
        follower = reader.follow(reattach=True, timeout=PATIENCE)
        waiting = InThread(next, follower)
        typedshm.unlink(name)
        until(lambda: reader.info().unlinked)
        with typedshm.create(name, V1) as second:
            second.write(V1(tick=2))
            assert waiting.result().tick == 2


def test_a_handle_without_a_class_takes_the_new_layout_and_one_with_a_class_refuses_it(name: Any) -> None:
    with typedshm.create(name, V1), attach_apart(name) as loose, attach_apart(name, V1) as typed:
        following = loose.follow(reattach=True, timeout=PATIENCE)
        strict = typed.follow(reattach=True, timeout=PATIENCE)
        with make_anew(name, V2) as second:
            second.write(V2(tick=2, speed=1.5))
            assert next(following).speed == 1.5
            assert next(strict) == V1(tick=2), "its fields are the first of the new layout"
            with make_anew(name, Record):
                for _ in range(2):
                    with pytest.raises(typedshm.LayoutMismatch, match="tick"):
                        next(strict)


def test_the_timeout_is_that_of_a_step_however_many_regions_there_are(name: Any) -> None:
    with typedshm.create(name, V1), attach_apart(name, V1) as reader:
        follower = reader.follow(reattach=True, timeout=0.15)
        with make_anew(name, V1), pytest.raises(typedshm.Timeout):
            next(follower)
        with pytest.raises(typedshm.Timeout):
            next(follower)


def test_a_name_that_never_comes_to_rest_does_not_outlast_the_timeout(name: Any) -> None:
    with typedshm.create(name, V1), attach_apart(name, V1) as reader:
        follower = reader.follow(reattach=True, timeout=0.5)
        waiting = InThread(next, follower)
        region: Any = None

        def over() -> bool:
            nonlocal region
            seen = follower.reattached
            before, region = region, make_anew(name, V1)
            if before is not None:
                before.close()
            until(lambda: follower.reattached > seen or not waiting.is_alive())
            return not waiting.is_alive()

        until(over)
        with pytest.raises(typedshm.Timeout):
            waiting.result()
        if region is not None:
            region.close()


@pytest.mark.parametrize("moved", [False, True])
def test_the_loop_ends_when_the_handle_is_closed(name: Any, moved: bool) -> None:
    first, reader = typedshm.create(name, V1), attach_apart(name, V1)
    first.write(V1(tick=1))
    follower = reader.follow(reattach=True)
    next(follower)
    second = make_anew(name, V1)
    if moved:
        second.write(V1(tick=2))
        next(follower)
    waiting = InThread(list, follower)
    until(lambda: follower._busy or not waiting.is_alive())
    reader.close()
    assert waiting.result() == []
    assert follower.region.closed
    for region in (first, second):
        region.close()


@pytest.mark.parametrize("loop", LOOPS)
def test_coroutines_go_on_too(loop: str) -> None:
    events = loop_of(loop)
    with typedshm.create("region", V1) as first, attach_apart("region") as reader:
        first.write(V1(tick=1))
        seen: list[int] = []

        async def follow() -> None:
            async for t in reader.follow(reattach=True, timeout=PATIENCE):
                seen.append(t.tick)

        async def restart() -> None:
            await events.until(lambda: seen == [1])
            typedshm.unlink("region")
            await events.sleep(0.15)  # nobody is told while the name leads nowhere
            with typedshm.create("region", V2) as second:
                second.write(V2(tick=10))
                await events.until(lambda: seen == [1, 10])
                second.write(V2(tick=11))
                await events.until(lambda: seen == [1, 10, 11])
            reader.close()

        events.run(lambda: events.together(follow, restart))
        assert seen == [1, 10, 11]


def test_a_file_that_is_moved_away_is_waited_for_until_there_is_another(tmp_path: Path) -> None:
    path = tmp_path / "region"
    with typedshm.create(path, V1) as first, attach_apart(path, V1) as reader:
        first.write(V1(tick=1))
        follower = reader.follow(reattach=True, timeout=PATIENCE)
        next(follower)
        waiting = InThread(next, follower)
        path.rename(tmp_path / "old")
        with typedshm.create(path, V1) as second:
            second.write(V1(tick=2))
            assert waiting.result().tick == 2


def test_without_it_the_loop_says_so(name: Any) -> None:
    with typedshm.create(name, V1), attach_apart(name, V1) as reader:
        follower = reader.follow(timeout=PATIENCE)
        with make_anew(name, V1):
            for _ in range(2):
                with pytest.raises(typedshm.RegionReplaced):
                    next(follower)


# ---- regions that were lost, and not replaced ----------------------------------------------------------------------


@marks.byte_locks
@pytest.mark.parametrize("every", [False, True])
def test_a_region_that_is_still_there_is_gone_on_with_where_the_loop_was(name: Any, every: bool) -> None:
    with typedshm.create(name, V1, slots=8) as writer, attach_apart(name, V1) as reader:
        follower = reader.follow(every=every, reattach=True, timeout=0.15)
        writer.write(V1(tick=1))
        assert next(follower).tick == 1
        os.close(reader.fileno())  # as daemons do
        with pytest.raises(typedshm.Timeout):
            next(follower)
        assert (follower.reattached, follower.version, follower.instance) == (1, 1, writer.instance)
        writer.write(V1(tick=2))
        assert next(follower).tick == 2
        assert (follower.version, follower.dropped) == (2, 0)


def lose(region: "typedshm.Region[Any]") -> None:
    """Have the only handle of a region lose it, so that its name leads nowhere."""
    os.close(region.fileno())
    typedshm.unlink(region.name)


@marks.byte_locks
def test_a_region_that_never_comes_back_is_waited_for_until_the_timeout(name: Any) -> None:
    with typedshm.create(name, V1) as reader:
        follower = reader.follow(reattach=True, timeout=0.05)
        lose(reader)
        for _ in range(2):
            with pytest.raises(typedshm.Timeout, match="to have its name again"):
                InThread(next, follower).result()


@marks.byte_locks
@pytest.mark.parametrize("loop", LOOPS)
def test_coroutines_wait_no_longer_either(loop: str) -> None:
    events = loop_of(loop)

    async def main() -> None:
        with pytest.raises(typedshm.Timeout, match="to have its name again"):
            await anext(follower)

    with typedshm.create("region", V1) as reader:
        follower = reader.follow(reattach=True, timeout=0.05)
        lose(reader)
        InThread(events.run, main).result()


@marks.byte_locks
def test_the_loop_ends_while_it_waits_for_the_name(name: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    asked, plain = threading.Event(), typedshm.Region.reattach

    def reattach(region: Any, **options: Any) -> Any:
        asked.set()
        return plain(region, **options)

    monkeypatch.setattr(typedshm.Region, "reattach", reattach)
    with typedshm.create(name, V1) as reader:
        follower = reader.follow(reattach=True)
        lose(reader)
        waiting = InThread(list, follower)
        assert asked.wait(PATIENCE)
        reader.close()
        assert waiting.result() == []

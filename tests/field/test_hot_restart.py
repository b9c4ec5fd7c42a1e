"""A control loop is restarted with a changed Struct while three readers run: all go on, or say why."""

import asyncio
import itertools
import time
from pathlib import Path
from typing import Any

import pytest

import typedshm
from helpers import marks
from helpers.peers import PATIENCE, Child
from typedshm import Struct, f64, u32, u64

LAST = 1000


class Before(Struct):
    """What the loop publishes at first."""

    tick: u64
    speed: f64 = 0.0


class Longer(Struct):
    """With a field more at the end."""

    tick: u64
    speed: f64 = 0.0
    torque: f64 = 0.0


class Other(Struct):
    """With a field of another type."""

    tick: u32
    speed: f64 = 0.0


def wait_in_a_loop(pipe: Any, name: Any) -> None:
    """A reader that knows the class, and opens the region again by hand."""
    region = typedshm.attach(name, Before, timeout=PATIENCE)
    pipe.send(region.wait(timeout=PATIENCE).tick)
    while True:
        try:
            tick = region.wait(timeout=PATIENCE).tick
        except typedshm.RegionReplaced as error:
            pipe.send(str(error))
            old = region
            try:
                region = old.reattach(timeout=PATIENCE)
            except typedshm.LayoutMismatch as mismatch:
                pipe.send(str(mismatch))
                return
            finally:
                old.close()
            continue
        if tick >= LAST:
            pipe.send(tick)
            region.close()
            return


def follow_without_a_class(pipe: Any, name: Any) -> None:
    """A reader that shows whatever there is."""
    with typedshm.attach(name, timeout=PATIENCE) as region:
        for state in region.follow(reattach=True, timeout=PATIENCE):
            if state.tick in (1, LAST):
                pipe.send(typedshm.asdict(state))
            if state.tick == LAST:
                return


def follow_in_a_coroutine(pipe: Any, name: Any) -> None:
    """A reader that knows the class, in an event loop, and goes on by itself."""

    async def main() -> None:
        with typedshm.attach(name, Before, timeout=PATIENCE) as region:
            follower = region.follow(reattach=True, timeout=PATIENCE)
            try:
                async for state in follower:
                    if state.tick in (1, LAST):
                        pipe.send((state.tick, follower.reattached))
                    if state.tick == LAST:
                        return
            except typedshm.LayoutMismatch as mismatch:
                pipe.send(str(mismatch))

    asyncio.run(main())


@pytest.fixture(params=["named", "file"])
def name(request: pytest.FixtureRequest, tmp_path: Path) -> str | Path:
    return "control" if request.param == "named" else tmp_path / "control"


NEW = [Before, Longer, Other]
HOW = ["closed first", "killed, so to speak"]


@pytest.mark.parametrize(
    ("new", "how"),
    # where each of the three readers takes two seconds to start, one way to end for each class
    list(zip(NEW, [*HOW, HOW[0]], strict=True) if marks.WINDOWS else itertools.product(NEW, HOW)),
)
def test_three_readers_go_on_or_say_why(name: Any, new: Any, how: str) -> None:
    old = typedshm.create(name, Before)
    old.write(Before(tick=1))
    readers = (wait_in_a_loop, follow_without_a_class, follow_in_a_coroutine)
    by_hand, loose, task = (Child(reader, name) for reader in readers)
    by_hand.expect(1)
    loose.expect({"tick": 1, "speed": 0.0})
    task.expect((1, 0))
    if how == "closed first":
        old.close()
    with pytest.raises((typedshm.LayoutMismatch, typedshm.RegionExists)):
        typedshm.create(name, new)  # the readers have the old one open
    typedshm.unlink(name)
    with typedshm.create(name, new) as region:
        region.write(new(tick=2))
        time.sleep(0.01)
        region.write(new(tick=LAST))

        words = by_hand.receive()
        assert words.startswith(f"region {str(name)!r} was replaced")
        assert ("of another layout" in words) == (new is not Before)
        assert loose.receive()["tick"] == LAST
        if new is Other:
            assert "tick: u64 at 0 | u32 at 0" in words
            for mismatch in (by_hand.receive(), task.receive()):
                assert "tick: u64 at 0 | u32 at 0" in mismatch
        else:
            by_hand.expect(LAST)
            task.expect((LAST, 1))
        for child in (by_hand, loose, task):
            child.join()
    old.close()


def test_a_restart_with_the_same_layout_joins_the_region_and_nobody_notices(name: Any) -> None:
    """While the readers run, the region lives: open() goes on with it, and versions go on too."""
    old = typedshm.create(name, Before)
    old.write(Before(tick=1))
    with typedshm.attach(name, Before) as reader:
        assert reader.wait(timeout=PATIENCE).tick == 1
        old.close()
        with typedshm.open(name, Before) as again:
            again.write(Before(tick=2))
            assert reader.wait(timeout=PATIENCE).tick == 2
            assert reader.version == 2

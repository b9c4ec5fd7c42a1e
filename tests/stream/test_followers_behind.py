"""What a writer is told that has waited too long for a follower, and how deaths end the wait."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

import typedshm
from helpers.peers import PATIENCE, Child, until
from helpers.shared_types import Record, record
from helpers.threads import InThread
from helpers.wire import Wire
from typedshm import FollowerBehind, Timeout

SLOTS = 4


@pytest.fixture
def region() -> Iterator[typedshm.Region[Record]]:
    with typedshm.create("stream", Record, slots=SLOTS, lossless=True) as region:
        yield region


def stay(pipe: Any, options: dict[str, Any], takes: int = 0) -> None:
    """Follow, take some steps and no more."""
    with typedshm.attach("stream", Record, timeout=PATIENCE) as region:
        follower = region.follow(lossless=True, timeout=PATIENCE, **options)
        pipe.send("follows")
        for _ in range(takes):
            next(follower)
            pipe.send("got one")
        pipe.recv()


def fill(region: typedshm.Region[Record]) -> None:
    for n in range(1, SLOTS + 1):
        region.write(record(n), timeout=0)


def sleeps() -> bool:
    with Wire("stream") as wire:
        return bool(wire.lossless.room & 1)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, "a follower in process "),
        ({"name": "executor"}, "the follower 'executor' in process "),
        ({"group": "workers"}, "the group 'workers' of 1 member in process "),
    ],
)
@pytest.mark.parametrize("verb", ["write", "update", "loan"])
def test_the_error_names_the_follower(region: Any, options: dict[str, Any], words: str, verb: str) -> None:
    verbs: dict[str, Callable[[], Any]] = {
        "write": lambda: region.write(record(9), timeout=0.05),
        "update": lambda: region.update(timeout=0).__enter__(),
        "loan": lambda: region.loan(timeout=0).__enter__(),
    }
    with Child(stay, options) as child:
        child.expect("follows")
        fill(region)
        expected = rf"region 'stream' timed out waiting for {words}{child.pid} \(.*since .*, 4 versions behind: .*slots"
        with pytest.raises(FollowerBehind, match=expected) as caught:
            verbs[verb]()
        assert isinstance(caught.value, Timeout)
        assert (caught.value.pid, caught.value.behind) == (child.pid, SLOTS)
        assert (region.version, region.info().lock_holder) == (SLOTS, None)
        child.send()


@pytest.mark.parametrize("options", [{}, {"group": "workers", "keep": 0}], ids=str)
@pytest.mark.parametrize("takes", [0, 1])
def test_the_death_of_a_follower_ends_the_wait(region: Any, options: dict[str, Any], takes: int) -> None:
    """The writer waits for ever, and nobody but the dead could have made room."""
    child = Child(stay, options, takes)
    try:
        child.expect("follows")
        fill(region)
        for _ in range(takes):
            child.expect("got one")
        writing = InThread(region.write, record(9), timeout=None)
        until(sleeps)
        assert writing.is_alive()
    finally:
        child.kill()
    writing.result()
    assert region.read() == record(9)


def test_of_two_the_living_one_is_waited_for(region: Any) -> None:
    dead = Child(stay, {})
    dead.expect("follows")
    with Child(stay, {}) as child:
        child.expect("follows")
        fill(region)
        dead.kill()
        with pytest.raises(FollowerBehind) as caught:
            region.write(record(9), timeout=0.05)
        assert caught.value.pid == child.pid
        child.send()
    region.write(record(9), timeout=0)


def test_a_dead_one_with_a_name_is_waited_for_until_somebody_goes_on(region: Any) -> None:
    child = Child(stay, {"name": "executor", "keep": PATIENCE}, 1)
    child.expect("follows")
    fill(region)
    child.expect("got one")
    child.kill()
    words = r"'executor', which nobody has any more and is kept until [0-9:]+, 4 versions"
    with pytest.raises(FollowerBehind, match=words):
        region.write(record(9), timeout=0)
    (info,) = region.info().followers
    assert (info.name, info.process, info.behind) == ("executor", None, SLOTS)
    assert info.kept_until is not None
    writing = InThread(region.write, record(5), timeout=None)
    with Child(stay, {"name": "executor", "keep": PATIENCE}, 5) as heir:
        heir.expect("follows")
        for _ in range(5):
            heir.expect("got one")
        writing.result()
        heir.send()


def test_a_dead_one_with_a_name_is_forgotten_in_time(region: Any) -> None:
    child = Child(stay, {"name": "executor", "keep": 0.01})
    child.expect("follows")
    fill(region)
    child.kill()
    region.write(record(9), timeout=None)
    assert region.info().followers == ()


def test_one_that_is_closed_is_waited_for_no_longer(region: Any) -> None:
    with Child(stay, {}) as child:
        child.expect("follows")
        fill(region)
        writing = InThread(region.write, record(9), timeout=None)
        until(sleeps)
        child.send()
        writing.result()

"""follow(name=...): who comes next goes on where the last one stopped."""

import os
from collections.abc import Iterator
from typing import Any

import pytest

import typedshm
from helpers.peers import Child
from helpers.shared_types import Record, record
from helpers.wire import Wire
from typedshm import FollowerExists


@pytest.fixture
def region() -> Iterator[typedshm.Region[Record]]:
    with typedshm.create("commands", Record, slots=64, lossless=True) as region:
        region.timeout = 0
        yield region


def write(region: typedshm.Region[Record], *numbers: int) -> None:
    for n in numbers:
        region.write(record(n))


def test_it_goes_on_behind_what_was_counted(region: typedshm.Region[Record]) -> None:
    with region.follow(name="executor") as follower:
        write(region, 1, 2, 3)
        assert (next(follower).a, next(follower).a) == (1, 2)
    with region.follow(name="executor", start="next") as follower:
        assert follower.version == 2
        assert next(follower).a == 3
    write(region, 4)
    with region.follow(name="executor") as follower:
        assert [t.a for t in follower.drain()] == [4]


def test_what_was_not_counted_comes_once_more(region: typedshm.Region[Record]) -> None:
    follower = region.follow(name="executor")
    write(region, 1, 2)
    assert next(follower).a == 1
    del follower  # without close(), as when its process dies
    follower = region.follow(name="executor")
    assert (follower.version, next(follower).a) == (0, 1)
    follower.done()
    del follower
    assert next(region.follow(name="executor")).a == 2


def take_some(pipe: Any, count: int) -> None:
    region = typedshm.attach("commands", Record)
    follower = region.follow(name="executor")
    got = [next(follower).a for _ in range(count)]
    pipe.send(got)
    pipe.recv()


def test_after_a_kill_another_process_goes_on(region: typedshm.Region[Record]) -> None:
    region.follow(name="executor").close()
    write(region, *range(1, 11))
    with Child(take_some, 3) as child:
        assert child.receive() == [1, 2, 3]
        with pytest.raises(FollowerExists) as caught:
            region.follow(name="executor")
        info = region.info().followers[0]
        assert info.process is not None
        assert (caught.value.pid, caught.value.since) == (info.process, info.process.since)
        assert f"process {int(info.process)} (" in str(caught.value)
        assert caught.value.command == info.process.command
        assert isinstance(caught.value, FileExistsError)
        child.kill()
    follower = region.follow(name="executor")
    assert [t.a for t in follower.drain()] == list(range(3, 11))  # 3 was not counted as got
    assert follower.dropped == 0


def test_a_living_one_keeps_its_name(region: typedshm.Region[Record]) -> None:
    follower = region.follow(name="executor")
    with pytest.raises(FollowerExists, match="'executor' already, of this process") as caught:
        region.follow(name="executor")
    assert caught.value.pid == os.getpid()
    region.follow(name="another").discard()
    region.follow(group="executor").discard()  # names of groups are others
    follower.close()
    region.follow(name="executor").close()


def test_how_long_a_name_is_kept(region: typedshm.Region[Record]) -> None:
    with Wire("commands") as wire:
        for keep, ns in ((None, 5 * 10**9), (0.25, 250_000_000), (float("inf"), 2**63 - 1), (0, 0)):
            options: dict[str, Any] = {} if keep is None else {"keep": keep}
            follower = region.follow(name="executor", **options)
            (place,) = [wire.lossless.places[i] for i in range(48) if wire.control.followers >> i & 1]
            assert (place.keep, place.name, place.gone) == (ns, b"executor", 0)
            follower.close()
            assert (place.owner, place.gone > 0) == (0, ns > 0)
        follower = region.follow(name="executor", keep=5)
        follower.discard()
        assert (place.owner, place.keep, place.gone) == (0, 0, 0)
        assert follower.closed


def test_info_tells_until_when(region: typedshm.Region[Record]) -> None:
    region.follow(name="executor", keep=100).close()
    (info,) = region.info().followers
    assert info.kept_until is not None
    assert (info.name, info.process, info.kept_until > info.since) == ("executor", None, True)
    assert "'executor', 0 behind, gone" in str(region.info())
    region.follow(name="executor", keep=float("inf")).close()
    assert region.info().followers[0].kept_until is None

"""poll() and drain() never wait; pending, done() and close() of any follower."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

import numpy as np
import pytest

import typedshm
from helpers.peers import PATIENCE, until
from helpers.shared_types import Record, record
from helpers.threads import InThread
from helpers.wire import Wire
from typedshm import Utf8, array
from typedshm.testing.inspection import attach_apart


def write(region: typedshm.Region[Record], *numbers: int) -> None:
    for n in numbers:
        region.write(record(n))


@pytest.fixture
def region() -> Iterator[typedshm.Region[Record]]:
    with typedshm.create("log", Record, slots=8) as region:
        region.timeout = None  # where something waits after all, the test hangs
        yield region


def test_poll_returns_none_rather_than_wait(region: typedshm.Region[Record]) -> None:
    follower = region.follow(every=True)
    assert follower.poll() is None
    write(region, 1, 2)
    assert (follower.poll(), follower.poll(), follower.poll()) == (record(1), record(2), None)
    newest = region.follow()
    write(region, 3, 4)
    assert (newest.poll(), newest.poll(), newest.dropped) == (record(4), None, 2)


def test_drain_returns_all_that_is_there(region: typedshm.Region[Record]) -> None:
    follower = region.follow(every=True)
    assert follower.drain() == []
    write(region, *range(1, 7))
    assert [t.a for t in follower.drain(most=2)] == [1, 2]
    assert follower.drain(most=0) == []
    assert follower.pending == 4
    assert [t.a for t in follower.drain()] == [3, 4, 5, 6]
    assert (follower.pending, follower.version, follower.dropped) == (0, 6, 0)


@pytest.mark.parametrize("most", [-1, True, 1.5, "1"])
def test_a_wrong_number_of_values_is_refused(region: typedshm.Region[Record], most: object) -> None:
    with pytest.raises((TypeError, ValueError), match=r"^most: expected a number of values"):
        region.follow().drain(most=most)  # type: ignore[arg-type]


def test_pending_counts_what_is_gone_too(region: typedshm.Region[Record]) -> None:
    follower = region.follow(every=True, start="next")
    write(region, *range(1, 21))
    assert (follower.pending, follower.dropped) == (20, 0)
    assert next(follower).a + follower.pending == 20


def test_drain_of_views_keeps_each_until_the_next_step() -> None:
    with typedshm.create("levels", array(np.uint8, 4), slots=8, lossless=True) as region:
        follower = region.follow(lossless=True, borrow=True)
        for n in range(4):
            region.write(np.full(4, n, np.uint8))
        views = follower.drain()
        assert [int(view[0]) for view in views] == [0, 1, 2, 3]
        assert (region.info().pinned, region.info().copies) == (4, 0)
        del views
        assert follower.poll() is None
        assert region.info().pinned == 0


@dataclass
class Note:
    """A dataclass with text, which need not decode."""

    text: Annotated[str, Utf8(8)]


def test_an_error_within_drain_loses_nothing() -> None:
    with typedshm.create("notes", Note, slots=8) as region, Wire("notes") as wire:
        for text in "abcde":
            region.write(Note(text))
        wire.payload(3)[:2] = b"\xff\xff"
        follower = region.follow(every=True, start=1)
        assert [note.text for note in follower.drain()] == ["a", "b"]
        assert (follower.version, follower.failed) == (2, 0)
        with pytest.raises(ValueError, match="text"):
            follower.drain()
        assert [note.text for note in follower.drain()] == ["d", "e"]
        assert (follower.version, follower.failed, follower.dropped) == (5, 1, 0)


def test_a_closed_follower_ends_loops_and_refuses_the_rest(region: typedshm.Region[Record]) -> None:
    write(region, 1)
    with region.follow(borrow=True) as follower:
        view = next(follower)
        assert not follower.closed
    assert follower.closed
    with pytest.raises(typedshm.Closed):
        _ = view.a
    assert list(follower) == []
    for verb in (follower.poll, follower.drain, follower.done):
        with pytest.raises(typedshm.Closed, match="follower that was closed"):
            verb()
    follower.close()
    follower.discard()


def test_after_the_handle_is_closed_poll_says_so(region: typedshm.Region[Record]) -> None:
    follower = region.follow()
    region.close()
    for verb in (follower.poll, follower.drain):
        with pytest.raises(typedshm.Closed):
            verb()
    assert list(follower) == []


def test_done_changes_nothing_where_nobody_waits(region: typedshm.Region[Record]) -> None:
    follower = region.follow(every=True)
    write(region, 1, 2)
    assert follower.poll() == record(1)
    follower.done()
    assert follower.poll() == record(2)


def test_one_thread_at_a_time(region: typedshm.Region[Record]) -> None:
    follower = region.follow(timeout=PATIENCE)
    waiting = InThread(next, follower)
    until(lambda: follower._busy)
    for verb in (follower.poll, follower.drain, follower.done, follower.close, follower.discard):
        with pytest.raises(typedshm.MisuseError, match=r"two threads or tasks.* closes the handle"):
            verb()
    write(region, 1)
    assert waiting.result() == record(1)


def test_poll_goes_on_in_the_next_region_of_the_name() -> None:
    first = typedshm.create("again", Record)
    with attach_apart("again", Record) as reader:
        first.write(record(1))
        follower = reader.follow(every=True, start=1, reattach=True)
        assert follower.poll() == record(1)
        typedshm.unlink("again")
        with typedshm.create("again", Record) as second:
            second.write(record(7))
            until(lambda: follower.poll() == record(7))
            assert (follower.reattached, follower.version, follower.instance) == (1, 1, second.instance)
    first.close()

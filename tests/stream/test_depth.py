"""follow(every=True) at any depth: the next number is looked at, whatever the other slots hold."""

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import typedshm
from helpers.shared_types import Record, record
from helpers.wire import Wire

DEPTHS = [1, 2, 3, 4, 5, 8, 64, 1024]


def write(region: typedshm.Region[Record], *numbers: int) -> None:
    for n in numbers:
        region.write(record(n))


def lasting(head: int, slots: int) -> int:
    """The version at which a follower goes on that was overrun."""
    return max(head - max(slots - 2, 0) + (slots // 8 if slots > 2 else 0), 1)


@pytest.fixture(params=DEPTHS)
def region(request: pytest.FixtureRequest) -> Iterator[typedshm.Region[Record]]:
    with typedshm.create("log", Record, slots=request.param) as region:
        yield region


def test_after_an_overrun_it_goes_on_where_it_will_last(region: typedshm.Region[Record]) -> None:
    slots = region.info().slots
    follower = region.follow(every=True, start="next", timeout=0)
    head = 2 * slots + 3
    write(region, *range(1, head + 1))
    first = lasting(head, slots)
    assert next(follower) == record(first)
    assert (follower.version, follower.dropped, follower.pending) == (first, first - 1, head - first)
    ahead = slots // 8 if slots > 2 else 0  # so many versions later nothing more is missed
    write(region, *range(head + 1, head + 1 + ahead))
    assert [t.a for t in follower.drain()] == list(range(first + 1, head + 1 + ahead))
    assert (follower.dropped, region.dropped) == (first - 1, first - 1)


def test_slots_that_are_not_its_turn_are_not_looked_at() -> None:
    with typedshm.create("log", Record, slots=64) as region, Wire("log") as wire:
        write(region, *range(1, 41))
        follower = region.follow(every=True, start=20, timeout=0)
        for n in (*range(1, 19), *range(30, 40)):
            wire.slot(n).mark = 2 * 25  # which lies in another slot
        assert [next(follower).a for _ in range(10)] == list(range(20, 30))
        assert follower.dropped == 0


@pytest.mark.parametrize("start", [1, 2, 30_000, 39_999, 40_000, "oldest", "newest", -5, -100_000])
def test_where_it_starts_in_a_deep_region(start: Any) -> None:
    with typedshm.create("log", Record, slots=65_536) as region:
        value = record(1)
        for n in range(1, 40_001):
            value.a = n
            region.write(value)
        follower = region.follow(every=True, start=start, timeout=0)
        named = {"oldest": 1, "newest": 40_000, -5: 39_995, -100_000: 1}.get(start, start)
        assert (next(follower).a, follower.dropped) == (named, 0)


def test_numbers_that_were_passed_over_are_no_versions() -> None:
    with typedshm.create("log", Record, slots=5) as region:
        write(region, 1)
        follower = region.follow(every=True, start=2, timeout=0)
        with region.borrow(), Wire("log") as wire:
            for n in range(2, 30):
                write(region, n)
                assert [t.a for t in follower.drain()] == [n]
                for start in range(max(n - 3, 2), n + 1):
                    assert next(region.follow(every=True, start=start, timeout=0)).a == start
            assert wire.control.head > 29, "no number was passed over"
        assert follower.dropped == 0


def test_a_number_that_a_killed_writer_left_odd_is_passed_over() -> None:
    with typedshm.create("log", Record, slots=5) as region, Wire("log") as wire:
        write(region, 1, 2)
        follower = region.follow(every=True, start=3, timeout=0)
        write(region, 3)
        wire.control.head = 2 * 4  # as if 4 had been passed over, and left odd by who was killed there
        wire.slot(4).mark = 2 * 4 + 1
        wire.slot(4).version = 3
        assert next(follower) == record(3)


class Account:
    """Follows beside a list of what was published."""

    def __init__(self, region: typedshm.Region[Record], **options: Any) -> None:
        self.follower = region.follow(every=True, start="next", timeout=0, **options)
        self.last = self.got = 0

    def step(self) -> None:
        value = self.follower.poll()
        if value is not None:
            assert value == record(self.follower.version)
            assert self.follower.version > self.last
            self.last, self.got = self.follower.version, self.got + 1
            assert self.got + self.follower.dropped == self.last


@settings(max_examples=60, deadline=None)
@given(
    slots=st.integers(1, 9),
    borrow=st.booleans(),
    moves=st.lists(st.sampled_from(["write", "write", "write", "step", "pin", "unpin", "late"]), max_size=120),
)
def test_what_was_got_and_what_was_missed_add_up_whatever_happens(slots: int, borrow: bool, moves: list[str]) -> None:
    with typedshm.create("log", Record, slots=slots) as region:
        accounts, pins, published = [Account(region, borrow=borrow)], [], 0
        for move in moves:
            if move == "write":
                published += 1
                write(region, published)
            elif move == "step":
                accounts[0].step()
            elif move == "late" and published:
                first = max(published - slots // 2, 1)
                assert region.follow(every=True, start=first, timeout=0).pending == published - first + 1
            elif move == "pin" and published:
                pins.append(region.borrow())
                pins[-1].__enter__()
            elif move == "unpin" and pins:
                pins.pop(0).__exit__(None, None, None)
        for account in accounts:
            while account.follower.pending:
                account.step()
            assert account.last == published
        accounts.clear()
        for pin in pins:
            pin.__exit__(None, None, None)

"""Writers of a lossless region wait for followers: what they do meanwhile, what ends it, what never waits."""

import contextlib
import itertools
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import typedshm
from helpers import marks
from helpers.peers import PATIENCE, Child, quiet_fork, until
from helpers.shared_types import Big, Record, record
from helpers.threads import InThread
from helpers.wire import FOLLOWER, GROUP, MEMBER, Wire
from typedshm import FollowerBehind, MisuseError
from typedshm.testing.inspection import attach_apart

SLOTS = 4


@pytest.fixture
def region() -> Iterator[typedshm.Region[Record]]:
    """A lossless region, whose writers may wait long."""
    with typedshm.create("stream", Record, slots=SLOTS, lossless=True) as region:
        region.timeout = PATIENCE
        yield region


@pytest.fixture
def wire(region: typedshm.Region[Record]) -> Iterator[Wire]:
    with Wire("stream") as wire:
        yield wire


def sleeps(wire: Wire) -> bool:
    """Whether a writer has announced that it sleeps until there is room."""
    return bool(wire.lossless.room & 1)


def in_another_thread(region: typedshm.Region[Any], **options: Any) -> Any:
    """A follower that another thread has made, and so one that this thread may wait for."""
    return InThread(region.follow, lossless=True, timeout=PATIENCE, **options).result()


def fill(region: typedshm.Region[Record], first: int = 1) -> None:
    """Write until there is no room."""
    for n in range(first, first + SLOTS):
        region.write(record(n), timeout=0)


# ---- waiting ---------------------------------------------------------------------------------------------------------


def test_nothing_is_written_over_that_a_follower_has_still_to_get(region: Any, wire: Wire) -> None:
    follower = in_another_thread(region)
    fill(region)
    writing = InThread(region.write, record(SLOTS + 1))
    until(lambda: sleeps(wire))
    assert region.version == SLOTS
    assert next(follower) == record(1)
    assert region.version == SLOTS, "it is got when the next is asked for"
    assert next(follower) == record(2)
    writing.result()
    assert [next(follower) for _ in range(3)] == [record(n) for n in range(3, SLOTS + 2)]
    assert (follower.dropped, region.version) == (0, SLOTS + 1)


def test_done_makes_room(region: Any, wire: Wire) -> None:
    follower = in_another_thread(region)
    fill(region)
    writing = InThread(region.write, record(SLOTS + 1))
    until(lambda: sleeps(wire))
    assert next(follower) == record(1)
    follower.done()
    writing.result()


def test_the_lock_is_free_while_a_writer_waits(region: Any, wire: Wire) -> None:
    follower = in_another_thread(region)
    fill(region)
    writing = InThread(region.write, record(SLOTS + 1))
    until(lambda: sleeps(wire))
    with attach_apart("stream", Record) as other, other.lock(timeout=PATIENCE):
        assert other.read() == record(SLOTS)
        assert writing.is_alive()
    follower.close()
    writing.result()
    assert region.read() == record(SLOTS + 1)


def test_inside_lock_a_writer_waits_with_the_lock(region: Any, wire: Wire) -> None:
    follower = in_another_thread(region)
    fill(region)

    def hold_and_write() -> None:
        with region.lock():
            region.write(record(SLOTS + 1))
            with region.update() as t:
                t.a = 77

    writing = InThread(hold_and_write)
    until(lambda: sleeps(wire))
    with attach_apart("stream", Record) as other, pytest.raises(typedshm.Timeout, match="writers' lock"):
        other.write(record(9), timeout=0)
    for n in range(1, SLOTS + 2):
        assert next(follower).a == n
    writing.result()
    assert next(follower).a == 77


@pytest.mark.parametrize("verb", ["update", "loan"])
def test_a_block_waits_before_it_is_entered_and_never_at_its_end(region: Any, wire: Wire, verb: str) -> None:
    follower = in_another_thread(region)
    fill(region)
    entered = threading.Event()

    def in_block() -> None:
        with getattr(region, verb)() as t:
            entered.set()
            t.a = 77

    writing = InThread(in_block)
    until(lambda: sleeps(wire))
    assert not entered.is_set()
    assert next(follower) == record(1)
    assert not entered.is_set()
    follower.done()
    writing.result()
    assert region.read().a == 77


@pytest.mark.parametrize("verb", ["update", "loan"])
def test_a_block_has_its_slot_from_its_beginning(region: Any, wire: Wire, verb: str) -> None:
    region.write(record(1))
    with getattr(region, verb)() as t:
        assert wire.slot(2).mark == 2 * 2 + 1
        t.a = 5
        assert wire.control.head == 1
    assert (wire.slot(2).mark, wire.control.head, region.read().a) == (4, 2, 5)
    with pytest.raises(KeyError), getattr(region, verb)():
        raise KeyError
    region.write(record(3))
    assert (wire.control.head, region.read()) == (3, record(3)), "what a block has given up is the next one's"


@pytest.mark.parametrize("slots", [2, 3])
def test_few_slots(slots: int) -> None:
    with typedshm.create("few", Record, slots=slots, lossless=True) as region:
        follower = in_another_thread(region)
        writing = InThread(lambda: [region.write(record(n)) for n in range(1, 100)])
        assert [next(follower) for _ in range(99)] == [record(n) for n in range(1, 100)]
        writing.result()


def test_large_values_wait_as_well() -> None:
    with typedshm.create("big", Big, slots=2, lossless=True) as region:
        follower = in_another_thread(region)
        values = [Big.zero() for _ in range(6)]
        writing = InThread(lambda: [region.write(value) for value in values])
        assert len([next(follower) for _ in values]) == 6
        writing.result()
        assert follower.dropped == 0


def test_without_followers_nobody_waits(region: Any, wire: Wire) -> None:
    for n in range(1, 20):
        region.write(record(n), timeout=0)
    in_another_thread(region).close()
    for n in range(20, 40):
        region.write(record(n), timeout=0)
    assert (wire.control.followers, wire.lossless.room) == (0, 0)


# ---- whose turn it is: several writers, pins -------------------------------------------------------------------------


def write_some(pipe: Any, first: int, count: int) -> None:
    with typedshm.attach("stream", Record, timeout=PATIENCE) as region:
        region.timeout = PATIENCE
        for n in range(first, first + count):
            region.write(record(n))


def test_of_several_writers_nothing_is_lost(region: Any) -> None:
    follower = in_another_thread(region)
    with contextlib.ExitStack() as children:
        for first in (1000, 2000, 3000):
            children.enter_context(Child(write_some, first, 300))
        found = [next(follower).a for _ in range(900)]
    for first in (1000, 2000, 3000):
        assert [n for n in found if first <= n < first + 1000] == list(range(first, first + 300))
    assert (region.version, follower.dropped) == (900, 0)


def test_what_is_pinned_is_passed_over_and_what_is_awaited_is_not(region: Any, wire: Wire) -> None:
    region.write(record(1))
    with region.borrow() as borrowed:
        follower = in_another_thread(region)
        for n in (2, 3, 4):
            region.write(record(n), timeout=0)
        with pytest.raises(FollowerBehind):  # version 1 is pinned, and 2 has still to be got
            region.write(record(5), timeout=0)
        assert borrowed == record(1)
        assert [next(follower) for _ in range(3)] == [record(n) for n in (2, 3, 4)]
        region.write(record(5), timeout=0)
        assert next(follower) == record(5)
        assert borrowed == record(1)
    assert wire.control.head > region.version == 5


def test_a_reader_that_falls_back_to_the_lock_is_not_kept_waiting(region: Any, wire: Wire) -> None:
    follower = in_another_thread(region)
    fill(region)
    writing = InThread(region.write, record(SLOTS + 1))
    until(lambda: sleeps(wire))
    mark = wire.slot(SLOTS).mark
    wire.slot(SLOTS).mark = 0  # nobody can read it without the lock, nor with it
    region.timeout = PATIENCE
    with pytest.raises(typedshm.RegionCorrupt):
        region.read()
    wire.slot(SLOTS).mark = mark
    follower.close()
    writing.result()


# ---- what ends the wait ----------------------------------------------------------------------------------------------


def test_closing_the_handle_ends_the_wait(region: Any, wire: Wire) -> None:
    follower = in_another_thread(region)
    fill(region)
    other = typedshm.attach("stream", Record)
    writing = InThread(other.write, record(9))
    until(lambda: sleeps(wire))
    other.close()
    with pytest.raises(typedshm.Closed):
        writing.result()
    follower.close()


@marks.left_behind
def test_another_region_of_the_name_ends_the_wait(region: Any, wire: Wire) -> None:
    follower = in_another_thread(region)
    fill(region)
    writing = InThread(region.write, record(9), timeout=None)
    until(lambda: sleeps(wire))
    typedshm.unlink("stream")
    try:
        with typedshm.create("stream", Record), pytest.raises(typedshm.RegionReplaced):
            writing.result()
    finally:
        follower.close()


@marks.not_on_windows("a signal is delivered to a thread there only when that is awake")
def test_a_signal_ends_the_wait(region: Any, wire: Wire) -> None:
    follower = in_another_thread(region)
    fill(region)
    over = threading.Event()

    def interrupt() -> None:
        until(lambda: sleeps(wire))
        os.kill(os.getpid(), signal.SIGINT)
        over.wait(PATIENCE)
        follower.close()  # so that a writer who was not interrupted writes, and is found out

    interrupting = InThread(interrupt)
    with pytest.raises(KeyboardInterrupt):
        region.write(record(9), timeout=None)
    assert (region.version, region.info().lock_holder) == (SLOTS, None)
    over.set()
    interrupting.result()


# ---- the same thread -------------------------------------------------------------------------------------------------

OWN = r"this thread would wait for itself: .*4 versions behind.*await region\.send\(value\)"


@pytest.mark.parametrize("options", [{}, {"name": "mine"}, {"group": "ours"}], ids=str)
def test_who_would_wait_for_itself_is_told_so_at_once(region: Any, options: dict[str, Any]) -> None:
    follower = region.follow(lossless=True, **options)
    fill(region)
    for verb in (lambda: region.write(record(9)), region.update().__enter__, region.loan().__enter__):
        with pytest.raises(MisuseError, match=OWN):
            verb()
    with region.lock(), pytest.raises(MisuseError, match=OWN):
        region.write(record(9))
    assert next(follower) == record(1)
    follower.done()
    region.write(record(5), timeout=0)


def test_a_follower_that_another_thread_steps_is_waited_for(region: Any, wire: Wire) -> None:
    follower = region.follow(lossless=True, timeout=PATIENCE)
    fill(region)
    assert InThread(next, follower).result() == record(1)
    writing = InThread(lambda: (until(lambda: sleeps(wire)), follower.done()))
    region.write(record(5))
    writing.result()


@marks.fork
def test_the_child_of_a_fork_waits_for_its_parents_follower(region: Any) -> None:
    follower = region.follow(lossless=True)
    fill(region)
    pid = quiet_fork()
    if pid == 0:
        status = 1
        try:
            region.write(record(9), timeout=0)
        except FollowerBehind as error:
            status = 0 if error.pid == os.getppid() else 2
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    with pytest.raises(MisuseError):
        region.write(record(9), timeout=0)
    assert follower.pending == SLOTS


# ---- a new life ------------------------------------------------------------------------------------------------------


def test_what_is_announced_ends_with_the_region_s_life(tmp_path: Path) -> None:
    with typedshm.create(tmp_path / "stream", Record, lossless=True) as region:
        region.write(record(1))
    with Wire(tmp_path / "stream") as wire:
        wire.lossless.room = 2 * 7 + 1
    with typedshm.attach(tmp_path / "stream", Record), Wire(tmp_path / "stream") as wire:
        assert wire.lossless.room == 2 * 7


def test_the_dead_of_an_earlier_life_hold_nobody_unless_they_have_a_name(tmp_path: Path) -> None:
    with typedshm.create(tmp_path / "stream", Record, slots=SLOTS, lossless=True) as region:
        follower = region.follow(lossless=True, name="executor", keep=PATIENCE)
        other = region.follow(lossless=True)
        region.write(record(1))
        assert other.pending == 1
        assert next(follower) == record(1)
    with typedshm.attach(tmp_path / "stream", Record) as region:
        for n in (2, 3, 4):
            region.write(record(n), timeout=0)
        with pytest.raises(FollowerBehind, match="'executor'"):
            region.write(record(5), timeout=0)
        follower = region.follow(lossless=True, name="executor", keep=PATIENCE, timeout=0)
        assert [value.a for value in itertools.islice(follower, 4)] == [1, 2, 3, 4]
        follower.done()
        region.write(record(5), timeout=0)
        assert [(info.name, info.behind) for info in region.info().followers] == [("executor", 1)]


# ---- garbage ---------------------------------------------------------------------------------------------------------

GARBAGE: dict[str, dict[str, int]] = {
    "a position beyond the head": {"position": 2**62, "role": FOLLOWER},
    "a position beyond all numbers": {"position": 2**64 - 1, "role": FOLLOWER},
    "nobody's": {"role": FOLLOWER},
    "an owner out of range": {"owner": 0xFFF, "role": FOLLOWER},
    "an owner that is nobody": {"owner": 400, "role": FOLLOWER},
    "of no kind": {"role": 0},
    "of an unknown kind": {"role": 77, "owner": 300},
    "a member of no group": {"role": MEMBER | 5 << 32, "position": 1},
    "a member of a group that cannot be": {"role": MEMBER | 4_000_000 << 32, "position": 1},
    "a member of itself": {"role": MEMBER, "position": 1},
    "a group without members": {"role": GROUP},
    "a group whose lock is a dead one's": {"role": GROUP, "owner": 300 | 5 << 32},
}


@pytest.mark.parametrize("case", GARBAGE)
def test_garbage_in_a_place_holds_nobody(region: Any, wire: Wire, case: str) -> None:
    region.write(record(1))
    place = wire.lossless.places[0]
    for name, value in GARBAGE[case].items():
        setattr(place, name, value)
    wire.control.followers = 1
    wire.control.low_mark = 0
    for n in range(2, 20):
        region.write(record(n), timeout=0)
        assert region.read() == record(n)
        region.info()
    del place


def test_places_that_do_not_exist_are_not_looked_at(region: Any, wire: Wire) -> None:
    wire.control.followers = 2**64 - 2**48
    for n in range(1, 20):
        region.write(record(n), timeout=0)

"""How sleepers are woken on Windows, which has no futex between processes: by an event of each."""

import sys
import threading

import pytest

import typedshm
from helpers.peers import PATIENCE, Child, until
from helpers.shared_types import Pose
from helpers.wire import WORD_WAITING, Wire, instance_of
from typedshm.memory.names import locate

if sys.platform != "win32":
    pytest.skip("about Windows' own mechanisms", allow_module_level=True)

from helpers.system import NamedEvent


def waiter(pipe, count):
    def wait(region):
        return region.wait(after=1, timeout=60)

    with typedshm.attach("r", Pose) as region:
        threads = [threading.Thread(target=wait, args=(region,)) for _ in range(count)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    return "woken"


def sleepers() -> int:
    with Wire("r") as wire:
        return sum(bits.bit_count() for bits in wire.control.waiting_sleepers)


def test_every_sleeper_has_an_event_of_its_own() -> None:
    with typedshm.create("r", Pose) as region:
        region.write(Pose.zero())
        with Child(waiter, 4) as child:
            until(lambda: sleepers() == 4)
            region.write(Pose.zero())
            assert child.join() == "woken"
        assert sleepers() == 0


def test_a_write_wakes_every_sleeper_by_its_event() -> None:
    with typedshm.create("r", Pose) as region, Wire("r") as wire:
        events = {number: NamedEvent(f"{instance_of(locate('r').address)}!w{number}") for number in (3, 64, 511)}
        for number in events:
            wire.control.waiting_sleepers[number // 64] |= 1 << number % 64
        wire.control.head_word |= 1  # somebody sleeps
        region.write(Pose.zero())
        for event in events.values():
            assert event.is_set()
            event.close()


def test_giving_the_lock_back_wakes_one_sleeper() -> None:
    with typedshm.create("r", Pose) as region, Wire("r") as wire:
        events = {number: NamedEvent(f"{instance_of(locate('r').address)}!w{number}") for number in (3, 64)}
        for number in events:
            wire.control.writer_sleepers[number // 64] |= 1 << number % 64
        with region.lock():
            wire.control.word |= WORD_WAITING
        woken = [event.is_set() for event in events.values()]
        assert sum(woken) == 1
        for event in events.values():
            event.close()


def test_a_dead_sleepers_bit_is_cleared_by_the_next_wake_up() -> None:
    with typedshm.create("r", Pose) as region:
        region.write(Pose.zero())
        killed = Child(waiter, 3)
        until(lambda: sleepers() == 3)
        killed.kill()
        region.write(Pose.zero())
        assert sleepers() == 0


def test_a_new_sleeper_does_not_inherit_what_a_dead_one_waited_for() -> None:
    with typedshm.create("r", Pose) as region, Wire("r") as wire:
        region.write(Pose.zero())
        wire.control.writer_sleepers[0] = 1  # as one that died waiting for the lock leaves it
        thread = threading.Thread(target=region.wait, kwargs={"after": 1, "timeout": PATIENCE})
        thread.start()
        until(lambda: wire.control.waiting_sleepers[0])
        assert wire.control.writer_sleepers[0] == 0
        region.write(Pose.zero())
        thread.join()

"""A Timeout says who keeps the lock: the process, its command line, the thread."""

import os
import re
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import typedshm
from helpers import marks
from helpers.peers import Child
from helpers.shared_types import Record, record
from helpers.threads import InThread
from helpers.wire import WORD_OWNER, Wire
from typedshm import NamedMutex, Region

WAITED = r"^region 'record' timed out waiting for the writers' lock, held by "


@pytest.fixture
def region() -> Iterator[Region[Record]]:
    with typedshm.create("record", Record) as region:
        region.write(record(1))
        yield region


def hold(pipe: Any, block: str) -> None:
    with typedshm.attach("record", Record) as region, getattr(region, block)():
        pipe.send("held")
        pipe.recv()


def hold_mutex(pipe: Any) -> None:
    with NamedMutex("guard"):
        pipe.send("held")
        pipe.recv()


VERBS: dict[str, Callable[[Region[Record]], object]] = {
    "write": lambda region: region.write(record(2), timeout=0.01),
    "write at once": lambda region: region.write(record(2), timeout=0),
    "update": lambda region: region.update(timeout=0.01).__enter__(),
    "loan": lambda region: region.loan(timeout=0.01).__enter__(),
    "lock": lambda region: region.lock(timeout=0.01).__enter__(),
}


@pytest.mark.parametrize("block", ["lock", "update", "loan"])
@pytest.mark.parametrize("verb", VERBS)
def test_a_timeout_names_the_process_that_holds_the_lock(region: Region[Record], verb: str, block: str) -> None:
    with Child(hold, block) as child:
        child.expect("held")
        with pytest.raises(typedshm.Timeout, match=rf"{WAITED}process {child.pid}\b") as caught:
            VERBS[verb](region)
        assert region.info().lock_holder == child.pid
        if sys.platform == "linux":
            assert re.search(rf"process {child.pid} \(\S*py.*\)$", str(caught.value)), caught.value
        child.send()


@pytest.mark.parametrize("verb", VERBS)
def test_it_names_the_thread_if_that_is_one_of_this_process(region: Region[Record], verb: str) -> None:
    held, done = threading.Event(), threading.Event()

    def keep() -> None:
        with region.lock():
            held.set()
            done.wait()

    thread = threading.Thread(target=keep, name="slow consumer")
    thread.start()
    try:
        held.wait()
        words = rf"{WAITED}this process \({os.getpid()}\), in its thread 'slow consumer'$"
        with pytest.raises(typedshm.Timeout, match=words):
            VERBS[verb](region)
    finally:
        done.set()
        thread.join()
    VERBS["write"](region)


def test_it_names_the_main_thread_too(region: Region[Record]) -> None:
    words = rf"{WAITED}this process \(\d+\), in its thread 'MainThread'$"
    with region.lock(), pytest.raises(typedshm.Timeout, match=words):
        InThread(region.write, record(2), timeout=0.01).result()


def test_a_reader_that_has_to_wait_for_the_lock_names_it_too() -> None:
    """With one slot, a value that seems to be in the making is looked at under the lock."""
    with typedshm.create("record", Record, slots=1) as region, Wire("record") as wire:
        region.write(record(1))
        region.timeout = 0.01
        with Child(hold, "lock") as child:
            child.expect("held")
            wire.slot(1).mark = 1
            with pytest.raises(typedshm.Timeout, match=rf"{WAITED}process {child.pid}\b"):
                region.read()
            child.send()


@marks.byte_locks
def test_a_process_of_another_container_is_not_taken_for_this_one(region: Region[Record]) -> None:
    """Each container counts its processes from 1, so two of them have the same number."""
    with Wire("record") as wire, Child(hold, "lock") as child:
        child.expect("held")
        wire.control.presence[(wire.control.word & WORD_OWNER) - 1].pid = os.getpid()
        with pytest.raises(typedshm.Timeout, match=rf"{WAITED}process {os.getpid()}$"):
            region.write(record(2), timeout=0)
        child.send()


@pytest.mark.parametrize("name", ["guard"])
def test_who_releases_what_another_holds_is_told_who_does(name: str) -> None:
    mutex = NamedMutex(name)
    words = f"mutex '{name}' cannot be unlocked by a thread that does not hold the lock"
    with pytest.raises(typedshm.MisuseError, match=f"{words}$"):
        mutex.release()
    with Child(hold_mutex) as child:
        child.expect("held")
        assert mutex.owner == child.pid
        assert mutex.acquire(timeout=0) is False
        with pytest.raises(typedshm.MisuseError, match=rf"{words}; it is held by process {child.pid}\b"):
            mutex.release()
        child.send()
    words += r"; it is held by this process \(\d+\), in its thread 'MainThread'$"
    with mutex, pytest.raises(typedshm.MisuseError, match=words):
        InThread(mutex.release).result()
    with NamedMutex(name) as other:
        words = words.partition(", in its")[0] + ", in this thread$"
        with pytest.raises(typedshm.MisuseError, match=words):
            mutex.release()
    other.close()
    mutex.close()

"""NamedMutex: exclusion between processes and threads, and what happens when the owner dies."""

import multiprocessing
import os
import pickle
import threading
from pathlib import Path

import pytest

import typedshm
from helpers import marks
from helpers.peers import Child, SharedBytes, sched_yield, until
from helpers.threads import InThread
from helpers.wire import WORD_WAITING, Wire
from typedshm import NamedMutex
from typedshm.memory.attachment import apart
from typedshm.memory.names import locate


def mutex_apart() -> NamedMutex:
    """Open the mutex as another process would: without a share in what this one holds already."""
    with apart():
        return NamedMutex("guard")


def test_it_is_taken_and_given_back():
    with NamedMutex("guard") as mutex:
        assert (mutex.name, mutex.held, mutex.owner, mutex.recovered) == ("guard", True, os.getpid(), False)
        assert f"owner {os.getpid()}" in repr(mutex)
    assert (mutex.held, mutex.owner) == (False, None)
    assert "free" in repr(mutex)
    mutex.close()
    mutex.close()
    assert "closed" in repr(mutex)
    with pytest.raises(typedshm.Closed, match="'guard' is closed"):
        mutex.acquire()


def test_it_re_enters_and_counts():
    mutex, other = NamedMutex("guard"), mutex_apart()
    assert mutex.acquire()
    assert mutex.acquire(timeout=0)
    mutex.release()
    assert mutex.held
    assert not other.acquire(timeout=0)
    assert not other.acquire(timeout=0.01)
    assert other.owner == os.getpid()
    mutex.release()
    assert other.acquire(timeout=0)
    assert not mutex.acquire(timeout=0)
    other.release()
    for handle in (mutex, other):
        with pytest.raises(typedshm.MisuseError, match="does not hold the lock"):
            handle.release()
        handle.close()


def test_it_is_not_closed_while_it_is_held():
    with NamedMutex("guard") as mutex, pytest.raises(typedshm.MisuseError, match="release it before close"):
        mutex.close()
    mutex.close()


def test_a_waiting_thread_is_sent_home_by_close():
    owner, waiter = NamedMutex("guard"), mutex_apart()
    owner.acquire()
    waiting = InThread(waiter.acquire)
    with Wire("guard", "mutex") as wire:
        until(lambda: wire.control.word & WORD_WAITING)
    waiter.close()
    with pytest.raises(typedshm.Closed):
        waiting.result()
    owner.release()
    owner.close()


def test_threads_of_one_handle_exclude_each_other():
    mutex = NamedMutex("guard")
    mutex.acquire()
    tried: list[bool] = []
    thread = threading.Thread(target=lambda: tried.append(mutex.acquire(timeout=0.01)))
    thread.start()
    thread.join()
    assert tried == [False]
    mutex.release()
    mutex.close()


# ---- counting -----------------------------------------------------------------------------------------------------

THREADS, TURNS = 3, 150


def count(mutex, counter):
    """Raise a counter in a way that loses counts unless it is done by one at a time."""
    for _ in range(TURNS):
        with mutex:
            value = int.from_bytes(counter[:8], "little")
            sched_yield()
            counter[:8] = (value + 1).to_bytes(8, "little")


def count_in_threads(pipe, counter):
    pipe.recv()
    with_own = NamedMutex("guard")
    threads = [threading.Thread(target=count, args=(with_own, counter)) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with_own.close()


def test_no_count_is_lost_between_processes_and_threads():
    counter = SharedBytes(8)
    mutex = NamedMutex("guard")
    children = [Child(count_in_threads, counter) for _ in range(3)]
    for child in children:
        child.send()
    count(mutex, counter)
    for child in children:
        child.join()
    assert int.from_bytes(counter[:8], "little") == TURNS * (3 * THREADS + 1)
    mutex.close()


def take_handle(mutex, pipe):
    with mutex:
        pipe.send(mutex.owner == os.getpid())
        pipe.recv()
    mutex.close()


def test_it_pickles_as_a_handle():
    with NamedMutex("guard") as mutex:
        copy = pickle.loads(pickle.dumps(mutex))
        assert (copy.owner, copy.held) == (os.getpid(), False)
        assert InThread(copy.acquire, timeout=0).result() is False
        copy.close()
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=take_handle, args=(mutex, theirs))
    process.start()
    assert ours.recv() is True
    assert (mutex.owner, mutex.acquire(timeout=0)) == (process.pid, False)
    ours.send(None)
    process.join()
    assert mutex.acquire(timeout=0)
    assert not mutex.recovered
    mutex.release()
    mutex.close()


# ---- the owner's death --------------------------------------------------------------------------------------------


def take_and_stay(pipe, entries=1):
    mutex = NamedMutex("guard")
    for _ in range(entries):
        mutex.acquire()
    pipe.send("taken")
    pipe.recv()


@pytest.mark.parametrize("entries", [1, 2])
def test_the_next_owner_learns_of_a_death(entries):
    with Child(take_and_stay, entries) as child:
        mutex, other = NamedMutex("guard"), mutex_apart()
        child.expect("taken")
        assert mutex.owner == child.pid
        assert not mutex.acquire(timeout=0)
        child.kill()
    assert mutex.owner is None
    assert mutex.acquire(timeout=30)
    assert mutex.recovered
    mutex.release(repaired=False)  # still as the dead left it
    assert other.acquire(timeout=0)
    assert other.recovered
    other.release()
    assert mutex.acquire(timeout=0)
    assert not mutex.recovered
    mutex.release()
    mutex.close()
    other.close()


def fail(mutex, recovered):
    with mutex:
        assert mutex.recovered == recovered
        raise KeyError


def test_a_block_that_raises_has_repaired_nothing():
    with Child(take_and_stay) as child:
        mutex = NamedMutex("guard")
        child.expect("taken")
        child.kill()
    with pytest.raises(KeyError):
        fail(mutex, recovered=True)
    with mutex:
        assert mutex.recovered
    with mutex:
        assert not mutex.recovered
    with pytest.raises(KeyError):
        fail(mutex, recovered=False)
    with mutex:
        assert not mutex.recovered, "nobody died"
    mutex.close()


def test_a_waiter_gets_it_when_the_owner_dies():
    with Child(take_and_stay) as child:
        mutex = NamedMutex("guard")
        child.expect("taken")

        def wait():
            with mutex:
                return mutex.recovered

        waiting = InThread(wait)
        with Wire("guard", "mutex") as wire:
            until(lambda: wire.control.word & WORD_WAITING)
        child.kill()
        assert waiting.result()
    mutex.close()


def test_a_dead_owner_is_noticed_by_who_takes_its_presence_entry():
    """The entry of the dead is the first that is free; the newcomer must not take itself for the owner."""
    with Child(take_and_stay) as child:
        child.expect("taken")
        mutex = NamedMutex("guard")
        child.kill()
    newcomer = mutex_apart()
    assert newcomer.owner is None
    assert not newcomer.held
    assert mutex.acquire(timeout=0)
    assert mutex.recovered
    assert not newcomer.acquire(timeout=0)
    mutex.release()
    mutex.close()
    newcomer.close()


def test_when_all_have_died_it_starts_anew():
    with Child(take_and_stay) as child:
        child.expect("taken")
        child.kill()
    assert marks.WINDOWS or Path(locate("guard", kind="mutex").address).exists(), "what is left behind"
    with NamedMutex("guard") as mutex:
        assert not mutex.recovered
    mutex.close()

"""One attachment for each process and region: all handles of a process share it, and each handle is its own."""

import contextlib
import dis
import gc
import itertools
import os
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import typedshm
from helpers import marks
from helpers.peers import PATIENCE, Child, until
from helpers.shared_types import Frame, Record, record
from helpers.wire import Presences
from typedshm import Closed, MisuseError, NamedMutex, RegionFull, Timeout, array
from typedshm.memory import lifecycle
from typedshm.testing.inspection import attachment_of


def handles(count: int, **options: Any) -> list[typedshm.Region[Record]]:
    """Several handles of one new region."""
    first = typedshm.create("region", Record, **options)
    return [first, *(typedshm.attach("region", Record) for _ in range(count - 1))]


@pytest.fixture
def two() -> Any:
    one, other = handles(2, slots=4)
    with one, other:
        yield one, other


def in_thread(function: Any, *args: Any) -> "tuple[threading.Thread, list[Any]]":
    """Call a function in another thread; what it returned, or raised, is in the list at its end."""
    found: list[Any] = []

    def run() -> None:
        try:
            found.append(function(*args))
        except BaseException as error:
            found.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    return thread, found


descriptors = pytest.mark.skipif(
    marks.WINDOWS or not os.path.isdir("/proc/self/fd"), reason="no /proc/self/fd to count descriptors in"
)


def open_descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


# ---- what is shared ------------------------------------------------------------------------------------------------


@descriptors
def test_a_thousand_handles_are_one_open_file_and_one_participant() -> None:
    before = open_descriptors()
    regions = handles(1000)
    assert open_descriptors() == before + 1
    info = regions[-1].info()
    assert (info.writers, info.readers) == ((), (os.getpid(),))
    regions[500].write(record(1))
    info = regions[-1].info()
    assert (info.writers, info.readers) == ((os.getpid(),), ())
    assert len({id(attachment_of(region)) for region in regions}) == 1
    for region in regions:
        region.close()
    assert open_descriptors() == before
    assert typedshm.regions() == []


@descriptors
def test_read_only_handles_share_one_of_their_own() -> None:
    before = open_descriptors()
    regions = [*handles(3), *(typedshm.attach("region", Record, readonly=True) for _ in range(3))]
    assert open_descriptors() == before + 2
    assert {attachment_of(region).lock is None for region in regions[3:]} == {True}
    for region in regions:
        region.close()
    assert open_descriptors() == before


def test_more_handles_than_there_are_places_for_processes() -> None:
    with contextlib.ExitStack() as stack:
        regions = [stack.enter_context(region) for region in handles(600)]
        for n, region in enumerate(regions[::100], 1):
            region.write(record(n))
        assert regions[0].read().a == 6


def test_what_a_handle_alone_has(two: Any) -> None:
    one, other = two
    one.timeout = 3.5
    assert other.timeout is None
    one.write(record(1))
    one.read()
    with pytest.raises(Timeout):
        one.wait(timeout=0)
    assert other.wait(timeout=PATIENCE).a == 1, "each has seen its own versions"
    with typedshm.attach("region") as described:
        assert described.layout.id == one.layout.id
        assert type(described.read()) is not Record


def test_a_file_has_one_attachment_however_its_path_is_written(tmp_path: Path, monkeypatch: Any) -> None:
    (tmp_path / "folder").mkdir()
    monkeypatch.chdir(tmp_path)
    with typedshm.create(tmp_path / "file", Record) as one, typedshm.attach(Path("folder/../file"), Record) as other:
        assert attachment_of(one) is attachment_of(other)
        assert other.name == Path("folder/../file")


def test_a_new_region_of_an_old_name_has_an_attachment_of_its_own() -> None:
    with typedshm.create("region", Record) as old:
        old.write(record(1))
        typedshm.unlink("region")
        with typedshm.create("region", Record) as new, typedshm.attach("region", Record) as newer:
            assert attachment_of(old) is not attachment_of(new) is attachment_of(newer)
            new.write(record(2))
            assert (old.read().a, newer.read().a) == (1, 2)


def test_pages_that_one_handle_asks_for_stay_for_all() -> None:
    with typedshm.create("region", Record, prefault=False) as one:
        assert attachment_of(one).paging.prefault is False
        with typedshm.attach("region", Record, prefault=True):
            assert attachment_of(one).paging.prefault is True
        assert attachment_of(one).paging.prefault is True


# ---- one of several is closed --------------------------------------------------------------------------------------


@pytest.mark.parametrize("end", ["close", "collect"])
@pytest.mark.parametrize("which", [0, 1])
def test_the_end_of_one_leaves_the_other_working(which: int, end: str) -> None:
    regions = handles(2, slots=4)
    ended, kept = regions[which], regions[1 - which]
    ended.write(record(1))
    if end == "close":
        ended.close()
        assert ended.closed
        for verb in (ended.read, ended.update, ended.borrow, ended.wait, ended.lock):
            with pytest.raises(Closed), contextlib.ExitStack() as stack:
                stack.enter_context(verb())
        with pytest.raises(Closed):
            ended.write(record(2))
    del ended
    regions.clear()
    gc.collect()
    with kept:
        assert not kept.closed
        kept.write(record(2))
        with kept.update() as block:
            block.a += 1
        with kept.borrow() as view:
            assert view.a == 3
        with kept.lock(timeout=0):
            assert kept.info().lock_holder == os.getpid()
        assert kept.wait(after=0).a == 3
    assert typedshm.regions() == []


def test_close_is_refused_to_the_handle_that_holds_the_lock_only(two: Any) -> None:
    one, other = two
    with one.lock():
        with pytest.raises(MisuseError):
            one.close()
        other.close()
        one.write(record(1))
    with one.update() as block:
        block.a = 2
        with pytest.raises(MisuseError):
            one.close()
    assert one.read().a == 2


def test_close_sends_home_who_waits_for_the_lock_through_that_handle(two: Any) -> None:
    one, other = two
    third = typedshm.attach("region", Record)
    with one.lock():
        waiting = [in_thread(handle.write, record(n)) for n, handle in enumerate((other, third), 1)]
        third.close()
        thread, found = waiting[1]
        thread.join(PATIENCE)
        assert isinstance(found[0], Closed)
        assert waiting[0][0].is_alive(), "the other handle's thread goes on waiting"
    waiting[0][0].join(PATIENCE)
    assert waiting[0][1] == [None]
    assert one.read().a == 1


def test_arrays_of_a_closed_handle_keep_what_they_look_at(two: Any) -> None:
    one, other = two
    other.close()
    pictures = typedshm.create("pictures", array(np.uint8, 640), slots=4)
    pictures.write(np.full(640, 1, np.uint8))
    with pictures.borrow() as view:
        kept = view
    pictures.close()
    with typedshm.attach("pictures") as again:
        for n in range(2, 20):
            again.write(np.full(640, n, np.uint8))
        assert (kept == 1).all()
        assert again.info().pinned == 1
        del view, kept
        assert again.info().pinned == 0
        with again.borrow() as view:
            assert (view == 19).all()
            assert again.info().copies == 0
        del view
    assert [entry.name for entry in typedshm.regions()] == ["region"]
    assert one.read is not None


def test_arrays_alone_keep_the_region_until_the_last_goes() -> None:
    region = typedshm.create("pictures", array(np.uint8, 640), slots=4)
    region.write(np.full(640, 1, np.uint8))
    with region.borrow() as view:
        kept = view
    region.close()
    attachment = attachment_of(region)
    assert not attachment.closed
    del view, kept
    assert attachment.closed
    assert typedshm.regions() == []


# ---- pins ----------------------------------------------------------------------------------------------------------


def test_one_handles_borrow_ends_and_anothers_stays_whole(two: Any) -> None:
    one, other = two
    one.write(record(1))
    with other.borrow() as kept:
        with one.borrow() as view:
            assert view.a == 1
        for n in range(2, 30):
            one.write(record(n))
        assert kept == record(1)
        assert one.info().pinned == 1
    assert one.info().pinned == 0


# ---- the lock, in one thread ---------------------------------------------------------------------------------------


def test_two_handles_in_one_thread_take_the_lock_as_one(two: Any) -> None:
    one, other = two
    with one.lock(timeout=0), other.lock(timeout=0):
        other.write(record(1), timeout=0)
        one.write(record(2), timeout=0)
        with other.update(timeout=0) as block:
            block.a = 3
    assert one.info().lock_holder is None
    assert one.read().a == 3


def enter(block: Any) -> None:
    with block:
        pass


verbs: dict[str, Any] = {
    "update": lambda region: enter(region.update()),
    "loan": lambda region: enter(region.loan()),
    "write": lambda region: region.write(record(2)),
}


@pytest.mark.parametrize("outer", ["update", "loan"])
@pytest.mark.parametrize("inner", verbs)
def test_a_block_within_a_block_of_another_handle_is_misuse(two: Any, outer: str, inner: str) -> None:
    one, other = two
    with getattr(one, outer)(timeout=0) as block:
        block.a = 1
        with pytest.raises(MisuseError):
            verbs[inner](other)
    assert other.read().a == 1


def test_locks_of_two_handles_are_given_back_in_any_order(two: Any) -> None:
    one, other = two
    first, second = one.lock(), other.lock()
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert one.info().lock_holder == os.getpid()
    thread, found = in_thread(lambda: typedshm.attach("region", Record).write(record(1), timeout=0))
    thread.join(PATIENCE)
    assert isinstance(found[0], Timeout), "the second still has it"
    with pytest.raises(MisuseError):
        first.__exit__(None, None, None)
    second.__exit__(None, None, None)
    assert one.info().lock_holder is None


def test_another_thread_waits_whichever_handle_it_has(two: Any) -> None:
    one, other = two
    with one.lock():
        thread, found = in_thread(lambda: other.write(record(1), timeout=0))
        thread.join(PATIENCE)
        assert isinstance(found[0], Timeout)
    other.write(record(1), timeout=0)


def test_a_mutex_of_two_names_reenters() -> None:
    one, other = NamedMutex("guard"), NamedMutex("guard")
    assert one.acquire(timeout=0)
    assert other.acquire(timeout=0)
    assert one.owner == other.owner == os.getpid()
    one.release()
    assert (one.held, other.held) == (False, True)
    with pytest.raises(MisuseError):
        one.release()
    with pytest.raises(MisuseError):
        other.close()
    one.close()
    thread, found = in_thread(lambda: NamedMutex("guard").acquire(timeout=0))
    thread.join(PATIENCE)
    assert found == [False]
    other.release()
    assert other.owner is None
    with other:
        assert other.held
    other.close()


@pytest.mark.parametrize("thread", ["same", "another"])
@pytest.mark.parametrize("count", [1, 2])
def test_a_mutex_that_is_dropped_while_it_is_held_gives_back_what_it_took(count: int, thread: str) -> None:
    one, other = NamedMutex("guard"), [NamedMutex("guard")]
    for _ in range(count):
        assert other[0].acquire(timeout=0)
    if thread == "same":
        other.clear()
    else:
        in_thread(other.clear)[0].join(PATIENCE)
    gc.collect()
    waiter, found = in_thread(lambda: (one.acquire(timeout=0), one.release()))
    waiter.join(PATIENCE)
    assert found == [(True, None)]
    assert one.recovered is False, "no process died"
    one.close()
    assert list(lifecycle.existing("user", "mutex")) == []


def test_whoever_finds_a_dead_owner_is_told_by_the_handle_that_found_it() -> None:
    with NamedMutex("guard") as one:
        pass
    other = NamedMutex("guard")

    child = Child(die_holding)
    child.expect("held")
    child.kill()
    assert other.acquire(timeout=PATIENCE)
    assert (other.recovered, one.recovered) == (True, False)
    other.release()
    assert one.acquire(timeout=0)
    assert (other.recovered, one.recovered) == (True, False)
    one.release()


def die_holding(pipe: Any) -> None:
    with NamedMutex("guard"):
        pipe.send("held")
        pipe.recv()


# ---- threads -------------------------------------------------------------------------------------------------------


def open_and_close(rounds: int) -> int:
    """Open, use and close a handle many times; returns how many reads were whole."""
    whole = 0
    for n in range(rounds):
        with typedshm.open("region", Record, slots=4) as region:
            region.write(record(n))
            with region.borrow() as view:
                whole += view == record(view.a)
    return whole


def test_handles_come_and_go_in_many_threads() -> None:
    threads = [in_thread(open_and_close, 200) for _ in range(4)]
    for thread, _ in threads:
        thread.join(PATIENCE)
    assert [found for _, found in threads] == [[200]] * 4
    assert typedshm.regions() == []


def test_the_last_handles_are_closed_at_once() -> None:
    for _ in range(50):
        regions = handles(4)
        attachment = attachment_of(regions[0])
        barrier = threading.Barrier(4)

        def close(region: Any, barrier: threading.Barrier = barrier) -> None:
            barrier.wait()
            region.close()

        threads = [in_thread(close, region) for region in regions]
        for thread, _ in threads:
            thread.join(PATIENCE)
        assert [found for _, found in threads] == [[None]] * 4
        assert attachment.closed
    assert typedshm.regions() == []


# ---- other processes -----------------------------------------------------------------------------------------------


def look(pipe: Any, ready: str) -> "tuple[int, ...]":
    with typedshm.attach("region", Record) as one, typedshm.attach("region", Record) as other:
        assert attachment_of(one) is attachment_of(other)
        other.write(record(1))
        pipe.send(ready)
        pipe.recv()
        return one.info().writers


def test_each_process_is_listed_once(two: Any) -> None:
    one, _ = two
    child = Child(look, "written")
    child.expect("written")
    info = one.info()
    assert (info.writers, info.readers) == ((child.pid,), (os.getpid(),))
    child.send()
    assert child.join() == (child.pid,)
    until(lambda: one.info().writers == ())


@marks.fork
def test_a_forked_child_has_one_attachment_for_all_its_handles(two: Any) -> None:
    one, other = two
    one.write(record(1))
    block = one.update()
    block.__enter__()

    def in_child(pipe: Any) -> "tuple[int, int, tuple[int, ...]]":
        with pytest.raises(MisuseError):
            block.__exit__(None, None, None)
        pipe.send("forked")
        pipe.recv()
        other.write(record(2), timeout=PATIENCE)
        with one.lock(timeout=0), other.lock(timeout=0):
            pass
        one.close()
        info = other.info()
        return other.read().a, attachment_of(other).handles, info.writers

    child = Child(in_child)
    child.expect("forked")
    block.__exit__(None, None, None)
    child.send()
    value, count, writers = child.join()
    assert (value, count) == (2, 1)
    assert sorted(writers) == sorted((os.getpid(), child.pid))
    assert one.info().writers == (os.getpid(),)


@marks.fork
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_fork_while_other_threads_open_and_close(two: Any, monkeypatch: Any) -> None:
    one, _ = two
    one.write(record(1))
    raised: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", raised.append)  # which gets what a fork hook raises
    more = [typedshm.create(f"more {n}", Record) for n in range(100)]
    over = threading.Event()

    def come_and_go(name: str) -> None:
        while not over.is_set():
            typedshm.open(name, Record).close()

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    threads = [in_thread(come_and_go, name) for name in ("brief", "short")]
    try:
        with one.borrow():
            for _ in range(50):
                if not (pid := os.fork()):
                    os._exit(0)
                os.waitpid(pid, 0)
    finally:
        sys.setswitchinterval(interval)
        over.set()
        for thread, _ in threads:
            thread.join(PATIENCE)
    for region in more:
        region.close()
    assert (raised, [found for _, found in threads]) == ([], [[None]] * 2)
    assert [entry.name for entry in typedshm.regions()] == ["region"]  # a child may have been the last to leave others


@marks.fork
@pytest.mark.parametrize("verb", ["update", "loan"])
def test_what_a_child_looks_into_stays_its_own_if_it_gets_no_attachment(verb: str) -> None:
    def frame(n: int) -> Frame:
        value = Frame.zero()
        value.image[:] = n
        return value

    with typedshm.create("frames", Frame, slots=4) as region:  # large: a block's value is in the slot
        region.write(frame(1))
        with region.borrow() as view:
            kept = [view.image]
        lock = attachment_of(region).lock
        assert lock is not None
        with getattr(region, verb)() as value:

            def in_child(pipe: Any) -> "tuple[bool, bool]":
                with pytest.raises(Closed):
                    value.image[:] = 9
                pipe.send("forked")
                pipe.recv()
                return attachment_of(region).lost_in_fork, bool((kept[0] == 1).all())

            with Presences("frames", set(range(512)) - {lock.entry}):
                child = Child(in_child)
                child.expect("forked")
            value.image[:] = 2
        assert (region.read().image == 2).all()
        kept.clear()
        for n in range(3, 20):
            region.write(frame(n))
        child.send()
        assert child.join() == (True, True)


def attach_in_vain(pipe: Any) -> None:
    with pytest.raises(RegionFull, match="512 places for processes"):
        typedshm.attach("region", Record)


def test_a_full_table_of_participants_is_told_of_processes() -> None:
    with typedshm.create("region", Record) as region:
        lock = attachment_of(region).lock
        assert lock is not None
        with Presences("region", set(range(512)) - {lock.entry}):
            with typedshm.attach("region", Record) as other:
                other.write(record(1))
            Child(attach_in_vain).join()


def test_the_collector_closes_the_last_handle_while_the_next_one_joins(monkeypatch: Any) -> None:
    region = typedshm.create("region", Record)
    monkeypatch.setattr(attachment_of(region), "repage", lambda _: region.close())  # where it happens to run
    with typedshm.open("region", Record) as other:
        assert attachment_of(other) is not attachment_of(region)
        other.write(record(1))


# ---- interruptions -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("step", ["close", "end", "_leave"])
def test_a_close_that_is_interrupted_can_be_done_again(step: str, monkeypatch: Any) -> None:
    """As by a signal's handler that raises; meanwhile nobody joins what is half closed."""
    region = typedshm.create("region", Record)
    attachment = attachment_of(region)

    def interrupt() -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(attachment, step, interrupt)
        with pytest.raises(KeyboardInterrupt):
            region.close()
    with typedshm.open("region", Record) as other:
        other.write(record(1))
        assert other.info().writers == (os.getpid(),)
        region.close()
        assert attachment.closed == (attachment is not attachment_of(other))
        other.write(record(2))
    assert attachment.closed
    assert typedshm.regions() == []


@descriptors
def test_a_close_that_is_interrupted_while_it_leaves_closes_its_descriptor(monkeypatch: Any) -> None:
    before = open_descriptors()
    region = typedshm.create("region", Record)

    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(typedshm.memory.posix.attachment, "leave", interrupt)
        with pytest.raises(KeyboardInterrupt):
            region.close()
    region.close()
    assert open_descriptors() == before
    assert typedshm.regions() == []


@descriptors
def test_a_descriptor_has_an_owner_behind_every_call() -> None:
    """That is where a signal's handler may raise: a descriptor that is lost keeps its locks."""
    create = typedshm.memory.posix.attachment.FileAttachment.__init__.__code__
    calls = [at for before, at in itertools.pairwise(dis.get_instructions(create)) if before.opname.startswith("CALL")]
    before = open_descriptors()
    for call in calls:

        def trace(frame: Any, event: str, _: object, call: Any = call) -> Any:
            if frame.f_code is not create:
                return None
            frame.f_trace_opcodes = True
            if event == "opcode" and frame.f_lasti == call.offset:
                sys.settrace(None)
                raise KeyboardInterrupt
            return trace

        previous = sys.gettrace()
        sys.settrace(trace)
        try:
            with pytest.raises(KeyboardInterrupt):
                typedshm.create("region", Record)
        finally:
            sys.settrace(previous)
        gc.collect()
        assert open_descriptors() == before, f"line {call.positions.lineno}"
        assert typedshm.regions() == []

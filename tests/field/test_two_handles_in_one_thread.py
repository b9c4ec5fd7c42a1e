"""Two parts of a program open the same region or mutex, and one calls the other: it must not wait for itself.

Everything here is called with time for ever, in a process that would be ended if it hung.
"""

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

import typedshm
from helpers import marks
from helpers.peers import PATIENCE, Child
from helpers.shared_types import Record, record
from helpers.threads import InThread
from typedshm import NamedMutex, Region

Handles = tuple[Region[Record], Region[Record]]


@pytest.fixture(params=["name", "file", "machine"])
def handles(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Handles]:
    name: Any = tmp_path / "record" if request.param == "file" else "record"
    scope: Any = "machine" if request.param == "machine" else "user"
    with (
        typedshm.create(name, Record, scope=scope) as one,
        typedshm.attach(name, Record, scope=scope) as other,
    ):
        one.write(record(1))
        yield one, other


ENTER: dict[str, Callable[[Region[Record]], AbstractContextManager[Any]]] = {
    "lock": lambda region: region.lock(),
    "update": lambda region: region.update(),
    "loan": lambda region: region.loan(),
}


def write(verb: str, region: Region[Record]) -> None:
    """Write by a verb, of a block without a change; or take the lock."""
    if verb == "write":
        region.write(record(2))
    else:
        with ENTER[verb](region):
            pass


@pytest.mark.parametrize("inner", ["lock", "update", "loan", "write"])
def test_in_a_lock_of_one_handle_the_other_does_everything(handles: Handles, inner: str) -> None:
    one, other = handles
    for outer_handle, inner_handle in ((one, other), (other, one), (one, one)):
        with outer_handle.lock():
            before = outer_handle.version
            write(inner, inner_handle)
            assert inner_handle.version == before + (inner != "lock")
            assert outer_handle.info().lock_holder, "the outer lock is still held"
        assert one.info().lock_holder is None


@pytest.mark.parametrize("outer", ["update", "loan"])
@pytest.mark.parametrize("inner", ["update", "loan", "write"])
def test_a_write_within_a_block_is_refused_at_once(handles: Handles, outer: str, inner: str) -> None:
    """The block works on a copy of the newest version, and would overwrite what was published meanwhile."""
    one, other = handles
    words = "has an open update\\(\\) or loan\\(\\) block in this thread; end it first"
    for outer_handle, inner_handle in ((one, other), (other, one), (one, one)):
        before = outer_handle.version
        with ENTER[outer](outer_handle), pytest.raises(typedshm.MisuseError, match=words):
            write(inner, inner_handle)
        assert one.version == before + 1, "the outer block is published as if nothing had been"
    with one.update(timeout=0), other.lock(timeout=0):
        pass


def test_a_handle_that_is_opened_and_closed_within_the_block(handles: Handles) -> None:
    one, _ = handles
    name, scope = one.name, one.info().scope
    with one.lock():
        with typedshm.attach(name, Record, scope=scope) as inner:
            inner.write(record(2))
            with inner.lock(), inner.update() as t:
                t.a = 3
        assert one.info().lock_holder, "closing the inner one has not given back the outer one's lock"
        with typedshm.open(name, Record, scope=scope) as inner:
            with inner.lock(), pytest.raises(typedshm.MisuseError, match="end the open block or lock before close"):
                inner.close()
            inner.write(record(3))
    assert one.read().a == 3


def test_one_that_only_reads_is_not_concerned(handles: Handles) -> None:
    one, _ = handles
    with typedshm.attach(one.name, Record, scope=one.info().scope, readonly=True) as reader:
        with one.lock():
            one.write(record(2))
            assert (reader.read(), reader.wait(after=1)) == (record(2), record(2))
        with one.update() as t:
            t.a = 7
            assert reader.read() == record(2)
            with reader.borrow() as looked_at:
                assert looked_at == record(2)
            with pytest.raises(typedshm.RegionRefused, match="readonly=True"):
                reader.write(record(3))
            with pytest.raises(typedshm.RegionRefused, match="readonly=True"), reader.lock():
                raise AssertionError("it is in")
        assert reader.read().a == 7


def test_another_thread_waits_whichever_handle_it_has(handles: Handles) -> None:
    one, other = handles
    with one.lock():
        with pytest.raises(typedshm.Timeout, match="held by this process"):
            InThread(other.write, record(2), timeout=0.01).result()
        waiting = InThread(other.write, record(2))
    waiting.result()
    assert one.version == 2


@marks.fork
def test_a_child_of_a_fork_is_another_process(handles: Handles) -> None:
    one, other = handles

    def in_child(pipe: Any) -> object:
        pipe.recv()
        with pytest.raises(typedshm.Timeout):
            other.write(record(2), timeout=0.01)
        pipe.send("refused")
        with one.lock(timeout=PATIENCE), other.lock():  # and here they are one again
            other.write(record(3))
        return one.version

    with Child(in_child) as child, one.lock():
        other.write(record(2))
        child.send()
        child.expect("refused")
    assert child.result == 3


def test_two_tasks_are_told_apart_whichever_handle_they_have(handles: Handles) -> None:
    one, other = handles

    async def main() -> None:
        entered, looked = asyncio.Event(), asyncio.Event()

        async def hold(block: str) -> None:
            with ENTER[block](one):
                entered.set()
                await looked.wait()

        for block in ENTER:
            entered.clear()
            looked.clear()
            holding = asyncio.create_task(hold(block))
            await entered.wait()
            for inner in ENTER.values():
                with pytest.raises(typedshm.MisuseError, match="another task of this thread"), inner(other):
                    raise AssertionError("it is in")
            with pytest.raises(typedshm.MisuseError, match="another task of this thread"):
                other.write(record(2))
            looked.set()
            await holding
            other.write(record(2))

    asyncio.run(main())


# ---- mutexes -------------------------------------------------------------------------------------------------------


@pytest.fixture(params=["user", "machine"])
def mutexes(request: pytest.FixtureRequest) -> Iterator[tuple[NamedMutex, NamedMutex]]:
    one, other = (NamedMutex("guard", scope=request.param) for _ in range(2))
    with contextlib.closing(one), contextlib.closing(other):
        yield one, other


def test_a_mutex_is_taken_again_through_another_object(mutexes: tuple[NamedMutex, NamedMutex]) -> None:
    one, other = mutexes
    with one, other, one, other:
        assert (one.held, other.held) == (True, True)
        with NamedMutex("guard", scope=one.__reduce__()[1][1]):  # type: ignore[index]
            pass
        assert one.owner is not None
    assert (one.held, other.held, one.owner) == (False, False, None)
    assert one.acquire()
    assert other.acquire()
    one.release()
    assert one.owner is not None, "the other has it still"
    other.release()
    assert one.owner is None


def test_each_object_gives_back_what_was_taken_through_it(mutexes: tuple[NamedMutex, NamedMutex]) -> None:
    one, other = mutexes
    with one:
        with pytest.raises(typedshm.MisuseError, match="cannot be unlocked by a thread that does not hold the lock"):
            other.release()
        assert (one.held, other.held) == (True, False)
    with one, pytest.raises(typedshm.MisuseError, match="is held; release it before close"):
        one.close()
    with one:
        other.close()


def test_mutexes_of_two_scopes_and_a_region_of_the_name_are_three(mutexes: tuple[NamedMutex, NamedMutex]) -> None:
    one, _ = mutexes
    other = NamedMutex("guard", scope="machine" if one.__reduce__()[1][1] == "user" else "user")  # type: ignore[index]
    with contextlib.closing(other), typedshm.create("guard", Record) as region, one:
        assert not other.held
        InThread(lambda: other.acquire(timeout=0) and other.release()).result()
        region.write(record(1))

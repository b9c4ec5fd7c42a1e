"""The end of a block that holds a mutex, however it is missed: what was taken is given back."""

import _thread
import contextlib
import functools
import gc
import inspect
import signal
import sys
import threading
import types
import weakref
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

import pytest

import typedshm
from helpers import marks
from helpers.peers import ALARM, Child
from helpers.shared_types import Record, record
from typedshm import NamedMutex, _native, current_task
from typedshm.testing.inspection import handle_of


class _InterruptionError(Exception):
    pass


class Held:
    """Something to be held by a block, and how often this thread has it."""

    def __init__(self, enter: Callable[[], AbstractContextManager[Any]], other: NamedMutex | typedshm.Region[Record]):
        self.enter = enter
        self._other = other

    def taken_elsewhere(self) -> bool:
        """Say whether another thread can have it now, and give it back there."""
        seen: list[bool] = []

        def take() -> None:
            try:
                if isinstance(self._other, NamedMutex):
                    seen.append(self._other.acquire(timeout=0))
                    if seen[-1]:
                        self._other.release()
                else:
                    with self._other.lock(timeout=0):
                        seen.append(True)
            except typedshm.Timeout:
                seen.append(False)

        thread = threading.Thread(target=take)
        thread.start()
        thread.join()
        return seen == [True]


@pytest.fixture(params=["lock", "mutex", "exact mutex"])
def held(request: pytest.FixtureRequest) -> Iterator[Held]:
    if request.param == "lock":
        with typedshm.create("record", Record) as region:
            region.write(record(1))
            yield Held(region.lock, region)
    elif request.param == "exact mutex" and not marks.WINDOWS:
        pytest.skip("only Windows has mutexes that programs know by exact name")
    else:
        exact = request.param == "exact mutex"
        mutex = NamedMutex("Local\\typedshm_guard" if exact else "guard", exact=exact)
        yield Held(lambda: mutex, mutex)
        mutex.close()


@pytest.fixture
def interrupt_next(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], None]]:
    """A function that has a signal handler raise in the next block: on CPython 3.14 and later between __enter__ and it.

    The lock asks for the running task before it is taken, and nobody looks at signals until __enter__ has returned.
    """

    monkeypatch.setitem(sys.modules, "trio", types.ModuleType("trio"))  # or it would not ask

    def interrupt(*_: object) -> None:
        _native.register_running_task(current_task.running)
        raise _InterruptionError

    before = signal.signal(ALARM, interrupt)
    yield lambda: _native.register_running_task(functools.partial(_thread.interrupt_main, ALARM))
    _native.register_running_task(current_task.running)
    signal.signal(ALARM, before)


def test_an_exception_between_enter_and_the_block_leaves_nothing_held(
    held: Held, interrupt_next: Callable[[], None]
) -> None:
    for _ in range(3):
        interrupt_next()
        with pytest.raises(_InterruptionError), held.enter():
            pass
        assert held.taken_elsewhere()


def test_nor_where_a_name_keeps_the_guard(held: Held, interrupt_next: Callable[[], None]) -> None:
    guard = held.enter()
    for _ in range(3):
        interrupt_next()
        with pytest.raises(_InterruptionError), guard:
            pass
        assert held.taken_elsewhere()


def test_what_was_taken_by_hand_is_given_back_by_hand() -> None:
    with contextlib.closing(NamedMutex("guard")) as mutex:
        mutex.acquire()
        assert hasattr(mutex, "__exit__"), "which looks it up and lets go of it"
        with mutex:
            pass
        assert mutex.held
        mutex.release()
        assert not mutex.held


def test_an_exit_that_is_let_go_of_gives_back_what_was_entered_behind_it(held: Held) -> None:
    guard = held.enter()
    leave = guard.__exit__
    guard.__enter__()
    assert not held.taken_elsewhere()
    del leave
    gc.collect()
    assert held.taken_elsewhere()


def test_a_block_around_it_keeps_what_it_holds(held: Held) -> None:
    guard = held.enter()
    with guard:
        for inner in (guard, held.enter()):
            leave = inner.__exit__
            inner.__enter__()
            del leave
            gc.collect()
            assert not held.taken_elsewhere()
    assert held.taken_elsewhere()


def test_an_exit_that_was_only_looked_at_gives_nothing_back(held: Held) -> None:
    guard = held.enter()
    looked_at = [guard.__exit__, *inspect.getmembers(guard)]
    with guard:
        looked_at.clear()
        gc.collect()
        assert not held.taken_elsewhere()
        looked_at.append(guard.__exit__)
        with guard:
            looked_at.clear()
            gc.collect()
        assert not held.taken_elsewhere()
    assert held.taken_elsewhere()


def test_a_generator_dropped_in_another_thread_takes_nothing_from_a_block_that_goes_on() -> None:
    with contextlib.closing(NamedMutex("guard")) as mutex:
        held = Held(lambda: mutex, mutex)

        def holding() -> Iterator[None]:
            with mutex:
                yield

        generators = [holding()]
        next(generators[0])

        def close() -> None:
            with contextlib.suppress(typedshm.MisuseError):
                generators.pop().close()

        with mutex:
            thread = threading.Thread(target=close)
            thread.start()
            thread.join()
            gc.collect()
            assert mutex.held
            assert not held.taken_elsewhere()
        mutex.release()  # what the generator had taken is still there
        assert held.taken_elsewhere()


def test_an_exit_may_be_called_again_for_each_time_it_was_entered(held: Held) -> None:
    guard = held.enter()
    leave = guard.__exit__
    for _ in range(2):
        guard.__enter__()
        assert leave(None, None, None) is False
        assert held.taken_elsewhere()
    guard.__enter__()
    del leave
    gc.collect()
    assert not held.taken_elsewhere(), "it has been called; what was entered behind that is somebody else's"
    guard.__exit__(None, None, None)
    assert held.taken_elsewhere()


def test_a_stack_of_blocks_looks_the_exit_up_in_the_class(held: Held) -> None:
    with contextlib.ExitStack() as stack:
        stack.enter_context(held.enter())
        stack.enter_context(held.enter())
        assert not held.taken_elsewhere()
    assert held.taken_elsewhere()


def test_an_exit_can_be_called_by_what_passes_keywords_on_and_has_none(held: Held) -> None:
    """Such a caller gives an empty dictionary; so do ExitStack.callback() and unittest's enterContext()."""
    guard = held.enter()
    guard.__enter__()
    with contextlib.ExitStack() as stack:
        stack.callback(guard.__exit__, None, None, None)
    assert held.taken_elsewhere()
    guard.__enter__()
    with contextlib.ExitStack() as stack:
        stack.callback(type(guard).__exit__, guard, None, None, None)
    assert held.taken_elsewhere()


def test_an_exit_that_is_called_as_no_block_would_is_refused(held: Held) -> None:
    with held.enter() as guard:
        for leave in (guard.__exit__, functools.partial(type(guard).__exit__, guard)):
            with pytest.raises(TypeError, match="__exit__ takes"):
                leave(None, None, None, None)
            with pytest.raises(TypeError, match="__exit__ takes"):
                leave(kind=None)
        assert not held.taken_elsewhere()
    for arguments in ((), (None, None, None, None)):
        with pytest.raises(TypeError, match="__exit__ takes"):
            type(guard).__exit__(*arguments)
    assert held.taken_elsewhere()


def test_an_exit_may_be_called_by_hand_without_the_nones(held: Held) -> None:
    guard = held.enter()
    guard.__enter__()
    guard.__exit__()  # type: ignore[call-arg]
    assert held.taken_elsewhere()


def test_a_guard_that_was_entered_by_hand_and_thrown_away_gives_back() -> None:
    with typedshm.create("record", Record) as region:
        guard = region.lock()
        guard.__enter__()
        guard.__enter__()
        assert handle_of(region).mutex.mine
        del guard
        gc.collect()
        assert not handle_of(region).mutex.mine


@pytest.mark.parametrize("kind", ["lock", "mutex"])
def test_a_generator_dropped_in_another_thread_gives_back(kind: str) -> None:
    """Nobody else could: the thread that took it has no block of it any more."""
    with typedshm.create("record", Record) as region, contextlib.closing(NamedMutex("guard")) as mutex:
        held = Held(region.lock if kind == "lock" else lambda: mutex, region if kind == "lock" else mutex)

        def holding() -> Iterator[None]:
            with held.enter():
                yield

        generators = [holding()]
        next(generators[0])
        assert not held.taken_elsewhere()
        refused: list[type[BaseException]] = []

        def close() -> None:
            try:
                generators.pop().close()
            except typedshm.MisuseError as error:
                refused.append(type(error))

        thread = threading.Thread(target=close)
        thread.start()
        thread.join()
        gc.collect()
        assert refused == [typedshm.MisuseError], "its end belongs into the thread that has the lock"
        assert held.taken_elsewhere()


def test_a_mutex_that_keeps_its_own_exit_is_collected() -> None:
    mutex: Any = NamedMutex("guard")
    mutex.leave = mutex.__exit__
    gone = weakref.ref(mutex)
    del mutex
    gc.collect()
    assert gone() is None


def test_what_is_no_guard_may_borrow_an_exit_but_not_call_it() -> None:
    class Borrower:
        __slots__ = ()
        __exit__ = NamedMutex.__exit__

        def __enter__(self) -> None:
            pass

    with pytest.raises(TypeError, match="__exit__ takes"), Borrower():  # type: ignore[misc]
        pass
    for other in (1, "text", object()):
        bound = NamedMutex.__exit__.__get__(other)
        with pytest.raises(TypeError, match="__exit__ takes"):
            bound(other, None, None, None)


def hold(pipe: Any) -> None:
    mutex = NamedMutex("guard")
    mutex.acquire()
    pipe.send("taken")
    pipe.recv()


def test_a_block_that_never_began_has_repaired_nothing() -> None:
    with contextlib.closing(NamedMutex("guard")) as mutex:
        with Child(hold) as child:
            child.expect("taken")
            child.kill()
        leave = mutex.__exit__
        mutex.__enter__()
        assert mutex.recovered
        del leave
        gc.collect()
        with mutex:
            assert mutex.recovered
        with mutex:
            assert not mutex.recovered

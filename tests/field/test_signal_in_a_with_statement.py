"""A signal handler raises (Ctrl-C, an alarm) somewhere in a ``with`` statement: whatever was taken is given back.

CPython runs handlers between any two instructions, from 3.14 on also behind the call of ``__enter__``: what they raise
there reaches no ``__exit__``. So here they come at random, and at the worst moment.
"""

import _thread
import contextlib
import signal
import sys
import threading
import types
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

import pytest

import typedshm
import typedshm._native as _native
from helpers import marks
from helpers.shared_types import Record, record
from helpers.threads import InThread
from typedshm import NamedMutex, Region, current_task


class AlarmError(Exception):
    pass


class Subject:
    """Something with a block, and whether another thread could have it now."""

    def __init__(self, enter: Callable[[], AbstractContextManager[Any]], is_free: Callable[[], object]) -> None:
        self.enter = enter
        self.is_free = is_free


@pytest.fixture(params=["lock", "lock in lock", "update", "loan", "mutex", "mutex in mutex", "borrow"])
def subject(request: pytest.FixtureRequest) -> Iterator[Subject]:
    with typedshm.create("record", Record, slots=4) as region, contextlib.closing(NamedMutex("guard")) as mutex:
        region.write(record(1))

        @contextlib.contextmanager
        def twice(block: Callable[[], AbstractContextManager[Any]]) -> Iterator[None]:
            with block(), block():
                yield

        def try_mutex() -> bool:
            return mutex.acquire(timeout=0) and mutex.release() is None

        def try_region() -> bool:
            with contextlib.suppress(typedshm.Timeout):
                region.write(record(2), timeout=0)
                return True
            return False

        blocks: dict[str, tuple[Callable[[], AbstractContextManager[Any]], Callable[[], object]]] = {
            "lock": (region.lock, try_region),
            "lock in lock": (lambda: twice(region.lock), try_region),
            "update": (region.update, try_region),
            "loan": (region.loan, try_region),
            "mutex": (lambda: mutex, try_mutex),
            "mutex in mutex": (lambda: twice(lambda: mutex), try_mutex),
            "borrow": (region.borrow, lambda: region.info().pinned == 0),
        }
        yield Subject(*blocks[request.param])


@marks.signals
def test_alarms_at_any_moment_leave_nothing_held(subject: Subject) -> None:
    thrown = 0

    def throw(*_: object) -> None:
        raise AlarmError

    before = signal.signal(signal.SIGALRM, throw)
    try:
        for delay in range(300):
            try:
                signal.setitimer(signal.ITIMER_REAL, 1e-6 + delay * 3e-7)
                while True:  # until it comes
                    with subject.enter():
                        pass
            except AlarmError:
                thrown += 1
            assert InThread(subject.is_free).result(), f"after {thrown}"
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert thrown == 300


def test_an_exception_at_any_instruction_leaves_nothing_held(subject: Subject) -> None:
    """The handler is a trace function here, which raises at one instruction after the other."""
    left = 0

    def statement() -> None:
        with subject.enter():
            pass

    def trace(frame: types.FrameType, event: str, _: object) -> Any:
        nonlocal left
        if frame.f_code is not statement.__code__:
            return None
        frame.f_trace_opcodes = True
        left -= event == "opcode"
        if left == 0 and event == "opcode":
            raise AlarmError
        return trace

    done, number = False, 1
    while not done:
        left = number
        outer = sys.gettrace()
        sys.settrace(trace)
        try:
            statement()
            done = True
        except AlarmError:
            pass
        finally:
            sys.settrace(outer)
        assert InThread(subject.is_free).result(), f"after an exception at instruction {number}"
        number += 1
    assert number > 5


@pytest.fixture
def interrupt_in_enter(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], None]]:
    """A function that has a handler raise as soon as Python looks at signals again after the lock was taken.

    The core asks for the running task just before it takes a lock: there the signal comes.
    """
    monkeypatch.setitem(sys.modules, "trio", types.ModuleType("trio"))  # or it would not ask

    def throw(*_: object) -> None:
        _native.register_running_task(current_task.running)
        raise AlarmError

    before = signal.signal(signal.SIGINT, throw)
    main = threading.main_thread().ident
    yield lambda: _native.register_running_task(lambda: _interrupt(main))
    _native.register_running_task(current_task.running)
    signal.signal(signal.SIGINT, before)


def _interrupt(main: int | None) -> None:
    if threading.get_ident() == main:
        _thread.interrupt_main()


def test_a_signal_while_the_lock_is_taken(subject: Subject, interrupt_in_enter: Callable[[], None]) -> None:
    for _ in range(3):
        interrupt_in_enter()
        with contextlib.suppress(AlarmError), subject.enter():
            pass
        _native.register_running_task(current_task.running)
        assert InThread(subject.is_free).result()


def test_a_guard_that_has_a_name_gives_back_what_was_taken(interrupt_in_enter: Callable[[], None]) -> None:
    with typedshm.create("record", Record) as region, contextlib.closing(NamedMutex("guard")) as mutex:
        region.write(record(1))
        guard = region.lock()
        for block in (guard, mutex):
            interrupt_in_enter()
            with contextlib.suppress(AlarmError), block:
                pass
            _native.register_running_task(current_task.running)
        assert InThread(lambda: mutex.acquire(timeout=0) and mutex.release() is None).result()
        InThread(_write, region).result()


def _write(region: Region[Record]) -> None:
    region.write(record(2), timeout=0)

"""The sets of regions that coroutines wait for, each with one thread that sleeps on all of its heads.

A thread is started when somebody waits, and has ended a second after nobody does any more. It is a daemon: an
interpreter that ends does not wait for it. While somebody waits it also wakes up ten times a second, to look for what
nobody could tell it, such as a region whose name has come to mean another; and every two milliseconds if a handle is
read-only, or the system knows no sleep on many words.
"""

import _thread
import contextlib
import functools
import sys
import threading
from collections.abc import Callable
from types import BuiltinFunctionType
from typing import Any

import typedshm._native as _native
from typedshm.memory import fork

LINGER = 1.0
"""Seconds that a thread stays when nobody waits."""

PERIOD = 0.1
"""Seconds between looks whether each region is still there and has its name: as for who waits in wait()."""

waitsets: list[_native.Waitset] = []
"""Those of this process; none that it inherited by a fork."""
_of_the_parent: list[_native.Waitset] = []
"""What a child of a fork inherits and never uses; let go of, it would end tasks that are not the child's to end."""


def join(opened: _native.Opened, number: int, waiter: Any, flag: _native.Flag | None = None) -> _native.Waitset | None:
    """Have somebody woken once there is something to look at: a newer version, an end.

    Parameters
    ----------
    opened
        The region or table, in which nothing new was found.
    number
        What its head, or news, said then.
    waiter
        Without a flag a function, which is called from another thread. It must not raise, and may be called when nobody
        is interested any more. With a flag it may be anything.
    flag
        It is raised, and hands out the waiter.

    Returns
    -------
    Waitset or None
        Where to ``remove(opened, waiter)``; None if there is something to look at already.
    """
    given = (waiter,) if flag is None else (waiter, flag)
    for waitset in waitsets:
        state = waitset.add(opened, number, *given)
        if state != _native.WAITSET_FULL:
            break
    else:
        waitset = _native.Waitset()
        waitsets.append(waitset)
        state = waitset.add(opened, number, *given)
    if state != _native.WAITSET_ADDED:
        return None
    try:
        if not waitset.attended:
            _start(waitset)
    except BaseException:
        waitset.remove(opened, waiter)
        raise
    return waitset


def _start(waitset: _native.Waitset) -> None:
    start_thread("typedshm waitset", functools.partial(_attend, waitset))


def start_thread(name: str, function: Callable[[], object]) -> None:
    """Start a daemon, in a thread of the system's, and no greenlet."""
    if isinstance(_thread.start_new_thread, BuiltinFunctionType):
        threading.Thread(target=function, name=name, daemon=True).start()
    else:  # gevent or eventlet has replaced it, and a thread would be a greenlet, in which a sleep stops all others
        _native.start_thread(function)


def forget(opened: _native.Opened) -> None:
    """Wake everybody who waits for a region, which is closed, and let go of its memory."""
    if sys.is_finalizing():
        return  # the threads have ended where they were
    for waitset in waitsets:
        waitset.forget(opened)


def _attend(waitset: _native.Waitset) -> None:
    """Run the thread."""
    while waitset.attend(PERIOD, LINGER):
        with contextlib.suppress(MemoryError):  # the next time, then
            for opened in waitset.awaited():
                _look(waitset, opened)


def _look(waitset: _native.Waitset, opened: _native.Opened) -> None:
    try:
        _native.look(opened)
    except Exception:
        waitset.forget(opened)  # they will meet the error themselves


def _after_fork() -> None:
    _of_the_parent.extend(waitsets)
    waitsets.clear()


fork.add_hooks("waitsets", in_child=_after_fork)

"""The current task of asyncio or trio, and so of anyio.

Neither library is imported here: a program that runs a task has imported it.
"""

import sys
from typing import Any

import typedshm._native as _native


def of_trio() -> Any:
    """Return trio's current task in this thread, or None."""
    trio = sys.modules.get("trio")
    try:
        return None if trio is None else trio.lowlevel.current_task()
    except (AttributeError, RuntimeError):  # not running here, or another thread is still importing trio
        return None


def of_asyncio() -> Any:
    """Return asyncio's current task in this thread, or None; a plain callback of its loop is no task."""
    asyncio = sys.modules.get("asyncio")
    if asyncio is None:
        return None
    try:
        loop = asyncio._get_running_loop()  # unlike get_running_loop() it returns None instead of raising
        return None if loop is None else asyncio.current_task(loop)
    except AttributeError:  # another thread is still importing it
        return None


def running() -> Any:
    """Return the current task in this thread, or None."""
    task = of_asyncio()  # first, since its None costs less
    return of_trio() if task is None else task


_native.register_running_task(running)

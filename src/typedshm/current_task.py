"""Which task runs in this thread: of asyncio, of trio, and so of anyio.

Neither is imported here: whoever runs one has done it.
"""

import sys
from typing import Any

import typedshm._native as _native


def of_trio() -> Any:
    """Return the task of trio that runs in this thread, or None."""
    trio = sys.modules.get("trio")
    try:
        return None if trio is None else trio.lowlevel.current_task()
    except (AttributeError, RuntimeError):  # another thread is just importing it; it does not run here
        return None


def of_asyncio() -> Any:
    """Return the task of asyncio that runs in this thread, or None, also where its loop runs a mere callback."""
    asyncio = sys.modules.get("asyncio")
    if asyncio is None:
        return None
    try:
        loop = asyncio._get_running_loop()  # which says None where others raise
        return None if loop is None else asyncio.current_task(loop)
    except AttributeError:  # another thread is just importing it
        return None


def running() -> Any:
    """Return the task that runs in this thread, or None."""
    task = of_asyncio()  # first: it says no at less cost
    return of_trio() if task is None else task


_native.register_running_task(running)

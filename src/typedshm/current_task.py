"""The current task of asyncio or trio, and so of anyio, and the current greenlet, and so that of gevent and eventlet.

None of these is imported here: a program that runs a task or a greenlet has imported it.
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


def greenlet() -> Any:
    """Return the current greenlet of this thread, the main one too, or None where nobody uses greenlets."""
    module = sys.modules.get("greenlet")
    try:
        return None if module is None else module.getcurrent()
    except AttributeError:  # another thread is still importing it
        return None


def _is_hub(of: Any) -> bool:
    """Return True for a greenlet that runs the others: gevent's or eventlet's hub."""
    gevent = getattr(sys.modules.get("gevent.hub"), "Hub", None)
    if gevent is not None and isinstance(of, gevent):
        return True
    hubs = sys.modules.get("eventlet.hubs")
    hub = getattr(getattr(hubs, "_threadlocal", None), "hub", None)
    return hub is not None and of is hub.greenlet


def _root(of: Any) -> Any:
    """Return the greenlet that a task runs in: SQLAlchemy and greenback run parts of one in greenlets below it."""
    while of is not None and of.parent is not None and not _is_hub(of.parent):
        of = of.parent
    return of


def running() -> tuple[Any, Any]:
    """Return the current task and the current greenlet of this thread, each perhaps None.

    A loop that runs in one greenlet seems to run in the others of its thread, too. So the task alone is not enough.
    """
    task = of_asyncio()  # first, since its None costs less
    if task is None:
        task = of_trio()
    return (task, greenlet()) if task is None else (task, _root(greenlet()))


_native.register_running_task(running)

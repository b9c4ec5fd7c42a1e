"""Claiming: how a handle comes to publish exclusively, at once or as a hot standby."""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import typedshm._native as _native
from typedshm.errors import RegionLost
from typedshm.memory.attachment import Handle
from typedshm.memory.retry import OPEN_TIMEOUT
from typedshm.region.opened import Opened

if TYPE_CHECKING:
    from typedshm.contract import Failure

H = TypeVar("H", bound=Opened[Any])

_SLICE = 0.01
"""Seconds between looks whether the publisher still lives."""
_PERIOD = 0.1
"""Seconds between looks whether the name still means the region."""

_PROBLEMS: "dict[int, Failure]" = {
    _native.MUTEX_CLAIMED: "claimed",
    _native.MUTEX_TIMEOUT: "lock timeout",
    _native.MUTEX_GONE: "gone",
    _native.MUTEX_OTHER_TASK: "other task",
    _native.MUTEX_OTHER_GREENLET: "other greenlet",
}


def check_claimable(*, readonly: bool = False, table: object = None) -> None:
    """Refuse exclusive=True where there is nothing to be claimed.

    Parameters
    ----------
    readonly
        Whether the handle is to have no right to write.
    table
        What describes a table; None or False for a region.
    """
    if readonly:
        raise ValueError("exclusive: expected False with readonly=True: who publishes has to write")
    if table is not None and table is not False:
        _refuse_table()


def _refuse_table() -> NoReturn:
    raise ValueError(
        "exclusive: expected a region, found a table, whose rows have a lock each; lock(rows) keeps other writers out"
    )


def claim(handle: Handle, opened: Opened[Any], end: float | None = 0) -> None:
    """Let no other process write to a region; close the handle if that fails.

    Parameters
    ----------
    handle, opened
        Of the region.
    end
        Until when to wait for another publisher to go, as a monotonic time; None: for ever.
    """
    try:
        if handle.attachment.header["rows"]:
            _refuse_table()
        if opened.readonly:
            _native.fail(opened, "layout")
        _await_claim(handle, opened, end)
    except BaseException:
        opened.close()
        raise


def _await_claim(handle: Handle, opened: Opened[Any], end: float | None) -> None:
    looked = now = time.monotonic()
    # a writer that has the lock for a moment is not what the caller does not want to wait for
    end_of_lock = None if end is None else max(end, now + OPEN_TIMEOUT)
    while (result := _try_claim(handle)) != _native.MUTEX_TAKEN:
        now = time.monotonic()
        over = end if result == _native.MUTEX_CLAIMED else end_of_lock
        waits = result in (_native.MUTEX_CLAIMED, _native.MUTEX_TIMEOUT)
        if not waits or (over is not None and now >= over):
            _native.fail(opened, _PROBLEMS.get(result, "closed"))
        if now - looked >= _PERIOD:
            looked = now
            _native.look(opened)
        time.sleep(_SLICE if over is None else min(_SLICE, over - now))


def _try_claim(handle: Handle) -> int:
    """Claim it, after a look that takes no lock: who waits for a publisher to go must not hold it up."""
    attachment = handle.attachment
    publisher = attachment.publisher
    if publisher is not None and attachment.lock is not None and publisher[0] != attachment.lock.entry:
        return _native.MUTEX_CLAIMED
    return handle.claim()


def attach_exclusively(attach: "Callable[[float | None], tuple[Handle, H]]", timeout: float | None) -> H:
    """Attach to a region and claim it, or wait for that: for the region to appear, and for its publisher to go.

    Parameters
    ----------
    attach
        Called with a timeout; once more if the name has come to mean another region meanwhile.
    timeout
        Seconds to wait for both; None waits for ever.
    """
    end = None if timeout is None else time.monotonic() + timeout
    left = timeout
    while True:
        handle, opened = attach(left)
        try:
            claim(handle, opened, end)
        except RegionLost:
            now = time.monotonic()
            if end is not None and now >= end:
                raise
            left = None if end is None else end - now
            continue
        return opened

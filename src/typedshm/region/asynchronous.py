"""Waiting for a region in coroutines of asyncio and trio, and so of anyio."""

import time
from types import EllipsisType
from typing import Any, Generic, Never, Self, TypeVar
from weakref import WeakKeyDictionary

import typedshm._native as _native
from typedshm.arguments import flag, refuse_positional, seconds
from typedshm.errors import Closed, TornWrite
from typedshm.region.loops import Loop, running_loop

T = TypeVar("T")

_ABSENCE_PERIOD = 0.04
"""Seconds between two questions whether anybody is left to publish; as in the core, see ring/waiting.c."""


async def await_newer(ring: _native.Ring[Any], after: int, timeout: float | None, until_gone: bool = False) -> None:
    """Wait in a coroutine until there is a version above `after`, or with `until_gone` nobody to publish one."""
    await _await_in(running_loop(), ring, after, timeout, until_gone)


async def rest(seconds: float) -> None:
    """Sleep in a coroutine."""
    await running_loop().rest(seconds)


async def _await_in(loop: Loop, ring: _native.Ring[Any], after: int, timeout: float | None, until_gone: bool) -> None:
    end = None if timeout is None or timeout == float("inf") else time.monotonic() + (timeout if timeout > 0 else 0)
    rested = slept = over = False
    absent = 0  # how often in a row nobody was found who could publish something
    while True:
        number = _native.newer(ring, after, slept)
        left = None if end is None else end - time.monotonic()
        over = over or (left is not None and left <= 0)
        if not rested and (over or number is None):
            # a task that never has to wait must still let others run; afterwards, get the newest version of then
            await loop.turn()
        elif number is None:
            return
        elif absent > 1:  # found before the last look at the region, so there is nothing to come
            _native.fail(ring, "publisher gone")
        elif over:
            _native.fail(ring, "wait timeout")
        else:
            pause = min(_ABSENCE_PERIOD, _ABSENCE_PERIOD if left is None else left) if until_gone else left
            woken = await loop.sleep(ring, number, pause)
            over = not woken and pause == left
            absent = absent + 1 if until_gone and not woken and _native.is_abandoned(ring) else 0
            slept = True
        rested = True


class AwaitedRing(_native.Ring[T], Generic[T]):
    """The verbs of a region for coroutines. It is its own asynchronous iterator."""

    _got: "WeakKeyDictionary[Any, list[int]] | None" = None
    """The newest version that each task has received, in a list of one."""

    async def next(
        self,
        *_: Never,
        after: int | None = None,
        timeout: float | EllipsisType | None = ...,
        until_gone: bool = False,
    ) -> T:
        """Wait in a coroutine until there is a newer version, and return the newest.

        It is :meth:`wait` for asyncio, trio and anyio, and can be cancelled. The copy is made in the event loop's
        thread; one background thread sleeps for all waiting tasks.

        Parameters
        ----------
        after
            The version to exceed. Default: the newest that this task got through this handle by next() or ``async
            for``. A task that is created for one call got none, as in ``create_task(region.next())`` and, before
            Python 3.12, in ``asyncio.wait_for(region.next(), 1)``.
        timeout
            Seconds to wait; None waits for ever. Default: :attr:`timeout` of the handle.
        until_gone
            Wait no longer than there is somebody to publish a newer version, as for :meth:`wait`.

        Returns
        -------
        value
            A private copy, as from :meth:`read`.

        Raises
        ------
        Timeout
            No newer version was published in time.
        PublisherGone
            With `until_gone`: every process that has published has ended or closed the region.
        Closed
            The handle was closed, before or during the wait.
        RegionLost
            The region's memory was lost.
        MisuseError
            The caller is no task of asyncio or trio.
        """
        refuse_positional(
            _, "next", "next(timeout={}) for at most {} seconds, or next(after={}) for what is newer than version {}"
        )
        patience = self.timeout if isinstance(timeout, EllipsisType) else seconds(timeout)
        until_gone = flag(until_gone, "until_gone")
        loop = running_loop()
        got = self._got
        if got is None:
            got = self.__dict__.setdefault("_got", WeakKeyDictionary())
        newest = got.setdefault(loop.task, [0])
        since = newest[0] if after is None else after
        await _await_in(loop, self, since, patience, until_gone)
        try:
            version, value, error = _native.read_newest(self)
        except TornWrite:
            newest[0] = self.version
            raise
        newest[0] = version  # no call behind it, at which a signal's handler could raise and lose the value
        if error is None:
            return value
        try:
            raise error
        finally:
            del error  # its traceback has this frame

    def __aiter__(self) -> Self:
        """Iterate over versions as they are published, the newest each time, until the handle is closed."""
        return self

    async def __anext__(self) -> T:
        """Return the result of next()."""
        try:
            return await self.next()
        except Closed:
            raise StopAsyncIteration from None

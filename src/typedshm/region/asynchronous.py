"""Waiting for a region in coroutines of asyncio and trio, and so of anyio.

Neither library is imported here: a program that runs a task has imported it.
"""

import contextlib
import functools
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from types import EllipsisType, ModuleType
from typing import Any, Generic, Never, Self, TypeVar
from weakref import WeakKeyDictionary

import typedshm._native as _native
from typedshm import current_task
from typedshm.arguments import flag, refuse_positional, seconds
from typedshm.errors import Closed, MisuseError, TornWrite
from typedshm.region.waitset import join

T = TypeVar("T")

_ABSENCE_PERIOD = 0.04
"""Seconds between two questions whether anybody is left to publish; as in the core, see ring/waiting.c."""


class _Loop(ABC):
    """The event loop of the current task."""

    def __init__(self, module: ModuleType, task: Any) -> None:
        self._module = module
        self.task = task

    @abstractmethod
    async def turn(self) -> None:
        """Let other tasks run."""

    async def rest(self, seconds: float) -> None:
        """Let other tasks run for a time."""
        await self._module.sleep(seconds)

    @abstractmethod
    async def sleep(self, ring: _native.Opened, number: int, seconds: float | None) -> bool:
        """Sleep until a region has something new; False if the time is over first."""


class _Asyncio(_Loop):
    async def turn(self) -> None:
        await self._module.sleep(0)

    async def sleep(self, ring: _native.Opened, number: int, seconds: float | None) -> bool:
        loop = self._module.get_running_loop()
        future = loop.create_future()

        def apply(woken: bool) -> None:
            if not future.done():
                future.set_result(woken)

        wake = functools.partial(_call, loop.call_soon_threadsafe, apply, True)
        waitset = join(ring, number, wake)
        if waitset is None:
            await self.turn()
            return True
        woken = False
        timer = None if seconds is None else loop.call_later(seconds, apply, False)
        try:
            woken = bool(await future)
            return woken
        finally:
            if timer is not None:
                timer.cancel()
            if not woken:
                waitset.remove(ring, wake)


class _Trio(_Loop):
    async def turn(self) -> None:
        await self._module.lowlevel.checkpoint()

    async def sleep(self, ring: _native.Opened, number: int, seconds: float | None) -> bool:
        trio = self._module
        parked, woken = True, False

        def apply() -> None:
            nonlocal parked, woken
            if parked:
                parked, woken = False, True
                trio.lowlevel.reschedule(self.task)

        def abort(_: object) -> Any:
            nonlocal parked
            parked = False
            return trio.lowlevel.Abort.SUCCEEDED

        wake = functools.partial(_call, trio.lowlevel.current_trio_token().run_sync_soon, apply)
        waitset = join(ring, number, wake)
        if waitset is None:
            await self.turn()
            return True
        try:
            with trio.move_on_after(float("inf") if seconds is None else seconds):
                await trio.lowlevel.wait_task_rescheduled(abort)
        finally:
            if not woken:
                waitset.remove(ring, wake)
        return woken


def _call(soon: Callable[..., object], *args: object) -> None:
    """Call a function in an event loop's thread, from any thread."""
    with contextlib.suppress(RuntimeError):  # the loop was closed, and its tasks are over
        soon(*args)


def running_loop() -> _Loop:
    """Return the event loop of the current task. MisuseError if there is none."""
    if (task := current_task.of_trio()) is not None:
        return _Trio(sys.modules["trio"], task)
    if (task := current_task.of_asyncio()) is not None:
        return _Asyncio(sys.modules["asyncio"], task)
    raise MisuseError(
        "expected a task of asyncio or trio to wait for a region in, found none; use wait() outside of coroutines"
    )


async def await_newer(ring: "AwaitedRing[Any]", after: int, timeout: float | None, until_gone: bool = False) -> None:
    """Wait in a coroutine until there is a version above `after`, or with `until_gone` nobody to publish one."""
    await _await_in(running_loop(), ring, after, timeout, until_gone)


async def rest(seconds: float) -> None:
    """Sleep in a coroutine."""
    await running_loop().rest(seconds)


async def _await_in(loop: _Loop, ring: "AwaitedRing[Any]", after: int, timeout: float | None, until_gone: bool) -> None:
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
            absent = absent + 1 if until_gone and not woken and ring._publisher_is_gone() else 0
            slept = True
        rested = True


class AwaitedRing(_native.Ring[T], Generic[T]):
    """The verbs of a region for coroutines. It is its own asynchronous iterator."""

    _got: "WeakKeyDictionary[Any, list[int]] | None" = None
    """The newest version that each task has received, in a list of one."""

    def _publisher_is_gone(self) -> bool:
        """Return True if somebody has published, and nobody who has is left."""
        raise NotImplementedError

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

"""Following a region: its versions one after the other, with an exact account of those that were not got."""

from collections.abc import AsyncIterator, Iterator
from types import EllipsisType
from typing import Generic, Literal, TypeVar

import typedshm._native as _native
from typedshm.errors import Closed
from typedshm.region.asynchronous import AwaitedRing

T = TypeVar("T")

Start = Literal["newest", "oldest"] | int
"""Where to begin: with the newest version, the oldest that is still there, or a number."""


class Follower(Generic[T]):
    """An iterator over the versions of a region, made by :meth:`Region.follow`; for ``for`` and for ``async for``.

    It is for one thread or task at a time, as generators are.

    Attributes
    ----------
    version
        The number of the version that was yielded last; before the first, the one it is to exceed.
    dropped
        How many versions there were between those that were yielded.
    """

    def __init__(
        self, region: "Followable[T]", *, every: bool, start: Start, borrow: bool, timeout: float | None
    ) -> None:
        if start == "newest":
            self.version = max(region.version - 1, 0)
        elif start == "oldest":
            self.version = 0
        elif isinstance(start, int) and 1 <= start < 2**64:  # pyright: ignore[reportUnnecessaryIsInstance]
            self.version = start - 1
        else:
            raise ValueError(f"follow: expected 'newest', 'oldest' or a version from 1 on as start, found {start!r}")
        self.dropped = 0
        self._counts = start != "oldest"  # what there was before the oldest is no loss of ours
        self._region = region
        self._every = every
        self._borrow = borrow
        self._timeout = timeout
        self._block: _native.Borrow[T] | None = None
        self._busy = False

    def __iter__(self) -> Iterator[T]:
        return self

    def __next__(self) -> T:
        self._begin()
        try:
            self._end_block()
            self._region._await(self.version, self._timeout)  # pyright: ignore[reportPrivateUsage]
            return self._take()
        except Closed:
            if self._region.closed:
                raise StopIteration from None
            raise
        finally:
            self._busy = False

    def __aiter__(self) -> AsyncIterator[T]:
        return self

    async def __anext__(self) -> T:
        self._begin()
        try:
            self._end_block()
            await self._region._await_soon(self.version, self._timeout)  # pyright: ignore[reportPrivateUsage]
            return self._take()
        except Closed:
            if self._region.closed:
                raise StopAsyncIteration from None
            raise
        finally:
            self._busy = False

    def _begin(self) -> None:
        """Be the only one who waits in here; who has begun ends it by resetting ``_busy``."""
        if self._busy:
            self._region._fail("followed twice")  # pyright: ignore[reportPrivateUsage]
        self._busy = True

    def _take(self) -> T:
        """Get the next version, which is there, and account for it."""
        after = self.version if self._every else None
        if self._borrow:
            block = self._region._borrow_after(after)  # pyright: ignore[reportPrivateUsage]
            value = block.__enter__()
            self._block, version = block, block.version
        else:
            version, value = self._region._read_after(after)  # pyright: ignore[reportPrivateUsage]
        if self._counts:
            dropped = version - self.version - 1
            self.dropped += dropped
            self._region.dropped += dropped
        self.version, self._counts = version, True
        return value

    def _end_block(self) -> None:
        block, self._block = self._block, None
        if block is not None:
            block.__exit__(None, None, None)


class Followable(AwaitedRing[T], Generic[T]):
    """What can be followed: the part of a region that this file is about.

    Attributes
    ----------
    dropped
        How many versions the loops over :meth:`follow` of this handle went past without getting them.
    """

    dropped = 0

    def follow(
        self,
        *,
        every: bool = False,
        start: Start = "newest",
        borrow: bool = False,
        timeout: float | EllipsisType | None = ...,
    ) -> Follower[T]:
        """Go from version to version as they come: ``for t in region.follow(): ...``.

        The loop ends when the handle is closed, also by another thread meanwhile. In a coroutine of asyncio, trio or
        anyio it is ``async for t in region.follow(): ...``, which waits as :meth:`next` does.

        Parameters
        ----------
        every
            False: the newest each time. True: each version, as long as the region still has it; how many it had not
            any more, :attr:`Follower.dropped` says, and :attr:`dropped` for all loops of the handle.
        start
            ``"newest"``: with the newest version there is, or the first that comes. ``"oldest"``: with the oldest
            that is still there. A number: with that version, or the first after it.
        borrow
            Yield read-only views as :meth:`borrow` does, each valid until the next. An array is still there in the
            loop's variable when the next one is got, which makes two at once: that takes four slots. With three,
            every second one is a copy.
        timeout
            Seconds to wait for each; the region's default if not given, None for ever.

        Raises
        ------
        Timeout
            In the loop: there was none in time. It can go on afterwards.
        RegionLost
            In the loop: the region's memory went away.
        Closed
            The handle is closed already.
        MisuseError
            In the loop: another thread or task is just waiting in it. Each needs a follow() of its own.
        """
        seconds = self.timeout if isinstance(timeout, EllipsisType) else timeout
        return Follower(self, every=every, start=start, borrow=borrow, timeout=seconds)

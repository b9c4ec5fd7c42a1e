"""Following a region: its versions one after the other, with an exact count of the missed ones."""

from collections.abc import AsyncIterator, Iterator
from types import EllipsisType
from typing import Generic, Literal, TypeVar

import typedshm._native as _native
from typedshm.errors import Closed
from typedshm.region.asynchronous import AwaitedRing, await_newer

T = TypeVar("T")

Start = Literal["newest", "oldest"] | int
"""The first version: the newest, the oldest that is still in a slot, or a number."""


class Follower(Generic[T]):
    """An iterator over the versions of a region, from :meth:`Region.follow`, for ``for`` and ``async for``.

    One thread or task at a time may use it, as with generators.

    Attributes
    ----------
    version
        The number of the last version yielded; before the first, the number to exceed.
    dropped
        How many versions between those yielded were missed.
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
            raise ValueError(
                f"follow: expected 'newest', 'oldest' or a version of at least 1 as start, found {start!r}"
            )
        self.dropped = 0
        self._counts = start != "oldest"  # versions before the oldest were not missed by this follower
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
            _native.await_newer(self._region, self.version, self._timeout)
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
            await await_newer(self._region, self.version, self._timeout)
            return self._take()
        except Closed:
            if self._region.closed:
                raise StopAsyncIteration from None
            raise
        finally:
            self._busy = False

    def _begin(self) -> None:
        """Refuse a second thread or task; the caller resets ``_busy`` at its end."""
        if self._busy:
            _native.fail(self._region, "followed twice")
        self._busy = True

    def _take(self) -> T:
        """Return the next version, which has been published, and count the missed ones."""
        after = self.version if self._every else None
        if self._borrow:
            block = _native.borrow_after(self._region, after)
            value = block.__enter__()
            self._block, version = block, block.version
        else:
            version, value = _native.read_after(self._region, after)
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
    """The part of a region that makes followers.

    Attributes
    ----------
    dropped
        How many versions were missed by all followers of this handle.
    """

    dropped = 0
    """How many versions were missed by all followers of this handle."""

    def follow(
        self,
        *,
        every: bool = False,
        start: Start = "newest",
        borrow: bool = False,
        timeout: float | EllipsisType | None = ...,
    ) -> Follower[T]:
        """Iterate over the versions as they are published: ``for t in region.follow(): ...``.

        The loop ends when the handle is closed, by any thread. A coroutine of asyncio, trio or anyio writes ``async for
        t in region.follow(): ...``, which waits like :meth:`next`.

        Parameters
        ----------
        every
            False: yield the newest version each time. True: yield every version that is still in a slot. The missed
            ones are counted by :attr:`Follower.dropped`, and by :attr:`dropped` for all followers of the handle.
        start
            The first version to yield. ``"newest"``: the newest, or the first to be published. ``"oldest"``: the oldest
            that is still in a slot. A number: that version, or the first after it.
        borrow
            Yield read-only views like :meth:`borrow`, each valid until the next. With arrays the loop's variable still
            holds one while the next is borrowed, which takes four slots; with three, every second one is a copy.
        timeout
            Seconds to wait for each version; None waits for ever. Default: :attr:`timeout` of the handle.

        Returns
        -------
        Follower
            An iterator and asynchronous iterator.

        Raises
        ------
        Timeout
            In the loop: no newer version was published in time. The loop can be continued.
        RegionLost
            In the loop: the region's memory was lost.
        Closed
            The handle was closed already.
        MisuseError
            In the loop: another thread or task is waiting in it. Each needs its own follow().
        """
        seconds = self.timeout if isinstance(timeout, EllipsisType) else timeout
        return Follower(self, every=every, start=start, borrow=borrow, timeout=seconds)

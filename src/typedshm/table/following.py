"""Following a table: its rows as they change, each with its newest version."""

import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from types import EllipsisType
from typing import Any, Generic, Literal, Never, TypeVar

import numpy as np

import typedshm._native as _native
from typedshm.arguments import refuse_positional, seconds
from typedshm.errors import Closed, Empty, found
from typedshm.region.loops import running_loop
from typedshm.region.subscribing import Delivery, Subscription, check_callback
from typedshm.schema.arrays import NDArray
from typedshm.table.base import TableBase
from typedshm.table.selection import ascending

T = TypeVar("T")

RowStart = Literal["next", "newest"]
"""What a follower begins with: the next change, or every row that holds something."""

_READ_ONLY_PAUSE = 0.002
"""Seconds between looks of a coroutine whose handle cannot announce that it sleeps, at least."""

_PERIOD = 0.1
"""Those at most, of any coroutine: a writer that died before it told the news wakes nobody. One that cannot announce
itself rests most of the time, however long a look takes.
"""


def _pause_after(look: float) -> float:
    """Return how long who may only read rests after a look that took so many seconds."""
    return min(max(_READ_ONLY_PAUSE, 20 * look), _PERIOD)


class RowFollower(Generic[T]):
    """An iterator over the rows of a table that changed, from :meth:`Table.follow`, for ``for`` and ``async for``.

    Each step yields a row's number, or its key, and its newest version. A row that changes several times before its
    turn comes is yielded once; no change remains unreported. One thread or task at a time may use it, as with
    generators.

    Attributes
    ----------
    table
        The handle that is followed.
    failed
        How many rows raised an error when they were read: torn with ``slots=1``, or refused by a model. The step after
        one goes on behind it.
    """

    def __init__(self, table: TableBase[T], *, start: RowStart, timeout: float | None) -> None:
        self.table = table
        self.failed = 0
        self._timeout = timeout
        self._pending: deque[int] = deque()
        self._looked = time.monotonic()
        self._changes = _native.Changes(table, start == "newest")

    def poll(self) -> NDArray[np.int64]:
        """Return the numbers of the rows that changed, ascending, without waiting; none if there are none.

        Raises
        ------
        Closed, RegionLost
            As for :meth:`Table.read`.
        RegionReplaced
            The table's name means another one now; looked at every 100 ms.
        MisuseError
            Another thread or task is waiting in this follower.
        """
        now = time.monotonic()
        if now - self._looked > _PERIOD:  # who only polls waits in nothing that would tell
            _native.look(self.table)
            self._looked = now
        numbers = np.frombuffer(self._changes.poll(), np.int64)
        if self._pending:
            numbers = ascending(np.concatenate((numbers, np.array(self._pending, np.int64))))
            self._pending.clear()
        return numbers

    def look(self, slept: bool) -> int | float | None:
        """Look without waiting whether rows changed that were not yielded. Called by the library.

        Parameters
        ----------
        slept
            True: look at the table's name as well.

        Returns
        -------
        int, float or None
            None: there are some. A whole number: what the table's news say, to sleep on. Others: seconds until it is to
            be looked at again, since a handle that may only read is told nothing.
        """
        if self._pending:
            return None
        began = time.monotonic()
        changed = self._changes.prepare()
        if isinstance(changed, bytes):
            self._pending.extend(np.frombuffer(changed, np.int64).tolist())
            return None
        if slept:
            _native.look(self.table)
        return _pause_after(time.monotonic() - began) if self.table.readonly else changed

    def __iter__(self) -> Iterator[tuple[Any, T]]:
        return self

    def __next__(self) -> tuple[Any, T]:
        try:
            while True:
                if not self._pending:
                    self._pending.extend(np.frombuffer(self._changes.wait(self._timeout), np.int64).tolist())
                if (step := self._step()) is not None:
                    return step
        except Closed:
            if self.table.closed:
                raise StopIteration from None
            raise

    def __aiter__(self) -> AsyncIterator[tuple[Any, T]]:
        return self

    async def __anext__(self) -> tuple[Any, T]:
        loop = running_loop()
        end = None if self._timeout is None else time.monotonic() + self._timeout
        rested = False
        try:
            while True:
                while self._pending:
                    if not rested:  # a task that never has to wait must still let others run
                        rested = True
                        await loop.turn()
                    if (step := self._step()) is not None:
                        return step
                began = time.monotonic()
                changed = self._changes.prepare()
                if isinstance(changed, bytes):
                    self._pending.extend(np.frombuffer(changed, np.int64).tolist())
                    continue
                left = None if end is None else end - time.monotonic()
                if left is not None and left <= 0:
                    _native.fail(self.table, "wait timeout")
                rested = True
                if self.table.readonly:
                    await loop.rest(_pause_after(time.monotonic() - began))
                else:
                    await loop.sleep(self.table, changed, _PERIOD if left is None else min(left, _PERIOD))
                if self.table.closed:
                    raise StopAsyncIteration
                _native.look(self.table)
        except Closed:
            if self.table.closed:
                raise StopAsyncIteration from None
            raise

    def _step(self) -> tuple[Any, T] | None:
        """Return the next row of those that changed; None if it holds nothing."""
        number = self._pending.popleft()
        try:
            value = _native.read_row(self.table, number)
        except Empty:
            return None  # taken by a writer that died before it had published anything
        except Closed:
            raise
        except Exception:
            self.failed += 1
            raise
        return self.table.key_of(number), value


class _Rows(Delivery):
    """Those of a table: numbers of rows that changed."""

    def __init__(self, follower: RowFollower[Any], title: str, callback: Callable[[Any], object]) -> None:
        super().__init__(follower.table, title, callback)
        self._follower = follower

    def step(self) -> float | None:
        state = self._follower.look(True)
        if state is None:
            self.deliver(self._follower.poll())
            return 0
        return state if isinstance(state, float) else self.sleep(state)

    def has_passed(self) -> bool:
        return False


def _versions(after: Any, shape: tuple[int, ...]) -> NDArray[np.uint64]:
    """Return the versions to exceed, one for each row."""
    expected = f"after: expected versions, as from versions(rows), of shape {shape}"
    try:
        given: NDArray[Any] = np.asarray(after)
        if given.dtype.kind not in "iu":
            raise TypeError
        if given.shape not in ((), shape) or (given.size and given.min() < 0):
            raise ValueError(f"{expected}, found {found(after)}")
    except (TypeError, OverflowError):
        raise TypeError(f"{expected}, found {found(after)}") from None
    return np.ascontiguousarray(np.broadcast_to(given, shape), np.uint64)


class FollowedTable(TableBase[T], Generic[T]):
    """The part of a table that waits for its rows."""

    def wait(
        self, rows: Any = ..., *_: Never, after: Any = None, timeout: float | EllipsisType | None = ...
    ) -> NDArray[np.int64]:
        """Sleep until a row has a newer version, and return the numbers of those that have.

        Parameters
        ----------
        rows
            A row's number or key, or several. Default: all of them.
        after
            The versions to exceed, as from :meth:`versions` of these rows. Default: those of this moment. Whoever reads
            rows and then waits for the next change asks for the versions before reading, or uses :meth:`follow`.
        timeout
            Seconds to wait; None waits for ever. Default: :attr:`timeout` of the handle.

        Raises
        ------
        Timeout
            None changed in time.
        Closed, RegionLost, RegionReplaced
            As for :meth:`Region.wait`.
        """
        refuse_positional(_, "wait", "wait(rows, timeout={}) for at most {} seconds")
        patience = self.timeout if isinstance(timeout, EllipsisType) else seconds(timeout)
        if rows is Ellipsis and after is None:
            return np.frombuffer(_native.Changes(self, False).wait(patience), np.int64)
        several = self._several(self._select(rows))
        if not several.count:
            raise ValueError("rows: expected at least one row to wait for, found none, of which none ever changes")
        if after is None:
            versions: Any = _native.row_versions(self, several.index, False)
        else:
            versions = _versions(after, several.shape)
        moved = np.frombuffer(_native.wait_rows(self, several.index, versions, patience), np.int64)
        return several.numbers(len(self))[moved]

    def follow(self, *_: Never, start: RowStart = "next", timeout: float | EllipsisType | None = ...) -> RowFollower[T]:
        """Iterate over the rows that change: ``for row, value in table.follow(): ...``.

        Each step yields a row's number, or key, and its newest version. No change remains unreported, of however many
        writers; a row that changes again before its turn comes is yielded once. The loop ends when the handle is
        closed. A coroutine writes ``async for row, value in table.follow(): ...``. :meth:`RowFollower.poll` returns the
        numbers of all rows that changed, without waiting.

        Parameters
        ----------
        start
            ``"next"``: what changes from this call on. ``"newest"``: at first every row that holds something.
        timeout
            Seconds to wait for a change; None waits for ever. Default: :attr:`timeout` of the handle.

        Raises
        ------
        Timeout
            In the loop: nothing changed in time. The loop can be continued.
        TornWrite, Exception
            In the loop: a row could not be read or decoded. The error is raised once; the next step goes on.
        RegionLost, RegionReplaced
            In the loop: the memory was lost, or the name means another table now.
        """
        refuse_positional(_, "follow", "follow(start={}) or follow(timeout={})")
        if type(start) is not str or start not in ("next", "newest"):
            raise ValueError(f'start: expected "next" or "newest", found {found(start)}')
        patience = self.timeout if isinstance(timeout, EllipsisType) else seconds(timeout)
        return RowFollower(self, start=start, timeout=patience)

    def subscribe(
        self, callback: Callable[[NDArray[np.int64]], object], *_: Never, start: RowStart = "next"
    ) -> Subscription:
        """Have a function called with the numbers of the rows that changed: ``table.subscribe(show)``.

        It is called on a thread of the library's, as for :meth:`Region.subscribe`, with what
        :meth:`RowFollower.poll` returns: ascending numbers, each row once, however often it changed. No change remains
        unreported.

        Parameters
        ----------
        callback
            The function, whose result is ignored.
        start
            As for :meth:`follow`.

        Returns
        -------
        Subscription
            To be closed; it also ends when the handle is closed, and when the table is replaced or lost.
        """
        refuse_positional(_, "subscribe", "subscribe(callback, start={})")
        check_callback(callback)
        return Subscription(_Rows(self.follow(start=start), self._title, callback))

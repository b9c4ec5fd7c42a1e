"""Following a region: its versions one after the other, with an exact count of the missed ones."""

import contextlib
import operator
import time
import weakref
from collections.abc import AsyncIterator, Callable
from types import EllipsisType, TracebackType
from typing import Any, Generic, Literal, Never, NoReturn, Self, SupportsIndex, TypeVar, cast

import typedshm._native as _native
from typedshm.arguments import flag, refuse_positional, seconds
from typedshm.errors import Closed, RegionLost, RegionNotFound, Timeout, quoted
from typedshm.region.asynchronous import AwaitedRing, await_newer, rest
from typedshm.region.info import RegionInfo
from typedshm.region.opened import Opened
from typedshm.region.registration import Registration, registration
from typedshm.region.subscribing import Delivery, Subscription, check_callback

T = TypeVar("T")

Start = Literal["newest", "oldest", "next"] | int
"""The first version: the newest, the oldest still in a slot, the next to be published, a number, or one below zero."""

_PAUSE = 0.01
"""Seconds between looks whether a name leads to a region again."""

_LOOK_IN_GROUP = 0.05
"""Seconds between looks of a group's member for what others had that died."""

_LOOK = 0.1
"""Seconds between looks whether the name means another region, of who never waits."""


class Follower(_native.Follower[T], Generic[T]):
    """An iterator over the versions of a region, from :meth:`Region.follow`, for ``for`` and ``async for``.

    One thread or task at a time may use it, as with generators. It is a context manager that closes itself.

    Attributes
    ----------
    version
        The number of the last version handed out; before the first, the number to exceed.
    pending
        How many versions were published and not handed out, also those that are in no slot any more.
    dropped
        How many versions were missed: they were in no slot any more.
    failed
        How many versions raised an error, since they could not be decoded. The step after one goes on behind it.
    until_gone
        Whether it ends with PublisherGone once nobody is left to publish.
    reattached
        How often the region was replaced and the next one was followed, with ``reattach=True``.
    closed
        True once it was closed.
    """

    def __init__(
        self,
        region: "Followable[T]",
        *,
        first: int,
        every: bool,
        borrow: bool,
        reattach: bool,
        until_gone: bool,
        registration: Registration | None,
        timeout: float | None,
    ) -> None:
        super().__init__(region, first, every, borrow, reattach)
        self.reattached = 0
        self._followed = self._region = region
        self._reattach = reattach
        self.until_gone = until_gone
        self._timeout = timeout
        self._looked = time.monotonic()
        self._registration = registration
        if registration is not None:
            self._register(registration, region, first)

    def _register(self, registration: Registration, region: "Followable[T]", first: int) -> None:
        """Take a place in a lossless region, which versions come from then."""
        registration.register(self, region, first)
        if region.placed is None:
            region.placed = weakref.WeakSet()
        region.placed.add(self)

    @property
    def region(self) -> "Followable[T]":
        """The handle that versions come from; those of later regions are closed with the followed one."""
        return self._region

    @property
    def instance(self) -> str:
        """16 digits that tell the region that versions come from now; see :attr:`RegionInfo.instance`."""
        return self._region.instance

    def __enter__(self) -> Self:
        return self

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            "a follower belongs to its process and cannot be pickled or copied; give the region to the other process, "
            "and call follow() there, with start= this one's version + 1 or by its name="
        )

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self.close()
        else:  # what was handed out last was perhaps not dealt with
            _native.follower_end(self)

    def look(self, slept: bool) -> int | float | None:
        """Look without waiting whether there is a version that was not handed out. Called by the library.

        Parameters
        ----------
        slept
            True: look at the region's name as well.

        Returns
        -------
        int, float or None
            None: there is one. A whole number: what the region's head says, to sleep on. Others: seconds until it is to
            be looked at again, since no region has the name at the moment.
        """
        while True:
            if self.closed:
                _native.fail(self._followed, "follower closed")
            try:
                newest = self._region.version  # of before the look, so that what comes later is noticed
                if self.pending:
                    return None
                number = _native.newer(self._region, newest, slept)
                if number is not None:
                    return number
                continue
            except RegionLost:
                if not self._reattach:
                    raise
            if not self._move_on():
                return _PAUSE

    # ---- called by the C core ----

    def _wait(self, error: BaseException | None, end: float | None) -> float:
        """Return when there may be something, after a step that found nothing or raised an error.

        Returns
        -------
        float
            When it will have lasted for too long, which is `end` the next time. StopIteration ends the loop.
        """
        try:
            if end is None:
                end = float("inf") if self._timeout is None else time.monotonic() + self._timeout
            try:
                if error is not None:
                    raise error
                self._await(end)
                return end
            except RegionLost:
                if not self._reattach:
                    raise
            while not self._move_on():
                time.sleep(self._pause(end))
            return end
        except Closed:
            if self._region.closed:
                raise StopIteration from None
            raise
        finally:
            del error  # its traceback has this frame

    def _await(self, end: float) -> None:
        """Sleep until there is something newer than what was looked at; or for as long as a group may do without it."""
        left = _left(end)
        if not self._in_group or left <= self._look_in_group:
            _native.await_newer(self._region, _native.follower_observed(self), left, self.until_gone)
            return
        with contextlib.suppress(Timeout):
            _native.await_newer(self._region, _native.follower_observed(self), self._look_in_group, self.until_gone)

    def _go_on(self, error: BaseException | None) -> bool:
        """After a look that found nothing or raised an error: go on with the next region; False if there is none."""
        try:
            if error is not None:
                raise error
            if time.monotonic() - self._looked < _LOOK:
                return False
            self._looked = time.monotonic()
            _native.look(self._region)
        except RegionLost:
            return self._move_on()
        finally:
            del error
        return False

    # ---- for coroutines ----

    def __aiter__(self) -> AsyncIterator[T]:
        return self

    async def __anext__(self) -> T:
        if self.closed:
            raise StopAsyncIteration
        _native.follower_enter(self)
        try:
            _native.follower_release(self)
            end = float("inf") if self._timeout is None else time.monotonic() + self._timeout
            while True:
                try:
                    await self._await_in_task(end)
                    if self.closed:  # by a block that ended in an error meanwhile
                        raise StopAsyncIteration
                    value = _native.follower_find(self)
                    self._taken = True  # no call behind it, at which a signal's handler could raise and lose the value
                    if value is not None:
                        return value
                    continue
                except RegionLost:
                    if not self._reattach:
                        raise
                while not self._move_on():
                    await rest(self._pause(end))
        except Closed:
            if self._region.closed:
                raise StopAsyncIteration from None
            raise
        finally:
            _native.follower_leave(self)

    async def _await_in_task(self, end: float) -> None:
        left = _left(end)
        if not self._in_group or left <= self._look_in_group:
            await await_newer(self._region, _native.follower_observed(self), left, self.until_gone)
            return
        with contextlib.suppress(Timeout):
            await await_newer(self._region, _native.follower_observed(self), self._look_in_group, self.until_gone)

    @property
    def _look_in_group(self) -> float:
        return 2 * _LOOK_IN_GROUP if self.until_gone else _LOOK_IN_GROUP  # which has to be found twice in one wait

    @property
    def _in_group(self) -> bool:
        return self._registration is not None and self._registration.group

    # ---- the next region of the name ----

    def _pause(self, end: float) -> float:
        """Return how long to wait for a region to appear; raises if there is no time left for that."""
        left = end - time.monotonic()
        if left <= 0:
            _native.fail(self._region, "reattach timeout")
        return min(left, _PAUSE)

    def _move_on(self) -> bool:
        """Follow the region that has the name now; False if there is none."""
        try:
            region = self._followed.reattach(
                timeout=1e-9, exclusive=False
            )  # which does not wait for those who are making one
        except (RegionNotFound, Timeout):
            region = None
        if self._followed.closed:  # perhaps before the new handle could be closed with it
            self._region = self._followed
            _native.fail(self._followed, "closed")
        if region is None:
            return False
        if self._followed.later is None:
            self._followed.later = weakref.WeakSet()
        self._followed.later.add(region)
        if self._registration is None:
            _native.follower_move(self, region)
        else:
            same = region.instance == self.instance
            try:
                self._register(self._registration, region, self.version + 1 if same else _native.START_OLDEST)
            except BaseException:  # it stays where it was, and tries again with the next step
                region.close()
                raise
        before, self._region = self._region, region
        if before is not self._followed:
            before.close()
        self.reattached += 1
        return True


def _left(end: float) -> float:
    return max(end - time.monotonic(), 0)


class _Versions(Delivery):
    """Those of a region: its newest versions, or every one."""

    def __init__(self, follower: Follower[Any], title: str, callback: Callable[[Any], object]) -> None:
        super().__init__(follower.region, title, callback)
        self._follower = follower
        self._before = 0

    def step(self) -> float | None:
        self._before = self._follower.version
        newest = self._follower.region.version  # of before the look, so that what comes later is noticed
        value = self._follower.poll()
        if value is not None:
            self.deliver(value)
            return 0
        number = _native.newer(self._follower.region, newest, True)
        return 0 if number is None else self.sleep(number)

    def has_passed(self) -> bool:
        return self._follower.version != self._before


def _number(start: object) -> int | None:
    """Return a number other than 0; None if it is none."""
    try:
        return None if isinstance(start, bool) else operator.index(cast("SupportsIndex", start)) or None
    except TypeError:
        return None


class Followable(AwaitedRing[T], Opened[T], Generic[T]):
    """The part of a region that makes followers."""

    placed: "weakref.WeakSet[Follower[T]] | None" = None
    """Its followers that have places in the region, which they leave when it is closed."""

    later: "weakref.WeakSet[Followable[T]] | None" = None
    """Handles of later regions of this name, which its followers have opened and which are closed with it."""

    def info(self) -> RegionInfo:
        """Report the region's state."""
        raise NotImplementedError

    def _first(self, start: object) -> int:
        """Return the first version that a follower is to get, as the core takes it."""
        if isinstance(start, str):
            first = {"next": _native.START_NEXT, "newest": 0, "oldest": _native.START_OLDEST}.get(start)
        else:
            first = _number(start)
        if first is None:
            raise ValueError(
                "follow: expected 'newest', 'oldest', 'next', a version of at least 1, or a negative number of "
                f"versions before the newest as start, found {quoted(start)}"
            )
        if first not in (0, _native.START_NEXT) and first > self.version + 1:
            self._refuse_start(first)
        return max(first, _native.START_OLDEST)

    def _refuse_start(self, version: int) -> NoReturn:
        """Raise the error of a version that the region has never had."""
        raise NotImplementedError

    def follow(
        self,
        *_: Never,
        every: bool = False,
        start: Start | EllipsisType = ...,
        borrow: bool = False,
        reattach: bool = False,
        until_gone: bool = False,
        lossless: bool = False,
        name: str | None = None,
        keep: float | None = None,
        group: str | None = None,
        redeliver: bool = False,
        timeout: float | EllipsisType | None = ...,
    ) -> Follower[T]:
        """Iterate over the versions as they are published: ``for t in region.follow(): ...``.

        The loop ends when the handle is closed, by any thread. A coroutine of asyncio, trio or anyio writes ``async for
        t in region.follow(): ...``, which waits like :meth:`next`.

        Parameters
        ----------
        every
            False: yield the newest version each time. True: yield every version. The missed ones are counted by
            :attr:`Follower.dropped`, and by :attr:`dropped` for all followers of the handle. One that was overrun, as
            writers were a whole round ahead, goes on where it will last: at the second oldest version that is still in
            a slot, and with many slots an eighth of them later.
        start
            The first version to yield. ``"newest"``: the newest, or the first to be published. ``"next"``: the first to
            be published after this call. ``"oldest"``: the oldest that is still in a slot. A number: that version, or
            the first after it, as from a saved :attr:`Follower.version` + 1. A negative number: so many before the
            newest, or the oldest that is still in a slot. Default: ``"newest"``, or with `lossless` ``"next"``.
        borrow
            Yield read-only views like :meth:`borrow`, each valid until the next. With arrays the loop's variable still
            holds one while the next is borrowed, which takes four slots; with three, every second one is a copy.
        reattach
            Go on with the next region of that name when this one is replaced, or removed and made again, as when its
            publisher is restarted. :attr:`Follower.region` and :attr:`Follower.instance` change then,
            :attr:`Follower.version` begins anew, :attr:`Follower.reattached` counts. A handle without a schema takes
            the new region's layout; with one, another layout is a LayoutMismatch in the loop.
        until_gone
            Raise PublisherGone, once everything has been yielded, when every process that has published has ended or
            closed the region, as for :meth:`wait`.
        lossless
            Yield every version, and have writers wait with what they would write over until this follower has got it:
            until it asks for the next, says :meth:`Follower.done` or is closed. It takes a region made with
            ``create(..., lossless=True)``, and the right to write. A follower whose process has ended holds nobody up.
        name
            Lossless, and whoever follows by this name next goes on where this one stopped, whatever `start` says: the
            version that was handed out last, and not counted as got, comes once more.
        keep
            Seconds that writers wait for a name, or group, that nobody has. Default: 5.
        group
            Lossless, and each version goes to one of the followers that name the group, whatever processes they are in;
            `start` is that of the first of them. A member has one version at a time, also in :meth:`Follower.drain`.
        redeliver
            What a member of the group had when it died, or left by an error, is handed out to another, before newer
            ones. Otherwise it is lost, and counted in ``info().followers``.
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
        PublisherGone
            In the loop, with `until_gone`: nobody is left to publish a newer version. The loop can be continued.
        RegionReplaced
            In the loop: the region's name means another one now; see `reattach`.
        RegionLost
            In the loop: the region's memory was lost.
        Exception
            In the loop: a version could not be decoded, as when a model refuses its values. The error is raised once;
            the next step goes on behind that version.
        UnknownVersion
            `start` is beyond the next version: it comes from an earlier region of that name.
        Closed
            The handle was closed already.
        RegionRefused
            With `lossless`: the region was not made for that, or the handle may not write.
        FollowerExists
            A living follower has the name.
        RegionFull
            All 48 places for lossless followers, groups and members are taken.
        MisuseError
            In the loop: another thread or task is waiting in it. Each needs its own follow().
        """
        refuse_positional(_, "follow", "follow(start={}), follow(timeout={}) or follow(every=True)")
        every, borrow, reattach = flag(every, "every"), flag(borrow, "borrow"), flag(reattach, "reattach")
        until_gone = flag(until_gone, "until_gone")
        patience = self.timeout if isinstance(timeout, EllipsisType) else seconds(timeout)
        wanted = registration(lossless, name, keep, group, redeliver)
        if isinstance(start, EllipsisType):
            start = "newest" if wanted is None else "next"
        return Follower(
            self,
            first=self._first(start),
            every=every or wanted is not None,
            borrow=borrow,
            reattach=reattach,
            until_gone=until_gone,
            registration=wanted,
            timeout=patience,
        )

    def subscribe(
        self, callback: Callable[[T], object], *_: Never, every: bool = False, start: Start = "newest"
    ) -> Subscription:
        """Have a function called with the versions as they are published: ``region.subscribe(show)``.

        It is called on a thread of the library's, one for all subscriptions of the process. While it runs, they wait;
        what is published meanwhile is delivered as :meth:`follow` would. Errors of the function, and of versions that
        cannot be decoded, go to :func:`sys.unraisablehook`, and the subscription goes on.

        Parameters
        ----------
        callback
            The function, whose result is ignored. The value is a private copy, as from :meth:`read`.
        every
            False: the newest version each time. True: every version that is still in a slot.
        start
            The first version, as for :meth:`follow`.

        Returns
        -------
        Subscription
            To be closed; it also ends when the handle is closed, and when the region is replaced or lost.

        Raises
        ------
        UnknownVersion, Closed
            As for :meth:`follow`.
        """
        refuse_positional(_, "subscribe", "subscribe(callback, start={})")
        check_callback(callback)
        follower = self.follow(every=every, start=start, timeout=None)
        return Subscription(_Versions(follower, self._title, callback))

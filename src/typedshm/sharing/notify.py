"""Waiting for several regions, tables and followers at once: in a call, and in event loops of others."""

import contextlib
import sys
import threading
import time
from collections import deque
from collections.abc import Iterable
from types import TracebackType
from typing import Any, Never, NoReturn, Self, TypeVar

import typedshm._native as _native
from typedshm.arguments import refuse_positional, seconds
from typedshm.errors import Closed, RegionRefused, Timeout
from typedshm.region.waitset import join
from typedshm.region.worker import POLLING, Task
from typedshm.sharing.sources import (
    ABSENCE_PERIOD,
    LOOK_PERIOD,
    RegionSource,
    Source,
    SourceLike,
    names_of,
    sleep_on,
    source_of,
    sources_of,
)

S = TypeVar("S", bound=SourceLike)


def wait_any(sources: Iterable[S], *_: Never, timeout: float | None = None) -> list[S]:
    """Sleep until at least one of several sources has something new, and return those that have.

    Any number of regions, tables and followers of either::

        for source in typedshm.wait_any([camera, lidar], timeout=1):
            ...

    A region has something new if there is a version that this thread did not get through the handle, as for
    :meth:`Region.wait` without `after`: until it is read, it is returned again and again. A follower has something new
    while there is a version, or a row, that it has not yielded. A table has something new if a row changes during the
    call; who must not miss a change in between waits for ``table.follow()``, and then asks it for the rows by
    :meth:`RowFollower.poll`.

    Handles that may only read are looked at every two milliseconds.

    Parameters
    ----------
    sources
        Regions, tables, and what ``follow()`` of one of them returned.
    timeout
        Seconds to wait; None waits for ever.

    Returns
    -------
    list
        Those of `sources` that have something new, in their order. The values are not read.

    Raises
    ------
    Timeout
        None of them had anything new in time.
    Closed, RegionLost, RegionReplaced, PublisherGone
        One of them can have nothing new any more, and nothing that was not got. Of a name that means another region
        this is known within 100 ms, as it is of a follower with ``until_gone=True`` that nobody is left to publish.
    """
    refuse_positional(_, "wait_any", "wait_any(sources, timeout={}) to wait at most {} seconds")
    return _wait(sources_of(sources), seconds(timeout), every=False)


def wait_all(sources: Iterable[S], *_: Never, timeout: float | None = None) -> list[S]:
    """Sleep until each of several sources has something new, and return them all.

    What counts as new is said at :func:`wait_any`.

    Parameters
    ----------
    sources
        Regions, tables, and what ``follow()`` of one of them returned.
    timeout
        Seconds to wait for all of them together; None waits for ever.

    Returns
    -------
    list
        All of `sources`, in their order.

    Raises
    ------
    Timeout
        Some had nothing new in time; the message names them.
    Closed, RegionLost, RegionReplaced
        As for :func:`wait_any`.
    """
    refuse_positional(_, "wait_all", "wait_all(sources, timeout={}) to wait at most {} seconds")
    return _wait(sources_of(sources), seconds(timeout), every=True)


def _wait(sources: list[Source], timeout: float | None, *, every: bool) -> list[Any]:
    looked = start = time.monotonic()
    waiting = sources
    to_ask = [source for source in sources if source.until_gone]
    period = ABSENCE_PERIOD if to_ask else LOOK_PERIOD
    while True:
        now = time.monotonic()
        over = timeout is not None and now - start >= timeout
        slept = over or now - looked >= period
        if slept:
            looked = now
        without = [source for source in waiting if not source.look(slept)]
        if not without or (len(without) < len(sources) and not every):
            found = set(sources) - set(without)
            return [source.given for source in sources if source in found]
        if every:
            waiting = without
        if slept:
            for source in to_ask:
                source.look_for_publisher()
        if over:
            verb, least = ("wait_all", "each") if every else ("wait_any", "one")
            raise Timeout(
                f"{verb} timed out after {timeout:g} s: expected something new in {least} of {len(sources)} sources, "
                f"found nothing new in {names_of(without)}"
            )
        left = period if timeout is None else timeout - (now - start)
        sleep_on(without, min(left, period))


class _Watched:
    """A source of a notifier, and who wakes it."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.given = source.given
        self.region = source if isinstance(source, RegionSource) else None
        self.watched = True
        self.waitset: _native.Waitset | None = None
        self.joined: _native.Opened | None = None
        self.poll: Task | None = None

    def leave(self) -> None:
        """Have nobody woken for it any more."""
        waitset, self.waitset = self.waitset, None
        opened, self.joined = self.joined, None
        poll, self.poll = self.poll, None
        if waitset is not None and opened is not None:
            waitset.remove(opened, self)
        if poll is not None:
            POLLING.remove(poll)


_Due = deque[_Watched]


class _Poll(Task):
    """Has a notifier look at a source that nobody can tell of: after a time, or a change of a table's rows."""

    def __init__(self, watched: _Watched, due: _Due, flag: _native.Flag) -> None:
        self._watched, self._due, self._flag = watched, due, flag
        self._rest: float | None = watched.source.pause
        self._pause = self._rest or 0
        opened = watched.source.opened
        self._table = opened if isinstance(opened, _native.Rows) else None
        self._changes = _native.Changes(opened, False) if isinstance(opened, _native.Rows) else None

    def run(self) -> float | None:
        """Look once, and rest as long as the source wants. Called by the library."""
        rest, self._rest = self._rest, None
        if rest is not None:
            return rest
        began = time.monotonic()
        with contextlib.suppress(Exception):  # which the notifier meets as well, and raises
            if self._table is not None and self._changes is not None and not isinstance(self._changes.prepare(), bytes):
                _native.look(self._table)
                return min(max(self._pause, 20 * (time.monotonic() - began)), LOOK_PERIOD)
        self._due.append(self._watched)
        self._flag.set()
        return None


class _Absence(Task):
    """Has a notifier look at a follower with ``until_gone=True`` once nobody is left to publish."""

    def __init__(self, watched: _Watched, due: _Due, flag: _native.Flag) -> None:
        self._watched, self._due, self._flag = watched, due, flag
        self._begun = False

    def run(self) -> float | None:
        """Ask once. Called by the library."""
        begun, self._begun = self._begun, True
        with contextlib.suppress(Exception):  # which the notifier meets as well, and raises
            if not begun or not self._watched.source.look_for_publisher():
                return ABSENCE_PERIOD
        self._due.append(self._watched)
        self._flag.set()
        return None


class Notifier:
    """Tells an event loop, by a descriptor or a Windows handle, that one of several sources has something new.

    For loops that wait for descriptors: ``select``, ``selectors``, ``loop.add_reader`` of asyncio, Qt::

        notifier = typedshm.Notifier(camera, lidar)
        loop.add_reader(notifier.fileno(), lambda: show(notifier.clear()))

    :meth:`fileno` is readable from the moment that a source has something new until :meth:`clear` is called, which
    returns those sources. A source has something new when, since it was returned last, a version was published or a
    row changed; at first, if there is a version that this thread did not get through the handle. Several versions make
    one notice: :meth:`Region.read` gets the newest. A follower has something new as long as it has not yielded all it
    has, and is returned again until then. :meth:`clear` that finds nothing left of a lossless one asks it for the next,
    so that what was handed out counts as got; but not in another thread than that which takes the follower's steps, and
    which says :meth:`Follower.done` instead.

    Any number of sources is watched by a thread that all notifiers and coroutines of the process share. Any thread may
    use a notifier. In a child of a fork its parent's notifiers are closed.

    Parameters
    ----------
    *sources
        Regions, tables, and what ``follow()`` of one of them returned.

    Raises
    ------
    Closed, RegionLost
        One of the sources is closed or lost already.
    """

    _flag: _native.Flag | None = None

    def __init__(self, *sources: SourceLike) -> None:
        self._lock = threading.RLock()
        self._watched: dict[int, _Watched] = {}
        self._due: _Due = deque()
        self._flag = _native.Flag(True)
        try:
            for source in sources:
                self.add(source)
        except BaseException:
            self.close()
            raise

    # ---- what is watched ----

    @property
    def sources(self) -> list[SourceLike]:
        """What it watches, in the order in which it was added."""
        with self._lock:
            return [watched.given for watched in self._watched.values()]

    def add(self, source: SourceLike) -> None:
        """Watch one more; one that it watches already is left as it is.

        Raises
        ------
        Closed, RegionLost
            The source is closed or lost, or the notifier is closed.
        """
        with self._lock:
            self._open_flag()
            if id(source) in self._watched:
                return
            watched = _Watched(source_of(source, reports=True, parameter="source"))
            self._watched[id(source)] = watched
            try:
                self._arm(watched)
            except BaseException:
                watched.watched = False
                del self._watched[id(source)]
                raise

    def remove(self, source: SourceLike) -> None:
        """Watch it no more; one that it does not watch is no error."""
        with self._lock:
            watched = self._watched.pop(id(source), None)
            if watched is not None:
                watched.watched = False
        if watched is not None:
            watched.leave()

    # ---- what others wait for ----

    def fileno(self) -> int:
        """Return the descriptor that is readable while a source has something new. Only wait for it.

        Raises
        ------
        RegionRefused
            On Windows, where select() takes sockets only: see :attr:`handle`.
        Closed
            The notifier was closed.
        """
        pollable = self._pollable()
        if sys.platform == "win32":
            raise RegionRefused(
                "a Notifier has no descriptor on Windows, where select() takes sockets only; Notifier.handle is an "
                "event for QWinEventNotifier, and for wait_for_handle() of asyncio's proactor"
            )
        return pollable

    @property
    def handle(self) -> int:
        """The handle of a Windows event that is signalled while a source has something new. Only wait for it.

        Elsewhere there is none (RegionRefused): see :meth:`fileno`.
        """
        pollable = self._pollable()
        if sys.platform != "win32":
            raise RegionRefused(
                "a Notifier has a handle on Windows only; Notifier.fileno() is a descriptor to wait for"
            )
        return pollable

    def wait(self, *_: Never, timeout: float | None = None) -> list[SourceLike]:
        """Sleep until a source has something new, and return those that have: :meth:`clear` for a thread.

        Raises
        ------
        Timeout
            None had anything new in time.
        Closed, RegionLost, RegionReplaced
            As for :meth:`clear`; Closed also when the notifier is closed meanwhile.
        """
        refuse_positional(_, "wait", "wait(timeout={}) to wait at most {} seconds")
        patience = seconds(timeout)
        end = None if patience is None else time.monotonic() + patience
        while True:
            changed = self.clear()
            if changed:
                return changed
            flag = self._open_flag()
            if not flag.wait(None if end is None else max(end - time.monotonic(), 0)):
                raise Timeout(f"timed out after {patience:g} s waiting for something new in {self._names()}")

    def clear(self) -> list[SourceLike]:
        """Return the sources that have something new, which is known from now on, without waiting.

        Until the next change, nobody is woken. The list may be empty, as when several threads clear.

        Raises
        ------
        Closed, RegionLost, RegionReplaced, PublisherGone
            A source can have nothing new any more: it was closed, its memory was lost, its name means another region
            now, or nobody is left to publish what it follows with ``until_gone=True``; the last two are known within
            100 ms. The error is raised once: the source is watched no more. What else is new is returned before, or by
            the next call.
        """
        flag = self._flag
        if flag is None or flag.inherited:
            flag = self._open_flag()
        changed: list[SourceLike] = []
        failed: list[tuple[_Watched, Exception]] = []
        with self._lock:
            fired: list[_Watched] = flag.take()
            if self._due:
                fired += self._take_due()
            for watched in fired if len(fired) == 1 else dict.fromkeys(fired):
                if not watched.watched:
                    continue  # removed meanwhile
                try:
                    if self._has_changed(watched, flag):
                        changed.append(watched.given)
                except Exception as error:
                    failed.append((watched, error))
            if failed:
                self._keep_errors(failed, bool(changed))
        return changed

    def _has_changed(self, watched: _Watched, flag: _native.Flag) -> bool:
        """Return whether a source that is due has something new, and have the flag raised for what comes next."""
        region, waitset = watched.region, watched.waitset
        if region is not None and waitset is not None:  # most often; whoever waits for clear() waits for this
            newest = waitset.rearm(region.region, watched, flag)
            if newest is not None and newest > (region.after or 0):
                region.after = newest
                return True
        watched.leave()
        changed = watched.source.look(True)
        if changed:
            watched.source.reported()
        self._arm(watched)
        return changed

    def _keep_errors(self, failed: "list[tuple[_Watched, Exception]]", later: bool) -> None:
        """Raise the first of the errors, unless that is for a later call; the others come up again by themselves."""
        if failed and not later:
            watched, error = failed.pop(0)
            watched.watched = False
            watched.leave()
            del self._watched[id(watched.given)]
        else:
            error = None
        self._make_due(*(watched for watched, _ in failed))
        if error is not None:
            try:
                raise error
            finally:
                del error, failed  # its traceback has this frame

    # ---- its end ----

    def close(self) -> None:
        """Watch nothing any more, wake who waits, and close the descriptor; the second time does nothing."""
        with self._lock:
            flag, self._flag = self._flag, None
            left = list(self._watched.values())
            self._watched.clear()
            self._due.clear()
            for watched in left:
                watched.watched = False
        if flag is not None:
            flag.close()
            for watched in left:
                watched.leave()

    @property
    def closed(self) -> bool:
        """True once it was closed, or in a child of a fork."""
        return self._flag is None or self._flag.inherited

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __del__(self) -> None:
        if self._flag is not None and not self._flag.inherited and not sys.is_finalizing():
            self.close()

    def __repr__(self) -> str:
        """Return what it watches."""
        return f"<Notifier{', closed' if self.closed else f' of {self._names()}'}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Notifier belongs to its process and cannot be pickled; make one of the regions over there")

    # ---- its parts ----

    def _open_flag(self) -> _native.Flag:
        flag = self._flag
        if flag is None:
            raise Closed("the notifier is closed")
        if flag.inherited:
            raise Closed("the notifier is the parent's, and closed in this child of a fork; make another one here")
        return flag

    def _pollable(self) -> int:
        pollable = self._open_flag().pollable
        if pollable is None:
            raise Closed("the notifier has no descriptor")
        return pollable

    def _names(self) -> str:
        with self._lock:
            return names_of([watched.source for watched in self._watched.values()]) or "no source"

    def _take_due(self) -> "list[_Watched]":
        taken: list[_Watched] = []
        while self._due:
            taken.append(self._due.popleft())
        return taken

    def _make_due(self, *watched: _Watched) -> None:
        if watched:
            self._due.extend(watched)
            self._open_flag().set()

    def _arm(self, watched: _Watched) -> None:
        """Have the flag raised once the source has something new, which may be at once."""
        source, flag = watched.source, self._open_flag()
        while not source.look(False):
            if source.pause is not None:
                poll = _Poll(watched, self._due, flag)
                if source.look(False):  # what has changed before the poll began
                    break
                watched.poll = poll
                POLLING.add(poll)
                return
            opened = source.opened
            watched.waitset = join(opened, source.number, watched, flag)
            if watched.waitset is not None:
                watched.joined = opened
                if source.until_gone:
                    watched.poll = _Absence(watched, self._due, flag)
                    POLLING.add(watched.poll)
                return
        self._make_due(watched)

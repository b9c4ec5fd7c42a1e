"""What can be waited for beside others: regions, tables and followers of either, behind one interface."""

import time
from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Any, TypeAlias

import typedshm._native as _native
from typedshm.errors import found
from typedshm.region.following import Follower
from typedshm.region.region import Region
from typedshm.region.waitset import join
from typedshm.table.following import RowFollower
from typedshm.table.table import Table

SourceLike: TypeAlias = "Region[Any] | Table[Any] | Follower[Any] | RowFollower[Any]"

EXPECTED = "a Region, a Table, or what follow() of one of them returns"


class Source(ABC):
    """Something that is waited for, as one who waits sees it."""

    number = 0
    """What the head, or news, of the handle said when nothing new was found."""

    pause: float | None = None
    """Seconds after which it is to be looked at again, if nothing else tells; None: one can sleep on the number."""

    until_gone = False
    """Whether it is to be asked every ABSENCE_PERIOD if anybody is left to publish."""

    def __init__(self, given: SourceLike) -> None:
        self.given = given

    @property
    @abstractmethod
    def opened(self) -> "Region[Any] | Table[Any]":
        """The handle, which may become another one."""

    def look(self, slept: bool) -> bool:
        """Return whether there is something new.

        Parameters
        ----------
        slept
            True: raise RegionReplaced if its name means something else by now.
        """
        state = self._look(slept)
        self.pause = state if isinstance(state, float) else None
        self.number = 0 if state is None or isinstance(state, float) else state
        return state is None

    @abstractmethod
    def _look(self, slept: bool) -> int | float | None:
        """None: there is something new. A number to sleep on, or seconds."""

    def look_for_publisher(self) -> bool:
        """Return whether nobody is left to publish, found twice in a row; the next look says so, if nothing is new."""
        return False

    @abstractmethod
    def reported(self) -> None:
        """Count what is there as old from now on."""


class RegionSource(Source):
    """A region: new is a version above what this thread got through the handle, or above what was reported last.

    Attributes
    ----------
    region
        The handle.
    after
        The version that was reported last; None: what the thread has got counts.
    """

    def __init__(self, given: "Region[Any]", reports: bool) -> None:
        super().__init__(given)
        self.region = given
        self.after: int | None = None
        if reports:  # to any thread; so that of this one counts now
            version = given.version
            self.after = 0 if _native.newer(given, None, False) is None else version

    @property
    def opened(self) -> "Region[Any]":
        """The handle."""
        return self.region

    def _look(self, slept: bool) -> int | None:
        return _native.newer(self.region, self.after, slept)

    def reported(self) -> None:
        """Count the newest version as old from now on."""
        self.after = self.region.version


class _OfFollower(Source):
    """A follower: new is a version that it has not yielded.

    Who waits until there is one asks for the next, so that what was handed out before counts as got. Otherwise a
    writer would wait for just that, and nothing new ever come. Reports ask only in the thread that takes the
    follower's steps: another one may make them while values are dealt with.
    """

    def __init__(self, given: Follower[Any], reports: bool) -> None:
        super().__init__(given)
        self._follower = given
        self._asks = not reports
        self._absent = 0  # how often in a row nobody was found who could publish
        self.until_gone = given.until_gone

    @property
    def opened(self) -> "Region[Any]":
        region: Any = self._follower.region
        handle: Region[Any] = region
        return handle

    def _look(self, slept: bool) -> int | float | None:
        gone = self._absent > 1  # found before this look, so there is nothing to come
        found = self._follower.look(slept)
        if found is not None:
            if gone and isinstance(found, int):
                self._absent = 0
                _native.fail(self.opened, "publisher gone")
            if self._asks:
                self._follower.done()
            else:
                _native.follower_ask(self._follower)
        return found

    def look_for_publisher(self) -> bool:
        self._absent = self._absent + 1 if _native.is_abandoned(self.opened) else 0
        return self._absent > 1

    def reported(self) -> None:
        """Do nothing: what it has not yielded stays new."""


class _OfRows(Source):
    """A table, or a follower of one: new are changed rows that were not yielded, or not reported."""

    def __init__(self, given: "Table[Any] | RowFollower[Any]", follower: RowFollower[Any]) -> None:
        super().__init__(given)
        self._follower = follower

    @property
    def opened(self) -> "Table[Any]":
        table: Any = self._follower.table
        handle: Table[Any] = table
        return handle

    def _look(self, slept: bool) -> int | float | None:
        return self._follower.look(slept)

    def reported(self) -> None:
        if self._follower is not self.given:
            self._follower.poll()


# of whatever values: a type checker makes of isinstance() one of unknown values
_REGION: Any = Region
_TABLE: Any = Table
_FOLLOWER: Any = Follower
_ROW_FOLLOWER: Any = RowFollower
_ITERABLE: Any = Iterable
_KINDS = (_REGION, _TABLE, _FOLLOWER, _ROW_FOLLOWER)


def source_of(given: Any, *, reports: bool, parameter: str) -> Source:
    """Return the source of something that is waited for.

    Parameters
    ----------
    given
        What the user has.
    reports
        True: what is new is what was not reported; it is reported to any thread. False: what this thread did not get.
    parameter
        The name of the argument, for the error.
    """
    if isinstance(given, _REGION):
        return RegionSource(given, reports)
    if isinstance(given, _FOLLOWER):
        return _OfFollower(given, reports)
    if isinstance(given, _ROW_FOLLOWER):
        return _OfRows(given, given)
    if isinstance(given, _TABLE):
        return _OfRows(given, given.follow())
    raise TypeError(f"{parameter}: expected {EXPECTED}, found {found(given)}")


def sources_of(given: Any) -> list[Source]:
    """Return the sources of an argument that is to be some of them."""
    expected = f"sources: expected several, as in [camera, lidar], each {EXPECTED}, found "
    if isinstance(given, (*_KINDS, str, bytes)) or not isinstance(given, _ITERABLE):
        raise TypeError(expected + found(given))
    try:
        items: list[Any] = list(given)
    except TypeError:  # such as an array without dimensions
        raise TypeError(expected + found(given)) from None
    if not items:
        raise ValueError(expected + "none, of which none ever changes")
    return [source_of(item, reports=False, parameter="sources") for item in items]


def names_of(sources: Iterable[Source]) -> str:
    """Return the names of the first few sources, for messages."""
    names = [repr(str(source.opened.name)) for source in sources]
    return ", ".join(names[:4]) + (f", … {len(names) - 4:,} more" if len(names) > 4 else "")


LOOK_PERIOD = 0.1
"""Seconds between looks whether the names still mean these regions."""

ABSENCE_PERIOD = 0.03
"""Seconds between looks whether anybody is left to publish, two of which have to agree."""


def sleep_on(sources: list[Source], seconds: float) -> None:
    """Sleep until one of several has something new, for at most so many seconds, and often less long."""
    for source in sources:
        if source.pause is not None:
            seconds = min(seconds, source.pause)
    watched: list[tuple[_native.Opened, int]] = [
        (source.opened, source.number) for source in sources if source.pause is None
    ]
    if not watched:
        time.sleep(seconds)
    elif len(watched) <= _native.WORDS_MAX or not _native.WORDS_MAX:
        _native.sleep_on(watched, seconds)
    else:
        _sleep_in_waitsets(watched, seconds)


def _sleep_in_waitsets(watched: list[tuple[_native.Opened, int]], seconds: float) -> None:
    """Leave it to the threads of several waitsets, each of which has as many as one thread can sleep on."""
    flag = _native.Flag(False)
    joined: list[tuple[_native.Waitset, _native.Opened]] = []
    try:
        for opened, number in watched:
            waitset = join(opened, number, flag, flag)
            if waitset is None:
                return
            joined.append((waitset, opened))
        flag.wait(seconds)
    finally:
        for waitset, opened in joined:
            waitset.remove(opened, flag)
        flag.close()

"""NamedSource: what a name leads to, through all that becomes of it: absent, there, replaced, gone, there again."""

import contextlib
import os
import time
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

import typedshm
from typedshm.recording.batch import Batch
from typedshm.recording.sources.region import OpenedRegion
from typedshm.recording.sources.source import Description, Mode, Source
from typedshm.recording.sources.table import OpenedTable

Scope: TypeAlias = Literal["user", "machine"]
Handle: TypeAlias = "typedshm.Region[Any] | typedshm.Table[Any]"

_ABSENT = 0.05
"""Seconds between looks for a name that leads nowhere."""

_IDLE = 0.2
"""Seconds without news after which a look is taken whether anybody is left to publish; two of them have to agree."""


def attach(name: Any, scope: Scope) -> Handle:
    """Open a region or table to be recorded, without waiting for those who are making one.

    It is opened with the right to write where that is allowed: who has it can have writers wake him, others have to
    look again and again.

    Raises
    ------
    RegionNotFound
        There is none.
    RegionRefused
        It may not be read.
    """
    try:
        try:
            return typedshm.attach(name, scope=scope, prefault=False, timeout=1e-9)
        except (typedshm.RegionRefused, typedshm.RegionFull):
            return typedshm.attach(name, scope=scope, prefault=False, timeout=1e-9, readonly=True)
    except typedshm.Timeout:
        return typedshm.attach(name, scope=scope, prefault=False, readonly=True)


def _path(name: Any, scope: Scope) -> Any:
    """Return the path of the file that a region of the name has; None where it has none."""
    try:
        return typedshm.path_of(name, scope=scope)
    except typedshm.NameRefused:  # Windows keeps names in none; others are refused when they are opened
        return None


class NamedSource(Source):
    """A region or table by its name.

    While nobody is left to publish it is not kept open: that would be in the way of whoever makes it anew.

    Parameters
    ----------
    topic
        What it is called in the recording.
    name, scope
        As of :func:`typedshm.attach`.
    mode
        Which versions are taken.
    wait
        Seconds to wait for it when it is not there, or not any more: None for ever.

    Raises
    ------
    RegionNotFound
        There is none, and `wait` is 0.
    NameRefused, RegionRefused, RegionCorrupt
        It cannot be opened.
    """

    def __init__(self, topic: str, name: Any, scope: Scope, mode: Mode, wait: float | None) -> None:
        super().__init__(topic)
        self._name: Any = name
        self._scope: Scope = scope
        self._mode: Mode = mode
        self._wait = wait
        self._path = _path(name, scope)
        self._opened: OpenedRegion | OpenedTable | None = None
        self._description: Description | None = None
        self._dropped = 0  # of those that are closed
        self._version = -1  # of the one that was left last
        self._taken: NDArray[np.uint64] | None = None
        self._since = self._looked = time.monotonic()
        self._alone = 0  # how often in a row nobody was found who could publish
        try:
            self._open(attach(name, scope), None)
        except typedshm.RegionNotFound:
            if wait == 0:
                raise
            self.state = "waiting: it does not exist yet"

    # ---- what the recorder asks ----

    @property
    def description(self) -> Description | None:
        """What the batch that was taken last is of."""
        return self._description

    @property
    def dropped(self) -> int:
        """How many versions were overwritten before they could be taken."""
        opened = self._opened  # asked by other threads too
        return self._dropped + (0 if opened is None else opened.dropped)

    @property
    def pending(self) -> int:
        """How many versions there are to be taken."""
        if self._opened is not None:
            with contextlib.suppress(typedshm.TypedshmError):
                return self._opened.pending
        return 0

    @property
    def follower(self) -> "typedshm.Follower[Any] | typedshm.RowFollower[Any] | None":
        """What to sleep on."""
        return None if self._opened is None else self._opened.follower

    @property
    def came_back(self) -> bool:
        """Whether somebody publishes again, or has, after nobody was left to."""
        if not self.ended or self._description is None:
            return False
        with contextlib.suppress(typedshm.TypedshmError, OSError):
            return self._has_news()
        return False

    def poll(self) -> Batch | None:
        """Take some of what is there; looks for it if it is not there."""
        now = time.monotonic()
        if self._opened is None and not self._find(now):
            return None
        assert self._opened is not None
        try:
            batch = self._opened.poll()
            if batch is None:
                self._look(self._opened, now)
            else:
                self._looked, self._alone = now, 0
            return batch
        except typedshm.RegionReplaced:
            self._leave("replaced", now)
            self._find(now)
        except typedshm.RegionLost as error:
            self._leave(f"lost: {error}", now)
        return None

    def close(self) -> None:
        """Leave it."""
        opened, self._opened = self._opened, None
        if opened is not None:
            self._dropped += opened.dropped
            opened.close()

    # ---- its states ----

    def _open(self, handle: Handle, first: int | None) -> None:
        try:
            if isinstance(handle, typedshm.Table):
                known = self._description is not None and self._description.instance == handle.instance
                fresh = None if first is None else np.zeros(len(handle), np.uint64)
                self._opened = OpenedTable(handle, self._mode, self._taken if known else fresh)
            else:
                self._opened = OpenedRegion(handle, self._mode, first)
        except BaseException:
            handle.close()
            raise
        before, after = self._description, self._opened.description
        if before is None or (before.instance, before.layout) != (after.instance, after.layout):
            self._description = after
        self.state, self._alone, self._looked = "recording", 0, time.monotonic()

    def _look(self, opened: OpenedRegion | OpenedTable, now: float) -> None:
        """After a poll that found nothing: look now and then whether its name still means it, and who can publish."""
        if now - self._looked < _IDLE:
            return
        self._looked = now
        opened.look()
        self._alone = self._alone + 1 if opened.is_abandoned() else 0
        if self._alone > 1 and not opened.pending:
            self._leave("gone: nobody is left to publish", now)

    def _leave(self, why: str, now: float) -> None:
        assert self._opened is not None
        self._version = self._opened.version
        self._taken = self._opened.taken if isinstance(self._opened, OpenedTable) else None
        self.close()
        self._since, self._looked = now, float("-inf")
        self.state = why
        self.ended = self._wait == 0 and why != "replaced"

    def _find(self, now: float) -> bool:
        """Open what has the name, if there is something new in it; returns whether there is."""
        if self.ended or now - self._looked < _ABSENT:
            return False
        self._looked = now
        if self._may_be_there():
            with contextlib.suppress(typedshm.RegionNotFound):
                if self._open_again():
                    return True
        if self._wait is not None and now - self._since >= self._wait:
            self.ended = True
            if self.state == "replaced":
                self.state = "gone: its name leads nowhere"
            if self._description is None:
                self.state = "not there"
                raise typedshm.Timeout(
                    f"{self.name!r} was not there within {self._wait:g} s, nothing of it was recorded"
                )
        return False

    def _may_be_there(self) -> bool:
        """Return False if there is no file that would be there; asked again and again, it has to be cheap."""
        return self._path is None or os.path.lexists(self._path)

    def _open_again(self) -> bool:
        """Open what has the name, unless it is what was left and there is nothing new in it."""
        if self._description is None:
            self._open(attach(self._name, self._scope), 1)
            return True
        if self.state != "replaced" and not self._has_news():
            return False
        handle = attach(self._name, self._scope)
        same = handle.instance == self._description.instance
        self._open(handle, self._version + 1 if same else 1)
        return True

    def _has_news(self) -> bool:
        """Return whether it is worth opening again: somebody can publish, or has since it was left."""
        entry = typedshm.look(self._name, scope=self._scope)
        if entry.problem:
            return False
        return bool(entry.writers) or (entry.rows == 0 and entry.version != self._version)

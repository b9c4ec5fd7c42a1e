"""Target: the region or table that the versions of one topic are published to."""

import contextlib
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, Generic, TypeVar

import typedshm
from typedshm.errors import RegionNotFound, Timeout, quoted
from typedshm.memory.names import Name
from typedshm.recording.errors import RecordingError
from typedshm.recording.merging import RecordedBytes
from typedshm.recording.recorded_channel import RecordedChannel
from typedshm.recording.replay.targets.options import Options
from typedshm.recording.replay.timeline import Cue
from typedshm.recording.stored_chunk import LATEST

H = TypeVar("H", bound="typedshm.Region[Any] | typedshm.Table[Any]")

_SLICE = 0.1
"""Seconds of one attempt to publish, after which the player looks whether it is still to be done."""

_HIGHEST = 2**63 - 1
"""The highest number that a version can be given."""


class Target(ABC, Generic[H]):
    """Publishes the versions of one topic under a name.

    Parameters
    ----------
    name
        Of the region or table.
    channel
        The first that is published to it.
    options
        How.

    Raises
    ------
    PublisherExists, LayoutMismatch, RegionFull, RegionRefused
        What has the name cannot be published to, or nothing can be made there.
    """

    noun = "region"
    """What it publishes to, for messages."""

    def __init__(self, name: Name, channel: RecordedChannel, options: Options) -> None:
        self.name = name
        self._channel = channel
        self._options = options
        self._round = 0
        self._base = 0
        self._newest = 0
        self._opened = self._prepared(self._open())

    @abstractmethod
    def _open(self) -> H:
        """Open what has the name, if it can be published to, or make it."""

    @abstractmethod
    def _make(self) -> H:
        """Make it for the channel."""

    @abstractmethod
    def _write(self, recorded: RecordedBytes, version: int, time: int) -> None:
        """Publish a version under a number, at a time in ns; 0 for the next one, and for now."""

    @abstractmethod
    def _version_of(self, recorded: RecordedBytes) -> int:
        """Return the newest version of what a recorded one is published to."""

    @abstractmethod
    def _offset(self, recorded: RecordedBytes) -> int:
        """Return what the numbers of a further round are raised by, from its first recorded version."""

    def publish(self, cue: Cue, give_up: Callable[[], bool]) -> bool:
        """Publish a version, and wait for that as long as it takes, and as the options allow.

        Parameters
        ----------
        cue
            The version.
        give_up
            Asked now and then meanwhile: whether not to wait any longer.

        Returns
        -------
        bool
            False if it was given up.

        Raises
        ------
        Timeout, FollowerBehind
            Another writer, or a follower of a lossless region, kept it from that for too long.
        RecordingError
            The recorded number cannot be kept.
        RegionLost
            The memory, or its name, is gone.
        """
        recorded = cue.recorded
        if not is_same_memory(recorded.channel, self._channel):
            self._renew(recorded.channel)
        published = min(recorded.time + cue.shift, LATEST) if self._options.keep_times else 0
        since = time.monotonic()
        while True:
            number = self._number(cue) if self._options.keep_versions else 0
            try:
                self._write(recorded, number, published)
            except Timeout:
                timeout = self._options.timeout
                if timeout is not None and time.monotonic() - since >= timeout:
                    raise
                if give_up():
                    return False
            else:
                self._newest = max(self._newest, number)
                return True

    def _number(self, cue: Cue) -> int:
        """Return the number under which a version is published, if its own is kept."""
        recorded = cue.recorded
        if cue.round != self._round:
            self._round, self._base = cue.round, self._offset(recorded)
        number = recorded.version + self._base
        if number > _HIGHEST:
            raise RecordingError(
                f"{self.noun} {quoted(str(self.name))}: expected a version of at most {_HIGHEST}, found {number}, "
                "which is to keep its number (keep_versions)"
            )
        if number > (newest := self._version_of(recorded)):
            return number
        if not self._options.take_over or self._newest:
            raise RecordingError(
                f"{self.noun} {quoted(str(self.name))}: expected a version below the recorded {number}, which is to "
                f"keep its number (keep_versions), found version {newest} there: without keep_versions numbers go on "
                "from there, and take_over=True makes it anew"
            )
        self._renew(self._channel)
        return recorded.version

    def _renew(self, channel: RecordedChannel) -> None:
        """Make it anew for another channel; its followers are told that it was replaced."""
        self._channel = channel
        self._round = self._base = self._newest = 0
        self.remove()
        self._opened = self._prepared(self._make())

    def remove(self) -> None:
        """Take its name away, and leave it."""
        self._unname(self._opened)
        self._opened.close()

    def _unname(self, opened: "typedshm.Region[Any] | typedshm.Table[Any]") -> None:
        if not opened.info().replaced:
            with contextlib.suppress(RegionNotFound):  # somebody was faster
                typedshm.unlink(self.name, scope=self._options.scope)

    def _prepared(self, opened: H) -> H:
        timeout = self._options.timeout
        opened.timeout = _SLICE if timeout is None else min(timeout, _SLICE)
        return opened

    def close(self) -> None:
        """Leave it; it stays for as long as others have it open."""
        self._opened.close()


def is_same_memory(one: RecordedChannel, other: RecordedChannel) -> bool:
    """Return True if both were recorded from one region or table, as channels in the parts of a recording are."""
    return one is other or (one.instance == other.instance and one.is_alike(other) and one.rows == other.rows)

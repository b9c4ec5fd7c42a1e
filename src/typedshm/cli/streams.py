"""Streams: the versions of whatever has a name, one after the other, also after it was made anew."""

import time

import typedshm
from typedshm.cli.samples import Sample, Source
from typedshm.cli.sources import has_writers, open_source
from typedshm.cli.targets import Target
from typedshm.cli.terminal import printable, warn

_TURN = 1.0  # seconds without a version after which a look is taken whether anybody is left to write one
_PAUSE = 0.1  # seconds between looks whether somebody has come


class Stream:
    """The versions of what has a name. It says on standard error when that is gone, replaced, or back.

    Parameters
    ----------
    target : Target
        The name.
    source : Source
        What has it now.
    every
        Yield each version that is still kept, and not the newest each time.
    since
        The first version to yield. Default: the newest.

    Attributes
    ----------
    source
        What has the name now.
    dropped
        How many versions were missed.
    """

    def __init__(self, target: Target, source: Source, *, every: bool = False, since: int | None = None) -> None:
        self.target, self.source = target, source
        self.dropped = 0
        self._every = every
        self._gone = ""
        self._version = max(source.version, 1) - 1 if since is None else since - 1

    def next(self, timeout: float | None = None) -> Sample | None:
        """Wait for the next version; returns None if there was none in time."""
        end = None if timeout is None else time.monotonic() + timeout
        while True:
            if self._gone and not self._come_back(end):
                return None
            left = _left(end)
            try:
                sample = self.source.wait(self._version, min(left, _TURN), every=self._every)
            except typedshm.RegionReplaced:
                self._leave("was replaced")
                continue
            except typedshm.RegionLost:
                self._leave("is lost")
                continue
            except typedshm.TornWrite as error:
                warn(printable(error))
                self._version = self.source.version
                continue
            except typedshm.Overrun as error:  # a large value, written too fast for who may only read
                warn(printable(error))
                sample = None
            if sample is not None:
                if sample.row is None:  # rows have versions of their own
                    self.dropped += sample.version - self._version - 1
                    self._version = sample.version
                return sample
            if left <= 0:
                return None
            if self.source.is_abandoned():  # kept open, it would be in the way of whoever makes it anew
                self._leave("has no writer any more")

    def current(self) -> Source:
        """Return what has the name now, as soon as somebody writes it."""
        try:
            if self.source.is_abandoned():
                self._leave("has no writer any more")
            elif not self.source.is_current() and has_writers(self.target):
                self._leave("was replaced")
        except typedshm.RegionLost:
            self._leave("is lost")
        if self._gone:
            self._come_back(None)
        return self.source

    def close(self) -> None:
        """Leave what has the name."""
        self.source.close()

    def _leave(self, why: str) -> None:
        self.source.close()
        self._gone = f"{self.source.label} {why}"

    def _come_back(self, end: float | None) -> bool:
        """Open what has the name as soon as there is somebody who writes it; False if there is nobody in time."""
        waited = False
        while not (found := self._found()):
            if not waited:
                warn(f"{self._gone}; waiting until it is back")
            waited = True
            left = _left(end)
            if left <= 0:
                return False
            time.sleep(min(left, _PAUSE))
        if found.instance != self.source.instance:
            self._version = 0
        warn(f"{found.label} is back" if waited else f"{self._gone}; going on with what has its name now")
        self.source, self._gone = found, ""
        return True

    def _found(self) -> Source | None:
        if not has_writers(self.target):
            return None
        try:
            return open_source(self.target, start="newest")
        except (typedshm.RegionNotFound, typedshm.Timeout):
            return None


def _left(end: float | None) -> float:
    return float("inf") if end is None else max(end - time.monotonic(), 0)

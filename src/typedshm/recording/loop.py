"""Loop: what the recorder's thread does, from its first round to the end of the file."""

import threading
import time
from typing import Any

import typedshm
from typedshm.recording.lane import Lane
from typedshm.recording.output import Output
from typedshm.recording.pace import Pace

_SLICE = 0.1
"""Seconds of one sleep, after which it is looked at whether names still mean the same, and whether to end."""

_LOOK = 0.05
"""Seconds of one while there is something that nobody tells of: names that lead nowhere, foreign memory."""

_DROPS = "typedshm.drops"


class Loop:
    """Takes from all lanes what there is, again and again, until it is told to end.

    Parameters
    ----------
    lanes
        What is recorded.
    output
        Where it goes.
    rate
        How often a second the newest versions are taken; None: whenever there are some.
    duration
        Seconds after which it ends by itself; None: never.
    """

    def __init__(self, lanes: list[Lane], output: Output, rate: float | None, duration: float | None) -> None:
        self.lanes = lanes
        self.output = output
        self._period = None if rate is None else 1 / rate
        self._closing = threading.Event()
        self._began = time.monotonic()
        self._end = float("inf") if duration is None else self._began + duration
        self._pace = Pace()
        self._dropped: dict[str, int] = {}  # by topic, as they were noted last
        self._before: dict[str, int] = {}  # those that files before this one tell of
        self._files = 1

    def stop(self) -> None:
        """Have it take what is pending, and end."""
        self._closing.set()

    def run(self) -> None:
        """Record until the end; the file is complete then.

        Raises
        ------
        RecordingFull, OSError
            The file took no more; what was recorded before is readable.
        """
        try:
            try:
                self._record()
                self._finish()
            finally:
                self.output.close()
        finally:
            for lane in self.lanes:
                lane.close()

    # ---- rounds ----

    def _record(self) -> None:
        due = time.monotonic()
        while not self._closing.is_set() and not all(lane.over for lane in self.lanes):
            now = time.monotonic()
            if now >= self._end:
                return
            filled = self._round()
            self.output.tick(time.monotonic())
            if self._period is not None:
                due = max(due + self._period, now)
                self._closing.wait(max(min(due, self._end) - time.monotonic(), 0))
            elif filled < 0:
                self._sleep(now)
            elif rest := self._pace.rest(now, filled):
                time.sleep(rest)

    def _round(self) -> float:
        """Take from each lane; return how much of what it keeps the fullest had filled, -1 if there was nothing."""
        most = -1.0
        for lane in self.lanes:
            count = lane.take(self.output)
            if count:
                description = lane.source.description
                slots = description.slots if description is not None and description.kind == "region" else 0
                most = max(most, count / slots if slots else 0.0)
        self._note_drops()
        return most

    def _note_drops(self) -> None:
        """Have each file tell what was dropped while it was written, whatever ends it."""
        files = len(self.output.paths)
        dropped = {lane.source.name: lane.source.dropped for lane in self.lanes}
        if files == self._files and dropped == self._dropped:
            return
        if files != self._files:
            self._files, self._before = files, self._dropped
        self._dropped = dropped
        since = {name: count - self._before.get(name, 0) for name, count in dropped.items()}
        self.output.note(_DROPS, {name: str(count) for name, count in since.items() if count})

    def _sleep(self, now: float) -> None:
        """Sleep until there is something, or until something is to be looked at."""
        every: list[Any] = [lane.source.follower for lane in self.lanes if not lane.over]
        followers = [follower for follower in every if follower is not None]
        end = min(self._end, now + (_SLICE if len(followers) == len(every) else _LOOK))
        left = max(end - time.monotonic(), 0)
        if not followers:
            self._closing.wait(left)
            return
        try:
            typedshm.wait_any(followers, timeout=left)
        except typedshm.Timeout:
            return
        except typedshm.TypedshmError:  # of one of them, whose next poll tells
            self._closing.wait(min(left, 0.01))

    def _finish(self) -> None:
        """Take what is pending, and describe also what nothing was published of."""
        for lane in self.lanes:
            lane.take_pending(self.output)
            lane.finish(self.output)
        self._note_drops()

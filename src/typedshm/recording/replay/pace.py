"""Pace: when each recorded version is due, by a clock."""

import math
import sys
import threading
import time
from typing import NamedTuple, Protocol

_SECOND = 10**9
"""Nanoseconds, in which recorded times are given."""

_COARSE = 0.02 if sys.platform == "win32" else 0.0
"""Seconds by which a wait for a condition may be too long: Windows looks at its timers 64 times a second."""


class Clock(Protocol):
    """What tells a player the time, and lets it wait. Tests have one of their own."""

    def now(self) -> float:
        """Return the time in seconds; it never goes back."""
        ...

    def wait(self, changed: threading.Condition, seconds: float | None) -> None:
        """Wait for so many seconds, or for ever; less if the condition, which the caller holds, is notified."""
        ...


class SystemClock:
    """The system's clock that is not set."""

    def now(self) -> float:
        """Return the time in seconds."""
        return time.perf_counter()

    def wait(self, changed: threading.Condition, seconds: float | None) -> None:
        """Wait for so many seconds, or for ever; less if the condition is notified."""
        if seconds is None or seconds > _COARSE:
            changed.wait(None if seconds is None else min(seconds - _COARSE, threading.TIMEOUT_MAX))
            return
        changed.release()
        try:
            time.sleep(seconds)  # which is exact there
        finally:
            changed.acquire()


class _Course(NamedTuple):
    """A recorded time, in ns, and when it is reached by the clock; and how it goes on from there."""

    recorded: int
    now: float
    speed: float
    stands: bool


class Pace:
    """Says when a recorded time is due. All are counted from one point, so that delays do not add up.

    Recorded times are in ns; those of the clock, which is given as `now`, in seconds. It stands at first.

    Parameters
    ----------
    speed
        Recorded seconds per second of the clock; infinity: everything is due at once.
    """

    def __init__(self, speed: float) -> None:
        # replaced as a whole, so that who reads it in another thread needs no lock
        self._course = _Course(0, 0.0, speed, stands=True)

    @property
    def speed(self) -> float:
        """Recorded seconds per second of the clock."""
        return self._course.speed

    @property
    def measures(self) -> bool:
        """Whether there is a time at which a version is due, which it may be late for."""
        return not math.isinf(self.speed)

    def move(self, recorded: int, now: float) -> None:
        """Have a recorded time be the one that is reached now."""
        self._course = self._course._replace(recorded=recorded, now=now)

    def change(self, speed: float, now: float) -> None:
        """Go on at another speed."""
        self._course = self._course._replace(recorded=self.reached(now), now=now, speed=speed)

    def start(self, now: float) -> None:
        """Go on."""
        self._course = self._course._replace(now=now, stands=False)

    def stop(self, now: float) -> None:
        """Stand at the recorded time that is reached now."""
        self._course = self._course._replace(recorded=self.reached(now), now=now, stands=True)

    def due(self, recorded: int) -> float:
        """Return when a recorded time is due, by the clock, if it goes on as now."""
        course = self._course
        return course.now + (recorded - course.recorded) / _SECOND / course.speed

    def reached(self, now: float) -> int:
        """Return the recorded time that is reached now; at infinite speed the one that was reached before."""
        course = self._course
        if course.stands or math.isinf(course.speed):
            return course.recorded
        return course.recorded + round((now - course.now) * course.speed * _SECOND)

"""Schedule: whether the next version may be published now, and what it is waiting for."""

import threading

from typedshm.recording.replay.lateness import Lateness, LatenessMeter
from typedshm.recording.replay.pace import Clock, Pace
from typedshm.recording.replay.timeline import Cue

_PERIOD = 0.5
"""Seconds of one wait: Windows interrupts none."""


class Schedule:
    """Is kept by one thread, which publishes, and controlled by others.

    The publishing thread calls :meth:`await_turn`, publishes, and calls :meth:`done` or :meth:`put_back`.

    Parameters
    ----------
    clock
        What tells the time.
    speed
        Recorded seconds per second.
    playing
        Whether to begin at once.
    """

    def __init__(self, clock: Clock, *, speed: float, playing: bool) -> None:
        self.changed = threading.Condition()
        self.published = 0
        """How many versions were published."""
        self.topic = ""
        """That of the version that was published last."""
        self.over = False
        """True once nothing more will be published."""
        self._clock = clock
        self._pace = Pace(speed)
        self._meter = LatenessMeter()
        self._playing = playing
        self._steps = 0
        self._stepping = False  # a thread waits for its steps
        self._busy = False  # a version is being published
        self._cue: Cue | None = None  # the next version, or the last
        self._due: float | None = None  # by the clock; None for a step
        self._first = 0  # the recorded time of the first version
        if playing:
            self._pace.start(clock.now())

    # ---- for who looks: without the lock, which a child of a fork may never get ----

    @property
    def playing(self) -> bool:
        """True unless it is paused."""
        return self._playing

    @property
    def lateness(self) -> Lateness:
        """By how much versions were late so far."""
        return self._meter.sum_up()

    @property
    def speed(self) -> float:
        """Recorded seconds per second."""
        return self._pace.speed

    def reached(self) -> int | None:
        """Return the recorded time in ns that is reached in this round; None before the first version is known."""
        cue = self._cue
        if cue is None:
            return None
        at = self._pace.reached(self._clock.now()) - cue.shift
        return max(min(at, cue.reached), self._first)

    # ---- for who controls it ----

    def change_speed(self, speed: float) -> None:
        """Go on at another speed."""
        with self.changed:
            self._pace.change(speed, self._clock.now())
            self.changed.notify_all()

    def play(self) -> None:
        """Begin, or go on."""
        with self.changed:
            if not self._playing:
                self._playing, self._steps = True, 0
                self._pace.start(self._clock.now())
                self.changed.notify_all()

    def pause(self) -> None:
        """Pause; returns when nothing is being published."""
        with self.changed:
            self._pause()

    def step(self, count: int) -> int:
        """Pause, publish so many versions and return how many they were, when they are published."""
        with self.changed:
            while self._stepping and not self.over:  # of another thread, which counts its own
                self.changed.wait(_PERIOD)
            self._stepping = True
            try:
                self._pause()
                before = self.published
                self._steps = count
                self.changed.notify_all()
                while self._steps and not self.over:
                    self.changed.wait(_PERIOD)
                return self.published - before
            finally:
                self._stepping = False
                self.changed.notify_all()

    def end(self) -> None:
        """Let nothing more be published."""
        with self.changed:
            self.over = True
            self.changed.notify_all()

    def _pause(self) -> None:
        if self._playing:
            now = self._clock.now()
            self._playing = False
            self._pace.stop(now)
            if self._cue is not None:  # what is late is not made up for after a pause
                self._pace.move(min(self._pace.reached(now), self._cue.when), now)
        self._steps = 0
        self.changed.notify_all()
        while self._busy and not self.over and not self._playing:  # which another thread may have begun
            self.changed.wait(_PERIOD)

    # ---- for who publishes ----

    def await_turn(self, cue: Cue) -> bool:
        """Wait until the next version may be published; False if it is not to be."""
        with self.changed:
            if self._cue is None:
                self._first = cue.reached
                self._pace.move(cue.when, self._clock.now())
            self._cue = cue
            while not self.over:
                if not self._playing and not self._steps:
                    self._clock.wait(self.changed, None)
                    continue
                now = self._clock.now()
                self._due = self._pace.due(cue.when) if self._playing else None
                if self._due is None or now >= self._due:
                    self._busy = True
                    return True
                self._clock.wait(self.changed, self._due - now)
            return False

    def is_given_up(self) -> bool:
        """Return True if the version that is being published is not to be waited for."""
        return self.over or not (self._playing or self._steps)

    def done(self) -> None:
        """Count the version as published."""
        with self.changed:
            now = self._clock.now()
            assert self._cue is not None
            self.published += 1
            self.topic = self._cue.recorded.channel.topic
            self._busy = False
            if self._due is None or not self._pace.measures:
                self._pace.move(self._cue.when, now)
            else:
                self._meter.add(now - self._due)
            if self._steps:
                self._steps -= 1
            if not self._playing:
                self.changed.notify_all()

    def put_back(self) -> None:
        """Note that the version is still to be published."""
        with self.changed:
            self._busy = False
            self.changed.notify_all()

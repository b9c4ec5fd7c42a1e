"""Player: publishes recorded versions when they are due, in a thread of its own."""

import atexit
import math
import os
import threading
import time
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Any, Literal, Never, NoReturn, Protocol, Self

from typedshm.arguments import refuse_positional, seconds, whole
from typedshm.errors import Closed, MisuseError, found, quoted
from typedshm.recording.replay.lateness import Lateness
from typedshm.recording.replay.pace import Clock, SystemClock
from typedshm.recording.replay.schedule import Schedule
from typedshm.recording.replay.timeline import Cue

State = Literal["paused", "playing", "ended", "failed", "closed"]

_SECOND = 10**9
_PERIOD = 0.5
"""Seconds of one wait: Windows interrupts none."""


class Publishing(Protocol):
    """What versions are published to: the targets, or in tests something else."""

    def publish(self, cue: Cue, give_up: Callable[[], bool]) -> bool:
        """Publish a version; False if that was given up."""
        ...

    def close(self) -> None:
        """Leave it all."""
        ...


class Source(Protocol):
    """What a recording says of itself."""

    @property
    def title(self) -> str:
        """What messages call it."""
        ...

    @property
    def start(self) -> int:
        """When its first version was published, in ns since 1970."""
        ...

    @property
    def duration(self) -> float:
        """Seconds from its first version to its last."""
        ...

    def close(self) -> None:
        """Close its files."""
        ...


class Player:
    """Replays a recording until it is closed; :func:`typedshm.recording.replay` returns one.

    A thread publishes each version when it is due. All are due by one schedule: what delays one version delays no later
    one, unless it takes longer than the recorded time between them. The regions are there as long as the player is
    open, or others have them open.

    It is a context manager that closes itself. In a child of a fork it is closed.
    """

    def __init__(
        self,
        source: Source,
        cues: Iterable[Cue],
        targets: Publishing,
        *,
        speed: float = 1.0,
        paused: bool = False,
        clock: Clock | None = None,
    ) -> None:
        self._source = source
        self._cues = iter(cues)
        self._targets = targets
        self._schedule = Schedule(SystemClock() if clock is None else clock, speed=speed, playing=not paused)
        self._ended = self._closed = False
        self._error: BaseException | None = None
        self._told = False  # somebody has got the error
        self._leaving = threading.Lock()
        self._pid = os.getpid()
        self._thread = threading.Thread(target=self._run, name="typedshm replay", daemon=True)
        self._thread.start()
        atexit.register(self._close)

    # ---- what it does ----

    @property
    def state(self) -> State:
        """``"playing"`` or ``"paused"``; ``"ended"`` after the last version, ``"failed"``, ``"closed"``."""
        if self.closed:
            return "closed"
        if self._error is not None:
            return "failed"
        if self._ended:
            return "ended"
        return "playing" if self._schedule.playing else "paused"

    @property
    def closed(self) -> bool:
        """True once it was closed."""
        return self._closed or self._is_forked

    @property
    def error(self) -> BaseException | None:
        """What has ended it too early; None if nothing has."""
        return self._error

    @property
    def published(self) -> int:
        """How many versions were published, of all topics and in all rounds."""
        return self._schedule.published

    @property
    def topic(self) -> str:
        """The topic of the version that was published last; empty before the first."""
        return self._schedule.topic

    @property
    def lateness(self) -> Lateness:
        """By how much versions were late so far."""
        return self._schedule.lateness

    @property
    def duration(self) -> float:
        """Seconds from the recording's first version to its last."""
        return self._source.duration

    @property
    def position(self) -> float:
        """Seconds from the recording's first version to where the replay is, in this round."""
        reached = self._schedule.reached()
        return 0.0 if reached is None else (reached - self._source.start) / _SECOND

    @property
    def speed(self) -> float:
        """Recorded seconds per second; assign another to go on at that. Infinity: as fast as it can be published."""
        return self._schedule.speed

    @speed.setter
    def speed(self, speed: float) -> None:
        self._schedule.change_speed(check_speed(speed))

    # ---- what it is told ----

    def play(self) -> None:
        """Begin, or go on after :meth:`pause` or :meth:`step`.

        Raises
        ------
        MisuseError
            The replay has ended.
        Closed
            The player was closed.
        Exception
            What has ended the replay too early, as of :meth:`wait`.
        """
        self._check()
        if self._ended:
            raise MisuseError(f"the replay of {self._source.title} has ended; replay() begins another")
        self._schedule.play()

    def pause(self) -> None:
        """Publish nothing more until :meth:`play`; when this returns, nothing is being published.

        Raises
        ------
        Closed
            The player was closed.
        Exception
            What has ended the replay too early, as of :meth:`wait`.
        """
        self._check()
        self._schedule.pause()

    def step(self, n: int = 1) -> int:
        """Publish the next versions at once, and stay paused: when this returns, they are published.

        Parameters
        ----------
        n
            How many, of all topics together, in the order in which they were recorded.

        Returns
        -------
        int
            How many were published: less than `n` at the end of the recording, or if another thread plays or pauses.
            The steps of several threads follow each other.

        Raises
        ------
        Closed
            The player was closed.
        Exception
            What has ended the replay too early, as of :meth:`wait`.
        """
        n = whole(n, "n", 1, "how many versions to publish")
        self._check()
        published = self._schedule.step(n)
        self._check()
        return published

    def wait(self, *_: Never, timeout: float | None = None) -> bool:
        """Sleep until the last version was published, and return whether it was.

        In a loop, or while it is paused, that may never be.

        Parameters
        ----------
        timeout
            Seconds to wait; None waits for ever.

        Raises
        ------
        Closed
            The player was closed.
        Exception
            What has ended the replay too early: FollowerBehind and Timeout of a region that was not to be written in
            time, RegionLost, RecordingError.
        """
        refuse_positional(_, "wait", "wait(timeout={}) to wait at most {} seconds for it to end")
        patience = seconds(timeout)
        end = None if patience is None else time.monotonic() + patience
        self._check()
        with self._schedule.changed:
            while not self._schedule.over:
                left = _PERIOD if end is None else end - time.monotonic()
                if left <= 0:
                    return False
                self._schedule.changed.wait(min(left, _PERIOD))
        self._check()
        return True

    def close(self) -> None:
        """End the replay, and leave the regions. Does nothing the second time.

        Raises
        ------
        Exception
            What has ended the replay too early, unless another verb has raised it before.
        """
        self._close()
        self._raise_error()

    def _close(self) -> None:
        if self._is_forked:  # whose lock another thread of the parent may have had
            self._leave()
            return
        self._schedule.end()
        self._thread.join()
        with self._leaving:
            self._leave()

    def _leave(self) -> None:
        if self._closed:
            return
        try:
            self._targets.close()
        finally:
            self._closed = True
            atexit.unregister(self._close)
            self._source.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()
        if error is None:  # an error of the block is the one to be raised
            self._raise_error()

    def __reduce__(self) -> NoReturn:
        raise TypeError("a player belongs to its process and cannot be pickled or copied; call replay() there")

    def __repr__(self) -> str:
        """Return the recording, the state and how many versions were published."""
        return f"<Player of {self._source.title}, {self.state}, {self.published:,} versions published>"

    # ---- helpers ----

    @property
    def _is_forked(self) -> bool:
        """Whether this is a child of the process that has the thread."""
        return os.getpid() != self._pid

    def _check(self) -> None:
        """Raise what has ended the replay, or that it was closed."""
        if self._is_forked:
            raise Closed(f"the replay of {self._source.title} goes on in the parent of this process alone")
        if self._error is not None:
            self._told = True
            raise self._error
        if self._closed:
            raise Closed(f"the replay of {self._source.title} was closed")

    def _raise_error(self) -> None:
        """Raise what has ended the replay, if nobody has got it."""
        if self._error is not None and not self._told and not self._is_forked:
            self._told = True
            raise self._error

    # ---- in the thread ----

    def _run(self) -> None:
        try:
            self._ended = self._publish_all()
        except BaseException as error:
            self._error = error
        finally:
            self._schedule.end()

    def _publish_all(self) -> bool:
        """Publish version after version; returns False if it was closed before the last."""
        schedule = self._schedule
        for cue in self._cues:
            while True:
                if not schedule.await_turn(cue):
                    return False
                if self._targets.publish(cue, schedule.is_given_up):
                    break
                schedule.put_back()
            schedule.done()
        return True


def check_speed(speed: Any) -> float:
    """Return an argument that is a speed.

    Raises
    ------
    TypeError, ValueError
        It is none.
    """
    if isinstance(speed, bool) or not isinstance(speed, int | float):
        raise TypeError(f"speed: expected recorded seconds per second, a number above 0, found {found(speed)}")
    try:
        number = float(speed)
    except OverflowError:
        number = math.inf if speed > 0 else -math.inf
    if not number > 0:
        raise ValueError(f"speed: expected a number above 0, found {quoted(speed)}; pause() makes it stand")
    return number

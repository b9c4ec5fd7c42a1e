"""Recorder: a recording that is being made, in a thread of its own."""

import atexit
import os
import threading
import time
import warnings
import weakref
from types import TracebackType
from typing import Never, NoReturn, Self

import typedshm
from typedshm.arguments import refuse_positional, seconds
from typedshm.errors import quoted
from typedshm.memory import fork
from typedshm.recording.errors import RecordingWarning
from typedshm.recording.lane import Lane
from typedshm.recording.loop import Loop
from typedshm.recording.output import Output
from typedshm.recording.status import RecorderStatus

_PERIOD = 0.5
"""Seconds of one wait: Windows interrupts none."""


class Recorder:
    """Records until it is closed; :func:`typedshm.recording.record` returns one.

    A thread does the work. It ends when :meth:`close` is called, when the time is over that was asked for, when nothing
    can come any more of all that is recorded, or by an error, which :attr:`error` tells and :meth:`wait` and
    :meth:`close` raise. Where one of several topics fails, the others are recorded all the same, and the error is told
    in these ways too. An interpreter that ends closes what is open. A child of a fork has no part in its parent's
    recorders, which are closed there.

    It is a context manager that closes itself. Any thread may use it.
    """

    def __init__(self, lanes: list[Lane], output: Output, *, rate: float | None, duration: float | None) -> None:
        self._pid = os.getpid()
        self._output = output
        self._lanes = lanes
        self._loop = Loop(lanes, output, rate, duration)
        self._began = time.monotonic()
        self._seconds: float | None = None  # once it has ended
        self._error: BaseException | None = None
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"typedshm recorder {output.paths[0]}", daemon=True)
        self._thread.start()
        _RECORDERS.add(self)
        atexit.register(self.close)

    def _run(self) -> None:
        try:
            self._loop.run()
        except BaseException as error:
            self._error = error
        finally:
            self._seconds = time.monotonic() - self._began
            self._ended.set()

    # ---- what it is doing ----

    @property
    def paths(self) -> tuple[str, ...]:
        """The files, in order: several if they are rotated."""
        return self._output.paths

    @property
    def closed(self) -> bool:
        """Whether it has ended, in whatever way; the file is complete then."""
        return self._inherited or self._ended.is_set()

    @property
    def error(self) -> BaseException | None:
        """What ended it, or one of its topics; None if nothing did."""
        return self._error or next((lane.failure for lane in self._lanes if lane.failure is not None), None)

    def status(self) -> RecorderStatus:
        """Return what is known about it at this moment; never waits."""
        return RecorderStatus(
            topics=tuple(lane.status for lane in self._lanes),
            seconds=time.monotonic() - self._began if self._seconds is None else self._seconds,
            bytes=self._output.size,
            path=self._output.paths[-1],
            error=self.error,
        )

    # ---- its end ----

    def wait(self, *_: Never, timeout: float | None = None) -> bool:
        """Sleep until it has ended by itself, and return whether it has.

        Parameters
        ----------
        timeout
            Seconds to wait; None waits for ever.

        Raises
        ------
        RecordingFull, OSError
            The file took no more. What was recorded before is readable.
        Exception
            What ended it, or one of its topics.
        """
        refuse_positional(_, "wait", "wait(timeout={}) to wait at most {} seconds for it to end")
        ended = self._await(seconds(timeout))
        if ended:
            self._raise()
        return ended

    def close(self, *_: Never, timeout: float | None = None) -> None:
        """Record what is pending, and complete the file. Does nothing the second time.

        Parameters
        ----------
        timeout
            Seconds to wait for that; None waits for ever.

        Raises
        ------
        Timeout
            It was not complete in time: it goes on with that, and may be closed again.
        RecordingFull, OSError, Exception
            As of :meth:`wait`; raised once.

        Warns
        -----
        RecordingWarning
            A region or table was published to again after its recording had ended, as nobody had been left.
        """
        refuse_positional(_, "close", "close(timeout={}) to wait at most {} seconds for it to end")
        patience = seconds(timeout)
        if self._inherited:
            return
        self._loop.stop()
        if not self._await(patience):
            raise typedshm.Timeout(
                f"recording to {self.paths[-1]}: not complete after {patience:g} s; it goes on with that"
            )
        if self in _RECORDERS:
            _RECORDERS.discard(self)
            atexit.unregister(self.close)
            self._warn()
            self._raise()

    def _warn(self) -> None:
        """Tell what was not recorded, since its recording had ended by itself."""
        for lane in self._lanes:
            if lane.source.came_back:
                warnings.warn(
                    f"{quoted(lane.source.name, 200)} was published to again after nobody had been left to publish, "
                    f"which is not in {self.paths[-1]}: wait=True (--wait on the command line) would have gone on",
                    RecordingWarning,
                    stacklevel=3,
                )

    def _await(self, patience: float | None) -> bool:
        if self._inherited:
            return True
        if patience is not None:
            return self._ended.wait(patience)
        while not self._ended.wait(_PERIOD):
            pass
        return True

    def _raise(self) -> None:
        if (error := self.error) is not None:
            try:
                raise error
            finally:
                del error  # its traceback has this frame

    @property
    def _inherited(self) -> bool:
        """Whether it is the parent's, in a child of a fork, where its thread does not run."""
        return self._pid != os.getpid()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.close()
        except Exception as problem:
            if error is None:
                raise
            if problem is not error:  # the block's own error comes first
                error.add_note(f"and the recording ended by {type(problem).__name__}: {problem}")

    def __reduce__(self) -> NoReturn:
        raise TypeError("a recorder belongs to its process and cannot be pickled or copied; call record() there")

    def __repr__(self) -> str:
        topics = ", ".join(lane.source.name for lane in self._lanes)
        file = os.path.basename(self.paths[-1])
        count = sum(lane.recorded for lane in self._lanes)
        state = ", closed" if self.closed else ""
        return f"<Recorder of {topics} to {quoted(file)}, {count:,} versions{state}>"

    def forget(self) -> None:
        """Give up the file in a child of a fork, where it is the parent's."""
        atexit.unregister(self.close)
        self._output.forget()


_RECORDERS: "weakref.WeakSet[Recorder]" = weakref.WeakSet()
"""Those that are not closed."""


def _after_fork() -> None:
    for recorder in list(_RECORDERS):
        recorder.forget()
    _RECORDERS.clear()


fork.add_hooks("recorders", in_child=_after_fork)

"""An object in a process of its own, which does what it is told."""

import contextlib
import multiprocessing
import os
import signal
import time
import traceback
from multiprocessing.connection import Connection
from pathlib import Path
from types import TracebackType
from typing import Any

PATIENCE = 60.0
"""Seconds after which a process is given up."""


class Hangs(Exception):
    """It did not answer in time."""


def _serve(pipe: Connection, kind: type, args: tuple[Any, ...]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent ends us in order
    with contextlib.suppress(EOFError, BrokenPipeError):
        try:
            served = kind(*args)
        except Exception:
            pipe.send((False, traceback.format_exc()))
            return
        pipe.send((True, None))
        while (order := pipe.recv()) is not None:
            try:
                answer = (True, getattr(served, order[0])(*order[1:]))
            except Exception as error:
                answer = (False, f"{type(error).__name__}: {error}")
            pipe.send(answer)
        served.close()
    os._exit(0)  # at once: what hangs in an interpreter's end is nobody's business here


class Remote:
    """Makes ``kind(*args)`` in a spawned process; its methods are called by name.

    The object needs a method ``close``. Leaving the block closes it and ends the process.
    """

    def __init__(self, kind: type, *args: Any) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, kind, args), daemon=True)
        self._process.start()
        theirs.close()

    @property
    def pid(self) -> int:
        """Its process id."""
        assert self._process.pid is not None
        return self._process.pid

    def begin(self, method: str, *args: Any) -> None:
        """Tell it to call a method, and go on; :meth:`end` gets the result."""
        self._pipe.send((method, *args))

    def end(self, patience: float = PATIENCE) -> Any:
        """Wait for a result; that of its making is the first."""
        if not self._pipe.poll(patience):
            raise Hangs(f"no answer in {patience:.0f} s")
        try:
            fine, answer = self._pipe.recv()
        except EOFError:
            raise RuntimeError("the process ended") from None
        if not fine:
            raise RuntimeError(answer)
        return answer

    def call(self, method: str, *args: Any, patience: float = PATIENCE) -> Any:
        """Call a method and return its result."""
        self.begin(method, *args)
        return self.end(patience)

    @property
    def answered(self) -> bool:
        """True if there is a result to get."""
        return self._pipe.poll(0)

    def kill(self) -> None:
        """End it by force, whatever it is doing."""
        self._process.kill()
        self._process.join()

    def close(self) -> None:
        """End it in order, or by force if it does not come."""
        with contextlib.suppress(OSError):
            self._pipe.send(None)
        self._process.join(3)
        if self._process.is_alive():
            self.kill()
        self._pipe.close()

    def __enter__(self) -> "Remote":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            self.kill()  # it may be in the middle of something long
        self.close()


def cpu_seconds(pid: int | None = None) -> float:
    """Return the processor time of this process, or of another on Linux."""
    if pid is None:
        return time.process_time()
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

"""Stop: when a program of this example should end, and how one program has another end in good order."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from types import FrameType
from typing import Any

_AT_END_OF_INPUT = "CAMERA_STOPS_AT_END_OF_INPUT"

if sys.platform == "win32":
    import _winapi
    import msvcrt

    def _input_has_ended() -> bool:
        try:
            # only a look: a read that waits would block whatever else the process asks about its input
            _winapi.PeekNamedPipe(msvcrt.get_osfhandle(0), 0)
        except OSError:
            return True
        return False

else:

    def _input_has_ended() -> bool:
        return False


class Stop:
    """False until Ctrl-C, SIGTERM, SIGHUP or the end of the allotted time: ``while not stop: ...``.

    Signals only raise a flag, so the work in hand is finished and every region is left in good order.
    """

    def __init__(self) -> None:
        self._asked = False
        self._deadline: float | None = None
        for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK"):  # not every system has all of them
            if hasattr(signal, name):
                signal.signal(getattr(signal, name), self._ask)
        self._watches_input = os.environ.pop(_AT_END_OF_INPUT, None) is not None

    def after(self, seconds: float | None) -> None:
        """Let the time run from now; None is for ever."""
        self._deadline = None if seconds is None else time.monotonic() + seconds

    def _ask(self, _number: int, _frame: FrameType | None) -> None:
        self._asked = True

    def __bool__(self) -> bool:
        if self._watches_input and _input_has_ended():
            self._asked = True
        return self._asked or (self._deadline is not None and time.monotonic() >= self._deadline)


def start(command: Sequence[str], **options: Any) -> "subprocess.Popen[Any]":
    """Start a program that :func:`ask` can end. Ctrl-C does not reach it, so that it is we who end it in order.

    Windows has no signal that one process could send to another; there the end of its standard input is the sign.
    """
    if sys.platform == "win32":
        options["env"] = {**options.get("env", os.environ), _AT_END_OF_INPUT: "1"}
        apart = subprocess.CREATE_NEW_PROCESS_GROUP
        return subprocess.Popen(command, stdin=subprocess.PIPE, creationflags=apart, **options)
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True, **options)


def ask(process: "subprocess.Popen[Any]") -> None:
    """Ask a program that was started by :func:`start` to end."""
    if process.stdin is not None:
        process.stdin.close()
    else:
        process.terminate()

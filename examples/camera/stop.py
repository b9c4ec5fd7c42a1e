"""Stop: when a program of this example should end."""

import signal
import time
from types import FrameType


class Stop:
    """False until Ctrl-C, SIGTERM, SIGHUP or the end of the allotted time: ``while not stop: ...``.

    Signals only raise a flag, so the work in hand is finished and every region is left in good order.
    """

    def __init__(self) -> None:
        self._asked = False
        self._deadline: float | None = None
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._ask)

    def after(self, seconds: float | None) -> None:
        """Let the time run from now; None is for ever."""
        self._deadline = None if seconds is None else time.monotonic() + seconds

    def _ask(self, _number: int, _frame: FrameType | None) -> None:
        self._asked = True

    def __bool__(self) -> bool:
        return self._asked or (self._deadline is not None and time.monotonic() >= self._deadline)

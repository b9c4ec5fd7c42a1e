"""Retry: repeats an attempt while other processes are in the way."""

import errno
import time
from collections.abc import Callable
from typing import TypeVar

from typedshm.errors import Timeout
from typedshm.memory.names import Location

R = TypeVar("R")


OPEN_TIMEOUT = 10.0
"""Seconds to wait for another process that is just making, joining or leaving the region."""


def retry(attempt: Callable[[], R | None], location: Location, patience: float | None) -> R:
    """Repeat an attempt that returns None while others are in the way.

    Raises
    ------
    Timeout
        They still are after `patience` seconds.
    """
    deadline = None if patience is None else time.monotonic() + patience
    pause = 0.0002
    while True:
        result = attempt()
        if result is not None:
            return result
        if deadline is not None and time.monotonic() >= deadline:
            raise Timeout(errno.ETIMEDOUT, f"{location}: not to be had within {patience:g} s")
        time.sleep(pause)
        pause = min(2 * pause, 0.01)

"""Retry: repeats an attempt while other processes are in the way."""

import errno
import time
from collections.abc import Callable
from typing import TypeVar

from typedshm.errors import Timeout, TypedshmError

R = TypeVar("R")

OPEN_TIMEOUT = 10.0
"""Seconds to wait while another process opens or closes the region."""

_FIRST_PAUSE, _LONGEST_PAUSE = 0.0002, 0.01


def timed_out(location: object, timeout: float | None, reason: str = "") -> Timeout:
    """Make the error of who could not open a region in time."""
    reason = f": {reason}" if reason else " while another process was opening or closing it"
    return Timeout(errno.ETIMEDOUT, f"{location}: timed out after {timeout:g} s{reason}")


def retry(
    attempt: Callable[[], R | None],
    location: object,
    timeout: float | None,
    *,
    awaited: type[TypedshmError] | tuple[()] = (),
    hint: Callable[[], str] = str,
) -> R:
    """Repeat an attempt until it succeeds.

    Parameters
    ----------
    attempt
        Returns None while another process is in the way.
    location
        For the error message, which begins with its text.
    timeout
        Seconds to go on; None goes on for ever.
    awaited
        An error of the attempt that time may mend.
    hint
        Returns the rest of the message if it was not mended in time.

    Raises
    ------
    Timeout
        The last attempt within `timeout` seconds failed too.
    """
    deadline = None if timeout is None else time.monotonic() + timeout
    pause = _FIRST_PAUSE
    while True:
        reason = ""
        try:
            result = attempt()
        except awaited as error:
            result, reason = None, str(getattr(error, "strerror", None) or error)
        if result is not None:
            return result
        if deadline is not None and time.monotonic() >= deadline:
            raise timed_out(location, timeout, reason and reason + hint())
        time.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE)

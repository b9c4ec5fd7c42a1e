"""Span: the times from which, and up to which, a recording is read."""

from datetime import UTC, datetime
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from typedshm.errors import found

Moment: TypeAlias = "float | datetime | np.datetime64 | None"
"""Seconds from the start of the recording, or a point in time; None: the recording's start or end."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST, _LAST = -(2**63) + 1, 2**63  # the latest time that is read is before it


class Span(NamedTuple):
    """From one time to another, in ns since 1970; what is at the second is outside."""

    start: int
    end: int

    @property
    def is_all(self) -> bool:
        """Whether nothing is outside."""
        return self.start == _FIRST and self.end == _LAST

    def overlaps(self, first: int, last: int) -> bool:
        """Return whether anything from the first to the last time may be inside."""
        return (first < self.end and last >= self.start) or self.is_all


ALL = Span(_FIRST, _LAST)


def span(start: Moment, end: Moment, origin: int) -> Span:
    """Return the span that a user asked for.

    Parameters
    ----------
    start, end
        The user's arguments.
    origin
        When the recording starts, in ns since 1970.

    Raises
    ------
    TypeError, ValueError
        They are no times.
    """
    first = _FIRST if start is None else _nanoseconds(start, "start", origin)
    last = _LAST if end is None else _nanoseconds(end, "end", origin)
    return Span(first, last)


def _nanoseconds(moment: Any, parameter: str, origin: int) -> int:
    expected = (
        f"{parameter}: expected seconds from the start of the recording, a datetime with a time zone or a datetime64, "
        f"found {found(moment)}"
    )
    if isinstance(moment, datetime):
        if moment.tzinfo is None:
            raise ValueError(f"{expected}; add one, as in value.replace(tzinfo=timezone.utc)")
        since = moment - _EPOCH
        return _within((since.days * 86_400 + since.seconds) * 10**9 + since.microseconds * 1000)
    numpy_time: Any = moment  # Any, so that the check does not narrow it to a partially unknown type
    if isinstance(moment, np.datetime64):
        if np.isnat(numpy_time):
            raise ValueError(expected)
        return _within(_since_1970(numpy_time))
    if isinstance(moment, bool | np.bool_ | str | bytes):
        raise TypeError(expected)
    try:
        seconds = float(moment)
    except (TypeError, ValueError):
        raise TypeError(expected) from None
    except OverflowError:
        raise ValueError(expected) from None
    if seconds != seconds:
        raise ValueError(expected)
    if abs(seconds) > 2**33:  # 272 years
        return _LAST if seconds > 0 else _FIRST
    return _within(origin + round(seconds * 1e9))


def _since_1970(moment: "np.datetime64[Any]") -> int:
    """Return a time of NumPy in ns, which would wrap around for those beyond 2262."""
    seconds = int(moment.astype("M8[s]").astype(np.int64))
    if abs(seconds) > 2**33:
        return seconds * 10**9
    return int(moment.astype("M8[ns]").astype(np.int64))


def _within(nanoseconds: int) -> int:
    return min(max(nanoseconds, _FIRST), _LAST)

"""Pace: how long the recorder rests when it has taken something, so that it is not woken for each single version."""

import time

_SELDOM = 0.003
"""Seconds from one round to the next from which on there is nothing to be saved."""

_FULL = 0.5
"""From which share of what it keeps on a source is too fast for rests; writers to lossless ones may be waiting."""

_LONGEST = 0.005
_SHARE = 4
"""A fourth of what a region keeps may be filled meanwhile."""


class Pace:
    """Says how long to rest after each round, from how fast the sources fill what they keep."""

    def __init__(self) -> None:
        self._before = time.monotonic()

    def rest(self, now: float, filled: float) -> float:
        """Return the seconds to rest.

        Parameters
        ----------
        now
            ``time.monotonic()``.
        filled
            How much of what it keeps the source had filled that had filled most, since the round before: 1 is all.
        """
        since, self._before = now - self._before, now
        if since >= _SELDOM or not 0 < filled <= _FULL:
            return 0.0
        return min(since / filled / _SHARE, _LONGEST)

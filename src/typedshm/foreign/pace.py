"""Pace: when to look at a publisher's memory again, by how often it has published so far."""

import time

from typedshm.foreign.rules.rule import Rule
from typedshm.foreign.rules.still import Still

_STEP = 0.0005
"""Seconds between looks around the moment at which the next update is expected."""
_LONGEST = 0.01
"""Seconds between looks when nothing is expected any more, and between looks for memory that is not there."""
_EARLY = 0.001
"""Seconds before the expected moment at which the looks begin."""
_ABSENT = 0.05
_SETTLED = 0.7
"""Of the period: when the fields are in place whose tick is stored first."""


class Pace:
    """Learns the period of a publisher, and says how long to sleep: never a loop without sleep.

    Parameters
    ----------
    rule
        Of the memory: where the tick is stored before the fields, the value is read late in the period.
    """

    def __init__(self, rule: Rule) -> None:
        self._first = isinstance(rule, Still) and rule.written == "first"
        self._begun = time.monotonic()
        self._last: float | None = None
        self.period: float | None = None
        """Seconds from one update to the next, as seen; None until there were two."""

    def changed(self) -> None:
        """Note that there was an update just now."""
        now = time.monotonic()
        if self._last is not None:
            span = now - self._last
            if self.period is None or span < self.period:
                self.period = span  # looks are late, never early; updates can be missed, never invented
            elif span < 1.5 * self.period:
                self.period += (span - self.period) / 8
        self._last = now

    @property
    def settling(self) -> float:
        """Seconds to let pass after a new tick before the value is read."""
        return _SETTLED * self.period if self._first and self.period is not None else 0.0

    def pause(self, *, absent: bool = False) -> float:
        """Return how many seconds to sleep before the next look."""
        if absent:
            return _ABSENT
        late = time.monotonic() - (self._begun if self._last is None else self._last) - (self.period or 0.0)
        if late < -_EARLY:
            return min(max(-late - _EARLY, _STEP), _ABSENT)
        return min(_LONGEST, max(_STEP, late / 8))

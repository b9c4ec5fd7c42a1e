"""Pace: when to look at a publisher's memory again, by how often it has published so far."""

import time
from collections import deque
from statistics import median

from typedshm.foreign.rules.rule import Rule
from typedshm.foreign.rules.still import Still

_STEP = 0.0005
"""Seconds between looks around the moment at which the next update is expected."""
_LONGEST = 0.01
"""Seconds between looks when nothing is expected any more, and between looks for memory that is not there."""
_EARLY = 0.001
"""Seconds before the expected moment at which the looks begin."""
_ABSENT = 0.05
_KEPT = 16
"""Times between updates of which the period is taken."""
_FEW = 4
"""Of them, which say the period."""
_SURE = 20
"""How many times as long as it is uncertain a time between updates is that says the period alone."""
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
        self._counted = False  # whether there was an update since the first value
        self._expected: float | None = None  # seconds from one update to the next, as looks are timed by
        self._nothing = self._begun  # the last look that found nothing new
        self._news: float | None = None  # the first that found what has not been read yet
        self._moment: tuple[float, float] | None = None  # of the last update, and within how many seconds
        self._spans: deque[tuple[float, float] | None] = deque(maxlen=_KEPT)  # between two, and of how many it is sure

    def looked(self, *, news: bool) -> None:
        """Note a look that reads nothing, and whether it found that there is something new to be read."""
        if not news:
            self._nothing, self._news = time.monotonic(), None
        elif self._news is None:
            self._news = time.monotonic()

    def changed(self) -> None:
        """Note that there was an update just now, or when the look found it."""
        now, self._news = time.monotonic() if self._news is None else self._news, None
        first, self._last = self._last, now
        if first is None:
            return  # what there was already: nobody knows since when
        before, self._moment = self._moment, None
        if self._nothing > first:  # else there may have been any number of them since the last look
            self._moment = (self._nothing + now) / 2, now - self._nothing
        if self._counted:
            self._spans.append(_span(before, self._moment))
        if not self._counted:
            self._counted = True
            return
        span = now - first
        if self._expected is None or span < self._expected:
            self._expected = span  # looks are late, never early; updates can be missed, never invented
        elif span < 1.5 * self._expected:
            self._expected += (span - self._expected) / 8

    @property
    def period(self) -> float | None:
        """Seconds from one update to the next; None until there were two, and while looks cannot tell them apart.

        There have to be two looks to an update: those that come within a millisecond are too many.
        """
        spans = [span for span in self._spans if span is not None]
        if not spans or 2 * len(spans) < len(self._spans):
            return None
        middle = median(span for span, _ in spans)
        sharp = [(span, within) for span, within in spans if 2 * within <= middle]
        if len(sharp) < _FEW and not all(_SURE * within <= span for span, within in spans):
            return None
        # without those between which others were missed
        near = [span for span, _ in sharp if 0.5 * middle <= span <= 1.5 * middle]
        return sum(near) / len(near) if near else None

    @property
    def settling(self) -> float:
        """Seconds to let pass after a new tick before the value is read."""
        return _SETTLED * self._expected if self._first and self._expected is not None else 0.0

    def pause(self, *, absent: bool = False) -> float:
        """Return how many seconds to sleep before the next look."""
        if absent:
            return _ABSENT
        late = time.monotonic() - (self._begun if self._last is None else self._last) - (self._expected or 0.0)
        if late < -_EARLY:
            return min(max(-late - _EARLY, _STEP), _ABSENT)
        return min(_LONGEST, max(_STEP, late / 8))


def _span(earlier: tuple[float, float] | None, later: tuple[float, float] | None) -> tuple[float, float] | None:
    """Return the time between two moments, and within how many seconds each is known."""
    if earlier is None or later is None:
        return None
    return later[0] - earlier[0], max(earlier[1], later[1])

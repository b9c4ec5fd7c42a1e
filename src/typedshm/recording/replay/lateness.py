"""Lateness: by how much versions were published after they were due."""

from collections.abc import Iterator

from typedshm.frozen import Frozen, frozen

_BITS = 5
"""The leading bits of a number of ns that choose its bin: of two numbers in one, neither is 4 % larger."""
_SECOND = 10**9


@frozen
class Lateness(Frozen):
    """By how much a replay was late: seconds from when a version was due until it was published.

    Versions that were published by steps, or at a speed without a limit, are not counted, as they are never due.

    Attributes
    ----------
    count
        How many versions were measured.
    p50, p99
        What half of them, and 99 of 100, were not later than, in seconds; to 4 %.
    max
        What none was later than, in seconds.
    """

    __match_args__ = ("count", "p50", "p99", "max")
    count: int = 0
    p50: float = 0.0
    p99: float = 0.0
    max: float = 0.0


class LatenessMeter:
    """Counts versions by their lateness, in bins: a replay that loops for days takes no more memory than another."""

    def __init__(self) -> None:
        self._bins: dict[int, int] = {}
        self._count = 0
        self._most = 0

    def add(self, seconds: float) -> None:
        """Count one version; one that came early by the clock's resolution was not late."""
        ns = max(round(seconds * _SECOND), 0)
        shift = max(ns.bit_length() - _BITS, 0)
        upper = ((ns >> shift) + 1 << shift) - 1
        self._bins[upper] = self._bins.get(upper, 0) + 1
        self._count += 1
        self._most = max(self._most, ns)

    def sum_up(self) -> Lateness:
        """Return what was measured so far."""
        bins = sorted(self._bins.copy().items())  # a copy, since another thread counts
        counted = sum(count for _, count in bins)
        p50, p99 = (min(_quantile(bins, counted, part), self._most) / _SECOND for part in (0.5, 0.99))
        return Lateness(counted, p50, p99, self._most / _SECOND)


def _quantile(bins: list[tuple[int, int]], counted: int, part: float) -> int:
    return next((upper for upper, below in _summed(bins) if below >= part * counted), 0)


def _summed(bins: list[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    total = 0
    for upper, count in bins:
        total += count
        yield upper, total

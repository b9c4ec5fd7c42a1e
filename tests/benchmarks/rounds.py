"""Timing: works that take turns, so that a noisy machine disturbs all of them alike."""

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

Work = Callable[[], object]
Clock = Callable[[], float]


def _processor_clock() -> Clock:
    fine = time.get_clock_info("thread_time").resolution < 1e-6  # Windows counts by 15 ms
    return time.thread_time if fine else time.perf_counter


processor_time = _processor_clock()
"""The clock for what waits for nobody and works in this thread alone: it stands while others have the processor."""


def interleaved(works: dict[str, Work], rounds: int, seconds: float) -> dict[str, float]:
    """Median seconds per call of each, in rounds that take turns; each gets `seconds` a round."""
    return {key: statistics.median(batches) for key, batches in turns(works, rounds, seconds).items()}


def turns(
    works: dict[str, Work], rounds: int, seconds: float, clock: Clock = time.perf_counter
) -> dict[str, list[float]]:
    """Seconds per call of each, turn by turn."""
    return {key: batches for key, (batches, _) in _take_turns(works, rounds, seconds, 0.0, clock).items()}


def costs(works: dict[str, Work], rounds: int, seconds: float) -> dict[str, "Cost"]:
    """Microseconds per call: the median over batches, and the 99th percentile of single calls of the same rounds."""
    return {
        key: Cost(
            1e6 * statistics.median(batches), quantile(singles, 0.99) / 1000, turns=[1e6 * batch for batch in batches]
        )
        for key, (batches, singles) in _take_turns(works, rounds, seconds, seconds).items()
    }


def _take_turns(
    works: dict[str, Work], rounds: int, seconds: float, singly: float, clock: Clock = time.perf_counter
) -> dict[str, tuple[list[float], list[int]]]:
    repeats: dict[str, int] = {}
    for key, work in works.items():
        work()
        start = time.perf_counter()
        count = 0
        while time.perf_counter() - start < seconds / 4:
            work()
            count += 1
        repeats[key] = max(1, 4 * count)
    times: dict[str, tuple[list[float], list[int]]] = {key: ([], []) for key in works}
    for number in range(rounds):
        keys = list(works)
        for key in keys if number % 2 else reversed(keys):
            work = works[key]
            repeated = range(repeats[key])
            start = clock()
            for _ in repeated:
                work()
            times[key][0].append((clock() - start) / len(repeated))
            if singly:
                times[key][1].extend(each(work, singly))
    return times


def per_call(work: Work, seconds: float, clock: Clock) -> float:
    """Seconds per call in one turn of about that length."""
    count = 1
    while True:
        start = clock()
        for _ in range(count):
            work()
        taken = clock() - start
        if taken > seconds / 4:  # long enough to be judged by; the turns before it only found how many calls that takes
            return taken / count
        count *= 2


def each(work: Work, seconds: float) -> list[int]:
    """Nanoseconds of single calls, the look at the clock included (about 50 ns); at least one."""
    clock = time.perf_counter_ns
    taken: list[int] = []
    end = clock() + int(seconds * 1e9)
    start = clock()
    while start < end or not taken:
        work()
        now = clock()
        taken.append(now - start)
        start = clock()
    return taken


def quantile(values: Sequence[float], share: float) -> float:
    """Return the value below which that share of them lies."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


@dataclass
class Cost:
    """What something costs, in one unit; how many of its results were not whole, and how many never came.

    `turns` are the medians of its turns, in their order, where they are known.
    """

    p50: float
    p99: float | None = None
    torn: int | None = None
    lost: int = 0
    turns: list[float] = field(default_factory=list)

    @classmethod
    def of(cls, turns: Sequence[Sequence[float]], scale: float = 1.0, torn: int | None = None, lost: int = 0) -> "Cost":
        """Sum up the single measurements of some turns."""
        values = [value for turn in turns for value in turn]
        medians = [scale * quantile(turn, 0.5) for turn in turns]
        return cls(scale * quantile(values, 0.5), scale * quantile(values, 0.99), torn, lost, medians)

    @classmethod
    def of_turns(cls, turns: Sequence[float]) -> "Cost":
        """Sum up turns whose single calls nobody has timed."""
        return cls(statistics.median(turns), turns=list(turns))

    @classmethod
    def over(cls, rounds: "Sequence[Cost]") -> "Cost":
        """Sum up what the same thing cost in some rounds."""
        medians = [cost.p50 for cost in rounds]
        tails = [cost.p99 for cost in rounds if cost.p99 is not None]
        return cls(statistics.median(medians), statistics.median(tails) if tails else None, turns=medians)

    def ratio(self, other: "Cost") -> float | None:
        """Return this cost as a share of another, None of one that is nothing.

        The median over the rounds, if both had the same ones: a machine that changes its speed half-way changes both
        turns of a round alike, but may move one median and not the other.
        """
        if not other.p50:
            return None
        if not self.turns or len(self.turns) != len(other.turns) or not all(other.turns):
            return self.p50 / other.p50
        return statistics.median(ours / theirs for ours, theirs in zip(self.turns, other.turns, strict=True))

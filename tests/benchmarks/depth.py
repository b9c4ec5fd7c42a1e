"""What many slots cost: to follow every version, to borrow, and to attach, beside the same with few."""

import contextlib
import statistics
import time
from collections.abc import Callable

import scratch
from remote import Remote
from rounds import per_call, processor_time
from schemas import Record

import typedshm

FEW, MANY = 4, 65_536
VERBS = {"step of follow(every=True)": ("step", 1.2), "borrow": ("borrow", 1.2), "attach": ("attach", 1.3)}
"""What a verb is called, the method that measures it, and how much more it may cost with many slots."""
BATCH = FEW - 1
"""So many versions are written, and then followed: all of them are still there."""


def measure(rounds: int, seconds: float) -> dict[str, tuple[list[float], list[float]]]:
    """Return for each verb the microseconds with many slots and with few, turn by turn."""
    with contextlib.ExitStack() as stack:
        names: list[str] = []
        for slots in (MANY, FEW):
            region = stack.enter_context(typedshm.create(scratch.name(), Record, slots=slots, prefault=False))
            region.write(Record.zero())
            names.append(str(region.name))
        visitor = stack.enter_context(Remote(Visitor, names))
        visitor.end()
        return {verb: visitor.call(method, rounds, seconds) for verb, (method, _) in VERBS.items()}


class Visitor:
    """In a process that has no share in the regions but for what it does with them."""

    def __init__(self, names: list[str]) -> None:
        self.names = names

    def step(self, rounds: int, seconds: float) -> tuple[list[float], ...]:
        """Return the microseconds of a step of a follower that keeps up, for each region, turn by turn."""
        with contextlib.ExitStack() as stack:
            regions = [stack.enter_context(typedshm.attach(name, Record, prefault=False)) for name in self.names]
            for region in regions:
                for _ in range(region.info().slots):  # or those that were never touched would be made meanwhile
                    region.write(Record.zero())
            return _in_turns([_stepper(region, seconds) for region in regions], rounds)

    def borrow(self, rounds: int, seconds: float) -> tuple[list[float], ...]:
        """Return the microseconds of a block that looks at nothing, likewise."""
        with contextlib.ExitStack() as stack:
            regions = [stack.enter_context(typedshm.attach(name, Record, prefault=False)) for name in self.names]
            return _in_turns([_called(_borrower(region), seconds) for region in regions], rounds)

    def attach(self, rounds: int, seconds: float) -> tuple[list[float], ...]:
        """Return the microseconds to attach and close, likewise."""
        return _in_turns([_called(_newcomer(name), seconds) for name in self.names], rounds)

    def close(self) -> None:
        """Leave."""


def _stepper(region: "typedshm.Region[Record]", seconds: float) -> Callable[[], float]:
    """Time steps only, and not the writes between them."""

    def step() -> float:
        write, value, clock = region.write, Record.zero(), time.perf_counter_ns
        follower = region.follow(every=True, start="next", timeout=0)
        taken: list[int] = []
        end = clock() + int(1e9 * seconds)
        while (start := clock()) < end:
            for _ in range(BATCH):
                write(value)
            start = clock()
            for _ in range(BATCH):
                next(follower)
            taken.append(clock() - start)
        assert follower.dropped == 0
        return statistics.median(taken) / BATCH / 1000

    return step


def _borrower(region: "typedshm.Region[Record]") -> Callable[[], object]:
    def borrow() -> None:
        with region.borrow():
            pass

    return borrow


def _newcomer(name: str) -> Callable[[], object]:
    return lambda: typedshm.attach(name, Record, prefault=False).close()


def _called(work: Callable[[], object], seconds: float) -> Callable[[], float]:
    return lambda: 1e6 * per_call(work, seconds, processor_time)


def _in_turns(works: list[Callable[[], float]], rounds: int) -> tuple[list[float], ...]:
    found: tuple[list[float], ...] = tuple([] for _ in works)
    for number in range(rounds):
        for index in range(len(works)) if number % 2 else reversed(range(len(works))):
            found[index].append(works[index]())
    return found

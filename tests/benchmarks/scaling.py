"""What company and depth cost: typedshm beside itself, alone and with four slots."""

import contextlib

import depth
import scratch
from measurement import OURS, Measurement, Plan
from remote import Remote
from rounds import Cost, processor_time
from schemas import Record

import typedshm

ALONE = "alone"
SHALLOW = f"with {depth.FEW} slots"


class Follower:
    """In the other process: takes every newest version as soon as it is there."""

    def __init__(self, name: str) -> None:
        self.region = typedshm.attach(name, Record)

    def follow(self, last: int) -> int:
        """Return how many versions it got, the last of them among these."""
        count = 0
        for value in self.region.follow(timeout=10):
            count += 1
            if (typedshm.version_of(value) or 0) >= last:
                break
        return count

    def wait(self) -> None:
        """Wait for what does not come, and give up."""
        with contextlib.suppress(typedshm.Timeout):
            self.region.wait(after=self.region.version, timeout=0.001)

    def close(self) -> None:
        """Leave."""
        self.region.close()


def measure(plan: Plan) -> list[Measurement]:
    """Both."""
    return [*_company(plan), *_depth(plan)]


def _company(plan: Plan) -> list[Measurement]:
    """Writes of a region with a follower, and of one that it has just left, beside those of one that nobody knows.

    In a fixed number, so that the follower knows when to stop; in this thread's own time, as it wakes but never waits.
    """
    count = 20_000 if plan.quick else 100_000
    turns: dict[str, list[float]] = {name: [] for name in (ALONE, "followed", "left")}
    value = Record.zero()
    with contextlib.ExitStack() as stack:
        regions = {name: stack.enter_context(typedshm.create(scratch.name(), Record)) for name in turns}
        for region in regions.values():
            region.write(value)
        names = ("followed", "left")
        others = {name: stack.enter_context(Remote(Follower, regions[name].name)) for name in names}
        for other in others.values():
            other.end()
        for number in range(plan.rounds):
            for name in list(turns) if number % 2 else reversed(turns):
                write = regions[name].write
                if name == "followed":
                    others[name].begin("follow", regions[name].version + count)
                if name == "left":
                    others[name].call("wait")
                times = count // 10 if name == "left" else count
                start = processor_time()
                for _ in range(times):
                    write(value)
                turns[name].append(1e6 * (processor_time() - start) / times)
                if name == "followed":
                    others[name].end()
    costs = {name: Cost.of_turns(found) for name, found in turns.items()}
    return [
        Measurement("scaling", label, "µs", {OURS: costs[name], ALONE: costs[ALONE]}, {ALONE: bar})
        for label, name, bar in (
            ("write beside a follower that keeps up", "followed", 2.5),
            ("write just after the last waiter left", "left", 1.1),
        )
    ]


def _depth(plan: Plan) -> list[Measurement]:
    """To follow, borrow and attach as the only handle of a process, with few slots and with as many as may be."""
    found = depth.measure(plan.rounds, 0.01 if plan.quick else 0.03)
    return [
        Measurement(
            "scaling",
            f"{verb} with {depth.MANY:,} slots",
            "µs",
            {label: Cost.of_turns(turns) for label, turns in zip((OURS, SHALLOW), found[verb], strict=True)},
            {SHALLOW: bar},
        )
        for verb, (_, bar) in depth.VERBS.items()
    ]

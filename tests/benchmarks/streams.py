"""What a record costs that has to arrive: one process sends as fast as it may, one other takes each, in order."""

import contextlib
import time
from typing import Any

import scratch
from adapters.base import Streams, create
from measurement import KICKMSG_STREAM, OURS, Measurement, Plan
from remote import Remote
from rounds import Cost, processor_time, turns
from schemas import Record

import typedshm

PIPE, QUEUE, MOMENTUMX, CLOUDTOID = "Pipe", "Queue", "momentumx, sync", "cloudtoid-interprocess"
BARS = {PIPE: 1 / 3, QUEUE: 1 / 5, KICKMSG_STREAM: 1.0, MOMENTUMX: 1.0, CLOUDTOID: 1.0}
LOSSY = "to a region that loses"


class Taker:
    """In the other process: takes what comes, and notes when it had the last."""

    def __init__(self, kind: type[Streams], name: str, address: Any) -> None:
        self.peer = kind(name)
        self.peer.attach(address)

    def take(self, first: int, count: int) -> tuple[int, int]:
        """Return when it had them all, and how many were not the next one."""
        wrong = self.peer.take(first, count)
        return time.monotonic_ns(), wrong

    def close(self) -> None:
        """Leave."""
        self.peer.close()


def measure(plan: Plan) -> list[Measurement]:
    """Stream, and write where nobody follows."""
    return [_stream(plan), _unfollowed(plan)]


def _stream(plan: Plan) -> Measurement:
    """From the first call until the other process has the last record; they take turns."""
    kinds: list[type[Streams]] = plan.kinds("STREAMS")
    with contextlib.ExitStack() as stack:
        pairs: dict[str, tuple[Streams, Remote]] = {}
        for kind in kinds:
            peer, address = create(stack, kind)
            pairs[kind.label] = peer, stack.enter_context(Remote(Taker, kind, peer.name, address))
        for _, taker in pairs.values():
            taker.end()
        taken: dict[str, list[float]] = {label: [] for label in pairs}
        wrong = dict.fromkeys(pairs, 0)
        for number in range(plan.rounds):
            labels = list(pairs)
            for label in labels if number % 2 else reversed(labels):
                peer, taker = pairs[label]
                count = peer.most // 4 if plan.quick else peer.most
                took, missed = _round(peer, taker, number * count, count)
                taken[label].append(took)
                wrong[label] += missed
    costs = {label: Cost.of_turns(times) for label, times in taken.items()}
    for label, cost in costs.items():
        cost.torn = wrong[label]
    return Measurement("streams", "stream records of 80 bytes to one reader, each", "µs", costs, BARS)


def _round(peer: Streams, taker: Remote, first: int, count: int) -> tuple[float, int]:
    """Return the microseconds for a record, and how many were not the next one."""
    taker.begin("take", first, count)
    time.sleep(0.02)  # until it waits, as a reader does
    start = time.monotonic_ns()
    peer.send(first, count)
    end, wrong = taker.end()
    return (end - start) / count / 1000, wrong


def _unfollowed(plan: Plan) -> Measurement:
    """What it costs to write to a region whose writers would wait for followers, if there were any."""
    value = Record.zero()
    with (
        typedshm.create(scratch.name(), Record, lossless=True) as lossless,
        typedshm.create(scratch.name(), Record, slots=lossless.info().slots) as lossy,
    ):
        works = {OURS: lambda: lossless.write(value), LOSSY: lambda: lossy.write(value)}
        found = turns(works, plan.rounds, 0.02 if plan.quick else 0.1, processor_time)
    costs = {label: Cost.of_turns([1e6 * turn for turn in taken]) for label, taken in found.items()}
    return Measurement("streams", "write to a lossless region that nobody follows", "µs", costs, {LOSSY: 1.1})

"""How long a process that sleeps takes to notice that there is something for it."""

import contextlib
import multiprocessing
import time
from typing import Any

from adapters.base import Wakes, create
from measurement import OURS, Measurement, Plan
from remote import Remote
from rounds import Cost

PIPE, EVENT = "Pipe", "iceoryx2 event"
NOTIFIER, ASYNCIO = "typedshm Notifier", "typedshm asyncio"
WAIT = "typedshm wait()"
IN_A_LOOP = 2.5
"""As much as wait() takes, at most, in an event loop."""

COUNT = 60
"""Wake-ups in a round."""


class Sleeper:
    """In the other process: sleeps, and notes when it woke."""

    def __init__(self, kind: type[Wakes], name: str, address: Any, sent: Any) -> None:
        self.peer = kind(name)
        self.peer.attach(address)
        self.sent = sent

    def sleep(self, count: int) -> list[int]:
        """Return for each wake-up how many nanoseconds ago it was sent."""
        taken: list[int] = []
        last = 0

        def woken() -> bool:
            nonlocal last
            now = time.monotonic_ns()
            sent = self.sent.value
            if sent != last:  # some wake for nothing, or twice for one
                taken.append(now - sent)
                last = sent
            return len(taken) < count

        self.peer.wait_often(woken)
        return taken

    def close(self) -> None:
        """Leave."""
        self.peer.close()


def measure(plan: Plan) -> list[Measurement]:
    """One sleeper for each peer; they take turns."""
    kinds: list[type[Wakes]] = [*plan.kinds("WAKES"), *plan.kinds("LOOPS")]
    with contextlib.ExitStack() as stack:
        pairs: dict[str, tuple[Wakes, Remote, Any]] = {}
        for kind in kinds:
            peer, address = create(stack, kind)
            sent = multiprocessing.get_context("spawn").RawValue("q")
            pairs[kind.label] = peer, stack.enter_context(Remote(Sleeper, kind, peer.name, address, sent)), sent
        for _, sleeper, _ in pairs.values():
            sleeper.end()
        taken: dict[str, list[list[int]]] = {label: [] for label in pairs}
        for number in range(plan.rounds):
            labels = list(pairs)
            for label in labels if number % 2 else reversed(labels):
                taken[label].append(_round(*pairs[label]))
    costs = {label: Cost.of(times, 1 / 1000) for label, times in taken.items()}
    loops = {label: costs.pop(label) for label in (NOTIFIER, ASYNCIO)}
    found = [Measurement("wakes", "wake a waiting process", "µs", costs, {PIPE: 1.0, EVENT: 1.0})]
    for name, label in (("wake a loop by a Notifier", NOTIFIER), ("wake a task of asyncio", ASYNCIO)):
        found.append(Measurement("wakes", name, "µs", {OURS: loops[label], WAIT: costs[OURS]}, {WAIT: IN_A_LOOP}))
    return found


def _round(peer: Wakes, sleeper: Remote, sent: Any) -> list[int]:
    sleeper.begin("sleep", COUNT)
    time.sleep(0.05)  # until it sleeps: what is sent before that comes late, and counts
    while not sleeper.answered:
        sent.value = time.monotonic_ns()
        peer.notify()
        time.sleep(0.001)
    taken: list[int] = sleeper.end()
    return taken
